//! The file of `slip serve --config`.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::exit::Failure;

/// The most of a file that is read; one of ten thousand users has less.
const LONGEST: u64 = 16 * 1024 * 1024;

/// The longest time that can be asked for, in seconds: a year.
const LONGEST_WAIT: f64 = 365.0 * 86_400.0;

/// What `null` and an absent key leave to us is `None`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ServeFile {
    /// A name or an address; the first address of a name is listened on.
    pub(super) host: Option<String>,
    pub(super) port: Option<u16>,
    /// `memory`, or a folder, seen from the folder of this file.
    pub(super) root: Option<String>,
    pub(super) users: Option<Vec<FileUser>>,
    pub(super) max_connections: Option<usize>,
    /// Bytes a second that are read from clients: uploads.
    pub(super) read_limit: Option<u64>,
    /// Bytes a second that are written to clients: downloads.
    pub(super) write_limit: Option<u64>,
    pub(super) read_limit_per_connection: Option<u64>,
    pub(super) write_limit_per_connection: Option<u64>,
    pub(super) welcome: Option<String>,
    pub(super) system_type: Option<String>,
    pub(super) pasv_address: Option<Ipv4Addr>,
    pub(super) data_ports: Option<Vec<u16>>,
    /// Seconds.
    pub(super) idle_timeout: Option<f64>,
    /// Seconds.
    pub(super) socket_timeout: Option<f64>,
    pub(super) tls: Option<FileTls>,
}

/// One user.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FileUser {
    /// Without one the user is everybody whose name no other user has.
    pub(super) login: Option<String>,
    pub(super) password: Option<String>,
    pub(super) base: Option<String>,
    pub(super) home: Option<String>,
    pub(super) permissions: Option<Vec<FilePermission>>,
    pub(super) max_connections: Option<usize>,
    pub(super) read_limit: Option<u64>,
    pub(super) write_limit: Option<u64>,
    pub(super) read_limit_per_connection: Option<u64>,
    pub(super) write_limit_per_connection: Option<u64>,
}

impl std::fmt::Debug for FileUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileUser")
            .field("login", &self.login)
            .field("password", &self.password.as_ref().map(|_| "*****"))
            .finish_non_exhaustive()
    }
}

/// What a user may do in a part of the tree; the nearest one above a path counts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FilePermission {
    #[serde(default)]
    pub(super) path: Option<String>,
    #[serde(default)]
    pub(super) read: Option<bool>,
    #[serde(default)]
    pub(super) write: Option<bool>,
}

/// A certificate, and how it is used.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileTls {
    pub(super) cert: PathBuf,
    pub(super) key: PathBuf,
    #[serde(default)]
    pub(super) mode: Option<FileTlsMode>,
    #[serde(default)]
    pub(super) required: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum FileTlsMode {
    Explicit,
    Implicit,
}

/// The one line on standard output.
#[derive(Debug, Serialize)]
pub(super) struct Listening {
    pub(super) listening: String,
}

impl ServeFile {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// Usage, with the name of the file and what is wrong in it.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let bad =
            |error: &dyn std::fmt::Display| Failure::usage(format!("{}: {error}", path.display()));
        let length = std::fs::metadata(path).map_err(|error| bad(&error))?.len();
        if length > LONGEST {
            return Err(bad(&"it is too long to be a configuration"));
        }
        let text = std::fs::read(path).map_err(|error| bad(&error))?;
        Self::parse(&text).map_err(|error| bad(&error))
    }

    fn parse(text: &[u8]) -> Result<Self, String> {
        // A list would be taken for the values of the keys in their order.
        if !text.trim_ascii_start().starts_with(b"{") {
            return Err("it must be one JSON object".to_owned());
        }
        let file: Self = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        for (name, seconds) in [
            ("idle_timeout", file.idle_timeout),
            ("socket_timeout", file.socket_timeout),
        ] {
            // What aioftp takes for no limit at all is a mistake here.
            if seconds.is_some_and(|s| !(0.001..=LONGEST_WAIT).contains(&s)) {
                return Err(format!(
                    "{name} takes seconds, from 0.001 to a year, or null"
                ));
            }
        }
        if file
            .data_ports
            .as_ref()
            .is_some_and(|ports| ports.contains(&0))
        {
            return Err("data_ports: there is no port 0".to_owned());
        }
        let mut names = std::collections::HashSet::new();
        for user in file.users.iter().flatten() {
            if let Some(login) = &user.login
                && !names.insert(login)
            {
                return Err(format!("users: there are two of the login {login:?}"));
            }
        }
        Ok(file)
    }
}

