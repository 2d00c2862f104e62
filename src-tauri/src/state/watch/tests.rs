#![allow(clippy::unwrap_used)]

use std::sync::mpsc;

use notify::event::{CreateKind, DataChange, MetadataKind, RemoveKind, RenameMode};

use super::*;
use crate::state::{folder::Folder, listings::Listings};

/// Nothing here takes long; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(10);

fn event(kind: EventKind, names: &[&str]) -> Event {
    names.iter().fold(Event::new(kind), |event, name| {
        event.add_path(Path::new("/folder").join(name))
    })
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn looking_is_no_change() {
    let kinds = [
        (AccessKind::Open(AccessMode::Any), false),
        (AccessKind::Close(AccessMode::Read), false),
        (AccessKind::Close(AccessMode::Write), true),
    ];
    for (kind, counts) in kinds {
        let event = event(EventKind::Access(kind), &["a"]);
        assert_eq!(is_change(&event), counts, "{event:?}");
    }
    for kind in [
        EventKind::Create(CreateKind::File),
        EventKind::Remove(RemoveKind::Folder),
        EventKind::Modify(ModifyKind::Metadata(MetadataKind::Any)),
        EventKind::Other,
    ] {
        assert!(is_change(&event(kind, &["a"])), "{kind:?}");
        assert!(is_change(&event(kind, &[])), "{kind:?}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_file_that_is_being_written_counts_once_it_is_whole() {
    let written = EventKind::Modify(ModifyKind::Data(DataChange::Any));
    assert!(!is_change(&event(written, &["a"])));
}

#[test]
fn a_download_counts_once_it_has_its_name() {
    let created = EventKind::Create(CreateKind::File);
    let closed = EventKind::Access(AccessKind::Close(AccessMode::Write));
    let renamed = EventKind::Modify(ModifyKind::Name(RenameMode::Both));
    for kind in [created, closed, renamed] {
        assert!(!is_change(&event(kind, &[".a.slippart"])), "{kind:?}");
        assert!(is_change(&event(kind, &["a.slippart"])), "{kind:?}");
    }
    assert!(is_change(&event(renamed, &[".a.slippart", "a"])));
}

#[test]
fn a_folder_rests_as_long_as_it_is_slow() {
    let start = Instant::now();
    let mut pace = Pace::default();
    assert_eq!(pace.due(start), Some(start), "nothing was read or told yet");

    // Read, told, read again; how long it takes, and how long it rests.
    for (took, rest) in [
        (0, 300),
        (70, 300),
        (100, 400),
        (2_000, 8_000),
        (60_000, 10_000),
    ] {
        pace.readings = 1;
        let end = start + ms(took);
        assert_eq!(pace.due(end), None, "it is being read");
        pace.read(start, end);
        assert_eq!(pace.due(end), Some(end + ms(rest)), "after {took} ms");
        pace.told(end + ms(20_000));
        assert_eq!(pace.due(end), Some(end + ms(20_000 + rest)));
    }
}

/// A folder, its listings and its watchers.
struct Bench {
    dir: tempfile::TempDir,
    listings: Listings,
    watches: Watches,
}

impl Bench {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            listings: Listings::default(),
            watches: Watches::default(),
        }
    }

    /// Opens the folder `shown` and watches it.
    fn open(&self) -> (Arc<OpenListing>, Arc<Watch>, mpsc::Receiver<()>) {
        let folder = self.dir.path().join("shown");
        fs::create_dir_all(&folder).unwrap();
        let listing = self.listings.open(Folder::Local(folder.clone()));
        let (tx, rx) = mpsc::channel();
        let changed = move || tx.send(()).unwrap_or_default();
        let watch = tauri::async_runtime::block_on(async {
            self.watches.follow(&folder, &listing, changed).unwrap()
        });
        (listing, watch, rx)
    }

    fn write(&self, name: &str) {
        fs::write(self.dir.path().join("shown").join(name), name).unwrap();
    }
}

/// Waits until nobody can tell any more: the task that tells has ended.
fn has_ended(told: &mpsc::Receiver<()>) {
    while told.recv_timeout(PATIENCE).is_ok() {}
    assert_eq!(told.try_recv(), Err(mpsc::TryRecvError::Disconnected));
}

#[test]
fn a_change_on_the_disk_is_told_until_the_listing_is_closed() {
    let bench = Bench::new();
    let (listing, watch, told) = bench.open();
    drop(watch);
    bench.write("new");
    told.recv_timeout(PATIENCE).unwrap();
    listing.closed.cancel();
    has_ended(&told);
}

#[test]
fn reading_the_folder_again_makes_no_new_watcher() {
    let bench = Bench::new();
    let (first, watch, told) = bench.open();
    let (second, again, told_again) = bench.open();
    assert!(Arc::ptr_eq(&watch, &again));
    has_ended(&told_again);
    drop((watch, again));

    // The window closes the old listing once it has the new one.
    first.closed.cancel();
    bench.write("new");
    told.recv_timeout(PATIENCE).unwrap();
    second.closed.cancel();
    has_ended(&told);
}

#[test]
fn nothing_is_told_while_the_folder_is_read_and_nothing_is_lost() {
    let bench = Bench::new();
    let (_listing, watch, told) = bench.open();
    let reading = watch.reading(Instant::now());
    bench.write("new");
    // The change has been seen, and could have been told long ago.
    assert!(told.recv_timeout(DEBOUNCE * 2).is_err());
    let read = Instant::now();
    drop(reading);
    told.recv_timeout(PATIENCE).unwrap();
    assert!(read.elapsed() >= SHORTEST);
}

#[test]
fn another_folder_of_the_same_name_is_watched_anew() {
    let bench = Bench::new();
    let (_old, watch, told) = bench.open();
    let shown = bench.dir.path().join("shown");
    fs::rename(&shown, bench.dir.path().join("away")).unwrap();
    told.recv_timeout(PATIENCE).unwrap();

    let (_new, again, told) = bench.open();
    assert!(!Arc::ptr_eq(&watch, &again));
    bench.write("new");
    told.recv_timeout(PATIENCE).unwrap();

    fs::remove_dir_all(&shown).unwrap();
    told.recv_timeout(PATIENCE).unwrap();
    let (_newest, once_more, told) = bench.open();
    assert!(!Arc::ptr_eq(&again, &once_more));
    bench.write("newest");
    told.recv_timeout(PATIENCE).unwrap();
}
