//! The client against our own server, over both of its stores, plain and over TLS.
#![allow(clippy::unwrap_used, unused_crate_dependencies)]

use std::time::Duration;

use engine_tests::{
    connect, entries,
    files::{get, get_by_copy, put, put_by_copy},
    names,
    own::{OwnServer, Store},
    path, pattern,
};
use ftp_client::{
    Client, DataMode, DistrustReason, ErrorKind, Fingerprint, Login, Progress, Security, Trust,
    ftp_proto::listing::Kind as EntryKind,
};
use jiff::Timestamp;
use support::Tls;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

#[tokio::test]
async fn every_size_goes_up_and_comes_down_byte_for_byte() {
    for (server, case) in OwnServer::each().await {
        let (client, log) = connect(server.config()).await.unwrap();
        let mut sizes = vec![0, 1, 256 * 1024, 1024 * 1024 + 1];
        sizes.extend(32_725..=32_746);
        for size in sizes {
            let content = pattern(size);
            put(&client, "/file", &content).await.unwrap();
            assert!(
                server.read("/file").await == content,
                "{case}, {size} up\n{}",
                log.all()
            );
            let back = get(&client, "/file", 0).await.unwrap();
            assert!(back == content, "{case}, {size} down");
            let sent = put_by_copy(&client, "/copied", &content).await.unwrap();
            assert_eq!(sent, size as u64, "{case}");
            assert!(server.read("/copied").await == content, "{case}, {size} up");
            let back = get_by_copy(&client, "/copied").await.unwrap();
            assert!(back == content, "{case}, {size} down by copy");
        }
        client.quit().await.unwrap();
    }
}

#[tokio::test]
async fn a_hundred_mebibytes_both_ways() {
    let content = pattern(100 * 1024 * 1024);
    for (store, tls) in [
        (Store::Disk, Tls::Explicit),
        (Store::Disk, Tls::Off),
        (Store::Memory, Tls::Implicit),
    ] {
        let server = OwnServer::start(store, tls).await;
        let (client, _) = connect(server.config()).await.unwrap();
        put_by_copy(&client, "/big", &content).await.unwrap();
        assert_eq!(
            client.size(&path("/big")).await.unwrap(),
            content.len() as u64
        );
        let back = get_by_copy(&client, "/big").await.unwrap();
        assert!(back == content, "{store:?} {tls:?}");
    }
}

/// Our server demands the session of the same control connection and hands out no ticket with an upload, as ProFTPD does:
/// the client has to find out by itself.
#[tokio::test]
async fn three_hundred_uploads_in_a_row_over_tls() {
    for tls in [Tls::Explicit, Tls::Implicit] {
        let server = OwnServer::start(Store::Memory, tls).await;
        let (client, log) = connect(server.config()).await.unwrap();
        for turn in 0..300 {
            if let Err(error) = put(&client, &format!("/f{turn}"), b"hello").await {
                panic!("{tls:?} turn {turn}: {error}\n{}", log.all());
            }
            let Security::Tls { resumes, .. } = client.facts().security.clone() else {
                panic!("not encrypted")
            };
            assert_eq!(resumes, Some(true), "{tls:?} turn {turn}");
        }
        assert_eq!(names(&client, "/").await.len(), 300);
        let logins = log.sent().iter().filter(|l| l.starts_with("USER")).count();
        assert!(logins <= 2, "{logins} logins");
    }
}

