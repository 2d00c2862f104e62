//! `settings.json`: how the window looks, and how it transfers.

use serde::{Deserialize, Serialize};

use crate::document::{Document, Extra, Version};
use crate::transfers::{ConflictRule, SpeedLimits};
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
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// Light or dark.
    pub theme: Theme,
    /// Whether the panes show names that begin with a dot.
    pub show_hidden: bool,
    /// What happens where the target of a transfer exists.
    pub conflict: ConflictRule,
    /// Limits of speed for everything together.
    pub limits: SpeedLimits,
    /// Limits by the time of day, as the person wrote them; empty for none.
    pub timetable: String,
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
    #[serde(default)]
    conflict: ConflictRule,
    #[serde(default)]
    limits: SpeedLimits,
    #[serde(default)]
    timetable: String,
    #[serde(flatten)]
    extra: Extra,
}

impl Content {
    fn settings(&self) -> Settings {
        Settings {
            theme: self.theme,
            show_hidden: self.show_hidden,
            conflict: self.conflict,
            limits: self.limits,
            timetable: self.timetable.clone(),
        }
    }

    fn put(&mut self, settings: Settings) {
        self.theme = settings.theme;
        self.show_hidden = settings.show_hidden;
        self.conflict = settings.conflict;
        self.limits = settings.limits;
        self.timetable = settings.timetable;
    }
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
        Ok(self.0.read::<Content>()?.settings())
    }

    /// Changes some of the settings and leaves the others.
    ///
    /// # Errors
    /// As [`save`](Self::save).
    pub fn change(&self, change: impl FnOnce(&mut Settings)) -> Result<()> {
        self.0.update(|content: &mut Content| {
            let mut settings = content.settings();
            change(&mut settings);
            content.put(settings);
            Ok(())
        })
    }

    /// Writes the settings.
    ///
    /// # Errors
    /// As [`load`](Self::load), and if the file can't be written. The old file then stays.
    pub fn save(&self, settings: Settings) -> Result<()> {
        self.change(|kept| *kept = settings)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_file_from_before_there_were_limits_is_good() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(
            dir.path().join("settings.json"),
            r#"{"version":1,"theme":"light","showHidden":true}"#,
        )
        .unwrap();
        let file = SettingsFile::new(&Folders::new(dir.path(), dir.path()));
        let settings = file.load().unwrap();
        assert_eq!((settings.theme, settings.show_hidden), (Theme::Light, true));
        assert_eq!(settings.conflict, ConflictRule::Ask);
        assert!(settings.limits.is_none() && settings.timetable.is_empty());
    }

    #[test]
    fn defaults_then_round_trip() {
        let dir = tempfile::tempdir().unwrap();
        let file = SettingsFile::new(&Folders::new(dir.path(), dir.path()));
        assert_eq!(file.load().unwrap(), Settings::default());
        let settings = Settings {
            theme: Theme::Dark,
            show_hidden: true,
            conflict: ConflictRule::IfNewer,
            limits: SpeedLimits {
                upload: Some(512 << 10),
                ..SpeedLimits::default()
            },
            timetable: "08:00-18:00 512K".into(),
        };
        file.save(settings.clone()).unwrap();
        assert_eq!(file.load().unwrap(), settings);
        file.change(|kept| kept.show_hidden = false).unwrap();
        let changed = Settings {
            show_hidden: false,
            ..settings.clone()
        };
        assert_eq!(file.load().unwrap(), changed);
        file.save(settings).unwrap();
        let text = std::fs::read_to_string(dir.path().join("settings.json")).unwrap();
        assert!(
            text.contains(r#""theme": "dark""#) && text.contains(r#""showHidden": true"#),
            "{text}"
        );
    }
}
