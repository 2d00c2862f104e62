//! The bytes of one small file, between memory and a data connection.

use std::{
    io,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Instant,
};

use bytes::BufMut;
use ftp_net::{
    LOOK_AGAIN, NetError, Pace, Stream,
    copy::{GOODBYE, Progress},
    shutdown_orderly,
};
use ftp_proto::Reply;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::Notify,
};

use crate::{BatchOptions, Error, ErrorKind};

/// The most memory that is taken on the word of a listing alone.
const BELIEVED: u64 = 1024 * 1024;
/// The memory that is taken for a file of unknown size.
const UNKNOWN: u64 = 4096;

/// How far the data of one transfer is, for whoever watches the clock and hears the replies.
pub(super) struct Activity {
    moves: AtomicU64,
    /// No data connection yet.
    dialling: AtomicBool,
    begun: AtomicBool,
    begin: Notify,
    progress: Progress,
    abrupt: AtomicBool,
}

impl Activity {
    pub(super) fn new(options: &BatchOptions) -> Self {
        Self {
            moves: AtomicU64::new(0),
            dialling: AtomicBool::new(false),
            begun: AtomicBool::new(true),
            begin: Notify::new(),
            progress: options.progress.clone(),
            abrupt: AtomicBool::new(false),
        }
    }

    /// Whether uploads of a single flight are reset behind their end.
    ///
    /// vsftpd closes its side of a data connection with SO_LINGER, and says 226 only after our kernel has confirmed that close:
    /// a round trip for each file, in which nothing happens. A reset that follows our FIN tells it at once. Data that are lost on the way
    /// can't be taken for a whole file for that: without the FIN before it, a reset is not accepted (RFC 5961 section 3.2) but
    /// asked about, and what comes of it then is a failed read, a 426, and another try.
    pub(super) fn set_abrupt(&self, abrupt: bool) {
        self.abrupt.store(abrupt, Ordering::Relaxed);
    }

    pub(super) fn is_abrupt(&self) -> bool {
        self.abrupt.load(Ordering::Relaxed)
    }

    /// The next transfer, of which nothing has happened yet.
    pub(super) fn next(&self) {
        self.begun.store(false, Ordering::Relaxed);
        self.dialling.store(true, Ordering::Relaxed);
    }

    /// A number that changes whenever something moves.
    pub(super) fn seen(&self) -> u64 {
        self.moves.load(Ordering::Relaxed)
    }

    /// Something else than data went on.
    pub(super) fn stir(&self) {
        self.moves.fetch_add(1, Ordering::Relaxed);
    }

    /// There is a data connection.
    pub(super) fn dialled(&self) {
        self.dialling.store(false, Ordering::Relaxed);
        self.stir();
    }

    pub(super) fn is_dialling(&self) -> bool {
        self.dialling.load(Ordering::Relaxed)
    }

    /// The server has said that it begins.
    pub(super) fn begins(&self) {
        self.begun.store(true, Ordering::Relaxed);
        self.begin.notify_waiters();
    }

    pub(super) fn has_begun(&self) -> bool {
        self.begun.load(Ordering::Relaxed)
    }

    /// Returns when the server has said that it begins.
    pub(super) async fn begun(&self) {
        let notified = self.begin.notified();
        if !self.has_begun() {
            notified.await;
        }
    }

    fn moved(&self, bytes: usize) {
        self.stir();
        self.progress.add(bytes as u64);
    }
}

/// Why the data of a file did not move.
#[derive(Debug)]
pub(super) enum Failure {
    Net(NetError),
    /// There is more than the caller wants to hold.
    TooLong(u64),
    /// There is no session left that a data connection could resume.
    NoTicket,
}

impl Failure {
    /// True where the connection broke: the server will have an opinion on that.
    pub(super) const fn is_break(&self) -> bool {
        matches!(self, Self::Net(NetError::Io(_) | NetError::Tls { .. }))
    }

    /// As an error of its own.
    pub(super) fn explain(self, doing: String) -> Error {
        match self {
            Self::Net(error @ (NetError::Io(_) | NetError::Cancelled)) => {
                Error::with_source(ErrorKind::Truncated, doing, error)
            }
            Self::Net(error) => Error::net(doing, error),
            Self::NoTicket => Error::new(ErrorKind::Tls, doing),
            Self::TooLong(most) => Error::with_source(
                ErrorKind::TooLong,
                doing,
                format!("it is longer than the {most} bytes that were expected at most"),
            ),
        }
    }

