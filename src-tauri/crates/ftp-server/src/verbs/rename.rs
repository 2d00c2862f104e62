//! RNFR, RNTO.

use super::{Answer, done, refused, reply};
use crate::session::Session;

pub(super) async fn rnfr(session: &mut Session, path: &[u8]) -> Answer {
    let tree = session.tree()?;
    let path = session.resolve(path)?;
    tree.symlink_metadata(&path)
        .await
        .map_err(|e| refused(&e))?;
    session.state.rename_from = Some(path);
    done(350, "RNTO, please.")
}

pub(super) async fn rnto(session: &mut Session, path: &[u8]) -> Answer {
    let tree = session.tree()?;
    let Some(from) = session.state.rename_from.take() else {
        return Err(reply(503, "RNFR first."));
    };
    let to = session.resolve(path)?;
    tree.rename(&from, &to).await.map_err(|e| refused(&e))?;
    done(250, "Renamed.")
}
