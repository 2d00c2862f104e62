use jiff::Timestamp;
use memchr::memchr2;

use super::{
    Line, ListParsers,
    ebcdic::{self, Sniffer},
    reader::Reader,
};

/// The longest line of a listing, in bytes. Of a longer one this much is kept, as an unparsed line.
pub const MAX_LINE: usize = 64 * 1024;

/// Cuts a listing into lines as it comes in, and reads them, in the order in which they came.
///
/// Lines end with CR LF, LF, CR, or CR NUL; a listing in EBCDIC becomes UTF-8 first. The dialect is found out from the
/// lines: where the first ones may be several things, up to 64 of them are held back until it is clear. Beside these it
/// holds what was fed and not yet taken, so take all lines after each [`feed`](Self::feed).
///
/// Whatever was asked for, servers answer MLSD with lines of LIST, and the other way round; both are read.
#[derive(Debug)]
pub struct ListingDecoder {
    reader: Reader,
    coding: Coding,
    buffer: Vec<u8>,
    /// Where the current line begins.
    start: usize,
    /// Up to where no line end was found.
    scanned: usize,
    state: State,
    after_cr: bool,
    finished: bool,
}

#[derive(Debug)]
enum Coding {
    /// The first line will tell.
    Unknown(Sniffer),
    Ascii,
    Ebcdic,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    First,
    Line,
    /// In a line of which the beginning was already given out.
    Overlong,
}

impl ListingDecoder {
    /// For the answer to MLSD, of which every time has its year.
    #[must_use]
    pub fn mlsd() -> Self {
        Self::mlsd_at(Timestamp::UNIX_EPOCH)
    }

    /// For the answer to MLSD; `now` is for servers that answer with lines of LIST.
    #[must_use]
    pub fn mlsd_at(now: Timestamp) -> Self {
        Self::new(Reader::new(true, now))
    }

    /// For the answer to LIST; `now` resolves dates without a year, see [`parse_list_line`](super::parse_list_line).
    #[must_use]
    pub fn list(now: Timestamp) -> Self {
        Self::new(Reader::new(false, now))
    }

    /// Asks these parsers too. To be called before anything is fed.
    #[must_use]
    pub fn with_parsers(mut self, parsers: ListParsers) -> Self {
        self.reader.set_parsers(parsers);
        self
    }

