use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    time::Duration,
};

use tokio::net::{TcpListener, TcpStream, lookup_host};

use crate::{
    Dialer, NetError, Waited,
    proxy::{address_in, bare},
};

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

/// Connects to the first address of `host` that answers; each address has `limit`. Straight: [`Dialer`] knows proxies.
///
/// # Errors
/// [`NetError::Resolve`], [`NetError::Connect`] or [`NetError::Timeout`], the last two for the last
/// address tried.
pub async fn connect(host: &str, port: u16, limit: Duration) -> Result<TcpStream, NetError> {
    Dialer::new(limit).connect(host, port).await
}

/// Connects to one address, as [`Dialer::connect_addr`] does without a proxy.
///
/// # Errors
/// [`NetError::Connect`] or [`NetError::Timeout`].
pub async fn connect_addr(address: SocketAddr, limit: Duration) -> Result<TcpStream, NetError> {
    Dialer::new(limit).connect_addr(address).await
}

/// Connects to one address, as [`Dialer::dial`] does without a proxy.
///
/// # Errors
/// [`NetError::Connect`].
pub async fn dial(address: SocketAddr) -> Result<TcpStream, NetError> {
    Dialer::default().dial(address).await
}

/// The addresses of a host name or address; a bracketed IPv6 address is what a URL gives.
///
/// # Errors
/// [`NetError::Resolve`] where there is none, or the answer does not come within `limit`.
pub async fn resolve(host: &str, port: u16, limit: Duration) -> Result<Vec<SocketAddr>, NetError> {
    if let Some(ip) = address_in(host) {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    let failed = |source| NetError::Resolve {
        host: host.to_owned(),
        source,
    };
    match tokio::time::timeout(limit, lookup_host((bare(host), port))).await {
        Ok(found) => Ok(found.map_err(failed)?.collect()),
        Err(_) => Err(failed(io::ErrorKind::TimedOut.into())),
    }
}

/// A connection within the limit.
pub(crate) async fn with_limit(
    limit: Duration,
    connecting: impl Future<Output = Result<TcpStream, NetError>>,
) -> Result<TcpStream, NetError> {
    tokio::time::timeout(limit, connecting)
        .await
        .unwrap_or(Err(NetError::Timeout {
            what: Waited::Connect,
            limit,
        }))
}

/// Listens on a port of `ip` that the system chooses.
///
/// # Errors
/// What the system says, as [`NetError::Io`].
pub async fn listen(ip: IpAddr) -> Result<TcpListener, NetError> {
    listen_in(ip, None).await
}

/// Listens on a port of `ip` out of `ports`, where a router or firewall lets only those through; `None`: the system
/// chooses. The search begins at random within the range, so that nobody can tell which port comes next, and two programs
/// with one range don't race for its first port.
///
/// # Errors
/// [`NetError::NoPort`] where none of them is free, and what the system says else, as [`NetError::Io`].
pub async fn listen_in(
    ip: IpAddr,
    ports: Option<RangeInclusive<u16>>,
) -> Result<TcpListener, NetError> {
    let Some(ports) = ports else {
        return Ok(TcpListener::bind(SocketAddr::new(ip, 0)).await?);
    };
    let (first, last) = (*ports.start(), *ports.end());
    let count = u32::from(last).saturating_sub(u32::from(first)) + u32::from(first <= last);
    let mut random = [0; 4];
    // Without chance it begins at the first one.
    let _ = aws_lc_rs::rand::fill(&mut random);
    let start = u32::from_le_bytes(random);
    for step in 0..count {
        // Less than 65536, since it is within the range.
        let port = u32::from(first) + (start % count + step) % count;
        let port = u16::try_from(port).unwrap_or(last);
        match TcpListener::bind(SocketAddr::new(ip, port)).await {
            Err(error) if is_of_the_port(&error) => {}
            outcome => return Ok(outcome?),
        }
    }
    Err(NetError::NoPort { first, last })
}

/// Another port may do better.
fn is_of_the_port(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied
    )
}

/// The address of this computer that the system would choose for a connection to `peer`. Nothing is sent.
///
/// # Errors
/// What the system says, where there is no way to `peer`.
pub fn source_for(peer: SocketAddr) -> io::Result<IpAddr> {
    let any: IpAddr = match peer {
        SocketAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = std::net::UdpSocket::bind((any, 0))?;
    socket.connect(peer)?;
    Ok(socket.local_addr()?.ip())
}

/// Makes the close of a socket a reset. A failure leaves an ordinary close, and there is nothing to do about it.
pub(crate) fn reset_on_drop(socket: impl std::os::fd::AsFd) {
    let _ = rustix::net::sockopt::set_socket_linger(socket, Some(Duration::ZERO));
}
