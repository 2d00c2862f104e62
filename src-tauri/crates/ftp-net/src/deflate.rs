//! MODE Z: a file that is compressed on the wire (draft-preston-ftpext-deflate-04), as one zlib stream (RFC 1950).

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{NetError, Stream};

/// What is read from, and gathered for, the wire at a time.
pub(crate) const BUFFER: usize = 64 * 1024;

/// The most that is unpacked at a time.
const STEP: usize = 256 * 1024;

/// How many bytes went over the wire, and how many of a file they stand for. Clones share their counts.
#[derive(Debug, Clone, Default)]
pub struct DeflateCounts(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    wire: AtomicU64,
    file: AtomicU64,
}

impl DeflateCounts {
    /// Compressed bytes so far, those of the zlib stream alone.
    #[must_use]
    pub fn wire(&self) -> u64 {
        self.0.wire.load(Ordering::Relaxed)
    }

    /// The file's bytes so far.
    #[must_use]
    pub fn file(&self) -> u64 {
        self.0.file.load(Ordering::Relaxed)
    }

    /// How many of the file's bytes each byte on the wire stands for; `None` where nothing has moved.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        let (wire, file) = (self.wire(), self.file());
        (wire > 0).then(|| file as f64 / wire as f64)
    }

    fn add(&self, wire: u64, file: u64) {
        self.0.wire.fetch_add(wire, Ordering::Relaxed);
        self.0.file.fetch_add(file, Ordering::Relaxed);
    }
}

/// How much a few bytes may grow into. A zlib stream can grow to 1032 times its size, so that a megabyte could fill a disk
/// of a gigabyte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InflateLimits {
    /// The size of the file as the server has told it, in bytes: so much is no surprise, however well it was
    /// compressed.
    pub announced: Option<u64>,
    /// So many bytes more are no harm either: text that is one line over and over, for example.
    pub free: u64,
    /// Beyond both, so many bytes for each that came over the wire.
    pub ratio: u64,
}

impl Default for InflateLimits {
    /// No size is known; 16 MiB are free; then 200 bytes for one.
    fn default() -> Self {
        Self {
            announced: None,
            free: 16 * 1024 * 1024,
            ratio: 200,
        }
    }
}

impl InflateLimits {
    /// The same for a file of this size, if it is known.
    #[must_use]
    pub fn announced(size: Option<u64>) -> Self {
        Self {
            announced: size,
            ..Self::default()
        }
    }

    fn allows(&self, wire: u64, file: u64) -> bool {
        let beyond = file.saturating_sub(self.announced.unwrap_or(0));
        beyond <= self.free || beyond <= wire.saturating_mul(self.ratio)
    }
}

/// What is wrong with compressed data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeflateProblem {
    /// They are no zlib stream, or their checksum is wrong.
    #[error("the compressed data are damaged after {wire} bytes: {why}")]
    Damaged {
        /// Where, in bytes on the wire.
        wire: u64,
        /// The library's word for it.
        why: String,
    },
    /// The connection ended before the zlib stream did.
    #[error("the compressed data end too early, after {wire} bytes")]
    Truncated {
        /// Bytes on the wire.
        wire: u64,
    },
    /// Something follows the end of the zlib stream.
    #[error("something follows the end of the compressed data")]
    Trailing,
    /// They grow beyond all measure.
    #[error("{wire} compressed bytes grow into more than {file}: that is no file but an attack")]
    Bomb {
        /// Bytes on the wire.
        wire: u64,
        /// Bytes of the file up to where it was given up.
        file: u64,
    },
}

impl From<DeflateProblem> for io::Error {
    fn from(problem: DeflateProblem) -> Self {
        Self::new(io::ErrorKind::InvalidData, NetError::Deflate(problem))
    }
}

/// A data connection in MODE Z, in one direction.
#[derive(Debug)]
pub struct Deflated {
    pub(crate) inner: Stream,
    way: Way,
    /// Compressed bytes: read and not yet used, or ready to be sent.
    buffer: Vec<u8>,
    at: usize,
    /// How much is read from the wire at once.
    piece: usize,
    counts: DeflateCounts,
}

