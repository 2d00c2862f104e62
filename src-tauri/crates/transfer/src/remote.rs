//! What the queue needs of a server, so that its tests can do without one.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use async_trait::async_trait;
use ftp_client::Progress;
use ftp_client::ftp_proto::RemotePath;
use jiff::Timestamp;

use crate::SiteKey;
use crate::error::{Error, RemoteError};

/// Opens connections.
#[async_trait]
pub(crate) trait Remotes: Send + Sync {
    async fn connect(&self, site: &SiteKey) -> Result<Arc<dyn Remote>, RemoteError>;
}

/// One connection. Every future may be dropped: the connection is then still good for the next request, or says that
/// it is lost.
#[async_trait]
pub(crate) trait Remote: Send + Sync {
    /// What is in a folder, completely, as far as memory is to bear it: else [`Error::ListingTooLong`].
    async fn list(&self, folder: &RemotePath) -> Result<Vec<Found>, Error>;
    /// The size of a file; `None` if the server can't tell.
    async fn size(&self, file: &RemotePath) -> Result<Option<u64>, RemoteError>;
    /// The size of a file as its folder's listing has it now; `None` if that has none, or if it is no file.
    async fn listed_size(&self, file: &RemotePath) -> Result<Option<u64>, RemoteError>;
    /// When a file was modified; `None` if the server can't tell.
    async fn modified(&self, file: &RemotePath) -> Result<Option<Timestamp>, RemoteError>;
    /// Sets the time of a file, if the server can do that.
    async fn set_modified(&self, file: &RemotePath, time: Timestamp) -> Result<(), RemoteError>;
    /// Makes a folder; one that is there already will do.
    async fn make_folder(&self, folder: &RemotePath) -> Result<(), RemoteError>;
    /// Deletes a file.
    async fn delete(&self, file: &RemotePath) -> Result<(), RemoteError>;
    /// Writes the server's file to where `into` stands; the bytes written.
    async fn download(
        &self,
        file: &RemotePath,
        into: File,
        progress: &Progress,
    ) -> Result<u64, Error>;
    /// Writes `from`, from where it stands to its end, over the server's file; the bytes written. `begun` is set as
    /// soon as the server's file may have been changed.
    async fn upload(
        &self,
        from: File,
        file: &RemotePath,
        progress: &Progress,
        begun: &AtomicBool,
    ) -> Result<u64, Error>;
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
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FoundKind {
    File,
    Folder,
    Link,
    Other,
}
