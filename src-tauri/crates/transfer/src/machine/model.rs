//! The machine against arbitrary people, servers and crashes: whatever happens in whatever order, nothing is lost, done
//! twice or done at the same time twice, and what the journal holds is enough to go on.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::tests::{at, child, ids_of, new, rules};
use super::*;
use crate::error::{Error, RemoteError, Retry};
use crate::journal::{Loaded, Row};
use crate::work::{Done, Identity, Note, Outcome, StopKind, Walked};
use crate::{ConflictRule, Facts, Place, State};

/// What may happen next. Numbers choose among what there is at that time.
#[derive(Debug, Clone)]
enum Event {
    Add {
        folder: bool,
        small: bool,
        other_site: bool,
        upload: bool,
    },
    Poll,
    Sleep(u64),
    Finish {
        job: usize,
        how: How,
    },
    Begin {
        job: usize,
    },
    Cancel(usize),
    Pause(usize),
    Unpause(usize),
    Retry(usize),
    PauseAll(bool),
    PauseSite(bool),
    Priority(usize, u8),
    Move(usize, usize),
    StartAt(usize, Option<u64>),
    Edit(usize),
    Answer(usize),
    Clear,
    Trouble(bool),
    Write,
    Crash,
}

#[derive(Debug, Clone, Copy)]
enum How {
    Done,
    Skip,
    Ask,
    Lost,
    Busy,
    Never,
    Full,
    Silent,
}

fn event() -> impl Strategy<Value = Event> {
    let how = prop_oneof![
        6 => Just(How::Done),
        1 => Just(How::Skip),
        1 => Just(How::Ask),
        2 => Just(How::Lost),
        1 => Just(How::Busy),
        1 => Just(How::Never),
        1 => Just(How::Full),
        1 => Just(How::Silent),
    ];
    let number = 0..1000usize;
    prop_oneof![
        4 => any::<(bool, bool, bool, bool)>().prop_map(|(folder, small, other_site, upload)| {
            Event::Add { folder, small, other_site, upload }
        }),
        8 => Just(Event::Poll),
        3 => (0..20u64).prop_map(Event::Sleep),
        8 => (number.clone(), how).prop_map(|(job, how)| Event::Finish { job, how }),
        3 => number.clone().prop_map(|job| Event::Begin { job }),
        2 => number.clone().prop_map(Event::Cancel),
        2 => number.clone().prop_map(Event::Pause),
        2 => number.clone().prop_map(Event::Unpause),
        2 => number.clone().prop_map(Event::Retry),
        1 => any::<bool>().prop_map(Event::PauseAll),
        1 => any::<bool>().prop_map(Event::PauseSite),
        1 => (number.clone(), 0..3u8).prop_map(|(i, p)| Event::Priority(i, p)),
        1 => (number.clone(), number.clone()).prop_map(|(i, j)| Event::Move(i, j)),
        1 => (number.clone(), proptest::option::of(0..100u64)).prop_map(|(i, t)| Event::StartAt(i, t)),
        1 => number.clone().prop_map(Event::Edit),
        1 => number.prop_map(Event::Answer),
        1 => Just(Event::Clear),
        1 => any::<bool>().prop_map(Event::Trouble),
        3 => Just(Event::Write),
        2 => Just(Event::Crash),
    ]
}

/// The world outside of the machine.
struct World {
    machine: Machine,
    seconds: u64,
    /// What is on the disk of the journal.
    rows: BTreeMap<u32, Row>,
    sites: BTreeMap<u32, String>,
    options: BTreeMap<u32, String>,
    settings: BTreeMap<String, String>,
    /// How often each item has a receipt in the journal.
    receipts: BTreeMap<u32, u32>,
    /// Running jobs and their items.
    jobs: BTreeMap<JobId, BTreeSet<TransferId>>,
    /// What was finished and not asked for again.
    finished: BTreeSet<TransferId>,
    added: u64,
}

impl World {
    fn new() -> Self {
        Self {
            machine: Machine::new(journalled()),
            seconds: 0,
            rows: BTreeMap::new(),
            sites: BTreeMap::new(),
            options: BTreeMap::new(),
            settings: BTreeMap::new(),
            receipts: BTreeMap::new(),
            jobs: BTreeMap::new(),
            finished: BTreeSet::new(),
            added: 0,
        }
    }

    fn now(&self) -> Now {
        at(self.seconds)
    }

    fn id(&self, choice: usize) -> Vec<TransferId> {
        let ids: Vec<TransferId> = self.machine.ids().collect();
        match ids.len() {
            0 => Vec::new(),
            n => vec![ids[choice % n]],
        }
    }

