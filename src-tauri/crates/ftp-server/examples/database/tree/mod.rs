//! A tree of files in one SQLite file, as a backend for the server: what it takes to bring a storage of one's own.
//!
//! Two tables: one row a file or directory, and the bytes of files in blocks. Calls of SQLite block, so each operation runs on a blocking
//! thread, in one transaction. That it behaves as the trait says is proven by the suite of `vfs::conformance`: see `tests/database.rs`.

mod open;
mod rows;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use rusqlite::{Connection, Transaction, params};
use vfs::{
    DirEntry, LIST_BATCH, Listing, Metadata, Result, VPath, Vfs, VfsError, VfsErrorKind, VfsRead,
    VfsWrite, WriteMode,
};

use open::{Handle, Reader, Writer};
use rows::{Node, find, forget, has_children, insert, set, signed, split, sql, touch};

/// Bytes of a file in one row.
const BLOCK: u64 = 64 * 1024;

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
            split(db, &path)?;
            let node = find(db, &path)?;
            set(db, "modified", node.id, modified.as_microsecond())
        })
        .await
    }

    async fn set_permissions(&self, path: &VPath, mode: u32) -> Result<()> {
        let path = path.clone();
        self.run(move |db, _| {
            split(db, &path)?;
            let node = find(db, &path)?;
            set(db, "mode", node.id, i64::from(mode & 0o7777))
        })
        .await
    }
}
