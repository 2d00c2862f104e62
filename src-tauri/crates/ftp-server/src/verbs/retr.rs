//! REST and RETR (RFC 959, RFC 3659 section 5).

use super::{Answer, Outcome, done, refused, reply};
use crate::session::{Body, Session, Transfer};

/// Only remembered: whether the offset fits is seen with the file (RFC 3659 section 5.3).
pub(super) fn rest(session: &mut Session, offset: u64) -> Answer {
    session.state.restart = offset;
    done(350, &format!("The next transfer starts at {offset}."))
}

pub(super) async fn retr(session: &mut Session, path: &[u8]) -> Answer {
    let tree = session.tree()?;
    let restart = std::mem::take(&mut session.state.restart);
    let opener = session.opener()?;
    let path = session.resolve(path)?;
    let reader = tree
        .open_read(&path, restart)
        .await
        .map_err(|e| refused(&e))?;
    let opening = reply(150, &format!("Sending {} bytes.", reader.remaining()));
    let transfer = Transfer {
        path,
        body: Body::Download(reader),
        opener,
        unclean_end: false,
    };
    Ok(Outcome::Transfer(opening, Box::new(transfer)))
}
