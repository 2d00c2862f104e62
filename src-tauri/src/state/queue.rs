//! The one transfer queue: kept in a journal, connected as the sessions are, and projected to the window.

mod following;
mod journal;

pub(crate) use following::follow;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ftp_client::HostMemory;
use jiff::Timestamp;
use tauri::ipc::Channel;
use tokio::{
    sync::{Notify, mpsc},
    task::AbortHandle,
};
use transfer::{
    ConflictRule, Counts, Interest, Limits, NewTransfer, Place, Priority, QueueConfig, Receipt,
    SiteKey, Timetable, Transfer, TransferId,
};

use super::{Shell, Vault, log::Log, logins::Logins, sessions::Session};
use crate::{
    dto::{self, JournalStatus, Number, QueueSummary, QueueUpdate, TransferRow},
    error::{AppError, Result},
};

/// The queue, and how it connects.
pub(crate) struct Queue {
    queue: transfer::Queue,
    logins: Arc<Logins>,
    /// What became of the journal at the start.
    journal: JournalStatus,
    /// As the person wrote it.
    timetable: Mutex<String>,
    /// What the window sees has changed without the queue.
    changed: Arc<Notify>,
    /// Sites that wait for the person, until [`hold_waiting`] takes over.
    waits: Mutex<Option<mpsc::UnboundedReceiver<SiteKey>>>,
    /// Sends updates to the window.
    watcher: Mutex<Option<AbortHandle>>,
}

