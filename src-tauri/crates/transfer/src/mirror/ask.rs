//! What the listings leave open: exact times where the zone is unknown, and hashes.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use ftp_client::ftp_proto::listing::Modified;
use ftp_client::ftp_proto::{Command, Precision, RemotePath, Reply, parse_time};
use ftp_client::{Client, Error, ErrorKind};

use super::local::local_error;
use super::plan::below;
use super::remote::spread;
use super::tree::{Node, NodeKind, Tree, prefixes};
use super::{MirrorError, MirrorOptions};
use crate::HashAlgorithm;

/// How many times are asked for at once.
const BURST: usize = 100;

/// What has to be asked before two trees can be compared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Questions {
    /// Files whose time on the server is not known exactly.
    times: Vec<Box<[u8]>>,
    /// Files whose hashes are to be compared.
    hashes: Vec<Box<[u8]>>,
}

impl Questions {
    /// How many files are asked about their times at most: for those whose hashes are known, that is spared.
    pub fn times(&self) -> usize {
        self.times.len()
    }

    /// How many files both sides have to compute a hash of.
    pub fn hashes(&self) -> usize {
        self.hashes.len()
    }

    /// Whether nothing has to be asked.
    pub fn is_empty(&self) -> bool {
        self.times.is_empty() && self.hashes.is_empty()
    }
}

/// What has to be asked before the trees can be compared by [`compare`](super::compare()): only for files that both have,
/// and whose sizes don't differ already.
pub fn questions(remote: &Tree, local: &Tree, options: &MirrorOptions) -> Questions {
    let mut questions = Questions::default();
    for (key, node) in &remote.nodes {
        let Some(other) = local.nodes.get(key) else {
            continue;
        };
        let files = node.kind == NodeKind::File && other.kind == NodeKind::File;
        if !files || node.excluded || other.excluded {
            continue;
        }
        let sizes_differ = node.size.zip(other.size).is_some_and(|(a, b)| a != b);
        if options.compare.size && sizes_differ {
            continue;
        }
        if options.compare.hash {
            questions.hashes.push(key.clone());
        }
        // Minutes come from a listing whose zone was worked out: an hour off for the half of the year that has another time.
        let known = node
            .modified
            .is_some_and(|modified| modified.zone_known && modified.precision >= Precision::Second);
        if options.compare.time && !known {
            questions.times.push(key.clone());
        }
    }
    questions
}

/// Asks, and writes the answers into the trees. Hashes of the local files are computed here. What the server does not
/// answer stays open; [`compare`](super::compare()) knows what to do with that.
///
/// # Errors
/// [`MirrorError::NoConnection`] and other failures of all connections; a local file that can't be read.
pub async fn ask(
    questions: Questions,
    clients: &[Client],
    remote_root: &RemotePath,
    remote: &mut Tree,
    local_root: &Path,
    local: &mut Tree,
) -> Result<(), MirrorError> {
    let mut jobs = VecDeque::new();
    for key in questions.hashes {
        if let (Some(on_server), Some(on_disk)) =
            (remote_path(remote, &key), local_path(local, &key))
        {
            let on_server = below(remote_root, &on_server);
            jobs.push_back((key, on_server, local_root.join(on_disk)));
        }
    }
    let hash = |client: Client, (key, on_server, on_disk)| async move {
        let hashes = hashes(&client, &on_server, on_disk).await;
        (client, (key, hashes))
    };
    let mut failed = None;
    let left = spread(clients, jobs, hash, |(key, hashes), jobs| match hashes {
        Ok(Some((algorithm, there, here))) => {
            set_hash(remote, &key, algorithm, there);
            set_hash(local, &key, algorithm, here);
        }
        Ok(None) => {}
        Err(error) => {
            jobs.clear();
            failed.get_or_insert(error);
        }
    })
    .await;
    stopped(failed, left.is_empty())?;

    let open: Vec<_> = questions
        .times
        .into_iter()
        .filter(|key| {
            remote
                .nodes
                .get(key)
                .is_some_and(|node| node.hash.is_none())
        })
        .filter_map(|key| remote_path(remote, &key).map(|path| (key, below(remote_root, &path))))
        .collect();
    let jobs = open.chunks(BURST).map(<[_]>::to_vec).collect();
    let times = |client: Client, files: Vec<(Box<[u8]>, RemotePath)>| async move {
        let commands = files.iter().map(|(_, path)| Command::Mdtm(path.clone()));
        let replies = client.burst(commands.collect()).await;
        (client, (files, replies))
    };
    let mut failed = None;
    let left = spread(
        clients,
        jobs,
        times,
        |(files, replies), jobs| match replies {
            Ok(replies) => {
                for ((key, _), reply) in files.iter().zip(&replies) {
                    if let (Some(modified), Some(node)) =
                        (time_of(reply), remote.nodes.get_mut(key))
                    {
                        node.modified = Some(modified);
                    }
                }
            }
            // Another connection may still be there.
            Err(error) if error.is_fatal() => jobs.push_back(files),
            Err(error) => {
                jobs.clear();
                failed.get_or_insert(MirrorError::Remote(error));
            }
        },
    )
    .await;
    stopped(failed, left.is_empty())
}

