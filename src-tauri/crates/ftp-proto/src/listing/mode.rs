//! The mode in front of a line of `ls -l`, and what stands in its place elsewhere.

use super::{Kind, scan::is_blank};

/// Where the mode begins: at the start, or behind the number of the inode or of the blocks.
pub(super) fn mode_start(line: &[u8]) -> Option<usize> {
    let mut at = line.iter().position(|byte| !is_blank(*byte))?;
    for _ in 0..2 {
        let number = line[at..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if number == 0 {
            break;
        }
        // Blocks of `ls -sh`.
        let word = line[at + number..]
            .iter()
            .take_while(|byte| matches!(byte, b'.' | b',' | b'0'..=b'9' | b'K' | b'M' | b'G'))
            .count();
        let number = number + word;
        let blanks = line[at + number..]
            .iter()
            .take_while(|byte| is_blank(**byte))
            .count();
        if blanks == 0 {
            return None;
        }
        at += number + blanks;
    }
    (at < line.len()).then_some(at)
}

/// The first word of a line: what it is, and who may do what.
pub(super) struct Mode {
    pub(super) kind: Kind,
    /// The permission bits, where they are some.
    pub(super) bits: Option<u32>,
    pub(super) style: Style,
}

/// Who writes such a mode.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Ls,
    /// `[RWCEAFMS]`: the rights of NetWare.
    Rights,
    /// `-C--E-----`: the flags of a batch in a mailbox of Connect:Enterprise.
    Mailbox,
}

/// The letters of `drwxr-xr-x`.
const MODE: usize = 10;

impl Mode {
    /// Reads `drwxr-xr-x`, with the mark of an access list behind it, and gives its length.
    pub(super) fn parse(text: &[u8]) -> Option<(Self, usize)> {
        let kind = match *text.first()? {
            b'-' | b'C' | b'M' => Kind::File,
            b'd' => Kind::Dir,
            b'l' => Kind::Link,
            b'b' | b'c' | b'p' | b's' | b'D' | b'P' | b'n' | b'w' | b'?' => Kind::Other,
            _ => return None,
        };
        Self::letters(kind, text).or_else(|| Self::odd(kind, text))
    }

    fn letters(kind: Kind, text: &[u8]) -> Option<(Self, usize)> {
        let (head, rest) = text.split_at_checked(MODE)?;
        let letters = &head[1..];
        if !letters.iter().all(|byte| b"rwxsStTlL-?".contains(byte)) {
            return None;
        }
        let length = match rest.first() {
            None => return None,
            Some(b'+' | b'.' | b'@') => MODE + 1,
            // A wide number of links may follow at once.
            Some(byte) if is_blank(*byte) || byte.is_ascii_digit() => MODE,
            Some(_) => return None,
        };
        let mode = Self {
            kind,
            bits: permission_bits(letters),
            style: Style::Ls,
        };
        Some((mode, length))
    }

    /// What is not the mode of a Unix, but stands in its place.
    fn odd(kind: Kind, text: &[u8]) -> Option<(Self, usize)> {
        let mode = |kind, style, length| {
            let bits = None;
            Some((Self { kind, bits, style }, length))
        };
        let rest = &text[1..];
        let blanks = rest.iter().take_while(|byte| is_blank(**byte)).count();
        if let [b'[', rights @ ..] = &rest[blanks..] {
            let end = rights.iter().position(|byte| *byte == b']')?;
            let known = rights[..end]
                .iter()
                .all(|byte| byte.is_ascii_uppercase() || matches!(byte, b'-' | b' '));
            let known = known && (1..=12).contains(&end);
            return known.then(|| mode(kind, Style::Rights, 1 + blanks + 1 + end + 1))?;
        }
        if blanks > 0 {
            // The type alone.
            return matches!(kind, Kind::File | Kind::Dir | Kind::Link)
                .then(|| mode(kind, Style::Ls, 1))?;
        }
        if kind != Kind::File || text[0] != b'-' {
            return None;
        }
        let run = text.iter().position(|byte| is_blank(*byte))?;
        let word = &text[..run];
        if matches!(run, 9 | 10) && word.iter().all(|byte| b"drwx-".contains(byte)) {
            // Sterling's servers lose a letter, and have the type in the second place.
            let kind = if word[1] == b'd' { Kind::Dir } else { kind };
            return mode(kind, Style::Ls, run);
        }
        let flags = word
            .iter()
            .take(MODE)
            .all(|byte| byte.is_ascii_uppercase() || *byte == b'-');
        // The protocol follows at once.
        let named = word.iter().skip(MODE).all(u8::is_ascii_alphanumeric);
        (flags && named && (MODE..=MODE + 4).contains(&run))
            .then(|| mode(kind, Style::Mailbox, MODE))?
    }
}

/// The bits of nine letters; `None` where one stands in the wrong place.
fn permission_bits(letters: &[u8]) -> Option<u32> {
    let (mut bits, mut specials) = (0, 0);
    for (triple, special) in letters.chunks_exact(3).zip([0o4000, 0o2000, 0o1000]) {
        bits <<= 3;
        match triple[0] {
            b'r' => bits |= 4,
            b'-' => {}
            _ => return None,
        }
        match triple[1] {
            b'w' => bits |= 2,
            b'-' => {}
            _ => return None,
        }
        let last = match (triple[2], special) {
            (b'-', _) => 0,
            (b'x', _) => 1,
            (b's', 0o4000 | 0o2000) | (b't', 0o1000) => special | 1,
            // l and L: mandatory locking, on systems that have it.
            (b'S' | b'l' | b'L', 0o4000 | 0o2000) | (b'T', 0o1000) => special,
            _ => return None,
        };
        bits |= last & 1;
        specials |= last & 0o7000;
    }
    Some(bits | specials)
}
