use super::{Entry, Kind, Line, Modified, kind_by_name, lossy, scan::to_u64};
use crate::{escape, parse_time};

/// A line that is no entry of MLSD or MLST.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// It begins neither with facts nor with the blank that stands for none.
    #[error("\"{text}\" has no facts before the name")]
    NoFacts {
        /// The line, escaped and cut.
        text: String,
    },
    /// Nothing stands behind the facts.
    #[error("\"{text}\" has no name behind the facts")]
    NoName {
        /// The line, escaped and cut.
        text: String,
    },
}

/// Reads one line of MLSD, or the inner line of MLST with or without its leading blank, without the line end
/// (RFC 3659 section 7.2). Whatever stands behind the blank after the facts is the name, blanks and all.
///
/// Facts are found in any order and case, with or without a `;` behind the last one; unknown ones, and those with values
/// that make no sense, are left out.
///
/// # Errors
/// A line without facts that doesn't begin with a blank either, and a line without a name.
pub fn parse_mlsx(line: &[u8]) -> Result<Entry, ListError> {
    let no_name = || ListError::NoName {
        text: escape(line, 200),
    };
    let mut facts = Facts::default();
    let inner = line.strip_prefix(b" ").unwrap_or(line);
    let name = match facts.read(inner) {
        Some(name) => name,
        // An entry without any fact: the blank stands for the end of none.
        None if inner.len() < line.len() => {
            facts = Facts::default();
            inner
        }
        None if inner.contains(&b' ') => {
            return Err(ListError::NoFacts {
                text: escape(line, 200),
            });
        }
        None if Facts::default().fact(inner).is_some() => return Err(no_name()),
        None => {
            return Err(ListError::NoFacts {
                text: escape(line, 200),
            });
        }
    };
    if name.is_empty() {
        return Err(no_name());
    }
    Ok(facts.entry(name, line))
}

/// Reads a line of MLSD in an answer to LIST, where it must begin with a fact that is known.
pub(super) fn in_a_list(line: &[u8]) -> Option<Line> {
    const KNOWN: [&str; 10] = [
        "type",
        "size",
        "sizd",
        "modify",
        "create",
        "perm",
        "unique",
        "lang",
        "media-type",
        "charset",
    ];
    let inner = line.strip_prefix(b" ").unwrap_or(line);
    let word = inner
        .iter()
        .take(20)
        .position(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'.' | b'-' | b'_'))?;
    let known = KNOWN
        .iter()
        .any(|fact| inner[..word].eq_ignore_ascii_case(fact.as_bytes()))
        || inner[..word].contains(&b'.');
    if inner.get(word) != Some(&b'=') || !known || !inner.contains(&b' ') {
        return None;
    }
    parse_mlsx(line).ok().map(Line::Entry)
}

#[derive(Default)]
struct Facts<'a> {
    kind: Option<Kind>,
    target: Option<&'a [u8]>,
    size: Option<u64>,
    folder_size: Option<u64>,
    modified: Option<Modified>,
    mode: Option<u32>,
    perm: Option<&'a [u8]>,
    unique: Option<&'a [u8]>,
    owner: Ranked<'a>,
    group: Ranked<'a>,
}

/// A text of which a better one may come: a name instead of a number.
#[derive(Default)]
struct Ranked<'a>(Option<(u8, &'a [u8])>);

impl<'a> Ranked<'a> {
    fn offer(&mut self, rank: u8, value: &'a [u8]) {
        if !value.is_empty() && self.0.is_none_or(|(known, _)| rank > known) {
            self.0 = Some((rank, value));
        }
    }
}

