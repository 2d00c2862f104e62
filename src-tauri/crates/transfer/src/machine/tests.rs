#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use ftp_client::ftp_proto::RemotePath;
use jiff::Timestamp;

use super::*;
use crate::error::{Error, RemoteError, Retry};
use crate::work::{Child, Done, Existing, Identity, Note, Outcome, Walked};
use crate::{ConflictRule, Facts, Place, State};

pub(super) fn rules() -> Rules {
    Rules {
        workers: 4,
        connections: 2,
        retry: RetryPolicy {
            attempts: 3,
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(60),
        },
        wait_for_room: true,
        journalled: false,
    }
}

pub(super) fn at(seconds: u64) -> Now {
    Now {
        time: Duration::from_secs(seconds),
        wall: Timestamp::from_second(1_800_000_000 + seconds as i64).unwrap(),
    }
}

pub(super) fn new(name: &str, kind: ItemKind, size: Option<u64>) -> NewTransfer {
    NewTransfer {
        site: SiteKey::new("a"),
        direction: Direction::Download,
        kind,
        local: format!("/local/{name}").into(),
        remote: RemotePath::try_from(format!("/remote/{name}").as_str()).unwrap(),
        size,
        modified: None,
        options: Arc::default(),
    }
}

pub(super) fn child(name: &str, kind: ItemKind, size: Option<u64>) -> Child {
    Child {
        name: name.as_bytes().to_vec(),
        local: None,
        kind,
        link: false,
        link_to: None,
        mode: None,
        size,
        modified: None,
        existing: Existing::Unknown,
        hopeless: None,
    }
}

fn remote(retry: Retry) -> Error {
    Error::Remote(RemoteError {
        message: "no".to_owned(),
        retry,
        connection_lost: false,
        original: None,
    })
}

fn failed(retry: Retry, open: usize) -> Outcome {
    Outcome::Failed {
        error: remote(retry),
        open,
    }
}

fn done(bytes: u64) -> Outcome {
    Outcome::Done(Box::new(Done {
        bytes,
        ..Done::default()
    }))
}

/// The jobs that begin, and what each is about.
fn starts(machine: &mut Machine, now: Now) -> Vec<(JobId, Vec<TransferId>)> {
    machine
        .poll(now)
        .into_iter()
        .filter_map(|action| match action {
            Action::Start {
                job, assignment, ..
            } => Some((job, ids_of(&assignment))),
            Action::Stop { .. } | Action::Discard { .. } => None,
        })
        .collect()
}

pub(super) fn ids_of(assignment: &Assignment) -> Vec<TransferId> {
    match assignment {
        Assignment::Folder(task) | Assignment::File(task) => vec![task.id],
        Assignment::Group(tasks) => tasks.iter().map(|task| task.id).collect(),
    }
}

fn end(machine: &mut Machine, now: Now, job: JobId, id: TransferId, outcome: Outcome) {
    machine.item_ended(now, job, id, outcome);
    machine.job_ended(now, job);
}

fn state(machine: &Machine, id: TransferId) -> State {
    machine.view(id).unwrap().state
}

const BIG: Option<u64> = Some(10_000_000);

#[test]
fn a_site_has_no_more_jobs_than_connections() {
    let mut machine = Machine::new(rules());
    let big: Vec<_> = (0..5)
        .map(|i| new(&format!("f{i}"), ItemKind::File, BIG))
        .collect();
    let ids = machine.add(at(0), &big);
    let running = starts(&mut machine, at(0));
    assert_eq!(running.len(), 2);
    assert_eq!(running[0].1, [ids[0]]);
    assert!(starts(&mut machine, at(0)).is_empty());
    end(&mut machine, at(1), running[0].0, ids[0], done(10_000_000));
    assert_eq!(state(&machine, ids[0]), State::Done);
    assert_eq!(starts(&mut machine, at(1))[0].1, [ids[2]]);
}

