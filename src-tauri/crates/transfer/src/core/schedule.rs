//! What starts next, and what happens to what has failed.

use super::{Action, Core, Job, JobId, Site, Time, Work, rate};
use crate::error::{Error, Retry};
use crate::{SiteKey, State, TransferId};
use std::collections::BTreeSet;

impl<W: Work> Core<W> {
    /// `others`: the connections that the site has beside this job's, or may be about to have.
    pub(super) fn failed(
        &mut self,
        now: Time,
        id: TransferId,
        site: &SiteKey,
        others: usize,
        error: Error,
    ) {
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

    pub(super) fn start(&mut self, now: Time, id: TransferId) -> Option<Action<W>> {
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
    pub(super) fn pick(&mut self) -> Option<TransferId> {
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
    pub(super) fn schedule(&mut self, id: TransferId) {
        let Some(item) = self.items.get(&id) else {
            return;
        };
        if item.state == State::Waiting && item.job.is_none() {
            self.make_ready(id);
        }
    }

    pub(super) fn make_ready(&mut self, id: TransferId) {
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

    pub(super) fn unschedule(&mut self, id: TransferId) {
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
    pub(super) fn forget_limit(&mut self, site: &SiteKey) {
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

    pub(super) fn abort(&mut self, job: JobId) {
        if let Some(state) = self.jobs.get_mut(&job)
            && !state.aborted
        {
            state.aborted = true;
            self.aborts.push(job);
        }
    }
}
