//! Limits of speed by the clock: `08:00-18:00 512K, mon-fri 22:00-06:00 off`.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{DateTime, Weekday};
use jiff::tz::AmbiguousOffset;
use jiff::{Span, Timestamp, Zoned};
use serde::{Deserialize, Serialize};

/// A timetable has at most so many entries.
const MOST_ENTRIES: usize = 100;
const MINUTES_A_DAY: u16 = 24 * 60;

/// What may be used at which time: entries `[DAYS] [FROM-TO] RATE`, with commas between them. The first that fits decides.
///
/// - Days are names of three letters or more: `mon`, a range (`fri-mon`), or several (`sat/sun`). Without them: every day.
/// - Times are `HH:MM` on the clock of the wall. If the end is not after the beginning, it is on the day after, and the
///   days are those of the beginning; `24:00` is the end of the day. Without them: the whole day.
/// - Rates are those of [`parse_rate`]: `512K`, or `off` for no limit.
///
/// `Display` writes it in that form, and so does serde.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timetable {
    entries: Vec<Entry>,
}

/// A text that is no timetable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{entry}\" is no entry of a timetable: {why}")]
pub struct TimetableError {
    /// The entry that is wrong, cut where it is long.
    pub entry: String,
    /// What is wrong with it.
    pub why: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Entry {
    days: Days,
    /// Minutes of the day. Ends after 24:00 are on the next day.
    from: u16,
    to: u16,
    rate: Option<u64>,
}

impl Timetable {
    /// What it says of a time on the wall's clock: `None` if nothing; `Some(None)` if there is no limit then; else bytes
    /// a second.
    pub fn limit_at(&self, time: DateTime) -> Option<Option<u64>> {
        let minute =
            u16::from(time.hour().unsigned_abs()) * 60 + u16::from(time.minute().unsigned_abs());
        let day = time.weekday();
        self.entries
            .iter()
            .find(|entry| entry.holds(day, minute))
            .map(|entry| entry.rate)
    }

    /// When it next says something else than at `now`; `None` if it always says the same. Hours that a zone's change of
    /// clocks leaves out or repeats are taken as they come.
    pub fn next_change(&self, now: &Zoned) -> Option<Timestamp> {
        let current = self.limit_at(now.datetime());
        let zone = now.time_zone();
        let today = now.date();
        let last = today.checked_add(Span::new().days(9)).ok()?;
        let mut moments = Vec::new();
        // Yesterday's entries may end today, and a week later everything is as it was.
        let days = (-1..=8).filter_map(|day| today.checked_add(Span::new().days(day)).ok());
        let mut minutes: Vec<u16> = self.entries.iter().flat_map(|e| [e.from, e.to]).collect();
        minutes.push(0);
        minutes.sort_unstable();
        minutes.dedup();
        for day in days {
            for minute in &minutes {
                let Ok(boundary) = day
                    .at(0, 0, 0, 0)
                    .checked_add(Span::new().minutes(i64::from(*minute)))
                else {
                    continue;
                };
                match zone.to_ambiguous_timestamp(boundary).offset() {
                    AmbiguousOffset::Unambiguous { offset } => {
                        moments.extend(offset.to_timestamp(boundary).ok());
                    }
                    AmbiguousOffset::Fold { before, after } => {
                        moments.extend(before.to_timestamp(boundary).ok());
                        moments.extend(after.to_timestamp(boundary).ok());
                    }
                    // The clock jumps over it, and the jump is a moment of its own.
                    AmbiguousOffset::Gap { .. } => {}
                }
            }
        }
        let jumps = zone
            .following(now.timestamp())
            .map(|jump| jump.timestamp())
            .take_while(|jump| jump.to_zoned(zone.clone()).date() <= last);
        moments.extend(jumps);
        moments.retain(|moment| *moment > now.timestamp());
        moments.sort_unstable();
        moments.dedup();
        moments
            .into_iter()
            .find(|moment| self.limit_at(zone.to_datetime(*moment)) != current)
    }

    /// Whether it says nothing at all.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl Entry {
    fn holds(&self, day: Weekday, minute: u16) -> bool {
        let today = self.days.has(day) && (self.from..self.to).contains(&minute);
        let since_yesterday = self.days.has(day.previous())
            && (self.from..self.to).contains(&(minute + MINUTES_A_DAY));
        today || since_yesterday
    }
}

impl FromStr for Timetable {
    type Err = TimetableError;

