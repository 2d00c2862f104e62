//! The saved sites of other programs, as sites of ours: FileZilla, WinSCP, Cyberduck, lftp, rclone, and `.netrc`.
//!
//! Only sites for FTP are taken; the others are named, with the reason. Passwords that those programs keep readably come along, apart
//! from the sites, for the keyring. Nothing is changed in the files that are read.
//!
//! ```
//! use site_import::{Source, parse};
//!
//! let found = parse(Source::Netrc, b"machine ftp.example.com login me password secret")?;
//! assert_eq!(found.sites[0].site.user, "me");
//! assert_eq!(found.sites[0].password.as_ref().map(|p| p.expose()), Some("secret"));
//! # Ok::<(), site_import::ImportError>(())
//! ```
#![warn(missing_docs)]

mod cyberduck;
mod filezilla;
mod ini;
mod lftp;
mod netrc;
mod rclone;
mod text;
mod winscp;
mod xml;

use std::fmt;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use vault::{Secret, Site};

/// No such file is larger in earnest, in bytes.
const LARGEST: u64 = 16 * 1024 * 1024;

/// Sites that are taken from one file, at most.
const MOST: usize = 10_000;

/// Whose file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// `sitemanager.xml`, or what "Export" in FileZilla writes.
    FileZilla,
    /// `WinSCP.ini`.
    WinScp,
    /// A bookmark of Cyberduck, `*.duck`.
    Cyberduck,
    /// `.netrc`, as ftp, curl and lftp read it.
    Netrc,
    /// The bookmarks of lftp.
    Lftp,
    /// `rclone.conf`.
    Rclone,
}

/// What was in a file.
#[derive(Debug, Default)]
pub struct Found {
    /// The sites, in their order.
    pub sites: Vec<FoundSite>,
    /// What was left out.
    pub left_out: Vec<LeftOut>,
}

/// One site that was found. It is not saved yet, and its id is new.
#[derive(Debug)]
pub struct FoundSite {
    /// The site.
    pub site: Site,
    /// Its password, for the keyring.
    pub password: Option<Secret>,
    /// What could not be taken over of it, for people.
    pub remarks: Vec<String>,
}

/// An entry that is no site of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// What it is called there.
    pub name: String,
    /// Why it was left out, for people.
    pub why: String,
}

/// Why nothing could be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The file can't be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// It is larger than any such file.
    #[error("the file is larger than {} MiB", LARGEST / (1024 * 1024))]
    TooLarge,
    /// It is nobody's file that is known here.
    #[error("this is no file of FileZilla, WinSCP, Cyberduck, lftp or rclone, and no .netrc")]
    Unknown,
    /// It is not what it should be.
    #[error("this is no file of {whose}: {why}")]
    Damaged {
        /// Whose it should be.
        whose: Source,
        /// What is wrong.
        why: String,
    },
}

impl Source {
    /// All there are.
    pub const ALL: [Self; 6] = [
        Self::FileZilla,
        Self::WinScp,
        Self::Cyberduck,
        Self::Netrc,
        Self::Lftp,
        Self::Rclone,
    ];

    /// Where this program keeps its sites, seen from a home folder. Cyberduck has a folder of many files.
    #[must_use]
    pub fn usual_places(self, home: &Path) -> Vec<PathBuf> {
        let places: &[&str] = match self {
            Self::FileZilla => &[
                ".config/filezilla/sitemanager.xml",
                ".filezilla/sitemanager.xml",
                ".var/app/org.filezillaproject.Filezilla/config/filezilla/sitemanager.xml",
                "AppData/Roaming/FileZilla/sitemanager.xml",
            ],
            Self::WinScp => &["AppData/Roaming/WinSCP.ini"],
            Self::Cyberduck => &[
                "Library/Group Containers/G69SCX94XU.duck/Library/Application Support/duck/Bookmarks",
                "Library/Application Support/Cyberduck/Bookmarks",
                "AppData/Roaming/Cyberduck/Bookmarks",
                ".duck/Bookmarks",
            ],
            Self::Netrc => &[".netrc", "_netrc"],
            Self::Lftp => &[".local/share/lftp/bookmarks", ".lftp/bookmarks"],
            Self::Rclone => &[
                ".config/rclone/rclone.conf",
                ".rclone.conf",
                "AppData/Roaming/rclone/rclone.conf",
            ],
        };
        places.iter().map(|place| home.join(place)).collect()
    }

    /// Whose file this is, by its name and what is in it.
    #[must_use]
    pub fn recognise(name: &str, content: &[u8]) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let start = String::from_utf8_lossy(&content[..content.len().min(4096)]).into_owned();
        if start.contains("<FileZilla3") {
            Some(Self::FileZilla)
        } else if start.contains("<plist") {
            Some(Self::Cyberduck)
        } else if name.ends_with("netrc") {
            Some(Self::Netrc)
        } else if name == "bookmarks" {
            Some(Self::Lftp)
        } else {
            let whole = String::from_utf8_lossy(content);
            let mut lines = whole.lines().map(str::trim);
            if lines.clone().any(|line| line.starts_with("[Sessions\\")) {
                Some(Self::WinScp)
            } else if lines.clone().any(|line| line.starts_with('['))
                && lines.clone().any(|line| {
                    line.split_once('=')
                        .is_some_and(|(key, _)| key.trim() == "type")
                })
            {
                Some(Self::Rclone)
            } else if lines.clone().any(|line| line.starts_with("machine ")) {
                Some(Self::Netrc)
            } else if lines.any(|line| {
                line.split_once(char::is_whitespace)
                    .is_some_and(|(_, url)| lftp::is_url(url.trim()))
            }) {
                Some(Self::Lftp)
            } else {
                None
            }
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FileZilla => "FileZilla",
            Self::WinScp => "WinSCP",
            Self::Cyberduck => "Cyberduck",
            Self::Netrc => ".netrc",
            Self::Lftp => "lftp",
            Self::Rclone => "rclone",
        })
    }
}

