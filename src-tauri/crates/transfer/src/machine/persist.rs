//! What goes into the journal, and how the machine is put together from it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ftp_client::ftp_proto::RemotePath;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::item::{Extra, Kids, Root};
use super::{Item, Machine, Now, Rules};
use crate::error::{Error, Retry};
use crate::journal::{Loaded, Op, Row};
use crate::work::{Existing, Finishing, Identity};
use crate::{
    Checks, Conflict, ConflictRule, Direction, ItemKind, NewTransfer, Options, Priority, Receipt,
    SiteKey, State, TransferId,
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
const PAUSED: &str = "paused";
const PAUSED_SITES: &str = "paused-sites";

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

/// Sites and options have numbers without gaps; one beyond this is damage.
const MOST_NUMBERS: u32 = 1 << 20;

/// What few rows have, as JSON.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Detail {
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<(String, u8)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    begun: Option<Identity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finishing: Option<Finishing>,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<ConflictRule>,
    #[serde(skip_serializing_if = "Option::is_none")]
    conflict: Option<Conflict>,
    #[serde(skip_serializing_if = "is_unknown")]
    existing: Existing,
    #[serde(skip_serializing_if = "Option::is_none")]
    link_to: Option<Vec<u8>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<u32>,
    #[serde(skip_serializing_if = "is_zero")]
    resumed_from: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checks: Option<Checks>,
    #[serde(skip_serializing_if = "no_seconds")]
    seconds: f32,
}

