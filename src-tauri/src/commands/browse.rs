//! Folders: looking into them, and changing what is in them.

use std::{fs, sync::Arc, time::Instant};

use ftp_client::ftp_proto::{Name, RemotePath};
use tauri::ipc::Channel;

use super::{Shared, blocking};
use crate::{
    dto::{DeleteFailure, DeleteReport, FolderTarget, Listing, ListingEvent, PaneSource, RowKind},
    error::{AppError, ErrorCode, Result},
    state::{
        Shell,
        batches::{Batches, Sink as _},
        folder::{Folder, home, local_name, typed_local, typed_remote},
        listings::{Entry, EntryName, OpenListing},
        local, remote,
        sessions::Session,
    },
};

/// How the bytes of names are read.
const ENCODING: &str = "UTF-8";

/// Opens a folder. Its rows come over the channel while they arrive; the answer comes when all are there, or
/// when the window stops it by the request's id, which the window chooses. What was shown by then stays.
#[tauri::command]
#[specta::specta]
pub(crate) async fn open_folder(
    shell: Shared<'_>,
    source: PaneSource,
    target: FolderTarget,
    request: u32,
    channel: Channel<ListingEvent>,
) -> Result<Listing> {
    open(&shell, source, target, request, channel).await
}

pub(crate) async fn open(
    shell: &Arc<Shell>,
    source: PaneSource,
    target: FolderTarget,
    request: u32,
    channel: Channel<ListingEvent>,
) -> Result<Listing> {
    let started = Instant::now();
    let request = shell.listings.request(request);
    let stopped = request.stopped();
    let folder = stopped
        .run_until_cancelled(find(shell, source, target))
        .await
        .ok_or_else(AppError::cancelled)??;
    let listing = shell.listings.open_until(folder, stopped);
    let result = match &listing.folder {
        Folder::Local(_) => open_local(shell, &listing, channel, started).await,
        Folder::Remote { session, path } => match shell.sessions.get(*session) {
            Ok(session) => open_remote(shell, &session, path, &listing, channel, started).await,
            Err(error) => Err(error),
        },
    };
    if result.is_err() {
        shell.listings.close(listing.id);
    }
    result
}

/// Ends the waiting for a folder.
#[tauri::command]
#[specta::specta]
pub(crate) async fn stop_listing(shell: Shared<'_>, request: u32) -> Result<()> {
    shell.listings.stop(request);
    Ok(())
}

/// Frees a listing. Reading it on ends, and so does watching it.
#[tauri::command]
#[specta::specta]
pub(crate) async fn close_listing(shell: Shared<'_>, listing: u32) -> Result<()> {
    shell.listings.close(listing);
    Ok(())
}

/// Makes a new folder in the folder of a listing.
#[tauri::command]
#[specta::specta]
pub(crate) async fn create_folder(shell: Shared<'_>, listing: u32, name: String) -> Result<()> {
    create(&shell, listing, name).await
}

pub(crate) async fn create(shell: &Arc<Shell>, listing: u32, name: String) -> Result<()> {
    let listing = shell.listings.get(listing)?;
    match &listing.folder {
        Folder::Local(path) => {
            let (path, name) = (path.clone(), local_name(&name)?);
            blocking(move || local::create_folder(&path, &name)).await?;
        }
        Folder::Remote { session, path } => {
            let folder = path.join(&remote_name(&name)?);
            shell
                .sessions
                .get(*session)?
                .client()
                .await?
                .mkd(&folder)
                .await?;
        }
    }
    shell.folder_changed(&listing.folder);
    Ok(())
}

/// Gives an entry another name. Never replaces another entry.
#[tauri::command]
#[specta::specta]
pub(crate) async fn rename_entry(
    shell: Shared<'_>,
    listing: u32,
    row: u32,
    name: String,
) -> Result<()> {
    rename(&shell, listing, row, name).await
}

