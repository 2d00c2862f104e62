//! A download that is complete: what it is given, its name, and how it is found after a crash.

use std::ffi::OsStr;
use std::sync::Arc;
use std::time::SystemTime;

use jiff::Timestamp;

use super::decide::{self, decide, local_name, rule_of};
use super::download::{Brought, let_go};
use super::{Job, Stop, blocking};
use crate::conflict::{self, Decision};
use crate::disk::{Folder, There};
use crate::error::{Error, Retry};
use crate::partial::{Finish, Partial, Placed, Spot};
use crate::work::{Done, Finishing, Note, Outcome, Task};
use crate::{Facts, KeepTime, Sync};

/// What was found at the place of the target.
pub(super) enum Found {
    /// An earlier try has finished it.
    Complete,
    /// An earlier try has finished it, but for its name.
    Unnamed(Spot),
    There(There),
}

impl Job<'_> {
    /// Gives a complete file what it is to have, and its name.
    pub(super) async fn finish(
        &self,
        task: &Task,
        partial: Partial,
        brought: Brought,
        now: Facts,
        replaces: bool,
    ) -> Result<Outcome, Stop> {
        let stopped = match self.go_on(task.id) {
            Ok(()) => self.mode_for(task).await,
            Err(stop) => Err(stop),
        };
        let mode = match stopped {
            Ok(mode) => mode,
            Err(stop) => {
                let keep = self.is_worth_keeping(task.id, &stop);
                let_go(partial, keep).await?;
                return Err(stop);
            }
        };
        let modified = kept_time(task, now.modified);
        let finish = Finish {
            length: Some(brought.bytes),
            modified: modified.map(SystemTime::from),
            mode,
            sync: task.options.sync == Sync::Always,
        };
        let spot = blocking(move || partial.finish(finish)).await?;
        let mut checks = brought.checks;
        checks.time = spot.has_time;
        let done = Done {
            bytes: brought.bytes,
            resumed_from: brought.offset,
            checks,
            digest: brought.digest,
            ..Done::default()
        };
        let noted = Some(modified.filter(|_| spot.has_time));
        self.put_in_place(task, spot, replaces, done, noted).await
    }

    /// The permissions that a download is to have.
    async fn mode_for(&self, task: &Task) -> Result<Option<u32>, Stop> {
        if !task.options.keep_permissions {
            return Ok(None);
        }
        if task.plan.mode.is_some() {
            return Ok(task.plan.mode);
        }
        match self
            .live
            .or_stopped(self.remote.mode(&task.plan.remote))
            .await
        {
            Err(Stop::Error(error)) if !error.connection_lost() => Ok(None),
            outcome => outcome,
        }
    }

    /// Notes that the file gets its name, unless that was `noted` by an earlier try, and gives it to it.
    pub(super) async fn put_in_place(
        &self,
        task: &Task,
        mut spot: Spot,
        mut replaces: bool,
        mut done: Done,
        modified: Option<Option<Timestamp>>,
    ) -> Result<Outcome, Stop> {
        let planned = local_name(&task.plan, 0).unwrap_or_default();
        let mut note = modified.is_some();
        let mut number = 1;
        loop {
            if note {
                let finishing = Finishing {
                    size: done.bytes,
                    modified: modified.flatten(),
                    name: (spot.name != planned).then(|| spot.name.as_encoded_bytes().to_vec()),
                    inode: spot.inode(),
                    checks: done.checks,
                    digest: done.digest.clone(),
                    resumed_from: done.resumed_from,
                };
                self.note(task.id, Note::Finishing(finishing)).await?;
            }
            let sync = task.options.sync == Sync::Always;
            let (back, placed, there) = blocking(move || {
                let placed = spot.place(replaces).inspect_err(|error| {
                    if error.retry() == Retry::Never {
                        spot.remove();
                    }
                })?;
                if placed == Placed::Yes && sync {
                    spot.folder.sync()?;
                }
                let there = spot.folder.look(&spot.name)?;
                Ok((spot, placed, there))
            })
            .await?;
            spot = back;
            if placed == Placed::Yes {
                done.renamed = (spot.name != planned).then(|| spot.name.clone());
                return Ok(Outcome::Done(Box::new(done)));
            }
            // Somebody has put something there meanwhile.
            let source = Facts {
                size: Some(done.bytes),
                modified: modified.flatten().or(task.plan.modified),
            };
            match decide(rule_of(task), source, facts_of(there)) {
                Decision::Skip => {
                    blocking(move || {
                        spot.remove();
                        Ok(())
                    })
                    .await?;
                    return Ok(Outcome::Skipped);
                }
                // It stays complete under its temporary name, and is found there.
                Decision::Ask => return Ok(Outcome::Ask(facts_of(there))),
                Decision::Rename if number < decide::MOST_NUMBERS => {
                    number += 1;
                    spot.renamed(conflict::numbered_local(&planned, number));
                    note = true;
                }
                _ => replaces = true,
            }
        }
    }
}

/// What is at the place of the target, and whether an earlier try has put it there.
pub(super) fn look(
    folder: &Arc<Folder>,
    name: &OsStr,
    finishing: Option<&Finishing>,
) -> Result<Found, Error> {
    if let Some(noted) = finishing {
        let given = noted.name.as_deref().map(decide::os_name);
        let name = given.as_deref().unwrap_or(name);
        if let Some(inode) = noted.inode
            && let Some(spot) = Spot::left_over(folder, name, inode, noted.size)?
        {
            return Ok(Found::Unnamed(spot));
        }
        if let There::File(facts) = folder.look(name)? {
            let seconds = |t: Option<Timestamp>| t.map(|t| t.as_second());
            let same_time = seconds(facts.modified) == seconds(noted.modified);
            let is_it = match noted.inode {
                // Numbers are used again, so the time has to be right as well.
                Some(inode) => {
                    Spot::is_in_place(folder, name, inode)
                        && (same_time || noted.modified.is_none())
                }
                None => same_time && noted.modified.is_some(),
            };
            if is_it && facts.size == Some(noted.size) {
                return Ok(Found::Complete);
            }
        }
    }
    Ok(Found::There(folder.look(name)?))
}

/// The time that a download is given.
pub(super) fn kept_time(task: &Task, modified: Option<Timestamp>) -> Option<Timestamp> {
    modified.filter(|_| task.options.keep_time == KeepTime::Yes)
}

pub(super) fn facts_of(there: There) -> Facts {
    match there {
        There::File(facts) => facts,
        _ => Facts::default(),
    }
}

/// What an earlier try had found out, which is all there is to say.
pub(super) fn found_complete(task: &Task) -> Done {
    let noted = task.finishing.clone().unwrap_or_default();
    Done {
        bytes: noted.size,
        resumed_from: noted.resumed_from,
        checks: noted.checks,
        digest: noted.digest,
        renamed: noted.name.as_deref().map(decide::os_name),
        found_complete: true,
    }
}
