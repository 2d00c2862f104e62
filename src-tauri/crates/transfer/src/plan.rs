//! From what is asked for to what is done, and from what is found in a folder to its children.

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ftp_client::ftp_proto::{Name, RemotePath, escape};
use jiff::Timestamp;

use crate::core::{NewItem, Work};
use crate::disk::{LocalEntry, LocalKind};
use crate::error::Error;
use crate::remote::{Found, FoundEntry, FoundKind};
use crate::{Direction, ItemKind, NewTransfer};

/// What one item is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) direction: Direction,
    pub(crate) kind: ItemKind,
    /// The local folder that the caller named: trusted.
    pub(crate) base: Arc<Path>,
    /// The place below it, made of checked names only.
    pub(crate) relative: PathBuf,
    pub(crate) remote: RemotePath,
    /// For a download: the source's time, if it is known exactly.
    pub(crate) modified: Option<Timestamp>,
    /// The server lists it as a link, which may lead to a file or not.
    pub(crate) link: bool,
}

/// What must not be written by two jobs at once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Target {
    Local(PathBuf),
    Remote(RemotePath),
}

impl Work for Plan {
    type Target = Target;

    fn target(&self) -> Option<Target> {
        match (self.kind, self.direction) {
            // Making a folder that is there already harms nobody.
            (ItemKind::Folder, _) => None,
            (ItemKind::File | ItemKind::Link, Direction::Download) => {
                Some(Target::Local(self.local()))
            }
            (ItemKind::File | ItemKind::Link, Direction::Upload) => {
                Some(Target::Remote(self.remote.clone()))
            }
        }
    }
}

impl Plan {
    /// The plan of what a caller asked for.
    pub(crate) fn new(new: &NewTransfer) -> Self {
        let whole = || (Arc::from(new.local.as_path()), PathBuf::new());
        let (base, relative) = match (new.kind, new.local.parent(), new.local.file_name()) {
            (ItemKind::File, Some(parent), Some(name)) => {
                let parent = if parent.as_os_str().is_empty() {
                    Path::new(".")
                } else {
                    parent
                };
                (Arc::from(parent), PathBuf::from(name))
            }
            _ => whole(),
        };
        Self {
            direction: new.direction,
            kind: new.kind,
            base,
            relative,
            remote: new.remote.clone(),
            modified: new.modified,
            link: false,
        }
    }

    /// The local file or folder.
    pub(crate) fn local(&self) -> PathBuf {
        if self.relative.as_os_str().is_empty() {
            self.base.to_path_buf()
        } else {
            self.base.join(&self.relative)
        }
    }

    /// The last part of the source.
    pub(crate) fn name(&self) -> String {
        let local = || {
            let path = self.local();
            let name = path.file_name().unwrap_or(path.as_os_str());
            name.to_string_lossy().into_owned()
        };
        match self.direction {
            Direction::Upload => local(),
            Direction::Download => match self.remote.file_name() {
                Some(name) => escape(name, usize::MAX),
                None => self.remote.to_string(),
            },
        }
    }

    /// The children of a remote folder. Whatever can't be done is an item too, so that it is seen.
    pub(crate) fn children_of_listing(&self, found: Vec<Found>) -> Vec<NewItem<Plan>> {
        let mut seen = HashSet::new();
        found
            .into_iter()
            .map(|found| match found {
                Found::Unparsed(line) => self.hopeless(&[], Error::UnparsedLine { line }),
                Found::Entry(entry) => self.child_of_entry(&entry, &mut seen),
            })
            .collect()
    }

