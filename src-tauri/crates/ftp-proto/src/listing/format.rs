use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use super::{Entry, Kind};
use crate::format_time;

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
    for fact in facts.chosen() {
        let value = match fact {
            "type" => Some(type_value(entry)),
            "size" => entry
                .size
                .filter(|_| !is_folder(entry.kind))
                .map(|size| size.to_string()),
            "modify" => entry
                .modified
                .map(|modified| format_time(modified.timestamp)),
            "perm" => entry.perm.as_deref().map(str::to_owned),
            "unique" => entry.unique.as_deref().map(str::to_owned),
            "UNIX.mode" => entry
                .permissions
                .map(|mode| format!("{:04o}", mode & 0o7777)),
            "UNIX.owner" => entry.owner.as_deref().map(str::to_owned),
            _ => entry.group.as_deref().map(str::to_owned),
        };
        let Some(value) = value.filter(|value| is_plain(value.as_bytes())) else {
            continue;
        };
        out.extend_from_slice(fact.as_bytes());
        out.push(b'=');
        out.extend_from_slice(value.as_bytes());
        out.push(b';');
    }
    out.push(b' ');
    push_name(&mut out, &entry.name);
    out
}

/// Writes an entry as `ls -l` does, without the line end. Times are UTC; from half a year before `now` to 12 hours after it they have
/// hours and minutes, otherwise the year. Unknown owners and groups are `ftp`. CR, LF and NUL in names become `?`.
#[must_use]
pub fn format_list(entry: &Entry, now: Timestamp) -> Vec<u8> {
    let (letter, usual) = match entry.kind {
        Kind::File => ('-', 0o644),
        Kind::Link => ('l', 0o777),
        Kind::Other => ('p', 0o644),
        Kind::Dir | Kind::CurrentDir | Kind::ParentDir => ('d', 0o755),
    };
    let head = format!(
        "{letter}{} {:>3} {:<8} {:<8} {:>12} {} ",
        permissions_text(entry.permissions.unwrap_or(usual)),
        entry.links.unwrap_or(1),
        person(entry.owner.as_deref()),
        person(entry.group.as_deref()),
        entry.size.unwrap_or(0),
        date(
            entry
                .modified
                .map_or(Timestamp::UNIX_EPOCH, |modified| modified.timestamp),
            now
        ),
    );
    let mut out = head.into_bytes();
    push_name(&mut out, &entry.name);
    if let (Kind::Link, Some(target)) = (entry.kind, &entry.target) {
        out.extend_from_slice(b" -> ");
        push_name(&mut out, target);
    }
    out
}

/// The nine letters of a mode, such as `rwxr-sr-t`.
#[must_use]
pub fn permissions_text(mode: u32) -> String {
    let mut text = String::with_capacity(9);
    for (shift, special, letters) in [
        (6, 0o4000, ['s', 'S']),
        (3, 0o2000, ['s', 'S']),
        (0, 0o1000, ['t', 'T']),
    ] {
        let bits = mode >> shift;
        text.push(if bits & 4 != 0 { 'r' } else { '-' });
        text.push(if bits & 2 != 0 { 'w' } else { '-' });
        text.push(match (bits & 1 != 0, mode & special != 0) {
            (true, false) => 'x',
            (false, false) => '-',
            (true, true) => letters[0],
            (false, true) => letters[1],
        });
    }
    text
}

fn type_value(entry: &Entry) -> String {
    match entry.kind {
        Kind::File => "file".to_owned(),
        Kind::Dir => "dir".to_owned(),
        Kind::CurrentDir => "cdir".to_owned(),
        Kind::ParentDir => "pdir".to_owned(),
        Kind::Other => "OS.unix=special".to_owned(),
        Kind::Link => {
            let target = entry.target.as_deref().filter(|target| is_plain(target));
            match target.and_then(|target| std::str::from_utf8(target).ok()) {
                Some(target) => format!("OS.unix=slink:{target}"),
                None => "OS.unix=symlink".to_owned(),
            }
        }
    }
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

/// A name without blanks, which would shift the columns.
fn person(name: Option<&str>) -> String {
    match name {
        Some(name) if !name.is_empty() => name
            .chars()
            .map(|c| {
                if c.is_whitespace() || c.is_control() {
                    '_'
                } else {
                    c
                }
            })
            .collect(),
        _ => "ftp".to_owned(),
    }
}

fn date(time: Timestamp, now: Timestamp) -> String {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let at = TimeZone::UTC.to_datetime(time);
    let index = usize::try_from(at.month() - 1).unwrap_or(0);
    let mut text = format!("{} {:>2} ", MONTHS[index.min(11)], at.day());
    let age = now.duration_since(time);
    let recent =
        age > -SignedDuration::from_hours(12) && age < SignedDuration::from_hours(24 * 182);
    let _ = if recent {
        write!(text, "{:02}:{:02}", at.hour(), at.minute())
    } else {
        // The column has four digits.
        write!(text, " {:04}", at.year().max(0))
    };
    text
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
