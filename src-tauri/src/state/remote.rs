//! Folders of a server, on their way to the window.

use std::time::Instant;

use ftp_client::{
    Charset, Listing,
    ftp_proto::{
        Precision as ListedPrecision,
        listing::{Entry as ListedEntry, Kind, Line},
    },
};

use super::{
    batches::{Batches, Sink},
    listings::{Entry, EntryName, OpenListing},
    mode_text,
};
use crate::{
    dto::{Number, Precision, Row, RowKind},
    error::{AppError, Result},
};

/// Reads a listing to its end, or until the window closes it, or until the person has seen enough.
///
/// # Errors
/// If the connection fails, the listing was closed, or it has too many entries.
pub(crate) async fn read(
    mut lines: Listing,
    listing: &OpenListing,
    mut batches: Batches<impl Sink>,
) -> Result<()> {
    loop {
        if listing.closed.is_cancelled() {
            return Err(AppError::cancelled());
        }
        if listing.stopped.is_cancelled() {
            return batches.stop(Instant::now());
        }
        let is_full = batches.is_full();
        let pause = tokio::time::sleep_until(batches.next_batch().into());
        tokio::select! {
            // While lines are there they are taken; only when they pause is what is there sent early.
            biased;
            line = lines.next(), if !is_full => match line? {
                Some(line) => {
                    if let Some((entry, row)) = describe(line) {
                        batches.push(entry, row);
                    }
                    let now = Instant::now();
                    if !batches.is_full() && batches.is_due(now) {
                        batches.flush(now)?;
                    }
                }
                None => return batches.finish(Instant::now()),
            },
            () = pause, if !batches.is_empty() => batches.flush(Instant::now())?,
            // What is to be done is decided at the top.
            () = listing.unwanted() => {}
        }
    }
}

/// What the window shows of a line; none for a line that stands for no entry.
fn describe(line: Line) -> Option<(Entry, Row)> {
    match line {
        Line::Entry(entry) => of_entry(entry),
        Line::Unparsed(raw) => {
            let entry = Entry {
                name: EntryName::Unparsed,
                kind: RowKind::Unparsed,
                size: None,
            };
            let text = ftp_client::ftp_proto::escape(&raw, 1000);
            Some((entry, Row::new(text, RowKind::Unparsed)))
        }
        Line::Skip => None,
    }
}

fn of_entry(listed: ListedEntry) -> Option<(Entry, Row)> {
    let kind = match listed.kind {
        Kind::Dir => RowKind::Folder,
        Kind::File => RowKind::File,
        Kind::Link => RowKind::Link,
        Kind::Other => RowKind::Other,
        Kind::CurrentDir | Kind::ParentDir => return None,
    };
    let size = listed.size.filter(|_| kind != RowKind::Folder);
    // One that the server has rounded is shown, and no transfer is held to it.
    let exact = listed.exact_size().filter(|_| kind != RowKind::Folder);
    let row = Row {
        size: size.map(Number::from),
        modified: listed
            .modified
            .as_ref()
            .map(|modified| Number::from_timestamp(modified.timestamp)),
        precision: listed
            .modified
            .as_ref()
            .map(|modified| match modified.precision {
                ListedPrecision::Day => Precision::Day,
                ListedPrecision::Minute => Precision::Minute,
                ListedPrecision::Second | ListedPrecision::Milli => Precision::Second,
            }),
        permissions: listed.permissions.map(mode_text),
        target: listed
            .target
            .map(|target| Charset::AUTO.decode(&target).into_owned()),
        ..Row::new(Charset::AUTO.decode(&listed.name).into_owned(), kind)
    };
    let entry = Entry {
        name: EntryName::Remote(listed.name.into()),
        kind,
        size: exact,
    };
    Some((entry, row))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use ftp_client::ftp_proto::listing::Modified;

    use super::*;

    #[test]
    fn an_entry_is_shown_as_text_and_kept_as_bytes() {
        let mut listed = ListedEntry::new(b"caf\xe9".as_slice(), Kind::File);
        listed.size = Some(5);
        listed.permissions = Some(0o640);
        listed.modified = Some(Modified {
            timestamp: jiff::Timestamp::from_second(2).unwrap(),
            precision: ListedPrecision::Minute,
            zone_known: false,
        });
        let (entry, row) = describe(Line::Entry(listed)).unwrap();
        assert_eq!(entry.name, EntryName::Remote(b"caf\xe9".as_slice().into()));
        // As what it most likely is, since it is no UTF-8.
        assert_eq!(row.name, "café");
        assert_eq!(row.modified, Some(Number::from(2000u64)));
        assert_eq!(row.precision, Some(Precision::Minute));
        assert_eq!(row.permissions.as_deref(), Some("rw-r-----"));
    }

    #[test]
    fn what_stands_for_no_entry_is_not_shown() {
        for kind in [Kind::CurrentDir, Kind::ParentDir] {
            assert!(describe(Line::Entry(ListedEntry::new(".", kind))).is_none());
        }
        assert!(describe(Line::Skip).is_none());
    }

    #[test]
    fn a_line_that_no_parser_knew_is_shown_and_is_no_entry() {
        let (entry, row) = describe(Line::Unparsed(b"?? \x1b[31m".to_vec())).unwrap();
        assert_eq!(
            (entry.name, row.kind),
            (EntryName::Unparsed, RowKind::Unparsed)
        );
        assert_eq!(row.name, "?? \\x1b[31m");
    }
}
