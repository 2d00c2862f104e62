use super::*;
use crate::error::ErrorCode;

fn kinds(opened: &Opened) -> Vec<&str> {
    opened
        .events
        .iter()
        .map(|event| event["kind"].as_str().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_opened_then_filled_then_done() {
    let bench = bench();
    let (server, tree) = serve(None).await;
    put(&tree, "/www/img/boat.svg", b"<svg/>").await;
    put(&tree, "/www/index.html", b"<html>").await;
    let session = plain_session(&bench, &server).await;

    let www = open_path(&bench, remote(&session), "/www").await;
    assert_eq!(kinds(&www), ["opened", "rows", "done"]);
    assert_eq!(www.events[0]["listing"]["id"], www.listing.id);
    assert_eq!(www.events[2]["total"], 2);
    assert_eq!(www.names(), ["img", "index.html"]);
    let rows = www.rows();
    let file = rows.iter().find(|row| row["name"] == "index.html").unwrap();
    assert_eq!(
        (&file["kind"], &file["size"]),
        (&"file".into(), &serde_json::json!(6.0))
    );
    assert!(file["modified"].as_f64().unwrap() > 1.7e12 && file["precision"] == "second");

    assert_eq!(www.listing.place.label, "/www");
    let img = FolderTarget::Entry {
        listing: www.listing.id,
        row: www.row("img"),
    };
    let img = open(&bench, remote(&session), img).await.unwrap();
    let crumbs: Vec<_> = img
        .listing
        .crumbs
        .iter()
        .map(|crumb| crumb.label.as_str())
        .collect();
    assert_eq!(
        (img.names(), crumbs),
        (vec!["boat.svg".to_owned()], vec!["/", "www", "img"])
    );

    let parent = img.listing.parent.unwrap();
    assert_eq!(
        parent, www.listing.place,
        "the same folder is the same place"
    );
    let back = open(
        &bench,
        remote(&session),
        FolderTarget::Place { place: parent.id },
    )
    .await
    .unwrap();
    assert_eq!(back.names(), www.names());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_rows_come_in_batches_and_none_is_lost() {
    let bench = bench();
    let (server, tree) = serve(None).await;
    for n in 0..2500 {
        put(&tree, &format!("/many/{n:04}"), b"").await;
    }
    let session = plain_session(&bench, &server).await;
    let many = open_path(&bench, remote(&session), "/many").await;
    let first = many.events[1]["rows"].as_array().unwrap().len();
    assert!(first <= 1000, "the first rows are few: {first}");
    let ids: Vec<u64> = many
        .rows()
        .iter()
        .map(|row| row["id"].as_u64().unwrap())
        .collect();
    assert_eq!(ids, (0..2500).collect::<Vec<u64>>());
    assert_eq!(many.events.last().unwrap()["total"], 2500);
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_are_made_renamed_and_deleted() {
    let mut bench = bench();
    let (server, tree) = serve(None).await;
    put(&tree, "/a b.txt", b"a").await;
    put(&tree, "/tree/deep/file", b"f").await;
    put(&tree, "/keep", b"k").await;
    let session = plain_session(&bench, &server).await;
    let root = open_path(&bench, remote(&session), "/").await;
    let id = root.listing.id;

    browse::create(&bench.shell, id, " new ".into())
        .await
        .unwrap();
    told_of(&mut bench, id).await;
    browse::rename(&bench.shell, id, root.row("a b.txt"), "\u{fc}.txt".into())
        .await
        .unwrap();
    let taken = browse::rename(&bench.shell, id, root.row("tree"), "keep".into())
        .await
        .unwrap_err();
    assert_eq!(taken.code, ErrorCode::Refused);
    for bad in ["", "..", "x/y", "x\r\nDELE keep"] {
        let error = browse::create(&bench.shell, id, bad.into())
            .await
            .unwrap_err();
        assert_eq!(error.code, ErrorCode::Argument, "{bad:?}");
    }
    // The renamed one is there no more under its old name; the rest goes on.
    let rows = vec![root.row("a b.txt"), root.row("tree")];
    let report = browse::delete_all(&bench.shell, id, rows).await.unwrap();
    assert_eq!((report.deleted, report.failed.len()), (1, 1));
    assert_eq!(
        (report.failed[0].name.as_str(), report.failed[0].error.code),
        ("a b.txt", ErrorCode::NotFound)
    );

    let refreshed = open(&bench, remote(&session), again(&root)).await.unwrap();
    assert_eq!(refreshed.names(), [" new ", "keep", "\u{fc}.txt"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_or_closed_is_said() {
    let bench = bench();
    let (server, _tree) = serve(None).await;
    let session = plain_session(&bench, &server).await;
    let missing = FolderTarget::Path {
        text: "/no/such".into(),
    };
    let error = open(&bench, remote(&session), missing).await.err().unwrap();
    assert_eq!(error.code, ErrorCode::NotFound);
    assert!(error.detail.unwrap().starts_with("550"));

    let root = open_path(&bench, remote(&session), "/").await;
    let wrong_side = FolderTarget::Place {
        place: root.listing.place.id,
    };
    let error = open(&bench, PaneSource::Local, wrong_side)
        .await
        .err()
        .unwrap();
    assert_eq!(error.code, ErrorCode::Argument);
    let no_row = FolderTarget::Entry {
        listing: root.listing.id,
        row: 99,
    };
    let error = open(&bench, remote(&session), no_row).await.err().unwrap();
    assert_eq!(error.code, ErrorCode::StaleListing);
    bench.shell.listings.close(root.listing.id);
    let error = browse::create(&bench.shell, root.listing.id, "x".into())
        .await
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::StaleListing);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_was_closed_is_made_again() {
    let bench = bench();
    let (server, tree) = serve(None).await;
    put(&tree, "/file", b"").await;
    let session = plain_session(&bench, &server).await;
    let client = bench
        .shell
        .sessions
        .get(session.id)
        .unwrap()
        .client()
        .await
        .unwrap();
    client.quit().await.unwrap();
    assert_eq!(
        open_path(&bench, remote(&session), "/").await.names(),
        ["file"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_local_pane_follows_the_disk() {
    let mut bench = bench();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("one"), "1").unwrap();
    let path = dir.path().to_string_lossy().into_owned();
    let opened = open_path(&bench, PaneSource::Local, &path).await;
    assert_eq!(
        (opened.names(), kinds(&opened)),
        (vec!["one".to_owned()], vec!["opened", "rows", "done"])
    );
    std::fs::write(dir.path().join("two"), "2").unwrap();
    told_of(&mut bench, opened.listing.id).await;

    let refreshed = open(&bench, PaneSource::Local, again(&opened))
        .await
        .unwrap();
    assert_eq!(refreshed.names(), ["one", "two"]);
    browse::rename(
        &bench.shell,
        refreshed.listing.id,
        refreshed.row("one"),
        "uno".into(),
    )
    .await
    .unwrap();
    let report = browse::delete_all(
        &bench.shell,
        refreshed.listing.id,
        vec![refreshed.row("two")],
    )
    .await
    .unwrap();
    assert_eq!((report.deleted, report.failed.len()), (1, 0));
    assert!(dir.path().join("uno").exists() && !dir.path().join("two").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_no_entry_does_not_stop_the_others_from_being_deleted() {
    use crate::{
        dto::RowKind,
        state::{
            folder::Folder,
            listings::{Entry, EntryName},
        },
    };
    let mut bench = bench();
    let dir = tempfile::tempdir().unwrap();
    let names = ["one", "two"].map(|name| {
        std::fs::write(dir.path().join(name), "").unwrap();
        EntryName::Local(name.into())
    });
    let listing = bench.shell.listings.open(Folder::Local(dir.path().into()));
    let [one, two] = names;
    listing
        .add([one, EntryName::Unparsed, two].map(|name| Entry {
            name,
            kind: RowKind::File,
            size: None,
        }))
        .unwrap();
    let report = browse::delete_all(&bench.shell, listing.id, vec![0, 1, 99, 2])
        .await
        .unwrap();
    assert_eq!(report.deleted, 2);
    let codes: Vec<_> = report.failed.iter().map(|f| f.error.code).collect();
    assert_eq!(codes, [ErrorCode::Argument, ErrorCode::StaleListing]);
    assert!(std::fs::read_dir(dir.path()).unwrap().next().is_none());
    told_of(&mut bench, listing.id).await;
}
