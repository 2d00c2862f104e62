//! Transfers of one command: planned, run by the queue, and reported one by one.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use ftp_client::ftp_proto::RemotePath;
use ftp_client::{Client, ErrorKind};
use serde::Serialize;
use transfer::{
    Connector, Direction, ItemKind, NewTransfer, Queue, QueueConfig, QueueUpdate, SiteKey, State,
    Transfer, TransferId,
};

use crate::connect::{Connections, Session, Target};
use crate::exit::{Failure, Status, Tally};
use crate::output::{self, Output};
use crate::progress::Progress;
use crate::signals::Stop;
use crate::url::Url;

/// How long servers are waited for at the end. By then what is half done here is removed.
const LEAVING_LIMIT: Duration = Duration::from_secs(5);

/// What became of one transfer: a line of `--json`.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Report {
    pub(crate) source: String,
    pub(crate) target: String,
    pub(crate) bytes: u64,
    pub(crate) seconds: f64,
    /// What was compared beyond the server's word: "size".
    pub(crate) verified: Option<String>,
    pub(crate) error: Option<String>,
}

impl Report {
    pub(crate) fn failed(source: String, target: String, error: &str) -> Self {
        Self {
            source,
            target,
            bytes: 0,
            seconds: 0.0,
            verified: None,
            error: Some(output::mask(error)),
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
        if let Some(error) = &self.error {
            output.message(format!("{} -> {}: {error}", self.source, self.target));
        } else if !output.quiet && !to_stderr {
            let checked = match &self.verified {
                Some(what) => format!(", {what} verified"),
                None => String::new(),
            };
            output.line(&format!(
                "{} -> {}  {} bytes in {:.1} s{checked}",
                self.source, self.target, self.bytes, self.seconds
            ))?;
        }
        Ok(())
    }
}

/// A server of the batch.
struct Server {
    target: Arc<Target>,
    home: Option<RemotePath>,
    /// For reports: an address there.
    url: Url,
    /// Sessions that are open already; the queue takes these first, and closes them when it pleases.
    ready: Mutex<Vec<Client>>,
}

/// A command's transfers.
pub(crate) struct Batch<'a> {
    connections: &'a Connections,
    servers: HashMap<SiteKey, Server>,
    transfers: Vec<NewTransfer>,
    targets: HashSet<(Direction, Vec<u8>)>,
    tally: Tally,
    /// What to say to a failure that may come from a missing -r.
    recursive: bool,
}

struct Sessions(HashMap<SiteKey, Server>);

#[async_trait]
impl Connector for Sessions {
    async fn connect(&self, site: &SiteKey) -> Result<Client, ftp_client::Error> {
        let server = self
            .0
            .get(site)
            .expect("the queue only knows keys of this map");
        let ready = server
            .ready
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        match ready {
            Some(client) if !client.is_closed() => Ok(client),
            _ => Client::connect(server.target.config().clone()).await,
        }
    }
}

impl<'a> Batch<'a> {
    pub(crate) fn new(connections: &'a Connections, recursive: bool) -> Self {
        Self {
            connections,
            servers: HashMap::new(),
            transfers: Vec::new(),
            targets: HashSet::new(),
            tally: Tally::default(),
            recursive,
        }
    }

    /// Adds a transfer of a session that is open.
    pub(crate) fn add(
        &mut self,
        session: &Session,
        url: &Url,
        direction: Direction,
        kind: ItemKind,
        local: std::path::PathBuf,
        remote: RemotePath,
    ) -> Result<(), Failure> {
        let site = session.target.key();
        let home = session.home();
        let place = match direction {
            Direction::Download => local.as_os_str().as_encoded_bytes().to_vec(),
            Direction::Upload => [site.as_str().as_bytes(), b"/", remote.as_bytes()].concat(),
        };
        if !self.targets.insert((direction, place)) {
            let (source, target) = ends(direction, url.at(&remote, home.as_ref()), &local);
            return self.fail(
                source,
                target,
                &Failure::usage("something else of this command has the same target"),
            );
        }
        self.servers.entry(site.clone()).or_insert_with(|| Server {
            target: session.target.clone(),
            home,
            url: url.clone(),
            ready: Mutex::new(vec![session.client.clone()]),
        });
        self.transfers.push(NewTransfer {
            site,
            direction,
            kind,
            local,
            remote,
            size: None,
            modified: None,
            options: Arc::default(),
        });
        Ok(())
    }

    /// Reports a transfer that can't even begin.
    pub(crate) fn fail(
        &mut self,
        source: String,
        target: String,
        failure: &Failure,
    ) -> Result<(), Failure> {
        let output = self.connections.output;
        self.tally.failed(match failure.status() {
            // The command line was fine; this one item is not.
            Status::Usage | Status::Done => Status::SomeFailed,
            status => status,
        });
        if output.json {
            return Report::failed(source, target, &failure.reason()).print(output, false);
        }
        match failure {
            // These name their place, and have more to say.
            Failure::Connect { .. } | Failure::NoPassword { .. } => output.message(failure),
            _ => output.message(format!("{source} -> {target}: {}", failure.reason())),
        }
        Ok(())
    }

