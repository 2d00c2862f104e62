//! What only whole listings show: which dialect it is, nothing lost, and parsers of one's own.

use proptest::{collection::vec, prelude::*, sample::Index};

use super::*;

fn all(mut decoder: ListingDecoder, listing: &[u8]) -> Vec<Line> {
    decoder.feed(listing);
    decoder.finish();
    std::iter::from_fn(|| decoder.next_line()).collect()
}

fn names(lines: &[Line]) -> Vec<String> {
    let name = |line: &Line| match line {
        Line::Entry(entry) => String::from_utf8_lossy(&entry.name).into_owned(),
        Line::Unparsed(raw) => format!("? {}", String::from_utf8_lossy(raw)),
        Line::Skip => panic!(),
    };
    lines.iter().map(name).collect()
}

#[test]
fn mlsd_may_be_answered_with_lines_of_list() {
    let listing =
        b"total 3\r\n-rw-r--r-- 1 u g 7 Jan  1 10:00 a\r\ndrwxr-xr-x 1 u g 7 Jan  1  2001 b c\r\n";
    let lines = all(ListingDecoder::mlsd_at(now()), listing);
    assert_eq!(names(&lines), ["a", "b c"]);
    let Line::Entry(first) = &lines[0] else {
        panic!()
    };
    assert_eq!(when(first).0, "2024-01-01T10:00:00Z");
    let listing = b"02-09-24  05:05PM       <DIR>          d\r\n02-09-24  05:05PM   7 e\r\n";
    assert_eq!(names(&all(ListingDecoder::mlsd(), listing)), ["d", "e"]);
}

#[test]
fn a_name_without_facts_is_an_entry_of_mlsd_alone() {
    let listing = b" only a name\r\ntype=file; x\r\n  blanks\r\n";
    assert_eq!(
        names(&all(ListingDecoder::mlsd(), listing)),
        ["only a name", "x", " blanks"]
    );
    assert_eq!(
        names(&all(ListingDecoder::mlsd(), b"name\r\n")),
        ["? name"],
        "no blank, no facts"
    );
}

#[test]
fn a_second_current_folder_is_a_folder_in_it() {
    let kinds = |listing: &[u8]| -> Vec<Kind> {
        let kind = |line: Line| match line {
            Line::Entry(entry) => entry.kind,
            other => panic!("{other:?}"),
        };
        let lines = all(ListingDecoder::mlsd(), listing);
        lines.into_iter().map(kind).collect()
    };
    assert_eq!(
        kinds(b"type=cdir; /pub\r\ntype=cdir; incoming\r\ntype=pdir; ..\r\ntype=cdir; .\r\n"),
        [
            Kind::CurrentDir,
            Kind::Dir,
            Kind::ParentDir,
            Kind::CurrentDir
        ]
    );
    assert_eq!(
        kinds(b"type=cdir; .\r\ntype=dir; a\r\n"),
        [Kind::CurrentDir, Kind::Dir]
    );
}

#[test]
fn names_alone_are_names_only_where_nothing_else_is_there() {
    let bare = |listing: &[u8]| names(&all(ListingDecoder::list(now()), listing));
    assert_eq!(bare(b"a\r\nb.txt\r\n"), ["a", "b.txt"]);
    assert_eq!(bare(b"a\r\nb c\r\n"), ["? a", "? b c"]);
    assert_eq!(
        bare(b"oops\r\n-rw-r--r-- 1 u g 7 Jan  1 10:00 n\r\nrest\r\n"),
        ["? oops", "n", "? rest"]
    );
    assert_eq!(bare(b"a\x01b\r\n"), ["? a\x01b"]);
    // What comes late changes what comes later, and loses nothing.
    let mut listing = b"x\r\n".repeat(100);
    listing.extend_from_slice(b"-rw-r--r-- 1 u g 7 Jan  1 10:00 n\r\nx\r\n");
    let lines = bare(&listing);
    assert_eq!(
        (lines.len(), &lines[99][..], &lines[100][..]),
        (102, "x", "n")
    );
    assert_eq!(lines[101], "? x");
}

#[test]
fn no_more_than_some_lines_wait() {
    let mut decoder = ListingDecoder::list(now());
    for _ in 0..64 {
        assert_eq!(decoder.next_line(), None);
        decoder.feed(b"03-02-24  05:05PM                 1 a.txt\r\n");
    }
    assert_eq!(std::iter::from_fn(|| decoder.next_line()).count(), 64);
    decoder.feed(b"03-02-24  05:05PM                 1 a.txt\r\n");
    assert!(decoder.next_line().is_some());
    let mut decoder = ListingDecoder::list(now());
    decoder.feed(&[[b'x'; 1000].as_slice(), b"\r\n"].concat().repeat(33));
    assert_eq!(std::iter::from_fn(|| decoder.next_line()).count(), 33);
}