    fn from_str(text: &str) -> Result<Self, TimetableError> {
        let mut entries = Vec::new();
        // "sat, sun 1M": days alone belong to what comes next.
        let mut waiting: Option<Days> = None;
        let mut pieces = text.split(',').map(str::trim).peekable();
        while let Some(piece) = pieces.next() {
            let fail = |why: String| TimetableError {
                entry: piece.chars().take(80).collect(),
                why,
            };
            if piece.is_empty() {
                if text.trim().is_empty() {
                    break;
                }
                return Err(fail("it is empty".to_owned()));
            }
            if let (Some(days), true) = (Days::parse(piece), pieces.peek().is_some()) {
                waiting = Some(days.and(waiting));
                continue;
            }
            if entries.len() == MOST_ENTRIES {
                return Err(fail(format!("there are more than {MOST_ENTRIES}")));
            }
            let mut entry = Entry::parse(piece).map_err(fail)?;
            if let Some(days) = waiting.take() {
                if entry.days == Days::ALL {
                    let why = "the days before it belong to no entry".to_owned();
                    return Err(fail(why));
                }
                entry.days = entry.days.and(Some(days));
            }
            entries.push(entry);
        }
        Ok(Self { entries })
    }
}

impl Entry {
    fn parse(text: &str) -> Result<Self, String> {
        let mut words: Vec<&str> = text.split_whitespace().collect();
        let rate = words.pop().ok_or("it is empty")?;
        let rate = parse_rate(rate).map_err(|error| error.to_string())?;
        let (from, to) = match words.last().filter(|word| word.contains(':')) {
            Some(times) => {
                let times = parse_times(times)?;
                words.pop();
                times
            }
            None => (0, MINUTES_A_DAY),
        };
        let days = match words.as_slice() {
            [] => Days::ALL,
            [days] => Days::parse(days).ok_or_else(|| format!("\"{days}\" are no days"))?,
            _ => return Err("it is not of the form \"mon-fri 08:00-18:00 512K\"".to_owned()),
        };
        Ok(Self {
            days,
            from,
            to,
            rate,
        })
    }
}

fn parse_times(text: &str) -> Result<(u16, u16), String> {
    let (from, to) = text
        .split_once('-')
        .ok_or_else(|| format!("\"{text}\" is no time from when to when"))?;
    let from = parse_minute(from).filter(|from| *from < MINUTES_A_DAY);
    let (Some(from), Some(to)) = (from, parse_minute(to)) else {
        return Err(format!("\"{text}\" is not of the form HH:MM-HH:MM"));
    };
    let to = if to <= from { to + MINUTES_A_DAY } else { to };
    Ok((from, to))
}

/// 0 to 1440.
fn parse_minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str| {
        let digits = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse::<u16>().ok()).flatten()
    };
    let (hour, minute) = (number(hour)?, number(minute).filter(|_| minute.len() == 2)?);
    let all = hour * 60 + minute;
    (minute < 60 && all <= MINUTES_A_DAY).then_some(all)
}

impl TryFrom<String> for Timetable {
    type Error = TimetableError;

    fn try_from(text: String) -> Result<Self, TimetableError> {
        text.parse()
    }
}

impl From<Timetable> for String {
    fn from(timetable: Timetable) -> Self {
        timetable.to_string()
    }
}

impl fmt::Display for Timetable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, entry) in self.entries.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{entry}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.days != Days::ALL {
            write!(f, "{} ", self.days)?;
        }
        if (self.from, self.to) != (0, MINUTES_A_DAY) {
            let to = match self.to {
                to if to > MINUTES_A_DAY => to - MINUTES_A_DAY,
                to => to,
            };
            let clock = |minute: u16| (minute / 60, minute % 60);
            let ((h, m), (to_h, to_m)) = (clock(self.from), clock(to));
            write!(f, "{h:02}:{m:02}-{to_h:02}:{to_m:02} ")?;
        }
        f.write_str(&format_rate(self.rate))
    }
}

/// Days of the week, Monday first, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Days(u8);

const DAY_NAMES: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

impl Days {
    const ALL: Self = Self(0b111_1111);

    fn has(self, day: Weekday) -> bool {
        self.has_number(day.to_monday_zero_offset().unsigned_abs())
    }

