//! What goes into the journal.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Item, Machine};
use crate::error::Retry;
use crate::journal::{Op, Row};
use crate::work::{Finishing, Identity};
use crate::{
    Checks, Conflict, ConflictRule, Direction, ItemKind, Options, Priority, Receipt, SiteKey,
    State, TransferId,
};

/// What has changed and is not in the journal yet. Rows are noted by number and written as they are at the end, so
/// that an item that changes often is written once.
#[derive(Debug, Default)]
pub(super) struct Pending {
    wanted: bool,
    sites: Vec<(u32, SiteKey)>,
    options: Vec<(u32, Arc<Options>)>,
    rows: BTreeSet<TransferId>,
    removed: Vec<TransferId>,
    receipts: Vec<Receipt>,
    settings: BTreeMap<String, String>,
    requests: Vec<i64>,
}

/// The names of settings.
pub(super) const PAUSED: &str = "paused";
pub(super) const PAUSED_SITES: &str = "paused-sites";
/// The number of the next item. It follows from those that are there until some are removed: their numbers are in
/// receipts, and nobody else may get them.
pub(super) const NEXT_ID: &str = "next-id";

impl Pending {
    pub(super) fn new(wanted: bool) -> Self {
        Self {
            wanted,
            ..Self::default()
        }
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.wanted
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
            && self.removed.is_empty()
            && self.receipts.is_empty()
            && self.settings.is_empty()
            && self.requests.is_empty()
            && self.sites.is_empty()
            && self.options.is_empty()
    }

    pub(super) fn site(&mut self, number: u32, key: &SiteKey) {
        if self.wanted {
            self.sites.push((number, key.clone()));
        }
    }

    pub(super) fn options(&mut self, number: u32, options: &Arc<Options>) {
        if self.wanted {
            self.options.push((number, options.clone()));
        }
    }

    pub(super) fn row(&mut self, id: TransferId) {
        if self.wanted {
            self.rows.insert(id);
        }
    }

    pub(super) fn removed(&mut self, id: TransferId) {
        if self.wanted {
            self.rows.remove(&id);
            self.removed.push(id);
        }
    }

    pub(super) fn receipt(&mut self, receipt: Receipt) {
        self.receipts.push(receipt);
    }

    pub(super) fn setting<T: Serialize>(&mut self, name: &str, value: &T) {
        if self.wanted
            && let Ok(json) = serde_json::to_string(value)
        {
            self.settings.insert(name.to_owned(), json);
        }
    }

    pub(super) fn paused(&mut self, paused: bool) {
        self.setting(PAUSED, &paused);
    }

    pub(super) fn paused_sites(&mut self, keys: &[SiteKey]) {
        let keys: Vec<&str> = keys.iter().map(SiteKey::as_str).collect();
        self.setting(PAUSED_SITES, &keys);
    }
}

/// What few rows have, as JSON.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Detail {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<(String, u8)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) begun: Option<Identity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) finishing: Option<Finishing>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) answer: Option<ConflictRule>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) conflict: Option<Conflict>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) link_to: Option<Vec<u8>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mode: Option<u32>,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) resumed_from: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) target_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) checks: Option<Checks>,
    #[serde(skip_serializing_if = "no_seconds")]
    pub(super) seconds: f32,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn no_seconds(seconds: &f32) -> bool {
    *seconds == 0.0
}

pub(super) const KIND: u32 = 0b11;
pub(super) const UPLOAD: u32 = 1 << 2;
pub(super) const LINK: u32 = 1 << 3;
pub(super) const HOPELESS: u32 = 1 << 4;
pub(super) const WALKED: u32 = 1 << 5;
pub(super) const FILTERED_SHIFT: u32 = 8;

