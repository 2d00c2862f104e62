//! How the queue connects: as a session of the window did, or, for what an earlier run has left, as the saved site or
//! the address says. Where only the person can log in, it waits for them.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ftp_client::{Client, Config, ErrorKind, HostMemory};
use tokio::sync::{Notify, mpsc};
use transfer::{Connector, Limits, SiteKey, SiteProfile};

use super::{
    Vault,
    connect::{self, Origin, Prepared},
    log::Log,
    sessions::Session,
};
use crate::dto::{ConnectRequest, QueueSite};

/// What is known of the sites of the queue.
pub(crate) struct Logins {
    vault: Vault,
    hosts: HostMemory,
    log: Arc<Log>,
    sites: Mutex<Sites>,
    /// Somebody has logged in somewhere.
    came: Notify,
    /// Sites that wait for a person.
    waits: mpsc::UnboundedSender<SiteKey>,
}

#[derive(Default)]
struct Sites {
    /// The sites of the queue and of the sessions.
    known: HashMap<SiteKey, Login>,
    /// What is saved of these and of others.
    saved: HashMap<SiteKey, vault::Site>,
    last: u32,
}

/// One site of the queue.
struct Login {
    /// The window's name for it.
    id: u32,
    name: String,
    /// How to log in, if that is known.
    config: Option<Config>,
    /// The sessions of the window that are logged in there, or were.
    sessions: BTreeSet<u32>,
    /// Only a person can log in.
    waits: bool,
    /// One connection at a time is the first: the keyring may ask the person, and servers ban who errs often.
    first: Arc<tokio::sync::Mutex<()>>,
    connections: Option<usize>,
    limits: Limits,
}

impl Logins {
    /// Knows the saved sites; those that wait for a person are told to `waits`. Blocks.
    pub(crate) fn new(
        vault: Vault,
        hosts: HostMemory,
        log: Arc<Log>,
        waits: mpsc::UnboundedSender<SiteKey>,
    ) -> Self {
        // Where the file can't be read, the window says so when it lists them.
        let saved = vault.sites.list().unwrap_or_default();
        let sites = Sites {
            saved: saved
                .into_iter()
                .map(|site| (key_of(&site), site))
                .collect(),
            ..Sites::default()
        };
        Self {
            vault,
            hosts,
            log,
            sites: Mutex::new(sites),
            came: Notify::new(),
            waits,
        }
    }

    /// A session's transfers connect as it did, and go on when it is closed. True if they have waited for it.
    pub(crate) fn add(&self, session: &Session) -> (SiteKey, bool) {
        let key = session.origin.key();
        let mut sites = self.lock();
        let login = sites.of(&key);
        login.name = session.title().to_owned();
        login.config = Some(session.config.clone());
        login.sessions.insert(session.id);
        let waited = std::mem::take(&mut login.waits);
        drop(sites);
        self.came.notify_waiters();
        (key, waited)
    }

    /// The sessions that may show folders of this site.
    pub(crate) fn sessions(&self, key: &SiteKey) -> Vec<u32> {
        self.lock()
            .known
            .get(key)
            .map(|login| login.sessions.iter().copied().collect())
            .unwrap_or_default()
    }

    /// The window's name for a site.
    pub(crate) fn id(&self, key: &SiteKey) -> u32 {
        self.lock().of(key).id
    }

    /// The site of the window's name.
    pub(crate) fn key(&self, id: u32) -> Option<SiteKey> {
        let sites = self.lock();
        let mut known = sites.known.iter();
        known
            .find(|(_, login)| login.id == id)
            .map(|(key, _)| key.clone())
    }

    /// A site's name for people.
    pub(crate) fn name(&self, key: &str) -> String {
        let sites = self.lock();
        match sites.known.get(&SiteKey::new(key)) {
            Some(login) => login.name.clone(),
            None => Origin::parse(key).name(),
        }
    }

    /// All sites for the window, in the order in which they came.
    pub(crate) fn list(&self, paused: &[SiteKey]) -> Vec<QueueSite> {
        let sites = self.lock();
        let mut list: Vec<QueueSite> = sites
            .known
            .iter()
            .map(|(key, login)| {
                let origin = Origin::parse(key.as_str());
                QueueSite {
                    id: login.id,
                    name: login.name.clone(),
                    paused: paused.contains(key),
                    needs_login: login.waits,
                    address: origin.address(),
                    tls: origin.tls(),
                    site: origin.site(),
                    limits: login.limits.into(),
                }
            })
            .collect();
        list.sort_unstable_by_key(|site| site.id);
        list
    }

    /// What the person chose for a site: from now on, and for what runs as far as the caller tells the queue.
    pub(crate) fn set_limits(&self, key: &SiteKey, limits: Limits) {
        self.lock().of(key).limits = limits;
    }

