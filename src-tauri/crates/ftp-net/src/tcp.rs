use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use tokio::net::{TcpListener, TcpStream, lookup_host};

use crate::{NetError, Waited};

/// How long to wait for what. The defaults are 30 seconds each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For a TCP connection and for a TLS handshake, each.
    pub connect: Duration,
    /// For the reply to a command.
    pub reply: Duration,
    /// For the next byte on a data connection.
    pub idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self::all(Duration::from_secs(30))
    }
}

impl Timeouts {
    /// One limit for everything.
    #[must_use]
    pub const fn all(limit: Duration) -> Self {
        Self {
            connect: limit,
            reply: limit,
            idle: limit,
        }
    }
}

/// Connects to the first address of `host` that answers; each address has `limit`.
///
/// # Errors
/// [`NetError::Resolve`], [`NetError::Connect`] or [`NetError::Timeout`], the last two for the last
/// address tried.
pub async fn connect(host: &str, port: u16, limit: Duration) -> Result<TcpStream, NetError> {
    // A bracketed IPv6 address is what a URL gives.
    let bare = host
        .strip_prefix('[')
        .and_then(|h| h.strip_suffix(']'))
        .unwrap_or(host);
    let resolve = |source| NetError::Resolve {
        host: host.to_owned(),
        source,
    };
    let addresses: Vec<SocketAddr> = match bare.parse::<IpAddr>() {
        Ok(ip) => vec![SocketAddr::new(ip, port)],
        Err(_) => match tokio::time::timeout(limit, lookup_host((bare, port))).await {
            Ok(found) => found.map_err(resolve)?.collect(),
            Err(_) => return Err(resolve(io::ErrorKind::TimedOut.into())),
        },
    };
    let mut last = resolve(io::Error::new(
        io::ErrorKind::NotFound,
        "the name has no address",
    ));
    for address in addresses {
        match connect_addr(address, limit).await {
            Ok(tcp) => return Ok(tcp),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Connects to one address. Small writes leave at once (TCP_NODELAY): commands, and the records of a
/// TLS handshake, would otherwise wait for the peer's delayed acknowledgement, 40 ms each.
///
/// # Errors
/// [`NetError::Connect`] or [`NetError::Timeout`].
pub async fn connect_addr(address: SocketAddr, limit: Duration) -> Result<TcpStream, NetError> {
    let tcp = tokio::time::timeout(limit, TcpStream::connect(address))
        .await
        .map_err(|_| NetError::Timeout {
            what: Waited::Connect,
            limit,
        })?
        .map_err(|source| NetError::Connect { address, source })?;
    tcp.set_nodelay(true)?;
    Ok(tcp)
}

/// Connects to one address, without a limit of its own and without changing how small writes leave: for the many data connections of
/// small files, where both would be felt.
///
/// # Errors
/// [`NetError::Connect`].
pub async fn dial(address: SocketAddr) -> Result<TcpStream, NetError> {
    TcpStream::connect(address)
        .await
        .map_err(|source| NetError::Connect { address, source })
}

/// Listens on a port of `ip` that the system chooses.
///
/// # Errors
/// What the system says, as [`NetError::Io`].
pub async fn listen(ip: IpAddr) -> Result<TcpListener, NetError> {
    Ok(TcpListener::bind(SocketAddr::new(ip, 0)).await?)
}

/// Makes the close of a socket a reset. A failure leaves an ordinary close, and there is nothing to do about it.
pub(crate) fn reset_on_drop(socket: impl std::os::fd::AsFd) {
    let _ = rustix::net::sockopt::set_socket_linger(socket, Some(Duration::ZERO));
}