impl Queue {
    /// The queue of the vault's journal: what is in it goes on. Where the journal can't be had, an empty queue that is
    /// not kept; [`journal`](Self::journal) says why. Blocks.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub(crate) fn open(vault: &Vault, hosts: HostMemory, log: Arc<Log>) -> Self {
        let (waiting, waits) = mpsc::unbounded_channel();
        let logins = Arc::new(Logins::new(vault.clone(), hosts, log, waiting));
        let settings = vault.settings.load().unwrap_or_default();
        let limits = Limits {
            total: settings.limits.total,
            download: settings.limits.download,
            upload: settings.limits.upload,
        };
        let config = QueueConfig {
            limits,
            ..QueueConfig::default()
        };
        let (queue, journal) = journal::open(&vault.journal, config, &logins);
        queue.set_limits(limits);
        // Those of the journal have names for the window from the start.
        for site in queue.sites() {
            logins.id(&site);
        }
        let this = Self {
            queue,
            logins,
            journal,
            timetable: Mutex::default(),
            changed: Arc::default(),
            waits: Mutex::new(Some(waits)),
            watcher: Mutex::default(),
        };
        match timetable(&settings.timetable) {
            Ok(timetable) => this.use_timetable(settings.timetable, timetable),
            // By hand, in the file: the dialog shows what is wrong with it.
            Err(error) => {
                tracing::warn!(%error, "the timetable of the settings can't be read");
                this.use_timetable(settings.timetable, None);
            }
        }
        this
    }

    /// What became of the journal at the start.
    pub(crate) fn journal(&self) -> JournalStatus {
        self.journal.clone()
    }

    /// Whether what is not finished goes on at the next start.
    pub(crate) fn is_kept(&self) -> bool {
        self.journal.problem.is_none()
    }

    /// A session is there: its transfers connect as it did, and those that have waited for it go on.
    pub(crate) fn logged_in(&self, session: &Session) {
        let (key, waited) = self.logins.add(session);
        if waited {
            self.hold(&key, false);
        }
        self.changed.notify_one();
    }

    /// The key of a session's transfers. They connect as the session did, and go on when it is closed.
    pub(crate) fn site(&self, session: &Session) -> SiteKey {
        self.logins.add(session).0
    }

    /// Adds transfers at the end.
    ///
    /// # Errors
    /// If they can't be kept.
    pub(crate) async fn add(&self, transfers: Vec<NewTransfer>) -> Result<Vec<TransferId>> {
        Ok(self.queue.enqueue(transfers).await?)
    }

    /// Gives transfers up.
    pub(crate) fn cancel(&self, ids: &[TransferId]) {
        self.queue.cancel(ids);
    }

    /// Tries transfers again.
    pub(crate) fn retry(&self, ids: &[TransferId]) {
        self.queue.retry(ids);
    }

    /// Stops transfers for now, or lets them go on.
    pub(crate) fn pause(&self, ids: &[TransferId], paused: bool) {
        if paused {
            self.queue.pause(ids);
        } else {
            self.queue.unpause(ids);
        }
    }

    /// Stops everything for now, or lets it go on.
    pub(crate) fn pause_all(&self, paused: bool) {
        self.queue.pause_all(paused);
    }

    /// Stops what is of a site for now, or lets it go on.
    ///
    /// # Errors
    /// If there is no such site.
    pub(crate) fn pause_site(&self, site: u32, paused: bool) -> Result<()> {
        self.queue.pause_site(&self.key(site)?, paused);
        Ok(())
    }

    /// Says which go first.
    pub(crate) fn set_priority(&self, ids: &[TransferId], priority: Priority) {
        self.queue.set_priority(ids, priority);
    }

    /// Puts transfers somewhere else in the queue.
    pub(crate) fn move_to(&self, ids: &[TransferId], place: Place) {
        self.queue.move_to(ids, place);
    }

    /// Says when transfers start.
    pub(crate) fn start_at(&self, ids: &[TransferId], at: Option<Timestamp>) {
        self.queue.set_start(ids, at);
    }

    /// Decides what asks.
    pub(crate) fn answer(&self, ids: &[TransferId], rule: ConflictRule) {
        self.queue.answer(ids, rule);
    }

    /// Limits everything, from now on.
    pub(crate) fn set_limits(&self, limits: Limits) {
        self.queue.set_limits(limits);
        self.changed.notify_one();
    }

    /// Limits a site, from now on. The saved site's id, if it is one.
    ///
    /// # Errors
    /// If there is no such site.
    pub(crate) fn set_site_limits(&self, site: u32, limits: Limits) -> Result<Option<String>> {
        let key = self.key(site)?;
        self.logins.set_limits(&key, limits);
        self.queue.set_site_limits(&key, limits);
        self.changed.notify_one();
        Ok(super::connect::Origin::parse(key.as_str()).site())
    }

    /// A saved site has changed: what is transferred there obeys at once.
    pub(crate) fn site_saved(&self, site: &vault::Site) {
        if let Some((key, limits)) = self.logins.site_saved(site) {
            self.queue.set_site_limits(&key, limits);
            self.changed.notify_one();
        }
    }

    /// Puts a timetable to work, as the person wrote it.
    pub(crate) fn use_timetable(&self, text: String, timetable: Option<Timetable>) {
        *lock(&self.timetable) = text;
        self.queue.set_timetable(timetable);
        self.changed.notify_one();
    }

    /// The proof of one finished file.
    ///
    /// # Errors
    /// If the journal can't be read.
    pub(crate) async fn receipt(&self, id: TransferId) -> Result<Option<dto::Receipt>> {
        let receipt = self.queue.receipt(id).await?;
        Ok(receipt.map(|receipt| self.named(receipt)))
    }

    /// The proofs of finished files, newest first.
    ///
    /// # Errors
    /// If the journal can't be read.
    pub(crate) async fn receipts(&self, limit: u32, offset: u32) -> Result<Vec<dto::Receipt>> {
        let receipts = self.queue.receipts(limit, offset.into()).await?;
        Ok(receipts
            .into_iter()
            .map(|receipt| self.named(receipt))
            .collect())
    }

    fn named(&self, receipt: Receipt) -> dto::Receipt {
        let site = self.logins.name(&receipt.site);
        dto::Receipt::new(receipt, site)
    }

    /// Takes what is finished off the list.
    pub(crate) fn clear_finished(&self) {
        self.queue.clear_finished();
    }

    /// How many transfers are not over yet.
    pub(crate) fn unfinished(&self) -> u32 {
        unfinished(&self.queue.summary())
    }

    /// Stops everything. What is not finished is kept, or given up and tidied where it is not kept.
    pub(crate) async fn shutdown(&self) {
        self.queue.shutdown().await;
    }

    /// Forgets how to log in where nothing is left to transfer and no session is open.
    pub(crate) fn forget_logins(&self, is_open: impl Fn(u32) -> bool) {
        if self.unfinished() == 0 {
            self.logins.forget(is_open);
        }
    }

    /// Sends a snapshot and then changes to the window; the window before it gets no more.
    pub(crate) fn watch(self: &Arc<Self>, channel: Channel<QueueUpdate>) {
        let this = Arc::clone(self);
        let task = tokio::spawn(async move {
            if let Err(error) = this.send_updates(&channel).await {
                tracing::debug!(%error, "the window does not take the queue any more");
            }
        });
        if let Some(previous) = lock(&self.watcher).replace(task.abort_handle()) {
            previous.abort();
        }
    }

    /// Updates are numbered here: some are of the shell's own.
    async fn send_updates(&self, channel: &Channel<QueueUpdate>) -> tauri::Result<()> {
        let mut updates = self.queue.subscribe(Interest::Overview);
        let mut revision = 0;
        let mut begun = false;
        loop {
            let update = tokio::select! {
                update = updates.next() => match update {
                    Some(transfer::QueueUpdate::Snapshot { items, summary, .. }) => {
                        begun = true;
                        QueueUpdate::Snapshot {
                            revision,
                            items: self.rows(items),
                            summary: self.summary(&summary),
                        }
                    }
                    Some(transfer::QueueUpdate::Changes { upserts, removed, summary, .. }) => {
                        revision += 1;
                        QueueUpdate::Changes {
                            revision,
                            upserts: self.rows(upserts),
                            removed,
                            summary: self.summary(&summary),
                        }
                    }
                    None => return Ok(()),
                },
                () = self.changed.notified(), if begun => {
                    revision += 1;
                    QueueUpdate::Changes {
                        revision,
                        upserts: Vec::new(),
                        removed: Vec::new(),
                        summary: self.summary(&self.queue.summary()),
                    }
                }
            };
            channel.send(update)?;
        }
    }

    fn rows(&self, items: Vec<Transfer>) -> Vec<TransferRow> {
        items
            .into_iter()
            .map(|item| {
                let site = self.logins.id(&item.site);
                TransferRow::new(item, site)
            })
            .collect()
    }

    fn summary(&self, summary: &transfer::Summary) -> QueueSummary {
        QueueSummary {
            files: summary.files.into(),
            bytes: summary.bytes.into(),
            total: summary.total.into(),
            unknown: summary.unknown.into(),
            bytes_per_second: Number::try_from(summary.bytes_per_second).unwrap_or_default(),
            paused: summary.paused,
            sites: self.logins.list(&summary.paused_sites),
            held: summary.held.clone().map(dto::Hold::from),
            limits: summary.limits.into(),
            timetable: lock(&self.timetable).clone(),
            timetable_limit: summary.timetable_limit.map(Number::from),
            hidden: summary.hidden,
            kept: self.is_kept(),
        }
    }

    /// Starts nothing of a site, because only the person can log in; or goes on.
    fn hold(&self, site: &SiteKey, held: bool) {
        self.queue.hold_site(site, held);
    }

    fn key(&self, site: u32) -> Result<SiteKey> {
        self.logins.key(site).ok_or_else(AppError::no_place)
    }
}

