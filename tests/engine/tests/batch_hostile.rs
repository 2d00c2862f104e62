//! Servers that are confused by many commands at once, or spiteful in the middle of a batch: no file is lost, mixed up or
//! taken for whole, and nothing is waited for without end.
#![allow(clippy::unwrap_used, unused_crate_dependencies)]

use std::time::Duration;

use engine_tests::{
    batches::{
        all_come, client_of, each, fetch, files, greets, queues, sends_first, store, went_together,
    },
    path,
    scripted::sends,
};
use ftp_client::{ErrorKind, HostMemory, StoreFile, StoreThen};
use support::{Gate, Peer, Script};

/// Replies that can't be those that were asked for: a new connection, the affected files once more, and one by one from then on.
#[tokio::test]
async fn replies_out_of_order_and_too_many_and_missing() {
    let opened = |say: &str| {
        sends_first()
            .expect("RETR /f1")
            .say("150 here")
            .accept_data()
            .send_data("wrong")
            .close_data()
            .say(say)
    };
    let cases = [
        // The next data port before the end of the transfer, as a server that looks at commands meanwhile.
        (
            "order",
            opened("229 Entering Extended Passive Mode (|||9|)"),
        ),
        ("1xx again", opened("150 here")),
        (
            "two ends",
            sends_first().then(sends("RETR /f1", "1")).say("226 done"),
        ),
        ("no port", sends_first().expect("EPSV").say("200 fine")),
        (
            "silence",
            opened("150-and").delay(Duration::from_millis(700)),
        ),
        ("no end", {
            let begun = sends_first()
                .expect("RETR /f1")
                .say("150 here")
                .accept_data();
            begun.send_data("1").close_data()
        }),
    ];
    for (case, first) in cases {
        // What went well is not asked for again.
        let left = if case == "two ends" { 2..5 } else { 1..5 };
        let second = queues().then(each(left)).serve_rest();
        let hosts = HostMemory::default();
        let log = all_come(5, vec![first.serve_rest(), second], |config| {
            config.hosts = hosts.clone();
            config.timeouts.reply = Duration::from_millis(400);
        })
        .await;
        assert!(went_together(&log), "{case}");
        let demoted = log.all().contains("one command at a time");
        assert!(demoted, "{case}\n{}", log.all());
    }
}

/// A server that was confused is remembered: the next session sends one command at a time from the beginning.
#[tokio::test]
async fn a_confused_server_is_remembered() {
    let first = sends_first()
        .then(sends("RETR /f1", "1"))
        .say("226 done")
        .serve_rest();
    let second = queues().then(each(2..4)).serve_rest();
    let third = queues().then(each(0..4)).serve_rest();
    let peer = Peer::serve_each(vec![first, second, third]).await;
    let hosts = HostMemory::default();
    let (client, log) = client_of(&peer, |config| config.hosts = hosts.clone()).await;
    let (outcomes, ended) = fetch(&client, files(4)).await;
    ended.unwrap();
    assert!(outcomes.values().all(Result::is_ok), "{}", log.all());
    assert!(went_together(&log));
    let (client, log) = client_of(&peer, |config| config.hosts = hosts.clone()).await;
    let (outcomes, ended) = fetch(&client, files(4)).await;
    ended.unwrap();
    assert!(outcomes.values().all(Result::is_ok), "{}", log.all());
    assert!(!went_together(&log), "{}", log.all());
}

/// Refusals of the moment among others: the file is asked for once more, by itself. If that goes well, the others were to blame.
#[tokio::test]
async fn refusals_that_may_be_confusion_are_tried_once_more() {
    for refusal in ["450 busy", "500 what?", "503 bad sequence", "425 no data"] {
        let script = sends_first()
            .then(sends("RETR /f1", "1"))
            .expect("RETR /f2")
            .say(refusal)
            .then(sends("RETR /f3", "3"))
            .then(sends("RETR /f2", "2"))
            .serve_rest();
        let log = all_come(4, vec![script], |_| {}).await;
        assert!(log.all().contains("one command at a time"), "{refusal}");
    }
    // If it doesn't, it was the file.
    let script = sends_first()
        .then(sends("RETR /f1", "1"))
        .expect("RETR /f2")
        .say("450 busy")
        .then(sends("RETR /f3", "3"))
        .expect("RETR /f2")
        .say("450 still busy")
        .serve_rest();
    let peer = Peer::serve(script).await;
    let (client, log) = client_of(&peer, |_| {}).await;
    let (outcomes, ended) = fetch(&client, files(4)).await;
    ended.unwrap();
    let error = outcomes[&2].as_ref().unwrap_err();
    assert_eq!(error.reply().unwrap().code.value(), 450, "{error}");
    assert!(outcomes[&3].is_ok());
    assert!(!log.all().contains("one command at a time"));
}

