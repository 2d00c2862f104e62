use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde::Serialize;
use transfer::{Options, TransferId, Wish};

use super::{Granted, Place};
use crate::cli;
use crate::exit::{Failure, Status};
use crate::plan::{LocalTarget, Planned, Planner};
use crate::report::shown_ends;
use crate::url::Url;

#[derive(Serialize)]
struct AddedObject {
    id: TransferId,
    source: String,
    target: String,
}

/// Works out what is to be moved, as `get` and `put` do, and puts it into the queue.
pub(super) async fn run(add: cli::QueueAdd, place: &Place<'_>) -> Result<Status, Failure> {
    let mut options = add
        .how
        .options(add.conflicts.conflict.into(), add.links.into())?;
    options.priority = add.priority.into();
    options.start_at = add.at;
    options.limit = add.how.limit.and_then(|limit| limit.0);
    if add.how.connections.is_some() {
        return Err(Failure::usage(
            "the number of connections is a matter of the whole queue: slip queue run -j N",
        ));
    }
    if add.how.segments.is_some() {
        return Err(Failure::usage(
            "the number of connections of one download is a matter of the whole queue: slip queue run --segments N",
        ));
    }
    let planned = plan(&add, options, place).await?;
    let Planned {
        transfers,
        servers,
        tally,
        ..
    } = planned;
    let shown: Vec<_> = transfers
        .iter()
        .map(|new| shown_ends(&servers, new.direction, &new.site, &new.remote, &new.local))
        .collect();
    servers.close().await;
    if transfers.is_empty() {
        return Ok(tally.status());
    }
    let count = transfers.len();
    let output = place.output();
    match place.wish(Wish::Add(transfers), "add").await? {
        Granted::Done(ids) => {
            for (id, (source, target)) in ids.into_iter().zip(shown) {
                if output.json {
                    output.object(&AddedObject { id, source, target })?;
                } else if !output.quiet {
                    output.line(&format!("{id:>6}  {source} -> {target}"))?;
                }
            }
        }
        Granted::Left { holder } if !output.json => {
            output.remark(format!("{count} left for {holder}"));
        }
        Granted::Left { .. } => {}
    }
    Ok(tally.status())
}

async fn plan(
    add: &cli::QueueAdd,
    options: Options,
    place: &Place<'_>,
) -> Result<Planned, Failure> {
    let connections = place.connections;
    let mut planner = Planner::new(connections, options, add.recursive).absolute();
    let (target, sources) = match add.sources_and_target.split_last() {
        Some((target, sources)) if !sources.is_empty() => (target, sources),
        _ => {
            return Err(Failure::usage(
                "it takes sources and a target: slip queue add SOURCE... TARGET",
            ));
        }
    };
    let urls: Vec<&str> = sources.iter().filter_map(|text| address(text)).collect();
    match address(target) {
        Some(_) if !urls.is_empty() => {
            return Err(Failure::usage(
                "from one server to another: one side has to be this computer",
            ));
        }
        Some(target) => {
            let url = connections.parse(target)?;
            let files: Vec<PathBuf> = sources.iter().map(PathBuf::from).collect();
            if files.iter().any(|file| file.as_os_str() == "-") {
                return Err(Failure::usage(
                    "standard input can't wait in a queue: slip put - URL",
                ));
            }
            planner.uploads(&files, &url).await?;
        }
        None if urls.len() < sources.len() => {
            return Err(Failure::usage(
                "one side has to be an address: URLs to download into a local folder, or files to upload to a URL",
            ));
        }
        None => {
            let urls = urls
                .into_iter()
                .map(|text| connections.parse(text))
                .collect::<Result<Vec<_>, _>>()?;
            let target = local_target(Path::new(target), urls.len())?;
            planner.downloads(&urls, &target).await?;
        }
    }
    Ok(planner.finish())
}

fn address(text: &OsStr) -> Option<&str> {
    text.to_str().filter(|text| Url::is_meant(text))
}

/// A folder if it is one, if its name ends in a separator, or if there are several sources.
fn local_target(target: &Path, sources: usize) -> Result<LocalTarget, Failure> {
    let text = target.as_os_str().as_encoded_bytes();
    if text.is_empty() || text == b"-" {
        return Err(Failure::usage(
            "the target has to be a local file or folder",
        ));
    }
    let is_folder = text
        .last()
        .is_some_and(|last| std::path::is_separator(char::from(*last)))
        || target.is_dir();
    if is_folder || sources > 1 {
        return Ok(LocalTarget::Folder(target.to_owned()));
    }
    Ok(LocalTarget::Named(target.to_owned()))
}
