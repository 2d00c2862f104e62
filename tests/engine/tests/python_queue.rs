//! Many files at once against aioftp and pyftpdlib: batches, and what `slip` makes of whole trees. Neither server puts up with
//! more than one command at a time, and aioftp's greeting does not say that it is aioftp.
#![allow(clippy::unwrap_used, unused_crate_dependencies)]

use std::{fs, path::Path};

use engine_tests::{
    batches::{fetch, store, wanted, went_together},
    config_for, connect, names, path, pattern,
    queueing::{tree, write},
    slip::Slip,
};
use ftp_client::{ErrorKind, StoreFile, StoreThen};
use jiff::Timestamp;
use support::{Kind, Options, RealServer, Tls};

const ALL: [(Kind, Tls, &str); 5] = [
    (Kind::Aioftp, Tls::Off, ""),
    (Kind::Aioftp, Tls::Implicit, ""),
    (Kind::Pyftpdlib, Tls::Off, ""),
    (Kind::Pyftpdlib, Tls::Explicit, "tls='1.2'"),
    (Kind::Pyftpdlib, Tls::Explicit, "tls='1.3'"),
];

fn start(kind: Kind, tls: Tls, extra: &str) -> Option<(RealServer, String)> {
    let mut options = Options::with_tls(tls);
    options
        .extra
        .extend((!extra.is_empty()).then(|| extra.to_owned()));
    let server = RealServer::start(kind, options)?;
    Some((server, format!("{} {tls:?} {extra}", kind.name())))
}

fn content(index: usize) -> Vec<u8> {
    pattern(index * 397 % 70_000)
}

#[tokio::test(flavor = "multi_thread")]
async fn real_batches_up_and_down() {
    let time: Timestamp = "2019-05-06T07:08:09Z".parse().unwrap();
    for (kind, tls, extra) in ALL {
        let Some((server, case)) = start(kind, tls, extra) else {
            continue;
        };
        let (client, log) = connect(config_for(&server, tls)).await.unwrap();
        client.mkd(&path("/d")).await.unwrap();
        let files = (0..60).map(|index| StoreFile {
            path: path(&format!("/d/.f{index}.part")),
            data: content(index),
            then: StoreThen {
                rename_to: Some(path(&format!("/d/f {index}"))),
                modified: Some(time),
                mode: None,
                want_size: true,
            },
        });
        let (stored, ended) = store(&client, files.collect()).await;
        ended.unwrap_or_else(|error| panic!("{case}: {error}\n{}", log.all()));
        assert_eq!(stored.len(), 60, "{case}");
        for (index, outcome) in stored {
            let stored =
                outcome.unwrap_or_else(|error| panic!("{case} {index}: {error}\n{}", log.all()));
            assert!(
                matches!(stored.renamed, Some(Ok(()))),
                "{case} {index}: {stored:?}"
            );
            let on_disk = server.read(&format!("d/f {index}"));
            assert!(
                on_disk == content(index),
                "{case} {index}: {} bytes",
                on_disk.len()
            );
            let known = (
                stored.size,
                stored
                    .time_set
                    .map(|set| set.map_err(|error| error.kind().clone())),
            );
            let wanted = match server.kind() {
                Kind::Aioftp => (None, Some(Err(ErrorKind::Unsupported))),
                _ => (Some(content(index).len() as u64), Some(Ok(()))),
            };
            assert_eq!(known, wanted, "{case} {index}");
        }
        assert_eq!(names(&client, "/d").await.len(), 60, "{case}");

        let mut files: Vec<_> = (0..60)
            .map(|index| wanted(&format!("/d/f {index}"), Some(content(index).len() as u64)))
            .collect();
        files.push(wanted("/d/none", None));
        let (fetched, ended) = fetch(&client, files).await;
        ended.unwrap_or_else(|error| panic!("{case}: {error}\n{}", log.all()));
        assert_eq!(fetched.len(), 61, "{case}");
        for (index, outcome) in fetched {
            match outcome {
                Ok(fetched) => assert!(fetched.data == content(index), "{case} {index}"),
                Err(error) => {
                    assert_eq!(
                        (index, error.kind()),
                        (60, &ErrorKind::NotFound),
                        "{case}: {error}"
                    );
                }
            }
        }
        assert_eq!(client.pwd().await.unwrap(), path("/"), "{case}");
        if server.kind() == Kind::Pyftpdlib {
            assert!(
                !went_together(&log),
                "{case}: it says who it is\n{}",
                log.all()
            );
        }
    }
}

