//! Works on a queue until nothing is left, and reports.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use transfer::{Queue, QueueConfig, QueueUpdate, Transfer};

use crate::cli::How;
use crate::connect::Connections;
use crate::exit::{Failure, Status, Tally};
use crate::plan::Planned;
use crate::progress::Progress;
use crate::report::Reporter;
use crate::servers::Servers;
use crate::signals::Stop;

/// How long servers are waited for at the end. By then what is half done here is removed.
const LEAVING_LIMIT: Duration = Duration::from_secs(5);

/// The queue of one command: it ends with it.
pub(crate) async fn run(
    planned: Planned,
    connections: &Connections,
    how: &How,
) -> Result<Status, Failure> {
    let Planned {
        transfers,
        servers,
        tally,
        recursive,
    } = planned;
    if transfers.is_empty() {
        return Ok(tally.status());
    }
    let servers = Arc::new(servers);
    let queue = Queue::new(config(how.connections), servers.clone());
    let stop = Stop::watch();
    let work = Work {
        queue: &queue,
        servers: &servers,
        connections,
        stop,
        recursive,
        tally,
        finished_before: HashSet::new(),
    };
    let mut updates = queue.subscribe();
    queue.enqueue(transfers);
    work.run(&mut updates).await
}

fn config(at_most: Option<u8>) -> QueueConfig {
    QueueConfig {
        workers: usize::from(at_most.unwrap_or(4)),
        keep_idle: Duration::from_secs(5),
        ..QueueConfig::default()
    }
}

/// A queue that is being worked on.
pub(crate) struct Work<'a> {
    queue: &'a Queue,
    servers: &'a Servers,
    connections: &'a Connections,
    stop: Stop,
    recursive: bool,
    tally: Tally,
    finished_before: HashSet<transfer::TransferId>,
}

impl Work<'_> {
    /// Until nothing is left, or somebody wants it to stop. Takes leave of the servers.
    async fn run(self, updates: &mut transfer::Updates) -> Result<Status, Failure> {
        let Self {
            queue,
            connections,
            mut stop,
            ..
        } = self;
        let mut reporter = Reporter {
            output: connections.output,
            servers: self.servers,
            progress: Progress::new(connections.output),
            reported: self.finished_before,
            tally: self.tally,
            recursive: self.recursive,
            stop: stop.clone(),
        };
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
                    connections.output.message("stopping");
                }
            });
        }
        let last: Vec<Transfer> = if stopped { Vec::new() } else { queue.list() };
        let rest = match outcome {
            Ok(true) => {
                leave(queue).await;
                reporter.see(&queue.list()).await
            }
            Ok(false) => {
                let seen = reporter.see(&last).await;
                tokio::select! {
                    () = leave(queue) => {}
                    // Everything is done and said.
                    () = stop.wished() => {}
                }
                seen
            }
            Err(failure) => {
                leave(queue).await;
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
