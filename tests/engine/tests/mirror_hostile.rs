//! Mirrors of servers that lie, break off, or tell little.
#![allow(clippy::unwrap_used, unused_crate_dependencies)]

use std::fs;
use std::path::Path;

use engine_tests::{
    path,
    queueing::write,
    scripted::{client_of, sends},
};
use ftp_client::Client;
use support::Script;
use transfer::Direction;
use transfer::mirror::{
    Compare, MirrorError, MirrorOptions, MirrorPlan, Refusal, Role, Side, Stage, Tree, Why,
    apply_deletions, ask, compare, gather_local, gather_remote, make_folders, questions,
};

fn deleting() -> MirrorOptions {
    MirrorOptions {
        delete: true,
        max_delete: Some(1000),
        ..MirrorOptions::default()
    }
}

/// A server without MLSD.
fn old(more: &str) -> Script {
    let feat = format!("211-Features:\r\n EPSV\r\n MDTM\r\n SIZE\r\n{more}211 End");
    Script::logged_in().answering(&[("FEAT", &feat)])
}

async fn gather(client: &Client, role: Role) -> Result<Tree, MirrorError> {
    let clients = std::slice::from_ref(client);
    gather_remote(clients, &path("/m"), role, &MirrorOptions::default()).await
}

/// What a download of `/m` to a folder would do.
async fn download(client: &Client, local: &Path, options: &MirrorOptions) -> MirrorPlan {
    let clients = std::slice::from_ref(client);
    let root = path("/m");
    let mut there = gather_remote(clients, &root, Role::Source, options)
        .await
        .unwrap();
    let mut here = gather_local(local, Role::Target, options).unwrap();
    let open = questions(&there, &here, options);
    ask(open, clients, &root, &mut there, local, &mut here)
        .await
        .unwrap();
    compare(&there, &here, Direction::Download, options)
}

#[tokio::test]
async fn names_that_are_none_delete_nothing_and_lead_nowhere() {
    let evil: [&str; 6] = [
        "type=file;size=5; ../../evil",
        "type=dir; ../up",
        "type=file;size=5; /etc/passwd",
        "type=file;size=5; sub/evil",
        "this is no line",
        "type=file;size=5; good\r\ntype=dir; good",
    ];
    for line in evil {
        let listing = format!("{line}\r\ntype=file;size=1;modify=20200101000000; ok\r\n");
        let script = Script::logged_in()
            .then(sends("MLSD*", listing))
            .serve_rest();
        let (_peer, client, log) = client_of(script).await;
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("mine"), "x").unwrap();
        let plan = download(&client, dir.path(), &deleting()).await;
        let refused = Some(Refusal::Incomplete { places: 1 });
        assert_eq!(plan.refused, refused, "{line}: {plan}\n{}", log.all());
        assert!(plan.delete.is_empty(), "{line}: {plan}");
        for step in plan.copy.iter().chain(&plan.make) {
            let name = step.local.to_str().unwrap();
            assert!(["ok", "good"].contains(&name), "{line}: {plan}");
        }
        // What was understood is copied all the same.
        assert!(plan.copy.iter().any(|step| step.local == Path::new("ok")));
    }
}

#[tokio::test]
async fn folders_without_an_end() {
    // The same folder again and again, which `unique` tells.
    let listing = "type=dir;unique=1g2; again\r\n";
    let script = Script::logged_in()
        .repeat(2, sends("MLSD*", listing))
        .serve_rest();
    let (_peer, client, log) = client_of(script).await;
    let tree = gather(&client, Role::Source).await.unwrap();
    assert_eq!(tree.len(), 2, "{}", log.all());
    assert!(tree.incomplete()[0].to_string().contains("/m/again/again"));
    // And without it: at some depth it is enough.
    let script = Script::logged_in()
        .repeat(200, sends("MLSD*", "type=dir; again\r\n"))
        .serve_rest();
    let (_peer, client, _) = client_of(script).await;
    let tree = gather(&client, Role::Source).await.unwrap();
    assert_eq!(tree.incomplete().len(), 1);
    assert!(tree.len() < 200);
}

