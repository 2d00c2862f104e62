//! What is left out of folders.

use serde::{Deserialize, Serialize};

/// What is left out when a folder is looked into. Empty: nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Filter {
    /// Globs of files to take; if there are any, files that match none are left out. `*` stays within a name, `**` does
    /// not; a pattern without a slash is compared with the name, one with a slash with the path below the batch's folder.
    pub include: Vec<String>,
    /// Globs of files and folders to leave out; these win over `include`.
    pub exclude: Vec<String>,
    /// Files smaller than this (bytes) are left out.
    pub min_size: Option<u64>,
    /// Files larger than this (bytes) are left out.
    pub max_size: Option<u64>,
    /// Files that were last modified before this time are left out.
    pub modified_after: Option<jiff::Timestamp>,
    /// Files that were modified after this time are left out.
    pub modified_before: Option<jiff::Timestamp>,
    /// Files and folders whose names begin with a dot are left out.
    pub skip_hidden: bool,
    /// The folders of version control systems are left out: `.git`, `.svn`, `.hg`, `CVS` and the like.
    pub skip_vcs: bool,
}
