use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use rustls::{ClientConfig, HandshakeKind, client::Resumption, crypto::CryptoProvider};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{
    CertificateInfo, CertificateProblem, DistrustReason, Receiving, TlsOptions, TlsVersion, Trust,
    handshake::shake_hands, records::Records, session::SessionStore, trust::Verifier,
};
use crate::{NetError, Stream, TlsFacts, Waited, proxy::bare, tls::Fingerprint, wire::Wire};

/// Which versions of TLS a connection may speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Versions {
    /// TLS 1.3, else 1.2.
    #[default]
    Any,
    /// TLS 1.2 only: its one session resumes without limit, where a TLS 1.3 server hands out too few
    /// tickets for its own demand of resumption.
    Tls12,
    /// TLS 1.3 only.
    Tls13,
}

/// The TLS client for one host: whom it trusts. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ClientTls {
    name: ServerName<'static>,
    verifier: Arc<Verifier>,
    any: Arc<ClientConfig>,
    tls12: Arc<ClientConfig>,
    /// TLS 1.3, and a whole handshake for each connection.
    unresumed: Arc<ClientConfig>,
    options: TlsOptions,
}

impl ClientTls {
    /// A client for `host`, which is the name that certificates must carry.
    ///
    /// # Errors
    /// [`NetError::BadHost`] where no certificate could carry the name, [`NetError::BadCertificate`] where
    /// a root is unusable.
    pub fn new(host: &str, trust: &Trust) -> Result<Self, NetError> {
        Self::with_options(host, trust, &TlsOptions::default())
    }

    /// The same within limits of versions, and with a certificate to show.
    ///
    /// # Errors
    /// As [`new`](Self::new), and [`NetError::Settings`] where the limits leave no version.
    pub fn with_options(host: &str, trust: &Trust, options: &TlsOptions) -> Result<Self, NetError> {
        options.check()?;
        let name = ServerName::try_from(bare(host).to_owned())
            .map_err(|_| NetError::BadHost(host.chars().take(200).collect()))?;
        let provider = provider();
        let verifier = Arc::new(Verifier::new(trust, &provider)?);
        let config = |wish: Versions| {
            ClientConfig::builder_with_provider(provider.clone())
                .with_protocol_versions(options.within(wish).supported())
                .map(|builder| {
                    let builder = builder
                        .dangerous()
                        .with_custom_certificate_verifier(verifier.clone());
                    let mut config = match &options.identity {
                        None => builder.with_no_client_auth(),
                        Some(identity) => builder.with_client_cert_resolver(identity.resolver()),
                    };
                    config.resumption = Resumption::disabled();
                    // For downloads, which are decrypted here.
                    config.enable_secret_extraction = true;
                    Arc::new(config)
                })
                .map_err(|error| NetError::BadCertificate(error.to_string()))
        };
        Ok(Self {
            name,
            any: config(Versions::Any)?,
            tls12: config(Versions::Tls12)?,
            unresumed: config(Versions::Tls13)?,
            options: options.clone(),
            verifier,
        })
    }

