//! Files on their way, and what the window sees of it.

use std::{fs, path::Path};

use super::*;
use crate::{
    commands::transfer::{accept, send},
    dto::{ConflictRule, SendOptions, Sent},
    error::ErrorCode,
};

/// What the window has of the queue: the rows by id, put together from the updates.
pub(super) fn rows(updates: &Arc<Mutex<Vec<Value>>>) -> std::collections::BTreeMap<u64, Value> {
    let mut items = std::collections::BTreeMap::new();
    for update in updates.lock().unwrap().iter() {
        let new = update["items"].as_array().or(update["upserts"].as_array());
        for row in new.into_iter().flatten() {
            items.insert(row["id"].as_u64().unwrap(), row.clone());
        }
        for id in update["removed"].as_array().into_iter().flatten() {
            items.remove(&id.as_u64().unwrap());
        }
    }
    items
}

/// Waits until the rows of the window are so.
pub(super) async fn until<T>(
    updates: &Arc<Mutex<Vec<Value>>>,
    look: impl Fn(&[Value], &Value) -> Option<T>,
) -> T {
    let wait = async {
        loop {
            let rows: Vec<Value> = rows(updates).into_values().collect();
            let summary = updates
                .lock()
                .unwrap()
                .last()
                .map(|last| last["summary"].clone());
            if let Some(found) = look(&rows, &summary.unwrap_or_default()) {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    match tokio::time::timeout(PATIENCE, wait).await {
        Ok(found) => found,
        Err(_) => panic!("{:#?}", rows(updates)),
    }
}

/// Waits until the queue has nothing to do, then says what became of each item that was added by itself.
pub(super) async fn settled(
    updates: &Arc<Mutex<Vec<Value>>>,
    count: usize,
) -> Vec<(String, String)> {
    until(updates, |rows, _| {
        let is_over = |row: &Value| {
            ["done", "skipped", "failed", "cancelled"].contains(&row["state"].as_str().unwrap())
        };
        let text = |row: &Value, field: &str| row[field].as_str().unwrap().to_owned();
        (rows.len() >= count && rows.iter().all(is_over)).then(|| {
            rows.iter()
                .filter(|row| row["batch"].is_null())
                .map(|row| (text(row, "name"), text(row, "state")))
                .collect()
        })
    })
    .await
}

/// The ids, and the names of what failed.
pub(super) fn queued(sent: Sent) -> (Vec<u32>, Vec<String>) {
    let failed = sent.failed.into_iter().map(|failure| failure.name);
    (sent.ids, failed.collect())
}

/// Transfers where this is done with what exists.
fn by(rule: ConflictRule) -> SendOptions {
    SendOptions {
        conflict: Some(rule),
        ..SendOptions::default()
    }
}

pub(super) async fn local(bench: &Bench, path: &Path) -> Opened {
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
        SendOptions::default(),
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
    assert_eq!(settled(&updates, 1).await, done(&["site"]));
    let last = updates.lock().unwrap().last().unwrap().clone();
    assert_eq!(last["summary"]["files"]["done"], 2);
    assert_eq!(last["summary"]["bytes"], (content.len() + 6) as f64);
    told_of(&mut bench, to.listing.id).await;

    let there = tempfile::tempdir().unwrap();
    let from = open(&bench, remote(&session), again(&to)).await.unwrap();
    let to = local(&bench, there.path()).await;
    send(
        &bench.shell,
        from.listing.id,
        vec![from.row("site")],
        to.listing.id,
        SendOptions::default(),
    )
    .await
    .unwrap();
    settled(&updates, 2).await;
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
    accept(&bench.shell, drop, to.listing.id, SendOptions::default())
        .await
        .unwrap();
    assert_eq!(
        settled(&updates, 1).await,
        [("dropped.txt".to_owned(), "done".to_owned())]
    );
    let path = VPath::new("/dropped.txt").unwrap();
    assert_eq!(vfs::Vfs::metadata(&tree, &path).await.unwrap().len, 5);
    assert!(
        accept(&bench.shell, drop, to.listing.id, SendOptions::default())
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
    let error = send(&bench.shell, id, vec![0], id, SendOptions::default())
        .await
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::Unsupported);
    let drop = bench.shell.drops.keep(vec![dir.path().join("a")]);
    let error = accept(&bench.shell, drop, id, SendOptions::default())
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
        SendOptions::default(),
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
async fn what_exists_on_the_server_asks_and_the_rest_goes_on() {
    let bench = bench();
    let (server, tree) = serve(None).await;
    put(&tree, "/taken", b"theirs").await;
    put(&tree, "/folder/in it", b"theirs!").await;
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
    let content = async |path: &str| {
        let path = VPath::new(path).unwrap();
        let mut file = vfs::Vfs::open_read(&tree, &path, 0).await.unwrap();
        file.read_chunk(100).await.unwrap().to_vec()
    };
    let chosen = vec![from.row("new"), from.row("taken"), from.row("folder")];
    // Nobody has said anything: the settings of a new person say that it asks.
    let options = SendOptions::default();
    let sent = send(
        &bench.shell,
        from.listing.id,
        chosen,
        to.listing.id,
        options,
    )
    .await
    .unwrap();
    let ids = queued(sent).0;
    let (conflict, asking) = until(&updates, |rows, summary| {
        let done = rows
            .iter()
            .any(|row| row["name"] == "new" && row["state"] == "done");
        let inner = rows
            .iter()
            .find(|row| row["name"] == "in it" && row["state"] == "asking")?;
        let asking = summary["files"]["asking"].as_u64()?;
        (done && asking == 2).then(|| (inner["conflict"].clone(), asking))
    })
    .await;
    assert_eq!(asking, 2);
    assert_eq!(conflict["source"]["size"], 4.0);
    assert_eq!(conflict["target"]["size"], 7.0);
    let alone = rows(&updates)
        .into_values()
        .find(|row| row["name"] == "taken");
    for row in [&alone.unwrap()["conflict"], &conflict] {
        let time = |side: &str| row[side]["modified"].as_f64().unwrap();
        assert!((time("source") - time("target")).abs() < 120e3, "{row}");
    }
    assert_eq!(content("/taken").await, b"theirs");
    assert_eq!(content("/new").await, b"ours");

    bench
        .shell
        .queue
        .answer(&ids[1..2], transfer::ConflictRule::Skip);
    bench
        .shell
        .queue
        .answer(&ids[2..], transfer::ConflictRule::Overwrite);
    let states = settled(&updates, 3).await;
    let state = |name: &str| {
        let found = states.iter().find(|(one, _)| one == name);
        found.unwrap().1.as_str()
    };
    assert_eq!((state("taken"), state("folder")), ("skipped", "done"));
    assert_eq!(content("/taken").await, b"theirs");
    assert_eq!(content("/folder/in it").await, b"ours");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_exists_on_this_computer_obeys_the_rule_of_the_batch_then_the_settings() {
    let bench = bench();
    let (server, tree) = serve(None).await;
    put(&tree, "/taken", b"theirs").await;
    let session = plain_session(&bench, &server).await;
    let dir = tempfile::tempdir().unwrap();
    let taken = dir.path().join("taken");
    fs::write(&taken, "ours").unwrap();
    let from = open_path(&bench, remote(&session), "/").await;
    let to = local(&bench, dir.path()).await;
    let (channel, updates) = channel();
    bench.shell.queue.watch(channel);
    let settings = bench.shell.vault.settings.clone();
    settings
        .change(|kept| kept.conflict = vault::ConflictRule::Skip)
        .unwrap();
    let send = async |options| {
        let rows = vec![from.row("taken")];
        let sent = send(&bench.shell, from.listing.id, rows, to.listing.id, options).await;
        queued(sent.unwrap()).0
    };
    send(SendOptions::default()).await;
    assert_eq!(settled(&updates, 1).await[0].1, "skipped");
    assert_eq!(fs::read(&taken).unwrap(), b"ours");
    send(by(ConflictRule::Rename)).await;
    assert_eq!(settled(&updates, 2).await[1].1, "done");
    assert_eq!(fs::read(dir.path().join("taken (2)")).unwrap(), b"theirs");
    assert_eq!(
        rows(&updates).last_key_value().unwrap().1["targetName"],
        "taken (2)"
    );
    let done = send(by(ConflictRule::Overwrite)).await;
    assert_eq!(settled(&updates, 3).await[2].1, "done");
    assert_eq!(fs::read(&taken).unwrap(), b"theirs");

    let receipt = bench.shell.queue.receipt(done[0]).await.unwrap().unwrap();
    assert_eq!(receipt.bytes.get(), 6.0);
    assert!(
        receipt.checks.size && receipt.site == "127.0.0.1",
        "{receipt:?}"
    );
    assert_eq!(bench.shell.queue.receipts(10, 0).await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn options_that_make_no_sense_are_refused_before_anything_is_sent() {
    let bench = bench();
    let (server, _tree) = serve(None).await;
    let session = plain_session(&bench, &server).await;
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a"), "").unwrap();
    let from = local(&bench, dir.path()).await;
    let to = open_path(&bench, remote(&session), "/").await.listing.id;
    for options in [
        SendOptions {
            exclude: vec!["[".into()],
            ..SendOptions::default()
        },
        SendOptions {
            start_at: Some(f64::NAN),
            ..SendOptions::default()
        },
        SendOptions {
            limit: Some(0.0),
            ..SendOptions::default()
        },
    ] {
        let rows = vec![from.row("a")];
        let error = send(&bench.shell, from.listing.id, rows, to, options)
            .await
            .unwrap_err();
        assert_eq!(error.code, ErrorCode::Argument);
    }
    assert_eq!(bench.shell.queue.unfinished(), 0);
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
        SendOptions::default(),
    )
    .await
    .unwrap();
    let (ids, failed) = queued(outcome);
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
    let outcome = send(&bench.shell, from.id, rows, to, SendOptions::default())
        .await
        .unwrap();
    let (ids, failed) = queued(outcome);
    assert_eq!(ids.len(), 1);
    assert_eq!(failed[1..], ["../evil", "pipe"]);
    let error = send(
        &bench.shell,
        from.id,
        vec![2, 99],
        to,
        SendOptions::default(),
    )
    .await
    .unwrap_err();
    assert_eq!(error.code, ErrorCode::StaleListing);
}
