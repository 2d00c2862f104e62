//! A file to the server, by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ftp_client::ftp_proto::RemotePath;
use jiff::Timestamp;

use super::decide::{self, decide, is_same_source, remote_name, rule_of, temporary_of};
use super::{CLEANING_LIMIT, Job, OrUnknown, Stop, blocking};
use crate::conflict::Decision;
use crate::disk::{self, Source};
use crate::error::{Error, Retry};
use crate::remote::Start;
use crate::work::{Done, Existing, Finishing, Identity, Note, Outcome, Task};
use crate::{Checks, ConflictRule, Facts, UploadName};

/// What is sent, and where.
pub(super) struct Upload<'t> {
    pub(super) task: &'t Task,
    pub(super) source: Arc<Source>,
    pub(super) facts: Facts,
    /// The name that it has in the end.
    pub(super) target: RemotePath,
    pub(super) number: u32,
    /// Something has that name, which is to be replaced.
    pub(super) replaces: bool,
}

/// Where it is written.
pub(super) struct Place {
    pub(super) path: RemotePath,
    pub(super) in_place: bool,
    /// What is there was not begun by us: it is the target, to be continued at its end.
    pub(super) is_old: bool,
}

/// What was sent.
pub(super) struct Sent {
    pub(super) offset: u64,
    pub(super) checks: Checks,
    pub(super) digest: Option<String>,
    pub(super) modified: Option<Timestamp>,
}

/// How far a step came.
pub(super) enum Step<T> {
    Done(T),
    /// The server refuses this name before the first byte.
    Refused(Error),
}

