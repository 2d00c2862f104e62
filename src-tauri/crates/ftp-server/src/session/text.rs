//! TYPE A (RFC 959 section 3.1.1.1): lines end with CRLF on the wire, and with LF in the tree.

use bytes::{BufMut, Bytes, BytesMut};
use memchr::{memchr, memchr_iter};

use super::transfer::Text;

/// From the tree to the wire: an LF gets its CR, unless it has one already, so that a file that came here in TYPE I with the line ends of
/// another system isn't given two.
#[derive(Debug)]
pub(super) struct ToWire {
    /// The byte before was a CR.
    after_cr: bool,
    skip: u64,
}

impl ToWire {
    pub(super) fn new(text: Text) -> Self {
        Self {
            after_cr: false,
            skip: text.skip,
        }
    }

    /// Whether the text has ended before the place where the transfer was to begin.
    pub(super) fn is_beyond(&self) -> bool {
        self.skip > 0
    }

    /// The next bytes as they go over the wire. Never empty where `data` isn't, as long as nothing is skipped.
    pub(super) fn convert(&mut self, data: &[u8]) -> Bytes {
        let mut out = BytesMut::with_capacity(data.len() + data.len() / 16 + 16);
        let mut done = 0;
        for at in memchr_iter(b'\n', data) {
            let has_cr = match at {
                0 => self.after_cr,
                at => data[at - 1] == b'\r',
            };
            out.put_slice(&data[done..at]);
            if !has_cr {
                out.put_u8(b'\r');
            }
            done = at;
        }
        out.put_slice(&data[done..]);
        if let Some(last) = data.last() {
            self.after_cr = *last == b'\r';
        }
        let skipped = usize::try_from(self.skip)
            .unwrap_or(usize::MAX)
            .min(out.len());
        self.skip -= skipped as u64;
        out.split_off(skipped).freeze()
    }
}

/// From the wire to the tree: CRLF becomes LF; a CR or an LF alone stays what it is.
#[derive(Debug, Default)]
pub(super) struct FromWire {
    /// The last byte was a CR, and is not given out yet.
    cr: bool,
}

impl FromWire {
    pub(super) fn convert(&mut self, data: &[u8]) -> Bytes {
        let mut out = BytesMut::with_capacity(data.len() + 1);
        let mut rest = data;
        if let Some(first) = rest.first()
            && std::mem::take(&mut self.cr)
            && *first != b'\n'
        {
            out.put_u8(b'\r');
        }
        while let Some(at) = memchr(b'\r', rest) {
            out.put_slice(&rest[..at]);
            match rest.get(at + 1) {
                None => self.cr = true,
                Some(b'\n') => {}
                Some(_) => out.put_u8(b'\r'),
            }
            rest = &rest[at + 1..];
        }
        out.put_slice(rest);
        out.freeze()
    }

    /// What was held back, at the end.
    pub(super) fn rest(self) -> Option<Bytes> {
        self.cr.then_some(Bytes::from_static(b"\r"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn to_wire(data: &[u8], piece: usize, skip: u64) -> Vec<u8> {
        let mut text = ToWire::new(Text { skip });
        let pieces = data.chunks(piece);
        pieces.flat_map(|piece| text.convert(piece)).collect()
    }

    fn from_wire(data: &[u8], piece: usize) -> Vec<u8> {
        let mut text = FromWire::default();
        let mut out: Vec<u8> = data
            .chunks(piece)
            .flat_map(|piece| text.convert(piece))
            .collect();
        out.extend(text.rest().unwrap_or_default());
        out
    }

    /// However the bytes are cut into pieces.
    #[test]
    fn both_ways() {
        for piece in 1..8 {
            for (tree, wire) in [
                (&b""[..], &b""[..]),
                (b"\n", b"\r\n"),
                (b"a\nb\n\nc", b"a\r\nb\r\n\r\nc"),
                (b"a\rb\r", b"a\rb\r"),
                (b"\r\r\r", b"\r\r\r"),
            ] {
                assert_eq!(to_wire(tree, piece, 0), wire, "{piece}");
                assert_eq!(from_wire(wire, piece), tree, "{piece}");
            }
            assert_eq!(to_wire(b"a\r\nb\n", piece, 0), b"a\r\nb\r\n");
            assert_eq!(from_wire(b"a\nb\r\r\n", piece), b"a\nb\r\n");
            assert_eq!(to_wire(b"a\nb\n", piece, 2), b"\nb\r\n");
            assert_eq!(to_wire(b"a\nb\n", piece, 9), b"");
        }
    }
}
