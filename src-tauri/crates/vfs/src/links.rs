//! Following symbolic links by names, for the wrappers that decide by paths.
//!
//! A wrapper that allows or refuses by the path it is given would be led around by a link: the path says one place, the system goes to
//! another. So these wrappers stand on a tree that follows no link at all ([`Vfs::without_links`]). What meets one fails there with
//! [`VfsErrorKind::Link`]; then the links are followed here, one after the other, every place on the way is looked at by the wrapper's
//! own rules, and the operation is tried once more with the path that has come out, again without following any. Whatever is swapped for a link in the
//! meantime makes it fail: what was checked is what is used.

use crate::{FileKind, Result, VPath, Vfs, VfsError, VfsErrorKind};

/// Links in one path, as Linux has it (`MAXSYMLINKS`).
const MAX_LINKS: usize = 40;

/// Components that may wait at a time: what a path may have, and the targets of its links.
const MAX_PARTS: usize = 4096;

/// Whether a link as the last component is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Last {
    Follow,
    Keep,
}

/// The path without links that `path` leads to. `tree` follows none itself; `ceiling`, which has none in it, is not left; `pass` is asked
/// about every link on the way.
///
/// The last component need not exist.
pub(crate) async fn resolve(
    tree: &dyn Vfs,
    ceiling: &VPath,
    path: &VPath,
    last: Last,
    pass: &(dyn Fn(&VPath) -> Result<()> + Sync),
) -> Result<VPath> {
    let mut at = ceiling.clone();
    // The next component is the last one here.
    let mut left: Vec<Vec<u8>> = path.components().map(<[u8]>::to_vec).collect();
    left.drain(..ceiling.components().count().min(left.len()));
    left.reverse();
    let mut links = 0;
    while let Some(part) = left.pop() {
        if part == b".." {
            at = match at.parent() {
                Some(parent) if at != *ceiling => parent,
                _ => return Err(VfsErrorKind::Denied.into()),
            };
            continue;
        }
        if part == b"." {
            continue;
        }
        let next = at.join(&part)?;
        if left.is_empty() && last == Last::Keep {
            return Ok(next);
        }
        let facts = match tree.symlink_metadata(&next).await {
            Err(error) if error.kind() == VfsErrorKind::NotFound && left.is_empty() => {
                return Ok(next);
            }
            other => other?,
        };
        if facts.kind != FileKind::Symlink {
            // Not even `..` leads on from a file.
            if !facts.is_dir() && !left.is_empty() {
                return Err(VfsErrorKind::NotDir.into());
            }
            at = next;
            continue;
        }
        pass(&next)?;
        links += 1;
        // An absolute link begins at a root that isn't this tree's.
        let target = facts
            .target
            .filter(|t| t.first().is_some_and(|b| *b != b'/'));
        let Some(target) = target.filter(|_| links <= MAX_LINKS) else {
            return Err(VfsErrorKind::Denied.into());
        };
        let parts = target.split(|b| *b == b'/');
        let parts = parts.filter(|part| !part.is_empty());
        left.extend(parts.rev().map(<[u8]>::to_vec));
        if left.len() > MAX_PARTS {
            return Err(VfsErrorKind::NameInvalid.into());
        }
    }
    Ok(at)
}

/// A link that has come since the path was resolved: nobody is to go on by it.
pub(crate) fn refuse(error: VfsError) -> VfsError {
    match error.kind() {
        VfsErrorKind::Link => VfsErrorKind::Denied.into(),
        _ => error,
    }
}
