//! Lines that are no entries: sums and headings.

use super::{
    dialect::{Dialect, Heading},
    months::is_total_word,
    scan::{Fields, is_number, trim},
};

/// True for a line that only sums up, or says where the listing is from: nothing of it is lost without it.
pub(super) fn is_noise(line: &[u8]) -> bool {
    let line = trim(line);
    if line.is_empty() || is_rule(line) {
        return true;
    }
    let fields = Fields::new(line, 0);
    is_total(&fields) || is_vms(line, &fields) || is_dos(line, &fields) || is_spool_count(&fields)
}

/// `total 12` and its translations.
fn is_total(fields: &Fields<'_>) -> bool {
    let digit = |at: usize| fields.get(at).first().is_some_and(u8::is_ascii_digit);
    let word = fields.get(0);
    let word = word.strip_suffix(b":").unwrap_or(word);
    match fields.len() {
        2 => digit(1) && is_total_word(word),
        // Danish.
        3 => digit(2) && fields.get(0) == b"i" && fields.get(1) == b"alt",
        _ => false,
    }
}

/// `Directory DISK:[A.B]`, `Total of 3 files, 12 blocks.`
fn is_vms(line: &[u8], fields: &Fields<'_>) -> bool {
    let third_is_number = is_number(fields.get(2).strip_suffix(b",").unwrap_or(fields.get(2)));
    match (fields.get(0), fields.get(1)) {
        (b"Directory", _) => fields.len() == 2 && line.contains(&b'[') && line.ends_with(b"]"),
        (b"Total", b"of") => third_is_number && fields.get(3).starts_with(b"file"),
        (b"Grand", b"total") => fields.get(2) == b"of" && line.contains(&b','),
        _ => false,
    }
}

/// What `dir` writes above and below its entries.
fn is_dos(line: &[u8], fields: &Fields<'_>) -> bool {
    let number = |word: &[u8]| {
        word.first().is_some_and(u8::is_ascii_digit)
            && word
                .iter()
                .all(|byte| byte.is_ascii_digit() || matches!(byte, b',' | b'.' | b'\'' | 128..))
    };
    let (first, second, third) = (fields.get(0), fields.get(1), fields.get(2));
    let drive = |word: &[u8]| {
        matches!(word, [a, b':', ..] if a.is_ascii_alphabetic()) || word.starts_with(b"\\\\")
    };
    match (first, second) {
        (b"Volume", b"in") => third == b"drive",
        (b"Volume", b"Serial") => third == b"Number",
        (b"Directory", b"of") => drive(third),
        (b"Total", b"Files") => third == b"Listed:" && fields.len() == 3,
        _ => {
            number(first)
                && matches!(
                    second,
                    b"File(s)"
                        | b"Dir(s)"
                        | b"Datei(en)"
                        | b"Verzeichnis(se),"
                        | b"fichier(s)"
                        | b"R\xe9p(s)"
                )
                && number(third)
                && line.iter().filter(|byte| **byte == b' ').count() >= 2
        }
    }
}

/// `5 spool files` below those of a job.
fn is_spool_count(fields: &Fields<'_>) -> bool {
    fields.len() == 3
        && is_number(fields.get(0))
        && fields.get(1).eq_ignore_ascii_case(b"spool")
        && fields.get(2).eq_ignore_ascii_case(b"files")
}

/// A line drawn under a heading.
fn is_rule(line: &[u8]) -> bool {
    line.len() >= 8
        && line
            .iter()
            .all(|byte| matches!(byte, b'-' | b'=' | b' ' | b'\t'))
        && line.windows(2).any(|pair| pair == b"--" || pair == b"==")
}

/// The heading of a table, and whose it is.
pub(super) fn heading(line: &[u8]) -> Option<(Dialect, Heading)> {
    // Nearly no line gets further.
    if !matches!(
        line.iter().find(|byte| !matches!(byte, b' ' | b'\t'))?,
        b'V' | b'N' | b'J' | b'I' | b'F' | b's' | b'S' | b'O' | b'D' | b'L' | b'A'
    ) {
        return None;
    }
    let fields = Fields::new(line, 0);
    let count = fields.len();
    Some(match (fields.get(0), fields.get(1), fields.get(2)) {
        (b"Volume", b"Unit", _) if count >= 5 => (Dialect::Mvs, Heading::Other),
        (b"Name", b"VV.MM", _) | (b"Name", b"Size", b"TTR") => (Dialect::Member, Heading::Members),
        (b"JOBNAME", b"JOBID", _) => (Dialect::Jes, Heading::Other),
        (b"ID", b"STEPNAME", _) => (Dialect::Jes, Heading::Spool(None)),
        (b"File", b"Code", b"EOF") => (Dialect::NonStop, Heading::Other),
        (b"size", b"date", b"time") => (Dialect::VxWorks, Heading::Other),
        (b"Owner", b"Last", b"modified") => (Dialect::Os9, Heading::Other),
        (b"Files:", number, _) if is_number(number) => (Dialect::Vos, Heading::Other),
        (b"Dirs:", number, _) if is_number(number) => (Dialect::Vos, Heading::VosDirs),
        (b"Links:", number, _) if is_number(number) => (Dialect::Vos, Heading::VosLinks),
        (b"FILENAME", b"CODE", _) | (b"SIZE", b"TYP", b"EOF") => (Dialect::Mpe, Heading::Other),
        (b"ACCOUNT=", _, b"GROUP=") => (Dialect::Mpe, Heading::Other),
        _ => return None,
    })
}
