//! One transfer, from the data connection to its end.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use ftp_net::Stream;
use ftp_net::copy::Progress;
use ftp_net::tls::Purpose;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;
use vfs::{CHUNK, VPath, VfsError, VfsErrorKind, VfsRead, VfsWrite};

use super::data::DataOpener;
use crate::event::Direction;

/// How long a client has, after the last byte of a download, to close its end.
const LINGER: Duration = Duration::from_secs(2);

/// A transfer that a verb has prepared: everything that could be refused before 150 has been asked.
pub(crate) struct Transfer {
    pub(crate) path: VPath,
    pub(crate) body: Body,
    pub(crate) opener: DataOpener,
    /// An upload without the goodbye of TLS counts as complete.
    pub(crate) unclean_end: bool,
}

/// What moves.
pub(crate) enum Body {
    Download(Box<dyn VfsRead>),
    Upload(Box<dyn VfsWrite>),
    Listing(BoxStream<'static, Result<Bytes, VfsError>>),
}

/// Why a transfer didn't come to its end.
#[derive(Debug)]
pub(crate) enum Failure {
    /// No data connection was made in time.
    NoConnection,
    /// TLS failed on it, or wasn't good enough.
    Tls(String),
    /// It broke.
    Lost,
    /// Nothing moved for too long.
    Stalled,
    /// An encrypted upload ended without the goodbye of TLS.
    Truncated,
    /// The tree refused.
    Files(VfsError),
    /// ABOR, or the client is gone.
    Aborted,
}

impl From<VfsError> for Failure {
    fn from(error: VfsError) -> Self {
        Self::Files(error)
    }
}

impl Body {
    pub(crate) fn direction(&self) -> Direction {
        match self {
            Self::Download(_) => Direction::Download,
            Self::Upload(_) => Direction::Upload,
            Self::Listing(_) => Direction::Listing,
        }
    }
}

impl Transfer {
    /// Moves everything. `cancel` ends it at the next wait for the network; a write to the tree that has begun is
    /// finished first, so that the file is at rest when this returns.
    ///
    /// The stream comes back from a transfer to the client whose last byte is on its way: it should be kept for [`linger`].
    pub(crate) async fn run(
        self,
        progress: Progress,
        cancel: CancellationToken,
    ) -> Result<Option<Stream>, Failure> {
        let idle = self.opener.limits.data_idle;
        let purpose = match &self.body {
            Body::Upload(_) => Purpose::Upload,
            Body::Download(_) | Body::Listing(_) => Purpose::Download,
        };
        let stream = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(Failure::Aborted),
            stream = self.opener.open(purpose) => stream?,
        };
        let mut pipe = Pipe {
            stream,
            idle,
            cancel,
            progress,
        };
        match self.body {
            Body::Download(reader) => pipe.download(reader).await?,
            Body::Listing(lines) => pipe.listing(lines).await?,
            Body::Upload(writer) => {
                pipe.upload(writer, self.unclean_end).await?;
                return Ok(None);
            }
        }
        pipe.goodbye().await?;
        Ok(Some(pipe.stream))
    }
}

/// After 226: waits a moment for the client to close its end, so that our closing can't reset the connection under bytes
/// that are still on their way.
pub(crate) async fn linger(mut stream: Stream) {
    let mut scratch = [0; 1024];
    let drain = async { while matches!(stream.read(&mut scratch).await, Ok(1..)) {} };
    let _ = tokio::time::timeout(LINGER, drain).await;
}

struct Pipe {
    stream: Stream,
    idle: Duration,
    cancel: CancellationToken,
    progress: Progress,
}

impl Pipe {
    /// Reads the next chunk while the one before is on its way.
    async fn download(&mut self, mut reader: Box<dyn VfsRead>) -> Result<(), Failure> {
        let mut chunk = reader.read_chunk(CHUNK).await?;
        while !chunk.is_empty() {
            let (sent, next) = tokio::join!(self.send(&chunk), reader.read_chunk(CHUNK));
            sent?;
            chunk = next?;
        }
        Ok(())
    }

