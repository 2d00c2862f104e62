//! Many clients of our server at once: what idle sessions cost, and two hundred that move files at the same moment. The server is
//! a process of its own, this test's program once more, so that its memory is measured and not ours.
#![allow(clippy::unwrap_used, unused_crate_dependencies)]
#![cfg(target_os = "linux")]

use std::{
    io::{BufRead as _, BufReader, Lines, Read as _},
    net::SocketAddr,
    process::{Child, ChildStdout, Command, Stdio},
    sync::Arc,
};

use engine_tests::attack::Raw;
use ftp_server::{Secret, Server, User, vfs::LocalDisk};
use tokio::io::AsyncReadExt as _;

/// Where the server of the other process has its files.
const ROOT: &str = "SLIPWAY_CROWD_ROOT";

/// What a thousand idle sessions may cost.
const MEMORY: u64 = 60_000_000;

struct Peer {
    child: Child,
    /// Open until its end: it goes on to write there.
    _words: Lines<BufReader<ChildStdout>>,
    address: SocketAddr,
    dir: tempfile::TempDir,
}

impl Peer {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "the_server_itself", "--nocapture"])
            .env(ROOT, dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines
            .find_map(|line| line.unwrap().split_once("listening on ")?.1.parse().ok())
            .unwrap();
        Self {
            child,
            _words: lines,
            address,
            dir,
        }
    }

    /// Bytes of memory that the process holds now.
    fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .unwrap();
        let number = line.split_whitespace().nth(1).unwrap();
        number.parse::<u64>().unwrap() * 1024
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Its standard input ends, and so does it.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the other process of the tests here"]
async fn the_server_itself() {
    let Some(root) = std::env::var_os(ROOT) else {
        return;
    };
    let server = Server::builder()
        .vfs(Arc::new(LocalDisk::new(&root).unwrap()))
        .user(User::new("ann").password(Secret::try_from("secret").unwrap()))
        .max_connections(5000)
        .max_connections_per_address(5000)
        .max_half_open(5000)
        .bind("127.0.0.1:0")
        .await
        .unwrap();
    println!("listening on {}", server.local_addr());
    let wait = tokio::task::spawn_blocking(|| std::io::stdin().read(&mut [0]));
    let _ = wait.await;
    server.stop().await;
}

async fn clients(peer: &Peer, number: usize) -> Vec<Raw> {
    let mut all = Vec::new();
    for _ in 0..number {
        let mut c = Raw::from("127.0.0.1", peer.address).await;
        c.log_in().await;
        all.push(c);
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_idle_sessions_are_cheap() {
    let peer = Peer::start();
    std::fs::write(peer.dir.path().join("f"), b"x").unwrap();
    let before = peer.resident();
    let mut all = clients(&peer, 1000).await;
    // Each has done something once.
    for c in &mut all {
        assert_eq!(c.say("SIZE f").await, 213);
    }
    let idle = peer.resident();
    // And each has moved something.
    for c in &mut all {
        assert_eq!(c.fetch("RETR f").await, b"x");
        c.fetch("MLSD").await;
    }
    let used = peer.resident();
    println!(
        "{} kB before, {} kB with 1,000 idle sessions, {} kB after 2,000 transfers of theirs: {} bytes a session",
        before / 1000,
        idle / 1000,
        used / 1000,
        (used - before) / 1000,
    );
    assert!(used < MEMORY, "{used}");
    for c in &mut all {
        assert_eq!(c.say("NOOP").await, 200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_move_files_at_the_same_moment() {
    const SIZE: usize = 3 << 20;
    let peer = Peer::start();
    let content: Vec<u8> = (0..SIZE).map(|i| (i * 7 + i / 251) as u8).collect();
    std::fs::write(peer.dir.path().join("big"), &content).unwrap();
    let content = Arc::new(content);
    let mut started = Vec::new();
    for mut c in clients(&peer, 200).await {
        // Large enough that no buffer takes it whole: all two hundred are in the middle at once.
        let data = c.data().await;
        assert_eq!(c.say("RETR big").await, 150);
        started.push((c, data));
    }
    let tasks: Vec<_> = started
        .into_iter()
        .enumerate()
        .map(|(number, (mut c, mut data))| {
            let content = Arc::clone(&content);
            tokio::spawn(async move {
                let mut got = Vec::with_capacity(SIZE);
                data.read_to_end(&mut got).await.unwrap();
                assert!(got == *content, "{number}: {} bytes", got.len());
                assert_eq!(c.code().await, 226);
                let half = &content[..SIZE / 2];
                assert_eq!(c.store(format!("STOR {number}"), half).await, 226);
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    println!("{} kB after it", peer.resident() / 1000);
    for number in 0..200 {
        let stored = std::fs::read(peer.dir.path().join(number.to_string())).unwrap();
        assert!(stored == content[..SIZE / 2], "{number}");
    }
}
