//! `ls -l`, and what has its shape: NetWare, NetPresenz, Connect:Enterprise, and servers that pose as Unix.

use super::{
    Entry, Kind, Line,
    date::{Date, Now},
    dialect::Context,
    kind_by_name, lossy,
    mode::{Mode, Style, mode_start},
    scan::{Fields, grouped, is_blank, is_number, rounded, short, to_u64, trim},
};

/// Reads a line of `ls -l`: the mode, links, owner, group, size, date and name, of which links, owner and group may
/// be missing. Exactly one blank stands between the date and the name; more belong to the name.
pub(super) fn parse(line: &[u8], context: &Context) -> Option<Line> {
    let start = mode_start(line)?;
    let (mode, after_mode) = Mode::parse(&line[start..])?;
    let fields = Fields::new(line, start + after_mode);
    let (size, date_at, date) = find_date(&fields, mode.kind, context.now)?;
    let rest = fields.after(date.last);
    let mut name = rest
        .get(1..)
        .filter(|name| is_blank(rest[0]) && !name.is_empty())?;
    if mode.style == Style::Rights {
        // These fill up their date column.
        name = trim(name);
        if name.is_empty() {
            return None;
        }
    }
    let (name, target) = match mode.kind {
        Kind::Link => split_target(name, size.bytes),
        _ => (name, None),
    };
    let name = unmarked(name, &mode);
    let mut entry = Entry::new(name, kind_by_name(mode.kind, name));
    entry.size = size.bytes;
    entry.size_rounded = size.rounded;
    entry.modified = Some(date.modified);
    entry.permissions = mode.bits;
    entry.target = target.map(<[u8]>::to_vec);
    entry.raw = line.to_vec();
    match mode.style {
        // Protocol, mode, owner, number of the batch, size.
        Style::Mailbox => {
            entry.owner = (date_at >= 4).then(|| lossy(fields.get(date_at - 3)));
        }
        _ => people(&mut entry, &fields, date_at - size.fields, &size),
    }
    Some(Line::Entry(entry))
}

struct Size<'a> {
    bytes: Option<u64>,
    rounded: bool,
    /// How many fields it takes.
    fields: usize,
    /// The group, where the size is written right behind it.
    glued: Option<&'a [u8]>,
}

/// The size, the field where the date begins, and the date.
fn find_date<'a>(fields: &Fields<'a>, kind: Kind, now: Now) -> Option<(Size<'a>, usize, Date)> {
    let with_size = |at: usize| {
        let size = size_before(fields, at, kind)?;
        Some((size, at, Date::parse(fields, at, now)?))
    };
    // Nearly always: links, owner, group and size, or fewer, and an English month.
    for at in 1..fields.len().min(6) {
        if let [a, b'a'..=b'z', b'a'..=b'z'] = fields.get(at)
            && a.is_ascii_uppercase()
            && let Some(found) = with_size(at)
        {
            return Some(found);
        }
    }
    if let Some(found) = (1..fields.len()).find_map(with_size) {
        return Some(found);
    }
    let epoch = |at: usize| {
        let size = size_before(fields, at, kind)?;
        Some((size, at, Date::epoch(fields, at)?))
    };
    if let Some(found) = (1..fields.len()).find_map(epoch) {
        return Some(found);
    }
    // No size at all.
    let none = Size {
        bytes: None,
        rounded: false,
        fields: 0,
        glued: None,
    };
    let (at, date) =
        (1..fields.len().min(6)).find_map(|at| Some((at, Date::parse(fields, at, now)?)))?;
    Some((none, at, date))
}

/// The size in front of the date at field `at`: a number, `8, 0` of a device, or a rounded number such as `1.5K`.
fn size_before<'a>(fields: &Fields<'a>, at: usize, kind: Kind) -> Option<Size<'a>> {
    let field = fields.get(at.checked_sub(1)?);
    let size = |bytes, fields| {
        Some(Size {
            bytes,
            rounded: false,
            fields,
            glued: None,
        })
    };
    if is_number(field) {
        let major = at.checked_sub(2).map_or(&b""[..], |at| fields.get(at));
        let device = kind == Kind::Other && major.strip_suffix(b",").is_some_and(is_number);
        return if device {
            size(None, 2)
        } else {
            size(to_u64(field), 1)
        };
    }
    if !field.first()?.is_ascii_digit() {
        return match field {
            // The server doesn't know it either.
            b"-" | b"-1" | b"?" => size(None, 1),
            b"B" | b"KB" | b"MB" | b"GB" | b"TB" | b"Bytes" | b"bytes" => apart(fields, at, field),
            _ => glued(field, at),
        };
    }
    if kind == Kind::Other
        && let Some(comma) = field.iter().position(|byte| *byte == b',')
        && is_number(&field[..comma])
        && is_number(&field[comma + 1..])
    {
        return size(None, 1);
    }
    if let Some(bytes) = grouped(field) {
        return size(bytes, 1);
    }
    if let Some(bytes) = rounded(field) {
        let rounded = bytes.is_some();
        return Some(Size {
            rounded,
            ..size(bytes, 1)?
        });
    }
    glued(field, at)
}

