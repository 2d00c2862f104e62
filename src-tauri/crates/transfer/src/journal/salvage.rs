//! What can be read of a damaged journal.
//!
//! A page that makes no sense ends a scan of the database. So each table is read from both ends, and what lies between
//! the two places where that ended is cut in halves, each of which is read in the same way: a bad page costs what is
//! on it. Where the one is bad that leads to all of them, they are looked for one by one. Where the first page is bad, which says where the tables begin, that of a new journal takes its place: they
//! begin at the same places in all of them.

use std::collections::{HashSet, VecDeque};
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, Row, Statement, params_from_iter};

use super::error::{JournalError, OpenError};
use super::record::{JSON_LIMIT, NAME_LIMIT, Op, REQUEST_LIMIT};
use super::schema::{self, PAGE, TABLES};
use super::store::{self, ITEM_COLUMNS, WriteError};
use super::{KEEP_RECEIPTS, KIND_LIMIT, files, read};

/// Rows that are written at once.
const BATCH: usize = 4096;
/// Reads of one table that may fail before we take what there is: in all, and one after the other.
const PATIENCE: u32 = 100_000;
const FRUITLESS: u32 = 10_000;

/// So many pages are looked at by themselves.
const MOST_ORPHANS: u64 = 20_000;
/// The first byte of a page with rows (the database format, section 1.6).
const LEAF: u8 = 0x0d;
/// The page that leads to the items, and the first one in which no table begins: the same in all journals.
const ITEMS: u64 = 4;
const FIRST_FREE: u64 = 10;

/// What came of it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tally {
    /// Items that were read and made no sense.
    pub(super) senseless: u64,
    /// Whether something could not be read at all, so that nobody knows how much there was.
    pub(super) gaps: bool,
}

