//! REST and RETR (RFC 959, RFC 3659 section 5), RANG (draft-bryan-ftp-range-08).

use super::{Answer, Outcome, done, refused, reply};
use crate::session::{Body, Session, Text, Transfer};

/// Only remembered: whether the offset fits is seen with the file (RFC 3659 section 5.3).
pub(super) fn rest(session: &mut Session, offset: u64) -> Answer {
    session.state.range = None;
    session.state.restart = offset;
    done(350, &format!("The next transfer starts at {offset}."))
}

/// `RANG first last`, both counted from 0 and both of the file: for the next RETR, and for HASH. `RANG 1 0` takes it back.
pub(super) fn rang(session: &mut Session, argument: &[u8]) -> Answer {
    const TAKES: &str = "RANG takes the first and the last byte, or 1 0 for all of them.";
    let text = std::str::from_utf8(argument).map_err(|_| reply(501, TAKES))?;
    let mut numbers = text.split_ascii_whitespace().map(|word| {
        let plain = word.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| word.parse::<u64>().ok()).flatten()
    });
    let (Some(Some(first)), Some(Some(last)), None) =
        (numbers.next(), numbers.next(), numbers.next())
    else {
        return Err(reply(501, TAKES));
    };
    session.state.restart = 0;
    if (first, last) == (1, 0) {
        session.state.range = None;
        return done(350, "All of the file.");
    }
    if first > last || last == u64::MAX {
        return Err(reply(501, TAKES));
    }
    if !session.state.binary {
        return Err(reply(504, "TYPE I first: bytes are counted in the file."));
    }
    session.state.range = Some((first, last));
    done(
        350,
        &format!("The next transfer is of bytes {first} to {last}."),
    )
}

pub(super) async fn retr(session: &mut Session, path: &[u8]) -> Answer {
    let tree = session.tree()?;
    let restart = std::mem::take(&mut session.state.restart);
    let range = session.state.range.take();
    let opener = session.opener()?;
    let path = session.resolve(path)?;
    let text = (!session.state.binary).then_some(Text { skip: restart });
    let (start, most) = match range {
        Some((first, last)) => (first, Some(last - first + 1)),
        // In TYPE A the offset is one of the wire's bytes: nobody knows where in the file that is.
        None if text.is_some() => (0, None),
        None => (restart, None),
    };
    let reader = tree
        .open_read(&path, start)
        .await
        .map_err(|e| refused(&e))?;
    let size = reader.remaining();
    let opening = match text {
        Some(_) => reply(150, "Sending text."),
        None => reply(
            150,
            &format!("Sending {} bytes.", most.map_or(size, |m| m.min(size))),
        ),
    };
    let transfer = Transfer {
        path,
        body: Body::Download(reader, most),
        opener,
        unclean_end: false,
        text,
    };
    Ok(Outcome::Transfer(opening, Box::new(transfer)))
}