/// A number and its unit as two words.
fn apart<'a>(fields: &Fields<'a>, at: usize, unit: &[u8]) -> Option<Size<'a>> {
    let number = fields.get(at.checked_sub(2)?);
    let exact = matches!(unit[0], b'B' | b'b');
    let bytes = if exact {
        grouped(number)?
    } else {
        rounded(&[number, unit].concat())?
    };
    Some(Size {
        bytes,
        rounded: !exact && bytes.is_some(),
        fields: 2,
        glued: None,
    })
}

/// A column that was too narrow: the group's name and the size as one word.
fn glued(field: &[u8], at: usize) -> Option<Size<'_>> {
    let digits = field
        .iter()
        .rev()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let letters = field.len() - digits;
    (at >= 3 && digits >= 4 && letters > 0 && field[..letters].iter().all(u8::is_ascii_alphabetic))
        .then(|| Size {
            bytes: to_u64(&field[letters..]),
            rounded: false,
            fields: 1,
            glued: Some(&field[..letters]),
        })
}

/// The name without the mark of `ls -F`, where the mode says the same as the mark.
fn unmarked<'a>(name: &'a [u8], mode: &Mode) -> &'a [u8] {
    let Some((mark, bare)) = name.split_last() else {
        return name;
    };
    let is_mark = match (mark, mode.kind) {
        // No name has a slash.
        (b'/', Kind::Dir) => true,
        (b'*', Kind::File) => mode.bits.is_some_and(|bits| bits & 0o111 != 0),
        (b'@', Kind::Link) | (b'|' | b'=', Kind::Other) => true,
        _ => false,
    };
    if is_mark && !bare.is_empty() {
        bare
    } else {
        name
    }
}

/// Splits `name -> target`. The arrow may also be part of either; then the size tells, since that of a link is the
/// length of its target.
fn split_target(text: &[u8], size: Option<u64>) -> (&[u8], Option<&[u8]>) {
    const ARROW: &[u8] = b" -> ";
    let arrows = || {
        text.windows(ARROW.len())
            .enumerate()
            .filter(|(at, window)| *window == ARROW && *at > 0)
            .map(|(at, _)| at)
    };
    let fitting = arrows().find(|at| u64::try_from(text.len() - at - ARROW.len()).ok() == size);
    match fitting.or_else(|| arrows().next()) {
        Some(at) => (&text[..at], Some(&text[at + ARROW.len()..])),
        None => (text, None),
    }
}

/// The flags of `ls -lo` on a BSD, between group and size.
fn is_flags(word: &[u8]) -> bool {
    word == b"-"
        || word.split(|byte| *byte == b',').all(|flag| {
            matches!(
                flag,
                b"arch"
                    | b"uarch"
                    | b"nodump"
                    | b"opaque"
                    | b"sappnd"
                    | b"uappnd"
                    | b"schg"
                    | b"uchg"
                    | b"hidden"
                    | b"compressed"
                    | b"restricted"
                    | b"sunlnk"
                    | b"uunlnk"
            )
        })
}

/// Links, owner and group: the fields before `end`.
fn people(entry: &mut Entry, fields: &Fields<'_>, end: usize, size: &Size<'_>) {
    let mut first = 0;
    let links = fields.get(0);
    if end == 2
        && let (Some(resources), Some(data)) = (to_u64(links), to_u64(fields.get(1)))
        && size
            .bytes
            .is_some_and(|sum| resources.checked_add(data) == Some(sum) && data > 0)
        && entry.kind == Kind::File
        && short(links, 9) != Some(0)
    {
        // NetPresenz on a Macintosh: the sizes of both forks, and their sum.
        return;
    }
    if end == 1 && links == b"folder" && entry.kind == Kind::Dir {
        // NetPresenz: what it is, and how many things are in it.
        return;
    }
    // A number alone in front of the size, or with others behind it, counts the links.
    if end > 0 && is_number(links) {
        entry.links = short(links, 9);
        first = 1;
    } else if end >= 3 && links == b"-" {
        // Distributed file systems have none.
        first = 1;
    }
    let mut end = end;
    if end - first >= 3 && is_flags(fields.get(end - 1)) {
        end -= 1;
    }
    let count = end - first;
    let well_known = |at: usize| {
        // Groups of Windows that have a blank in them.
        let word = fields.get(at).rsplit(|byte| *byte == b'\\').next();
        word.is_some_and(|word| word.eq_ignore_ascii_case(b"domain"))
            || matches!(fields.get(at), b"Authenticated" | b"Power")
    };
    let owner_end = match count {
        0 => return,
        _ if size.glued.is_some() => end,
        1 => first + 1,
        3.. if well_known(end - 2) => end - 2,
        // Names with blanks: nobody can say where one ends, but mostly both or only the first have them.
        3 => first + 2,
        count => first + count.div_ceil(2),
    };
    entry.owner = Some(lossy(fields.span(first, owner_end - 1)));
    entry.group = match size.glued {
        Some(group) => Some(lossy(group)),
        None => (owner_end < end).then(|| lossy(fields.span(owner_end, end - 1))),
    };
}
