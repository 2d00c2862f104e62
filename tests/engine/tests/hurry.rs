//! Fewer round trips with servers that are known to read commands one by one: what goes in one write, and what comes of
//! it where that was too much.
#![allow(clippy::unwrap_used, unused_crate_dependencies)]

use std::time::Duration;

use engine_tests::{
    batches::{client_of, fetch, files, queues, store},
    connect,
    files::get,
    path,
    scripted::{config, sends},
};
use ftp_client::{Client, ErrorKind, HostMemory, StoreFile, StoreThen};
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

/// One way there and back.
const WAY: Duration = Duration::from_millis(12);

/// vsftpd behind a long way: answers take a while.
fn far() -> Script {
    queues()
        .expect("USER me")
        .expect("PASS secret")
        .delay(WAY)
        .say("331 ?")
        .say("230 in")
        // The first upload of a program is by itself.
        .expect("EPSV")
        .delay(WAY)
        .say("229 Entering Extended Passive Mode (|||{port}|)")
}

/// A small upload, as a server sees it that reads to the end before it says `verdict`.
fn takes(index: usize, verdict: &str, size: usize) -> Script {
    Script::new()
        .expect(&format!("STOR /f{index}"))
        .say("150 go on")
        .accept_data()
        .read_data()
        .say(verdict)
        .expect(&format!("SIZE /f{index}"))
        .delay(WAY)
        .say(&format!("213 {size}"))
}

fn small(count: usize) -> Vec<StoreFile> {
    let file = |index: usize| StoreFile {
        path: path(&format!("/f{index}")),
        data: index.to_string().into_bytes(),
        then: StoreThen {
            want_size: true,
            ..StoreThen::default()
        },
    };
    (0..count).map(file).collect()
}

/// Behind the end of a small upload comes a reset, for a server that lingers: it has read all of it and its end by then,
/// since the reset says nothing before them.
#[tokio::test]
async fn a_reset_behind_the_end_of_an_upload_loses_nothing() {
    let script = (0..20).fold(far(), |script, index| {
        script.then(takes(index, "226 done", index.to_string().len()))
    });
    let peer = Peer::serve(script.serve_rest()).await;
    let (client, log) = client_of(&peer, |_| {}).await;
    let (outcomes, ended) = store(&client, small(20)).await;
    ended.unwrap_or_else(|error| panic!("{error}\n{}", log.all()));
    for outcome in outcomes.values() {
        outcome.as_ref().unwrap();
    }
    client.quit().await.unwrap();
    peer.finish().await;
}

/// A server that throws away what it has not read when a reset comes gets the file again, and no reset any more.
#[tokio::test]
async fn a_server_that_loses_an_upload_to_a_reset_gets_it_again() {
    let script = far()
        .then(takes(0, "226 done", 1))
        .then(takes(1, "426 Failure reading network stream.", 0))
        .then(takes(2, "226 done", 1))
        .then(takes(1, "226 done", 1));
    let peer = Peer::serve(script.serve_rest()).await;
    let (client, log) = client_of(&peer, |_| {}).await;
    let (outcomes, ended) = store(&client, small(3)).await;
    ended.unwrap_or_else(|error| panic!("{error}\n{}", log.all()));
    for outcome in outcomes.values() {
        outcome.as_ref().unwrap();
    }
    assert!(
        !log.all().contains("one command at a time"),
        "{}",
        log.all()
    );
    client.quit().await.unwrap();
    peer.finish().await;
}
