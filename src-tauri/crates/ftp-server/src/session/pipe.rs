//! A data connection at work: bytes between it and the tree.

use std::fs::File;
use std::io;
use std::time::{Duration, Instant};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use ftp_net::copy::{CopyOptions, Progress, receive_to_file, serve_from_file};
use ftp_net::{DeflateCounts, LOOK_AGAIN, NetError, Pace, Stream, Throttles};
use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;
use vfs::{VfsError, VfsErrorKind, VfsRead, VfsWrite};

use super::text::{FromWire, ToWire};
use super::transfer::{Failure, LINGER, Lane, Text};
use crate::limits::Limits;

/// An upload that has more than this goes on on a thread of its own.
const FIRST: usize = 128 * 1024;

/// Packing so much takes a thread that others wait for less than a millisecond.
const PACKED: usize = 16 * 1024;

/// How the tree is read and written.
#[derive(Clone, Copy)]
pub(super) struct Pieces {
    /// Bytes at once.
    most: usize,
    /// How long the tree may take for one of them.
    patience: Duration,
}

impl Pieces {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            most: limits.block.clamp(512, 16 << 20),
            patience: limits.path,
        }
    }

    /// What the tree gives, in time.
    async fn wait<T>(
        &self,
        piece: impl Future<Output = Result<T, VfsError>>,
    ) -> Result<T, VfsError> {
        match tokio::time::timeout(self.patience, piece).await {
            Ok(piece) => piece,
            Err(_) => Err(VfsError::new(VfsErrorKind::Io, "it took too long")),
        }
    }
}

pub(super) struct Pipe {
    stream: Stream,
    idle: Duration,
    cancel: CancellationToken,
    progress: Progress,
    throttles: Throttles,
    pace: Pace,
    pieces: Pieces,
    /// MODE Z: what went over the wire, and how much of that the limits have been told of.
    packed: Option<(DeflateCounts, u64)>,
}

impl Pipe {
    pub(super) fn new(
        stream: Stream,
        idle: Duration,
        cancel: CancellationToken,
        progress: Progress,
        throttles: Throttles,
        pieces: Pieces,
    ) -> Self {
        Self {
            packed: stream.deflate_counts().map(|counts| (counts, 0)),
            stream,
            idle,
            cancel,
            progress,
            pace: Pace::new(throttles.clone()),
            throttles,
            pieces,
        }
    }

    fn copy_options(&self) -> CopyOptions {
        CopyOptions {
            progress: self.progress.clone(),
            throttles: self.throttles.clone(),
            ..CopyOptions::new(self.idle)
        }
    }

