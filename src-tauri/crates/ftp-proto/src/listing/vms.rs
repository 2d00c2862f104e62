//! OpenVMS: the output of `DIRECTORY`, as its FTP servers (UCX, TCP/IP Services, MultiNet, TCPware) send it.

use super::{
    Entry, Kind, Line, Modified, lossy,
    numeric::dashed_month,
    scan::{clock, is_blank, is_number, short, to_u64, trim},
};
use crate::{
    Precision,
    time::{Clock, leading_digits, utc},
};

/// A block of a disk.
const BLOCK: u64 = 512;

/// Reads `NAME.TYPE;VERSION`, the size in blocks, the date, the owner and the protection, of which all but the name may be
/// missing, or be replaced by the reason for it.
pub(super) fn parse(line: &[u8]) -> Option<Line> {
    let end = name_end(line)?;
    let tail = trim(&line[end..]);
    let facts = Facts::parse(tail)?;
    let mut entry = named(&line[..end])?;
    facts.store(&mut entry);
    entry.raw = line.to_vec();
    Some(Line::Entry(entry))
}

/// True for a name alone: the rest of it may stand in the next line.
pub(super) fn is_head(line: &[u8]) -> bool {
    !line.first().is_none_or(|byte| is_blank(*byte))
        && name_end(line).is_some_and(|end| trim(&line[end..]).is_empty())
}

/// Reads the two lines of an entry whose name is too long for one.
pub(super) fn joined(head: &[u8], tail: &[u8]) -> Option<Line> {
    if !tail.first().is_some_and(|byte| is_blank(*byte)) {
        return None;
    }
    let facts = Facts::parse(trim(tail)).filter(Facts::says_something)?;
    let mut entry = named(&head[..name_end(head)?])?;
    facts.store(&mut entry);
    entry.raw = [head, b"\n", tail].concat();
    Some(Line::Entry(entry))
}

/// Where the version ends: at a `;` with digits, and a blank or nothing behind them.
fn name_end(line: &[u8]) -> Option<usize> {
    for (at, _) in line.iter().enumerate().filter(|(_, byte)| **byte == b';') {
        let digits = leading_digits(&line[at + 1..]);
        let end = at + 1 + digits;
        let ended = line.get(end).is_none_or(|byte| is_blank(*byte));
        if !(1..=5).contains(&digits) || at == 0 || !ended {
            continue;
        }
        // A blank in a name is escaped, on disks that have such names at all. Where this one has another, so has every longer
        // one: the line is looked through once, however many semicolons it has.
        let name = &line[..at];
        let plain = name
            .iter()
            .enumerate()
            .all(|(at, byte)| !is_blank(*byte) || (at > 0 && name[at - 1] == b'^'));
        return plain.then_some(end);
    }
    None
}

fn named(name: &[u8]) -> Option<Entry> {
    let at = name.iter().rposition(|byte| *byte == b';')?;
    let (bare, version) = (&name[..at], &name[at + 1..]);
    let dir = bare
        .len()
        .checked_sub(4)
        .filter(|at| *at > 0 && bare[*at..].eq_ignore_ascii_case(b".DIR"));
    // A folder is a file of that type, but no command takes it by that name.
    let mut entry = match dir {
        Some(end) => Entry::new(&bare[..end], Kind::Dir),
        None => Entry::new(name, Kind::File),
    };
    entry.version = short(version, 5);
    Some(entry)
}

#[derive(Default)]
struct Facts {
    bytes: Option<u64>,
    modified: Option<Modified>,
    owner: Option<Box<str>>,
    group: Option<Box<str>>,
    permissions: Option<u32>,
    /// Words instead of facts.
    refused: bool,
}

