//! How jobs end, and what is noted while they run.

use std::time::Duration;

use super::item::Numbers;
use super::{Full, JobId, Machine, Now, Time};
use crate::error::{Error, Retry};
use crate::work::{Done, Note, Outcome, StopKind};
use crate::{Conflict, Direction, Receipt, State, TransferId};

/// How soon after a disk was found full a download looks again, at first.
const FIRST_LOOK: Time = Duration::from_secs(5);
const LONGEST_PAUSE: Time = Duration::from_secs(60);
/// How long after a server has refused a connection it is tried with one more: others may have gone.
const QUIET: Time = Duration::from_secs(600);

impl Machine {
    /// A job has moved this many bytes so far; `total` if it has learned how many there are.
    pub(crate) fn progress(&mut self, now: Now, job: JobId, bytes: u64, total: Option<u64>) {
        let Some(job) = self.jobs.get_mut(&job) else {
            return;
        };
        job.rate.sample(now.time, bytes);
        let id = job.first;
        // The files of a group are too small to be watched.
        if job.ids.len() != 1 || job.stopping || !job.ids.contains(&id) {
            self.touch(id);
            return;
        }
        self.change(id, |item| {
            if item.kids.is_none() && item.state == State::Running {
                if total.is_some() {
                    item.size = total;
                }
                item.bytes = bytes;
            }
        });
    }

    /// The bytes per second of everything that runs.
    pub(crate) fn rate_of_all(&self) -> f64 {
        self.jobs
            .values()
            .filter_map(|job| job.rate.per_second())
            .sum()
    }

    /// The bytes per second of everything that runs in this item.
    pub(crate) fn rate(&self, id: TransferId) -> Option<f64> {
        let mut sum = None;
        for job in self.jobs.values() {
            let Some(rate) = job.rate.per_second() else {
                continue;
            };
            let mut at = job.first;
            while let Some(item) = self.items.get(&at) {
                if at == id {
                    *sum.get_or_insert(0.0) += rate;
                    break;
                }
                at = item.parent;
            }
        }
        sum
    }

    /// What a job is about to do. It has to be in the journal before it is done.
    pub(crate) fn note(&mut self, id: TransferId, note: Note) {
        let Some(item) = self.items.get_mut(&id) else {
            return;
        };
        let extra = item.extra();
        match note {
            Note::Begun(identity) => {
                extra.begun = Some(identity);
                extra.finishing = None;
            }
            Note::Finishing(finishing) => extra.finishing = Some(finishing),
        }
        self.journal.row(id);
    }

    /// Whether an item that is worked on is to be given up.
    pub(crate) fn stopping(&self, id: TransferId) -> Option<StopKind> {
        self.items.get(&id).and_then(|item| item.stopping())
    }

    /// One item of a job has ended.
    pub(crate) fn item_ended(&mut self, now: Now, job_id: JobId, id: TransferId, outcome: Outcome) {
        let Some(job) = self.jobs.get_mut(&job_id) else {
            return;
        };
        if !job.ids.remove(&id) {
            return;
        }
        let (site, probe) = (job.site, job.probe);
        let Some(item) = self.items.get_mut(&id) else {
            return;
        };
        item.job = None;
        let (started, stopping) = match &mut item.extra {
            Some(extra) => (extra.started.take(), extra.stopping.take()),
            None => (None, None),
        };
        if let Some(started) = started {
            item.seconds = now.time.saturating_sub(started).as_secs_f32();
        }
        let direction = item.direction;
        if probe {
            self.probed(now, &outcome);
        }
        match outcome {
            // Whatever was asked meanwhile, the file is there.
            Outcome::Done(done) => self.done(now, id, *done),
            outcome if stopping.is_some() => self.stopped(now, id, &outcome),
            Outcome::Walked(found) => self.walked(now, id, found),
            Outcome::Skipped => {
                // What earlier tries have left is of no use any more.
                self.discard(id);
                self.forget_try(id);
                self.set_state(id, State::Skipped);
            }
            Outcome::Ask(target) => {
                self.change(id, |item| {
                    let source = item.source_facts();
                    item.attempts = item.attempts.saturating_sub(1);
                    item.extra().conflict = Some(Conflict { source, target });
                });
                self.set_state(id, State::Asking);
            }
            Outcome::Failed { error, open } => {
                let refused = self.jobs.get(&job_id).is_some_and(|job| job.refused);
                if error.retry() == Retry::Busy && refused {
                    // The others of a group: it was one connection that it was refused.
                    self.change(id, |item| item.extra().error = Some(error));
                    self.again(now, id);
                } else {
                    let before = self.sites[site as usize].limit;
                    self.failed(now, id, site, direction, error, open);
                    if self.sites[site as usize].limit < before
                        && let Some(job) = self.jobs.get_mut(&job_id)
                    {
                        job.refused = true;
                    }
                }
            }
            // Nobody has asked for it: the program is about to end.
            Outcome::Aborted => self.again(now, id),
        }
        self.touch(id);
    }

