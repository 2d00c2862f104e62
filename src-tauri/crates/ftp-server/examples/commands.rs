//! Commands of one's own, and policies around all of them: `cargo run -p ftp-server --example commands`, then for example
//! `printf 'USER me\r\nTIME\r\nQUIT\r\n' | nc 127.0.0.1 2121`.

use std::sync::Arc;

use bytes::Bytes;
use ftp_server::{
    Call, CommandLog, CommandRate, CustomAnswer, CustomCommand, DenyVerbs, Server, User,
    async_trait, vfs::MemoryTree,
};
use futures_util::stream;

/// `TIME`: a reply and nothing else, as NOOP has it.
struct Time;

#[async_trait]
impl CustomCommand for Time {
    async fn run(&self, _: Call) -> CustomAnswer {
        CustomAnswer::reply(200, &jiff::Timestamp::now().to_string())
    }
}

/// `COLL 20`: so many bytes over the data connection.
struct Coll;

#[async_trait]
impl CustomCommand for Coll {
    async fn run(&self, call: Call) -> CustomAnswer {
        match call.text().parse::<usize>() {
            Ok(count) if count <= 1_000_000 => {
                CustomAnswer::send(stream::iter((0..count).map(|_| Bytes::from_static(b"x"))))
            }
            _ => CustomAnswer::reply(501, "COLL takes a number up to a million."),
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::builder()
        .vfs(Arc::new(MemoryTree::new(1 << 20)))
        .user(User::new("me"))
        .command("TIME", Arc::new(Time))
        .command("COLL", Arc::new(Coll))
        .layer(Arc::new(CommandLog::to(|line| println!("{line}"))))
        .layer(Arc::new(CommandRate::new(50, 200)))
        .layer(Arc::new(DenyVerbs::new(["DELE", "RMD"])))
        .bind("127.0.0.1:2121")
        .await?;
    println!("listening on {}", server.local_addr());
    tokio::signal::ctrl_c().await?;
    server
        .stop_gracefully(std::time::Duration::from_secs(10))
        .await;
    Ok(())
}
