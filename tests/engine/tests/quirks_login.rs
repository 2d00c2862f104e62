//! Greetings, logins, replies and features as real servers get them wrong: the rows G and F of docs/quirks.md.
#![allow(clippy::unwrap_used, unused_crate_dependencies)]

use std::time::Duration;

use engine_tests::{
    connect, entries,
    files::get,
    path,
    scripted::{client_of, config, config_tls, refused_by, sends},
};
use ftp_client::{
    Backoff, Charset, Client, ErrorKind, KeepAlive, Login, Reconnect, Security, TlsMode,
};
use support::{Authority, Peer, Script};

#[tokio::test]
async fn inner_lines_that_begin_with_digits_end_no_reply() {
    let script = Script::new()
        .send("220-Welcome\r\n221 of 300 users are here\r\n220-more\r\n 220 not yet\r\n220\r\n")
        .answering(&[("USER *", "331 ?"), ("PASS *", "230 in")])
        .answering(&[
            ("FEAT", "502 no"),
            ("PWD", "257 \"/\""),
            ("TYPE *", "200 ok"),
        ])
        .serve_rest();
    let (_peer, client, _) = client_of(script).await;
    assert_eq!(client.facts().greeting.len(), 5);
}

/// There are servers that end a reply of several lines with another code: silence tells, and only silence.
#[tokio::test]
async fn a_reply_may_end_with_another_code_of_its_class() {
    let script = Script::logged_in()
        .expect("PASS secret")
        .send("230-Welcome\r\n220 come in\r\n")
        .expect("PWD")
        .send("257-look\r\n250 \"/home\"\r\n")
        .serve_rest();
    let (_peer, client, log) = client_of(script).await;
    assert!(log.all().contains("against the rules"), "{}", log.all());
    client.noop().await.unwrap();
}

#[tokio::test]
async fn lines_end_in_whatever_way() {
    let script = Script::new()
        .send("220-a\n b\r c\r\x00220 d\0")
        .expect("USER me")
        .send("331 ?\r")
        .expect("PASS secret")
        .send("230 in\n")
        .expect("FEAT")
        .send("502 no\0\r\n")
        .answering(&[("PWD", "257 \"/\""), ("TYPE *", "200 ok")])
        .serve_rest();
    let (_peer, client, _) = client_of(script).await;
    assert_eq!(client.facts().greeting, ["a", " b", " c", "d"]);
    client.noop().await.unwrap_err();
}

#[tokio::test]
async fn long_lines_and_long_replies_are_read() {
    let line = format!("220 {}\r\n", "w".repeat(17_000));
    let (_peer, client, _) = client_of(Script::new().send(line).then(after_greeting())).await;
    client.pwd().await.unwrap();
    let lines = format!("220-begin\r\n{}220 end\r\n", "more\r\n".repeat(9_000));
    let (_peer, client, _) = client_of(Script::new().send(lines).then(after_greeting())).await;
    assert_eq!(client.facts().greeting.len(), 9_002);
}

/// A server after its greeting.
fn after_greeting() -> Script {
    Script::new()
        .answering(&[
            ("USER *", "331 ?"),
            ("PASS *", "230 in"),
            ("FEAT", "211-Features:\r\n SIZE\r\n211 End"),
            ("PWD", "257 \"/\""),
            ("TYPE *", "200 ok"),
            ("NOOP", "200 ok"),
            ("QUIT", "221 bye"),
        ])
        .serve_rest()
}

/// What counts is the class of the code.
#[tokio::test]
async fn positive_codes_may_be_others_than_the_standard_has() {
    let script = Script::logged_in()
        .answering(&[
            ("TYPE *", "226 type"),
            ("CWD *", "200 there"),
            ("MKD *", "250 made"),
            ("RMD *", "200 gone"),
            ("DELE *", "200 gone"),
            ("RNFR *", "300 and?"),
            ("RNTO *", "200 moved"),
            ("SIZE *", "200 7"),
            ("QUIT", "200 bye"),
        ])
        .expect("STOR /up")
        .say("125 send")
        .accept_data()
        .read_data()
        .close_data()
        .say("250 stored")
        .serve_rest();
    let (peer, client, _) = client_of(script).await;
    let mut upload = client.stor(&path("/up"), 0).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut upload, b"bytes")
        .await
        .unwrap();
    upload.finish().await.unwrap();
    client.cwd(&path("/a")).await.unwrap();
    client.mkd(&path("/b")).await.unwrap();
    client.rmd(&path("/b")).await.unwrap();
    client.dele(&path("/c")).await.unwrap();
    client.rename(&path("/d"), &path("/e")).await.unwrap();
    assert_eq!(client.size(&path("/f")).await.unwrap(), 7);
    client.quit().await.unwrap();
    assert_eq!(peer.finish().await.data(), [b"bytes"]);
}

