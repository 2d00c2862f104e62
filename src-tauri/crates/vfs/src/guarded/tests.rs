#![allow(clippy::unwrap_used)]
use std::collections::BTreeSet;

use super::*;
use crate::{MemoryTree, Subtree};

fn p(text: &str) -> VPath {
    VPath::new(text).unwrap()
}

fn rules(text: &[(&str, &str)]) -> Vec<Permission> {
    text.iter()
        .map(|(path, what)| Permission::new(p(path), what.contains('r'), what.contains('w')))
        .collect()
}

async fn memory(files: &[&str]) -> Arc<dyn Vfs> {
    let tree = MemoryTree::new(64 << 20);
    for file in files {
        tree.write_file(&p(file), b"x").await.unwrap();
    }
    Arc::new(tree)
}

async fn names(tree: &dyn Vfs, path: &str) -> BTreeSet<String> {
    let entries: Vec<_> = tree
        .list(&p(path))
        .await
        .unwrap()
        .try_concat()
        .await
        .unwrap();
    let names = entries
        .into_iter()
        .map(|entry| String::from_utf8(entry.name).unwrap());
    names.collect()
}

/// What each operation says: `.` done, `x` denied, `?` another error.
async fn tried(tree: &dyn Vfs, path: &str) -> String {
    let path = &p(path);
    let said = [
        tree.metadata(path).await.map(drop),
        tree.symlink_metadata(path).await.map(drop),
        tree.open_read(path, 0).await.map(drop),
        tree.list(path).await.map(drop),
        tree.open_write(path, WriteMode::Append).await.map(drop),
        tree.open_write(path, WriteMode::CreateNew).await.map(drop),
        tree.mkdir(path).await,
        tree.set_modified(path, Timestamp::UNIX_EPOCH).await,
        tree.set_permissions(path, 0o600).await,
        tree.rename(path, path).await,
        tree.rmdir(path).await,
        tree.unlink(path).await,
    ];
    said.iter()
        .map(|said| match said {
            Ok(()) => '.',
            Err(error) if error.kind() == VfsErrorKind::Denied => 'x',
            Err(_) => '?',
        })
        .collect()
}

#[tokio::test]
async fn every_operation_asks() {
    let files = ["/rw/f", "/r/f", "/w/f", "/none/f"];
    let all = rules(&[("/rw", "rw"), ("/r", "r"), ("/w", "w"), ("/none", "")]);
    let tree = Guarded::new(memory(&files).await, all);
    assert_eq!(tried(&tree, "/rw/f").await, "...?.??...?.");
    assert_eq!(tried(&tree, "/r/f").await, "...?xxxxxxxx");
    assert_eq!(tried(&tree, "/w/f").await, "xxxx.??...?.");
    assert_eq!(tried(&tree, "/none/f").await, "xxxxxxxxxxxx");
    assert_eq!(
        tried(&tree, "/none/unknown").await,
        "xxxxxxxxxxxx",
        "nobody learns what is there"
    );
}

#[tokio::test]
async fn the_nearest_counts_and_none_is_leave() {
    let all = rules(&[("/a", "r"), ("/a/b", "rw"), ("/a/b/c", ""), ("/a/b", "")]);
    let tree = Guarded::new(memory(&[]).await, all);
    let may = |path: &str| {
        let may = tree.may(&p(path));
        (may.read, may.write)
    };
    assert_eq!(may("/"), (true, true));
    assert_eq!(may("/ab"), (true, true), "by components");
    assert_eq!(may("/a"), (true, false));
    assert_eq!(may("/a/x/y"), (true, false));
    assert_eq!(may("/a/b"), (true, true), "the first of two");
    assert_eq!(may("/a/b/x"), (true, true));
    assert_eq!(may("/a/b/c/d"), (false, false));
    assert_eq!(tree.may_below(&p("/a/b/x")), Some(Access::ALL));
    assert_eq!(tree.may_below(&p("/a/b/c")), Some(Access::NONE));
    assert_eq!(tree.may_below(&p("/a/b")), None);
    assert!(!tree.is_read_only());
    let closed = Guarded::new(memory(&[]).await, rules(&[("/", "r"), ("/x", "")]));
    assert!(closed.is_read_only());
}

#[tokio::test]
async fn what_may_not_be_known_is_not_listed() {
    let files = ["/open/f", "/secret/f", "/drop/f", "/open/deep/f"];
    let all = rules(&[("/secret", ""), ("/drop", "w"), ("/open/deep", "")]);
    let tree = Guarded::new(memory(&files).await, all);
    assert_eq!(
        names(&tree, "/").await,
        BTreeSet::from(["open".into(), "drop".into()])
    );
    assert_eq!(names(&tree, "/open").await, BTreeSet::from(["f".into()]));
    assert!(tree.list(&p("/secret")).await.is_err());
    assert!(tree.list(&p("/drop")).await.is_err());
}

