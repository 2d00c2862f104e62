use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use rustls::{ClientConfig, client::Resumption, crypto::CryptoProvider};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{
    CertificateInfo, CertificateProblem, DistrustReason, Trust, session::SessionStore,
    trust::Verifier,
};
use crate::{NetError, Stream, Waited, stream::Wire, tls::Fingerprint};

/// Which versions of TLS a connection may speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Versions {
    /// TLS 1.3, else 1.2.
    #[default]
    Any,
    /// TLS 1.2 only: its one session resumes without limit, where a TLS 1.3 server hands out too few
    /// tickets for its own demand of resumption.
    Tls12,
}

/// The TLS client for one host: whom it trusts. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ClientTls {
    name: ServerName<'static>,
    verifier: Arc<Verifier>,
    any: Arc<ClientConfig>,
    tls12: Arc<ClientConfig>,
}

impl ClientTls {
    /// A client for `host`, which is the name that certificates must carry.
    ///
    /// # Errors
    /// [`NetError::BadHost`] where no certificate could carry the name, [`NetError::BadCertificate`] where
    /// a root is unusable.
    pub fn new(host: &str, trust: &Trust) -> Result<Self, NetError> {
        let bare = host
            .strip_prefix('[')
            .and_then(|h| h.strip_suffix(']'))
            .unwrap_or(host);
        let name = ServerName::try_from(bare.to_owned())
            .map_err(|_| NetError::BadHost(host.chars().take(200).collect()))?;
        let provider = provider();
        let verifier = Arc::new(Verifier::new(trust, &provider)?);
        let config = |versions: &[&'static rustls::SupportedProtocolVersion]| {
            ClientConfig::builder_with_provider(provider.clone())
                .with_protocol_versions(versions)
                .map(|builder| {
                    let config = builder
                        .dangerous()
                        .with_custom_certificate_verifier(verifier.clone())
                        .with_no_client_auth();
                    Arc::new(config)
                })
                .map_err(|error| NetError::BadCertificate(error.to_string()))
        };
        Ok(Self {
            name,
            any: config(&[&rustls::version::TLS13, &rustls::version::TLS12])?,
            tls12: config(&[&rustls::version::TLS12])?,
            verifier,
        })
    }

    /// The sessions of one control connection: it and its data connections share them, nobody else.
    #[must_use]
    pub fn session(&self, versions: Versions) -> TlsSession {
        let base = match versions {
            Versions::Any => &self.any,
            Versions::Tls12 => &self.tls12,
        };
        // Verifier and client certificate must stay the same objects, or rustls won't resume: so
        // the configuration is cloned and only its store replaced.
        let mut config = ClientConfig::clone(base);
        let store = Arc::new(SessionStore::default());
        config.resumption = Resumption::store(store.clone());
        TlsSession {
            name: self.name.clone(),
            verifier: self.verifier.clone(),
            config: Arc::new(config),
            store,
            versions,
            control: Arc::new(OnceLock::new()),
        }
    }
}

/// The TLS sessions of one control connection and its data connections. Cheap to clone.
#[derive(Debug, Clone)]
pub struct TlsSession {
    name: ServerName<'static>,
    verifier: Arc<Verifier>,
    config: Arc<ClientConfig>,
    store: Arc<SessionStore>,
    versions: Versions,
    /// The certificate of the first connection made in this session, which is the control connection.
    control: Arc<OnceLock<Control>>,
}

#[derive(Debug)]
struct Control {
    info: CertificateInfo,
    by_pin: bool,
}

impl TlsSession {
    /// TLS over `tcp`. The first connection of a session is the control connection; a later one that
    /// resumes nothing must show the same certificate.
    ///
    /// Call it for a data connection only when the server has said 1xx: the ticket is used up by the
    /// attempt.
    ///
    /// # Errors
    /// [`NetError::Certificate`], [`NetError::Tls`], [`NetError::Timeout`] or [`NetError::Io`].
    pub async fn connect(&self, tcp: TcpStream, limit: Duration) -> Result<Stream, NetError> {
        let connector = TlsConnector::from(self.config.clone());
        let handshake = connector.connect(self.name.clone(), Wire::new(tcp));
        let stream = tokio::time::timeout(limit, handshake)
            .await
            .map_err(|_| NetError::Timeout {
                what: Waited::Handshake,
                limit,
            })?
            .map_err(NetError::from_handshake)?;
        let shown = stream
            .get_ref()
            .1
            .peer_certificates()
            .and_then(|chain| chain.first());
        if let Some(der) = shown {
            // Every data connection passes here: the certificate is read in full only where somebody will look at it.
            let fingerprint = Fingerprint::of(der);
            let control = self.control.get_or_init(|| Control {
                by_pin: self.verifier.by_pin(fingerprint),
                info: CertificateInfo::of(der),
            });
            if control.info.fingerprint != fingerprint {
                return Err(NetError::Certificate(Box::new(CertificateProblem {
                    info: CertificateInfo::of(der),
                    reason: DistrustReason::Changed,
                    host: self.name.to_str().into_owned(),
                })));
            }
        }
        Ok(Stream::Client(Box::new(stream)))
    }

    /// The control connection's certificate, once it is connected.
    #[must_use]
    pub fn certificate(&self) -> Option<&CertificateInfo> {
        self.control.get().map(|control| &control.info)
    }

    /// The fingerprint of the control connection's certificate.
    #[must_use]
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        self.certificate().map(|info| info.fingerprint)
    }

    /// True where the certificate was accepted by a pin alone.
    #[must_use]
    pub fn by_pin(&self) -> bool {
        self.control.get().is_some_and(|control| control.by_pin)
    }

    /// Which versions this session may speak.
    #[must_use]
    pub const fn versions(&self) -> Versions {
        self.versions
    }

    /// TLS 1.3 tickets at hand; each serves one connection.
    #[must_use]
    pub fn tickets(&self) -> usize {
        self.store.tickets()
    }

    /// TLS 1.3 tickets received so far, used ones included.
    #[must_use]
    pub fn tickets_seen(&self) -> u64 {
        self.store.tickets_seen()
    }

    /// True where the next connection can resume.
    #[must_use]
    pub fn can_resume(&self) -> bool {
        self.store.can_resume()
    }
}

/// The crypto library, named by us: rustls refuses to guess where two are linked into one program.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
