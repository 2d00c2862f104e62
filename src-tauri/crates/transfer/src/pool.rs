//! Connections that wait for their next item.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::SiteKey;
use crate::error::RemoteError;
use crate::remote::{Remote, Remotes};

/// How long a server is waited for that does not say goodbye; the client goes on waiting behind our back.
const LEAVING_LIMIT: Duration = Duration::from_secs(2);

pub(crate) struct Pool {
    remotes: Arc<dyn Remotes>,
    sites: Mutex<HashMap<SiteKey, Connections>>,
}

#[derive(Default)]
struct Connections {
    idle: Vec<Arc<dyn Remote>>,
    leased: usize,
    /// Being opened by the job that needs it.
    opening: usize,
    /// Being opened ahead of time.
    coming: usize,
    /// Told when one of these is there, or won't be.
    arrival: Arc<Notify>,
}

/// Where a job gets its connection from.
enum Next {
    Use(Arc<dyn Remote>),
    /// One is coming.
    Wait,
    Open,
}

/// A connection that a job is opening for itself.
struct Opening<'a> {
    pool: &'a Pool,
    site: &'a SiteKey,
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        let arrival = self.pool.with(self.site, |c| {
            c.opening -= 1;
            c.arrival.clone()
        });
        arrival.notify_waiters();
    }
}

/// One connection that is being opened ahead of time.
struct Coming<'a> {
    pool: &'a Pool,
    site: &'a SiteKey,
    arrived: Option<Arc<dyn Remote>>,
}

impl Coming<'_> {
    async fn open(&mut self) {
        match self.pool.remotes.connect(self.site).await {
            Ok(remote) => self.arrived = Some(remote),
            Err(error) => tracing::debug!(%error, "no connection ahead of time"),
        }
    }
}

impl Drop for Coming<'_> {
    fn drop(&mut self) {
        let arrived = self.arrived.take();
        let arrival = self.pool.with(self.site, |c| {
            c.coming -= 1;
            c.idle.extend(arrived);
            c.arrival.clone()
        });
        arrival.notify_waiters();
    }
}

/// A connection for one job. It is closed when this is dropped, unless it is given back; [`close`](Self::close) also
/// waits for that. Whoever else has a handle of the connection can't keep it open: a server may allow only one.
pub(crate) struct Lease<'a> {
    pool: &'a Pool,
    site: &'a SiteKey,
    remote: Arc<dyn Remote>,
    reused: bool,
    /// Neither given back nor closed yet.
    held: bool,
}

impl Pool {
    pub(crate) fn new(remotes: Arc<dyn Remotes>) -> Self {
        Self {
            remotes,
            sites: Mutex::default(),
        }
    }

