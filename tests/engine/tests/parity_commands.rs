//! Commands, logins and the ends of sessions as the reference system has them: items 3 to 5, 23 to 29, 39, 40, 47 and 48 of
//! docs/parity.md.
#![allow(clippy::unwrap_used, unused_crate_dependencies)]

use std::sync::Arc;

use async_trait::async_trait;
use engine_tests::{
    Log, connect,
    files::{get, put},
    own::{OwnServer, PASSWORD, Store, USER},
    path, pattern,
    scripted::{client_of, config, refused_by, sends},
};
use ftp_client::{
    Client, CommandOptions, Config, Error, ErrorKind, Login, Masks, StreamOptions, TlsMode,
    constants::{DEFAULT_PASSWORD, DEFAULT_USER},
};
use ftp_server::{Call, CustomAnswer, CustomCommand};
use futures_util::{StreamExt as _, stream};
use support::{Peer, Script, Tls};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

fn code(error: &Error) -> u16 {
    error.received().unwrap().value()
}

/// Items 3, 5 and 27: what was expected, what came, and the server's words.
#[tokio::test]
async fn an_unexpected_reply_is_an_error_with_both_codes() {
    let script = Script::logged_in().answering(&[
        ("SYST", "215 UNIX Type: L8"),
        ("SITE ODD", "550-first\r\n550 second"),
        (
            "SITE SLOW",
            "120 wait\r\n150 on it\r\n250 later\r\n200 done",
        ),
    ]);
    let (_peer, client, log) = client_of(script.serve_rest()).await;
    let syst = client
        .send_command("SYST", CommandOptions::expecting(215))
        .await;
    assert_eq!(syst.unwrap().first_line(), b"UNIX Type: L8");
    let error = client
        .send_command("SYST", CommandOptions::expecting(["226", "35x"]))
        .await
        .unwrap_err();
    assert_eq!(error.expected(), Masks::from(["226", "35x"]));
    assert_eq!(code(&error), 215);
    assert_eq!(*error.kind(), ErrorKind::Protocol);
    let shown = error.to_string();
    assert!(
        shown.contains("waiting for 226 or 35x, but got: 215 UNIX"),
        "{shown}"
    );
    let odd = client.send_command("SITE ODD", CommandOptions::expecting("2xx"));
    let error = odd.await.unwrap_err();
    let lines: Vec<&[u8]> = error
        .reply()
        .unwrap()
        .lines
        .iter()
        .map(Vec::as_slice)
        .collect();
    assert_eq!(lines, [&b"first"[..], b"second"]);
    assert_eq!((code(&error), error.expected()), (550, Masks::from("2xx")));
    // Preliminary replies are passed over always, others on demand.
    let options = CommandOptions::expecting(200).waiting("25x");
    let reply = client.send_command("SITE SLOW", options).await.unwrap();
    assert_eq!(reply.code.value(), 200);
    // Whatever it says, where nothing is expected.
    let any = client
        .send_command("SITE ODD", CommandOptions::default())
        .await;
    assert_eq!(any.unwrap().code.value(), 550);
    // The library's own operations say the same.
    let error = client.dele(&path("x")).await.unwrap_err();
    assert_eq!((code(&error), error.expected()), (500, Masks::from("2xx")));
    assert!(client.pwd().await.is_ok(), "{}", log.all());
}

/// Item 4: a line that would be two commands is none.
#[tokio::test]
async fn a_line_with_a_line_end_in_it_is_refused() {
    let (_peer, client, log) = client_of(Script::logged_in().serve_rest()).await;
    let before = log.sent().len();
    for line in [
        "LIST\r\nfoo",
        "NOOP\nQUIT",
        "NOOP\0",
        "",
        "STOR a",
        "QUIT",
        "PORT 1,2,3,4,5,6",
    ] {
        let sent = client.send_command(line, CommandOptions::default()).await;
        assert_eq!(*sent.unwrap_err().kind(), ErrorKind::Argument, "{line:?}");
        let opened = client.open_download(line, StreamOptions::default()).await;
        if line != "STOR a" {
            let error = opened.err().unwrap();
            assert_eq!(*error.kind(), ErrorKind::Argument, "{line:?}");
        }
    }
    assert!(!log.sent()[before..].iter().any(|line| line.contains("foo")));
}

