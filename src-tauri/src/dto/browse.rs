//! Folders and what is in them.

use serde::{Deserialize, Serialize};
use specta::Type;

use super::Number;
use crate::error::AppError;

/// Where a pane looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Type)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub(crate) enum PaneSource {
    /// This computer.
    Local,
    /// A server.
    Remote { session: u32 },
}

/// Which folder a pane wants to see.
#[derive(Clone, Debug, Deserialize, Type)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub(crate) enum FolderTarget {
    /// The person's home folder; on a server, where the login put us or where the site starts.
    Home,
    /// What the person typed into the path field.
    Path { text: String },
    /// A place seen before: a crumb, the parent, history.
    Place { place: u32 },
    /// A folder or a link in an open listing.
    Entry { listing: u32, row: u32 },
}

/// A folder that can be opened by its id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Place {
    pub(crate) id: u32,
    /// The full path, or the last component where the place is a crumb.
    pub(crate) label: String,
}

/// A folder that was opened.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Listing {
    pub(crate) id: u32,
    pub(crate) place: Place,
    pub(crate) parent: Option<Place>,
    /// Root first, this folder last.
    pub(crate) crumbs: Vec<Place>,
    /// How the bytes of the names were read.
    pub(crate) encoding: String,
}

/// What arrives while a folder is read, in this order: one `opened`, any number of `rows`, one `done`.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub(crate) enum ListingEvent {
    /// The path is known.
    Opened { listing: Listing },
    /// More rows.
    Rows { rows: Vec<Row> },
    /// That was all; or, if `stopped`, all that came until the person had seen enough.
    Done {
        total: u32,
        millis: Number,
        unparsed: u32,
        stopped: bool,
    },
}

/// One entry of a folder.
#[derive(Clone, Debug, PartialEq, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Row {
    /// Index in its listing.
    pub(crate) id: u32,
    /// For people: bytes that are not text are replaced.
    pub(crate) name: String,
    pub(crate) kind: RowKind,
    pub(crate) size: Option<Number>,
    /// Milliseconds since the epoch.
    pub(crate) modified: Option<Number>,
    pub(crate) precision: Option<Precision>,
    /// Like `rwxr-xr-x`.
    pub(crate) permissions: Option<String>,
    /// Where a link points.
    pub(crate) target: Option<String>,
    pub(crate) hidden: bool,
}

impl Row {
    /// A row of which only the name and the kind are known; its id is set when it is sent.
    pub(crate) fn new(name: String, kind: RowKind) -> Self {
        Self {
            id: 0,
            hidden: kind != RowKind::Unparsed && name.starts_with('.'),
            name,
            kind,
            size: None,
            modified: None,
            precision: None,
            permissions: None,
            target: None,
        }
    }
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) enum RowKind {
    Folder,
    File,
    Link,
    Other,
    /// A line of the server's listing that no parser knew; its name is the line.
    Unparsed,
}

/// How exactly a time is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Precision {
    Day,
    Minute,
    Second,
}

/// What came of a deletion.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeleteReport {
    pub(crate) deleted: u32,
    pub(crate) failed: Vec<DeleteFailure>,
}

/// An entry that could not be deleted.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeleteFailure {
    pub(crate) name: String,
    pub(crate) error: AppError,
}
