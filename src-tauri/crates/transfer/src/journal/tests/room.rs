//! A full disk.

use super::*;

/// Writes until there is no room, then makes room and goes on.
fn fill(path: &Path, mut journal: Journal, make_room: impl FnOnce(&Journal)) {
    journal.write(&[site()]).unwrap();
    let mut written = 0;
    let batch = |written: u32| -> Vec<Op> {
        (written + 1..=written + 500)
            .map(|id| Op::Put(item(id, 0)))
            .collect()
    };
    let error = loop {
        match journal.write(&batch(written)) {
            Ok(()) => written += 500,
            Err(error) => break error,
        }
        assert!(written < 1_000_000, "it never gets full");
    };
    assert_eq!(error, JournalError::Full);
    assert!(written > 0);
    assert_eq!(journal.write(&batch(written)), Err(JournalError::Full));
    // It is as it was, and can be read.
    assert_eq!(journal.load().unwrap().rows.len() as u32, written);
    make_room(&journal);
    journal.write(&batch(written)).unwrap();
    journal.write(&[Op::Remove(vec![1])]).unwrap();
    drop(journal);
    let loaded = open(path).load().unwrap();
    assert_eq!(loaded.rows.len() as u32, written + 499);
    for row in loaded.rows {
        assert_eq!(row, item(row.id, 0));
    }
}

#[test]
fn a_database_that_may_not_grow_is_full_until_it_may() {
    let (_folder, path) = place();
    let journal = open(&path);
    let limit = |journal: &Journal, pages: i64| {
        let set =
            journal
                .connection
                .pragma_update_and_check(None, "max_page_count", pages, |row| row.get::<_, i64>(0));
        assert_eq!(set.unwrap(), pages);
    };
    limit(&journal, 200);
    fill(&path, journal, |journal| limit(journal, 10_000));
}

/// A disk of 8 MiB, where we may make one.
#[cfg(target_os = "linux")]
struct SmallDisk(PathBuf);

#[cfg(target_os = "linux")]
impl SmallDisk {
    fn new(at: &Path) -> Option<Self> {
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"])
            .arg(at)
            .output();
        if !mounted.is_ok_and(|output| output.status.success()) {
            eprintln!("no disk can be made here, so that none can be full");
            return None;
        }
        Some(Self(at.to_owned()))
    }
}

#[cfg(target_os = "linux")]
impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = std::process::Command::new("umount").arg(&self.0).status();
        assert!(unmounted.unwrap().success());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_and_nothing_is_lost_by_it() {
    let (folder, _) = place();
    let Some(disk) = SmallDisk::new(folder.path()) else {
        return;
    };
    let path = disk.0.canonicalize().unwrap().join("queue.sqlite");
    let ballast = disk.0.join("ballast");
    std::fs::write(&ballast, vec![1; 6 * 1024 * 1024]).unwrap();
    fill(&path, open(&path), |_| {
        std::fs::remove_file(&ballast).unwrap();
    });

    // It can't be opened without room, and can with.
    let left = std::fs::write(&ballast, vec![1; 16 * 1024 * 1024]);
    assert!(left.is_err());
    match Journal::open(&path, "a test") {
        Err(OpenError::Full { .. }) => {}
        Err(error) => panic!("{error}"),
        // SQLite may get along with what it has.
        Ok(opened) => assert_eq!(opened.recovered, None),
    }
    // Neither can a damaged one: it stays where it is.
    damage::spoil(&path, 0);
    let opened = Journal::open(&path, "a test");
    assert!(matches!(opened, Err(OpenError::Full { .. })), "{opened:?}");
    for entry in disk.0.read_dir().unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let other = [".damaged", ".recover", ".salvage", ".room"];
        assert!(
            !other.iter().any(|part| name.contains(part)),
            "{name} takes up room"
        );
    }
    std::fs::remove_file(&ballast).unwrap();
    let opened = Journal::open(&path, "a test").unwrap();
    assert!(opened.recovered.unwrap().items > 500);
    drop(opened.journal);
}
