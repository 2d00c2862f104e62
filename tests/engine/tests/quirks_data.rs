//! Data connections as odd servers have them: which way they come about, and where that fails.
#![allow(clippy::unwrap_used, unused_crate_dependencies)]

use std::time::{Duration, Instant};

use engine_tests::{
    Log,
    batches::{client_of, each, fetch, files, queues, went_together},
    connect,
    files::{get, put},
    path,
    scripted::{config, sends},
};
use ftp_client::{
    Client, Config, DataMode, DataWay, ErrorKind, HostMemory, PassiveCommand, Waited,
};
use support::{Gate, Peer, Script};
use tokio::io::AsyncWriteExt as _;

/// A session that is still in step answers this, and nothing else does.
async fn assert_in_step(client: &Client) {
    assert_eq!(client.pwd().await.unwrap(), path("/"));
    client.noop().await.unwrap();
}

/// A server without passive mode.
fn no_passive() -> Script {
    Script::logged_in().answering(&[("EPSV*", "500 EPSV?"), ("PASV", "502 PASV?")])
}

/// The server comes to us and sends.
fn dials(demand: &str, command: &str, data: &str) -> Script {
    Script::new()
        .expect(demand)
        .dial_data()
        .say("200 ok")
        .expect(command)
        .say("150 here")
        .send_data(data)
        .close_data()
        .say("226 done")
}

fn active(config: &mut Config) {
    config.data = DataMode::Active;
    config.data_options.fallback = false;
}

/// How often a command was sent.
fn count(log: &Log, verb: &str) -> usize {
    let sent = log.sent();
    sent.iter().filter(|line| line.starts_with(verb)).count()
}

/// A port of loopback at which nobody listens.
async fn closed_port() -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().port()
}

#[tokio::test]
async fn active_mode_waits_at_the_chosen_ports_and_tells_the_chosen_address() {
    let done = Gate::new();
    let script = Script::logged_in()
        .expect("EPRT |1|203.0.113.7|*")
        .say("200 ok")
        .expect("RETR f")
        .say("150 here")
        .wait_for(&done)
        .say("226 done")
        .serve_rest();
    let peer = Peer::serve(script).await;
    let low = closed_port().await.min(60000);
    let range = low..=low.saturating_add(40);
    let (client, log) = client_of(&peer, |config| {
        active(config);
        config.data_options.active_ports = Some(range.clone());
        config.data_options.active_address = Some("203.0.113.7".parse().unwrap());
    })
    .await;
    let getting = get(&client, "f", 0);
    let coming = async {
        // What a router would do: the address is its own, the port ours.
        let port: u16 = loop {
            let sent = log.sent();
            if let Some(line) = sent.iter().find(|line| line.starts_with("EPRT")) {
                break line.split('|').nth(3).unwrap().parse().unwrap();
            }
            tokio::task::yield_now().await;
        };
        assert!(range.contains(&port), "{port}");
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port))
            .await
            .unwrap();
        stream.write_all(b"content").await.unwrap();
        stream.shutdown().await.unwrap();
        done.open();
    };
    let (content, ()) = tokio::join!(getting, coming);
    assert_eq!(content.unwrap(), b"content", "{}", log.all());
    let facts = client.facts();
    assert_eq!(facts.data.way, Some(DataWay::Eprt));
    assert_eq!(facts.data.fallback, None);
}

/// A range of one port serves one transfer after the other, in batches too.
#[tokio::test]
async fn one_port_is_enough_for_many_files_in_active_mode() {
    let script = queues()
        .then(dials("EPRT *", "RETR /f0", "0"))
        .then(dials("PORT *", "RETR /f1", "1"))
        .then(dials("PORT *", "RETR /f2", "2"));
    let peer = Peer::serve(script.serve_rest()).await;
    let port = closed_port().await;
    let (client, log) = client_of(&peer, |config| {
        active(config);
        config.data_options.active_ports = Some(port..=port);
    })
    .await;
    let (outcomes, ended) = fetch(&client, files(3)).await;
    ended.unwrap_or_else(|error| panic!("{error}\n{}", log.all()));
    for (index, outcome) in outcomes {
        assert_eq!(outcome.unwrap().data, index.to_string().as_bytes());
    }
    assert_eq!(client.facts().data.way, Some(DataWay::Port));
}

