#![allow(clippy::unwrap_used)]
use super::*;
use crate::disk::make_folder;
use std::fs;
use std::io::Write;
use std::time::Duration;

/// As a job does it that begins afresh.
fn create(base: &Path, relative: &Path) -> Result<Partial, Error> {
    open(base, relative, false)
}

fn open(base: &Path, relative: &Path, keep: bool) -> Result<Partial, Error> {
    let folder = Folder::open(base, relative.parent().unwrap())?;
    Partial::open(&Arc::new(folder), relative.file_name().unwrap(), keep)
}

fn commit(partial: Partial, modified: Option<SystemTime>) -> Result<Placed, Error> {
    let finish = Finish {
        modified,
        ..Finish::default()
    };
    partial.finish(finish)?.place(true)
}

fn names(path: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_partial_file_is_renamed_or_removed() {
    let dir = tempfile::tempdir().unwrap();
    let base = dir.path().join("new");
    let partial = create(&base, Path::new("a/b.txt")).unwrap();
    partial.file().unwrap().write_all(b"hello").unwrap();
    assert_eq!(names(&base.join("a")), [".b.txt.slippart"]);
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    commit(partial, Some(time)).unwrap();
    assert_eq!(names(&base.join("a")), ["b.txt"]);
    let metadata = fs::metadata(base.join("a/b.txt")).unwrap();
    assert_eq!((metadata.len(), metadata.modified().unwrap()), (5, time));
    create(&base, Path::new("a/b.txt")).unwrap().remove();
    assert_eq!(names(&base.join("a")), ["b.txt"]);
    assert_eq!(fs::read(base.join("a/b.txt")).unwrap(), b"hello");
}

#[cfg(unix)]
#[test]
fn links_lead_nowhere_out() {
    let dir = tempfile::tempdir().unwrap();
    let (base, outside) = (dir.path().join("base"), dir.path().join("outside"));
    fs::create_dir_all(&base).unwrap();
    fs::create_dir_all(&outside).unwrap();
    let victim = outside.join("victim");
    fs::write(&victim, "precious").unwrap();
    // A link in place of the temporary file is replaced, not followed.
    std::os::unix::fs::symlink(&victim, base.join(".f.slippart")).unwrap();
    std::os::unix::fs::symlink(&victim, base.join("f")).unwrap();
    let partial = create(&base, Path::new("f")).unwrap();
    partial.file().unwrap().write_all(b"new").unwrap();
    commit(partial, None).unwrap();
    assert_eq!(fs::read(base.join("f")).unwrap(), b"new");
    assert!(!fs::symlink_metadata(base.join("f")).unwrap().is_symlink());
    assert_eq!(fs::read(&victim).unwrap(), b"precious");
    // A link in place of a folder is not gone through.
    std::os::unix::fs::symlink(&outside, base.join("d")).unwrap();
    for relative in ["d/f", "d/e/f", "../f", "d/../../f"] {
        let error = create(&base, Path::new(relative)).unwrap_err();
        assert!(
            matches!(error, Error::Local { .. }),
            "{relative}: {error:?}"
        );
    }
    assert!(make_folder(&base, Path::new("d/new")).is_err());
    assert_eq!(names(&outside), ["victim"]);
}

#[test]
fn long_names_have_temporary_names_too() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (
        format!("{}a", "ä".repeat(127)),
        format!("{}b", "ä".repeat(127)),
    );
    assert_ne!(temporary_name(a.as_ref()), temporary_name(b.as_ref()));
    for name in [a, b] {
        let partial = create(dir.path(), Path::new(&name)).unwrap();
        commit(partial, None).unwrap();
    }
    assert_eq!(names(dir.path()).len(), 2);
    let error = create(dir.path(), Path::new(".x.slippart")).unwrap_err();
    assert!(matches!(error, Error::UnsafeName { .. }), "{error:?}");
}

