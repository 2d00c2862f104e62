//! A server in memory, with faults to order.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use ftp_client::ftp_proto::RemotePath;
use ftp_client::{FetchFile, Fetched, StoreFile};
use jiff::Timestamp;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

use crate::error::{Error, RemoteError, Retry};
use crate::remote::{
    Beginning, Found, FoundEntry, FoundKind, Learned, Moved, Remote, Remotes, Sent, Start, Wire,
};
use crate::work::Existing;
use crate::{Facts, HashAlgorithm, SiteKey};

#[derive(Clone)]
pub(crate) struct Fake {
    state: Arc<Mutex<State>>,
    /// While true, transfers stop half-way.
    pub(crate) hold: watch::Sender<bool>,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) files: BTreeMap<String, (Vec<u8>, Option<Timestamp>)>,
    pub(crate) folders: BTreeSet<String>,
    /// Listings in place of the true ones.
    pub(crate) lies: BTreeMap<String, Vec<Found>>,
    /// The next so many transfers break half-way.
    pub(crate) breaks: usize,
    /// All connections that are open now are lost, unnoticed.
    pub(crate) lost_before: usize,
    /// Downloads end half-way with a good word.
    pub(crate) truncates: bool,
    pub(crate) has_size: bool,
    /// What SIZE says, whatever is there.
    pub(crate) size: Option<u64>,
    /// What a fresh look into the listing says.
    pub(crate) listed_now: Option<u64>,
    /// SIZE, MDTM and MFMT get answers that nobody can read.
    pub(crate) unreadable: bool,
    /// Somebody else keeps handles of all connections.
    pub(crate) keeps: bool,
    kept: Vec<Arc<FakeRemote>>,
    /// The next so many downloads are refused for the moment.
    pub(crate) odd: usize,
    pub(crate) panics: bool,
    pub(crate) limit: usize,
    pub(crate) open: usize,
    pub(crate) connected: usize,
    pub(crate) moving: usize,
    pub(crate) most_moving: usize,
    pub(crate) disk_full: bool,
    pub(crate) modes: BTreeMap<String, u32>,
    /// Symbolic links and where they lead.
    pub(crate) links: BTreeMap<String, String>,
    /// Files of temporary names can't be stored.
    pub(crate) no_temporary: bool,
    /// RNTO is refused where something has the name.
    pub(crate) no_overwriting: bool,
    /// RNFR is refused for the moment.
    pub(crate) busy_rename: bool,
    /// RNFR is refused.
    pub(crate) no_rename: bool,
    /// Downloads can't begin in the middle.
    pub(crate) no_restart: bool,
    /// Uploads can't.
    pub(crate) append_only: bool,
    /// An offset is taken modulo this.
    pub(crate) wraps_at: Option<u64>,
    /// Hashes are told, of this instead of the content if it is set.
    pub(crate) hashes: bool,
    pub(crate) hash_of: Option<Vec<u8>>,
    pub(crate) no_links: bool,
    /// Links are refused as any file would be.
    pub(crate) refuses_links: bool,
    /// What the next file that is downloaded becomes half-way.
    pub(crate) changes: Option<(Vec<u8>, i64)>,
    /// Bytes that each connection brings in 10 ms; `None`: downloads come in two halves.
    pub(crate) slow: Option<usize>,
    /// Bytes that all connections together bring in 10 ms.
    pub(crate) narrow: Option<usize>,
    /// Connections of these numbers break after so many bytes of a download.
    pub(crate) breaks_after: BTreeMap<usize, usize>,
    /// REST is refused on connections from this number on.
    pub(crate) no_restart_from: Option<usize>,
    /// Who writes a download notices only after another write that it was given up.
    pub(crate) writes_late: bool,
    /// What was asked for: `RETR /f 0`.
    pub(crate) log: Vec<String>,
}

