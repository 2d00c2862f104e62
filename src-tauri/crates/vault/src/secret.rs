//! Secrets: a type that does not show itself, and the trait of a place that keeps them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use zeroize::Zeroizing;

/// A password. `Debug` and `Display` print `*****`; there is no way to serialise it; the memory is overwritten when it
/// is dropped (as far as the allocator kept no copies).
///
/// ```compile_fail
/// serde_json::to_string(&vault::Secret::new("hunter2"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a text in.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("*****")
    }
}

impl std::fmt::Display for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("*****")
    }
}

/// A place that keeps secrets by account. All functions block, and may wait for a person who is asked to unlock the
/// keyring.
pub trait SecretStore: Send + Sync {
    /// The secret of an account.
    ///
    /// # Errors
    /// [`SecretErrorKind::NotFound`] if none is kept; the others as their kinds say.
    fn get(&self, account: &str) -> Result<Secret, SecretError>;

    /// Keeps a secret, in place of the one that was kept for the account.
    ///
    /// # Errors
    /// As their kinds say.
    fn set(&self, account: &str, secret: &Secret) -> Result<(), SecretError>;

    /// Forgets a secret.
    ///
    /// # Errors
    /// [`SecretErrorKind::NotFound`] if none is kept; the others as their kinds say.
    fn delete(&self, account: &str) -> Result<(), SecretError>;

    /// Whether secrets can be kept at all.
    fn status(&self) -> KeyringStatus;
}

/// Whether secrets can be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyringStatus {
    /// They can.
    Available,
    /// They can't, with words for people.
    Unavailable {
        /// Why not, and what helps.
        message: String,
    },
}

/// Why a secret could not be had or kept. The words are for people and never contain a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SecretError {
    kind: SecretErrorKind,
    message: String,
}

/// The kinds of [`SecretError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecretErrorKind {
    /// There is no keyring service. Ask for the password each time.
    Unavailable,
    /// The keyring is locked and was not unlocked.
    Locked,
    /// Nothing is kept for this account.
    NotFound,
    /// Something else, which the words say.
    Other,
}

impl SecretError {
    pub(crate) fn new(kind: SecretErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    /// Which kind of error this is.
    pub fn kind(&self) -> SecretErrorKind {
        self.kind
    }
}

/// The account under which a login without a saved site keeps its password: `user@host:port`, the host in lower case,
/// an IPv6 address in brackets.
pub fn login_account(user: &str, host: &str, port: u16) -> String {
    let host = host.to_lowercase();
    if host.contains(':') {
        format!("{user}@[{host}]:{port}")
    } else {
        format!("{user}@{host}:{port}")
    }
}

/// Refuses accounts that no store can tell apart.
pub(crate) fn check_account(account: &str) -> Result<(), SecretError> {
    if account.is_empty() || account.len() > 4096 || account.contains('\0') {
        return Err(SecretError::new(
            SecretErrorKind::Other,
            "the account of a secret must be 1 to 4096 bytes without NUL",
        ));
    }
    Ok(())
}

/// A store in memory that forgets everything when it is dropped: for tests, and for a session without a keyring.
#[derive(Default)]
pub struct MemorySecrets(Mutex<HashMap<String, Secret>>);

impl MemorySecrets {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn with<R>(&self, use_map: impl FnOnce(&mut HashMap<String, Secret>) -> R) -> R {
        // The map is whole after any single operation, so a panic elsewhere does not spoil it.
        use_map(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl std::fmt::Debug for MemorySecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemorySecrets").finish_non_exhaustive()
    }
}

impl SecretStore for MemorySecrets {
    fn get(&self, account: &str) -> Result<Secret, SecretError> {
        check_account(account)?;
        self.with(|map| map.get(account).cloned())
            .ok_or_else(nothing_kept)
    }

    fn set(&self, account: &str, secret: &Secret) -> Result<(), SecretError> {
        check_account(account)?;
        self.with(|map| map.insert(account.to_owned(), secret.clone()));
        Ok(())
    }

    fn delete(&self, account: &str) -> Result<(), SecretError> {
        check_account(account)?;
        self.with(|map| map.remove(account))
            .map(|_| ())
            .ok_or_else(nothing_kept)
    }

    fn status(&self) -> KeyringStatus {
        KeyringStatus::Available
    }
}

pub(crate) fn nothing_kept() -> SecretError {
    SecretError::new(
        SecretErrorKind::NotFound,
        "the keyring has no password for this account",
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn nothing_that_prints_shows_a_secret() {
        let secret = Secret::new("hunter2");
        assert_eq!(
            format!("{secret} {secret:?} {secret:#?}"),
            "***** ***** *****"
        );
        let store = MemorySecrets::new();
        store.set("account", &secret).unwrap();
        let nested = Some(vec![Ok::<_, SecretError>(store.get("account").unwrap())]);
        for text in [
            format!("{store:?}"),
            format!("{store:#?}"),
            format!("{nested:?}"),
        ] {
            assert!(!text.contains("hunter"), "{text}");
        }
    }

    #[test]
    fn a_password_in_a_file_by_hand_is_not_printed() {
        // The vault never writes one, but a person may have put one there.
        let dir = tempfile::tempdir().unwrap();
        let folders = crate::Folders::new(dir.path(), dir.path());
        std::fs::write(
            dir.path().join("sites.json"),
            r#"{"version":1,"sites":[{"id":"s","host":"h","password":"hunter2"}]}"#,
        )
        .unwrap();
        let sites = crate::Sites::new(&folders).list().unwrap();
        let text = format!("{sites:?} {sites:#?}");
        assert!(!text.contains("hunter"), "{text}");
    }

    #[test]
    fn memory_keeps_replaces_and_forgets() {
        let store = MemorySecrets::new();
        assert_eq!(
            store.get("a").unwrap_err().kind(),
            SecretErrorKind::NotFound
        );
        store.set("a", &Secret::new("1")).unwrap();
        store.set("a", &Secret::new("2")).unwrap();
        assert_eq!(store.get("a").unwrap().expose(), "2");
        store.delete("a").unwrap();
        assert_eq!(
            store.delete("a").unwrap_err().kind(),
            SecretErrorKind::NotFound
        );
        assert_eq!(
            store.set("", &Secret::new("x")).unwrap_err().kind(),
            SecretErrorKind::Other
        );
    }

    #[test]
    fn accounts_of_logins() {
        assert_eq!(
            login_account("me", "Host.Example", 21),
            "me@host.example:21"
        );
        assert_eq!(login_account("me", "::1", 2121), "me@[::1]:2121");
    }
}
