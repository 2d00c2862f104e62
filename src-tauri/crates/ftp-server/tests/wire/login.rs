//! Logins, their limits, and what is allowed before them.

use std::sync::Arc;
use std::time::Duration;

use ftp_server::vfs::MemoryTree;
use ftp_server::{
    Account, Accounts, Authentication, EndReason, EventKind, Permission, Secret, Server, User,
    async_trait,
};

use crate::client::{Client, builder, limits, p, plain, start};

#[tokio::test]
async fn right_and_wrong_passwords() {
    let (server, _) = plain().await;
    let mut c = Client::connect(server.local_addr()).await;
    c.command("PWD", 530).await;
    c.command("PASS x", 503).await;
    c.command("USER nobody", 331).await;
    let unknown = c.command("PASS secret", 530).await;
    c.command("USER ann", 331).await;
    let wrong = c.command("PASS Secret", 530).await;
    assert_eq!(unknown, wrong, "nobody learns which names there are");
    c.ann().await;
    c.command("PASS again", 202).await;
    c.command("PWD", 257).await;
    c.command("REIN", 220).await;
    c.command("PWD", 530).await;
    c.command("QUIT", 221).await;
    c.closed().await;
}

#[tokio::test]
async fn the_third_wrong_password_closes() {
    let (server, _) = plain().await;
    let mut c = Client::connect(server.local_addr()).await;
    for code in [530, 530, 421] {
        c.command("USER ann", 331).await;
        c.command("PASS wrong", code).await;
    }
    c.closed().await;
    Client::login(server.local_addr()).await;
}

#[tokio::test]
async fn anonymous_reads_and_ann_writes() {
    let tree = MemoryTree::new(1 << 20);
    tree.write_file(&p("/f"), b"x").await.unwrap();
    let server = start(builder(Arc::new(tree)).anonymous_read_only()).await;
    let mut c = Client::connect(server.local_addr()).await;
    c.command("USER Anonymous", 331).await;
    c.command("PASS me@example.org", 230).await;
    assert_eq!(c.fetch("RETR f").await, b"x");
    for line in [
        "DELE f",
        "MKD d",
        "RMD d",
        "SITE CHMOD 600 f",
        "MFMT 20200101000000 f",
    ] {
        c.command(line, 550).await;
    }
    drop(c.data().await);
    c.data().await;
    c.command("STOR g", 550).await;
    c.command("RNFR f", 350).await;
    c.command("RNTO g", 550).await;
    let mut ann = Client::login(server.local_addr()).await;
    ann.command("DELE f", 250).await;
}

#[tokio::test]
async fn users_have_trees_and_homes_of_their_own() {
    let (a, b) = (MemoryTree::new(1 << 20), MemoryTree::new(1 << 20));
    a.mkdir_all(&p("/home/a")).await.unwrap();
    b.write_file(&p("/only-b"), b"").await.unwrap();
    let builder = Server::builder()
        .user(User::new("a").vfs(Arc::new(a)).home(p("/home/a")))
        .user(
            User::new("b")
                .vfs(Arc::new(b))
                .home(p("/gone"))
                .password(Secret::try_from("b").unwrap()),
        )
        .limits(limits());
    let server = start(builder).await;
    let mut c = Client::connect(server.local_addr()).await;
    c.command("USER a", 230).await;
    assert!(c.command("PWD", 257).await.contains("\"/home/a\""));
    c.command("SIZE /only-b", 550).await;
    c.command("USER b", 331).await;
    c.command("PWD", 530).await;
    c.command("PASS b", 230).await;
    assert!(c.command("PWD", 257).await.contains("\"/\""));
    c.command("TYPE I", 200).await;
    c.command("SIZE only-b", 213).await;
}

#[tokio::test]
async fn one_connection_too_many() {
    let mut few = limits();
    few.connections = 2;
    let server = start(builder(Arc::new(MemoryTree::new(1 << 20))).limits(few)).await;
    let mut events = server.events();
    let a = Client::connect(server.local_addr()).await;
    let _b = Client::connect(server.local_addr()).await;
    let mut c = Client::raw(server.local_addr()).await;
    c.expect(421).await;
    c.closed().await;
    a.vanish();
    loop {
        if let EventKind::SessionClosed { reason } = events.recv().await.unwrap().kind {
            assert_eq!(reason, EndReason::Gone);
            break;
        }
    }
    // The event is told a moment before the place is free.
    loop {
        let mut d = Client::raw(server.local_addr()).await;
        if d.reply().await.unwrap().starts_with("220") {
            break;
        }
    }
}

