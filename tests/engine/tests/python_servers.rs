//! The client against two servers in Python, aioftp and pyftpdlib: other people's readings of the RFCs.
//!
//! aioftp is the barest server that there is: no FEAT, so that nothing is known of it, no SIZE, no times, no NOOP, and commands
//! that come together run at the same time.
#![allow(clippy::unwrap_used, unused_crate_dependencies)]

use std::time::Duration;

use engine_tests::{
    Log, config_for, connect, entries,
    files::{get, get_by_copy, put, put_by_copy},
    names, path, pattern,
};
use ftp_client::{
    Client, DataMode, ErrorKind, Login, Progress, Security, ftp_proto::listing::Kind as EntryKind,
};
use jiff::Timestamp;
use support::{Kind, Options, RealServer, Tls};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// A server and how it is protected.
struct Case {
    server: RealServer,
    tls: Tls,
    name: String,
}

impl Case {
    fn is(&self, kind: Kind) -> bool {
        self.server.kind() == kind
    }

    async fn client(&self) -> (Client, Log) {
        match connect(config_for(&self.server, self.tls)).await {
            Ok(connected) => connected,
            Err(error) => panic!("{}: {error}\n{}", self.name, self.server.log()),
        }
    }
}

/// Both, plain and with every kind of TLS that they have.
const ALL: [(Kind, Tls, &str); 6] = [
    (Kind::Aioftp, Tls::Off, ""),
    (Kind::Aioftp, Tls::Implicit, ""),
    (Kind::Pyftpdlib, Tls::Off, ""),
    (Kind::Pyftpdlib, Tls::Explicit, ""),
    (Kind::Pyftpdlib, Tls::Explicit, "tls='1.2'"),
    (Kind::Pyftpdlib, Tls::Explicit, "tls='1.3'"),
];

fn each(prepare: impl Fn(Options) -> Options) -> impl Iterator<Item = Case> {
    ALL.into_iter().filter_map(move |(kind, tls, extra)| {
        let mut options = prepare(Options::with_tls(tls));
        if !extra.is_empty() {
            options.extra.push(extra.to_owned());
        }
        let server = RealServer::start(kind, options)?;
        let name = format!("{} {tls:?} {extra}", kind.name());
        Some(Case { server, tls, name })
    })
}

#[tokio::test]
async fn real_every_size_goes_up_and_comes_down() {
    for case in each(|options| options) {
        let (client, log) = case.client().await;
        let mut sizes = vec![0, 1, 1024 * 1024];
        // The sizes at which some servers lose the end of a TLS 1.3 upload.
        sizes.extend(32_725..=32_746);
        for size in sizes {
            let content = pattern(size);
            let say = |what: &str| format!("{} {size} {what}\n{}", case.name, log.all());
            put(&client, "/file", &content).await.unwrap();
            assert!(case.server.read("file") == content, "{}", say("up"));
            let back = get(&client, "/file", 0).await.unwrap();
            assert!(back == content, "{}", say("down"));
            let sent = put_by_copy(&client, "/file2", &content).await.unwrap();
            assert_eq!(sent, size as u64, "{}", case.name);
            assert!(
                case.server.read("file2") == content,
                "{}",
                say("up by copy")
            );
            let back = get_by_copy(&client, "/file2").await.unwrap();
            assert!(back == content, "{}", say("down by copy"));
        }
        client.quit().await.unwrap();
    }
}

#[tokio::test]
async fn real_offsets_both_ways_and_appending() {
    let content = pattern(300_000);
    for case in each(|options| options.file("seed", content.clone())) {
        let (client, log) = case.client().await;
        for offset in [1, 4, 65_536, 299_999, 300_000] {
            let back = get(&client, "/seed", offset as u64).await.unwrap();
            assert!(
                back == content[offset..],
                "{} {offset}\n{}",
                case.name,
                log.all()
            );
        }
        // An offset counts for one transfer.
        assert!(
            get(&client, "/seed", 0).await.unwrap() == content,
            "{}",
            case.name
        );
        let mut upload = client.stor(&path("/seed"), 299_990).await.unwrap();
        upload.write_all(b"0123456789ABC").await.unwrap();
        upload.finish().await.unwrap();
        let mut wanted = content[..299_990].to_vec();
        wanted.extend(b"0123456789ABC");
        assert!(
            case.server.read("seed") == wanted,
            "{}\n{}",
            case.name,
            log.all()
        );
        let mut upload = client.appe(&path("/seed")).await.unwrap();
        upload.write_all(b"more").await.unwrap();
        upload.finish().await.unwrap();
        wanted.extend(b"more");
        assert!(
            case.server.read("seed") == wanted,
            "{}\n{}",
            case.name,
            log.all()
        );
        put(&client, "/seed", b"short").await.unwrap();
        assert_eq!(case.server.read("seed"), b"short", "{}", case.name);
    }
}

