//! Connecting and disconnecting.

use super::Shared;
use crate::{
    dto::{ConnectOutcome, ConnectRequest, Security},
    error::Result,
    practice::Practice,
    state::connect,
};

/// Connects, or asks what only the person can answer; the window then calls again with the answer.
#[tauri::command]
#[specta::specta]
pub(crate) async fn connect(shell: Shared<'_>, request: ConnectRequest) -> Result<ConnectOutcome> {
    connect::connect(&shell, request).await
}

/// Closes a session and frees its listings. Its transfers go on: they have connections of their own.
#[tauri::command]
#[specta::specta]
pub(crate) async fn disconnect(shell: Shared<'_>, session: u32) -> Result<()> {
    if let Some(closing) = shell.sessions.remove(session) {
        shell.listings.close_session(session);
        shell.places.forget_session(session);
        shell
            .queue
            .forget_logins(|id| shell.sessions.get(id).is_ok());
        // The goodbye is the server's business; the window need not wait for it.
        tokio::spawn(async move { closing.close().await });
    }
    Ok(())
}

/// How a session is secured now: whether data connections resume it is known only after the first one.
#[tauri::command]
#[specta::specta]
pub(crate) async fn session_security(shell: Shared<'_>, session: u32) -> Result<Security> {
    Ok(shell.sessions.get(session)?.security().await)
}

/// Gives up the connects under way.
#[tauri::command]
#[specta::specta]
pub(crate) async fn cancel_connect(shell: Shared<'_>) -> Result<()> {
    shell.sessions.cancel_connects();
    Ok(())
}

/// Starts the server inside this program, once, and connects to it.
#[tauri::command]
#[specta::specta]
pub(crate) async fn start_practice(shell: Shared<'_>) -> Result<ConnectOutcome> {
    let giving_up = shell.sessions.connecting();
    let practice = shell.practice.get_or_try_init(Practice::start).await?;
    connect::establish(&shell, practice.plan(), &giving_up).await
}
