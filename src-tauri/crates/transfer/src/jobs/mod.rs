//! One try at one item, or at a group of them: what a worker does, from taking a connection to cleaning up.
//!
//! What is written down before it is done is what makes a crash harmless. An item *begins* with a note of what its source
//! is then: only what was begun with the same source is ever continued, after its end was compared. Before a finished
//! file gets its name there is a note of what it will look like: after a crash right then it is found complete, or still
//! gets its name, and is not transferred again.

mod decide;
mod download;
mod fetch_group;
mod islands;
mod links;
mod load;
mod place;
pub(crate) mod segments;
mod send;
mod split;
mod store_group;
#[cfg(test)]
mod tests;
mod upload;
mod verify;
mod walk;
mod write_group;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ftp_client::{Progress, Throttles};
use tokio_util::sync::CancellationToken;

use crate::error::{Error, RemoteError, Retry};
use crate::pool::Pool;
use crate::remote::{Remote, Wire};
use crate::work::{Assignment, Ledger, Note, Outcome, StopKind, Task};
use crate::{Direction, ItemKind, SiteKey, TransferId, partial};

/// How long the deletion of what was given up may take.
const CLEANING_LIMIT: Duration = Duration::from_secs(10);

/// What others may know of a job while it runs, and the way to stop it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Live {
    /// Bytes moved by this job.
    pub(crate) progress: Progress,
    /// Bytes of the source of a file alone, once they are known.
    pub(crate) total: Arc<OnceLock<u64>>,
    /// So much of a file alone was there already.
    pub(crate) resumed: Arc<AtomicU64>,
    /// The whole job is to stop.
    pub(crate) cancel: CancellationToken,
    /// The limits of speed that it passes through.
    pub(crate) throttles: Throttles,
    /// When a download goes on by several connections.
    pub(crate) segments: segments::Rules,
    /// What finds the disk full is tried again when there is room, and goes on from where it is.
    pub(crate) waits_for_room: bool,
}

impl Live {
    /// The answer of something that may be dropped at any time, unless the job is stopped before.
    async fn or_stopped<T, E: Into<Error>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Stop> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Stop::Asked),
            result = work => result.map_err(|error| Stop::Error(error.into())),
        }
    }

    fn know_total(&self, total: Option<u64>) {
        if let Some(total) = total {
            // A second try on a fresh connection may learn it again.
            let _ = self.total.set(total);
        }
    }

    fn resumed_from(&self, offset: u64) {
        self.resumed.store(offset, Ordering::Relaxed);
    }
}

/// Why something ends early.
#[derive(Debug)]
enum Stop {
    /// Somebody wants it to.
    Asked,
    Error(Error),
}

impl<E: Into<Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Stop::Error(error.into())
    }
}

/// Does the job. Each of its items ends once, by the ledger; then everything is done or cleaned up.
pub(crate) async fn run(
    pool: &Pool,
    site: &SiteKey,
    assignment: &Assignment,
    live: &Live,
    ledger: &dyn Ledger,
) {
    match assignment {
        Assignment::Folder(task) | Assignment::File(task) => {
            let outcome = alone(pool, site, task, live, ledger).await;
            ledger.ended(task.id, outcome);
        }
        Assignment::Group(tasks) => group(pool, site, tasks, live, ledger).await,
    }
}

/// Removes the temporary files that earlier tries have left here of items that nobody wants any more.
pub(crate) async fn discard_here(tasks: &[Task]) {
    for task in begun(tasks, Direction::Download) {
        discard_local(task).await;
    }
}

/// The same on the server, if a connection can be had among the `most` that there may be.
pub(crate) async fn discard_there(pool: &Pool, site: &SiteKey, most: usize, tasks: &[Task]) {
    let temporaries: Vec<_> = begun(tasks, Direction::Upload)
        .filter_map(upload::left_behind)
        .collect();
    if temporaries.is_empty() {
        return;
    }
    if let Ok(lease) = pool.take_spare(site, most).await {
        match lease.remote().delete_many(&temporaries).await {
            Ok(_) => lease.give_back(),
            Err(_) => lease.close().await,
        }
    }
}

