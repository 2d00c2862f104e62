//! What every backend must do, as one function that its tests run.
//!
//! It comes with the feature `conformance`, which is for tests alone:
//!
//! ```toml
//! [dev-dependencies]
//! vfs = { …, features = ["conformance"] }
//! ```
//!
//! A test of a backend gives it an empty tree, and has it empty again afterwards:
//!
//! ```
//! # use std::sync::Arc;
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! let tree = vfs::MemoryTree::new(64 << 20);
//! vfs::conformance::run(Arc::new(tree)).await;
//! # }
//! ```
//!
//! What it asks for: bytes come back, from every offset; the kinds of all errors; that nothing of a file is lost before the first byte of its
//! successor; that an open reader keeps a file whose name goes; renames in one step, over files and empty directories; times and permission bits; names of any bytes
//! (on Linux; elsewhere, text) up to 255; listings in batches. A tree needs room for some 8 MB and 1,100 names. Wrappers pass it, too: a directory of a
//! tree ([`Subtree`](crate::Subtree)), and permissions that allow everything ([`Guarded`](crate::Guarded)).
//!
//! A backend that follows symbolic links runs it a second time on what [`Vfs::without_links`] gives.

mod facts;

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt;

use crate::{FileKind, LIST_BATCH, Result, VPath, Vfs, VfsErrorKind as Kind, WriteMode};

/// Runs the whole suite on an empty, writable tree, and leaves it empty.
///
/// # Panics
/// At the first thing that isn't as the trait says.
pub async fn run(vfs: Arc<dyn Vfs>) {
    let suite = Suite { vfs };
    suite.reads_and_writes().await;
    suite.offsets().await;
    suite.large_files().await;
    suite.directories().await;
    suite.removal().await;
    suite.renames().await;
    suite.attributes().await;
    suite.names().await;
    suite.long_listing().await;
    assert_eq!(
        suite.names_in("/").await,
        BTreeSet::new(),
        "the suite leaves the tree empty"
    );
}

struct Suite {
    vfs: Arc<dyn Vfs>,
}

fn p(path: impl AsRef<[u8]>) -> VPath {
    VPath::new(path).expect("a path of the suite")
}

#[track_caller]
fn fails<T>(result: Result<T>, kind: Kind) {
    match result {
        Ok(_) => panic!("should fail with {kind:?}"),
        Err(error) => assert_eq!(error.kind(), kind, "{error:?}"),
    }
}

impl Suite {
    async fn write(&self, path: &str, mode: WriteMode, content: &[u8]) {
        let mut writer = self
            .vfs
            .open_write(&p(path), mode)
            .await
            .expect("open for writing");
        writer
            .write_chunk(Bytes::copy_from_slice(content))
            .await
            .expect("write");
        writer.finish().await.expect("finish");
    }

    async fn read(&self, path: &str, offset: u64, max: usize) -> Vec<u8> {
        let mut reader = self
            .vfs
            .open_read(&p(path), offset)
            .await
            .expect("open for reading");
        let remaining = reader.remaining();
        let mut out = Vec::new();
        loop {
            let chunk = reader.read_chunk(max).await.expect("read");
            assert!(chunk.len() <= max, "a chunk is at most what was asked for");
            if chunk.is_empty() {
                break;
            }
            out.extend_from_slice(&chunk);
        }
        assert_eq!(out.len() as u64, remaining, "remaining() is what comes");
        out
    }

    async fn names_in(&self, path: &str) -> BTreeSet<Vec<u8>> {
        let entries: Vec<_> = self
            .vfs
            .list(&p(path))
            .await
            .expect("list")
            .inspect_ok(|batch| assert!(!batch.is_empty() && batch.len() <= LIST_BATCH))
            .try_concat()
            .await
            .expect("listing");
        let names: BTreeSet<_> = entries.iter().map(|e| e.name.clone()).collect();
        assert_eq!(names.len(), entries.len(), "no name twice");
        names
    }

    async fn unlink(&self, path: &str) {
        self.vfs.unlink(&p(path)).await.expect("unlink");
    }

    async fn mkdir(&self, path: &str) {
        self.vfs.mkdir(&p(path)).await.expect("mkdir");
    }

    async fn rmdir(&self, path: &str) {
        self.vfs.rmdir(&p(path)).await.expect("rmdir");
    }

