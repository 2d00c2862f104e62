//! LIST, NLST, STAT with a path (RFC 959), MLSD, MLST (RFC 3659 section 7).

use bytes::Bytes;
use ftp_proto::listing::{Entry, Kind, Modified, format_mlsx, write_list, write_mlsx};
use ftp_proto::{Precision, Reply};
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use vfs::{Access, DirEntry, FileKind, Metadata, VPath, Vfs, VfsError, VfsErrorKind};

use super::glob::Glob;
use super::{Answer, Outcome, refused, reply};
use crate::session::{Body, Session, Transfer};

/// Entries that STAT shows; a reply of many thousand lines would be refused by clients.
const STAT_ENTRIES: usize = 2000;

/// Writes one entry as a line, with its end.
type Format = Box<dyn FnMut(&DirEntry, &mut Vec<u8>) + Send>;

pub(super) async fn mlsd(session: &mut Session, path: Option<&[u8]>) -> Answer {
    let opener = session.opener()?;
    let tree = session.tree()?;
    let path = session.resolve(path.unwrap_or_default())?;
    let entries = tree.list(&path).await.map_err(|error| match error.kind() {
        // RFC 3659 section 7.2.1.
        VfsErrorKind::NotDir => reply(501, "Not a directory."),
        _ => refused(&error),
    })?;
    let facts = session.state.facts;
    let (same, dir) = (tree.may_below(&path), path.clone());
    let mut entry = Entry::new("", Kind::File);
    let format: Format = Box::new(move |found, out| {
        let may = same.unwrap_or_else(|| match dir.join(&found.name) {
            Ok(path) => tree.may(&path),
            Err(_) => Access::NONE,
        });
        describe(&mut entry, &found.name, &found.metadata, may);
        write_mlsx(&entry, facts, out);
        out.extend_from_slice(b"\r\n");
    });
    Ok(send(path, lines(entries, format), opener))
}

/// One entry over the control connection, with its whole path as the name.
pub(super) async fn mlst(session: &mut Session, path: Option<&[u8]>) -> Answer {
    let tree = session.tree()?;
    let path = session.resolve(path.unwrap_or_default())?;
    let facts = match tree.metadata(&path).await {
        // A link that leads nowhere is still there.
        Err(_) => tree
            .symlink_metadata(&path)
            .await
            .map_err(|e| refused(&e))?,
        Ok(facts) => facts,
    };
    let entry = described(path.as_bytes(), &facts, tree.may(&path));
    let mut line = vec![b' '];
    line.extend_from_slice(&format_mlsx(&entry, session.state.facts));
    let lines = [b"Listing:".to_vec(), line, b"End.".to_vec()];
    Ok(Outcome::Reply(Reply::multi(250, lines)))
}

pub(super) async fn list(session: &mut Session, argument: Option<&[u8]>) -> Answer {
    let opener = session.opener()?;
    let (path, entries) = select(session, without_options(argument.unwrap_or_default())).await?;
    Ok(send(path, lines(entries.found, as_ls()), opener))
}

/// Names alone. Seen from the working directory: those in another directory with its path before them, so that RETR can take them as
/// they are.
pub(super) async fn nlst(session: &mut Session, argument: Option<&[u8]>) -> Answer {
    let opener = session.opener()?;
    let (path, entries) = select(session, without_options(argument.unwrap_or_default())).await?;
    let prefix = entries.prefix;
    let format: Format = Box::new(move |entry, out| {
        out.extend_from_slice(&prefix);
        out.extend_from_slice(&entry.name);
        out.extend_from_slice(b"\r\n");
    });
    Ok(send(path, lines(entries.found, format), opener))
}

pub(super) async fn stat(session: &mut Session, argument: &[u8]) -> Answer {
    let (path, mut entries) = select(session, without_options(argument)).await?;
    let mut format = as_ls();
    let mut shown = vec![b"Status of ".to_vec()];
    shown[0].extend_from_slice(path.as_bytes());
    let mut more = false;
    'all: while let Some(batch) = entries.found.try_next().await.map_err(|e| refused(&e))? {
        for entry in batch.iter().filter(|entry| can_be_named(&entry.name)) {
            if shown.len() > STAT_ENTRIES {
                more = true;
                break 'all;
            }
            let mut line = Vec::new();
            format(entry, &mut line);
            line.truncate(line.len() - 2);
            shown.push(line);
        }
    }
    shown.push(if more {
        b"There is more.".to_vec()
    } else {
        b"End.".to_vec()
    });
    let code = if entries.is_dir { 212 } else { 213 };
    Ok(Outcome::Reply(Reply::multi(code, shown)))
}

/// What LIST or NLST is about.
struct Selection {
    found: BoxStream<'static, Result<Vec<DirEntry>, VfsError>>,
    /// What stands before the names for NLST.
    prefix: Vec<u8>,
    is_dir: bool,
}

