//! The lines of a batch, one at a time, however they come.

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _};

/// A longer line is no item: it is passed over, and reported.
pub(super) const LONGEST: usize = 64 * 1024 * 1024;

/// One line of a batch.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Whole(Vec<u8>),
    TooLong,
}

/// Reads line after line. A future of [`next`](Self::next) may be dropped and asked for again.
pub(super) struct Lines<R> {
    reader: R,
    line: Vec<u8>,
    too_long: bool,
    number: u64,
    limit: usize,
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Self {
            reader,
            line: Vec::new(),
            too_long: false,
            number: 0,
            limit: LONGEST,
        }
    }

    /// The next line that is not blank, and its number, from 1 on. `None` at the end.
    pub(super) async fn next(&mut self) -> std::io::Result<Option<(u64, Line)>> {
        loop {
            let buffer = self.reader.fill_buf().await?;
            let is_end = buffer.is_empty();
            let (piece, used) = match buffer.iter().position(|byte| *byte == b'\n') {
                Some(at) => (&buffer[..at], at + 1),
                None => (buffer, buffer.len()),
            };
            if self.line.len() + piece.len() > self.limit {
                self.too_long = true;
                self.line = Vec::new();
            }
            if !self.too_long {
                self.line.extend_from_slice(piece);
            }
            let is_whole = used > piece.len();
            self.reader.consume(used);
            if !is_whole && !is_end {
                continue;
            }
            let line = std::mem::take(&mut self.line);
            let too_long = std::mem::take(&mut self.too_long);
            if is_end && line.is_empty() && !too_long {
                return Ok(None);
            }
            self.number += 1;
            if too_long {
                return Ok(Some((self.number, Line::TooLong)));
            }
            let text = match line.strip_prefix(b"\xef\xbb\xbf") {
                Some(rest) if self.number == 1 => rest.to_vec(),
                _ => line,
            };
            if !text.trim_ascii().is_empty() {
                return Ok(Some((self.number, Line::Whole(text))));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    async fn all(text: &[u8], limit: usize) -> Vec<(u64, Line)> {
        // A small buffer, so that lines come in pieces.
        let reader = tokio::io::BufReader::with_capacity(3, text);
        let mut lines = Lines::new(reader);
        lines.limit = limit;
        let mut found = Vec::new();
        while let Some(line) = lines.next().await.unwrap() {
            found.push(line);
        }
        found
    }

    #[tokio::test]
    async fn lines_are_counted_and_bounded() {
        let whole = |text: &str| Line::Whole(text.as_bytes().to_vec());
        let text = b"\xef\xbb\xbfone\n\n  \r\ntwo\r\n0123456789\nthree";
        assert_eq!(
            all(text, 8).await,
            [
                (1, whole("one")),
                (4, whole("two\r")),
                (5, Line::TooLong),
                (6, whole("three"))
            ]
        );
        assert_eq!(all(b"", 8).await, []);
        assert_eq!(all(b"0123456789", 8).await, [(1, Line::TooLong)]);
    }
}