#[derive(Debug)]
enum Way {
    In {
        zlib: Decompress,
        limits: InflateLimits,
        /// The zlib stream is over.
        ended: bool,
    },
    Out {
        zlib: Compress,
        /// Something was written since the last flush.
        dirty: bool,
        finished: bool,
    },
}

impl Stream {
    /// The same connection for a download in MODE Z. Reading gives the file; writing is an error.
    #[must_use]
    pub fn inflating(self, limits: InflateLimits) -> Self {
        let way = Way::In {
            zlib: Decompress::new(true),
            limits,
            ended: false,
        };
        Self::Deflated(Box::new(Deflated::new(self, way)))
    }

    /// The same connection for an upload in MODE Z, at a level from 0 (none) over 1 (fast) to 9 (small); more is taken
    /// for 9. Reading is an error. The file ends, and can be unpacked, only when the stream is shut down.
    #[must_use]
    pub fn deflating(self, level: u32) -> Self {
        let way = Way::Out {
            zlib: Compress::new(Compression::new(level.min(9)), true),
            dirty: false,
            finished: false,
        };
        Self::Deflated(Box::new(Deflated::new(self, way)))
    }

    /// On a download in MODE Z: reads no more than this from the wire at once.
    pub(crate) fn set_piece(&mut self, most: usize) {
        if let Self::Deflated(deflated) = self {
            deflated.piece = most.clamp(1, BUFFER);
        }
    }

    /// What was saved, on a connection in MODE Z.
    #[must_use]
    pub fn deflate_counts(&self) -> Option<DeflateCounts> {
        match self {
            Self::Deflated(deflated) => Some(deflated.counts.clone()),
            _ => None,
        }
    }
}

impl Deflated {
    fn new(inner: Stream, way: Way) -> Self {
        Self {
            inner,
            way,
            buffer: Vec::with_capacity(BUFFER),
            at: 0,
            piece: BUFFER,
            counts: DeflateCounts::default(),
        }
    }

    /// The next compressed bytes into the buffer, which is empty. False at the end.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        self.buffer.resize(self.piece, 0);
        self.at = 0;
        let mut fresh = ReadBuf::new(&mut self.buffer);
        let outcome = Pin::new(&mut self.inner).poll_read(cx, &mut fresh);
        let read = fresh.filled().len();
        self.buffer.truncate(read);
        ready!(outcome)?;
        Poll::Ready(Ok(read > 0))
    }

    /// Sends what is ready.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.at < self.buffer.len() {
            let rest = &self.buffer[self.at..];
            let sent = ready!(Pin::new(&mut self.inner).poll_write(cx, rest))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.at += sent;
        }
        self.buffer.clear();
        self.at = 0;
        Poll::Ready(Ok(()))
    }

    /// Has the library give out what it holds.
    fn poll_drain(&mut self, cx: &mut Context<'_>, flush: FlushCompress) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_send(cx))?;
            let Way::Out { zlib, .. } = &mut self.way else {
                return Poll::Ready(Ok(()));
            };
            let before = zlib.total_out();
            let status = zlib
                .compress_vec(&[], &mut self.buffer, flush)
                .map_err(io::Error::other)?;
            let out = zlib.total_out() - before;
            self.counts.add(out, 0);
            // Room was left, so that is all there was.
            let all = status == Status::StreamEnd || self.buffer.len() < self.buffer.capacity();
            if all {
                return self.poll_send(cx);
            }
        }
    }
}

