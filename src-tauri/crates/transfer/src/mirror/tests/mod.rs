#![allow(clippy::unwrap_used)]

mod compare;
mod disk;
mod model;
mod times;

use std::ffi::OsStr;

use ftp_client::ftp_proto::listing::Modified;
use ftp_client::ftp_proto::{Name, Precision};
use jiff::Timestamp;

use super::tree::{Node, NodeKind, NodeName, Tree, join_key, parent_key, part_of};
use super::*;
use crate::names::Naming;

pub(super) fn at(second: i64) -> Modified {
    stamp(second, Precision::Second, true)
}

pub(super) fn stamp(second: i64, precision: Precision, zone_known: bool) -> Modified {
    Modified {
        timestamp: Timestamp::from_second(second).unwrap(),
        precision,
        zone_known,
    }
}

/// Which side a tree of a test is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum On {
    Disk,
    Server,
}

pub(super) fn node(on: On, name: &str, kind: NodeKind) -> Node {
    Node {
        name: match on {
            On::Disk => NodeName::Local(name.into()),
            On::Server => NodeName::Remote(Name::try_from(name).unwrap()),
        },
        kind,
        size: (kind == NodeKind::File).then_some(1),
        modified: (kind == NodeKind::File).then(|| at(0)),
        hash: None,
        excluded: false,
    }
}

/// A tree of lines like `a/` (a folder), `a/b 5 100` (a file with size and second), `l ->` (a link), `x !` (left out by a
/// filter), `d *` (a device). The folders that are needed are there.
pub(super) fn tree(on: On, lines: &[&str]) -> Tree {
    let mut tree = Tree {
        exists: true,
        keeps_times: true,
        ..Tree::default()
    };
    for line in lines {
        let mut words = line.split(' ');
        let path = words.next().unwrap();
        let rest: Vec<&str> = words.collect();
        let folder = path.ends_with('/');
        let mut key: Box<[u8]> = Box::default();
        let parts: Vec<&str> = path.trim_end_matches('/').split('/').collect();
        for (index, part) in parts.iter().enumerate() {
            let last = index + 1 == parts.len();
            let kind = match rest.as_slice() {
                _ if !last || folder => NodeKind::Folder,
                ["->"] => NodeKind::Link,
                ["*"] => NodeKind::Other("a device"),
                _ => NodeKind::File,
            };
            let mut node = node(on, part, kind);
            if last && let [size, second] = rest.as_slice() {
                node.size = size.parse().ok();
                node.modified = second.parse().ok().map(at);
            }
            node.excluded = last && rest == ["!"];
            let part = part_of(&node.name, Naming::default()).unwrap();
            key = join_key(&key, OsStr::new(&part));
            if last || !tree.nodes.contains_key(&key) {
                assert!(tree.insert(key.clone(), node), "{line}");
            }
        }
        assert!(parent_key(&key).is_none_or(|parent| tree.nodes.contains_key(parent)));
    }
    tree
}

/// A plan as lines without reasons.
pub(super) fn lines(plan: &MirrorPlan) -> Vec<String> {
    let text = plan.to_string();
    let lines = text.lines().map(|line| {
        let line = line.split(": ").next().unwrap();
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    });
    let mut lines: Vec<String> = lines.collect();
    lines.pop();
    lines
}
