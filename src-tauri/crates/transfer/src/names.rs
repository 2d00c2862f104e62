//! Names that this system (or any other) can't have, as names that it can, and back.
//!
//! A byte that may not stand where it stands becomes `%` and two capital hexadecimal digits. What would read like such an
//! escape, but is one of the name's own letters, gets its `%` escaped, and nothing else does: `50%20off` stays as it is,
//! because a blank is escaped at the end of a name only. A character of several bytes is escaped as a whole (`%E2%80%AE`), and
//! only the whole of it reads like an escape.
//!
//! | rules | escaped |
//! |--|--|
//! | Linux and the like | control characters, the marks that turn text around, and `\` (harmless here, but a path to others) |
//! | macOS | those, and bytes that are no UTF-8 |
//! | Windows, and [`NameRules::Portable`] | those, `: * ? " < > \|`, a dot or blank at the end, and the first letter of a device's name (`CON`, `com1.txt`) |
//!
//! A name that has more than 255 bytes after that can't be kept: it becomes its beginning, `~`, a hash of the whole and its
//! ending. That one can't be undone, so whoever compares both sides compares the local forms.

use std::ffi::{OsStr, OsString};

use ftp_client::ftp_proto::{Charset, Name, NameError, escape};

use crate::{NameRules, Options};

/// No local name is longer (bytes; Windows counts otherwise, but not more strictly).
const LONGEST: usize = 255;

/// How names are carried from one side to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Naming {
    /// What local names may be.
    pub rules: NameRules,
    /// How the server's names are text. With [`Charset::AUTO`] they are taken byte for byte.
    pub charset: Charset,
}

impl From<NameRules> for Naming {
    fn from(rules: NameRules) -> Self {
        Self {
            rules,
            charset: Charset::AUTO,
        }
    }
}

impl From<&Options> for Naming {
    fn from(options: &Options) -> Self {
        Self {
            rules: options.names,
            charset: options.charset,
        }
    }
}

/// The local name for a name on a server, which is taken from a listing as it came. It has no separator in it, is
/// neither empty nor `.` nor `..`, and has at most 255 bytes.
///
/// In a charset that a person has chosen, it is the text that the bytes mean there; bytes that would not come back from it
/// as they are stay bytes.
///
/// # Errors
/// What is no name of a file at all: empty, `.`, `..`, or with `/`, NUL, CR or LF in it.
pub fn to_local(name: &[u8], naming: Naming) -> Result<OsString, NameError> {
    let name = Name::try_from(name)?;
    let text = decoded(name.as_bytes(), naming.charset);
    // A charset of several bytes a character can't make a separator of them, but a name is checked as what it becomes.
    let name = match text {
        Some(text) => Name::try_from(text.as_str())?,
        None => name,
    };
    let escapes = Escapes::of(naming.rules);
    let escaped = shorten(escapes.escape(name.as_bytes()), name.as_bytes());
    os_string(escaped).ok_or_else(|| error(name.as_bytes(), "it is no text"))
}

/// The name on a server for a local name: what [`to_local`] has escaped is itself again.
///
/// # Errors
/// A name that FTP can't carry (CR, LF), one that is no text where the system has only text, and one that the server's charset
/// doesn't have.
pub fn to_remote(name: &OsStr, naming: Naming) -> Result<Name, NameError> {
    let Some(bytes) = os_bytes(name) else {
        let text = name.to_string_lossy();
        return Err(error(text.as_bytes(), "it is no text"));
    };
    // What unescapes to no name was never escaped by us.
    let name = match Name::try_from(Escapes::of(naming.rules).unescape(bytes)) {
        Ok(name) => name,
        Err(_) => Name::try_from(bytes)?,
    };
    if naming.charset.is_utf8() {
        return Ok(name);
    }
    // Bytes that are no text are the server's own, from a name that could not be decoded.
    let Ok(text) = std::str::from_utf8(name.as_bytes()) else {
        return Ok(name);
    };
    match naming.charset.encode(text) {
        Ok(bytes) => Name::try_from(bytes.as_ref()),
        Err(_) => Err(error(
            text.as_bytes(),
            "it has a character that the server's charset doesn't have",
        )),
    }
}

/// The text of a name, where it leads back to the same bytes.
fn decoded(name: &[u8], charset: Charset) -> Option<String> {
    if charset.is_utf8() || name.is_ascii() {
        return None;
    }
    let text = charset.decode(name);
    let back = charset.encode(&text).ok()?;
    (back.as_ref() == name).then(|| text.into_owned())
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
        // Up to here it is a character that fools readers.
        let mut fools = 0;
        for (at, &byte) in name.iter().enumerate() {
            if let Some(length) = fooling(|next| name.get(at + next).copied()) {
                fools = at + length;
            }
            let bad = self.never(byte)
                || at < fools
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
                    let length = fooling(|next| pair(name, at + 3 * next));
                    out.push(byte);
                    for next in 1..length.unwrap_or(1) {
                        out.extend(pair(name, at + 3 * next));
                    }
                    at += 3 * length.unwrap_or(1);
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
        let fools = fooling(|next| match next {
            0 => Some(byte),
            _ => pair(name, digits + 3 * next),
        });
        self.never(byte)
            || fools.is_some()
            || (self.not_text && byte >= 0x80)
            || (self.windows
                && ((matches!(byte, b'.' | b' ') && digits + 3 == name.len())
                    || (at == 0 && is_first_of_device(byte))))
    }
}

/// The byte that `%XX` at this place stands for, with capital digits as they are written here.
fn pair(name: &[u8], at: usize) -> Option<u8> {
    let percent = name.get(at).filter(|byte| **byte == b'%');
    percent.and_then(|_| pair_at(name, at + 1))
}

/// How many bytes the character has that begins here, if it is one that makes a name read as another one: a control
/// character beyond ASCII, or a mark that turns text around. No other character has its bytes within it.
fn fooling(byte: impl Fn(usize) -> Option<u8>) -> Option<usize> {
    match (byte(0)?, byte(1)?) {
        // U+0080 to U+009F
        (0xc2, 0x80..=0x9f) => Some(2),
        // U+200E, U+200F, U+202A to U+202E
        (0xe2, 0x80) if matches!(byte(2)?, 0x8e | 0x8f | 0xaa..=0xae) => Some(3),
        // U+2066 to U+2069
        (0xe2, 0x81) if matches!(byte(2)?, 0xa6..=0xa9) => Some(3),
        _ => None,
    }
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
mod tests;
