//! What the dialects share: fields between blanks, months, and times of day.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use crate::time::{Clock, leading_digits, milliseconds, number, utc};

/// As many fields as are looked at before the name; user names may have blanks.
const MAX_FIELDS: usize = 24;

/// The first fields of a line, as offsets. On the stack: a listing has very many lines.
pub(super) struct Fields<'a> {
    line: &'a [u8],
    ends: [(usize, usize); MAX_FIELDS],
    count: usize,
}

impl<'a> Fields<'a> {
    /// The fields from `at` on.
    pub(super) fn new(line: &'a [u8], mut at: usize) -> Self {
        let mut fields = Self {
            line,
            ends: [(0, 0); MAX_FIELDS],
            count: 0,
        };
        for slot in &mut fields.ends {
            at += line[at..]
                .iter()
                .take_while(|byte| is_blank(**byte))
                .count();
            if at == line.len() {
                break;
            }
            let end = at
                + line[at..]
                    .iter()
                    .take_while(|byte| !is_blank(**byte))
                    .count();
            *slot = (at, end);
            fields.count += 1;
            at = end;
        }
        fields
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// The field, or nothing (an empty one) where there are no more.
    pub(super) fn get(&self, index: usize) -> &'a [u8] {
        match self.ends[..self.count].get(index) {
            Some((start, end)) => &self.line[*start..*end],
            None => b"",
        }
    }

    /// The text from the first of these fields to the last, with what stands between them.
    pub(super) fn span(&self, first: usize, last: usize) -> &'a [u8] {
        &self.line[self.ends[first].0..self.ends[last].1]
    }

    /// What stands behind the field, with the blanks.
    pub(super) fn after(&self, index: usize) -> &'a [u8] {
        &self.line[self.ends[index].1..]
    }
}

pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

pub(super) fn is_number(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

/// A number of bytes; `None` where it isn't one or is too large.
pub(super) fn to_u64(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |sum, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}

/// A number of at most `most` digits.
pub(super) fn short(digits: &[u8], most: usize) -> Option<u32> {
    (digits.len() <= most && is_number(digits)).then(|| number(digits))
}

/// True for `total 12` and its translations.
pub(super) fn is_total(line: &[u8]) -> bool {
    let fields = Fields::new(line, 0);
    let word = fields.get(0).trim_ascii_end();
    let word = word.strip_suffix(b":").unwrap_or(word);
    let words: [&[u8]; 7] = [
        b"total",
        b"totale",
        b"totaal",
        b"insgesamt",
        b"summe",
        b"totalt",
        b"razem",
    ];
    fields.len() == 2
        && words.iter().any(|known| word.eq_ignore_ascii_case(known))
        && fields.get(1).first().is_some_and(u8::is_ascii_digit)
}

/// A month from 1 to 12 by its name, cut to three letters or not, in the languages that servers were seen to speak.
pub(super) fn month(word: &[u8]) -> Option<u32> {
    const ENGLISH: [&[u8; 3]; 12] = [
        b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov",
        b"dec",
    ];
    let word = word
        .strip_suffix(b".")
        .or_else(|| word.strip_suffix(b","))
        .unwrap_or(word);
    let &[a, b, c, ..] = word else { return None };
    let head = [a, b, c].map(|byte| byte.to_ascii_lowercase());
    let index = ENGLISH.iter().position(|name| **name == head);
    if let Some(index) = index
        && (word.len() == 3 || is_long_month(word))
    {
        return u32::try_from(index + 1).ok();
    }
    foreign_month(word)
}

fn is_long_month(word: &[u8]) -> bool {
    const LONG: [&[u8]; 12] = [
        b"january",
        b"february",
        b"march",
        b"april",
        b"may",
        b"june",
        b"july",
        b"august",
        b"september",
        b"october",
        b"november",
        b"december",
    ];
    word.eq_ignore_ascii_case(b"sept") || LONG.iter().any(|name| word.eq_ignore_ascii_case(name))
}

/// Months that are no English ones. In UTF-8 and in Latin-1, since servers that translate them rarely say how.
fn foreign_month(word: &[u8]) -> Option<u32> {
    const NAMES: [(&str, u32); 46] = [
        ("janv", 1),
        ("gen", 1),
        ("ene", 1),
        ("jän", 1),
        ("jänner", 1),
        ("januar", 1),
        ("febr", 2),
        ("févr", 2),
        ("fév", 2),
        ("fev", 2),
        ("februar", 2),
        ("mär", 3),
        ("märz", 3),
        ("mrz", 3),
        ("mars", 3),
        ("mrt", 3),
        ("márc", 3),
        ("abr", 4),
        ("avr", 4),
        ("ápr", 4),
        ("mai", 5),
        ("mei", 5),
        ("maj", 5),
        ("mag", 5),
        ("máj", 5),
        ("juin", 6),
        ("giu", 6),
        ("jún", 6),
        ("juni", 6),
        ("juil", 7),
        ("lug", 7),
        ("júl", 7),
        ("juli", 7),
        ("août", 8),
        ("aoû", 8),
        ("ago", 8),
        ("set", 9),
        ("szept", 9),
        ("sett", 9),
        ("okt", 10),
        ("ott", 10),
        ("out", 10),
        ("dez", 12),
        ("dic", 12),
        ("déc", 12),
        ("des", 12),
    ];
    let matches = |name: &str| {
        let mut letters = name.chars();
        let mut rest = word;
        loop {
            let Some(letter) = letters.next() else {
                return rest.is_empty();
            };
            let mut utf8 = [0; 4];
            let small = letter.encode_utf8(&mut utf8).as_bytes();
            let latin1 = [u8::try_from(u32::from(letter)).unwrap_or(0)];
            let Some(tail) =
                strip_ignoring_case(rest, small).or_else(|| strip_ignoring_case(rest, &latin1))
            else {
                return false;
            };
            rest = tail;
        }
    };
    if let Some(digits) = word.strip_suffix("月".as_bytes()) {
        return short(digits, 2);
    }
    NAMES
        .iter()
        .find(|(name, _)| matches(name))
        .map(|(_, month)| *month)
}

fn strip_ignoring_case<'a>(text: &'a [u8], head: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = text.split_at_checked(head.len())?;
    start.eq_ignore_ascii_case(head).then_some(rest)
}

