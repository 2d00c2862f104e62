//! Directories of the local disk, and the facts of what is in them.

#[cfg(unix)]
use std::io;
use std::path::PathBuf;

use cap_std::fs::{Dir, Metadata as CapMetadata, MetadataExt};
use futures_util::StreamExt;
use futures_util::stream;
use jiff::Timestamp;
use tokio::task::JoinHandle;

use super::place::Place;
use crate::{DirEntry, FileKind, LIST_BATCH, Listing, Metadata, Result, VfsErrorKind};

/// An open directory. It goes to a blocking thread for each batch and comes back, so that a slow reader of the listing
/// holds a handle, and no thread.
pub(super) struct Reader {
    dir: Dir,
    entries: Entries,
}

impl Reader {
    pub(super) fn open(place: &Place) -> Result<Self> {
        let dir = place.open_dir()?;
        let entries = open_entries(&dir)?;
        Ok(Self { dir, entries })
    }

    /// The next batch is read while whoever asked is busy with the one before.
    pub(super) fn into_stream(self) -> Listing {
        stream::try_unfold(self.read_on(), |reading| async {
            let (batch, reader) = match reading.await {
                Ok(read) => read?,
                Err(_) => return Err(VfsErrorKind::Io.into()),
            };
            Ok((!batch.is_empty()).then(|| (batch, reader.read_on())))
        })
        .boxed()
    }

    fn read_on(mut self) -> JoinHandle<Result<(Vec<DirEntry>, Self)>> {
        tokio::task::spawn_blocking(move || {
            let mut batch = Vec::with_capacity(LIST_BATCH);
            while batch.len() < LIST_BATCH {
                match next_entry(&self.dir, &mut self.entries) {
                    Some(entry) => batch.extend(entry?),
                    None => break,
                }
            }
            Ok((batch, self))
        })
    }
}

/// The names of a directory, straight from the system: a long listing is made of very many of them.
#[cfg(unix)]
type Entries = rustix::fs::Dir;

#[cfg(unix)]
fn open_entries(dir: &Dir) -> Result<Entries> {
    use rustix::fs::{Mode, OFlags, openat};
    // Its handle is only good for finding things in it.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let readable = openat(dir, ".", flags, Mode::empty()).map_err(io::Error::from)?;
    Ok(rustix::fs::Dir::new(readable).map_err(io::Error::from)?)
}

/// The next entry, with what it is; nothing inside where it was deleted since its name was read: it isn't there, so it isn't listed.
#[cfg(unix)]
fn next_entry(dir: &Dir, entries: &mut Entries) -> Option<Result<Option<DirEntry>>> {
    use rustix::fs::{AtFlags, readlinkat, statat};
    loop {
        let entry = match entries.read()? {
            Ok(entry) => entry,
            Err(error) => return Some(Err(io::Error::from(error).into())),
        };
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let Ok(stat) = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) else {
            return Some(Ok(None));
        };
        let mut metadata = stat_facts(&stat);
        if metadata.kind == FileKind::Symlink {
            let target = readlinkat(dir, name, Vec::new());
            metadata.target = target.ok().map(std::ffi::CString::into_bytes);
        }
        let name = name.to_bytes().to_vec();
        return Some(Ok(Some(DirEntry { name, metadata })));
    }
}

#[cfg(unix)]
fn stat_facts(stat: &rustix::fs::Stat) -> Metadata {
    use rustix::fs::FileType;
    // The widths of these differ from system to system.
    #[allow(clippy::unnecessary_cast, clippy::useless_conversion)]
    let (mode, seconds, nanoseconds, links, device) = (
        u32::from(stat.st_mode),
        stat.st_mtime as i64,
        i32::try_from(stat.st_mtime_nsec).unwrap_or(0),
        stat.st_nlink as u64,
        stat.st_dev as u64,
    );
    Metadata {
        kind: match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => FileKind::File,
            FileType::Directory => FileKind::Dir,
            FileType::Symlink => FileKind::Symlink,
            _ => FileKind::Other,
        },
        len: u64::try_from(stat.st_size).unwrap_or(0),
        modified: Timestamp::new(seconds, nanoseconds).ok(),
        mode: mode & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
        links: links.max(1),
        id: Some((device, stat.st_ino)),
        target: None,
    }
}

#[cfg(not(unix))]
type Entries = cap_std::fs::ReadDir;

#[cfg(not(unix))]
fn open_entries(dir: &Dir) -> Result<Entries> {
    Ok(dir.entries()?)
}

#[cfg(not(unix))]
fn next_entry(dir: &Dir, entries: &mut Entries) -> Option<Result<Option<DirEntry>>> {
    let entry = match entries.next()? {
        Ok(entry) => entry,
        Err(error) => return Some(Err(error.into())),
    };
    // Deleted since its name was read: it isn't there, so it isn't listed.
    let Ok(meta) = entry.metadata() else {
        return Some(Ok(None));
    };
    let name = entry.file_name();
    let target = if meta.is_symlink() {
        dir.read_link_contents(&name).ok()
    } else {
        None
    };
    let name = os_bytes(name);
    let metadata = facts(&meta, target);
    Some(Ok(Some(DirEntry { name, metadata })))
}

/// The system's facts as ours.
pub(super) fn facts(meta: &CapMetadata, target: Option<PathBuf>) -> Metadata {
    let kind = if meta.is_file() {
        FileKind::File
    } else if meta.is_dir() {
        FileKind::Dir
    } else if meta.is_symlink() {
        FileKind::Symlink
    } else {
        FileKind::Other
    };
    let modified = meta
        .modified()
        .ok()
        .and_then(|t| Timestamp::try_from(t.into_std()).ok());
    let target = target.map(|t| os_bytes(t.into_os_string()));
    let mut facts = Metadata {
        kind,
        len: meta.len(),
        modified,
        mode: if kind == FileKind::Dir { 0o755 } else { 0o644 },
        uid: 0,
        gid: 0,
        links: 1,
        id: None,
        target,
    };
    system_facts(meta, &mut facts);
    facts
}

#[cfg(unix)]
fn system_facts(meta: &CapMetadata, facts: &mut Metadata) {
    facts.mode = meta.mode() & 0o7777;
    facts.uid = meta.uid();
    facts.gid = meta.gid();
    facts.links = meta.nlink().max(1);
    facts.id = Some((meta.dev(), meta.ino()));
}

#[cfg(not(unix))]
fn system_facts(_: &CapMetadata, _: &mut Metadata) {}

#[cfg(unix)]
fn os_bytes(name: std::ffi::OsString) -> Vec<u8> {
    use std::os::unix::ffi::OsStringExt;
    name.into_vec()
}

#[cfg(not(unix))]
fn os_bytes(name: std::ffi::OsString) -> Vec<u8> {
    name.to_string_lossy().into_owned().into_bytes()
}
