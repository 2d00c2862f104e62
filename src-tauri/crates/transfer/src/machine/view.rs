//! How an item, and the whole queue, is shown.

use ftp_client::ftp_proto::escape;

use super::{Item, Machine};
use crate::error::Error;
use crate::work::Plan;
use crate::{Counts, Direction, ItemKind, State, Summary, Transfer, TransferId};

impl Machine {
    /// An item as it stands.
    pub(crate) fn view(&self, id: TransferId) -> Option<Transfer> {
        let item = self.items.get(&id)?;
        let plan = self.plan(id, item);
        let numbers = match &item.kids {
            Some(kids) => kids.sum,
            None => item.own(),
        };
        let is_done = item.state == State::Done && item.kind != ItemKind::Folder;
        let (bytes, total) = match is_done {
            true => (item.bytes, Some(item.bytes)),
            false => (numbers.bytes, numbers.total_if_known()),
        };
        let bytes_per_second = match item.state {
            State::Running => self.rate(id),
            _ => None,
        };
        let seconds_left = match (total, bytes_per_second) {
            (Some(total), Some(rate)) if rate > 0.0 => {
                Some(total.saturating_sub(bytes) as f64 / rate)
            }
            _ => None,
        };
        let extra = item.extra.as_deref();
        let is_over = !item.state.is_open() && item.kids.is_none();
        Some(Transfer {
            id,
            batch: (item.batch != id).then_some(item.batch),
            site: self.sites[item.site as usize].key.clone(),
            direction: item.direction,
            kind: item.kind,
            name: name(&plan, item),
            local: plan.local(),
            remote: plan.remote,
            state: item.state,
            bytes,
            total,
            bytes_per_second,
            seconds_left,
            attempts: u32::from(item.attempts),
            error: self.error(item),
            verified: item.checks,
            seconds: (is_over || item.seconds > 0.0).then_some(f64::from(item.seconds)),
            priority: item.priority,
            order: item.order,
            start_at: self.start_time(item),
            conflict: extra
                .and_then(|extra| extra.conflict)
                .filter(|_| item.state == State::Asking),
            resumed_from: extra.map_or(0, |extra| extra.resumed_from),
            target_name: extra
                .and_then(|extra| extra.target_name.clone())
                .or_else(|| {
                    let local = item.local.as_ref()?;
                    (item.direction == Direction::Download)
                        .then(|| local.to_string_lossy().into_owned())
                }),
            counts: item.kids.as_ref().map(|kids| Counts {
                filtered: item.filtered,
                ..kids.counts
            }),
        })
    }

    fn error(&self, item: &Item) -> Option<Error> {
        match &item.kids {
            Some(kids) if item.state == State::Failed => Some(Error::Children {
                failed: kids.counts.failed as usize,
                of: kids.counts.all() as usize,
            }),
            Some(_) => None,
            None => item.error().cloned(),
        }
    }

    /// Whether an overview shows it: what was asked for by itself, what runs, and what needs a person.
    pub(crate) fn is_of_interest(&self, id: TransferId) -> bool {
        self.items.get(&id).is_some_and(|item| {
            item.parent == 0
                || matches!(
                    item.state,
                    State::Running | State::Scanning | State::Asking | State::Failed
                )
        })
    }

    /// The queue as a whole, but for what only the runtime knows.
    pub(crate) fn summary(&self) -> Summary {
        let numbers = self.numbers();
        Summary {
            files: self.counts,
            bytes: numbers.bytes,
            total: numbers.total,
            unknown: numbers.unknown,
            bytes_per_second: self.rate_of_all(),
            paused: self.paused,
            paused_sites: self.paused_sites(),
            held: self.hold(),
            ..Summary::default()
        }
    }
}

fn name(plan: &Plan, item: &Item) -> String {
    if item.hopeless && !item.name.is_empty() {
        return escape(&item.name, 200);
    }
    match plan.direction {
        Direction::Upload => {
            let path = plan.local();
            let name = path.file_name().unwrap_or(path.as_os_str());
            name.to_string_lossy().into_owned()
        }
        Direction::Download => match plan.remote.file_name() {
            Some(name) => escape(name, usize::MAX),
            None => plan.remote.to_string(),
        },
    }
}
