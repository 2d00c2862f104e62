//! What people ask for.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::{Machine, Now, stopped_state};
use crate::work::StopKind;
use crate::{ConflictRule, ItemKind, Options, Place, Priority, SiteKey, State, TransferId};

impl Machine {
    /// Cancels items and everything below them. What is finished stays as it is.
    pub(crate) fn cancel(&mut self, ids: &[TransferId]) {
        self.stop(ids, StopKind::Cancelled);
    }

    /// Stops items and everything below them for now. What is finished stays as it is.
    pub(crate) fn pause(&mut self, ids: &[TransferId]) {
        self.stop(ids, StopKind::Paused);
    }

    fn stop(&mut self, ids: &[TransferId], kind: StopKind) {
        for id in self.with_descendants(ids) {
            let Some(item) = self.items.get_mut(&id) else {
                continue;
            };
            if !item.state.is_open() || item.is_walked() {
                // A walked folder follows from its children.
                continue;
            }
            if kind == StopKind::Paused && item.state == State::Asking {
                // It goes on only when it is answered anyway.
                continue;
            }
            if let Some(job) = item.job {
                // A job that was to be kept may be thrown away, not the other way round.
                let extra = item.extra();
                if extra.stopping != Some(StopKind::Cancelled) {
                    extra.stopping = Some(kind);
                }
                self.stop_job(job);
            }
            self.unschedule(id);
            self.set_state(id, stopped_state(kind));
            let runs = self.items.get(&id).is_some_and(|item| item.job.is_some());
            if kind == StopKind::Cancelled && !runs {
                self.discard(id);
                self.forget_try(id);
            }
        }
    }

    fn stop_job(&mut self, id: super::JobId) {
        if let Some(job) = self.jobs.get_mut(&id) {
            job.stopping = true;
            self.stops.insert(id);
        }
    }

    /// Lets paused items, and those below them, go on.
    pub(crate) fn unpause(&mut self, now: Now, ids: &[TransferId]) {
        for id in self.with_descendants(ids) {
            let Some(item) = self.items.get(&id) else {
                continue;
            };
            if item.state == State::Paused && !item.is_walked() {
                self.set_state(id, State::Waiting);
                self.schedule(now, id);
            }
        }
    }

    /// Tries failed, cancelled and skipped items again, and those below them, as if they were new.
    pub(crate) fn retry(&mut self, now: Now, ids: &[TransferId]) {
        for id in self.with_descendants(ids) {
            let Some(item) = self.items.get(&id) else {
                continue;
            };
            let again = matches!(
                item.state,
                State::Failed | State::Cancelled | State::Skipped
            );
            if !again || item.hopeless || item.is_walked() {
                continue;
            }
            self.change(id, |item| {
                item.attempts = 0;
                item.bytes = 0;
                item.state = State::Waiting;
                item.take_extra(|extra| {
                    extra.error = None;
                    Some(())
                });
            });
            self.journal.row(id);
            self.schedule(now, id);
        }
    }

    /// A person's answer for items whose targets exist, and for those below them. [`ConflictRule::Ask`] is none.
    pub(crate) fn answer(&mut self, now: Now, ids: &[TransferId], rule: ConflictRule) {
        if rule == ConflictRule::Ask {
            return;
        }
        for &id in ids {
            // What is found in it later gets the same answer.
            if let Some(item) = self.items.get_mut(&id)
                && item.kind == ItemKind::Folder
                && item.state.is_open()
            {
                item.extra().answer = Some(rule);
                self.journal.row(id);
            }
        }
        for id in self.with_descendants(ids) {
            let Some(item) = self.items.get_mut(&id) else {
                continue;
            };
            if item.state != State::Asking || item.is_walked() {
                continue;
            }
            item.extra().answer = Some(rule);
            self.set_state(id, State::Waiting);
            self.journal.row(id);
            self.schedule(now, id);
        }
    }

