//! TLS on both connections.

use std::sync::Arc;

use ftp_net::tls::{ServerTls, TlsVersion, Versions};
use ftp_server::vfs::{MemoryTree, Vfs};
use ftp_server::{DataSession, EventKind, RunningServer, ServerBuilder};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::client::{Client, builder, p, start};

async fn server(
    options: impl FnOnce(ServerBuilder) -> ServerBuilder,
) -> (RunningServer, ServerTls, MemoryTree) {
    let tls = ServerTls::self_signed(&["localhost"]).unwrap();
    let tree = MemoryTree::new(64 << 20);
    tree.write_file(&p("/hello"), b"hello, world")
        .await
        .unwrap();
    let options = options(builder(Arc::new(tree.clone())).tls(tls.clone()));
    (start(options).await, tls, tree)
}

#[tokio::test]
async fn explicit_tls_with_private_data() {
    let (server, tls, _) = server(|b| b).await;
    for versions in [Versions::Any, Versions::Tls12] {
        let mut c = Client::login_tls(server.local_addr(), &tls, versions).await;
        assert!(c.command("FEAT", 211).await.contains("\n AUTH TLS\n"));
        for size in [0, 1, 32_725, 32_746, 1 << 20] {
            let content: Vec<u8> = (0..size).map(|i: usize| (i % 253) as u8).collect();
            c.store("STOR f", &content).await;
            assert!(c.fetch("RETR f").await == content, "{size} bytes");
        }
        assert!(c.fetch_text("MLSD").await.contains("; hello\r\n"));
        c.command("AUTH TLS", 503).await;
        c.command("CCC", 533).await;
        c.command("QUIT", 221).await;
        c.closed().await;
    }
}

#[tokio::test]
async fn two_hundred_uploads_in_a_row_resume_the_session() {
    let (server, tls, tree) = server(|b| b.data_session(DataSession::Same)).await;
    for versions in [Versions::Any, Versions::Tls12] {
        let mut c = Client::login_tls(server.local_addr(), &tls, versions).await;
        // 4 tickets came with the control connection; a download brings more, an upload none: a client that keeps a
        // ticket for each must ask for a listing in between, and one that uses a ticket twice needs nothing.
        for i in 0..200 {
            if i % 3 == 0 {
                c.fetch("NLST").await;
            }
            c.store("STOR f", b"12345").await;
        }
        assert_eq!(tree.metadata(&p("/f")).await.unwrap().len, 5);
    }
}

#[tokio::test]
async fn a_session_of_another_connection_is_not_enough() {
    let (server, tls, _) = server(|b| b.data_session(DataSession::Same)).await;
    // TLS 1.2 tells nobody whose session it was; it has to be a ticket of this very connection.
    for versions in [Versions::Any, Versions::Tls12] {
        let mut a = Client::login_tls(server.local_addr(), &tls, versions).await;
        let mut b = Client::login_tls(server.local_addr(), &tls, versions).await;
        let tcp = a.data().await;
        a.command("RETR hello", 150).await;
        let mut stream = b.wrap(tcp).await;
        a.expect(522).await;
        assert!(!matches!(stream.read(&mut [0; 10]).await, Ok(1..)));
        assert_eq!(
            a.fetch("RETR hello").await,
            b"hello, world",
            "the control connection lives on"
        );
    }
}

/// Of what a data connection has to prove: a session of this server, whoever's.
#[tokio::test]
async fn any_session_of_this_server_can_be_enough() {
    let (server, tls, _) = server(|b| b.data_session(DataSession::Resumed)).await;
    for versions in [Versions::Any, Versions::Tls12] {
        let mut a = Client::login_tls(server.local_addr(), &tls, versions).await;
        let mut b = Client::login_tls(server.local_addr(), &tls, versions).await;
        let tcp = a.data().await;
        a.command("RETR hello", 150).await;
        let mut stream = b.wrap(tcp).await;
        let mut out = Vec::new();
        stream.read_to_end(&mut out).await.unwrap();
        assert_eq!(out, b"hello, world");
        a.expect(226).await;
        // A client that remembers nothing.
        let tcp = a.data().await;
        a.command("RETR hello", 150).await;
        let mut stranger = Client::connect(server.local_addr()).await;
        let _refused = stranger.wrap_fresh(tcp, &tls, versions).await;
        a.expect(522).await;
    }
}

