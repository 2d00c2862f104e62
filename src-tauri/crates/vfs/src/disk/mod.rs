//! The local disk, confined to one directory.

mod file;
mod list;
mod place;
#[cfg(all(test, target_os = "linux"))]
mod races;
#[cfg(all(test, unix))]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use jiff::Timestamp;

use crate::{
    Listing, Metadata, Result, VPath, Vfs, VfsError, VfsErrorKind, VfsRead, VfsWrite, WriteMode,
};
use place::{Options, Place};

/// A directory of the local disk as a tree of its own.
///
/// Every path is resolved by the system relative to an open handle of the root (`openat2` with `RESOLVE_BENEATH` on Linux, one component
/// at a time elsewhere), so that no `..`, no symbolic link and no rename during the resolution leads out. Links whose target lies
/// inside the root work if they are relative; absolute links are always refused, as a way out.
///
/// Devices, pipes and sockets are listed, and can be renamed and removed; they are never opened.
///
/// All calls of the system run on the blocking threads of tokio.
#[derive(Clone, Debug)]
pub struct LocalDisk {
    root: Arc<Dir>,
    /// Links are followed; not in a tree [`without_links`](Vfs::without_links).
    follows: bool,
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
            follows: true,
        })
    }

    /// Runs `work` with the place of the path, on a blocking thread.
    async fn run<T, F>(&self, path: &VPath, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(Place) -> Result<T> + Send + 'static,
    {
        let disk = self.clone();
        let path = path.to_relative()?;
        blocking(move || work(disk.place(path)?)).await
    }

    fn place(&self, path: PathBuf) -> Result<Place> {
        if self.follows {
            Ok(Place::beneath(&self.root, path))
        } else {
            Place::exact(&self.root, &path)
        }
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

/// The root itself can't be created, removed, renamed or changed: it is the owner's, not the guests'.
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
        self.run(path, |place| Ok(list::facts(&place.metadata()?, None)))
            .await
    }

    async fn symlink_metadata(&self, path: &VPath) -> Result<Metadata> {
        self.run(path, |place| {
            let meta = place.dir.symlink_metadata(&place.path)?;
            let target = if meta.is_symlink() {
                place.dir.read_link_contents(&place.path).ok()
            } else {
                None
            };
            Ok(list::facts(&meta, target))
        })
        .await
    }

    async fn list(&self, path: &VPath) -> Result<Listing> {
        let reader = self.run(path, |place| list::Reader::open(&place)).await?;
        Ok(reader.into_stream())
    }

    async fn open_read(&self, path: &VPath, offset: u64) -> Result<Box<dyn VfsRead>> {
        let reader = self
            .run(path, move |place| file::Reader::open(&place, offset))
            .await?;
        Ok(Box::new(reader))
    }

    async fn open_write(&self, path: &VPath, mode: WriteMode) -> Result<Box<dyn VfsWrite>> {
        if path.is_root() {
            return Err(VfsErrorKind::IsDir.into());
        }
        let writer = self
            .run(path, move |place| file::Writer::open(&place, mode))
            .await?;
        Ok(Box::new(writer))
    }

    async fn mkdir(&self, path: &VPath) -> Result<()> {
        if path.is_root() {
            return Err(VfsErrorKind::Exists.into());
        }
        self.run(path, |place| Ok(place.dir.create_dir(&place.path)?))
            .await
    }

    async fn rmdir(&self, path: &VPath) -> Result<()> {
        not_root(path)?;
        self.run(path, |place| Ok(place.dir.remove_dir(&place.path)?))
            .await
    }

    async fn unlink(&self, path: &VPath) -> Result<()> {
        not_root(path)?;
        self.run(path, |place| {
            place.dir.remove_file(&place.path).map_err(|error| {
                // Some systems say "permission denied" for a directory: say what it is.
                match place.dir.symlink_metadata(&place.path) {
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
        let (disk, to) = (self.clone(), to.to_relative()?);
        self.run(from, move |from| {
            let to = disk.place(to)?;
            Ok(from.dir.rename(&from.path, &to.dir, &to.path)?)
        })
        .await
    }

    async fn set_modified(&self, path: &VPath, modified: Timestamp) -> Result<()> {
        not_root(path)?;
        // Without a handle if there is no link on the way: a file that its owner may not read has a time, too.
        let root = Arc::clone(&self.root);
        let exact = path.to_relative()?;
        self.run(path, move |place| {
            match Place::exact(&root, &exact).and_then(|exact| exact.set_modified(modified)) {
                Err(error) if error.kind() == VfsErrorKind::Link => place.set_modified(modified),
                other => other,
            }
        })
        .await
    }

    async fn set_permissions(&self, path: &VPath, mode: u32) -> Result<()> {
        not_root(path)?;
        self.run(path, move |place| place.set_mode(mode & 0o7777))
            .await
    }

    fn without_links(&self) -> Option<Arc<dyn Vfs>> {
        let follows = false;
        Some(Arc::new(Self {
            follows,
            ..self.clone()
        }))
    }

    #[cfg(unix)]
    async fn available(&self, path: &VPath) -> Result<Option<u64>> {
        self.run(path, |place| {
            let file = place.open(&Options::default())?;
            let stat = rustix::fs::fstatvfs(&file).map_err(std::io::Error::from)?;
            Ok(Some(stat.f_bavail.saturating_mul(stat.f_frsize)))
        })
        .await
    }
}
