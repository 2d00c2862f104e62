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

    /// Hands the paths of a drop over. Only once: a drop can't be accepted twice.
    pub(crate) fn take(&self, id: u32) -> Option<Vec<PathBuf>> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = inner.drops.iter().position(|(kept, _)| *kept == id)?;
        inner.drops.remove(at).map(|(_, paths)| paths)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drop_is_taken_once() {
        let drops = Drops::default();
        let a = drops.keep(vec!["/a".into()]);
        let b = drops.keep(vec!["/b".into()]);
        assert_eq!(drops.take(a), Some(vec!["/a".into()]));
        assert_eq!(drops.take(a), None);
        assert_eq!(drops.take(b), Some(vec!["/b".into()]));
    }

    #[test]
    fn only_the_latest_are_kept() {
        let drops = Drops::default();
        let first = drops.keep(Vec::new());
        for _ in 0..KEPT {
            drops.keep(Vec::new());
        }
        assert_eq!(drops.take(first), None);
        assert_eq!(drops.take(first + 1), Some(Vec::new()));
    }
}
