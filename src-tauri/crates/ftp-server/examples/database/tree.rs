//! A tree of files in one SQLite file, as a backend for the server: what it takes to bring a storage of one's own.
//!
//! Two tables: one row a file or directory, and the bytes of files in blocks. Calls of SQLite block, so each operation runs on a blocking
//! thread, in one transaction. That it behaves as the trait says is proven by the suite of `vfs::conformance`: see `tests/database.rs`.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use vfs::{
    DirEntry, FileKind, LIST_BATCH, Listing, Metadata, Result, VPath, Vfs, VfsError, VfsErrorKind,
    VfsRead, VfsWrite, WriteMode,
};

/// Bytes of a file in one row.
const BLOCK: u64 = 64 * 1024;

/// The longest name, in bytes, as in other file systems.
const LONGEST_NAME: usize = 255;

/// The row of `/`.
const ROOT: i64 = 1;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS node (
        id INTEGER PRIMARY KEY,
        parent INTEGER REFERENCES node,
        name BLOB,
        dir INTEGER NOT NULL,
        mode INTEGER NOT NULL,
        modified INTEGER NOT NULL,
        len INTEGER NOT NULL DEFAULT 0,
        UNIQUE (parent, name)
    );
    CREATE TABLE IF NOT EXISTS block (
        node INTEGER NOT NULL REFERENCES node ON DELETE CASCADE,
        number INTEGER NOT NULL,
        data BLOB NOT NULL,
        PRIMARY KEY (node, number)
    );
    INSERT OR IGNORE INTO node (id, dir, mode, modified) VALUES (1, 1, 493, 0);
    -- What was deleted while somebody had it open, when the program ended.
    DELETE FROM node WHERE parent IS NULL AND id <> 1;
";

/// The tree. A clone is another handle of the same one.
#[derive(Clone)]
pub(crate) struct DatabaseTree {
    shared: Arc<Mutex<Database>>,
}

struct Database {
    connection: Connection,
    /// How often a file is open: it outlives its name until the last one lets go.
    open: HashMap<i64, usize>,
}

/// A row of `node`.
#[derive(Clone, Copy)]
struct Node {
    id: i64,
    dir: bool,
    mode: u32,
    /// Microseconds since 1970.
    modified: i64,
    len: u64,
}

impl DatabaseTree {
    /// Opens the tree in this file, which is made if it isn't there. Blocks.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let connection = Connection::open(path).map_err(sql)?;
        let set = connection.pragma_update(None, "foreign_keys", true);
        set.and_then(|()| {
            connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))
        })
        .and_then(|()| connection.execute_batch(SCHEMA))
        .map_err(sql)?;
        let open = HashMap::new();
        let shared = Arc::new(Mutex::new(Database { connection, open }));
        Ok(Self { shared })
    }

    fn lock(&self) -> MutexGuard<'_, Database> {
        // A panic in the middle has rolled its transaction back.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `work` in a transaction on a blocking thread.
    async fn run<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>, &mut HashMap<i64, usize>) -> Result<T> + Send + 'static,
    {
        let tree = self.clone();
        let done = tokio::task::spawn_blocking(move || {
            let mut database = tree.lock();
            let Database { connection, open } = &mut *database;
            let transaction = connection.transaction().map_err(sql)?;
            let result = work(&transaction, open)?;
            transaction.commit().map_err(sql)?;
            Ok(result)
        });
        done.await.unwrap_or_else(|_| Err(VfsErrorKind::Io.into()))
    }

    fn handle(&self, id: i64) -> Handle {
        let tree = self.clone();
        Handle { tree, id }
    }
}

fn sql(error: rusqlite::Error) -> VfsError {
    let kind = match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DiskFull) => VfsErrorKind::Full,
        Some(rusqlite::ErrorCode::ReadOnly) => VfsErrorKind::Denied,
        _ => VfsErrorKind::Io,
    };
    VfsError::new(kind, error.to_string())
}

/// SQLite has signed numbers; sizes here never come near the difference.
fn signed(number: u64) -> Result<i64> {
    i64::try_from(number).map_err(|_| VfsErrorKind::Full.into())
}

