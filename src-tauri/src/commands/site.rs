//! Saved sites.

use vault::{Secret, SecretErrorKind, SiteId};

use super::{Shared, blocking};
use crate::{
    dto::{PasswordChange, Site, SiteDeleted, SiteInput},
    error::{AppError, Result},
    state::Vault,
};

/// All saved sites, in the order in which they were first saved.
#[tauri::command]
#[specta::specta]
pub(crate) async fn list_sites(shell: Shared<'_>) -> Result<Vec<Site>> {
    let sites = shell.vault.sites.clone();
    let sites = blocking(move || sites.list()).await?;
    Ok(sites.into_iter().map(Site::from).collect())
}

/// Saves a site, and does with its password what was asked.
///
/// The keyring goes first: if it fails, the site stays as it was, and the window can offer to save it without.
#[tauri::command]
#[specta::specta]
pub(crate) async fn save_site(
    shell: Shared<'_>,
    site: SiteInput,
    password: PasswordChange,
) -> Result<Site> {
    let vault = shell.vault.clone();
    let saved = blocking(move || {
        let known = match &site.id {
            Some(id) => Some(vault.sites.get(&SiteId::try_from(id.clone())?)?),
            None => None,
        };
        let mut site = site.into_site(known)?;
        site.check()?;
        match password {
            PasswordChange::Keep => {}
            PasswordChange::Store { password } => {
                vault
                    .secrets
                    .set(site.id.as_str(), &Secret::new(password))?;
                site.remember_password = true;
            }
            PasswordChange::Forget => {
                if site.remember_password {
                    forget(&*vault.secrets, site.id.as_str())?;
                }
                site.remember_password = false;
            }
        }
        Ok::<_, AppError>(vault.sites.save(site)?)
    })
    .await?;
    shell.queue.site_saved(&saved);
    Ok(saved.into())
}

/// Deletes a site and its password. A keyring that does not answer must not keep the site: what may be left there is
/// told.
#[tauri::command]
#[specta::specta]
pub(crate) async fn delete_site(shell: Shared<'_>, id: String) -> Result<SiteDeleted> {
    let vault = shell.vault.clone();
    blocking(move || delete(&vault, id)).await
}

fn delete(vault: &Vault, id: String) -> Result<SiteDeleted> {
    let id = SiteId::try_from(id)?;
    let site = vault.sites.get(&id)?;
    // The password first: nothing points to it once the site is gone.
    let forgotten = if site.remember_password {
        forget(&*vault.secrets, id.as_str())
    } else {
        Ok(())
    };
    vault.sites.delete(&id)?;
    Ok(SiteDeleted {
        password_left: forgotten.err(),
    })
}

/// Forgets a password; that it was not there is what was wanted.
fn forget(secrets: &dyn vault::SecretStore, account: &str) -> Result<()> {
    match secrets.delete(account) {
        Err(error) if error.kind() != SecretErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    };

    use vault::{Folders, KeyringStatus, MemorySecrets, SecretError, SecretStore};

    use super::*;
    use crate::error::ErrorCode;

    /// A keyring that can go away.
    #[derive(Default)]
    struct Keyring {
        gone: AtomicBool,
        secrets: MemorySecrets,
    }

    impl Keyring {
        /// The account, or one that every store refuses.
        fn of<'a>(&self, account: &'a str) -> &'a str {
            if self.gone.load(Ordering::Relaxed) {
                ""
            } else {
                account
            }
        }
    }

    impl SecretStore for Keyring {
        fn get(&self, account: &str) -> std::result::Result<Secret, SecretError> {
            self.secrets.get(self.of(account))
        }

        fn set(&self, account: &str, secret: &Secret) -> std::result::Result<(), SecretError> {
            self.secrets.set(self.of(account), secret)
        }

        fn delete(&self, account: &str) -> std::result::Result<(), SecretError> {
            self.secrets.delete(self.of(account))
        }

        fn status(&self) -> KeyringStatus {
            self.secrets.status()
        }
    }

    /// A vault with one site, whose password is in the keyring.
    fn with_a_site() -> (tempfile::TempDir, Vault, Arc<Keyring>, String) {
        let dir = tempfile::tempdir().unwrap();
        let folders = Folders::new(dir.path().join("config"), dir.path().join("data"));
        let keyring = Arc::new(Keyring::default());
        let vault = Vault::new(&folders, Arc::clone(&keyring) as Arc<dyn SecretStore>);
        let mut site = vault::Site::new("host").unwrap();
        site.remember_password = true;
        let id = String::from(vault.sites.save(site).unwrap().id);
        keyring.set(&id, &Secret::new("pw")).unwrap();
        (dir, vault, keyring, id)
    }

    #[test]
    fn a_site_goes_with_its_password() {
        let (_dir, vault, keyring, id) = with_a_site();
        assert_eq!(delete(&vault, id.clone()).unwrap().password_left, None);
        assert!(vault.sites.list().unwrap().is_empty() && keyring.get(&id).is_err());
        let error = delete(&vault, id).unwrap_err();
        assert_eq!(error.code, ErrorCode::SiteNotFound);
    }

    #[test]
    fn a_password_that_is_gone_already_is_no_failure() {
        let (_dir, vault, keyring, id) = with_a_site();
        keyring.delete(&id).unwrap();
        assert_eq!(delete(&vault, id).unwrap().password_left, None);
        assert!(vault.sites.list().unwrap().is_empty());
    }

    #[test]
    fn without_the_keyring_a_site_goes_and_what_is_left_is_told() {
        let (_dir, vault, keyring, id) = with_a_site();
        keyring.gone.store(true, Ordering::Relaxed);
        let left = delete(&vault, id).unwrap().password_left.unwrap();
        assert_eq!(left.code, ErrorCode::Keyring);
        assert!(vault.sites.list().unwrap().is_empty());
    }
}