    /// A job has ended and let go of its connection and its files. What of it has not ended by itself has failed.
    pub(crate) fn job_ended(&mut self, now: Now, job_id: JobId) {
        let left: Vec<TransferId> = match self.jobs.get(&job_id) {
            Some(job) => job.ids.iter().copied().collect(),
            None => return,
        };
        for id in left {
            let error = Error::Internal("a worker has ended without a word".to_owned());
            self.item_ended(now, job_id, id, Outcome::Failed { error, open: 0 });
        }
        let Some(job) = self.jobs.remove(&job_id) else {
            return;
        };
        for target in &job.targets {
            self.targets.remove(target);
        }
        let site = &mut self.sites[job.site as usize];
        site.in_flight -= 1 + job.extra;
        if job.probe
            && let Some(full) = &mut self.full
        {
            full.probing = false;
        }
        self.forget_limit(job.site);
        self.touch(job.first);
    }

    fn done(&mut self, now: Now, id: TransferId, done: Done) {
        self.unschedule(id);
        self.change(id, |item| {
            item.size = Some(done.bytes);
            item.bytes = done.bytes;
            item.checks = Some(done.checks);
            item.state = State::Done;
            let extra = item.extra();
            extra.error = None;
            extra.conflict = None;
            extra.resumed_from = done.resumed_from;
            extra.target_name = done
                .renamed
                .as_ref()
                .map(|name| name.to_string_lossy().into_owned());
        });
        if let Some(receipt) = self.receipt(now, id, &done) {
            match self.journal.is_wanted() {
                true => self.journal.receipt(receipt),
                false => self.receipts.push(receipt),
            }
        }
        if let Some(item) = self.items.get_mut(&id) {
            item.slim();
        }
        self.journal.row(id);
    }

    fn receipt(&self, now: Now, id: TransferId, done: &Done) -> Option<Receipt> {
        let item = self.items.get(&id)?;
        let transfer = self.view(id)?;
        Some(Receipt {
            id,
            site: transfer.site.as_str().to_owned(),
            direction: item.direction,
            source: transfer.source(),
            target: transfer.final_target(),
            bytes: done.bytes,
            resumed_from: done.resumed_from,
            finished: now.wall,
            seconds: f64::from(item.seconds),
            attempts: u32::from(item.attempts),
            checks: done.checks,
            digest: done.digest.clone(),
            found_complete: done.found_complete,
        })
    }

    /// What was to be given up has ended: its state was set when that was asked for.
    fn stopped(&mut self, now: Now, id: TransferId, outcome: &Outcome) {
        let Some(item) = self.items.get_mut(&id) else {
            return;
        };
        item.attempts = item.attempts.saturating_sub(1);
        if item.state == State::Cancelled {
            // Removed by the job; one that failed instead may have left it.
            if !matches!(outcome, Outcome::Aborted) {
                self.discard(id);
            }
            self.forget_try(id);
        }
        self.journal.row(id);
        // Retried, or told to go on, meanwhile: it was only waiting for this end.
        self.schedule(now, id);
    }

