#![allow(clippy::unwrap_used)]
use super::*;
use crate::disk::{list_folder, make_folder};
use std::fs;
use std::io::Write;
use std::time::Duration;

fn names(path: &Path) -> Vec<String> {
    list_folder(path)
        .unwrap()
        .into_iter()
        .map(|e| e.name.into_string().unwrap())
        .collect()
}

#[test]
fn a_partial_file_is_renamed_or_removed() {
    let dir = tempfile::tempdir().unwrap();
    let base = dir.path().join("new");
    let partial = Partial::create(&base, Path::new("a/b.txt")).unwrap();
    partial.file().unwrap().write_all(b"hello").unwrap();
    assert_eq!(names(&base.join("a")), [".b.txt.slippart"]);
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    partial.commit(Some(time)).unwrap();
    assert_eq!(names(&base.join("a")), ["b.txt"]);
    let metadata = fs::metadata(base.join("a/b.txt")).unwrap();
    assert_eq!((metadata.len(), metadata.modified().unwrap()), (5, time));
    drop(Partial::create(&base, Path::new("a/b.txt")).unwrap());
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
    let partial = Partial::create(&base, Path::new("f")).unwrap();
    partial.file().unwrap().write_all(b"new").unwrap();
    partial.commit(None).unwrap();
    assert_eq!(fs::read(base.join("f")).unwrap(), b"new");
    assert!(!fs::symlink_metadata(base.join("f")).unwrap().is_symlink());
    assert_eq!(fs::read(&victim).unwrap(), b"precious");
    // A link in place of a folder is not gone through.
    std::os::unix::fs::symlink(&outside, base.join("d")).unwrap();
    for relative in ["d/f", "d/e/f", "../f", "d/../../f"] {
        let error = Partial::create(&base, Path::new(relative)).unwrap_err();
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
        let partial = Partial::create(dir.path(), Path::new(&name)).unwrap();
        partial.commit(None).unwrap();
    }
    assert_eq!(names(dir.path()).len(), 2);
    let error = Partial::create(dir.path(), Path::new(".x.slippart")).unwrap_err();
    assert!(matches!(error, Error::UnsafeName { .. }), "{error:?}");
}

#[test]
fn two_downloads_to_one_target_do_not_mix() {
    let dir = tempfile::tempdir().unwrap();
    let target = Path::new("f");
    let first = Partial::create(dir.path(), target).unwrap();
    first.file().unwrap().write_all(b"first").unwrap();
    // Another program opens the file for itself, as this does.
    for _ in 0..2 {
        let error = Partial::create(dir.path(), target).unwrap_err();
        assert!(matches!(error, Error::TargetInUse { .. }), "{error:?}");
        assert!(error.to_string().contains("another Slipway"), "{error}");
    }
    // Somebody without manners: the half of the second must not get the name by the first one's hand.
    let temporary = dir.path().join(".f.slippart");
    fs::remove_file(&temporary).unwrap();
    let second = Partial::create(dir.path(), target).unwrap();
    second.file().unwrap().write_all(b"sec").unwrap();
    if cfg!(unix) {
        let error = first.commit(None).unwrap_err();
        assert!(matches!(error, Error::Local { .. }), "{error:?}");
        assert_eq!(names(dir.path()), [".f.slippart"]);
    }
    second.file().unwrap().write_all(b"ond").unwrap();
    second.commit(None).unwrap();
    assert_eq!(names(dir.path()), ["f"]);
    assert_eq!(fs::read(dir.path().join("f")).unwrap(), b"second");
    // The name is free again.
    drop(Partial::create(dir.path(), target).unwrap());
}

#[test]
fn a_left_over_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let temporary = dir.path().join(".f.slippart");
    fs::write(&temporary, "of an earlier run").unwrap();
    let old = dir.path().join("hard link");
    fs::hard_link(&temporary, &old).unwrap();
    let partial = Partial::create(dir.path(), Path::new("f")).unwrap();
    partial.file().unwrap().write_all(b"new").unwrap();
    partial.commit(None).unwrap();
    assert_eq!(fs::read(dir.path().join("f")).unwrap(), b"new");
    assert_eq!(fs::read(&old).unwrap(), b"of an earlier run");
    #[cfg(unix)]
    {
        // A pipe holds nobody up.
        rustix::fs::mkfifoat(rustix::fs::CWD, &temporary, rustix::fs::Mode::RUSR).unwrap();
        drop(Partial::create(dir.path(), Path::new("f")).unwrap());
        assert!(!temporary.exists());
    }
    fs::create_dir(&temporary).unwrap();
    let error = Partial::create(dir.path(), Path::new("f")).unwrap_err();
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
                        let Ok(partial) = Partial::create(base, Path::new("f")) else {
                            continue;
                        };
                        let mut file = partial.file().unwrap();
                        for _ in 0..4 {
                            file.write_all(&[thread, turn]).unwrap();
                        }
                        // While nobody is rude, what was claimed can be finished.
                        partial.commit(None).unwrap();
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
