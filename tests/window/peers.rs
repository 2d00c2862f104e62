//! The servers that the window connects to: ours, and vsftpd.

use std::{fs, net::Ipv4Addr, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use ftp_server::{
    RunningServer, Server, ServerTls, User,
    vfs::{Listing, LocalDisk, Metadata, Result, VPath, Vfs, VfsRead, VfsWrite, WriteMode},
};
use support::{Kind, Options, RealServer};
use tempfile::TempDir;

pub(crate) const USER: &str = "ann";
pub(crate) const PASSWORD: &str = "correct \"horse\" %41 b\u{e4}ttery";
/// A file of this name comes slowly.
pub(crate) const SLOW: &str = "slow.bin";
/// Bytes a second, where a server is slow.
const RATE: usize = 2 << 20;

/// A server on this computer with a folder of files.
pub(crate) struct Peer {
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) password: String,
    /// As `sha256:` and hexadecimal digits; empty without TLS.
    pub(crate) fingerprint: String,
    server: Running,
}

enum Running {
    Ours {
        _server: RunningServer,
        files: TempDir,
    },
    Real(Box<RealServer>),
}

impl Peer {
    /// Ours, with TLS.
    pub(crate) async fn ours() -> Self {
        Self::start(true, 0).await
    }

    /// Ours, at a port; without TLS if so wished.
    pub(crate) async fn start(encrypted: bool, port: u16) -> Self {
        let files = tempfile::Builder::new()
            .prefix("slipway-site-")
            .tempdir()
            .unwrap();
        let mut server = Server::builder()
            .vfs(Arc::new(SlowDisk(LocalDisk::new(files.path()).unwrap())))
            .user(User::new(USER).password(PASSWORD.try_into().unwrap()));
        let mut fingerprint = String::new();
        if encrypted {
            let tls = ServerTls::self_signed(&["ftp.example.net", "localhost"]).unwrap();
            fingerprint = tls.fingerprint().to_string();
            server = server.tls(tls).require_tls(true);
        }
        let server = server.bind((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        Self {
            port: server.local_addr().port(),
            user: USER.into(),
            password: PASSWORD.into(),
            fingerprint,
            server: Running::Ours {
                _server: server,
                files,
            },
        }
    }

    /// vsftpd, which demands TLS and that data connections resume its session. `None` where it can't be had.
    pub(crate) fn vsftpd() -> Option<Self> {
        let mut options = Options::explicit();
        options.extra.push(format!("local_max_rate={RATE}"));
        let server = RealServer::start(Kind::Vsftpd, options)?;
        Some(Self {
            port: server.port(),
            user: server.user().into(),
            password: server.password().into(),
            fingerprint: format!("sha256:{}", server.certificate().unwrap().sha256_hex()),
            server: Running::Real(Box::new(server)),
        })
    }

    /// What a person types.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The folder on disk that the user sees as `/`.
    pub(crate) fn root(&self) -> PathBuf {
        match &self.server {
            Running::Ours { files, .. } => files.path().to_owned(),
            Running::Real(server) => server.root(),
        }
    }

    pub(crate) fn put(&self, path: &str, content: &[u8]) {
        match &self.server {
            Running::Real(server) => server.put(path, content),
            Running::Ours { files, .. } => {
                let path = files.path().join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, content).unwrap();
            }
        }
    }

    pub(crate) fn read(&self, path: &str) -> Option<Vec<u8>> {
        fs::read(self.root().join(path)).ok()
    }

    /// Stops a server of ours.
    pub(crate) async fn stop(self) {
        if let Running::Ours {
            _server: server, ..
        } = self.server
        {
            server.stop().await;
        }
    }
}

/// Bytes that differ at every place that matters to a block boundary.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..len).map(next).collect()
}

/// The disk, with one file that comes slowly.
struct SlowDisk(LocalDisk);

struct SlowRead(Box<dyn VfsRead>);

#[async_trait]
impl VfsRead for SlowRead {
    async fn read_chunk(&mut self, max: usize) -> Result<Bytes> {
        // This is what the test needs, not what it waits for.
        tokio::time::sleep(Duration::from_millis(25)).await;
        self.0.read_chunk(max.min(RATE / 40)).await
    }

    fn remaining(&self) -> u64 {
        self.0.remaining()
    }
}

#[async_trait]
impl Vfs for SlowDisk {
    async fn open_read(&self, path: &VPath, offset: u64) -> Result<Box<dyn VfsRead>> {
        let file = self.0.open_read(path, offset).await?;
        if path.to_string().ends_with(SLOW) {
            return Ok(Box::new(SlowRead(file)));
        }
        Ok(file)
    }
    async fn metadata(&self, path: &VPath) -> Result<Metadata> {
        self.0.metadata(path).await
    }
    async fn symlink_metadata(&self, path: &VPath) -> Result<Metadata> {
        self.0.symlink_metadata(path).await
    }
    async fn list(&self, path: &VPath) -> Result<Listing> {
        self.0.list(path).await
    }
    async fn open_write(&self, path: &VPath, mode: WriteMode) -> Result<Box<dyn VfsWrite>> {
        self.0.open_write(path, mode).await
    }
    async fn mkdir(&self, path: &VPath) -> Result<()> {
        self.0.mkdir(path).await
    }
    async fn rmdir(&self, path: &VPath) -> Result<()> {
        self.0.rmdir(path).await
    }
    async fn unlink(&self, path: &VPath) -> Result<()> {
        self.0.unlink(path).await
    }
    async fn rename(&self, from: &VPath, to: &VPath) -> Result<()> {
        self.0.rename(from, to).await
    }
    async fn set_modified(&self, path: &VPath, modified: jiff::Timestamp) -> Result<()> {
        self.0.set_modified(path, modified).await
    }
    async fn set_permissions(&self, path: &VPath, mode: u32) -> Result<()> {
        self.0.set_permissions(path, mode).await
    }
}
