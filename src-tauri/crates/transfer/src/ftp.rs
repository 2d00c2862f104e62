//! The queue's needs met by the FTP client.

mod collect;
mod errors;
mod look;

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use ftp_client::ftp_proto::{
    Command, RemotePath, Reply, escape,
    listing::{Kind, Line},
};
use ftp_client::{BatchOptions, Client, ErrorKind, FetchFile, Fetched, StoreFile, Stored};
use jiff::Timestamp;
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use self::collect::{Collected, exact, found_entry};
use self::errors::{no_reply, refused, remote_error, transfer_error};
use crate::error::{Error, RemoteError};
use crate::remote::{Beginning, Found, Learned, Moved, Remote, Remotes, Sent, Start, Wire};
use crate::runtime::Connector;
use crate::work::Existing;
use crate::{HashAlgorithm, SiteKey};

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
            learned: Learned::default(),
        }))
    }
}

/// One session, and which commands the server turned out not to know: what FEAT says is not to be trusted for these.
struct FtpRemote {
    client: Client,
    no_size: AtomicBool,
    no_mdtm: AtomicBool,
    learned: Learned,
}

#[async_trait]
impl Remote for FtpRemote {
    fn learned(&self) -> &Learned {
        &self.learned
    }

    async fn list(&self, folder: &RemotePath) -> Result<Vec<Found>, Error> {
        let mut listing = self.client.list(Some(folder)).await.map_err(remote_error)?;
        let mut collected = Collected::within_memory();
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

    async fn sizes(&self, files: &[RemotePath]) -> Result<Vec<Option<u64>>, RemoteError> {
        self.ask_sizes(files).await
    }

    async fn existing(&self, files: &[RemotePath]) -> Result<Vec<Existing>, RemoteError> {
        self.look_at(files).await
    }

    async fn listed_size(&self, file: &RemotePath) -> Result<Option<u64>, RemoteError> {
        let entry = self.client.stat(file).await.map_err(remote_error)?;
        Ok(entry.exact_size().filter(|_| entry.kind == Kind::File))
    }

    async fn modified(&self, file: &RemotePath) -> Result<Option<Timestamp>, RemoteError> {
        unless_unsupported(&self.no_mdtm, self.client.mdtm(file)).await
    }

    async fn mode(&self, file: &RemotePath) -> Result<Option<u32>, RemoteError> {
        let entry = self.client.stat(file).await.map_err(remote_error)?;
        Ok(entry.permissions)
    }

    async fn set_modified(&self, file: &RemotePath, time: Timestamp) -> Result<bool, RemoteError> {
        // The client remembers what the server can't.
        match self.client.mfmt(file, time).await {
            Ok(()) => Ok(true),
            Err(error) if *error.kind() == ErrorKind::Unsupported => Ok(false),
            Err(error) => Err(remote_error(error)),
        }
    }

    async fn set_mode(&self, file: &RemotePath, mode: u32) -> Result<(), RemoteError> {
        self.client.chmod(file, mode).await.map_err(remote_error)
    }

    async fn make_folder(&self, folder: &RemotePath) -> Result<bool, RemoteError> {
        self.client
            .mkd_or_exists(folder)
            .await
            .map_err(remote_error)
    }

    async fn is_folder(&self, path: &RemotePath) -> Result<bool, RemoteError> {
        self.client.is_dir(path).await.map_err(remote_error)
    }

    async fn real_path(&self, folder: &RemotePath) -> Result<Option<RemotePath>, RemoteError> {
        self.client.real_path(folder).await.map_err(remote_error)
    }

    async fn make_link(&self, link: &RemotePath, to: &[u8]) -> Result<bool, RemoteError> {
        match self.client.symlink(to, link).await {
            Ok(()) => Ok(true),
            Err(error) if *error.kind() == ErrorKind::Unsupported => Ok(false),
            Err(error) => Err(remote_error(error)),
        }
    }

    async fn delete(&self, file: &RemotePath) -> Result<(), RemoteError> {
        self.client.dele(file).await.map_err(remote_error)
    }

    async fn delete_many(&self, files: &[RemotePath]) -> Result<Vec<bool>, RemoteError> {
        let commands = files.iter().cloned().map(Command::Dele).collect();
        let replies = self.client.burst(commands).await.map_err(remote_error)?;
        Ok(replies.iter().map(|r| r.code.is_completion()).collect())
    }

    async fn rename_many(
        &self,
        pairs: &[(RemotePath, RemotePath)],
    ) -> Result<Vec<Result<(), RemoteError>>, RemoteError> {
        if let [(from, to)] = pairs {
            return match self.client.rename(from, to).await.map_err(remote_error) {
                Err(error) if error.connection_lost => Err(error),
                outcome => Ok(vec![outcome]),
            };
        }
        let commands = pairs
            .iter()
            .flat_map(|(from, to)| [Command::Rnfr(from.clone()), Command::Rnto(to.clone())])
            .collect();
        let replies = self.client.burst(commands).await.map_err(remote_error)?;
        let outcome = |pair: &[Reply], (from, to): &(RemotePath, RemotePath)| match pair {
            [_, done] if done.code.is_completion() => Ok(()),
            // The second only says that the first has failed.
            [first, _] if !first.code.is_intermediate() => Err(refused("RNFR", from, first)),
            [_, second] => Err(refused("RNTO", to, second)),
            _ => Err(no_reply()),
        };
        let mut outcomes: Vec<_> = replies
            .chunks(2)
            .zip(pairs)
            .map(|(replies, pair)| outcome(replies, pair))
            .collect();
        outcomes.resize_with(pairs.len(), || Err(no_reply()));
        Ok(outcomes)
    }

    async fn hashes(
        &self,
        files: &[RemotePath],
    ) -> Result<Vec<Option<(HashAlgorithm, String)>>, RemoteError> {
        let told = self
            .client
            .hash_many(files, &ftp_client::HashAlgorithm::ALL)
            .await
            .map_err(remote_error)?;
        let mut hashes = match told {
            None => Vec::new(),
            Some((algorithm, hashes)) => {
                let algorithm = HashAlgorithm::from(algorithm);
                hashes
                    .into_iter()
                    .map(|hash| hash.map(|hash| (algorithm, hash)))
                    .collect()
            }
        };
        hashes.resize(files.len(), None);
        Ok(hashes)
    }

    fn check_name(&self, path: &RemotePath) -> Result<(), RemoteError> {
        self.client.check_name(path).map_err(remote_error)
    }

    async fn remark(&self, text: String) {
        self.client.remark(text).await;
    }

    fn can_restart(&self) -> bool {
        let facts = self.client.facts();
        facts.features.is_empty() || facts.features.rest_stream()
    }

    async fn download(
        &self,
        file: &RemotePath,
        from: &Beginning,
        into: File,
        wire: &Wire,
    ) -> Result<Moved, Error> {
        let start = from.offset.saturating_sub(from.tail.len() as u64);
        let download = self.client.retr_sized(file, start, wire.size).await;
        let download = download.map_err(remote_error)?;
        let mut download = download.throttled(wire.throttles.clone());
        if !from.tail.is_empty() {
            let mut theirs = Vec::with_capacity(from.tail.len());
            let wanted = from.tail.len() as u64;
            if let Err(error) = (&mut download).take(wanted).read_to_end(&mut theirs).await {
                return Err(transfer_error(download.failed(error).await));
            }
            if theirs != from.tail {
                // Dropped, it is given up; the session stays usable.
                return Ok(Moved::Differs);
            }
        }
        let progress = wire.progress.clone();
        // Where the file stands, but by its number: so the bound tells when everything of it is over.
        let at = wire.at.unwrap_or(from.offset);
        let bound = wire.bound.clone();
        let copied = download.copy_part_to_file(into, at, bound, progress).await;
        copied.map(Moved::Bytes).map_err(transfer_error)
    }

    async fn piece(
        &self,
        file: &RemotePath,
        offset: u64,
        most: usize,
        wire: &Wire,
    ) -> Result<Vec<u8>, Error> {
        let download = self.client.retr(file, offset).await.map_err(remote_error)?;
        let mut download = download.throttled(wire.throttles.clone());
        let mut piece = Vec::with_capacity(most);
        // One more, to see whether that was all: then the transfer can end in good order.
        let limit = most as u64 + 1;
        match (&mut download).take(limit).read_to_end(&mut piece).await {
            Err(error) => return Err(transfer_error(download.failed(error).await)),
            Ok(read) if read <= most => download.finish().await.map_err(transfer_error)?,
            Ok(_) => piece.truncate(most),
        }
        Ok(piece)
    }

    async fn upload(
        &self,
        from: File,
        file: &RemotePath,
        start: Start,
        wire: &Wire,
        begun: &AtomicBool,
    ) -> Result<u64, Error> {
        let upload = match start {
            Start::At(offset) => {
                let size = from.metadata().ok().map(|local| local.len());
                self.client.stor_sized(file, offset, size).await
            }
            Start::End => self.client.appe(file).await,
        };
        let upload = upload.map_err(remote_error)?;
        begun.store(true, Ordering::Relaxed);
        upload
            .throttled(wire.throttles.clone())
            .copy_from_file(from, wire.progress.clone())
            .await
            .map_err(transfer_error)
    }

    async fn fetch_many(
        &self,
        files: Vec<FetchFile>,
        wire: &Wire,
        outcomes: UnboundedSender<(usize, Result<Fetched, RemoteError>)>,
    ) -> Result<(), RemoteError> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let work = self.client.fetch_many(files, batch_options(wire), sender);
        forward(work, receiver, outcomes, |fetched| fetched).await
    }

