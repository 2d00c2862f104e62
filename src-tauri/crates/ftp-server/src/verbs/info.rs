//! Verbs that only talk: SYST, HELP, NOOP, ABOR (outside transfers), ALLO, CLNT, STAT without a path.

use ftp_proto::Reply;

use super::{Answer, Outcome, TABLE, done, reply};
use crate::session::Session;

pub(super) fn syst() -> Answer {
    done(215, "UNIX Type: L8")
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
        format!(" TYPE: {}", if session.state.ascii { "A" } else { "I" }),
        "End.".to_owned(),
    ];
    Ok(Outcome::Reply(Reply::multi(
        211,
        lines.into_iter().map(String::into_bytes),
    )))
}
