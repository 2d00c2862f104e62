//! Servers to whose data connections there is no way, or a wrong one.
#![allow(clippy::unwrap_used, unused_crate_dependencies)]

use std::{sync::Arc, time::Duration};

use engine_tests::{
    connect,
    files::get,
    path,
    scripted::{client_of, config, config_tls, sends},
};
use ftp_client::{Client, Config, ErrorKind, TlsMode};
use support::{Authority, Gate, Peer, Script};
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpSocket, TcpStream},
};

/// A session that is still in step answers this, and nothing else does.
async fn assert_in_step(client: &Client) {
    assert_eq!(client.pwd().await.unwrap(), path("/"));
    client.noop().await.unwrap();
}

async fn connected(peer: &Peer, change: impl FnOnce(&mut Config)) -> Client {
    let mut config = config(peer);
    change(&mut config);
    connect(config).await.unwrap().0
}

/// A listener that sends a word to whoever comes, in the numbers of PASV.
async fn beside(address: &str) -> (String, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind((address, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream
            .write_all(address_word(&stream).as_bytes())
            .await
            .unwrap();
    });
    (format!("{},{}", port >> 8, port & 0xff), task)
}

fn address_word(stream: &TcpStream) -> String {
    format!("from {}", stream.local_addr().unwrap().ip())
}

/// The address in PASV's reply can be anybody's: a client that believes it attacks for the server.
#[tokio::test]
async fn the_address_of_pasv_is_ignored_unless_trusted() {
    for (trusted, written, listening) in [
        (false, "192,0,2,1", "127.0.0.1"),
        (false, "127,0,0,2", "127.0.0.1"),
        (true, "127,0,0,2", "127.0.0.2"),
        (true, "0,0,0,0", "127.0.0.1"),
    ] {
        let (port, task) = beside(listening).await;
        let sent = Gate::new();
        let script = Script::logged_in()
            .answering(&[
                ("EPSV*", "500 no"),
                (
                    "PASV",
                    &format!("227 Entering Passive Mode ({written},{port})."),
                ),
            ])
            .expect("RETR /f")
            .say("150 here")
            .wait_for(&sent)
            .say("226 done")
            .serve_rest();
        let peer = Peer::serve(script).await;
        let client = connected(&peer, |config| config.trust_pasv_address = trusted).await;
        let getting = get(&client, "/f", 0);
        let (content, ()) = tokio::join!(getting, async {
            task.await.unwrap();
            sent.open();
        });
        assert_eq!(content.unwrap(), format!("from {listening}").as_bytes());
        assert_in_step(&client).await;
    }
}

#[tokio::test]
async fn a_refused_epsv_is_asked_for_once() {
    for refusal in ["500 what?", "502 no", "522 not for you", "501 eh"] {
        let script = Script::logged_in()
            .answering(&[("EPSV*", refusal), ("PASV", "227 ok ({pasv})")])
            .then(sends("RETR a", "1"))
            .then(sends("RETR b", "2"))
            .serve_rest();
        let (peer, client, log) = client_of(script).await;
        assert_eq!(get(&client, "a", 0).await.unwrap(), b"1");
        assert_eq!(get(&client, "b", 0).await.unwrap(), b"2");
        client.quit().await.unwrap();
        peer.finish().await;
        let sent = log.sent();
        assert_eq!(sent.iter().filter(|l| l.starts_with("EPSV")).count(), 1);
    }
}

/// Middle boxes let PASV through and lose EPSV: some refuse the connection, some let it wait for ever.
#[tokio::test]
async fn where_epsv_leads_nowhere_pasv_is_tried_and_remembered() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed_port = closed.local_addr().unwrap().port();
    drop(closed);
    // A listener whose queue is full answers nobody.
    let full = TcpSocket::new_v4().unwrap();
    full.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let full = full.listen(1).unwrap();
    let address = full.local_addr().unwrap();
    let mut fillers = Vec::new();
    for _ in 0..4 {
        let filler = TcpStream::connect(address);
        fillers.push(tokio::time::timeout(Duration::from_millis(100), filler).await);
    }
    for port in [closed_port, address.port()] {
        let script = Script::logged_in()
            .answering(&[
                ("EPSV*", &format!("229 there (|||{port}|)")),
                ("PASV", "227 ok ({pasv})"),
            ])
            .then(sends("RETR a", "1"))
            .then(sends("RETR b", "2"))
            .serve_rest();
        let peer = Peer::serve(script).await;
        let mut config = config(&peer);
        config.timeouts.connect = Duration::from_millis(400);
        let (client, log) = connect(config).await.unwrap();
        let content = get(&client, "a", 0).await;
        assert_eq!(content.unwrap(), b"1", "{}", log.all());
        assert_eq!(get(&client, "b", 0).await.unwrap(), b"2");
        let sent = log.sent();
        assert_eq!(sent.iter().filter(|l| l.starts_with("EPSV")).count(), 1);
    }
}

#[tokio::test]
async fn replies_without_a_port_are_an_error_and_no_more() {
    for (epsv, pasv) in [
        ("229 there", "227 ok"),
        ("229 (|||0|)", "227 (1,2,3)"),
        ("229 (|||99999|)", "227 (127,0,0,1,300,1)"),
        ("500 no", "227 Entering Passive Mode"),
        ("500 no", "502 neither"),
    ] {
        let script = Script::logged_in().answering(&[("EPSV*", epsv), ("PASV", pasv)]);
        let (_peer, client, _) = client_of(script.serve_rest()).await;
        let error = get(&client, "f", 0).await.unwrap_err();
        let expected = matches!(error.kind(), ErrorKind::Protocol | ErrorKind::Unsupported);
        assert!(expected, "{epsv} {pasv}: {error}");
        assert_in_step(&client).await;
    }
}

