//! Saved sites.

use serde::{Deserialize, Serialize};
use specta::Type;

use super::{ConflictRule, Limits, TlsMode};
use crate::error::AppError;

/// A saved site, without its password.
#[derive(Clone, Debug, PartialEq, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Site {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) host: String,
    /// None: the usual one of the TLS mode.
    pub(crate) port: Option<u32>,
    pub(crate) user: String,
    pub(crate) tls: TlsMode,
    /// Where the remote pane starts; empty: where the login puts us.
    pub(crate) remote_path: String,
    /// Where the local pane starts; empty: where it is.
    pub(crate) local_path: String,
    pub(crate) passive: bool,
    pub(crate) allow_plaintext: bool,
    /// 1 to 64 at once; None: as many as the program thinks best.
    pub(crate) connections: Option<u32>,
    pub(crate) limits: Limits,
    /// None: as the settings say.
    pub(crate) conflict: Option<ConflictRule>,
    /// Uploads are written under a temporary name until they are complete.
    pub(crate) temporary_names: bool,
    pub(crate) keep_permissions: bool,
    /// The keyring holds its password.
    pub(crate) password_stored: bool,
}

/// A site as the person edited it.
#[derive(Clone, Debug, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SiteInput {
    /// None: a new site.
    pub(crate) id: Option<String>,
    pub(crate) name: String,
    pub(crate) host: String,
    pub(crate) port: Option<u32>,
    pub(crate) user: String,
    pub(crate) tls: TlsMode,
    pub(crate) remote_path: String,
    pub(crate) local_path: String,
    pub(crate) passive: bool,
    pub(crate) allow_plaintext: bool,
    /// 1 to 64 at once; None: as many as the program thinks best.
    pub(crate) connections: Option<u32>,
    pub(crate) limits: Limits,
    /// None: as the settings say.
    pub(crate) conflict: Option<ConflictRule>,
    /// Uploads are written under a temporary name until they are complete.
    pub(crate) temporary_names: bool,
    pub(crate) keep_permissions: bool,
}

impl From<vault::Site> for Site {
    fn from(site: vault::Site) -> Self {
        Self {
            id: site.id.into(),
            name: site.name,
            host: site.host,
            port: site.port.map(u32::from),
            user: site.user,
            tls: site.tls.into(),
            remote_path: site.remote_path,
            local_path: site.local_path,
            passive: site.passive,
            allow_plaintext: site.allow_plaintext,
            connections: site.connections.map(u32::from),
            limits: site.limits.into(),
            conflict: site.conflict.map(ConflictRule::from),
            temporary_names: site.upload_name == vault::UploadName::Temporary,
            keep_permissions: site.keep_permissions,
            password_stored: site.remember_password,
        }
    }
}

impl SiteInput {
    /// What is to be saved: `known`, changed to what the person edited, or a new site.
    ///
    /// # Errors
    /// For a port that is none, or more than 64 connections.
    pub(crate) fn into_site(self, known: Option<vault::Site>) -> Result<vault::Site, AppError> {
        let port = match self.port {
            None => None,
            Some(port) => match u16::try_from(port) {
                Ok(port) if port != 0 => Some(port),
                _ => {
                    return Err(AppError::argument(
                        "The port must be a number from 1 to 65535.",
                    ));
                }
            },
        };
        let connections = match self.connections {
            None => None,
            Some(count) => match u8::try_from(count) {
                Ok(count @ 1..=64) => Some(count),
                _ => {
                    return Err(AppError::argument(
                        "The connections must be a number from 1 to 64.",
                    ));
                }
            },
        };
        let mut site = match known {
            Some(site) => site,
            None => vault::Site::new(String::new())?,
        };
        site.name = self.name.trim().to_owned();
        site.host = self.host.trim().to_owned();
        site.port = port;
        site.user = self.user;
        site.tls = self.tls.into();
        site.remote_path = self.remote_path;
        site.local_path = self.local_path;
        site.passive = self.passive;
        site.allow_plaintext = self.allow_plaintext;
        site.connections = connections;
        site.limits = self.limits.into();
        site.conflict = self.conflict.map(Into::into);
        site.upload_name = if self.temporary_names {
            vault::UploadName::Temporary
        } else {
            vault::UploadName::Final
        };
        site.keep_permissions = self.keep_permissions;
        Ok(site)
    }
}

/// What came of deleting a site.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SiteDeleted {
    /// Why its password may still be in the keyring.
    pub(crate) password_left: Option<AppError>,
}

/// What happens to a site's password when the site is saved.
#[derive(Clone, Deserialize, Type)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub(crate) enum PasswordChange {
    /// Nothing.
    Keep,
    /// It is removed from the keyring.
    Forget,
    /// It is put into the keyring.
    Store { password: String },
}

impl std::fmt::Debug for PasswordChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Keep => "Keep",
            Self::Forget => "Forget",
            Self::Store { .. } => "Store(*****)",
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn input(port: Option<u32>) -> SiteInput {
        SiteInput {
            id: None,
            name: " Shop ".into(),
            host: "ftp.example.com ".into(),
            port,
            user: "me".into(),
            tls: TlsMode::Explicit,
            remote_path: "/www".into(),
            local_path: String::new(),
            passive: true,
            allow_plaintext: false,
            connections: None,
            limits: Limits::default(),
            conflict: None,
            temporary_names: true,
            keep_permissions: false,
        }
    }

    #[test]
    fn an_edited_site_keeps_what_was_not_edited() {
        let mut known = vault::Site::new("old").unwrap();
        known.remember_password = true;
        let id = known.id.clone();
        let site = input(Some(2121)).into_site(Some(known)).unwrap();
        assert!(site.id == id && site.remember_password);
        let site = Site::from(site);
        assert_eq!(
            (site.name.as_str(), site.host.as_str()),
            ("Shop", "ftp.example.com")
        );
        assert_eq!(
            (site.port, site.tls, site.password_stored),
            (Some(2121), TlsMode::Explicit, true)
        );
    }

    #[test]
    fn a_port_is_1_to_65535() {
        assert!(input(None).into_site(None).unwrap().port.is_none());
        for port in [0, 65536, u32::MAX] {
            assert!(input(Some(port)).into_site(None).is_err(), "{port}");
        }
    }

    #[test]
    fn connections_are_1_to_64() {
        let with = |count| SiteInput {
            connections: Some(count),
            ..input(None)
        };
        let site = with(64).into_site(None).unwrap();
        assert_eq!(Site::from(site).connections, Some(64));
        for count in [0, 65, 256] {
            assert!(with(count).into_site(None).is_err(), "{count}");
        }
    }

    #[test]
    fn debug_shows_no_password() {
        let change = PasswordChange::Store {
            password: "hunter2".into(),
        };
        assert_eq!(format!("{change:?}"), "Store(*****)");
    }
}
