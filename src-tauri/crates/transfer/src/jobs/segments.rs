//! How one big download is divided among several connections, and whether it is: arithmetic and measure, nothing else.

use std::time::Duration;

use tokio::time::Instant;

use crate::Segments;
use crate::work::Island;

/// No more of them are kept. There are about as many as there are connections.
const MOST_ISLANDS: usize = 32;

/// When a download goes on by several connections.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rules {
    /// Connections for one download at most; 1: never several.
    pub(crate) most: usize,
    /// So much (bytes) must be left of it.
    pub(crate) least: u64,
    /// No part is smaller than this (bytes).
    pub(crate) smallest: u64,
    /// How long the rate is left alone after something has begun: TCP starts slowly.
    pub(crate) settle: Duration,
    /// How long the rate is then measured.
    pub(crate) measure: Duration,
    /// By this factor one more connection must have raised the rate, or none is added any more.
    pub(crate) gain: f64,
    /// What would be done sooner anyway is not worth another connection.
    pub(crate) soon: Duration,
    /// How often it is noted how far the file is whole.
    pub(crate) note: Duration,
    /// How often all this is looked at.
    pub(crate) tick: Duration,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            most: 4,
            least: 64 << 20,
            smallest: 8 << 20,
            settle: Duration::from_millis(800),
            measure: Duration::from_millis(1200),
            gain: 1.15,
            soon: Duration::from_secs(3),
            note: Duration::from_secs(3),
            tick: Duration::from_millis(200),
        }
    }
}

impl From<Segments> for Rules {
    fn from(segments: Segments) -> Self {
        let usual = Self::default();
        match segments {
            Segments::IfFaster => usual,
            Segments::UpTo(most) => Self {
                most: usize::from(most).clamp(1, 64),
                ..usual
            },
            Segments::Never => Self { most: 1, ..usual },
            Segments::AtOnce => Self {
                least: 1 << 20,
                smallest: 128 << 10,
                settle: Duration::ZERO,
                measure: Duration::from_millis(1),
                gain: 0.0,
                soon: Duration::ZERO,
                note: Duration::from_millis(50),
                tick: Duration::from_millis(2),
                ..usual
            },
        }
    }
}

/// Which part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RangeId(usize);

/// A part that somebody is to fetch: from here, so many bytes; to the end of the file, whatever that turns out to be, if
/// it is the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) id: RangeId,
    pub(super) begin: u64,
    /// `None`: to the end of the file.
    pub(super) length: Option<u64>,
}

#[derive(Debug)]
struct Range {
    begin: u64,
    /// Bytes that are there.
    done: u64,
    end: u64,
    /// Somebody is fetching it. `done` is counted from where that began.
    running: bool,
}

impl Range {
    fn at(&self) -> u64 {
        self.begin.saturating_add(self.done)
    }

    fn left(&self) -> u64 {
        self.end.saturating_sub(self.at())
    }
}

/// The parts of a file from some place on: they cover all of it and never overlap.
#[derive(Debug)]
pub(super) struct Ranges {
    size: u64,
    /// In no order. Those that are complete stay.
    parts: Vec<Range>,
}

impl Ranges {
    /// All of it but for what is there beyond `offset` already; and the first part, which is to be fetched.
    pub(super) fn new(offset: u64, size: u64, islands: &[Island]) -> (Self, Piece) {
        let size = size.max(offset);
        let mut parts = Vec::with_capacity(2 * islands.len() + 1);
        let mut at = offset;
        for &(begin, end) in islands {
            for (begin, end, is_there) in [(at, begin, false), (begin, end, true)] {
                parts.push(Range {
                    begin,
                    done: if is_there { end - begin } else { 0 },
                    end,
                    running: false,
                });
            }
            at = end;
        }
        if at < size || parts.is_empty() {
            parts.push(Range {
                begin: at,
                done: 0,
                end: size,
                running: false,
            });
        }
        parts[0].running = true;
        let ranges = Self { size, parts };
        let piece = ranges.piece(0);
        (ranges, piece)
    }

    fn piece(&self, index: usize) -> Piece {
        let part = &self.parts[index];
        Piece {
            id: RangeId(index),
            begin: part.begin,
            length: (part.end < self.size).then(|| part.end - part.begin),
        }
    }

    /// So many bytes of a part are there. More than there should be are a file that has grown.
    pub(super) fn moved(&mut self, id: RangeId, bytes: u64) {
        let part = &mut self.parts[id.0];
        part.done = part.done.max(bytes);
    }

    /// Nobody fetches it any more. What is left of it is for others.
    pub(super) fn left(&mut self, id: RangeId) {
        let part = &mut self.parts[id.0];
        part.running = false;
        if part.left() > 0 && part.done > 0 {
            // The rest is a part of its own, so that its bytes are counted from its beginning.
            let rest = Range {
                begin: part.at(),
                done: 0,
                end: part.end,
                running: false,
            };
            part.end = rest.begin;
            self.parts.push(rest);
        }
    }

