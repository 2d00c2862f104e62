//! The tables, and how they came to be what they are.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

/// In the header of each journal ("SLPW"), so that no other program's database is taken for one.
pub(super) const APPLICATION_ID: i32 = 0x534c_5057;
/// Versions above this were never given out: a file that claims one is damaged.
const HIGHEST_VERSION: i64 = 9_999;
/// The smallest unit of the file, in bytes.
pub(super) const PAGE: usize = 4096;

/// What leads from each version to the next; the first one makes version 1 out of nothing. A step that was given out is
/// never changed, and the tables of the first one keep their order: the recovery relies on where they begin.
pub(super) const STEPS: &[&str] = &["
    CREATE TABLE sites (id INTEGER PRIMARY KEY, key TEXT NOT NULL);
    CREATE TABLE options (id INTEGER PRIMARY KEY, body TEXT NOT NULL);
    CREATE TABLE items (
        id INTEGER PRIMARY KEY,
        parent INTEGER NOT NULL,
        site INTEGER NOT NULL,
        options INTEGER NOT NULL,
        state INTEGER NOT NULL,
        flags INTEGER NOT NULL,
        priority INTEGER NOT NULL,
        place INTEGER NOT NULL,
        depth INTEGER NOT NULL,
        size INTEGER,
        modified INTEGER,
        bytes INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        start_at INTEGER,
        name BLOB NOT NULL,
        local BLOB,
        detail TEXT
    );
    CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL);
    CREATE TABLE receipts (number INTEGER PRIMARY KEY, item INTEGER NOT NULL, body TEXT NOT NULL);
    CREATE TABLE inbox (number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, body TEXT NOT NULL);
"];

/// All of the tables that hold something.
pub(super) const TABLES: [&str; 6] = ["sites", "options", "items", "settings", "receipts", "inbox"];

/// What a database is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Identity {
    /// Nothing yet.
    Empty,
    /// A journal of this version.
    Journal(u32),
    /// A journal whose first page makes no sense.
    Damaged(&'static str),
    /// Another program's.
    Foreign,
}

/// Looks at the header of a journal that has one. SQLite takes some of what can be wrong with it for features of other
/// versions, or of the place that it is in.
pub(super) fn is_header_sound(path: &Path) -> io::Result<bool> {
    let mut header = [0; 100];
    match File::open(path)?.read_exact(&mut header) {
        Ok(()) => {}
        // SQLite says what it is.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(true),
        Err(error) => return Err(error),
    }
    if header[68..72] != APPLICATION_ID.to_be_bytes() {
        return Ok(true);
    }
    // The database format, section 1.3.
    Ok(header[16..18] == (PAGE as u16).to_be_bytes()
        && matches!(header[18..20], [1 | 2, 1 | 2])
        && header[20..24] == [0, 64, 32, 32]
        // The format of the tables, and UTF-8.
        && header[44..48] == 4_u32.to_be_bytes()
        && header[52..60] == [0, 0, 0, 0, 0, 0, 0, 1])
}

/// Whether the file is shorter than its header says. SQLite believes the file, and finds out when it comes to what is
/// missing, which may be long after. With a log that is not empty, the header may be ahead of the file.
pub(super) fn is_cut(path: &Path) -> io::Result<bool> {
    let mut header = [0; 100];
    let mut file = File::open(path)?;
    match file.read_exact(&mut header) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
        Err(error) => return Err(error),
    }
    // The number of pages counts only if it was written by a version that keeps it.
    let counts = header[24..28] == header[92..96];
    if header[68..72] != APPLICATION_ID.to_be_bytes() || !counts {
        return Ok(false);
    }
    let log = super::files::beside(path, "-wal");
    if log.metadata().is_ok_and(|log| log.len() > 0) {
        return Ok(false);
    }
    let pages = u32::from_be_bytes([header[28], header[29], header[30], header[31]]);
    Ok(file.metadata()?.len() < u64::from(pages) * PAGE as u64)
}

/// Looks at the header and the names of the tables.
pub(super) fn identify(connection: &Connection) -> rusqlite::Result<Identity> {
    let number = |pragma: &str| {
        connection.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get::<_, i64>(0))
    };
    let (application, version) = (number("application_id")?, number("user_version")?);
    let mut statement =
        connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' LIMIT 1000")?;
    let tables: Vec<String> = statement
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let ours = TABLES
        .iter()
        .filter(|table| tables.iter().any(|name| name == *table))
        .count();
    Ok(if application == i64::from(APPLICATION_ID) {
        match u32::try_from(version) {
            Ok(version @ 1..) if i64::from(version) <= HIGHEST_VERSION => {
                // Later versions may have other tables.
                Identity::Journal(version)
            }
            _ => Identity::Damaged("its version makes no sense"),
        }
    } else if ours == TABLES.len() {
        Identity::Damaged("its header makes no sense")
    } else if tables.is_empty() && application == 0 {
        Identity::Empty
    } else {
        Identity::Foreign
    })
}

/// Brings the tables from one version to the newest, all of it or nothing.
pub(super) fn migrate(
    connection: &mut Connection,
    from: u32,
    steps: &[&str],
) -> rusqlite::Result<()> {
    let todo = steps.iter().enumerate().skip(from as usize);
    if todo.len() == 0 {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for (_, step) in todo {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", steps.len() as i64)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.commit()
}
