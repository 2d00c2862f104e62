//! Limits of speed.
//!
//! A limit is a clock that counts bytes in place of seconds: it has let pass so many by now, and whoever wants to move some
//! takes the next places in line and waits until the clock has come to the first of them. Places are taken in the order
//! of asking, a small piece at a time, so transfers under one limit get equal shares of it, and however many they are, together
//! they move no more than it says. What was taken and is not needed is given back. When the limit changes, those who wait take
//! places in a new line.

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

    /// A limit of its own that is the same at this moment and remembers nothing: for another stream, where a clone would be one
    /// limit for both.
    #[must_use]
    pub fn fresh(&self) -> Self {
        Self::new(self.limit())
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
/// A piece is asked for before it is moved, and the transfer begins at the end of the line: many short ones, after each other or at
/// once, are no faster than one long one.
#[derive(Debug)]
pub struct Pace {
    accounts: Vec<Account>,
    limited: bool,
}

#[derive(Debug)]
struct Account {
    throttle: Throttle,
    /// Where the piece begins that was taken in its line.
    place: u128,
    /// How much of this piece is still to be moved. It is taken as a whole, so that whoever is under
    /// another, slower limit as well doesn't stand in this line for every one of its smaller pieces.
    left: u64,
    /// The line that the place is in.
    line: u64,
}

/// How much is moved at once under this limit.
fn piece_of(limit: NonZeroU64) -> u64 {
    (limit.get() / PIECES).clamp(SMALLEST_PIECE, LARGEST_PIECE)
}

impl Account {
    /// How long to wait for the piece that was taken; takes one where none is left.
    fn wait(&mut self, now: Instant) -> Option<Duration> {
        let limit = self.throttle.limit()?;
        let mut meter = self.throttle.meter();
        if self.line != meter.line || self.left == 0 {
            self.left = piece_of(limit);
            self.line = meter.line;
            let end = meter.take(now, self.left);
            self.place = end - u128::from(self.left) * BYTE;
        }
        meter.wait(now, self.place)
    }

    fn moved(&mut self, now: Instant, bytes: u64) {
        let Some(limit) = self.throttle.limit() else {
            return;
        };
        let mut meter = self.throttle.meter();
        let paid = if self.line == meter.line {
            self.left
        } else {
            // What was asked for under another limit may be far more than this one lets pass in a reasonable time.
            bytes.saturating_sub(limit.get())
        };
        self.left = paid.saturating_sub(bytes);
        if bytes > paid {
            self.line = meter.line;
            meter.take(now, bytes - paid);
        }
    }
}

impl Pace {
    /// A transfer under these limits.
    #[must_use]
    pub fn new(throttles: Throttles) -> Self {
        let account = |throttle| Account {
            throttle,
            place: 0,
            left: 0,
            line: 0,
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
        let accounts = self.accounts.iter_mut();
        accounts.filter_map(|account| account.wait(now)).max()
    }

    /// How much may be moved at once: `most`, or less under a limit, but never nothing where `most` is something.
    #[must_use]
    pub fn piece(&mut self, most: usize) -> usize {
        let rooms = self.accounts.iter().filter_map(|account| {
            let piece = piece_of(account.throttle.limit()?);
            Some(if account.left > 0 {
                account.left.min(piece)
            } else {
                piece
            })
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
        if self.limited {
            for account in &mut self.accounts {
                account.moved(now, bytes);
            }
        }
    }
}

impl Drop for Pace {
    fn drop(&mut self) {
        for account in &mut self.accounts {
            if account.left > 0 {
                let mut meter = account.throttle.meter();
                if meter.line == account.line {
                    meter.give_back(account.left);
                }
            }
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
    /// How many lines there were: a new limit begins a new one.
    line: u64,
}

impl Meter {
    const fn new(now: Instant, limit: Option<NonZeroU64>) -> Self {
        Self {
            limit,
            passed: 0,
            at: now,
            taken: 0,
            line: 1,
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
        if self.taken == 0 {
            // Until somebody comes there is nothing to make up for.
            self.passed = 0;
        }
        self.taken += u128::from(bytes) * BYTE;
        self.taken
    }

    /// Places that were taken are not needed. Everybody else moves up.
    fn give_back(&mut self, bytes: u64) {
        self.passed += u128::from(bytes) * BYTE;
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
        // What a faster limit left unused is no credit under the new one, and pieces of its size are no debt.
        self.passed = self.taken;
        self.line += 1;
    }

    fn reset(&mut self, now: Instant) {
        self.passed = self.taken;
        self.at = self.at.max(now);
    }
}

#[cfg(test)]
mod tests;
