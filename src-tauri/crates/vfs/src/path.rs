//! Paths inside a tree.

use std::fmt;

use crate::{Result, VfsError, VfsErrorKind};

/// The longest path in bytes, and so a bound of its depth.
pub const MAX_PATH_BYTES: usize = 4095;

/// An absolute, normalised path of bytes: starts with `/`, has no empty, `.` or `..` component, no NUL, no `/` at the end
/// (but for the root itself), and is at most [`MAX_PATH_BYTES`] long.
///
/// `..` is taken lexically and stops at the root, as FTP servers have always done it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VPath(Vec<u8>);

impl VPath {
    /// `/`.
    pub fn root() -> Self {
        Self(vec![b'/'])
    }

    /// Reads a path; a relative one starts at the root.
    ///
    /// # Errors
    /// `NameInvalid` for NUL or a path that is too long.
    pub fn new(path: impl AsRef<[u8]>) -> Result<Self> {
        Self::root().join(path)
    }

    /// This path with `path` applied: an absolute one replaces it.
    ///
    /// # Errors
    /// `NameInvalid` for NUL or a result that is too long.
    pub fn join(&self, path: impl AsRef<[u8]>) -> Result<Self> {
        let path = path.as_ref();
        if path.contains(&0) {
            return Err(VfsErrorKind::NameInvalid.into());
        }
        let mut out = if path.first() == Some(&b'/') {
            Vec::with_capacity(path.len())
        } else {
            let mut own = self.0.clone();
            if own.len() == 1 {
                own.clear();
            }
            own
        };
        for part in path.split(|b| *b == b'/') {
            match part {
                b"" | b"." => {}
                b".." => out.truncate(out.iter().rposition(|b| *b == b'/').unwrap_or(0)),
                name => {
                    if out.len() + 1 + name.len() > MAX_PATH_BYTES {
                        return Err(VfsError::new(
                            VfsErrorKind::NameInvalid,
                            "the path is too long",
                        ));
                    }
                    out.push(b'/');
                    out.extend_from_slice(name);
                }
            }
        }
        if out.is_empty() {
            out.push(b'/');
        }
        Ok(Self(out))
    }

    /// The bytes, with the leading `/`.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether this is `/`.
    pub fn is_root(&self) -> bool {
        self.0.len() == 1
    }

    /// The components from the root on.
    pub fn components(&self) -> impl Iterator<Item = &[u8]> {
        self.0[1..].split(|b| *b == b'/').filter(|c| !c.is_empty())
    }

    /// The directory this lies in; none for the root.
    pub fn parent(&self) -> Option<VPath> {
        if self.is_root() {
            return None;
        }
        let cut = self.0.iter().rposition(|b| *b == b'/').unwrap_or(0);
        Some(if cut == 0 {
            Self::root()
        } else {
            Self(self.0[..cut].to_vec())
        })
    }

    /// The last component; none for the root.
    pub fn file_name(&self) -> Option<&[u8]> {
        self.components().last()
    }

    /// Whether `self` is `other` or lies below it.
    pub fn starts_with(&self, other: &VPath) -> bool {
        other.is_root()
            || self.0 == other.0
            || (self.0.len() > other.0.len()
                && self.0.starts_with(&other.0)
                && self.0[other.0.len()] == b'/')
    }

    /// The path relative to the root, for the system's own calls (`.` for the root).
    ///
    /// # Errors
    /// `NameInvalid` where a component can't be one name on this system (on Windows: not UTF-8, or with `\`, `:` and so on).
    pub fn to_relative(&self) -> Result<std::path::PathBuf> {
        if self.is_root() {
            return Ok(".".into());
        }
        let mut out = std::path::PathBuf::new();
        for component in self.components() {
            out.push(component_to_os(component)?);
        }
        Ok(out)
    }
}

impl fmt::Display for VPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl fmt::Debug for VPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VPath({self})")
    }
}

#[cfg(unix)]
fn component_to_os(component: &[u8]) -> Result<&std::ffi::OsStr> {
    use std::os::unix::ffi::OsStrExt;
    Ok(std::ffi::OsStr::from_bytes(component))
}

#[cfg(not(unix))]
fn component_to_os(component: &[u8]) -> Result<&std::ffi::OsStr> {
    // One name here must be one name there: no separators, drives, streams or wildcards.
    match std::str::from_utf8(component) {
        Ok(name) if !name.contains(|c: char| c.is_control() || "\\:*?\"<>|".contains(c)) => {
            Ok(name.as_ref())
        }
        _ => Err(VfsErrorKind::NameInvalid.into()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn path(text: &str) -> String {
        VPath::new(text).unwrap().to_string()
    }

    #[test]
    fn normalises_and_stops_at_the_root() {
        assert_eq!(path(""), "/");
        assert_eq!(path("a/b"), "/a/b");
        assert_eq!(path("//a//./b/"), "/a/b");
        assert_eq!(path("../../.."), "/");
        assert_eq!(path("/a/../b/.."), "/");
        assert_eq!(path("/a/../../b"), "/b");
        assert_eq!(path("..."), "/...");
    }

    #[test]
    fn joins_relative_and_absolute() {
        let a = VPath::new("/a/b").unwrap();
        assert_eq!(a.join("c").unwrap().as_bytes(), b"/a/b/c");
        assert_eq!(a.join("../c").unwrap().as_bytes(), b"/a/c");
        assert_eq!(a.join("/c").unwrap().as_bytes(), b"/c");
        assert_eq!(a.join("").unwrap(), a);
        assert_eq!(a.parent().unwrap().as_bytes(), b"/a");
        assert_eq!(a.parent().unwrap().parent().unwrap(), VPath::root());
        assert_eq!(VPath::root().parent(), None);
        assert_eq!(a.file_name(), Some(&b"b"[..]));
        assert_eq!(VPath::root().file_name(), None);
    }

    #[test]
    fn refuses_nul_and_too_long() {
        assert_eq!(
            VPath::new("a\0b").unwrap_err().kind(),
            VfsErrorKind::NameInvalid
        );
        assert!(VPath::new("a".repeat(MAX_PATH_BYTES - 1)).is_ok());
        assert!(VPath::new("a".repeat(MAX_PATH_BYTES)).is_err());
        assert!(VPath::new("a/".repeat(3000)).is_err());
        assert!(VPath::new("a/../".repeat(30_000)).is_ok());
    }

    #[test]
    fn starts_with_goes_by_components() {
        let foo = VPath::new("/foo").unwrap();
        assert!(VPath::new("/foo/x").unwrap().starts_with(&foo));
        assert!(foo.starts_with(&foo) && foo.starts_with(&VPath::root()));
        assert!(!VPath::new("/foobar").unwrap().starts_with(&foo));
    }

    proptest! {
        #[test]
        fn always_normal(base in proptest::collection::vec(1u8..=255, 0..40), more in proptest::collection::vec(prop_oneof![Just(b'/'), Just(b'.'), 1u8..=255], 0..60)) {
            let joined = VPath::new(&base).unwrap().join(&more).unwrap();
            prop_assert_eq!(joined.as_bytes()[0], b'/');
            prop_assert!(joined.components().all(|c| c != b".." && c != b"."));
            prop_assert!(joined.is_root() || joined.as_bytes().last() != Some(&b'/'));
            prop_assert_eq!(VPath::new(joined.as_bytes()).unwrap(), joined);
        }
    }
}
