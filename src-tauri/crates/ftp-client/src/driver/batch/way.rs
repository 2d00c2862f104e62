//! The data connections of a batch.

use std::{
    future::pending,
    net::{IpAddr, SocketAddr},
};

use ftp_net::{
    Dialer, NetError, Stream, Waited,
    tls::{TlsSession, Versions},
};
use ftp_proto::{Command, Reply};
use tokio::{io::AsyncWriteExt, net::TcpListener};

use super::data::{Activity, Failure};
use crate::{
    Error,
    driver::{Driver, data::accept_from},
};

/// Who opens the data connections of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// We, where EPSV says.
    Epsv,
    /// We, where PASV says.
    Pasv,
    /// The server.
    Active,
}

/// One data connection that was agreed on.
pub(super) enum Agreed {
    Dial(SocketAddr),
    /// Through a proxy, which knows the server by its name.
    DialName(String, u16),
    Accept(TcpListener, IpAddr),
    /// The server wants none of it. What follows will be refused too.
    Nothing,
}

impl Driver {
    /// The command that agrees on a data connection; for the active way, the socket that it leads to.
    pub(super) async fn demand(
        &self,
        way: Way,
        local: IpAddr,
    ) -> Result<(Command, Option<TcpListener>), Error> {
        Ok(match way {
            Way::Epsv => (Command::Epsv(None), None),
            Way::Pasv => (Command::Pasv, None),
            Way::Active => {
                let listener = self.listen(local).await?;
                let address = listener
                    .local_addr()
                    .map_err(|error| Error::net("active mode", NetError::Io(error)))?;
                let command = match self.told(address) {
                    SocketAddr::V4(address) => Command::Port(address),
                    address @ SocketAddr::V6(_) => Command::Eprt(address),
                };
                (command, Some(listener))
            }
        })
    }

    /// What a reply to [`Driver::demand`]'s command says; `None` where it can't be the reply to that.
    pub(super) fn agreed(
        &self,
        way: Way,
        reply: &Reply,
        listener: Option<TcpListener>,
        peer: IpAddr,
    ) -> Option<Agreed> {
        if reply.code.is_permanent() || reply.code.is_transient() {
            return Some(Agreed::Nothing);
        }
        match (way, reply.code.value(), listener) {
            (Way::Epsv, 229, _) => {
                let port = ftp_proto::parse_epsv(reply.first_line()).ok()?;
                Some(self.dialled(None, peer, port))
            }
            (Way::Pasv, 227, _) => {
                let named = ftp_proto::parse_pasv(reply.first_line()).ok()?;
                let ip = self.believed(*named.ip(), peer);
                Some(self.dialled(ip, peer, named.port()))
            }
            // 229 or 227 here would be the answer to something else.
            (Way::Active, 200..227 | 250, Some(listener)) => Some(Agreed::Accept(listener, peer)),
            _ => None,
        }
    }

    fn dialled(&self, named: Option<IpAddr>, peer: IpAddr, port: u16) -> Agreed {
        match named {
            None if self.config.proxy.is_some() => Agreed::DialName(self.config.host.clone(), port),
            ip => Agreed::Dial(SocketAddr::new(ip.unwrap_or(peer), port)),
        }
    }

    /// The session that data connections resume, where they are encrypted.
    pub(super) fn data_tls(&self) -> Option<TlsSession> {
        self.tls.clone().filter(|_| self.data_encrypted)
    }

    /// True where a data connection can do without resuming anything.
    pub(super) fn needs_no_ticket(&self) -> bool {
        self.learned().tls13_only || self.tls.as_ref().is_some_and(|tls| tls.tickets_seen() == 0)
    }
}

/// How TLS is laid over data connections.
pub(super) struct Secure {
    pub(super) session: TlsSession,
    /// True where nothing has to be resumed.
    pub(super) free: bool,
}

impl Secure {
    /// The handshake may begin before the server has said that it will use the connection: a refusal costs a ticket, and
    /// there is one to spare.
    fn may_waste(&self) -> bool {
        self.free || self.session.versions() == Versions::Tls12 || self.session.tickets() > 1
    }

    fn has_ticket(&self) -> bool {
        self.free || self.session.can_resume()
    }
}

/// Makes the data connection. `half`: nothing will be sent on it, and our end is said at once, since this server waits for it before it
/// says 226.
pub(super) async fn open(
    agreed: Agreed,
    dialer: &Dialer,
    secure: Option<&Secure>,
    half: bool,
    activity: &Activity,
) -> Result<Stream, Failure> {
    let mut tcp = match agreed {
        Agreed::Dial(address) => dialer.dial(address).await?,
        Agreed::DialName(host, port) => dialer.connect(&host, port).await?,
        Agreed::Accept(listener, peer) => accept_from(&listener, peer).await?,
        Agreed::Nothing => return pending().await,
    };
    activity.dialled();
    let Some(secure) = secure else {
        if half {
            tcp.shutdown().await?;
        }
        return Ok(Stream::Plain(tcp));
    };
    // Nagle's delay would hold the records of a handshake back.
    tcp.set_nodelay(true)?;
    if !secure.may_waste() {
        activity.begun().await;
    }
    if !secure.has_ticket() {
        return Err(Failure::NoTicket);
    }
    let stream = secure.session.connect(tcp, dialer.limit).await;
    activity.stir();
    let mut stream = stream?;
    if half {
        stream.shutdown().await?;
    }
    Ok(stream)
}

/// True where a failure is that of the way to the data connection, not of what went over it.
pub(super) const fn is_of_the_way(failure: &Failure) -> bool {
    matches!(
        failure,
        Failure::Net(
            NetError::Connect { .. }
                | NetError::Timeout {
                    what: Waited::Connect | Waited::Accept,
                    ..
                }
        )
    )
}
