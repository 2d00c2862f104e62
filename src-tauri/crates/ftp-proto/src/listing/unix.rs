use jiff::{SignedDuration, Timestamp};

use super::{
    Entry, Kind, Modified, kind_by_name, lossy,
    scan::{Fields, Parts, clock, is_blank, is_number, iso_date, month, short, to_u64, yearless},
};
use crate::{
    Precision,
    time::{Clock, utc},
};

/// Reads a line of `ls -l`: the mode, links, owner, group, size, date and name, of which links, owner and group may
/// be missing. Exactly one blank stands between the date and the name; more belong to the name.
pub(super) fn parse(line: &[u8], now: Timestamp) -> Option<Entry> {
    let start = mode_start(line)?;
    let (mode, after_mode) = Mode::parse(&line[start..])?;
    let fields = Fields::new(line, start + after_mode);
    let (date_at, date) = (1..fields.len()).find_map(|at| {
        size_before(&fields, at, mode.kind)?;
        Some((at, Date::parse(&fields, at, now)?))
    })?;
    let size = size_before(&fields, date_at, mode.kind)?;
    let rest = fields.after(date.last);
    let name = rest
        .get(1..)
        .filter(|name| is_blank(rest[0]) && !name.is_empty())?;
    let (name, target) = match mode.kind {
        Kind::Link => split_target(name, size.bytes),
        _ => (name, None),
    };
    let name = match name.strip_suffix(b"/") {
        // The mark of `ls -F`: no name has a slash.
        Some(bare) if mode.kind == Kind::Dir && !bare.is_empty() => bare,
        _ => name,
    };
    let mut entry = Entry::new(name, kind_by_name(mode.kind, name));
    entry.size = size.bytes;
    entry.modified = Some(date.modified);
    entry.permissions = mode.bits;
    entry.target = target.map(<[u8]>::to_vec);
    entry.raw = line.to_vec();
    people(&mut entry, &fields, date_at - size.fields, size.glued);
    Some(entry)
}

/// Where the mode begins: at the start, or behind the number of the inode or of the blocks.
fn mode_start(line: &[u8]) -> Option<usize> {
    let mut at = line.iter().position(|byte| !is_blank(*byte))?;
    for _ in 0..2 {
        let number = line[at..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if number == 0 {
            break;
        }
        let blanks = line[at + number..]
            .iter()
            .take_while(|byte| is_blank(**byte))
            .count();
        if blanks == 0 {
            return None;
        }
        at += number + blanks;
    }
    (at < line.len()).then_some(at)
}

struct Mode {
    kind: Kind,
    bits: Option<u32>,
}

impl Mode {
    /// Reads `drwxr-xr-x`, with the mark of an access list behind it, and gives its length.
    fn parse(text: &[u8]) -> Option<(Self, usize)> {
        let (head, rest) = text.split_at_checked(10)?;
        let kind = match head[0] {
            b'-' => Kind::File,
            b'd' => Kind::Dir,
            b'l' => Kind::Link,
            b'b' | b'c' | b'p' | b's' | b'D' | b'C' | b'M' | b'P' | b'n' | b'w' | b'?' => {
                Kind::Other
            }
            _ => return None,
        };
        let letters = &head[1..];
        if !letters.iter().all(|byte| b"rwxsStTlL-?".contains(byte)) {
            return None;
        }
        let length = match rest.first() {
            None => return None,
            Some(b'+' | b'.' | b'@') => 11,
            // A wide number of links may follow at once.
            Some(byte) if is_blank(*byte) || byte.is_ascii_digit() => 10,
            Some(_) => return None,
        };
        Some((
            Self {
                kind,
                bits: permission_bits(letters),
            },
            length,
        ))
    }
}

/// The bits of nine letters; `None` where one stands in the wrong place.
fn permission_bits(letters: &[u8]) -> Option<u32> {
    let (mut bits, mut specials) = (0, 0);
    for (triple, special) in letters.chunks_exact(3).zip([0o4000, 0o2000, 0o1000]) {
        bits <<= 3;
        match triple[0] {
            b'r' => bits |= 4,
            b'-' => {}
            _ => return None,
        }
        match triple[1] {
            b'w' => bits |= 2,
            b'-' => {}
            _ => return None,
        }
        let last = match (triple[2], special) {
            (b'-', _) => 0,
            (b'x', _) => 1,
            (b's', 0o4000 | 0o2000) | (b't', 0o1000) => special | 1,
            // l and L: mandatory locking, on systems that have it.
            (b'S' | b'l' | b'L', 0o4000 | 0o2000) | (b'T', 0o1000) => special,
            _ => return None,
        };
        bits |= last & 1;
        specials |= last & 0o7000;
    }
    Some(bits | specials)
}

struct Size<'a> {
    bytes: Option<u64>,
    /// How many fields it takes.
    fields: usize,
    /// The group, where the size is written right behind it.
    glued: Option<&'a [u8]>,
}

