//! Folders of this computer that others can reach: decided on, shared, visited by the engine's own client, stopped.

use std::fs;

use ftp_client::{Client, Config, ErrorKind, Login, Trust, ftp_proto::RemotePath};
use tokio::io::AsyncReadExt as _;

use super::*;
use crate::{
    commands::server::{prepare, share},
    dto::{
        Rate, Reach, Share, ShareDraft, ShareEncryption, ShareLimits, ShareRequest, ShownPassword,
    },
    error::ErrorCode,
};

/// A folder that is worth sharing.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("logo.svg"), "<svg/>").unwrap();
    fs::create_dir(dir.path().join("in here")).unwrap();
    fs::write(dir.path().join("in here/a.txt"), "a").unwrap();
    dir
}

async fn draft_of(bench: &Bench, dir: &tempfile::TempDir, row: Option<&str>) -> ShareDraft {
    let opened = open_path(bench, PaneSource::Local, dir.path().to_str().unwrap()).await;
    let row = row.map(|name| opened.row(name));
    prepare(&bench.shell, opened.listing.id, row).await.unwrap()
}

/// What a person accepts who changes nothing, but for who can reach it.
fn as_proposed(draft: &ShareDraft) -> ShareRequest {
    ShareRequest {
        place: draft.place,
        reach: Reach::ThisComputer,
        port: 0,
        user: draft.user.clone(),
        password: draft.password.clone(),
        read_only: true,
        encryption: ShareEncryption::Required,
        limits: ShareLimits::default(),
    }
}

async fn share_as(bench: &Bench, request: ShareRequest) -> Result<Share> {
    share(&bench.shell, request).await
}

async fn shared(bench: &Bench, dir: &tempfile::TempDir) -> Share {
    let draft = draft_of(bench, dir, None).await;
    share(&bench.shell, as_proposed(&draft)).await.unwrap()
}

/// How somebody connects who was told all of it.
fn visitor(share: &Share) -> Config {
    let (host, port) = share.addresses[0].rsplit_once(':').unwrap();
    let mut config = Config::new(host)
        .with_port(port.parse().unwrap())
        .with_tls(ftp_client::TlsMode::Explicit)
        .with_login(Login::new(&share.user, &share.password.0).unwrap());
    config.trust = Trust {
        pins: vec![share.fingerprint.parse().unwrap()],
        only_pins: true,
        ..Trust::default()
    };
    config
}

async fn take(client: &Client, path: &str) -> Vec<u8> {
    let mut download = client
        .retr(&RemotePath::try_from(path).unwrap(), 0)
        .await
        .unwrap();
    let mut content = Vec::new();
    download.read_to_end(&mut content).await.unwrap();
    download.finish().await.unwrap();
    content
}

