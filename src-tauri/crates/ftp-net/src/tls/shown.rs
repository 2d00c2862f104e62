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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;

    use super::*;

    /// A certificate and its key, as PEM.
    fn made(name: &str) -> (String, String) {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    #[test]
    fn other_files_are_another_certificate() {
        let dir = tempfile::tempdir().unwrap();
        let (certificate, key) = (dir.path().join("cert"), dir.path().join("key"));
        let (first, second) = (made("first.example"), made("second.example"));
        fs::write(&certificate, &first.0).unwrap();
        fs::write(&key, &first.1).unwrap();
        let shown = Shown::of_files(&certificate, &key).unwrap();
        assert_eq!(shown.info().names, ["first.example"]);
        assert!(!shown.look().unwrap(), "nothing has changed");
        // By renaming, so that no step of this can be missed for its speed. One of two files is there: the old pair is shown.
        let replace = |path: &Path, text: &str| {
            let beside = path.with_extension("new");
            fs::write(&beside, text).unwrap();
            fs::rename(beside, path).unwrap();
        };
        replace(&certificate, &second.0);
        assert!(shown.look().is_err());
        assert_eq!(shown.info().names, ["first.example"]);
        assert!(
            !shown.look().unwrap(),
            "not read again before it changes again"
        );
        assert!(shown.reload().is_err(), "unless somebody asks");
        replace(&key, &second.1);
        assert!(shown.look().unwrap());
        assert_eq!(shown.info().names, ["second.example"]);
        assert!(!shown.reload().unwrap(), "the same");
        fs::remove_file(&key).unwrap();
        assert!(shown.look().is_err());
        assert_eq!(shown.info().names, ["second.example"]);
    }

    #[test]
    fn they_are_looked_at_once_a_second() {
        let dir = tempfile::tempdir().unwrap();
        let (certificate, key) = (dir.path().join("cert"), dir.path().join("key"));
        let made = made("a.example");
        fs::write(&certificate, &made.0).unwrap();
        fs::write(&key, &made.1).unwrap();
        let shown = Shown::of_files(&certificate, &key).unwrap();
        let now = Instant::now() + LOOK;
        assert!(shown.is_due(now));
        assert!(!shown.is_due(now));
        assert!(!shown.is_due(now + LOOK / 2));
        assert!(shown.is_due(now + LOOK));
    }

    #[test]
    fn files_that_are_no_certificate_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (certificate, key) = (dir.path().join("cert"), dir.path().join("key"));
        let (one, other) = (made("a.example"), made("a.example"));
        for (chain, private) in [("", &*one.1), (&one.0, ""), (&one.0, &other.1), ("x", "y")] {
            fs::write(&certificate, chain).unwrap();
            fs::write(&key, private).unwrap();
            let refused = Shown::of_files(&certificate, &key);
            assert!(matches!(refused, Err(NetError::BadCertificate(_))));
        }
    }
}
