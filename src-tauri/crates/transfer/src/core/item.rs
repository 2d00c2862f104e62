//! One item of the queue, and the sums of a folder.

use super::rate::Rate;
use super::{JobId, Order, Time};
use crate::error::Error;
use crate::{Checks, SiteKey, State, TransferId};

/// Bytes moved and to be moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Numbers {
    pub(crate) bytes: u64,
    /// Of what is known.
    pub(crate) total: u64,
    /// How many files have no known size, and folders have not been looked into.
    pub(crate) unknown: u64,
}

impl Numbers {
    pub(crate) fn total_if_known(&self) -> Option<u64> {
        (self.unknown == 0).then_some(self.total)
    }

    /// `before` is part of `self`; totals come from other people's listings, so the sum may be any number.
    pub(super) fn replace(&mut self, before: Numbers, after: Numbers) {
        let swap = |sum: u64, old: u64, new: u64| sum.wrapping_sub(old).wrapping_add(new);
        self.bytes = swap(self.bytes, before.bytes, after.bytes);
        self.total = swap(self.total, before.total, after.total);
        self.unknown = swap(self.unknown, before.unknown, after.unknown);
    }
}

/// The children of a folder that has been looked into, and how many of them are in which state.
#[derive(Debug, Default)]
pub(crate) struct Kids {
    pub(super) ids: Vec<TransferId>,
    pub(super) open: usize,
    pub(super) failed: usize,
    pub(super) cancelled: usize,
}

impl Kids {
    fn count(&mut self, state: State) -> Option<&mut usize> {
        match state {
            State::Waiting | State::Paused | State::Asking | State::Scanning | State::Running => {
                Some(&mut self.open)
            }
            State::Failed => Some(&mut self.failed),
            State::Cancelled => Some(&mut self.cancelled),
            State::Done | State::Skipped => None,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Item<W> {
    pub(crate) site: SiteKey,
    pub(crate) parent: Option<TransferId>,
    /// The outermost folder that this came from.
    pub(crate) batch: Option<TransferId>,
    pub(super) order: Order,
    pub(super) depth: u32,
    pub(crate) work: W,
    pub(crate) folder: bool,
    pub(crate) state: State,
    pub(super) job: Option<JobId>,
    /// When it will be tried again, while it waits for that.
    pub(super) due: Option<Time>,
    pub(crate) attempts: u32,
    pub(crate) error: Option<Error>,
    pub(super) hopeless: bool,
    pub(crate) verified: Option<Checks>,
    pub(super) started: Option<Time>,
    pub(crate) seconds: Option<f64>,
    pub(super) rate: Rate,
    pub(super) own: Numbers,
    /// Its own numbers and those of everything below it.
    pub(crate) sum: Numbers,
    /// Set once a folder has been looked into.
    pub(super) kids: Option<Box<Kids>>,
}

impl<W> Item<W> {
    pub(super) fn new(
        site: SiteKey,
        parent: Option<TransferId>,
        batch: Option<TransferId>,
        order: Order,
        depth: u32,
        work: W,
        folder: bool,
    ) -> Self {
        Self {
            site,
            parent,
            batch,
            order,
            depth,
            work,
            folder,
            state: State::Waiting,
            job: None,
            due: None,
            attempts: 0,
            error: None,
            hopeless: false,
            verified: None,
            started: None,
            seconds: None,
            rate: Rate::default(),
            own: Numbers::default(),
            sum: Numbers::default(),
            kids: None,
        }
    }

    pub(super) fn is_walked(&self) -> bool {
        self.kids.is_some()
    }

    /// A child went from one state to another: the state that this folder has to take, if it is another one.
    pub(super) fn child_changed(&mut self, before: State, after: State) -> Option<State> {
        let kids = self.kids.as_mut()?;
        if let Some(count) = kids.count(before) {
            *count -= 1;
        }
        if let Some(count) = kids.count(after) {
            *count += 1;
        }
        // While a folder is being filled its state is settled once, at the end.
        if self.state == State::Scanning {
            return None;
        }
        self.settled()
    }

    /// The state that follows from the children, if it is not the present one.
    pub(super) fn settled(&mut self) -> Option<State> {
        let kids = self.kids.as_ref()?;
        let state = if kids.open > 0 {
            State::Running
        } else if kids.failed > 0 {
            State::Failed
        } else if kids.cancelled > 0 {
            State::Cancelled
        } else {
            State::Done
        };
        self.error = (state == State::Failed).then_some(Error::Children {
            failed: kids.failed,
            of: kids.ids.len(),
        });
        (state != self.state).then_some(state)
    }
}
