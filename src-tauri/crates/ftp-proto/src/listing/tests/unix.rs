use super::*;

#[test]
fn the_usual_line() {
    let entry = list("-rw-r-----   3 vera     press        123456 Feb  9 17:05 plan b.txt");
    assert_eq!(
        (name(&entry), entry.kind, entry.size),
        ("plan b.txt", Kind::File, Some(123_456))
    );
    assert_eq!((entry.permissions, entry.links), (Some(0o640), Some(3)));
    assert_eq!(
        (entry.owner.as_deref(), entry.group.as_deref()),
        (Some("vera"), Some("press"))
    );
    assert_eq!(
        when(&entry),
        ("2024-02-09T17:05:00Z".to_owned(), Precision::Minute, false)
    );
}

#[test]
fn dates() {
    let full = |text: &str| when(&list(&format!("-rw-r--r-- 1 u g 7 {text} n")));
    let is = |text: &str, timestamp: &str, precision, zone| {
        assert_eq!(
            full(text),
            (timestamp.to_owned(), precision, zone),
            "{text}"
        );
    };
    is(
        "Jan  1  2001",
        "2001-01-01T00:00:00Z",
        Precision::Day,
        false,
    );
    is("31 Dec 1999", "1999-12-31T00:00:00Z", Precision::Day, false);
    is(
        "3. Apr 08:15",
        "2024-04-03T08:15:00Z",
        Precision::Minute,
        false,
    );
    is(
        "Apr  3  8:15",
        "2024-04-03T08:15:00Z",
        Precision::Minute,
        false,
    );
    is(
        "Apr  3 24:00",
        "2024-04-04T00:00:00Z",
        Precision::Minute,
        false,
    );
    is(
        "Oct  5 23:59",
        "2023-10-05T23:59:00Z",
        Precision::Minute,
        false,
    );
    is(
        "Mar  2 01:02:03 2019",
        "2019-03-02T01:02:03Z",
        Precision::Second,
        false,
    );
    is(
        "2024-01-31 10:00",
        "2024-01-31T10:00:00Z",
        Precision::Minute,
        false,
    );
    is("2024-01-31", "2024-01-31T00:00:00Z", Precision::Day, false);
    is(
        "2024-01-31 10:00:01",
        "2024-01-31T10:00:01Z",
        Precision::Second,
        false,
    );
    is(
        "2024-01-31 00:30:01.123456789 +0130",
        "2024-01-30T23:00:01.123Z",
        Precision::Milli,
        true,
    );
    is(
        "2024-12-31 20:00:00 -0800",
        "2025-01-01T04:00:00Z",
        Precision::Second,
        true,
    );
    is(
        "01-31 10:00",
        "2024-01-31T10:00:00Z",
        Precision::Minute,
        false,
    );
    is(
        "Mär  4 10:00",
        "2024-03-04T10:00:00Z",
        Precision::Minute,
        false,
    );
    is("4 août 2020", "2020-08-04T00:00:00Z", Precision::Day, false);
    is(
        "DEZ 24  2022",
        "2022-12-24T00:00:00Z",
        Precision::Day,
        false,
    );
    is(
        "3月 9日 10:00",
        "2024-03-09T10:00:00Z",
        Precision::Minute,
        false,
    );
    is("Sept 9 2020", "2020-09-09T00:00:00Z", Precision::Day, false);
    assert_eq!(
        when(&list_bytes(b"-rw-r--r-- 1 u g 7 4 ao\xfbt 2020 n")).0,
        "2020-08-04T00:00:00Z",
        "Latin-1"
    );
}

#[test]
fn dates_that_do_not_exist_are_not_read() {
    for date in [
        "Feb 30 10:00",
        "Feb 29 2023",
        "Jan  0 10:00",
        "Foo  1 10:00",
        "Jan  1 25:00",
        "Jan  1 10:61",
        "Jan  1 201",
    ] {
        let line = format!("-rw-r--r-- 1 u g 7 {date} n");
        assert_eq!(
            parse_list_line(line.as_bytes(), now()),
            Line::Unparsed(line.into_bytes()),
            "{date}"
        );
    }
}

