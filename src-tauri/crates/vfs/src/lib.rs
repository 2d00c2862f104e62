//! The path layer: one trait, [`Vfs`], with a local disk that can't be left ([`LocalDisk`]) and a tree in memory ([`MemoryTree`]); and wrappers
//! around any tree: one that refuses every change ([`ReadOnly`]), one that shows a directory as the whole ([`Subtree`]), and one that goes by
//! permissions ([`Guarded`]).
//!
//! Paths are [`VPath`]: absolute, normalised, bytes. A backend never sees `.` or `..`.
//! Nothing here knows of FTP, and nothing blocks the thread that awaits it.
#![warn(missing_docs)]

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod disk;
mod error;
mod guarded;
mod links;
mod memory;
mod meta;
mod path;
mod read_only;
mod subtree;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use jiff::Timestamp;

pub use disk::LocalDisk;
pub use error::{Result, VfsError, VfsErrorKind};
pub use guarded::{Guarded, Permission};
pub use memory::{Clock, MemoryTree};
pub use meta::{DirEntry, FileKind, Metadata};
pub use path::{MAX_PATH_BYTES, VPath};
pub use read_only::ReadOnly;
pub use subtree::Subtree;

/// Bytes that one read or write moves at a time: large enough that a hop to a blocking thread costs nothing beside it.
pub const CHUNK: usize = 256 * 1024;

/// The most entries in one batch of a [`Listing`].
pub const LIST_BATCH: usize = 512;

/// A directory's entries, a batch at a time, in no particular order, without `.` and `..`.
///
/// A batch is never empty and has at most [`LIST_BATCH`] entries. The stream ends after an error.
pub type Listing = BoxStream<'static, Result<Vec<DirEntry>>>;

/// How [`Vfs::open_write`] treats what is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteMode {
    /// Create the file, or cut an existing one to nothing: at the first byte or at [`VfsWrite::finish`], so that a writer
    /// that is dropped before leaves the old file as it was.
    Truncate,
    /// Create the file; it is an error ([`VfsErrorKind::Exists`]) if the name is taken.
    CreateNew,
    /// Create the file if there is none; write after its last byte.
    Append,
    /// Write from this byte on and keep what lies before and behind. The offset may not be beyond the end of the file
    /// ([`VfsErrorKind::Range`]); offset 0 creates a file that isn't there.
    At(u64),
}

/// What may be done with a path, as far as a tree knows beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Its facts may be known, and it may be read or listed.
    pub read: bool,
    /// It may be changed, made or removed.
    pub write: bool,
}

impl Access {
    /// Everything.
    pub const ALL: Self = Self {
        read: true,
        write: true,
    };
    /// Nothing.
    pub const NONE: Self = Self {
        read: false,
        write: false,
    };

    /// What both allow.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            read: self.read && other.read,
            write: self.write && other.write,
        }
    }
}

/// A tree of files and directories.
///
/// Object safe, and meant to be shared as `Arc<dyn Vfs>` by every session of a server. Every operation takes the path
/// as it is at that moment; none keeps a lock between calls.
#[async_trait]
pub trait Vfs: Send + Sync + 'static {
    /// What the path leads to; a symbolic link is followed.
    ///
    /// # Errors
    /// `NotFound` also for a link that leads nowhere, `Denied` for one that leads out of the tree.
    async fn metadata(&self, path: &VPath) -> Result<Metadata>;

    /// What stands at the path; a symbolic link as its last component is not followed.
    async fn symlink_metadata(&self, path: &VPath) -> Result<Metadata>;

    /// Lists a directory. Symbolic links in it are described, not followed.
    ///
    /// # Errors
    /// `NotDir` if the path is something else.
    async fn list(&self, path: &VPath) -> Result<Listing>;

    /// Opens a file for reading from `offset` on.
    ///
    /// # Errors
    /// `IsDir`; `Range` if `offset` is beyond the end of the file (the end itself is allowed, and gives nothing).
    async fn open_read(&self, path: &VPath, offset: u64) -> Result<Box<dyn VfsRead>>;

    /// Opens a file for writing. The directory that it lies in must exist.
    async fn open_write(&self, path: &VPath, mode: WriteMode) -> Result<Box<dyn VfsWrite>>;

    /// Creates one directory.
    ///
    /// # Errors
    /// `Exists` if the name is taken, `NotFound` if the parent isn't there.
    async fn mkdir(&self, path: &VPath) -> Result<()>;

    /// Removes one empty directory.
    async fn rmdir(&self, path: &VPath) -> Result<()>;

    /// Removes one file or link (never what the link leads to).
    ///
    /// # Errors
    /// `IsDir` for a directory.
    async fn unlink(&self, path: &VPath) -> Result<()>;

    /// Renames or moves. A file at `to` is replaced in one step; a directory at `to` must be empty, and only a directory
    /// replaces it.
    async fn rename(&self, from: &VPath, to: &VPath) -> Result<()>;

    /// Sets the time of last modification.
    async fn set_modified(&self, path: &VPath, modified: Timestamp) -> Result<()>;

    /// Sets the permission bits (`mode & 0o7777`).
    async fn set_permissions(&self, path: &VPath, mode: u32) -> Result<()>;

    /// Whether every change is refused, so that nobody need be offered one.
    fn is_read_only(&self) -> bool {
        false
    }

    /// What may be done with this path, so that nobody need be offered what would be refused. Not a promise: the system may refuse more.
    fn may(&self, path: &VPath) -> Access {
        let _ = path;
        Access {
            read: true,
            write: !self.is_read_only(),
        }
    }

    /// What may be done with everything below this directory, where that is the same for all of it; none: [`may`](Self::may) tells for each.
    fn may_below(&self, path: &VPath) -> Option<Access> {
        Some(self.may(path))
    }

    /// The same tree without following links: an operation fails with [`VfsErrorKind::Link`] where it would have followed one, anywhere in a path.
    /// Wrappers that decide by paths stand on it, since a link leads past them otherwise.
    ///
    /// None, as here: this tree never follows one. A backend that does **must** have this method.
    fn without_links(&self) -> Option<Arc<dyn Vfs>> {
        None
    }

    /// Bytes that could still be written under `path`, where the backend knows.
    async fn available(&self, path: &VPath) -> Result<Option<u64>> {
        let _ = path;
        Ok(None)
    }
}

