//! What goes into the queue and what it tells about itself.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ftp_client::ftp_proto::RemotePath;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::options::{Options, Priority};

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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
    /// A symbolic link that is to be made as one. Only found in folders, with [`Links::Copy`](crate::Links::Copy).
    Link,
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
    /// How it is done. Items that share it share its memory.
    pub options: Arc<Options>,
}

/// Where an item stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// It has not begun, or waits to be tried again, or for its time.
    Waiting,
    /// A person has stopped it for now. What was moved is kept.
    Paused,
    /// Its target exists, and a person has to say what happens; see [`Transfer::conflict`].
    Asking,
    /// A folder is being looked into.
    Scanning,
    /// A file moves, or what is in a folder does.
    Running,
    /// All of it is where it should be.
    Done,
    /// A conflict rule left the target as it was.
    Skipped,
    /// It did not work; its error says why.
    Failed,
    /// It was cancelled.
    Cancelled,
}

impl State {
    /// Whether there is still something to do.
    pub fn is_open(self) -> bool {
        matches!(
            self,
            State::Waiting | State::Paused | State::Asking | State::Scanning | State::Running
        )
    }
}

/// What was checked of a finished file. Its `Display` is a list for people: `size, time, SHA-256`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Checks {
    /// The server has said that the transfer is complete (226 or 250, RFC 959 section 5.4).
    pub reply: bool,
    /// The sizes of source and target are equal.
    pub size: bool,
    /// The target has the time of its source.
    pub time: bool,
    /// Before it was continued, its last 64 KiB were found to be those of the source.
    pub tail: bool,
    /// Source and target have the same hash, by this algorithm.
    pub hash: Option<HashAlgorithm>,
}

impl std::fmt::Display for Checks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut first = true;
        let hash = self.hash.map(|hash| hash.to_string());
        for (checked, name) in [
            (self.size, "size"),
            (self.time, "time"),
            (self.tail, "tail"),
            (hash.is_some(), hash.as_deref().unwrap_or_default()),
        ] {
            if checked {
                if !first {
                    f.write_str(", ")?;
                }
                first = false;
                f.write_str(name)?;
            }
        }
        Ok(())
    }
}

/// An algorithm by which source and target are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum HashAlgorithm {
    /// SHA-512.
    Sha512,
    /// SHA-256.
    Sha256,
    /// SHA-1.
    Sha1,
    /// MD5.
    Md5,
    /// The CRC-32 of ISO 3309.
    Crc32,
}

impl From<ftp_client::HashAlgorithm> for HashAlgorithm {
    fn from(algorithm: ftp_client::HashAlgorithm) -> Self {
        match algorithm {
            ftp_client::HashAlgorithm::Sha512 => Self::Sha512,
            ftp_client::HashAlgorithm::Sha256 => Self::Sha256,
            ftp_client::HashAlgorithm::Sha1 => Self::Sha1,
            ftp_client::HashAlgorithm::Md5 => Self::Md5,
            ftp_client::HashAlgorithm::Crc32 => Self::Crc32,
        }
    }
}

impl From<HashAlgorithm> for ftp_client::HashAlgorithm {
    fn from(algorithm: HashAlgorithm) -> Self {
        match algorithm {
            HashAlgorithm::Sha512 => Self::Sha512,
            HashAlgorithm::Sha256 => Self::Sha256,
            HashAlgorithm::Sha1 => Self::Sha1,
            HashAlgorithm::Md5 => Self::Md5,
            HashAlgorithm::Crc32 => Self::Crc32,
        }
    }
}

impl std::fmt::Display for HashAlgorithm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            HashAlgorithm::Sha512 => "SHA-512",
            HashAlgorithm::Sha256 => "SHA-256",
            HashAlgorithm::Sha1 => "SHA-1",
            HashAlgorithm::Md5 => "MD5",
            HashAlgorithm::Crc32 => "CRC-32",
        })
    }
}

/// What is known of a file: size and time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// In bytes.
    pub size: Option<u64>,
    /// When it was modified.
    pub modified: Option<Timestamp>,
}

/// A target that exists already, and what is to be put in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Conflict {
    /// What is to be transferred.
    pub source: Facts,
    /// What is there.
    pub target: Facts,
}

