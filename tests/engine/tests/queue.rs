//! The transfer queue against vsftpd, ProFTPD and Pure-FTPd.
#![allow(clippy::unwrap_used, unused_crate_dependencies)]

use std::{fs, time::Duration};

use engine_tests::{
    Log, config_for, each_server, pattern,
    queueing::{add, assert_done, finished, queue_to, tree, write},
};
use support::{Kind, Options, RealServer, Tls};
use transfer::{Direction, ItemKind, Queue, State};

fn queue(server: &RealServer, tls: Tls, workers: usize) -> (Queue, Log) {
    queue_to(config_for(server, tls), workers)
}

#[tokio::test(flavor = "multi_thread")]
async fn real_a_tree_goes_up_and_comes_back_the_same() {
    for (server, tls) in each_server(|options| options) {
        let case = format!("{} {tls:?}", server.kind().name());
        let dir = tempfile::tempdir().unwrap();
        let (source, back) = (dir.path().join("source"), dir.path().join("back"));
        write(&source, "empty", b"", 1_000_000_000);
        write(&source, "one", b"1", 1_100_000_000);
        write(
            &source,
            "a name with \"quotes\" & blanks",
            b"x",
            1_200_000_000,
        );
        write(
            &source,
            "sub/ümlaut – 日本",
            &pattern(32_730),
            1_300_000_000,
        );
        write(
            &source,
            "sub/deep/er/big",
            &pattern(1024 * 1024),
            1_400_000_000,
        );
        for i in 0..30 {
            write(
                &source,
                &format!("many/{i}"),
                &pattern(1000 + i),
                1_500_000_000 + i as u64,
            );
        }
        fs::create_dir_all(source.join("nothing/in it")).unwrap();
        let (queue, log) = queue(&server, tls, 4);
        let up = add(
            &queue,
            Direction::Upload,
            ItemKind::Folder,
            &source,
            "/tree",
        );
        let item = finished(&queue, up).await;
        assert_done(&queue, &item, &case, &log);
        // Once more, onto what is there.
        let again = add(
            &queue,
            Direction::Upload,
            ItemKind::Folder,
            &source,
            "/tree",
        );
        assert_done(&queue, &finished(&queue, again).await, &case, &log);
        let down = add(
            &queue,
            Direction::Download,
            ItemKind::Folder,
            &back,
            "/tree",
        );
        let item = finished(&queue, down).await;
        assert_done(&queue, &item, &case, &log);
        let (sent, got) = (tree(&source), tree(&back));
        for (name, expected) in &sent {
            assert!(
                got.get(name) == Some(expected),
                "{case}: {name} differs\n{}",
                log.all()
            );
        }
        assert_eq!(sent.len(), got.len(), "{case}");
        for file in queue.list().iter().filter(|i| i.kind == ItemKind::File) {
            let checked = file.verified.expect("it was checked");
            assert!(checked.size && checked.reply, "{case}: {file:?}");
            // One try may be lost where a TLS 1.3 session runs out of tickets.
            assert!(file.attempts == 1, "{case}: {file:?}");
        }
        let total: u64 = sent.values().flatten().map(|f| f.0.len() as u64).sum();
        assert_eq!((item.bytes, item.total), (total, Some(total)), "{case}");
        queue.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn real_a_missing_file_and_a_forbidden_place_fail_at_once_and_alone() {
    for (server, tls) in each_server(|options| options.file("there", b"content")) {
        let case = format!("{} {tls:?}", server.kind().name());
        let dir = tempfile::tempdir().unwrap();
        let (queue, log) = queue(&server, tls, 2);
        let missing = add(
            &queue,
            Direction::Download,
            ItemKind::File,
            &dir.path().join("m"),
            "/missing",
        );
        let nowhere = dir.path().join("there");
        let there = add(
            &queue,
            Direction::Download,
            ItemKind::File,
            &nowhere,
            "/there",
        );
        let up = add(
            &queue,
            Direction::Upload,
            ItemKind::File,
            &nowhere,
            "/no/such/folder/f",
        );
        let folder = add(
            &queue,
            Direction::Download,
            ItemKind::Folder,
            &dir.path().join("f"),
            "/no folder",
        );
        assert_done(&queue, &finished(&queue, there).await, &case, &log);
        for id in [missing, up, folder] {
            let item = queue.get(id).unwrap();
            assert_eq!(
                (item.state, item.attempts),
                (State::Failed, 1),
                "{case}: {item:?}"
            );
        }
        assert_eq!(fs::read(dir.path().join("there")).unwrap(), b"content");
        assert!(!dir.path().join("m").exists() && !dir.path().join(".m.slippart").exists());
        queue.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn real_a_server_that_takes_few_connections_gets_few() {
    for kind in Kind::ALL {
        let mut options = Options::explicit();
        options.max_per_ip = Some(2);
        for i in 0..40 {
            options = options.file(&format!("many/{i}"), pattern(10_000 + i));
        }
        let Some(server) = RealServer::start(kind, options) else {
            continue;
        };
        let dir = tempfile::tempdir().unwrap();
        let (queue, log) = queue(&server, Tls::Explicit, 6);
        let id = add(
            &queue,
            Direction::Download,
            ItemKind::Folder,
            &dir.path().join("many"),
            "/many",
        );
        let item = finished(&queue, id).await;
        assert_done(&queue, &item, kind.name(), &log);
        for i in 0..40 {
            let content = fs::read(dir.path().join(format!("many/{i}"))).unwrap();
            assert!(content == pattern(10_000 + i), "{} {i}", kind.name());
        }
        queue.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn real_a_server_killed_half_way_costs_nothing_but_time() {
    for kind in Kind::ALL {
        let content = pattern(200 * 1024 * 1024);
        let options = Options::explicit().file("big", content.clone());
        let Some(mut server) = RealServer::start(kind, options) else {
            continue;
        };
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("big");
        let (queue, log) = queue(&server, Tls::Explicit, 2);
        let id = add(&queue, Direction::Download, ItemKind::File, &target, "/big");
        let moved = || queue.get(id).unwrap();
        while moved().bytes == 0 {
            assert!(moved().state.is_open(), "{:?}\n{}", moved(), log.all());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        server.kill();
        assert!(!target.exists(), "{}: not yet", kind.name());
        server.restart();
        let item = finished(&queue, id).await;
        assert_done(&queue, &item, kind.name(), &log);
        assert!(item.attempts > 1, "{}: {item:?}", kind.name());
        assert!(fs::read(&target).unwrap() == content, "{}", kind.name());
        queue.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn real_cancelled_transfers_leave_nothing_on_either_side() {
    for kind in Kind::ALL {
        let content = pattern(300 * 1024 * 1024);
        let options = Options::explicit().file("big", content.clone());
        let Some(server) = RealServer::start(kind, options) else {
            continue;
        };
        let dir = tempfile::tempdir().unwrap();
        let local = dir.path().join("source");
        fs::write(&local, &content).unwrap();
        let (queue, log) = queue(&server, Tls::Explicit, 1);
        for (direction, place, remote) in [
            (Direction::Download, dir.path().join("big"), "/big"),
            (Direction::Upload, local, "/up"),
        ] {
            let id = add(&queue, direction, ItemKind::File, &place, remote);
            while queue.get(id).unwrap().bytes == 0 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            queue.cancel(&[id]);
            let item = finished(&queue, id).await;
            assert_eq!(
                item.state,
                State::Cancelled,
                "{} {direction:?}",
                kind.name()
            );
        }
        let left: Vec<_> = tree(dir.path()).into_keys().collect();
        assert_eq!(left, ["source"], "{}", kind.name());
        assert!(
            !server.root().join("up").exists(),
            "{}\n{}",
            kind.name(),
            log.all()
        );
        queue.shutdown().await;
    }
}