    /// A saved site was changed: its key, and its limits, if it is one of the queue.
    pub(crate) fn site_saved(&self, site: &vault::Site) -> Option<(SiteKey, Limits)> {
        let key = key_of(site);
        let mut sites = self.lock();
        sites.saved.insert(key.clone(), site.clone());
        let login = sites.known.get_mut(&key)?;
        login.adopt(site);
        Some((key, login.limits))
    }

    /// Forgets how to log in where no session is open. Nothing is left to transfer.
    pub(crate) fn forget(&self, is_open: impl Fn(u32) -> bool) {
        self.lock().known.retain(|_, login| {
            login.sessions.retain(|session| is_open(*session));
            !login.sessions.is_empty()
        });
    }

    fn lock(&self) -> MutexGuard<'_, Sites> {
        self.sites.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn config(&self, key: &SiteKey) -> Option<Config> {
        self.lock().known.get(key)?.config.clone()
    }

    /// How to log in, by what the vault knows; None if only the person can.
    async fn ask_vault(&self, key: &SiteKey) -> Result<Option<Config>, ftp_client::Error> {
        let request = match Origin::parse(key.as_str()).request() {
            Some(request) => request,
            // The practice site is another one in every run.
            None => return Ok(None),
        };
        let prepared = self.prepare(request).await;
        match prepared.map_err(|error| ftp_client::Error::of_caller(error.message))? {
            Prepared::Question(_) => Ok(None),
            Prepared::Plan(plan) => connect::config(&self.log, &self.hosts, None, &plan)
                .map(Some)
                .map_err(|error| ftp_client::Error::of_caller(error.message)),
        }
    }

    async fn prepare(&self, request: ConnectRequest) -> crate::error::Result<Prepared> {
        let vault = self.vault.clone();
        crate::commands::blocking(move || connect::prepare(&vault, request)).await
    }

    /// A connection by what the vault knows; None if only the person can make one.
    async fn by_vault(&self, key: &SiteKey) -> Result<Option<Client>, ftp_client::Error> {
        let first = Arc::clone(&self.lock().of(key).first);
        let _first = first.lock().await;
        if let Some(config) = self.config(key) {
            return Client::connect(config).await.map(Some);
        }
        if self.lock().of(key).waits {
            return Ok(None);
        }
        let Some(config) = self.ask_vault(key).await? else {
            return Ok(None);
        };
        match Client::connect(config.clone()).await {
            Ok(client) => {
                self.lock().of(key).config.get_or_insert(config);
                Ok(Some(client))
            }
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::LoginRefused
                        | ErrorKind::Certificate(_)
                        | ErrorKind::PlaintextRefused
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

#[async_trait::async_trait]
impl Connector for Logins {
    /// Waits where only the person can log in: for as long as that takes, or until the queue gives up.
    async fn connect(&self, site: &SiteKey) -> Result<Client, ftp_client::Error> {
        loop {
            // Before it is looked at, so that nobody comes in between.
            let came = self.came.notified();
            if let Some(config) = self.config(site) {
                return Client::connect(config).await;
            }
            if let Some(client) = self.by_vault(site).await? {
                return Ok(client);
            }
            let tell = {
                let mut sites = self.lock();
                let login = sites.of(site);
                login.config.is_none() && !std::mem::replace(&mut login.waits, true)
            };
            if tell {
                // Nobody listens only while the program ends.
                self.waits.send(site.clone()).unwrap_or_default();
            }
            if self.config(site).is_none() {
                came.await;
            }
        }
    }

    fn profile(&self, site: &SiteKey) -> SiteProfile {
        let mut sites = self.lock();
        let login = sites.of(site);
        SiteProfile {
            connections: login.connections,
            limits: login.limits,
        }
    }
}

impl Sites {
    fn of(&mut self, key: &SiteKey) -> &mut Login {
        self.known.entry(key.clone()).or_insert_with(|| {
            self.last += 1;
            let mut login = Login {
                id: self.last,
                name: Origin::parse(key.as_str()).name(),
                config: None,
                sessions: BTreeSet::new(),
                waits: false,
                first: Arc::default(),
                connections: None,
                limits: Limits::default(),
            };
            if let Some(site) = self.saved.get(key) {
                login.adopt(site);
            }
            login
        })
    }
}

fn key_of(site: &vault::Site) -> SiteKey {
    Origin::Site(site.id.clone().into()).key()
}

impl Login {
    /// Takes over what a saved site says.
    fn adopt(&mut self, site: &vault::Site) {
        self.name.clone_from(if site.name.is_empty() {
            &site.host
        } else {
            &site.name
        });
        self.connections = site.connections.map(usize::from);
        self.limits = Limits {
            total: site.limits.total,
            download: site.limits.download,
            upload: site.limits.upload,
        };
    }
}
