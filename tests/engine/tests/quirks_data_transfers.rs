//! Transfers as odd servers have them: how they end, what else is said in the meantime, and what is compressed.
#![allow(clippy::unwrap_used, unused_crate_dependencies)]

use std::{
    io::{Read as _, Write as _},
    time::{Duration, Instant},
};

use engine_tests::{
    Log,
    batches::{client_of, fetch, queues, store, wanted},
    config_for, connect, entries,
    files::{get, get_by_copy, put, put_by_copy},
    path, pattern,
    queueing::{add, finished, queue_to},
    scripted::{config, config_tls, sends},
};
use ftp_client::{
    Client, Compression, Config, DataWay, ErrorKind, LogKind, Proxy, ProxyKind, StoreFile,
    StoreThen, TlsMode,
};
use support::{
    Authority, Gate, Kind, Options, Peer, ProxyRules, ProxyServer, RealServer, Script, Tls,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use transfer::{Direction, ItemKind, State};

/// A session that is still in step answers this, and nothing else does.
async fn assert_in_step(client: &Client) {
    assert_eq!(client.pwd().await.unwrap(), path("/"));
    client.noop().await.unwrap();
}

fn count(log: &Log, line: &str) -> usize {
    let sent = log.sent();
    sent.iter().filter(|sent| sent.starts_with(line)).count()
}

/// The four ways to move a whole file.
#[derive(Clone, Copy, Debug)]
enum How {
    Get,
    GetByCopy,
    Put,
    PutByCopy,
}

impl How {
    const ALL: [Self; 4] = [Self::Get, Self::GetByCopy, Self::Put, Self::PutByCopy];

    const fn is_upload(self) -> bool {
        matches!(self, Self::Put | Self::PutByCopy)
    }

    /// The server's side up to the end of the data.
    fn script(self) -> Script {
        let begin = Script::new().expect("* f").say("150 go").accept_data();
        if self.is_upload() {
            begin.read_data()
        } else {
            begin.send_data("content").close_data()
        }
    }

    async fn run(self, client: &Client) -> Result<(), ftp_client::Error> {
        match self {
            Self::Get => assert_eq!(get(client, "f", 0).await?, b"content"),
            Self::GetByCopy => assert_eq!(get_by_copy(client, "f").await?, b"content"),
            Self::Put => put(client, "f", b"content").await?,
            Self::PutByCopy => assert_eq!(put_by_copy(client, "f", b"content").await?, 7),
        }
        Ok(())
    }
}

/// The connection is lost, or silent, before the last word: another one asks for the size, which settles it.
#[tokio::test]
async fn a_lost_last_word_is_settled_by_the_size() {
    let lost: [fn(Script) -> Script; 4] = [
        Script::close,
        Script::reset,
        |script| script.say("421 no word from you for too long").close(),
        |script| script.expect_close(),
    ];
    for (size, well) in [("213 7", true), ("213 6", false), ("500 SIZE?", false)] {
        for (case, lose) in lost.into_iter().enumerate() {
            for how in How::ALL {
                let first = lose(Script::logged_in().then(how.script()));
                let second = Script::logged_in()
                    .answering(&[("SIZE f", size)])
                    .serve_rest();
                let peer = Peer::serve_each(vec![first, second]).await;
                let (client, log) = client_of(&peer, |config| {
                    config.timeouts.reply = Duration::from_millis(400);
                })
                .await;
                let outcome = how.run(&client).await;
                assert_eq!(count(&log, "SIZE f"), 1, "{case} {how:?}: {}", log.all());
                match (well, outcome) {
                    (true, Ok(())) => {}
                    (false, Err(error)) => {
                        assert!(error.is_retryable(), "{error}");
                        let truncated = *error.kind() == ErrorKind::Truncated;
                        assert_eq!(truncated, size == "213 6", "{error}");
                    }
                    (_, outcome) => panic!("{case} {how:?} {size}: {outcome:?}\n{}", log.all()),
                }
                assert_in_step(&client).await;
            }
        }
    }
}

/// The control connection goes in the middle of a download, as those do that a router has forgotten: the data still come.
#[tokio::test]
async fn data_go_on_without_their_control_connection() {
    let content = pattern(300_000);
    let (gone, go_on) = (Gate::new(), Gate::new());
    let first = Script::logged_in()
        .expect("RETR f")
        .say("150 here")
        .accept_data()
        .send_data(&content[..100_000])
        .close()
        .signal(&gone)
        .wait_for(&go_on)
        .send_data(&content[100_000..])
        .close_data();
    let second = Script::logged_in()
        .answering(&[("SIZE f", "213 300000")])
        .serve_rest();
    let peer = Peer::serve_each(vec![first, second]).await;
    let (client, log) = client_of(&peer, |_| {}).await;
    let getting = get_by_copy(&client, "f");
    let (got, ()) = tokio::join!(getting, async {
        gone.passed().await;
        // So that the end of the control connection is seen first.
        while !log.all().contains("RETR f") {
            tokio::task::yield_now().await;
        }
        go_on.open();
    });
    assert!(
        got.unwrap_or_else(|e| panic!("{e}\n{}", log.all())) == content,
        "{}",
        log.all()
    );
    assert_in_step(&client).await;
}

/// A server that sends on the connection of an upload is out of step, and what it has stored may be anything.
#[tokio::test]
async fn bytes_on_the_connection_of_an_upload_are_an_error() {
    let takes = |name: &str| {
        Script::new()
            .expect(&format!("STOR {name}"))
            .say("150 go on")
            .accept_data()
            .send_data("what is this?")
            .read_data()
            .close_data()
            .say("226 fine")
    };
    let script = Script::logged_in()
        .then(takes("f"))
        .then(takes("f"))
        .serve_rest();
    let peer = Peer::serve(script).await;
    let (client, log) = connect(config(&peer)).await.unwrap();
    for how in [How::Put, How::PutByCopy] {
        let error = how.run(&client).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Protocol, "{error}");
        assert!(error.to_string().contains("13 bytes"), "{error}");
        assert_in_step(&client).await;
    }
    assert_eq!(count(&log, "STOR"), 2);
}