#[tokio::test]
async fn a_missing_file_fails_alone() {
    let script = sends_first()
        .then(sends("RETR /f1", "1"))
        .expect("RETR /f2")
        .say("550 no such file")
        .then(each(3..6))
        .serve_rest();
    let peer = Peer::serve(script).await;
    let (client, log) = client_of(&peer, |_| {}).await;
    let (outcomes, ended) = fetch(&client, files(6)).await;
    ended.unwrap();
    for (index, outcome) in &outcomes {
        match outcome {
            Ok(file) => assert_eq!(file.data, index.to_string().as_bytes()),
            Err(error) => assert_eq!((*index, error.kind()), (2, &ErrorKind::NotFound)),
        }
    }
    assert!(outcomes[&2].is_err() && outcomes.len() == 6);
    assert!(went_together(&log));
    client.noop().await.unwrap();
}

/// 421, and a connection that breaks: what was done by then is told, the rest has no outcome.
#[tokio::test]
async fn the_end_of_the_connection_in_the_middle() {
    for busy in [true, false] {
        let begun = sends_first()
            .then(sends("RETR /f1", "1"))
            .expect("RETR /f2");
        let script = if busy {
            begun.say("421 going down").close()
        } else {
            begun.say("150 here").accept_data().send_data("ab").reset()
        };
        let after = queues().then(each(0..5)).serve_rest();
        let peer = Peer::serve_each(vec![script, after]).await;
        let hosts = HostMemory::default();
        let (client, log) = client_of(&peer, |config| config.hosts = hosts.clone()).await;
        let (outcomes, ended) = fetch(&client, files(5)).await;
        let error = ended.unwrap_err();
        let wanted = if busy {
            ErrorKind::Busy
        } else {
            ErrorKind::Lost
        };
        assert_eq!(*error.kind(), wanted, "{error}\n{}", log.all());
        assert!(error.is_fatal() && client.is_closed());
        let done: Vec<usize> = outcomes.keys().copied().collect();
        assert_eq!(done, [0, 1]);
        // It may have been the many commands, so the next session is careful.
        let (client, log) = client_of(&peer, |config| config.hosts = hosts.clone()).await;
        let (outcomes, ended) = fetch(&client, files(5)).await;
        ended.unwrap();
        assert!(outcomes.values().all(Result::is_ok), "{}", log.all());
        assert!(!went_together(&log));
    }
}

#[tokio::test]
async fn endless_data_is_cut_off_and_the_others_come() {
    let first = sends_first()
        .expect("RETR /f1")
        .say("150 here")
        .accept_data()
        .flood_data(vec![b'x'; 65536], 10_000)
        .serve_rest();
    let second = queues().then(each(2..5)).serve_rest();
    let peer = Peer::serve_each(vec![first, second]).await;
    let (client, log) = client_of(&peer, |_| {}).await;
    let mut wanted = files(5);
    wanted[1].most = 100_000;
    let (outcomes, ended) = fetch(&client, wanted).await;
    ended.unwrap_or_else(|error| panic!("{error}\n{}", log.all()));
    assert_eq!(
        *outcomes[&1].as_ref().unwrap_err().kind(),
        ErrorKind::TooLong
    );
    assert_eq!(
        outcomes.values().filter(|outcome| outcome.is_ok()).count(),
        4
    );
    // Not its fault: it goes on with many at once.
    assert!(!log.all().contains("one command at a time"));
}

/// A size that is not the announced one could be another file's data: it is believed when it comes by itself.
#[tokio::test]
async fn another_size_than_announced_is_fetched_once_more() {
    let script = sends_first()
        .then(sends("RETR /f1", "wrong"))
        .then(sends("RETR /f2", "2"))
        .then(sends("RETR /f1", "1"))
        .serve_rest();
    let peer = Peer::serve(script).await;
    let (client, log) = client_of(&peer, |_| {}).await;
    let mut wanted = files(3);
    wanted[1].size = Some(1);
    let (outcomes, ended) = fetch(&client, wanted).await;
    ended.unwrap();
    assert_eq!(outcomes[&1].as_ref().unwrap().data, b"1", "{}", log.all());
    assert_eq!(outcomes[&2].as_ref().unwrap().data, b"2");
}

