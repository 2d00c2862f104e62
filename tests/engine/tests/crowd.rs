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

use engine_tests::attack::{PATIENCE, Raw};
use ftp_net::{
    Stream,
    tls::{ClientTls, Fingerprint, Roots, Trust, Versions},
};
use ftp_server::{Secret, Server, ServerTls, User, vfs::LocalDisk};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Where the server of the other process has its files.
const ROOT: &str = "SLIPWAY_CROWD_ROOT";

/// What a thousand idle sessions may cost.
const MEMORY: u64 = 60_000_000;

struct Peer {
    child: Child,
    /// Open until its end: it goes on to write there.
    _words: Lines<BufReader<ChildStdout>>,
    address: SocketAddr,
    /// Of its certificate.
    fingerprint: Fingerprint,
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
        let mut find = |word: &str| {
            lines
                .find_map(|line| Some(line.unwrap().split_once(word)?.1.to_owned()))
                .unwrap()
        };
        let fingerprint = find("certificate ").parse().unwrap();
        let address = find("listening on ").parse().unwrap();
        Self {
            child,
            _words: lines,
            address,
            fingerprint,
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
    let tls = ServerTls::self_signed(&["localhost"]).unwrap();
    println!("certificate {}", tls.fingerprint());
    let server = Server::builder()
        .tls(tls)
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

/// Says a line and reads its reply, which is one line too.
async fn say(stream: &mut Stream, line: &str, code: &str) {
    stream.write_all(line.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    let mut reply = Vec::new();
    while !reply.ends_with(b"\r\n") {
        assert_ne!(stream.read_buf(&mut reply).await.unwrap(), 0);
    }
    assert!(reply.starts_with(code.as_bytes()), "{line}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_encrypted_idle_sessions_are_cheap_too() {
    let peer = Peer::start();
    let before = peer.resident();
    let trust = Trust {
        roots: Roots::System,
        pins: vec![peer.fingerprint],
        only_pins: true,
    };
    let tls = ClientTls::new("localhost", &trust).unwrap();
    let mut all = Vec::new();
    for _ in 0..1000 {
        let mut c = Raw::from("127.0.0.1", peer.address).await;
        assert_eq!(c.say("AUTH TLS").await, 234);
        let session = tls.session(Versions::default());
        let mut stream = session.connect(c.into_tcp(), PATIENCE).await.unwrap();
        say(&mut stream, "USER ann\r\n", "331").await;
        say(&mut stream, "PASS secret\r\n", "230").await;
        all.push(stream);
    }
    let idle = peer.resident();
    println!(
        "{} kB before, {} kB with 1,000 idle encrypted sessions: {} bytes a session",
        before / 1000,
        idle / 1000,
        (idle - before) / 1000,
    );
    assert!(idle < MEMORY, "{idle}");
    for stream in &mut all {
        say(stream, "NOOP\r\n", "200").await;
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
