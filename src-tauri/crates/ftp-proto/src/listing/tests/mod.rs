mod any;
mod corpus;
mod dos;
mod facts;
mod unix;
mod whole;
mod written;

use super::*;
use crate::parse_time;

/// A day in the middle of a leap year.
fn now() -> Timestamp {
    at("2024-07-15T12:00:00Z")
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn list(line: &str) -> Entry {
    match parse_list_line(line.as_bytes(), now()) {
        Line::Entry(entry) => {
            assert_eq!(entry.raw, line.as_bytes());
            entry
        }
        other => panic!("{line:?} is {other:?}"),
    }
}

fn list_bytes(line: &[u8]) -> Entry {
    match parse_list_line(line, now()) {
        Line::Entry(entry) => entry,
        other => panic!("{} is {other:?}", crate::escape(line, 200)),
    }
}

fn name(entry: &Entry) -> &str {
    std::str::from_utf8(&entry.name).unwrap()
}

fn when(entry: &Entry) -> (String, Precision, bool) {
    let modified = entry.modified.unwrap();
    (
        modified.timestamp.to_string(),
        modified.precision,
        modified.zone_known,
    )
}

fn mlsx(line: &str) -> Entry {
    let entry = parse_mlsx(line.as_bytes()).unwrap();
    assert_eq!(entry.raw, line.as_bytes());
    entry
}

#[test]
fn totals_and_blanks_are_skipped_and_rubbish_is_kept() {
    for line in [
        "",
        "   ",
        "total 12",
        "TOTAL 0",
        "insgesamt 1.234",
        "total 12K",
        "total: 3",
    ] {
        assert_eq!(
            parse_list_line(line.as_bytes(), now()),
            Line::Skip,
            "{line:?}"
        );
    }
    for line in [
        "total",
        "total 12 x",
        "ls: no such file",
        "name",
        "total x",
        "\u{0}",
        "-",
        "d",
        "1",
        "1 ",
        "1 2 3",
    ] {
        assert_eq!(
            parse_list_line(line.as_bytes(), now()),
            Line::Unparsed(line.into()),
            "{line:?}"
        );
    }
}
