//! Commands that the library has no operation for: a client, and a server of ours that knows one more.
//!
//! `cargo run -p ftp-client --example custom_commands`
//!
//! It sends NOOP, which has no data connection, and COLL 20 ("collect"), which the server answers with 20 lines over one.

use std::sync::Arc;

use ftp_client::{Client, CommandOptions, Config, Error, Login, StreamOptions, TlsMode};
use ftp_server::{Call, CustomAnswer, CustomCommand, Secret, Server, User, vfs::MemoryTree};
use futures_util::stream;

/// COLL n: n lines of numbers and their squares.
struct Collect;

#[async_trait::async_trait]
impl CustomCommand for Collect {
    async fn run(&self, call: Call) -> CustomAnswer {
        let Ok(count) = call.text().trim().parse::<u64>() else {
            return CustomAnswer::reply(501, "COLL takes a number of lines.");
        };
        let line = |number: u64| format!("{number} {}\r\n", u128::from(number).pow(2)).into();
        CustomAnswer::send(stream::iter((0..count).map(line)))
    }
}

/// The client's side of it, as an operation like those of the library.
async fn collect(client: &Client, count: u64) -> Result<Vec<(u64, u128)>, Error> {
    let line = format!("COLL {count}");
    let mut download = client
        .open_download(&line, StreamOptions::default())
        .await?;
    let mut lines = download.lines();
    let mut collected = Vec::new();
    loop {
        match lines.next().await {
            Ok(Some(line)) => collected.extend(numbers(&line)),
            Ok(None) => break,
            Err(error) => return Err(download.failed(error).await),
        }
    }
    // Only the server's word makes it complete.
    download.finish().await?;
    Ok(collected)
}

fn numbers(line: &[u8]) -> Option<(u64, u128)> {
    let (number, square) = std::str::from_utf8(line).ok()?.split_once(' ')?;
    Some((number.parse().ok()?, square.parse().ok()?))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::builder()
        .vfs(Arc::new(MemoryTree::new(1 << 20)))
        .user(User::new("ann").password(Secret::try_from("secret")?))
        .command("COLL", Arc::new(Collect))
        .bind("127.0.0.1:0")
        .await?;
    let mut config = Config::new("127.0.0.1")
        .with_port(server.local_addr().port())
        .with_tls(TlsMode::Off)
        .with_login(Login::new("ann", "secret")?);
    config.allow_plaintext = true;
    Client::with(config, async |client| {
        let reply = client
            .send_command("NOOP", CommandOptions::expecting("2xx"))
            .await?;
        println!("NOOP: {} {}", reply.code, reply.text());
        for (number, square) in collect(client, 20).await? {
            println!("{number} x {number} = {square}");
        }
        let refused = client.send_command("COLL many", CommandOptions::expecting("2xx"));
        if let Err(error) = refused.await {
            println!("as it should be: {error}");
        }
        Ok::<_, Error>(())
    })
    .await?;
    server.stop().await;
    Ok(())
}
