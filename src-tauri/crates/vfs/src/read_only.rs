//! A tree that nobody can change.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::{
    Access, Listing, Metadata, Result, VPath, Vfs, VfsError, VfsErrorKind, VfsRead, VfsWrite,
    WriteMode,
};

/// Passes reading on and answers every change with [`VfsErrorKind::Denied`], before the inner tree is asked.
#[derive(Clone, Debug)]
pub struct ReadOnly<V>(pub V);

fn refused<T>() -> Result<T> {
    Err(VfsError::new(VfsErrorKind::Denied, "read-only"))
}

#[async_trait]
impl<V: Vfs> Vfs for ReadOnly<V> {
    async fn metadata(&self, path: &VPath) -> Result<Metadata> {
        self.0.metadata(path).await
    }
    async fn symlink_metadata(&self, path: &VPath) -> Result<Metadata> {
        self.0.symlink_metadata(path).await
    }
    async fn list(&self, path: &VPath) -> Result<Listing> {
        self.0.list(path).await
    }
    async fn open_read(&self, path: &VPath, offset: u64) -> Result<Box<dyn VfsRead>> {
        self.0.open_read(path, offset).await
    }
    async fn open_write(&self, _: &VPath, _: WriteMode) -> Result<Box<dyn VfsWrite>> {
        refused()
    }
    async fn mkdir(&self, _: &VPath) -> Result<()> {
        refused()
    }
    async fn rmdir(&self, _: &VPath) -> Result<()> {
        refused()
    }
    async fn unlink(&self, _: &VPath) -> Result<()> {
        refused()
    }
    async fn rename(&self, _: &VPath, _: &VPath) -> Result<()> {
        refused()
    }
    async fn set_modified(&self, _: &VPath, _: Timestamp) -> Result<()> {
        refused()
    }
    async fn set_permissions(&self, _: &VPath, _: u32) -> Result<()> {
        refused()
    }
    fn is_read_only(&self) -> bool {
        true
    }
    fn may(&self, path: &VPath) -> Access {
        Access {
            write: false,
            ..self.0.may(path)
        }
    }
    fn may_below(&self, path: &VPath) -> Option<Access> {
        let write = false;
        Some(Access {
            write,
            ..self.0.may_below(path)?
        })
    }
    fn without_links(&self) -> Option<Arc<dyn Vfs>> {
        Some(Arc::new(ReadOnly(self.0.without_links()?)))
    }
    async fn available(&self, path: &VPath) -> Result<Option<u64>> {
        self.0.available(path).await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::MemoryTree;

    #[tokio::test]
    async fn reads_and_refuses_changes() {
        let tree = MemoryTree::new(1 << 20);
        let path = VPath::new("/a").unwrap();
        tree.write_file(&path, b"hello").await.unwrap();
        let ro = ReadOnly(tree);
        assert_eq!(
            ro.open_read(&path, 1)
                .await
                .unwrap()
                .read_chunk(9)
                .await
                .unwrap(),
            "ello"
        );
        let kinds = [
            ro.open_write(&path, WriteMode::Append).await.err(),
            ro.mkdir(&VPath::new("/d").unwrap()).await.err(),
            ro.rmdir(&path).await.err(),
            ro.unlink(&path).await.err(),
            ro.rename(&path, &VPath::new("/b").unwrap()).await.err(),
            ro.set_modified(&path, Timestamp::UNIX_EPOCH).await.err(),
            ro.set_permissions(&path, 0o600).await.err(),
        ];
        for error in kinds {
            assert_eq!(error.unwrap().kind(), VfsErrorKind::Denied);
        }
    }
}
