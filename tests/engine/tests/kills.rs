//! `kill -9` of a real `slip queue run`, again and again, in the middle of downloads and uploads: nothing is lost,
//! nothing is repeated, nothing half stands under a final name.
//!
//! `$SLIPWAY_KILLS` is how often (100 for each server), `$SLIPWAY_SEED` which moments.
#![allow(clippy::unwrap_used, unused_crate_dependencies)]
#![cfg(unix)]

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::Child,
    time::{Duration, Instant},
};

use engine_tests::{
    own::{OwnServer, PASSWORD, Store, USER},
    pattern,
    slip::{Chance, Slip, texts},
};
use support::{Kind, Options, RealServer, Tls};
use transfer::{Direction, Journal, Receipt, Transfer, TransferId};

/// Slow enough that it takes a while.
const LIMIT: &str = "4M";
/// No run takes longer, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(150);

/// A place with sources and targets on both sides.
struct Bench<'a> {
    slip: Slip,
    url: String,
    /// The server's folder, as it is on the disk.
    root: PathBuf,
    /// Gives what is in there to the server.
    adopt: Box<dyn Fn() + 'a>,
    /// Batches that are in the queue.
    added: usize,
    /// Files that were found to be complete: inode, time and size then.
    complete: HashMap<PathBuf, (u64, i128, u64)>,
    /// The targets of receipts, when they were first seen.
    finished: HashMap<TransferId, (PathBuf, u64, i128)>,
    /// How often something was found half done.
    halves: u32,
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_server_and_a_client_that_is_killed() {
    let server = OwnServer::start(Store::Disk, Tls::Off).await;
    let url = format!("ftp://{USER}@{}", server.addr());
    let root = server.root();
    tokio::task::spawn_blocking(move || {
        Bench::new(PASSWORD, url, root, Box::new(|| {})).kill_and_compare();
    })
    .await
    .unwrap();
}

#[test]
fn vsftpd_and_a_client_that_is_killed() {
    let mut options = Options::plain();
    // A killed client leaves sessions that wait for a data connection. By default they do so for a minute, and after
    // enough kills there is no room for more.
    options.extra = vec![
        "accept_timeout=3".to_owned(),
        "connect_timeout=3".to_owned(),
    ];
    let Some(server) = RealServer::start(Kind::Vsftpd, options) else {
        return;
    };
    let url = format!("ftp://{}@{}", server.user(), server.addr());
    let adopt = Box::new(|| server.adopt());
    Bench::new(server.password(), url, server.root(), adopt).kill_and_compare();
}

fn name_of(batch: usize) -> String {
    format!("b{batch:02}")
}

/// A hundred small files in some folders, a larger one, and in every fourth batch one of 20 MB.
fn make_batch(folder: &Path, batch: usize) {
    for n in 0..100_usize {
        let sub = folder.join(format!("s{}", n % 4));
        fs::create_dir_all(&sub).unwrap();
        let mut content = pattern((n * 7919 + batch * 31) % 24_000);
        content.extend_from_slice(format!("{batch} {n}").as_bytes());
        fs::write(sub.join(format!("f{n}")), content).unwrap();
    }
    let mut sizes = vec![1_000_000 + batch * 61_003];
    if batch % 4 == 1 {
        sizes.push(20_000_000);
    }
    for size in sizes {
        let mut content = pattern(size);
        content[..8].copy_from_slice(format!("batch {batch:02}").as_bytes());
        fs::write(folder.join(format!("big {size}")), content).unwrap();
    }
}

impl<'a> Bench<'a> {
    fn new(password: &str, url: String, root: PathBuf, adopt: Box<dyn Fn() + 'a>) -> Self {
        let slip = Slip::new(password);
        fs::create_dir_all(root.join("up")).unwrap();
        fs::create_dir(slip.dir.path().join("down")).unwrap();
        adopt();
        Self {
            slip,
            url,
            root,
            adopt,
            added: 0,
            complete: HashMap::new(),
            finished: HashMap::new(),
            halves: 0,
        }
    }

    fn kill_and_compare(&mut self) {
        let wanted = match std::env::var("SLIPWAY_KILLS") {
            Ok(text) => text.parse().unwrap(),
            Err(_) => 100,
        };
        let mut chance = Chance::seeded();
        let begun = Instant::now();
        let (mut kills, mut ended) = (0, 0);
        while kills < wanted {
            assert!(begun.elapsed() < PATIENCE, "{kills} kills, {ended} ends");
            if kills == 0 || self.is_nearly_empty() {
                self.add();
            }
            let mut child = self.start();
            let pause = match chance.between(0, 2) {
                0 => chance.between(20, 250),
                _ => chance.between(100, 900),
            };
            // Which moment it is, is the point.
            std::thread::sleep(Duration::from_millis(pause));
            if child.try_wait().unwrap().is_some() {
                let output = child.wait_with_output().unwrap();
                let (out, err) = texts(&output);
                assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
                ended += 1;
            } else {
                child.kill().unwrap();
                child.wait().unwrap();
                kills += 1;
            }
            self.check(kills);
        }
        println!(
            "{kills} kills in {:.0} s, {} left something half done; {ended} runs came to their end",
            begun.elapsed().as_secs_f64(),
            self.halves,
        );
        let arguments = ["queue", "run", "--plaintext", "--quiet", "--limit", "off"];
        self.slip.run(arguments);
        self.check(kills);
        self.compare_all(kills);
    }

