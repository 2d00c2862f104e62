//! Rows on their way to the window: the first few at once, then at most ten batches a second.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tauri::ipc::Channel;

use super::listings::{Entry, OpenListing};
use crate::{
    dto::{ListingEvent, Row, RowKind},
    error::AppError,
};

/// A first screen: sent as soon as it is full.
const FIRST_ROWS: usize = 200;
/// A first screen that fills slowly is not waited for longer than this.
const FIRST_WAIT: Duration = Duration::from_millis(30);
/// The pause between two batches.
const PAUSE: Duration = Duration::from_millis(100);
/// The window takes a batch apart between two frames: more rows than this would show as a jerk.
const ROWS_OF_A_BATCH: usize = 5_000;

/// Collects the rows of one listing and says when to send them. Time is an input.
pub(crate) struct Batches<S> {
    listing: Arc<OpenListing>,
    send: S,
    entries: Vec<Entry>,
    rows: Vec<Row>,
    total: u32,
    unparsed: u32,
    started: Instant,
    sent: Option<Instant>,
}

/// Sends an event to the window.
pub(crate) trait Sink {
    /// A window that is gone is no reason to fail.
    fn send_event(&self, event: ListingEvent);
}

impl Sink for Channel<ListingEvent> {
    fn send_event(&self, event: ListingEvent) {
        if let Err(error) = Channel::send(self, event) {
            tracing::debug!(%error, "the window did not take a batch of rows");
        }
    }
}

impl<S: Sink> Batches<S> {
    /// For the rows of `listing`, which is read from `started` on.
    pub(crate) fn new(listing: Arc<OpenListing>, send: S, started: Instant) -> Self {
        Self {
            listing,
            send,
            entries: Vec::new(),
            rows: Vec::new(),
            total: 0,
            unparsed: 0,
            started,
            sent: None,
        }
    }

    /// Adds one row; its id is set here.
    pub(crate) fn push(&mut self, entry: Entry, mut row: Row) {
        row.id = self.total;
        self.total += 1;
        self.unparsed += u32::from(row.kind == RowKind::Unparsed);
        self.entries.push(entry);
        self.rows.push(row);
    }

    /// Nothing waits to be sent.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// No more rows should be added before the next batch is sent.
    pub(crate) fn is_full(&self) -> bool {
        self.rows.len() >= ROWS_OF_A_BATCH
    }

    /// A batch should be sent now, though more rows may come at once.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        match self.sent {
            None => self.rows.len() >= FIRST_ROWS || now >= self.started + FIRST_WAIT,
            Some(sent) => now >= sent + PAUSE,
        }
    }

    /// When a batch may be sent if no more rows come before.
    pub(crate) fn next_batch(&self) -> Instant {
        self.sent.map_or(self.started, |sent| sent + PAUSE)
    }

    /// Sends what is there. The rows can be asked for as soon as they are sent.
    ///
    /// # Errors
    /// If the folder has too many entries.
    pub(crate) fn flush(&mut self, now: Instant) -> Result<(), AppError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        self.listing.add(self.entries.drain(..))?;
        self.send.send_event(ListingEvent::Rows {
            rows: std::mem::take(&mut self.rows),
        });
        self.sent = Some(now);
        Ok(())
    }

    /// Sends the rest, and that it was the rest.
    ///
    /// # Errors
    /// If the folder has too many entries.
    pub(crate) fn finish(self, now: Instant) -> Result<(), AppError> {
        self.end(now, false)
    }

    /// Sends the rest of what came, and that there may be more.
    ///
    /// # Errors
    /// If the folder has too many entries.
    pub(crate) fn stop(self, now: Instant) -> Result<(), AppError> {
        self.end(now, true)
    }

    fn end(mut self, now: Instant, stopped: bool) -> Result<(), AppError> {
        self.flush(now)?;
        self.send.send_event(ListingEvent::Done {
            total: self.total,
            millis: (now - self.started).into(),
            unparsed: self.unparsed,
            stopped,
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::{cell::RefCell, rc::Rc};

    use super::*;
    use crate::state::{
        folder::Folder,
        listings::{EntryName, Listings},
    };

    #[derive(Clone, Default)]
    struct Sent(Rc<RefCell<Vec<ListingEvent>>>);

    impl Sink for Sent {
        fn send_event(&self, event: ListingEvent) {
            self.0.borrow_mut().push(event);
        }
    }

    fn row(kind: RowKind) -> (Entry, Row) {
        let entry = Entry {
            name: EntryName::Local("x".into()),
            kind,
            size: None,
        };
        (entry, Row::new("x".into(), kind))
    }

    #[test]
    fn the_first_screen_goes_at_once_and_the_rest_in_time() {
        let listings = Listings::default();
        let listing = listings.open(Folder::Local("/".into()));
        let sent = Sent::default();
        let start = Instant::now();
        let mut batches = Batches::new(listing.clone(), sent.clone(), start);
        for n in 0..FIRST_ROWS {
            assert!(!batches.is_due(start), "{n}");
            let (entry, row) = row(RowKind::File);
            batches.push(entry, row);
        }
        assert!(batches.is_due(start));
        batches.flush(start).unwrap();

        let (unparsed, line) = row(RowKind::Unparsed);
        batches.push(unparsed, line);
        assert!(!batches.is_due(start + PAUSE / 2));
        assert!(batches.is_due(start + PAUSE) && batches.next_batch() == start + PAUSE);
        batches.finish(start + PAUSE).unwrap();

        let sent = sent.0.borrow();
        let ListingEvent::Rows { rows } = &sent[1] else {
            panic!("rows expected: {:?}", sent[1]);
        };
        assert_eq!(rows[0].id as usize, FIRST_ROWS);
        let ListingEvent::Done {
            total,
            unparsed,
            millis,
            stopped: false,
        } = &sent[2]
        else {
            panic!("done expected: {:?}", sent[2]);
        };
        assert_eq!(
            (*total as usize, *unparsed, millis.get()),
            (FIRST_ROWS + 1, 1, 100.0)
        );
        assert!(listing.entry(0).is_ok());
    }

    #[test]
    fn a_slow_first_screen_is_not_waited_for() {
        let listings = Listings::default();
        let start = Instant::now();
        let batches = Batches::new(
            listings.open(Folder::Local("/".into())),
            Sent::default(),
            start,
        );
        assert!(batches.is_due(start + FIRST_WAIT));
    }
}