    /// The server's file has ended here in good order. False if that can't be: others are beyond it.
    pub(super) fn ended(&mut self, id: RangeId) -> bool {
        let last = self.parts[id.0].end == self.size;
        let part = &mut self.parts[id.0];
        if part.left() > 0 && last {
            part.end = part.at();
            self.size = part.end;
        }
        let good = part.left() == 0;
        self.left(id);
        good
    }

    /// A part that nobody fetches.
    pub(super) fn take(&mut self) -> Option<Piece> {
        let free = |part: &Range| !part.running && part.left() > 0;
        let index = (0..self.parts.len())
            .filter(|&index| free(&self.parts[index]))
            .min_by_key(|&index| self.parts[index].begin)?;
        self.parts[index].running = true;
        Some(self.piece(index))
    }

    /// The second half of what is left of the largest part, if it is no smaller than this. `cut` ends the first half
    /// after so many bytes of its part, or says that it can't.
    pub(super) fn split(
        &mut self,
        smallest: u64,
        cut: impl FnOnce(RangeId, u64) -> bool,
    ) -> Option<Piece> {
        let (index, part) = self
            .parts
            .iter_mut()
            .enumerate()
            .filter(|(_, part)| part.running)
            .max_by_key(|(_, part)| part.left())?;
        let half = part.left() / 2;
        let border = part.at() + (part.left() - half);
        if half < smallest.max(1) || !cut(RangeId(index), border - part.begin) {
            return None;
        }
        let second = Range {
            begin: border,
            done: 0,
            end: part.end,
            running: true,
        };
        part.end = border;
        self.parts.push(second);
        Some(self.piece(self.parts.len() - 1))
    }

    /// Up to here everything is there.
    pub(super) fn contiguous(&self) -> u64 {
        self.parts
            .iter()
            .filter(|part| part.left() > 0)
            .map(Range::at)
            .min()
            .unwrap_or(self.size)
    }

    /// What is there beyond that, in order, but for islands of fewer bytes than this.
    pub(super) fn islands(&self, least: u64) -> Box<[Island]> {
        let contiguous = self.contiguous();
        let mut there: Vec<Island> = self
            .parts
            .iter()
            .map(|part| (part.begin, part.at().min(part.end)))
            .filter(|&(begin, end)| begin > contiguous && begin < end)
            .collect();
        there.sort_unstable();
        there.dedup_by(|next, last| {
            let meet = last.1 == next.0;
            if meet {
                last.1 = next.1;
            }
            meet
        });
        there.retain(|&(begin, end)| end - begin >= least);
        there.truncate(MOST_ISLANDS);
        there.into()
    }

    pub(super) fn remaining(&self) -> u64 {
        self.parts.iter().map(Range::left).sum()
    }

    /// Everything is there and nobody works on it.
    pub(super) fn is_complete(&self) -> bool {
        !self
            .parts
            .iter()
            .any(|part| part.running || part.left() > 0)
    }

    /// The bytes that are there.
    pub(super) fn bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.done).sum()
    }
}

/// Whether one more connection would make it faster.
#[derive(Debug)]
pub(super) struct Growth {
    rules: Rules,
    /// What there was before this is left alone.
    from: Instant,
    /// When the present measurement began, and with how many bytes.
    window: Option<(Instant, u64)>,
    /// The rate before the last connection was added, until it has shown what it is worth.
    before: Option<f64>,
    last: f64,
    over: bool,
}

impl Growth {
    pub(super) fn new(rules: Rules, now: Instant) -> Self {
        Self {
            rules,
            from: now + rules.settle,
            window: None,
            before: None,
            last: 0.0,
            over: false,
        }
    }

    /// No connection is added any more.
    pub(super) fn stop(&mut self) {
        self.over = true;
    }

    /// A connection was added.
    pub(super) fn added(&mut self, now: Instant) {
        self.before = Some(self.last);
        self.from = now + self.rules.settle;
        self.window = None;
    }

    /// Whether one should be added, now that so many bytes have come and so many are left.
    pub(super) fn wants_more(&mut self, now: Instant, bytes: u64, left: u64) -> bool {
        if self.over || now < self.from {
            return false;
        }
        let (since, first) = *self.window.get_or_insert((now, bytes));
        let time = now.saturating_duration_since(since);
        if time < self.rules.measure {
            return false;
        }
        self.window = None;
        let rate = bytes.saturating_sub(first) as f64 / time.as_secs_f64();
        self.last = rate;
        if let Some(before) = self.before.take()
            && rate < before * self.rules.gain
        {
            tracing::debug!(before, rate, "one more connection was no use");
            self.over = true;
        }
        !self.over && left as f64 > rate * self.rules.soon.as_secs_f64()
    }
}

#[cfg(test)]
mod tests;
