//! Which of the folders that the window shows were changed by transfers.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;
use transfer::{Direction, Interest, ItemKind, QueueUpdate, State, Transfer, TransferId};

use super::Queue;
use crate::state::{Shell, folder::Folder};

/// A folder that many files go to is not read anew for each of them.
const LOOK_AGAIN: Duration = Duration::from_millis(1500);

/// Tells the window which of the folders that it shows were changed by transfers, for as long as the program runs.
pub(crate) async fn follow(shell: Arc<Shell>) {
    // Of what is in folders, only what runs is told of, and that it does so no longer.
    let mut updates = shell.queue.queue.subscribe(Interest::Overview);
    let mut moving: HashMap<TransferId, Vec<Folder>> = HashMap::new();
    let mut changed = Changed::default();
    loop {
        let next = changed.next();
        let due = async {
            match next {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            update = updates.next() => match update {
                Some(QueueUpdate::Changes { upserts, removed, .. }) => {
                    for item in &upserts {
                        if item.kind == ItemKind::Folder && item.state.is_open() && item.bytes > 0 {
                            changed.extend(shell.queue.folders_of(item, true));
                        }
                        if item.state.is_open() {
                            if item.state == State::Running {
                                moving.entry(item.id).or_insert_with(|| shell.queue.folders_of(item, false));
                            }
                        } else {
                            moving.remove(&item.id);
                            changed.extend(shell.queue.folders_of(item, false));
                            if item.kind == ItemKind::Folder {
                                changed.extend(shell.queue.folders_of(item, true));
                            }
                        }
                    }
                    for id in removed {
                        changed.extend(moving.remove(&id).unwrap_or_default());
                    }
                }
                Some(QueueUpdate::Snapshot { .. }) => {}
                None => return,
            },
            () = due => {}
        }
        for folder in changed.take_due(Instant::now()) {
            shell.folder_changed_by_transfer(&folder);
        }
    }
}

/// Folders that changed and were not told of yet, each not too often. Time is an input.
#[derive(Default)]
struct Changed {
    waiting: HashSet<Folder>,
    told: HashMap<Folder, Instant>,
}

impl Changed {
    fn extend(&mut self, folders: impl IntoIterator<Item = Folder>) {
        self.waiting.extend(folders);
    }

    /// When something is due; in the past if it is due already.
    fn next(&self) -> Option<Instant> {
        self.waiting
            .iter()
            .map(|folder| {
                self.told
                    .get(folder)
                    .map_or_else(Instant::now, |told| *told + LOOK_AGAIN)
            })
            .min()
    }

    fn take_due(&mut self, now: Instant) -> Vec<Folder> {
        self.told.retain(|_, told| *told + LOOK_AGAIN > now);
        let due: Vec<Folder> = self
            .waiting
            .iter()
            .filter(|folder| !self.told.contains_key(folder))
            .cloned()
            .collect();
        for folder in &due {
            self.waiting.remove(folder);
            self.told.insert(folder.clone(), now);
        }
        due
    }
}

impl Queue {
    /// The folders, as sessions may show them, that a transfer puts something into.
    fn folders_of(&self, item: &Transfer, inside: bool) -> Vec<Folder> {
        match item.direction {
            Direction::Download => {
                let folder = if inside {
                    Some(item.local.as_path())
                } else {
                    item.local.parent()
                };
                folder
                    .map(|folder| Folder::Local(folder.to_owned()))
                    .into_iter()
                    .collect()
            }
            Direction::Upload => {
                let path = if inside {
                    Some(item.remote.clone())
                } else {
                    item.remote.parent()
                };
                let Some(path) = path else {
                    return Vec::new();
                };
                self.logins
                    .sessions(&item.site)
                    .into_iter()
                    .map(|session| Folder::Remote {
                        session,
                        path: path.clone(),
                    })
                    .collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_folder_is_told_of_now_and_then() {
        let folder = || Folder::Remote {
            session: 1,
            path: ftp_client::ftp_proto::RemotePath::root(),
        };
        let start = Instant::now();
        let mut changed = Changed::default();
        assert!(changed.next().is_none());
        changed.extend([folder()]);
        assert_eq!(
            changed.take_due(start),
            [folder()],
            "the first change at once"
        );
        changed.extend([folder()]);
        changed.extend([Folder::Local("/other".into())]);
        assert_eq!(
            changed.take_due(start + LOOK_AGAIN / 2),
            [Folder::Local("/other".into())]
        );
        assert_eq!(changed.next(), Some(start + LOOK_AGAIN));
        assert_eq!(
            changed.take_due(start + LOOK_AGAIN),
            [folder()],
            "and the last change is not lost"
        );
        assert!(changed.take_due(start + LOOK_AGAIN * 2).is_empty() && changed.next().is_none());
    }
}