fn begun(tasks: &[Task], direction: Direction) -> impl Iterator<Item = &Task> {
    tasks.iter().filter(move |task| {
        task.plan.kind == ItemKind::File && task.plan.direction == direction && task.begun.is_some()
    })
}

async fn discard_local(task: &Task) {
    let (base, mut relative) = (task.plan.base.clone(), task.plan.relative.clone());
    let Some(begun) = task.begun.as_ref().filter(|begun| !begun.in_place) else {
        return;
    };
    if let Some(name) = decide::local_name(&task.plan, begun.number) {
        relative.set_file_name(name);
    }
    if let Err(error) = blocking(move || partial::discard(&base, &relative)).await {
        tracing::info!(%error, "a temporary file was left behind");
    }
}

/// A folder, or a file by itself.
async fn alone(
    pool: &Pool,
    site: &SiteKey,
    task: &Task,
    live: &Live,
    ledger: &dyn Ledger,
) -> Outcome {
    let mut fresh = false;
    loop {
        let lease = match live.or_stopped(pool.take(site, fresh)).await {
            Ok(lease) => lease,
            Err(stop) => {
                if ledger.stopped(task.id) == Some(StopKind::Cancelled)
                    && task.plan.direction == Direction::Download
                {
                    discard_local(task).await;
                }
                return ended(stop, task, pool.open(site));
            }
        };
        let job = Job {
            pool,
            site,
            remote: lease.remote(),
            live,
            ledger,
        };
        let result = job.alone(task).await;
        match &result {
            // A connection that broke while it was idle is nobody's failure.
            Err(Stop::Error(error))
                if error.connection_lost() && lease.reused() && live.progress.bytes() == 0 =>
            {
                lease.close().await;
                fresh = true;
                continue;
            }
            Err(Stop::Error(error)) if spoils_connection(error) => lease.close().await,
            _ => lease.give_back(),
        }
        return result.unwrap_or_else(|stop| ended(stop, task, pool.open(site)));
    }
}

/// Small files together. Whoever of them can't go on with the others goes alone.
async fn group(pool: &Pool, site: &SiteKey, tasks: &[Task], live: &Live, ledger: &dyn Ledger) {
    let mut fresh = false;
    let mut open: Vec<&Task> = tasks.iter().collect();
    let mut alone_then = Vec::new();
    while !open.is_empty() {
        let lease = match live.or_stopped(pool.take(site, fresh)).await {
            Ok(lease) => lease,
            Err(stop) => {
                end_all(&open, stop, pool.open(site), ledger);
                break;
            }
        };
        let job = Job {
            pool,
            site,
            remote: lease.remote(),
            live,
            ledger,
        };
        let moved = live.progress.bytes();
        let mut left = Left::default();
        let is_download = open[0].plan.direction == Direction::Download;
        let result = match is_download {
            true => job.fetch_group(&open, &mut left).await,
            false => job.store_group(&open, &mut left).await,
        };
        alone_then.append(&mut left.alone);
        match result {
            Ok(()) => {
                lease.give_back();
                // Whatever was forgotten must not hang.
                let forgotten = Error::Internal("a file of a group was forgotten".to_owned());
                end_all(&left.open, Stop::Error(forgotten), pool.open(site), ledger);
                break;
            }
            Err(Stop::Error(error))
                if error.connection_lost() && lease.reused() && live.progress.bytes() == moved =>
            {
                lease.close().await;
                fresh = true;
                open = left.open;
            }
            Err(stop) => {
                match &stop {
                    Stop::Error(error) if spoils_connection(error) => lease.close().await,
                    _ => lease.give_back(),
                }
                end_all(&left.open, stop, pool.open(site), ledger);
                break;
            }
        }
    }
    for task in alone_then {
        let outcome = alone(pool, site, task, live, ledger).await;
        ledger.ended(task.id, outcome);
    }
}

