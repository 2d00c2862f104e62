use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use super::{Entry, Kind};
use crate::time::{push_time, push_two};

/// Which facts a server gives (RFC 3659 section 7.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MlsxFacts(u8);

/// The facts in the order in which they are written.
const FACTS: [&str; 8] = [
    "type",
    "size",
    "modify",
    "perm",
    "unique",
    "UNIX.mode",
    "UNIX.owner",
    "UNIX.group",
];

impl MlsxFacts {
    /// All that [`format_mlsx`] knows.
    pub const ALL: Self = Self(u8::MAX);
    /// None: names only.
    pub const NONE: Self = Self(0);

    /// Reads the argument of `OPTS MLST`, names with `;` behind them, in any case. Unknown ones are left out, as the
    /// RFC demands.
    #[must_use]
    pub fn parse(list: &[u8]) -> Self {
        list.split(|byte| *byte == b';')
            .filter_map(|name| {
                let name = name.trim_ascii();
                FACTS
                    .iter()
                    .position(|fact| name.eq_ignore_ascii_case(fact.as_bytes()))
            })
            .fold(Self::NONE, |facts, index| Self(facts.0 | 1 << index))
    }

    /// The names of the chosen facts with `;` behind each: what the reply to `OPTS MLST` repeats.
    #[must_use]
    pub fn names(self) -> String {
        self.chosen().map(|fact| format!("{fact};")).collect()
    }

    /// What stands behind `MLST` in the reply to FEAT: all facts, with `*` behind the chosen ones.
    #[must_use]
    pub fn feature(self) -> String {
        FACTS
            .iter()
            .enumerate()
            .map(|(index, fact)| format!("{fact}{};", if self.has(index) { "*" } else { "" }))
            .collect()
    }

    fn chosen(self) -> impl Iterator<Item = &'static str> {
        FACTS
            .into_iter()
            .enumerate()
            .filter(move |(index, _)| self.has(*index))
            .map(|(_, fact)| fact)
    }

    fn has(self, index: usize) -> bool {
        self.0 & (1 << index) != 0
    }
}

impl Default for MlsxFacts {
    fn default() -> Self {
        Self::ALL
    }
}

/// Writes an entry as MLSD does, without the line end; MLST puts a blank before it (RFC 3659 section 7.2).
///
/// Facts that the entry doesn't have are left out, also those that the form can't carry: the size of a folder, and
/// values with blanks or `;`. CR, LF and NUL in the name, which would forge another line, become `?`.
#[must_use]
pub fn format_mlsx(entry: &Entry, facts: MlsxFacts) -> Vec<u8> {
    let mut out = Vec::with_capacity(entry.name.len() + 96);
    write_mlsx(entry, facts, &mut out);
    out
}

/// The same, behind what is in `out` already: for listings, which are made of very many of these.
pub fn write_mlsx(entry: &Entry, facts: MlsxFacts, out: &mut Vec<u8>) {
    for fact in facts.chosen() {
        let begin = out.len();
        out.extend_from_slice(fact.as_bytes());
        out.push(b'=');
        let value = out.len();
        match fact {
            "type" => push_type(out, entry),
            "size" => {
                if let Some(size) = entry.size.filter(|_| !is_folder(entry.kind)) {
                    push_number(out, size);
                }
            }
            "modify" => {
                if let Some(modified) = entry.modified {
                    push_time(out, modified.timestamp);
                }
            }
            "perm" => push_text(out, entry.perm.as_deref()),
            "unique" => push_text(out, entry.unique.as_deref()),
            "UNIX.mode" => {
                if let Some(mode) = entry.permissions {
                    let digit = |shift: u32| b'0' + (mode >> shift & 7) as u8;
                    out.extend_from_slice(&[digit(9), digit(6), digit(3), digit(0)]);
                }
            }
            "UNIX.owner" => push_text(out, entry.owner.as_deref()),
            _ => push_text(out, entry.group.as_deref()),
        }
        if is_plain(&out[value..]) {
            out.push(b';');
        } else {
            out.truncate(begin);
        }
    }
    out.push(b' ');
    push_name(out, &entry.name);
}

/// Writes an entry as `ls -l` does, without the line end. Times are UTC; from half a year before `now` to 12 hours after it they have
/// hours and minutes, otherwise the year. Unknown owners and groups are `ftp`. CR, LF and NUL in names become `?`.
#[must_use]
pub fn format_list(entry: &Entry, now: Timestamp) -> Vec<u8> {
    let mut out = Vec::with_capacity(entry.name.len() + 64);
    write_list(entry, now, &mut out);
    out
}