    fn new(reader: Reader) -> Self {
        Self {
            reader,
            coding: Coding::Unknown(Sniffer::default()),
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
        match self.coding {
            Coding::Ebcdic => ebcdic::decode(bytes, &mut self.buffer),
            _ => self.buffer.extend_from_slice(bytes),
        }
    }

    /// Says that nothing more will come: a last line without an end counts.
    pub fn finish(&mut self) {
        self.finished = true;
    }

    /// The next line that says something: never [`Line::Skip`]. `None` means that more bytes are needed, or after
    /// [`finish`](Self::finish), that this was all.
    pub fn next_line(&mut self) -> Option<Line> {
        if let Some(line) = self.reader.pop() {
            return Some(line);
        }
        loop {
            let read = match self.cut() {
                Some(Cut::Line(start, end)) if start < end => {
                    self.reader.read(&self.buffer[start..end])
                }
                Some(Cut::Line(..)) => None,
                Some(Cut::Overlong(start, end)) => {
                    self.reader.unparsed(&self.buffer[start..end]);
                    self.reader.pop()
                }
                None => {
                    if self.finished {
                        self.reader.finish();
                    }
                    return self.reader.pop();
                }
            };
            if read.is_some() {
                return read;
            }
        }
    }

    /// Whether it is known what the bytes mean. The first line tells.
    fn knows_coding(&mut self) -> bool {
        let Coding::Unknown(sniffer) = &mut self.coding else {
            return true;
        };
        match sniffer.look(&self.buffer, self.finished) {
            Some(true) => {
                let mut decoded = Vec::with_capacity(self.buffer.len() + 16);
                ebcdic::decode(&self.buffer, &mut decoded);
                self.buffer = decoded;
                self.coding = Coding::Ebcdic;
            }
            Some(false) => self.coding = Coding::Ascii,
            None => return false,
        }
        true
    }

    /// Takes the next line out of the buffer, without its end.
    fn cut(&mut self) -> Option<Cut> {
        if matches!(self.coding, Coding::Unknown(_)) && !self.knows_coding() {
            return None;
        }
        loop {
            if self.after_cr && self.start < self.buffer.len() {
                // The rest of CR LF or CR NUL.
                if matches!(self.buffer[self.start], b'\n' | 0) {
                    self.start += 1;
                    self.scanned = self.scanned.max(self.start);
                }
                self.after_cr = false;
            }
            let found = match &self.buffer[self.scanned..] {
                // For some bytes a plain loop is faster.
                few if few.len() < 16 => few.iter().position(|byte| matches!(byte, b'\r' | b'\n')),
                many => memchr2(b'\r', b'\n', many),
            };
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::Index};

    use super::*;
    use crate::listing::Kind;

    fn all(mut decoder: ListingDecoder, pieces: &[&[u8]]) -> Vec<Line> {
        let mut lines = Vec::new();
        for piece in pieces {
            decoder.feed(piece);
            lines.extend(std::iter::from_fn(|| decoder.next_line()));
        }
        decoder.finish();
        lines.extend(std::iter::from_fn(|| decoder.next_line()));
        assert_eq!(decoder.next_line(), None);
        lines
    }

    fn names(lines: &[Line]) -> Vec<&[u8]> {
        lines
            .iter()
            .map(|line| match line {
                Line::Entry(entry) => entry.name.as_slice(),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn every_line_end_ends_a_line() {
        let listing = b"type=file; a\r\ntype=file; b\ntype=file; c\r\0type=file; d\rtype=file; e\r\r\n\n\r\0type=dir; f ";
        let lines = all(ListingDecoder::mlsd(), &[listing]);
        assert_eq!(names(&lines), [&b"a"[..], b"b", b"c", b"d", b"e", b"f "]);
        assert!(
            matches!(&lines[5], Line::Entry(entry) if entry.kind == Kind::Dir && entry.raw == b"type=dir; f ")
        );
    }

    /// Somebody could walk into it as into any other.
    #[test]
    fn a_second_current_folder_that_is_called_two_dots_is_the_one_above() {
        let listing = b"type=cdir; /here\r\ntype=cdir; ..\r\ntype=cdir; sub\r\n";
        let lines = all(ListingDecoder::mlsd(), &[listing]);
        let kinds: Vec<_> = lines
            .iter()
            .map(|line| match line {
                Line::Entry(entry) => entry.kind,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(kinds, [Kind::CurrentDir, Kind::ParentDir, Kind::Dir]);
    }

    #[test]
    fn a_line_is_there_as_soon_as_its_end_is() {
        let mut decoder = ListingDecoder::mlsd();
        decoder.feed(b"type=file; a");
        assert_eq!(decoder.next_line(), None);
        decoder.feed(b"b\r");
        assert_eq!(names(&[decoder.next_line().unwrap()]), [b"ab"]);
        decoder.feed(b"\n");
        assert_eq!(decoder.next_line(), None);
    }

    #[test]
    fn what_says_nothing_does_not_come_out_and_rubbish_does() {
        let now = "2024-07-15T12:00:00Z".parse().unwrap();
        let listing =
            b"\xef\xbb\xbftotal 12\r\n\r\n-rw-r--r-- 1 u g 7 Jan  1 10:00 n\r\nls: denied\r\n";
        let lines = all(ListingDecoder::list(now), &[listing]);
        assert_eq!(names(&lines[..1]), [b"n"]);
        assert_eq!(lines[1..], [Line::Unparsed(b"ls: denied".to_vec())]);
        assert_eq!(
            all(ListingDecoder::mlsd(), &[b"oops\r\n"]),
            [Line::Unparsed(b"oops".to_vec())]
        );
        assert_eq!(all(ListingDecoder::mlsd(), &[]), []);
    }

    #[test]
    fn an_overlong_line_is_cut_and_the_next_one_is_read() {
        for length in [MAX_LINE - 1, MAX_LINE, MAX_LINE + 1, MAX_LINE * 3] {
            let head = b"type=file; ";
            let mut listing = head.to_vec();
            listing.resize(length, b'x');
            listing.extend_from_slice(b"\r\ntype=file; next\r\n");
            let whole = all(ListingDecoder::mlsd(), &[&listing]);
            assert_eq!(whole.len(), 2, "{length}");
            assert_eq!(names(&whole[1..]), [b"next"]);
            match &whole[0] {
                Line::Entry(entry) => {
                    assert_eq!((entry.raw.len(), length <= MAX_LINE), (length, true))
                }
                Line::Unparsed(cut) => assert_eq!((cut.len(), length > MAX_LINE), (MAX_LINE, true)),
                Line::Skip => panic!(),
            }
            let pieces: Vec<&[u8]> = listing.chunks(1000).collect();
            assert_eq!(all(ListingDecoder::mlsd(), &pieces), whole);
        }
    }

    #[test]
    fn an_endless_line_needs_no_more_memory_than_a_long_one() {
        let mut decoder = ListingDecoder::mlsd();
        let mut lines = 0;
        for _ in 0..2000 {
            decoder.feed(&[b'x'; 1024]);
            lines += std::iter::from_fn(|| decoder.next_line()).count();
        }
        assert_eq!(lines, 1);
        assert!(
            decoder.buffer.capacity() <= 4 * MAX_LINE,
            "{}",
            decoder.buffer.capacity()
        );
    }

    /// Lines taken one at a time while more comes in: what was taken must not be moved again and again.
    #[test]
    fn a_slow_reader_costs_no_more() {
        let line = b"type=file;size=3; name\r\n";
        let mut decoder = ListingDecoder::mlsd();
        decoder.feed(&line.repeat(20_000));
        let mut moved = 0;
        for _ in 0..20_000 {
            let before = decoder.start;
            decoder.feed(b"");
            if decoder.start < before {
                moved += decoder.buffer.len();
            }
            assert!(decoder.next_line().is_some());
        }
        assert!(moved <= 20_000 * line.len(), "{moved}");
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_lines(
            words in vec(proptest::sample::select(vec![
                &b"type=file;size=3; a b"[..], b"type=dir; ", b"\r\n", b"\r\n", b"\n", b"\r", b"\0", b" ", b"\xff",
                b"\xef\xbb\xbf", b"total 3", b"-rw-r--r-- 1 u g 7 Jan  1 10:00 n",
                b"drwxr-xr-x 1 u g 7 Jan  1  2001 m", b"02-09-24  05:05PM       <DIR>          d",
            ]), 0..30),
            cuts in vec(any::<Index>(), 0..12),
            list in any::<bool>(),
        ) {
            let listing = words.concat();
            let new = || match list {
                true => ListingDecoder::list(Timestamp::UNIX_EPOCH),
                false => ListingDecoder::mlsd(),
            };
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(listing.len() + 1)).collect();
            cuts.extend([0, listing.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &listing[pair[0]..pair[1]]).collect();
            let single: Vec<&[u8]> = listing.chunks(1).collect();
            let whole = all(new(), &[&listing]);
            prop_assert_eq!(&all(new(), &pieces), &whole);
            prop_assert_eq!(&all(new(), &single), &whole);
            for line in &whole {
                match line {
                    Line::Entry(entry) => prop_assert!(!entry.name.iter().any(|byte| matches!(byte, b'\r' | b'\n'))),
                    Line::Unparsed(raw) => prop_assert!(!raw.is_empty()),
                    Line::Skip => prop_assert!(false, "a skipped line came out"),
                }
            }
        }
    }
}