pub(crate) async fn rename(shell: &Arc<Shell>, listing: u32, row: u32, name: String) -> Result<()> {
    let listing = shell.listings.get(listing)?;
    let entry = listing.entry(row)?;
    match (&listing.folder, &entry.name) {
        (Folder::Local(path), EntryName::Local(old)) => {
            let (path, old, new) = (path.clone(), old.clone(), local_name(&name)?);
            blocking(move || local::rename(&path, &old, &new)).await?;
        }
        (Folder::Remote { session, path }, EntryName::Remote(old)) => {
            let new = remote_name(&name)?;
            // Many servers replace what has the name already; what we have seen there is not ours to lose.
            if listing.has(&EntryName::Remote(new.as_bytes().into())) {
                return Err(AppError::new(
                    ErrorCode::Refused,
                    "There is something of this name already.",
                ));
            }
            let from = path.join(&listed_name(old)?);
            let client = shell.sessions.get(*session)?.client().await?;
            client.rename(&from, &path.join(&new)).await?;
        }
        _ => return Err(mismatch()),
    }
    shell.folder_changed(&listing.folder);
    Ok(())
}

/// Deletes entries, folders with everything in them. Goes on after a failure; the report says what failed.
#[tauri::command]
#[specta::specta]
pub(crate) async fn delete_entries(
    shell: Shared<'_>,
    listing: u32,
    rows: Vec<u32>,
) -> Result<DeleteReport> {
    delete_all(&shell, listing, rows).await
}

pub(crate) async fn delete_all(
    shell: &Arc<Shell>,
    listing: u32,
    rows: Vec<u32>,
) -> Result<DeleteReport> {
    let listing = shell.listings.get(listing)?;
    let mut report = DeleteReport {
        deleted: 0,
        failed: Vec::new(),
    };
    let mut gone: Option<AppError> = None;
    for row in rows {
        // A row that is no entry fails by itself: the others are deleted, and what was is told.
        let entry = listing.entry(row);
        let name = match &entry {
            Ok(entry) => entry.name_for_people(),
            Err(_) => String::from("(a line that could not be read)"),
        };
        let result = match (&gone, entry) {
            (_, Err(error)) => Err(error),
            // Each of the rest would wait for a server that does not answer.
            (Some(error), Ok(_)) => Err(error.clone()),
            (None, Ok(entry)) => {
                let result = delete(shell, &listing.folder, &entry).await;
                gone = result
                    .as_ref()
                    .err()
                    .filter(|error| error.code.is_of_the_connection())
                    .cloned();
                result
            }
        };
        match result {
            Ok(()) => report.deleted += 1,
            Err(error) => report.failed.push(DeleteFailure { name, error }),
        }
    }
    shell.folder_changed(&listing.folder);
    Ok(report)
}

async fn delete(shell: &Arc<Shell>, folder: &Folder, entry: &Entry) -> Result<()> {
    match (folder, &entry.name) {
        (Folder::Local(path), EntryName::Local(name)) => {
            let path = path.join(name);
            blocking(move || local::delete(&path)).await
        }
        (Folder::Remote { session, path }, EntryName::Remote(name)) => {
            let path = path.join(&listed_name(name)?);
            let client = shell.sessions.get(*session)?.client().await?;
            match entry.kind {
                RowKind::Folder => client.remove_tree(&path).await?,
                // A link goes, not what it points to.
                _ => client.dele(&path).await?,
            };
            Ok(())
        }
        _ => Err(mismatch()),
    }
}