    /// So many bytes of a file, on a thread of their own.
    pub(super) async fn serve(self, file: File, most: u64) -> Result<Stream, Failure> {
        let options = CopyOptions {
            most: Some(most),
            ..self.copy_options()
        };
        drop(self.pace);
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Failure::Aborted),
            copied = serve_from_file(self.stream, file, options) => {
                let (copied, tcp) = copied?;
                if copied.bytes < most {
                    // Somebody has cut the file meanwhile: the client must not take what it has for all of it.
                    return Err(VfsError::new(VfsErrorKind::Io, "the file has become shorter").into());
                }
                Ok(Stream::Plain(tcp))
            }
        }
    }

    /// Reads the next chunk while the one before is on its way.
    pub(super) async fn download(
        &mut self,
        mut reader: Box<dyn VfsRead>,
        mut left: u64,
        text: Option<Text>,
    ) -> Result<(), Failure> {
        let mut text = text.map(ToWire::new);
        let pieces = self.pieces;
        let mut next = async |left: &mut u64| {
            let most = usize::try_from(*left)
                .unwrap_or(pieces.most)
                .min(pieces.most);
            if most == 0 {
                return Ok(Bytes::new());
            }
            let chunk = pieces.wait(reader.read_chunk(most)).await?;
            *left -= (chunk.len() as u64).min(*left);
            Ok::<_, VfsError>(chunk)
        };
        let mut chunk = next(&mut left).await?;
        while !chunk.is_empty() {
            if let Some(text) = &mut text {
                chunk = text.convert(&chunk);
            }
            let (sent, following) = tokio::join!(self.send(&chunk), next(&mut left));
            sent?;
            chunk = following?;
        }
        if left > 0 {
            return Err(VfsError::new(VfsErrorKind::Io, "the file has become shorter").into());
        }
        if text.is_some_and(|text| text.is_beyond()) {
            return Err(VfsError::from(VfsErrorKind::Range).into());
        }
        Ok(())
    }

    pub(super) async fn listing(
        &mut self,
        mut lines: BoxStream<'static, Result<Bytes, VfsError>>,
    ) -> Result<(), Failure> {
        let pieces = self.pieces;
        while let Some(lines) = pieces.wait(lines.try_next()).await? {
            self.send(&lines).await?;
        }
        Ok(())
    }

    /// Collects the next chunk while the one before is written. What goes to a file of the system goes there on a
    /// thread of its own, once it is more than a little.
    pub(super) async fn upload(
        mut self,
        mut writer: Box<dyn VfsWrite>,
        text: bool,
        unclean_end: bool,
        lane: &Lane,
    ) -> Result<(), Failure> {
        let mut text = text.then(FromWire::default);
        let pieces = self.pieces;
        let mut waiting = Bytes::new();
        let mut end = Ok(false);
        let mut first = true;
        while matches!(end, Ok(false)) {
            let most = if first {
                FIRST.min(self.pieces.most)
            } else {
                self.pieces.most
            };
            let mut buffer = BytesMut::with_capacity(most);
            let write = async {
                match waiting.is_empty() {
                    true => Ok(()),
                    false => pieces.wait(writer.write_chunk(waiting)).await,
                }
            };
            let (filled, written) = tokio::join!(self.fill(&mut buffer, most), write);
            written?;
            end = filled;
            waiting = match &mut text {
                Some(text) => text.convert(&buffer),
                None => buffer.freeze(),
            };
            if std::mem::take(&mut first)
                && text.is_none()
                && matches!(end, Ok(false))
                && let Some(_thread) = lane.thread()
            {
                pieces.wait(writer.write_chunk(waiting)).await?;
                if let Some(Ok(file)) = writer.as_file().map(File::try_clone) {
                    let clean = self.receive(file).await?;
                    if !clean && !unclean_end {
                        return Err(Failure::Truncated);
                    }
                    pieces.wait(writer.finish()).await?;
                    return Ok(());
                }
                waiting = Bytes::new();
            }
        }
        // Whatever came before the end is kept, however it ended: a resume starts from there.
        if !waiting.is_empty() {
            pieces.wait(writer.write_chunk(waiting)).await?;
        }
        if let Some(rest) = text.and_then(|text| text.rest()) {
            pieces.wait(writer.write_chunk(rest)).await?;
        }
        match end {
            Err(Failure::Truncated) if unclean_end => {}
            // Not finished: a writer that was given nothing leaves the old file as it was.
            other => drop(other?),
        }
        pieces.wait(writer.finish()).await?;
        // The client has closed its direction; ours follows. It may be gone already.
        let _ = tokio::time::timeout(LINGER, self.stream.shutdown()).await;
        Ok(())
    }

    /// The rest of an upload on a thread of its own. False where the client didn't say goodbye.
    async fn receive(self, file: File) -> Result<bool, Failure> {
        let options = self.copy_options();
        let bound = options.bound.clone();
        drop(self.pace);
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => {}
            copied = receive_to_file(self.stream, file, options) => return Ok(copied?.clean),
        }
        // The thread may be in the middle of a write.
        bound.at_rest().await;
        Err(Failure::Aborted)
    }

    /// Fills the buffer; true at the end of the connection. Under a limit of speed it gives what has come: the buffer could take minutes.
    async fn fill(&mut self, buffer: &mut BytesMut, most: usize) -> Result<bool, Failure> {
        while buffer.len() < most {
            self.wait().await?;
            let room = self.pace.piece(most - buffer.len());
            let mut place = (&mut *buffer).limit(room);
            let read = tokio::select! {
                biased;
                () = self.cancel.cancelled() => return Err(Failure::Aborted),
                read = tokio::time::timeout(self.idle, self.stream.read_buf(&mut place)) => read,
            };
            match read {
                Ok(Ok(0)) => return Ok(true),
                Ok(Ok(n)) => self.moved(n),
                Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Err(Failure::Truncated);
                }
                Ok(Err(error)) => return Err(NetError::from_io(error).into()),
                Err(_) => return Err(Failure::Stalled),
            }
            if !self.throttles.is_unlimited() {
                break;
            }
        }
        Ok(false)
    }

    async fn send(&mut self, mut data: &[u8]) -> Result<(), Failure> {
        while data.has_remaining() {
            self.wait().await?;
            let most = match self.packed {
                Some(_) => data.len().min(PACKED),
                None => data.len(),
            };
            let piece = &data[..self.pace.piece(most)];
            let written = tokio::select! {
                biased;
                () = self.cancel.cancelled() => return Err(Failure::Aborted),
                written = tokio::time::timeout(self.idle, self.stream.write(piece)) => written,
            };
            match written {
                Ok(Ok(n @ 1..)) => {
                    self.moved(n);
                    data.advance(n);
                }
                Ok(_) => return Err(Failure::Lost),
                Err(_) => return Err(Failure::Stalled),
            }
            if self.packed.is_some() {
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }

    /// Waits until the limits let more pass.
    async fn wait(&mut self) -> Result<(), Failure> {
        while let Some(left) = self.pace.wait(Instant::now()) {
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => return Err(Failure::Aborted),
                () = tokio::time::sleep(left.min(LOOK_AGAIN)) => {}
            }
        }
        Ok(())
    }

    /// Bytes of the file that have moved. The limits are those of the wire.
    fn moved(&mut self, bytes: usize) {
        self.progress.add(bytes as u64);
        let on_wire = match &mut self.packed {
            None => bytes as u64,
            Some((counts, told)) => {
                let wire = counts.wire();
                wire - std::mem::replace(told, wire)
            }
        };
        self.pace.moved(Instant::now(), on_wire);
    }

    /// Flushes, and says that this was all: close_notify, FIN.
    pub(super) async fn goodbye(mut self) -> Result<Stream, Failure> {
        let end = async {
            self.stream.flush().await?;
            self.stream.shutdown().await
        };
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Failure::Aborted),
            end = tokio::time::timeout(self.idle, end) => match end {
                Ok(Ok(())) => Ok(self.stream),
                Ok(Err(_)) => Err(Failure::Lost),
                Err(_) => Err(Failure::Stalled),
            },
        }
    }
}
