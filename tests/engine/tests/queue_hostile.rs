//! The transfer queue against servers that mean no good.
#![allow(clippy::unwrap_used, unused_crate_dependencies)]

use std::{fs, path::Path};

use engine_tests::{
    queueing::{add, finished, queue_to, tree},
    scripted::{config, sends},
};
use support::{Peer, Script};
use transfer::{Direction, Error, ItemKind, State};

/// Nothing that a server calls its files can lead out of the folder that they go to.
#[tokio::test(flavor = "multi_thread")]
async fn names_in_a_listing_can_not_escape() {
    let evil: [&[u8]; 9] = [
        b"../../evil",
        b"../evil",
        b"/tmp/slipway-evil",
        b"sub/../../evil",
        b"a\0b",
        b"..",
        b".good.slippart",
        b"good",
        b"dir/x",
    ];
    for mlsd in [true, false] {
        let mut listing = Vec::new();
        let mut line = |kind: &str, name: &[u8]| {
            let facts = match (mlsd, kind) {
                (true, _) => format!("type={kind};size=0; "),
                (false, "dir") => "drwxr-xr-x 1 a b 0 Jan 1 2020 ".to_owned(),
                (false, _) => "-rw-r--r-- 1 a b 0 Jan 1 2020 ".to_owned(),
            };
            listing.extend_from_slice(facts.as_bytes());
            listing.extend_from_slice(name);
            listing.extend_from_slice(b"\r\n");
        };
        line("file", b"good");
        for name in evil {
            line("file", name);
        }
        line("dir", b"../up");
        line("dir", b"/tmp");
        line("dir", b"out");
        line("file", br"C:\x");
        let features = match mlsd {
            true => "211-Features:\r\n EPSV\r\n SIZE\r\n MDTM\r\n MLST type*;size*;\r\n211 End",
            false => "211-Features:\r\n EPSV\r\n SIZE\r\n MDTM\r\n211 End",
        };
        let command = if mlsd { "MLSD*" } else { "LIST*" };
        let script = Script::logged_in()
            .answering(&[
                ("FEAT", features),
                ("SIZE *", "213 0"),
                ("MDTM *", "213 20200101000000"),
                // Empty files, without a data connection.
                ("RETR *", "226 there is nothing in it"),
                ("MLSD*", "226 an empty folder"),
                ("LIST*", "226 an empty folder"),
            ])
            .then(sends(command, listing))
            .serve_rest();
        let peer = Peer::serve(script).await;
        let dir = tempfile::tempdir().unwrap();
        let (target, outside) = (dir.path().join("a/target"), dir.path().join("outside"));
        fs::create_dir_all(&target).unwrap();
        fs::create_dir_all(&outside).unwrap();
        // Somebody has put a link where the server has a folder.
        std::os::unix::fs::symlink(&outside, target.join("out")).unwrap();
        let (queue, log) = queue_to(config(&peer), 1);
        let id = add(&queue, Direction::Download, ItemKind::Folder, &target, "/d");
        let item = finished(&queue, id).await;
        assert_eq!(item.state, State::Failed, "mlsd {mlsd}: {item:?}");
        queue.shutdown().await;
        let mut found: Vec<_> = tree(dir.path()).into_keys().collect();
        // Escaped, it is a name like any other.
        found.retain(|name| name != "a/target/C:%5Cx");
        assert_eq!(
            found,
            ["a", "a/target", "a/target/good", "a/target/out", "outside"]
        );
        assert!(!Path::new("/tmp/slipway-evil").exists());
        let fetched: Vec<String> = log
            .sent()
            .into_iter()
            .filter(|l| l.starts_with("RETR"))
            .collect();
        let plain = |l: &String| l == "RETR /d/good" || l == r"RETR /d/C:\\x";
        assert!(fetched.iter().all(plain), "{fetched:?}");
        // Each of them is an item that says what is wrong with it.
        let wrong = queue
            .list()
            .iter()
            .filter(|item| {
                matches!(
                    item.error,
                    Some(
                        Error::UnsafeName { .. }
                            | Error::DuplicateName { .. }
                            | Error::UnparsedLine { .. }
                    )
                )
            })
            .count();
        assert!(wrong >= 8, "mlsd {mlsd}: {:#?}", queue.list());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_lies_about_sizes_does_not_get_its_file_in_place() {
    let transfer = sends("RETR /f", "only this");
    let script = Script::logged_in()
        .answering(&[("SIZE *", "213 1000"), ("MDTM *", "550 ?")])
        .then(transfer)
        .serve_rest();
    let peer = Peer::serve_each(vec![script; 20]).await;
    let dir = tempfile::tempdir().unwrap();
    let (queue, _) = queue_to(config(&peer), 1);
    let id = add(
        &queue,
        Direction::Download,
        ItemKind::File,
        &dir.path().join("f"),
        "/f",
    );
    let item = finished(&queue, id).await;
    let differs = matches!(
        item.error,
        Some(Error::SizeDiffers {
            expected: 1000,
            received: 9
        })
    );
    assert!(item.state == State::Failed && differs, "{item:?}");
    assert_eq!(item.attempts, 5);
    assert!(tree(dir.path()).is_empty());
    queue.shutdown().await;
}

/// A server that is lost again and again is not tried for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_always_leaves_is_given_up() {
    let leaves = Script::logged_in()
        .expect("RETR *")
        .say("150 here")
        .accept_data()
        .send_data("half")
        .reset();
    let peer = Peer::serve_each(vec![leaves; 20]).await;
    let dir = tempfile::tempdir().unwrap();
    let (queue, log) = queue_to(config(&peer), 1);
    let id = add(
        &queue,
        Direction::Download,
        ItemKind::File,
        &dir.path().join("f"),
        "/f",
    );
    let item = finished(&queue, id).await;
    assert_eq!(
        (item.state, item.attempts),
        (State::Failed, 5),
        "{item:?}\n{}",
        log.all()
    );
    assert!(tree(dir.path()).is_empty());
    queue.shutdown().await;
}

/// A folder whose listing says 1000 bytes, and a file of which 9 arrive with a good word.
#[tokio::test(flavor = "multi_thread")]
async fn a_short_file_is_not_taken_for_a_changed_one() {
    for (size, confirmed) in [
        ("500 what is SIZE?", false),
        ("213 0", false),
        ("213 Jan 1 2020 10:00", false),
        ("213 1000", false),
        ("213 9", true),
    ] {
        let script = Script::logged_in()
            .answering(&[
                ("SIZE *", size),
                ("MDTM *", "550 ?"),
                ("MLST *", "500 no"),
                ("MLSD*", "550 not again"),
                ("LIST*", "550 not again"),
            ])
            .then(sends("MLSD*", "type=file;size=1000; f\r\n"))
            .then(sends("RETR /d/f", "only this"))
            .serve_rest();
        let again = Script::logged_in()
            .answering(&[
                ("SIZE *", size),
                ("RETR *", "550 gone"),
                ("MDTM *", "550 ?"),
            ])
            .serve_rest();
        let peer = Peer::serve_each(vec![script, again]).await;
        let dir = tempfile::tempdir().unwrap();
        let (queue, log) = queue_to(config(&peer), 1);
        let target = dir.path().join("d");
        let id = add(&queue, Direction::Download, ItemKind::Folder, &target, "/d");
        let mut errors = Vec::new();
        let mut updates = queue.subscribe(transfer::Interest::Everything);
        let follow = async {
            while let Some(update) = updates.next().await {
                let items = match update {
                    transfer::QueueUpdate::Snapshot { items, .. } => items,
                    transfer::QueueUpdate::Changes { upserts, .. } => upserts,
                };
                errors.extend(items.into_iter().filter_map(|item| item.error));
            }
        };
        let item = tokio::select! {
            item = finished(&queue, id) => item,
            () = follow => unreachable!("the queue is there"),
        };
        let done = item.state == State::Done;
        assert_eq!(done, confirmed, "{size}: {item:?}\n{}", log.all());
        assert_eq!(target.join("f").exists(), confirmed, "{size}");
        let differs = errors.iter().any(|error| {
            matches!(
                error,
                Error::SizeDiffers {
                    expected: 1000,
                    received: 9
                }
            )
        });
        assert_eq!(differs, !confirmed, "{size}: {errors:?}\n{}", log.all());
        queue.shutdown().await;
    }
}

/// MDTM and SIZE answered in words: the file comes all the same, on the one session.
#[tokio::test(flavor = "multi_thread")]
async fn answers_that_nobody_can_read_are_no_answers() {
    let script = Script::logged_in()
        .answering(&[
            ("SIZE *", "213 Jan 1 2020 10:00"),
            ("MDTM *", "213 Jan 1 2020 10:00"),
        ])
        .then(sends("RETR /f", "content"))
        .then(sends("RETR /g", "content"))
        .serve_rest();
    let peer = Peer::serve(script).await;
    let dir = tempfile::tempdir().unwrap();
    let (queue, log) = queue_to(config(&peer), 1);
    for name in ["f", "g"] {
        let local = dir.path().join(name);
        let remote = format!("/{name}");
        let id = add(&queue, Direction::Download, ItemKind::File, &local, &remote);
        let item = finished(&queue, id).await;
        assert_eq!(
            (
                item.state,
                item.attempts,
                item.verified.is_some_and(|checks| checks.size)
            ),
            (State::Done, 1, false),
            "{item:?}\n{}",
            log.all()
        );
        assert_eq!(fs::read(&local).unwrap(), b"content");
    }
    queue.shutdown().await;
}
