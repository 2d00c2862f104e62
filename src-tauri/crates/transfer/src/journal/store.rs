//! Rows in and out of the database.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::types::ValueRef;
use rusqlite::{CachedStatement, Connection, TransactionBehavior, params};
use serde::de::IgnoredAny;

use super::error::JournalError;
use super::record::{
    HIGHEST_STATE, JSON_LIMIT, Loaded, NAME_LIMIT, Op, REQUEST_LIMIT, Request, Row, Taken,
};
use crate::types::Receipt;

/// So many requests are handed out at once, and about so many bytes of them.
const TAKE: usize = 64;
const TAKE_BYTES: usize = REQUEST_LIMIT;

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
        let mut state = None;
        for op in ops {
            match op {
                Op::Put(row) => put_row(prepared(&transaction, &mut put, PUT)?, row)?,
                Op::State {
                    id,
                    state: value,
                    bytes,
                } => {
                    check_state(*id, *value)?;
                    prepared(
                        &transaction,
                        &mut state,
                        "UPDATE items SET state = ?2, bytes = ?3 WHERE id = ?1",
                    )?
                    .execute(params![id, value, bytes.cast_signed()])?;
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
        }
        Op::Options { id, json } => {
            check_json(0, json)?;
            connection
                .prepare_cached("INSERT OR REPLACE INTO options (id, body) VALUES (?1, ?2)")?
                .execute(params![id, json])?;
        }
        Op::Setting { key, value } => {
            if key.len() > NAME_LIMIT {
                return Err(refused("the setting's name is too long"));
            }
            check_json(0, value)?;
            connection
                .prepare_cached("INSERT OR REPLACE INTO settings (key, value) VALUES (?1, ?2)")?
                .execute(params![key, value])?;
        }
        Op::Handled { request } => {
            connection
                .prepare_cached("DELETE FROM inbox WHERE number = ?1")?
                .execute([request])?;
        }
        Op::Put(_) | Op::State { .. } | Op::Remove(_) | Op::Receipt(_) => {}
    }
    Ok(())
}

/// A statement that is made when it is needed for the first time within a transaction.
fn prepared<'slot, 'connection>(
    connection: &'connection Connection,
    slot: &'slot mut Option<CachedStatement<'connection>>,
    sql: &str,
) -> rusqlite::Result<&'slot mut CachedStatement<'connection>> {
    if slot.is_none() {
        *slot = Some(connection.prepare_cached(sql)?);
    }
    slot.as_mut().ok_or(rusqlite::Error::InvalidQuery)
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

fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
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

/// A whole number that fits.
fn number<T: TryFrom<i64>>(row: &rusqlite::Row<'_>, column: usize) -> Option<T> {
    match row.get_ref(column).ok()? {
        ValueRef::Integer(value) => T::try_from(value).ok(),
        _ => None,
    }
}

/// A whole number or nothing. The outer `None` is something else.
fn maybe_number(row: &rusqlite::Row<'_>, column: usize) -> Option<Option<i64>> {
    match row.get_ref(column).ok()? {
        ValueRef::Integer(value) => Some(Some(value)),
        ValueRef::Null => Some(None),
        _ => None,
    }
}

/// Text of a bounded length.
pub(super) fn text(row: &rusqlite::Row<'_>, column: usize, limit: usize) -> Option<String> {
    match row.get_ref(column).ok()? {
        ValueRef::Text(text) if text.len() <= limit => {
            Some(std::str::from_utf8(text).ok()?.to_owned())
        }
        _ => None,
    }
}

/// JSON of a bounded length.
pub(super) fn json(row: &rusqlite::Row<'_>, column: usize, limit: usize) -> Option<String> {
    text(row, column, limit).filter(|text| is_json(text))
}

fn maybe_name(row: &rusqlite::Row<'_>, column: usize) -> Option<Option<Vec<u8>>> {
    match row.get_ref(column).ok()? {
        ValueRef::Blob(name) if name.len() <= NAME_LIMIT => Some(Some(name.to_owned())),
        ValueRef::Null => Some(None),
        _ => None,
    }
}

/// A number, and what goes with it: a row of the small tables.
pub(super) fn decode_pair(
    row: &rusqlite::Row<'_>,
    value: impl Fn(&rusqlite::Row<'_>) -> Option<String>,
) -> Option<(u32, String)> {
    Some((number(row, 0)?, value(row)?))
}

/// An item with [`ITEM_COLUMNS`]; `None` if it makes no sense.
pub(super) fn decode_item(row: &rusqlite::Row<'_>) -> Option<Row> {
    Some(Row {
        id: number(row, 0).filter(|id| *id != 0)?,
        parent: number(row, 1)?,
        site: number(row, 2)?,
        options: number(row, 3)?,
        state: number(row, 4).filter(|state| *state <= HIGHEST_STATE)?,
        flags: number(row, 5)?,
        priority: number(row, 6)?,
        order: number(row, 7)?,
        depth: number(row, 8)?,
        size: maybe_number(row, 9)?.map(i64::cast_unsigned),
        modified: maybe_number(row, 10)?,
        bytes: number::<i64>(row, 11)?.cast_unsigned(),
        attempts: number(row, 12)?,
        start_at: maybe_number(row, 13)?,
        name: maybe_name(row, 14)??,
        local: maybe_name(row, 15)?,
        detail: match row.get_ref(16).ok()? {
            ValueRef::Null => None,
            _ => Some(json(row, 16, JSON_LIMIT)?),
        },
    })
}

/// Everything but the receipts, of one moment.
pub(super) fn load(connection: &Connection) -> rusqlite::Result<Loaded> {
    let transaction = connection.unchecked_transaction()?;
    let mut loaded = Loaded::default();
    let mut skipped = 0;
    let mut keep = |good: bool| skipped += u64::from(!good);
    let pairs = |sql: &str, limit, is_json: bool, keep: &mut dyn FnMut(bool)| {
        let mut pairs = BTreeMap::new();
        let mut statement = transaction.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let pair = decode_pair(row, |row| match is_json {
                true => json(row, 1, limit),
                false => text(row, 1, limit),
            });
            keep(pair.is_some());
            pairs.extend(pair);
        }
        Ok::<_, rusqlite::Error>(pairs)
    };
    loaded.sites = pairs("SELECT id, key FROM sites", NAME_LIMIT, false, &mut keep)?;
    loaded.options = pairs("SELECT id, body FROM options", JSON_LIMIT, true, &mut keep)?;
    {
        let mut statement = transaction.prepare("SELECT key, value FROM settings")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let pair = text(row, 0, NAME_LIMIT).zip(json(row, 1, JSON_LIMIT));
            keep(pair.is_some());
            loaded.settings.extend(pair);
        }
        let mut statement =
            transaction.prepare(&format!("SELECT {ITEM_COLUMNS} FROM items ORDER BY id"))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let item = decode_item(row);
            keep(item.is_some());
            loaded.rows.extend(item);
            if let Some(id) = number(row, 0) {
                loaded.highest_id = id;
            }
        }
    }
    transaction.commit()?;
    let sites = loaded.sites.keys().copied().collect();
    skipped += super::family::drop_strays(&mut loaded.rows, &sites);
    loaded.skipped = skipped;
    Ok(loaded)
}

