//! A download on its way.
//!
//! Its temporary file has a fixed name, so that a left-over is found: it is continued where that is wanted, and else
//! replaced. That two programs don't write to the same one is seen to by a lock of the file, which lasts as long as
//! somebody has it open, and by nothing longer: what a program left that was killed is not locked. File systems without
//! locks (some network ones) do without; there, as everywhere, the file is put in place only if the name still means the
//! file that was written.

mod claim;
mod name;

use std::ffi::{OsStr, OsString};
use std::fs::{File, FileTimes};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

pub(crate) use self::name::{is_temporary, is_temporary_name, temporary_bytes, temporary_name};

use self::claim::{Claim, claim, inode_of, names_inode, open_target};
use crate::disk::Folder;
use crate::error::Error;
use crate::remote::Beginning;

/// So many bytes before the place where a file is continued are compared with its source.
pub(crate) const TAIL: u64 = 64 * 1024;
/// Smaller files are not worth a reservation.
const WORTH_RESERVING: u64 = 1 << 20;

/// Device and number of a file.
pub(crate) type Inode = (u64, u64);

/// A file under a temporary name in the folder of its target, locked. Dropped, it stays to be continued, unless the
/// thread is panicking.
#[derive(Debug)]
pub(crate) struct Partial {
    spot: Spot,
    file: File,
    /// What was there when it was opened.
    found: u64,
    /// Room was reserved beyond its end.
    reserved: bool,
    /// It is the target itself, which is being continued.
    is_target: bool,
    settled: bool,
}

/// A file under its temporary name that nobody holds open any more, and the name that it will have.
#[derive(Debug)]
pub(crate) struct Spot {
    pub(crate) folder: Arc<Folder>,
    temporary: OsString,
    pub(crate) name: OsString,
    inode: Option<Inode>,
    /// It was given its time.
    pub(crate) has_time: bool,
}

/// What is done with a complete file before it gets its name.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Finish {
    /// How long it must be.
    pub(crate) length: Option<u64>,
    pub(crate) modified: Option<SystemTime>,
    pub(crate) mode: Option<u32>,
    pub(crate) sync: bool,
}

/// Whether a file got its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Placed {
    Yes,
    /// Something has that name by now, which was not to be replaced.
    Taken,
}

impl Partial {
    /// Makes the temporary file. What an earlier run left under that name is removed, or with `keep` continued if it is
    /// a file of nobody else's.
    ///
    /// # Errors
    /// [`Error::TargetInUse`] where somebody else is downloading to the same target.
    pub(crate) fn open(folder: &Arc<Folder>, name: &OsStr, keep: bool) -> Result<Self, Error> {
        let path = folder.path.join(name);
        if is_temporary(name) {
            // It could be the temporary file of another download, which one of the two would then lose.
            return Err(Error::UnsafeName {
                name: name.to_string_lossy().into_owned(),
                why: "names like this are those of unfinished downloads".to_owned(),
            });
        }
        let temporary = temporary_name(name);
        let Claim { file, found } = claim(&folder.dir, &temporary, &path, keep)?;
        Ok(Self {
            spot: Spot::new(folder, temporary, name, &file),
            file,
            found,
            reserved: false,
            is_target: false,
            settled: false,
        })
    }

    /// The target itself, to be continued at its end; `None` if it is not a plain file.
    pub(crate) fn of_target(folder: &Arc<Folder>, name: &OsStr) -> Result<Option<Self>, Error> {
        let Some(Claim { file, found }) = open_target(&folder.dir, name, &folder.path.join(name))?
        else {
            return Ok(None);
        };
        Ok(Some(Self {
            spot: Spot::new(folder, name.to_owned(), name, &file),
            file,
            found,
            reserved: false,
            is_target: true,
            settled: false,
        }))
    }

    /// How much of it was there when it was opened, and is to be continued.
    pub(crate) fn found(&self) -> u64 {
        self.found
    }

    /// Forgets what is beyond this place: not all before it needs to be there. The target itself is left alone.
    pub(crate) fn cut_back(&mut self, length: u64) -> Result<(), Error> {
        let is_longer = self.file.metadata().map(|found| found.len() > length);
        if is_longer.map_err(|error| self.fail(error))? && !self.is_target {
            self.file
                .set_len(length)
                .map_err(|error| self.fail(error))?;
            self.found = length;
        }
        Ok(())
    }

    /// It is continued here. What is beyond stays, for those who know what it is.
    pub(crate) fn go_on_from(&mut self, place: u64) {
        self.found = self.found.min(place);
    }

    /// The last bytes before a place in it.
    pub(crate) fn tail_before(&self, place: u64, length: usize) -> Result<Vec<u8>, Error> {
        let mut tail = vec![0; length];
        let mut file = &self.file;
        file.seek(SeekFrom::Start(place.saturating_sub(length as u64)))
            .and_then(|_| file.read_exact(&mut tail))
            .map_err(|error| Error::local("read", &self.path(), error))?;
        Ok(tail)
    }

