//! Replies in order: queued commands, ABOR, STAT, QUIT during transfers.

use std::sync::Arc;

use ftp_server::vfs::{MemoryTree, Vfs};
use ftp_server::{EventKind, TransferOutcome};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::client::{Client, builder, p, plain, start};

/// A file that doesn't fit into the buffers between server and client.
async fn big() -> (ftp_server::RunningServer, MemoryTree) {
    let tree = MemoryTree::new(256 << 20);
    tree.write_file(&p("/big"), &vec![7; 64 << 20])
        .await
        .unwrap();
    tree.write_file(&p("/small"), b"small").await.unwrap();
    (start(builder(Arc::new(tree.clone()))).await, tree)
}

#[tokio::test]
async fn pipelined_commands_are_answered_in_order() {
    let (server, _) = plain().await;
    let mut c = Client::login(server.local_addr()).await;
    c.send("MKD a\r\nCWD a\r\nPWD\r\nMKD b\r\nRNFR b\r\nRNTO c\r\nCDUP\r\nNOOP\r\nNONSENSE\r\nSYST\r\n").await;
    for code in [257, 250, 257, 257, 350, 250, 250, 200, 500, 215] {
        c.expect(code).await;
    }
}

#[tokio::test]
async fn commands_wait_while_a_transfer_runs() {
    let (server, _) = big().await;
    let mut c = Client::login(server.local_addr()).await;
    let mut data = c.data().await;
    c.command("RETR big", 150).await;
    c.send("PWD\r\nNOOP\r\nEPSV\r\nSIZE small\r\n").await;
    // STAT behind them waits, too; alone it would be answered at once.
    c.send("STAT\r\nQUIT\r\n").await;
    let mut out = Vec::new();
    data.read_to_end(&mut out).await.unwrap();
    assert_eq!(
        out.len(),
        64 << 20,
        "EPSV in the queue didn't kill the transfer"
    );
    for code in [226, 257, 200, 229, 213, 211, 221] {
        c.expect(code).await;
    }
    c.closed().await;
}

#[tokio::test]
async fn stat_during_a_transfer_is_answered_at_once() {
    let (server, _) = big().await;
    let mut c = Client::login(server.local_addr()).await;
    let mut data = c.data().await;
    c.command("RETR big", 150).await;
    assert!(c.command("STAT", 211).await.contains("bytes so far"));
    data.read_to_end(&mut Vec::new()).await.unwrap();
    c.expect(226).await;
    c.command("NOOP", 200).await;
}

#[tokio::test]
async fn abor_ends_a_download() {
    let (server, _) = big().await;
    let mut events = server.events();
    let mut c = Client::login(server.local_addr()).await;
    // With the signals of Telnet, and without.
    for abor in [&b"ABOR\r\n"[..], b"\xff\xf4\xff\xf2ABOR\r\n"] {
        let data = c.data().await;
        c.command("RETR big", 150).await;
        c.send(abor).await;
        c.expect(426).await;
        c.expect(226).await;
        drop(data);
        assert_eq!(c.fetch("RETR small").await, b"small", "the session goes on");
    }
    c.command("ABOR", 226).await;
    let mut aborted = 0;
    while let Ok(event) = events.try_recv() {
        if let EventKind::TransferEnded { outcome, .. } = event.kind {
            aborted += usize::from(outcome == TransferOutcome::Aborted);
        }
    }
    assert_eq!(aborted, 2);
}

/// The urgent byte cuts what can be read at once in two; nothing more may be waited for in between.
#[cfg(unix)]
#[tokio::test]
async fn an_urgent_abor_is_seen_at_once() {
    let (server, _) = big().await;
    let mut c = Client::login(server.local_addr()).await;
    for abor in [&b"ABOR\r\n"[..], b"\xff\xf4\xff\xf2ABOR\r\n"] {
        let mut data = c.data().await;
        c.command("RETR big", 150).await;
        data.read_exact(&mut [0; 100]).await.unwrap();
        c.send_urgent(abor);
        c.expect(426).await;
        c.expect(226).await;
    }
    c.send_urgent(b"\xff\xf4\xff\xf2");
    c.command("ABOR", 226).await;
    c.send_urgent(b"NOOP\r\n");
    c.expect(200).await;
}

#[tokio::test]
async fn abor_ends_an_upload_and_keeps_what_came() {
    let (server, tree) = plain().await;
    let mut c = Client::login(server.local_addr()).await;
    let mut data = c.data().await;
    c.command("STOR up", 150).await;
    data.write_all(&vec![1; 1 << 20]).await.unwrap();
    // Until the server has it all: the rest of the test is about what it does with it.
    loop {
        let stat = c.command("STAT", 211).await;
        if stat.contains("1048576 bytes") {
            break;
        }
    }
    c.send("ABOR\r\n").await;
    c.expect(426).await;
    c.expect(226).await;
    assert_eq!(tree.metadata(&p("/up")).await.unwrap().len, 1 << 20);
}

