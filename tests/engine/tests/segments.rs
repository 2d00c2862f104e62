//! One big download by several connections, against real servers and our own.
#![allow(clippy::unwrap_used, unused_crate_dependencies)]

use std::{fs, path::Path, time::Duration};

use engine_tests::{
    Log, config_for, each_server,
    own::{OwnServer, Store},
    pattern,
    queueing::{add, assert_done, finished, queue_with, tree, write},
};
use ftp_client::Config;
use support::Tls;
use transfer::{Direction, ItemKind, Queue, QueueConfig, Segments, State, TransferId};

const LENGTH: usize = 96 << 20;

fn queue(config: Config) -> (Queue, Log) {
    let forced = QueueConfig {
        workers: 4,
        connections: 4,
        segments: Segments::AtOnce,
        ..QueueConfig::default()
    };
    queue_with(config, forced)
}

fn download(queue: &Queue, folder: &Path) -> TransferId {
    add(
        queue,
        Direction::Download,
        ItemKind::File,
        &folder.join("big"),
        "/big",
    )
}

/// From which places on the server was asked for the file, but for its last byte.
fn places(log: &Log) -> Vec<u64> {
    let last = LENGTH as u64 - 1;
    let sent = log.sent();
    let places = sent.iter().filter_map(|line| line.strip_prefix("REST "));
    let places = places.filter_map(|place| place.parse().ok());
    places.filter(|&place| place != last).collect()
}

fn is_the_same(there: &Path, here: &Path) -> bool {
    // Not by assert_eq, which would print both.
    fs::read(there).unwrap() == fs::read(here).unwrap()
}

async fn comes_whole(config: Config, source: &Path, case: &str) {
    // A file may be here before another connection is.
    const TRIES: usize = 10;
    for _ in 0..TRIES {
        if comes(config.clone(), source, case).await {
            return;
        }
    }
    panic!("{case}: always by one connection");
}

/// Whether it came by more than one connection.
async fn comes(config: Config, source: &Path, case: &str) -> bool {
    let dir = tempfile::tempdir().unwrap();
    let (queue, log) = queue(config);
    let id = download(&queue, dir.path());
    let item = finished(&queue, id).await;
    assert_done(&queue, &item, case, &log);
    assert_eq!((item.bytes, item.attempts), (LENGTH as u64, 1), "{case}");
    let is_divided = !places(&log).is_empty();
    assert!(is_the_same(source, &dir.path().join("big")), "{case}");
    assert_eq!(tree(dir.path()).len(), 1, "{case}");

    // What was used for it is as good as before.
    queue.clear_finished();
    let again = add(
        &queue,
        Direction::Download,
        ItemKind::File,
        &dir.path().join("again"),
        "/small",
    );
    let item = finished(&queue, again).await;
    assert_done(&queue, &item, case, &log);
    queue.shutdown().await;
    is_divided
}

/// Paused in the middle and told to go on, several times.
async fn goes_on(config: Config, source: &Path, case: &str) {
    let dir = tempfile::tempdir().unwrap();
    let (queue, log) = queue(config);
    let id = download(&queue, dir.path());
    for part in 1..5 {
        loop {
            let item = queue.get(id).unwrap();
            if item.state == State::Done || item.bytes >= (LENGTH / 6 * part) as u64 {
                break;
            }
            assert!(item.error.is_none(), "{case}: {item:?}\n{}", log.all());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        queue.pause(&[id]);
        queue.unpause(&[id]);
    }
    let item = finished(&queue, id).await;
    assert_done(&queue, &item, case, &log);
    assert!(is_the_same(source, &dir.path().join("big")), "{case}");
    assert_eq!(tree(dir.path()).len(), 1, "{case}");
    queue.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn real_servers_send_one_file_in_parts() {
    for (server, tls) in each_server(|options| options) {
        let case = format!("{} {tls:?}", server.kind().name());
        write(&server.root(), "big", &pattern(LENGTH), 1_000_000_000);
        write(&server.root(), "small", b"small", 1_000_000_000);
        server.adopt();
        let source = server.root().join("big");
        comes_whole(config_for(&server, tls), &source, &case).await;
        goes_on(config_for(&server, tls), &source, &case).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_server_sends_one_file_in_parts() {
    for tls in [Tls::Off, Tls::Explicit] {
        let server = OwnServer::start(Store::Disk, tls).await;
        let case = format!("own {tls:?}");
        write(&server.root(), "big", &pattern(LENGTH), 1_000_000_000);
        write(&server.root(), "small", b"small", 1_000_000_000);
        let source = server.root().join("big");
        comes_whole(server.config(), &source, &case).await;
        goes_on(server.config(), &source, &case).await;
    }
}