#[tokio::test]
async fn renames_ask_for_both_paths_and_for_what_lies_below() {
    let files = ["/a/f", "/r/f", "/w/f", "/d/in/keep/f", "/e/x"];
    let all = rules(&[
        ("/r", "r"),
        ("/w", "w"),
        ("/d/in/keep", "r"),
        ("/e/x/y", ""),
    ]);
    let tree = Guarded::new(memory(&files).await, all);
    let mut said = Vec::new();
    for (from, to) in [
        ("/a/f", "/r/g"),
        ("/r/f", "/a/g"),
        // Nothing becomes readable by a new name.
        ("/w/f", "/a/g"),
        // What is protected is not moved by moving what it lies in, and nothing is put in its place.
        ("/d", "/moved"),
        ("/d/in", "/moved"),
        ("/a", "/d/in"),
        ("/a", "/e"),
        ("/a/f", "/w/in"),
        ("/d", "/d"),
    ] {
        let done = tree.rename(&p(from), &p(to)).await;
        said.push(done.map_err(|error| error.kind()).is_ok());
    }
    assert_eq!(
        said,
        [false, false, false, false, false, false, false, true, false]
    );
    // Within what may not be read, names may be given.
    tree.rename(&p("/w/in"), &p("/w/other")).await.unwrap();
    for path in ["/d", "/d/in", "/e"] {
        let said = tree.rmdir(&p(path)).await.unwrap_err().kind();
        assert_eq!(said, VfsErrorKind::Denied, "{path}");
    }
}

#[tokio::test]
async fn conforms_where_everything_is_allowed() {
    let all = rules(&[("/", "rw"), ("/elsewhere/deep", "")]);
    let tree = Guarded::new(memory(&[]).await, all.clone());
    crate::conformance::run(Arc::new(tree)).await;
    let tree = MemoryTree::new(64 << 20);
    tree.mkdir_all(&p("/base/here")).await.unwrap();
    let sub: Arc<dyn Vfs> = Arc::new(Subtree::new(Arc::new(tree), p("/base/here")));
    crate::conformance::run(Arc::new(Guarded::new(sub, all))).await;
}

#[cfg(unix)]
mod links {
    use super::*;
    use crate::LocalDisk;
    use bytes::Bytes;
    use std::os::unix::fs::symlink;
    use std::path::Path;
    use std::sync::atomic::{AtomicBool, Ordering};

    fn place() -> (tempfile::TempDir, Arc<dyn Vfs>) {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        for folder in ["open/deep", "secret", "drop"] {
            std::fs::create_dir_all(at(folder)).unwrap();
        }
        std::fs::write(at("open/f"), "open").unwrap();
        std::fs::write(at("open/deep/f"), "deep").unwrap();
        std::fs::write(at("secret/f"), "secret").unwrap();
        let disk = Arc::new(LocalDisk::new(dir.path()).unwrap());
        (dir, disk)
    }

    fn guarded(disk: Arc<dyn Vfs>) -> Guarded {
        Guarded::new(disk, rules(&[("/secret", ""), ("/open/deep", "r")]))
    }

    async fn read(tree: &dyn Vfs, path: &str) -> Result<Bytes> {
        tree.open_read(&p(path), 0).await?.read_chunk(99).await
    }

