//! IBM i (AS/400) and z/VM.

use super::{
    Entry, Kind, Line, Modified,
    dialect::Context,
    kind_by_name, lossy,
    numeric::{Order, numeric_date},
    scan::{Fields, clock, is_blank, is_number, local_time, short, to_u64, trim},
};
use crate::{
    Precision,
    time::{Clock, utc},
};

/// Reads a line of IBM i: the owner, the size, the date, the time, the type with a `*`, and the name; all but the last two
/// may be missing.
pub(super) fn as400(line: &[u8], context: &Context) -> Option<Line> {
    let star = line
        .iter()
        .enumerate()
        .find(|(at, byte)| **byte == b'*' && (*at == 0 || is_blank(line[*at - 1])))
        .map(|(at, _)| at)?;
    let letters = line[star + 1..]
        .iter()
        .take_while(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        .count();
    let end = star + 1 + letters;
    if !(2..=9).contains(&letters) || !line.get(end).is_some_and(|byte| is_blank(*byte)) {
        return None;
    }
    let name = &line[end..];
    let blanks = name.iter().take_while(|byte| is_blank(**byte)).count();
    let name = &name[blanks..];
    let (kind, name) = match (&line[star + 1..end], name.strip_suffix(b"/")) {
        (_, Some(bare)) if !bare.is_empty() => (Kind::Dir, bare),
        (b"DIR" | b"DDIR" | b"LIB" | b"FLR", _) => (Kind::Dir, name),
        (b"SYMLNK", _) => (Kind::Link, name),
        _ => (Kind::File, name),
    };
    let mut entry = Entry::new(name, kind_by_name(kind, name));
    let fields = Fields::new(&line[..star], 0);
    let mut at = 0;
    if fields.len() > 0 && !is_number(fields.get(0)) && as400_date(fields.get(0), context).is_none()
    {
        entry.owner = Some(lossy(fields.get(0)));
        at = 1;
    }
    if is_number(fields.get(at)) {
        entry.size = to_u64(fields.get(at));
        at += 1;
    }
    if let Some((year, month, day)) = as400_date(fields.get(at), context) {
        let (clock, precision) = as400_time(fields.get(at + 1));
        entry.modified = Some(Modified {
            timestamp: utc(year, month, day, clock)?,
            precision,
            zone_known: false,
        });
        at += if precision == Precision::Day { 1 } else { 2 };
    }
    // Anything else in front of the type is not this dialect.
    if at < fields.len() || name.is_empty() {
        return None;
    }
    entry.raw = line.to_vec();
    Some(Line::Entry(entry))
}

/// The form is one of the server's settings; it comes with its separator.
fn as400_date(word: &[u8], context: &Context) -> Option<(u32, u32, u32)> {
    let usual = if word.contains(&b'-') {
        Order::Ymd
    } else {
        Order::Mdy
    };
    numeric_date(word, context.order, usual).or_else(|| {
        // *JUL: the year and the day of the year.
        let [y1, y2, b'/' | b'-', rest @ ..] = word else {
            return None;
        };
        let day = short(rest, 3).filter(|day| rest.len() == 3 && (1..=366).contains(day))?;
        let year = short(&[*y1, *y2], 2)?;
        let year = if year >= 70 { 1900 + year } else { 2000 + year };
        let date = jiff::civil::Date::new(i16::try_from(year).ok()?, 1, 1).ok()?;
        let date = date
            .checked_add(jiff::Span::new().days(i64::from(day) - 1))
            .ok()?;
        Some((
            year,
            u32::try_from(date.month()).ok()?,
            u32::try_from(date.day()).ok()?,
        ))
    })
}

/// Hours, minutes and seconds with the separator of the server's settings.
fn as400_time(word: &[u8]) -> (Clock, Precision) {
    let plain: Vec<u8> = word
        .iter()
        .map(|byte| {
            if matches!(byte, b'.' | b',') {
                b':'
            } else {
                *byte
            }
        })
        .collect();
    match clock(&plain) {
        Some((clock, parts, b"")) => (clock, parts.into()),
        _ => (Clock::default(), Precision::Day),
    }
}

/// Reads a line of z/VM: the name and the type of a file, its record format and length, the numbers of records and blocks, the
/// date and the time.
pub(super) fn vm(line: &[u8], context: &Context) -> Option<Line> {
    let fields = Fields::new(line, 0);
    let count = fields.len();
    if count < 6 {
        return None;
    }
    // Where the record format stands: behind the name, the type, and perhaps the letter of the disk.
    let format = (1..4).find(|at| {
        let number = |at: usize| is_number(fields.get(at)) || fields.get(at) == b"-";
        matches!(fields.get(*at), b"F" | b"V" | b"DIR")
            && number(at + 1)
            && number(at + 2)
            && number(at + 3)
    })?;
    let date = fields.get(format + 4);
    let (year, month, day) = numeric_date(date, context.order, Order::Mdy)?;
    let Some((clock, parts, b"")) = clock(fields.get(format + 5)) else {
        return None;
    };
    let dir = fields.get(format) == b"DIR";
    let mut name = fields.get(0).to_vec();
    if format >= 2 && fields.get(1) != b"-" {
        name.push(b'.');
        name.extend_from_slice(fields.get(1));
    } else if !dir {
        return None;
    }
    let mut entry = Entry::new(name, if dir { Kind::Dir } else { Kind::File });
    if !dir {
        let (length, records) = (
            to_u64(fields.get(format + 1)),
            to_u64(fields.get(format + 2)),
        );
        entry.records = records;
        entry.size = length
            .zip(records)
            .and_then(|(length, records)| length.checked_mul(records));
        // The length of a record is the longest one's where they vary.
        entry.size_rounded = entry.size.is_some() && fields.get(format) == b"V";
    }
    let owner = trim(fields.get(format + 6));
    entry.owner = (!owner.is_empty() && owner != b"-").then(|| lossy(owner));
    entry.modified = Some(local_time((year, month, day), clock, parts)?);
    entry.raw = line.to_vec();
    Some(Line::Entry(entry))
}
