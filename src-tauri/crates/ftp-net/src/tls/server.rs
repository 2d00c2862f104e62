use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use rustls::{
    ServerConfig,
    crypto::aws_lc_rs::Ticketer,
    server::{Acceptor, NoServerSessionStorage},
    version::{TLS12, TLS13},
};
use rustls_pki_types::PrivatePkcs8KeyDer;
use tokio::net::TcpStream;
use tokio_rustls::{LazyConfigAcceptor, TlsAcceptor};

use super::{CertificateInfo, Fingerprint, TlsVersion, client::provider, shown::Shown};
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
    shown: Arc<Shown>,
}

impl ServerTls {
    /// A certificate chain and its private key, from PEM files. They are looked at again (once a second at most) when a client
    /// comes, and what they hold then is shown from then on; while it can't be used, what they held before.
    ///
    /// # Errors
    /// [`NetError::BadCertificate`] where a file can't be read, is empty, or the two don't belong together.
    pub fn from_pem_files(certificates: &Path, key: &Path) -> Result<Self, NetError> {
        Self::new(Shown::of_files(certificates, key)?, TlsVersion::V12)
    }

    /// A certificate made now for these host names and addresses, valid for ten years.
    ///
    /// # Errors
    /// [`NetError::BadCertificate`] where a name can't stand in a certificate.
    pub fn self_signed(names: &[&str]) -> Result<Self, NetError> {
        let (certificate, key) = super::kept::make(names)?;
        let shown = Shown::fixed(
            vec![certificate.der().clone()],
            PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        )?;
        Self::new(shown, TlsVersion::V12)
    }

    /// The same for clients that speak at least this version.
    ///
    /// # Errors
    /// [`NetError::BadCertificate`]: none that is known of.
    pub fn at_least(self, oldest: TlsVersion) -> Result<Self, NetError> {
        Self::new(self.shown, oldest)
    }

    /// The same with tickets of its own: a session of this one can be resumed with no other, and none of another with this one. For
    /// one control connection and its data connections.
    ///
    /// # Errors
    /// [`NetError::Tls`] where the system has no random numbers.
    pub fn for_one_client(&self) -> Result<Self, NetError> {
        let tickets = Ticketer::new().map_err(|error| NetError::Tls {
            reason: error.to_string(),
            eof: false,
        })?;
        let with_them = |config: &ServerConfig| {
            let mut config = config.clone();
            config.ticketer = Arc::clone(&tickets);
            Arc::new(config)
        };
        Ok(Self {
            talking: with_them(&self.talking),
            silent: with_them(&self.silent),
            shown: Arc::clone(&self.shown),
        })
    }

    fn new(shown: impl Into<Arc<Shown>>, oldest: TlsVersion) -> Result<Self, NetError> {
        let shown = shown.into();
        let bad = |error: rustls::Error| NetError::BadCertificate(error.to_string());
        let versions: &[&rustls::SupportedProtocolVersion] = match oldest {
            TlsVersion::V12 => &[&TLS13, &TLS12],
            TlsVersion::V13 => &[&TLS13],
        };
        let mut talking = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)
            .map_err(bad)?
            .with_no_client_auth()
            .with_cert_resolver(shown.clone());
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
            shown,
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
        tcp.set_nodelay(true)?;
        let handshake = async {
            self.look().await;
            let acceptor = TlsAcceptor::from(self.config(purpose));
            let stream = acceptor.accept_with(Wire::new(tcp), |connection| {
                connection.set_resumption_data(tag);
            });
            stream.await.map_err(NetError::from_handshake)
        };
        let stream = within(limit, handshake).await?;
        Ok(Stream::Server(Box::new(stream)))
    }

    /// The same where there are several to choose from, by the name that the client has asked for (SNI, RFC 6066 section 3), if it has. The
    /// result is also what was chosen, and that name.
    ///
    /// # Errors
    /// As [`accept`](Self::accept).
    pub async fn accept_by_name(
        tcp: TcpStream,
        purpose: Purpose,
        tag: &[u8],
        limit: Duration,
        choose: impl FnOnce(Option<&str>) -> Self,
    ) -> Result<(Stream, Self, Option<String>), NetError> {
        tcp.set_nodelay(true)?;
        let handshake = async {
            let start = LazyConfigAcceptor::new(Acceptor::default(), Wire::new(tcp))
                .await
                .map_err(NetError::from_handshake)?;
            let name = start.client_hello().server_name().map(str::to_owned);
            let chosen = choose(name.as_deref());
            chosen.look().await;
            let stream = start.into_stream_with(chosen.config(purpose), |connection| {
                connection.set_resumption_data(tag);
            });
            let stream = stream.await.map_err(NetError::from_handshake)?;
            Ok((Stream::Server(Box::new(stream)), chosen, name))
        };
        within(limit, handshake).await
    }

    fn config(&self, purpose: Purpose) -> Arc<ServerConfig> {
        Arc::clone(match purpose {
            Purpose::Upload => &self.silent,
            Purpose::Control | Purpose::Download => &self.talking,
        })
    }

    /// Looks at the certificate's files, if it is time.
    async fn look(&self) {
        if !self.shown.is_due(Instant::now()) {
            return;
        }
        let shown = Arc::clone(&self.shown);
        let looked = tokio::task::spawn_blocking(move || shown.look()).await;
        match looked {
            Ok(Ok(true)) => tracing::info!("another certificate is shown from now on"),
            Ok(Err(error)) => tracing::warn!(%error, "the old certificate is still shown"),
            Ok(Ok(false)) | Err(_) => {}
        }
    }

    /// Reads the certificate's files now, whether they seem to have changed or not. True where it is another certificate. Nothing
    /// happens to one that came from no file. Blocks while it reads.
    ///
    /// # Errors
    /// [`NetError::BadCertificate`] as [`from_pem_files`](Self::from_pem_files); the old one stays.
    pub fn reload(&self) -> Result<bool, NetError> {
        self.shown.reload()
    }

    /// The certificate that clients see.
    #[must_use]
    pub fn certificate(&self) -> Arc<CertificateInfo> {
        self.shown.info()
    }

    /// The fingerprint that a client may pin.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.shown.info().fingerprint
    }
}

async fn within<T>(
    limit: Duration,
    handshake: impl Future<Output = Result<T, NetError>>,
) -> Result<T, NetError> {
    let timeout = NetError::Timeout {
        what: Waited::Handshake,
        limit,
    };
    tokio::time::timeout(limit, handshake)
        .await
        .unwrap_or(Err(timeout))
}
