//! The servers of a command, or of a queue that is worked on.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use async_trait::async_trait;
use ftp_client::ftp_proto::RemotePath;
use ftp_client::{Client, ErrorKind};
use tokio::sync::OnceCell;
use transfer::{Connector, SiteKey, SiteProfile};

use crate::connect::{Connections, Session, Target};
use crate::exit::{Failure, Status};
use crate::url::Url;

/// Makes connections for the queue. What it doesn't know is found by the key, which is an address without a path.
pub(crate) struct Servers {
    connections: Arc<Connections>,
    known: Mutex<HashMap<SiteKey, Arc<Server>>>,
}

struct Server {
    /// For reports: an address there.
    url: Url,
    target: OnceCell<Arc<Target>>,
    home: OnceLock<RemotePath>,
    /// Sessions that are open already; the queue takes these first, and closes them when it pleases.
    ready: Mutex<Vec<Client>>,
    /// There has been a session.
    met: AtomicBool,
    /// Said once before there was any session, it stays so: nobody wants a wrong password to be tried for each of ten
    /// thousand files.
    refused: OnceLock<(ftp_client::Error, Status)>,
    /// How many connections it was known to take when the work began.
    connections: OnceLock<Option<u8>>,
}

impl Servers {
    pub(crate) fn new(connections: Arc<Connections>) -> Self {
        Self {
            connections,
            known: Mutex::default(),
        }
    }

    /// Makes use of a session that is open.
    pub(crate) fn add(&self, session: &Session, url: &Url) {
        self.lock().entry(session.target.key()).or_insert_with(|| {
            let server = Server::new(
                url.clone(),
                OnceCell::new_with(Some(session.target.clone())),
            );
            server.met(session);
            server.ready().push(session.client.clone());
            Arc::new(server)
        });
    }

    /// Finds out how to connect to a server, so that it need not be asked for later.
    pub(crate) async fn prepare(&self, site: &SiteKey) {
        if let (Err(failure), Ok(server)) = (self.target(site).await, self.server(site)) {
            server.refuse(failure);
        }
    }

    /// Ends the sessions that nobody has used.
    pub(crate) async fn close(self) {
        let servers: Vec<_> = self.lock().drain().map(|(_, server)| server).collect();
        for server in servers {
            let ready = std::mem::take(&mut *server.ready());
            for client in ready {
                let _ = client.quit().await;
            }
        }
    }

    /// Makes use of one more session of a server.
    pub(crate) fn lend(&self, session: Session, url: &Url) {
        let site = session.target.key();
        let known = self.lock().get(&site).cloned();
        match known {
            Some(server) => server.ready().push(session.client),
            None => self.add(&session, url),
        }
    }

    /// The address of a path on a server, for people.
    pub(crate) fn address(&self, site: &SiteKey, path: &RemotePath) -> Option<Url> {
        let server = self.server(site).ok()?;
        Some(server.url.at(path, server.home.get()))
    }

    /// What an item's error means for the exit code.
    pub(crate) fn status(&self, site: &SiteKey, error: &transfer::Error) -> Status {
        let server = self.server(site);
        if let Ok(server) = &server
            && let Some((_, status)) = server.refused.get()
        {
            return *status;
        }
        let met = server.is_ok_and(|server| server.met.load(Ordering::Relaxed));
        match error.remote() {
            Some(error) if !met => Failure::Connect {
                place: String::new(),
                error: error.clone(),
            }
            .status(),
            Some(error) if matches!(error.kind(), ErrorKind::Certificate(_)) => Status::Certificate,
            _ => Status::SomeFailed,
        }
    }

    /// How to connect to a server; may ask for a password.
    pub(crate) async fn target(&self, site: &SiteKey) -> Result<Arc<Target>, Failure> {
        let server = self.server(site)?;
        let target = server
            .target
            .get_or_try_init(|| self.connections.target(&server.url))
            .await?;
        Ok(target.clone())
    }

    fn server(&self, site: &SiteKey) -> Result<Arc<Server>, Failure> {
        if let Some(server) = self.lock().get(site) {
            return Ok(server.clone());
        }
        let url = Url::parse(site.as_str()).map_err(|_| {
            Failure::Other(format!("{}: this server is not known here", site.as_str()))
        })?;
        let server = Arc::new(Server::new(url, OnceCell::new()));
        Ok(self.lock().entry(site.clone()).or_insert(server).clone())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SiteKey, Arc<Server>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Server {
    fn new(url: Url, target: OnceCell<Arc<Target>>) -> Self {
        Self {
            url,
            target,
            home: OnceLock::new(),
            ready: Mutex::default(),
            met: AtomicBool::new(false),
            refused: OnceLock::new(),
            connections: OnceLock::new(),
        }
    }

    fn met(&self, session: &Session) {
        self.met.store(true, Ordering::Relaxed);
        if let Some(home) = session.home() {
            let _ = self.home.set(home);
        }
    }

    fn ready(&self) -> MutexGuard<'_, Vec<Client>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The queue's error for why there is no session. A refusal of the first one counts for all that follow.
    fn refuse(&self, failure: Failure) -> ftp_client::Error {
        let status = failure.status();
        let (error, is_final) = match failure {
            Failure::Connect { error, .. } => {
                let is_final = matches!(
                    error.kind(),
                    ErrorKind::LoginRefused
                        | ErrorKind::PlaintextRefused
                        | ErrorKind::Certificate(_)
                        | ErrorKind::TlsUnavailable
                );
                (error, is_final)
            }
            other => (ftp_client::Error::of_caller(other.reason()), true),
        };
        if is_final && !self.met.load(Ordering::Relaxed) {
            let _ = self.refused.set((error.clone(), status));
        }
        error
    }
}

#[async_trait]
impl Connector for Servers {
    async fn connect(&self, site: &SiteKey) -> Result<Client, ftp_client::Error> {
        let server = self
            .server(site)
            .map_err(|failure| ftp_client::Error::of_caller(failure.reason()))?;
        if let Some((error, _)) = server.refused.get() {
            return Err(error.clone());
        }
        let ready = server.ready().pop();
        if let Some(client) = ready.filter(|client| !client.is_closed()) {
            return Ok(client);
        }
        let session = match self.target(site).await {
            Ok(target) => self.connections.connect(target).await,
            Err(failure) => Err(failure),
        };
        let session = session.map_err(|failure| server.refuse(failure))?;
        server.met(&session);
        Ok(session.client)
    }

    fn profile(&self, site: &SiteKey) -> SiteProfile {
        let learned = self.server(site).ok().and_then(|server| {
            let target = server.target.get()?;
            // What is learned from now on the queue knows itself, and that it may be worth another try.
            let known = || self.connections.connections_of(target);
            *server.connections.get_or_init(known)
        });
        SiteProfile {
            connections: learned.map(usize::from),
            ..SiteProfile::default()
        }
    }

    fn connections_learned(&self, site: &SiteKey, most: usize) {
        if let Ok(server) = self.server(site)
            && let Some(target) = server.target.get()
        {
            let known = || self.connections.connections_of(target);
            let _ = server.connections.get_or_init(known);
            self.connections.learn_connections(target, most);
        }
    }
}
