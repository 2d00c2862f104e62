//! The client against vsftpd, ProFTPD and Pure-FTPd, plain and over TLS.
#![allow(clippy::unwrap_used, unused_crate_dependencies)]

use std::{
    io::{Read, Seek},
    time::Duration,
};

use engine_tests::{
    config_for, connect, each_server, entries, files::file_with, names, path, pattern,
};
use ftp_client::{
    Client, DistrustReason, ErrorKind, Fingerprint, Login, Progress, Security, Trust,
    ftp_proto::listing::Kind as EntryKind,
};
use jiff::Timestamp;
use support::{Kind, Options, RealServer, Tls};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn put(client: &Client, name: &str, content: &[u8]) {
    let mut upload = client.stor(&path(name), 0).await.unwrap();
    upload.write_all(content).await.unwrap();
    upload.finish().await.unwrap();
}

async fn get(client: &Client, name: &str, offset: u64) -> Vec<u8> {
    let mut content = Vec::new();
    let mut download = client.retr(&path(name), offset).await.unwrap();
    download.read_to_end(&mut content).await.unwrap();
    download.finish().await.unwrap();
    content
}

#[tokio::test]
async fn real_every_size_goes_up_and_comes_down_byte_for_byte() {
    for (server, tls) in each_server(|options| options) {
        let case = format!("{} {tls:?}", server.kind().name());
        let (client, log) = connect(config_for(&server, tls)).await.unwrap();
        let mut sizes = vec![0, 1, 1024 * 1024];
        // The sizes at which some servers lose the end of a TLS 1.3 upload.
        sizes.extend(32_725..=32_746);
        for size in sizes {
            let content = pattern(size);
            put(&client, "/file", &content).await;
            assert!(
                server.read("file") == content,
                "{case}, {size} up\n{}",
                log.all()
            );
            assert!(
                get(&client, "/file", 0).await == content,
                "{case}, {size} down"
            );
            // And by the copy loops.
            let sent = client
                .stor(&path("/file2"), 0)
                .await
                .unwrap()
                .copy_from_file(file_with(&content), Progress::default())
                .await
                .unwrap();
            assert_eq!(sent, size as u64, "{case}");
            assert!(server.read("file2") == content, "{case}, {size} up by copy");
            let mut target = tempfile::tempfile().unwrap();
            let progress = Progress::default();
            let got = client
                .retr(&path("/file2"), 0)
                .await
                .unwrap()
                .copy_to_file(target.try_clone().unwrap(), progress.clone())
                .await
                .unwrap();
            assert_eq!(
                (got, progress.bytes()),
                (size as u64, size as u64),
                "{case}"
            );
            let mut back = Vec::new();
            target.rewind().unwrap();
            target.read_to_end(&mut back).unwrap();
            assert!(back == content, "{case}, {size} down by copy");
        }
        client.quit().await.unwrap();
    }
}

#[tokio::test]
async fn real_a_hundred_mebibytes_both_ways() {
    let content = pattern(100 * 1024 * 1024);
    for (server, tls) in each_server(|options| options) {
        let case = format!("{} {tls:?}", server.kind().name());
        let (client, _) = connect(config_for(&server, tls)).await.unwrap();
        let upload = client.stor(&path("/big"), 0).await.unwrap();
        upload
            .copy_from_file(file_with(&content), Progress::default())
            .await
            .unwrap();
        assert!(server.read("big") == content, "{case}");
        assert_eq!(
            client.size(&path("/big")).await.unwrap(),
            content.len() as u64
        );
        let mut target = tempfile::tempfile().unwrap();
        let download = client.retr(&path("/big"), 0).await.unwrap();
        download
            .copy_to_file(target.try_clone().unwrap(), Progress::default())
            .await
            .unwrap();
        let mut back = Vec::with_capacity(content.len());
        target.rewind().unwrap();
        target.read_to_end(&mut back).unwrap();
        assert!(back == content, "{case}");
    }
}

/// TLS 1.3 where the server hands out tickets, 1.2 by itself where it doesn't; every data connection resumes.
#[tokio::test]
async fn real_three_hundred_uploads_in_a_row_over_tls() {
    for kind in Kind::ALL {
        let Some(server) = RealServer::start(kind, Options::explicit()) else {
            continue;
        };
        let (client, log) = connect(config_for(&server, Tls::Explicit)).await.unwrap();
        for turn in 0..300 {
            let mut upload = match client.stor(&path(&format!("/f{turn}")), 0).await {
                Ok(upload) => upload,
                Err(error) => panic!("{} turn {turn}: {error}\n{}", kind.name(), log.all()),
            };
            upload.write_all(b"hello").await.unwrap();
            if let Err(error) = upload.finish().await {
                panic!("{} turn {turn}: {error}\n{}", kind.name(), log.all());
            }
            let Security::Tls { resumes, .. } = client.facts().security.clone() else {
                panic!("not encrypted")
            };
            assert_eq!(resumes, Some(true), "{} turn {turn}", kind.name());
        }
        assert_eq!(names(&client, "/").await.len(), 300);
        let Security::Tls { version, .. } = client.facts().security.clone() else {
            panic!("not encrypted")
        };
        let wanted = match kind {
            Kind::Vsftpd => "TLS 1.3",
            _ => "TLS 1.2",
        };
        assert_eq!(version, wanted, "{}", kind.name());
    }
}

