//! The one transfer queue: connections by the sessions that were asked to transfer, and the window's projection.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use ftp_client::{Client, Config};
use tauri::ipc::Channel;
use tokio::{task::AbortHandle, time::Instant};
use transfer::{Connector, Direction, NewTransfer, QueueConfig, SiteKey, Transfer, TransferId};

use super::{Shell, folder::Folder, sessions::Session};
use crate::dto::QueueUpdate;

/// A folder that many files go to is not read anew for each of them.
const LOOK_AGAIN: Duration = Duration::from_millis(1500);

/// The queue, and how it connects.
pub(crate) struct Queue {
    queue: transfer::Queue,
    logins: Arc<Logins>,
    /// Sends updates to the window.
    watcher: Mutex<Option<AbortHandle>>,
}

impl Queue {
    /// A queue with nothing in it.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub(crate) fn new() -> Self {
        let logins = Arc::new(Logins::default());
        Self {
            queue: transfer::Queue::new(
                QueueConfig::default(),
                Arc::clone(&logins) as Arc<dyn Connector>,
            ),
            logins,
            watcher: Mutex::default(),
        }
    }

    /// The key of a session's transfers. They connect as the session did, and go on when it is closed.
    pub(crate) fn site(&self, session: &Session) -> SiteKey {
        let Config { host, port, .. } = &session.config;
        let key = SiteKey::new(&format!("{host}:{port} (session {})", session.id));
        self.logins.lock().insert(
            key.clone(),
            Login {
                session: session.id,
                config: session.config.clone(),
            },
        );
        key
    }

    /// Adds transfers at the end.
    pub(crate) fn add(&self, transfers: Vec<NewTransfer>) -> Vec<TransferId> {
        self.queue.enqueue(transfers)
    }

    /// Gives transfers up.
    pub(crate) fn cancel(&self, ids: &[TransferId]) {
        self.queue.cancel(ids);
    }

    /// Tries transfers again.
    pub(crate) fn retry(&self, ids: &[TransferId]) {
        self.queue.retry(ids);
    }

    /// Takes what is finished off the list.
    pub(crate) fn clear_finished(&self) {
        self.queue.clear_finished();
    }

    /// How many transfers are not over yet.
    pub(crate) fn unfinished(&self) -> usize {
        let items = self.queue.list();
        items.iter().filter(|item| item.state.is_open()).count()
    }

    /// Gives everything up and tidies: no temporary file and no half upload is left behind.
    pub(crate) async fn shutdown(&self) {
        self.queue.shutdown().await;
    }

    /// Forgets how to log in where nothing is left to transfer and no session is open.
    pub(crate) fn forget_logins(&self, is_open: impl Fn(u32) -> bool) {
        let mut logins = self.logins.lock();
        let used: HashSet<SiteKey> = self
            .queue
            .list()
            .into_iter()
            .map(|item| item.site)
            .collect();
        logins.retain(|key, login| used.contains(key) || is_open(login.session));
    }

    /// Sends a snapshot and then changes to the window; the window before it gets no more.
    pub(crate) fn watch(&self, channel: Channel<QueueUpdate>) {
        let mut updates = self.queue.subscribe();
        let task = tokio::spawn(async move {
            while let Some(update) = updates.next().await {
                if let Err(error) = channel.send(update.into()) {
                    tracing::debug!(%error, "the window does not take the queue any more");
                    break;
                }
            }
        });
        let mut watcher = self.watcher.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(previous) = watcher.replace(task.abort_handle()) {
            previous.abort();
        }
    }

    /// The folder that a finished transfer changed, if it changed one.
    fn changed_folder(&self, item: &Transfer) -> Option<Folder> {
        if item.state.is_open() {
            return None;
        }
        match item.direction {
            Direction::Download => item
                .local
                .parent()
                .map(|parent| Folder::Local(parent.to_owned())),
            Direction::Upload => {
                let session = self.logins.lock().get(&item.site)?.session;
                item.remote
                    .parent()
                    .map(|path| Folder::Remote { session, path })
            }
        }
    }
}

/// How the sessions of the queue's transfers log in.
#[derive(Default)]
struct Logins(Mutex<HashMap<SiteKey, Login>>);

struct Login {
    session: u32,
    config: Config,
}

impl Logins {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<SiteKey, Login>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait::async_trait]
impl Connector for Logins {
    async fn connect(&self, site: &SiteKey) -> Result<Client, ftp_client::Error> {
        let config = self.lock().get(site).map(|login| login.config.clone());
        // A session that was closed in the same moment is nowhere, and that is what the error says.
        Client::connect(config.unwrap_or_else(|| Config::new(site.as_str()))).await
    }
}

/// Tells the window which of the folders that it shows were changed by transfers, for as long as the program runs.
pub(crate) async fn follow(shell: Arc<Shell>) {
    let mut updates = shell.queue.queue.subscribe();
    let mut changed = Changed::default();
    loop {
        let next = changed.next();
        let due = async {
            match next {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            update = updates.next() => match update {
                Some(transfer::QueueUpdate::Changes { upserts, .. }) => {
                    for folder in upserts.iter().filter_map(|item| shell.queue.changed_folder(item)) {
                        changed.add(folder);
                    }
                }
                Some(transfer::QueueUpdate::Snapshot { .. }) => {}
                None => return,
            },
            () = due => {}
        }
        for folder in changed.take_due(Instant::now()) {
            shell.folder_changed_by_transfer(&folder);
        }
    }
}

/// Folders that changed and were not told of yet, each not too often. Time is an input.
#[derive(Default)]
struct Changed {
    waiting: HashSet<Folder>,
    told: HashMap<Folder, Instant>,
}

impl Changed {
    fn add(&mut self, folder: Folder) {
        self.waiting.insert(folder);
    }

    /// When something is due; in the past if it is due already.
    fn next(&self) -> Option<Instant> {
        self.waiting
            .iter()
            .map(|folder| {
                self.told
                    .get(folder)
                    .map_or_else(Instant::now, |told| *told + LOOK_AGAIN)
            })
            .min()
    }

    fn take_due(&mut self, now: Instant) -> Vec<Folder> {
        self.told.retain(|_, told| *told + LOOK_AGAIN > now);
        let due: Vec<Folder> = self
            .waiting
            .iter()
            .filter(|folder| !self.told.contains_key(folder))
            .cloned()
            .collect();
        for folder in &due {
            self.waiting.remove(folder);
            self.told.insert(folder.clone(), now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_folder_is_told_of_now_and_then() {
        let folder = || Folder::Remote {
            session: 1,
            path: ftp_client::ftp_proto::RemotePath::root(),
        };
        let start = Instant::now();
        let mut changed = Changed::default();
        assert!(changed.next().is_none());
        changed.add(folder());
        assert_eq!(
            changed.take_due(start),
            [folder()],
            "the first change at once"
        );
        changed.add(folder());
        changed.add(Folder::Local("/other".into()));
        assert_eq!(
            changed.take_due(start + LOOK_AGAIN / 2),
            [Folder::Local("/other".into())]
        );
        assert_eq!(changed.next(), Some(start + LOOK_AGAIN));
        assert_eq!(
            changed.take_due(start + LOOK_AGAIN),
            [folder()],
            "and the last change is not lost"
        );
        assert!(changed.take_due(start + LOOK_AGAIN * 2).is_empty() && changed.next().is_none());
    }
}
