//! Hashes of files: HASH with OPTS HASH (draft-bryan-ftpext-hash-02), XSHA256 and its kin as other servers have them, MD5
//! (draft-twine-ftpmd5-00).

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use ftp_proto::Reply;
use md5::Digest as _;
use tokio::sync::Semaphore;
use vfs::{CHUNK, VPath, Vfs, VfsError, VfsErrorKind, VfsRead};

use super::{Answer, Outcome, done, refused, reply};
use crate::session::Session;

/// A hash that can be computed here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Algorithm {
    #[default]
    Sha256,
    Sha512,
    /// Finds damage, not malice, as the two below.
    Sha1,
    Md5,
    Crc32,
}

/// The best first.
const ALL: [Algorithm; 5] = [
    Algorithm::Sha256,
    Algorithm::Sha512,
    Algorithm::Sha1,
    Algorithm::Md5,
    Algorithm::Crc32,
];

impl Algorithm {
    const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA-256",
            Self::Sha512 => "SHA-512",
            Self::Sha1 => "SHA-1",
            Self::Md5 => "MD5",
            Self::Crc32 => "CRC32",
        }
    }

    /// The one of a verb such as XSHA256.
    pub(super) fn of_verb(verb: &str) -> Option<Self> {
        Some(match verb {
            "XSHA256" => Self::Sha256,
            "XSHA512" => Self::Sha512,
            "XSHA1" | "XSHA" => Self::Sha1,
            "XMD5" | "MD5" => Self::Md5,
            "XCRC" => Self::Crc32,
            _ => return None,
        })
    }
}

/// What stands behind HASH in FEAT; the star marks the one in use.
pub(super) fn feature(chosen: Algorithm) -> String {
    ALL.map(|algorithm| {
        let star = if algorithm == chosen { "*" } else { "" };
        format!("{}{star}", algorithm.name())
    })
    .join(";")
}

/// `OPTS HASH`, and with a name.
pub(super) fn opts(session: &mut Session, name: &[u8]) -> Answer {
    if !name.is_empty() {
        let found = ALL
            .iter()
            .find(|algorithm| name.eq_ignore_ascii_case(algorithm.name().as_bytes()));
        session.state.hash = *found.ok_or_else(|| reply(504, "No such hash here."))?;
    }
    done(200, session.state.hash.name())
}

/// `213 SHA-256 0-49 (hash) (name)`: of the part that RANG has said, or of all.
pub(super) async fn hash(session: &mut Session, path: &[u8]) -> Answer {
    let tree = session.tree()?;
    let range = session.state.range.take();
    let algorithm = session.state.hash;
    let target = session.resolve(path)?;
    let (start, most) = match range {
        Some((first, last)) => (first, Some(last - first + 1)),
        None => (0, None),
    };
    let (reader, size) = open(&tree, &target, start, most).await?;
    let range = format!("{start}-{}", (start + size).saturating_sub(1).max(start));
    let name = path.to_vec();
    let finish = move |hash: String| {
        let mut text = format!("{} {range} {hash} ", algorithm.name()).into_bytes();
        text.extend_from_slice(&name);
        Reply::new(213, text)
    };
    Ok(compute(session, algorithm, reader, size, finish))
}

/// `XSHA256 name`, `XSHA256 "na me" start end`: from the one byte to before the other. `MD5 name` answers in its own form.
pub(super) async fn kin(
    session: &mut Session,
    verb: &str,
    algorithm: Algorithm,
    argument: &[u8],
) -> Answer {
    let tree = session.tree()?;
    let (path, start, end) = wanted(session, &tree, verb, argument).await?;
    let most = end.map(|end| end.saturating_sub(start));
    let (reader, size) = open(&tree, &path, start, most).await?;
    let name = (verb == "MD5").then(|| argument.to_vec());
    let finish = move |hash: String| match name {
        Some(mut text) => {
            text.push(b' ');
            text.extend_from_slice(hash.to_ascii_uppercase().as_bytes());
            Reply::new(251, text)
        }
        None => Reply::new(250, hash.to_ascii_uppercase()),
    };
    Ok(compute(session, algorithm, reader, size, finish))
}

/// The file and the part of it. A name without quotes may have blanks and end in numbers: the whole is tried first.
async fn wanted(
    session: &Session,
    tree: &Arc<dyn Vfs>,
    verb: &str,
    argument: &[u8],
) -> Result<(VPath, u64, Option<u64>), Reply> {
    let takes = || {
        reply(
            501,
            &format!("{verb} takes a path, which may stand in quotes, and a part behind it."),
        )
    };
    if verb == "MD5" {
        return Ok((session.resolve(argument)?, 0, None));
    }
    if let Some(rest) = argument.strip_prefix(b"\"") {
        let end = rest.iter().position(|b| *b == b'"').ok_or_else(takes)?;
        let (start, stop) = part(&rest[end + 1..]).ok_or_else(takes)?;
        return Ok((session.resolve(&rest[..end])?, start, stop));
    }
    let whole = session.resolve(argument)?;
    if tree.metadata(&whole).await.is_ok() {
        return Ok((whole, 0, None));
    }
    // One number behind it, or two.
    let mut cut = argument.len();
    let mut found = None;
    for _ in 0..2 {
        let Some(at) = argument[..cut].iter().rposition(|b| *b == b' ') else {
            break;
        };
        let Some((start, stop)) = part(&argument[at..]) else {
            break;
        };
        found = Some((at, start, stop));
        cut = at;
    }
    match found {
        Some((at, start, stop)) => Ok((session.resolve(&argument[..at])?, start, stop)),
        None => Ok((whole, 0, None)),
    }
}

