//! Settings, the window's title, facts about the program.

use tauri::WebviewWindow;

use super::{Shared, blocking};
use crate::{
    dto::{AppInfo, KeyringStatus, Settings},
    error::Result,
};

/// What the window needs to know before it shows anything.
#[tauri::command]
#[specta::specta]
pub(crate) async fn app_info(shell: Shared<'_>) -> Result<AppInfo> {
    Ok(AppInfo {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        practice_at_start: shell.practice_at_start,
        journal: shell.queue.journal(),
        keyring: keyring_status(shell).await?,
    })
}

/// Whether passwords can be remembered.
#[tauri::command]
#[specta::specta]
pub(crate) async fn keyring_status(shell: Shared<'_>) -> Result<KeyringStatus> {
    let secrets = shell.vault.secrets.clone();
    Ok(tokio::task::spawn_blocking(move || secrets.status())
        .await?
        .into())
}

/// What the person chose; the defaults at first.
#[tauri::command]
#[specta::specta]
pub(crate) async fn load_settings(shell: Shared<'_>) -> Result<Settings> {
    let file = shell.vault.settings.clone();
    Ok(blocking(move || file.load()).await?.into())
}

/// Keeps what the person chose.
#[tauri::command]
#[specta::specta]
pub(crate) async fn save_settings(shell: Shared<'_>, settings: Settings) -> Result<()> {
    let file = shell.vault.settings.clone();
    blocking(move || file.change(|kept| settings.put_into(kept))).await
}

/// Sets the title of the window.
#[tauri::command]
#[specta::specta]
pub(crate) async fn set_title(window: WebviewWindow, text: String) -> Result<()> {
    // A title comes from a site's name: one line, and not longer than a title bar.
    let text: String = text.chars().filter(|c| !c.is_control()).take(200).collect();
    Ok(window.set_title(&text)?)
}

/// Answers the question whether to close the window with transfers on their way: `confirm` closes it; what is not kept
/// is given up. Without, it stays open; the page says so at once when it shows the question, too.
#[tauri::command]
#[specta::specta]
pub(crate) async fn close_window(
    shell: Shared<'_>,
    window: WebviewWindow,
    confirm: bool,
) -> Result<()> {
    shell.closing.answer(confirm);
    if confirm {
        window.close()?;
    }
    Ok(())
}
