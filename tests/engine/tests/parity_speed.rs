//! Limits of speed and of time as the reference system has them: items 7, 14 to 16, 18 and 19 of docs/parity.md.
#![allow(clippy::unwrap_used, unused_crate_dependencies)]

use std::{
    net::{Ipv4Addr, SocketAddr},
    num::NonZeroU64,
    time::{Duration, Instant},
};

use engine_tests::{
    connect,
    files::{file_with, get, get_by_copy, put},
    own::{OwnServer, Store},
    path, pattern,
    scripted::config,
};
use ftp_client::{
    BatchOptions, Client, ErrorKind, FetchFile, Progress, Speed, Throttle, Throttles, Timeouts,
    Waited, constants::FOREVER,
};
use support::{Peer, Script, Tls};
use tokio::{io::AsyncReadExt as _, sync::mpsc};

const SIZE: usize = 300_000;
/// A second for the file.
const LIMIT: u64 = SIZE as u64;

fn limit(bytes: u64) -> Option<NonZeroU64> {
    NonZeroU64::new(bytes)
}

async fn timed<T>(work: impl Future<Output = T>) -> (f64, T) {
    let begin = Instant::now();
    let outcome = work.await;
    (begin.elapsed().as_secs_f64(), outcome)
}

/// Slower than half a second for what should take one; how slow a loaded machine is says nothing.
fn held_up(seconds: f64) -> bool {
    seconds > 0.6
}

async fn own(speed: &Speed, tls: Tls) -> (OwnServer, Client) {
    let server = OwnServer::start(Store::Memory, tls).await;
    server.put("/f", &pattern(SIZE)).await;
    let mut config = server.config();
    config.speed = speed.clone();
    let (client, _) = connect(config).await.unwrap();
    (server, client)
}

/// Items 15, 16 and 19: every way of reading is held up by the limit on reading, and by that alone.
#[tokio::test]
async fn every_way_of_reading_and_writing_is_under_the_clients_limits() {
    for tls in [Tls::Off, Tls::Explicit] {
        let speed = Speed::new(limit(LIMIT), None);
        let (_server, client) = own(&speed, tls).await;
        let file = path("f");
        let (seconds, _) = timed(get(&client, "f", 0)).await;
        assert!(held_up(seconds), "read: {seconds}");
        let (seconds, _) = timed(get_by_copy(&client, "f")).await;
        assert!(held_up(seconds), "copy: {seconds}");
        let (seconds, ()) = timed(async {
            let mut download = client.retr(&file, 0).await.unwrap();
            let mut exact = vec![0; SIZE];
            download.read_exact(&mut exact).await.unwrap();
            assert_eq!(download.read(&mut exact).await.unwrap(), 0);
            download.finish().await.unwrap();
        })
        .await;
        assert!(held_up(seconds), "exactly: {seconds}");
        let (seconds, ()) = timed(async {
            let mut download = client.retr(&file, 0).await.unwrap();
            let mut lines = download.lines();
            while lines.next().await.unwrap().is_some() {}
            download.finish().await.unwrap();
        })
        .await;
        assert!(held_up(seconds), "lines: {seconds}");
        let (seconds, ()) = timed(async {
            let (sender, mut outcomes) = mpsc::unbounded_channel();
            let files = (0..3)
                .map(|_| FetchFile {
                    path: file.clone(),
                    size: None,
                    want_time: false,
                    most: u64::MAX,
                })
                .collect();
            client
                .fetch_many(files, BatchOptions::default(), sender)
                .await
                .unwrap();
            for _ in 0..3 {
                outcomes.recv().await.unwrap().1.unwrap();
            }
        })
        .await;
        assert!(seconds > 2.0, "batch: {seconds}");
        // The other direction is free.
        let (seconds, ()) = timed(async { put(&client, "g", &pattern(SIZE)).await.unwrap() }).await;
        assert!(seconds < 0.8, "the wrong direction: {seconds}");
        // Changed while nobody looks, by any clone.
        speed.download.set_limit(None);
        client.speed().upload.set_limit(limit(LIMIT));
        let (seconds, _) = timed(get(&client, "f", 0)).await;
        assert!(seconds < 0.8, "free again: {seconds}");
        let (seconds, ()) = timed(async { put(&client, "g", &pattern(SIZE)).await.unwrap() }).await;
        assert!(held_up(seconds), "write: {seconds}");
        let (seconds, _) = timed(async {
            let upload = client.stor(&path("g"), 0).await.unwrap();
            upload
                .copy_from_file(file_with(&pattern(SIZE)), Progress::default())
                .await
                .unwrap()
        })
        .await;
        assert!(held_up(seconds), "copy: {seconds}");
    }
}

/// Item 19: a listing is something that is read.
#[tokio::test]
async fn listings_are_under_the_limit_of_reading() {
    let lines = "type=file;size=1; name\r\n".repeat(2000);
    let begin = Script::logged_in().then(engine_tests::scripted::sends("MLSD*", lines));
    let peer = Peer::serve(begin.serve_rest()).await;
    let mut config = config(&peer);
    config.speed = Speed::new(limit(48_000), None);
    let (client, _) = connect(config).await.unwrap();
    let (seconds, _) =
        timed(async { client.list(None).await.unwrap().collect().await.unwrap() }).await;
    assert!(held_up(seconds), "{seconds}");
}

