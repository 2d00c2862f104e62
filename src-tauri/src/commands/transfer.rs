//! The queue: what goes into it, and what the window sees of it.

use std::{fs, path::PathBuf, sync::Arc};

use ftp_client::ftp_proto::{Name, RemotePath};
use tauri::ipc::Channel;
use transfer::{Direction, ItemKind, NewTransfer, TransferId};

use super::{Shared, blocking, browse::listed_name};
use crate::{
    dto::{QueueUpdate, RowKind},
    error::{AppError, Result},
    state::{
        Shell,
        folder::Folder,
        listings::{Entry, EntryName},
        sessions::Session,
    },
};

/// Sends entries of one listing into the folder of another: to a server, or from it.
#[tauri::command]
#[specta::specta]
pub(crate) async fn send_entries(
    shell: Shared<'_>,
    listing: u32,
    rows: Vec<u32>,
    to: u32,
) -> Result<Vec<TransferId>> {
    send(&shell, listing, rows, to).await
}

pub(crate) async fn send(
    shell: &Arc<Shell>,
    listing: u32,
    rows: Vec<u32>,
    to: u32,
) -> Result<Vec<TransferId>> {
    let from = shell.listings.get(listing)?;
    let to = shell.listings.get(to)?;
    let entries = rows
        .iter()
        .map(|row| from.entry(*row))
        .collect::<Result<Vec<Entry>>>()?;
    match (&from.folder, &to.folder) {
        (Folder::Local(folder), Folder::Remote { session, path }) => {
            let sources = entries.iter().filter_map(|entry| match &entry.name {
                EntryName::Local(name) => Some(folder.join(name)),
                _ => None,
            });
            upload(shell, sources.collect(), *session, path.clone()).await
        }
        (Folder::Remote { session, path }, Folder::Local(folder)) => {
            download(shell, *session, path, &entries, folder.clone())
        }
        (Folder::Local(_), Folder::Local(_)) => Err(within_this_computer()),
        (Folder::Remote { .. }, Folder::Remote { .. }) => Err(AppError::unsupported(
            "Slipway moves files between this computer and a server, not from server to server.",
        )),
    }
}

/// Sends what was dropped from another program into the folder of a listing.
#[tauri::command]
#[specta::specta]
pub(crate) async fn accept_drop(shell: Shared<'_>, drop: u32, to: u32) -> Result<Vec<TransferId>> {
    accept(&shell, drop, to).await
}

pub(crate) async fn accept(shell: &Arc<Shell>, drop: u32, to: u32) -> Result<Vec<TransferId>> {
    let to = shell.listings.get(to)?;
    let Folder::Remote { session, path } = &to.folder else {
        return Err(within_this_computer());
    };
    let paths = shell.drops.take(drop).ok_or_else(AppError::no_place)?;
    upload(shell, paths, *session, path.clone()).await
}

/// Sends the queue as it is, and from then on what changes, at most ten times a second.
#[tauri::command]
#[specta::specta]
pub(crate) async fn watch_queue(shell: Shared<'_>, channel: Channel<QueueUpdate>) -> Result<()> {
    shell.queue.watch(channel);
    Ok(())
}

/// Gives transfers up, folders with everything in them.
#[tauri::command]
#[specta::specta]
pub(crate) async fn cancel_transfers(shell: Shared<'_>, ids: Vec<TransferId>) -> Result<()> {
    shell.queue.cancel(&ids);
    Ok(())
}

/// Tries failed and cancelled transfers again.
#[tauri::command]
#[specta::specta]
pub(crate) async fn retry_transfers(shell: Shared<'_>, ids: Vec<TransferId>) -> Result<()> {
    shell.queue.retry(&ids);
    Ok(())
}

/// Takes what is finished off the list.
#[tauri::command]
#[specta::specta]
pub(crate) async fn clear_finished(shell: Shared<'_>) -> Result<()> {
    shell.queue.clear_finished();
    shell
        .queue
        .forget_logins(|id| shell.sessions.get(id).is_ok());
    Ok(())
}

