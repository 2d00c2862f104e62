//! Transfers that are stopped half-way go on where they were, after their ends were compared.
#![allow(clippy::unwrap_used, unused_crate_dependencies)]

use std::{fs, path::Path, sync::Arc, time::Duration};

use engine_tests::{
    Log, config_for, connect, names,
    own::{OwnServer, Store},
    pattern,
    queueing::{finished, queue_to, write},
};
use ftp_client::Config;
use support::{Kind, Options, RealServer, Tls};
use transfer::{
    ConflictRule, Direction, ItemKind, NewTransfer, Queue, SiteKey, State, Transfer, TransferId,
};

const SIZE: usize = 6 << 20;
/// Slow enough to be stopped half-way.
const LIMIT: u64 = 3 << 20;
/// So much has been moved when it is stopped, at least.
const HALF: u64 = 2 << 20;

/// A place with one site, where one file goes to and fro.
struct Bench {
    config: Config,
    queue: Queue,
    log: Log,
    dir: tempfile::TempDir,
    case: String,
}

impl Bench {
    fn new(config: Config, case: &str) -> Self {
        let (queue, log) = queue_to(config.clone(), 2);
        Self {
            config,
            queue,
            log,
            dir: tempfile::tempdir().unwrap(),
            case: case.to_owned(),
        }
    }

    async fn add(
        &self,
        direction: Direction,
        local: &Path,
        remote: &str,
        options: transfer::Options,
    ) -> TransferId {
        let new = NewTransfer {
            site: SiteKey::new("test"),
            direction,
            kind: ItemKind::File,
            local: local.to_owned(),
            remote: engine_tests::path(remote),
            size: None,
            modified: None,
            options: Arc::new(options),
        };
        self.queue.enqueue(vec![new]).await.unwrap()[0]
    }

    /// Begins, and pauses it half-way.
    async fn half(&self, direction: Direction, local: &Path, remote: &str) -> TransferId {
        let options = transfer::Options {
            limit: Some(LIMIT),
            ..transfer::Options::default()
        };
        let id = self.add(direction, local, remote, options).await;
        let moved = async {
            while self.queue.get(id).unwrap().bytes < HALF {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), moved)
            .await
            .unwrap_or_else(|_| panic!("{}: it moves\n{}", self.case, self.log.all()));
        self.queue.pause(&[id]);
        let item = finished(&self.queue, id).await;
        assert_eq!(item.state, State::Paused, "{}: {item:?}", self.case);
        id
    }

    async fn go_on(&self, id: TransferId) -> Transfer {
        self.queue.unpause(&[id]);
        let item = finished(&self.queue, id).await;
        let case = &self.case;
        assert_eq!(
            item.state,
            State::Done,
            "{case}: {item:?}\n{}",
            self.log.all()
        );
        assert!(item.verified.unwrap().size, "{case}: {item:?}");
        item
    }

    async fn remote_names(&self) -> Vec<String> {
        let (client, _) = connect(self.config.clone()).await.unwrap();
        let mut names = names(&client, "/").await;
        names.retain(|name| name.contains("big"));
        client.quit().await.unwrap();
        names
    }

    fn local_names(&self, folder: &str) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(self.dir.path().join(folder))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    async fn there_and_back(&self) {
        let case = &self.case;
        let content = pattern(SIZE);
        let source = self.dir.path().join("big");
        write(self.dir.path(), "big", &content, 1_000_000_000);
        // Up: the name is not there before all of it is.
        let id = self.half(Direction::Upload, &source, "/big").await;
        assert_eq!(self.remote_names().await, [".big.slippart"], "{case}");
        let item = self.go_on(id).await;
        assert!(item.resumed_from >= HALF / 2, "{case}: {item:?}");
        assert!(item.verified.unwrap().tail, "{case}: {item:?}");
        assert_eq!(self.remote_names().await, ["big"], "{case}");
        // Down, the same.
        fs::create_dir(self.dir.path().join("back")).unwrap();
        let back = self.dir.path().join("back/big");
        let id = self.half(Direction::Download, &back, "/big").await;
        assert_eq!(self.local_names("back"), [".big.slippart"], "{case}");
        let item = self.go_on(id).await;
        assert!(item.resumed_from >= HALF / 2, "{case}: {item:?}");
        assert!(item.verified.unwrap().tail, "{case}: {item:?}");
        assert_eq!(self.local_names("back"), ["big"], "{case}");
        assert!(fs::read(&back).unwrap() == content, "{case}");
        // What is not the beginning of the file is not continued.
        let id = self.half(Direction::Download, &back, "/big").await;
        let part = self.dir.path().join("back/.big.slippart");
        let mut spoilt = fs::read(&part).unwrap();
        let last = spoilt.len() - 1;
        spoilt[last] ^= 1;
        fs::write(&part, spoilt).unwrap();
        assert!(
            fs::read(&back).unwrap() == content,
            "{case}: the old one stands"
        );
        assert_eq!(self.go_on(id).await.resumed_from, 0, "{case}");
        assert!(fs::read(&back).unwrap() == content, "{case}");
        self.complete_what_is_there(&content, &source, &back).await;
    }

    /// The rule that takes what is there for the beginning.
    async fn complete_what_is_there(&self, content: &[u8], source: &Path, back: &Path) {
        let case = &self.case;
        let resume = || transfer::Options {
            conflict: ConflictRule::Resume,
            ..transfer::Options::default()
        };
        let before = self.log.sent().len();
        let id = self.add(Direction::Upload, source, "/big", resume()).await;
        let item = finished(&self.queue, id).await;
        assert_eq!(item.state, State::Done, "{case}: {item:?}");
        let sent = self.log.sent();
        let stores = |line: &&String| line.starts_with("STOR") || line.starts_with("APPE");
        assert_eq!(
            sent[before..].iter().find(stores),
            None,
            "{case}: it is complete"
        );
        fs::write(back, &content[..1_000_000]).unwrap();
        let id = self.add(Direction::Download, back, "/big", resume()).await;
        let item = finished(&self.queue, id).await;
        assert_eq!(
            (item.state, item.resumed_from),
            (State::Done, 1_000_000),
            "{case}"
        );
        assert!(fs::read(back).unwrap() == content, "{case}");
        // Half of it there, too.
        let half = self.dir.path().join("half");
        fs::write(&half, &content[..2_000_000]).unwrap();
        for (from, resumed) in [(half.as_path(), 0), (source, 2_000_000)] {
            let id = self.add(Direction::Upload, from, "/big2", resume()).await;
            let item = finished(&self.queue, id).await;
            assert_eq!(
                (item.state, item.resumed_from),
                (State::Done, resumed),
                "{case}"
            );
        }
        fs::remove_file(back).unwrap();
        let id = self.add(Direction::Download, back, "/big2", resume()).await;
        assert_eq!(finished(&self.queue, id).await.state, State::Done, "{case}");
        assert!(fs::read(back).unwrap() == content, "{case}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_server_lets_transfers_go_on() {
    for tls in [Tls::Off, Tls::Explicit] {
        let server = OwnServer::start(Store::Disk, tls).await;
        let case = format!("own server {tls:?}");
        Bench::new(server.config(), &case).there_and_back().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn real_vsftpd_lets_transfers_go_on() {
    for tls in [Tls::Off, Tls::Explicit] {
        let Some(server) = RealServer::start(Kind::Vsftpd, Options::with_tls(tls)) else {
            return;
        };
        let case = format!("vsftpd {tls:?}");
        Bench::new(config_for(&server, tls), &case)
            .there_and_back()
            .await;
    }
}
