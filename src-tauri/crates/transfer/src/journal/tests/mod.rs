#![allow(clippy::unwrap_used)]

mod basics;
mod bytes;
mod damage;
mod kill;
mod model;
mod room;
mod speed;
mod versions;

use std::path::PathBuf;

use jiff::Timestamp;

use super::*;
use crate::{Checks, Direction};

/// A folder of its own, and a journal's path in it.
fn place() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap().join("queue.sqlite");
    (folder, path)
}

fn open(path: &Path) -> Journal {
    let opened = Journal::open(path, "a test").unwrap();
    assert_eq!(opened.recovered, None);
    opened.journal
}

fn site() -> Op {
    Op::Site {
        id: 1,
        key: "ftp://somebody@example.org".to_owned(),
    }
}

fn item(id: u32, parent: u32) -> Row {
    Row {
        id,
        parent,
        site: 1,
        options: 1,
        state: (id % 8) as u8,
        flags: id.wrapping_mul(7),
        priority: (id % 3) as i8 - 1,
        order: i64::from(id) - 1000,
        depth: u32::from(parent != 0),
        size: (!id.is_multiple_of(5)).then_some(u64::from(id) << 8),
        modified: (!id.is_multiple_of(3)).then_some(1_700_000_000_000_000_000 + i64::from(id)),
        bytes: u64::from(id),
        attempts: id % 4,
        start_at: id.is_multiple_of(50).then_some(1_700_000_000_000),
        name: format!("a file of the usual length {id:07}.html").into_bytes(),
        local: id
            .is_multiple_of(20)
            .then(|| format!("/home/somebody/{id}").into_bytes()),
        detail: id
            .is_multiple_of(20)
            .then(|| format!(r#"{{"begun":{{"size":{id}}}}}"#)),
    }
}

fn receipt(id: u32) -> Receipt {
    Receipt {
        id,
        site: "ftp://somebody@example.org".to_owned(),
        direction: Direction::Download,
        source: format!("/remote/{id}"),
        target: format!("/local/{id}"),
        bytes: u64::from(id),
        resumed_from: 0,
        finished: Timestamp::UNIX_EPOCH,
        seconds: 0.5,
        attempts: 1,
        checks: Checks::default(),
        digest: None,
        found_complete: false,
    }
}
