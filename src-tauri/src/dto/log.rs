//! The protocol, line by line.

use serde::Serialize;
use specta::Type;

use super::Number;

/// One line of the log. Passwords are masked before a line gets here.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogLine {
    /// Counts up by one; a gap means that lines were dropped.
    pub(crate) seq: u32,
    pub(crate) session: Option<u32>,
    /// Milliseconds since the epoch.
    pub(crate) at: Number,
    pub(crate) direction: LogDirection,
    pub(crate) text: String,
}

/// Who said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) enum LogDirection {
    Sent,
    Received,
    Info,
    Error,
}
