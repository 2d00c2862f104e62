//! Many files, in as few round trips as the server puts up with.
//!
//! The commands for up to twenty files leave in one write, and all of these files are done before the next write: no server
//! has to hear anything while it moves data. One that is confused all the same is known by replies that can't be the
//! ones that were asked for; then every file that may have suffered is moved once more by itself, and the server
//! gets one command at a time from then on.

mod alone;
mod conduct;
mod data;
mod item;
mod pipeline;
mod then;
mod way;

use std::time::Duration;

use ftp_net::{Pace, tls::Versions};
use tokio::sync::mpsc;

use super::{Driver, address, kind, ways::Direction};
use crate::{
    BatchOptions, DataMode, DataWay, Error, FetchFile, Fetched, PassiveCommand, StoreFile, Stored,
    memory::{Active, Pipelining},
};
use conduct::Watch;
use data::Activity;
use item::Item;
use pipeline::{Ended, Run, Trouble};
use way::Way;

/// Where the outcomes of files go, each with the file's place.
type Outcomes<T> = mpsc::UnboundedSender<(usize, Result<T, Error>)>;

/// From this round trip on it is worth while to let the server open data connections, and to say our end early.
const FAR: Duration = Duration::from_millis(4);
/// How long a server may take to reach us for the first time. One that is kept out by a firewall never will.
const REACH: Duration = Duration::from_secs(3);
/// For fewer files than this it isn't found out whether the server reaches us.
const WORTH_REACHING: usize = 4;
/// For fewer files than this it isn't found out whether many commands confuse the server.
const WORTH_PROBING: usize = 3;
/// After so many batches that went wrong, this session moves one file after the other.
const PATIENCE: u8 = 2;
/// How long a server may be silent in its first batch: it may have lost a command.
const FIRST_SILENCE: Duration = Duration::from_secs(10);

impl Driver {
    pub(crate) async fn fetch_many(
        &mut self,
        files: Vec<FetchFile>,
        mut options: BatchOptions,
        outcomes: Outcomes<Fetched>,
    ) -> Result<(), Error> {
        options.throttles.push(self.config.speed.download.clone());
        self.move_many(&files, &options, &outcomes).await
    }

    pub(crate) async fn store_many(
        &mut self,
        files: Vec<StoreFile>,
        mut options: BatchOptions,
        outcomes: Outcomes<Stored>,
    ) -> Result<(), Error> {
        options.throttles.push(self.config.speed.upload.clone());
        self.move_many(&files, &options, &outcomes).await
    }

    async fn move_many<T: Item>(
        &mut self,
        files: &[T],
        options: &BatchOptions,
        outcomes: &Outcomes<T::Outcome>,
    ) -> Result<(), Error> {
        let mut run = Run {
            files,
            outcomes,
            pace: Pace::new(options.throttles.clone()),
            watch: Watch::new(&self.config.timeouts),
            activity: Activity::new(options),
        };
        let mut next = 0;
        while next < files.len() && !outcomes.is_closed() {
            if let Some(error) = files[next].refusal(self) {
                self.report(next, Err(error), outcomes)?;
                next += 1;
                continue;
            }
            let possible = files[next..]
                .iter()
                .take_while(|file| file.refusal(self).is_none());
            let possible = possible.count();
            let plan = self.plan::<T>(possible).await?;
            let Some((way, trial)) = plan else {
                let outcome = files[next]
                    .alone(self, options, &mut run.pace, outcomes)
                    .await;
                self.report(next, outcome, outcomes)?;
                next += 1;
                continue;
            };
            run.watch.timeouts = self.limits(trial);
            let first = next;
            let count = if trial {
                1
            } else {
                let room = self.room(&files[next..next + possible], way);
                room.min(self.tickets::<T>())
            };
            let ended = match self.batch(&mut run, first, count, way).await {
                Ok(ended) => ended,
                Err(error) => {
                    if !self.learned().proven && self.learned().pipelining != Pipelining::Sequential
                    {
                        // It may have been the many commands.
                        self.demote("the server ended the connection");
                    }
                    return Err(error);
                }
            };
            next += ended.begun;
            if ended.done > 0 {
                self.publish_way(self.way_of(way), None);
            }
            if trial {
                self.learn_reach(&ended);
            }
            let again = self.recover(ended, trial, way, outcomes).await?;
            for (index, odd) in again {
                if outcomes.is_closed() {
                    break;
                }
                let outcome = files[index]
                    .alone(self, options, &mut run.pace, outcomes)
                    .await;
                if odd && outcome.is_ok() {
                    self.blame(way);
                }
                self.report(index, outcome, outcomes)?;
            }
        }
        Ok(())
    }

