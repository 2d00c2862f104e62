//! Items below items: how they come in, and how what happens to one shows in those above it.

use std::collections::HashSet;

use super::{Core, Item, MAX_DEPTH, NewItem, Numbers, Order, Work};
use crate::error::Error;
use crate::{SiteKey, State, TransferId};

impl<W: Work> Core<W> {
    pub(super) fn insert(
        &mut self,
        site: SiteKey,
        parent: Option<TransferId>,
        order: Order,
        depth: u32,
        new: NewItem<W>,
    ) -> TransferId {
        let id = self.next_id;
        self.next_id += 1;
        let too_deep = new.folder && depth > MAX_DEPTH;
        let hopeless = match new.hopeless {
            None if too_deep => Some(Error::TooDeep { limit: MAX_DEPTH }),
            given => given,
        };
        let batch = parent.map(|p| self.items.get(&p).and_then(|i| i.batch).unwrap_or(p));
        let mut item = Item::new(site, parent, batch, order, depth, new.work, new.folder);
        item.hopeless = hopeless.is_some();
        item.error = hopeless;
        let failed = item.hopeless;
        self.items.insert(id, item);
        match parent {
            None => self.open_roots += 1,
            Some(parent) => {
                if let Some(kids) = self.items.get_mut(&parent).and_then(|i| i.kids.as_mut()) {
                    kids.ids.push(id);
                    kids.open += 1;
                }
            }
        }
        // What can't be done is no part of the total.
        let own = Numbers {
            unknown: u64::from(!failed),
            ..Numbers::default()
        };
        if let Some(item) = self.items.get_mut(&id) {
            item.own = own;
        }
        self.spread(id, Numbers::default(), own);
        if failed {
            self.set_state(id, State::Failed);
        } else {
            if !new.folder {
                self.set_own_total(id, new.size);
            }
            self.schedule(id);
        }
        self.touch(id);
        id
    }

    pub(super) fn walked(&mut self, id: TransferId, site: &SiteKey, children: Vec<NewItem<W>>) {
        let Some(item) = self.items.get_mut(&id) else {
            return;
        };
        item.error = None;
        item.attempts = 0;
        item.kids = Some(Box::default());
        let (depth, batch_order) = (item.depth + 1, item.order.0);
        // The folder itself is known now; its children bring their own unknowns.
        self.set_own_total(id, Some(0));
        for child in children {
            let order = (batch_order, self.take_order());
            self.insert(site.clone(), Some(id), order, depth, child);
        }
        self.settle(id);
    }

    /// The items and everything below them, parents first.
    pub(super) fn with_descendants(&self, ids: &[TransferId]) -> Vec<TransferId> {
        let mut found = Vec::new();
        let mut seen = HashSet::new();
        let mut todo: Vec<TransferId> = ids.iter().rev().copied().collect();
        while let Some(id) = todo.pop() {
            if let Some(item) = self.items.get(&id)
                && seen.insert(id)
            {
                found.push(id);
                if let Some(kids) = &item.kids {
                    todo.extend(kids.ids.iter().rev());
                }
            }
        }
        found
    }

    /// Changes a state, and what follows from it in the folders above.
    pub(super) fn set_state(&mut self, id: TransferId, state: State) {
        let mut change = (id, state);
        loop {
            let (id, state) = change;
            let Some(item) = self.items.get_mut(&id) else {
                return;
            };
            let before = std::mem::replace(&mut item.state, state);
            let parent = item.parent;
            self.touch(id);
            let Some(parent) = parent else {
                if before.is_open() != state.is_open() {
                    if state.is_open() {
                        self.open_roots += 1;
                    } else {
                        self.open_roots -= 1;
                    }
                }
                return;
            };
            let Some(next) = self
                .items
                .get_mut(&parent)
                .and_then(|p| p.child_changed(before, state))
            else {
                return;
            };
            change = (parent, next);
        }
    }

    /// The state of a folder that has just been walked.
    pub(super) fn settle(&mut self, id: TransferId) {
        if let Some(state) = self.items.get_mut(&id).and_then(Item::settled) {
            self.set_state(id, state);
        }
    }

    pub(super) fn set_own_bytes(&mut self, id: TransferId, bytes: u64) {
        self.change_own(id, |own| own.bytes = bytes);
    }

    pub(super) fn set_own_total(&mut self, id: TransferId, total: Option<u64>) {
        self.change_own(id, |own| {
            own.total = total.unwrap_or(0);
            own.unknown = u64::from(total.is_none());
        });
    }

    pub(super) fn change_own(&mut self, id: TransferId, change: impl FnOnce(&mut Numbers)) {
        let Some(item) = self.items.get_mut(&id) else {
            return;
        };
        let before = item.own;
        change(&mut item.own);
        let after = item.own;
        if before != after {
            self.spread(id, before, after);
        }
    }

    /// Carries a change of an item's own numbers into its sums and those of the folders above.
    pub(super) fn spread(&mut self, id: TransferId, before: Numbers, after: Numbers) {
        let mut at = Some(id);
        while let Some(id) = at {
            self.changes.dirty.insert(id);
            let Some(item) = self.items.get_mut(&id) else {
                return;
            };
            item.sum.replace(before, after);
            at = item.parent;
        }
    }

    pub(super) fn touch(&mut self, id: TransferId) {
        let mut at = Some(id);
        while let Some(id) = at {
            self.changes.dirty.insert(id);
            at = self.items.get(&id).and_then(|i| i.parent);
        }
    }
}
