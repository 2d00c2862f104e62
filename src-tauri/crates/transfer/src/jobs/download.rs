//! A file from the server, by itself.

use std::path::Path;
use std::sync::Arc;

use tokio::time::Instant;

use super::decide::{self, decide, is_same_source, local_name, rule_of};
use super::islands::{bytes_of, islands_of};
use super::place::{Found, facts_of, found_complete, look};
use super::split::Fetch;
use super::verify::LONG;
use super::{Job, Stop, blocking};
use crate::conflict::Decision;
use crate::disk::{Folder, There};
use crate::error::{Error, RemoteError, Retry};
use crate::partial::Partial;
use crate::remote::{Beginning, Moved, Wire};
use crate::work::{Identity, Note, Outcome, Plan, Task};
use crate::{Checks, ConflictRule, Facts};

/// Of files from this size on (bytes) the server is asked what they are right before, whatever a listing said: only then
/// can it be seen that they were changed meanwhile.
const ASK_AGAIN: u64 = 16 << 20;
/// Servers that count in 32 bits lead elsewhere from here on.
pub(super) const FAR: u64 = 1 << 31;

/// What a download has brought.
pub(super) struct Brought {
    pub(super) bytes: u64,
    pub(super) offset: u64,
    pub(super) checks: Checks,
    pub(super) digest: Option<String>,
}

