//! What our client asks for where it is offered, of our own server: hashes, compressed data, room, languages, virtual hosts, texts.
#![allow(clippy::unwrap_used, unused_crate_dependencies)]

use std::sync::Arc;

use engine_tests::{
    connect,
    files::{get, get_by_copy, put, put_by_copy},
    names,
    own::{OwnServer, PASSWORD, Store},
    path, pattern,
};
use ftp_client::{Compression, HashAlgorithm, Hasher, Login, ftp_proto::Argument};
use ftp_server::vfs::{MemoryTree, VPath};
use ftp_server::{Secret, User, VirtualHost};
use support::Tls;
use tokio::io::AsyncWriteExt as _;

#[tokio::test]
async fn hashes_are_those_of_the_file() {
    for (server, case) in OwnServer::each().await {
        let (client, log) = connect(server.config()).await.unwrap();
        for name in ["/plain", "/with blanks 7", "/ä"] {
            put(&client, name, b"abc").await.unwrap();
            for algorithm in HashAlgorithm::ALL {
                let (by, hash) = client
                    .hash(&path(name), &[algorithm])
                    .await
                    .unwrap()
                    .unwrap();
                let mut hasher = Hasher::new(algorithm);
                hasher.update(b"abc");
                assert_eq!(
                    (by, hash),
                    (algorithm, hasher.finish()),
                    "{case} {name}\n{}",
                    log.all()
                );
            }
        }
        let all = [path("/plain"), path("/none"), path("/ä")];
        let (_, hashes) = client
            .hash_many(&all, &[HashAlgorithm::Sha256])
            .await
            .unwrap()
            .unwrap();
        let there: Vec<bool> = hashes.iter().map(Option::is_some).collect();
        assert_eq!(there, [true, false, true], "{case}");
    }
}

#[tokio::test]
async fn compressed_files_and_listings() {
    let text = "a line of a log, and another one\n".repeat(100_000);
    for (server, case) in OwnServer::each().await {
        let mut config = server.config();
        config.data_options.compression = Compression::Always;
        let (client, log) = connect(config).await.unwrap();
        put(&client, "/stream.log", text.as_bytes()).await.unwrap();
        put_by_copy(&client, "/copy.log", text.as_bytes())
            .await
            .unwrap();
        for name in ["/stream.log", "/copy.log"] {
            assert!(
                server.read(name).await == text.as_bytes(),
                "{case} {name}\n{}",
                log.all()
            );
            assert!(get(&client, name, 0).await.unwrap() == text.as_bytes());
            assert!(get_by_copy(&client, name).await.unwrap() == text.as_bytes());
        }
        assert_eq!(
            names(&client, "/").await,
            ["copy.log", "stream.log"],
            "{case}"
        );
        let facts = client.facts();
        assert!(facts.data.packed_wire > 0, "{case}: {}", log.all());
        assert!(
            facts.data.ratio().unwrap() > 20.0,
            "{case}: {:?}",
            facts.data
        );
    }
}

#[tokio::test]
async fn room_is_told() {
    for store in [Store::Memory, Store::Disk] {
        let server = OwnServer::start(store, Tls::Off).await;
        let (client, _) = connect(server.config()).await.unwrap();
        let space = client.space(Some(&path("/"))).await.unwrap();
        assert!(space.available.unwrap() > 0, "{store:?}");
    }
}

#[tokio::test]
async fn texts_have_the_line_ends_of_either_side() {
    for (server, case) in OwnServer::each().await {
        let (client, _) = connect(server.config()).await.unwrap();
        let mut upload = client.stor_text(&path("/t")).await.unwrap();
        upload.write_all(b"one\ntwo\n").await.unwrap();
        upload.finish().await.unwrap();
        assert_eq!(server.read("/t").await, b"one\ntwo\n", "{case}");
        put(&client, "/big", &pattern(300_000)).await.unwrap();
        assert!(
            get(&client, "/big", 0).await.unwrap() == pattern(300_000),
            "TYPE I again"
        );
    }
}

#[tokio::test]
async fn a_virtual_host_is_chosen() {
    for tls in [Tls::Off, Tls::Explicit, Tls::Implicit] {
        let tree = MemoryTree::new(1 << 20);
        let file = VPath::new("/who").unwrap();
        tree.write_file(&file, b"one").await.unwrap();
        let user = User::new("bob").password(Secret::try_from(PASSWORD).unwrap());
        let host = VirtualHost::new("one.example")
            .vfs(Arc::new(tree))
            .user(user);
        let server = OwnServer::with(Store::Memory, tls, |builder| builder.host(host)).await;
        let mut config = server
            .config()
            .with_login(Login::new("bob", PASSWORD).unwrap());
        assert!(
            connect(config.clone()).await.is_err(),
            "no user of the server's own"
        );
        config.virtual_host = Some(Argument::try_from("one.example").unwrap());
        config.language = Some(Argument::try_from("en").unwrap());
        let (client, _) = connect(config).await.unwrap();
        assert_eq!(get(&client, "/who", 0).await.unwrap(), b"one");
    }
}