#[tokio::test]
async fn real_odd_names_are_stored_listed_fetched_renamed_and_deleted() {
    let odd = [
        "with space",
        "with \"quotes\"",
        "it's",
        "größe-日本",
        "-dash",
        "a;b=c",
        "percent%20",
        " leading",
        "trailing ",
        "[brackets]",
    ];
    for (server, tls) in each_server(|options| options) {
        let case = format!("{} {tls:?}", server.kind().name());
        let (client, log) = connect(config_for(&server, tls)).await.unwrap();
        // Pure-FTPd takes blanks at the end of a name for underscores, and says so nowhere.
        let names_here: Vec<&str> = odd
            .into_iter()
            .filter(|name| server.kind() != Kind::PureFtpd || !name.ends_with(' '))
            .collect();
        for name in &names_here {
            put(&client, &format!("/{name}"), name.as_bytes()).await;
            let folder = format!("/dir {name}");
            client.mkd(&path(&folder)).await.unwrap();
            put(&client, &format!("{folder}/in"), b"x").await;
            assert_eq!(names(&client, &folder).await, ["in"], "{case} {folder:?}");
        }
        let listed = names(&client, "/").await;
        for name in &names_here {
            assert!(
                listed.contains(&(*name).to_owned()),
                "{case} {name:?} {listed:?}\n{}",
                log.all()
            );
            assert_eq!(
                get(&client, &format!("/{name}"), 0).await,
                name.as_bytes(),
                "{case}"
            );
            let stat = client.stat(&path(&format!("/{name}"))).await.unwrap();
            assert_eq!(stat.size, Some(name.len() as u64), "{case} {name:?}");
            let to = format!("/new {name}");
            client
                .rename(&path(&format!("/{name}")), &path(&to))
                .await
                .unwrap();
            client.dele(&path(&to)).await.unwrap();
            client
                .remove_tree(&path(&format!("/dir {name}")))
                .await
                .unwrap();
        }
        assert_eq!(names(&client, "/").await, Vec::<String>::new(), "{case}");
    }
}

#[tokio::test]
async fn real_folders_times_permissions_and_resume() {
    for (server, tls) in each_server(|options| options.file("seed", "0123456789")) {
        let case = format!("{} {tls:?}", server.kind().name());
        let (client, log) = connect(config_for(&server, tls)).await.unwrap();
        client.mkd_parents(&path("/a/b/c")).await.unwrap();
        client.mkd_parents(&path("/a/b/c")).await.unwrap();
        client.cwd(&path("/a/b")).await.unwrap();
        assert_eq!(client.pwd().await.unwrap(), path("/a/b"), "{case}");
        // A listing elsewhere must not move the working directory.
        assert_eq!(names(&client, "/a").await, ["b"], "{case}");
        put(&client, "relative", b"1").await;
        assert_eq!(server.read("a/b/relative"), b"1", "{case}\n{}", log.all());
        client.cdup().await.unwrap();
        assert_eq!(client.pwd().await.unwrap(), path("/a"), "{case}");
        let (own, unparsed) = client.list(None).await.unwrap().collect().await.unwrap();
        assert_eq!((own.len(), unparsed.len()), (1, 0), "{case}");

        assert_eq!(get(&client, "/seed", 4).await, b"456789", "{case}");
        let mut upload = client.appe(&path("/seed")).await.unwrap();
        upload.write_all(b"ab").await.unwrap();
        upload.finish().await.unwrap();
        assert_eq!(server.read("seed"), b"0123456789ab", "{case}");
        let mut upload = client.stor(&path("/seed"), 10).await.unwrap();
        upload.write_all(b"XYZ").await.unwrap();
        upload.finish().await.unwrap();
        assert_eq!(server.read("seed"), b"0123456789XYZ", "{case}");
        assert_eq!(client.size(&path("/seed")).await.unwrap(), 13, "{case}");

        let time: Timestamp = "2019-05-06T07:08:09Z".parse().unwrap();
        client.mfmt(&path("/seed"), time).await.unwrap();
        assert_eq!(client.mdtm(&path("/seed")).await.unwrap(), time, "{case}");
        client.chmod(&path("/seed"), 0o640).await.unwrap();
        let listed = entries(&client, "/").await;
        let seed = listed.iter().find(|entry| entry.name == b"seed").unwrap();
        assert_eq!(seed.kind, EntryKind::File, "{case}");
        assert_eq!(seed.size, Some(13), "{case}");
        assert_eq!(
            seed.permissions.map(|mode| mode & 0o777),
            Some(0o640),
            "{case}"
        );
        let listed_day = seed
            .modified
            .unwrap()
            .timestamp
            .as_second()
            .div_euclid(86_400);
        assert_eq!(listed_day, time.as_second().div_euclid(86_400), "{case}");

        client.remove_tree(&path("/a")).await.unwrap();
        assert_eq!(names(&client, "/").await, ["seed"], "{case}");
        let missing = client.list(Some(&path("/missing"))).await;
        let error = match missing {
            Ok(listing) => listing.collect().await.unwrap_err(),
            Err(error) => error,
        };
        assert_eq!(*error.kind(), ErrorKind::NotFound, "{case} {error}");
        let error = client
            .retr(&path("/missing"), 0)
            .await
            .map(drop)
            .unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::NotFound, "{case} {error}");
        client.noop().await.unwrap();
        let reply = client.raw("SYST").await.unwrap();
        assert_eq!(reply.code.value(), 215, "{case}");
    }
}

