//! Servers in Python, from PyPI: a virtual environment in the cache, made by `scripts/python-servers.sh`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::packages::{Unpacked, cache_dir, recent_failure, run};
use crate::skip::Skipped;

/// The script that serves.
pub(crate) const SERVE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/python/serve.py");
/// The interpreter, relative to the environment.
pub(crate) const PYTHON: &str = "bin/python";

/// A Python in which aioftp can be imported, with its client.
///
/// # Errors
/// Where it can't be had here.
pub fn with_aioftp() -> Result<PathBuf, Skipped> {
    fetch().map(|home| home.path(PYTHON))
}

/// Makes the environment unless it is there, and says where it is.
pub(crate) fn fetch() -> Result<Unpacked, Skipped> {
    let home = cache_dir().join("python");
    let note = cache_dir().join("python.failed");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/python-servers.sh");
    // What is complete is looked at in any case: the versions may have changed.
    if !home.join("complete").exists()
        && let Some(earlier) = recent_failure(&note)
    {
        return Err(Skipped(earlier));
    }
    match run(Command::new(script).arg(&home)) {
        Ok(_) => Ok(Unpacked::at(home)),
        Err(reason) => {
            let _ = fs::write(&note, &reason.0);
            Err(reason)
        }
    }
}
