//! One transfer, from the data connection to its end.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ftp_net::copy::Progress;
use ftp_net::tls::Purpose;
use ftp_net::{DeflateProblem, InflateLimits, NetError, Stream, Throttles};
use futures_util::stream::BoxStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use vfs::{VPath, VfsError, VfsErrorKind, VfsRead, VfsWrite};

use super::data::DataOpener;
use super::pipe::{Pieces, Pipe};
use crate::event::Direction;

/// How long a client has, after the last byte, to close its end.
pub(super) const LINGER: Duration = Duration::from_secs(2);

/// Files up to this size are sent without a thread of their own: it would take longer to start than they do.
const SMALL: u64 = 256 * 1024;

/// A transfer that a verb has prepared: everything that could be refused before 150 has been asked.
pub(crate) struct Transfer {
    pub(crate) path: VPath,
    pub(crate) body: Body,
    pub(crate) opener: DataOpener,
    /// An upload without the goodbye of TLS counts as complete.
    pub(crate) unclean_end: bool,
    /// TYPE A: lines end with CRLF on the wire, and with LF here. Not for listings, which are written as they go out.
    pub(crate) text: Option<Text>,
}

/// How a transfer in TYPE A goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Text {
    /// Downloads: so many bytes, as they would go over the wire, are left out at the beginning (RFC 3659 section 5.3).
    pub(crate) skip: u64,
}

/// What moves.
pub(crate) enum Body {
    /// A file, or so many bytes of it at most.
    Download(Box<dyn VfsRead>, Option<u64>),
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
    /// What came in MODE Z can't be unpacked.
    Damaged(DeflateProblem),
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

impl From<NetError> for Failure {
    fn from(error: NetError) -> Self {
        match error {
            NetError::Timeout { .. } => Self::Stalled,
            NetError::Local(error) => Self::Files(error.into()),
            NetError::Deflate(problem) => Self::Damaged(problem),
            NetError::Cancelled => Self::Aborted,
            _ => Self::Lost,
        }
    }
}

impl Body {
    pub(crate) fn direction(&self) -> Direction {
        match self {
            Self::Download(..) => Direction::Download,
            Self::Upload(_) => Direction::Upload,
            Self::Listing(_) => Direction::Listing,
        }
    }

    /// How many bytes it will be, where that is known.
    pub(crate) fn total(&self) -> Option<u64> {
        match self {
            Self::Download(reader, most) => {
                Some(most.map_or(reader.remaining(), |most| most.min(reader.remaining())))
            }
            Self::Upload(_) | Self::Listing(_) => None,
        }
    }
}

/// What the server lends a transfer.
pub(crate) struct Lane {
    /// The limits of speed.
    pub(crate) throttles: Throttles,
    /// Threads for files that move without passing through this process. One that gets none goes the other way.
    pub(crate) copies: Arc<Semaphore>,
}

impl Lane {
    pub(super) fn thread(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.copies).try_acquire_owned().ok()
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
        lane: Lane,
    ) -> Result<Option<Stream>, Failure> {
        let idle = self.opener.limits.data_idle;
        let deflate = self.opener.deflate;
        let pieces = Pieces::new(&self.opener.limits);
        let purpose = match &self.body {
            Body::Upload(_) => Purpose::Upload,
            Body::Download(..) | Body::Listing(_) => Purpose::Download,
        };
        let stream = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(Failure::Aborted),
            stream = self.opener.open(purpose) => stream?,
        };
        let stream = match (deflate, purpose) {
            (None, _) => stream,
            (Some(_), Purpose::Upload) => stream.inflating(InflateLimits::default()),
            (Some(level), _) => stream.deflating(level),
        };
        let mut pipe = Pipe::new(
            stream,
            idle,
            cancel,
            progress,
            lane.throttles.clone(),
            pieces,
        );
        match self.body {
            Body::Download(reader, most) => {
                let left = most.map_or(reader.remaining(), |most| most.min(reader.remaining()));
                if self.text.is_none()
                    && left > SMALL
                    && let Some(Ok(file)) = reader.as_file().map(std::fs::File::try_clone)
                    && let Some(_thread) = lane.thread()
                {
                    return pipe.serve(file, left).await.map(Some);
                }
                pipe.download(reader, left, self.text).await?;
            }
            Body::Listing(lines) => pipe.listing(lines).await?,
            Body::Upload(writer) => {
                let text = self.text.is_some();
                pipe.upload(writer, text, self.unclean_end, &lane).await?;
                return Ok(None);
            }
        }
        pipe.goodbye().await.map(Some)
    }
}

/// After 226: waits a moment for the client to close its end, so that our closing can't reset the connection under bytes
/// that are still on their way.
pub(crate) async fn linger(stream: Stream) {
    ftp_net::copy::drain(stream.into_tcp(), LINGER).await;
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
            Self::Damaged(problem @ DeflateProblem::Bomb { .. }) => {
                (552, format!("Refused: {problem}."))
            }
            // The words of the library in it are no text of the client's.
            Self::Damaged(problem) => (426, format!("Not complete: {problem}.")),
            Self::Aborted => (426, "Transfer aborted.".to_owned()),
            Self::Files(error) => match error.kind() {
                VfsErrorKind::Full => (452, "No space left.".to_owned()),
                VfsErrorKind::Range => (554, "The file ends before that.".to_owned()),
                kind => (451, format!("The transfer failed here: {}.", kind.text())),
            },
        }
    }
}