/// Waits until what the window was told last is so.
async fn until<T>(updates: &Arc<Mutex<Vec<Value>>>, look: impl Fn(&Value) -> Option<T>) -> T {
    let wait = async {
        loop {
            let last = updates.lock().unwrap().last().cloned();
            if let Some(found) = last.as_ref().and_then(&look) {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    match tokio::time::timeout(PATIENCE, wait).await {
        Ok(found) => found,
        Err(_) => panic!("{:#?}", updates.lock().unwrap().last()),
    }
}

fn watch(bench: &Bench) -> Arc<Mutex<Vec<Value>>> {
    let (channel, updates) = channel();
    bench.shell.sharing.watch(channel);
    updates
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_shared_visited_and_stopped() {
    let (bench, dir) = (bench(), folder());
    let updates = watch(&bench);
    let share = shared(&bench, &dir).await;
    assert!(share.addresses[0].starts_with("127.0.0.1:"));
    until(&updates, |shares| {
        (shares[0]["id"] == share.id).then_some(())
    })
    .await;

    let client = Client::connect(visitor(&share)).await.unwrap();
    let there = until(&updates, |shares| {
        let visitor = &shares[0]["visitors"][0];
        (visitor["user"] == "guest").then(|| visitor.clone())
    })
    .await;
    assert_eq!(
        (&there["peer"], &there["encrypted"]),
        (&"127.0.0.1".into(), &true.into())
    );
    assert_eq!(take(&client, "/logo.svg").await, b"<svg/>");
    let taken = until(&updates, |shares| {
        let moved = &shares[0]["moves"][0];
        (moved["path"] == "/logo.svg").then(|| shares[0].clone())
    })
    .await;
    assert_eq!(taken["moves"][0]["outcome"], "complete");
    assert_eq!(
        (&taken["downloads"], &taken["downloadBytes"]),
        (&1.0.into(), &6.0.into())
    );

    // Nobody may change anything, and the folder is as it was.
    let refused = client
        .dele(&RemotePath::try_from("/logo.svg").unwrap())
        .await
        .unwrap_err();
    assert_eq!(*refused.kind(), ErrorKind::Refused);
    assert!(dir.path().join("logo.svg").exists());

    bench.shell.sharing.stop(share.id).await;
    until(&updates, |shares| {
        (shares == &Value::Array(Vec::new())).then_some(())
    })
    .await;
    assert!(client.noop().await.is_err());
    let gone = Client::connect(visitor(&share)).await.unwrap_err();
    assert_eq!(*gone.kind(), ErrorKind::Connect);
    let error = bench
        .shell
        .sharing
        .set_limits(share.id, ShareLimits::default())
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::StaleListing);
    // Twice is no error: the window may be late.
    bench.shell.sharing.stop(share.id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_open_before_the_person_says_so() {
    let (bench, dir) = (bench(), folder());
    let updates = watch(&bench);
    let draft = draft_of(&bench, &dir, Some("in here")).await;
    assert_eq!((draft.name.as_str(), draft.wide), ("in here", None));
    assert!(draft.password.0.len() >= 16 && draft.shared.is_none());
    let other = draft_of(&bench, &dir, None).await;
    assert_ne!(other.password, draft.password);
    until(&updates, |shares| {
        shares.as_array().map(|all| assert!(all.is_empty()))
    })
    .await;

    let share = share_as(&bench, as_proposed(&draft)).await.unwrap();
    let again = draft_of(&bench, &dir, Some("in here")).await;
    assert_eq!(
        again.shared,
        Some(share.id),
        "shown instead of shared twice"
    );
    // Only what is inside of it can be had.
    let client = Client::connect(visitor(&share)).await.unwrap();
    assert_eq!(take(&client, "/a.txt").await, b"a");
    assert_eq!(take(&client, "/../in here/../a.txt").await, b"a");
    assert!(
        client
            .size(&RemotePath::try_from("/../logo.svg").unwrap())
            .await
            .is_err()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_shared_is_refused_with_a_reason() {
    let (bench, dir) = (bench(), folder());
    let opened = open_path(&bench, PaneSource::Local, dir.path().to_str().unwrap()).await;
    let file = prepare(
        &bench.shell,
        opened.listing.id,
        Some(opened.row("logo.svg")),
    )
    .await;
    assert_eq!(file.unwrap_err().code, ErrorCode::Local);

    let (server, _tree) = serve(None).await;
    let session = plain_session(&bench, &server).await;
    let there = open_path(&bench, remote(&session), "/").await;
    let other = prepare(&bench.shell, there.listing.id, None).await;
    assert_eq!(other.unwrap_err().code, ErrorCode::Unsupported);

    let draft = draft_of(&bench, &dir, None).await;
    let refused = async |change: &dyn Fn(&mut ShareRequest)| {
        let mut request = as_proposed(&draft);
        change(&mut request);
        share(&bench.shell, request).await.unwrap_err()
    };
    let short = refused(&|request| request.password = ShownPassword("1234567".into())).await;
    assert_eq!(short.code, ErrorCode::Argument);
    let nobody = refused(&|request| request.user = " ".into()).await;
    assert_eq!(nobody.code, ErrorCode::Argument);
    let everywhere = refused(&|request| {
        request.reach = Reach::Network {
            address: "0.0.0.0".into(),
        };
    })
    .await;
    assert_eq!(everywhere.code, ErrorCode::Argument);
    // An address of RFC 5737: this computer does not have it.
    let foreign = refused(&|request| {
        request.reach = Reach::Network {
            address: "192.0.2.77".into(),
        };
    })
    .await;
    assert!(foreign.message.contains("192.0.2.77"), "{foreign:?}");
    let port = server.local_addr().port();
    let taken = refused(&|request| request.port = port).await;
    assert!(taken.message.contains(&port.to_string()), "{taken:?}");
    let nowhere = refused(&|request| request.place = 4_000_000).await;
    assert_eq!(nowhere.code, ErrorCode::StaleListing);
    assert_eq!(draft_of(&bench, &dir, None).await.shared, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_counted_and_plaintext_refused() {
    let (bench, dir) = (bench(), folder());
    let updates = watch(&bench);
    let share = shared(&bench, &dir).await;
    let wrong = visitor(&share).with_login(Login::new(&share.user, "not this one").unwrap());
    let refused = Client::connect(wrong).await.unwrap_err();
    assert_eq!(*refused.kind(), ErrorKind::LoginRefused);
    until(&updates, |shares| {
        (shares[0]["refused"] == 1.0).then_some(())
    })
    .await;

    let mut plain = visitor(&share).with_tls(ftp_client::TlsMode::Off);
    plain.allow_plaintext = true;
    assert!(Client::connect(plain.clone()).await.is_err());

    bench.shell.sharing.stop(share.id).await;
    let draft = draft_of(&bench, &dir, None).await;
    let offered = ShareRequest {
        encryption: ShareEncryption::Offered,
        ..as_proposed(&draft)
    };
    let share = share_as(&bench, offered).await.unwrap();
    plain.port = visitor(&share).port;
    plain.login = visitor(&share).login;
    let client = Client::connect(plain).await.unwrap();
    until(&updates, |shares| {
        (shares[0]["visitors"][0]["encrypted"] == false).then_some(())
    })
    .await;
    assert_eq!(take(&client, "/logo.svg").await, b"<svg/>");
}

#[tokio::test(flavor = "multi_thread")]
async fn visitors_are_seen_limited_and_sent_away() {
    let (bench, dir) = (bench(), folder());
    fs::write(dir.path().join("big.bin"), vec![7; 8 << 20]).unwrap();
    let updates = watch(&bench);
    let share = shared(&bench, &dir).await;
    let rate = |bytes: f64| Rate::try_from(bytes).ok();
    let limits = ShareLimits {
        download: rate(65_536.0),
        upload: None,
    };
    bench.shell.sharing.set_limits(share.id, limits).unwrap();
    until(&updates, |shares| {
        (shares[0]["limits"]["download"] == 65_536.0).then_some(())
    })
    .await;

    let client = Client::connect(visitor(&share)).await.unwrap();
    let taking = tokio::spawn(async move {
        let path = RemotePath::try_from("/big.bin").unwrap();
        let mut download = client.retr(&path, 0).await?;
        let mut content = Vec::new();
        let read = download.read_to_end(&mut content).await;
        read.map_err(|_| ()).ok();
        download.finish().await
    });
    let moving = until(&updates, |shares| {
        let moving = &shares[0]["visitors"][0]["moving"];
        (moving["path"] == "/big.bin" && shares[0]["bytesPerSecond"].as_f64() > Some(0.0))
            .then(|| moving.clone())
    })
    .await;
    assert_eq!(moving["direction"], "download");
    assert_eq!(moving["total"], f64::from(8 << 20));
    assert_eq!(bench.shell.sharing.serving(), 1);

    let visitor = until(&updates, |shares| shares[0]["visitors"][0]["id"].as_u64()).await;
    bench
        .shell
        .sharing
        .kick(share.id, u32::try_from(visitor).unwrap())
        .unwrap();
    assert!(
        tokio::time::timeout(PATIENCE, taking)
            .await
            .unwrap()
            .unwrap()
            .is_err()
    );
    let left = until(&updates, |shares| {
        let nobody = shares[0]["visitors"].as_array().is_some_and(Vec::is_empty);
        (nobody && !shares[0]["moves"][0].is_null()).then(|| shares[0].clone())
    })
    .await;
    assert_ne!(left["moves"][0]["outcome"], "complete");
    assert_eq!(
        (&left["downloads"], &left["bytesPerSecond"]),
        (&0.0.into(), &0.0.into())
    );
    assert_eq!(bench.shell.sharing.serving(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_trusted_the_certificate_once_need_not_do_so_again() {
    let first = bench();
    let dir = folder();
    let one = shared(&first, &dir).await;
    let other = folder();
    let two = shared(&first, &other).await;
    assert_eq!(one.fingerprint, two.fingerprint);
    assert_ne!((one.id, &one.password), (two.id, &two.password));

    // The window is closed: nothing is left open, and nothing opens by itself the next time.
    first.shell.leave().await;
    assert!(Client::connect(visitor(&one)).await.is_err());
    assert!(Client::connect(visitor(&two)).await.is_err());
    let second = bench_in(first.dir);
    let updates = watch(&second);
    until(&updates, |shares| {
        shares.as_array().map(|all| assert!(all.is_empty()))
    })
    .await;
    let again = shared(&second, &dir).await;
    assert_eq!(again.fingerprint, one.fingerprint);
    Client::connect(visitor(&again)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_code_for_a_telephone_holds_the_password_only_if_asked() {
    let (bench, dir) = (bench(), folder());
    let share = shared(&bench, &dir).await;
    let open = bench.shell.sharing.qr(share.id, false).unwrap();
    let text = open.text.unwrap();
    assert_eq!(text, format!("ftpes://guest@{}/", share.addresses[0]));
    let secret = bench.shell.sharing.qr(share.id, true).unwrap();
    assert!(secret.text.is_none() && secret.path != open.path);
    assert!(secret.size > open.size);
    assert!(bench.shell.sharing.qr(share.id + 1, false).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_password_is_in_the_log() {
    let (bench, dir) = (bench(), folder());
    let (channel, lines) = channel();
    bench.shell.log.watch(channel);
    let log = Arc::clone(&bench.shell.log);
    tokio::spawn(async move { log.run().await });
    let updates = watch(&bench);
    let share = shared(&bench, &dir).await;
    let client = Client::connect(visitor(&share)).await.unwrap();
    take(&client, "/logo.svg").await;
    until(&updates, |shares| {
        (shares[0]["downloads"] == 1.0).then_some(())
    })
    .await;
    let wait = async {
        while !format!("{:?}", lines.lock().unwrap()).contains("/logo.svg was downloaded") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap();
    let text = format!("{:?}", lines.lock().unwrap());
    assert!(
        text.contains("guest has connected from 127.0.0.1"),
        "{text}"
    );
    assert!(!text.contains(&share.password.0));
}
