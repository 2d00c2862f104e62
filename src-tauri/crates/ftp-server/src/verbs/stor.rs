//! STOR and APPE.

use vfs::WriteMode;

use super::{Answer, Outcome, refused, reply};
use crate::session::{Body, Session, Transfer};

/// After REST it writes from there on and keeps what lies before; otherwise the file is replaced.
pub(super) async fn stor(session: &mut Session, path: &[u8]) -> Answer {
    let mode = match std::mem::take(&mut session.state.restart) {
        0 => WriteMode::Truncate,
        offset => WriteMode::At(offset),
    };
    receive(session, path, mode).await
}

pub(super) async fn appe(session: &mut Session, path: &[u8]) -> Answer {
    receive(session, path, WriteMode::Append).await
}

async fn receive(session: &mut Session, path: &[u8], mode: WriteMode) -> Answer {
    let tree = session.tree()?;
    let opener = session.opener()?;
    let path = session.resolve(path)?;
    let writer = tree
        .open_write(&path, mode)
        .await
        .map_err(|e| refused(&e))?;
    let transfer = Transfer {
        path,
        body: Body::Upload(writer),
        opener,
        unclean_end: session.config().unclean_end,
    };
    Ok(Outcome::Transfer(
        reply(150, "Ready to receive."),
        Box::new(transfer),
    ))
}