#[tokio::test]
async fn sleepers_are_closed() {
    let mut short = limits();
    short.login = Duration::from_millis(100);
    let server = start(builder(Arc::new(MemoryTree::new(1 << 20))).limits(short)).await;
    let mut c = Client::connect(server.local_addr()).await;
    // Trying again and again gives no more time.
    let end = loop {
        c.send("REIN\r\nUSER x\r\n").await;
        let replies = [c.reply().await, c.reply().await];
        if let Some(end) = replies
            .into_iter()
            .find(|r| r.as_ref().is_none_or(|r| r.starts_with("421")))
        {
            break end;
        }
    };
    assert!(end.is_some(), "it is told why");

    let mut short = limits();
    short.idle = Duration::from_millis(400);
    let server = start(builder(Arc::new(MemoryTree::new(1 << 20))).limits(short)).await;
    let mut c = Client::login(server.local_addr()).await;
    // Pieces of a line don't count as a sign of life.
    c.send("NO").await;
    c.expect(421).await;
    c.closed().await;
}

#[tokio::test]
async fn stopping_says_goodbye_and_events_tell_the_story() {
    let (server, _) = plain().await;
    let mut events = server.events();
    let mut c = Client::login(server.local_addr()).await;
    c.fetch("RETR hello").await;
    server.stop().await;
    c.expect(421).await;
    c.closed().await;
    let mut story = Vec::new();
    while let Ok(event) = events.recv().await {
        assert!(!format!("{event:?}").contains("secret"));
        story.push(match event.kind {
            EventKind::SessionOpened => "opened".to_owned(),
            EventKind::LoggedIn { user } => format!("login {user}"),
            EventKind::TransferStarted { path, .. } => format!("start {path}"),
            EventKind::TransferEnded { bytes, outcome, .. } => format!("end {bytes} {outcome:?}"),
            EventKind::SessionClosed { reason } => format!("closed {reason:?}"),
            other => format!("{other:?}"),
        });
    }
    assert_eq!(
        story,
        [
            "opened",
            "login ann",
            "start /hello",
            "end 12 Complete",
            "closed Stopped"
        ]
    );
}

#[tokio::test]
async fn a_server_nobody_can_use_is_refused() {
    let tree = || Arc::new(MemoryTree::new(1));
    assert!(
        Server::builder()
            .vfs(tree())
            .bind("127.0.0.1:0")
            .await
            .is_err()
    );
    assert!(
        Server::builder()
            .user(User::new("a"))
            .bind("127.0.0.1:0")
            .await
            .is_err()
    );
    assert!(
        builder(tree())
            .require_tls(true)
            .bind("127.0.0.1:0")
            .await
            .is_err()
    );
    assert!(
        builder(tree())
            .welcome("a\r\nb")
            .bind("127.0.0.1:0")
            .await
            .is_err()
    );
}

/// Ann alone, and a list of whose sessions have ended.
struct Counting {
    tree: Arc<MemoryTree>,
    gone: tokio::sync::mpsc::UnboundedSender<Vec<u8>>,
}

#[async_trait]
impl Accounts for Counting {
    async fn authenticate(&self, name: &[u8], password: Option<&Secret>) -> Authentication {
        match (name, password.map(Secret::expose)) {
            (b"ann" | b"ANN", Some(b"secret")) => {
                Authentication::Accepted(Account::new("ann", self.tree.clone()))
            }
            _ => Authentication::Refused,
        }
    }

    async fn logged_out(&self, name: &[u8]) {
        let _ = self.gone.send(name.to_vec());
    }
}

