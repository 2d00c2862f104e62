//! Limits of speed.
//!
//! A limit is a clock that counts bytes in place of seconds: it has let pass so many by now, and whoever moves some
//! takes the next places in line and waits until the clock has come to the last of them. Places are taken in the order
//! of asking, a small piece at a time, so transfers under one limit get equal shares of it; and since a place is a
//! number of bytes and no moment, those who wait already follow a limit that changes meanwhile.

use std::{
    num::NonZeroU64,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// Places in line are counted in billionths of a byte, so that a nanosecond moves the clock by the limit itself.
const BYTE: u128 = 1_000_000_000;

/// What was not used for this long may be made up for: a thread that wakes late must not make the transfer slower.
const CATCH_UP: Duration = Duration::from_millis(150);

/// How many pieces make a second, as far as their size allows it.
const PIECES: u64 = 50;
const SMALLEST_PIECE: u64 = 512;
const LARGEST_PIECE: u64 = 256 * 1024;

/// How long to wait at most before the limits are looked at again: they may have changed.
pub const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A limit in bytes per second; clones share it, and so do all transfers that it is given to. It can be changed while they run.
#[derive(Clone, Debug)]
pub struct Throttle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// The limit once more, 0 for none: who is not limited doesn't take the lock.
    limit: AtomicU64,
    meter: Mutex<Meter>,
}

impl Throttle {
    /// A limit; `None` lets everything pass.
    #[must_use]
    pub fn new(bytes_per_second: Option<NonZeroU64>) -> Self {
        Self(Arc::new(Shared {
            limit: AtomicU64::new(number(bytes_per_second)),
            meter: Mutex::new(Meter::new(Instant::now(), bytes_per_second)),
        }))
    }

    /// Changes the limit, for transfers that are under way too (within a tenth of a second).
    pub fn set_limit(&self, bytes_per_second: Option<NonZeroU64>) {
        let mut meter = self.meter();
        meter.set_limit(Instant::now(), bytes_per_second);
        self.0
            .limit
            .store(number(bytes_per_second), Ordering::Relaxed);
    }

    /// The limit now.
    #[must_use]
    pub fn limit(&self) -> Option<NonZeroU64> {
        NonZeroU64::new(self.0.limit.load(Ordering::Relaxed))
    }

    /// Forgets what was moved: who waits goes on at once, and nothing unused is made up for.
    pub fn reset(&self) {
        self.meter().reset(Instant::now());
    }

    fn meter(&self) -> std::sync::MutexGuard<'_, Meter> {
        self.0.meter.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn number(limit: Option<NonZeroU64>) -> u64 {
    limit.map_or(0, NonZeroU64::get)
}

/// The limits that one transfer is under, all at once: of everything, of its site, of its direction, its own. Without any, which is
/// the default, it is free and costs nothing.
#[derive(Clone, Debug, Default)]
pub struct Throttles(Vec<Throttle>);

impl Throttles {
    /// These limits.
    #[must_use]
    pub const fn new(throttles: Vec<Throttle>) -> Self {
        Self(throttles)
    }

    /// One more.
    pub fn push(&mut self, throttle: Throttle) {
        self.0.push(throttle);
    }

    /// True where none of them limits anything at this moment.
    #[must_use]
    pub fn is_unlimited(&self) -> bool {
        self.0.iter().all(|throttle| throttle.limit().is_none())
    }
}

impl From<Throttle> for Throttles {
    fn from(throttle: Throttle) -> Self {
        Self(vec![throttle])
    }
}

/// One transfer on its way through its limits. Moving bytes goes in three steps: [`wait`](Pace::wait) until it says that it
/// is time, move no more than [`piece`](Pace::piece) says, tell by [`moved`](Pace::moved) how many they were.
///
/// Bytes are moved first and counted afterwards, so that none are reserved that never come. A transfer begins at the end of the
/// line: many short ones, one after the other, are no faster than one long one.
#[derive(Debug)]
pub struct Pace {
    accounts: Vec<Account>,
    limited: bool,
}

#[derive(Debug)]
struct Account {
    throttle: Throttle,
    /// The last place taken in its line.
    place: Option<u128>,
    /// Moved, and no places taken for it yet. They are taken a whole piece at a time, so that whoever is under another, slower
    /// limit as well doesn't stand in this line for every one of its smaller pieces.
    owed: u64,
}

impl Account {
    fn settle(&mut self, now: Instant) {
        if self.owed > 0 && self.throttle.limit().is_some() {
            self.place = Some(self.throttle.meter().take(now, self.owed));
        }
        self.owed = 0;
    }
}

/// How much is moved at once under this limit.
fn piece_of(limit: NonZeroU64) -> u64 {
    (limit.get() / PIECES).clamp(SMALLEST_PIECE, LARGEST_PIECE)
}

impl Pace {
    /// A transfer under these limits.
    #[must_use]
    pub fn new(throttles: Throttles) -> Self {
        let account = |throttle| Account {
            throttle,
            place: None,
            owed: 0,
        };
        Self {
            accounts: throttles.0.into_iter().map(account).collect(),
            limited: false,
        }
    }