    /// Starts nothing more (what runs is stopped and kept), or goes on.
    pub(crate) fn pause_all(&mut self, paused: bool) {
        self.paused = paused;
        self.journal.paused(paused);
        if paused {
            self.put_back_running(|_| true);
        }
    }

    /// The same for one site.
    pub(crate) fn pause_site(&mut self, key: &SiteKey, paused: bool) {
        let number = self.site(key);
        self.sites[number as usize].paused = paused;
        let keys = self.paused_sites();
        self.journal.paused_sites(&keys);
        if paused {
            self.put_back_running(|site| site == number);
        }
    }

    /// As [`pause_site`](Self::pause_site), but for as long as this program runs only.
    pub(crate) fn hold_site(&mut self, key: &SiteKey, held: bool) {
        let number = self.site(key);
        self.sites[number as usize].held = held;
        if held {
            self.put_back_running(|site| site == number);
        }
    }

    pub(crate) fn paused_sites(&self) -> Vec<SiteKey> {
        self.sites
            .iter()
            .filter(|site| site.paused)
            .map(|site| site.key.clone())
            .collect()
    }

    /// What runs is given up, keeps what it has, and waits.
    pub(crate) fn put_back_running(&mut self, of: impl Fn(u32) -> bool) {
        let running: Vec<TransferId> = self
            .jobs
            .values()
            .filter(|job| of(job.site))
            .flat_map(|job| job.ids.iter().copied())
            .collect();
        for id in running {
            let Some(item) = self.items.get_mut(&id) else {
                continue;
            };
            let job = item.job;
            let extra = item.extra();
            if extra.stopping.is_some() {
                continue;
            }
            extra.stopping = Some(StopKind::Paused);
            if let Some(job) = job {
                self.stop_job(job);
            }
            self.set_state(id, State::Waiting);
        }
    }

    /// Which items go first; with everything below them.
    pub(crate) fn set_priority(&mut self, now: Now, ids: &[TransferId], priority: Priority) {
        self.rearrange(now, ids, |machine, id| {
            if let Some(item) = machine.items.get_mut(&id) {
                item.priority = priority;
            }
            true
        });
    }

    /// Nothing of these starts before this time; `None`: at once.
    pub(crate) fn set_start(&mut self, now: Now, ids: &[TransferId], start: Option<Timestamp>) {
        self.rearrange(now, ids, |machine, id| {
            if let Some(item) = machine.items.get_mut(&id)
                && item.state.is_open()
                && (start.is_some() || item.extra.is_some())
            {
                item.extra().start_at = start;
                return true;
            }
            false
        });
    }

    /// Other options for what has not been done yet.
    pub(crate) fn edit(&mut self, now: Now, ids: &[TransferId], options: &Arc<Options>) {
        let number = self.intern(options);
        self.rearrange(now, ids, |machine, id| {
            if let Some(item) = machine.items.get_mut(&id)
                && item.job.is_none()
            {
                item.options = number;
                return true;
            }
            false
        });
    }

    /// Moves items to another place among those beside them, in the order that they have.
    pub(crate) fn move_to(&mut self, now: Now, ids: &[TransferId], place: Place) {
        let mut groups: BTreeMap<TransferId, Vec<(i64, TransferId)>> = BTreeMap::new();
        for &id in ids {
            if let Some(item) = self.items.get(&id) {
                let beside = groups.entry(item.parent).or_default();
                beside.push((item.order, id));
            }
        }
        for (parent, mut moved) in groups {
            moved.sort_unstable();
            moved.dedup();
            self.move_together(now, parent, &moved, place);
        }
    }

