//! The handle of a queue.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::throttles::Speeds;
use super::writer::Writer;
use super::{Connector, QueueConfig, QueueState, Shared, Updates, drive};
use crate::error::Error;
use crate::journal::Journal;
use crate::machine::{Machine, Now, Rules, Time};
use crate::pool::Pool;
use crate::remote::Remotes;
use crate::{
    ConflictRule, Interest, Limits, NewTransfer, Options, Place, Priority, Receipt, SiteKey,
    Summary, Timetable, Transfer, TransferId,
};

/// Without a journal so many receipts are remembered.
pub(super) const RECEIPTS: usize = 1000;

/// The names of settings in the journal.
const LIMITS: &str = "limits";
const TIMETABLE: &str = "timetable";

/// The transfer queue. Clones are handles of the same queue. When the last one is dropped, what was asked for is in the
/// journal, and what runs is stopped; [`shutdown`](Self::shutdown) also waits for it.
#[derive(Clone)]
pub struct Queue(Arc<Handle>);

struct Handle {
    shared: Arc<Shared>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        // What was asked for last counts, even if the program ends right after this and nobody else gets to anything.
        if let Some(writer) = &self.shared.writer {
            self.shared.lock().machine.close();
            writer.flush_now();
        }
        self.shared.closed.cancel();
    }
}

