//! The pure core of the queue: state, event and time in; actions and journal entries out. No tokio, no clock, no disk,
//! no network.
//!
//! The runtime tells the machine what happened ([`Machine::add`], [`Machine::cancel`], [`Machine::item_ended`], …),
//! writes down what [`Machine::take_ops`] gives, and only then does what [`Machine::poll`] says. An item that is worked
//! on has a *job*; a job holds one of the site's connections from [`Action::Start`] until [`Machine::job_ended`], also
//! while it is being given up. So an item that is cancelled and retried at once never runs twice at the same time.
//!
//! Folders are items whose job is to look into the folder; what they find are their children. The numbers of a folder
//! are sums over what is below it, kept up to date with every change. A folder's children enter the journal together
//! with the fact that it was looked into: after a crash it is looked into again, or never.

mod commands;
mod item;
#[cfg(test)]
mod model;
mod outcome;
mod persist;
mod rate;
mod restore;
mod schedule;
#[cfg(test)]
mod tests;
mod tree;
mod view;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

pub(crate) use item::{Item, JobId};
use item::{Numbers, Root};

use crate::journal::Op;
use crate::work::{Assignment, StopKind, Task};
use crate::{
    Counts, Direction, Hold, ItemKind, NewTransfer, Options, Priority, Receipt, RetryPolicy,
    SiteKey, TransferId,
};

/// Time since the queue was made.
pub(crate) type Time = Duration;

/// Folders inside folders are followed this far down: a loop made of links or of a server's lies ends here.
pub(crate) const MAX_DEPTH: u32 = 64;

/// The moment of an event.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    /// Runs evenly.
    pub(crate) time: Time,
    /// What the clock on the wall shows.
    pub(crate) wall: Timestamp,
}

/// What the runtime has to do.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    /// Work on this, tell how each item ended, and then that the job has.
    Start {
        job: JobId,
        site: SiteKey,
        assignment: Box<Assignment>,
    },
    /// Give these items of the job up; with `all`, the whole job.
    Stop { job: JobId, all: bool },
    /// Remove what tries at these have left, which nobody wants any more.
    Discard { site: SiteKey, tasks: Vec<Task> },
}

/// Which items changed since the last time someone asked.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) dirty: BTreeSet<TransferId>,
    pub(crate) removed: Vec<TransferId>,
}

/// The order in which items start: by priority, by batch, then as found or as put.
type Rank = (Reverse<Priority>, i64, i64, TransferId);

#[derive(Debug)]
struct Site {
    key: SiteKey,
    /// Downloads and uploads.
    ready: [BTreeSet<Rank>; 2],
    in_flight: usize,
    /// How many items wait for their time.
    delayed: usize,
    /// How many connections there may be.
    most: usize,
    /// How many the server seems to allow.
    limit: usize,
    /// When it has refused one for the last time, or was tried with one more, while there may be fewer than `most`.
    refused: Option<Time>,
    paused: bool,
    /// As paused, but for now only: not in the journal.
    held: bool,
}

impl Site {
    fn rests(&self) -> bool {
        self.paused || self.held
    }

    fn has_waiting(&self) -> bool {
        self.delayed > 0 || self.ready.iter().any(|line| !line.is_empty())
    }

    fn is_waited_for(&self) -> bool {
        self.ready.iter().any(|line| !line.is_empty())
    }
}

#[derive(Debug)]
struct Job {
    site: u32,
    /// When it began.
    since: Time,
    /// Connections that it has beside its first one.
    extra: usize,
    /// What of it has not ended.
    ids: BTreeSet<TransferId>,
    targets: Vec<u64>,
    rate: rate::Rate,
    /// The items that are shown as moving: the first one's folders get the rate.
    first: TransferId,
    /// It finds out whether what held the downloads up is over.
    probe: bool,
    stopping: bool,
    /// The server has refused it a connection, and that was counted.
    refused: bool,
}

