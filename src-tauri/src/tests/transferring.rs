use std::{fs, path::Path};

use super::*;
use crate::{
    commands::transfer::{accept, send},
    dto::{Existing, SendOutcome},
    error::ErrorCode,
};

/// Waits until the queue has nothing to do, then says what became of each item.
async fn settled(updates: &Arc<Mutex<Vec<Value>>>, count: usize) -> Vec<(String, String)> {
    let wait = async {
        loop {
            let mut items = std::collections::BTreeMap::new();
            for update in updates.lock().unwrap().iter() {
                for row in update["items"]
                    .as_array()
                    .or(update["upserts"].as_array())
                    .into_iter()
                    .flatten()
                {
                    items.insert(row["id"].as_u64().unwrap(), row.clone());
                }
            }
            let is_over = |row: &Value| {
                ["done", "failed", "cancelled"].contains(&row["state"].as_str().unwrap())
            };
            if items.len() >= count && items.values().all(is_over) {
                let text = |row: &Value, field: &str| row[field].as_str().unwrap().to_owned();
                return items
                    .values()
                    .map(|row| (text(row, "name"), text(row, "state")))
                    .collect();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap()
}

/// The ids, the names of what failed, and how many were left out.
fn queued(outcome: SendOutcome) -> (Vec<u32>, Vec<String>, u32) {
    match outcome {
        SendOutcome::Queued {
            ids,
            failed,
            skipped,
        } => (
            ids,
            failed.into_iter().map(|failure| failure.name).collect(),
            skipped,
        ),
        other => panic!("not queued: {other:?}"),
    }
}

/// The names that exist, how many they are, of how many, and whether there are folders among them.
fn existing(outcome: SendOutcome) -> (Vec<String>, u32, u32, bool) {
    match outcome {
        SendOutcome::Exists {
            names,
            count,
            total,
            folders,
        } => (names, count, total, folders),
        other => panic!("no question: {other:?}"),
    }
}

async fn local(bench: &Bench, path: &Path) -> Opened {
    open_path(bench, PaneSource::Local, &path.to_string_lossy()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_goes_up_and_comes_down() {
    let mut bench = bench();
    let (server, _tree) = serve(certificate()).await;
    let ConnectOutcome::Certificate { question } = connect::connect(&bench.shell, request(&server))
        .await
        .unwrap()
    else {
        panic!("no question");
    };
    // Trusted once: the connections of the queue have to trust it too.
    let trusting = ConnectRequest {
        trust: Some(crate::dto::TrustAnswer {
            fingerprint: question.certificate.fingerprint,
            subject: question.certificate.subject,
            always: false,
        }),
        ..request(&server)
    };
    let session = session(connect::connect(&bench.shell, trusting).await);

    let here = tempfile::tempdir().unwrap();
    let content: Vec<u8> = (0..1_000_000u32)
        .flat_map(|n| (n % 251).to_le_bytes())
        .collect();
    fs::create_dir_all(here.path().join("site/img")).unwrap();
    fs::write(here.path().join("site/index.html"), "<html>").unwrap();
    fs::write(here.path().join("site/img/b i g"), &content).unwrap();

    let (channel, updates) = channel();
    bench.shell.queue.watch(channel);
    let from = local(&bench, here.path()).await;
    let to = open_path(&bench, remote(&session), "/").await;
    let outcome = send(
        &bench.shell,
        from.listing.id,
        vec![from.row("site")],
        to.listing.id,
        Existing::Ask,
    )
    .await
    .unwrap();
    let ids = queued(outcome).0;
    assert_eq!(ids.len(), 1);
    let done = |names: &[&str]| -> Vec<(String, String)> {
        names
            .iter()
            .map(|name| ((*name).to_owned(), "done".to_owned()))
            .collect()
    };
    let mut up = settled(&updates, 4).await;
    up.sort();
    assert_eq!(up, done(&["b i g", "img", "index.html", "site"]));
    told_of(&mut bench, to.listing.id).await;

    let there = tempfile::tempdir().unwrap();
    let from = open(&bench, remote(&session), again(&to)).await.unwrap();
    let to = local(&bench, there.path()).await;
    send(
        &bench.shell,
        from.listing.id,
        vec![from.row("site")],
        to.listing.id,
        Existing::Ask,
    )
    .await
    .unwrap();
    settled(&updates, 8).await;
    assert_eq!(
        fs::read(there.path().join("site/index.html")).unwrap(),
        b"<html>"
    );
    assert!(fs::read(there.path().join("site/img/b i g")).unwrap() == content);

    let updates = updates.lock().unwrap();
    assert_eq!(updates[0]["kind"], "snapshot");
    let revisions: Vec<u64> = updates
        .iter()
        .map(|update| update["revision"].as_u64().unwrap())
        .collect();
    assert!(
        revisions.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "{revisions:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drop_goes_up_once() {
    let bench = bench();
    let (server, tree) = serve(None).await;
    let session = plain_session(&bench, &server).await;
    let here = tempfile::tempdir().unwrap();
    let file = here.path().join("dropped.txt");
    fs::write(&file, "hello").unwrap();
    let (channel, updates) = channel();
    bench.shell.queue.watch(channel);
    let to = open_path(&bench, remote(&session), "/").await;

    let drop = bench.shell.drops.keep(vec![file]);
    accept(&bench.shell, drop, to.listing.id, Existing::Ask)
        .await
        .unwrap();
    assert_eq!(
        settled(&updates, 1).await,
        [("dropped.txt".to_owned(), "done".to_owned())]
    );
    let path = VPath::new("/dropped.txt").unwrap();
    assert_eq!(vfs::Vfs::metadata(&tree, &path).await.unwrap().len, 5);
    assert!(
        accept(&bench.shell, drop, to.listing.id, Existing::Ask)
            .await
            .is_err()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_done_is_refused_in_words() {
    let bench = bench();
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a"), "").unwrap();
    let here = local(&bench, dir.path()).await;
    let id = here.listing.id;
    let error = send(&bench.shell, id, vec![0], id, Existing::Ask)
        .await
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::Unsupported);
    let drop = bench.shell.drops.keep(vec![dir.path().join("a")]);
    let error = accept(&bench.shell, drop, id, Existing::Ask)
        .await
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::Unsupported);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_transfer_says_why_and_can_be_tried_again() {
    let bench = bench();
    let (server, tree) = serve(None).await;
    put(&tree, "/gone", b"x").await;
    let session = plain_session(&bench, &server).await;
    let from = open_path(&bench, remote(&session), "/").await;
    let dir = tempfile::tempdir().unwrap();
    let to = local(&bench, dir.path()).await;
    let path = VPath::new("/gone").unwrap();
    vfs::Vfs::unlink(&tree, &path).await.unwrap();

    let (channel, updates) = channel();
    bench.shell.queue.watch(channel);
    let outcome = send(
        &bench.shell,
        from.listing.id,
        vec![from.row("gone")],
        to.listing.id,
        Existing::Ask,
    )
    .await
    .unwrap();
    let ids = queued(outcome).0;
    assert_eq!(
        settled(&updates, 1).await,
        [("gone".to_owned(), "failed".to_owned())]
    );
    let code = updates.lock().unwrap().last().unwrap()["upserts"][0]["error"]["code"].clone();
    assert_eq!(code, "not-found");
    assert!(
        fs::read_dir(dir.path()).unwrap().next().is_none(),
        "nothing half is left"
    );

    put(&tree, "/gone", b"back").await;
    updates.lock().unwrap().clear();
    bench.shell.queue.retry(&ids);
    assert_eq!(
        settled(&updates, 1).await,
        [("gone".to_owned(), "done".to_owned())]
    );
    assert_eq!(fs::read(dir.path().join("gone")).unwrap(), b"back");
}

#[tokio::test(flavor = "multi_thread")]
async fn leaving_in_the_middle_leaves_nothing_half() {
    let bench = bench();
    let (server, tree) = serve(None).await;
    put(&tree, "/large", &vec![7; 200 << 20]).await;
    let session = plain_session(&bench, &server).await;
    let from = open_path(&bench, remote(&session), "/").await;
    let dir = tempfile::tempdir().unwrap();
    let to = local(&bench, dir.path()).await;
    send(
        &bench.shell,
        from.listing.id,
        vec![from.row("large")],
        to.listing.id,
        Existing::Ask,
    )
    .await
    .unwrap();
    // The temporary file is there: it has begun.
    let begun = async {
        while fs::read_dir(dir.path()).unwrap().next().is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, begun).await.unwrap();
    bench.shell.leave().await;
    for entry in fs::read_dir(dir.path()).unwrap() {
        let entry = entry.unwrap();
        // It may have been quicker than we; then it is whole.
        assert_eq!(entry.file_name(), "large");
        assert_eq!(entry.metadata().unwrap().len(), 200 << 20);
    }
    assert!(bench.shell.sessions.get(session.id).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_exists_on_the_server_is_asked_about_once() {
    let bench = bench();
    let (server, tree) = serve(None).await;
    put(&tree, "/taken", b"theirs").await;
    put(&tree, "/folder/in it", b"theirs").await;
    let session = plain_session(&bench, &server).await;
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("folder")).unwrap();
    for name in ["taken", "new", "folder/in it"] {
        fs::write(dir.path().join(name), "ours").unwrap();
    }
    let from = local(&bench, dir.path()).await;
    let to = open_path(&bench, remote(&session), "/").await;
    let (channel, updates) = channel();
    bench.shell.queue.watch(channel);
    let send = async |existing| {
        let rows = vec![from.row("new"), from.row("taken"), from.row("folder")];
        send(&bench.shell, from.listing.id, rows, to.listing.id, existing)
            .await
            .unwrap()
    };
    let content = async |path: &str| {
        let path = VPath::new(path).unwrap();
        let mut file = vfs::Vfs::open_read(&tree, &path, 0).await.unwrap();
        file.read_chunk(100).await.unwrap().to_vec()
    };

    let names = vec!["taken".to_owned(), "folder".to_owned()];
    assert_eq!(existing(send(Existing::Ask).await), (names, 2, 3, true));
    assert!(
        bench.shell.queue.unfinished() == 0,
        "nothing is sent before the answer"
    );
    let (ids, failed, skipped) = queued(send(Existing::Skip).await);
    assert_eq!((ids.len(), failed.len(), skipped), (1, 0, 2));
    settled(&updates, 1).await;
    assert_eq!(content("/new").await, b"ours");
    assert_eq!(content("/taken").await, b"theirs");
    assert_eq!(queued(send(Existing::Replace).await).0.len(), 3);
    settled(&updates, 5).await;
    assert_eq!(content("/taken").await, b"ours");
    assert_eq!(content("/folder/in it").await, b"ours");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_exists_is_asked_about_where_the_folder_was_not_read_to_its_end() {
    let bench = bench();
    let (server, tree) = serve(None).await;
    put(&tree, "/taken", b"theirs").await;
    let session = plain_session(&bench, &server).await;
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("taken"), "ours").unwrap();
    let from = local(&bench, dir.path()).await;
    let to = bench
        .shell
        .listings
        .open(crate::state::folder::Folder::Remote {
            session: session.id,
            path: ftp_client::ftp_proto::RemotePath::root(),
        });
    let rows = vec![from.row("taken")];
    let outcome = send(&bench.shell, from.listing.id, rows, to.id, Existing::Ask)
        .await
        .unwrap();
    assert_eq!(existing(outcome).1, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_exists_on_this_computer_is_asked_about() {
    let bench = bench();
    let (server, tree) = serve(None).await;
    put(&tree, "/taken", b"theirs").await;
    put(&tree, "/new", b"theirs").await;
    let session = plain_session(&bench, &server).await;
    let dir = tempfile::tempdir().unwrap();
    let from = open_path(&bench, remote(&session), "/").await;
    let to = local(&bench, dir.path()).await;
    // It came after the folder was read: the disk counts.
    fs::write(dir.path().join("taken"), "ours").unwrap();
    let rows = vec![from.row("new"), from.row("taken")];
    let outcome = send(
        &bench.shell,
        from.listing.id,
        rows,
        to.listing.id,
        Existing::Ask,
    )
    .await
    .unwrap();
    assert_eq!(existing(outcome), (vec!["taken".to_owned()], 1, 2, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drop_waits_for_the_answer() {
    let bench = bench();
    let (server, tree) = serve(None).await;
    put(&tree, "/taken", b"theirs").await;
    let session = plain_session(&bench, &server).await;
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("taken"), "ours").unwrap();
    let to = open_path(&bench, remote(&session), "/").await.listing.id;
    let drop = bench.shell.drops.keep(vec![dir.path().join("taken")]);
    let outcome = accept(&bench.shell, drop, to, Existing::Ask).await.unwrap();
    assert_eq!(existing(outcome).0, ["taken"]);
    let outcome = accept(&bench.shell, drop, to, Existing::Replace)
        .await
        .unwrap();
    assert_eq!(queued(outcome).0.len(), 1);
    assert!(accept(&bench.shell, drop, to, Existing::Ask).await.is_err());
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn one_odd_entry_does_not_hold_up_the_others() {
    let bench = bench();
    let (server, _tree) = serve(None).await;
    let session = plain_session(&bench, &server).await;
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("good"), "ours").unwrap();
    std::os::unix::fs::symlink("nowhere", dir.path().join("dangling")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("socket")).unwrap();
    let from = local(&bench, dir.path()).await;
    let to = open_path(&bench, remote(&session), "/").await;
    let names = ["dangling", "good", "socket"];
    let rows = names.map(|name| from.row(name)).to_vec();
    let outcome = send(
        &bench.shell,
        from.listing.id,
        rows,
        to.listing.id,
        Existing::Ask,
    )
    .await
    .unwrap();
    let (ids, failed, _) = queued(outcome);
    assert_eq!(ids.len(), 1);
    assert_eq!(failed, ["dangling", "socket"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_or_a_name_that_means_nothing_here_does_not_hold_up_the_others() {
    use crate::{
        dto::RowKind,
        state::listings::{Entry, EntryName},
    };
    let bench = bench();
    let (server, _tree) = serve(None).await;
    let session = plain_session(&bench, &server).await;
    let dir = tempfile::tempdir().unwrap();
    let from = bench
        .shell
        .listings
        .open(crate::state::folder::Folder::Remote {
            session: session.id,
            path: ftp_client::ftp_proto::RemotePath::root(),
        });
    let entry = |name, kind| Entry {
        name,
        kind,
        size: None,
    };
    let remote = |name: &[u8]| EntryName::Remote(name.into());
    from.add([
        entry(EntryName::Unparsed, RowKind::Unparsed),
        entry(remote(b"../evil"), RowKind::File),
        entry(remote(b"good"), RowKind::File),
        entry(remote(b"pipe"), RowKind::Other),
    ])
    .unwrap();
    let to = local(&bench, dir.path()).await.listing.id;
    let rows = vec![0, 1, 2, 3];
    let outcome = send(&bench.shell, from.id, rows, to, Existing::Ask)
        .await
        .unwrap();
    let (ids, failed, _) = queued(outcome);
    assert_eq!(ids.len(), 1);
    assert_eq!(failed[1..], ["../evil", "pipe"]);
    let error = send(&bench.shell, from.id, vec![2, 99], to, Existing::Ask)
        .await
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::StaleListing);
}