impl AsyncRead for Deflated {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            let wire = this.counts.wire();
            let Way::In {
                zlib,
                limits,
                ended,
            } = &mut this.way
            else {
                return Poll::Ready(Err(io::ErrorKind::Unsupported.into()));
            };
            if buf.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            if *ended {
                // Behind the end comes the connection's own end, with its goodbye and its tickets.
                if this.at < this.buffer.len() {
                    return Poll::Ready(Err(DeflateProblem::Trailing.into()));
                }
                match ready!(this.poll_fill(cx)) {
                    Ok(true) => continue,
                    Ok(false) => return Poll::Ready(Ok(())),
                    // The stream has an end and a checksum of its own: a goodbye could say no more.
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                        return Poll::Ready(Ok(()));
                    }
                    Err(error) => return Poll::Ready(Err(error)),
                }
            }
            let input = &this.buffer[this.at..];
            let (before_in, before_out) = (zlib.total_in(), zlib.total_out());
            // However much room there is: the limits are looked at in between.
            let room = buf.remaining().min(STEP);
            let output = buf.initialize_unfilled_to(room);
            let outcome = zlib.decompress(input, output, FlushDecompress::None);
            let used = zlib.total_in() - before_in;
            let made = zlib.total_out() - before_out;
            this.at += usize::try_from(used).unwrap_or(input.len());
            this.counts.add(used, made);
            match outcome {
                Ok(status) => *ended = status == Status::StreamEnd,
                Err(error) => {
                    let why = error.to_string();
                    return Poll::Ready(Err(DeflateProblem::Damaged { wire, why }.into()));
                }
            }
            let (wire, file) = (this.counts.wire(), this.counts.file());
            if !limits.allows(wire, file) {
                return Poll::Ready(Err(DeflateProblem::Bomb { wire, file }.into()));
            }
            if made > 0 {
                buf.advance(usize::try_from(made).unwrap_or(usize::MAX));
                return Poll::Ready(Ok(()));
            }
            if *ended {
                continue;
            }
            if this.at < this.buffer.len() {
                if used > 0 {
                    continue;
                }
                let why = "it makes no sense".to_owned();
                return Poll::Ready(Err(DeflateProblem::Damaged { wire, why }.into()));
            }
            match ready!(this.poll_fill(cx)) {
                Ok(true) => {}
                // Nothing at all: a server that has nothing to send, and no stream to send it in.
                Ok(false) if wire == 0 => return Poll::Ready(Ok(())),
                Ok(false) => return Poll::Ready(Err(DeflateProblem::Truncated { wire }.into())),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && wire > 0 => {
                    return Poll::Ready(Err(DeflateProblem::Truncated { wire }.into()));
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for Deflated {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        loop {
            if this.buffer.len() == this.buffer.capacity() {
                ready!(this.poll_send(cx))?;
            }
            let Way::Out {
                zlib,
                dirty,
                finished: false,
            } = &mut this.way
            else {
                return Poll::Ready(Err(io::ErrorKind::Unsupported.into()));
            };
            if data.is_empty() {
                return Poll::Ready(Ok(0));
            }
            let (before_in, before_out) = (zlib.total_in(), zlib.total_out());
            zlib.compress_vec(data, &mut this.buffer, FlushCompress::None)
                .map_err(io::Error::other)?;
            let used = zlib.total_in() - before_in;
            this.counts.add(zlib.total_out() - before_out, used);
            *dirty |= used > 0;
            if used > 0 {
                return Poll::Ready(Ok(usize::try_from(used).unwrap_or(data.len())));
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Way::Out {
            dirty: true,
            finished: false,
            ..
        } = this.way
        {
            ready!(this.poll_drain(cx, FlushCompress::Sync))?;
            if let Way::Out { dirty, .. } = &mut this.way {
                *dirty = false;
            }
        }
        if matches!(this.way, Way::Out { .. }) {
            ready!(this.poll_send(cx))?;
        }
        Pin::new(&mut this.inner).poll_flush(cx)
    }

    /// Ends the zlib stream, and then the connection.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Way::Out { finished, .. } = &this.way {
            if *finished {
                ready!(this.poll_send(cx))?;
            } else {
                ready!(this.poll_drain(cx, FlushCompress::Finish))?;
                if let Way::Out { finished, .. } = &mut this.way {
                    *finished = true;
                }
            }
        }
        Pin::new(&mut this.inner).poll_shutdown(cx)
    }
}
