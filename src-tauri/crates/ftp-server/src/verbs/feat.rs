//! FEAT and OPTS (RFC 2389), OPTS MLST (RFC 3659 section 7.9).

use ftp_proto::Features;
use ftp_proto::listing::MlsxFacts;

use super::{Answer, Outcome, done, hash, params, reply};
use crate::session::Session;

pub(super) fn feat(session: &Session) -> Answer {
    let config = session.config();
    let mut features = Features::default();
    if config.tls.is_some() {
        for line in ["AUTH TLS", "PBSZ", "PROT"] {
            features.insert(line);
        }
    }
    for line in ["AVBL", "CLNT", "CSID", "EPRT", "EPSV"] {
        features.insert(line);
    }
    features.insert(&format!("HASH {}", hash::feature(session.state.hash)));
    if !config.hosts.is_empty() {
        features.insert("HOST");
    }
    for line in ["LANG EN*", "MD5", "MDTM", "MFF Modify;UNIX.mode;", "MFMT"] {
        features.insert(line);
    }
    features.insert(&format!("MLST {}", session.state.facts.feature()));
    // Clients that read UTF8 here send it, without asking for it by OPTS first.
    let utf8 = if session.charset().is_utf8() {
        "UTF8"
    } else {
        ""
    };
    for line in [
        "MODE Z",
        "RANG STREAM",
        "REST STREAM",
        "SIZE",
        "TVFS",
        utf8,
        "XCRC",
        "XMD5",
        "XSHA1",
        "XSHA256",
        "XSHA512",
    ] {
        if !line.is_empty() {
            features.insert(line);
        }
    }
    Ok(Outcome::Reply(features.to_reply()))
}

pub(super) fn opts(session: &mut Session, option: &[u8]) -> Answer {
    let mut words = option.trim_ascii().splitn(2, |b| *b == b' ');
    let name = words.next().unwrap_or_default().to_ascii_uppercase();
    let value = words.next().unwrap_or_default().trim_ascii();
    match name.as_slice() {
        b"UTF8" | b"UTF-8" => match value.to_ascii_uppercase().as_slice() {
            b"ON" | b"" if session.config().charset.is_utf8() => done(200, "UTF8 is always on."),
            b"ON" | b"" => {
                session.speak_utf8();
                done(200, "UTF8 from now on.")
            }
            b"OFF" => Err(reply(504, "UTF8 is always on.")),
            _ => Err(reply(501, "OPTS UTF8 takes ON.")),
        },
        b"MLST" => {
            session.state.facts = MlsxFacts::parse(value);
            let list = session.state.facts.names();
            done(200, format!("MLST OPTS {list}").trim_end())
        }
        b"HASH" => hash::opts(session, value),
        b"MODE" => params::opts_mode(session, value),
        _ => Err(reply(501, "No such option.")),
    }
}
