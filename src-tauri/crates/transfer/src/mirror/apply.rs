//! Making folders and deleting, on either side.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::io;
use std::path::{Component, Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use ftp_client::Client;
use ftp_client::ftp_proto::{Command, RemotePath, Reply};

use super::MirrorError;
use super::local::{local_error, node_of, open_folder, single};
use super::plan::{Deletion, MirrorPlan, TargetPath, below, display_local};
use super::tree::{Incomplete, NodeKind, NodeName};
use crate::Direction;

/// How many commands go to the server at once.
const BURST: usize = 100;

/// The target of a plan.
#[derive(Debug, Clone, Copy)]
pub enum Side<'a> {
    /// A local folder.
    Local(&'a Path),
    /// A folder on a server.
    Remote(&'a Client, &'a RemotePath),
}

/// When something is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// What is in the way of folders that are made and files that are copied.
    BeforeCopying,
    /// Everything else.
    AfterCopying,
}

/// What has become of the steps of a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// How many are done.
    pub done: u64,
    /// What could not be done, and why.
    pub failed: Vec<Incomplete>,
}

impl Applied {
    fn fail(&mut self, path: impl std::fmt::Display, why: impl std::fmt::Display) {
        self.failed.push(Incomplete {
            path: path.to_string(),
            why: why.to_string(),
        });
    }
}

/// Makes the folders of a plan, and its root if it is missing. One that is there already will do.
///
/// # Errors
/// [`MirrorError::WrongSide`]; the root that can't be made; a connection that is lost. What fails by itself is in the result.
pub async fn make_folders(plan: &MirrorPlan, side: Side<'_>) -> Result<Applied, MirrorError> {
    match (side, plan.direction) {
        (Side::Remote(client, root), Direction::Upload) => {
            if plan.make_root {
                client.mkd_parents(root).await?;
            }
            let folders: Vec<_> = plan
                .make
                .iter()
                .map(|step| below(root, &step.remote))
                .collect();
            make_remote(client, &folders).await
        }
        (Side::Local(root), Direction::Download) => {
            let folders: Vec<_> = plan.make.iter().map(|step| step.local.clone()).collect();
            let (root, make_root) = (root.to_owned(), plan.make_root);
            blocking(move || {
                if make_root {
                    std::fs::create_dir_all(&root)
                        .map_err(|error| local_error("create the folder", &root, error))?;
                }
                make_local(&root, &folders)
            })
            .await
        }
        _ => Err(MirrorError::WrongSide),
    }
}

/// Deletes what the plan says for this stage: nothing if it was refused. What is not as it was when the plan was made, as far
/// as a local disk tells, stays; so does a folder with anything in it.
///
/// # Errors
/// [`MirrorError::WrongSide`]; a root that can't be opened; a connection that is lost, after which it is not known what has
/// become of up to a hundred of them. What fails by itself is in the result.
pub async fn apply_deletions(
    plan: &MirrorPlan,
    stage: Stage,
    side: Side<'_>,
) -> Result<Applied, MirrorError> {
    let chosen = |gone: &&Deletion| gone.first == (stage == Stage::BeforeCopying);
    let deletions = plan.delete.iter().filter(chosen);
    match (side, plan.direction) {
        _ if plan.refused.is_some() => Ok(Applied::default()),
        (Side::Remote(client, root), Direction::Upload) => {
            let mut files = Vec::new();
            let mut folders = Vec::new();
            for gone in deletions {
                let TargetPath::Remote(path) = &gone.path else {
                    return Err(MirrorError::WrongSide);
                };
                let path = below(root, path);
                match gone.folder {
                    true => folders.push(path),
                    false => files.push(path),
                }
            }
            delete_remote(client, &files, folders).await
        }
        (Side::Local(root), Direction::Download) => {
            let deletions: Vec<Deletion> = deletions.cloned().collect();
            if deletions.is_empty() {
                return Ok(Applied::default());
            }
            let root = root.to_owned();
            blocking(move || delete_local(&root, &deletions)).await
        }
        _ => Err(MirrorError::WrongSide),
    }
}

async fn blocking(
    work: impl FnOnce() -> Result<Applied, MirrorError> + Send + 'static,
) -> Result<Applied, MirrorError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| MirrorError::Internal(error.to_string()))?
}

async fn make_remote(client: &Client, folders: &[RemotePath]) -> Result<Applied, MirrorError> {
    let mut applied = Applied::default();
    for level in by_depth(folders) {
        for chunk in level.chunks(BURST) {
            let commands = chunk.iter().map(|path| Command::Mkd((*path).clone()));
            let replies = client.burst(commands.collect()).await?;
            for (path, reply) in chunk.iter().zip(&replies) {
                // "Already exists" has many wordings; being able to go there has one meaning.
                if reply.code.is_completion() || client.is_dir(path).await? {
                    applied.done += 1;
                } else {
                    applied.fail(path, says(reply));
                }
            }
        }
    }
    Ok(applied)
}

