//! Clients that go on and on: what they keep waiting, hold, or try to carry over to the next command.

use std::sync::Arc;
use std::time::Duration;

use ftp_server::vfs::{LocalDisk, MemoryTree, Vfs};
use ftp_server::{EndReason, EventKind, Limits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::client::{Client, PATIENCE, builder, limits, p, start};

/// How long a port waits in these tests.
const WAIT: Duration = Duration::from_millis(600);

fn tree() -> Arc<MemoryTree> {
    Arc::new(MemoryTree::new(64 << 20))
}

#[tokio::test]
async fn a_client_that_always_has_a_command_ready_must_log_in_in_time() {
    let mut short = limits();
    short.login = Duration::from_millis(700);
    let server = start(builder(tree()).limits(short)).await;
    let mut events = server.events();
    let mut c = Client::connect(server.local_addr()).await;
    // So many that the server is never without a line, and never without room for its replies.
    let chatter = async {
        loop {
            c.send("FEAT\r\nFEAT\r\nFEAT\r\nFEAT\r\n").await;
            for _ in 0..4 {
                match c.reply().await {
                    Some(reply) if reply.starts_with("421") => return,
                    None => return,
                    Some(_) => {}
                }
            }
            c.send("FEAT\r\n").await;
            if c.reply().await.is_none_or(|reply| reply.starts_with("421")) {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, chatter)
        .await
        .expect("the login has a deadline");
    let reason = loop {
        if let EventKind::SessionClosed { reason } = events.recv().await.unwrap().kind {
            break reason;
        }
    };
    assert_eq!(reason, EndReason::Idle);
}

#[tokio::test]
async fn each_port_of_a_range_waits_its_own_time() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let mut short: Limits = limits();
    short.data_wait = WAIT;
    let server = start(builder(tree()).limits(short).data_ports(port..=port)).await;
    let mut c = Client::login(server.local_addr()).await;
    // The first is given up by the client, late; the second begins anew.
    c.passive().await;
    tokio::time::sleep(WAIT * 3 / 4).await;
    let address = c.passive().await;
    tokio::time::sleep(WAIT * 3 / 4).await;
    let mut data = tokio::net::TcpStream::connect(address).await.unwrap();
    c.command("NLST", 150).await;
    let mut names = Vec::new();
    data.read_to_end(&mut names).await.unwrap();
    c.expect(226).await;
}

#[tokio::test]
async fn a_range_is_for_what_follows_at_once() {
    let tree = tree();
    tree.write_file(&p("/f"), b"0123456789").await.unwrap();
    let server = start(builder(tree)).await;
    let mut c = Client::login(server.local_addr()).await;
    c.command("RANG 0 4", 350).await;
    c.store("STOR up", b"whatever").await;
    assert_eq!(c.fetch("RETR f").await, b"0123456789");
    assert_eq!(c.fetch("RETR up").await, b"whatever");
}

#[tokio::test]
async fn a_file_that_becomes_shorter_is_not_called_complete() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("f");
    let len = 64 << 20;
    std::fs::write(&file, vec![b'x'; len]).unwrap();
    let server = start(builder(Arc::new(LocalDisk::new(folder.path()).unwrap()))).await;
    let mut c = Client::login(server.local_addr()).await;
    let mut data = c.data().await;
    c.command("RETR f", 150).await;
    let mut content = vec![0; 1000];
    data.read_exact(&mut content).await.unwrap();
    std::fs::File::options()
        .write(true)
        .open(&file)
        .unwrap()
        .set_len(1000)
        .unwrap();
    // The end of the connection comes in whatever way.
    let _ = data.read_to_end(&mut content).await;
    assert!(content.len() < len, "what is cut can't be sent");
    c.expect(451).await;
    c.command("NOOP", 200).await;
}

#[tokio::test]
async fn two_who_append_at_once_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(LocalDisk::new(folder.path()).unwrap());
    let server = start(builder(disk)).await;
    let mut ann = Client::login(server.local_addr()).await;
    let mut bob = Client::login(server.local_addr()).await;
    let mut data = (ann.data().await, bob.data().await);
    ann.command("APPE log", 150).await;
    bob.command("APPE log", 150).await;
    data.0.write_all(&[b'a'; 1000]).await.unwrap();
    data.1.write_all(&[b'b'; 1000]).await.unwrap();
    drop(data);
    ann.expect(226).await;
    bob.expect(226).await;
    let content = std::fs::read(folder.path().join("log")).unwrap();
    let count = |letter| content.iter().filter(|byte| **byte == letter).count();
    assert_eq!((count(b'a'), count(b'b')), (1000, 1000));
    // And more than fits into one piece.
    let big = vec![b'c'; 3 << 20];
    ann.store("APPE log", &big).await;
    let len = std::fs::metadata(folder.path().join("log")).unwrap().len();
    assert_eq!(len, 2000 + big.len() as u64);
}

#[tokio::test]
async fn the_root_keeps_its_looks() {
    let folder = tempfile::tempdir().unwrap();
    let disk = LocalDisk::new(folder.path()).unwrap();
    let before = disk.metadata(&p("/")).await.unwrap();
    let server = start(builder(Arc::new(disk.clone()))).await;
    let mut c = Client::login(server.local_addr()).await;
    for command in [
        "SITE CHMOD 000 /",
        "SITE CHMOD 000 .",
        "MFMT 20010101000000 /",
        "MFF modify=20010101000000; /",
        "SITE UTIME 20010101000000 /",
    ] {
        c.command(command, 550).await;
    }
    let after = disk.metadata(&p("/")).await.unwrap();
    assert_eq!((before.mode, before.modified), (after.mode, after.modified));
}

#[tokio::test]
async fn for_ever_is_no_fault() {
    let mut endless = limits();
    for time in [
        &mut endless.login,
        &mut endless.idle,
        &mut endless.reply,
        &mut endless.data_wait,
        &mut endless.data_idle,
        &mut endless.lockout,
        &mut endless.lockout_window,
        &mut endless.path,
    ] {
        *time = Duration::MAX;
    }
    endless.lockout_after = 1;
    endless.wrong_passwords = 1;
    let server = start(builder(tree()).limits(endless)).await;
    let mut c = Client::login(server.local_addr()).await;
    c.store("STOR f", b"x").await;
    let mut wrong = Client::connect(server.local_addr()).await;
    wrong.command("USER ann", 331).await;
    wrong.send("PASS wrong\r\n").await;
    while let Some(reply) = wrong.reply().await {
        assert!(!reply.contains("fault"), "{reply}");
    }
    // It is shut out.
    let mut again = Client::raw(server.local_addr()).await;
    assert!(
        again
            .reply()
            .await
            .is_none_or(|reply| reply.starts_with("421"))
    );
}
