//! What is taken in: transfers, what other processes ask for, and what a journal shows to those who only look.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::queue::rules;
use super::{QueueConfig, Shared, SiteProfile};
use crate::journal::{JournalError, Reader, Taken};
use crate::machine::{Machine, Now, Time};
use crate::wish::{Which, Wish};
use crate::{NewTransfer, SiteKey, Transfer, TransferId};

impl Shared {
    /// Takes transfers in; with the number of the request that they come from, if they do.
    pub(super) fn add(&self, transfers: &[NewTransfer], request: Option<i64>) -> Vec<TransferId> {
        // Before anything of them can start.
        let sites: BTreeSet<&SiteKey> = transfers.iter().map(|new| &new.site).collect();
        self.ask_profiles(sites);
        self.change(|state, now| {
            let ids = state.machine.add(now, transfers);
            if let Some(request) = request {
                state.machine.handled(request);
            }
            ids
        })
    }

    /// Asks how many connections these sites may have.
    pub(super) fn ask_profiles<'s>(&self, sites: impl IntoIterator<Item = &'s SiteKey>) {
        if self.connector.is_some() {
            for site in sites {
                self.ask_profile(site);
            }
        }
    }

    /// Asks what is special about a site, and sees to it that it has no more connections than that says.
    pub(super) fn ask_profile(&self, site: &SiteKey) -> SiteProfile {
        let profile = self.profile(site);
        let most = profile.connections.unwrap_or(self.config.connections);
        self.lock().machine.set_connections(site, most.clamp(1, 64));
        profile
    }

    /// Does what another process has asked for.
    pub(super) fn fulfil(&self, taken: &Taken) {
        let wish = match Wish::read(&taken.request) {
            Ok(wish) => wish,
            Err(why) => {
                tracing::warn!(%why, kind = %taken.request.kind, "a request is not understood");
                self.change(|state, _| state.machine.handled(taken.number));
                return;
            }
        };
        if let Wish::Add(transfers) = wish {
            self.add(&transfers, Some(taken.number));
            return;
        }
        self.change(|state, now| {
            let machine = &mut state.machine;
            let ids = |machine: &Machine, which: Which| match which {
                Which::All => machine.ids().collect(),
                Which::Items(ids) => ids,
            };
            match wish {
                Wish::Pause(which) => {
                    let ids = ids(machine, which);
                    machine.pause(&ids);
                }
                Wish::Resume(which) => {
                    if which == Which::All && machine.is_paused() {
                        machine.pause_all(false);
                    }
                    let ids = ids(machine, which);
                    machine.unpause(now, &ids);
                }
                Wish::Cancel(which) => {
                    let ids = ids(machine, which);
                    machine.cancel(&ids);
                }
                Wish::Retry(which) => {
                    let ids = ids(machine, which);
                    machine.retry(now, &ids);
                }
                Wish::Clear => machine.clear_finished(),
                Wish::Add(_) => {}
            }
            machine.handled(taken.number);
        });
    }
}

/// A journal at a glance; see [`Reader::overview`].
#[derive(Debug, Clone, Default)]
pub struct Overview {
    /// The sites of what is not finished.
    pub sites: Vec<SiteKey>,
    /// The items that ended, well or not. A queue that is opened now may end others before anybody can look.
    pub ended: Vec<TransferId>,
}

impl Reader {
    /// All items as the journal has them, by number: what runs at this moment is shown as waiting.
    ///
    /// # Errors
    /// Whatever keeps it from being read.
    pub fn items(&self) -> Result<Vec<Transfer>, JournalError> {
        let machine = self.machine()?;
        Ok(machine.ids().filter_map(|id| machine.view(id)).collect())
    }

    /// What there is to do, and what is over already.
    ///
    /// # Errors
    /// Whatever keeps it from being read.
    pub fn overview(&self) -> Result<Overview, JournalError> {
        let machine = self.machine()?;
        Ok(Overview {
            sites: machine.sites_in_use(),
            ended: machine.ended(),
        })
    }

    fn machine(&self) -> Result<Machine, JournalError> {
        let now = Now {
            time: Time::ZERO,
            wall: Timestamp::now(),
        };
        let config = QueueConfig::default();
        Ok(Machine::restore(now, rules(&config, false), self.load()?).0)
    }
}