/// Downloads wait because a disk is full.
#[derive(Debug)]
struct Full {
    path: std::path::PathBuf,
    pause: Time,
    /// When one download may try again.
    again: Time,
    probing: bool,
}

/// How the machine works.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// Jobs at the same time, over all sites.
    pub(crate) workers: usize,
    /// Connections per site, unless the site says otherwise.
    pub(crate) connections: usize,
    pub(crate) retry: RetryPolicy,
    /// Wait when the disk is full; else what found no room has failed.
    pub(crate) wait_for_room: bool,
    /// Journal entries are wanted.
    pub(crate) journalled: bool,
}

/// The state of the queue.
#[derive(Debug)]
pub(crate) struct Machine {
    rules: Rules,
    items: BTreeMap<TransferId, Item>,
    sites: Vec<Site>,
    site_numbers: HashMap<SiteKey, u32>,
    options: Vec<Arc<Options>>,
    delayed: BTreeSet<(Time, TransferId)>,
    jobs: BTreeMap<JobId, Job>,
    targets: HashSet<u64>,
    stops: BTreeSet<JobId>,
    discards: BTreeMap<u32, Vec<Task>>,
    changes: Changes,
    next_id: TransferId,
    next_job: NonZeroU64,
    next_order: i64,
    /// The site whose turn it was the last time.
    turn: u32,
    counts: Counts,
    numbers: Numbers,
    paused: bool,
    full: Option<Full>,
    /// Why, and whether it is damaged.
    journal_trouble: Option<(String, bool)>,
    /// Sites whose limit was learned since somebody asked.
    learned: Vec<(SiteKey, usize)>,
    journal: persist::Pending,
    /// Without a journal: the receipts of what has finished since somebody asked.
    receipts: Vec<Receipt>,
    /// Nothing is started any more.
    closing: bool,
}

impl Machine {
    pub(crate) fn new(rules: Rules) -> Self {
        let mut machine = Self::empty(rules);
        machine.journal = persist::Pending::new(rules.journalled);
        machine
    }

