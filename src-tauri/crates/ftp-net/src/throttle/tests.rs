#![allow(clippy::unwrap_used)]
use proptest::prelude::*;

use super::*;

const MS: Duration = Duration::from_millis(1);

fn limit(bytes: u64) -> Option<NonZeroU64> {
    NonZeroU64::new(bytes)
}

/// A transfer of pieces of `piece` bytes as fast as the meter lets it, for `time`, waking `late` after its time.
fn run(limit_: u64, piece: u64, late: Duration, time: Duration) -> u64 {
    let begin = Instant::now();
    let mut now = begin;
    let mut meter = Meter::new(now, limit(limit_));
    let mut moved = 0;
    loop {
        let place = meter.take(now, piece);
        moved += piece;
        while let Some(wait) = meter.wait(now, place) {
            now += wait + late;
        }
        if now - begin >= time {
            return moved;
        }
    }
}

#[test]
fn ten_seconds_bring_what_the_limit_says_however_late_the_thread_wakes() {
    for rate in [10_000, 123_457, 1_000_000, 100_000_000] {
        for late in [Duration::ZERO, MS / 10, 3 * MS, 20 * MS] {
            let piece = piece_of(limit(rate).unwrap());
            let moved = run(rate, piece, late, 10_000 * MS);
            let off = moved.abs_diff(10 * rate) as f64 / (10 * rate) as f64;
            assert!(off < 0.02, "{rate} B/s, {late:?} late: {moved}");
        }
    }
}

#[test]
fn what_was_not_used_is_made_up_for_only_a_little() {
    let begin = Instant::now();
    let mut meter = Meter::new(begin, limit(1_000_000));
    let now = begin + 3_600_000 * MS;
    meter.take(begin, 1);
    // An hour of silence is worth no more than this.
    let place = meter.take(now, 150_000);
    assert_eq!(meter.wait(now, place), None);
    let place = meter.take(now, 1_000);
    assert_eq!(meter.wait(now, place), Some(MS));
}

#[test]
fn whoever_waits_follows_a_limit_that_changes() {
    let throttle = Throttle::new(limit(1_000));
    let begin = Instant::now() + MS;
    let mut pace = Pace::new(throttle.clone().into());
    // The line is empty.
    assert_eq!(pace.wait(begin), None);
    assert_eq!(pace.piece(1 << 20), 512);
    pace.moved(begin, 512);
    assert_eq!(pace.wait(begin), Some(512 * MS));
    let mut behind = Pace::new(throttle.clone().into());
    assert_eq!(behind.wait(begin), Some(1_024 * MS));
    throttle.meter().set_limit(begin, limit(9_000));
    throttle.0.limit.store(9_000, Ordering::Relaxed);
    assert_eq!(pace.wait(begin), None);
    let wait = behind.wait(begin).unwrap();
    assert!((56 * MS..58 * MS).contains(&wait), "{wait:?}");
    throttle.set_limit(None);
    assert_eq!(pace.wait(begin), None);
}

#[test]
fn a_limit_that_falls_holds_at_once_and_leaves_no_debt() {
    let throttle = Throttle::new(limit(10_000_000));
    let begin = Instant::now() + MS;
    let mut now = begin;
    let mut paces: Vec<Pace> = (0..8).map(|_| Pace::new(throttle.clone().into())).collect();
    let mut moved = [0u64; 20];
    let mut next = [begin; 8];
    let mut changed = false;
    while now < begin + 20_000 * MS {
        let at = (0..8).min_by_key(|i| next[*i]).unwrap();
        now = next[at];
        if !changed && now >= begin + 10_000 * MS {
            changed = true;
            throttle.meter().set_limit(now, limit(100_000));
            throttle.0.limit.store(100_000, Ordering::Relaxed);
        }
        match paces[at].wait(now) {
            Some(wait) => next[at] = now + wait.min(LOOK_AGAIN),
            None => {
                let piece = paces[at].piece(1 << 20) as u64;
                let second = (now - begin).as_secs() as usize;
                moved[second.min(19)] += piece;
                paces[at].moved(now, piece);
            }
        }
    }
    for second in &moved[..10] {
        assert!(second.abs_diff(10_000_000) < 400_000, "{moved:?}");
    }
    for second in &moved[10..] {
        assert!(second.abs_diff(100_000) < 10_000, "{moved:?}");
    }
    let after: u64 = moved[10..].iter().sum();
    assert!(after.abs_diff(1_000_000) < 20_000, "{moved:?}");
}

/// What each of these moves in ten seconds.
fn ten_seconds(paces: &mut [Pace], begin: Instant) -> Vec<u64> {
    let mut moved = vec![0; paces.len()];
    let mut next = vec![begin; paces.len()];
    loop {
        let at = (0..paces.len()).min_by_key(|i| next[*i]).unwrap();
        let now = next[at];
        if now > begin + 10_000 * MS {
            return moved;
        }
        match paces[at].wait(now) {
            Some(wait) => next[at] = now + wait.min(LOOK_AGAIN),
            None => {
                let piece = paces[at].piece(1 << 20) as u64;
                moved[at] += piece;
                paces[at].moved(now, piece);
            }
        }
    }
}

