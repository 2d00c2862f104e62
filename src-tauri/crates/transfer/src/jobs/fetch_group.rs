//! Small files from the server, together: one call of the client, one thread for all that the disk has to do, one note.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use ftp_client::{ErrorKind, FetchFile, Fetched};
use jiff::Timestamp;
use tokio::sync::mpsc;

use super::decide::{MOST_NUMBERS, compares_times, decide, local_name, rule_of};
use super::download::{Found, facts_of, found_complete, kept_time, look, no_name, parent_of};
use super::verify::hash_of_bytes;
use super::{Job, Left, Stop, blocking, ended};
use crate::conflict::Decision;
use crate::disk::{Folder, There};
use crate::error::{Error, RemoteError};
use crate::partial::{Finish, Partial, Placed, Spot};
use crate::work::{Done, Existing, Finishing, Note, Outcome, SMALL, Task};
use crate::{Checks, ConflictRule, Facts, HashAlgorithm, HashCheck, KeepTime, Sync, TransferId};

/// A file that is to be fetched, and the name that it gets.
struct Wanted<'t> {
    task: &'t Task,
    name: OsString,
    replaces: bool,
}

/// A file that was fetched.
struct Arrived<'t> {
    wanted: Wanted<'t>,
    data: Vec<u8>,
    modified: Option<Timestamp>,
    checks: Checks,
    digest: Option<String>,
}

/// A file that is complete under its temporary name.
struct Written<'t> {
    task: &'t Task,
    spot: Spot,
    replaces: bool,
    modified: Option<Timestamp>,
    done: Done,
}

/// The folders that a group writes to.
#[derive(Default)]
struct Folders(HashMap<PathBuf, Arc<Folder>>);

impl Folders {
    fn open(&mut self, task: &Task) -> Result<Arc<Folder>, Error> {
        let path = task.plan.base.join(parent_of(&task.plan));
        if let Some(folder) = self.0.get(&path) {
            return Ok(folder.clone());
        }
        let folder = Arc::new(Folder::open(&task.plan.base, parent_of(&task.plan))?);
        self.0.insert(path, folder.clone());
        Ok(folder)
    }
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
                            replaces: true,
                        });
                    }
                }
                Decision::Rename => match free_name(task, &mut taken).await {
                    Ok(name) => wanted.push(Wanted {
                        task,
                        name,
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
        let broken = match self
            .live
            .or_stopped(async { Ok::<_, Error>(fetching.await) })
            .await?
        {
            Ok(()) => None,
            Err(error) => Some(error),
        };
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

    /// Writes all of them under temporary names, notes it, and gives them their names.
    async fn write<'t>(&self, arrived: Vec<Arrived<'t>>, left: &mut Left<'t>) -> Result<(), Stop> {
        if arrived.is_empty() {
            return Ok(());
        }
        let mut tasks = Vec::with_capacity(arrived.len());
        let mut files = Vec::with_capacity(arrived.len());
        for one in arrived {
            let Wanted {
                task,
                name,
                replaces,
            } = one.wanted;
            let modified = kept_time(task, one.modified);
            let done = Done {
                bytes: one.data.len() as u64,
                checks: one.checks,
                digest: one.digest,
                ..Done::default()
            };
            tasks.push((task, replaces, modified, done));
            files.push((task.clone(), name, one.data, modified));
        }
        let spots = blocking(move || {
            let mut folders = Folders::default();
            let write = |(task, name, data, modified): (Task, OsString, Vec<u8>, _)| {
                write_one(&mut folders, &task, &name, &data, modified)
                    .map_err(|error| error.about(&task.plan.local()))
            };
            Ok(files.into_iter().map(write).collect::<Vec<_>>())
        })
        .await?;
        let mut written = Vec::with_capacity(spots.len());
        let mut given_up = Vec::new();
        for ((task, replaces, modified, mut done), spot) in tasks.into_iter().zip(spots) {
            match spot {
                Err(error) => self.fail(left, task, error),
                Ok(spot) if self.go_on(task.id).is_err() => {
                    given_up.push(spot);
                    self.end(left, task, Outcome::Aborted);
                }
                Ok(spot) => {
                    done.checks.time = spot.has_time;
                    written.push(Written {
                        modified: modified.filter(|_| spot.has_time),
                        task,
                        spot,
                        replaces,
                        done,
                    });
                }
            }
        }
        let notes = written.iter().map(note_of).collect();
        if let Err(error) = self.ledger.note(notes).await {
            given_up.extend(written.into_iter().map(|one| one.spot));
            blocking(move || Ok(given_up.iter().for_each(Spot::remove))).await?;
            return Err(error.into());
        }
        self.name_all(written, given_up, left).await
    }

    async fn name_all<'t>(
        &self,
        written: Vec<Written<'t>>,
        given_up: Vec<Spot>,
        left: &mut Left<'t>,
    ) -> Result<(), Stop> {
        let mut tasks = Vec::with_capacity(written.len());
        let mut spots = Vec::with_capacity(written.len());
        for one in written {
            let sync = one.task.options.sync == Sync::Always;
            spots.push((one.spot, one.replaces, sync));
            tasks.push((one.task, one.modified, one.done));
        }
        let placed = blocking(move || {
            given_up.iter().for_each(Spot::remove);
            let mut unsynced: HashMap<PathBuf, Arc<Folder>> = HashMap::new();
            let mut placed = Vec::with_capacity(spots.len());
            for (spot, replaces, sync) in spots {
                let outcome = spot.place(replaces).inspect_err(|_| spot.remove());
                if sync {
                    unsynced.insert(spot.folder.path.clone(), spot.folder.clone());
                }
                placed.push(outcome.map(|placed| (spot, placed)));
            }
            for folder in unsynced.values() {
                folder.sync()?;
            }
            Ok(placed)
        })
        .await?;
        for ((task, modified, mut done), placed) in tasks.into_iter().zip(placed) {
            match placed {
                Ok((spot, Placed::Yes)) => {
                    let is_planned = local_name(&task.plan, 0).as_ref() == Some(&spot.name);
                    done.renamed = (!is_planned).then_some(spot.name);
                    self.end(left, task, Outcome::Done(Box::new(done)));
                }
                // Somebody has put something there meanwhile.
                Ok((spot, Placed::Taken)) => {
                    let outcome = self
                        .put_in_place(task, spot, false, done, Some(modified))
                        .await?;
                    self.end(left, task, outcome);
                }
                Err(error) => self.fail(left, task, error),
            }
        }
        Ok(())
    }
}

