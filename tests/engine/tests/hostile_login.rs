//! Servers that break the rules before anybody has logged in, or that just can't do much.
#![allow(clippy::unwrap_used, unused_crate_dependencies)]

use std::time::{Duration, Instant};

use engine_tests::{
    connect,
    files::get,
    path,
    scripted::{client_of, config, config_tls, refused_by, sends},
};
use ftp_client::{
    Client, ErrorKind, Login, Security, Timeouts, TlsMode, Waited,
    ftp_proto::{Argument, RemotePath},
};
use support::{Authority, Peer, Script};

#[tokio::test]
async fn other_protocols_and_nonsense_are_told_apart() {
    for (banner, says) in [
        ("SSH-2.0-OpenSSH_9.2p1\r\n", "SSH"),
        (
            "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
            "HTTP",
        ),
        ("+OK mail here\r\n", "POP3"),
        ("welcome, stranger\r\n", "welcome, stranger"),
        ("2200 four digits\r\n", "2200"),
        ("99 two\r\n", "99"),
        ("\x16\x03\x01 hello in TLS\r\n", "TLS"),
    ] {
        let error = refused_by(Script::new().send(banner).expect_close()).await;
        assert_eq!(*error.kind(), ErrorKind::Protocol, "{banner:?}: {error}");
        assert!(error.to_string().contains(says), "{banner:?}: {error}");
    }
    let error = refused_by(Script::new().close()).await;
    assert_eq!(*error.kind(), ErrorKind::Lost, "{error}");
    let error = refused_by(Script::new().send("220 hal").close()).await;
    assert_eq!(*error.kind(), ErrorKind::Lost, "{error}");
    let error = refused_by(Script::new().reset()).await;
    assert_eq!(*error.kind(), ErrorKind::Lost, "{error}");
}

#[tokio::test]
async fn endless_greetings_are_cut_off() {
    let line = [b"220 ".to_vec(), vec![b'a'; 1 << 20]].concat();
    let lines = format!("220-begin\r\n{}", "more\r\n".repeat(100_000));
    let numbers = format!("220-begin\r\n{}", "221 other code\r\n".repeat(100_000));
    for flood in [line, lines.into_bytes(), numbers.into_bytes()] {
        let error = refused_by(Script::new().send(flood).expect_close()).await;
        assert_eq!(*error.kind(), ErrorKind::Protocol, "{error}");
    }
    // Preliminary replies without end are no greeting and no answer either.
    let soon = "120 soon\r\n".repeat(10_000);
    let error = refused_by(Script::new().send(soon).expect_close()).await;
    assert_eq!(*error.kind(), ErrorKind::Protocol, "{error}");
    let soon = "150 soon\r\n".repeat(10_000);
    let script = Script::logged_in().expect("FEAT").send(soon);
    let error = refused_by(script.expect_close()).await;
    assert_eq!(*error.kind(), ErrorKind::Protocol, "{error}");
}

#[tokio::test]
async fn a_421_is_the_end_at_every_step_of_the_login() {
    let full = "421 too many users, come back later";
    let begin = || Script::new().say("220 hello");
    for (step, script) in [
        ("greeting", Script::new().say(full)),
        ("USER", begin().expect("USER *").say(full)),
        ("PASS", Script::logged_in().expect("PASS *").say(full)),
        ("FEAT", Script::logged_in().expect("FEAT").say(full)),
        ("PWD", Script::logged_in().expect("PWD").say(full)),
        ("TYPE", Script::logged_in().expect("TYPE I").say(full)),
    ] {
        // PASS needs its USER first; the standing answers give it.
        let error = refused_by(script.expect_close()).await;
        assert_eq!(*error.kind(), ErrorKind::Busy, "{step}: {error}");
        assert!(error.is_retryable() && error.is_fatal(), "{step}: {error}");
    }
}

