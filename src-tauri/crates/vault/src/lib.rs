//! Sites, settings, secrets in the OS keyring, and trusted certificates.
//!
//! Three small files hold what is not secret: [`Sites`] (`sites.json`), [`Trusted`] (`trusted.json`) and
//! [`SettingsFile`] (`settings.json`). They share one mechanism: readable JSON with a version, written atomically with
//! mode 0600, changed under a lock that other processes respect. A damaged file or one of a newer version is an error
//! and is never overwritten; fields that this version does not know are kept.
//!
//! Secrets are in the OS keyring and nowhere else: see [`SecretStore`] and [`Keyring`].
//!
//! Everything here blocks (disk, D-Bus, a person who is asked to unlock the keyring): from async code, call it on a
//! thread for blocking work, such as `tokio::task::spawn_blocking`.
#![warn(missing_docs)]

mod about;
mod data;
mod document;
mod error;
mod folders;
mod keyring_store;
mod network;
mod secret;
mod settings;
mod site;
mod sites;
mod transfers;
mod trusted;

pub use about::{Bookmark, Colour};
pub use data::{Compression, DataSettings, PassiveCommand};
pub use error::{Error, Field, Problem, Result};
pub use folders::{Folders, NoHome};
pub use keyring_store::{KEYRING_SERVICE, Keyring};
pub use network::{NetworkSettings, TlsVersion};
pub use secret::{
    KeyringStatus, MemorySecrets, Secret, SecretError, SecretErrorKind, SecretStore, login_account,
};
pub use settings::{Settings, SettingsFile, Theme};
pub use site::{Site, SiteId, TlsMode};
pub use sites::Sites;
pub use transfers::{ConflictRule, SpeedLimits, UploadName};
pub use trusted::{Fingerprint, FingerprintError, Trusted, TrustedCertificate};
