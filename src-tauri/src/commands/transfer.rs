//! The queue: what goes into it, and what the window sees of it.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use ftp_client::ftp_proto::{Name, RemotePath, listing::Line};
use tauri::ipc::Channel;
use transfer::{Direction, ItemKind, NewTransfer, SiteKey, TransferId};

use super::{Shared, blocking, browse::listed_name};
use crate::{
    dto::{Existing, QueueUpdate, RowKind, SendFailure, SendOutcome},
    error::{AppError, Result},
    state::{
        Shell,
        folder::Folder,
        listings::{Entry, EntryName, OpenListing, ROWS_OF_A_LISTING, unparsed},
    },
};

/// Names of a question that the window can show; there may be many more.
const NAMES_OF_A_QUESTION: usize = 100;

/// Sends entries of one listing into the folder of another: to a server, or from it.
#[tauri::command]
#[specta::specta]
pub(crate) async fn send_entries(
    shell: Shared<'_>,
    listing: u32,
    rows: Vec<u32>,
    to: u32,
    existing: Existing,
) -> Result<SendOutcome> {
    send(&shell, listing, rows, to, existing).await
}

pub(crate) async fn send(
    shell: &Arc<Shell>,
    listing: u32,
    rows: Vec<u32>,
    to: u32,
    existing: Existing,
) -> Result<SendOutcome> {
    let from = shell.listings.get(listing)?;
    let to = shell.listings.get(to)?;
    let entries = rows
        .iter()
        .map(|row| from.line(*row))
        .collect::<Result<Vec<Entry>>>()?;
    let batch = match (&from.folder, &to.folder) {
        (Folder::Local(folder), Folder::Remote { session, path }) => {
            let sources = entries.iter().filter_map(|entry| match &entry.name {
                EntryName::Local(name) => Some(folder.join(name)),
                _ => None,
            });
            upload(shell, sources.collect(), *session, path.clone()).await?
        }
        (Folder::Remote { session, path }, Folder::Local(folder)) => {
            download(shell, *session, path, &entries, folder)?
        }
        (Folder::Local(_), Folder::Local(_)) => return Err(within_this_computer()),
        (Folder::Remote { .. }, Folder::Remote { .. }) => {
            return Err(AppError::unsupported(
                "Slipway moves files between this computer and a server, not from server to server.",
            ));
        }
    };
    batch.send(shell, &to, existing).await
}

/// Sends what was dropped from another program into the folder of a listing.
#[tauri::command]
#[specta::specta]
pub(crate) async fn accept_drop(
    shell: Shared<'_>,
    drop: u32,
    to: u32,
    existing: Existing,
) -> Result<SendOutcome> {
    accept(&shell, drop, to, existing).await
}

