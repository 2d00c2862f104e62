//! The sessions that are open: each one a client, and what it takes to connect again.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use ftp_client::{Client, Config, Listing, SessionFacts, ftp_proto::RemotePath};
use tokio_util::sync::CancellationToken;

use crate::{
    dto::{Security, SessionInfo},
    error::{AppError, Result},
    state::connect::Origin,
};

/// How long a server is given to say goodbye.
const GOODBYE: Duration = Duration::from_secs(3);

/// One session: a place that the person is logged in to.
pub(crate) struct Session {
    pub(crate) id: u32,
    /// How it was connected: trust and password included, for its transfers and for connecting again.
    pub(crate) config: Config,
    /// Where `home` is: the site's folder, the address's folder, or where the login put us.
    pub(crate) home: RemotePath,
    /// Where it comes from, as the queue keeps it.
    pub(crate) origin: Origin,
    /// What the window knows of it.
    info: SessionInfo,
    /// The client in use; replaced when its connection was lost.
    client: tokio::sync::Mutex<Client>,
}

impl Session {
    /// A session over a client that has just logged in.
    pub(crate) fn new(
        info: SessionInfo,
        config: Config,
        home: RemotePath,
        client: Client,
        origin: Origin,
    ) -> Self {
        Self {
            id: info.id,
            config,
            home,
            origin,
            info,
            client: tokio::sync::Mutex::new(client),
        }
    }

    /// What the window calls it.
    pub(crate) fn title(&self) -> &str {
        &self.info.title
    }

    /// The client, connected anew if its connection was closed in the meantime: servers close idle ones.
    ///
    /// # Errors
    /// If connecting anew fails.
    pub(crate) async fn client(&self) -> Result<Client> {
        // Held while connecting, so that two panes don't connect twice; it belongs to this session alone.
        let mut client = self.client.lock().await;
        if client.is_closed() {
            *client = Client::connect(self.config.clone()).await?;
        }
        Ok(client.clone())
    }

    /// Begins to list a folder; if the connection turns out to be lost, once more over a new one.
    ///
    /// # Errors
    /// As the listing, or as connecting.
    pub(crate) async fn list(&self, path: &RemotePath) -> Result<Listing> {
        match self.client().await?.list(Some(path)).await {
            Err(error) if error.is_fatal() => Ok(self.client().await?.list(Some(path)).await?),
            result => Ok(result?),
        }
    }

    /// What the window knows, with the security as it is now.
    pub(crate) async fn info(&self) -> SessionInfo {
        SessionInfo {
            security: self.security().await,
            ..self.info.clone()
        }
    }

    /// How the connection is secured now.
    pub(crate) async fn security(&self) -> Security {
        self.facts().await.security.clone().into()
    }

    async fn facts(&self) -> Arc<SessionFacts> {
        self.client.lock().await.facts()
    }

    /// Says goodbye, in bounded time.
    pub(crate) async fn close(&self) {
        let client = self.client.lock().await.clone();
        if !matches!(
            tokio::time::timeout(GOODBYE, client.quit()).await,
            Ok(Ok(()))
        ) {
            tracing::debug!(session = self.id, "the server did not say goodbye");
        }
    }
}

/// The open sessions, and the connects under way.
#[derive(Default)]
pub(crate) struct Sessions {
    open: Mutex<HashMap<u32, Arc<Session>>>,
    last: AtomicU32,
    /// Cancelled when the person gives up what is under way; then replaced.
    connecting: Mutex<CancellationToken>,
}

impl Sessions {
    /// A number that no session has had: given out before the connection is there, for the log.
    pub(crate) fn next_id(&self) -> u32 {
        self.last.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Keeps an open session.
    pub(crate) fn add(&self, session: Session) -> Arc<Session> {
        let session = Arc::new(session);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.insert(session.id, Arc::clone(&session));
        session
    }

    /// The session of an id.
    ///
    /// # Errors
    /// If it was closed.
    pub(crate) fn get(&self, id: u32) -> Result<Arc<Session>> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.get(&id).cloned().ok_or_else(AppError::no_session)
    }

    /// Takes a session out.
    pub(crate) fn remove(&self, id: u32) -> Option<Arc<Session>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.remove(&id)
    }

    /// Takes all of them out.
    pub(crate) fn remove_all(&self) -> Vec<Arc<Session>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.drain().map(|(_, session)| session).collect()
    }

    /// Cancelled when [`cancel_connects`](Self::cancel_connects) is called.
    pub(crate) fn connecting(&self) -> CancellationToken {
        let connecting = self
            .connecting
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        connecting.clone()
    }

    /// Gives up every connect under way.
    pub(crate) fn cancel_connects(&self) {
        let mut connecting = self
            .connecting
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *connecting).cancel();
    }
}
