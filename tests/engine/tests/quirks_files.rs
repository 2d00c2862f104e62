//! Files on servers with habits of their own: sizes, times, texts, copies, room, hashes. The rows T1 to T8, T11 and T12 of docs/quirks.md.
#![allow(clippy::unwrap_used, unused_crate_dependencies)]

use engine_tests::{
    Log, config_for, connect,
    files::get,
    names, path,
    queueing::{assert_done, finished, queue_to},
    scripted::{client_of, config, sends},
};
use ftp_client::{
    BatchOptions, Client, ErrorKind, HashAlgorithm, HostMemory, LineEnd, LogKind, Progress,
    StoreFile, StoreThen, Stored,
};
use jiff::Timestamp;
use support::{Kind as ServerKind, Options as ServerOptions, Peer, RealServer, Script, Tls};
use tokio::sync::mpsc;
use transfer::{
    ConflictRule, Direction, ItemKind, KeepTime, NewTransfer, Options, SiteKey, UploadName,
};

/// A session with these features; whatever isn't expected is answered by the table.
async fn session(features: &str, table: &[(&str, &str)], script: Script) -> (Peer, Client, Log) {
    let feat = format!(
        "211-Features:\r\n {}\r\n211 End",
        features.replace('|', "\r\n ")
    );
    let script = Script::logged_in()
        .answering(&[("FEAT", feat.as_str())])
        .answering(table)
        .then(script)
        .serve_rest();
    client_of(script).await
}

fn time() -> Timestamp {
    "2020-01-02T03:04:05Z".parse().unwrap()
}

/// What was sent from this command on.
fn since(log: &Log, first: &str) -> Vec<String> {
    let sent = log.sent();
    let at = sent.iter().position(|line| line.starts_with(first));
    sent[at.unwrap_or(sent.len())..].to_vec()
}

#[tokio::test]
async fn t1_sizes_are_of_type_i_and_found_behind_words() {
    for (said, size) in [
        ("213 5", 5),
        ("213 the size is 5", 5),
        ("213 size=12345678901", 12_345_678_901),
        ("250 0", 0),
    ] {
        let (_peer, client, _) = session("SIZE", &[("SIZE f", said)], Script::new()).await;
        assert_eq!(client.size(&path("f")).await.unwrap(), size, "{said}");
    }
    for said in ["213 no idea", "213", "213 -1", "213 99999999999999999999"] {
        let (_peer, client, _) = session("SIZE", &[("SIZE f", said)], Script::new()).await;
        let error = client.size(&path("f")).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Protocol, "{said}");
        client.noop().await.unwrap();
    }
    // A server that has gone back to TYPE A by itself, and one that was sent there by hand.
    let script = Script::new()
        .expect("SIZE f")
        .say("550 SIZE not allowed in ASCII mode")
        .expect("TYPE I")
        .say("200 binary")
        .expect("SIZE f")
        .say("213 7")
        .expect("TYPE A")
        .say("200 text")
        .expect("TYPE I")
        .say("200 binary")
        .expect("SIZE f")
        .say("213 7");
    let (_peer, client, _) = session("SIZE", &[], script).await;
    assert_eq!(client.size(&path("f")).await.unwrap(), 7);
    client.raw("TYPE A").await.unwrap();
    assert_eq!(client.size(&path("f")).await.unwrap(), 7);
}

#[tokio::test]
async fn t1_what_the_150_announces_is_told() {
    let announce = |said: &str| {
        Script::new()
            .expect("RETR f")
            .say(said)
            .accept_data()
            .send_data("five!")
            .close_data()
            .say("226 done")
    };
    for (said, announced) in [
        (
            "150 Opening BINARY mode data connection for f (5 bytes).",
            Some(5),
        ),
        ("150-Accepted\r\n150 0.0 kbytes to download", None),
    ] {
        let (_peer, client, _) = session("SIZE", &[("SIZE *", "213 0")], announce(said)).await;
        // Nobody can trust a 0.
        assert_eq!(client.size(&path("f")).await.unwrap(), 0);
        let download = client.retr(&path("f"), 0).await.unwrap();
        assert_eq!(download.announced(), announced, "{said}");
        let file = tempfile::tempfile().unwrap();
        let bytes = download.copy_to_file(file, Progress::default()).await;
        assert_eq!(bytes.unwrap(), 5);
    }
}

#[tokio::test]
async fn t2_the_size_of_a_folder_may_take_many_lines() {
    let said = "550-The system cannot find the file specified. \r\n Win32 error:   Access is denied. \r\n \
                Error details: File system denied the access.\r\n550 End";
    let (_peer, client, _) = session("SIZE", &[("SIZE d", said)], Script::new()).await;
    let error = client.size(&path("d")).await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Refused),
        "{error:?}"
    );
    assert_eq!(error.reply().unwrap().lines.len(), 4);
    client.noop().await.unwrap();
}