/// Item 16: one limit for two sessions is one limit; a copy of it is another.
#[tokio::test]
async fn a_shared_limit_is_joint_and_an_unshared_one_is_not() {
    let server = OwnServer::start(Store::Memory, Tls::Off).await;
    server.put("/f", &pattern(SIZE)).await;
    let speed = Speed::new(limit(LIMIT), None);
    for (other, shared) in [(speed.clone(), true), (speed.unshared(), false)] {
        let mut clients = Vec::new();
        for speed in [&speed, &other] {
            let mut config = server.config();
            config.speed = speed.clone();
            clients.push(connect(config).await.unwrap().0);
        }
        let (seconds, _) =
            timed(async { tokio::join!(get(&clients[0], "f", 0), get(&clients[1], "f", 0)) }).await;
        match shared {
            true => assert!(seconds > 1.6, "{seconds}"),
            false => assert!(held_up(seconds) && seconds < 1.6, "{seconds}"),
        }
    }
}

/// Items 14 and 16: all limits of a transfer count, a change takes effect at once, and what was moved before is forgotten.
#[tokio::test]
async fn limits_of_a_transfer_come_on_top_and_can_change() {
    let (_server, client) = own(&Speed::new(limit(LIMIT * 100), None), Tls::Off).await;
    let own = Throttle::new(limit(LIMIT));
    let download = client.retr(&path("f"), 0).await.unwrap();
    let download = download.throttled(Throttles::from(own.clone()));
    let (seconds, _) =
        timed(download.copy_to_file(tempfile::tempfile().unwrap(), Progress::default())).await;
    assert!(held_up(seconds), "{seconds}");
    // So slow that it would never end.
    own.set_limit(limit(10));
    let mut download = client
        .retr(&path("f"), 0)
        .await
        .unwrap()
        .throttled(Throttles::from(own.clone()));
    let (seconds, read) = timed(async {
        let mut first = Vec::new();
        let wait =
            tokio::time::timeout(Duration::from_millis(300), download.read_to_end(&mut first));
        let too_slow = wait.await.is_err();
        own.set_limit(None);
        let mut rest = Vec::new();
        download.read_to_end(&mut rest).await.unwrap();
        (too_slow, rest.len())
    })
    .await;
    assert!(
        read.0 && read.1 > SIZE - 10_000 && seconds < 5.0,
        "{seconds} {read:?}"
    );
    download.finish().await.unwrap();
    // Taking much at once leaves a debt, which a reset forgives.
    own.set_limit(limit(LIMIT));
    own.reset();
    assert_eq!(own.limit(), limit(LIMIT));
}

/// Items 7 and 18: one limit for each kind of waiting, none of which is for ever unless it is asked for.
#[tokio::test]
async fn every_kind_of_waiting_has_its_own_limit() {
    let short = Duration::from_millis(300);
    let long = Duration::from_secs(60);
    let within = |connect, reply, idle| Timeouts {
        connect,
        reply,
        idle,
    };
    // A reply.
    let peer = Peer::serve(Script::logged_in().expect("NOOP").expect_close()).await;
    let mut config_of = config(&peer);
    config_of.timeouts = within(long, short, long);
    let (client, _) = connect(config_of).await.unwrap();
    let (seconds, outcome) = timed(client.noop()).await;
    assert_eq!(
        *outcome.unwrap_err().kind(),
        ErrorKind::Timeout(Waited::Reply)
    );
    assert!((0.25..20.0).contains(&seconds), "{seconds}");
    // A byte on the data connection.
    let script = Script::logged_in()
        .expect("RETR f")
        .say("150 here")
        .accept_data()
        .send_data("some")
        .serve_rest();
    let peer = Peer::serve(script).await;
    let mut config_of = config(&peer);
    config_of.timeouts = within(long, long, short);
    let (client, _) = connect(config_of).await.unwrap();
    let mut download = client.retr(&path("f"), 0).await.unwrap();
    let error = download.read_to_end(&mut Vec::new()).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    let error = download.failed(error).await;
    assert_eq!(*error.kind(), ErrorKind::Timeout(Waited::Data));
    // For ever, and work gets done.
    let peer = Peer::serve(
        Script::logged_in()
            .then(engine_tests::scripted::sends("RETR f", "content"))
            .serve_rest(),
    )
    .await;
    let mut config_of = config(&peer);
    config_of.timeouts = Timeouts::all(FOREVER);
    let (client, _) = connect(config_of).await.unwrap();
    assert_eq!(get(&client, "f", 0).await.unwrap(), b"content");
}

/// Item 18: the data connection that EPSV names isn't accepted by anybody. A full queue of connections swallows the next one.
#[tokio::test]
async fn a_data_connection_that_does_not_come_about_has_the_limit_of_connecting() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket
        .bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
        .unwrap();
    let listener = socket.listen(0).unwrap();
    let port = listener.local_addr().unwrap().port();
    // Until one is left hanging.
    let mut waiting = Vec::new();
    loop {
        let connecting = tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port));
        match tokio::time::timeout(Duration::from_millis(300), connecting).await {
            Ok(stream) => waiting.push(stream.unwrap()),
            Err(_) => break,
        }
        assert!(waiting.len() < 100);
    }
    let epsv = format!("229 here (|||{port}|)");
    let refused = "502 no";
    let script = Script::logged_in().answering(&[
        ("EPSV", &epsv),
        ("PASV", refused),
        ("EPRT *", refused),
        ("PORT *", refused),
        ("STAT *", refused),
    ]);
    let peer = Peer::serve(script.serve_rest()).await;
    let mut config = config(&peer);
    config.timeouts.connect = Duration::from_millis(400);
    let (client, _) = connect(config).await.unwrap();
    let (seconds, outcome) = timed(client.retr(&path("f"), 0)).await;
    let error = outcome.err().unwrap();
    assert_eq!(
        *error.kind(),
        ErrorKind::Timeout(Waited::Connect),
        "{error}"
    );
    assert!((0.35..15.0).contains(&seconds), "{seconds}");
}