/// Nobody knows this server: a few commands that do nothing come first, and where these are not answered well, no
/// transfers are sent together.
#[tokio::test]
async fn an_unknown_server_is_probed_first() {
    for (answer, together) in [
        ("200 ok", true),
        ("502 no NOOP", false),
        ("200 ok\r\n200 ok", false),
    ] {
        let script = greets("220 welcome")
            .answering(&[("NOOP", answer)])
            .then(each(0..6))
            .serve_rest();
        let log = all_come(6, vec![script], |_| {}).await;
        assert_eq!(went_together(&log), together, "{answer}\n{}", log.all());
    }
    // These are known to be confused.
    for greeting in ["220 pyftpdlib 1.5.7 ready.", "220 Microsoft FTP Service"] {
        let script = greets(greeting).then(each(0..6)).serve_rest();
        let log = all_come(6, vec![script], |_| {}).await;
        assert!(!went_together(&log) && !log.sent().contains(&"NOOP".to_owned()));
    }
}

/// Whoever stops listening doesn't wait for a file that stands still.
#[tokio::test]
async fn a_batch_that_nobody_wants_any_more_is_left() {
    let begun = Gate::new();
    let script = sends_first()
        .expect("RETR /f1")
        .say("150 here")
        .accept_data()
        .send_data("1")
        .signal(&begun)
        .delay(Duration::from_secs(15));
    let peer = Peer::serve(script).await;
    let (client, _) = client_of(&peer, |_| {}).await;
    let (sender, outcomes) = tokio::sync::mpsc::unbounded_channel();
    let fetching = client.fetch_many(files(5), ftp_client::BatchOptions::default(), sender);
    let begin = std::time::Instant::now();
    let (ended, ()) = tokio::join!(fetching, async {
        begun.passed().await;
        drop(outcomes);
    });
    assert_eq!(*ended.unwrap_err().kind(), ErrorKind::Cancelled);
    assert!(begin.elapsed() < Duration::from_secs(5));
    assert!(client.is_closed());
}

fn stored(index: usize, then: StoreThen) -> StoreFile {
    StoreFile {
        path: path(&format!("/f{index}")),
        data: index.to_string().into_bytes(),
        then,
    }
}

fn takes(name: &str) -> Script {
    Script::new()
        .expect(&format!("STOR {name}"))
        .say("150 go on")
        .accept_data()
        .read_data()
        .close_data()
        .say("226 done")
}

/// A size that is not that of the data is a failure, and then the file is not renamed over a good one.
#[tokio::test]
async fn an_upload_that_lost_bytes_does_not_get_its_name() {
    let then = |index: usize| StoreThen {
        rename_to: Some(path(&format!("/done{index}"))),
        want_size: true,
        ..StoreThen::default()
    };
    let script = queues()
        .then(takes("/f0"))
        .expect("SIZE /f0")
        .say("213 1")
        .expect("RNFR /f0")
        .say("350 on")
        .expect("RNTO /done0")
        .say("250 ok")
        .then(takes("/f1"))
        .expect("SIZE /f1")
        .say("213 0")
        .then(takes("/f2"))
        .expect("SIZE /f2")
        .say("213 1")
        .expect("RNFR /f2")
        .say("350 on")
        .expect("RNTO /done2")
        .say("553 not that name")
        .serve_rest();
    let peer = Peer::serve(script).await;
    let (client, log) = client_of(&peer, |_| {}).await;
    let files = (0..3).map(|index| stored(index, then(index))).collect();
    let (outcomes, ended) = store(&client, files).await;
    ended.unwrap_or_else(|error| panic!("{error}\n{}", log.all()));
    let done = outcomes[&0].as_ref().unwrap();
    assert_eq!(done.size, Some(1));
    assert!(matches!(done.renamed, Some(Ok(()))));
    assert_eq!(
        *outcomes[&1].as_ref().unwrap_err().kind(),
        ErrorKind::Truncated
    );
    let refused = outcomes[&2].as_ref().unwrap().renamed.clone().unwrap();
    assert_eq!(refused.unwrap_err().reply().unwrap().code.value(), 553);
    client.quit().await.unwrap();
    peer.finish().await;
}

/// 450 in the middle of uploads, as one server says to whatever it hears meanwhile.
#[tokio::test]
async fn uploads_that_confuse_a_server_are_sent_once_more() {
    let script = queues()
        .then(takes("/f0"))
        .then(takes("/f1"))
        .expect("STOR /f2")
        .say("450 not now")
        .then(takes("/f3"))
        .then(takes("/f2"))
        .serve_rest();
    let peer = Peer::serve(script).await;
    let (client, log) = client_of(&peer, |_| {}).await;
    let files = (0..4)
        .map(|index| stored(index, StoreThen::default()))
        .collect();
    let (outcomes, ended) = store(&client, files).await;
    ended.unwrap();
    assert!(outcomes.values().all(Result::is_ok), "{}", log.all());
    client.quit().await.unwrap();
    assert_eq!(peer.finish().await.data().concat(), b"0132");
}
