//! How a listing begins.

use std::time::Duration;

use ftp_net::Waited;
use ftp_proto::{Argument, Command, RemotePath, Reply, listing::ListParsers};

use crate::{
    Client, Error, ErrorKind, ListCommand, Listing, LogKind,
    driver::{Driver, Opened},
};

/// A listing that was asked for.
pub(crate) struct Began {
    /// The data connection, where there is one.
    pub(super) opened: Option<Opened>,
    /// What came over the control connection instead.
    pub(super) text: Vec<u8>,
    pub(super) command: Command,
    pub(super) hints: Hints,
    pub(super) idle: Duration,
    pub(super) parsers: ListParsers,
}

/// What is known, and not known, of the server's listings.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Hints {
    /// How far its wall clock is ahead of UTC, in seconds.
    pub(super) zone: Option<i32>,
    /// This is to be found out.
    pub(super) ask_zone: bool,
    /// Whether `-a` is understood isn't known.
    pub(super) doubt_all: bool,
    /// It may list folders that aren't there.
    pub(super) doubt_empty: bool,
    /// The command that was demanded.
    pub(super) by: Option<ListCommand>,
}

impl Client {
    /// The entries of a directory, the working directory without `path`: MLSD, else LIST.
    ///
    /// Where no data connection comes about, STAT is tried, which lists over the control connection.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] and what else the server refuses.
    pub async fn list(&self, path: Option<&RemotePath>) -> Result<Listing, Error> {
        Listing::open(self, path.cloned(), None).await
    }

    /// The same by one command and no other, where there is one.
    ///
    /// # Errors
    /// As [`list`](Self::list); [`ErrorKind::Unsupported`] where the server doesn't have the command.
    pub async fn list_by(
        &self,
        path: Option<&RemotePath>,
        command: Option<ListCommand>,
    ) -> Result<Listing, Error> {
        Listing::open(self, path.cloned(), command).await
    }
}