/// The same, behind what is in `out` already: for listings, which are made of very many of these.
pub fn write_list(entry: &Entry, now: Timestamp, out: &mut Vec<u8>) {
    let (letter, usual) = match entry.kind {
        Kind::File => (b'-', 0o644),
        Kind::Link => (b'l', 0o777),
        Kind::Other => (b'p', 0o644),
        Kind::Dir | Kind::CurrentDir | Kind::ParentDir => (b'd', 0o755),
    };
    out.push(letter);
    out.extend_from_slice(&letters(entry.permissions.unwrap_or(usual)));
    out.push(b' ');
    push_right(out, u64::from(entry.links.unwrap_or(1)), 3);
    out.push(b' ');
    push_person(out, entry.owner.as_deref());
    out.push(b' ');
    push_person(out, entry.group.as_deref());
    out.push(b' ');
    push_right(out, entry.size.unwrap_or(0), 12);
    out.push(b' ');
    let time = entry.modified.map(|modified| modified.timestamp);
    push_date(out, time.unwrap_or(Timestamp::UNIX_EPOCH), now);
    out.push(b' ');
    push_name(out, &entry.name);
    if let (Kind::Link, Some(target)) = (entry.kind, &entry.target) {
        out.extend_from_slice(b" -> ");
        push_name(out, target);
    }
}

/// The nine letters of a mode, such as `rwxr-sr-t`.
#[must_use]
pub fn permissions_text(mode: u32) -> String {
    letters(mode)
        .iter()
        .map(|letter| char::from(*letter))
        .collect()
}

fn letters(mode: u32) -> [u8; 9] {
    let mut text = [b'-'; 9];
    for ((shift, special, marks), text) in [
        (6, 0o4000, [b's', b'S']),
        (3, 0o2000, [b's', b'S']),
        (0, 0o1000, [b't', b'T']),
    ]
    .into_iter()
    .zip(text.chunks_mut(3))
    {
        let bits = mode >> shift;
        if bits & 4 != 0 {
            text[0] = b'r';
        }
        if bits & 2 != 0 {
            text[1] = b'w';
        }
        text[2] = match (bits & 1 != 0, mode & special != 0) {
            (true, false) => b'x',
            (false, false) => b'-',
            (true, true) => marks[0],
            (false, true) => marks[1],
        };
    }
    text
}

fn push_type(out: &mut Vec<u8>, entry: &Entry) {
    let value: &[u8] = match entry.kind {
        Kind::File => b"file",
        Kind::Dir => b"dir",
        Kind::CurrentDir => b"cdir",
        Kind::ParentDir => b"pdir",
        Kind::Other => b"OS.unix=special",
        Kind::Link => {
            let target = entry.target.as_deref().filter(|target| is_plain(target));
            match target.filter(|target| std::str::from_utf8(target).is_ok()) {
                Some(target) => {
                    out.extend_from_slice(b"OS.unix=slink:");
                    target
                }
                None => b"OS.unix=symlink",
            }
        }
    };
    out.extend_from_slice(value);
}

fn is_folder(kind: Kind) -> bool {
    matches!(kind, Kind::Dir | Kind::CurrentDir | Kind::ParentDir)
}

/// True for what can stand in a fact: some bytes, without blanks, `;` and control characters.
fn is_plain(value: &[u8]) -> bool {
    !value.is_empty()
        && !value
            .iter()
            .any(|byte| matches!(byte, b' ' | b';' | 0..=31 | 127))
}

/// A name without blanks, which would shift the columns; eight wide.
fn push_person(out: &mut Vec<u8>, name: Option<&str>) {
    let mut width = 0;
    for c in name
        .filter(|name| !name.is_empty())
        .unwrap_or("ftp")
        .chars()
    {
        let shown = if c.is_whitespace() || c.is_control() {
            '_'
        } else {
            c
        };
        out.extend_from_slice(shown.encode_utf8(&mut [0; 4]).as_bytes());
        width += 1;
    }
    for _ in width..8 {
        out.push(b' ');
    }
}

fn push_text(out: &mut Vec<u8>, text: Option<&str>) {
    out.extend_from_slice(text.unwrap_or_default().as_bytes());
}

fn push_number(out: &mut Vec<u8>, number: u64) {
    push_right(out, number, 1);
}

/// Blanks before it up to that width, which is at most 20.
fn push_right(out: &mut Vec<u8>, mut number: u64, width: usize) {
    let mut digits = [b' '; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at.min(digits.len() - width)..]);
}

fn push_date(out: &mut Vec<u8>, time: Timestamp, now: Timestamp) {
    const MONTHS: [&[u8; 3]; 12] = [
        b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov",
        b"Dec",
    ];
    let at = TimeZone::UTC.to_datetime(time);
    let index = usize::try_from(at.month() - 1).unwrap_or(0);
    out.extend_from_slice(MONTHS[index.min(11)]);
    out.push(b' ');
    push_right(out, u64::from(at.day().unsigned_abs()), 2);
    out.push(b' ');
    let age = now.duration_since(time);
    let recent =
        age > -SignedDuration::from_hours(12) && age < SignedDuration::from_hours(24 * 182);
    if recent {
        push_two(out, at.hour());
        out.push(b':');
        push_two(out, at.minute());
    } else {
        // The column has four digits.
        let year = at.year().max(0).unsigned_abs();
        out.push(b' ');
        push_two(out, (year / 100) as i8);
        push_two(out, (year % 100) as i8);
    }
}

fn push_name(out: &mut Vec<u8>, name: &[u8]) {
    out.extend(name.iter().map(|byte| {
        if matches!(byte, b'\r' | b'\n' | 0) {
            b'?'
        } else {
            *byte
        }
    }));
}
