//! The lines of `tests/fixtures/listings`, whose README says how they are written.

use std::{fs, path::PathBuf};

use super::*;

/// What must come out of a line, or of two.
#[derive(Debug)]
struct Case {
    file: String,
    number: usize,
    now: Timestamp,
    expected: Expected,
    lines: Vec<Vec<u8>>,
}

#[derive(Debug)]
enum Expected {
    Skip,
    Raw,
    Entry(Vec<(&'static str, String)>),
}

fn cases(folder: &str) -> Vec<Case> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../../tests/fixtures/listings")
        .join(folder);
    let mut files: Vec<PathBuf> = fs::read_dir(&root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    files.sort();
    files.iter().flat_map(read).collect()
}

fn read(path: &PathBuf) -> Vec<Case> {
    let file = path.file_name().unwrap().to_str().unwrap().to_owned();
    let mut now = super::now();
    let mut cases: Vec<Case> = Vec::new();
    for (number, line) in fs::read_to_string(path).unwrap().lines().enumerate() {
        if let Some(raw) = line.strip_prefix("> ") {
            let case = cases.last_mut().unwrap();
            case.lines.push(unescape(raw));
            continue;
        }
        if let Some(time) = line.strip_prefix("now ") {
            now = at(time.trim());
        }
        if line.is_empty() || line.starts_with('#') || line.starts_with("now ") {
            continue;
        }
        cases.push(Case {
            file: file.clone(),
            number: number + 1,
            now,
            expected: expected(line),
            lines: Vec::new(),
        });
    }
    for case in &cases {
        assert!(!case.lines.is_empty(), "{file}:{}", case.number);
    }
    cases
}

fn expected(line: &str) -> Expected {
    const COLUMNS: [&str; 7] = [
        "name",
        "type",
        "size",
        "time",
        "permissions",
        "owner",
        "group",
    ];
    match line.trim() {
        "skip" => return Expected::Skip,
        "raw" => return Expected::Raw,
        _ => {}
    }
    let columns: Vec<&str> = line
        .split('|')
        .map(|column| column.trim_matches(' '))
        .collect();
    assert!(columns.len() >= 4, "{line}");
    let mut facts: Vec<(&'static str, String)> = COLUMNS
        .into_iter()
        .zip(columns.iter().map(|column| (*column).to_owned()))
        .collect();
    for further in columns.get(7).into_iter().flat_map(|text| text.split("; ")) {
        let (name, value) = further.split_once('=').unwrap();
        let known = ["target", "links", "version", "records"];
        let name = known.into_iter().find(|known| *known == name).unwrap();
        facts.push((name, value.to_owned()));
    }
    Expected::Entry(facts)
}

fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = after;
        if *byte != b'\\' {
            out.push(*byte);
            continue;
        }
        match rest {
            [b'x', hex @ ..] => {
                let digits = std::str::from_utf8(&hex[..2]).unwrap();
                out.push(u8::from_str_radix(digits, 16).unwrap());
                rest = &hex[2..];
            }
            [b't', after @ ..] => {
                out.push(b'\t');
                rest = after;
            }
            [b'\\', after @ ..] => {
                out.push(b'\\');
                rest = after;
            }
            _ => panic!("{text}"),
        }
    }
    out
}

/// What is wrong, if anything.
fn differs(case: &Case, line: Option<&Line>) -> Option<String> {
    let entry = match (&case.expected, line) {
        (Expected::Skip, None | Some(Line::Skip)) | (Expected::Raw, Some(Line::Unparsed(_))) => {
            return None;
        }
        (Expected::Entry(facts), Some(Line::Entry(entry))) => (facts, entry),
        (_, line) => return Some(format!("is {line:?}")),
    };
    let (facts, entry) = entry;
    let wrong: Vec<String> = facts
        .iter()
        .filter_map(|(fact, value)| {
            let found = found(fact, entry);
            let value = if *fact == "name" || *fact == "target" {
                unescape(value)
            } else {
                value.replace("\\\\", "\\").into_bytes()
            };
            (found != value).then(|| {
                let text = |bytes: &[u8]| crate::escape(bytes, 200);
                format!("{fact} is {} instead of {}", text(&found), text(&value))
            })
        })
        .collect();
    (!wrong.is_empty()).then(|| wrong.join(", "))
}

fn found(fact: &str, entry: &Entry) -> Vec<u8> {
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned()).into_bytes();
    match fact {
        "name" => entry.name.clone(),
        "target" => entry.target.clone().unwrap_or_else(|| b"-".to_vec()),
        "type" => match entry.kind {
            Kind::File => b"file".to_vec(),
            Kind::Dir => b"dir".to_vec(),
            Kind::Link => b"link".to_vec(),
            Kind::Other => b"other".to_vec(),
            Kind::CurrentDir => b"cdir".to_vec(),
            Kind::ParentDir => b"pdir".to_vec(),
        },
        "size" => or_none(entry.size.map(|size| {
            let mark = if entry.size_rounded { "~" } else { "" };
            format!("{mark}{size}")
        })),
        "time" => or_none(entry.modified.map(|modified| {
            let at = jiff::tz::TimeZone::UTC.to_datetime(modified.timestamp);
            let form = match modified.precision {
                Precision::Day => "%Y-%m-%d",
                Precision::Minute => "%Y-%m-%dT%H:%M",
                Precision::Second => "%Y-%m-%dT%H:%M:%S",
                Precision::Milli => "%Y-%m-%dT%H:%M:%S%.3f",
            };
            let zone = if modified.zone_known { "Z" } else { "" };
            format!("{}{zone}", at.strftime(form))
        })),
        "permissions" => or_none(entry.permissions.map(|bits| format!("{bits:o}"))),
        "owner" => or_none(entry.owner.as_deref().map(str::to_owned)),
        "group" => or_none(entry.group.as_deref().map(str::to_owned)),
        "links" => or_none(entry.links.map(|links| links.to_string())),
        "version" => or_none(entry.version.map(|version| version.to_string())),
        _ => or_none(entry.records.map(|records| records.to_string())),
    }
}

