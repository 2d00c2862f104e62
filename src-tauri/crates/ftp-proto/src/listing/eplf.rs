//! Easily Parsed LIST Format (<https://cr.yp.to/ftp/list/eplf.html>).

use jiff::Timestamp;

use super::{Entry, Kind, Line, Modified, kind_by_name, lossy, scan::to_u64};
use crate::Precision;

/// Reads `+`, facts with a comma behind each, a tab, and the name.
pub(super) fn parse(line: &[u8]) -> Option<Line> {
    let facts = line.strip_prefix(b"+")?;
    let tab = facts.iter().position(|byte| *byte == b'\t');
    let end = match tab {
        Some(tab) => tab,
        // Somebody's editor, or server, made a blank of the tab.
        None => facts.iter().position(|byte| *byte == b' ')?,
    };
    let ended = facts[..end].ends_with(b",")
        || end == 0
        || (tab.is_some()
            && facts[..end].iter().all(|byte| *byte != b' ')
            && b"/rsmiu".contains(&facts[0]));
    let (facts, name) = (&facts[..end], &facts[end + 1..]);
    // An empty list of facts is allowed; anything but facts is another dialect.
    if name.is_empty() || !ended {
        return None;
    }
    let (mut dir, mut file) = (false, false);
    let mut entry = Entry::new(name, Kind::Other);
    for fact in facts.split(|byte| *byte == b',') {
        match fact {
            [] => {}
            b"/" => dir = true,
            b"r" => file = true,
            [b's', size @ ..] => entry.size = to_u64(size),
            [b'm', seconds @ ..] => {
                entry.modified = seconds_since(seconds).map(|timestamp| Modified {
                    timestamp,
                    precision: Precision::Second,
                    zone_known: true,
                });
            }
            [b'i', id @ ..] => entry.unique = (!id.is_empty()).then(|| lossy(id)),
            [b'u', b'p', mode @ ..] => entry.permissions = super::mlsx::octal(mode),
            // Others may come in time, says the format.
            _ => {}
        }
    }
    entry.kind = match (dir, file) {
        (true, _) => Kind::Dir,
        (false, true) => Kind::File,
        (false, false) => Kind::Other,
    };
    entry.kind = kind_by_name(entry.kind, name);
    entry.raw = line.to_vec();
    Some(Line::Entry(entry))
}

fn seconds_since(text: &[u8]) -> Option<Timestamp> {
    let (sign, digits) = match text {
        [b'-', digits @ ..] => (-1, digits),
        digits => (1, digits),
    };
    let seconds = i64::try_from(to_u64(digits)?).ok()?;
    Timestamp::from_second(sign * seconds).ok()
}
