//! One side of a mirror as it was found.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;

use ftp_client::ftp_proto::listing::Modified;
use ftp_client::ftp_proto::{Name, escape};

use crate::HashAlgorithm;
use crate::names::{Naming, same_file_key, to_local, to_remote};

/// No tree is gathered beyond so many entries.
pub(super) const MOST_ENTRIES: usize = 10_000_000;
/// Folders are not followed deeper than this.
pub(super) const DEEPEST: usize = 128;

/// Which side of a mirror a tree is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It is copied from; it has to exist, and filters look at its sizes and times.
    Source,
    /// It is made like the source; it may be missing yet.
    Target,
}

/// Everything below one folder.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    pub(super) exists: bool,
    /// By path: the local forms of the names, with `/` between them, so that both sides have the same. A folder comes
    /// before what is in it.
    pub(super) nodes: BTreeMap<Box<[u8]>, Node>,
    pub(super) incomplete: Vec<Incomplete>,
    /// Files that are copied there can be given the time of their source.
    pub(super) keeps_times: bool,
}

/// A part of a tree that could not be looked at, or not be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {why}")]
pub struct Incomplete {
    /// Where, for people.
    pub path: String,
    /// Why.
    pub why: String,
}

impl Tree {
    /// Whether its root is there.
    pub fn exists(&self) -> bool {
        self.exists
    }

    /// How many entries it has, those that a filter leaves out included.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// What could not be looked at, or not be understood. Empty: the tree is complete.
    pub fn incomplete(&self) -> &[Incomplete] {
        &self.incomplete
    }

    pub(super) fn add_incomplete(&mut self, path: impl fmt::Display, why: impl fmt::Display) {
        self.incomplete.push(Incomplete {
            path: path.to_string(),
            why: why.to_string(),
        });
    }

    /// Takes an entry in; the key of what is in it. `None` if it is the second one of that name.
    pub(super) fn insert(&mut self, key: Box<[u8]>, node: Node) -> bool {
        match self.nodes.entry(key) {
            std::collections::btree_map::Entry::Vacant(vacant) => {
                vacant.insert(node);
                true
            }
            std::collections::btree_map::Entry::Occupied(occupied) => {
                let path = display_key(occupied.key());
                let why = format!(
                    "{} and {} would have the same name",
                    occupied.get().name,
                    node.name
                );
                self.add_incomplete(path, why);
                false
            }
        }
    }
}

/// An entry.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// Its name on its own side.
    pub(super) name: NodeName,
    pub(super) kind: NodeKind,
    pub(super) size: Option<u64>,
    pub(super) modified: Option<Modified>,
    pub(super) hash: Option<(HashAlgorithm, Box<str>)>,
    /// A filter leaves it out, and with it whatever is in it.
    pub(super) excluded: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NodeKind {
    File,
    Folder,
    Link,
    /// What it is.
    Other(&'static str),
}

pub(super) const SPECIAL: &str = "a device, pipe or socket";
pub(super) const UNSENDABLE: &str = "something whose name FTP can't carry";

/// A name as its own side has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NodeName {
    Local(OsString),
    Remote(Name),
}

impl NodeName {
    pub(super) fn local(&self, naming: Naming) -> Option<OsString> {
        match self {
            NodeName::Local(name) => Some(name.clone()),
            NodeName::Remote(name) => to_local(name.as_bytes(), naming).ok(),
        }
    }

    pub(super) fn remote(&self, naming: Naming) -> Option<Name> {
        match self {
            NodeName::Local(name) => to_remote(name, naming).ok(),
            NodeName::Remote(name) => Some(name.clone()),
        }
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NodeName::Local(name) => f.write_str(&escape(name.as_encoded_bytes(), 200)),
            NodeName::Remote(name) => name.fmt(f),
        }
    }
}

/// By what the two sides are paired: the local form of the remote name, in small letters where the system (or one that the
/// files may go to) does not tell small from large. `None` for a local name that no server can have.
pub(super) fn part_of(name: &NodeName, naming: Naming) -> Option<OsString> {
    let remote = name.remote(naming)?;
    let local = to_local(remote.as_bytes(), naming).ok()?;
    Some(same_file_key(&local, naming.rules))
}

pub(super) fn join_key(parent: &[u8], part: &OsStr) -> Box<[u8]> {
    let part = part.as_encoded_bytes();
    let mut key = Vec::with_capacity(parent.len() + 1 + part.len());
    key.extend_from_slice(parent);
    if !parent.is_empty() {
        key.push(b'/');
    }
    key.extend_from_slice(part);
    key.into()
}

/// The key of the folder that holds it; `None` for what lies in the root.
pub(super) fn parent_key(key: &[u8]) -> Option<&[u8]> {
    let slash = key.iter().rposition(|byte| *byte == b'/')?;
    Some(&key[..slash])
}

/// The keys of the folders above it and its own, outermost first.
pub(super) fn prefixes(key: &[u8]) -> impl Iterator<Item = &[u8]> {
    let slashes = key.iter().enumerate().filter(|(_, byte)| **byte == b'/');
    slashes
        .map(|(at, _)| &key[..at])
        .chain(std::iter::once(key))
}

pub(super) fn display_key(key: &[u8]) -> String {
    escape(key, usize::MAX)
}
