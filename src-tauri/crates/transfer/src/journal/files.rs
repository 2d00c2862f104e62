//! The files of a journal, and the lock that makes it one program's.

use std::cell::Cell;
use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::OpenError;

/// What the database keeps next to the file.
const COMPANIONS: [&str; 3] = ["", "-wal", "-shm"];
/// Bytes of the lock's text that anybody reads.
const TEXT_LIMIT: u64 = 1024;
/// Whoever asks who holds a journal has its lock for an instant; so often we look again.
const TURNS: u32 = 20;
const TURN: Duration = Duration::from_millis(10);

/// The journal's path with something after its name.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path.as_os_str());
    name.push(suffix);
    PathBuf::from(name)
}

/// Opens or makes a file that only this user can read.
pub(super) fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mut permissions = file.metadata()?.permissions();
        if permissions.mode() & 0o777 != 0o600 {
            permissions.set_mode(0o600);
            file.set_permissions(permissions)?;
        }
    }
    Ok(file)
}

/// Whether there is anything under this name.
pub(super) fn exists(path: &Path) -> Result<bool, OpenError> {
    match path.symlink_metadata() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(OpenError::io("look at", path, error)),
    }
}

fn unless_missing(
    action: &'static str,
    path: &Path,
    outcome: io::Result<()>,
) -> Result<(), OpenError> {
    match outcome {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(OpenError::io(action, path, error))
        }
        _ => Ok(()),
    }
}

/// Where the journal really is: two ways to the same file must lead to the same lock. Makes its folder if asked to.
pub(super) fn resolve(path: &Path, make_folder: bool) -> Result<PathBuf, OpenError> {
    match path.canonicalize() {
        Ok(real) => return Ok(real),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(OpenError::io("open", path, error)),
    }
    let missing = || OpenError::Missing {
        path: path.to_owned(),
    };
    let name = path.file_name().ok_or_else(missing)?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if make_folder {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder
            .create(folder)
            .map_err(|error| OpenError::io("create", folder, error))?;
    }
    match folder.canonicalize() {
        Ok(folder) => Ok(folder.join(name)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(missing()),
        Err(error) => Err(OpenError::io("open", folder, error)),
    }
}

/// Removes a database and what belongs to it.
pub(super) fn remove_database(path: &Path) -> Result<(), OpenError> {
    for suffix in COMPANIONS {
        let path = beside(path, suffix);
        unless_missing("remove", &path, std::fs::remove_file(&path))?;
    }
    Ok(())
}

/// Puts a file in a place that is free.
pub(super) fn rename(from: &Path, to: &Path) -> Result<(), OpenError> {
    std::fs::rename(from, to).map_err(|error| OpenError::io("rename", from, error))
}

/// The first name for a damaged journal that is free.
fn free_name(path: &Path) -> Result<PathBuf, OpenError> {
    for number in 1_u64.. {
        let aside = beside(path, &format!(".damaged-{number}"));
        let mut taken = false;
        for suffix in COMPANIONS {
            taken |= exists(&beside(&aside, suffix))?;
        }
        if !taken {
            return Ok(aside);
        }
    }
    Err(OpenError::Database {
        path: path.to_owned(),
        why: "there are too many damaged ones next to it".to_owned(),
    })
}

/// The name that was given out last, for a journal that was on its way there.
pub(super) fn last_aside(path: &Path) -> Result<Option<PathBuf>, OpenError> {
    let mut last = None;
    for number in 1_u64.. {
        let aside = beside(path, &format!(".damaged-{number}"));
        if !exists(&aside)? {
            break;
        }
        last = Some(aside);
    }
    Ok(last)
}

/// Takes a damaged database out of the way, with what belongs to it.
pub(super) fn set_aside(path: &Path) -> Result<PathBuf, OpenError> {
    let aside = free_name(path)?;
    follow(path, &aside)?;
    Ok(aside)
}

/// Puts what there is of a damaged database under the names that were chosen for it.
pub(super) fn follow(path: &Path, aside: &Path) -> Result<(), OpenError> {
    for suffix in COMPANIONS {
        let from = beside(path, suffix);
        let moved = std::fs::rename(&from, beside(aside, suffix));
        unless_missing("rename", &from, moved)?;
    }
    Ok(())
}

/// What was done to a folder is on the disk afterwards, where that can be asked for.
pub(super) fn sync_folder(path: &Path) {
    #[cfg(unix)]
    if let Some(folder) = path.parent()
        && let Err(error) = File::open(folder).and_then(|folder| folder.sync_all())
    {
        tracing::debug!(%error, path = %folder.display(), "the folder was not synced");
    }
    #[cfg(not(unix))]
    let _ = path;
}

/// One program has the journal. The lock is the system's, so that it ends with the program, however that ends; the
/// file's text only says who it is, and is empty after a clean end.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    text: String,
    damaged: Cell<bool>,
}

