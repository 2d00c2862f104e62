//! The queue as a whole: what is in which state, what holds it up, and what a person sets.

use serde::{Deserialize, Serialize};
use specta::Type;

use super::{Number, TlsMode};
use crate::error::AppError;

/// The queue as a whole.
#[derive(Clone, Debug, PartialEq, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) struct QueueSummary {
    /// Files by state.
    pub(crate) files: Counts,
    pub(crate) bytes: Number,
    pub(crate) total: Number,
    /// Files whose size is not known, and folders that were not looked into.
    pub(crate) unknown: Number,
    pub(crate) bytes_per_second: Number,
    /// The person has stopped everything for now.
    pub(crate) paused: bool,
    /// The sites of what is in the queue.
    pub(crate) sites: Vec<QueueSite>,
    /// Why it waits by itself.
    pub(crate) held: Option<Hold>,
    pub(crate) limits: Limits,
    /// As the person wrote it; empty for none.
    pub(crate) timetable: String,
    /// The limit of everything that the timetable sets now.
    pub(crate) timetable_limit: Option<Number>,
    /// Items that are not shown because there are so many.
    pub(crate) hidden: u32,
    /// The queue is kept in a journal.
    pub(crate) kept: bool,
}

/// A site of the queue.
#[derive(Clone, Debug, PartialEq, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) struct QueueSite {
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) paused: bool,
    /// Its transfers wait until the person connects to it: only they know the password, or trust the certificate.
    pub(crate) needs_login: bool,
    /// The saved site, if it is one.
    pub(crate) site: Option<String>,
    /// What to connect to otherwise, and how.
    pub(crate) address: String,
    pub(crate) tls: TlsMode,
    pub(crate) limits: Limits,
}

/// Items by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Counts {
    pub(crate) waiting: u32,
    pub(crate) paused: u32,
    pub(crate) asking: u32,
    pub(crate) running: u32,
    pub(crate) done: u32,
    pub(crate) skipped: u32,
    pub(crate) failed: u32,
    pub(crate) cancelled: u32,
    /// Left out by a filter.
    pub(crate) filtered: u32,
}

impl From<transfer::Counts> for Counts {
    fn from(counts: transfer::Counts) -> Self {
        let transfer::Counts {
            waiting,
            paused,
            asking,
            running,
            done,
            skipped,
            failed,
            cancelled,
            filtered,
        } = counts;
        Self {
            waiting,
            paused,
            asking,
            running,
            done,
            skipped,
            failed,
            cancelled,
            filtered,
        }
    }
}

/// Why the queue waits by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Type)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub(crate) enum Hold {
    /// The disk of this file is full.
    DiskFull { path: String },
    /// The journal can't be written.
    Journal { why: String },
}

impl From<transfer::Hold> for Hold {
    fn from(hold: transfer::Hold) -> Self {
        match hold {
            transfer::Hold::DiskFull { path } => Self::DiskFull {
                path: path.display().to_string(),
            },
            transfer::Hold::Journal { why, .. } => Self::Journal { why },
        }
    }
}

/// Limits of speed in bytes a second; None: none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Limits {
    pub(crate) total: Option<Rate>,
    pub(crate) download: Option<Rate>,
    pub(crate) upload: Option<Rate>,
}

/// Whole bytes a second, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub(crate) struct Rate(u64);

impl Rate {
    /// Bytes a second.
    pub(crate) fn get(self) -> u64 {
        self.0
    }
}

impl TryFrom<f64> for Rate {
    type Error = NoRate;

    fn try_from(rate: f64) -> Result<Self, NoRate> {
        // Beyond 2^53 a number of the page is no whole one any more.
        if (1.0..9_007_199_254_740_992.0).contains(&rate) {
            Ok(Self(rate as u64))
        } else {
            Err(NoRate)
        }
    }
}

impl From<Rate> for f64 {
    fn from(rate: Rate) -> f64 {
        rate.0 as f64
    }
}

impl Type for Rate {
    fn definition(types: &mut specta::Types) -> specta::datatype::DataType {
        Number::definition(types)
    }
}

/// Not a speed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a speed is a number of bytes a second, at least 1")]
pub(crate) struct NoRate;

/// None for what is no limit: none at all, or zero.
fn rate(limit: Option<u64>) -> Option<Rate> {
    limit.filter(|limit| *limit > 0).map(Rate)
}

impl From<transfer::Limits> for Limits {
    fn from(limits: transfer::Limits) -> Self {
        Self {
            total: rate(limits.total),
            download: rate(limits.download),
            upload: rate(limits.upload),
        }
    }
}

impl From<Limits> for transfer::Limits {
    fn from(limits: Limits) -> Self {
        Self {
            total: limits.total.map(Rate::get),
            download: limits.download.map(Rate::get),
            upload: limits.upload.map(Rate::get),
        }
    }
}

impl From<vault::SpeedLimits> for Limits {
    fn from(limits: vault::SpeedLimits) -> Self {
        Self {
            total: rate(limits.total),
            download: rate(limits.download),
            upload: rate(limits.upload),
        }
    }
}

impl From<Limits> for vault::SpeedLimits {
    fn from(limits: Limits) -> Self {
        Self {
            total: limits.total.map(Rate::get),
            download: limits.download.map(Rate::get),
            upload: limits.upload.map(Rate::get),
        }
    }
}