#[tokio::test]
async fn t3_not_there_is_told_from_not_known() {
    for (said, kind) in [
        ("550 f: No such file or directory", ErrorKind::NotFound),
        ("550 something", ErrorKind::NotFound),
        ("500 'SIZE': command not understood", ErrorKind::Unsupported),
        ("502 no", ErrorKind::Unsupported),
        ("500 File not found", ErrorKind::NotFound),
        ("550 f: Permission denied", ErrorKind::Refused),
    ] {
        let (_peer, client, _) = session("SIZE", &[("SIZE f", said)], Script::new()).await;
        let error = client.size(&path("f")).await.unwrap_err();
        assert_eq!(*error.kind(), kind, "{said}");
    }
    // The words stand in the name.
    let name = "no such file.txt";
    let said = format!("500 'SIZE {name}' not understood");
    let (_peer, client, _) = session("SIZE", &[("SIZE *", said.as_str())], Script::new()).await;
    let error = client.size(&path(name)).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn t4_times_as_servers_get_them_wrong() {
    for (said, told) in [
        ("213 20200102030405", "2020-01-02T03:04:05Z"),
        ("213 191200102030405", "2020-01-02T03:04:05Z"),
        ("213 20200102030405.250", "2020-01-02T03:04:05.25Z"),
        ("213 MDTM 20200102030405", "2020-01-02T03:04:05Z"),
        ("213  20200102030405 ", "2020-01-02T03:04:05Z"),
    ] {
        let (_peer, client, _) = session("MDTM", &[("MDTM f", said)], Script::new()).await;
        let time = client.mdtm(&path("f")).await.unwrap();
        assert_eq!(time.to_string(), told, "{said}");
    }
    for said in [
        "213 20201302030405",
        "213 yesterday",
        "213",
        "213 2020",
        "213 99999999999999",
    ] {
        let (_peer, client, _) = session("MDTM", &[("MDTM f", said)], Script::new()).await;
        let error = client.mdtm(&path("f")).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Protocol, "{said}");
        client.noop().await.unwrap();
    }
}

/// Each server has one way and refuses the others in its own words.
#[tokio::test]
async fn t5_times_are_set_in_the_way_that_the_server_has() {
    let stamp = "20200102030405";
    let five = format!("SITE UTIME f {stamp} {stamp} {stamp} UTC");
    let two = format!("SITE UTIME {stamp} f");
    let mdtm = format!("MDTM {stamp} f");
    let help = "214-SITE commands:\r\n CHMOD UTIME\r\n214 End";
    let told = "213 20200102030405";
    for (features, table, last) in [
        (
            "MFMT|MFF modify;",
            &[("MFMT *", "213 Modify=20200102030405; f")][..],
            "MFMT",
        ),
        (
            "MFF Modify;UNIX.mode;",
            &[("MFF modify=20200102030405; f", "213 ok")],
            "MFF",
        ),
        (
            "MFMT|MFF modify;",
            &[("MFMT *", "500 ?"), ("MFF *", "213 ok")],
            "MFF",
        ),
        (
            "MDTM|SITE UTIME",
            &[(five.as_str(), "200 ok")],
            "SITE UTIME f",
        ),
        (
            "MDTM",
            &[("SITE HELP", help), (five.as_str(), "200 ok")],
            "SITE UTIME f",
        ),
        (
            "MDTM",
            &[
                ("SITE HELP", help),
                ("SITE UTIME *", "501 syntax"),
                (two.as_str(), "200 ok"),
                ("MDTM f", told),
            ],
            "SITE UTIME 2",
        ),
        (
            "MDTM",
            &[
                ("SITE HELP", "502 no"),
                ("MDTM f", told),
                (mdtm.as_str(), "213 set"),
            ],
            "MDTM 2",
        ),
    ] {
        let (_peer, client, log) = session(features, table, Script::new()).await;
        for _ in 0..3 {
            client.mfmt(&path("f"), time()).await.unwrap();
        }
        let sent = log.sent();
        let times = sent.iter().filter(|line| line.starts_with(last)).count();
        assert_eq!(times, 3, "{features}\n{}", log.all());
        // What does not work was tried once.
        let tries = sent
            .iter()
            .filter(|line| {
                ["MFMT", "MFF", "SITE UTIME", "MDTM 2"]
                    .iter()
                    .any(|w| line.starts_with(w))
            })
            .count();
        assert!(tries <= 5, "{features}\n{}", log.all());
    }
}

#[tokio::test]
async fn t5_a_server_without_a_way_is_asked_once() {
    let (_peer, client, log) = session(
        "MDTM",
        &[
            ("SITE HELP", "214 CHMOD"),
            ("MDTM 2*", "550 no such file"),
            ("MDTM f", "213 20110101000000"),
        ],
        Script::new(),
    )
    .await;
    for _ in 0..3 {
        let error = client.mfmt(&path("f"), time()).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Unsupported);
    }
    let tries = log
        .sent()
        .iter()
        .filter(|line| line.starts_with("MDTM 2"))
        .count();
    assert_eq!(tries, 1, "{}", log.all());
}

