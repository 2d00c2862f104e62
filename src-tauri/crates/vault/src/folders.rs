//! Where the files lie.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The folders of one user: configuration and data. Nothing is created before something is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folders {
    config: PathBuf,
    data: PathBuf,
}

/// Neither an override nor `$HOME` says where files may lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no home folder: set HOME, or SLIPWAY_CONFIG_DIR and SLIPWAY_DATA_DIR, to an absolute path"
)]
pub struct NoHome;

impl Folders {
    /// The folders of the current user by the XDG base directory rules:
    /// `$SLIPWAY_CONFIG_DIR`, else `$XDG_CONFIG_HOME/slipway`, else `~/.config/slipway`; and for data
    /// `$SLIPWAY_DATA_DIR`, else `$XDG_DATA_HOME/slipway`, else `~/.local/share/slipway`.
    /// As XDG has it, a variable that is empty or not absolute counts as not set.
    ///
    /// # Errors
    /// [`NoHome`] if no variable gives an answer.
    pub fn from_env() -> Result<Self, NoHome> {
        Self::from_lookup(|name| std::env::var_os(name))
    }

    /// The same rules over any source of variables.
    ///
    /// # Errors
    /// [`NoHome`] if no variable gives an answer.
    pub fn from_lookup(get: impl Fn(&str) -> Option<OsString>) -> Result<Self, NoHome> {
        let absolute = |name: &str| get(name).map(PathBuf::from).filter(|p| p.is_absolute());
        let find = |own: &str, xdg: &str, below_home: &str| {
            absolute(own)
                .or_else(|| absolute(xdg).map(|p| p.join("slipway")))
                .or_else(|| absolute("HOME").map(|p| p.join(below_home).join("slipway")))
                .ok_or(NoHome)
        };
        Ok(Self {
            config: find("SLIPWAY_CONFIG_DIR", "XDG_CONFIG_HOME", ".config")?,
            data: find("SLIPWAY_DATA_DIR", "XDG_DATA_HOME", ".local/share")?,
        })
    }

    /// Folders at a place of one's own, for tests and portable installations.
    pub fn new(config: impl Into<PathBuf>, data: impl Into<PathBuf>) -> Self {
        Self {
            config: config.into(),
            data: data.into(),
        }
    }

    /// The folder of `sites.json`, `trusted.json` and `settings.json`.
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// The folder of what the program keeps for itself.
    pub fn data(&self) -> &Path {
        &self.data
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn with(vars: &'static [(&str, &str)]) -> Result<Folders, NoHome> {
        Folders::from_lookup(|name| {
            vars.iter()
                .find(|(n, _)| *n == name)
                .map(|(_, v)| OsString::from(v))
        })
    }

    #[test]
    fn own_variable_wins_then_xdg_then_home() {
        let home = with(&[("HOME", "/home/a")]).unwrap();
        assert_eq!(home.config(), Path::new("/home/a/.config/slipway"));
        assert_eq!(home.data(), Path::new("/home/a/.local/share/slipway"));
        let xdg = with(&[
            ("HOME", "/home/a"),
            ("XDG_CONFIG_HOME", "/c"),
            ("XDG_DATA_HOME", "/d"),
        ])
        .unwrap();
        assert_eq!(xdg, Folders::new("/c/slipway", "/d/slipway"));
        let own = with(&[
            ("HOME", "/home/a"),
            ("XDG_CONFIG_HOME", "/c"),
            ("SLIPWAY_CONFIG_DIR", "/own"),
        ])
        .unwrap();
        assert_eq!(own.config(), Path::new("/own"));
    }

    #[test]
    fn relative_and_empty_variables_count_as_unset() {
        let folders = with(&[
            ("HOME", "/home/a"),
            ("XDG_CONFIG_HOME", "relative"),
            ("XDG_DATA_HOME", ""),
        ])
        .unwrap();
        assert_eq!(folders.config(), Path::new("/home/a/.config/slipway"));
        assert_eq!(folders.data(), Path::new("/home/a/.local/share/slipway"));
        assert_eq!(with(&[]), Err(NoHome));
        assert_eq!(with(&[("HOME", "here")]), Err(NoHome));
    }
}
