//! PWD, CWD, CDUP, MKD, RMD.

use ftp_proto::{RemotePath, Reply, quote_257};
use vfs::VPath;

use super::{Answer, Outcome, done, refused, reply};
use crate::session::Session;

pub(super) fn pwd(session: &Session) -> Answer {
    let mut text = quoted(&session.cwd())?;
    text.extend_from_slice(b" is the current directory.");
    Ok(Outcome::Reply(Reply::multi(257, [text])))
}

pub(super) async fn cwd(session: &mut Session, path: &[u8]) -> Answer {
    let tree = session.tree()?;
    let path = session.resolve(path)?;
    let facts = tree.metadata(&path).await.map_err(|e| refused(&e))?;
    if !facts.is_dir() {
        return Err(reply(550, "Not a directory."));
    }
    session.state.cwd = Some(path);
    done(250, "Directory changed.")
}

pub(super) async fn mkd(session: &mut Session, path: &[u8]) -> Answer {
    let tree = session.tree()?;
    let path = session.resolve(path)?;
    tree.mkdir(&path).await.map_err(|e| refused(&e))?;
    let mut text = quoted(&path)?;
    text.extend_from_slice(b" created.");
    Ok(Outcome::Reply(Reply::multi(257, [text])))
}

pub(super) async fn rmd(session: &mut Session, path: &[u8]) -> Answer {
    let tree = session.tree()?;
    let path = session.resolve(path)?;
    tree.rmdir(&path).await.map_err(|e| refused(&e))?;
    done(250, "Directory removed.")
}

/// The path as 257 has it. Paths of a session never hold what can't be sent; if one did, it would say so.
fn quoted(path: &VPath) -> Result<Vec<u8>, Reply> {
    match RemotePath::try_from(path.as_bytes()) {
        Ok(path) => Ok(quote_257(&path)),
        Err(_) => Err(reply(550, "The path can't be shown.")),
    }
}
