use std::{
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use rustls::{
    CertificateError, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::CryptoProvider,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject};

use super::{CertificateInfo, Fingerprint};
use crate::NetError;

/// Which authorities vouch for a server.
#[derive(Debug, Clone, Default)]
pub enum Roots {
    /// The operating system's.
    #[default]
    System,
    /// These, in place of the system's.
    Only(Vec<CertificateDer<'static>>),
}

impl Roots {
    /// The certificates of a PEM file.
    ///
    /// # Errors
    /// [`NetError::BadCertificate`] where the file can't be read or holds no certificate.
    pub fn from_pem_file(path: &std::path::Path) -> Result<Self, NetError> {
        let bad = |why: String| NetError::BadCertificate(format!("{}: {why}", path.display()));
        let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
            .map_err(|error| bad(error.to_string()))?
            .collect::<Result<_, _>>()
            .map_err(|error| bad(error.to_string()))?;
        if certificates.is_empty() {
            return Err(bad("no certificate in it".to_owned()));
        }
        Ok(Self::Only(certificates))
    }
}

/// Whom a client trusts: authorities, and certificates that a person has looked at.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// The authorities.
    pub roots: Roots,
    /// Certificates that are trusted whoever issued them, whatever name and dates they carry.
    pub pins: Vec<Fingerprint>,
    /// True: nothing but a pinned certificate will do, even where an authority vouches for another.
    pub only_pins: bool,
}

/// A certificate that was not trusted, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateProblem {
    /// The certificate.
    pub info: CertificateInfo,
    /// What is wrong with it.
    pub reason: DistrustReason,
    /// The host that was asked for.
    pub host: String,
}

impl fmt::Display for CertificateProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the certificate of {} is not trusted: {} (subject {}, {})",
            self.host, self.reason, self.info.subject, self.info.fingerprint
        )
    }
}

impl std::error::Error for CertificateProblem {}

/// Why a certificate was not trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DistrustReason {
    /// No authority that is trusted here has signed it.
    UnknownIssuer,
    /// It is for other hosts.
    WrongName,
    /// Its time is over.
    Expired,
    /// Its time has not begun.
    NotYetValid,
    /// Its issuer has taken it back.
    Revoked,
    /// Only pinned certificates are accepted, and it is not one.
    NotPinned,
    /// The data connection showed another certificate than the control connection.
    Changed,
    /// Another fault, in the TLS library's words.
    Other(String),
}

impl fmt::Display for DistrustReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownIssuer => f.write_str("no authority trusted here has signed it"),
            Self::WrongName => f.write_str("it was issued for another host"),
            Self::Expired => f.write_str("it has expired"),
            Self::NotYetValid => f.write_str("it is not valid yet"),
            Self::Revoked => f.write_str("it has been revoked"),
            Self::NotPinned => f.write_str("it is not the pinned one"),
            Self::Changed => {
                f.write_str("the data connection showed another one than the control connection")
            }
            Self::Other(why) => f.write_str(why),
        }
    }
}

impl From<&rustls::Error> for DistrustReason {
    fn from(error: &rustls::Error) -> Self {
        let rustls::Error::InvalidCertificate(error) = error else {
            return Self::Other(error.to_string());
        };
        match error {
            // An authority of the same name with another key has not signed it either.
            CertificateError::UnknownIssuer
            | CertificateError::BadSignature
            | CertificateError::UnsupportedSignatureAlgorithmContext { .. }
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
                Self::UnknownIssuer
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Self::WrongName
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Self::NotYetValid
            }
            CertificateError::Revoked => Self::Revoked,
            // A self-signed certificate that calls itself an authority, as `openssl req -x509` makes them.
            CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
                Self::UnknownIssuer
            }
            other => Self::Other(other.to_string()),
        }
    }
}

/// Asks the authorities first and the pins second. Signatures are checked in either case: a pin
/// replaces the chain, never the proof that the server holds the key.
#[derive(Debug)]
pub(super) struct Verifier {
    /// Whom to ask about the chain, or why none will do.
    chain: Result<Arc<dyn ServerCertVerifier>, DistrustReason>,
    provider: Arc<CryptoProvider>,
    pins: Vec<Fingerprint>,
    /// The last certificate that was accepted, and whether a pin was what it took.
    accepted: Mutex<Option<(Fingerprint, bool)>>,
}

impl Verifier {
    pub(super) fn new(trust: &Trust, provider: &Arc<CryptoProvider>) -> Result<Self, NetError> {
        let chain = match &trust.roots {
            _ if trust.only_pins => Err(DistrustReason::NotPinned),
            Roots::System => system(provider).ok_or(DistrustReason::UnknownIssuer),
            Roots::Only(certificates) if certificates.is_empty() => {
                Err(DistrustReason::UnknownIssuer)
            }
            Roots::Only(certificates) => Ok(only(certificates, provider)?),
        };
        Ok(Self {
            chain,
            provider: provider.clone(),
            pins: trust.pins.clone(),
            accepted: Mutex::new(None),
        })
    }

    /// True where this certificate was accepted because it is pinned, and no authority vouches for it.
    pub(super) fn by_pin(&self, fingerprint: Fingerprint) -> bool {
        *self.accepted.lock().unwrap_or_else(PoisonError::into_inner) == Some((fingerprint, true))
    }

    fn accept(&self, fingerprint: Fingerprint, by_pin: bool) -> ServerCertVerified {
        *self.accepted.lock().unwrap_or_else(PoisonError::into_inner) = Some((fingerprint, by_pin));
        ServerCertVerified::assertion()
    }
}

/// The system's authorities, read from disk once, not once a connection. `None` on a machine without any: it trusts
/// nobody, and pins still work on it.
fn system(provider: &Arc<CryptoProvider>) -> Option<Arc<dyn ServerCertVerifier>> {
    static SYSTEM: OnceLock<Option<Arc<dyn ServerCertVerifier>>> = OnceLock::new();
    SYSTEM
        .get_or_init(|| {
            let verifier = rustls_platform_verifier::Verifier::new(provider.clone()).ok()?;
            Some(Arc::new(verifier))
        })
        .clone()
}

fn only(
    certificates: &[CertificateDer<'static>],
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, NetError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots
            .add(certificate.clone())
            .map_err(|error| NetError::BadCertificate(error.to_string()))?;
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .map(|verifier| verifier as Arc<dyn ServerCertVerifier>)
        .map_err(|error| NetError::BadCertificate(error.to_string()))
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let fingerprint = Fingerprint::of(end_entity);
        let reason = match &self.chain {
            Err(reason) => reason.clone(),
            Ok(chain) => {
                match chain.verify_server_cert(
                    end_entity,
                    intermediates,
                    server_name,
                    ocsp_response,
                    now,
                ) {
                    Ok(_) => return Ok(self.accept(fingerprint, false)),
                    Err(error) => DistrustReason::from(&error),
                }
            }
        };
        if self.pins.contains(&fingerprint) {
            return Ok(self.accept(fingerprint, true));
        }
        let problem = CertificateProblem {
            info: CertificateInfo::of(end_entity),
            reason,
            host: server_name.to_str().into_owned(),
        };
        Err(CertificateError::Other(OtherError(Arc::new(problem))).into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
