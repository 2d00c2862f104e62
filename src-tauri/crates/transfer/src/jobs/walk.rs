//! Looking into a folder.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::Path;

use ftp_client::ftp_proto::{Name, RemotePath, escape};
use jiff::Timestamp;

use super::decide::{compares_times, os_name, rule_of};
use super::links::refuse_local_loop;
use super::{Job, Stop, blocking};
use crate::error::Error;
use crate::names::Naming;
use crate::partial::is_temporary;
use crate::remote::{Found, FoundEntry, FoundKind};
use crate::work::{Child, Existing, Outcome, Plan, Task, Walked};
use crate::{CompiledFilter, ConflictRule, Facts, ItemKind, Links, Options};
use crate::{disk, names};

/// How many links or files are asked about in one go.
const ASKED_AT_ONCE: usize = 50;
const SPECIAL: &str = "a device, pipe or socket";

/// What a link on the server leads to.
#[derive(Debug, Clone, Copy)]
enum Behind {
    File(u64),
    Folder,
    /// Nobody knows; it will be tried as a file.
    Unknown,
}

impl Job<'_> {
    pub(super) async fn walk_remote(&self, task: &Task) -> Result<Outcome, Stop> {
        if task.options.links == Links::Follow {
            self.refuse_remote_loop(task).await?;
        }
        let found = self
            .live
            .or_stopped(self.remote.list(&task.plan.remote))
            .await?;
        let behind = match task.options.links {
            Links::Follow => self.follow(&task.plan.remote, &found).await?,
            Links::Copy | Links::Skip => HashMap::new(),
        };
        let times = self.times(task, &found, &behind).await?;
        let task = task.clone();
        let walked = blocking(move || {
            disk::make_folder(&task.plan.base, &task.plan.relative)?;
            children_of_listing(&task, found, &behind, &times)
        })
        .await?;
        Ok(Outcome::Walked(walked))
    }

    /// What the links of a listing lead to: the sizes of many are asked for at once, and what has none is tried as a folder.
    async fn follow(
        &self,
        folder: &RemotePath,
        found: &[Found],
    ) -> Result<HashMap<Vec<u8>, Behind>, Stop> {
        let links: Vec<(&[u8], RemotePath)> = found
            .iter()
            .filter_map(|found| match found {
                Found::Entry(entry) if entry.kind == FoundKind::Link => {
                    let name = Name::try_from(entry.name.as_slice()).ok()?;
                    Some((entry.name.as_slice(), folder.join(&name)))
                }
                _ => None,
            })
            .collect();
        let mut behind = HashMap::new();
        for some in links.chunks(ASKED_AT_ONCE) {
            let paths: Vec<RemotePath> = some.iter().map(|(_, path)| path.clone()).collect();
            let sizes = self.live.or_stopped(self.remote.sizes(&paths)).await?;
            for ((name, path), size) in some.iter().zip(sizes) {
                let what = match size {
                    Some(size) => Behind::File(size),
                    None => match self.live.or_stopped(self.remote.is_folder(path)).await? {
                        true => Behind::Folder,
                        false => Behind::Unknown,
                    },
                };
                behind.insert(name.to_vec(), what);
            }
        }
        Ok(behind)
    }

    /// The times of files of which the listing tells no exact one, where the filter goes by times.
    async fn times(
        &self,
        task: &Task,
        found: &[Found],
        behind: &HashMap<Vec<u8>, Behind>,
    ) -> Result<HashMap<Vec<u8>, Timestamp>, Stop> {
        let rules = &task.options.filter;
        let mut times = HashMap::new();
        if rules.modified_after.is_none() && rules.modified_before.is_none() {
            return Ok(times);
        }
        let filter = compiled(&task.options)?;
        let files: Vec<(&[u8], RemotePath)> = found
            .iter()
            .filter_map(|found| match found {
                Found::Entry(entry) => Some(entry),
                Found::Unparsed(_) => None,
            })
            .filter(|entry| match entry.kind {
                FoundKind::File => entry.modified.is_none(),
                FoundKind::Link => matches!(behind.get(&entry.name), Some(Behind::File(_))),
                FoundKind::Folder | FoundKind::Other => false,
            })
            .filter_map(|entry| {
                let name = Name::try_from(entry.name.as_slice()).ok()?;
                let relative = relative_name(task, &entry.name);
                // What is left out anyway is not asked about.
                let size = entry.size.filter(|_| entry.kind == FoundKind::File);
                let wanted = filter.verdict(&relative, false, size, None);
                wanted.then(|| (entry.name.as_slice(), task.plan.remote.join(&name)))
            })
            .collect();
        for some in files.chunks(ASKED_AT_ONCE) {
            let paths: Vec<RemotePath> = some.iter().map(|(_, path)| path.clone()).collect();
            let facts = self.live.or_stopped(self.remote.existing(&paths)).await?;
            for ((name, _), facts) in some.iter().zip(facts) {
                if let Existing::File(Facts {
                    modified: Some(modified),
                    ..
                }) = facts
                {
                    times.insert(name.to_vec(), modified);
                }
            }
        }
        Ok(times)
    }

    pub(super) async fn walk_local(&self, task: &Task) -> Result<Outcome, Stop> {
        let looked = task.clone();
        let mut walked = blocking(move || children_of_folder(&looked)).await?;
        let made = self
            .live
            .or_stopped(self.remote.make_folder(&task.plan.remote))
            .await?;
        if made {
            for child in &mut walked.children {
                child.existing = Existing::Missing;
            }
        } else if rule_of(task) != ConflictRule::Overwrite && !walked.children.is_empty() {
            let found = self
                .live
                .or_stopped(self.remote.list(&task.plan.remote))
                .await?;
            know_existing(&mut walked.children, &found, rule_of(task));
        }
        Ok(Outcome::Walked(walked))
    }
}