    /// How the next files are moved: in a batch this way, perhaps as a trial of the way, or (`None`) one by itself.
    async fn plan<T: Item>(&mut self, left: usize) -> Result<Option<(Way, bool)>, Error> {
        if self.disruptions >= PATIENCE || self.learned().bare_names {
            return Ok(None);
        }
        match self.pipelining() {
            Pipelining::Sequential => return Ok(None),
            Pipelining::Unknown if left < WORTH_PROBING || !self.probe().await? => return Ok(None),
            Pipelining::Unknown | Pipelining::Batch => {}
        }
        // It has no place among many commands.
        if self.wants_pret() {
            return Ok(None);
        }
        self.before_data().await?;
        let learned = self.learned();
        if !learned.reached && !learned.proven {
            // The first one shows whether data connections come about at all, and how.
            return Ok(None);
        }
        let stream = self.control.stream()?;
        let (local, peer) = match (stream.local_addr(), stream.peer_addr()) {
            (Ok(local), Ok(peer)) => (local.ip(), peer.ip()),
            _ => return Ok(None),
        };
        let passive = match self.passive_commands().first() {
            Some(PassiveCommand::Epsv) if !learned.no_epsv => Some((Way::Epsv, false)),
            Some(PassiveCommand::Pasv) if peer.is_ipv4() => Some((Way::Pasv, false)),
            _ => None,
        };
        // Where we speak first, it saves nothing: over TLS, and with files that go. With ProFTPD, to say our end early is as good.
        let worth = T::COMES
            && !self.data_encrypted
            && self.kind != kind::Kind::ProFtpd
            && self.active_fails < PATIENCE
            && self.is_far()
            && !self.is_only_passive()
            && address::may_reach(local, peer);
        if self.directions().0 == Direction::Active {
            let patient = self.active_fails < PATIENCE;
            return Ok(patient.then_some((Way::Active, false)));
        }
        Ok(match (self.config.data, learned.active) {
            (DataMode::Auto, Active::Works) if worth => Some((Way::Active, false)),
            (DataMode::Auto, Active::Unknown) if worth && left >= WORTH_REACHING => {
                Some((Way::Active, true))
            }
            _ => passive,
        })
    }

    fn way_of(&self, way: Way) -> DataWay {
        let over_ipv6 = self
            .peer_ip()
            .is_ok_and(|peer| peer.to_canonical().is_ipv6());
        match way {
            Way::Epsv => DataWay::Epsv,
            Way::Pasv => DataWay::Pasv,
            Way::Active if over_ipv6 => DataWay::Eprt,
            Way::Active => DataWay::Port,
        }
    }

    /// How many data connections there are session tickets for. Downloads usually bring a new one each; with uploads only vsftpd
    /// is known to.
    fn tickets<T: Item>(&self) -> usize {
        match &self.tls {
            Some(tls)
                if self.data_encrypted
                    && !T::COMES
                    && self.kind != kind::Kind::Vsftpd
                    && tls.versions() == Versions::Any
                    && tls.tickets() > 0
                    && !self.needs_no_ticket() =>
            {
                tls.tickets()
            }
            _ => usize::MAX,
        }
    }

    /// True where a round trip is long enough to be felt.
    fn is_far(&self) -> bool {
        self.control.round_trip().is_some_and(|time| time >= FAR)
    }

    /// How long to wait for what.
    fn limits(&self, trial: bool) -> ftp_net::Timeouts {
        let mut limits = self.config.timeouts;
        if trial {
            limits.connect = limits.connect.min(REACH);
        }
        if !self.learned().proven {
            limits.reply = limits.reply.min(FIRST_SILENCE);
        }
        limits
    }

    fn learn_reach<T: Item>(&self, ended: &Ended<'_, T>) {
        let reached = if ended.done > 0 {
            Active::Works
        } else if !ended.again.is_empty() || ended.trouble.is_some() {
            Active::Fails
        } else {
            // The file was refused, and the way not tried.
            return;
        };
        self.learn(|learned| learned.active = reached);
    }

    /// Gets back into step after a batch; the result are the files to be moved once more.
    async fn recover<T: Item>(
        &mut self,
        ended: Ended<'_, T>,
        trial: bool,
        way: Way,
        outcomes: &Outcomes<T::Outcome>,
    ) -> Result<Vec<(usize, bool)>, Error> {
        let Some(trouble) = ended.trouble else {
            if ended.done > 1 && ended.again.is_empty() && !self.learned().proven {
                self.learn(|learned| learned.proven = true);
            }
            return Ok(ended.again);
        };
        match trouble {
            Trouble::Odd(why) if !trial => self.demote(&why),
            Trouble::NoTicket => self.learn(|learned| learned.tls12 = true),
            Trouble::Way if way == Way::Active => {
                self.learn(|learned| learned.active = Active::Fails)
            }
            Trouble::NoListener => {
                self.active_fails += 1;
                return Ok(ended.again);
            }
            Trouble::Odd(_) | Trouble::Way | Trouble::Left => {}
        }
        let disruptions = self.disruptions + u8::from(!trial);
        self.reconnect().await?;
        self.disruptions = disruptions;
        T::further(self, ended.arrived, outcomes).await?;
        Ok(ended.again)
    }

    /// A file failed in a batch and not by itself: whose fault was that?
    fn blame(&self, way: Way) {
        if way == Way::Active && self.config.data == DataMode::Auto {
            self.learn(|learned| learned.active = Active::Fails);
        } else if self.learned().pipelining != Pipelining::Sequential {
            self.demote("a transfer failed among others and not by itself");
        }
    }

    /// Hands an outcome over, unless it is the end of the connection: then the file's fate is unknown.
    fn report<T>(
        &self,
        index: usize,
        outcome: Result<T, Error>,
        outcomes: &Outcomes<T>,
    ) -> Result<(), Error> {
        if let (Err(error), Some(_)) = (&outcome, self.control.dead()) {
            return Err(error.clone());
        }
        // Nobody listens any more: the loop sees that.
        let _ = outcomes.send((index, outcome));
        Ok(())
    }
}