/// Whatever the server says after the last byte counts: a file that it could not keep is none.
#[tokio::test]
async fn a_refusal_after_the_last_byte_is_a_refusal() {
    for (said, retryable) in [
        ("552 no more room", false),
        ("451 my disk", true),
        ("426 it broke", true),
        ("550 not you", false),
    ] {
        for how in How::ALL {
            let script = Script::logged_in().then(how.script().say(said));
            let peer = Peer::serve(script.serve_rest()).await;
            let (client, _) = connect(config(&peer)).await.unwrap();
            let error = how.run(&client).await.unwrap_err();
            let code = error.reply().unwrap().code.value();
            assert_eq!(code.to_string(), said[..3], "{error}");
            assert_eq!(error.is_retryable(), retryable, "{error}");
            assert_in_step(&client).await;
        }
    }
    // The same for files among others.
    let takes = |index: usize, said: &str| {
        Script::new()
            .expect(&format!("STOR /f{index}"))
            .say("150 go on")
            .accept_data()
            .read_data()
            .say(said)
    };
    let script = queues()
        .then(takes(0, "226 done"))
        .then(takes(1, "552 no more room"))
        .then(takes(2, "226 done"));
    let peer = Peer::serve(script.serve_rest()).await;
    let (client, log) = client_of(&peer, |_| {}).await;
    let files = (0..3).map(|index| StoreFile {
        path: path(&format!("/f{index}")),
        data: b"content".to_vec(),
        then: StoreThen::default(),
    });
    let (outcomes, ended) = store(&client, files.collect()).await;
    ended.unwrap_or_else(|error| panic!("{error}\n{}", log.all()));
    let codes: Vec<_> = outcomes.values().map(Result::is_ok).collect();
    assert_eq!(codes, [true, false, true], "{}", log.all());
}

