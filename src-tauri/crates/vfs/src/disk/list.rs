//! Directories of the local disk, and the facts of what is in them.

use std::path::PathBuf;

use cap_std::fs::{Dir, Metadata as CapMetadata, MetadataExt, ReadDir};
use futures_util::StreamExt;
use futures_util::stream;
use jiff::Timestamp;

use super::blocking;
use super::place::Place;
use crate::{DirEntry, FileKind, LIST_BATCH, Listing, Metadata, Result};

/// An open directory. It goes to a blocking thread for each batch and comes back, so that a slow reader of the listing
/// holds a handle, and no thread.
pub(super) struct Reader {
    dir: Dir,
    entries: ReadDir,
}

impl Reader {
    pub(super) fn open(place: &Place) -> Result<Self> {
        let dir = place.open_dir()?;
        let entries = dir.entries()?;
        Ok(Self { dir, entries })
    }

    pub(super) fn into_stream(self) -> Listing {
        stream::try_unfold(self, |mut reader| {
            blocking(move || {
                let batch = reader.next_batch()?;
                Ok((!batch.is_empty()).then_some((batch, reader)))
            })
        })
        .boxed()
    }

    fn next_batch(&mut self) -> Result<Vec<DirEntry>> {
        let mut batch = Vec::new();
        for entry in self.entries.by_ref() {
            let entry = entry?;
            // Deleted since its name was read: it isn't there, so it isn't listed.
            let Ok(meta) = entry.metadata() else { continue };
            let name = entry.file_name();
            let target = if meta.is_symlink() {
                self.dir.read_link_contents(&name).ok()
            } else {
                None
            };
            batch.push(DirEntry {
                name: os_bytes(name),
                metadata: facts(&meta, target),
            });
            if batch.len() == LIST_BATCH {
                break;
            }
        }
        Ok(batch)
    }
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