    #[tokio::test]
    async fn conforms() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Arc::new(LocalDisk::new(dir.path()).unwrap());
        crate::conformance::run(disk.without_links().unwrap()).await;
        crate::conformance::run(Arc::new(guarded(disk))).await;
    }

    #[tokio::test]
    async fn links_lead_only_where_one_might_go_oneself() {
        let (dir, disk) = place();
        let tree = guarded(disk);
        let link = |target: &str, at: &str| symlink(target, dir.path().join(at)).unwrap();
        link("deep", "open/to-deep");
        link("../open/./deep/../f", "drop/around");
        link("to-deep/f", "open/twice");
        link("../secret", "open/to-secret");
        link("../secret/f", "open/file");
        link("to-secret/f", "open/chain");
        link("../secret/new", "open/dangling");
        link("deep/new", "open/into-deep");
        link("../../../etc", "open/out");
        link("/etc", "open/absolute");
        link("loop", "open/loop");
        link("../open/f", "secret/back");
        assert_eq!(read(&tree, "/open/to-deep/f").await.unwrap(), "deep");
        assert_eq!(read(&tree, "/open/twice").await.unwrap(), "deep");
        assert_eq!(read(&tree, "/drop/around").await.unwrap(), "open");
        assert_eq!(tree.metadata(&p("/open/twice")).await.unwrap().len, 4);
        assert_eq!(
            names(&tree, "/open/to-deep").await,
            BTreeSet::from(["f".into()])
        );
        // Read, as the rule of the other place says, and no more.
        let said = tried(&tree, "/open/to-deep/f").await;
        assert_eq!(said, "...?xxxxxxxx");
        for path in [
            "/open/to-secret",
            "/open/to-secret/f",
            "/open/file",
            "/open/chain",
            "/open/dangling",
            "/open/into-deep",
            "/open/out",
            "/open/absolute",
            "/open/loop",
            "/secret/back",
        ] {
            let path = p(path);
            let said = [
                tree.metadata(&path).await.map(drop),
                tree.open_read(&path, 0).await.map(drop),
                tree.list(&path).await.map(drop),
                tree.open_write(&path, WriteMode::Truncate).await.map(drop),
                tree.open_write(&path, WriteMode::Append).await.map(drop),
                tree.set_modified(&path, Timestamp::UNIX_EPOCH).await,
                tree.set_permissions(&path, 0o777).await,
                tree.mkdir(&path.join("d").unwrap()).await,
                tree.rmdir(&path.join("f").unwrap()).await,
                tree.unlink(&path.join("f").unwrap()).await,
                tree.rename(&path.join("f").unwrap(), &p("/open/got")).await,
                tree.rename(&p("/open/f"), &path.join("put").unwrap()).await,
            ];
            for (operation, said) in said.into_iter().enumerate() {
                assert!(said.is_err(), "{path} {operation}");
            }
        }
        let secret = dir.path().join("secret");
        assert_eq!(std::fs::read(secret.join("f")).unwrap(), b"secret");
        assert_eq!(std::fs::read_dir(&secret).unwrap().count(), 2);
        assert!(!dir.path().join("open/deep/new").exists());
        // A link is an entry of its own directory: it can be seen, renamed, removed.
        tree.rename(&p("/open/file"), &p("/drop/link"))
            .await
            .unwrap();
        tree.unlink(&p("/drop/link")).await.unwrap();
        assert!(secret.join("f").exists());
    }

    /// Somebody with an account of the machine makes the way a good one and a bad one in turn.
    fn swap(root: &Path, stop: Arc<AtomicBool>) -> std::thread::JoinHandle<()> {
        let root = root.to_owned();
        std::thread::spawn(move || {
            let mut good = false;
            while !stop.load(Ordering::Relaxed) {
                good = !good;
                let target = if good { "real" } else { "../secret" };
                symlink(target, root.join("open/tmp")).unwrap();
                std::fs::rename(root.join("open/tmp"), root.join("open/way")).unwrap();
            }
        })
    }

    #[tokio::test]
    async fn a_link_that_changes_in_the_meantime_leads_nowhere_else() {
        let (dir, disk) = place();
        std::fs::create_dir(dir.path().join("open/real")).unwrap();
        std::fs::write(dir.path().join("open/real/f"), "real").unwrap();
        symlink("real", dir.path().join("open/way")).unwrap();
        let tree = guarded(disk);
        let stop = Arc::new(AtomicBool::new(false));
        let swapper = swap(dir.path(), Arc::clone(&stop));
        let mut good = 0;
        for _ in 0..1500 {
            if let Ok(content) = read(&tree, "/open/way/f").await {
                assert_eq!(content, "real");
                good += 1;
            }
            let mode = WriteMode::Truncate;
            if let Ok(mut writer) = tree.open_write(&p("/open/way/made"), mode).await {
                writer.write_chunk(Bytes::from_static(b"x")).await.unwrap();
            }
            let _ = tree.mkdir(&p("/open/way/dir")).await;
            let _ = tree
                .rename(&p("/open/way/made"), &p("/open/way/moved"))
                .await;
            let _ = tree.set_permissions(&p("/open/way/f"), 0o640).await;
            let _ = tree
                .set_modified(&p("/open/way/f"), Timestamp::UNIX_EPOCH)
                .await;
            let _ = tree.rmdir(&p("/open/way/dir")).await;
        }
        stop.store(true, Ordering::Relaxed);
        swapper.join().unwrap();
        assert!(good > 0, "the good way was there half of the time");
        let secret = dir.path().join("secret");
        assert_eq!(std::fs::read_dir(&secret).unwrap().count(), 1);
        let facts = std::fs::metadata(secret.join("f")).unwrap();
        assert!(facts.modified().unwrap() > std::time::UNIX_EPOCH);
        let mode = std::os::unix::fs::PermissionsExt::mode(&facts.permissions());
        assert_ne!(mode & 0o777, 0o640);
    }
}
