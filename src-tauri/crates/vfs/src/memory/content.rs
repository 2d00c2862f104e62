//! The bytes of a file in memory, and the bound of them all.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use jiff::Timestamp;

use crate::{CHUNK, FileKind, Metadata, Result, VfsErrorKind};

/// What a name costs besides its own bytes: the node, the map around it.
const NODE_COST: u64 = 256;

/// How many bytes a tree has, and may have.
pub(super) struct Budget {
    used: AtomicU64,
    max: u64,
}

impl Budget {
    pub(super) fn new(max: u64) -> Self {
        Self {
            used: AtomicU64::new(0),
            max,
        }
    }

    pub(super) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    pub(super) fn left(&self) -> u64 {
        self.max.saturating_sub(self.used())
    }

    /// Takes the cost of one more name.
    pub(super) fn name(self: &Arc<Self>, name: &[u8]) -> Result<NameCost> {
        let bytes = NODE_COST + name.len() as u64;
        self.take(bytes)?;
        Ok(NameCost {
            budget: Arc::clone(self),
            bytes,
        })
    }

    fn take(&self, bytes: u64) -> Result<()> {
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(bytes).filter(|sum| *sum <= self.max)
            })
            .map(drop)
            .map_err(|_| VfsErrorKind::Full.into())
    }

    fn give_back(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// The share of one name; given back when it is dropped.
pub(super) struct NameCost {
    budget: Arc<Budget>,
    bytes: u64,
}

impl Drop for NameCost {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
    }
}

/// One file. Open readers and writers share it with the tree, so that deleting it takes nothing from them.
pub(super) struct File {
    inner: Mutex<Inner>,
    budget: Arc<Budget>,
    _cost: NameCost,
}

struct Inner {
    /// All but the last are exactly [`CHUNK`] long: growing a file never copies what is there.
    blocks: Vec<Vec<u8>>,
    len: u64,
    modified: Timestamp,
    mode: u32,
}

impl File {
    pub(super) fn new(budget: Arc<Budget>, cost: NameCost, now: Timestamp) -> Self {
        Self {
            inner: Mutex::new(Inner {
                blocks: Vec::new(),
                len: 0,
                modified: now,
                mode: 0o644,
            }),
            budget,
            _cost: cost,
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.lock().len
    }

    pub(super) fn facts(&self) -> Metadata {
        let inner = self.lock();
        Metadata {
            kind: FileKind::File,
            len: inner.len,
            modified: Some(inner.modified),
            mode: inner.mode,
            uid: 0,
            gid: 0,
            links: 1,
            id: None,
            target: None,
        }
    }

    pub(super) fn set_modified(&self, modified: Timestamp) {
        self.lock().modified = modified;
    }

    pub(super) fn set_mode(&self, mode: u32) {
        self.lock().mode = mode;
    }

    pub(super) fn truncate(&self, now: Timestamp) {
        let mut inner = self.lock();
        self.budget.give_back(inner.len);
        inner.blocks = Vec::new();
        inner.len = 0;
        inner.modified = now;
    }

    /// At most `max` bytes from `position` on; none at or behind the end. Never more than one block.
    pub(super) fn read(&self, position: u64, max: usize) -> Bytes {
        let inner = self.lock();
        if position >= inner.len {
            return Bytes::new();
        }
        let (block, start) = locate(position);
        let Some(block) = inner.blocks.get(block) else {
            return Bytes::new();
        };
        let end = block.len().min(start.saturating_add(max));
        Bytes::copy_from_slice(block.get(start..end).unwrap_or_default())
    }

    /// Writes all of `data` at `position` or at the end, all or nothing, and says where the next byte goes.
    pub(super) fn write(
        &self,
        position: Option<u64>,
        mut data: &[u8],
        now: Timestamp,
    ) -> Result<u64> {
        let mut inner = self.lock();
        // Another writer may have cut the file meanwhile: go on at its end rather than leave a hole.
        let mut at = position.map_or(inner.len, |p| p.min(inner.len));
        let end = at + data.len() as u64;
        if end > inner.len {
            self.budget.take(end - inner.len)?;
            inner.len = end;
        }
        inner.modified = now;
        while !data.is_empty() {
            let (index, start) = locate(at);
            if index == inner.blocks.len() {
                inner.blocks.push(Vec::new());
            }
            let block = &mut inner.blocks[index];
            let (now_part, later) = data.split_at(data.len().min(CHUNK - start));
            let over = now_part.len().min(block.len() - start);
            block[start..start + over].copy_from_slice(&now_part[..over]);
            block.extend_from_slice(&now_part[over..]);
            at += now_part.len() as u64;
            data = later;
        }
        Ok(end)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        self.budget.give_back(self.len());
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

/// The block that a position lies in, and where in it.
fn locate(position: u64) -> (usize, usize) {
    let chunk = CHUNK as u64;
    (
        usize::try_from(position / chunk).unwrap_or(usize::MAX),
        // Smaller than a chunk, which is a usize.
        (position % chunk) as usize,
    )
}