#[tokio::test]
async fn real_a_wrong_password_and_a_wrong_certificate_are_two_errors() {
    for (server, tls) in each_server(|options| options) {
        let case = format!("{} {tls:?}", server.kind().name());
        let mut config = config_for(&server, tls);
        config.login = Login::new(server.user(), "wrong").unwrap();
        let error = Client::connect(config).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::LoginRefused, "{case} {error}");
        assert!(!error.to_string().contains("wrong"), "{error}");
        let Some(certificate) = server.certificate() else {
            continue;
        };
        let right: Fingerprint = certificate.sha256_hex().parse().unwrap();
        let mut config = config_for(&server, tls);
        config.trust = Trust::default();
        let error = Client::connect(config.clone()).await.unwrap_err();
        let ErrorKind::Certificate(problem) = error.kind() else {
            panic!("{case} {error}")
        };
        assert_eq!(problem.info.fingerprint, right, "{case}");
        assert_eq!(problem.reason, DistrustReason::UnknownIssuer, "{case}");
        config.trust.pins = vec![right];
        let client = Client::connect(config).await.unwrap();
        let Security::Tls { pinned, .. } = client.facts().security.clone() else {
            panic!("{case}")
        };
        assert!(pinned, "{case}");
        assert!(names(&client, "/").await.is_empty());
    }
}

#[tokio::test]
async fn real_active_mode_works_too() {
    for (server, tls) in each_server(|options| options.file("f", "hello")) {
        let case = format!("{} {tls:?}", server.kind().name());
        let mut config = config_for(&server, tls);
        config.data = ftp_client::DataMode::Active;
        let (client, log) = connect(config).await.unwrap();
        assert_eq!(names(&client, "/").await, ["f"], "{case}\n{}", log.all());
        assert_eq!(get(&client, "/f", 0).await, b"hello", "{case}");
        put(&client, "/g", b"up").await;
        assert_eq!(server.read("g"), b"up", "{case}");
    }
}

#[tokio::test]
async fn real_a_given_up_transfer_leaves_a_usable_session() {
    let big = pattern(8 * 1024 * 1024);
    for (server, tls) in each_server(|options| options.file("big", big.clone()).file("small", "x"))
    {
        let case = format!("{} {tls:?}", server.kind().name());
        let (client, log) = connect(config_for(&server, tls)).await.unwrap();
        for turn in 0..3 {
            let mut download = client.retr(&path("/big"), 0).await.unwrap();
            download.read_exact(&mut [0; 1000]).await.unwrap();
            match turn {
                0 => drop(download),
                1 => download.abort().await.unwrap(),
                _ => {
                    let copy =
                        download.copy_to_file(tempfile::tempfile().unwrap(), Progress::default());
                    let limit = Duration::from_millis(1);
                    let _ = tokio::time::timeout(limit, copy).await;
                }
            }
            let again = client.retr(&path("/small"), 0).await;
            let mut content = Vec::new();
            match again {
                Ok(mut download) => {
                    download.read_to_end(&mut content).await.unwrap();
                    download.finish().await.unwrap();
                }
                Err(error) => panic!("{case} turn {turn}: {error}\n{}", log.all()),
            }
            assert_eq!(content, b"x", "{case} turn {turn}");
            match client.pwd().await {
                Ok(here) => assert_eq!(here, path("/"), "{case} turn {turn}"),
                Err(error) => panic!("{case} turn {turn}: {error}\n{}", log.all()),
            }
        }
    }
}

#[tokio::test]
async fn real_a_server_killed_half_way_is_a_lost_connection() {
    let big = pattern(8 * 1024 * 1024);
    for (mut server, tls) in each_server(|options| options.file("big", big.clone())) {
        let case = format!("{} {tls:?}", server.kind().name());
        let (client, _) = connect(config_for(&server, tls)).await.unwrap();
        let mut download = client.retr(&path("/big"), 0).await.unwrap();
        download.read_exact(&mut [0; 1000]).await.unwrap();
        server.kill();
        let mut rest = Vec::new();
        let read = download.read_to_end(&mut rest).await;
        let finished = download.finish().await;
        assert!(read.is_err() || finished.is_err(), "{case}");
        let error = client.noop().await.unwrap_err();
        assert!(error.is_retryable(), "{case} {error}");
        assert!(client.is_closed());
    }
}
