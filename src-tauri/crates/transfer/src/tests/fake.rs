//! A server in memory, with faults to order.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use ftp_client::Progress;
use ftp_client::ftp_proto::RemotePath;
use jiff::Timestamp;
use tokio::sync::watch;

use crate::SiteKey;
use crate::error::{Error, RemoteError, Retry};
use crate::remote::{Found, FoundEntry, FoundKind, Remote, Remotes};

#[derive(Clone)]
pub(super) struct Fake {
    state: Arc<Mutex<State>>,
    /// While true, transfers stop half-way.
    pub(super) hold: watch::Sender<bool>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) files: BTreeMap<String, (Vec<u8>, Option<Timestamp>)>,
    pub(super) folders: BTreeSet<String>,
    /// Listings in place of the true ones.
    pub(super) lies: BTreeMap<String, Vec<Found>>,
    /// The next so many transfers break half-way.
    pub(super) breaks: usize,
    /// All connections that are open now are lost, unnoticed.
    pub(super) lost_before: usize,
    /// Downloads end half-way with a good word.
    pub(super) truncates: bool,
    pub(super) has_size: bool,
    /// What SIZE says, whatever is there.
    pub(super) size: Option<u64>,
    /// What a fresh look into the listing says.
    pub(super) listed_now: Option<u64>,
    /// SIZE, MDTM and MFMT get answers that nobody can read.
    pub(super) unreadable: bool,
    /// Somebody else keeps handles of all connections.
    pub(super) keeps: bool,
    kept: Vec<Arc<FakeRemote>>,
    /// The next so many downloads are refused for the moment.
    pub(super) odd: usize,
    pub(super) panics: bool,
    pub(super) limit: usize,
    pub(super) open: usize,
    pub(super) connected: usize,
    pub(super) moving: usize,
    pub(super) most_moving: usize,
    pub(super) disk_full: bool,
}

struct FakeRemote {
    fake: Fake,
    number: usize,
    closed: AtomicBool,
}

impl FakeRemote {
    fn close(&self) {
        if !self.closed.swap(true, Ordering::Relaxed) {
            self.fake.lock().open -= 1;
        }
    }
}

impl Drop for FakeRemote {
    fn drop(&mut self) {
        self.close();
    }
}

/// Counts what moves, however it ends.
struct Moving(Fake);

impl Moving {
    fn new(fake: &Fake) -> Self {
        let mut state = fake.lock();
        state.moving += 1;
        state.most_moving = state.most_moving.max(state.moving);
        Self(fake.clone())
    }
}

impl Drop for Moving {
    fn drop(&mut self) {
        self.0.lock().moving -= 1;
    }
}

fn error(message: &str, retry: Retry, connection_lost: bool) -> RemoteError {
    RemoteError {
        message: message.into(),
        retry,
        connection_lost,
        original: None,
    }
}

fn lost() -> RemoteError {
    error("lost", Retry::Backoff, true)
}

fn refused() -> RemoteError {
    error("550", Retry::Never, false)
}

fn unreadable() -> RemoteError {
    error("213 Jan 1 2020 10:00", Retry::Never, false)
}

impl Fake {
    pub(super) fn new() -> Self {
        let state = State {
            folders: ["/".to_owned()].into(),
            has_size: true,
            limit: 100,
            ..State::default()
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            hold: watch::Sender::new(false),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }

    pub(super) fn file(&self, path: &str, content: &[u8], time: i64) {
        let time = Timestamp::from_second(time).unwrap();
        let mut state = self.lock();
        state
            .files
            .insert(path.into(), (content.into(), Some(time)));
        let mut at = path;
        while let Some(end) = at.rfind('/').filter(|&end| end > 0) {
            at = &at[..end];
            state.folders.insert(at.into());
        }
    }

    pub(super) fn folder(&self, path: &str) {
        self.lock().folders.insert(path.into());
    }

    pub(super) fn content(&self, path: &str) -> Option<Vec<u8>> {
        self.lock().files.get(path).map(|f| f.0.clone())
    }

    async fn held(&self) {
        let mut hold = self.hold.subscribe();
        hold.wait_for(|held| !held).await.unwrap();
    }
}

#[async_trait]
impl Remotes for Fake {
    async fn connect(&self, _site: &SiteKey) -> Result<Arc<dyn Remote>, RemoteError> {
        tokio::task::yield_now().await;
        let mut state = self.lock();
        if state.open >= state.limit {
            return Err(error("421 too many", Retry::Busy, true));
        }
        state.open += 1;
        state.connected += 1;
        let remote = Arc::new(FakeRemote {
            fake: self.clone(),
            number: state.connected,
            closed: AtomicBool::new(false),
        });
        if state.keeps {
            state.kept.push(remote.clone());
        }
        Ok(remote)
    }
}

impl FakeRemote {
    async fn begin(&self) -> Result<MutexGuard<'_, State>, RemoteError> {
        tokio::task::yield_now().await;
        let state = self.fake.lock();
        assert!(!state.panics, "as ordered");
        if self.number <= state.lost_before {
            return Err(lost());
        }
        Ok(state)
    }

