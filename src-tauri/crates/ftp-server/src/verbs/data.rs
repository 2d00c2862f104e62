//! PASV, EPSV, PORT, EPRT (RFC 959, RFC 2428).

use std::net::{IpAddr, SocketAddr, SocketAddrV4};

use ftp_proto::{Epsv, format_epsv, format_pasv};

use super::{Answer, done, reply};
use crate::event::EventKind;
use crate::session::{DataSetup, Session};

pub(super) async fn pasv(session: &mut Session) -> Answer {
    if session.state.epsv_all {
        return Err(reply(501, "Only EPSV after EPSV ALL."));
    }
    let IpAddr::V4(own) = session.local.ip().to_canonical() else {
        return Err(reply(522, "PASV can't say an IPv6 address, use EPSV."));
    };
    let port = open(session).await?;
    let shown = session.config().passive_address.unwrap_or(own);
    let address = format_pasv(SocketAddrV4::new(shown, port));
    done(227, &format!("Entering Passive Mode ({address})."))
}

pub(super) async fn epsv(session: &mut Session, wish: Option<Epsv>) -> Answer {
    let family = match session.local.ip().to_canonical() {
        IpAddr::V4(_) => 1,
        IpAddr::V6(_) => 2,
    };
    match wish {
        Some(Epsv::All) => {
            session.state.epsv_all = true;
            return done(200, "Only EPSV from now on.");
        }
        Some(Epsv::Protocol(protocol)) if protocol != family => {
            return Err(reply(
                522,
                &format!("Network protocol not supported, use ({family})."),
            ));
        }
        Some(Epsv::Protocol(_)) | None => {}
    }
    let port = open(session).await?;
    done(
        229,
        &format!("Entering Extended Passive Mode {}.", format_epsv(port)),
    )
}

/// PORT and EPRT: only to the client's own address and to a port that no system service has (RFC 2577), so that this
/// server can't be sent against others.
pub(super) fn active(session: &mut Session, address: SocketAddr) -> Answer {
    if session.state.epsv_all {
        return Err(reply(501, "Only EPSV after EPSV ALL."));
    }
    session.state.drop_port();
    let address = SocketAddr::new(address.ip().to_canonical(), address.port());
    let foreign = address.ip() != session.peer.ip() && !session.config().allow_fxp;
    if foreign || address.port() < 1024 {
        let reason = format!("data connection to {address}");
        session.tell(EventKind::Denied { reason });
        return Err(reply(504, "Only your own address, and ports from 1024 on."));
    }
    session.state.data = Some(DataSetup::Active(address));
    done(200, "Will connect there.")
}

/// A new listener in place of the old one.
async fn open(session: &mut Session) -> Result<u16, ftp_proto::Reply> {
    session.state.drop_port();
    let listener = session.config().data_ports.listen(session.local).await;
    let bound = listener.and_then(|listener| Ok((listener.local_addr()?.port(), listener)));
    let (port, listener) = bound.map_err(|error| {
        tracing::warn!(%error, "no data port");
        reply(425, "No free port for a data connection.")
    })?;
    session.state.data = Some(DataSetup::Passive(listener));
    Ok(port)
}