fn is_unknown(existing: &Existing) -> bool {
    *existing == Existing::Unknown
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn no_seconds(seconds: &f32) -> bool {
    *seconds == 0.0
}

const KIND: u32 = 0b11;
const UPLOAD: u32 = 1 << 2;
const LINK: u32 = 1 << 3;
const HOPELESS: u32 = 1 << 4;
const WALKED: u32 = 1 << 5;
const FILTERED_SHIFT: u32 = 8;

impl Machine {
    pub(super) fn entries(&mut self) -> Vec<Op> {
        let pending = std::mem::take(&mut self.journal);
        self.journal.wanted = pending.wanted;
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

    /// The machine as the journal has it. What could not be understood is left out, with what is below it; how many
    /// items that were.
    pub(crate) fn restore(now: Now, rules: Rules, loaded: Loaded) -> (Self, usize) {
        // What is restored is in the journal already.
        let mut machine = Self::new(Rules {
            journalled: false,
            ..rules
        });
        let mut numbers = BTreeMap::new();
        for (id, key) in loaded.sites.range(1..MOST_NUMBERS) {
            // These are in the journal, under the numbers that they had; new ones must not get the same.
            while (machine.sites.len() as u32) + 1 < *id {
                machine.site(&SiteKey::new(&format!("unused:{}", machine.sites.len())));
            }
            numbers.insert(*id, machine.site(&SiteKey::new(key)));
        }
        let mut options = BTreeMap::new();
        for (id, json) in loaded.options.range(1..MOST_NUMBERS) {
            let parsed: Options = serde_json::from_str(json).unwrap_or_else(|error| {
                tracing::warn!(%error, "options in the journal are not understood");
                Options::default()
            });
            while (machine.options.len() as u32) + 1 < *id {
                machine.options.push(Arc::default());
            }
            machine.options.push(Arc::new(parsed));
            options.insert(*id, machine.options.len() as u32 - 1);
        }
        let plain = machine.intern(&Arc::default());
        let mut left_out = 0;
        let mut walked = Vec::new();
        let mut highest_order = 0;
        for row in loaded.rows {
            let known_parent = row.parent == 0 || machine.items.contains_key(&row.parent);
            let (Some(&site), true) = (numbers.get(&row.site), known_parent) else {
                left_out += 1;
                continue;
            };
            let options = options.get(&row.options).copied().unwrap_or(plain);
            let id = row.id;
            let parent = row.parent;
            let Some(item) = restored(row, site, options, &machine) else {
                left_out += 1;
                continue;
            };
            if parent == 0 {
                highest_order = highest_order.max(item.order);
            }
            if item.is_walked() {
                walked.push(id);
            }
            if parent != 0 && machine.items.get(&parent).is_some_and(|p| !p.is_walked()) {
                // Of a folder that was not walked to the end: it is walked again.
                left_out += 1;
                continue;
            }
            let (own, weight) = (item.own(), item.weight());
            machine.items.insert(id, item);
            machine.enter_restored(id, parent, own, weight);
        }
        for id in walked {
            machine.settle(id);
        }
        machine.next_order = highest_order;
        machine.next_id = loaded.highest_id.checked_add(1).unwrap_or(1);
        while machine.items.contains_key(&machine.next_id) {
            machine.next_id = machine.next_id.checked_add(1).unwrap_or(1);
        }
        machine.next_job = NonZeroU64::MIN;
        let setting = |name: &str| loaded.settings.get(name);
        machine.paused = setting(PAUSED).is_some_and(|json| json == "true");
        let paused: Vec<String> = setting(PAUSED_SITES)
            .and_then(|json| serde_json::from_str(json).ok())
            .unwrap_or_default();
        for key in paused {
            let number = machine.site(&SiteKey::new(&key));
            machine.sites[number as usize].paused = true;
        }
        machine.rules = rules;
        machine.journal = Pending::new(rules.journalled);
        let ids: Vec<TransferId> = machine.ids().collect();
        for id in ids {
            machine.schedule(now, id);
        }
        (machine, left_out)
    }
}

fn restored(row: Row, site: u32, options: u32, machine: &Machine) -> Option<Item> {
    let kind = match row.flags & KIND {
        0 => ItemKind::File,
        1 => ItemKind::Folder,
        2 => ItemKind::Link,
        _ => return None,
    };
    let direction = if row.flags & UPLOAD == 0 {
        Direction::Download
    } else {
        Direction::Upload
    };
    let detail: Detail = match &row.detail {
        Some(json) => serde_json::from_str(json).ok()?,
        None => Detail::default(),
    };
    let (name, local, root) = if row.parent == 0 {
        let new = NewTransfer {
            site: machine.sites.get(site as usize)?.key.clone(),
            direction,
            kind,
            local: PathBuf::from(os_string(row.local?)?),
            remote: RemotePath::try_from(row.name).ok()?,
            size: None,
            modified: None,
            options: Arc::default(),
        };
        (Box::default(), None, Some(Root::of(&new)))
    } else {
        let local = match row.local {
            Some(bytes) => Some(os_string(bytes)?),
            None => None,
        };
        // It becomes part of a path again: the same rules hold as when it was found.
        if local.as_ref().is_some_and(|local| !is_plain_name(local)) {
            return None;
        }
        if local.is_none() && row.flags & HOPELESS == 0 && !is_plain_bytes(&row.name) {
            return None;
        }
        (row.name.into_boxed_slice(), local, None)
    };
    let walked = row.flags & WALKED != 0;
    let batch = match machine.items.get(&row.parent) {
        Some(parent) => parent.batch,
        None => row.id,
    };
    let start_at = row
        .start_at
        .and_then(|ms| Timestamp::from_millisecond(ms).ok());
    let error = detail.error.map(|(message, retry)| Error::Earlier {
        message,
        retry: match retry {
            1 => Retry::Backoff,
            2 => Retry::Busy,
            _ => Retry::Never,
        },
    });
    let mut item = Item {
        name,
        local: local.map(OsString::into_boxed_os_str),
        parent: row.parent,
        batch,
        site,
        options,
        order: row.order,
        size: row.size,
        bytes: row.bytes,
        modified: row
            .modified
            .and_then(|ns| Timestamp::from_nanosecond(i128::from(ns)).ok()),
        job: None,
        kids: walked.then(Box::<Kids>::default),
        extra: None,
        seconds: detail.seconds,
        filtered: row.flags >> FILTERED_SHIFT,
        attempts: u16::try_from(row.attempts).unwrap_or(u16::MAX),
        depth: u16::try_from(row.depth).unwrap_or(u16::MAX),
        checks: detail.checks,
        state: state_of(row.state)?,
        kind,
        direction,
        priority: match row.priority {
            ..=-1 => Priority::Low,
            0 => Priority::Normal,
            1.. => Priority::High,
        },
        link: row.flags & LINK != 0,
        hopeless: row.flags & HOPELESS != 0,
        ready: false,
    };
    let extra = Extra {
        root,
        start_at,
        error,
        begun: detail.begun,
        finishing: detail.finishing,
        answer: detail.answer,
        conflict: detail.conflict,
        existing: detail.existing,
        link_to: detail.link_to,
        mode: detail.mode,
        resumed_from: detail.resumed_from,
        target_name: detail.target_name,
        ..Extra::default()
    };
    let is_plain = extra.root.is_none() && start_at.is_none() && row.detail.is_none();
    if !is_plain {
        item.extra = Some(Box::new(extra));
        if !item.state.is_open() {
            item.slim();
        }
    }
    Some(item)
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
        begun: extra.and_then(|e| e.begun),
        finishing: extra.and_then(|e| e.finishing.clone()),
        answer: extra.and_then(|e| e.answer),
        conflict: extra.and_then(|e| e.conflict),
        existing: extra.map(|e| e.existing).unwrap_or_default(),
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

fn state_of(number: u8) -> Option<State> {
    Some(match number {
        0 => State::Waiting,
        1 => State::Paused,
        2 => State::Asking,
        3 => State::Done,
        4 => State::Skipped,
        5 => State::Failed,
        6 => State::Cancelled,
        _ => return None,
    })
}

fn is_plain_name(name: &std::ffi::OsStr) -> bool {
    let mut parts = Path::new(name).components();
    let one = matches!(parts.next(), Some(std::path::Component::Normal(part)) if part == name);
    one && parts.next().is_none()
}

#[cfg(unix)]
fn is_plain_bytes(name: &[u8]) -> bool {
    !name.contains(&0) && is_plain_name(std::os::unix::ffi::OsStrExt::from_bytes(name))
}

#[cfg(not(unix))]
fn is_plain_bytes(name: &[u8]) -> bool {
    std::str::from_utf8(name).is_ok_and(|name| is_plain_name(name.as_ref()))
}

#[cfg(unix)]
fn os_string(bytes: Vec<u8>) -> Option<OsString> {
    Some(std::os::unix::ffi::OsStringExt::from_vec(bytes))
}

#[cfg(not(unix))]
fn os_string(bytes: Vec<u8>) -> Option<OsString> {
    String::from_utf8(bytes).ok().map(OsString::from)
}
