//! Several handles of one session at the same time: each gets its own answer.
#![allow(clippy::unwrap_used, unused_crate_dependencies)]

use engine_tests::{
    config_for, connect,
    files::{get, put},
    names,
    own::{OwnServer, Store},
    path, pattern,
    scripted::config,
};
use std::time::Duration;
use support::{Kind, Options, Peer, RealServer, Script, Tls};
use tokio::io::AsyncReadExt as _;

/// A server without MLSD is sent into a folder to list it: another handle must not send it elsewhere meanwhile.
#[tokio::test]
async fn real_folders_listed_at_the_same_time_are_not_mixed_up() {
    for kind in Kind::ALL {
        let mut options = Options::explicit();
        for folder in 0..8 {
            options = options.file(&format!("d{folder}/only{folder}"), "x");
        }
        let Some(server) = RealServer::start(kind, options) else {
            continue;
        };
        let (client, log) = connect(config_for(&server, Tls::Explicit)).await.unwrap();
        let listings = (0..8).map(|folder| {
            let client = client.clone();
            async move { names(&client, &format!("/d{folder}")).await }
        });
        let all = futures_util::future::join_all(listings).await;
        for (folder, names) in all.iter().enumerate() {
            assert_eq!(*names, [format!("only{folder}")], "{kind:?}\n{}", log.all());
        }
        assert_eq!(client.pwd().await.unwrap(), path("/"), "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_handles_of_one_session_take_turns() {
    for tls in [Tls::Off, Tls::Explicit] {
        let server = OwnServer::start(Store::Memory, tls).await;
        let (client, _) = connect(server.config()).await.unwrap();
        let handles = (0..8).map(|handle| {
            let client = client.clone();
            tokio::spawn(async move {
                for turn in 0..10 {
                    let (folder, content) =
                        (format!("/h{handle}"), pattern(5000 + handle * 7 + turn));
                    let file = format!("{folder}/{turn}");
                    client.mkd_parents(&path(&folder)).await.unwrap();
                    put(&client, &file, &content).await.unwrap();
                    assert_eq!(
                        client.size(&path(&file)).await.unwrap(),
                        content.len() as u64
                    );
                    assert!(get(&client, &file, 0).await.unwrap() == content);
                    assert_eq!(names(&client, &folder).await.len(), turn + 1);
                    assert_eq!(client.pwd().await.unwrap(), path("/"));
                }
            })
        });
        for handle in handles.collect::<Vec<_>>() {
            handle.await.unwrap();
        }
    }
}

/// Where a look elsewhere has left the server in another folder, a typed CWD still counts.
#[tokio::test]
async fn a_typed_cwd_stays_after_a_look_elsewhere() {
    let server = OwnServer::start(Store::Memory, Tls::Off).await;
    server.put("/a/x", b"1").await;
    server.put("/b/y", b"2").await;
    let (client, log) = connect(server.config()).await.unwrap();
    for typed in ["CWD /b", "CWD b"] {
        assert!(client.is_dir(&path("/a")).await.unwrap());
        assert_eq!(client.raw(typed).await.unwrap().code.value(), 250);
        assert_eq!(client.pwd().await.unwrap(), path("/b"), "{}", log.all());
        let back = get(&client, "y", 0).await.unwrap();
        assert_eq!(back, b"2", "{typed}");
        client.cwd(&path("/")).await.unwrap();
    }
    // One that fails changes nothing.
    client.cwd(&path("/b")).await.unwrap();
    assert!(client.is_dir(&path("/a")).await.unwrap());
    assert_eq!(client.raw("CWD /none").await.unwrap().code.value(), 550);
    assert_eq!(client.pwd().await.unwrap(), path("/b"), "{}", log.all());
}

/// An extra reply after a transfer is nobody's answer, even when the next command is waiting already.
#[tokio::test]
async fn a_second_226_is_not_the_answer_to_what_waits() {
    let script = Script::logged_in()
        .expect("RETR *")
        .say("150 here it comes")
        .accept_data()
        .send_data("content")
        .close_data()
        // Both in one piece.
        .send("226 done\r\n226 really done\r\n")
        .serve_rest();
    let peer = Peer::serve(script).await;
    let (client, log) = connect(config(&peer)).await.unwrap();
    let mut download = client.retr(&path("/f"), 0).await.unwrap();
    let other = client.clone();
    // It waits in the queue while the transfer runs.
    let waiting = tokio::spawn(async move { other.pwd().await });
    tokio::task::yield_now().await;
    let mut content = Vec::new();
    download.read_to_end(&mut content).await.unwrap();
    assert_eq!(content, b"content");
    download.finish().await.unwrap();
    let pwd = waiting.await.unwrap();
    assert_eq!(pwd.unwrap(), path("/"), "{}", log.all());
    client.noop().await.unwrap();
    client.quit().await.unwrap();
    peer.finish().await;
}

/// A server that talks without end while nobody asks is left, not listened to for ever.
#[tokio::test]
async fn replies_that_nobody_asked_for_come_to_an_end() {
    let flood = "200 and another thing\r\n".repeat(50_000);
    let peer = Peer::serve(
        Script::logged_in()
            .expect("NOOP")
            .say("200 ok")
            .send(flood)
            .serve_rest(),
    )
    .await;
    let (client, log) = connect(config(&peer)).await.unwrap();
    client.noop().await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(5), async {
        while !client.is_closed() {
            tokio::task::yield_now().await;
        }
    });
    ended.await.expect("it is left");
    let error = client.noop().await.unwrap_err();
    assert_eq!(*error.kind(), ftp_client::ErrorKind::Protocol, "{error}");
    let heard = log.all().lines().count();
    assert!(heard < 1000, "{heard} lines of log");
}
