//! Folders by id. The window goes to places by id only, so it can't make up a path.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use super::folder::Folder;
use crate::dto::Place;

/// More than any history that a person walks back through.
const CAPACITY: usize = 8192;

/// The places that were shown: the same folder has the same id for as long as it is remembered.
#[derive(Debug)]
pub(crate) struct Places {
    inner: Mutex<Inner>,
    capacity: usize,
}

#[derive(Debug, Default)]
struct Inner {
    ids: HashMap<Folder, u32>,
    folders: HashMap<u32, (Folder, u64)>,
    last: u32,
    clock: u64,
}

impl Places {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self::with_capacity(CAPACITY)
    }

    fn with_capacity(capacity: usize) -> Self {
        Self {
            inner: Mutex::default(),
            capacity,
        }
    }

    /// The id of a folder; the place that was not used for longest makes room if need be.
    pub(crate) fn id(&self, folder: &Folder) -> u32 {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.clock += 1;
        let now = inner.clock;
        if let Some(id) = inner.ids.get(folder).copied() {
            if let Some((_, used)) = inner.folders.get_mut(&id) {
                *used = now;
            }
            return id;
        }
        if inner.folders.len() >= self.capacity {
            inner.forget_oldest_eighth();
        }
        inner.last += 1;
        let id = inner.last;
        inner.ids.insert(folder.clone(), id);
        inner.folders.insert(id, (folder.clone(), now));
        id
    }

    /// A place by its whole path.
    pub(crate) fn place(&self, folder: &Folder) -> Place {
        Place {
            id: self.id(folder),
            label: folder.label(),
        }
    }

    /// A place by its last component.
    pub(crate) fn crumb(&self, folder: &Folder) -> Place {
        Place {
            id: self.id(folder),
            label: folder.last_label(),
        }
    }

    /// The folder of an id, if it is still remembered.
    pub(crate) fn folder(&self, id: u32) -> Option<Folder> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.clock += 1;
        let now = inner.clock;
        inner.folders.get_mut(&id).map(|(folder, used)| {
            *used = now;
            folder.clone()
        })
    }

    /// Forgets every place of a session.
    pub(crate) fn forget_session(&self, session: u32) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner
            .ids
            .retain(|folder, _| folder.session() != Some(session));
        inner
            .folders
            .retain(|_, (folder, _)| folder.session() != Some(session));
    }
}

impl Inner {
    /// One pass makes room for many, so that a full registry does not sort at every new place.
    fn forget_oldest_eighth(&mut self) {
        let mut ages: Vec<u64> = self.folders.values().map(|(_, used)| *used).collect();
        let at = (ages.len() / 8).min(ages.len().saturating_sub(1));
        let limit = *ages.select_nth_unstable(at).1;
        self.folders.retain(|_, (_, used)| *used > limit);
        let folders = &self.folders;
        self.ids.retain(|_, id| folders.contains_key(id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> Folder {
        Folder::Local(format!("/{name}").into())
    }

    #[test]
    fn the_same_folder_has_the_same_id() {
        let places = Places::new();
        let id = places.id(&folder("a"));
        assert_ne!(places.id(&folder("b")), id);
        assert_eq!(places.id(&folder("a")), id);
        assert_eq!(places.folder(id), Some(folder("a")));
        assert_eq!(places.folder(77), None);
    }

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let places = Places::with_capacity(3);
        let ids: Vec<u32> = ["a", "b", "c"]
            .iter()
            .map(|name| places.id(&folder(name)))
            .collect();
        assert!(places.folder(ids[0]).is_some());
        let d = places.id(&folder("d"));
        assert_eq!(places.folder(ids[1]), None, "b was not used since");
        assert!(
            places.folder(ids[0]).is_some()
                && places.folder(ids[2]).is_some()
                && places.folder(d).is_some()
        );
        assert_ne!(places.id(&folder("b")), ids[1], "an id is never used again");
    }

    #[test]
    fn never_holds_more_than_it_may() {
        let places = Places::with_capacity(10);
        for n in 0..1000 {
            places.id(&folder(&n.to_string()));
            let inner = places.inner.lock().unwrap_or_else(PoisonError::into_inner);
            assert!(inner.folders.len() <= 10 && inner.ids.len() == inner.folders.len());
        }
    }
}
