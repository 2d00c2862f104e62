//! Small files that were fetched: written, noted, and named, all of a group at once.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use jiff::Timestamp;

use super::decide::local_name;
use super::download::parent_of;
use super::fetch_group::{Arrived, Wanted};
use super::place::kept_time;
use super::{Job, Left, Stop, blocking};
use crate::disk::Folder;
use crate::error::Error;
use crate::partial::{Finish, Partial, Placed, Spot};
use crate::work::{Done, Finishing, Note, Outcome, Task};
use crate::{Sync, TransferId};

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
pub(super) struct Folders(HashMap<PathBuf, Arc<Folder>>);

impl Folders {
    pub(super) fn open(&mut self, task: &Task) -> Result<Arc<Folder>, Error> {
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
    /// Writes all of them under temporary names, notes it, and gives them their names.
    pub(super) async fn write<'t>(
        &self,
        arrived: Vec<Arrived<'t>>,
        left: &mut Left<'t>,
    ) -> Result<(), Stop> {
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
                ..
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
            blocking(move || {
                given_up.iter().for_each(Spot::remove);
                Ok(())
            })
            .await?;
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
