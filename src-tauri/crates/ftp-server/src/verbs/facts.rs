//! SIZE, MDTM (RFC 3659 sections 3 and 4), MFMT, MFF, MFCT (draft-somers-ftp-mfxx), AVBL
//! (draft-peterson-streamlined-ftp-command-extensions).

use std::sync::Arc;

use ftp_proto::{Reply, format_time, parse_time};
use jiff::Timestamp;
use vfs::{VPath, Vfs};

use super::{Answer, Outcome, done, refused, reply};
use crate::session::Session;

/// How many bytes a transfer would move. In TYPE A that is more than the file has, and to count it all of it would have to be read:
/// RFC 3659 section 4 allows to refuse.
pub(super) async fn size(session: &mut Session, path: &[u8]) -> Answer {
    let tree = session.tree()?;
    let path = session.resolve(path)?;
    if !session.state.binary {
        return Err(reply(550, "SIZE is for TYPE I: TYPE I first."));
    }
    let facts = tree.metadata(&path).await.map_err(|e| refused(&e))?;
    if !facts.is_file() {
        return Err(reply(550, "Not a regular file."));
    }
    done(213, &facts.len.to_string())
}

/// The time of a file; with a time before the path it sets it, as clients of old do (they mean UTC), unless the whole is the name of something.
pub(super) async fn mdtm(session: &mut Session, argument: &[u8]) -> Answer {
    let tree = session.tree()?;
    let path = session.resolve(argument)?;
    match tree.metadata(&path).await {
        Ok(facts) => match facts.modified {
            Some(time) => done(213, &format_time(time)),
            None => Err(reply(550, "The time is not known.")),
        },
        Err(error) => match time_and_path(argument) {
            Some((time, path)) => mfmt(session, time, path).await,
            None => Err(refused(&error)),
        },
    }
}

/// Twelve or fourteen digits, a blank, and a path.
pub(super) fn time_and_path(text: &[u8]) -> Option<(Timestamp, &[u8])> {
    let blank = text.iter().position(|b| *b == b' ')?;
    let (stamp, path) = (&text[..blank], &text[blank + 1..]);
    Some((digits(stamp)?, Some(path).filter(|path| !path.is_empty())?))
}

/// `YYYYMMDDhhmmss`, or without the seconds.
pub(super) fn digits(stamp: &[u8]) -> Option<Timestamp> {
    let mut stamp = stamp.to_vec();
    if stamp.len() == 12 {
        stamp.extend_from_slice(b"00");
    }
    let plain = stamp.len() == 14 && stamp.iter().all(u8::is_ascii_digit);
    parse_time(&stamp)
        .ok()
        .filter(|_| plain)
        .map(|(time, _)| time)
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

/// What a system made of a file when it made it can't be changed on the systems that this runs on.
pub(super) async fn mfct(session: &mut Session, argument: &[u8]) -> Answer {
    let tree = session.tree()?;
    let (_, path) = time_and_path(argument)
        .ok_or_else(|| reply(501, "MFCT takes YYYYMMDDhhmmss and a path."))?;
    let path = session.resolve(path)?;
    tree.metadata(&path).await.map_err(|e| refused(&e))?;
    Err(reply(504, "The time of creation can't be changed here."))
}

/// One fact of MFF.
enum Fact {
    Modify(Timestamp),
    Mode(u32),
}

/// `MFF Modify=20240102030405;UNIX.mode=0640; path`: all of it is understood before any of it is done.
pub(super) async fn mff(session: &mut Session, argument: &[u8]) -> Answer {
    const TAKES: &str = "MFF takes facts such as Modify=YYYYMMDDhhmmss; and a path.";
    let tree = session.tree()?;
    let takes = || reply(501, TAKES);
    let blank = argument.iter().position(|b| *b == b' ').ok_or_else(takes)?;
    let (facts, path) = (&argument[..blank], &argument[blank + 1..]);
    let facts = facts.strip_suffix(b";").ok_or_else(takes)?;
    let facts: Vec<Fact> = facts
        .split(|b| *b == b';')
        .map(|fact| {
            let at = fact.iter().position(|b| *b == b'=').ok_or_else(takes)?;
            let (name, value) = (fact[..at].to_ascii_lowercase(), &fact[at + 1..]);
            match name.as_slice() {
                b"modify" => {
                    let time = parse_time(value).map_err(|_| takes())?;
                    Ok(Fact::Modify(time.0))
                }
                b"unix.mode" => super::site::mode_bits(value)
                    .map(Fact::Mode)
                    .ok_or_else(takes),
                b"" => Err(takes()),
                _ => Err(reply(504, "Only Modify and UNIX.mode can be changed.")),
            }
        })
        .collect::<Result<_, _>>()?;
    if path.is_empty() {
        return Err(takes());
    }
    let target = session.resolve(path)?;
    let mut text = String::new();
    for fact in &facts {
        text.push_str(&change(&tree, &target, fact).await?);
    }
    let mut text = format!("{text} ").into_bytes();
    text.extend_from_slice(path);
    Ok(Outcome::Reply(Reply::new(213, text)))
}

/// Does it, and says it.
async fn change(tree: &Arc<dyn Vfs>, target: &VPath, fact: &Fact) -> Result<String, Reply> {
    match fact {
        Fact::Modify(time) => {
            let set = tree.set_modified(target, *time).await;
            set.map_err(|e| refused(&e))?;
            Ok(format!("Modify={};", format_time(*time)))
        }
        Fact::Mode(mode) => {
            let set = tree.set_permissions(target, *mode).await;
            set.map_err(|e| refused(&e))?;
            Ok(format!("UNIX.mode={mode:04o};"))
        }
    }
}

/// Bytes that could still be written.
pub(super) async fn avbl(session: &mut Session, path: &[u8]) -> Answer {
    let tree = session.tree()?;
    let path = session.resolve(path)?;
    let facts = tree.metadata(&path).await.map_err(|e| refused(&e))?;
    if !facts.is_dir() {
        return Err(reply(550, "Not a directory."));
    }
    match tree.available(&path).await.map_err(|e| refused(&e))? {
        Some(bytes) => done(213, &bytes.to_string()),
        None => Err(reply(550, "Nobody knows how much room there is.")),
    }
}