/// What a listing of the folder that is written to says of each. Where the rule needs a time and the listing has no exact
/// one, the server will be asked for it: a file must not be replaced because a LIST shows minutes.
fn know_existing(children: &mut [Child], found: &[Found], rule: ConflictRule) {
    let mut there = HashMap::new();
    let mut complete = true;
    for found in found {
        match found {
            Found::Entry(entry) => {
                let existing = match entry.kind {
                    FoundKind::File if entry.modified.is_none() && compares_times(rule) => {
                        Existing::Unknown
                    }
                    FoundKind::File => Existing::File(Facts {
                        size: entry.size,
                        modified: entry.modified,
                    }),
                    _ => Existing::Unknown,
                };
                there.insert(entry.name.as_slice(), existing);
            }
            Found::Unparsed(_) => complete = false,
        }
    }
    for child in children {
        child.existing = match there.get(child.name.as_slice()) {
            Some(existing) => *existing,
            None if complete => Existing::Missing,
            None => Existing::Unknown,
        };
    }
}

/// The path of a child below the batch's folder, as the server has it.
fn relative_name(task: &Task, name: &[u8]) -> Vec<u8> {
    let parts: Vec<&[u8]> = task.plan.remote.components().collect();
    let below = parts.len().saturating_sub(task.depth as usize);
    let mut relative = parts[below..].join(&b'/');
    if !relative.is_empty() {
        relative.push(b'/');
    }
    relative.extend_from_slice(name);
    relative
}

fn compiled(options: &Options) -> Result<CompiledFilter, Error> {
    // Whoever made the options has tried them; a filter that can't be read must not let everything through.
    CompiledFilter::new(&options.filter).map_err(|error| Error::Internal(error.to_string()))
}

/// What is in a remote folder. Whatever can't be done is an item too, so that it is seen.
fn children_of_listing(
    task: &Task,
    found: Vec<Found>,
    behind: &HashMap<Vec<u8>, Behind>,
    times: &HashMap<Vec<u8>, Timestamp>,
) -> Result<Walked, Error> {
    let filter = compiled(&task.options)?;
    let mut walked = Walked::default();
    let mut seen = HashSet::new();
    for found in found {
        let entry = match found {
            Found::Entry(entry) => entry,
            Found::Unparsed(line) => {
                let child = hopeless(Vec::new(), Error::UnparsedLine { line });
                walked.children.push(child);
                continue;
            }
        };
        match child_of_entry(task, entry, behind) {
            Some(mut child) => {
                child.modified = child.modified.or_else(|| times.get(&child.name).copied());
                let relative = relative_name(task, &child.name);
                let folder = child.kind == ItemKind::Folder;
                if child.hopeless.is_none()
                    && !filter.verdict(&relative, folder, child.size, child.modified)
                {
                    walked.filtered += 1;
                    continue;
                }
                walked.children.push(unless_twice(task, child, &mut seen));
            }
            None => walked.filtered += 1,
        }
    }
    Ok(walked)
}

/// `None` for a link that is to be left out.
fn child_of_entry(
    task: &Task,
    entry: FoundEntry,
    behind: &HashMap<Vec<u8>, Behind>,
) -> Option<Child> {
    let local = match names::to_local(&entry.name, Naming::from(&*task.options)) {
        Ok(local) => local,
        Err(error) => {
            let error = Error::UnsafeName {
                name: escape(&entry.name, 200),
                why: error.why.to_owned(),
            };
            return Some(hopeless(entry.name, error));
        }
    };
    if entry.kind == FoundKind::File && is_temporary(&local) {
        let error = Error::UnsafeName {
            name: escape(&entry.name, 200),
            why: "names like this are those of unfinished transfers".to_owned(),
        };
        return Some(hopeless(entry.name, error));
    }
    let mut child = Child {
        local: (local.as_encoded_bytes() != entry.name).then_some(local),
        kind: ItemKind::File,
        link: false,
        link_to: None,
        size: entry.size,
        modified: entry.modified,
        mode: entry.mode.filter(|_| task.options.keep_permissions),
        existing: Existing::Unknown,
        hopeless: None,
        name: entry.name,
    };
    match entry.kind {
        FoundKind::File => {}
        FoundKind::Folder => {
            child.kind = ItemKind::Folder;
            (child.size, child.modified, child.mode) = (None, None, None);
        }
        FoundKind::Link => {
            // A listing tells size, time and permissions of the link itself.
            (child.size, child.modified, child.mode) = (None, None, None);
            match task.options.links {
                Links::Skip => return None,
                Links::Copy => {
                    child.kind = ItemKind::Link;
                    child.link_to = entry.target;
                }
                Links::Follow => {
                    child.link = true;
                    match behind.get(&child.name) {
                        Some(Behind::File(size)) => child.size = Some(*size),
                        Some(Behind::Folder) => child.kind = ItemKind::Folder,
                        Some(Behind::Unknown) | None => {}
                    }
                }
            }
        }
        FoundKind::Other => {
            child.hopeless = Some(Error::NotAFile {
                path: escape(&child.name, 200),
                what: SPECIAL,
            });
        }
    }
    Some(child)
}

