//! Sharing folders of this computer. Nothing is open before `share_folder`.

use std::{path::PathBuf, sync::Arc};

use ftp_server::generate_password;
use tauri::ipc::Channel;

use super::{Shared, blocking};
use crate::{
    dto::{QrCode, Share, ShareDraft, ShareLimits, ShareRequest, ShownPassword},
    error::{AppError, ErrorCode, Result},
    state::{
        Shell,
        folder::{Folder, home},
        listings::EntryName,
        sharing::{networks, wide},
    },
};

/// Who visitors log in as, unless the person says so.
const USER: &str = "guest";

/// What is to be decided before a folder is shared: the one of a row, or the listing's own. Opens nothing.
#[tauri::command]
#[specta::specta]
pub(crate) async fn prepare_share(
    shell: Shared<'_>,
    listing: u32,
    row: Option<u32>,
) -> Result<ShareDraft> {
    prepare(&shell, listing, row).await
}

pub(crate) async fn prepare(
    shell: &Arc<Shell>,
    listing: u32,
    row: Option<u32>,
) -> Result<ShareDraft> {
    let path = path_of(shell, listing, row)?;
    let (path, networks, wide) = blocking(move || {
        // The real one: what is shared stays the same when a link on the way there is changed.
        let path = path.canonicalize()?;
        if !path.is_dir() {
            return Err(std::io::Error::from(std::io::ErrorKind::NotADirectory));
        }
        let home = home().canonicalize().unwrap_or_else(|_| home());
        let wide = wide(&path, &home);
        Ok((path, networks(), wide))
    })
    .await?;
    let shared = shell.sharing.id_of(&path);
    let folder = Folder::Local(path);
    Ok(ShareDraft {
        place: shell.places.id(&folder),
        name: folder.last_label(),
        path: folder.label(),
        shared,
        user: USER.to_owned(),
        password: password()?,
        networks,
        wide,
    })
}

/// A new password that nobody can guess.
#[tauri::command]
#[specta::specta]
pub(crate) async fn new_password() -> Result<ShownPassword> {
    password()
}

/// Shares a folder from now on, until it is stopped or the program ends.
#[tauri::command]
#[specta::specta]
pub(crate) async fn share_folder(shell: Shared<'_>, request: ShareRequest) -> Result<Share> {
    share(&shell, request).await
}

pub(crate) async fn share(shell: &Arc<Shell>, request: ShareRequest) -> Result<Share> {
    match shell.places.folder(request.place) {
        Some(Folder::Local(path)) => shell.sharing.start(path, request).await,
        Some(Folder::Remote { .. }) => Err(of_a_server()),
        None => Err(AppError::no_place()),
    }
}

/// Stops sharing a folder: visitors are told goodbye.
#[tauri::command]
#[specta::specta]
pub(crate) async fn stop_share(shell: Shared<'_>, id: u32) -> Result<()> {
    shell.sharing.stop(id).await;
    Ok(())
}

/// Limits what visitors of a folder take and bring, from now on.
#[tauri::command]
#[specta::specta]
pub(crate) async fn set_share_limits(
    shell: Shared<'_>,
    id: u32,
    limits: ShareLimits,
) -> Result<()> {
    shell.sharing.set_limits(id, limits)
}

/// Disconnects one visitor.
#[tauri::command]
#[specta::specta]
pub(crate) async fn kick_visitor(shell: Shared<'_>, id: u32, visitor: u32) -> Result<()> {
    shell.sharing.kick(id, visitor)
}

/// The address of a shared folder as a QR code.
#[tauri::command]
#[specta::specta]
pub(crate) async fn share_qr(shell: Shared<'_>, id: u32, with_password: bool) -> Result<QrCode> {
    shell.sharing.qr(id, with_password)
}

/// Sends what is shared, and from then on whenever something changes, at most ten times a second.
#[tauri::command]
#[specta::specta]
pub(crate) async fn watch_shares(shell: Shared<'_>, channel: Channel<Vec<Share>>) -> Result<()> {
    shell.sharing.watch(channel);
    Ok(())
}

fn path_of(shell: &Shell, listing: u32, row: Option<u32>) -> Result<PathBuf> {
    let listing = shell.listings.get(listing)?;
    let Folder::Local(folder) = &listing.folder else {
        return Err(of_a_server());
    };
    let Some(row) = row else {
        return Ok(folder.clone());
    };
    match listing.entry(row)?.name {
        EntryName::Local(name) => Ok(folder.join(name)),
        EntryName::Remote(_) | EntryName::Unparsed => Err(of_a_server()),
    }
}

fn password() -> Result<ShownPassword> {
    let password = generate_password().map_err(|error| {
        AppError::new(ErrorCode::Internal, "No password could be made.")
            .with_detail(error.to_string())
    })?;
    let text = String::from_utf8_lossy(password.expose());
    Ok(ShownPassword(text.into_owned()))
}

fn of_a_server() -> AppError {
    AppError::unsupported("Only folders of this computer can be shared.")
}