#[tokio::test]
async fn what_a_refused_login_means() {
    for (user, pass, kind) in [
        ("331 ?", "530 Login incorrect", ErrorKind::LoginRefused),
        ("331 ?", "530 Sorry, too many users", ErrorKind::Busy),
        (
            "530 Maximum number of connections reached",
            "",
            ErrorKind::Busy,
        ),
        ("530 Not you", "", ErrorKind::LoginRefused),
        ("331 ?", "430 Invalid", ErrorKind::LoginRefused),
        ("331 ?", "500 What?", ErrorKind::LoginRefused),
        ("331 ?", "331 and again?", ErrorKind::LoginRefused),
        ("332 account?", "", ErrorKind::LoginRefused),
        ("331 ?", "332 account?", ErrorKind::LoginRefused),
    ] {
        let mut script = Script::new()
            .say("220 hello")
            .answering(&[("QUIT", "221 bye")])
            .expect("USER me")
            .say(user);
        if !pass.is_empty() {
            script = script.expect("PASS secret").say(pass);
        }
        let error = refused_by(script.serve_rest()).await;
        assert_eq!(*error.kind(), kind, "{user} {pass}: {error}");
        assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
    }
}

#[tokio::test]
async fn logins_with_less_and_with_more_than_a_password() {
    // USER is enough: the password is not sent.
    let script = Script::logged_in().expect("USER me").say("230 you are in");
    let (peer, client, _) = client_of(script.serve_rest()).await;
    client.quit().await.unwrap();
    let lines = peer.finish().await.received_lines();
    assert!(!lines.iter().any(|l| l.starts_with("PASS")), "{lines:?}");

    for script in [
        Script::logged_in()
            .expect("PASS secret")
            .say("332 account?"),
        Script::logged_in().expect("USER me").say("332 account?"),
    ] {
        let peer = Peer::serve(script.expect("ACCT shared").say("230 in").serve_rest()).await;
        let mut config = config(&peer);
        config.login.account = Some("shared".try_into().unwrap());
        let (client, log) = connect(config).await.unwrap();
        client.quit().await.unwrap();
        assert!(!log.all().contains("shared") && !log.all().contains("secret"));
        peer.finish().await;
    }
}

#[tokio::test]
async fn a_server_that_can_do_nothing_but_files_will_do() {
    let script = Script::logged_in()
        .answering(&[
            ("FEAT", "500 FEAT?"),
            ("OPTS *", "500 OPTS?"),
            ("PWD", "500 PWD?"),
            ("EPSV*", "500 EPSV?"),
            ("PASV", "227 =127,0,0,1,{pasv}"),
        ])
        .answering(&[("PASV", "227 Entering Passive Mode {pasv}")]);
    let (peer, client, _) = client_of(script.then(sends("RETR f", "abc")).serve_rest()).await;
    assert_eq!(get(&client, "f", 0).await.unwrap(), b"abc");
    client.quit().await.unwrap();
    peer.finish().await;
}

#[tokio::test]
async fn a_password_is_not_sent_in_plain_without_leave() {
    for (mode, kind) in [
        (TlsMode::Auto, ErrorKind::PlaintextRefused),
        (TlsMode::Off, ErrorKind::PlaintextRefused),
        (TlsMode::Explicit, ErrorKind::TlsUnavailable),
    ] {
        let peer = Peer::serve(Script::logged_in().serve_rest()).await;
        let config = config_tls(&peer, mode, &Authority::new());
        let error = Client::connect(config).await.unwrap_err();
        assert_eq!(*error.kind(), kind, "{mode:?}: {error}");
        let transcript = peer.finish().await;
        let told = transcript.received_lines();
        let secret = |line: &String| line.starts_with("PASS") || line.contains("secret");
        assert!(!told.iter().any(secret), "{mode:?}: {transcript}");
    }
    // With leave, and for the public, it goes in.
    for (user, allow) in [("me", true), ("anonymous", false)] {
        let peer = Peer::serve(Script::logged_in().serve_rest()).await;
        let mut config = config_tls(&peer, TlsMode::Auto, &Authority::new());
        config.allow_plaintext = allow;
        config.login = Login::new(user, "secret").unwrap();
        let (client, _) = connect(config).await.unwrap();
        assert_eq!(client.facts().security, Security::Plain);
        client.quit().await.unwrap();
        peer.finish().await;
    }
}

