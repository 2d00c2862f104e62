//! The answer to NLST: a name a line.

use ftp_proto::listing::{Entry, Kind, Line, MAX_LINE};

/// Cuts it into lines. What is before the last slash of a line is the folder, which some servers put before every name.
#[derive(Default)]
pub(super) struct NameDecoder {
    buffer: Vec<u8>,
    start: usize,
    finished: bool,
    /// In a line that was too long, and was given out already.
    overlong: bool,
}

impl NameDecoder {
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    pub(super) const fn finish(&mut self) {
        self.finished = true;
    }

    pub(super) fn next_line(&mut self) -> Option<Line> {
        loop {
            let rest = &self.buffer[self.start..];
            let end = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let (line, next) = match end {
                Some(end) => (&rest[..end], end + 1),
                None if rest.len() > MAX_LINE => (rest, rest.len()),
                None if self.finished && !rest.is_empty() => (rest, rest.len()),
                None => return None,
            };
            let begun = self.overlong;
            self.overlong = end.is_none() && line.len() > MAX_LINE || begun && end.is_none();
            let read = match line {
                _ if begun => Line::Skip,
                line if line.len() > MAX_LINE => Line::Unparsed(line[..MAX_LINE].to_vec()),
                line => entry(line),
            };
            self.start += next;
            if read != Line::Skip {
                return Some(read);
            }
        }
    }
}

fn entry(line: &[u8]) -> Line {
    let name = line.rsplit(|byte| *byte == b'/').next().unwrap_or(line);
    // A folder with a mark at its end.
    let (name, kind) = match name {
        b"" => {
            let before = line.strip_suffix(b"/").unwrap_or_default();
            let name = before.rsplit(|byte| *byte == b'/').next();
            (name.unwrap_or_default(), Kind::Dir)
        }
        name => (name, Kind::Other),
    };
    if name.is_empty() {
        return Line::Skip;
    }
    let mut entry = Entry::new(name, kind);
    entry.raw = line.to_vec();
    Line::Entry(entry)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn names(pieces: &[&[u8]]) -> Vec<(Vec<u8>, Kind)> {
        let mut decoder = NameDecoder::default();
        let mut lines = Vec::new();
        for piece in pieces {
            decoder.feed(piece);
            lines.extend(std::iter::from_fn(|| decoder.next_line()));
        }
        decoder.finish();
        lines.extend(std::iter::from_fn(|| decoder.next_line()));
        lines
            .into_iter()
            .map(|line| match line {
                Line::Entry(entry) => (entry.name, entry.kind),
                Line::Unparsed(line) => (line, Kind::Other),
                Line::Skip => panic!(),
            })
            .collect()
    }

    #[test]
    fn a_name_a_line() {
        let found = names(&[b"a\r\n./b \r\n/pub/c", b" d\nsub/\r\n\r\n", b"last"]);
        let wanted: [(&[u8], Kind); 5] = [
            (b"a", Kind::Other),
            (b"b ", Kind::Other),
            (b"c d", Kind::Other),
            (b"sub", Kind::Dir),
            (b"last", Kind::Other),
        ];
        assert_eq!(found, wanted.map(|(name, kind)| (name.to_vec(), kind)));
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let piece = [b'x'; 50_000];
        let found = names(&[&piece, &piece, &piece, b"\r\nnext\r\n"]);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].0.len(), MAX_LINE);
        assert_eq!(found[1].0, b"next");
    }
}
