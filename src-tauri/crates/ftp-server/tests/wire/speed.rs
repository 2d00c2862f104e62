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

async fn transfer(c: &mut Client, name: &str, up: bool) {
    if up {
        c.store(&format!("STOR {name}"), &vec![1; SIZE]).await;
    } else {
        assert_eq!(c.fetch("RETR f").await.len(), SIZE);
    }
}

/// How long transfers of these users take that begin now.
async fn crowd(server: &RunningServer, users: &[&str], up: bool) -> Duration {
    let mut clients = Vec::new();
    for user in users {
        let mut c = Client::connect(server.local_addr()).await;
        c.command(&format!("USER {user}"), 331).await;
        c.command("PASS secret", 230).await;
        c.command("TYPE I", 200).await;
        clients.push(c);
    }
    let begin = Instant::now();
    let tasks: Vec<_> = clients
        .into_iter()
        .enumerate()
        .map(|(number, mut c)| {
            tokio::spawn(async move { transfer(&mut c, &number.to_string(), up).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    begin.elapsed()
}

/// What a limit lets make up for after a moment in which nobody came.
const CREDIT: Duration = Duration::from_millis(150);

/// Never faster than it may be, and not much slower. A machine with much else to do makes it slower now and then; a limit that is too
/// low would do so each time.
async fn near(server: &RunningServer, users: &[&str], up: bool, wanted: Duration, what: &str) {
    let mut all = Vec::new();
    for _ in 0..8 {
        let took = crowd(server, users, up).await;
        assert!(
            took + CREDIT > wanted * 95 / 100,
            "{what}: {took:?}, not {wanted:?}"
        );
        all.push(took);
        if took < wanted * 12 / 10 + Duration::from_millis(50) {
            println!("{what}: {took:?} of {wanted:?}");
            return;
        }
    }
    panic!("{what}: {all:?}, not {wanted:?}");
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
            near(&server, &["ann"], up, TIME, &what).await;
            let wanted = if place.is_shared() {
                TIME * SESSIONS
            } else {
                TIME
            };
            let many = ["ann"; SESSIONS as usize];
            let several = format!("{what}, {SESSIONS} of one user");
            near(&server, &many, up, wanted, &several).await;
            let free = format!("{what}, the other direction");
            near(&server, &many, !up, Duration::from_millis(100), &free).await;
        }
    }
}

#[tokio::test]
async fn users_have_each_their_own() {
    let of_all = server(Place::Server, false).await;
    near(&of_all, &["ann", "bob"], false, TIME * 2, "the server's").await;
    let of_each = server(Place::User, false).await;
    near(&of_each, &["ann", "bob"], false, TIME, "the users'").await;
    let handle = of_each.handle();
    // Twice as fast from now on, for one of them.
    let faster = SpeedLimits {
        download: NonZeroU64::new(2 * LIMIT),
        upload: None,
    };
    handle.set_user_speed("ann", faster, SpeedLimits::default());
    near(&of_each, &["ann", "ann"], false, TIME, "a faster user").await;
    near(&of_each, &["bob", "bob"], false, TIME * 2, "the other").await;
}
