//! Permissions by path.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt, future};
use jiff::Timestamp;

use crate::links::{self, Last};
use crate::{
    Access, Listing, Metadata, Result, VPath, Vfs, VfsError, VfsErrorKind, VfsRead, VfsWrite,
    WriteMode,
};

/// What may be done at a path and below it, as far as no other permission says something about a place below.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// Where it begins.
    pub path: VPath,
    /// Whether files may be read and directories listed, and whether anything may be known of them.
    pub read: bool,
    /// Whether anything may be changed, made or removed.
    pub write: bool,
}

impl Permission {
    /// A permission for `path` and what lies below.
    pub fn new(path: VPath, read: bool, write: bool) -> Self {
        Self { path, read, write }
    }
}

/// A tree in which permissions decide. Of those that hold for a path the nearest counts; where none does, everything is allowed. Of two for the same
/// path the first counts.
///
/// Every path that an operation touches is looked at:
///
/// | operation | needs |
/// |--|--|
/// | facts, listing, reading | `read` |
/// | writing, making, setting times and permission bits | `write` |
/// | removing, renaming (both paths) | `write`, and nothing below that is protected |
/// | renaming | besides, nothing becomes readable by it that wasn't |
/// | listing | besides, entries that may be neither read nor written are left out |
/// | following a symbolic link | `read` of the link, and what the operation needs where the link leads |
///
/// A link that leads where the operation isn't allowed is refused ([`VfsErrorKind::Denied`]), also one that changes in the meantime: no operation
/// goes by a link that wasn't looked at. Hard links are files of their own, and what was made outside of this tree can't be told from others.
///
/// Names are compared by their bytes; on Windows and macOS, whose file systems take several spellings for one name, without regard
/// to case. Those systems know further spellings (`SECRET~1`), so what must stay secret is better kept outside of the root there.
#[derive(Clone)]
pub struct Guarded {
    inner: Arc<dyn Vfs>,
    rules: Arc<[Permission]>,
    /// As in a subtree.
    follows: bool,
}

impl Guarded {
    /// `tree` under these permissions.
    pub fn new(tree: Arc<dyn Vfs>, permissions: impl IntoIterator<Item = Permission>) -> Self {
        Self {
            inner: tree.without_links().unwrap_or(tree),
            rules: permissions.into_iter().collect(),
            follows: true,
        }
    }

    /// What the rules say of a path.
    fn rule(&self, path: &VPath) -> Access {
        let mut nearest: Option<&Permission> = None;
        for rule in self.rules.iter().filter(|rule| is_below(path, &rule.path)) {
            let deeper = |old: &Permission| depth(&rule.path) > depth(&old.path);
            if nearest.is_none_or(deeper) {
                nearest = Some(rule);
            }
        }
        nearest.map_or(Access::ALL, |rule| Access {
            read: rule.read,
            write: rule.write,
        })
    }

    /// The rules for places below `path`.
    fn rules_inside(&self, path: &VPath) -> impl Iterator<Item = &Permission> {
        self.rules
            .iter()
            .filter(move |rule| is_below(&rule.path, path) && depth(&rule.path) > depth(path))
    }

    fn read(&self, path: &VPath) -> Result<()> {
        allowed(self.rule(path).read)
    }

    fn write(&self, path: &VPath) -> Result<()> {
        allowed(self.rule(path).write)
    }

    /// `path` may be taken away, or something else put in its place.
    fn replace(&self, path: &VPath) -> Result<()> {
        self.write(path)?;
        let mut inside = self.rules_inside(path);
        allowed(inside.all(|rule| rule.read && rule.write))
    }

    fn move_to(&self, from: &VPath, to: &VPath) -> Result<()> {
        self.replace(from)?;
        self.replace(to)?;
        allowed(self.rule(from).read || !self.rule(to).read)
    }

    /// Where the path leads by all links.
    async fn around(&self, path: &VPath, last: Last) -> Result<VPath> {
        if !self.follows {
            return Ok(path.clone());
        }
        let pass = |link: &VPath| self.read(link);
        links::resolve(&*self.inner, &VPath::root(), path, last, &pass).await
    }

    fn end(&self, error: VfsError) -> VfsError {
        if self.follows {
            links::refuse(error)
        } else {
            error
        }
    }
}

fn allowed(yes: bool) -> Result<()> {
    if yes {
        Ok(())
    } else {
        Err(VfsErrorKind::Denied.into())
    }
}

fn depth(path: &VPath) -> usize {
    path.components().count()
}

/// Whether `path` is `above` or lies below it.
fn is_below(path: &VPath, above: &VPath) -> bool {
    let mut own = path.components();
    above
        .components()
        .all(|part| own.next().is_some_and(|name| same_name(name, part)))
}

#[cfg(not(any(windows, target_os = "macos")))]
fn same_name(a: &[u8], b: &[u8]) -> bool {
    a == b
}

#[cfg(any(windows, target_os = "macos"))]
fn same_name(a: &[u8], b: &[u8]) -> bool {
    let fold = |name: &[u8]| {
        let name = String::from_utf8_lossy(name).to_lowercase();
        // Windows leaves these out at the end of a name.
        name.trim_end_matches(['.', ' ']).to_owned()
    };
    fold(a) == fold(b)
}

