//! Listings and addresses as the reference system reads them: items 1, 10, 42, 43, 49 to 53 and 55 of docs/parity.md.
#![allow(clippy::unwrap_used, unused_crate_dependencies)]

use ftp_client::constants::{
    DEFAULT_ACCOUNT, DEFAULT_BLOCK_SIZE, DEFAULT_PORT, END_OF_LINE, HALF_OF_YEAR, TWO_YEARS,
};
use ftp_proto::{
    Precision,
    listing::{Entry, Kind, Line, ListingDecoder, parse_list_line, parse_mlsx, permissions_text},
    parse_epsv, parse_pasv,
};
use jiff::{Timestamp, tz::TimeZone};

fn list(line: &str, now: Timestamp) -> Option<Entry> {
    match parse_list_line(line.as_bytes(), now) {
        Line::Entry(entry) => Some(entry),
        _ => None,
    }
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Item 1.
#[test]
fn constants() {
    assert_eq!(
        (END_OF_LINE, DEFAULT_PORT, DEFAULT_BLOCK_SIZE),
        ("\r\n", 21, 8192)
    );
    assert_eq!(DEFAULT_ACCOUNT, "");
    assert_eq!(HALF_OF_YEAR.as_secs(), 15_778_476);
    assert_eq!(TWO_YEARS.as_secs(), 63_115_200);
}

/// Items 42 and 43.
#[test]
fn addresses_are_found_among_other_words() {
    let odd = b"229 (ha-ha) (|||665|) ((((666() (|fd667s)";
    assert_eq!(parse_epsv(odd).unwrap(), 666);
    let pasv = parse_pasv(b"Entering Passive Mode (192,168,1,0,1,0)").unwrap();
    assert_eq!(pasv.to_string(), "192.168.1.0:256");
}

/// Item 49: what nobody knows is kept, and ends nothing.
#[test]
fn a_line_that_no_parser_knows_is_kept() {
    let now = time("2026-06-15T12:00:00Z");
    let text = b"what a hell?!".to_vec();
    assert_eq!(parse_list_line(&text, now), Line::Unparsed(text.clone()));
    assert_eq!(parse_list_line(b"total 17", now), Line::Skip);
    let mut decoder = ListingDecoder::list(now);
    decoder.feed(b"total 17\r\n-rw-r--r-- 1 a b 5 Jan  1  2020 f\r\nwhat a hell?!\r\n-rw-r--r-- 1 a b 5 Jan  1  2020 g\r\n");
    decoder.finish();
    let lines: Vec<Line> = std::iter::from_fn(|| decoder.next_line()).collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert_eq!(lines[1], Line::Unparsed(text));
}

/// Item 50.
#[test]
fn lines_of_ls() {
    let now = time("2026-06-15T12:00:00Z");
    for (date, moment, precision) in [
        ("Jun 10 09:05", "2026-06-10T09:05:00Z", Precision::Minute),
        ("Jan  1  2001", "2001-01-01T00:00:00Z", Precision::Day),
        ("Feb 29 2020", "2020-02-29T00:00:00Z", Precision::Day),
    ] {
        let entry = list(&format!("-rw-rw-r--  3 me us  6595 {date} a name "), now).unwrap();
        let modified = entry.modified.unwrap();
        assert_eq!(
            (modified.timestamp, modified.precision),
            (time(moment), precision)
        );
        assert_eq!(
            (entry.kind, entry.size, entry.links),
            (Kind::File, Some(6595), Some(3))
        );
        assert_eq!(
            (entry.owner.as_deref(), entry.group.as_deref()),
            (Some("me"), Some("us"))
        );
        assert_eq!(
            (entry.permissions, &*entry.name),
            (Some(0o664), &b"a name "[..])
        );
    }
    for line in [
        "-rw-rw-r--  1 me us  6xx5 Jun 10 09:05 f",
        "-rw-rw-r--  xx me us  6595 Jun 10 09:05 f",
    ] {
        assert!(
            list(line, now).is_none_or(|entry| entry.size != Some(65)),
            "{line}"
        );
    }
    let link = |line: &str| {
        let entry = list(line, now).unwrap();
        assert_eq!(entry.kind, Kind::Link, "{line}");
        (
            String::from_utf8(entry.name).unwrap(),
            String::from_utf8(entry.target.unwrap()).unwrap(),
        )
    };
    let pair = |name: &str, target: &str| (name.to_owned(), target.to_owned());
    assert_eq!(
        link("lrwxrwxrwx  1 me us  6 Jun 10 09:05 a -> b"),
        pair("a", "b")
    );
    assert_eq!(
        link("lrwxrwxrwx  1 me us  6 Jun 10 09:05 a -> b/"),
        pair("a", "b/")
    );
    assert_eq!(
        list("drwxr-xr-x  1 me us  6 Jun 10 09:05 d", now)
            .unwrap()
            .kind,
        Kind::Dir
    );
    // The reference system called what it didn't know "unknown"; either way it is no file and no folder.
    let odd = list("Erw-rw-r--  1 me us  6 Jun 10 09:05 f", now);
    assert!(odd.is_none_or(|entry| entry.kind == Kind::Other));
}

/// Item 51: all of them, with the marks of a missing execute bit, too, which the reference system refused.
#[test]
fn all_modes_there_are() {
    let now = time("2026-06-15T12:00:00Z");
    for mode in 0..=0o7777_u32 {
        let text = permissions_text(mode);
        let entry = list(&format!("-{text} 1 me us 6 Jun 10 09:05 f"), now).unwrap();
        assert_eq!(entry.permissions, Some(mode), "{text}");
    }
    for text in ["rwxrwxrw", "wrxwrxwrx", "rwxrwxrwX"] {
        let entry = list(&format!("-{text} 1 me us 6 Jun 10 09:05 f"), now);
        assert!(
            entry.is_none_or(|entry| entry.permissions.is_none()),
            "{text}"
        );
    }
}

/// Items 1, 10 and 52: the year that isn't written, on both sides of the year's end and of half a year, in English whatever
/// the computer speaks.
#[test]
fn dates_without_a_year() {
    let read = |date: &str, now: &str| {
        let line = format!("-rw-r--r-- 1 me us 6 {date} f");
        list(&line, time(now)).unwrap().modified.unwrap().timestamp
    };
    for now in [
        "2026-06-15T12:00:00Z",
        "2026-01-01T00:30:00Z",
        "2025-12-31T23:30:00Z",
        "2024-02-29T12:00:00Z",
        "2026-03-01T00:00:00Z",
    ] {
        // From a month before half a year ago to a month behind it, and everything around.
        for days in 0..330 {
            let second = time(now).as_second() - days * 86_400;
            let at = Timestamp::from_second(second / 60 * 60).unwrap();
            let date = TimeZone::UTC
                .to_datetime(at)
                .strftime("%b %e %H:%M")
                .to_string();
            assert_eq!(read(&date, now), at, "{days} days before {now}");
        }
    }
    // A server whose clock is ahead.
    assert_eq!(
        read("Jan  1 00:10", "2025-12-31T23:50:00Z"),
        time("2026-01-01T00:10:00Z")
    );
    assert_eq!(
        read("Dec 31 23:50", "2026-01-01T00:10:00Z"),
        time("2025-12-31T23:50:00Z")
    );
    for (now, year) in [
        ("2024-02-29T11:00:00Z", 2024),
        ("2024-03-01T00:00:00Z", 2024),
        ("2024-12-31T00:00:00Z", 2024),
        ("2025-01-01T00:00:00Z", 2024),
        ("2025-08-01T00:00:00Z", 2024),
        ("2024-01-15T00:00:00Z", 2020),
        ("2027-06-01T00:00:00Z", 2024),
        ("2028-02-28T11:00:00Z", 2028),
    ] {
        let moment = time(&format!("{year}-02-29T10:00:00Z"));
        assert_eq!(read("Feb 29 10:00", now), moment, "{now}");
    }
}

/// Item 53.
#[test]
fn a_listing_of_dos_with_everything_around_it() {
    let now = time("2026-06-15T12:00:00Z");
    let dump = " Volume in drive C has no label.\r\n Volume Serial Number is DC37-2E6D\r\n\r\n Directory of C:\\pub\r\n\r\n\
                10/04/2018  11:08 AM    <DIR>          .\r\n10/04/2018  11:08 AM    <DIR>          ..\r\n\
                10/04/2018  11:08 AM    <DIR>          sub folder\r\n06/09/2018  09:20 PM             6,595 a file.txt\r\n\
                06/09/2018  12:00 AM         1,234,567 midnight\r\n06/09/2018  12:00 PM                 0 noon\r\n\
                \x20              3 File(s)      1,241,162 bytes\r\n               3 Dir(s)  4,294,967,296 bytes free\r\n";
    let mut decoder = ListingDecoder::list(now);
    decoder.feed(dump.as_bytes());
    decoder.finish();
    let mut found = Vec::new();
    while let Some(line) = decoder.next_line() {
        if let Line::Entry(entry) = line
            && !matches!(entry.kind, Kind::CurrentDir | Kind::ParentDir)
        {
            let name = String::from_utf8(entry.name).unwrap();
            found.push((
                name,
                entry.kind,
                entry.size,
                entry.modified.unwrap().timestamp,
            ));
        }
    }
    let wanted = [
        ("sub folder", Kind::Dir, None, "2018-10-04T11:08:00Z"),
        ("a file.txt", Kind::File, Some(6595), "2018-06-09T21:20:00Z"),
        (
            "midnight",
            Kind::File,
            Some(1_234_567),
            "2018-06-09T00:00:00Z",
        ),
        ("noon", Kind::File, Some(0), "2018-06-09T12:00:00Z"),
    ];
    let wanted = wanted.map(|(name, kind, size, at)| (name.to_owned(), kind, size, time(at)));
    assert_eq!(found, wanted);
    for line in [
        "10/04/2018  11:08 AM  65x5 f",
        "10/04/2018  11:08 AM    <DIR> .",
    ] {
        let entry = list(line, now);
        assert!(
            entry.is_none_or(|entry| entry.kind == Kind::CurrentDir),
            "{line}"
        );
    }
}

/// Item 55: names keep their blanks, and keys may have any case.
#[test]
fn lines_of_mlsx() {
    for (line, name) in [
        ("Type=file;SIZE=5;modify=20260101000000; a ", "a "),
        ("type=file;size=5;modify=20260101000000;  a", " a"),
        ("type=file;size=5;modify=20260101000000 a;b", "a;b"),
    ] {
        let entry = parse_mlsx(line.as_bytes()).unwrap();
        assert_eq!(entry.name, name.as_bytes(), "{line}");
        assert_eq!((entry.kind, entry.size), (Kind::File, Some(5)), "{line}");
        assert_eq!(
            entry.modified.unwrap().timestamp,
            time("2026-01-01T00:00:00Z")
        );
    }
}