    /// How long to wait before the next piece; `None` means not at all. Limits change, so wait no longer than
    /// [`LOOK_AGAIN`] before asking again.
    #[must_use]
    pub fn wait(&mut self, now: Instant) -> Option<Duration> {
        let limited = self.accounts.iter_mut();
        limited
            .filter(|account| account.throttle.limit().is_some())
            .filter_map(|account| {
                let mut meter = account.throttle.meter();
                let place = *account.place.get_or_insert(meter.taken);
                meter.wait(now, place)
            })
            .max()
    }

    /// How much may be moved at once: `most`, or less under a limit, but never nothing where `most` is something.
    #[must_use]
    pub fn piece(&mut self, most: usize) -> usize {
        let rooms = self.accounts.iter().filter_map(|account| {
            let piece = piece_of(account.throttle.limit()?);
            Some(piece.saturating_sub(account.owed).max(1))
        });
        let room = rooms.min();
        self.limited = room.is_some();
        match room {
            None => most,
            Some(room) => most.min(usize::try_from(room).unwrap_or(usize::MAX)),
        }
    }

    /// Counts what was moved. What was asked for while there was no limit is free.
    pub fn moved(&mut self, now: Instant, bytes: u64) {
        if !self.limited {
            return;
        }
        for account in &mut self.accounts {
            let Some(limit) = account.throttle.limit() else {
                continue;
            };
            account.owed = account.owed.saturating_add(bytes);
            if account.owed >= piece_of(limit) {
                account.settle(now);
            }
        }
    }
}

impl Drop for Pace {
    fn drop(&mut self) {
        let now = Instant::now();
        for account in &mut self.accounts {
            account.settle(now);
        }
    }
}

/// The clock of one limit. What time it is comes from outside.
#[derive(Debug)]
struct Meter {
    limit: Option<NonZeroU64>,
    /// How far the clock has come, as of `at`.
    passed: u128,
    at: Instant,
    /// The end of the line.
    taken: u128,
}

impl Meter {
    const fn new(now: Instant, limit: Option<NonZeroU64>) -> Self {
        Self {
            limit,
            passed: 0,
            at: now,
            taken: 0,
        }
    }

    fn advance(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.at).as_nanos();
        self.at = self.at.max(now);
        self.passed = match self.limit {
            None => self.passed.max(self.taken),
            Some(limit) => {
                let limit = u128::from(limit.get());
                let most = self.taken + limit * CATCH_UP.as_nanos();
                (self.passed + limit.saturating_mul(elapsed)).min(most)
            }
        };
    }

    /// Takes the places for `bytes`; the last one is the result.
    fn take(&mut self, now: Instant, bytes: u64) -> u128 {
        self.advance(now);
        self.taken += u128::from(bytes) * BYTE;
        self.taken
    }

    /// How long until the clock has come to this place.
    fn wait(&mut self, now: Instant, place: u128) -> Option<Duration> {
        self.advance(now);
        let limit = u128::from(self.limit?.get());
        let left = place.checked_sub(self.passed).filter(|left| *left > 0)?;
        let nanoseconds = u64::try_from(left.div_ceil(limit)).unwrap_or(u64::MAX);
        Some(Duration::from_nanos(nanoseconds))
    }

    fn set_limit(&mut self, now: Instant, limit: Option<NonZeroU64>) {
        self.advance(now);
        if self.limit == limit {
            return;
        }
        self.limit = limit;
        // What a faster limit left unused is no credit under the new one.
        self.passed = self.passed.min(self.taken);
        self.advance(now);
    }

    fn reset(&mut self, now: Instant) {
        self.passed = self.taken;
        self.at = self.at.max(now);
    }
}

#[cfg(test)]
mod tests {
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
        // An hour of silence is worth no more than this.
        let place = meter.take(now, 150_000);
        assert_eq!(meter.wait(now, place), None);
        let place = meter.take(now, 1_000);
        assert_eq!(meter.wait(now, place), Some(MS));
    }

    #[test]
    fn whoever_waits_follows_a_limit_that_changes() {
        let begin = Instant::now();
        let mut meter = Meter::new(begin, limit(1_000));
        let place = meter.take(begin, 10_000);
        assert_eq!(meter.wait(begin, place), Some(10_000 * MS));
        let now = begin + 1_000 * MS;
        meter.set_limit(now, limit(9_000));
        assert_eq!(meter.wait(now, place), Some(1_000 * MS));
        meter.set_limit(now, limit(90));
        assert_eq!(meter.wait(now, place), Some(100_000 * MS));
        meter.set_limit(now, None);
        assert_eq!(meter.wait(now, place), None);
        // The old debt is gone for good.
        meter.set_limit(now, limit(1_000));
        assert_eq!(meter.wait(now, place), None);
        let next = meter.take(now, 500);
        assert_eq!(meter.wait(now, next), Some(500 * MS));
        meter.reset(now);
        assert_eq!(meter.wait(now, next), None);
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
        let mut moved = [0; 3];
        let mut next = [begin; 3];
        loop {
            let (at, now) = (0..3)
                .map(|i| (i, next[i]))
                .min_by_key(|(_, t)| *t)
                .unwrap();
            if now > begin + 10_000 * MS {
                break;
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
}
