//! A tree in memory.

mod content;
mod node;
#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use jiff::Timestamp;

use crate::{
    DirEntry, LIST_BATCH, Listing, Metadata, Result, VPath, Vfs, VfsError, VfsErrorKind, VfsRead,
    VfsWrite, WriteMode,
};
use content::{Budget, File};
use node::{Node, Tree};

/// Where a tree in memory gets the time of a modification from.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A tree that lives in memory: for the practice site, for tests, for sharing what was never on a disk.
///
/// A clone is another handle of the same tree. Everything in it counts against one bound: the bytes of the files (also of
/// deleted ones that are still open) and a fixed cost for each name. Permission bits are kept and shown, not obeyed. There are no links.
#[derive(Clone)]
pub struct MemoryTree {
    shared: Arc<Shared>,
}

struct Shared {
    tree: Mutex<Tree>,
    budget: Arc<Budget>,
    clock: Clock,
}

impl MemoryTree {
    /// An empty tree that may grow to `max_bytes`.
    pub fn new(max_bytes: u64) -> Self {
        Self::with_clock(max_bytes, Arc::new(Timestamp::now))
    }

    /// An empty tree with a clock of one's own.
    pub fn with_clock(max_bytes: u64, clock: Clock) -> Self {
        let now = clock();
        Self {
            shared: Arc::new(Shared {
                tree: Mutex::new(Tree::new(now)),
                budget: Arc::new(Budget::new(max_bytes)),
                clock,
            }),
        }
    }

    /// Bytes in use now.
    pub fn used(&self) -> u64 {
        self.shared.budget.used()
    }

    /// Creates the directory and all that are missing above it.
    ///
    /// # Errors
    /// `NotDir` if a file is in the way, `Full`.
    pub async fn mkdir_all(&self, path: &VPath) -> Result<()> {
        let mut at = VPath::root();
        for component in path.components() {
            at = at.join(component)?;
            match self.mkdir(&at).await {
                Ok(()) => {}
                Err(error) if error.kind() == VfsErrorKind::Exists => {
                    if !self.metadata(&at).await?.is_dir() {
                        return Err(VfsErrorKind::NotDir.into());
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Creates or replaces a whole file, with the directories above it.
    ///
    /// # Errors
    /// As [`mkdir_all`](Self::mkdir_all) and [`Vfs::open_write`].
    pub async fn write_file(&self, path: &VPath, content: &[u8]) -> Result<()> {
        if let Some(parent) = path.parent() {
            self.mkdir_all(&parent).await?;
        }
        let mut writer = self.open_write(path, WriteMode::Truncate).await?;
        writer.write_chunk(Bytes::copy_from_slice(content)).await?;
        writer.finish().await
    }

    fn tree(&self) -> MutexGuard<'_, Tree> {
        // A panic elsewhere leaves the tree as consistent as any error does: each change is one step.
        self.shared
            .tree
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        (self.shared.clock)()
    }
}

impl fmt::Debug for MemoryTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryTree")
            .field("used", &self.used())
            .finish_non_exhaustive()
    }
}

/// The directory that a path lies in, and its name there.
fn split(path: &VPath) -> Result<(VPath, Vec<u8>)> {
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => {
            if name.len() > 255 {
                return Err(VfsErrorKind::NameInvalid.into());
            }
            Ok((parent, name.to_vec()))
        }
        _ => Err(VfsError::new(
            VfsErrorKind::Denied,
            "not on the root directory",
        )),
    }
}

#[async_trait]
impl Vfs for MemoryTree {
    async fn metadata(&self, path: &VPath) -> Result<Metadata> {
        Ok(self.tree().find(path)?.facts())
    }

    async fn symlink_metadata(&self, path: &VPath) -> Result<Metadata> {
        self.metadata(path).await
    }

