//! What is done with files that have arrived.

use ftp_proto::{Argument, Command, Features, RemotePath, Reply};
use jiff::Timestamp;

use crate::{Error, ErrorKind, StoreFile, Stored};

/// The commands that follow a file, and what their replies mean.
pub(super) struct Then {
    commands: Vec<Command>,
    /// `Some(false)`: asked for, and the server can't.
    time: Option<bool>,
    mode: bool,
    rename: bool,
}

impl Then {
    pub(super) fn new(file: &StoreFile, features: &Features) -> Result<Self, Error> {
        let mut then = Self {
            commands: Vec::new(),
            time: None,
            mode: file.then.mode.is_some(),
            rename: file.then.rename_to.is_some(),
        };
        if let Some(time) = file.then.modified {
            let command = set_time(features, time, &file.path)?;
            then.time = Some(command.is_some());
            then.commands.extend(command);
        }
        if let Some(mode) = file.then.mode {
            then.commands.push(set_mode(mode, &file.path)?);
        }
        if let Some(target) = &file.then.rename_to {
            then.commands.push(Command::Rnfr(file.path.clone()));
            then.commands.push(Command::Rnto(target.clone()));
        }
        Ok(then)
    }

    pub(super) fn commands(&self) -> &[Command] {
        &self.commands
    }

    /// Reads the replies of [`commands`](Self::commands), and of no more than these.
    pub(super) fn stored(
        &self,
        size: Option<u64>,
        replies: &mut impl Iterator<Item = Reply>,
    ) -> Stored {
        let mut commands = self.commands.iter();
        let mut next = || match (commands.next(), replies.next()) {
            (Some(command), Some(reply)) => positive(command, reply),
            _ => Err(Error::gone("what follows a file")),
        };
        Stored {
            size,
            time_set: self.time.map(|able| {
                if able {
                    next().map_err(without_the_form)
                } else {
                    Err(Error::new(ErrorKind::Unsupported, "MFMT"))
                }
            }),
            mode_set: self.mode.then(&mut next),
            renamed: self.rename.then(|| {
                let first = next();
                let second = next();
                first.and(second)
            }),
        }
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

/// The command that sets a file's time: MFMT, or the form of MDTM that vsftpd has; `None` where FEAT names neither.
pub(crate) fn set_time(
    features: &Features,
    time: Timestamp,
    path: &RemotePath,
) -> Result<Option<Command>, Error> {
    if features.has("MFMT") {
        return Ok(Some(Command::Mfmt(time, path.clone())));
    }
    if !features.has("MDTM") {
        return Ok(None);
    }
    // Whole seconds: the form has no fractions.
    let stamp = ftp_proto::format_time(time);
    let stamp = stamp.split('.').next().unwrap_or_default();
    let argument = [stamp.as_bytes(), b" ", path.as_bytes()].concat();
    let argument = RemotePath::try_from(argument).map_err(Error::argument)?;
    Ok(Some(Command::Mdtm(argument)))
}

/// A server without the form of MDTM that sets a time looks for a file of that name.
pub(crate) fn without_the_form(error: Error) -> Error {
    let mdtm = error.to_string().starts_with("MDTM");
    if mdtm && matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Refused) {
        return Error::with_source(ErrorKind::Unsupported, "MFMT", error);
    }
    error
}

/// SITE CHMOD, with the lowest twelve bits.
pub(crate) fn set_mode(mode: u32, path: &RemotePath) -> Result<Command, Error> {
    let argument = [
        format!("CHMOD {:03o} ", mode & 0o7777).as_bytes(),
        path.as_bytes(),
    ]
    .concat();
    Argument::try_from(argument)
        .map(Command::Site)
        .map_err(Error::argument)
}