#[test]
fn a_line_that_can_be_nothing_else_waits_for_nothing() {
    for line in [
        &b"-rw-r--r-- 1 u g 7 Jan  1 10:00 n\r\n"[..],
        b"+r,s1,\tn\r\n",
        b"type=file; n\r\n",
        b"n.txt;1      1/3  29-JAN-1996 03:33:12\r\n",
    ] {
        let mut decoder = ListingDecoder::list(now());
        decoder.feed(line);
        assert!(matches!(decoder.next_line(), Some(Line::Entry(_))));
    }
}

#[test]
fn another_dialect_takes_over() {
    let mut listing = b"-rw-r--r-- 1 u g 7 Jan  1 10:00 u\r\n".to_vec();
    listing.extend(b"+r,s1,\te\r\n".repeat(5));
    listing.extend_from_slice(b"-rw-r--r-- 1 u g 7 Jan  1 10:00 u\r\n");
    let lines = all(ListingDecoder::list(now()), &listing);
    assert_eq!(names(&lines), ["u", "e", "e", "e", "e", "e", "u"]);
}

#[test]
fn zeros_and_marks_of_byte_order() {
    let listing = b"\xef\xbb\xbf-rw-r--r-- 1 u g 7 Jan  1 10:00 a\r\0\0\0-rw-r--r-- 1 u g 7 Jan  1 10:00 b\n\0\0\n";
    assert_eq!(
        names(&all(ListingDecoder::list(now()), listing)),
        ["a", "b"]
    );
}

#[test]
fn a_line_of_ten_thousand_characters() {
    let mut line = b"-rw-r--r-- 1 u g 7 Jan  1 10:00 ".to_vec();
    line.extend([b'x'; 10_000]);
    let lines = all(ListingDecoder::list(now()), &line);
    assert!(matches!(&lines[..], [Line::Entry(entry)] if entry.name.len() == 10_000));
}

/// Hexadecimal sizes behind a bar: nobody has such a thing.
fn own(line: &[u8], _now: Timestamp) -> Option<Line> {
    let bar = line.iter().position(|byte| *byte == b'|')?;
    let mut entry = Entry::new(&line[bar + 1..], Kind::File);
    let digits = std::str::from_utf8(&line[..bar]).ok()?;
    entry.size = Some(u64::from_str_radix(digits, 16).ok()?);
    entry.raw = line.to_vec();
    Some(Line::Entry(entry))
}

#[test]
fn parsers_of_ones_own_come_first_or_last() {
    let listing = b"ff|mine\r\n-rw-r--r-- 1 u g 7 Jan  1 10:00 unix\r\n10|-rw\r\nnobody knows\r\n";
    for parsers in [ListParsers::new().first(own), ListParsers::new().last(own)] {
        let lines = all(
            ListingDecoder::list(now()).with_parsers(parsers.clone()),
            listing,
        );
        assert_eq!(names(&lines), ["mine", "unix", "-rw", "? nobody knows"]);
        let line = parse_list_line_with(b"ff|mine", now(), &parsers);
        assert!(matches!(line, Line::Entry(entry) if entry.size == Some(255)));
    }
    // One that is first may change what is known already, and leave lines out.
    let hide = |line: &[u8], _: Timestamp| line.ends_with(b".bak").then_some(Line::Skip);
    let shout = |line: &[u8], now: Timestamp| match parse_list_line(line, now) {
        Line::Entry(mut entry) => {
            entry.name.make_ascii_uppercase();
            Some(Line::Entry(entry))
        }
        _ => None,
    };
    let parsers = ListParsers::new().first(hide).first(shout);
    assert_eq!(format!("{parsers:?}"), "ListParsers { first: 2, last: 0 }");
    let listing = b"-rw-r--r-- 1 u g 7 Jan  1 10:00 a.bak\r\n-rw-r--r-- 1 u g 7 Jan  1 10:00 b\r\n";
    let lines = all(ListingDecoder::list(now()).with_parsers(parsers), listing);
    assert_eq!(names(&lines), ["B"]);
    let last = ListParsers::new().last(|_: &[u8], _: Timestamp| Some(Line::Skip));
    let lines = all(
        ListingDecoder::list(now()).with_parsers(last),
        b"-rw-r--r-- 1 u g 7 Jan  1 10:00 b\r\nnobody knows\r\n",
    );
    assert_eq!(names(&lines), ["b"]);
}

#[test]
fn times_move_to_the_servers_zone() {
    let entry = list("-rw-r--r-- 1 u g 7 Jan  1 10:00 n");
    let modified = entry.modified.unwrap().in_zone(7200);
    assert_eq!(
        (modified.timestamp, modified.zone_known),
        (at("2024-01-01T08:00:00Z"), true)
    );
    assert_eq!(modified.in_zone(3600), modified, "only once");
    let day = list("-rw-r--r-- 1 u g 7 Jan  1  2001 n").modified.unwrap();
    assert_eq!(day.in_zone(-3600), day);
    let end = Modified {
        timestamp: Timestamp::MIN,
        precision: Precision::Minute,
        zone_known: false,
    };
    assert_eq!(end.in_zone(1), end);
}

