use std::fmt;

use bytes::{BufMut, BytesMut};

use crate::{LineDecoder, escape};

/// The three digits of a reply (RFC 959 section 4.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(u16);

impl Code {
    /// A code from 100 to 699; RFC 2228 uses 6xx for protected replies.
    #[must_use]
    pub const fn new(value: u16) -> Option<Self> {
        match value {
            100..=699 => Some(Self(value)),
            _ => None,
        }
    }

    /// The number.
    #[must_use]
    pub const fn value(self) -> u16 {
        self.0
    }

    /// The first digit.
    #[must_use]
    pub const fn class(self) -> u16 {
        self.0 / 100
    }

    /// 1xx: more will come.
    #[must_use]
    pub const fn is_preliminary(self) -> bool {
        self.class() == 1
    }

    /// 2xx: done.
    #[must_use]
    pub const fn is_completion(self) -> bool {
        self.class() == 2
    }

    /// 3xx: go on with the next command.
    #[must_use]
    pub const fn is_intermediate(self) -> bool {
        self.class() == 3
    }

    /// 4xx: not now.
    #[must_use]
    pub const fn is_transient(self) -> bool {
        self.class() == 4
    }

    /// 5xx: no.
    #[must_use]
    pub const fn is_permanent(self) -> bool {
        self.class() == 5
    }

    /// True where each digit of `mask` is the code's; any other character stands for any digit, and a shorter mask
    /// only looks at its own: `"2xx"`, `"25"`, `"331"`.
    #[must_use]
    pub fn matches(self, mask: &str) -> bool {
        mask.bytes()
            .zip(self.to_string().bytes())
            .all(|(wanted, digit)| !wanted.is_ascii_digit() || wanted == digit)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03}", self.0)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A reply: its code and its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The code.
    pub code: Code,
    /// The text: first and last line without the code, lines between as they came. Never empty, and no
    /// line holds CR, LF or NUL.
    pub lines: Vec<Vec<u8>>,
}

impl Reply {
    /// A reply of one line. CR, LF and NUL in the text become blanks.
    ///
    /// # Panics
    /// Where the code is not from 100 to 699.
    #[must_use]
    pub fn new(code: u16, text: impl AsRef<[u8]>) -> Self {
        Self::multi(code, [text.as_ref().to_vec()])
    }

    /// A reply of several lines; the first and the last carry the code when it is sent. CR, LF and NUL in a
    /// line become blanks.
    ///
    /// # Panics
    /// Where the code is not from 100 to 699.
    #[must_use]
    pub fn multi(code: u16, lines: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let mut lines: Vec<Vec<u8>> = lines.into_iter().map(clean).collect();
        if lines.is_empty() {
            lines.push(Vec::new());
        }
        Self {
            code: Code::new(code).expect("a code from 100 to 699"),
            lines,
        }
    }

    /// The first line's text.
    #[must_use]
    pub fn first_line(&self) -> &[u8] {
        self.lines.first().map_or(&[], Vec::as_slice)
    }

    /// All lines as text, odd bytes escaped, joined by line feeds.
    #[must_use]
    pub fn text(&self) -> String {
        let lines: Vec<String> = self.lines.iter().map(|line| escape(line, 1000)).collect();
        lines.join("\n")
    }

    /// The text, escaped, its lines joined by line feeds, of at most `limit` of the server's bytes: for messages, which a
    /// server must not be able to make as long as it likes.
    #[must_use]
    pub fn excerpt(&self, limit: usize) -> String {
        let mut left = limit;
        let mut text = String::new();
        for (index, line) in self.lines.iter().enumerate() {
            if index > 0 {
                text.push('\n');
            }
            text.push_str(&escape(line, left));
            left = left.saturating_sub(line.len());
            if left == 0 && index + 1 < self.lines.len() {
                text.push_str(" …");
                break;
            }
        }
        text
    }

    /// Appends the reply as it is sent. A line between that begins with a digit is indented by a blank, so
    /// that it can't be taken for the end (RFC 959 section 4.2).
    pub fn encode(&self, out: &mut BytesMut) {
        let code = self.code.to_string();
        let last = self.lines.len().saturating_sub(1);
        for (index, line) in self.lines.iter().enumerate() {
            if index == last {
                out.put_slice(code.as_bytes());
                out.put_u8(b' ');
            } else if index == 0 {
                out.put_slice(code.as_bytes());
                out.put_u8(b'-');
            } else if line.first().is_some_and(u8::is_ascii_digit) {
                out.put_u8(b' ');
            }
            out.put_slice(line);
            out.put_slice(b"\r\n");
        }
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.text())
    }
}