#[tokio::test]
async fn t5_a_missing_file_or_a_refusal_teaches_nothing() {
    let table = [
        ("SITE HELP", "214 CHMOD"),
        ("MDTM 2* f", "213 set"),
        ("MDTM f", "213 20200102030405"),
        ("MDTM 2* gone", "550 no such file"),
        ("MDTM gone", "550 no such file"),
        ("MDTM 2* locked", "550 Permission denied"),
    ];
    let (_peer, client, _) = session("MDTM", &table, Script::new()).await;
    let error = client.mfmt(&path("gone"), time()).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::NotFound);
    let error = client.mfmt(&path("locked"), time()).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Refused);
    client.mfmt(&path("f"), time()).await.unwrap();
}

/// A form that doesn't say UTC may be taken for another zone: then it is not used.
#[tokio::test]
async fn t5_what_sets_another_time_is_not_believed() {
    let table = [
        ("SITE HELP", "214 UTIME"),
        ("SITE UTIME f *", "501 two words, please"),
        ("SITE UTIME 2*", "200 done"),
        ("MDTM 2*", "550 no such file"),
        ("MDTM f", "213 20200102040405"),
    ];
    let (_peer, client, log) = session("MDTM", &table, Script::new()).await;
    let error = client.mfmt(&path("f"), time()).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Unsupported);
    assert_eq!(log.lines(LogKind::Warning).len(), 1, "{}", log.all());
}

/// The next session, and batches, know what one file has found out.
#[tokio::test]
async fn t5_the_way_is_remembered_for_the_host_and_used_by_batches() {
    let table = [
        ("FEAT", "211-F\r\n MDTM\r\n SIZE\r\n211 End"),
        ("SITE HELP", "214 CHMOD"),
        ("MDTM 2*", "213 set"),
        ("MDTM f", "213 20200102030405"),
        ("MDTM a.part", "213 20200102030405"),
        ("RNFR *", "350 and to?"),
        ("RNTO *", "250 done"),
        ("PASV", "502 no"),
    ];
    let upload = |name: &str| {
        Script::new()
            .expect(&format!("STOR {name}"))
            .say("150 go on")
            .accept_data()
            .read_data()
            .close_data()
            .say("226 done")
    };
    let script = Script::logged_in()
        .answering(&table)
        .then(upload("a.part"))
        .then(upload("b.part"))
        .serve_rest();
    let peer = Peer::serve_each(vec![script.clone(), script]).await;
    let hosts = HostMemory::default();
    for (round, asks) in [(0, 1), (1, 0)] {
        let mut config = config(&peer);
        config.hosts = hosts.clone();
        let (client, log) = connect(config).await.unwrap();
        let files = ["a", "b"].map(|name| StoreFile {
            path: path(&format!("{name}.part")),
            data: b"content".to_vec(),
            then: StoreThen {
                rename_to: Some(path(name)),
                modified: Some(time()),
                ..StoreThen::default()
            },
        });
        let (sender, mut outcomes) = mpsc::unbounded_channel();
        client
            .store_many(files.into(), BatchOptions::default(), sender)
            .await
            .unwrap();
        let mut done = 0;
        while let Some((_, outcome)) = outcomes.recv().await {
            let stored: Stored = outcome.unwrap();
            assert!(matches!(stored.time_set, Some(Ok(()))), "{stored:?}");
            assert!(matches!(stored.renamed, Some(Ok(()))), "{stored:?}");
            done += 1;
        }
        assert_eq!(done, 2);
        let asked = log
            .sent()
            .iter()
            .filter(|line| *line == "SITE HELP")
            .count();
        assert_eq!(asked, asks, "round {round}\n{}", log.all());
        client.quit().await.unwrap();
    }
}

/// FEAT promises MFMT and the server has none: the batch goes another way, after the files have their names.
#[tokio::test]
async fn t5_a_batch_recovers_from_a_promise_that_is_not_kept() {
    let script = Script::new()
        .expect("STOR a.part")
        .say("150 go on")
        .accept_data()
        .read_data()
        .close_data()
        .say("226 done");
    let table = [
        ("MFMT *", "502 not here"),
        ("MFF modify=20200102030405; a", "213 ok"),
        ("RNFR *", "350 and to?"),
        ("RNTO *", "250 done"),
    ];
    let (_peer, client, log) = session("MFMT|MFF modify;", &table, script).await;
    let file = StoreFile {
        path: path("a.part"),
        data: b"content".to_vec(),
        then: StoreThen {
            rename_to: Some(path("a")),
            modified: Some(time()),
            ..StoreThen::default()
        },
    };
    let (sender, mut outcomes) = mpsc::unbounded_channel();
    client
        .store_many(vec![file], BatchOptions::default(), sender)
        .await
        .unwrap();
    let (_, stored) = outcomes.recv().await.unwrap();
    assert!(
        matches!(stored.unwrap().time_set, Some(Ok(()))),
        "{}",
        log.all()
    );
}

