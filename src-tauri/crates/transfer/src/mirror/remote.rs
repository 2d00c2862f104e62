//! The server's side, gathered through several connections at once.

use std::collections::VecDeque;
use std::sync::Arc;

use ftp_client::ftp_proto::listing::{Entry, Kind, Line, Modified};
use ftp_client::ftp_proto::{Name, RemotePath, escape};
use ftp_client::{Client, Error};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::local::filter_for;
use super::tree::{
    DEEPEST, MOST_ENTRIES, Node, NodeKind, NodeName, Role, SPECIAL, Tree, join_key, part_of,
};
use super::{MirrorError, MirrorOptions};
use crate::filter::CompiledFilter;

/// How often a folder is asked for.
const ATTEMPTS: u32 = 3;

/// Everything below a folder on a server, with as many folders at once as there are connections. Links are not followed.
///
/// # Errors
/// [`MirrorError::NoSource`] if it is a source and not there, what the server says of the root, and a glob that is none.
/// Whatever fails below the root is in [`Tree::incomplete`].
pub async fn gather_remote(
    clients: &[Client],
    root: &RemotePath,
    role: Role,
    options: &MirrorOptions,
) -> Result<Tree, MirrorError> {
    let filter = CompiledFilter::new(&filter_for(role, &options.filter))?;
    let Some(first) = clients.first() else {
        return Err(MirrorError::WrongSide);
    };
    let mut gathering = Gathering {
        tree: Tree {
            keeps_times: keeps_times(first),
            ..Tree::default()
        },
        filter,
        options,
        seen: 0,
        fatal: None,
    };
    let jobs = VecDeque::from([Folder {
        path: root.clone(),
        key: Box::default(),
        relative: Box::default(),
        depth: 0,
        above: None,
        attempts: 0,
    }]);
    let list = |client: Client, folder: Folder| async move {
        let listed = list(&client, &folder).await;
        (client, (folder, listed))
    };
    let left = spread(clients, jobs, list, |(folder, listed), jobs| {
        gathering.take(folder, listed, jobs);
    })
    .await;
    for folder in left {
        gathering.give_up(&folder, MirrorError::NoConnection);
    }
    match gathering.fatal.take() {
        Some(MirrorError::NoSource { .. }) if role == Role::Target => Ok(Tree {
            keeps_times: gathering.tree.keeps_times,
            ..Tree::default()
        }),
        Some(error) => Err(error),
        None => Ok(gathering.tree),
    }
}

/// Whether files that are stored there get the time of their source: by MFMT, or by vsftpd's form of MDTM.
fn keeps_times(client: &Client) -> bool {
    let facts = client.facts();
    let vsftpd = || facts.greeting.iter().any(|line| line.contains("vsFTPd"));
    facts.features.has("MFMT") || (facts.features.has("MDTM") && vsftpd())
}

/// Gives jobs to connections as these become free. What is done with an outcome may add jobs. The jobs for which no
/// connection was left come back.
pub(super) async fn spread<J, R, F>(
    clients: &[Client],
    mut jobs: VecDeque<J>,
    run: impl Fn(Client, J) -> F,
    mut done: impl FnMut(R, &mut VecDeque<J>),
) -> VecDeque<J>
where
    F: Future<Output = (Client, R)>,
{
    let mut idle = clients.to_vec();
    let mut running = FuturesUnordered::new();
    loop {
        idle.retain(|client| !client.is_closed());
        while !jobs.is_empty()
            && let Some(client) = idle.pop()
        {
            if let Some(job) = jobs.pop_front() {
                running.push(run(client, job));
            }
        }
        match running.next().await {
            Some((client, outcome)) => {
                idle.push(client);
                done(outcome, &mut jobs);
            }
            None => return jobs,
        }
    }
}

/// A folder that is to be listed.
struct Folder {
    path: RemotePath,
    key: Box<[u8]>,
    /// The path with the names as the server has them, for filters and people.
    relative: Box<[u8]>,
    depth: usize,
    /// The `unique` facts of the folders that it is in, to find loops.
    above: Option<Arc<Above>>,
    attempts: u32,
}

struct Above {
    unique: Box<str>,
    above: Option<Arc<Above>>,
}

impl Folder {
    fn is_in(&self, unique: &str) -> bool {
        let mut above = self.above.as_ref();
        while let Some(folder) = above {
            if *folder.unique == *unique {
                return true;
            }
            above = folder.above.as_ref();
        }
        false
    }
}

/// An entry as far as it is of interest.
struct Found {
    name: Vec<u8>,
    kind: NodeKind,
    size: Option<u64>,
    modified: Option<Modified>,
    unique: Option<Box<str>>,
}

enum Listed {
    Entries {
        found: Vec<Found>,
        unparsed: Vec<String>,
        too_many: bool,
    },
    /// There is no such folder, though some servers list it as an empty one.
    NoFolder,
}

