//! The keyring of the operating system: Secret Service on Linux, Keychain on macOS, Credential Manager on Windows.

use keyring::{Entry, Error};
use zeroize::Zeroizing;

use crate::secret::{
    KeyringStatus, Secret, SecretError, SecretErrorKind, SecretStore, check_account, nothing_kept,
};

/// The service under which all secrets of this program are kept.
pub const KEYRING_SERVICE: &str = "slipway";

/// The keyring of the operating system. It is found once per process, at the first use: a keyring service that is
/// started later is seen after a restart of the program.
///
/// All functions block: they speak D-Bus, and the service may ask a person to unlock the keyring.
#[derive(Debug, Clone, Copy, Default)]
pub struct Keyring;

impl SecretStore for Keyring {
    fn get(&self, account: &str) -> Result<Secret, SecretError> {
        entry(account)?
            .get_password()
            .map(Secret::new)
            .map_err(into_error)
    }

    fn set(&self, account: &str, secret: &Secret) -> Result<(), SecretError> {
        entry(account)?
            .set_password(secret.expose())
            .map_err(into_error)
    }

    fn delete(&self, account: &str) -> Result<(), SecretError> {
        entry(account)?.delete_credential().map_err(into_error)
    }

    fn status(&self) -> KeyringStatus {
        match Entry::store_status() {
            Ok(()) => KeyringStatus::Available,
            Err(error) => KeyringStatus::Unavailable {
                message: unavailable_message(error),
            },
        }
    }
}

fn entry(account: &str) -> Result<Entry, SecretError> {
    check_account(account)?;
    if let Err(error) = Entry::store_status() {
        return Err(SecretError::new(
            SecretErrorKind::Unavailable,
            unavailable_message(error),
        ));
    }
    Entry::new(KEYRING_SERVICE, account).map_err(into_error)
}

fn unavailable_message(error: &Error) -> String {
    let help = if cfg!(target_os = "linux") {
        " On Linux, install and start one (GNOME Keyring or KWallet), then start this program again."
    } else {
        ""
    };
    format!("No keyring service is running, so passwords can't be remembered.{help} ({error})")
}

/// Nothing of the original error is kept but its words: some variants carry the secret's bytes in their `Debug`.
fn into_error(error: Error) -> SecretError {
    use SecretErrorKind::{Locked, Other, Unavailable};
    match error {
        Error::NoEntry => nothing_kept(),
        Error::NoStorageAccess(why) => SecretError::new(
            Locked,
            format!("The keyring is locked or was not unlocked ({why})."),
        ),
        Error::NoDefaultStore => SecretError::new(Unavailable, unavailable_message(&error)),
        Error::BadEncoding(bytes) => {
            drop(Zeroizing::new(bytes));
            SecretError::new(Other, "The keyring's password is not text.")
        }
        Error::BadDataFormat(bytes, _) => {
            drop(Zeroizing::new(bytes));
            SecretError::new(Other, "The keyring's password is damaged.")
        }
        Error::Ambiguous(entries) => SecretError::new(
            Other,
            format!(
                "The keyring has {} passwords for this account.",
                entries.len()
            ),
        ),
        other => SecretError::new(Other, format!("The keyring failed: {other}")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn errors_have_kinds_and_never_show_bytes() {
        let boxed = || -> Box<dyn std::error::Error + Send + Sync> { "dismissed".into() };
        let cases = [
            (Error::NoEntry, SecretErrorKind::NotFound),
            (Error::NoStorageAccess(boxed()), SecretErrorKind::Locked),
            (Error::NoDefaultStore, SecretErrorKind::Unavailable),
            (
                Error::BadEncoding(b"hunter2\xff".to_vec()),
                SecretErrorKind::Other,
            ),
            (
                Error::BadDataFormat(b"hunter2".to_vec(), boxed()),
                SecretErrorKind::Other,
            ),
            (Error::PlatformFailure(boxed()), SecretErrorKind::Other),
        ];
        for (error, kind) in cases {
            let error = into_error(error);
            assert_eq!(error.kind(), kind);
            let text = format!("{error} {error:?}");
            // The bytes as text, and as Debug prints a Vec<u8>.
            assert!(
                !text.contains("hunter") && !text.contains("104, 117"),
                "{text}"
            );
        }
    }
}
