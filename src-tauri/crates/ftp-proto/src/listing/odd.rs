//! Dialects of which one line each is known: small systems, and servers of their own mind.

use super::{
    Entry, Kind, Line, Modified,
    date::Date,
    dialect::{Context, Heading},
    kind_by_name, lossy,
    numeric::{Order, dashed_month, numeric_date},
    scan::{Fields, clock, grouped, is_blank, is_number, local_time, next, short, to_u64, trim},
};
use crate::time::{Clock, utc};

/// VxWorks: the size, the date with a name for the month, the time, the name, and `<DIR>`.
pub(super) fn vxworks(line: &[u8]) -> Option<Line> {
    let (size, rest) = next(line)?;
    let (date, rest) = next(rest)?;
    if !is_number(size) || !date.first()?.is_ascii_alphabetic() {
        return None;
    }
    let (year, month, day) = dashed_month(date)?;
    let (time, rest) = next(rest)?;
    let Some((clock, parts, b"")) = clock(time) else {
        return None;
    };
    let name = trim(rest);
    let (kind, name) = match name.strip_suffix(b"<DIR>") {
        Some(bare) if bare.last().is_some_and(|byte| is_blank(*byte)) => (Kind::Dir, trim(bare)),
        _ => (Kind::File, name),
    };
    if name.is_empty() {
        return None;
    }
    let mut entry = Entry::new(name, kind_by_name(kind, name));
    entry.size = to_u64(size);
    entry.modified = Some(local_time((year, month, day), clock, parts)?);
    entry.raw = line.to_vec();
    Some(Line::Entry(entry))
}

/// Numbers only, as `stat` has them: the mode in octal, the user, the group, the size, the seconds since 1970, the name.
pub(super) fn numeric(line: &[u8]) -> Option<Line> {
    let fields = Fields::new(line, 0);
    let mode = fields.get(0);
    let octal = (5..=7).contains(&mode.len()) && mode.iter().all(|b| (b'0'..=b'7').contains(b));
    if !octal || fields.len() < 6 || !(1..4).all(|at| is_number(fields.get(at))) {
        return None;
    }
    let bits = mode
        .iter()
        .fold(0, |sum, digit| sum * 8 + u32::from(digit - b'0'));
    let kind = match bits >> 12 {
        0o10 => Kind::File,
        0o4 => Kind::Dir,
        0o12 => Kind::Link,
        0o1 | 0o2 | 0o6 | 0o14 => Kind::Other,
        _ => return None,
    };
    let seconds = fields.get(4);
    if !is_number(seconds) || seconds.len() > 11 {
        return None;
    }
    let name = Some(trim(fields.after(4))).filter(|name| !name.is_empty())?;
    let mut entry = Entry::new(name, kind_by_name(kind, name));
    entry.permissions = Some(bits & 0o7777);
    entry.owner = Some(lossy(fields.get(1)));
    entry.group = Some(lossy(fields.get(2)));
    entry.size = to_u64(fields.get(3));
    let timestamp = jiff::Timestamp::from_second(i64::try_from(to_u64(seconds)?).ok()?).ok()?;
    entry.modified = Some(Modified {
        timestamp,
        precision: crate::Precision::Second,
        zone_known: true,
    });
    entry.raw = line.to_vec();
    Some(Line::Entry(entry))
}

/// OS-9 `dir -e`: the owner as group and user, the date with the year first, the time without a colon, the attributes
/// `dsewrewr`, the sector, the size, the name.
pub(super) fn os9(line: &[u8], context: &Context) -> Option<Line> {
    let fields = Fields::new(line, 0);
    let owner = fields.get(0);
    let dot = owner.iter().position(|byte| matches!(byte, b'.' | b','))?;
    let attributes = fields.get(3);
    let fits = is_number(&owner[..dot])
        && is_number(&owner[dot + 1..])
        && attributes.len() == 8
        && attributes
            .iter()
            .zip(b"dsewrewr")
            .all(|(byte, letter)| *byte == b'-' || byte == letter || *byte == b'p');
    if !fits || fields.len() < 7 {
        return None;
    }
    let (year, month, day) = numeric_date(fields.get(1), context.order, Order::Ymd)?;
    let digits = fields.get(2);
    let (hour, minute) = match (digits, clock(digits)) {
        (_, Some((clock, _, b""))) => (clock.hour, clock.minute),
        ([h1, h2, m1, m2], None) => (short(&[*h1, *h2], 2)?, short(&[*m1, *m2], 2)?),
        _ => return None,
    };
    let kind = if attributes[0] == b'd' {
        Kind::Dir
    } else {
        Kind::File
    };
    let name = fields.after(5).get(1..).filter(|name| !name.is_empty())?;
    let mut entry = Entry::new(name, kind_by_name(kind, name));
    entry.size = to_u64(fields.get(5));
    // Public e, w and r, then the owner's.
    let bit = |at: usize| u32::from(attributes[at] != b'-');
    let public = bit(4) * 4 + bit(3) * 2 + bit(2);
    let private = bit(7) * 4 + bit(6) * 2 + bit(5);
    entry.permissions = Some(private << 6 | public);
    entry.group = Some(lossy(&owner[..dot]));
    entry.owner = Some(lossy(&owner[dot + 1..]));
    let clock = Clock {
        hour,
        minute,
        ..Clock::default()
    };
    entry.modified = Some(Modified {
        timestamp: utc(year, month, day, clock)?,
        precision: crate::Precision::Minute,
        zone_known: false,
    });
    entry.raw = line.to_vec();
    Some(Line::Entry(entry))
}

