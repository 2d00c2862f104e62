//! Many files in one call, and what became of each.

use std::{collections::BTreeMap, time::Duration};

use ftp_client::{
    BatchOptions, Client, Config, Error, FetchFile, Fetched, LogKind, StoreFile, Stored,
};
use support::{Peer, Script};
use tokio::sync::mpsc;

use crate::{
    Log, connect, path,
    scripted::{config, sends},
};

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

/// `f0` by itself, which shows that data connections come about, and then the batch.
pub fn sends_first() -> Script {
    queues().then(sends("RETR /f0", "0"))
}

/// `/f0` and so on, of unknown size.
pub fn files(count: usize) -> Vec<FetchFile> {
    (0..count)
        .map(|index| wanted(&format!("/f{index}"), None))
        .collect()
}

/// All of `range` one after the other, each with its own number in it.
pub fn each(range: std::ops::Range<usize>) -> Script {
    range.fold(Script::new(), |script, index| {
        script.then(sends(&format!("RETR /f{index}"), index.to_string()))
    })
}

/// A client of a peer.
pub async fn client_of(peer: &Peer, change: impl FnOnce(&mut Config)) -> (Client, Log) {
    let mut config = config(peer);
    change(&mut config);
    connect(config).await.unwrap()
}

/// Fetches `count` files from a peer that plays these scripts to its connections; all must come as they are.
pub async fn all_come(count: usize, scripts: Vec<Script>, change: impl FnOnce(&mut Config)) -> Log {
    let peer = Peer::serve_each(scripts).await;
    let (client, log) = client_of(&peer, change).await;
    let fetching = tokio::time::timeout(Duration::from_secs(15), fetch(&client, files(count)));
    let (outcomes, ended) = fetching.await.expect("it comes to an end");
    ended.unwrap_or_else(|error| panic!("{error}\n{}", log.all()));
    assert_eq!(outcomes.len(), count, "{}", log.all());
    for (index, outcome) in outcomes {
        let file = outcome.unwrap_or_else(|error| panic!("{index}: {error}\n{}", log.all()));
        assert_eq!(file.data, index.to_string().as_bytes(), "{}", log.all());
    }
    client.quit().await.unwrap();
    for outcome in peer.outcomes().await {
        let _ = outcome;
    }
    log
}