    fn child_of_entry(&self, entry: &FoundEntry, seen: &mut HashSet<OsString>) -> NewItem<Plan> {
        let checked = Name::try_from(entry.name.as_slice())
            .and_then(|name| name.to_local().map(|local| (name, local)));
        let (name, local) = match checked {
            Ok(names) => names,
            Err(error) => {
                let error = Error::UnsafeName {
                    name: escape(&entry.name, 200),
                    why: error.why.to_owned(),
                };
                return self.hopeless(&entry.name, error);
            }
        };
        if !seen.insert(local.clone()) {
            let name = escape(&entry.name, 200);
            return self.hopeless(&entry.name, Error::DuplicateName { name });
        }
        let remote = self.remote.join(&name);
        let kind = match entry.kind {
            FoundKind::Folder => ItemKind::Folder,
            FoundKind::File | FoundKind::Link => ItemKind::File,
            FoundKind::Other => {
                let error = Error::NotAFile {
                    path: remote.to_string(),
                    what: "a device, pipe or socket",
                };
                return self.hopeless(&entry.name, error);
            }
        };
        let link = entry.kind == FoundKind::Link;
        NewItem {
            work: Plan {
                direction: self.direction,
                kind,
                base: self.base.clone(),
                relative: self.relative.join(local),
                remote,
                // A listing tells the size and time of the link itself.
                modified: entry.modified.filter(|_| !link),
                link,
            },
            folder: kind == ItemKind::Folder,
            size: entry.size.filter(|_| !link),
            hopeless: None,
        }
    }

    /// The children of a local folder.
    pub(crate) fn children_of_folder(&self, entries: Vec<LocalEntry>) -> Vec<NewItem<Plan>> {
        entries
            .into_iter()
            .map(|entry| self.child_of_local(entry))
            .collect()
    }

    fn child_of_local(&self, entry: LocalEntry) -> NewItem<Plan> {
        let relative = self.relative.join(&entry.name);
        let name = match sendable(&entry.name) {
            Ok(name) => name,
            Err(error) => {
                let mut item = self.hopeless(&[], error);
                item.work.relative = relative;
                return item;
            }
        };
        let (kind, hopeless) = match entry.kind {
            LocalKind::File => (ItemKind::File, None),
            LocalKind::Folder => (ItemKind::Folder, None),
            LocalKind::Not(what) => {
                let path = self.base.join(&relative).display().to_string();
                (ItemKind::File, Some(Error::NotAFile { path, what }))
            }
        };
        NewItem {
            work: Plan {
                direction: self.direction,
                kind,
                base: self.base.clone(),
                relative,
                remote: self.remote.join(&name),
                modified: None,
                link: false,
            },
            folder: kind == ItemKind::Folder,
            size: entry.size,
            hopeless,
        }
    }

    /// A child that can't be transferred. Its paths are those of this folder as far as its name is no name: they are
    /// shown and never used.
    fn hopeless(&self, name: &[u8], error: Error) -> NewItem<Plan> {
        let remote = match Name::try_from(name) {
            Ok(name) => self.remote.join(&name),
            Err(_) => self.remote.clone(),
        };
        NewItem {
            work: Plan {
                kind: ItemKind::File,
                remote,
                modified: None,
                link: false,
                ..self.clone()
            },
            folder: false,
            size: None,
            hopeless: Some(error),
        }
    }
}

