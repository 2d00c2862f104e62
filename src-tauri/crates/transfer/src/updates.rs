//! Subscriptions: a snapshot, then changes. Changes are gathered until the subscriber asks, so that a slow one gets
//! fewer and larger updates, and never holds up the queue or fills the memory.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::core::Changes;
use crate::queue::Shared;
use crate::{QueueUpdate, TransferId};

/// Ten updates a second at most.
const PAUSE: Duration = Duration::from_millis(100);

/// What one subscriber has not heard of yet.
#[derive(Default)]
pub(crate) struct Slot {
    pending: Mutex<Pending>,
    notify: Notify,
}

#[derive(Default)]
struct Pending {
    dirty: BTreeSet<TransferId>,
    removed: BTreeSet<TransferId>,
}

impl Slot {
    pub(crate) fn add(&self, changes: &Changes) {
        let mut pending = self.lock();
        for id in &changes.removed {
            pending.dirty.remove(id);
            pending.removed.insert(*id);
        }
        pending.dirty.extend(&changes.dirty);
        drop(pending);
        self.notify.notify_one();
    }

    fn is_empty(&self) -> bool {
        let pending = self.lock();
        pending.dirty.is_empty() && pending.removed.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A subscription of a queue, made by [`Queue::subscribe`](crate::Queue::subscribe). It does not keep the queue alive.
pub struct Updates {
    shared: Arc<Shared>,
    slot: Option<Arc<Slot>>,
    revision: u32,
    last: Instant,
}

impl Updates {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            slot: None,
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
        // Under one lock, so that nothing falls between the snapshot and the first change.
        let mut state = self.shared.lock();
        state.add_slot(&slot);
        let items = state.views();
        drop(state);
        self.slot = Some(slot);
        self.last = Instant::now();
        QueueUpdate::Snapshot {
            revision: self.revision,
            items,
            summary: Box::default(),
        }
    }

    fn changes(&mut self, slot: &Slot) -> QueueUpdate {
        let state = self.shared.lock();
        let pending = std::mem::take(&mut *slot.lock());
        let upserts = state.views_of(&pending.dirty);
        drop(state);
        self.revision = self.revision.wrapping_add(1);
        self.last = Instant::now();
        QueueUpdate::Changes {
            revision: self.revision,
            upserts,
            removed: pending.removed.into_iter().collect(),
            summary: Box::default(),
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
