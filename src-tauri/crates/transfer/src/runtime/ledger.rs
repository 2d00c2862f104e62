//! What a running job says, and where it is written.

use std::sync::Arc;

use async_trait::async_trait;

use super::Shared;
use crate::TransferId;
use crate::error::Error;
use crate::machine::JobId;
use crate::work::{Ledger, Note, Outcome, StopKind};

pub(super) struct JobLedger {
    pub(super) shared: Arc<Shared>,
    pub(super) job: JobId,
}

#[async_trait]
impl Ledger for JobLedger {
    async fn note(&self, notes: Vec<(TransferId, Note)>) -> Result<(), Error> {
        {
            let mut state = self.shared.lock();
            for (id, note) in notes {
                state.machine.note(id, note);
            }
        }
        self.shared.flush().await
    }

    fn ended(&self, id: TransferId, outcome: Outcome) {
        if let Outcome::Failed { error, .. } = &outcome {
            tracing::debug!(%error, id, "a transfer has failed");
        }
        self.shared.change(|state, now| {
            state.machine.item_ended(now, self.job, id, outcome);
        });
    }

    fn stopped(&self, id: TransferId) -> Option<StopKind> {
        self.shared.lock().machine.stopping(id)
    }

    fn widen(&self) -> bool {
        self.shared.lock().machine.widen(self.job)
    }

    fn narrow(&self) {
        self.shared
            .change(|state, _| state.machine.narrow(self.job));
    }

    fn is_crowded(&self) -> bool {
        self.shared.lock().machine.is_crowded(self.job)
    }
}
