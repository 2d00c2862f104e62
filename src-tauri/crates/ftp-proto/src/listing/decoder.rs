use jiff::Timestamp;

use super::{Line, parse_list_line, parse_mlsx};

/// The longest line of a listing, in bytes. Of a longer one this much is kept, as an unparsed line.
pub const MAX_LINE: usize = 64 * 1024;

/// Cuts a listing into lines as it comes in, and reads them.
///
/// Lines end with CR LF, LF, CR, or CR NUL. It holds what was fed and not yet taken, so take all lines after each
/// [`feed`](Self::feed): then no more than one line stays behind.
#[derive(Debug)]
pub struct ListingDecoder {
    dialect: Dialect,
    buffer: Vec<u8>,
    /// Where the current line begins.
    start: usize,
    /// Up to where no line end was found.
    scanned: usize,
    state: State,
    after_cr: bool,
    finished: bool,
}

#[derive(Debug, Clone, Copy)]
enum Dialect {
    Mlsd,
    List(Timestamp),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    First,
    Line,
    /// In a line of which the beginning was already given out.
    Overlong,
}

impl ListingDecoder {
    /// For the answer to MLSD.
    #[must_use]
    pub fn mlsd() -> Self {
        Self::new(Dialect::Mlsd)
    }

    /// For the answer to LIST; `now` resolves dates without a year, see [`parse_list_line`].
    #[must_use]
    pub fn list(now: Timestamp) -> Self {
        Self::new(Dialect::List(now))
    }

    fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            buffer: Vec::new(),
            start: 0,
            scanned: 0,
            state: State::First,
            after_cr: false,
            finished: false,
        }
    }

    /// Adds bytes from the data connection.
    pub fn feed(&mut self, bytes: &[u8]) {
        // Only where at least as much is dropped as is moved, so that the moves stay cheap however small the pieces are.
        if self.start > 0 && self.start * 2 >= self.buffer.len() {
            self.buffer.copy_within(self.start.., 0);
            self.buffer.truncate(self.buffer.len() - self.start);
            self.scanned -= self.start;
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Says that nothing more will come: a last line without an end counts.
    pub fn finish(&mut self) {
        self.finished = true;
    }

    /// The next line that says something: never [`Line::Skip`]. `None` means that more bytes are needed, or after
    /// [`finish`](Self::finish), that this was all.
    pub fn next_line(&mut self) -> Option<Line> {
        loop {
            let (start, end) = match self.cut()? {
                Cut::Line(start, end) => (start, end),
                Cut::Overlong(start, end) => {
                    return Some(Line::Unparsed(self.buffer[start..end].to_vec()));
                }
            };
            match self.read(&self.buffer[start..end]) {
                Line::Skip => {}
                line => return Some(line),
            }
        }
    }

    fn read(&self, line: &[u8]) -> Line {
        match self.dialect {
            _ if line.is_empty() => Line::Skip,
            Dialect::List(now) => parse_list_line(line, now),
            Dialect::Mlsd => match parse_mlsx(line) {
                Ok(entry) => Line::Entry(entry),
                Err(_) => Line::Unparsed(line.to_vec()),
            },
        }
    }

    /// Takes the next line out of the buffer, without its end.
    fn cut(&mut self) -> Option<Cut> {
        loop {
            if self.after_cr && self.start < self.buffer.len() {
                // The rest of CR LF or CR NUL.
                if matches!(self.buffer[self.start], b'\n' | 0) {
                    self.start += 1;
                    self.scanned = self.scanned.max(self.start);
                }
                self.after_cr = false;
            }
            let found = self.buffer[self.scanned..]
                .iter()
                .position(|byte| matches!(byte, b'\r' | b'\n'));
            let end = match found {
                Some(offset) => self.scanned + offset,
                None => self.buffer.len(),
            };
            let ended = found.is_some() || (self.finished && end > self.start);
            let begin = self.start;
            let was = self.state;
            if was != State::Overlong && end - begin > MAX_LINE {
                // The rest of it is dropped as it comes.
                self.state = State::Overlong;
                self.start = begin + MAX_LINE;
                self.scanned = self.start;
                return Some(Cut::Overlong(begin, begin + MAX_LINE));
            }
            if !ended {
                self.scanned = end;
                if was == State::Overlong {
                    self.start = end;
                }
                return None;
            }
            self.after_cr = self.buffer.get(end) == Some(&b'\r');
            self.start = (end + 1).min(self.buffer.len());
            self.scanned = self.start;
            self.state = State::Line;
            match was {
                State::Overlong => {}
                State::First if self.buffer[begin..end].starts_with(b"\xef\xbb\xbf") => {
                    return Some(Cut::Line(begin + 3, end));
                }
                _ => return Some(Cut::Line(begin, end)),
            }
        }
    }
}

enum Cut {
    Line(usize, usize),
    Overlong(usize, usize),
}
