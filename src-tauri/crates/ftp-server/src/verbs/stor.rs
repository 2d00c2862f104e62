//! STOR, STOU and APPE.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

use ftp_proto::Reply;
use vfs::{VPath, VfsErrorKind, VfsWrite, WriteMode};

use super::{Answer, Outcome, refused, reply};
use crate::session::{Body, DataOpener, Session, Text, Transfer};

/// Names that STOU tries. Each is as good as new.
const NAMES: u32 = 10;

/// After REST it writes from there on and keeps what lies before; otherwise the file is replaced.
pub(super) async fn stor(session: &mut Session, path: &[u8]) -> Answer {
    // A range is for what goes to the client.
    session.state.range = None;
    let mode = match std::mem::take(&mut session.state.restart) {
        0 => WriteMode::Truncate,
        // It counts bytes of the wire, and only the file is here.
        _ if !session.state.binary => {
            return Err(reply(554, "Uploads in TYPE A start at the beginning."));
        }
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
    Ok(begin(
        session,
        path,
        writer,
        opener,
        reply(150, "Ready to receive."),
    ))
}

/// A new file in the working directory, under a name that nobody has. It stands in the 150, in the words of RFC 1123
/// section 4.1.2.9.
pub(super) async fn stou(session: &mut Session) -> Answer {
    let tree = session.tree()?;
    let opener = session.opener()?;
    for _ in 0..NAMES {
        let name = format!("upload-{:016x}", RandomState::new().build_hasher().finish());
        let path = session.resolve(name.as_bytes())?;
        match tree.open_write(&path, WriteMode::CreateNew).await {
            Ok(writer) => {
                let opening = reply(150, &format!("FILE: {name}"));
                return Ok(begin(session, path, writer, opener, opening));
            }
            Err(error) if error.kind() == VfsErrorKind::Exists => {}
            Err(error) => return Err(refused(&error)),
        }
    }
    Err(reply(450, "No name is free."))
}

fn begin(
    session: &mut Session,
    path: VPath,
    writer: Box<dyn VfsWrite>,
    opener: DataOpener,
    opening: Reply,
) -> Outcome {
    let transfer = Transfer {
        path,
        body: Body::Upload(writer),
        opener,
        unclean_end: session.config().unclean_end,
        text: (!session.state.binary).then_some(Text::default()),
    };
    Outcome::Transfer(opening, Box::new(transfer))
}