#[tokio::test]
async fn blanks_at_the_ends_of_a_login_are_pointed_out() {
    for (user, password, says) in [
        ("me ", "secret", "user name begins or ends with a blank"),
        ("me", " secret", "password begins or ends with a blank"),
        ("me", "secret", ""),
    ] {
        let script = Script::new()
            .say("220 hello")
            .answering(&[("USER *", "331 ?"), ("PASS *", "530 Login incorrect")])
            .serve_rest();
        let peer = Peer::serve(script).await;
        let mut config = config(&peer);
        config.login = Login::new(user, password).unwrap();
        let error = Client::connect(config).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::LoginRefused);
        let text = error.to_string();
        assert!(text.contains(says) && !text.contains("secret"), "{text}");
        assert_eq!(text.contains("blank"), !says.is_empty(), "{text}");
    }
}

/// What FEAT doesn't name may be there all the same.
#[tokio::test]
async fn features_are_read_in_any_dress_and_their_absence_proves_nothing() {
    let script = Script::logged_in()
        .answering(&[
            (
                "FEAT",
                "211-Extensions\r\n211-UTF8\r\n211-MLST size*;type*;\r\n211 End",
            ),
            ("SIZE *", "213 3"),
            ("MDTM *", "213 20200101000000"),
        ])
        .serve_rest();
    let (_peer, client, log) = client_of(script).await;
    assert!(client.facts().features.has("mlst"));
    assert!(
        log.sent().contains(&"OPTS UTF8 ON".to_owned()),
        "{}",
        log.all()
    );
    assert_eq!(client.size(&path("/f")).await.unwrap(), 3);
    client.mdtm(&path("/f")).await.unwrap();
}

/// FEAT is asked for when the user is known: before, there are servers that refuse it.
#[tokio::test]
async fn features_and_options_are_asked_for_after_the_login() {
    let script = Script::logged_in()
        .answering(&[(
            "FEAT",
            "211-Features:\r\n CLNT\r\n UTF8\r\n MLST type*;size*;modify;unix.mode;x.odd;\r\n LANG EN*;DE\r\n211 End",
        ), ("LANG *", "200 gut")])
        .serve_rest();
    let peer = Peer::serve(script).await;
    let mut config = config(&peer);
    config.language = Some("de".try_into().unwrap());
    config.client_name = "Tester 1".try_into().unwrap();
    let (_client, log) = connect(config).await.unwrap();
    let sent = log.sent();
    let place = |line: &str| {
        let found = sent.iter().position(|sent| sent == line);
        found.unwrap_or_else(|| panic!("no {line} in {sent:?}"))
    };
    assert!(place("PASS *****") < place("FEAT"));
    // Some switch UTF-8 on for clients that have a name only.
    assert!(place("FEAT") < place("CLNT Tester 1"));
    assert!(place("CLNT Tester 1") < place("OPTS UTF8 ON"));
    place("OPTS MLST type;size;modify;unix.mode;");
    place("LANG de");
}

#[tokio::test]
async fn names_that_are_no_utf8_are_kept() {
    let listing = b"type=file;size=3; caf\xe9\r\ntype=dir; caf\xc3\xa9\r\n";
    let script = Script::logged_in()
        .then(sends("MLSD*", &listing[..]))
        .serve_rest();
    let (_peer, client, _) = client_of(script).await;
    let entries = entries(&client, "/").await;
    let names: Vec<&[u8]> = entries.iter().map(|entry| entry.name.as_slice()).collect();
    assert_eq!(names, [&b"caf\xe9"[..], b"caf\xc3\xa9"]);
    // And can be read in any charset afterwards.
    assert_eq!(Charset::AUTO.decode(names[0]), "café");
    let greek = Charset::for_label("iso-8859-7").unwrap();
    assert_eq!(greek.decode(names[0]), "cafι");
}

#[tokio::test]
async fn with_another_charset_the_server_is_not_asked_for_utf8() {
    let peer = Peer::serve(Script::logged_in().serve_rest()).await;
    let mut config = config(&peer);
    config.charset = Charset::for_label("windows-1251").unwrap();
    let (_client, log) = connect(config).await.unwrap();
    assert!(!log.sent().iter().any(|line| line.starts_with("OPTS UTF8")));
}

/// On an implicit port data is private whatever the answer to PROT is; PBSZ always comes before it.
#[tokio::test]
async fn prot_follows_pbsz_and_may_be_refused_on_an_implicit_port() {
    let authority = Authority::new();
    let tls = authority.issue_local().server_config();
    let script = Script::new()
        .start_tls(tls.clone())
        .say("220 hello")
        .answering(&[("USER *", "331 ?"), ("PASS *", "230 in")])
        .expect("PBSZ 0")
        .say("503 what for")
        .expect("PROT P")
        .say("502 what for")
        .then(after_greeting());
    let peer = Peer::serve_each(vec![script.clone(), script]).await;
    let (client, _) = connect(config_tls(&peer, TlsMode::Implicit, &authority))
        .await
        .unwrap();
    assert!(client.facts().security.is_encrypted());
}

