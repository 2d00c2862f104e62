use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Instant;

use ftp_client::Progress as Moved;
use ftp_client::ftp_proto::{Name, RemotePath};
use transfer::{Direction, ItemKind};

use crate::batch::{Batch, Report};
use crate::cli;
use crate::connect::{Connections, Session};
use crate::exit::{Failure, Status};
use crate::progress::Progress;
use crate::url::{Place, Server, Url};

/// Downloads by the queue; a single file also to standard output.
pub(crate) async fn run(get: cli::Get, connections: &Connections) -> Result<Status, Failure> {
    let urls = get
        .urls
        .iter()
        .map(|text| connections.parse(text))
        .collect::<Result<Vec<_>, _>>()?;
    if let Some(output) = &get.output {
        let [url] = urls.as_slice() else {
            return Err(Failure::usage(
                "-o names one target, so there can be one URL only; -d takes several",
            ));
        };
        if output.as_os_str() == "-" {
            return to_stdout(url, connections).await;
        }
        if output.as_os_str().is_empty() {
            return Err(Failure::usage("-o needs the name of a file"));
        }
        if !get.how.recursive && output.is_dir() {
            return Err(Failure::usage(format!(
                "-o {}: this is a folder; -d downloads into it",
                output.display()
            )));
        }
    }
    let mut batch = Batch::new(connections, get.how.recursive);
    let mut sessions = Opened::default();
    for url in &urls {
        let folder = get.directory.as_deref().unwrap_or(Path::new("."));
        let shown = get.output.clone().unwrap_or_else(|| folder.to_owned());
        let planned = match sessions.of(connections, &urls, url).await {
            Ok(session) => plan(&get, url, session, folder)
                .await
                .map(|plan| (session, plan)),
            Err(failure) => Err(failure),
        };
        match planned {
            Ok((
                session,
                Plan {
                    kind,
                    local,
                    remote,
                },
            )) => {
                batch.add(session, url, Direction::Download, kind, local, remote)?;
            }
            Err(failure) => batch.fail(url.to_string(), shown.display().to_string(), &failure)?,
        }
    }
    // From here on the sessions are the queue's.
    drop(sessions);
    batch.run(get.how.jobs).await
}

struct Plan {
    kind: ItemKind,
    local: PathBuf,
    remote: RemotePath,
}

/// One session for each server of a command, or why there is none: nobody is asked for a password twice.
#[derive(Default)]
struct Opened(HashMap<String, Result<Session, Failure>>);

impl Opened {
    async fn of(
        &mut self,
        connections: &Connections,
        all: &[Url],
        url: &Url,
    ) -> Result<&Session, Failure> {
        let key = url.root();
        if !self.0.contains_key(&key) {
            let has_password = |url: &&Url| {
                matches!(
                    &url.place,
                    Place::Server(Server {
                        password: Some(_),
                        ..
                    })
                ) && url.root() == key
            };
            let best = all.iter().find(has_password).unwrap_or(url);
            self.0.insert(key.clone(), connections.open(best).await);
        }
        match &self.0[&key] {
            Ok(session) => Ok(session),
            Err(failure) => Err(failure.clone()),
        }
    }
}

/// What is to be downloaded, and to where.
async fn plan(
    get: &cli::Get,
    url: &Url,
    session: &Session,
    folder: &Path,
) -> Result<Plan, Failure> {
    let path = session.path(url);
    let kind = match &path {
        _ if !get.how.recursive && url.is_folder() => {
            return Err(Failure::usage(
                "this is a folder: -r downloads it with everything in it",
            ));
        }
        _ if !get.how.recursive => ItemKind::File,
        Some(path) if !url.is_folder() => {
            let is_folder = session.client.is_dir(path).await;
            match is_folder.map_err(|error| Failure::remote(url.to_string(), error))? {
                true => ItemKind::Folder,
                false => ItemKind::File,
            }
        }
        _ => ItemKind::Folder,
    };
    let local = match (&get.output, url.file_name()) {
        (Some(output), _) => output.clone(),
        // All of the login's folder: into the target itself.
        (None, None) => folder.to_owned(),
        (None, Some(name)) => {
            let name = Name::try_from(name).and_then(|name| name.to_local());
            folder.join(
                name.map_err(|error| Failure::usage(format!("{error}; -o gives it another one")))?,
            )
        }
    };
    let remote = match path {
        Some(path) => path,
        None => here()?,
    };
    Ok(Plan {
        kind,
        local,
        remote,
    })
}

/// The folder of a login that the server has no name for.
fn here() -> Result<RemotePath, Failure> {
    RemotePath::try_from(".").map_err(|error| Failure::Other(error.to_string()))
}

async fn to_stdout(url: &Url, connections: &Connections) -> Result<Status, Failure> {
    let output = connections.output;
    let session = connections.open(url).await?;
    let failure = |error| Failure::remote(url.to_string(), error);
    let start = Instant::now();
    let moved = Moved::default();
    let outcome = async {
        let path = match session.path(url) {
            Some(path) if !url.is_folder() => path,
            _ => {
                return Err(Failure::usage(format!(
                    "{url}: a folder can't go to standard output"
                )));
            }
        };
        // Only for the check afterwards; a server without SIZE does as well.
        let size = session.client.size(&path).await.ok();
        let file = stdout()?;
        let download = session.client.retr(&path, 0).await.map_err(failure)?;
        let copy = download.copy_to_file(file, moved.clone());
        let bytes = Progress::new(output)
            .watch(moved.clone(), size, copy)
            .await
            .map_err(failure)?;
        match size {
            Some(size) if size != bytes => Err(Failure::Other(format!(
                "{url}: {bytes} bytes were transferred, but the source has {size}"
            ))),
            size => Ok((bytes, size.map(|_| "size".to_owned()))),
        }
    }
    .await;
    session.close().await;
    let (source, target) = (url.to_string(), "-".to_owned());
    let report = match outcome {
        Ok((bytes, verified)) => Report {
            source,
            target,
            bytes,
            seconds: start.elapsed().as_secs_f64(),
            verified,
            error: None,
        },
        Err(failure) if output.json && !matches!(failure, Failure::BrokenPipe) => {
            Report::failed(source, target, &failure.reason()).print(output, true)?;
            return Ok(failure.status());
        }
        Err(failure) => return Err(failure),
    };
    report.print(output, true)?;
    Ok(Status::Done)
}

/// Standard output as a file, for the fast way of copying.
fn stdout() -> Result<File, Failure> {
    #[cfg(unix)]
    let handle = std::os::fd::AsFd::as_fd(&std::io::stdout()).try_clone_to_owned();
    #[cfg(windows)]
    let handle = std::os::windows::io::AsHandle::as_handle(&std::io::stdout()).try_clone_to_owned();
    Ok(handle?.into())
}
