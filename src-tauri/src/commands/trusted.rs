//! The certificates that are trusted by hand.

use super::{Shared, blocking};
use crate::{
    dto::TrustedCertificate,
    error::{AppError, Result},
    state::Vault,
};

/// All of them, in the order in which their hosts were first trusted.
#[tauri::command]
#[specta::specta]
pub(crate) async fn list_trusted(shell: Shared<'_>) -> Result<Vec<TrustedCertificate>> {
    let vault = shell.vault.clone();
    blocking(move || list(&vault)).await
}

/// Trusts the certificate of a host and port no longer: the next connect asks again. What is connected stays so.
#[tauri::command]
#[specta::specta]
pub(crate) async fn forget_trusted(shell: Shared<'_>, host: String, port: u32) -> Result<()> {
    let vault = shell.vault.clone();
    blocking(move || forget(&vault, &host, port)).await
}

fn list(vault: &Vault) -> Result<Vec<TrustedCertificate>> {
    let trusted = vault.trusted.list()?;
    Ok(trusted.into_iter().map(TrustedCertificate::from).collect())
}

fn forget(vault: &Vault, host: &str, port: u32) -> Result<()> {
    let port =
        u16::try_from(port).map_err(|_| AppError::argument("A port is a number up to 65535."))?;
    // That it was not trusted is what was wanted.
    vault.trusted.forget(host, port)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use vault::{Fingerprint, Folders, MemorySecrets};

    use super::*;

    #[test]
    fn what_is_trusted_is_shown_and_can_be_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let folders = Folders::new(dir.path().join("config"), dir.path().join("data"));
        let vault = Vault::new(&folders, Arc::new(MemorySecrets::new()));
        let print = Fingerprint::parse(&"ab".repeat(32)).unwrap();
        let at = jiff::Timestamp::from_second(2).unwrap();
        for port in [21, 990] {
            vault
                .trusted
                .pin("Host", port, print.clone(), "CN=host", at)
                .unwrap();
        }
        let shown = serde_json::to_value(&list(&vault).unwrap()[0]).unwrap();
        let expected = serde_json::json!({
            "host": "host",
            "port": 21,
            "fingerprint": print.as_str(),
            "subject": "CN=host",
            "trustedAt": 2000.0,
        });
        assert_eq!(shown, expected);

        forget(&vault, "host", 21).unwrap();
        forget(&vault, "host", 21).unwrap();
        let left = list(&vault).unwrap();
        assert_eq!((left.len(), left[0].port), (1, 990));
        // Not the port that it would be cut to.
        assert!(forget(&vault, "host", 65536 + 990).is_err());
        assert_eq!(list(&vault).unwrap().len(), 1);
    }
}
