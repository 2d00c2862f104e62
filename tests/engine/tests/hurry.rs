//! Fewer round trips with servers that are known to read commands one by one: what goes in one write, and what comes of
//! it where that was too much.
#![allow(clippy::unwrap_used, unused_crate_dependencies)]

use engine_tests::{
    batches::{client_of, fetch, files, queues},
    connect,
    files::get,
    scripted::{config, sends},
};
use ftp_client::{Client, ErrorKind, HostMemory};
use support::{Peer, Script};

/// A known server that has read USER and PASS before it answers the first.
fn both(user: &str, pass: &str) -> Script {
    let script = queues().expect("USER me").expect("PASS secret").say(user);
    if pass.is_empty() {
        script
    } else {
        script.say(pass)
    }
}

#[tokio::test]
async fn known_servers_get_name_and_password_together() {
    for (user, pass) in [
        ("331 ?", "230 in"),
        ("230 in already", "230 in"),
        ("230 in", "503 and now?"),
    ] {
        let peer = Peer::serve(both(user, pass).serve_rest()).await;
        let (client, _) = connect(config(&peer)).await.unwrap();
        client.noop().await.unwrap();
        client.quit().await.unwrap();
        peer.finish().await;
    }
}

#[tokio::test]
async fn a_refused_login_is_told_by_the_reply_that_counts() {
    for (user, pass, code, kind) in [
        ("331 ?", "530 Login incorrect", 530, ErrorKind::LoginRefused),
        (
            "530 not you",
            "503 USER first",
            530,
            ErrorKind::LoginRefused,
        ),
        (
            "530 Maximum number of connections reached",
            "503 USER first",
            530,
            ErrorKind::Busy,
        ),
        ("332 account?", "503 what?", 332, ErrorKind::LoginRefused),
    ] {
        let peer = Peer::serve(both(user, pass).serve_rest()).await;
        let error = Client::connect(config(&peer)).await.unwrap_err();
        assert_eq!(*error.kind(), kind, "{user} {pass}: {error}");
        assert_eq!(
            error.reply().unwrap().code.value(),
            code,
            "{user} {pass}: {error}"
        );
        assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
    }
    // It hangs up after the first.
    let peer = Peer::serve(both("530 not you", "").close()).await;
    let error = Client::connect(config(&peer)).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::LoginRefused, "{error}");
}

#[tokio::test]
async fn a_server_that_hurry_does_not_suit_is_asked_in_order() {
    // EPSV is refused, and what came behind it too.
    let no_epsv = queues()
        .expect("EPSV")
        .expect("RETR f")
        .say("500 EPSV?")
        .say("425 use PASV first")
        .expect("EPSV")
        .say("500 EPSV?")
        .expect("PASV")
        .say("227 Entering Passive Mode {pasv}")
        .then(sends("RETR f", "abc"))
        .serve_rest();
    let peer = Peer::serve(no_epsv).await;
    let (client, _) = connect(config(&peer)).await.unwrap();
    assert_eq!(get(&client, "f", 0).await.unwrap(), b"abc");
    client.quit().await.unwrap();
    peer.finish().await;

    // The port leads nowhere, and the server waits for somebody to come: on a new connection PASV does.
    let nowhere = queues()
        .expect("EPSV")
        .say("229 Entering Extended Passive Mode (|||1|)")
        .expect("RETR f")
        .expect_close();
    let again = queues()
        .expect("EPSV")
        .say("229 Entering Extended Passive Mode (|||1|)")
        .expect("PASV")
        .say("227 Entering Passive Mode {pasv}")
        .then(sends("RETR f", "abc"))
        .serve_rest();
    let peer = Peer::serve_each(vec![nowhere, again]).await;
    let (client, log) = connect(config(&peer)).await.unwrap();
    assert_eq!(get(&client, "f", 0).await.unwrap(), b"abc", "{}", log.all());
    client.quit().await.unwrap();
    for outcome in peer.outcomes().await {
        outcome.unwrap();
    }
}

/// A second session of the same program needs no first file by itself.
#[tokio::test]
async fn what_one_session_has_found_out_the_next_one_knows() {
    let first = queues().then(sends("RETR /f0", "0")).serve_rest();
    let second = queues()
        .expect("EPSV")
        .expect("RETR /f0")
        .expect("EPSV")
        .expect("RETR /f1")
        .say("229 Entering Extended Passive Mode (|||{port}|)")
        .say("150 here")
        .accept_data()
        .send_data("0")
        .close_data()
        .say("226 done")
        .say("229 Entering Extended Passive Mode (|||{port}|)")
        .say("150 here")
        .accept_data()
        .send_data("1")
        .close_data()
        .say("226 done")
        .serve_rest();
    let peer = Peer::serve_each(vec![first, second]).await;
    let hosts = HostMemory::default();
    let (client, _) = client_of(&peer, |config| config.hosts = hosts.clone()).await;
    fetch(&client, files(1)).await.1.unwrap();
    client.quit().await.unwrap();
    let (client, log) = client_of(&peer, |config| config.hosts = hosts).await;
    let (outcomes, ended) = fetch(&client, files(2)).await;
    ended.unwrap_or_else(|error| panic!("{error}\n{}", log.all()));
    assert_eq!(outcomes[&1].as_ref().unwrap().data, b"1", "{}", log.all());
    client.quit().await.unwrap();
    for outcome in peer.outcomes().await {
        outcome.unwrap();
    }
}
