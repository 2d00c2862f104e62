use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use ftp_client::Progress as Moved;

use crate::batch;
use crate::cli;
use crate::connect::Connections;
use crate::exit::{Failure, Status};
use crate::plan::{LocalTarget, Planner};
use crate::progress::Progress;
use crate::report::Report;
use crate::url::Url;

/// Downloads by the queue; a single file also to standard output.
pub(crate) async fn run(get: cli::Get, connections: &Arc<Connections>) -> Result<Status, Failure> {
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
        if output.as_os_str() == "-" && !get.ascii {
            return to_stdout(url, connections).await;
        }
        if output.as_os_str().is_empty() {
            return Err(Failure::usage("-o needs the name of a file"));
        }
        if !get.recursive && output.is_dir() {
            return Err(Failure::usage(format!(
                "-o {}: this is a folder; -d downloads into it",
                output.display()
            )));
        }
    }
    if get.ascii {
        let target = match get.output {
            Some(name) => LocalTarget::Named(name),
            None => LocalTarget::Folder(get.directory.unwrap_or_else(|| PathBuf::from("."))),
        };
        return super::text::get(&urls, &target, connections).await;
    }
    let target = match get.output {
        Some(name) => LocalTarget::Named(name),
        None => LocalTarget::Folder(get.directory.unwrap_or_else(|| PathBuf::from("."))),
    };
    let options = get
        .how
        .options(connections.rule(get.conflicts)?, get.links.into())?;
    let mut planner = Planner::new(connections, options, get.recursive);
    planner.downloads(&urls, &target).await?;
    batch::run(planner.finish(), connections, &get.how).await
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
        // Only for the check afterwards; a server without SIZE does as well. Some say 0 of what they can't measure.
        let size = session.client.size(&path).await.ok();
        let size = size.filter(|size| *size > 0);
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
        Ok((bytes, verified)) => Report::done(
            source,
            target,
            bytes,
            start.elapsed().as_secs_f64(),
            verified,
        ),
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
pub(super) fn stdout() -> Result<File, Failure> {
    #[cfg(unix)]
    let handle = std::os::fd::AsFd::as_fd(&std::io::stdout()).try_clone_to_owned();
    #[cfg(windows)]
    let handle = std::os::windows::io::AsHandle::as_handle(&std::io::stdout()).try_clone_to_owned();
    Ok(handle?.into())
}