#[tokio::test]
async fn the_host_is_named_before_the_login() {
    for (answer, goes_on) in [
        ("220 welcome to b", true),
        ("502 HOST?", true),
        ("504 no such host", false),
    ] {
        let script = Script::logged_in()
            .expect("HOST b.example")
            .say(answer)
            .serve_rest();
        let peer = Peer::serve(script).await;
        let mut config = config(&peer);
        config.virtual_host = Some("b.example".try_into().unwrap());
        match connect(config).await {
            Ok((_, log)) => {
                assert!(goes_on, "{answer}");
                assert_eq!(log.sent()[0], "HOST b.example");
            }
            Err(error) => {
                assert!(!goes_on, "{answer}");
                assert_eq!(*error.kind(), ErrorKind::LoginRefused, "{error}");
                assert!(error.to_string().contains("no such host"), "{error}");
            }
        }
    }
}

/// AUTH at any time; where the server begins anew, so do we (RFC 4217 section 4.2).
#[tokio::test]
async fn tls_can_be_put_on_later() {
    let authority = Authority::new();
    let tls = authority.issue_local().server_config();
    for forgets in [false, true] {
        let pwd = if forgets {
            "530 who are you?"
        } else {
            "257 \"/\""
        };
        let mut secured = Script::logged_in()
            .expect("NOOP")
            .say("200 still plain")
            .expect("AUTH TLS")
            .say("234 go")
            .start_tls(tls.clone())
            .expect("PWD")
            .say(pwd);
        if forgets {
            secured = secured
                .expect("USER me")
                .say("331 ?")
                .expect("PASS secret")
                .say("230 in");
        }
        let secured = secured
            .expect("PBSZ 0")
            .say("200 ok")
            .expect("PROT P")
            .say("200 ok")
            .serve_rest();
        let peer = Peer::serve(secured).await;
        let mut config = config_tls(&peer, TlsMode::Off, &authority);
        config.allow_plaintext = true;
        let (client, _) = connect(config).await.unwrap();
        client.noop().await.unwrap();
        assert_eq!(client.facts().security, Security::Plain);
        client.upgrade_to_tls().await.unwrap();
        assert!(client.facts().security.is_encrypted());
        let twice = client.upgrade_to_tls().await.unwrap_err();
        assert_eq!(*twice.kind(), ErrorKind::Argument, "{twice}");
        client.noop().await.unwrap();
    }
    // Refused, the session goes on as it is.
    let (_peer, client, _) = client_of(Script::logged_in().serve_rest()).await;
    let refused = client.upgrade_to_tls().await.unwrap_err();
    assert_eq!(*refused.kind(), ErrorKind::TlsUnavailable, "{refused}");
    client.noop().await.unwrap();
}

/// Only who resumes the session of the control connection can be its server.
#[tokio::test]
async fn resumption_can_be_demanded() {
    let authority = Authority::new();
    let tls = || authority.issue_local().server_config();
    let control = tls();
    let script = Script::logged_in()
        .expect("AUTH TLS")
        .say("234 go")
        .start_tls(control)
        .answering(&[("PBSZ 0", "200 ok"), ("PROT P", "200 ok")])
        .expect("RETR /f")
        .say("150 here")
        // Another server's sessions.
        .accept_data_tls(tls())
        .send_data("forged")
        .close_data()
        .say("226 done")
        .serve_rest();
    let peer = Peer::serve_each(vec![script.clone(), script]).await;
    let mut config = config_tls(&peer, TlsMode::Explicit, &authority);
    config.require_resumption = true;
    let (client, _) = connect(config).await.unwrap();
    let error = get(&client, "/f", 0).await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Tls | ErrorKind::Certificate(_)),
        "{error}"
    );
}

/// NOOP, TYPE and PWD in turn, for as long as the policy says; the time is not waited for here.
#[tokio::test]
async fn an_idle_session_is_kept_alive_in_turns_and_not_for_ever() {
    let script = Script::logged_in()
        .within(Duration::from_secs(4000))
        .serve_rest();
    let peer = Peer::serve(script).await;
    let mut config = config(&peer);
    config.keep_alive = KeepAlive {
        every: Duration::from_millis(40),
        at_most: Duration::from_millis(210),
    };
    let (client, log) = connect(config).await.unwrap();
    client.noop().await.unwrap();
    let before = log.sent().len();
    let kept = || log.sent()[before..].to_vec();
    while kept().len() < 5 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(kept(), ["NOOP", "TYPE I", "PWD", "NOOP", "TYPE I"]);
    // What is asked begins it anew.
    client.pwd().await.unwrap();
    while kept().len() < 8 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(kept()[5..8], ["PWD", "NOOP", "TYPE I"]);
}

