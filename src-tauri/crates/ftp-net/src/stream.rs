use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use rustls::HandshakeKind;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::TcpStream,
};

use crate::{
    Deflated,
    tls::{CertificateInfo, Fingerprint, Receiving},
};

/// rustls asks the socket for 4 KiB at a time; this much is fetched instead, and handed out in pieces.
const READ_AHEAD: usize = 64 * 1024;

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

/// A TCP connection that reads ahead, as the layer under TLS.
#[derive(Debug)]
pub struct Wire {
    pub(crate) tcp: TcpStream,
    ahead: Vec<u8>,
    taken: usize,
}

impl Wire {
    pub(crate) fn new(tcp: TcpStream) -> Self {
        Self {
            tcp,
            ahead: Vec::new(),
            taken: 0,
        }
    }

    /// The connection, and the bytes that were read from it but not yet asked for.
    pub(crate) fn into_parts(self) -> (TcpStream, Vec<u8>) {
        (self.tcp, self.ahead[self.taken..].to_vec())
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.taken == this.ahead.len() {
            this.ahead.resize(READ_AHEAD, 0);
            this.taken = READ_AHEAD;
            let mut fresh = ReadBuf::new(&mut this.ahead);
            let outcome = Pin::new(&mut this.tcp).poll_read(cx, &mut fresh);
            let filled = fresh.filled().len();
            this.ahead.truncate(filled);
            this.taken = 0;
            ready!(outcome)?;
        }
        let give = buf.remaining().min(this.ahead.len() - this.taken);
        buf.put_slice(&this.ahead[this.taken..this.taken + give]);
        this.taken += give;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
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
