//! Items below items: how they come in, and how what happens to one shows in those above it.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ftp_client::ftp_proto::{Name, RemotePath};
use jiff::Timestamp;

use super::item::{Extra, Kids, Numbers, recount, settled};
use super::{Item, MAX_DEPTH, Machine, Now, Root};
use crate::error::Error;
use crate::work::{Child, Existing, Plan, Walked};
use crate::{ItemKind, NewTransfer, State, TransferId};

impl Machine {
    pub(super) fn add_root(&mut self, now: Now, new: &NewTransfer) -> TransferId {
        let id = self.take_id();
        let site = self.site(&new.site);
        let options = self.intern(&new.options);
        let order = self.take_order();
        let start_at = new.options.start_at;
        let item = Item {
            name: Box::default(),
            local: None,
            parent: 0,
            batch: id,
            site,
            options,
            order,
            size: new.size.filter(|_| new.kind != ItemKind::Folder),
            bytes: 0,
            modified: new.modified,
            job: None,
            kids: None,
            extra: Some(Box::new(Extra {
                root: Some(Root::of(new)),
                start_at,
                ..Extra::default()
            })),
            seconds: 0.0,
            filtered: 0,
            attempts: 0,
            depth: 0,
            checks: None,
            state: State::Waiting,
            kind: new.kind,
            direction: new.direction,
            priority: new.options.priority,
            link: false,
            hopeless: false,
            ready: false,
        };
        self.enter(id, item);
        self.schedule(now, id);
        id
    }

    fn add_child(&mut self, now: Now, parent: TransferId, child: Child) {
        let Some(above) = self.items.get(&parent) else {
            return;
        };
        let depth = above.depth.saturating_add(1);
        let too_deep = child.kind == ItemKind::Folder && u32::from(depth) > MAX_DEPTH;
        let hopeless = match child.hopeless {
            None if too_deep => Some(Error::TooDeep { limit: MAX_DEPTH }),
            given => given,
        };
        let mut item = Item {
            name: child.name.into_boxed_slice(),
            local: child.local.map(std::ffi::OsString::into_boxed_os_str),
            parent,
            batch: above.batch,
            site: above.site,
            options: above.options,
            order: 0,
            size: child.size.filter(|_| child.kind != ItemKind::Folder),
            bytes: 0,
            modified: child.modified,
            job: None,
            kids: None,
            extra: None,
            seconds: 0.0,
            filtered: 0,
            attempts: 0,
            depth,
            checks: None,
            state: if hopeless.is_some() {
                State::Failed
            } else {
                State::Waiting
            },
            kind: child.kind,
            direction: above.direction,
            priority: above.priority,
            link: child.link,
            hopeless: hopeless.is_some(),
            ready: false,
        };
        if hopeless.is_some()
            || child.existing != Existing::Unknown
            || child.link_to.is_some()
            || child.mode.is_some()
        {
            let extra = item.extra();
            extra.error = hopeless;
            extra.existing = child.existing;
            extra.link_to = child.link_to;
            extra.mode = child.mode;
        }
        let id = self.take_id();
        item.order = i64::from(id) << 16;
        if let Some(kids) = self.items.get_mut(&parent).and_then(|p| p.kids.as_mut()) {
            kids.ids.push(id);
        }
        self.enter(id, item);
        self.schedule(now, id);
    }

    fn enter(&mut self, id: TransferId, item: Item) {
        let (own, weight) = (item.own(), item.weight());
        self.items.insert(id, item);
        self.spread(id, Numbers::default(), own);
        self.count(id, None, weight);
        self.touch(id);
        self.journal.row(id);
    }

    /// A folder was looked into.
    pub(super) fn walked(&mut self, now: Now, id: TransferId, found: Walked) {
        self.change(id, |item| {
            item.kids = Some(Box::new(Kids {
                ids: Vec::with_capacity(found.children.len()),
                ..Kids::default()
            }));
            item.filtered = found.filtered;
            item.attempts = 0;
            item.take_extra(|extra| extra.error.take());
        });
        for child in found.children {
            self.add_child(now, id, child);
        }
        self.settle(id);
        self.journal.row(id);
    }

