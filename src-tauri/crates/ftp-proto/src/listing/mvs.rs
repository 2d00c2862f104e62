//! z/OS and MVS: data sets, members of partitioned data sets, and jobs.

use super::{
    Entry, Kind, Line, Modified,
    date::Date,
    dialect::{Context, Heading},
    lossy,
    numeric::{Order, numeric_date},
    scan::{Fields, is_number, short, to_u64},
};
use crate::{
    Precision,
    time::{Clock, utc},
};

/// Reads a data set: volume, unit, the date of the last use, extents, tracks, the record format and lengths, the
/// organization, and the name.
pub(super) fn data_set(line: &[u8], context: &Context) -> Option<Line> {
    let fields = Fields::new(line, 0);
    let count = fields.len();
    if count < 2 {
        return None;
    }
    let name = fields.get(count - 1);
    if !is_data_set_name(name) {
        return None;
    }
    let words = |text: &str| {
        let words = fields.span(0, count - 2);
        let mut parts = text.split(' ');
        let mut at = words.split(|byte| *byte == b' ').filter(|w| !w.is_empty());
        parts.all(|part| at.any(|word| word.eq_ignore_ascii_case(part.as_bytes())))
    };
    let kind = if count >= 5 && is_organization(fields.get(count - 2)) {
        return described(line, &fields, context);
    } else if fields.get(0) == b"Pseudo" && count == 3 && words("Pseudo Directory") {
        Kind::Dir
    } else if fields.get(count - 2) == b"GDG" {
        // The base of its generations.
        Kind::Dir
    } else if matches!(
        fields.get(count - 2),
        b"VSAM" | b"Tape" | b"TAPE" | b"PATH" | b"ALIAS"
    ) || (count == 2 && fields.get(0).eq_ignore_ascii_case(b"migrated"))
        || (matches!(fields.get(0), b"MIGRAT" | b"ARCIVE" | b"ARCIVT") && count <= 9)
        || words("Not Direct Access Device")
        || words("Error determining attributes")
        || words("User catalog connector")
        || words("Not Mounted")
        || fields.get(count - 2).eq_ignore_ascii_case(b"non-vsam")
    {
        Kind::File
    } else {
        return None;
    };
    let mut entry = Entry::new(name, kind);
    entry.raw = line.to_vec();
    Some(Line::Entry(entry))
}

/// Letters, digits and the national ones, in qualifiers; in apostrophes where it is absolute.
fn is_data_set_name(name: &[u8]) -> bool {
    let bare = match name {
        [b'\'', inner @ .., b'\''] => inner,
        _ => name,
    };
    (1..=56).contains(&bare.len())
        && bare.iter().all(|byte| {
            byte.is_ascii_uppercase()
                || byte.is_ascii_digit()
                || matches!(byte, b'$' | b'#' | b'@' | b'.' | b'-' | b'(' | b')' | b'_')
                || *byte >= 128
        })
}

/// How a data set is organized.
fn is_organization(word: &[u8]) -> bool {
    matches!(
        word,
        b"PS"
            | b"PO"
            | b"DA"
            | b"VS"
            | b"IS"
            | b"PO-E"
            | b"PS-E"
            | b"PS-L"
            | b"PSU"
            | b"POU"
            | b"DAU"
            | b"ISU"
            | b"HFS"
            | b"ZFS"
            | b"PATH"
            | b"VSAM"
            | b"VR"
            | b"AM"
            | b"**"
            | b"U"
    )
}

fn described(line: &[u8], fields: &Fields<'_>, context: &Context) -> Option<Line> {
    let count = fields.len();
    let order = context.order;
    let never = |word: &[u8]| word == b"**NONE**" || word == b"*NONE*";
    // Volume and unit, of which the latter may be missing.
    let date_at = (1..count.min(4)).find(|at| {
        let word = fields.get(*at);
        never(word) || (word.len() >= 8 && numeric_date(word, order, Order::Mdy).is_some())
    })?;
    let organization = fields.get(count - 2);
    let kind = match organization {
        b"PO" | b"PO-E" | b"POU" => Kind::Dir,
        _ => Kind::File,
    };
    let mut entry = Entry::new(fields.get(count - 1), kind);
    entry.modified =
        numeric_date(fields.get(date_at), order, Order::Mdy).and_then(|(year, month, day)| {
            Some(Modified {
                timestamp: utc(year, month, day, Clock::default())?,
                precision: Precision::Day,
                zone_known: false,
            })
        });
    entry.raw = line.to_vec();
    Some(Line::Entry(entry))
}

