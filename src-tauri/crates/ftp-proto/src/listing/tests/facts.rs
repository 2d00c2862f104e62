use super::*;

#[test]
fn an_entry_with_everything() {
    let entry = mlsx(
        "Type=file;Size=1048577;Modify=20231105T;modify=20231105093015.250;Perm=adfrw;UNIQUE=12Ug7;\
         UNIX.mode=0640;UNIX.owner=1001;UNIX.ownername=vera;UNIX.groupname=press;UNIX.gid=44;x.y=z; plan b.txt",
    );
    assert_eq!(
        (name(&entry), entry.kind, entry.size),
        ("plan b.txt", Kind::File, Some(1_048_577))
    );
    assert_eq!(
        when(&entry),
        ("2023-11-05T09:30:15.25Z".to_owned(), Precision::Milli, true)
    );
    assert_eq!(entry.permissions, Some(0o640));
    assert_eq!(entry.perm.as_deref(), Some("adfrw"));
    assert_eq!(entry.unique.as_deref(), Some("12Ug7"));
    assert_eq!(
        (entry.owner.as_deref(), entry.group.as_deref()),
        (Some("vera"), Some("press"))
    );
}

#[test]
fn types_in_any_case() {
    for (text, kind) in [
        ("file", Kind::File),
        ("DIR", Kind::Dir),
        ("cdir", Kind::CurrentDir),
        ("Pdir", Kind::ParentDir),
        ("OS.unix=symlink", Kind::Link),
        ("OS.unix=slink", Kind::Link),
        ("os.UNIX=SLINK:", Kind::Link),
        ("OS.unix=chr-8/0", Kind::Other),
        ("somethingelse", Kind::Other),
    ] {
        let entry = mlsx(&format!("type={text};size=1; x"));
        assert_eq!(
            (entry.kind, entry.target.as_deref()),
            (kind, None),
            "{text}"
        );
    }
}

#[test]
fn links_tell_their_target() {
    let target = |line: &str| {
        let entry = mlsx(line);
        assert_eq!(entry.kind, Kind::Link, "{line}");
        (
            name(&entry).to_owned(),
            String::from_utf8(entry.target.unwrap()).unwrap(),
        )
    };
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(
        target("type=OS.unix=slink:/srv/a;size=3; l"),
        pair("l", "/srv/a")
    );
    assert_eq!(target("Type=OS.UNIX=slink:../b l"), pair("l", "../b"));
    assert_eq!(target("type=OS.unix=symlink:c; l"), pair("l", "c"));
    // A target with blanks, sent as it is.
    assert_eq!(
        target("type=OS.unix=slink:/my own/dir;size=3; l m"),
        pair("l m", "/my own/dir")
    );
    assert_eq!(
        target("type=OS.unix=slink:/my own; l"),
        pair("l", "/my own")
    );
}

#[test]
fn names_are_kept_to_the_byte() {
    for text in [
        "  two",
        "one ",
        "a;b",
        "size=3",
        "a=b; c",
        " ",
        "\"q\"",
        "a\tb",
        "/abs/path",
        "x -> y",
    ] {
        assert_eq!(name(&mlsx(&format!("type=file;size=3; {text}"))), text);
        assert_eq!(
            name(&mlsx(&format!("type=file;size=3 {text}"))),
            text,
            "without the last semicolon"
        );
        assert_eq!(
            name(&mlsx(&format!(" type=file;size=3; {text}"))),
            text,
            "as MLST sends it"
        );
    }
    let entry = parse_mlsx(b"type=dir; caf\xe9\0/..").unwrap();
    assert_eq!(
        (entry.name, entry.kind),
        (b"caf\xe9\0/..".to_vec(), Kind::Dir)
    );
}

#[test]
fn without_a_type_the_other_facts_tell() {
    for (line, kind) in [
        ("size=3; x", Kind::File),
        ("perm=elc; x", Kind::Dir),
        ("perm=RAW; x", Kind::File),
        ("sizd=4096; x", Kind::Dir),
        ("modify=20240101000000; x", Kind::Other),
        ("modify=20240101000000; ..", Kind::ParentDir),
        (" x", Kind::Other),
    ] {
        assert_eq!(mlsx(line).kind, kind, "{line}");
    }
    assert_eq!(mlsx("type=dir; .").kind, Kind::CurrentDir);
    assert_eq!(mlsx("type=dir; ..").kind, Kind::ParentDir);
    assert_eq!(mlsx("type=file; ..").kind, Kind::File);
    assert_eq!(mlsx("type=dir;sizd=4096; x").size, Some(4096));
    assert_eq!(name(&mlsx(" only a name")), "only a name");
}

#[test]
fn nonsense_in_facts_is_left_out() {
    let entry = mlsx("type=file;size=-3;modify=yesterday;UNIX.mode=rw;junk;;unique=;=;perm=; x");
    assert_eq!(
        (entry.size, entry.modified, entry.permissions),
        (None, None, None)
    );
    assert_eq!(
        (
            entry.unique,
            name(&mlsx("type=file;size=99999999999999999999; y"))
        ),
        (None, "y")
    );
    assert_eq!(
        mlsx("type=file;modify=19631122183000; old")
            .modified
            .unwrap()
            .timestamp,
        at("1963-11-22T18:30:00Z")
    );
    assert_eq!(
        mlsx("type=file;unix.mode=0o640; s").permissions,
        Some(0o640)
    );
    assert_eq!(
        mlsx("type=file;UNIX.mode=0104755; s").permissions,
        Some(0o4755)
    );
}

#[test]
fn what_has_no_facts_is_an_error_that_shows_it() {
    for line in [
        "",
        "name",
        "-rw-r--r-- 1 a b 3 Jan 31 10:00 c",
        "total 3",
        "two words",
        "; x",
    ] {
        let error = parse_mlsx(line.as_bytes()).unwrap_err();
        assert!(
            matches!(error, ListError::NoFacts { .. }),
            "{line:?}: {error:?}"
        );
    }
    for line in ["type=file;", "type=file", "type=file; ", " ", " type=dir; "] {
        let error = parse_mlsx(line.as_bytes());
        match line {
            // With the blank in front it could also be a name without facts.
            " type=dir; " => assert_eq!(
                error,
                Err(ListError::NoName {
                    text: line.to_owned()
                })
            ),
            _ => assert!(
                matches!(error, Err(ListError::NoName { .. })),
                "{line:?}: {error:?}"
            ),
        }
    }
    let text = parse_mlsx(&[b"\r\x1b".as_slice(), &[b'y'; 900]].concat())
        .unwrap_err()
        .to_string();
    assert!(text.contains("\\x0d\\x1b") && text.len() < 300, "{text}");
}