/// The proof of one finished file, kept in the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// The number of the item.
    pub id: TransferId,
    /// The site's key.
    pub site: String,
    /// To or from it.
    pub direction: Direction,
    /// Where it came from, for people.
    pub source: String,
    /// Where it went to, for people.
    pub target: String,
    /// The size of the file.
    pub bytes: u64,
    /// So much of it had been moved by an earlier try.
    pub resumed_from: u64,
    /// When it was finished.
    pub finished: Timestamp,
    /// Seconds that the last try took.
    pub seconds: f64,
    /// Tries in all.
    pub attempts: u32,
    /// What was checked.
    pub checks: Checks,
    /// The hash that was compared, in hexadecimal.
    pub digest: Option<String>,
    /// After a crash it was found to be complete already: the last try has moved nothing.
    #[serde(default)]
    pub found_complete: bool,
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
    /// What was checked of a file that is done.
    pub verified: Option<Checks>,
    /// Seconds that the last try took, once it has ended.
    pub seconds: Option<f64>,
    /// Which items go first.
    pub priority: Priority,
    /// Its place in the queue: a smaller one goes first among equal priorities.
    pub order: i64,
    /// It does not start before this time.
    pub start_at: Option<Timestamp>,
    /// For [`State::Asking`]: what there is to decide.
    pub conflict: Option<Conflict>,
    /// So much of the file had been moved by an earlier try.
    pub resumed_from: u64,
    /// The name that the target got, where a rule or the system's naming gave it another one than the source's.
    pub target_name: Option<String>,
    /// For a folder: how many items in it are in which state.
    pub counts: Option<Counts>,
}

/// How many items there are, by state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Counts {
    /// Not begun, or waiting to be tried again.
    pub waiting: u32,
    /// Paused, as an item.
    pub paused: u32,
    /// Waiting for an answer.
    pub asking: u32,
    /// Moving, or being looked into.
    pub running: u32,
    /// Done.
    pub done: u32,
    /// Left as they were by a conflict rule.
    pub skipped: u32,
    /// Failed.
    pub failed: u32,
    /// Cancelled.
    pub cancelled: u32,
    /// Left out by a filter: these are no items.
    pub filtered: u32,
}

impl Counts {
    /// All of them, but for what was left out.
    pub fn all(&self) -> u32 {
        self.open() + self.done + self.skipped + self.failed + self.cancelled
    }

    /// Those with something left to do.
    pub fn open(&self) -> u32 {
        self.waiting + self.paused + self.asking + self.running
    }
}

/// A place among the items that lie beside each other: those that were added by themselves, or those of one folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Before all others.
    First,
    /// Behind all others.
    Last,
    /// Right before this one.
    Before(TransferId),
    /// Right behind this one.
    After(TransferId),
}

impl Transfer {
    /// Where it has gone to, as text for people: the target, with the name that it got.
    pub fn final_target(&self) -> String {
        let Some(name) = &self.target_name else {
            return self.target();
        };
        match self.direction {
            Direction::Download => self.local.with_file_name(name).display().to_string(),
            Direction::Upload => {
                let target = self.target();
                match target.rsplit_once('/') {
                    Some((folder, _)) => format!("{folder}/{name}"),
                    None => name.clone(),
                }
            }
        }
    }

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
        /// The queue as a whole.
        summary: Box<Summary>,
    },
    /// What has changed since the update before.
    Changes {
        /// The number of this update.
        revision: u32,
        /// New items, and those that are not as they were.
        upserts: Vec<Transfer>,
        /// Items that are gone, or no longer of interest to this subscription.
        removed: Vec<TransferId>,
        /// The queue as a whole.
        summary: Box<Summary>,
    },
}

/// What a subscription is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Interest {
    /// Every item.
    #[default]
    Everything,
    /// What a person looks at, a few thousand at most of however many there are: what was added by itself, and of
    /// what folders hold only what runs, asks or has failed.
    Overview,
}

/// The queue as a whole.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Summary {
    /// All items that are no folders.
    pub files: Counts,
    /// Bytes moved of those that are not finished, and of everything that is.
    pub bytes: u64,
    /// Bytes to be moved, as far as they are known.
    pub total: u64,
    /// How many files have no known size, and folders have not been looked into.
    pub unknown: u64,
    /// Bytes a second of everything that runs.
    pub bytes_per_second: f64,
    /// Nothing is started because a person has said so.
    pub paused: bool,
    /// Sites of which nothing is started because a person has said so.
    pub paused_sites: Vec<SiteKey>,
    /// Why downloads (or everything) wait, if they do.
    pub held: Option<Hold>,
    /// The limits that were set.
    pub limits: crate::Limits,
    /// The limit of everything that the timetable sets at this time.
    pub timetable_limit: Option<u64>,
    /// Items that an [`Interest::Overview`] leaves out: what is in folders and needs nobody, and what is beyond its size.
    pub hidden: u32,
}

/// Why the queue waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hold {
    /// The disk is full; it goes on when there is room.
    DiskFull {
        /// The file that found no room.
        path: PathBuf,
    },
    /// The journal can't be written; it goes on when it can.
    Journal {
        /// Why, for people.
        why: String,
        /// It is damaged: it has to be opened again, which sets it aside and recovers what is readable.
        damaged: bool,
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