#[test]
fn a_job_has_more_connections_only_where_nobody_waits_for_them() {
    let mut machine = Machine::new(Rules {
        connections: 3,
        ..rules()
    });
    machine.add(at(0), &[new("a", ItemKind::File, BIG)]);
    let first = starts(&mut machine, at(0))[0].clone();
    assert!(machine.widen(first.0) && machine.widen(first.0));
    assert!(!machine.widen(first.0), "there are three");
    assert!(!machine.is_crowded(first.0));
    machine.add(at(1), &[new("b", ItemKind::File, BIG)]);
    assert!(starts(&mut machine, at(1)).is_empty());
    assert!(machine.is_crowded(first.0));
    machine.narrow(first.0);
    assert!(!machine.widen(first.0), "the other one waits for it");
    let second = starts(&mut machine, at(1))[0].clone();
    assert!(!machine.is_crowded(first.0));
    // Nothing is given back twice, and what a job still has it loses when it ends.
    machine.narrow(second.0);
    end(&mut machine, at(2), first.0, first.1[0], done(1));
    let more: Vec<_> = ["c", "d", "e"].map(|n| new(n, ItemKind::File, BIG)).into();
    machine.add(at(2), &more);
    assert_eq!(starts(&mut machine, at(2)).len(), 2);
}

#[test]
fn small_files_share_a_job_and_leave_some_for_the_others() {
    let mut machine = Machine::new(rules());
    let small: Vec<_> = (0..30)
        .map(|i| new(&format!("f{i}"), ItemKind::File, Some(1000)))
        .collect();
    machine.add(at(0), &small);
    let running = starts(&mut machine, at(0));
    let sizes: Vec<usize> = running.iter().map(|(_, ids)| ids.len()).collect();
    assert_eq!(sizes, [15, 15]);
}

#[test]
fn a_folder_is_what_is_in_it() {
    let mut machine = Machine::new(rules());
    let folder = machine.add(at(0), &[new("d", ItemKind::Folder, None)])[0];
    let (job, _) = starts(&mut machine, at(0))[0].clone();
    assert_eq!(state(&machine, folder), State::Scanning);
    let walked = Walked {
        children: vec![
            child("a", ItemKind::File, BIG),
            child("b", ItemKind::File, BIG),
            child("sub", ItemKind::Folder, None),
        ],
        filtered: 3,
    };
    end(&mut machine, at(0), job, folder, Outcome::Walked(walked));
    let view = machine.view(folder).unwrap();
    assert_eq!((view.state, view.total), (State::Running, None));
    assert_eq!(view.counts.unwrap().filtered, 3);
    let running = starts(&mut machine, at(0));
    let first = machine.view(running[0].1[0]).unwrap();
    assert_eq!(first.local.to_str().unwrap(), "/local/d/a");
    assert_eq!(first.remote.as_bytes(), b"/remote/d/a");
    machine.progress(at(1), running[0].0, 500, None);
    assert_eq!(machine.view(folder).unwrap().bytes, 500);
    for (job, ids) in running {
        end(&mut machine, at(1), job, ids[0], done(10_000_000));
    }
    let (job, sub) = starts(&mut machine, at(1))[0].clone();
    end(
        &mut machine,
        at(1),
        job,
        sub[0],
        Outcome::Walked(Walked::default()),
    );
    let view = machine.view(folder).unwrap();
    assert_eq!((view.state, view.total), (State::Done, Some(20_000_000)));
    assert!(machine.is_idle());
    machine.clear_finished();
    assert_eq!(machine.len(), 0);
    assert_eq!(machine.take_changes().removed.len(), 4);
}

#[test]
fn too_many_connections_cost_nothing_and_are_learned() {
    let mut machine = Machine::new(rules());
    let ids = machine.add(
        at(0),
        &[new("a", ItemKind::File, BIG), new("b", ItemKind::File, BIG)],
    );
    let running = starts(&mut machine, at(0));
    end(
        &mut machine,
        at(0),
        running[1].0,
        ids[1],
        failed(Retry::Busy, 1),
    );
    assert_eq!(machine.view(ids[1]).unwrap().attempts, 0);
    assert_eq!(machine.take_learned(), [(SiteKey::new("a"), 1)]);
    assert!(starts(&mut machine, at(0)).is_empty(), "one at a time now");
    end(&mut machine, at(1), running[0].0, ids[0], done(1));
    assert_eq!(starts(&mut machine, at(1))[0].1, [ids[1]]);
}

