use proptest::{collection::vec, option, prelude::*};

use super::*;

fn file_name() -> impl Strategy<Value = Vec<u8>> {
    vec(
        any::<u8>().prop_filter("no line end", |byte| !matches!(byte, b'\r' | b'\n' | 0)),
        1..40,
    )
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::File),
        Just(Kind::Dir),
        Just(Kind::Link),
        Just(Kind::Other),
        Just(Kind::CurrentDir),
        Just(Kind::ParentDir)
    ]
}

prop_compose! {
    fn entry()(
        name in file_name(),
        kind in kind(),
        size in option::of(any::<u64>()),
        millis in option::of(-62_135_596_800_000_i64..253_000_000_000_000),
        permissions in option::of(0..=0o7777_u32),
        words in (option::of("[a-z]{1,8}"), option::of("[a-z]{1,8}"), option::of("[a-zA-Z0-9]{1,8}")),
        target in "[a-z/.:=]{1,9}",
    ) -> Entry {
        let mut entry = Entry::new(name, kind);
        entry.size = size.filter(|_| matches!(kind, Kind::File | Kind::Link | Kind::Other));
        entry.modified = millis.map(|millis| Modified {
            timestamp: Timestamp::from_millisecond(millis).unwrap(),
            precision: if millis % 1000 == 0 { Precision::Second } else { Precision::Milli },
            zone_known: true,
        });
        entry.permissions = permissions;
        entry.owner = words.0.map(Into::into);
        entry.group = words.1.map(Into::into);
        entry.unique = words.2.map(Into::into);
        entry.target = (kind == Kind::Link).then(|| target.into_bytes());
        entry
    }
}

/// A line of 64 KiB is as much as there is, and must not take more than its share, whatever is in it. (Where the time grows with
/// the square of the length, this takes minutes.)
#[test]
fn long_lines_take_no_time() {
    let begun = std::time::Instant::now();
    for unit in [
        ";", ";1", ";1 ", "^ ;", " ", "=", ";a=b", "[", "a ", "1 ", "-> ", "Jan 1 ", "/", ",", "*",
        "\"", "->", "1,", "<", "日",
    ] {
        for head in ["", "-rw-r--r-- 1 u g 7 Jan  1 10:00 ", "type=file;"] {
            let mut line = head.as_bytes().to_vec();
            while line.len() < MAX_LINE - 10 {
                line.extend_from_slice(unit.as_bytes());
            }
            let _ = parse_list_line(&line, now());
            let _ = parse_mlsx(&line);
        }
    }
    assert!(
        begun.elapsed() < std::time::Duration::from_secs(40),
        "{:?}",
        begun.elapsed()
    );
}

proptest! {
    #[test]
    fn no_bytes_make_a_panic(line in vec(any::<u8>(), 0..200)) {
        let _ = parse_mlsx(&line);
        let _ = parse_list_line(&line, Timestamp::MAX);
        let _ = parse_list_line(&line, Timestamp::MIN);
    }

    /// Random bytes hardly get past the first check, so these are lines with one thing changed.
    #[test]
    fn no_damage_makes_a_panic(
        which in 0..6_usize,
        cut in 0..90_usize,
        put in vec(any::<u8>(), 0..4),
        drop in 0..5_usize,
    ) {
        let lines: [&[u8]; 6] = [
            b"-rw-r--r--   1 vera     press        123456 Feb 29 17:05 plan b.txt",
            b"lrwxrwxrwx 1 vera press 8 2024-01-31 10:00:00.000 +0100 l -> /srv/pub",
            "brw-r-xr-t 1 vera press 8, 0 3月 9日 24:00 sda".as_bytes(),
            b"02-09-24  05:05PM              123,456 plan b.txt",
            b"02/09/2024  05:05 PM    <JUNCTION>     my [1] [C:\\x]",
            b"type=OS.unix=slink:/a b;size=3;modify=20240229235960.999;UNIX.mode=0644; l",
        ];
        let mut line = lines[which].to_vec();
        let cut = cut.min(line.len());
        let end = (cut + drop).min(line.len());
        line.splice(cut..end, put);
        for now in [Timestamp::MIN, now(), Timestamp::MAX] {
            if let Line::Entry(entry) = parse_list_line(&line, now) {
                prop_assert!(!entry.name.is_empty());
            }
        }
        if let Ok(entry) = parse_mlsx(&line) {
            prop_assert!(!entry.name.is_empty());
        }
    }

    #[test]
    fn facts_come_back_as_they_were_written(entry in entry()) {
        let line = format_mlsx(&entry, MlsxFacts::ALL);
        let mut back = parse_mlsx(&line).unwrap();
        prop_assert_eq!(&back.raw, &line);
        back.raw.clear();
        let mut expected = entry;
        expected.kind = kind_by_name(expected.kind, &expected.name);
        prop_assert_eq!(back, expected);
    }

    #[test]
    fn lines_come_back_as_they_were_written(entry in entry(), age in 0..4000_i64) {
        let mut entry = entry;
        // Only folders lose a slash at the end of their names, only programs a star, and only links have arrows.
        if entry.kind != Kind::File || entry.name.ends_with(b"*") {
            entry.name = b"name".to_vec();
        }
        let written = now() - jiff::SignedDuration::from_hours(age);
        entry.modified = Some(Modified { timestamp: written, precision: Precision::Second, zone_known: true });
        let line = format_list(&entry, now());
        let Line::Entry(back) = parse_list_line(&line, now()) else { panic!("{entry:?}") };
        prop_assert_eq!(&back.name, &entry.name);
        prop_assert_eq!(&back.target, &entry.target);
        prop_assert_eq!(back.size, Some(entry.size.unwrap_or(0)));
        if let Some(bits) = entry.permissions {
            prop_assert_eq!(back.permissions, Some(bits));
        }
        if let Some(owner) = entry.owner {
            prop_assert_eq!(back.owner, Some(owner));
        }
        let modified = back.modified.unwrap();
        let apart = written.duration_since(modified.timestamp);
        let unit = if modified.precision == Precision::Minute { 60 } else { 24 * 3600 };
        prop_assert!(!apart.is_negative() && apart.as_secs() < unit, "{} {:?}", apart, modified);
    }
}
