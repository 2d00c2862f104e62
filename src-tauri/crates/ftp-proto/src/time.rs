use jiff::{SignedDuration, Timestamp, civil, tz::TimeZone};

use crate::escape;

/// How exact a time is: what lies below is zero in the timestamp because nobody said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Precision {
    /// Only the date is known.
    Day,
    /// The date, hours and minutes.
    Minute,
    /// Down to the second.
    Second,
    /// Down to the millisecond.
    Milli,
}

/// A text that is no time of FTP.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is no time of the form YYYYMMDDHHMMSS: {why}")]
pub struct TimeError {
    /// What is wrong with it.
    pub why: &'static str,
    /// The text, escaped and cut.
    pub text: String,
}

/// Reads the time of MDTM, MFMT and the `modify` fact, which is UTC (RFC 3659 section 2.3):
/// `YYYYMMDDHHMMSS`, with or without a fraction.
///
/// Tolerated: a missing time of day or missing seconds (the precision says so), a second 60, blanks around it, and the year
/// `19100` of servers that print 1900 years too few behind a fixed "19". Fractions are cut to milliseconds.
///
/// # Errors
/// Anything else, and dates that don't exist.
pub fn parse_time(text: &[u8]) -> Result<(Timestamp, Precision), TimeError> {
    let fail = |why| TimeError {
        why,
        text: escape(text, 200),
    };
    let trimmed = text.trim_ascii();
    let digits = leading_digits(trimmed);
    let milli = match trimmed[digits..].split_first() {
        None => None,
        Some((b'.', fraction)) if digits >= 14 && leading_digits(fraction) == fraction.len() => {
            milliseconds(fraction)
        }
        Some(_) => return Err(fail("it has other characters than digits")),
    };
    let body = &trimmed[..digits];
    let (year, rest) = match digits {
        8 | 12 | 14 => (number(&body[..4]), &body[4..]),
        9 | 13 | 15 if body.starts_with(b"191") => (1900 + number(&body[2..5]), &body[5..]),
        _ => return Err(fail("it has the wrong number of digits")),
    };
    let part = |at: usize| rest.get(at..at + 2).map_or(0, number);
    let precision = match (rest.len(), milli) {
        (4, _) => Precision::Day,
        (8, _) => Precision::Minute,
        (_, None) => Precision::Second,
        (_, Some(_)) => Precision::Milli,
    };
    let clock = Clock {
        hour: part(4),
        minute: part(6),
        second: part(8),
        milli: milli.unwrap_or(0),
    };
    if clock.hour > 23 {
        return Err(fail("there is no such hour"));
    }
    utc(year, part(0), part(2), clock)
        .map(|timestamp| (timestamp, precision))
        .ok_or_else(|| fail("there is no such date or time"))
}

/// Writes a time for MDTM, MFMT and the `modify` fact: 14 digits in UTC, and `.mmm` where there are milliseconds
/// (RFC 3659 section 2.3). Years before 0, which the form can't carry, become the first second of year 0.
#[must_use]
pub fn format_time(time: Timestamp) -> String {
    let mut at = TimeZone::UTC.to_datetime(time);
    if at.year() < 0 {
        at = civil::date(0, 1, 1).at(0, 0, 0, 0);
    }
    let mut text = format!(
        "{:04}{:02}{:02}{:02}{:02}{:02}",
        at.year(),
        at.month(),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    );
    if at.millisecond() != 0 {
        text.push_str(&format!(".{:03}", at.millisecond()));
    }
    text
}

/// A time of day as somebody wrote it.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Clock {
    pub(crate) hour: u32,
    pub(crate) minute: u32,
    pub(crate) second: u32,
    pub(crate) milli: u32,
}

/// The moment, if that date and time exist. 24:00 is the next midnight, and second 60 the next minute: both are written
/// by real systems.
pub(crate) fn utc(year: u32, month: u32, day: u32, clock: Clock) -> Option<Timestamp> {
    let date = civil::Date::new(
        i16::try_from(year).ok()?,
        i8::try_from(month).ok()?,
        i8::try_from(day).ok()?,
    )
    .ok()?;
    let midnight24 = clock.hour == 24 && clock.minute == 0 && clock.second == 0;
    if (clock.hour > 23 && !midnight24)
        || clock.minute > 59
        || clock.second > 60
        || clock.milli > 999
    {
        return None;
    }
    let seconds =
        i64::from(clock.hour) * 3600 + i64::from(clock.minute) * 60 + i64::from(clock.second);
    let since = SignedDuration::from_millis(seconds * 1000 + i64::from(clock.milli));
    let start = TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()?;
    start.checked_add(since).ok()
}

/// The first three digits of a fraction, filled with zeros; none where there are no digits.
pub(crate) fn milliseconds(fraction: &[u8]) -> Option<u32> {
    let digits = leading_digits(fraction).min(3);
    if digits == 0 {
        return None;
    }
    Some(number(&fraction[..digits]) * [1000, 100, 10, 1][digits])
}

/// How many ASCII digits the text begins with.
pub(crate) fn leading_digits(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// The value of at most nine ASCII digits; the caller has checked that they are digits.
pub(crate) fn number(digits: &[u8]) -> u32 {
    digits.iter().take(9).fold(0, |sum, digit| {
        sum * 10 + u32::from(digit.wrapping_sub(b'0') % 10)
    })
}