/// `H:MM`, `HH:MM:SS` or `HH:MM:SS.fff`, what is left behind it, and whether it had seconds and a fraction.
pub(super) fn clock(text: &[u8]) -> Option<(Clock, Parts, &[u8])> {
    let digits = leading_digits(text);
    let hour = short(&text[..digits], 2)?;
    let (minute, rest) = two_after(b':', &text[digits..])?;
    let mut clock = Clock {
        hour,
        minute,
        ..Clock::default()
    };
    let Some((second, rest)) = two_after(b':', rest) else {
        return Some((clock, Parts::Minutes, rest));
    };
    clock.second = second;
    match rest.strip_prefix(b".") {
        Some(fraction) if leading_digits(fraction) > 0 => {
            clock.milli = milliseconds(fraction)?;
            Some((clock, Parts::Milli, &fraction[leading_digits(fraction)..]))
        }
        _ => Some((clock, Parts::Seconds, rest)),
    }
}

/// How much of a time of day was written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Parts {
    Minutes,
    Seconds,
    Milli,
}

impl From<Parts> for crate::Precision {
    fn from(parts: Parts) -> Self {
        match parts {
            Parts::Minutes => Self::Minute,
            Parts::Seconds => Self::Second,
            Parts::Milli => Self::Milli,
        }
    }
}

fn two_after(mark: u8, text: &[u8]) -> Option<(u32, &[u8])> {
    match text {
        [first, a, b, rest @ ..] if *first == mark && a.is_ascii_digit() && b.is_ascii_digit() => {
            Some((number(&[*a, *b]), rest))
        }
        _ => None,
    }
}

/// `YYYY-MM-DD`.
pub(super) fn iso_date(text: &[u8]) -> Option<(u32, u32, u32)> {
    match text {
        [year @ .., b'-', m1, m2, b'-', d1, d2] if year.len() == 4 => Some((
            short(year, 4)?,
            short(&[*m1, *m2], 2)?,
            short(&[*d1, *d2], 2)?,
        )),
        _ => None,
    }
}

/// A date without a year: the latest one that is at most a day ahead of `now`, because the server's clock and zone are its
/// own. A 29th of February is in the nearest leap year before that.
pub(super) fn yearless(month: u32, day: u32, clock: Clock, now: Timestamp) -> Option<Timestamp> {
    let limit = now
        .checked_add(SignedDuration::from_hours(24))
        .unwrap_or(Timestamp::MAX);
    let latest = u32::try_from(TimeZone::UTC.to_datetime(limit).year()).ok()?;
    // Eight years back there is a leap year, even around 1900.
    (0..=8)
        .filter_map(|back| utc(latest.checked_sub(back)?, month, day, clock))
        .find(|timestamp| *timestamp <= limit)
}
