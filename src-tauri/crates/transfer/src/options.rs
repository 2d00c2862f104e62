//! How transfers are done: what a person, a site or a command line chooses. Everything here is plain data; it is kept
//! in the journal as JSON, so fields have defaults and are only ever added.

use ftp_client::Charset;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::filter::Filter;

/// The choices for one batch of transfers; items of one batch share them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// What happens where the target exists.
    pub conflict: ConflictRule,
    /// What is left out of folders.
    pub filter: Filter,
    /// What becomes of links.
    pub links: Links,
    /// Under which name an upload is written.
    pub upload: UploadName,
    /// How local names are made from names that this system can't have.
    pub names: NameRules,
    /// How the server's names are text.
    #[serde(with = "charset")]
    pub charset: Charset,
    /// Files keep the time of their source. Default true.
    pub keep_time: KeepTime,
    /// Files keep the permissions of their source, where both sides know them. Default false.
    pub keep_permissions: bool,
    /// Whether downloads are forced to the disk before they get their name.
    pub sync: Sync,
    /// Whether a hash is compared where the server offers one.
    pub hash: HashCheck,
    /// Which items go first.
    pub priority: Priority,
    /// Nothing starts before this time.
    pub start_at: Option<Timestamp>,
    /// Bytes a second that each file of it may use; `None`: as fast as it goes.
    pub limit: Option<u64>,
}

/// What happens where the target exists already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConflictRule {
    /// It is replaced.
    #[default]
    Overwrite,
    /// It is replaced if the source is newer; unknown times count as newer.
    IfNewer,
    /// It is replaced if the sizes differ.
    IfSizeDiffers,
    /// It is replaced if the source is newer or the sizes differ.
    IfNewerOrSizeDiffers,
    /// What is there is taken for the beginning of the source, compared at its end, and completed.
    Resume,
    /// The new one gets a number: `name (2).txt`.
    Rename,
    /// What is there stays.
    Skip,
    /// A person decides; the questions of a batch are collected.
    Ask,
}

/// What becomes of symbolic links.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Links {
    /// What they lead to is transferred; loops are detected.
    #[default]
    Follow,
    /// A link is made at the target, where the target can have one and it leads nowhere outside of what is transferred.
    Copy,
    /// They are left out.
    Skip,
}

/// Under which name an upload is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UploadName {
    /// Under a temporary name, and renamed when it is complete, so that the old file stands until then. Where the
    /// server refuses such a name or the renaming, under the final name.
    #[default]
    Temporary,
    /// Under its final name from the first byte.
    Final,
}

/// How local names are made from names that this system can't have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NameRules {
    /// By the rules of the system that this program runs on.
    #[default]
    Native,
    /// By the rules of all systems, so that the files can go on a disk of any of them.
    Portable,
}

/// Whether files keep the time of their source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeepTime {
    /// They do, where the time is known and can be set.
    #[default]
    Yes,
    /// They get the time of their arrival.
    No,
}

/// Whether downloads are forced to the disk before they get their name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sync {
    /// The system writes them when it pleases: what a crash of this program can't hurt, a loss of power can.
    #[default]
    Never,
    /// File and folder are forced to the disk first (fsync).
    Always,
}

/// Whether a hash is compared where the server offers one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HashCheck {
    /// It is, by the best algorithm that both know.
    #[default]
    IfOffered,
    /// Size and time are enough.
    Never,
}

/// Which items go first; equal ones go in order.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Priority {
    /// After everything else.
    Low,
    /// In order.
    #[default]
    Normal,
    /// Before everything else.
    High,
}

/// Limits of speed in bytes a second; `None`: none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Of everything together.
    pub total: Option<u64>,
    /// Of all downloads together.
    pub download: Option<u64>,
    /// Of all uploads together.
    pub upload: Option<u64>,
}

/// A charset by its name.
mod charset {
    use ftp_client::Charset;
    use serde::{Deserialize, Deserializer, Serializer};

    #[allow(clippy::trivially_copy_pass_by_ref)] // serde wants it so
    pub(super) fn serialize<S: Serializer>(charset: &Charset, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(charset.name())
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<Charset, D::Error> {
        let label = std::borrow::Cow::<'a, str>::deserialize(from)?;
        Charset::for_label(&label).map_err(serde::de::Error::custom)
    }
}
