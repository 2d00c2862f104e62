//! How many sessions there may be: of the server, of an address, of a user, and of those who don't log in.

use std::sync::Arc;

use ftp_server::vfs::MemoryTree;
use ftp_server::{AccountLimits, EventKind, Secret, Server, User};

use crate::client::{Client, PATIENCE, builder, limits, start};

fn tree() -> Arc<MemoryTree> {
    Arc::new(MemoryTree::new(1 << 20))
}

fn two_at_a_time() -> AccountLimits {
    AccountLimits {
        connections: Some(2),
        ..AccountLimits::default()
    }
}

/// Tries until there is a place: it is given back a moment after the client is gone.
async fn soon(address: std::net::SocketAddr) -> Client {
    let wait = async {
        loop {
            let mut c = Client::connect(address).await;
            c.command("USER ann", 331).await;
            c.send("PASS secret\r\n").await;
            if c.reply().await.unwrap().starts_with("230") {
                return c;
            }
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap()
}

#[tokio::test]
async fn a_user_has_so_many_sessions_and_gets_them_back() {
    let ann = User::new("ann")
        .password(Secret::try_from("secret").unwrap())
        .limits(two_at_a_time());
    let mut many = limits();
    many.wrong_passwords = u32::MAX;
    let server = Server::builder()
        .vfs(tree())
        .user(ann)
        .user(User::new("bob").limits(two_at_a_time()))
        .limits(many);
    let server = start(server).await;
    let address = server.local_addr();
    let mut first = Client::login(address).await;
    let second = Client::login(address).await;
    let mut third = Client::connect(address).await;
    third.command("USER ann", 331).await;
    assert!(
        third
            .command("PASS secret", 530)
            .await
            .contains("Too many sessions")
    );
    // Others are not touched by it, and users without a password are counted too.
    third.command("USER bob", 230).await;
    let mut fourth = Client::connect(address).await;
    fourth.command("USER bob", 230).await;
    // Whoever logs in again has given the place back before.
    for _ in 0..10 {
        fourth.command("USER bob", 230).await;
    }
    let mut fifth = Client::connect(address).await;
    fifth.command("USER bob", 530).await;
    fourth.command("REIN", 220).await;
    fifth.command("USER bob", 230).await;
    // By another name, by leaving.
    first.command("USER bob", 530).await;
    third.ann().await;
    second.vanish();
    soon(address).await;
}

#[tokio::test]
async fn those_who_do_not_log_in_leave_room_for_others() {
    let mut few = limits();
    few.half_open = 2;
    let server = start(builder(tree()).limits(few)).await;
    let mut events = server.events();
    let address = server.local_addr();
    let ann = Client::login(address).await;
    let mut a = Client::connect(address).await;
    let _b = Client::connect(address).await;
    let mut c = Client::raw(address).await;
    c.expect(421).await;
    c.closed().await;
    let denied = async {
        loop {
            if let EventKind::Denied { reason } = events.recv().await.unwrap().kind {
                return reason;
            }
        }
    };
    let reason = tokio::time::timeout(PATIENCE, denied).await.unwrap();
    assert!(reason.contains("without a login"), "{reason}");
    // Logging in makes room.
    a.ann().await;
    let mut d = Client::connect(address).await;
    d.command("NOOP", 200).await;
    drop(ann);
    assert_eq!(server.totals().turned_away, 1);
}
