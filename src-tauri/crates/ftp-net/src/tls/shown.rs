//! The certificate that a server shows, and where it comes from: it can be changed while the server runs.

use std::{
    fs::Metadata,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::{Duration, Instant, SystemTime},
};

use rustls::{
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

use super::{CertificateInfo, client::provider};
use crate::NetError;

/// How long to wait at least before the files are looked at again.
const LOOK: Duration = Duration::from_secs(1);

/// What clients are shown. Connections that are open keep what they have seen.
#[derive(Debug)]
pub(super) struct Shown {
    now: RwLock<Now>,
    files: Option<Mutex<Files>>,
}

#[derive(Debug, Clone)]
struct Now {
    key: Arc<CertifiedKey>,
    info: Arc<CertificateInfo>,
}

/// Where it comes from.
#[derive(Debug)]
struct Files {
    certificates: PathBuf,
    key: PathBuf,
    /// What the files looked like when they were read last, well or not.
    read: [Option<Stamp>; 2],
    looked: Instant,
}

/// A file that has changed has another one.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    len: u64,
    /// Where there is one: files are replaced by renaming, too.
    inode: u64,
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let meta = std::fs::metadata(path).ok()?;
        Some(Self {
            modified: meta.modified().ok(),
            len: meta.len(),
            inode: inode(&meta),
        })
    }
}

#[cfg(unix)]
fn inode(meta: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(meta)
}

#[cfg(not(unix))]
fn inode(_: &Metadata) -> u64 {
    0
}

impl Shown {
    pub(super) fn of_files(certificates: &Path, key: &Path) -> Result<Self, NetError> {
        let mut files = Files {
            certificates: certificates.to_owned(),
            key: key.to_owned(),
            read: [None, None],
            looked: Instant::now(),
        };
        let now = files.read()?;
        Ok(Self {
            now: RwLock::new(now),
            files: Some(Mutex::new(files)),
        })
    }

    pub(super) fn fixed(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, NetError> {
        Ok(Self {
            now: RwLock::new(Now::new(chain, key)?),
            files: None,
        })
    }

    pub(super) fn info(&self) -> Arc<CertificateInfo> {
        self.now().info
    }

    /// Whether it is time to look at the files again; who is told so is to do it.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        let Some(mut files) = self.files() else {
            return false;
        };
        let due = now.saturating_duration_since(files.looked) >= LOOK;
        if due {
            files.looked = now;
        }
        due
    }

    /// Takes what is in the files now, if they have changed. True where it is another certificate. After an error
    /// the old one stays, and the files are read again when they change again: somebody may be writing them.
    pub(super) fn look(&self) -> Result<bool, NetError> {
        let Some(mut files) = self.files() else {
            return Ok(false);
        };
        if files.stamps() == files.read {
            return Ok(false);
        }
        self.take(&mut files)
    }

    /// Takes what is in the files now.
    pub(super) fn reload(&self) -> Result<bool, NetError> {
        match self.files() {
            Some(mut files) => self.take(&mut files),
            None => Ok(false),
        }
    }

    fn take(&self, files: &mut Files) -> Result<bool, NetError> {
        let fresh = files.read()?;
        let differs = fresh.info.fingerprint != self.now().info.fingerprint;
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(differs)
    }

    fn files(&self) -> Option<MutexGuard<'_, Files>> {
        let files = self.files.as_ref()?;
        // Whole after every statement.
        Some(files.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn now(&self) -> Now {
        let now = self.now.read().unwrap_or_else(PoisonError::into_inner);
        now.clone()
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.now().key)
    }
}

impl Files {
    fn stamps(&self) -> [Option<Stamp>; 2] {
        [&self.certificates, &self.key].map(|path| Stamp::of(path))
    }

    fn read(&mut self) -> Result<Now, NetError> {
        // Before the reading: what changes in between is another file then.
        self.read = self.stamps();
        let bad = |path: &Path, error: rustls_pki_types::pem::Error| {
            NetError::BadCertificate(format!("{}: {error}", path.display()))
        };
        let chain = CertificateDer::pem_file_iter(&self.certificates)
            .map_err(|error| bad(&self.certificates, error))?
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| bad(&self.certificates, error))?;
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|error| bad(&self.key, error))?;
        Now::new(chain, key)
    }
}

impl Now {
    fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, NetError> {
        let first = chain
            .first()
            .ok_or_else(|| NetError::BadCertificate("no certificate in the file".to_owned()))?;
        let info = Arc::new(CertificateInfo::of(first));
        let key = CertifiedKey::from_der(chain, key, &provider())
            .map_err(|error| NetError::BadCertificate(error.to_string()))?;
        Ok(Self {
            key: Arc::new(key),
            info,
        })
    }
}