impl Node {
    const COLUMNS: &str = "id, dir, mode, modified, len";

    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            dir: row.get(1)?,
            mode: row.get(2)?,
            modified: row.get(3)?,
            len: u64::try_from(row.get::<_, i64>(4)?).unwrap_or(0),
        })
    }

    fn facts(self) -> Metadata {
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

fn child(db: &Connection, parent: i64, name: &[u8]) -> Result<Option<Node>> {
    let columns = Node::COLUMNS;
    let query = format!("SELECT {columns} FROM node WHERE parent = ?1 AND name = ?2");
    let mut query = db.prepare_cached(&query).map_err(sql)?;
    query
        .query_row(params![parent, name], Node::read)
        .optional()
        .map_err(sql)
}

fn by_id(db: &Connection, id: i64) -> Result<Node> {
    let columns = Node::COLUMNS;
    let query = format!("SELECT {columns} FROM node WHERE id = ?1");
    let mut query = db.prepare_cached(&query).map_err(sql)?;
    query.query_row([id], Node::read).map_err(sql)
}

fn find(db: &Connection, path: &VPath) -> Result<Node> {
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
fn split<'a>(db: &Connection, path: &'a VPath) -> Result<(Node, &'a [u8], Option<Node>)> {
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

fn insert(db: &Connection, parent: i64, name: &[u8], dir: bool) -> Result<i64> {
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

fn touch(db: &Connection, id: i64) -> Result<()> {
    set(db, "modified", id, now())
}

/// `column` is one of ours, never a client's.
fn set(db: &Connection, column: &str, id: i64, value: i64) -> Result<()> {
    let update = format!("UPDATE node SET {column} = ?2 WHERE id = ?1");
    db.execute(&update, params![id, value]).map_err(sql)?;
    Ok(())
}

/// Takes the name away, and the file with it unless somebody has it open.
fn forget(db: &Connection, open: &HashMap<i64, usize>, id: i64) -> Result<()> {
    let statement = if open.contains_key(&id) {
        "UPDATE node SET parent = NULL, name = NULL WHERE id = ?1"
    } else {
        "DELETE FROM node WHERE id = ?1"
    };
    db.execute(statement, [id]).map_err(sql)?;
    Ok(())
}

fn has_children(db: &Connection, id: i64) -> Result<bool> {
    let query = "SELECT EXISTS (SELECT 1 FROM node WHERE parent = ?1)";
    db.query_row(query, [id], |row| row.get(0)).map_err(sql)
}

fn now() -> i64 {
    Timestamp::now().as_microsecond()
}

#[async_trait]
impl Vfs for DatabaseTree {
    async fn metadata(&self, path: &VPath) -> Result<Metadata> {
        let path = path.clone();
        self.run(move |db, _| Ok(find(db, &path)?.facts())).await
    }

    async fn symlink_metadata(&self, path: &VPath) -> Result<Metadata> {
        self.metadata(path).await
    }

    async fn list(&self, path: &VPath) -> Result<Listing> {
        let path = path.clone();
        let dir = self.run(move |db, _| find(db, &path)).await?;
        if !dir.dir {
            return Err(VfsErrorKind::NotDir.into());
        }
        // Each batch goes on behind the last name: nothing is held between them.
        let start = (self.clone(), None::<Vec<u8>>);
        let batches = stream::try_unfold(start, move |(tree, last)| async move {
            let batch = tree
                .run(move |db, _| {
                    let columns = Node::COLUMNS;
                    let query = format!(
                        "SELECT {columns}, name FROM node WHERE parent = ?1 AND (?2 IS NULL OR name > ?2)
                         ORDER BY name LIMIT ?3"
                    );
                    let mut query = db.prepare_cached(&query).map_err(sql)?;
                    let limit = signed(LIST_BATCH as u64)?;
                    let rows = query.query_map(params![dir.id, last, limit], |row| {
                        Ok(DirEntry {
                            metadata: Node::read(row)?.facts(),
                            name: row.get(5)?,
                        })
                    });
                    let rows = rows.map_err(sql)?.collect::<rusqlite::Result<Vec<_>>>();
                    rows.map_err(sql)
                })
                .await?;
            let last = batch.last().map(|entry| entry.name.clone());
            Ok(last.map(|last| (batch, (tree, Some(last)))))
        });
        Ok(batches.boxed())
    }

    async fn open_read(&self, path: &VPath, offset: u64) -> Result<Box<dyn VfsRead>> {
        let path = path.clone();
        let open = move |db: &Transaction<'_>, open: &mut HashMap<i64, usize>| {
            let node = find(db, &path)?;
            if node.dir {
                return Err(VfsErrorKind::IsDir.into());
            }
            if offset > node.len {
                return Err(VfsErrorKind::Range.into());
            }
            *open.entry(node.id).or_default() += 1;
            Ok(node)
        };
        let node = self.run(open).await?;
        Ok(Box::new(Reader {
            file: self.handle(node.id),
            position: offset,
            remaining: node.len - offset,
        }))
    }

    async fn open_write(&self, path: &VPath, mode: WriteMode) -> Result<Box<dyn VfsWrite>> {
        if path.is_root() {
            return Err(VfsErrorKind::IsDir.into());
        }
        let path = path.clone();
        let open = move |db: &Transaction<'_>, open: &mut HashMap<i64, usize>| {
            let (parent, name, there) = split(db, &path)?;
            let (id, len) = match there {
                Some(node) if node.dir => return Err(VfsErrorKind::IsDir.into()),
                Some(_) if mode == WriteMode::CreateNew => return Err(VfsErrorKind::Exists.into()),
                Some(node) => (node.id, node.len),
                None if matches!(mode, WriteMode::At(offset) if offset > 0) => {
                    return Err(VfsErrorKind::NotFound.into());
                }
                None => (insert(db, parent.id, name, false)?, 0),
            };
            let position = match mode {
                WriteMode::Truncate | WriteMode::CreateNew => Some(0),
                WriteMode::Append => None,
                WriteMode::At(offset) if offset > len => return Err(VfsErrorKind::Range.into()),
                WriteMode::At(offset) => Some(offset),
            };
            *open.entry(id).or_default() += 1;
            Ok((id, position))
        };
        let (id, position) = self.run(open).await?;
        Ok(Box::new(Writer {
            file: self.handle(id),
            position,
            cut: mode == WriteMode::Truncate,
        }))
    }

    async fn mkdir(&self, path: &VPath) -> Result<()> {
        if path.is_root() {
            return Err(VfsErrorKind::Exists.into());
        }
        let path = path.clone();
        self.run(move |db, _| match split(db, &path)? {
            (_, _, Some(_)) => Err(VfsErrorKind::Exists.into()),
            (parent, name, None) => insert(db, parent.id, name, true).map(drop),
        })
        .await
    }

    async fn rmdir(&self, path: &VPath) -> Result<()> {
        let path = path.clone();
        self.run(move |db, open| match split(db, &path)? {
            (_, _, None) => Err(VfsErrorKind::NotFound.into()),
            (_, _, Some(node)) if !node.dir => Err(VfsErrorKind::NotDir.into()),
            (_, _, Some(node)) if has_children(db, node.id)? => Err(VfsErrorKind::NotEmpty.into()),
            (parent, _, Some(node)) => {
                forget(db, open, node.id)?;
                touch(db, parent.id)
            }
        })
        .await
    }

    async fn unlink(&self, path: &VPath) -> Result<()> {
        let path = path.clone();
        self.run(move |db, open| match split(db, &path)? {
            (_, _, None) => Err(VfsErrorKind::NotFound.into()),
            (_, _, Some(node)) if node.dir => Err(VfsErrorKind::IsDir.into()),
            (parent, _, Some(node)) => {
                forget(db, open, node.id)?;
                touch(db, parent.id)
            }
        })
        .await
    }

    async fn rename(&self, from: &VPath, to: &VPath) -> Result<()> {
        let (from, to) = (from.clone(), to.clone());
        self.run(move |db, open| {
            let (old, _, moved) = split(db, &from)?;
            let moved = moved.ok_or(VfsErrorKind::NotFound)?;
            let (new, name, there) = split(db, &to)?;
            if from == to {
                return Ok(());
            }
            if to.starts_with(&from) {
                let text = "a directory can't move into itself";
                return Err(VfsError::new(VfsErrorKind::NameInvalid, text));
            }
            match there {
                Some(node) if moved.dir && !node.dir => return Err(VfsErrorKind::NotDir.into()),
                Some(node) if !moved.dir && node.dir => return Err(VfsErrorKind::IsDir.into()),
                Some(node) if node.dir && has_children(db, node.id)? => {
                    return Err(VfsErrorKind::NotEmpty.into());
                }
                Some(node) => forget(db, open, node.id)?,
                None => {}
            }
            db.execute(
                "UPDATE node SET parent = ?2, name = ?3 WHERE id = ?1",
                params![moved.id, new.id, name],
            )
            .map_err(sql)?;
            touch(db, old.id)?;
            touch(db, new.id)
        })
        .await
    }

    async fn set_modified(&self, path: &VPath, modified: Timestamp) -> Result<()> {
        let path = path.clone();
        self.run(move |db, _| {
            let node = find(db, &path)?;
            set(db, "modified", node.id, modified.as_microsecond())
        })
        .await
    }

    async fn set_permissions(&self, path: &VPath, mode: u32) -> Result<()> {
        let path = path.clone();
        self.run(move |db, _| {
            let node = find(db, &path)?;
            set(db, "mode", node.id, i64::from(mode & 0o7777))
        })
        .await
    }
}

/// An open file: as long as there is one, its bytes stay.
struct Handle {
    tree: DatabaseTree,
    id: i64,
}

impl Drop for Handle {
    fn drop(&mut self) {
        let (tree, id) = (self.tree.clone(), self.id);
        let close = move || {
            let mut database = tree.lock();
            let Some(count) = database.open.get_mut(&id) else {
                return;
            };
            *count -= 1;
            if *count == 0 {
                database.open.remove(&id);
                let delete = "DELETE FROM node WHERE id = ?1 AND parent IS NULL AND id <> 1";
                // What stays behind is deleted when the tree is opened again.
                let _ = database.connection.execute(delete, [id]);
            }
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(close)),
            Err(_) => close(),
        }
    }
}

