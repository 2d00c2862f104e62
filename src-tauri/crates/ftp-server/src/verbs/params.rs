//! TYPE, MODE, STRU (RFC 959 section 5.1: what a server must at least have; MODE Z: draft-preston-ftpext-deflate-04).

use super::{Answer, done, reply};
use crate::session::Session;

/// A, A N, I and L 8.
pub(super) fn type_code(session: &mut Session, code: &[u8]) -> Answer {
    let code = code.trim_ascii().to_ascii_uppercase();
    session.state.binary = match code.as_slice() {
        b"A" | b"A N" => false,
        b"I" | b"L 8" | b"L8" => true,
        b"E" | b"E N" | b"E T" | b"E C" | b"A T" | b"A C" | b"L" => {
            return Err(reply(504, "Only TYPE A, I and L 8 work here."));
        }
        [b'L', b' ', size @ ..] if size.iter().all(u8::is_ascii_digit) => {
            return Err(reply(504, "Only TYPE A, I and L 8 work here."));
        }
        _ => return Err(reply(501, "TYPE takes A, I or L 8.")),
    };
    let name = String::from_utf8_lossy(&code);
    done(200, &format!("TYPE is {name}."))
}

pub(super) fn mode(session: &mut Session, mode: &[u8]) -> Answer {
    session.state.deflate = match mode.trim_ascii() {
        b"S" | b"s" => false,
        b"Z" | b"z" => true,
        b"B" | b"b" | b"C" | b"c" => return Err(reply(504, "Only MODE S and Z work here.")),
        _ => return Err(reply(501, "MODE takes S or Z.")),
    };
    let name = if session.state.deflate { "Z" } else { "S" };
    done(200, &format!("MODE is {name}."))
}

/// `OPTS MODE Z LEVEL 6` and its kin (section 3.2 of the draft): one pair or several. ENGINE and METHOD have one value each.
pub(super) fn opts_mode(session: &mut Session, options: &[u8]) -> Answer {
    const TAKES: &str = "OPTS MODE takes Z, and then LEVEL and a number from 0 to 9.";
    let text = options.to_ascii_uppercase();
    let mut words = text.split(|b| *b == b' ').filter(|w| !w.is_empty());
    if words.next() != Some(b"Z") {
        return Err(reply(501, TAKES));
    }
    let mut level = session.state.level;
    while let Some(name) = words.next() {
        let value = words.next().ok_or_else(|| reply(501, TAKES))?;
        match (name, value) {
            (b"LEVEL", [digit @ b'0'..=b'9']) => level = Some(u32::from(digit - b'0')),
            (b"ENGINE", b"ZLIB") | (b"METHOD", b"8") => {}
            (b"ENGINE" | b"METHOD", _) => return Err(reply(504, "Only ZLIB and method 8.")),
            _ => return Err(reply(501, TAKES)),
        }
    }
    session.state.level = level;
    match level {
        Some(level) => done(200, &format!("MODE Z LEVEL is {level}.")),
        None => done(200, "MODE Z is as it was."),
    }
}

pub(super) fn stru(structure: &[u8]) -> Answer {
    match structure.trim_ascii() {
        b"F" | b"f" => done(200, "STRU is F."),
        b"R" | b"r" | b"P" | b"p" => Err(reply(504, "Only STRU F works here.")),
        _ => Err(reply(501, "STRU takes F.")),
    }
}