/// The size in front of the date at field `at`: a number, `8, 0` of a device, or a rounded number such as `1.5K`, which is
/// as good as none.
fn size_before<'a>(fields: &Fields<'a>, at: usize, kind: Kind) -> Option<Size<'a>> {
    let field = fields.get(at.checked_sub(1)?);
    let size = |bytes, fields| {
        Some(Size {
            bytes,
            fields,
            glued: None,
        })
    };
    if is_number(field) {
        let major = at.checked_sub(2).map_or(&b""[..], |at| fields.get(at));
        let device = kind == Kind::Other && major.strip_suffix(b",").is_some_and(is_number);
        return if device {
            size(None, 2)
        } else {
            size(to_u64(field), 1)
        };
    }
    if kind == Kind::Other
        && let Some(comma) = field.iter().position(|byte| *byte == b',')
        && is_number(&field[..comma])
        && is_number(&field[comma + 1..])
    {
        return size(None, 1);
    }
    if let [number @ .., b'K' | b'M' | b'G' | b'T' | b'k'] = field
        && !number.is_empty()
        && number
            .iter()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b','))
    {
        return size(None, 1);
    }
    // A column that was too narrow: the group's name and the size as one word.
    let digits = field
        .iter()
        .rev()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let letters = field.len() - digits;
    (at >= 3 && digits >= 4 && letters > 0 && field[..letters].iter().all(u8::is_ascii_alphabetic))
        .then(|| Size {
            bytes: to_u64(&field[letters..]),
            fields: 1,
            glued: Some(&field[..letters]),
        })
}

struct Date {
    modified: Modified,
    /// The field where it ends.
    last: usize,
}

impl Date {
    /// Reads a date that begins at field `at`.
    fn parse(fields: &Fields<'_>, at: usize, now: Timestamp) -> Option<Self> {
        let first = fields.get(at);
        if let Some(date) = iso_date(first) {
            return Self::iso(fields, at, date);
        }
        if let [m1, m2, b'-', d1, d2] = first {
            let (month, day) = (short(&[*m1, *m2], 2)?, short(&[*d1, *d2], 2)?);
            return Self::day_and_time(fields, at + 1, month, day, now);
        }
        let second = fields.get(at + 1);
        let (month, day) = match month(first) {
            Some(month) => (month, day(second)?),
            None => (self::month(second)?, day(first)?),
        };
        Self::day_and_time(fields, at + 2, month, day, now)
    }