/// A server that has the beginning of our file, and refuses some ways to go on. What was sent on data connections, from which byte on,
/// and what the reader of the protocol was told.
async fn resumed_upload(rest: &str, steps: Script) -> (Vec<Vec<u8>>, u64, String) {
    let feat = format!("211-F\r\n SIZE\r\n MDTM\r\n{rest}211 End");
    let script = Script::logged_in()
        .answering(&[
            ("FEAT", feat.as_str()),
            ("SIZE /f", "213 4"),
            ("MDTM *", "213 20110101000000"),
            ("SITE *", "502 no"),
        ])
        .then(sends("RETR /f", "0123"))
        .then(steps)
        .accept_data()
        .read_data()
        .close_data()
        .say("226 done")
        .expect("SIZE /f")
        .say("213 10")
        .serve_rest();
    let peer = Peer::serve(script).await;
    let dir = tempfile::tempdir().unwrap();
    let local = dir.path().join("f");
    std::fs::write(&local, "0123456789").unwrap();
    let (queue, log) = queue_to(config(&peer), 1);
    let new = NewTransfer {
        site: SiteKey::new("test"),
        direction: Direction::Upload,
        kind: ItemKind::File,
        local,
        remote: path("/f"),
        size: None,
        modified: None,
        options: std::sync::Arc::new(Options {
            conflict: ConflictRule::Resume,
            upload: UploadName::Final,
            keep_time: KeepTime::No,
            ..Options::default()
        }),
    };
    let id = queue.enqueue(vec![new]).await.unwrap()[0];
    let item = finished(&queue, id).await;
    assert_done(&queue, &item, rest, &log);
    queue.shutdown().await;
    let data = peer
        .finish()
        .await
        .data()
        .iter()
        .map(|piece| piece.to_vec())
        .collect();
    (data, item.resumed_from, log.lines(LogKind::Info).join("\n"))
}

