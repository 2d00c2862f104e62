use std::{io, net::SocketAddr, time::Duration};

use crate::{DeflateProblem, Proxy, ProxyProblem, tls::CertificateProblem};

/// What a time limit was set for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waited {
    /// Making the TCP connection.
    Connect,
    /// The TLS handshake.
    Handshake,
    /// The server's reply to a command.
    Reply,
    /// Bytes on a data connection, in either direction.
    Data,
    /// The server's own connection in active mode.
    Accept,
}

impl std::fmt::Display for Waited {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Connect => "the connection",
            Self::Handshake => "the TLS handshake",
            Self::Reply => "a reply",
            Self::Data => "data",
            Self::Accept => "the server to connect back",
        })
    }
}

/// Why a wire could not be made or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetError {
    /// The host name has no address.
    #[error("the name {host:?} could not be resolved")]
    Resolve {
        /// The name as it was asked for.
        host: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// No address of the host accepted a TCP connection.
    #[error("no connection to {address}")]
    Connect {
        /// The last address that was tried.
        address: SocketAddr,
        /// What the system said of it.
        source: io::Error,
    },
    /// Nothing happened within the limit.
    #[error("waited {} s for {what}", .limit.as_secs_f32())]
    Timeout {
        /// What was waited for.
        what: Waited,
        /// The limit that passed.
        limit: Duration,
    },
    /// The certificate is neither trusted by the system nor pinned.
    #[error("{0}")]
    Certificate(Box<CertificateProblem>),
    /// The TLS layer failed for another reason than trust.
    #[error("TLS: {reason}")]
    Tls {
        /// The TLS library's word for it.
        reason: String,
        /// True where the peer closed the connection in the middle of the handshake.
        eof: bool,
    },
    /// A data connection resumed no session, where only such are accepted.
    #[error(
        "the data connection did not resume the TLS session of the control connection, and no other is accepted"
    )]
    NotResumed,
    /// A certificate or key file that can't be used.
    #[error("certificate: {0}")]
    BadCertificate(String),
    /// The host is neither a DNS name nor an IP address, so no certificate can match it.
    #[error("{0:?} is not a host name that a certificate can carry")]
    BadHost(String),
    /// A connection through a proxy did not come about.
    #[error("through the proxy {proxy}")]
    Proxy {
        /// The proxy, without its login.
        proxy: Box<Proxy>,
        /// What went wrong there.
        #[source]
        problem: ProxyProblem,
    },
    /// No port to listen on is free.
    #[error("none of the ports {first} to {last} is free")]
    NoPort {
        /// The first port that was allowed.
        first: u16,
        /// The last one.
        last: u16,
    },
    /// A file that was compressed on the wire can't be unpacked.
    #[error("MODE Z")]
    Deflate(#[from] DeflateProblem),
    /// Settings that contradict each other.
    #[error("{0}")]
    Settings(String),
    /// The connection broke.
    #[error("the connection broke")]
    Io(#[from] io::Error),
    /// Reading or writing the local file failed.
    #[error("the local file failed")]
    Local(#[source] io::Error),
    /// The transfer was given up by its owner.
    #[error("cancelled")]
    Cancelled,
}

impl NetError {
    /// The error of a [`Stream`](crate::Stream): ours, where it is wrapped in one of the system's, as what is read through the
    /// system's traits has to be.
    #[must_use]
    pub fn from_io(error: io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(ours) => ours,
            Err(error) => Self::Io(error),
        }
    }

    /// Turns the error of a TLS handshake into ours: rustls wraps its own in an `io::Error`.
    pub(crate) fn from_handshake(error: io::Error) -> Self {
        let eof = matches!(
            error.kind(),
            io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::BrokenPipe
        );
        match error
            .get_ref()
            .and_then(|e| e.downcast_ref::<rustls::Error>())
        {
            Some(tls) => Self::from_tls(tls),
            None if eof => Self::Tls {
                reason: "the peer closed the connection during the handshake".to_owned(),
                eof,
            },
            None => Self::Io(error),
        }
    }

    fn from_tls(error: &rustls::Error) -> Self {
        if let rustls::Error::InvalidCertificate(rustls::CertificateError::Other(other)) = error
            && let Some(problem) = other.0.downcast_ref::<CertificateProblem>()
        {
            return Self::Certificate(Box::new(problem.clone()));
        }
        Self::Tls {
            reason: error.to_string(),
            eof: false,
        }
    }
}