    /// Begins from nothing.
    pub(crate) fn restart(&mut self) -> Result<(), Error> {
        self.file.set_len(0).map_err(|error| self.fail(error))?;
        (self.found, self.reserved) = (0, false);
        Ok(())
    }

    /// What is there, to go on from.
    pub(crate) fn beginning(&self) -> Result<Beginning, Error> {
        let length = self.found.min(TAIL);
        Ok(Beginning {
            offset: self.found,
            tail: self.tail_before(self.found, length as usize)?,
        })
    }

    /// Another handle of the file, which stands where it is to be continued.
    pub(crate) fn file(&self) -> Result<File, Error> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(self.found))
            .and_then(|_| self.file.try_clone())
            .map_err(|error| Error::local("open", &self.path(), error))
    }

    /// The file itself, to be read from its beginning.
    pub(crate) fn reader(&self) -> Result<File, Error> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(0))
            .and_then(|_| self.file.try_clone())
            .map_err(|error| Error::local("open", &self.path(), error))
    }

    /// Reserves the room for a file of this size, where the file system can do that cheaply. The file's length stays
    /// what it is, so that it still tells how much of it there is.
    ///
    /// # Errors
    /// [`Error::DiskFull`] if there is no room for it; not for a size that no disk of this kind could hold, which is a
    /// server's mistake.
    #[cfg(target_os = "linux")]
    pub(crate) fn reserve(&mut self, size: u64) -> Result<(), Error> {
        use rustix::fs::FallocateFlags;
        use rustix::io::Errno;
        const TMPFS: i128 = 0x0102_1994;
        if size < WORTH_RESERVING || size <= self.found {
            return Ok(());
        }
        // In memory it would be filled page by page, for nothing.
        let in_memory =
            rustix::fs::fstatfs(&self.file).is_ok_and(|system| i128::from(system.f_type) == TMPFS);
        if in_memory {
            return Ok(());
        }
        match rustix::fs::fallocate(&self.file, FallocateFlags::KEEP_SIZE, 0, size) {
            Ok(()) => {
                self.reserved = true;
                Ok(())
            }
            Err(error @ (Errno::NOSPC | Errno::DQUOT)) => {
                let whole = rustix::fs::fstatvfs(&self.file)
                    .map(|disk| disk.f_blocks.saturating_mul(disk.f_frsize));
                match whole {
                    Ok(whole) if size > whole => Ok(()),
                    _ => Err(self.fail(error.into())),
                }
            }
            Err(error) => {
                tracing::debug!(%error, "no room was reserved");
                Ok(())
            }
        }
    }

    /// Elsewhere files grow as they are written.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn reserve(&mut self, _size: u64) -> Result<(), Error> {
        let _ = (WORTH_RESERVING, self.reserved);
        Ok(())
    }

    /// Gives a complete file its time and permissions, and closes it. It still has its temporary name then.
    ///
    /// # Errors
    /// [`Error::SizeDiffers`] if somebody else has written to it too.
    pub(crate) fn finish(mut self, finish: Finish) -> Result<Spot, Error> {
        self.let_go();
        let length = self
            .file
            .metadata()
            .map_err(|error| self.fail(error))?
            .len();
        if let Some(wanted) = finish.length.filter(|&wanted| wanted != length) {
            self.remove();
            return Err(Error::SizeDiffers {
                expected: length,
                received: wanted,
            });
        }
        self.spot.has_time = set_time(&self.file, finish.modified, &self.path());
        #[cfg(unix)]
        if let Some(mode) = finish.mode {
            use std::os::unix::fs::PermissionsExt as _;
            // As with the time: no reason to lose the file.
            let permissions = std::fs::Permissions::from_mode(mode & 0o777);
            if let Err(error) = self.file.set_permissions(permissions) {
                tracing::debug!(%error, path = %self.path().display(), "the permissions were not set");
            }
        }
        if finish.sync {
            self.file.sync_all().map_err(|error| self.fail(error))?;
        }
        self.settled = true;
        Ok(self.spot.share())
    }

    /// Leaves what is there to be continued. What was reserved beyond it is given back.
    pub(crate) fn keep(mut self) {
        self.let_go();
        self.settled = true;
        let is_empty = self.file.metadata().is_ok_and(|found| found.len() == 0);
        if is_empty && !self.is_target {
            self.spot.remove();
        }
    }

    /// Removes it. A target that was to be continued gets back the length that it had.
    pub(crate) fn remove(mut self) {
        self.settled = true;
        self.undo();
    }

    fn undo(&self) {
        if self.is_target {
            if let Err(error) = self.file.set_len(self.found) {
                tracing::warn!(%error, path = %self.path().display(), "what was added to a file was left there");
            }
        } else {
            self.spot.remove();
        }
    }

    fn let_go(&mut self) {
        if std::mem::take(&mut self.reserved) {
            let freed = self
                .file
                .metadata()
                .and_then(|m| self.file.set_len(m.len()));
            if let Err(error) = freed {
                tracing::debug!(%error, "what was reserved was not given back");
            }
        }
    }

    fn path(&self) -> PathBuf {
        self.spot.path()
    }

    fn fail(&self, error: io::Error) -> Error {
        Error::local("write", &self.path(), error)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // Whoever drops it without a word was stopped in the middle: as after a crash, the next try goes on from here.
        if !self.settled && std::thread::panicking() {
            self.undo();
        }
    }
}