/// How it ended with the program that had the journal before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LastEnd {
    /// It has closed the journal.
    Clean,
    /// It was killed, or the computer was.
    Killed,
    /// It has found damage.
    Damaged,
}

/// The line in the lock's text after which the next one to open the journal looks at all of it.
const DAMAGED: &str = "damaged";

impl Lock {
    /// Takes the lock.
    pub(super) fn take(path: &Path, program: &str) -> Result<(Self, LastEnd), OpenError> {
        let name = beside(path, ".lock");
        let file = create_private(&name).map_err(|error| OpenError::io("create", &name, error))?;
        let mut turn = 0;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if turn < TURNS => {
                    turn += 1;
                    std::thread::sleep(TURN);
                }
                Err(TryLockError::WouldBlock) => {
                    let by = read_text(&file)
                        .ok()
                        .and_then(|text| describe(&text))
                        .unwrap_or_else(|| "another program".to_owned());
                    return Err(OpenError::Held {
                        path: path.to_owned(),
                        by,
                    });
                }
                Err(TryLockError::Error(error)) => {
                    return Err(OpenError::io("lock", &name, error));
                }
            }
        }
        let end = match read_text(&file) {
            Ok(text) if text.is_empty() => LastEnd::Clean,
            Ok(text) if text.lines().nth(2) == Some(DAMAGED) => LastEnd::Damaged,
            _ => LastEnd::Killed,
        };
        let program: String = program
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .take(200)
            .collect();
        let lock = Self {
            file,
            text: format!("{program}\n{}\n", std::process::id()),
            damaged: Cell::new(false),
        };
        // Who it is, is for people: a full disk doesn't keep the journal from being used for that.
        if let Err(error) = lock.write_text(&lock.text) {
            tracing::debug!(%error, "the lock does not say whose it is");
        }
        Ok((lock, end))
    }

    /// Sees to it that the next one to open the journal looks at all of it.
    pub(super) fn mark_damaged(&self) {
        if self.damaged.replace(true) {
            return;
        }
        if let Err(error) = self.write_text(&format!("{}{DAMAGED}\n", self.text)) {
            tracing::warn!(%error, "the journal is damaged, which could not be noted down");
        }
    }

    /// The damage was seen to.
    pub(super) fn mark_sound(&self) {
        self.damaged.set(false);
        if let Err(error) = self.write_text(&self.text) {
            tracing::debug!(%error, "the lock does not say whose it is");
        }
    }

    fn write_text(&self, text: &str) -> io::Result<()> {
        let mut file = &self.file;
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(text.as_bytes())
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if !self.damaged.get()
            && let Err(error) = self.file.set_len(0)
        {
            tracing::debug!(%error, "the lock still says whose it was");
        }
    }
}

/// Who holds the journal, for people; `None` if nobody does.
pub(super) fn holder(path: &Path) -> Option<String> {
    let file = File::open(beside(path, ".lock")).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => Some(
            read_text(&file)
                .ok()
                .and_then(|text| describe(&text))
                .unwrap_or_else(|| "another program".to_owned()),
        ),
        _ => None,
    }
}

fn read_text(file: &File) -> io::Result<String> {
    let mut file = file;
    let mut text = Vec::new();
    file.rewind()?;
    file.take(TEXT_LIMIT).read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn describe(text: &str) -> Option<String> {
    let mut lines = text.lines();
    let program: String = lines.next()?.chars().filter(|c| !c.is_control()).collect();
    let process: u32 = lines.next()?.parse().ok()?;
    Some(format!("{program} (process {process})"))
}