#[test]
fn two_downloads_to_one_target_do_not_mix() {
    let dir = tempfile::tempdir().unwrap();
    let target = Path::new("f");
    let first = create(dir.path(), target).unwrap();
    first.file().unwrap().write_all(b"first").unwrap();
    // Another program opens the file for itself, as this does.
    for _ in 0..2 {
        let error = create(dir.path(), target).unwrap_err();
        assert!(matches!(error, Error::TargetInUse { .. }), "{error:?}");
        assert!(error.to_string().contains("another Slipway"), "{error}");
    }
    // Somebody without manners: the half of the second must not get the name by the first one's hand.
    let temporary = dir.path().join(".f.slippart");
    fs::remove_file(&temporary).unwrap();
    let second = create(dir.path(), target).unwrap();
    let mut written = second.file().unwrap();
    written.write_all(b"sec").unwrap();
    if cfg!(unix) {
        let error = commit(first, None).unwrap_err();
        assert!(matches!(error, Error::Local { .. }), "{error:?}");
        assert_eq!(names(dir.path()), [".f.slippart"]);
    }
    written.write_all(b"ond").unwrap();
    commit(second, None).unwrap();
    assert_eq!(names(dir.path()), ["f"]);
    assert_eq!(fs::read(dir.path().join("f")).unwrap(), b"second");
    // The name is free again.
    create(dir.path(), target).unwrap().remove();
}

#[test]
fn a_left_over_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let temporary = dir.path().join(".f.slippart");
    fs::write(&temporary, "of an earlier run").unwrap();
    let old = dir.path().join("hard link");
    fs::hard_link(&temporary, &old).unwrap();
    let partial = create(dir.path(), Path::new("f")).unwrap();
    partial.file().unwrap().write_all(b"new").unwrap();
    commit(partial, None).unwrap();
    assert_eq!(fs::read(dir.path().join("f")).unwrap(), b"new");
    assert_eq!(fs::read(&old).unwrap(), b"of an earlier run");
    #[cfg(unix)]
    {
        // A pipe holds nobody up.
        rustix::fs::mkfifoat(rustix::fs::CWD, &temporary, rustix::fs::Mode::RUSR).unwrap();
        create(dir.path(), Path::new("f")).unwrap().remove();
        assert!(!temporary.exists());
    }
    fs::create_dir(&temporary).unwrap();
    let error = create(dir.path(), Path::new("f")).unwrap_err();
    assert!(matches!(error, Error::Local { .. }), "{error:?}");
}

