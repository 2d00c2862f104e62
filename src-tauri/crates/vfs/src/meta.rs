//! What is known about a file.

use jiff::Timestamp;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// A symbolic link (only where links aren't followed).
    Symlink,
    /// A device, a socket, a pipe.
    Other,
}

/// Facts of one file or directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// What it is.
    pub kind: FileKind,
    /// Size in bytes; of a directory whatever the backend says.
    pub len: u64,
    /// Last modification, where known.
    pub modified: Option<Timestamp>,
    /// Permission bits, `0..=0o7777`.
    pub mode: u32,
    /// Owner's number (0 where the system has none).
    pub uid: u32,
    /// Group's number (0 where the system has none).
    pub gid: u32,
    /// Number of hard links, at least 1.
    pub links: u64,
    /// Two numbers that are the same for two names of the same file, where the backend has them (device, inode).
    pub id: Option<(u64, u64)>,
    /// What a symbolic link says, as it stands in the link. Never a path to trust.
    pub target: Option<Vec<u8>>,
}

impl Metadata {
    /// Whether it is a directory.
    pub fn is_dir(&self) -> bool {
        self.kind == FileKind::Dir
    }

    /// Whether it is a regular file.
    pub fn is_file(&self) -> bool {
        self.kind == FileKind::File
    }
}

/// One entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirEntry {
    /// One path component, as bytes.
    pub name: Vec<u8>,
    /// Its facts; a link is not followed.
    pub metadata: Metadata,
}
