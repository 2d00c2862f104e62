//! How a run ends: the exit codes, and why something failed.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use ftp_client::{CertificateProblem, Error, ErrorKind};
use jiff::Timestamp;

/// The exit codes, as `--help` and docs/slip.md have them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Status {
    Done = 0,
    SomeFailed = 1,
    Usage = 2,
    NoConnection = 3,
    LoginRefused = 4,
    Certificate = 5,
    Journal = 6,
    /// Of `deliver` alone.
    Timeout = 7,
}

/// Why a command, or one item of it, failed. `Display` is for people and holds no password.
#[derive(Debug, Clone)]
pub(crate) enum Failure {
    /// The command line asks for something that makes no sense.
    Usage(String),
    /// No session came about; `place` is the server's address.
    Connect { place: String, error: Error },
    /// There is no password, and nobody to ask for one.
    NoPassword { place: String },
    /// The server or the network failed in a session; `item` is what it was about.
    Remote { item: String, error: Error },
    /// The queue's journal can't be used.
    Journal(String),
    /// Everything else: this computer's disk, saved sites.
    Other(String),
    /// Whoever read our output has enough of it.
    BrokenPipe,
}

impl Failure {
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self::Usage(text.into())
    }

    pub(crate) fn remote(item: impl Into<String>, error: Error) -> Self {
        if is_broken_pipe(&error) {
            return Self::BrokenPipe;
        }
        Self::Remote {
            item: item.into(),
            error,
        }
    }

    pub(crate) fn status(&self) -> Status {
        match self {
            Self::Usage(_) => Status::Usage,
            Self::NoPassword { .. } => Status::LoginRefused,
            Self::Journal(_) => Status::Journal,
            Self::Other(_) => Status::SomeFailed,
            Self::BrokenPipe => Status::Done,
            Self::Connect { error, .. } => match error.kind() {
                ErrorKind::Certificate(_) => Status::Certificate,
                ErrorKind::LoginRefused | ErrorKind::PlaintextRefused => Status::LoginRefused,
                ErrorKind::Argument => Status::Usage,
                _ => Status::NoConnection,
            },
            Self::Remote { error, .. } => match error.kind() {
                ErrorKind::Certificate(_) => Status::Certificate,
                ErrorKind::Argument => Status::Usage,
                _ => Status::SomeFailed,
            },
        }
    }

    /// The reason alone, without what it is about: for a report that names the item elsewhere.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Connect { error, .. } | Self::Remote { error, .. } => match error.kind() {
                ErrorKind::PlaintextRefused => format!("{error} (--plaintext gives leave)"),
                _ => error.to_string(),
            },
            other => other.to_string(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) | Self::Other(text) | Self::Journal(text) => f.write_str(text),
            Self::NoPassword { place } => write!(
                f,
                "{place}: no password: set SLIP_PASSWORD, or store one in the keyring (--remember), or run it in a \
                 terminal to be asked"
            ),
            Self::Connect { place, error } | Self::Remote { item: place, error } => {
                match error.kind() {
                    ErrorKind::Certificate(problem) => certificate(f, place, problem),
                    _ => write!(f, "{place}: {}", self.reason()),
                }
            }
            Self::BrokenPipe => f.write_str("the output was closed"),
        }
    }
}

impl From<io::Error> for Failure {
    /// Of writing to standard output.
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::BrokenPipe
        } else {
            Self::Other(format!("standard output: {error}"))
        }
    }
}

/// True where our own output was closed, and not a connection.
fn is_broken_pipe(error: &Error) -> bool {
    if *error.kind() != ErrorKind::Local {
        return false;
    }
    let mut at = error.source();
    while let Some(cause) = at {
        if let Some(io) = cause.downcast_ref::<io::Error>() {
            return io.kind() == io::ErrorKind::BrokenPipe;
        }
        at = cause.source();
    }
    false
}

/// Everything that a person needs to judge a certificate, and how to accept it.
fn certificate(
    f: &mut fmt::Formatter<'_>,
    place: &str,
    problem: &CertificateProblem,
) -> fmt::Result {
    let info = &problem.info;
    let names = if info.names.is_empty() {
        "(none)".to_owned()
    } else {
        info.names.join(", ")
    };
    write!(
        f,
        "{place}: the certificate of {} is not trusted: {}\n  \
         subject      {}\n  \
         issuer       {}\n  \
         names        {names}\n  \
         valid from   {}\n  \
         valid until  {}\n  \
         fingerprint  {}\n\
         If the server's owner confirms this fingerprint, accept the certificate with\n  \
         --pin {}",
        problem.host,
        problem.reason,
        info.subject,
        info.issuer,
        date(info.not_before),
        date(info.not_after),
        info.fingerprint,
        info.fingerprint,
    )
}

fn date(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(
        |_| format!("{seconds} s since 1970"),
        |time| time.to_string(),
    )
}

/// What became of the items of a command, for one exit code.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    done: usize,
    failed: Vec<Status>,
}

impl Tally {
    pub(crate) fn done(&mut self) {
        self.done += 1;
    }

    pub(crate) fn failed(&mut self, status: Status) {
        if !self.failed.contains(&status) {
            self.failed.push(status);
        }
    }

    /// The special codes only where all failed for the same reason: then a script can act on it.
    pub(crate) fn status(&self) -> Status {
        match (self.done, self.failed.as_slice()) {
            (_, []) => Status::Done,
            (0, [only]) => *only,
            _ => Status::SomeFailed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_code_for_many_items() {
        let mut tally = Tally::default();
        assert_eq!(tally.status(), Status::Done);
        tally.failed(Status::LoginRefused);
        tally.failed(Status::LoginRefused);
        assert_eq!(tally.status(), Status::LoginRefused);
        tally.done();
        assert_eq!(tally.status(), Status::SomeFailed);
        let mut tally = Tally::default();
        tally.failed(Status::NoConnection);
        tally.failed(Status::Certificate);
        assert_eq!(tally.status(), Status::SomeFailed);
    }

    #[test]
    fn dates_beyond_the_calendar_are_still_shown() {
        assert_eq!(date(0), "1970-01-01T00:00:00Z");
        assert!(date(i64::MAX).contains("1970"));
    }
}