/// So many files in folders, and some that are special.
fn sources(root: &Path, files: usize) {
    for index in 0..files {
        let name = format!("d{}/e{}/file {index}", index % 7, index % 3);
        write(root, &name, &content(index), 1_500_000_000 + index as u64);
    }
    write(root, "big", &pattern(6_000_000), 1_500_000_000);
    write(root, "größe – 日本", b"x", 1_500_000_001);
    write(root, "empty file", b"", 1_500_000_002);
    fs::create_dir(root.join("empty")).unwrap();
}

/// Names and contents; times only where the server can set them.
fn compare(case: &str, left: &Path, right: &Path, times: bool) {
    let look = |folder: &Path| {
        let mut all = tree(folder);
        if !times {
            all.values_mut().flatten().for_each(|(_, time)| *time = 0);
        }
        all
    };
    let (left, right) = (look(left), look(right));
    let names =
        |all: &std::collections::BTreeMap<String, _>| all.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&left), names(&right), "{case}");
    for (name, entry) in &left {
        assert!(right[name] == *entry, "{case}: {name} differs");
    }
}

fn trees(kind: Kind, tls: Tls, extra: &str) {
    if let Some((server, case)) = start(kind, tls, extra) {
        let slip = Slip::new(server.password());
        let local = slip.dir.path().join("tree");
        // Handshakes in a debug build take their time.
        sources(&local, if tls == Tls::Off { 300 } else { 100 });
        let times = server.kind() != Kind::Aioftp;
        let scheme = match tls {
            Tls::Off => "ftp",
            Tls::Explicit => "ftpes",
            Tls::Implicit => "ftps",
        };
        let url = |place: &str| format!("{scheme}://{}@{}/{place}", server.user(), server.addr());
        let trust: Vec<String> = match server.authority_file() {
            Some(file) => vec!["--ca".into(), file.display().to_string()],
            None => vec!["--plaintext".into()],
        };
        let run = |arguments: &[&str]| {
            let all = arguments.iter().map(|word| (*word).to_owned());
            let (code, out, err) = slip.outcome(all.chain(trust.clone()));
            assert_eq!(code, 0, "{case} {arguments:?}\n{out}\n{err}");
            out
        };
        run(&["put", "-r", "tree", &url("up/"), "-j", "4"]);
        compare(&case, &server.root().join("up/tree"), &local, times);
        run(&["get", "-r", &url("up/tree"), "-d", "back", "-j", "4"]);
        let back = slip.dir.path().join("back/tree");
        // Without a way to set times, the server's are those of the upload: and these come down.
        compare(&case, &back, &server.root().join("up/tree"), true);

        run(&["mirror", "tree", &url("m")]);
        compare(&case, &server.root().join("m"), &local, times);
        fs::remove_dir_all(local.join("d3")).unwrap();
        fs::remove_file(local.join("big")).unwrap();
        write(
            &local,
            "d0/e0/file 0",
            b"now with something in it",
            1_700_000_000,
        );
        write(&local, "new/one", b"1", 1_700_000_000);
        run(&["mirror", "tree", &url("m"), "--delete"]);
        let there = server.root().join("m");
        compare(&case, &there, &local, times);
        run(&["mirror", &url("m"), "down"]);
        compare(&case, &slip.dir.path().join("down"), &there, true);
        // Once more: nothing is left to do.
        let before = tree(&there);
        run(&["mirror", "tree", &url("m"), "--delete"]);
        assert!(
            tree(&there) == before,
            "{case}: the second mirror changed something"
        );

        run(&["mv", &url("up/tree/d1"), &url("up/tree/moved")]);
        assert!(server.root().join("up/tree/moved").is_dir(), "{case}");
        run(&["rm", "-r", &url("up")]);
        assert!(!server.root().join("up").exists(), "{case}");
    }
}

macro_rules! trees {
    ($($name:ident: $kind:ident, $tls:ident, $extra:literal;)*) => {$(
        #[test]
        fn $name() {
            trees(Kind::$kind, Tls::$tls, $extra);
        }
    )*};
}

// One test for each, so that they run side by side.
trees! {
    real_trees_and_aioftp: Aioftp, Off, "";
    real_trees_and_aioftp_with_tls: Aioftp, Implicit, "";
    real_trees_and_pyftpdlib: Pyftpdlib, Off, "";
    real_trees_and_pyftpdlib_with_tls: Pyftpdlib, Explicit, "";
}
