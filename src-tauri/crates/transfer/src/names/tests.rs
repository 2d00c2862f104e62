#![allow(clippy::unwrap_used)]
use super::*;
use proptest::prelude::*;
use std::path::{Component, Path};

const LINUX: Escapes = Escapes {
    not_text: false,
    windows: false,
};
const ALL: Escapes = Escapes {
    not_text: true,
    windows: true,
};

fn check(escapes: Escapes, name: &[u8], expected: &str) {
    let escaped = escapes.escape(name);
    let text = String::from_utf8_lossy(&escaped).into_owned();
    assert_eq!(text, expected, "{name:?}");
    assert_eq!(escapes.unescape(&escaped), name, "{expected}");
}

#[test]
fn linux() {
    for (name, expected) in [
        ("a.txt", "a.txt"),
        ("CON", "CON"),
        ("a: b?*. ", "a: b?*. "),
        ("C:\\x", "C:%5Cx"),
        ("\x1b[1m", "%1B[1m"),
        ("50%20off 100%25", "50%20off 100%25"),
        ("a%5Cb", "a%255Cb"),
        ("a%255Cb", "a%25255Cb"),
        ("%", "%"),
        ("%25", "%25"),
        ("%25\\", "%25%5C"),
        ("a%5cb", "a%5cb"),
        ("%0A", "%0A"),
        ("a\u{9b}1m", "a%C2%9B1m"),
        ("a%C2%9B", "a%25C2%9B"),
        ("a%25C2%9B", "a%2525C2%9B"),
        ("%C2 %9B %C2", "%C2 %9B %C2"),
        ("%C2\u{9b}%9B", "%C2%C2%9B%9B"),
        ("photo\u{202e}gpj.exe", "photo%E2%80%AEgpj.exe"),
        ("%E2%80%AE", "%25E2%80%AE"),
        ("%E2\u{202e}", "%E2%E2%80%AE"),
        ("%E2%80\u{2066}", "%E2%80%E2%81%A6"),
        (
            "\u{a0}\u{2026}\u{200d}\u{206a}",
            "\u{a0}\u{2026}\u{200d}\u{206a}",
        ),
    ] {
        check(LINUX, name.as_bytes(), expected);
    }
    assert_eq!(LINUX.escape(b"\xff"), b"\xff");
}

#[test]
fn everywhere() {
    for (name, expected) in [
        ("a.txt", "a.txt"),
        ("\u{e4}\u{20ac}", "\u{e4}\u{20ac}"),
        ("C:\\x", "C%3A%5Cx"),
        ("a<b>|\"*?", "a%3Cb%3E%7C%22%2A%3F"),
        ("a. .", "a. %2E"),
        ("a ", "a%20"),
        ("a%20", "a%2520"),
        ("a%20b", "a%20b"),
        ("nul", "%6Eul"),
        ("CON .x", "%43ON .x"),
        ("Com1.tar.gz", "%43om1.tar.gz"),
        ("LPT\u{b9}", "%4CPT\u{b9}"),
        ("COM10", "COM10"),
        ("CONSOLE", "CONSOLE"),
        ("%43ON", "%2543ON"),
        ("...", "..%2E"),
    ] {
        check(ALL, name.as_bytes(), expected);
    }
    check(ALL, b"a\xffb\xc3", "a%FFb%C3");
    check(ALL, b"a%E2%80%AE", "a%25E2%2580%25AE");
}

#[test]
fn what_turns_text_around_is_seen() {
    let marks = ('\u{80}'..='\u{9f}')
        .chain('\u{200e}'..='\u{200f}')
        .chain('\u{202a}'..='\u{202e}')
        .chain('\u{2066}'..='\u{2069}');
    for mark in marks {
        let name = format!("a{mark}b");
        let expected: String = mark
            .to_string()
            .bytes()
            .map(|b| format!("%{b:02X}"))
            .collect();
        for escapes in [LINUX, ALL] {
            check(escapes, name.as_bytes(), &format!("a{expected}b"));
        }
    }
}

#[test]
fn no_names() {
    for bad in ["", ".", "..", "a/b", "/", "a\0", "a\r", "\n"] {
        for rules in [NameRules::Native, NameRules::Portable] {
            assert!(to_local(bad.as_bytes(), rules.into()).is_err(), "{bad:?}");
        }
    }
    // Escapes that we never make lead nowhere either.
    for odd in [".%2E", "%2E", "a%2Fb", "a%0Ab", "a%00"] {
        let back = to_remote(OsStr::new(odd), NameRules::Portable.into()).unwrap();
        assert_eq!(back.as_bytes(), odd.as_bytes());
    }
    assert!(to_remote(OsStr::new("a\nb"), NameRules::Native.into()).is_err());
}