#[tokio::test(flavor = "multi_thread")]
async fn t6_uploads_go_on_in_the_way_that_the_server_has() {
    let stream = " REST STREAM\r\n";
    let after_rest = Script::new().expect("REST 4").say("350 from 4");
    let steps = after_rest.clone().expect("STOR /f").say("150 go on");
    let (data, from, _) = resumed_upload(stream, steps).await;
    assert_eq!((data, from), (vec![b"456789".to_vec()], 4));
    // No REST STREAM: appended, and said so.
    let steps = Script::new().expect("APPE /f").say("150 go on");
    let (data, from, told) = resumed_upload("", steps).await;
    assert_eq!((data, from), (vec![b"456789".to_vec()], 4));
    assert!(
        told.contains("REST STREAM") && told.contains("APPE"),
        "{told}"
    );
    // REST is offered and refused.
    let refused = Script::new().expect("REST 4").say("501 not for uploads");
    let steps = refused.expect("APPE /f").say("150 go on");
    let (data, from, told) = resumed_upload(stream, steps).await;
    assert_eq!((data, from), (vec![b"456789".to_vec()], 4));
    assert!(told.contains("501") && told.contains("APPE"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn t6_what_can_not_go_on_begins_anew_and_that_is_told() {
    let steps = Script::new()
        .expect("REST 4")
        .say("350 from 4")
        .expect("STOR /f")
        .say("550 Append/Restart not permitted, try again")
        .expect("REST 0")
        .say("350 from 0")
        .expect("APPE /f")
        .say("550 Append/Restart not permitted, try again")
        .expect("STOR /f")
        .say("150 go on");
    let (data, from, told) = resumed_upload(" REST STREAM\r\n", steps).await;
    assert_eq!((data, from), (vec![b"0123456789".to_vec()], 0));
    assert!(
        told.contains("from its beginning") && told.contains("not permitted"),
        "{told}"
    );
}

#[tokio::test]
async fn t8_beginning_at_or_past_the_end_leaves_the_session_in_order() {
    let at = |offset: &str| {
        Script::new()
            .expect(offset)
            .say("350 from there")
            .expect("RETR f")
    };
    let script = at("REST 5")
        .say("150 nothing left")
        .accept_data()
        .close_data()
        .say("226 done")
        .then(at("REST 5"))
        .say("226 nothing to send")
        .then(at("REST 9"))
        .say("554 invalid REST parameter")
        .expect("REST 0")
        .say("350 from the beginning")
        .then(sends("RETR f", "whole"))
        .expect("REST 9")
        .say("554 beyond the end")
        .then(sends("RETR f", "whole"));
    let (_peer, client, _) = session("REST STREAM", &[], script).await;
    assert_eq!(get(&client, "f", 5).await.unwrap(), b"");
    assert_eq!(get(&client, "f", 5).await.unwrap(), b"");
    for _ in 0..2 {
        let error = get(&client, "f", 9).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Refused, "{error}");
        assert_eq!(get(&client, "f", 0).await.unwrap(), b"whole");
    }
}

#[tokio::test]
async fn t11_texts_have_the_line_ends_of_this_side_and_keep_stray_returns() {
    let script = Script::new()
        .expect("TYPE A")
        .say("200 text")
        .then(sends("RETR f", "a\r\nb\rc\r\r\nd\n\r"))
        .expect("TYPE A")
        .say("200 text")
        .expect("STOR g")
        .say("150 go on")
        .accept_data()
        .read_data()
        .close_data()
        .say("226 done")
        .expect("TYPE I")
        .say("200 binary")
        .expect("SIZE f")
        .say("213 11")
        .expect("TYPE A")
        .say("504 no texts here");
    let (peer, client, _) = session("SIZE", &[], script).await;
    let mut got = Vec::new();
    let download = client.retr_text(&path("f"), LineEnd::Lf).await.unwrap();
    let bytes = download
        .copy_to(&mut got, Progress::default())
        .await
        .unwrap();
    assert_eq!(got, b"a\nb\rc\r\nd\n\r");
    assert_eq!(bytes, got.len() as u64);
    // The type stays, so the second is free to go without asking.
    client.raw("NOOP").await.unwrap();
    let upload = client.stor_text(&path("g")).await.unwrap();
    let mut source = &b"a\nb\r\nc\r\r\n\n"[..];
    let bytes = upload
        .copy_from(&mut source, Progress::default())
        .await
        .unwrap();
    assert_eq!(bytes, 10);
    // Bytes are bytes again.
    assert_eq!(client.size(&path("f")).await.unwrap(), 11);
    let refused = client.retr_text(&path("f"), LineEnd::Lf).await;
    assert_eq!(*refused.err().unwrap().kind(), ErrorKind::Unsupported);
    client.noop().await.unwrap();
    drop(client);
    let data = peer.finish().await;
    assert_eq!(data.data(), [b"a\r\nb\r\nc\r\r\n\r\n"]);
}

#[tokio::test]
async fn t12_names_that_a_server_would_change_are_refused_before_they_are_sent() {
    let script = Script::new()
        .say("220 Welcome to Pure-FTPd")
        .answering(&[
            ("USER *", "331 ?"),
            ("PASS *", "230 in"),
            ("FEAT", "211-F\r\n SIZE\r\n211 End"),
            ("PWD", "257 \"/\""),
            ("TYPE *", "200 ok"),
            ("OPTS *", "200 ok"),
            ("QUIT", "221 bye"),
            ("DELE *", "250 gone"),
        ])
        .serve_rest();
    let (_peer, client, log) = client_of(script).await;
    for name in [" lead", "trail ", "a\tb", "./ x", "/d/t "] {
        let name = path(name);
        let mut errors = vec![
            client.stor(&name, 0).await.err().unwrap(),
            client.appe(&name).await.err().unwrap(),
            client.stor_text(&name).await.err().unwrap(),
            client.mkd(&name).await.unwrap_err(),
            client.rename(&path("f"), &name).await.unwrap_err(),
            client.copy(&path("f"), &name).await.unwrap_err(),
        ];
        let file = StoreFile {
            path: name.clone(),
            data: Vec::new(),
            then: StoreThen::default(),
        };
        let (sender, mut outcomes) = mpsc::unbounded_channel();
        client
            .store_many(vec![file], BatchOptions::default(), sender)
            .await
            .unwrap();
        errors.push(outcomes.recv().await.unwrap().1.unwrap_err());
        for error in errors {
            assert_eq!(*error.kind(), ErrorKind::Unsupported, "{name}");
            assert!(
                error.to_string().contains("Pure-FTPd would name"),
                "{error}"
            );
        }
        // One that has such a name can go.
        client.dele(&name).await.unwrap();
    }
    let sent = log.sent();
    let made = ["STOR", "APPE", "MKD", "RN", "SITE"];
    assert!(
        !sent
            .iter()
            .any(|line| made.iter().any(|verb| line.starts_with(verb))),
        "{sent:?}"
    );
}

#[tokio::test]
async fn t12_a_tilde_is_a_letter_and_a_blank_is_not_skipped() {
    let table = [
        ("DELE ./~x", "250 gone"),
        ("SIZE ./~", "213 5"),
        ("SITE CHMOD 644 ./~", "200 ok"),
        ("SITE CHMOD 644 ./ a", "200 ok"),
        ("CWD ~", "250 home"),
    ];
    let (_peer, client, _) = session("SIZE", &table, Script::new()).await;
    client.dele(&path("~x")).await.unwrap();
    assert_eq!(client.size(&path("~")).await.unwrap(), 5);
    client.chmod(&path("~"), 0o644).await.unwrap();
    client.chmod(&path(" a"), 0o644).await.unwrap();
    client.cwd(&path("~")).await.unwrap();
    // Behind SITE a blank at the end would be lost, and another file be changed.
    let error = client.chmod(&path("a "), 0o644).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn hashes_in_every_dialect() {
    use HashAlgorithm::{Crc32, Md5, Sha1, Sha512};
    let md5 = "d41d8cd98f00b204e9800998ecf8427e";
    let sha1 = "da39a3ee5e6b4b0d3255bfef95601890afd80709";
    let md5_of_blank = format!("250 {md5}");
    let hash = format!("213-Computing\r\n213 SHA-1 0-0 {sha1} a b");
    let md5_of_name = format!("251 \"a b\" {md5}");
    let site = format!("200 {}", md5.to_uppercase());
    for (features, table, algorithm, wanted) in [
        (
            "HASH SHA-256;SHA-1*",
            &[("HASH a b", hash.as_str())][..],
            Sha1,
            sha1,
        ),
        ("XMD5", &[("XMD5 \"a b\"", md5_of_blank.as_str())], Md5, md5),
        (
            "XMD5",
            &[
                ("XMD5 \"a b\"", "550 no file \"a b\""),
                ("XMD5 a b", md5_of_blank.as_str()),
            ],
            Md5,
            md5,
        ),
        ("MD5", &[("MD5 a b", md5_of_name.as_str())], Md5, md5),
        (
            "XSHA",
            &[("XSHA \"a b\"", "501 what?"), ("XSHA a b", hash.as_str())],
            Sha1,
            sha1,
        ),
        ("XCRC", &[("XCRC \"a b\"", "250 1A2b")], Crc32, "00001a2b"),
        (
            "SIZE",
            &[
                ("SITE HELP", "214 XMD5 CHMOD"),
                ("SITE XMD5 \"a b\"", site.as_str()),
            ],
            Md5,
            md5,
        ),
    ] {
        let (_peer, client, log) = session(features, table, Script::new()).await;
        if features == "SIZE" {
            assert!(client.has_site("XMD5").await.unwrap());
        }
        let told = client.hash(&path("a b"), &[Sha512, algorithm]).await;
        let told = told.unwrap_or_else(|error| panic!("{features}: {error}\n{}", log.all()));
        let Some((by, told)) = told else {
            panic!("{features}: none\n{}", log.all());
        };
        assert_eq!((by, told.as_str()), (algorithm, wanted), "{features}");
    }
    let (_peer, client, _) = session("SIZE", &[], Script::new()).await;
    assert_eq!(
        client.hash(&path("f"), &HashAlgorithm::ALL).await.unwrap(),
        None
    );
}

#[tokio::test]
async fn copies_on_the_server_by_each_of_its_ways() {
    for (features, table, last) in [
        (
            "SITE COPY",
            &[
                ("SITE CPFR a b", "350 and to?"),
                ("SITE CPTO c d", "250 done"),
            ][..],
            "SITE CPTO c d",
        ),
        (
            "SIZE",
            &[
                ("SITE HELP", "214-S\r\n CPFR <sp> path\r\n CPTO\r\n214 E"),
                ("SITE CPFR a b", "350 ?"),
                ("SITE CPTO c d", "250 done"),
            ],
            "SITE CPTO c d",
        ),
        (
            "CPFR|CPTO",
            &[("CPFR a b", "350 ?"), ("CPTO c d", "200 done")],
            "CPTO c d",
        ),
    ] {
        let (_peer, client, log) = session(features, table, Script::new()).await;
        client.copy(&path("a b"), &path("c d")).await.unwrap();
        assert_eq!(log.sent().last().unwrap(), last, "{}", log.all());
    }
    // SITE COPY takes words, so no blanks.
    let table = [("SITE CPFR *", "500 what?"), ("SITE COPY a b", "200 done")];
    let (_peer, client, log) = session("SITE COPY", &table, Script::new()).await;
    client.copy(&path("a"), &path("b")).await.unwrap();
    let error = client.copy(&path("a"), &path("b c")).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Unsupported, "{}", log.all());
    for (features, table, kind) in [
        (
            "SIZE",
            &[("SITE HELP", "214 CHMOD")][..],
            ErrorKind::Unsupported,
        ),
        (
            "SITE COPY",
            &[("SITE *", "202 superfluous here")],
            ErrorKind::Unsupported,
        ),
        (
            "SITE COPY",
            &[("SITE CPFR *", "550 no such file")],
            ErrorKind::NotFound,
        ),
        (
            "SITE COPY",
            &[
                ("SITE CPFR *", "350 ?"),
                ("SITE CPTO *", "550 Permission denied"),
            ],
            ErrorKind::Refused,
        ),
    ] {
        let (_peer, client, log) = session(features, table, Script::new()).await;
        let error = client.copy(&path("a"), &path("b")).await.unwrap_err();
        assert_eq!(*error.kind(), kind, "{}", log.all());
        client.noop().await.unwrap();
    }
}

#[tokio::test]
async fn links_where_the_server_makes_them() {
    let table = [("SITE SYMLINK ../a b", "200 done")];
    let (_peer, client, log) = session("SITE SYMLINK", &table, Script::new()).await;
    client.symlink(b"../a", &path("b")).await.unwrap();
    for (target, link) in [(&b"a b"[..], "c"), (b"a", "b c")] {
        let error = client.symlink(target, &path(link)).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Unsupported);
    }
    assert_eq!(since(&log, "SITE").len(), 1);
    let (_peer, client, log) = session("SIZE", &[("SITE HELP", "214 UTIME")], Script::new()).await;
    for _ in 0..2 {
        let error = client.symlink(b"a", &path("b")).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Unsupported);
    }
    // SITE HELP is read once.
    assert_eq!(since(&log, "SITE").len(), 1);
}

