//! What is not finished when the window closes, or the program is killed, goes on at the next start.

use std::{fs, path::Path};

use ftp_server::RunningServer;
use transfer::Limits;

use super::{
    transferring::{local, queued, settled, until},
    *,
};
use crate::{commands::transfer::send, dto::SendOptions};

const LARGE: usize = 24 << 20;

/// A server with a file that takes a while when it is limited.
async fn serve_large() -> (RunningServer, MemoryTree, Vec<u8>) {
    let (server, tree) = serve(None).await;
    let content: Vec<u8> = (0..LARGE).map(|n| (n % 251) as u8).collect();
    put(&tree, "/large", &content).await;
    (server, tree, content)
}

fn slow(bench: &Bench) {
    bench.shell.queue.set_limits(Limits {
        total: Some(4 << 20),
        ..Limits::default()
    });
}

/// Downloads the file into a folder, and waits until it has begun.
async fn begin(bench: &Bench, session: &SessionInfo, into: &Path) {
    slow(bench);
    let (channel, updates) = channel();
    bench.shell.queue.watch(channel);
    let from = open_path(bench, remote(session), "/").await;
    let to = local(bench, into).await;
    let rows = vec![from.row("large")];
    let options = SendOptions::default();
    let sent = send(&bench.shell, from.listing.id, rows, to.listing.id, options).await;
    assert_eq!(queued(sent.unwrap()).0.len(), 1);
    until(&updates, |rows, _| {
        let row = rows.first()?;
        (row["bytes"].as_f64()? > 1e6).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_on_its_way_goes_on_once_somebody_logs_in() {
    let bench = bench();
    let (server, _tree, content) = serve_large().await;
    let session = plain_session(&bench, &server).await;
    let here = tempfile::tempdir().unwrap();
    begin(&bench, &session, here.path()).await;
    bench.shell.leave().await;
    assert!(!here.path().join("large").exists());
    let Bench { shell, dir, .. } = bench;
    drop(shell);

    // Also when it is started twice before anybody does.
    let waiting = async |dir| {
        let bench = bench_in(dir);
        assert_eq!(bench.shell.queue.journal().unfinished, 1);
        assert!(bench.shell.queue.is_kept());
        let (channel, updates) = channel();
        bench.shell.queue.watch(channel);
        // Nobody but the person knows the password: it waits, and says for whom.
        until(&updates, |rows, summary| {
            let site = summary["sites"].as_array()?.first()?.clone();
            let waits = site["needsLogin"] == true && rows.first()?["state"] == "waiting";
            waits.then(|| {
                assert_eq!(site["address"], format!("{USER}@{}", server.local_addr()));
                assert_eq!(site["paused"], false);
            })
        })
        .await;
        (bench, updates)
    };
    let (bench, _) = waiting(dir).await;
    bench.shell.leave().await;
    let Bench { shell, dir, .. } = bench;
    drop(shell);
    let (bench, updates) = waiting(dir).await;
    plain_session(&bench, &server).await;
    assert_eq!(
        settled(&updates, 1).await,
        [("large".to_owned(), "done".to_owned())]
    );
    assert!(fs::read(here.path().join("large")).unwrap() == content);
    let row = super::transferring::rows(&updates).into_values().next();
    assert!(row.unwrap()["resumedFrom"].as_f64().unwrap() > 0.0);
    let last = updates.lock().unwrap().last().unwrap()["summary"].clone();
    assert_eq!(last["sites"][0]["needsLogin"], false);
    assert_eq!(last["sites"][0]["paused"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_on_its_way_goes_on_by_itself_where_the_keyring_knows_the_password() {
    let bench = bench();
    let (server, _tree, content) = serve_large().await;
    let mut site = vault::Site::new("127.0.0.1").unwrap();
    site.port = Some(server.local_addr().port());
    site.user = USER.into();
    site.tls = vault::TlsMode::Off;
    site.allow_plaintext = true;
    site.remember_password = true;
    site.connections = Some(2);
    let id = site.id.clone();
    bench.shell.vault.sites.save(site).unwrap();
    bench
        .secrets
        .set(id.as_str(), &vault::Secret::new(PASSWORD))
        .unwrap();
    let request = ConnectRequest {
        site: Some(id.as_str().to_owned()),
        password: None,
        ..request(&server)
    };
    let session = session(connect::connect(&bench.shell, request).await);
    let here = tempfile::tempdir().unwrap();
    begin(&bench, &session, here.path()).await;
    bench.shell.leave().await;
    let Bench {
        shell,
        dir,
        secrets,
        ..
    } = bench;
    drop(shell);

    let bench = bench_with(dir, secrets);
    let (channel, updates) = channel();
    bench.shell.queue.watch(channel);
    assert_eq!(
        settled(&updates, 1).await,
        [("large".to_owned(), "done".to_owned())]
    );
    assert!(fs::read(here.path().join("large")).unwrap() == content);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_is_in_use_is_left_alone_and_that_is_said() {
    let first = bench();
    let folders = Folders::new(
        first.dir.path().join("config"),
        first.dir.path().join("data"),
    );
    let secrets = Arc::new(MemorySecrets::new());
    let vault = Vault::new(&folders, secrets as Arc<dyn SecretStore>);
    let second = Shell::new(Box::new(|_| {}), vault, false);
    let status = serde_json::to_value(second.queue.journal()).unwrap();
    assert_eq!(status["problem"]["reason"], "held");
    let why = status["problem"]["error"]["message"].as_str().unwrap();
    assert!(why.contains("the Slipway window"), "{why}");
    assert!(!second.queue.is_kept() && first.shell.queue.is_kept());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_journal_is_set_aside_and_that_is_said() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("data")).unwrap();
    fs::write(
        dir.path().join("data/window-queue.sqlite"),
        vec![7u8; 20_000],
    )
    .unwrap();
    let bench = bench_in(dir);
    let status = bench.shell.queue.journal();
    let recovered = status.recovered.unwrap();
    assert!(fs::exists(&recovered.path).unwrap(), "{recovered:?}");
    assert!(bench.shell.queue.is_kept());
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_take_effect_at_once_and_the_order_is_as_it_was_put() {
    let bench = bench();
    let (server, tree, _content) = serve_large().await;
    for name in ["/a", "/b", "/c"] {
        put(&tree, name, b"x").await;
    }
    let session = plain_session(&bench, &server).await;
    let here = tempfile::tempdir().unwrap();
    begin(&bench, &session, here.path()).await;
    let queue = &bench.shell.queue;
    queue.pause_all(true);
    let (channel, updates) = channel();
    queue.watch(channel);
    let from = open_path(&bench, remote(&session), "/").await;
    let to = local(&bench, here.path()).await;
    let rows = ["a", "b", "c"].map(|name| from.row(name)).to_vec();
    let options = SendOptions::default();
    let sent = send(&bench.shell, from.listing.id, rows, to.listing.id, options).await;
    let ids = queued(sent.unwrap()).0;
    queue.move_to(&ids[2..], transfer::Place::Before(ids[0]));
    queue.set_priority(&ids[1..2], transfer::Priority::High);
    until(&updates, |rows, summary| {
        let of = |name: &str| rows.iter().find(|row| row["name"] == name);
        let order = |name: &str| of(name)?["order"].as_f64();
        (summary["paused"] == true
            && order("c")? < order("a")?
            && of("b")?["priority"] == "high"
            && of("large")?["state"] == "waiting")
            .then_some(())
    })
    .await;

    queue.pause_all(false);
    until(&updates, |rows, summary| {
        let row = rows.iter().find(|row| row["name"] == "large")?;
        let speed = row["bytesPerSecond"].as_f64()?;
        // What it was limited to, and not more.
        (summary["limits"]["total"] == f64::from(4 << 20) && speed < f64::from(6 << 20))
            .then_some(())
    })
    .await;
    queue.set_limits(Limits::default());
    assert_eq!(settled(&updates, 4).await.len(), 4);
    assert_eq!(
        fs::metadata(here.path().join("large")).unwrap().len(),
        LARGE as u64
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_gone_at_the_next_start_costs_nothing() {
    let bench = bench();
    let (server, _tree, _content) = serve_large().await;
    let session = plain_session(&bench, &server).await;
    let here = tempfile::tempdir().unwrap();
    begin(&bench, &session, here.path()).await;
    bench.shell.leave().await;
    drop(server);
    let Bench { shell, dir, .. } = bench;
    drop(shell);
    let bench = bench_in(dir);
    assert_eq!(bench.shell.queue.journal().unfinished, 1);
    bench.shell.leave().await;
    let again = bench_in(bench.dir);
    assert_eq!(again.shell.queue.journal().unfinished, 1);
}