#[tokio::test]
async fn a_listing_that_breaks_off_is_incomplete() {
    let root = "type=dir; sub\r\ntype=file;size=1;modify=20200101000000; a\r\n";
    let refused = Script::new().expect("MLSD*").say("550 not for you");
    let script = Script::logged_in()
        .then(sends("MLSD*", root))
        .then(refused)
        .serve_rest();
    let (_peer, client, log) = client_of(script).await;
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "sub/mine", b"x", 1_000_000_000);
    let plan = download(&client, dir.path(), &deleting()).await;
    assert_eq!(plan.incomplete[0].path, "/m/sub", "{}", log.all());
    assert!(plan.delete.is_empty() && plan.refused.is_some(), "{plan}");
    assert_eq!(plan.copy.len(), 1);
}

#[tokio::test]
async fn another_connection_goes_on_where_one_is_lost() {
    let breaks = Script::logged_in().expect("MLSD*").reset();
    let works = Script::logged_in()
        .then(sends("MLSD*", "type=dir; sub\r\n"))
        .then(sends("MLSD*", "type=file;size=1; a\r\n"))
        .serve_rest();
    let (_one, breaking, _) = client_of(breaks.clone()).await;
    let (_other, working, _) = client_of(works).await;
    let options = MirrorOptions::default();
    let clients = [working, breaking];
    let tree = gather_remote(&clients, &path("/m"), Role::Source, &options)
        .await
        .unwrap();
    assert_eq!(tree.len(), 2);
    assert!(tree.incomplete().is_empty(), "{:?}", tree.incomplete());
    // With none left it is an error at the root, and an incomplete tree below.
    let (_one, breaking, _) = client_of(breaks).await;
    let error = gather(&breaking, Role::Source).await.unwrap_err();
    assert!(matches!(error, MirrorError::NoConnection), "{error}");
    let later = Script::logged_in()
        .then(sends("MLSD*", "type=dir; sub\r\n"))
        .expect("MLSD*")
        .reset();
    let (_one, breaking, _) = client_of(later).await;
    let tree = gather(&breaking, Role::Source).await.unwrap();
    assert_eq!(tree.incomplete().len(), 1);
}

/// The minutes of a LIST are in a zone that nobody knows, so MDTM is asked, but only where it can matter.
#[tokio::test]
async fn exact_times_are_asked_where_sizes_are_equal() {
    let listing = "-rw-r--r-- 1 a b 5 Jan 1 2020 same\r\n\
        -rw-r--r-- 1 a b 5 Jan 1 2020 newer\r\n\
        -rw-r--r-- 1 a b 6 Jan 1 2020 longer\r\n\
        -rw-r--r-- 1 a b 5 Jan 1 2020 missing\r\n\
        -rw-r--r-- 1 a b 5 Jan 1 2020 refused\r\n";
    let script = old("")
        .answering(&[
            ("MDTM /m/same", "213 20200101120000"),
            ("MDTM /m/newer", "213 20200101120100"),
            ("MDTM /m/refused", "550 no"),
        ])
        .then(sends("LIST*", listing))
        .serve_rest();
    let (_peer, client, log) = client_of(script).await;
    let dir = tempfile::tempdir().unwrap();
    let noon = 1_577_880_000;
    for name in ["same", "newer", "longer", "refused"] {
        write(dir.path(), name, b"12345", noon);
    }
    let plan = download(&client, dir.path(), &deleting()).await;
    let mut asked = log.sent();
    asked.retain(|line| line.starts_with("MDTM"));
    asked.sort();
    assert_eq!(asked, ["MDTM /m/newer", "MDTM /m/refused", "MDTM /m/same"]);
    let why = |name: &str| {
        let step = plan.copy.iter().find(|step| step.local == Path::new(name));
        step.map(|step| step.reason.why)
    };
    assert_eq!(why("same"), None, "{plan}");
    assert!(matches!(why("newer"), Some(Why::Newer { .. })), "{plan}");
    assert_eq!(
        why("longer"),
        Some(Why::SizeDiffers {
            source: 6,
            target: 5
        })
    );
    assert_eq!(why("missing"), Some(Why::Missing));
    assert_eq!(why("refused"), Some(Why::TimeUnknown), "{plan}");
    assert_eq!(plan.same, 1);
}

