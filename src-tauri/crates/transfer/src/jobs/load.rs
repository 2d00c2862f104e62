//! Small local files, read into memory.

use std::io::Read;
use std::path::Path;

use super::upload::facts_of;
use crate::error::Error;
use crate::work::SMALL;
use crate::{Facts, disk};

/// What was read of a small file.
pub(super) struct Content {
    pub(super) data: Vec<u8>,
    pub(super) facts: Facts,
    pub(super) mode: Option<u32>,
}

/// Size and time of a local file, as far as they can be had.
pub(super) fn look(path: &Path) -> Facts {
    disk::open_source(path).map_or(Facts::default(), |source| facts_of(&source))
}

/// A small file; `None` if it is not small any more.
pub(super) fn read(path: &Path) -> Result<Option<Content>, Error> {
    let source = disk::open_source(path)?;
    if source.size > SMALL {
        return Ok(None);
    }
    let mut data = Vec::with_capacity(source.size as usize);
    (&source.file)
        .take(SMALL + 1)
        .read_to_end(&mut data)
        .map_err(|error| Error::local("read", path, error))?;
    let is_whole = data.len() as u64 == source.size && source.is_unchanged();
    Ok(is_whole.then(|| Content {
        facts: facts_of(&source),
        mode: source.mode,
        data,
    }))
}