/// A file has another size by the time that it moves: what counts is what it has then. One that is neither the old nor the new is
/// never put in place.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_grows_or_shrinks_comes_as_it_is_now_or_not_at_all() {
    for (before, after, well) in [("5", "8", true), ("20", "8", true), ("5", "9", false)] {
        let script = Script::logged_in()
            .answering(&[
                ("SIZE *", &format!("213 {after}")),
                ("MDTM *", "213 20200101000000"),
            ])
            .expect("SIZE /f")
            .say(&format!("213 {before}"))
            .then(sends("RETR /f", "12345678"))
            .serve_rest();
        let again = Script::logged_in()
            .answering(&[
                ("SIZE *", &format!("213 {after}")),
                ("MDTM *", "213 20200101000000"),
            ])
            .then(sends("RETR /f", "12345678"))
            .serve_rest();
        let mut scripts = vec![again; 20];
        scripts.insert(0, script);
        let peer = Peer::serve_each(scripts).await;
        let dir = tempfile::tempdir().unwrap();
        let local = dir.path().join("f");
        let (queue, log) = queue_to(config(&peer), 1);
        let id = add(&queue, Direction::Download, ItemKind::File, &local, "/f");
        let item = finished(&queue, id).await;
        queue.shutdown().await;
        assert_eq!(
            item.state == State::Done,
            well,
            "{before} {after}: {item:?}\n{}",
            log.all()
        );
        assert_eq!(local.exists(), well);
        if well {
            assert_eq!(std::fs::read(&local).unwrap(), b"12345678");
        }
    }
}

/// The second 226 of a transfer comes when the next command is on its way: it must not be taken for its answer.
#[tokio::test]
async fn an_end_that_is_said_twice_is_of_one_transfer() {
    let script = Script::logged_in()
        .then(sends("RETR f", "content"))
        .expect("PWD")
        .say("226 done, as I said")
        .say("257 \"/\"")
        .then(sends("RETR f", "content"))
        .expect("EPSV")
        .say("226 done, as I said")
        .say("229 there (|||{port}|)")
        .then(sends("RETR f", "content"))
        .serve_rest();
    let peer = Peer::serve(script).await;
    let (client, log) = connect(config(&peer)).await.unwrap();
    assert_eq!(get(&client, "f", 0).await.unwrap(), b"content");
    assert_eq!(client.pwd().await.unwrap(), path("/"), "{}", log.all());
    for _ in 0..2 {
        assert_eq!(get(&client, "f", 0).await.unwrap(), b"content");
    }
    assert_eq!(client.facts().data.way, Some(DataWay::Epsv));
    assert_in_step(&client).await;
}

/// Our end is always said, over TLS with a goodbye; the other side's is waited for, but not for ever, and not needed.
#[tokio::test]
async fn an_upload_over_tls_ends_with_our_goodbye_whatever_theirs_is() {
    let authority = Authority::new();
    let tls = authority.issue_local().server_config();
    let hold = Gate::new();
    let ends: [fn(Script, &Gate) -> Script; 3] = [
        |script, _| script.close_data().say("226 done"),
        |script, _| script.cut_data().say("226 done"),
        // It never closes its side at all.
        |script, hold| script.say("226 done").wait_for(hold),
    ];
    for (case, end) in ends.into_iter().enumerate() {
        for how in [How::Put, How::PutByCopy] {
            let script = Script::logged_in()
                .answering(&[("PBSZ 0", "200 ok"), ("PROT P", "200 ok")])
                .expect("AUTH TLS")
                .say("234 go")
                .start_tls(tls.clone())
                .expect("STOR f")
                .say("150 go on")
                .accept_data_tls(tls.clone())
                // An end without close_notify would be an error here.
                .read_data();
            let peer = Peer::serve(end(script, &hold).serve_rest()).await;
            let config = config_tls(&peer, TlsMode::Explicit, &authority);
            let (client, log) = connect(config).await.unwrap();
            let begun = Instant::now();
            how.run(&client)
                .await
                .unwrap_or_else(|error| panic!("{case}: {error}\n{}", log.all()));
            assert!(begun.elapsed() < Duration::from_secs(6), "{case}");
            hold.open();
            assert_in_step(&client).await;
        }
    }
}

