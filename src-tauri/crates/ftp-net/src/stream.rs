use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use rustls::HandshakeKind;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::TcpStream,
};

use crate::wire::Wire;

use crate::{
    Deflated, NetError, Waited,
    tls::{CertificateInfo, Fingerprint, Receiving},
};

/// How long the last bytes and the goodbye may take to leave.
const SENDING: Duration = Duration::from_secs(60);

/// One connection, encrypted or not.
#[derive(Debug)]
pub enum Stream {
    /// TCP as it is.
    Plain(TcpStream),
    /// TLS in which we are the client.
    Client(Box<tokio_rustls::client::TlsStream<Wire>>),
    /// TLS in which we are the client and only receive, see [`TlsSession::download`](crate::tls::TlsSession::download).
    Receiving(Box<Receiving>),
    /// TLS in which we are the server.
    Server(Box<tokio_rustls::server::TlsStream<Wire>>),
    /// Any of these in MODE Z, see [`Stream::inflating`] and [`Stream::deflating`].
    Deflated(Box<Deflated>),
}

/// What TLS negotiated on one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFacts {
    /// `TLS 1.2` or `TLS 1.3`.
    pub version: &'static str,
    /// The cipher suite's name.
    pub cipher: String,
    /// True where the session of an earlier connection was resumed.
    pub resumed: bool,
    /// SHA-256 of the peer's certificate, where it has shown one.
    pub peer: Option<Fingerprint>,
    /// On a server: what the resumed session was tagged with, see
    /// [`ServerTls::accept`](crate::tls::ServerTls::accept). In TLS 1.3 only.
    pub session_tag: Option<Vec<u8>>,
}

impl Stream {
    /// The TCP connection underneath.
    #[must_use]
    pub fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Client(tls) => &tls.get_ref().0.tcp,
            Self::Receiving(tls) => &tls.tcp,
            Self::Server(tls) => &tls.get_ref().0.tcp,
            Self::Deflated(deflated) => deflated.inner.tcp(),
        }
    }

    /// The TCP connection underneath, without what lay on it: for one on which all has been said.
    #[must_use]
    pub fn into_tcp(self) -> TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Client(tls) => tls.into_inner().0.into_parts().0,
            Self::Receiving(tls) => tls.tcp,
            Self::Server(tls) => tls.into_inner().0.into_parts().0,
            Self::Deflated(deflated) => deflated.inner.into_tcp(),
        }
    }

    /// The connection as it is without MODE Z.
    fn beneath(&mut self) -> &mut Self {
        match self {
            Self::Deflated(deflated) => &mut deflated.inner,
            stream => stream,
        }
    }

    /// The peer's address.
    ///
    /// # Errors
    /// What the system says, when the connection is gone.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.tcp().peer_addr()
    }

    /// Our own address on this connection.
    ///
    /// # Errors
    /// What the system says, when the connection is gone.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp().local_addr()
    }

    /// True over TLS.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Deflated(deflated) => deflated.inner.is_encrypted(),
            Self::Client(_) | Self::Receiving(_) | Self::Server(_) => true,
        }
    }

    /// Makes the close of this connection a reset, so that the peer can't take it for the end of a file.
    pub fn reset_on_drop(&self) {
        crate::tcp::reset_on_drop(self.tcp());
    }

    /// Ends TLS and goes on without, on the same TCP connection (CCC, RFC 4217 section 12.3): says goodbye (close_notify),
    /// and waits for the peer's. The result is the plain connection, and what the peer has already sent behind its
    /// goodbye, in plain; a plain connection stays as it is.
    ///
    /// # Errors
    /// [`NetError::Tls`] where the peer goes on in TLS (what it says then has been read and is lost), sends what is none,
    /// or closes; [`NetError::Timeout`] where it does nothing for `limit`; [`NetError::Io`]. The connection is gone then.
    pub async fn into_plain(self, limit: Duration) -> Result<(Self, Vec<u8>), NetError> {
        let ending = async {
            let wire = match self {
                Self::Client(mut tls) => {
                    tls.get_mut().0.go_by_record();
                    end_tls(&mut tls, |tls| tls.get_mut().1.send_close_notify()).await?;
                    tls.into_inner().0
                }
                Self::Server(mut tls) => {
                    tls.get_mut().0.go_by_record();
                    end_tls(&mut tls, |tls| tls.get_mut().1.send_close_notify()).await?;
                    tls.into_inner().0
                }
                plain @ Self::Plain(_) => return Ok((plain, Vec::new())),
                Self::Receiving(_) | Self::Deflated(_) => {
                    return Err(NetError::Io(io::ErrorKind::Unsupported.into()));
                }
            };
            let (tcp, ahead) = wire.into_parts();
            Ok((Self::Plain(tcp), ahead))
        };
        tokio::time::timeout(limit, ending)
            .await
            .unwrap_or(Err(NetError::Timeout {
                what: Waited::Handshake,
                limit,
            }))
    }

    /// What TLS negotiated, `None` on a plain connection.
    #[must_use]
    pub fn tls_facts(&self) -> Option<TlsFacts> {
        match self {
            Self::Plain(_) => None,
            Self::Deflated(deflated) => deflated.inner.tls_facts(),
            Self::Receiving(tls) => Some(tls.facts.clone()),
            Self::Client(tls) => Some(TlsFacts::of(tls.get_ref().1)),
            Self::Server(tls) => {
                let connection = tls.get_ref().1;
                Some(TlsFacts {
                    session_tag: connection.received_resumption_data().map(<[u8]>::to_vec),
                    ..TlsFacts::of(connection)
                })
            }
        }
    }
}

