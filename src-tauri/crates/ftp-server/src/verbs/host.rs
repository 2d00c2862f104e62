//! HOST (RFC 7151).

use std::sync::Arc;

use super::{Answer, done, reply};
use crate::session::Session;

/// Before USER. 504 for a name that nobody has here, and for another one than the handshake of TLS has named.
pub(super) fn host(session: &mut Session, name: &[u8]) -> Answer {
    if session.config().hosts.is_empty() {
        return Err(reply(502, "There is one host here."));
    }
    if session.state.named.is_some() || session.state.account.is_some() {
        return Err(reply(503, "HOST comes before USER; REIN first."));
    }
    let Some(host) = session.config().host(name.trim_ascii()) else {
        return Err(reply(504, "No such host here."));
    };
    let other = |before: &Arc<_>| !Arc::ptr_eq(before, &host);
    if session.named_by_tls && session.host.as_ref().is_some_and(other) {
        return Err(reply(504, "TLS was asked for with another name."));
    }
    let answer = done(220, &host.welcome);
    session.host = Some(host);
    answer
}
