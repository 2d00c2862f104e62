//! Listings: the facts of MLSD and MLST, and the lines of LIST in the forms of Unix and DOS.
//!
//! Names are bytes, and nobody has checked them: a listing is a stranger's text. What no parser understands is
//! kept as it came.

mod decoder;
mod dos;
mod format;
mod mlsx;
mod scan;
mod unix;

use jiff::Timestamp;

pub use decoder::{ListingDecoder, MAX_LINE};
pub use format::{MlsxFacts, format_list, format_mlsx, permissions_text};
pub use mlsx::{ListError, parse_mlsx};

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
            modified: None,
            permissions: None,
            perm: None,
            owner: None,
            group: None,
            links: None,
            target: None,
            unique: None,
            raw: Vec::new(),
        }
    }
}

/// What one line of a listing is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// An entry.
    Entry(Entry),
    /// A line that no parser understands, without its end; cut where it is longer than [`MAX_LINE`].
    Unparsed(Vec<u8>),
    /// An empty line, or `total 12`.
    Skip,
}

/// Reads one line of LIST, without its end: in the form of Unix `ls -l`, or of DOS `dir`.
///
/// `now` is the reference for dates without a year, which are the latest ones at most 24 hours ahead of it.
#[must_use]
pub fn parse_list_line(line: &[u8], now: Timestamp) -> Line {
    if line.trim_ascii().is_empty() || scan::is_total(line) {
        return Line::Skip;
    }
    match unix::parse(line, now).or_else(|| dos::parse(line)) {
        Some(entry) => Line::Entry(entry),
        None => Line::Unparsed(line.to_vec()),
    }
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