/// Somebody in between can put bytes behind the reply to AUTH: they must never count as the server's.
#[tokio::test]
async fn plaintext_behind_the_reply_to_auth_is_refused() {
    for behind in ["331 password?\r\n", "2", "\r\n230 in\r\n"] {
        let script = Script::new()
            .say("220 hello")
            .expect("AUTH TLS")
            .send(format!("234 go\r\n{behind}"))
            .expect_close();
        let peer = Peer::serve(script).await;
        let config = config_tls(&peer, TlsMode::Explicit, &Authority::new());
        let error = Client::connect(config).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Protocol, "{behind:?}: {error}");
        assert_eq!(peer.finish().await.received_lines(), ["AUTH TLS"]);
    }
}

#[tokio::test]
async fn auth_ssl_and_a_greeting_of_230_still_lead_to_tls() {
    let authority = Authority::new();
    let tls = authority.issue_local().server_config();
    let encrypted = [("PBSZ 0", "200 ok"), ("PROT P", "200 ok")];
    for (greeting, mechanism) in [("230 already in", "TLS"), ("220 hello", "SSL")] {
        let mut script = Script::new().say(greeting).answering(&[
            ("PASS secret", "230 in"),
            ("FEAT", "211-Features:\r\n UTF8\r\n211 End"),
            ("OPTS *", "200 ok"),
            ("PWD", "257 \"/\""),
            ("TYPE I", "200 ok"),
            ("QUIT", "221 bye"),
        ]);
        if mechanism == "SSL" {
            script = script.expect("AUTH TLS").say("504 no TLS");
        }
        let script = script
            .expect(&format!("AUTH {mechanism}"))
            .say("234 go")
            .start_tls(tls.clone())
            .answering(&encrypted)
            .expect("USER me")
            .say("331 ?");
        // It may come twice: a peer without tickets for data is asked again for TLS 1.2.
        let peer = Peer::serve_each(vec![script.clone().serve_rest(), script.serve_rest()]).await;
        let config = config_tls(&peer, TlsMode::Explicit, &authority);
        let (client, log) = connect(config).await.unwrap();
        assert!(client.facts().security.is_encrypted(), "{}", log.all());
        client.quit().await.unwrap();
    }
}

#[tokio::test]
async fn a_handshake_that_fails_is_told_by_its_cause() {
    let authority = Authority::new();
    let auth = || {
        Script::new()
            .say("220 hello")
            .expect("AUTH TLS")
            .say("234 go")
    };
    for (script, kinds) in [
        (
            auth()
                .delay(Duration::from_millis(50))
                .send("no TLS, just words\r\n"),
            "Tls",
        ),
        (auth().close(), "Tls Lost"),
        (auth().reset(), "Tls Lost"),
        (auth().delay(Duration::from_secs(15)), "Timeout(Handshake)"),
    ] {
        let peer = Peer::serve(script).await;
        let mut config = config_tls(&peer, TlsMode::Explicit, &authority);
        config.timeouts = Timeouts::all(Duration::from_secs(1));
        let error = Client::connect(config).await.unwrap_err();
        let kind = format!("{:?}", error.kind());
        assert!(kinds.contains(&kind), "{kind} is not {kinds}: {error}");
    }
}

#[tokio::test]
async fn a_server_that_will_not_encrypt_files_is_refused() {
    let authority = Authority::new();
    let script = Script::logged_in()
        .expect("AUTH TLS")
        .say("234 go")
        .start_tls(authority.issue_local().server_config())
        .answering(&[("PBSZ 0", "200 ok"), ("PROT P", "534 never")])
        .serve_rest();
    let peer = Peer::serve(script.clone()).await;
    let config = config_tls(&peer, TlsMode::Explicit, &authority);
    let error = Client::connect(config).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::TlsUnavailable, "{error}");
}

