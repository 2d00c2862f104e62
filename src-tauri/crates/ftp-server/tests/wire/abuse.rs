//! What hostile clients try.

use std::sync::Arc;

use async_trait::async_trait;
use ftp_server::vfs::{
    self, Listing, LocalDisk, MemoryTree, Metadata, VPath, Vfs, VfsRead, VfsWrite, WriteMode,
};
use ftp_server::{EndReason, EventKind};

use crate::client::{Client, builder, p, plain, start};

#[tokio::test]
async fn a_line_without_end() {
    let (server, _) = plain().await;
    let mut c = Client::connect(server.local_addr()).await;
    c.send(vec![b'A'; 8193]).await;
    c.expect(500).await;
    c.closed().await;
    // The longest that is allowed is only a name too long.
    let mut c = Client::login(server.local_addr()).await;
    c.command(&format!("CWD {}", "a".repeat(8188)), 553).await;
    c.command("NOOP", 200).await;
}

#[tokio::test]
async fn other_protocols_are_closed_without_a_word() {
    let (server, _) = plain().await;
    for start in [
        &b"GET / HTTP/1.1\r\n"[..],
        b"POST /x HTTP/1.1\r\n",
        b"SSH-2.0-OpenSSH_9\r\n",
        b"\x16\x03\x01\x02\x00\x01\n",
        b"EHLO x\r\n",
    ] {
        let mut c = Client::connect(server.local_addr()).await;
        let mut events = server.events();
        c.send(start).await;
        c.closed().await;
        loop {
            if let EventKind::SessionClosed { reason } = events.recv().await.unwrap().kind {
                assert_eq!(reason, EndReason::Refused);
                break;
            }
        }
    }
    Client::login(server.local_addr()).await;
}

#[tokio::test]
async fn rubbish_is_answered_and_survived() {
    let (server, _) = plain().await;
    let mut c = Client::login(server.local_addr()).await;
    for line in [
        &b"\r\n"[..],
        b"\xff\xfe\r\n",
        b" NOOP\r\n",
        b"12345\r\n",
        b"RETRRETRRETRRETRRETR x\r\n",
        b"X\r\n",
    ] {
        c.send(line).await;
        c.expect(500).await;
    }
    for line in [
        "RETR",
        "CWD",
        "PORT 1,2,3",
        "PORT 256,0,0,1,9,9",
        "EPRT x",
        "MFMT 2020 f",
        "REST",
        "USER",
    ] {
        c.command(line, 501).await;
    }
    c.command("NOOP", 200).await;
}

#[tokio::test]
async fn control_characters_in_names_are_refused_everywhere() {
    let (server, tree) = plain().await;
    let mut c = Client::login(server.local_addr()).await;
    for verb in [
        "CWD",
        "MKD",
        "RMD",
        "DELE",
        "RNFR",
        "SIZE",
        "MDTM",
        "MLST",
        "SITE CHMOD 600",
        "MFMT 20200101000000",
        "MFCT 20200101000000",
        "MFF Modify=20200101000000;",
        "SITE UTIME 20200101000000",
        "HASH",
        "XCRC",
        "MD5",
        "AVBL",
        "STAT",
    ] {
        for byte in ["\x01", "\t", "\x1b", "\x7f"] {
            c.command(&format!("{verb} a{byte}b"), 553).await;
        }
    }
    for verb in ["RETR", "STOR", "APPE", "LIST", "NLST", "MLSD"] {
        c.data().await;
        c.command(&format!("{verb} a\x08b"), 553).await;
    }
    c.command("RNFR hello", 350).await;
    c.command("RNTO a\x0cb", 553).await;
    assert!(tree.metadata(&p("/hello")).await.is_ok());
}

