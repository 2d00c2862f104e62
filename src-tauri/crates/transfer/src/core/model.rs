//! A model of the queue is driven through any interleaving of events, and what must always hold is checked after each.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::tests::{failed, file, folder, hopeless, remote_error};
use super::*;
use crate::error::Retry;

#[derive(Debug, Clone)]
enum Event {
    Add {
        site: u8,
        items: Vec<u8>,
    },
    Cancel(usize),
    Retry(usize),
    Clear,
    /// The how-manieth job ends, and how.
    End {
        job: usize,
        how: u8,
        children: Vec<u8>,
    },
    Progress {
        job: usize,
        bytes: u16,
        total: Option<u16>,
    },
    Pass {
        millis: u16,
    },
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let kinds = prop::collection::vec(any::<u8>(), 0..5);
    let event = prop_oneof![
        3 => (0u8..3, kinds.clone()).prop_map(|(site, items)| Event::Add { site, items }),
        2 => any::<usize>().prop_map(Event::Cancel),
        2 => any::<usize>().prop_map(Event::Retry),
        1 => Just(Event::Clear),
        8 => (any::<usize>(), any::<u8>(), kinds).prop_map(|(job, how, children)| Event::End { job, how, children }),
        3 => (any::<usize>(), any::<u16>(), any::<Option<u16>>())
            .prop_map(|(job, bytes, total)| Event::Progress { job, bytes, total }),
        2 => (0u16..9000).prop_map(|millis| Event::Pass { millis }),
    ];
    prop::collection::vec(event, 0..80)
}

fn new_items(kinds: &[u8]) -> Vec<NewItem<u32>> {
    kinds
        .iter()
        .map(|&k| match k % 8 {
            0 | 1 => folder(),
            2 => hopeless(),
            3 => file(u32::from(k), None),
            _ => file(u32::from(k), Some(u64::from(k) * 10)),
        })
        .collect()
}

/// The outside world: what was started and has not ended, and what has been seen to be done.
struct World {
    core: Core<u32>,
    now: Time,
    running: BTreeMap<JobId, (TransferId, SiteKey, bool, u32)>,
    aborted: BTreeSet<JobId>,
    added: BTreeSet<TransferId>,
    removed: BTreeSet<TransferId>,
    done: BTreeSet<TransferId>,
    shown: BTreeMap<TransferId, (State, Numbers)>,
}

const WORKERS: usize = 3;

impl World {
    fn new() -> Self {
        let retry = RetryPolicy {
            attempts: 3,
            ..RetryPolicy::default()
        };
        Self {
            core: Core::new(WORKERS, retry),
            now: Time::ZERO,
            running: BTreeMap::new(),
            aborted: BTreeSet::new(),
            added: BTreeSet::new(),
            removed: BTreeSet::new(),
            done: BTreeSet::new(),
            shown: BTreeMap::new(),
        }
    }

    fn nth_id(&self, n: usize) -> Option<TransferId> {
        let ids: Vec<_> = self.core.items().keys().copied().collect();
        (!ids.is_empty()).then(|| ids[n % ids.len()])
    }

