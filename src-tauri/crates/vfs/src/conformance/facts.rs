//! The part of the suite about attributes, names and long listings.

use jiff::Timestamp;

use super::{Suite, fails, p};
use crate::{LIST_BATCH, VfsErrorKind as Kind, WriteMode};

impl Suite {
    pub(super) async fn attributes(&self) {
        let time = Timestamp::from_second(1_000_000_000).expect("a time");
        self.write("/f", WriteMode::Truncate, b"x").await;
        self.mkdir("/d").await;
        for path in ["/f", "/d"] {
            self.vfs
                .set_modified(&p(path), time)
                .await
                .expect("set_modified");
            let facts = self.vfs.metadata(&p(path)).await.expect("metadata");
            assert_eq!(facts.modified, Some(time), "{path}");
        }
        self.vfs
            .set_permissions(&p("/f"), 0o600)
            .await
            .expect("set_permissions");
        let facts = self.vfs.symlink_metadata(&p("/f")).await.expect("metadata");
        if cfg!(unix) {
            assert_eq!(facts.mode, 0o600);
        }
        self.write("/f", WriteMode::Append, b"y").await;
        let later = self.vfs.metadata(&p("/f")).await.expect("metadata");
        assert!(later.modified > Some(time), "writing is a modification");
        fails(
            self.vfs.set_modified(&p("/none"), time).await,
            Kind::NotFound,
        );
        fails(
            self.vfs.set_permissions(&p("/none"), 0o600).await,
            Kind::NotFound,
        );
        // What the root looks like is its owner's business.
        let root = crate::VPath::root();
        fails(self.vfs.set_permissions(&root, 0).await, Kind::Denied);
        fails(self.vfs.set_modified(&root, time).await, Kind::Denied);
        self.unlink("/f").await;
        self.rmdir("/d").await;
    }

    pub(super) async fn names(&self) {
        let mut names = vec![
            " a b ".as_bytes().to_vec(),
            "é \"q\" ;=".as_bytes().to_vec(),
            b"...".to_vec(),
            b"-a".to_vec(),
        ];
        if cfg!(target_os = "linux") {
            names.push(b"\xff\xfe not text".to_vec());
            names.push(b"back\\slash".to_vec());
        }
        for name in &names {
            let mut writer = self
                .vfs
                .open_write(&p(name), WriteMode::CreateNew)
                .await
                .expect("open");
            writer.finish().await.expect("finish");
        }
        assert_eq!(self.names_in("/").await, names.iter().cloned().collect());
        for name in &names {
            self.vfs.unlink(&p(name)).await.expect("unlink");
        }
        let long = "n".repeat(256);
        fails(self.vfs.mkdir(&p(&long)).await, Kind::NameInvalid);
    }

    pub(super) async fn long_listing(&self) {
        self.mkdir("/many").await;
        for i in 0..LIST_BATCH * 2 + 1 {
            self.mkdir(&format!("/many/{i}")).await;
        }
        assert_eq!(self.names_in("/many").await.len(), LIST_BATCH * 2 + 1);
        drop(
            self.vfs
                .list(&p("/many"))
                .await
                .expect("a listing may be dropped unread"),
        );
        for i in 0..LIST_BATCH * 2 + 1 {
            self.rmdir(&format!("/many/{i}")).await;
        }
        self.rmdir("/many").await;
    }
}