    /// What the runtime does before it acts.
    fn write(&mut self) {
        for op in self.machine.take_ops() {
            match op {
                Op::Site { id, key } => {
                    self.sites.insert(id, key);
                }
                Op::Options { id, json } => {
                    self.options.insert(id, json);
                }
                Op::Put(row) => {
                    self.rows.insert(row.id, row);
                }
                Op::Remove(ids) => {
                    for id in ids {
                        self.rows.remove(&id);
                    }
                }
                Op::Receipt(receipt) => *self.receipts.entry(receipt.id).or_default() += 1,
                Op::Setting { key, value } => {
                    self.settings.insert(key, value);
                }
                Op::Handled { .. } => {}
            }
        }
    }

    fn poll(&mut self) {
        let now = self.now();
        let actions = self.machine.poll(now);
        self.write();
        for action in actions {
            if let Action::Start {
                job, assignment, ..
            } = action
            {
                let ids: BTreeSet<TransferId> = ids_of(&assignment).into_iter().collect();
                for id in &ids {
                    assert!(
                        self.jobs.values().all(|other| !other.contains(id)),
                        "{id} runs twice"
                    );
                    assert!(!self.finished.contains(id), "{id} is done again");
                    assert!(self.rows.contains_key(id), "{id} is not in the journal");
                }
                self.jobs.insert(job, ids);
            }
        }
    }

    fn finish(&mut self, choice: usize, how: How) {
        let jobs: Vec<JobId> = self.jobs.keys().copied().collect();
        let Some(&job) = jobs.get(choice % jobs.len().max(1)) else {
            return;
        };
        let now = self.now();
        for id in self.jobs.remove(&job).unwrap() {
            let stopping = self.machine.stopping(id);
            let folder = self.machine.view(id).unwrap().kind == ItemKind::Folder;
            let remote = |retry| Outcome::Failed {
                error: Error::Remote(RemoteError {
                    message: "no".to_owned(),
                    retry,
                    connection_lost: false,
                    original: None,
                }),
                open: 1,
            };
            let outcome = match how {
                How::Silent => continue,
                How::Done if folder && stopping.is_none() => Outcome::Walked(Walked {
                    children: vec![
                        child(&format!("a{id}"), ItemKind::File, Some(100)),
                        child(&format!("b{id}"), ItemKind::File, None),
                        child(&format!("c{id}"), ItemKind::Folder, None),
                    ],
                    filtered: 1,
                }),
                _ if matches!(stopping, Some(StopKind::Paused)) => Outcome::Aborted,
                How::Done if folder => Outcome::Aborted,
                How::Done => {
                    self.finished.insert(id);
                    Outcome::Done(Box::new(Done {
                        bytes: 100,
                        ..Done::default()
                    }))
                }
                How::Skip if !folder => Outcome::Skipped,
                How::Ask if !folder => Outcome::Ask(Facts::default()),
                How::Busy => remote(Retry::Busy),
                How::Never => remote(Retry::Never),
                How::Full => Outcome::Failed {
                    error: Error::DiskFull { path: "/".into() },
                    open: 1,
                },
                How::Lost | How::Skip | How::Ask => remote(Retry::Backoff),
            };
            self.machine.item_ended(now, job, id, outcome);
        }
        self.machine.job_ended(now, job);
    }

    /// The program dies, and another one opens the journal.
    fn crash(&mut self) {
        let loaded = Loaded {
            sites: self.sites.clone(),
            options: self.options.clone(),
            rows: self.rows.values().cloned().collect(),
            settings: self.settings.clone(),
            skipped: 0,
            highest_id: self.rows.keys().next_back().copied().unwrap_or(0),
        };
        let (machine, left_out) = Machine::restore(self.now(), journalled(), loaded);
        assert_eq!(left_out, 0, "nothing in the journal is without a folder");
        self.machine = machine;
        self.jobs.clear();
        // What was finished in memory only was found complete, or is done once more: that is for the job to see.
        let on_disk = |id: &TransferId| self.rows.get(id).is_some_and(|row| row.state == 3);
        self.finished.retain(on_disk);
        assert!(!self.machine.has_ops(), "what is read is not written again");
    }

