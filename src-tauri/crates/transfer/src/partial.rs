//! A download on its way.
//!
//! Its temporary file has a fixed name, so that a left-over is found and replaced. That two programs don't write to the
//! same one is seen to by a lock of the file, which lasts as long as somebody has it open, and by nothing longer: what
//! a program left that was killed is not locked. File systems without locks (some network ones) do without; there, as
//! everywhere, the file is put in place only if the name still means the file that was written.

use std::ffi::{OsStr, OsString};
use std::fs::{File, FileTimes, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use cap_std::fs::{Dir, OpenOptions};

use crate::disk::open_folder;
use crate::error::Error;

/// What temporary names end in.
const SUFFIX: &str = ".slippart";
/// No file system in use allows longer names, in bytes (or units that are no longer).
const NAME_LIMIT: usize = 255;
/// How often the name is fought for with others that come and go.
const TURNS: usize = 16;

/// A file under a temporary name in the folder of its target, locked. Dropped without [`commit`](Self::commit), it is
/// removed.
#[derive(Debug)]
pub(crate) struct Partial {
    folder: Dir,
    temporary: OsString,
    name: OsString,
    path: PathBuf,
    file: File,
    in_place: bool,
}

impl Partial {
    /// Makes the temporary file, and the folders that it needs. What an earlier run left under that name is removed.
    ///
    /// # Errors
    /// [`Error::TargetInUse`] where somebody else is downloading to the same target.
    pub(crate) fn create(base: &Path, relative: &Path) -> Result<Self, Error> {
        let path = base.join(relative);
        let name = relative.file_name().ok_or_else(|| {
            Error::local(
                "create",
                &path,
                io::Error::from(io::ErrorKind::InvalidInput),
            )
        })?;
        if is_temporary(name) {
            // It could be the temporary file of another download, which one of the two would then lose.
            return Err(Error::UnsafeName {
                name: name.to_string_lossy().into_owned(),
                why: "names like this are those of unfinished downloads".to_owned(),
            });
        }
        let folder = open_folder(base, relative.parent().unwrap_or(Path::new("")))?;
        let temporary = temporary_name(name);
        let file = claim(&folder, &temporary, &path)?;
        Ok(Self {
            folder,
            temporary,
            name: name.to_owned(),
            path,
            file,
            in_place: false,
        })
    }

    /// Another handle of the temporary file, at its beginning.
    pub(crate) fn file(&self) -> Result<File, Error> {
        self.file
            .try_clone()
            .map_err(|error| Error::local("open", &self.path, error))
    }

    /// Sets the time and puts the file in its place, over what was there.
    pub(crate) fn commit(mut self, modified: Option<SystemTime>) -> Result<(), Error> {
        let fail = |error| Error::local("write", &self.path, error);
        if let Some(modified) = modified {
            // A file system that can't hold this time is no reason to lose the file.
            if let Err(error) = self.file.set_times(FileTimes::new().set_modified(modified)) {
                tracing::debug!(%error, path = %self.path.display(), "the time was not set");
            }
        }
        if !is_same(&self.folder, &self.temporary, &self.file).map_err(fail)? {
            return Err(fail(replaced()));
        }
        self.folder
            .rename(&self.temporary, &self.folder, &self.name)
            .map_err(fail)?;
        self.in_place = true;
        Ok(())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if self.in_place {
            return;
        }
        let removed = match is_same(&self.folder, &self.temporary, &self.file) {
            Ok(true) => self.folder.remove_file(&self.temporary),
            // It is somebody else's by now.
            Ok(false) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = removed {
            tracing::warn!(%error, path = %self.path.display(), "a temporary file was left behind");
        }
    }
}

fn replaced() -> io::Error {
    io::Error::other("another program has taken its temporary file away")
}

/// Makes the temporary file and locks it.
fn claim(folder: &Dir, temporary: &OsStr, path: &Path) -> Result<File, Error> {
    let fail = |error| Error::local("create", path, error);
    let mut options = OpenOptions::new();
    // Exclusively: neither an existing file nor a link of this name is opened.
    options.write(true).create_new(true);
    for _ in 0..TURNS {
        match folder.open_with(temporary, &options) {
            Ok(file) => {
                let file = file.into_std();
                // Whoever looks whether it is a left-over may have locked it first; then it is theirs.
                lock(&file, path)?;
                if is_same(folder, temporary, &file).map_err(fail)? {
                    return Ok(file);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                remove_left_over(folder, temporary, path)?;
            }
            Err(error) => return Err(fail(error)),
        }
    }
    Err(in_use(path))
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
#[cfg(unix)]
fn is_same(folder: &Dir, name: &OsStr, file: &File) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let open = file.metadata()?;
    match folder.symlink_metadata(name) {
        Ok(named) => {
            use cap_std::fs::MetadataExt as _;
            Ok((named.dev(), named.ino()) == (open.dev(), open.ino()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Locks are all there is where files have no numbers that a program can ask for.
#[cfg(not(unix))]
fn is_same(_folder: &Dir, _name: &OsStr, _file: &File) -> io::Result<bool> {
    Ok(true)
}

/// `.NAME.slippart`; of a name that is too long for that, its beginning and a hash.
fn temporary_name(name: &OsStr) -> OsString {
    let mut temporary = OsString::from(".");
    if name.len() + 1 + SUFFIX.len() <= NAME_LIMIT {
        temporary.push(name);
    } else {
        let text = name.to_string_lossy();
        let mut end = NAME_LIMIT - 1 - 17 - SUFFIX.len();
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        // FNV-1a: enough to tell two long names apart, and the same in every run.
        let hash = name
            .as_encoded_bytes()
            .iter()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
            });
        temporary.push(&text[..end]);
        temporary.push(format!("-{hash:016x}"));
    }
    temporary.push(SUFFIX);
    temporary
}

fn is_temporary(name: &OsStr) -> bool {
    let bytes = name.as_encoded_bytes();
    bytes.starts_with(b".") && bytes.ends_with(SUFFIX.as_bytes())
}

#[cfg(test)]
mod tests;