impl<'a> Facts<'a> {
    /// Reads the facts and gives the name; `None` where the line doesn't begin with a fact, or has no blank.
    fn read(&mut self, mut rest: &'a [u8]) -> Option<&'a [u8]> {
        let mut any = false;
        loop {
            match rest.first()? {
                b' ' => return any.then(|| &rest[1..]),
                b';' => rest = &rest[1..],
                _ => match self.fact(rest) {
                    Some(after) => {
                        any = true;
                        rest = after;
                    }
                    // A word without "=" among the facts is passed over.
                    None => {
                        rest = &rest[rest.iter().position(|byte| matches!(byte, b' ' | b';'))?..]
                    }
                },
            }
        }
    }

    /// Reads one fact, and gives what stands behind its value.
    fn fact(&mut self, text: &'a [u8]) -> Option<&'a [u8]> {
        let equals = text
            .iter()
            .position(|byte| matches!(byte, b'=' | b' ' | b';'))?;
        let (name, value) = (&text[..equals], &text[equals + 1..]);
        if text[equals] != b'=' || name.is_empty() {
            return None;
        }
        let mut end = value
            .iter()
            .position(|byte| matches!(byte, b' ' | b';'))
            .unwrap_or(value.len());
        if value.get(end) == Some(&b' ')
            && name.eq_ignore_ascii_case(b"type")
            && link_target(value).is_some()
        {
            // Some servers send targets with blanks as they are; then the value ends where a fact or the name follows.
            end = target_end(value).unwrap_or(end);
        }
        self.store(name, &value[..end]);
        Some(&value[end..])
    }

    fn store(&mut self, name: &[u8], value: &'a [u8]) {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        if is("type") {
            self.kind(value);
        } else if is("size") {
            self.size = to_u64(value);
        } else if is("sizd") {
            self.folder_size = to_u64(value);
        } else if is("modify") {
            self.modified = parse_time(value)
                .ok()
                .map(|(timestamp, precision)| Modified {
                    timestamp,
                    precision,
                    zone_known: true,
                });
        } else if is("perm") {
            self.perm = Some(value);
        } else if is("unique") {
            self.unique = (!value.is_empty()).then_some(value);
        } else if is("UNIX.mode") {
            // pyftpdlib writes it as Python does.
            self.mode = octal(value.strip_prefix(b"0o").unwrap_or(value));
        } else if is("UNIX.ownername") {
            self.owner.offer(2, value);
        } else if is("UNIX.owner") || is("UNIX.uid") {
            self.owner.offer(1, value);
        } else if is("UNIX.groupname") {
            self.group.offer(2, value);
        } else if is("UNIX.group") || is("UNIX.gid") {
            self.group.offer(1, value);
        }
    }

    fn kind(&mut self, value: &'a [u8]) {
        let is = |known: &str| value.eq_ignore_ascii_case(known.as_bytes());
        self.kind = Some(if is("file") {
            Kind::File
        } else if is("dir") {
            Kind::Dir
        } else if is("cdir") {
            Kind::CurrentDir
        } else if is("pdir") {
            Kind::ParentDir
        } else if let Some(target) = link_target(value) {
            self.target = (!target.is_empty()).then_some(target);
            Kind::Link
        } else {
            Kind::Other
        });
    }

    fn entry(&self, name: &[u8], line: &[u8]) -> Entry {
        let kind = self.kind.unwrap_or_else(|| self.likely_kind());
        let text = |value: Option<&[u8]>| value.map(lossy);
        let mut entry = Entry::new(name, kind_by_name(kind, name));
        entry.size = self.size.or(self.folder_size);
        entry.modified = self.modified;
        entry.permissions = self.mode;
        entry.perm = text(self.perm);
        entry.owner = text(self.owner.0.map(|(_, value)| value));
        entry.group = text(self.group.0.map(|(_, value)| value));
        entry.target = self.target.map(<[u8]>::to_vec);
        entry.unique = text(self.unique);
        entry.raw = line.to_vec();
        entry
    }

    /// Without a type, the other facts tell: only folders can be entered, and only files can be fetched.
    fn likely_kind(&self) -> Kind {
        let may = |letters: &[u8]| {
            self.perm.is_some_and(|perm| {
                perm.iter()
                    .any(|letter| letters.contains(&letter.to_ascii_lowercase()))
            })
        };
        if self.folder_size.is_some() || may(b"celmp") {
            Kind::Dir
        } else if self.size.is_some() || may(b"arw") {
            Kind::File
        } else {
            Kind::Other
        }
    }
}

/// The target of `OS.unix=slink:target`, empty where there is none. The name of the system is not looked at.
fn link_target(value: &[u8]) -> Option<&[u8]> {
    let (system, kind) = value.split_at(value.iter().position(|byte| *byte == b'=')?);
    let kind = &kind[1..];
    if !system.get(..3)?.eq_ignore_ascii_case(b"OS.") {
        return None;
    }
    let word = kind
        .iter()
        .position(|byte| matches!(byte, b':' | b' ' | b';'))
        .unwrap_or(kind.len());
    let known = kind[..word].eq_ignore_ascii_case(b"slink")
        || kind[..word].eq_ignore_ascii_case(b"symlink");
    known.then(|| kind[word..].strip_prefix(b":").unwrap_or_default())
}

/// The first `;` behind which a blank or another fact stands.
fn target_end(value: &[u8]) -> Option<usize> {
    (0..value.len()).filter(|at| value[*at] == b';').find(|at| {
        let after = &value[at + 1..];
        let word = after
            .iter()
            .take(32)
            .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
            .count();
        after.first() == Some(&b' ') || (word > 0 && after.get(word) == Some(&b'='))
    })
}

/// Permission bits in octal; the bits of the file's type, which some servers leave in, are dropped.
pub(super) fn octal(digits: &[u8]) -> Option<u32> {
    let plain = !digits.is_empty()
        && digits.len() <= 8
        && digits.iter().all(|byte| (b'0'..=b'7').contains(byte));
    plain.then(|| {
        digits
            .iter()
            .fold(0, |sum, digit| sum * 8 + u32::from(digit - b'0'))
            & 0o7777
    })
}