#[tokio::test]
async fn real_folders_names_renames_and_deletions() {
    let odd = [
        "with space",
        "with \"quotes\"",
        "it's",
        "größe-日本",
        "-dash",
        "a;b=c",
        "percent%20",
        " leading",
        "[brackets]",
        "a -> b",
    ];
    for case in each(|options| options) {
        let (client, log) = case.client().await;
        client.mkd_parents(&path("/a/b/c")).await.unwrap();
        client.mkd_parents(&path("/a/b/c")).await.unwrap();
        client.cwd(&path("/a/b")).await.unwrap();
        assert_eq!(client.pwd().await.unwrap(), path("/a/b"), "{}", case.name);
        assert_eq!(names(&client, "/a").await, ["b"], "{}", case.name);
        put(&client, "relative", b"1").await.unwrap();
        assert_eq!(
            case.server.read("a/b/relative"),
            b"1",
            "{}\n{}",
            case.name,
            log.all()
        );
        client.cdup().await.unwrap();
        assert_eq!(client.pwd().await.unwrap(), path("/a"), "{}", case.name);
        client.cwd(&path("/")).await.unwrap();
        assert!(
            client.is_dir(&path("/a/b/c")).await.unwrap(),
            "{}",
            case.name
        );
        assert!(
            !client.is_dir(&path("/a/b/relative")).await.unwrap(),
            "{}",
            case.name
        );
        client.remove_tree(&path("/a")).await.unwrap();
        assert_eq!(
            names(&client, "/").await,
            Vec::<String>::new(),
            "{}",
            case.name
        );

        for name in odd {
            let say = |what: &str| format!("{} {name:?} {what}\n{}", case.name, log.all());
            let (file, folder) = (format!("/{name}"), format!("/dir {name}"));
            put(&client, &file, name.as_bytes()).await.unwrap();
            client.mkd(&path(&folder)).await.unwrap();
            put(&client, &format!("{folder}/in"), b"x").await.unwrap();
            assert_eq!(
                names(&client, &folder).await,
                ["in"],
                "{}",
                say("in a folder")
            );
            let listed = entries(&client, "/").await;
            let entry = listed.iter().find(|entry| entry.name == name.as_bytes());
            let entry = entry.unwrap_or_else(|| panic!("{}", say("listed")));
            let known = (entry.kind, entry.size);
            assert_eq!(
                known,
                (EntryKind::File, Some(name.len() as u64)),
                "{}",
                say("facts")
            );
            let stat = client.stat(&path(&file)).await.unwrap();
            assert_eq!((stat.kind, stat.size), known, "{}", say("stat"));
            let stat = client.stat(&path(&folder)).await.unwrap();
            assert_eq!(stat.kind, EntryKind::Dir, "{}", say("stat of the folder"));
            let to = format!("/new {name}");
            client.rename(&path(&file), &path(&to)).await.unwrap();
            assert_eq!(get(&client, &to, 0).await.unwrap(), name.as_bytes());
            client.dele(&path(&to)).await.unwrap();
            client.remove_tree(&path(&folder)).await.unwrap();
        }
        assert_eq!(
            names(&client, "/").await,
            Vec::<String>::new(),
            "{}",
            case.name
        );
        assert_eq!(client.pwd().await.unwrap(), path("/"), "{}", case.name);
    }
}

