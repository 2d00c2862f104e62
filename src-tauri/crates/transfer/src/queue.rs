//! The runtime around the core: tasks, clocks and connections.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::core::{Action, Core, JobId, NewItem, Outcome, Time};
use crate::error::Error;
use crate::job::{self, Live};
use crate::plan::Plan;
use crate::pool::Pool;
use crate::remote::Remotes;
use crate::updates::{Slot, Updates};
use crate::{ItemKind, NewTransfer, RetryPolicy, SiteKey, Transfer, TransferId};

/// How often progress is looked at.
const SAMPLE_PAUSE: Duration = Duration::from_millis(100);

/// Opens connections for the workers.
#[async_trait]
pub trait Connector: Send + Sync {
    /// A connection of its own to this site, logged in.
    ///
    /// # Errors
    /// Whatever kept it from being opened; the queue tries again if that is worth it.
    async fn connect(&self, site: &SiteKey) -> Result<ftp_client::Client, ftp_client::Error>;
}

/// How a queue works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueConfig {
    /// How many items move at the same time, each on a connection of its own: 1 to 64.
    pub workers: usize,
    /// When failures are tried again.
    pub retry: RetryPolicy,
    /// How long connections are kept after the last item.
    pub keep_idle: Duration,
}

impl Default for QueueConfig {
    /// Four workers, [`RetryPolicy::default`], connections kept for 30 seconds.
    fn default() -> Self {
        Self {
            workers: 4,
            retry: RetryPolicy::default(),
            keep_idle: Duration::from_secs(30),
        }
    }
}

/// The transfer queue. Clones are handles of the same queue. When the last one is dropped, what runs is cancelled;
/// [`shutdown`](Self::shutdown) also waits for it.
#[derive(Clone)]
pub struct Queue(Arc<Handle>);

struct Handle {
    shared: Arc<Shared>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.closed.cancel();
    }
}

pub(crate) struct Shared {
    state: Mutex<QueueState>,
    pool: Pool,
    /// Something happened that the driver has to look at.
    wake: Notify,
    idle: watch::Sender<bool>,
    pub(crate) closed: CancellationToken,
    start: Instant,
    keep_idle: Duration,
}

pub(crate) struct QueueState {
    pub(crate) core: Core<Plan>,
    jobs: HashMap<JobId, Live>,
    slots: Vec<Weak<Slot>>,
    last_sample: Time,
    /// Since when there has been nothing to do, while connections may still be open.
    idle_since: Option<Time>,
}

impl Queue {
    /// A queue with nothing in it. Its tasks run in the tokio runtime that this is called in.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn new(config: QueueConfig, connector: Arc<dyn Connector>) -> Self {
        Self::with_remotes(config, Arc::new(crate::ftp::FtpRemotes::new(connector)))
    }

    pub(crate) fn with_remotes(config: QueueConfig, remotes: Arc<dyn Remotes>) -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::new(QueueState {
                core: Core::new(config.workers.clamp(1, 64), config.retry),
                jobs: HashMap::new(),
                slots: Vec::new(),
                last_sample: Time::ZERO,
                idle_since: None,
            }),
            pool: Pool::new(remotes),
            wake: Notify::new(),
            idle: watch::Sender::new(true),
            closed: CancellationToken::new(),
            start: Instant::now(),
            keep_idle: config.keep_idle,
        });
        tokio::spawn(drive(shared.clone()));
        Self(Arc::new(Handle { shared }))
    }

    /// Adds transfers at the end of the queue; their numbers are in the same order.
    pub fn enqueue(&self, transfers: Vec<NewTransfer>) -> Vec<TransferId> {
        self.0.shared.change(|state, _| {
            let mut ids = Vec::with_capacity(transfers.len());
            for new in &transfers {
                let item = NewItem {
                    work: Plan::new(new),
                    folder: new.kind == ItemKind::Folder,
                    size: new.size,
                    hopeless: None,
                };
                ids.extend(state.core.add(&new.site, vec![item]));
            }
            ids
        })
    }

    /// Cancels items, and what is in them if they are folders. What is finished stays finished. Numbers that are not
    /// in the queue are passed over, here and below.
    ///
    /// What runs ends a moment later; [`wait_idle`](Self::wait_idle) waits for that too. A cancelled upload is deleted
    /// from the server if that is possible, since it is neither the old file nor the new one.
    pub fn cancel(&self, ids: &[TransferId]) {
        self.0.shared.change(|state, _| state.core.cancel(ids));
    }

    /// Cancels everything that goes to or comes from a site, and closes its idle connections.
    pub async fn cancel_site(&self, site: &SiteKey) {
        self.0.shared.change(|state, _| {
            let ids: Vec<TransferId> = state
                .core
                .items()
                .iter()
                .filter(|(_, item)| item.site == *site)
                .map(|(&id, _)| id)
                .collect();
            state.core.cancel(&ids);
        });
        self.0.shared.pool.close_idle(Some(site)).await;
    }

    /// Tries failed and cancelled items again, and those in the folders given.
    pub fn retry(&self, ids: &[TransferId]) {
        self.0.shared.change(|state, _| state.core.retry(ids));
    }

    /// Takes what is finished (done, failed or cancelled) off the list; a folder only when everything in it is.
    pub fn clear_finished(&self) {
        self.0.shared.change(|state, _| state.core.clear_finished());
    }

    /// A subscription: first everything, then what changes, at most ten times a second.
    pub fn subscribe(&self) -> Updates {
        Updates::new(self.0.shared.clone())
    }

    /// An item as it stands.
    pub fn get(&self, id: TransferId) -> Option<Transfer> {
        self.0.shared.lock().view(id)
    }

    /// All items as they stand, by number.
    pub fn list(&self) -> Vec<Transfer> {
        self.0.shared.lock().views()
    }

    /// Waits until nothing waits and nothing runs. Items that wait to be tried again count as waiting.
    pub async fn wait_idle(&self) {
        let mut idle = self.0.shared.idle.subscribe();
        // The sender lives as long as we do.
        let _ = idle.wait_for(|idle| *idle).await;
    }

    /// Cancels everything, waits until it is cleaned up after, and takes leave of the servers.
    pub async fn shutdown(&self) {
        self.0.shared.change(|state, _| {
            let ids: Vec<TransferId> = state.core.items().keys().copied().collect();
            state.core.cancel(&ids);
        });
        self.wait_idle().await;
        self.0.shared.pool.close_idle(None).await;
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let items = self.0.shared.lock().core.items().len();
        f.debug_struct("Queue")
            .field("items", &items)
            .finish_non_exhaustive()
    }
}