    /// The next batch in both directions.
    fn add(&mut self) {
        let batch = name_of(self.added);
        make_batch(&self.slip.dir.path().join("up").join(&batch), self.added);
        make_batch(&self.root.join("down").join(&batch), self.added);
        (self.adopt)();
        self.added += 1;
        let (from, to) = (
            format!("{}/down/{batch}", self.url),
            format!("{}/up/", self.url),
        );
        self.slip
            .run(["queue", "add", "-r", "--plaintext", &from, "down/"]);
        self.slip.run([
            "queue",
            "add",
            "-r",
            "--plaintext",
            &format!("up/{batch}"),
            &to,
        ]);
    }

    fn start(&self) -> Child {
        self.slip
            .command(["queue", "run", "--plaintext", "--limit", LIMIT, "--quiet"])
            .spawn()
            .unwrap()
    }

    fn items(&self) -> BTreeMap<TransferId, Transfer> {
        let reader = Journal::peek(&self.slip.journal()).unwrap();
        let items = reader.items().unwrap();
        items.into_iter().map(|item| (item.id, item)).collect()
    }

    fn receipts(&self) -> Vec<Receipt> {
        let reader = Journal::peek(&self.slip.journal()).unwrap();
        reader.receipts(u32::MAX, 0).unwrap()
    }

    fn is_nearly_empty(&self) -> bool {
        let left: u64 = self
            .items()
            .values()
            .filter(|item| item.state.is_open() && item.counts.is_none())
            .map(|item| item.total.unwrap_or(1_000_000).saturating_sub(item.bytes))
            .sum();
        left < 3_000_000
    }

    /// Everything that must hold at any moment.
    fn check(&mut self, kills: u32) {
        let up = self.slip.dir.path().join("up");
        let down = self.root.join("down");
        let mut has_halves = false;
        for (targets, sources) in [
            (self.slip.dir.path().join("down"), down),
            (self.root.join("up"), up),
        ] {
            for file in files(&targets) {
                if file.to_string_lossy().ends_with(".slippart") {
                    has_halves = true;
                    continue;
                }
                let path = targets.join(&file);
                let (inode, time, size) = facts(&path);
                if self.complete.get(&path) == Some(&(inode, time, size)) {
                    continue;
                }
                let same = fs::read(&path).unwrap() == fs::read(sources.join(&file)).unwrap();
                assert!(
                    same,
                    "after {kills} kills: {} has {size} bytes and is not its source",
                    path.display()
                );
                self.complete.insert(path, (inode, time, size));
            }
        }
        self.halves += u32::from(has_halves);
        let items = self.items();
        for receipt in self.receipts() {
            let item = &items[&receipt.id];
            let target = match item.direction {
                Direction::Download => item.local.clone(),
                Direction::Upload => {
                    let remote = item.remote.to_string();
                    self.root.join(remote.trim_start_matches('/'))
                }
            };
            let (inode, time, _) = facts(&target);
            let now = (target, inode, time);
            let first = self.finished.entry(receipt.id).or_insert(now.clone());
            assert_eq!(*first, now, "after {kills} kills it was done again");
        }
        for (id, (path, ..)) in &self.finished {
            assert!(
                !items[id].state.is_open(),
                "{} is open again",
                path.display()
            );
        }
    }

    /// The trees are the same, each file has one receipt, and nothing is left over.
    fn compare_all(&self, kills: u32) {
        for (targets, sources) in [
            (self.slip.dir.path().join("down"), self.root.join("down")),
            (self.root.join("up"), self.slip.dir.path().join("up")),
        ] {
            let wanted: BTreeSet<PathBuf> = files(&sources)
                .into_iter()
                .filter(|file| (0..self.added).any(|batch| file.starts_with(name_of(batch))))
                .collect();
            assert_eq!(files(&targets), wanted);
            for file in &wanted {
                let same =
                    fs::read(targets.join(file)).unwrap() == fs::read(sources.join(file)).unwrap();
                assert!(same, "{}", file.display());
            }
        }
        let receipts = self.receipts();
        let mut seen = HashSet::new();
        for receipt in &receipts {
            assert!(seen.insert(receipt.id), "two receipts: {receipt:?}");
            assert!(receipt.checks.size, "{receipt:?}");
        }
        let resumed = |direction| {
            let of_it =
                |receipt: &&Receipt| receipt.direction == direction && receipt.resumed_from > 0;
            receipts.iter().filter(of_it).count()
        };
        let (down, up) = (resumed(Direction::Download), resumed(Direction::Upload));
        println!(
            "{} files, of which {down} downloads and {up} uploads were continued",
            receipts.len()
        );
        if kills >= 50 {
            assert!(down > 0 && up > 0, "nothing was continued");
            assert!(self.halves > kills / 4, "the kills did not hit the middle");
        }
        let done = self.items();
        let open: Vec<_> = done
            .values()
            .filter(|item| item.state != transfer::State::Done)
            .collect();
        assert!(open.is_empty(), "{open:#?}");
        let files = done.values().filter(|item| item.counts.is_none()).count();
        assert_eq!(receipts.len(), files);
    }
}

/// All files below a folder, by their paths in it.
fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut left = vec![folder.to_owned()];
    while let Some(at) = left.pop() {
        for entry in fs::read_dir(&at).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                left.push(entry.path());
            } else {
                found.insert(entry.path().strip_prefix(folder).unwrap().to_owned());
            }
        }
    }
    found
}

/// Inode, time in nanoseconds, size.
fn facts(path: &Path) -> (u64, i128, u64) {
    let metadata = fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let time = i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
    (metadata.ino(), time, metadata.len())
}