    /// Nothing of earlier tries is to be continued.
    pub(super) fn forget_try(&mut self, id: TransferId) {
        self.change(id, |item| {
            item.bytes = 0;
            item.take_extra(|extra| {
                extra.begun = None;
                extra.finishing = None;
                extra.conflict = None;
                Some(())
            });
        });
        self.journal.row(id);
    }

    /// It waits again, as if this try had not been.
    pub(super) fn again(&mut self, now: Now, id: TransferId) {
        self.change(id, |item| {
            item.attempts = item.attempts.saturating_sub(1);
            item.state = State::Waiting;
        });
        self.schedule(now, id);
    }

    fn failed(
        &mut self,
        now: Now,
        id: TransferId,
        site: u32,
        direction: Direction,
        error: Error,
        open: usize,
    ) {
        let retry = error.retry();
        let no_room = matches!(error, Error::DiskFull { .. }) && self.rules.wait_for_room;
        let no_journal = matches!(error, Error::Journal { .. });
        if let (true, Error::DiskFull { path }) = (no_room, &error) {
            self.disk_full(now, path.clone());
        }
        self.change(id, |item| item.extra().error = Some(error));
        if (no_room && direction == Direction::Download) || no_journal {
            self.again(now, id);
            return;
        }
        let attempts = self.items.get(&id).map_or(0, |i| u32::from(i.attempts));
        let site = &mut self.sites[site as usize];
        // This job has still to end, so it is counted.
        let others = site.in_flight.saturating_sub(1).max(open);
        match retry {
            Retry::Busy if others > 0 && site.limit > 1 => {
                // The server allows fewer than we wanted. Nobody's fault, and no penalty; since the limit falls each
                // time, this can't go on for ever.
                site.limit = others.min(site.limit - 1);
                site.refused = Some(now.time);
                let learned = (site.key.clone(), site.limit);
                self.learned.push(learned);
                self.again(now, id);
            }
            Retry::Busy | Retry::Backoff if attempts < self.rules.retry.attempts => {
                self.set_state(id, State::Waiting);
                self.delay(id, now.time + self.rules.retry.pause(attempts));
            }
            Retry::Busy | Retry::Backoff => self.set_state(id, State::Failed),
            Retry::Never => {
                self.set_state(id, State::Failed);
                self.discard(id);
                self.forget_try(id);
            }
        }
        self.journal.row(id);
    }

    fn disk_full(&mut self, now: Now, path: std::path::PathBuf) {
        // Others that were running find the same a moment later; only the one that looks again makes the pause longer.
        if self.full.is_none() {
            self.full = Some(Full {
                path,
                pause: FIRST_LOOK,
                again: now.time + FIRST_LOOK,
                probing: false,
            });
        }
    }

    /// The download that was to find out whether there is room has ended.
    fn probed(&mut self, now: Now, outcome: &Outcome) {
        let Some(full) = &mut self.full else {
            return;
        };
        match outcome {
            Outcome::Done(_) | Outcome::Walked(_) | Outcome::Skipped | Outcome::Ask(_) => {
                self.full = None;
            }
            _ => {
                full.pause = (full.pause * 2).min(LONGEST_PAUSE);
                full.again = now.time + full.pause;
            }
        }
    }

    /// Lets those have one more connection that have refused none for some time, where something waits for it.
    pub(super) fn try_one_more(&mut self, now: Now) {
        for site in &mut self.sites {
            let is_quiet = |refused| now.time.saturating_sub(refused) >= QUIET;
            if site.limit < site.most && site.is_waited_for() && site.refused.is_none_or(is_quiet) {
                site.limit += 1;
                // If that is refused, it costs nothing.
                site.refused = Some(now.time);
            }
        }
    }

    /// A site that has nothing to do is tried afresh next time: others may have gone.
    fn forget_limit(&mut self, number: u32) {
        let site = &self.sites[number as usize];
        if site.in_flight == 0 && !site.has_waiting() {
            let site = &mut self.sites[number as usize];
            site.limit = site.most;
            site.refused = None;
        }
    }

    /// The bytes of everything, moved and to be moved.
    pub(crate) fn numbers(&self) -> Numbers {
        self.numbers
    }
}
