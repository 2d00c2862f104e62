//! The example's tree in a database is a backend like any other: the suite of `vfs::conformance` says so.
#![allow(clippy::unwrap_used)]

#[path = "../examples/database/tree/mod.rs"]
mod tree;

use std::sync::Arc;

use ftp_server::vfs::{self, MemoryTree, VPath, Vfs, WriteMode};
use tree::DatabaseTree;

fn p(path: &str) -> VPath {
    VPath::new(path).unwrap()
}

#[tokio::test]
async fn conforms() {
    let dir = tempfile::tempdir().unwrap();
    let tree = DatabaseTree::open(&dir.path().join("tree.db")).unwrap();
    vfs::conformance::run(Arc::new(tree)).await;
}

#[tokio::test]
async fn it_is_all_there_when_it_is_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("tree.db");
    let tree = DatabaseTree::open(&file).unwrap();
    tree.mkdir(&p("/d")).await.unwrap();
    let content = bytes::Bytes::from(vec![7; 200_000]);
    let mut writer = tree
        .open_write(&p("/d/f"), WriteMode::CreateNew)
        .await
        .unwrap();
    writer.write_chunk(content.clone()).await.unwrap();
    writer.finish().await.unwrap();
    // Deleted while it is open: gone with the program at the latest.
    tree.unlink(&p("/d/f")).await.unwrap();
    std::mem::forget(writer);
    let mut writer = tree
        .open_write(&p("/d/g"), WriteMode::Append)
        .await
        .unwrap();
    writer.write_chunk(content).await.unwrap();
    drop((writer, tree));
    let again = DatabaseTree::open(&file).unwrap();
    assert_eq!(again.metadata(&p("/d/g")).await.unwrap().len, 200_000);
    assert!(again.metadata(&p("/d/f")).await.is_err());
    again.unlink(&p("/d/g")).await.unwrap();
    again.rmdir(&p("/d")).await.unwrap();
    vfs::conformance::run(Arc::new(again)).await;
}

/// A memory tree for comparison: both are the same to a server.
#[tokio::test]
async fn a_client_sees_no_difference() {
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
    let dir = tempfile::tempdir().unwrap();
    let trees: [Arc<dyn Vfs>; 2] = [
        Arc::new(DatabaseTree::open(&dir.path().join("tree.db")).unwrap()),
        Arc::new(MemoryTree::new(1 << 20)),
    ];
    let mut told = Vec::new();
    for tree in trees {
        let server = ftp_server::Server::builder()
            .vfs(tree)
            .user(ftp_server::User::everybody())
            .bind("127.0.0.1:0")
            .await
            .unwrap();
        let stream = tokio::net::TcpStream::connect(server.local_addr())
            .await
            .unwrap();
        let mut control = BufReader::new(stream);
        let mut codes = Vec::new();
        for line in [
            "USER a", "MKD x", "MKD x", "CWD x", "PWD", "RMD /x", "SIZE y", "RNFR /x", "RNTO /z",
            "CWD /z", "DELE /z", "RMD /z", "RMD /z", "QUIT",
        ] {
            control
                .get_mut()
                .write_all(format!("{line}\r\n").as_bytes())
                .await
                .unwrap();
        }
        let mut reply = String::new();
        while control.read_line(&mut reply).await.unwrap() > 0 {
            codes.push(std::mem::take(&mut reply));
        }
        told.push(codes);
    }
    assert!(
        told[0].len() == 15 && told[0][14].starts_with("221"),
        "{:?}",
        told[0]
    );
    assert_eq!(told[0], told[1]);
}