#[tokio::test]
async fn hashes_are_compared_where_the_server_tells_them() {
    let listing = "type=file;size=3;modify=20200101120000; same\r\n\
        type=file;size=3;modify=20200101120000; other\r\n\
        type=file;size=3;modify=20200101120000; silent\r\n\
        type=file;size=4;modify=20200101120000; longer\r\n";
    let abc = "900150983cd24fb0d6963f7d28e17f72";
    let script = Script::logged_in()
        .answering(&[
            (
                "FEAT",
                "211-Features:\r\n EPSV\r\n MLST type*;size*;modify*;\r\n XMD5\r\n211 End",
            ),
            ("XMD5 /m/same", &format!("250 {}", abc.to_uppercase())),
            ("XMD5 /m/other", "250 00000000000000000000000000000000"),
            ("XMD5 /m/silent", "550 no"),
        ])
        .then(sends("MLSD*", listing))
        .serve_rest();
    let (_peer, client, log) = client_of(script).await;
    let dir = tempfile::tempdir().unwrap();
    for name in ["same", "other", "silent", "longer"] {
        write(dir.path(), name, b"abc", 1_000_000_000);
    }
    let options = MirrorOptions {
        compare: "size,time,hash".parse::<Compare>().unwrap(),
        ..deleting()
    };
    let plan = download(&client, dir.path(), &options).await;
    let text = plan.to_string();
    assert_eq!(plan.same, 1, "{text}\n{}", log.all());
    assert!(text.contains("copy    other: another MD5\n"), "{text}");
    assert!(
        text.contains("the server tells no hash, so times were compared\n"),
        "{text}"
    );
    assert!(
        text.contains("copy    longer: 4 bytes instead of 3\n"),
        "{text}"
    );
    assert!(!log.sent().iter().any(|line| line == "XMD5 /m/longer"));
}

#[tokio::test]
async fn what_a_server_refuses_is_reported() {
    let listing = "type=dir; full\r\ntype=file;size=1; gone\r\n";
    let inner = "type=file;size=1; held\r\ntype=dir; deep\r\n";
    let script = Script::logged_in()
        .answering(&[
            ("DELE /m/gone", "250 deleted"),
            ("DELE /m/full/held", "550 it is in use"),
            ("RMD /m/full/deep", "250 removed"),
            ("MKD /m/new", "550 no room"),
            ("CWD /m/new", "550 no such folder"),
            ("MKD /m/there", "521 it exists"),
        ])
        .then(sends("MLSD*", listing))
        .then(sends("MLSD*", inner))
        .then(sends("MLSD*", ""))
        .serve_rest();
    let (_peer, client, log) = client_of(script).await;
    let target = gather(&client, Role::Target).await.unwrap();
    assert!(target.incomplete().is_empty(), "{:?}", target.incomplete());
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("new")).unwrap();
    fs::create_dir(dir.path().join("there")).unwrap();
    let source = gather_local(dir.path(), Role::Source, &deleting()).unwrap();
    let plan = compare(&source, &target, Direction::Upload, &deleting());
    assert_eq!(plan.delete.len(), 4, "{plan}");
    let root = path("/m");
    let side = Side::Remote(&client, &root);
    let made = make_folders(&plan, side).await.unwrap();
    assert_eq!((made.done, made.failed.len()), (1, 1), "{made:?}");
    assert_eq!(
        made.failed[0].to_string(),
        "/m/new: the server says 550 no room"
    );
    let applied = apply_deletions(&plan, Stage::AfterCopying, side)
        .await
        .unwrap();
    assert_eq!(applied.done, 2, "{applied:?}\n{}", log.all());
    let failed: Vec<_> = applied.failed.iter().map(|f| f.path.as_str()).collect();
    assert_eq!(failed, ["/m/full/held", "/m/full"]);
    // What can't be empty is not even tried.
    assert!(!log.sent().iter().any(|line| line == "RMD /m/full"));
}