/// Any 2xx will do, and a refused EPRT is not asked again.
#[tokio::test]
async fn port_follows_a_refused_eprt_and_is_remembered() {
    for (refusal, accepted) in [
        ("500 EPRT?", "200 ok"),
        ("502 no", "250 ok"),
        ("522 not this protocol", "227 ok"),
        ("425 not now", "220 ok"),
    ] {
        let by_port = |name: &str| {
            Script::new()
                .expect("PORT *")
                .dial_data()
                .say(accepted)
                .then(Script::new().expect(&format!("RETR {name}")))
                .say("150 here")
                .send_data(name.to_owned())
                .close_data()
                .say("226 done")
        };
        let script = Script::logged_in()
            .answering(&[("EPRT *", refusal)])
            .then(by_port("a"))
            .then(by_port("b"))
            .serve_rest();
        let peer = Peer::serve(script).await;
        let (client, log) = client_of(&peer, active).await;
        for name in ["a", "b"] {
            let content = get(&client, name, 0).await;
            assert_eq!(content.unwrap(), name.as_bytes(), "{}", log.all());
        }
        let once = !refusal.starts_with('4');
        assert_eq!(count(&log, "EPRT"), if once { 1 } else { 2 });
        assert_eq!(client.facts().data.way, Some(DataWay::Port));
    }
}

/// Where passive mode fails active mode is tried; that is told, and the next session begins with it.
#[tokio::test]
async fn active_mode_is_tried_where_passive_mode_fails() {
    let port = closed_port().await;
    let unreachable = Script::logged_in().answering(&[
        ("EPSV*", &format!("229 there (|||{port}|)")),
        (
            "PASV",
            &format!("227 there (127,0,0,1,{},{})", port >> 8, port & 0xff),
        ),
    ]);
    for server in [no_passive(), unreachable] {
        let hosts = HostMemory::default();
        let first = server
            .clone()
            .then(dials("EPRT *", "RETR a", "1"))
            .then(dials("EPRT *", "STOR b", ""))
            .serve_rest();
        let second = server.then(dials("EPRT *", "RETR c", "3")).serve_rest();
        let peer = Peer::serve_each(vec![first, second]).await;
        let (client, log) = client_of(&peer, |config| config.hosts = hosts.clone()).await;
        assert_eq!(get(&client, "a", 0).await.unwrap(), b"1", "{}", log.all());
        let facts = client.facts();
        assert_eq!(facts.data.way, Some(DataWay::Eprt));
        let reason = facts.data.fallback.clone().unwrap();
        assert!(reason.starts_with("passive mode: "), "{reason}");
        assert!(log.all().contains("trying active mode"), "{}", log.all());
        let asked = count(&log, "EPSV") + count(&log, "PASV");
        put(&client, "b", b"").await.unwrap();
        assert_eq!(count(&log, "EPSV") + count(&log, "PASV"), asked);
        assert_in_step(&client).await;
        let (client, log) = client_of(&peer, |config| config.hosts = hosts.clone()).await;
        assert_eq!(get(&client, "c", 0).await.unwrap(), b"3", "{}", log.all());
        assert_eq!(count(&log, "EPSV") + count(&log, "PASV"), 0);
    }
}

