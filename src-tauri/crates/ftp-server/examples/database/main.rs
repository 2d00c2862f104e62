//! Serves a tree that lives in one SQLite file: `database FILE`.
//!
//! Any storage can stand behind the server: what implements `vfs::Vfs` is wrapped, limited and guarded like a folder of the disk. Here `ann` (password
//! `secret`) has all of it, and everybody else reads what is in `/pub`.

mod tree;

use std::path::PathBuf;
use std::sync::Arc;

use ftp_server::vfs::{VPath, Vfs, VfsErrorKind};
use ftp_server::{Secret, Server, User};
use tree::DatabaseTree;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args_os().nth(1).ok_or("usage: database FILE")?;
    let tree = Arc::new(DatabaseTree::open(&PathBuf::from(file))?);
    let public = VPath::new("/pub")?;
    match tree.mkdir(&public).await {
        Err(error) if error.kind() != VfsErrorKind::Exists => return Err(error.into()),
        _ => {}
    }
    let running = Server::builder()
        .vfs(tree)
        .user(User::new("ann").password(Secret::try_from("secret")?))
        .user(User::everybody().base(public).read_only())
        .bind("127.0.0.1:0")
        .await?;
    println!("{}", running.local_addr());
    tokio::signal::ctrl_c().await?;
    running.stop().await;
    Ok(())
}