fn note_of(one: &Written<'_>) -> (TransferId, Note) {
    let planned = local_name(&one.task.plan, 0);
    let name = (planned.as_ref() != Some(&one.spot.name))
        .then(|| one.spot.name.as_encoded_bytes().to_vec());
    let finishing = Finishing {
        size: one.done.bytes,
        modified: one.modified,
        name,
        inode: one.spot.inode(),
        checks: one.done.checks,
        digest: one.done.digest.clone(),
        resumed_from: 0,
    };
    (one.task.id, Note::Finishing(finishing))
}

fn write_one(
    folders: &mut Folders,
    task: &Task,
    name: &OsString,
    data: &[u8],
    modified: Option<Timestamp>,
) -> Result<Spot, Error> {
    let folder = folders.open(task)?;
    let partial = Partial::open(&folder, name, false)?;
    let path = task.plan.local();
    let written = partial.file().and_then(|mut file| {
        file.write_all(data)
            .map_err(|error| Error::local("write", &path, error))
    });
    if let Err(error) = written {
        partial.remove();
        return Err(error);
    }
    partial.finish(Finish {
        length: Some(data.len() as u64),
        modified: modified.map(SystemTime::from),
        mode: task.plan.mode.filter(|_| task.options.keep_permissions),
        sync: task.options.sync == Sync::Always,
    })
}

/// The first numbered name that nothing has, and no other file of the group gets.
async fn free_name(task: &Task, taken: &mut HashSet<PathBuf>) -> Result<OsString, Error> {
    let (base, parent) = (task.plan.base.clone(), parent_of(&task.plan).to_owned());
    let (plan, mut others) = (task.plan.clone(), std::mem::take(taken));
    let (name, others) = blocking(move || {
        let folder = Folder::open(&base, &parent)?;
        for number in 2..MOST_NUMBERS {
            let name = local_name(&plan, number).ok_or_else(|| no_name(&plan))?;
            let path = folder.path.join(&name);
            if !others.contains(&path) && folder.look(&name)? == There::Nothing {
                others.insert(path);
                return Ok((Ok(name), others));
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
