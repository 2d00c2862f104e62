//! The protocol log.

use tauri::ipc::Channel;

use super::Shared;
use crate::{dto::LogLine, error::Result};

/// Sends the remembered lines, and from then on every new one, at most ten batches a second.
#[tauri::command]
#[specta::specta]
pub(crate) async fn watch_log(shell: Shared<'_>, channel: Channel<Vec<LogLine>>) -> Result<()> {
    shell.log.watch(channel);
    Ok(())
}
