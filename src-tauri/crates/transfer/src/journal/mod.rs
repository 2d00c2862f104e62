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
mod record;
mod salvage;
mod schema;
mod store;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

pub use error::{JournalError, OpenError};
use files::{LastEnd, Lock};
pub use record::{Damage, Request};
pub(crate) use record::{Loaded, Op, Row, Taken};
use schema::Identity;

use crate::types::Receipt;

/// So many receipts are kept.
const KEEP_RECEIPTS: u32 = 1_000_000;
/// Bytes of a request's kind.
const KIND_LIMIT: usize = 64;
/// So many requests may wait.
const INBOX_LIMIT: u32 = 10_000;
/// Others only write a request, or read: nobody has the database for longer.
const BUSY: Duration = Duration::from_secs(10);
/// The log is cut to this many bytes when its content was put into the database.
const LOG_LIMIT: i64 = 16 * 1024 * 1024;

/// Up to this size (bytes), all pages are looked at after a program was killed: that takes half a second.
const CHECK_LIMIT: u64 = 256 * 1024 * 1024;

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
        let mut recovered = finish_recovery(&path)?;
        files::create_private(&path).map_err(|error| OpenError::io("create", &path, error))?;
        let suspect = match end {
            LastEnd::Clean => false,
            // What was written is safe from that; a computer that crashed may have written it badly.
            LastEnd::Killed => path.metadata().is_ok_and(|main| main.len() <= CHECK_LIMIT),
            LastEnd::Damaged => true,
        };
        let (connection, loaded) = match prepare(&path, steps, suspect) {
            Err(Trouble::Damaged(why)) => {
                tracing::warn!(path = %path.display(), %why, "the journal is damaged");
                lock.mark_damaged();
                let (damage, connection, loaded) = recover(&path, why, steps)?;
                recovered = Some(damage);
                lock.mark_sound();
                (connection, loaded)
            }
            Err(Trouble::Other(error)) => return Err(error),
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
        let (connection, path) = visit(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
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
        let (connection, real) = visit(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
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
                let loaded = store::load(&self.connection);
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
        match store::take_requests(&self.connection, self.taken) {
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
        store::receipts(&self.connection, limit, offset).map_err(|error| self.failed(&error))
    }

    /// How many receipts there are.
    ///
    /// # Errors
    /// [`JournalError::Damaged`] and [`JournalError::Database`].
    pub fn receipt_count(&self) -> Result<u64, JournalError> {
        store::receipt_count(&self.connection).map_err(|error| self.failed(&error))
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
        store::receipts(&self.connection, limit, offset).map_err(|error| self.failed(&error))
    }

    /// How many receipts there are.
    ///
    /// # Errors
    /// [`JournalError::Damaged`] and [`JournalError::Database`].
    pub fn receipt_count(&self) -> Result<u64, JournalError> {
        store::receipt_count(&self.connection).map_err(|error| self.failed(&error))
    }

    /// All of it but the receipts, as it is now.
    ///
    /// # Errors
    /// [`JournalError::Damaged`] and [`JournalError::Database`].
    pub(crate) fn load(&self) -> Result<Loaded, JournalError> {
        store::load(&self.connection).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &rusqlite::Error) -> JournalError {
        JournalError::of(error, &self.path)
    }
}

/// Why a journal is not ready to be used.
enum Trouble {
    Damaged(String),
    Other(OpenError),
}

impl Trouble {
    fn of(error: &rusqlite::Error, path: &Path) -> Self {
        match JournalError::of(error, path) {
            JournalError::Damaged { why } => Self::Damaged(why),
            // A table or column that isn't there.
            JournalError::Database { why } if is_schema_error(error) => Self::Damaged(why),
            other => Self::Other(OpenError::database(path, other)),
        }
    }
}

fn is_schema_error(error: &rusqlite::Error) -> bool {
    matches!(
        error,
        rusqlite::Error::SqlInputError { .. }
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::FromSqlConversionFailure(..)
    )
}

/// Opens a database for reading and writing.
fn connect(path: &Path) -> rusqlite::Result<Connection> {
    connect_with(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
}

fn connect_with(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    Ok(connection)
}

/// Opens a journal without its lock.
fn visit(path: &Path, flags: OpenFlags) -> Result<(Connection, PathBuf), OpenError> {
    let real = files::resolve(path, false)?;
    if !files::exists(&real)? {
        return Err(OpenError::Missing { path: real });
    }
    let fail = |error| OpenError::database(&real, JournalError::of(&error, &real));
    let connection = connect_with(&real, flags).map_err(fail)?;
    let supported = schema::STEPS.len() as u32;
    let path = real.clone();
    match schema::identify(&connection).map_err(fail)? {
        Identity::Journal(version) if version == supported => Ok((connection, real)),
        Identity::Journal(version) if version > supported => Err(OpenError::Newer {
            path,
            version,
            supported,
        }),
        Identity::Journal(version) => Err(OpenError::Older { path, version }),
        Identity::Empty => Err(OpenError::Missing { path }),
        Identity::Foreign => Err(OpenError::Foreign { path }),
        Identity::Damaged(why) => Err(OpenError::Database {
            path,
            why: why.to_owned(),
        }),
    }
}

/// Opens the database, brings it up to date, and reads it. All of its pages are looked at if it is suspect.
fn prepare(path: &Path, steps: &[&str], suspect: bool) -> Result<(Connection, Loaded), Trouble> {
    let fail = |error: rusqlite::Error| Trouble::of(&error, path);
    let sound = schema::is_header_sound(path);
    if !sound.map_err(|error| Trouble::Other(OpenError::io("read", path, error)))? {
        return Err(Trouble::Damaged("its header makes no sense".to_owned()));
    }
    let mut connection = connect(path).map_err(fail)?;
    let supported = steps.len() as u32;
    let version = match schema::identify(&connection).map_err(fail)? {
        Identity::Empty => 0,
        Identity::Journal(version) => version,
        Identity::Damaged(why) => return Err(Trouble::Damaged(why.to_owned())),
        Identity::Foreign => {
            let path = path.to_owned();
            return Err(Trouble::Other(OpenError::Foreign { path }));
        }
    };
    if version > supported {
        return Err(Trouble::Other(OpenError::Newer {
            path: path.to_owned(),
            version,
            supported,
        }));
    }
    if version == 0 {
        connection
            .pragma_update(None, "page_size", schema::PAGE as i64)
            .map_err(fail)?;
    }
    let mode: String = connection
        .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))
        .map_err(fail)?;
    if mode != "wal" {
        return Err(Trouble::Other(OpenError::Database {
            path: path.to_owned(),
            why: "the file system has not what its log needs".to_owned(),
        }));
    }
    connection
        .pragma_update(None, "synchronous", "NORMAL")
        .and_then(|()| connection.pragma_update(None, "journal_size_limit", LOG_LIMIT))
        .map_err(fail)?;
    if suspect {
        let verdict: String = connection
            .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
            .map_err(fail)?;
        if verdict != "ok" {
            return Err(Trouble::Damaged(verdict));
        }
    }
    // A step that doesn't work is a fault of ours, and no reason to put the journal away.
    schema::migrate(&mut connection, version, steps).map_err(|error| {
        match JournalError::of(&error, path) {
            JournalError::Damaged { why } => Trouble::Damaged(why),
            other => Trouble::Other(OpenError::database(path, other)),
        }
    })?;
    let loaded = store::load(&connection).map_err(fail)?;
    store::receipts(&connection, 1, 0).map_err(fail)?;
    store::take_requests(&connection, i64::MAX - 1).map_err(fail)?;
    Ok((connection, loaded))
}

/// Makes a new journal of what is readable of a damaged one. Killed at any moment, it is begun again, or finished, when
/// the journal is opened the next time: the damaged file keeps its place until the new one is complete.
fn recover(
    path: &Path,
    why: String,
    steps: &[&str],
) -> Result<(Damage, Connection, Loaded), OpenError> {
    let made = rescue(path, steps);
    if made.is_err() {
        // Where there is no room, it must not take up more. What fails here has failed before.
        for suffix in [".recovering", ".salvage"] {
            let _ = files::remove_database(&files::beside(path, suffix));
        }
    }
    let lost = made?;
    let complete = files::beside(path, ".recovered");
    files::rename(&files::beside(path, ".recovering"), &complete)?;
    let set_aside = files::set_aside(path)?;
    files::rename(&complete, path)?;
    files::sync_folder(path);
    let (connection, loaded) =
        prepare(path, steps, false).map_err(|trouble| given_up(path, trouble))?;
    let damage = Damage {
        set_aside,
        items: 0,
        lost,
        why,
    };
    Ok((damage, connection, loaded))
}

/// Puts what is readable of a damaged journal into a new one beside it. Returns how many items were lost, if that can
/// be known.
fn rescue(path: &Path, steps: &[&str]) -> Result<Option<u64>, OpenError> {
    let fresh = files::beside(path, ".recovering");
    files::remove_database(&fresh)?;
    files::create_private(&fresh).map_err(|error| OpenError::io("create", &fresh, error))?;
    let (mut connection, _) =
        prepare(&fresh, steps, false).map_err(|trouble| given_up(path, trouble))?;
    let tally = salvage::salvage(path, &mut connection)?;
    let loaded = store::load(&connection)
        .map_err(|error| OpenError::database(path, JournalError::of(&error, path)))?;
    // What belonged to what was lost is in the file that was set aside.
    drop_strays(&mut connection, &loaded)
        .map_err(|error| OpenError::database(path, JournalError::of(&error, path)))?;
    connection
        .close()
        .map_err(|(_, error)| OpenError::database(path, JournalError::of(&error, path)))?;
    std::fs::File::open(&fresh)
        .and_then(|file| file.sync_all())
        .map_err(|error| OpenError::io("write", &fresh, error))?;
    Ok((!tally.gaps).then_some(tally.senseless + loaded.skipped))
}

fn given_up(path: &Path, trouble: Trouble) -> OpenError {
    match trouble {
        Trouble::Damaged(why) => OpenError::Database {
            path: path.to_owned(),
            why,
        },
        Trouble::Other(error) => error,
    }
}

/// Removes the items that loading has skipped.
fn drop_strays(connection: &mut Connection, loaded: &Loaded) -> rusqlite::Result<()> {
    if loaded.skipped == 0 {
        return Ok(());
    }
    let transaction = connection.transaction()?;
    {
        let mut all = transaction.prepare("SELECT id FROM items ORDER BY id")?;
        let mut remove = transaction.prepare("DELETE FROM items WHERE id = ?1")?;
        let ids: Vec<u32> = all
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let mut kept = loaded.rows.iter().map(|row| row.id).peekable();
        for id in ids {
            if kept.next_if_eq(&id).is_none() {
                remove.execute([id])?;
            }
        }
    }
    transaction.commit()
}

/// Finishes what an earlier program was killed at: the damaged journal is out of the way, the new one not in its place.
fn finish_recovery(path: &Path) -> Result<Option<Damage>, OpenError> {
    let complete = files::beside(path, ".recovered");
    let empty = path.metadata().is_ok_and(|main| main.len() == 0);
    if !empty && files::exists(path)? {
        files::remove_database(&complete)?;
        return Ok(None);
    }
    if !files::exists(&complete)? {
        if files::exists(&files::beside(path, "-wal"))? {
            // A log alone: SQLite would remove it.
            let set_aside = files::set_aside(path)?;
            return Ok(Some(Damage {
                set_aside,
                items: 0,
                lost: None,
                why: "its main file is gone".to_owned(),
            }));
        }
        return Ok(None);
    }
    let set_aside = match files::last_aside(path)? {
        Some(aside) => {
            files::follow(path, &aside)?;
            aside
        }
        None => files::set_aside(path)?,
    };
    files::rename(&complete, path)?;
    files::sync_folder(path);
    Ok(Some(Damage {
        set_aside,
        items: 0,
        lost: None,
        why: "it was being recovered when the program ended".to_owned(),
    }))
}