/// What is left of a group.
#[derive(Default)]
struct Left<'t> {
    /// Has not ended.
    open: Vec<&'t Task>,
    /// Is to go by itself.
    alone: Vec<&'t Task>,
}

impl<'t> Left<'t> {
    fn remove(&mut self, id: TransferId) {
        self.open.retain(|task| task.id != id);
    }
}

fn end_all(tasks: &[&Task], stop: Stop, open: usize, ledger: &dyn Ledger) {
    for task in tasks {
        let stop = match &stop {
            Stop::Asked => Stop::Asked,
            Stop::Error(error) => Stop::Error(error.clone()),
        };
        ledger.ended(task.id, ended(stop, task, open));
    }
}

fn ended(stop: Stop, task: &Task, open: usize) -> Outcome {
    match stop {
        Stop::Asked => Outcome::Aborted,
        Stop::Error(error) => Outcome::Failed {
            error: error.about(&task.plan.local()),
            open,
        },
    }
}

/// What is worth another try may be the connection's fault, so that try gets another one.
fn spoils_connection(error: &Error) -> bool {
    error.connection_lost() || error.retry() != Retry::Never
}

/// One connection at work.
struct Job<'a> {
    pool: &'a Pool,
    site: &'a SiteKey,
    remote: &'a dyn Remote,
    live: &'a Live,
    ledger: &'a dyn Ledger,
}

impl Job<'_> {
    async fn alone(&self, task: &Task) -> Result<Outcome, Stop> {
        match (task.plan.kind, task.plan.direction) {
            (ItemKind::File, Direction::Download) => self.download(task).await,
            (ItemKind::File, Direction::Upload) => self.upload(task).await,
            (ItemKind::Link, Direction::Download) => self.link_here(task).await,
            (ItemKind::Link, Direction::Upload) => self.link_there(task).await,
            (ItemKind::Folder, Direction::Download) => self.walk_remote(task).await,
            (ItemKind::Folder, Direction::Upload) => self.walk_local(task).await,
        }
    }

    fn wire(&self) -> Wire {
        Wire {
            progress: self.live.progress.clone(),
            throttles: self.live.throttles.clone(),
            ..Wire::default()
        }
    }

    async fn note(&self, id: TransferId, note: Note) -> Result<(), Error> {
        self.ledger.note(vec![(id, note)]).await
    }

    /// Before what can't be taken back.
    fn go_on(&self, id: TransferId) -> Result<(), Stop> {
        match self.live.cancel.is_cancelled() || self.ledger.stopped(id).is_some() {
            true => Err(Stop::Asked),
            false => Ok(()),
        }
    }

    /// Whether what was written so far is worth something to the next try.
    fn is_worth_keeping(&self, id: TransferId, stop: &Stop) -> bool {
        match stop {
            Stop::Asked => self.ledger.stopped(id) != Some(StopKind::Cancelled),
            // What arrived is not what the source is.
            Stop::Error(
                Error::SizeDiffers { .. } | Error::HashDiffers { .. } | Error::SourceChanged,
            ) => false,
            Stop::Error(Error::DiskFull { .. }) => self.live.waits_for_room,
            Stop::Error(Error::Journal { .. }) => true,
            Stop::Error(error) => error.retry() != Retry::Never,
        }
    }
}

/// What a server would not tell is unknown; only a broken connection is an error.
trait OrUnknown<T> {
    fn or_unknown(self) -> Result<Option<T>, Error>;
}

impl<T> OrUnknown<T> for Result<Option<T>, RemoteError> {
    fn or_unknown(self) -> Result<Option<T>, Error> {
        match self {
            Err(error) if !error.connection_lost => Ok(None),
            result => result.map_err(Error::from),
        }
    }
}

/// Runs disk work on a thread for it. It is not dropped half-way: its outcome decides what has to be cleaned up.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(Error::Internal(error.to_string())),
    }
}
