//! Paths, names, times, charsets, and how strange bytes are shown.

use ftp_proto::{
    Argument, Charset, Name, PwdError, RemotePath, Secret, escape, format_time, parse_257,
    parse_time, quote_257,
};

use super::{Target, rough, shape};
use crate::check;

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "pwd",
        about: "the path in a 257",
        seeds: &[
            b"\"/\" is the current directory",
            b"\"/a \"\"quoted\"\" dir\" created",
            b"'/x' is cwd",
            b"/pub is current directory.",
            b"\"/open",
            b"DISK$USER:[JOE]",
            b"C:\\x",
        ],
        words: &[
            b"\"",
            b"\"\"",
            b"'",
            b"/",
            b" is current",
            b" created",
            b" ",
            b"[",
            b"\0",
            b"\\",
        ],
        run: pwd,
    },
    Target {
        name: "path",
        about: "paths and names",
        seeds: &[
            b"/a/b/c",
            b"a/../..//b/.",
            b"/",
            b"",
            b"..",
            b"name\n/",
            b"/ trailing ",
            b"C:\\x",
            b"\xff\xfe",
        ],
        words: &[
            b"/",
            b"..",
            b".",
            b"//",
            b"/../",
            b"\0",
            b"\r",
            b"\n",
            b"\\",
            b"\xe2\x80\xae",
        ],
        run: path,
    },
    Target {
        name: "time",
        about: "the times of MDTM and MLSD",
        seeds: &[
            b"20240229235960.123",
            b"20240131235958",
            b"202401312359",
            b"20240131",
            b"19100131235958",
            b"191240229235958.25",
            b" 00010101000000 ",
        ],
        words: &[
            b"1900", b"19100", b"9999", b"0000", b".", b"0229", b"1231", b"235960", b"240000",
        ],
        run: time,
    },
    Target {
        name: "escape",
        about: "how strange bytes are shown, and what may be an argument",
        seeds: &[
            b"plain",
            "größe – 日本".as_bytes(),
            b"a\r\n\0\xff\\",
            "a\u{202e}b".as_bytes(),
            b"\\x41",
        ],
        words: &[
            b"\\",
            b"\\x",
            b"\x1b[2J",
            b"\xe2\x80\xae",
            b"\xc2\x85",
            b"\xf0\x9f\x98\x80",
            b"\xe2\x80\xa6",
        ],
        run: escaped,
    },
    Target {
        name: "charset",
        about: "names in the charsets of servers; the first byte chooses one",
        seeds: &[
            b"\x00M\xc3\xbcller",
            b"\x01M\xfcller",
            b"\x02\xce\xf2\xf7\xb8\xf2.txt",
            b"\x03\x93\xfa\x96{",
            b"\x04\xd6\xd0\xce\xc4",
            b"\x05\xed\xc9\xd2",
            b"\x08\x8f\xa2\xaf\xed",
        ],
        words: &[
            b"\xef\xbb\xbf",
            b"\xff\xfe",
            b"\xfe\xff",
            b"\x1b$B",
            b"~{",
            b"\x81\x30\x81\x30",
            b"\x80",
            b"\xa1\xa1",
            b"\x00",
        ],
        run: charset,
    },
];

fn pwd(input: &[u8]) -> u64 {
    let written = match parse_257(input) {
        Ok(path) => {
            assert!(path.as_bytes().len() <= input.len() && !path.as_bytes().is_empty());
            1 + rough(path.as_bytes().len())
        }
        Err(error) => {
            check::message(&error);
            match error {
                PwdError::NoPath { .. } => 100,
                PwdError::Bytes(_) => 101,
            }
        }
    };
    if let Ok(path) = RemotePath::try_from(input)
        && !input.is_empty()
    {
        let mut reply = quote_257(&path);
        reply.extend_from_slice(b" is \"the\" place");
        assert_eq!(
            parse_257(&reply),
            Ok(path),
            "what is sent is read as something else"
        );
    }
    written
}

fn path(input: &[u8]) -> u64 {
    let path = match RemotePath::try_from(input) {
        Ok(path) => path,
        Err(error) => {
            check::message(&error);
            assert!(Name::try_from(input).is_err(), "a name that is no path");
            return 1;
        }
    };
    check::printable(&path.to_string());
    let normal = path.normalized();
    assert_eq!(normal.normalized(), normal, "twice is not once");
    assert_eq!(normal.is_absolute(), path.is_absolute());
    assert!(
        !normal.components().any(|part| part == b"."),
        "{path} has a dot left"
    );
    let climbs = normal.components().any(|part| part == b"..");
    assert!(
        !(climbs && normal.is_absolute()),
        "{path} leads out of the top"
    );
    if let Some(parent) = path.parent() {
        assert!(parent.as_bytes().len() < path.as_bytes().len());
    }
    if let (Some(parent), Some(name)) = (path.parent(), path.file_name()) {
        assert!(!name.contains(&b'/'));
        if let Ok(name) = Name::try_from(name) {
            let joined = parent.join(&name);
            let parts =
                |path: &RemotePath| path.components().map(<[u8]>::to_vec).collect::<Vec<_>>();
            assert_eq!(
                parts(&joined),
                parts(&path),
                "taken apart and joined it is another path"
            );
        }
    }
    let base = RemotePath::try_from("/base").expect("a path");
    let below = base.join_path(&path);
    assert!(below.is_absolute());
    let name = match Name::try_from(input) {
        Ok(name) => {
            let joined = base.join(&name);
            assert_eq!(joined.parent(), Some(base), "a name that leads elsewhere");
            assert_eq!(joined.file_name(), Some(name.as_bytes()));
            match name.to_local() {
                Ok(local) => {
                    let parts = std::path::Path::new(&local).components().count();
                    assert_eq!(parts, 1, "a local name of {parts} parts");
                    2
                }
                Err(error) => {
                    check::message(&error);
                    3
                }
            }
        }
        Err(error) => {
            check::message(&error);
            4
        }
    };
    shape([
        name,
        rough(path.components().count()),
        rough(normal.components().count()),
        u64::from(path.is_absolute()),
        u64::from(climbs),
    ])
}

