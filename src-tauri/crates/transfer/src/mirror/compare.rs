//! From two trees to a plan.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

use ftp_client::ftp_proto::{Name, Precision, RemotePath};
use jiff::Timestamp;

use super::MirrorOptions;
use super::equal::{self, Verdict};
use super::plan::{Deletion, Left, MirrorPlan, Refusal, Step, TargetPath};
use super::reason::{Reason, Why};
use super::tree::{Node, NodeKind, Tree, display_key, parent_key, prefixes};
use crate::Direction;

/// What has to be done so that `target` becomes like `source`.
pub fn compare(
    source: &Tree,
    target: &Tree,
    direction: Direction,
    options: &MirrorOptions,
) -> MirrorPlan {
    let plan = |delete| Comparison::new(source, target, direction, options, delete).plan();
    if !options.delete {
        return plan(false);
    }
    let places = source.incomplete.len() + target.incomplete.len();
    if places > 0 {
        let refused = Some(Refusal::Incomplete { places });
        return MirrorPlan {
            refused,
            ..plan(false)
        };
    }
    let whole = plan(true);
    let planned = whole.delete.len() as u64;
    let refused = match options.max_delete {
        Some(most) if planned > most => Refusal::TooMany { planned, most },
        None if source.is_empty() && planned > 0 => Refusal::EmptySource,
        _ => return whole,
    };
    MirrorPlan {
        refused: Some(refused),
        ..plan(false)
    }
}

/// One side by side with the other.
struct Comparison<'a> {
    source: &'a Tree,
    target: &'a Tree,
    options: &'a MirrorOptions,
    delete: bool,
    /// What the target has and keeps, whatever the source has.
    kept: HashSet<&'a [u8]>,
    /// Folders of the target that hold something of `kept`.
    holding: HashSet<&'a [u8]>,
    /// Nothing is done about these and what is in them.
    blocked: HashSet<&'a [u8]>,
    /// What the target has is in the way, and goes before the copying.
    cleared: HashSet<&'a [u8]>,
    plan: MirrorPlan,
}

impl<'a> Comparison<'a> {
    fn new(
        source: &'a Tree,
        target: &'a Tree,
        direction: Direction,
        options: &'a MirrorOptions,
        delete: bool,
    ) -> Self {
        let incomplete = source.incomplete.iter().chain(&target.incomplete);
        Self {
            source,
            target,
            options,
            delete,
            kept: HashSet::new(),
            holding: HashSet::new(),
            blocked: HashSet::new(),
            cleared: HashSet::new(),
            plan: MirrorPlan {
                direction,
                make_root: !target.exists,
                make: Vec::new(),
                copy: Vec::new(),
                delete: Vec::new(),
                left: Vec::new(),
                conflicts: Vec::new(),
                same: 0,
                assumed: BTreeMap::new(),
                filtered: 0,
                extra: 0,
                refused: None,
                incomplete: incomplete.cloned().collect(),
            },
        }
    }

    fn plan(mut self) -> MirrorPlan {
        self.find_kept();
        for (key, node) in &self.source.nodes {
            self.source_node(key, node);
        }
        let target = self.target;
        for (key, node) in &target.nodes {
            self.target_node(key, node);
        }
        // What is in a folder comes after it in the trees.
        self.plan.delete.reverse();
        self.plan
    }

    /// What is never deleted: what a filter leaves out on either side, links and devices, and everything below
    /// something that is no folder to us.
    fn find_kept(&mut self) {
        for (key, node) in &self.target.nodes {
            let below = parent_key(key).is_some_and(|parent| self.kept.contains(parent));
            let by_source = self.source.nodes.get(key).is_some_and(|source| {
                source.excluded || matches!(source.kind, NodeKind::Link | NodeKind::Other(_))
            });
            let by_itself =
                node.excluded || matches!(node.kind, NodeKind::Link | NodeKind::Other(_));
            if below || by_source || by_itself {
                self.kept.insert(key);
                let mut above = parent_key(key);
                while let Some(folder) = above {
                    if !self.holding.insert(folder) {
                        break;
                    }
                    above = parent_key(folder);
                }
            }
        }
    }

    fn source_node(&mut self, key: &'a [u8], node: &'a Node) {
        if parent_key(key).is_some_and(|parent| self.blocked.contains(parent)) {
            self.blocked.insert(key);
            return;
        }
        let there = self.target.nodes.get(key);
        if node.excluded || there.is_some_and(|there| there.excluded) {
            self.plan.filtered += 1;
            self.blocked.insert(key);
            return;
        }
        match node.kind {
            NodeKind::Link => self.leave(key, Why::Link),
            NodeKind::Other(what) => self.leave(key, Why::Special(what)),
            NodeKind::File => match there {
                None => self.copy(key, node, Why::Missing.into()),
                Some(there) if there.kind == NodeKind::File => self.both_files(key, node, there),
                Some(there) => {
                    if self.clear(key, node, there) {
                        self.copy(key, node, Why::Missing.into());
                    }
                }
            },
            NodeKind::Folder => match there {
                None => self.make(key),
                Some(there) if there.kind == NodeKind::Folder => {}
                Some(there) => {
                    if self.clear(key, node, there) {
                        self.make(key);
                    }
                }
            },
        }
    }