impl Job<'_> {
    pub(super) async fn download(&self, task: &Task) -> Result<Outcome, Stop> {
        let plan = &task.plan;
        let number = task.begun.as_ref().map_or(0, |begun| begun.number);
        let finishing = task.finishing.clone();
        let (base, parent) = (plan.base.clone(), parent_of(plan).to_owned());
        let name = local_name(plan, number).ok_or_else(|| no_name(plan))?;
        let target = name.clone();
        let (folder, found) = blocking(move || {
            let folder = Arc::new(Folder::open(&base, &parent)?);
            let found = look(&folder, &target, finishing.as_ref())?;
            Ok((folder, found))
        })
        .await?;
        match found {
            Found::Complete => Ok(Outcome::Done(Box::new(found_complete(task)))),
            Found::Unnamed(spot) => {
                let replaces = rule_of(task) == ConflictRule::Overwrite;
                let done = found_complete(task);
                self.put_in_place(task, spot, replaces, done, None).await
            }
            Found::There(there) => self.download_over(task, folder, there).await,
        }
    }

    /// Decides what becomes of what is there, and downloads.
    async fn download_over(
        &self,
        task: &Task,
        folder: Arc<Folder>,
        there: There,
    ) -> Result<Outcome, Stop> {
        let rule = rule_of(task);
        let mut source = Facts {
            size: task.size,
            modified: task.plan.modified,
        };
        if let There::Folder = there {
            let error = std::io::ErrorKind::IsADirectory.into();
            return Err(Error::local("replace", &task.plan.local(), error).into());
        }
        let is_free = there == There::Nothing;
        let decided = match there {
            There::Nothing => Decision::Overwrite,
            There::File(facts) if decide::compares_times(rule) && source.modified.is_none() => {
                source = self.live.or_stopped(self.remote_facts(task, false)).await?;
                decide(rule, source, facts)
            }
            There::File(facts) => decide(rule, source, facts),
            There::Link | There::Folder => decide(rule, source, Facts::default()),
        };
        match decided {
            Decision::Skip => return Ok(Outcome::Skipped),
            Decision::Ask => return Ok(Outcome::Ask(facts_of(there))),
            Decision::Overwrite | Decision::Resume | Decision::Rename => {}
        }
        // What was begun is only continued if the source is known to be the same.
        let large = task.size.is_none_or(|size| size >= ASK_AGAIN);
        let fresh = task.begun.is_some() || large;
        let now = self.live.or_stopped(self.remote_facts(task, fresh)).await?;
        let mut decided = match (decided, there) {
            // Now that its size is known for sure.
            (Decision::Resume, There::File(facts)) => decide(rule, now, facts),
            (decided, _) => decided,
        };
        let keep = task
            .begun
            .as_ref()
            .is_some_and(|begun| !begun.in_place && is_same_source(begun, now));
        loop {
            let (held, identity) = self.open(task, &folder, decided, keep, now).await?;
            let mut held = Some(held);
            let brought = self.bring(task, now, fresh, identity, &mut held).await;
            match (brought, held) {
                (Ok(Some(brought)), Some(partial)) => {
                    let replaces = decided != Decision::Rename
                        && (rule == ConflictRule::Overwrite || !is_free);
                    return self.finish(task, partial, brought, now, replaces).await;
                }
                // What is there is not the beginning of the source: it is replaced.
                (Ok(None), Some(partial)) => {
                    let_go(partial, true).await?;
                    decided = Decision::Overwrite;
                }
                (Ok(_), None) => return Err(Error::Internal("a file was lost".into()).into()),
                (Err(stop), held) => {
                    let keep = self.is_worth_keeping(task.id, &stop);
                    if let Some(partial) = held {
                        let_go(partial, keep).await?;
                    }
                    return Err(explain_link(&task.plan, stop));
                }
            }
        }
    }

    /// The file that is written to, and the note about it.
    async fn open(
        &self,
        task: &Task,
        folder: &Arc<Folder>,
        decided: Decision,
        keep: bool,
        now: Facts,
    ) -> Result<(Partial, Identity), Error> {
        let (plan, folder) = (task.plan.clone(), folder.clone());
        let noted = task.begun.clone().unwrap_or_default();
        let begun = noted.number;
        let can_restart = self.remote.can_restart();
        let (partial, number, in_place, islands) = blocking(move || {
            let (mut partial, number, in_place) = match decided {
                Decision::Rename => {
                    let (partial, number) = open_numbered(&folder, &plan, begun, keep)?;
                    (partial, number, false)
                }
                Decision::Resume => {
                    let name = local_name(&plan, 0).ok_or_else(|| no_name(&plan))?;
                    match Partial::of_target(&folder, &name)? {
                        Some(partial) => (partial, 0, true),
                        None => (Partial::open(&folder, &name, keep)?, 0, false),
                    }
                }
                _ => {
                    let name = local_name(&plan, begun).ok_or_else(|| no_name(&plan))?;
                    (Partial::open(&folder, &name, keep)?, begun, false)
                }
            };
            // Before anything is made of its length, and before a note that says no more of it.
            let mut islands = Box::default();
            if let Some(contiguous) = noted.contiguous {
                if keep && can_restart && !in_place {
                    islands = islands_of(&noted, partial.found(), now.size);
                }
                match islands.is_empty() {
                    true => partial.cut_back(contiguous)?,
                    false => partial.go_on_from(contiguous),
                }
            }
            Ok((partial, number, in_place, islands))
        })
        .await?;
        let identity = Identity {
            size: now.size,
            modified: now.modified,
            in_place,
            number,
            contiguous: (!islands.is_empty()).then(|| partial.found()),
            islands,
        };
        Ok((partial, identity))
    }

    /// Brings the bytes, and what is known about them; `None` if the target itself was to be continued and turned out
    /// not to be the source's beginning.
    async fn bring(
        &self,
        task: &Task,
        before: Facts,
        fresh: bool,
        mut identity: Identity,
        held: &mut Option<Partial>,
    ) -> Result<Option<Brought>, Stop> {
        let path = &task.plan.remote;
        let size = before.size;
        let far = |found: u64| !self.remote.learned().reaches(found);
        let too_much = held
            .as_ref()
            .is_some_and(|p| far(p.found()) || size.is_some_and(|size| p.found() > size));
        if too_much && identity.in_place {
            return Ok(None);
        }
        let forget = too_much || !self.are_islands_right(task, &identity, held).await?;
        let contiguous = identity.contiguous;
        if forget {
            (identity.contiguous, identity.islands) = (None, Box::default());
        }
        let (from, mut file) = on_disk(held, move |partial| {
            if too_much {
                partial.restart()?;
            } else if let Some(contiguous) = contiguous.filter(|_| forget) {
                partial.cut_back(contiguous)?;
            }
            if let Some(size) = size {
                partial.reserve(size)?;
            }
            Ok((partial.beginning()?, partial.file()?))
        })
        .await?;
        // After what was there of another source is gone, and before the first byte of this one.
        if task.begun.as_ref() != Some(&identity) || task.finishing.is_some() {
            self.go_on(task.id)?;
            self.note(task.id, Note::Begun(identity.clone())).await?;
        }
        let mut kept = bytes_of(&identity.islands);
        self.live.know_total(size);
        self.live.resumed_from(from.offset + kept);
        let wire = Wire {
            size,
            ..self.wire()
        };
        let start = Instant::now();
        let mut offset = from.offset;
        let mut has_split = kept > 0;
        let fetch = Fetch {
            task,
            before,
            identity: &identity,
            wire: &wire,
            has_split: &mut has_split,
        };
        let moved = self.fetch_file(fetch, &from, file).await;
        // What was given up may have a piece in its hands. Until it has let go nobody does anything with the file.
        wire.bound.at_rest().await;
        let bytes = match moved {
            Ok(Moved::Bytes(bytes)) => bytes,
            Err(stop) if !is_refusal(&stop) => return Err(stop),
            Err(stop) if kept == 0 && (offset == 0 || has_split) => return Err(stop),
            // Another beginning, or no way to go on from there.
            outcome => {
                if offset >= FAR && outcome.is_ok() {
                    self.learn_reach(task, offset, size).await?;
                }
                if identity.in_place {
                    return Ok(None);
                }
                (offset, kept) = (0, 0);
                self.live.resumed_from(0);
                file = on_disk(held, |partial| {
                    partial.restart()?;
                    partial.file()
                })
                .await?;
                if has_split {
                    (identity.contiguous, identity.islands) = (None, Box::default());
                    self.note(task.id, Note::Begun(identity)).await?;
                }
                let whole = Beginning::default();
                let again = self.remote.download(path, &whole, file, &wire);
                let moved = self.live.or_stopped(again).await;
                wire.bound.at_rest().await;
                match moved? {
                    Moved::Bytes(bytes) => bytes,
                    Moved::Differs => return Err(Error::SourceChanged.into()),
                }
            }
        };
        let total = offset + bytes;
        let mut checks = self
            .live
            .or_stopped(self.check_size(path, size, total))
            .await?;
        checks.tail = offset + kept > 0;
        if has_split || fresh && offset > 0 || start.elapsed() > LONG {
            let unchanged = self.check_unchanged(path, before, fresh);
            self.live.or_stopped(unchanged).await?;
        }
        let reader = held.as_ref().map(Partial::reader).transpose()?;
        let lost = || Error::Internal("a file was lost".into());
        let open = move || reader.ok_or_else(lost);
        let digest = self.check_hash(task, path, open, &mut checks).await?;
        Ok(Some(Brought {
            bytes: total,
            offset: offset + kept,
            checks,
            digest,
        }))
    }

    /// Whether the server leads elsewhere when it is to begin far in a file: then the last byte is not the last one.
    async fn learn_reach(&self, task: &Task, offset: u64, size: Option<u64>) -> Result<(), Stop> {
        let Some(last) = size.and_then(|size| size.checked_sub(1)) else {
            return Ok(());
        };
        let wire = self.wire();
        let piece = self.remote.piece(&task.plan.remote, last, 2, &wire);
        match self.live.or_stopped(piece).await {
            Ok(piece) if piece.len() == 1 => Ok(()),
            Err(stop) if !is_refusal(&stop) => Err(stop),
            _ => {
                self.remote.learned().does_not_reach(offset.min(last));
                Ok(())
            }
        }
    }
}

