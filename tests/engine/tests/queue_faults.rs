//! The transfer queue against our own server, and where disks and servers are full or given up in the middle.
#![allow(clippy::unwrap_used, unused_crate_dependencies)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use engine_tests::{
    config_for,
    own::{OwnServer, Store},
    pattern,
    queueing::{add, assert_done, finished, queue_to, tree, write},
};
use ftp_server::{User, vfs::MemoryTree};
use std::sync::Arc;
use support::{Kind, Options, RealServer, Skipped, Tls, skip_loudly};
use transfer::{Direction, Error, ItemKind, Queue, State, Transfer};

fn errors(queue: &Queue) -> Vec<Transfer> {
    let mut items = queue.list();
    items.retain(|item| item.error.is_some());
    items
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_goes_to_our_server_and_comes_back_the_same() {
    for (server, case) in OwnServer::each().await {
        let dir = tempfile::tempdir().unwrap();
        let (source, back) = (dir.path().join("source"), dir.path().join("back"));
        write(&source, "empty", b"", 1_000_000_000);
        write(&source, "-la", b"1", 1_100_000_000);
        write(&source, " \"quotes\" & blanks ", b"x", 1_200_000_000);
        write(
            &source,
            "sub/ümlaut – 日本",
            &pattern(32_730),
            1_300_000_000,
        );
        write(
            &source,
            "sub/deep/er/big",
            &pattern(5_000_000),
            1_400_000_000,
        );
        for i in 0..50 {
            write(
                &source,
                &format!("many/{i}"),
                &pattern(1000 + i),
                1_500_000_000,
            );
        }
        fs::create_dir_all(source.join("nothing/in it")).unwrap();
        let (queue, log) = queue_to(server.config(), 4);
        for turn in 0..2 {
            let up = add(
                &queue,
                Direction::Upload,
                ItemKind::Folder,
                &source,
                "/tree",
            );
            assert_done(
                &queue,
                &finished(&queue, up).await,
                &format!("{case} {turn}"),
                &log,
            );
        }
        let down = add(
            &queue,
            Direction::Download,
            ItemKind::Folder,
            &back,
            "/tree",
        );
        assert_done(&queue, &finished(&queue, down).await, &case, &log);
        let (sent, got) = (tree(&source), tree(&back));
        assert!(
            sent.keys().eq(got.keys()),
            "{case}: {:?} {:?}",
            sent.keys(),
            got.keys()
        );
        for (name, content) in &sent {
            assert!(got.get(name) == Some(content), "{case}: {name} differs");
        }
        queue.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelled_in_the_middle_nothing_stands_under_its_name() {
    let content = pattern(150 * 1024 * 1024);
    for (store, tls) in [(Store::Memory, Tls::Explicit), (Store::Disk, Tls::Off)] {
        let server = OwnServer::start(store, tls).await;
        server.put("/big", &content).await;
        let dir = tempfile::tempdir().unwrap();
        let local = dir.path().join("source");
        fs::write(&local, &content).unwrap();
        let old = dir.path().join("big");
        fs::write(&old, "what was there before").unwrap();
        let (queue, log) = queue_to(server.config(), 1);
        for (direction, place, remote) in [
            (Direction::Download, &old, "/big"),
            (Direction::Upload, &local, "/up"),
        ] {
            let id = add(&queue, direction, ItemKind::File, place, remote);
            while queue.get(id).unwrap().bytes == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            queue.cancel(&[id]);
            let item = finished(&queue, id).await;
            let case = format!("{store:?} {tls:?} {direction:?}");
            assert_eq!(item.state, State::Cancelled, "{case}\n{}", log.all());
        }
        let left: Vec<_> = tree(dir.path()).into_keys().collect();
        assert_eq!(left, ["big", "source"]);
        assert_eq!(fs::read(&old).unwrap(), b"what was there before");
        assert!(!server.has("/up").await, "{}", log.all());
        // The connection goes on being used.
        let id = add(&queue, Direction::Download, ItemKind::File, &old, "/big");
        assert_done(&queue, &finished(&queue, id).await, "afterwards", &log);
        assert!(fs::read(&old).unwrap() == content);
        queue.shutdown().await;
    }
}

/// A file system of its own, of a size; `None`, said loudly, where nobody may mount one.
struct Tiny(PathBuf);

impl Tiny {
    fn mount(at: &Path, size: &str) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let options = format!("size={size}");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
            .arg(at)
            .output();
        let reason = match mounted {
            Ok(output) if output.status.success() => return Some(Self(at.to_owned())),
            Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
            Err(error) => error.to_string(),
        };
        skip_loudly(
            "a full local disk",
            &Skipped(format!("no tmpfs can be mounted: {reason}")),
        );
        None
    }
}

impl Drop for Tiny {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_fails_its_file_and_no_other() {
    for tls in [Tls::Off, Tls::Explicit] {
        let server = OwnServer::start(Store::Memory, tls).await;
        server.put("/d/big", &pattern(8_000_000)).await;
        server.put("/d/small", b"small").await;
        let dir = tempfile::tempdir().unwrap();
        let Some(tiny) = Tiny::mount(&dir.path().join("tiny"), "1m") else {
            return;
        };
        // One after the other: the big one has given its room back by the time the small one needs it, or comes after it.
        let (queue, log) = queue_to(server.config(), 1);
        let id = add(
            &queue,
            Direction::Download,
            ItemKind::Folder,
            &tiny.0.join("d"),
            "/d",
        );
        let item = finished(&queue, id).await;
        assert_eq!(item.state, State::Failed, "{tls:?}");
        let failed: Vec<_> = errors(&queue)
            .into_iter()
            .filter(|i| i.kind == ItemKind::File)
            .collect();
        let [failed] = &failed[..] else {
            panic!("{tls:?}: {failed:#?}\n{}", log.all())
        };
        assert!(
            matches!(failed.error, Some(Error::DiskFull { .. })),
            "{tls:?}: {failed:?}"
        );
        assert_eq!(failed.attempts, 1, "{tls:?}");
        let left: Vec<_> = tree(&tiny.0).into_keys().collect();
        assert_eq!(left, ["d", "d/small"], "{tls:?}");
        queue.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn local_places_that_can_not_be_used_fail_at_once() {
    let server = OwnServer::start(Store::Memory, Tls::Off).await;
    server.put("/f", b"content").await;
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::write(at("file"), "x").unwrap();
    fs::create_dir_all(at("folder/full")).unwrap();
    let (queue, log) = queue_to(server.config(), 2);
    let down = |local: &Path| add(&queue, Direction::Download, ItemKind::File, local, "/f");
    let up = |local: &Path| add(&queue, Direction::Upload, ItemKind::File, local, "/up");
    for id in [
        // A file where a folder should be, a folder where the file should be, a file system that takes nothing.
        down(&at("file/f")),
        down(&at("folder")),
        down(Path::new("/proc/slipway-test/f")),
        up(&at("missing")),
        up(&at("folder")),
    ] {
        let item = finished(&queue, id).await;
        assert_eq!(
            (item.state, item.attempts),
            (State::Failed, 1),
            "{item:?}\n{}",
            log.all()
        );
        let local = matches!(
            item.error,
            Some(Error::Local { .. } | Error::NotAFile { .. })
        );
        assert!(local, "{item:?}");
    }
    assert!(!server.has("/up").await);
    assert_eq!(fs::read(at("file")).unwrap(), b"x");
    let left: Vec<_> = tree(dir.path()).into_keys().collect();
    assert_eq!(left, ["file", "folder", "folder/full"]);
    // The queue is well all the same.
    let id = down(&at("new/place/f"));
    assert_done(&queue, &finished(&queue, id).await, "afterwards", &log);
    queue.shutdown().await;
}

/// 452 is worth another try, but not for ever; what was there on the server is told by its reply.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_is_an_error_that_says_so() {
    let small: Arc<MemoryTree> = Arc::new(MemoryTree::new(100_000));
    let server = OwnServer::with(Store::Memory, Tls::Explicit, |builder| {
        builder.user(User::new("small").vfs(small))
    })
    .await;
    let mut config = server.config();
    config.login = ftp_client::Login::new("small", "").unwrap();
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("f"), pattern(10_000_000)).unwrap();
    let (queue, log) = queue_to(config, 1);
    let id = add(
        &queue,
        Direction::Upload,
        ItemKind::File,
        &dir.path().join("f"),
        "/f",
    );
    let item = finished(&queue, id).await;
    assert_eq!(item.state, State::Failed, "{}", log.all());
    let error = item.error.unwrap();
    let reply = error.remote().and_then(ftp_client::Error::reply);
    let code = reply.map(|reply| reply.code.value());
    assert_eq!(code, Some(452), "{error}\n{}", log.all());
    queue.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn real_two_hundred_small_uploads_over_four_connections() {
    for kind in Kind::ALL {
        let Some(server) = RealServer::start(kind, Options::explicit()) else {
            continue;
        };
        let dir = tempfile::tempdir().unwrap();
        for i in 0..200 {
            write(
                dir.path(),
                &format!("f{i}"),
                &pattern(i * 3),
                1_500_000_000 + i as u64,
            );
        }
        let (queue, log) = queue_to(config_for(&server, Tls::Explicit), 4);
        let id = add(
            &queue,
            Direction::Upload,
            ItemKind::Folder,
            dir.path(),
            "/many",
        );
        assert_done(&queue, &finished(&queue, id).await, kind.name(), &log);
        for i in 0..200 {
            assert!(
                server.read(&format!("many/f{i}")) == pattern(i * 3),
                "{kind:?} {i}"
            );
        }
        for item in queue
            .list()
            .iter()
            .filter(|item| item.kind == ItemKind::File)
        {
            assert_eq!(
                (item.attempts, item.verified.map(|checks| checks.size)),
                (1, Some(true)),
                "{item:?}"
            );
        }
        queue.shutdown().await;
    }
}

/// An upload that a crash of the server has cut off is sent anew, whole.
#[tokio::test(flavor = "multi_thread")]
async fn real_an_upload_goes_on_after_the_server_was_killed() {
    let content = pattern(200 * 1024 * 1024);
    for kind in Kind::ALL {
        let Some(mut server) = RealServer::start(kind, Options::explicit()) else {
            continue;
        };
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("big"), &content).unwrap();
        let (queue, log) = queue_to(config_for(&server, Tls::Explicit), 2);
        let local = dir.path().join("big");
        let id = add(&queue, Direction::Upload, ItemKind::File, &local, "/big");
        while queue.get(id).unwrap().bytes == 0 {
            let item = queue.get(id).unwrap();
            assert!(item.state.is_open(), "{item:?}\n{}", log.all());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        server.kill();
        server.restart();
        let item = finished(&queue, id).await;
        assert_done(&queue, &item, kind.name(), &log);
        assert!(item.attempts > 1, "{kind:?}: {item:?}");
        assert!(server.read("big") == content, "{kind:?}");
        queue.shutdown().await;
    }
}
