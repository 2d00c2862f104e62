//! Listings: the facts of MLSD and MLST, and the lines of LIST in every dialect that is known (see `docs/listings.md`).
//!
//! Names are bytes, and nobody has checked them: a listing is a stranger's text. What no parser understands is
//! kept as it came.

mod date;
mod decoder;
mod dialect;
mod dos;
mod ebcdic;
mod eplf;
mod format;
mod ibm;
mod languages;
mod mlsx;
mod mode;
mod months;
mod mvs;
mod numeric;
mod odd;
mod parsers;
mod reader;
mod scan;
mod summary;
mod tandem;
mod unix;
mod vms;

use jiff::{SignedDuration, Timestamp};

pub use decoder::{ListingDecoder, MAX_LINE};
pub use format::{MlsxFacts, format_list, format_mlsx, permissions_text, write_list, write_mlsx};
pub use mlsx::{ListError, parse_mlsx};
pub use parsers::{ListParsers, ParseListLine};

use crate::Precision;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A plain file.
    File,
    /// A folder.
    Dir,
    /// A symbolic link, or what Windows has of that sort; what it leads to is unknown.
    Link,
    /// A device, a pipe, or something that the server didn't name.
    Other,
    /// The listed folder itself: `.` or the type `cdir`.
    CurrentDir,
    /// The folder above: `..` or the type `pdir`.
    ParentDir,
}

/// When an entry was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Modified {
    /// The moment. Where the zone is unknown, it is the server's local time read as if it were UTC.
    pub timestamp: Timestamp,
    /// How exact it is.
    pub precision: Precision,
    /// True where the server said which zone it meant; MLSx is always UTC.
    pub zone_known: bool,
}

impl Modified {
    /// The same time where the server's clock is `offset` seconds ahead of UTC (3600 for UTC+1). A time of which the
    /// zone is known already stays as it is, and so does a date without a time of day: it is no moment.
    #[must_use]
    pub fn in_zone(self, offset: i32) -> Self {
        if self.zone_known || self.precision == Precision::Day {
            return self;
        }
        match self
            .timestamp
            .checked_sub(SignedDuration::from_secs(i64::from(offset)))
        {
            Ok(timestamp) => Self {
                timestamp,
                zone_known: true,
                ..self
            },
            // At the end of all days.
            Err(_) => self,
        }
    }
}

/// One entry of a listing. What the server didn't say is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name as the server sent it, never empty. Not checked: it may hold slashes, `..` or control characters;
    /// [`crate::Name`] is for that. In an answer to MLST it may be a whole path.
    pub name: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// The size in bytes. LIST shows one for folders too, which means nothing.
    pub size: Option<u64>,
    /// True where the size is not exact: the listing had it in blocks, in records, or as `1.5K`. See
    /// [`exact_size`](Self::exact_size).
    pub size_rounded: bool,
    /// When it was changed.
    pub modified: Option<Modified>,
    /// The permission bits, 0 to 0o7777.
    pub permissions: Option<u32>,
    /// The `perm` fact (RFC 3659 section 7.5.5): what this login may do.
    pub perm: Option<Box<str>>,
    /// The owner, a name or a number.
    pub owner: Option<Box<str>>,
    /// The group, a name or a number.
    pub group: Option<Box<str>>,
    /// The number of hard links.
    pub links: Option<u32>,
    /// Where a link leads to, as the server sent it.
    pub target: Option<Vec<u8>>,
    /// The `unique` fact (RFC 3659 section 7.5.2): two entries with the same one are the same file.
    pub unique: Option<Box<str>>,
    /// The number of records or lines, from systems whose files are made of these.
    pub records: Option<u64>,
    /// The version of the file, or its generation, where a system keeps several.
    pub version: Option<u32>,
    /// The line it was read from; empty for an entry that wasn't.
    pub raw: Vec<u8>,
}

impl Entry {
    /// An entry of which only this is known.
    #[must_use]
    pub fn new(name: impl Into<Vec<u8>>, kind: Kind) -> Self {
        Self {
            name: name.into(),
            kind,
            size: None,
            size_rounded: false,
            modified: None,
            permissions: None,
            perm: None,
            owner: None,
            group: None,
            links: None,
            target: None,
            unique: None,
            records: None,
            version: None,
            raw: Vec::new(),
        }
    }

    /// The size in bytes, unless it is a rounded one: what can be compared with that of a copy.
    #[must_use]
    pub fn exact_size(&self) -> Option<u64> {
        self.size.filter(|_| !self.size_rounded)
    }
}

/// What one line of a listing is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// An entry.
    Entry(Entry),
    /// A line that no parser understands, without its end; cut where it is longer than [`MAX_LINE`].
    Unparsed(Vec<u8>),
    /// An empty line, a sum such as `total 12`, or the heading of a table.
    Skip,
}

/// Reads one line of LIST, without its end, in any dialect but bare names: [`ListingDecoder`] does better, since the other
/// lines of a listing help to understand one.
///
/// `now` is the reference for dates without a year, which are the latest ones at most 24 hours ahead of it.
#[must_use]
pub fn parse_list_line(line: &[u8], now: Timestamp) -> Line {
    parse_list_line_with(line, now, &ListParsers::new())
}

/// As [`parse_list_line`], with parsers of one's own before or after the dialects.
#[must_use]
pub fn parse_list_line_with(line: &[u8], now: Timestamp, parsers: &ListParsers) -> Line {
    reader::alone(line, now, parsers)
}

/// `.` and `..` are what they are, whatever the server calls them.
fn kind_by_name(kind: Kind, name: &[u8]) -> Kind {
    match (kind, name) {
        (Kind::Dir | Kind::Other, b".") => Kind::CurrentDir,
        (Kind::Dir | Kind::Other, b"..") => Kind::ParentDir,
        (kind, _) => kind,
    }
}

fn lossy(bytes: &[u8]) -> Box<str> {
    String::from_utf8_lossy(bytes).into()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