fn clean(mut line: Vec<u8>) -> Vec<u8> {
    for byte in &mut line {
        if matches!(byte, b'\r' | b'\n' | 0) {
            *byte = b' ';
        }
    }
    line
}

/// The longest line of a reply, in bytes.
const LINE: usize = 64 * 1024;
/// The most lines of a reply.
const LINES: usize = 10_000;
/// The most bytes of a reply.
const BYTES: usize = 1024 * 1024;

/// Takes replies out of what a server sends, whatever pieces it comes in.
///
/// A reply of several lines ends with a line of the same code and a blank (or nothing) behind it; lines between may
/// begin with any digits. A line is at most 64 KiB, a reply 10,000 lines and 1 MiB.
#[derive(Debug, Clone)]
pub struct ReplyDecoder {
    lines: LineDecoder,
    begun: Option<(Reply, usize)>,
}

/// What a server sent is no reply. The connection can't be used after it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplyError {
    /// The first line has no code.
    #[error("\"{line}\" is no FTP reply")]
    Malformed {
        /// The line, escaped.
        line: String,
    },
    /// Another protocol is spoken on this port.
    #[error("this is {protocol}, not FTP: \"{line}\"")]
    OtherProtocol {
        /// Its name.
        protocol: &'static str,
        /// The line that gave it away, escaped.
        line: String,
    },
    /// It is longer than any reply may be.
    #[error("a reply with more than {limit} {unit}")]
    TooLong {
        /// The limit that was passed.
        limit: usize,
        /// What was counted.
        unit: &'static str,
    },
}

impl Default for ReplyDecoder {
    fn default() -> Self {
        Self::new()
    }
}

impl ReplyDecoder {
    /// A decoder at the beginning of a reply.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            lines: LineDecoder::new(LINE),
            begun: None,
        }
    }

    /// True in the middle of a reply.
    #[must_use]
    pub const fn is_inside(&self) -> bool {
        self.begun.is_some()
    }

    /// The next reply, or `None` while it is incomplete. Empty lines between replies are skipped.
    ///
    /// # Errors
    /// [`ReplyError`]; the stream can't be used after it.
    pub fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Reply>, ReplyError> {
        loop {
            let line = self
                .lines
                .decode(buffer)
                .map_err(|error| ReplyError::TooLong {
                    limit: error.limit,
                    unit: "bytes in a line",
                })?;
            let Some(line) = line else { return Ok(None) };
            if let Some(reply) = self.take(line)? {
                return Ok(Some(reply));
            }
        }
    }

    /// What may still be the end of a reply, though its rules say that more has to come. Only a server that says nothing more can
    /// tell: see [`ReplyDecoder::give_in`].
    #[must_use]
    pub fn may_be_over(&self, buffer: &BytesMut) -> bool {
        if self.lines.is_at_cr(buffer) {
            return true;
        }
        let last = self.begun.as_ref().and_then(|(reply, _)| {
            let (code, separator) = split(reply.lines.get(1..)?.last()?)?;
            // "100 users" in a 230 is not its end.
            (code.class() == reply.code.class()).then_some(separator)
        });
        buffer.is_empty() && matches!(last, Some(b' ' | 0))
    }

    /// Takes what is there for the end of a reply, where [`ReplyDecoder::may_be_over`] says that it may be: a line that ends with CR
    /// alone; or, in a reply of several lines, a last line with another code of the first one's class. The reply
    /// then has the code of its last line.
    ///
    /// # Errors
    /// [`ReplyError`]; the stream can't be used after it.
    pub fn give_in(&mut self, buffer: &mut BytesMut) -> Result<Option<Reply>, ReplyError> {
        if let Some(line) = self.lines.end_at_cr(buffer) {
            return self.take(line);
        }
        if !self.may_be_over(buffer) {
            return Ok(None);
        }
        let Some((mut reply, _)) = self.begun.take() else {
            return Ok(None);
        };
        if let Some(last) = reply.lines.last_mut()
            && let Some((code, _)) = split(last)
        {
            reply.code = code;
            *last = last.get(4..).unwrap_or_default().to_vec();
        }
        Ok(Some(reply))
    }

    /// One more line: the reply, if that was its end.
    fn take(&mut self, line: Vec<u8>) -> Result<Option<Reply>, ReplyError> {
        let Some((mut reply, mut size)) = self.begun.take() else {
            if line.is_empty() {
                return Ok(None);
            }
            return Ok(match begin(&line)? {
                (reply, false) => Some(reply),
                (reply, true) => {
                    self.begun = Some((reply, line.len()));
                    None
                }
            });
        };
        size += line.len();
        if size > BYTES {
            return Err(too_long(BYTES, "bytes"));
        }
        if reply.lines.len() == LINES {
            return Err(too_long(LINES, "lines"));
        }
        let ended = match split(&line) {
            Some((code, separator)) => code == reply.code && matches!(separator, b' ' | 0),
            None => false,
        };
        if ended {
            reply.lines.push(line.get(4..).unwrap_or_default().to_vec());
            return Ok(Some(reply));
        }
        reply.lines.push(line);
        self.begun = Some((reply, size));
        Ok(None)
    }
}