impl Job<'_> {
    pub(super) async fn upload(&self, task: &Task) -> Result<Outcome, Stop> {
        let outcome = self.upload_as_decided(task).await;
        // What earlier tries have left, if this one did not even come to it.
        if let Err(stop @ Stop::Asked) = &outcome
            && !self.is_worth_keeping(task.id, stop)
            && let Some(path) = left_behind(task)
        {
            self.clean(&path).await;
        }
        outcome
    }

    async fn upload_as_decided(&self, task: &Task) -> Result<Outcome, Stop> {
        let local = task.plan.local();
        let source = Arc::new(blocking(move || disk::open_source(&local)).await?);
        let facts = facts_of(&source);
        self.live.know_total(facts.size);
        // What was begun with another source, or another version of it, is nothing to us.
        let begun = task
            .begun
            .as_ref()
            .filter(|begun| is_same_source(begun, facts));
        if begun.is_some()
            && let Some(noted) = &task.finishing
            && let Some(outcome) = self.finish_upload(task, noted, &source).await?
        {
            return Ok(outcome);
        }
        let ours = task.begun.as_ref().filter(|begun| begun.in_place);
        let decided = match ours {
            // What is there is what an earlier try has left, which no rule is for.
            Some(begun) => (Decision::Overwrite, begun.number, true),
            None => match self.decide_upload(task, facts).await? {
                Ok(decided) => decided,
                Err(outcome) => return Ok(outcome),
            },
        };
        let (decided, number, replaces) = decided;
        let upload = Upload {
            task,
            source,
            facts,
            target: remote_name(&task.plan.remote, number)
                .ok_or_else(|| Error::Internal("a file without a name".into()))?,
            number,
            replaces,
        };
        // Before anything is sent, let alone deleted to make room for it.
        self.remote.check_name(&upload.target)?;
        let continues = begun.is_some_and(|begun| begun.in_place);
        if decided == Decision::Resume || continues {
            let place = Place {
                path: upload.target.clone(),
                in_place: true,
                is_old: !continues,
            };
            let (start, offset) = self.place_to_go_on(&upload, &place).await?;
            if offset > 0 {
                // Refused, it is sent from its beginning, as a new file.
                match self.carry(&upload, place, start, offset).await? {
                    Step::Done(outcome) => return Ok(outcome),
                    Step::Refused(error) => {
                        let text = format!(
                            "going on from byte {offset} was refused ({error}); sending it again from its beginning"
                        );
                        self.remote.remark(text).await;
                    }
                }
            }
        }
        let by_another_name = task.options.upload == UploadName::Temporary
            && !self.remote.learned().refuses_temporary();
        let mut refused = None;
        if by_another_name && let Some(path) = temporary_of(&upload.target) {
            let place = Place {
                path,
                in_place: false,
                is_old: false,
            };
            let (start, offset) = match begun.filter(|begun| !begun.in_place) {
                Some(_) => self.place_to_go_on(&upload, &place).await?,
                None => (Start::At(0), 0),
            };
            match self.carry(&upload, place, start, offset).await? {
                Step::Done(outcome) => return Ok(outcome),
                Step::Refused(error) => refused = Some(error),
            }
        }
        let place = Place {
            path: upload.target.clone(),
            in_place: true,
            is_old: false,
        };
        match self.carry(&upload, place, Start::At(0), 0).await? {
            Step::Done(outcome) => {
                if refused.is_some() {
                    self.remote.learned().temporary_refused();
                }
                Ok(outcome)
            }
            Step::Refused(error) => Err(error.into()),
        }
    }

    /// What becomes of it, the number of its name, and whether it replaces something; or how it ends right here.
    async fn decide_upload(
        &self,
        task: &Task,
        facts: Facts,
    ) -> Result<Result<(Decision, u32, bool), Outcome>, Stop> {
        let rule = rule_of(task);
        if rule == ConflictRule::Overwrite {
            return Ok(Ok((Decision::Overwrite, 0, true)));
        }
        // A listing may be of long ago.
        let target = [task.plan.remote.clone()];
        let found = self.live.or_stopped(self.remote.existing(&target)).await?;
        let there = match found.first() {
            Some(Existing::File(there)) => *there,
            _ => return Ok(Ok((Decision::Overwrite, 0, false))),
        };
        Ok(match decide(rule, facts, there) {
            Decision::Skip => Err(Outcome::Skipped),
            Decision::Ask => Err(Outcome::Ask(there)),
            Decision::Rename => {
                let number = self.free_remote_name(&task.plan.remote).await?;
                Ok((Decision::Rename, number, false))
            }
            decided => Ok((decided, 0, true)),
        })
    }

    /// Sends it to this place and gives it its name; what can't be used is cleaned up.
    async fn carry(
        &self,
        upload: &Upload<'_>,
        place: Place,
        start: Start,
        offset: u64,
    ) -> Result<Step<Outcome>, Stop> {
        let task = upload.task;
        let identity = Identity {
            size: upload.facts.size,
            modified: upload.facts.modified,
            // What is only continued is no one's beginning until then: the rule finds it again.
            in_place: place.in_place && !place.is_old,
            number: upload.number,
            contiguous: None,
            islands: Box::default(),
        };
        if task.begun.as_ref() != Some(&identity) || task.finishing.is_some() {
            self.go_on(task.id)?;
            self.note(task.id, Note::Begun(identity.clone())).await?;
        }
        let begun = AtomicBool::new(false);
        let sent = self.send(upload, &place, start, offset, &begun).await;
        let outcome = match sent {
            Ok(Step::Done(sent)) => self.give_name(upload, &place, sent).await,
            Ok(Step::Refused(error)) => return Ok(Step::Refused(error)),
            Err(stop) => Err(stop),
        };
        if let Err(stop) = &outcome {
            let touched = begun.load(Ordering::Relaxed) || task.begun.as_ref() == Some(&identity);
            let lost = matches!(stop, Stop::Error(error) if error.connection_lost());
            if touched && !place.is_old && !lost && !self.is_worth_keeping(task.id, stop) {
                self.clean(&place.path).await;
            }
        }
        outcome
    }

    /// What is there is neither the old file nor the new one. If it can't be deleted, it stays.
    pub(super) async fn clean(&self, path: &RemotePath) {
        let deleted = self.remote.delete(path);
        if let Ok(Err(error)) = tokio::time::timeout(CLEANING_LIMIT, deleted).await {
            tracing::info!(%error, %path, "an upload that was given up was left on the server");
        }
    }

    /// Gives a complete file its name.
    async fn give_name(
        &self,
        upload: &Upload<'_>,
        place: &Place,
        sent: Sent,
    ) -> Result<Step<Outcome>, Stop> {
        let task = upload.task;
        self.go_on(task.id)?;
        let done = Done {
            bytes: upload.source.size,
            resumed_from: sent.offset,
            checks: sent.checks,
            digest: sent.digest,
            renamed: renamed(&upload.target, upload.number),
            found_complete: false,
        };
        if place.in_place {
            return Ok(Step::Done(Outcome::Done(Box::new(done))));
        }
        let finishing = Finishing {
            size: done.bytes,
            modified: sent.modified,
            name: (upload.number > 0)
                .then(|| upload.target.file_name().unwrap_or_default().to_vec()),
            inode: None,
            checks: done.checks,
            digest: done.digest.clone(),
            resumed_from: done.resumed_from,
        };
        self.note(task.id, Note::Finishing(finishing)).await?;
        let replaces = upload.replaces;
        self.rename(task, &place.path, &upload.target, replaces, done)
            .await
    }

    /// Gives a complete upload its name. Where the server does not rename over a file, that is deleted first, since all
    /// of the new one is there.
    pub(super) async fn rename(
        &self,
        task: &Task,
        from: &RemotePath,
        to: &RemotePath,
        replaces: bool,
        done: Done,
    ) -> Result<Step<Outcome>, Stop> {
        let pairs = [(from.clone(), to.clone())];
        // Not given up half-way: what became of it would have to be found out.
        let renamed = self.remote.rename_many(&pairs).await?.pop();
        let mut refused = match renamed {
            Some(Err(error)) => error,
            _ => return Ok(Step::Done(Outcome::Done(Box::new(done)))),
        };
        if refused.retry != Retry::Never {
            // Of the moment: what was sent is found by the next try, and what has the name keeps it until then.
            return Err(refused.into());
        }
        let names = [from.clone(), to.clone()];
        let found = self.remote.existing(&names).await?;
        if let Some(Existing::Missing) = found.first() {
            // Somebody has taken it away: nothing is there to take the place of what would be deleted.
            return Ok(Step::Refused(refused.into()));
        }
        if !replaces {
            // Somebody may have put something there meanwhile.
            if let Some(Existing::File(there)) = found.get(1) {
                let source = Facts {
                    size: Some(done.bytes),
                    modified: None,
                };
                match decide(rule_of(task), source, *there) {
                    Decision::Skip => {
                        self.clean(from).await;
                        return Ok(Step::Done(Outcome::Skipped));
                    }
                    Decision::Ask => return Ok(Step::Done(Outcome::Ask(*there))),
                    // The next try finds another number, and what was sent.
                    Decision::Rename => return Err(refused.into()),
                    Decision::Overwrite | Decision::Resume => {}
                }
            }
        }
        if self
            .remote
            .delete(to)
            .await
            .map(Some)
            .or_unknown()?
            .is_some()
        {
            match self.remote.rename_many(&pairs).await?.pop() {
                Some(Err(error)) if error.retry != Retry::Never => return Err(error.into()),
                Some(Err(error)) => refused = error,
                _ => return Ok(Step::Done(Outcome::Done(Box::new(done)))),
            }
        }
        self.clean(from).await;
        Ok(Step::Refused(refused.into()))
    }

    /// What an earlier try has finished, as far as it came: `None` if there is nothing of it.
    async fn finish_upload(
        &self,
        task: &Task,
        noted: &Finishing,
        source: &Source,
    ) -> Result<Option<Outcome>, Stop> {
        let number = task.begun.as_ref().map_or(0, |begun| begun.number);
        let Some(target) = remote_name(&task.plan.remote, number) else {
            return Ok(None);
        };
        let Some(temporary) = temporary_of(&target).filter(|_| noted.size == source.size) else {
            return Ok(None);
        };
        let done = Done {
            bytes: noted.size,
            resumed_from: noted.resumed_from,
            checks: noted.checks,
            digest: noted.digest.clone(),
            renamed: renamed(&target, number),
            found_complete: true,
        };
        let names = [temporary.clone(), target.clone()];
        let found = self.live.or_stopped(self.remote.existing(&names)).await?;
        let seconds = |time: Option<Timestamp>| time.map(|t| t.as_second());
        match found.as_slice() {
            [Existing::File(sent), target_now] if sent.size == Some(noted.size) => {
                self.go_on(task.id)?;
                let replaces = rule_of(task) == ConflictRule::Overwrite;
                if let Existing::File(there) = target_now {
                    // It may have come there after the rule was asked, and the time between may be long.
                    match decide(rule_of(task), facts_of(source), *there) {
                        Decision::Overwrite | Decision::Resume => {}
                        Decision::Skip => {
                            self.clean(&temporary).await;
                            return Ok(Some(Outcome::Skipped));
                        }
                        Decision::Ask => return Ok(Some(Outcome::Ask(*there))),
                        Decision::Rename => {
                            self.clean(&temporary).await;
                            return Ok(None);
                        }
                    }
                }
                match self
                    .rename(task, &temporary, &target, replaces, done)
                    .await?
                {
                    Step::Done(outcome) => Ok(Some(outcome)),
                    Step::Refused(_) => Ok(None),
                }
            }
            [Existing::Missing, Existing::File(there)]
                if there.size == Some(noted.size)
                    && seconds(noted.modified)
                        .zip(seconds(there.modified))
                        .is_none_or(|(noted, there)| noted == there) =>
            {
                Ok(Some(Outcome::Done(Box::new(done))))
            }
            _ => Ok(None),
        }
    }
}

/// The temporary name under which an upload that was begun may stand on the server.
pub(super) fn left_behind(task: &Task) -> Option<RemotePath> {
    let begun = task.begun.as_ref()?;
    let target = remote_name(&task.plan.remote, begun.number)?;
    match begun.in_place {
        true => None,
        false => temporary_of(&target),
    }
}

/// What a local file is.
pub(super) fn facts_of(source: &Source) -> Facts {
    Facts {
        size: Some(source.size),
        modified: source.modified.and_then(|t| Timestamp::try_from(t).ok()),
    }
}

/// FTP's times have no parts of seconds everywhere.
pub(super) fn whole_seconds(time: Timestamp) -> Option<Timestamp> {
    let second = time.as_second() - i64::from(time.subsec_nanosecond() < 0);
    Timestamp::from_second(second).ok()
}

pub(super) fn renamed(target: &RemotePath, number: u32) -> Option<std::ffi::OsString> {
    let name = target.file_name().filter(|_| number > 0)?;
    Some(decide::os_name(name))
}