fn stopped(failed: Option<MirrorError>, done: bool) -> Result<(), MirrorError> {
    match failed {
        Some(error) => Err(error),
        None if done => Ok(()),
        None => Err(MirrorError::NoConnection),
    }
}

/// The hash of both, by the best algorithm that the server has; `None` if it has none or does not tell.
async fn hashes(
    client: &Client,
    on_server: &RemotePath,
    on_disk: PathBuf,
) -> Result<Option<(HashAlgorithm, String, String)>, MirrorError> {
    let told = client
        .hash(on_server, &ftp_client::HashAlgorithm::ALL)
        .await;
    let (algorithm, there) = match told {
        Ok(Some((algorithm, there))) => (algorithm.into(), there),
        Ok(None) => return Ok(None),
        Err(error) if is_answer(&error) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let here = tokio::task::spawn_blocking(move || {
        let file = std::fs::File::open(&on_disk);
        let hash = file.and_then(|file| crate::digest::hash_of(file, algorithm));
        hash.map_err(|error| local_error("read", &on_disk, error))
    })
    .await
    .map_err(|error| MirrorError::Internal(error.to_string()))??;
    Ok(Some((algorithm, there, here)))
}

/// Whether the server has answered, and the connection is as good as before.
fn is_answer(error: &Error) -> bool {
    let answered = error.reply().is_some() || *error.kind() == ErrorKind::Unsupported;
    answered && !error.is_fatal()
}

/// The time in a reply to MDTM, which is UTC (RFC 3659 section 3.1).
pub(super) fn time_of(reply: &Reply) -> Option<Modified> {
    if reply.code.value() != 213 {
        return None;
    }
    let text = reply.text();
    let time = text.split_whitespace().next()?;
    let (timestamp, precision) = parse_time(time.as_bytes()).ok()?;
    let modified = Modified {
        timestamp,
        precision,
        zone_known: true,
    };
    (precision >= Precision::Second).then_some(modified)
}

fn set_hash(tree: &mut Tree, key: &[u8], algorithm: HashAlgorithm, hash: String) {
    if let Some(node) = tree.nodes.get_mut(key) {
        node.hash = Some((algorithm, hash.into()));
    }
}

fn names<'a>(tree: &'a Tree, key: &'a [u8]) -> impl Iterator<Item = Option<&'a Node>> {
    prefixes(key).map(|prefix| tree.nodes.get(prefix))
}

fn remote_path(tree: &Tree, key: &[u8]) -> Option<RemotePath> {
    let mut path: Option<RemotePath> = None;
    for node in names(tree, key) {
        let name = node?.name.remote(crate::names::Naming::default())?;
        path = Some(match path {
            Some(path) => path.join(&name),
            None => RemotePath::try_from(name.as_bytes()).ok()?,
        });
    }
    path
}

fn local_path(tree: &Tree, key: &[u8]) -> Option<PathBuf> {
    let mut path = PathBuf::new();
    for node in names(tree, key) {
        path.push(node?.name.local(crate::names::Naming::default())?);
    }
    Some(path)
}
