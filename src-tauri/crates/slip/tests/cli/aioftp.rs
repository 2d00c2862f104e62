//! `slip serve --profile aioftp` beside the server that it speaks like: the same sessions with both, and that library's own client.
//! The cases are in aioftp_profile.py.

use std::process::Command;
use std::sync::Arc;

use support::{ca::Authority, skip_loudly};

use crate::harness::Bench;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/aioftp_profile.py");

#[tokio::test(flavor = "multi_thread")]
async fn the_profile_speaks_as_aioftp_does() {
    let python = match tokio::task::spawn_blocking(support::with_aioftp)
        .await
        .unwrap()
    {
        Ok(python) => python,
        Err(reason) => return skip_loudly("the profile aioftp", &reason),
    };
    let bench = Arc::new(Bench::new());
    let folder = bench.dir.path().join("config");
    let authority = Authority::new();
    let server = authority.issue(&["localhost", "127.0.0.1"]);
    std::fs::write(folder.join("ca.pem"), authority.pem()).unwrap();
    server.write(&folder);
    let mut command = Command::new(python);
    command
        .arg(SCRIPT)
        .arg(env!("CARGO_BIN_EXE_slip"))
        .arg(&folder)
        .env("SLIPWAY_DATA_DIR", bench.dir.path().join("data"))
        .env("TZ", "UTC");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let wrong = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.ends_with("all well\n"), "{said}\n{wrong}");
}