/// An open file, being read.
#[async_trait]
pub trait VfsRead: Send {
    /// The next bytes: at most `max`, at least one, none only at the end of the file.
    ///
    /// Not cancel safe: after dropping the future the position is unknown, and the reader should be dropped too.
    async fn read_chunk(&mut self, max: usize) -> Result<Bytes>;

    /// Bytes from the position of opening to the end, as the file was when it was opened.
    fn remaining(&self) -> u64;

    /// The file itself, positioned at the next byte, for copy loops of the system (`sendfile`).
    fn as_file(&self) -> Option<&std::fs::File> {
        None
    }
}

/// An open file, being written. Dropping it keeps what was written so far.
#[async_trait]
pub trait VfsWrite: Send {
    /// Writes all of `chunk`.
    ///
    /// Not cancel safe: after dropping the future an unknown part was written.
    async fn write_chunk(&mut self, chunk: Bytes) -> Result<()>;

    /// Everything was written: hand it over. Errors that the backend kept back come out here.
    async fn finish(&mut self) -> Result<()>;

    /// The file itself, positioned where the next byte goes.
    fn as_file(&self) -> Option<&std::fs::File> {
        None
    }
}

#[async_trait]
impl<V: Vfs + ?Sized> Vfs for Arc<V> {
    async fn metadata(&self, path: &VPath) -> Result<Metadata> {
        (**self).metadata(path).await
    }
    async fn symlink_metadata(&self, path: &VPath) -> Result<Metadata> {
        (**self).symlink_metadata(path).await
    }
    async fn list(&self, path: &VPath) -> Result<Listing> {
        (**self).list(path).await
    }
    async fn open_read(&self, path: &VPath, offset: u64) -> Result<Box<dyn VfsRead>> {
        (**self).open_read(path, offset).await
    }
    async fn open_write(&self, path: &VPath, mode: WriteMode) -> Result<Box<dyn VfsWrite>> {
        (**self).open_write(path, mode).await
    }
    async fn mkdir(&self, path: &VPath) -> Result<()> {
        (**self).mkdir(path).await
    }
    async fn rmdir(&self, path: &VPath) -> Result<()> {
        (**self).rmdir(path).await
    }
    async fn unlink(&self, path: &VPath) -> Result<()> {
        (**self).unlink(path).await
    }
    async fn rename(&self, from: &VPath, to: &VPath) -> Result<()> {
        (**self).rename(from, to).await
    }
    async fn set_modified(&self, path: &VPath, modified: Timestamp) -> Result<()> {
        (**self).set_modified(path, modified).await
    }
    async fn set_permissions(&self, path: &VPath, mode: u32) -> Result<()> {
        (**self).set_permissions(path, mode).await
    }
    fn is_read_only(&self) -> bool {
        (**self).is_read_only()
    }
    fn may(&self, path: &VPath) -> Access {
        (**self).may(path)
    }
    fn may_below(&self, path: &VPath) -> Option<Access> {
        (**self).may_below(path)
    }
    fn without_links(&self) -> Option<Arc<dyn Vfs>> {
        (**self).without_links()
    }
    async fn available(&self, path: &VPath) -> Result<Option<u64>> {
        (**self).available(path).await
    }
}
