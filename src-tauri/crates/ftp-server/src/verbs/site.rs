//! SITE: CHMOD, UTIME, HELP.

use ftp_proto::Reply;
use jiff::Timestamp;

use super::{Answer, Outcome, done, facts, refused, reply};
use crate::session::Session;

pub(super) async fn site(session: &mut Session, what: &[u8]) -> Answer {
    let (word, rest) = split_word(what);
    match word.to_ascii_uppercase().as_slice() {
        b"CHMOD" => chmod(session, rest).await,
        b"UTIME" => utime(session, rest).await,
        b"HELP" => {
            let lines = ["Supported:", " CHMOD HELP UTIME", "End."];
            Ok(Outcome::Reply(Reply::multi(
                214,
                lines.map(|l| l.as_bytes().to_vec()),
            )))
        }
        _ => Err(reply(
            504,
            "Only SITE CHMOD, SITE UTIME and SITE HELP are known here.",
        )),
    }
}

/// `SITE CHMOD 644 name`.
async fn chmod(session: &mut Session, rest: &[u8]) -> Answer {
    let (mode, path) = split_word(rest);
    let Some(mode) = mode_bits(mode).filter(|_| !path.is_empty()) else {
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

/// The nine permission bits in octal. The bits that lend somebody's rights to a program can't be set from afar.
pub(super) fn mode_bits(digits: &[u8]) -> Option<u32> {
    let plain = (3..=4).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(digits).ok().filter(|_| plain)?;
    let mode = u32::from_str_radix(text, 8).ok()?;
    (mode <= 0o777).then_some(mode)
}

/// `SITE UTIME 20240102030405 name`, and `SITE UTIME name (access) (modification) (creation) UTC`, of which only the second time can be
/// kept. Where either could be meant, the name of something that is there decides.
async fn utime(session: &mut Session, rest: &[u8]) -> Answer {
    let tree = session.tree()?;
    let five = of_five(rest);
    if let Some((time, path)) = &five {
        let target = session.resolve(path)?;
        if tree.metadata(&target).await.is_ok() {
            let set = tree.set_modified(&target, *time).await;
            set.map_err(|e| refused(&e))?;
            return done(200, "Time changed.");
        }
    }
    let (time, path) = match (facts::time_and_path(rest), five) {
        (Some(two), _) => two,
        (None, Some(five)) => five,
        (None, None) => {
            return Err(reply(
                501,
                "SITE UTIME takes YYYYMMDDhhmmss and a path, or a path, three times and UTC.",
            ));
        }
    };
    let target = session.resolve(path)?;
    tree.set_modified(&target, time)
        .await
        .map_err(|e| refused(&e))?;
    done(200, "Time changed.")
}

/// The time of modification and the path before it.
fn of_five(text: &[u8]) -> Option<(Timestamp, &[u8])> {
    let mut words = text.rsplitn(5, |b| *b == b' ');
    if !words.next()?.eq_ignore_ascii_case(b"UTC") {
        return None;
    }
    let _created = facts::digits(words.next()?)?;
    let modified = facts::digits(words.next()?)?;
    let _accessed = facts::digits(words.next()?)?;
    let path = words.next().filter(|path| !path.is_empty())?;
    Some((modified, path))
}

fn split_word(text: &[u8]) -> (&[u8], &[u8]) {
    match text.iter().position(|b| *b == b' ') {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, b""),
    }
}
