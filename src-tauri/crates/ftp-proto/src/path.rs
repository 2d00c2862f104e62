use std::{borrow::Cow, fmt};

use crate::{Argument, ArgumentError, argument, escape};

/// A path on the server: bytes first, with `/` between the components.
///
/// It is sent as it is: blanks at either end belong to it (RFC 3659 section 2.2).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RemotePath(Vec<u8>);

impl RemotePath {
    /// The top, `/`.
    #[must_use]
    pub fn root() -> Self {
        Self(b"/".to_vec())
    }

    /// The empty path: the working directory, wherever that is.
    #[must_use]
    pub const fn here() -> Self {
        Self(Vec::new())
    }

    /// The path as it is sent.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The path as text, what is no UTF-8 replaced: for people, never for sending.
    #[must_use]
    pub fn to_string_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }

    /// True where it begins with `/`.
    #[must_use]
    pub fn is_absolute(&self) -> bool {
        self.0.starts_with(b"/")
    }

    /// True for `/`, however many slashes it has.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.is_absolute() && self.components().next().is_none()
    }

    /// The parts between the slashes, without empty ones.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.0
            .split(|byte| *byte == b'/')
            .filter(|part| !part.is_empty())
    }

    /// The entry `name` of this folder.
    #[must_use]
    pub fn join(&self, name: &Name) -> Self {
        let mut bytes = self.0.clone();
        if !bytes.is_empty() && !bytes.ends_with(b"/") {
            bytes.push(b'/');
        }
        bytes.extend_from_slice(&name.0);
        Self(bytes)
    }

    /// `other` seen from this folder: itself if it is absolute.
    #[must_use]
    pub fn join_path(&self, other: &Self) -> Self {
        if other.is_absolute() || self.0.is_empty() {
            return other.clone();
        }
        let mut bytes = self.0.clone();
        if !other.0.is_empty() {
            if !bytes.ends_with(b"/") {
                bytes.push(b'/');
            }
            bytes.extend_from_slice(&other.0);
        }
        Self(bytes)
    }

    /// The folder that holds it: `None` at the top, and for a relative path of one part.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let end = self.0.iter().rposition(|byte| *byte != b'/')? + 1;
        let slash = self.0[..end].iter().rposition(|byte| *byte == b'/')?;
        let keep = self.0[..slash]
            .iter()
            .rposition(|byte| *byte != b'/')
            .map_or(1, |last| last + 1);
        Some(Self(self.0[..keep].to_vec()))
    }

    /// The last part, `None` at the top.
    #[must_use]
    pub fn file_name(&self) -> Option<&[u8]> {
        self.components().next_back()
    }

    /// Without `.` and `..` and doubled slashes, by the letters alone: `..` at the top stays at the top. A relative
    /// path keeps its leading `..`.
    #[must_use]
    pub fn normalized(&self) -> Self {
        let absolute = self.is_absolute();
        let mut parts: Vec<&[u8]> = Vec::new();
        for part in self.components() {
            match part {
                b"." => {}
                b".." => match parts.last() {
                    Some(last) if *last != b".." => {
                        parts.pop();
                    }
                    _ if absolute => {}
                    _ => parts.push(part),
                },
                part => parts.push(part),
            }
        }
        let mut bytes = if absolute { b"/".to_vec() } else { Vec::new() };
        bytes.extend_from_slice(&parts.join(&b'/'));
        Self(bytes)
    }
}

impl TryFrom<Vec<u8>> for RemotePath {
    type Error = ArgumentError;
    fn try_from(bytes: Vec<u8>) -> Result<Self, ArgumentError> {
        argument::check(&bytes).map(|()| Self(bytes))
    }
}

impl TryFrom<&[u8]> for RemotePath {
    type Error = ArgumentError;
    fn try_from(bytes: &[u8]) -> Result<Self, ArgumentError> {
        Self::try_from(bytes.to_vec())
    }
}

impl TryFrom<&str> for RemotePath {
    type Error = ArgumentError;
    fn try_from(text: &str) -> Result<Self, ArgumentError> {
        Self::try_from(text.as_bytes())
    }
}

impl From<&RemotePath> for Argument {
    fn from(path: &RemotePath) -> Self {
        // A path refuses the same bytes.
        Self::try_from(path.0.clone()).expect("a path is an argument")
    }
}

impl fmt::Display for RemotePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escape(&self.0, usize::MAX))
    }
}

impl fmt::Debug for RemotePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// One component of a path: not empty, not `.` or `..`, without `/`, NUL, CR and LF.
///
/// A server's listing names entries; only what passes here may be joined to a path.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Vec<u8>);