    /// Takes in an item as the journal has it, whose folder is there already.
    pub(super) fn enter_restored(
        &mut self,
        id: TransferId,
        parent: TransferId,
        own: Numbers,
        weight: Option<State>,
    ) {
        if let Some(kids) = self.items.get_mut(&parent).and_then(|p| p.kids.as_mut()) {
            kids.ids.push(id);
        }
        self.spread(id, Numbers::default(), own);
        self.count(id, None, weight);
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

    /// Changes an item, and carries what follows from it to the folders above.
    pub(super) fn change<R>(
        &mut self,
        id: TransferId,
        change: impl FnOnce(&mut Item) -> R,
    ) -> Option<R> {
        let item = self.items.get_mut(&id)?;
        let (own, weight) = (item.own(), item.weight());
        let answer = change(item);
        let (own_after, weight_after) = (item.own(), item.weight());
        if own != own_after {
            self.spread(id, own, own_after);
        }
        if weight != weight_after {
            self.count(id, weight, weight_after);
        }
        self.touch(id);
        Some(answer)
    }

    /// Gives an item a state, and writes it down.
    pub(super) fn set_state(&mut self, id: TransferId, state: State) {
        let changed = self.change(id, |item| {
            std::mem::replace(&mut item.state, state) != state
        });
        // What runs is on disk as waiting: after a crash that is what it does.
        let is_transient = matches!(state, State::Running | State::Scanning);
        if changed == Some(true) && !is_transient {
            self.journal.row(id);
        }
    }

    /// Carries a change of an item's own numbers into the sums of the folders above.
    fn spread(&mut self, id: TransferId, before: Numbers, after: Numbers) {
        self.numbers.replace(before, after);
        let mut at = self.items.get(&id).map_or(0, |item| item.parent);
        while let Some(item) = self.items.get_mut(&at) {
            if let Some(kids) = &mut item.kids {
                kids.sum.replace(before, after);
            }
            self.changes.dirty.insert(at);
            at = item.parent;
        }
    }

    /// Counts a change of state in the folders above, and gives them the states that follow.
    fn count(&mut self, id: TransferId, before: Option<State>, after: Option<State>) {
        recount(&mut self.counts, before, after);
        let mut at = self.items.get(&id).map_or(0, |item| item.parent);
        while let Some(item) = self.items.get_mut(&at) {
            if let Some(kids) = &mut item.kids {
                recount(&mut kids.counts, before, after);
                item.state = settled(&kids.counts);
            }
            self.changes.dirty.insert(at);
            at = item.parent;
        }
    }

    /// The state of a folder that has just been walked.
    pub(super) fn settle(&mut self, id: TransferId) {
        if let Some(item) = self.items.get_mut(&id)
            && let Some(kids) = &item.kids
        {
            item.state = settled(&kids.counts);
        }
        self.touch(id);
    }

    pub(super) fn touch(&mut self, id: TransferId) {
        let mut at = id;
        while let Some(item) = self.items.get(&at) {
            // What is above a dirty item is dirty already: whoever made it so has gone up from there.
            if !self.changes.dirty.insert(at) {
                return;
            }
            at = item.parent;
        }
    }

    /// Takes an item off, and off the folders above it.
    pub(super) fn remove(&mut self, id: TransferId) {
        self.unschedule(id);
        self.discard(id);
        let Some(item) = self.items.get(&id) else {
            return;
        };
        let (own, weight) = (item.own(), item.weight());
        self.spread(id, own, Numbers::default());
        self.count(id, weight, None);
        self.items.remove(&id);
        self.changes.dirty.remove(&id);
        self.changes.removed.push(id);
        self.journal.removed(id);
    }

    /// What an item is about, put together from its names and those above it.
    pub(super) fn plan(&self, id: TransferId, item: &Item) -> Plan {
        let mut names: Vec<&Item> = Vec::with_capacity(usize::from(item.depth));
        let mut at = (id, item);
        let root = loop {
            if let Some(root) = at.1.root() {
                break Some(root);
            }
            names.push(at.1);
            match self.items.get(&at.1.parent) {
                Some(above) => at = (at.1.parent, above),
                None => break None,
            }
        };
        let mut relative = PathBuf::new();
        let (base, mut remote) = match root {
            Some(root) => {
                relative.extend(root.file.as_deref().map(Path::new));
                (root.base.clone(), root.remote.clone())
            }
            // Nothing without a root is ever entered; this leads nowhere.
            None => (Arc::from(Path::new("")), RemotePath::root()),
        };
        for item in names.into_iter().rev() {
            // What is hopeless has a name that is none, and is shown with the folder that it is in.
            if let Ok(name) = Name::try_from(&*item.name) {
                remote = remote.join(&name);
            }
            if !item.hopeless {
                relative.push(item.local_name());
            }
        }
        let extra = item.extra.as_deref();
        Plan {
            direction: item.direction,
            kind: item.kind,
            base,
            relative,
            remote,
            modified: item.modified,
            link: item.link,
            link_to: extra.and_then(|extra| extra.link_to.clone()),
            mode: extra.and_then(|extra| extra.mode),
            existing: extra.map(|extra| extra.existing).unwrap_or_default(),
        }
    }

    pub(super) fn start_time(&self, item: &Item) -> Option<Timestamp> {
        item.extra.as_ref().and_then(|extra| extra.start_at)
    }
}

impl Root {
    pub(super) fn of(new: &NewTransfer) -> Self {
        let file = match (new.kind, new.local.parent(), new.local.file_name()) {
            (ItemKind::Folder, ..) | (_, None, _) | (_, _, None) => None,
            (_, Some(parent), Some(name)) => Some((parent, name)),
        };
        let (base, file) = match file {
            Some((parent, name)) if parent.as_os_str().is_empty() => (Path::new("."), Some(name)),
            Some((parent, name)) => (parent, Some(name)),
            None => (new.local.as_path(), None),
        };
        Self {
            base: Arc::from(base),
            file: file.map(Box::from),
            remote: new.remote.clone(),
        }
    }

    pub(super) fn local(&self) -> PathBuf {
        match &self.file {
            Some(file) => self.base.join(Path::new(file)),
            None => self.base.to_path_buf(),
        }
    }
}

impl Item {
    /// The name in its local folder.
    pub(super) fn local_name(&self) -> std::borrow::Cow<'_, OsStr> {
        match &self.local {
            Some(local) => std::borrow::Cow::Borrowed(local),
            None => os_name(&self.name),
        }
    }
}

#[cfg(unix)]
fn os_name(name: &[u8]) -> std::borrow::Cow<'_, OsStr> {
    std::borrow::Cow::Borrowed(std::os::unix::ffi::OsStrExt::from_bytes(name))
}

/// Names that are no text have a local name of their own.
#[cfg(not(unix))]
fn os_name(name: &[u8]) -> std::borrow::Cow<'_, OsStr> {
    std::borrow::Cow::Owned(String::from_utf8_lossy(name).into_owned().into())
}
