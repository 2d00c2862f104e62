//! How one big download is divided among several connections, and whether it is: arithmetic and measure, nothing else.

use std::time::Duration;

use tokio::time::Instant;

use crate::Segments;
use crate::partial::TAIL;
use crate::work::{Identity, Island};

/// Smaller islands are not worth the look at their ends.
pub(super) const WORTH_KEEPING: u64 = 2 * TAIL;
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

/// The islands that were noted, if they can be in a file of this length whose source has this size.
pub(super) fn islands_of(noted: &Identity, length: u64, size: Option<u64>) -> Box<[Island]> {
    let (Some(contiguous), Some(size)) = (noted.contiguous, size) else {
        return Box::default();
    };
    let mut at = contiguous;
    let good = noted.islands.iter().take_while(|&&(begin, end)| {
        let fits = at < begin && begin < end && end <= length.min(size);
        at = end;
        fits
    });
    good.copied().collect()
}

pub(super) fn bytes_of(islands: &[Island]) -> u64 {
    islands.iter().map(|(begin, end)| end - begin).sum()
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
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Step {
        Move(usize, u64),
        Split(u64, bool),
        Leave(usize),
        Take,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (any::<usize>(), 0..400u64).prop_map(|(who, bytes)| Step::Move(who, bytes)),
            (0..100u64, prop::bool::weighted(0.8)).prop_map(|(least, can)| Step::Split(least, can)),
            any::<usize>().prop_map(Step::Leave),
            Just(Step::Take),
        ]
    }

    struct Fetching {
        piece: Piece,
        /// Where it ends, as it was cut.
        end: u64,
        at: u64,
    }

    proptest! {
        /// Whoever begins, is cut, fails or ends in whatever order: each byte is fetched once, and what is called
        /// contiguous always is there.
        #[test]
        fn each_byte_comes_once(
            offset in 0..500u64, more in 0..3000u64, steps in prop::collection::vec(step(), 0..120),
            borders in prop::collection::btree_set(1..3000u64, 0..8)
        ) {
            let size = offset + more;
            let borders: Vec<u64> = borders.into_iter().map(|b| offset + b).filter(|&b| b <= size).collect();
            let islands: Vec<Island> = borders.chunks_exact(2).map(|two| (two[0], two[1])).collect();
            let (mut ranges, first) = Ranges::new(offset, size, &islands);
            let mut there = vec![0u8; size as usize];
            there[..offset as usize].fill(1);
            for &(begin, end) in &islands {
                there[begin as usize..end as usize].fill(1);
            }
            let end_of = |piece: Piece| piece.length.map_or(size, |length| piece.begin + length);
            let begin = |piece: Piece| Fetching { piece, end: end_of(piece), at: piece.begin };
            let mut fetching = vec![begin(first)];
            for step in steps {
                match step {
                    Step::Move(who, bytes) if !fetching.is_empty() => {
                        let who = who % fetching.len();
                        let one = &mut fetching[who];
                        let to = (one.at + bytes).min(one.end);
                        for byte in &mut there[one.at as usize..to as usize] {
                            *byte += 1;
                        }
                        one.at = to;
                        ranges.moved(one.piece.id, one.at - one.piece.begin);
                        if one.at == one.end {
                            ranges.left(one.piece.id);
                            fetching.remove(who);
                        }
                    }
                    Step::Split(least, can) => {
                        let piece = ranges.split(least, |id, length| {
                            let one = fetching.iter_mut().find(|f| f.piece.id == id).unwrap();
                            assert!(one.piece.begin + length >= one.at);
                            if can {
                                one.end = one.piece.begin + length;
                            }
                            can
                        });
                        fetching.extend(piece.map(begin));
                    }
                    Step::Leave(who) if !fetching.is_empty() => {
                        let one = fetching.remove(who % fetching.len());
                        ranges.left(one.piece.id);
                    }
                    Step::Take => fetching.extend(ranges.take().map(begin)),
                    _ => {}
                }
                let contiguous = there.iter().position(|&byte| byte == 0).unwrap_or(there.len());
                prop_assert!(ranges.contiguous() <= contiguous as u64);
                let missing = there.iter().filter(|&&byte| byte == 0).count();
                prop_assert_eq!(ranges.remaining(), missing as u64);
                prop_assert_eq!(ranges.bytes(), more - missing as u64);
                for &(begin, end) in &*ranges.islands(1) {
                    prop_assert!(begin > ranges.contiguous());
                    prop_assert!(there[begin as usize..end as usize].iter().all(|&byte| byte == 1));
                }
            }
            for one in fetching.drain(..) {
                ranges.left(one.piece.id);
            }
            while let Some(piece) = ranges.take() {
                prop_assert!(!ranges.is_complete());
                for byte in &mut there[piece.begin as usize..end_of(piece) as usize] {
                    *byte += 1;
                }
                ranges.moved(piece.id, end_of(piece) - piece.begin);
                ranges.left(piece.id);
            }
            prop_assert!(ranges.is_complete());
            prop_assert_eq!(ranges.contiguous(), size);
            prop_assert!(there.iter().all(|&byte| byte == 1));
        }
    }

    #[test]
    fn what_is_there_beyond_a_gap_is_known() {
        const M: u64 = 1 << 20;
        let (mut ranges, first) = Ranges::new(M, 100 * M, &[(10 * M, 20 * M)]);
        assert_eq!((first.begin, first.length), (M, Some(9 * M)));
        assert_eq!(*ranges.islands(M), [(10 * M, 20 * M)]);
        // It grows, and where two meet they are one.
        let last = ranges.take().unwrap();
        assert_eq!((last.begin, last.length), (20 * M, None));
        ranges.moved(last.id, M);
        assert_eq!(*ranges.islands(M), [(10 * M, 21 * M)]);
        let half = ranges.split(1, |_, _| true).unwrap();
        ranges.moved(half.id, 5 * M);
        let end = half.begin + 5 * M;
        assert_eq!(*ranges.islands(M), [(10 * M, 21 * M), (half.begin, end)]);
        // What hangs together with the beginning is no island.
        ranges.moved(first.id, 9 * M);
        assert_eq!(ranges.contiguous(), 21 * M);
        assert_eq!(*ranges.islands(M), [(half.begin, end)]);
        let noted = Identity {
            contiguous: Some(21 * M),
            islands: ranges.islands(M),
            ..Identity::default()
        };
        assert_eq!(islands_of(&noted, end, Some(100 * M)), noted.islands);
        assert!(islands_of(&noted, end - 1, Some(100 * M)).is_empty());
        assert!(islands_of(&noted, end, Some(end - 1)).is_empty());
        assert!(islands_of(&noted, end, None).is_empty());
        let odd = Identity {
            contiguous: Some(half.begin),
            ..noted
        };
        assert!(islands_of(&odd, end, Some(100 * M)).is_empty());
    }

    #[test]
    fn an_end_in_the_middle_is_none() {
        let (mut ranges, first) = Ranges::new(0, 100, &[]);
        let second = ranges.split(1, |_, _| true).unwrap();
        assert_eq!((second.begin, second.length), (50, None));
        ranges.moved(first.id, 30);
        assert!(!ranges.ended(first.id));
        // The last one may end early: then the file has become shorter.
        ranges.moved(second.id, 20);
        assert!(ranges.ended(second.id));
        assert_eq!((ranges.contiguous(), ranges.remaining()), (30, 20));
        let rest = ranges.take().unwrap();
        assert_eq!((rest.begin, rest.length), (30, Some(20)));
        ranges.moved(rest.id, 20);
        assert!(ranges.ended(rest.id) && ranges.is_complete());
        assert_eq!((ranges.bytes(), ranges.contiguous()), (70, 70));
    }

    #[test]
    fn as_many_as_are_allowed() {
        let most = |segments| Rules::from(segments).most;
        assert_eq!(most(Segments::IfFaster), 4);
        assert_eq!(most(Segments::Never), 1);
        for (allowed, expected) in [(0, 1), (1, 1), (2, 2), (9, 9), (200, 64)] {
            assert_eq!(most(Segments::UpTo(allowed)), expected);
        }
    }

    #[test]
    fn one_more_only_if_the_last_was_worth_it() {
        let start = Instant::now();
        let rules = Rules::default();
        let mut growth = Growth::new(rules, start);
        let (mut now, mut bytes) = (start, 0);
        let mut wants = |growth: &mut Growth, rate: u64, left: u64| {
            for _ in 0..12 {
                now += rules.tick;
                bytes += rate * rules.tick.as_millis() as u64 / 1000;
                if growth.wants_more(now, bytes, left) {
                    return Some(now);
                }
            }
            None
        };
        // Nearly done.
        assert!(wants(&mut growth, 10_000_000, 20_000_000).is_none());
        let at = wants(&mut growth, 10_000_000, 1 << 30).unwrap();
        growth.added(at);
        let at = wants(&mut growth, 15_000_000, 1 << 30).unwrap();
        growth.added(at);
        assert!(wants(&mut growth, 16_000_000, 1 << 30).is_none());
        assert!(
            wants(&mut growth, 90_000_000, 1 << 30).is_none(),
            "it is over"
        );
    }
}
