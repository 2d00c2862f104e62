//! What the queue hands to its jobs, and what it hears from them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use ftp_client::ftp_proto::RemotePath;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::{Checks, ConflictRule, Direction, Facts, ItemKind, Options, TransferId};

/// What one item is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) direction: Direction,
    pub(crate) kind: ItemKind,
    /// The local folder that the caller named: trusted.
    pub(crate) base: Arc<Path>,
    /// The place below it, made of checked names only. Empty: the base itself.
    pub(crate) relative: PathBuf,
    pub(crate) remote: RemotePath,
    /// For a download: the source's time, if it is known exactly.
    pub(crate) modified: Option<Timestamp>,
    /// The source is a link, which may lead to a file or not.
    pub(crate) link: bool,
    /// For [`ItemKind::Link`]: what the link says, as it stands at the source.
    pub(crate) link_to: Option<Vec<u8>>,
    /// For a download: the permissions of the source, if a listing has told them and they are to be kept.
    pub(crate) mode: Option<u32>,
    /// What is known of the target.
    pub(crate) existing: Existing,
}

impl Plan {
    /// The local file or folder.
    pub(crate) fn local(&self) -> PathBuf {
        if self.relative.as_os_str().is_empty() {
            self.base.to_path_buf()
        } else {
            self.base.join(&self.relative)
        }
    }
}

/// What is known of a target, from a listing of its folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Existing {
    /// Nobody has looked.
    #[default]
    Unknown,
    /// Nothing of that name.
    Missing,
    /// A file.
    File(Facts),
}

/// Something in a folder.
#[derive(Debug, Clone)]
pub(crate) struct Child {
    /// The name on the server, as bytes. For what is hopeless it may be no name at all: it is then only shown.
    pub(crate) name: Vec<u8>,
    /// The local name, where it is not the same bytes.
    pub(crate) local: Option<OsString>,
    pub(crate) kind: ItemKind,
    pub(crate) link: bool,
    pub(crate) link_to: Option<Vec<u8>>,
    pub(crate) size: Option<u64>,
    /// For a download: the source's time, if it is known exactly.
    pub(crate) modified: Option<Timestamp>,
    /// See [`Plan::mode`].
    pub(crate) mode: Option<u32>,
    pub(crate) existing: Existing,
    /// Set for what can never be done (a name that is no name): listed as failed, never started.
    pub(crate) hopeless: Option<Error>,
}

/// One item that is to be worked on.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) id: TransferId,
    pub(crate) plan: Plan,
    pub(crate) options: Arc<Options>,
    /// Bytes of the source, if known.
    pub(crate) size: Option<u64>,
    /// Set if an earlier try has begun to write: what the source was then. What it left may be continued.
    pub(crate) begun: Option<Identity>,
    /// Set if an earlier try was about to put the finished file in its place: what it should look like there.
    pub(crate) finishing: Option<Finishing>,
    /// What a person has answered to [`Outcome::Ask`]; it replaces the rule of the options.
    pub(crate) answer: Option<ConflictRule>,
    /// Folders: how deep it lies below the batch's root. 0 for the root.
    pub(crate) depth: u32,
}

/// What one job is about. All of it belongs to one site.
#[derive(Debug, Clone)]
pub(crate) enum Assignment {
    /// A folder is to be made and looked into.
    Folder(Task),
    /// A file alone.
    File(Task),
    /// Small files ([`SMALL`]) of one direction and the same options, mostly of one folder, to go as a batch.
    Group(Vec<Task>),
}

/// Files up to this size (bytes), if it is known, go in groups.
pub(crate) const SMALL: u64 = 256 * 1024;
/// At most this many files are in a group.
pub(crate) const GROUP_FILES: usize = 40;
/// At most this many bytes are in a group, beyond its first file.
pub(crate) const GROUP_BYTES: u64 = 2 * 1024 * 1024;

