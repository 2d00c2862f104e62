//! Transfers as the window sees them, and the events.

use serde::{Deserialize, Serialize};
use specta::Type;
use tauri_specta::Event;

use super::{ConflictRule, Counts, Number, Priority, QueueSummary};
use crate::error::AppError;

/// What came of sending: what is on the queue now, and what can't be transferred at all.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Sent {
    pub(crate) ids: Vec<u32>,
    pub(crate) failed: Vec<SendFailure>,
}

/// An entry that can't be transferred.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SendFailure {
    pub(crate) name: String,
    pub(crate) error: AppError,
}

/// How a batch is transferred, where the person does not want it as always.
#[derive(Clone, Debug, Default, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SendOptions {
    /// What happens where a target exists; None: as the site or the settings say.
    pub(crate) conflict: Option<ConflictRule>,
    pub(crate) priority: Priority,
    /// Nothing starts before; milliseconds since the epoch.
    pub(crate) start_at: Option<f64>,
    /// Bytes a second that each file may use.
    pub(crate) limit: Option<f64>,
    /// Globs of files to take out of folders; empty: all.
    pub(crate) include: Vec<String>,
    /// Globs of what is left out.
    pub(crate) exclude: Vec<String>,
    pub(crate) skip_hidden: bool,
    pub(crate) skip_vcs: bool,
}

/// A projection of the queue: one snapshot, then numbered changes.
///
/// A change whose `revision` is not the last one plus one means: ask for the snapshot again.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub(crate) enum QueueUpdate {
    /// Everything there is to see.
    Snapshot {
        revision: u32,
        items: Vec<TransferRow>,
        summary: QueueSummary,
    },
    /// What is new or different, and what is gone.
    Changes {
        revision: u32,
        upserts: Vec<TransferRow>,
        removed: Vec<u32>,
        summary: QueueSummary,
    },
}

/// One transfer, or the folder that brought a batch of them.
#[derive(Clone, Debug, PartialEq, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TransferRow {
    pub(crate) id: u32,
    /// Id of the outermost folder item that this one came from.
    pub(crate) batch: Option<u32>,
    /// Id of the site, as the summary has it.
    pub(crate) site: u32,
    pub(crate) direction: TransferDirection,
    pub(crate) is_folder: bool,
    pub(crate) name: String,
    pub(crate) source: String,
    pub(crate) target: String,
    pub(crate) state: TransferState,
    pub(crate) bytes: Number,
    pub(crate) total: Option<Number>,
    pub(crate) bytes_per_second: Option<Number>,
    pub(crate) seconds_left: Option<Number>,
    pub(crate) attempts: u32,
    /// Why it failed, or why it waits to be tried again.
    pub(crate) error: Option<AppError>,
    /// What was checked of a file that is done.
    pub(crate) checks: Option<Checks>,
    /// How long the last try took.
    pub(crate) seconds: Option<Number>,
    /// So many bytes were there from an earlier try.
    pub(crate) resumed_from: Number,
    pub(crate) priority: Priority,
    /// Its place among equal priorities: smaller goes first.
    pub(crate) order: Number,
    pub(crate) start_at: Option<Number>,
    /// Of one that asks: what there is to decide.
    pub(crate) conflict: Option<Conflict>,
    /// The name that the target got, where it is another than the source's.
    pub(crate) target_name: Option<String>,
    /// Of a folder: how many items in it are in which state.
    pub(crate) counts: Option<Counts>,
}

/// Which way the bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) enum TransferDirection {
    Upload,
    Download,
}

impl From<transfer::Direction> for TransferDirection {
    fn from(direction: transfer::Direction) -> Self {
        match direction {
            transfer::Direction::Upload => Self::Upload,
            transfer::Direction::Download => Self::Download,
        }
    }
}

/// Where a transfer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) enum TransferState {
    Waiting,
    Paused,
    /// The target exists, and the person has to decide.
    Asking,
    /// A folder whose contents are being read.
    Scanning,
    Running,
    Done,
    /// A rule left the target as it was.
    Skipped,
    Failed,
    Cancelled,
}

impl From<transfer::State> for TransferState {
    fn from(state: transfer::State) -> Self {
        match state {
            transfer::State::Waiting => Self::Waiting,
            transfer::State::Paused => Self::Paused,
            transfer::State::Asking => Self::Asking,
            transfer::State::Scanning => Self::Scanning,
            transfer::State::Running => Self::Running,
            transfer::State::Done => Self::Done,
            transfer::State::Skipped => Self::Skipped,
            transfer::State::Failed => Self::Failed,
            transfer::State::Cancelled => Self::Cancelled,
        }
    }
}

/// What was checked of a finished file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Checks {
    /// The server said that it is complete.
    pub(crate) reply: bool,
    pub(crate) size: bool,
    pub(crate) time: bool,
    /// Before it was continued, the end of what was there.
    pub(crate) tail: bool,
    /// The algorithm by which source and target have the same hash.
    pub(crate) hash: Option<String>,
}