async fn delete_remote(
    client: &Client,
    files: &[RemotePath],
    folders: Vec<RemotePath>,
) -> Result<Applied, MirrorError> {
    let mut applied = Applied::default();
    // Folders that can't become empty: nobody has to ask for them.
    let mut kept: HashSet<RemotePath> = HashSet::new();
    for chunk in files.chunks(BURST) {
        let commands = chunk.iter().map(|path| Command::Dele(path.clone()));
        let replies = client.burst(commands.collect()).await?;
        note_gone(chunk.iter().zip(&replies), &mut applied, &mut kept);
    }
    for level in by_depth(&folders).into_iter().rev() {
        let (full, empty): (Vec<_>, Vec<_>) =
            level.into_iter().partition(|path| kept.contains(*path));
        for path in full {
            applied.fail(path, "what is in it could not be deleted");
            kept.extend(path.parent());
        }
        for chunk in empty.chunks(BURST) {
            let commands = chunk.iter().map(|path| Command::Rmd((*path).clone()));
            let replies = client.burst(commands.collect()).await?;
            let paths = chunk.iter().copied();
            note_gone(paths.zip(&replies), &mut applied, &mut kept);
        }
    }
    Ok(applied)
}

fn note_gone<'a>(
    outcomes: impl Iterator<Item = (&'a RemotePath, &'a Reply)>,
    applied: &mut Applied,
    kept: &mut HashSet<RemotePath>,
) {
    for (path, reply) in outcomes {
        if reply.code.is_completion() {
            applied.done += 1;
        } else {
            applied.fail(path, says(reply));
            kept.extend(path.parent());
        }
    }
}

fn says(reply: &Reply) -> String {
    format!("the server says {} {}", reply.code.value(), reply.text())
}

/// Folders of the same depth together, outer ones first: within a level none depends on another.
fn by_depth(folders: &[RemotePath]) -> Vec<Vec<&RemotePath>> {
    let mut levels: std::collections::BTreeMap<usize, Vec<&RemotePath>> = Default::default();
    for folder in folders {
        let depth = folder.components().count();
        levels.entry(depth).or_default().push(folder);
    }
    levels.into_values().collect()
}

fn open_root(root: &Path) -> Result<Dir, MirrorError> {
    Dir::open_ambient_dir(root, ambient_authority())
        .map_err(|error| local_error("read the folder", root, error))
}

fn make_local(root: &Path, folders: &[PathBuf]) -> Result<Applied, MirrorError> {
    let mut applied = Applied::default();
    if folders.is_empty() {
        return Ok(applied);
    }
    let mut at = Position::new(open_root(root)?);
    for path in folders {
        let made = at.parent_of(path).and_then(|(parent, name)| {
            single(name)?;
            match parent.create_dir(name) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    open_folder(parent, name).map(drop)
                }
                outcome => outcome,
            }
        });
        match made {
            Ok(()) => applied.done += 1,
            Err(error) => applied.fail(display_local(path), error),
        }
    }
    Ok(applied)
}

fn delete_local(root: &Path, deletions: &[Deletion]) -> Result<Applied, MirrorError> {
    let mut applied = Applied::default();
    let mut at = Position::new(open_root(root)?);
    for gone in deletions {
        let TargetPath::Local(path) = &gone.path else {
            return Err(MirrorError::WrongSide);
        };
        let deleted = at
            .parent_of(path)
            .and_then(|(parent, name)| delete_entry(parent, name, gone));
        match deleted {
            Ok(()) => applied.done += 1,
            Err(error) => applied.fail(display_local(path), error),
        }
    }
    Ok(applied)
}

fn delete_entry(parent: &Dir, name: &OsStr, gone: &Deletion) -> io::Result<()> {
    single(name)?;
    let metadata = parent.symlink_metadata(name)?;
    let node = node_of(NodeName::Local(name.to_owned()), &metadata);
    let changed = || io::Error::other("it was changed after the plan was made");
    match (node.kind, gone.folder) {
        (NodeKind::Folder, true) => parent.remove_dir(name),
        (NodeKind::File, false) => {
            let modified = node.modified.map(|modified| modified.timestamp);
            if node.size != gone.size || modified != gone.modified {
                return Err(changed());
            }
            parent.remove_file(name)
        }
        _ => Err(changed()),
    }
}

/// A handle of the folder that the last path was in, since the next one most often is in the same.
struct Position {
    root: Dir,
    last: Option<(PathBuf, Dir)>,
}

impl Position {
    fn new(root: Dir) -> Self {
        Self { root, last: None }
    }

    /// The folder that something below the root is in, reached through no link, and its name.
    fn parent_of<'a>(&mut self, path: &'a Path) -> io::Result<(&Dir, &'a OsStr)> {
        let invalid = || io::Error::from(io::ErrorKind::InvalidInput);
        let name = path.file_name().ok_or_else(invalid)?;
        let parent = path.parent().ok_or_else(invalid)?;
        if parent.as_os_str().is_empty() {
            return Ok((&self.root, name));
        }
        if self.last.as_ref().is_none_or(|(last, _)| last != parent) {
            let mut folder: Option<Dir> = None;
            for part in parent.components() {
                let Component::Normal(part) = part else {
                    return Err(invalid());
                };
                folder = Some(open_folder(folder.as_ref().unwrap_or(&self.root), part)?);
            }
            self.last = folder.map(|folder| (parent.to_owned(), folder));
        }
        match &self.last {
            Some((_, folder)) => Ok((folder, name)),
            None => Err(invalid()),
        }
    }
}
