#![allow(clippy::unwrap_used)]
use super::*;
use crate::{Guarded, MemoryTree, Permission, ReadOnly};

fn p(text: &str) -> VPath {
    VPath::new(text).unwrap()
}

#[tokio::test]
async fn conforms() {
    let tree = MemoryTree::new(64 << 20);
    tree.mkdir_all(&p("/a/b")).await.unwrap();
    tree.write_file(&p("/a/outside"), b"x").await.unwrap();
    let sub = Subtree::new(Arc::new(tree.clone()), p("/a/b"));
    crate::conformance::run(Arc::new(sub)).await;
    assert_eq!(tree.metadata(&p("/a/outside")).await.unwrap().len, 1);
}

#[tokio::test]
async fn nothing_leads_above_it() {
    let tree = MemoryTree::new(1 << 20);
    tree.write_file(&p("/a/f"), b"above").await.unwrap();
    tree.mkdir_all(&p("/a/b")).await.unwrap();
    let sub = Subtree::new(Arc::new(tree.clone()), p("/a/b"));
    assert!(sub.metadata(&p("/../f")).await.is_err());
    assert!(sub.metadata(&p("/a/f")).await.is_err());
    assert!(sub.rmdir(&VPath::root()).await.is_err());
    assert!(sub.rename(&VPath::root(), &p("/x")).await.is_err());
    let gone = Subtree::new(Arc::new(tree), p("/none"));
    let said = gone.metadata(&VPath::root()).await.unwrap_err().kind();
    assert_eq!(said, VfsErrorKind::NotFound);
}

#[tokio::test]
async fn what_the_tree_says_of_itself_shines_through() {
    let tree: Arc<dyn Vfs> = Arc::new(MemoryTree::new(1 << 20));
    let rules = [Permission::new(p("/a/b"), true, false)];
    let guarded = Arc::new(Guarded::new(Arc::clone(&tree), rules));
    let sub = Subtree::new(guarded, p("/a"));
    assert!(sub.may(&p("/c")).write && !sub.may(&p("/b/c")).write);
    assert!(Subtree::new(Arc::new(ReadOnly(tree)), p("/a")).is_read_only());
}

#[cfg(unix)]
mod links {
    use super::*;
    use crate::LocalDisk;
    use std::os::unix::fs::symlink;

    #[tokio::test]
    async fn conforms_on_the_disk_and_behind_a_link() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("a/b")).unwrap();
        symlink("a/b", dir.path().join("way")).unwrap();
        let disk: Arc<dyn Vfs> = Arc::new(LocalDisk::new(dir.path()).unwrap());
        for base in ["/a/b", "/way"] {
            let sub: Arc<dyn Vfs> = Arc::new(Subtree::new(Arc::clone(&disk), p(base)));
            crate::conformance::run(Arc::clone(&sub)).await;
            // Two wrappers, one around the other.
            let rules = [Permission::new(p("/elsewhere"), false, false)];
            crate::conformance::run(Arc::new(Guarded::new(sub, rules))).await;
        }
    }

    #[tokio::test]
    async fn links_stay_below() {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        std::fs::create_dir_all(at("a/sub/deep")).unwrap();
        std::fs::write(at("a/secret"), "secret").unwrap();
        std::fs::write(at("a/sub/deep/f"), "deep").unwrap();
        symlink("deep/f", at("a/sub/good")).unwrap();
        symlink("../secret", at("a/sub/bad")).unwrap();
        symlink("..", at("a/sub/up")).unwrap();
        symlink("deep/../../secret", at("a/sub/around")).unwrap();
        // Of the same tree, and all the same a way out of this one and in again.
        symlink("../sub/deep", at("a/sub/out-and-in")).unwrap();
        let disk: Arc<dyn Vfs> = Arc::new(LocalDisk::new(dir.path()).unwrap());
        let sub = Subtree::new(disk, p("/a/sub"));
        assert_eq!(sub.metadata(&p("/good")).await.unwrap().len, 4);
        for path in ["/bad", "/up", "/up/secret", "/around", "/out-and-in/f"] {
            let said = [
                sub.metadata(&p(path)).await.map(drop),
                sub.open_read(&p(path), 0).await.map(drop),
                sub.open_write(&p(path), WriteMode::Append).await.map(drop),
            ];
            for said in said {
                assert_eq!(said.unwrap_err().kind(), VfsErrorKind::Denied, "{path}");
            }
        }
        assert!(sub.mkdir(&p("/up/made")).await.is_err());
        assert!(sub.rename(&p("/good"), &p("/up/made")).await.is_err());
        assert!(sub.rename(&p("/up/secret"), &p("/got")).await.is_err());
        assert!(sub.unlink(&p("/up/secret")).await.is_err());
        assert!(at("a/secret").exists() && !at("a/made").exists());
    }
}
