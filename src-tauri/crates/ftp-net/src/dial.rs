use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpSocket, TcpStream};

use crate::{
    NetError, Proxy,
    proxy::{Destination, ProxyProblem, address_in, bare, unreachable},
    tcp::{resolve, with_limit},
};

/// How often a connection is tried again with another port of ours, where the one that the system chose is taken.
const PORTS: u32 = 4;

/// Makes the connections of one session: all of them the same way.
#[derive(Debug, Clone, Default)]
pub struct Dialer {
    /// The proxy that they go through; `None`: straight.
    pub proxy: Option<Proxy>,
    /// The address of this computer that they come from; `None`: as the system chooses.
    pub source: Option<IpAddr>,
    /// How long a connection may be silent before the system asks whether the peer is still there (TCP keep-alive);
    /// `None`: it never asks.
    pub keep_alive: Option<Duration>,
    /// For each TCP connection, and for the talk with the proxy, each.
    pub limit: Duration,
}

impl Dialer {
    /// Straight connections with this limit.
    #[must_use]
    pub fn new(limit: Duration) -> Self {
        Self {
            limit,
            ..Self::default()
        }
    }

    /// Connects to `host`: to the first of its addresses that answers, or, through a proxy that resolves names, to whatever
    /// the proxy takes it for. Small writes leave at once (TCP_NODELAY).
    ///
    /// # Errors
    /// [`NetError::Resolve`], [`NetError::Connect`] or [`NetError::Timeout`] (the last two for the last address tried), and
    /// [`NetError::Proxy`].
    pub async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, NetError> {
        if let Some(proxy) = &self.proxy
            && proxy.resolves()
        {
            let destination = match address_in(host) {
                Some(ip) => Destination::Address(SocketAddr::new(ip, port)),
                None => Destination::Name(bare(host), port),
            };
            return Box::pin(self.through(proxy, &destination)).await;
        }
        let mut addresses = resolve(host, port, self.limit).await?;
        if let Some(proxy) = &self.proxy {
            addresses.retain(SocketAddr::is_ipv4);
            if addresses.is_empty() {
                let why = "SOCKS 4 carries IPv4 addresses only, and the server has none; SOCKS 5 carries both";
                return Err(proxy.problem(ProxyProblem::Unable(why.to_owned())));
            }
        }
        first_of(addresses, host, |address| self.connect_addr(address)).await
    }

    /// Connects to one address. Small writes leave at once (TCP_NODELAY): commands, and the records of a
    /// TLS handshake, would otherwise wait for the peer's delayed acknowledgement, 40 ms each.
    ///
    /// # Errors
    /// [`NetError::Connect`], [`NetError::Timeout`] or [`NetError::Proxy`].
    pub async fn connect_addr(&self, address: SocketAddr) -> Result<TcpStream, NetError> {
        if let Some(proxy) = &self.proxy {
            return Box::pin(self.through(proxy, &Destination::Address(address))).await;
        }
        let tcp = with_limit(self.limit, self.dial_straight(address)).await?;
        tcp.set_nodelay(true)?;
        Ok(tcp)
    }

    /// Connects to one address, without a limit of its own and without changing how small writes leave: for the many data
    /// connections of small files, where both would be felt. Through a proxy it is the same as
    /// [`connect_addr`](Self::connect_addr).
    ///
    /// # Errors
    /// [`NetError::Connect`] or [`NetError::Proxy`].
    pub async fn dial(&self, address: SocketAddr) -> Result<TcpStream, NetError> {
        match &self.proxy {
            Some(proxy) => Box::pin(self.through(proxy, &Destination::Address(address))).await,
            None => self.dial_straight(address).await,
        }
    }

