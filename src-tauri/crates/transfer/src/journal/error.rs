//! Why a journal can't be opened or written.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::ErrorCode;

/// Why a journal can't be opened. `Display` is one sentence for people.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another program has it: only one at a time can work on a journal.
    #[error("the journal {} is in use by {by}", path.display())]
    Held {
        /// The journal.
        path: PathBuf,
        /// Who has it, for people: `slip queue run (process 123)`.
        by: String,
    },
    /// A newer program has written it. It is left as it is.
    #[error(
        "the journal {} was written by a newer Slipway: it has version {version}, and this one knows versions up to \
         {supported}",
        path.display()
    )]
    Newer {
        /// The journal.
        path: PathBuf,
        /// What it says of itself.
        version: u32,
        /// The newest version that this program knows.
        supported: u32,
    },
    /// An older program has written it, so that it can't be only read: [`Journal::open`](super::Journal::open) brings
    /// it up to date.
    #[error(
        "the journal {} was written by an older Slipway (version {version}) and has to be brought up to date first",
        path.display()
    )]
    Older {
        /// The journal.
        path: PathBuf,
        /// What it says of itself.
        version: u32,
    },
    /// There is none. [`Journal::open`](super::Journal::open) makes one.
    #[error("there is no journal at {}", path.display())]
    Missing {
        /// Where one was looked for.
        path: PathBuf,
    },
    /// A database, but not a journal. It is left as it is.
    #[error("{} is a database of another program, not a journal", path.display())]
    Foreign {
        /// The database.
        path: PathBuf,
    },
    /// A request that is too large, or one more than anybody will look at.
    #[error("the request can't be left in the journal {}: {why}", path.display())]
    Request {
        /// The journal.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// There is no room for it on the disk.
    #[error("the disk is full, so the journal {} can't be used", path.display())]
    Full {
        /// The journal.
        path: PathBuf,
    },
    /// The system refused.
    #[error("could not {action} {}: {source}", path.display())]
    Io {
        /// What was tried: "create", "lock".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: Arc<io::Error>,
    },
    /// The database refused.
    #[error("the journal {} can't be used: {why}", path.display())]
    Database {
        /// The journal.
        path: PathBuf,
        /// What the database says.
        why: String,
    },
}

impl OpenError {
    pub(super) fn io(action: &'static str, path: &Path, error: io::Error) -> Self {
        if no_room(&error) {
            return Self::Full {
                path: path.to_owned(),
            };
        }
        Self::Io {
            action,
            path: path.to_owned(),
            source: Arc::new(error),
        }
    }

    pub(super) fn database(path: &Path, error: JournalError) -> Self {
        let path = path.to_owned();
        match error {
            JournalError::Full => Self::Full { path },
            other => Self::Database {
                path,
                why: other.to_string(),
            },
        }
    }
}

/// Why an open journal can't be read or written. Nothing of what was to be written is in it then. `Display` is one
/// sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The disk is full, or the user's share of it. The same write works when there is room.
    #[error("the disk is full, so the journal can't be written")]
    Full,
    /// The file is damaged. It is set aside, and what is readable of it recovered, when it is opened the next time.
    #[error("the journal is damaged: {why}")]
    Damaged {
        /// What the database says.
        why: String,
    },
    /// Something in it could not be read again, so it isn't written.
    #[error("item {id} can't be kept in the journal: {why}")]
    Refused {
        /// The item's number; 0 where it isn't about an item.
        id: u32,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Anything else that the database says.
    #[error("the journal can't be used: {why}")]
    Database {
        /// What it says.
        why: String,
    },
}

impl JournalError {
    /// What an error of the database means for the journal at this path.
    pub(super) fn of(error: &rusqlite::Error, path: &Path) -> Self {
        let why = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged { why },
            // A quota, and room for the index of the log, are told as a failed write of any kind.
            Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) if is_full(path) => Self::Full,
            _ => Self::Database { why },
        }
    }
}

fn no_room(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

/// Whether there is no room next to the journal, found out by trying.
fn is_full(path: &Path) -> bool {
    static PROBE: [u8; 64 * 1024] = [1; 64 * 1024];
    let probe = super::files::beside(path, ".room");
    let outcome = super::files::create_private(&probe)
        .and_then(|mut file| io::Write::write_all(&mut file, &PROBE));
    if let Err(error) = std::fs::remove_file(&probe) {
        tracing::debug!(%error, path = %probe.display(), "the probe for room was not removed");
    }
    outcome.is_err_and(|error| no_room(&error))
}
