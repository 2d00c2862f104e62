//! The journal: what the queue has to remember, in SQLite.
//!
//! One program at a time has it open ([`Journal::open`]), and a lock of the system says which. Others can read it
//! ([`Journal::peek`]) and leave requests in it ([`Journal::request`]). A transaction that was written is there after
//! the program was killed; after a power cut the last ones may be missing, but none is there in part (SQLite's
//! write-ahead log with `synchronous = NORMAL`).
//!
//! It never holds a password: sites are in it by keys that have none.

mod error;
mod family;
mod files;
mod open;
mod read;
mod record;
mod salvage;
mod schema;
mod store;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

pub use error::{JournalError, OpenError};
use files::{LastEnd, Lock};
use open::Trouble;
pub use record::{Damage, Request};
pub(crate) use record::{Loaded, Op, Row, Taken};

use crate::types::Receipt;

/// So many receipts are kept.
const KEEP_RECEIPTS: u32 = 1_000_000;
/// Bytes of a request's kind.
const KIND_LIMIT: usize = 64;
/// So many requests may wait.
const INBOX_LIMIT: u32 = 10_000;

/// Up to this size (bytes), all pages are looked at after a program was killed: that takes half a second.
const CHECK_LIMIT: u64 = 256 * 1024 * 1024;

/// Up to this size (bytes), all pages are looked at whenever it is opened: that takes some milliseconds.
const SMALL: u64 = 4 * 1024 * 1024;

/// So many changes at once make a journal that is no longer small.
const MANY: usize = 512;

/// The journal of one queue, open and locked. Its methods block.
#[derive(Debug)]
pub struct Journal {
    // Closed before the lock is given back.
    connection: Connection,
    path: PathBuf,
    /// What opening it has read anyway.
    loaded: Option<Loaded>,
    /// The last request that was handed out.
    taken: i64,
    keep_receipts: u32,
    /// The log may be as long as it wants.
    grows: bool,
    lock: Lock,
}

/// A journal that was opened.
#[derive(Debug)]
pub struct Opened {
    /// The journal.
    pub journal: Journal,
    /// What was wrong with the one that was there.
    pub recovered: Option<Damage>,
}

impl Journal {
    /// Opens the journal for `program` (its name, for people: "slip queue run"), and makes it, and its folder, if there
    /// is none. An older one is brought up to date. A damaged one is set aside as `PATH.damaged-N`, and what is
    /// readable of it recovered.
    ///
    /// # Errors
    /// [`OpenError::Held`] if another program has it; [`OpenError::Newer`] and [`OpenError::Foreign`] for what is left
    /// as it is; [`OpenError::Full`], [`OpenError::Io`] and [`OpenError::Database`] where the system refuses.
    pub fn open(path: &Path, program: &str) -> Result<Opened, OpenError> {
        Self::open_with(path, program, schema::STEPS)
    }

    fn open_with(path: &Path, program: &str, steps: &[&str]) -> Result<Opened, OpenError> {
        let path = files::resolve(path, true)?;
        let (lock, end) = Lock::take(&path, program)?;
        let mut recovered = match open::finish_recovery(&path)? {
            // A program that was killed while it made the journal leaves it like this.
            None if end != LastEnd::Killed => open::put_empty_aside(&path)?,
            recovered => recovered,
        };
        files::create_private(&path).map_err(|error| OpenError::io("create", &path, error))?;
        let is_at_most = |limit| path.metadata().is_ok_and(|main| main.len() <= limit);
        let suspect = match end {
            LastEnd::Clean => is_at_most(SMALL),
            // What was written is safe from that; a computer that crashed may have written it badly.
            LastEnd::Killed => is_at_most(CHECK_LIMIT),
            LastEnd::Damaged => true,
        };
        let (connection, loaded) = match open::prepare(&path, steps, suspect) {
            Err(Trouble::Damaged(why)) => {
                // Whoever opens it says so.
                tracing::info!(path = %path.display(), %why, "the journal is damaged");
                lock.mark_damaged();
                let (damage, connection, loaded) = open::recover(&path, why, steps)?;
                recovered = Some(damage);
                lock.mark_sound();
                (connection, loaded)
            }
            Err(Trouble::Other(error)) => {
                // What was not made is no damaged journal.
                if path.metadata().is_ok_and(|main| main.len() == 0) {
                    files::remove_database(&path)?;
                }
                return Err(error);
            }
            Ok(ready) => ready,
        };
        if let Some(damage) = &mut recovered {
            damage.items = loaded.rows.len() as u64;
        }
        Ok(Opened {
            journal: Self {
                connection,
                path,
                loaded: Some(loaded),
                taken: 0,
                keep_receipts: KEEP_RECEIPTS,
                grows: false,
                lock,
            },
            recovered,
        })
    }