impl Driver {
    pub(super) async fn begin_listing(
        &mut self,
        path: Option<RemotePath>,
        by: Option<ListCommand>,
        all: bool,
    ) -> Result<Began, Error> {
        let hints = self.hints(&path, by);
        let idle = self.config.timeouts.idle;
        let parsers = self.config.list_parsers.clone();
        let began = |opened, text, command| Began {
            opened,
            text,
            command,
            hints,
            idle,
            parsers,
        };
        if by == Some(ListCommand::Stat) {
            let (text, command) = self.stat_listing(path).await?;
            return Ok(began(None, text, command));
        }
        match self.open_listing(path.clone(), by, all).await {
            Ok((opened, command)) => {
                let hints = Hints {
                    doubt_all: hints.doubt_all && matches!(command, Command::List(Some(_))),
                    doubt_empty: hints.doubt_empty && matches!(command, Command::Mlsd(_)),
                    ask_zone: hints.ask_zone && matches!(command, Command::List(_)),
                    ..hints
                };
                Ok(Began {
                    hints,
                    ..began(Some(opened), Vec::new(), command)
                })
            }
            Err(error) if is_empty_folder(&error) => {
                let quiet = Hints::default();
                Ok(Began {
                    hints: quiet,
                    ..began(None, Vec::new(), Command::List(None))
                })
            }
            Err(error) if by.is_none() && lacks_data_connection(&error) => {
                let note = format!("{error}; asking by STAT, which needs no data connection");
                self.control.log(LogKind::Warning, note);
                match self.stat_listing(path).await {
                    Ok((text, command)) => Ok(began(None, text, command)),
                    Err(later) if later.is_fatal() => Err(later),
                    Err(_) => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }

    fn hints(&self, path: &Option<RemotePath>, by: Option<ListCommand>) -> Hints {
        Hints {
            zone: self.zone(),
            ask_zone: self.wants_zone(),
            doubt_all: self.doubts_list_all(),
            doubt_empty: path.is_some() && !self.is_well_known(),
            by,
        }
    }

    /// MLSD where there is one. LIST takes its argument for an option or a pattern on many servers, so the
    /// server is sent into the folder instead; the owner's folder is restored when it matters.
    ///
    /// All of it is one request: between CWD and LIST another handle could send the server elsewhere.
    ///
    /// With `all`, hidden files are asked for by `-a` where the server is not known to stumble over it.
    async fn open_listing(
        &mut self,
        path: Option<RemotePath>,
        by: Option<ListCommand>,
        all: bool,
    ) -> Result<(Opened, Command), Error> {
        let mlsd = match by {
            Some(command) => command == ListCommand::Mlsd,
            None => self.uses_mlsd(),
        };
        if mlsd {
            let command = Command::Mlsd(path.clone());
            match self.open_sized(command.clone(), 0, None).await {
                // No MLSD after all: LIST from now on.
                Err(error) if *error.kind() == ErrorKind::Unsupported && by.is_none() => {
                    self.mlsd_unknown();
                }
                outcome => return outcome.map(|opened| (opened, command)),
            }
        }
        match path {
            None => self.return_home().await?,
            Some(path) => self.visit(path).await?,
        }
        if by == Some(ListCommand::Nlst) {
            let command = Command::Nlst(None);
            let opened = self.open_sized(command.clone(), 0, None).await?;
            return Ok((opened, command));
        }
        if all && !self.list_all_refused() {
            let all = Argument::try_from("-a").map_err(Error::argument)?;
            let command = Command::List(Some(all));
            match self.open_sized(command.clone(), 0, None).await {
                Err(error)
                    if error.reply().is_some_and(|reply| {
                        reply.code.is_permanent() || reply.code.value() == 450
                    }) && !is_empty_folder(&error) =>
                {
                    self.list_all_unknown();
                }
                outcome => return outcome.map(|opened| (opened, command)),
            }
        }
        let command = Command::List(None);
        let opened = self.open_sized(command.clone(), 0, None).await?;
        Ok((opened, command))
    }

    /// A listing over the control connection. Most servers answer STAT with a path so; a reply of one line is none.
    async fn stat_listing(
        &mut self,
        path: Option<RemotePath>,
    ) -> Result<(Vec<u8>, Command), Error> {
        let here = || RemotePath::try_from(".").map_err(Error::argument);
        let path = match path {
            Some(path) => path,
            None => here()?,
        };
        let command = Command::Stat(Some(Argument::from(&path)));
        let reply = self.command(command.clone()).await?;
        if reply.lines.len() < 2 {
            return Err(Error::with_reply(
                ErrorKind::Unsupported,
                command.redacted(),
                reply,
            ));
        }
        Ok((lines_of(&reply), command))
    }
}

/// The lines between the first and the last. Some servers put the code before each, or a blank.
fn lines_of(reply: &Reply) -> Vec<u8> {
    let code = format!("{}-", reply.code);
    let between = reply
        .lines
        .get(1..reply.lines.len() - 1)
        .unwrap_or_default();
    let mut text = Vec::new();
    for line in between {
        let line = line.strip_prefix(code.as_bytes()).unwrap_or(line);
        text.extend_from_slice(line.trim_ascii_start());
        text.extend_from_slice(b"\r\n");
    }
    text
}

fn lacks_data_connection(error: &Error) -> bool {
    let kind = matches!(
        error.kind(),
        ErrorKind::Connect | ErrorKind::Timeout(Waited::Connect | Waited::Accept)
    );
    !error.is_fatal() && (kind || error.reply().is_some_and(|reply| reply.code.value() == 425))
}

/// Servers that have an error for "nothing in it" (450 or 550 "no files found" and the like).
pub(super) fn is_empty_folder(error: &Error) -> bool {
    let Some(reply) = error.reply() else {
        return false;
    };
    if error.is_fatal() || !matches!(reply.code.value(), 226 | 450 | 550) {
        return false;
    }
    let text = reply.text().to_lowercase();
    [
        "no files",
        "no file found",
        "no members",
        "no data sets",
        "no such file or directory found matching",
        "directory is empty",
        "directory empty",
        "folder is empty",
        "empty directory",
    ]
    .iter()
    .any(|words| text.contains(words))
        && !text.contains("no such directory")
}
