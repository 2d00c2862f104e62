//! Settings, and facts about the program.

use serde::{Deserialize, Serialize};
use specta::Type;

/// What the person chose for the whole program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Settings {
    pub(crate) theme: Theme,
    pub(crate) show_hidden: bool,
}

/// Light or dark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Theme {
    System,
    Light,
    Dark,
}

/// Facts about the running program.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AppInfo {
    pub(crate) version: String,
    /// Started with `--practice`: the window connects to the practice site by itself.
    pub(crate) practice_at_start: bool,
    pub(crate) keyring: KeyringStatus,
}

/// Whether passwords can be remembered.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KeyringStatus {
    pub(crate) available: bool,
    /// Why not.
    pub(crate) message: Option<String>,
}

impl From<vault::KeyringStatus> for KeyringStatus {
    fn from(status: vault::KeyringStatus) -> Self {
        let message = match status {
            vault::KeyringStatus::Available => None,
            vault::KeyringStatus::Unavailable { message } => Some(message),
        };
        Self {
            available: message.is_none(),
            message,
        }
    }
}

impl From<vault::Settings> for Settings {
    fn from(settings: vault::Settings) -> Self {
        Self {
            theme: match settings.theme {
                vault::Theme::System => Theme::System,
                vault::Theme::Light => Theme::Light,
                vault::Theme::Dark => Theme::Dark,
            },
            show_hidden: settings.show_hidden,
        }
    }
}

impl From<Settings> for vault::Settings {
    fn from(settings: Settings) -> Self {
        Self {
            theme: match settings.theme {
                Theme::System => vault::Theme::System,
                Theme::Light => vault::Theme::Light,
                Theme::Dark => vault::Theme::Dark,
            },
            show_hidden: settings.show_hidden,
        }
    }
}
