//! How a journal is opened: what it is, whether it is sound, and what is done if it isn't.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::error::{JournalError, OpenError};
use super::record::{Damage, Loaded};
use super::schema::Identity;
use super::{files, read, salvage, schema, store};

/// Others only write a request, or read: nobody has the database for longer.
const BUSY: Duration = Duration::from_secs(10);
/// The log is cut to this many bytes when its content was put into the database.
const LOG_LIMIT: i64 = 16 * 1024 * 1024;

/// Pages that the log may have before they are put into the database.
const SHORT_LOG: i64 = 64;
const LONG_LOG: i64 = 1000;

/// Why a journal is not ready to be used.
pub(super) enum Trouble {
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
pub(super) fn connect(path: &Path) -> rusqlite::Result<Connection> {
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
pub(super) fn visit(path: &Path, flags: OpenFlags) -> Result<(Connection, PathBuf), OpenError> {
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
pub(super) fn prepare(
    path: &Path,
    steps: &[&str],
    suspect: bool,
) -> Result<(Connection, Loaded), Trouble> {
    let fail = |error: rusqlite::Error| Trouble::of(&error, path);
    let sound = schema::is_header_sound(path);
    if !sound.map_err(|error| Trouble::Other(OpenError::io("read", path, error)))? {
        return Err(Trouble::Damaged("its header makes no sense".to_owned()));
    }
    let cut = schema::is_cut(path);
    if cut.map_err(|error| Trouble::Other(OpenError::io("read", path, error)))? {
        return Err(Trouble::Damaged("its end is missing".to_owned()));
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
        .and_then(|()| keep_log_short(&connection))
        .map_err(fail)?;
    if suspect {
        let verdict: String = connection
            .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
            .map_err(fail)?;
        if verdict != "ok" {
            // The first line names the database.
            let why = verdict.lines().last().unwrap_or_default();
            return Err(Trouble::Damaged(why.to_owned()));
        }
    }
    // A step that doesn't work is a fault of ours, and no reason to put the journal away.
    schema::migrate(&mut connection, version, steps).map_err(|error| {
        match JournalError::of(&error, path) {
            JournalError::Damaged { why } => Trouble::Damaged(why),
            other => Trouble::Other(OpenError::database(path, other)),
        }
    })?;
    let loaded = read::load(&connection).map_err(fail)?;
    read::receipts(&connection, 1, 0).map_err(fail)?;
    read::take_requests(&connection, i64::MAX - 1).map_err(fail)?;
    Ok((connection, loaded))
}

/// The log of a small journal does not become many times as long as the journal: where there is little room, it would take
/// all of it, and leave none to be put into the database.
fn keep_log_short(connection: &Connection) -> rusqlite::Result<()> {
    let pages: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0))?;
    set_log(connection, (2 * pages).clamp(SHORT_LOG, LONG_LOG))
}

/// For a journal that is becoming large.
pub(super) fn let_log_grow(connection: &Connection) -> rusqlite::Result<()> {
    set_log(connection, LONG_LOG)
}

fn set_log(connection: &Connection, pages: i64) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, "wal_autocheckpoint", pages, |_| Ok(()))
}

/// Makes a new journal of what is readable of a damaged one. Killed at any moment, it is begun again, or finished, when
/// the journal is opened the next time: the damaged file keeps its place until the new one is complete.
pub(super) fn recover(
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
    let loaded = read::load(&connection)
        .map_err(|error| OpenError::database(path, JournalError::of(&error, path)))?;
    // What belonged to what was lost is in the file that was set aside.
    drop_strays(&mut connection, &loaded)
        .and_then(|()| store::complete(&connection, &loaded))
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

/// A file of no length was cut: no journal that was closed is empty.
pub(super) fn put_empty_aside(path: &Path) -> Result<Option<Damage>, OpenError> {
    if !path.metadata().is_ok_and(|main| main.len() == 0) {
        return Ok(None);
    }
    Ok(Some(Damage {
        set_aside: files::set_aside(path)?,
        items: 0,
        lost: None,
        why: "it was empty".to_owned(),
    }))
}

/// Finishes what an earlier program was killed at: the damaged journal is out of the way, the new one not in its place.
pub(super) fn finish_recovery(path: &Path) -> Result<Option<Damage>, OpenError> {
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