    fn both_files(&mut self, key: &'a [u8], node: &Node, there: &Node) {
        let keeps_times = self.options.keep_times && self.target.keeps_times;
        match equal::files(node, there, self.options, keeps_times) {
            Verdict::Copy(reason) => self.copy(key, node, reason),
            Verdict::Same(assumed) => {
                self.plan.same += 1;
                if let Some(assumed) = assumed {
                    *self.plan.assumed.entry(assumed).or_default() += 1;
                }
            }
        }
    }

    /// Whether what is in the way can go. Else it is a conflict, and nothing is done here.
    fn clear(&mut self, key: &'a [u8], node: &Node, there: &Node) -> bool {
        if self.delete && !self.kept.contains(key) && !self.holding.contains(key) {
            self.cleared.insert(key);
            return true;
        }
        self.blocked.insert(key);
        self.plan.conflicts.push(Left {
            path: display_key(key),
            reason: Why::KindDiffers {
                source: kind_name(node.kind),
                target: kind_name(there.kind),
            }
            .into(),
        });
        false
    }

    fn target_node(&mut self, key: &'a [u8], node: &Node) {
        let above = parent_key(key);
        if above.is_some_and(|parent| self.blocked.contains(parent)) {
            self.blocked.insert(key);
            return;
        }
        let in_the_way = self.cleared.contains(key);
        if self.source.nodes.contains_key(key) && !in_the_way {
            return;
        }
        if self.kept.contains(key) {
            match node.kind {
                _ if node.excluded => self.plan.filtered += 1,
                NodeKind::Link => self.leave(key, Why::Link),
                NodeKind::Other(what) => self.leave(key, Why::Special(what)),
                // It lies in something of that sort.
                NodeKind::File | NodeKind::Folder => {}
            }
            return;
        }
        self.plan.extra += 1;
        if !self.delete {
            return;
        }
        if self.holding.contains(key) {
            // The rest of what is in it goes.
            self.plan.left.push(Left {
                path: display_key(key),
                reason: Why::HoldsSomething.into(),
            });
            return;
        }
        let first = in_the_way || above.is_some_and(|parent| self.cleared.contains(parent));
        if first {
            self.cleared.insert(key);
        }
        let Some(path) = self.target_path(key) else {
            return;
        };
        let why = if in_the_way {
            Why::InTheWay
        } else {
            Why::Extra
        };
        self.plan.delete.push(Deletion {
            path,
            folder: node.kind == NodeKind::Folder,
            first,
            size: node.size.filter(|_| node.kind == NodeKind::File),
            modified: node.modified.map(|modified| modified.timestamp),
            reason: why.into(),
        });
    }

    fn leave(&mut self, key: &'a [u8], why: Why) {
        self.blocked.insert(key);
        self.plan.left.push(Left {
            path: display_key(key),
            reason: why.into(),
        });
    }

    fn make(&mut self, key: &[u8]) {
        if let Some((local, remote)) = self.paths(key) {
            self.plan.make.push(Step {
                local,
                remote,
                size: None,
                modified: None,
                reason: Why::Missing.into(),
            });
        }
    }

    fn copy(&mut self, key: &[u8], node: &Node, reason: Reason) {
        if let Some((local, remote)) = self.paths(key) {
            self.plan.copy.push(Step {
                local,
                remote,
                size: node.size,
                modified: exact(node),
                reason,
            });
        }
    }

    /// The local and the remote path of something that the source has. The target keeps its own names for what is there.
    fn paths(&self, key: &[u8]) -> Option<(PathBuf, RemotePath)> {
        let rules = self.options.names;
        let (mut local, mut remote) = (PathBuf::new(), Vec::new());
        for prefix in prefixes(key) {
            let source = &self.source.nodes.get(prefix)?.name;
            let target = self.target.nodes.get(prefix).map(|node| &node.name);
            let target = target.unwrap_or(source);
            let (on_disk, on_server) = match self.plan.direction {
                Direction::Upload => (source, target),
                Direction::Download => (target, source),
            };
            local.push(on_disk.local(rules)?);
            push(&mut remote, &on_server.remote(rules)?);
        }
        Some((local, RemotePath::try_from(remote).ok()?))
    }

    fn target_path(&self, key: &[u8]) -> Option<TargetPath> {
        let rules = self.options.names;
        let names = prefixes(key).map(|prefix| self.target.nodes.get(prefix).map(|n| &n.name));
        match self.plan.direction {
            Direction::Download => {
                let mut local = PathBuf::new();
                for name in names {
                    local.push(name?.local(rules)?);
                }
                Some(TargetPath::Local(local))
            }
            Direction::Upload => {
                let mut remote = Vec::new();
                for name in names {
                    push(&mut remote, &name?.remote(rules)?);
                }
                RemotePath::try_from(remote).ok().map(TargetPath::Remote)
            }
        }
    }
}

fn push(path: &mut Vec<u8>, name: &Name) {
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name.as_bytes());
}

fn exact(node: &Node) -> Option<Timestamp> {
    node.modified
        .filter(|m| m.zone_known && m.precision >= Precision::Second)
        .map(|m| m.timestamp)
}

fn kind_name(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::File => "a file",
        NodeKind::Folder => "a folder",
        NodeKind::Link => "a link",
        NodeKind::Other(what) => what,
    }
}
