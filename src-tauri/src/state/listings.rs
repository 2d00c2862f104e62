//! The listings that the window has open, with what it may not know: the real names.

use std::{
    collections::{BTreeMap, HashMap},
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
const ROWS_OF_A_LISTING: usize = 2_000_000;

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
            EntryName::Remote(name) => ftp_client::Charset::AUTO.decode(name).into_owned(),
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
    /// Cancelled when the person has seen enough: ends its reading, and what was read stays.
    pub(crate) stopped: CancellationToken,
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

    /// Waits until nobody wants it read on.
    pub(crate) async fn unwanted(&self) {
        tokio::select! {
            () = self.closed.cancelled() => {}
            () = self.stopped.cancelled() => {}
        }
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
        let entry = self.line(row)?;
        if entry.name == EntryName::Unparsed {
            return Err(unparsed());
        }
        Ok(entry)
    }

    /// What is in a row, be it an entry or a line that could not be read.
    ///
    /// # Errors
    /// [`ErrorCode::StaleListing`] for a row that was never sent.
    pub(crate) fn line(&self, row: u32) -> Result<Entry, AppError> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get(row as usize).cloned().ok_or_else(stale)
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
    /// What the window asked for and does not have yet, by the ids that it gave.
    requests: Mutex<HashMap<u32, Arc<CancellationToken>>>,
}

/// A folder that the window waits for.
pub(crate) struct Request<'a> {
    listings: &'a Listings,
    id: u32,
    stopped: Arc<CancellationToken>,
}

impl Request<'_> {
    /// Cancelled when the window has waited long enough.
    pub(crate) fn stopped(&self) -> CancellationToken {
        self.stopped.as_ref().clone()
    }
}

impl Drop for Request<'_> {
    fn drop(&mut self) {
        let mut requests = self.listings.requests();
        // A page that was loaded anew may have given the id again.
        if requests
            .get(&self.id)
            .is_some_and(|stopped| Arc::ptr_eq(stopped, &self.stopped))
        {
            requests.remove(&self.id);
        }
    }
}

impl Listings {
    /// Registers what the window waits for, until the request is dropped.
    pub(crate) fn request(&self, id: u32) -> Request<'_> {
        let stopped = Arc::new(CancellationToken::new());
        self.requests().insert(id, Arc::clone(&stopped));
        Request {
            listings: self,
            id,
            stopped,
        }
    }

    /// The window does not want to wait for a folder any longer. One that is there already is no error.
    pub(crate) fn stop(&self, request: u32) {
        if let Some(stopped) = self.requests().get(&request) {
            stopped.cancel();
        }
    }

    fn requests(&self) -> std::sync::MutexGuard<'_, HashMap<u32, Arc<CancellationToken>>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a folder that is about to be shown.
    #[cfg(test)]
    pub(crate) fn open(&self, folder: Folder) -> Arc<OpenListing> {
        self.open_until(folder, CancellationToken::new())
    }

    /// Registers a folder that is about to be shown, and read until `stopped`.
    pub(crate) fn open_until(
        &self,
        folder: Folder,
        stopped: CancellationToken,
    ) -> Arc<OpenListing> {
        let listing = Arc::new(OpenListing {
            id: self.last.fetch_add(1, Ordering::Relaxed) + 1,
            folder,
            closed: CancellationToken::new(),
            stopped,
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

/// A line that no parser knew.
pub(crate) fn unparsed() -> AppError {
    AppError::argument(
        "This line of the server's listing could not be read, so nothing can be done with it.",
    )
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
        assert_eq!(listing.entry(1).unwrap().name_for_people(), "aÿ");
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
    fn a_request_is_stopped_by_its_own_id_only() {
        let listings = Listings::default();
        let (one, two) = (listings.request(1), listings.request(2));
        listings.stop(2);
        listings.stop(77);
        assert!(!one.stopped().is_cancelled() && two.stopped().is_cancelled());
        // The page was loaded anew and counts from one again.
        let again = listings.request(1);
        drop(one);
        listings.stop(1);
        assert!(again.stopped().is_cancelled());
        drop((two, again));
        assert!(listings.requests().is_empty());
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
