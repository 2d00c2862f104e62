//! The queue's needs met by the FTP client.

use std::error::Error as StdError;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use ftp_client::ftp_proto::{
    Precision, RemotePath, escape,
    listing::{Entry, Kind, Line},
};
use ftp_client::{Client, ErrorKind, Progress};
use jiff::Timestamp;

use crate::SiteKey;
use crate::error::{Error, RemoteError, Retry};
use crate::queue::Connector;
use crate::remote::{Found, FoundEntry, FoundKind, Remote, Remotes};

/// How many lines of a listing are collected. The largest folders that people have stay far below.
const MOST_ENTRIES: usize = 5_000_000;
/// How long all names of a listing may be together.
const MOST_NAME_BYTES: u64 = 1 << 30;

pub(crate) struct FtpRemotes(Arc<dyn Connector>);

impl FtpRemotes {
    pub(crate) fn new(connector: Arc<dyn Connector>) -> Self {
        Self(connector)
    }
}

#[async_trait]
impl Remotes for FtpRemotes {
    async fn connect(&self, site: &SiteKey) -> Result<Arc<dyn Remote>, RemoteError> {
        let client = self.0.connect(site).await.map_err(remote_error)?;
        Ok(Arc::new(FtpRemote {
            client,
            no_size: AtomicBool::new(false),
            no_mdtm: AtomicBool::new(false),
            no_mfmt: AtomicBool::new(false),
        }))
    }
}

/// One session, and which commands the server turned out not to know: what FEAT says is not to be trusted for these.
struct FtpRemote {
    client: Client,
    no_size: AtomicBool,
    no_mdtm: AtomicBool,
    no_mfmt: AtomicBool,
}

#[async_trait]
impl Remote for FtpRemote {
    async fn list(&self, folder: &RemotePath) -> Result<Vec<Found>, Error> {
        let mut listing = self.client.list(Some(folder)).await.map_err(remote_error)?;
        let mut collected = Collected::new(MOST_ENTRIES, MOST_NAME_BYTES);
        while let Some(line) = listing.next().await.map_err(remote_error)? {
            match line {
                Line::Entry(entry) => found_entry(entry).map_or(Ok(()), |e| collected.add(e))?,
                Line::Unparsed(line) => collected.add(Found::Unparsed(escape(&line, 200)))?,
                Line::Skip => {}
            }
        }
        Ok(collected.found)
    }

    async fn size(&self, file: &RemotePath) -> Result<Option<u64>, RemoteError> {
        unless_unsupported(&self.no_size, self.client.size(file)).await
    }

    async fn listed_size(&self, file: &RemotePath) -> Result<Option<u64>, RemoteError> {
        let entry = self.client.stat(file).await.map_err(remote_error)?;
        Ok(entry.size.filter(|_| entry.kind == Kind::File))
    }

    async fn modified(&self, file: &RemotePath) -> Result<Option<Timestamp>, RemoteError> {
        unless_unsupported(&self.no_mdtm, self.client.mdtm(file)).await
    }

    async fn set_modified(&self, file: &RemotePath, time: Timestamp) -> Result<(), RemoteError> {
        unless_unsupported(&self.no_mfmt, self.client.mfmt(file, time))
            .await
            .map(|_| ())
    }

    async fn make_folder(&self, folder: &RemotePath) -> Result<(), RemoteError> {
        let refused = match self.client.mkd(folder).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        // Servers say in many ways that it is there already, so we look.
        if matches!(refused.kind(), ErrorKind::Refused | ErrorKind::NotFound)
            && self.client.is_dir(folder).await.map_err(remote_error)?
        {
            return Ok(());
        }
        Err(remote_error(refused))
    }

    async fn delete(&self, file: &RemotePath) -> Result<(), RemoteError> {
        self.client.dele(file).await.map_err(remote_error)
    }

    async fn download(
        &self,
        file: &RemotePath,
        into: File,
        progress: &Progress,
    ) -> Result<u64, Error> {
        let download = self.client.retr(file, 0).await.map_err(remote_error)?;
        download
            .copy_to_file(into, progress.clone())
            .await
            .map_err(transfer_error)
    }

    async fn upload(
        &self,
        from: File,
        file: &RemotePath,
        progress: &Progress,
        begun: &AtomicBool,
    ) -> Result<u64, Error> {
        let upload = self.client.stor(file, 0).await.map_err(remote_error)?;
        begun.store(true, Ordering::Relaxed);
        upload
            .copy_from_file(from, progress.clone())
            .await
            .map_err(transfer_error)
    }

