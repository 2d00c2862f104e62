//! The pure core of the queue: state, event and time in, actions out. No tokio, no clock, no disk, no network.
//!
//! The runtime tells the core what happened ([`Core::add`], [`Core::cancel`], [`Core::retry`], [`Core::job_ended`],
//! …) and then asks it what to do ([`Core::poll`]). An item that is worked on has a *job*; a job holds one of the
//! workers from [`Action::Start`] until [`Core::job_ended`], also while it is being aborted. So an item that is
//! cancelled and retried at once never runs twice at the same time.
//!
//! Folders are items whose job is to look into the folder; what they find are their children. The numbers of a folder
//! are sums over what is below it, kept up to date with every change.

mod item;
#[cfg(test)]
mod model;
mod rate;
mod schedule;
#[cfg(test)]
mod tests;
mod tree;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::Hash;
use std::time::Duration;

pub(crate) use item::{Item, Numbers};

use crate::error::Error;
use crate::{Checks, RetryPolicy, SiteKey, State, TransferId};

/// Time since the queue was made.
pub(crate) type Time = Duration;

/// Folders inside folders are followed this far down: a loop made of links or of a server's lies ends here.
pub(crate) const MAX_DEPTH: u32 = 64;

/// What is to be done, as far as the core needs to know it.
pub(crate) trait Work: Clone {
    /// What two jobs must not write at the same time.
    type Target: Clone + Eq + Hash;
    /// The target, if it needs to be guarded.
    fn target(&self) -> Option<Self::Target>;
}

/// One try at one item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct JobId(pub(crate) u64);

/// An item to be added.
#[derive(Debug, Clone)]
pub(crate) struct NewItem<W> {
    pub(crate) work: W,
    pub(crate) folder: bool,
    /// Bytes to move, if known.
    pub(crate) size: Option<u64>,
    /// Set for what can never be done (a name that is no name): listed as failed, never started.
    pub(crate) hopeless: Option<Error>,
}

/// How a job ended.
#[derive(Debug)]
pub(crate) enum Outcome<W> {
    /// The file is where it should be.
    Done {
        bytes: u64,
        verified: Option<Checks>,
    },
    /// The folder was looked into, completely.
    Walked(Vec<NewItem<W>>),
    /// It did not work.
    Failed {
        error: Error,
        /// How many connections to the site were open at that time, used or idle.
        open: usize,
    },
    /// It was given up as asked, and cleaned up after.
    Aborted,
}

/// What the runtime has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action<W> {
    /// Work on this item, and tell how it ended.
    Start {
        job: JobId,
        id: TransferId,
        site: SiteKey,
        folder: bool,
        size: Option<u64>,
        work: W,
    },
    /// Give this job up; it still has to end.
    Abort(JobId),
}

/// Which items changed since the last time someone asked.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) dirty: BTreeSet<TransferId>,
    pub(crate) removed: Vec<TransferId>,
}

/// The order in which items start: by batch, then as found.
type Order = (u64, u64);

struct Site {
    ready: BTreeSet<(Order, TransferId)>,
    in_flight: usize,
    /// How many connections the server seems to allow.
    limit: usize,
}

struct Job<W: Work> {
    id: TransferId,
    site: SiteKey,
    target: Option<W::Target>,
    aborted: bool,
}

/// The state of the queue.
pub(crate) struct Core<W: Work> {
    workers: usize,
    retry: RetryPolicy,
    items: BTreeMap<TransferId, Item<W>>,
    sites: BTreeMap<SiteKey, Site>,
    delayed: BTreeSet<(Time, TransferId)>,
    jobs: BTreeMap<JobId, Job<W>>,
    targets: HashSet<W::Target>,
    aborts: Vec<JobId>,
    changes: Changes,
    next_id: TransferId,
    next_job: u64,
    next_order: u64,
    /// The site whose turn it is when several have work.
    turn: Option<SiteKey>,
    /// Items without a parent that are not finished.
    open_roots: usize,
}

impl<W: Work> Core<W> {
    pub(crate) fn new(workers: usize, retry: RetryPolicy) -> Self {
        Self {
            workers: workers.max(1),
            retry,
            items: BTreeMap::new(),
            sites: BTreeMap::new(),
            delayed: BTreeSet::new(),
            jobs: BTreeMap::new(),
            targets: HashSet::new(),
            aborts: Vec::new(),
            changes: Changes::default(),
            next_id: 1,
            next_job: 1,
            next_order: 1,
            turn: None,
            open_roots: 0,
        }
    }

    pub(crate) fn items(&self) -> &BTreeMap<TransferId, Item<W>> {
        &self.items
    }

    /// Nothing waits, nothing runs, and nothing that was given up is still being cleaned up.
    pub(crate) fn is_idle(&self) -> bool {
        self.open_roots == 0 && self.jobs.is_empty()
    }

    pub(crate) fn jobs_in_flight(&self) -> usize {
        self.jobs.len()
    }

    /// The bytes per second of everything that runs in this item.
    pub(crate) fn rate(&self, id: TransferId) -> Option<f64> {
        let mut sum = None;
        for job in self.jobs.values() {
            let Some(rate) = self.items.get(&job.id).and_then(|i| i.rate.per_second()) else {
                continue;
            };
            let mut at = Some(job.id);
            while let Some(ancestor) = at {
                if ancestor == id {
                    *sum.get_or_insert(0.0) += rate;
                    break;
                }
                at = self.items.get(&ancestor).and_then(|i| i.parent);
            }
        }
        sum
    }

    pub(crate) fn take_changes(&mut self) -> Changes {
        std::mem::take(&mut self.changes)
    }