/// Item 27: of a secret command the log and the error show the beginning only.
#[tokio::test]
async fn a_censored_command_shows_itself_nowhere() {
    let script = Script::logged_in()
        .expect("SITE TOKEN hunter2")
        .say("500 what?");
    let (peer, client, log) = client_of(script.serve_rest()).await;
    let options = CommandOptions::expecting("2xx").censored_after(10);
    let error = client
        .send_command("SITE TOKEN hunter2", options)
        .await
        .unwrap_err();
    for text in [log.all(), error.to_string(), format!("{error:?}")] {
        assert!(!text.contains("hunter2"), "{text}");
    }
    assert!(
        log.sent().contains(&"SITE TOKEN*****".to_owned()),
        "{}",
        log.all()
    );
    assert!(error.to_string().contains("SITE TOKEN*****"));
    client.quit().await.unwrap();
    peer.finish().await;
}

/// Items 23 to 26.
#[tokio::test]
async fn sessions_begin_and_end_as_they_should() {
    // Any number of 120 before the 220, and its lines as they are.
    let script = Script::new()
        .say("120 soon")
        .say("120 very soon")
        .say("220- welcome\r\n221-not the end\r\n220 really");
    let rest = Script::logged_in();
    let script = script.answering(&[
        ("USER *", "230 in"),
        ("FEAT", "500 no"),
        ("PWD", "257 \"/\""),
        ("TYPE *", "200 ok"),
    ]);
    drop(rest);
    let (_peer, client, _) = client_of(script.serve_rest()).await;
    assert_eq!(
        client.facts().greeting,
        [" welcome", "221-not the end", "really"]
    );
    // Nobody there.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let error = Client::connect(Config::new("127.0.0.1").with_port(port)).await;
    assert_eq!(*error.unwrap_err().kind(), ErrorKind::Connect);
    // Closed without a word, by us and by the server.
    let (peer, client, _) = client_of(Script::logged_in().serve_rest()).await;
    client.clone().close().await;
    assert!(client.is_closed());
    let error = client.noop().await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Lost, "{error}");
    assert!(
        !peer
            .finish()
            .await
            .received_lines()
            .contains(&"QUIT".to_owned())
    );
    let (peer, client, _) = client_of(Script::logged_in().expect("NOOP").close()).await;
    let error = client.noop().await.unwrap_err();
    assert!(
        *error.kind() == ErrorKind::Lost && error.is_fatal(),
        "{error}"
    );
    peer.finish().await;
}

fn login() -> Login {
    let mut login = Login::new("me", "secret").unwrap();
    login.account = Some(ftp_client::ftp_proto::Secret::try_from("acct").unwrap());
    login
}

/// Item 28.
#[tokio::test]
async fn logins_of_one_two_and_three_steps() {
    for (user, pass, acct) in [
        ("230 in", "503 not now", "503 not now"),
        ("331 pass?", "230 in", "503 not now"),
        ("331 pass?", "202 in", "503 not now"),
        ("331 pass?", "332 account?", "230 in"),
        ("332 account?", "503 not now", "230 in"),
        ("336 otp-md5 499 ke1234", "230 in", "503 not now"),
    ] {
        let script = Script::logged_in().answering(&[
            ("USER me", user),
            ("PASS secret", pass),
            ("ACCT acct", acct),
        ]);
        let peer = Peer::serve(script.serve_rest()).await;
        let config = config(&peer).with_login(login());
        let (client, log) = connect(config).await.unwrap();
        client.noop().await.unwrap();
        assert!(!log.all().contains("secret"), "{}", log.all());
    }
    let script = Script::logged_in().answering(&[
        ("USER *", "331 pass?"),
        ("PASS *", "332 account?"),
        ("ACCT *", "333 what else?"),
    ]);
    let peer = Peer::serve(script.serve_rest()).await;
    let error = Client::connect(config(&peer).with_login(login()))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), code(&error)),
        (&ErrorKind::LoginRefused, 333)
    );
    // Without an account.
    let script = Script::logged_in().answering(&[("USER *", "332 account?")]);
    let error = refused_by(script.serve_rest()).await;
    assert_eq!(
        (error.kind(), code(&error)),
        (&ErrorKind::LoginRefused, 332)
    );
    let public = Login::anonymous();
    assert_eq!(public.user.as_bytes(), DEFAULT_USER.as_bytes());
    assert_eq!(public.password.expose(), DEFAULT_PASSWORD.as_bytes());
}

