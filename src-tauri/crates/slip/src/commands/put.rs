use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use ftp_client::Progress as Moved;

use crate::batch;
use crate::cli;
use crate::connect::Connections;
use crate::exit::{Failure, Status};
use crate::plan::{Planner, make_folder};
use crate::progress::Progress;
use crate::report::Report;
use crate::url::Url;

/// Uploads by the queue; also standard input, as a single file.
pub(crate) async fn run(put: cli::Put, connections: &Arc<Connections>) -> Result<Status, Failure> {
    let (url, files) = match put.files_and_url.split_last() {
        Some((url, files)) if !files.is_empty() => (url, files),
        _ => {
            return Err(Failure::usage(
                "it takes what to upload, and the URL to put it: slip put FILE... URL",
            ));
        }
    };
    let url = url
        .to_str()
        .ok_or_else(|| Failure::usage("the URL is no text"))?;
    let url = connections.parse(url)?;
    let files: Vec<PathBuf> = files.iter().map(PathBuf::from).collect();
    let is_stdin = |file: &PathBuf| file.as_os_str() == "-";
    if files.iter().any(is_stdin) {
        if files.len() > 1 {
            return Err(Failure::usage("standard input goes alone"));
        }
        if url.is_folder() {
            return Err(Failure::usage(
                "standard input needs a name on the server: an address that doesn't end in /",
            ));
        }
        if !put.ascii {
            return from_stdin(&url, connections).await;
        }
    }
    if put.ascii {
        if files.len() > 1 && !url.is_folder() {
            return Err(Failure::usage(format!(
                "{url}: several files need a folder: an address that ends in /"
            )));
        }
        return super::text::put(&files, &url, connections).await;
    }
    let options = put
        .how
        .options(connections.rule(put.conflicts)?, put.links.into())?;
    let mut planner = Planner::new(connections, options, put.recursive);
    planner.uploads(&files, &url).await?;
    batch::run(planner.finish(), connections, &put.how).await
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
            let report = Report::done(
                source,
                target,
                bytes,
                start.elapsed().as_secs_f64(),
                verified,
            );
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
pub(super) fn stdin() -> Result<File, Failure> {
    #[cfg(unix)]
    let handle = std::os::fd::AsFd::as_fd(&std::io::stdin()).try_clone_to_owned();
    #[cfg(windows)]
    let handle = std::os::windows::io::AsHandle::as_handle(&std::io::stdin()).try_clone_to_owned();
    handle
        .map(File::from)
        .map_err(|error| Failure::Other(format!("standard input: {error}")))
}
