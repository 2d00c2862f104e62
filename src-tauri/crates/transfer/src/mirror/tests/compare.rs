//! What is done about what was found.

use super::*;
use crate::{Direction, SiteKey};
use ftp_client::ftp_proto::RemotePath;
use std::path::Path;

fn deleting() -> MirrorOptions {
    MirrorOptions {
        delete: true,
        ..MirrorOptions::default()
    }
}

fn up(source: &[&str], target: &[&str], options: &MirrorOptions) -> MirrorPlan {
    let (source, target) = (tree(On::Disk, source), tree(On::Server, target));
    compare(&source, &target, Direction::Upload, options)
}

#[test]
fn what_is_missing_comes_and_what_is_extra_goes() {
    let source = ["a 1 1", "d/e/f 1 1", "same 2 2", "size 2 2", "time 2 3"];
    let target = ["same 2 2", "size 1 2", "time 2 1", "x/y/z", "x/w", "v"];
    let plan = up(&source, &target, &deleting());
    assert_eq!(
        lines(&plan),
        [
            "make d/",
            "make d/e/",
            "copy a",
            "copy d/e/f",
            "copy size",
            "copy time",
            "delete x/y/z",
            "delete x/y/",
            "delete x/w",
            "delete x/",
            "delete v",
        ]
    );
    assert_eq!((plan.same, plan.extra, plan.bytes()), (1, 5, 6));
    let without = up(&source, &target, &MirrorOptions::default());
    assert!(without.delete.is_empty());
    assert_eq!((without.extra, without.copy.len()), (5, 4));
    assert!(without.refused.is_none());
}

