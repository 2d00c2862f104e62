//! What is done when all bytes of a listing are here.

use std::collections::HashSet;

use ftp_proto::{Command, RemotePath, escape, listing::Line};
use futures_util::future::BoxFuture;

use super::{
    Listing, MOST_HELD,
    open::{Hints, is_empty_folder},
    zone::{self, Candidate},
};
use crate::{Client, Download, Error, ErrorKind, LogKind};

/// What a listing has come to.
pub(super) struct Ending {
    pub(super) client: Client,
    pub(super) path: Option<RemotePath>,
    pub(super) command: Command,
    pub(super) hints: Hints,
    pub(super) download: Option<Download>,
    pub(super) last: Option<u8>,
    pub(super) repeated: bool,
    pub(super) found: bool,
    /// Something shows that the options were understood.
    pub(super) proven: bool,
    /// All names that were found, where it is doubtful whether these are all.
    pub(super) names: Option<HashSet<Vec<u8>>>,
    pub(super) candidate: Option<Candidate>,
}

/// What follows from it.
#[derive(Default)]
pub(super) struct Ended {
    /// A new listing in its place.
    pub(super) again: Option<Box<Listing>>,
    /// These lines in place of those that are held.
    pub(super) instead: Option<Vec<Line>>,
    /// How far the server's wall clock is ahead of UTC, in seconds.
    pub(super) zone: Option<i32>,
}

impl Ending {
    pub(super) fn run(self) -> BoxFuture<'static, Result<Ended, Error>> {
        Box::pin(self.work())
    }

    async fn work(mut self) -> Result<Ended, Error> {
        self.hear_the_server().await?;
        let with_options = matches!(self.command, Command::List(Some(_)));
        match self.last {
            // Nothing at all came: the options may have been taken for the name of a file.
            None if with_options => return self.ask_again().await,
            // Without options there was something: so they are not for this server.
            Some(_) if self.repeated => {
                let learn = |driver: &mut crate::driver::Driver| driver.list_all_unknown();
                self.tell(learn).await?;
            }
            None if self.hints.doubt_empty && !self.found => self.must_exist().await?,
            _ => {}
        }
        let mut ended = Ended::default();
        if let Some(names) = self.names.take() {
            ended.instead = self.compare(&names).await?;
        } else if self.hints.doubt_all && with_options && self.proven {
            self.tell(|driver| driver.list_all_known()).await?;
        }
        if let Some(candidate) = self.candidate.take().filter(|_| self.hints.ask_zone) {
            ended.zone = self.ask_zone(candidate).await?;
        }
        Ok(ended)
    }

    /// The server's word on the transfer.
    async fn hear_the_server(&mut self) -> Result<(), Error> {
        let Some(download) = self.download.take() else {
            return Ok(());
        };
        let cut = !download.is_clean() && self.last.is_some_and(|byte| byte != b'\n');
        match download.finish().await {
            Err(error) if self.last.is_none() && is_empty_folder(&error) => {}
            outcome => outcome?,
        }
        match cut {
            // TLS ended without a goodbye, in the middle of a line.
            true => Err(Error::new(ErrorKind::Truncated, self.command.redacted())),
            false => Ok(()),
        }
    }

    async fn ask_again(&self) -> Result<Ended, Error> {
        let by = self.hints.by;
        match Listing::ask(&self.client, self.path.clone(), by, false).await {
            Ok(listing) => Ok(Ended {
                again: Some(Box::new(listing)),
                ..Ended::default()
            }),
            // It was said to be empty; that it can't be asked again changes nothing.
            Err(error) if error.reply().is_some() && !error.is_fatal() => Ok(Ended::default()),
            Err(error) => Err(error),
        }
    }

    /// The options should have brought `.` and `..`, and didn't. If a listing without them has entries that this one lacks, it is the
    /// better one.
    async fn compare(&self, names: &HashSet<Vec<u8>>) -> Result<Option<Vec<Line>>, Error> {
        let by = self.hints.by;
        let plain = Box::pin(Listing::ask(&self.client, self.path.clone(), by, false)).await;
        let mut plain = match plain {
            Ok(plain) => plain,
            Err(error) if error.is_fatal() => return Err(error),
            Err(_) => return Ok(None),
        };
        plain.holding = false;
        plain.hints = Hints::default();
        let (mut lines, mut more) = (Vec::new(), false);
        loop {
            match Box::pin(plain.next()).await {
                Ok(Some(line)) => {
                    more |= matches!(&line, Line::Entry(entry) if !names.contains(&entry.name));
                    lines.push(line);
                }
                Ok(None) => break,
                Err(error) if error.is_fatal() => return Err(error),
                Err(_) => return Ok(None),
            }
            if lines.len() > MOST_HELD {
                return Ok(None);
            }
        }
        if more {
            self.tell(|driver| driver.list_all_unknown()).await?;
            return Ok(Some(lines));
        }
        self.tell(|driver| driver.list_all_known()).await?;
        Ok(None)
    }

    async fn tell(
        &self,
        what: impl FnOnce(&mut crate::driver::Driver) + Send + 'static,
    ) -> Result<(), Error> {
        let tell = self.client.run(|driver| {
            Box::pin(async move {
                what(driver);
                Ok(())
            })
        });
        tell.await
    }

    /// Some servers list a folder that isn't there as an empty one.
    async fn must_exist(&self) -> Result<(), Error> {
        match &self.path {
            Some(path) if !self.client.is_dir(path).await? => {
                Err(Error::new(ErrorKind::NotFound, self.command.redacted()))
            }
            _ => Ok(()),
        }
    }

    /// Once in a session. That it can't be told is no failure of the listing.
    async fn ask_zone(&self, candidate: Candidate) -> Result<Option<i32>, Error> {
        let Candidate { name, listed } = candidate;
        let folder = self.path.clone().unwrap_or_else(RemotePath::here);
        let path = folder.join(&name);
        let ask = self.client.run(move |driver| {
            Box::pin(async move {
                if !driver.asks_zone() {
                    return Ok(driver.zone());
                }
                let reply = driver.ask(&Command::Mdtm(path)).await?;
                let exact = match reply.code.is_completion() {
                    true => ftp_proto::parse_time(reply.first_line().trim_ascii()).ok(),
                    false => None,
                };
                let offset = exact.and_then(|(exact, _)| zone::offset(listed, exact));
                match (offset, reply.code.is_completion()) {
                    (Some(offset), _) => driver.learn_zone(offset),
                    (None, true) => {
                        let text = escape(reply.first_line(), 40);
                        let note = format!(
                            "the zone of listed times stays unknown: MDTM says {text} of a file that is listed with {listed}"
                        );
                        driver.control.log(LogKind::Info, note);
                    }
                    (None, false) => {}
                }
                Ok(offset)
            })
        });
        match ask.await {
            Err(error) if !error.is_fatal() => Ok(None),
            outcome => outcome,
        }
    }
}