#[cfg(unix)]
#[tokio::test]
async fn no_verb_leaves_the_root() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    std::fs::create_dir(&root).unwrap();
    std::fs::create_dir(dir.path().join("out")).unwrap();
    std::fs::write(dir.path().join("out/secret"), b"secret").unwrap();
    std::os::unix::fs::symlink("../out", root.join("link")).unwrap();
    std::os::unix::fs::symlink("../out/secret", root.join("file")).unwrap();
    std::fs::write(root.join("inside"), b"inside").unwrap();
    let server = start(builder(Arc::new(LocalDisk::new(&root).unwrap()))).await;
    let mut c = Client::login(server.local_addr()).await;
    let absolute = dir.path().join("out/secret").display().to_string();
    for path in [
        "link/secret",
        "file",
        "../out/secret",
        "/../../../out/secret",
        &absolute,
        "x/../../out/secret",
    ] {
        for verb in [
            "SIZE",
            "MDTM",
            "SITE CHMOD 777",
            "MFMT 20200101000000",
            "MFCT 20200101000000",
            "MFF Modify=20200101000000;",
            "MFF UNIX.mode=0777;",
            "MDTM 20200101000000",
            "SITE UTIME 20200101000000",
            "HASH",
            "XSHA256",
            "MD5",
            "AVBL",
            "CWD",
            "RMD",
        ] {
            c.command(&format!("{verb} {path}"), 550).await;
        }
        for verb in ["RETR", "APPE", "MLSD"] {
            if verb != "APPE" || path.starts_with("link") || path == "file" {
                c.data().await;
                c.command(&format!("{verb} {path}"), 550).await;
            }
        }
        c.command("RNFR inside", 350).await;
        if path.starts_with("link") {
            c.command(&format!("RNTO {path}2"), 550).await;
        }
    }
    c.data().await;
    c.command("LIST link/", 550).await;
    c.command("MKD link/new", 550).await;
    c.command("DELE link/secret", 550).await;
    assert_eq!(
        std::fs::read(dir.path().join("out/secret")).unwrap(),
        b"secret"
    );
    assert_eq!(
        std::fs::read_dir(dir.path().join("out")).unwrap().count(),
        1
    );
    // The link is seen as what it is.
    assert!(c.fetch_text("MLSD").await.contains("slink"));
    c.command("NOOP", 200).await;
}

/// A tree that panics where it can.
struct Bomb(MemoryTree);

#[async_trait]
impl Vfs for Bomb {
    async fn metadata(&self, path: &VPath) -> vfs::Result<Metadata> {
        assert!(path.is_root(), "a bug of the backend");
        self.0.metadata(path).await
    }
    async fn symlink_metadata(&self, path: &VPath) -> vfs::Result<Metadata> {
        self.0.metadata(path).await
    }
    async fn list(&self, path: &VPath) -> vfs::Result<Listing> {
        self.0.list(path).await
    }
    async fn open_read(&self, path: &VPath, offset: u64) -> vfs::Result<Box<dyn VfsRead>> {
        self.0.open_read(path, offset).await
    }
    async fn open_write(&self, path: &VPath, mode: WriteMode) -> vfs::Result<Box<dyn VfsWrite>> {
        self.0.open_write(path, mode).await
    }
    async fn mkdir(&self, path: &VPath) -> vfs::Result<()> {
        self.0.mkdir(path).await
    }
    async fn rmdir(&self, path: &VPath) -> vfs::Result<()> {
        self.0.rmdir(path).await
    }
    async fn unlink(&self, path: &VPath) -> vfs::Result<()> {
        self.0.unlink(path).await
    }
    async fn rename(&self, from: &VPath, to: &VPath) -> vfs::Result<()> {
        self.0.rename(from, to).await
    }
    async fn set_modified(&self, path: &VPath, modified: jiff::Timestamp) -> vfs::Result<()> {
        self.0.set_modified(path, modified).await
    }
    async fn set_permissions(&self, path: &VPath, mode: u32) -> vfs::Result<()> {
        self.0.set_permissions(path, mode).await
    }
}

#[tokio::test]
async fn a_panic_in_one_session_touches_no_other() {
    let server = start(builder(Arc::new(Bomb(MemoryTree::new(1 << 20))))).await;
    let mut other = Client::login(server.local_addr()).await;
    let mut events = server.events();
    let mut c = Client::login(server.local_addr()).await;
    c.command("SIZE boom", 421).await;
    c.closed().await;
    loop {
        if let EventKind::SessionClosed { reason } = events.recv().await.unwrap().kind {
            assert_eq!(reason, EndReason::Fault);
            break;
        }
    }
    other.command("MKD still-here", 257).await;
    Client::login(server.local_addr()).await;
}

#[tokio::test]
async fn many_at_once() {
    let mut wide = crate::client::limits();
    wide.connections_per_address = 250;
    wide.half_open = 250;
    let tree = MemoryTree::new(64 << 20);
    tree.write_file(&p("/f"), &vec![3; 300_000]).await.unwrap();
    let server = start(builder(Arc::new(tree)).limits(wide)).await;
    let address = server.local_addr();
    let all: Vec<_> = (0..200)
        .map(|i| {
            tokio::spawn(async move {
                let mut c = Client::login(address).await;
                assert_eq!(c.fetch("RETR f").await.len(), 300_000);
                c.store(&format!("STOR {i}"), &vec![1; 100_000]).await;
            })
        })
        .collect();
    for one in all {
        one.await.unwrap();
    }
}
