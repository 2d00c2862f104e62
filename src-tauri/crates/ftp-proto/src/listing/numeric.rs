//! Dates in numbers, and those with dashes around the month.

use super::{months::month, scan::short};
use crate::time::{Clock, leading_digits, utc};

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

/// The date, if there is such a day.
pub(super) fn exists(year: u32, month: u32, day: u32) -> Option<(u32, u32, u32)> {
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