    async fn store_many(
        &self,
        files: Vec<StoreFile>,
        wire: &Wire,
        outcomes: UnboundedSender<(usize, Result<Sent, RemoteError>)>,
    ) -> Result<(), RemoteError> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let work = self.client.store_many(files, batch_options(wire), sender);
        forward(work, receiver, outcomes, |stored: Stored| Sent {
            size: stored.size.is_some(),
            time: matches!(stored.time_set, Some(Ok(()))),
            renamed: matches!(stored.renamed, Some(Ok(()))),
        })
        .await
    }

    async fn quit(&self) {
        // Whatever the server answers, the connection is closed, and everything that counts was answered before.
        if let Err(error) = self.client.clone().part().await {
            tracing::debug!(%error, "a server said no goodbye");
        }
    }
}

fn batch_options(wire: &Wire) -> BatchOptions {
    BatchOptions {
        progress: wire.progress.clone(),
        throttles: wire.throttles.clone(),
    }
}

/// Passes outcomes on while the work goes on. When nobody wants them any more, what has not begun is left out.
async fn forward<T, U>(
    work: impl Future<Output = Result<(), ftp_client::Error>>,
    mut from: UnboundedReceiver<(usize, Result<T, ftp_client::Error>)>,
    to: UnboundedSender<(usize, Result<U, RemoteError>)>,
    change: impl Fn(T) -> U,
) -> Result<(), RemoteError> {
    let pass = async move {
        while let Some((place, outcome)) = from.recv().await {
            let outcome = outcome.map(&change).map_err(remote_error);
            if to.send((place, outcome)).is_err() {
                break;
            }
        }
    };
    let (done, ()) = tokio::join!(work, pass);
    done.map_err(remote_error)
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
