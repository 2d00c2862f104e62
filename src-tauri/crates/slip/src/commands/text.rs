//! Texts: transfers with TYPE A. They go one by one and not by the queue, which compares sizes and goes on in the middle: a text has another
//! size on each side.

use std::path::{Path, PathBuf};
use std::time::Instant;

use ftp_client::ftp_proto::RemotePath;
use ftp_client::{Error, LineEnd, Progress as Moved};
use tokio::fs::File;
use transfer::names::Naming;

use crate::connect::{Connections, Session};
use crate::exit::{Failure, Status, Tally};
use crate::plan::{LocalTarget, local_target, make_folder, remote_target};
use crate::progress::Progress;
use crate::report::Report;
use crate::url::Url;

/// Downloads files as texts.
pub(super) async fn get(
    urls: &[Url],
    target: &LocalTarget,
    connections: &Connections,
) -> Result<Status, Failure> {
    if let LocalTarget::Folder(folder) = target {
        std::fs::create_dir_all(folder)
            .map_err(|error| Failure::Other(format!("{}: {error}", folder.display())))?;
    }
    let mut tally = Tally::default();
    for url in urls {
        let start = Instant::now();
        let mut shown = "?".to_owned();
        let outcome = fetch(url, target, &mut shown, connections).await;
        let to_stderr = shown == "-";
        let ends = (url.to_string(), shown);
        report(&mut tally, connections, ends, outcome, start, to_stderr)?;
    }
    Ok(tally.status())
}

/// `shown` becomes the name of the target.
async fn fetch(
    url: &Url,
    target: &LocalTarget,
    shown: &mut String,
    connections: &Connections,
) -> Result<u64, Failure> {
    let session = connections.open(url).await?;
    let outcome = async {
        let naming = Naming {
            charset: session.charset(),
            ..Naming::default()
        };
        let local = &local_target(target, url, &session, naming)?;
        *shown = local.display().to_string();
        let path = match session.path(url) {
            Some(path) if !url.is_folder() => path,
            _ => return Err(Failure::usage(format!("{url}: a folder is no text"))),
        };
        if local.as_os_str() == "-" {
            let mut out = File::from_std(super::get::stdout()?);
            return copy_in(&session, url, &path, &mut out, connections).await;
        }
        let here = |error: std::io::Error| Failure::Other(format!("{}: {error}", local.display()));
        let part = part_of(local);
        let mut file = File::create(&part).await.map_err(here)?;
        let copied = copy_in(&session, url, &path, &mut file, connections).await;
        drop(file);
        let copied = match copied {
            Ok(bytes) => std::fs::rename(&part, local).map(|()| bytes).map_err(here),
            failed => failed,
        };
        if copied.is_err() {
            let _ = std::fs::remove_file(&part);
        }
        copied
    }
    .await;
    session.close().await;
    outcome
}

async fn copy_in(
    session: &Session,
    url: &Url,
    path: &RemotePath,
    file: &mut File,
    connections: &Connections,
) -> Result<u64, Failure> {
    let failure = |error: Error| Failure::remote(url.to_string(), error);
    let download = session.client.retr_text(path, LineEnd::NATIVE).await;
    let moved = Moved::default();
    let copy = download.map_err(failure)?.copy_to(file, moved.clone());
    let shown = Progress::new(connections.output);
    shown.watch(moved, None, copy).await.map_err(failure)
}

/// Where it stands until it is complete.
fn part_of(local: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(local.file_name().unwrap_or_default());
    name.push(".slippart");
    local.with_file_name(name)
}

/// Uploads files as texts; `-` is standard input.
pub(super) async fn put(
    files: &[PathBuf],
    url: &Url,
    connections: &Connections,
) -> Result<Status, Failure> {
    let session = connections.open(url).await?;
    make_folder(&session, url, connections).await;
    let mut tally = Tally::default();
    for file in files {
        let start = Instant::now();
        let target = remote_target(file, url, &session);
        let shown = match &target {
            Ok(path) => url.at(path, session.home().as_ref()).to_string(),
            Err(_) => url.to_string(),
        };
        let outcome = match target {
            Ok(path) => send(&session, file, &path, &shown, connections).await,
            Err(failure) => Err(failure),
        };
        let ends = (file.display().to_string(), shown);
        report(&mut tally, connections, ends, outcome, start, false)?;
        if session.client.is_closed() {
            break;
        }
    }
    session.close().await;
    Ok(tally.status())
}

async fn send(
    session: &Session,
    file: &Path,
    path: &RemotePath,
    shown: &str,
    connections: &Connections,
) -> Result<u64, Failure> {
    let failure = |error: Error| Failure::remote(shown, error);
    let mut source = match file.as_os_str() == "-" {
        true => File::from_std(super::put::stdin()?),
        false => {
            let here = |error| Failure::Other(format!("{}: {error}", file.display()));
            let opened = File::open(file).await.map_err(here)?;
            if opened.metadata().await.map_err(here)?.is_dir() {
                return Err(Failure::usage(format!(
                    "{}: a folder is no text",
                    file.display()
                )));
            }
            opened
        }
    };
    let upload = session.client.stor_text(path).await.map_err(failure)?;
    let moved = Moved::default();
    let copy = upload.copy_from(&mut source, moved.clone());
    let shown = Progress::new(connections.output);
    shown.watch(moved, None, copy).await.map_err(failure)
}

fn report(
    tally: &mut Tally,
    connections: &Connections,
    (source, target): (String, String),
    outcome: Result<u64, Failure>,
    start: Instant,
    to_stderr: bool,
) -> Result<(), Failure> {
    let output = connections.output;
    let report = match outcome {
        Ok(bytes) => {
            tally.done();
            let seconds = start.elapsed().as_secs_f64();
            Report::done(source, target, bytes, seconds, None)
        }
        Err(Failure::BrokenPipe) => return Err(Failure::BrokenPipe),
        Err(failure) => {
            tally.failed(failure.status());
            Report::failed(source, target, &failure.reason())
        }
    };
    report.print(output, to_stderr)
}