/// What a server can't do is [`ErrorKind::Unsupported`], and what is missing is [`ErrorKind::NotFound`].
#[tokio::test]
async fn real_sizes_times_and_refusals() {
    let time: Timestamp = "2019-05-06T07:08:09Z".parse().unwrap();
    for case in each(|options| options.file("seed", "0123456789").file("d/in", "x")) {
        let (client, log) = case.client().await;
        let say = |what: &str| format!("{} {what}\n{}", case.name, log.all());
        let seed = path("/seed");
        if case.is(Kind::Aioftp) {
            for kind in [
                client.size(&seed).await.unwrap_err().kind().clone(),
                client.mdtm(&seed).await.unwrap_err().kind().clone(),
                client.mfmt(&seed, time).await.unwrap_err().kind().clone(),
                client.chmod(&seed, 0o640).await.unwrap_err().kind().clone(),
            ] {
                assert_eq!(kind, ErrorKind::Unsupported, "{}", say("unsupported"));
            }
        } else {
            assert_eq!(client.size(&seed).await.unwrap(), 10, "{}", say("size"));
            client.mfmt(&seed, time).await.unwrap();
            assert_eq!(client.mdtm(&seed).await.unwrap(), time, "{}", say("mdtm"));
            client.chmod(&seed, 0o640).await.unwrap();
            let stat = client.stat(&seed).await.unwrap();
            assert_eq!(stat.permissions, Some(0o640), "{}", say("chmod"));
            let modified = stat.modified.unwrap();
            assert_eq!((modified.timestamp, modified.zone_known), (time, true));
        }
        let of_the_disk = std::fs::metadata(case.server.root().join("seed"));
        let of_the_disk = of_the_disk.unwrap().modified().unwrap();
        let of_the_disk = Timestamp::try_from(of_the_disk).unwrap().as_second();
        let listed = client.stat(&seed).await.unwrap().modified.unwrap();
        assert_eq!(listed.timestamp.as_second(), of_the_disk, "{}", say("time"));
        for kind in [
            client
                .stat(&path("/none"))
                .await
                .unwrap_err()
                .kind()
                .clone(),
            client
                .dele(&path("/none"))
                .await
                .unwrap_err()
                .kind()
                .clone(),
            client.cwd(&path("/none")).await.unwrap_err().kind().clone(),
            get(&client, "/none", 0).await.unwrap_err().kind().clone(),
            get_by_copy(&client, "/none")
                .await
                .unwrap_err()
                .kind()
                .clone(),
        ] {
            assert_eq!(kind, ErrorKind::NotFound, "{}", say("missing"));
        }
        let missing = match client.list(Some(&path("/none"))).await {
            Ok(listing) => listing.collect().await.unwrap_err(),
            Err(error) => error,
        };
        assert_eq!(*missing.kind(), ErrorKind::NotFound, "{}", say("listing"));
        // A folder that is not empty, a file that is a folder.
        assert!(client.rmd(&path("/d")).await.is_err(), "{}", say("rmd"));
        assert!(client.dele(&path("/d")).await.is_err(), "{}", say("dele"));
        assert!(
            put(&client, "/none/file", b"x").await.is_err(),
            "{}",
            say("stor")
        );
        assert_eq!(
            names(&client, "/").await,
            ["d", "seed"],
            "{}",
            say("after all")
        );
        assert_eq!(client.raw("SYST").await.unwrap().code.value(), 215);
    }
}

/// Servers that know no MLSD are read by LIST, whatever else they say.
#[tokio::test]
async fn real_listings_by_list() {
    let without = |mut options: Options| {
        options.extra.push("without=['MLSD', 'MLST']".to_owned());
        options
            .file("d/small", "123")
            .file("d/b c", vec![7; 4321])
            .file("d/e/f", "")
    };
    for case in each(without) {
        let (client, log) = case.client().await;
        let say = |what: &str| format!("{} {what}\n{}", case.name, log.all());
        assert_eq!(names(&client, "/").await, ["d"], "{}", say("top"));
        assert_eq!(names(&client, "/d/e").await, ["f"], "{}", say("one"));
        let mut listed = entries(&client, "/d").await;
        listed.sort_by(|a, b| a.name.cmp(&b.name));
        let known: Vec<_> = listed
            .iter()
            .map(|entry| (entry.name.as_slice(), entry.kind, entry.size))
            .collect();
        assert_eq!(
            known[0],
            (&b"b c"[..], EntryKind::File, Some(4321)),
            "{}",
            say("b c")
        );
        assert_eq!(known[1].1, EntryKind::Dir, "{}", say("e"));
        assert_eq!(
            known[2],
            (&b"small"[..], EntryKind::File, Some(3)),
            "{}",
            say("small")
        );
        let stat = client.stat(&path("/d/b c")).await.unwrap();
        assert_eq!(stat.size, Some(4321), "{}", say("stat"));
        client.mkd(&path("/empty")).await.unwrap();
        assert_eq!(
            names(&client, "/empty").await,
            Vec::<String>::new(),
            "{}",
            say("empty")
        );
        assert!(
            log.sent().iter().any(|line| line.starts_with("LIST")),
            "{}",
            say("LIST")
        );
        client.remove_tree(&path("/d")).await.unwrap();
        assert_eq!(names(&client, "/").await, ["empty"], "{}", say("removed"));
    }
}

