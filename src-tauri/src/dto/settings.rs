//! Settings, and facts about the program.

use serde::{Deserialize, Serialize};
use specta::Type;

use super::{ConflictRule, JournalStatus};

/// What the person chose for the whole program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Settings {
    pub(crate) theme: Theme,
    pub(crate) show_hidden: bool,
    /// What happens where the target of a transfer exists.
    pub(crate) conflict: ConflictRule,
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
    pub(crate) journal: JournalStatus,
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
            conflict: settings.conflict.into(),
        }
    }
}

impl Settings {
    /// Puts what the person chose among what else is kept.
    pub(crate) fn put_into(self, kept: &mut vault::Settings) {
        kept.theme = match self.theme {
            Theme::System => vault::Theme::System,
            Theme::Light => vault::Theme::Light,
            Theme::Dark => vault::Theme::Dark,
        };
        kept.show_hidden = self.show_hidden;
        kept.conflict = self.conflict.into();
    }
}
