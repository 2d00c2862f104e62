//! The local side: gathered and changed through handles of folders, so that no link leads out.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, DirEntry, Metadata};
use ftp_client::ftp_proto::Precision;
use ftp_client::ftp_proto::listing::Modified;
use jiff::Timestamp;

use super::plan::display_local;
use super::tree::{
    DEEPEST, MOST_ENTRIES, Node, NodeKind, NodeName, Role, SPECIAL, Tree, UNSENDABLE, display_key,
    join_key, part_of,
};
use super::{MirrorError, MirrorOptions};
use crate::filter::{CompiledFilter, Filter};

/// Everything below a local folder. Blocks. A link as the root itself is followed, none below it is.
///
/// # Errors
/// [`MirrorError::NoSource`] if it is a source and not there, [`MirrorError::NoFolder`], what the disk says of the root,
/// and a glob that is none. Whatever fails below the root is in [`Tree::incomplete`].
pub fn gather_local(root: &Path, role: Role, options: &MirrorOptions) -> Result<Tree, MirrorError> {
    let filter = CompiledFilter::new(&filter_for(role, &options.filter))?;
    let mut tree = Tree {
        keeps_times: true,
        ..Tree::default()
    };
    let Some(folder) = open_root(root, role)? else {
        return Ok(tree);
    };
    tree.exists = true;
    let mut walk = Walk {
        tree,
        filter,
        options,
        // What is still to be looked at, with the folder that it is in: as many handles as it is deep.
        left: Vec::new(),
    };
    walk.folder(Rc::new(folder), &Below::default());
    while let Some((parent, below)) = walk.left.pop() {
        match open_folder(&parent, &below.name) {
            Ok(folder) => walk.folder(Rc::new(folder), &below),
            Err(error) => walk
                .tree
                .add_incomplete(display_key(&below.relative), error),
        }
    }
    Ok(walk.tree)
}

/// Filters look at sizes and times of sources alone.
pub(super) fn filter_for(role: Role, filter: &Filter) -> Filter {
    match role {
        Role::Source => filter.clone(),
        Role::Target => Filter {
            min_size: None,
            max_size: None,
            modified_after: None,
            modified_before: None,
            ..filter.clone()
        },
    }
}

fn open_root(root: &Path, role: Role) -> Result<Option<Dir>, MirrorError> {
    match fs::metadata(root) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => {
            return Err(MirrorError::NoFolder {
                path: display_local(root),
            });
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return match role {
                Role::Target => Ok(None),
                Role::Source => Err(MirrorError::NoSource {
                    path: display_local(root),
                }),
            };
        }
        Err(error) => return Err(local_error("read", root, error)),
    }
    Dir::open_ambient_dir(root, ambient_authority())
        .map(Some)
        .map_err(|error| local_error("read the folder", root, error))
}

pub(super) fn local_error(action: &'static str, path: &Path, error: io::Error) -> MirrorError {
    MirrorError::Local {
        action,
        path: path.to_owned(),
        source: Arc::new(error),
    }
}

/// A folder in a folder; a link is none, wherever it leads.
#[cfg(unix)]
pub(super) fn open_folder(parent: &Dir, name: &OsStr) -> io::Result<Dir> {
    use rustix::fs::{Mode, OFlags, openat};
    single(name)?;
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC;
    let handle = openat(parent, name, flags, Mode::empty())?;
    Ok(Dir::from_std_file(fs::File::from(handle)))
}

/// A folder in a folder; a link is none, wherever it leads.
#[cfg(not(unix))]
pub(super) fn open_folder(parent: &Dir, name: &OsStr) -> io::Result<Dir> {
    single(name)?;
    if !parent.symlink_metadata(name)?.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    parent.open_dir(name)
}

/// Only a name, not a path.
pub(super) fn single(name: &OsStr) -> io::Result<()> {
    let mut parts = Path::new(name).components();
    match (parts.next(), parts.next()) {
        (Some(std::path::Component::Normal(part)), None) if part == name => Ok(()),
        _ => Err(io::ErrorKind::InvalidInput.into()),
    }
}