async fn list(client: &Client, folder: &Folder) -> Result<Listed, Error> {
    let path = (!folder.path.as_bytes().is_empty()).then_some(&folder.path);
    let listing = client.list(path).await;
    let mut listing = match listing {
        Ok(listing) => listing,
        // "Not found" is said of many things; only a folder can be entered.
        Err(error) if folder.depth == 0 && error.reply().is_some() && !error.is_fatal() => {
            return match client.is_dir(&folder.path).await? {
                true => Err(error),
                false => Ok(Listed::NoFolder),
            };
        }
        Err(error) => return Err(error),
    };
    let (mut found, mut unparsed) = (Vec::new(), Vec::new());
    let mut too_many = false;
    while let Some(line) = listing.next().await? {
        if found.len() + unparsed.len() >= MOST_ENTRIES {
            too_many = true;
            break;
        }
        match line {
            Line::Entry(entry) => found.extend(found_of(entry)),
            Line::Unparsed(line) => unparsed.push(escape(&line, 200)),
            Line::Skip => {}
        }
    }
    let nothing = found.is_empty() && unparsed.is_empty() && !too_many;
    if nothing && folder.depth == 0 && path.is_some() && !client.is_dir(&folder.path).await? {
        return Ok(Listed::NoFolder);
    }
    Ok(Listed::Entries {
        found,
        unparsed,
        too_many,
    })
}

/// `None` for the folder itself and the one above it.
fn found_of(entry: Entry) -> Option<Found> {
    let kind = match entry.kind {
        Kind::File => NodeKind::File,
        Kind::Dir => NodeKind::Folder,
        Kind::Link => NodeKind::Link,
        Kind::Other => NodeKind::Other(SPECIAL),
        Kind::CurrentDir | Kind::ParentDir => return None,
    };
    Some(Found {
        size: entry.exact_size().filter(|_| kind == NodeKind::File),
        name: entry.name,
        kind,
        modified: entry.modified,
        unique: entry.unique.filter(|_| kind == NodeKind::Folder),
    })
}

struct Gathering<'a> {
    tree: Tree,
    filter: CompiledFilter,
    options: &'a MirrorOptions,
    seen: usize,
    /// What there is to say of the root.
    fatal: Option<MirrorError>,
}

impl Gathering<'_> {
    fn take(
        &mut self,
        mut folder: Folder,
        listed: Result<Listed, Error>,
        jobs: &mut VecDeque<Folder>,
    ) {
        match listed {
            Err(error) => {
                folder.attempts += 1;
                if folder.attempts < ATTEMPTS && error.is_retryable() {
                    jobs.push_back(folder);
                } else {
                    self.give_up(&folder, error.into());
                }
            }
            Ok(Listed::NoFolder) => {
                self.fatal = Some(MirrorError::NoSource {
                    path: folder.path.to_string(),
                });
            }
            Ok(Listed::Entries {
                found,
                unparsed,
                too_many,
            }) => {
                self.tree.exists |= folder.depth == 0;
                for line in unparsed {
                    let why = format!("a line of the listing was not understood: \"{line}\"");
                    self.tree.add_incomplete(&folder.path, why);
                }
                if too_many {
                    let why = "the listing does not end";
                    self.tree.add_incomplete(&folder.path, why);
                }
                for entry in found {
                    self.entry(&folder, entry, jobs);
                }
            }
        }
    }

    fn give_up(&mut self, folder: &Folder, error: MirrorError) {
        match folder.depth {
            0 => self.fatal = Some(error),
            _ => self.tree.add_incomplete(&folder.path, error),
        }
    }

    fn entry(&mut self, folder: &Folder, found: Found, jobs: &mut VecDeque<Folder>) {
        if self.seen >= MOST_ENTRIES {
            let why = "there are too many entries";
            return self.tree.add_incomplete(&folder.path, why);
        }
        self.seen += 1;
        let name = match Name::try_from(found.name) {
            Ok(name) => name,
            Err(error) => return self.tree.add_incomplete(&folder.path, error),
        };
        let path = folder.path.join(&name);
        let node_name = NodeName::Remote(name.clone());
        let Some(part) = part_of(&node_name, self.options.names) else {
            let why = "its name can't be had here";
            return self.tree.add_incomplete(path, why);
        };
        let relative = join_bytes(&folder.relative, name.as_bytes());
        let is_folder = found.kind == NodeKind::Folder;
        let modified = found.modified.map(|modified| modified.timestamp);
        let taken = self
            .filter
            .verdict(&relative, is_folder, found.size, modified);
        let excluded = !taken || (!is_folder && crate::partial::is_temporary_name(name.as_bytes()));
        let key = join_key(&folder.key, &part);
        let node = Node {
            name: node_name,
            kind: found.kind,
            size: found.size,
            modified: found.modified,
            hash: None,
            excluded,
        };
        if !self.tree.insert(key.clone(), node) || !is_folder || excluded {
            return;
        }
        if found
            .unique
            .as_deref()
            .is_some_and(|unique| folder.is_in(unique))
        {
            let why = "it leads back to a folder that it is in";
            return self.tree.add_incomplete(path, why);
        }
        if folder.depth >= DEEPEST {
            return self
                .tree
                .add_incomplete(path, "folders are nested too deep");
        }
        let above = match found.unique {
            Some(unique) => Some(Arc::new(Above {
                unique,
                above: folder.above.clone(),
            })),
            None => folder.above.clone(),
        };
        jobs.push_back(Folder {
            path,
            key,
            relative,
            depth: folder.depth + 1,
            above,
            attempts: 0,
        });
    }
}

fn join_bytes(parent: &[u8], name: &[u8]) -> Box<[u8]> {
    let mut path = parent.to_vec();
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path.into()
}
