//! AUTH, PBSZ, PROT, CCC (RFC 2228, RFC 4217).

use super::{Answer, Outcome, done, reply};
use crate::session::Session;

pub(super) fn auth(session: &mut Session, mechanism: &[u8]) -> Answer {
    if session.config().tls.is_none() {
        return Err(reply(502, "TLS is not offered here."));
    }
    if session.control.is_encrypted() {
        return Err(reply(503, "Already encrypted."));
    }
    // RFC 4217 section 2: "TLS-C" is "TLS"; "SSL" and "TLS-P" ask for private data as well.
    let private = match mechanism.to_ascii_uppercase().as_slice() {
        b"TLS" | b"TLS-C" => false,
        b"SSL" | b"TLS-P" => true,
        _ => return Err(reply(504, "Only AUTH TLS is known here.")),
    };
    // RFC 4217 section 4.2: what was said in the clear counts no more.
    session.reset();
    session.state.private = private;
    session.state.protection_size = private;
    Ok(Outcome::Secure(reply(234, "Begin TLS.")))
}

pub(super) fn pbsz(session: &mut Session) -> Answer {
    if !session.control.is_encrypted() {
        return Err(reply(503, "AUTH TLS first."));
    }
    session.state.protection_size = true;
    // A stream has no blocks: whatever was asked for, it is 0 (RFC 4217 section 9).
    done(200, "PBSZ=0")
}

pub(super) fn prot(session: &mut Session, level: &[u8]) -> Answer {
    if !session.control.is_encrypted() {
        return Err(reply(503, "AUTH TLS first."));
    }
    if !session.state.protection_size {
        return Err(reply(503, "PBSZ 0 first."));
    }
    match level.to_ascii_uppercase().as_slice() {
        b"P" => {
            session.state.private = true;
            done(200, "Data will be encrypted.")
        }
        b"C" if session.config().require_tls => Err(reply(534, "Data must be encrypted here.")),
        b"C" => {
            session.state.private = false;
            done(200, "Data will not be encrypted.")
        }
        b"S" | b"E" => Err(reply(536, "Only C and P are supported.")),
        _ => Err(reply(504, "Only C and P are known.")),
    }
}

/// Going back to plain text is never a good idea.
pub(super) fn ccc() -> Answer {
    Err(reply(533, "The control connection stays encrypted."))
}
