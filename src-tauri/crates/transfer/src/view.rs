//! How an item is shown.

use std::collections::BTreeSet;

use crate::core::Item;
use crate::plan::Plan;
use crate::queue::QueueState;
use crate::{State, Transfer, TransferId};

impl QueueState {
    pub(crate) fn views(&self) -> Vec<Transfer> {
        self.core
            .items()
            .iter()
            .map(|(&id, item)| self.view_of(id, item))
            .collect()
    }

    pub(crate) fn views_of(&self, ids: &BTreeSet<TransferId>) -> Vec<Transfer> {
        ids.iter().filter_map(|&id| self.view(id)).collect()
    }

    pub(crate) fn view(&self, id: TransferId) -> Option<Transfer> {
        let item = self.core.items().get(&id)?;
        Some(self.view_of(id, item))
    }

    fn view_of(&self, id: TransferId, item: &Item<Plan>) -> Transfer {
        let plan = &item.work;
        let total = item.sum.total_if_known();
        let bytes_per_second = match item.state {
            State::Running => self.core.rate(id),
            _ => None,
        };
        let seconds_left = match (total, bytes_per_second) {
            (Some(total), Some(rate)) if rate > 0.0 => {
                Some(total.saturating_sub(item.sum.bytes) as f64 / rate)
            }
            _ => None,
        };
        Transfer {
            id,
            batch: item.batch,
            site: item.site.clone(),
            direction: plan.direction,
            kind: plan.kind,
            name: plan.name(),
            local: plan.local(),
            remote: plan.remote.clone(),
            state: item.state,
            bytes: item.sum.bytes,
            total,
            bytes_per_second,
            seconds_left,
            attempts: item.attempts,
            error: item.error.clone(),
            verified: item.verified,
            seconds: item.seconds,
            priority: crate::Priority::Normal,
            order: i64::from(id),
            start_at: None,
            conflict: None,
            resumed_from: 0,
            target_name: None,
            counts: None,
        }
    }
}
