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
mod tests;
