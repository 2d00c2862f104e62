use super::*;

fn entry() -> Entry {
    let mut entry = Entry::new("plan b.txt", Kind::File);
    let (timestamp, precision) = parse_time(b"20240209170533.042").unwrap();
    entry.size = Some(3);
    entry.modified = Some(Modified {
        timestamp,
        precision,
        zone_known: true,
    });
    entry.permissions = Some(0o640);
    entry.perm = Some("adfrw".into());
    entry.unique = Some("g7".into());
    entry.owner = Some("vera".into());
    entry.group = Some("press".into());
    entry
}

#[test]
fn facts() {
    let text = |entry: &Entry, facts| String::from_utf8(format_mlsx(entry, facts)).unwrap();
    assert_eq!(
        text(&entry(), MlsxFacts::ALL),
        "type=file;size=3;modify=20240209170533.042;perm=adfrw;unique=g7;UNIX.mode=0640;UNIX.owner=vera;\
         UNIX.group=press; plan b.txt"
    );
    assert_eq!(
        text(&entry(), MlsxFacts::parse(b"SIZE;modify;nonsense;")),
        "size=3;modify=20240209170533.042; plan b.txt"
    );
    assert_eq!(text(&entry(), MlsxFacts::NONE), " plan b.txt");
    let mut odd = entry();
    odd.kind = Kind::Dir;
    odd.owner = Some("Vera Holm".into());
    odd.unique = Some("a;b".into());
    odd.name = b"a\r\n\0b".to_vec();
    assert_eq!(
        text(&odd, MlsxFacts::ALL),
        "type=dir;modify=20240209170533.042;perm=adfrw;UNIX.mode=0640;UNIX.group=press; a???b"
    );
}

#[test]
fn chosen_facts() {
    let chosen = MlsxFacts::parse(b"Type;UNIX.MODE;bogus");
    assert_eq!(chosen.names(), "type;UNIX.mode;");
    assert_eq!(
        chosen.feature(),
        "type*;size;modify;perm;unique;UNIX.mode*;UNIX.owner;UNIX.group;"
    );
    assert_eq!(MlsxFacts::parse(b""), MlsxFacts::NONE);
    assert_eq!(
        MlsxFacts::parse(MlsxFacts::ALL.names().as_bytes()),
        MlsxFacts::default()
    );
}

#[test]
fn lines() {
    let text = |entry: &Entry| String::from_utf8(format_list(entry, now())).unwrap();
    assert_eq!(
        text(&entry()),
        "-rw-r-----   1 vera     press               3 Feb  9 17:05 plan b.txt"
    );
    let mut link = Entry::new("l", Kind::Link);
    link.target = Some(b"/srv\n".to_vec());
    link.owner = Some("Vera Holm".into());
    assert_eq!(
        text(&link),
        "lrwxrwxrwx   1 Vera_Holm ftp                 0 Jan  1  1970 l -> /srv?"
    );
    let mut fresh = entry();
    fresh.modified = Some(Modified {
        timestamp: at("2024-07-15T13:00:00Z"),
        precision: Precision::Second,
        zone_known: true,
    });
    assert!(
        text(&fresh).contains(" Jul 15 13:00 "),
        "an hour ahead is a wrong clock, not another year"
    );
}

#[test]
fn letters_of_modes() {
    for (mode, letters) in [
        (0o644, "rw-r--r--"),
        (0o7777, "rwsrwsrwt"),
        (0o7000, "--S--S--T"),
        (0o104_711, "rws--x--x"),
        (0, "---------"),
    ] {
        assert_eq!(permissions_text(mode), letters);
    }
}
