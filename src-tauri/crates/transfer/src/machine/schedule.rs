//! What starts next.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use super::{Action, Item, Job, JobId, Machine, Now, Rank, Time, is_file, rate};
use crate::work::{Assignment, GROUP_BYTES, GROUP_FILES, SMALL, Task};
use crate::{Direction, ItemKind, State, TransferId};

/// Timers are not set for longer: the clock on the wall may be put right meanwhile.
const LONGEST_SLEEP: Time = Duration::from_secs(60);

/// Groups that begin within this time have hardly moved anything yet.
const SAME_MOMENT: Time = Duration::from_millis(300);

impl Machine {
    /// What is to be done now. Also call it when [`next_wake`](Self::next_wake) has come.
    pub(crate) fn poll(&mut self, now: Now) -> Vec<Action> {
        let mut actions: Vec<Action> = std::mem::take(&mut self.stops)
            .into_iter()
            .filter_map(|job| {
                let all = self.jobs.get(&job)?.ids.iter().all(|id| {
                    self.items
                        .get(id)
                        .is_some_and(|item| item.stopping().is_some())
                });
                Some(Action::Stop { job, all })
            })
            .collect();
        for (site, tasks) in std::mem::take(&mut self.discards) {
            let site = self.sites[site as usize].key.clone();
            actions.push(Action::Discard { site, tasks });
        }
        while let Some(&(due, id)) = self.delayed.first() {
            if due > now.time {
                break;
            }
            self.end_delay(id);
            self.schedule(now, id);
        }
        self.try_one_more(now);
        if self.full.is_some() && self.jobs.is_empty() && !self.something_waits() {
            // Nobody is left who could find out whether there is room by now.
            self.full = None;
        }
        if self.paused || self.closing || self.journal_trouble.is_some() {
            return actions;
        }
        while self.jobs.len() < self.rules.workers {
            let Some(action) = self.start_next(now) else {
                break;
            };
            actions.push(action);
        }
        actions
    }

