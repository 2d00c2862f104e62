//! A tree that gives no answer, or panics in the middle: commands and transfers end all the same.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use ftp_server::vfs::{
    self, Listing, MemoryTree, Metadata, VPath, Vfs, VfsRead, VfsWrite, WriteMode,
};
use ftp_server::{EndReason, EventKind};
use futures_util::StreamExt as _;
use futures_util::stream;

use crate::client::{Client, PATIENCE, builder, p, start};

/// Hangs wherever a path begins with `/hang`; files and listings that begin with `/stuck` open and then hang, those that begin with
/// `/boom` open and then panic.
struct Hanging(MemoryTree);

async fn look(path: &VPath) {
    if path.as_bytes().starts_with(b"/hang") {
        std::future::pending::<()>().await;
    }
}

struct Boom;

#[async_trait]
impl VfsRead for Boom {
    async fn read_chunk(&mut self, _: usize) -> vfs::Result<Bytes> {
        panic!("a fault of the tree");
    }
    fn remaining(&self) -> u64 {
        1000
    }
}

#[async_trait]
impl VfsWrite for Boom {
    async fn write_chunk(&mut self, _: Bytes) -> vfs::Result<()> {
        panic!("a fault of the tree");
    }
    async fn finish(&mut self) -> vfs::Result<()> {
        panic!("a fault of the tree");
    }
}

fn is_boom(path: &VPath) -> bool {
    path.as_bytes().starts_with(b"/boom")
}

struct Stuck;

#[async_trait]
impl VfsRead for Stuck {
    async fn read_chunk(&mut self, _: usize) -> vfs::Result<Bytes> {
        std::future::pending().await
    }
    fn remaining(&self) -> u64 {
        1000
    }
}

#[async_trait]
impl VfsWrite for Stuck {
    async fn write_chunk(&mut self, _: Bytes) -> vfs::Result<()> {
        std::future::pending().await
    }
    async fn finish(&mut self) -> vfs::Result<()> {
        std::future::pending().await
    }
}

#[async_trait]
impl Vfs for Hanging {
    async fn metadata(&self, path: &VPath) -> vfs::Result<Metadata> {
        look(path).await;
        self.0.metadata(path).await
    }
    async fn symlink_metadata(&self, path: &VPath) -> vfs::Result<Metadata> {
        look(path).await;
        self.0.symlink_metadata(path).await
    }
    async fn list(&self, path: &VPath) -> vfs::Result<Listing> {
        look(path).await;
        if path.as_bytes().starts_with(b"/stuck") {
            return Ok(stream::pending().boxed());
        }
        if is_boom(path) {
            let boom = async { panic!("a fault of the tree") };
            return Ok(stream::once(boom).boxed());
        }
        self.0.list(path).await
    }
    async fn open_read(&self, path: &VPath, offset: u64) -> vfs::Result<Box<dyn VfsRead>> {
        look(path).await;
        if path.as_bytes().starts_with(b"/stuck") {
            return Ok(Box::new(Stuck));
        }
        if is_boom(path) {
            return Ok(Box::new(Boom));
        }
        self.0.open_read(path, offset).await
    }
    async fn open_write(&self, path: &VPath, mode: WriteMode) -> vfs::Result<Box<dyn VfsWrite>> {
        look(path).await;
        if path.as_bytes().starts_with(b"/stuck") {
            return Ok(Box::new(Stuck));
        }
        if is_boom(path) {
            return Ok(Box::new(Boom));
        }
        self.0.open_write(path, mode).await
    }
    async fn mkdir(&self, path: &VPath) -> vfs::Result<()> {
        look(path).await;
        self.0.mkdir(path).await
    }
    async fn rmdir(&self, path: &VPath) -> vfs::Result<()> {
        look(path).await;
        self.0.rmdir(path).await
    }
    async fn unlink(&self, path: &VPath) -> vfs::Result<()> {
        look(path).await;
        self.0.unlink(path).await
    }
    async fn rename(&self, from: &VPath, to: &VPath) -> vfs::Result<()> {
        look(to).await;
        self.0.rename(from, to).await
    }
    async fn set_modified(&self, path: &VPath, modified: jiff::Timestamp) -> vfs::Result<()> {
        look(path).await;
        self.0.set_modified(path, modified).await
    }
    async fn set_permissions(&self, path: &VPath, mode: u32) -> vfs::Result<()> {
        look(path).await;
        self.0.set_permissions(path, mode).await
    }
}