    fn empty(rules: Rules) -> Self {
        Self {
            rules,
            items: BTreeMap::new(),
            sites: Vec::new(),
            site_numbers: HashMap::new(),
            options: Vec::new(),
            delayed: BTreeSet::new(),
            jobs: BTreeMap::new(),
            targets: HashSet::new(),
            stops: BTreeSet::new(),
            discards: BTreeMap::new(),
            changes: Changes::default(),
            next_id: 1,
            next_job: NonZeroU64::MIN,
            next_order: 0,
            turn: 0,
            counts: Counts::default(),
            numbers: Numbers::default(),
            paused: false,
            full: None,
            journal_trouble: None,
            learned: Vec::new(),
            journal: persist::Pending::default(),
            receipts: Vec::new(),
            closing: false,
        }
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = TransferId> + '_ {
        self.items.keys().copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    #[cfg(test)]
    pub(crate) fn contains(&self, id: TransferId) -> bool {
        self.items.contains_key(&id)
    }

    /// The items of a site.
    pub(crate) fn ids_of_site(&self, key: &SiteKey) -> Vec<TransferId> {
        let Some(&number) = self.site_numbers.get(key) else {
            return Vec::new();
        };
        self.items
            .iter()
            .filter(|(_, item)| item.site == number)
            .map(|(&id, _)| id)
            .collect()
    }

    /// Nothing runs, and nothing would start by itself: what is paused or asks waits for a person.
    pub(crate) fn is_idle(&self) -> bool {
        self.jobs.is_empty() && (self.paused || self.closing || !self.something_waits())
    }

    /// Something is to be removed, and [`poll`](Self::poll) has not said so yet.
    pub(crate) fn has_discards(&self) -> bool {
        !self.discards.is_empty()
    }

    /// Nothing is started any more; what is in the journal stays as it is.
    pub(crate) fn close(&mut self) {
        self.closing = true;
    }

    /// The sites of what is not finished.
    /// What is over. A folder is not as long as something in it goes on.
    pub(crate) fn ended(&self) -> Vec<TransferId> {
        let over = self.items.iter().filter(|(_, item)| !item.state.is_open());
        over.map(|(id, _)| *id)
            .filter(|id| self.view(*id).is_some_and(|item| !item.state.is_open()))
            .collect()
    }

    pub(crate) fn sites_in_use(&self) -> Vec<SiteKey> {
        let mut used = vec![false; self.sites.len()];
        for item in self.items.values() {
            if item.state.is_open()
                && let Some(used) = used.get_mut(item.site as usize)
            {
                *used = true;
            }
        }
        self.sites
            .iter()
            .zip(used)
            .filter(|(_, used)| *used)
            .map(|(site, _)| site.key.clone())
            .collect()
    }

    /// The receipts of what has finished, where no journal takes them.
    pub(crate) fn take_receipts(&mut self) -> Vec<Receipt> {
        std::mem::take(&mut self.receipts)
    }

    fn something_waits(&self) -> bool {
        self.sites
            .iter()
            .any(|site| !site.rests() && site.has_waiting())
    }

    pub(crate) fn jobs_in_flight(&self) -> usize {
        self.jobs.len()
    }

    pub(crate) fn take_changes(&mut self) -> Changes {
        std::mem::take(&mut self.changes)
    }

    /// Sites whose servers were found to allow only so many connections.
    pub(crate) fn take_learned(&mut self) -> Vec<(SiteKey, usize)> {
        std::mem::take(&mut self.learned)
    }

    /// Whether [`take_ops`](Self::take_ops) has anything.
    #[cfg(test)]
    pub(crate) fn has_ops(&self) -> bool {
        !self.journal.is_empty()
    }

    /// What the journal has to hold before anything more is done.
    pub(crate) fn take_ops(&mut self) -> Vec<Op> {
        self.entries()
    }

    /// The journal can't be written, or can again. While it can't, nothing is started.
    pub(crate) fn journal_trouble(&mut self, why: Option<String>) {
        let damaged = self.journal_trouble.as_ref().is_some_and(|(_, is)| *is);
        self.journal_trouble = why.map(|why| (why, damaged));
    }

    /// It can't be written before it was opened again.
    pub(crate) fn journal_damaged(&mut self, why: String) {
        self.journal_trouble = Some((why, true));
    }

    pub(crate) fn is_in_trouble(&self) -> bool {
        self.journal_trouble.is_some()
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.paused
    }

    pub(crate) fn hold(&self) -> Option<Hold> {
        if let Some((why, damaged)) = &self.journal_trouble {
            return Some(Hold::Journal {
                why: why.clone(),
                damaged: *damaged,
            });
        }
        self.full.as_ref().map(|full| Hold::DiskFull {
            path: full.path.clone(),
        })
    }

    /// How many connections a site may have at most. Takes effect with the next item.
    pub(crate) fn set_connections(&mut self, key: &SiteKey, most: usize) {
        let number = self.site(key);
        let site = &mut self.sites[number as usize];
        if site.most != most.max(1) {
            site.most = most.max(1);
            site.limit = site.most;
            site.refused = None;
        }
    }

    /// How many connections a site may have at this time.
    pub(crate) fn connections(&self, key: &SiteKey) -> usize {
        let number = self.site_numbers.get(key);
        let limit = number.map_or(1, |&number| self.sites[number as usize].limit);
        limit.min(self.rules.workers)
    }

    /// Gives a job one more of its site's connections, if there is one that nobody waits for.
    pub(crate) fn widen(&mut self, job: JobId) -> bool {
        if self.paused || self.closing || self.journal_trouble.is_some() {
            return false;
        }
        let workers: usize = self.jobs.values().map(|job| 1 + job.extra).sum();
        let Some(job) = self.jobs.get_mut(&job).filter(|job| !job.stopping) else {
            return false;
        };
        let site = &mut self.sites[job.site as usize];
        let is_free = !site.rests() && site.in_flight < site.limit && !site.is_waited_for();
        let can = is_free && workers < self.rules.workers;
        if can {
            site.in_flight += 1;
            job.extra += 1;
        }
        can
    }

    /// A job gives back what it got from [`widen`](Self::widen).
    pub(crate) fn narrow(&mut self, job: JobId) {
        if let Some(job) = self.jobs.get_mut(&job).filter(|job| job.extra > 0) {
            job.extra -= 1;
            self.sites[job.site as usize].in_flight -= 1;
        }
    }

    /// Whether others wait for a connection of the site while this job has more than one.
    pub(crate) fn is_crowded(&self, job: JobId) -> bool {
        self.jobs.get(&job).is_some_and(|job| {
            let site = &self.sites[job.site as usize];
            job.extra > 0 && site.in_flight >= site.limit && site.is_waited_for()
        })
    }

    /// Adds items at the end of the queue.
    pub(crate) fn add(&mut self, now: Now, new: &[NewTransfer]) -> Vec<TransferId> {
        new.iter().map(|new| self.add_root(now, new)).collect()
    }

    fn site(&mut self, key: &SiteKey) -> u32 {
        if let Some(&number) = self.site_numbers.get(key) {
            return number;
        }
        let number = self.sites.len() as u32;
        self.sites.push(Site {
            key: key.clone(),
            ready: [BTreeSet::new(), BTreeSet::new()],
            in_flight: 0,
            delayed: 0,
            most: self.rules.connections.max(1),
            limit: self.rules.connections.max(1),
            refused: None,
            paused: false,
            held: false,
        });
        self.site_numbers.insert(key.clone(), number);
        self.journal.site(number, key);
        number
    }

    fn intern(&mut self, options: &Arc<Options>) -> u32 {
        // Batches share their options, so the last ones are the likely ones.
        let found = self
            .options
            .iter()
            .rposition(|known| Arc::ptr_eq(known, options))
            .or_else(|| self.options.iter().rposition(|known| known == options));
        if let Some(number) = found {
            return number as u32;
        }
        let number = self.options.len() as u32;
        self.options.push(options.clone());
        self.journal.options(number, options);
        number
    }

    fn options_of(&self, item: &Item) -> &Arc<Options> {
        // Numbers come from `intern` only.
        &self.options[item.options as usize]
    }

    fn take_order(&mut self) -> i64 {
        // Room between two, so that others can be put there.
        self.next_order = self.next_order.saturating_add(1 << 16);
        self.next_order
    }

    fn take_id(&mut self) -> TransferId {
        let id = self.next_id;
        // Four thousand million items later the oldest numbers are free again.
        self.next_id = self.next_id.checked_add(1).unwrap_or(1);
        while self.items.contains_key(&self.next_id) {
            self.next_id = self.next_id.checked_add(1).unwrap_or(1);
        }
        id
    }

    fn rank(&self, id: TransferId, item: &Item) -> Rank {
        let batch = if item.batch == id {
            item.order
        } else {
            self.items
                .get(&item.batch)
                .map_or(item.order, |root| root.order)
        };
        let own = if item.batch == id { 0 } else { item.order };
        (Reverse(item.priority), batch, own, id)
    }

    fn lane(direction: Direction) -> usize {
        match direction {
            Direction::Download => 0,
            Direction::Upload => 1,
        }
    }
}

fn is_file(kind: ItemKind) -> bool {
    kind != ItemKind::Folder
}

/// What a stop that was asked for leads to.
fn stopped_state(kind: StopKind) -> crate::State {
    match kind {
        StopKind::Cancelled => crate::State::Cancelled,
        StopKind::Paused => crate::State::Paused,
    }
}
