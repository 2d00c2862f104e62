//! What goes into the database.

use rusqlite::{CachedStatement, Connection, TransactionBehavior, params};

use super::error::JournalError;
use super::read::is_json;
use super::record::{HIGHEST_STATE, JSON_LIMIT, Loaded, NAME_LIMIT, Op, Row};
use crate::types::Receipt;

macro_rules! item_columns {
    () => {
        "id, parent, site, options, state, flags, priority, place, depth, size, modified, bytes, attempts, start_at, \
         name, local, detail"
    };
}

pub(super) const ITEM_COLUMNS: &str = item_columns!();
const PUT: &str = concat!(
    "INSERT OR REPLACE INTO items (",
    item_columns!(),
    ") VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17)"
);

/// Sites and options stand on a page or two, and everything belongs to one of them: so that no single bad page takes
/// the whole queue along, the settings have copies, under these names with the number behind them.
pub(super) const SITE_COPY: &str = "copy of site ";
pub(super) const OPTIONS_COPY: &str = "copy of options ";

/// Why a write did not happen.
#[derive(Debug)]
pub(super) enum WriteError {
    Refused { id: u32, why: &'static str },
    Database(rusqlite::Error),
}

impl From<rusqlite::Error> for WriteError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

impl WriteError {
    /// What it means for the journal at this path.
    pub(super) fn into_journal_error(self, path: &std::path::Path) -> JournalError {
        match self {
            Self::Refused { id, why } => JournalError::Refused { id, why },
            Self::Database(error) => JournalError::of(&error, path),
        }
    }
}

/// Writes all of it or nothing. Of the receipts, the newest `keep` stay.
pub(super) fn write(connection: &mut Connection, ops: &[Op], keep: u32) -> Result<(), WriteError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut receipts = false;
    {
        let mut put = None;
        for op in ops {
            match op {
                Op::Put(row) => {
                    if put.is_none() {
                        put = Some(transaction.prepare_cached(PUT)?);
                    }
                    if let Some(put) = &mut put {
                        put_row(put, row)?;
                    }
                }
                Op::Remove(ids) => {
                    let mut remove =
                        transaction.prepare_cached("DELETE FROM items WHERE id = ?1")?;
                    for id in ids {
                        remove.execute([id])?;
                    }
                }
                Op::Receipt(receipt) => {
                    receipts = true;
                    put_receipt(&transaction, receipt)?;
                }
                other => write_rare(&transaction, other)?,
            }
        }
        if receipts {
            transaction
                .prepare_cached(
                    "DELETE FROM receipts WHERE number <= (SELECT max(number) FROM receipts) - ?1",
                )?
                .execute([keep])?;
        }
    }
    transaction.commit()?;
    Ok(())
}

fn write_rare(connection: &Connection, op: &Op) -> Result<(), WriteError> {
    match op {
        Op::Site { id, key } => {
            if key.len() > NAME_LIMIT {
                return Err(refused("the site's key is too long"));
            }
            connection
                .prepare_cached("INSERT OR REPLACE INTO sites (id, key) VALUES (?1, ?2)")?
                .execute(params![id, key])?;
            let copy = serde_json::to_string(key)
                .map_err(|_| refused("the site's key can't be written as JSON"))?;
            put_setting(connection, &format!("{SITE_COPY}{id}"), &copy)?;
        }
        Op::Options { id, json } => {
            check_json(0, json)?;
            connection
                .prepare_cached("INSERT OR REPLACE INTO options (id, body) VALUES (?1, ?2)")?
                .execute(params![id, json])?;
            put_setting(connection, &format!("{OPTIONS_COPY}{id}"), json)?;
        }
        Op::Setting { key, value } => {
            if key.len() > NAME_LIMIT {
                return Err(refused("the setting's name is too long"));
            }
            check_json(0, value)?;
            put_setting(connection, key, value)?;
        }
        Op::Handled { request } => {
            connection
                .prepare_cached("DELETE FROM inbox WHERE number = ?1")?
                .execute([request])?;
        }
        Op::Put(_) | Op::Remove(_) | Op::Receipt(_) => {}
    }
    Ok(())
}

fn put_setting(connection: &Connection, key: &str, value: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO settings (key, value) VALUES (?1, ?2)")?
        .execute(params![key, value])?;
    Ok(())
}

/// Puts what copies have told of into the tables where it belongs.
pub(super) fn complete(connection: &Connection, loaded: &Loaded) -> rusqlite::Result<()> {
    let mut site = connection.prepare("INSERT OR IGNORE INTO sites (id, key) VALUES (?1, ?2)")?;
    for (id, key) in &loaded.sites {
        site.execute(params![id, key])?;
    }
    let mut options =
        connection.prepare("INSERT OR IGNORE INTO options (id, body) VALUES (?1, ?2)")?;
    for (id, json) in &loaded.options {
        options.execute(params![id, json])?;
    }
    Ok(())
}

fn refused(why: &'static str) -> WriteError {
    WriteError::Refused { id: 0, why }
}

fn check_state(id: u32, state: u8) -> Result<(), WriteError> {
    if state > HIGHEST_STATE {
        let why = "its state is unknown";
        return Err(WriteError::Refused { id, why });
    }
    Ok(())
}

fn check_json(id: u32, json: &str) -> Result<(), WriteError> {
    let why = if json.len() > JSON_LIMIT {
        "its details are too long"
    } else if !is_json(json) {
        "its details are no JSON"
    } else {
        return Ok(());
    };
    Err(WriteError::Refused { id, why })
}

fn put_row(put: &mut CachedStatement<'_>, row: &Row) -> Result<(), WriteError> {
    let id = row.id;
    check_state(id, row.state)?;
    if row.name.len() > NAME_LIMIT || row.local.as_ref().is_some_and(|l| l.len() > NAME_LIMIT) {
        let why = "its name is too long";
        return Err(WriteError::Refused { id, why });
    }
    if let Some(detail) = &row.detail {
        check_json(id, detail)?;
    }
    put.execute(params![
        id,
        row.parent,
        row.site,
        row.options,
        row.state,
        row.flags,
        row.priority,
        row.order,
        row.depth,
        row.size.map(u64::cast_signed),
        row.modified,
        row.bytes.cast_signed(),
        row.attempts,
        row.start_at,
        row.name,
        row.local,
        row.detail
    ])?;
    Ok(())
}

fn put_receipt(connection: &Connection, receipt: &Receipt) -> Result<(), WriteError> {
    let json = serde_json::to_string(receipt)
        .map_err(|_| refused("its receipt can't be written as JSON"))?;
    connection
        .prepare_cached("INSERT INTO receipts (item, body) VALUES (?1, ?2)")?
        .execute(params![receipt.id, json])?;
    Ok(())
}

/// Adds a request. Returns whether there was room for it among the `most` that may wait.
pub(super) fn put_request(
    connection: &Connection,
    kind: &str,
    body: &str,
    most: u32,
) -> rusqlite::Result<bool> {
    let added = connection.execute(
        "INSERT INTO inbox (kind, body) SELECT ?1, ?2 WHERE (SELECT count(*) FROM inbox) < ?3",
        params![kind, body, most],
    )?;
    Ok(added == 1)
}