#[tokio::test]
async fn commands_and_transfers_end_in_time() {
    let tree = MemoryTree::new(1 << 20);
    tree.write_file(&p("/file"), b"x").await.unwrap();
    tree.mkdir_all(&p("/stuck")).await.unwrap();
    let server = builder(Arc::new(Hanging(tree))).path_timeout(Duration::from_millis(50));
    let server = start(server).await;
    let mut c = Client::login(server.local_addr()).await;
    for line in [
        "CWD hang",
        "MKD hang",
        "RMD hang",
        "DELE hang",
        "SIZE hang",
        "MDTM hang",
        "MLST hang",
        "STAT hang",
        "SITE CHMOD 600 hang",
        "MFMT 20200101000000 hang",
        "MFF Modify=20200101000000; hang",
        "HASH hang",
        "HASH stuck",
        "XCRC stuck",
        "AVBL hang",
        "RNFR hang",
    ] {
        c.command(line, 451).await;
    }
    c.command("RNFR file", 350).await;
    c.command("RNTO hang", 451).await;
    c.command("RNTO file2", 503).await;
    for line in [
        "RETR hang",
        "STOR hang",
        "APPE hang",
        "LIST hang",
        "MLSD hang",
    ] {
        c.data().await;
        c.command(line, 451).await;
    }
    for line in ["RETR stuck", "LIST stuck", "MLSD stuck"] {
        let data = c.data().await;
        c.command(line, 150).await;
        c.expect(451).await;
        drop(data);
    }
    for line in ["STOR stuck", "APPE stuck"] {
        let mut data = c.data().await;
        c.command(line, 150).await;
        tokio::io::AsyncWriteExt::write_all(&mut data, b"content")
            .await
            .unwrap();
        drop(data);
        c.expect(451).await;
    }
    assert_eq!(c.fetch("RETR file").await, b"x");
}

#[tokio::test]
async fn a_home_that_hangs_is_no_reason_not_to_log_in() {
    let tree: Arc<dyn Vfs> = Arc::new(Hanging(MemoryTree::new(1 << 20)));
    let user = ftp_server::User::new("bob").home(p("/hang"));
    let server = builder(tree)
        .user(user)
        .path_timeout(Duration::from_millis(50));
    let server = start(server).await;
    let mut c = Client::connect(server.local_addr()).await;
    c.command("USER bob", 230).await;
    assert!(c.command("PWD", 257).await.contains("\"/\""));
}

#[tokio::test]
async fn a_tree_that_panics_in_a_transfer_ends_that_session_and_gives_its_place_back() {
    let tree = MemoryTree::new(1 << 20);
    tree.mkdir_all(&p("/boom")).await.unwrap();
    let server = start(builder(Arc::new(Hanging(tree)))).await;
    let mut other = Client::login(server.local_addr()).await;
    for line in [
        "RETR boom",
        "LIST boom",
        "MLSD boom",
        "STOR boom",
        "APPE boom",
        "HASH boom",
    ] {
        let mut events = server.events();
        let mut c = Client::login(server.local_addr()).await;
        let data = c.data().await;
        c.send(format!("{line}\r\n")).await;
        drop(data);
        let mut last = String::new();
        while let Some(reply) = c.reply().await {
            last = reply;
        }
        assert!(last.starts_with("421"), "{line}: {last}");
        let closed = async {
            loop {
                if let EventKind::SessionClosed { reason } = events.recv().await.unwrap().kind {
                    return reason;
                }
            }
        };
        let reason = tokio::time::timeout(PATIENCE, closed).await.unwrap();
        assert_eq!(reason, EndReason::Fault, "{line}");
        other.command("NOOP", 200).await;
    }
    let gone = async {
        while server.sessions().len() > 1 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.unwrap();
    assert_eq!(server.totals().logged_in, 1);
}
