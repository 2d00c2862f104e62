//! Limits of speed at each of the four places, in both directions, with one client and with several at once.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ftp_server::vfs::MemoryTree;
use ftp_server::{AccountLimits, RunningServer, Secret, Server, SpeedLimits, User};

use crate::client::{Client, limits, p, start};

/// Bytes a second, and bytes of each transfer: a quarter of a second.
const LIMIT: u64 = 800_000;
const SIZE: usize = 200_000;
const TIME: Duration = Duration::from_millis(250);

const SESSIONS: u32 = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Server,
    Session,
    User,
    UserSession,
}

impl Place {
    /// Whether all sessions of a user share it.
    fn is_shared(self) -> bool {
        matches!(self, Self::Server | Self::User)
    }
}

fn speed(up: bool) -> SpeedLimits {
    let limit = NonZeroU64::new(LIMIT);
    SpeedLimits {
        download: limit.filter(|_| !up),
        upload: limit.filter(|_| up),
    }
}

async fn server(place: Place, up: bool) -> RunningServer {
    let tree = MemoryTree::new(64 << 20);
    tree.write_file(&p("/f"), &vec![7; SIZE]).await.unwrap();
    let mut of_user = AccountLimits::default();
    match place {
        Place::User => of_user.speed = speed(up),
        Place::UserSession => of_user.session_speed = speed(up),
        Place::Server | Place::Session => {}
    }
    let user = |name: &str| {
        User::new(name)
            .password(Secret::try_from("secret").unwrap())
            .limits(of_user)
    };
    let mut server = Server::builder()
        .vfs(Arc::new(tree))
        .user(user("ann"))
        .user(user("bob"))
        .limits(limits());
    match place {
        Place::Server => server = server.speed(speed(up)),
        Place::Session => server = server.session_speed(speed(up)),
        Place::User | Place::UserSession => {}
    }
    start(server).await
}

/// One transfer of a session that begins now; how long it took.
async fn transfer(c: &mut Client, name: &str, up: bool) -> Duration {
    let begin = Instant::now();
    if up {
        c.store(&format!("STOR {name}"), &vec![1; SIZE]).await;
    } else {
        assert_eq!(c.fetch("RETR f").await.len(), SIZE);
    }
    begin.elapsed()
}

async fn crowd(server: &RunningServer, users: &[&str], up: bool) -> Duration {
    let mut tasks = Vec::new();
    for (number, user) in users.iter().enumerate() {
        let mut c = Client::connect(server.local_addr()).await;
        c.command(&format!("USER {user}"), 331).await;
        c.command("PASS secret", 230).await;
        c.command("TYPE I", 200).await;
        let name = format!("{user}{number}");
        tasks.push(tokio::spawn(async move {
            transfer(&mut c, &name, up).await;
        }));
    }
    let begin = Instant::now();
    for task in tasks {
        task.await.unwrap();
    }
    begin.elapsed()
}

/// Not faster than it may be, but for what a limit lets catch up; and not much slower.
fn near(took: Duration, wanted: Duration, what: &str) {
    println!("{what}: {took:?} of {wanted:?}");
    assert!(took > wanted * 7 / 10, "{what}: {took:?}, not {wanted:?}");
    assert!(
        took < wanted * 13 / 10 + Duration::from_millis(250),
        "{what}: {took:?}, not {wanted:?}"
    );
}

#[tokio::test]
async fn every_place_and_direction_with_one_and_with_many() {
    for place in [
        Place::Server,
        Place::Session,
        Place::User,
        Place::UserSession,
    ] {
        for up in [false, true] {
            let server = server(place, up).await;
            let what = format!("{place:?}, {}", if up { "up" } else { "down" });
            near(crowd(&server, &["ann"], up).await, TIME, &what);
            let wanted = if place.is_shared() {
                TIME * SESSIONS
            } else {
                TIME
            };
            let took = crowd(&server, &["ann"; SESSIONS as usize], up).await;
            near(took, wanted, &format!("{what}, {SESSIONS} of one user"));
            // The other direction is free.
            let free = crowd(&server, &["ann"; SESSIONS as usize], !up).await;
            assert!(free < TIME, "{what}: {free:?}");
        }
    }
}

#[tokio::test]
async fn users_have_each_their_own() {
    let of_all = server(Place::Server, false).await;
    near(
        crowd(&of_all, &["ann", "bob"], false).await,
        TIME * 2,
        "the server's",
    );
    let of_each = server(Place::User, false).await;
    near(
        crowd(&of_each, &["ann", "bob"], false).await,
        TIME,
        "the users'",
    );
    let handle = of_each.handle();
    // Twice as fast from now on, for one of them.
    let faster = SpeedLimits {
        download: NonZeroU64::new(2 * LIMIT),
        upload: None,
    };
    handle.set_user_speed("ann", faster, SpeedLimits::default());
    near(
        crowd(&of_each, &["ann", "ann"], false).await,
        TIME,
        "a faster user",
    );
    // Who was silent for a moment makes up for a little of it.
    let made_up = Duration::from_millis(150);
    let took = crowd(&of_each, &["bob", "bob"], false).await;
    near(took + made_up, TIME * 2, "the other");
}
