//! Folders of this computer. Everything here blocks.

use std::{
    ffi::OsStr,
    fs, io,
    path::Path,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use super::{
    batches::{Batches, Sink},
    listings::{Entry, EntryName, OpenListing},
};
use crate::{
    dto::{Number, Precision, Row, RowKind},
    error::AppError,
};

/// Reads a folder that was opened, row by row, until its end or until the window closes the listing.
///
/// # Errors
/// If an entry can't be read at all, or the listing was closed.
pub(crate) fn read(
    entries: fs::ReadDir,
    listing: &OpenListing,
    mut batches: Batches<impl Sink>,
) -> Result<(), AppError> {
    for entry in entries {
        if listing.closed.is_cancelled() {
            return Err(AppError::cancelled());
        }
        if listing.stopped.is_cancelled() {
            return batches.stop(Instant::now());
        }
        let entry = entry?;
        let (entry, row) = describe(&entry);
        batches.push(entry, row);
        if batches.is_full() {
            std::thread::sleep(
                batches
                    .next_batch()
                    .saturating_duration_since(Instant::now()),
            );
        }
        let now = Instant::now();
        if batches.is_full() || batches.is_due(now) {
            batches.flush(now)?;
        }
    }
    batches.finish(Instant::now())
}

/// Makes a new folder.
///
/// # Errors
/// As the system has it.
pub(crate) fn create_folder(parent: &Path, name: &OsStr) -> io::Result<()> {
    fs::create_dir(parent.join(name))
}

/// Renames an entry within its folder; never replaces another.
///
/// # Errors
/// As the system has it; [`io::ErrorKind::AlreadyExists`] if the name is taken.
pub(crate) fn rename(parent: &Path, from: &OsStr, to: &OsStr) -> io::Result<()> {
    // Where case makes no difference, the name that is taken may be the entry's own.
    let own = cfg!(any(windows, target_os = "macos")) && from.eq_ignore_ascii_case(to);
    if from != to && !own && fs::symlink_metadata(parent.join(to)).is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    fs::rename(parent.join(from), parent.join(to))
}

/// Deletes an entry, a folder with everything in it. A link goes, not what it points to.
///
/// # Errors
/// As the system has it.
pub(crate) fn delete(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path)?.is_dir() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    }
}

fn describe(entry: &fs::DirEntry) -> (Entry, Row) {
    let name = entry.file_name();
    // An entry that vanished meanwhile, or that may not be looked at, is shown with what is known.
    let metadata = entry.metadata().ok();
    let file_type = metadata
        .as_ref()
        .map(fs::Metadata::file_type)
        .or(entry.file_type().ok());
    let kind = match file_type {
        Some(t) if t.is_symlink() => RowKind::Link,
        Some(t) if t.is_dir() => RowKind::Folder,
        Some(t) if t.is_file() => RowKind::File,
        _ => RowKind::Other,
    };
    let size = metadata
        .as_ref()
        .filter(|_| kind == RowKind::File)
        .map(fs::Metadata::len);
    let modified = metadata
        .as_ref()
        .and_then(|m| m.modified().ok())
        .map(milliseconds);
    let row = Row {
        size: size.map(Number::from),
        precision: modified.map(|_| Precision::Second),
        modified,
        permissions: metadata.as_ref().and_then(permissions),
        target: (kind == RowKind::Link)
            .then(|| fs::read_link(entry.path()).ok())
            .flatten()
            .map(|target| target.to_string_lossy().into_owned()),
        ..Row::new(name.to_string_lossy().into_owned(), kind)
    };
    let entry = Entry {
        name: EntryName::Local(name),
        kind,
        size,
    };
    (entry, row)
}

fn milliseconds(time: SystemTime) -> Number {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => Number::from(i64::try_from(after.as_millis()).unwrap_or(i64::MAX)),
        Err(before) => {
            Number::from(i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |ms| -ms))
        }
    }
}

#[cfg(unix)]
fn permissions(metadata: &fs::Metadata) -> Option<String> {
    use std::os::unix::fs::PermissionsExt;
    Some(super::mode_text(metadata.permissions().mode()))
}

