//! Small files to the server, together: one call of the client, then one round trip of renamings, two notes.

use std::fs::File;
use std::path::PathBuf;

use ftp_client::ftp_proto::RemotePath;
use ftp_client::{StoreFile, StoreThen};
use jiff::Timestamp;
use tokio::sync::mpsc;

use super::decide::{decide, rule_of, temporary_of};
use super::load::{look, read};
use super::upload::{Step, whole_seconds};
use super::verify::checked;
use super::{CLEANING_LIMIT, Job, Left, Stop, blocking};
use crate::conflict::Decision;
use crate::digest::hash_of;
use crate::error::{Error, Retry};
use crate::remote::Sent;
use crate::work::{Done, Existing, Finishing, Identity, Note, Outcome, StopKind, Task};
use crate::{ConflictRule, Facts, HashCheck, KeepTime, UploadName};

/// A file that is to be sent, in memory.
struct Loaded<'t> {
    task: &'t Task,
    data: Vec<u8>,
    facts: Facts,
    mode: Option<u32>,
    replaces: bool,
    /// Where it is written; the target itself, or a temporary name.
    path: RemotePath,
}

/// A file that has arrived there.
struct Stored<'t> {
    task: &'t Task,
    path: RemotePath,
    replaces: bool,
    modified: Option<Timestamp>,
    done: Done,
}

