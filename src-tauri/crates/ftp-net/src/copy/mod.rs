//! The copy loops: between a connection and a local file, as fast as the platform can.
//!
//! A whole transfer runs on one blocking thread, so that no read costs a hop between threads. On
//! Linux a plain download is spliced from the socket to the file without passing through this
//! process; everything else goes through large buffers.

mod blocking;
mod bound;
mod deflated;
mod pacer;
mod records;
#[cfg(target_os = "linux")]
mod sendfile;
#[cfg(target_os = "linux")]
mod splice;
mod target;
mod waiter;

use std::{
    fs::File,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

pub use bound::{Bound, Writing};
use pacer::Pacer;
use target::Target;
use tokio::{io::AsyncReadExt, net::TcpStream};

use crate::{NetError, Stream, Throttles};

/// How much is read from a socket or a file at a time.
pub(crate) const CHUNK: usize = 256 * 1024;

/// How long a peer may take to say goodbye after the last byte.
pub const GOODBYE: Duration = Duration::from_secs(2);

/// How far a transfer has come; shared with whoever shows it.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<AtomicU64>);

impl Progress {
    /// Bytes moved so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Adds bytes that were moved.
    pub fn add(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// How a copy ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    /// Bytes moved.
    pub bytes: u64,
    /// False where the peer closed a TLS connection without saying goodbye (close_notify): what was
    /// received may then be cut short, and only the server's reply can tell.
    pub clean: bool,
    /// Bytes that the peer sent on a connection that was there to send: a peer that is out of step.
    pub unasked: u64,
}

impl Copied {
    const fn received(bytes: u64, clean: bool) -> Self {
        Self {
            bytes,
            clean,
            unasked: 0,
        }
    }
}

/// How a copy is made.
#[derive(Debug, Clone)]
pub struct CopyOptions {
    /// Counts the bytes as they move.
    pub progress: Progress,
    /// The longest wait for the peer's next byte, or until it takes the next one.
    pub idle: Duration,
    /// The limits of speed. They may change while the copy runs.
    pub throttles: Throttles,
    /// Copies into a file: the place in it (bytes from its beginning) where they write, while the file's own position
    /// stays; `None`: at that position.
    pub at: Option<u64>,
    /// Copies into a file: how far they go. A connection on which the bound is reached is reset.
    pub bound: Bound,
    /// Copies from a file: at most so many bytes; `None`: up to its end.
    pub most: Option<u64>,
}

impl CopyOptions {
    /// No limits of speed, and nobody who watches.
    #[must_use]
    pub fn new(idle: Duration) -> Self {
        Self {
            progress: Progress::default(),
            idle,
            throttles: Throttles::default(),
            at: None,
            bound: Bound::default(),
            most: None,
        }
    }
}

/// Copies everything that `stream` brings into `file`, from the file's present position on, and closes the
/// connection in good order. [`CopyOptions::at`] and [`CopyOptions::bound`] make it another place, and less.
///
/// Dropping the future ends the transfer: the connection is reset at once, and the thread ends as soon as it has written
/// what it has in its hands. [`Bound::at_rest`] of the options' bound waits for that.
///
/// # Errors
/// [`NetError::Io`], [`NetError::Tls`] or [`NetError::Deflate`] of the connection, [`NetError::Timeout`],
/// [`NetError::Local`] of the file.
pub async fn receive_to_file(
    stream: Stream,
    file: File,
    options: CopyOptions,
) -> Result<Copied, NetError> {
    let at = options.at;
    let writing = options.bound.writing();
    if matches!(stream, Stream::Deflated(_)) {
        return deflated::receive(stream, Target { file, at }, writing, options).await;
    }
    run(stream, options, move |wire| {
        let outcome = wire.receive(&mut Target { file, at });
        // The file is closed by now.
        drop(writing);
        outcome
    })
    .await
}

/// Sends `file` from its present position to its end, and closes the connection in good order.
///
/// Dropping the future ends the transfer, as in [`receive_to_file`].
///
/// # Errors
/// As [`receive_to_file`].
pub async fn send_from_file(
    stream: Stream,
    file: File,
    options: CopyOptions,
) -> Result<Copied, NetError> {
    if matches!(stream, Stream::Deflated(_)) {
        return deflated::send(stream, file, options).await;
    }
    let most = options.most;
    run(stream, options, move |wire| wire.send(&file, most)).await
}

/// Sends as [`send_from_file`] does, and is done when the last byte and the goodbye are on their way: a server can say at
/// once that the transfer is complete. What is left of the connection comes back, and is to be kept a while, see [`drain`].
///
/// # Errors
/// As [`receive_to_file`].
pub async fn serve_from_file(
    stream: Stream,
    file: File,
    options: CopyOptions,
) -> Result<(Copied, TcpStream), NetError> {
    if matches!(stream, Stream::Deflated(_)) {
        return deflated::serve(stream, file, options).await;
    }
    let most = options.most;
    let (copied, wire) = run_and_keep(stream, options, move |wire| wire.serve(&file, most)).await?;
    Ok((copied, wire.into_tcp()?))
}

/// Waits for the peer to close its end of a connection that we have closed ours of, at most so long: were it dropped before,
/// with bytes of the peer unread, the system would reset it, and throw away what the peer has not yet taken.
pub async fn drain(mut tcp: TcpStream, limit: Duration) {
    let mut scratch = [0; 1024];
    let draining = async { while matches!(tcp.read(&mut scratch).await, Ok(1..)) {} };
    let _ = tokio::time::timeout(limit, draining).await;
}

async fn run(
    stream: Stream,
    options: CopyOptions,
    copy: impl FnOnce(&mut blocking::Wire) -> Result<Copied, NetError> + Send + 'static,
) -> Result<Copied, NetError> {
    let (copied, _) = run_and_keep(stream, options, copy).await?;
    Ok(copied)
}

async fn run_and_keep(
    stream: Stream,
    options: CopyOptions,
    copy: impl FnOnce(&mut blocking::Wire) -> Result<Copied, NetError> + Send + 'static,
) -> Result<(Copied, blocking::Wire), NetError> {
    let (watch, cancel) = waiter::pair(options.idle)?;
    let pacer = Pacer::new(watch, options);
    let mut wire = blocking::Wire::new(stream, pacer)?;
    let outcome = tokio::task::spawn_blocking(move || {
        let outcome = copy(&mut wire);
        if outcome.is_err() {
            wire.reset_on_drop();
        }
        (outcome, wire)
    })
    .await;
    drop(cancel);
    match outcome {
        // The connection is closed only where our outcome is known: the peer's complaint about the reset must not
        // overtake the reason for it.
        Ok((outcome, wire)) => Ok((outcome?, wire)),
        Err(join) if join.is_panic() => std::panic::resume_unwind(join.into_panic()),
        Err(_) => Err(NetError::Cancelled),
    }
}
