//! The profile `aioftp`, as far as it can be told without the original; `slip tests/cli/aioftp.rs` compares the two.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use ftp_server::vfs::{MemoryTree, Vfs};
use ftp_server::{
    AccountLimits, BuildError, Call, CustomAnswer, CustomCommand, Profile, RunningServer, Secret,
    Server, ServerTls, User,
};
use futures_util::stream;

use crate::client::{Client, p};

/// So many lines, over the data connection.
struct Lines;

#[async_trait]
impl CustomCommand for Lines {
    async fn run(&self, call: Call) -> CustomAnswer {
        let count = call.text().parse().unwrap_or(0);
        let line = |n| Bytes::from(format!("{n}\r\n"));
        CustomAnswer::send(stream::iter((0..count).map(line)))
    }
}

async fn server(user: User) -> RunningServer {
    let tree = MemoryTree::new(64 << 20);
    tree.write_file(&p("/hello"), b"hello, world")
        .await
        .unwrap();
    let server = Server::builder()
        .vfs(Arc::new(tree) as Arc<dyn Vfs>)
        .user(user)
        .profile(Profile::Aioftp)
        .limits(Profile::Aioftp.limits())
        .command("COLL", Arc::new(Lines))
        .bind("127.0.0.1:0")
        .await;
    server.unwrap()
}

#[tokio::test]
async fn its_words_are_its_own() {
    let server = server(User::everybody()).await;
    let mut c = Client::connect(server.local_addr()).await;
    for (line, code, text) in [
        ("PWD", 503, "bad sequence of commands (not logged in)"),
        (
            "PASS x",
            503,
            "bad sequence of commands (no user (use USER firstly))",
        ),
        ("FEAT", 502, "'feat' not implemented"),
        ("REST 3abc", 501, "syntax error, can't restart at '3abc'"),
        ("USER who", 230, "anonymous login"),
        ("PWD", 257, "\"/\""),
        ("MKD a/b/c", 257, ""),
        ("MKD a", 550, "path already exists"),
        ("CWD nowhere", 550, "path does not exists"),
        ("CWD hello", 550, "path is not a directory"),
        ("DELE a", 550, "path is not a file"),
        ("RMD a", 451, "file system error"),
        ("TYPE E", 502, "type 'E' not implemented"),
        (
            "RETR hello",
            503,
            "bad sequence of commands (no listen socket created (use PASV firstly))",
        ),
        ("PROT P", 200, ""),
        ("ABOR", 226, "nothing to abort"),
    ] {
        let reply = c.command(line, code).await;
        assert_eq!(
            reply.trim_end_matches(['\r', '\n']),
            format!("{code} {text}"),
            "{line}"
        );
    }
    let created = c.command("EPSV", 229).await;
    assert!(created.contains("listen socket created"), "{created}");
    let again = c.command("EPSV", 229).await;
    let port = |reply: &str| reply.split('|').nth(3).unwrap().to_owned();
    assert!(again.contains("already exists"), "{again}");
    assert_eq!(port(&created), port(&again));
    c.command("EPSV 1", 522).await;
    c.closed().await;
}

#[tokio::test]
async fn places_of_a_user_are_given_back_with_the_last_word() {
    let limits = AccountLimits {
        connections: Some(1),
        ..AccountLimits::default()
    };
    let ann = User::new("ann").password(Secret::try_from("secret").unwrap());
    let server = server(ann.limits(limits)).await;
    for _ in 0..20 {
        let mut c = Client::connect(server.local_addr()).await;
        c.command("USER ann", 331).await;
        c.command("PASS wrong", 530).await;
        c.command("PASS secret", 230).await;
        let mut other = Client::connect(server.local_addr()).await;
        let full = other.command("USER ann", 530).await;
        assert!(full.contains("too much connections for 'ann'"), "{full}");
        let nobody = other.command("USER nobody", 530).await;
        assert!(nobody.contains("no such username"), "{nobody}");
        c.command("QUIT", 221).await;
    }
}

#[tokio::test]
async fn commands_of_ones_own_use_the_sessions_socket() {
    let server = server(User::everybody()).await;
    let mut c = Client::connect(server.local_addr()).await;
    c.command("USER x", 230).await;
    for _ in 0..2 {
        assert_eq!(c.fetch("COLL 2").await, b"0\r\n1\r\n");
    }
}

#[tokio::test]
async fn tls_that_nobody_could_ask_for_is_refused() {
    let outcome = Server::builder()
        .vfs(Arc::new(MemoryTree::new(1 << 20)))
        .user(User::everybody())
        .profile(Profile::Aioftp)
        .tls(ServerTls::self_signed(&["localhost"]).unwrap())
        .require_tls(true)
        .bind("127.0.0.1:0")
        .await;
    assert!(matches!(outcome, Err(BuildError::NoAuth)), "{outcome:?}");
}
