//! Proxies: SOCKS 4, 4a and 5 (RFC 1928, RFC 1929), and HTTP's CONNECT (RFC 9110 section 9.3.6).

mod http;
mod socks;
mod text;

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

pub use text::ProxyParseError;

use crate::{NetError, Waited};

/// What a proxy speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProxyKind {
    /// SOCKS version 4: IPv4 addresses only, so names are resolved here.
    Socks4,
    /// SOCKS version 4a: names are resolved by the proxy.
    Socks4a,
    /// SOCKS version 5 (RFC 1928): names are resolved by the proxy.
    Socks5,
    /// An HTTP proxy that has CONNECT. Many of them let it through to few ports only, and not to those of
    /// data connections.
    Http,
}

impl ProxyKind {
    /// Whether it can ask for a password. SOCKS 4 knows names of users only.
    #[must_use]
    pub const fn has_passwords(self) -> bool {
        matches!(self, Self::Socks5 | Self::Http)
    }

    /// The name before `://`.
    #[must_use]
    pub const fn scheme(self) -> &'static str {
        match self {
            Self::Socks4 => "socks4",
            Self::Socks4a => "socks4a",
            Self::Socks5 => "socks5",
            Self::Http => "http",
        }
    }

    /// The usual port: 1080 for SOCKS, 8080 for HTTP.
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Socks4 | Self::Socks4a | Self::Socks5 => 1080,
            Self::Http => 8080,
        }
    }
}

/// Who we are to a proxy.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyLogin {
    /// The user's name. SOCKS 4 has nothing but this.
    pub user: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for ProxyLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxyLogin")
            .field("user", &self.user)
            .field("password", &"*****")
            .finish()
    }
}

/// A proxy that connections are made through.
///
/// Its text form is `KIND://[USER[:PASSWORD]@]HOST[:PORT]` with `socks4`, `socks4a`, `socks5` (or `socks5h`) and
/// `http` as kinds; what is special in user and password is percent-encoded. Shown, it never has the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// What it speaks.
    pub kind: ProxyKind,
    /// Its host name or address; an IPv6 address without brackets.
    pub host: String,
    /// Its TCP port.
    pub port: u16,
    /// Who we are to it.
    pub login: Option<ProxyLogin>,
}

/// Why a connection through a proxy did not come about.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyProblem {
    /// There is no connection to the proxy itself.
    #[error("the proxy itself can't be reached")]
    Unreachable(#[source] Box<NetError>),
    /// It took longer than the limit.
    #[error("the proxy did not answer within {} s", .0.as_secs_f32())]
    Timeout(Duration),
    /// It wants to know who we are, and no user is given.
    #[error("the proxy wants a user name and a password{0}")]
    LoginNeeded(Said),
    /// It does not accept the user name or the password.
    #[error("the proxy refused the user name or the password{0}")]
    LoginRefused(Said),
    /// Its rules don't allow this connection.
    #[error("the proxy does not allow a connection to {target}{said}")]
    Forbidden {
        /// Where to, as the proxy was asked.
        target: String,
        /// What it said.
        said: Said,
    },
    /// It could not reach the server: the same as [`NetError::Connect`] without a proxy.
    #[error("the proxy can't reach {target}{said}")]
    TargetUnreachable {
        /// Where to, as the proxy was asked.
        target: String,
        /// What it said.
        said: Said,
    },
    /// It closed the connection in the middle of its answer.
    #[error("the proxy closed the connection{0}")]
    Closed(Said),
    /// Its answer is none: perhaps it is no proxy, or one of another kind.
    #[error("that is no answer of a proxy of this kind{0}")]
    Protocol(Said),
    /// What was asked for can't be said to this kind of proxy.
    #[error("{0}")]
    Unable(String),
    /// The connection to the proxy broke.
    #[error("the connection to the proxy broke")]
    Io(#[source] io::Error),
}

/// The words of a proxy, escaped, at most 200 bytes of them; may be empty. Shown in brackets behind a space.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Said(pub String);

/// The most of a proxy's words that is shown.
const SHOWN: usize = 200;

impl Said {
    pub(crate) fn bytes(bytes: &[u8]) -> Self {
        Self(bytes[..bytes.len().min(SHOWN)].escape_ascii().to_string())
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        write!(f, " ({})", self.0)
    }
}

/// Where a proxy is to connect to.
pub(crate) enum Destination<'a> {
    Address(SocketAddr),
    /// A name that the proxy resolves.
    Name(&'a str, u16),
}

impl fmt::Display for Destination<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => fmt::Display::fmt(address, f),
            Self::Name(host, port) => write!(f, "{}:{port}", host.escape_debug()),
        }
    }
}

