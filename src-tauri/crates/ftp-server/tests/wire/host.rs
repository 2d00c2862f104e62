//! Virtual hosts.

use std::sync::Arc;

use ftp_net::tls::{ServerTls, Versions};
use ftp_server::vfs::{MemoryTree, Vfs};
use ftp_server::{RunningServer, Secret, User, VirtualHost};

use crate::client::{Client, builder, p, start};

async fn tree(content: &[u8]) -> Arc<dyn Vfs> {
    let tree = MemoryTree::new(1 << 20);
    tree.write_file(&p("/who"), content).await.unwrap();
    Arc::new(tree)
}

/// The server itself, and `one.example` with a tree and users and a certificate of its own; `two.example` has the server's.
async fn hosts() -> (RunningServer, ServerTls, ServerTls) {
    let tls = ServerTls::self_signed(&["localhost"]).unwrap();
    let own = ServerTls::self_signed(&["one.example"]).unwrap();
    let bob = User::new("bob").password(Secret::try_from("secret").unwrap());
    let one = VirtualHost::new("one.example")
        .vfs(tree(b"one").await)
        .user(bob)
        .tls(own.clone())
        .welcome("This is one");
    let options = builder(tree(b"server").await).tls(tls.clone());
    let options = options.host(one).host(VirtualHost::new("two.example"));
    (start(options).await, tls, own)
}

async fn who(c: &mut Client, user: &str) -> Vec<u8> {
    c.command(&format!("USER {user}"), 331).await;
    c.command("PASS secret", 230).await;
    c.fetch("RETR who").await
}

#[tokio::test]
async fn host_chooses_users_and_files() {
    let (server, ..) = hosts().await;
    let mut c = Client::connect(server.local_addr()).await;
    assert!(c.command("FEAT", 211).await.contains("\n HOST\n"));
    c.command("HOST nowhere.example", 504).await;
    assert_eq!(c.command("HOST ONE.example.", 220).await, "220 This is one");
    c.command("USER ann", 331).await;
    c.command("HOST two.example", 503).await;
    c.command("PASS secret", 530).await;
    assert_eq!(who(&mut c, "bob").await, b"one");
    c.command("HOST two.example", 503).await;
    c.command("REIN", 220).await;
    c.command("HOST two.example", 220).await;
    assert_eq!(who(&mut c, "ann").await, b"server");
    c.command("REIN", 220).await;
    assert_eq!(who(&mut c, "ann").await, b"server", "nobody said a host");
}

#[tokio::test]
async fn the_handshake_names_a_host_too() {
    let (server, tls, own) = hosts().await;
    for versions in [Versions::Any, Versions::Tls12] {
        let mut c = Client::connect(server.local_addr()).await;
        c.command("AUTH TLS", 234).await;
        c.secure_as("one.example", &own, versions).await;
        c.command("HOST two.example", 504).await;
        c.command("HOST one.example", 220).await;
        c.command("PBSZ 0", 200).await;
        c.command("PROT P", 200).await;
        c.private = true;
        assert_eq!(who(&mut c, "bob").await, b"one");
        // HOST before TLS says it to clients without a name in their handshake.
        let mut c = Client::connect(server.local_addr()).await;
        c.command("HOST one.example", 220).await;
        c.command("AUTH TLS", 234).await;
        c.secure_as("127.0.0.1", &own, versions).await;
        c.command("PBSZ 0", 200).await;
        c.command("PROT P", 200).await;
        c.private = true;
        assert_eq!(who(&mut c, "bob").await, b"one");
        let mut c = Client::login_tls(server.local_addr(), &tls, versions).await;
        assert_eq!(c.fetch("RETR who").await, b"server");
    }
}

#[tokio::test]
async fn what_can_not_be_a_host() {
    let tls = ServerTls::self_signed(&["localhost"]).unwrap();
    for host in [
        VirtualHost::new(""),
        VirtualHost::new("a b"),
        VirtualHost::new("one.example").tls(tls),
        VirtualHost::new("one.example").welcome("two\nlines"),
    ] {
        let options = builder(tree(b"").await).host(host);
        assert!(options.bind("127.0.0.1:0").await.is_err());
    }
}
