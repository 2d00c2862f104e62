//! Works on a queue until nothing is left, and reports.

use std::sync::Arc;
use std::time::Duration;

use transfer::{
    Hold, Interest, Limits, Queue, QueueConfig, QueueUpdate, Segments, State, Summary, Transfer,
    TransferId, Updates,
};

use crate::ask;
use crate::cli::How;
use crate::connect::{Connections, can_ask};
use crate::exit::{Failure, Status, Tally};
use crate::plan::Planned;
use crate::progress::Progress;
use crate::report::Reporter;
use crate::servers::Servers;
use crate::signals::Stop;

/// How long servers are waited for at the end. By then what is half done here is removed, or noted.
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
    let config = QueueConfig {
        limits: Limits {
            total: how.limit.and_then(|limit| limit.0),
            ..Limits::default()
        },
        // Somebody waits for the outcome.
        wait_for_room: false,
        ..config(how.connections, how.segments)
    };
    let queue = Queue::new(config, servers.clone());
    let mut work = Work::new(&queue, &servers, connections);
    work.tally = tally;
    work.recursive = recursive;
    let updates = queue.subscribe(Interest::Everything);
    queue
        .enqueue(transfers)
        .await
        .map_err(|error| Failure::Other(error.to_string()))?;
    work.run(updates).await
}

/// How a queue works for a command.
pub(crate) fn config(connections: Option<u8>, segments: Option<u8>) -> QueueConfig {
    let mut config = QueueConfig {
        segments: segments.map_or_else(Segments::default, Segments::UpTo),
        keep_idle: Duration::from_secs(5),
        ..QueueConfig::default()
    };
    if let Some(connections) = connections {
        config.connections = usize::from(connections);
        config.workers = config.workers.max(config.connections);
    }
    config
}

/// A queue that is being worked on.
pub(crate) struct Work<'a> {
    queue: &'a Queue,
    servers: &'a Servers,
    connections: &'a Connections,
    stop: Stop,
    /// No failure comes from a missing -r.
    pub(crate) recursive: bool,
    pub(crate) tally: Tally,
    /// The queue outlives the command: what was finished before is not its business, and what is left stays.
    pub(crate) is_kept: bool,
    /// What was over before this began, and is not told again.
    pub(crate) ended_before: Vec<TransferId>,
}

/// Why the work has ended.
enum End {
    Idle,
    Stopped,
    Failed(Failure),
}

impl<'a> Work<'a> {
    /// From now on signals don't end the program, but the work.
    pub(crate) fn new(
        queue: &'a Queue,
        servers: &'a Servers,
        connections: &'a Connections,
    ) -> Self {
        Self {
            queue,
            servers,
            connections,
            stop: Stop::watch(),
            recursive: false,
            tally: Tally::default(),
            is_kept: false,
            ended_before: Vec::new(),
        }
    }

    /// Until nothing is left, or somebody wants it to stop. Takes leave of the servers.
    pub(crate) async fn run(self, mut updates: Updates) -> Result<Status, Failure> {
        let Self {
            queue,
            connections,
            mut stop,
            is_kept,
            ended_before,
            ..
        } = self;
        let output = connections.output;
        let mut reporter = Reporter {
            output,
            servers: self.servers,
            progress: Progress::new(output),
            reported: ended_before.into_iter().collect(),
            tally: self.tally,
            recursive: self.recursive,
            stop: stop.clone(),
        };
        let mut held = None;
        let end = loop {
            let idle = queue.wait_idle();
            tokio::pin!(idle);
            let end = loop {
                tokio::select! {
                    biased;
                    () = stop.wished() => break End::Stopped,
                    update = updates.next() => {
                        let (items, summary) = match update {
                            Some(QueueUpdate::Snapshot { items, summary, .. }) => (items, summary),
                            Some(QueueUpdate::Changes { upserts, summary, .. }) => (upserts, summary),
                            None => break End::Idle,
                        };
                        tell_hold(&mut held, &summary, &reporter);
                        if let Some(Hold::Journal { why, damaged: true }) = &summary.held {
                            break End::Failed(Failure::Journal(format!(
                                "{why}; when the queue is opened the next time, what is readable of it is recovered"
                            )));
                        }
                        if let Err(failure) = reporter.see(&items).await {
                            break End::Failed(failure);
                        }
                    }
                    () = &mut idle => break End::Idle,
                }
            };
            if !matches!(end, End::Idle) {
                break end;
            }
            let items = queue.list();
            if let Err(failure) = reporter.see(&items).await {
                break End::Failed(failure);
            }
            let asking: Vec<Transfer> = items
                .into_iter()
                .filter(|item| item.state == State::Asking)
                .collect();
            if asking.is_empty() || !can_ask(output) {
                break End::Idle;
            }
            reporter.progress.hide();
            match ask::rule(self.servers, &asking, &mut stop).await {
                Ok(Some(rule)) => {
                    let ids: Vec<_> = asking.iter().map(|item| item.id).collect();
                    queue.answer(&ids, rule);
                    reporter.progress.show();
                }
                Ok(None) => break End::Stopped,
                Err(failure) => break End::Failed(failure),
            }
        };
        let outcome = match end {
            End::Idle => {
                tokio::select! {
                    () = leave(queue) => {}
                    // Everything is done and said.
                    () = stop.wished() => {}
                }
                Ok(())
            }
            End::Stopped => {
                reporter.progress.aside(|| {
                    output.message(if is_kept {
                        "stopping; what is left stays in the queue"
                    } else {
                        "stopping"
                    });
                });
                leave(queue).await;
                reporter.see(&queue.list()).await
            }
            End::Failed(failure) => {
                leave(queue).await;
                Err(failure)
            }
        };
        reporter.progress.finish();
        outcome?;
        if is_kept {
            tell_rest(&queue.summary(), &mut reporter);
        }
        Ok(reporter.tally.status())
    }
}

/// Says once why everything waits.
fn tell_hold(held: &mut Option<Hold>, summary: &Summary, reporter: &Reporter<'_>) {
    if *held == summary.held {
        return;
    }
    held.clone_from(&summary.held);
    let text = match held {
        Some(Hold::DiskFull { path }) => format!(
            "the disk is full ({}); it goes on when there is room",
            path.display()
        ),
        // The command ends, and says why.
        Some(Hold::Journal { damaged: true, .. }) => return,
        Some(Hold::Journal { why, .. }) => {
            format!("the queue's journal can't be written ({why}); it goes on when it can")
        }
        None => "it goes on".to_owned(),
    };
    reporter.progress.aside(|| reporter.output.message(text));
}

/// What stays in a queue that is kept.
fn tell_rest(summary: &Summary, reporter: &mut Reporter<'_>) {
    let files = &summary.files;
    let parts: Vec<String> = [
        (files.waiting + files.running, "waiting"),
        (files.paused, "paused"),
        (
            files.asking,
            "with a target that exists (slip queue run asks in a terminal)",
        ),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, what)| format!("{count} {what}"))
    .collect();
    if !parts.is_empty() {
        reporter
            .output
            .remark(format!("left in the queue: {}", parts.join(", ")));
    }
    if files.failed > 0 {
        reporter.output.remark(format!(
            "failed, and not tried again by itself: {} (slip queue retry)",
            files.failed
        ));
    }
    if files.waiting + files.running + files.asking > 0 {
        reporter.tally.failed(Status::SomeFailed);
    }
}

/// Ends what runs, cleans up and takes leave, but waits for no server longer than is decent.
async fn leave(queue: &Queue) {
    let _ = tokio::time::timeout(LEAVING_LIMIT, queue.shutdown()).await;
}
