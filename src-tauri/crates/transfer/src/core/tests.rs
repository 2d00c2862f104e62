//! Single rules of the core, and what its tests share.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::error::{RemoteError, Retry};

impl Work for u32 {
    type Target = u32;
    fn target(&self) -> Option<u32> {
        // Few targets, so that they collide.
        (*self < 1000).then_some(self % 7)
    }
}

const FOLDER_WORK: u32 = 1000;

pub(super) fn remote_error(retry: Retry) -> Error {
    Error::Remote(RemoteError {
        message: "made up".into(),
        retry,
        connection_lost: false,
        original: None,
    })
}

pub(super) fn failed(error: Error) -> Outcome<u32> {
    Outcome::Failed { error, open: 0 }
}

pub(super) fn file(work: u32, size: Option<u64>) -> NewItem<u32> {
    NewItem {
        work,
        folder: false,
        size,
        hopeless: None,
    }
}

pub(super) fn folder() -> NewItem<u32> {
    NewItem {
        work: FOLDER_WORK,
        folder: true,
        size: None,
        hopeless: None,
    }
}

pub(super) fn hopeless() -> NewItem<u32> {
    NewItem {
        hopeless: Some(Error::DuplicateName { name: "x".into() }),
        ..file(1, Some(5))
    }
}

fn site() -> SiteKey {
    SiteKey::new("s")
}

fn core(workers: usize) -> Core<u32> {
    Core::new(workers, RetryPolicy::default())
}

fn started(actions: &[Action<u32>]) -> Vec<(JobId, TransferId)> {
    actions
        .iter()
        .filter_map(|a| match a {
            Action::Start { job, id, .. } => Some((*job, *id)),
            Action::Abort(_) => None,
        })
        .collect()
}

#[test]
fn pauses_double_up_to_the_limit_and_tries_are_bounded() {
    let mut core = core(1);
    let id = core.add(&site(), vec![file(1, None)])[0];
    let mut now = Time::ZERO;
    let mut pauses = Vec::new();
    loop {
        let (job, _) = started(&core.poll(now))[0];
        core.job_ended(now, job, failed(remote_error(Retry::Backoff)));
        let Some(due) = core.next_wake() else { break };
        assert_eq!(core.poll(due - Duration::from_millis(1)), []);
        pauses.push((due - now).as_secs());
        now = due;
    }
    assert_eq!(pauses, [1, 2, 4, 8]);
    let item = &core.items()[&id];
    assert_eq!((item.state, item.attempts), (State::Failed, 5));
    let policy = RetryPolicy::default();
    assert_eq!(policy.pause(100), Duration::from_secs(60));
}

#[test]
fn a_refusal_is_not_tried_again() {
    let mut core = core(1);
    let id = core.add(&site(), vec![file(1, None)])[0];
    let (job, _) = started(&core.poll(Time::ZERO))[0];
    core.job_ended(Time::ZERO, job, failed(remote_error(Retry::Never)));
    assert_eq!(core.items()[&id].state, State::Failed);
    assert!(core.is_idle());
}

#[test]
fn a_busy_server_gets_fewer_connections_without_a_penalty() {
    let mut core = core(4);
    let ids = core.add(&site(), (0..6).map(|w| file(w, None)).collect());
    let jobs = started(&core.poll(Time::ZERO));
    assert_eq!(jobs.len(), 4);
    let (busy, id) = jobs[3];
    core.job_ended(Time::ZERO, busy, failed(remote_error(Retry::Busy)));
    assert_eq!(core.items()[&id].attempts, 0);
    assert_eq!(started(&core.poll(Time::ZERO)), [], "three at most now");
    let done = || Outcome::Done {
        bytes: 1,
        verified: None,
    };
    core.job_ended(Time::ZERO, jobs[0].0, done());
    let next = started(&core.poll(Time::ZERO));
    assert_eq!(next.len(), 1);
    assert_eq!(
        next[0].1, ids[3],
        "the one that was sent away is the first in line"
    );
}

