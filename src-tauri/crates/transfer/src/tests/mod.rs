//! The whole queue over a server in memory and a real disk. Time is paused: it moves when nothing else does.
#![allow(clippy::unwrap_used)]

pub(crate) mod fake;
mod faults;
mod million;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ftp_client::ftp_proto::RemotePath;
use futures_util::FutureExt;
use tempfile::TempDir;

use self::fake::Fake;
use crate::remote::{Found, FoundEntry, FoundKind};
use crate::{
    Direction, Error, Interest, ItemKind, NewTransfer, Queue, QueueConfig, QueueUpdate, SiteKey,
    State, Transfer, TransferId,
};

const SIZE: crate::Checks = crate::Checks {
    reply: true,
    size: true,
    time: true,
    tail: false,
    hash: None,
};

struct Bench {
    fake: Fake,
    queue: Queue,
    dir: TempDir,
}

fn bench(workers: usize) -> Bench {
    let fake = Fake::new();
    let config = QueueConfig {
        workers,
        connections: workers,
        wait_for_room: false,
        ..QueueConfig::default()
    };
    Bench {
        queue: Queue::with_remotes(config, Arc::new(fake.clone())),
        fake,
        dir: tempfile::tempdir().unwrap(),
    }
}

impl Bench {
    fn new_transfer(
        &self,
        direction: Direction,
        kind: ItemKind,
        local: &str,
        remote: &str,
    ) -> NewTransfer {
        NewTransfer {
            site: SiteKey::new("site"),
            direction,
            kind,
            local: self.dir.path().join(local),
            remote: RemotePath::try_from(remote).unwrap(),
            size: None,
            modified: None,
            options: Arc::default(),
        }
    }

    fn add(&self, direction: Direction, kind: ItemKind, local: &str, remote: &str) -> TransferId {
        let new = self.new_transfer(direction, kind, local, remote);
        self.enqueue(vec![new])[0]
    }

    fn enqueue(&self, new: Vec<NewTransfer>) -> Vec<TransferId> {
        // Without a journal there is nothing to wait for.
        let ids = self.queue.enqueue(new).now_or_never();
        ids.unwrap().unwrap()
    }

    fn get(&self, id: TransferId) -> Transfer {
        self.queue.get(id).unwrap()
    }

    async fn finished(&self, id: TransferId) -> Transfer {
        self.queue.wait_idle().await;
        self.get(id)
    }