/// Lines that stand for themselves: entries or not, never left out.
const LINES: [&[u8]; 24] = [
    b"-rw-r--r-- 1 u g 7 Jan  1 10:00 unix",
    b"drwxr-xr-x 1 u g 7 Jan  1  2001 dir",
    b"d [R----F--] supervisor 512 Jan 16 18:53    login",
    b"02-09-24  05:05PM       <DIR>          d",
    b"19/02/2024  17:05   7 e",
    b"+r,s1,\teplf",
    b"type=file;size=3; fact",
    b"A.TXT;1   1/3   2-JAN-2003 03:04:05  [PUB,FTP]",
    b"WRK001 3390   2003/05/21  1  200  FB      80  8053  PS  MVS.FILE",
    b"PAYROLL1  01.03 2002/09/12 2002/10/11 09:37    11    11     0 USER01",
    b"USER1A    JOB00123  OUTPUT    3 Spool Files",
    b"VERA  12 31/12/04 23:59:59 *STMF      as400",
    b"README   ANONYMOU F  80  3  1  3/03/1999 11:14:28 TESTER",
    b"REPORTS  101  16354 18-Mar-09 15:09:12 244,10 \"nnnn\"",
    b"612      A          07-28-95   16:45  AIRPORT.TXT",
    b"512    OCT-24-1995  10:43:22   boot.ini",
    b"0100644 500 101 12345 1000000000 numeric",
    b"206876  Apr 04, 2000 21:06 shell.txt",
    b"bare.txt",
    b"nobody knows what this is",
    b"\xff\xfe",
    b"ls: x: denied",
    b"a;b",
    b"42",
];

proptest! {
    /// As many lines come out as went in, in the same order.
    #[test]
    fn nothing_is_lost_and_the_order_stays(
        which in vec(any::<Index>(), 0..200),
        mlsd in any::<bool>(),
    ) {
        let lines: Vec<&[u8]> = which.iter().map(|index| LINES[index.index(LINES.len())]).collect();
        let listing: Vec<u8> = lines.iter().flat_map(|line| [*line, b"\r\n"].concat()).collect();
        let decoder = if mlsd { ListingDecoder::mlsd_at(now()) } else { ListingDecoder::list(now()) };
        let read = all(decoder, &listing);
        prop_assert_eq!(read.len(), lines.len());
        for (read, line) in read.iter().zip(lines) {
            match read {
                Line::Entry(entry) => prop_assert_eq!(&entry.raw, line),
                Line::Unparsed(raw) => prop_assert_eq!(raw, line),
                Line::Skip => prop_assert!(false),
            }
        }
    }

    /// Damaged lines of every dialect: no panic, no empty name, and only sums and headings vanish.
    #[test]
    fn no_damage_makes_a_panic_or_loses_a_line(
        which in vec((any::<Index>(), 0..90_usize, vec(any::<u8>(), 0..4), 0..5_usize), 1..20),
    ) {
        let mut listing = Vec::new();
        for (index, cut, put, drop) in which {
            let mut line = LINES[index.index(LINES.len())].to_vec();
            let cut = cut.min(line.len());
            let end = (cut + drop).min(line.len());
            line.splice(cut..end, put);
            listing.extend_from_slice(&line);
            listing.push(b'\n');
        }
        let words = |bytes: &[u8]| bytes
            .split(|byte| matches!(byte, b'\r' | b'\n'))
            .filter(|line| line.iter().any(|byte| !matches!(byte, 0 | b' ' | b'\t' | 0x0b | 0x0c)))
            .count();
        let read = all(ListingDecoder::list(now()), &listing);
        let mut lines = 0;
        for line in &read {
            match line {
                Line::Entry(entry) => {
                    prop_assert!(!entry.name.is_empty());
                    lines += words(&entry.raw);
                }
                Line::Unparsed(raw) => lines += words(raw),
                Line::Skip => prop_assert!(false),
            }
        }
        prop_assert_eq!(lines, words(&listing));
    }

    #[test]
    fn any_bytes_as_a_listing(listing in vec(any::<u8>(), 0..3000), piece in 1..500_usize) {
        let mut decoder = ListingDecoder::list(Timestamp::MAX);
        let mut read = Vec::new();
        for part in listing.chunks(piece) {
            decoder.feed(part);
            read.extend(std::iter::from_fn(|| decoder.next_line()));
        }
        decoder.finish();
        read.extend(std::iter::from_fn(|| decoder.next_line()));
        prop_assert_eq!(read, all(ListingDecoder::list(Timestamp::MAX), &listing));
    }
}
