//! The two kinds of files in a batch: those that come and those that go.

use ftp_net::{Pace, Stream};
use ftp_proto::{Command, Reply};

use super::{
    Outcomes,
    alone::check_size,
    data::{self, Activity, Expected, Failure, Received},
};
use crate::{
    BatchOptions, Error, FetchFile, Fetched, StoreFile, Stored,
    driver::Driver,
    files::{size_of, time_of},
    names,
};

/// What is thought of a file after its transfer.
pub(super) enum Verdict<T> {
    Done(T),
    Failed(Error),
    /// It arrived, and there is more to be done with it.
    Further(T),
    /// It isn't what was announced: once more by itself. True where that looks like confusion.
    Again {
        odd: bool,
    },
}

/// A file in a batch.
pub(super) trait Item: Sync + Send {
    /// What its transfer leaves behind.
    type Moved: Send;
    /// What its owner gets.
    type Outcome: Send;
    /// True where data only comes.
    const COMES: bool;

    /// Why it is not even tried.
    fn refusal(&self, driver: &Driver) -> Option<Error>;
    /// A question before the transfer.
    fn before(&self) -> Option<Command>;
    fn command(&self) -> Command;
    /// A question after the transfer.
    fn after(&self) -> Option<Command>;
    /// Moves it.
    fn moves(
        &self,
        stream: Stream,
        activity: &Activity,
        pace: &mut Pace,
    ) -> impl Future<Output = Result<Self::Moved, Failure>> + Send;
    /// What it is where the server says 2xx and never opened a data connection.
    fn nothing() -> Option<Self::Moved>;
    fn judge(
        &self,
        moved: Self::Moved,
        before: Option<Reply>,
        after: Option<Reply>,
    ) -> Verdict<Self::Outcome>;
    /// Does what there is to be done with files that have arrived.
    fn further(
        driver: &mut Driver,
        arrived: Vec<(usize, &Self, Self::Outcome)>,
        outcomes: &Outcomes<Self::Outcome>,
    ) -> impl Future<Output = Result<(), Error>> + Send;
    /// Moves it by itself, as every server knows it.
    fn alone(
        &self,
        driver: &mut Driver,
        options: &BatchOptions,
        pace: &mut Pace,
        outcomes: &Outcomes<Self::Outcome>,
    ) -> impl Future<Output = Result<Self::Outcome, Error>> + Send;
}

impl Item for FetchFile {
    type Moved = Received;
    type Outcome = Fetched;
    const COMES: bool = true;

    fn refusal(&self, _: &Driver) -> Option<Error> {
        None
    }

    fn before(&self) -> Option<Command> {
        self.want_time.then(|| Command::Mdtm(self.path.clone()))
    }

    fn command(&self) -> Command {
        Command::Retr(self.path.clone())
    }

    fn after(&self) -> Option<Command> {
        None
    }

    async fn moves(
        &self,
        stream: Stream,
        activity: &Activity,
        pace: &mut Pace,
    ) -> Result<Received, Failure> {
        data::receive(stream, Expected::of(self), activity, pace).await
    }

    fn nothing() -> Option<Received> {
        Some(Received {
            data: Vec::new(),
            clean: true,
        })
    }

    fn judge(&self, moved: Received, before: Option<Reply>, _: Option<Reply>) -> Verdict<Fetched> {
        match self.size {
            Some(size) if size != moved.data.len() as u64 => Verdict::Again { odd: true },
            // Only the server's word on the size tells whether it was cut off.
            None if !moved.clean => Verdict::Again { odd: false },
            _ => Verdict::Done(Fetched {
                data: moved.data,
                modified: before.as_ref().and_then(time_of),
            }),
        }
    }

    async fn further(
        _: &mut Driver,
        arrived: Vec<(usize, &Self, Fetched)>,
        outcomes: &Outcomes<Fetched>,
    ) -> Result<(), Error> {
        for (index, _, outcome) in arrived {
            let _ = outcomes.send((index, Ok(outcome)));
        }
        Ok(())
    }

    async fn alone(
        &self,
        driver: &mut Driver,
        options: &BatchOptions,
        pace: &mut Pace,
        outcomes: &Outcomes<Fetched>,
    ) -> Result<Fetched, Error> {
        driver
            .fetch_alone(self, options, pace, outcomes.closed())
            .await
    }
}

impl Item for StoreFile {
    type Moved = ();
    type Outcome = Stored;
    const COMES: bool = false;

    fn refusal(&self, driver: &Driver) -> Option<Error> {
        let mut new_names = [Some(&self.path), self.then.rename_to.as_ref()].into_iter();
        new_names.find_map(|name| names::check(driver.kind, name?).err())
    }

    fn before(&self) -> Option<Command> {
        None
    }

    fn command(&self) -> Command {
        Command::Stor(self.path.clone())
    }

    fn after(&self) -> Option<Command> {
        self.then
            .want_size
            .then(|| Command::Size(self.path.clone()))
    }

    async fn moves(
        &self,
        stream: Stream,
        activity: &Activity,
        pace: &mut Pace,
    ) -> Result<(), Failure> {
        data::send(stream, &self.data, activity, pace).await
    }

    fn nothing() -> Option<()> {
        None
    }

    fn judge(&self, (): (), _: Option<Reply>, after: Option<Reply>) -> Verdict<Stored> {
        let size = after.as_ref().and_then(size_of);
        if let Err(error) = check_size(self, size) {
            return Verdict::Failed(error);
        }
        Verdict::Further(Stored {
            size,
            ..Stored::default()
        })
    }

    async fn further(
        driver: &mut Driver,
        arrived: Vec<(usize, &Self, Stored)>,
        outcomes: &Outcomes<Stored>,
    ) -> Result<(), Error> {
        let files: Vec<_> = arrived
            .iter()
            .map(|(_, file, stored)| (*file, stored.size))
            .collect();
        let all = driver.follow(&files).await?;
        for ((index, _, _), stored) in arrived.into_iter().zip(all) {
            let _ = outcomes.send((index, Ok(stored)));
        }
        Ok(())
    }

    async fn alone(
        &self,
        driver: &mut Driver,
        options: &BatchOptions,
        pace: &mut Pace,
        outcomes: &Outcomes<Stored>,
    ) -> Result<Stored, Error> {
        driver
            .store_alone(self, options, pace, outcomes.closed())
            .await
    }
}

impl Expected {
    pub(super) fn of(file: &FetchFile) -> Self {
        Self {
            size: file.size,
            most: file.most,
        }
    }
}
