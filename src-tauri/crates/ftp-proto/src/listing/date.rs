//! Dates in the many orders and languages of `ls -l`, and dates in numbers.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use super::{
    Modified,
    months::{Unit, is_weekday, month, unit},
    numeric::{Order, dashed_month, exists, numeric_date},
    scan::{Fields, Parts, clock, is_number, offset, short},
};
use crate::{
    Precision,
    time::{Clock, leading_digits, number, utc},
};

/// What dates without a year are measured against.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    /// One day ahead: the server's clock and zone are its own.
    limit: Timestamp,
    year: u32,
}

impl Now {
    pub(super) fn new(now: Timestamp) -> Self {
        let limit = now
            .checked_add(SignedDuration::from_hours(24))
            .unwrap_or(Timestamp::MAX);
        Self {
            limit,
            year: u32::try_from(TimeZone::UTC.to_datetime(limit).year()).unwrap_or(0),
        }
    }

    /// A date without a year: the latest one that is at most a day ahead. A 29th of February is in the nearest leap year
    /// before that.
    fn yearless(self, month: u32, day: u32, clock: Clock) -> Option<Timestamp> {
        // Eight years back there is a leap year, even around 1900.
        (0..=8)
            .filter_map(|back| utc(self.year.checked_sub(back)?, month, day, clock))
            .find(|timestamp| *timestamp <= self.limit)
    }

    /// True for a time that a file of this server may have.
    pub(super) fn is_past(self, timestamp: Timestamp) -> bool {
        timestamp <= self.limit
    }
}

/// A date among the fields of a line.
pub(super) struct Date {
    pub(super) modified: Modified,
    /// The field where it ends.
    pub(super) last: usize,
}

impl Date {
    /// Reads a date that begins at field `at`.
    pub(super) fn parse(fields: &Fields<'_>, at: usize, now: Now) -> Option<Self> {
        let first = fields.get(at);
        let digits = leading_digits(first);
        if digits == 0 {
            return Self::from_word(fields, at, now);
        }
        match first.get(digits) {
            None | Some(b'.' | b',') if digits == first.len() || digits + 1 == first.len() => {
                Self::from_number(fields, at, digits, now)
            }
            Some(b'-' | b'/' | b'.') => Self::from_numbers(fields, at, now),
            Some(128..) => Self::from_units(fields, at, now),
            Some(b':') => Self::clock_first(fields, at, now),
            _ => None,
        }
    }

    /// `Jan 5 ...`, `Mon Jan 5 ...`, `Jan-05-2004 ...`.
    fn from_word(fields: &Fields<'_>, at: usize, now: Now) -> Option<Self> {
        let first = fields.get(at);
        let second = fields.get(at + 1);
        if first == b"de" && !fields.get(at + 2).is_empty() {
            // Catalan has a preposition in front of the month.
            let month = month(second)?;
            return Self::day_and_time(fields, at + 3, month, day(fields.get(at + 2))?, now);
        }
        if let Some(month) = month(first) {
            return Self::day_and_time(fields, at + 2, month, day(second)?, now);
        }
        if first.len() >= 8 && first.contains(&b'-') {
            return Self::with_clock(fields, at, dashed_month(first)?);
        }
        // The day of the week says nothing.
        if is_weekday(first) && at + 4 < fields.len() {
            return match month(second) {
                Some(month) => {
                    Self::day_and_time(fields, at + 3, month, day(fields.get(at + 2))?, now)
                }
                None if second.first().is_some_and(u8::is_ascii_digit) => {
                    Self::parse(fields, at + 1, now)
                }
                None => None,
            };
        }
        None
    }

    /// `5 Jan ...`, `5. Jan ...`, `2004. jan. 5. ...`.
    fn from_number(fields: &Fields<'_>, at: usize, digits: usize, now: Now) -> Option<Self> {
        let first = fields.get(at);
        let second = fields.get(at + 1);
        if digits > 4 || digits == 3 {
            return None;
        }
        if second.first().is_some_and(u8::is_ascii_digit) {
            // `5 3월` is none that anybody writes.
            return None;
        }
        if second == b"de" && digits <= 2 {
            // `5 de març de 2004`
            let month = month(fields.get(at + 2))?;
            let skip = usize::from(fields.get(at + 3) == b"de");
            return Self::day_and_time(fields, at + 3 + skip, month, day(first)?, now);
        }
        let month = month(second)?;
        if digits == 4 {
            let date = exists(number(&first[..4]), month, day(fields.get(at + 2))?)?;
            return Self::with_clock(fields, at + 2, date);
        }
        Self::day_and_time(fields, at + 2, month, day(first)?, now)
    }

