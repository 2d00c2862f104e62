//! DELE.

use super::{Answer, done, refused};
use crate::session::Session;

pub(super) async fn dele(session: &mut Session, path: &[u8]) -> Answer {
    let tree = session.tree()?;
    let path = session.resolve(path)?;
    tree.unlink(&path).await.map_err(|e| refused(&e))?;
    done(250, "Deleted.")
}