#[test]
fn a_batch_goes_before_what_was_added_later() {
    let mut core = core(1);
    let folder_id = core.add(&site(), vec![folder()])[0];
    let later = core.add(&site(), vec![file(5, None)])[0];
    let (walk, id) = started(&core.poll(Time::ZERO))[0];
    assert_eq!(id, folder_id);
    core.job_ended(
        Time::ZERO,
        walk,
        Outcome::Walked(vec![file(1, None), file(2, None)]),
    );
    let mut order = Vec::new();
    while let Some((job, id)) = started(&core.poll(Time::ZERO)).first().copied() {
        order.push(id);
        let outcome = Outcome::Done {
            bytes: 1,
            verified: None,
        };
        core.job_ended(Time::ZERO, job, outcome);
    }
    assert_eq!(order, [later + 1, later + 2, later]);
    assert_eq!(core.items()[&(later + 1)].batch, Some(folder_id));
}

#[test]
fn sites_take_turns() {
    let mut core = core(2);
    core.add(&SiteKey::new("a"), (0..5).map(|w| file(w, None)).collect());
    let b = core.add(&SiteKey::new("b"), vec![file(5, None)])[0];
    let ids: Vec<_> = started(&core.poll(Time::ZERO))
        .iter()
        .map(|s| s.1)
        .collect();
    assert!(ids.contains(&b), "{ids:?}");
}

#[test]
fn a_loop_of_folders_ends() {
    let mut core = core(1);
    let root = core.add(&site(), vec![folder()])[0];
    let mut walks = 0;
    while let Some((job, _)) = started(&core.poll(Time::ZERO)).first().copied() {
        walks += 1;
        assert!(walks < 1000);
        core.job_ended(Time::ZERO, job, Outcome::Walked(vec![folder()]));
    }
    assert_eq!(walks, MAX_DEPTH + 1);
    assert_eq!(core.items()[&root].state, State::Failed);
}

#[test]
fn an_empty_folder_is_done_and_cancelling_a_folder_cancels_its_children() {
    let mut core = core(2);
    let ids = core.add(&site(), vec![folder(), folder()]);
    let jobs = started(&core.poll(Time::ZERO));
    core.job_ended(Time::ZERO, jobs[0].0, Outcome::Walked(vec![]));
    assert_eq!(core.items()[&ids[0]].state, State::Done);
    let children = vec![file(1, Some(10)), file(2, Some(20)), folder()];
    core.job_ended(Time::ZERO, jobs[1].0, Outcome::Walked(children));
    let running = started(&core.poll(Time::ZERO));
    assert_eq!(running.len(), 2);
    assert_eq!(
        core.items()[&ids[1]].sum.total_if_known(),
        None,
        "a folder is not known yet"
    );
    core.cancel(&[ids[1]]);
    assert!(
        core.items()
            .values()
            .skip(2)
            .all(|i| i.state == State::Cancelled)
    );
    assert_eq!(core.items()[&ids[1]].state, State::Cancelled);
    let aborts = core.poll(Time::ZERO);
    assert_eq!(aborts.len(), 2);
    assert!(!core.is_idle(), "the aborted jobs have still to end");
    // One of them was quicker than the abort: its file is there, and that is what is told.
    let outcome = Outcome::Done {
        bytes: 10,
        verified: None,
    };
    core.job_ended(Time::ZERO, running[0].0, outcome);
    core.job_ended(Time::ZERO, running[1].0, Outcome::Aborted);
    assert!(core.is_idle());
    assert_eq!(core.items()[&running[0].1].state, State::Done);
}

#[test]
fn rates_of_a_folder_are_the_sum_of_what_runs_in_it() {
    let mut core = core(3);
    let root = core.add(&site(), vec![folder()])[0];
    let (walk, _) = started(&core.poll(Time::ZERO))[0];
    core.job_ended(
        Time::ZERO,
        walk,
        Outcome::Walked(vec![file(1, Some(1000)), file(2, Some(1000))]),
    );
    let jobs = started(&core.poll(Time::ZERO));
    for (job, _) in &jobs {
        core.progress(Duration::from_secs(1), *job, 100, None);
    }
    assert_eq!(core.rate(root), Some(200.0));
    assert_eq!(core.rate(jobs[0].1), Some(100.0));
    let sum = core.items()[&root].sum;
    assert_eq!((sum.bytes, sum.total_if_known()), (200, Some(2000)));
}