#[tokio::test]
async fn real_a_given_up_transfer_leaves_a_usable_session() {
    let big = pattern(8 * 1024 * 1024);
    for case in each(|options| options.file("big", big.clone()).file("small", "x")) {
        let (client, log) = case.client().await;
        for turn in 0..4 {
            // A copy closes its data connection when it is dropped, and aioftp ends the session when one breaks.
            if turn == 2 && case.is(Kind::Aioftp) {
                continue;
            }
            let say = |what: &str| format!("{} {turn} {what}\n{}", case.name, log.all());
            if turn == 3 {
                let mut upload = client.stor(&path("/up"), 0).await.unwrap();
                upload.write_all(&big[..1_000_000]).await.unwrap();
                upload
                    .abort()
                    .await
                    .unwrap_or_else(|error| panic!("{}", say(&error.to_string())));
            } else {
                let mut download = client.retr(&path("/big"), 0).await.unwrap();
                download.read_exact(&mut [0; 1000]).await.unwrap();
                match turn {
                    0 => drop(download),
                    1 => download.abort().await.unwrap(),
                    _ => {
                        let target = tempfile::tempfile().unwrap();
                        let copy = download.copy_to_file(target, Progress::default());
                        let _ = tokio::time::timeout(Duration::from_millis(1), copy).await;
                    }
                }
            }
            let mut small = get(&client, "/small", 0).await;
            // Busy, pyftpdlib may close the next data connection in place of the one that was reset, and say nothing of it: the
            // file that came short is an error, and the next try is another one.
            if case.is(Kind::Pyftpdlib) && small.as_ref().is_err_and(|error| error.is_retryable()) {
                small = get(&client, "/small", 0).await;
            }
            let small = small.unwrap_or_else(|error| panic!("{}", say(&error.to_string())));
            assert_eq!(small, b"x", "{}", say("the next one"));
            let here = client.pwd().await;
            let here = here.unwrap_or_else(|error| panic!("{}", say(&error.to_string())));
            assert_eq!(here, path("/"), "{}", say("in step"));
        }
        // With nothing to abort.
        client.abor().await.unwrap();
        assert_eq!(client.pwd().await.unwrap(), path("/"), "{}", case.name);
    }
}

#[tokio::test]
async fn real_wrong_passwords_and_missing_tls_are_told() {
    for case in each(|options| options) {
        let mut config = config_for(&case.server, case.tls);
        config.login = Login::new(case.server.user(), "another-one").unwrap();
        let error = Client::connect(config).await.unwrap_err();
        assert_eq!(
            *error.kind(),
            ErrorKind::LoginRefused,
            "{} {error}",
            case.name
        );
        assert!(!error.to_string().contains("another"), "{error}");
        if case.tls != Tls::Off {
            continue;
        }
        let config = config_for(&case.server, Tls::Explicit);
        let error = Client::connect(config).await.unwrap_err();
        assert_eq!(
            *error.kind(),
            ErrorKind::TlsUnavailable,
            "{} {error}",
            case.name
        );
    }
}

/// pyftpdlib hands out a ticket on each resumed data connection, so that TLS 1.3 goes on resuming for ever.
#[tokio::test]
async fn real_data_connections_resume_with_every_version_of_tls() {
    for (extra, wanted) in [
        ("", "TLS 1.3"),
        ("tls='1.2'", "TLS 1.2"),
        ("tls='1.3'", "TLS 1.3"),
    ] {
        let mut options = Options::explicit();
        options
            .extra
            .extend((!extra.is_empty()).then(|| extra.to_owned()));
        let Some(server) = RealServer::start(Kind::Pyftpdlib, options) else {
            return;
        };
        let (client, log) = connect(config_for(&server, Tls::Explicit)).await.unwrap();
        for turn in 0..100 {
            let name = format!("/f{turn}");
            put(&client, &name, b"hello").await.unwrap();
            assert_eq!(get(&client, &name, 0).await.unwrap(), b"hello");
            let Security::Tls {
                version,
                resumes,
                data_encrypted,
                ..
            } = client.facts().security.clone()
            else {
                panic!("not encrypted")
            };
            let all = (version, resumes, data_encrypted);
            assert_eq!(
                all,
                (wanted, Some(true), true),
                "{extra} {turn}\n{}",
                log.all()
            );
        }
        assert_eq!(names(&client, "/").await.len(), 100);
    }
}

#[tokio::test]
async fn real_active_mode_where_there_is_one() {
    for case in each(|options| options.file("f", "hello")) {
        let mut config = config_for(&case.server, case.tls);
        config.data = DataMode::Active;
        let (client, log) = connect(config).await.unwrap();
        // aioftp has neither PORT nor EPRT: there the other mode serves.
        let listed = client.list(Some(&path("/"))).await.unwrap();
        let (listed, _) = listed.collect().await.unwrap();
        assert_eq!(listed.len(), 1, "{}\n{}", case.name, log.all());
        assert_eq!(
            get(&client, "/f", 0).await.unwrap(),
            b"hello",
            "{}",
            case.name
        );
        put(&client, "/g", b"up").await.unwrap();
        assert_eq!(case.server.read("g"), b"up", "{}", case.name);
        let way = client.facts().data.way.unwrap();
        assert_eq!(way.is_active(), case.is(Kind::Pyftpdlib), "{}", case.name);
        assert_eq!(
            client.pwd().await.unwrap(),
            path("/"),
            "{}\n{}",
            case.name,
            log.all()
        );
    }
}