/// Asks the core what to do, whenever something happened or a time has come, until the queue is closed.
async fn drive(shared: Arc<Shared>) {
    loop {
        let (next, close_idle) = shared.step();
        if close_idle {
            // In a task of its own: a server that is slow to say goodbye holds nobody up.
            let shared = shared.clone();
            tokio::spawn(async move { shared.pool.close_idle(None).await });
        }
        let timer = async {
            match next {
                Some(time) => tokio::time::sleep_until(shared.start + time).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = shared.closed.cancelled() => break,
            () = shared.wake.notified() => {}
            () = timer => {}
        }
    }
    for live in shared.lock().jobs.values() {
        live.cancel.cancel();
    }
}

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, QueueState> {
        // The core keeps its own rules even if a caller's thread has died; there is nothing better to do.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Time {
        self.start.elapsed()
    }

    /// Changes the state, tells the subscribers and wakes the driver.
    fn change<R>(&self, change: impl FnOnce(&mut QueueState, Time) -> R) -> R {
        let mut state = self.lock();
        let answer = change(&mut state, self.now());
        self.publish(&mut state);
        drop(state);
        self.wake.notify_one();
        answer
    }

    fn publish(&self, state: &mut QueueState) {
        let changes = state.core.take_changes();
        if !changes.dirty.is_empty() || !changes.removed.is_empty() {
            state.slots.retain(|slot| match slot.upgrade() {
                Some(slot) => {
                    slot.add(&changes);
                    true
                }
                None => false,
            });
        }
        let is_idle = state.core.is_idle();
        self.idle
            .send_if_modified(|idle| std::mem::replace(idle, is_idle) != is_idle);
    }

    /// One turn of the driver: when to come back, and whether idle connections are to be closed.
    fn step(self: &Arc<Self>) -> (Option<Time>, bool) {
        let now = self.now();
        let mut guard = self.lock();
        let state = &mut *guard;
        if now.saturating_sub(state.last_sample) >= SAMPLE_PAUSE {
            state.last_sample = now;
            for (job, live) in &state.jobs {
                let total = live.total.get().copied();
                state.core.progress(now, *job, live.progress.bytes(), total);
            }
        }
        for action in state.core.poll(now) {
            match action {
                Action::Start {
                    job,
                    site,
                    size,
                    work,
                    ..
                } => {
                    let live = Live::default();
                    state.jobs.insert(job, live.clone());
                    tokio::spawn(self.clone().work(job, site, size, work, live));
                }
                Action::Abort(job) => {
                    if let Some(live) = state.jobs.get(&job) {
                        live.cancel.cancel();
                    }
                }
            }
        }
        self.publish(state);
        let mut next = state.core.next_wake();
        let mut close_idle = false;
        if state.core.jobs_in_flight() > 0 {
            state.idle_since = Some(now);
            next = earliest(next, state.last_sample + SAMPLE_PAUSE);
        } else if let Some(since) = state.idle_since {
            let end = since + self.keep_idle;
            if end <= now {
                close_idle = true;
                state.idle_since = None;
            } else {
                next = earliest(next, end);
            }
        }
        (next, close_idle)
    }

    async fn work(
        self: Arc<Self>,
        job: JobId,
        site: SiteKey,
        size: Option<u64>,
        plan: Plan,
        live: Live,
    ) {
        let work = job::run(&self.pool, &site, &plan, size, &live);
        let outcome = AssertUnwindSafe(work)
            .catch_unwind()
            .await
            .unwrap_or_else(|_| Outcome::Failed {
                error: Error::Internal("a worker has failed".to_owned()),
                open: 0,
            });
        if let Outcome::Failed { error, .. } = &outcome {
            tracing::debug!(%error, source = %plan.name(), "a transfer has failed");
        }
        self.change(|state, now| {
            state.jobs.remove(&job);
            let total = live.total.get().copied();
            state.core.progress(now, job, live.progress.bytes(), total);
            state.core.job_ended(now, job, outcome);
        });
    }
}

fn earliest(a: Option<Time>, b: Time) -> Option<Time> {
    Some(a.map_or(b, |a| a.min(b)))
}

impl QueueState {
    pub(crate) fn add_slot(&mut self, slot: &Arc<Slot>) {
        self.slots.push(Arc::downgrade(slot));
    }
}