/// A server that has said everything while we still read is told now and then that we are there.
#[tokio::test]
async fn a_server_that_is_done_hears_from_us_while_the_tail_is_read() {
    let heard = Gate::new();
    let script = Script::logged_in()
        .expect("RETR f")
        .say("150 here")
        .accept_data()
        .send_data("content")
        .close_data()
        .say("226 done")
        .expect("NOOP")
        .say("200 still here")
        .expect("NOOP")
        .say("200 still here")
        .signal(&heard)
        .serve_rest();
    let peer = Peer::serve(script).await;
    let (client, _) = client_of(&peer, |config| {
        config.data_options.tail_noop = Some(Duration::from_millis(30));
    })
    .await;
    let mut download = client.retr(&path("f"), 0).await.unwrap();
    heard.passed().await;
    let mut content = Vec::new();
    download.read_to_end(&mut content).await.unwrap();
    download.finish().await.unwrap();
    assert_eq!(content, b"content");
    assert_in_step(&client).await;
    // Nothing is said while the server is still at it.
    let (ask, asked) = (Gate::new(), Gate::new());
    let script = Script::logged_in()
        .expect("RETR f")
        .say("150 here")
        .accept_data()
        .send_data("content")
        .signal(&asked)
        .wait_for(&ask)
        .close_data()
        .say("226 done")
        .serve_rest();
    let peer = Peer::serve(script).await;
    let (client, log) = client_of(&peer, |config| {
        config.data_options.tail_noop = Some(Duration::from_millis(5));
    })
    .await;
    let download = client.retr(&path("f"), 0).await.unwrap();
    asked.passed().await;
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert_eq!(count(&log, "NOOP"), 0, "{}", log.all());
    ask.open();
    drop(download);
}

/// Files in plain over a protected session: a server that wants none of that gets them encrypted.
#[tokio::test]
async fn a_server_that_wants_data_encrypted_after_all_gets_them_so() {
    let authority = Authority::new();
    let tls = authority.issue_local().server_config();
    for refusal in ["522 not in plain", "521 not in plain"] {
        let script = Script::logged_in()
            .answering(&[("PBSZ 0", "200 ok")])
            .expect("AUTH TLS")
            .say("234 go")
            .start_tls(tls.clone())
            .expect("PROT P")
            .say("536 not now")
            .expect("RETR f")
            .say(refusal)
            .expect("PROT P")
            .say("200 private")
            .expect("RETR f")
            .say("150 here")
            .accept_data_tls(tls.clone())
            .send_data("content")
            .close_data()
            .say("226 done")
            .serve_rest();
        let peer = Peer::serve(script).await;
        let mut config = config_tls(&peer, TlsMode::Explicit, &authority);
        config.allow_plaintext = true;
        let (client, log) = connect(config).await.unwrap();
        assert!(!client.facts().security.is_encrypted());
        let content = get(&client, "f", 0).await;
        assert_eq!(
            content.unwrap_or_else(|e| panic!("{e}\n{}", log.all())),
            b"content"
        );
        assert!(client.facts().security.is_encrypted());
    }
}

/// Servers take data connections from the address of the control connection only.
#[tokio::test]
async fn data_come_from_the_address_of_the_control_connection() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let done = Gate::new();
    let script = Script::logged_in()
        .answering(&[("EPSV*", &format!("229 there (|||{port}|)"))])
        .expect("RETR f")
        .say("150 here")
        .wait_for(&done)
        .say("226 done")
        .serve_rest();
    let peer = Peer::serve(script).await;
    let (client, _) = client_of(&peer, |config| {
        config.source = Some("127.0.0.9".parse().unwrap());
    })
    .await;
    let (content, ()) = tokio::join!(get(&client, "f", 0), async {
        let (mut stream, from) = listener.accept().await.unwrap();
        stream
            .write_all(from.ip().to_string().as_bytes())
            .await
            .unwrap();
        drop(stream);
        done.open();
    });
    assert_eq!(content.unwrap(), b"127.0.0.9");
}