/// In active mode only the server itself may come; one that never does is not waited for without end.
#[tokio::test]
async fn active_mode_with_a_server_that_refuses_or_never_comes() {
    use ftp_client::DataMode::Active;
    let script = Script::logged_in().answering(&[("EPRT *", "500 EPRT?"), ("PORT *", "200 ok")]);
    let late = script
        .clone()
        .expect("RETR f")
        .say("150 soon")
        .delay(Duration::from_millis(1200))
        .say("425 can't reach you")
        .serve_rest();
    let peer = Peer::serve(late).await;
    let client = connected(&peer, |config| {
        config.data = Active;
        config.data_options.fallback = false;
        config.timeouts.connect = Duration::from_millis(300);
    });
    let client = client.await;
    let error = get(&client, "f", 0).await.unwrap_err();
    assert_eq!(error.reply().unwrap().code.value(), 425, "{error}");
    assert_in_step(&client).await;
    let refused = script.answering(&[("PORT *", "502 neither")]).serve_rest();
    let peer = Peer::serve(refused).await;
    let client = connected(&peer, |config| {
        config.data = Active;
        config.data_options.fallback = false;
    });
    let client = client.await;
    let error = get(&client, "f", 0).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Unsupported, "{error}");
    assert_in_step(&client).await;
}

/// A listing needs its folder even when the way to it leads over a new connection.
#[tokio::test]
async fn a_reconnection_for_tickets_does_not_change_the_folder_that_is_listed() {
    let authority = Authority::new();
    let certificate = authority.issue_local();
    let tls = certificate.server_config();
    // Tickets on the control connection only: after two transfers there are none left.
    let mut silent = (*tls).clone();
    silent.send_tls13_tickets = 0;
    let silent = Arc::new(silent);
    let session = || {
        Script::logged_in()
            .answering(&[
                ("FEAT", "211-Features:\r\n EPSV\r\n211 End"),
                ("PBSZ 0", "200 ok"),
                ("PROT P", "200 ok"),
            ])
            .expect("AUTH TLS")
            .say("234 go")
            .start_tls(tls.clone())
    };
    let listing = |folder: &str, name: &str| {
        Script::new()
            .expect(&format!("CWD {folder}"))
            .say("250 there")
            .expect("LIST*")
            .say("150 here")
            .accept_data_tls(silent.clone())
            .send_data(format!(
                "drwxr-xr-x 1 a b 5 Jan 1 2020 .\r\n-rw-r--r-- 1 a b 5 Jan 1 2020 {name}\r\n"
            ))
            .close_data()
            .say("226 done")
    };
    let first = session()
        .then(listing("/a", "one"))
        .then(listing("/b", "two"))
        .serve_rest();
    let second = session().then(listing("/c", "three")).serve_rest();
    let peer = Peer::serve_each(vec![first, second]).await;
    let config = config_tls(&peer, TlsMode::Explicit, &authority);
    let (client, log) = connect(config).await.unwrap();
    for (folder, name) in [("/a", "one"), ("/b", "two"), ("/c", "three")] {
        let listing = client.list(Some(&path(folder))).await;
        let listed = listing.unwrap().collect().await;
        let (entries, _) = listed.unwrap_or_else(|error| panic!("{error}\n{}", log.all()));
        assert_eq!(entries[0].name, name.as_bytes(), "{}", log.all());
    }
}

/// The server takes no second connection: then the session is over, and says so, and nothing turns in circles.
#[tokio::test]
async fn a_reconnection_for_tickets_that_fails_ends_the_session() {
    let authority = Authority::new();
    let tls = authority.issue_local().server_config();
    let mut silent = (*tls).clone();
    silent.send_tls13_tickets = 0;
    let silent = Arc::new(silent);
    let listing = || {
        Script::new()
            .expect("MLSD*")
            .say("150 here")
            .accept_data_tls(silent.clone())
            .close_data()
            .say("226 done")
    };
    let first = Script::logged_in()
        .answering(&[("PBSZ 0", "200 ok"), ("PROT P", "200 ok")])
        .expect("AUTH TLS")
        .say("234 go")
        .start_tls(tls.clone())
        .then(listing())
        .then(listing())
        .serve_rest();
    let second = Script::new().say("421 too many of you").close();
    let peer = Peer::serve_each(vec![first, second]).await;
    let config = config_tls(&peer, TlsMode::Explicit, &authority);
    let (client, log) = connect(config).await.unwrap();
    for _ in 0..2 {
        let listing = client.list(None).await.unwrap().collect().await;
        listing.unwrap_or_else(|error| panic!("{error}\n{}", log.all()));
    }
    let error = client.list(None).await.err().unwrap();
    assert_eq!(*error.kind(), ErrorKind::Busy, "{error}\n{}", log.all());
    assert!(client.is_closed());
    // Every later request hears the same, at once.
    let again = client.noop().await.unwrap_err();
    assert_eq!(*again.kind(), ErrorKind::Busy, "{again}");
    assert!(again.is_fatal());
}