impl Queue {
    /// A queue with nothing in it, and without a journal. Its tasks run in the tokio runtime that this is called in.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn new(config: QueueConfig, connector: Arc<dyn Connector>) -> Self {
        let remotes = Arc::new(crate::ftp::FtpRemotes::new(connector.clone()));
        let machine = Machine::new(rules(&config, false));
        Self::start(config, Some(connector), remotes, machine, None)
    }

    /// The queue that a journal holds: everything that was not finished goes on. Every change is in the journal before
    /// it is acted on.
    ///
    /// # Errors
    /// [`Error::Journal`] where the journal can't be read.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn open(
        config: QueueConfig,
        connector: Arc<dyn Connector>,
        journal: Journal,
    ) -> Result<Self, Error> {
        let remotes = Arc::new(crate::ftp::FtpRemotes::new(connector.clone()));
        Self::open_with(config, Some(connector), remotes, journal)
    }

    pub(crate) fn open_with(
        config: QueueConfig,
        connector: Option<Arc<dyn Connector>>,
        remotes: Arc<dyn Remotes>,
        mut journal: Journal,
    ) -> Result<Self, Error> {
        let loaded = journal.load().map_err(|error| Error::Journal {
            why: error.to_string(),
        })?;
        let settings = loaded.settings.clone();
        let now = Now {
            time: Time::ZERO,
            wall: Timestamp::now(),
        };
        let (machine, left_out) = Machine::restore(now, rules(&config, true), loaded);
        if left_out > 0 {
            tracing::warn!(left_out, "items of the journal were not understood");
        }
        let (writer, starter) = Writer::new(journal);
        let queue = Self::start(config, connector, remotes, machine, Some(writer));
        let shared = &queue.0.shared;
        starter
            .start(Arc::downgrade(shared))
            .map_err(|error| Error::Journal {
                why: error.to_string(),
            })?;
        let setting = |name: &str| settings.get(name).map(String::as_str);
        if let Some(limits) = setting(LIMITS).and_then(|json| serde_json::from_str(json).ok()) {
            shared.speeds.set_limits(limits);
        }
        if let Some(timetable) = setting(TIMETABLE).and_then(|j| serde_json::from_str(j).ok()) {
            shared.speeds.set_timetable(timetable);
        }
        Ok(queue)
    }

    #[cfg(test)]
    pub(crate) fn with_remotes(config: QueueConfig, remotes: Arc<dyn Remotes>) -> Self {
        let machine = Machine::new(rules(&config, false));
        Self::start(config, None, remotes, machine, None)
    }

    fn start(
        config: QueueConfig,
        connector: Option<Arc<dyn Connector>>,
        remotes: Arc<dyn Remotes>,
        machine: Machine,
        writer: Option<Writer>,
    ) -> Self {
        let is_idle = machine.is_idle();
        let shared = Arc::new(Shared {
            state: Mutex::new(QueueState {
                machine,
                jobs: HashMap::new(),
                slots: Vec::new(),
                last_sample: Time::ZERO,
                idle_since: None,
                receipts: VecDeque::new(),
                write_again: None,
                cleaning: 0,
                next_look: Time::ZERO,
            }),
            pool: Pool::new(remotes),
            connector,
            wake: Notify::new(),
            idle: watch::Sender::new(is_idle),
            closed: CancellationToken::new(),
            start: Instant::now(),
            config,
            writer,
            speeds: Speeds::new(config.limits),
        });
        let sites = shared.lock().machine.sites_in_use();
        shared.ask_profiles(&sites);
        tokio::spawn(drive::drive(shared.clone()));
        Self(Arc::new(Handle { shared }))
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }

    /// Adds transfers at the end of the queue; their numbers are in the same order. They are in the journal, if there is
    /// one, when this returns.
    ///
    /// # Errors
    /// [`Error::Journal`] where it can't be written; then nothing was added.
    pub async fn enqueue(&self, transfers: Vec<NewTransfer>) -> Result<Vec<TransferId>, Error> {
        let shared = self.shared();
        let ids = shared.add(&transfers, None);
        if let Err(error) = shared.flush().await {
            shared.change(|state, _| {
                state.machine.cancel(&ids);
                state.machine.forget(&ids);
            });
            return Err(error);
        }
        Ok(ids)
    }

    /// Cancels items, and what is in them if they are folders. What is finished stays finished. Numbers that are not
    /// in the queue are passed over, here and below.
    ///
    /// What runs ends a moment later; [`wait_idle`](Self::wait_idle) waits for that too. What a cancelled download has
    /// written is removed, and so is what a cancelled upload has, if the server lets us.
    pub fn cancel(&self, ids: &[TransferId]) {
        self.shared().change(|state, _| state.machine.cancel(ids));
    }

    /// Cancels everything that goes to or comes from a site, and closes its idle connections.
    pub async fn cancel_site(&self, site: &SiteKey) {
        self.shared().change(|state, _| {
            let ids = state.machine.ids_of_site(site);
            state.machine.cancel(&ids);
        });
        self.shared().pool.close_idle(Some(site)).await;
    }

    /// Tries failed, cancelled and skipped items again, and those in the folders given.
    pub fn retry(&self, ids: &[TransferId]) {
        self.shared()
            .change(|state, now| state.machine.retry(now, ids));
    }

    /// Stops items for now, and what is in them if they are folders. What was moved is kept.
    pub fn pause(&self, ids: &[TransferId]) {
        self.shared().change(|state, _| state.machine.pause(ids));
    }

    /// Lets paused items go on.
    pub fn unpause(&self, ids: &[TransferId]) {
        self.shared()
            .change(|state, now| state.machine.unpause(now, ids));
    }

    /// Stops everything for now, what comes later too; or lets it go on, but for what is paused by itself or by its
    /// site. Kept in the journal.
    pub fn pause_all(&self, paused: bool) {
        self.shared().change(|state, _| {
            state.machine.pause_all(paused);
        });
        self.shared().announce();
    }

    /// The same for one site.
    pub fn pause_site(&self, site: &SiteKey, paused: bool) {
        self.shared().change(|state, _| {
            state.machine.pause_site(site, paused);
        });
        self.shared().announce();
    }

    /// As [`pause_site`](Self::pause_site), but neither in the journal nor in the summary: for a site that can't be
    /// connected to at this time.
    pub fn hold_site(&self, site: &SiteKey, held: bool) {
        self.shared().change(|state, _| {
            state.machine.hold_site(site, held);
        });
    }

    /// Which items go first. Folders take with them what is in them.
    pub fn set_priority(&self, ids: &[TransferId], priority: Priority) {
        self.shared()
            .change(|state, now| state.machine.set_priority(now, ids, priority));
    }

    /// Puts items, in the order that they have, to another place among those beside them: what was added by itself
    /// among all that was, what is in a folder among what is in that folder.
    pub fn move_to(&self, ids: &[TransferId], place: Place) {
        self.shared()
            .change(|state, now| state.machine.move_to(now, ids, place));
    }

    /// Items that have not begun don't begin before this time; `None`: they may at once.
    pub fn set_start(&self, ids: &[TransferId], start: Option<Timestamp>) {
        self.shared()
            .change(|state, now| state.machine.set_start(now, ids, start));
    }

    /// Other options for items that are not running and not finished, and for what is in them.
    pub fn edit(&self, ids: &[TransferId], options: &Arc<Options>) {
        self.shared()
            .change(|state, now| state.machine.edit(now, ids, options));
    }

    /// A person's answer for items in [`State::Asking`]. Given for a folder it holds for everything in it that asks, and
    /// for what is found in it later. [`ConflictRule::Ask`] is no answer.
    pub fn answer(&self, ids: &[TransferId], rule: ConflictRule) {
        self.shared()
            .change(|state, now| state.machine.answer(now, ids, rule));
    }

    /// Takes what is finished (done, skipped, failed or cancelled) off the list; a folder only when everything in it is.
    pub fn clear_finished(&self) {
        self.shared()
            .change(|state, _| state.machine.clear_finished());
    }

    /// The limits of speed of the whole queue.
    pub fn limits(&self) -> Limits {
        self.shared().speeds.limits()
    }

    /// Sets the limits of speed of the whole queue; what runs follows within a tenth of a second. Kept in the journal.
    pub fn set_limits(&self, limits: Limits) {
        let shared = self.shared();
        shared.speeds.set_limits(limits);
        shared.change(|state, _| state.machine.keep_setting(LIMITS, &limits));
        shared.announce();
    }

    /// Sets the limits of one site in place of those that its profile has, until the queue ends.
    pub fn set_site_limits(&self, site: &SiteKey, limits: Limits) {
        self.shared().speeds.set_site_limits(site, limits);
    }

    /// The timetable of the limit of everything.
    pub fn timetable(&self) -> Option<Timetable> {
        self.shared().speeds.timetable()
    }

    /// Sets the timetable. While it says something it goes before [`Limits::total`]. Kept in the journal.
    pub fn set_timetable(&self, timetable: Option<Timetable>) {
        let shared = self.shared();
        shared.change(|state, _| state.machine.keep_setting(TIMETABLE, &timetable));
        shared.speeds.set_timetable(timetable);
        shared.announce();
    }

    /// A subscription: first a snapshot, then what changes, at most ten times a second.
    pub fn subscribe(&self, interest: Interest) -> Updates {
        Updates::new(self.shared().clone(), interest)
    }

    /// An item as it stands.
    pub fn get(&self, id: TransferId) -> Option<Transfer> {
        self.shared().lock().machine.view(id)
    }

    /// All items as they stand, by number.
    pub fn list(&self) -> Vec<Transfer> {
        let state = self.shared().lock();
        state
            .machine
            .ids()
            .filter_map(|id| state.machine.view(id))
            .collect()
    }

    /// The queue as a whole.
    pub fn summary(&self) -> Summary {
        self.shared().lock().summary(&self.shared().speeds)
    }

    /// The sites of everything in the queue.
    pub fn sites(&self) -> Vec<SiteKey> {
        self.shared().lock().machine.sites_in_use()
    }

    /// The receipts of finished files, the newest first. Without a journal only the last thousand are known.
    ///
    /// # Errors
    /// [`Error::Journal`] where it can't be read.
    pub async fn receipts(&self, limit: u32, offset: u64) -> Result<Vec<Receipt>, Error> {
        match &self.shared().writer {
            Some(writer) => {
                self.shared().flush().await?;
                writer.receipts(limit, offset).await
            }
            None => {
                let state = self.shared().lock();
                let skip = usize::try_from(offset).unwrap_or(usize::MAX);
                let receipts = state.receipts.iter().rev().skip(skip);
                Ok(receipts.take(limit as usize).cloned().collect())
            }
        }
    }

    /// The receipt of one item.
    ///
    /// # Errors
    /// [`Error::Journal`] where it can't be read.
    pub async fn receipt(&self, id: TransferId) -> Result<Option<Receipt>, Error> {
        match &self.shared().writer {
            Some(writer) => {
                self.shared().flush().await?;
                writer.receipt(id).await
            }
            None => {
                let state = self.shared().lock();
                let found = state.receipts.iter().rev().find(|receipt| receipt.id == id);
                Ok(found.cloned())
            }
        }
    }

    /// Waits until nothing runs, and nothing would start by itself. What waits to be tried again, or for its time,
    /// would; what is paused or asks would not.
    pub async fn wait_idle(&self) {
        let mut idle = self.shared().idle.subscribe();
        // The sender lives as long as we do.
        let _ = idle.wait_for(|idle| *idle).await;
    }

    /// Ends the queue: waits until what runs has stopped, takes leave of the servers and closes the journal. With a
    /// journal everything goes on when it is opened again; without one it is cancelled, and cleaned up after.
    pub async fn shutdown(&self) {
        let shared = self.shared();
        shared.change(|state, _| match shared.writer {
            Some(_) => {
                state.machine.close();
                state.machine.put_back_running(|_| true);
            }
            None => {
                let ids: Vec<TransferId> = state.machine.ids().collect();
                state.machine.cancel(&ids);
            }
        });
        self.wait_idle().await;
        shared.pool.close_idle(None).await;
        if let Some(writer) = &shared.writer {
            writer.close().await;
        }
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let items = self.shared().lock().machine.len();
        f.debug_struct("Queue")
            .field("items", &items)
            .finish_non_exhaustive()
    }
}

pub(super) fn rules(config: &QueueConfig, journalled: bool) -> Rules {
    Rules {
        workers: config.workers.min(256),
        connections: config.connections.clamp(1, 64),
        retry: config.retry,
        wait_for_room: config.wait_for_room,
        journalled,
    }
}
