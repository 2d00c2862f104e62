//! Lockout, ports, time for the tree, foreign data connections, events as a stream, faults of what is plugged in.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ftp_server::vfs::{MemoryTree, Vfs};
use ftp_server::{
    Accounts, Authentication, DataPorts, EndReason, EventKind, Secret, Server, async_trait,
};
use futures_util::StreamExt as _;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::client::{Client, PATIENCE, builder, limits, p, plain, start};

fn tree() -> Arc<dyn Vfs> {
    Arc::new(MemoryTree::new(1 << 20))
}

/// Connects from another loopback address, which stands for another machine.
async fn from(host: &str, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("{host}:0").parse().unwrap()).unwrap();
    socket.connect(to).await.unwrap()
}

#[tokio::test]
async fn an_address_that_guesses_is_shut_out_and_others_are_not() {
    let server = builder(tree()).lockout(5, Duration::from_secs(3));
    let server = start(server).await;
    let address = server.local_addr();
    let mut events = server.events();
    let mut before = Client::login(address).await;
    // By any number of connections and names; the last one hears of it.
    for guess in 0..5 {
        let mut c = Client::connect(address).await;
        c.command(&format!("USER u{guess}"), 331).await;
        let code = if guess < 4 { 530 } else { 421 };
        c.command("PASS guess", code).await;
    }
    // The right password doesn't help any more, nor on a connection from before.
    let mut c = Client::raw(address).await;
    assert!(c.expect(421).await.contains("wrong passwords"));
    c.closed().await;
    before.command("PWD", 257).await;
    before.command("USER ann", 331).await;
    before.command("PASS secret", 421).await;
    before.closed().await;
    let mut failed = 0;
    let mut denied = 0;
    while denied < 2 {
        match events.recv().await.unwrap().kind {
            EventKind::LoginFailed { user, .. } => {
                assert_eq!(user, format!("u{failed}"));
                failed += 1;
            }
            EventKind::Denied { reason } => {
                assert!(reason.contains("wrong passwords"), "{reason}");
                denied += 1;
            }
            _ => {}
        }
    }
    assert_eq!(failed, 5);
    let mut other = from("127.0.0.7", address).await;
    let mut greeting = [0; 3];
    other.read_exact(&mut greeting).await.unwrap();
    assert_eq!(&greeting, b"220");
    // It ends by itself.
    let again = async {
        loop {
            let mut c = Client::raw(address).await;
            if c.reply()
                .await
                .is_some_and(|reply| reply.starts_with("220"))
            {
                return c;
            }
        }
    };
    let mut c = tokio::time::timeout(PATIENCE, again).await.unwrap();
    c.ann().await;
}

#[tokio::test]
async fn wrong_passwords_take_longer_each_time() {
    let mut slow = limits();
    slow.wrong_password_delay = Duration::from_millis(100);
    slow.longest_password_delay = Duration::from_millis(300);
    slow.wrong_passwords = 10;
    let server = start(builder(tree()).limits(slow)).await;
    let mut c = Client::connect(server.local_addr()).await;
    let mut least = [100, 200, 300, 300].into_iter();
    for _ in 0..4 {
        c.command("USER ann", 331).await;
        let begin = std::time::Instant::now();
        c.command("PASS wrong", 530).await;
        let least = Duration::from_millis(least.next().unwrap());
        assert!(begin.elapsed() >= least, "{:?}", begin.elapsed());
    }
    c.ann().await;
    // Who waits for the answer doesn't hold up the end of the server.
    c.command("USER ann", 331).await;
    c.send("PASS wrong\r\n").await;
    server.stop().await;
    c.expect(421).await;
    c.closed().await;
}