#[tokio::test]
async fn old_versions_can_be_left_behind() {
    let tls = ServerTls::self_signed(&["localhost"]).unwrap();
    let newer = tls.clone().at_least(TlsVersion::V13).unwrap();
    assert_eq!(newer.fingerprint(), tls.fingerprint());
    let options = builder(Arc::new(MemoryTree::new(1 << 20))).tls(newer);
    let server = start(options).await;
    Client::login_tls(server.local_addr(), &tls, Versions::Any).await;
    let mut c = Client::connect(server.local_addr()).await;
    c.command("AUTH TLS", 234).await;
    assert!(c.handshake(&tls, Versions::Tls12).await.is_err());
}

/// Sessions that are there, data connections among them, go on; who comes sees the new one.
#[tokio::test]
async fn a_certificate_that_changes_while_the_server_runs() {
    let dir = tempfile::tempdir().unwrap();
    let (chain, key) = (dir.path().join("chain"), dir.path().join("key"));
    let write = |name: &str| {
        let pair = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        std::fs::write(&chain, params.self_signed(&pair).unwrap().pem()).unwrap();
        std::fs::write(&key, pair.serialize_pem()).unwrap();
    };
    write("first.example");
    let tls = ServerTls::from_pem_files(&chain, &key).unwrap();
    let before = tls.fingerprint();
    let tree = MemoryTree::new(1 << 20);
    tree.write_file(&p("/hello"), b"hello, world")
        .await
        .unwrap();
    let server = start(builder(Arc::new(tree)).tls(tls.clone())).await;
    for versions in [Versions::Any, Versions::Tls12] {
        let mut old = Client::login_tls(server.local_addr(), &tls, versions).await;
        write("second.example");
        assert!(tls.reload().unwrap());
        assert_eq!(old.fetch("RETR hello").await, b"hello, world");
        let mut c = Client::login_tls(server.local_addr(), &tls, versions).await;
        assert_eq!(c.fetch("RETR hello").await, b"hello, world");
    }
    assert_ne!(tls.fingerprint(), before);
    std::fs::write(&key, "").unwrap();
    assert!(tls.reload().is_err());
    Client::login_tls(server.local_addr(), &tls, Versions::Any).await;
}

#[tokio::test]
async fn the_order_of_pbsz_and_prot() {
    let (server, tls, _) = server(|b| b).await;
    let mut c = Client::connect(server.local_addr()).await;
    c.command("PBSZ 0", 503).await;
    c.command("PROT P", 503).await;
    c.command("AUTH GSSAPI", 504).await;
    c.command("AUTH TLS", 234).await;
    c.secure(&tls, Versions::Any).await;
    c.command("PROT P", 503).await;
    c.command("PBSZ 0", 200).await;
    c.command("PROT E", 536).await;
    c.command("PROT X", 504).await;
    c.command("PROT P", 200).await;
    c.command("PROT C", 200).await;
    c.ann().await;
    assert_eq!(c.fetch("RETR hello").await, b"hello, world");
}

#[tokio::test]
async fn auth_forgets_what_was_said_in_the_clear() {
    let (server, tls, _) = server(|b| b).await;
    let mut c = Client::login(server.local_addr()).await;
    c.command("AUTH TLS", 234).await;
    c.secure(&tls, Versions::Any).await;
    c.command("PWD", 530).await;
    c.command("PASS secret", 503).await;
    c.ann().await;
}

