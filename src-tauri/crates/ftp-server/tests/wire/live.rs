//! The live view, ending sessions from outside, and the ways of stopping.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use ftp_server::vfs::MemoryTree;
use ftp_server::{Direction, Doing, EndReason, EventKind, RunningServer, SpeedLimits, Totals};
use tokio::io::AsyncReadExt;

use crate::client::{Client, PATIENCE, builder, p, plain, start};

/// Waits for an event that the pick likes.
async fn until<T>(
    events: &mut tokio::sync::broadcast::Receiver<ftp_server::ServerEvent>,
    mut pick: impl FnMut(EventKind) -> Option<T>,
) -> T {
    let find = async {
        loop {
            if let Some(found) = pick(events.recv().await.unwrap().kind) {
                return found;
            }
        }
    };
    tokio::time::timeout(PATIENCE, find).await.unwrap()
}

fn started(kind: EventKind) -> Option<()> {
    matches!(kind, EventKind::TransferStarted { .. }).then_some(())
}

fn closed(kind: EventKind) -> Option<EndReason> {
    match kind {
        EventKind::SessionClosed { reason } => Some(reason),
        _ => None,
    }
}

/// A server with one large file, `/big`, that nobody takes in one gulp.
async fn with_big() -> RunningServer {
    let tree = MemoryTree::new(256 << 20);
    tree.write_file(&p("/big"), &vec![7; 64 << 20])
        .await
        .unwrap();
    start(builder(Arc::new(tree))).await
}

#[tokio::test]
async fn the_view_tells_who_is_there_and_what_moves() {
    let server = with_big().await;
    assert!(server.sessions().is_empty());
    let mut events = server.events();
    let mut ann = Client::login(server.local_addr()).await;
    let _stranger = Client::connect(server.local_addr()).await;
    let all = server.sessions();
    assert_eq!(all.len(), 2);
    assert_eq!(all[0].user.as_deref(), Some("ann"));
    assert_eq!((&all[0].doing, all[0].encrypted), (&Doing::Idle, false));
    assert_eq!(all[1].user, None);
    assert!(all[0].id < all[1].id && all[0].peer != all[1].peer);

    let mut data = ann.data().await;
    ann.command("RETR big", 150).await;
    until(&mut events, started).await;
    data.read_exact(&mut [0; 100_000]).await.unwrap();
    let now = &server.sessions()[0];
    match &now.doing {
        Doing::Transfer {
            path,
            direction: Direction::Download,
            bytes,
            total: Some(total),
            ..
        } => {
            assert_eq!((path, *total), (&p("/big"), 64 << 20));
            assert!((100_000..64 << 20).contains(bytes), "{bytes}");
            assert_eq!(now.idle, Duration::ZERO);
        }
        other => panic!("{other:?}"),
    }
    assert!(server.totals().sent >= 100_000, "a running one counts");
    let mut rest = Vec::new();
    data.read_to_end(&mut rest).await.unwrap();
    ann.expect(226).await;
    ann.store("STOR new", b"12345").await;
    ann.command("NOOP", 200).await;
    let now = &server.sessions()[0];
    assert_eq!(now.doing, Doing::Idle);
    assert_eq!((now.sent, now.received), (64 << 20, 5));
    ann.command("USER x", 331).await;
    assert_eq!(server.sessions()[0].user, None, "USER logs out");
    ann.command("PASS wrong", 530).await;
    ann.command("QUIT", 221).await;
    assert_eq!(until(&mut events, closed).await, EndReason::Quit);
    let Totals {
        sessions,
        logins,
        failed_logins,
        downloads,
        uploads,
        sent,
        received,
        ..
    } = server.totals();
    assert_eq!((sessions, logins, failed_logins), (2, 1, 1));
    assert_eq!((downloads, uploads), (1, 1));
    assert_eq!((sent, received), (64 << 20, 5));
}

#[tokio::test]
async fn a_session_can_be_ended_from_outside() {
    let server = with_big().await;
    let mut events = server.events();
    let mut idle = Client::login(server.local_addr()).await;
    let mut busy = Client::login(server.local_addr()).await;
    let _data = busy.data().await;
    busy.command("RETR big", 150).await;
    until(&mut events, started).await;
    let all = server.sessions();
    assert!(server.kick(all[1].id));
    busy.expect(426).await;
    busy.expect(421).await;
    busy.closed().await;
    assert_eq!(until(&mut events, closed).await, EndReason::Kicked);
    idle.command("NOOP", 200).await;
    assert!(server.handle().clone().kick(all[0].id));
    idle.expect(421).await;
    idle.closed().await;
    assert_eq!(until(&mut events, closed).await, EndReason::Kicked);
    assert!(!server.kick(all[0].id), "gone already");
}

#[tokio::test]
async fn a_graceful_stop_lets_transfers_finish_and_tells_the_others() {
    let server = with_big().await;
    let address = server.local_addr();
    let mut idle = Client::login(address).await;
    let mut busy = Client::login(address).await;
    let mut data = busy.data().await;
    busy.command("RETR big", 150).await;
    // What waits behind the transfer is not begun any more.
    busy.send("NOOP\r\n").await;
    let stopping = tokio::spawn(server.stop_gracefully(PATIENCE));
    idle.expect(421).await;
    idle.closed().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
    let mut all = Vec::new();
    data.read_to_end(&mut all).await.unwrap();
    assert_eq!(all.len(), 64 << 20);
    busy.expect(226).await;
    busy.expect(421).await;
    busy.closed().await;
    stopping.await.unwrap();
}

#[tokio::test]
async fn a_graceful_stop_has_an_end() {
    let server = with_big().await;
    let mut busy = Client::login(server.local_addr()).await;
    let _data = busy.data().await;
    busy.command("RETR big", 150).await;
    server.stop_gracefully(Duration::from_millis(100)).await;
    busy.expect(426).await;
    busy.expect(421).await;
    busy.closed().await;
}

#[tokio::test]
async fn speed_is_limited_and_changed_while_bytes_move() {
    let server = with_big().await;
    let slow = SpeedLimits {
        download: NonZeroU64::new(100_000),
        upload: None,
    };
    server.handle().set_speed(slow);
    assert_eq!(server.handle().speed(), slow);
    let mut ann = Client::login(server.local_addr()).await;
    // The other direction is free.
    ann.store("STOR up", &vec![1; 2_000_000]).await;
    let mut data = ann.data().await;
    let begin = std::time::Instant::now();
    ann.command("RETR big", 150).await;
    data.read_exact(&mut vec![0; 100_000]).await.unwrap();
    let took = begin.elapsed();
    // One second, less what may be made up for.
    assert!(took > Duration::from_millis(700), "{took:?}");
    server.handle().set_speed(SpeedLimits::default());
    let mut rest = Vec::new();
    tokio::time::timeout(PATIENCE, data.read_to_end(&mut rest))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(rest.len() + 100_000, 64 << 20);
    ann.expect(226).await;
}

#[tokio::test]
async fn nothing_is_left_in_the_view_after_many_came_and_went() {
    let (server, _) = plain().await;
    let mut events = server.events();
    for _ in 0..20 {
        Client::login(server.local_addr()).await.vanish();
        until(&mut events, closed).await;
    }
    let gone = async {
        while !server.sessions().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.unwrap();
    let totals = server.totals();
    assert_eq!((totals.open, totals.logged_in, totals.sessions), (0, 0, 20));
}
