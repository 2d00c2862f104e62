//! Many files in one call, and what became of each.

use std::collections::BTreeMap;

use ftp_client::{BatchOptions, Client, Error, FetchFile, Fetched, LogKind, StoreFile, Stored};
use support::Script;
use tokio::sync::mpsc;

use crate::{Log, path};

/// The outcomes by place, and how the call ended.
pub type Outcomes<T> = (BTreeMap<usize, Result<T, Error>>, Result<(), Error>);

/// A file to fetch, of this size, where it is known.
pub fn wanted(name: &str, size: Option<u64>) -> FetchFile {
    FetchFile {
        path: path(name),
        size,
        want_time: false,
        most: 1 << 20,
    }
}

/// Fetches all of them.
pub async fn fetch(client: &Client, files: Vec<FetchFile>) -> Outcomes<Fetched> {
    let (sender, outcomes) = mpsc::unbounded_channel();
    let ended = client
        .fetch_many(files, BatchOptions::default(), sender)
        .await;
    (all(outcomes), ended)
}

/// Stores all of them.
pub async fn store(client: &Client, files: Vec<StoreFile>) -> Outcomes<Stored> {
    let (sender, outcomes) = mpsc::unbounded_channel();
    let ended = client
        .store_many(files, BatchOptions::default(), sender)
        .await;
    (all(outcomes), ended)
}

fn all<T>(mut outcomes: mpsc::UnboundedReceiver<(usize, T)>) -> BTreeMap<usize, T> {
    let mut found = BTreeMap::new();
    while let Ok((index, outcome)) = outcomes.try_recv() {
        assert!(found.insert(index, outcome).is_none(), "{index} twice");
    }
    found
}

/// True where a transfer's command left together with those of another one.
pub fn went_together(log: &Log) -> bool {
    let mut before = false;
    for (kind, text) in log.events() {
        let transfer = text.starts_with("RETR") || text.starts_with("STOR");
        if before && kind == LogKind::Sent {
            return true;
        }
        before = kind == LogKind::Sent && transfer;
    }
    false
}

/// A server of this greeting, with the standing answers of [`Script::logged_in`] and no more.
pub fn greets(greeting: &str) -> Script {
    Script::new().say(greeting).answering(&[
        ("USER *", "331 and the password?"),
        ("PASS *", "230 come in"),
        (
            "FEAT",
            "211-Features:\r\n EPSV\r\n MDTM\r\n SIZE\r\n UTF8\r\n211 End",
        ),
        ("PWD", "257 \"/\" is the current directory"),
        ("TYPE *", "200 type set"),
        ("CWD *", "250 there"),
        ("OPTS *", "200 as you wish"),
        ("NOOP", "200 nothing done"),
        ("QUIT", "221 goodbye"),
        ("EPSV*", "229 Entering Extended Passive Mode (|||{port}|)"),
    ])
}

/// One that is known to take many commands at once.
pub fn queues() -> Script {
    greets("220 (vsFTPd of the tests)")
}