    async fn reads_and_writes(&self) {
        fails(self.vfs.metadata(&p("/f")).await, Kind::NotFound);
        fails(
            self.vfs.open_read(&p("/f"), 0).await.map(drop),
            Kind::NotFound,
        );
        self.write("/f", WriteMode::Truncate, b"hello").await;
        assert_eq!(self.read("/f", 0, 2).await, b"hello");
        self.write("/f", WriteMode::Truncate, b"bye").await;
        assert_eq!(self.read("/f", 0, 100).await, b"bye");
        drop(
            self.vfs
                .open_write(&p("/f"), WriteMode::Truncate)
                .await
                .expect("open"),
        );
        assert_eq!(
            self.read("/f", 0, 100).await,
            b"bye",
            "nothing was written: nothing is lost"
        );
        self.write("/f", WriteMode::Append, b"!").await;
        assert_eq!(self.read("/f", 0, 100).await, b"bye!");
        self.write("/g", WriteMode::Append, b"new").await;
        assert_eq!(self.read("/g", 0, 100).await, b"new");
        fails(
            self.vfs
                .open_write(&p("/g"), WriteMode::CreateNew)
                .await
                .map(drop),
            Kind::Exists,
        );
        self.unlink("/g").await;
        self.write("/g", WriteMode::CreateNew, b"").await;
        assert_eq!(self.read("/g", 0, 100).await, b"");
        let facts = self.vfs.metadata(&p("/f")).await.expect("metadata");
        assert_eq!((facts.kind, facts.len), (FileKind::File, 4));
        self.unlink("/f").await;
        self.unlink("/g").await;
        fails(
            self.vfs
                .open_write(&p("/no/f"), WriteMode::Truncate)
                .await
                .map(drop),
            Kind::NotFound,
        );
        fails(
            self.vfs
                .open_write(&p("/"), WriteMode::Truncate)
                .await
                .map(drop),
            Kind::IsDir,
        );
        fails(self.vfs.open_read(&p("/"), 0).await.map(drop), Kind::IsDir);
    }

    async fn offsets(&self) {
        self.write("/f", WriteMode::Truncate, b"0123456789").await;
        assert_eq!(self.read("/f", 4, 3).await, b"456789");
        assert_eq!(self.read("/f", 10, 3).await, b"");
        fails(
            self.vfs.open_read(&p("/f"), 11).await.map(drop),
            Kind::Range,
        );
        self.write("/f", WriteMode::At(3), b"xy").await;
        assert_eq!(
            self.read("/f", 0, 100).await,
            b"012xy56789",
            "what lies behind stays"
        );
        self.write("/f", WriteMode::At(10), b"+").await;
        assert_eq!(self.read("/f", 0, 100).await, b"012xy56789+");
        fails(
            self.vfs
                .open_write(&p("/f"), WriteMode::At(12))
                .await
                .map(drop),
            Kind::Range,
        );
        fails(
            self.vfs
                .open_write(&p("/none"), WriteMode::At(1))
                .await
                .map(drop),
            Kind::NotFound,
        );
        self.unlink("/f").await;
        self.write("/f", WriteMode::At(0), b"made").await;
        self.write("/f", WriteMode::Truncate, b"").await;
        assert_eq!(
            self.read("/f", 0, 100).await,
            b"",
            "an empty file replaces, too"
        );
        self.write("/f", WriteMode::At(0), b"made").await;
        assert_eq!(self.read("/f", 0, 100).await, b"made");
        self.unlink("/f").await;
    }

    async fn large_files(&self) {
        let block: Vec<u8> = (0..700_001u32).map(|i| (i % 251) as u8).collect();
        let mut writer = self
            .vfs
            .open_write(&p("/big"), WriteMode::Truncate)
            .await
            .expect("open");
        for _ in 0..3 {
            writer
                .write_chunk(Bytes::from(block.clone()))
                .await
                .expect("write");
        }
        writer.finish().await.expect("finish");
        let want = block.repeat(3);
        assert!(
            self.read("/big", 0, crate::CHUNK).await == want,
            "the bytes come back"
        );
        assert!(
            self.read("/big", 262_143, 99_999).await == want[262_143..],
            "also from an offset"
        );
        // An open reader keeps the file while its name goes.
        let mut reader = self
            .vfs
            .open_read(&p("/big"), 1_400_000)
            .await
            .expect("open");
        self.unlink("/big").await;
        assert!(
            !reader
                .read_chunk(1000)
                .await
                .expect("read of a deleted file")
                .is_empty()
        );
    }