#[tokio::test]
async fn accounts_of_ones_own_are_told_of_every_end_of_a_session() {
    let (gone, mut ends) = tokio::sync::mpsc::unbounded_channel();
    let tree = Arc::new(MemoryTree::new(1 << 20));
    let builder = Server::builder()
        .accounts(Arc::new(Counting { tree, gone }))
        .limits(limits());
    let server = start(builder).await;
    let mut c = Client::connect(server.local_addr()).await;
    c.command("USER ann", 331).await;
    c.command("PASS wrong", 530).await;
    c.command("USER ANN", 331).await;
    c.command("PASS secret", 230).await;
    c.command("REIN", 220).await;
    assert_eq!(ends.recv().await.unwrap(), b"ann", "its own name");
    c.ann().await;
    c.command("USER ann", 331).await;
    assert_eq!(ends.recv().await.unwrap(), b"ann");
    c.command("PASS secret", 230).await;
    c.command("QUIT", 221).await;
    assert_eq!(ends.recv().await.unwrap(), b"ann");
    let mut c = Client::connect(server.local_addr()).await;
    c.ann().await;
    c.vanish();
    assert_eq!(ends.recv().await.unwrap(), b"ann");
    server.stop().await;
    assert_eq!(ends.recv().await, None, "once each");
}

#[tokio::test]
async fn a_user_without_a_name_takes_every_name() {
    let server =
        start(builder(Arc::new(MemoryTree::new(1 << 20))).user(User::everybody().home(p("/"))))
            .await;
    let mut c = Client::connect(server.local_addr()).await;
    c.command("USER somebody", 230).await;
    c.command("USER ann", 331).await;
    c.command("PASS x", 530).await;
    c.command("USER anonymous", 230).await;
}

#[tokio::test]
async fn permissions_hold_for_every_path_of_a_command() {
    let tree = MemoryTree::new(1 << 20);
    for file in [
        "/site/f",
        "/site/in/f",
        "/site/keep/f",
        "/site/secret/f",
        "/other",
    ] {
        tree.write_file(&p(file), b"x").await.unwrap();
    }
    let rule = |path: &str, read, write| Permission::new(p(path), read, write);
    let user = User::new("u")
        .base(p("/site"))
        .home(p("/in"))
        .permissions([rule("/", true, false), rule("/in", true, true)])
        .permission(rule("/secret", false, false));
    let server = start(builder(Arc::new(tree)).user(user)).await;
    let mut c = Client::connect(server.local_addr()).await;
    c.command("USER u", 230).await;
    assert!(c.command("PWD", 257).await.contains("\"/in\""));
    c.command("TYPE I", 200).await;
    for (line, code) in [
        ("SIZE f", 213),
        ("SIZE /f", 213),
        ("SIZE /other", 550),
        ("SIZE /../other", 550),
        ("CWD /secret", 550),
        ("SIZE /secret/f", 550),
        ("MDTM /secret/none", 550),
        ("MLST /secret", 550),
        ("RNFR /secret/f", 550),
        ("DELE /f", 550),
        ("DELE /secret/f", 550),
        ("MKD /d", 550),
        ("MKD /secret/d", 550),
        ("MKD /in/d", 257),
        ("RMD /in/d", 250),
        ("RNFR /f", 350),
        ("RNTO /in/g", 550),
        ("RNFR /in/f", 350),
        ("RNTO /g", 550),
        ("RNFR /in/f", 350),
        ("RNTO /secret/g", 550),
        ("RNFR /in/f", 350),
        ("RNTO /in/g", 250),
        ("SITE CHMOD 600 /f", 550),
        ("MFMT 20200101000000 /f", 550),
        ("SITE CHMOD 600 g", 200),
    ] {
        c.command(line, code).await;
    }
    let root = c.fetch("NLST /").await;
    let mut names: Vec<_> = root.split(|b| *b == b'\n').collect();
    names.sort();
    assert_eq!(names, [&b""[..], b"/f\r", b"/in\r", b"/keep\r"]);
    // Clients are told what they may do where.
    let shown = String::from_utf8(c.fetch("MLSD /").await).unwrap();
    let row = |name: &str| {
        let row = shown.lines().find(|row| row.ends_with(&format!(" {name}")));
        row.unwrap().to_ascii_lowercase()
    };
    assert!(row("in").contains(";perm=cdeflmp;"), "{shown}");
    assert!(row("keep").contains(";perm=el;"), "{shown}");
    assert!(row("f").contains(";perm=r;"), "{shown}");
    assert_eq!(c.fetch("RETR /keep/f").await, b"x");
    for line in [
        "RETR /secret/f",
        "LIST /secret",
        "STOR /f",
        "APPE /keep/f",
        "STOR /secret/x",
    ] {
        c.data().await;
        c.command(line, 550).await;
    }
}
