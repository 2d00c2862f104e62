//! Tests that can't run here say so where nobody can miss it.

use std::io::Write as _;
use std::path::PathBuf;

/// A reason why something that a test needs can't be had on this machine.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct Skipped(pub String);

/// The folder that build products and caches go to: `$CARGO_TARGET_DIR`, else `target` of the workspace.
pub fn target_dir() -> PathBuf {
    let workspace = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let workspace = workspace.canonicalize().unwrap_or(workspace);
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => workspace.join(dir),
        None => workspace.join("target"),
    }
}

/// Says on stderr that `what` is skipped, and adds a line to `target/skipped.txt`, from which the closing
/// summary of `make test` lists it.
///
/// # Panics
///
/// If `$SLIPWAY_REQUIRE_SERVERS` is `1`: then a skip is a failure.
pub fn skip_loudly(what: &str, reason: &Skipped) {
    let line = format!("{what}: {reason}").replace('\n', " ");
    assert!(
        std::env::var_os("SLIPWAY_REQUIRE_SERVERS").is_none_or(|value| value != "1"),
        "SLIPWAY_REQUIRE_SERVERS=1, and yet: {line}"
    );
    eprintln!("SKIPPED (LOUD): {line}");
    let path = target_dir().join("skipped.txt");
    let noted = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        // One write a line: several test processes append to the file at the same time.
        .and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
    if let Err(error) = noted {
        eprintln!("(and {} can't be written: {error})", path.display());
    }
}
