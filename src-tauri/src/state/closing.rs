//! Whether the window may close: not silently while something is on its way.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// A page that does not show the question within this time never will: then the next request closes the window.
const PAGE_WAIT: Duration = Duration::from_secs(2);

/// What became of the wish to close the window. Time is an input.
#[derive(Debug, Default)]
pub(crate) struct Closing(Mutex<State>);

#[derive(Clone, Copy, Debug, Default)]
enum State {
    /// Nobody wants to, or the page shows the question.
    #[default]
    Open,
    /// The page was told at this time, and has not shown the question yet.
    Asked(Instant),
    /// The person wants to lose what is on its way.
    Confirmed,
}

impl Closing {
    /// The window is to be closed: true if it may, false if the page has to ask first, or to say that what is
    /// `unfinished` is `kept`. Who says so twice does not want to read it.
    pub(crate) fn may_close(&self, unfinished: u32, kept: bool, now: Instant) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match *state {
            _ if unfinished == 0 => true,
            State::Confirmed => true,
            State::Asked(_) if kept => true,
            State::Asked(at) => now.saturating_duration_since(at) >= PAGE_WAIT,
            State::Open => {
                *state = State::Asked(now);
                false
            }
        }
    }

    /// The person has answered, or (`confirm` is false) sees the question.
    pub(crate) fn answer(&self, confirm: bool) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *state = if confirm {
            State::Confirmed
        } else {
            State::Open
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closes_at_once_when_nothing_is_on_its_way() {
        let closing = Closing::default();
        assert!(closing.may_close(0, false, Instant::now()));
    }

    #[test]
    fn asks_until_the_person_says_so() {
        let (closing, now) = (Closing::default(), Instant::now());
        for hour in 0..3 {
            assert!(!closing.may_close(2, false, now + Duration::from_secs(hour * 3600)));
            closing.answer(false);
        }
        closing.answer(true);
        assert!(closing.may_close(2, false, now));
    }

    #[test]
    fn a_page_that_shows_no_question_does_not_keep_the_window_open() {
        let (closing, now) = (Closing::default(), Instant::now());
        assert!(!closing.may_close(1, false, now));
        assert!(
            !closing.may_close(1, false, now + PAGE_WAIT / 2),
            "a second click"
        );
        assert!(closing.may_close(1, false, now + PAGE_WAIT));
    }

    #[test]
    fn what_is_kept_is_said_once() {
        let (closing, now) = (Closing::default(), Instant::now());
        assert!(!closing.may_close(3, true, now));
        assert!(closing.may_close(3, true, now), "a second click");
        let closing = Closing::default();
        assert!(!closing.may_close(3, true, now));
        closing.answer(true);
        assert!(closing.may_close(3, true, now));
    }

    #[test]
    fn closes_when_the_rest_is_done_meanwhile() {
        let (closing, now) = (Closing::default(), Instant::now());
        assert!(!closing.may_close(1, false, now));
        assert!(closing.may_close(0, false, now));
    }
}
