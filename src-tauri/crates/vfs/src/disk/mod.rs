//! The local disk, confined to one directory.

mod file;
mod list;
#[cfg(all(test, unix))]
mod tests;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use jiff::Timestamp;

use crate::{
    Listing, Metadata, Result, VPath, Vfs, VfsError, VfsErrorKind, VfsRead, VfsWrite, WriteMode,
};

/// A directory of the local disk as a tree of its own.
///
/// Every path is resolved by the system relative to an open handle of the root (`openat2` with `RESOLVE_BENEATH` on Linux, one component
/// at a time elsewhere), so that no `..`, no symbolic link and no rename during the resolution leads out. Links whose target lies
/// inside the root work if they are relative; absolute links are always refused, as a way out.
///
/// All calls of the system run on the blocking threads of tokio.
#[derive(Clone, Debug)]
pub struct LocalDisk {
    root: Arc<Dir>,
}

impl LocalDisk {
    /// Opens the root. Blocks for the moment of one `open`.
    ///
    /// # Errors
    /// If there is no such directory, or it can't be opened.
    pub fn new(root: impl AsRef<Path>) -> Result<Self> {
        let root = Dir::open_ambient_dir(root, ambient_authority())?;
        Ok(Self {
            root: Arc::new(root),
        })
    }

    /// Runs `work` with the root and the path as the system wants it, on a blocking thread.
    async fn run<T, F>(&self, path: &VPath, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Dir, &Path) -> Result<T> + Send + 'static,
    {
        let root = Arc::clone(&self.root);
        let path = path.to_relative()?;
        blocking(move || work(&root, &path)).await
    }
}

/// Runs `work` on a blocking thread; a panic there is an error here.
pub(crate) async fn blocking<T, F>(work: F) -> Result<T>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(_) => Err(VfsErrorKind::Io.into()),
    }
}

/// The root itself can't be created, removed or renamed.
fn not_root(path: &VPath) -> Result<()> {
    if path.is_root() {
        Err(VfsError::new(
            VfsErrorKind::Denied,
            "not on the root directory",
        ))
    } else {
        Ok(())
    }
}

#[async_trait]
impl Vfs for LocalDisk {
    async fn metadata(&self, path: &VPath) -> Result<Metadata> {
        self.run(path, |root, path| {
            Ok(list::facts(&root.metadata(path)?, None))
        })
        .await
    }

    async fn symlink_metadata(&self, path: &VPath) -> Result<Metadata> {
        self.run(path, |root, path| {
            let meta = root.symlink_metadata(path)?;
            let target = if meta.is_symlink() {
                root.read_link_contents(path).ok()
            } else {
                None
            };
            Ok(list::facts(&meta, target))
        })
        .await
    }

    async fn list(&self, path: &VPath) -> Result<Listing> {
        let reader = self.run(path, list::Reader::open).await?;
        Ok(reader.into_stream())
    }

    async fn open_read(&self, path: &VPath, offset: u64) -> Result<Box<dyn VfsRead>> {
        let reader = self
            .run(path, move |root, path| {
                file::Reader::open(root, path, offset)
            })
            .await?;
        Ok(Box::new(reader))
    }

    async fn open_write(&self, path: &VPath, mode: WriteMode) -> Result<Box<dyn VfsWrite>> {
        if path.is_root() {
            return Err(VfsErrorKind::IsDir.into());
        }
        let writer = self
            .run(path, move |root, path| file::Writer::open(root, path, mode))
            .await?;
        Ok(Box::new(writer))
    }

    async fn mkdir(&self, path: &VPath) -> Result<()> {
        if path.is_root() {
            return Err(VfsErrorKind::Exists.into());
        }
        self.run(path, |root, path| Ok(root.create_dir(path)?))
            .await
    }

    async fn rmdir(&self, path: &VPath) -> Result<()> {
        not_root(path)?;
        self.run(path, |root, path| Ok(root.remove_dir(path)?))
            .await
    }

    async fn unlink(&self, path: &VPath) -> Result<()> {
        not_root(path)?;
        self.run(path, |root, path| {
            root.remove_file(path).map_err(|error| {
                // Some systems say "permission denied" for a directory: say what it is.
                match root.symlink_metadata(path) {
                    Ok(meta) if meta.is_dir() => VfsErrorKind::IsDir.into(),
                    _ => error.into(),
                }
            })
        })
        .await
    }

    async fn rename(&self, from: &VPath, to: &VPath) -> Result<()> {
        not_root(from)?;
        not_root(to)?;
        let to = to.to_relative()?;
        self.run(from, move |root, from| Ok(root.rename(from, root, &to)?))
            .await
    }

    async fn set_modified(&self, path: &VPath, modified: Timestamp) -> Result<()> {
        self.run(path, move |root, path| {
            let file = file::open_any(root, path)?;
            Ok(file.set_modified(modified.into())?)
        })
        .await
    }

    async fn set_permissions(&self, path: &VPath, mode: u32) -> Result<()> {
        self.run(path, move |root, path| {
            list::set_mode(root, path, mode & 0o7777)
        })
        .await
    }

    #[cfg(unix)]
    async fn available(&self, path: &VPath) -> Result<Option<u64>> {
        self.run(path, |root, path| {
            let file = file::open_any(root, path)?;
            let stat = rustix::fs::fstatvfs(&file).map_err(std::io::Error::from)?;
            Ok(Some(stat.f_bavail.saturating_mul(stat.f_frsize)))
        })
        .await
    }
}