fn decoded(now: Timestamp, lines: &[&[u8]], end: &[u8], piece: usize) -> Vec<Line> {
    let mut listing = Vec::new();
    for line in lines {
        listing.extend_from_slice(line);
        listing.extend_from_slice(end);
    }
    let mut decoder = ListingDecoder::list(now);
    let mut out = Vec::new();
    for part in listing.chunks(piece) {
        decoder.feed(part);
        out.extend(std::iter::from_fn(|| decoder.next_line()));
    }
    decoder.finish();
    out.extend(std::iter::from_fn(|| decoder.next_line()));
    out
}

fn report(wrong: &[String], of: usize) {
    assert!(
        wrong.is_empty(),
        "{} of {of} are wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

fn place(case: &Case) -> String {
    let lines: Vec<String> = case
        .lines
        .iter()
        .map(|line| crate::escape(line, 200))
        .collect();
    format!("{}:{} {}", case.file, case.number, lines.join(" / "))
}

#[test]
fn every_line_alone() {
    let cases = cases("");
    assert!(cases.len() >= 350, "{}", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        let line = parse_list_line(&case.lines[0], case.now);
        if let Some(how) = differs(case, Some(&line)) {
            wrong.push(format!("{}: {how}", place(case)));
        }
        // A listing of one line says the same, as long as it is no name alone.
        let alone = decoded(case.now, &[&case.lines[0]], b"\r\n", 1000);
        assert!(alone.len() <= 1, "{}", place(case));
        if let Some(how) = differs(case, alone.first()) {
            wrong.push(format!("{} as a listing: {how}", place(case)));
        }
    }
    report(&wrong, cases.len());
}

/// All lines of a file as one listing, with every line end and in pieces of any size.
fn whole(cases: &[Case]) -> Vec<String> {
    let mut wrong = Vec::new();
    for cases in cases.chunk_by(|a, b| a.file == b.file && a.now == b.now) {
        let lines: Vec<&[u8]> = cases
            .iter()
            .flat_map(|case| case.lines.iter().map(Vec::as_slice))
            .collect();
        let whole = decoded(cases[0].now, &lines, b"\r\n", usize::MAX);
        for (end, piece) in [
            (&b"\n"[..], 7),
            (b"\r", 1),
            (b"\r\0", 100),
            (b"\r\n\r\n", 1000),
        ] {
            let other = decoded(cases[0].now, &lines, end, piece);
            assert_eq!(other, whole, "{} {end:?}", cases[0].file);
        }
        let mut read = whole.iter();
        for case in cases {
            let line = match case.expected {
                Expected::Skip => None,
                _ => read.next(),
            };
            if let Some(how) = differs(case, line) {
                wrong.push(format!("{}: {how}", place(case)));
            }
        }
        if let Some(line) = read.next() {
            wrong.push(format!("{}: too much: {line:?}", cases[0].file));
        }
    }
    wrong
}

#[test]
fn every_file_as_one_listing() {
    let cases = cases("");
    report(&whole(&cases), cases.len());
}

#[test]
fn listings_whose_lines_explain_each_other() {
    let cases = cases("whole");
    report(&whole(&cases), cases.len());
}

/// The same listings from a mainframe: in EBCDIC, with its line ends.
#[test]
fn listings_in_ebcdic() {
    let mut files = 0;
    for cases in cases("").chunk_by(|a, b| a.file == b.file && a.now == b.now) {
        let lines: Vec<&[u8]> = cases.iter().map(|case| case.lines[0].as_slice()).collect();
        if !["mvs.txt", "zvm.txt", "unix.txt"].contains(&cases[0].file.as_str()) {
            continue;
        }
        let lines: Vec<&[u8]> = lines.into_iter().filter(|line| line.is_ascii()).collect();
        let plain = decoded(cases[0].now, &lines, b"\n", usize::MAX);
        for (end, piece) in [(&b"\x15"[..], usize::MAX), (b"\r\x25", 1), (b"\x25", 50)] {
            let coded: Vec<Vec<u8>> = lines.iter().map(|line| ebcdic(line)).collect();
            let coded: Vec<&[u8]> = coded.iter().map(Vec::as_slice).collect();
            let read = decoded(cases[0].now, &coded, end, piece);
            assert_eq!(read, plain, "{} {end:?}", cases[0].file);
        }
        files += 1;
    }
    assert!(files >= 3);
}

/// ASCII in code page 1047, by turning the decoder's table round.
fn ebcdic(text: &[u8]) -> Vec<u8> {
    let codes: Vec<(Vec<u8>, u8)> = (0..=255)
        .map(|code| {
            let mut out = Vec::new();
            super::super::ebcdic::decode(&[code], &mut out);
            (out, code)
        })
        .collect();
    text.iter()
        .map(|byte| {
            let same = |(out, _): &&(Vec<u8>, u8)| out.as_slice() == [*byte];
            codes.iter().find(same).unwrap().1
        })
        .collect()
}
