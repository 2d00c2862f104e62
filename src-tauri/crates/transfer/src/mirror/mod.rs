//! Making one tree like another: both are gathered, compared, and what would be done is a plan that can be printed.
//!
//! ```text
//! gather_local, gather_remote  ->  questions, ask  ->  compare  ->  MirrorPlan
//! ```
//!
//! A plan is then carried out in this order: [`apply_deletions`] of what stands in the way, [`make_folders`], the copying
//! by a [`Queue`](crate::Queue) ([`MirrorPlan::transfers`]), and [`apply_deletions`] of the rest.
//!
//! What holds:
//! - Nothing is deleted if any listing was incomplete, if it is more than was allowed, or if the source is empty and nobody
//!   has said how much may go.
//! - Links are neither followed nor deleted, on either side, and a folder that holds one stays. What a filter leaves out,
//!   and the temporary files of transfers, stay too.
//! - Names in a server's listing are never paths. Both sides are paired by the local form of their names.
//! - Times are compared as exactly as both sides know them; where that leaves a doubt the file is copied. Each action has
//!   its [`Reason`], with what was assumed.

mod apply;
mod ask;
mod compare;
mod equal;
mod local;
mod plan;
mod reason;
mod remote;
#[cfg(test)]
mod tests;
mod tree;

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use crate::filter::{Filter, FilterError};
use crate::names::Naming;

pub use apply::{Applied, Side, Stage, apply_deletions, make_folders};
pub use ask::{Questions, ask, questions};
pub use compare::compare;
pub use local::gather_local;
pub use plan::{Deletion, Left, MirrorPlan, Refusal, Step, TargetPath};
pub use reason::{Assumed, Reason, Why};
pub use remote::gather_remote;
pub use tree::{Incomplete, Role, Tree};

/// How two trees are compared, and what may be done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MirrorOptions {
    /// By what files are compared.
    pub compare: Compare,
    /// What the source doesn't have is deleted from the target.
    pub delete: bool,
    /// If more entries (files and folders) than this would be deleted, none is.
    pub max_delete: Option<u64>,
    /// What is neither copied nor deleted. Sizes and times are those of the source.
    pub filter: Filter,
    /// Times that differ by no more are equal, beyond what their precision takes away. Default: 1 second, because some
    /// servers round.
    pub time_tolerance: Duration,
    /// Whether copies get the times of their sources, as in the options of the transfers. If not, they are as old as the
    /// copying, and only files that are newer in the source differ by their times.
    pub keep_times: bool,
    /// How local names are made of remote ones, as in the options of the transfers.
    pub names: Naming,
}

impl Default for MirrorOptions {
    fn default() -> Self {
        Self {
            compare: Compare::default(),
            delete: false,
            max_delete: None,
            filter: Filter::default(),
            time_tolerance: Duration::from_secs(1),
            keep_times: true,
            names: Naming::default(),
        }
    }
}

/// By what files are compared: those that differ in any of it are copied. As text: `size,time,hash`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Compare {
    /// Sizes.
    pub size: bool,
    /// Modification times.
    pub time: bool,
    /// Hashes, where the server has a command for one. Files with equal hashes are equal, whatever their times.
    pub hash: bool,
}

impl Default for Compare {
    /// Size and time.
    fn default() -> Self {
        Self {
            size: true,
            time: true,
            hash: false,
        }
    }
}

/// A text that does not say by what files are compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is not of size, time and hash, with commas between them")]
pub struct CompareError {
    /// The text.
    pub text: String,
}

impl FromStr for Compare {
    type Err = CompareError;

    fn from_str(text: &str) -> Result<Self, CompareError> {
        let mut compare = Self {
            size: false,
            time: false,
            hash: false,
        };
        for word in text.split(',') {
            match word.trim() {
                "size" => compare.size = true,
                "time" => compare.time = true,
                "hash" => compare.hash = true,
                _ => return Err(CompareError { text: text.into() }),
            }
        }
        Ok(compare)
    }
}

/// Why there is no plan, or why it was not carried out.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum MirrorError {
    /// A glob of the filter.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// There is no such folder to be mirrored.
    #[error("there is no folder {path} to be mirrored")]
    NoSource {
        /// The source.
        path: String,
    },
    /// Source or target is there, and no folder.
    #[error("{path} is no folder")]
    NoFolder {
        /// The path.
        path: String,
    },
    /// The local disk refused.
    #[error("could not {action} {}: {source}", path.display())]
    Local {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: Arc<std::io::Error>,
    },
    /// The server, or the way to it.
    #[error(transparent)]
    Remote(#[from] ftp_client::Error),
    /// Every connection was lost.
    #[error("no connection to the server is left")]
    NoConnection,
    /// The plan is for the other side, or there is no connection to do it with.
    #[error("the plan is not for this side")]
    WrongSide,
    /// A bug: a task ended without an answer.
    #[error("internal error: {0}")]
    Internal(String),
}
