#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::super::islands::islands_of;
use super::*;
use crate::work::Identity;

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
