//! What comes out of the database. Nothing in it is taken for granted.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, params};
use serde::de::IgnoredAny;

use super::record::{
    HIGHEST_STATE, JSON_LIMIT, Loaded, NAME_LIMIT, REQUEST_LIMIT, Request, Row, Taken,
};
use super::store::{ITEM_COLUMNS, OPTIONS_COPY, SITE_COPY};
use super::{KIND_LIMIT, family};
use crate::types::Receipt;

/// So many requests are handed out at once, and about so many bytes of them.
const TAKE: usize = 64;
const TAKE_BYTES: usize = REQUEST_LIMIT;

pub(super) fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
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
            if let Some((key, value)) = pair
                && !take_copy(&mut loaded, &key, &value)
            {
                loaded.settings.insert(key, value);
            }
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
    skipped += family::drop_strays(&mut loaded.rows, &sites);
    loaded.skipped = skipped;
    Ok(loaded)
}

/// Whether a setting is the copy of a site or of options, which are taken from it where their own table has lost them.
fn take_copy(loaded: &mut Loaded, key: &str, value: &str) -> bool {
    if let Some(id) = key.strip_prefix(SITE_COPY) {
        if let (Ok(id), Ok(site)) = (id.parse(), serde_json::from_str(value)) {
            loaded.sites.entry(id).or_insert(site);
        }
        return true;
    }
    if let Some(id) = key.strip_prefix(OPTIONS_COPY) {
        if let Ok(id) = id.parse() {
            let options = loaded.options.entry(id);
            options.or_insert_with(|| value.to_owned());
        }
        return true;
    }
    false
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

/// The last receipt of an item.
pub(super) fn receipt(connection: &Connection, id: u32) -> rusqlite::Result<Option<Receipt>> {
    let mut statement = connection
        .prepare_cached("SELECT body FROM receipts WHERE item = ?1 ORDER BY number DESC LIMIT 1")?;
    let mut rows = statement.query(params![id])?;
    match rows.next()? {
        Some(row) => Ok(text(row, 0, JSON_LIMIT).and_then(|text| serde_json::from_str(&text).ok())),
        None => Ok(None),
    }
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
    let kind = text(row, 1, KIND_LIMIT)?;
    let body = text(row, 2, REQUEST_LIMIT)?;
    *bytes += body.len();
    let body = serde_json::from_str(&body).ok()?;
    Some(Request { kind, body })
}
