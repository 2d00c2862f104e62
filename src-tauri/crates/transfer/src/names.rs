//! Names that this system (or any other) can't have, as names that it can, and back.
//!
//! A byte that may not stand where it stands becomes `%` and two capital hexadecimal digits. What would read like such an
//! escape, but is one of the name's own letters, gets its `%` escaped, and nothing else does: `50%20off` stays as it is,
//! because a blank is escaped at the end of a name only.
//!
//! | rules | escaped |
//! |--|--|
//! | Linux and the like | control characters and `\` (harmless here, but a path to others) |
//! | macOS | those, and bytes that are no UTF-8 |
//! | Windows, and [`NameRules::Portable`] | those, `: * ? " < > \|`, a dot or blank at the end, and the first letter of a device's name (`CON`, `com1.txt`) |
//!
//! A name that has more than 255 bytes after that can't be kept: it becomes its beginning, `~`, a hash of the whole and its
//! ending. That one can't be undone, so whoever compares both sides compares the local forms.

use std::ffi::{OsStr, OsString};

use ftp_client::ftp_proto::{Name, NameError, escape};

use crate::NameRules;

/// No local name is longer (bytes; Windows counts otherwise, but not more strictly).
const LONGEST: usize = 255;

/// The local name for a name on a server, which is taken from a listing as it came. It has no separator in it, is
/// neither empty nor `.` nor `..`, and has at most 255 bytes.
///
/// # Errors
/// What is no name of a file at all: empty, `.`, `..`, or with `/`, NUL, CR or LF in it.
pub(crate) fn to_local(name: &[u8], rules: NameRules) -> Result<OsString, NameError> {
    let name = Name::try_from(name)?;
    let escaped = shorten(Escapes::of(rules).escape(name.as_bytes()), name.as_bytes());
    os_string(escaped).ok_or_else(|| error(name.as_bytes(), "it is no text"))
}

/// The name on a server for a local name: what [`to_local`] has escaped is itself again.
///
/// # Errors
/// A name that FTP can't carry (CR, LF), and one that is no text where the system has only text.
pub(crate) fn to_remote(name: &OsStr, rules: NameRules) -> Result<Name, NameError> {
    let Some(bytes) = os_bytes(name) else {
        let text = name.to_string_lossy();
        return Err(error(text.as_bytes(), "it is no text"));
    };
    // What unescapes to no name was never escaped by us.
    match Name::try_from(Escapes::of(rules).unescape(bytes)) {
        Ok(name) => Ok(name),
        Err(_) => Name::try_from(bytes),
    }
}

/// What two local names have in common if the system, or one that the files may go to, takes them for the same.
pub(crate) fn same_file_key(local: &OsStr, rules: NameRules) -> OsString {
    let folds = rules == NameRules::Portable || cfg!(any(windows, target_os = "macos"));
    match local.to_str() {
        Some(text) if folds => text.to_lowercase().into(),
        _ => local.to_owned(),
    }
}

/// What has to be escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Escapes {
    /// Bytes that are no UTF-8.
    not_text: bool,
    /// What Windows doesn't have.
    windows: bool,
}

impl Escapes {
    fn of(rules: NameRules) -> Self {
        let portable = rules == NameRules::Portable;
        Self {
            not_text: portable || cfg!(any(windows, target_os = "macos")),
            windows: portable || cfg!(windows),
        }
    }

    fn escape(self, name: &[u8]) -> Vec<u8> {
        let text = text_bytes(name);
        let device = self.windows && is_device(name);
        let mut out = Vec::with_capacity(name.len());
        for (at, &byte) in name.iter().enumerate() {
            let bad = self.never(byte)
                || (self.not_text && !text[at])
                || (self.windows && at + 1 == name.len() && matches!(byte, b'.' | b' '))
                || (device && at == 0)
                || (byte == b'%' && self.is_escape(name, at));
            if bad {
                out.extend_from_slice(format!("%{byte:02X}").as_bytes());
            } else {
                out.push(byte);
            }
        }
        out
    }