    async fn quit(&self) {
        // Whatever the server answers, the connection is closed.
        if let Err(error) = self.client.clone().quit().await {
            tracing::debug!(%error, "a server said no goodbye");
        }
    }
}

async fn unless_unsupported<T>(
    unsupported: &AtomicBool,
    request: impl Future<Output = Result<T, ftp_client::Error>>,
) -> Result<Option<T>, RemoteError> {
    if unsupported.load(Ordering::Relaxed) {
        return Ok(None);
    }
    match request.await {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if *error.kind() == ErrorKind::Unsupported => {
            unsupported.store(true, Ordering::Relaxed);
            Ok(None)
        }
        Err(error) => Err(remote_error(error)),
    }
}

/// A listing as far as it has come, within limits: a server may send lines for ever.
struct Collected {
    found: Vec<Found>,
    name_bytes: u64,
    most_entries: usize,
    most_name_bytes: u64,
}

impl Collected {
    fn new(most_entries: usize, most_name_bytes: u64) -> Self {
        Self {
            found: Vec::new(),
            name_bytes: 0,
            most_entries,
            most_name_bytes,
        }
    }

    fn add(&mut self, found: Found) -> Result<(), Error> {
        let length = match &found {
            Found::Entry(entry) => entry.name.len(),
            Found::Unparsed(line) => line.len(),
        };
        let name_bytes = self.name_bytes + length as u64;
        if self.found.len() >= self.most_entries || name_bytes > self.most_name_bytes {
            return Err(Error::ListingTooLong {
                entries: self.found.len(),
                bytes: self.name_bytes,
            });
        }
        self.name_bytes = name_bytes;
        self.found.push(found);
        Ok(())
    }
}

/// `None` for the folder itself and the one above it.
fn found_entry(entry: Entry) -> Option<Found> {
    let kind = match entry.kind {
        Kind::File => FoundKind::File,
        Kind::Dir => FoundKind::Folder,
        Kind::Link => FoundKind::Link,
        Kind::CurrentDir | Kind::ParentDir => return None,
        Kind::Other => FoundKind::Other,
    };
    if matches!(entry.name.as_slice(), b"." | b"..") && kind == FoundKind::Folder {
        return None;
    }
    let modified = entry
        .modified
        .filter(|m| m.zone_known && matches!(m.precision, Precision::Second | Precision::Milli))
        .map(|m| m.timestamp);
    Some(Found::Entry(FoundEntry {
        name: entry.name,
        kind,
        size: entry.size,
        modified,
    }))
}

/// An error of a transfer: the local disk, or the rest of the world.
fn transfer_error(error: ftp_client::Error) -> Error {
    if *error.kind() == ErrorKind::Local
        && let Some(source) = io_cause(&error)
    {
        // The client knows the file by its handle only; the job knows its path.
        return Error::local("read or write", Path::new(""), source);
    }
    Error::Remote(remote_error(error))
}

/// The system's own error at the root of another, copied by what it says.
fn io_cause(error: &ftp_client::Error) -> Option<io::Error> {
    let mut at = error.source();
    while let Some(cause) = at {
        if let Some(io) = cause.downcast_ref::<io::Error>() {
            return Some(match io.raw_os_error() {
                Some(code) => io::Error::from_raw_os_error(code),
                None => io::Error::new(io.kind(), io.to_string()),
            });
        }
        at = cause.source();
    }
    None
}

fn remote_error(error: ftp_client::Error) -> RemoteError {
    let retry = match error.kind() {
        ErrorKind::Busy => Retry::Busy,
        _ if error.is_retryable() => Retry::Backoff,
        _ => Retry::Never,
    };
    RemoteError {
        message: error.to_string(),
        retry,
        connection_lost: error.is_fatal(),
        original: Some(error),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_listing_is_collected_up_to_its_limits() {
        let line = |length: usize| Found::Unparsed("x".repeat(length));
        let entry = |length: usize| {
            Found::Entry(FoundEntry {
                name: vec![b'x'; length],
                kind: FoundKind::File,
                size: None,
                modified: None,
            })
        };
        let mut by_count = Collected::new(3, 1000);
        let mut by_length = Collected::new(1000, 30);
        for make in [&line as &dyn Fn(usize) -> Found, &entry, &line] {
            by_count.add(make(10)).unwrap();
            by_length.add(make(10)).unwrap();
        }
        for mut full in [by_count, by_length] {
            let error = full.add(entry(1)).unwrap_err();
            assert!(
                matches!(
                    error,
                    Error::ListingTooLong {
                        entries: 3,
                        bytes: 30
                    }
                ),
                "{error:?}"
            );
            assert_eq!(error.retry(), Retry::Never);
            assert_eq!(full.found.len(), 3);
        }
    }
}