/// The first numbered name that nothing has, and that nobody else is downloading to.
fn open_numbered(
    folder: &Arc<Folder>,
    plan: &Plan,
    begun: u32,
    keep: bool,
) -> Result<(Partial, u32), Error> {
    for number in begun.max(2)..decide::MOST_NUMBERS {
        let name = local_name(plan, number).ok_or_else(|| no_name(plan))?;
        if folder.look(&name)? != There::Nothing {
            continue;
        }
        match Partial::open(folder, &name, keep && number == begun) {
            Err(Error::TargetInUse { .. }) => {}
            outcome => return outcome.map(|partial| (partial, number)),
        }
    }
    Err(Error::local(
        "create",
        &plan.local(),
        std::io::ErrorKind::AlreadyExists.into(),
    ))
}

/// Works on the file on a thread for it, and gives it back whatever happens.
pub(super) async fn on_disk<T: Send + 'static>(
    held: &mut Option<Partial>,
    work: impl FnOnce(&mut Partial) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let lost = || Error::Internal("a file was lost".into());
    let mut partial = held.take().ok_or_else(lost)?;
    let (partial, outcome) = blocking(move || {
        let outcome = work(&mut partial);
        Ok((partial, outcome))
    })
    .await?;
    *held = Some(partial);
    outcome
}

/// Keeps what was written for the next try, or removes it.
pub(super) async fn let_go(partial: Partial, keep: bool) -> Result<(), Error> {
    blocking(move || {
        match keep {
            true => partial.keep(),
            false => partial.remove(),
        }
        Ok(())
    })
    .await
}

pub(super) fn parent_of(plan: &Plan) -> &Path {
    plan.relative.parent().unwrap_or(Path::new(""))
}

pub(super) fn no_name(plan: &Plan) -> Error {
    let error = std::io::ErrorKind::InvalidInput.into();
    Error::local("create", &plan.local(), error)
}

/// The server does not want it so; the connection is as good as before.
pub(super) fn is_refusal(stop: &Stop) -> bool {
    matches!(
        stop,
        Stop::Error(Error::Remote(RemoteError {
            connection_lost: false,
            retry: Retry::Never,
            ..
        }))
    )
}

/// A link is tried as a file, since the server only can tell what it leads to.
fn explain_link(plan: &Plan, stop: Stop) -> Stop {
    match is_refusal(&stop) && plan.link {
        true => Stop::Error(Error::NotAFile {
            path: plan.remote.to_string(),
            what: "a link that leads to no file",
        }),
        false => stop,
    }
}