    fn nth_job(&self, n: usize) -> Option<JobId> {
        let ids: Vec<_> = self.running.keys().copied().collect();
        (!ids.is_empty()).then(|| ids[n % ids.len()])
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::Add { site, items } => {
                let site = SiteKey::new(&format!("site {site}"));
                self.core.add(&site, new_items(&items));
            }
            Event::Cancel(n) => {
                let ids: Vec<_> = self.nth_id(n).into_iter().collect();
                self.core.cancel(&ids);
                for id in ids {
                    assert!(!self.core.items()[&id].state.is_open());
                }
            }
            Event::Retry(n) => {
                let ids: Vec<_> = self.nth_id(n).into_iter().collect();
                self.core.retry(&ids);
            }
            Event::Clear => self.core.clear_finished(),
            Event::End { job, how, children } => {
                if let Some(job) = self.nth_job(job) {
                    self.end(job, how, &children);
                }
            }
            Event::Progress { job, bytes, total } => {
                if let Some(job) = self.nth_job(job) {
                    let total = total.map(u64::from);
                    if !self.running[&job].2 {
                        self.core.progress(self.now, job, bytes.into(), total);
                    }
                }
            }
            Event::Pass { millis } => self.now += Duration::from_millis(millis.into()),
        }
        self.poll();
        self.check();
    }

    fn end(&mut self, job: JobId, how: u8, children: &[u8]) {
        let (_, _, folder, work) = self.running.remove(&job).unwrap();
        let outcome = match how % 8 {
            0 => failed(remote_error(Retry::Backoff)),
            1 => failed(remote_error(Retry::Never)),
            2 => failed(remote_error(Retry::Busy)),
            3 if self.aborted.contains(&job) => Outcome::Aborted,
            _ if folder => Outcome::Walked(new_items(children)),
            _ => Outcome::Done {
                bytes: u64::from(work) * 10,
                verified: None,
            },
        };
        self.core.job_ended(self.now, job, outcome);
    }

    fn poll(&mut self) {
        for action in self.core.poll(self.now) {
            match action {
                Action::Start {
                    job,
                    id,
                    site,
                    folder,
                    work,
                    ..
                } => {
                    assert!(!self.done.contains(&id), "a finished item runs again");
                    let others = self.running.values();
                    for (other, _, _, other_work) in others {
                        assert_ne!(*other, id, "an item runs twice at once");
                        if let (Some(a), Some(b)) = (work.target(), other_work.target()) {
                            assert_ne!(a, b, "two jobs write the same target");
                        }
                    }
                    let before = self.running.insert(job, (id, site, folder, work));
                    assert!(before.is_none(), "a job number is used twice");
                }
                Action::Abort(job) => {
                    assert!(self.running.contains_key(&job));
                    assert!(self.aborted.insert(job), "aborted twice");
                }
            }
        }
        // Polling again with nothing new does nothing.
        assert_eq!(self.core.poll(self.now), []);
    }

    fn check(&mut self) {
        let core = &mut self.core;
        assert!(self.running.len() <= WORKERS, "more jobs than workers");
        assert_eq!(core.jobs_in_flight(), self.running.len());
        let changes = core.take_changes();
        for id in &changes.removed {
            assert!(self.removed.insert(*id), "removed twice");
            self.shown.remove(id);
        }
        for id in &changes.dirty {
            let item = &core.items[id];
            self.added.insert(*id);
            self.shown.insert(*id, (item.state, item.sum));
        }
        let items = &core.items;
        assert_eq!(
            items.len() + self.removed.len(),
            self.added.len(),
            "an item is lost"
        );
        assert_eq!(items.len(), self.shown.len());
        let mut open_roots = 0;
        let mut children: BTreeMap<TransferId, Vec<TransferId>> = BTreeMap::new();
        for (id, item) in items {
            match item.parent {
                Some(parent) => children.entry(parent).or_default().push(*id),
                None => open_roots += usize::from(item.state.is_open()),
            }
        }
        assert_eq!(core.open_roots, open_roots);
        let ready: BTreeSet<TransferId> = core
            .sites
            .values()
            .flat_map(|s| s.ready.iter().map(|r| r.1))
            .collect();
        let delayed: BTreeSet<TransferId> = core.delayed.iter().map(|d| d.1).collect();
        for (id, item) in items.iter().rev() {
            assert_eq!(
                self.shown[id],
                (item.state, item.sum),
                "{id}: a change was not told"
            );
            assert!(item.attempts <= core.retry.attempts, "tried too often");
            if self.done.contains(id) && !item.folder {
                assert_eq!(
                    item.state,
                    State::Done,
                    "a finished item is not finished any more"
                );
            }
            if item.state == State::Done && !item.folder {
                self.done.insert(*id);
            }
            // Every item is in exactly one place.
            let running = self.running.values().any(|r| r.0 == *id);
            assert_eq!(running, item.job.is_some());
            let places = usize::from(running)
                + usize::from(ready.contains(id))
                + usize::from(delayed.contains(id));
            if item.kids.is_some() {
                assert_eq!(places, 0, "a walked folder has nothing to do itself");
            } else if item.state.is_open() {
                assert_eq!(
                    places, 1,
                    "{id}: an open item must be in one place: {item:?}"
                );
            } else {
                assert_eq!(places, usize::from(running), "{id}: a closed item waits");
            }
            // The sums are what they would be if they were added up afresh.
            let kids = children.get(id).map(Vec::as_slice).unwrap_or_default();
            let mut sum = item.own;
            for kid in kids {
                let kid = items[kid].sum;
                sum.bytes += kid.bytes;
                sum.total += kid.total;
                sum.unknown += kid.unknown;
            }
            assert_eq!(item.sum, sum, "{id}");
            if let Some(k) = &item.kids {
                let count =
                    |f: &dyn Fn(State) -> bool| kids.iter().filter(|c| f(items[c].state)).count();
                assert_eq!(k.open, count(&State::is_open));
                assert_eq!(k.failed, count(&|s| s == State::Failed));
                assert_eq!(k.cancelled, count(&|s| s == State::Cancelled));
                let expected = if k.open > 0 {
                    State::Running
                } else if k.failed > 0 {
                    State::Failed
                } else if k.cancelled > 0 {
                    State::Cancelled
                } else {
                    State::Done
                };
                assert_eq!(item.state, expected);
            } else {
                assert!(kids.is_empty());
            }
        }
    }

    /// From here on all goes well: then everything must come to an end.
    fn finish(&mut self) {
        for _ in 0..10_000 {
            if let Some(job) = self.nth_job(0) {
                self.end(job, 7, &[]);
            } else if let Some(due) = self.core.next_wake() {
                self.now = self.now.max(due);
            } else {
                break;
            }
            self.poll();
            self.check();
        }
        assert!(self.core.is_idle(), "something waits for ever");
        assert!(self.core.items.values().all(|i| !i.state.is_open()));
        assert!(self.core.sites.is_empty() && self.core.targets.is_empty());
        self.core.clear_finished();
        self.check();
        assert!(self.core.items.is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn any_interleaving_keeps_the_rules(events in events()) {
        let mut world = World::new();
        for event in events {
            world.apply(event);
        }
        world.finish();
    }
}
