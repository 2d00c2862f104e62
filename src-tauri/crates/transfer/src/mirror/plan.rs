//! What a mirror is going to do.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ftp_client::ftp_proto::RemotePath;
use ftp_client::ftp_proto::escape;
use jiff::Timestamp;

use super::reason::{Assumed, Reason};
use super::tree::Incomplete;
use crate::{Direction, ItemKind, NewTransfer, Options, SiteKey};

/// What a mirror is going to do, and why. `Display` prints all of it, a line each.
#[derive(Debug, Clone)]
pub struct MirrorPlan {
    /// From where to where.
    pub direction: Direction,
    /// The target's root is not there yet.
    pub make_root: bool,
    /// Folders that are made at the target, outer ones first.
    pub make: Vec<Step>,
    /// Files that are copied.
    pub copy: Vec<Step>,
    /// What is deleted from the target, what is in a folder before the folder.
    pub delete: Vec<Deletion>,
    /// What stays as it is though the sides differ: links, devices, and extra folders that hold such.
    pub left: Vec<Left>,
    /// What could not be made equal: something of another kind is in the way, and may not be deleted.
    pub conflicts: Vec<Left>,
    /// Files that are the same on both sides.
    pub same: u64,
    /// Of these, how many are so only because something was assumed.
    pub assumed: BTreeMap<Assumed, u64>,
    /// Entries that a filter has left out.
    pub filtered: u64,
    /// Files and folders that only the target has; they are also in `delete` if they are to be deleted.
    pub extra: u64,
    /// Why nothing is deleted though that was asked for.
    pub refused: Option<Refusal>,
    /// What could not be looked at, or not be understood, on either side. What is in there is not part of the plan.
    pub incomplete: Vec<Incomplete>,
}

/// A folder that is made, or a file that is copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its local path below the root.
    pub local: PathBuf,
    /// Its remote path below the root.
    pub remote: RemotePath,
    /// The size of the source in bytes, if it is known.
    pub size: Option<u64>,
    /// When the source was modified, if that is known exactly.
    pub modified: Option<Timestamp>,
    /// Why it is done.
    pub reason: Reason,
}

/// A file or folder that is deleted from the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletion {
    /// What is deleted.
    pub path: TargetPath,
    /// It is a folder, which is empty by the time that it is deleted.
    pub folder: bool,
    /// It is in the way of something, so that it goes before the copying.
    pub first: bool,
    /// The size that it had, in bytes.
    pub size: Option<u64>,
    /// The time that it had.
    pub modified: Option<Timestamp>,
    /// Why.
    pub reason: Reason,
}

/// A path below the target's root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetPath {
    /// The target is local.
    Local(PathBuf),
    /// The target is on the server.
    Remote(RemotePath),
}

/// Something that is left as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// Where, for people.
    pub path: String,
    /// Why.
    pub reason: Reason,
}

/// Why nothing is deleted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// A listing was incomplete, so that nobody knows what is extra.
    #[error("nothing is deleted, because {} could not be looked at completely", counted(*places, "place"))]
    Incomplete {
        /// How many places.
        places: usize,
    },
    /// More than was allowed.
    #[error(
        "nothing is deleted, because it would be {planned} files and folders, and {most} are allowed"
    )]
    TooMany {
        /// How many files and folders.
        planned: u64,
        /// How many are allowed.
        most: u64,
    },
    /// The source is empty, which is more often a mistake than meant.
    #[error(
        "nothing is deleted, because the source is empty and it was not said how much may be deleted"
    )]
    EmptySource,
}

impl MirrorPlan {
    /// Whether there is nothing to be done.
    pub fn is_empty(&self) -> bool {
        !self.make_root && self.make.is_empty() && self.copy.is_empty() && self.delete.is_empty()
    }

    /// How many bytes are copied, as far as that is known.
    pub fn bytes(&self) -> u64 {
        let sizes = self.copy.iter().filter_map(|step| step.size);
        sizes.fold(0, u64::saturating_add)
    }

    /// The copying, for a queue. With another rule than [`ConflictRule::Overwrite`](crate::ConflictRule::Overwrite) in
    /// the options, that rule looks at each target again.
    pub fn transfers(
        &self,
        site: &SiteKey,
        local_root: &Path,
        remote_root: &RemotePath,
        options: &Arc<Options>,
    ) -> Vec<NewTransfer> {
        let new = |step: &Step| NewTransfer {
            site: site.clone(),
            direction: self.direction,
            kind: ItemKind::File,
            local: local_root.join(&step.local),
            remote: below(remote_root, &step.remote),
            size: step.size,
            modified: match self.direction {
                Direction::Download => step.modified,
                Direction::Upload => None,
            },
            options: options.clone(),
        };
        self.copy.iter().map(new).collect()
    }
}

/// `relative` below `root`, which may be empty for the folder that the session is in.
pub(super) fn below(root: &RemotePath, relative: &RemotePath) -> RemotePath {
    match relative.as_bytes() {
        b"" => root.clone(),
        _ => root.join_path(relative),
    }
}

impl fmt::Display for TargetPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TargetPath::Local(path) => f.write_str(&display_local(path)),
            TargetPath::Remote(path) => path.fmt(f),
        }
    }
}

/// "1 place", "2 places".
fn counted(number: impl fmt::Display, what: &str) -> String {
    let number = number.to_string();
    let s = if number == "1" { "" } else { "s" };
    format!("{number} {what}{s}")
}

/// A local path for people: nothing in it acts on their terminal.
pub(super) fn display_local(path: &Path) -> String {
    escape(path.as_os_str().as_encoded_bytes(), usize::MAX)
}

impl fmt::Display for MirrorPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = |step: &Step| match self.direction {
            Direction::Upload => step.remote.to_string(),
            Direction::Download => display_local(&step.local),
        };
        for incomplete in &self.incomplete {
            writeln!(f, "?       {incomplete}")?;
        }
        for left in &self.conflicts {
            writeln!(f, "!       {}: {}", left.path, left.reason)?;
        }
        for left in &self.left {
            writeln!(f, "leave   {}: {}", left.path, left.reason)?;
        }
        let delete = |f: &mut fmt::Formatter<'_>, first: bool| {
            for gone in self.delete.iter().filter(|gone| gone.first == first) {
                let slash = if gone.folder { "/" } else { "" };
                writeln!(f, "delete  {}{slash}: {}", gone.path, gone.reason)?;
            }
            Ok(())
        };
        delete(f, true)?;
        if self.make_root {
            writeln!(f, "make    ./: not there yet")?;
        }
        for step in &self.make {
            writeln!(f, "make    {}/: {}", path(step), step.reason)?;
        }
        for step in &self.copy {
            writeln!(f, "copy    {}: {}", path(step), step.reason)?;
        }
        delete(f, false)?;
        for (assumed, count) in &self.assumed {
            let files = counted(*count, "file");
            writeln!(f, "note    {files} taken for the same: {assumed}")?;
        }
        if let Some(refused) = &self.refused {
            writeln!(f, "note    {refused}")?;
        }
        write!(
            f,
            "{} to copy ({}), {} to make, {} to delete, {} the same, {} left out",
            self.copy.len(),
            counted(self.bytes(), "byte"),
            counted(self.make.len() + usize::from(self.make_root), "folder"),
            self.delete.len(),
            self.same,
            self.filtered
        )
    }
}
