//! What became of transfers, one by one.

use std::collections::HashSet;
use std::io;
use std::path::Path;

use ftp_client::ftp_proto::{Name, RemotePath};
use ftp_client::{Client, ErrorKind};
use serde::Serialize;
use transfer::{Direction, ItemKind, SiteKey, State, Transfer, TransferId};

use crate::exit::{Failure, Status, Tally};
use crate::output::{self, Output};
use crate::progress::Progress;
use crate::servers::Servers;
use crate::signals::Stop;
use crate::url::Url;

/// What became of one transfer: a line of `--json`.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Report {
    pub(crate) source: String,
    pub(crate) target: String,
    /// `done`, `skipped`, `failed`, `cancelled`.
    pub(crate) state: &'static str,
    pub(crate) bytes: u64,
    /// So much of it was there before.
    pub(crate) resumed_from: u64,
    pub(crate) seconds: f64,
    /// What was compared beyond the server's word: "size, time".
    pub(crate) verified: Option<String>,
    pub(crate) error: Option<String>,
}

impl Report {
    pub(crate) fn done(
        source: String,
        target: String,
        bytes: u64,
        seconds: f64,
        verified: Option<String>,
    ) -> Self {
        Self {
            source,
            target,
            state: "done",
            bytes,
            resumed_from: 0,
            seconds,
            verified,
            error: None,
        }
    }

    pub(crate) fn failed(source: String, target: String, error: &str) -> Self {
        Self {
            state: "failed",
            error: Some(output::mask(error)),
            ..Self::done(source, target, 0, 0.0, None)
        }
    }

    /// Writes it to standard output, or to standard error where that is taken by a file's bytes.
    pub(crate) fn print(&self, output: Output, to_stderr: bool) -> Result<(), Failure> {
        if output.json {
            if to_stderr {
                use io::Write as _;
                let _ = writeln!(
                    io::stderr(),
                    "{}",
                    serde_json::to_string(self).unwrap_or_default()
                );
                return Ok(());
            }
            return Ok(output.object(self)?);
        }
        let ends = format!("{} -> {}", self.source, self.target);
        if let Some(error) = &self.error {
            output.message(format!("{ends}: {error}"));
        } else if !output.quiet && !to_stderr {
            if self.state == "skipped" {
                output.line(&format!("{ends}  skipped, what is there stays"))?;
                return Ok(());
            }
            let checked = match &self.verified {
                Some(what) => format!(", {what} verified"),
                None => String::new(),
            };
            let resumed = match self.resumed_from {
                0 => String::new(),
                bytes => format!(", from byte {bytes} on"),
            };
            output.line(&format!(
                "{ends}  {} bytes in {:.1} s{resumed}{checked}",
                self.bytes, self.seconds
            ))?;
        }
        Ok(())
    }
}

/// Reports items as they finish.
pub(crate) struct Reporter<'a> {
    pub(crate) output: Output,
    pub(crate) servers: &'a Servers,
    pub(crate) progress: Progress,
    pub(crate) tally: Tally,
    /// A failure can't come from a missing -r.
    pub(crate) recursive: bool,
    pub(crate) stop: Stop,
    /// Reported, or finished before this began.
    pub(crate) reported: HashSet<TransferId>,
}