    /// `2004-08-22 ...`, `22.08.2004 ...`, `08-22 12:34`, `22-Aug-2004 ...`.
    fn from_numbers(fields: &Fields<'_>, at: usize, now: Now) -> Option<Self> {
        let first = fields.get(at);
        if let Some(at_t) = first.iter().position(|byte| *byte == b'T')
            && at_t >= 8
        {
            return Self::joined(fields, at, at_t);
        }
        if let Some(date) = numeric_date(first, None, Order::Mdy) {
            return Self::with_clock(fields, at, date);
        }
        if first.iter().filter(|byte| **byte == b'-').count() == 2 {
            return Self::with_clock(fields, at, dashed_month(first)?);
        }
        // Month and day of `ls --time-style=iso`, or with dots day and month: only with a time or a year behind.
        let mark = first.iter().position(|byte| !byte.is_ascii_digit())?;
        let (a, b) = (&first[..mark], &first[mark + 1..]);
        let (month, day) = match first[mark] {
            b'.' => (short(b.strip_suffix(b".").unwrap_or(b), 2)?, short(a, 2)?),
            _ => (short(a, 2)?, short(b, 2)?),
        };
        let behind = fields.get(at + 1);
        if clock(behind).is_none() && four_digits(behind).is_none() {
            return None;
        }
        Self::day_and_time(fields, at + 1, month, day, now)
    }

    /// `2004-08-22T12:34:56+02:00`.
    fn joined(fields: &Fields<'_>, at: usize, mark: usize) -> Option<Self> {
        let (date, rest) = fields.get(at).split_at(mark);
        let (year, month, day) = numeric_date(date, None, Order::Mdy)?;
        let (clock, parts, rest) = clock(&rest[1..])?;
        let zone = match rest {
            b"" => None,
            zone => Some(offset(zone)?),
        };
        Some(Self {
            modified: shifted(utc(year, month, day, clock)?, zone, parts)?,
            last: at,
        })
    }

    /// The time in front of a whole date.
    fn clock_first(fields: &Fields<'_>, at: usize, now: Now) -> Option<Self> {
        let (clock, parts, b"") = clock(fields.get(at))? else {
            return None;
        };
        let mut date = Self::parse(fields, at + 1, now)
            .filter(|date| date.modified.precision == Precision::Day)?;
        let day = TimeZone::UTC.to_datetime(date.modified.timestamp);
        let part = |value: i8| u32::try_from(value).ok();
        let year = u32::try_from(day.year()).ok()?;
        date.modified.timestamp = utc(year, part(day.month())?, part(day.day())?, clock)?;
        date.modified.precision = parts.into();
        Some(date)
    }

    /// `5月 3日`, `5月3日`, `2004年 5月 3日`, `5월  3`.
    fn from_units(fields: &Fields<'_>, at: usize, now: Now) -> Option<Self> {
        let (mut year, mut month, mut day) = (None, None, None);
        let mut index = at;
        while month.is_none() || day.is_none() {
            let mut text = fields.get(index);
            if text.is_empty() || index > at + 2 {
                return None;
            }
            while !text.is_empty() {
                let digits = leading_digits(text);
                let value = short(&text[..digits], 4)?;
                text = &text[digits..];
                match unit(text) {
                    Some((Unit::Year, sign)) => {
                        year = Some(value);
                        text = &text[sign..];
                    }
                    Some((Unit::Month, sign)) => {
                        month = Some(value);
                        text = &text[sign..];
                    }
                    Some((Unit::Day, sign)) => {
                        day = Some(value);
                        text = &text[sign..];
                    }
                    // A day without its sign.
                    None if text.is_empty() && month.is_some() && day.is_none() => {
                        day = Some(value);
                    }
                    None => return None,
                }
            }
            index += 1;
        }
        let (month, day) = (month?, day.filter(|day| (1..=31).contains(day))?);
        match year {
            Some(year) => Self::with_clock(fields, index - 1, exists(year, month, day)?),
            None => Self::day_and_time(fields, index, month, day, now),
        }
    }

    /// Reads the year or the time at field `at`, behind a month and a day.
    fn day_and_time(
        fields: &Fields<'_>,
        at: usize,
        month: u32,
        day: u32,
        now: Now,
    ) -> Option<Self> {
        let field = fields.get(at);
        let unzoned = |timestamp, precision, last| Self {
            modified: Modified {
                timestamp,
                precision,
                zone_known: false,
            },
            last,
        };
        if let Some((clock, parts, b"")) = clock(field) {
            // With seconds, a year may follow (`ls -T`), or a zone and a year (`date`).
            if parts != Parts::Minutes && fields.len() > at + 2 {
                let next = fields.get(at + 1);
                if let Some(year) = four_digits(next) {
                    return Some(unzoned(utc(year, month, day, clock)?, parts.into(), at + 1));
                }
                if next.len() <= 5
                    && next.iter().all(|b| b.is_ascii_uppercase())
                    && fields.len() > at + 3
                    && let Some(year) = four_digits(fields.get(at + 2))
                {
                    let mut date = unzoned(utc(year, month, day, clock)?, parts.into(), at + 2);
                    date.modified.zone_known = matches!(next, b"UTC" | b"GMT");
                    return Some(date);
                }
            }
            return Some(unzoned(now.yearless(month, day, clock)?, parts.into(), at));
        }
        if let [h @ .., b'.', m1, m2] = field
            && (1..=2).contains(&h.len())
            && let (Some(hour), Some(minute)) = (short(h, 2), short(&[*m1, *m2], 2))
        {
            let clock = Clock {
                hour,
                minute,
                ..Clock::default()
            };
            let timestamp = now.yearless(month, day, clock)?;
            return Some(unzoned(timestamp, Precision::Minute, at));
        }
        let mut year = field;
        while let [head @ .., b'.' | b','] = year {
            year = head;
        }
        let digits = leading_digits(year);
        if !matches!(unit(&year[digits..]), Some((Unit::Year, sign)) if sign + digits == year.len())
            && digits != year.len()
        {
            return None;
        }
        let year = four_digits(&year[..digits])?;
        // A time behind a year: `ls` has none, and puts a wide gap before the year.
        let gap = at.checked_sub(1).map_or(0, |before| fields.gap(before));
        if gap == 1 || fields.get(at - 1).ends_with(b",") || field.ends_with(b",") {
            return Self::with_clock(fields, at, exists(year, month, day)?);
        }
        let timestamp = utc(year, month, day, Clock::default())?;
        Some(unzoned(timestamp, Precision::Day, at))
    }