#[test]
fn long_names() {
    let long = |ending: &str| format!("{}{ending}", "\u{e4}".repeat(200));
    let local = |name: &str| {
        let made = to_local(name.as_bytes(), NameRules::Portable.into()).unwrap();
        made.into_string().unwrap()
    };
    let (one, two) = (local(&long("1.html")), local(&long("2.html")));
    assert_ne!(one, two);
    for made in [one, two] {
        assert!(made.len() <= 255 && made.len() > 250, "{}", made.len());
        assert!(made.ends_with(".html") && made.starts_with("\u{e4}\u{e4}"));
        assert_eq!(local(&made), made);
    }
    // What only escaping makes too long, and no escape is cut in two.
    for extra in 0..3 {
        let made = local(&format!("{}{}", "x".repeat(extra), ":".repeat(100)));
        assert!(made.len() <= 255);
        let kept = made.split('~').next().unwrap();
        assert!(kept.trim_start_matches('x').replace("%3A", "").is_empty());
    }
}

#[test]
fn same_files() {
    let same = |a: &str, b: &str, rules| {
        same_file_key(OsStr::new(a), rules) == same_file_key(OsStr::new(b), rules)
    };
    assert!(same("\u{c4}.TXT", "\u{e4}.txt", NameRules::Portable));
    assert!(!same("a", "b", NameRules::Portable));
    #[cfg(target_os = "linux")]
    assert!(!same("A", "a", NameRules::Native));
}

/// Everything that the rules speak of, close together.
const ODD: &str = "([%25CE0AFcon.:\\\\ ~\u{1}\u{e4}]|%25|%5C|%2E|%20|%43|CON|nul|%C2|%E2|%80|%AE|\u{85}|\u{202e}){1,8}";

proptest! {
    #[test]
    fn there_and_back(name: Vec<u8>, odd in ODD, raw in proptest::collection::vec(prop_oneof![Just(b'%'), Just(b'2'), Just(b'5'), Just(b'C'), Just(0x80), Just(0xc2), Just(0xe2), Just(0xae), Just(0xc3), Just(b'.')], 1..9)) {
        for name in [name.as_slice(), odd.as_bytes(), raw.as_slice()] {
            if Name::try_from(name).is_err() {
                continue;
            }
            for rules in [NameRules::Native, NameRules::Portable] {
                let local = to_local(name, rules.into()).unwrap();
                let mut parts = Path::new(&local).components();
                prop_assert!(matches!(parts.next(), Some(Component::Normal(part)) if part == local.as_os_str()));
                prop_assert!(parts.next().is_none());
                prop_assert!(local.len() <= LONGEST);
                let back = to_remote(&local, rules.into()).unwrap();
                prop_assert_eq!(back.as_bytes(), name);
                prop_assert_eq!(to_local(back.as_bytes(), rules.into()).unwrap(), local);
            }
        }
    }

    #[test]
    fn portable_names_are_names_everywhere(name: Vec<u8>, odd in ODD, long in "[\u{e4}%:.a]{200,300}") {
        for name in [name.as_slice(), odd.as_bytes(), long.as_bytes()] {
            let Ok(local) = to_local(name, NameRules::Portable.into()) else {
                prop_assert!(Name::try_from(name).is_err());
                continue;
            };
            let text = local.to_str().unwrap();
            prop_assert!(text.len() <= LONGEST);
            prop_assert!(!text.contains(|c: char| c.is_ascii_control() || "/\\:*?\"<>|".contains(c)));
            prop_assert!(!text.ends_with(['.', ' ']));
            prop_assert!(!is_device(text.as_bytes()));
        }
    }
}

#[test]
fn names_in_another_charset_are_text_here_and_bytes_there() {
    let in_1251 = Naming {
        charset: Charset::for_label("windows-1251").unwrap(),
        ..Naming::default()
    };
    let local = to_local(b"\xce\xf2\xf7\xb8\xf2.txt", in_1251).unwrap();
    assert_eq!(local, OsStr::new("Отчёт.txt"));
    let remote = to_remote(&local, in_1251).unwrap();
    assert_eq!(remote.as_bytes(), b"\xce\xf2\xf7\xb8\xf2.txt");
    // Nothing is replaced in silence.
    let error = to_remote(OsStr::new("日本"), in_1251).unwrap_err();
    assert!(error.why.contains("charset"), "{error}");
    // What means nothing in the charset stays what it is, both ways.
    let gbk = Naming {
        charset: Charset::for_label("gbk").unwrap(),
        ..Naming::default()
    };
    let odd = b"\xff\xfe x";
    let local = to_local(odd, gbk).unwrap();
    assert_eq!(to_remote(&local, gbk).unwrap().as_bytes(), odd);
}