#[test]
fn many_at_once_are_no_faster_than_one() {
    for (rate, transfers) in [(10_000, 8), (10_240, 64), (100_000, 64), (1_000_000, 16)] {
        let throttle = Throttle::new(limit(rate));
        // Nothing to make up for: nobody was there.
        let begin = Instant::now() + 1_000 * MS;
        let mut paces: Vec<Pace> = (0..transfers)
            .map(|_| Pace::new(throttle.clone().into()))
            .collect();
        let moved: u64 = ten_seconds(&mut paces, begin).iter().sum();
        let off = moved.abs_diff(10 * rate) as f64 / (10 * rate) as f64;
        assert!(off < 0.01, "{transfers} at {rate} B/s: {moved}");
    }
}

#[test]
fn transfers_get_equal_shares_and_the_slowest_limit_counts() {
    let all = Throttle::new(limit(1_000_000));
    let own = Throttle::new(limit(100_000));
    let begin = Instant::now() + MS;
    let mut paces = [
        Pace::new(all.clone().into()),
        Pace::new(all.clone().into()),
        Pace::new(Throttles::new(vec![all.clone(), own])),
    ];
    let moved = ten_seconds(&mut paces, begin);
    let near = |bytes: u64, wanted: u64| bytes.abs_diff(wanted) * 50 < wanted;
    assert!(near(moved.iter().sum(), 10_000_000), "{moved:?}");
    assert!(near(moved[2], 1_000_000), "{moved:?}");
    assert!(near(moved[0], moved[1]), "{moved:?}");
}

#[test]
fn many_short_transfers_are_no_faster_than_a_long_one() {
    let throttle = Throttle::new(limit(100_000));
    let begin = Instant::now() + MS;
    let mut now = begin;
    for _ in 0..1000 {
        let mut pace = Pace::new(throttle.clone().into());
        while let Some(wait) = pace.wait(now) {
            now += wait;
        }
        assert_eq!(pace.piece(1000), 1000);
        pace.moved(now, 1000);
    }
    let took = now - begin;
    assert!((9_800 * MS..10_200 * MS).contains(&took), "{took:?}");
}

#[test]
fn who_waits_goes_on_when_those_before_and_behind_give_up() {
    for stays in [0, 40, 63] {
        let throttle = Throttle::new(limit(10_000));
        let begin = Instant::now() + MS;
        let mut paces: Vec<Pace> = (0..64)
            .map(|_| Pace::new(throttle.clone().into()))
            .collect();
        for pace in &mut paces {
            let _ = pace.wait(begin);
        }
        let mut pace = paces.swap_remove(stays);
        drop(paces);
        let mut now = begin;
        let mut moved = 0;
        while now < begin + 10_000 * MS {
            match pace.wait(now) {
                Some(wait) => now += wait.min(LOOK_AGAIN),
                None => {
                    let piece = pace.piece(1 << 20) as u64;
                    moved += piece;
                    pace.moved(now, piece);
                }
            }
        }
        // One piece ahead, and what may be made up for.
        assert!((99_000..102_100).contains(&moved), "{stays}: {moved}");
    }
}

#[test]
fn without_a_limit_nothing_is_counted_and_pieces_are_whole() {
    let throttle = Throttle::new(None);
    let mut pace = Pace::new(throttle.clone().into());
    let now = Instant::now();
    assert_eq!(pace.piece(1 << 20), 1 << 20);
    throttle.set_limit(limit(10_000));
    // Asked for when there was no limit.
    pace.moved(now, 1 << 20);
    assert_eq!(pace.wait(now), None);
    assert_eq!(pace.piece(1 << 20), 512);
    assert_eq!(pace.piece(0), 0);
    pace.moved(now, 512);
    assert!(pace.wait(now).is_some());
    throttle.set_limit(None);
    assert_eq!(pace.wait(now), None);
    assert!(Throttles::default().is_unlimited());
}

#[test]
fn a_fresh_limit_is_the_same_and_knows_nothing_of_the_other() {
    let used = Throttle::new(limit(1000));
    let now = Instant::now();
    let mut pace = Pace::new(used.clone().into());
    assert!(pace.wait(now).is_none());
    let piece = pace.piece(100_000);
    pace.moved(now, piece as u64);
    // Two in one line: the next has to wait, under a clone too.
    assert!(Pace::new(used.clone().into()).wait(now).is_some());
    let fresh = used.fresh();
    assert_eq!(fresh.limit(), limit(1000));
    assert!(Pace::new(fresh.clone().into()).wait(now).is_none());
    // And what is changed there is changed nowhere else.
    fresh.set_limit(limit(7));
    assert_eq!(used.limit(), limit(1000));
}

proptest! {
    #[test]
    fn any_limit_and_any_order_of_times_is_computed_without_overflow(
        steps in prop::collection::vec((0..4u8, any::<u64>(), any::<u32>()), 1..50),
    ) {
        let begin = Instant::now();
        let mut meter = Meter::new(begin, limit(u64::MAX));
        let mut place = 0;
        for (what, number, at) in steps {
            let now = begin + Duration::from_millis(at.into());
            match what {
                0 => place = meter.take(now, number),
                1 => meter.set_limit(now, limit(number)),
                2 => meter.reset(now),
                _ => prop_assert_eq!(meter.wait(now, 0), None),
            }
            if let Some(wait) = meter.wait(now, place) {
                prop_assert!(wait > Duration::ZERO);
            }
        }
    }
}