    async fn directories(&self) {
        let root = self
            .vfs
            .metadata(&VPath::root())
            .await
            .expect("the root is there");
        assert!(root.is_dir());
        fails(self.vfs.mkdir(&VPath::root()).await, Kind::Exists);
        self.mkdir("/d").await;
        fails(self.vfs.mkdir(&p("/d")).await, Kind::Exists);
        fails(self.vfs.mkdir(&p("/x/y")).await, Kind::NotFound);
        self.mkdir("/d/e").await;
        self.write("/d/f", WriteMode::Truncate, b"").await;
        assert_eq!(
            self.names_in("/d").await,
            BTreeSet::from([b"e".to_vec(), b"f".to_vec()])
        );
        fails(self.vfs.list(&p("/d/f")).await.map(drop), Kind::NotDir);
        fails(self.vfs.list(&p("/none")).await.map(drop), Kind::NotFound);
        fails(self.vfs.mkdir(&p("/d/f")).await, Kind::Exists);
        fails(self.vfs.mkdir(&p("/d/f/g")).await, Kind::NotDir);
        fails(self.vfs.metadata(&p("/d/f/g")).await, Kind::NotDir);
        fails(
            self.vfs
                .open_write(&p("/d/e"), WriteMode::Truncate)
                .await
                .map(drop),
            Kind::IsDir,
        );
        fails(
            self.vfs.open_read(&p("/d/e"), 0).await.map(drop),
            Kind::IsDir,
        );
        fails(self.vfs.rmdir(&p("/d")).await, Kind::NotEmpty);
        self.unlink("/d/f").await;
        self.rmdir("/d/e").await;
        self.rmdir("/d").await;
    }

    async fn removal(&self) {
        fails(self.vfs.unlink(&p("/none")).await, Kind::NotFound);
        fails(self.vfs.rmdir(&p("/none")).await, Kind::NotFound);
        fails(self.vfs.rmdir(&VPath::root()).await, Kind::Denied);
        fails(self.vfs.unlink(&VPath::root()).await, Kind::Denied);
        self.mkdir("/d").await;
        fails(self.vfs.unlink(&p("/d")).await, Kind::IsDir);
        self.rmdir("/d").await;
        self.write("/f", WriteMode::Truncate, b"").await;
        fails(self.vfs.rmdir(&p("/f")).await, Kind::NotDir);
        self.unlink("/f").await;
    }

    async fn renames(&self) {
        let vfs = &self.vfs;
        fails(vfs.rename(&p("/none"), &p("/x")).await, Kind::NotFound);
        self.write("/a", WriteMode::Truncate, b"a").await;
        self.write("/b", WriteMode::Truncate, b"b").await;
        vfs.rename(&p("/a"), &p("/b"))
            .await
            .expect("a file replaces a file");
        assert_eq!(self.read("/b", 0, 9).await, b"a");
        vfs.rename(&p("/b"), &p("/b")).await.expect("onto itself");
        self.mkdir("/d").await;
        fails(vfs.rename(&p("/b"), &p("/d")).await, Kind::IsDir);
        fails(vfs.rename(&p("/d"), &p("/b")).await, Kind::NotDir);
        fails(vfs.rename(&p("/b"), &p("/none/b")).await, Kind::NotFound);
        vfs.rename(&p("/b"), &p("/d/b"))
            .await
            .expect("into a directory");
        fails(vfs.rename(&p("/d"), &p("/d/e")).await, Kind::NameInvalid);
        self.mkdir("/e").await;
        vfs.rename(&p("/d"), &p("/e"))
            .await
            .expect("onto an empty directory");
        self.mkdir("/d").await;
        fails(vfs.rename(&p("/d"), &p("/e")).await, Kind::NotEmpty);
        fails(vfs.rename(&VPath::root(), &p("/e")).await, Kind::Denied);
        self.rmdir("/d").await;
        self.unlink("/e/b").await;
        self.rmdir("/e").await;
    }
}