#[test]
fn after_a_quiet_time_one_more_connection_is_tried() {
    const QUIET: u64 = 600;
    let mut machine = Machine::new(Rules {
        connections: 4,
        ..rules()
    });
    let wanted: Vec<_> = (0..9)
        .map(|n| new(&format!("big{n}"), ItemKind::File, BIG))
        .collect();
    machine.add(at(0), &wanted);
    let mut running = starts(&mut machine, at(0));
    let refuse = |machine: &mut Machine, seconds, running: &mut Vec<(JobId, Vec<u32>)>| {
        let (job, ids) = running.pop().unwrap();
        end(
            machine,
            at(seconds),
            job,
            ids[0],
            failed(Retry::Busy, running.len()),
        );
    };
    refuse(&mut machine, 0, &mut running);
    refuse(&mut machine, 5, &mut running);
    assert_eq!(machine.connections(&SiteKey::new("a")), 2);
    assert!(starts(&mut machine, at(5 + QUIET - 1)).is_empty());
    running.extend(starts(&mut machine, at(5 + QUIET)));
    assert_eq!(running.len(), 3);
    // Refused again: as before, and it is quiet again first.
    refuse(&mut machine, 5 + QUIET, &mut running);
    assert!(starts(&mut machine, at(5 + 2 * QUIET - 1)).is_empty());
    // Taken: the next one not at once either, and never more than there may be.
    for turn in 2..4 {
        running.extend(starts(&mut machine, at(5 + turn * QUIET)));
        assert_eq!(running.len() as u64, turn + 1);
        assert!(starts(&mut machine, at(5 + (turn + 1) * QUIET - 1)).is_empty());
    }
    assert!(starts(&mut machine, at(5 + 9 * QUIET)).is_empty());
    assert_eq!(machine.connections(&SiteKey::new("a")), 4);
}

#[test]
fn a_group_that_is_refused_a_connection_costs_one() {
    let mut machine = Machine::new(Rules {
        connections: 4,
        ..rules()
    });
    let mut wanted: Vec<_> = (0..2)
        .map(|n| new(&format!("big{n}"), ItemKind::File, BIG))
        .collect();
    let small = |n| new(&format!("small{n}"), ItemKind::File, Some(10));
    wanted.extend((0..5).map(small));
    let ids = machine.add(at(0), &wanted);
    let running = starts(&mut machine, at(0));
    let (job, group) = running.iter().find(|(_, ids)| ids.len() > 1).unwrap();
    let before = running.len();
    for id in group {
        machine.item_ended(at(0), *job, *id, failed(Retry::Busy, 1));
    }
    machine.job_ended(at(0), *job);
    assert_eq!(machine.take_learned(), [(SiteKey::new("a"), before - 1)]);
    for id in group {
        assert_eq!(machine.view(*id).unwrap().attempts, 0);
    }
    assert_eq!(machine.view(ids[0]).unwrap().state, State::Running);
}

#[test]
fn tries_are_counted_and_come_after_pauses() {
    let mut machine = Machine::new(rules());
    let id = machine.add(at(0), &[new("a", ItemKind::File, BIG)])[0];
    for (now, next) in [(0, Some(1)), (1, Some(3)), (3, None)] {
        let (job, _) = starts(&mut machine, at(now))[0].clone();
        end(&mut machine, at(now), job, id, failed(Retry::Backoff, 0));
        assert_eq!(
            machine.next_wake(at(now)),
            next.map(Duration::from_secs),
            "{now}"
        );
    }
    assert_eq!(state(&machine, id), State::Failed);
    machine.retry(at(9), &[id]);
    assert_eq!(starts(&mut machine, at(9)).len(), 1);
}

#[test]
fn what_is_paused_keeps_its_place_and_what_is_cancelled_does_not_go_on() {
    let mut machine = Machine::new(rules());
    let ids = machine.add(
        at(0),
        &[
            new("a", ItemKind::File, BIG),
            new("b", ItemKind::File, BIG),
            new("c", ItemKind::File, BIG),
        ],
    );
    let running = starts(&mut machine, at(0));
    machine.pause(&[ids[0], ids[2]]);
    assert_eq!(state(&machine, ids[0]), State::Paused);
    let stops: Vec<_> = machine.poll(at(0));
    assert!(
        matches!(&stops[..], [Action::Stop { job, all: true }] if *job == running[0].0),
        "{stops:?}"
    );
    // It goes on before its job has ended: no second job for it.
    machine.unpause(at(0), &[ids[0]]);
    assert!(starts(&mut machine, at(0)).is_empty());
    end(&mut machine, at(0), running[0].0, ids[0], Outcome::Aborted);
    assert_eq!(starts(&mut machine, at(0))[0].1, [ids[0]]);
    machine.cancel(&[ids[1]]);
    // It was done before it heard of that: then it is done.
    end(&mut machine, at(1), running[1].0, ids[1], done(5));
    assert_eq!(state(&machine, ids[1]), State::Done);
    assert_eq!(state(&machine, ids[2]), State::Paused);
}