/// And back: a server that doesn't reach us is reached, whatever it says of that, or if it says nothing.
#[tokio::test]
async fn passive_mode_is_tried_where_active_mode_fails() {
    let refused = Script::logged_in()
        .answering(&[("EPRT *", "500 no"), ("PORT *", "502 neither")])
        .then(sends("RETR f", "abc"))
        .then(sends("RETR g", "def"))
        .serve_rest();
    let unreached = Script::logged_in()
        .answering(&[("EPRT *", "200 ok")])
        .expect("RETR f")
        .say("425 can't reach you")
        .then(sends("RETR f", "abc"))
        .then(sends("RETR g", "def"))
        .serve_rest();
    let late = Script::logged_in()
        .answering(&[("EPRT *", "200 ok")])
        .expect("RETR f")
        .say("150 I try")
        .say("425 can't reach you")
        .then(sends("RETR f", "abc"))
        .then(sends("RETR g", "def"))
        .serve_rest();
    let silent = Script::logged_in()
        .answering(&[("EPRT *", "200 ok")])
        .expect("RETR f")
        .say("150 I try")
        .expect_close();
    let again = Script::logged_in()
        .then(sends("RETR f", "abc"))
        .then(sends("RETR g", "def"))
        .serve_rest();
    for scripts in [
        vec![refused],
        vec![unreached],
        vec![late],
        vec![silent, again],
    ] {
        let peer = Peer::serve_each(scripts).await;
        let begun = Instant::now();
        let (client, log) = client_of(&peer, |config| {
            config.data = DataMode::Active;
            config.timeouts.connect = Duration::from_millis(1500);
        })
        .await;
        let content = get(&client, "f", 0).await;
        assert_eq!(
            content.unwrap_or_else(|e| panic!("{e}\n{}", log.all())),
            b"abc"
        );
        let facts = client.facts();
        assert_eq!(facts.data.way, Some(DataWay::Epsv));
        let reason = facts.data.fallback.clone().unwrap();
        assert!(reason.starts_with("active mode: "), "{reason}");
        let asked = count(&log, "EPRT");
        assert_eq!(get(&client, "g", 0).await.unwrap(), b"def");
        assert_eq!(count(&log, "EPRT"), asked, "{}", log.all());
        assert!(begun.elapsed() < Duration::from_secs(8));
        assert_in_step(&client).await;
    }
}

#[tokio::test]
async fn without_leave_for_the_other_mode_the_first_error_is_the_last() {
    let peer = Peer::serve(no_passive().serve_rest()).await;
    let (client, log) = client_of(&peer, |config| config.data_options.fallback = false).await;
    let error = get(&client, "f", 0).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Unsupported, "{error}");
    assert_eq!(count(&log, "EPRT") + count(&log, "PORT"), 0);
    assert_in_step(&client).await;
    // With leave, and nothing works: the error is that of the mode that was chosen.
    let nothing = no_passive().answering(&[("EPRT *", "500 EPRT?"), ("PORT *", "500 PORT?")]);
    let peer = Peer::serve(nothing.serve_rest()).await;
    let (client, _) = client_of(&peer, |_| {}).await;
    let error = get(&client, "f", 0).await.unwrap_err();
    assert!(error.to_string().contains("PASV"), "{error}");
    assert_in_step(&client).await;
}

