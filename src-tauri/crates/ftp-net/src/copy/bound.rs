use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// How far a copy into a file may go. It may be changed while the copy runs, and never is passed: what the copy has
/// taken upon itself to write can't be cut off any more.
///
/// Places are counted in bytes from the copy's beginning.
///
/// It also knows whether somebody still writes: a copy that was dropped is at an end for its owner, but its thread may be
/// in the middle of a write. Who wants to do something else with the file waits for [`at_rest`](Self::at_rest) first.
#[derive(Debug, Clone)]
pub struct Bound {
    state: Arc<Mutex<State>>,
    /// How many have the file in their hands.
    writers: watch::Sender<usize>,
}

/// While it is there, a file is being written to, see [`Bound::writing`].
#[derive(Debug)]
pub struct Writing(watch::Sender<usize>);

impl Drop for Writing {
    fn drop(&mut self) {
        self.0.send_modify(|writers| *writers -= 1);
    }
}

#[derive(Debug)]
struct State {
    moved: u64,
    /// The copy may be writing up to here.
    claimed: u64,
    end: u64,
}

impl Default for Bound {
    /// No bound: to the end of what the peer sends.
    fn default() -> Self {
        Self::new(u64::MAX)
    }
}

impl Bound {
    /// The copy ends after so many bytes, whatever the peer still has.
    #[must_use]
    pub fn new(end: u64) -> Self {
        Self::with(end, watch::Sender::new(0))
    }

    fn with(end: u64, writers: watch::Sender<usize>) -> Self {
        let state = State {
            moved: 0,
            claimed: 0,
            end,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            writers,
        }
    }

    /// A bound of its own for another copy into the same file: only [`at_rest`](Self::at_rest) is that of both.
    #[must_use]
    pub fn beside(&self, end: u64) -> Self {
        Self::with(end, self.writers.clone())
    }

    /// Somebody writes to the file until this is dropped. A copy does this for its thread.
    #[must_use]
    pub fn writing(&self) -> Writing {
        self.writers.send_modify(|writers| *writers += 1);
        Writing(self.writers.clone())
    }

    /// Waits until nobody writes to the file any more. A copy that was dropped looks up at least after each piece, so
    /// this takes no longer than the disk needs for that.
    pub async fn at_rest(&self) {
        // We have a sender ourselves, so there always is one.
        let _ = self.writers.subscribe().wait_for(|&n| n == 0).await;
    }

    /// Bytes that are in the file.
    #[must_use]
    pub fn moved(&self) -> u64 {
        self.lock().moved
    }

    /// Whether the copy has come, or would have come, to its bound: then the peer may have had more.
    #[must_use]
    pub fn is_reached(&self) -> bool {
        let state = self.lock();
        state.moved >= state.end
    }

    /// Lowers the bound. False, and nothing changes, where the copy may be past that place already, or was not to come
    /// there at all.
    #[must_use]
    pub fn lower(&self, end: u64) -> bool {
        let mut state = self.lock();
        let can = state.claimed <= end && end <= state.end;
        if can {
            state.end = end;
        }
        can
    }

    /// Lowers the bound as far as it goes: the copy ends soon.
    pub fn stop(&self) {
        let mut state = self.lock();
        state.end = state.end.min(state.claimed.max(state.moved));
    }

    /// How many of so many bytes may be written; they are the copy's then.
    #[must_use]
    pub fn claim(&self, most: usize) -> usize {
        let mut state = self.lock();
        let left = usize::try_from(state.end.saturating_sub(state.moved)).unwrap_or(usize::MAX);
        let room = most.min(left);
        state.claimed = state.moved + room as u64;
        room
    }

    /// Counts bytes that were written.
    pub fn add(&self, bytes: u64) {
        let mut state = self.lock();
        state.moved += bytes;
        state.claimed = state.claimed.max(state.moved);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Whole after every statement.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::Bound;

    #[test]
    fn what_was_claimed_is_not_cut_off() {
        let bound = Bound::default();
        assert_eq!(bound.claim(100), 100);
        assert!(!bound.lower(99));
        assert!(bound.lower(150));
        assert!(!bound.lower(151), "never raised");
        bound.add(40);
        assert!(!bound.lower(99));
        assert_eq!(bound.claim(200), 110);
        bound.add(110);
        assert!(bound.is_reached());
        assert_eq!((bound.moved(), bound.claim(1)), (150, 0));
    }

    #[test]
    fn a_stop_lets_the_claimed_pass() {
        let bound = Bound::new(1000);
        assert_eq!(bound.claim(10), 10);
        bound.stop();
        bound.add(4);
        assert_eq!(bound.claim(100), 6);
        bound.add(6);
        assert!(bound.is_reached());
        assert_eq!(bound.moved(), 10);
    }
}