/// What tells whether a source is still the same, and where its beginning was written to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Identity {
    pub(crate) size: Option<u64>,
    pub(crate) modified: Option<Timestamp>,
    /// The target itself is being written, not a temporary name: what is found there is this item's own beginning, which
    /// no conflict rule is for.
    pub(crate) in_place: bool,
    /// Which number the target's name got from [`ConflictRule::Rename`]; 0: none.
    pub(crate) number: u32,
    /// Several parts of it are written at the same time: only so much of the temporary file, from its beginning, is
    /// certain to be there, however long it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) contiguous: Option<u64>,
    /// What is there beyond that, with gaps between: begin and end, in order.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(crate) islands: Box<[Island]>,
}

/// A part of a file: from the first number (bytes from its beginning) up to, and not including, the second.
pub(crate) type Island = (u64, u64);

/// What a target will look like when its file has been put in place.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Finishing {
    pub(crate) size: u64,
    /// The time that it is given, if it is given one.
    pub(crate) modified: Option<Timestamp>,
    /// The name of the target (last part, as the target's side has it), where a conflict rule gave it another one than planned.
    pub(crate) name: Option<Vec<u8>>,
    /// Local targets on Unix: device and inode of the temporary file, which the target will have.
    pub(crate) inode: Option<(u64, u64)>,
    /// What was checked of it by then, for the receipt of one that is found complete.
    pub(crate) checks: Checks,
    /// The hash that was compared, in hexadecimal.
    pub(crate) digest: Option<String>,
    /// So much of it had been moved by earlier tries.
    pub(crate) resumed_from: u64,
}

/// How one item ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The file is where it should be.
    Done(Box<Done>),
    /// The folder was looked into, completely.
    Walked(Walked),
    /// A rule said that what is there stays.
    Skipped,
    /// The target exists, and a person has to say what happens.
    Ask(Facts),
    /// It did not work.
    Failed {
        error: Error,
        /// How many connections to the site were open at that time, used or idle.
        open: usize,
    },
    /// It was given up as asked. What it wrote was removed if it was cancelled, and kept if it was paused.
    Aborted,
}

/// A finished file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Done {
    /// The size of the file.
    pub(crate) bytes: u64,
    /// So much of it was there already, verified.
    pub(crate) resumed_from: u64,
    pub(crate) checks: Checks,
    /// The hash that was compared, in hexadecimal.
    pub(crate) digest: Option<String>,
    /// The name that it got, where that is not the planned one.
    pub(crate) renamed: Option<OsString>,
    /// Found complete after a crash: nothing was transferred in this try.
    pub(crate) found_complete: bool,
}

/// What is in a folder.
#[derive(Debug, Default)]
pub(crate) struct Walked {
    pub(crate) children: Vec<Child>,
    /// How many entries the filter (or the rule for links) left out.
    pub(crate) filtered: u32,
}

/// What a job says about an item before it acts.
#[derive(Debug, Clone)]
pub(crate) enum Note {
    /// It is going to write to the target (or its temporary name).
    Begun(Identity),
    /// It is going to put the finished file in its place.
    Finishing(Finishing),
}

/// Where a job notes things down.
#[async_trait]
pub(crate) trait Ledger: Send + Sync {
    /// Returns when the notes are in the journal.
    ///
    /// # Errors
    /// The journal can't be written: then the job must not act, and fails with this error.
    async fn note(&self, notes: Vec<(TransferId, Note)>) -> Result<(), Error>;
    /// One item of the job has ended. Each item of a job ends exactly once.
    fn ended(&self, id: TransferId, outcome: Outcome);
    /// Whether the item was cancelled (or paused) since the job began, and so is not to be finished.
    fn stopped(&self, id: TransferId) -> Option<StopKind>;
    /// Takes one more of the site's connections for the job, if there is one that nobody waits for.
    fn widen(&self) -> bool;
    /// Gives back what [`widen`](Self::widen) has taken. The job has let go of the connection.
    fn narrow(&self);
    /// Whether others wait for a connection while the job has more than one.
    fn is_crowded(&self) -> bool;
}

/// Why a running item is to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StopKind {
    /// What it wrote is removed.
    Cancelled,
    /// What it wrote is kept.
    Paused,
}
