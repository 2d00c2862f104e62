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
mod rate;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::Hash;
use std::time::Duration;

pub(crate) use item::{Item, Numbers};

use crate::error::{Error, Retry};
use crate::{RetryPolicy, SiteKey, State, TransferId, Verified};

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
        verified: Option<Verified>,
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

    fn insert(
        &mut self,
        site: SiteKey,
        parent: Option<TransferId>,
        order: Order,
        depth: u32,
        new: NewItem<W>,
    ) -> TransferId {
        let id = self.next_id;
        self.next_id += 1;
        let too_deep = new.folder && depth > MAX_DEPTH;
        let hopeless = match new.hopeless {
            None if too_deep => Some(Error::TooDeep { limit: MAX_DEPTH }),
            given => given,
        };
        let batch = parent.map(|p| self.items.get(&p).and_then(|i| i.batch).unwrap_or(p));
        let mut item = Item::new(site, parent, batch, order, depth, new.work, new.folder);
        item.hopeless = hopeless.is_some();
        item.error = hopeless;
        let failed = item.hopeless;
        self.items.insert(id, item);
        match parent {
            None => self.open_roots += 1,
            Some(parent) => {
                if let Some(kids) = self.items.get_mut(&parent).and_then(|i| i.kids.as_mut()) {
                    kids.ids.push(id);
                    kids.open += 1;
                }
            }
        }
        // What can't be done is no part of the total.
        let own = Numbers {
            unknown: u64::from(!failed),
            ..Numbers::default()
        };
        if let Some(item) = self.items.get_mut(&id) {
            item.own = own;
        }
        self.spread(id, Numbers::default(), own);
        if failed {
            self.set_state(id, State::Failed);
        } else {
            if !new.folder {
                self.set_own_total(id, new.size);
            }
            self.schedule(id);
        }
        self.touch(id);
        id
    }

    fn walked(&mut self, id: TransferId, site: &SiteKey, children: Vec<NewItem<W>>) {
        let Some(item) = self.items.get_mut(&id) else {
            return;
        };
        item.error = None;
        item.attempts = 0;
        item.kids = Some(Box::default());
        let (depth, batch_order) = (item.depth + 1, item.order.0);
        // The folder itself is known now; its children bring their own unknowns.
        self.set_own_total(id, Some(0));
        for child in children {
            let order = (batch_order, self.take_order());
            self.insert(site.clone(), Some(id), order, depth, child);
        }
        self.settle(id);
    }

    /// `others`: the connections that the site has beside this job's, or may be about to have.
    fn failed(&mut self, now: Time, id: TransferId, site: &SiteKey, others: usize, error: Error) {
        let retry = error.retry();
        let (Some(item), Some(site)) = (self.items.get_mut(&id), self.sites.get_mut(site)) else {
            return;
        };
        item.error = Some(error);
        let again_at = match retry {
            Retry::Busy if others > 0 && site.limit > 1 => {
                // The server allows fewer than we wanted. Nobody's fault, and no penalty; since the limit falls each
                // time, this can't go on for ever.
                item.attempts -= 1;
                site.limit = others.min(site.limit - 1);
                Some(now)
            }
            Retry::Busy | Retry::Backoff if item.attempts < self.retry.attempts => {
                Some(now + self.retry.pause(item.attempts))
            }
            _ => None,
        };
        match again_at {
            Some(at) => {
                self.set_own_bytes(id, 0);
                self.set_state(id, State::Waiting);
                self.delayed.insert((at, id));
                if let Some(item) = self.items.get_mut(&id) {
                    item.due = Some(at);
                }
            }
            None => self.set_state(id, State::Failed),
        }
    }

    fn start(&mut self, now: Time, id: TransferId) -> Option<Action<W>> {
        let item = self.items.get_mut(&id)?;
        let site = self.sites.get_mut(&item.site)?;
        let job = JobId(self.next_job);
        self.next_job += 1;
        site.ready.remove(&(item.order, id));
        site.in_flight += 1;
        let target = item.work.target();
        if let Some(target) = &target {
            self.targets.insert(target.clone());
        }
        item.job = Some(job);
        item.attempts += 1;
        item.started = Some(now);
        item.seconds = None;
        item.rate = rate::Rate::start(now);
        let action = Action::Start {
            job,
            id,
            site: item.site.clone(),
            folder: item.folder,
            size: item.own.total_if_known(),
            work: item.work.clone(),
        };
        self.jobs.insert(
            job,
            Job {
                id,
                site: item.site.clone(),
                target,
                aborted: false,
            },
        );
        let state = if item.folder {
            State::Scanning
        } else {
            State::Running
        };
        self.set_state(id, state);
        Some(action)
    }

    /// The next item that may start: sites take turns, a site's items go in order.
    fn pick(&mut self) -> Option<TransferId> {
        use std::ops::Bound::{Excluded, Unbounded};
        let after = match &self.turn {
            Some(site) => (Excluded(site.clone()), Unbounded),
            None => (Unbounded, Unbounded),
        };
        let (site, id) =
            self.sites
                .range(after)
                .chain(self.sites.iter())
                .find_map(|(key, site)| {
                    if site.in_flight >= site.limit {
                        return None;
                    }
                    let free = site.ready.iter().find(|(_, id)| {
                        let target = self.items.get(id).and_then(|i| i.work.target());
                        target.is_none_or(|t| !self.targets.contains(&t))
                    });
                    free.map(|&(_, id)| (key.clone(), id))
                })?;
        self.turn = Some(site);
        Some(id)
    }

    /// Puts an item that waits in line, unless its last job has still to end.
    fn schedule(&mut self, id: TransferId) {
        let Some(item) = self.items.get(&id) else {
            return;
        };
        if item.state == State::Waiting && item.job.is_none() {
            self.make_ready(id);
        }
    }

    fn make_ready(&mut self, id: TransferId) {
        let Some(item) = self.items.get_mut(&id) else {
            return;
        };
        item.due = None;
        let workers = self.workers;
        self.sites
            .entry(item.site.clone())
            .or_insert_with(|| Site {
                ready: BTreeSet::new(),
                in_flight: 0,
                limit: workers,
            })
            .ready
            .insert((item.order, id));
    }

    fn unschedule(&mut self, id: TransferId) {
        let Some(item) = self.items.get_mut(&id) else {
            return;
        };
        if let Some(due) = item.due.take() {
            self.delayed.remove(&(due, id));
        }
        if let Some(site) = self.sites.get_mut(&item.site) {
            site.ready.remove(&(item.order, id));
        }
    }

    /// A site that has nothing to do is tried afresh next time: others may have gone.
    fn forget_limit(&mut self, site: &SiteKey) {
        let waits = |s: &SiteKey| {
            self.delayed
                .iter()
                .any(|(_, id)| self.items.get(id).is_some_and(|i| i.site == *s))
        };
        if self
            .sites
            .get(site)
            .is_some_and(|s| s.in_flight == 0 && s.ready.is_empty())
            && !waits(site)
        {
            self.sites.remove(site);
        }
    }

    fn abort(&mut self, job: JobId) {
        if let Some(state) = self.jobs.get_mut(&job)
            && !state.aborted
        {
            state.aborted = true;
            self.aborts.push(job);
        }
    }

    /// The items and everything below them, parents first.
    fn with_descendants(&self, ids: &[TransferId]) -> Vec<TransferId> {
        let mut found = Vec::new();
        let mut seen = HashSet::new();
        let mut todo: Vec<TransferId> = ids.iter().rev().copied().collect();
        while let Some(id) = todo.pop() {
            if let Some(item) = self.items.get(&id)
                && seen.insert(id)
            {
                found.push(id);
                if let Some(kids) = &item.kids {
                    todo.extend(kids.ids.iter().rev());
                }
            }
        }
        found
    }

    /// Changes a state, and what follows from it in the folders above.
    fn set_state(&mut self, id: TransferId, state: State) {
        let mut change = (id, state);
        loop {
            let (id, state) = change;
            let Some(item) = self.items.get_mut(&id) else {
                return;
            };
            let before = std::mem::replace(&mut item.state, state);
            let parent = item.parent;
            self.touch(id);
            let Some(parent) = parent else {
                if before.is_open() != state.is_open() {
                    if state.is_open() {
                        self.open_roots += 1;
                    } else {
                        self.open_roots -= 1;
                    }
                }
                return;
            };
            let Some(next) = self
                .items
                .get_mut(&parent)
                .and_then(|p| p.child_changed(before, state))
            else {
                return;
            };
            change = (parent, next);
        }
    }

    /// The state of a folder that has just been walked.
    fn settle(&mut self, id: TransferId) {
        if let Some(state) = self.items.get_mut(&id).and_then(Item::settled) {
            self.set_state(id, state);
        }
    }

    fn set_own_bytes(&mut self, id: TransferId, bytes: u64) {
        self.change_own(id, |own| own.bytes = bytes);
    }

    fn set_own_total(&mut self, id: TransferId, total: Option<u64>) {
        self.change_own(id, |own| {
            own.total = total.unwrap_or(0);
            own.unknown = u64::from(total.is_none());
        });
    }

    fn change_own(&mut self, id: TransferId, change: impl FnOnce(&mut Numbers)) {
        let Some(item) = self.items.get_mut(&id) else {
            return;
        };
        let before = item.own;
        change(&mut item.own);
        let after = item.own;
        if before != after {
            self.spread(id, before, after);
        }
    }

    /// Carries a change of an item's own numbers into its sums and those of the folders above.
    fn spread(&mut self, id: TransferId, before: Numbers, after: Numbers) {
        let mut at = Some(id);
        while let Some(id) = at {
            self.changes.dirty.insert(id);
            let Some(item) = self.items.get_mut(&id) else {
                return;
            };
            item.sum.replace(before, after);
            at = item.parent;
        }
    }

    fn touch(&mut self, id: TransferId) {
        let mut at = Some(id);
        while let Some(id) = at {
            self.changes.dirty.insert(id);
            at = self.items.get(&id).and_then(|i| i.parent);
        }
    }
}
