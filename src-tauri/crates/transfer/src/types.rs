//! What goes into the queue and what it tells about itself.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ftp_client::ftp_proto::RemotePath;
use jiff::Timestamp;

use crate::error::Error;

/// The number of an item, unique within its queue.
pub type TransferId = u32;

/// Which server, and as whom: whatever tells the caller's [`Connector`](crate::Connector) how to connect. Items of the
/// same key share connections.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SiteKey(Arc<str>);

impl SiteKey {
    /// A key of the caller's making. It is shown in logs, so it holds no password.
    pub fn new(key: &str) -> Self {
        Self(key.into())
    }

    /// The text that it was made of.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// To the server or from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From this computer to the server.
    Upload,
    /// From the server to this computer.
    Download,
}

/// What is to be transferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ItemKind {
    /// One file (or a link to one).
    File,
    /// A folder with everything in it.
    Folder,
}

/// A transfer to be done.
#[derive(Debug, Clone)]
pub struct NewTransfer {
    /// The server.
    pub site: SiteKey,
    /// To or from it.
    pub direction: Direction,
    /// File or folder.
    pub kind: ItemKind,
    /// The local file or folder itself (not the folder that it lies in). It is trusted as it is: links in it are
    /// followed. Folders above it are made if they are missing.
    pub local: PathBuf,
    /// The remote file or folder itself. The folder above it must exist.
    pub remote: RemotePath,
    /// Bytes of the source, if a listing has told; else the server or the disk is asked.
    pub size: Option<u64>,
    /// The modification time of the source of a download, if a listing has told it exactly; else the server is asked.
    pub modified: Option<Timestamp>,
}

/// Where an item stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// It has not begun, or waits to be tried again.
    Waiting,
    /// A folder is being looked into.
    Scanning,
    /// A file moves, or what is in a folder does.
    Running,
    /// All of it is where it should be.
    Done,
    /// It did not work; its error says why.
    Failed,
    /// It was cancelled.
    Cancelled,
}

impl State {
    /// Whether there is still something to do.
    pub fn is_open(self) -> bool {
        matches!(self, State::Waiting | State::Scanning | State::Running)
    }
}

/// What was checked after a transfer, beyond the server's own word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Verified {
    /// The sizes of source and target are equal.
    Size,
}

impl std::fmt::Display for Verified {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Verified::Size => f.write_str("size"),
        }
    }
}

/// An item as it stands: for a list, and once it is finished its report.
#[derive(Debug, Clone)]
pub struct Transfer {
    /// Its number.
    pub id: TransferId,
    /// The outermost folder item that it came from.
    pub batch: Option<TransferId>,
    /// The server.
    pub site: SiteKey,
    /// To or from it.
    pub direction: Direction,
    /// File or folder.
    pub kind: ItemKind,
    /// The last part of the source, for people.
    pub name: String,
    /// The local file or folder.
    pub local: PathBuf,
    /// The remote file or folder.
    pub remote: RemotePath,
    /// Where it stands.
    pub state: State,
    /// Bytes moved in the current or last try; for a folder, of everything in it.
    pub bytes: u64,
    /// Bytes to be moved; `None` if not all is known yet.
    pub total: Option<u64>,
    /// Bytes a second, smoothed, while something moves.
    pub bytes_per_second: Option<f64>,
    /// Seconds left at that speed.
    pub seconds_left: Option<f64>,
    /// Tries so far.
    pub attempts: u32,
    /// Why it failed, or why it waits to be tried again.
    pub error: Option<Error>,
    /// What was checked.
    pub verified: Option<Verified>,
    /// Seconds that the last try took, once it has ended.
    pub seconds: Option<f64>,
}

impl Transfer {
    /// Where it comes from, as text for people.
    pub fn source(&self) -> String {
        match self.direction {
            Direction::Upload => self.local.display().to_string(),
            Direction::Download => self.remote.to_string(),
        }
    }

    /// Where it goes to, as text for people.
    pub fn target(&self) -> String {
        match self.direction {
            Direction::Upload => self.remote.to_string(),
            Direction::Download => self.local.display().to_string(),
        }
    }
}

/// What a subscriber hears: one snapshot, then changes. Numbers go up by one; a gap can't occur within one
/// subscription, but can where updates are passed on.
#[derive(Debug, Clone)]
pub enum QueueUpdate {
    /// All items, by number.
    Snapshot {
        /// The number of this update.
        revision: u32,
        /// The items.
        items: Vec<Transfer>,
    },
    /// What has changed since the update before.
    Changes {
        /// The number of this update.
        revision: u32,
        /// New items, and those that are not as they were.
        upserts: Vec<Transfer>,
        /// Items that are gone.
        removed: Vec<TransferId>,
    },
}

/// How often, and after which pauses, an item is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Tries in all, at least 1.
    pub attempts: u32,
    /// The pause after the first try. It doubles with each.
    pub first_pause: Duration,
    /// No pause is longer.
    pub longest_pause: Duration,
}

impl Default for RetryPolicy {
    /// Five tries, with pauses of 1, 2, 4 and 8 seconds.
    fn default() -> Self {
        Self {
            attempts: 5,
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(60),
        }
    }
}

impl RetryPolicy {
    /// The pause after this many tries.
    pub fn pause(&self, attempts: u32) -> Duration {
        let doublings = attempts.saturating_sub(1).min(31);
        self.first_pause
            .saturating_mul(1 << doublings)
            .min(self.longest_pause)
    }
}