/// What the server says while it should come is heard at once.
#[tokio::test]
async fn active_mode_hears_the_server_while_it_waits_for_it() {
    let begin = || {
        Script::logged_in()
            .answering(&[("EPRT *", "200 ok")])
            .expect("RETR f")
    };
    for (script, kind) in [
        (begin().say("425 no"), ErrorKind::Refused),
        (
            begin().say("150 soon").say("425 can't reach you"),
            ErrorKind::Refused,
        ),
        (begin().say("421 enough"), ErrorKind::Busy),
        (
            begin().say("150 soon").say("421 enough").close(),
            ErrorKind::Busy,
        ),
        (begin().say("550 no such file"), ErrorKind::NotFound),
        (
            begin().say("150 soon").say("451 my disk"),
            ErrorKind::Refused,
        ),
    ] {
        let closes = kind == ErrorKind::Busy;
        let script = if closes { script } else { script.serve_rest() };
        let peer = Peer::serve(script).await;
        let (client, log) = client_of(&peer, active).await;
        let begun = Instant::now();
        let error = get(&client, "f", 0).await.unwrap_err();
        assert_eq!(*error.kind(), kind, "{error}\n{}", log.all());
        // The limit for connections is ten seconds.
        assert!(begun.elapsed() < Duration::from_secs(5), "{error}");
        if closes {
            assert!(client.is_closed());
        } else {
            assert_in_step(&client).await;
        }
    }
    // It says nothing at all: then our patience counts.
    let never = begin().say("150 soon").delay(Duration::from_secs(3));
    let peer = Peer::serve(never).await;
    let (client, _) = client_of(&peer, |config| {
        active(config);
        config.timeouts.connect = Duration::from_millis(300);
        config.timeouts.reply = Duration::from_millis(300);
    })
    .await;
    let error = get(&client, "f", 0).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Timeout(Waited::Accept), "{error}");
}

/// A server that has nothing to send opens no connection for it, with 150 or without.
#[tokio::test]
async fn active_mode_without_data_is_an_empty_file() {
    let empty = |replies: &str| {
        Script::new()
            .expect("EPRT *")
            .say("200 ok")
            .expect("RETR f")
            .say(replies)
    };
    let script = Script::logged_in()
        .then(empty("226 nothing in it"))
        .then(empty("150 soon\r\n226 nothing in it"))
        // Its end is faster than its connection is seen.
        .expect("EPRT *")
        .say("200 ok")
        .expect("RETR g")
        .send("150 here\r\n226 done\r\n")
        .dial_last("EPRT")
        .send_data("late")
        .close_data()
        .serve_rest();
    let peer = Peer::serve(script).await;
    let (client, log) = client_of(&peer, active).await;
    for _ in 0..2 {
        assert_eq!(get(&client, "f", 0).await.unwrap(), b"", "{}", log.all());
    }
    assert_eq!(
        get(&client, "g", 0).await.unwrap(),
        b"late",
        "{}",
        log.all()
    );
    assert_in_step(&client).await;
}

#[tokio::test]
async fn epsv_all_is_said_once_and_then_nothing_but_epsv() {
    let script = Script::logged_in()
        .expect("EPSV ALL")
        .say("200 only EPSV from now on")
        .then(sends("RETR a", "1"))
        .then(sends("RETR b", "2"))
        .serve_rest();
    let all = |config: &mut Config| config.data_options.epsv_all = true;
    let peer = Peer::serve(script).await;
    let (client, log) = client_of(&peer, all).await;
    assert_eq!(get(&client, "a", 0).await.unwrap(), b"1", "{}", log.all());
    assert_eq!(get(&client, "b", 0).await.unwrap(), b"2");
    assert_eq!(count(&log, "EPSV ALL"), 1);
    assert_eq!(count(&log, "EPSV"), 3);
    // A server that doesn't know it is used as ever.
    let script = Script::logged_in()
        .answering(&[
            ("EPSV*", "500 EPSV?"),
            ("PASV", "227 ok ({pasv})"),
            ("EPSV ALL", "501 ALL?"),
        ])
        .then(sends("RETR a", "1"))
        .serve_rest();
    let peer = Peer::serve(script).await;
    let (client, log) = client_of(&peer, all).await;
    assert_eq!(get(&client, "a", 0).await.unwrap(), b"1", "{}", log.all());
    assert_eq!(client.facts().data.way, Some(DataWay::Pasv));
}

