//! The shell of Slipway: the window, and thin commands over the engine. This file only puts the parts together.

// Nothing outside of this package uses it; documentation stands where it says something.
#![allow(missing_docs)]

pub mod cli;

mod address;
mod bindings;
mod commands;
mod drag;
mod dto;
mod error;
mod practice;
mod state;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Instant};

use tauri::{Manager, RunEvent, WindowEvent};
use tauri_plugin_window_state::StateFlags;
use tauri_specta::Event as _;
use tracing_subscriber::EnvFilter;

use crate::{
    dto::{CloseAsked, FolderChanged},
    state::{Shell, Vault, queue},
};

/// The one window, as tauri.conf.json names it.
const WINDOW: &str = "main";
/// Which messages of the program itself go to the terminal, as `tracing_subscriber` reads it.
const LOG_VARIABLE: &str = "SLIPWAY_LOG";
/// What goes there when nobody says. A certificate that is not trusted is a question to the person, no error.
const LOG_FILTER: &str = "warn,rustls_platform_verifier=off";

/// Opens the window and runs until it is closed. With `practice`, the window connects to the practice site.
///
/// # Errors
/// If there is no home folder or no display.
pub fn run(practice: bool) -> Result<(), Box<dyn std::error::Error>> {
    let filter =
        EnvFilter::try_from_env(LOG_VARIABLE).unwrap_or_else(|_| EnvFilter::new(LOG_FILTER));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    let folders = vault::Folders::from_env()?;
    let vault = Vault::new(&folders, Arc::new(vault::Keyring));
    let bindings = bindings::builder();
    let remembered = StateFlags::SIZE | StateFlags::POSITION | StateFlags::MAXIMIZED;

    tauri::Builder::default()
        // First, so that a second start ends before it has done anything.
        .plugin(tauri_plugin_single_instance::init(|app, _, _| {
            to_front(app)
        }))
        .plugin(
            tauri_plugin_window_state::Builder::new()
                .with_state_flags(remembered)
                .build(),
        )
        .invoke_handler(bindings.invoke_handler())
        .setup(move |app| {
            bindings.mount_events(app);
            // The queue has tasks of its own from the start, and they want to know the runtime.
            let runtime = tauri::async_runtime::handle();
            let _entered = runtime.inner().enter();
            let window = app.handle().clone();
            let teller = move |change: FolderChanged| {
                if let Err(error) = change.emit(&window) {
                    tracing::debug!(%error, "the window was not told of a change");
                }
            };
            let shell = Arc::new(Shell::new(Box::new(teller), vault, practice));
            let log = Arc::clone(&shell.log);
            tauri::async_runtime::spawn(async move { log.run().await });
            tauri::async_runtime::spawn(queue::follow(Arc::clone(&shell)));
            tauri::async_runtime::spawn(queue::hold_waiting(Arc::clone(&shell)));
            app.manage(shell);
            Ok(())
        })
        .on_window_event(|window, event| match event {
            WindowEvent::DragDrop(event) => drag::tell(window, event),
            WindowEvent::CloseRequested { api, .. } if !may_close(window) => api.prevent_close(),
            _ => {}
        })
        .build(tauri::generate_context!())?
        .run(|app, event| {
            if let RunEvent::Exit = event {
                let shell = Arc::clone(&app.state::<Arc<Shell>>());
                tauri::async_runtime::block_on(async move { shell.leave().await });
            }
        });
    Ok(())
}

/// Whether the window may close now; if not, its page is told to ask, or to say what is kept and to close it then.
fn may_close(window: &tauri::Window) -> bool {
    let shell = window.state::<Arc<Shell>>();
    let unfinished = shell.queue.unfinished();
    let kept = shell.queue.is_kept();
    let serving = shell.sharing.serving();
    let busy = unfinished.saturating_add(serving);
    // A visitor who is cut off goes on at no next start.
    let lossless = kept && serving == 0;
    if shell.closing.may_close(busy, lossless, Instant::now()) {
        return true;
    }
    let asked = CloseAsked {
        unfinished,
        kept,
        serving,
    };
    match asked.emit(window) {
        Ok(()) => false,
        Err(error) => {
            tracing::warn!(%error, "the window could not be asked about its transfers");
            true
        }
    }
}

fn to_front(app: &tauri::AppHandle) {
    let Some(window) = app.get_webview_window(WINDOW) else {
        return;
    };
    for result in [window.unminimize(), window.show(), window.set_focus()] {
        if let Err(error) = result {
            tracing::warn!(%error, "the window could not be brought to the front");
        }
    }
}