    /// As an error, where the server has said something too.
    pub(super) fn explain_with(self, doing: String, reply: Reply) -> Error {
        match self {
            // A person's decision, whatever the server thinks of our hanging up.
            Self::Net(NetError::Certificate(_)) | Self::TooLong(_) | Self::NoTicket => {
                self.explain(doing)
            }
            _ if !reply.code.is_completion() => Error::refused(doing, reply),
            Self::Net(error) => Error::with_source(ErrorKind::Truncated, doing, error),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Net(NetError::Io(error))
    }
}

impl From<NetError> for Failure {
    fn from(error: NetError) -> Self {
        Self::Net(error)
    }
}

/// What a data connection brought.
pub(super) struct Received {
    pub(super) data: Vec<u8>,
    /// False where TLS ended without a goodbye, so that it may have been cut short.
    pub(super) clean: bool,
}

/// What is expected of a data connection.
#[derive(Clone, Copy)]
pub(super) struct Expected {
    pub(super) size: Option<u64>,
    pub(super) most: u64,
}

/// Reads a data connection to its end and closes it.
pub(super) async fn receive(
    mut stream: Stream,
    expected: Expected,
    activity: &Activity,
    pace: &mut Pace,
) -> Result<Received, Failure> {
    let Expected { size, most } = expected;
    let room = size.unwrap_or(UNKNOWN).min(most).min(BELIEVED);
    // One more than that: the read that finds the end needs a place to write to.
    let mut data = Vec::with_capacity(usize::try_from(room).unwrap_or(0) + 1);
    let clean = loop {
        wait(pace, activity).await;
        let left = most.saturating_add(1).saturating_sub(data.len() as u64);
        if data.len() == data.capacity() {
            data.reserve(data.len().max(4096));
        }
        let piece = pace.piece(usize::try_from(left).unwrap_or(usize::MAX));
        match stream.read_buf(&mut (&mut data).limit(piece)).await {
            Ok(0) => break true,
            Ok(read) => {
                pace.moved(Instant::now(), read as u64);
                activity.moved(read);
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break false,
            Err(error) => return Err(error.into()),
        }
        if data.len() as u64 > most {
            return Err(Failure::TooLong(most));
        }
    };
    if stream.is_encrypted() {
        // The peer has said goodbye already and may not take ours any more.
        let _ = stream.shutdown().await;
    }
    Ok(Received { data, clean })
}

/// What leaves at once on a new connection (ten segments, RFC 6928), with room to spare.
const ONE_FLIGHT: usize = 8 * 1024;

/// Sends all of `data` and ends the connection, so that it can't be taken for a part.
pub(super) async fn send(
    stream: Stream,
    data: &[u8],
    activity: &Activity,
    pace: &mut Pace,
) -> Result<(), Failure> {
    let mut upload = Incomplete(Some(stream));
    let Some(stream) = &mut upload.0 else {
        return Ok(());
    };
    let mut left = data;
    while !left.is_empty() {
        wait(pace, activity).await;
        let piece = pace.piece(left.len());
        let sent = stream.write(&left[..piece]).await?;
        if sent == 0 {
            return Err(io::Error::from(io::ErrorKind::WriteZero).into());
        }
        pace.moved(Instant::now(), sent as u64);
        activity.moved(sent);
        left = &left[sent..];
    }
    if stream.is_encrypted() {
        // To its end: a ticket for the next data connection may still be under way.
        if shutdown_orderly(stream, GOODBYE).await? > 0 {
            return Err(unasked().into());
        }
    } else {
        stream.shutdown().await?;
        if let Stream::Plain(tcp) = &stream
            && matches!(tcp.try_read(&mut [0]), Ok(1..))
        {
            return Err(unasked().into());
        }
        if activity.is_abrupt() && data.len() <= ONE_FLIGHT {
            // Everything has left, the FIN included; what follows is the reset.
            return Ok(());
        }
    }
    upload.0 = None;
    Ok(())
}

fn unasked() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "the server sent something on the data connection of an upload",
    )
}

/// An upload under way: let go of half-way, it is reset. Closed in good order, half a file would look like a whole one.
struct Incomplete(Option<Stream>);

impl Drop for Incomplete {
    fn drop(&mut self) {
        if let Some(stream) = &self.0 {
            stream.reset_on_drop();
        }
    }
}

/// Waits until the limits of speed let something pass.
async fn wait(pace: &mut Pace, activity: &Activity) {
    while let Some(time) = pace.wait(Instant::now()) {
        tokio::time::sleep(time.min(LOOK_AGAIN)).await;
        // Our own waiting is not the peer's silence.
        activity.stir();
    }
}