impl Stream {
    /// The certificates that the peer has shown on this very connection, its own first, at most 16. Empty on a plain
    /// connection, on one that resumed a session of TLS 1.2 without them, and on one made for downloads, which keeps its
    /// session's ([`TlsSession::chain`](crate::tls::TlsSession::chain)).
    #[must_use]
    pub fn peer_chain(&self) -> Vec<CertificateInfo> {
        let chain = match self {
            Self::Client(tls) => tls.get_ref().1.peer_certificates(),
            Self::Server(tls) => tls.get_ref().1.peer_certificates(),
            Self::Deflated(deflated) => return deflated.inner.peer_chain(),
            Self::Plain(_) | Self::Receiving(_) => None,
        };
        CertificateInfo::of_chain(chain.unwrap_or_default())
    }
}

impl TlsFacts {
    pub(crate) fn of(common: &rustls::CommonState) -> Self {
        Self {
            version: match common.protocol_version() {
                Some(rustls::ProtocolVersion::TLSv1_3) => "TLS 1.3",
                Some(rustls::ProtocolVersion::TLSv1_2) => "TLS 1.2",
                _ => "TLS",
            },
            cipher: common
                .negotiated_cipher_suite()
                .and_then(|suite| suite.suite().as_str())
                .unwrap_or("unknown")
                .to_owned(),
            resumed: common.handshake_kind() == Some(HandshakeKind::Resumed),
            peer: common
                .peer_certificates()
                .and_then(|chain| chain.first())
                .map(|der| Fingerprint::of(der)),
            session_tag: None,
        }
    }
}

macro_rules! each {
    ($self:expr, $inner:ident => $call:expr) => {
        match $self.get_mut() {
            Stream::Plain($inner) => $call,
            Stream::Client($inner) => $call,
            Stream::Receiving($inner) => $call,
            Stream::Server($inner) => $call,
            Stream::Deflated($inner) => $call,
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        each!(self, s => Pin::new(s).poll_read(cx, buf))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        each!(self, s => Pin::new(s).poll_write(cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, s => Pin::new(s).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, s => Pin::new(s).poll_shutdown(cx))
    }
}

/// Goodbye, and the peer's. The TCP connection stays open.
async fn end_tls<T: AsyncRead + AsyncWrite + Unpin>(
    tls: &mut T,
    say_goodbye: impl FnOnce(&mut T),
) -> Result<(), NetError> {
    let broken = |reason: &str| NetError::Tls {
        reason: reason.to_owned(),
        eof: false,
    };
    say_goodbye(tls);
    tls.flush().await?;
    let mut byte = [0; 1];
    match tls.read(&mut byte).await {
        Ok(0) => Ok(()),
        Ok(_) => Err(broken(
            "the peer goes on in TLS after the end of TLS was agreed on",
        )),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(broken(
            "the peer closed the connection in place of ending TLS",
        )),
        Err(error) => Err(NetError::from_handshake(error)),
    }
}

/// Ends a data connection so that neither side loses bytes: flushes, says goodbye (close_notify over
/// TLS, FIN on TCP), then reads until the peer has done the same, at most `limit`.
///
/// Reading on matters twice: tickets for the next data connection may still be under way, and a
/// close with unread bytes would reset the connection and throw away what the peer has not yet read.
/// The bytes read here are dropped; the result is how many there were.
///
/// # Errors
/// Only those of sending, `TimedOut` among them where the peer takes nothing for a minute. A peer that never says
/// goodbye is no error here.
pub async fn shutdown_orderly(stream: &mut Stream, limit: Duration) -> io::Result<u64> {
    let sending = async {
        stream.flush().await?;
        stream.shutdown().await
    };
    tokio::time::timeout(SENDING, sending)
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    let stream = stream.beneath();
    let mut scratch = vec![0; 4096];
    let mut unread = 0;
    let drain = async {
        while let Ok(read @ 1..) = stream.read(&mut scratch).await {
            unread += read as u64;
        }
    };
    let _ = tokio::time::timeout(limit, drain).await;
    Ok(unread)
}
