//! The one mechanism under all files: versioned JSON, read whole, changed under a lock, replaced atomically.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// The only format so far, of all files.
const VERSION: u64 = 1;
/// A thousand sites are some hundred KiB.
const SIZE_LIMIT: u64 = 16 * 1024 * 1024;
/// Others hold the lock for a few milliseconds.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);
const LOCK_PAUSE: Duration = Duration::from_millis(5);

/// A file of the type `T` in the configuration folder. `T` is the whole content: it begins with a [`Version`] and keeps the
/// fields that it does not know in an [`Extra`].
#[derive(Debug, Clone)]
pub(crate) struct Document {
    folder: PathBuf,
    name: &'static str,
}

impl Document {
    pub(crate) fn new(folder: &Path, name: &'static str) -> Self {
        Self {
            folder: folder.to_owned(),
            name,
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.join(self.name)
    }

    /// What the file says; the default if there is none. Needs no lock: a file is replaced as a whole.
    pub(crate) fn read<T: DeserializeOwned + Default>(&self) -> Result<T> {
        let path = self.path();
        match read_bounded(&path) {
            Ok(bytes) => parse(&path, &bytes),
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Ok(T::default())
            }
            Err(error) => Err(error),
        }
    }

    /// Reads, changes and replaces the file while other processes wait. If anything fails, the file stays as it was.
    pub(crate) fn update<T, R>(&self, change: impl FnOnce(&mut T) -> Result<R>) -> Result<R>
    where
        T: DeserializeOwned + Default + Serialize,
    {
        create_folder(&self.folder)?;
        // Held until the end of this function; the system lets go of it if the process dies.
        let _lock = lock(&self.folder.join(".lock"))?;
        let mut content: T = self.read()?;
        let answer = change(&mut content)?;
        self.replace(&content)?;
        Ok(answer)
    }

    fn replace<T: Serialize>(&self, content: &T) -> Result<()> {
        let path = self.path();
        // A file that the user linked to elsewhere (a repository of dot files) stays a link.
        let target = match fs::canonicalize(&path) {
            Ok(real) => real,
            Err(error) if error.kind() == io::ErrorKind::NotFound => path.clone(),
            Err(error) => return Err(io_error("find", &path)(error)),
        };
        let folder = target.parent().unwrap_or(&self.folder);
        let mut bytes = serde_json::to_vec_pretty(content)
            .map_err(|error| io_error("write", &path)(error.into()))?;
        bytes.push(b'\n');
        // tempfile makes files with mode 0600, exclusively.
        let mut file = tempfile::Builder::new()
            .prefix(&format!(".{}.", self.name))
            .tempfile_in(folder)
            .map_err(io_error("write in", folder))?;
        file.write_all(&bytes)
            .and_then(|()| file.as_file().sync_all())
            .map_err(io_error("write", &path))?;
        file.persist(&target)
            .map_err(|error| io_error("replace", &path)(error.error))?;
        sync_folder(folder)
    }
}

/// Fields that this version does not know, kept for the version that does. What they hold is nobody's business here:
/// `Debug` shows their names only.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Extra(Map<String, Value>);

impl Extra {
    /// Takes what `older` knows and this one does not.
    pub(crate) fn adopt(&mut self, older: &Extra) {
        for (name, value) in &older.0 {
            self.0.entry(name).or_insert_with(|| value.clone());
        }
    }
}

impl std::fmt::Debug for Extra {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// The field `version`, the first of every content. It has been checked when the content is read, and is always
/// written as the version that this program knows.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Version;

impl Serialize for Version {
    fn serialize<S: serde::Serializer>(
        &self,
        serializer: S,
    ) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_u64(VERSION)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> std::result::Result<Self, D::Error> {
        u64::deserialize(d).map(|_| Version)
    }
}

fn parse<T: DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<T> {
    #[derive(Deserialize)]
    struct Head {
        version: u64,
    }
    let damaged = |error: serde_json::Error| Error::Damaged {
        path: path.to_owned(),
        line: error.line(),
        column: error.column(),
        why: without_position(&error),
    };
    // Before the rest is looked at: a newer version may look quite different.
    let head: Head = serde_json::from_slice(bytes).map_err(damaged)?;
    if head.version > VERSION {
        return Err(Error::Newer {
            path: path.to_owned(),
            found: head.version,
            known: VERSION,
        });
    }
    if head.version == 0 {
        return Err(Error::Damaged {
            path: path.to_owned(),
            line: 1,
            column: 1,
            why: "there is no format 0".into(),
        });
    }
    serde_json::from_slice(bytes).map_err(damaged)
}

/// serde_json ends its words with " at line 1 column 2", which the error says itself.
fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

fn read_bounded(path: &Path) -> Result<Vec<u8>> {
    let fail = io_error("read", path);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) => return Err(fail(error)),
    };
    let mut bytes = Vec::new();
    if let Err(error) = file.take(SIZE_LIMIT + 1).read_to_end(&mut bytes) {
        return Err(fail(error));
    }
    if bytes.len() as u64 > SIZE_LIMIT {
        let size = fs::metadata(path).map_or(SIZE_LIMIT + 1, |m| m.len());
        return Err(Error::TooLarge {
            path: path.to_owned(),
            size,
            limit: SIZE_LIMIT,
        });
    }
    Ok(bytes)
}

fn create_folder(folder: &Path) -> Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(io_error("create", folder))
}

fn lock(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).map_err(io_error("open", path))?;
    let start = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if start.elapsed() < LOCK_PATIENCE => {
                std::thread::sleep(LOCK_PAUSE);
            }
            Err(TryLockError::WouldBlock) => {
                return Err(Error::Busy {
                    path: path.to_owned(),
                });
            }
            Err(TryLockError::Error(error)) => return Err(io_error("lock", path)(error)),
        }
    }
}

/// Makes a rename last through a power cut; file systems that can't (some network ones) are forgiven.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> Result<()> {
    let handle = File::open(folder).map_err(io_error("open", folder))?;
    match handle.sync_all() {
        Err(error) if error.kind() != io::ErrorKind::InvalidInput => {
            Err(io_error("write", folder)(error))
        }
        _ => Ok(()),
    }
}

#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> Result<()> {
    Ok(())
}

fn io_error(action: &'static str, path: &Path) -> impl Fn(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io {
        action,
        path: path.clone(),
        source,
    }
}

#[cfg(test)]
mod tests;
