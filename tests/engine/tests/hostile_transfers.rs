//! Servers whose transfers do not go as they should.
#![allow(clippy::unwrap_used, unused_crate_dependencies)]

use std::time::{Duration, Instant};

use engine_tests::{
    connect,
    files::{file_with, get, get_by_copy, put, put_by_copy},
    path, pattern,
    scripted::{client_of, config, config_tls, sends},
};
use ftp_client::{Client, Config, ErrorKind, Progress, TlsMode, Waited};
use support::{Authority, Gate, Peer, Script};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// A session that is still in step answers this, and nothing else does.
async fn assert_in_step(client: &Client) {
    assert_eq!(client.pwd().await.unwrap(), path("/"));
    client.noop().await.unwrap();
}

/// A script whose control connection stays in order after the steps of `script`.
async fn client_after(script: Script) -> (Peer, Client) {
    let (peer, client, _) = client_of(Script::logged_in().then(script).serve_rest()).await;
    (peer, client)
}

async fn connected(peer: &Peer, change: impl FnOnce(&mut Config)) -> Client {
    let mut config = config(peer);
    change(&mut config);
    connect(config).await.unwrap().0
}

#[tokio::test]
async fn the_226_may_come_before_the_data_is_read_and_again_after() {
    let content = pattern(300_000);
    for early in ["226 done", "226 done\r\n226 again", "250 done"] {
        let script = Script::new()
            .expect("RETR f")
            .say("150 here")
            .accept_data()
            .say(early)
            .send_data(content.clone())
            .close_data();
        let (_peer, client) = client_after(script.clone().then(script)).await;
        assert!(get(&client, "f", 0).await.unwrap() == content, "{early}");
        assert!(
            get_by_copy(&client, "f").await.unwrap() == content,
            "{early}"
        );
        assert_in_step(&client).await;
    }
}

#[tokio::test]
async fn a_2xx_without_1xx_means_that_there_is_nothing() {
    let script = Script::new().expect("RETR f").say("226 it is empty");
    let (_peer, client) = client_after(script.clone().then(script)).await;
    assert_eq!(get(&client, "f", 0).await.unwrap(), b"");
    assert_eq!(get_by_copy(&client, "f").await.unwrap(), b"");
    assert_in_step(&client).await;
    // An upload needs a connection.
    let (_peer, client) = client_after(Script::new().expect("STOR f").say("226 thanks")).await;
    let error = put(&client, "f", b"content").await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Protocol, "{error}");
    assert_in_step(&client).await;
}

#[tokio::test]
async fn refusals_before_the_transfer_leave_nothing_behind() {
    let script = Script::new()
        .expect("RETR none")
        .say("550 No such file")
        .expect("REST 5")
        .say("502 REST?")
        .then(sends("RETR f", "whole"))
        .expect("REST 7")
        .say("350 from there")
        .expect("RETR short")
        .say("554 behind the end")
        // What no transfer has used must not be used by the next one.
        .expect("REST 0")
        .say("350 from the start")
        .then(sends("RETR f", "whole"));
    let (_peer, client) = client_after(script).await;
    let error = get(&client, "none", 0).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::NotFound, "{error}");
    let error = get(&client, "f", 5).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Unsupported, "{error}");
    assert_eq!(get(&client, "f", 0).await.unwrap(), b"whole");
    let error = get(&client, "short", 7).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Refused, "{error}");
    assert_eq!(get(&client, "f", 0).await.unwrap(), b"whole");
    assert_in_step(&client).await;
}

/// However the connection breaks: half a file is never a whole one, and the reply says more than our own error.
#[tokio::test]
async fn a_reset_data_connection_is_an_error_whatever_the_server_says() {
    for (said, kind) in [
        ("426 it broke", ErrorKind::Refused),
        ("451 my disk", ErrorKind::Refused),
        ("226 all well", ErrorKind::Truncated),
    ] {
        let script = Script::new()
            .expect("RETR f")
            .say("150 here")
            .accept_data()
            .send_data(pattern(100_000))
            .reset_data()
            .say(said);
        let (_peer, client) = client_after(script.clone().then(script)).await;
        let error = get_by_copy(&client, "f").await.unwrap_err();
        assert_eq!(*error.kind(), kind, "{said}: {error}");
        assert!(error.is_retryable(), "{said}: {error}");
        let error = get(&client, "f", 0).await.unwrap_err();
        assert!(error.is_retryable(), "{said}: {error}");
        assert_in_step(&client).await;
    }
}