/// What happens where a target exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) enum ConflictRule {
    Ask,
    Overwrite,
    IfNewer,
    IfSizeDiffers,
    IfNewerOrSizeDiffers,
    Resume,
    Rename,
    Skip,
}

impl From<ConflictRule> for transfer::ConflictRule {
    fn from(rule: ConflictRule) -> Self {
        match rule {
            ConflictRule::Ask => Self::Ask,
            ConflictRule::Overwrite => Self::Overwrite,
            ConflictRule::IfNewer => Self::IfNewer,
            ConflictRule::IfSizeDiffers => Self::IfSizeDiffers,
            ConflictRule::IfNewerOrSizeDiffers => Self::IfNewerOrSizeDiffers,
            ConflictRule::Resume => Self::Resume,
            ConflictRule::Rename => Self::Rename,
            ConflictRule::Skip => Self::Skip,
        }
    }
}

impl From<vault::ConflictRule> for ConflictRule {
    fn from(rule: vault::ConflictRule) -> Self {
        match rule {
            vault::ConflictRule::Ask => Self::Ask,
            vault::ConflictRule::Overwrite => Self::Overwrite,
            vault::ConflictRule::IfNewer => Self::IfNewer,
            vault::ConflictRule::IfSizeDiffers => Self::IfSizeDiffers,
            vault::ConflictRule::IfNewerOrSizeDiffers => Self::IfNewerOrSizeDiffers,
            vault::ConflictRule::Resume => Self::Resume,
            vault::ConflictRule::Rename => Self::Rename,
            vault::ConflictRule::Skip => Self::Skip,
        }
    }
}

impl From<ConflictRule> for vault::ConflictRule {
    fn from(rule: ConflictRule) -> Self {
        match rule {
            ConflictRule::Ask => Self::Ask,
            ConflictRule::Overwrite => Self::Overwrite,
            ConflictRule::IfNewer => Self::IfNewer,
            ConflictRule::IfSizeDiffers => Self::IfSizeDiffers,
            ConflictRule::IfNewerOrSizeDiffers => Self::IfNewerOrSizeDiffers,
            ConflictRule::Resume => Self::Resume,
            ConflictRule::Rename => Self::Rename,
            ConflictRule::Skip => Self::Skip,
        }
    }
}

/// Which items go first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Priority {
    Low,
    #[default]
    Normal,
    High,
}

impl From<transfer::Priority> for Priority {
    fn from(priority: transfer::Priority) -> Self {
        match priority {
            transfer::Priority::Low => Self::Low,
            transfer::Priority::Normal => Self::Normal,
            transfer::Priority::High => Self::High,
        }
    }
}

impl From<Priority> for transfer::Priority {
    fn from(priority: Priority) -> Self {
        match priority {
            Priority::Low => Self::Low,
            Priority::Normal => Self::Normal,
            Priority::High => Self::High,
        }
    }
}

/// Where items go in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Type)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub(crate) enum QueuePlace {
    First,
    Last,
    Before { id: u32 },
    After { id: u32 },
}

/// What a timetable says, for who writes it.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TimetableCheck {
    /// What can't be read.
    pub(crate) problem: Option<String>,
    /// The limit that it sets now; None: none.
    pub(crate) now: Option<Number>,
    /// When that changes; milliseconds since the epoch.
    pub(crate) next: Option<Number>,
}

/// What became of the journal at the start.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JournalStatus {
    /// Why transfers are not kept in this run.
    pub(crate) problem: Option<JournalProblem>,
    /// The journal was damaged: what was done about it.
    pub(crate) recovered: Option<Recovered>,
    /// Transfers of an earlier run that were not finished.
    pub(crate) unfinished: u32,
}

/// Why there is no journal.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JournalProblem {
    pub(crate) reason: NoJournal,
    pub(crate) error: AppError,
}

/// Why there is no journal, for the window's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) enum NoJournal {
    /// Another program works on it.
    Held,
    /// A newer version wrote it.
    Newer,
    /// It can't be opened.
    Broken,
}

/// A damaged journal was set aside.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Recovered {
    /// Where it is now.
    pub(crate) path: String,
    /// Items that could be read.
    pub(crate) rescued: Number,
    /// Items that could not, if that is known.
    pub(crate) lost: Option<Number>,
    pub(crate) why: String,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_speed_is_a_whole_number_of_bytes() {
        for bad in [0.0, 0.5, -1.0, f64::NAN, f64::INFINITY, 1e300] {
            assert_eq!(Rate::try_from(bad), Err(NoRate), "{bad}");
        }
        assert_eq!(Rate::try_from(524_288.7).map(Rate::get), Ok(524_288));
        let limits: Limits =
            serde_json::from_str(r#"{"total":null,"download":1024,"upload":null}"#).unwrap();
        assert_eq!(transfer::Limits::from(limits).download, Some(1024));
        assert!(serde_json::from_str::<Limits>(r#"{"total":0,"download":1}"#).is_err());
    }

    #[test]
    fn every_rule_comes_back() {
        for rule in [
            ConflictRule::Ask,
            ConflictRule::Overwrite,
            ConflictRule::IfNewer,
            ConflictRule::IfSizeDiffers,
            ConflictRule::IfNewerOrSizeDiffers,
            ConflictRule::Resume,
            ConflictRule::Rename,
            ConflictRule::Skip,
        ] {
            assert_eq!(ConflictRule::from(vault::ConflictRule::from(rule)), rule);
        }
    }
}
