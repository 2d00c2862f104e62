//! Our own server as the peer: any store, any protection, one user.

use std::sync::Arc;

use ftp_client::{Config, Login, Roots, Timeouts, TlsMode, Trust};
use ftp_server::{
    DataSession, Limits, RunningServer, Secret, Server, ServerBuilder, ServerTls, User,
    vfs::{CHUNK, LocalDisk, MemoryTree, VPath, Vfs, WriteMode},
};
use std::{net::SocketAddr, path::PathBuf, time::Duration};
use support::{Authority, Certificate, Tls};
use tempfile::TempDir;

/// The user who may log in.
pub const USER: &str = "tester";
/// That user's password.
pub const PASSWORD: &str = "s3cret pass";

/// Where the files are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// In memory.
    Memory,
    /// In a temporary folder.
    Disk,
}

/// A running server of ours, which demands TLS where it has TLS, and of every data connection that it resumes the session
/// of its control connection.
pub struct OwnServer {
    running: RunningServer,
    tls: Tls,
    vfs: Arc<dyn Vfs>,
    authority: Authority,
    certificate: Certificate,
    dir: TempDir,
}

impl OwnServer {
    /// An empty one.
    pub async fn start(store: Store, tls: Tls) -> Self {
        Self::with(store, tls, |builder| builder).await
    }

    /// One with other options.
    pub async fn with(
        store: Store,
        tls: Tls,
        options: impl FnOnce(ServerBuilder) -> ServerBuilder,
    ) -> Self {
        Self::at("127.0.0.1:0", store, tls, options).await
    }

    /// One that listens somewhere else.
    pub async fn at(
        place: &str,
        store: Store,
        tls: Tls,
        options: impl FnOnce(ServerBuilder) -> ServerBuilder,
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        std::fs::create_dir(&root).unwrap();
        let vfs: Arc<dyn Vfs> = match store {
            Store::Memory => Arc::new(MemoryTree::new(512 << 20)),
            Store::Disk => Arc::new(LocalDisk::new(&root).unwrap()),
        };
        let authority = Authority::new();
        let certificate = authority.issue_local();
        let files = certificate.write(dir.path());
        std::fs::write(dir.path().join("authority.pem"), authority.pem()).unwrap();
        let mut limits = Limits::default();
        limits.wrong_password_delay = Duration::from_millis(20);
        let mut builder = Server::builder()
            .vfs(vfs.clone())
            .limits(limits)
            .user(User::new(USER).password(Secret::try_from(PASSWORD).unwrap()));
        if tls != Tls::Off {
            builder = builder
                .tls(ServerTls::from_pem_files(&files.cert, &files.key).unwrap())
                .implicit_tls(tls == Tls::Implicit)
                .require_tls(true)
                .data_session(DataSession::Same);
        }
        Self {
            running: options(builder).bind(place).await.unwrap(),
            tls,
            vfs,
            authority,
            certificate,
            dir,
        }
    }

    /// Every store with every protection.
    pub async fn each() -> Vec<(Self, String)> {
        let mut all = Vec::new();
        for store in [Store::Memory, Store::Disk] {
            for tls in [Tls::Off, Tls::Explicit, Tls::Implicit] {
                all.push((Self::start(store, tls).await, format!("{store:?} {tls:?}")));
            }
        }
        all
    }

    /// How to reach it as its user, trusting its authority and nothing else.
    pub fn config(&self) -> Config {
        let mut config = Config::new(self.addr().ip().to_string())
            .with_port(self.addr().port())
            .with_tls(match self.tls {
                Tls::Off => TlsMode::Off,
                Tls::Explicit => TlsMode::Explicit,
                Tls::Implicit => TlsMode::Implicit,
            })
            .with_login(Login::new(USER, PASSWORD).unwrap());
        config.allow_plaintext = self.tls == Tls::Off;
        config.timeouts = Timeouts::all(Duration::from_secs(20));
        config.trust = Trust {
            roots: Roots::from_pem_file(&self.authority_file()).unwrap(),
            ..Trust::default()
        };
        config
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.running.local_addr()
    }

    /// How it protects its connections.
    pub fn tls(&self) -> Tls {
        self.tls
    }

    /// The certificate that it shows.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Who signed it.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The authority's certificate in a file.
    pub fn authority_file(&self) -> PathBuf {
        self.dir.path().join("authority.pem")
    }

    /// The folder of [`Store::Disk`].
    pub fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    /// The files behind it.
    pub fn vfs(&self) -> &dyn Vfs {
        &*self.vfs
    }

    /// Puts a file there; parents are made.
    pub async fn put(&self, path: &str, content: &[u8]) {
        let path = VPath::new(path).unwrap();
        let mut parents: Vec<VPath> = std::iter::successors(path.parent(), VPath::parent).collect();
        parents.reverse();
        for parent in parents {
            if self.vfs.metadata(&parent).await.is_err() {
                self.vfs.mkdir(&parent).await.unwrap();
            }
        }
        let mut file = self
            .vfs
            .open_write(&path, WriteMode::Truncate)
            .await
            .unwrap();
        if !content.is_empty() {
            file.write_chunk(content.to_vec().into()).await.unwrap();
        }
        file.finish().await.unwrap();
    }

    /// What is in a file.
    pub async fn read(&self, path: &str) -> Vec<u8> {
        let path = VPath::new(path).unwrap();
        let mut file = self.vfs.open_read(&path, 0).await.unwrap();
        let mut content = Vec::new();
        loop {
            let chunk = file.read_chunk(CHUNK).await.unwrap();
            if chunk.is_empty() {
                return content;
            }
            content.extend_from_slice(&chunk);
        }
    }

    /// Whether there is such a file or folder.
    pub async fn has(&self, path: &str) -> bool {
        self.vfs.metadata(&VPath::new(path).unwrap()).await.is_ok()
    }

    /// Says goodbye to every session and stops.
    pub async fn stop(self) {
        self.running.stop().await;
    }

    /// What happens on it from now on.
    pub fn events(&self) -> tokio::sync::broadcast::Receiver<ftp_server::ServerEvent> {
        self.running.events()
    }
}
