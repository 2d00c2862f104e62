//! The transfer queue: plan, run, resume, verify, and never lose anything.
//!
//! A [`Queue`] works on items (files and folders to upload or download) with as many connections to a site as the site
//! allows and the server puts up with. A folder is looked into while files already move; its children are items of their
//! own. Small files go in batches. The decisions are made by a pure machine (state, event and time in; actions and
//! journal entries out); the runtime around it opens connections and files, and writes the [`Journal`] before it acts.
//!
//! What holds:
//! - With a journal ([`Queue::open`]) everything is there again after a crash at any moment: what was finished stays
//!   finished, what was running goes on from where it was, after its end was compared.
//! - A download is written under a temporary name (`.NAME.slippart`) in the folder of its target, checked, given the
//!   server's time, and renamed over the target as the last step. Nothing half stands under a final name. The temporary
//!   file is locked meanwhile, so that two programs that download to the same target don't get into each other's way.
//! - An upload is written under a temporary name as well and renamed, unless the server refuses that or the
//!   [`Options`] say otherwise. **Written under its final name, a broken upload can leave a truncated file**.
//! - What was checked of each file stands in its [`Receipt`].
//! - Names in a server's listing are never paths: one that is not a plain file name fails as an item of its own, and
//!   nothing is ever written outside of the folder that the download was to go to, nor through links out of it.
//! - Lost connections and answers that are worth it are tried again after growing pauses, a bounded number of times.
//!   When the server has too many connections, the queue uses fewer. A full disk pauses the downloads.
#![warn(missing_docs)]

mod conflict;
mod digest;
mod disk;
mod error;
mod filter;
mod ftp;
mod jobs;
mod journal;
mod machine;
pub mod mirror;
pub mod names;
mod options;
mod partial;
mod pool;
mod remote;
mod runtime;
#[cfg(test)]
mod tests;
mod timetable;
mod types;
mod wish;
mod work;

pub use error::{Error, RemoteError, Retry};
pub use filter::{CompiledFilter, Filter, FilterError};
pub use journal::{Damage, Journal, JournalError, OpenError, Opened, Reader, Request};
pub use options::{
    ConflictRule, HashCheck, KeepTime, Limits, Links, NameRules, Options, Priority, Sync,
    UploadName,
};
pub use runtime::{Connector, Overview, Queue, QueueConfig, Segments, SiteProfile, Updates};
pub use timetable::{RateError, Timetable, TimetableError, format_rate, parse_rate};
pub use types::{
    Checks, Conflict, Counts, Direction, Facts, HashAlgorithm, Hold, Interest, ItemKind,
    NewTransfer, Place, QueueUpdate, Receipt, RetryPolicy, SiteKey, State, Summary, Transfer,
    TransferId,
};
pub use wish::{Which, Wish};
