//! The FTP server: sessions, users, limits, one file a verb.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//! use ftp_server::{Secret, Server, ServerTls, User, vfs::LocalDisk};
//!
//! let running = Server::builder()
//!     .vfs(Arc::new(LocalDisk::new("/srv/files")?))
//!     .user(User::new("ann").password(Secret::try_from("secret")?))
//!     .anonymous_read_only()
//!     .tls(ServerTls::self_signed(&["localhost"])?)
//!     .bind("127.0.0.1:0")
//!     .await?;
//! println!("listening on {}", running.local_addr());
//! running.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Looking at it, and changing it
//! [`RunningServer::sessions`] tells who is connected and what moves, [`RunningServer::event_stream`] what happens;
//! [`ServerHandle`] ends single sessions and changes limits of speed while bytes move.
//!
//! # Policies
//! A [`Layer`] sees every command before it is obeyed and every reply before it is sent.
//!
//! # A new verb
//! 1. Its typed form in `ftp_proto::Command`, unless it may stay `Command::Other`.
//! 2. One file in `verbs/` with a function that takes the session and gives an `Outcome`.
//! 3. One line each in `verbs/mod.rs`: the table (name, help, who may use it) and the dispatch.
//! 4. If clients must know of it before they try: one line in `verbs/feat.rs`.
#![warn(missing_docs)]

mod account;
mod builder;
mod custom;
mod event;
mod generate;
mod handle;
mod host;
mod layer;
mod limits;
mod live;
mod lockout;
mod options;
mod ports;
mod profile;
mod registry;
mod server;
mod session;
mod speed;
mod verbs;

pub use account::{
    Account, Accounts, Authentication, LookUp, PasswordHash, StoredUser, User, UserList, Users,
    UsersFile, UsersFileError,
};
pub use builder::{BuildError, ServerBuilder};
pub use custom::{Call, CustomAnswer, CustomCommand};
pub use event::{Direction, EndReason, EventKind, ServerEvent, SessionId, TransferOutcome};
pub use generate::{NoRandom, generate_password};
pub use handle::{MissedEvents, ServerHandle};
pub use host::VirtualHost;
pub use layer::{
    Asked, CommandLog, CommandRate, DenyVerbs, Layer, LayerSession, RewriteCommands, Verdict,
};
pub use limits::{AccountLimits, DataSession, Limits, SpeedLimits};
pub use live::{Doing, SessionInfo, Totals};
pub use ports::DataPorts;
pub use profile::Profile;
pub use server::{RunningServer, Server};

pub use async_trait::async_trait;
pub use ftp_net::tls::ServerTls;
pub use ftp_proto::{Command, Reply, Secret};
pub use vfs::{self, Permission};