    /// Opens a journal only to look at it, whoever has it.
    ///
    /// # Errors
    /// [`OpenError::Missing`] if there is none; as [`open`](Self::open), and [`OpenError::Older`].
    pub fn peek(path: &Path) -> Result<Reader, OpenError> {
        let (connection, path) = open::visit(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        Ok(Reader { connection, path })
    }

    /// Leaves a request for whoever has the journal. It stays there until it is taken, also if nobody has it now.
    ///
    /// # Errors
    /// [`OpenError::Request`] if it is too large, or 10,000 are waiting; else as [`peek`](Self::peek).
    pub fn request(path: &Path, request: &Request) -> Result<(), OpenError> {
        let refuse = |why: String| {
            let path = path.to_owned();
            Err(OpenError::Request { path, why })
        };
        let body = request.body.to_string();
        if request.kind.len() > KIND_LIMIT || body.len() > record::REQUEST_LIMIT {
            return refuse("it is too large".to_owned());
        }
        let (connection, real) = open::visit(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        match store::put_request(&connection, &request.kind, &body, INBOX_LIMIT) {
            Ok(true) => Ok(()),
            Ok(false) => refuse(format!("{INBOX_LIMIT} others are waiting to be seen")),
            Err(error) => Err(OpenError::database(&real, JournalError::of(&error, &real))),
        }
    }

    /// All of it but the receipts, as it is now.
    ///
    /// # Errors
    /// [`JournalError::Damaged`] if it was damaged since it was opened.
    pub(crate) fn load(&mut self) -> Result<Loaded, JournalError> {
        match self.loaded.take() {
            Some(loaded) => Ok(loaded),
            None => {
                let loaded = read::load(&self.connection);
                loaded.map_err(|error| self.failed(&error))
            }
        }
    }

    /// Writes all of it or nothing. When it returns, a killed program has lost nothing of it.
    ///
    /// # Errors
    /// [`JournalError::Full`] when there is no room: the journal is as it was, and can be written when there is.
    pub(crate) fn write(&mut self, ops: &[Op]) -> Result<(), JournalError> {
        if ops.is_empty() {
            return Ok(());
        }
        self.loaded = None;
        if ops.len() >= MANY && !self.grows {
            self.grows = open::let_log_grow(&self.connection).is_ok();
        }
        store::write(&mut self.connection, ops, self.keep_receipts).map_err(|error| match error {
            store::WriteError::Database(error) => self.failed(&error),
            refused => refused.into_journal_error(&self.path),
        })
    }

    /// Requests that this program has not been given yet, oldest first; some of them where there are many. They stay in
    /// the journal until [`Op::Handled`] is written, so that one that was not done before a crash is handed out again.
    ///
    /// # Errors
    /// [`JournalError::Damaged`] and [`JournalError::Database`].
    pub(crate) fn take_requests(&mut self) -> Result<Vec<Taken>, JournalError> {
        match read::take_requests(&self.connection, self.taken) {
            Ok((taken, last)) => {
                self.taken = last;
                Ok(taken)
            }
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// Receipts of finished items, newest first. The newest 1,000,000 are kept.
    ///
    /// # Errors
    /// [`JournalError::Damaged`] and [`JournalError::Database`].
    pub fn receipts(&self, limit: u32, offset: u64) -> Result<Vec<Receipt>, JournalError> {
        read::receipts(&self.connection, limit, offset).map_err(|error| self.failed(&error))
    }

    /// The last receipt of an item.
    ///
    /// # Errors
    /// What the database says.
    pub fn receipt(&self, id: u32) -> Result<Option<Receipt>, JournalError> {
        read::receipt(&self.connection, id).map_err(|error| self.failed(&error))
    }

    /// How many receipts there are.
    ///
    /// # Errors
    /// [`JournalError::Damaged`] and [`JournalError::Database`].
    pub fn receipt_count(&self) -> Result<u64, JournalError> {
        read::receipt_count(&self.connection).map_err(|error| self.failed(&error))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn failed(&self, error: &rusqlite::Error) -> JournalError {
        let error = JournalError::of(error, &self.path);
        if matches!(error, JournalError::Damaged { .. }) {
            self.lock.mark_damaged();
        }
        error
    }
}

/// A journal that is only looked at. Its methods block.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
    path: PathBuf,
}

impl Reader {
    /// Who has the journal open, for people (`slip queue run (process 123)`); `None` if nobody does.
    pub fn holder(&self) -> Option<String> {
        files::holder(&self.path)
    }

    /// As [`Journal::receipts`].
    ///
    /// # Errors
    /// [`JournalError::Damaged`] and [`JournalError::Database`].
    pub fn receipts(&self, limit: u32, offset: u64) -> Result<Vec<Receipt>, JournalError> {
        read::receipts(&self.connection, limit, offset).map_err(|error| self.failed(&error))
    }

    /// How many receipts there are.
    ///
    /// # Errors
    /// [`JournalError::Damaged`] and [`JournalError::Database`].
    pub fn receipt_count(&self) -> Result<u64, JournalError> {
        read::receipt_count(&self.connection).map_err(|error| self.failed(&error))
    }

    /// All of it but the receipts, as it is now.
    ///
    /// # Errors
    /// [`JournalError::Damaged`] and [`JournalError::Database`].
    pub(crate) fn load(&self) -> Result<Loaded, JournalError> {
        read::load(&self.connection).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &rusqlite::Error) -> JournalError {
        JournalError::of(error, &self.path)
    }
}
