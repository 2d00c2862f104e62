//! What the window may ask for, one file a domain. Thin: each command finds what the ids mean, lets the engine do
//! it, and answers. No command waits for another, and none blocks: disk and keyring go to threads of their own.

pub(crate) mod browse;
pub(crate) mod log;
pub(crate) mod queue;
pub(crate) mod server;
pub(crate) mod session;
pub(crate) mod settings;
pub(crate) mod site;
pub(crate) mod transfer;
pub(crate) mod trusted;

use std::sync::Arc;

use crate::{error::Result, state::Shell};

/// The program's state as a command gets it.
pub(crate) type Shared<'a> = tauri::State<'a, Arc<Shell>>;

/// Runs what blocks on a thread for it.
pub(crate) async fn blocking<T, E>(
    work: impl FnOnce() -> std::result::Result<T, E> + Send + 'static,
) -> Result<T>
where
    T: Send + 'static,
    E: Into<crate::error::AppError> + Send + 'static,
{
    tokio::task::spawn_blocking(work).await?.map_err(Into::into)
}