    /// Moves items of one folder. Those that they are beside are looked at once, however many are moved.
    fn move_together(
        &mut self,
        now: Now,
        parent: TransferId,
        moved: &[(i64, TransferId)],
        place: Place,
    ) {
        let mut beside: Vec<(i64, TransferId)> = match self.items.get(&parent) {
            Some(folder) => folder
                .kids
                .iter()
                .flat_map(|kids| &kids.ids)
                .filter_map(|kid| Some((self.items.get(kid)?.order, *kid)))
                .collect(),
            None => self
                .items
                .iter()
                .filter(|(_, item)| item.parent == 0)
                .map(|(&id, item)| (item.order, id))
                .collect(),
        };
        beside.sort_unstable();
        let anchor = match place {
            Place::First => 0,
            Place::Last => beside.len(),
            Place::Before(other) | Place::After(other) => {
                let Some(found) = beside.iter().position(|&(_, one)| one == other) else {
                    return;
                };
                found + usize::from(matches!(place, Place::After(_)))
            }
        };
        let is_moved = |one: &(i64, TransferId)| moved.binary_search(one).is_ok();
        let at = anchor - beside[..anchor].iter().filter(|one| is_moved(one)).count();
        beside.retain(|one| !is_moved(one));
        let count = moved.len() as i64;
        let before = at.checked_sub(1).map(|i| beside[i].0);
        let after = beside.get(at).map(|&(order, _)| order);
        let (first, step) = match (before, after) {
            (None, None) => return,
            (None, Some(after)) => (after.saturating_sub(count << 16), 1 << 16),
            (Some(before), None) => (before.saturating_add(1 << 16), 1 << 16),
            (Some(before), Some(after)) if after.saturating_sub(before) > count => {
                let step = after.saturating_sub(before) / (count + 1);
                (before + step, step)
            }
            // No room between them: they are spread out.
            (Some(_), Some(_)) => {
                for (i, &(_, other)) in beside.iter().enumerate() {
                    let place = if i < at { i } else { i + moved.len() };
                    self.put(now, other, ((place + 1) as i64) << 16);
                }
                (((at + 1) as i64) << 16, 1 << 16)
            }
        };
        for (i, &(_, id)) in moved.iter().enumerate() {
            self.put(now, id, first.saturating_add(step * i as i64));
        }
    }

    fn put(&mut self, now: Now, id: TransferId, order: i64) {
        if self.items.get(&id).is_none_or(|item| item.order == order) {
            return;
        }
        if self.items.get(&id).is_some_and(|item| item.parent == 0) {
            self.next_order = self.next_order.max(order);
        }
        // What is below moves along in line, and stays what it is.
        self.rearrange(now, &[id], |machine, one| {
            if one == id
                && let Some(item) = machine.items.get_mut(&id)
            {
                item.order = order;
            }
            one == id
        });
    }

    /// Changes what decides on the place of items in line, with everything below them. `change` tells of each item
    /// whether it is another one now.
    fn rearrange(
        &mut self,
        now: Now,
        ids: &[TransferId],
        mut change: impl FnMut(&mut Self, TransferId) -> bool,
    ) {
        let ids = self.with_descendants(ids);
        for &id in &ids {
            self.unschedule_for_now(id);
        }
        for &id in &ids {
            if change(self, id) {
                self.touch(id);
                self.journal.row(id);
            }
        }
        for id in ids {
            self.schedule(now, id);
        }
    }

    /// Takes an item out of its line; one that waits for its next try goes on waiting for that.
    fn unschedule_for_now(&mut self, id: TransferId) {
        let Some(item) = self.items.get(&id) else {
            return;
        };
        let waits_for_start = self.start_time(item).is_some();
        if item.ready || (item.due().is_some() && waits_for_start) {
            self.unschedule(id);
        }
    }

    /// Takes items off that never came into the journal.
    pub(crate) fn forget(&mut self, ids: &[TransferId]) {
        for &id in ids {
            if self.items.get(&id).is_some_and(|item| item.job.is_none()) {
                self.remove(id);
            }
        }
    }

    /// Takes what is finished (done, failed, cancelled, skipped) off the list; a folder only as a whole.
    pub(crate) fn clear_finished(&mut self) {
        let roots: Vec<TransferId> = self
            .items
            .iter()
            .filter(|(_, item)| item.parent == 0 && !item.state.is_open())
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
            // From below, so that a folder outlives what is in it.
            for id in below.into_iter().rev() {
                self.remove(id);
            }
        }
    }
}