/// TLS that ends without a goodbye may be all there is, or somebody in between has cut it: the server's word and the
/// size decide.
#[tokio::test]
async fn a_tls_connection_cut_short_counts_as_the_server_says() {
    let authority = Authority::new();
    let tls = authority.issue_local().server_config();
    for (said, size, well) in [
        ("226 done", "213 7", true),
        ("226 done", "502 no SIZE here", true),
        ("226 done", "213 8", false),
        ("426 it broke", "213 7", false),
    ] {
        let transfer = || {
            Script::new()
                .expect("RETR f")
                .say("150 here")
                .accept_data_tls(tls.clone())
                .send_data("content")
                .cut_data()
                .say(said)
        };
        let script = Script::logged_in()
            .answering(&[("PBSZ 0", "200 ok"), ("PROT P", "200 ok"), ("SIZE f", size)])
            .expect("AUTH TLS")
            .say("234 go")
            .start_tls(tls.clone())
            .then(transfer())
            .then(transfer())
            .serve_rest();
        let peer = Peer::serve(script).await;
        let config = config_tls(&peer, TlsMode::Explicit, &authority);
        let (client, log) = connect(config).await.unwrap();
        for content in [get_by_copy(&client, "f").await, get(&client, "f", 0).await] {
            match (well, content) {
                (true, Ok(content)) => assert_eq!(content, b"content"),
                (false, Err(error)) => assert!(error.is_retryable(), "{error}"),
                (_, other) => panic!("{said}: {other:?}\n{}", log.all()),
            }
        }
        assert_in_step(&client).await;
    }
}

/// Servers answer ABOR in every way; the next command must get its own answer all the same.
#[tokio::test]
async fn abor_may_be_answered_in_every_way() {
    for answers in [
        "426 aborted\r\n226 ABOR ok",
        "226 sent\r\n225 ABOR ok",
        "426 aborted\r\n225 ABOR ok",
        "226 one for both",
        "225 one for both",
        "426 one for both",
        "426 it broke\r\n502 ABOR?",
        "226 sent\r\n500 ABOR?",
        "451 failed\r\n226 ABOR ok",
    ] {
        let script = Script::new()
            .expect("RETR f")
            .say("150 here")
            .accept_data()
            .send_data(pattern(10_000))
            .expect("ABOR")
            .say(answers)
            .cut_data()
            .then(sends("RETR g", "next"));
        let (_peer, client) = client_after(script).await;
        let mut download = client.retr(&path("f"), 0).await.unwrap();
        download.read_exact(&mut [0; 1000]).await.unwrap();
        download.abort().await.unwrap();
        assert_eq!(client.pwd().await.unwrap(), path("/"), "{answers}");
        assert_eq!(get(&client, "g", 0).await.unwrap(), b"next", "{answers}");
        assert_in_step(&client).await;
    }
}

#[tokio::test]
async fn an_abor_without_an_answer_closes_the_session_in_time() {
    let script = Script::logged_in()
        .expect("RETR f")
        .say("150 here")
        .accept_data()
        .expect("ABOR")
        .delay(Duration::from_secs(15));
    let peer = Peer::serve(script).await;
    let client = connected(&peer, |c| c.timeouts.reply = Duration::from_millis(300)).await;
    let begun = Instant::now();
    let download = client.retr(&path("f"), 0).await.unwrap();
    let error = download.abort().await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Timeout(Waited::Reply), "{error}");
    assert!(client.is_closed() && begun.elapsed() < Duration::from_secs(5));
}