/// A local name as the server gets it.
fn sendable(name: &std::ffi::OsStr) -> Result<Name, Error> {
    #[cfg(unix)]
    let bytes = std::os::unix::ffi::OsStrExt::as_bytes(name);
    #[cfg(not(unix))]
    let bytes = name
        .to_str()
        .ok_or_else(|| Error::UnsendableName {
            name: name.to_string_lossy().into_owned(),
            why: "it is no text".to_owned(),
        })?
        .as_bytes();
    Name::try_from(bytes).map_err(|error| Error::UnsendableName {
        name: escape(bytes, 200),
        why: error.why.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::SiteKey;
    use proptest::prelude::*;

    fn folder(direction: Direction) -> Plan {
        Plan::new(&NewTransfer {
            site: SiteKey::new("s"),
            direction,
            kind: ItemKind::Folder,
            local: "/target/dir".into(),
            remote: RemotePath::try_from("/pub").unwrap(),
            size: None,
            modified: None,
            options: std::sync::Arc::default(),
        })
    }

    fn entry(name: &[u8], kind: FoundKind) -> Found {
        Found::Entry(FoundEntry {
            name: name.to_vec(),
            kind,
            size: Some(7),
            modified: None,
        })
    }

    #[test]
    fn names_that_are_no_names_fail_alone() {
        let bad: [&[u8]; 10] = [
            b"../../evil",
            b"/etc/passwd",
            b"a\0b",
            b"C:\\x",
            b"..",
            b".",
            b"",
            b"a\\b",
            b"a\rb",
            b"\x1b[1m",
        ];
        let mut found: Vec<Found> = bad.iter().map(|n| entry(n, FoundKind::File)).collect();
        found.push(entry(b"good", FoundKind::File));
        let children = folder(Direction::Download).children_of_listing(found);
        let (good, failed) = children.split_last().unwrap();
        for (child, name) in failed.iter().zip(bad) {
            assert!(
                matches!(child.hopeless, Some(Error::UnsafeName { .. })),
                "{name:?}: {child:?}"
            );
            assert_eq!(child.work.local(), Path::new("/target/dir"));
        }
        assert!(good.hopeless.is_none());
        assert_eq!(good.work.local(), Path::new("/target/dir/good"));
        assert_eq!(good.work.remote.as_bytes(), b"/pub/good");
    }

    #[test]
    fn kinds_of_entries() {
        let children = folder(Direction::Download).children_of_listing(vec![
            entry(b"d", FoundKind::Folder),
            entry(b"l", FoundKind::Link),
            entry(b"o", FoundKind::Other),
            entry(b"d", FoundKind::File),
            Found::Unparsed("???".into()),
        ]);
        assert!(children[0].folder);
        assert!(children[1].work.link && children[1].size.is_none());
        assert!(matches!(children[2].hopeless, Some(Error::NotAFile { .. })));
        assert!(matches!(
            children[3].hopeless,
            Some(Error::DuplicateName { .. })
        ));
        assert!(matches!(
            children[4].hopeless,
            Some(Error::UnparsedLine { .. })
        ));
    }

    #[cfg(unix)]
    #[test]
    fn local_names_that_ftp_cannot_carry() {
        use std::os::unix::ffi::OsStringExt;
        let local = |name: &[u8]| LocalEntry {
            name: OsString::from_vec(name.to_vec()),
            kind: LocalKind::File,
            size: Some(1),
        };
        let children = folder(Direction::Upload).children_of_folder(vec![
            local(b"a\nb"),
            local(b"\xff\xfe"),
            local(b" \xc3\xa4 "),
        ]);
        assert!(matches!(
            children[0].hopeless,
            Some(Error::UnsendableName { .. })
        ));
        assert_eq!(children[1].work.remote.as_bytes(), b"/pub/\xff\xfe");
        assert_eq!(children[2].work.remote.as_bytes(), b"/pub/ \xc3\xa4 ");
    }

    #[test]
    fn a_file_lies_in_its_folder() {
        let mut new = NewTransfer {
            site: SiteKey::new("s"),
            direction: Direction::Download,
            kind: ItemKind::File,
            local: "name".into(),
            remote: RemotePath::try_from("/name").unwrap(),
            size: None,
            modified: None,
            options: std::sync::Arc::default(),
        };
        let plan = Plan::new(&new);
        assert_eq!(
            (&*plan.base, &*plan.relative),
            (Path::new("."), Path::new("name"))
        );
        new.local = "/a/b/c".into();
        let plan = Plan::new(&new);
        assert_eq!(
            (&*plan.base, &*plan.relative),
            (Path::new("/a/b"), Path::new("c"))
        );
    }

    proptest! {
        #[test]
        fn no_name_of_a_listing_leads_out(name: Vec<u8>, text in "[./\\\\a:C\u{0}]{0,8}") {
            for name in [name.as_slice(), text.as_bytes()] {
                let children = folder(Direction::Download).children_of_listing(vec![entry(name, FoundKind::File)]);
                let child = &children[0];
                if child.hopeless.is_none() {
                    let mut parts = child.work.relative.components();
                    prop_assert!(matches!(parts.next(), Some(std::path::Component::Normal(_))));
                    prop_assert!(parts.next().is_none());
                }
            }
        }
    }
}
