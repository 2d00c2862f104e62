use super::*;
use crate::remote::{Found, FoundEntry, FoundKind};
use crate::work::Walked;
use crate::{Filter, Links};

fn folder(b: &Bench, direction: Direction, local: &str, remote: &str, depth: u32) -> Task {
    let mut task = b.task(1, direction, local, remote);
    task.plan.kind = ItemKind::Folder;
    task.depth = depth;
    task
}

async fn walked(b: &Bench, task: Task) -> Walked {
    b.run(Assignment::Folder(task)).await;
    match b.outcome(1) {
        Outcome::Walked(walked) => walked,
        outcome => panic!("{outcome:?}"),
    }
}

fn names(walked: &Walked) -> Vec<(String, ItemKind)> {
    let name = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
    walked
        .children
        .iter()
        .map(|child| (name(&child.name), child.kind))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_filter_leaves_out_by_the_path_below_the_batch() {
    let mut b = bench();
    b.options.filter = Filter {
        exclude: vec!["sub/x*".into(), ".*".into()],
        ..Filter::default()
    };
    for name in ["sub/x1", "sub/y", "sub/.hidden"] {
        b.fake.file(&format!("/pub/{name}"), b"1", 1);
        b.write(&format!("up/{name}"), b"1", 1);
    }
    let task = folder(&b, Download, "down/sub", "/pub/sub", 1);
    let found = walked(&b, task).await;
    assert_eq!(names(&found), [("y".to_owned(), ItemKind::File)]);
    assert_eq!(found.filtered, 2);
    assert!(b.path("down/sub").is_dir());
    let mut task = folder(&b, Upload, "sub", "/target/sub", 1);
    task.plan.base = Arc::from(b.path("up"));
    let found = walked(&b, task).await;
    assert_eq!(names(&found), [("y".to_owned(), ItemKind::File)]);
    assert_eq!(found.children[0].existing, Existing::Missing);
}

#[tokio::test(start_paused = true)]
async fn what_is_there_is_learned_with_one_listing() {
    let mut b = bench();
    b.options.conflict = ConflictRule::Skip;
    b.write("up/a", b"1", 1);
    b.write("up/b", b"1", 1);
    b.fake.file("/up/a", b"12", 5);
    let found = walked(&b, folder(&b, Upload, "up", "/up", 0)).await;
    assert!(matches!(found.children[0].existing, Existing::File(f) if f.size == Some(2)));
    assert_eq!(found.children[1].existing, Existing::Missing);
    assert_eq!(b.log(), ["LIST /up"]);
    b.options.conflict = ConflictRule::Overwrite;
    walked(&b, folder(&b, Upload, "up", "/up", 0)).await;
    assert_eq!(b.log(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_time_that_a_listing_does_not_tell_is_asked_for() {
    let mut b = bench();
    b.write("up/a", b"1", 1);
    b.fake.folder("/up");
    let entry = FoundEntry {
        name: b"a".to_vec(),
        kind: FoundKind::File,
        size: Some(1),
        modified: None,
        mode: None,
        target: None,
    };
    b.fake.lock().lies = [("/up".to_owned(), vec![Found::Entry(entry)])].into();
    for (rule, known) in [
        (ConflictRule::IfNewer, false),
        (ConflictRule::IfNewerOrSizeDiffers, false),
        (ConflictRule::IfSizeDiffers, true),
        (ConflictRule::Skip, true),
    ] {
        b.options.conflict = rule;
        let found = walked(&b, folder(&b, Upload, "up", "/up", 0)).await;
        let existing = found.children[0].existing;
        assert_eq!(existing != Existing::Unknown, known, "{rule:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_filter_by_age_asks_for_times_that_a_listing_does_not_tell() {
    let mut b = bench();
    b.fake.folder("/pub");
    let mut lie = Vec::new();
    for (name, time) in [("old", 100), ("new", 900), ("left.tmp", 900)] {
        b.fake.file(&format!("/pub/{name}"), b"1", time);
        lie.push(Found::Entry(FoundEntry {
            name: name.into(),
            kind: FoundKind::File,
            size: Some(1),
            modified: None,
            mode: None,
            target: None,
        }));
    }
    b.fake.lock().lies = [("/pub".to_owned(), lie)].into();
    let at = |second| jiff::Timestamp::from_second(second).ok();
    let exclude = vec!["*.tmp".to_owned()];
    for (modified_after, modified_before, stays) in [(at(500), None, "new"), (None, at(500), "old")]
    {
        b.options.filter = Filter {
            modified_after,
            modified_before,
            exclude: exclude.clone(),
            ..Filter::default()
        };
        let found = walked(&b, folder(&b, Download, "down", "/pub", 0)).await;
        assert_eq!(names(&found), [(stays.to_owned(), ItemKind::File)]);
        assert_eq!(found.filtered, 2);
        assert!(found.children[0].modified.is_some());
        assert!(!b.log().iter().any(|line| line.contains("left.tmp")));
    }
    // Nobody asks where nobody wants to know.
    b.options.filter = Filter::default();
    walked(&b, folder(&b, Download, "down", "/pub", 0)).await;
    assert_eq!(b.log(), ["LIST /pub"]);
}

#[tokio::test(start_paused = true)]
async fn remote_links() {
    let mut b = bench();
    b.fake.file("/pub/dir/file", b"12345", 1);
    for (link, to) in [
        ("/pub/to-file", "dir/file"),
        ("/pub/to-dir", "dir"),
        ("/pub/to-nothing", "none"),
        ("/pub/dir/up", ".."),
        ("/pub/dir/self", "/pub/dir"),
    ] {
        b.fake.lock().links.insert(link.into(), to.into());
    }
    let found = walked(&b, folder(&b, Download, "d", "/pub", 0)).await;
    let kinds: Vec<_> = names(&found);
    let pair = |name: &str, kind| (name.to_owned(), kind);
    assert_eq!(
        kinds,
        [
            pair("dir", ItemKind::Folder),
            pair("to-dir", ItemKind::Folder),
            pair("to-file", ItemKind::File),
            pair("to-nothing", ItemKind::File),
        ]
    );
    assert!(found.children[1].link && found.children[2].size == Some(5));
    // What leads back is refused; what leads aside is not.
    for (path, depth, fine) in [
        ("/pub/to-dir", 1, true),
        ("/pub/dir/up", 2, false),
        ("/pub/dir/self", 2, false),
        ("/pub/to-dir/self", 2, false),
    ] {
        let mut task = folder(&b, Download, "d/x", path, depth);
        task.plan.link = true;
        b.run(Assignment::Folder(task)).await;
        let outcome = b.outcome(1);
        assert_eq!(matches!(outcome, Outcome::Walked(_)), fine, "{path}");
        let refused = matches!(
            outcome,
            Outcome::Failed {
                error: Error::LinkLoop { .. },
                ..
            }
        );
        assert_eq!(refused, !fine, "{path}");
    }
    // A server that hides that it is a link.
    b.fake
        .lock()
        .links
        .insert("/pub/dir/dir".into(), "/pub/dir".into());
    b.run(Assignment::Folder(folder(
        &b,
        Download,
        "d/x",
        "/pub/dir/dir",
        2,
    )))
    .await;
    assert!(matches!(
        b.outcome(1),
        Outcome::Failed {
            error: Error::LinkLoop { .. },
            ..
        }
    ));
    b.options.links = Links::Skip;
    let found = walked(&b, folder(&b, Download, "d", "/pub", 0)).await;
    assert_eq!((names(&found).len(), found.filtered), (1, 3));
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn local_links() {
    let mut b = bench();
    b.write("up/dir/file", b"12345", 1);
    for (link, to) in [
        ("up/to-file", "dir/file"),
        ("up/to-dir", "dir"),
        ("up/to-nothing", "none"),
        ("up/dir/above", "../.."),
    ] {
        std::os::unix::fs::symlink(to, b.path(link)).unwrap();
    }
    let upload = |relative: &str, depth| {
        let mut task = folder(&b, Upload, relative, "/up", depth);
        task.plan.base = Arc::from(b.path("up"));
        task
    };
    let found = walked(&b, upload("", 0)).await;
    let hopeless: Vec<_> = found
        .children
        .iter()
        .filter(|child| child.hopeless.is_some())
        .map(|child| child.name.clone())
        .collect();
    assert_eq!(hopeless, [b"to-nothing"]);
    let mut aside = upload("to-dir", 1);
    aside.plan.link = true;
    assert_eq!(names(&walked(&b, aside).await).len(), 2);
    let mut back = upload("dir/above", 2);
    back.plan.link = true;
    b.run(Assignment::Folder(back)).await;
    assert!(matches!(
        b.outcome(1),
        Outcome::Failed {
            error: Error::LinkLoop { .. },
            ..
        }
    ));
    // As links, both ways.
    b.options.links = Links::Copy;
    let mut task = folder(&b, Upload, "up", "/up", 0);
    task.options = Arc::new(b.options.clone());
    let found = walked(&b, task).await;
    let link = found.children.iter().find(|c| c.name == b"to-dir").unwrap();
    assert_eq!(
        (link.kind, link.link_to.as_deref()),
        (ItemKind::Link, Some(&b"dir"[..]))
    );
    let mut task = b.task(2, Upload, "up/to-dir", "/up/to-dir");
    task.plan.kind = ItemKind::Link;
    task.plan.link_to = Some(b"dir".to_vec());
    b.done(task.clone()).await;
    assert_eq!(b.fake.lock().links["/up/to-dir"], "dir");
    b.fake.lock().no_links = true;
    assert!(matches!(
        b.failed(task.clone()).await,
        Error::LinkRefused { .. }
    ));
    task.plan.direction = Download;
    task.plan.relative = "new".into();
    b.done(task.clone()).await;
    assert_eq!(fs::read_link(b.path("new")).unwrap(), Path::new("dir"));
    task.plan.link_to = Some(b"../../etc".to_vec());
    assert!(matches!(b.failed(task).await, Error::LinkRefused { .. }));
}