/// Through a proxy there is only passive mode, EPSV comes first, and data go to the server's name, by itself and in batches.
#[tokio::test]
async fn through_a_proxy_data_go_to_the_servers_name() {
    let proxy = ProxyServer::start(ProxyRules::default()).await;
    let script = queues()
        .then(sends("RETR f", "abc"))
        .then(sends("RETR /f0", "abc"))
        .then(sends("RETR /f1", "abc"))
        .serve_rest();
    let peer = Peer::serve(script).await;
    let (client, log) = client_of(&peer, |config: &mut Config| {
        config.host = "ftp.example.test".to_owned();
        // None of these can be had through a proxy.
        config.data = ftp_client::DataMode::Active;
        config.data_options.passive_commands.reverse();
        config.proxy = Some(Proxy {
            kind: ProxyKind::Socks5,
            host: proxy.addr().ip().to_string(),
            port: proxy.addr().port(),
            login: None,
        });
    })
    .await;
    assert_eq!(get(&client, "f", 0).await.unwrap(), b"abc", "{}", log.all());
    let many = vec![wanted("/f0", Some(3)), wanted("/f1", Some(3))];
    let (outcomes, ended) = fetch(&client, many).await;
    ended.unwrap_or_else(|error| panic!("{error}\n{}", log.all()));
    for outcome in outcomes.values() {
        assert_eq!(outcome.as_ref().unwrap().data, b"abc", "{}", log.all());
    }
    assert_eq!(count(&log, "PORT") + count(&log, "EPRT"), 0);
    assert_eq!(count(&log, "PASV"), 0);
    let asked = proxy.asked();
    assert_eq!(asked.len(), 4, "{asked:?}");
    for asked in asked {
        assert_eq!(asked.host, "ftp.example.test");
    }
}

fn zlib(content: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(content).unwrap();
    packer.finish().unwrap()
}

fn text(lines: usize) -> Vec<u8> {
    (0..lines)
        .flat_map(|line| format!("this is line {line} of a text\n").into_bytes())
        .collect()
}

const MODE_Z: &str = "211-Features:\r\n EPSV\r\n SIZE\r\n MODE Z\r\n MLST type*;size*;\r\n211 End";

fn packs() -> Script {
    Script::logged_in().answering(&[("FEAT", MODE_Z)])
}

/// Text and listings are compressed, everything else is not, and each change of the mode is said once.
#[tokio::test]
async fn mode_z_is_for_text_and_listings() {
    let page = text(2000);
    let mode = |letter: &str| {
        Script::new()
            .expect(&format!("MODE {letter}"))
            .say("200 ok")
    };
    let listing = zlib(b"type=file;size=5; five\r\ntype=dir; folder\r\n");
    let script = packs()
        .then(mode("Z"))
        .then(sends("RETR a.html", zlib(&page)))
        .then(sends("RETR b.txt", zlib(&page)))
        .then(sends("MLSD /", listing))
        .expect("STOR c.css")
        .say("150 go on")
        .accept_data()
        .read_data()
        .close_data()
        .say("226 done")
        .then(mode("S"))
        .then(sends("RETR d.jpg", page.clone()))
        .answering(&[("REST *", "350 ok")])
        .expect("REST 100")
        .say("350 from there")
        .then(sends("RETR a.html", page[100..].to_vec()))
        .then(mode("Z"))
        .expect("REST 0")
        .say("350 from the start")
        .then(sends("RETR a.html", zlib(&page)))
        .serve_rest();
    let peer = Peer::serve(script).await;
    let (client, log) = connect(config(&peer)).await.unwrap();
    assert!(get(&client, "a.html", 0).await.unwrap() == page);
    assert!(get_by_copy(&client, "b.txt").await.unwrap() == page);
    let listed = entries(&client, "/").await;
    assert_eq!(listed.len(), 2, "{}", log.all());
    put_by_copy(&client, "c.css", &page).await.unwrap();
    let facts = client.facts();
    let files = 3 * page.len() as u64 + 42;
    assert_eq!(facts.data.packed_files, files, "{}", log.all());
    assert!(facts.data.ratio().unwrap() > 5.0);
    let info = log.lines(LogKind::Info);
    let told = info.iter().filter(|line| line.contains("on the wire"));
    assert_eq!(told.count(), 4, "{}", log.all());
    assert!(get(&client, "d.jpg", 0).await.unwrap() == page);
    assert!(get(&client, "a.html", 100).await.unwrap() == page[100..]);
    assert!(get(&client, "a.html", 0).await.unwrap() == page);
    assert_eq!(count(&log, "MODE"), 3);
    client.quit().await.unwrap();
    let transcript = peer.finish().await;
    let mut stored = Vec::new();
    flate2::read::ZlibDecoder::new(transcript.data()[0])
        .read_to_end(&mut stored)
        .unwrap();
    assert!(stored == page);
}

