//! The name of an unfinished file, fought for with others that come and go.

use std::ffi::OsStr;
use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::time::Duration;

use cap_std::fs::{Dir, OpenOptions};

use super::{Inode, Placed};
use crate::error::Error;

/// How often the name is fought for.
const TURNS: usize = 16;
/// How long a transfer that was stopped may take to let go of its file.
const LETTING_GO: Duration = Duration::from_secs(1);
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// A file that is ours.
pub(super) struct Claim {
    pub(super) file: File,
    /// How much is in it.
    pub(super) found: u64,
}

/// Makes the temporary file and locks it, or with `keep` takes the one that is there.
pub(super) fn claim(
    folder: &Dir,
    temporary: &OsStr,
    path: &Path,
    keep: bool,
) -> Result<Claim, Error> {
    let fail = |error| Error::local("create", path, error);
    let mut options = OpenOptions::new();
    // Exclusively: neither an existing file nor a link of this name is opened.
    options.read(true).write(true).create_new(true);
    for _ in 0..TURNS {
        match folder.open_with(temporary, &options) {
            Ok(file) => {
                let file = file.into_std();
                // Whoever looks whether it is a left-over may have locked it first; then it is theirs.
                lock(&file, path)?;
                if is_same(folder, temporary, &file).map_err(fail)? {
                    return Ok(Claim { file, found: 0 });
                }
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if keep && let Some(claim) = open_target(folder, temporary, path)? {
                    return Ok(claim);
                }
                remove_left_over(folder, temporary, path)?;
            }
            Err(error) => return Err(fail(error)),
        }
    }
    Err(in_use(path))
}

/// Opens and locks a file to continue it; `None` for what is none, or has another name too, or can't be written to.
pub(super) fn open_target(folder: &Dir, name: &OsStr, path: &Path) -> Result<Option<Claim>, Error> {
    let fail = |error| Error::local("open", path, error);
    match folder.symlink_metadata(name) {
        Ok(found) if found.is_file() => {}
        Ok(_) => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fail(error)),
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    // A pipe that somebody has put there meanwhile must not hold us up.
    #[cfg(unix)]
    cap_std::fs::OpenOptionsExt::custom_flags(
        &mut options,
        rustix::fs::OFlags::NONBLOCK.bits() as i32,
    );
    let file = match folder.open_with(name, &options) {
        Ok(file) => file.into_std(),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(fail(error)),
    };
    lock_soon(&file, path)?;
    let metadata = file.metadata().map_err(fail)?;
    if !metadata.is_file() || has_other_names(&metadata) {
        return Ok(None);
    }
    let is_it = is_same(folder, name, &file).map_err(fail)?;
    let found = metadata.len();
    Ok(is_it.then_some(Claim { file, found }))
}

#[cfg(unix)]
fn has_other_names(metadata: &std::fs::Metadata) -> bool {
    std::os::unix::fs::MetadataExt::nlink(metadata) > 1
}

#[cfg(not(unix))]
fn has_other_names(_metadata: &std::fs::Metadata) -> bool {
    false
}

/// Removes what has the temporary name, unless somebody is writing to it.
fn remove_left_over(folder: &Dir, temporary: &OsStr, path: &Path) -> Result<(), Error> {
    let fail = |error| Error::local("replace", path, error);
    let gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    let found = match folder.symlink_metadata(temporary) {
        Err(error) if gone(&error) => return Ok(()),
        found => found.map_err(fail)?,
    };
    // A link is replaced, not followed.
    let file = match found.is_file() {
        true => match open_left_over(folder, temporary) {
            Err(error) if gone(&error) => return Ok(()),
            file => Some(file.map_err(fail)?),
        },
        false => None,
    };
    if let Some(file) = &file {
        lock(file, path)?;
        if !is_same(folder, temporary, file).map_err(fail)? {
            // Somebody was faster, or the file that we saw was just finished: look again.
            return Ok(());
        }
    }
    // Locked until it is gone, so that nobody else removes it, and what follows it, as well. Windows frees the name
    // only when nobody has the file open.
    let held = file.filter(|_| !cfg!(windows));
    let removed = folder.remove_file(temporary);
    drop(held);
    match removed {
        Err(error) if gone(&error) => Ok(()),
        removed => removed.map_err(fail),
    }
}

