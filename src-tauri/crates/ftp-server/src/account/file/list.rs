//! The users as they stand in a file: JSON, versioned, strict.

use std::collections::HashSet;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use ftp_proto::escape;
use serde::{Deserialize, Serialize};
use vfs::{Permission, VPath};

use super::{PasswordHash, UsersFileError};
use crate::account::User;
use crate::limits::{AccountLimits, SpeedLimits};

/// The version that is written and read.
const VERSION: u64 = 1;

/// The longest file, in bytes: some 30,000 users.
const MAX_BYTES: u64 = 16 << 20;

/// One user of a [`UserList`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredUser {
    /// None: every name that no other user has.
    pub name: Option<String>,
    /// None: the name alone is enough.
    pub password: Option<PasswordHash>,
    /// The directory of the server's tree that is this user's root.
    pub base: VPath,
    /// Where sessions start, seen from the base.
    pub home: VPath,
    /// Whether this user can change nothing.
    pub read_only: bool,
    /// What may be done where, seen from the base; everything where nothing is said.
    pub permissions: Vec<Permission>,
    /// What sessions of this user may have of the server.
    pub limits: AccountLimits,
}

impl StoredUser {
    /// A user without a password and without limits, who may do everything.
    pub fn new(name: Option<&str>) -> Self {
        Self {
            name: name.map(str::to_owned),
            password: None,
            base: VPath::root(),
            home: VPath::root(),
            read_only: false,
            permissions: Vec::new(),
            limits: AccountLimits::default(),
        }
    }

    /// The same for a server, without the password.
    pub(super) fn to_user(&self) -> User {
        let user = match &self.name {
            Some(name) => User::new(name),
            None => User::everybody(),
        };
        let user = user
            .base(self.base.clone())
            .home(self.home.clone())
            .permissions(self.permissions.iter().cloned())
            .limits(self.limits);
        if self.read_only {
            user.read_only()
        } else {
            user
        }
    }
}

/// All users of a file, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserList {
    users: Vec<StoredUser>,
}

impl UserList {
    /// Reads a file. Blocks.
    ///
    /// # Errors
    /// It can't be read, is longer than 16 MiB, or isn't as it should be; what is wrong is named.
    pub fn read(path: &Path) -> Result<Self, UsersFileError> {
        let failed = |source| UsersFileError::io(path, source);
        // A pipe would be waited for.
        if !std::fs::metadata(path).map_err(failed)?.is_file() {
            let text = "not a regular file";
            return Err(failed(std::io::Error::other(text)));
        }
        let mut text = Vec::new();
        let file = File::open(path).map_err(failed)?;
        file.take(MAX_BYTES + 1)
            .read_to_end(&mut text)
            .map_err(failed)?;
        Self::from_json(&text)
    }

    /// Takes the text of a file.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn from_json(text: &[u8]) -> Result<Self, UsersFileError> {
        if text.len() as u64 > MAX_BYTES {
            return Err(UsersFileError::TooLong);
        }
        let bad = |error: serde_json::Error| {
            UsersFileError::Malformed(escape(error.to_string().as_bytes(), 200))
        };
        // The version first: a newer file may well have keys that aren't known here.
        let Version { version } = serde_json::from_slice(text).map_err(bad)?;
        if version != VERSION {
            return Err(UsersFileError::Version(version));
        }
        let file: Written = serde_json::from_slice(text).map_err(bad)?;
        let mut list = Self::default();
        let mut names = HashSet::new();
        for (index, row) in file.users.into_iter().enumerate() {
            let shown = match &row.name {
                Some(name) => escape(name.as_bytes(), 200),
                None => format!("number {}", index + 1),
            };
            let bad = |what: String| UsersFileError::User {
                user: shown.clone(),
                what,
            };
            if !names.insert(row.name.clone()) {
                return Err(bad("there is another one of this name".to_owned()));
            }
            list.users.push(row.read().map_err(bad)?);
        }
        Ok(list)
    }

    /// The text of a file.
    pub fn to_json(&self) -> String {
        let file = Written {
            version: VERSION,
            users: self.users.iter().map(Row::of).collect(),
        };
        // Nothing in it can fail to be written.
        let mut text = serde_json::to_string_pretty(&file).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Writes a file in one step: whoever reads it sees the old or the new one. It belongs to its owner alone (mode 0600). Blocks.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&self, path: &Path) -> Result<(), UsersFileError> {
        let failed = |source| UsersFileError::io(path, source);
        // Of a link its target is replaced.
        let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let folder = folder_of(&path);
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|error| UsersFileError::Hashing(error.to_string()))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let temporary = folder.join(format!(".{name}.{:016x}", u64::from_ne_bytes(random)));
        let written = private(&temporary)
            .and_then(|mut file| {
                file.write_all(self.to_json().as_bytes())?;
                file.sync_all()
            })
            .and_then(|()| std::fs::rename(&temporary, &path));
        if let Err(source) = written {
            let _ = std::fs::remove_file(&temporary);
            return Err(failed(source));
        }
        // The name survives a power cut, too, where folders can be opened.
        if let Ok(folder) = File::open(folder) {
            let _ = folder.sync_all();
        }
        Ok(())
    }

    /// Reads the file (or begins with an empty list, if there is none), lets `change` change it, and writes it. Others who do the same wait so long. Blocks.
    ///
    /// # Errors
    /// As [`read`](Self::read), [`write`](Self::write), and what `change` gives: then nothing is written.
    pub fn edit<T, E: From<UsersFileError>>(
        path: &Path,
        change: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        // The folder is locked, since the file is another one afterwards. Where folders can't be opened the last one to write wins.
        let folder = File::open(folder_of(path));
        if let Ok(folder) = &folder {
            let _ = folder.lock();
        }
        let mut list = match Self::read(path) {
            Err(UsersFileError::Io { source, .. })
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                Self::default()
            }
            other => other?,
        };
        let result = change(&mut list)?;
        list.write(path)?;
        Ok(result)
    }

    /// The users in their order.
    pub fn users(&self) -> &[StoredUser] {
        &self.users
    }

    /// The user of this name, to be changed; none: the one who takes every name.
    pub fn get_mut(&mut self, name: Option<&str>) -> Option<&mut StoredUser> {
        self.users
            .iter_mut()
            .find(|user| user.name.as_deref() == name)
    }

    /// Adds a user.
    ///
    /// # Errors
    /// The name is taken, is empty, or has control characters in it.
    pub fn add(&mut self, user: StoredUser) -> Result<(), UsersFileError> {
        let bad = |what: &str| UsersFileError::User {
            user: escape(user.name.as_deref().unwrap_or("everybody").as_bytes(), 200),
            what: what.to_owned(),
        };
        if let Some(name) = &user.name {
            check_name(name).map_err(bad)?;
        }
        if self.users.iter().any(|other| other.name == user.name) {
            return Err(bad("there is one of this name already"));
        }
        self.users.push(user);
        Ok(())
    }

    /// Takes a user out, if there is one of this name.
    pub fn remove(&mut self, name: Option<&str>) -> Option<StoredUser> {
        let at = self
            .users
            .iter()
            .position(|user| user.name.as_deref() == name)?;
        Some(self.users.remove(at))
    }
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => ".".into(),
    }
}