impl Facts {
    /// Reads what stands behind the name; `None` for what is neither facts nor a reason for having none.
    fn parse(tail: &[u8]) -> Option<Self> {
        let mut facts = Self::default();
        let mut rest = tail;
        while let Some(first) = rest.first() {
            let close = match first {
                b'[' => Some(b']'),
                b'(' => Some(b')'),
                _ => None,
            };
            let end = match close {
                Some(close) => rest.iter().position(|byte| *byte == close)? + 1,
                None => rest.iter().position(|b| is_blank(*b)).unwrap_or(rest.len()),
            };
            let (word, after) = rest.split_at(end);
            let after = trim(after);
            rest = after;
            if close == Some(b']') {
                facts.owned_by(&word[1..end - 1]);
            } else if close == Some(b')') {
                facts.permissions = protection(&word[1..end - 1]);
            } else if let Some((year, month, day)) = dashed_month(word).filter(|_| word.len() >= 9)
            {
                let (clock, precision, after) = time(rest);
                rest = after;
                facts.modified = Some(Modified {
                    timestamp: utc(year, month, day, clock)?,
                    precision,
                    zone_known: false,
                });
            } else if let Some(bytes) = bytes(word) {
                // The first number is what is used; others are allocated, or fragments.
                facts.bytes = facts.bytes.or(Some(bytes));
            } else {
                let words = [word, b" ", after].concat().to_ascii_lowercase();
                let says = |text: &str| words.windows(text.len()).any(|w| w == text.as_bytes());
                facts.refused = word.starts_with(b"%")
                    || says("privilege")
                    || says("protection")
                    || says("no such")
                    || says("not found")
                    || says("error")
                    || says("locked");
                return facts.refused.then_some(facts);
            }
        }
        Some(facts)
    }

    fn says_something(&self) -> bool {
        self.bytes.is_some() || self.modified.is_some() || self.refused || self.owner.is_some()
    }

    /// `GROUP,USER` or `USER`.
    fn owned_by(&mut self, identifier: &[u8]) {
        let mut parts = identifier.split(|byte| *byte == b',').map(trim);
        let (first, second) = (parts.next(), parts.next());
        let text = |part: &[u8]| (!part.is_empty()).then(|| lossy(part));
        match second {
            Some(user) => {
                self.owner = text(user);
                self.group = first.and_then(text);
            }
            None => self.owner = first.and_then(text),
        }
    }

    fn store(self, entry: &mut Entry) {
        if entry.kind == Kind::File {
            entry.size = self.bytes;
            entry.size_rounded = entry.size.is_some();
        }
        entry.modified = self.modified;
        entry.owner = self.owner;
        entry.group = self.group;
        entry.permissions = self.permissions;
    }
}

/// The time behind a date, which may be missing.
fn time(rest: &[u8]) -> (Clock, Precision, &[u8]) {
    let end = rest.iter().position(|b| is_blank(*b)).unwrap_or(rest.len());
    match clock(&rest[..end]) {
        Some((clock, parts, b"")) => (clock, parts.into(), trim(&rest[end..])),
        _ => (Clock::default(), Precision::Day, rest),
    }
}

/// `12` or `12/15`, used and allocated, in bytes; some count in `KB`.
fn bytes(word: &[u8]) -> Option<u64> {
    let (word, unit) = match word.strip_suffix(b"KB") {
        Some(number) => (number, 1024),
        None => (word, BLOCK),
    };
    let used = match word.iter().position(|byte| *byte == b'/') {
        Some(slash) if is_number(&word[slash + 1..]) => &word[..slash],
        Some(_) => return None,
        None => word,
    };
    let used = used.strip_suffix(b"KB").unwrap_or(used);
    to_u64(used)?.checked_mul(unit)
}

/// `RWED,RWED,RE,`: system, owner, group and world; the letters that Unix has too.
fn protection(text: &[u8]) -> Option<u32> {
    let mut parts = text.split(|byte| *byte == b',').map(trim);
    parts.next()?;
    let mut bits = 0;
    for _ in 0..3 {
        bits <<= 3;
        for letter in parts.next()? {
            bits |= match letter.to_ascii_uppercase() {
                b'R' => 4,
                b'W' => 2,
                b'E' => 1,
                b'D' => 0,
                _ => return None,
            };
        }
    }
    Some(bits)
}
