//! Where an operation takes place: a directory that is held open, and a path from there on.
//!
//! On a tree that follows links the directory is the root, and the system resolves the rest beneath it. On one that follows none
//! ([`LocalDisk::without_links`](crate::Vfs::without_links)) the way to the last directory is gone first, without a link, and the rest is a single
//! name, which no call follows either.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cap_std::fs::{Dir, Metadata as CapMetadata, OpenOptions};
use jiff::Timestamp;

use crate::{Result, VfsError, VfsErrorKind};

pub(super) struct Place {
    pub(super) dir: Arc<Dir>,
    pub(super) path: PathBuf,
    /// No link is followed.
    exact: bool,
}

impl Place {
    /// The place of `path` on a tree that follows links.
    pub(super) fn beneath(root: &Arc<Dir>, path: PathBuf) -> Self {
        Self {
            dir: Arc::clone(root),
            path,
            exact: false,
        }
    }

    /// The place of `path` on a tree that follows none.
    pub(super) fn exact(root: &Arc<Dir>, path: &Path) -> Result<Self> {
        let (dir, name) = match (path.parent(), path.file_name()) {
            (Some(parent), Some(name)) if !parent.as_os_str().is_empty() => {
                (Arc::new(system::directory(root, parent)?), name)
            }
            (_, Some(name)) => (Arc::clone(root), name),
            (_, None) => (Arc::clone(root), ".".as_ref()),
        };
        Ok(Self {
            dir,
            path: name.into(),
            exact: true,
        })
    }

    /// What is here; a link is what it leads to, or an error.
    pub(super) fn metadata(&self) -> Result<CapMetadata> {
        if !self.exact {
            return Ok(self.dir.metadata(&self.path)?);
        }
        let meta = self.dir.symlink_metadata(&self.path)?;
        if meta.is_symlink() {
            return Err(VfsErrorKind::Link.into());
        }
        Ok(meta)
    }

    /// Opens what is here. Devices, pipes and sockets are not opened: that alone can do something, or wait for somebody. One that
    /// comes between the look and the opening is opened without waiting, and found out by whoever looks at the handle.
    pub(super) fn open(&self, options: &Options) -> Result<File> {
        let there = match self.metadata() {
            Ok(meta) if meta.is_dir() && options.write => return Err(VfsErrorKind::IsDir.into()),
            Ok(meta) if meta.is_dir() || meta.is_file() => true,
            Ok(_) => return Err(VfsError::new(VfsErrorKind::Denied, "not a regular file")),
            Err(error) if options.create && error.kind() == VfsErrorKind::NotFound => false,
            // Taken by a link, which `create_new` never follows.
            Err(error) if options.create_new && error.kind() == VfsErrorKind::Link => true,
            Err(error) => return Err(error),
        };
        if there && options.create_new {
            return Err(VfsErrorKind::Exists.into());
        }
        if self.exact {
            return system::open(self, options);
        }
        let mut open = OpenOptions::new();
        open.read(!options.write)
            .write(options.write)
            .append(options.append)
            .create(options.create && !options.create_new)
            .create_new(options.create_new);
        system::never_wait(&mut open);
        Ok(self.dir.open_with(&self.path, &open)?.into_std())
    }

    /// Opens the directory that is here, to list it.
    pub(super) fn open_dir(&self) -> Result<Dir> {
        if self.exact {
            system::listed(self)
        } else {
            Ok(self.dir.open_dir(&self.path)?)
        }
    }

    /// Sets the time of last modification of what is here.
    pub(super) fn set_modified(&self, modified: Timestamp) -> Result<()> {
        if self.exact {
            return system::set_modified(self, modified);
        }
        // By a handle, since the path has links in it.
        let file = self.open(&Options::default())?;
        Ok(file.set_modified(modified.into())?)
    }

    /// Sets the permission bits of what is here.
    pub(super) fn set_mode(&self, mode: u32) -> Result<()> {
        system::set_mode(self, mode)
    }

    /// An error as it is, or that there is a link where none is followed.
    fn explain(&self, error: impl Into<std::io::Error>) -> VfsError {
        match self.dir.symlink_metadata(&self.path) {
            Ok(meta) if self.exact && meta.is_symlink() => VfsErrorKind::Link.into(),
            _ => error.into().into(),
        }
    }
}

/// How a file is opened: for reading, or for writing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Options {
    pub(super) write: bool,
    /// Made if it isn't there.
    pub(super) create: bool,
    /// Made, and an error if the name is taken.
    pub(super) create_new: bool,
    /// Written at its end, wherever that is at that moment.
    pub(super) append: bool,
}