    fn breaks(&self) -> bool {
        let mut state = self.fake.lock();
        let breaks = state.breaks > 0;
        state.breaks -= usize::from(breaks);
        breaks
    }
}

fn name_in<'a>(folder: &str, path: &'a str) -> Option<&'a str> {
    let folder = folder.trim_end_matches('/');
    let name = path.strip_prefix(folder)?.strip_prefix('/')?;
    (!name.is_empty() && !name.contains('/')).then_some(name)
}

#[async_trait]
impl Remote for FakeRemote {
    async fn list(&self, folder: &RemotePath) -> Result<Vec<Found>, Error> {
        let state = self.begin().await?;
        let folder = folder.to_string();
        if let Some(lie) = state.lies.get(&folder) {
            return Ok(lie.clone());
        }
        if !state.folders.contains(&folder) {
            return Err(refused().into());
        }
        let entry = |path: &str, kind, size, modified| {
            name_in(&folder, path).map(|name| {
                Found::Entry(FoundEntry {
                    name: name.into(),
                    kind,
                    size,
                    modified,
                })
            })
        };
        let folders = state
            .folders
            .iter()
            .filter_map(|p| entry(p, FoundKind::Folder, None, None));
        let files = state
            .files
            .iter()
            .filter_map(|(p, f)| entry(p, FoundKind::File, Some(f.0.len() as u64), f.1));
        Ok(folders.chain(files).collect())
    }

    async fn size(&self, file: &RemotePath) -> Result<Option<u64>, RemoteError> {
        let state = self.begin().await?;
        if state.unreadable {
            return Err(unreadable());
        }
        if !state.has_size || state.size.is_some() {
            return Ok(state.size);
        }
        let size = state.files.get(&file.to_string()).map(|f| f.0.len() as u64);
        size.map(Some).ok_or_else(refused)
    }

    async fn listed_size(&self, file: &RemotePath) -> Result<Option<u64>, RemoteError> {
        let state = self.begin().await?;
        assert!(state.files.contains_key(&file.to_string()));
        Ok(state.listed_now)
    }

    async fn modified(&self, file: &RemotePath) -> Result<Option<Timestamp>, RemoteError> {
        let state = self.begin().await?;
        if state.unreadable {
            return Err(unreadable());
        }
        let file = state.files.get(&file.to_string());
        file.map(|f| f.1).ok_or_else(refused)
    }

    async fn set_modified(&self, file: &RemotePath, time: Timestamp) -> Result<(), RemoteError> {
        let mut state = self.begin().await?;
        if state.unreadable {
            return Err(unreadable());
        }
        let file = state.files.get_mut(&file.to_string());
        file.ok_or_else(refused)?.1 = Some(time);
        Ok(())
    }

    async fn make_folder(&self, folder: &RemotePath) -> Result<(), RemoteError> {
        self.begin().await?.folders.insert(folder.to_string());
        Ok(())
    }

    async fn delete(&self, file: &RemotePath) -> Result<(), RemoteError> {
        let mut state = self.begin().await?;
        state
            .files
            .remove(&file.to_string())
            .map(|_| ())
            .ok_or_else(refused)
    }

    async fn download(
        &self,
        file: &RemotePath,
        mut into: File,
        progress: &Progress,
    ) -> Result<u64, Error> {
        let content = {
            let mut state = self.begin().await?;
            if state.odd > 0 {
                state.odd -= 1;
                return Err(error("450 not now", Retry::Backoff, false).into());
            }
            if state.disk_full {
                let full = std::io::ErrorKind::StorageFull.into();
                return Err(Error::local("write", std::path::Path::new(""), full));
            }
            let file = state.files.get(&file.to_string()).ok_or_else(refused)?;
            file.0.clone()
        };
        let _moving = Moving::new(&self.fake);
        let (first, second) = content.split_at(content.len() / 2);
        into.write_all(first).unwrap();
        progress.add(first.len() as u64);
        self.fake.held().await;
        if self.breaks() {
            return Err(lost().into());
        }
        if self.fake.lock().truncates {
            return Ok(first.len() as u64);
        }
        into.write_all(second).unwrap();
        progress.add(second.len() as u64);
        Ok(content.len() as u64)
    }

    async fn upload(
        &self,
        mut from: File,
        file: &RemotePath,
        progress: &Progress,
        begun: &AtomicBool,
    ) -> Result<u64, Error> {
        drop(self.begin().await?);
        let _moving = Moving::new(&self.fake);
        let mut content = Vec::new();
        from.read_to_end(&mut content).unwrap();
        begun.store(true, Ordering::Relaxed);
        let put = |bytes: &[u8]| {
            let mut state = self.fake.lock();
            state.files.insert(file.to_string(), (bytes.into(), None));
        };
        let half = &content[..content.len() / 2];
        put(half);
        progress.add(half.len() as u64);
        self.fake.held().await;
        if self.breaks() {
            return Err(lost().into());
        }
        put(&content);
        progress.add((content.len() - half.len()) as u64);
        Ok(content.len() as u64)
    }

    async fn quit(&self) {
        tokio::task::yield_now().await;
        self.close();
    }
}
