//! Names in another charset than UTF-8.

use std::sync::Arc;

use ftp_server::BuildError;
use ftp_server::vfs::{MemoryTree, Vfs};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::client::{Client, builder, p, start};

/// A raw client, since the other one reads UTF-8 alone.
struct Raw(tokio::net::TcpStream, Vec<u8>);

impl Raw {
    async fn login(address: std::net::SocketAddr) -> Self {
        let mut raw = Self(
            tokio::net::TcpStream::connect(address).await.unwrap(),
            Vec::new(),
        );
        raw.line().await;
        raw.say(b"USER ann").await;
        assert!(raw.say(b"PASS secret").await.starts_with(b"230"));
        assert!(raw.say(b"TYPE I").await.starts_with(b"200"));
        raw
    }

    async fn line(&mut self) -> Vec<u8> {
        loop {
            if let Some(end) = self.1.windows(2).position(|w| w == b"\r\n") {
                let line = self.1.drain(..end + 2).take(end).collect();
                return line;
            }
            assert_ne!(self.0.read_buf(&mut self.1).await.unwrap(), 0);
        }
    }

    async fn say(&mut self, line: &[u8]) -> Vec<u8> {
        self.0.write_all(line).await.unwrap();
        self.0.write_all(b"\r\n").await.unwrap();
        self.line().await
    }

    async fn fetch(&mut self, line: &[u8]) -> Vec<u8> {
        let reply = self.say(b"EPSV").await;
        let port = ftp_proto::parse_epsv(&reply).unwrap();
        let mut data = tokio::net::TcpStream::connect(("127.0.0.1", port))
            .await
            .unwrap();
        assert!(self.say(line).await.starts_with(b"150"));
        let mut out = Vec::new();
        data.read_to_end(&mut out).await.unwrap();
        assert!(self.line().await.starts_with(b"226"));
        out
    }
}

#[tokio::test]
async fn names_go_over_the_wire_in_the_charset_of_the_server() {
    let tree = MemoryTree::new(1 << 20);
    tree.write_file(&p("/мир.txt"), b"peace").await.unwrap();
    tree.write_file(&p("/漢字"), b"").await.unwrap();
    let server = builder(Arc::new(tree.clone())).charset("windows-1251");
    let server = start(server).await;
    let mut c = Raw::login(server.local_addr()).await;
    assert_eq!(c.say(b"SIZE \xec\xe8\xf0.txt").await, b"213 5");
    assert_eq!(c.fetch(b"RETR \xec\xe8\xf0.txt").await, b"peace");
    // A name that it has no letters for is not shown under another name.
    assert_eq!(c.fetch(b"NLST").await, b"\xec\xe8\xf0.txt\r\n");
    let listed = c.fetch(b"MLSD").await;
    assert!(listed.ends_with(b" \xec\xe8\xf0.txt\r\n"));
    let made = c.say(b"MKD \xe4\xee\xec").await;
    assert!(made.windows(5).any(|w| w == b"/\xe4\xee\xec\""), "{made:?}");
    assert!(tree.metadata(&p("/дом")).await.unwrap().is_dir());
    // The tree has UTF-8 alone; a file's content is nobody's text.
    let mut utf8 = Client::login(server.local_addr()).await;
    let features = utf8.command("FEAT", 211).await;
    assert!(!features.contains("UTF8"), "{features}");
    utf8.command("OPTS UTF8 ON", 200).await;
    utf8.command("SIZE мир.txt", 213).await;
    assert!(utf8.fetch_text("NLST").await.contains("漢字"));
    utf8.command("REIN", 220).await;
    utf8.ann().await;
    utf8.command("SIZE мир.txt", 550).await;
}

#[tokio::test]
async fn half_a_letter_is_refused() {
    let tree = MemoryTree::new(1 << 20);
    let server = start(builder(Arc::new(tree.clone())).charset("sjis")).await;
    let mut c = Raw::login(server.local_addr()).await;
    assert!(c.say(b"MKD a\x81").await.starts_with(b"501"));
    // The second byte of this letter is a backslash's, and stays one with the first.
    assert!(c.say(b"MKD \x83\x5c").await.starts_with(b"257"));
    assert!(tree.metadata(&p("/ソ")).await.is_ok());
}

#[tokio::test]
async fn a_charset_that_is_none_is_an_error() {
    for label in ["klingon", "utf-16le"] {
        let tree: Arc<dyn Vfs> = Arc::new(MemoryTree::new(1));
        match builder(tree).charset(label).bind("127.0.0.1:0").await {
            Err(BuildError::Charset(error)) => assert!(error.to_string().contains(label)),
            other => panic!("{:?}", other.err()),
        }
    }
}
