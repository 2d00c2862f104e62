use std::{fmt, path::Path, sync::Arc};

use rustls::{
    SupportedProtocolVersion,
    client::ResolvesClientCert,
    sign::{CertifiedKey, SingleCertAndKey},
    version::{TLS12, TLS13},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

use super::{CertificateInfo, Versions, client::provider};
use crate::NetError;

/// A version of TLS. Older ones than these are broken (RFC 8996) and not spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246).
    V12,
    /// TLS 1.3 (RFC 8446).
    V13,
}

impl TlsVersion {
    /// `1.2` or `1.3`.
    #[must_use]
    pub const fn number(self) -> &'static str {
        match self {
            Self::V12 => "1.2",
            Self::V13 => "1.3",
        }
    }
}

impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TLS {}", self.number())
    }
}

impl std::str::FromStr for TlsVersion {
    type Err = NetError;

    /// Reads `1.2` or `1.3`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "1.2" => Ok(Self::V12),
            "1.3" => Ok(Self::V13),
            "1.0" | "1.1" => Err(NetError::Settings(format!(
                "TLS {text} is broken and not spoken here; 1.2 and 1.3 are"
            ))),
            _ => Err(NetError::Settings(
                "this is no version of TLS; 1.2 and 1.3 are".to_owned(),
            )),
        }
    }
}

/// How TLS is spoken, beside whom to trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsOptions {
    /// The oldest version that is accepted.
    pub min: TlsVersion,
    /// The newest version that is offered.
    pub max: TlsVersion,
    /// The certificate that we show to servers who ask for one.
    pub identity: Option<Identity>,
}

impl Default for TlsOptions {
    /// TLS 1.2 and 1.3, no certificate.
    fn default() -> Self {
        Self {
            min: TlsVersion::V12,
            max: TlsVersion::V13,
            identity: None,
        }
    }
}

impl TlsOptions {
    /// # Errors
    /// [`NetError::Settings`] where no version is left.
    pub(super) fn check(&self) -> Result<(), NetError> {
        if self.min > self.max {
            return Err(NetError::Settings(format!(
                "the oldest version, {}, is newer than the newest, {}",
                self.min, self.max
            )));
        }
        Ok(())
    }

    /// What is left of a wish when these limits are kept.
    pub(super) const fn within(&self, wish: Versions) -> Versions {
        match (self.min, self.max, wish) {
            (TlsVersion::V13, _, _) => Versions::Tls13,
            (_, TlsVersion::V12, _) => Versions::Tls12,
            (_, _, wish) => wish,
        }
    }
}

impl Versions {
    pub(super) const fn supported(self) -> &'static [&'static SupportedProtocolVersion] {
        static ANY: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
        match self {
            Self::Any => &ANY,
            Self::Tls12 => ANY.split_at(1).1,
            Self::Tls13 => ANY.split_at(1).0,
        }
    }
}

/// A certificate with its key, to show to servers. Cheap to clone; the key is never shown.
#[derive(Clone)]
pub struct Identity {
    key: Arc<CertifiedKey>,
    /// The same object for every connection: rustls resumes no session with another.
    resolver: Arc<dyn ResolvesClientCert>,
    chain: Arc<[CertificateInfo]>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("chain", &self.chain)
            .field("key", &"*****")
            .finish()
    }
}

/// Equal where the certificates are.
impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        self.key.cert == other.key.cert
    }
}

impl Eq for Identity {}

impl Identity {
    /// Reads a certificate (and those of its issuers, in their order) and its key from PEM files. Both may be the same
    /// file.
    ///
    /// # Errors
    /// [`NetError::BadCertificate`] where a file can't be read, holds nothing of the kind, or the two don't belong
    /// together. A key under a passphrase can't be read.
    pub fn from_pem_files(certificate: &Path, key: &Path) -> Result<Self, NetError> {
        let read = |path: &Path| {
            std::fs::read(path)
                .map_err(|error| NetError::BadCertificate(format!("{}: {error}", path.display())))
        };
        let certificates = read(certificate)?;
        let keys = if key == certificate {
            certificates.clone()
        } else {
            read(key)?
        };
        let (certificate, key) = (certificate.display(), key.display());
        Self::read(
            &certificates,
            &keys,
            &certificate.to_string(),
            &key.to_string(),
        )
    }

    /// The same from the contents of such files.
    ///
    /// # Errors
    /// As [`from_pem_files`](Self::from_pem_files).
    pub fn from_pem(certificates: &[u8], key: &[u8]) -> Result<Self, NetError> {
        Self::read(certificates, key, "the certificate", "the key")
    }

    fn read(
        certificates: &[u8],
        key: &[u8],
        certificate_name: &str,
        key_name: &str,
    ) -> Result<Self, NetError> {
        let bad = |name: &str, why: &str| NetError::BadCertificate(format!("{name}: {why}"));
        let chain: Vec<_> = CertificateDer::pem_slice_iter(certificates)
            .collect::<Result<_, _>>()
            .map_err(|error| bad(certificate_name, &error.to_string()))?;
        if chain.is_empty() {
            return Err(bad(certificate_name, "no certificate in it"));
        }
        let private = PrivateKeyDer::from_pem_slice(key).map_err(|error| {
            let text = String::from_utf8_lossy(key);
            if text.contains("ENCRYPTED") {
                let why =
                    "the key is under a passphrase; `openssl pkey -in FILE -out NEW` takes it off";
                return bad(key_name, why);
            }
            match error {
                rustls_pki_types::pem::Error::NoItemsFound => bad(key_name, "no key in it"),
                error => bad(key_name, &error.to_string()),
            }
        })?;
        let info = chain.iter().map(|der| CertificateInfo::of(der)).collect();
        let key = CertifiedKey::from_der(chain, private, &provider()).map_err(|error| {
            let mismatch = matches!(error, rustls::Error::InconsistentKeys(_));
            if mismatch {
                bad(key_name, "it does not belong to the certificate")
            } else {
                bad(key_name, &error.to_string())
            }
        })?;
        let key = Arc::new(key);
        Ok(Self {
            resolver: Arc::new(SingleCertAndKey::from(key.clone())),
            key,
            chain: info,
        })
    }

    /// The certificate, and those of its issuers that come with it.
    #[must_use]
    pub fn chain(&self) -> &[CertificateInfo] {
        &self.chain
    }

    pub(super) fn resolver(&self) -> Arc<dyn ResolvesClientCert> {
        self.resolver.clone()
    }
}
