//! HP NonStop (Tandem) Guardian.

use super::{
    Entry, Kind, Line, lossy,
    numeric::dashed_month,
    scan::{Fields, clock, is_number, local_time, to_u64},
};

/// Reads the file's name, its code, the size (EOF), the date, the time, the owner (group and user by number), and who may read,
/// write, execute and purge it.
pub(super) fn parse(line: &[u8]) -> Option<Line> {
    let fields = Fields::new(line, 0);
    let name = fields.get(0);
    let code = fields.get(1);
    let code = code.strip_suffix(b"+").unwrap_or(code);
    let fits = (1..=8).contains(&name.len())
        && name
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'$' || *byte == b'#');
    if !fits || !is_number(code) {
        return None;
    }
    // A letter says that somebody has it open.
    let size_at = if matches!(
        fields.get(2),
        b"O" | b"C" | b"?" | b"+" | b"L" | b"OL" | b"-"
    ) {
        3
    } else {
        2
    };
    let size = fields.get(size_at);
    let (year, month, day) = dashed_month(fields.get(size_at + 1))?;
    let Some((clock, parts, b"")) = clock(fields.get(size_at + 2)) else {
        return None;
    };
    if !is_number(size) {
        return None;
    }
    let mut entry = Entry::new(name, Kind::File);
    entry.size = to_u64(size);
    entry.modified = Some(local_time((year, month, day), clock, parts)?);
    let owner = fields.get(size_at + 3);
    if let Some(comma) = owner.iter().position(|byte| *byte == b',') {
        let user = match &owner[comma + 1..] {
            b"" => fields.get(size_at + 4),
            user => user,
        };
        if is_number(&owner[..comma]) && is_number(user) {
            entry.group = Some(lossy(&owner[..comma]));
            entry.owner = Some(lossy(user));
        }
    }
    entry.raw = line.to_vec();
    Some(Line::Entry(entry))
}
