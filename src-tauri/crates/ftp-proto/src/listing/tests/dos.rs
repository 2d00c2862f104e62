use super::*;

#[test]
fn files() {
    for (line, timestamp) in [
        (
            "02-09-24  05:05PM               123456 plan b.txt",
            "2024-02-09T17:05:00Z",
        ),
        (
            "02-09-2024  12:05AM             123,456 plan b.txt",
            "2024-02-09T00:05:00Z",
        ),
        (
            "02/09/2024  12:05 PM           123.456 plan b.txt",
            "2024-02-09T12:05:00Z",
        ),
        (
            "09.02.2024  17:05              123\u{a0}456 plan b.txt",
            "2024-02-09T17:05:00Z",
        ),
        (
            "2024-02-09  17:05              123'456 plan b.txt",
            "2024-02-09T17:05:00Z",
        ),
        (
            "2024/02/09  17:05               123456 plan b.txt",
            "2024-02-09T17:05:00Z",
        ),
        (
            "31-12-99  17:05                 123456 plan b.txt",
            "1999-12-31T17:05:00Z",
        ),
        (
            "12-31-69  5:05p                 123456 plan b.txt",
            "2069-12-31T17:05:00Z",
        ),
    ] {
        let entry = list(line);
        assert_eq!(
            (name(&entry), entry.kind, entry.size),
            ("plan b.txt", Kind::File, Some(123_456)),
            "{line}"
        );
        assert_eq!(
            when(&entry),
            (timestamp.to_owned(), Precision::Minute, false),
            "{line}"
        );
    }
}

#[test]
fn folders_and_links() {
    let entry = list("02-09-24  05:05PM       <DIR>          my folder");
    assert_eq!(
        (name(&entry), entry.kind, entry.size),
        ("my folder", Kind::Dir, None)
    );
    assert_eq!(
        name(&list("02-09-24  05:05PM       <DIR>            two")),
        "  two"
    );
    assert_eq!(name(&list("02-09-24  05:05PM  <dir>  few")), "few");
    assert_eq!(
        list("02-09-24  05:05PM       <DIR>          ..").kind,
        Kind::ParentDir
    );
    for (marker, target) in [
        ("<JUNCTION>     ", "C:\\Users\\a b"),
        ("<SYMLINKD>     ", "..\\x"),
        ("<SYMLINK>      ", "y"),
    ] {
        let entry = list(&format!(
            "02/09/2024  05:05 PM    {marker}my [1] [{target}]"
        ));
        assert_eq!((name(&entry), entry.kind), ("my [1]", Kind::Link));
        assert_eq!(entry.target.as_deref(), Some(target.as_bytes()));
    }
    let entry = list("02/09/2024  05:05 PM    <JUNCTION>     plain]");
    assert_eq!((name(&entry), &entry.target), ("plain]", &None));
}

#[test]
fn names_are_kept_to_the_byte() {
    for text in [" lead", "trail ", "AM", "[x]", "a  b"] {
        assert_eq!(name(&list(&format!("02-09-24  17:05  7 {text}"))), text);
    }
}

#[test]
fn what_is_none() {
    for line in [
        "02-30-24  05:05PM 7 n",
        "13-13-24  05:05PM 7 n",
        "02-09-24  13:05PM 7 n",
        "02-09-24  0:05PM 7 n",
        "02-09-24  05:05XM 7 n",
        "02-09-24  05:05PM <FOO> n",
        "02-09-24  05:05PM 1,23 n",
        "02-09-24  05:05PM ,123 n",
        "02-09-24  05:05PM 7",
        "02-09-24  05:05PM 7 ",
        "02-09-24  05:05PM",
        "02-09-24-1  05:05PM 7 n",
        "02-09-245  05:05PM 7 n",
        " Directory of nothing",
        "               3 File(s)",
    ] {
        assert_eq!(
            parse_list_line(line.as_bytes(), now()),
            Line::Unparsed(line.into()),
            "{line:?}"
        );
    }
    for line in [
        " Volume in drive C has no label.",
        " Volume Serial Number is 1A2B-3C4D",
        " Directory of C:\\",
        "               3 File(s)      1,234 bytes",
        "               2 Dir(s)  10,737,418,240 bytes free",
    ] {
        assert_eq!(
            parse_list_line(line.as_bytes(), now()),
            Line::Skip,
            "{line:?}"
        );
    }
    assert_eq!(list("02-09-24  05:05PM 99999999999999999999 n").size, None);
}