/// Reads a timetable as a person writes it, in lines or with commas; None for an empty one.
///
/// # Errors
/// Says which entry can't be read.
pub(crate) fn timetable(
    text: &str,
) -> std::result::Result<Option<Timetable>, transfer::TimetableError> {
    let entries: Vec<&str> = text
        .split(['\n', ',', ';'])
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
        .collect();
    if entries.is_empty() {
        return Ok(None);
    }
    entries.join(", ").parse().map(Some)
}

/// What is not over: files, and folders that were not looked into, which may be more.
fn unfinished(summary: &transfer::Summary) -> u32 {
    let Counts {
        waiting,
        paused,
        asking,
        running,
        ..
    } = summary.files;
    let files = waiting
        .saturating_add(paused)
        .saturating_add(asking)
        .saturating_add(running);
    files.max(u32::try_from(summary.unknown).unwrap_or(u32::MAX))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts nothing of sites that wait for the person, for as long as the program runs.
pub(crate) async fn hold_waiting(shell: Arc<Shell>) {
    let Some(mut waits) = lock(&shell.queue.waits).take() else {
        return;
    };
    while let Some(key) = waits.recv().await {
        tracing::info!(
            site = key.as_str(),
            "transfers wait until somebody connects"
        );
        shell.queue.hold(&key, true);
        shell.queue.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_timetable_is_written_in_lines_or_with_commas() {
        assert_eq!(timetable(" \n, "), Ok(None));
        let lines = timetable("08:00-18:00 512K\nsat-sun off\n").unwrap();
        assert_eq!(lines, timetable("08:00-18:00 512K, sat-sun off").unwrap());
        assert!(lines.is_some());
        assert!(timetable("08:00 512K").is_err());
    }
}