async fn upload(
    shell: &Arc<Shell>,
    sources: Vec<PathBuf>,
    session: u32,
    to: RemotePath,
) -> Result<Vec<TransferId>> {
    let session = shell.sessions.get(session)?;
    let site = shell.queue.site(&session);
    let items = blocking(move || {
        sources
            .into_iter()
            .map(|local| {
                // A link is what it points to: the person sees a file or a folder there.
                let metadata = fs::metadata(&local)?;
                let kind = match metadata.file_type() {
                    t if t.is_dir() => ItemKind::Folder,
                    t if t.is_file() => ItemKind::File,
                    _ => return Err(no_file(&local.to_string_lossy())),
                };
                let remote = to.join(&uploaded_name(&local)?);
                Ok(NewTransfer {
                    site: site.clone(),
                    direction: Direction::Upload,
                    kind,
                    local,
                    remote,
                    size: metadata.is_file().then_some(metadata.len()),
                    modified: None,
                })
            })
            .collect::<Result<Vec<_>>>()
    })
    .await?;
    Ok(shell.queue.add(items))
}

fn download(
    shell: &Shell,
    session: u32,
    from: &RemotePath,
    entries: &[Entry],
    to: PathBuf,
) -> Result<Vec<TransferId>> {
    let session: Arc<Session> = shell.sessions.get(session)?;
    let site = shell.queue.site(&session);
    let items = entries
        .iter()
        .map(|entry| {
            let EntryName::Remote(name) = &entry.name else {
                return Err(no_file(&entry.name_for_people()));
            };
            let name = listed_name(name)?;
            // A name of the server is never trusted as a path of this computer.
            let local = name.to_local().map_err(|error| {
                AppError::argument(
                    "The server's name for it can't be a file's name on this computer.",
                )
                .with_detail(error.to_string())
            })?;
            Ok(NewTransfer {
                site: site.clone(),
                direction: Direction::Download,
                kind: match entry.kind {
                    RowKind::Folder => ItemKind::Folder,
                    RowKind::File | RowKind::Link => ItemKind::File,
                    RowKind::Other | RowKind::Unparsed => {
                        return Err(no_file(&entry.name_for_people()));
                    }
                },
                local: to.join(local),
                remote: from.join(&name),
                // What a listing says of a link is the link's own size.
                size: entry.size.filter(|_| entry.kind == RowKind::File),
                modified: None,
            })
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(shell.queue.add(items))
}

/// The name of a local file or folder as it goes to a server.
fn uploaded_name(local: &std::path::Path) -> Result<Name> {
    let name = local
        .file_name()
        .ok_or_else(|| no_file(&local.to_string_lossy()))?;
    #[cfg(unix)]
    let bytes = std::os::unix::ffi::OsStrExt::as_bytes(name);
    #[cfg(not(unix))]
    let bytes = name.to_str().unwrap_or_default().as_bytes();
    Name::try_from(bytes).map_err(|error| {
        AppError::argument(format!(
            "\u{201c}{}\u{201d} can't be a name on a server.",
            name.to_string_lossy()
        ))
        .with_detail(error.to_string())
    })
}

fn no_file(name: &str) -> AppError {
    AppError::unsupported(format!(
        "\u{201c}{name}\u{201d} is neither a file nor a folder."
    ))
}

fn within_this_computer() -> AppError {
    AppError::unsupported(
        "Slipway moves files between this computer and a server, not within this computer.",
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::path::Path;

    use super::*;

    #[test]
    fn a_name_keeps_its_bytes() {
        assert_eq!(
            uploaded_name(Path::new("/a/b c")).unwrap().as_bytes(),
            b"b c"
        );
        assert!(uploaded_name(Path::new("/")).is_err());
        assert!(uploaded_name(Path::new("/a/b\nc")).is_err());
        #[cfg(unix)]
        {
            use std::os::unix::ffi::OsStrExt;
            let path = Path::new(std::ffi::OsStr::from_bytes(b"/caf\xe9"));
            assert_eq!(uploaded_name(path).unwrap().as_bytes(), b"caf\xe9");
        }
    }
}