/// A small table: how it is read and written. The first column is the row's number.
struct Table {
    columns: &'static str,
    name: &'static str,
    insert: &'static str,
    highest: i64,
    decode: fn(&Row<'_>) -> Option<Vec<Value>>,
}

/// Numbers that SQLite gives out itself don't get near this.
const HIGHEST_NUMBER: i64 = 1 << 40;

const SMALL_TABLES: [Table; 5] = [
    Table {
        columns: "id, key",
        name: "sites",
        insert: "INSERT OR REPLACE INTO sites (id, key) VALUES (?1, ?2)",
        highest: u32::MAX as i64,
        decode: |row| {
            Some(vec![
                number(row, 0)?,
                read::text(row, 1, NAME_LIMIT)?.into(),
            ])
        },
    },
    Table {
        columns: "id, body",
        name: "options",
        insert: "INSERT OR REPLACE INTO options (id, body) VALUES (?1, ?2)",
        highest: u32::MAX as i64,
        decode: |row| {
            Some(vec![
                number(row, 0)?,
                read::json(row, 1, JSON_LIMIT)?.into(),
            ])
        },
    },
    Table {
        columns: "rowid, key, value",
        name: "settings NOT INDEXED",
        insert: "INSERT OR REPLACE INTO settings (rowid, key, value) VALUES (?1, ?2, ?3)",
        highest: HIGHEST_NUMBER,
        decode: |row| {
            let key = read::text(row, 1, NAME_LIMIT)?;
            let value = read::json(row, 2, JSON_LIMIT)?;
            Some(vec![number(row, 0)?, key.into(), value.into()])
        },
    },
    Table {
        columns: "number, item, body",
        name: "receipts",
        insert: "INSERT OR REPLACE INTO receipts (number, item, body) VALUES (?1, ?2, ?3)",
        highest: HIGHEST_NUMBER,
        decode: |row| {
            let json = read::json(row, 2, JSON_LIMIT)?;
            Some(vec![number(row, 0)?, number(row, 1)?, json.into()])
        },
    },
    Table {
        columns: "number, kind, body",
        name: "inbox",
        insert: "INSERT OR REPLACE INTO inbox (number, kind, body) VALUES (?1, ?2, ?3)",
        highest: HIGHEST_NUMBER,
        decode: |row| {
            let kind = read::text(row, 1, KIND_LIMIT)?;
            let body = read::json(row, 2, REQUEST_LIMIT)?;
            Some(vec![number(row, 0)?, kind.into(), body.into()])
        },
    },
];

fn number(row: &Row<'_>, column: usize) -> Option<Value> {
    row.get::<_, i64>(column).ok().map(Value::Integer)
}

/// Copies what is readable of the journal at `path` into the new one.
pub(super) fn salvage(path: &Path, target: &mut Connection) -> Result<Tally, OpenError> {
    let scratch = files::beside(path, ".salvage");
    let beside_scratch = files::beside(path, ".salvage-pages");
    files::remove_database(&scratch)?;
    files::remove_database(&beside_scratch)?;
    let mut tally = Tally::default();
    let source = match readable(path) {
        Some(source) => Some(source),
        None => {
            tally.gaps = true;
            patched(path, &scratch)?
        }
    };
    if let Some(source) = source {
        let fail = |error: WriteError| OpenError::database(path, error.into_journal_error(path));
        let copied = copy_items(&source, target, &mut tally).map_err(fail)?;
        if copied == 0 && tally.gaps {
            copy_orphans(path, &beside_scratch, target)?;
        }
        for table in &SMALL_TABLES {
            copy_table(&source, target, table, &mut tally).map_err(fail)?;
        }
    }
    files::remove_database(&scratch)?;
    files::remove_database(&beside_scratch)?;
    Ok(tally)
}

/// Opens a database only to read it, whatever state it is in.
fn open(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    // A file that is shorter than it says is read as far as it goes.
    connection.pragma_update(None, "writable_schema", true)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(connection)
}

/// The database, if it knows where its tables are.
fn readable(path: &Path) -> Option<Connection> {
    let connection = open(path).ok()?;
    let complete = TABLES.iter().all(|table| {
        connection
            .prepare(&format!("SELECT * FROM {table}"))
            .is_ok()
    });
    let identity = schema::identify(&connection).ok()?;
    (complete && matches!(identity, schema::Identity::Journal(_))).then_some(connection)
}

/// A copy of the database with the first page of a new one; `None` if that doesn't help.
fn patched(path: &Path, scratch: &Path) -> Result<Option<Connection>, OpenError> {
    let fail = |error| OpenError::io("copy", path, error);
    let page = first_page(scratch)?;
    std::fs::copy(path, scratch).map_err(fail)?;
    let log = files::beside(path, "-wal");
    if files::exists(&log)? {
        std::fs::copy(&log, files::beside(scratch, "-wal")).map_err(fail)?;
    }
    let mut file = File::options().write(true).open(scratch).map_err(fail)?;
    file.write_all(&page).map_err(fail)?;
    drop(file);
    Ok(readable(scratch))
}

/// The first page of a new journal, as it has to be to fit a file of any length.
fn first_page(scratch: &Path) -> Result<Vec<u8>, OpenError> {
    let fail = |error| OpenError::io("create", scratch, error);
    files::create_private(scratch).map_err(fail)?;
    let made = super::open::connect(scratch).and_then(|mut connection| {
        connection.pragma_update(None, "page_size", PAGE as i64)?;
        schema::migrate(&mut connection, 0, schema::STEPS)
    });
    made.map_err(|error| OpenError::database(scratch, JournalError::of(&error, scratch)))?;
    let mut page = vec![0; PAGE];
    File::open(scratch)
        .and_then(|mut file| file.read_exact(&mut page))
        .map_err(fail)?;
    files::remove_database(scratch)?;
    // The database format, section 1.3: it has a log; the length of the file counts, not what the header says (which
    // is believed only if the two counters are equal); there are no free pages.
    page[18..20].fill(2);
    page[24..28].copy_from_slice(&1_u32.to_be_bytes());
    page[92..96].fill(0);
    page[32..40].fill(0);
    Ok(page)
}

/// Reads the rows of a table, in no order. The first column is the row's number. Returns whether something could not be
/// read.
fn scan(
    source: &Connection,
    columns: &str,
    table: &str,
    highest: i64,
    mut take: impl FnMut(&Row<'_>) -> Result<(), WriteError>,
) -> Result<bool, WriteError> {
    let statement = |order: &str| {
        source.prepare(&format!(
            "SELECT {columns} FROM {table} WHERE rowid BETWEEN ?1 AND ?2 ORDER BY rowid {order}"
        ))
    };
    let (Ok(mut up), Ok(mut down)) = (statement("ASC"), statement("DESC")) else {
        return Ok(true);
    };
    let mut todo = VecDeque::from([(0, highest)]);
    let (mut failures, mut fruitless) = (0, 0);
    // Large gaps are halved before small ones, so that patience that ends costs as little as it can.
    while let Some((mut low, mut high)) = todo.pop_front() {
        let mut taken = false;
        let mut take = |row: &Row<'_>| {
            taken = true;
            take(row)
        };
        let whole = sweep(&mut up, true, low, high, |row, number| {
            low = number + 1;
            take(row)
        })?;
        if whole || low > high {
            continue;
        }
        let whole = sweep(&mut down, false, low, high, |row, number| {
            high = number - 1;
            take(row)
        })?;
        if whole || low > high {
            continue;
        }
        if taken {
            fruitless = 0;
        }
        failures += 1;
        fruitless += 1;
        if failures >= PATIENCE || fruitless >= FRUITLESS {
            break;
        }
        if failures == 1 {
            // Numbers are dense at their beginning, and most of what may follow was never given out.
            let mut width = 1;
            while width <= high - low {
                todo.push_back((low, low + width - 1));
                low += width;
                width *= 2;
            }
            todo.push_back((low, high));
        } else if low < high {
            let middle = low + (high - low) / 2;
            todo.push_back((low, middle));
            todo.push_back((middle + 1, high));
        }
    }
    Ok(failures > 0)
}

/// Reads rows in one direction, as far as it goes. Returns whether that is all of them.
fn sweep(
    statement: &mut Statement<'_>,
    rising: bool,
    mut low: i64,
    mut high: i64,
    mut take: impl FnMut(&Row<'_>, i64) -> Result<(), WriteError>,
) -> Result<bool, WriteError> {
    let Ok(mut rows) = statement.query([low, high]) else {
        return Ok(false);
    };
    loop {
        match rows.next() {
            Ok(None) => return Ok(true),
            Ok(Some(row)) => {
                // Pages that lead back to where we were must not send us in circles.
                let Ok(number) = row.get::<_, i64>(0) else {
                    return Ok(false);
                };
                if number < low || number > high {
                    return Ok(false);
                }
                match rising {
                    true => low = number + 1,
                    false => high = number - 1,
                }
                take(row, number)?;
            }
            Err(_) => return Ok(false),
        }
    }
}

/// Returns how many there were.
fn copy_items(
    source: &Connection,
    target: &mut Connection,
    tally: &mut Tally,
) -> Result<u64, WriteError> {
    let mut count = 0;
    let mut batch = Vec::with_capacity(BATCH);
    let highest = i64::from(u32::MAX);
    tally.gaps |= scan(source, ITEM_COLUMNS, "items", highest, |row| {
        match read::decode_item(row) {
            Some(row) => {
                count += 1;
                batch.push(Op::Put(row));
            }
            None => tally.senseless += 1,
        }
        if batch.len() == BATCH {
            store::write(target, &batch, KEEP_RECEIPTS)?;
            batch.clear();
        }
        Ok(())
    })?;
    store::write(target, &batch, KEEP_RECEIPTS)?;
    Ok(count)
}

/// Reads the items where the page is bad that leads to them: in a copy, one page after the other that may hold some
/// takes its place. Pages that were given up are left out, for what is on them was removed; what is in the log alone
/// is not found.
fn copy_orphans(path: &Path, scratch: &Path, target: &mut Connection) -> Result<(), OpenError> {
    let fail = |error| OpenError::io("copy", path, error);
    let head = first_page(scratch)?;
    let mut journal = File::open(path).map_err(fail)?;
    let pages = (journal.metadata().map_err(fail)?.len() / PAGE as u64).min(MOST_ORPHANS);
    let unused = unused_pages(&mut journal, pages).unwrap_or_default();
    std::fs::copy(path, scratch).map_err(fail)?;
    let mut copy = File::options().write(true).open(scratch).map_err(fail)?;
    copy.write_all(&head).map_err(fail)?;
    let mut page = vec![0; PAGE];
    for number in FIRST_FREE..=pages {
        read_page(&mut journal, number, &mut page).map_err(fail)?;
        if page[0] != LEAF || unused.contains(&number) {
            continue;
        }
        copy.seek(SeekFrom::Start((ITEMS - 1) * PAGE as u64))
            .and_then(|_| copy.write_all(&page))
            .map_err(fail)?;
        // Opened anew: it keeps what it has read.
        if let Some(source) = readable(scratch) {
            copy_items(&source, target, &mut Tally::default())
                .map_err(|error| OpenError::database(path, error.into_journal_error(path)))?;
        }
    }
    Ok(())
}

/// The pages that hold nothing any more, by the list that the first page leads to (the database format, section 1.5).
fn unused_pages(journal: &mut File, pages: u64) -> std::io::Result<HashSet<u64>> {
    let number = |page: &[u8], at: usize| {
        page.get(at..at + 4).map_or(0, |bytes| {
            bytes
                .iter()
                .fold(0, |all, byte| all << 8 | u64::from(*byte))
        })
    };
    let mut unused = HashSet::new();
    let mut page = vec![0; PAGE];
    read_page(journal, 1, &mut page)?;
    let mut trunk = number(&page, 32);
    while trunk > 1 && trunk <= pages && unused.insert(trunk) {
        read_page(journal, trunk, &mut page)?;
        let count = number(&page, 4).min(PAGE as u64 / 4 - 2) as usize;
        unused.extend((0..count).map(|at| number(&page, 8 + 4 * at)));
        trunk = number(&page, 0);
    }
    Ok(unused)
}

fn read_page(file: &mut File, number: u64, page: &mut [u8]) -> std::io::Result<()> {
    file.seek(SeekFrom::Start((number - 1) * PAGE as u64))?;
    file.read_exact(page)
}

fn copy_table(
    source: &Connection,
    target: &mut Connection,
    table: &Table,
    tally: &mut Tally,
) -> Result<(), WriteError> {
    let transaction = target.transaction()?;
    let mut senseless = false;
    let gaps = {
        let mut insert = transaction.prepare(table.insert)?;
        scan(source, table.columns, table.name, table.highest, |row| {
            match (table.decode)(row) {
                Some(values) => {
                    insert.execute(params_from_iter(values))?;
                }
                None => senseless = true,
            }
            Ok(())
        })?
    };
    tally.gaps |= gaps;
    if table.name == "receipts" && (gaps || senseless) {
        close_gaps(&transaction)?;
    }
    transaction.commit()?;
    Ok(())
}

/// Numbers the receipts anew, without gaps.
fn close_gaps(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "CREATE TEMP TABLE sorted AS SELECT item, body FROM receipts ORDER BY number;
         DELETE FROM receipts;
         INSERT INTO receipts (item, body) SELECT item, body FROM temp.sorted ORDER BY rowid;
         DROP TABLE temp.sorted;",
    )
}