    async fn listing(
        &mut self,
        mut lines: BoxStream<'static, Result<Bytes, VfsError>>,
    ) -> Result<(), Failure> {
        while let Some(lines) = lines.next().await {
            self.send(&lines?).await?;
        }
        Ok(())
    }

    /// Collects the next chunk while the one before is written.
    async fn upload(
        &mut self,
        mut writer: Box<dyn VfsWrite>,
        unclean_end: bool,
    ) -> Result<(), Failure> {
        let mut waiting = Bytes::new();
        let mut end = Ok(false);
        while matches!(end, Ok(false)) {
            let mut buffer = BytesMut::with_capacity(CHUNK);
            let write = async {
                match waiting.is_empty() {
                    true => Ok(()),
                    false => writer.write_chunk(waiting).await,
                }
            };
            let (filled, written) = tokio::join!(self.fill(&mut buffer), write);
            written?;
            end = filled;
            waiting = buffer.freeze();
        }
        // Whatever came before the end is kept, however it ended: a resume starts from there.
        if !waiting.is_empty() {
            writer.write_chunk(waiting).await?;
        }
        match end {
            Err(Failure::Truncated) if unclean_end => {}
            // Not finished: a writer that was given nothing leaves the old file as it was.
            other => drop(other?),
        }
        writer.finish().await?;
        // The client has closed its direction; ours follows. It may be gone already.
        let _ = tokio::time::timeout(LINGER, self.stream.shutdown()).await;
        Ok(())
    }

    /// Fills the buffer; true at the end of the connection.
    async fn fill(&mut self, buffer: &mut BytesMut) -> Result<bool, Failure> {
        while buffer.len() < CHUNK {
            let read = tokio::select! {
                biased;
                () = self.cancel.cancelled() => return Err(Failure::Aborted),
                read = tokio::time::timeout(self.idle, self.stream.read_buf(buffer)) => read,
            };
            match read {
                Ok(Ok(0)) => return Ok(true),
                Ok(Ok(n)) => self.progress.add(n as u64),
                Ok(Err(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                    return Err(Failure::Truncated);
                }
                Ok(Err(_)) => return Err(Failure::Lost),
                Err(_) => return Err(Failure::Stalled),
            }
        }
        Ok(false)
    }

    async fn send(&mut self, mut data: &[u8]) -> Result<(), Failure> {
        while !data.is_empty() {
            let written = tokio::select! {
                biased;
                () = self.cancel.cancelled() => return Err(Failure::Aborted),
                written = tokio::time::timeout(self.idle, self.stream.write(data)) => written,
            };
            match written {
                Ok(Ok(n @ 1..)) => {
                    self.progress.add(n as u64);
                    data = &data[n..];
                }
                Ok(_) => return Err(Failure::Lost),
                Err(_) => return Err(Failure::Stalled),
            }
        }
        Ok(())
    }

    /// Flushes, and says that this was all: close_notify, FIN.
    async fn goodbye(&mut self) -> Result<(), Failure> {
        let end = async {
            self.stream.flush().await?;
            self.stream.shutdown().await
        };
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Failure::Aborted),
            end = tokio::time::timeout(self.idle, end) => match end {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) => Err(Failure::Lost),
                Err(_) => Err(Failure::Stalled),
            },
        }
    }
}

impl Failure {
    /// The final reply: code and text.
    pub(crate) fn reply(&self) -> (u16, String) {
        match self {
            Self::NoConnection => (425, "No data connection was made.".to_owned()),
            Self::Tls(why) => (522, format!("TLS failed on the data connection: {why}.")),
            Self::Lost => (426, "The data connection broke.".to_owned()),
            Self::Stalled => (
                426,
                "The data connection stood still for too long.".to_owned(),
            ),
            Self::Truncated => (
                426,
                "The data connection ended without the goodbye of TLS; the file may be incomplete."
                    .to_owned(),
            ),
            Self::Aborted => (426, "Transfer aborted.".to_owned()),
            Self::Files(error) => match error.kind() {
                VfsErrorKind::Full => (452, "No space left.".to_owned()),
                kind => (451, format!("The transfer failed here: {}.", kind.text())),
            },
        }
    }
}