/// Two names that mean the same file here would be written over each other.
fn unless_twice(task: &Task, child: Child, seen: &mut HashSet<OsString>) -> Child {
    if child.hopeless.is_some() {
        return child;
    }
    let same_bytes = || os_name(&child.name);
    let local = child.local.clone().unwrap_or_else(same_bytes);
    if seen.insert(names::same_file_key(&local, task.options.names)) {
        return child;
    }
    let name = escape(&child.name, 200);
    hopeless(child.name, Error::DuplicateName { name })
}

/// A child that can't be transferred: it is shown and never used.
fn hopeless(name: Vec<u8>, error: Error) -> Child {
    Child {
        name,
        local: None,
        kind: ItemKind::File,
        link: false,
        link_to: None,
        size: None,
        modified: None,
        mode: None,
        existing: Existing::Unknown,
        hopeless: Some(error),
    }
}

/// What is in a local folder, by name.
fn children_of_folder(task: &Task) -> Result<Walked, Error> {
    let plan = &task.plan;
    if task.options.links == Links::Follow {
        refuse_local_loop(plan)?;
    }
    let filter = compiled(&task.options)?;
    let path = plan.local();
    let fail = |error| Error::local("read the folder", &path, error);
    let mut walked = Walked::default();
    for entry in fs::read_dir(&path).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let Some(child) = child_of_local(plan, &task.options, &entry) else {
            walked.filtered += 1;
            continue;
        };
        let relative = match plan.relative.as_os_str().is_empty() {
            true => entry.file_name(),
            false => plan.relative.join(entry.file_name()).into_os_string(),
        };
        let folder = child.kind == ItemKind::Folder;
        let bytes = slashed(&relative);
        match filter.verdict(&bytes, folder, child.size, child.modified) {
            true => walked.children.push(child),
            false => walked.filtered += 1,
        }
    }
    walked.children.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(walked)
}

#[cfg(unix)]
fn slashed(path: &OsStr) -> Vec<u8> {
    path.as_encoded_bytes().to_vec()
}

#[cfg(not(unix))]
fn slashed(path: &OsStr) -> Vec<u8> {
    path.to_string_lossy().replace('\\', "/").into_bytes()
}

/// `None` for a link that is to be left out.
fn child_of_local(plan: &Plan, options: &Options, entry: &fs::DirEntry) -> Option<Child> {
    let local = entry.file_name();
    let (name, error) = match sendable(&local, options.into()) {
        Ok(name) => (name, None),
        Err(error) => (local.as_encoded_bytes().to_vec(), Some(error)),
    };
    let path = entry.path();
    let not = |what| Error::NotAFile {
        path: plan.local().join(&local).display().to_string(),
        what,
    };
    let mut child = hopeless(name, not(SPECIAL));
    child.hopeless = error;
    let found = entry.metadata().ok();
    let found = match found {
        Some(found) if found.is_symlink() => match options.links {
            Links::Skip => return None,
            Links::Copy => {
                child.kind = ItemKind::Link;
                child.link_to = link_text(&path);
                None
            }
            Links::Follow => {
                child.link = true;
                let behind = fs::metadata(&path).ok();
                if behind.is_none() {
                    let nowhere = not("a link that leads nowhere");
                    child.hopeless.get_or_insert(nowhere);
                }
                behind
            }
        },
        found => found,
    };
    // What nobody can look at will be opened, and that will say what is wrong.
    if let Some(found) = found {
        if found.is_dir() {
            child.kind = ItemKind::Folder;
        } else if found.is_file() {
            child.size = Some(found.len());
            child.modified = found
                .modified()
                .ok()
                .and_then(|t| Timestamp::try_from(t).ok());
        } else {
            child.hopeless.get_or_insert(not(SPECIAL));
        }
    }
    child.local = (local.as_encoded_bytes() != child.name).then_some(local);
    Some(child)
}

fn link_text(path: &Path) -> Option<Vec<u8>> {
    let to = fs::read_link(path).ok()?;
    Some(slashed(to.as_os_str()))
}

/// A local name as the server gets it.
fn sendable(name: &OsStr, naming: Naming) -> Result<Vec<u8>, Error> {
    match names::to_remote(name, naming) {
        Ok(name) => Ok(name.as_bytes().to_vec()),
        Err(error) => Err(Error::UnsendableName {
            name: error.text,
            why: error.why.to_owned(),
        }),
    }
}
