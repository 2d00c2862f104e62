//! The rows of a tree in a database.

use std::collections::HashMap;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};
use vfs::{FileKind, Metadata, Result, VPath, VfsError, VfsErrorKind};

/// The longest name, in bytes, as in other file systems.
const LONGEST_NAME: usize = 255;

/// The row of `/`.
const ROOT: i64 = 1;

/// A row of `node`.
#[derive(Clone, Copy)]
pub(super) struct Node {
    pub(super) id: i64,
    pub(super) dir: bool,
    mode: u32,
    /// Microseconds since 1970.
    modified: i64,
    pub(super) len: u64,
}

pub(super) fn sql(error: rusqlite::Error) -> VfsError {
    let kind = match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DiskFull) => VfsErrorKind::Full,
        Some(rusqlite::ErrorCode::ReadOnly) => VfsErrorKind::Denied,
        _ => VfsErrorKind::Io,
    };
    VfsError::new(kind, error.to_string())
}

/// SQLite has signed numbers; sizes here never come near the difference.
pub(super) fn signed(number: u64) -> Result<i64> {
    i64::try_from(number).map_err(|_| VfsErrorKind::Full.into())
}

impl Node {
    pub(super) const COLUMNS: &str = "id, dir, mode, modified, len";

    pub(super) fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            dir: row.get(1)?,
            mode: row.get(2)?,
            modified: row.get(3)?,
            len: u64::try_from(row.get::<_, i64>(4)?).unwrap_or(0),
        })
    }

    pub(super) fn facts(self) -> Metadata {
        Metadata {
            kind: if self.dir {
                FileKind::Dir
            } else {
                FileKind::File
            },
            len: self.len,
            modified: Timestamp::from_microsecond(self.modified).ok(),
            mode: self.mode,
            uid: 0,
            gid: 0,
            links: 1,
            id: Some((0, self.id.unsigned_abs())),
            target: None,
        }
    }
}

pub(super) fn child(db: &Connection, parent: i64, name: &[u8]) -> Result<Option<Node>> {
    let columns = Node::COLUMNS;
    let query = format!("SELECT {columns} FROM node WHERE parent = ?1 AND name = ?2");
    let mut query = db.prepare_cached(&query).map_err(sql)?;
    query
        .query_row(params![parent, name], Node::read)
        .optional()
        .map_err(sql)
}

pub(super) fn by_id(db: &Connection, id: i64) -> Result<Node> {
    let columns = Node::COLUMNS;
    let query = format!("SELECT {columns} FROM node WHERE id = ?1");
    let mut query = db.prepare_cached(&query).map_err(sql)?;
    query.query_row([id], Node::read).map_err(sql)
}

pub(super) fn find(db: &Connection, path: &VPath) -> Result<Node> {
    let mut at = by_id(db, ROOT)?;
    for name in path.components() {
        if !at.dir {
            return Err(VfsErrorKind::NotDir.into());
        }
        at = child(db, at.id, name)?.ok_or(VfsErrorKind::NotFound)?;
    }
    Ok(at)
}

/// The directory that a path lies in, and its name there; what is there already.
pub(super) fn split<'a>(
    db: &Connection,
    path: &'a VPath,
) -> Result<(Node, &'a [u8], Option<Node>)> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(VfsError::new(
            VfsErrorKind::Denied,
            "not on the root directory",
        ));
    };
    if name.len() > LONGEST_NAME {
        return Err(VfsErrorKind::NameInvalid.into());
    }
    let parent = find(db, &parent)?;
    if !parent.dir {
        return Err(VfsErrorKind::NotDir.into());
    }
    let there = child(db, parent.id, name)?;
    Ok((parent, name, there))
}

pub(super) fn insert(db: &Connection, parent: i64, name: &[u8], dir: bool) -> Result<i64> {
    let mode = if dir { 0o755 } else { 0o644 };
    db.execute(
        "INSERT INTO node (parent, name, dir, mode, modified) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![parent, name, dir, mode, now()],
    )
    .map_err(sql)?;
    let id = db.last_insert_rowid();
    touch(db, parent)?;
    Ok(id)
}

pub(super) fn touch(db: &Connection, id: i64) -> Result<()> {
    set(db, "modified", id, now())
}

/// `column` is one of ours, never a client's.
pub(super) fn set(db: &Connection, column: &str, id: i64, value: i64) -> Result<()> {
    let update = format!("UPDATE node SET {column} = ?2 WHERE id = ?1");
    db.execute(&update, params![id, value]).map_err(sql)?;
    Ok(())
}

/// Takes the name away, and the file with it unless somebody has it open.
pub(super) fn forget(db: &Connection, open: &HashMap<i64, usize>, id: i64) -> Result<()> {
    let statement = if open.contains_key(&id) {
        "UPDATE node SET parent = NULL, name = NULL WHERE id = ?1"
    } else {
        "DELETE FROM node WHERE id = ?1"
    };
    db.execute(statement, [id]).map_err(sql)?;
    Ok(())
}

pub(super) fn has_children(db: &Connection, id: i64) -> Result<bool> {
    let query = "SELECT EXISTS (SELECT 1 FROM node WHERE parent = ?1)";
    db.query_row(query, [id], |row| row.get(0)).map_err(sql)
}

pub(super) fn now() -> i64 {
    Timestamp::now().as_microsecond()
}
