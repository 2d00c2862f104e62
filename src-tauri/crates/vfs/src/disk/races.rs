//! Somebody else changes the tree while operations run: none of them ever leaves the root.
#![allow(clippy::unwrap_used)]
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, UNIX_EPOCH};

use bytes::Bytes;
use futures_util::TryStreamExt;

use super::*;
use crate::Subtree;

fn p(text: &str) -> VPath {
    VPath::new(text).unwrap()
}

/// `outside/` beside `root/`, with a file and a folder of names that operations ask for, and a thread that makes `root/way` in turn a directory, a link
/// to it, and a link to `outside`, each in one step.
struct Race {
    dir: tempfile::TempDir,
    stop: Arc<AtomicBool>,
    swapper: Option<std::thread::JoinHandle<()>>,
}

impl Race {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        for place in ["root/real", "outside"] {
            std::fs::create_dir_all(at(place).join("folder")).unwrap();
            std::fs::write(at(place).join("file"), place).unwrap();
            std::fs::create_dir(at(place).join("empty")).unwrap();
        }
        std::fs::create_dir(at("root/way")).unwrap();
        std::fs::write(at("outside/folder/only-outside"), "x").unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let (end, root) = (Arc::clone(&stop), at("root"));
        let swapper = std::thread::spawn(move || {
            let (way, spare) = (root.join("way"), root.join("spare"));
            for turn in 0u64.. {
                if end.load(Ordering::Relaxed) {
                    break;
                }
                match turn % 3 {
                    0 => symlink("../outside", &spare).unwrap(),
                    1 => symlink("real", &spare).unwrap(),
                    // Another directory of the root, under this name.
                    _ => std::fs::create_dir(&spare).unwrap(),
                }
                let flags = rustix::fs::RenameFlags::EXCHANGE;
                let cwd = rustix::fs::CWD;
                rustix::fs::renameat_with(cwd, &spare, cwd, &way, flags).unwrap();
                // What was there, with whatever has been made in it, and what is made by an operation that has hold of it still.
                if spare.is_symlink() {
                    std::fs::remove_file(&spare).unwrap();
                }
                while spare.exists() {
                    let _ = std::fs::remove_dir_all(&spare);
                }
            }
        });
        Self {
            dir,
            stop,
            swapper: Some(swapper),
        }
    }

    /// What is outside is as it was.
    fn end(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.swapper.take().unwrap().join().unwrap();
        let outside = self.dir.path().join("outside");
        let names = std::fs::read_dir(&outside)
            .unwrap()
            .map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.collect();
        names.sort();
        assert_eq!(names, ["empty", "file", "folder"]);
        assert_eq!(std::fs::read(outside.join("file")).unwrap(), b"outside");
        for name in ["file", "folder", "empty"] {
            let facts = std::fs::metadata(outside.join(name)).unwrap();
            assert!(facts.modified().unwrap() > UNIX_EPOCH, "{name}");
            assert_ne!(facts.permissions().mode() & 0o777, 0o701, "{name}");
        }
    }
}

/// Every operation, again and again for a second: once through the place that changes, once with it as the last component.
async fn hammer(tree: &dyn Vfs) -> (usize, usize) {
    let (mut done, mut refused) = (0, 0);
    let mut count = |ok: bool| if ok { done += 1 } else { refused += 1 };
    let until = Instant::now() + Duration::from_secs(1);
    while Instant::now() < until {
        for path in ["/way", "/way/file", "/way/folder", "/way/empty", "/way/new"] {
            let path = &p(path);
            if let Ok(mut reader) = tree.open_read(path, 0).await {
                let content = reader.read_chunk(99).await.unwrap();
                assert_ne!(content, "outside");
                count(true);
            }
            if let Ok(listing) = tree.list(path).await {
                let entries: Vec<_> = listing.try_concat().await.unwrap_or_default();
                assert!(entries.iter().all(|entry| entry.name != b"only-outside"));
                count(true);
            }
            for mode in [
                WriteMode::Truncate,
                WriteMode::Append,
                WriteMode::CreateNew,
                WriteMode::At(0),
            ] {
                let opened = tree.open_write(path, mode).await;
                count(opened.is_ok());
                if let Ok(mut writer) = opened {
                    let _ = writer.write_chunk(Bytes::from_static(b"root/real")).await;
                }
            }
            count(tree.metadata(path).await.is_ok());
            count(tree.set_modified(path, Timestamp::UNIX_EPOCH).await.is_ok());
            count(tree.set_permissions(path, 0o701).await.is_ok());
            count(tree.mkdir(path).await.is_ok());
        }
        for (from, to) in [
            ("/way/file", "/way/moved"),
            ("/way/moved", "/way/file"),
            ("/way/file", "/taken"),
            ("/taken", "/way/file"),
            ("/way/empty", "/way/new"),
        ] {
            count(tree.rename(&p(from), &p(to)).await.is_ok());
        }
        count(tree.rmdir(&p("/way/empty")).await.is_ok());
        count(tree.rmdir(&p("/way/new")).await.is_ok());
        count(tree.unlink(&p("/way/new")).await.is_ok());
    }
    (done, refused)
}

#[tokio::test]
async fn no_operation_follows_a_link_out_however_it_is_timed() {
    let race = Race::new();
    let disk = LocalDisk::new(race.dir.path().join("root")).unwrap();
    let (done, refused) = hammer(&disk).await;
    race.end();
    assert!(done > 0 && refused > 0, "{done} {refused}");
}

#[tokio::test]
async fn nor_without_links_nor_in_a_subtree() {
    let race = Race::new();
    let disk = LocalDisk::new(race.dir.path().join("root")).unwrap();
    let (done, refused) = hammer(&*disk.without_links().unwrap()).await;
    race.end();
    assert!(done > 0 && refused > 0, "{done} {refused}");
    let race = Race::new();
    let whole = Arc::new(LocalDisk::new(race.dir.path()).unwrap());
    let (done, refused) = hammer(&Subtree::new(whole, p("/root"))).await;
    race.end();
    assert!(done > 0 && refused > 0, "{done} {refused}");
}