fn open_left_over(folder: &Dir, temporary: &OsStr) -> io::Result<File> {
    let mut options = OpenOptions::new();
    // Locks of network file systems need a file that may be written to.
    options.write(true);
    // A pipe that somebody has put there meanwhile must not hold us up.
    #[cfg(unix)]
    cap_std::fs::OpenOptionsExt::custom_flags(
        &mut options,
        rustix::fs::OFlags::NONBLOCK.bits() as i32,
    );
    let file = match folder.open_with(temporary, &options) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            folder.open_with(temporary, options.write(false).read(true))
        }
        file => file,
    };
    Ok(file?.into_std())
}

/// As [`lock`], but waits a little: a transfer of ours that was just stopped may be about to let go of it.
fn lock_soon(file: &File, path: &Path) -> Result<(), Error> {
    let mut turns = LETTING_GO.as_millis() / LOOK_AGAIN.as_millis();
    loop {
        match lock(file, path) {
            Err(Error::TargetInUse { .. }) if turns > 0 => std::thread::sleep(LOOK_AGAIN),
            outcome => return outcome,
        }
        turns -= 1;
    }
}

/// Locks the file, where the file system has locks.
fn lock(file: &File, path: &Path) -> Result<(), Error> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(in_use(path)),
        Err(TryLockError::Error(error)) => {
            tracing::debug!(%error, path = %path.display(), "the temporary file can't be locked");
            Ok(())
        }
    }
}

fn in_use(path: &Path) -> Error {
    Error::TargetInUse {
        path: path.to_owned(),
    }
}

/// Whether the name means the file that is open.
fn is_same(folder: &Dir, name: &OsStr, file: &File) -> io::Result<bool> {
    names_inode(folder, name, inode_of(file))
}

/// The number of an open file, where files have numbers that a program can ask for.
#[cfg(unix)]
pub(super) fn inode_of(file: &File) -> Option<Inode> {
    use std::os::unix::fs::MetadataExt as _;
    file.metadata().ok().map(|m| (m.dev(), m.ino()))
}

#[cfg(not(unix))]
pub(super) fn inode_of(_file: &File) -> Option<Inode> {
    None
}

/// Whether the name means the file with this number.
#[cfg(unix)]
pub(super) fn names_inode(folder: &Dir, name: &OsStr, inode: Option<Inode>) -> io::Result<bool> {
    use cap_std::fs::MetadataExt as _;
    match folder.symlink_metadata(name) {
        Ok(named) => Ok(Some((named.dev(), named.ino())) == inode),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Locks are all there is where files have no numbers.
#[cfg(not(unix))]
pub(super) fn names_inode(folder: &Dir, name: &OsStr, _inode: Option<Inode>) -> io::Result<bool> {
    Ok(folder.symlink_metadata(name).is_ok())
}

/// Renames within the folder. Where nothing is to be replaced, the system sees to it, if it can.
pub(super) fn rename(folder: &Dir, from: &OsStr, to: &OsStr, replace: bool) -> io::Result<Placed> {
    #[cfg(any(target_os = "linux", target_os = "macos"))]
    if !replace {
        use rustix::fs::RenameFlags;
        use rustix::io::Errno;
        match rustix::fs::renameat_with(folder, from, folder, to, RenameFlags::NOREPLACE) {
            Ok(()) => return Ok(Placed::Yes),
            Err(Errno::EXIST) => return Ok(Placed::Taken),
            // Not on this file system, or not with this kernel.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM) => {}
            Err(error) => return Err(error.into()),
        }
    }
    if !replace && folder.symlink_metadata(to).is_ok() {
        return Ok(Placed::Taken);
    }
    folder.rename(from, folder, to).map(|()| Placed::Yes)
}
