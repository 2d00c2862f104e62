//! Typed errors of the path layer.

use std::io;

/// What went wrong, to match on. The text and the source are for people.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct VfsError {
    kind: VfsErrorKind,
    message: String,
    #[source]
    source: Option<io::Error>,
}

/// The kinds of [`VfsError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VfsErrorKind {
    /// There is nothing at the path.
    NotFound,
    /// The name is taken.
    Exists,
    /// A component of the path, or the path, should be a directory and isn't.
    NotDir,
    /// The path is a directory, and shouldn't be.
    IsDir,
    /// The directory has entries.
    NotEmpty,
    /// Not allowed: permissions of the system, a read-only tree, or a way out of the tree.
    Denied,
    /// No room: the disk, a quota, or the bound of a tree in memory.
    Full,
    /// The name can't exist here: NUL in it, too long, or not representable on this system.
    NameInvalid,
    /// A symbolic link is in the way, in a tree that follows none ([`Vfs::without_links`](crate::Vfs::without_links)).
    Link,
    /// An offset beyond the end of the file.
    Range,
    /// The backend can't do this.
    Unsupported,
    /// Anything else that the system said.
    Io,
}

/// The result of every operation of this crate.
pub type Result<T, E = VfsError> = std::result::Result<T, E>;

impl VfsError {
    /// An error with a text of the backend's own.
    pub fn new(kind: VfsErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
        }
    }

    /// What kind of error it is.
    pub fn kind(&self) -> VfsErrorKind {
        self.kind
    }
}

impl From<VfsErrorKind> for VfsError {
    fn from(kind: VfsErrorKind) -> Self {
        Self::new(kind, kind.text())
    }
}

impl From<io::Error> for VfsError {
    fn from(source: io::Error) -> Self {
        use io::ErrorKind as E;
        let kind = match source.kind() {
            E::NotFound => VfsErrorKind::NotFound,
            E::AlreadyExists => VfsErrorKind::Exists,
            E::NotADirectory => VfsErrorKind::NotDir,
            E::IsADirectory => VfsErrorKind::IsDir,
            E::DirectoryNotEmpty => VfsErrorKind::NotEmpty,
            E::PermissionDenied | E::ReadOnlyFilesystem => VfsErrorKind::Denied,
            E::StorageFull | E::QuotaExceeded | E::FileTooLarge => VfsErrorKind::Full,
            E::InvalidFilename | E::InvalidInput => VfsErrorKind::NameInvalid,
            E::Unsupported => VfsErrorKind::Unsupported,
            _ => VfsErrorKind::Io,
        };
        Self {
            kind,
            message: kind.text().to_owned(),
            source: Some(source),
        }
    }
}

impl VfsErrorKind {
    /// A short text that gives nothing of the host away: fit for a stranger's eyes.
    pub fn text(self) -> &'static str {
        match self {
            Self::NotFound => "no such file or directory",
            Self::Exists => "the name is already taken",
            Self::NotDir => "not a directory",
            Self::IsDir => "is a directory",
            Self::NotEmpty => "the directory is not empty",
            Self::Denied => "permission denied",
            Self::Full => "no space left",
            Self::NameInvalid => "the name is not allowed",
            Self::Link => "a symbolic link is in the way",
            Self::Range => "the offset is beyond the end of the file",
            Self::Unsupported => "not supported here",
            Self::Io => "file system error",
        }
    }
}
