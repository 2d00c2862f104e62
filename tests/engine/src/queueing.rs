//! A transfer queue with one site.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use ftp_client::{Client, Config};
use futures_util::FutureExt;
use transfer::{
    Connector, Direction, ItemKind, NewTransfer, Queue, QueueConfig, RetryPolicy, SiteKey, State,
    Transfer, TransferId,
};

use crate::{Log, path};

struct Connect {
    config: Config,
    log: Log,
}

#[async_trait::async_trait]
impl Connector for Connect {
    async fn connect(&self, _site: &SiteKey) -> Result<Client, ftp_client::Error> {
        let mut config = self.config.clone();
        self.log.attach(&mut config);
        Client::connect(config).await
    }
}

/// A queue to one server, with short pauses before it tries again.
pub fn queue_to(config: Config, workers: usize) -> (Queue, Log) {
    let how = QueueConfig {
        workers,
        connections: workers,
        wait_for_room: false,
        retry: RetryPolicy {
            first_pause: Duration::from_millis(200),
            ..RetryPolicy::default()
        },
        ..QueueConfig::default()
    };
    queue_with(config, how)
}

/// A queue to one server that works in some way.
pub fn queue_with(config: Config, how: QueueConfig) -> (Queue, Log) {
    let log = Log::default();
    let connector = Connect {
        config,
        log: log.clone(),
    };
    (Queue::new(how, Arc::new(connector)), log)
}

/// Puts one transfer into the queue.
pub fn add(
    queue: &Queue,
    direction: Direction,
    kind: ItemKind,
    local: &Path,
    remote: &str,
) -> TransferId {
    let new = NewTransfer {
        site: SiteKey::new("test"),
        direction,
        kind,
        local: local.to_owned(),
        remote: path(remote),
        size: None,
        modified: None,
        options: std::sync::Arc::default(),
    };
    let ids = queue.enqueue(vec![new]).now_or_never();
    // Without a journal there is nothing to wait for.
    ids.unwrap().unwrap()[0]
}

/// An item, after all of the queue is done.
pub async fn finished(queue: &Queue, id: TransferId) -> Transfer {
    tokio::time::timeout(Duration::from_secs(120), queue.wait_idle())
        .await
        .expect("the queue comes to an end");
    queue.get(id).unwrap()
}

/// The item went well; else everything that did not.
pub fn assert_done(queue: &Queue, item: &Transfer, case: &str, log: &Log) {
    let mut failed = queue.list();
    failed.retain(|item| item.error.is_some());
    let state = item.state;
    assert_eq!(state, State::Done, "{case}: {failed:#?}\n{}", log.all());
}

/// Path, content (`None` for a folder) and time in seconds of everything in a folder.
pub fn tree(folder: &Path) -> BTreeMap<String, Option<(Vec<u8>, u64)>> {
    let mut found = BTreeMap::new();
    let mut left = vec![folder.to_owned()];
    while let Some(at) = left.pop() {
        for entry in fs::read_dir(&at).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().to_str().unwrap();
            let name = name.to_owned();
            if path.is_dir() {
                found.insert(name, None);
                left.push(path);
            } else {
                let modified = fs::metadata(&path).unwrap().modified().unwrap();
                let seconds = modified.duration_since(SystemTime::UNIX_EPOCH).unwrap();
                found.insert(name, Some((fs::read(&path).unwrap(), seconds.as_secs())));
            }
        }
    }
    found
}

/// Writes a file with a time, and the folders that it needs.
pub fn write(folder: &Path, name: &str, content: &[u8], seconds: u64) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, content).unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(time).unwrap();
}
