//! What is checked of a file that has arrived.

use std::fs::File;
use std::time::Duration;

use super::{Job, OrUnknown, Stop, blocking};
use crate::digest::hash_of;
use crate::error::Error;
use crate::work::Task;
use crate::{Checks, Facts, HashCheck};
use ftp_client::ftp_proto::RemotePath;

/// A transfer that took longer than this may have outlived what its source was when it began.
pub(super) const LONG: Duration = Duration::from_millis(500);

/// What all zones are apart, in seconds.
const ZONE_STEP: i128 = 15 * 60;

/// SIZE or the listing agreed.
pub(super) fn checked(size: bool) -> Checks {
    Checks {
        reply: true,
        size,
        ..Checks::default()
    }
}

impl Job<'_> {
    /// As many bytes arrived as nobody had announced: the file has changed since, or was cut short.
    ///
    /// What the server says now counts, by SIZE or else by a fresh look at the listing. SIZE 0 says nothing, since
    /// servers say that of what they can't measure. Where there is no word at all, more bytes than announced are a
    /// file that has grown, and the good end of the transfer is all that is known of it; fewer are a file that was cut
    /// short, which is the worse mistake to make. A server that lists too much and has no SIZE thereby fails.
    pub(super) async fn check_size(
        &self,
        path: &RemotePath,
        announced: Option<u64>,
        bytes: u64,
    ) -> Result<Checks, Error> {
        let Some(announced) = announced else {
            return Ok(checked(false));
        };
        if announced == bytes {
            return Ok(checked(true));
        }
        let size = self.remote.size(path).await.or_unknown()?;
        let now = match size.filter(|&size| size > 0) {
            None if bytes < announced => self.remote.listed_size(path).await.or_unknown()?,
            size => size,
        };
        match now {
            Some(size) if size == bytes => Ok(checked(true)),
            None if bytes > announced => Ok(checked(false)),
            now => Err(Error::SizeDiffers {
                expected: now.unwrap_or(announced),
                received: bytes,
            }),
        }
    }

    /// Whether the source of a download is still what it was before. What that was, the server was `asked` as it is now, or
    /// a listing has told.
    pub(super) async fn check_unchanged(
        &self,
        path: &RemotePath,
        before: Facts,
        asked: bool,
    ) -> Result<(), Error> {
        let size = self.remote.size(path).await.or_unknown()?;
        let modified = self.remote.modified(path).await.or_unknown()?;
        let differs = |a: Option<i128>, b: Option<i128>| a.zip(b).is_some_and(|(a, b)| a != b);
        // There are servers whose listings are in another zone than their MDTM.
        let unit = if asked { i128::MAX } else { ZONE_STEP };
        let seconds = |t: Option<jiff::Timestamp>| t.map(|t| i128::from(t.as_second()) % unit);
        // SIZE 0 says nothing, as above.
        let size = size.filter(|&size| size > 0).map(i128::from);
        if differs(size, before.size.map(i128::from))
            || differs(seconds(modified), seconds(before.modified))
        {
            return Err(Error::SourceChanged);
        }
        Ok(())
    }

    /// Compares the hash of a remote file with that of a local one, where the server tells one and the options want it.
    pub(super) async fn check_hash(
        &self,
        task: &Task,
        path: &RemotePath,
        open: impl FnOnce() -> Result<File, Error> + Send + 'static,
        checks: &mut Checks,
    ) -> Result<Option<String>, Stop> {
        if task.options.hash == HashCheck::Never {
            return Ok(None);
        }
        let paths = [path.clone()];
        let told = match self.live.or_stopped(self.remote.hashes(&paths)).await {
            Ok(told) => told.into_iter().next().flatten(),
            Err(Stop::Error(error)) if !error.connection_lost() => None,
            Err(stop) => return Err(stop),
        };
        let Some((algorithm, theirs)) = told else {
            return Ok(None);
        };
        let local = task.plan.local();
        let ours = blocking(move || {
            hash_of(open()?, algorithm).map_err(|error| Error::local("read", &local, error))
        });
        let ours = self.live.or_stopped(ours).await?;
        if ours != theirs {
            return Err(Error::HashDiffers { algorithm }.into());
        }
        checks.hash = Some(algorithm);
        Ok(Some(ours))
    }
}
