//! Jobs over a server in memory and a real disk, stopped and broken wherever they can be.
#![allow(clippy::unwrap_used)]

mod downloads;
mod folders;
mod groups;
mod split;
mod uploads;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use ftp_client::ftp_proto::RemotePath;
use jiff::Timestamp;
use tempfile::TempDir;
use tokio::sync::Notify;

use super::{Live, discard_here, discard_there, run};
use crate::error::Error;
use crate::pool::Pool;
use crate::tests::fake::Fake;
use crate::work::{
    Assignment, Done, Existing, Finishing, Identity, Ledger, Note, Outcome, Plan, StopKind, Task,
};
use crate::{ConflictRule, Direction, ItemKind, Options, SiteKey, TransferId};

use Direction::{Download, Upload};

/// A journal in memory, after whose nth note the lights go out.
#[derive(Default)]
struct Book {
    notes: Mutex<Vec<(TransferId, Note)>>,
    ended: Mutex<HashMap<TransferId, Outcome>>,
    stopped: Mutex<HashMap<TransferId, StopKind>>,
    /// 0: never.
    dark_after: AtomicUsize,
    dark: Notify,
    /// Connections that a job may have beside its first one.
    spare: AtomicUsize,
    /// Others wait for them.
    crowded: AtomicBool,
}

#[async_trait]
impl Ledger for Book {
    async fn note(&self, notes: Vec<(TransferId, Note)>) -> Result<(), Error> {
        tokio::task::yield_now().await;
        self.notes.lock().unwrap().extend(notes);
        if self.dark_after.load(Ordering::Relaxed) > 0
            && self.dark_after.fetch_sub(1, Ordering::Relaxed) == 1
        {
            self.dark.notify_one();
            std::future::pending::<()>().await;
        }
        Ok(())
    }

    fn ended(&self, id: TransferId, outcome: Outcome) {
        let before = self.ended.lock().unwrap().insert(id, outcome);
        assert!(before.is_none(), "{id} has ended twice");
    }

    fn stopped(&self, id: TransferId) -> Option<StopKind> {
        self.stopped.lock().unwrap().get(&id).copied()
    }

    fn widen(&self) -> bool {
        let one_less = |spare: usize| spare.checked_sub(1);
        let order = Ordering::Relaxed;
        self.spare.fetch_update(order, order, one_less).is_ok()
    }

    fn narrow(&self) {
        self.spare.fetch_add(1, Ordering::Relaxed);
    }

    fn is_crowded(&self) -> bool {
        self.crowded.load(Ordering::Relaxed)
    }
}

impl Book {
    fn begun(&self, id: TransferId) -> Option<Identity> {
        let notes = self.notes.lock().unwrap();
        notes.iter().rev().find_map(|(of, note)| match note {
            Note::Begun(identity) if *of == id => Some(identity.clone()),
            _ => None,
        })
    }

    /// What was noted since it last began.
    fn finishing(&self, id: TransferId) -> Option<Finishing> {
        let notes = self.notes.lock().unwrap();
        let last = notes.iter().rev().find(|(of, _)| *of == id);
        last.and_then(|(_, note)| match note {
            Note::Finishing(finishing) => Some(finishing.clone()),
            Note::Begun(_) => None,
        })
    }
}

struct Bench {
    fake: Fake,
    pool: Pool,
    site: SiteKey,
    dir: TempDir,
    book: Book,
    options: Options,
}

fn bench() -> Bench {
    let fake = Fake::new();
    Bench {
        pool: Pool::new(Arc::new(fake.clone())),
        fake,
        site: SiteKey::new("site"),
        dir: tempfile::tempdir().unwrap(),
        book: Book::default(),
        options: Options::default(),
    }
}

