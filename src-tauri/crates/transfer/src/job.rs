//! One try at one item: what a worker does, from taking a connection to cleaning up.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use ftp_client::Progress;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::core::Outcome;
use crate::disk;
use crate::error::{Error, RemoteError, Retry};
use crate::partial::Partial;
use crate::plan::Plan;
use crate::pool::Pool;
use crate::remote::Remote;
use crate::{Checks, Direction, ItemKind, SiteKey};

/// How long the deletion of a cancelled upload may take.
const CLEANING_LIMIT: Duration = Duration::from_secs(10);

/// What others may know of a job while it runs, and the way to stop it.
#[derive(Clone, Default)]
pub(crate) struct Live {
    pub(crate) progress: Progress,
    /// Bytes to move, once they are known.
    pub(crate) total: Arc<OnceLock<u64>>,
    pub(crate) cancel: CancellationToken,
}

/// Why a job ends early.
enum Stop {
    Cancelled,
    Error(Error),
}

impl<E: Into<Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Stop::Error(error.into())
    }
}

/// Does the job. Returns when everything is done or cleaned up.
pub(crate) async fn run(
    pool: &Pool,
    site: &SiteKey,
    plan: &Plan,
    size: Option<u64>,
    live: &Live,
) -> Outcome<Plan> {
    let end = |stop| match stop {
        Stop::Cancelled => Outcome::Aborted,
        Stop::Error(error) => Outcome::Failed {
            error: error.about(&plan.local()),
            open: pool.open(site),
        },
    };
    let mut fresh = false;
    loop {
        let lease = match live.or_cancelled(pool.take(site, fresh)).await {
            Ok(lease) => lease,
            Err(stop) => return end(stop),
        };
        let job = Job {
            remote: lease.remote(),
            plan,
            size,
            live,
        };
        let result = job.run().await;
        let keep = match &result {
            // A connection that broke while it was idle is nobody's failure.
            Err(Stop::Error(error))
                if error.connection_lost() && lease.reused() && live.progress.bytes() == 0 =>
            {
                lease.close().await;
                fresh = true;
                continue;
            }
            // What is worth another try may be the connection's fault, so that try gets another one.
            Err(Stop::Error(error)) => error.retry() == Retry::Never && !error.connection_lost(),
            Ok(_) | Err(Stop::Cancelled) => true,
        };
        if keep {
            lease.give_back();
        } else {
            lease.close().await;
        }
        return result.unwrap_or_else(end);
    }
}

impl Live {
    /// The answer of something that may be dropped at any time, unless the job is cancelled before.
    async fn or_cancelled<T, E: Into<Error>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Stop> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Stop::Cancelled),
            result = work => result.map_err(|error| Stop::Error(error.into())),
        }
    }
}

pub(crate) const SIZE: Checks = Checks {
    reply: true,
    size: true,
    time: false,
    tail: false,
    hash: None,
};

struct Job<'a> {
    remote: &'a dyn Remote,
    plan: &'a Plan,
    size: Option<u64>,
    live: &'a Live,
}

