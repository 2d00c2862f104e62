//! Any tree, any links, any rules: what comes out of an operation was allowed, where it really lies.
#![allow(clippy::unwrap_used)]
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::{LocalDisk, Subtree};

/// A file says where it lies.
const FILES: [&str; 4] = ["f", "a/f", "a/b/f", "b/f"];

fn path() -> impl Strategy<Value = String> {
    let part = prop_oneof![Just("a"), Just("b"), Just("f"), Just("l"), Just("m")];
    proptest::collection::vec(part, 0..5).prop_map(|parts| format!("/{}", parts.join("/")))
}

fn target() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just(".."),
        Just("."),
        Just("a"),
        Just("b"),
        Just("f"),
        Just("l"),
        Just("m")
    ];
    proptest::collection::vec(part, 1..5).prop_map(|parts| parts.join("/"))
}

fn rules() -> impl Strategy<Value = Vec<Permission>> {
    let rule = (path(), any::<bool>(), any::<bool>());
    proptest::collection::vec(rule, 0..4).prop_map(|rules| {
        let rules = rules.into_iter();
        rules
            .map(|(path, read, write)| Permission::new(VPath::new(path).unwrap(), read, write))
            .collect()
    })
}

/// Links with these targets, in these folders.
fn links() -> impl Strategy<Value = Vec<(usize, bool, String)>> {
    proptest::collection::vec((0..4usize, any::<bool>(), target()), 0..6)
}

fn build(root: &Path, links: &[(usize, bool, String)]) {
    std::fs::create_dir_all(root.join("a/b")).unwrap();
    std::fs::create_dir(root.join("b")).unwrap();
    for file in FILES {
        std::fs::write(root.join(file), format!("/{file}")).unwrap();
    }
    for (folder, first, target) in links {
        let folder = ["", "a", "a/b", "b"][*folder];
        let name = if *first { "l" } else { "m" };
        // The second of one name is left out.
        let _ = symlink(target, root.join(folder).join(name));
    }
}

/// Where the path really leads, as the system has it, seen from the root; none where it leads out.
fn really(root: &Path, path: &VPath) -> Option<VPath> {
    let root = root.canonicalize().unwrap();
    let relative: PathBuf = path.to_relative().unwrap();
    let real = root.join(relative).canonicalize().ok()?;
    let inside = real.strip_prefix(&root).ok()?;
    VPath::new(inside.as_os_str().as_encoded_bytes()).ok()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]
    #[test]
    fn nothing_is_read_or_written_that_is_not_allowed(links in links(), rules in rules(), paths in proptest::collection::vec(path(), 8)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let dir = tempfile::tempdir().unwrap();
        build(dir.path(), &links);
        let tree = Guarded::new(Arc::new(LocalDisk::new(dir.path()).unwrap()), rules);
        for path in &paths {
            let path = VPath::new(path).unwrap();
            let real = really(dir.path(), &path);
            if let Ok(mut reader) = runtime.block_on(tree.open_read(&path, 0)) {
                let content = runtime.block_on(reader.read_chunk(99)).unwrap();
                let place = VPath::new(&content).unwrap();
                prop_assert_eq!(Some(&place), real.as_ref());
                prop_assert!(tree.rule(&place).read && tree.rule(&path).read);
            }
            if runtime.block_on(tree.open_write(&path, WriteMode::At(1))).is_ok() {
                let place = real.clone().unwrap();
                prop_assert!(tree.rule(&place).write && tree.rule(&path).write);
            }
            if runtime.block_on(tree.metadata(&path)).is_ok() {
                let place = real.clone().unwrap();
                prop_assert!(tree.rule(&place).read);
            }
        }
    }

    #[test]
    fn nothing_leads_out_of_a_subtree(links in links(), paths in proptest::collection::vec(path(), 8)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let dir = tempfile::tempdir().unwrap();
        build(dir.path(), &links);
        let disk = Arc::new(LocalDisk::new(dir.path()).unwrap());
        let tree = Subtree::new(disk, VPath::new("/a").unwrap());
        for path in &paths {
            let path = VPath::new(path).unwrap();
            let real = really(&dir.path().join("a"), &path);
            let found = runtime.block_on(tree.metadata(&path));
            if found.is_ok() {
                prop_assert!(real.is_some());
            }
            if let Ok(mut reader) = runtime.block_on(tree.open_read(&path, 0)) {
                let content = runtime.block_on(reader.read_chunk(99)).unwrap();
                let mut place = b"/a".to_vec();
                place.extend_from_slice(real.unwrap().as_bytes());
                prop_assert_eq!(&content[..], &place[..]);
            }
        }
    }
}