/// Stratus VOS: what one may do, the blocks of 4096 bytes, the organization of a file, the date with the year first, the
/// time, and the name; links have their date, time, name and target.
pub(super) fn vos(line: &[u8], context: &Context) -> Option<Line> {
    let fields = Fields::new(line, 0);
    let link = context.heading == Heading::VosLinks;
    let date_at = if link {
        0
    } else {
        let access = matches!(
            fields.get(0),
            [b'n' | b'e' | b'r' | b'w' | b's' | b'm' | b'u']
        );
        if !access || !is_number(fields.get(1)) {
            return None;
        }
        match fields.get(2) {
            b"seq" | b"stm" | b"fix" | b"rel" | b"sequential" | b"stream" | b"fixed"
            | b"relative" => 3,
            _ => 2,
        }
    };
    let (year, month, day) = numeric_date(fields.get(date_at), Some(Order::Ymd), Order::Ymd)?;
    let Some((clock, parts, b"")) = clock(fields.get(date_at + 1)) else {
        return None;
    };
    let name = fields.get(date_at + 2);
    if name.is_empty() {
        return None;
    }
    let kind = match context.heading {
        _ if link => Kind::Link,
        Heading::VosDirs => Kind::Dir,
        _ if date_at == 3 => Kind::File,
        _ => Kind::Dir,
    };
    let mut entry = Entry::new(name, kind);
    if kind == Kind::File {
        entry.size = to_u64(fields.get(1)).and_then(|blocks| blocks.checked_mul(4096));
        entry.size_rounded = entry.size.is_some();
    }
    if link && fields.get(date_at + 3) == b"->" {
        entry.target = Some(fields.get(date_at + 4).to_vec());
    }
    entry.modified = Some(local_time((year, month, day), clock, parts)?);
    entry.raw = line.to_vec();
    Some(Line::Entry(entry))
}

/// TOPS-20: `NAME.TYPE.GENERATION;P777700`, the pages, the bytes and how many bits one has, the date, the time, the
/// writer.
pub(super) fn tops20(line: &[u8]) -> Option<Line> {
    let fields = Fields::new(line, 0);
    let word = fields.get(0);
    let end = word
        .iter()
        .position(|byte| *byte == b';')
        .unwrap_or(word.len());
    let name = &word[..end];
    let generation = name.rsplit(|byte| *byte == b'.').next()?;
    if name.iter().filter(|byte| **byte == b'.').count() < 2
        || !is_number(generation)
        || !is_number(fields.get(1))
    {
        return None;
    }
    let [count @ .., b')'] = fields.get(2) else {
        return None;
    };
    let open = count.iter().position(|byte| *byte == b'(')?;
    let (bytes, bits) = (to_u64(&count[..open])?, to_u64(&count[open + 1..])?);
    let (year, month, day) = dashed_month(fields.get(3))?;
    let Some((clock, parts, b"")) = clock(fields.get(4)) else {
        return None;
    };
    let mut entry = Entry::new(name, Kind::File);
    entry.size = match bits {
        7 | 8 => Some(bytes),
        _ => bytes.checked_mul(bits).map(|bits| bits.div_ceil(8)),
    };
    entry.size_rounded = bits != 8;
    entry.version = short(generation, 6);
    let writer = fields.get(5);
    entry.owner = (!writer.is_empty()).then(|| lossy(writer));
    entry.modified = Some(local_time((year, month, day), clock, parts)?);
    entry.raw = line.to_vec();
    Some(Line::Entry(entry))
}