#[tokio::test]
async fn plaintext_after_auth_is_refused() {
    let (server, tls, tree) = server(|b| b).await;
    for more in ["USER ann\r\n", "DELE /hello\r\n", "x"] {
        let mut c = Client::connect(server.local_addr()).await;
        c.send(format!("AUTH TLS\r\n{more}")).await;
        c.expect(421).await;
        c.closed().await;
    }
    // Also when it comes while a transfer runs, by way of the queue.
    tree.write_file(&p("/big"), &vec![0; 32 << 20])
        .await
        .unwrap();
    let mut c = Client::login(server.local_addr()).await;
    let mut data = c.data().await;
    c.command("RETR big", 150).await;
    c.send("AUTH TLS\r\nDELE /hello\r\n").await;
    data.read_to_end(&mut Vec::new()).await.unwrap();
    c.expect(226).await;
    c.expect(421).await;
    c.closed().await;
    assert!(tree.metadata(&p("/hello")).await.is_ok());
    Client::login_tls(server.local_addr(), &tls, Versions::Any).await;
}

#[tokio::test]
async fn required_tls() {
    let (server, tls, _) = server(|b| b.require_tls(true)).await;
    let mut c = Client::connect(server.local_addr()).await;
    c.command("USER ann", 530).await;
    c.command("PASS secret", 530).await;
    c.command("FEAT", 211).await;
    c.command("AUTH TLS", 234).await;
    c.secure(&tls, Versions::Any).await;
    c.ann().await;
    c.data().await;
    c.command("RETR hello", 521).await;
    c.command("PBSZ 0", 200).await;
    c.command("PROT C", 534).await;
    c.command("PROT P", 200).await;
    c.private = true;
    assert_eq!(c.fetch("RETR hello").await, b"hello, world");
    // Another login is no reason to send its data in the clear.
    c.ann().await;
    assert_eq!(c.fetch("RETR hello").await, b"hello, world");
}

#[tokio::test]
async fn implicit_tls() {
    let (server, tls, _) = server(|b| b.implicit_tls(true).require_tls(true)).await;
    let mut c = Client::raw(server.local_addr()).await;
    c.secure(&tls, Versions::Any).await;
    c.expect(220).await;
    c.private = true;
    c.ann().await;
    assert_eq!(
        c.fetch("RETR hello").await,
        b"hello, world",
        "private without being asked"
    );
    c.store("STOR up", b"1").await;
}

#[tokio::test]
async fn a_client_without_tls_at_the_data_port() {
    let (server, tls, tree) = server(|b| b).await;
    let mut c = Client::login_tls(server.local_addr(), &tls, Versions::Any).await;
    let mut data = c.data().await;
    c.command("STOR up", 150).await;
    data.write_all(b"not TLS at all, but plain text of some length")
        .await
        .unwrap();
    c.expect(522).await;
    assert_eq!(tree.metadata(&p("/up")).await.unwrap().len, 0);
    assert_eq!(c.fetch("RETR hello").await, b"hello, world");
}

#[tokio::test]
async fn an_upload_cut_short_is_not_called_complete() {
    let (server, tls, tree) = server(|b| b).await;
    let mut c = Client::login_tls(server.local_addr(), &tls, Versions::Any).await;
    let tcp = c.data().await;
    c.command("STOR up", 150).await;
    let mut stream = c.wrap(tcp).await;
    stream.write_all(b"half").await.unwrap();
    stream.flush().await.unwrap();
    // FIN without close_notify, as somebody in between could send it.
    drop(stream);
    c.expect(426).await;
    assert_eq!(tree.metadata(&p("/up")).await.unwrap().len, 4);
}

#[tokio::test]
async fn a_handshake_that_never_comes() {
    let mut short = crate::client::limits();
    short.handshake = std::time::Duration::from_millis(500);
    let (server, tls, _) = server(|b| b.limits(short)).await;
    let mut c = Client::connect(server.local_addr()).await;
    c.command("AUTH TLS", 234).await;
    c.closed().await;
    let mut c = Client::login_tls(server.local_addr(), &tls, Versions::Any).await;
    let _silent = c.data().await;
    c.command("RETR hello", 150).await;
    c.expect(522).await;
    c.command("NOOP", 200).await;
}

#[tokio::test]
async fn events_tell_of_encryption() {
    let (server, tls, _) = server(|b| b).await;
    let mut events = server.events();
    Client::login_tls(server.local_addr(), &tls, Versions::Tls12).await;
    loop {
        if let EventKind::Secured { version } = events.recv().await.unwrap().kind {
            assert_eq!(version, "TLS 1.2");
            break;
        }
    }
}