impl std::str::FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = text.to_ascii_lowercase();
        let named = |source: &Self| source.to_string().trim_start_matches('.').to_lowercase();
        Self::ALL
            .into_iter()
            .find(|source| named(source) == wanted)
            .ok_or_else(|| {
                let names: Vec<String> = Self::ALL.iter().map(named).collect();
                format!("it takes one of {}", names.join(", "))
            })
    }
}

/// Reads a file, or for Cyberduck a folder of bookmarks. Blocks.
///
/// # Errors
/// Any [`ImportError`].
pub fn read(path: &Path, whose: Option<Source>) -> Result<Found, ImportError> {
    if path.is_dir() {
        return read_folder(path);
    }
    let content = content(path)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let source = whose
        .or_else(|| Source::recognise(&name, &content))
        .ok_or(ImportError::Unknown)?;
    parse(source, &content)
}

/// Reads what was in a file.
///
/// # Errors
/// [`ImportError::Damaged`] where it is another program's file altogether. A single entry that makes no sense is left out, and named.
pub fn parse(whose: Source, content: &[u8]) -> Result<Found, ImportError> {
    let damaged = |why: String| ImportError::Damaged { whose, why };
    let text = text::decode(content);
    let mut found = match whose {
        Source::FileZilla => filezilla::parse(&text).map_err(damaged)?,
        Source::Cyberduck => cyberduck::parse(&text).map_err(damaged)?,
        Source::WinScp => winscp::parse(&text),
        Source::Netrc => netrc::parse(&text),
        Source::Lftp => lftp::parse(&text),
        Source::Rclone => rclone::parse(&text).map_err(damaged)?,
    };
    found.keep_sound();
    Ok(found)
}

fn read_folder(folder: &Path) -> Result<Found, ImportError> {
    let io = |source| ImportError::Io {
        path: folder.to_owned(),
        source,
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.extension().is_some_and(|ending| ending == "duck") {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(ImportError::Unknown);
    }
    files.sort();
    let mut all = Found::default();
    for file in files {
        match content(&file).and_then(|content| parse(Source::Cyberduck, &content)) {
            Ok(found) => {
                all.sites.extend(found.sites);
                all.left_out.extend(found.left_out);
            }
            Err(error) => {
                let name = file.file_name().unwrap_or_default().to_string_lossy();
                all.leave_out(&name, &error.to_string());
            }
        }
    }
    all.keep_sound();
    Ok(all)
}

fn content(path: &Path) -> Result<Vec<u8>, ImportError> {
    let io = |source| ImportError::Io {
        path: path.to_owned(),
        source,
    };
    let mut content = Vec::new();
    let file = std::fs::File::open(path).map_err(io)?;
    file.take(LARGEST + 1)
        .read_to_end(&mut content)
        .map_err(io)?;
    if content.len() as u64 > LARGEST {
        return Err(ImportError::TooLarge);
    }
    Ok(content)
}

impl Found {
    pub(crate) fn leave_out(&mut self, name: &str, why: &str) {
        self.left_out.push(LeftOut {
            name: text::shown(name),
            why: why.to_owned(),
        });
    }

    /// A site that is not checked yet; its host may be anything.
    pub(crate) fn add(&mut self, name: &str, host: &str) -> Option<&mut FoundSite> {
        match Site::new(host) {
            Ok(mut site) => {
                site.name = name.trim().to_owned();
                self.sites.push(FoundSite {
                    site,
                    password: None,
                    remarks: Vec::new(),
                });
                self.sites.last_mut()
            }
            Err(error) => {
                self.leave_out(name, &error.to_string());
                None
            }
        }
    }

    /// Leaves out what can't be saved, and more than anybody has.
    fn keep_sound(&mut self) {
        for found in std::mem::take(&mut self.sites) {
            let site = &found.site;
            let name = if site.name.is_empty() {
                &site.host
            } else {
                &site.name
            };
            match site.check() {
                Ok(()) if self.sites.len() < MOST => self.sites.push(found),
                Ok(()) => {
                    let name = name.clone();
                    self.leave_out(&name, "there are too many sites in one file");
                }
                Err(error) => {
                    let name = name.clone();
                    self.leave_out(&name, &error.to_string());
                }
            }
        }
    }
}

impl FoundSite {
    pub(crate) fn remark(&mut self, text: impl Into<String>) {
        self.remarks.push(text.into());
    }

    /// A user, where one is named; `anonymous` is nobody.
    pub(crate) fn user(&mut self, user: &str) {
        if !user.eq_ignore_ascii_case("anonymous") {
            self.site.user = user.to_owned();
        }
    }

    /// A password that goes with a user.
    pub(crate) fn password(&mut self, password: String) {
        if !password.is_empty() && !self.site.user.is_empty() {
            self.password = Some(Secret::new(password));
        }
    }

    /// A port in digits; 0 and nothing are the usual one.
    pub(crate) fn port(&mut self, text: &str) {
        match text.trim() {
            "" | "0" => {}
            digits => match digits.parse() {
                Ok(port) => self.site.port = Some(port),
                Err(_) => self.remark(format!("the port {:?} is none", text::shown(digits))),
            },
        }
    }
}

#[cfg(test)]
mod tests;
