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
    let mut text = Vec::with_capacity(18);
    push_time(&mut text, time);
    text.into_iter().map(char::from).collect()
}

/// The same behind what is there already.
pub(crate) fn push_time(out: &mut Vec<u8>, time: Timestamp) {
    let mut at = TimeZone::UTC.to_datetime(time);
    if at.year() < 0 {
        at = civil::date(0, 1, 1).at(0, 0, 0, 0);
    }
    // 0 to 9999: all that jiff has.
    let year = at.year().unsigned_abs();
    push_two(out, (year / 100) as i8);
    push_two(out, (year % 100) as i8);
    for part in [at.month(), at.day(), at.hour(), at.minute(), at.second()] {
        push_two(out, part);
    }
    let milliseconds = at.millisecond().unsigned_abs();
    if milliseconds != 0 {
        out.extend_from_slice(&[b'.', b'0' + (milliseconds / 100) as u8]);
        push_two(out, (milliseconds % 100) as i8);
    }
}

/// Two digits of a number from 0 to 99.
pub(crate) fn push_two(out: &mut Vec<u8>, number: i8) {
    let number = number.unsigned_abs();
    out.extend_from_slice(&[b'0' + number / 10, b'0' + number % 10]);
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> (String, Precision) {
        let (timestamp, precision) = parse_time(text.as_bytes()).unwrap();
        (timestamp.to_string(), precision)
    }

    #[test]
    fn known_times() {
        for (text, timestamp, precision) in [
            ("20240131235958", "2024-01-31T23:59:58Z", Precision::Second),
            (
                "20240229000000.5",
                "2024-02-29T00:00:00.5Z",
                Precision::Milli,
            ),
            (
                "20240131235958.0429999999999999",
                "2024-01-31T23:59:58.042Z",
                Precision::Milli,
            ),
            (
                "20240131235958.000",
                "2024-01-31T23:59:58Z",
                Precision::Milli,
            ),
            ("20240131235958.", "2024-01-31T23:59:58Z", Precision::Second),
            ("202401312359", "2024-01-31T23:59:00Z", Precision::Minute),
            ("20240131", "2024-01-31T00:00:00Z", Precision::Day),
            (
                " 20240131235958\r",
                "2024-01-31T23:59:58Z",
                Precision::Second,
            ),
            ("20161231235960", "2017-01-01T00:00:00Z", Precision::Second),
            ("19040101000000", "1904-01-01T00:00:00Z", Precision::Second),
            ("00010101000000", "0001-01-01T00:00:00Z", Precision::Second),
            ("191000131235958", "2000-01-31T23:59:58Z", Precision::Second),
            (
                "191240229235958.25",
                "2024-02-29T23:59:58.25Z",
                Precision::Milli,
            ),
            ("1910001312359", "2000-01-31T23:59:00Z", Precision::Minute),
            ("19100101000000", "1910-01-01T00:00:00Z", Precision::Second),
        ] {
            assert_eq!(read(text), (timestamp.to_owned(), precision), "{text}");
        }
    }

    #[test]
    fn what_is_no_time() {
        for text in [
            "",
            ".",
            "2024",
            "20240132000000",
            "20230229000000",
            "20240131240000",
            "20240131236000",
            "20240131235961",
            "20241331000000",
            "20240031000000",
            "2024013123595",
            "201240131235958",
            "20240131T235958",
            "-20240131235958",
            "20240131.5",
            "20240131235958.5x",
            "99999999999999",
            "99991231235959",
            "2024013123595800000",
        ] {
            let error = parse_time(text.as_bytes()).unwrap_err();
            assert_eq!(error.text, text);
            assert!(error.to_string().contains(error.why));
        }
        assert!(
            parse_time(&[b'\n'; 900].map(|_| 7))
                .unwrap_err()
                .to_string()
                .len()
                < 1000
        );
    }

    #[test]
    fn written_times() {
        let write = |text: &str| format_time(text.parse().unwrap());
        assert_eq!(write("2024-01-31T23:59:58Z"), "20240131235958");
        assert_eq!(write("2024-01-31T23:59:58.042999Z"), "20240131235958.042");
        assert_eq!(write("2024-01-31T23:59:58.000999Z"), "20240131235958");
        assert_eq!(write("1969-12-31T23:59:59.5Z"), "19691231235959.500");
        assert_eq!(write("0033-04-03T15:00:00Z"), "00330403150000");
        assert_eq!(write("-000044-03-15T12:00:00Z"), "00000101000000");
        assert_eq!(format_time(Timestamp::MAX), "99991230220000.999");
    }

    proptest! {
        #[test]
        fn times_come_back(millis in -62_167_219_200_000_i64..253_402_207_200_000) {
            let time = Timestamp::from_millisecond(millis).unwrap();
            prop_assert_eq!(parse_time(format_time(time).as_bytes()).unwrap().0, time);
        }

        #[test]
        fn no_bytes_make_a_panic(text in "[0-9. ]{0,24}", bytes in proptest::collection::vec(any::<u8>(), 0..24)) {
            let _ = parse_time(text.as_bytes());
            let _ = parse_time(&bytes);
        }
    }
}
