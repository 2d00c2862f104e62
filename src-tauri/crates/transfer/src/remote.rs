//! What the queue needs of a server, so that its tests can do without one.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use ftp_client::ftp_proto::RemotePath;
use ftp_client::{Bound, FetchFile, Fetched, Progress, StoreFile, Throttles};
use jiff::Timestamp;
use tokio::sync::mpsc::UnboundedSender;

use crate::error::{Error, RemoteError};
use crate::work::Existing;
use crate::{HashAlgorithm, SiteKey};

/// Opens connections.
#[async_trait]
pub(crate) trait Remotes: Send + Sync {
    async fn connect(&self, site: &SiteKey) -> Result<Arc<dyn Remote>, RemoteError>;
}

/// Where the bytes of a transfer are counted, and by what they are slowed down.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wire {
    pub(crate) progress: Progress,
    pub(crate) throttles: Throttles,
    /// How large the whole file is, where that is known: the way may depend on it.
    pub(crate) size: Option<u64>,
    /// A download of a part: the place in the local file (bytes from its beginning) to which it is written, whatever the
    /// file's position.
    pub(crate) at: Option<u64>,
    /// A download of a part ends here, in bytes from its own beginning, though the server has more. Any download that is
    /// dropped writes until its bound is at rest.
    pub(crate) bound: Bound,
}

/// Where a download goes on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Beginning {
    /// How much of the file is there.
    pub(crate) offset: u64,
    /// The last bytes of that, which the server's file must have too.
    pub(crate) tail: Vec<u8>,
}

/// How a download went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moved {
    /// So many bytes were written; the server has said that this was all, or the bound was reached.
    Bytes(u64),
    /// The server's file has other bytes than the beginning that is there. Nothing was written.
    Differs,
}

/// How an upload begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// STOR from this place on: everything before it is there. 0: a new file.
    At(u64),
    /// APPE.
    End,
}

/// What became of a small file that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Sent {
    /// The server told its size, and it was right.
    pub(crate) size: bool,
    pub(crate) time: bool,
    /// It has the name that it should have in the end.
    pub(crate) renamed: bool,
}

/// What a connection has found out about its server. True only ever after it was seen.
#[derive(Debug, Default)]
pub(crate) struct Learned {
    no_temporary: AtomicBool,
    /// The smallest offset at which a REST led elsewhere; 0: none.
    far: AtomicU64,
}

impl Learned {
    /// The server refuses temporary names, or the renaming.
    pub(crate) fn refuses_temporary(&self) -> bool {
        self.no_temporary.load(Ordering::Relaxed)
    }

    pub(crate) fn temporary_refused(&self) {
        self.no_temporary.store(true, Ordering::Relaxed);
    }

    /// Whether a REST to this offset leads where it should, as far as is known.
    pub(crate) fn reaches(&self, offset: u64) -> bool {
        match self.far.load(Ordering::Relaxed) {
            0 => true,
            far => offset < far,
        }
    }

    pub(crate) fn does_not_reach(&self, offset: u64) {
        let far = self.far.load(Ordering::Relaxed);
        if far == 0 || offset < far {
            self.far.store(offset, Ordering::Relaxed);
        }
    }
}

