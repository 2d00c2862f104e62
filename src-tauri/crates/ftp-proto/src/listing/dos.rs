//! `dir` of Windows and its FTP server, and the listing of OS/2.

use super::{
    Entry, Kind, Line,
    date::twelve,
    dialect::Context,
    kind_by_name,
    numeric::{Order, numeric_date},
    scan::{Fields, clock, grouped, is_blank, is_number, local_time, next, rounded, to_u64},
};

/// Reads a line of `dir`, as Windows and its FTP server print it: the date, the time, `<DIR>` or the size, and the name.
pub(super) fn parse(line: &[u8], context: &Context) -> Option<Line> {
    let (word, rest) = next(line)?;
    if !word.first()?.is_ascii_digit() {
        return None;
    }
    let (year, month, day) = numeric_date(word, context.order, Order::Mdy)?;
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
    if let Some(Size { bytes, rounded }) = size {
        entry.size = bytes;
        entry.size_rounded = rounded;
    }
    entry.target = target.map(<[u8]>::to_vec);
    entry.modified = Some(local_time((year, month, day), clock, parts)?);
    entry.raw = line.to_vec();
    Some(Line::Entry(entry))
}

fn is_half(word: &[u8]) -> bool {
    matches!(
        word.to_ascii_lowercase().as_slice(),
        b"a" | b"p" | b"am" | b"pm" | b"a.m." | b"p.m."
    )
}

fn marker(word: &[u8]) -> Option<Kind> {
    match word.to_ascii_uppercase().as_slice() {
        b"<DIR>" | b"<REP>" => Some(Kind::Dir),
        b"<JUNCTION>" | b"<SYMLINKD>" | b"<SYMLINK>" => Some(Kind::Link),
        _ => None,
    }
}

/// The name behind a marker, which is filled up to 15 columns. Where there are fewer blanks, none belongs to the name.
fn padded(marker: usize, rest: &[u8]) -> &[u8] {
    let blanks = rest.iter().take_while(|byte| is_blank(**byte)).count();
    &rest[blanks.min(15 - marker.min(15))..]
}

/// A size that was there, and its value unless it is too large.
#[derive(Clone, Copy)]
struct Size {
    bytes: Option<u64>,
    rounded: bool,
}

fn size(word: &[u8]) -> Option<Size> {
    // In brackets: what is only on tape, says Windows.
    let word = match word {
        [b'(', inner @ .., b')'] => inner,
        _ => word,
    };
    if let Some(bytes) = grouped(word) {
        return Some(Size {
            bytes,
            rounded: false,
        });
    }
    rounded(word).map(|bytes| Size {
        bytes,
        rounded: bytes.is_some(),
    })
}

/// Splits `name [target]`. Both may have brackets too; those of the target come in pairs.
fn split_target(text: &[u8]) -> (&[u8], Option<&[u8]>) {
    let Some(inner) = text.strip_suffix(b"]") else {
        return (text, None);
    };
    let split = (1..inner.len().saturating_sub(1))
        .rev()
        .filter(|at| inner[*at] == b' ' && inner[at + 1] == b'[')
        .find(|at| in_pairs(&inner[at + 2..]));
    match split {
        Some(at) => (&inner[..at], Some(&inner[at + 2..])),
        None => (text, None),
    }
}

fn in_pairs(text: &[u8]) -> bool {
    let mut open = 0_usize;
    for byte in text {
        match byte {
            b'[' => open += 1,
            b']' if open == 0 => return false,
            b']' => open -= 1,
            _ => {}
        }
    }
    open == 0
}

/// Reads a line of OS/2: the size, the attributes or `DIR`, the date, the time, and the name.
pub(super) fn parse_os2(line: &[u8], context: &Context) -> Option<Line> {
    let (word, mut rest) = next(line)?;
    if !is_number(word) {
        return None;
    }
    let size = to_u64(word);
    let mut kind = Kind::File;
    let date = loop {
        let (word, after) = next(rest)?;
        rest = after;
        if word.first()?.is_ascii_digit() {
            break numeric_date(word, context.order, Order::Mdy)?;
        }
        if word == b"DIR" {
            kind = Kind::Dir;
        } else if !word.iter().all(|byte| b"ADHRSENP-".contains(byte)) {
            return None;
        }
    };
    let (word, rest) = next(rest)?;
    let (mut clock, parts, half) = clock(word)?;
    if !half.is_empty() {
        clock = twelve(clock, half)?;
    }
    let blanks = rest.iter().take_while(|byte| is_blank(**byte)).count();
    // Two blanks stand before the name.
    let name = &rest[blanks.min(2)..];
    if name.is_empty() || blanks == 0 {
        return None;
    }
    let (year, month, day) = date;
    let mut entry = Entry::new(name, kind_by_name(kind, name));
    entry.size = size.filter(|_| kind == Kind::File);
    entry.modified = Some(local_time((year, month, day), clock, parts)?);
    entry.raw = line.to_vec();
    Some(Line::Entry(entry))
}

/// Reads a line of `dir` as MS-DOS printed it: the name, blanks instead of the dot, the type, the size or `<DIR>`, the date
/// and the time, and nothing behind it.
pub(super) fn name_first(line: &[u8], context: &Context) -> Option<Line> {
    let fields = Fields::new(line, 0);
    let count = fields.len();
    if !(4..=5).contains(&count) || line.first().is_none_or(|byte| is_blank(*byte)) {
        return None;
    }
    let (mut clock, parts, half) = clock(fields.get(count - 1))?;
    if !half.is_empty() {
        clock = twelve(clock, half)?;
    }
    let (year, month, day) = numeric_date(fields.get(count - 2), context.order, Order::Mdy)?;
    let size = match fields.get(count - 3) {
        b"<DIR>" => None,
        word => Some(grouped(word)?),
    };
    let mut name = fields.get(0).to_vec();
    if count == 5 {
        let extension = fields.get(1);
        if extension.len() > 3 || name.len() > 8 {
            return None;
        }
        name.push(b'.');
        name.extend_from_slice(extension);
    }
    let kind = if size.is_none() {
        Kind::Dir
    } else {
        Kind::File
    };
    let kind = kind_by_name(kind, &name);
    let mut entry = Entry::new(name, kind);
    entry.size = size.flatten();
    entry.modified = Some(local_time((year, month, day), clock, parts)?);
    entry.raw = line.to_vec();
    Some(Line::Entry(entry))
}
