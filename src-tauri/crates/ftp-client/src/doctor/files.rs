//! What can be done with files: sizes, times, restarts, hashes, names; with leave to write, on files of our own.

use std::time::{Duration, Instant};

use ftp_proto::{
    Command, Name, RemotePath,
    listing::{Entry, Kind},
};
use jiff::Timestamp;

use super::{
    Check,
    patient::{Patient, said},
    wire::{Errand, Trouble, Way},
};
use crate::Error;

/// Files of this size are fetched for a look.
const FROM: u64 = 16;
const TO: u64 = 256 * 1024;
/// Clocks may be so far apart.
const APART: Duration = Duration::from_secs(60);
/// All zones are a multiple of this apart, in seconds.
const ZONE_STEP: i64 = 15 * 60;
/// The name of the folder that is made, before a random end.
const FOLDER: &str = "slipway-doctor-";
pub(super) const FILE: &str = "probe.bin";

/// A file to try things on.
pub(super) struct Sample {
    pub(super) path: RemotePath,
    pub(super) content: Vec<u8>,
    /// What the listing says.
    listed: Option<Entry>,
}

impl Patient<'_> {
    pub(super) async fn look_at_files(&mut self) {
        let Some(way) = self.way else {
            return self.skip(Check::Rest, "no data connection comes about");
        };
        let own = match self.examination.write {
            true => self.make_sample(way).await,
            false => None,
        };
        let writing = own.is_some();
        let sample = match own {
            Some(sample) => Some(sample),
            None => self.find_sample(way).await,
        };
        let Some(sample) = sample else {
            for check in [Check::Size, Check::Rest, Check::Mdtm, Check::Hashes] {
                self.skip(
                    check,
                    "there is no small file to try it on; --write makes one",
                );
            }
            self.look_at_clock_by_listing();
            return;
        };
        self.look_at_size(&sample).await;
        self.look_at_rest(way, &sample).await;
        self.look_at_mdtm(&sample, writing).await;
        if writing {
            self.look_at_accents(way, &sample).await;
        } else {
            self.look_at_clock_by_listing();
        }
        self.look_by_client(&sample, writing).await;
    }

    /// A small file of the folder.
    async fn find_sample(&mut self, way: Way) -> Option<Sample> {
        let listed = self
            .entries
            .iter()
            .filter(|entry| {
                entry.kind == Kind::File && Name::try_from(entry.name.as_slice()).is_ok()
            })
            .filter(|entry| entry.size.is_some_and(|size| (FROM..=TO).contains(&size)))
            .min_by_key(|entry| entry.size)?
            .clone();
        let name = Name::try_from(listed.name.as_slice()).ok()?;
        let path = match &self.place {
            Some(place) => place.join(&name),
            None => RemotePath::try_from(name.as_bytes()).ok()?,
        };
        let moved = self
            .transfer(Errand::fetch(way, Command::Retr(path.clone())))
            .await
            .ok()?;
        (!moved.cut && moved.bytes.len() as u64 >= FROM).then_some(Sample {
            path,
            content: moved.bytes,
            listed: Some(listed),
        })
    }

    /// A folder with a file in it, made for this.
    async fn make_sample(&mut self, way: Way) -> Option<Sample> {
        let begin = Instant::now();
        let mut random = [0; 4];
        if getrandom::fill(&mut random).is_err() {
            return None;
        }
        let folder = format!("{FOLDER}{:08x}", u32::from_ne_bytes(random));
        let at = |folder: &RemotePath, name: &str| {
            Name::try_from(name).map(|name| folder.join(&name)).ok()
        };
        let folder = match &self.place {
            Some(place) => at(place, &folder)?,
            None => RemotePath::try_from(folder.as_str()).ok()?,
        };
        let may = "The user may not store files here. That is as it should be, or the rights of the folder are wrong.";
        match self.change(Command::Mkd(folder.clone())).await {
            Ok(None) => self.made.push(Command::Rmd(folder.clone())),
            Ok(Some(refused)) => {
                self.problem(
                    Check::Write,
                    begin,
                    format!("no folder can be made: {refused}"),
                    Some(may),
                );
                return None;
            }
            Err(error) => {
                // It may be there.
                self.made.push(Command::Rmd(folder));
                self.lost(Check::Write, begin, &error);
                return None;
            }
        }
        let path = at(&folder, FILE)?;
        let content: Vec<u8> = (0..5000_u32)
            .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
            .collect();
        self.made.push(Command::Dele(path.clone()));
        let mut errand = Errand::fetch(way, Command::Stor(path.clone()));
        errand.upload = Some(&content);
        match self.transfer(errand).await {
            Ok(_) => {}
            Err(trouble) => {
                if matches!(trouble, Trouble::Refused(_) | Trouble::NoWay(_)) {
                    self.made.pop();
                }
                self.problem(
                    Check::Write,
                    begin,
                    format!("no file can be stored: {}", trouble.words()),
                    Some(may),
                );
                return None;
            }
        }
        match self
            .transfer(Errand::fetch(way, Command::Retr(path.clone())))
            .await
        {
            Ok(moved) if moved.bytes == content => {
                self.good(
                    Check::Write,
                    begin,
                    "a file was stored, and came back as it was",
                );
                Some(Sample {
                    path,
                    content,
                    listed: None,
                })
            }
            Ok(moved) => {
                let what = format!(
                    "a file of {} bytes was stored, and {} other bytes came back",
                    content.len(),
                    moved.bytes.len()
                );
                self.problem(Check::Write, begin, what, Some("Something changes files on their way: a filter, a virus scanner, or line ends that are converted in TYPE I."));
                None
            }
            Err(trouble) => {
                self.problem(
                    Check::Write,
                    begin,
                    format!(
                        "a file was stored, and can't be fetched: {}",
                        trouble.words()
                    ),
                    None,
                );
                None
            }
        }
    }

    /// A command that changes something; what the server says against it.
    async fn change(&mut self, command: Command) -> Result<Option<String>, Error> {
        let reply = self.line().await?.control.exchange(&command).await?;
        Ok((!reply.code.is_completion()).then(|| said(&reply)))
    }

    async fn look_at_size(&mut self, sample: &Sample) {
        let begin = Instant::now();
        let outcome = match self.line().await {
            Ok(line) => {
                line.control
                    .exchange(&Command::Size(sample.path.clone()))
                    .await
            }
            Err(error) => Err(error),
        };
        let reply = match outcome {
            Ok(reply) => reply,
            Err(error) => return self.lost(Check::Size, begin, &error),
        };
        let has = sample.content.len() as u64;
        match crate::files::size_of(&reply).filter(|_| reply.code.is_completion()) {
            Some(size) if size == has => self.good(Check::Size, begin, "SIZE tells the size of files"),
            Some(size) => self.problem(
                Check::Size,
                begin,
                format!("SIZE says {size} of a file that has {has} bytes"),
                Some("SIZE counts what a transfer in TYPE I moves (RFC 3659 section 4); a cache or a filter may be in the way."),
            ),
            None if reply.code.is_completion() => self.problem(Check::Size, begin, format!("the answer to SIZE holds no number: {}", said(&reply)), Some("The answer to SIZE is 213 and a number (RFC 3659 section 4).")),
            None => self.notice(Check::Size, begin, format!("sizes can't be asked for: {}", said(&reply)), Some("Without SIZE (RFC 3659) uploads can't be verified.")),
        }
    }

    async fn look_at_rest(&mut self, way: Way, sample: &Sample) {
        let begin = Instant::now();
        let from = sample.content.len() as u64 / 2;
        let mut errand = Errand::fetch(way, Command::Retr(sample.path.clone()));
        errand.from = from;
        let moved = match self.transfer(errand).await {
            Ok(moved) => moved,
            Err(Trouble::NoRest(reply)) => {
                return self.notice(
                    Check::Rest,
                    begin,
                    format!("transfers can't go on where they stopped: {}", said(&reply)),
                    Some("Allow REST in stream mode (RFC 3659 section 5): ProFTPD AllowStoreRestart and AllowRetrieveRestart."),
                );
            }
            Err(trouble) => {
                return self.problem(
                    Check::Rest,
                    begin,
                    format!("REST: {}", trouble.words()),
                    None,
                );
            }
        };
        if moved.bytes == sample.content {
            return self.problem(
                Check::Rest,
                begin,
                format!("REST {from} is accepted, and then the file comes from its beginning: files that go on would be ruined"),
                Some("REST must be obeyed, or refused (RFC 3659 section 5)."),
            );
        }
        if moved.bytes != sample.content[from as usize..] {
            return self.problem(
                Check::Rest,
                begin,
                format!("REST {from} is accepted, and then other bytes come than the rest of the file ({} of them)", moved.bytes.len()),
                Some("A transfer behind REST begins at the byte that it names (RFC 3659 section 5)."),
            );
        }
        // The next one begins at the beginning.
        match self
            .transfer(Errand::fetch(way, Command::Retr(sample.path.clone())))
            .await
        {
            Ok(moved) if moved.bytes == sample.content => {
                self.good(
                    Check::Rest,
                    begin,
                    "transfers can go on where they stopped (REST)",
                );
            }
            Ok(moved) => self.problem(
                Check::Rest,
                begin,
                format!(
                    "the offset of REST stays for the next transfer, which brought {} of {} bytes",
                    moved.bytes.len(),
                    sample.content.len()
                ),
                Some("REST holds for the next transfer alone (RFC 3659 section 5.1)."),
            ),
            Err(trouble) => self.problem(
                Check::Rest,
                begin,
                format!("after REST: {}", trouble.words()),
                None,
            ),
        }
    }

    async fn look_at_mdtm(&mut self, sample: &Sample, fresh: bool) {
        let begin = Instant::now();
        let outcome = match self.line().await {
            Ok(line) => {
                line.control
                    .exchange(&Command::Mdtm(sample.path.clone()))
                    .await
            }
            Err(error) => Err(error),
        };
        let reply = match outcome {
            Ok(reply) => reply,
            Err(error) => return self.lost(Check::Mdtm, begin, &error),
        };
        if !reply.code.is_completion() {
            return self.notice(
                Check::Mdtm,
                begin,
                format!("times can't be asked for: {}", said(&reply)),
                Some("Without MDTM (RFC 3659) times are only as exact as listings are."),
            );
        }
        let Ok((time, _)) = ftp_proto::parse_time(reply.first_line().trim_ascii()) else {
            return self.problem(
                Check::Mdtm,
                begin,
                format!("the answer to MDTM holds no time: {}", said(&reply)),
                Some("The answer to MDTM is 213 and YYYYMMDDhhmmss in UTC (RFC 3659 section 3)."),
            );
        };
        let listed = sample
            .listed
            .as_ref()
            .and_then(|entry| entry.modified)
            .filter(|modified| modified.zone_known)
            .map(|modified| modified.timestamp);
        match listed.map(|listed| listed.as_second() - time.as_second()) {
            Some(apart) if apart.abs() > 1 => self.problem(
                Check::Mdtm,
                begin,
                format!("MDTM and MLSD tell times of one file that are {} apart", span(apart)),
                Some("Both are in UTC (RFC 3659 sections 2.3 and 3); one of them is in local time: vsftpd use_localtime=NO, ProFTPD TimesGMT on."),
            ),
            _ => self.good(Check::Mdtm, begin, format!("MDTM tells times ({time})")),
        }
        if fresh {
            // Stored a moment ago.
            self.clock(begin, Timestamp::now().as_second() - time.as_second());
        }
    }

    /// The server's clock is so many seconds behind ours.
    fn clock(&mut self, begin: Instant, behind: i64) {
        let limit = i64::try_from(APART.as_secs()).unwrap_or(i64::MAX);
        let off = (behind + ZONE_STEP / 2).rem_euclid(ZONE_STEP) - ZONE_STEP / 2;
        let way = if behind > 0 { "behind" } else { "ahead" };
        if behind.abs() <= limit {
            self.good(Check::Clock, begin, "the server's clock goes as ours does");
        } else if off.abs() <= limit {
            self.problem(
                Check::Clock,
                begin,
                format!("the server's times are {} {way}: that is a time zone, where it should be UTC", span(behind)),
                Some("MDTM and MLSD are in UTC (RFC 3659 section 2.3): vsftpd use_localtime=NO, ProFTPD TimesGMT on; or the clock is set to local time."),
            );
        } else {
            self.notice(
                Check::Clock,
                begin,
                format!(
                    "the server's clock is {} {way}: what is newer can't be told by times",
                    span(behind)
                ),
                Some("Set the clock by NTP."),
            );
        }
    }

    /// Without a file of our own: only a time to come tells something.
    fn look_at_clock_by_listing(&mut self) {
        let begin = Instant::now();
        let now = Timestamp::now().as_second();
        let newest = self
            .entries
            .iter()
            .filter_map(|entry| entry.modified)
            .filter(|modified| modified.zone_known)
            .map(|modified| modified.timestamp.as_second())
            .max();
        let limit = i64::try_from(APART.as_secs()).unwrap_or(i64::MAX);
        match newest {
            Some(newest) if newest - now > limit => {
                let what = format!(
                    "a file is from a time to come, {} from now: the server's clock or its zone is wrong, or somebody set it so",
                    span(newest - now)
                );
                self.notice(
                    Check::Clock,
                    begin,
                    what,
                    Some("Set the clock by NTP, and let MLSD be in UTC."),
                );
            }
            _ => self.skip(
                Check::Clock,
                "only a file that is stored now would tell; --write stores one",
            ),
        }
    }
}

/// A length of time for people.
pub(super) fn span(seconds: i64) -> String {
    let seconds = seconds.unsigned_abs();
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} days", seconds / 86_400),
    }
}
