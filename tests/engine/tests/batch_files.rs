//! Many small files in one call, to and from vsftpd, ProFTPD, Pure-FTPd and our own server, plain and over TLS.
#![allow(clippy::unwrap_used, unused_crate_dependencies)]

use std::{collections::BTreeMap, time::Duration};

use engine_tests::{
    Log,
    batches::{fetch, store, wanted, went_together},
    config_for, connect, each_server,
    own::{OwnServer, Store},
    path, pattern,
};
use ftp_client::{
    BatchOptions, Client, Config, DataMode, ErrorKind, HashAlgorithm, HostMemory, StoreFile,
    StoreThen, Throttle, Throttles,
    ftp_proto::{Command, RemotePath},
};
use jiff::Timestamp;
use tokio::sync::mpsc;

/// When they were last changed.
const TIME: i64 = 1_600_000_000;

/// A hundred files in several folders, by path: odd names, and sizes from nothing to more than one segment.
fn hundred() -> BTreeMap<String, Vec<u8>> {
    let long = "n".repeat(200);
    let odd = [
        "with two  blanks",
        "-dash",
        "--",
        "näme ünd ö",
        "日本語",
        ".hidden",
        "it's \"quoted\"",
        "a;b=c",
        "100%",
        &long,
        "#",
        "~tilde",
        "(round)",
        "comma,",
        "{brace}",
        "$dollar",
        "&",
        "!",
        "^",
        "`",
        "a\\b",
    ];
    let folders = ["/", "/plain/", "/a folder/", "/a folder/ünter/", "/-d/"];
    (0..100)
        .map(|index| {
            let name = match odd.get(index / folders.len()) {
                Some(odd) => (*odd).to_owned(),
                None => format!("file{index}"),
            };
            let size = match index % 10 {
                0 => 0,
                1 => 1,
                2 => 70_000,
                other => other * 400,
            };
            (
                format!("{}{name}", folders[index % folders.len()]),
                pattern(size),
            )
        })
        .collect()
}

async fn make_folders(client: &Client) {
    let folders = ["/plain", "/a folder", "/a folder/ünter", "/-d"];
    let commands = folders.map(|folder| Command::Mkd(path(folder)));
    for reply in client.burst(commands.to_vec()).await.unwrap() {
        assert!(reply.code.is_completion(), "{reply}");
    }
}

fn beside(path: &RemotePath) -> RemotePath {
    RemotePath::try_from([path.as_bytes(), b".part"].concat()).unwrap()
}

/// Stores the hundred and fetches them again.
async fn there_and_back(client: &Client, log: &Log, case: &str) {
    let all = hundred();
    assert_eq!(all.len(), 100);
    make_folders(client).await;
    let time = Timestamp::from_second(TIME).unwrap();
    let files: Vec<StoreFile> = all
        .iter()
        .map(|(name, data)| StoreFile {
            // A long name has no room for more.
            path: if name.len() > 200 {
                path(name)
            } else {
                beside(&path(name))
            },
            data: data.clone(),
            then: StoreThen {
                rename_to: (name.len() <= 200).then(|| path(name)),
                modified: Some(time),
                mode: Some(0o640),
                want_size: true,
            },
        })
        .collect();
    let count = files.len();
    let (outcomes, ended) = store(client, files).await;
    ended.unwrap_or_else(|error| panic!("{case}: {error}\n{}", log.all()));
    assert_eq!(outcomes.len(), count, "{case}");
    for ((name, data), (_, outcome)) in all.iter().zip(outcomes) {
        let stored = outcome.unwrap_or_else(|error| panic!("{case}, {name}: {error}"));
        assert_eq!(stored.size, Some(data.len() as u64), "{case}, {name}");
        assert!(
            !matches!(stored.renamed, Some(Err(_))),
            "{case}, {name}: {stored:?}"
        );
        assert!(
            matches!(stored.time_set, Some(Ok(()))),
            "{case}, {name}: {stored:?}"
        );
        // SITE takes its argument apart at blanks and quotes on some servers.
        let plain = !name.contains(['"', ' ', '\'', '\\']);
        let mode_set = matches!(stored.mode_set, Some(Ok(())));
        assert!(mode_set || !plain, "{case}, {name}: {stored:?}");
    }
    // One that isn't there among them, and half of the sizes unknown.
    let mut files: Vec<_> = all
        .iter()
        .enumerate()
        .map(|(index, (name, data))| {
            let size = (index % 2 == 0).then_some(data.len() as u64);
            let mut file = wanted(name, size);
            file.want_time = index % 3 == 0;
            file
        })
        .collect();
    files.insert(50, wanted("/plain/not there", Some(5)));
    let (mut outcomes, ended) = fetch(client, files).await;
    ended.unwrap_or_else(|error| panic!("{case}: {error}\n{}", log.all()));
    let missing = outcomes.remove(&50).unwrap().unwrap_err();
    assert_eq!(*missing.kind(), ErrorKind::NotFound, "{case}: {missing}");
    for (place, ((name, data), (_, outcome))) in all.iter().zip(outcomes).enumerate() {
        let file = outcome.unwrap_or_else(|error| panic!("{case}, {name}: {error}"));
        assert!(
            file.data == *data,
            "{case}, {name}: {} bytes",
            file.data.len()
        );
        let expected = (place % 3 == 0).then_some(time);
        assert_eq!(file.modified, expected, "{case}, {name}");
    }
    assert!(went_together(log), "{case}\n{}", log.all());
    let confused = log.all().contains("one command at a time");
    assert!(
        !confused && !log.all().contains("out of step"),
        "{case}\n{}",
        log.all()
    );
    client.noop().await.unwrap();
}

