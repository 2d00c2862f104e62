//! What a listing brings, as far as memory is to bear it.

use ftp_client::ftp_proto::Precision;
use ftp_client::ftp_proto::listing::{Entry, Kind, Modified};
use jiff::Timestamp;

use crate::error::Error;
use crate::remote::{Found, FoundEntry, FoundKind};

/// How many lines of a listing are collected. The largest folders that people have stay far below.
const MOST_ENTRIES: usize = 5_000_000;
/// How long all names of a listing may be together.
const MOST_NAME_BYTES: u64 = 1 << 30;

/// A listing as far as it has come, within limits: a server may send lines for ever.
pub(super) struct Collected {
    pub(super) found: Vec<Found>,
    name_bytes: u64,
    most_entries: usize,
    most_name_bytes: u64,
}

impl Collected {
    pub(super) fn within_memory() -> Self {
        Self::new(MOST_ENTRIES, MOST_NAME_BYTES)
    }

    fn new(most_entries: usize, most_name_bytes: u64) -> Self {
        Self {
            found: Vec::new(),
            name_bytes: 0,
            most_entries,
            most_name_bytes,
        }
    }

    pub(super) fn add(&mut self, found: Found) -> Result<(), Error> {
        let length = match &found {
            Found::Entry(entry) => entry.name.len(),
            Found::Unparsed(line) => line.len(),
        };
        let name_bytes = self.name_bytes + length as u64;
        if self.found.len() >= self.most_entries || name_bytes > self.most_name_bytes {
            return Err(Error::ListingTooLong {
                entries: self.found.len(),
                bytes: self.name_bytes,
            });
        }
        self.name_bytes = name_bytes;
        self.found.push(found);
        Ok(())
    }
}

/// `None` for the folder itself and the one above it.
pub(super) fn found_entry(entry: Entry) -> Option<Found> {
    let kind = match entry.kind {
        Kind::File => FoundKind::File,
        Kind::Dir => FoundKind::Folder,
        Kind::Link => FoundKind::Link,
        Kind::CurrentDir | Kind::ParentDir => return None,
        Kind::Other => FoundKind::Other,
    };
    if matches!(entry.name.as_slice(), b"." | b"..") && kind == FoundKind::Folder {
        return None;
    }
    Some(Found::Entry(FoundEntry {
        // A rounded size would look like a file that has changed.
        size: entry.exact_size(),
        name: entry.name,
        kind,
        modified: entry.modified.and_then(exact),
        mode: entry.permissions,
        target: entry.target,
    }))
}

/// A time that is exact to the second and of a known zone.
pub(super) fn exact(modified: Modified) -> Option<Timestamp> {
    let is_exact =
        modified.zone_known && matches!(modified.precision, Precision::Second | Precision::Milli);
    is_exact.then_some(modified.timestamp)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Retry;

    #[test]
    fn a_listing_is_collected_up_to_its_limits() {
        let line = |length: usize| Found::Unparsed("x".repeat(length));
        let entry = |length: usize| {
            Found::Entry(FoundEntry {
                name: vec![b'x'; length],
                kind: FoundKind::File,
                size: None,
                modified: None,
                mode: None,
                target: None,
            })
        };
        let mut by_count = Collected::new(3, 1000);
        let mut by_length = Collected::new(1000, 30);
        for make in [&line as &dyn Fn(usize) -> Found, &entry, &line] {
            by_count.add(make(10)).unwrap();
            by_length.add(make(10)).unwrap();
        }
        for mut full in [by_count, by_length] {
            let error = full.add(entry(1)).unwrap_err();
            assert!(
                matches!(
                    error,
                    Error::ListingTooLong {
                        entries: 3,
                        bytes: 30
                    }
                ),
                "{error:?}"
            );
            assert_eq!(error.retry(), Retry::Never);
            assert_eq!(full.found.len(), 3);
        }
    }
}