    /// Does it all.
    pub(crate) async fn run(mut self, jobs: u8) -> Result<Status, Failure> {
        if self.transfers.is_empty() {
            return Ok(self.tally.status());
        }
        let config = QueueConfig {
            workers: usize::from(jobs),
            keep_idle: Duration::from_secs(5),
            ..QueueConfig::default()
        };
        let sessions = Arc::new(Sessions(std::mem::take(&mut self.servers)));
        let queue = Queue::new(config, sessions.clone());
        let mut stop = Stop::watch();
        let mut reporter = Reporter {
            output: self.connections.output,
            servers: &sessions.0,
            progress: Progress::new(self.connections.output),
            reported: HashSet::new(),
            tally: self.tally,
            recursive: self.recursive,
            stop: stop.clone(),
        };
        let mut updates = queue.subscribe();
        queue.enqueue(std::mem::take(&mut self.transfers));
        let idle = queue.wait_idle();
        tokio::pin!(idle);
        let outcome = loop {
            tokio::select! {
                biased;
                () = stop.wished() => break Ok(true),
                update = updates.next() => {
                    let items = match update {
                        Some(QueueUpdate::Snapshot { items, .. }) => items,
                        Some(QueueUpdate::Changes { upserts, .. }) => upserts,
                        None => break Ok(false),
                    };
                    if let Err(failure) = reporter.see(&items).await {
                        break Err(failure);
                    }
                }
                () = &mut idle => break Ok(false),
            }
        };
        // Also takes leave of the servers, and removes what is half done.
        let stopped = matches!(outcome, Ok(true) | Err(_));
        if stopped {
            reporter.progress.aside(|| {
                if outcome.is_ok() {
                    self.connections.output.message("stopping");
                }
            });
        }
        let last = if stopped { Vec::new() } else { queue.list() };
        let rest = match outcome {
            Ok(true) => {
                leave(&queue).await;
                reporter.see(&queue.list()).await
            }
            Ok(false) => {
                let seen = reporter.see(&last).await;
                tokio::select! {
                    () = leave(&queue) => {}
                    // Everything is done and said.
                    () = stop.wished() => {}
                }
                seen
            }
            Err(failure) => {
                leave(&queue).await;
                Err(failure)
            }
        };
        reporter.progress.finish();
        rest?;
        Ok(reporter.tally.status())
    }
}

/// Ends what runs, cleans up and takes leave, but waits for no server longer than is decent.
async fn leave(queue: &Queue) {
    let _ = tokio::time::timeout(LEAVING_LIMIT, queue.shutdown()).await;
}

struct Reporter<'a> {
    output: Output,
    servers: &'a HashMap<SiteKey, Server>,
    progress: Progress,
    reported: HashSet<TransferId>,
    tally: Tally,
    recursive: bool,
    stop: Stop,
}

impl Reporter<'_> {
    async fn see(&mut self, items: &[Transfer]) -> Result<(), Failure> {
        for item in items {
            self.progress.update(item);
            if item.state.is_open() || !self.reported.insert(item.id) {
                continue;
            }
            let error = match (&item.state, &item.error) {
                (State::Done, _) => None,
                // Its children have said it.
                (_, Some(transfer::Error::Children { .. })) => {
                    self.tally.failed(Status::SomeFailed);
                    continue;
                }
                (_, Some(error)) => {
                    self.tally.failed(status(error));
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
        let remote = match self.servers.get(&item.site) {
            Some(server) => server.url.at(&item.remote, server.home.as_ref()),
            None => {
                return Report::failed(item.source(), item.target(), &error.unwrap_or_default());
            }
        };
        let (source, target) = ends(item.direction, remote, &item.local);
        Report {
            source,
            target,
            bytes: item.bytes,
            seconds: item.seconds.unwrap_or(0.0),
            verified: item.verified.map(|verified| verified.to_string()),
            error: error.map(|error| output::mask(&error)),
        }
    }

    /// The error, and that it may be a folder without -r.
    async fn explain(&self, item: &Transfer, error: &transfer::Error) -> String {
        let refused = error
            .remote()
            .is_some_and(|error| matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Refused));
        if !self.recursive
            && refused
            && item.kind == ItemKind::File
            && let Some(server) = self.servers.get(&item.site)
        {
            let mut stop = self.stop.clone();
            let is_folder = tokio::select! {
                biased;
                () = stop.wished() => false,
                is_folder = is_folder(&server.target, &item.remote) => is_folder,
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
        error.to_string()
    }
}

/// Asks on a session of its own; where there is none to be had, it is unknown.
async fn is_folder(target: &Target, path: &RemotePath) -> bool {
    let Ok(client) = Client::connect(target.config().clone()).await else {
        return false;
    };
    let is_folder = client.is_dir(path).await;
    let _ = client.quit().await;
    matches!(is_folder, Ok(true))
}

fn status(error: &transfer::Error) -> Status {
    match error.remote().map(ftp_client::Error::kind) {
        Some(ErrorKind::Certificate(_)) => Status::Certificate,
        _ => Status::SomeFailed,
    }
}

/// Source and target as they are shown.
pub(crate) fn ends(direction: Direction, remote: Url, local: &std::path::Path) -> (String, String) {
    // The queue puts a dot before what lies in the working directory.
    let local = match local.strip_prefix(".") {
        Ok(inside) if !inside.as_os_str().is_empty() => inside,
        _ => local,
    };
    let (remote, local) = (remote.to_string(), local.display().to_string());
    match direction {
        Direction::Download => (remote, local),
        Direction::Upload => (local, remote),
    }
}
