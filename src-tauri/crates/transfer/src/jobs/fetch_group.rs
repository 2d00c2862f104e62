//! Small files from the server, together: one call of the client, one thread for all that the disk has to do, one note.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::path::PathBuf;

use ftp_client::{ErrorKind, FetchFile, Fetched};
use jiff::Timestamp;
use tokio::sync::mpsc;

use super::decide::{MOST_NUMBERS, compares_times, decide, local_name, rule_of};
use super::download::{no_name, parent_of};
use super::place::{Found, facts_of, found_complete, look};
use super::write_group::Folders;
use super::{Job, Left, Stop, blocking, ended};
use crate::conflict::Decision;
use crate::digest::hash_of_bytes;
use crate::disk::{Folder, There};
use crate::error::{Error, RemoteError};
use crate::work::{Existing, Identity, Note, Outcome, SMALL, Task};
use crate::{Checks, ConflictRule, Facts, HashAlgorithm, HashCheck, KeepTime, TransferId};

/// A file that is to be fetched, and the name that it gets.
pub(super) struct Wanted<'t> {
    pub(super) task: &'t Task,
    pub(super) name: OsString,
    /// Which number is in it; 0: none.
    number: u32,
    pub(super) replaces: bool,
}

/// A file that was fetched.
pub(super) struct Arrived<'t> {
    pub(super) wanted: Wanted<'t>,
    pub(super) data: Vec<u8>,
    pub(super) modified: Option<Timestamp>,
    pub(super) checks: Checks,
    pub(super) digest: Option<String>,
}

