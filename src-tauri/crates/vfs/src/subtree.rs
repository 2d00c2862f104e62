//! A directory of a tree as a tree of its own.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::links::{self, Last};
use crate::{
    Access, Listing, Metadata, Result, VPath, Vfs, VfsError, VfsErrorKind, VfsRead, VfsWrite,
    WriteMode,
};

/// One directory of a tree, seen as the whole: its path is `/`, and nothing leads above it.
///
/// Symbolic links that stay below the directory work; those that lead above it, and absolute ones, are refused ([`VfsErrorKind::Denied`]), as
/// by [`LocalDisk`](crate::LocalDisk). That holds for links that change in the meantime, too. The directory is found anew by its path for each operation, and
/// its own path may have links in it, anywhere in the tree. Where it isn't there, everything is `NotFound`.
#[derive(Clone)]
pub struct Subtree {
    inner: Arc<dyn Vfs>,
    base: VPath,
    /// Links below the base are followed; not for a wrapper around this one, which follows them itself.
    follows: bool,
}

impl Subtree {
    /// The directory `base` of `tree`.
    pub fn new(tree: Arc<dyn Vfs>, base: VPath) -> Self {
        Self {
            inner: tree.without_links().unwrap_or(tree),
            base,
            follows: true,
        }
    }

    /// Where that is if there are no links.
    fn straight(&self, path: &VPath) -> Result<VPath> {
        below(&self.base, path)
    }

    /// Where that is by all links.
    async fn around(&self, path: &VPath, last: Last) -> Result<VPath> {
        let tree = &*self.inner;
        let base =
            links::resolve(tree, &VPath::root(), &self.base, Last::Follow, &|_| Ok(())).await?;
        let whole = below(&base, path)?;
        if self.follows {
            links::resolve(tree, &base, &whole, last, &|_| Ok(())).await
        } else {
            Ok(whole)
        }
    }

    /// What a link that is still in the way means.
    fn end(&self, error: VfsError) -> VfsError {
        if self.follows {
            links::refuse(error)
        } else {
            error
        }
    }
}

/// `path` seen from `base`.
fn below(base: &VPath, path: &VPath) -> Result<VPath> {
    base.join(path.as_bytes().strip_prefix(b"/").unwrap_or_default())
}

/// The directory itself can't be created, removed or renamed.
fn not_root(path: &VPath) -> Result<()> {
    if path.is_root() {
        let text = "not on the root directory";
        return Err(VfsError::new(VfsErrorKind::Denied, text));
    }
    Ok(())
}

/// Does it the straight way, and around links if there are any.
macro_rules! on {
    ($self:ident, $path:ident, $last:ident, |$real:ident| $operation:expr) => {{
        let $real = &$self.straight($path)?;
        match $operation.await {
            Err(error) if error.kind() == VfsErrorKind::Link => {
                let $real = &$self.around($path, Last::$last).await?;
                $operation.await.map_err(|error| $self.end(error))
            }
            other => other,
        }
    }};
}

#[async_trait]
impl Vfs for Subtree {
    async fn metadata(&self, path: &VPath) -> Result<Metadata> {
        on!(self, path, Follow, |real| self.inner.metadata(real))
    }
    async fn symlink_metadata(&self, path: &VPath) -> Result<Metadata> {
        if path.is_root() {
            // A base that is a link is what the link leads to.
            return self.metadata(path).await;
        }
        on!(self, path, Keep, |real| self.inner.symlink_metadata(real))
    }
    async fn list(&self, path: &VPath) -> Result<Listing> {
        on!(self, path, Follow, |real| self.inner.list(real))
    }
    async fn open_read(&self, path: &VPath, offset: u64) -> Result<Box<dyn VfsRead>> {
        on!(self, path, Follow, |real| self
            .inner
            .open_read(real, offset))
    }
    async fn open_write(&self, path: &VPath, mode: WriteMode) -> Result<Box<dyn VfsWrite>> {
        if path.is_root() {
            return Err(VfsErrorKind::IsDir.into());
        }
        if mode == WriteMode::CreateNew {
            return on!(self, path, Keep, |real| self.inner.open_write(real, mode));
        }
        on!(self, path, Follow, |real| self.inner.open_write(real, mode))
    }
    async fn mkdir(&self, path: &VPath) -> Result<()> {
        if path.is_root() {
            return Err(VfsErrorKind::Exists.into());
        }
        on!(self, path, Keep, |real| self.inner.mkdir(real))
    }
    async fn rmdir(&self, path: &VPath) -> Result<()> {
        not_root(path)?;
        on!(self, path, Keep, |real| self.inner.rmdir(real))
    }
    async fn unlink(&self, path: &VPath) -> Result<()> {
        not_root(path)?;
        on!(self, path, Keep, |real| self.inner.unlink(real))
    }
    async fn rename(&self, from: &VPath, to: &VPath) -> Result<()> {
        not_root(from)?;
        not_root(to)?;
        let straight = (self.straight(from)?, self.straight(to)?);
        match self.inner.rename(&straight.0, &straight.1).await {
            Err(error) if error.kind() == VfsErrorKind::Link => {
                let from = self.around(from, Last::Keep).await?;
                let to = self.around(to, Last::Keep).await?;
                let done = self.inner.rename(&from, &to).await;
                done.map_err(|error| self.end(error))
            }
            other => other,
        }
    }
    async fn set_modified(&self, path: &VPath, modified: Timestamp) -> Result<()> {
        not_root(path)?;
        on!(self, path, Follow, |real| self
            .inner
            .set_modified(real, modified))
    }
    async fn set_permissions(&self, path: &VPath, mode: u32) -> Result<()> {
        not_root(path)?;
        on!(self, path, Follow, |real| self
            .inner
            .set_permissions(real, mode))
    }
    fn is_read_only(&self) -> bool {
        self.inner.is_read_only()
    }
    fn may(&self, path: &VPath) -> Access {
        match self.straight(path) {
            Ok(real) => self.inner.may(&real),
            Err(_) => Access::NONE,
        }
    }
    fn may_below(&self, path: &VPath) -> Option<Access> {
        self.inner.may_below(&self.straight(path).ok()?)
    }
    fn without_links(&self) -> Option<Arc<dyn Vfs>> {
        let follows = false;
        Some(Arc::new(Self {
            follows,
            ..self.clone()
        }))
    }
    async fn available(&self, path: &VPath) -> Result<Option<u64>> {
        on!(self, path, Follow, |real| self.inner.available(real))
    }
}

#[cfg(test)]
mod tests;
