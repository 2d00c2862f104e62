//! SIZE, MDTM (RFC 3659 sections 3 and 4), MFMT (draft-somers-ftp-mfxx).

use ftp_proto::{Reply, format_time};
use jiff::Timestamp;

use super::{Answer, Outcome, done, refused, reply};
use crate::session::Session;

pub(super) async fn size(session: &mut Session, path: &[u8]) -> Answer {
    let tree = session.tree()?;
    let path = session.resolve(path)?;
    let facts = tree.metadata(&path).await.map_err(|e| refused(&e))?;
    if !facts.is_file() {
        return Err(reply(550, "Not a regular file."));
    }
    done(213, &facts.len.to_string())
}

pub(super) async fn mdtm(session: &mut Session, path: &[u8]) -> Answer {
    let tree = session.tree()?;
    let path = session.resolve(path)?;
    let facts = tree.metadata(&path).await.map_err(|e| refused(&e))?;
    match facts.modified {
        Some(time) => done(213, &format_time(time)),
        None => Err(reply(550, "The time is not known.")),
    }
}

pub(super) async fn mfmt(session: &mut Session, time: Timestamp, path: &[u8]) -> Answer {
    let tree = session.tree()?;
    let target = session.resolve(path)?;
    tree.set_modified(&target, time)
        .await
        .map_err(|e| refused(&e))?;
    let mut text = format!("Modify={}; ", format_time(time)).into_bytes();
    text.extend_from_slice(path);
    Ok(Outcome::Reply(Reply::new(213, text)))
}