#[tokio::test]
async fn an_upload_that_brought_nothing_leaves_the_old_file() {
    let (server, tree) = plain().await;
    let mut c = Client::login(server.local_addr()).await;
    let before = tree.metadata(&p("/hello")).await.unwrap().len;
    assert!(before > 0);
    let data = c.data().await;
    c.command("STOR hello", 150).await;
    c.send("ABOR\r\n").await;
    c.expect(426).await;
    c.expect(226).await;
    drop(data);
    assert_eq!(tree.metadata(&p("/hello")).await.unwrap().len, before);
}

#[tokio::test]
async fn abor_before_the_data_connection() {
    let (server, _) = plain().await;
    let mut c = Client::login(server.local_addr()).await;
    c.passive().await;
    c.command("RETR hello", 150).await;
    c.send("ABOR\r\n").await;
    c.expect(426).await;
    c.expect(226).await;
    c.command("NOOP", 200).await;
}

#[tokio::test]
async fn abor_reaches_the_transfers_queued_before_it() {
    let (server, _) = big().await;
    let mut c = Client::login(server.local_addr()).await;
    let _data = c.data().await;
    c.command("RETR big", 150).await;
    c.send("EPSV\r\nRETR big\r\nPWD\r\nABOR\r\nNOOP\r\n").await;
    for code in [426, 229, 426, 257, 226, 200] {
        c.expect(code).await;
    }
}

#[tokio::test]
async fn a_full_queue_stops_the_reading_and_loses_nothing() {
    let (server, _) = big().await;
    let mut c = Client::login(server.local_addr()).await;
    let mut data = c.data().await;
    c.command("RETR big", 150).await;
    let many = 2000;
    c.send("NOOP\r\n".repeat(many)).await;
    data.read_to_end(&mut Vec::new()).await.unwrap();
    c.expect(226).await;
    for _ in 0..many {
        c.expect(200).await;
    }
}

#[tokio::test]
async fn a_client_that_vanishes_ends_its_transfer() {
    let (server, tree) = plain().await;
    let mut events = server.events();
    let mut c = Client::login(server.local_addr()).await;
    let mut data = c.data().await;
    c.command("STOR up", 150).await;
    data.write_all(b"half").await.unwrap();
    loop {
        if c.command("STAT", 211).await.contains(" 4 bytes") {
            break;
        }
    }
    c.vanish();
    loop {
        if let EventKind::TransferEnded { outcome, bytes, .. } = events.recv().await.unwrap().kind {
            assert_eq!((outcome, bytes), (TransferOutcome::Aborted, 4));
            break;
        }
    }
    assert_eq!(
        tree.metadata(&p("/up")).await.unwrap().len,
        4,
        "for a resume"
    );
}

#[tokio::test]
async fn no_data_connection_in_time() {
    let mut short = crate::client::limits();
    short.data_wait = std::time::Duration::from_millis(50);
    short.data_idle = std::time::Duration::from_millis(50);
    let tree = MemoryTree::new(256 << 20);
    tree.write_file(&p("/big"), &vec![7; 64 << 20])
        .await
        .unwrap();
    let server = start(builder(Arc::new(tree)).limits(short)).await;
    let mut c = Client::login(server.local_addr()).await;
    c.passive().await;
    c.command("RETR big", 150).await;
    c.expect(425).await;
    c.passive().await;
    c.command("STOR big", 150).await;
    c.expect(425).await;
    assert_eq!(
        c.command("SIZE big", 213).await,
        "213 67108864",
        "the old file is still there"
    );
    // A client that takes nothing, and one that gives nothing.
    let _stuck = c.data().await;
    c.command("RETR big", 150).await;
    c.expect(426).await;
    let _stuck = c.data().await;
    c.command("STOR up", 150).await;
    c.expect(426).await;
    c.command("NOOP", 200).await;
}

#[tokio::test]
async fn a_full_tree_is_said_and_survived() {
    let tree = MemoryTree::new(1 << 20);
    let server = start(builder(Arc::new(tree))).await;
    let mut c = Client::login(server.local_addr()).await;
    let mut data = c.data().await;
    c.command("STOR big", 150).await;
    let _ = data.write_all(&vec![0; 2 << 20]).await;
    c.expect(452).await;
    drop(data);
    c.command("DELE big", 250).await;
    c.store("STOR small", b"fits").await;
}
