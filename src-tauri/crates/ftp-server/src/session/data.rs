//! Data connections: where they come from, who may make them, and TLS on them.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ftp_net::tls::{Purpose, ServerTls};
use ftp_net::{NetError, Stream};
use tokio::net::{TcpListener, TcpStream};

use super::transfer::Failure;
use crate::limits::{DataSession, Limits};
use crate::profile::aioftp::Slot;

/// What the client has asked for: PASV or EPSV, PORT or EPRT, or nothing yet. Good for one transfer.
pub(crate) enum DataSetup {
    Passive(TcpListener),
    Active(SocketAddr),
    /// From a socket that takes connections, and does the handshake, on its own.
    Kept(Arc<Slot>),
}

/// TLS for a data connection.
#[derive(Clone)]
pub(crate) struct DataTls {
    pub(crate) tls: ServerTls,
    /// Marks the sessions of this control connection.
    pub(crate) tag: Vec<u8>,
    pub(crate) must: DataSession,
}

/// All that is needed to open one data connection.
pub(crate) struct DataOpener {
    pub(crate) setup: DataSetup,
    /// From where it must come; none where it may come from anywhere.
    pub(crate) peer: Option<IpAddr>,
    pub(crate) tls: Option<DataTls>,
    /// MODE Z, at this level.
    pub(crate) deflate: Option<u32>,
    pub(crate) limits: Limits,
}

impl DataOpener {
    /// Waits for the client (or goes to it), and does the handshake.
    pub(crate) async fn open(self, purpose: Purpose) -> Result<Stream, Failure> {
        let wait = self.limits.data_wait;
        let tcp = match self.setup {
            DataSetup::Passive(listener) => {
                tokio::time::timeout(wait, accept_from(&listener, self.peer))
                    .await
                    .map_err(|_| Failure::NoConnection)?
                    .map_err(|_| Failure::NoConnection)?
            }
            DataSetup::Kept(slot) => {
                let stream = slot.take(wait).await;
                return stream.ok_or(Failure::NoConnection);
            }
            DataSetup::Active(address) => ftp_net::connect_addr(address, wait)
                .await
                .map_err(|_| Failure::NoConnection)?,
        };
        let Some(secure) = self.tls else {
            let _ = tcp.set_nodelay(true);
            return Ok(Stream::Plain(tcp));
        };
        let stream = secure
            .tls
            .accept(tcp, purpose, &secure.tag, self.limits.handshake)
            .await
            .map_err(|error| match error {
                NetError::Timeout { .. } => Failure::Tls("the handshake took too long".to_owned()),
                other => Failure::Tls(other.to_string()),
            })?;
        let facts = stream.tls_facts();
        let resumed = facts.as_ref().is_some_and(|f| f.resumed);
        // TLS 1.2 doesn't say whose session it was: there it is one of this connection's own tickets or none.
        let ours = facts
            .and_then(|f| f.session_tag)
            .is_none_or(|tag| tag == secure.tag);
        match secure.must {
            DataSession::Any => Ok(stream),
            DataSession::Resumed if resumed => Ok(stream),
            DataSession::Same if resumed && ours => Ok(stream),
            DataSession::Resumed | DataSession::Same => Err(Failure::Tls(
                "resume the session of the control connection".to_owned(),
            )),
        }
    }
}

/// The first connection from the client's own address. Others are closed at once: whoever is first at the port must not get the data.
async fn accept_from(listener: &TcpListener, peer: Option<IpAddr>) -> io::Result<TcpStream> {
    loop {
        let (tcp, from) = listener.accept().await?;
        if peer.is_none_or(|peer| from.ip().to_canonical() == peer) {
            return Ok(tcp);
        }
        tracing::warn!(%from, "a stranger at the data port");
    }
}