/// Receipts, newest first. What makes no sense is left out.
pub(super) fn receipts(
    connection: &Connection,
    limit: u32,
    offset: u64,
) -> rusqlite::Result<Vec<Receipt>> {
    // They are numbered without gaps, so that the first one is found at once.
    let mut statement = connection.prepare_cached(
        "SELECT body FROM receipts WHERE number <= (SELECT max(number) FROM receipts) - ?1 \
         ORDER BY number DESC LIMIT ?2",
    )?;
    let offset = i64::try_from(offset).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![offset, limit])?;
    let mut receipts = Vec::new();
    while let Some(row) = rows.next()? {
        let receipt = text(row, 0, JSON_LIMIT).and_then(|text| serde_json::from_str(&text).ok());
        if receipt.is_none() {
            tracing::warn!("a receipt in the journal makes no sense");
        }
        receipts.extend(receipt);
    }
    Ok(receipts)
}

/// How many receipts there are.
pub(super) fn receipt_count(connection: &Connection) -> rusqlite::Result<u64> {
    connection
        .prepare_cached("SELECT coalesce(max(number) - min(number) + 1, 0) FROM receipts")?
        .query_row([], |row| row.get::<_, i64>(0))
        .map(i64::cast_unsigned)
}

/// Requests after this number, and the number of the last one that was looked at. What makes no sense is removed.
pub(super) fn take_requests(
    connection: &Connection,
    after: i64,
) -> rusqlite::Result<(Vec<Taken>, i64)> {
    let mut statement = connection
        .prepare_cached("SELECT number, kind, body FROM inbox WHERE number > ?1 ORDER BY number")?;
    let mut taken = Vec::new();
    let mut senseless = BTreeSet::new();
    let (mut last, mut bytes) = (after, 0);
    {
        let mut rows = statement.query([after])?;
        while taken.len() + senseless.len() < TAKE
            && bytes < TAKE_BYTES
            && let Some(row) = rows.next()?
        {
            let Some(number) = number(row, 0) else { break };
            last = number;
            let request = decode_request(row, &mut bytes);
            match request {
                Some(request) => taken.push(Taken { number, request }),
                None => {
                    senseless.insert(number);
                }
            }
        }
    }
    for number in senseless {
        tracing::warn!(number, "a request in the journal makes no sense");
        connection
            .prepare_cached("DELETE FROM inbox WHERE number = ?1")?
            .execute([number])?;
    }
    Ok((taken, last))
}

fn decode_request(row: &rusqlite::Row<'_>, bytes: &mut usize) -> Option<Request> {
    let kind = text(row, 1, super::KIND_LIMIT)?;
    let body = text(row, 2, REQUEST_LIMIT)?;
    *bytes += body.len();
    let body = serde_json::from_str(&body).ok()?;
    Some(Request { kind, body })
}
