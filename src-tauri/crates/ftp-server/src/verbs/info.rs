//! Verbs that only talk: SYST, HELP, NOOP, ABOR (outside transfers), ALLO, CLNT, STAT without a path.

use ftp_proto::Reply;

use super::{Answer, Outcome, TABLE, done, reply};
use crate::session::Session;

pub(super) fn syst(session: &Session) -> Answer {
    done(215, &session.config().system_type)
}

pub(super) fn noop() -> Answer {
    done(200, "OK")
}

/// Its part during a transfer was done when it came; this is its reply, after the 426 or the 226 of the transfer.
pub(super) fn abor() -> Answer {
    done(226, "Nothing is running now.")
}

pub(super) fn allo() -> Answer {
    done(202, "No need to allocate.")
}

pub(super) fn clnt() -> Answer {
    done(200, "Noted.")
}

/// Who we are, in the form in which clients say who they are (draft-peterson-streamlined-ftp-command-extensions).
pub(super) fn csid() -> Answer {
    done(
        200,
        concat!("Name=Slipway; Version=", env!("CARGO_PKG_VERSION"), ";"),
    )
}

/// RFC 2640 section 4.1: which language the replies are in. There is one.
pub(super) fn lang(wish: &[u8]) -> Answer {
    let wish = wish.trim_ascii().to_ascii_lowercase();
    match wish.as_slice() {
        b"" | b"en" => done(200, "Replies are in English."),
        dialect if dialect.starts_with(b"en-") => done(200, "Replies are in English."),
        _ => Err(reply(504, "Replies are in English only.")),
    }
}

pub(super) fn help(session: &Session, about: Option<&[u8]>) -> Answer {
    let own = session.config().commands.keys().map(String::as_str);
    let all: Vec<&str> = TABLE.iter().map(|(verb, _)| *verb).chain(own).collect();
    if let Some(about) = about.filter(|a| !a.is_empty()) {
        let about = about.to_ascii_uppercase();
        return match all.iter().find(|verb| verb.as_bytes() == about) {
            Some(verb) => done(214, &format!("{verb} is supported.")),
            None => Err(reply(502, "Not supported.")),
        };
    }
    let rows = all.chunks(8).map(|row| format!(" {}", row.join(" ")));
    let lines = ["Supported:".to_owned()]
        .into_iter()
        .chain(rows)
        .chain(["End.".to_owned()]);
    Ok(Outcome::Reply(Reply::multi(
        214,
        lines.map(String::into_bytes),
    )))
}

pub(super) fn stat(session: &Session) -> Answer {
    let on_off = |yes| if yes { "encrypted" } else { "not encrypted" };
    let lines = [
        "Status:".to_owned(),
        format!(" Connected from {}", session.peer.ip()),
        format!(
            " Control connection: {}",
            on_off(session.control.is_encrypted())
        ),
        format!(" Data connections: {}", on_off(session.state.private)),
        format!(
            " TYPE: {}; STRU: F; MODE: {}",
            if session.state.binary { "I" } else { "A" },
            if session.state.deflate { "Z" } else { "S" },
        ),
        "End.".to_owned(),
    ];
    Ok(Outcome::Reply(Reply::multi(
        211,
        lines.into_iter().map(String::into_bytes),
    )))
}