pub(crate) async fn accept(
    shell: &Arc<Shell>,
    drop: u32,
    to: u32,
    existing: Existing,
) -> Result<SendOutcome> {
    let to = shell.listings.get(to)?;
    let Folder::Remote { session, path } = &to.folder else {
        return Err(within_this_computer());
    };
    let paths = shell.drops.get(drop).ok_or_else(AppError::no_place)?;
    let batch = upload(shell, paths, *session, path.clone()).await?;
    let outcome = batch.send(shell, &to, existing).await?;
    // A question leaves it for the answer.
    if let SendOutcome::Queued { .. } = outcome {
        shell.drops.forget(drop);
    }
    Ok(outcome)
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

/// What is about to be queued.
#[derive(Default)]
struct Batch {
    items: Vec<NewTransfer>,
    failed: Vec<SendFailure>,
}

impl Batch {
    /// One bad entry does not hold up the others.
    fn add(&mut self, name: impl FnOnce() -> String, item: Result<NewTransfer>) {
        match item {
            Ok(item) => self.items.push(item),
            Err(error) => self.failed.push(SendFailure {
                name: name(),
                error,
            }),
        }
    }

    /// Queues it, unless a name is taken and nobody has said what becomes of that.
    async fn send(
        mut self,
        shell: &Shell,
        to: &OpenListing,
        existing: Existing,
    ) -> Result<SendOutcome> {
        let total = self.items.len() + self.failed.len();
        let mut skipped = 0;
        if existing != Existing::Replace {
            let taken;
            (self.items, taken) = which_exist(shell, self.items, to).await?;
            let mut marks = taken.iter().copied();
            skipped = taken.iter().filter(|taken| **taken).count();
            if existing == Existing::Ask && skipped > 0 {
                self.items.retain(|_| marks.next().unwrap_or_default());
                return Ok(SendOutcome::Exists {
                    names: self
                        .items
                        .iter()
                        .take(NAMES_OF_A_QUESTION)
                        .map(name_of)
                        .collect(),
                    count: number(skipped),
                    total: number(total),
                    folders: self.items.iter().any(|item| item.kind == ItemKind::Folder),
                });
            }
            self.items.retain(|_| !marks.next().unwrap_or_default());
        }
        Ok(SendOutcome::Queued {
            ids: shell.queue.add(self.items),
            failed: self.failed,
            skipped: number(skipped),
        })
    }
}

/// Whether something has the name of each item in the folder that receives.
async fn which_exist(
    shell: &Shell,
    items: Vec<NewTransfer>,
    to: &OpenListing,
) -> Result<(Vec<NewTransfer>, Vec<bool>)> {
    match &to.folder {
        Folder::Local(_) => {
            // The disk knows better than what was read of it, and whether case makes a difference.
            blocking(move || {
                let taken = items
                    .iter()
                    .map(|item| fs::symlink_metadata(&item.local).is_ok())
                    .collect();
                Ok::<_, AppError>((items, taken))
            })
            .await
        }
        Folder::Remote { session, path } => {
            let names = names_there(shell, to, *session, path).await?;
            let taken = items
                .iter()
                .map(|item| {
                    item.remote
                        .file_name()
                        .is_some_and(|name| names.contains(name))
                })
                .collect();
            Ok((items, taken))
        }
    }
}

/// The names in a folder of a server: as they were listed, or listed anew where that was not to the end.
async fn names_there(
    shell: &Shell,
    listing: &OpenListing,
    session: u32,
    path: &RemotePath,
) -> Result<HashSet<Box<[u8]>>> {
    if listing.is_complete() {
        return Ok(listing.remote_names());
    }
    let mut lines = shell.sessions.get(session)?.list(path).await?;
    let mut names = HashSet::new();
    while let Some(line) = lines.next().await? {
        if let Line::Entry(entry) = line {
            names.insert(entry.name.into());
        }
        if names.len() > ROWS_OF_A_LISTING {
            return Err(AppError::unsupported(format!(
                "The folder has more than {ROWS_OF_A_LISTING} entries."
            )));
        }
    }
    Ok(names)
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// For people, as the folder that receives has it.
fn name_of(item: &NewTransfer) -> String {
    match item.direction {
        Direction::Upload => item
            .remote
            .file_name()
            .map(|name| String::from_utf8_lossy(name).into_owned()),
        Direction::Download => item
            .local
            .file_name()
            .map(|name| name.to_string_lossy().into_owned()),
    }
    .unwrap_or_default()
}

async fn upload(
    shell: &Arc<Shell>,
    sources: Vec<PathBuf>,
    session: u32,
    to: RemotePath,
) -> Result<Batch> {
    let session = shell.sessions.get(session)?;
    let site = shell.queue.site(&session);
    blocking(move || {
        let mut batch = Batch::default();
        for local in sources {
            let name = local.file_name().unwrap_or(local.as_os_str());
            let name = name.to_string_lossy().into_owned();
            batch.add(|| name, uploaded(local, &site, &to));
        }
        Ok::<_, AppError>(batch)
    })
    .await
}

fn uploaded(local: PathBuf, site: &SiteKey, to: &RemotePath) -> Result<NewTransfer> {
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
        options: std::sync::Arc::default(),
    })
}

fn download(
    shell: &Shell,
    session: u32,
    from: &RemotePath,
    entries: &[Entry],
    to: &Path,
) -> Result<Batch> {
    let site = shell.queue.site(&*shell.sessions.get(session)?);
    let mut batch = Batch::default();
    for entry in entries {
        batch.add(
            || entry.name_for_people(),
            downloaded(entry, &site, from, to),
        );
    }
    Ok(batch)
}

fn downloaded(entry: &Entry, site: &SiteKey, from: &RemotePath, to: &Path) -> Result<NewTransfer> {
    let name = match &entry.name {
        EntryName::Remote(name) => listed_name(name)?,
        EntryName::Unparsed => return Err(unparsed()),
        EntryName::Local(_) => return Err(no_file(&entry.name_for_people())),
    };
    // A name of the server is never trusted as a path of this computer.
    let local = name.to_local().map_err(|error| {
        AppError::argument("The server's name for it can't be a file's name on this computer.")
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
        options: std::sync::Arc::default(),
    })
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
