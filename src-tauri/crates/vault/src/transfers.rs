//! What a person chooses about transfers, for one site or for all.

use serde::{Deserialize, Serialize};

/// What happens where the target of a transfer exists already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ConflictRule {
    /// The person decides; the questions of a batch are collected.
    #[default]
    Ask,
    /// It is replaced.
    Overwrite,
    /// It is replaced if the source is newer.
    IfNewer,
    /// It is replaced if the sizes differ.
    IfSizeDiffers,
    /// It is replaced if the source is newer or the sizes differ.
    IfNewerOrSizeDiffers,
    /// It is taken for the beginning of the source, compared at its end, and completed.
    Resume,
    /// The new one gets another name.
    Rename,
    /// What is there stays.
    Skip,
}

/// Under which name an upload is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum UploadName {
    /// Under a temporary one until it is complete.
    #[default]
    Temporary,
    /// Under its own from the first byte.
    Final,
}

/// Limits of speed in bytes a second; `None`: none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SpeedLimits {
    /// Of downloads and uploads together.
    pub total: Option<u64>,
    /// Of all downloads together.
    pub download: Option<u64>,
    /// Of all uploads together.
    pub upload: Option<u64>,
}

impl SpeedLimits {
    /// Nothing is limited.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}
