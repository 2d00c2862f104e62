//! The scripted peer plays both sides, in the clear and in TLS, and notices when the other side strays.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use support::{Authority, Gate, Peer, Script};

#[tokio::test]
async fn standing_answers_bridge_to_the_expected_line() {
    let server = Script::logged_in()
        .expect("RETR *.txt")
        .accept_data()
        .say("150 here it comes")
        .send_data("hello")
        .close_data()
        .say("226 done")
        .serve_rest();
    let peer = Peer::serve(server).await;
    let client = Script::new()
        .expect("220*")
        .say("USER x")
        .expect("331*")
        .say("PASS y")
        .expect("230*")
        .say("EPSV")
        .expect("229*")
        .dial_data()
        .say("RETR a.txt")
        .expect("150*")
        .read_data()
        .expect("226*")
        .say("XYZZY")
        .expect("500*")
        .close();
    let seen = client.connect(peer.addr()).await.unwrap();
    assert_eq!(seen.data(), [b"hello"]);
    let transcript = peer.finish().await;
    assert_eq!(
        transcript.received_lines(),
        ["USER x", "PASS y", "EPSV", "RETR a.txt", "XYZZY"]
    );
}

#[tokio::test]
async fn a_stray_line_fails_with_the_transcript() {
    let peer = Peer::serve(Script::new().say("220 hi").expect("QUIT")).await;
    Script::new()
        .expect("220*")
        .say("STAT")
        .expect_close()
        .connect(peer.addr())
        .await
        .unwrap();
    let error = peer.outcomes().await.remove(0).unwrap_err();
    assert!(error.what.contains("STAT"), "{error}");
    assert!(error.to_string().contains("-> 220 hi"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_script_ends_when_its_time_is_over() {
    let peer = Peer::serve(Script::new().within(Duration::from_secs(3)).expect("QUIT")).await;
    let client = Script::new().within(Duration::from_secs(60)).expect_close();
    client.connect(peer.addr()).await.unwrap();
    let error = peer.outcomes().await.remove(0).unwrap_err();
    assert!(error.what.contains("3s"), "{error}");
}

#[tokio::test]
async fn tls_on_both_connections_and_both_ways_of_closing() {
    let authority = Authority::new();
    let (server_tls, client_tls) = (
        authority.issue_local().server_config(),
        authority.client_config(),
    );
    let opening = || {
        Script::new()
            .say("220 hi")
            .expect("AUTH TLS")
            .say("234 go")
            .start_tls(server_tls.clone())
            .expect("EPSV")
            .say("229 here (|||{port}|)")
            .expect("RETR x")
            .say("150 ok")
            .accept_data_tls(server_tls.clone())
            .send_data("data")
    };
    let closing = opening().close_data().say("226 ok").expect("QUIT").close();
    let cutting = opening().cut_data().say("226 ok").expect("QUIT").close();
    let peer = Peer::serve_each(vec![closing, cutting]).await;
    let client = || {
        Script::new()
            .expect("220*")
            .say("AUTH TLS")
            .expect("234*")
            .start_tls_as_client(client_tls.clone(), "localhost")
            .say("EPSV")
            .expect("229*")
            .say("RETR x")
    };
    let read = |script: Script| {
        script
            .dial_after_150(&client_tls)
            .read_data()
            .expect("226*")
            .say("QUIT")
            .expect_close()
    };
    let good = read(client()).connect(peer.addr()).await.unwrap();
    assert_eq!(good.data(), [b"data"]);
    let cut = read(client()).connect(peer.addr()).await.unwrap_err();
    assert!(cut.what.contains("after 4 bytes"), "{cut}");
    drop(peer);
}

/// The data address stands in the 229, so the connection is made before the 150 is read.
trait DialFirst {
    fn dial_after_150(self, tls: &std::sync::Arc<rustls::ClientConfig>) -> Script;
}

impl DialFirst for Script {
    fn dial_after_150(self, tls: &std::sync::Arc<rustls::ClientConfig>) -> Script {
        self.dial_data_tls(tls.clone(), "localhost").expect("150*")
    }
}

#[tokio::test]
async fn plain_bytes_before_tls_are_noticed() {
    let config = Authority::new().issue_local().server_config();
    let server = Script::new()
        .say("220 hi")
        .expect("AUTH TLS")
        .say("234 go")
        .start_tls(config);
    let peer = Peer::serve(server).await;
    let client = Script::new()
        .expect("220*")
        .send("AUTH TLS\r\nUSER evil\r\n")
        .expect("234*")
        .expect_close();
    client.connect(peer.addr()).await.unwrap();
    let error = peer.outcomes().await.remove(0).unwrap_err();
    assert!(error.what.contains("plain bytes before TLS"), "{error}");
}

#[tokio::test]
async fn gates_order_a_test_and_a_peer() {
    let (reached, go) = (Gate::new(), Gate::new());
    let peer = Peer::serve(
        Script::new()
            .say("220 hi")
            .signal(&reached)
            .wait_for(&go)
            .reset(),
    )
    .await;
    let client = tokio::spawn(
        Script::new()
            .expect("220*")
            .expect_close()
            .connect(peer.addr()),
    );
    reached.passed().await;
    assert!(!client.is_finished());
    go.open();
    client.await.unwrap().unwrap();
    peer.finish().await;
}

#[tokio::test]
async fn repeats_dribbles_and_floods() {
    let server = Script::new()
        .repeat(3, Script::new().expect("NOOP").dribble("200 ok\r\n", 1))
        .expect("EPSV")
        .say("229 (|||{port}|)")
        .accept_data()
        .flood_data(vec![b'x'; 1 << 16], 1 << 20)
        .expect_close();
    let peer = Peer::serve(server).await;
    let client = Script::new()
        .repeat(3, Script::new().say("NOOP").expect("200 ok"))
        .say("EPSV")
        .expect("229*")
        .dial_data()
        .read_data_at_least(1 << 20)
        .reset_data()
        .close();
    let seen = client.connect(peer.addr()).await.unwrap();
    assert!(seen.data()[0].iter().all(|&byte| byte == b'x'));
    peer.finish().await;
}