    /// Reads the time and the zone, if there are any, behind a whole date that ends at field `at`.
    pub(super) fn with_clock(
        fields: &Fields<'_>,
        at: usize,
        (year, month, day): (u32, u32, u32),
    ) -> Option<Self> {
        // Something must be left for the name.
        let found = clock(fields.get(at + 1)).filter(|_| fields.len() > at + 2);
        let Some((clock, parts, b"")) = found else {
            return Some(Self {
                modified: Modified {
                    timestamp: utc(year, month, day, Clock::default())?,
                    precision: Precision::Day,
                    zone_known: false,
                },
                last: at,
            });
        };
        let (clock, last) = match fields.get(at + 2) {
            half @ (b"AM" | b"PM" | b"am" | b"pm") if fields.len() > at + 3 => {
                match twelve(clock, half) {
                    Some(clock) => (clock, at + 2),
                    None => (clock, at + 1),
                }
            }
            _ => (clock, at + 1),
        };
        let local = utc(year, month, day, clock)?;
        let zone = offset(fields.get(last + 1))
            .filter(|_| fields.get(last + 1).len() == 5 && fields.len() > last + 2);
        Some(Self {
            modified: shifted(local, zone, parts)?,
            last: if zone.is_some() { last + 1 } else { last },
        })
    }

    /// Seconds since 1970 at field `at`, with or without a fraction, or a date as MDTM has it.
    pub(super) fn epoch(fields: &Fields<'_>, at: usize) -> Option<Self> {
        let field = fields.get(at);
        let digits = leading_digits(field);
        if matches!(digits, 8 | 12 | 14) && matches!(field, [b'1', b'9', ..] | [b'2', b'0', ..]) {
            let (timestamp, precision) = crate::parse_time(field).ok()?;
            return Some(Self {
                modified: Modified {
                    timestamp,
                    precision,
                    zone_known: false,
                },
                last: at,
            });
        }
        if !(9..=10).contains(&digits)
            || !(digits == field.len()
                || (field[digits] == b'.' && is_number(&field[digits + 1..])))
        {
            return None;
        }
        let seconds = field[..digits]
            .iter()
            .fold(0, |sum: i64, digit| sum * 10 + i64::from(digit - b'0'));
        Some(Self {
            modified: Modified {
                timestamp: Timestamp::from_second(seconds).ok()?,
                precision: Precision::Second,
                zone_known: true,
            },
            last: at,
        })
    }
}

fn shifted(local: Timestamp, zone: Option<SignedDuration>, parts: Parts) -> Option<Modified> {
    Some(Modified {
        timestamp: match zone {
            Some(offset) => local.checked_sub(offset).ok()?,
            None => local,
        },
        precision: parts.into(),
        zone_known: zone.is_some(),
    })
}

/// Hours with AM or PM behind them.
pub(super) fn twelve(clock: Clock, half: &[u8]) -> Option<Clock> {
    let noon = match half.first()?.to_ascii_lowercase() {
        b'a' => 0,
        b'p' => 12,
        _ => return None,
    };
    let is_half = matches!(
        half.to_ascii_lowercase().as_slice(),
        b"a" | b"p" | b"am" | b"pm" | b"a.m." | b"p.m."
    );
    (is_half && (1..=12).contains(&clock.hour)).then(|| Clock {
        hour: clock.hour % 12 + noon,
        ..clock
    })
}

fn four_digits(field: &[u8]) -> Option<u32> {
    short(field, 4).filter(|_| field.len() == 4)
}

fn day(field: &[u8]) -> Option<u32> {
    let digits = leading_digits(field);
    match &field[digits..] {
        b"" | b"." | b"," | b".," => {}
        sign => match unit(sign) {
            Some((Unit::Day, length)) if length == sign.len() => {}
            _ => return None,
        },
    }
    short(&field[..digits], 2).filter(|day| (1..=31).contains(day))
}