/// Nothing, a start, or a start and an end.
fn part(words: &[u8]) -> Option<(u64, Option<u64>)> {
    let mut numbers = words
        .split(|b| *b == b' ')
        .filter(|word| !word.is_empty())
        .map(|word| {
            let plain = word.iter().all(u8::is_ascii_digit);
            let text = std::str::from_utf8(word).ok().filter(|_| plain)?;
            text.parse::<u64>().ok()
        });
    let start = numbers.next().unwrap_or(Some(0))?;
    let end = match numbers.next() {
        Some(end) => Some(end.filter(|end| *end >= start)?),
        None => None,
    };
    numbers.next().is_none().then_some((start, end))
}

async fn open(
    tree: &Arc<dyn Vfs>,
    path: &VPath,
    start: u64,
    most: Option<u64>,
) -> Result<(Box<dyn VfsRead>, u64), Reply> {
    let reader = tree
        .open_read(path, start)
        .await
        .map_err(|error| match error.kind() {
            VfsErrorKind::Range => reply(501, "The part begins beyond the end of the file."),
            _ => refused(&error),
        })?;
    let size = reader.remaining();
    Ok((reader, most.map_or(size, |most| most.min(size))))
}

/// The work itself goes on while the client is listened to: it can take minutes.
fn compute(
    session: &Session,
    algorithm: Algorithm,
    reader: Box<dyn VfsRead>,
    size: u64,
    finish: impl FnOnce(String) -> Reply + Send + 'static,
) -> Outcome {
    let places = Arc::clone(&session.shared.hashing);
    let patience = session.config().limits.path;
    Outcome::Work(Box::pin(async move {
        match digest_of(algorithm, reader, size, &places, patience).await {
            Ok(hash) => finish(hash),
            Err(error) => refused(&error),
        }
    }))
}

async fn digest_of(
    algorithm: Algorithm,
    mut reader: Box<dyn VfsRead>,
    mut left: u64,
    places: &Semaphore,
    patience: Duration,
) -> Result<String, VfsError> {
    let mut hasher = Hasher::new(algorithm);
    while left > 0 {
        // For one piece at a time, so that small files get through beside those that take hours.
        let _place = places.acquire().await;
        let most = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        let chunk = tokio::time::timeout(patience, reader.read_chunk(most));
        let chunk = chunk
            .await
            .map_err(|_| VfsError::new(VfsErrorKind::Io, "it took too long"))??;
        if chunk.is_empty() {
            break;
        }
        left -= (chunk.len() as u64).min(left);
        // A processor's work, so not where the sessions are served.
        let updated = tokio::task::spawn_blocking(move || {
            hasher.update(&chunk);
            hasher
        });
        hasher = updated
            .await
            .map_err(|_| VfsError::from(VfsErrorKind::Io))?;
    }
    Ok(hasher.finish())
}

enum Hasher {
    Sha(Box<digest::Context>),
    Md5(md5::Md5),
    Crc32(crc32fast::Hasher),
}

impl Hasher {
    fn new(algorithm: Algorithm) -> Self {
        let sha = |algorithm| Self::Sha(Box::new(digest::Context::new(algorithm)));
        match algorithm {
            Algorithm::Sha256 => sha(&digest::SHA256),
            Algorithm::Sha512 => sha(&digest::SHA512),
            Algorithm::Sha1 => sha(&digest::SHA1_FOR_LEGACY_USE_ONLY),
            Algorithm::Md5 => Self::Md5(md5::Md5::new()),
            Algorithm::Crc32 => Self::Crc32(crc32fast::Hasher::new()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha(sha) => sha.update(bytes),
            Self::Md5(md5) => md5.update(bytes),
            Self::Crc32(crc) => crc.update(bytes),
        }
    }

    fn finish(self) -> String {
        match self {
            Self::Sha(sha) => hex(sha.finish().as_ref()),
            Self::Md5(md5) => hex(&md5.finalize()),
            Self::Crc32(crc) => format!("{:08x}", crc.finalize()),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn known_hashes() {
        for (algorithm, hash) in [
            (Algorithm::Crc32, "352441c2"),
            (Algorithm::Md5, "900150983cd24fb0d6963f7d28e17f72"),
            (Algorithm::Sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (
                Algorithm::Sha256,
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            ),
        ] {
            let mut hasher = Hasher::new(algorithm);
            hasher.update(b"a");
            hasher.update(b"bc");
            assert_eq!(hasher.finish(), hash);
        }
    }

    #[test]
    fn parts() {
        assert_eq!(part(b""), Some((0, None)));
        assert_eq!(part(b" 5"), Some((5, None)));
        assert_eq!(part(b" 5 9 "), Some((5, Some(9))));
        for wrong in [&b" x"[..], b" 9 5", b" 1 2 3", b" -1", b" +1"] {
            assert_eq!(part(wrong), None, "{}", wrong.escape_ascii());
        }
    }
}
