//! One file by itself, as every server knows it.

use ftp_net::Pace;
use ftp_proto::Command;

use super::{
    conduct::{Conducted, Watch},
    data::{self, Activity, Expected},
};
use crate::{
    BatchOptions, Error, ErrorKind, FetchFile, Fetched, StoreFile, Stored,
    driver::Driver,
    files::{size_of, time_of},
};

impl Driver {
    pub(super) async fn fetch_alone(
        &mut self,
        file: &FetchFile,
        options: &BatchOptions,
        pace: &mut Pace,
        unwanted: impl Future<Output = ()> + Send,
    ) -> Result<Fetched, Error> {
        let modified = if file.want_time {
            let reply = self.ask(&Command::Mdtm(file.path.clone())).await?;
            time_of(&reply)
        } else {
            None
        };
        let command = Command::Retr(file.path.clone());
        let opened = self.open(command.clone(), 0).await?;
        // Watched here, not between jobs.
        self.running = None;
        let Some(stream) = opened.stream else {
            let data = Vec::new();
            return Ok(Fetched { data, modified });
        };
        let activity = Activity::new(options);
        let receiving = data::receive(stream, Expected::of(file), &activity, pace);
        let mut watch = Watch::new(&self.config.timeouts);
        let conducted = watch.conduct(&mut self.control, &activity, receiving, unwanted, false);
        let conducted = conducted.await?;
        let received = self.settled(conducted, &command).await?;
        if !received.clean && file.size != Some(received.data.len() as u64) {
            self.confirm_size(file, received.data.len()).await?;
        }
        Ok(Fetched {
            data: received.data,
            modified,
        })
    }

    /// Somebody in between can end a TLS connection early, and the server would not know. It can't touch the answer to
    /// SIZE.
    pub(super) async fn confirm_size(
        &mut self,
        file: &FetchFile,
        received: usize,
    ) -> Result<(), Error> {
        let command = Command::Size(file.path.clone());
        let reply = self.ask(&command).await?;
        match size_of(&reply) {
            Some(size) if size != received as u64 => Err(Error::new(
                ErrorKind::Truncated,
                Command::Retr(file.path.clone()).redacted(),
            )),
            _ => Ok(()),
        }
    }

    pub(super) async fn store_alone(
        &mut self,
        file: &StoreFile,
        options: &BatchOptions,
        pace: &mut Pace,
        unwanted: impl Future<Output = ()> + Send,
    ) -> Result<Stored, Error> {
        let command = Command::Stor(file.path.clone());
        let opened = self.open(command.clone(), 0).await?;
        self.running = None;
        let Some(stream) = opened.stream else {
            return Err(Error::new(ErrorKind::Protocol, command.redacted()));
        };
        let activity = Activity::new(options);
        let sending = data::send(stream, &file.data, &activity, pace);
        let mut watch = Watch::new(&self.config.timeouts);
        let conducted = watch.conduct(&mut self.control, &activity, sending, unwanted, false);
        let conducted = conducted.await?;
        self.settled(conducted, &command).await?;
        let size = if file.then.want_size {
            let reply = self.ask(&Command::Size(file.path.clone())).await?;
            size_of(&reply)
        } else {
            None
        };
        check_size(file, size)?;
        let mut stored = self.follow(&[(file, size)]).await?;
        stored
            .pop()
            .ok_or_else(|| Error::gone("what follows a file"))
    }

    /// What came of a transfer, with the connection in step again: a server that we left in the middle of one has noticed
    /// by now, or hears ABOR.
    async fn settled<T>(&mut self, conducted: Conducted<T>, command: &Command) -> Result<T, Error> {
        let doing = || command.redacted();
        match conducted {
            Conducted::Done(done) => Ok(done),
            // Can't be: the transfer had begun.
            Conducted::NoData(reply) | Conducted::Odd(reply) => {
                Err(Error::with_reply(ErrorKind::Protocol, doing(), reply))
            }
            Conducted::Refused(reply) => Err(Error::refused(doing(), reply)),
            Conducted::Broken(failure, reply) => Err(failure.explain_with(doing(), reply)),
            Conducted::GivenUp(failure) => {
                self.abandon(&doing()).await;
                Err(failure.explain(doing()))
            }
        }
    }
}

/// Bytes that were lost on the way show here, before the file gets its name.
pub(super) fn check_size(file: &StoreFile, size: Option<u64>) -> Result<(), Error> {
    match size {
        Some(size) if size != file.data.len() as u64 => Err(Error::with_source(
            ErrorKind::Truncated,
            Command::Stor(file.path.clone()).redacted(),
            format!("{} of {} bytes arrived", size, file.data.len()),
        )),
        _ => Ok(()),
    }
}