#[tokio::test]
async fn a_lost_session_is_connected_anew_in_its_folder() {
    let lost = Script::logged_in()
        .expect("CWD /work")
        .say("250 there")
        .expect("PWD")
        .say("257 \"/work\"")
        .say("421 you slept")
        .close();
    let again = Script::logged_in()
        .expect("CWD /work")
        .say("250 there")
        .expect("PWD")
        .say("257 \"/work\"")
        .serve_rest();
    let busy = Script::new().say("421 not now").close();
    let peer = Peer::serve_each(vec![lost, busy, again]).await;
    let mut config = config(&peer);
    config.reconnect = Reconnect {
        begin: Backoff::NEVER,
        lost: Backoff {
            attempts: 2,
            ..Backoff::NEVER
        },
    };
    let (client, log) = connect(config).await.unwrap();
    client.cwd(&path("/work")).await.unwrap();
    while !client.is_closed() {
        tokio::task::yield_now().await;
    }
    client.noop().await.unwrap();
    assert!(!client.is_closed(), "{}", log.all());
    client.clone().quit().await.unwrap();
    // Who has left is not called back.
    assert_eq!(*client.noop().await.unwrap_err().kind(), ErrorKind::Lost);
    drop(peer);
}

#[tokio::test]
async fn a_first_connection_is_tried_again_for_what_may_pass_only() {
    let full = || Script::new().say("421 full").close();
    let peer = Peer::serve_each(vec![full(), full(), Script::logged_in().serve_rest()]).await;
    let mut patient = config(&peer);
    patient.reconnect.begin = Backoff {
        attempts: 2,
        ..Backoff::NEVER
    };
    connect(patient.clone()).await.unwrap();
    let refuses = Script::new()
        .say("220 hi")
        .answering(&[("USER *", "530 no")])
        .serve_rest();
    let peer = Peer::serve(refuses).await;
    patient.port = peer.addr().port();
    let error = Client::connect(patient).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::LoginRefused);
    let error = refused_by(full()).await;
    assert_eq!(*error.kind(), ErrorKind::Busy);
}

/// CCC, with the next reply already behind the server's goodbye.
#[tokio::test]
async fn commands_can_go_on_in_plain() {
    let authority = Authority::new();
    let tls = authority.issue_local().server_config();
    for by_config in [true, false] {
        let script = Script::logged_in()
            .expect("AUTH TLS")
            .say("234 go")
            .start_tls(tls.clone())
            .answering(&[("PBSZ 0", "200 ok"), ("PROT P", "200 ok")])
            .expect("CCC")
            .say("200 in plain from here on")
            .stop_tls()
            .expect("NOOP")
            .say("200 seen by the firewall")
            .serve_rest();
        // A peer without tickets for data is asked again for TLS 1.2.
        let peer = Peer::serve_each(vec![script.clone(), script]).await;
        let mut config = config_tls(&peer, TlsMode::Explicit, &authority);
        config.clear_control = by_config;
        config.keep_alive = KeepAlive::NEVER;
        let (client, _) = connect(config).await.unwrap();
        if !by_config {
            client.clear_control().await.unwrap();
        }
        client.noop().await.unwrap();
        let security = client.facts().security.clone();
        assert!(
            matches!(
                security,
                Security::Tls {
                    data_encrypted: true,
                    commands_encrypted: false,
                    ..
                }
            ),
            "{security:?}"
        );
        let twice = client.clear_control().await.unwrap_err();
        assert_eq!(*twice.kind(), ErrorKind::Argument, "{twice}");
    }
    // Refused, it stays encrypted; demanded by the configuration, the connection fails.
    let script = Script::logged_in()
        .expect("AUTH TLS")
        .say("234 go")
        .start_tls(tls)
        .answering(&[
            ("PBSZ 0", "200 ok"),
            ("PROT P", "200 ok"),
            ("CCC", "533 no"),
        ])
        .serve_rest();
    let peer = Peer::serve_each(vec![script; 4]).await;
    let mut config = config_tls(&peer, TlsMode::Explicit, &authority);
    let (client, _) = connect(config.clone()).await.unwrap();
    client.clear_control().await.unwrap_err();
    assert!(client.facts().security.is_encrypted());
    client.noop().await.unwrap();
    config.clear_control = true;
    let error = Client::connect(config).await.unwrap_err();
    assert_eq!(error.reply().unwrap().code.value(), 533, "{error}");
}