#[cfg(unix)]
mod system {
    use super::*;
    use cap_std::fs::{OpenOptionsExt as _, Permissions, PermissionsExt as _};
    use rustix::fs::{Mode, OFlags, openat};
    use rustix::io::Errno;
    use std::ffi::OsStr;
    use std::os::fd::{AsFd, OwnedFd};

    /// Opening a directory only to go on from there.
    #[cfg(target_os = "linux")]
    const ONLY_A_WAY: OFlags = OFlags::PATH;
    #[cfg(not(target_os = "linux"))]
    const ONLY_A_WAY: OFlags = OFlags::RDONLY;

    pub(super) fn never_wait(options: &mut OpenOptions) {
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        options.custom_flags(flags.bits().cast_signed());
    }

    /// The directory at `path`, without a link on the way.
    pub(super) fn directory(root: &Dir, path: &Path) -> Result<Dir> {
        #[cfg(target_os = "linux")]
        if let Some(found) = at_once(root, path) {
            return found;
        }
        one_by_one(root, path)
    }

    /// In one call; none if the system doesn't have it.
    #[cfg(target_os = "linux")]
    fn at_once(root: &Dir, path: &Path) -> Option<Result<Dir>> {
        use rustix::fs::{ResolveFlags, openat2};
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let how = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        // EAGAIN: something was renamed meanwhile, and the system can't tell whether that led out.
        for _ in 0..16 {
            match openat2(root, path, flags, Mode::empty(), how) {
                Ok(fd) => return Some(Ok(dir(fd))),
                Err(Errno::LOOP) => return Some(Err(VfsErrorKind::Link.into())),
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(Errno::NOSYS | Errno::PERM | Errno::INVAL | Errno::TOOBIG) => return None,
                Err(error) => return Some(Err(std::io::Error::from(error).into())),
            }
        }
        None
    }

    pub(super) fn one_by_one(root: &Dir, path: &Path) -> Result<Dir> {
        let mut at = dir(root.as_fd().try_clone_to_owned()?);
        for part in path.components() {
            at = step(&at, part.as_os_str())?;
        }
        Ok(at)
    }

    fn step(from: &Dir, name: &OsStr) -> Result<Dir> {
        let flags = ONLY_A_WAY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match openat(from, name, flags, Mode::empty()) {
            Ok(fd) => Ok(dir(fd)),
            Err(error) => match from.symlink_metadata(name) {
                Ok(meta) if meta.is_symlink() => Err(VfsErrorKind::Link.into()),
                _ => Err(std::io::Error::from(error).into()),
            },
        }
    }

    fn dir(fd: OwnedFd) -> Dir {
        Dir::from_std_file(File::from(fd))
    }

    pub(super) fn open(place: &Place, options: &Options) -> Result<File> {
        let mut flags = OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        if options.write {
            flags |= OFlags::WRONLY;
        }
        if options.create {
            flags |= OFlags::CREATE;
        }
        if options.append {
            flags |= OFlags::APPEND;
        }
        if options.create_new {
            flags |= OFlags::CREATE | OFlags::EXCL;
        }
        let mode = Mode::from_raw_mode(0o666);
        openat(&*place.dir, &place.path, flags, mode)
            .map(File::from)
            .map_err(|error| place.explain(error))
    }

    pub(super) fn listed(place: &Place) -> Result<Dir> {
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        openat(&*place.dir, &place.path, flags, Mode::empty())
            .map(dir)
            .map_err(|error| place.explain(error))
    }

    pub(super) fn set_modified(place: &Place, modified: Timestamp) -> Result<()> {
        use rustix::fs::{AtFlags, Timespec, Timestamps, UTIME_OMIT, utimensat};
        // A link that comes in behind this look has its own time set, not that of another file.
        let there = place.metadata()?;
        if !there.is_dir() && !there.is_file() {
            return Err(VfsError::new(VfsErrorKind::Denied, "not a regular file"));
        }
        // Seconds before 1970 are negative, the nanoseconds never.
        let nanoseconds = modified.as_nanosecond().rem_euclid(1_000_000_000);
        let seconds = modified.as_nanosecond().div_euclid(1_000_000_000);
        let unset = Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_OMIT,
        };
        let times = Timestamps {
            last_access: unset,
            last_modification: Timespec {
                tv_sec: i64::try_from(seconds).map_err(|_| VfsErrorKind::Unsupported)?,
                // Less than a thousand million.
                tv_nsec: nanoseconds as _,
            },
        };
        utimensat(&*place.dir, &place.path, &times, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|error| place.explain(error))
    }

    pub(super) fn set_mode(place: &Place, mode: u32) -> Result<()> {
        if place.exact {
            return set_mode_of_no_link(place, mode);
        }
        let permissions = Permissions::from_mode(mode);
        Ok(place.dir.set_permissions(&place.path, permissions)?)
    }

    #[cfg(target_os = "linux")]
    fn set_mode_of_no_link(place: &Place, mode: u32) -> Result<()> {
        use std::os::fd::AsRawFd as _;
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = openat(&*place.dir, &place.path, flags, Mode::empty())
            .map_err(|error| place.explain(error))?;
        let fd = File::from(fd);
        if fd.metadata()?.is_symlink() {
            return Err(VfsErrorKind::Link.into());
        }
        // A handle that is only a place has no chmod of its own but by this name.
        let name = format!("/proc/self/fd/{}", fd.as_raw_fd());
        let mode = Mode::from_raw_mode(mode);
        Ok(rustix::fs::chmod(name, mode).map_err(std::io::Error::from)?)
    }

    #[cfg(not(target_os = "linux"))]
    fn set_mode_of_no_link(place: &Place, mode: u32) -> Result<()> {
        place.metadata()?;
        // The bits have the width of the system's own type.
        let mode = Mode::from_raw_mode(mode.try_into().map_err(|_| VfsErrorKind::Unsupported)?);
        let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
        rustix::fs::chmodat(&*place.dir, &place.path, mode, flags)
            .map_err(|error| place.explain(error))
    }
}

