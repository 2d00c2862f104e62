//! The real window, driven through WebDriver: the built app in WebKitGTK, on a display of its own, against real
//! servers. `scripts/with-display.sh --keyring cargo nextest run -p slipway --test window` runs it by hand.
//!
//! Every test starts an app with a home, a configuration and ports of its own. Nothing waits for a time: every
//! wait is for something to be seen, and ends with a picture of the window if it is not.
#![allow(clippy::unwrap_used)]

mod app;
mod audit;
mod desktop;
mod drag_source;
mod first_start;
mod keeping;
mod keyboard;
mod looks;
mod many;
mod moving;
mod page;
mod peers;
mod questions;
mod queue;
mod sharing;
mod trip;

/// Runs a test on a runtime of its own, or says loudly that it can't be run here.
fn on_a_display(what: &str, test: impl Future<Output = ()>) {
    if let Err(reason) = desktop::ready() {
        support::skip_loudly(what, &reason);
        return;
    }
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(test);
}
