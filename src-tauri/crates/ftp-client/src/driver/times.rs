//! Setting the time of a file: there are five ways, and each server has some of them or none.

use ftp_proto::{Command, RemotePath, Reply};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Driver;
use crate::{Error, ErrorKind, LogKind, names};

/// A way to set the time of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TimeWay {
    /// Nobody has tried.
    #[default]
    Unknown,
    /// `MFMT time path` (draft-somers-ftp-mfxx section 3).
    Mfmt,
    /// `MFF modify=time; path` (draft-somers-ftp-mfxx section 5).
    Mff,
    /// `SITE UTIME path access change creation UTC`.
    UtimeOfFive,
    /// `SITE UTIME time path`.
    UtimeOfTwo,
    /// `MDTM time path`, as vsftpd has it.
    Mdtm,
    /// It has none of them.
    Nothing,
}

impl TimeWay {
    fn command(
        self,
        time: Timestamp,
        path: &RemotePath,
        driver: &Driver,
    ) -> Result<Command, Error> {
        let stamp = whole_seconds(time);
        let text = |parts: &[&[u8]]| RemotePath::try_from(parts.concat()).map_err(Error::argument);
        let behind = names::behind_a_word(path);
        Ok(match self {
            Self::Unknown | Self::Nothing => {
                return Err(Error::new(ErrorKind::Unsupported, DOING));
            }
            Self::Mfmt => Command::Mfmt(time, path.clone()),
            Self::Mff => Command::Other {
                verb: "MFF".to_owned(),
                argument: Some(
                    (&text(&[b"modify=", stamp.as_bytes(), b"; ", behind.as_bytes()])?).into(),
                ),
            },
            Self::UtimeOfFive => {
                // Only for its opinion on the name.
                names::site(driver.kind, "UTIME", path)?;
                let path = text(&[
                    behind.as_bytes(),
                    format!(" {stamp} {stamp} {stamp} UTC").as_bytes(),
                ])?;
                names::site(driver.kind, "UTIME", &path)?
            }
            Self::UtimeOfTwo => names::site(driver.kind, &format!("UTIME {stamp}"), path)?,
            Self::Mdtm => Command::Mdtm(text(&[stamp.as_bytes(), b" ", behind.as_bytes()])?),
        })
    }

    /// True where nothing in the command says that the time is UTC: the first time it is looked at what came of it.
    const fn is_vague(self) -> bool {
        matches!(self, Self::UtimeOfTwo | Self::Mdtm)
    }

    /// True where the reply says that the server has no such command, or takes it for something else; not where it is the file's fault.
    fn is_unknown(self, reply: &Reply) -> bool {
        match reply.code.value() {
            202 | 500..=504 => true,
            // The words before or behind the name were taken for a part of it.
            550 | 553 => {
                matches!(self, Self::UtimeOfFive | Self::UtimeOfTwo | Self::Mdtm)
                    && *Error::refused("MDTM", reply.clone()).kind() == ErrorKind::NotFound
            }
            _ => false,
        }
    }
}

/// What errors call it when no command was sent.
const DOING: &str = "setting the time of a file";

/// Fourteen digits.
fn whole_seconds(time: Timestamp) -> String {
    let mut stamp = ftp_proto::format_time(time);
    stamp.truncate(14);
    stamp
}