impl Proxy {
    /// True where the proxy can be given names.
    pub(crate) const fn resolves(&self) -> bool {
        !matches!(self.kind, ProxyKind::Socks4)
    }

    /// The same with this password, where there is a user.
    #[must_use]
    pub fn with_password(mut self, password: impl Into<String>) -> Self {
        if let Some(login) = &mut self.login {
            login.password = password.into();
        }
        self
    }

    /// An error of this proxy.
    pub(crate) fn problem(&self, problem: ProxyProblem) -> NetError {
        NetError::Proxy {
            proxy: Box::new(Self {
                login: None,
                ..self.clone()
            }),
            problem,
        }
    }

    /// Asks for a connection on to `destination` over `tcp`, a fresh connection to the proxy. What the server says
    /// right after it is left unread.
    pub(crate) async fn ask(
        &self,
        tcp: &mut TcpStream,
        destination: &Destination<'_>,
        limit: Duration,
    ) -> Result<(), NetError> {
        let asking = async {
            match self.kind {
                ProxyKind::Socks4 | ProxyKind::Socks4a => {
                    socks::version4(tcp, self.login.as_ref(), destination).await
                }
                ProxyKind::Socks5 => socks::version5(tcp, self.login.as_ref(), destination).await,
                ProxyKind::Http => http::connect(tcp, self.login.as_ref(), destination).await,
            }
        };
        tokio::time::timeout(limit, asking)
            .await
            .unwrap_or(Err(ProxyProblem::Timeout(limit)))
            .map_err(|problem| self.problem(problem))
    }
}

/// The error of a connection to the proxy itself.
pub(crate) fn unreachable(error: NetError) -> ProxyProblem {
    match error {
        NetError::Timeout {
            what: Waited::Connect,
            limit,
        } => ProxyProblem::Timeout(limit),
        error => ProxyProblem::Unreachable(Box::new(error)),
    }
}

/// The address in a host name, if it is one; an IPv6 address may be in brackets.
pub(crate) fn address_in(host: &str) -> Option<IpAddr> {
    bare(host).parse().ok()
}

/// A host name as URLs have it, without the brackets of an IPv6 address.
pub(crate) fn bare(host: &str) -> &str {
    host.strip_prefix('[')
        .and_then(|h| h.strip_suffix(']'))
        .unwrap_or(host)
}

async fn send(tcp: &mut TcpStream, bytes: &[u8]) -> Result<(), ProxyProblem> {
    tcp.write_all(bytes).await.map_err(broke)
}

/// Exactly so many bytes of an answer.
async fn receive<const N: usize>(
    tcp: &mut TcpStream,
    so_far: &[u8],
) -> Result<[u8; N], ProxyProblem> {
    let mut bytes = [0; N];
    let mut filled = 0;
    while filled < N {
        match tcp.read(&mut bytes[filled..]).await.map_err(broke)? {
            0 => {
                let said = [so_far, &bytes[..filled]].concat();
                return Err(ProxyProblem::Closed(Said::bytes(&said)));
            }
            read => filled += read,
        }
    }
    Ok(bytes)
}

fn broke(error: io::Error) -> ProxyProblem {
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
            ProxyProblem::Closed(Said::default())
        }
        _ => ProxyProblem::Io(error),
    }
}