/// Item 28: at any time.
#[tokio::test]
async fn somebody_else_logs_in_in_the_same_session() {
    let script = Script::logged_in()
        .answering(&[("TYPE I", "200 ok")])
        .expect("PASS secret")
        .say("230 in")
        .expect("USER other")
        .say("331 pass?")
        .expect("PASS hunter2")
        .say("230 in")
        .expect("PWD")
        .say("257 \"/other\"")
        .expect("PASS again")
        .say("503 already logged in")
        .expect("REIN")
        .say("220 begin anew")
        .serve_rest();
    let (peer, client, log) = client_of(script).await;
    client
        .login(&Login::new("other", "hunter2").unwrap())
        .await
        .unwrap();
    let again = CommandOptions::expecting(230);
    let error = client.send_command("PASS again", again).await.unwrap_err();
    assert_eq!(code(&error), 503);
    client.rein().await.unwrap();
    client
        .login(&Login::new("me", "secret").unwrap())
        .await
        .unwrap();
    assert!(!log.all().contains("hunter2"), "{}", log.all());
    client.quit().await.unwrap();
    peer.finish().await;
    // On a server of ours, and with TLS.
    for tls in [Tls::Off, Tls::Explicit] {
        let server = OwnServer::start(Store::Memory, tls).await;
        server.put("/f", b"content").await;
        let (client, _) = connect(server.config()).await.unwrap();
        assert_eq!(get(&client, "f", 0).await.unwrap(), b"content");
        let wrong = Login::new(USER, "wrong").unwrap();
        let error = client.login(&wrong).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::LoginRefused);
        let error = client.size(&path("f")).await.unwrap_err();
        assert_eq!(code(&error), 530);
        client
            .login(&Login::new(USER, PASSWORD).unwrap())
            .await
            .unwrap();
        assert_eq!(get(&client, "f", 0).await.unwrap(), b"content");
        match tls {
            Tls::Off => client.rein().await.unwrap(),
            _ => assert_eq!(
                *client.rein().await.unwrap_err().kind(),
                ErrorKind::Unsupported
            ),
        }
    }
}

/// Item 28: a password typed by hand is not sent in plain either.
#[tokio::test]
async fn no_password_goes_out_in_plain_without_leave() {
    let script = Script::logged_in().answering(&[("PASS *", "230 in")]);
    let peer = Peer::serve(script.serve_rest()).await;
    let mut config = config(&peer).with_login(Login::anonymous());
    config.allow_plaintext = false;
    let (client, log) = connect(config).await.unwrap();
    let by_hand = client.send_command("PASS hunter2", CommandOptions::default());
    let error = by_hand.await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::PlaintextRefused);
    let error = client
        .login(&Login::new("a", "b").unwrap())
        .await
        .unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::PlaintextRefused);
    let passwords = log
        .sent()
        .iter()
        .filter(|line| line.starts_with("PASS"))
        .count();
    assert!(passwords <= 1, "{}", log.all());
    client.noop().await.unwrap();
}

/// Item 39: the server's word counts, whatever came before it; an upload that is dropped is not finished.
#[tokio::test]
async fn the_servers_word_comes_out_at_the_end() {
    for (said, expected) in [
        ("451 disk", "2xx"),
        ("426 broken", "2xx"),
        ("226 done", "250"),
    ] {
        let script = Script::logged_in()
            .expect("RETR f")
            .say("150 here")
            .accept_data()
            .send_data("all of it")
            .close_data()
            .say(said)
            .serve_rest();
        let (_peer, client, _) = client_of(script).await;
        let options = StreamOptions {
            expected: Masks::from(expected),
            ..StreamOptions::default()
        };
        let mut download = client.open_download("RETR f", options).await.unwrap();
        let mut content = Vec::new();
        download.read_to_end(&mut content).await.unwrap();
        assert_eq!(content, b"all of it");
        let error = download.finish().await.unwrap_err();
        assert_eq!(error.received().unwrap().to_string(), said[..3]);
        assert_eq!(error.expected(), Masks::from(expected));
        client.noop().await.unwrap();
    }
    let script = Script::logged_in().then(sends("RETR f", "x")).serve_rest();
    let (_peer, client, _) = client_of(script).await;
    let mut download = client.retr(&path("f"), 0).await.unwrap();
    download.read_to_end(&mut Vec::new()).await.unwrap();
    let reply = download.finish_with_reply().await.unwrap();
    assert_eq!(reply.first_line(), b"done");
    // Only closed, and the session goes on.
    let server = OwnServer::start(Store::Memory, Tls::Off).await;
    let (client, _) = connect(server.config()).await.unwrap();
    let mut upload = client.stor(&path("f"), 0).await.unwrap();
    upload.write_all(b"half").await.unwrap();
    drop(upload);
    client.noop().await.unwrap();
    put(&client, "f", b"whole").await.unwrap();
    assert_eq!(server.read("/f").await, b"whole");
}