/// Where the walk is.
#[derive(Default)]
struct Below {
    key: Box<[u8]>,
    /// The path with the names as they are, for filters and people.
    relative: Box<[u8]>,
    name: OsString,
    depth: usize,
}

struct Walk<'a> {
    tree: Tree,
    filter: CompiledFilter,
    options: &'a MirrorOptions,
    left: Vec<(Rc<Dir>, Below)>,
}

impl Walk<'_> {
    fn folder(&mut self, folder: Rc<Dir>, here: &Below) {
        let failed = |tree: &mut Tree, error: io::Error| {
            let path = match here.relative.is_empty() {
                true => ".".to_owned(),
                false => display_key(&here.relative),
            };
            tree.add_incomplete(path, error);
        };
        let entries = match folder.entries() {
            Ok(entries) => entries,
            Err(error) => return failed(&mut self.tree, error),
        };
        for entry in entries {
            if self.tree.nodes.len() >= MOST_ENTRIES {
                let error = io::Error::other("there are too many entries");
                return failed(&mut self.tree, error);
            }
            match entry {
                Ok(entry) => self.entry(&folder, here, &entry),
                Err(error) => return failed(&mut self.tree, error),
            }
        }
    }

    fn entry(&mut self, folder: &Rc<Dir>, here: &Below, entry: &DirEntry) {
        let name = entry.file_name();
        let relative = join_key(&here.relative, &name);
        let metadata = match entry.metadata() {
            Ok(metadata) => metadata,
            // It is gone meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => return self.tree.add_incomplete(display_key(&relative), error),
        };
        let mut node = node_of(NodeName::Local(name.clone()), &metadata);
        let is_folder = node.kind == NodeKind::Folder;
        // The server's side sees the remote form of the names.
        let remote = node.name.remote(self.options.names);
        let filtered = match &remote {
            Some(remote) => join_key(&here.relative, os_or(remote.as_bytes(), &name)),
            None => relative.clone(),
        };
        let modified = node.modified.map(|modified| modified.timestamp);
        let taken = self
            .filter
            .verdict(&filtered, is_folder, node.size, modified);
        node.excluded =
            !taken || (!is_folder && crate::partial::is_temporary_name(name.as_encoded_bytes()));
        let Some(part) = part_of(&node.name, self.options.names) else {
            node.kind = NodeKind::Other(UNSENDABLE);
            let key = join_key(&here.key, &name);
            self.tree.insert(key, node);
            return;
        };
        let key = join_key(&here.key, &part);
        let descend = is_folder && !node.excluded;
        if !self.tree.insert(key.clone(), node) || !descend {
            return;
        }
        if here.depth >= DEEPEST {
            let why = "folders are nested too deep";
            return self.tree.add_incomplete(display_key(&relative), why);
        }
        let below = Below {
            key,
            relative: filtered,
            name,
            depth: here.depth + 1,
        };
        self.left.push((folder.clone(), below));
    }
}

/// The remote bytes as a part of a path.
#[cfg(unix)]
fn os_or<'a>(bytes: &'a [u8], _: &'a OsStr) -> &'a OsStr {
    std::os::unix::ffi::OsStrExt::from_bytes(bytes)
}

/// The remote bytes as a part of a path.
#[cfg(not(unix))]
fn os_or<'a>(bytes: &'a [u8], or: &'a OsStr) -> &'a OsStr {
    std::str::from_utf8(bytes).map_or(or, OsStr::new)
}

pub(super) fn node_of(name: NodeName, metadata: &Metadata) -> Node {
    let kind = match metadata.file_type() {
        kind if kind.is_file() => NodeKind::File,
        kind if kind.is_dir() => NodeKind::Folder,
        kind if kind.is_symlink() => NodeKind::Link,
        _ => NodeKind::Other(SPECIAL),
    };
    let modified = metadata.modified().ok();
    let modified = modified.and_then(|time| Timestamp::try_from(time.into_std()).ok());
    Node {
        name,
        kind,
        size: (kind == NodeKind::File).then(|| metadata.len()),
        modified: modified.map(|timestamp| Modified {
            timestamp,
            precision: Precision::Milli,
            zone_known: true,
        }),
        hash: None,
        excluded: false,
    }
}