struct Reader {
    file: Handle,
    position: u64,
    remaining: u64,
}

#[async_trait]
impl VfsRead for Reader {
    async fn read_chunk(&mut self, max: usize) -> Result<Bytes> {
        let (id, from) = (self.file.id, self.position);
        let chunk = self
            .file
            .tree
            .run(move |db, _| {
                let query = "SELECT data FROM block WHERE node = ?1 AND number = ?2";
                let mut query = db.prepare_cached(query).map_err(sql)?;
                let block = query.query_row(params![id, signed(from / BLOCK)?], |row| {
                    let data = row.get_ref(0)?.as_blob()?;
                    let start = usize::try_from(from % BLOCK).unwrap_or(usize::MAX);
                    let data = data.get(start..).unwrap_or_default();
                    Ok(Bytes::copy_from_slice(&data[..data.len().min(max.max(1))]))
                });
                Ok(block.optional().map_err(sql)?.unwrap_or_default())
            })
            .await?;
        self.position += chunk.len() as u64;
        Ok(chunk)
    }

    fn remaining(&self) -> u64 {
        self.remaining
    }
}

struct Writer {
    file: Handle,
    /// Where the next byte goes; none: at the end, wherever that is.
    position: Option<u64>,
    /// What the file held goes with the first byte.
    cut: bool,
}