/// Items 13, 16 and 40: any command with a data connection, line by line and block by block.
#[tokio::test]
async fn lines_and_blocks_of_any_command() {
    let server = OwnServer::start(Store::Memory, Tls::Explicit).await;
    let long = "x".repeat(100_000);
    let text = format!("one\r\ntwo\n\n{long}\r\nlast");
    server.put("/text", text.as_bytes()).await;
    let (client, log) = connect(server.config()).await.unwrap();
    let mut download = client
        .open_download("RETR text", StreamOptions::default())
        .await
        .unwrap();
    let lines: Vec<_> = download.lines().map(Result::unwrap).collect().await;
    assert_eq!(lines, ["one", "two", "", &long, "last"].map(str::as_bytes));
    download.finish().await.unwrap();
    for size in [1000, 8192, 0] {
        let mut download = client.retr(&path("text"), 0).await.unwrap();
        let mut blocks = download.blocks(size);
        let mut content = Vec::new();
        while let Some(block) = blocks.next().await.unwrap() {
            assert!(!block.is_empty() && block.len() <= if size == 0 { 8192 } else { size });
            content.extend_from_slice(&block);
        }
        assert_eq!(content, text.as_bytes());
        download.finish().await.unwrap();
    }
    let options = || StreamOptions::from_offset(5);
    let mut tail = client.open_download("RETR text", options()).await.unwrap();
    assert_eq!(tail.lines().next().await.unwrap().unwrap(), "two");
    tail.abort().await.unwrap();
    let mut upload = client.open_upload("STOR text", options()).await.unwrap();
    upload.write_all(b"TWO").await.unwrap();
    upload.finish().await.unwrap();
    assert!(server.read("/text").await.starts_with(b"one\r\nTWO\n"));
    let mut listing = client
        .open_download(
            "LIST",
            StreamOptions {
                ascii: true,
                ..StreamOptions::default()
            },
        )
        .await
        .unwrap();
    let lines: Vec<_> = listing.lines().map(Result::unwrap).collect().await;
    assert!(
        lines.len() == 1 && lines[0].ends_with(b" text"),
        "{lines:?}"
    );
    listing.finish().await.unwrap();
    assert!(log.sent().contains(&"TYPE A".to_owned()));
    assert!(get(&client, "text", 0).await.unwrap().len() > 100_000);
    assert_eq!(
        log.sent().iter().filter(|line| *line == "TYPE I").count(),
        2
    );
    let error = client
        .open_download("RETR none", StreamOptions::default())
        .await
        .err()
        .unwrap();
    assert_eq!(code(&error), 550);
}

/// Item 47: the goodbye is said in any case, and what comes of it doesn't matter.
#[tokio::test]
async fn a_session_as_a_closure() {
    for (goodbye, fine) in [("221 bye", true), ("500 stay", true), ("221 bye", false)] {
        let script = Script::logged_in()
            .expect("NOOP")
            .say("200 ok")
            .expect("QUIT")
            .say(goodbye)
            .expect_close();
        let peer = Peer::serve(script).await;
        let log = Log::default();
        let mut config = config(&peer);
        log.attach(&mut config);
        let done = Client::with(config, async |client| {
            client.noop().await?;
            match fine {
                true => Ok(5),
                false => Err(Error::of_caller("the work's own")),
            }
        });
        match done.await {
            Ok(five) => assert!(fine && five == 5),
            Err(error) => assert!(!fine && error.to_string().contains("the work's own")),
        }
        peer.finish().await;
    }
    // The login fails: nobody works, and the connection is closed.
    let script = Script::logged_in()
        .answering(&[("PASS *", "530 no"), ("USER *", "331 pass?")])
        .serve_rest();
    let peer = Peer::serve(script).await;
    let done = Client::with(config(&peer), async |_| -> Result<(), Error> { panic!() });
    assert_eq!(*done.await.unwrap_err().kind(), ErrorKind::LoginRefused);
    peer.finish().await;
}

