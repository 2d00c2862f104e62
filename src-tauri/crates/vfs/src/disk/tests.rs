#![allow(clippy::unwrap_used)]
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures_util::TryStreamExt;
use jiff::Timestamp;

use super::*;
use crate::FileKind;

fn p(text: &str) -> VPath {
    VPath::new(text).unwrap()
}

/// `outside/secret` beside `root/`, which is what is served.
fn place() -> (tempfile::TempDir, LocalDisk) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("root")).unwrap();
    std::fs::create_dir(dir.path().join("outside")).unwrap();
    std::fs::write(dir.path().join("outside/secret"), b"secret").unwrap();
    let disk = LocalDisk::new(dir.path().join("root")).unwrap();
    (dir, disk)
}

#[tokio::test]
async fn conforms() {
    let (_dir, disk) = place();
    crate::conformance::run(Arc::new(disk)).await;
}

#[tokio::test]
async fn the_root_must_be_a_directory() {
    let (dir, _) = place();
    assert_eq!(
        LocalDisk::new(dir.path().join("none")).unwrap_err().kind(),
        VfsErrorKind::NotFound
    );
    assert_eq!(
        LocalDisk::new(dir.path().join("outside/secret"))
            .unwrap_err()
            .kind(),
        VfsErrorKind::NotDir
    );
}

#[tokio::test]
async fn links_out_of_the_root_are_refused_by_every_operation() {
    let (dir, disk) = place();
    let root = dir.path().join("root");
    symlink("../outside", root.join("rel")).unwrap();
    symlink(dir.path().join("outside"), root.join("abs")).unwrap();
    symlink("../outside/secret", root.join("file")).unwrap();
    symlink("../outside/new", root.join("dangling")).unwrap();
    for way in ["/rel/secret", "/abs/secret", "/file"] {
        let path = p(way);
        let errors = [
            disk.metadata(&path).await.err(),
            disk.open_read(&path, 0).await.err(),
            disk.open_write(&path, WriteMode::Truncate).await.err(),
            disk.open_write(&path, WriteMode::Append).await.err(),
            disk.open_write(&path, WriteMode::At(0)).await.err(),
            disk.set_modified(&path, Timestamp::UNIX_EPOCH).await.err(),
            disk.set_permissions(&path, 0o777).await.err(),
        ];
        for error in errors {
            assert_eq!(error.unwrap().kind(), VfsErrorKind::Denied, "{way}");
        }
    }
    for way in ["/rel", "/abs"] {
        assert_eq!(
            disk.list(&p(way)).await.err().unwrap().kind(),
            VfsErrorKind::Denied
        );
        let inside = p(way).join("x").unwrap();
        assert!(disk.mkdir(&inside).await.is_err());
        assert!(disk.rename(&p("/file"), &inside).await.is_err());
        assert!(disk.unlink(&p(way).join("secret").unwrap()).await.is_err());
        assert!(disk.rmdir(&p(way)).await.is_err());
    }
    assert!(
        disk.open_write(&p("/dangling"), WriteMode::Truncate)
            .await
            .is_err()
    );
    assert!(
        disk.open_write(&p("/dangling"), WriteMode::CreateNew)
            .await
            .is_err()
    );
    assert_eq!(
        std::fs::read(dir.path().join("outside/secret")).unwrap(),
        b"secret"
    );
    assert!(!dir.path().join("outside/new").exists());
    // The link itself can be seen and removed; what it leads to stays.
    assert_eq!(
        disk.symlink_metadata(&p("/rel")).await.unwrap().kind,
        FileKind::Symlink
    );
    disk.unlink(&p("/rel")).await.unwrap();
    assert!(dir.path().join("outside/secret").exists());
}

#[tokio::test]
async fn links_inside_the_root_work() {
    let (dir, disk) = place();
    let root = dir.path().join("root");
    std::fs::create_dir_all(root.join("a/b")).unwrap();
    std::fs::write(root.join("a/b/f"), b"inside").unwrap();
    symlink("a/b", root.join("short")).unwrap();
    symlink("../b/f", root.join("a/b/again")).unwrap();
    symlink("loop", root.join("loop")).unwrap();
    let read = async |path: &str| {
        disk.open_read(&p(path), 0)
            .await
            .unwrap()
            .read_chunk(99)
            .await
            .unwrap()
    };
    assert_eq!(read("/short/f").await, "inside");
    assert_eq!(read("/a/b/again").await, "inside");
    assert!(disk.metadata(&p("/short")).await.unwrap().is_dir());
    assert!(disk.metadata(&p("/loop")).await.is_err());
    let entries: Vec<_> = disk
        .list(&VPath::root())
        .await
        .unwrap()
        .try_concat()
        .await
        .unwrap();
    let short = entries.iter().find(|e| e.name == b"short").unwrap();
    assert_eq!(short.metadata.kind, FileKind::Symlink);
    assert_eq!(short.metadata.target.as_deref(), Some(&b"a/b"[..]));
}