    /// Waits until so many transfers stand half-way.
    async fn moving(&self, count: usize) {
        while self.fake.lock().moving != count {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn tree(&self) -> Vec<String> {
        let mut found = Vec::new();
        walk(self.dir.path(), self.dir.path(), &mut found);
        found.sort();
        found
    }

    fn write(&self, path: &str, content: &[u8]) {
        let path = self.dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn read(&self, path: &str) -> Vec<u8> {
        fs::read(self.dir.path().join(path)).unwrap()
    }
}

fn walk(base: &Path, folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let path = entry.path();
        let name = path
            .strip_prefix(base)
            .unwrap()
            .to_string_lossy()
            .into_owned();
        if entry.file_type().unwrap().is_dir() {
            found.push(format!("{name}/"));
            walk(base, &path, found);
        } else {
            found.push(name);
        }
    }
}

use Direction::{Download, Upload};
use ItemKind::{File, Folder};

#[tokio::test(start_paused = true)]
async fn a_tree_comes_down_whole() {
    let b = bench(3);
    b.fake.file("/pub/a", b"content of a", 1_000_000_000);
    b.fake
        .file("/pub/sub/deep/b", &vec![7; 100_000], 1_100_000_000);
    b.fake.file("/pub/sub/empty file", b"", 1_200_000_000);
    b.fake.folder("/pub/empty folder");
    let id = b.add(Download, Folder, "out", "/pub");
    let item = b.finished(id).await;
    assert_eq!(item.state, State::Done, "{item:?}");
    assert_eq!((item.bytes, item.total), (100_012, Some(100_012)));
    let expected = [
        "out/",
        "out/a",
        "out/empty folder/",
        "out/sub/",
        "out/sub/deep/",
        "out/sub/deep/b",
        "out/sub/empty file",
    ];
    assert_eq!(b.tree(), expected);
    assert_eq!(b.read("out/a"), b"content of a");
    assert_eq!(b.read("out/sub/deep/b"), vec![7; 100_000]);
    let modified = fs::metadata(b.dir.path().join("out/a"))
        .unwrap()
        .modified()
        .unwrap();
    assert_eq!(
        modified,
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000)
    );
    for file in b.queue.list().iter().filter(|i| i.kind == File) {
        assert_eq!(
            (file.verified, file.batch),
            (Some(SIZE), Some(id)),
            "{file:?}"
        );
        assert!(file.seconds.is_some() && file.attempts == 1);
    }
    assert!(b.fake.lock().most_moving <= 3);
}

#[tokio::test(start_paused = true)]
async fn a_tree_goes_up_whole() {
    let b = bench(2);
    b.write("in/a", b"content of a");
    b.write("in/x/y/ü b", &vec![9; 50_000]);
    fs::create_dir(b.dir.path().join("in/empty")).unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let file = fs::File::options()
        .write(true)
        .open(b.dir.path().join("in/a"))
        .unwrap();
    file.set_modified(time).unwrap();
    let id = b.add(Upload, Folder, "in", "/up");
    let item = b.finished(id).await;
    assert_eq!(item.state, State::Done, "{:?}", b.queue.list());
    assert_eq!(b.fake.content("/up/a").unwrap(), b"content of a");
    assert_eq!(b.fake.content("/up/x/y/ü b").unwrap(), vec![9; 50_000]);
    let state = b.fake.lock();
    assert!(state.folders.contains("/up/empty"));
    assert_eq!(state.files["/up/a"].1.unwrap().as_second(), 1_000_000_000);
}

#[tokio::test(start_paused = true)]
async fn names_that_lead_out_are_refused_and_the_rest_goes_on() {
    let b = bench(4);
    b.fake.file("/pub/good", b"good", 1);
    b.fake.file("/pub/link", b"through a link", 1);
    // What a careless client would fetch, and write where it should not.
    for path in ["/evil", "/etc/passwd", "/pub/C:\\x"] {
        b.fake.file(path, b"evil", 1);
    }
    let entry = |name: &[u8], kind| {
        Found::Entry(FoundEntry {
            name: name.to_vec(),
            kind,
            size: Some(4),
            modified: None,
            mode: None,
            target: None,
        })
    };
    let bad: [&[u8]; 7] = [
        b"../../evil",
        b"/etc/passwd",
        b"a\0b",
        b"C:\\x",
        b"..",
        b"a\nb",
        b"",
    ];
    let mut listing: Vec<Found> = bad.iter().map(|n| entry(n, FoundKind::File)).collect();
    listing.extend(bad.iter().map(|n| entry(n, FoundKind::Folder)));
    listing.push(entry(b"good", FoundKind::File));
    listing.push(entry(b"link", FoundKind::Link));
    listing.push(entry(b"link to folder", FoundKind::Link));
    b.fake.lock().lies.insert("/pub".into(), listing);
    let id = b.add(Download, Folder, "in/target", "/pub");
    let item = b.finished(id).await;
    assert_eq!(item.state, State::Failed);
    assert!(
        matches!(item.error, Some(Error::Children { failed: 15, of: 17 })),
        "{:?}",
        item.error
    );
    assert_eq!(
        b.tree(),
        ["in/", "in/target/", "in/target/good", "in/target/link"]
    );
    let items = b.queue.list();
    let count = |f: &dyn Fn(&Error) -> bool| {
        items
            .iter()
            .filter(|i| i.error.as_ref().is_some_and(f))
            .count()
    };
    assert_eq!(count(&|e| matches!(e, Error::UnsafeName { .. })), 12);
    // What is no path here is a name like any other, once.
    assert_eq!(count(&|e| matches!(e, Error::DuplicateName { .. })), 1);
    assert_eq!(count(&|e| matches!(e, Error::NotAFile { .. })), 1);
    // Trying again does not make them names.
    b.queue.retry(&[id]);
    b.queue.wait_idle().await;
    assert_eq!(b.tree().len(), 4);
    assert_eq!(b.get(id).state, State::Failed);
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn a_local_link_does_not_lead_out_of_the_target() {
    let b = bench(2);
    b.fake.file("/pub/d/f", b"new", 1);
    b.fake.file("/pub/g", b"new", 1);
    b.write("outside/f", b"precious");
    b.write("target/x", b"x");
    let link = |to: &str, from: &str| {
        std::os::unix::fs::symlink(b.dir.path().join(to), b.dir.path().join(from)).unwrap();
    };
    link("outside", "target/d");
    link("outside/f", "target/g");
    let id = b.add(Download, Folder, "target", "/pub");
    assert_eq!(b.finished(id).await.state, State::Failed);
    assert_eq!(b.read("outside/f"), b"precious");
    assert_eq!(b.read("target/g"), b"new");
}

#[tokio::test(start_paused = true)]
async fn two_items_of_one_target_take_turns() {
    let b = bench(4);
    b.fake.file("/1/f", b"one", 1);
    b.fake.file("/2/f", b"two!", 1);
    b.fake.hold.send_replace(true);
    let first = b.add(Download, File, "f", "/1/f");
    let second = b.add(Download, File, "f", "/2/f");
    b.moving(1).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(b.get(second).state, State::Waiting);
    b.fake.hold.send_replace(false);
    assert_eq!(b.finished(first).await.state, State::Done);
    assert_eq!(b.get(second).state, State::Done);
    assert_eq!(b.read("f"), b"two!");
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_dies_does_not_take_the_queue_along() {
    let b = bench(1);
    b.fake.file("/f", b"x", 1);
    b.fake.lock().panics = true;
    let id = b.add(Download, File, "f", "/f");
    let item = b.finished(id).await;
    assert!(matches!(item.error, Some(Error::Internal(_))), "{item:?}");
    assert!(b.tree().is_empty(), "cleaned up all the same");
    b.fake.lock().panics = false;
    b.queue.retry(&[id]);
    assert_eq!(b.finished(id).await.state, State::Done);
}

#[tokio::test(start_paused = true)]
async fn subscribers_can_follow_without_a_gap_at_most_ten_times_a_second() {
    let b = bench(2);
    for i in 0..200 {
        b.fake.file(&format!("/pub/{i}"), b"0123456789", 1);
    }
    let mut updates = b.queue.subscribe(Interest::Everything);
    let Some(QueueUpdate::Snapshot {
        revision: 0, items, ..
    }) = updates.next().await
    else {
        panic!("first a snapshot");
    };
    assert!(items.is_empty());
    let queue = b.queue.clone();
    let follower = tokio::spawn(async move {
        let mut shown: BTreeMap<TransferId, State> = BTreeMap::new();
        let (mut expected, mut gone) = (0, 0);
        let mut last = tokio::time::Instant::now();
        while let Some(update) = updates.next().await {
            let QueueUpdate::Changes {
                revision,
                upserts,
                removed,
                ..
            } = update
            else {
                panic!("only one snapshot");
            };
            expected += 1;
            assert_eq!(revision, expected);
            assert!(last.elapsed() >= Duration::from_millis(100) || revision == 1);
            last = tokio::time::Instant::now();
            shown.extend(upserts.iter().map(|i| (i.id, i.state)));
            for id in removed {
                assert!(shown.remove(&id).is_some());
                gone += 1;
            }
        }
        (shown, gone)
    });
    b.add(Download, Folder, "out", "/pub");
    queue.wait_idle().await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let truth: BTreeMap<_, _> = queue.list().iter().map(|i| (i.id, i.state)).collect();
    assert_eq!(truth.len(), 201);
    queue.clear_finished();
    let last = b.add(Download, File, "missing", "/missing");
    queue.wait_idle().await;
    drop(queue);
    let Bench {
        queue, dir: _dir, ..
    } = b;
    drop(queue);
    let (shown, gone) = follower.await.unwrap();
    assert_eq!(shown, BTreeMap::from([(last, State::Failed)]));
    assert_eq!(gone, 201);
}

#[tokio::test(start_paused = true)]
async fn progress_speed_and_time_left() {
    let b = bench(1);
    b.fake.file("/f", &vec![1; 2000], 1);
    b.fake.hold.send_replace(true);
    let id = b.add(Download, File, "f", "/f");
    b.moving(1).await;
    tokio::time::sleep(Duration::from_millis(150)).await;
    let item = b.get(id);
    assert_eq!((item.bytes, item.total), (1000, Some(2000)));
    assert!(item.bytes_per_second.is_some_and(|r| r > 0.0));
    assert!(item.seconds_left.is_some_and(|s| s > 0.0));
    b.fake.hold.send_replace(false);
    let item = b.finished(id).await;
    assert_eq!(
        (item.bytes, item.bytes_per_second, item.seconds_left),
        (2000, None, None)
    );
}

#[tokio::test(start_paused = true)]
async fn shutting_down_and_dropping_clean_up() {
    for by_drop in [false, true] {
        let b = bench(2);
        // Large enough to be written while they come.
        b.fake.file("/pub/a", &vec![1; 300_000], 1);
        b.fake.file("/pub/b", &vec![2; 300_000], 1);
        b.fake.hold.send_replace(true);
        b.add(Download, Folder, "out", "/pub");
        b.moving(2).await;
        assert_eq!(b.tree().len(), 3);
        let Bench { fake, queue, dir } = b;
        if by_drop {
            drop(queue);
            while fake.lock().open > 0 || fs::read_dir(dir.path().join("out")).unwrap().count() > 0
            {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        } else {
            queue.shutdown().await;
            assert_eq!(fake.lock().open, 0);
            assert_eq!(fs::read_dir(dir.path().join("out")).unwrap().count(), 0);
        }
    }
}

/// A queue of this journal.
fn kept(fake: &Fake, dir: &TempDir, workers: usize) -> Queue {
    let config = QueueConfig {
        workers,
        ..QueueConfig::default()
    };
    let path = dir.path().join("queue.sqlite");
    let opened = loop {
        match crate::Journal::open(&path, "a test") {
            // The one before is still being closed.
            Err(crate::OpenError::Held { .. }) => std::thread::sleep(Duration::from_millis(1)),
            opened => break opened.unwrap(),
        }
    };
    assert!(opened.recovered.is_none());
    Queue::open_with(config, None, Arc::new(fake.clone()), opened.journal).unwrap()
}

fn one_file(dir: &TempDir) -> NewTransfer {
    NewTransfer {
        site: SiteKey::new("site"),
        direction: Download,
        kind: File,
        local: dir.path().join("out/f"),
        remote: RemotePath::try_from("/f").unwrap(),
        size: None,
        modified: None,
        options: Arc::default(),
    }
}

#[test]
fn what_was_asked_for_last_is_not_forgotten_when_the_queue_is_dropped() {
    for round in 0..20 {
        let dir = tempfile::tempdir().unwrap();
        let fake = Fake::new();
        let runtime = || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap()
        };
        let ids = runtime().block_on(async {
            let queue = kept(&fake, &dir, 0);
            let new = vec![one_file(&dir), one_file(&dir)];
            let ids = queue.enqueue(new).await.unwrap();
            queue.cancel(&ids[..1]);
            drop(queue);
            ids
            // And the program ends.
        });
        let states = runtime().block_on(async {
            let queue = kept(&fake, &dir, 0);
            let states: Vec<State> = ids.iter().map(|&id| queue.get(id).unwrap().state).collect();
            queue.shutdown().await;
            states
        });
        assert_eq!(states, [State::Cancelled, State::Waiting], "{round}");
    }
}

#[test]
fn what_a_killed_queue_left_is_gone_when_a_cancel_is_done() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Fake::new();
    fake.file("/f", &vec![1; 300_000], 1);
    fake.hold.send_replace(true);
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    let id = runtime().block_on(async {
        let queue = kept(&fake, &dir, 1);
        let ids = queue.enqueue(vec![one_file(&dir)]).await.unwrap();
        while fake.lock().moving == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // Nobody takes leave.
        ids[0]
    });
    let left = dir.path().join("out/.f.slippart");
    assert!(left.exists());
    runtime().block_on(async {
        let queue = kept(&fake, &dir, 0);
        queue.cancel(&[id]);
        queue.shutdown().await;
    });
    assert!(!left.exists());
}