/// The server says no in the middle of an upload, and does not read any more.
#[tokio::test]
async fn an_upload_that_is_refused_half_way_ends_at_once() {
    let hold = Gate::new();
    let script = Script::logged_in()
        .expect("STOR f")
        .say("150 go on")
        .accept_data()
        .read_data_at_least(1)
        .say("552 no more room")
        .wait_for(&hold)
        .cut_data()
        .serve_rest();
    let peer = Peer::serve(script).await;
    let client = connected(&peer, |_| ()).await;
    let begun = Instant::now();
    let error = put_by_copy(&client, "f", &pattern(64 << 20))
        .await
        .unwrap_err();
    assert_eq!(error.reply().unwrap().code.value(), 552, "{error}");
    assert!(
        begun.elapsed() < Duration::from_secs(8),
        "{:?}",
        begun.elapsed()
    );
    hold.open();
    assert_in_step(&client).await;
}

#[tokio::test]
async fn a_transfer_that_stands_still_is_given_up_in_time() {
    let still = |tail: Script| {
        Script::logged_in()
            .expect("* f")
            .say("150 here")
            .accept_data()
            .send_data("a beginning")
            .then(tail)
    };
    let limit = Duration::from_millis(300);
    for turn in 0..4 {
        let aborted = Script::new()
            .expect("ABOR")
            .say("426 gone\r\n226 ok")
            .serve_rest();
        let peer = Peer::serve(still(aborted)).await;
        let client = connected(&peer, |config| config.timeouts.idle = limit).await;
        let begun = Instant::now();
        match turn {
            0 => {
                let error = get_by_copy(&client, "f").await.unwrap_err();
                assert_eq!(*error.kind(), ErrorKind::Timeout(Waited::Data), "{error}");
            }
            1 => {
                let mut download = client.retr(&path("f"), 0).await.unwrap();
                let error = download.read_to_end(&mut Vec::new()).await.unwrap_err();
                assert_eq!(error.kind(), std::io::ErrorKind::TimedOut, "{error}");
                download.finish().await.unwrap_err();
            }
            2 => {
                let file = file_with(&pattern(64 << 20));
                let upload = client.stor(&path("f"), 0).await.unwrap();
                let error = upload
                    .copy_from_file(file, Progress::default())
                    .await
                    .unwrap_err();
                assert_eq!(*error.kind(), ErrorKind::Timeout(Waited::Data), "{error}");
            }
            _ => {
                let mut upload = client.stor(&path("f"), 0).await.unwrap();
                let error = upload.write_all(&pattern(64 << 20)).await.unwrap_err();
                assert_eq!(error.kind(), std::io::ErrorKind::TimedOut, "{error}");
                drop(upload);
            }
        }
        assert_in_step(&client).await;
        assert!(begun.elapsed() < Duration::from_secs(8), "{turn}");
    }
}

/// All data is here, the last word never comes; or the server leaves in between.
#[tokio::test]
async fn a_transfer_without_a_last_word_is_not_complete() {
    let begin = || {
        Script::logged_in()
            .expect("RETR f")
            .say("150 here")
            .accept_data()
            .send_data("content")
    };
    let silence = Duration::from_secs(15);
    for (script, kind) in [
        (
            begin().close_data().delay(silence),
            ErrorKind::Timeout(Waited::Reply),
        ),
        (begin().close_data().close(), ErrorKind::Lost),
        (begin().close_data().reset(), ErrorKind::Lost),
        (
            begin().say("421 shutting down").close_data(),
            ErrorKind::Busy,
        ),
        (
            begin().close_data().say("what?").expect_close(),
            ErrorKind::Protocol,
        ),
    ] {
        for copy in [false, true] {
            let peer = Peer::serve(script.clone()).await;
            let client = connected(&peer, |c| c.timeouts.reply = Duration::from_millis(400)).await;
            let outcome = match copy {
                true => get_by_copy(&client, "f").await,
                false => get(&client, "f", 0).await,
            };
            let error = outcome.unwrap_err();
            assert_eq!(*error.kind(), kind, "{error}");
            assert!(client.is_closed(), "{kind:?}");
        }
    }
}
