//! One site.

use serde::{Deserialize, Serialize};

use crate::about::{self, Bookmark, Colour};
use crate::data::DataSettings;
use crate::document::Extra;
use crate::error::{Error, Field, Problem, Result, check_host, check_port, check_text};
use crate::network::NetworkSettings;
use crate::transfers::{ConflictRule, SpeedLimits, UploadName};

/// The name of a site for machines: 32 hexadecimal digits of randomness, made once. Also the account of its password
/// in the keyring.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SiteId(String);

impl SiteId {
    /// A new id from the system's randomness.
    ///
    /// # Errors
    /// [`Error::Random`] if the system has none to give.
    pub fn random() -> Result<Self> {
        let mut bytes = [0u8; 16];
        getrandom::fill(&mut bytes).map_err(|error| Error::Random(error.to_string()))?;
        Ok(Self(bytes.iter().map(|b| format!("{b:02x}")).collect()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for SiteId {
    type Error = Error;

    /// Accepts 1 to 64 letters, digits, `-` and `_`, so that a file written by hand may have ids of its own.
    fn try_from(text: String) -> Result<Self> {
        let problem = if text.is_empty() {
            Problem::Empty
        } else if text.len() > 64 {
            Problem::TooLong(64)
        } else if let Some((at, _)) = text
            .char_indices()
            .find(|(_, c)| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_')))
        {
            Problem::ForbiddenCharacter(at)
        } else {
            return Ok(Self(text));
        };
        Err(Error::Invalid {
            field: Field::Id,
            problem,
        })
    }
}

impl From<SiteId> for String {
    fn from(id: SiteId) -> String {
        id.0
    }
}

impl std::fmt::Display for SiteId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a site's connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TlsMode {
    /// The best that the server offers.
    #[default]
    Auto,
    /// AUTH TLS, or no connection (RFC 4217).
    Explicit,
    /// TLS from the first byte, usually on port 990.
    Implicit,
    /// None.
    Off,
}

/// A saved site.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Site {
    /// Its name for machines.
    pub id: SiteId,
    /// Its name for people; may be empty, then the host serves.
    #[serde(default)]
    pub name: String,
    /// Host name or address, without brackets or port.
    pub host: String,
    /// 1 to 65535; `None` is the usual port of the TLS mode.
    #[serde(default)]
    pub port: Option<u16>,
    /// The user; empty for an anonymous login.
    #[serde(default)]
    pub user: String,
    /// How the connection is encrypted.
    #[serde(default)]
    pub tls: TlsMode,
    /// The remote folder to begin in; empty for the server's choice.
    #[serde(default)]
    pub remote_path: String,
    /// The local folder to begin in; empty for where the pane is.
    #[serde(default)]
    pub local_path: String,
    /// Whether the server opens the ports for data (passive mode).
    #[serde(default = "yes")]
    pub passive: bool,
    /// Whether the password may go over an unencrypted connection.
    #[serde(default)]
    pub allow_plaintext: bool,
    /// Whether a password for this site was put into the keyring.
    #[serde(default)]
    pub remember_password: bool,
    /// At most so many connections move files at once, 1 to 64; `None`: as many as the program thinks best.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<u8>,
    /// Limits of speed for this site alone.
    #[serde(default, skip_serializing_if = "SpeedLimits::is_none")]
    pub limits: SpeedLimits,
    /// What happens where a target exists; `None`: what is chosen for all sites.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflict: Option<ConflictRule>,
    /// Under which name uploads are written.
    #[serde(default)]
    pub upload_name: UploadName,
    /// Whether files keep their permissions.
    #[serde(default)]
    pub keep_permissions: bool,
    /// The charset of the server's names by its label, such as `windows-1251`; `None`: UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charset: Option<String>,
    /// How long to wait for a connection, a reply or the next byte, in seconds, 1 to 86,400; `None`: 30.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u32>,
    /// The way there: proxy, certificate, versions of TLS.
    #[serde(default, skip_serializing_if = "NetworkSettings::is_default")]
    pub network: NetworkSettings,
    /// How data connections are made.
    #[serde(default, skip_serializing_if = "DataSettings::is_default")]
    pub data: DataSettings,
    /// The folders of the list that it stands in, the outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub folder: Vec<String>,
    /// The colour of its mark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub colour: Option<Colour>,
    /// What a person wrote about it; may have several lines.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub notes: String,
    /// Places in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bookmarks: Vec<Bookmark>,
    #[serde(flatten)]
    pub(crate) extra: Extra,
}

/// A day, and one second.
const LONGEST_TIMEOUT: u32 = 86_401;

/// No site is sent more connections at once.
const MOST_CONNECTIONS: u8 = 64;

fn yes() -> bool {
    true
}

impl Site {
    /// A new site at this host with a new id; the rest is as a person most often wants it.
    ///
    /// # Errors
    /// [`Error::Random`] if the system has no randomness to give.
    pub fn new(host: impl Into<String>) -> Result<Self> {
        Ok(Self::with_id(SiteId::random()?, host))
    }

    /// As [`new`](Self::new), for an id that is known: to change a saved site.
    pub fn with_id(id: SiteId, host: impl Into<String>) -> Self {
        Self {
            id,
            name: String::new(),
            host: host.into(),
            port: None,
            user: String::new(),
            tls: TlsMode::Auto,
            remote_path: String::new(),
            local_path: String::new(),
            passive: true,
            allow_plaintext: false,
            remember_password: false,
            connections: None,
            limits: SpeedLimits::default(),
            conflict: None,
            upload_name: UploadName::Temporary,
            keep_permissions: false,
            charset: None,
            timeout: None,
            network: NetworkSettings::default(),
            data: DataSettings::default(),
            folder: Vec::new(),
            colour: None,
            notes: String::new(),
            bookmarks: Vec::new(),
            extra: Extra::default(),
        }
    }

    /// Whether every field can be stored and used: a host, a port that exists, 1 to 64 connections, no control
    /// characters anywhere.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the first field that can't.
    pub fn check(&self) -> Result<()> {
        check_text(Field::Name, &self.name)?;
        check_host(&self.host)?;
        self.port.map_or(Ok(()), check_port)?;
        check_text(Field::User, &self.user)?;
        check_text(Field::RemotePath, &self.remote_path)?;
        check_text(Field::LocalPath, &self.local_path)?;
        check_text(Field::Charset, self.charset.as_deref().unwrap_or_default())?;
        match self.timeout {
            Some(0) | Some(LONGEST_TIMEOUT..) => {
                return Err(Error::Invalid {
                    field: Field::Timeout,
                    problem: Problem::OutOfRange(1, LONGEST_TIMEOUT - 1),
                });
            }
            _ => {}
        }
        self.network.check()?;
        about::check(&self.folder, &self.notes, &self.bookmarks)?;
        if !self.data.has_sound_ports() {
            return Err(Error::Invalid {
                field: Field::ActivePorts,
                problem: Problem::OutOfRange(1, u16::MAX.into()),
            });
        }
        match self.connections {
            Some(count) if !(1..=MOST_CONNECTIONS).contains(&count) => Err(Error::Invalid {
                field: Field::Connections,
                problem: Problem::OutOfRange(1, MOST_CONNECTIONS.into()),
            }),
            _ => Ok(()),
        }
    }
}
