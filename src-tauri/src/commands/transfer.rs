//! Transfers: what goes into the queue.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use ftp_client::ftp_proto::{Name, RemotePath};
use jiff::Timestamp;
use transfer::{
    CompiledFilter, Direction, Filter, ItemKind, NewTransfer, Options, SiteKey, UploadName,
};
use vault::SiteId;

use super::{Shared, blocking, browse::listed_name};
use crate::{
    dto::{Rate, RowKind, SendFailure, SendOptions, Sent},
    error::{AppError, Result},
    state::{
        Shell, Vault,
        folder::Folder,
        listings::{Entry, EntryName, unparsed},
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
    options: SendOptions,
) -> Result<Sent> {
    send(&shell, listing, rows, to, options).await
}

pub(crate) async fn send(
    shell: &Arc<Shell>,
    listing: u32,
    rows: Vec<u32>,
    to: u32,
    options: SendOptions,
) -> Result<Sent> {
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
            upload(shell, sources.collect(), *session, path.clone(), options).await?
        }
        (Folder::Remote { session, path }, Folder::Local(folder)) => {
            download(shell, *session, path, &entries, folder, options).await?
        }
        (Folder::Local(_), Folder::Local(_)) => return Err(within_this_computer()),
        (Folder::Remote { .. }, Folder::Remote { .. }) => {
            return Err(AppError::unsupported(
                "Slipway moves files between this computer and a server, not from server to server.",
            ));
        }
    };
    batch.send(shell).await
}

/// Sends what was dropped from another program into the folder of a listing.
#[tauri::command]
#[specta::specta]
pub(crate) async fn accept_drop(
    shell: Shared<'_>,
    drop: u32,
    to: u32,
    options: SendOptions,
) -> Result<Sent> {
    accept(&shell, drop, to, options).await
}

pub(crate) async fn accept(
    shell: &Arc<Shell>,
    drop: u32,
    to: u32,
    options: SendOptions,
) -> Result<Sent> {
    let to = shell.listings.get(to)?;
    let Folder::Remote { session, path } = &to.folder else {
        return Err(within_this_computer());
    };
    let paths = shell.drops.get(drop).ok_or_else(AppError::no_place)?;
    let batch = upload(shell, paths, *session, path.clone(), options).await?;
    let sent = batch.send(shell).await?;
    shell.drops.forget(drop);
    Ok(sent)
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

    async fn send(self, shell: &Shell) -> Result<Sent> {
        Ok(Sent {
            ids: shell.queue.add(self.items).await?,
            failed: self.failed,
        })
    }
}

/// How a batch is transferred: as the person chose for it, else as the site says, else as the settings say. Blocks.
fn options(vault: &Vault, site: Option<String>, chosen: SendOptions) -> Result<Options> {
    let site = match site {
        Some(id) => vault.sites.get(&SiteId::try_from(id)?).ok(),
        None => None,
    };
    let conflict = match chosen.conflict {
        Some(rule) => rule,
        None => match site.as_ref().and_then(|site| site.conflict) {
            Some(rule) => rule.into(),
            // A damaged file is no reason to overwrite anything.
            None => vault.settings.load().unwrap_or_default().conflict.into(),
        },
    };
    let filter = Filter {
        include: chosen.include,
        exclude: chosen.exclude,
        skip_hidden: chosen.skip_hidden,
        skip_vcs: chosen.skip_vcs,
        ..Filter::default()
    };
    CompiledFilter::new(&filter)?;
    Ok(Options {
        conflict: conflict.into(),
        filter,
        upload: match site.as_ref().map(|site| site.upload_name) {
            Some(vault::UploadName::Final) => UploadName::Final,
            _ => UploadName::Temporary,
        },
        keep_permissions: site.as_ref().is_some_and(|site| site.keep_permissions),
        priority: chosen.priority.into(),
        start_at: chosen.start_at.map(moment).transpose()?,
        limit: match chosen.limit {
            Some(limit) => Some(
                Rate::try_from(limit)
                    .map_err(|error| AppError::argument(error.to_string()))?
                    .get(),
            ),
            None => None,
        },
        ..Options::default()
    })
}

/// A moment as the page has it, in milliseconds since the epoch.
pub(super) fn moment(millis: f64) -> Result<Timestamp> {
    // Far inside of what a timestamp can say, and exact.
    let whole = millis.is_finite() && millis.abs() < 1e14;
    whole
        .then(|| Timestamp::from_millisecond(millis as i64).ok())
        .flatten()
        .ok_or_else(|| AppError::argument("This is no time."))
}

async fn upload(
    shell: &Arc<Shell>,
    sources: Vec<PathBuf>,
    session: u32,
    to: RemotePath,
    chosen: SendOptions,
) -> Result<Batch> {
    let session = shell.sessions.get(session)?;
    let site = shell.queue.site(&session);
    let (vault, saved) = (shell.vault.clone(), session.origin.site());
    blocking(move || {
        let options = Arc::new(options(&vault, saved, chosen)?);
        let mut batch = Batch::default();
        for local in sources {
            let name = local.file_name().unwrap_or(local.as_os_str());
            let name = name.to_string_lossy().into_owned();
            batch.add(|| name, uploaded(local, &site, &to, &options));
        }
        Ok::<_, AppError>(batch)
    })
    .await
}

fn uploaded(
    local: PathBuf,
    site: &SiteKey,
    to: &RemotePath,
    options: &Arc<Options>,
) -> Result<NewTransfer> {
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
        // For the question whether it is newer; what counts in the end is what the disk says then.
        modified: metadata
            .modified()
            .ok()
            .and_then(|time| Timestamp::try_from(time).ok()),
        options: Arc::clone(options),
    })
}

async fn download(
    shell: &Shell,
    session: u32,
    from: &RemotePath,
    entries: &[Entry],
    to: &Path,
    chosen: SendOptions,
) -> Result<Batch> {
    let session = shell.sessions.get(session)?;
    let site = shell.queue.site(&session);
    let (vault, saved) = (shell.vault.clone(), session.origin.site());
    let options = Arc::new(blocking(move || options(&vault, saved, chosen)).await?);
    let mut batch = Batch::default();
    for entry in entries {
        batch.add(
            || entry.name_for_people(),
            downloaded(entry, &site, from, to, &options),
        );
    }
    Ok(batch)
}

fn downloaded(
    entry: &Entry,
    site: &SiteKey,
    from: &RemotePath,
    to: &Path,
    options: &Arc<Options>,
) -> Result<NewTransfer> {
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
        options: Arc::clone(options),
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