#[tokio::test]
async fn room_is_told_by_what_is_advertised() {
    let quota = "200-The current quota for this session are [current/limit]:\r\n Name: me\r\n  Uploaded Kb:\t1.00/10.00\r\n \
                 Downloaded Kb:\tunlimited\r\n  Uploaded files:\t2/5\r\n200 Please contact root";
    let (_peer, client, _) = session("SITE QUOTA", &[("SITE QUOTA", quota)], Script::new()).await;
    let space = client.space(None).await.unwrap();
    assert_eq!(
        (space.used, space.limit, space.available),
        (Some(1024), Some(10_240), Some(9216))
    );
    assert_eq!((space.files_used, space.files_limit), (Some(2), Some(5)));
    let table = [("AVBL /d", "213 123456789012"), ("SITE HELP", "502 no")];
    let (_peer, client, _) = session("AVBL", &table, Script::new()).await;
    let space = client.space(Some(&path("/d"))).await.unwrap();
    assert_eq!(
        (space.available, space.limit),
        (Some(123_456_789_012), None)
    );
    let table = [(
        "XQUOTA",
        "213-Use\r\n Disk usage: 1.5K\r\n Disk quota: unlimited\r\n213 End",
    )];
    let (_peer, client, _) = session("XQUOTA", &table, Script::new()).await;
    let space = client.space(None).await.unwrap();
    assert_eq!(
        (space.used, space.limit, space.available),
        (Some(1536), None, None)
    );
    let (_peer, client, _) = session("SIZE", &[("SITE HELP", "502 no")], Script::new()).await;
    let error = client.space(None).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Unsupported);
    let (_peer, client, _) = session(
        "AVBL",
        &[("AVBL*", "550 no such folder"), ("SITE HELP", "502 no")],
        Script::new(),
    )
    .await;
    let error = client.space(Some(&path("/d"))).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn allo_is_sent_where_the_server_wants_it() {
    let store = Script::new()
        .expect("STOR f")
        .say("150 go on")
        .accept_data()
        .read_data()
        .close_data()
        .say("226 done");
    let upload = async |client: &Client| {
        let upload = client.stor_sized(&path("f"), 0, Some(7)).await?;
        upload
            .copy_from_file(
                engine_tests::files::file_with(b"content"),
                Progress::default(),
            )
            .await
    };
    // FEAT names it, and 202 is fine.
    let (_peer, client, log) =
        session("ALLO", &[("ALLO 7", "202 not needed")], store.clone()).await;
    upload(&client).await.unwrap();
    assert_eq!(since(&log, "ALLO").first().unwrap(), "ALLO 7");
    // It is demanded.
    let script = Script::new()
        .expect("STOR f")
        .say("503 ALLO first, please")
        .expect("ALLO 7")
        .say("200 reserved")
        .then(store);
    let (_peer, client, _) = session("SIZE", &[], script).await;
    upload(&client).await.unwrap();
    // There is no room.
    let (_peer, client, _) = session("ALLO", &[("ALLO *", "552 full")], Script::new()).await;
    let error = upload(&client).await.unwrap_err();
    assert_eq!(error.reply().unwrap().code.value(), 552);
    client.noop().await.unwrap();
}

