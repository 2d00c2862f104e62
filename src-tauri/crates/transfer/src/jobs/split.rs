//! One big download by several connections, where that is faster.
//!
//! It begins as every download does. When its rate is known, the second half of what is left is given to another
//! connection, if the site has one that nobody waits for, and the first one stops at the border; then the rate is looked
//! at again. What a connection leaves undone, for whatever reason, is fetched by another one, if need be after its own
//! part.
//!
//! While parts are fetched at the same time the length of the file does not tell how much of it is there. Before a
//! second one writes, it is noted up to where the file is whole, and again while that place moves on: the next try
//! begins there, however this one ends. It only ever is a place that was reached already. With it is noted what else is
//! there, beyond gaps: the next try fetches the gaps alone, if the ends of all that still are what the server has.

use std::fs::File;

use ftp_client::Bound;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, MissedTickBehavior};

use super::islands::WORTH_KEEPING;
use super::segments::{Growth, Piece, Ranges, Rules};
use super::{Job, Stop, spoils_connection};
use crate::Facts;
use crate::error::Error;
use crate::pool::Lease;
use crate::remote::{Beginning, Moved, Remote, Wire};
use crate::work::{Identity, Island, Ledger, Note, Task};

/// What is fetched.
pub(super) struct Fetch<'f> {
    pub(super) task: &'f Task,
    /// What the source was before.
    pub(super) before: Facts,
    /// With what is there beyond gaps.
    pub(super) identity: &'f Identity,
    pub(super) wire: &'f Wire,
    /// Set as soon as the file may have been written to in several places.
    pub(super) has_split: &'f mut bool,
}

/// A connection beside the first one.
struct Extra<'a> {
    /// There until it is closed.
    lease: Option<Lease<'a>>,
    ledger: &'a dyn Ledger,
}

impl Extra<'_> {
    async fn close(mut self) {
        if let Some(lease) = self.lease.take() {
            lease.close().await;
        }
    }
}

impl Drop for Extra<'_> {
    fn drop(&mut self) {
        if let Some(lease) = self.lease.take() {
            // Whatever ran on it was dropped before.
            lease.give_back();
        }
        self.ledger.narrow();
    }
}

/// Who fetches a part: an extra connection, or the first one.
type Seat<'a> = Option<Extra<'a>>;

enum Event<'a> {
    Opened(Result<Extra<'a>, Error>),
    Ended(Seat<'a>, Piece, Result<Moved, Error>),
}

struct Running {
    piece: Piece,
    bound: Bound,
    is_extra: bool,
}

/// A download that is being done by one connection or more.
struct Split<'s, 'a> {
    job: &'s Job<'a>,
    fetch: Fetch<'s>,
    file: File,
    rules: Rules,
    ranges: Ranges,
    running: Vec<Running>,
    events: FuturesUnordered<BoxFuture<'s, Event<'a>>>,
    growth: Growth,
    /// Connections beside the first one, and on their way.
    extras: usize,
    /// The first connection is good and has nothing to do.
    is_first_idle: bool,
    /// Up to where the file is noted to be whole, and what is noted to be beyond.
    noted: (u64, Box<[Island]>),
    noted_at: Instant,
    failure: Option<Error>,
}

impl<'a> Job<'a> {
    /// Brings what is missing of a file, by several connections if that is allowed and pays.
    pub(super) async fn fetch_file(
        &self,
        fetch: Fetch<'_>,
        from: &Beginning,
        file: File,
    ) -> Result<Moved, Stop> {
        let path = &fetch.task.plan.remote;
        let rules = self.live.segments;
        let left = fetch.before.size.and_then(|s| s.checked_sub(from.offset));
        let may = rules.most > 1
            && left.is_some_and(|left| left >= rules.least)
            && !fetch.identity.in_place
            && self.live.throttles.is_unlimited()
            && self.remote.can_restart();
        let islands = &fetch.identity.islands;
        let (Some(size), true) = (fetch.before.size, may || !islands.is_empty()) else {
            let whole = self.remote.download(path, from, file, fetch.wire);
            return self.live.or_stopped(whole).await;
        };
        let now = Instant::now();
        let (ranges, first) = Ranges::new(from.offset, size, islands);
        let noted = (from.offset, islands.clone());
        let mut growth = Growth::new(rules, now);
        if !may {
            growth.stop();
        }
        let mut split = Split {
            job: self,
            fetch,
            file,
            rules,
            ranges,
            running: Vec::new(),
            events: FuturesUnordered::new(),
            growth,
            extras: 0,
            is_first_idle: false,
            noted,
            noted_at: now,
            failure: None,
        };
        split.begin(None, first, from.clone())?;
        split.run().await
    }

    /// Another connection to the same file, on which REST leads where it should.
    async fn open_extra(&self, extra: &mut Extra<'a>, fetch: &Known<'_>) -> Result<(), Error> {
        let mut fresh = false;
        loop {
            let lease = self.pool.take(self.site, fresh).await?;
            let reused = lease.reused();
            let remote = extra.lease.insert(lease).remote();
            let job = Job { remote, ..*self };
            match job.leads_there(fetch).await {
                // A connection that broke while it was idle.
                Err(error) if error.connection_lost() && reused && !fresh => {
                    if let Some(lease) = extra.lease.take() {
                        lease.close().await;
                    }
                    fresh = true;
                }
                outcome => return outcome,
            }
        }
    }

    async fn leads_there(&self, known: &Known<'_>) -> Result<(), Error> {
        let path = &known.task.plan.remote;
        self.check_unchanged(path, known.before, true).await?;
        // There are servers that take a place for another one, or for none: then the last byte is not the last one.
        let last = known.before.size.unwrap_or(0).saturating_sub(1);
        let piece = self.remote.piece(path, last, 2, &self.wire()).await?;
        match piece.len() {
            1 => Ok(()),
            _ => Err(Error::SourceChanged),
        }
    }
}

/// What an extra connection has to find.
#[derive(Clone, Copy)]
struct Known<'f> {
    task: &'f Task,
    before: Facts,
}