impl Bench {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, content: &[u8], second: i64) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        let time = std::time::SystemTime::from(Timestamp::from_second(second).unwrap());
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(time).unwrap();
    }

    fn read(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.path(name)).ok()
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(self.dir.path())
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn remote_names(&self) -> Vec<String> {
        self.fake.lock().files.keys().cloned().collect()
    }

    /// What was asked of the server since the last time.
    fn log(&self) -> Vec<String> {
        std::mem::take(&mut self.fake.lock().log)
    }

    /// A task as the queue would hand it out now: with what was noted of it.
    fn task(&self, id: TransferId, direction: Direction, local: &str, remote: &str) -> Task {
        Task {
            id,
            plan: Plan {
                direction,
                kind: ItemKind::File,
                base: Arc::from(self.dir.path()),
                relative: local.into(),
                remote: RemotePath::try_from(remote).unwrap(),
                modified: None,
                link: false,
                link_to: None,
                mode: None,
                existing: Existing::Unknown,
            },
            options: Arc::new(self.options.clone()),
            size: None,
            begun: self.book.begun(id),
            finishing: self.book.finishing(id),
            answer: None,
            depth: 0,
        }
    }

    fn down(&self, id: TransferId) -> Task {
        self.task(id, Download, "f", "/f")
    }

    fn up(&self, id: TransferId) -> Task {
        self.task(id, Upload, "f", "/f")
    }

    async fn run(&self, assignment: Assignment) {
        let live = Live::default();
        run(&self.pool, &self.site, &assignment, &live, &self.book).await;
    }

    async fn one(&self, task: Task) -> Outcome {
        let id = task.id;
        self.run(Assignment::File(task)).await;
        self.outcome(id)
    }

    fn outcome(&self, id: TransferId) -> Outcome {
        self.book.ended.lock().unwrap().remove(&id).unwrap()
    }

    async fn done(&self, task: Task) -> Done {
        match self.one(task).await {
            Outcome::Done(done) => *done,
            outcome => panic!("{outcome:?}"),
        }
    }

    async fn failed(&self, task: Task) -> Error {
        match self.one(task).await {
            Outcome::Failed { error, .. } => error,
            outcome => panic!("{outcome:?}"),
        }
    }

    /// Runs until so many notes are written, and no further. False if it ended before.
    async fn dark_after(&self, notes: usize, assignment: Assignment) -> bool {
        self.book.dark_after.store(notes, Ordering::Relaxed);
        let ended = tokio::select! {
            () = self.run(assignment) => true,
            () = self.book.dark.notified() => false,
        };
        self.book.dark_after.store(0, Ordering::Relaxed);
        // The connection dies with the program.
        let connected = self.fake.lock().connected;
        self.fake.lock().lost_before = connected;
        !ended
    }

    /// Runs until a transfer stands half-way, and no further.
    async fn dark_half_way(&self, assignment: Assignment) {
        self.fake.hold.send_replace(true);
        tokio::select! {
            () = self.run(assignment) => panic!("it did not stop"),
            () = self.moving() => {}
        }
        self.fake.hold.send_replace(false);
    }

    async fn moving(&self) {
        while self.fake.lock().moving == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    }

    /// Stops it half-way.
    async fn stopped_half_way(&self, how: StopKind, task: Task) -> Outcome {
        let id = task.id;
        let live = Live::default();
        self.fake.hold.send_replace(true);
        let assignment = Assignment::File(task);
        let stop = async {
            self.moving().await;
            self.book.stopped.lock().unwrap().insert(id, how);
            live.cancel.cancel();
        };
        let work = run(&self.pool, &self.site, &assignment, &live, &self.book);
        tokio::join!(work, stop);
        self.fake.hold.send_replace(false);
        self.book.stopped.lock().unwrap().clear();
        self.outcome(id)
    }
}

async fn discard(b: &Bench, tasks: &[Task]) {
    discard_here(tasks).await;
    discard_there(&b.pool, &b.site, 8, tasks).await;
}

/// Bytes of which no two places look alike.
fn content(length: usize) -> Vec<u8> {
    (0..length as u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect()
}

/// What a crash leaves, is the word of `Path`: nothing of a temporary file.
fn no_temporaries(names: &[String]) {
    assert!(
        names.iter().all(|name| Path::new(name)
            .extension()
            .is_none_or(|ending| ending != "slippart")),
        "{names:?}"
    );
}