#[tokio::test]
async fn odd_names_are_stored_listed_fetched_renamed_and_deleted() {
    let odd = [
        "with space",
        "with \"quotes\"",
        "\"",
        "it's",
        "größe-日本",
        "-dash",
        "-la",
        "a;b=c",
        "type=dir; x",
        "percent%20",
        " leading",
        "trailing ",
        "[brackets]",
        "star*",
        "what?",
        "back\\slash",
        "...",
        "a -> b",
    ];
    for (server, case) in OwnServer::each().await {
        let (client, log) = connect(server.config()).await.unwrap();
        for name in odd {
            put(&client, &format!("/{name}"), name.as_bytes())
                .await
                .unwrap();
            let folder = format!("/dir {name}");
            client.mkd(&path(&folder)).await.unwrap();
            client.cwd(&path(&folder)).await.unwrap();
            assert_eq!(client.pwd().await.unwrap(), path(&folder), "{case}");
            put(&client, "in", b"x").await.unwrap();
            assert_eq!(names(&client, &folder).await, ["in"], "{case} {folder:?}");
        }
        let listed = names(&client, "/").await;
        for name in odd {
            assert!(
                listed.contains(&name.to_owned()),
                "{case} {name:?} {listed:?}\n{}",
                log.all()
            );
            let stat = client.stat(&path(&format!("/{name}"))).await.unwrap();
            assert_eq!(stat.size, Some(name.len() as u64), "{case} {name:?}");
            assert_eq!(stat.name, name.as_bytes(), "{case}");
            let to = format!("/new {name}");
            client
                .rename(&path(&format!("/{name}")), &path(&to))
                .await
                .unwrap();
            let back = get(&client, &to, 0).await.unwrap();
            assert_eq!(back, name.as_bytes(), "{case} {name:?}");
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
async fn folders_times_permissions_and_resume() {
    for (server, case) in OwnServer::each().await {
        server.put("/seed", b"0123456789").await;
        let (client, log) = connect(server.config()).await.unwrap();
        client.mkd_parents(&path("/a/b/c")).await.unwrap();
        client.mkd_parents(&path("/a/b/c")).await.unwrap();
        client.cwd(&path("/a/b")).await.unwrap();
        assert_eq!(client.pwd().await.unwrap(), path("/a/b"), "{case}");
        assert_eq!(names(&client, "/a").await, ["b"], "{case}");
        put(&client, "relative", b"1").await.unwrap();
        assert_eq!(server.read("/a/b/relative").await, b"1", "{}", log.all());
        client.cdup().await.unwrap();
        assert_eq!(client.pwd().await.unwrap(), path("/a"), "{case}");
        let (own, unparsed) = client.list(None).await.unwrap().collect().await.unwrap();
        assert_eq!((own.len(), unparsed.len()), (1, 0), "{case}");

        let back = get(&client, "/seed", 4).await.unwrap();
        assert_eq!(back, b"456789", "{case}");
        assert_eq!(get(&client, "/seed", 10).await.unwrap(), b"", "{case}");
        let error = get(&client, "/seed", 11).await.unwrap_err();
        assert!(error.reply().is_some(), "{case}: {error}");
        // The refused offset is not applied to the next transfer.
        let back = get(&client, "/seed", 0).await.unwrap();
        assert_eq!(back, b"0123456789", "{case}");
        let mut upload = client.appe(&path("/seed")).await.unwrap();
        upload.write_all(b"ab").await.unwrap();
        upload.finish().await.unwrap();
        assert_eq!(server.read("/seed").await, b"0123456789ab", "{case}");
        let mut upload = client.stor(&path("/seed"), 10).await.unwrap();
        upload.write_all(b"XYZ").await.unwrap();
        upload.finish().await.unwrap();
        assert_eq!(server.read("/seed").await, b"0123456789XYZ", "{case}");

        let time: Timestamp = "2019-05-06T07:08:09Z".parse().unwrap();
        client.mfmt(&path("/seed"), time).await.unwrap();
        assert_eq!(client.mdtm(&path("/seed")).await.unwrap(), time, "{case}");
        client.chmod(&path("/seed"), 0o640).await.unwrap();
        let listed = entries(&client, "/").await;
        let seed = listed.iter().find(|entry| entry.name == b"seed").unwrap();
        assert_eq!(seed.kind, EntryKind::File, "{case}");
        assert_eq!(seed.size, Some(13), "{case}");
        let mode = seed.permissions.map(|mode| mode & 0o777);
        assert_eq!(mode, Some(0o640), "{case}");
        assert_eq!(seed.modified.unwrap().timestamp, time, "{case}");

        client.remove_tree(&path("/a")).await.unwrap();
        assert_eq!(names(&client, "/").await, ["seed"], "{case}");
        for error in [
            client.list(Some(&path("/missing"))).await.err().unwrap(),
            client.retr(&path("/missing"), 0).await.err().unwrap(),
            client.stat(&path("/missing")).await.unwrap_err(),
            client.size(&path("/missing")).await.unwrap_err(),
            client.cwd(&path("/missing")).await.unwrap_err(),
            client.dele(&path("/missing")).await.unwrap_err(),
        ] {
            assert_eq!(*error.kind(), ErrorKind::NotFound, "{case} {error}");
        }
        client.noop().await.unwrap();
        assert_eq!(client.raw("SYST").await.unwrap().code.value(), 215);
    }
}

#[tokio::test]
async fn a_deep_and_wide_tree_is_removed() {
    for (server, case) in OwnServer::each().await {
        for folder in ["/t", "/t/a", "/t/a/b/c", "/t/ä ö"] {
            for file in 0..20 {
                server.put(&format!("{folder}/f{file}"), b"x").await;
            }
        }
        server.put("/stays", b"x").await;
        let (client, _) = connect(server.config()).await.unwrap();
        client.remove_tree(&path("/t")).await.unwrap();
        assert!(!server.has("/t").await, "{case}");
        assert!(server.has("/stays").await, "{case}");
    }
}

#[tokio::test]
async fn a_wrong_password_and_a_wrong_certificate_are_two_errors() {
    for (server, case) in OwnServer::each().await {
        let mut config = server.config();
        config.login = Login::new("tester", "wrong").unwrap();
        let error = Client::connect(config).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::LoginRefused, "{case} {error}");
        assert!(!format!("{error} {error:?}").contains("wrong"), "{error}");
        if server.tls() == Tls::Off {
            continue;
        }
        let right: Fingerprint = server.certificate().sha256_hex().parse().unwrap();
        let mut config = server.config();
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
async fn active_mode_works_too() {
    for (server, case) in OwnServer::each().await {
        server.put("/f", b"hello").await;
        let mut config = server.config();
        config.data = DataMode::Active;
        let (client, log) = connect(config).await.unwrap();
        assert_eq!(names(&client, "/").await, ["f"], "{case}\n{}", log.all());
        assert_eq!(get(&client, "/f", 1).await.unwrap(), b"ello", "{case}");
        put(&client, "/g", b"up").await.unwrap();
        assert_eq!(server.read("/g").await, b"up", "{case}");
        assert!(log.sent().iter().any(|line| line.starts_with("EPRT ")));
    }
}

#[tokio::test]
async fn a_given_up_transfer_leaves_a_usable_session() {
    let big = pattern(16 * 1024 * 1024);
    for (server, case) in OwnServer::each().await {
        server.put("/big", &big).await;
        server.put("/small", b"x").await;
        let (client, log) = connect(server.config()).await.unwrap();
        for turn in 0..6 {
            let mut download = client.retr(&path("/big"), 0).await.unwrap();
            match turn {
                0 | 3 => drop(download),
                1 | 4 => {
                    download.read_exact(&mut [0; 1000]).await.unwrap();
                    download.abort().await.unwrap();
                }
                _ => {
                    let copy =
                        download.copy_to_file(tempfile::tempfile().unwrap(), Progress::default());
                    let _ = tokio::time::timeout(Duration::from_millis(1), copy).await;
                }
            }
            let mut upload = client.stor(&path("/up"), 0).await.unwrap();
            upload.write_all(&big[..100_000]).await.unwrap();
            if turn % 2 == 0 {
                drop(upload);
            } else {
                upload.abort().await.unwrap();
            }
            match get(&client, "/small", 0).await {
                Ok(content) => assert_eq!(content, b"x", "{case} turn {turn}"),
                Err(error) => panic!("{case} turn {turn}: {error}\n{}", log.all()),
            }
            assert_eq!(client.pwd().await.unwrap(), path("/"), "{case} {turn}");
        }
    }
}

/// ABOR by another handle, and ABOR with nothing to abort.
#[tokio::test]
async fn abor_ends_whatever_runs_and_nothing_else() {
    let big = pattern(16 * 1024 * 1024);
    for (server, case) in OwnServer::each().await {
        server.put("/big", &big).await;
        let (client, log) = connect(server.config()).await.unwrap();
        client.abor().await.unwrap();
        assert_eq!(client.pwd().await.unwrap(), path("/"), "{case}");
        for turn in 0..3 {
            let mut download = client.retr(&path("/big"), 0).await.unwrap();
            download.read_exact(&mut [0; 1000]).await.unwrap();
            let other = client.clone();
            let abor = tokio::spawn(async move { other.abor().await });
            let mut rest = Vec::new();
            let read = download.read_to_end(&mut rest).await;
            let finished = download.finish().await;
            let error = finished.expect_err("it was aborted");
            let expected = matches!(error.kind(), ErrorKind::Cancelled | ErrorKind::Truncated);
            assert!(expected, "{case} {turn}: {read:?} {error}\n{}", log.all());
            abor.await.unwrap().unwrap();
            assert!(rest.len() < big.len(), "{case}");
            put(&client, "/after", b"y").await.unwrap();
            assert_eq!(get(&client, "/after", 0).await.unwrap(), b"y", "{case}");
        }
    }
}

#[tokio::test]
async fn a_server_that_stops_half_way_is_a_lost_connection() {
    let big = pattern(16 * 1024 * 1024);
    for (server, case) in OwnServer::each().await {
        server.put("/big", &big).await;
        let (client, log) = connect(server.config()).await.unwrap();
        let mut download = client.retr(&path("/big"), 0).await.unwrap();
        download.read_exact(&mut [0; 1000]).await.unwrap();
        if case.starts_with("Disk") {
            drop(server);
        } else {
            server.stop().await;
        }
        let mut rest = Vec::new();
        let read = download.read_to_end(&mut rest).await;
        let finished = download.finish().await;
        assert!(read.is_err() || finished.is_err(), "{case}\n{}", log.all());
        // Known by itself, not only when the next command fails. The data connection may be known to be gone a moment earlier.
        let known = async {
            while !client.is_closed() {
                tokio::task::yield_now().await;
            }
        };
        let known = tokio::time::timeout(Duration::from_secs(5), known).await;
        assert!(known.is_ok(), "{case}\n{}", log.all());
        let error = client.noop().await.unwrap_err();
        assert!(error.is_retryable(), "{case} {error}");
    }
}

/// The server hears of a local failure by a broken connection, and its complaint about that must not hide the cause.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_here_is_never_taken_for_a_failure_there() {
    for tls in [Tls::Off, Tls::Explicit] {
        let server = OwnServer::start(Store::Memory, tls).await;
        server.put("/f", &pattern(2_000_000)).await;
        let (client, log) = connect(server.config()).await.unwrap();
        for turn in 0..100 {
            let download = client.retr(&path("/f"), 0).await.unwrap();
            let full = std::fs::File::options().write(true).open("/dev/full");
            let copied = download.copy_to_file(full.unwrap(), Progress::default());
            let error = copied.await.unwrap_err();
            assert_eq!(
                *error.kind(),
                ErrorKind::Local,
                "{turn}: {error}\n{}",
                log.all()
            );
        }
        assert_eq!(client.size(&path("/f")).await.unwrap(), 2_000_000);
    }
}
