//! The one list of what crosses the border. The permissions of the window (`build.rs`) and the TypeScript
//! (the test below) are derived from it.

use tauri::Wry;
use tauri_specta::{Builder, collect_commands, collect_events};

use crate::{commands, dto};

/// All commands and events.
pub(crate) fn builder() -> Builder<Wry> {
    Builder::new()
        // No type here has one shape for reading and another for writing.
        .disable_serde_phases()
        .commands(collect_commands![
            commands::session::connect,
            commands::session::disconnect,
            commands::session::session_security,
            commands::session::cancel_connect,
            commands::session::start_practice,
            commands::browse::open_folder,
            commands::browse::stop_listing,
            commands::browse::close_listing,
            commands::browse::create_folder,
            commands::browse::rename_entry,
            commands::browse::delete_entries,
            commands::transfer::send_entries,
            commands::transfer::accept_drop,
            commands::queue::watch_queue,
            commands::queue::cancel_transfers,
            commands::queue::retry_transfers,
            commands::queue::clear_finished,
            commands::queue::pause_transfers,
            commands::queue::pause_queue,
            commands::queue::pause_site,
            commands::queue::set_priority,
            commands::queue::move_transfers,
            commands::queue::start_transfers_at,
            commands::queue::answer_conflicts,
            commands::queue::set_limits,
            commands::queue::set_site_limits,
            commands::queue::set_timetable,
            commands::queue::check_timetable,
            commands::queue::receipt,
            commands::queue::receipts,
            commands::server::prepare_share,
            commands::server::new_password,
            commands::server::share_folder,
            commands::server::stop_share,
            commands::server::set_share_limits,
            commands::server::kick_visitor,
            commands::server::share_qr,
            commands::server::watch_shares,
            commands::log::watch_log,
            commands::site::list_sites,
            commands::site::save_site,
            commands::site::delete_site,
            commands::trusted::list_trusted,
            commands::trusted::forget_trusted,
            commands::settings::app_info,
            commands::settings::keyring_status,
            commands::settings::load_settings,
            commands::settings::save_settings,
            commands::settings::set_title,
            commands::settings::close_window,
        ])
        .events(collect_events![
            dto::FolderChanged,
            dto::SystemDrag,
            dto::CloseAsked
        ])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::path::Path;

    use specta_typescript::Typescript;

    /// Set to rewrite the file instead of comparing it.
    const REWRITE: &str = "SLIPWAY_WRITE_BINDINGS";

    #[test]
    fn the_typescript_is_up_to_date() {
        let committed =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("ui/src/lib/backend/bindings.ts");
        let dir = tempfile::tempdir().unwrap();
        let fresh = dir.path().join("bindings.ts");
        super::builder()
            .export(Typescript::default(), &fresh)
            .unwrap();
        let fresh = std::fs::read_to_string(fresh).unwrap();
        if std::env::var_os(REWRITE).is_some() {
            std::fs::create_dir_all(committed.parent().unwrap()).unwrap();
            std::fs::write(committed, fresh).unwrap();
            return;
        }
        let committed = std::fs::read_to_string(&committed).unwrap_or_default();
        assert!(
            committed == fresh,
            "ui/src/lib/backend/bindings.ts is stale: run `{REWRITE}=1 cargo test -p slipway bindings` and commit it"
        );
    }
}