impl Writer {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        let (id, position, cut) = (self.file.id, self.position, self.cut);
        let end = self
            .file
            .tree
            .run(move |db, _| {
                if cut {
                    db.execute("DELETE FROM block WHERE node = ?1", [id])
                        .map_err(sql)?;
                    set(db, "len", id, 0)?;
                }
                let len = by_id(db, id)?.len;
                // Another writer may have cut the file meanwhile: go on at its end rather than leave a hole.
                let start = position.map_or(len, |position| position.min(len));
                let end = write_blocks(db, id, start, &chunk)?;
                if end > len {
                    set(db, "len", id, signed(end)?)?;
                }
                if cut || !chunk.is_empty() {
                    touch(db, id)?;
                }
                Ok(end)
            })
            .await?;
        self.cut = false;
        if let Some(position) = &mut self.position {
            *position = end;
        }
        Ok(())
    }
}

/// Writes `data` from `at` on, and says where it ends.
fn write_blocks(db: &Connection, id: i64, mut at: u64, mut data: &[u8]) -> Result<u64> {
    let mut old = db
        .prepare_cached("SELECT data FROM block WHERE node = ?1 AND number = ?2")
        .map_err(sql)?;
    let mut put = db
        .prepare_cached("INSERT OR REPLACE INTO block (node, number, data) VALUES (?1, ?2, ?3)")
        .map_err(sql)?;
    while !data.is_empty() {
        let number = signed(at / BLOCK)?;
        // Smaller than a block.
        let start = (at % BLOCK) as usize;
        let (now, later) = data.split_at(data.len().min(BLOCK as usize - start));
        let whole: Option<Vec<u8>> = old
            .query_row(params![id, number], |row| row.get(0))
            .optional()
            .map_err(sql)?;
        let mut block = whole.unwrap_or_default();
        let end = start + now.len();
        if block.len() < end {
            block.resize(end, 0);
        }
        block[start..end].copy_from_slice(now);
        put.execute(params![id, number, block]).map_err(sql)?;
        at += now.len() as u64;
        data = later;
    }
    Ok(at)
}

#[async_trait]
impl VfsWrite for Writer {
    async fn write_chunk(&mut self, chunk: Bytes) -> Result<()> {
        self.write(chunk).await
    }

    async fn finish(&mut self) -> Result<()> {
        if self.cut {
            self.write(Bytes::new()).await?;
        }
        Ok(())
    }
}