/// A server that counts offsets in 31 bits leads elsewhere: what is there is compared, and then whether the last byte is the last one.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn t7_a_server_that_can_not_count_to_2_gib_is_found_out() {
    let begin = |command: &str| Script::new().expect(command).say("350 from there");
    let script = Script::logged_in()
        .answering(&[
            ("SIZE /f", "213 3221225472"),
            ("MDTM *", "550 ?"),
            ("SITE *", "502 no"),
            ("REST 0", "350 from the beginning"),
        ])
        // Its beginning, not the place that was asked for.
        .then(begin("REST 2148418112"))
        .then(sends("RETR /f", vec![b'x'; 65_536]))
        // The last byte must be one byte.
        .then(begin("REST 3221225471"))
        .then(sends("RETR /f", "xx"))
        .expect("RETR /f")
        .say("550 not all of that again, please")
        .serve_rest();
    let peer = Peer::serve(script).await;
    // Where gigabytes of nothing need no room.
    let memory = std::path::Path::new("/dev/shm");
    let dir = match memory.is_dir() {
        true => tempfile::tempdir_in(memory).unwrap(),
        false => tempfile::tempdir().unwrap(),
    };
    let local = dir.path().join("f");
    let there = std::fs::File::create(&local).unwrap();
    there.set_len((1 << 31) + 1_000_000).unwrap();
    let (queue, log) = queue_to(config(&peer), 1);
    let new = NewTransfer {
        site: SiteKey::new("test"),
        direction: Direction::Download,
        kind: ItemKind::File,
        local: local.clone(),
        remote: path("/f"),
        size: None,
        modified: None,
        options: std::sync::Arc::new(Options {
            conflict: ConflictRule::Resume,
            ..Options::default()
        }),
    };
    let id = queue.enqueue(vec![new]).await.unwrap()[0];
    let item = finished(&queue, id).await;
    assert_eq!(
        item.state,
        transfer::State::Failed,
        "{item:?}\n{}",
        log.all()
    );
    queue.shutdown().await;
    let rests: Vec<_> = log
        .sent()
        .into_iter()
        .filter(|line| line.starts_with("REST ") && line != "REST 0")
        .collect();
    assert_eq!(
        rests,
        ["REST 2148418112", "REST 3221225471"],
        "{}",
        log.all()
    );
    // What is there was not touched.
    assert_eq!(
        std::fs::metadata(&local).unwrap().len(),
        (1 << 31) + 1_000_000
    );
}