/// A new file that its owner alone can read.
fn private(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn check_name(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        Err("the name is empty")
    } else if name.chars().any(char::is_control) {
        Err("the name has a control character in it")
    } else {
        Ok(())
    }
}

#[derive(Deserialize)]
struct Version {
    version: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    version: u64,
    users: Vec<Row>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    // Nobody becomes everybody, or is let in without a password, because a line was forgotten: these must be said, if only as null.
    #[serde(deserialize_with = "Option::deserialize")]
    name: Option<String>,
    #[serde(deserialize_with = "Option::deserialize")]
    password: Option<String>,
    #[serde(default = "root")]
    base: String,
    #[serde(default = "root")]
    home: String,
    #[serde(default)]
    read_only: bool,
    #[serde(default)]
    permissions: Vec<Rule>,
    #[serde(default)]
    max_connections: Option<usize>,
    #[serde(default)]
    download_limit: Option<NonZeroU64>,
    #[serde(default)]
    upload_limit: Option<NonZeroU64>,
    #[serde(default)]
    session_download_limit: Option<NonZeroU64>,
    #[serde(default)]
    session_upload_limit: Option<NonZeroU64>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    path: String,
    read: bool,
    write: bool,
}

fn root() -> String {
    "/".to_owned()
}

fn path(key: &str, text: &str) -> Result<VPath, String> {
    if !text.starts_with('/') {
        return Err(format!("{key} must begin with a slash"));
    }
    VPath::new(text).map_err(|error| format!("{key}: {error}"))
}

/// As JSON has it. Bytes that are no text don't come from such a file.
fn shown(path: &VPath) -> String {
    String::from_utf8_lossy(path.as_bytes()).into_owned()
}

impl Row {
    fn read(self) -> Result<StoredUser, String> {
        if let Some(name) = &self.name {
            check_name(name)?;
        }
        let password = self.password.as_deref().map(PasswordHash::parse);
        let permissions = self.permissions.iter().map(|rule| {
            let path = path("the path of a permission", &rule.path)?;
            Ok(Permission::new(path, rule.read, rule.write))
        });
        Ok(StoredUser {
            password: password
                .transpose()
                .map_err(|what| format!("the password {what}"))?,
            base: path("base", &self.base)?,
            home: path("home", &self.home)?,
            read_only: self.read_only,
            permissions: permissions.collect::<Result<_, String>>()?,
            limits: AccountLimits {
                connections: self.max_connections,
                speed: SpeedLimits {
                    download: self.download_limit,
                    upload: self.upload_limit,
                },
                session_speed: SpeedLimits {
                    download: self.session_download_limit,
                    upload: self.session_upload_limit,
                },
            },
            name: self.name,
        })
    }

    fn of(user: &StoredUser) -> Self {
        let permissions = user.permissions.iter().map(|rule| Rule {
            path: shown(&rule.path),
            read: rule.read,
            write: rule.write,
        });
        Self {
            name: user.name.clone(),
            password: user.password.as_ref().map(|hash| hash.as_str().to_owned()),
            base: shown(&user.base),
            home: shown(&user.home),
            read_only: user.read_only,
            permissions: permissions.collect(),
            max_connections: user.limits.connections,
            download_limit: user.limits.speed.download,
            upload_limit: user.limits.speed.upload,
            session_download_limit: user.limits.session_speed.download,
            session_upload_limit: user.limits.session_speed.upload,
        }
    }
}