fn time(input: &[u8]) -> u64 {
    match parse_time(input) {
        Ok((time, precision)) => {
            let written = format_time(time);
            assert!(matches!(written.len(), 14 | 18), "{written}");
            let (again, _) = parse_time(written.as_bytes()).expect("what is written can be read");
            assert_eq!(again, time, "{written}");
            shape([1, precision as u64, rough(input.len())])
        }
        Err(error) => {
            check::message(&error);
            shape([2, shape(error.why.bytes().map(u64::from))])
        }
    }
}

/// What [`escape`] has written, read back; none where it was cut.
fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        rest = &rest[at + 1..];
        if let Some(tail) = rest.strip_prefix('\\') {
            out.push(b'\\');
            rest = tail;
            continue;
        }
        let hex = rest
            .strip_prefix('x')
            .and_then(|rest| rest.get(..2))
            .expect("two digits");
        out.push(u8::from_str_radix(hex, 16).expect("two digits"));
        rest = &rest[3..];
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

fn escaped(input: &[u8]) -> u64 {
    for limit in [0, 1, 7, 200, usize::MAX] {
        let text = escape(input, limit);
        check::printable(&text);
        let shown = input.len().min(limit);
        assert!(
            text.len() <= 4 * shown + '…'.len_utf8(),
            "{} bytes for {shown}",
            text.len()
        );
        let body = if input.len() > limit {
            text.strip_suffix('…').expect("a mark where it is cut")
        } else {
            &text
        };
        assert_eq!(unescape(body), &input[..shown], "it can't be read back");
    }
    let forbidden = input.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0));
    let argument = Argument::try_from(input);
    assert_eq!(argument.is_err(), forbidden);
    match argument {
        Ok(argument) => check::printable(&argument.to_string()),
        Err(error) => {
            check::message(&error);
            assert_eq!(
                input[..error.offset]
                    .iter()
                    .position(|byte| matches!(byte, b'\r' | b'\n' | 0)),
                None
            );
        }
    }
    match Secret::try_from(input) {
        Ok(secret) => assert!(format!("{secret:?}").contains("*****")),
        Err(error) => assert_eq!(error.text, "*****"),
    }
    shape([
        u64::from(forbidden),
        rough(input.len()),
        rough(escape(input, 200).len()),
    ])
}

const CHARSETS: [&str; 14] = [
    "auto",
    "latin1",
    "windows-1251",
    "shift_jis",
    "gbk",
    "koi8-r",
    "big5",
    "euc-kr",
    "euc-jp",
    "gb18030",
    "utf-8",
    "iso-8859-2",
    "ibm866",
    "macintosh",
];

fn charset(input: &[u8]) -> u64 {
    if let Ok(label) = std::str::from_utf8(input) {
        match Charset::for_label(label) {
            Ok(charset) => assert_eq!(Charset::for_label(charset.name()), Ok(charset), "{label:?}"),
            Err(error) => check::message(&error),
        }
    }
    let Some((choice, bytes)) = input.split_first() else {
        return 0;
    };
    let which = usize::from(*choice) % CHARSETS.len();
    let charset = Charset::for_label(CHARSETS[which]).expect("a charset");
    let text = charset.decode(bytes).into_owned();
    // No charset makes more than one character of a byte, and none of these has more than three bytes for it.
    assert!(
        text.len() <= 3 * bytes.len().max(1),
        "{} bytes of {}",
        text.len(),
        bytes.len()
    );
    let coded = match charset.encode(&text) {
        Ok(back) => {
            // Another spelling may be shorter; it must mean the same. (Shown as Windows-1252, it goes out as UTF-8.)
            assert_eq!(
                charset.decode(&back),
                text,
                "{} reads its own bytes otherwise",
                charset.name()
            );
            1
        }
        Err(error) => {
            check::message(&error);
            assert!(text.contains(error.character), "{error}");
            2
        }
    };
    // Whatever the charset, a name's slashes and ends of lines are where they are in the bytes, or commands could be forged.
    if bytes.is_ascii() {
        assert_eq!(text.as_bytes(), bytes);
    }
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(back) = charset.encode(text)
    {
        let count = |bytes: &[u8]| {
            bytes
                .iter()
                .filter(|byte| matches!(byte, b'\r' | b'\n' | 0))
                .count()
        };
        assert_eq!(
            count(&back),
            count(text.as_bytes()),
            "{}: a line end out of nothing",
            charset.name()
        );
    }
    shape([
        which as u64,
        coded,
        u64::from(text.contains('\u{fffd}')),
        rough(bytes.len()),
    ])
}
