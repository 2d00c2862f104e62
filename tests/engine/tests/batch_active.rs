//! Batches in which the server opens the data connections: where it saves time and the server reaches us.
#![allow(clippy::unwrap_used, unused_crate_dependencies)]

use std::time::Duration;

use engine_tests::{
    batches::{all_come, client_of, each, fetch, files, queues, went_together},
    scripted::sends,
};
use ftp_client::{DataMode, HostMemory};
use support::{Gate, Peer, Script};

/// In active mode: the server never comes. The file is moved by itself then, on a connection that is in step.
#[tokio::test]
async fn active_mode_where_the_server_never_comes() {
    let dials = |file: &str, data: &str| {
        Script::new()
            .expect("EPRT *")
            .dial_data()
            .say("200 ok")
            .expect(file)
            .say("150 here")
            .send_data(data)
            .close_data()
            .say("226 done")
    };
    let first = queues()
        .then(dials("RETR /f0", "0"))
        .expect("PORT *")
        .say("200 ok")
        .expect("RETR /f1")
        .say("150 here")
        .serve_rest();
    let second = queues()
        .then(dials("RETR /f1", "1"))
        .then(dials("RETR /f2", "2"))
        .serve_rest();
    all_come(3, vec![first, second], |config| {
        config.data = DataMode::Active;
        config.timeouts.connect = Duration::from_millis(300);
    })
    .await;
}

/// Somebody else is faster at the port that we opened for the server.
#[tokio::test]
async fn data_from_a_foreign_address_is_not_taken() {
    let (asked, intruded) = (Gate::new(), Gate::new());
    let script = queues()
        .expect("EPRT *")
        .dial_data()
        .say("200 ok")
        .expect("RETR /f0")
        .say("150 here")
        .send_data("0")
        .close_data()
        .say("226 done")
        .expect("PORT *")
        .signal(&asked)
        .wait_for(&intruded)
        .dial_data()
        .say("200 ok")
        .expect("RETR /f1")
        .say("150 here")
        .send_data("1")
        .close_data()
        .say("226 done")
        .serve_rest();
    let peer = Peer::serve(script).await;
    let (client, log) = client_of(&peer, |config| config.data = DataMode::Active).await;
    let intruder = async {
        asked.passed().await;
        let sent = log.sent();
        let line = sent.iter().find(|line| line.starts_with("PORT")).unwrap();
        let numbers: Vec<u16> = line[5..].split(',').map(|n| n.parse().unwrap()).collect();
        let port = numbers[4] << 8 | numbers[5];
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
        let address = format!("127.0.0.1:{port}").parse().unwrap();
        let mut stream = socket.connect(address).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"evil")
            .await
            .unwrap();
        intruded.open();
        stream
    };
    let (outcomes, stream) = tokio::join!(fetch(&client, files(2)), intruder);
    outcomes.1.unwrap();
    assert_eq!(outcomes.0[&1].as_ref().unwrap().data, b"1", "{}", log.all());
    drop(stream);
}

/// A server behind a long way: each answer takes a while.
fn far(steps: &[(&str, &str)]) -> Script {
    steps
        .iter()
        .fold(Script::new(), |script, (wanted, answer)| {
            script
                .expect(wanted)
                .delay(Duration::from_millis(12))
                .say(answer)
        })
}

fn far_login() -> Script {
    queues().then(far(&[
        ("USER *", "331 and the password?"),
        ("PASS *", "230 come in"),
    ]))
}

fn far_alone(index: usize) -> Script {
    far(&[("EPSV", "229 Entering Extended Passive Mode (|||{port}|)")])
        .then(sends(&format!("RETR /f{index}"), index.to_string()))
}

fn dialled(index: usize) -> Script {
    Script::new()
        .expect("PORT *")
        .dial_data()
        .say("200 ok")
        .expect(&format!("RETR /f{index}"))
        .say("150 here")
        .send_data(index.to_string())
        .close_data()
        .say("226 done")
}

/// On a long way one transfer tries whether the server reaches us; then it opens all data connections.
#[tokio::test]
async fn a_server_that_reaches_us_over_a_long_way_opens_the_data_connections() {
    let script = (1..8).fold(far_login().then(far_alone(0)), |script, index| {
        script.then(dialled(index))
    });
    let log = all_come(8, vec![script.serve_rest()], |_| {}).await;
    assert!(went_together(&log), "{}", log.all());
}

/// And one that doesn't: it costs three seconds, once, and never again as long as it is remembered.
#[tokio::test]
async fn a_server_that_does_not_reach_us_is_not_waited_for_twice() {
    let refused = far_login()
        .then(far_alone(0))
        .expect("PORT *")
        .say("500 not here")
        .expect("RETR /f1")
        .say("425 no data connection")
        .then(each(1..8))
        .serve_rest();
    let silent = far_login()
        .then(far_alone(0))
        .expect("PORT *")
        .say("200 ok")
        .expect("RETR /f1")
        .delay(Duration::from_secs(4))
        .serve_rest();
    let second = queues().then(each(1..8)).serve_rest();
    for scripts in [vec![refused], vec![silent, second]] {
        let hosts = HostMemory::default();
        let log = all_come(8, scripts, |config| config.hosts = hosts.clone()).await;
        let ports = log
            .sent()
            .iter()
            .filter(|line| line.starts_with("PORT"))
            .count();
        assert_eq!(ports, 1, "{}", log.all());
        assert!(
            !log.all().contains("one command at a time"),
            "{}",
            log.all()
        );
    }
}
