//! The local side on a real disk.

use std::fs;
use std::path::Path;

use super::*;
use crate::Direction;
use crate::filter::Filter;
use tempfile::TempDir;

fn write(root: &Path, path: &str, content: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn gather(root: &Path) -> Tree {
    gather_local(root, Role::Target, &MirrorOptions::default()).unwrap()
}

/// Everything goes.
fn against_nothing(target: &Tree) -> MirrorPlan {
    let options = MirrorOptions {
        delete: true,
        max_delete: Some(1000),
        ..MirrorOptions::default()
    };
    compare(
        &tree(On::Server, &[]),
        target,
        Direction::Download,
        &options,
    )
}

async fn delete(plan: &MirrorPlan, root: &Path) -> Applied {
    apply_deletions(plan, Stage::AfterCopying, Side::Local(root))
        .await
        .unwrap()
}

#[test]
fn a_tree_is_gathered() {
    let dir = TempDir::new().unwrap();
    write(dir.path(), "a/b/c.txt", "123");
    write(dir.path(), "a/.d.slippart", "1");
    write(dir.path(), "a%5Cb", "1");
    write(dir.path(), "skip/x", "1");
    write(dir.path(), "big", "1234567");
    let options = MirrorOptions {
        filter: Filter {
            exclude: vec!["skip".into(), "/a/b/*.o".into()],
            max_size: Some(5),
            ..Filter::default()
        },
        ..MirrorOptions::default()
    };
    let source = gather_local(dir.path(), Role::Source, &options).unwrap();
    let excluded = |tree: &Tree, key: &str| tree.nodes[key.as_bytes()].excluded;
    assert!(source.exists() && source.incomplete().is_empty());
    assert_eq!(source.len(), 7);
    assert_eq!(source.nodes[b"a/b/c.txt".as_slice()].size, Some(3));
    for (key, left_out) in [
        ("a", false),
        ("a/.d.slippart", true),
        ("skip", true),
        ("big", true),
        ("a%5Cb", false),
    ] {
        assert_eq!(excluded(&source, key), left_out, "{key}");
    }
    // The size of what is already there is none of the filter's business.
    let target = gather_local(dir.path(), Role::Target, &options).unwrap();
    assert!(!excluded(&target, "big") && excluded(&target, "skip"));
}

#[test]
fn roots_that_are_none() {
    let dir = TempDir::new().unwrap();
    write(dir.path(), "file", "1");
    let options = MirrorOptions::default();
    let missing = dir.path().join("missing");
    let error = gather_local(&missing, Role::Source, &options).unwrap_err();
    assert!(matches!(error, MirrorError::NoSource { .. }));
    assert!(
        !gather_local(&missing, Role::Target, &options)
            .unwrap()
            .exists()
    );
    let error = gather_local(&dir.path().join("file"), Role::Target, &options).unwrap_err();
    assert!(matches!(error, MirrorError::NoFolder { .. }));
    let bad = MirrorOptions {
        filter: Filter {
            exclude: vec!["[".into()],
            ..Filter::default()
        },
        ..options
    };
    let error = gather_local(dir.path(), Role::Source, &bad).unwrap_err();
    assert!(matches!(error, MirrorError::Filter(_)));
}

#[cfg(unix)]
#[test]
fn links_pipes_and_names_that_ftp_cannot_carry() {
    let dir = TempDir::new().unwrap();
    write(dir.path(), "real/x", "1");
    write(dir.path(), "a\nb", "1");
    std::os::unix::fs::symlink("real", dir.path().join("link")).unwrap();
    std::os::unix::fs::symlink("..", dir.path().join("real/up")).unwrap();
    rustix::fs::mkfifoat(
        rustix::fs::CWD,
        dir.path().join("pipe"),
        rustix::fs::Mode::RUSR,
    )
    .unwrap();
    let tree = gather(dir.path());
    assert!(tree.incomplete().is_empty());
    let kind = |key: &str| tree.nodes[key.as_bytes()].kind;
    assert_eq!(kind("link"), NodeKind::Link);
    assert_eq!(kind("real/up"), NodeKind::Link);
    assert!(matches!(kind("pipe"), NodeKind::Other(_)));
    assert!(matches!(kind("a\nb"), NodeKind::Other(_)));
    assert_eq!(tree.len(), 6);
    // None of these goes, nor the folder that holds one.
    let plan = against_nothing(&tree);
    assert_eq!(plan.delete.len(), 1, "{plan}");
    assert_eq!(plan.delete[0].path.to_string(), "real/x");
}

#[cfg(unix)]
#[test]
fn a_folder_that_can_not_be_read_is_incomplete() {
    use std::os::unix::fs::PermissionsExt;
    let dir = TempDir::new().unwrap();
    write(dir.path(), "shut/x", "1");
    let shut = dir.path().join("shut");
    fs::set_permissions(&shut, fs::Permissions::from_mode(0o000)).unwrap();
    // Root reads everything.
    let readable = fs::read_dir(&shut).is_ok();
    let tree = gather(dir.path());
    assert_eq!(tree.incomplete().is_empty(), readable);
    fs::set_permissions(&shut, fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn everything_goes() {
    let dir = TempDir::new().unwrap();
    for path in ["a/b/c", "a/b/d", "a/e", "f"] {
        write(dir.path(), path, "1");
    }
    let plan = against_nothing(&gather(dir.path()));
    let applied = delete(&plan, dir.path()).await;
    assert_eq!(
        applied,
        Applied {
            done: 6,
            failed: vec![]
        }
    );
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    // Nothing is left for before the copying, and the other side is not asked.
    let before = apply_deletions(&plan, Stage::BeforeCopying, Side::Local(dir.path()));
    assert_eq!(before.await.unwrap(), Applied::default());
}

#[tokio::test]
async fn what_was_changed_since_stays() {
    let dir = TempDir::new().unwrap();
    for path in ["a/b", "c", "d", "e"] {
        write(dir.path(), path, "1");
    }
    let plan = against_nothing(&gather(dir.path()));
    write(dir.path(), "a/new", "1");
    write(dir.path(), "c", "longer");
    fs::remove_file(dir.path().join("e")).unwrap();
    fs::create_dir(dir.path().join("e")).unwrap();
    let applied = delete(&plan, dir.path()).await;
    let failed: Vec<_> = applied.failed.iter().map(|f| f.path.as_str()).collect();
    assert_eq!(applied.done, 2, "{applied:?}");
    assert_eq!(failed, ["e", "c", "a"]);
    assert!(dir.path().join("a/new").exists() && dir.path().join("c").exists());
}

#[cfg(unix)]
#[tokio::test]
async fn no_link_leads_out() {
    let (dir, outside) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    write(dir.path(), "a/b/c", "1");
    write(dir.path(), "other/b/c", "1");
    write(outside.path(), "b/c", "1");
    let plan = against_nothing(&gather(dir.path()));
    let (a, other) = (dir.path().join("a"), dir.path().join("other"));
    // Someone puts a link there between plan and deed: out, or to another place within.
    for to in [outside.path(), other.as_path()] {
        let _ = fs::remove_dir_all(&a);
        let _ = fs::remove_file(&a);
        std::os::unix::fs::symlink(to, &a).unwrap();
        let only_a = |gone: &&Deletion| gone.path.to_string().starts_with("a");
        let plan = MirrorPlan {
            delete: plan.delete.iter().filter(only_a).cloned().collect(),
            ..plan.clone()
        };
        let applied = delete(&plan, dir.path()).await;
        assert_eq!((applied.done, applied.failed.len()), (0, 3), "{applied:?}");
    }
    assert!(outside.path().join("b/c").exists() && other.join("b/c").exists());
    assert!(a.is_symlink());

    // Nor does one for what is made.
    let made = compare(
        &tree(On::Server, &["a/new/"]),
        &tree(On::Disk, &["a/"]),
        Direction::Download,
        &MirrorOptions::default(),
    );
    let applied = make_folders(&made, Side::Local(dir.path())).await.unwrap();
    assert_eq!((applied.done, applied.failed.len()), (0, 1));
    assert!(!other.join("new").exists());
}

#[tokio::test]
async fn a_path_that_was_made_up_leads_nowhere() {
    let (dir, outside) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    write(outside.path(), "x", "1");
    write(dir.path(), "y", "1");
    let mut plan = against_nothing(&gather(dir.path()));
    let up = format!("../{}/x", outside.path().file_name().unwrap().display());
    for path in [
        up.as_str(),
        "..",
        "/",
        "",
        outside.path().join("x").to_str().unwrap(),
    ] {
        plan.delete[0].path = TargetPath::Local(path.into());
        let applied = delete(&plan, dir.path()).await;
        assert_eq!((applied.done, applied.failed.len()), (0, 1), "{path}");
    }
    assert!(outside.path().join("x").exists());
}

#[tokio::test]
async fn folders_are_made() {
    let dir = TempDir::new().unwrap();
    let root = dir.path().join("new/root");
    let plan = compare(
        &tree(On::Server, &["a/b/", "c\\d/"]),
        &gather(&root),
        Direction::Download,
        &MirrorOptions::default(),
    );
    let applied = make_folders(&plan, Side::Local(&root)).await.unwrap();
    assert_eq!(
        applied,
        Applied {
            done: 3,
            failed: vec![]
        }
    );
    assert!(root.join("a/b").is_dir() && root.join("c%5Cd").is_dir());
    // Once more does no harm.
    let applied = make_folders(&plan, Side::Local(&root)).await.unwrap();
    assert_eq!(applied.done, 3);
    let wrong = MirrorPlan {
        direction: Direction::Upload,
        ..plan
    };
    let error = make_folders(&wrong, Side::Local(&root)).await.unwrap_err();
    assert!(matches!(error, MirrorError::WrongSide));
}

#[tokio::test]
async fn a_refused_plan_deletes_nothing() {
    let dir = TempDir::new().unwrap();
    write(dir.path(), "a", "1");
    let mut plan = against_nothing(&gather(dir.path()));
    plan.refused = Some(Refusal::EmptySource);
    assert_eq!(delete(&plan, dir.path()).await, Applied::default());
    assert!(dir.path().join("a").exists());
}