    async fn through(
        &self,
        proxy: &Proxy,
        destination: &Destination<'_>,
    ) -> Result<TcpStream, NetError> {
        let near = async {
            let addresses = resolve(&proxy.host, proxy.port, self.limit).await?;
            first_of(addresses, &proxy.host, |address| {
                with_limit(self.limit, self.dial_straight(address))
            })
            .await
        };
        let mut tcp = near
            .await
            .map_err(|error| proxy.problem(unreachable(error)))?;
        tcp.set_nodelay(true)?;
        proxy.ask(&mut tcp, destination, self.limit).await?;
        Ok(tcp)
    }

    async fn dial_straight(&self, address: SocketAddr) -> Result<TcpStream, NetError> {
        // Another family's address would only fail.
        let source = self
            .source
            .filter(|source| source.is_ipv4() == address.is_ipv4());
        let failed = |source| NetError::Connect { address, source };
        let tcp = on_another_port(|| async move {
            match source {
                None => TcpStream::connect(address).await,
                Some(source) => connect_from(source, address).await,
            }
        })
        .await
        .map_err(failed)?;
        if let Some(time) = self.keep_alive {
            keep_alive(&tcp, time).map_err(failed)?;
        }
        Ok(tcp)
    }
}

/// The system chooses a port of ours that may be taken in this direction; its next choice is another.
async fn on_another_port<T, F: Future<Output = io::Result<T>>>(
    mut connect: impl FnMut() -> F,
) -> io::Result<T> {
    let mut tried = 0;
    loop {
        match connect().await {
            Err(error) if is_of_the_port(&error) && tried < PORTS => tried += 1,
            outcome => return outcome,
        }
    }
}

fn is_of_the_port(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable
    )
}

async fn connect_from(source: IpAddr, address: SocketAddr) -> io::Result<TcpStream> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    let scope = match address {
        SocketAddr::V6(address) => address.scope_id(),
        SocketAddr::V4(_) => 0,
    };
    let mut from = SocketAddr::new(source, 0);
    if let SocketAddr::V6(from) = &mut from {
        from.set_scope_id(scope);
    }
    socket.bind(from)?;
    socket.connect(address).await
}

/// Asks after `time` of silence, and every 15 seconds from then on.
fn keep_alive(tcp: &TcpStream, time: Duration) -> io::Result<()> {
    // A kernel knows whole seconds, and none is not a time.
    let time = time.max(Duration::from_secs(1));
    let settings = TcpKeepalive::new()
        .with_time(time)
        .with_interval(time.min(Duration::from_secs(15)));
    SockRef::from(tcp).set_tcp_keepalive(&settings)
}

/// What the first of the addresses gives that gives something, else the last one's error.
pub(crate) async fn first_of<F: Future<Output = Result<TcpStream, NetError>>>(
    addresses: Vec<SocketAddr>,
    host: &str,
    mut connect: impl FnMut(SocketAddr) -> F,
) -> Result<TcpStream, NetError> {
    let mut last = NetError::Resolve {
        host: host.to_owned(),
        source: io::Error::new(io::ErrorKind::NotFound, "the name has no address"),
    };
    for address in addresses {
        match connect(address).await {
            Ok(tcp) => return Ok(tcp),
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn a_port_that_is_taken_is_followed_by_another_a_few_times() {
        use io::ErrorKind::{AddrInUse, AddrNotAvailable, ConnectionRefused};
        for (failures, calls, outcome) in [
            (vec![], 1, None),
            (vec![AddrInUse, AddrNotAvailable], 3, None),
            (vec![AddrNotAvailable; 9], 5, Some(AddrNotAvailable)),
            (
                vec![AddrInUse, ConnectionRefused],
                2,
                Some(ConnectionRefused),
            ),
        ] {
            let mut left = failures.into_iter();
            let mut called = 0;
            let connected = on_another_port(|| {
                called += 1;
                std::future::ready(left.next().map_or(Ok(()), |kind| Err(kind.into())))
            })
            .await;
            assert_eq!(called, calls);
            assert_eq!(connected.err().map(|error| error.kind()), outcome);
        }
    }
}
