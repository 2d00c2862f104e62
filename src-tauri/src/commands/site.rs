//! Saved sites.

use vault::{Secret, SecretErrorKind, SiteId};

use super::{Shared, blocking};
use crate::{
    dto::{PasswordChange, Site, SiteInput},
    error::{AppError, Result},
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
    blocking(move || {
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
        Ok::<_, AppError>(vault.sites.save(site)?.into())
    })
    .await
}

/// Deletes a site and its password.
#[tauri::command]
#[specta::specta]
pub(crate) async fn delete_site(shell: Shared<'_>, id: String) -> Result<()> {
    let vault = shell.vault.clone();
    blocking(move || {
        let id = SiteId::try_from(id)?;
        let site = vault.sites.get(&id)?;
        vault.sites.delete(&id)?;
        if site.remember_password {
            forget(&*vault.secrets, id.as_str())?;
        }
        Ok::<_, AppError>(())
    })
    .await
}

/// Forgets a password; that it was not there is what was wanted.
fn forget(secrets: &dyn vault::SecretStore, account: &str) -> Result<()> {
    match secrets.delete(account) {
        Err(error) if error.kind() != SecretErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}
