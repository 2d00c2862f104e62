//! Commands of one's own.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use ftp_server::vfs::{MemoryTree, Vfs, VfsError, VfsErrorKind, WriteMode};
use ftp_server::{BuildError, Call, CustomAnswer, CustomCommand, Reply};
use futures_util::StreamExt as _;
use futures_util::stream;

use crate::client::{Client, builder, p, start};

/// As many numbered lines as were asked for; STORE-like with a name; words otherwise.
struct Own;

#[async_trait]
impl CustomCommand for Own {
    async fn run(&self, call: Call) -> CustomAnswer {
        match (call.verb.as_str(), call.text().parse::<u32>()) {
            ("COLL", Ok(count)) => CustomAnswer::send(stream::iter(
                (0..count).map(|line| Bytes::from(format!("line {line}\r\n"))),
            )),
            ("COLL", Err(_)) => CustomAnswer::reply(501, "COLL takes a number."),
            ("FAIL", _) => {
                let pieces = [
                    Ok(Bytes::from_static(b"some")),
                    Err(VfsError::new(VfsErrorKind::Io, "broken")),
                ];
                CustomAnswer::Send(Reply::new(226, "wrong"), stream::iter(pieces).boxed())
            }
            ("KEEP", _) => {
                let path = call.cwd.join(&call.argument).unwrap();
                let files = call.files.unwrap();
                let into = files.open_write(&path, WriteMode::Truncate).await.unwrap();
                CustomAnswer::receive(into)
            }
            ("BOOM", _) => panic!("a handler's own fault"),
            (verb, _) => CustomAnswer::reply(200, &format!("{verb} {}", call.text())),
        }
    }
}

struct Early;

#[async_trait]
impl CustomCommand for Early {
    async fn run(&self, call: Call) -> CustomAnswer {
        assert!(call.files.is_none() && !call.encrypted);
        CustomAnswer::reply(200, "early")
    }

    fn before_login(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn they_answer_send_and_receive() {
    let tree = MemoryTree::new(1 << 20);
    tree.mkdir_all(&p("/dir")).await.unwrap();
    let mut server = builder(Arc::new(tree.clone())).command("EARLY", Arc::new(Early));
    for verb in ["COLL", "echo", "FAIL", "KEEP", "BOOM"] {
        server = server.command(verb, Arc::new(Own));
    }
    let server = start(server).await;
    let mut c = Client::connect(server.local_addr()).await;
    c.command("EARLY", 200).await;
    c.command("COLL 3", 530).await;
    c.ann().await;
    assert_eq!(c.command("Echo  a b ", 200).await, "200 ECHO  a b ");
    assert_eq!(c.fetch("COLL 3").await, b"line 0\r\nline 1\r\nline 2\r\n");
    assert_eq!(c.fetch("COLL 0").await, b"");
    c.command("COLL x", 501).await;
    c.command("COLL 3", 425).await;
    c.command("CWD dir", 250).await;
    c.store("KEEP this one", b"content").await;
    assert_eq!(c.fetch("RETR /dir/this one").await, b"content");
    c.command("HELP coll", 214).await;
    // A failure half-way is said, and the session goes on.
    let mut data = c.data().await;
    c.command("FAIL", 150).await;
    let mut got = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut data, &mut got)
        .await
        .ok();
    c.expect(451).await;
    c.command("UNKNOWN", 500).await;
    c.command("NOOP", 200).await;
    // A panic is the end of this session, and of no other.
    let mut other = Client::login(server.local_addr()).await;
    c.command("BOOM", 421).await;
    c.closed().await;
    other.command("ECHO still", 200).await;
    server.stop().await;
}

#[tokio::test]
async fn verbs_that_are_none_or_taken_are_refused() {
    for verb in ["", "RETR", "noop", "A B", "SEVENTEENLETTERSX", "Ä"] {
        let tree: Arc<dyn Vfs> = Arc::new(MemoryTree::new(1 << 10));
        let bound = builder(tree)
            .command(verb, Arc::new(Own))
            .bind("127.0.0.1:0");
        match bound.await {
            Err(BuildError::Verb(_)) => {}
            other => panic!("{verb}: {:?}", other.err()),
        }
    }
}