#[tokio::test]
async fn a_link_that_changes_under_our_hands_never_leads_out() {
    let (dir, disk) = place();
    let root = dir.path().join("root");
    std::fs::create_dir(root.join("real")).unwrap();
    std::fs::write(root.join("real/secret"), b"inside").unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let swapper = {
        let (stop, root) = (Arc::clone(&stop), root.clone());
        std::thread::spawn(move || {
            let mut good = false;
            while !stop.load(Ordering::Relaxed) {
                good = !good;
                let _ = std::fs::remove_file(root.join("tmp"));
                symlink(if good { "real" } else { "../outside" }, root.join("tmp")).unwrap();
                std::fs::rename(root.join("tmp"), root.join("way")).unwrap();
            }
        })
    };
    let mut opened = 0;
    for _ in 0..2000 {
        if let Ok(mut reader) = disk.open_read(&p("/way/secret"), 0).await {
            assert_eq!(reader.read_chunk(99).await.unwrap(), "inside");
            opened += 1;
        }
        if let Ok(mut writer) = disk.open_write(&p("/way/made"), WriteMode::Truncate).await {
            writer.write_chunk(Bytes::from_static(b"x")).await.unwrap();
        }
    }
    stop.store(true, Ordering::Relaxed);
    swapper.join().unwrap();
    assert!(!dir.path().join("outside/made").exists());
    assert!(opened > 0, "the good way was there half of the time");
}

#[tokio::test]
async fn pipes_and_sockets_are_seen_and_never_opened() {
    let (dir, disk) = place();
    let root = dir.path().join("root");
    let status = std::process::Command::new("mkfifo")
        .arg(root.join("pipe"))
        .status()
        .unwrap();
    assert!(status.success());
    let _socket = std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();
    symlink("pipe", root.join("link")).unwrap();
    // Somebody waits at the other end: opening the pipe to write, if only to look at it, would wake them with its end.
    let pipe = root.join("pipe");
    let reader = std::thread::spawn(move || std::fs::read(pipe).unwrap());
    for tree in [
        Arc::new(disk.clone()) as Arc<dyn Vfs>,
        disk.without_links().unwrap(),
    ] {
        for path in ["/pipe", "/socket", "/link"] {
            let path = &p(path);
            for result in [
                tree.open_read(path, 0).await.map(drop),
                tree.open_write(path, WriteMode::Truncate).await.map(drop),
                tree.open_write(path, WriteMode::Append).await.map(drop),
                tree.open_write(path, WriteMode::At(0)).await.map(drop),
                tree.set_modified(path, Timestamp::UNIX_EPOCH).await,
                tree.list(path).await.map(drop),
            ] {
                assert!(result.is_err(), "{path}");
            }
            assert!(tree.open_write(path, WriteMode::CreateNew).await.is_err());
        }
        let facts = tree.metadata(&p("/pipe")).await.unwrap();
        assert_eq!(facts.kind, FileKind::Other);
    }
    assert!(!reader.is_finished());
    std::fs::write(root.join("pipe"), "the end").unwrap();
    assert_eq!(reader.join().unwrap(), b"the end");
    disk.rename(&p("/pipe"), &p("/other")).await.unwrap();
    disk.unlink(&p("/other")).await.unwrap();
}

#[tokio::test]
async fn times_of_what_may_not_be_read_and_of_what_links_lead_to() {
    let (dir, disk) = place();
    let root = dir.path().join("root");
    std::fs::write(root.join("f"), "x").unwrap();
    std::fs::create_dir(root.join("d")).unwrap();
    symlink("../f", root.join("d/link")).unwrap();
    disk.set_permissions(&p("/f"), 0o200).await.unwrap();
    let early = Timestamp::new(-5, 0).unwrap();
    for (path, time) in [
        ("/f", Timestamp::from_second(1_000_000_000).unwrap()),
        ("/d/link", early),
        ("/d", early - jiff::SignedDuration::from_nanos(1)),
    ] {
        disk.set_modified(&p(path), time).await.unwrap();
        let facts = disk.metadata(&p(path)).await.unwrap();
        assert_eq!(facts.modified, Some(time), "{path}");
    }
    assert_eq!(disk.metadata(&p("/f")).await.unwrap().modified, Some(early));
    let link = std::fs::symlink_metadata(root.join("d/link")).unwrap();
    assert!(link.modified().unwrap() > std::time::UNIX_EPOCH);
}

#[tokio::test]
async fn the_file_is_there_for_fast_copies() {
    let (_dir, disk) = place();
    let mut writer = disk
        .open_write(&p("/f"), WriteMode::Truncate)
        .await
        .unwrap();
    writer
        .write_chunk(Bytes::from_static(b"abcdef"))
        .await
        .unwrap();
    assert!(writer.as_file().is_some());
    let reader = disk.open_read(&p("/f"), 2).await.unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut reader.as_file().unwrap(), &mut text).unwrap();
    assert_eq!(text, "cdef");
    assert!(disk.available(&VPath::root()).await.unwrap().is_some());
}