impl From<transfer::Checks> for Checks {
    fn from(checks: transfer::Checks) -> Self {
        Self {
            reply: checks.reply,
            size: checks.size,
            time: checks.time,
            tail: checks.tail,
            hash: checks.hash.map(|algorithm| algorithm.to_string()),
        }
    }
}

/// A target that exists, and what is to be put in its place.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Conflict {
    pub(crate) source: Facts,
    pub(crate) target: Facts,
}

/// What is known of a file.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Facts {
    pub(crate) size: Option<Number>,
    pub(crate) modified: Option<Number>,
}

impl From<transfer::Facts> for Facts {
    fn from(facts: transfer::Facts) -> Self {
        Self {
            size: facts.size.map(Number::from),
            modified: facts.modified.map(Number::from_timestamp),
        }
    }
}

impl From<transfer::Conflict> for Conflict {
    fn from(conflict: transfer::Conflict) -> Self {
        Self {
            source: conflict.source.into(),
            target: conflict.target.into(),
        }
    }
}

impl TransferRow {
    /// An item as the window shows it, at the site of this id.
    pub(crate) fn new(item: transfer::Transfer, site: u32) -> Self {
        Self {
            id: item.id,
            batch: item.batch,
            site,
            direction: item.direction.into(),
            is_folder: item.kind == transfer::ItemKind::Folder,
            source: item.source(),
            target: item.target(),
            state: item.state.into(),
            bytes: item.bytes.into(),
            total: item.total.map(Number::from),
            // A rate over no time is no number; it is not known.
            bytes_per_second: item
                .bytes_per_second
                .and_then(|rate| Number::try_from(rate).ok()),
            seconds_left: item
                .seconds_left
                .and_then(|left| Number::try_from(left).ok()),
            attempts: item.attempts,
            error: item.error.map(AppError::from),
            checks: item.verified.map(Checks::from),
            seconds: item.seconds.and_then(|taken| Number::try_from(taken).ok()),
            resumed_from: item.resumed_from.into(),
            priority: item.priority.into(),
            order: item.order.into(),
            start_at: item.start_at.map(Number::from_timestamp),
            conflict: item.conflict.map(Conflict::from),
            target_name: item.target_name,
            counts: item.counts.map(Counts::from),
            name: item.name,
        }
    }
}

/// The proof of one finished file, as the journal keeps it.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Receipt {
    pub(crate) id: u32,
    /// The site's name.
    pub(crate) site: String,
    pub(crate) direction: TransferDirection,
    pub(crate) source: String,
    pub(crate) target: String,
    pub(crate) bytes: Number,
    pub(crate) resumed_from: Number,
    pub(crate) finished: Number,
    pub(crate) seconds: Option<Number>,
    pub(crate) attempts: u32,
    pub(crate) checks: Checks,
    /// The hash that was compared, in hexadecimal.
    pub(crate) digest: Option<String>,
}

impl Receipt {
    /// A receipt as the window shows it, of the site of this name.
    pub(crate) fn new(receipt: transfer::Receipt, site: String) -> Self {
        Self {
            id: receipt.id,
            site,
            direction: receipt.direction.into(),
            source: receipt.source,
            target: receipt.target,
            bytes: receipt.bytes.into(),
            resumed_from: receipt.resumed_from.into(),
            finished: Number::from_timestamp(receipt.finished),
            seconds: Number::try_from(receipt.seconds).ok(),
            attempts: receipt.attempts,
            checks: receipt.checks.into(),
            digest: receipt.digest,
        }
    }
}

/// A folder that is shown has changed: on the disk, or by a transfer or a file operation.
#[derive(Clone, Debug, Serialize, Type, Event)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FolderChanged {
    pub(crate) listing: u32,
}

/// The window was to be closed with transfers on their way; the page answers by `close_window`.
#[derive(Clone, Debug, Serialize, Type, Event)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CloseAsked {
    pub(crate) unfinished: u32,
    /// They are in the journal and go on at the next start: of them there is nothing to ask, only to say.
    pub(crate) kept: bool,
    /// Visitors of shared folders who are taking or bringing a file.
    pub(crate) serving: u32,
}

/// Files are dragged from another program over the window.
#[derive(Clone, Debug, Serialize, Type, Event)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SystemDrag {
    pub(crate) phase: DragPhase,
    /// In CSS pixels from the left edge of the page.
    pub(crate) x: Number,
    /// In CSS pixels from the top edge of the page.
    pub(crate) y: Number,
    /// Set on the drop: the id to accept it by.
    pub(crate) drop: Option<u32>,
    /// Last components, on `enter` and `drop`.
    pub(crate) names: Vec<String>,
}

/// Where a drag stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) enum DragPhase {
    Enter,
    Over,
    Leave,
    Drop,
}