impl<'s, 'a> Split<'s, 'a> {
    async fn run(mut self) -> Result<Moved, Stop> {
        let outcome = self.work().await;
        // Whatever still runs is given up; what it has brought is not lost.
        self.events.clear();
        self.fetch.wire.bound.at_rest().await;
        self.count();
        if let Err(stop) = &outcome
            && self.job.is_worth_keeping(self.fetch.task.id, stop)
        {
            self.note(true).await;
        }
        outcome
    }

    async fn work(&mut self) -> Result<Moved, Stop> {
        let mut tick = tokio::time::interval(self.rules.tick);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                Some(event) = self.events.next() => {
                    let outcome = match event {
                        Event::Opened(opened) => self.opened(opened).await,
                        Event::Ended(seat, piece, outcome) => self.ended(seat, piece, outcome).await,
                    };
                    if let Some(moved) = outcome? {
                        return Ok(moved);
                    }
                }
                () = self.job.live.cancel.cancelled() => return Err(Stop::Asked),
                _ = tick.tick() => self.look().await,
            }
            if self.ranges.is_complete() {
                self.note(true).await;
                // Nobody is left who could ask whether the source has changed: the next try does.
                return match self.failure.take() {
                    Some(error) if error.connection_lost() && !self.is_first_idle => {
                        Err(error.into())
                    }
                    _ => Ok(Moved::Bytes(self.ranges.bytes())),
                };
            }
            if self.running.is_empty() {
                let lost = || Error::Internal("a part of a file was forgotten".to_owned());
                return Err(self.failure.take().unwrap_or_else(lost).into());
            }
        }
    }

    /// Lets a connection fetch a part.
    fn begin(&mut self, seat: Seat<'a>, piece: Piece, from: Beginning) -> Result<(), Error> {
        let file = self
            .file
            .try_clone()
            .map_err(|error| Error::local("open", &self.fetch.task.plan.local(), error))?;
        let bound = self
            .fetch
            .wire
            .bound
            .beside(piece.length.unwrap_or(u64::MAX));
        self.running.push(Running {
            piece,
            bound: bound.clone(),
            is_extra: seat.is_some(),
        });
        let wire = Wire {
            at: Some(piece.begin),
            bound,
            ..self.fetch.wire.clone()
        };
        let (first, path) = (self.job.remote, &self.fetch.task.plan.remote);
        self.events.push(Box::pin(async move {
            let outcome = {
                let remote: &dyn Remote = match seat.as_ref().and_then(|s| s.lease.as_ref()) {
                    Some(lease) => lease.remote(),
                    None => first,
                };
                remote.download(path, &from, file, &wire).await
            };
            Event::Ended(seat, piece, outcome)
        }));
        Ok(())
    }

    /// What is there by now.
    fn count(&mut self) {
        for running in &self.running {
            self.ranges.moved(running.piece.id, running.bound.moved());
        }
    }

    /// Something to do for a connection that has nothing: what another one has left, or half of what one has.
    fn find(&mut self) -> Option<Piece> {
        if let Some(piece) = self.ranges.take() {
            return Some(piece);
        }
        let running = &self.running;
        self.ranges.split(self.rules.smallest, |id, length| {
            let one = running.iter().find(|running| running.piece.id == id);
            one.is_some_and(|one| one.bound.lower(length))
        })
    }

    /// Writes down up to where the file is whole, and what is beyond.
    async fn note(&mut self, at_once: bool) {
        let due = at_once || self.noted_at.elapsed() >= self.rules.note;
        if *self.fetch.has_split && due {
            self.write_down().await;
        }
    }

    /// True if it is in the journal.
    async fn write_down(&mut self) -> bool {
        let there = (self.ranges.contiguous(), self.ranges.islands(WORTH_KEEPING));
        if *self.fetch.has_split && there == self.noted {
            return true;
        }
        let identity = Identity {
            contiguous: Some(there.0),
            islands: there.1.clone(),
            ..self.fetch.identity.clone()
        };
        let noted = self
            .job
            .note(self.fetch.task.id, Note::Begun(identity))
            .await;
        (self.noted, self.noted_at) = (there, Instant::now());
        noted.is_ok()
    }

    async fn opened(&mut self, opened: Result<Extra<'a>, Error>) -> Result<Option<Moved>, Error> {
        let extra = match opened {
            Ok(extra) => extra,
            Err(error) => {
                tracing::debug!(%error, "no other connection for a download");
                self.extras -= 1;
                self.growth.stop();
                return Ok(None);
            }
        };
        self.count();
        // What was not noted must not be written.
        let may = *self.fetch.has_split || self.write_down().await;
        self.count();
        let piece = match may {
            true => self.find(),
            false => None,
        };
        let Some(piece) = piece else {
            self.extras -= 1;
            self.growth.stop();
            return Ok(None);
        };
        *self.fetch.has_split = true;
        tracing::debug!(
            begin = piece.begin,
            "a download goes on by one more connection"
        );
        self.begin(Some(extra), piece, beginning(piece))?;
        self.growth.added(Instant::now());
        Ok(None)
    }

    async fn ended(
        &mut self,
        seat: Seat<'a>,
        piece: Piece,
        outcome: Result<Moved, Error>,
    ) -> Result<Option<Moved>, Error> {
        self.count();
        let place = self.running.iter().position(|r| r.piece.id == piece.id);
        let Some(running) = place.map(|place| self.running.swap_remove(place)) else {
            return Err(Error::Internal("a part of a file is unknown".to_owned()));
        };
        let outcome = match outcome {
            Ok(Moved::Differs) => return Ok(Some(Moved::Differs)),
            Ok(Moved::Bytes(_)) if running.bound.is_reached() => {
                self.ranges.left(piece.id);
                Ok(())
            }
            Ok(Moved::Bytes(_)) => {
                if !self.ranges.ended(piece.id) {
                    return Err(Error::SourceChanged);
                }
                Ok(())
            }
            Err(error) => {
                self.ranges.left(piece.id);
                Err(error)
            }
        };
        match outcome {
            Ok(()) => match seat {
                None => self.is_first_idle = true,
                // Others wait for it.
                Some(extra) if self.job.ledger.is_crowded() => {
                    self.extras -= 1;
                    drop(extra);
                }
                Some(extra) => match self.find() {
                    Some(piece) => self.begin(Some(extra), piece, beginning(piece))?,
                    None => self.extras -= 1,
                },
            },
            // The disk, or nobody else is there to go on.
            Err(error) if !*self.fetch.has_split || !is_remote(&error) => return Err(error),
            Err(error) => {
                tracing::debug!(%error, "a part of a download has failed");
                self.growth.stop();
                if let Some(extra) = seat {
                    self.extras -= 1;
                    if spoils_connection(&error) {
                        extra.close().await;
                    }
                    self.failure.get_or_insert(error);
                } else {
                    // It is this one's connection that goes on afterwards.
                    self.failure = Some(error);
                }
            }
        }
        if self.is_first_idle
            && let Some(piece) = self.find()
        {
            self.is_first_idle = false;
            self.begin(None, piece, beginning(piece))?;
        }
        self.note(true).await;
        Ok(None)
    }

    /// Once in a while.
    async fn look(&mut self) {
        self.count();
        self.note(false).await;
        let now = Instant::now();
        if self.extras > 0 && self.job.ledger.is_crowded() {
            self.growth.stop();
            let extra = self.running.iter().rev().find(|running| running.is_extra);
            if let Some(running) = extra {
                running.bound.stop();
            }
            return;
        }
        let bytes = self.job.live.progress.bytes();
        let left = self.ranges.remaining();
        let pays = self.growth.wants_more(now, bytes, left);
        let moving = self.running.iter().filter(|r| r.is_extra).count();
        let may = moving == self.extras
            && 1 + self.extras < self.rules.most
            && left >= 2 * self.rules.smallest
            && self.fetch.wire.throttles.is_unlimited();
        if pays && may && self.job.ledger.widen() {
            self.extras += 1;
            let mut extra = Extra {
                lease: None,
                ledger: self.job.ledger,
            };
            let job = self.job;
            let known = Known {
                task: self.fetch.task,
                before: self.fetch.before,
            };
            self.events.push(Box::pin(async move {
                match job.open_extra(&mut extra, &known).await {
                    Ok(()) => Event::Opened(Ok(extra)),
                    Err(error) => {
                        if spoils_connection(&error) {
                            extra.close().await;
                        }
                        Event::Opened(Err(error))
                    }
                }
            }));
        }
    }
}

/// A part that begins where nothing of it is.
fn beginning(piece: Piece) -> Beginning {
    Beginning {
        offset: piece.begin,
        tail: Vec::new(),
    }
}

fn is_remote(error: &Error) -> bool {
    matches!(error, Error::Remote(_))
}