    /// The sessions of one control connection: it and its data connections share them, nobody else. The options' limits
    /// come before the wish: [`TlsSession::versions`] tells what became of it.
    #[must_use]
    pub fn session(&self, versions: Versions) -> TlsSession {
        let versions = self.options.within(versions);
        let base = match versions {
            Versions::Any => &self.any,
            Versions::Tls12 => &self.tls12,
            // Where nothing older is allowed, that is all it speaks.
            Versions::Tls13 => &self.unresumed,
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
            unresumed: self.unresumed.clone(),
            can_speak_tls13: self.options.max == TlsVersion::V13,
            demanding: false,
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
    unresumed: Arc<ClientConfig>,
    can_speak_tls13: bool,
    /// Data connections that resume nothing are refused.
    demanding: bool,
}

#[derive(Debug)]
struct Control {
    /// The server's own certificate first; never empty.
    chain: Vec<CertificateInfo>,
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
        self.check(stream.get_ref().1)?;
        Ok(Stream::Client(Box::new(stream)))
    }

    /// The same server and the same control connection, but each connection of it is made by a whole handshake of TLS 1.3: its
    /// ciphers are faster than the older ones that a session may have to stay with in order to be resumed.
    #[must_use]
    pub fn unresumed(&self) -> Self {
        Self {
            config: self.unresumed.clone(),
            store: Arc::default(),
            versions: Versions::Any,
            ..self.clone()
        }
    }

    /// The same for a data connection on which nothing will be sent. It decrypts with fewer copies.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn download(&self, mut tcp: TcpStream, limit: Duration) -> Result<Stream, NetError> {
        let handshake = shake_hands(self.config.clone(), self.name.clone(), &mut tcp);
        let (connection, ahead) =
            tokio::time::timeout(limit, handshake)
                .await
                .map_err(|_| NetError::Timeout {
                    what: Waited::Handshake,
                    limit,
                })??;
        self.check(&connection)?;
        let facts = TlsFacts::of(&connection);
        let records = Records::new(connection)?;
        let receiving = Receiving::new(tcp, records, ahead, facts);
        Ok(Stream::Receiving(Box::new(receiving)))
    }

    /// From now on every connection but the first must resume the session, or fails with [`NetError::NotResumed`]: nobody but
    /// the server of the control connection can resume it.
    pub const fn demand_resumption(&mut self) {
        self.demanding = true;
    }

    /// A data connection must show the certificate that the control connection has shown.
    fn check(&self, connection: &rustls::CommonState) -> Result<(), NetError> {
        let first = self.control.get().is_none();
        if self.demanding && !first && connection.handshake_kind() != Some(HandshakeKind::Resumed) {
            return Err(NetError::NotResumed);
        }
        let chain = connection.peer_certificates().unwrap_or_default();
        let Some(der) = chain.first() else {
            return Ok(());
        };
        // Every data connection passes here: the certificate is read in full only where somebody will look at it.
        let fingerprint = Fingerprint::of(der);
        let control = self.control.get_or_init(|| Control {
            by_pin: self.verifier.by_pin(fingerprint),
            chain: CertificateInfo::of_chain(chain),
        });
        let first = control.chain.first().map(|info| info.fingerprint);
        if first != Some(fingerprint) {
            return Err(NetError::Certificate(Box::new(CertificateProblem {
                info: CertificateInfo::of(der),
                reason: DistrustReason::Changed,
                host: self.name.to_str().into_owned(),
            })));
        }
        Ok(())
    }

    /// The control connection's certificate, once it is connected.
    #[must_use]
    pub fn certificate(&self) -> Option<&CertificateInfo> {
        self.chain().first()
    }

    /// The control connection's certificate and those of its issuers, as far as the server showed them, in its order;
    /// empty until it is connected.
    #[must_use]
    pub fn chain(&self) -> &[CertificateInfo] {
        self.control.get().map_or(&[], |control| &control.chain)
    }

    /// Whether [`unresumed`](Self::unresumed) connections may speak TLS 1.3.
    #[must_use]
    pub const fn can_speak_tls13(&self) -> bool {
        self.can_speak_tls13
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
///
/// The ciphers are offered in the order of their speed on this machine, each being good enough for anything (RFC 9325 section
/// 4.2): with instructions for AES, AES with the shorter key.
pub(super) fn provider() -> Arc<CryptoProvider> {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    if has_aes() {
        let slowness = |suite: &rustls::SupportedCipherSuite| {
            let name = suite.suite().as_str().unwrap_or_default();
            u8::from(!name.contains("AES_128")) + u8::from(name.contains("CHACHA20"))
        };
        // TLS 1.3 stays before TLS 1.2.
        provider
            .cipher_suites
            .sort_by_key(|suite| (suite.tls13().is_none(), slowness(suite)));
    }
    Arc::new(provider)
}

#[cfg(target_arch = "x86_64")]
fn has_aes() -> bool {
    std::arch::is_x86_feature_detected!("aes")
}

#[cfg(target_arch = "aarch64")]
fn has_aes() -> bool {
    std::arch::is_aarch64_feature_detected!("aes")
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const fn has_aes() -> bool {
    false
}
