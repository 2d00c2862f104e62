//! SITE: CHMOD, HELP.

use ftp_proto::Reply;

use super::{Answer, Outcome, done, refused, reply};
use crate::session::Session;

pub(super) async fn site(session: &mut Session, what: &[u8]) -> Answer {
    let (word, rest) = split_word(what);
    match word.to_ascii_uppercase().as_slice() {
        b"CHMOD" => chmod(session, rest).await,
        b"HELP" => {
            let lines = ["Supported:", " CHMOD HELP", "End."];
            Ok(Outcome::Reply(Reply::multi(
                214,
                lines.map(|l| l.as_bytes().to_vec()),
            )))
        }
        _ => Err(reply(504, "Only SITE CHMOD and SITE HELP are known here.")),
    }
}

/// `SITE CHMOD 644 name`: the nine permission bits in octal. The bits that lend somebody's rights to a program can't be set from afar.
async fn chmod(session: &mut Session, rest: &[u8]) -> Answer {
    let (mode, path) = split_word(rest);
    let mode = std::str::from_utf8(mode)
        .ok()
        .filter(|m| (3..=4).contains(&m.len()));
    let mode = mode
        .and_then(|m| u32::from_str_radix(m, 8).ok())
        .filter(|m| *m <= 0o777);
    let Some(mode) = mode.filter(|_| !path.is_empty()) else {
        return Err(reply(
            501,
            "SITE CHMOD takes three octal digits and a path.",
        ));
    };
    let tree = session.tree()?;
    let path = session.resolve(path)?;
    tree.set_permissions(&path, mode)
        .await
        .map_err(|e| refused(&e))?;
    done(200, "Permissions changed.")
}

fn split_word(text: &[u8]) -> (&[u8], &[u8]) {
    match text.iter().position(|b| *b == b' ') {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, b""),
    }
}