impl Driver {
    /// Sets the time of a file in the way that the server has, which is found out with the first file and remembered for the host.
    pub(crate) async fn set_time(
        &mut self,
        path: &RemotePath,
        time: Timestamp,
    ) -> Result<(), Error> {
        let mut refused = None;
        for way in self.time_ways().await? {
            let command = match way.command(time, path, self) {
                Ok(command) => command,
                // No way for this name.
                Err(error) if *error.kind() == ErrorKind::Unsupported => continue,
                Err(error) => return Err(error),
            };
            let reply = self.ask(&command).await?;
            if way.is_unknown(&reply) {
                refused = Some(Error::refused(command.redacted(), reply));
                continue;
            }
            if !reply.code.is_completion() {
                return Err(Error::refused(command.redacted(), reply));
            }
            if self.learned().times != way {
                if way.is_vague() && !self.has_time(path, time).await? {
                    self.control.log(
                        LogKind::Warning,
                        format!("{} set another time", command.redacted()),
                    );
                    continue;
                }
                self.learn(|learned| learned.times = way);
            }
            return Ok(());
        }
        let none = |refused: Option<Error>| match refused {
            Some(refused) => Error::with_source(ErrorKind::Unsupported, DOING, refused),
            None => Error::new(ErrorKind::Unsupported, DOING),
        };
        let Some(refused) = refused else {
            return Err(none(None));
        };
        // Was it the way, or is there no such file?
        if *refused.kind() == ErrorKind::NotFound {
            let command = Command::Mdtm(path.clone());
            let reply = self.ask(&command).await?;
            if !reply.code.is_completion() {
                return Err(Error::refused(command.redacted(), reply));
            }
        }
        self.learn(|learned| learned.times = TimeWay::Nothing);
        Err(none(Some(refused)))
    }

    /// The way that is known to work, or that FEAT promises; [`TimeWay::Unknown`] where the first file has to find out.
    pub(super) fn time_way(&self) -> TimeWay {
        match self.learned().times {
            TimeWay::Unknown if self.features.has("MFMT") => TimeWay::Mfmt,
            learned => learned,
        }
    }

    /// The command that sets a time in the way that is known to work.
    pub(super) fn time_command(
        &self,
        time: Timestamp,
        path: &RemotePath,
    ) -> Result<Command, Error> {
        self.time_way().command(time, path, self)
    }

    /// True where this is the reply of a server that has lost the way which was known to work.
    pub(super) fn lost_the_time_way(&mut self, reply: &Reply) -> bool {
        let way = self.time_way();
        let lost = way != TimeWay::Nothing && way.is_unknown(reply);
        if lost && self.learned().times != TimeWay::Unknown {
            self.learn(|learned| learned.times = TimeWay::Unknown);
        }
        lost
    }

    /// What may work, the best first.
    async fn time_ways(&mut self) -> Result<Vec<TimeWay>, Error> {
        let learned = self.learned().times;
        if learned == TimeWay::Nothing {
            return Ok(Vec::new());
        }
        let mut ways = Vec::new();
        if learned != TimeWay::Unknown {
            ways.push(learned);
        }
        // A server without FEAT may have anything.
        let nothing_said = self.features.is_empty();
        if self.features.has("MFMT") || nothing_said {
            ways.push(TimeWay::Mfmt);
        }
        let mff = self.features.get("MFF").unwrap_or_default();
        if mff.to_ascii_lowercase().contains("modify") {
            ways.push(TimeWay::Mff);
        }
        if ways.is_empty() || nothing_said {
            if self.has_site("UTIME").await? {
                ways.extend([TimeWay::UtimeOfFive, TimeWay::UtimeOfTwo]);
            }
        } else if self.site_in_features("UTIME") {
            ways.extend([TimeWay::UtimeOfFive, TimeWay::UtimeOfTwo]);
        }
        if self.features.has("MDTM") || nothing_said {
            ways.push(TimeWay::Mdtm);
        }
        let mut seen = Vec::new();
        ways.retain(|way| {
            let new = !seen.contains(way);
            seen.push(*way);
            new
        });
        Ok(ways)
    }

    /// Whether the file has this time now, as far as the server tells.
    async fn has_time(&mut self, path: &RemotePath, time: Timestamp) -> Result<bool, Error> {
        let reply = self.ask(&Command::Mdtm(path.clone())).await?;
        Ok(super::time_of(&reply).is_none_or(|told| told.as_second() == time.as_second()))
    }
}