/// After EPSV ALL the server takes no other command: where EPSV fails then, only a new session helps.
#[tokio::test]
async fn epsv_all_that_leads_nowhere_is_left_behind_with_its_session() {
    let port = closed_port().await;
    let first = Script::logged_in()
        .answering(&[("EPSV*", &format!("229 there (|||{port}|)"))])
        .expect("EPSV ALL")
        .say("200 fine")
        .expect("EPSV")
        .say(&format!("229 there (|||{port}|)"))
        .expect_close();
    let second = Script::logged_in()
        .answering(&[("PASV", "227 ok ({pasv})")])
        .then(sends("RETR a", "1"))
        .serve_rest();
    let peer = Peer::serve_each(vec![first.clone(), second]).await;
    let all = |config: &mut Config| config.data_options.epsv_all = true;
    let (client, log) = client_of(&peer, all).await;
    let content = get(&client, "a", 0).await;
    assert_eq!(
        content.unwrap_or_else(|e| panic!("{e}\n{}", log.all())),
        b"1"
    );
    assert_eq!(client.facts().data.way, Some(DataWay::Pasv));
    assert_eq!(count(&log, "EPSV ALL"), 1);
}

/// The commands are tried in the chosen order, and no others.
#[tokio::test]
async fn passive_commands_are_those_that_were_chosen() {
    use PassiveCommand::{Epsv, Pasv};
    for (commands, epsv, pasv, asked, way) in [
        (
            vec![Epsv],
            "229 ok (|||{port}|)",
            "",
            vec!["EPSV"],
            Ok(DataWay::Epsv),
        ),
        (
            vec![Pasv],
            "",
            "227 ok {pasv}",
            vec!["PASV"],
            Ok(DataWay::Pasv),
        ),
        (
            vec![Pasv, Epsv],
            "",
            "227 ok {pasv}",
            vec!["PASV"],
            Ok(DataWay::Pasv),
        ),
        (
            vec![Pasv, Epsv],
            "229 ok (|||{port}|)",
            "502 no",
            vec!["PASV", "EPSV"],
            Ok(DataWay::Epsv),
        ),
        (vec![Epsv], "502 no", "", vec!["EPSV"], Err(())),
        (
            vec![Epsv, Pasv],
            "502 no",
            "502 no",
            vec!["EPSV", "PASV"],
            Err(()),
        ),
        (vec![], "", "", vec![], Err(())),
    ] {
        let script = Script::logged_in()
            .answering(&[("EPSV*", epsv), ("PASV", pasv)])
            .then(if way.is_ok() {
                sends("RETR f", "abc")
            } else {
                Script::new()
            })
            .serve_rest();
        let peer = Peer::serve(script).await;
        let (client, log) = client_of(&peer, |config| {
            config.data_options.passive_commands = commands.clone();
            config.data_options.fallback = false;
        })
        .await;
        let content = get(&client, "f", 0).await;
        let sent = log.sent();
        let demands: Vec<&str> = sent
            .iter()
            .map(String::as_str)
            .filter(|line| line.ends_with("SV"))
            .collect();
        assert_eq!(demands, asked, "{}", log.all());
        match way {
            Ok(way) => {
                assert_eq!(content.unwrap(), b"abc");
                assert_eq!(client.facts().data.way, Some(way));
            }
            Err(()) => {
                let error = content.unwrap_err();
                let expected = match commands.is_empty() {
                    true => ErrorKind::Argument,
                    false => ErrorKind::Unsupported,
                };
                assert_eq!(*error.kind(), expected, "{error}");
            }
        }
        assert_in_step(&client).await;
    }
}