impl Reporter<'_> {
    pub(crate) async fn see(&mut self, items: &[Transfer]) -> Result<(), Failure> {
        for item in items {
            if item.state.is_open() {
                self.progress.update(item);
                // What was tried again by request is reported again.
                self.reported.remove(&item.id);
                continue;
            }
            if !self.reported.insert(item.id) {
                continue;
            }
            self.progress.update(item);
            let error = match (&item.state, &item.error) {
                (State::Done | State::Skipped, _) => None,
                // Its children have said it.
                (_, Some(transfer::Error::Children { .. })) => {
                    self.tally.failed(Status::SomeFailed);
                    continue;
                }
                (_, Some(error)) => {
                    self.tally.failed(self.servers.status(&item.site, error));
                    Some(self.explain(item, error).await)
                }
                (_, None) => {
                    self.tally.failed(Status::SomeFailed);
                    Some("stopped".to_owned())
                }
            };
            if error.is_none() {
                self.tally.done();
                if item.kind == ItemKind::Folder {
                    continue;
                }
            }
            let report = self.report(item, error);
            let output = self.output;
            self.progress.aside(|| report.print(output, false))?;
        }
        Ok(())
    }

    fn report(&self, item: &Transfer, error: Option<String>) -> Report {
        let source = shown_item(self.servers, item).0;
        let target = shown_target(self.servers, item);
        Report {
            source,
            target,
            state: state_name(item.state),
            bytes: item.bytes,
            resumed_from: item.resumed_from,
            seconds: item.seconds.unwrap_or(0.0),
            verified: item
                .verified
                .map(|verified| verified.to_string())
                .filter(|verified| !verified.is_empty()),
            error: error.map(|error| output::mask(&error)),
        }
    }

    /// The error, and that it may be a folder without -r.
    async fn explain(&self, item: &Transfer, error: &transfer::Error) -> String {
        let refused = error
            .remote()
            .is_some_and(|error| matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Refused));
        if !self.recursive && refused && item.kind == ItemKind::File {
            let mut stop = self.stop.clone();
            let is_folder = tokio::select! {
                biased;
                () = stop.wished() => false,
                is_folder = is_folder(self.servers, &item.site, &item.remote) => is_folder,
            };
            if is_folder {
                return match item.direction {
                    Direction::Download => {
                        "this is a folder: -r downloads it with everything in it"
                    }
                    Direction::Upload => {
                        "a folder of this name is there: end the address in / to upload into it"
                    }
                }
                .to_owned();
            }
        }
        match error.remote().map(ftp_client::Error::kind) {
            // It says how to accept it.
            Some(ErrorKind::Certificate(_) | ErrorKind::PlaintextRefused) => {
                error.remote().map_or_else(String::new, |error| {
                    Failure::Connect {
                        place: item.site.as_str().to_owned(),
                        error: error.clone(),
                    }
                    .to_string()
                })
            }
            _ => error.to_string(),
        }
    }
}

/// Asks on a session of its own; where there is none to be had, it is unknown.
async fn is_folder(servers: &Servers, site: &SiteKey, path: &RemotePath) -> bool {
    let Ok(target) = servers.target(site).await else {
        return false;
    };
    let Ok(client) = Client::connect(target.config().clone()).await else {
        return false;
    };
    let is_folder = client.is_dir(path).await;
    let _ = client.quit().await;
    matches!(is_folder, Ok(true))
}

/// A state's name in `--json` and in lists.
pub(crate) fn state_name(state: State) -> &'static str {
    match state {
        State::Waiting => "waiting",
        State::Paused => "paused",
        State::Asking => "asking",
        State::Scanning => "scanning",
        State::Running => "running",
        State::Done => "done",
        State::Skipped => "skipped",
        State::Failed => "failed",
        State::Cancelled => "cancelled",
    }
}

/// Source and target of an item as they were asked for.
pub(crate) fn shown_item(servers: &Servers, item: &Transfer) -> (String, String) {
    shown_ends(
        servers,
        item.direction,
        &item.site,
        &item.remote,
        &item.local,
    )
}

/// The target with the name that it got.
pub(crate) fn shown_target(servers: &Servers, item: &Transfer) -> String {
    let (mut local, mut remote) = (item.local.clone(), item.remote.clone());
    if let Some(name) = &item.target_name {
        match item.direction {
            Direction::Download => local.set_file_name(name),
            Direction::Upload => {
                if let (Ok(name), Some(folder)) = (Name::try_from(name.as_str()), remote.parent()) {
                    remote = folder.join(&name);
                }
            }
        }
    }
    shown_ends(servers, item.direction, &item.site, &remote, &local).1
}

/// Source and target of a transfer as they are shown.
pub(crate) fn shown_ends(
    servers: &Servers,
    direction: Direction,
    site: &SiteKey,
    remote: &RemotePath,
    local: &Path,
) -> (String, String) {
    match servers.address(site, remote) {
        Some(url) => ends(direction, url, local),
        None => {
            let remote = format!("{} {remote}", site.as_str());
            in_order(direction, remote, local.display().to_string())
        }
    }
}

/// Source and target as they are shown.
pub(crate) fn ends(direction: Direction, remote: Url, local: &Path) -> (String, String) {
    // The queue puts a dot before what lies in the working directory.
    let local = match local.strip_prefix(".") {
        Ok(inside) if !inside.as_os_str().is_empty() => inside,
        _ => local,
    };
    in_order(direction, remote.to_string(), local.display().to_string())
}

fn in_order(direction: Direction, remote: String, local: String) -> (String, String) {
    match direction {
        Direction::Download => (remote, local),
        Direction::Upload => (local, remote),
    }
}
