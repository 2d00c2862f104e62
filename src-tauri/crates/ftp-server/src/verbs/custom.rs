//! Commands that the owner of the server has added.

use std::sync::Arc;

use ftp_proto::Argument;
use vfs::VPath;

use super::{Answer, Outcome, reply};
use crate::custom::{Call, CustomAnswer};
use crate::session::{Body, Session, Transfer};

pub(super) async fn custom(
    session: &mut Session,
    verb: String,
    argument: Option<Argument>,
) -> Answer {
    let Some(command) = session.config().commands.get(&verb).map(Arc::clone) else {
        return Err(reply(500, "Unknown command."));
    };
    let encrypted = session.control.is_encrypted();
    if session.config().require_tls && !encrypted {
        return Err(reply(530, "This server wants TLS: AUTH TLS first."));
    }
    if session.state.account.is_none() && !command.before_login() {
        return Err(reply(530, "Log in with USER and PASS first."));
    }
    let name = verb.clone();
    let call = Call {
        verb,
        argument: argument.map_or_else(Vec::new, |a| a.as_bytes().to_vec()),
        cwd: session.cwd(),
        files: session.tree().ok(),
        peer: session.peer,
        encrypted,
    };
    let (opening, body) = match command.run(call).await {
        CustomAnswer::Reply(reply) => return Ok(Outcome::Reply(reply)),
        CustomAnswer::Send(opening, pieces) => (opening, Body::Listing(pieces)),
        CustomAnswer::Receive(opening, into) => (opening, Body::Upload(into)),
    };
    let transfer = Transfer {
        // What the log calls it: no path of any file.
        path: VPath::root()
            .join(name.as_bytes())
            .unwrap_or_else(|_| VPath::root()),
        body,
        opener: session.opener()?,
        unclean_end: session.config().unclean_end,
        text: None,
    };
    let opening = match opening.code.is_preliminary() {
        true => opening,
        false => reply(150, "Here it comes."),
    };
    Ok(Outcome::Transfer(opening, Box::new(transfer)))
}
