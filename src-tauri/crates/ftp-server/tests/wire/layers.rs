//! Policies around commands.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ftp_server::vfs::MemoryTree;
use ftp_server::{
    Asked, Command, CommandLog, CommandRate, DenyVerbs, EndReason, EventKind, Layer, LayerSession,
    Reply, RewriteCommands, RunningServer, SessionId, Verdict, async_trait,
};

use crate::client::{Client, builder, p, start};

async fn with(layers: Vec<Arc<dyn Layer>>) -> RunningServer {
    let tree = MemoryTree::new(1 << 20);
    tree.write_file(&p("/hello"), b"hello, world")
        .await
        .unwrap();
    let mut server = builder(Arc::new(tree));
    for layer in layers {
        server = server.layer(layer);
    }
    start(server).await
}

#[tokio::test]
async fn a_log_has_every_command_and_reply_and_no_password() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&lines);
    let log = CommandLog::to(move |line| sink.lock().unwrap().push(line.to_owned()));
    let server = with(vec![Arc::new(log)]).await;
    let mut c = Client::login(server.local_addr()).await;
    c.fetch("RETR hello").await;
    c.command("\u{1}?", 500).await;
    c.command("REST x", 501).await;
    c.command("QUIT", 221).await;
    let lines = lines.lock().unwrap();
    let after = |line: &String| line.splitn(3, ' ').nth(2).unwrap().to_owned();
    let story: Vec<String> = lines.iter().map(after).collect();
    assert_eq!(
        story.iter().map(String::as_str).collect::<Vec<_>>(),
        [
            "- > USER ann",
            "- < 331 Password, please.",
            "- > PASS *****",
            "ann < 230 Logged in.",
            "ann > TYPE I",
            story[5].as_str(),
            "ann > EPSV",
            story[7].as_str(),
            "ann > RETR hello",
            "ann < 150 Sending 12 bytes.",
            "ann < 226 Transfer complete.",
            "ann > (not understood)",
            "ann < 500 Not understood.",
            "ann > REST (not understood)",
            story[14].as_str(),
            "ann > QUIT",
            "ann < 221 Goodbye.",
        ]
    );
    assert!(story[7].starts_with("ann < 229") && story[14].starts_with("ann < 501"));
    assert!(!lines.concat().contains("secret"));
}

#[tokio::test]
async fn commands_are_denied_and_rewritten() {
    // Writes go to a directory of their own, whatever the client says.
    let into = RewriteCommands::new(|session, command| match command {
        Command::Stor(path) if session.user.is_some() => {
            let path = [b"/inbox/", path.as_bytes()].concat();
            Some(Command::Stor(path.try_into().unwrap()))
        }
        _ => None,
    });
    let server = with(vec![
        Arc::new(DenyVerbs::new(["DELE", "SITE CHMOD"])),
        Arc::new(into),
    ])
    .await;
    let mut c = Client::login(server.local_addr()).await;
    c.command("DELE hello", 550).await;
    c.command("site chmod 600 hello", 550).await;
    c.command("SITE HELP", 214).await;
    c.command("MKD inbox", 257).await;
    c.store("STOR new", b"12345").await;
    c.command("SIZE new", 550).await;
    c.command("SIZE inbox/new", 213).await;
    // What is denied is a command like another: RNTO must follow at once.
    c.command("RNFR hello", 350).await;
    c.command("DELE hello", 550).await;
    c.command("RNTO other", 503).await;
    c.command("SIZE hello", 213).await;
}

/// Turns replies, and does worse.
struct Twist;

#[async_trait]
impl Layer for Twist {
    async fn before(&self, session: &LayerSession, asked: &Asked) -> Verdict {
        assert!(asked.verb() != "SYST", "a fault of the layer");
        match asked.verb() {
            "STAT" => Verdict::Deny(Reply::new(150, "half a refusal")),
            "HELP" if session.user.is_some() => Verdict::Close(Reply::new(421, "Enough.")),
            _ => Verdict::Pass,
        }
    }