fn too_long(limit: usize, unit: &'static str) -> ReplyError {
    ReplyError::TooLong { limit, unit }
}

/// The code at the beginning of a line and the byte behind it, 0 at the line's end.
fn split(line: &[u8]) -> Option<(Code, u8)> {
    let [a @ b'0'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', rest @ ..] = line else {
        return None;
    };
    let digit = |byte: &u8| u16::from(byte - b'0');
    let code = Code::new(digit(a) * 100 + digit(b) * 10 + digit(c))?;
    Some((code, rest.first().copied().unwrap_or(0)))
}

/// A reply's first line, and whether more belong to it.
fn begin(line: &[u8]) -> Result<(Reply, bool), ReplyError> {
    let malformed = || ReplyError::Malformed {
        line: escape(line, 200),
    };
    let Some((code, separator)) = split(line) else {
        let protocol = match line {
            [b'S', b'S', b'H', b'-', ..] => "SSH (for SFTP use another client)",
            [b'H', b'T', b'T', b'P', b'/', ..] => "HTTP",
            [b'+', b'O', b'K', ..] => "POP3",
            [b'*', b' ', b'O', b'K', ..] => "IMAP",
            // A TLS alert or hello.
            [0x15 | 0x16, 3, ..] => "TLS (try implicit TLS)",
            _ => return Err(malformed()),
        };
        return Err(ReplyError::OtherProtocol {
            protocol,
            line: escape(line, 200),
        });
    };
    let more = match separator {
        b'-' => true,
        b' ' | 0 => false,
        // "220Welcome": seen, and harmless. A fourth digit is not.
        byte if byte.is_ascii_digit() => return Err(malformed()),
        _ => {
            let text = line[3..].to_vec();
            return Ok((
                Reply {
                    code,
                    lines: vec![text],
                },
                false,
            ));
        }
    };
    let text = line.get(4..).unwrap_or_default().to_vec();
    Ok((
        Reply {
            code,
            lines: vec![text],
        },
        more,
    ))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(bytes: &[u8]) -> Result<Vec<Reply>, ReplyError> {
        decode_pieces(&[bytes])
    }

    fn decode_pieces(pieces: &[&[u8]]) -> Result<Vec<Reply>, ReplyError> {
        let (mut decoder, mut buffer) = (ReplyDecoder::new(), BytesMut::new());
        let mut out = Vec::new();
        for piece in pieces {
            buffer.extend_from_slice(piece);
            while let Some(reply) = decoder.decode(&mut buffer)? {
                out.push(reply);
            }
        }
        Ok(out)
    }

    #[test]
    fn masks() {
        let code = Code::new(250).unwrap();
        for yes in ["2xx", "25x", "250", "2", "", "xxx", "x5"] {
            assert!(code.matches(yes), "{yes}");
        }
        for no in ["3xx", "x4x", "251", "1"] {
            assert!(!code.matches(no), "{no}");
        }
    }

    #[test]
    fn one_line_and_several() {
        assert_eq!(
            decode(b"220 hello\r\n").unwrap(),
            [Reply::new(220, "hello")]
        );
        assert_eq!(decode(b"220\r\n").unwrap(), [Reply::new(220, "")]);
        assert_eq!(decode(b"220Hi\r\n").unwrap(), [Reply::new(220, "Hi")]);
        let got =
            decode(b"230-a\r\n221 not the end\r\n230-nor this\r\n 230 nor\r\n\r\n230 end\r\n")
                .unwrap();
        let lines: [&[u8]; 6] = [
            b"a",
            b"221 not the end",
            b"230-nor this",
            b" 230 nor",
            b"",
            b"end",
        ];
        assert_eq!(got[0].lines, lines);
        assert_eq!(decode(b"211-a\n211\n200 b\r\n").unwrap().len(), 2);
    }

    #[test]
    fn what_is_sent_comes_back() {
        let reply = Reply::multi(
            211,
            [b"Features:".to_vec(), b" MDTM".to_vec(), b"End".to_vec()],
        );
        let mut out = BytesMut::new();
        reply.encode(&mut out);
        assert_eq!(&out[..], b"211-Features:\r\n MDTM\r\n211 End\r\n");
        assert_eq!(decode(&out).unwrap(), [reply]);
        let mut out = BytesMut::new();
        Reply::new(257, "a\r\n500 b").encode(&mut out);
        assert_eq!(&out[..], b"257 a  500 b\r\n");
    }

    #[test]
    fn other_protocols_are_named() {
        for (line, name) in [
            (&b"SSH-2.0-OpenSSH_9.2\r\n"[..], "SSH"),
            (b"HTTP/1.1 400 Bad Request\r\n", "HTTP"),
            (b"+OK ready\r\n", "POP3"),
            (b"\x15\x03\x01\x00\x02\r\n", "TLS"),
        ] {
            let error = decode(line).unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
        }
        for bad in [
            &b"hello\r\n"[..],
            b"2200 x\r\n",
            b"99 x\r\n",
            b"700 x\r\n",
            b"000 x\r\n",
            b"\xff\xff\r\n",
        ] {
            assert!(
                matches!(decode(bad), Err(ReplyError::Malformed { .. })),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn everything_is_bounded() {
        assert!(decode(&[b"220 ".to_vec(), vec![b'x'; 17_000], b"\r\n".to_vec()].concat()).is_ok());
        assert!(decode(&vec![b'x'; LINE + 1]).is_err());
        let many = [b"220-a\r\n".to_vec(), b"b\r\n".repeat(LINES)].concat();
        assert!(matches!(
            decode(&many),
            Err(ReplyError::TooLong { unit: "lines", .. })
        ));
        let line = [vec![b'x'; 60_000], b"\r\n".to_vec()].concat();
        let big = [b"220-a\r\n".to_vec(), line.repeat(20)].concat();
        assert!(matches!(
            decode(&big),
            Err(ReplyError::TooLong { unit: "bytes", .. })
        ));
    }

    #[test]
    fn ends_that_only_silence_shows() {
        let mut decoder = ReplyDecoder::new();
        let mut buffer = BytesMut::from(&b"220 hello\r"[..]);
        assert_eq!(decoder.decode(&mut buffer).unwrap(), None);
        assert!(decoder.may_be_over(&buffer));
        let reply = decoder.give_in(&mut buffer).unwrap().unwrap();
        assert_eq!(reply, Reply::new(220, "hello"));
        // The LF was late.
        buffer.extend_from_slice(b"\n331 next\r\n");
        let reply = decoder.decode(&mut buffer).unwrap().unwrap();
        assert_eq!(reply, Reply::new(331, "next"));

        buffer.extend_from_slice(b"230-welcome\r\n100 of us\r\n");
        assert_eq!(decoder.decode(&mut buffer).unwrap(), None);
        assert!(!decoder.may_be_over(&buffer));
        assert_eq!(decoder.give_in(&mut buffer).unwrap(), None);
        buffer.extend_from_slice(b"232 go on\r\n2");
        assert_eq!(decoder.decode(&mut buffer).unwrap(), None);
        assert!(!decoder.may_be_over(&buffer), "a line has begun");
        buffer.clear();
        assert!(decoder.may_be_over(&buffer));
        let reply = decoder.give_in(&mut buffer).unwrap().unwrap();
        assert_eq!(reply.code.value(), 232);
        assert_eq!(reply.lines, [&b"welcome"[..], b"100 of us", b"go on"]);
        assert!(!decoder.is_inside());
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_split_decode_the_same(
            bytes in prop::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'2'), Just(b'0'), Just(b'-'), Just(b' '), any::<u8>()], 0..200),
            cut in 0usize..200,
        ) {
            let cut = cut.min(bytes.len());
            prop_assert_eq!(decode(&bytes), decode_pieces(&[&bytes[..cut], &bytes[cut..]]));
        }

        #[test]
        fn encoding_and_decoding_are_inverse(code in 100u16..700, lines in prop::collection::vec("[ -/:-~]{0,20}", 1..6)) {
            let reply = Reply::multi(code, lines.into_iter().map(String::into_bytes));
            let mut out = BytesMut::new();
            reply.encode(&mut out);
            prop_assert_eq!(decode(&out).unwrap(), [reply]);
        }
    }
}
