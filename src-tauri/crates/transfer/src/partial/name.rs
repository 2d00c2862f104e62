//! The names of what is unfinished.

use std::ffi::{OsStr, OsString};

/// What temporary names end in.
const SUFFIX: &str = ".slippart";
/// No file system in use allows longer names, in bytes (or units that are no longer).
const NAME_LIMIT: usize = 255;

/// `.NAME.slippart`; of a name that is too long for that, its beginning and a hash.
pub(crate) fn temporary_name(name: &OsStr) -> OsString {
    let mut temporary = OsString::from(".");
    if name.len() + 1 + SUFFIX.len() <= NAME_LIMIT {
        temporary.push(name);
    } else {
        let text = name.to_string_lossy();
        let mut end = NAME_LIMIT - 1 - 17 - SUFFIX.len();
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        // FNV-1a: enough to tell two long names apart, and the same in every run.
        let hash = name
            .as_encoded_bytes()
            .iter()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
            });
        temporary.push(&text[..end]);
        temporary.push(format!("-{hash:016x}"));
    }
    temporary.push(SUFFIX);
    temporary
}

pub(crate) fn is_temporary(name: &OsStr) -> bool {
    is_temporary_name(name.as_encoded_bytes())
}

/// The same for a name on either side. In whatever case: there are file systems that don't tell them apart.
pub(crate) fn is_temporary_name(name: &[u8]) -> bool {
    let end = name.len().checked_sub(SUFFIX.len()).map(|at| &name[at..]);
    name.starts_with(b".") && end.is_some_and(|end| end.eq_ignore_ascii_case(SUFFIX.as_bytes()))
}

/// As [`temporary_name`], for a name on a server.
pub(crate) fn temporary_bytes(name: &[u8]) -> Vec<u8> {
    if name.len() + 1 + SUFFIX.len() <= NAME_LIMIT {
        return [b".", name, SUFFIX.as_bytes()].concat();
    }
    let text = String::from_utf8_lossy(name).into_owned();
    temporary_name(OsStr::new(&text)).into_encoded_bytes()
}
