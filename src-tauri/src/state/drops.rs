//! What was dropped on the window from another program, until the window says where to put it.

use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

/// The window accepts a drop at once or never; a few are kept for the slow.
const KEPT: usize = 8;

/// The latest drops by id.
#[derive(Debug, Default)]
pub(crate) struct Drops(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    last: u32,
    drops: VecDeque<(u32, Vec<PathBuf>)>,
}

impl Drops {
    /// Keeps the paths of a drop; says its id.
    pub(crate) fn keep(&self, paths: Vec<PathBuf>) -> u32 {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.last += 1;
        let id = inner.last;
        inner.drops.push_back((id, paths));
        if inner.drops.len() > KEPT {
            inner.drops.pop_front();
        }
        id
    }

    /// The paths of a drop, until it is forgotten.
    pub(crate) fn get(&self, id: u32) -> Option<Vec<PathBuf>> {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut drops = inner.drops.iter();
        drops
            .find(|(kept, _)| *kept == id)
            .map(|(_, paths)| paths.clone())
    }

    /// It was accepted: a drop can't be accepted twice.
    pub(crate) fn forget(&self, id: u32) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.drops.retain(|(kept, _)| *kept != id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drop_is_kept_until_it_is_forgotten() {
        let drops = Drops::default();
        let a = drops.keep(vec!["/a".into()]);
        let b = drops.keep(vec!["/b".into()]);
        assert_eq!(drops.get(a), Some(vec!["/a".into()]));
        drops.forget(a);
        assert_eq!(drops.get(a), None);
        assert_eq!(drops.get(b), Some(vec!["/b".into()]));
    }

    #[test]
    fn only_the_latest_are_kept() {
        let drops = Drops::default();
        let first = drops.keep(Vec::new());
        for _ in 0..KEPT {
            drops.keep(Vec::new());
        }
        assert_eq!(drops.get(first), None);
        assert_eq!(drops.get(first + 1), Some(Vec::new()));
    }
}