    /// Reads the year or the time at field `at`, behind a month and a day.
    fn day_and_time(
        fields: &Fields<'_>,
        at: usize,
        month: u32,
        day: u32,
        now: Timestamp,
    ) -> Option<Self> {
        let field = fields.get(at);
        let done = |timestamp, precision, last| Self {
            modified: Modified {
                timestamp,
                precision,
                zone_known: false,
            },
            last,
        };
        if let Some((clock, parts, b"")) = clock(field) {
            // With seconds, a year may follow (`ls -T`).
            let year = fields.get(at + 1);
            if parts != Parts::Minutes
                && year.len() == 4
                && fields.len() > at + 2
                && is_number(year)
            {
                let timestamp = utc(short(year, 4)?, month, day, clock)?;
                return Some(done(timestamp, parts.into(), at + 1));
            }
            return Some(done(yearless(month, day, clock, now)?, parts.into(), at));
        }
        let year = field.strip_suffix("年".as_bytes()).unwrap_or(field);
        let timestamp = utc(
            short(year, 4).filter(|_| year.len() == 4)?,
            month,
            day,
            Clock::default(),
        )?;
        Some(done(timestamp, Precision::Day, at))
    }

    /// Reads the time and the zone behind a date with a year.
    fn iso(fields: &Fields<'_>, at: usize, (year, month, day): (u32, u32, u32)) -> Option<Self> {
        let Some((clock, parts, b"")) = clock(fields.get(at + 1)) else {
            return Some(Self {
                modified: Modified {
                    timestamp: utc(year, month, day, Clock::default())?,
                    precision: Precision::Day,
                    zone_known: false,
                },
                last: at,
            });
        };
        let local = utc(year, month, day, clock)?;
        let zone = zone(fields.get(at + 2)).filter(|_| parts != Parts::Minutes);
        Some(Self {
            modified: Modified {
                timestamp: match zone {
                    Some(offset) => local.checked_sub(offset).ok()?,
                    None => local,
                },
                precision: parts.into(),
                zone_known: zone.is_some(),
            },
            last: if zone.is_some() { at + 2 } else { at + 1 },
        })
    }
}

fn day(field: &[u8]) -> Option<u32> {
    let field = field
        .strip_suffix(b".")
        .or_else(|| field.strip_suffix(b","))
        .or_else(|| field.strip_suffix("日".as_bytes()))
        .unwrap_or(field);
    short(field, 2).filter(|day| (1..=31).contains(day))
}

/// `+0100`.
fn zone(field: &[u8]) -> Option<SignedDuration> {
    let (sign, digits) = match field {
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        _ => return None,
    };
    if digits.len() != 4 {
        return None;
    }
    let (hours, minutes) = (short(&digits[..2], 2)?, short(&digits[2..], 2)?);
    (hours < 24 && minutes < 60)
        .then(|| SignedDuration::from_mins(sign * i64::from(hours * 60 + minutes)))
}

/// Splits `name -> target`. The arrow may also be part of either; then the size tells, since that of a link is the
/// length of its target.
fn split_target(text: &[u8], size: Option<u64>) -> (&[u8], Option<&[u8]>) {
    const ARROW: &[u8] = b" -> ";
    let arrows = || {
        text.windows(ARROW.len())
            .enumerate()
            .filter(|(at, window)| *window == ARROW && *at > 0)
            .map(|(at, _)| at)
    };
    let fitting = arrows().find(|at| u64::try_from(text.len() - at - ARROW.len()).ok() == size);
    match fitting.or_else(|| arrows().next()) {
        Some(at) => (&text[..at], Some(&text[at + ARROW.len()..])),
        None => (text, None),
    }
}

/// Links, owner and group: the fields before `end`.
fn people(entry: &mut Entry, fields: &Fields<'_>, end: usize, glued: Option<&[u8]>) {
    let mut first = 0;
    let links = fields.get(0);
    // A number alone in front of the size, or with others behind it, counts the links.
    if end > 0 && is_number(links) {
        entry.links = short(links, 9);
        first = 1;
    }
    let owner_end = match end - first {
        0 => return,
        _ if glued.is_some() => end,
        1 => first + 1,
        // Names with blanks: nobody can say where one ends, but mostly both or only the first have them.
        3 => first + 2,
        count => first + count.div_ceil(2),
    };
    entry.owner = Some(lossy(fields.span(first, owner_end - 1)));
    entry.group = match glued {
        Some(group) => Some(lossy(group)),
        None => (owner_end < end).then(|| lossy(fields.span(owner_end, end - 1))),
    };
}