    async fn after(&self, _: &LayerSession, asked: &Asked, reply: Reply) -> Reply {
        match asked.verb() {
            "NOOP" => Reply::new(299, "Twisted."),
            // Neither of these may be taken.
            "PWD" => Reply::new(150, "never ends"),
            "RETR" if reply.code.is_preliminary() => Reply::new(226, "over before it began"),
            "FEAT" => panic!("a fault of the layer"),
            _ => reply,
        }
    }
}

#[tokio::test]
async fn replies_are_changed_but_never_their_order() {
    let server = with(vec![Arc::new(Twist)]).await;
    let mut c = Client::login(server.local_addr()).await;
    assert_eq!(c.command("NOOP", 299).await, "299 Twisted.");
    c.command("PWD", 257).await;
    assert_eq!(c.fetch("RETR hello").await, b"hello, world");
    c.command("STAT", 550).await;
    c.command("HELP", 421).await;
    c.closed().await;
}

#[tokio::test]
async fn a_layer_that_panics_ends_its_session_and_no_other() {
    let server = with(vec![Arc::new(Twist)]).await;
    let mut other = Client::login(server.local_addr()).await;
    let mut events = server.events();
    for verb in ["SYST", "FEAT"] {
        let mut c = Client::login(server.local_addr()).await;
        c.command(verb, 421).await;
        c.closed().await;
        loop {
            if let EventKind::SessionClosed { reason } = events.recv().await.unwrap().kind {
                assert_eq!(reason, EndReason::Fault);
                break;
            }
        }
    }
    other.command("NOOP", 299).await;
    Client::login(server.local_addr()).await;
}

#[tokio::test]
async fn who_says_too_much_at_once_waits() {
    let server = with(vec![Arc::new(CommandRate::new(20, 5))]).await;
    let mut c = Client::login(server.local_addr()).await;
    let begin = Instant::now();
    c.send("NOOP\r\n".repeat(16)).await;
    for _ in 0..16 {
        c.expect(200).await;
    }
    // Ten of them had to wait for their turn, at least.
    assert!(begin.elapsed() > Duration::from_millis(450));
    // Who waits can be sent away nevertheless.
    c.send("NOOP\r\n".repeat(1000)).await;
    c.expect(200).await;
    assert!(server.kick(server.sessions()[0].id));
    let told = async { while !c.reply().await.unwrap().starts_with("421") {} };
    tokio::time::timeout(Duration::from_secs(10), told)
        .await
        .unwrap();
}

/// Remembers whom it has seen, and panics at the end.
#[derive(Default)]
struct Memory(Mutex<Vec<SessionId>>);

#[async_trait]
impl Layer for Memory {
    async fn before(&self, session: &LayerSession, _: &Asked) -> Verdict {
        let mut seen = self.0.lock().unwrap();
        if !seen.contains(&session.id) {
            seen.push(session.id);
        }
        Verdict::Pass
    }

    fn closed(&self, session: SessionId) {
        let mut seen = self.0.lock().unwrap();
        seen.retain(|id| *id != session);
        drop(seen);
        panic!("a fault of the layer");
    }
}

#[tokio::test]
async fn layers_hear_of_the_end_of_sessions() {
    let memory = Arc::new(Memory::default());
    let server = with(vec![Arc::clone(&memory) as Arc<dyn Layer>]).await;
    let mut events = server.events();
    let mut c = Client::login(server.local_addr()).await;
    assert_eq!(memory.0.lock().unwrap().len(), 1);
    c.command("QUIT", 221).await;
    loop {
        if let EventKind::SessionClosed { reason } = events.recv().await.unwrap().kind {
            assert_eq!(reason, EndReason::Quit);
            break;
        }
    }
    assert!(memory.0.lock().unwrap().is_empty());
    Client::login(server.local_addr()).await;
}