#[test]
fn a_missing_year_is_the_nearest_one_that_is_not_a_day_ahead() {
    let year = |date: &str, now: &str| {
        let line = format!("-rw-r--r-- 1 u g 7 {date} n");
        let Line::Entry(entry) = parse_list_line(line.as_bytes(), at(now)) else {
            panic!("{line}")
        };
        entry.modified.unwrap().timestamp.to_string()
    };
    assert_eq!(
        year("Jul 16 11:59", "2024-07-15T12:00:00Z"),
        "2024-07-16T11:59:00Z"
    );
    assert_eq!(
        year("Jul 16 12:00", "2024-07-15T12:00:00Z"),
        "2024-07-16T12:00:00Z"
    );
    assert_eq!(
        year("Jul 16 12:01", "2024-07-15T12:00:00Z"),
        "2023-07-16T12:01:00Z"
    );
    assert_eq!(
        year("Jan  1 05:00", "2024-12-31T22:00:00Z"),
        "2025-01-01T05:00:00Z"
    );
    assert_eq!(
        year("Dec 31 23:00", "2025-01-01T01:00:00Z"),
        "2024-12-31T23:00:00Z"
    );
    assert_eq!(
        year("Feb 29 10:00", "2026-03-05T00:00:00Z"),
        "2024-02-29T10:00:00Z"
    );
    assert_eq!(
        year("Feb 29 10:00", "2024-02-28T09:00:00Z"),
        "2020-02-29T10:00:00Z"
    );
    assert_eq!(
        year("Feb 29 10:00", "1904-01-01T00:00:00Z"),
        "1896-02-29T10:00:00Z"
    );
}

#[test]
fn modes() {
    for (mode, kind, bits) in [
        ("drwxrwxrwt", Kind::Dir, Some(0o1777)),
        ("-rwsr-Sr-T", Kind::File, Some(0o7744)),
        ("-rwSr-sr--", Kind::File, Some(0o6654)),
        ("brw-rw----", Kind::Other, Some(0o660)),
        ("prw-------", Kind::Other, Some(0o600)),
        ("srwxrwxrwx", Kind::Other, Some(0o777)),
        ("-rw-rw-r--+", Kind::File, Some(0o664)),
        ("drwxr-xr-x.", Kind::Dir, Some(0o755)),
        ("-rw-r--r--@", Kind::File, Some(0o644)),
        ("d---------", Kind::Dir, Some(0)),
        ("-?????????", Kind::File, None),
        ("-wrxwrxwrx", Kind::File, None),
    ] {
        let entry = list(&format!("{mode} 1 u g 7 Jan  1 10:00 n"));
        assert_eq!((entry.kind, entry.permissions), (kind, bits), "{mode}");
    }
    assert_eq!(
        list("drwxr-xr-x1234 u g 7 Jan  1 10:00 n").links,
        Some(1234)
    );
    for line in [
        "xrw-r--r-- 1 u g 7 Jan  1 10:00 n",
        "-rw-r--r-x- 1 u g 7 Jan  1 10:00 n",
        "-rw-r--r--",
    ] {
        assert!(
            matches!(parse_list_line(line.as_bytes(), now()), Line::Unparsed(_)),
            "{line}"
        );
    }
}

#[test]
fn owners_and_groups() {
    for (fields, links, owner, group) in [
        ("1 1000 100 7", Some(1), Some("1000"), Some("100")),
        ("2 vera 7", Some(2), Some("vera"), None),
        ("vera press 7", None, Some("vera"), Some("press")),
        ("folder 7", None, Some("folder"), None),
        ("12 7", Some(12), None, None),
        ("7", None, None, None),
        (
            "1 HOUSE\\vera the press 7",
            Some(1),
            Some("HOUSE\\vera the"),
            Some("press"),
        ),
        (
            "1 Vera Holm Domain Users 7",
            Some(1),
            Some("Vera Holm"),
            Some("Domain Users"),
        ),
        (
            "1 vera longgroup0000007",
            Some(1),
            Some("vera"),
            Some("longgroup"),
        ),
    ] {
        let entry = list(&format!("-rw-r--r-- {fields} Jan  1 10:00 n"));
        assert_eq!(
            (
                entry.links,
                entry.owner.as_deref(),
                entry.group.as_deref(),
                entry.size
            ),
            (links, owner, group, Some(7)),
            "{fields}"
        );
    }
}