    fn apply(&mut self, event: &Event) {
        let now = self.now();
        match *event {
            Event::Add {
                folder,
                small,
                other_site,
                upload,
            } => {
                self.added += 1;
                let kind = if folder {
                    ItemKind::Folder
                } else {
                    ItemKind::File
                };
                let size = (!folder).then_some(if small { 100 } else { 10_000_000 });
                let mut one = new(&format!("n{}", self.added % 7), kind, size);
                if other_site {
                    one.site = SiteKey::new("b");
                }
                if upload {
                    one.direction = Direction::Upload;
                }
                self.machine.add(now, &[one]);
            }
            Event::Poll => self.poll(),
            Event::Sleep(seconds) => self.seconds += seconds,
            Event::Finish { job, how } => self.finish(job, how),
            Event::Begin { job } => {
                let first = self.jobs.values().nth(job % self.jobs.len().max(1));
                if let Some(&id) = first.and_then(|ids| ids.first()) {
                    self.machine.note(id, Note::Begun(Identity::default()));
                }
            }
            Event::Cancel(i) => self.machine.cancel(&self.id(i)),
            Event::Pause(i) => self.machine.pause(&self.id(i)),
            Event::Unpause(i) => self.machine.unpause(now, &self.id(i)),
            Event::Retry(i) => self.machine.retry(now, &self.id(i)),
            Event::PauseAll(paused) => self.machine.pause_all(paused),
            Event::PauseSite(paused) => self.machine.pause_site(&SiteKey::new("a"), paused),
            Event::Priority(i, p) => {
                let priority = [Priority::Low, Priority::Normal, Priority::High][usize::from(p)];
                self.machine.set_priority(now, &self.id(i), priority);
            }
            Event::Move(i, j) => {
                let place = self
                    .id(j)
                    .first()
                    .map_or(Place::Last, |&id| Place::Before(id));
                self.machine.move_to(now, &self.id(i), place);
            }
            Event::StartAt(i, later) => {
                let start = later.map(|later| at(self.seconds + later).wall);
                self.machine.set_start(now, &self.id(i), start);
            }
            Event::Edit(i) => {
                let options = Arc::new(Options {
                    limit: Some(1000),
                    ..Options::default()
                });
                self.machine.edit(now, &self.id(i), &options);
            }
            Event::Answer(i) => self
                .machine
                .answer(now, &self.id(i), ConflictRule::Overwrite),
            Event::Clear => {
                self.machine.clear_finished();
                self.finished.retain(|id| self.machine.contains(*id));
            }
            Event::Trouble(trouble) => {
                self.machine
                    .journal_trouble(trouble.then(|| "full".to_owned()));
            }
            Event::Write => self.write(),
            Event::Crash => self.crash(),
        }
    }

    /// What holds at any time.
    fn check(&self) {
        let mut counts = Counts::default();
        let mut numbers = Numbers::default();
        for (id, item) in &self.machine.items {
            item::recount(&mut counts, None, item.weight());
            numbers.replace(Numbers::default(), item.own());
            let running =
                matches!(item.state, State::Running | State::Scanning) && !item.is_walked();
            assert!(!running || item.job.is_some(), "{id} runs without a job");
            if item.state == State::Waiting && item.job.is_none() && !item.is_walked() {
                assert!(item.ready || item.due().is_some(), "{id} waits for nothing");
            }
            if let Some(kids) = &item.kids {
                assert_eq!(item.state, item::settled(&kids.counts), "{id}");
                let below = self.machine.with_descendants(&[*id]);
                let mut sum = Numbers::default();
                let mut in_it = Counts::default();
                for one in below.iter().skip(1) {
                    let item = &self.machine.items[one];
                    sum.replace(Numbers::default(), item.own());
                    item::recount(&mut in_it, None, item.weight());
                }
                assert_eq!((sum, in_it), (kids.sum, kids.counts), "{id}");
            }
            if self.finished.contains(id) {
                assert_eq!(item.state, State::Done, "{id}");
            }
        }
        assert_eq!(counts, self.machine.counts);
        assert_eq!(numbers, self.machine.numbers);
        for (number, site) in self.machine.sites.iter().enumerate() {
            let jobs = self.machine.jobs.values();
            let flying = jobs.filter(|job| job.site as usize == number).count();
            assert_eq!(site.in_flight, flying);
            assert!(flying <= site.most);
        }
    }

