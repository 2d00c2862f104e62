//! The listings that the window has open, with what it may not know: the real names.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use tokio_util::sync::CancellationToken;

use super::folder::Folder;
use crate::{
    dto::RowKind,
    error::{AppError, ErrorCode},
};

/// Two panes and a few tabs; a window that forgets to close its listings loses the oldest.
const OPEN_LISTINGS: usize = 64;

/// More entries than any folder that a window can show; a server that never ends is cut off here.
pub(crate) const ROWS_OF_A_LISTING: usize = 2_000_000;

/// The real name of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum EntryName {
    /// On this computer.
    Local(OsString),
    /// On a server, as its bytes.
    Remote(Box<[u8]>),
    /// A line that no parser knew: nothing can be done with it.
    Unparsed,
}

/// What the shell keeps of a row.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) name: EntryName,
    pub(crate) kind: RowKind,
    /// Bytes, where known.
    pub(crate) size: Option<u64>,
}

impl Entry {
    /// For messages.
    pub(crate) fn name_for_people(&self) -> String {
        match &self.name {
            EntryName::Local(name) => name.to_string_lossy().into_owned(),
            EntryName::Remote(name) => String::from_utf8_lossy(name).into_owned(),
            EntryName::Unparsed => String::from("(a line that could not be read)"),
        }
    }
}

/// A folder that the window shows.
#[derive(Debug)]
pub(crate) struct OpenListing {
    pub(crate) id: u32,
    pub(crate) folder: Folder,
    /// Cancelled when the window closes the listing: ends its reading and its watcher.
    pub(crate) closed: CancellationToken,
    entries: Mutex<Vec<Entry>>,
    watched: AtomicBool,
}

impl OpenListing {
    /// Changes are seen by a watcher from now on.
    pub(crate) fn set_watched(&self) {
        self.watched.store(true, Ordering::Relaxed);
    }

    /// Whether a watcher sees every change.
    pub(crate) fn is_watched(&self) -> bool {
        self.watched.load(Ordering::Relaxed)
    }

    /// Adds entries, whose rows the window is about to get; says the index of the first.
    ///
    /// # Errors
    /// If the folder has more entries than can be shown.
    pub(crate) fn add(&self, new: impl IntoIterator<Item = Entry>) -> Result<(), AppError> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.extend(new);
        if entries.len() > ROWS_OF_A_LISTING {
            return Err(AppError::new(
                ErrorCode::Unsupported,
                format!("The folder has more than {ROWS_OF_A_LISTING} entries."),
            ));
        }
        Ok(())
    }

    /// The entry of a row.
    ///
    /// # Errors
    /// [`ErrorCode::StaleListing`] for a row that was never sent, [`ErrorCode::Argument`] for one that is no entry.
    pub(crate) fn entry(&self, row: u32) -> Result<Entry, AppError> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.get(row as usize).ok_or_else(stale)?;
        if entry.name == EntryName::Unparsed {
            return Err(AppError::argument(
                "This line of the server's listing could not be read, so nothing can be done with it.",
            ));
        }
        Ok(entry.clone())
    }

    /// Whether an entry has exactly this name.
    pub(crate) fn has(&self, name: &EntryName) -> bool {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.iter().any(|entry| entry.name == *name)
    }
}

/// The listings by id.
#[derive(Debug, Default)]
pub(crate) struct Listings {
    open: Mutex<BTreeMap<u32, Arc<OpenListing>>>,
    last: AtomicU32,
}

impl Listings {
    /// Registers a folder that is about to be shown.
    pub(crate) fn open(&self, folder: Folder) -> Arc<OpenListing> {
        let listing = Arc::new(OpenListing {
            id: self.last.fetch_add(1, Ordering::Relaxed) + 1,
            folder,
            closed: CancellationToken::new(),
            entries: Mutex::default(),
            watched: AtomicBool::new(false),
        });
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        while open.len() >= OPEN_LISTINGS {
            if let Some((_, oldest)) = open.pop_first() {
                oldest.closed.cancel();
            }
        }
        open.insert(listing.id, Arc::clone(&listing));
        listing
    }

    /// The listing of an id.
    ///
    /// # Errors
    /// [`ErrorCode::StaleListing`] if it is not open any more.
    pub(crate) fn get(&self, id: u32) -> Result<Arc<OpenListing>, AppError> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.get(&id).cloned().ok_or_else(stale)
    }

    /// Frees a listing. One that is not open is no error: the window may close twice.
    pub(crate) fn close(&self, id: u32) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(listing) = open.remove(&id) {
            listing.closed.cancel();
        }
    }

    /// Frees every listing of a session.
    pub(crate) fn close_session(&self, session: u32) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, listing| {
            let keep = listing.folder.session() != Some(session);
            if !keep {
                listing.closed.cancel();
            }
            keep
        });
    }

    /// The listings that show a folder.
    pub(crate) fn showing(&self, folder: &Folder) -> Vec<Arc<OpenListing>> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.values()
            .filter(|listing| listing.folder == *folder)
            .cloned()
            .collect()
    }
}

fn stale() -> AppError {
    AppError::new(
        ErrorCode::StaleListing,
        "The folder has been read anew; look again.",
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn folder(session: u32) -> Folder {
        Folder::Remote {
            session,
            path: ftp_client::ftp_proto::RemotePath::root(),
        }
    }

    fn entry(name: EntryName) -> Entry {
        Entry {
            name,
            kind: RowKind::File,
            size: None,
        }
    }

    #[test]
    fn a_row_is_found_by_its_index() {
        let listings = Listings::default();
        let listing = listings.open(folder(1));
        let name = EntryName::Remote(b"a\xff".as_slice().into());
        listing
            .add([entry(EntryName::Unparsed), entry(name.clone())])
            .unwrap();
        let listing = listings.get(listing.id).unwrap();
        assert_eq!(listing.entry(1).unwrap().name, name);
        assert_eq!(listing.entry(1).unwrap().name_for_people(), "a\u{fffd}");
        assert_eq!(listing.entry(0).unwrap_err().code, ErrorCode::Argument);
        assert_eq!(listing.entry(2).unwrap_err().code, ErrorCode::StaleListing);
        assert!(listing.has(&name) && !listing.has(&EntryName::Remote(b"a".as_slice().into())));
    }

    #[test]
    fn closing_frees_and_ends() {
        let listings = Listings::default();
        let listing = listings.open(folder(1));
        let other = listings.open(folder(2));
        assert_eq!(listings.showing(&folder(1))[0].id, listing.id);
        listings.close(listing.id);
        listings.close(listing.id);
        assert!(listing.closed.is_cancelled());
        assert_eq!(
            listings.get(listing.id).unwrap_err().code,
            ErrorCode::StaleListing
        );
        listings.close_session(2);
        assert!(other.closed.is_cancelled() && listings.get(other.id).is_err());
    }

    #[test]
    fn the_oldest_makes_room() {
        let listings = Listings::default();
        let first = listings.open(folder(1));
        for _ in 0..OPEN_LISTINGS {
            listings.open(folder(1));
        }
        assert!(first.closed.is_cancelled() && listings.get(first.id).is_err());
        assert_eq!(listings.showing(&folder(1)).len(), OPEN_LISTINGS);
    }
}