#[test]
fn every_action_says_why() {
    let plan = up(
        &["a 1 1", "size 2 2", "newer 2 100", "older 2 100"],
        &["size 1 2", "newer 2 50", "older 2 200", "gone"],
        &deleting(),
    );
    let text = plan.to_string();
    for line in [
        "copy    a: not there yet",
        "copy    size: 2 bytes instead of 1",
        "copy    newer: of 1970-01-01T00:01:40Z, newer than 1970-01-01T00:00:50Z",
        "copy    older: of 1970-01-01T00:01:40Z, and there it is of 1970-01-01T00:03:20Z",
        "delete  gone: not in the source",
        "4 to copy (7 bytes), 0 folders to make, 1 to delete, 0 the same, 0 left out",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
}

#[test]
fn links_and_what_is_left_out_stay() {
    let plan = up(
        &["link ->", "dev *", "hidden !", "d/in"],
        &[
            "link/below",
            "hidden/x",
            "dev",
            "d/l ->",
            "d/gone",
            "x/y/l ->",
            "x/z",
            "q/t !",
            "q/r",
        ],
        &deleting(),
    );
    let lines = lines(&plan);
    for gone in ["delete d/gone", "delete x/z", "delete q/r"] {
        assert!(lines.contains(&gone.to_owned()), "{lines:?}");
    }
    assert_eq!(plan.delete.len(), 3, "{lines:?}");
    for stays in [
        "leave link",
        "leave dev",
        "leave d/l",
        "leave x/y/l",
        "leave x/y",
        "leave x",
    ] {
        assert!(lines.contains(&stays.to_owned()), "{stays} {lines:?}");
    }
    assert!(lines.contains(&"copy d/in".to_owned()));
    assert_eq!(plan.copy.len(), 1);
    assert_eq!(plan.filtered, 2);
}

#[test]
fn another_kind_is_in_the_way() {
    let source = ["a/b 1 1", "c 1 1", "l/x 1 1"];
    let target = ["a 1 1", "c/d/e", "l ->"];
    let plan = up(&source, &target, &deleting());
    assert_eq!(
        lines(&plan),
        [
            "! l",
            "delete c/d/e",
            "delete c/d/",
            "delete c/",
            "delete a",
            "make a/",
            "copy a/b",
            "copy c",
        ]
    );
    assert!(plan.delete.iter().all(|gone| gone.first));
    // Without leave to delete nothing is done there, or below.
    let plan = up(&source, &target, &MirrorOptions::default());
    assert_eq!(lines(&plan), ["! a", "! c", "! l"]);
    // A folder with something that stays can't be cleared.
    let plan = up(&["c 1 1"], &["c/l ->", "c/x"], &deleting());
    assert_eq!(lines(&plan), ["! c"]);
}

#[test]
fn deletions_are_refused() {
    let (source, target) = (["a 1 1"], ["a 1 1", "b", "c/d"]);
    let most = |max_delete| MirrorOptions {
        max_delete,
        ..deleting()
    };
    let plan = up(&source, &target, &most(Some(2)));
    assert_eq!(
        plan.refused,
        Some(Refusal::TooMany {
            planned: 3,
            most: 2
        })
    );
    assert!(plan.delete.is_empty() && plan.extra == 3);
    assert_eq!(up(&source, &target, &most(Some(3))).delete.len(), 3);

    let plan = up(&[], &target, &deleting());
    assert_eq!(plan.refused, Some(Refusal::EmptySource));
    assert!(plan.delete.is_empty());
    assert_eq!(up(&[], &target, &most(Some(4))).delete.len(), 4);
    assert!(up(&[], &[], &deleting()).refused.is_none());

    for (incomplete_source, incomplete_target) in [(true, false), (false, true)] {
        let (mut source, mut target) = (tree(On::Disk, &source), tree(On::Server, &target));
        if incomplete_source {
            source.add_incomplete("somewhere", "why");
        }
        if incomplete_target {
            target.add_incomplete("somewhere", "why");
        }
        let plan = compare(&source, &target, Direction::Upload, &most(Some(100)));
        assert_eq!(plan.refused, Some(Refusal::Incomplete { places: 1 }));
        assert!(plan.delete.is_empty());
        assert!(plan.to_string().starts_with("?       somewhere: why\n"));
        // What was refused for deletion is not cleared for copying either.
        let source = {
            let mut t = tree(On::Disk, &["c 1 1"]);
            t.incomplete = source.incomplete;
            t
        };
        let plan = compare(&source, &target, Direction::Upload, &deleting());
        assert_eq!(plan.conflicts.len(), 1);
        assert!(plan.copy.is_empty() && plan.delete.is_empty());
    }
}

#[test]
fn a_target_that_is_not_there() {
    let source = tree(On::Server, &["a 1 1", "d/"]);
    let plan = compare(&source, &Tree::default(), Direction::Download, &deleting());
    assert_eq!(lines(&plan), ["make ./", "make d/", "copy a"]);
    assert!(!plan.is_empty() && plan.refused.is_none());
}

#[test]
fn names_are_paired_by_their_local_form() {
    let long = "x".repeat(300);
    let source = tree(
        On::Server,
        &[
            "a\\b/c 1 1",
            "e\u{1b} 1 1",
            &format!("{long} 1 1"),
            "p%5Cq 1 1",
        ],
    );
    let plan = compare(&source, &Tree::default(), Direction::Download, &deleting());
    let local: Vec<_> = plan
        .copy
        .iter()
        .map(|step| step.local.to_str().unwrap())
        .collect();
    assert_eq!(plan.make[0].local, Path::new("a%5Cb"));
    assert!(local.contains(&"a%5Cb/c") && local.contains(&"e%1B"));
    assert!(local.contains(&"p%255Cq"));
    let short = local.iter().find(|name| name.starts_with('x')).unwrap();
    assert!(short.len() <= 255);
    let remote = plan
        .copy
        .iter()
        .find(|step| step.local == Path::new("a%5Cb/c"))
        .unwrap();
    assert_eq!(remote.remote.as_bytes(), b"a\\b/c");

    // Once they are there, there is nothing to do.
    let names: Vec<String> = local.iter().map(|name| format!("{name} 1 1")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let target = tree(On::Disk, &names);
    let plan = compare(&source, &target, Direction::Download, &deleting());
    assert!(plan.is_empty(), "{plan}");
    assert_eq!(plan.same, 4);

    // What this side has under a name of its own keeps that.
    let (source, target) = (
        tree(On::Disk, &["a\\b 2 1"]),
        tree(On::Server, &["a\\b 1 1"]),
    );
    let plan = compare(&source, &target, Direction::Upload, &deleting());
    assert_eq!(plan.copy[0].local, Path::new("a\\b"));
    assert_eq!(plan.copy[0].remote.as_bytes(), b"a\\b");
    assert!(plan.delete.is_empty());
}

#[test]
fn two_names_that_would_be_one() {
    let mut target = tree(On::Disk, &["a\\b 1 1"]);
    let other = node(On::Disk, "a%5Cb", NodeKind::File);
    assert!(!target.insert(b"a%5Cb".as_slice().into(), other));
    assert_eq!(target.incomplete().len(), 1);
}

#[test]
fn transfers() {
    let plan = compare(
        &tree(On::Server, &["d/a 5 100"]),
        &tree(On::Disk, &[]),
        Direction::Download,
        &MirrorOptions::default(),
    );
    let root = RemotePath::try_from("/pub").unwrap();
    let site = SiteKey::new("s");
    let made = plan.transfers(&site, Path::new("/here"), &root, &Arc::default());
    let [transfer] = made.as_slice() else {
        panic!("{made:?}");
    };
    assert_eq!(transfer.local, Path::new("/here/d/a"));
    assert_eq!(transfer.remote.as_bytes(), b"/pub/d/a");
    assert_eq!(transfer.size, Some(5));
    assert_eq!(transfer.modified, Some(at(100).timestamp));
    let root = RemotePath::try_from("").unwrap();
    let made = plan.transfers(&site, Path::new(""), &root, &Arc::default());
    assert_eq!(made[0].remote.as_bytes(), b"d/a");
    assert_eq!(made[0].local, Path::new("d/a"));
}

#[test]
fn by_what_files_are_compared() {
    let parsed: Compare = "hash, size".parse().unwrap();
    assert!(parsed.hash && parsed.size && !parsed.time);
    for bad in ["", "sizes", "size,,time"] {
        assert!(bad.parse::<Compare>().is_err(), "{bad}");
    }
}

#[test]
fn copies_that_get_no_times_are_not_copied_again() {
    let plan = |keep_times| {
        let options = MirrorOptions {
            keep_times,
            ..MirrorOptions::default()
        };
        up(
            &["a 1 100", "b 1 900", "c 2 100"],
            &["a 1 500", "b 1 500", "c 1 500"],
            &options,
        )
    };
    assert_eq!(lines(&plan(true)), ["copy a", "copy b", "copy c"]);
    assert_eq!(
        lines(&plan(false)),
        ["copy b", "copy c", "note 1 file taken for the same"]
    );
}