impl Job<'_> {
    pub(super) async fn store_group<'t>(
        &self,
        tasks: &[&'t Task],
        left: &mut Left<'t>,
    ) -> Result<(), Stop> {
        left.open = tasks.to_vec();
        let chosen = self.decide_uploads(tasks, left).await?;
        let loaded = self.load(chosen, left).await?;
        if loaded.is_empty() {
            return Ok(());
        }
        let (stored, broken) = self.store(loaded, left).await?;
        let stored = self.compare_stored(stored, left).await?;
        self.rename_all(stored, left).await?;
        match broken {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Leaves out what a rule keeps from being sent, and what an earlier try has left something of.
    async fn decide_uploads<'t>(
        &self,
        tasks: &[&'t Task],
        left: &mut Left<'t>,
    ) -> Result<Vec<(&'t Task, bool)>, Stop> {
        let mut chosen = Vec::with_capacity(tasks.len());
        let mut conflicts = Vec::new();
        let mut unknown = Vec::new();
        for &task in tasks {
            let in_place = task.begun.as_ref().is_some_and(|begun| begun.in_place);
            if task.finishing.is_some() || in_place {
                left.remove(task.id);
                left.alone.push(task);
                continue;
            }
            match task.plan.existing {
                _ if rule_of(task) == ConflictRule::Overwrite => chosen.push((task, true)),
                Existing::Missing => chosen.push((task, false)),
                Existing::File(there) => conflicts.push((task, there)),
                Existing::Unknown => unknown.push(task),
            }
        }
        if !unknown.is_empty() {
            let paths: Vec<_> = unknown.iter().map(|t| t.plan.remote.clone()).collect();
            let found = self.live.or_stopped(self.remote.existing(&paths)).await?;
            for (task, found) in unknown.into_iter().zip(found) {
                match found {
                    Existing::File(there) => conflicts.push((task, there)),
                    Existing::Missing | Existing::Unknown => chosen.push((task, false)),
                }
            }
        }
        if conflicts.is_empty() {
            return Ok(chosen);
        }
        let paths: Vec<PathBuf> = conflicts.iter().map(|(t, _)| t.plan.local()).collect();
        let sources = blocking(move || Ok(paths.iter().map(|path| look(path)).collect::<Vec<_>>()));
        for ((task, there), source) in conflicts.into_iter().zip(sources.await?) {
            match decide(rule_of(task), source, there) {
                Decision::Skip => self.end(left, task, Outcome::Skipped),
                Decision::Ask => self.end(left, task, Outcome::Ask(there)),
                Decision::Overwrite => chosen.push((task, true)),
                Decision::Rename | Decision::Resume => self.go_alone(left, task),
            }
        }
        Ok(chosen)
    }

    /// Reads them, on one thread.
    async fn load<'t>(
        &self,
        chosen: Vec<(&'t Task, bool)>,
        left: &mut Left<'t>,
    ) -> Result<Vec<Loaded<'t>>, Stop> {
        let paths: Vec<PathBuf> = chosen.iter().map(|(t, _)| t.plan.local()).collect();
        let contents =
            blocking(move || Ok(paths.iter().map(|path| read(path)).collect::<Vec<_>>())).await?;
        let refuses = self.remote.learned().refuses_temporary();
        let mut loaded = Vec::with_capacity(contents.len());
        for ((task, replaces), content) in chosen.into_iter().zip(contents) {
            let temporary = match task.options.upload {
                UploadName::Temporary if !refuses => temporary_of(&task.plan.remote),
                UploadName::Temporary | UploadName::Final => None,
            };
            match content {
                Ok(Some(content)) => loaded.push(Loaded {
                    path: temporary.unwrap_or_else(|| task.plan.remote.clone()),
                    task,
                    data: content.data,
                    facts: content.facts,
                    mode: content.mode.filter(|_| task.options.keep_permissions),
                    replaces,
                }),
                // It has grown.
                Ok(None) => self.go_alone(left, task),
                Err(error) => self.fail(left, task, error),
            }
        }
        Ok(loaded)
    }

    /// Sends; the error is that of a connection that broke on the way.
    async fn store<'t>(
        &self,
        loaded: Vec<Loaded<'t>>,
        left: &mut Left<'t>,
    ) -> Result<(Vec<Stored<'t>>, Option<Stop>), Stop> {
        let notes = loaded.iter().map(|one| {
            let identity = Identity {
                size: one.facts.size,
                modified: one.facts.modified,
                in_place: one.path == one.task.plan.remote,
                number: 0,
                contiguous: None,
                islands: Box::default(),
            };
            (one.task.id, Note::Begun(identity))
        });
        self.ledger.note(notes.collect()).await?;
        let mut files = Vec::with_capacity(loaded.len());
        let mut sending = Vec::with_capacity(loaded.len());
        for one in loaded {
            let modified = one.facts.modified.and_then(whole_seconds);
            let modified = modified.filter(|_| one.task.options.keep_time == KeepTime::Yes);
            sending.push(Some(Stored {
                task: one.task,
                path: one.path.clone(),
                replaces: one.replaces,
                modified,
                done: Done {
                    bytes: one.data.len() as u64,
                    ..Done::default()
                },
            }));
            files.push(StoreFile {
                path: one.path,
                data: one.data,
                then: StoreThen {
                    rename_to: None,
                    modified,
                    mode: one.mode,
                    want_size: true,
                },
            });
        }
        let (sender, mut outcomes) = mpsc::unbounded_channel();
        let wire = self.wire();
        let storing = self.remote.store_many(files, &wire, sender);
        let broken = match self
            .live
            .or_stopped(async { Ok::<_, Error>(storing.await) })
            .await
        {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(Stop::Error(error.into())),
            Err(stop) => {
                let paths: Vec<_> = sending
                    .iter()
                    .flatten()
                    .map(|s| (s.task, &s.path))
                    .collect();
                self.clean_cancelled(&paths).await;
                return Err(stop);
            }
        };
        let mut stored = Vec::with_capacity(sending.len());
        while let Ok((place, outcome)) = outcomes.try_recv() {
            let Some(mut one) = sending.get_mut(place).and_then(Option::take) else {
                continue;
            };
            let by_another_name = one.path != one.task.plan.remote;
            match outcome {
                Ok(Sent { size, time, .. }) => {
                    one.done.checks = checked(size);
                    one.done.checks.time = time;
                    one.modified = one.modified.filter(|_| time);
                    stored.push(one);
                }
                Err(error) if error.connection_lost => {}
                // Perhaps only the name is refused: once more, with all the care that there is.
                Err(_) if by_another_name => self.go_alone(left, one.task),
                Err(error) => self.fail(left, one.task, error.into()),
            }
        }
        Ok((stored, broken))
    }

    async fn compare_stored<'t>(
        &self,
        stored: Vec<Stored<'t>>,
        left: &mut Left<'t>,
    ) -> Result<Vec<Stored<'t>>, Stop> {
        let wants = |one: &Stored<'_>| one.task.options.hash == HashCheck::IfOffered;
        let paths: Vec<_> = stored
            .iter()
            .filter(|one| wants(one))
            .map(|one| one.path.clone())
            .collect();
        let told = self.tell_hashes(&paths).await?;
        if told.iter().all(Option::is_none) {
            return Ok(stored);
        }
        let mut told = told.into_iter();
        let mut same = Vec::with_capacity(stored.len());
        for mut one in stored {
            let told = if wants(&one) {
                told.next().flatten()
            } else {
                None
            };
            if let Some((algorithm, theirs)) = told {
                // What was sent is gone from memory; if the file is another one by now, that is seen as well.
                let path = one.task.plan.local();
                let ours = blocking(move || {
                    let fail = |error| Error::local("read", &path, error);
                    let file = File::open(&path).map_err(fail)?;
                    hash_of(file, algorithm).map_err(fail)
                });
                match ours.await {
                    Ok(ours) if ours == theirs => {
                        one.done.checks.hash = Some(algorithm);
                        one.done.digest = Some(ours);
                    }
                    Ok(_) => {
                        self.clean_up(&[one.path.clone()]).await;
                        self.fail(left, one.task, Error::HashDiffers { algorithm });
                        continue;
                    }
                    Err(error) => {
                        self.fail(left, one.task, error);
                        continue;
                    }
                }
            }
            same.push(one);
        }
        Ok(same)
    }

    /// Gives them their names, all in one round trip where the server puts up with that.
    async fn rename_all<'t>(
        &self,
        stored: Vec<Stored<'t>>,
        left: &mut Left<'t>,
    ) -> Result<(), Stop> {
        let mut named = Vec::with_capacity(stored.len());
        let mut given_up = Vec::new();
        for one in stored {
            if one.path == one.task.plan.remote {
                self.end(left, one.task, Outcome::Done(Box::new(one.done)));
            } else if self.go_on(one.task.id).is_err() {
                given_up.push(one);
            } else {
                named.push(one);
            }
        }
        let cancelled: Vec<_> = given_up.iter().map(|s| (s.task, &s.path)).collect();
        self.clean_cancelled(&cancelled).await;
        for one in given_up {
            self.end(left, one.task, Outcome::Aborted);
        }
        if named.is_empty() {
            return Ok(());
        }
        let notes = named.iter().map(|one| {
            let finishing = Finishing {
                size: one.done.bytes,
                modified: one.modified,
                checks: one.done.checks,
                digest: one.done.digest.clone(),
                ..Finishing::default()
            };
            (one.task.id, Note::Finishing(finishing))
        });
        self.ledger.note(notes.collect()).await?;
        let refused = self.rename_these(named, left).await?;
        // Where a server does not rename over a file, that is deleted first: all of the new one is there.
        let (mut over, mut alone): (Vec<_>, Vec<_>) = refused.into_iter().partition(|s| s.replaces);
        if !over.is_empty() {
            let sent: Vec<_> = over.iter().map(|s| s.path.clone()).collect();
            let mut found = self.remote.existing(&sent).await?.into_iter();
            let (gone, there): (Vec<_>, Vec<_>) = over
                .into_iter()
                .partition(|_| found.next() == Some(Existing::Missing));
            over = there;
            // Somebody has taken them away: nothing is there to take the place of what would be deleted.
            for one in gone {
                self.go_alone(left, one.task);
            }
        }
        if !over.is_empty() {
            let targets: Vec<_> = over.iter().map(|s| s.task.plan.remote.clone()).collect();
            self.remote.delete_many(&targets).await?;
            alone.extend(self.rename_these(over, left).await?);
        }
        for one in alone {
            let target = &one.task.plan.remote;
            let renamed = self.rename(one.task, &one.path, target, one.replaces, one.done);
            match renamed.await? {
                Step::Done(outcome) => self.end(left, one.task, outcome),
                Step::Refused(_) => self.go_alone(left, one.task),
            }
        }
        Ok(())
    }

    /// Those that the server refuses come back. Not given up half-way: what became of them would have to be found out.
    async fn rename_these<'t>(
        &self,
        stored: Vec<Stored<'t>>,
        left: &mut Left<'t>,
    ) -> Result<Vec<Stored<'t>>, Stop> {
        let pairs: Vec<_> = stored
            .iter()
            .map(|one| (one.path.clone(), one.task.plan.remote.clone()))
            .collect();
        let outcomes = self.remote.rename_many(&pairs).await?;
        let mut refused = Vec::new();
        for (one, outcome) in stored.into_iter().zip(outcomes) {
            match outcome {
                Ok(()) => self.end(left, one.task, Outcome::Done(Box::new(one.done))),
                // Of the moment: the next try finds what was sent.
                Err(error) if error.retry != Retry::Never => {
                    self.fail(left, one.task, error.into());
                }
                Err(_) => refused.push(one),
            }
        }
        Ok(refused)
    }

    /// Deletes what was sent of items that were cancelled; of paused ones it stays.
    async fn clean_cancelled(&self, sent: &[(&Task, &RemotePath)]) {
        let paths: Vec<RemotePath> = sent
            .iter()
            .filter(|(task, _)| self.ledger.stopped(task.id) == Some(StopKind::Cancelled))
            .map(|(_, path)| (*path).clone())
            .collect();
        self.clean_up(&paths).await;
    }

    async fn clean_up(&self, paths: &[RemotePath]) {
        if paths.is_empty() {
            return;
        }
        let deleted = self.remote.delete_many(paths);
        if let Ok(Err(error)) = tokio::time::timeout(CLEANING_LIMIT, deleted).await {
            tracing::info!(%error, "uploads that were given up were left on the server");
        }
    }
}