/// Reads a member of a partitioned data set: with the statistics that ISPF keeps, with the facts of a load module, or, under
/// the heading of either, a name alone.
pub(super) fn member(line: &[u8], context: &Context) -> Option<Line> {
    let fields = Fields::new(line, 0);
    let name = fields.get(0);
    if !is_member_name(name) {
        return None;
    }
    let mut entry = Entry::new(name, Kind::File);
    entry.raw = line.to_vec();
    let version = fields.get(1);
    if let [v1, v2, b'.', m1, m2] = version
        && is_number(&[*v1, *v2, *m1, *m2])
    {
        let at = 3;
        let order = context.order;
        numeric_date(fields.get(2), order, Order::Ymd)?;
        let date = numeric_date(fields.get(at), order, Order::Ymd)?;
        // Without a line behind the time nothing is left for it: the sizes follow.
        let changed = Date::with_clock(&fields, at, date)?;
        let sizes = changed.last + 1;
        entry.modified = Some(changed.modified);
        entry.records = to_u64(fields.get(sizes));
        let user = fields.get(sizes + 3);
        entry.owner = (!user.is_empty()).then(|| lossy(user));
        entry.version = short(&[*v1, *v2], 2);
        return Some(Line::Entry(entry));
    }
    let is_hex = |word: &[u8]| word.len() >= 6 && word.iter().all(u8::is_ascii_hexdigit);
    if is_hex(version) && is_hex(fields.get(2)) && fields.len() >= 5 && version.len() <= 8 {
        entry.size = std::str::from_utf8(version)
            .ok()
            .and_then(|digits| u64::from_str_radix(digits, 16).ok());
        return Some(Line::Entry(entry));
    }
    (fields.len() == 1 && context.heading == Heading::Members).then_some(Line::Entry(entry))
}

fn is_member_name(name: &[u8]) -> bool {
    (1..=8).contains(&name.len())
        && !name[0].is_ascii_digit()
        && name.iter().all(|byte| {
            byte.is_ascii_uppercase()
                || byte.is_ascii_digit()
                || matches!(byte, b'$' | b'#' | b'@' | b'{')
        })
}

/// Reads a job in the queues of JES, or one of its spool files.
pub(super) fn job(line: &[u8], context: &Context) -> Option<Line> {
    let fields = Fields::new(line, 0);
    let is_status = |word: &[u8]| {
        matches!(
            word,
            b"INPUT" | b"ACTIVE" | b"OUTPUT" | b"HELD" | b"ARMTERM" | b"PRINT"
        )
    };
    let id = fields.get(1);
    let mut entry = if is_job_id(id) && (is_status(fields.get(2)) || is_status(fields.get(3))) {
        let mut entry = Entry::new(id, Kind::File);
        if !is_status(fields.get(2)) {
            entry.owner = Some(lossy(fields.get(2)));
        }
        entry
    } else if let Heading::Spool(job) = &context.heading
        && let Some(number) = to_u64(fields.get(0)).filter(|_| fields.get(0).len() == 3)
        && fields.len() >= 4
    {
        let mut name = job.clone().unwrap_or_default();
        if !name.is_empty() {
            name.push(b'.');
        }
        name.extend_from_slice(number.to_string().as_bytes());
        let mut entry = Entry::new(name, Kind::File);
        entry.size = to_u64(fields.get(fields.len() - 1));
        entry
    } else {
        return None;
    };
    entry.raw = line.to_vec();
    Some(Line::Entry(entry))
}

/// `JOB00123`, `TSU01234`, `STC00012`, `J0012345`.
pub(super) fn is_job_id(word: &[u8]) -> bool {
    let letters = word.iter().take_while(|b| b.is_ascii_uppercase()).count();
    matches!(
        &word[..letters],
        b"JOB" | b"TSU" | b"STC" | b"J" | b"T" | b"S"
    ) && (4..=7).contains(&(word.len() - letters))
        && is_number(&word[letters..])
}
