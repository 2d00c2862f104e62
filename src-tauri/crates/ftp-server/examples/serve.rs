//! A server to try clients on: `serve DIR [--tls | --implicit] [--require-tls] [--read-only]`.
//!
//! Listens on a free port of 127.0.0.1 for the user `ann` with the password `secret`, and for anonymous readers; prints its address and,
//! with TLS, the fingerprint of its certificate.

use std::sync::Arc;

use ftp_server::vfs::LocalDisk;
use ftp_server::{Secret, Server, ServerTls, User};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .init();
    let mut dir = ".".to_owned();
    let mut ann = User::new("ann").password(Secret::try_from("secret")?);
    let mut builder = Server::builder();
    for argument in std::env::args().skip(1) {
        builder = match argument.as_str() {
            "--tls" | "--implicit" => {
                let tls = ServerTls::self_signed(&["localhost", "127.0.0.1"])?;
                println!("{}", tls.fingerprint());
                builder.tls(tls).implicit_tls(argument == "--implicit")
            }
            "--require-tls" => builder.require_tls(true),
            "--read-only" => {
                ann = ann.read_only();
                builder
            }
            _ => {
                dir = argument;
                builder
            }
        };
    }
    let builder = builder
        .vfs(Arc::new(LocalDisk::new(dir)?))
        .user(ann)
        .anonymous_read_only();
    let running = builder.bind("127.0.0.1:0").await?;
    println!("{}", running.local_addr());
    let mut events = running.events();
    loop {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => break,
            Ok(event) = events.recv() => println!("{} {:?}", event.session, event.kind),
        }
    }
    running.stop().await;
    Ok(())
}
