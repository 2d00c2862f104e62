//! Subscriptions: a snapshot, then changes. Changes are gathered until the subscriber asks, so that a slow one gets
//! fewer and larger updates, and never holds up the queue or fills the memory.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::{QueueState, Shared};
use crate::machine::Changes;
use crate::{Interest, QueueUpdate, Summary, TransferId};

/// Ten updates a second at most.
const PAUSE: Duration = Duration::from_millis(100);
/// An overview has no more items than this.
const MOST: usize = 5_000;

/// What one subscriber has not heard of yet.
#[derive(Default)]
pub(super) struct Slot {
    pending: Mutex<Pending>,
    notify: Notify,
}

#[derive(Default)]
struct Pending {
    dirty: BTreeSet<TransferId>,
    removed: BTreeSet<TransferId>,
    /// Something about the whole has changed.
    poked: bool,
}

impl Slot {
    pub(super) fn add(&self, changes: &Changes) {
        let mut pending = self.lock();
        for id in &changes.removed {
            pending.dirty.remove(id);
            pending.removed.insert(*id);
        }
        pending.dirty.extend(&changes.dirty);
        drop(pending);
        self.notify.notify_one();
    }

    pub(super) fn poke(&self) {
        self.lock().poked = true;
        self.notify.notify_one();
    }

    fn is_empty(&self) -> bool {
        let pending = self.lock();
        pending.dirty.is_empty() && pending.removed.is_empty() && !pending.poked
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A subscription of a queue, made by [`Queue::subscribe`](crate::Queue::subscribe). It does not keep the queue alive.
pub struct Updates {
    shared: Arc<Shared>,
    interest: Interest,
    slot: Option<Arc<Slot>>,
    /// For an overview: what the subscriber has.
    shown: HashSet<TransferId>,
    revision: u32,
    last: Instant,
}

impl Updates {
    pub(super) fn new(shared: Arc<Shared>, interest: Interest) -> Self {
        Self {
            shared,
            interest,
            slot: None,
            shown: HashSet::new(),
            revision: 0,
            last: Instant::now(),
        }
    }

    /// The next update: a snapshot at once, then whatever has changed, at most ten times a second. `None` when the
    /// queue is gone and all has been told. May be dropped while it waits without losing anything.
    pub async fn next(&mut self) -> Option<QueueUpdate> {
        let Some(slot) = self.slot.clone() else {
            return Some(self.snapshot());
        };
        loop {
            if slot.is_empty() {
                tokio::select! {
                    () = slot.notify.notified() => {}
                    () = self.shared.closed.cancelled() => {
                        if slot.is_empty() {
                            return None;
                        }
                    }
                }
            } else {
                tokio::time::sleep_until(self.last + PAUSE).await;
                return Some(self.changes(&slot));
            }
        }
    }

    fn snapshot(&mut self) -> QueueUpdate {
        let slot = Arc::new(Slot::default());
        let shared = self.shared.clone();
        // Under one lock, so that nothing falls between the snapshot and the first change.
        let mut state = shared.lock();
        state.slots.push(Arc::downgrade(&slot));
        let mut ids: Vec<TransferId> = state.machine.ids().collect();
        if self.interest == Interest::Overview {
            ids.retain(|&id| state.machine.is_of_interest(id));
            ids.truncate(MOST);
            self.shown = ids.iter().copied().collect();
        }
        let items = ids
            .iter()
            .filter_map(|&id| state.machine.view(id))
            .collect();
        let summary = Box::new(self.summary(&state));
        drop(state);
        self.slot = Some(slot);
        self.last = Instant::now();
        QueueUpdate::Snapshot {
            revision: self.revision,
            items,
            summary,
        }
    }

    fn changes(&mut self, slot: &Slot) -> QueueUpdate {
        let shared = self.shared.clone();
        let state = shared.lock();
        let pending = std::mem::take(&mut *slot.lock());
        let mut removed: Vec<TransferId> = pending.removed.iter().copied().collect();
        let mut upserts = Vec::new();
        if self.interest == Interest::Overview {
            removed.retain(|id| self.shown.remove(id));
        }
        for &id in &pending.dirty {
            if self.interest == Interest::Overview {
                let wanted = state.machine.is_of_interest(id);
                let known = self.shown.contains(&id);
                if !wanted || (!known && self.shown.len() >= MOST) {
                    if known {
                        self.shown.remove(&id);
                        removed.push(id);
                    }
                    continue;
                }
                self.shown.insert(id);
            }
            upserts.extend(state.machine.view(id));
        }
        let summary = Box::new(self.summary(&state));
        drop(state);
        self.revision = self.revision.wrapping_add(1);
        self.last = Instant::now();
        QueueUpdate::Changes {
            revision: self.revision,
            upserts,
            removed,
            summary,
        }
    }

    fn summary(&self, state: &QueueState) -> Summary {
        let hidden = match self.interest {
            Interest::Everything => 0,
            Interest::Overview => state.machine.len().saturating_sub(self.shown.len()),
        };
        Summary {
            hidden: u32::try_from(hidden).unwrap_or(u32::MAX),
            ..state.summary(&self.shared.speeds)
        }
    }
}

impl std::fmt::Debug for Updates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Updates")
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}