#[test]
fn what_a_cancelled_item_has_left_is_removed() {
    let mut machine = Machine::new(rules());
    let id = machine.add(at(0), &[new("a", ItemKind::File, BIG)])[0];
    let (job, _) = starts(&mut machine, at(0))[0].clone();
    machine.note(id, Note::Begun(Identity::default()));
    machine.pause(&[id]);
    end(&mut machine, at(1), job, id, Outcome::Aborted);
    machine.poll(at(1));
    machine.cancel(&[id]);
    let actions = machine.poll(at(1));
    assert!(
        matches!(&actions[..], [Action::Discard { tasks, .. }] if tasks[0].begun.is_some()),
        "{actions:?}"
    );
    machine.retry(at(2), &[id]);
    let actions = machine.poll(at(2));
    assert!(
        matches!(&actions[..], [Action::Start { assignment, .. }] if matches!(&**assignment, Assignment::File(task) if task.begun.is_none())),
        "{actions:?}"
    );
}

#[test]
fn priorities_and_places() {
    let mut one = rules();
    one.connections = 1;
    let mut machine = Machine::new(one);
    let names = ["a", "b", "c", "d"];
    let files: Vec<_> = names
        .iter()
        .map(|name| new(name, ItemKind::File, BIG))
        .collect();
    let ids = machine.add(at(0), &files);
    machine.move_to(at(0), &[ids[3]], Place::First);
    machine.move_to(at(0), &[ids[0]], Place::After(ids[2]));
    machine.set_priority(at(0), &[ids[2]], Priority::High);
    let mut order = Vec::new();
    for now in 0..4 {
        let (job, started) = starts(&mut machine, at(now))[0].clone();
        order.push(started[0]);
        end(&mut machine, at(now), job, started[0], done(1));
    }
    assert_eq!(order, [ids[2], ids[3], ids[1], ids[0]]);
}

#[test]
fn room_between_neighbours_never_runs_out() {
    let mut machine = Machine::new(rules());
    let files: Vec<_> = (0..3)
        .map(|i| new(&format!("f{i}"), ItemKind::File, BIG))
        .collect();
    let ids = machine.add(at(0), &files);
    for _ in 0..100 {
        machine.move_to(at(0), &[ids[2]], Place::After(ids[0]));
        machine.move_to(at(0), &[ids[1]], Place::After(ids[0]));
    }
    let order = |id| machine.view(id).unwrap().order;
    assert!(order(ids[0]) < order(ids[1]) && order(ids[1]) < order(ids[2]));
}

#[test]
fn nothing_starts_before_its_time() {
    let mut machine = Machine::new(rules());
    let mut later = new("a", ItemKind::File, BIG);
    later.options = Arc::new(Options {
        start_at: Some(at(30).wall),
        ..Options::default()
    });
    let id = machine.add(at(0), &[later])[0];
    assert!(starts(&mut machine, at(29)).is_empty());
    assert!(!machine.is_idle());
    assert_eq!(machine.next_wake(at(29)), Some(Duration::from_secs(30)));
    assert_eq!(starts(&mut machine, at(30))[0].1, [id]);
    let early = machine.add(at(31), &[new("b", ItemKind::File, BIG)])[0];
    machine.set_start(at(31), &[early], Some(at(99).wall));
    assert!(starts(&mut machine, at(31)).is_empty());
    machine.set_start(at(32), &[early], None);
    assert_eq!(starts(&mut machine, at(32))[0].1, [early]);
}