    /// Whatever has happened: if from now on all goes well, everything that is not given up gets done.
    fn settle(&mut self) {
        self.machine.journal_trouble(None);
        self.machine.pause_all(false);
        self.machine.pause_site(&SiteKey::new("a"), false);
        let all: Vec<TransferId> = self.machine.ids().collect();
        self.machine.unpause(self.now(), &all);
        self.machine
            .answer(self.now(), &all, ConflictRule::Overwrite);
        self.machine.set_start(self.now(), &all, None);
        // Folders bring folders, three in each, down to the limit of depth: they end here.
        for _ in 0..10_000 {
            if self.machine.is_idle() {
                break;
            }
            self.poll();
            while let Some(job) = self.jobs.keys().next().copied() {
                let ids = self.jobs.remove(&job).unwrap();
                for id in ids {
                    let folder = self.machine.view(id).unwrap().kind == ItemKind::Folder;
                    let outcome = if folder {
                        Outcome::Walked(Walked::default())
                    } else {
                        self.finished.insert(id);
                        Outcome::Done(Box::default())
                    };
                    let stopped = self.machine.stopping(id).is_some();
                    let outcome = match outcome {
                        Outcome::Walked(_) if stopped => Outcome::Aborted,
                        outcome => outcome,
                    };
                    self.machine.item_ended(self.now(), job, id, outcome);
                }
                self.machine.job_ended(self.now(), job);
            }
            self.seconds += 61;
        }
        assert!(self.machine.is_idle(), "it comes to an end");
        for id in self.machine.ids() {
            let state = self.machine.view(id).unwrap().state;
            assert!(!state.is_open(), "{id} is left over: {state:?}");
        }
        self.write();
        for (id, count) in &self.receipts {
            assert!(*count >= 1, "{id}");
        }
        for id in &self.finished {
            assert!(self.receipts.contains_key(id), "{id} has no receipt");
            assert_eq!(self.rows[id].state, 3, "{id}");
        }
    }
}

fn journalled() -> Rules {
    Rules {
        journalled: true,
        retry: RetryPolicy {
            attempts: 3,
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(5),
        },
        ..rules()
    }
}

#[test]
fn the_number_of_an_item_that_was_cleared_goes_to_no_other() {
    let mut world = World::new();
    let now = world.now();
    let one = [new("f", ItemKind::File, Some(100))];
    let before = world.machine.add(now, &[one.clone(), one.clone()].concat());
    world.machine.cancel(&before);
    world.machine.clear_finished();
    world.write();
    assert_eq!(world.rows.len(), 0);
    // Nor after another restart, in which nothing is noted.
    for _ in 0..2 {
        world.crash();
    }
    let after = world.machine.add(now, &one);
    assert!(after[0] > before[1], "{before:?} {after:?}");
}

#[test]
fn what_a_listing_said_before_a_crash_is_asked_again() {
    use crate::work::{Assignment, Existing};
    let mut world = World::new();
    let now = world.now();
    world
        .machine
        .add(now, &[new("folder", ItemKind::Folder, None)]);
    world.poll();
    let (&job, ids) = world.jobs.iter().next().unwrap();
    let id = *ids.iter().next().unwrap();
    let mut file = child("a", ItemKind::File, Some(100));
    file.existing = Existing::Missing;
    let walked = Walked {
        children: vec![file],
        filtered: 0,
    };
    let now = world.now();
    world
        .machine
        .item_ended(now, job, id, Outcome::Walked(walked));
    world.machine.job_ended(now, job);
    world.write();
    let existing = |machine: &mut Machine| {
        let tasks: Vec<_> = machine
            .poll(now)
            .into_iter()
            .filter_map(|action| match action {
                Action::Start { assignment, .. } => Some(*assignment),
                _ => None,
            })
            .collect();
        match tasks.as_slice() {
            [Assignment::File(task)] => task.plan.existing,
            [Assignment::Group(tasks)] if tasks.len() == 1 => tasks[0].plan.existing,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(existing(&mut world.machine), Existing::Missing);
    world.crash();
    assert_eq!(existing(&mut world.machine), Existing::Unknown);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_or_done_twice(events in proptest::collection::vec(event(), 1..120)) {
        let mut world = World::new();
        for event in &events {
            world.apply(event);
            world.check();
        }
        world.settle();
        world.check();
    }

    #[test]
    fn what_is_written_comes_back_the_same(events in proptest::collection::vec(event(), 1..80)) {
        let mut world = World::new();
        for event in &events {
            world.apply(event);
        }
        world.write();
        let shown = |machine: &Machine| -> Vec<_> {
            machine
                .ids()
                .filter_map(|id| machine.view(id))
                .map(|one| {
                    // What runs waits after a crash; bytes of a try that had not ended are found by the job.
                    let state = match one.state {
                        State::Running | State::Scanning if one.counts.is_none() => State::Waiting,
                        state => state,
                    };
                    (one.id, state, one.local, one.remote, one.order, one.priority, one.start_at)
                })
                .collect()
        };
        let before = shown(&world.machine);
        world.crash();
        prop_assert_eq!(before, shown(&world.machine));
    }
}
