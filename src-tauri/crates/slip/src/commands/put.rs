use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Instant;

use ftp_client::Progress as Moved;
use ftp_client::ftp_proto::{Name, RemotePath, escape};
use transfer::{Direction, ItemKind};

use crate::batch::{Batch, Report, ends};
use crate::cli;
use crate::connect::{Connections, Session};
use crate::exit::{Failure, Status};
use crate::progress::Progress;
use crate::url::Url;

/// Uploads by the queue; also standard input, as a single file.
pub(crate) async fn run(put: cli::Put, connections: &Connections) -> Result<Status, Failure> {
    let url = connections.parse(&put.url)?;
    let is_stdin = |file: &PathBuf| file.as_os_str() == "-";
    if put.files.iter().any(is_stdin) {
        if put.files.len() > 1 {
            return Err(Failure::usage("standard input goes alone"));
        }
        if url.is_folder() {
            return Err(Failure::usage(
                "standard input needs a name on the server: an address that doesn't end in /",
            ));
        }
        return from_stdin(&url, connections).await;
    }
    if put.files.len() > 1 && !url.is_folder() {
        return Err(Failure::usage(
            "several files need a folder: an address that ends in /",
        ));
    }
    let mut batch = Batch::new(connections, put.how.recursive);
    // What isn't there needs no connection.
    let mut sources = Vec::new();
    for file in &put.files {
        match look_at(file, put.how.recursive) {
            Ok(kind) => sources.push((file, kind)),
            Err(failure) => batch.fail(file.display().to_string(), url.to_string(), &failure)?,
        }
    }
    if sources.is_empty() {
        return batch.run(put.how.jobs).await;
    }
    let session = match connections.open(&url).await {
        Ok(session) => session,
        Err(failure) => {
            for (file, _) in sources {
                batch.fail(file.display().to_string(), url.to_string(), &failure)?;
            }
            return batch.run(put.how.jobs).await;
        }
    };
    make_folder(&session, &url, connections).await;
    for (file, kind) in sources {
        match target(file, &url, &session) {
            Ok(remote) => {
                batch.add(
                    &session,
                    &url,
                    Direction::Upload,
                    kind,
                    file.clone(),
                    remote,
                )?;
            }
            Err(failure) => {
                let (source, target) = ends(Direction::Upload, url.clone(), file);
                batch.fail(source, target, &failure)?;
            }
        }
    }
    // From here on it is the queue's.
    drop(session);
    batch.run(put.how.jobs).await
}

/// Whether it is a file or a folder.
fn look_at(file: &Path, recursive: bool) -> Result<ItemKind, Failure> {
    let metadata = std::fs::metadata(file)
        .map_err(|error| Failure::Other(format!("can't read it: {error}")))?;
    match (metadata.is_dir(), recursive) {
        (false, _) => Ok(ItemKind::File),
        (true, true) => Ok(ItemKind::Folder),
        (true, false) => Err(Failure::usage(
            "this is a folder: -r uploads it with everything in it",
        )),
    }
}

/// Makes the folder that things are uploaded into, with its parents. If that fails, the uploads will, and say why; a folder
/// that can be written to but not entered would be no reason to give up.
async fn make_folder(session: &Session, url: &Url, connections: &Connections) {
    let Some(path) = session.path(url) else {
        return;
    };
    let folder = if url.is_folder() {
        Some(path)
    } else {
        path.parent()
    };
    let Some(folder) = folder.filter(|folder| !folder.is_root()) else {
        return;
    };
    // The folder of the login is there for certain.
    if session.home().is_some_and(|home| home == folder) {
        return;
    }
    if matches!(session.client.is_dir(&folder).await, Ok(true)) {
        return;
    }
    if let Err(error) = session.client.mkd_parents(&folder).await {
        connections.output.remark(format!(
            "{}: {error}",
            url.at(&folder, session.home().as_ref())
        ));
    }
}

/// The path on the server that a local file or folder goes to.
fn target(file: &Path, url: &Url, session: &Session) -> Result<RemotePath, Failure> {
    let path = session.path(url);
    if !url.is_folder() {
        return path.ok_or_else(|| Failure::usage("the address names no file"));
    }
    let name = match file.file_name() {
        Some(name) => name_of(name)?,
        // `.` and the like: what is in it goes into the folder itself.
        None => return path.map_or_else(|| parse("."), Ok),
    };
    match path {
        Some(folder) => Ok(folder.join(&name)),
        None => parse_bytes(name.as_bytes()),
    }
}

fn name_of(name: &std::ffi::OsStr) -> Result<Name, Failure> {
    #[cfg(unix)]
    let bytes = std::os::unix::ffi::OsStrExt::as_bytes(name);
    #[cfg(not(unix))]
    let bytes = match name.to_str() {
        Some(text) => text.as_bytes(),
        None => {
            return Err(Failure::usage(
                "its name is no text; give it one in the address",
            ));
        }
    };
    Name::try_from(bytes).map_err(|error| {
        Failure::usage(format!(
            "\"{}\" can't be a name on a server: {}",
            escape(bytes, 200),
            error.why
        ))
    })
}

fn parse(text: &str) -> Result<RemotePath, Failure> {
    parse_bytes(text.as_bytes())
}

fn parse_bytes(bytes: &[u8]) -> Result<RemotePath, Failure> {
    RemotePath::try_from(bytes).map_err(|error| Failure::usage(error.to_string()))
}

async fn from_stdin(url: &Url, connections: &Connections) -> Result<Status, Failure> {
    let output = connections.output;
    let session = connections.open(url).await?;
    make_folder(&session, url, connections).await;
    let failure = |error| Failure::remote(url.to_string(), error);
    let start = Instant::now();
    let outcome = async {
        let path = session
            .path(url)
            .ok_or_else(|| Failure::usage("the address names no file"))?;
        let file = stdin()?;
        let upload = session.client.stor(&path, 0).await.map_err(failure)?;
        let moved = Moved::default();
        let copy = upload.copy_from_file(file, moved.clone());
        let bytes = Progress::new(output)
            .watch(moved, None, copy)
            .await
            .map_err(failure)?;
        match session.client.size(&path).await {
            Ok(size) if size != bytes => Err(Failure::Other(format!(
                "{url}: {bytes} bytes were transferred, but the server has {size}"
            ))),
            Ok(_) => Ok((bytes, Some("size".to_owned()))),
            Err(_) => Ok((bytes, None)),
        }
    }
    .await;
    session.close().await;
    let (source, target) = ("-".to_owned(), url.to_string());
    match outcome {
        Ok((bytes, verified)) => {
            let report = Report {
                source,
                target,
                bytes,
                seconds: start.elapsed().as_secs_f64(),
                verified,
                error: None,
            };
            report.print(output, false)?;
            Ok(Status::Done)
        }
        Err(failure) if output.json => {
            Report::failed(source, target, &failure.reason()).print(output, false)?;
            Ok(failure.status())
        }
        Err(failure) => Err(failure),
    }
}

/// Standard input as a file, for the fast way of copying.
fn stdin() -> Result<File, Failure> {
    #[cfg(unix)]
    let handle = std::os::fd::AsFd::as_fd(&std::io::stdin()).try_clone_to_owned();
    #[cfg(windows)]
    let handle = std::os::windows::io::AsHandle::as_handle(&std::io::stdin()).try_clone_to_owned();
    handle
        .map(File::from)
        .map_err(|error| Failure::Other(format!("standard input: {error}")))
}
