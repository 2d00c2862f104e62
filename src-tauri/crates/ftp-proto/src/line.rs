use bytes::{Buf, BytesMut};

/// Takes lines out of a stream, whatever pieces it comes in. A line ends with CRLF, a lone LF, a lone CR
/// followed by anything but NUL or LF, or NUL; CR NUL stands for a CR in the text in Telnet, and ends the line
/// here as well, since no reply may hold one. For a server only LF ends a line, with a CR before it or without: cut at
/// a lone CR or at a NUL, `DELE a\rb` would delete another file than the client named, and `b` be a command.
#[derive(Debug, Clone)]
pub struct LineDecoder {
    limit: usize,
    /// How much of the buffer holds no line end.
    seen: usize,
    telnet: bool,
}

/// A line that is longer than it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a line of more than {limit} bytes")]
pub struct LineError {
    /// The limit in bytes, without the line end.
    pub limit: usize,
}

impl LineDecoder {
    /// Lines of at most `limit` bytes, without their end.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self {
            limit,
            seen: 0,
            telnet: false,
        }
    }

    /// The same, with Telnet's own commands taken out of the lines (RFC 959 section 4.1.3: a client sends
    /// IAC IP IAC DM before ABOR), and ended by LF alone. For servers.
    #[must_use]
    pub const fn without_telnet(mut self) -> Self {
        self.telnet = true;
        self
    }

    /// Another limit from now on: a server allows more after the login.
    pub const fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// True where the buffer ends with a CR, and only what follows can tell whether an LF belongs to it.
    #[must_use]
    pub fn is_at_cr(&self, buffer: &BytesMut) -> bool {
        !self.telnet && buffer.last() == Some(&b'\r') && self.seen + 1 == buffer.len()
    }

    /// Takes that CR for the line's end. For when nothing follows: there are servers that end their lines with CR alone. An LF that
    /// comes later all the same ends an empty line.
    pub fn end_at_cr(&mut self, buffer: &mut BytesMut) -> Option<Vec<u8>> {
        if !self.is_at_cr(buffer) {
            return None;
        }
        let line = buffer.split_to(self.seen).to_vec();
        buffer.advance(1);
        self.seen = 0;
        Some(line)
    }

    /// The next line without its end, or `None` while it is incomplete. Empty lines come out too.
    ///
    /// # Errors
    /// [`LineError`] where more than the limit is there without a line end. The stream can't be used after it.
    pub fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Vec<u8>>, LineError> {
        let found = buffer[self.seen..]
            .iter()
            .position(|byte| *byte == b'\n' || (!self.telnet && matches!(byte, b'\r' | 0)))
            .map(|at| at + self.seen);
        let Some(end) = found else {
            self.seen = buffer.len();
            let before = usize::from(self.telnet && buffer.last() == Some(&b'\r'));
            return self.bound(buffer.len() - before).map(|()| None);
        };
        // The CR of a server's line end stands before what was found.
        let before = usize::from(self.telnet && end > 0 && buffer[end - 1] == b'\r');
        self.bound(end - before)?;
        let ending = match (buffer[end], buffer.get(end + 1)) {
            (b'\r', Some(b'\n' | 0)) => 2,
            // Whether an LF belongs to this CR is not known yet.
            (b'\r', None) => {
                self.seen = end;
                return Ok(None);
            }
            _ => 1,
        };
        let mut line = buffer.split_to(end).to_vec();
        buffer.advance(ending);
        self.seen = 0;
        if !self.telnet {
            return Ok(Some(line));
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(Some(strip_telnet(&line)))
    }

    const fn bound(&self, len: usize) -> Result<(), LineError> {
        if len > self.limit {
            return Err(LineError { limit: self.limit });
        }
        Ok(())
    }
}

/// Takes out IAC and its command: three bytes for the negotiations, two otherwise, and IAC IAC is a
/// byte 255 in a name (RFC 854).
fn strip_telnet(line: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(line.len());
    let mut rest = line;
    while let [first, tail @ ..] = rest {
        rest = match (*first, tail) {
            (255, [255, after @ ..]) => {
                out.push(255);
                after
            }
            (255, [251..=254, _, after @ ..]) => after,
            (255, [240..=250, after @ ..]) => after,
            // A lone 255 is a byte of a name in some old charset.
            (byte, after) => {
                // The data mark may arrive without its IAC when urgent data went another way.
                if !(byte == 242 && out.is_empty()) {
                    out.push(byte);
                }
                after
            }
        };
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(decoder: &mut LineDecoder, pieces: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut buffer = BytesMut::new();
        let mut out = Vec::new();
        for piece in pieces {
            buffer.extend_from_slice(piece);
            while let Some(line) = decoder.decode(&mut buffer).unwrap() {
                out.push(line);
            }
        }
        out
    }

    #[test]
    fn every_line_end() {
        let got = lines(&mut LineDecoder::new(99), &[b"a\r\nb\nc\rd\r\0e\0\r\n"]);
        assert_eq!(got, [&b"a"[..], b"b", b"c", b"d", b"e", b""]);
    }

    #[test]
    fn too_long_is_an_error_with_and_without_its_end() {
        let mut decoder = LineDecoder::new(3);
        assert!(
            decoder
                .decode(&mut BytesMut::from(&b"abc"[..]))
                .unwrap()
                .is_none()
        );
        assert!(
            LineDecoder::new(3)
                .decode(&mut BytesMut::from(&b"abcd"[..]))
                .is_err()
        );
        assert!(
            LineDecoder::new(3)
                .decode(&mut BytesMut::from(&b"abcd\r\n"[..]))
                .is_err()
        );
        assert!(
            LineDecoder::new(3)
                .decode(&mut BytesMut::from(&b"abc\r\n"[..]))
                .unwrap()
                .is_some()
        );
    }

    #[test]
    fn telnet_is_taken_out() {
        let mut decoder = LineDecoder::new(99).without_telnet();
        let got = lines(
            &mut decoder,
            &[b"\xff\xf4\xff\xf2ABOR\r\n\xf2ABOR\r\na\xff\xffb\r\n\xff\xfd\x01X\r\n"],
        );
        assert_eq!(got, [&b"ABOR"[..], b"ABOR", b"a\xffb", b"X"]);
        let got = lines(&mut decoder, &[b"DELE a\0b\r\n"]);
        assert_eq!(got, [&b"DELE a\0b"[..]]);
        let got = lines(
            &mut decoder,
            &[b"DELE a\rNOOP\r\nDELE a\r\0b\nX\r", b"\nY\r\r\n"],
        );
        assert_eq!(got, [&b"DELE a\rNOOP"[..], b"DELE a\r\0b", b"X", b"Y\r"]);
        let mut short = LineDecoder::new(3).without_telnet();
        assert_eq!(lines(&mut short, &[b"abc\r", b"\n"]), [b"abc"]);
        let mut long = BytesMut::from(&b"abcd\r\n"[..]);
        assert!(short.decode(&mut long).is_err());
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_lines(bytes: Vec<u8>, cuts in prop::collection::vec(0usize..64, 0..6)) {
            let whole = lines(&mut LineDecoder::new(999), &[&bytes]);
            let mut pieces = Vec::new();
            let mut rest = &bytes[..];
            for cut in cuts {
                let (head, tail) = rest.split_at(cut.min(rest.len()));
                pieces.push(head);
                rest = tail;
            }
            pieces.push(rest);
            prop_assert_eq!(lines(&mut LineDecoder::new(999), &pieces), whole);
        }
    }
}