    async fn list(&self, path: &VPath) -> Result<Listing> {
        self.tree().dir(path)?;
        let tree = self.clone();
        let path = path.clone();
        // The name of the last entry is where the next batch starts: changes in between are seen, and nothing is held.
        let batches = stream::try_unfold(
            (tree, path, None::<Vec<u8>>),
            |(tree, path, last)| async move {
                let from = last
                    .as_ref()
                    .map_or(Bound::Unbounded, |name| Bound::Excluded(name.as_slice()));
                let batch: Vec<DirEntry> = match tree.tree().dir(&path) {
                    Ok(dir) => dir
                        .children
                        .range::<[u8], _>((from, Bound::Unbounded))
                        .take(LIST_BATCH)
                        .map(|(name, node)| DirEntry {
                            name: name.clone(),
                            metadata: node.facts(),
                        })
                        .collect(),
                    // Removed while it was listed: that is the end of it.
                    Err(_) => Vec::new(),
                };
                let next = batch.last().map(|entry| entry.name.clone());
                Ok(next.map(|name| (batch, (tree, path, Some(name)))))
            },
        );
        Ok(batches.boxed())
    }

    async fn open_read(&self, path: &VPath, offset: u64) -> Result<Box<dyn VfsRead>> {
        let file = self.tree().file(path)?;
        let len = file.len();
        if offset > len {
            return Err(VfsErrorKind::Range.into());
        }
        Ok(Box::new(Reader {
            file,
            position: offset,
            remaining: len - offset,
        }))
    }

    async fn open_write(&self, path: &VPath, mode: WriteMode) -> Result<Box<dyn VfsWrite>> {
        if path.is_root() {
            return Err(VfsErrorKind::IsDir.into());
        }
        let (parent, name) = split(path)?;
        let now = self.now();
        let mut tree = self.tree();
        let dir = tree.dir_mut(&parent)?;
        let file = match dir.children.get(&name) {
            Some(Node::Dir(_)) => return Err(VfsErrorKind::IsDir.into()),
            Some(Node::File(_)) if mode == WriteMode::CreateNew => {
                return Err(VfsErrorKind::Exists.into());
            }
            Some(Node::File(file)) => Arc::clone(file),
            None if matches!(mode, WriteMode::At(offset) if offset > 0) => {
                return Err(VfsErrorKind::NotFound.into());
            }
            None => {
                let cost = self.shared.budget.name(&name)?;
                let file = Arc::new(File::new(Arc::clone(&self.shared.budget), cost, now));
                dir.children.insert(name, Node::File(Arc::clone(&file)));
                dir.modified = now;
                file
            }
        };
        let position = match mode {
            WriteMode::Truncate | WriteMode::CreateNew => Some(0),
            WriteMode::Append => None,
            WriteMode::At(offset) if offset > file.len() => return Err(VfsErrorKind::Range.into()),
            WriteMode::At(offset) => Some(offset),
        };
        Ok(Box::new(Writer {
            file,
            position,
            cut: mode == WriteMode::Truncate,
            clock: Arc::clone(&self.shared.clock),
        }))
    }

    async fn mkdir(&self, path: &VPath) -> Result<()> {
        if path.is_root() {
            return Err(VfsErrorKind::Exists.into());
        }
        let (parent, name) = split(path)?;
        let now = self.now();
        let mut tree = self.tree();
        let dir = tree.dir_mut(&parent)?;
        if dir.children.contains_key(&name) {
            return Err(VfsErrorKind::Exists.into());
        }
        let cost = self.shared.budget.name(&name)?;
        dir.children.insert(name, Node::new_dir(cost, now));
        dir.modified = now;
        Ok(())
    }

    async fn rmdir(&self, path: &VPath) -> Result<()> {
        let (parent, name) = split(path)?;
        let now = self.now();
        let mut tree = self.tree();
        let dir = tree.dir_mut(&parent)?;
        match dir.children.get(&name) {
            None => return Err(VfsErrorKind::NotFound.into()),
            Some(Node::File(_)) => return Err(VfsErrorKind::NotDir.into()),
            Some(Node::Dir(dir)) if !dir.children.is_empty() => {
                return Err(VfsErrorKind::NotEmpty.into());
            }
            Some(Node::Dir(_)) => {}
        }
        dir.children.remove(&name);
        dir.modified = now;
        Ok(())
    }

