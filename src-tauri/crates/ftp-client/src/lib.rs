//! The FTP client: a cloneable handle over one task that owns the control connection.
//!
//! ```no_run
//! # async fn example() -> Result<(), ftp_client::Error> {
//! use ftp_client::{Client, Config, Login};
//!
//! let config = Config::new("ftp.example.com").with_login(Login::new("me", "secret")?);
//! let client = Client::connect(config).await?;
//! let mut listing = client.list(None).await?;
//! while let Some(line) = listing.next().await? {
//!     println!("{line:?}");
//! }
//! client.quit().await?;
//! # Ok(()) }
//! ```
//!
//! Every operation runs to its end in the task, whatever becomes of the future that asked for it: dropping
//! a future leaves a connection that is clean or closed, never one that is confused.
#![warn(missing_docs)]

mod batch;
mod client;
mod command;
mod compression;
mod config;
pub mod constants;
mod control;
mod data;
mod deliver;
mod digest;
pub mod doctor;
mod driver;
mod error;
mod facts;
mod files;
mod hash;
mod life;
mod listing;
mod memory;
mod names;
mod pieces;
mod policy;
mod space;
mod speed;
mod text;
mod tree;
mod trees;
mod walk;
mod ways;

pub use batch::{BatchOptions, FetchFile, Fetched, StoreFile, StoreThen, Stored};
pub use client::Client;
pub use command::{CommandOptions, Masks, StreamOptions};
pub use compression::Compression;
pub use config::{Config, DataMode, LogEvent, LogKind, Login, Observer, TlsMode};
pub use data::{Download, Upload};
pub use deliver::{
    Content, DeliverError, DeliverStep, Delivered, Delivery, Verify, WriteAs, deliver,
    deliver_unless,
};
pub use digest::Hasher;
pub use error::{Blame, Error, ErrorKind};
pub use facts::{Security, SessionFacts};
pub use hash::HashAlgorithm;
pub use listing::Listing;
pub use memory::HostMemory;
pub use pieces::{Blocks, Lines};
pub use policy::{Backoff, KeepAlive, Reconnect};
pub use space::Space;
pub use speed::Speed;
pub use text::{LineEnd, TextDownload, TextUpload};
pub use trees::{Moved, TreeOptions};
pub use walk::{Found, ListCommand, ListOptions, Walk};
pub use ways::{DataFacts, DataOptions, DataWay, PassiveCommand};

/// What single replies say, for commands sent by [`Client::burst`].
pub mod replies {
    pub use crate::{
        files::{announced_size, size_of, time_of},
        hash::hash_of,
        space::quota_of,
    };
}

pub use ftp_net::{
    Proxy, ProxyKind, ProxyLogin, ProxyParseError, ProxyProblem, Throttle, Throttles, Timeouts,
    Waited,
    copy::{Bound, Progress, Writing},
    tls::{
        CertificateInfo, CertificateProblem, DistrustReason, Fingerprint, FingerprintError,
        Identity, Roots, TlsOptions, TlsVersion, Trust,
    },
};
pub use ftp_proto;
pub use ftp_proto::Charset;
