//! One item of the queue, kept small: there may be a million of them.

use std::ffi::OsStr;
use std::num::NonZeroU64;
use std::path::Path;
use std::sync::Arc;

use ftp_client::ftp_proto::RemotePath;
use jiff::Timestamp;

use super::Time;
use crate::error::Error;
use crate::work::{Existing, Finishing, Identity, StopKind};
use crate::{
    Checks, Conflict, ConflictRule, Counts, Direction, Facts, ItemKind, Priority, State, TransferId,
};

/// One try at one item, or at a group of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct JobId(pub(super) NonZeroU64);

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

/// What is in a folder that has been looked into.
#[derive(Debug, Default)]
pub(crate) struct Kids {
    pub(super) ids: Vec<TransferId>,
    /// Everything below it, walked folders apart: these follow from what is in them.
    pub(super) counts: Counts,
    pub(super) sum: Numbers,
}

/// What few items have.
#[derive(Debug, Default)]
pub(crate) struct Extra {
    pub(super) root: Option<Root>,
    /// When it will be tried again, while it waits for that.
    pub(super) due: Option<Time>,
    pub(super) start_at: Option<Timestamp>,
    pub(super) error: Option<Error>,
    pub(super) started: Option<Time>,
    /// Set while its job is to give it up.
    pub(super) stopping: Option<StopKind>,
    pub(super) begun: Option<Identity>,
    pub(super) finishing: Option<Finishing>,
    pub(super) answer: Option<ConflictRule>,
    pub(super) conflict: Option<Conflict>,
    /// Not in the journal: when that is read, the listing may be of long ago.
    pub(super) existing: Existing,
    pub(super) link_to: Option<Vec<u8>>,
    pub(super) mode: Option<u32>,
    pub(super) resumed_from: u64,
    pub(super) target_name: Option<String>,
}

impl Extra {
    /// Nothing that a finished item without it would miss.
    fn is_needless(&self) -> bool {
        self.root.is_none()
            && self.start_at.is_none()
            && self.error.is_none()
            && self.conflict.is_none()
            && self.resumed_from == 0
            && self.target_name.is_none()
            && self.link_to.is_none()
            && self.stopping.is_none()
    }
}

/// Where a transfer that was asked for comes from and goes to.
#[derive(Debug, Clone)]
pub(crate) struct Root {
    pub(super) base: Arc<Path>,
    /// The file in it; `None` for folders.
    pub(super) file: Option<Box<OsStr>>,
    pub(super) remote: RemotePath,
}

#[derive(Debug)]
pub(crate) struct Item {
    /// The name on the server; nothing for what was asked for by itself.
    pub(super) name: Box<[u8]>,
    /// The local name, where it is not the same bytes.
    pub(super) local: Option<Box<OsStr>>,
    /// 0: none.
    pub(super) parent: TransferId,
    /// The outermost folder that it came from; its own number if it is that.
    pub(super) batch: TransferId,
    pub(super) site: u32,
    pub(super) options: u32,
    pub(super) order: i64,
    pub(super) size: Option<u64>,
    pub(super) bytes: u64,
    pub(super) modified: Option<Timestamp>,
    pub(super) job: Option<JobId>,
    pub(super) kids: Option<Box<Kids>>,
    pub(super) extra: Option<Box<Extra>>,
    pub(super) seconds: f32,
    pub(super) filtered: u32,
    pub(super) attempts: u16,
    pub(super) depth: u16,
    pub(super) checks: Option<Checks>,
    pub(super) state: State,
    pub(super) kind: ItemKind,
    pub(super) direction: Direction,
    pub(super) priority: Priority,
    pub(super) link: bool,
    pub(super) hopeless: bool,
    /// In its site's line.
    pub(super) ready: bool,
}

impl Item {
    pub(super) fn is_walked(&self) -> bool {
        self.kids.is_some()
    }

    pub(super) fn extra(&mut self) -> &mut Extra {
        self.extra.get_or_insert_default()
    }

    /// Lets go of what a finished item does not need.
    pub(super) fn slim(&mut self) {
        if self.extra.as_ref().is_some_and(|extra| extra.is_needless()) {
            self.extra = None;
        }
    }

    pub(super) fn take_extra<T>(
        &mut self,
        take: impl FnOnce(&mut Extra) -> Option<T>,
    ) -> Option<T> {
        self.extra.as_deref_mut().and_then(take)
    }

    pub(super) fn due(&self) -> Option<Time> {
        self.extra.as_ref().and_then(|extra| extra.due)
    }

    pub(crate) fn error(&self) -> Option<&Error> {
        self.extra.as_ref().and_then(|extra| extra.error.as_ref())
    }

    pub(super) fn root(&self) -> Option<&Root> {
        self.extra.as_ref().and_then(|extra| extra.root.as_ref())
    }

    pub(super) fn stopping(&self) -> Option<StopKind> {
        self.extra.as_ref().and_then(|extra| extra.stopping)
    }

    /// What it adds to the folders above it: walked folders follow from what is in them.
    pub(super) fn own(&self) -> Numbers {
        if self.is_walked() {
            return Numbers::default();
        }
        // What can't be done, and what is not going to be, is no part of the total.
        let counts = !self.hopeless && !matches!(self.state, State::Skipped | State::Cancelled);
        let folder = self.kind == ItemKind::Folder;
        Numbers {
            bytes: if counts { self.bytes } else { 0 },
            total: self.size.filter(|_| counts && !folder).unwrap_or(0),
            unknown: u64::from(counts && (folder || self.size.is_none())),
        }
    }

    pub(super) fn weight(&self) -> Option<State> {
        (!self.is_walked()).then_some(self.state)
    }

    pub(super) fn source_facts(&self) -> Facts {
        Facts {
            size: self.size,
            modified: self.modified,
        }
    }
}

/// Counts an item that has gone from one state to another, `None` being nowhere.
pub(super) fn recount(counts: &mut Counts, before: Option<State>, after: Option<State>) {
    if let Some(state) = before {
        let count = count_of(counts, state);
        *count = count.saturating_sub(1);
    }
    if let Some(state) = after {
        *count_of(counts, state) += 1;
    }
}

fn count_of(counts: &mut Counts, state: State) -> &mut u32 {
    match state {
        State::Waiting => &mut counts.waiting,
        State::Paused => &mut counts.paused,
        State::Asking => &mut counts.asking,
        State::Scanning | State::Running => &mut counts.running,
        State::Done => &mut counts.done,
        State::Skipped => &mut counts.skipped,
        State::Failed => &mut counts.failed,
        State::Cancelled => &mut counts.cancelled,
    }
}

/// The state of a walked folder that has these in it.
pub(super) fn settled(counts: &Counts) -> State {
    if counts.running + counts.waiting > 0 {
        State::Running
    } else if counts.asking > 0 {
        State::Asking
    } else if counts.paused > 0 {
        State::Paused
    } else if counts.failed > 0 {
        State::Failed
    } else if counts.cancelled > 0 {
        State::Cancelled
    } else {
        State::Done
    }
}