struct FakeRemote {
    learned: Learned,
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

/// A thread that writes once more, if this is dropped with something in it.
struct Late(Option<(File, Vec<u8>, u64, ftp_client::Writing)>);

impl Drop for Late {
    fn drop(&mut self) {
        if let Some((file, data, at, writing)) = self.0.take() {
            std::thread::spawn(move || {
                std::thread::sleep(std::time::Duration::from_millis(60));
                std::os::unix::fs::FileExt::write_all_at(&file, &data, at).unwrap();
                drop((file, writing));
            });
        }
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
    pub(crate) fn new() -> Self {
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

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }

    pub(crate) fn file(&self, path: &str, content: &[u8], time: i64) {
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

    pub(crate) fn folder(&self, path: &str) {
        self.lock().folders.insert(path.into());
    }

    pub(crate) fn content(&self, path: &str) -> Option<Vec<u8>> {
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
            learned: Learned::default(),
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

    fn restarts(&self, state: &State) -> bool {
        !state.no_restart && state.no_restart_from.is_none_or(|from| self.number < from)
    }

    /// In small pieces at a rate, to a place in the file, as far as it may go.
    async fn download_slowly(
        &self,
        content: &[u8],
        into: &File,
        at: u64,
        wire: &Wire,
    ) -> Result<Moved, Error> {
        use std::os::unix::fs::FileExt;
        let mut moved = 0;
        let mut late = Late(None);
        loop {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            late.0 = None;
            let mut most = {
                let state = self.fake.lock();
                let share = state.narrow.map(|all| all / state.moving.max(1));
                state.slow.unwrap_or(1).min(share.unwrap_or(usize::MAX))
            };
            let breaks_after = self.fake.lock().breaks_after.get(&self.number).copied();
            most = most.min(breaks_after.map_or(most, |at| at - moved));
            let room = wire.bound.claim(most.min(content.len() - moved));
            let piece = &content[moved..moved + room];
            into.write_all_at(piece, at + moved as u64).unwrap();
            wire.bound.add(room as u64);
            wire.progress.add(room as u64);
            moved += room;
            let rest = &content[moved..(moved + room).min(content.len())];
            late.0 = self.fake.lock().writes_late.then(|| {
                let room = wire.bound.claim(rest.len());
                let file = into.try_clone().unwrap();
                let rest = rest[..room].to_vec();
                (file, rest, at + moved as u64, wire.bound.writing())
            });
            if breaks_after == Some(moved) {
                self.close();
                return Err(lost().into());
            }
            if moved == content.len() || wire.bound.is_reached() {
                late.0 = None;
                return Ok(Moved::Bytes(moved as u64));
            }
        }
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

/// The place that a path means when its links are followed.
fn resolve(state: &State, path: &str) -> String {
    let mut at = String::new();
    for (turn, part) in path.split('/').filter(|p| !p.is_empty()).enumerate() {
        if part == ".." {
            at.truncate(at.rfind('/').unwrap_or(0));
            continue;
        }
        at = format!("{at}/{part}");
        if let Some(to) = state.links.get(&at).filter(|_| turn < 40) {
            at = match to.starts_with('/') {
                true => resolve(state, to),
                false => {
                    let parent = at.rsplit_once('/').map_or("", |(parent, _)| parent);
                    resolve(state, &format!("{parent}/{to}"))
                }
            };
        }
    }
    if at.is_empty() { "/".into() } else { at }
}

#[async_trait]
impl Remote for FakeRemote {
    fn learned(&self) -> &Learned {
        &self.learned
    }

    async fn list(&self, folder: &RemotePath) -> Result<Vec<Found>, Error> {
        let mut state = self.begin().await?;
        let folder = folder.to_string();
        state.log.push(format!("LIST {folder}"));
        if let Some(lie) = state.lies.get(&folder) {
            return Ok(lie.clone());
        }
        let folder = resolve(&state, &folder);
        if !state.folders.contains(&folder) {
            return Err(refused().into());
        }
        let entry = |path: &str, kind, size, modified, target: Option<&String>| {
            name_in(&folder, path).map(|name| {
                Found::Entry(FoundEntry {
                    name: name.into(),
                    kind,
                    size,
                    modified,
                    mode: state.modes.get(path).copied(),
                    target: target.map(|t| t.clone().into_bytes()),
                })
            })
        };
        let folders = state
            .folders
            .iter()
            .filter_map(|p| entry(p, FoundKind::Folder, None, None, None));
        let files = state
            .files
            .iter()
            .filter_map(|(p, f)| entry(p, FoundKind::File, Some(f.0.len() as u64), f.1, None));
        let links = state
            .links
            .iter()
            .filter_map(|(p, to)| entry(p, FoundKind::Link, None, None, Some(to)));
        Ok(folders.chain(files).chain(links).collect())
    }

    async fn size(&self, file: &RemotePath) -> Result<Option<u64>, RemoteError> {
        let mut state = self.begin().await?;
        state.log.push(format!("SIZE {file}"));
        if state.unreadable {
            return Err(unreadable());
        }
        if !state.has_size || state.size.is_some() {
            return Ok(state.size);
        }
        let path = resolve(&state, &file.to_string());
        let size = state.files.get(&path).map(|f| f.0.len() as u64);
        size.map(Some).ok_or_else(refused)
    }

    async fn sizes(&self, files: &[RemotePath]) -> Result<Vec<Option<u64>>, RemoteError> {
        let state = self.begin().await?;
        let size = |file: &RemotePath| {
            let path = resolve(&state, &file.to_string());
            state.files.get(&path).map(|f| f.0.len() as u64)
        };
        Ok(files.iter().map(size).collect())
    }

    async fn existing(&self, files: &[RemotePath]) -> Result<Vec<Existing>, RemoteError> {
        let mut state = self.begin().await?;
        let mut found = Vec::new();
        for file in files {
            state.log.push(format!("LOOK {file}"));
            found.push(match state.files.get(&file.to_string()) {
                Some((content, modified)) => Existing::File(Facts {
                    size: Some(content.len() as u64),
                    modified: *modified,
                }),
                None => Existing::Missing,
            });
        }
        Ok(found)
    }

    async fn listed_size(&self, file: &RemotePath) -> Result<Option<u64>, RemoteError> {
        let state = self.begin().await?;
        assert!(state.files.contains_key(&file.to_string()));
        Ok(state.listed_now)
    }

    async fn modified(&self, file: &RemotePath) -> Result<Option<Timestamp>, RemoteError> {
        let mut state = self.begin().await?;
        state.log.push(format!("MDTM {file}"));
        if state.unreadable {
            return Err(unreadable());
        }
        let path = resolve(&state, &file.to_string());
        state.files.get(&path).map(|f| f.1).ok_or_else(refused)
    }

    async fn mode(&self, file: &RemotePath) -> Result<Option<u32>, RemoteError> {
        Ok(self.begin().await?.modes.get(&file.to_string()).copied())
    }

    async fn set_modified(&self, file: &RemotePath, time: Timestamp) -> Result<bool, RemoteError> {
        let mut state = self.begin().await?;
        if state.unreadable {
            return Err(unreadable());
        }
        let file = state.files.get_mut(&file.to_string());
        file.ok_or_else(refused)?.1 = Some(time);
        Ok(true)
    }

    async fn set_mode(&self, file: &RemotePath, mode: u32) -> Result<(), RemoteError> {
        let mut state = self.begin().await?;
        state.modes.insert(file.to_string(), mode);
        Ok(())
    }

    async fn make_folder(&self, folder: &RemotePath) -> Result<bool, RemoteError> {
        Ok(self.begin().await?.folders.insert(folder.to_string()))
    }

    async fn is_folder(&self, path: &RemotePath) -> Result<bool, RemoteError> {
        let state = self.begin().await?;
        Ok(state.folders.contains(&resolve(&state, &path.to_string())))
    }

    async fn real_path(&self, folder: &RemotePath) -> Result<Option<RemotePath>, RemoteError> {
        let state = self.begin().await?;
        let path = resolve(&state, &folder.to_string());
        Ok(state
            .folders
            .contains(&path)
            .then(|| RemotePath::try_from(path.as_str()).unwrap()))
    }

    async fn make_link(&self, link: &RemotePath, to: &[u8]) -> Result<bool, RemoteError> {
        let mut state = self.begin().await?;
        if state.no_links {
            return Ok(false);
        }
        if state.files.contains_key(&link.to_string()) || state.refuses_links {
            return Err(refused());
        }
        let to = String::from_utf8_lossy(to).into_owned();
        state.links.insert(link.to_string(), to);
        Ok(true)
    }

    async fn delete(&self, file: &RemotePath) -> Result<(), RemoteError> {
        let mut state = self.begin().await?;
        state.log.push(format!("DELE {file}"));
        state
            .files
            .remove(&file.to_string())
            .map(|_| ())
            .ok_or_else(refused)
    }

    async fn delete_many(&self, files: &[RemotePath]) -> Result<Vec<bool>, RemoteError> {
        let mut state = self.begin().await?;
        let mut gone = Vec::new();
        for file in files {
            state.log.push(format!("DELE {file}"));
            gone.push(state.files.remove(&file.to_string()).is_some());
        }
        Ok(gone)
    }

    async fn rename_many(
        &self,
        pairs: &[(RemotePath, RemotePath)],
    ) -> Result<Vec<Result<(), RemoteError>>, RemoteError> {
        let mut state = self.begin().await?;
        let mut outcomes = Vec::new();
        for (from, to) in pairs {
            state.log.push(format!("RNTO {to}"));
            let (from, to) = (from.to_string(), to.to_string());
            let is_taken = state.files.contains_key(&to) && state.no_overwriting;
            outcomes.push(if state.busy_rename {
                Err(error("450", Retry::Backoff, false))
            } else if state.no_rename || is_taken {
                Err(refused())
            } else if let Some(link) = state.links.remove(&from) {
                state.files.remove(&to);
                state.links.insert(to, link);
                Ok(())
            } else {
                state.files.remove(&from).ok_or_else(refused).map(|file| {
                    state.files.insert(to.clone(), file);
                    if let Some(mode) = state.modes.remove(&from) {
                        state.modes.insert(to, mode);
                    }
                })
            });
        }
        Ok(outcomes)
    }

    async fn hashes(
        &self,
        files: &[RemotePath],
    ) -> Result<Vec<Option<(HashAlgorithm, String)>>, RemoteError> {
        let state = self.begin().await?;
        let hash = |file: &RemotePath| {
            let content = &state.files.get(&file.to_string())?.0;
            let content = state.hash_of.as_ref().unwrap_or(content);
            let hash = crc32fast::hash(content);
            Some((HashAlgorithm::Crc32, format!("{hash:08x}")))
        };
        Ok(files
            .iter()
            .map(|file| hash(file).filter(|_| state.hashes))
            .collect())
    }

    fn can_restart(&self) -> bool {
        !self.fake.lock().append_only
    }

    async fn download(
        &self,
        file: &RemotePath,
        from: &Beginning,
        mut into: File,
        wire: &Wire,
    ) -> Result<Moved, Error> {
        let content = {
            let mut state = self.begin().await?;
            let start = from.offset - from.tail.len() as u64;
            state.log.push(format!("RETR {file} {start}"));
            if state.odd > 0 {
                state.odd -= 1;
                return Err(error("450 not now", Retry::Backoff, false).into());
            }
            if state.disk_full {
                let full = std::io::ErrorKind::StorageFull.into();
                return Err(Error::local("write", std::path::Path::new(""), full));
            }
            if !self.restarts(&state) && start > 0 {
                return Err(error("502 REST", Retry::Never, false).into());
            }
            let start = state.wraps_at.map_or(start, |wrap| start % wrap);
            let path = resolve(&state, &file.to_string());
            let file = state.files.get(&path).ok_or_else(refused)?;
            let content = file.0.get(start as usize..).ok_or_else(refused)?;
            let content = content.to_vec();
            if let Some((new, second)) = state.changes.take() {
                let time = Timestamp::from_second(second).unwrap();
                state.files.insert(path, (new, Some(time)));
            }
            content
        };
        let Some(content) = content.strip_prefix(from.tail.as_slice()) else {
            return Ok(Moved::Differs);
        };
        let _moving = Moving::new(&self.fake);
        if let Some(at) = wire.at.filter(|_| self.fake.lock().slow.is_some()) {
            return self.download_slowly(content, &into, at, wire).await;
        }
        let at = wire.at.unwrap_or(into.stream_position().unwrap());
        into.seek(std::io::SeekFrom::Start(at)).unwrap();
        let (first, second) = content.split_at(content.len() / 2);
        into.write_all(first).unwrap();
        wire.progress.add(first.len() as u64);
        let late = self.fake.lock().writes_late.then(|| {
            let file = into.try_clone().unwrap();
            let half = at + first.len() as u64;
            (file, second.to_vec(), half, wire.bound.writing())
        });
        let mut late = Late(late);
        self.fake.held().await;
        late.0 = None;
        if self.breaks() {
            return Err(lost().into());
        }
        if self.fake.lock().truncates {
            return Ok(Moved::Bytes(first.len() as u64));
        }
        into.write_all(second).unwrap();
        wire.progress.add(second.len() as u64);
        Ok(Moved::Bytes(content.len() as u64))
    }

    async fn piece(
        &self,
        file: &RemotePath,
        offset: u64,
        most: usize,
        _wire: &Wire,
    ) -> Result<Vec<u8>, Error> {
        let mut state = self.begin().await?;
        state.log.push(format!("RETR {file} {offset}"));
        if !self.restarts(&state) && offset > 0 {
            return Err(error("502 REST", Retry::Never, false).into());
        }
        let offset = state.wraps_at.map_or(offset, |wrap| offset % wrap);
        let file = state.files.get(&file.to_string()).ok_or_else(refused)?;
        let rest = file.0.get(offset as usize..).ok_or_else(refused)?;
        Ok(rest[..rest.len().min(most)].to_vec())
    }

    async fn upload(
        &self,
        mut from: File,
        file: &RemotePath,
        start: Start,
        wire: &Wire,
        begun: &AtomicBool,
    ) -> Result<u64, Error> {
        let path = file.to_string();
        let before = {
            let mut state = self.begin().await?;
            let at = from.stream_position().unwrap();
            state.log.push(match start {
                Start::At(offset) => format!("STOR {file} {offset}"),
                Start::End => format!("APPE {file} at {at}"),
            });
            if state.no_temporary && path.ends_with(".slippart") {
                return Err(error("553", Retry::Never, false).into());
            }
            let there = state.files.get(&path).map(|f| f.0.clone());
            match start {
                Start::At(0) => Vec::new(),
                Start::At(_) if state.append_only => {
                    return Err(error("502 REST", Retry::Never, false).into());
                }
                Start::At(offset) => there.ok_or_else(refused)?[..offset as usize].to_vec(),
                Start::End => there.unwrap_or_default(),
            }
        };
        let _moving = Moving::new(&self.fake);
        let mut content = Vec::new();
        from.read_to_end(&mut content).unwrap();
        begun.store(true, Ordering::Relaxed);
        let put = |bytes: &[u8]| {
            let mut state = self.fake.lock();
            let content = [&before, bytes].concat();
            state.files.insert(path.clone(), (content, None));
        };
        let half = &content[..content.len() / 2];
        put(half);
        wire.progress.add(half.len() as u64);
        self.fake.held().await;
        if self.breaks() {
            return Err(lost().into());
        }
        put(&content);
        wire.progress.add((content.len() - half.len()) as u64);
        Ok(content.len() as u64)
    }

    async fn fetch_many(
        &self,
        files: Vec<FetchFile>,
        wire: &Wire,
        outcomes: UnboundedSender<(usize, Result<Fetched, RemoteError>)>,
    ) -> Result<(), RemoteError> {
        let half = files.len() / 2;
        for (place, file) in files.into_iter().enumerate() {
            let outcome = {
                let mut state = self.begin().await?;
                state.log.push(format!("RETR {}", file.path));
                match state.files.get(&resolve(&state, &file.path.to_string())) {
                    Some((data, _)) if data.len() as u64 > file.most => {
                        Err(error("too long", Retry::Never, false))
                    }
                    Some((data, modified)) => Ok(Fetched {
                        data: data.clone(),
                        modified: modified.filter(|_| file.want_time),
                    }),
                    None => Err(refused()),
                }
            };
            if place >= half {
                let _moving = Moving::new(&self.fake);
                self.fake.held().await;
                if self.breaks() {
                    return Err(lost());
                }
            }
            if let Ok(fetched) = &outcome {
                wire.progress.add(fetched.data.len() as u64);
            }
            let _ = outcomes.send((place, outcome));
        }
        Ok(())
    }

    async fn store_many(
        &self,
        files: Vec<StoreFile>,
        wire: &Wire,
        outcomes: UnboundedSender<(usize, Result<Sent, RemoteError>)>,
    ) -> Result<(), RemoteError> {
        let half = files.len() / 2;
        for (place, file) in files.into_iter().enumerate() {
            let path = file.path.to_string();
            if place >= half {
                let _moving = Moving::new(&self.fake);
                self.fake.held().await;
                if self.breaks() {
                    let mut state = self.fake.lock();
                    let part = file.data[..file.data.len() / 2].to_vec();
                    state.files.insert(path, (part, None));
                    return Err(lost());
                }
            }
            let mut state = self.begin().await?;
            state.log.push(format!("STOR {path}"));
            if state.no_temporary && path.ends_with(".slippart") {
                let _ = outcomes.send((place, Err(error("553", Retry::Never, false))));
                continue;
            }
            wire.progress.add(file.data.len() as u64);
            state
                .files
                .insert(path.clone(), (file.data, file.then.modified));
            if let Some(mode) = file.then.mode {
                state.modes.insert(path, mode);
            }
            let sent = Sent {
                size: state.has_size,
                time: file.then.modified.is_some(),
                renamed: false,
            };
            let _ = outcomes.send((place, Ok(sent)));
        }
        Ok(())
    }

    async fn quit(&self) {
        tokio::task::yield_now().await;
        self.close();
    }
}
