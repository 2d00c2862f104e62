//! Opening the journal at the start, and going on without one where it can't be had.

use std::{path::Path, sync::Arc};

use transfer::{Connector, Journal, OpenError, Queue, QueueConfig};

use super::{Logins, unfinished};
use crate::dto::{JournalProblem, JournalStatus, NoJournal, Number, Recovered};

/// How the journal names who has it.
const HOLDER: &str = "the Slipway window";

/// Opens the journal, and the queue on it; without one, a queue that is not kept.
pub(super) fn open(
    path: &Path,
    config: QueueConfig,
    logins: &Arc<Logins>,
) -> (Queue, JournalStatus) {
    let connector = || Arc::clone(logins) as Arc<dyn Connector>;
    let mut status = JournalStatus {
        problem: None,
        recovered: None,
        unfinished: 0,
    };
    let problem = match Journal::open(path, HOLDER) {
        Ok(opened) => {
            status.recovered = opened.recovered.map(|damage| Recovered {
                path: damage.set_aside.display().to_string(),
                rescued: damage.items.into(),
                lost: damage.lost.map(Number::from),
                why: damage.why,
            });
            match Queue::open(config, connector(), opened.journal) {
                Ok(queue) => {
                    status.unfinished = unfinished(&queue.summary());
                    return (queue, status);
                }
                Err(error) => JournalProblem {
                    reason: NoJournal::Broken,
                    error: error.into(),
                },
            }
        }
        Err(error) => JournalProblem {
            reason: match &error {
                OpenError::Held { .. } => NoJournal::Held,
                OpenError::Newer { .. } => NoJournal::Newer,
                _ => NoJournal::Broken,
            },
            error: error.into(),
        },
    };
    tracing::warn!(error = %problem.error.message, "transfers are not kept");
    status.problem = Some(problem);
    (Queue::new(config, connector()), status)
}