    fn has_number(self, day: u8) -> bool {
        self.0 & (1 << (day % 7)) != 0
    }

    fn and(self, more: Option<Self>) -> Self {
        Self(self.0 | more.map_or(0, |days| days.0))
    }

    fn parse(text: &str) -> Option<Self> {
        let day = |text: &str| {
            let text = text.to_ascii_lowercase();
            let found = DAY_NAMES.iter().position(|name| name.starts_with(&text));
            found.filter(|_| text.len() >= 3).map(|day| day as u8)
        };
        let mut days = 0;
        for part in text.split('/') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (day(first)?, day(last)?);
            let mut at = first;
            days |= 1 << at;
            while at != last {
                at = (at + 1) % 7;
                days |= 1 << at;
            }
        }
        Some(Self(days))
    }
}

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut day = 0;
        let mut first = true;
        while day < 7 {
            if !self.has_number(day) {
                day += 1;
                continue;
            }
            let start = day;
            while day < 7 && self.has_number(day) {
                day += 1;
            }
            let (start, end) = (usize::from(start), usize::from(day) - 1);
            if !first {
                f.write_str("/")?;
            }
            first = false;
            f.write_str(&DAY_NAMES[start][..3])?;
            if end > start {
                let between = if end == start + 1 { "/" } else { "-" };
                write!(f, "{between}{}", &DAY_NAMES[end][..3])?;
            }
        }
        Ok(())
    }
}

/// A text that is no rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{text}\" is no rate: it is bytes a second like 900, 512K or 1.5M, or \"off\" for no limit"
)]
pub struct RateError {
    /// The text, cut where it is long.
    pub text: String,
}

/// Reads bytes a second: a number above 0, with a decimal point if need be, and `K`, `M`, `G` or `T` for powers of 1024,
/// large or small, after which `B`, `iB` and `/s` may follow. `None`: no limit (`off`, `none` or `unlimited`).
///
/// # Errors
/// Anything else, and more than fits into 64 bits.
pub fn parse_rate(text: &str) -> Result<Option<u64>, RateError> {
    let lower = text.trim().to_ascii_lowercase();
    if matches!(lower.as_str(), "off" | "none" | "unlimited") {
        return Ok(None);
    }
    parse_bytes(&lower)
        .filter(|rate| *rate > 0)
        .map(Some)
        .ok_or_else(|| RateError {
            text: text.chars().take(80).collect(),
        })
}

fn parse_bytes(lower: &str) -> Option<u64> {
    let rest = lower.strip_suffix("/s").unwrap_or(lower);
    let rest = rest.strip_suffix('b').unwrap_or(rest);
    let (number, unit) = match rest.strip_suffix('i') {
        // "Ki", not "i" alone.
        Some(rest) if !rest.ends_with(['k', 'm', 'g', 't']) => return None,
        Some(rest) => split_unit(rest),
        None => split_unit(rest),
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| {
        !text.is_empty() && text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    if !digits(whole) || !digits(part) {
        return None;
    }
    let whole = whole.parse::<u128>().ok()?.checked_mul(unit)?;
    let part = part.parse::<u128>().ok()? * unit / 10u128.pow(part.len() as u32);
    u64::try_from(whole.checked_add(part)?).ok()
}

fn split_unit(text: &str) -> (&str, u128) {
    for (letter, power) in [('k', 1), ('m', 2), ('g', 3), ('t', 4)] {
        if let Some(number) = text.strip_suffix(letter) {
            return (number, 1024u128.pow(power));
        }
    }
    (text, 1)
}

/// A rate as [`parse_rate`] reads it, exactly: `512K`, `900`, `off`.
pub fn format_rate(rate: Option<u64>) -> String {
    let Some(rate) = rate else {
        return "off".to_owned();
    };
    for (letter, power) in [('T', 4), ('G', 3), ('M', 2), ('K', 1)] {
        let unit = 1024u64.pow(power);
        if rate > 0 && rate.is_multiple_of(unit) {
            return format!("{}{letter}", rate / unit);
        }
        // "1.5M" rather than "1536K".
        if rate > unit && rate.is_multiple_of(unit / 2) {
            return format!("{}.5{letter}", rate / unit);
        }
    }
    rate.to_string()
}

#[cfg(test)]
mod tests;
