//! What tells when a folder of this computer changes while the window shows it: one watcher a folder, however often
//! the folder is read again, and no more often than reading it again can bear.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::FutureExt as _;
use notify::{
    Event, EventKind, RecursiveMode, Watcher as _,
    event::{AccessKind, AccessMode, ModifyKind},
};
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::listings::OpenListing;

/// Programs write in bursts; the window looks again when a burst is this old.
const DEBOUNCE: Duration = Duration::from_millis(200);
/// The window is told of a folder at most this often.
const SHORTEST: Duration = Duration::from_millis(300);
/// A folder that takes long to read rests this many times as long before it is read again.
const REST: u32 = 4;
/// But not longer than this: a person waits for it.
const LONGEST: Duration = Duration::from_secs(10);

/// How the name of a file ends that a download is still writing; it begins with a dot.
const PART: &str = ".slippart";

/// The watchers of all folders that are shown.
#[derive(Default)]
pub(crate) struct Watches(Mutex<HashMap<PathBuf, Weak<Watch>>>);

/// A folder that is watched, until all who hold this have dropped it.
#[derive(Debug)]
pub(crate) struct Watch {
    shared: Arc<Shared>,
    identity: Option<Identity>,
    _end: DropGuard,
}

/// What the system's watcher, the listings and the task that tells have in common.
#[derive(Debug, Default)]
struct Shared {
    pace: Mutex<Pace>,
    changed: Notify,
    /// A reading has ended.
    read: Notify,
    /// The folder is gone, or has another name: nothing more will be seen of what has its old name now.
    over: AtomicBool,
}

/// When the window may be told. Time is an input.
#[derive(Debug, Default)]
struct Pace {
    readings: u32,
    /// How long the last reading took.
    took: Duration,
    /// When the window was last told, or had read the folder, whatever came later.
    last: Option<Instant>,
}

/// Which folder it is, whatever its name.
type Identity = (u64, u64);

/// The folder is being read, until this is dropped.
pub(crate) struct Reading {
    watch: Arc<Watch>,
    began: Instant,
}

impl Watches {
    /// Watches a folder until its listing is closed, and tells `changed` whenever it changes. A folder that is watched
    /// already keeps its watcher and whom that tells. Blocks.
    ///
    /// # Errors
    /// If the system has no watches left, or none for this folder. The pane then shows what it read.
    pub(crate) fn follow(
        &self,
        folder: &Path,
        listing: &OpenListing,
        changed: impl Fn() + Send + 'static,
    ) -> notify::Result<Arc<Watch>> {
        let identity = identity(folder);
        let watch = match self.known(folder, identity) {
            Some(watch) => watch,
            None => {
                let watch = Arc::new(Watch::start(folder, identity, changed)?);
                self.lock()
                    .insert(folder.to_owned(), Arc::downgrade(&watch));
                watch
            }
        };
        listing.set_watched();
        let (held, closed) = (Arc::clone(&watch), listing.closed.clone());
        tauri::async_runtime::spawn(async move {
            closed.cancelled().await;
            drop(held);
        });
        Ok(watch)
    }

    fn known(&self, folder: &Path, identity: Option<Identity>) -> Option<Arc<Watch>> {
        let mut watches = self.lock();
        watches.retain(|_, watch| watch.strong_count() > 0);
        let watch = watches.get(folder)?.upgrade()?;
        let same = watch.identity == identity && !watch.shared.over.load(Ordering::Relaxed);
        same.then_some(watch)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PathBuf, Weak<Watch>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch {
    fn start(
        folder: &Path,
        identity: Option<Identity>,
        changed: impl Fn() + Send + 'static,
    ) -> notify::Result<Self> {
        let shared = Arc::<Shared>::default();
        let (seen, own) = (Arc::clone(&shared), folder.to_owned());
        let mut watcher =
            notify::recommended_watcher(move |event: notify::Result<Event>| match event {
                Ok(event) if is_change(&event) => {
                    if is_end(&event, &own) {
                        seen.over.store(true, Ordering::Relaxed);
                    }
                    seen.changed.notify_one();
                }
                Ok(_) => {}
                Err(error) => tracing::debug!(%error, "a watcher failed"),
            })?;
        watcher.watch(folder, RecursiveMode::NonRecursive)?;

        let end = CancellationToken::new();
        let (ended, told) = (end.clone(), Arc::clone(&shared));
        tauri::async_runtime::spawn(async move {
            let _watcher = watcher;
            ended.run_until_cancelled(tell(&told, changed)).await;
        });
        Ok(Self {
            shared,
            identity,
            _end: end.drop_guard(),
        })
    }

    /// Says that the folder is being read: meanwhile the window is told nothing, and how long it takes sets the pace.
    pub(crate) fn reading(self: &Arc<Self>, began: Instant) -> Reading {
        self.shared.pace().readings += 1;
        Reading {
            watch: Arc::clone(self),
            began,
        }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.watch.shared.pace().read(self.began, Instant::now());
        self.watch.shared.read.notify_one();
    }
}

impl Shared {
    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pace {
    /// One reading, which began then, ends now.
    fn read(&mut self, began: Instant, now: Instant) {
        self.readings = self.readings.saturating_sub(1);
        self.took = now.saturating_duration_since(began);
        self.last = Some(now);
    }

    /// The window is told now.
    fn told(&mut self, now: Instant) {
        self.last = Some(now);
    }

    /// From when on the window may be told; `None` while the folder is being read.
    fn due(&self, now: Instant) -> Option<Instant> {
        if self.readings > 0 {
            return None;
        }
        let rest = self.took.saturating_mul(REST).clamp(SHORTEST, LONGEST);
        Some(self.last.map_or(now, |last| last + rest))
    }
}

/// Tells `changed` of the changes, at the folder's pace, for ever.
async fn tell(shared: &Shared, changed: impl Fn()) {
    loop {
        shared.changed.notified().await;
        tokio::time::sleep(DEBOUNCE).await;
        loop {
            let now = Instant::now();
            let due = shared.pace().due(now);
            match due {
                None => shared.read.notified().await,
                Some(due) if due > now => tokio::time::sleep_until(due.into()).await,
                Some(_) => break,
            }
        }
        // What came while we waited is told with the rest.
        let _ = shared.changed.notified().now_or_never();
        shared.pace().told(Instant::now());
        changed();
    }
}

/// Whether an event changes what the window shows. Looking at a folder is reported too, and would never end.
fn is_change(event: &Event) -> bool {
    let counts = match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        // A file that is being written changes all the time. Linux also tells when it is whole.
        EventKind::Modify(ModifyKind::Data(_)) => cfg!(not(target_os = "linux")),
        _ => true,
    };
    counts && (event.paths.is_empty() || !event.paths.iter().all(|path| is_part(path)))
}

/// Whether a file is a download on its way: it counts once it has its own name.
fn is_part(path: &Path) -> bool {
    path.file_name().is_some_and(|name| {
        let name = name.as_encoded_bytes();
        name.starts_with(b".") && name.ends_with(PART.as_bytes())
    })
}

/// Whether an event takes the folder itself away.
fn is_end(event: &Event, folder: &Path) -> bool {
    matches!(
        event.kind,
        EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_))
    ) && event.paths.iter().any(|path| path == folder)
}

#[cfg(unix)]
fn identity(folder: &Path) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(folder)
        .ok()
        .map(|metadata| (metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn identity(folder: &Path) -> Option<Identity> {
    // The name is all that there is; whether it is there at all still counts.
    fs::metadata(folder).ok().map(|_| (0, 0))
}

#[cfg(test)]
mod tests;