    /// When something is due by itself.
    pub(crate) fn next_wake(&self, now: Now) -> Option<Time> {
        let delayed = self
            .delayed
            .first()
            .map(|&(due, _)| due.min(now.time + LONGEST_SLEEP));
        let probe = self
            .full
            .as_ref()
            // Where that time is over and nothing was started, there is something else to wait for.
            .filter(|full| !full.probing && full.again > now.time)
            .map(|full| full.again);
        match (delayed, probe) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Puts an item that waits in line, or in wait for its time; unless its last job has still to end.
    pub(super) fn schedule(&mut self, now: Now, id: TransferId) {
        let Some(item) = self.items.get(&id) else {
            return;
        };
        if item.state != State::Waiting || item.job.is_some() || item.ready || item.due().is_some()
        {
            return;
        }
        if let Some(start) = self.start_time(item)
            && start > now.wall
        {
            let left = Duration::try_from(start.duration_since(now.wall)).unwrap_or_default();
            // Then it is looked at again: the clock may be put right, and while the computer sleeps ours stands still.
            self.delay(id, now.time + left.min(LONGEST_SLEEP));
            return;
        }
        let rank = self.rank(id, item);
        let (site, lane) = (item.site, Self::lane(item.direction));
        self.sites[site as usize].ready[lane].insert(rank);
        if let Some(item) = self.items.get_mut(&id) {
            item.ready = true;
        }
    }

    pub(super) fn delay(&mut self, id: TransferId, due: Time) {
        if let Some(item) = self.items.get_mut(&id) {
            let site = item.site as usize;
            let before = item.extra().due.replace(due);
            if let Some(before) = before {
                self.delayed.remove(&(before, id));
            } else {
                self.sites[site].delayed += 1;
            }
            self.delayed.insert((due, id));
        }
    }

    fn end_delay(&mut self, id: TransferId) {
        if let Some(item) = self.items.get_mut(&id)
            && let Some(due) = item.take_extra(|extra| extra.due.take())
        {
            let site = item.site as usize;
            self.delayed.remove(&(due, id));
            self.sites[site].delayed -= 1;
        }
    }

    pub(super) fn unschedule(&mut self, id: TransferId) {
        self.end_delay(id);
        if let Some(item) = self.items.get(&id)
            && item.ready
        {
            let rank = self.rank(id, item);
            let (site, lane) = (item.site, Self::lane(item.direction));
            self.sites[site as usize].ready[lane].remove(&rank);
            if let Some(item) = self.items.get_mut(&id) {
                item.ready = false;
            }
        }
    }

    /// Sites take turns; a site's items go in order.
    fn start_next(&mut self, now: Now) -> Option<Action> {
        let count = self.sites.len() as u32;
        for step in 1..=count {
            let number = (self.turn + step) % count;
            if let Some(action) = self.start_at_site(now, number) {
                self.turn = number;
                return Some(action);
            }
        }
        None
    }

    fn start_at_site(&mut self, now: Now, number: u32) -> Option<Action> {
        let site = &self.sites[number as usize];
        if site.rests() || site.in_flight >= site.limit {
            return None;
        }
        // While a disk is full one download at a time finds out whether it still is.
        let probe = self.full.is_some();
        let downloads = match &self.full {
            None => true,
            Some(full) => !full.probing && full.again <= now.time,
        };
        let first = [Direction::Download, Direction::Upload]
            .into_iter()
            .filter(|&direction| downloads || direction == Direction::Upload)
            .filter_map(|direction| self.first_free(number, direction))
            .min()?;
        let id = first.3;
        let is_probe = probe && self.items.get(&id)?.direction == Direction::Download;
        let ids = if is_probe {
            vec![id]
        } else {
            self.group(now, number, first)
        };
        self.start(now, number, ids, is_probe)
    }

    /// The first in line whose target nobody else is writing to.
    fn first_free(&self, site: u32, direction: Direction) -> Option<Rank> {
        self.sites[site as usize].ready[Self::lane(direction)]
            .iter()
            .find(|(.., id)| {
                self.targets.is_empty()
                    || self
                        .items
                        .get(id)
                        .and_then(|item| self.target(*id, item))
                        .is_none_or(|target| !self.targets.contains(&target))
            })
            .copied()
    }

    /// The item, and if it is a small file those that may go along with it on one connection.
    fn group(&self, now: Now, number: u32, first: Rank) -> Vec<TransferId> {
        let mut ids = vec![first.3];
        let Some(leader) = self.items.get(&first.3).filter(|item| self.is_small(item)) else {
            return ids;
        };
        let site = &self.sites[number as usize];
        let line = &site.ready[Self::lane(leader.direction)];
        // No more than one connection's share of what waits: so they get smaller, and all come to the end at the same time.
        // Those that begin at about this moment share alike.
        let connections = site.limit.min(self.rules.workers).max(1);
        let begun: usize = self
            .jobs
            .values()
            .filter(|job| job.site == number && now.time < job.since + SAME_MOMENT)
            .map(|job| job.ids.len())
            .sum();
        let most = (line.len() + begun)
            .div_ceil(connections)
            .clamp(1, GROUP_FILES);
        let mut bytes = leader.size.unwrap_or(0);
        let mut targets = BTreeSet::from_iter(self.target(first.3, leader));
        for rank in line.range(first..).skip(1) {
            if ids.len() >= most {
                break;
            }
            let Some(item) = self.items.get(&rank.3) else {
                continue;
            };
            if !self.is_small(item) || item.options != leader.options {
                break;
            }
            bytes += item.size.unwrap_or(0);
            if bytes > GROUP_BYTES {
                break;
            }
            let target = self.target(rank.3, item);
            if target.is_some_and(|t| self.targets.contains(&t) || !targets.insert(t)) {
                continue;
            }
            ids.push(rank.3);
        }
        ids
    }

    /// A file for a group. What has failed before goes alone, so that it can't spoil the others' next try.
    fn is_small(&self, item: &Item) -> bool {
        item.kind == ItemKind::File
            && !item.link
            && item.attempts == 0
            && item.size.is_some_and(|size| size <= SMALL)
            && self.options_of(item).limit.is_none()
    }

    fn start(&mut self, now: Now, site: u32, ids: Vec<TransferId>, probe: bool) -> Option<Action> {
        let first = *ids.first()?;
        let job = JobId(self.next_job);
        self.next_job = self.next_job.saturating_add(1);
        // A small file goes the way of groups even by itself: that way takes fewer round trips.
        let small = self
            .items
            .get(&first)
            .is_some_and(|item| self.is_small(item));
        let mut tasks = Vec::with_capacity(ids.len());
        let mut targets = Vec::new();
        for &id in &ids {
            self.unschedule(id);
            let Some(item) = self.items.get(&id) else {
                continue;
            };
            let target = self.target(id, item);
            tasks.push(self.task(id, item));
            if let Some(target) = target
                && self.targets.insert(target)
            {
                targets.push(target);
            }
            self.change(id, |item| {
                item.job = Some(job);
                item.attempts = item.attempts.saturating_add(1);
                item.extra().started = Some(now.time);
                item.state = if is_file(item.kind) {
                    State::Running
                } else {
                    State::Scanning
                };
            });
        }
        let folder = tasks.first()?.plan.kind == ItemKind::Folder;
        let assignment = match (tasks.len(), folder) {
            (1, true) => Assignment::Folder(tasks.swap_remove(0)),
            (1, false) if !small => Assignment::File(tasks.swap_remove(0)),
            _ => Assignment::Group(tasks),
        };
        self.sites[site as usize].in_flight += 1;
        if probe && let Some(full) = &mut self.full {
            full.probing = true;
        }
        self.jobs.insert(
            job,
            Job {
                site,
                since: now.time,
                extra: 0,
                ids: ids.into_iter().collect(),
                targets,
                rate: rate::Rate::start(now.time),
                first,
                probe,
                refused: false,
                stopping: false,
            },
        );
        Some(Action::Start {
            job,
            site: self.sites[site as usize].key.clone(),
            assignment: Box::new(assignment),
        })
    }

    /// What tries at this item have left, if any have begun, is to be removed.
    pub(super) fn discard(&mut self, id: TransferId) {
        let Some(item) = self.items.get(&id) else {
            return;
        };
        let begun = item.extra.as_ref().is_some_and(|e| e.begun.is_some());
        if begun && item.job.is_none() && item.state != State::Done {
            let (site, task) = (item.site, self.task(id, item));
            self.discards.entry(site).or_default().push(task);
        }
    }

    fn task(&self, id: TransferId, item: &Item) -> Task {
        let extra = item.extra.as_deref();
        Task {
            id,
            plan: self.plan(id, item),
            options: self.options_of(item).clone(),
            size: item.size,
            begun: extra.and_then(|extra| extra.begun.clone()),
            finishing: extra.and_then(|extra| extra.finishing.clone()),
            answer: self.answer_for(item),
            depth: u32::from(item.depth),
        }
    }

    /// A person's answer for this item, or for a folder that it is in.
    fn answer_for(&self, item: &Item) -> Option<crate::ConflictRule> {
        let mut at = Some(item);
        while let Some(item) = at {
            let answer = item.extra.as_deref().and_then(|extra| extra.answer);
            if answer.is_some() {
                return answer;
            }
            at = self.items.get(&item.parent);
        }
        None
    }

    /// What two jobs must not write at the same time. Two different ones may by chance look the same; then they wait
    /// for each other.
    fn target(&self, id: TransferId, item: &Item) -> Option<u64> {
        // Making a folder that is there already harms nobody.
        if item.kind == ItemKind::Folder {
            return None;
        }
        let plan = self.plan(id, item);
        let mut hasher = DefaultHasher::new();
        match item.direction {
            Direction::Download => plan.local().hash(&mut hasher),
            Direction::Upload => {
                item.site.hash(&mut hasher);
                plan.remote.as_bytes().hash(&mut hasher);
            }
        }
        Some(hasher.finish())
    }
}