#[test]
fn a_question_waits_for_its_answer_and_holds_nobody_up() {
    let mut one = rules();
    one.connections = 1;
    let mut machine = Machine::new(one);
    let folder = machine.add(at(0), &[new("d", ItemKind::Folder, None)])[0];
    let (job, _) = starts(&mut machine, at(0))[0].clone();
    let walked = Walked {
        children: vec![
            child("a", ItemKind::File, BIG),
            child("b", ItemKind::File, BIG),
        ],
        filtered: 0,
    };
    end(&mut machine, at(0), job, folder, Outcome::Walked(walked));
    let (job, first) = starts(&mut machine, at(0))[0].clone();
    let there = Facts {
        size: Some(7),
        modified: None,
    };
    end(&mut machine, at(0), job, first[0], Outcome::Ask(there));
    let asking = machine.view(first[0]).unwrap();
    assert_eq!(asking.state, State::Asking);
    assert_eq!(asking.conflict.unwrap().target, there);
    let (job, second) = starts(&mut machine, at(0))[0].clone();
    end(&mut machine, at(0), job, second[0], Outcome::Skipped);
    assert_eq!(state(&machine, folder), State::Asking);
    assert!(machine.is_idle());
    machine.answer(at(1), &[folder], ConflictRule::Rename);
    let actions = machine.poll(at(1));
    let [Action::Start { assignment, .. }] = &actions[..] else {
        panic!("{actions:?}");
    };
    assert!(
        matches!(&**assignment, Assignment::File(task) if task.answer == Some(ConflictRule::Rename))
    );
}

#[test]
fn a_full_disk_stops_downloads_until_there_is_room() {
    let mut machine = Machine::new(rules());
    let mut up = new("up", ItemKind::File, BIG);
    up.direction = Direction::Upload;
    let ids = machine.add(
        at(0),
        &[
            new("a", ItemKind::File, BIG),
            new("b", ItemKind::File, BIG),
            up,
        ],
    );
    let running = starts(&mut machine, at(0));
    let full = || Outcome::Failed {
        error: Error::DiskFull { path: "/x".into() },
        open: 1,
    };
    end(&mut machine, at(0), running[0].0, ids[0], full());
    end(&mut machine, at(0), running[1].0, ids[1], full());
    assert!(matches!(machine.hold(), Some(Hold::DiskFull { .. })));
    assert_eq!(machine.view(ids[0]).unwrap().attempts, 0);
    let uploads = starts(&mut machine, at(1));
    assert_eq!(uploads[0].1, [ids[2]], "the other way is free");
    assert_eq!(uploads.len(), 1);
    let probe = starts(&mut machine, at(5));
    assert_eq!(probe.len(), 1, "one looks whether there is room");
    end(&mut machine, at(5), probe[0].0, ids[0], full());
    assert!(starts(&mut machine, at(6)).is_empty());
    let probe = starts(&mut machine, at(15));
    end(&mut machine, at(15), probe[0].0, probe[0].1[0], done(1));
    assert!(machine.hold().is_none());
    assert_eq!(starts(&mut machine, at(15)).len(), 1);
}

#[test]
fn sites_and_everything_can_be_paused() {
    let mut machine = Machine::new(rules());
    let mut other = new("o", ItemKind::File, BIG);
    other.site = SiteKey::new("b");
    let ids = machine.add(at(0), &[new("a", ItemKind::File, BIG), other]);
    machine.pause_site(&SiteKey::new("a"), true);
    let running = starts(&mut machine, at(0));
    assert_eq!(running[0].1, [ids[1]]);
    machine.pause_all(true);
    assert!(matches!(
        machine.poll(at(0))[..],
        [Action::Stop { all: true, .. }]
    ));
    end(&mut machine, at(0), running[0].0, ids[1], Outcome::Aborted);
    assert!(machine.is_idle());
    assert_eq!(state(&machine, ids[1]), State::Waiting);
    machine.pause_all(false);
    assert_eq!(starts(&mut machine, at(1))[0].1, [ids[1]]);
    machine.pause_site(&SiteKey::new("a"), false);
    assert_eq!(starts(&mut machine, at(1))[0].1, [ids[0]]);
}

#[test]
fn the_same_target_is_never_written_twice_at_once() {
    let mut machine = Machine::new(rules());
    let ids = machine.add(
        at(0),
        &[new("a", ItemKind::File, BIG), new("a", ItemKind::File, BIG)],
    );
    let running = starts(&mut machine, at(0));
    assert_eq!(running.len(), 1);
    end(&mut machine, at(0), running[0].0, ids[0], done(1));
    assert_eq!(starts(&mut machine, at(0))[0].1, [ids[1]]);
}