/// Seconds as a time; they were checked.
pub(super) fn time(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds.clamp(0.001, LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn everything_can_be_said_and_nothing_must() {
        for text in ["{}", r#"{"users": null, "tls": null, "welcome": null}"#] {
            let file = ServeFile::parse(text.as_bytes()).unwrap();
            assert!(file.users.is_none() && file.tls.is_none() && file.host.is_none());
        }
        let all = br#"{"host": "127.0.0.1", "port": 0, "root": "memory",
            "users": [{"login": null, "password": null, "base": "/", "home": "/",
                       "permissions": [{"path": "/", "read": true, "write": true}],
                       "max_connections": null, "read_limit": null, "write_limit": 7}],
            "max_connections": null, "read_limit": null, "write_limit": null, "welcome": "welcome",
            "system_type": "UNIX Type: L8", "pasv_address": "192.0.2.1", "data_ports": [1, 2],
            "idle_timeout": 0.5, "socket_timeout": null,
            "tls": {"cert": "c", "key": "k", "mode": "implicit", "required": true}}"#;
        let file = ServeFile::parse(all).unwrap();
        let users = file.users.unwrap();
        assert_eq!(users[0].write_limit, Some(7));
        assert_eq!(users[0].permissions.as_ref().unwrap()[0].write, Some(true));
        assert_eq!(file.tls.unwrap().mode, Some(FileTlsMode::Implicit));
        assert_eq!(time(file.idle_timeout.unwrap()), Duration::from_millis(500));
    }

    #[test]
    fn mistakes_are_named() {
        for (text, name) in [
            (r#"{"hots": "x"}"#, "hots"),
            (r#"{"users": [{"name": "x"}]}"#, "name"),
            (
                r#"{"users": [{"permissions": [{"execute": true}]}]}"#,
                "execute",
            ),
            (r#"{"tls": {"cert": "c", "key": "k", "modus": 1}}"#, "modus"),
            (r#"{"tls": {"cert": "c"}}"#, "key"),
            (
                r#"{"tls": {"cert": "c", "key": "k", "mode": "both"}}"#,
                "both",
            ),
            (r#"{"port": 65536}"#, "65536"),
            (r#"{"max_connections": -1}"#, "-1"),
            (r#"{"pasv_address": "example"}"#, "IPv4"),
            (r#"{"data_ports": [0]}"#, "data_ports"),
            (r#"{"idle_timeout": 0}"#, "idle_timeout"),
            (r#"{"socket_timeout": 1e300}"#, "socket_timeout"),
            (r#"{"users": [{"login": "a"}, {"login": "a"}]}"#, "\"a\""),
            ("[]", "object"),
            ("{", "EOF"),
        ] {
            let error = ServeFile::parse(text.as_bytes()).unwrap_err();
            assert!(error.contains(name), "{text}: {error}");
        }
    }

    #[test]
    fn passwords_stay_hidden() {
        let file = ServeFile::parse(br#"{"users": [{"login": "a", "password": "hunter2"}]}"#);
        let shown = format!("{file:?}");
        assert!(
            shown.contains("*****") && !shown.contains("hunter2"),
            "{shown}"
        );
    }
}
