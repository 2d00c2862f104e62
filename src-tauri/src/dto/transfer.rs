//! The queue as the window sees it, and the two events.

use serde::{Deserialize, Serialize};
use specta::Type;
use tauri_specta::Event;

use super::Number;
use crate::error::AppError;

/// What to do where a name is taken in the folder that receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Existing {
    /// Answer with [`SendOutcome::Exists`], and queue nothing.
    Ask,
    Replace,
    /// Leave out what exists.
    Skip,
}

/// What came of sending.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub(crate) enum SendOutcome {
    /// On the queue, but for what can't be transferred at all and what was left out.
    Queued {
        ids: Vec<u32>,
        failed: Vec<SendFailure>,
        skipped: u32,
    },
    /// Nothing was queued: the person has to say what becomes of what exists.
    Exists {
        /// The first of them.
        names: Vec<String>,
        /// How many exist.
        count: u32,
        /// How many are to be sent.
        total: u32,
        /// There are folders among those that exist: what is in them may be replaced, too.
        folders: bool,
    },
}

/// An entry that can't be transferred.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SendFailure {
    pub(crate) name: String,
    pub(crate) error: AppError,
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
    /// Everything there is.
    Snapshot {
        revision: u32,
        items: Vec<TransferRow>,
    },
    /// What is new or different, and what is gone.
    Changes {
        revision: u32,
        upserts: Vec<TransferRow>,
        removed: Vec<u32>,
    },
}

/// One transfer, or the folder that brought a batch of them.
#[derive(Clone, Debug, PartialEq, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TransferRow {
    pub(crate) id: u32,
    /// Id of the folder item that this one came from.
    pub(crate) batch: Option<u32>,
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
    pub(crate) error: Option<AppError>,
    /// What was checked at the end.
    pub(crate) verified: Option<String>,
}

/// Which way the bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) enum TransferDirection {
    Upload,
    Download,
}

/// Where a transfer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) enum TransferState {
    Waiting,
    /// A folder whose contents are being read.
    Scanning,
    Running,
    Done,
    Failed,
    Cancelled,
}

impl From<transfer::Transfer> for TransferRow {
    fn from(item: transfer::Transfer) -> Self {
        Self {
            id: item.id,
            batch: item.batch,
            direction: match item.direction {
                transfer::Direction::Upload => TransferDirection::Upload,
                transfer::Direction::Download => TransferDirection::Download,
            },
            is_folder: item.kind == transfer::ItemKind::Folder,
            source: item.source(),
            target: item.target(),
            state: match item.state {
                transfer::State::Waiting | transfer::State::Paused | transfer::State::Asking => {
                    TransferState::Waiting
                }
                transfer::State::Scanning => TransferState::Scanning,
                transfer::State::Running => TransferState::Running,
                transfer::State::Done | transfer::State::Skipped => TransferState::Done,
                transfer::State::Failed => TransferState::Failed,
                transfer::State::Cancelled => TransferState::Cancelled,
            },
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
            verified: item.verified.map(|verified| verified.to_string()),
            name: item.name,
        }
    }
}

impl From<transfer::QueueUpdate> for QueueUpdate {
    fn from(update: transfer::QueueUpdate) -> Self {
        let rows =
            |items: Vec<transfer::Transfer>| items.into_iter().map(TransferRow::from).collect();
        match update {
            transfer::QueueUpdate::Snapshot {
                revision, items, ..
            } => Self::Snapshot {
                revision,
                items: rows(items),
            },
            transfer::QueueUpdate::Changes {
                revision,
                upserts,
                removed,
                ..
            } => Self::Changes {
                revision,
                upserts: rows(upserts),
                removed,
            },
        }
    }
}

/// A folder that is shown has changed: on the disk, or by a transfer or a file operation.
#[derive(Clone, Debug, Serialize, Type, Event)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FolderChanged {
    pub(crate) listing: u32,
}

/// The window was to be closed with transfers on their way; the page asks the person, and answers by `close_window`.
#[derive(Clone, Debug, Serialize, Type, Event)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CloseAsked {
    pub(crate) unfinished: u32,
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