impl Job<'_> {
    async fn run(&self) -> Result<Outcome<Plan>, Stop> {
        match (self.plan.kind, self.plan.direction) {
            (ItemKind::File | ItemKind::Link, Direction::Download) => self.download().await,
            (ItemKind::File | ItemKind::Link, Direction::Upload) => self.upload().await,
            (ItemKind::Folder, Direction::Download) => self.walk_remote().await,
            (ItemKind::Folder, Direction::Upload) => self.walk_local().await,
        }
    }

    async fn download(&self) -> Result<Outcome<Plan>, Stop> {
        let (base, relative) = (self.plan.base.clone(), self.plan.relative.clone());
        // Disk work is not dropped half-way: its outcome decides what has to be cleaned up.
        let partial = blocking(move || Partial::create(&base, &relative)).await?;
        let file = partial.file()?;
        let moved = self.live.or_cancelled(self.fetch(file)).await;
        match moved {
            Ok(fetched) => {
                let modified = fetched.modified.map(SystemTime::from);
                blocking(move || partial.commit(modified)).await?;
                Ok(Outcome::Done {
                    bytes: fetched.bytes,
                    verified: fetched.verified,
                })
            }
            Err(stop) => {
                blocking(move || {
                    drop(partial);
                    Ok(())
                })
                .await?;
                Err(self.explain_link(stop))
            }
        }
    }

    /// Brings the bytes, and what is known about them.
    async fn fetch(&self, into: std::fs::File) -> Result<Fetched, Error> {
        let path = &self.plan.remote;
        let listed = self.size;
        let expected = match listed {
            Some(size) => Some(size),
            None => self.remote.size(path).await.or_unknown()?,
        };
        self.live.know_total(expected);
        let modified = match self.plan.modified {
            Some(time) => Some(time),
            None => self.remote.modified(path).await.or_unknown()?,
        };
        let bytes = self
            .remote
            .download(path, into, &self.live.progress)
            .await?;
        let verified = match expected {
            Some(size) if size == bytes => Some(SIZE),
            Some(size) => self.check_again(size, bytes).await?,
            None => None,
        };
        Ok(Fetched {
            bytes,
            verified,
            modified,
        })
    }

    /// As many bytes arrived as nobody had announced: the file has changed since, or was cut short.
    ///
    /// What the server says now counts, by SIZE or else by a fresh look at the listing. SIZE 0 says nothing, since
    /// servers say that of what they can't measure. Where there is no word at all, more bytes than announced are a
    /// file that has grown, and the good end of the transfer is all that is known of it; fewer are a file that was cut
    /// short, which is the worse mistake to make. A server that lists too much and has no SIZE thereby fails.
    async fn check_again(&self, announced: u64, bytes: u64) -> Result<Option<Checks>, Error> {
        let path = &self.plan.remote;
        let size = self.remote.size(path).await.or_unknown()?;
        let now = match size.filter(|&size| size > 0) {
            None if bytes < announced => self.remote.listed_size(path).await.or_unknown()?,
            size => size,
        };
        match now {
            Some(size) if size == bytes => Ok(Some(SIZE)),
            None if bytes > announced => Ok(None),
            now => Err(Error::SizeDiffers {
                expected: now.unwrap_or(announced),
                received: bytes,
            }),
        }
    }

    /// A link is tried as a file, since the server only can tell what it leads to.
    fn explain_link(&self, stop: Stop) -> Stop {
        match stop {
            Stop::Error(Error::Remote(error))
                if self.plan.link && !error.connection_lost && error.retry == Retry::Never =>
            {
                Stop::Error(Error::NotAFile {
                    path: self.plan.remote.to_string(),
                    what: "a link that leads to no file",
                })
            }
            stop => stop,
        }
    }

    async fn upload(&self) -> Result<Outcome<Plan>, Stop> {
        let local = self.plan.local();
        let source = blocking(move || disk::open_source(&local)).await?;
        self.live.know_total(Some(source.size));
        let begun = AtomicBool::new(false);
        let sent = self.live.or_cancelled(self.send(source, &begun)).await;
        if matches!(sent, Err(Stop::Cancelled)) && begun.load(Ordering::Relaxed) {
            // What is there now is neither the old file nor the new one. If it can't be deleted, it stays.
            let deleted = self.remote.delete(&self.plan.remote);
            if let Ok(Err(error)) = tokio::time::timeout(CLEANING_LIMIT, deleted).await {
                tracing::info!(%error, path = %self.plan.remote, "a cancelled upload was left on the server");
            }
        }
        sent
    }

    async fn send(&self, source: disk::Source, begun: &AtomicBool) -> Result<Outcome<Plan>, Error> {
        let path = &self.plan.remote;
        let bytes = self
            .remote
            .upload(source.file, path, &self.live.progress, begun)
            .await?;
        if bytes != source.size {
            // Someone is writing to it.
            return Err(Error::SizeDiffers {
                expected: source.size,
                received: bytes,
            });
        }
        let verified = match self.remote.size(path).await.or_unknown()? {
            Some(size) if size == bytes => Some(SIZE),
            Some(size) => {
                return Err(Error::SizeDiffers {
                    expected: bytes,
                    received: size,
                });
            }
            None => None,
        };
        let modified = source.modified.and_then(|t| Timestamp::try_from(t).ok());
        if let Some(modified) = modified {
            self.remote
                .set_modified(path, modified)
                .await
                .map(Some)
                .or_unknown()?;
        }
        Ok(Outcome::Done { bytes, verified })
    }

    async fn walk_remote(&self) -> Result<Outcome<Plan>, Stop> {
        let (base, relative) = (self.plan.base.clone(), self.plan.relative.clone());
        blocking(move || disk::make_folder(&base, &relative)).await?;
        let found = self
            .live
            .or_cancelled(self.remote.list(&self.plan.remote))
            .await?;
        Ok(Outcome::Walked(self.plan.children_of_listing(found)))
    }

    async fn walk_local(&self) -> Result<Outcome<Plan>, Stop> {
        let local = self.plan.local();
        let entries = blocking(move || disk::list_folder(&local)).await?;
        self.live
            .or_cancelled(self.remote.make_folder(&self.plan.remote))
            .await?;
        Ok(Outcome::Walked(self.plan.children_of_folder(entries)))
    }
}

struct Fetched {
    bytes: u64,
    verified: Option<Checks>,
    modified: Option<Timestamp>,
}

impl Live {
    fn know_total(&self, total: Option<u64>) {
        if let Some(total) = total {
            // A second try on a fresh connection may learn it again.
            let _ = self.total.set(total);
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

/// Runs disk work on a thread for it.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(Error::Internal(error.to_string())))
}