    /// A connection to the site: one that is idle unless it has to be `fresh`, or a new one.
    pub(crate) async fn take<'a>(
        &'a self,
        site: &'a SiteKey,
        fresh: bool,
    ) -> Result<Lease<'a>, RemoteError> {
        self.take_of(site, fresh, usize::MAX).await
    }

    /// A connection for what is no job, and so is not counted by whoever starts these: where all of the `most` that there may be
    /// are in use, it waits until one is idle.
    pub(crate) async fn take_spare<'a>(
        &'a self,
        site: &'a SiteKey,
        most: usize,
    ) -> Result<Lease<'a>, RemoteError> {
        self.take_of(site, false, most.max(1)).await
    }

    async fn take_of<'a>(
        &'a self,
        site: &'a SiteKey,
        fresh: bool,
        most: usize,
    ) -> Result<Lease<'a>, RemoteError> {
        if fresh {
            // What was idle beside a connection that is lost is most likely lost as well, and counts at the server.
            let stale = self.with(site, |c| std::mem::take(&mut c.idle));
            leave_all(stale).await;
            self.with(site, |c| c.opening += 1);
        } else {
            loop {
                let arrival = self.with(site, |c| c.arrival.clone());
                let arrival = arrival.notified();
                tokio::pin!(arrival);
                // From here on none is missed.
                arrival.as_mut().enable();
                let next = self.with(site, |c| match c.idle.pop() {
                    Some(remote) => Next::Use(remote),
                    None if c.coming > 0 || c.leased + c.opening >= most => Next::Wait,
                    None => {
                        c.opening += 1;
                        Next::Open
                    }
                });
                match next {
                    Next::Use(remote) => return Ok(self.lease(site, remote, true)),
                    Next::Wait => arrival.await,
                    Next::Open => break,
                }
            }
        }
        let opening = Opening { pool: self, site };
        let remote = self.remotes.connect(site).await?;
        let lease = self.lease(site, remote, false);
        drop(opening);
        Ok(lease)
    }

    /// Opens connections ahead of time, until there are so many: whoever looks into a large folder will need them, and
    /// a login takes several round trips. One that can't be opened is nobody's failure.
    pub(crate) async fn prepare(&self, site: &SiteKey, most: usize) {
        let missing = self.with(site, |c| {
            // Whoever needs them has one, or takes one of these.
            let there = c.idle.len() + c.leased + c.opening;
            let missing = most.saturating_sub(there + c.coming);
            c.coming += missing;
            missing
        });
        let connections = (0..missing).map(|_| {
            let mut coming = Coming {
                pool: self,
                site,
                arrived: None,
            };
            async move { coming.open().await }
        });
        futures_util::future::join_all(connections).await;
    }

    /// How many connections to the site are open, used or idle.
    pub(crate) fn open(&self, site: &SiteKey) -> usize {
        self.with(site, |c| c.idle.len() + c.leased)
    }

    /// Takes leave of the idle connections of a site, or of all.
    pub(crate) async fn close_idle(&self, site: Option<&SiteKey>) {
        let remotes: Vec<Arc<dyn Remote>> = match site {
            Some(site) => self.with(site, |c| std::mem::take(&mut c.idle)),
            None => self
                .lock()
                .values_mut()
                .flat_map(|c| std::mem::take(&mut c.idle))
                .collect(),
        };
        leave_all(remotes).await;
    }

    fn lease<'a>(&'a self, site: &'a SiteKey, remote: Arc<dyn Remote>, reused: bool) -> Lease<'a> {
        self.with(site, |c| c.leased += 1);
        Lease {
            pool: self,
            site,
            remote,
            reused,
            held: true,
        }
    }

    fn with<R>(&self, site: &SiteKey, change: impl FnOnce(&mut Connections) -> R) -> R {
        change(self.lock().entry(site.clone()).or_default())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SiteKey, Connections>> {
        // The map is whole after every statement, so a panic elsewhere does not spoil it.
        self.sites.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease<'_> {
    pub(crate) fn remote(&self) -> &dyn Remote {
        &*self.remote
    }

    /// It has been idle before, so it may have been lost unnoticed.
    pub(crate) fn reused(&self) -> bool {
        self.reused
    }

    /// Keeps the connection for the next job.
    pub(crate) fn give_back(mut self) {
        self.held = false;
        let remote = self.remote.clone();
        self.pool.with(self.site, |c| c.idle.push(remote));
        // Dropped, it tells those who wait.
    }

    /// Takes leave of the server, so that the next connection finds this one gone.
    pub(crate) async fn close(mut self) {
        leave(&*self.remote).await;
        self.held = false;
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let arrival = self.pool.with(self.site, |c| {
            c.leased -= 1;
            c.arrival.clone()
        });
        arrival.notify_waiters();
        // The job has died, or nobody waited for the end of it.
        if self.held
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let remote = self.remote.clone();
            runtime.spawn(async move { leave(&*remote).await });
        }
    }
}

async fn leave(remote: &dyn Remote) {
    if tokio::time::timeout(LEAVING_LIMIT, remote.quit())
        .await
        .is_err()
    {
        tracing::debug!("a server is slow to say goodbye");
    }
}

async fn leave_all(remotes: Vec<Arc<dyn Remote>>) {
    futures_util::future::join_all(remotes.iter().map(|remote| leave(&**remote))).await;
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::tests::fake::Fake;

    #[tokio::test(start_paused = true)]
    async fn what_is_being_opened_counts() {
        let fake = Fake::new();
        let pool = Pool::new(Arc::new(fake.clone()));
        let site = SiteKey::new("site");
        // Three jobs are about to have a connection when a folder wants eight ahead of time.
        let jobs = async {
            let taken = futures_util::future::join_all((0..3).map(|_| pool.take(&site, false)));
            taken
                .await
                .into_iter()
                .map(Result::unwrap)
                .collect::<Vec<_>>()
        };
        let prepare = pool.prepare(&site, 8);
        let (leases, ()) = tokio::join!(jobs, prepare);
        assert_eq!(leases.len(), 3);
        assert_eq!(fake.lock().connected, 8);
        assert_eq!(pool.open(&site), 8);
        // Who is no job has none of its own while there are as many as there may be.
        let mut leases = leases;
        pool.close_idle(None).await;
        let mut spare = Box::pin(pool.take_spare(&site, 3));
        assert!(futures_util::poll!(&mut spare).is_pending());
        leases.pop().unwrap().give_back();
        assert!(spare.await.unwrap().reused());
        assert_eq!(fake.lock().connected, 8);
        // Nobody waits for one that was given up.
        drop(leases);
        fake.lock().limit = 0;
        pool.close_idle(None).await;
        assert!(pool.take(&site, false).await.is_err());
        assert_eq!(pool.open(&site), 0);
        pool.prepare(&site, 2).await;
        assert!(pool.take(&site, false).await.is_err());
    }
}
