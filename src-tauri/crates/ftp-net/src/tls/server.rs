use std::{path::Path, sync::Arc, time::Duration};

use rustls::{ServerConfig, crypto::aws_lc_rs::Ticketer, server::NoServerSessionStorage};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::{CertificateInfo, Fingerprint, client::provider};
use crate::{NetError, Stream, Waited, wire::Wire};

/// What a connection to our server is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Commands and replies.
    Control,
    /// Data to the client.
    Download,
    /// Data from the client. No session tickets are sent on it: a client that closes such a connection
    /// without reading them makes its system send a reset, which can throw away the end of its
    /// own upload.
    Upload,
}

/// The server's side of TLS: a certificate, and tickets with which data connections resume the session
/// of their control connection. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ServerTls {
    talking: Arc<ServerConfig>,
    silent: Arc<ServerConfig>,
    info: Arc<CertificateInfo>,
}

impl ServerTls {
    /// A certificate chain and its private key, from PEM files.
    ///
    /// # Errors
    /// [`NetError::BadCertificate`] where a file can't be read, is empty, or the two don't belong together.
    pub fn from_pem_files(certificates: &Path, key: &Path) -> Result<Self, NetError> {
        let bad = |path: &Path, error: rustls_pki_types::pem::Error| {
            NetError::BadCertificate(format!("{}: {error}", path.display()))
        };
        let chain = CertificateDer::pem_file_iter(certificates)
            .map_err(|error| bad(certificates, error))?
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| bad(certificates, error))?;
        let key = PrivateKeyDer::from_pem_file(key).map_err(|error| bad(key, error))?;
        Self::new(chain, key)
    }

    /// A certificate made now for these host names and addresses, valid for ten years.
    ///
    /// # Errors
    /// [`NetError::BadCertificate`] where a name can't stand in a certificate.
    pub fn self_signed(names: &[&str]) -> Result<Self, NetError> {
        let bad = |error: rcgen::Error| NetError::BadCertificate(error.to_string());
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = rcgen::CertificateParams::new(names.clone()).map_err(bad)?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(
            rcgen::DnType::CommonName,
            names.first().map_or("slipway", String::as_str),
        );
        let now = std::time::SystemTime::now();
        // An hour back, for clients whose clock is behind ours.
        params.not_before = (now - Duration::from_secs(3600)).into();
        params.not_after = (now + Duration::from_secs(10 * 365 * 24 * 3600)).into();
        let key = rcgen::KeyPair::generate().map_err(bad)?;
        let certificate = params.self_signed(&key).map_err(bad)?;
        Self::new(
            vec![certificate.der().clone()],
            PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        )
    }

    fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, NetError> {
        let bad = |error: rustls::Error| NetError::BadCertificate(error.to_string());
        let first = chain
            .first()
            .ok_or_else(|| NetError::BadCertificate("no certificate in the file".to_owned()))?;
        let info = Arc::new(CertificateInfo::of(first));
        let mut talking = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(bad)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(bad)?;
        // Stateless tickets serve any number of connections; a store would hand each out once.
        talking.ticketer = Ticketer::new().map_err(bad)?;
        talking.session_storage = Arc::new(NoServerSessionStorage {});
        talking.send_tls13_tickets = 4;
        talking.max_tls13_tickets = 32;
        let mut silent = talking.clone();
        silent.send_tls13_tickets = 0;
        silent.max_tls13_tickets = 0;
        Ok(Self {
            talking: Arc::new(talking),
            silent: Arc::new(silent),
            info,
        })
    }

    /// The server's part of the handshake. `tag` is put into the sessions that this connection gives out: a
    /// data connection that resumes one shows it again in its
    /// [`TlsFacts::session_tag`](crate::TlsFacts), and so proves whose it is.
    ///
    /// # Errors
    /// [`NetError::Tls`], [`NetError::Timeout`] or [`NetError::Io`].
    pub async fn accept(
        &self,
        tcp: TcpStream,
        purpose: Purpose,
        tag: &[u8],
        limit: Duration,
    ) -> Result<Stream, NetError> {
        let config = match purpose {
            Purpose::Upload => &self.silent,
            Purpose::Control | Purpose::Download => &self.talking,
        };
        tcp.set_nodelay(true)?;
        let handshake =
            TlsAcceptor::from(config.clone()).accept_with(Wire::new(tcp), |connection| {
                connection.set_resumption_data(tag);
            });
        let stream = tokio::time::timeout(limit, handshake)
            .await
            .map_err(|_| NetError::Timeout {
                what: Waited::Handshake,
                limit,
            })?
            .map_err(NetError::from_handshake)?;
        Ok(Stream::Server(Box::new(stream)))
    }

    /// The certificate that clients see.
    #[must_use]
    pub fn certificate(&self) -> &CertificateInfo {
        &self.info
    }

    /// The fingerprint that a client may pin.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.info.fingerprint
    }
}