/// Does it if the rule allows the path, and around links if it allows where they lead.
macro_rules! on {
    ($self:ident, $rule:ident, $path:ident, $last:ident, |$real:ident| $operation:expr) => {{
        $self.$rule($path)?;
        let $real = $path;
        match $operation.await {
            Err(error) if error.kind() == VfsErrorKind::Link && $self.follows => {
                let $real = &$self.around($path, Last::$last).await?;
                $self.$rule($real)?;
                $operation.await.map_err(|error| $self.end(error))
            }
            other => other,
        }
    }};
}

#[async_trait]
impl Vfs for Guarded {
    async fn metadata(&self, path: &VPath) -> Result<Metadata> {
        on!(self, read, path, Follow, |real| self.inner.metadata(real))
    }
    async fn symlink_metadata(&self, path: &VPath) -> Result<Metadata> {
        on!(self, read, path, Keep, |real| self
            .inner
            .symlink_metadata(real))
    }
    async fn list(&self, path: &VPath) -> Result<Listing> {
        self.read(path)?;
        let (real, entries) = match self.inner.list(path).await {
            Err(error) if error.kind() == VfsErrorKind::Link && self.follows => {
                let real = self.around(path, Last::Follow).await?;
                self.read(&real)?;
                let entries = self.inner.list(&real).await;
                (real, entries.map_err(|error| self.end(error))?)
            }
            other => (path.clone(), other?),
        };
        if self.rules_inside(&real).next().is_none() {
            return Ok(entries);
        }
        let guard = self.clone();
        let seen = entries.map_ok(move |mut batch| {
            batch.retain(|entry| match real.join(&entry.name) {
                Ok(path) => guard.rule(&path) != Access::NONE,
                Err(_) => false,
            });
            batch
        });
        Ok(seen
            .try_filter(|batch| future::ready(!batch.is_empty()))
            .boxed())
    }
    async fn open_read(&self, path: &VPath, offset: u64) -> Result<Box<dyn VfsRead>> {
        on!(self, read, path, Follow, |real| self
            .inner
            .open_read(real, offset))
    }
    async fn open_write(&self, path: &VPath, mode: WriteMode) -> Result<Box<dyn VfsWrite>> {
        if mode == WriteMode::CreateNew {
            return on!(self, write, path, Keep, |real| self
                .inner
                .open_write(real, mode));
        }
        on!(self, write, path, Follow, |real| self
            .inner
            .open_write(real, mode))
    }
    async fn mkdir(&self, path: &VPath) -> Result<()> {
        on!(self, write, path, Keep, |real| self.inner.mkdir(real))
    }
    async fn rmdir(&self, path: &VPath) -> Result<()> {
        on!(self, replace, path, Keep, |real| self.inner.rmdir(real))
    }
    async fn unlink(&self, path: &VPath) -> Result<()> {
        on!(self, write, path, Keep, |real| self.inner.unlink(real))
    }
    async fn rename(&self, from: &VPath, to: &VPath) -> Result<()> {
        self.move_to(from, to)?;
        match self.inner.rename(from, to).await {
            Err(error) if error.kind() == VfsErrorKind::Link && self.follows => {
                let from = self.around(from, Last::Keep).await?;
                let to = self.around(to, Last::Keep).await?;
                self.move_to(&from, &to)?;
                let done = self.inner.rename(&from, &to).await;
                done.map_err(|error| self.end(error))
            }
            other => other,
        }
    }
    async fn set_modified(&self, path: &VPath, modified: Timestamp) -> Result<()> {
        on!(self, write, path, Follow, |real| self
            .inner
            .set_modified(real, modified))
    }
    async fn set_permissions(&self, path: &VPath, mode: u32) -> Result<()> {
        on!(self, write, path, Follow, |real| self
            .inner
            .set_permissions(real, mode))
    }
    fn is_read_only(&self) -> bool {
        let writable = self.rule(&VPath::root()).write || self.rules.iter().any(|rule| rule.write);
        !writable || self.inner.is_read_only()
    }
    fn may(&self, path: &VPath) -> Access {
        self.rule(path).and(self.inner.may(path))
    }
    fn may_below(&self, path: &VPath) -> Option<Access> {
        if self.rules_inside(path).next().is_some() {
            return None;
        }
        Some(self.rule(path).and(self.inner.may_below(path)?))
    }
    fn without_links(&self) -> Option<Arc<dyn Vfs>> {
        let follows = false;
        Some(Arc::new(Self {
            follows,
            ..self.clone()
        }))
    }
    async fn available(&self, path: &VPath) -> Result<Option<u64>> {
        allowed(self.rule(path) != Access::NONE)?;
        match self.inner.available(path).await {
            // How much room there is behind a link is not worth the way.
            Err(error) if error.kind() == VfsErrorKind::Link && self.follows => Ok(None),
            other => other,
        }
    }
}

impl fmt::Debug for Guarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded")
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, unix))]
mod any;
#[cfg(test)]
mod tests;