/// A directory's entries, one file, or what a pattern in the last component matches.
async fn select(session: &mut Session, argument: &[u8]) -> Result<(VPath, Selection), Reply> {
    let tree = session.tree()?;
    let path = session.resolve(argument)?;
    let cut = argument
        .iter()
        .rposition(|b| *b == b'/')
        .map_or(0, |at| at + 1);
    let (before, last) = argument.split_at(cut);
    match tree.metadata(&path).await {
        Ok(facts) if facts.is_dir() => {
            let found = tree.list(&path).await.map_err(|e| refused(&e))?;
            let mut prefix = match argument {
                b"." | b"./" => Vec::new(),
                other => other.to_vec(),
            };
            if prefix.last().is_some_and(|b| *b != b'/') {
                prefix.push(b'/');
            }
            let is_dir = true;
            Ok((
                path,
                Selection {
                    found,
                    prefix,
                    is_dir,
                },
            ))
        }
        Ok(metadata) => {
            let name = path.file_name().unwrap_or_default().to_vec();
            let entry = DirEntry { name, metadata };
            let found = stream::iter([Ok(vec![entry])]).boxed();
            let prefix = before.to_vec();
            let is_dir = false;
            Ok((
                path,
                Selection {
                    found,
                    prefix,
                    is_dir,
                },
            ))
        }
        Err(error) => match Glob::new(last) {
            Some(glob) if error.kind() == VfsErrorKind::NotFound => {
                let folder = session.resolve(before)?;
                let all = tree.list(&folder).await.map_err(|e| refused(&e))?;
                let found = all.map_ok(move |mut batch| {
                    batch.retain(|entry| glob.matches(&entry.name));
                    batch
                });
                let found = found.boxed();
                let prefix = before.to_vec();
                let is_dir = true;
                Ok((
                    folder,
                    Selection {
                        found,
                        prefix,
                        is_dir,
                    },
                ))
            }
            _ => Err(refused(&error)),
        },
    }
}

/// `-la name` as clients send it, made for a program and not for a protocol: the options are left out.
fn without_options(mut argument: &[u8]) -> &[u8] {
    while argument.starts_with(b"-") {
        match argument.iter().position(|b| *b == b' ') {
            Some(end) => argument = argument[end..].trim_ascii_start(),
            None => return b"",
        }
    }
    argument
}

fn as_ls() -> Format {
    let now = Timestamp::now();
    let mut entry = Entry::new("", Kind::File);
    Box::new(move |found, out| {
        describe(&mut entry, &found.name, &found.metadata, Access::ALL);
        write_list(&entry, now, out);
        out.extend_from_slice(b"\r\n");
    })
}

fn send(
    path: VPath,
    lines: BoxStream<'static, Result<Bytes, VfsError>>,
    opener: crate::session::DataOpener,
) -> Outcome {
    let transfer = Transfer {
        path,
        body: Body::Listing(lines),
        opener,
        unclean_end: false,
        text: None,
    };
    Outcome::Transfer(reply(150, "Here it comes."), Box::new(transfer))
}

fn lines(
    entries: BoxStream<'static, Result<Vec<DirEntry>, VfsError>>,
    mut format: Format,
) -> BoxStream<'static, Result<Bytes, VfsError>> {
    entries
        .map_ok(move |batch| {
            let mut out = Vec::with_capacity(batch.len() * 128);
            for entry in batch.iter().filter(|entry| can_be_named(&entry.name)) {
                format(entry, &mut out);
            }
            out.into()
        })
        .boxed()
}

/// Names that no command could say are not shown either: in a line they would pass for other names.
fn can_be_named(name: &[u8]) -> bool {
    !name.iter().any(u8::is_ascii_control)
}

/// The entry as the protocol has it.
fn described(name: &[u8], facts: &Metadata, may: Access) -> Entry {
    let mut entry = Entry::new("", Kind::File);
    describe(&mut entry, name, facts, may);
    entry
}

/// The same in place of another one: a long listing is made of one entry.
fn describe(entry: &mut Entry, name: &[u8], facts: &Metadata, may: Access) {
    entry.name.clear();
    entry.name.extend_from_slice(name);
    entry.kind = match facts.kind {
        FileKind::File => Kind::File,
        FileKind::Dir => Kind::Dir,
        FileKind::Symlink => Kind::Link,
        FileKind::Other => Kind::Other,
    };
    entry.size = Some(facts.len);
    entry.modified = facts.modified.map(|timestamp| Modified {
        timestamp,
        precision: Precision::Second,
        zone_known: true,
    });
    entry.permissions = Some(facts.mode);
    // RFC 3659 section 7.5.5.
    let perm = match (entry.kind, may.read, may.write) {
        (Kind::Dir, true, true) => "cdeflmp",
        (Kind::Dir, true, false) => "el",
        (Kind::Dir, false, true) => "cdfmp",
        (Kind::File, true, true) => "adfrw",
        (Kind::File, true, false) => "r",
        (Kind::File, false, true) => "adfw",
        (_, _, true) => "df",
        (_, _, false) => "",
    };
    if entry.perm.as_deref() != Some(perm) {
        entry.perm = Some(perm.into());
    }
    entry.links = u32::try_from(facts.links).ok();
    entry.unique = facts
        .id
        .map(|(device, inode)| format!("{device:x}g{inode:x}").into());
    entry.target.clone_from(&facts.target);
}