/// Whatever a name looks like: it is that file, or it is refused; never another one.
#[tokio::test]
async fn t12_real_servers_get_the_names_that_they_can_keep() {
    let odd = [
        "*",
        "[a]",
        "a*b",
        "a?b",
        "{a,b}",
        "~",
        "~x",
        " lead",
        "trail ",
        "a\tb",
        ".hidden",
        "..x",
        "back\\slash",
    ];
    let decoys = ["a", "axb", "lead", "trail", "x", "_lead", "trail_"];
    for kind in ServerKind::ALL {
        let mut options = ServerOptions::plain();
        for decoy in decoys {
            options = options.file(decoy, "decoy");
        }
        let Some(server) = RealServer::start(kind, options) else {
            continue;
        };
        let (client, log) = connect(config_for(&server, Tls::Off)).await.unwrap();
        let before = on_disk(&server);
        for name in odd {
            let case = format!("{} {name:?}", kind.name());
            let (file, moved) = (path(name), path(&format!("{name}2")));
            let stored = match client.stor(&file, 0).await {
                Ok(upload) => {
                    let content = engine_tests::files::file_with(name.as_bytes());
                    upload
                        .copy_from_file(content, Progress::default())
                        .await
                        .map(drop)
                }
                Err(error) => Err(error),
            };
            if let Err(error) = stored {
                assert_eq!(kind, ServerKind::PureFtpd, "{case}: {error}\n{}", log.all());
                assert_eq!(on_disk(&server), before, "{case}");
                assert!(client.mkd(&file).await.is_err(), "{case}");
                assert_eq!(on_disk(&server), before, "{case}");
                continue;
            }
            assert_eq!(server.read(name), name.as_bytes(), "{case}");
            assert!(
                names(&client, "/").await.contains(&name.to_owned()),
                "{case}"
            );
            assert_eq!(
                client.size(&file).await.unwrap(),
                name.len() as u64,
                "{case}"
            );
            assert_eq!(
                get(&client, name, 0).await.unwrap(),
                name.as_bytes(),
                "{case}"
            );
            client
                .mfmt(&file, time())
                .await
                .unwrap_or_else(|error| panic!("{case}: {error}\n{}", log.all()));
            match client.chmod(&file, 0o611).await {
                Ok(()) => assert_eq!(mode(&server, name), 0o611, "{case}"),
                Err(error) => assert_eq!(*error.kind(), ErrorKind::Unsupported, "{case}: {error}"),
            }
            client.rename(&file, &moved).await.unwrap();
            client.rename(&moved, &file).await.unwrap();
            client.dele(&file).await.unwrap();
            assert_eq!(on_disk(&server), before, "{case}\n{}", log.all());
            // The same as a folder, which ProFTPD makes none of with a star in its name.
            if let Err(error) = client.mkd(&file).await {
                assert!(
                    kind == ServerKind::ProFtpd && name.contains('*'),
                    "{case}: {error}"
                );
                assert_eq!(on_disk(&server), before, "{case}");
                continue;
            }
            let inside = path(&format!("/{name}/in"));
            client
                .stor(&inside, 0)
                .await
                .unwrap()
                .finish()
                .await
                .unwrap();
            assert_eq!(names(&client, &format!("/{name}")).await, ["in"], "{case}");
            client.dele(&inside).await.unwrap();
            client.rmd(&file).await.unwrap();
            assert_eq!(on_disk(&server), before, "{case}\n{}", log.all());
        }
    }
}

/// Everything in the server's folder, with its permissions, and those of the folder itself.
fn on_disk(server: &RealServer) -> Vec<(String, u32, Vec<u8>)> {
    let mut found: Vec<_> = std::fs::read_dir(server.root())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .map(|name| {
            let content = std::fs::read(server.root().join(&name)).unwrap_or_default();
            (name.clone(), mode(server, &name), content)
        })
        .collect();
    found.push((".".to_owned(), mode(server, "."), Vec::new()));
    found.sort();
    found
}

fn mode(server: &RealServer, name: &str) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    let found = std::fs::metadata(server.root().join(name)).unwrap();
    found.permissions().mode() & 0o777
}
