//! Dates in the many orders and languages of `ls -l`, and dates in numbers.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use super::{
    Modified,
    months::{Unit, month, unit},
    scan::{Fields, Parts, clock, is_number, short},
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

/// In which order day, month and year stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Mdy,
    Dmy,
    Ymd,
}

/// Three numbers with `-`, `/` or `.` between: a year of four digits tells the order, and so does a first number that is
/// no month; otherwise it is the order of the listing where that is known, with dots the day's first, or `usual`.
pub(super) fn numeric_date(
    word: &[u8],
    known: Option<Order>,
    usual: Order,
) -> Option<(u32, u32, u32)> {
    let first = leading_digits(word);
    let mark = *word.get(first)?;
    if !matches!(mark, b'-' | b'/' | b'.') || first == 0 {
        return None;
    }
    let rest = &word[first + 1..];
    let second = leading_digits(rest);
    if rest.get(second) != Some(&mark) || second == 0 {
        return None;
    }
    let (a, b, c) = (&word[..first], &rest[..second], &rest[second + 1..]);
    let c = if mark == b'.' {
        c.strip_suffix(b".").unwrap_or(c)
    } else {
        c
    };
    if a.len() == 4 {
        return exists(short(a, 4)?, short(b, 2)?, short(c, 2)?);
    }
    let (first, second, third) = (short(a, 2)?, short(b, 2)?, short(c, 4)?);
    // Nobody writes the month first with dots behind it.
    let known = known.filter(|order| mark != b'.' || *order != Order::Mdy);
    let orders = match (known, mark) {
        _ if c.len() >= 3 => match (known, mark, usual) {
            (Some(Order::Dmy), ..) | (None, b'.', _) | (None, _, Order::Dmy) => {
                [Order::Dmy, Order::Mdy, Order::Mdy]
            }
            _ => [Order::Mdy, Order::Dmy, Order::Dmy],
        },
        (Some(order), _) => [order; 3],
        (None, b'.') => [Order::Dmy, Order::Ymd, Order::Mdy],
        (None, _) => match usual {
            Order::Mdy => [Order::Mdy, Order::Dmy, Order::Ymd],
            Order::Dmy => [Order::Dmy, Order::Mdy, Order::Ymd],
            Order::Ymd => [Order::Ymd, Order::Dmy, Order::Mdy],
        },
    };
    orders.into_iter().find_map(|order| {
        let (year, digits, month, day) = match order {
            Order::Mdy => (third, c.len(), first, second),
            Order::Dmy => (third, c.len(), second, first),
            Order::Ymd if c.len() <= 2 => (first, a.len(), second, third),
            Order::Ymd => return None,
        };
        exists(full_year(year, digits)?, month, day)
    })
}

/// A year of two digits is one from 1970 to 2069; one of three counts from 1900, as programs do that forgot the century.
fn full_year(year: u32, digits: usize) -> Option<u32> {
    match (digits, year) {
        (4, _) => Some(year),
        (3, 100..200) => Some(1900 + year),
        (2, 70..) => Some(1900 + year),
        (2, _) => Some(2000 + year),
        _ => None,
    }
}

fn exists(year: u32, month: u32, day: u32) -> Option<(u32, u32, u32)> {
    utc(year, month, day, Clock::default()).map(|_| (year, month, day))
}

/// `8-SEP-1996`, `18-Mar-09`, `FEB-04-2012`.
pub(super) fn dashed_month(word: &[u8]) -> Option<(u32, u32, u32)> {
    let mark = if word.contains(&b'-') { b'-' } else { b'/' };
    let mut parts = word.split(|byte| *byte == mark);
    let (a, b, c) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let named = |name: &[u8]| month(name).filter(|_| name.len() >= 3);
    let (month, day) = match named(b) {
        Some(month) => (month, short(a, 2)?),
        None => (named(a)?, short(b, 2)?),
    };
    exists(full_year(short(c, 4)?, c.len())?, month, day)
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
            _ => None,
        }
    }

    /// `Jan 5 ...`, `Mon Jan 5 ...`, `Jan-05-2004 ...`.
    fn from_word(fields: &Fields<'_>, at: usize, now: Now) -> Option<Self> {
        let first = fields.get(at);
        let second = fields.get(at + 1);
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

    /// Seconds since 1970 at field `at`, with or without a fraction.
    pub(super) fn epoch(fields: &Fields<'_>, at: usize) -> Option<Self> {
        let field = fields.get(at);
        let digits = leading_digits(field);
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

/// `+0100`, `+01:00` or `Z`.
fn offset(field: &[u8]) -> Option<SignedDuration> {
    let (sign, digits) = match field {
        b"Z" => return Some(SignedDuration::ZERO),
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match digits {
        [h1, h2, b':', m1, m2] | [h1, h2, m1, m2] => {
            (short(&[*h1, *h2], 2)?, short(&[*m1, *m2], 2)?)
        }
        _ => return None,
    };
    (hours < 24 && minutes < 60)
        .then(|| SignedDuration::from_mins(sign * i64::from(hours * 60 + minutes)))
}

/// A day of the week in the languages whose `ls` may print one: English, German, French, Italian, Spanish, Dutch.
fn is_weekday(field: &[u8]) -> bool {
    const NAMES: [&str; 34] = [
        "sun", "mon", "tue", "wed", "thu", "fri", "sat", "so", "mo", "di", "mi", "do", "fr", "sa",
        "son", "die", "mit", "don", "fre", "sam", "dim", "lun", "mar", "mer", "jeu", "ven", "gio",
        "sab", "dom", "mie", "jue", "vie", "zo", "za",
    ];
    let mut word = field;
    while let [head @ .., b'.' | b','] = word {
        word = head;
    }
    (2..=3).contains(&word.len())
        && NAMES
            .iter()
            .any(|name| word.eq_ignore_ascii_case(name.as_bytes()))
}
