//! What the dialects share: fields between blanks, numbers, and times of day.

use jiff::SignedDuration;

use super::Modified;
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

    /// How many blanks stand between this field and the next one.
    pub(super) fn gap(&self, index: usize) -> usize {
        match (
            self.ends[..self.count].get(index),
            self.ends[..self.count].get(index + 1),
        ) {
            (Some((_, end)), Some((start, _))) => start - end,
            _ => 0,
        }
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

/// A server's local time; `None` for a date that doesn't exist.
pub(super) fn local_time(
    (year, month, day): (u32, u32, u32),
    clock: Clock,
    parts: Parts,
) -> Option<Modified> {
    Some(Modified {
        timestamp: utc(year, month, day, clock)?,
        precision: parts.into(),
        zone_known: false,
    })
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

/// Digits with separators between thousands, of which every country has its own: the value, none inside where it is
/// too large.
pub(super) fn grouped(word: &[u8]) -> Option<Option<u64>> {
    if is_number(word) {
        return Some(to_u64(word));
    }
    let mut digits = Vec::with_capacity(word.len());
    let mut groups = word.split(|byte| !byte.is_ascii_digit());
    digits.extend_from_slice(
        groups
            .next()
            .filter(|group| (1..=3).contains(&group.len()))?,
    );
    let separators = word
        .iter()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b',' | b'.' | b'\'' | 0xa0 | 0xc2));
    if !separators || !word.last()?.is_ascii_digit() {
        return None;
    }
    for group in groups.filter(|group| !group.is_empty()) {
        if group.len() != 3 {
            return None;
        }
        digits.extend_from_slice(group);
    }
    Some(to_u64(&digits))
}

/// A rounded number of bytes such as `1.5K`, `12M` or `3,2GB`, in the units of `ls -h` (1024).
pub(super) fn rounded(word: &[u8]) -> Option<Option<u64>> {
    let digits = leading_digits(word);
    if digits == 0 {
        return None;
    }
    let (whole, rest) = word.split_at(digits);
    let (tenths, rest) = match rest {
        [b'.' | b',', fraction @ ..] if leading_digits(fraction) > 0 => {
            let digits = leading_digits(fraction);
            (&fraction[..digits.min(3)], &fraction[digits..])
        }
        _ => (&b""[..], rest),
    };
    let shift = match rest.first()? {
        b'K' | b'k' => 10,
        b'M' => 20,
        b'G' => 30,
        b'T' => 40,
        b'P' => 50,
        _ => return None,
    };
    if !matches!(&rest[1..], b"" | b"B" | b"b" | b"iB") {
        return None;
    }
    let unit = 1_u64 << shift;
    let fraction = to_u64(tenths).map_or(0, |value| {
        // At most three digits of a unit of at most 2^50: no overflow.
        value * unit / 10_u64.pow(u32::try_from(tenths.len()).unwrap_or(0))
    });
    Some(
        to_u64(whole)
            .and_then(|whole| whole.checked_mul(unit))
            .and_then(|bytes| bytes.checked_add(fraction)),
    )
}

/// The next word, and what stands behind it.
pub(super) fn next(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let start = text.iter().position(|byte| !is_blank(*byte))?;
    let text = &text[start..];
    let end = text
        .iter()
        .position(|byte| is_blank(*byte))
        .unwrap_or(text.len());
    Some(text.split_at(end))
}

/// Without blanks on either side.
pub(super) fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = text {
        text = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

/// `+0100`, `+01:00` or `Z`.
pub(super) fn offset(field: &[u8]) -> Option<SignedDuration> {
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