/// One connection. Every future may be dropped: the connection is then still good for the next request, or says that
/// it is lost. Of what takes many files, `Err` is the end of the connection, and a file's own failure is in its place.
#[async_trait]
pub(crate) trait Remote: Send + Sync {
    /// What was found out about the server on this connection.
    fn learned(&self) -> &Learned;
    /// What is in a folder, completely, as far as memory is to bear it: else [`Error::ListingTooLong`].
    async fn list(&self, folder: &RemotePath) -> Result<Vec<Found>, Error>;
    /// The size of a file; `None` if the server can't tell.
    async fn size(&self, file: &RemotePath) -> Result<Option<u64>, RemoteError>;
    /// The sizes of files; `None` where the server does not tell, which it does of folders.
    async fn sizes(&self, files: &[RemotePath]) -> Result<Vec<Option<u64>>, RemoteError>;
    /// What files are there, and their sizes and times.
    async fn existing(&self, files: &[RemotePath]) -> Result<Vec<Existing>, RemoteError>;
    /// The size of a file as its folder's listing has it now; `None` if that has none, or if it is no file.
    async fn listed_size(&self, file: &RemotePath) -> Result<Option<u64>, RemoteError>;
    /// When a file was modified; `None` if the server can't tell.
    async fn modified(&self, file: &RemotePath) -> Result<Option<Timestamp>, RemoteError>;
    /// The permissions of a file; `None` if the server can't tell.
    async fn mode(&self, file: &RemotePath) -> Result<Option<u32>, RemoteError>;
    /// Sets the time of a file; false if the server can't do that.
    async fn set_modified(&self, file: &RemotePath, time: Timestamp) -> Result<bool, RemoteError>;
    /// Sets the permissions of a file.
    async fn set_mode(&self, file: &RemotePath, mode: u32) -> Result<(), RemoteError>;
    /// Makes a folder; one that is there already will do. True if it was made.
    async fn make_folder(&self, folder: &RemotePath) -> Result<bool, RemoteError>;
    /// Whether it is a folder, or a link to one.
    async fn is_folder(&self, path: &RemotePath) -> Result<bool, RemoteError>;
    /// Where the server says it is after going there; `None` if it does not say.
    async fn real_path(&self, folder: &RemotePath) -> Result<Option<RemotePath>, RemoteError>;
    /// Makes a symbolic link; false if the server can't do that.
    async fn make_link(&self, link: &RemotePath, to: &[u8]) -> Result<bool, RemoteError>;
    /// Deletes a file.
    async fn delete(&self, file: &RemotePath) -> Result<(), RemoteError>;
    /// Deletes files. Whether each was.
    async fn delete_many(&self, files: &[RemotePath]) -> Result<Vec<bool>, RemoteError>;
    /// Renames files.
    async fn rename_many(
        &self,
        pairs: &[(RemotePath, RemotePath)],
    ) -> Result<Vec<Result<(), RemoteError>>, RemoteError>;
    /// The hashes of files by the best algorithm that the server has, in lower-case hexadecimal; `None` where it tells none.
    async fn hashes(
        &self,
        files: &[RemotePath],
    ) -> Result<Vec<Option<(HashAlgorithm, String)>>, RemoteError>;
    /// Whether the server would keep this name of a new file.
    fn check_name(&self, _path: &RemotePath) -> Result<(), RemoteError> {
        Ok(())
    }
    /// Says something of what is done, for whoever reads the protocol.
    async fn remark(&self, _text: String) {}
    /// Whether an upload can go on at a place of our choice (STOR after REST).
    fn can_restart(&self) -> bool;
    /// Writes the server's file to where `into` stands, which is at `from`, from there on, in one transfer with the comparison.
    async fn download(
        &self,
        file: &RemotePath,
        from: &Beginning,
        into: File,
        wire: &Wire,
    ) -> Result<Moved, Error>;
    /// At most `most` bytes of a file, from `offset` on.
    async fn piece(
        &self,
        file: &RemotePath,
        offset: u64,
        most: usize,
        wire: &Wire,
    ) -> Result<Vec<u8>, Error>;
    /// Sends `from`, from where it stands to its end; the bytes sent. `begun` is set as soon as the server's file may
    /// have been changed.
    async fn upload(
        &self,
        from: File,
        file: &RemotePath,
        start: Start,
        wire: &Wire,
        begun: &AtomicBool,
    ) -> Result<u64, Error>;
    /// Fetches small files; each outcome with its place in `files`, as it comes.
    async fn fetch_many(
        &self,
        files: Vec<FetchFile>,
        wire: &Wire,
        outcomes: UnboundedSender<(usize, Result<Fetched, RemoteError>)>,
    ) -> Result<(), RemoteError>;
    /// Sends small files; each outcome with its place in `files`, as it comes.
    async fn store_many(
        &self,
        files: Vec<StoreFile>,
        wire: &Wire,
        outcomes: UnboundedSender<(usize, Result<Sent, RemoteError>)>,
    ) -> Result<(), RemoteError>;
    /// Takes leave, and closes the connection for all who have a handle of it.
    async fn quit(&self);
}

/// One line of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    Entry(FoundEntry),
    /// A line that nobody understood, escaped.
    Unparsed(String),
}

/// An entry of a listing. The name is whatever the server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FoundEntry {
    pub(crate) name: Vec<u8>,
    pub(crate) kind: FoundKind,
    pub(crate) size: Option<u64>,
    /// Only if it is exact to the second and of a known zone.
    pub(crate) modified: Option<Timestamp>,
    /// The permissions, where it has them.
    pub(crate) mode: Option<u32>,
    /// Where a link leads, as the server has it.
    pub(crate) target: Option<Vec<u8>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FoundKind {
    File,
    Folder,
    Link,
    Other,
}