    /// Adds items at the end of the queue.
    pub(crate) fn add(&mut self, site: &SiteKey, items: Vec<NewItem<W>>) -> Vec<TransferId> {
        items
            .into_iter()
            .map(|new| {
                let batch_order = self.take_order();
                self.insert(site.clone(), None, (batch_order, 0), 0, new)
            })
            .collect()
    }

    /// Cancels items and everything below them. What is finished stays as it is.
    pub(crate) fn cancel(&mut self, ids: &[TransferId]) {
        for id in self.with_descendants(ids) {
            let Some(item) = self.items.get(&id) else {
                continue;
            };
            if !item.state.is_open() || item.is_walked() {
                // A walked folder follows from its children.
                continue;
            }
            if let Some(job) = item.job {
                self.abort(job);
            }
            self.unschedule(id);
            self.set_state(id, State::Cancelled);
        }
        let sites: Vec<SiteKey> = self.sites.keys().cloned().collect();
        for site in sites {
            self.forget_limit(&site);
        }
    }

    /// Tries failed and cancelled items again, and those below them, as if they were new.
    pub(crate) fn retry(&mut self, ids: &[TransferId]) {
        for id in self.with_descendants(ids) {
            let Some(item) = self.items.get_mut(&id) else {
                continue;
            };
            if !matches!(item.state, State::Failed | State::Cancelled)
                || item.hopeless
                || item.is_walked()
            {
                continue;
            }
            item.attempts = 0;
            item.error = None;
            self.set_own_bytes(id, 0);
            self.set_state(id, State::Waiting);
            self.schedule(id);
        }
    }

    /// Takes what is finished (done, failed, cancelled) off the list; a folder only as a whole.
    pub(crate) fn clear_finished(&mut self) {
        let roots: Vec<TransferId> = self
            .items
            .iter()
            .filter(|(_, item)| item.parent.is_none() && !item.state.is_open())
            .map(|(&id, _)| id)
            .collect();
        for root in roots {
            let below = self.with_descendants(&[root]);
            if below
                .iter()
                .any(|id| self.items.get(id).is_some_and(|i| i.job.is_some()))
            {
                // Something is still being cleaned up.
                continue;
            }
            for id in below {
                self.items.remove(&id);
                self.changes.dirty.remove(&id);
                self.changes.removed.push(id);
            }
        }
    }

    /// A job has moved this many bytes so far; `total` if it has learned how many there are.
    pub(crate) fn progress(&mut self, now: Time, job: JobId, bytes: u64, total: Option<u64>) {
        let Some(job) = self.jobs.get(&job) else {
            return;
        };
        let id = job.id;
        if job.aborted {
            return;
        }
        if let Some(total) = total {
            self.set_own_total(id, Some(total));
        }
        self.set_own_bytes(id, bytes);
        if let Some(item) = self.items.get_mut(&id) {
            item.rate.sample(now, bytes);
        }
        self.touch(id);
    }

    /// A job has ended and let go of its connection and its files.
    pub(crate) fn job_ended(&mut self, now: Time, job_id: JobId, outcome: Outcome<W>) {
        let Some(job) = self.jobs.remove(&job_id) else {
            return;
        };
        let id = job.id;
        if let Some(target) = &job.target {
            self.targets.remove(target);
        }
        let others = self.sites.get_mut(&job.site).map_or(0, |site| {
            site.in_flight -= 1;
            site.in_flight
        });
        let Some(item) = self.items.get_mut(&id) else {
            return;
        };
        item.job = None;
        item.rate.stop();
        if let Some(started) = item.started {
            item.seconds = Some(now.saturating_sub(started).as_secs_f64());
        }
        let state = item.state;
        match outcome {
            // Whatever was asked meanwhile, the file is there.
            Outcome::Done { bytes, verified } => {
                item.error = None;
                item.verified = verified;
                self.unschedule(id);
                self.set_own_total(id, Some(bytes));
                self.set_own_bytes(id, bytes);
                self.set_state(id, State::Done);
            }
            Outcome::Walked(children) if state != State::Cancelled => {
                self.unschedule(id);
                self.walked(id, &job.site, children);
            }
            Outcome::Failed { error, open }
                if matches!(state, State::Running | State::Scanning) =>
            {
                self.failed(now, id, &job.site, others.max(open), error);
            }
            Outcome::Aborted if matches!(state, State::Running | State::Scanning) => {
                self.set_state(id, State::Cancelled);
            }
            // Cancelled meanwhile, or cancelled and retried: then it was only waiting for this end.
            Outcome::Walked(_) | Outcome::Failed { .. } | Outcome::Aborted => {
                if state == State::Waiting {
                    self.set_own_bytes(id, 0);
                    self.schedule(id);
                }
            }
        }
        self.forget_limit(&job.site);
        self.touch(id);
    }

    /// What is to be done now. Also call it when [`next_wake`](Self::next_wake) has come.
    pub(crate) fn poll(&mut self, now: Time) -> Vec<Action<W>> {
        let mut actions: Vec<Action<W>> = std::mem::take(&mut self.aborts)
            .into_iter()
            .map(Action::Abort)
            .collect();
        while let Some(&(due, id)) = self.delayed.first() {
            if due > now {
                break;
            }
            self.delayed.pop_first();
            self.make_ready(id);
        }
        while self.jobs.len() < self.workers {
            let Some(id) = self.pick() else { break };
            actions.extend(self.start(now, id));
        }
        actions
    }

    /// When the next delayed item is due.
    pub(crate) fn next_wake(&self) -> Option<Time> {
        self.delayed.first().map(|&(due, _)| due)
    }

    fn take_order(&mut self) -> u64 {
        let order = self.next_order;
        self.next_order += 1;
        order
    }
}
