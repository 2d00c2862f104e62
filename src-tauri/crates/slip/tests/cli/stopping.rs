//! Sessions that have to end: for the sake of the next one, and because somebody wants it.
#![cfg(unix)]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use support::{Gate, Peer, Script};

use crate::harness::{Bench, tree};

/// A server that lets nobody in before the session before has ended.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_not_kept_makes_room_for_the_next() {
    let bench = Bench::new();
    std::fs::write(bench.work().join("up"), "content").unwrap();
    for upload in [false, true] {
        let gone = Gate::new();
        let first = Script::logged_in()
            .answering(&[
                ("SIZE *", "213 7"),
                ("MDTM *", "550 ?"),
                ("MLST *", "550 ?"),
            ])
            .expect(if upload { "STOR *f" } else { "RETR *f" })
            .say("450 not now")
            .expect("QUIT")
            .say("221 goodbye")
            .close()
            .signal(&gone);
        let second = Script::new()
            .wait_for(&gone)
            .then(Script::logged_in())
            .answering(&[
                // What of an upload could be continued is looked for.
                ("SIZE *", if upload { "550 ?" } else { "213 7" }),
                ("MDTM *", "550 ?"),
                ("MFMT *", "500 ?"),
            ])
            .expect(if upload { "STOR *f" } else { "RETR *f" })
            .say("150 go on")
            .accept_data();
        let second = match upload {
            false => second.send_data("content").close_data(),
            true => second.read_data(),
        };
        let peer = Peer::serve_each(vec![first, second.say("226 done").serve_rest()]).await;
        let url = format!("ftp://{}/f", peer.addr());
        let arguments = match upload {
            false => vec!["get", "--timeout", "3", &url],
            true => vec!["put", "--plain-names", "--timeout", "3", "up", &url],
        };
        bench.slip(arguments).await.expect(0);
        peer.finish_all().await;
    }
    assert_eq!(std::fs::read(bench.work().join("f")).unwrap(), b"content");
}

fn send(signal: &str, child: &Child) {
    let kill = Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
}

/// A server that has sent half of a file, and never says anything again.
async fn half_a_file(silent: &Gate) -> (Peer, Gate) {
    let begun = Gate::new();
    let script = Script::logged_in()
        .within(Duration::from_secs(60))
        .answering(&[("SIZE *", "213 1000"), ("MDTM *", "550 ?")])
        .expect("RETR *f")
        .say("150 here it comes")
        .accept_data()
        .send_data("half")
        .signal(&begun)
        .wait_for(silent);
    (Peer::serve(script).await, begun)
}

async fn in_background<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_server_does_not_keep_anybody() {
    for (signals, code, limit) in [
        (&["-INT"][..], Some(1), 10),
        (&["-TERM"], Some(1), 10),
        (&["-INT", "-INT"], Some(130), 2),
        (&["-TERM", "-INT"], Some(130), 2),
    ] {
        let bench = Bench::new();
        let silent = Gate::new();
        let (peer, begun) = half_a_file(&silent).await;
        let url = format!("ftp://{}/f", peer.addr());
        let mut child = bench
            .command(["get", "--timeout", "40", &url])
            .spawn()
            .unwrap();
        let limit_of_start = Duration::from_secs(20);
        let started = tokio::time::timeout(limit_of_start, begun.passed()).await;
        started.expect("the transfer begins");
        assert!(bench.work().join(".f.slippart").exists());
        let mut err = BufReader::new(child.stderr.take().unwrap());
        let mut start = Instant::now();
        let mut said = String::new();
        for (index, signal) in signals.iter().enumerate() {
            if index == 1 {
                (err, said) = in_background(move || {
                    let mut line = String::new();
                    err.read_line(&mut line).unwrap();
                    (err, line)
                })
                .await;
                assert!(said.contains("stopping"), "{said}");
                start = Instant::now();
            }
            send(signal, &child);
        }
        let status = in_background(move || child.wait().unwrap()).await;
        assert_eq!(status.code(), code, "{signals:?} {status:?} {said}");
        let took = start.elapsed();
        assert!(took < Duration::from_secs(limit), "{signals:?}: {took:?}");
        if signals.len() == 1 {
            assert!(tree(&bench.work()).is_empty(), "what is half done goes");
        }
        silent.open();
        drop(peer);
    }
}

/// What was half uploaded should be deleted, which such a server does not do.
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_to_a_silent_server_can_be_ended() {
    let bench = Bench::new();
    std::fs::write(bench.work().join("up"), vec![b'x'; 50_000_000]).unwrap();
    let (begun, silent) = (Gate::new(), Gate::new());
    let script = Script::logged_in()
        .within(Duration::from_secs(60))
        .expect("STOR *f")
        .say("150 go on")
        .accept_data()
        .read_data_at_least(1000)
        .signal(&begun)
        .wait_for(&silent);
    let peer = Peer::serve(script).await;
    let url = format!("ftp://{}/f", peer.addr());
    let mut child = bench
        .command(["put", "--plain-names", "--timeout", "40", "up", &url])
        .spawn()
        .unwrap();
    let started = tokio::time::timeout(Duration::from_secs(20), begun.passed()).await;
    started.expect("the transfer begins");
    send("-INT", &child);
    let start = Instant::now();
    let status = in_background(move || child.wait().unwrap()).await;
    assert_eq!(status.code(), Some(1));
    let took = start.elapsed();
    assert!(took < Duration::from_secs(9), "{took:?}");
    silent.open();
}

/// A server that dies in mid-batch is tried again for a while, but not against somebody's will.
#[tokio::test(flavor = "multi_thread")]
async fn tries_of_a_dead_server_can_be_ended() {
    let bench = Bench::new();
    let script = Script::logged_in()
        .answering(&[("SIZE *", "213 1000"), ("MDTM *", "550 ?")])
        .expect("RETR *f")
        .reset();
    let peer = Peer::serve(script).await;
    let url = format!("ftp://{}/f", peer.addr());
    let mut child = bench.command(["get", "-v", &url]).spawn().unwrap();
    let mut err = BufReader::new(child.stderr.take().unwrap());
    let _err = in_background(move || {
        let mut line = String::new();
        while !line.contains("RETR") {
            line.clear();
            assert!(err.read_line(&mut line).unwrap() > 0);
        }
        err
    })
    .await;
    drop(peer);
    send("-INT", &child);
    let start = Instant::now();
    let status = in_background(move || child.wait().unwrap()).await;
    assert_eq!(status.code(), Some(1));
    let took = start.elapsed();
    assert!(took < Duration::from_secs(3), "{took:?}");
}