/// MPE/iX `LISTF,2`: the name, its code, the length of a record in bytes or words, the type, the number of records, their limit,
/// and the space it takes.
pub(super) fn mpe(line: &[u8]) -> Option<Line> {
    let fields = Fields::new(line, 0);
    let name = fields.get(0);
    let name = name.strip_suffix(b"*").unwrap_or(name);
    let fits = (1..=8).contains(&name.len())
        && name[0].is_ascii_uppercase()
        && name
            .iter()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    if !fits || fields.len() < 6 {
        return None;
    }
    let at = (1..3)
        .find(|at| matches!(fields.get(*at), [digits @ .., b'B' | b'W'] if is_number(digits)))?;
    let [length @ .., unit] = fields.get(at) else {
        return None;
    };
    let kind = fields.get(at + 1);
    let is_type = matches!(kind, [b'F' | b'V' | b'U' | b'O', b'A' | b'B', ..]) && kind.len() <= 4;
    let (records, limit) = (fields.get(at + 2), fields.get(at + 3));
    if !is_type || !is_number(records) || !is_number(limit) {
        return None;
    }
    let mut entry = Entry::new(name, Kind::File);
    entry.records = to_u64(records);
    let unit = if *unit == b'W' { 2 } else { 1 };
    entry.size = to_u64(length)
        .and_then(|length| length.checked_mul(unit))
        .zip(entry.records)
        .and_then(|(length, records)| length.checked_mul(records));
    entry.size_rounded = entry.size.is_some() && kind[0] != b'F';
    entry.raw = line.to_vec();
    Some(Line::Entry(entry))
}

/// The name, the size, the date in numbers, the day of the week with a dot, the time.
pub(super) fn wf(line: &[u8], context: &Context) -> Option<Line> {
    let fields = Fields::new(line, 0);
    let weekday = fields.get(3);
    let [letters @ .., b'.'] = weekday else {
        return None;
    };
    let size = grouped(fields.get(1))?;
    let (year, month, day) = numeric_date(fields.get(2), context.order, Order::Dmy)?;
    let Some((clock, parts, b"")) = clock(fields.get(4)) else {
        return None;
    };
    if fields.len() != 5 || !letters.iter().all(u8::is_ascii_alphabetic) {
        return None;
    }
    let name = fields.get(0);
    let (kind, name) = match name.strip_suffix(b"/") {
        Some(bare) if !bare.is_empty() => (Kind::Dir, bare),
        _ => (Kind::File, name),
    };
    let mut entry = Entry::new(name, kind_by_name(kind, name));
    entry.size = size;
    entry.modified = Some(local_time((year, month, day), clock, parts)?);
    entry.raw = line.to_vec();
    Some(Line::Entry(entry))
}

/// The size, a date as `ls` has it, and the name, with a `/` behind that of a folder: VShell, and others that leave out
/// the mode.
pub(super) fn size_first(line: &[u8], context: &Context) -> Option<Line> {
    if !line.iter().find(|byte| !is_blank(**byte))?.is_ascii_digit() {
        return None;
    }
    let fields = Fields::new(line, 0);
    let size = grouped(fields.get(0))?;
    let date = Date::parse(&fields, 1, context.now)?;
    let rest = fields.after(date.last);
    let name = rest
        .get(1..)
        .filter(|name| is_blank(rest[0]) && !trim(name).is_empty())?;
    let (kind, name) = match name.strip_suffix(b"/") {
        Some(bare) if !bare.is_empty() => (Kind::Dir, bare),
        _ => (Kind::File, name),
    };
    let mut entry = Entry::new(name, kind_by_name(kind, name));
    entry.size = size;
    entry.modified = Some(date.modified);
    entry.raw = line.to_vec();
    Some(Line::Entry(entry))
}

/// A name and nothing else: without blanks, and not what a sentence ends with.
pub(super) fn bare(line: &[u8]) -> Option<Line> {
    let odd = |byte: &u8| byte.is_ascii_whitespace() || byte.is_ascii_control();
    if line.is_empty() || line.iter().any(odd) || line.ends_with(b":") {
        return None;
    }
    let (kind, name) = match line.strip_suffix(b"/") {
        Some(bare) if !bare.is_empty() => (Kind::Dir, bare),
        _ => (Kind::File, line),
    };
    // Some list what is in a folder by paths that begin with it.
    let name = match name.strip_prefix(b"./") {
        Some(bare) if !bare.is_empty() => bare,
        _ => name,
    };
    let kind = match name {
        b"." | b".." => Kind::Dir,
        _ => kind,
    };
    let mut entry = Entry::new(name, kind_by_name(kind, name));
    entry.raw = line.to_vec();
    Some(Line::Entry(entry))
}
