//! How the machine is put together from the journal.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ftp_client::ftp_proto::RemotePath;
use jiff::Timestamp;

use super::item::{Extra, Kids, Root};
use super::persist::{
    Detail, FILTERED_SHIFT, HOPELESS, KIND, LINK, NEXT_ID, PAUSED, PAUSED_SITES, Pending, UPLOAD,
    WALKED,
};
use super::{Item, Machine, Now, Rules};
use crate::error::{Error, Retry};
use crate::journal::{Loaded, Row};
use crate::{Direction, ItemKind, NewTransfer, Options, Priority, SiteKey, State, TransferId};

/// Sites and options have numbers without gaps; one beyond this is damage.
const MOST_NUMBERS: u32 = 1 << 20;

impl Machine {
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
                lost_options()
            });
            while (machine.options.len() as u32) + 1 < *id {
                machine.options.push(Arc::default());
            }
            machine.options.push(Arc::new(parsed));
            options.insert(*id, machine.options.len() as u32 - 1);
        }
        let mut left_out = 0;
        let mut walked = Vec::new();
        let mut highest_order = 0;
        for row in loaded.rows {
            let known_parent = row.parent == 0 || machine.items.contains_key(&row.parent);
            let (Some(&site), true) = (numbers.get(&row.site), known_parent) else {
                left_out += 1;
                continue;
            };
            let options = match options.get(&row.options) {
                Some(options) => *options,
                None => machine.intern(&Arc::new(lost_options())),
            };
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
        let setting = |name: &str| loaded.settings.get(name);
        let noted = setting(NEXT_ID).and_then(|json| json.parse().ok());
        let after = loaded.highest_id.checked_add(1).unwrap_or(1);
        machine.next_id = after.max(noted.unwrap_or(1));
        while machine.items.contains_key(&machine.next_id) {
            machine.next_id = machine.next_id.checked_add(1).unwrap_or(1);
        }
        machine.next_job = NonZeroU64::MIN;
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

/// Nobody knows whether targets may be replaced.
fn lost_options() -> Options {
    Options {
        conflict: crate::ConflictRule::Ask,
        ..Options::default()
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