impl Spot {
    fn new(folder: &Arc<Folder>, temporary: OsString, name: &OsStr, file: &File) -> Self {
        Self {
            folder: folder.clone(),
            temporary,
            name: name.to_owned(),
            inode: inode_of(file),
            has_time: false,
        }
    }

    fn share(&self) -> Self {
        Self {
            folder: self.folder.clone(),
            temporary: self.temporary.clone(),
            name: self.name.clone(),
            inode: self.inode,
            has_time: self.has_time,
        }
    }

    /// What an earlier run has completed, if it still has its temporary name and is the file that was noted.
    pub(crate) fn left_over(
        folder: &Arc<Folder>,
        name: &OsStr,
        inode: Inode,
        size: u64,
    ) -> Result<Option<Self>, Error> {
        let temporary = temporary_name(name);
        let is_it = names_inode(&folder.dir, &temporary, Some(inode))
            .map_err(|error| Error::local("look at", &folder.path.join(name), error))?;
        let length = folder.dir.symlink_metadata(&temporary).map(|m| m.len());
        Ok(
            (is_it && length.is_ok_and(|length| length == size)).then(|| Self {
                folder: folder.clone(),
                temporary,
                name: name.to_owned(),
                inode: Some(inode),
                has_time: false,
            }),
        )
    }

    /// Whether the target is the file that was noted.
    pub(crate) fn is_in_place(folder: &Folder, name: &OsStr, inode: Inode) -> bool {
        names_inode(&folder.dir, name, Some(inode)).unwrap_or(false)
    }

    pub(crate) fn inode(&self) -> Option<Inode> {
        self.inode
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path.join(&self.name)
    }

    /// Gives the file its name, over what has it if that is to be replaced. A file that is continued has it already.
    pub(crate) fn place(&self, replace: bool) -> Result<Placed, Error> {
        let fail = |error| Error::local("write", &self.path(), error);
        if self.temporary == self.name {
            return Ok(Placed::Yes);
        }
        let is_ours = names_inode(&self.folder.dir, &self.temporary, self.inode);
        if !is_ours.map_err(fail)? {
            return Err(fail(io::Error::other(
                "another program has taken its temporary file away",
            )));
        }
        claim::rename(&self.folder.dir, &self.temporary, &self.name, replace).map_err(fail)
    }

    /// Another name for it.
    pub(crate) fn renamed(&mut self, name: OsString) {
        self.name = name;
    }

    /// Removes the file, if it still is ours.
    pub(crate) fn remove(&self) {
        let removed = match names_inode(&self.folder.dir, &self.temporary, self.inode) {
            Ok(true) => self.folder.dir.remove_file(&self.temporary),
            Ok(false) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = removed {
            tracing::warn!(%error, path = %self.path().display(), "a temporary file was left behind");
        }
    }
}

/// Removes what is left of a download to this target, unless somebody is writing to it.
pub(crate) fn discard(base: &Path, relative: &Path) -> Result<(), Error> {
    let Some(name) = relative.file_name() else {
        return Ok(());
    };
    let path = base.join(relative);
    let fail = |error| Error::local("remove", &path, error);
    // Not made for this.
    let parent = path.parent().unwrap_or(Path::new(""));
    match std::fs::symlink_metadata(parent.join(temporary_name(name))) {
        Ok(found) if found.is_file() => {}
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(fail(error)),
    }
    let folder = Folder::open(base, relative.parent().unwrap_or(Path::new("")))?;
    Partial::open(&Arc::new(folder), name, false).map(Partial::remove)
}

/// A file system that can't hold this time is no reason to lose the file.
fn set_time(file: &File, modified: Option<SystemTime>, path: &Path) -> bool {
    let Some(modified) = modified else {
        return false;
    };
    match file.set_times(FileTimes::new().set_modified(modified)) {
        Ok(()) => true,
        Err(error) => {
            tracing::debug!(%error, path = %path.display(), "the time was not set");
            false
        }
    }
}

#[cfg(test)]
mod tests;