#[tokio::test]
async fn a_port_that_is_not_used_goes_back_to_the_others() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let server = builder(tree())
        .data_ports(vec![port])
        .data_wait_timeout(Duration::from_secs(1));
    let server = start(server).await;
    let mut hoarder = Client::login(server.local_addr()).await;
    let mut other = Client::login(server.local_addr()).await;
    assert_eq!(hoarder.passive().await.port(), port);
    assert!(other.command("EPSV", 425).await.contains("No free port"));
    let wait = async {
        loop {
            other.send("EPSV\r\n").await;
            if other.reply().await.unwrap().starts_with("229") {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap();
    hoarder.command("LIST", 425).await;
    // The port is the other's alone: its data goes to nobody else.
    let data = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    other.command("NLST", 150).await;
    other.expect(226).await;
    drop(data);
    // Used up and free again, many times over.
    for _ in 0..20 {
        hoarder.fetch("NLST").await;
        other.fetch("NLST").await;
    }
    other.vanish();
    hoarder.fetch("NLST").await;
}

#[tokio::test]
async fn without_ports_there_is_only_the_active_mode() {
    let server = start(builder(tree()).data_ports(DataPorts::List(Vec::new()))).await;
    let mut c = Client::login(server.local_addr()).await;
    c.command("PASV", 425).await;
    c.command("EPSV", 425).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    c.command(&format!("EPRT |1|127.0.0.1|{port}|"), 200).await;
    c.command("NLST", 150).await;
    listener.accept().await.unwrap();
    c.expect(226).await;
}

#[tokio::test]
async fn foreign_data_connections_only_where_they_are_allowed() {
    let listener = TcpListener::bind("127.0.0.9:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let eprt = format!("EPRT |1|127.0.0.9|{port}|");
    let (server, _) = plain().await;
    let mut c = Client::login(server.local_addr()).await;
    c.command(&eprt, 504).await;
    c.command("NLST", 425).await;

    let tree = MemoryTree::new(1 << 20);
    tree.write_file(&p("/hello"), b"hello").await.unwrap();
    let server = start(builder(Arc::new(tree)).allow_fxp(true)).await;
    let mut c = Client::login(server.local_addr()).await;
    c.command(&eprt, 200).await;
    c.command("RETR hello", 150).await;
    let (mut data, _) = listener.accept().await.unwrap();
    let mut out = Vec::new();
    data.read_to_end(&mut out).await.unwrap();
    assert_eq!(out, b"hello");
    c.expect(226).await;
    let passive = c.passive().await;
    let mut data = from("127.0.0.9", passive).await;
    c.command("STOR there", 150).await;
    data.write_all(b"from elsewhere").await.unwrap();
    drop(data);
    c.expect(226).await;
    // Services of the system stay out of reach.
    c.command("PORT 127,0,0,9,0,25", 504).await;
    c.command("EPRT |1|127.0.0.1|1023|", 504).await;
}

/// A server of one user, and a server that takes the files of another, through one client.
#[tokio::test]
async fn from_server_to_server() {
    let there = MemoryTree::new(1 << 20);
    let content: Vec<u8> = (0..100_000u32).map(|i| i as u8).collect();
    there.write_file(&p("/f"), &content).await.unwrap();
    let source = start(builder(Arc::new(there)).allow_fxp(true)).await;
    let target = start(builder(tree()).allow_fxp(true)).await;
    let mut a = Client::login(source.local_addr()).await;
    let mut b = Client::login(target.local_addr()).await;
    let port = a.passive().await.port();
    b.command(&format!("EPRT |1|127.0.0.1|{port}|"), 200).await;
    a.command("RETR f", 150).await;
    b.command("STOR f", 150).await;
    a.expect(226).await;
    b.expect(226).await;
    assert!(b.fetch("RETR f").await == content);
}

#[tokio::test]
async fn small_blocks_move_the_same_bytes() {
    let tree = MemoryTree::new(1 << 20);
    let server = start(builder(Arc::new(tree)).block_size(1)).await;
    let mut c = Client::login(server.local_addr()).await;
    let content: Vec<u8> = (0..20_000u32).map(|i| (i * 31) as u8).collect();
    c.store("STOR f", &content).await;
    assert!(c.fetch("RETR f").await == content);
}

/// Accounts with faults: one name panics, one never gets an answer.
struct Faulty;

#[async_trait]
impl Accounts for Faulty {
    async fn authenticate(&self, name: &[u8], password: Option<&Secret>) -> Authentication {
        match (name, password) {
            (_, None) => Authentication::Refused,
            (b"boom", _) => panic!("a fault of the accounts"),
            (b"hang", _) => std::future::pending().await,
            _ => Authentication::Busy,
        }
    }
}

#[tokio::test]
async fn accounts_that_fail_touch_no_other_session() {
    let server = Server::builder()
        .vfs(tree())
        .accounts(Arc::new(Faulty))
        .limits(limits());
    let server = start(server).await;
    let mut other = Client::connect(server.local_addr()).await;
    let mut events = server.events();
    let mut c = Client::connect(server.local_addr()).await;
    c.command("USER boom", 331).await;
    c.command("PASS x", 421).await;
    c.closed().await;
    loop {
        if let EventKind::SessionClosed { reason } = events.recv().await.unwrap().kind {
            assert_eq!(reason, EndReason::Fault);
            break;
        }
    }
    let mut hanging = Client::connect(server.local_addr()).await;
    hanging.command("USER hang", 331).await;
    hanging.send("PASS x\r\n").await;
    other.command("USER x", 331).await;
    other.command("PASS x", 530).await;
    server.stop().await;
    hanging.expect(421).await;
    other.expect(421).await;
}

#[tokio::test]
async fn events_are_a_stream_that_ends_with_the_server() {
    let (server, _) = plain().await;
    let handle = server.handle().clone();
    let events = server.event_stream();
    let mut c = Client::login(server.local_addr()).await;
    c.command("QUIT", 221).await;
    c.closed().await;
    server.stop().await;
    let all: Vec<_> = events.collect().await;
    let kinds: Vec<String> = all
        .into_iter()
        .map(|event| format!("{:?}", event.unwrap().kind))
        .collect();
    assert_eq!(kinds.len(), 3, "{kinds:?}");
    assert!(kinds[1].starts_with("LoggedIn"), "{kinds:?}");
    // A handle is harmless now.
    assert!(handle.sessions().is_empty());
    assert_eq!(handle.event_stream().count().await, 0);
}

#[tokio::test]
async fn who_is_too_slow_for_the_events_learns_how_many_were_missed() {
    let (server, _) = plain().await;
    let mut events = server.event_stream();
    let mut c = Client::login(server.local_addr()).await;
    for _ in 0..600 {
        c.command("USER ann", 331).await;
        c.command("PASS secret", 230).await;
        c.command("PORT 10,0,0,1,200,1", 504).await;
    }
    let missed = events.next().await.unwrap().unwrap_err();
    assert!(missed.events > 100, "{missed}");
    assert!(events.next().await.unwrap().is_ok());
}