/// A name that is no single component.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is no name of a file: {why}")]
pub struct NameError {
    /// The name, escaped.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl Name {
    /// The bytes as the server has them.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// As text, what is no UTF-8 replaced: for people only.
    #[must_use]
    pub fn to_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }

    /// True where the bytes are UTF-8.
    #[must_use]
    pub fn is_utf8(&self) -> bool {
        std::str::from_utf8(&self.0).is_ok()
    }

    /// As a name on this computer, where it is one there too.
    ///
    /// # Errors
    /// Names that another system would take for a path (`C:\x`, `a\b`), control characters, and, where the
    /// system wants text, bytes that are none.
    pub fn to_local(&self) -> Result<std::ffi::OsString, NameError> {
        if self.0.contains(&b'\\') {
            return Err(name_error(&self.0, "it holds a backslash"));
        }
        // Elsewhere a colon is a letter like any other.
        if let [letter, b':', ..] = self.0.as_slice()
            && cfg!(windows)
            && letter.is_ascii_alphabetic()
        {
            return Err(name_error(&self.0, "it begins with a drive letter"));
        }
        if self.0.iter().any(u8::is_ascii_control) {
            return Err(name_error(&self.0, "it holds a control character"));
        }
        #[cfg(unix)]
        {
            use std::os::unix::ffi::OsStringExt as _;
            Ok(std::ffi::OsString::from_vec(self.0.clone()))
        }
        #[cfg(not(unix))]
        {
            String::from_utf8(self.0.clone())
                .map(std::ffi::OsString::from)
                .map_err(|_| name_error(&self.0, "it is no text"))
        }
    }
}

fn name_error(bytes: &[u8], why: &'static str) -> NameError {
    NameError {
        text: escape(bytes, 200),
        why,
    }
}

impl TryFrom<&[u8]> for Name {
    type Error = NameError;
    fn try_from(bytes: &[u8]) -> Result<Self, NameError> {
        let why = match bytes {
            b"" => "it is empty",
            b"." | b".." => "it means a folder",
            bytes if bytes.contains(&b'/') => "it holds a slash",
            bytes if argument::check(bytes).is_err() => "it holds CR, LF or NUL",
            _ => return Ok(Self(bytes.to_vec())),
        };
        Err(name_error(bytes, why))
    }
}

impl TryFrom<Vec<u8>> for Name {
    type Error = NameError;
    fn try_from(bytes: Vec<u8>) -> Result<Self, NameError> {
        Self::try_from(bytes.as_slice())
    }
}

impl TryFrom<&str> for Name {
    type Error = NameError;
    fn try_from(text: &str) -> Result<Self, NameError> {
        Self::try_from(text.as_bytes())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escape(&self.0, usize::MAX))
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(text: &str) -> RemotePath {
        RemotePath::try_from(text).unwrap()
    }

    #[test]
    fn parents_and_names() {
        for (whole, parent, name) in [
            ("/a/b", Some("/a"), Some("b")),
            ("/a/b/", Some("/a"), Some("b")),
            ("/a", Some("/"), Some("a")),
            ("//a", Some("/"), Some("a")),
            ("a//b", Some("a"), Some("b")),
            ("a", None, Some("a")),
            ("/", None, None),
            ("", None, None),
            ("/a/ b ", Some("/a"), Some(" b ")),
        ] {
            assert_eq!(path(whole).parent(), parent.map(path), "{whole}");
            assert_eq!(path(whole).file_name(), name.map(str::as_bytes), "{whole}");
        }
    }

    #[test]
    fn joining() {
        let name = Name::try_from("x").unwrap();
        assert_eq!(path("/").join(&name), path("/x"));
        assert_eq!(path("/a").join(&name), path("/a/x"));
        assert_eq!(path("").join(&name), path("x"));
        assert_eq!(path("/a").join_path(&path("b/c")), path("/a/b/c"));
        assert_eq!(path("/a").join_path(&path("/b")), path("/b"));
    }

    #[test]
    fn normalizing_stays_inside() {
        for (from, to) in [
            ("/a/../../b", "/b"),
            ("/../..", "/"),
            ("/a/./b//c/..", "/a/b"),
            ("../a", "../a"),
            ("a/..", ""),
        ] {
            assert_eq!(path(from).normalized(), path(to), "{from}");
        }
    }

    #[test]
    fn names_that_are_paths_are_none() {
        for bad in [
            "",
            ".",
            "..",
            "a/b",
            "/etc/passwd",
            "../../evil",
            "a\0b",
            "a\nb",
        ] {
            assert!(Name::try_from(bad).is_err(), "{bad:?}");
        }
        for bad in ["C:\\x", "a\\b", "a\tb"] {
            assert!(Name::try_from(bad).unwrap().to_local().is_err(), "{bad:?}");
        }
        for good in ["a", " a ", "...", "a:b", "ä", "-rf"] {
            assert_eq!(Name::try_from(good).unwrap().to_local().unwrap(), good);
        }
    }

    proptest! {
        #[test]
        fn a_normalized_absolute_path_has_no_dots(text in "/[a./]{0,20}") {
            let normal = path(&text).normalized();
            prop_assert!(normal.is_absolute());
            prop_assert!(normal.components().all(|part| part != b"." && part != b".."));
        }

        #[test]
        fn a_name_joined_is_the_last_part(bytes: Vec<u8>, base in "/[a/]{0,9}") {
            if let Ok(name) = Name::try_from(bytes) {
                let joined = path(&base).join(&name);
                prop_assert_eq!(joined.file_name(), Some(name.as_bytes()));
            }
        }
    }
}
