//! The task that asks the machine what to do, and does it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ftp_client::Throttles;
use futures_util::FutureExt;
use jiff::Zoned;

use super::ledger::JobLedger;
use super::{Shared, SiteProfile};
use crate::SiteKey;
use crate::error::Error;
use crate::jobs::{self, Live};
use crate::machine::{Action, JobId, Time};
use crate::work::{Assignment, Ledger, Outcome, Task};

/// How often progress is looked at.
const SAMPLE_PAUSE: Duration = Duration::from_millis(100);
/// How long after a failed write of the journal it is tried again.
pub(super) const WRITE_AGAIN: Duration = Duration::from_secs(5);
/// How often the inbox of the journal is looked at.
const MOST_LOOKS: usize = 100;
const LOOK_PAUSE: Duration = Duration::from_millis(500);
/// The timetable is looked at at least this often: the clock may be put right.
const CLOCK_PAUSE: Duration = Duration::from_secs(30);

/// What the driver does next.
struct Turn {
    starts: Vec<(JobId, SiteKey, Box<Assignment>, Live)>,
    discards: Vec<(SiteKey, Vec<Task>)>,
    next: Option<Time>,
    close_idle: bool,
}

/// Asks the machine what to do, whenever something happened or a time has come, until the queue is closed.
pub(super) async fn drive(shared: Arc<Shared>) {
    loop {
        shared.look_into_inbox().await;
        let turn = shared.turn();
        // First it is written down what has happened, these starts among it.
        let written = shared.flush().await;
        for (job, site, assignment, mut live) in turn.starts {
            match &written {
                Ok(()) => {
                    live.throttles = shared.throttles(&site, &assignment);
                    shared.prepare(&site, &assignment);
                    tokio::spawn(shared.clone().work(job, site, assignment, live));
                }
                Err(error) => shared.not_started(job, &assignment, error),
            }
        }
        shared.discard(turn.discards);
        if turn.close_idle {
            // In a task of its own: a server that is slow to say goodbye holds nobody up.
            let shared = shared.clone();
            tokio::spawn(async move { shared.pool.close_idle(None).await });
        }
        // What could not be written now is written then, whoever else wants something meanwhile.
        let next = match &written {
            Ok(()) => turn.next,
            Err(_) => earliest(turn.next, shared.now().time + WRITE_AGAIN),
        };
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
    {
        let mut state = shared.lock();
        let ids: Vec<_> = state.machine.ids().collect();
        state.machine.close();
        match shared.writer {
            // They go on when the journal is opened again.
            Some(_) => state.machine.put_back_running(|_| true),
            None => state.machine.cancel(&ids),
        }
        for live in state.jobs.values() {
            live.cancel.cancel();
        }
    }
    // Nothing begins any more, but what was cancelled is cleaned up after.
    let turn = shared.turn();
    shared.discard(turn.discards);
}

impl Shared {
    /// Whether it is known that the journal can't be written, and for this reason.
    pub(super) fn knows_trouble(&self, why: &str) -> bool {
        matches!(self.lock().machine.hold(), Some(crate::Hold::Journal { why: known, .. }) if known == why)
    }

    /// One turn: progress, and what is to be started.
    fn turn(&self) -> Turn {
        let (clock, news) = self.speeds.look_at_the_clock(Zoned::now);
        if news {
            self.announce();
        }
        let now = self.now();
        let mut guard = self.lock();
        let state = &mut *guard;
        if now.time.saturating_sub(state.last_sample) >= SAMPLE_PAUSE {
            state.last_sample = now.time;
            for (job, live) in &state.jobs {
                let total = live.total.get().copied();
                let bytes = live.progress.bytes() + live.resumed.load(Ordering::Relaxed);
                state.machine.progress(now, *job, bytes, total);
            }
        }
        let (mut starts, mut discards) = (Vec::new(), Vec::new());
        for action in state.machine.poll(now) {
            match action {
                Action::Start {
                    job,
                    site,
                    assignment,
                } => {
                    let live = Live {
                        waits_for_room: self.config.wait_for_room,
                        segments: self.config.segments.into(),
                        ..Live::default()
                    };
                    state.jobs.insert(job, live.clone());
                    starts.push((job, site, assignment, live));
                }
                Action::Discard { site, tasks } => {
                    state.cleaning += 1;
                    discards.push((site, tasks));
                }
                Action::Stop { job, all } => {
                    if let Some(live) = state.jobs.get(&job)
                        && all
                    {
                        live.cancel.cancel();
                    }
                }
            }
        }
        for (site, most) in state.machine.take_learned() {
            if let Some(connector) = &self.connector {
                connector.connections_learned(&site, most);
            }
        }
        self.publish(state);
        let mut next = state.machine.next_wake(now);
        let mut close_idle = false;
        if state.machine.jobs_in_flight() > 0 {
            state.idle_since = Some(now.time);
            next = earliest(next, state.last_sample + SAMPLE_PAUSE);
        } else if let Some(since) = state.idle_since {
            let end = since + self.config.keep_idle;
            if end <= now.time {
                close_idle = true;
                state.idle_since = None;
            } else {
                next = earliest(next, end);
            }
        }
        if let Some(again) = state.write_again.take_if(|again| *again > now.time) {
            state.write_again = Some(again);
            next = earliest(next, again);
        }
        if let Some(clock) = clock {
            next = earliest(next, now.time + clock.min(CLOCK_PAUSE));
        }
        if self.writer.is_some() && self.config.workers > 0 {
            next = earliest(next, state.next_look.max(now.time));
        }
        Turn {
            starts,
            discards,
            next,
            close_idle,
        }
    }

    /// Removes what nobody wants any more. The queue is not idle before that is done here; on a server it is done if
    /// there still is the time.
    fn discard(self: &Arc<Self>, discards: Vec<(SiteKey, Vec<Task>)>) {
        for (site, tasks) in discards {
            let shared = self.clone();
            let most = shared.lock().machine.connections(&site);
            tokio::spawn(async move {
                jobs::discard_here(&tasks).await;
                shared.change(|state, _| state.cleaning -= 1);
                jobs::discard_there(&shared.pool, &site, most, &tasks).await;
            });
        }
    }

    /// A folder that was asked for will soon have work for all connections that the site may have.
    fn prepare(self: &Arc<Self>, site: &SiteKey, assignment: &Assignment) {
        let Assignment::Folder(task) = assignment else {
            return;
        };
        let most = self.lock().machine.connections(site);
        if task.depth == 0 && most > 1 {
            let (shared, site) = (self.clone(), site.clone());
            tokio::spawn(async move { shared.pool.prepare(&site, most).await });
        }
    }

    /// The limits of speed that a job passes through. Without the lock of the state: the connector is asked.
    fn throttles(&self, site: &SiteKey, assignment: &Assignment) -> Throttles {
        // It may have changed since; what follows knows it then.
        let profile = match self.connector {
            Some(_) => self.ask_profile(site),
            None => SiteProfile::default(),
        };
        let task = match assignment {
            Assignment::Folder(task) | Assignment::File(task) => Some(task),
            Assignment::Group(tasks) => tasks.first(),
        };
        let Some(task) = task else {
            return Throttles::default();
        };
        let direction = task.plan.direction;
        self.speeds
            .chain(site, profile.limits, direction, task.options.limit)
    }

    pub(super) fn profile(&self, site: &SiteKey) -> SiteProfile {
        match &self.connector {
            Some(connector) => connector.profile(site),
            None => SiteProfile::default(),
        }
    }

    async fn work(
        self: Arc<Self>,
        job: JobId,
        site: SiteKey,
        assignment: Box<Assignment>,
        live: Live,
    ) {
        let ledger = JobLedger {
            shared: self.clone(),
            job,
        };
        let work = jobs::run(&self.pool, &site, &assignment, &live, &ledger);
        let ended = AssertUnwindSafe(work).catch_unwind().await;
        if ended.is_err() {
            tracing::error!("a worker has failed");
        }
        self.change(|state, now| {
            state.jobs.remove(&job);
            state.machine.job_ended(now, job);
        });
    }

    /// What was to be started is not, since that can't be written down.
    fn not_started(self: &Arc<Self>, job: JobId, assignment: &Assignment, error: &Error) {
        let ledger = JobLedger {
            shared: self.clone(),
            job,
        };
        let tasks = match assignment {
            Assignment::Folder(task) | Assignment::File(task) => std::slice::from_ref(task),
            Assignment::Group(tasks) => tasks,
        };
        for task in tasks {
            let error = error.clone();
            ledger.ended(task.id, Outcome::Failed { error, open: 0 });
        }
        self.change(|state, now| {
            state.jobs.remove(&job);
            state.machine.job_ended(now, job);
            // Also where nobody is left to write: it must not be tried without a pause.
            state.machine.journal_trouble(Some(error.to_string()));
            state.write_again = Some(now.time + WRITE_AGAIN);
        });
    }

    /// Does what other processes have asked for.
    async fn look_into_inbox(&self) {
        let Some(writer) = &self.writer else { return };
        if self.config.workers == 0 {
            return;
        }
        {
            let now = self.now().time;
            let mut state = self.lock();
            // What has been done but can't be written down would be done again.
            if state.next_look > now {
                return;
            }
            state.next_look = now + LOOK_PAUSE;
            if state.machine.is_in_trouble() {
                return;
            }
        }
        // Some at a time; they stay there until it is written that they have been done.
        for _ in 0..MOST_LOOKS {
            match writer.requests().await {
                Ok(requests) if requests.is_empty() => return,
                Ok(requests) => {
                    for taken in requests {
                        self.fulfil(&taken);
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "the inbox can't be read");
                    return;
                }
            }
            if self.flush().await.is_err() {
                return;
            }
        }
    }
}

fn earliest(a: Option<Time>, b: Time) -> Option<Time> {
    Some(a.map_or(b, |a| a.min(b)))
}