#[test]
fn sizes_that_are_none() {
    for line in [
        "brw-rw---- 1 root disk 8, 0 Jan  1 10:00 n",
        "crw-rw---- 1 root disk 8,0 Jan  1 10:00 n",
        "-rw-r--r-- 1 u g 99999999999999999999 Jan  1 10:00 n",
    ] {
        let entry = list(line);
        assert_eq!((entry.size, name(&entry)), (None, "n"), "{line}");
        assert!(entry.owner.is_some() && entry.group.is_some(), "{line}");
    }
    assert_eq!(
        list("brw-rw---- 1 root disk 8, 0 Jan  1 10:00 n")
            .group
            .as_deref(),
        Some("disk")
    );
}

#[test]
fn rounded_sizes_say_so() {
    let size = |text: &str| {
        let entry = list(&format!("-rw-r--r-- 1 u g {text} Jan  1 10:00 n"));
        (entry.size, entry.size_rounded, entry.exact_size())
    };
    assert_eq!(size("1.5K"), (Some(1536), true, None));
    assert_eq!(size("3M"), (Some(3 << 20), true, None));
    assert_eq!(size("2,25G"), (Some((2 << 30) + (1 << 28)), true, None));
    assert_eq!(size("1,234,567"), (Some(1_234_567), false, Some(1_234_567)));
    assert_eq!(size("1.234"), (Some(1234), false, Some(1234)));
    assert_eq!(size("12'345"), (Some(12_345), false, Some(12_345)));
}

#[test]
fn names_are_kept_to_the_byte() {
    for text in [
        " lead",
        "trail ",
        "a  b",
        "12:00",
        "Jan  1 10:00 x",
        "2024",
        "x -> y",
        "\t",
        "a\\b",
        "...",
    ] {
        assert_eq!(
            name(&list(&format!("-rw-r--r-- 1 u g 7 Jan  1 10:00 {text}"))),
            text
        );
        assert_eq!(
            name(&list(&format!("-rw-r--r-- 1 u g 7 Jan  1  2001 {text}"))),
            text
        );
    }
    assert_eq!(
        list_bytes(b"-rw-r--r-- 1 u g 7 Jan  1 10:00 \xff\xfe").name,
        b"\xff\xfe"
    );
    assert_eq!(name(&list("drwxr-xr-x 1 u g 7 Jan  1 10:00 sub/")), "sub");
    assert_eq!(
        list("drwxr-xr-x 1 u g 7 Jan  1 10:00 .").kind,
        Kind::CurrentDir
    );
    assert_eq!(
        list("drwxr-xr-x 1 u g 7 Jan  1 10:00 ..").kind,
        Kind::ParentDir
    );
    for line in [
        "-rw-r--r-- 1 u g 7 Jan  1 10:00",
        "-rw-r--r-- 1 u g 7 Jan  1 10:00 ",
    ] {
        assert!(
            matches!(parse_list_line(line.as_bytes(), now()), Line::Unparsed(_)),
            "{line:?}"
        );
    }
}

#[test]
fn links() {
    let link = |size: u64, text: &str| {
        let entry = list(&format!("lrwxrwxrwx 1 u g {size} Jan  1 10:00 {text}"));
        assert_eq!(entry.kind, Kind::Link);
        (
            name(&entry).to_owned(),
            entry
                .target
                .map(|target| String::from_utf8(target).unwrap()),
        )
    };
    let pair = |a: &str, b: &str| (a.to_owned(), Some(b.to_owned()));
    assert_eq!(link(8, "l -> /srv/pub"), pair("l", "/srv/pub"));
    assert_eq!(link(0, "a b -> ../c d"), pair("a b", "../c d"));
    // The size says which arrow it is.
    assert_eq!(link(1, "a -> b -> c"), pair("a -> b", "c"));
    assert_eq!(link(6, "a -> b -> c"), pair("a", "b -> c"));
    assert_eq!(link(9, "bare"), ("bare".to_owned(), None));
}

#[test]
fn numbers_of_inodes_and_blocks_are_passed_over() {
    let entry = list("  131093   4 -rw-r--r-- 1 u g 7 Jan  1 10:00 n");
    assert_eq!(
        (name(&entry), entry.size, entry.links),
        ("n", Some(7), Some(1))
    );
}
