//! TYPE, MODE, STRU (RFC 959 section 5.1: what a server must at least have).

use super::{Answer, done, reply};
use crate::session::Session;

/// A, A N, I and L 8. Bytes go as they are in every type.
pub(super) fn type_code(session: &mut Session, code: &[u8]) -> Answer {
    let code = code.trim_ascii().to_ascii_uppercase();
    session.state.ascii = match code.as_slice() {
        b"A" | b"A N" => true,
        b"I" | b"L 8" | b"L8" => false,
        b"E" | b"E N" | b"E T" | b"E C" | b"A T" | b"A C" | b"L" => {
            return Err(reply(504, "Only TYPE A, I and L 8 work here."));
        }
        _ => return Err(reply(501, "TYPE takes A, I or L 8.")),
    };
    let name = String::from_utf8_lossy(&code);
    done(200, &format!("TYPE is {name}."))
}

pub(super) fn mode(mode: &[u8]) -> Answer {
    match mode.trim_ascii() {
        b"S" | b"s" => done(200, "MODE is S."),
        _ => Err(reply(504, "Only MODE S works here.")),
    }
}

pub(super) fn stru(structure: &[u8]) -> Answer {
    match structure.trim_ascii() {
        b"F" | b"f" => done(200, "STRU is F."),
        _ => Err(reply(504, "Only STRU F works here.")),
    }
}
