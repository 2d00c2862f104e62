//! What is done with files that have arrived.

use ftp_proto::{Command, RemotePath, Reply};

use crate::{
    Error, ErrorKind, StoreFile, Stored,
    driver::{Driver, TimeWay},
};

/// The commands that follow a file, and what their replies mean.
struct Then<'a> {
    file: &'a StoreFile,
    commands: Vec<Command>,
    time: Time,
    mode: Step,
    rename: bool,
}

enum Time {
    NotWanted,
    Asked,
    /// What came of it is known already.
    Known(Result<(), Error>),
}

enum Step {
    NotWanted,
    Asked,
    /// There is no command for it.
    Impossible(Error),
}

impl<'a> Then<'a> {
    fn new(file: &'a StoreFile, time: Time, driver: &Driver) -> Self {
        let mut then = Self {
            file,
            commands: Vec::new(),
            time,
            mode: Step::NotWanted,
            rename: file.then.rename_to.is_some(),
        };
        if let (Time::Asked, Some(time)) = (&then.time, file.then.modified) {
            match driver.time_command(time, &file.path) {
                Ok(command) => then.commands.push(command),
                Err(error) => then.time = Time::Known(Err(error)),
            }
        }
        if let Some(mode) = file.then.mode {
            then.mode = match driver.mode_command(mode, &file.path) {
                Ok(command) => {
                    then.commands.push(command);
                    Step::Asked
                }
                Err(error) => Step::Impossible(error),
            };
        }
        if let Some(target) = &file.then.rename_to {
            then.commands.push(Command::Rnfr(file.path.clone()));
            then.commands.push(Command::Rnto(target.clone()));
        }
        then
    }

    /// Reads the replies of the commands, and of no more than these. The second is the reply to the one that should set the time.
    fn stored(
        self,
        size: Option<u64>,
        replies: &mut impl Iterator<Item = Reply>,
    ) -> (Stored, Option<Reply>) {
        let mut commands = self.commands.iter();
        let mut of_time = None;
        let mut next = |keep: bool| match (commands.next(), replies.next()) {
            (Some(command), Some(reply)) => {
                if keep {
                    of_time = Some(reply.clone());
                }
                positive(command, reply)
            }
            _ => Err(Error::gone("what follows a file")),
        };
        let stored = Stored {
            size,
            time_set: match self.time {
                Time::NotWanted => None,
                Time::Asked => Some(next(true)),
                Time::Known(outcome) => Some(outcome),
            },
            mode_set: match self.mode {
                Step::NotWanted => None,
                Step::Asked => Some(next(false)),
                Step::Impossible(error) => Some(Err(error)),
            },
            renamed: self.rename.then(|| {
                let first = next(false);
                let second = next(false);
                first.and(second)
            }),
        };
        (stored, of_time)
    }
}

fn positive(command: &Command, reply: Reply) -> Result<(), Error> {
    let fine = reply.code.is_completion()
        || matches!(command, Command::Rnfr(_)) && reply.code.is_intermediate();
    if fine {
        Ok(())
    } else {
        Err(Error::refused(command.redacted(), reply))
    }
}

impl Driver {
    /// Does what there is to be done with files that have arrived, each with the size that the server told.
    ///
    /// # Errors
    /// Those that end the connection.
    pub(super) async fn follow(
        &mut self,
        arrived: &[(&StoreFile, Option<u64>)],
    ) -> Result<Vec<Stored>, Error> {
        let mut thens = Vec::with_capacity(arrived.len());
        let mut commands = Vec::new();
        for (file, _) in arrived {
            let time = match file.then.modified {
                None => Time::NotWanted,
                // The first one finds out how this server sets times.
                Some(time) if self.time_way() == TimeWay::Unknown => {
                    Time::Known(self.time_of_one(&file.path, time).await?)
                }
                Some(_) => Time::Asked,
            };
            let then = Then::new(file, time, self);
            commands.extend_from_slice(&then.commands);
            thens.push(then);
        }
        let mut replies = if commands.is_empty() {
            Vec::new().into_iter()
        } else {
            self.burst(commands).await?.into_iter()
        };
        let mut all = Vec::with_capacity(thens.len());
        for (then, (_, size)) in thens.into_iter().zip(arrived) {
            let file = then.file;
            let (mut stored, of_time) = then.stored(*size, &mut replies);
            // FEAT promised too much, or the server is another one since: then it is found out.
            if let (Some(reply), Some(time)) = (of_time, file.then.modified)
                && self.lost_the_time_way(&reply)
            {
                let place = match (&stored.renamed, &file.then.rename_to) {
                    (Some(Ok(())), Some(name)) => name,
                    _ => &file.path,
                };
                stored.time_set = Some(self.time_of_one(place, time).await?);
            }
            all.push(stored);
        }
        Ok(all)
    }

    /// The outer error ends the connection, the inner one is the file's.
    async fn time_of_one(
        &mut self,
        path: &RemotePath,
        time: jiff::Timestamp,
    ) -> Result<Result<(), Error>, Error> {
        match self.set_time(path, time).await {
            Err(error) if error.is_fatal() => Err(error),
            // A reply that was waited for in vain closes the connection too.
            Err(error) if *error.kind() == ErrorKind::Lost => Err(error),
            outcome => Ok(outcome),
        }
    }
}