#[tokio::test]
async fn real_a_hundred_files_there_and_back() {
    for mode in [DataMode::Auto, DataMode::Active] {
        for (server, tls) in each_server(|options| options) {
            let case = format!("{} {tls:?} {mode:?}", server.kind().name());
            let mut config = config_for(&server, tls);
            config.data = mode;
            let (client, log) = connect(config).await.unwrap();
            there_and_back(&client, &log, &case).await;
        }
    }
}

#[tokio::test]
async fn a_hundred_files_there_and_back_to_our_own_server() {
    for mode in [DataMode::Auto, DataMode::Active] {
        for (server, case) in OwnServer::each().await {
            let mut config = server.config();
            config.data = mode;
            let (client, log) = connect(config).await.unwrap();
            there_and_back(&client, &log, &format!("{case} {mode:?}")).await;
        }
    }
}

/// What was learned is kept, and a session that knows it sends everything together from the first file on.
#[tokio::test]
async fn what_was_learned_spares_the_first_steps() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hosts.json");
    let server = OwnServer::start(Store::Memory, support::Tls::Off).await;
    for index in 0..30 {
        server.put(&format!("/f{index}"), b"content").await;
    }
    let files = || (0..30).map(|index| wanted(&format!("/f{index}"), Some(7)));
    for (known, writes) in [(false, "EPSV"), (true, "RETR /f0")] {
        let mut config: Config = server.config();
        config.hosts = HostMemory::load(&file);
        let (client, log) = connect(config.clone()).await.unwrap();
        let before = log.events().len();
        let (outcomes, ended) = fetch(&client, files().collect()).await;
        ended.unwrap();
        assert!(outcomes.len() == 30 && outcomes.values().all(Result::is_ok));
        // By itself the first one waits for each reply.
        let events = &log.events()[before..];
        let first = events
            .iter()
            .position(|(kind, _)| *kind == ftp_client::LogKind::Received);
        let sent = &events[..first.unwrap()];
        assert_eq!(sent.len() > 2, known, "{}", log.all());
        assert!(sent.iter().any(|(_, text)| text == writes), "{}", log.all());
        config.hosts.save(&file).unwrap();
    }
}

#[tokio::test]
async fn a_limit_of_speed_holds_for_all_files_together() {
    let server = OwnServer::start(Store::Memory, support::Tls::Off).await;
    for index in 0..100 {
        server.put(&format!("/f{index}"), &pattern(2000)).await;
    }
    let (client, _) = connect(server.config()).await.unwrap();
    let options = BatchOptions {
        throttles: Throttles::from(Throttle::new(std::num::NonZeroU64::new(200_000))),
        ..BatchOptions::default()
    };
    let files = (0..100).map(|index| wanted(&format!("/f{index}"), Some(2000)));
    let (sender, _outcomes) = mpsc::unbounded_channel();
    let begin = std::time::Instant::now();
    let progress = options.progress.clone();
    client
        .fetch_many(files.collect(), options, sender)
        .await
        .unwrap();
    let time = begin.elapsed();
    assert_eq!(progress.bytes(), 200_000);
    // A second, less what may be made up for.
    assert!(time > Duration::from_millis(800), "{time:?}");
    assert!(time < Duration::from_secs(5), "{time:?}");
}

/// Whoever stops listening gets no more files, and a session that still works.
#[tokio::test]
async fn nobody_listens_any_more() {
    let server = OwnServer::start(Store::Memory, support::Tls::Off).await;
    for index in 0..200 {
        server.put(&format!("/f{index}"), b"x").await;
    }
    let (client, log) = connect(server.config()).await.unwrap();
    let files = (0..200).map(|index| wanted(&format!("/f{index}"), Some(1)));
    let (sender, mut outcomes) = mpsc::unbounded_channel();
    let fetching = client.fetch_many(files.collect(), BatchOptions::default(), sender);
    let (ended, ()) = tokio::join!(fetching, async {
        outcomes.recv().await.unwrap().1.unwrap();
        outcomes.close();
    });
    ended.unwrap();
    client.noop().await.unwrap();
    let fetched = log
        .sent()
        .iter()
        .filter(|line| line.starts_with("RETR"))
        .count();
    assert!(fetched < 200, "{fetched}");
}

/// ProFTPD computes hashes; where FEAT names none, there are none.
#[tokio::test]
async fn real_hashes_where_there_are_some() {
    for (server, tls) in each_server(|options| options) {
        let (client, log) = connect(config_for(&server, tls)).await.unwrap();
        server.put("empty", b"");
        let all = HashAlgorithm::ALL;
        let hash = client.hash(&path("/empty"), &all).await.unwrap();
        let has = log.all().contains("XCRC")
            || log.all().contains("XMD5")
            || log.all().contains(" HASH ");
        assert_eq!(
            hash.is_some(),
            has,
            "{}\n{}",
            server.kind().name(),
            log.all()
        );
        if has {
            let md5 = client
                .hash(&path("/empty"), &[HashAlgorithm::Md5])
                .await
                .unwrap();
            let empty = "d41d8cd98f00b204e9800998ecf8427e".to_owned();
            assert_eq!(md5, Some((HashAlgorithm::Md5, empty)));
            let error = client.hash(&path("/none"), &all).await.unwrap_err();
            assert_eq!(*error.kind(), ErrorKind::NotFound, "{error}");
        }
    }
}
