use super::{
    Entry, Kind, Modified, kind_by_name,
    scan::{clock, is_blank, is_number, iso_date, short, to_u64},
};
use crate::time::{Clock, utc};

/// Reads a line of `dir`, as Windows and its FTP server print it: the date, the time, `<DIR>` or the size, and the name.
pub(super) fn parse(line: &[u8]) -> Option<Entry> {
    let (word, rest) = next(line)?;
    let (year, month, day) = date(word)?;
    let (word, rest) = next(rest)?;
    let (mut clock, parts, half) = clock(word)?;
    let rest = if half.is_empty() {
        match next(rest) {
            Some((half, after)) if is_half(half) => {
                clock = twelve(clock, half)?;
                after
            }
            _ => rest,
        }
    } else {
        clock = twelve(clock, half)?;
        rest
    };
    let (word, rest) = next(rest)?;
    let (kind, size, name) = match marker(word) {
        Some(kind) => (kind, None, padded(word.len(), rest)),
        None => (Kind::File, Some(size(word)?), rest.get(1..)?),
    };
    let (name, target) = match kind {
        Kind::Link => split_target(name),
        _ => (name, None),
    };
    if name.is_empty() {
        return None;
    }
    let mut entry = Entry::new(name, kind_by_name(kind, name));
    entry.size = size.and_then(|Size(bytes)| bytes);
    entry.target = target.map(<[u8]>::to_vec);
    entry.modified = Some(Modified {
        timestamp: utc(year, month, day, clock)?,
        precision: parts.into(),
        zone_known: false,
    });
    entry.raw = line.to_vec();
    Some(entry)
}

/// The next word, and what stands behind it.
fn next(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let start = text.iter().position(|byte| !is_blank(*byte))?;
    let text = &text[start..];
    let end = text
        .iter()
        .position(|byte| is_blank(*byte))
        .unwrap_or(text.len());
    Some(text.split_at(end))
}

/// Month, day and year with `-` or `/` between, in that order unless the first is no month; day, month and year with
/// dots; or year, month and day with anything.
fn date(word: &[u8]) -> Option<(u32, u32, u32)> {
    if let Some(date) = iso_date(word) {
        return Some(date);
    }
    let mark = *word.iter().find(|byte| !byte.is_ascii_digit())?;
    let mut parts = word.split(|byte| *byte == mark);
    let (a, b, c) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || !matches!(mark, b'-' | b'/' | b'.') {
        return None;
    }
    if a.len() == 4 {
        return Some((short(a, 4)?, short(b, 2)?, short(c, 2)?));
    }
    let (first, second) = (short(a, 2)?, short(b, 2)?);
    let year = match (c.len(), short(c, 4)?) {
        (4, year) => year,
        (2, year @ 70..) => 1900 + year,
        (2, year) => 2000 + year,
        _ => return None,
    };
    match (mark, first) {
        (b'.', _) | (_, 13..) => Some((year, second, first)),
        _ => Some((year, first, second)),
    }
}

fn is_half(word: &[u8]) -> bool {
    matches!(
        word.to_ascii_lowercase().as_slice(),
        b"a" | b"p" | b"am" | b"pm" | b"a.m." | b"p.m."
    )
}

/// Hours with AM or PM behind them.
fn twelve(clock: Clock, half: &[u8]) -> Option<Clock> {
    if !is_half(half) || !(1..=12).contains(&clock.hour) {
        return None;
    }
    let noon = if half[0].eq_ignore_ascii_case(&b'p') {
        12
    } else {
        0
    };
    Some(Clock {
        hour: clock.hour % 12 + noon,
        ..clock
    })
}

fn marker(word: &[u8]) -> Option<Kind> {
    match word.to_ascii_uppercase().as_slice() {
        b"<DIR>" => Some(Kind::Dir),
        b"<JUNCTION>" | b"<SYMLINKD>" | b"<SYMLINK>" => Some(Kind::Link),
        _ => None,
    }
}

/// The name behind a marker, which is filled up to 15 columns. Where there are fewer blanks, none belongs to the name.
fn padded(marker: usize, rest: &[u8]) -> &[u8] {
    let blanks = rest.iter().take_while(|byte| is_blank(**byte)).count();
    &rest[blanks.min(15 - marker.min(15))..]
}

/// Digits with separators between thousands, of which every country has its own.
fn size(word: &[u8]) -> Option<Size> {
    if is_number(word) {
        return Some(Size(to_u64(word)));
    }
    let mut digits = Vec::with_capacity(word.len());
    let mut groups = word.split(|byte| !byte.is_ascii_digit());
    digits.extend_from_slice(
        groups
            .next()
            .filter(|group| (1..=3).contains(&group.len()))?,
    );
    let separators = word
        .iter()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b',' | b'.' | b'\'' | 0xa0 | 0xc2));
    for group in groups.filter(|group| !group.is_empty()) {
        if group.len() != 3 {
            return None;
        }
        digits.extend_from_slice(group);
    }
    separators.then(|| Size(to_u64(&digits)))
}

/// A size that was there, and its value unless it is too large.
#[derive(Clone, Copy)]
struct Size(Option<u64>);

/// Splits `name [target]`.
fn split_target(text: &[u8]) -> (&[u8], Option<&[u8]>) {
    let Some(inner) = text.strip_suffix(b"]") else {
        return (text, None);
    };
    match inner.windows(2).rposition(|window| window == b" [") {
        Some(at) if at > 0 => (&inner[..at], Some(&inner[at + 2..])),
        _ => (text, None),
    }
}