    async fn unlink(&self, path: &VPath) -> Result<()> {
        let (parent, name) = split(path)?;
        let now = self.now();
        let mut tree = self.tree();
        let dir = tree.dir_mut(&parent)?;
        match dir.children.get(&name) {
            None => return Err(VfsErrorKind::NotFound.into()),
            Some(Node::Dir(_)) => return Err(VfsErrorKind::IsDir.into()),
            Some(Node::File(_)) => {}
        }
        dir.children.remove(&name);
        dir.modified = now;
        Ok(())
    }

    async fn rename(&self, from: &VPath, to: &VPath) -> Result<()> {
        let (from_parent, from_name) = split(from)?;
        let (to_parent, to_name) = split(to)?;
        let now = self.now();
        let mut tree = self.tree();
        let moved_is_dir = tree.find(from)?.is_dir();
        if from == to {
            return Ok(());
        }
        if to.starts_with(from) {
            return Err(VfsError::new(
                VfsErrorKind::NameInvalid,
                "a directory can't move into itself",
            ));
        }
        match (moved_is_dir, tree.dir(&to_parent)?.children.get(&to_name)) {
            (_, None) | (false, Some(Node::File(_))) => {}
            (true, Some(Node::File(_))) => return Err(VfsErrorKind::NotDir.into()),
            (false, Some(Node::Dir(_))) => return Err(VfsErrorKind::IsDir.into()),
            (true, Some(Node::Dir(dir))) if dir.children.is_empty() => {}
            (true, Some(Node::Dir(_))) => return Err(VfsErrorKind::NotEmpty.into()),
        }
        let old = tree.dir_mut(&from_parent)?;
        let Some(node) = old.children.remove(&from_name) else {
            return Err(VfsErrorKind::NotFound.into());
        };
        old.modified = now;
        // Found a moment ago, under the same lock; the removal above can't have taken it away.
        let new = tree.dir_mut(&to_parent)?;
        new.children.insert(to_name, node);
        new.modified = now;
        Ok(())
    }

    async fn set_modified(&self, path: &VPath, modified: Timestamp) -> Result<()> {
        split(path)?;
        match self.tree().find_mut(path)? {
            node::NodeMut::File(file) => file.set_modified(modified),
            node::NodeMut::Dir(dir) => dir.modified = modified,
        }
        Ok(())
    }

    async fn set_permissions(&self, path: &VPath, mode: u32) -> Result<()> {
        split(path)?;
        match self.tree().find_mut(path)? {
            node::NodeMut::File(file) => file.set_mode(mode & 0o7777),
            node::NodeMut::Dir(dir) => dir.mode = mode & 0o7777,
        }
        Ok(())
    }

    async fn available(&self, _: &VPath) -> Result<Option<u64>> {
        Ok(Some(self.shared.budget.left()))
    }
}

struct Reader {
    file: Arc<File>,
    position: u64,
    remaining: u64,
}

#[async_trait]
impl VfsRead for Reader {
    async fn read_chunk(&mut self, max: usize) -> Result<Bytes> {
        let chunk = self.file.read(self.position, max.max(1));
        self.position += chunk.len() as u64;
        Ok(chunk)
    }

    fn remaining(&self) -> u64 {
        self.remaining
    }
}

struct Writer {
    file: Arc<File>,
    /// Where the next byte goes; none: at the end, wherever that is.
    position: Option<u64>,
    /// What the file held goes with the first byte.
    cut: bool,
    clock: Clock,
}

impl Writer {
    fn cut_now(&mut self) {
        if std::mem::take(&mut self.cut) && self.file.len() > 0 {
            self.file.truncate((self.clock)());
        }
    }
}

#[async_trait]
impl VfsWrite for Writer {
    async fn write_chunk(&mut self, chunk: Bytes) -> Result<()> {
        self.cut_now();
        let end = self.file.write(self.position, &chunk, (self.clock)())?;
        if let Some(position) = &mut self.position {
            *position = end;
        }
        Ok(())
    }

    async fn finish(&mut self) -> Result<()> {
        self.cut_now();
        Ok(())
    }
}
