//! What servers say on the control connection.

use bytes::BytesMut;
use ftp_proto::{Features, LineDecoder, LineError, Reply, ReplyDecoder, ReplyError};

use super::{Target, rough, shape};
use crate::check;

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "line",
        about: "lines, as a client and as a server reads them",
        seeds: &[
            b"NOOP\r\nUSER a b\r\n",
            b"one\rtwo\ntwo\r\0three\0four",
            b"\xff\xf4\xff\xf2ABOR\r\nRETR a\xff\xff\xff\xfbb\r\n",
        ],
        words: &[b"\r\n", b"\r\0", b"\r", b"\n", b"\0", b"\xff\xff", b"\xff\xf4", b"\xff\xfb\x01"],
        run: line,
    },
    Target {
        name: "reply",
        about: "replies, their ends and their errors",
        seeds: &[
            b"220 ready\r\n",
            b"230-welcome\r\n 230 inside\r\n123 inside\r\n230 end\r\n226 done\r\n",
            b"211-Features:\r\n MDTM\r\n211-SIZE\r\n211 End\r\n",
            b"150 x (12 bytes).\r\n226\r\n\r\n421 idle\r\n",
            b"220Welcome\r\n",
            b"SSH-2.0-OpenSSH_9\r\n",
            b"220-a\r\n221 b\r\n",
            b"220 cr only\r",
        ],
        words: &[b"220", b"-", b" ", b"\r\n", b"\r", b"230-", b"230 ", b"HTTP/1.1 400", b"\x15\x03\x01", b"+OK", b"* OK", b"999"],
        run: reply,
    },
    Target {
        name: "feat",
        about: "features",
        seeds: &[
            b"211-Features:\r\n AUTH TLS\r\n MLST type*;size*;modify*;UNIX.mode;\r\n REST STREAM\r\n UTF8\r\n211 End\r\n",
            b"211-x\r\n211-SIZE\r\n211-AUTH TLS-C;TLS-P;SSL\r\n  HASH SHA-1;SHA-256*\r\n211 End\r\n",
            b"502 no\r\n",
        ],
        words: &[b"MLST ", b";", b"*", b"REST STREAM", b"AUTH TLS", b"\r\n ", b"211-", b"211 End\r\n", b"UTF8", b"\xc2\x85"],
        run: feat,
    },
];

fn line(input: &[u8]) -> u64 {
    const LIMIT: usize = 1000;
    let mut parts = Vec::new();
    for decoder in [
        LineDecoder::new(LIMIT),
        LineDecoder::new(LIMIT).without_telnet(),
    ] {
        let server = !parts.is_empty();
        let mut decoded = check::same_in_pieces(&decoder, input, LineDecoder::decode);
        let mut bytes = decoded.left.len();
        for line in &decoded.out {
            assert!(line.len() <= LIMIT, "a line of {} bytes", line.len());
            let inside = |byte: &u8| *byte == b'\n' || (!server && matches!(byte, b'\r' | 0));
            assert!(
                !line.iter().any(inside),
                "an end inside of a line: {line:?}"
            );
            bytes += line.len();
        }
        assert!(bytes <= input.len(), "more comes out than went in");
        if let Some(error) = &decoded.error {
            check::message(error);
            assert_eq!(*error, LineError { limit: LIMIT });
        } else if let Some(line) = decoded.decoder.end_at_cr(&mut decoded.left) {
            assert!(decoded.left.is_empty() && line.len() <= input.len());
        }
        parts.extend([
            rough(decoded.out.len()),
            u64::from(decoded.error.is_some()),
            rough(bytes),
        ]);
    }
    shape(parts)
}

/// What a reply may be at most, as its documentation says.
fn bounded(reply: &Reply) {
    assert!(!reply.lines.is_empty() && reply.lines.len() <= 10_001);
    let bytes: usize = reply.lines.iter().map(Vec::len).sum();
    assert!(bytes <= 1024 * 1024, "a reply of {bytes} bytes");
    for line in &reply.lines {
        assert!(line.len() <= 64 * 1024);
        assert!(
            !line.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)),
            "{line:?}"
        );
    }
    for line in reply.text().split('\n') {
        check::printable(line);
    }
}

fn reply(input: &[u8]) -> u64 {
    let mut decoded = check::same_in_pieces(&ReplyDecoder::new(), input, ReplyDecoder::decode);
    let mut parts = vec![rough(decoded.out.len())];
    for reply in decoded.out.iter().take(50) {
        bounded(reply);
        parts.extend([u64::from(reply.code.value()), rough(reply.lines.len())]);
        // A line between that begins with a digit is indented when it is sent.
        let mut wanted = reply.clone();
        let last = wanted.lines.len() - 1;
        for line in wanted.lines.iter_mut().take(last).skip(1) {
            if line.first().is_some_and(u8::is_ascii_digit) {
                line.insert(0, b' ');
            }
        }
        let fits = wanted.lines.iter().all(|line| line.len() < 64 * 1024 - 4);
        let bytes: usize = wanted.lines.iter().map(|line| line.len() + 4).sum();
        if fits && bytes < 1024 * 1024 {
            let mut wire = BytesMut::new();
            wanted.encode(&mut wire);
            let again = ReplyDecoder::new().decode(&mut wire);
            assert_eq!(
                again.as_ref(),
                Ok(&Some(wanted)),
                "what was sent comes back as something else"
            );
            assert!(wire.is_empty());
        }
    }
    if let Some(error) = &decoded.error {
        check::message(error);
        parts.push(match error {
            ReplyError::Malformed { .. } => 1,
            ReplyError::OtherProtocol { .. } => 2,
            ReplyError::TooLong { .. } => 3,
            _ => 4,
        });
    } else if decoded.decoder.may_be_over(&decoded.left) {
        // The server says nothing more.
        let given = decoded.decoder.give_in(&mut decoded.left);
        if let Ok(Some(reply)) = &given {
            bounded(reply);
        }
        if let Err(error) = &given {
            check::message(error);
        }
        parts.push(if given.is_ok() { 5 } else { 6 });
    } else {
        let before = (decoded.left.clone(), decoded.decoder.is_inside());
        let given = decoded.decoder.give_in(&mut decoded.left);
        assert_eq!(given, Ok(None), "a reply that is not over is not given");
        assert_eq!(before, (decoded.left, decoded.decoder.is_inside()));
    }
    shape(parts)
}

fn feat(input: &[u8]) -> u64 {
    let mut buffer = BytesMut::from(input);
    let mut decoder = ReplyDecoder::new();
    let mut parts = Vec::new();
    while let Ok(Some(reply)) = decoder.decode(&mut buffer) {
        let features = Features::parse(&reply);
        let mut count = 0;
        for (name, params) in features.iter() {
            assert!(!name.is_empty() && !name.contains(' '), "{name:?}");
            assert!(!name.chars().any(char::is_control) && !params.chars().any(char::is_control));
            assert!(name.chars().count() + params.chars().count() <= 2000);
            assert!(features.has(name) && features.has(&name.to_ascii_lowercase()));
            count += 1;
        }
        assert!(count <= 500, "{count} features");
        for (fact, _) in features.mlst_facts() {
            assert!(!fact.is_empty() && !fact.contains(';'));
        }
        let flags = [features.utf8(), features.rest_stream(), features.auth_tls()];
        let again = Features::parse(&features.to_reply());
        assert_eq!(again, features, "what is sent comes back as something else");
        parts.push(rough(count));
        parts.extend(flags.map(u64::from));
    }
    shape(parts)
}