/// By choice everything is compressed, or nothing; files of a batch never are.
#[tokio::test]
async fn mode_z_is_a_choice_and_not_for_batches() {
    let script = packs()
        .expect("MODE Z")
        .say("200 ok")
        .then(sends("RETR f.bin", zlib(b"abc")))
        .serve_rest();
    let peer = Peer::serve(script).await;
    let (client, _) = client_of(&peer, |config| {
        config.data_options.compression = Compression::Always;
    })
    .await;
    assert_eq!(get(&client, "f.bin", 0).await.unwrap(), b"abc");
    let peer = Peer::serve(packs().then(sends("RETR f.txt", "abc")).serve_rest()).await;
    let (client, log) = client_of(&peer, |config| {
        config.data_options.compression = Compression::Never;
    })
    .await;
    assert_eq!(get(&client, "f.txt", 0).await.unwrap(), b"abc");
    assert_eq!(count(&log, "MODE"), 0);
    let script = queues()
        .answering(&[("FEAT", MODE_Z)])
        .expect("MODE Z")
        .say("200 ok")
        .then(sends("RETR a.txt", zlib(b"abc")))
        .expect("MODE S")
        .say("200 ok")
        .then(sends("RETR /b.txt", "abc"))
        .then(sends("RETR /c.txt", "abc"))
        .serve_rest();
    let peer = Peer::serve(script).await;
    let (client, log) = client_of(&peer, |_| {}).await;
    assert_eq!(get(&client, "a.txt", 0).await.unwrap(), b"abc");
    let many = vec![wanted("/b.txt", None), wanted("/c.txt", None)];
    let (outcomes, ended) = fetch(&client, many).await;
    ended.unwrap_or_else(|error| panic!("{error}\n{}", log.all()));
    for outcome in outcomes.values() {
        assert_eq!(outcome.as_ref().unwrap().data, b"abc", "{}", log.all());
    }
}