    fn unescape(self, name: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(name.len());
        let mut at = 0;
        while at < name.len() {
            match pair(name, at) {
                Some(byte) if self.is_escape(name, at) => {
                    out.push(byte);
                    at += 3;
                }
                _ => {
                    out.push(name[at]);
                    at += 1;
                }
            }
        }
        out
    }

    /// Bytes that are escaped wherever they stand.
    fn never(self, byte: u8) -> bool {
        byte.is_ascii_control()
            || byte == b'\\'
            || (self.windows && matches!(byte, b':' | b'*' | b'?' | b'"' | b'<' | b'>' | b'|'))
    }

    /// Whether an escape begins here: one that [`Self::escape`] could have made at this place, or the escaped `%` of
    /// such a one.
    fn is_escape(self, name: &[u8], at: usize) -> bool {
        let mut digits = at;
        // "%25255C": an escaped `%`, before what would be an escaped `%` before what would be an escaped `\`.
        while pair_at(name, digits + 1) == Some(b'%') && name[at] == b'%' {
            digits += 2;
        }
        if name[at] != b'%' {
            return false;
        }
        let Some(byte) = pair_at(name, digits + 1) else {
            return false;
        };
        // Those can't be in a name, so they are never escaped.
        if matches!(byte, 0 | b'\r' | b'\n') {
            return false;
        }
        self.never(byte)
            || (self.not_text && byte >= 0x80)
            || (self.windows
                && ((matches!(byte, b'.' | b' ') && digits + 3 == name.len())
                    || (at == 0 && is_first_of_device(byte))))
    }
}

/// The byte that `%XX` at this place stands for, with capital digits as they are written here.
fn pair(name: &[u8], at: usize) -> Option<u8> {
    (name[at] == b'%').then(|| pair_at(name, at + 1)).flatten()
}

fn pair_at(name: &[u8], at: usize) -> Option<u8> {
    let digit = |at: usize| match name.get(at) {
        Some(digit @ b'0'..=b'9') => Some(digit - b'0'),
        Some(digit @ b'A'..=b'F') => Some(digit - b'A' + 10),
        _ => None,
    };
    Some(digit(at)? << 4 | digit(at + 1)?)
}

/// For each byte, whether it is part of a character in UTF-8.
fn text_bytes(name: &[u8]) -> Vec<bool> {
    let mut text = Vec::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        text.resize(text.len() + chunk.valid().len(), true);
        text.resize(text.len() + chunk.invalid().len(), false);
    }
    text
}

/// Whether Windows takes the name for a device's, which it does by what stands before the first dot.
fn is_device(name: &[u8]) -> bool {
    let end = name.iter().position(|byte| *byte == b'.');
    let stem = &name[..end.unwrap_or(name.len())];
    let stem = stem.trim_ascii_end().to_ascii_uppercase();
    match stem.as_slice() {
        b"CON" | b"PRN" | b"AUX" | b"NUL" | b"CONIN$" | b"CONOUT$" => true,
        [b'C', b'O', b'M', rest @ ..] | [b'L', b'P', b'T', rest @ ..] => {
            matches!(
                rest,
                [b'0'..=b'9'] | b"\xc2\xb9" | b"\xc2\xb2" | b"\xc2\xb3"
            )
        }
        _ => false,
    }
}

fn is_first_of_device(byte: u8) -> bool {
    matches!(byte.to_ascii_uppercase(), b'C' | b'P' | b'A' | b'N' | b'L')
}

/// Brings a name that is too long to 255 bytes; `whole` is what it stands for.
fn shorten(escaped: Vec<u8>, whole: &[u8]) -> Vec<u8> {
    if escaped.len() <= LONGEST {
        return escaped;
    }
    let ending = match escaped.iter().rposition(|byte| *byte == b'.') {
        Some(dot) if escaped.len() - dot <= 16 => &escaped[dot..],
        _ => b"",
    };
    let hash = format!("~{:016x}", fnv1a(whole));
    let mut end = LONGEST - hash.len() - ending.len();
    // Neither half of a character nor half of an escape.
    let middle = |at: usize| escaped[at] & 0b1100_0000 == 0b1000_0000;
    for _ in 0..3 {
        if middle(end) {
            end -= 1;
        }
    }
    if let Some(percent) = escaped[end - 2..end].iter().position(|b| *b == b'%') {
        end = end - 2 + percent;
    }
    let mut short = escaped[..end].to_vec();
    short.extend_from_slice(hash.as_bytes());
    short.extend_from_slice(ending);
    short
}

