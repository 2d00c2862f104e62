//! What clients say on the control connection.

use bytes::BytesMut;
use ftp_proto::{
    Command, CommandError, format_eprt, format_epsv, format_pasv, format_port, parse_eprt,
    parse_epsv, parse_pasv, parse_port,
};

use super::{Target, rough, shape};
use crate::check;

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "command",
        about: "commands, and how a log shows them",
        seeds: &[
            b"USER anonymous",
            b"PASS secret word",
            b"RETR  a b ",
            b"PORT 127,0,0,1,4,1",
            b"EPRT |2|::1|2000|",
            b"EPSV ALL",
            b"MFMT 20240229120000.5 a file",
            b"REST 18446744073709551615",
            b"SITE PSWD old new",
            b"LIST -a",
            b"site chmod 644 x",
            b"XPWD",
            b"XMKD d",
        ],
        words: &[
            b"USER ",
            b"PASS ",
            b"ACCT ",
            b"CWD ",
            b"PORT ",
            b"EPRT ",
            b"EPSV ",
            b"MFMT ",
            b"REST ",
            b"SITE ",
            b"PSWD",
            b"PASSWD",
            b"MINFO",
            b"MLST",
            b"OPTS UTF8 ON",
            b"HOST ",
            b"CLNT ",
            b"\r",
            b"\n",
            b"\0",
            b" ",
            b"\xff",
        ],
        run: command,
    },
    Target {
        name: "address",
        about: "the addresses of PASV, EPSV, PORT and EPRT",
        seeds: &[
            b"Entering Passive Mode (127,0,0,1,117,48).",
            b"227 ok 1,2,3,4,5,6",
            b"Entering Extended Passive Mode (|||6446|)",
            b"!!!21!",
            b"10,0,0,1,4,1",
            b"|1|132.235.1.2|6275|",
            b"|2|1080::8:800:200C:417A|5282|",
        ],
        words: &[
            b"|||", b"|", b",", b"(", b")", b"255", b"256", b"65535", b"65536", b"|2|::|",
            b"0,0,0,0",
        ],
        run: address,
    },
];

/// What no command may carry, and so no error and no log may tell of a secret.
const SECRET: &str = "*****";

fn command(input: &[u8]) -> u64 {
    let parsed = Command::parse(input);
    if let Ok(text) = std::str::from_utf8(input) {
        match Command::raw(text) {
            Ok(command) => sound(&command),
            Err(error) => check::message(&error),
        }
    }
    let upper = input.to_ascii_uppercase();
    match parsed {
        Ok(command) => {
            sound(&command);
            if upper.starts_with(b"PASS ")
                || upper.starts_with(b"ACCT ")
                || upper.starts_with(b"SITE PSWD")
            {
                let shown = command.redacted();
                assert_eq!(
                    shown,
                    format!("{} {SECRET}", command.verb()),
                    "a secret is shown"
                );
                assert!(!format!("{command:?}").contains("secret"), "{command:?}");
            }
            shape([1, hash(command.verb()), rough(input.len())])
        }
        Err(error) => {
            check::message(&error);
            if upper.starts_with(b"PASS ") {
                assert!(error.to_string().contains(SECRET), "{error}");
            }
            match error {
                CommandError::NoVerb { .. } => 2,
                CommandError::Syntax { verb, .. } => shape([3, hash(verb)]),
                CommandError::Argument(error) => shape([4, hash(error.what)]),
                _ => 5,
            }
        }
    }
}

fn hash(text: &str) -> u64 {
    shape(text.bytes().map(u64::from))
}

/// One line goes out, and it is read as the same command.
fn sound(command: &Command) {
    let mut wire = BytesMut::new();
    command.encode(&mut wire);
    let line = wire.strip_suffix(b"\r\n").expect("a command ends its line");
    assert!(
        !line.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)),
        "{line:?}"
    );
    check::printable(&command.redacted());
    assert_eq!(command.to_string(), command.redacted());
    let again = Command::parse(line).expect("what is sent can be read");
    let mut second = BytesMut::new();
    again.encode(&mut second);
    assert_eq!(
        wire, second,
        "what is sent is read as something else: {command:?} {again:?}"
    );
}

fn address(input: &[u8]) -> u64 {
    let mut parts = Vec::new();
    macro_rules! both {
        ($parse:ident, $format:ident) => {
            match $parse(input) {
                Ok(address) => {
                    let written = $format(address);
                    assert_eq!(
                        $parse(written.as_bytes()).as_ref(),
                        Ok(&address),
                        "{written}"
                    );
                    parts.push(1);
                }
                Err(error) => {
                    check::message(&error);
                    parts.push(match error {
                        ftp_proto::AddrError::Missing { .. } => 2,
                        ftp_proto::AddrError::OutOfRange { .. } => 3,
                        _ => 4,
                    });
                }
            }
        };
    }
    both!(parse_pasv, format_pasv);
    both!(parse_epsv, format_epsv);
    both!(parse_port, format_port);
    both!(parse_eprt, format_eprt);
    if let (Ok(port), Ok(pasv)) = (parse_port(input), parse_pasv(input)) {
        assert_eq!(port, pasv, "PORT and PASV disagree");
    }
    shape(parts)
}
