//! The transfer queue: plan, run, retry and verify.
//!
//! A [`Queue`] works on items (files and folders to upload or download) with a fixed number of workers, each with a
//! connection of its own that is kept for the next item. A folder is looked into while files already move; its
//! children are items of their own. The decisions are made by a pure core (state, event and time in; actions out); the
//! runtime around it opens connections and files.
//!
//! What holds:
//! - A download is written under a temporary name (`.NAME.slippart`) in the folder of its target, checked against the
//!   server's size, given the server's time, and renamed over the target as the last step. Nothing half stands under a
//!   final name; the temporary file is removed when the download fails or is cancelled. It is locked meanwhile, so that
//!   two programs that download to the same target don't get into each other's way.
//! - An upload is written straight to its target. After it the sizes are compared and the time is set, where the
//!   server can do that. **A cancelled or failed upload can leave a truncated file on the server**: a cancelled one is
//!   deleted if the server lets us.
//! - Names in a server's listing are never paths: one that is not a plain file name fails as an item of its own, and
//!   nothing is ever written outside of the folder that the download was to go to, nor through links out of it.
//! - Lost connections and answers that are worth it are tried again after growing pauses, a bounded number of times.
//!   When the server has too many connections, the queue uses fewer.
#![warn(missing_docs)]

#[allow(dead_code)]
mod conflict;
mod core;
mod disk;
mod error;
mod filter;
mod ftp;
mod job;
#[allow(dead_code, unused_imports)]
mod journal;
pub mod mirror;
#[allow(dead_code)]
mod names;
#[allow(dead_code)]
mod machine;
mod options;
mod partial;
mod plan;
mod pool;
mod queue;
mod remote;
#[cfg(test)]
mod tests;
mod timetable;
mod types;
mod updates;
mod view;
mod wish;
#[allow(dead_code)]
mod work;

pub use error::{Error, RemoteError, Retry};
pub use filter::{CompiledFilter, Filter, FilterError};
pub use journal::{Damage, Journal, JournalError, OpenError, Opened, Reader, Request};
pub use options::{
    ConflictRule, HashCheck, KeepTime, Limits, Links, NameRules, Options, Priority, Sync,
    UploadName,
};
pub use queue::{Connector, Queue, QueueConfig};
pub use timetable::{RateError, Timetable, TimetableError, format_rate, parse_rate};
pub use types::{
    Checks, Conflict, Counts, Direction, Facts, HashAlgorithm, Hold, Interest, ItemKind,
    NewTransfer, Place, QueueUpdate, Receipt, RetryPolicy, SiteKey, State, Summary, Transfer, TransferId,
};
pub use updates::Updates;
pub use wish::{Which, Wish};