/// FNV-1a with 64 bits. Names that meet by design are found as names that come twice.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

fn error(name: &[u8], why: &'static str) -> NameError {
    NameError {
        text: escape(name, 200),
        why,
    }
}

#[cfg(unix)]
fn os_string(bytes: Vec<u8>) -> Option<OsString> {
    Some(std::os::unix::ffi::OsStringExt::from_vec(bytes))
}

#[cfg(unix)]
fn os_bytes(name: &OsStr) -> Option<&[u8]> {
    Some(std::os::unix::ffi::OsStrExt::as_bytes(name))
}

#[cfg(not(unix))]
fn os_string(bytes: Vec<u8>) -> Option<OsString> {
    String::from_utf8(bytes).ok().map(OsString::from)
}

#[cfg(not(unix))]
fn os_bytes(name: &OsStr) -> Option<&[u8]> {
    name.to_str().map(str::as_bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;
    use std::path::{Component, Path};

    const LINUX: Escapes = Escapes {
        not_text: false,
        windows: false,
    };
    const ALL: Escapes = Escapes {
        not_text: true,
        windows: true,
    };

    fn check(escapes: Escapes, name: &[u8], expected: &str) {
        let escaped = escapes.escape(name);
        let text = String::from_utf8_lossy(&escaped).into_owned();
        assert_eq!(text, expected, "{name:?}");
        assert_eq!(escapes.unescape(&escaped), name, "{expected}");
    }

    #[test]
    fn linux() {
        for (name, expected) in [
            ("a.txt", "a.txt"),
            ("CON", "CON"),
            ("a: b?*. ", "a: b?*. "),
            ("C:\\x", "C:%5Cx"),
            ("\x1b[1m", "%1B[1m"),
            ("50%20off 100%25", "50%20off 100%25"),
            ("a%5Cb", "a%255Cb"),
            ("a%255Cb", "a%25255Cb"),
            ("%", "%"),
            ("%25", "%25"),
            ("%25\\", "%25%5C"),
            ("a%5cb", "a%5cb"),
            ("%0A", "%0A"),
        ] {
            check(LINUX, name.as_bytes(), expected);
        }
        assert_eq!(LINUX.escape(b"\xff"), b"\xff");
    }

    #[test]
    fn everywhere() {
        for (name, expected) in [
            ("a.txt", "a.txt"),
            ("\u{e4}\u{20ac}", "\u{e4}\u{20ac}"),
            ("C:\\x", "C%3A%5Cx"),
            ("a<b>|\"*?", "a%3Cb%3E%7C%22%2A%3F"),
            ("a. .", "a. %2E"),
            ("a ", "a%20"),
            ("a%20", "a%2520"),
            ("a%20b", "a%20b"),
            ("nul", "%6Eul"),
            ("CON .x", "%43ON .x"),
            ("Com1.tar.gz", "%43om1.tar.gz"),
            ("LPT\u{b9}", "%4CPT\u{b9}"),
            ("COM10", "COM10"),
            ("CONSOLE", "CONSOLE"),
            ("%43ON", "%2543ON"),
            ("...", "..%2E"),
        ] {
            check(ALL, name.as_bytes(), expected);
        }
        check(ALL, b"a\xffb\xc3", "a%FFb%C3");
    }

    #[test]
    fn no_names() {
        for bad in ["", ".", "..", "a/b", "/", "a\0", "a\r", "\n"] {
            for rules in [NameRules::Native, NameRules::Portable] {
                assert!(to_local(bad.as_bytes(), rules).is_err(), "{bad:?}");
            }
        }
        // Escapes that we never make lead nowhere either.
        for odd in [".%2E", "%2E", "a%2Fb", "a%0Ab", "a%00"] {
            let back = to_remote(OsStr::new(odd), NameRules::Portable).unwrap();
            assert_eq!(back.as_bytes(), odd.as_bytes());
        }
        assert!(to_remote(OsStr::new("a\nb"), NameRules::Native).is_err());
    }

    #[test]
    fn long_names() {
        let long = |ending: &str| format!("{}{ending}", "\u{e4}".repeat(200));
        let local = |name: &str| {
            let made = to_local(name.as_bytes(), NameRules::Portable).unwrap();
            made.into_string().unwrap()
        };
        let (one, two) = (local(&long("1.html")), local(&long("2.html")));
        assert_ne!(one, two);
        for made in [one, two] {
            assert!(made.len() <= 255 && made.len() > 250, "{}", made.len());
            assert!(made.ends_with(".html") && made.starts_with("\u{e4}\u{e4}"));
            assert_eq!(local(&made), made);
        }
        // What only escaping makes too long, and no escape is cut in two.
        for extra in 0..3 {
            let made = local(&format!("{}{}", "x".repeat(extra), ":".repeat(100)));
            assert!(made.len() <= 255);
            let kept = made.split('~').next().unwrap();
            assert!(kept.trim_start_matches('x').replace("%3A", "").is_empty());
        }
    }

    #[test]
    fn same_files() {
        let same = |a: &str, b: &str, rules| {
            same_file_key(OsStr::new(a), rules) == same_file_key(OsStr::new(b), rules)
        };
        assert!(same("\u{c4}.TXT", "\u{e4}.txt", NameRules::Portable));
        assert!(!same("a", "b", NameRules::Portable));
        #[cfg(target_os = "linux")]
        assert!(!same("A", "a", NameRules::Native));
    }

    /// Everything that the rules speak of, close together.
    const ODD: &str = "([%25CE0AFcon.:\\\\ ~\u{1}\u{e4}]|%25|%5C|%2E|%20|%43|CON|nul){1,8}";

    proptest! {
        #[test]
        fn there_and_back(name: Vec<u8>, odd in ODD, raw in proptest::collection::vec(prop_oneof![Just(b'%'), Just(b'2'), Just(b'5'), Just(b'C'), Just(0x80), Just(0xc3), Just(b'.')], 1..9)) {
            for name in [name.as_slice(), odd.as_bytes(), raw.as_slice()] {
                if Name::try_from(name).is_err() {
                    continue;
                }
                for rules in [NameRules::Native, NameRules::Portable] {
                    let local = to_local(name, rules).unwrap();
                    let mut parts = Path::new(&local).components();
                    prop_assert!(matches!(parts.next(), Some(Component::Normal(part)) if part == local.as_os_str()));
                    prop_assert!(parts.next().is_none());
                    prop_assert!(local.len() <= LONGEST);
                    let back = to_remote(&local, rules).unwrap();
                    prop_assert_eq!(back.as_bytes(), name);
                    prop_assert_eq!(to_local(back.as_bytes(), rules).unwrap(), local);
                }
            }
        }

        #[test]
        fn portable_names_are_names_everywhere(name: Vec<u8>, odd in ODD, long in "[\u{e4}%:.a]{200,300}") {
            for name in [name.as_slice(), odd.as_bytes(), long.as_bytes()] {
                let Ok(local) = to_local(name, NameRules::Portable) else {
                    prop_assert!(Name::try_from(name).is_err());
                    continue;
                };
                let text = local.to_str().unwrap();
                prop_assert!(text.len() <= LONGEST);
                prop_assert!(!text.contains(|c: char| c.is_ascii_control() || "/\\:*?\"<>|".contains(c)));
                prop_assert!(!text.ends_with(['.', ' ']));
                prop_assert!(!is_device(text.as_bytes()));
            }
        }
    }
}