/// Systems without these calls: each step is looked at before it is taken. What is swapped in between can lead to another place of the
/// root, never out of it.
#[cfg(not(unix))]
mod system {
    use super::*;

    pub(super) fn never_wait(_: &mut OpenOptions) {}

    pub(super) fn directory(root: &Dir, path: &Path) -> Result<Dir> {
        let mut at = root.try_clone()?;
        for part in path.components() {
            if at.symlink_metadata(part)?.is_symlink() {
                return Err(VfsErrorKind::Link.into());
            }
            at = at.open_dir(part)?;
        }
        Ok(at)
    }

    pub(super) fn open(place: &Place, options: &Options) -> Result<File> {
        let mut open = OpenOptions::new();
        open.read(!options.write)
            .write(options.write)
            .append(options.append)
            .create(options.create && !options.create_new)
            .create_new(options.create_new);
        let file = place.dir.open_with(&place.path, &open);
        Ok(file.map_err(|error| place.explain(error))?.into_std())
    }

    pub(super) fn listed(place: &Place) -> Result<Dir> {
        place.metadata()?;
        Ok(place.dir.open_dir(&place.path)?)
    }

    pub(super) fn set_modified(place: &Place, modified: Timestamp) -> Result<()> {
        let file = open(place, &Options::default())?;
        Ok(file.set_modified(modified.into())?)
    }

    pub(super) fn set_mode(place: &Place, mode: u32) -> Result<()> {
        // What can be said here is only whether the owner may write.
        let mut permissions = place.metadata()?.permissions();
        permissions.set_readonly(mode & 0o200 == 0);
        Ok(place.dir.set_permissions(&place.path, permissions)?)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use cap_std::ambient_authority;
    use std::os::unix::fs::symlink;

    /// Older kernels, and containers that know no `openat2`, go step by step: to the same places.
    #[test]
    fn at_once_and_step_by_step_lead_to_the_same() {
        let temp = tempfile::tempdir().unwrap();
        let at = |path: &str| temp.path().join(path);
        std::fs::create_dir_all(at("a/b/c")).unwrap();
        std::fs::write(at("a/f"), "").unwrap();
        symlink("a", at("link")).unwrap();
        symlink("b", at("a/link")).unwrap();
        symlink("/", at("a/root")).unwrap();
        symlink("none", at("a/dangling")).unwrap();
        let root = Dir::open_ambient_dir(temp.path(), ambient_authority()).unwrap();
        let place = |dir: Result<Dir>| match dir {
            Ok(dir) => {
                let facts = dir.symlink_metadata(".").unwrap();
                use cap_std::fs::MetadataExt as _;
                Ok((facts.dev(), facts.ino()))
            }
            Err(error) => Err(error.kind()),
        };
        for (path, kind) in [
            ("a", None),
            ("a/b/c", None),
            ("link", Some(VfsErrorKind::Link)),
            ("link/b", Some(VfsErrorKind::Link)),
            ("a/link/c", Some(VfsErrorKind::Link)),
            ("a/root/etc", Some(VfsErrorKind::Link)),
            ("a/dangling", Some(VfsErrorKind::Link)),
            ("a/f", Some(VfsErrorKind::NotDir)),
            ("a/f/x", Some(VfsErrorKind::NotDir)),
            ("a/none/x", Some(VfsErrorKind::NotFound)),
        ] {
            let steps = place(system::one_by_one(&root, path.as_ref()));
            let whole = place(system::directory(&root, path.as_ref()));
            assert_eq!(steps, whole, "{path}");
            assert_eq!(steps.err(), kind, "{path}");
        }
    }
}