#[test]
fn a_million_items_are_small() {
    let mut machine = Machine::new(rules());
    let folder = machine.add(at(0), &[new("d", ItemKind::Folder, None)])[0];
    let (job, _) = starts(&mut machine, at(0))[0].clone();
    assert!(size_of::<Item>() <= 200, "{}", size_of::<Item>());
    let walked = Walked {
        children: (0..1000)
            .map(|i| child(&format!("file-{i}"), ItemKind::File, BIG))
            .collect(),
        filtered: 0,
    };
    end(&mut machine, at(0), job, folder, Outcome::Walked(walked));
    let waiting = machine.items.values().filter(|item| item.kids.is_none());
    assert!(waiting.clone().count() == 1000);
    assert!(waiting.clone().all(|item| item.extra.is_none()));
}

#[test]
fn a_full_disk_keeps_nobody_busy_when_nothing_waits_for_it() {
    let mut machine = Machine::new(rules());
    let ids = machine.add(at(0), &[new("a", ItemKind::File, BIG)]);
    let (job, _) = starts(&mut machine, at(0))[0].clone();
    let full = Outcome::Failed {
        error: Error::DiskFull { path: "/x".into() },
        open: 1,
    };
    end(&mut machine, at(0), job, ids[0], full);
    assert!(machine.next_wake(at(0)).is_some());
    machine.pause_all(true);
    // Its time has come, and it may not.
    assert!(starts(&mut machine, at(100)).is_empty());
    assert_eq!(machine.next_wake(at(100)), None);
    machine.pause_all(false);
    machine.cancel(&ids);
    assert!(starts(&mut machine, at(101)).is_empty());
    assert_eq!(machine.hold(), None);
    assert_eq!(machine.next_wake(at(101)), None);
}

#[test]
fn many_are_moved_together_and_those_below_are_not_written_again() {
    let mut machine = Machine::new(Rules {
        journalled: true,
        ..rules()
    });
    let names: Vec<String> = (0..8).map(|i| format!("n{i}")).collect();
    let files: Vec<_> = names
        .iter()
        .map(|name| new(name, ItemKind::Folder, None))
        .collect();
    let ids = machine.add(at(0), &files);
    let order = |machine: &Machine| {
        let mut all: Vec<_> = ids
            .iter()
            .map(|&id| (machine.view(id).unwrap().order, id))
            .collect();
        all.sort_unstable();
        all.into_iter()
            .map(|(_, id)| id - ids[0])
            .collect::<Vec<_>>()
    };
    let (job, first) = starts(&mut machine, at(0))[0].clone();
    assert_eq!(first, [ids[0]]);
    let walked = Walked {
        children: vec![child("x", ItemKind::File, BIG); 50],
        filtered: 0,
    };
    end(&mut machine, at(0), job, ids[0], Outcome::Walked(walked));
    machine.take_ops();
    machine.move_to(at(0), &[ids[6], ids[1], ids[0]], Place::After(ids[3]));
    assert_eq!(order(&machine), [2, 3, 0, 1, 6, 4, 5, 7]);
    let rows = machine.take_ops().into_iter();
    let rows = rows.filter(|op| matches!(op, Op::Put(_))).count();
    assert_eq!(rows, 3);
    // Relative to one that is moved along.
    machine.move_to(at(0), &[ids[0], ids[4]], Place::Before(ids[4]));
    assert_eq!(order(&machine), [2, 3, 1, 6, 0, 4, 5, 7]);
    // Until there is no room between two.
    for turn in 0..40 {
        let (one, two) = if turn % 2 == 0 { (5, 7) } else { (7, 5) };
        machine.move_to(at(0), &[ids[one], ids[1]], Place::After(ids[2]));
        let found = order(&machine);
        assert_eq!(found[0], 2, "{turn}: {found:?}");
        assert!(found[1..3].contains(&1) && found[1..3].contains(&(one as u32)));
        assert!(!found[1..3].contains(&(two as u32)));
    }
    machine.move_to(at(0), &[ids[2]], Place::Last);
    assert_eq!(order(&machine)[7], 2);
}

#[test]
fn a_start_time_is_looked_at_again_when_the_clock_was_put_right() {
    let mut machine = Machine::new(rules());
    let mut one = new("a", ItemKind::File, BIG);
    one.options = Arc::new(Options {
        start_at: Some(at(10_000).wall),
        ..Options::default()
    });
    machine.add(at(0), &[one]);
    assert!(starts(&mut machine, at(0)).is_empty());
    // The computer has slept: the clock on the wall went on, ours did not.
    let awake = Now {
        time: Duration::from_secs(60),
        wall: at(10_001).wall,
    };
    assert_eq!(starts(&mut machine, awake).len(), 1);
}