impl Job<'_> {
    pub(super) async fn fetch_group<'t>(
        &self,
        tasks: &[&'t Task],
        left: &mut Left<'t>,
    ) -> Result<(), Stop> {
        left.open = tasks.to_vec();
        let wanted = self.decide_downloads(tasks, left).await?;
        if wanted.is_empty() {
            return Ok(());
        }
        let (arrived, broken) = self.fetch(wanted, left).await?;
        let arrived = self.compare_hashes(arrived, left).await?;
        self.write(arrived, left).await?;
        // What has arrived before the connection broke is not lost.
        match broken {
            Some(error) => Err(error.into()),
            None => Ok(()),
        }
    }

    pub(super) fn end<'t>(&self, left: &mut Left<'t>, task: &'t Task, outcome: Outcome) {
        left.remove(task.id);
        self.ledger.ended(task.id, outcome);
    }

    pub(super) fn fail<'t>(&self, left: &mut Left<'t>, task: &'t Task, error: Error) {
        self.end(left, task, ended(Stop::Error(error), task, 0));
    }

    pub(super) fn go_alone<'t>(&self, left: &mut Left<'t>, task: &'t Task) {
        left.remove(task.id);
        left.alone.push(task);
    }

    /// Looks at what is there, where a rule wants that, and leaves out what is not to be fetched.
    async fn decide_downloads<'t>(
        &self,
        tasks: &[&'t Task],
        left: &mut Left<'t>,
    ) -> Result<Vec<Wanted<'t>>, Stop> {
        let plain =
            |task: &Task| rule_of(task) == ConflictRule::Overwrite && task.finishing.is_none();
        let mut wanted = Vec::with_capacity(tasks.len());
        let mut looked_at = Vec::new();
        for &task in tasks {
            match local_name(&task.plan, 0) {
                None => self.fail(left, task, no_name(&task.plan)),
                Some(name) if plain(task) => wanted.push(Wanted {
                    task,
                    name,
                    number: 0,
                    replaces: true,
                }),
                Some(_) => looked_at.push(task),
            }
        }
        if looked_at.is_empty() {
            return Ok(wanted);
        }
        let all: Vec<Task> = looked_at.iter().map(|&task| task.clone()).collect();
        let found = blocking(move || {
            let mut folders = Folders::default();
            Ok(all
                .iter()
                .map(|task| {
                    let folder = folders.open(task)?;
                    let name = local_name(&task.plan, 0).ok_or_else(|| no_name(&task.plan))?;
                    look(&folder, &name, task.finishing.as_ref())
                })
                .collect::<Vec<_>>())
        })
        .await?;
        let mut conflicts = Vec::new();
        for (task, found) in looked_at.into_iter().zip(found) {
            match found {
                Err(error) => self.fail(left, task, error),
                Ok(Found::Complete) => {
                    let done = Box::new(found_complete(task));
                    self.end(left, task, Outcome::Done(done));
                }
                // It still gets its name, which is the business of one that goes alone.
                Ok(Found::Unnamed(_)) => self.go_alone(left, task),
                Ok(Found::There(There::Nothing)) => {
                    if let Some(name) = local_name(&task.plan, 0) {
                        wanted.push(Wanted {
                            task,
                            name,
                            number: 0,
                            replaces: rule_of(task) == ConflictRule::Overwrite,
                        });
                    }
                }
                Ok(Found::There(there)) => conflicts.push((task, there)),
            }
        }
        self.decide_conflicts(conflicts, &mut wanted, left).await?;
        Ok(wanted)
    }

    async fn decide_conflicts<'t>(
        &self,
        conflicts: Vec<(&'t Task, There)>,
        wanted: &mut Vec<Wanted<'t>>,
        left: &mut Left<'t>,
    ) -> Result<(), Stop> {
        let unknown: Vec<&Task> = conflicts
            .iter()
            .map(|(task, _)| *task)
            .filter(|task| compares_times(rule_of(task)) && task.plan.modified.is_none())
            .collect();
        let mut times = HashMap::new();
        if !unknown.is_empty() {
            let paths: Vec<_> = unknown.iter().map(|t| t.plan.remote.clone()).collect();
            let found = self.live.or_stopped(self.remote.existing(&paths)).await?;
            for (task, found) in unknown.into_iter().zip(found) {
                if let Existing::File(facts) = found {
                    times.insert(task.id, facts.modified);
                }
            }
        }
        let mut taken = HashSet::new();
        for (task, there) in conflicts {
            let source = Facts {
                size: task.size,
                modified: task
                    .plan
                    .modified
                    .or_else(|| times.get(&task.id).copied().flatten()),
            };
            match decide(rule_of(task), source, facts_of(there)) {
                Decision::Skip => self.end(left, task, Outcome::Skipped),
                Decision::Ask => self.end(left, task, Outcome::Ask(facts_of(there))),
                Decision::Resume => self.go_alone(left, task),
                Decision::Overwrite => {
                    if let Some(name) = local_name(&task.plan, 0) {
                        wanted.push(Wanted {
                            task,
                            name,
                            number: 0,
                            replaces: true,
                        });
                    }
                }
                Decision::Rename => match free_name(task, &mut taken).await {
                    Ok((name, number)) => wanted.push(Wanted {
                        task,
                        name,
                        number,
                        replaces: false,
                    }),
                    Err(error) => self.fail(left, task, error),
                },
            }
        }
        Ok(())
    }

    /// Fetches; the error is that of a connection that broke on the way.
    async fn fetch<'t>(
        &self,
        wanted: Vec<Wanted<'t>>,
        left: &mut Left<'t>,
    ) -> Result<(Vec<Arrived<'t>>, Option<RemoteError>), Stop> {
        let files = wanted
            .iter()
            .map(|Wanted { task, .. }| FetchFile {
                path: task.plan.remote.clone(),
                size: task.size,
                want_time: task.options.keep_time == KeepTime::Yes && task.plan.modified.is_none(),
                most: SMALL.max(task.size.unwrap_or(0)),
            })
            .collect();
        let (sender, mut outcomes) = mpsc::unbounded_channel();
        let wire = self.wire();
        let fetching = self.remote.fetch_many(files, &wire, sender);
        // Before anything of them is written, so that what a crash leaves is known to be theirs. It takes no time of its
        // own: first they have to come.
        let begun = wanted.iter().map(begun).collect();
        let both = async {
            let (noted, fetched) = tokio::join!(self.ledger.note(begun), fetching);
            noted.map(|()| fetched.err())
        };
        let broken = self.live.or_stopped(both).await?;
        let mut wanted: Vec<Option<Wanted<'t>>> = wanted.into_iter().map(Some).collect();
        let mut arrived = Vec::with_capacity(wanted.len());
        while let Ok((place, outcome)) = outcomes.try_recv() {
            let Some(one) = wanted.get_mut(place).and_then(Option::take) else {
                continue;
            };
            match outcome {
                Ok(fetched) => match self.check_fetched(one.task, &fetched).await {
                    Ok(checks) => arrived.push(Arrived {
                        modified: one.task.plan.modified.or(fetched.modified),
                        wanted: one,
                        data: fetched.data,
                        checks,
                        digest: None,
                    }),
                    Err(error) if error.connection_lost() => return Err(error.into()),
                    Err(error) => self.fail(left, one.task, error),
                },
                Err(error) if error.connection_lost => {}
                Err(error) if is_the_last_word(&error) && !one.task.plan.link => {
                    self.fail(left, one.task, error.into());
                }
                // It grew, or the server was confused: once more, with all the care that there is.
                Err(_) => self.go_alone(left, one.task),
            }
        }
        Ok((arrived, broken))
    }

    async fn check_fetched(&self, task: &Task, fetched: &Fetched) -> Result<Checks, Error> {
        let bytes = fetched.data.len() as u64;
        self.check_size(&task.plan.remote, task.size, bytes).await
    }

    async fn compare_hashes<'t>(
        &self,
        arrived: Vec<Arrived<'t>>,
        left: &mut Left<'t>,
    ) -> Result<Vec<Arrived<'t>>, Stop> {
        let wants = |one: &Arrived<'_>| one.wanted.task.options.hash == HashCheck::IfOffered;
        let paths: Vec<_> = arrived
            .iter()
            .filter(|one| wants(one))
            .map(|one| one.wanted.task.plan.remote.clone())
            .collect();
        let hashes = self.tell_hashes(&paths).await?;
        let mut hashes = hashes.into_iter();
        let mut same = Vec::with_capacity(arrived.len());
        for mut one in arrived {
            let told = if wants(&one) {
                hashes.next().flatten()
            } else {
                None
            };
            if let Some((algorithm, theirs)) = told {
                let ours = hash_of_bytes(&one.data, algorithm);
                if ours != theirs {
                    self.fail(left, one.wanted.task, Error::HashDiffers { algorithm });
                    continue;
                }
                one.checks.hash = Some(algorithm);
                one.digest = Some(ours);
            }
            same.push(one);
        }
        Ok(same)
    }

    /// The hashes that the server tells; none of its troubles with that are ours.
    pub(super) async fn tell_hashes(
        &self,
        paths: &[ftp_client::ftp_proto::RemotePath],
    ) -> Result<Vec<Option<(HashAlgorithm, String)>>, Stop> {
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        match self.live.or_stopped(self.remote.hashes(paths)).await {
            Ok(hashes) => Ok(hashes),
            Err(Stop::Error(error)) if !error.connection_lost() => Ok(Vec::new()),
            Err(stop) => Err(stop),
        }
    }
}

