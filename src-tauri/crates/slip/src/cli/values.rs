//! What options take: sizes, speeds, times.

use std::time::Duration;

use ftp_client::ftp_proto::Argument;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};
use transfer::{Timetable, parse_rate};

pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.001..=86_400.0).contains(&seconds) => {
            Ok(Duration::from_secs_f64(seconds))
        }
        _ => Err("it takes a number of seconds from 0.001 to 86400".to_owned()),
    }
}

/// What can be sent as one argument of a command.
pub(super) fn argument(text: &str) -> Result<Argument, String> {
    Argument::try_from(text).map_err(|error| error.to_string())
}

/// A number of bytes: `300`, `512K`, `1.5M`, `2G`, with a K of 1024.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    match parse_rate(text) {
        Ok(Some(bytes)) if !text.contains('/') => Ok(bytes),
        _ if text == "0" => Ok(0),
        _ => Err("it takes a number of bytes, such as 300, 512K, 1.5M or 2G".to_owned()),
    }
}

/// Permissions in octal: `640`, `0640`.
pub(crate) fn permissions(text: &str) -> Result<u32, String> {
    match u32::from_str_radix(text, 8) {
        Ok(mode @ 0..=0o7777) if text.bytes().all(|byte| byte.is_ascii_digit()) => Ok(mode),
        _ => Err("it takes permissions in octal, such as 640".to_owned()),
    }
}

/// Bytes a second, or none: `512K`, `1.5M`, `off`.
pub(super) fn rate(text: &str) -> Result<Rate, String> {
    parse_rate(text)
        .map(Rate)
        .map_err(|error| error.to_string())
}

/// Limits by the clock, or none: `08:00-18:00 512K`, `off`.
pub(super) fn hours(text: &str) -> Result<Hours, String> {
    if matches!(text.trim(), "off" | "none") {
        return Ok(Hours(None));
    }
    text.parse()
        .map(|timetable| Hours(Some(timetable)))
        .map_err(|error: transfer::TimetableError| error.to_string())
}

/// A timetable; `None`: there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hours(pub(crate) Option<Timetable>);

/// A limit of speed; `None`: there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate(pub(crate) Option<u64>);

/// A time that has been: a date, a date with a time, or an age such as `2d`.
pub(super) fn past(text: &str) -> Result<Timestamp, String> {
    moment(text, &Zoned::now(), Lean::Past)
}

/// A time to come: a time of the day, a date with a time, or a while such as `2h`.
pub(super) fn future(text: &str) -> Result<Timestamp, String> {
    moment(text, &Zoned::now(), Lean::Future)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Lean {
    Past,
    Future,
}

fn moment(text: &str, now: &Zoned, lean: Lean) -> Result<Timestamp, String> {
    let text = text.trim();
    if let Some(while_) = duration(text.strip_prefix('+').unwrap_or(text)) {
        let moment = match lean {
            Lean::Past => now.timestamp().checked_sub(while_),
            Lean::Future => now.timestamp().checked_add(while_),
        };
        return moment.map_err(|error| error.to_string());
    }
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    let zone: &TimeZone = now.time_zone();
    let local = |civil: DateTime| {
        zone.to_timestamp(civil)
            .map_err(|error| format!("there is no such time: {error}"))
    };
    if lean == Lean::Future
        && !text.contains('-')
        && text.contains(':')
        && let Ok(time) = text.parse::<Time>()
    {
        let today = now.date();
        let moment = local(today.to_datetime(time))?;
        if moment > now.timestamp() {
            return Ok(moment);
        }
        let tomorrow = today.tomorrow().map_err(|error| error.to_string())?;
        return local(tomorrow.to_datetime(time));
    }
    if text.contains([':', 'T']) {
        if let Ok(civil) = text.parse::<DateTime>() {
            return local(civil);
        }
    } else if let Ok(date) = text.parse::<Date>() {
        return local(date.to_datetime(Time::midnight()));
    }
    Err(match lean {
        Lean::Past => {
            "it takes a date (2026-05-31), a time (2026-05-31T18:00), or an age (45m, 12h, 2d, 3w)"
        }
        Lean::Future => "it takes a time (22:00, 2026-05-31T22:00), or a while (+45m, +12h, +2d)",
    }
    .to_owned())
}

/// A number and its unit.
fn duration(text: &str) -> Option<SignedDuration> {
    let unit = text.chars().last()?;
    let number = text[..text.len() - unit.len_utf8()].trim_end();
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        'w' => 7 * 86_400,
        _ => return None,
    };
    let number: i64 = number.parse().ok()?;
    number.checked_mul(seconds).map(SignedDuration::from_secs)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn seconds_of_a_limit() {
        assert!(seconds("0.5").is_ok());
        for bad in ["0", "-1", "nan", "inf", "1e9", ""] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn permissions_in_octal() {
        assert_eq!(permissions("640"), Ok(0o640));
        assert_eq!(permissions("04755"), Ok(0o4755));
        for bad in ["", "888", "-1", "+7", "17777", "rwx"] {
            assert!(permissions(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_and_rates() {
        for (text, bytes) in [
            ("0", 0),
            ("300", 300),
            ("512K", 512 << 10),
            ("512KiB", 512 << 10),
            ("1.5m", 3 << 19),
            ("2G", 2 << 30),
            ("1t", 1 << 40),
            ("10b", 10),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for bad in [
            "",
            "K",
            "-1",
            "1e3",
            "1..5K",
            "99999999999T",
            "x",
            ".",
            "off",
            "1K/s",
        ] {
            assert!(size(bad).is_err(), "{bad}");
        }
        assert_eq!(rate("off"), Ok(Rate(None)));
        assert_eq!(hours("off"), Ok(Hours(None)));
        assert!(hours("08:00-18:00 512K").is_ok_and(|hours| hours.0.is_some()));
        assert!(hours("08:00-18:00").is_err());
        assert_eq!(rate("10K"), Ok(Rate(Some(10_240))));
        assert!(rate("fast").is_err());
    }

    #[test]
    fn moments() {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        let now = "2026-05-31T12:00:00Z"
            .parse::<Timestamp>()
            .unwrap()
            .to_zoned(zone);
        let at = |text: &str, lean| moment(text, &now, lean).map(|moment| moment.to_string());
        for (text, lean, expected) in [
            ("2d", Lean::Past, "2026-05-29T12:00:00Z"),
            ("+45m", Lean::Future, "2026-05-31T12:45:00Z"),
            ("2026-05-01", Lean::Past, "2026-04-30T22:00:00Z"),
            ("2026-05-01 10:30", Lean::Past, "2026-05-01T08:30:00Z"),
            ("2026-05-01T10:30:00Z", Lean::Past, "2026-05-01T10:30:00Z"),
            ("22:00", Lean::Future, "2026-05-31T20:00:00Z"),
            // It is 14:00 here.
            ("14:00", Lean::Future, "2026-06-01T12:00:00Z"),
        ] {
            assert_eq!(at(text, lean).as_deref(), Ok(expected), "{text}");
        }
        for bad in [
            "",
            "d",
            "soon",
            "25:00",
            "2026-13-01",
            "-2d",
            "99999999999999999999d",
        ] {
            assert!(at(bad, Lean::Past).is_err(), "{bad}");
            assert!(at(bad, Lean::Future).is_err(), "{bad}");
        }
        assert!(at("22:00", Lean::Past).is_err());
    }
}
