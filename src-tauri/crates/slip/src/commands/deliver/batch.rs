//! Many deliveries at once, each for itself.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use ftp_client::{Delivered, ErrorKind};
use serde_json::Value;
use tokio::io::{AsyncBufRead, BufReader};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::item::{self, Item};
use super::lines::{Line, Lines};
use super::{Errand, Report, Undelivered, perform};
use crate::cli::{Deliver, DeliverHow};
use crate::connect::Connections;
use crate::exit::{Failure, Status};
use crate::output::Output;
use crate::signals::Stop;

/// What all deliveries of a batch share.
struct Shared {
    connections: Connections,
    how: DeliverHow,
    per_server: usize,
    servers: Mutex<HashMap<(String, u16), Arc<Server>>>,
    stop: Stop,
}

/// How many deliveries one server is sent at once.
struct Server {
    slots: Semaphore,
    running: AtomicUsize,
}

/// Delivers what a file says, line by line as it comes. A line that can't be understood fails by itself, as does every delivery.
pub(super) async fn run(
    file: &Path,
    deliver: &Deliver,
    connections: &Connections,
) -> Result<Status, Failure> {
    let reader: Box<dyn AsyncBufRead + Send + Unpin> = if file.as_os_str() == "-" {
        let stdin = crate::commands::put::stdin()?;
        Box::new(BufReader::new(tokio::fs::File::from_std(stdin)))
    } else {
        let opened = tokio::fs::File::open(file).await;
        let opened = opened
            .map_err(|error| Failure::usage(format!("--batch: {}: {error}", file.display())))?;
        Box::new(BufReader::new(opened))
    };
    let output = connections.output;
    let shared = Arc::new(Shared {
        connections: connections.without_questions(),
        how: deliver.how.clone(),
        per_server: deliver.per_server.into(),
        servers: Mutex::default(),
        stop: Stop::watch(),
    });
    let mut lines = Lines::new(reader);
    let mut reading = true;
    let mut running = JoinSet::new();
    let mut tally = (0_u64, 0_u64);
    let mut broken = None;
    let mut stop = shared.stop.clone();
    loop {
        let room = running.len() < usize::from(deliver.jobs);
        if running.is_empty() && !reading {
            break;
        }
        tokio::select! {
            Some(done) = running.join_next() => match done {
                Ok(report) => tell(&report, output, &mut tally),
                Err(error) => broken = Some(error.to_string()),
            },
            line = lines.next(), if reading && room => match line {
                Ok(Some((number, line))) => {
                    running.spawn(shared.clone().deliver(number, line));
                }
                Ok(None) => reading = false,
                Err(error) => {
                    broken = Some(format!("--batch: {}: {error}", file.display()));
                    reading = false;
                }
            },
            // What runs ends by itself: it has heard the same.
            () = stop.wished(), if reading => {
                broken = Some("stopped before the end of the batch".to_owned());
                reading = false;
            }
        }
    }
    let (done, failed) = tally;
    if let Some(why) = &broken {
        output.message(why);
    }
    output.remark(format!("{done} delivered, {failed} failed"));
    Ok(match failed == 0 && broken.is_none() {
        true => Status::Done,
        false => Status::SomeFailed,
    })
}

/// One report. Nobody who reads it is no reason not to deliver the rest.
fn tell(report: &Report, output: Output, tally: &mut (u64, u64)) {
    let is_done = report.error.is_none();
    match is_done {
        true => tally.0 += 1,
        false => tally.1 += 1,
    }
    let _ = match (output.json, output.quiet) {
        (true, _) => output.object(report),
        (false, false) => output.line(&report.text()),
        (false, true) => {
            if !is_done {
                output.message(report.text());
            }
            Ok(())
        }
    };
}

impl Shared {
    async fn deliver(self: Arc<Self>, number: u64, line: Line) -> Report {
        let begin = Instant::now();
        let mut id = None;
        let (errand, outcome) = match self.read(line, &mut id) {
            Err(why) => {
                let failure = Failure::Usage(format!("line {number}: {why}"));
                (None, Err(Undelivered::Before(failure)))
            }
            Ok(item) => {
                let outcome = self.perform(&item).await;
                (Some(item.errand), outcome)
            }
        };
        Report {
            line: Some(number),
            id,
            ..Report::new(errand.as_ref(), &outcome, begin)
        }
    }

    fn read(&self, line: Line, id: &mut Option<Value>) -> Result<Item, String> {
        let line = match line {
            Line::Whole(line) => line,
            Line::TooLong => {
                return Err(format!(
                    "it is longer than {} MiB",
                    super::lines::LONGEST >> 20
                ));
            }
        };
        let object = item::object(&line)?;
        drop(line);
        item::hide_secrets(&object);
        *id = object.get("id").cloned();
        item::understand(object, &self.how, &self.connections)
    }

    async fn perform(&self, item: &Item) -> Result<Delivered, Undelivered> {
        let connections = item.connections.as_ref().unwrap_or(&self.connections);
        let Errand { url, .. } = &item.errand;
        let target = connections.target(url).await.map_err(Undelivered::Before)?;
        let config = target.config();
        let server = self.server(
            &config.host,
            config.port,
            connections.connections_of(&target),
        );
        loop {
            let Ok(slot) = server.slots.acquire().await else {
                // Nobody closes it.
                return Err(Undelivered::Before(Failure::Other("no slot".to_owned())));
            };
            server.running.fetch_add(1, Ordering::AcqRel);
            let outcome = perform(&item.errand, connections, &target, &self.stop).await;
            let others = server.running.fetch_sub(1, Ordering::AcqRel) - 1;
            match outcome {
                // Too many of our own: one fewer from now on, and this one when another has ended.
                Err(Undelivered::By(error)) if *error.kind() == ErrorKind::Busy && others > 0 => {
                    slot.forget();
                    connections.learn_connections(&target, others);
                }
                outcome => return outcome,
            }
        }
    }

    fn server(&self, host: &str, port: u16, known: Option<u8>) -> Arc<Server> {
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        let slots = known.map_or(self.per_server, |known| self.per_server.min(known.into()));
        servers
            .entry((host.to_ascii_lowercase(), port))
            .or_insert_with(|| {
                Arc::new(Server {
                    slots: Semaphore::new(slots),
                    running: AtomicUsize::new(0),
                })
            })
            .clone()
    }
}