#[tokio::test]
async fn a_server_that_stops_answering_is_left_in_time() {
    let silence = Duration::from_secs(15);
    let begin = || Script::logged_in();
    for (step, script) in [
        ("greeting", Script::new().delay(silence)),
        ("USER", begin().expect("USER *").delay(silence)),
        ("PASS", begin().expect("PASS *").delay(silence)),
        (
            "FEAT",
            begin().expect("FEAT").send("211-half\r\n").delay(silence),
        ),
        ("TYPE", begin().expect("TYPE I").send("20").delay(silence)),
    ] {
        let peer = Peer::serve(script).await;
        let mut config = config(&peer);
        config.timeouts.reply = Duration::from_millis(300);
        let begun = Instant::now();
        let error = Client::connect(config).await.unwrap_err();
        let expected = ErrorKind::Timeout(Waited::Reply);
        assert_eq!(*error.kind(), expected, "{step}: {error}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{step}");
    }
    let peer = Peer::serve(begin().expect("NOOP").delay(silence)).await;
    let mut config = config(&peer);
    config.timeouts.reply = Duration::from_millis(300);
    let (client, _) = connect(config).await.unwrap();
    let error = client.noop().await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Timeout(Waited::Reply), "{error}");
    assert!(error.is_retryable() && client.is_closed());
}

#[tokio::test]
async fn replies_may_come_byte_by_byte() {
    let one = |text: &str| Script::new().dribble(format!("{text}\r\n"), 1);
    let script = one("220-a greeting\r\n 220 inside\r\n220 of three lines")
        .expect("USER me")
        .then(one("331 ?"))
        .expect("PASS secret")
        .then(one("230-\r\n230 in"))
        .answering(&[
            ("CLNT *", "200 ok"),
            ("OPTS *", "200 ok"),
            ("TYPE I", "200 ok"),
        ])
        .expect("FEAT")
        .then(one("211-Features:\r\n SIZE\r\n UTF8\r\n211 End"))
        .expect("PWD")
        .then(one("257 \"/a \"\"b\"\"\" is it"))
        .expect("SIZE /f")
        .then(one("213 12345678901"))
        .expect("QUIT")
        .then(one("221 bye"))
        .expect_close();
    let (peer, client, _) = client_of(script).await;
    assert_eq!(client.facts().home, Some(path("/a \"b\"")));
    assert_eq!(client.facts().greeting.len(), 3);
    assert_eq!(client.size(&path("/f")).await.unwrap(), 12_345_678_901);
    client.quit().await.unwrap();
    peer.finish().await;
}

#[tokio::test]
async fn a_421_without_a_question_ends_the_session() {
    let idle = Script::logged_in()
        .expect("NOOP")
        .say("200 ok")
        .say("421 you slept")
        .close();
    let (_peer, client, _) = client_of(idle).await;
    client.noop().await.unwrap();
    // However the 421 and the command cross.
    let error = loop {
        if let Err(error) = client.noop().await {
            break error;
        }
    };
    assert!(
        matches!(error.kind(), ErrorKind::Busy | ErrorKind::Lost),
        "{error}"
    );
    assert!(client.is_closed());
    // And every later request says the same at once.
    let again = client.pwd().await.unwrap_err();
    assert_eq!(again.kind(), error.kind());
}

/// One command is one line: nothing that comes from outside can make it two.
#[tokio::test]
async fn line_ends_in_arguments_can_not_be_built() {
    for bad in ["a\r\nDELE b", "a\nb", "a\rb", "a\0b"] {
        RemotePath::try_from(bad).unwrap_err();
        RemotePath::try_from(bad.as_bytes()).unwrap_err();
        Argument::try_from(bad).unwrap_err();
        for login in [Login::new(bad, "x"), Login::new("x", bad)] {
            assert_eq!(*login.unwrap_err().kind(), ErrorKind::Argument);
        }
        let (peer, client, _) = client_of(Script::logged_in().serve_rest()).await;
        let error = client.raw(&format!("NOOP {bad}")).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Argument, "{error}");
        client.quit().await.unwrap();
        let lines = peer.finish().await.received_lines();
        assert!(!lines.iter().any(|line| line.contains("NOOP")), "{lines:?}");
    }
}
