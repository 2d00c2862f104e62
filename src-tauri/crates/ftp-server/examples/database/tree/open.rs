//! Open files of a tree in a database.

use async_trait::async_trait;
use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, params};
use vfs::{Result, VfsRead, VfsWrite};

use super::rows::{by_id, set, signed, sql, touch};
use super::{BLOCK, DatabaseTree};

/// An open file: as long as there is one, its bytes stay.
pub(super) struct Handle {
    pub(super) tree: DatabaseTree,
    pub(super) id: i64,
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

pub(super) struct Reader {
    pub(super) file: Handle,
    pub(super) position: u64,
    pub(super) remaining: u64,
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

pub(super) struct Writer {
    pub(super) file: Handle,
    /// Where the next byte goes; none: at the end, wherever that is.
    pub(super) position: Option<u64>,
    /// What the file held goes with the first byte.
    pub(super) cut: bool,
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