/// Servers made of many machines ask beforehand what will be moved, to say which machine has it.
#[tokio::test]
async fn pret_comes_before_passive_mode_where_the_server_has_it() {
    let feat = "211-Features:\r\n PRET\r\n EPSV\r\n MLST type*;\r\n211 End";
    let transfer = |command: &str, reply: &str| {
        Script::new()
            .expect(&format!("PRET {command}"))
            .say(reply)
            .expect("EPSV")
            .say("229 ok (|||{port}|)")
            .then(sends(command, "0"))
    };
    let script = queues()
        .answering(&[("FEAT", feat)])
        .then(transfer("RETR f", "200 planned"))
        .expect("PRET RETR none")
        .say("550 no such file")
        .then(transfer("MLSD", "200 planned"))
        // Many files too, one by one.
        .then(transfer("RETR /f0", "200 planned"))
        .then(transfer("RETR /f1", "500 PRET?"))
        .expect("EPSV")
        .say("229 ok (|||{port}|)")
        .then(sends("RETR /f2", "0"))
        .serve_rest();
    let peer = Peer::serve(script).await;
    let (client, log) = client_of(&peer, |_| {}).await;
    assert_eq!(get(&client, "f", 0).await.unwrap(), b"0", "{}", log.all());
    let error = get(&client, "none", 0).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::NotFound, "{error}");
    client.list(None).await.unwrap().collect().await.unwrap();
    let (outcomes, ended) = fetch(&client, files(3)).await;
    ended.unwrap_or_else(|error| panic!("{error}\n{}", log.all()));
    for outcome in outcomes.values() {
        assert_eq!(outcome.as_ref().unwrap().data, b"0", "{}", log.all());
    }
    assert_eq!(count(&log, "PRET"), 5);
    assert_in_step(&client).await;
}

/// Many files at once go the way that was found: by the other mode, or by EPSV alone.
#[tokio::test]
async fn batches_go_the_way_that_was_found() {
    let refuses = queues()
        .answering(&[("EPSV*", "500 EPSV?"), ("PASV", "502 PASV?")])
        // In a hurry first.
        .expect("EPSV")
        .say("500 EPSV?")
        .expect("RETR /f0")
        .say("425 what connection?")
        .then(dials("EPRT *", "RETR /f0", "0"))
        .then(dials("PORT *", "RETR /f1", "1"))
        .then(dials("PORT *", "RETR /f2", "2"))
        .serve_rest();
    let only_epsv = queues()
        .expect("EPSV ALL")
        .say("200 only EPSV")
        .then(each(0..3))
        .serve_rest();
    for (script, all, way) in [
        (refuses, false, DataWay::Port),
        (only_epsv, true, DataWay::Epsv),
    ] {
        let peer = Peer::serve(script).await;
        let (client, log) = client_of(&peer, |config| config.data_options.epsv_all = all).await;
        let (outcomes, ended) = fetch(&client, files(3)).await;
        ended.unwrap_or_else(|error| panic!("{error}\n{}", log.all()));
        for (index, outcome) in outcomes {
            let file = outcome.unwrap_or_else(|error| panic!("{error}\n{}", log.all()));
            assert_eq!(file.data, index.to_string().as_bytes(), "{}", log.all());
        }
        assert!(went_together(&log), "{}", log.all());
        assert_eq!(client.facts().data.way, Some(way));
        assert_eq!(client.facts().data.fallback.is_some(), !all);
        assert_in_step(&client).await;
    }
}

/// An offset that a server keeps must not cut off the beginning of the next file.
#[tokio::test]
async fn an_offset_is_taken_back_before_the_next_transfer_from_the_start() {
    let script = Script::logged_in()
        .answering(&[("REST *", "350 from there")])
        .expect("REST 5")
        .say("350 from there")
        .then(sends("RETR f", "rest"))
        .then(sends("MLSD", ""))
        .expect("REST 0")
        .say("350 from the start")
        .then(sends("RETR g", "whole"))
        .then(sends("RETR h", "whole"))
        .serve_rest();
    let peer = Peer::serve(script).await;
    let (client, log) = connect(config(&peer)).await.unwrap();
    assert_eq!(get(&client, "f", 5).await.unwrap(), b"rest");
    client.list(None).await.unwrap().collect().await.unwrap();
    for name in ["g", "h"] {
        let content = get(&client, name, 0).await;
        assert_eq!(content.unwrap(), b"whole", "{}", log.all());
    }
    assert_eq!(count(&log, "REST 0"), 1, "{}", log.all());
    assert_in_step(&client).await;
}