#[cfg(not(unix))]
fn permissions(_: &fs::Metadata) -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::{Arc, mpsc};

    use super::*;
    use crate::{
        dto::ListingEvent,
        error::ErrorCode,
        state::{folder::Folder, listings::Listings},
    };

    struct Sent(mpsc::Sender<ListingEvent>);

    impl Sink for Sent {
        fn send_event(&self, event: ListingEvent) {
            self.0.send(event).unwrap();
        }
    }

    fn rows_of(path: &Path) -> (Vec<Row>, Arc<OpenListing>) {
        let listing = Listings::default().open(Folder::Local(path.into()));
        let (tx, rx) = mpsc::channel();
        let batches = Batches::new(listing.clone(), Sent(tx), Instant::now());
        read(fs::read_dir(path).unwrap(), &listing, batches).unwrap();
        let mut rows: Vec<Row> = rx
            .into_iter()
            .flat_map(|event| match event {
                ListingEvent::Rows { rows } => rows,
                _ => Vec::new(),
            })
            .collect();
        rows.sort_by(|a, b| a.name.cmp(&b.name));
        (rows, listing)
    }

    #[test]
    fn shows_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(".hidden"), "").unwrap();
        fs::write(dir.path().join("file.txt"), "12345").unwrap();
        fs::create_dir(dir.path().join("sub")).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink("file.txt", dir.path().join("link")).unwrap();
        let (rows, listing) = rows_of(dir.path());
        let names: Vec<_> = rows
            .iter()
            .map(|row| (row.name.as_str(), row.kind))
            .collect();
        #[cfg(unix)]
        assert_eq!(
            names,
            [
                (".hidden", RowKind::File),
                ("file.txt", RowKind::File),
                ("link", RowKind::Link),
                ("sub", RowKind::Folder)
            ]
        );
        assert!(rows[0].hidden && !rows[1].hidden);
        assert_eq!(rows[1].size, Some(Number::from(5u64)));
        assert!(rows[1].modified.is_some());
        #[cfg(unix)]
        assert_eq!(rows[2].target.as_deref(), Some("file.txt"));
        assert_eq!(
            listing.entry(rows[1].id).unwrap().name,
            EntryName::Local("file.txt".into())
        );
    }

    #[test]
    #[cfg(unix)]
    fn a_name_that_is_no_text_keeps_its_bytes() {
        use std::os::unix::ffi::OsStrExt;
        let dir = tempfile::tempdir().unwrap();
        let name = OsStr::from_bytes(b"caf\xe9");
        fs::write(dir.path().join(name), "").unwrap();
        let (rows, listing) = rows_of(dir.path());
        assert_eq!(rows[0].name, "caf\u{fffd}");
        assert_eq!(
            listing.entry(0).unwrap().name,
            EntryName::Local(name.to_owned())
        );
    }

    #[test]
    fn a_closed_listing_is_not_read_on() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), "").unwrap();
        let listing = Listings::default().open(Folder::Local(dir.path().into()));
        listing.closed.cancel();
        let (tx, _rx) = mpsc::channel();
        let batches = Batches::new(listing.clone(), Sent(tx), Instant::now());
        let error = read(fs::read_dir(dir.path()).unwrap(), &listing, batches).unwrap_err();
        assert_eq!(error.code, ErrorCode::Cancelled);
    }

    #[test]
    fn a_rename_replaces_nothing() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), "a").unwrap();
        fs::write(dir.path().join("b"), "b").unwrap();
        let error = rename(dir.path(), OsStr::new("a"), OsStr::new("b")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        rename(dir.path(), OsStr::new("a"), OsStr::new("c")).unwrap();
        assert_eq!(fs::read(dir.path().join("b")).unwrap(), b"b");
        assert_eq!(fs::read(dir.path().join("c")).unwrap(), b"a");
    }

    #[test]
    #[cfg(unix)]
    fn deleting_a_link_leaves_its_target() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("target");
        fs::create_dir(&target).unwrap();
        fs::write(target.join("keep"), "").unwrap();
        std::os::unix::fs::symlink(&target, dir.path().join("link")).unwrap();
        delete(&dir.path().join("link")).unwrap();
        assert!(target.join("keep").exists());
        delete(&target).unwrap();
        assert!(!target.exists());
    }
}
