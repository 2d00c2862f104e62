//! One call delivers a document.
#![allow(clippy::unwrap_used, unused_crate_dependencies)]

use std::{io, time::Duration};

use engine_tests::{
    Log,
    own::{OwnServer, Store},
    path,
    scripted::config,
};
use ftp_client::{
    Content, DeliverStep, Delivery, ErrorKind, HashAlgorithm, Hasher, WriteAs, deliver,
    deliver_unless, ftp_proto::Name,
};
use support::{Gate, Peer, Script, Tls};
use tokio::io::AsyncWriteExt as _;

fn name(text: &str) -> Name {
    Name::try_from(text).unwrap()
}

#[tokio::test]
async fn from_memory_a_file_and_a_reader_to_every_kind_of_server() {
    for (server, kind) in OwnServer::each().await {
        let delivery =
            |file: &str| Delivery::new(server.config(), name(file)).into_folder(path("some/where"));
        let delivered = deliver(delivery("a"), "text").await.unwrap();
        assert_eq!(delivered.path, path("/some/where/a"), "{kind}");
        assert!(
            delivered.size_checked && delivered.notes.is_empty(),
            "{kind}: {delivered:?}"
        );
        assert_eq!(
            delivered.security.is_encrypted(),
            server.tls() != Tls::Off,
            "{kind}"
        );
        let local = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(local.path(), vec![7; 300_000]).unwrap();
        let file = std::fs::File::open(local.path()).unwrap();
        assert_eq!(deliver(delivery("b"), file).await.unwrap().bytes, 300_000);
        // More than is read ahead.
        let (mut end, reader) = tokio::io::duplex(1000);
        let writing = tokio::spawn(async move {
            for _ in 0..60 {
                end.write_all(&[9; 100_000]).await.unwrap();
            }
        });
        let delivered = deliver(delivery("c"), Content::reader(reader))
            .await
            .unwrap();
        assert_eq!(
            (delivered.bytes, delivered.size_checked),
            (6_000_000, true),
            "{kind}"
        );
        writing.await.unwrap();
        let mut delivery = delivery("empty");
        delivery.write = WriteAs::Final;
        assert_eq!(deliver(delivery, Vec::new()).await.unwrap().bytes, 0);
        for (file, content) in [
            ("a", b"text".to_vec()),
            ("b", vec![7; 300_000]),
            ("c", vec![9; 6_000_000]),
            ("empty", Vec::new()),
        ] {
            assert!(
                server.read(&format!("/some/where/{file}")).await == content,
                "{kind} {file}"
            );
        }
        server.stop().await;
    }
}

/// A reader that breaks.
struct Breaks(usize);

impl tokio::io::AsyncRead for Breaks {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        buf: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        if self.0 == 0 {
            return std::task::Poll::Ready(Err(io::Error::other("the sensor is gone")));
        }
        self.0 -= 1;
        let room = buf.remaining().min(100_000);
        buf.put_slice(&vec![1; room]);
        std::task::Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn half_a_document_is_never_left() {
    let server = OwnServer::start(Store::Memory, Tls::Explicit).await;
    // At once, and after more than is read ahead.
    for pieces in [0, 200] {
        let delivery = Delivery::new(server.config(), name("a"));
        let content = Content::reader(Breaks(pieces));
        let failed = deliver(delivery, content).await.unwrap_err();
        assert_eq!(
            (failed.kind(), failed.step),
            (&ErrorKind::Local, DeliverStep::Store),
            "{failed}"
        );
        assert!(
            failed.to_string().contains("the sensor is gone") && failed.left.is_none(),
            "{failed}"
        );
    }
    // Given up by its owner, in the middle.
    let (mut end, reader) = tokio::io::duplex(1000);
    let gate = Gate::new();
    let writer = gate.clone();
    tokio::spawn(async move {
        for _ in 0..60 {
            end.write_all(&[9; 100_000]).await.unwrap();
        }
        writer.open();
        std::future::pending::<()>().await;
    });
    let delivery = Delivery::new(server.config(), name("a"));
    let failed = deliver_unless(delivery, Content::reader(reader), async move {
        gate.passed().await
    })
    .await
    .unwrap_err();
    assert_eq!(*failed.kind(), ErrorKind::Cancelled, "{failed}");
    let client = ftp_client::Client::connect(server.config()).await.unwrap();
    assert!(engine_tests::names(&client, "/").await.is_empty());
    client.quit().await.unwrap();
}

#[tokio::test]
async fn it_goes_to_the_folder_stores_verifies_names_and_leaves() {
    let sum = |content: &[u8]| {
        let mut hasher = Hasher::new(HashAlgorithm::Crc32);
        hasher.update(content);
        hasher.finish()
    };
    let feat = "211-Features:\r\n SIZE\r\n XCRC\r\n MFMT\r\n211 End";
    let hash = format!("250 {}", sum(b"abc"));
    let peer = Peer::serve(
        Script::logged_in()
            .answering(&[("FEAT", feat), ("SITE HELP", "502 no")])
            .expect("CWD in")
            .say("250 there")
            .expect("STOR .a-*.slippart")
            .say("150 go on")
            .accept_data()
            .read_data()
            .close_data()
            .say("226 done")
            .expect("SIZE .a-*")
            .say("213 3")
            .expect("XCRC .a-*")
            .say(&hash)
            .expect("MFMT 20240229120000 .a-*")
            .say("213 set")
            .expect("SITE CHMOD 640 .a-*")
            .say("500 no such thing")
            .expect("RNFR .a-*")
            .say("350 and?")
            .expect("RNTO a")
            .say("250 done")
            .expect("QUIT")
            .say("500 stay")
            .expect_close(),
    )
    .await;
    let log = Log::default();
    let mut config = config(&peer);
    log.attach(&mut config);
    let mut delivery = Delivery::new(config, name("a")).into_folder(path("in"));
    delivery.modified = Some("2024-02-29T12:00:00Z".parse().unwrap());
    delivery.mode = Some(0o640);
    let delivered = deliver(delivery, "abc").await.unwrap();
    assert_eq!(delivered.hash, Some((HashAlgorithm::Crc32, sum(b"abc"))));
    assert_eq!(delivered.notes.len(), 2, "{:?}", delivered.notes);
    assert!(delivered.notes[0].contains("permissions") && delivered.notes[1].contains("goodbye"));
    assert!(log.all().contains("the goodbye failed"), "{}", log.all());
    peer.finish().await;
}

#[tokio::test]
async fn tries_are_counted_and_end() {
    let busy = || Script::new().say("421 later").expect_close();
    let peer = Peer::serve_each(vec![busy(), busy()]).await;
    let mut delivery = Delivery::new(config(&peer), name("a"));
    delivery.tries = 2;
    let begin = tokio::time::Instant::now();
    let failed = deliver(delivery, "abc").await.unwrap_err();
    assert_eq!((failed.kind(), failed.tries), (&ErrorKind::Busy, 2));
    // A second of pause.
    assert!(
        begin.elapsed() >= Duration::from_secs(1),
        "{:?}",
        begin.elapsed()
    );
    peer.finish_all().await;
}