/// Which folder is meant.
async fn find(shell: &Arc<Shell>, source: PaneSource, target: FolderTarget) -> Result<Folder> {
    let folder = match target {
        FolderTarget::Home => match source {
            PaneSource::Local => Folder::Local(home()),
            PaneSource::Remote { session } => Folder::Remote {
                session,
                path: shell.sessions.get(session)?.home.clone(),
            },
        },
        FolderTarget::Path { text } => match source {
            PaneSource::Local => {
                Folder::Local(blocking(move || typed_local(&text, &home())).await?)
            }
            PaneSource::Remote { session } => Folder::Remote {
                session,
                path: typed_remote(&text, &shell.sessions.get(session)?.home)?,
            },
        },
        FolderTarget::Place { place } => {
            shell.places.folder(place).ok_or_else(AppError::no_place)?
        }
        FolderTarget::Entry { listing, row } => {
            let listing = shell.listings.get(listing)?;
            let entry = listing.entry(row)?;
            match (&listing.folder, &entry.name) {
                (Folder::Local(path), EntryName::Local(name)) => Folder::Local(path.join(name)),
                (Folder::Remote { session, path }, EntryName::Remote(name)) => Folder::Remote {
                    session: *session,
                    path: path.join(&listed_name(name)?),
                },
                _ => return Err(mismatch()),
            }
        }
    };
    let is_of_source = match source {
        PaneSource::Local => folder.session().is_none(),
        PaneSource::Remote { session } => folder.session() == Some(session),
    };
    if is_of_source {
        Ok(folder)
    } else {
        Err(mismatch())
    }
}

async fn open_local(
    shell: &Arc<Shell>,
    listing: &Arc<OpenListing>,
    channel: Channel<ListingEvent>,
    started: Instant,
) -> Result<Listing> {
    let Folder::Local(path) = listing.folder.clone() else {
        return Err(mismatch());
    };
    let described = describe(shell, listing);
    let (opened, shell, listing) = (described.clone(), Arc::clone(shell), Arc::clone(listing));
    blocking(move || {
        let entries = fs::read_dir(&path)?;
        // Watched before it is read, so that nothing happens unseen in between.
        let (teller, changed) = (Arc::clone(&shell), listing.folder.clone());
        let watch = shell.watches.follow(&path, &listing, move || {
            teller.folder_changed(&changed);
        });
        if let Err(error) = &watch {
            let text = format!("Changes of this folder can't be followed: {error}");
            shell.log.add(None, crate::dto::LogDirection::Info, text);
        }
        let _reading = watch.ok().map(|watch| watch.reading(started));
        channel.send_event(ListingEvent::Opened { listing: opened });
        local::read(
            entries,
            &listing,
            Batches::new(Arc::clone(&listing), channel, started),
        )
    })
    .await?;
    Ok(described)
}

async fn open_remote(
    shell: &Arc<Shell>,
    session: &Session,
    path: &RemotePath,
    listing: &Arc<OpenListing>,
    channel: Channel<ListingEvent>,
    started: Instant,
) -> Result<Listing> {
    let described = describe(shell, listing);
    // A server that does not answer must not hold the pane; dropping what waits leaves the session in step.
    let lines = tokio::select! {
        lines = session.list(path) => lines?,
        () = listing.unwanted() => return Err(AppError::cancelled()),
    };
    channel.send_event(ListingEvent::Opened {
        listing: described.clone(),
    });
    let batches = Batches::new(Arc::clone(listing), channel, started);
    remote::read(lines, listing, batches).await?;
    Ok(described)
}

fn describe(shell: &Shell, listing: &OpenListing) -> Listing {
    let folder = &listing.folder;
    Listing {
        id: listing.id,
        place: shell.places.place(folder),
        parent: folder.parent().map(|parent| shell.places.place(&parent)),
        crumbs: folder
            .way()
            .iter()
            .map(|step| shell.places.crumb(step))
            .collect(),
        encoding: ENCODING.to_owned(),
    }
}

/// A name that a person gave to an entry on a server.
fn remote_name(name: &str) -> Result<Name> {
    Name::try_from(name).map_err(|_| {
        AppError::argument(format!(
            "\u{201c}{name}\u{201d} can't be the name of a file or folder on a server."
        ))
    })
}

/// A name as the server listed it. A listing is never trusted as a path.
pub(crate) fn listed_name(name: &[u8]) -> Result<Name> {
    Name::try_from(name).map_err(|_| {
        AppError::argument(
            "The server listed a name that is no plain name, so nothing can be done with it.",
        )
        .with_detail(String::from_utf8_lossy(name))
    })
}

/// An id of the other side.
fn mismatch() -> AppError {
    AppError::argument("This belongs to the other pane.")
}