fn begun(wanted: &Wanted<'_>) -> (TransferId, Note) {
    let identity = Identity {
        size: wanted.task.size,
        modified: wanted.task.plan.modified,
        number: wanted.number,
        ..Identity::default()
    };
    (wanted.task.id, Note::Begun(identity))
}

/// The first numbered name that nothing has, and no other file of the group gets; and the number.
async fn free_name(task: &Task, taken: &mut HashSet<PathBuf>) -> Result<(OsString, u32), Error> {
    let (base, parent) = (task.plan.base.clone(), parent_of(&task.plan).to_owned());
    let (plan, mut others) = (task.plan.clone(), std::mem::take(taken));
    let (name, others) = blocking(move || {
        let folder = Folder::open(&base, &parent)?;
        for number in 2..MOST_NUMBERS {
            let name = local_name(&plan, number).ok_or_else(|| no_name(&plan))?;
            let path = folder.path.join(&name);
            if !others.contains(&path) && folder.look(&name)? == There::Nothing {
                others.insert(path);
                return Ok((Ok((name, number)), others));
            }
        }
        let error = std::io::ErrorKind::AlreadyExists.into();
        Ok((Err(Error::local("create", &plan.local(), error)), others))
    })
    .await?;
    *taken = others;
    name
}

/// The server's own words about a file: it would say the same again.
fn is_the_last_word(error: &RemoteError) -> bool {
    let kind = error.original().map(ftp_client::Error::kind);
    matches!(kind, Some(ErrorKind::NotFound | ErrorKind::Refused))
}
