#![allow(clippy::unwrap_used)]
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use futures_util::TryStreamExt;

use super::*;

fn p(text: &str) -> VPath {
    VPath::new(text).unwrap()
}

#[tokio::test]
async fn conforms() {
    crate::conformance::run(Arc::new(MemoryTree::new(64 << 20))).await;
}

#[tokio::test]
async fn the_bound_holds_and_is_given_back() {
    let tree = MemoryTree::new(10_000);
    let mut writer = tree
        .open_write(&p("/a"), WriteMode::Truncate)
        .await
        .unwrap();
    writer
        .write_chunk(Bytes::from(vec![1; 9000]))
        .await
        .unwrap();
    let error = writer
        .write_chunk(Bytes::from(vec![1; 900]))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), VfsErrorKind::Full);
    assert_eq!(
        tree.metadata(&p("/a")).await.unwrap().len,
        9000,
        "a refused write changes nothing"
    );
    tree.unlink(&p("/a")).await.unwrap();
    assert!(tree.used() > 9000, "an open file still counts");
    drop(writer);
    assert_eq!(tree.used(), 0);
    // Empty directories cost, too.
    let mut made = 0;
    while tree.mkdir(&p(&format!("/d{made}"))).await.is_ok() {
        made += 1;
        assert!(made < 100);
    }
    for i in 0..made {
        tree.rmdir(&p(&format!("/d{i}"))).await.unwrap();
    }
    assert_eq!(tree.used(), 0);
}

#[tokio::test]
async fn time_comes_from_the_clock() {
    let seconds = Arc::new(AtomicI64::new(100));
    let source = Arc::clone(&seconds);
    let clock: Clock =
        Arc::new(move || Timestamp::from_second(source.load(Ordering::SeqCst)).unwrap());
    let tree = MemoryTree::with_clock(1 << 20, clock);
    tree.write_file(&p("/a"), b"x").await.unwrap();
    seconds.store(200, Ordering::SeqCst);
    tree.write_file(&p("/b"), b"y").await.unwrap();
    let time = async |path: &str| {
        tree.metadata(&p(path))
            .await
            .unwrap()
            .modified
            .unwrap()
            .as_second()
    };
    assert_eq!(
        (time("/a").await, time("/b").await, time("/").await),
        (100, 200, 200)
    );
}

#[tokio::test]
async fn very_deep_trees_are_dropped_without_recursion() {
    let tree = MemoryTree::new(1 << 30);
    let deep = p(&"/d".repeat(1500));
    tree.mkdir_all(&deep).await.unwrap();
    // Each round hangs the whole tree so far below 1,500 new directories.
    for _ in 0..20 {
        tree.rename(&p("/d"), &p("/old")).await.unwrap();
        tree.mkdir_all(&deep).await.unwrap();
        tree.rename(&p("/old"), &deep.join("x").unwrap())
            .await
            .unwrap();
    }
    assert!(tree.used() > 20 * 1500 * 256);
    drop(tree);
}

#[tokio::test]
async fn listing_goes_on_after_changes() {
    let tree = MemoryTree::new(1 << 24);
    for i in 0..1200 {
        tree.write_file(&p(&format!("/d/{i:04}")), b"")
            .await
            .unwrap();
    }
    let mut listing = tree.list(&p("/d")).await.unwrap();
    let first = listing.try_next().await.unwrap().unwrap();
    assert_eq!(first.len(), LIST_BATCH);
    tree.unlink(&p("/d/0600")).await.unwrap();
    let rest: Vec<_> = listing.try_concat().await.unwrap();
    assert_eq!(first.len() + rest.len(), 1199);
}
