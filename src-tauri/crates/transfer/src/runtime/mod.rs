//! The runtime around the machine: tasks, clocks, connections and the journal.

mod drive;
mod ledger;
mod queue;
mod requests;
mod throttles;
mod updates;
mod writer;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use queue::Queue;
pub use updates::Updates;

use crate::jobs::Live;
use crate::machine::{JobId, Machine, Now, Time};
use crate::pool::Pool;
use crate::{Limits, RetryPolicy, SiteKey, Summary};
use throttles::Speeds;
use updates::Slot;
use writer::Writer;

pub use requests::Overview;

/// Opens connections for the workers.
#[async_trait]
pub trait Connector: Send + Sync {
    /// A connection of its own to this site, logged in.
    ///
    /// # Errors
    /// Whatever kept it from being opened; the queue tries again if that is worth it.
    async fn connect(&self, site: &SiteKey) -> Result<ftp_client::Client, ftp_client::Error>;

    /// What is special about this site. Asked each time before a job of the site begins, so it answers from memory.
    fn profile(&self, site: &SiteKey) -> SiteProfile {
        let _ = site;
        SiteProfile::default()
    }

    /// The server was found to allow no more than so many connections at this time.
    fn connections_learned(&self, site: &SiteKey, most: usize) {
        let _ = (site, most);
    }
}

/// What is special about a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SiteProfile {
    /// Connections at the same time, 1 to 64; `None`: as the queue has it.
    pub connections: Option<usize>,
    /// Limits of speed for everything of this site, beside those of the queue.
    pub limits: Limits,
}

/// How a queue works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueConfig {
    /// How many jobs there are at the same time, over all sites: up to 256. With 0 nothing is worked on, for those who
    /// only want to look at a journal or to change it.
    pub workers: usize,
    /// How many connections to a site there are at most, unless its profile says otherwise: 1 to 64. A server that
    /// allows fewer is noticed.
    pub connections: usize,
    /// When failures are tried again.
    pub retry: RetryPolicy,
    /// How long connections are kept after the last item.
    pub keep_idle: Duration,
    /// Limits of speed at the beginning. Those in the journal come first.
    pub limits: Limits,
    /// When a disk is full, wait until there is room; else the download has failed.
    pub wait_for_room: bool,
    /// Whether one big download may go on by several connections.
    pub segments: Segments,
}

/// Whether one big download may go on by several connections, each of which fetches a part of it (RETR after REST).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Segments {
    /// By up to four, where 64 MiB or more are left, no limit of speed holds, nothing else waits for the site's
    /// connections, and only as long as each one more has made it faster.
    #[default]
    IfFaster,
    /// The same by up to so many, 2 to 64; with fewer it stays with one.
    UpTo(u8),
    /// It stays with one connection.
    Never,
    /// By as many as there may be, from 1 MiB on, faster or not.
    #[doc(hidden)]
    AtOnce,
}

impl Default for QueueConfig {
    /// 32 workers, 8 connections to a site, [`RetryPolicy::default`], connections kept for 30 seconds, no limits of
    /// speed, waiting for room on a full disk, several connections for a big download where that is faster.
    fn default() -> Self {
        Self {
            workers: 32,
            connections: 8,
            retry: RetryPolicy::default(),
            keep_idle: Duration::from_secs(30),
            limits: Limits::default(),
            wait_for_room: true,
            segments: Segments::default(),
        }
    }
}

pub(crate) struct Shared {
    state: Mutex<QueueState>,
    pool: Pool,
    connector: Option<Arc<dyn Connector>>,
    /// Something happened that the driver has to look at.
    wake: Notify,
    idle: watch::Sender<bool>,
    closed: CancellationToken,
    start: Instant,
    config: QueueConfig,
    writer: Option<Writer>,
    speeds: Speeds,
}

pub(crate) struct QueueState {
    machine: Machine,
    jobs: HashMap<JobId, Live>,
    slots: Vec<Weak<Slot>>,
    last_sample: Time,
    /// Since when there has been nothing to do, while connections may still be open.
    idle_since: Option<Time>,
    /// Without a journal: the receipts of the last finished files.
    receipts: std::collections::VecDeque<crate::Receipt>,
    /// A write of the journal has failed, and is to be tried again.
    write_again: Option<Time>,
    /// When the inbox is to be looked at again.
    next_look: Time,
    /// How many are at work to remove what cancelled downloads have left.
    cleaning: usize,
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(writer) = &self.writer {
            let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
            writer.leave(state.machine.take_ops());
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, QueueState> {
        // The machine keeps its own rules even if a caller's thread has died; there is nothing better to do.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Now {
        Now {
            time: self.start.elapsed(),
            wall: Timestamp::now(),
        }
    }

    /// Changes the state, tells the subscribers and wakes the driver.
    fn change<R>(&self, change: impl FnOnce(&mut QueueState, Now) -> R) -> R {
        let mut state = self.lock();
        let answer = change(&mut state, self.now());
        self.publish(&mut state);
        drop(state);
        self.wake.notify_one();
        answer
    }

    fn publish(&self, state: &mut QueueState) {
        let receipts = state.machine.take_receipts();
        state.receipts.extend(receipts);
        let surplus = state.receipts.len().saturating_sub(queue::RECEIPTS);
        state.receipts.drain(..surplus);
        let changes = state.machine.take_changes();
        if !changes.dirty.is_empty() || !changes.removed.is_empty() {
            state.slots.retain(|slot| match slot.upgrade() {
                Some(slot) => {
                    slot.add(&changes);
                    true
                }
                None => false,
            });
        }
        let is_clean = state.cleaning == 0 && !state.machine.has_discards();
        let is_idle = is_clean && state.machine.is_idle();
        self.idle
            .send_if_modified(|idle| std::mem::replace(idle, is_idle) != is_idle);
    }

    /// Tells the subscribers that the summary has changed.
    fn announce(&self) {
        let mut state = self.lock();
        state.slots.retain(|slot| {
            slot.upgrade().is_some_and(|slot| {
                slot.poke();
                true
            })
        });
    }

    /// Writes down what has happened. Returns when it is in the journal; at once if there is none.
    async fn flush(&self) -> Result<(), crate::Error> {
        match &self.writer {
            Some(writer) => writer.flush().await,
            None => Ok(()),
        }
    }
}

impl QueueState {
    fn summary(&self, speeds: &Speeds) -> Summary {
        Summary {
            limits: speeds.limits(),
            timetable_limit: speeds.timetable_limit(),
            ..self.machine.summary()
        }
    }
}
