//! Many small files in one call, and many commands in one round trip.

use ftp_net::{Throttles, copy::Progress};
use ftp_proto::{Command, RemotePath, Reply};
use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::{Client, Error, ErrorKind, names};

/// A file to be fetched into memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchFile {
    /// Which one.
    pub path: RemotePath,
    /// Its size in bytes, where it is known: so much memory is taken at once, and a file of another length is fetched a
    /// second time by itself before it is believed.
    pub size: Option<u64>,
    /// Ask for its time too (MDTM).
    pub want_time: bool,
    /// The most bytes that are kept; a longer file fails with [`ErrorKind::TooLong`].
    pub most: u64,
}

/// A file that was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// All of it.
    pub data: Vec<u8>,
    /// When it was last changed, where that was asked for and the server told it.
    pub modified: Option<Timestamp>,
}

/// A file to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreFile {
    /// Where, under the name that it has while it is incomplete.
    pub path: RemotePath,
    /// All of it.
    pub data: Vec<u8>,
    /// What is done with it afterwards.
    pub then: StoreThen,
}

/// What is done with a file that has arrived, in this order: its size is compared, time and permissions are set, and then
/// it gets its name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StoreThen {
    /// The name that it gets in the end.
    pub rename_to: Option<RemotePath>,
    /// The time of its last change.
    pub modified: Option<Timestamp>,
    /// Its permissions, the lowest twelve bits.
    pub mode: Option<u32>,
    /// Ask for its size (SIZE). A size that is not that of the data is the failure of the file
    /// ([`ErrorKind::Truncated`]), and nothing further is done with it.
    pub want_size: bool,
}

/// A file that was stored, and what became of the rest: `None` where it was not asked for. None of these fails the file.
#[derive(Debug, Clone, Default)]
pub struct Stored {
    /// Its size on the server, where that was asked for and the server told it.
    pub size: Option<u64>,
    /// Whether its time was set; [`ErrorKind::Unsupported`] where the server can't.
    pub time_set: Option<Result<(), Error>>,
    /// Whether its permissions were set.
    pub mode_set: Option<Result<(), Error>>,
    /// Whether it has its name in the end; else it stands under [`StoreFile::path`].
    pub renamed: Option<Result<(), Error>>,
}

/// How files are moved in batches.
#[derive(Debug, Clone, Default)]
pub struct BatchOptions {
    /// Counts the bytes of data as they move. Those of a file that had to be moved twice count twice.
    pub progress: Progress,
    /// The limits of speed that all of them pass through together.
    pub throttles: Throttles,
}

impl Client {
    /// Fetches many files, several in one round trip where the server is known to put up with it. Each outcome is sent,
    /// with the file's place in `files`, as soon as it is there, in any order; a file's failure is its outcome. When the
    /// receiver is closed, what has not begun is left out.
    ///
    /// # Errors
    /// Those that end the connection. What became of a file without outcome is unknown.
    pub async fn fetch_many(
        &self,
        files: Vec<FetchFile>,
        options: BatchOptions,
        outcomes: mpsc::UnboundedSender<(usize, Result<Fetched, Error>)>,
    ) -> Result<(), Error> {
        let mut files = files;
        for file in &mut files {
            file.path = names::plain(&file.path);
        }
        self.run(move |driver| Box::pin(driver.fetch_many(files, options, outcomes)))
            .await
    }

    /// Stores many files, several in one round trip where the server is known to put up with it; else as
    /// [`Client::fetch_many`].
    ///
    /// # Errors
    /// As [`Client::fetch_many`].
    pub async fn store_many(
        &self,
        files: Vec<StoreFile>,
        options: BatchOptions,
        outcomes: mpsc::UnboundedSender<(usize, Result<Stored, Error>)>,
    ) -> Result<(), Error> {
        let mut files = files;
        for file in &mut files {
            file.path = names::plain(&file.path);
            file.then.rename_to = file.then.rename_to.as_ref().map(names::plain);
        }
        self.run(move |driver| Box::pin(driver.store_many(files, options, outcomes)))
            .await
    }

    /// Sends many commands, together where the server is known to put up with it, and returns one final reply for each,
    /// whatever it says. No command may depend on another's reply, save RNTO on RNFR right before it.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] for a command that needs a data connection or changes the state of this one;
    /// [`ErrorKind::Unsupported`] for a new name that the server would change ([`Client::check_name`]); those of the connection.
    pub async fn burst(&self, commands: Vec<Command>) -> Result<Vec<Reply>, Error> {
        let refused = commands.iter().find(|command| !may_burst(command));
        if let Some(command) = refused {
            return Err(Error::new(
                ErrorKind::Argument,
                format!("{} can't be one of many commands", command.verb()),
            ));
        }
        for command in &commands {
            if let Command::Mkd(path) | Command::Rnto(path) = command {
                self.check_name(path)?;
            }
        }
        let commands = commands.into_iter().map(names::plainly).collect();
        self.run(move |driver| Box::pin(driver.burst(commands)))
            .await
    }
}

/// True for commands that leave the session as it is.
fn may_burst(command: &Command) -> bool {
    matches!(
        command,
        Command::Rnfr(_)
            | Command::Rnto(_)
            | Command::Dele(_)
            | Command::Rmd(_)
            | Command::Mkd(_)
            | Command::Pwd
            | Command::Site(_)
            | Command::Syst
            | Command::Noop
            | Command::Feat
            | Command::Mlst(_)
            | Command::Size(_)
            | Command::Mdtm(_)
            | Command::Mfmt(..)
            | Command::Other { .. }
    )
}