impl Machine {
    pub(super) fn entries(&mut self) -> Vec<Op> {
        let mut pending = std::mem::take(&mut self.journal);
        self.journal.wanted = pending.wanted;
        if !pending.removed.is_empty() {
            pending.setting(NEXT_ID, &self.next_id);
        }
        let mut ops = Vec::with_capacity(pending.rows.len() + 4);
        for (number, key) in pending.sites {
            ops.push(Op::Site {
                id: number + 1,
                key: key.as_str().to_owned(),
            });
        }
        for (number, options) in pending.options {
            match serde_json::to_string(&*options) {
                Ok(json) => ops.push(Op::Options {
                    id: number + 1,
                    json,
                }),
                Err(error) => tracing::error!(%error, "options that are no JSON"),
            }
        }
        for id in pending.rows {
            if let Some(item) = self.items.get(&id) {
                ops.push(Op::Put(self.row(id, item)));
            }
        }
        if !pending.removed.is_empty() {
            ops.push(Op::Remove(pending.removed));
        }
        for receipt in pending.receipts {
            ops.push(Op::Receipt(Box::new(receipt)));
        }
        for (key, value) in pending.settings {
            ops.push(Op::Setting { key, value });
        }
        for request in pending.requests {
            ops.push(Op::Handled { request });
        }
        ops
    }

    /// Keeps a setting of the queue.
    pub(crate) fn keep_setting<T: Serialize>(&mut self, name: &str, value: &T) {
        self.journal.setting(name, value);
    }

    /// A request from another process has been done, together with all that it has changed.
    pub(crate) fn handled(&mut self, request: i64) {
        if self.journal.wanted {
            self.journal.requests.push(request);
        }
    }

    fn row(&self, id: TransferId, item: &Item) -> Row {
        let kind = match item.kind {
            ItemKind::File => 0,
            ItemKind::Folder => 1,
            ItemKind::Link => 2,
        };
        let flag = |set: bool, flag: u32| if set { flag } else { 0 };
        let (name, local) = match item.root() {
            Some(root) => (
                root.remote.as_bytes().to_vec(),
                Some(root.local().into_os_string().into_encoded_bytes()),
            ),
            None => (
                item.name.to_vec(),
                item.local
                    .as_ref()
                    .map(|local| local.as_encoded_bytes().to_vec()),
            ),
        };
        Row {
            id,
            parent: item.parent,
            site: item.site + 1,
            options: item.options + 1,
            state: state_number(item),
            flags: kind
                | flag(item.direction == Direction::Upload, UPLOAD)
                | flag(item.link, LINK)
                | flag(item.hopeless, HOPELESS)
                | flag(item.is_walked(), WALKED)
                | item.filtered.min(0xff_ffff) << FILTERED_SHIFT,
            priority: match item.priority {
                Priority::Low => -1,
                Priority::Normal => 0,
                Priority::High => 1,
            },
            order: item.order,
            depth: u32::from(item.depth),
            size: item.size,
            modified: item
                .modified
                .and_then(|time| i64::try_from(time.as_nanosecond()).ok()),
            bytes: item.bytes,
            attempts: u32::from(item.attempts),
            start_at: self.start_time(item).map(|time| time.as_millisecond()),
            name,
            local,
            detail: detail(item),
        }
    }
}

fn detail(item: &Item) -> Option<String> {
    let extra = item.extra.as_deref();
    let detail = Detail {
        error: item.error().map(|error| {
            let retry = match error.retry() {
                Retry::Never => 0,
                Retry::Backoff => 1,
                Retry::Busy => 2,
            };
            (error.to_string(), retry)
        }),
        begun: extra.and_then(|e| e.begun.clone()),
        finishing: extra.and_then(|e| e.finishing.clone()),
        answer: extra.and_then(|e| e.answer),
        conflict: extra.and_then(|e| e.conflict),
        link_to: extra.and_then(|e| e.link_to.clone()),
        mode: extra.and_then(|e| e.mode),
        resumed_from: extra.map_or(0, |e| e.resumed_from),
        target_name: extra.and_then(|e| e.target_name.clone()),
        checks: item.checks,
        seconds: item.seconds,
    };
    if detail == Detail::default() {
        return None;
    }
    serde_json::to_string(&detail).ok()
}

fn state_number(item: &Item) -> u8 {
    match item.state {
        // A walked folder's state follows from what is in it.
        _ if item.is_walked() => 0,
        State::Waiting | State::Scanning | State::Running => 0,
        State::Paused => 1,
        State::Asking => 2,
        State::Done => 3,
        State::Skipped => 4,
        State::Failed => 5,
        State::Cancelled => 6,
    }
}