#[test]
fn of_many_at_once_whole_files_come_out() {
    let dir = tempfile::tempdir().unwrap();
    let done: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4_u8)
            .map(|thread| {
                let base = dir.path();
                scope.spawn(move || {
                    let mut done = 0;
                    for turn in 0..200_u8 {
                        let Ok(partial) = create(base, Path::new("f")) else {
                            continue;
                        };
                        let mut file = partial.file().unwrap();
                        for _ in 0..4 {
                            file.write_all(&[thread, turn]).unwrap();
                        }
                        // While nobody is rude, what was claimed can be finished.
                        commit(partial, None).unwrap();
                        done += 1;
                    }
                    done
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum()
    });
    assert!(done > 0);
    let content = fs::read(dir.path().join("f")).unwrap();
    assert_eq!(content.len(), 8);
    assert!(content.chunks(2).all(|pair| pair == &content[..2]));
    assert_eq!(names(dir.path()), ["f"]);
}

#[test]
fn what_was_kept_is_continued() {
    let dir = tempfile::tempdir().unwrap();
    let (base, target) = (dir.path(), Path::new("f"));
    let mut partial = create(base, target).unwrap();
    partial.reserve(4 << 20).unwrap();
    partial.file().unwrap().write_all(&[1; 100_000]).unwrap();
    partial.file().unwrap();
    partial.keep();
    let partial = open(base, target, true).unwrap();
    assert_eq!(partial.found(), 100_000);
    let beginning = partial.beginning().unwrap();
    assert_eq!((beginning.offset, beginning.tail.len()), (100_000, 65_536));
    partial.file().unwrap().write_all(b"end").unwrap();
    // As after a crash: nobody has said a word.
    drop(partial);
    let partial = open(base, target, true).unwrap();
    assert_eq!(partial.found(), 100_003);
    assert!(partial.beginning().unwrap().tail.ends_with(b"\x01end"));
    commit(partial, None).unwrap();
    let content = fs::read(base.join("f")).unwrap();
    assert!(content.len() == 100_003 && content.ends_with(b"end"));
    // Nothing is kept of nothing.
    create(base, target).unwrap().keep();
    assert_eq!(names(base), ["f"]);
    #[cfg(unix)]
    {
        // What has another name as well is somebody's.
        fs::write(base.join(".f.slippart"), b"precious").unwrap();
        fs::hard_link(base.join(".f.slippart"), base.join("other")).unwrap();
        let partial = open(base, target, true).unwrap();
        assert_eq!(partial.found(), 0);
        partial.file().unwrap().write_all(b"new").unwrap();
        partial.remove();
        assert_eq!(fs::read(base.join("other")).unwrap(), b"precious");
    }
    discard(base, target).unwrap();
    fs::write(base.join(".f.slippart"), b"left").unwrap();
    discard(base, target).unwrap();
    assert!(!base.join(".f.slippart").exists());
    discard(base, Path::new("no folder/f")).unwrap();
    assert!(!base.join("no folder").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn a_reservation_is_given_back() {
    use std::os::unix::fs::MetadataExt;
    let dir = tempfile::tempdir().unwrap();
    let mut partial = create(dir.path(), Path::new("f")).unwrap();
    partial.reserve(8 << 20).unwrap();
    partial.file().unwrap().write_all(b"x").unwrap();
    let blocks = |name: &str| fs::metadata(dir.path().join(name)).unwrap().blocks();
    assert_eq!(
        fs::metadata(dir.path().join(".f.slippart")).unwrap().len(),
        1
    );
    partial.keep();
    assert!(blocks(".f.slippart") < 1024, "{}", blocks(".f.slippart"));
    // A size that no disk could hold is the server's mistake; one that this disk can't is ours.
    let mut partial = open(dir.path(), Path::new("f"), true).unwrap();
    partial.reserve(u64::MAX / 4).unwrap();
}

#[test]
fn a_target_is_continued_in_its_place() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("f"), b"beginning").unwrap();
    let folder = Arc::new(Folder::open(dir.path(), Path::new("")).unwrap());
    let partial = Partial::of_target(&folder, OsStr::new("f"))
        .unwrap()
        .unwrap();
    assert_eq!(partial.beginning().unwrap().tail, b"beginning");
    partial.file().unwrap().write_all(b", wrong").unwrap();
    partial.remove();
    assert_eq!(fs::read(dir.path().join("f")).unwrap(), b"beginning");
    let partial = Partial::of_target(&folder, OsStr::new("f"))
        .unwrap()
        .unwrap();
    partial.file().unwrap().write_all(b" and end").unwrap();
    assert_eq!(commit(partial, None).unwrap(), Placed::Yes);
    assert_eq!(
        fs::read(dir.path().join("f")).unwrap(),
        b"beginning and end"
    );
    assert!(
        Partial::of_target(&folder, OsStr::new("none"))
            .unwrap()
            .is_none()
    );
}

#[test]
fn what_came_meanwhile_is_not_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let partial = create(dir.path(), Path::new("f")).unwrap();
    partial.file().unwrap().write_all(b"new").unwrap();
    let mut spot = partial.finish(Finish::default()).unwrap();
    fs::write(dir.path().join("f"), b"somebody's").unwrap();
    assert_eq!(spot.place(false).unwrap(), Placed::Taken);
    assert_eq!(fs::read(dir.path().join("f")).unwrap(), b"somebody's");
    spot.renamed("f (2)".into());
    assert_eq!(spot.place(false).unwrap(), Placed::Yes);
    assert_eq!(names(dir.path()), ["f", "f (2)"]);
}