/// A server that says MODE Z and then doesn't mean it, or gets it wrong: the file comes, at the latest the next time.
#[tokio::test]
async fn mode_z_that_does_not_work_is_done_without() {
    let refused = packs()
        .expect("MODE Z")
        .say("504 not that one")
        .then(sends("RETR a.txt", "abc"))
        .then(sends("RETR a.txt", "abc"))
        .serve_rest();
    let peer = Peer::serve(refused).await;
    let (client, log) = connect(config(&peer)).await.unwrap();
    for _ in 0..2 {
        assert_eq!(get(&client, "a.txt", 0).await.unwrap(), b"abc");
    }
    assert_eq!(count(&log, "MODE"), 1);
    // Uploads that the server can't unpack go as they are from then on; downloads are no worse for that.
    let upload = |said: &str| {
        Script::new()
            .expect("STOR a.txt")
            .say("150 go on")
            .accept_data()
            .read_data()
            .close_data()
            .say(said)
    };
    let script = packs()
        .expect("MODE Z")
        .say("200 ok")
        .then(upload("451 Input/output error"))
        .expect("MODE S")
        .say("200 ok")
        .then(upload("226 done"))
        .expect("MODE Z")
        .say("200 ok")
        .then(sends("RETR a.txt", zlib(b"abc")))
        .serve_rest();
    let peer = Peer::serve(script).await;
    let (client, log) = connect(config(&peer)).await.unwrap();
    let error = put_by_copy(&client, "a.txt", b"abc").await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    put_by_copy(&client, "a.txt", b"abc").await.unwrap();
    assert_eq!(
        get(&client, "a.txt", 0).await.unwrap(),
        b"abc",
        "{}",
        log.all()
    );
    let whole = zlib(&text(500));
    let bomb = zlib(&vec![0; 32 << 20]);
    for (sent, kind) in [
        (b"this is no zlib stream".to_vec(), ErrorKind::Protocol),
        (whole[..whole.len() / 2].to_vec(), ErrorKind::Truncated),
        (bomb, ErrorKind::Protocol),
    ] {
        let script = packs()
            .expect("MODE Z")
            .say("200 ok")
            .expect("RETR a.txt")
            .say("150 here")
            .accept_data()
            .flood_data(sent, 1)
            .close_data()
            .say("226 done")
            .answering(&[("ABOR", "226 nothing to abort")])
            .expect("MODE S")
            .say("200 ok")
            .then(sends("RETR a.txt", "abc"))
            .serve_rest();
        let peer = Peer::serve(script).await;
        let (client, log) = connect(config(&peer)).await.unwrap();
        let error = get_by_copy(&client, "a.txt").await.unwrap_err();
        assert_eq!(*error.kind(), kind, "{error}\n{}", log.all());
        let content = get(&client, "a.txt", 0).await;
        assert_eq!(
            content.unwrap_or_else(|e| panic!("{e}\n{}", log.all())),
            b"abc"
        );
    }
}

/// ProFTPD with mod_deflate, in plain and over TLS.
#[tokio::test]
async fn real_mode_z_of_proftpd() {
    for tls in [Tls::Off, Tls::Explicit] {
        let mut options = Options::with_tls(tls);
        options.extra = vec![
            "LoadModule mod_deflate.c".to_owned(),
            "DeflateEngine on".to_owned(),
        ];
        let Some(server) = RealServer::start(Kind::ProFtpd, options) else {
            return;
        };
        let (client, log) = connect(config_for(&server, tls)).await.unwrap();
        let case = || format!("{tls:?}\n{}\n{}", log.all(), server.log());
        if client.facts().features.get("MODE").is_none() {
            panic!("no MODE Z: {}", case());
        }
        for size in [0, 1, 1500, 300_000] {
            let page = text(size / 25 + 1);
            let page = &page[..size];
            put_by_copy(&client, "/a.html", page)
                .await
                .unwrap_or_else(|e| panic!("{size}: {e} {}", case()));
            assert!(server.read("a.html") == page, "{size} {}", case());
            put(&client, "/b.txt", page)
                .await
                .unwrap_or_else(|e| panic!("{size}: {e} {}", case()));
            assert!(server.read("b.txt") == page, "{size} {}", case());
            let got = get(&client, "/a.html", 0).await;
            assert!(got.unwrap_or_else(|e| panic!("{size}: {e} {}", case())) == page);
            let got = get_by_copy(&client, "/b.txt").await;
            assert!(got.unwrap_or_else(|e| panic!("{size}: {e} {}", case())) == page);
            // And what is not compressed in between.
            let noise = pattern(size);
            put(&client, "/c.jpg", &noise).await.unwrap();
            assert!(server.read("c.jpg") == noise, "{}", case());
            assert!(get(&client, "/c.jpg", 0).await.unwrap() == noise);
            assert_eq!(entries(&client, "/").await.len(), 3, "{}", case());
        }
        assert!(client.facts().data.ratio().unwrap() > 3.0, "{}", case());
        client.quit().await.unwrap();
    }
}
