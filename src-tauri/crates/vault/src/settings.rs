//! `settings.json`: how the window looks.

use serde::{Deserialize, Serialize};

use crate::document::{Document, Extra, Version};
use crate::{Folders, Result};

/// Light, dark, or as the system has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Theme {
    /// As the system has it.
    #[default]
    System,
    /// Always light.
    Light,
    /// Always dark.
    Dark,
}

/// What a person has set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Settings {
    /// Light or dark.
    pub theme: Theme,
    /// Whether the panes show names that begin with a dot.
    pub show_hidden: bool,
}

/// The file of the [`Settings`]. Its functions block.
#[derive(Debug, Clone)]
pub struct SettingsFile(Document);

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Content {
    version: Version,
    #[serde(default)]
    theme: Theme,
    #[serde(default)]
    show_hidden: bool,
    #[serde(flatten)]
    extra: Extra,
}

impl SettingsFile {
    /// The file in the configuration folder.
    pub fn new(folders: &Folders) -> Self {
        Self(Document::new(folders.config(), "settings.json"))
    }

    /// What is set; the defaults where nothing is.
    ///
    /// # Errors
    /// If the file is there but can't be read, is damaged, or of a newer version.
    pub fn load(&self) -> Result<Settings> {
        let content: Content = self.0.read()?;
        Ok(Settings {
            theme: content.theme,
            show_hidden: content.show_hidden,
        })
    }

    /// Writes the settings.
    ///
    /// # Errors
    /// As [`load`](Self::load), and if the file can't be written. The old file then stays.
    pub fn save(&self, settings: Settings) -> Result<()> {
        self.0.update(|content: &mut Content| {
            content.theme = settings.theme;
            content.show_hidden = settings.show_hidden;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn defaults_then_round_trip() {
        let dir = tempfile::tempdir().unwrap();
        let file = SettingsFile::new(&Folders::new(dir.path(), dir.path()));
        assert_eq!(file.load().unwrap(), Settings::default());
        let settings = Settings {
            theme: Theme::Dark,
            show_hidden: true,
        };
        file.save(settings).unwrap();
        assert_eq!(file.load().unwrap(), settings);
        let text = std::fs::read_to_string(dir.path().join("settings.json")).unwrap();
        assert!(
            text.contains(r#""theme": "dark""#) && text.contains(r#""showHidden": true"#),
            "{text}"
        );
    }
}
