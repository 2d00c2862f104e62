//! The nodes of a tree in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::content::{File, NameCost};
use crate::{FileKind, Metadata, Result, VPath, VfsErrorKind};

/// The root and everything below it.
pub(super) struct Tree {
    root: Dir,
}

pub(super) struct Dir {
    pub(super) children: BTreeMap<Vec<u8>, Node>,
    pub(super) modified: Timestamp,
    pub(super) mode: u32,
    /// Gives the cost of the name back when the directory goes.
    _cost: Option<NameCost>,
}

pub(super) enum Node {
    Dir(Dir),
    File(Arc<File>),
}

pub(super) enum NodeRef<'a> {
    Dir(&'a Dir),
    File(&'a Arc<File>),
}

pub(super) enum NodeMut<'a> {
    Dir(&'a mut Dir),
    File(&'a Arc<File>),
}

impl Tree {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            root: Dir::new(None, now),
        }
    }

    pub(super) fn find(&self, path: &VPath) -> Result<NodeRef<'_>> {
        let mut at = NodeRef::Dir(&self.root);
        for component in path.components() {
            let NodeRef::Dir(dir) = at else {
                return Err(VfsErrorKind::NotDir.into());
            };
            at = match dir.children.get(component) {
                None => return Err(VfsErrorKind::NotFound.into()),
                Some(Node::Dir(dir)) => NodeRef::Dir(dir),
                Some(Node::File(file)) => NodeRef::File(file),
            };
        }
        Ok(at)
    }

    pub(super) fn find_mut(&mut self, path: &VPath) -> Result<NodeMut<'_>> {
        let mut at = NodeMut::Dir(&mut self.root);
        for component in path.components() {
            let NodeMut::Dir(dir) = at else {
                return Err(VfsErrorKind::NotDir.into());
            };
            at = match dir.children.get_mut(component) {
                None => return Err(VfsErrorKind::NotFound.into()),
                Some(Node::Dir(dir)) => NodeMut::Dir(dir),
                Some(Node::File(file)) => NodeMut::File(file),
            };
        }
        Ok(at)
    }

    pub(super) fn dir(&self, path: &VPath) -> Result<&Dir> {
        match self.find(path)? {
            NodeRef::Dir(dir) => Ok(dir),
            NodeRef::File(_) => Err(VfsErrorKind::NotDir.into()),
        }
    }

    pub(super) fn dir_mut(&mut self, path: &VPath) -> Result<&mut Dir> {
        match self.find_mut(path)? {
            NodeMut::Dir(dir) => Ok(dir),
            NodeMut::File(_) => Err(VfsErrorKind::NotDir.into()),
        }
    }

    pub(super) fn file(&self, path: &VPath) -> Result<Arc<File>> {
        match self.find(path)? {
            NodeRef::File(file) => Ok(Arc::clone(file)),
            NodeRef::Dir(_) => Err(VfsErrorKind::IsDir.into()),
        }
    }
}

impl Drop for Tree {
    /// Takes the tree apart level by level: renames can make it deeper than a recursion may go.
    fn drop(&mut self) {
        let mut waiting = vec![std::mem::take(&mut self.root.children)];
        while let Some(children) = waiting.pop() {
            for node in children.into_values() {
                if let Node::Dir(mut dir) = node {
                    waiting.push(std::mem::take(&mut dir.children));
                }
            }
        }
    }
}

impl Dir {
    fn new(cost: Option<NameCost>, now: Timestamp) -> Self {
        Self {
            children: BTreeMap::new(),
            modified: now,
            mode: 0o755,
            _cost: cost,
        }
    }

    fn facts(&self) -> Metadata {
        Metadata {
            kind: FileKind::Dir,
            len: 0,
            modified: Some(self.modified),
            mode: self.mode,
            uid: 0,
            gid: 0,
            links: 1,
            id: None,
            target: None,
        }
    }
}

impl Node {
    pub(super) fn new_dir(cost: NameCost, now: Timestamp) -> Self {
        Self::Dir(Dir::new(Some(cost), now))
    }

    pub(super) fn facts(&self) -> Metadata {
        match self {
            Self::Dir(dir) => dir.facts(),
            Self::File(file) => file.facts(),
        }
    }
}

impl NodeRef<'_> {
    pub(super) fn facts(&self) -> Metadata {
        match self {
            Self::Dir(dir) => dir.facts(),
            Self::File(file) => file.facts(),
        }
    }

    pub(super) fn is_dir(&self) -> bool {
        matches!(self, Self::Dir(_))
    }
}