/// Item 47: ABOR when idle, of an upload, and without waiting.
#[tokio::test]
async fn transfers_are_aborted_with_and_without_waiting() {
    let server = OwnServer::start(Store::Memory, Tls::Off).await;
    let content = pattern(40 << 20);
    server.put("/big", &content).await;
    let (client, log) = connect(server.config()).await.unwrap();
    client.abor().await.unwrap();
    assert!(log.all().contains("Received 226"), "{}", log.all());
    // Later writes fail, and the end says why.
    let mut upload = client.stor(&path("f"), 0).await.unwrap();
    upload.write_all(b"some").await.unwrap();
    client.abor().await.unwrap();
    let mut failed = None;
    for _ in 0..1000 {
        if let Err(error) = upload.write_all(&content[..65_536]).await {
            failed = Some(error);
            break;
        }
    }
    use std::io::ErrorKind::{BrokenPipe, ConnectionReset};
    let kind = failed.expect("nobody reads any more").kind();
    assert!(matches!(kind, BrokenPipe | ConnectionReset), "{kind}");
    let error = upload.finish().await.unwrap_err();
    assert_eq!(
        (error.kind(), code(&error)),
        (&ErrorKind::Cancelled, 426),
        "{error}"
    );
    // Not waited for: the transfer's owner hears of it.
    let mut download = client.retr(&path("big"), 0).await.unwrap();
    download.read_exact(&mut [0; 1000]).await.unwrap();
    client.abor_at_once();
    while !matches!(download.read(&mut [0; 65_536]).await, Ok(0) | Err(_)) {}
    let error = download.finish().await.unwrap_err();
    assert_eq!(code(&error), 426, "{error}");
    assert_eq!(client.size(&path("big")).await.unwrap(), 40 << 20);
    client.quit().await.unwrap();
}

/// COLL n: n lines.
struct Collect;

#[async_trait]
impl CustomCommand for Collect {
    async fn run(&self, call: Call) -> CustomAnswer {
        match call.text().parse::<u64>() {
            Ok(count) => CustomAnswer::send(stream::iter(
                (0..count).map(|line| format!("{line}\r\n").into()),
            )),
            Err(_) => CustomAnswer::reply(501, "COLL takes a number."),
        }
    }
}

/// Item 48, between a client and a server of ours.
#[tokio::test]
async fn commands_of_ones_own_with_and_without_a_data_connection() {
    for tls in [Tls::Off, Tls::Explicit] {
        let server = OwnServer::with(Store::Memory, tls, |builder| {
            builder.command("COLL", Arc::new(Collect))
        })
        .await;
        let (client, _) = connect(server.config()).await.unwrap();
        let reply = client
            .send_command("NOOP", CommandOptions::expecting("2xx"))
            .await;
        assert_eq!(reply.unwrap().code.value(), 200);
        for count in [20, 0, 10_000] {
            let line = format!("COLL {count}");
            let mut download = client
                .open_download(&line, StreamOptions::default())
                .await
                .unwrap();
            let lines: Vec<_> = download.lines().map(Result::unwrap).collect().await;
            download.finish().await.unwrap();
            let wanted = (0..count).map(|line| line.to_string());
            assert!(
                lines
                    .iter()
                    .map(|line| String::from_utf8_lossy(line))
                    .eq(wanted)
            );
        }
        let error = client
            .open_download("COLL x", StreamOptions::default())
            .await
            .err()
            .unwrap();
        assert_eq!(code(&error), 501);
        let unknown = client
            .send_command("FOOBAR", CommandOptions::expecting("2xx"))
            .await;
        assert_eq!(*unknown.unwrap_err().kind(), ErrorKind::Unsupported);
    }
}

/// Item 20: implicit TLS for control and data, without a word in plain.
#[tokio::test]
async fn implicit_tls_for_everything() {
    let server = OwnServer::start(Store::Memory, Tls::Implicit).await;
    let config = server.config();
    assert_eq!(config.tls, TlsMode::Implicit);
    let (client, log) = connect(config).await.unwrap();
    put(&client, "f", b"content").await.unwrap();
    assert_eq!(get(&client, "f", 0).await.unwrap(), b"content");
    assert!(client.facts().security.is_encrypted());
    assert!(!log.sent().iter().any(|line| line.starts_with("AUTH")));
}
