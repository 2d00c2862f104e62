//! What comes over a data connection, line by line or block by block.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, Bytes, BytesMut};
use futures_util::stream::{Stream, StreamExt};
use tokio::io::{AsyncRead, ReadBuf};

use crate::{Download, constants::DEFAULT_BLOCK_SIZE};

/// A longer line is an error.
const LONGEST_LINE: usize = 1024 * 1024;

/// The lines of a download, a [`Stream`]. What it has read beyond the last line that was given out is lost with it.
pub struct Lines<'a> {
    blocks: Blocks<'a>,
    buffer: BytesMut,
    /// Up to where there is no line end.
    scanned: usize,
    ended: bool,
}

/// The blocks of a download, a [`Stream`]: none is empty, and none longer than was asked for.
pub struct Blocks<'a> {
    download: &'a mut Download,
    size: usize,
    buffer: BytesMut,
}

impl Download {
    /// Line by line, without their ends: LF, or CR LF. A last line without one counts. A line of more than a megabyte is an error
    /// ([`io::ErrorKind::InvalidData`]).
    ///
    /// After the last one, [`finish`](Download::finish) hears the server's word; after an error,
    /// [`failed`](Download::failed) does.
    pub fn lines(&mut self) -> Lines<'_> {
        Lines {
            blocks: self.blocks(DEFAULT_BLOCK_SIZE),
            buffer: BytesMut::new(),
            scanned: 0,
            ended: false,
        }
    }

    /// Block by block, as they come: up to `size` bytes each, [`DEFAULT_BLOCK_SIZE`] where `size` is 0.
    pub fn blocks(&mut self, size: usize) -> Blocks<'_> {
        Blocks {
            download: self,
            size: if size == 0 { DEFAULT_BLOCK_SIZE } else { size },
            buffer: BytesMut::new(),
        }
    }
}

impl Blocks<'_> {
    /// The next block, `None` at the end. Dropping the future loses nothing.
    ///
    /// # Errors
    /// Those of the connection; see [`Download::failed`].
    pub async fn next(&mut self) -> io::Result<Option<Bytes>> {
        StreamExt::next(self).await.transpose()
    }
}

impl Lines<'_> {
    /// The next line, `None` after the last one. Dropping the future loses nothing.
    ///
    /// # Errors
    /// Those of the connection, and a line without an end; see [`Download::failed`].
    pub async fn next(&mut self) -> io::Result<Option<Bytes>> {
        StreamExt::next(self).await.transpose()
    }

    fn cut(&mut self) -> Option<Bytes> {
        let found = self.buffer[self.scanned..]
            .iter()
            .position(|byte| *byte == b'\n');
        let mut line = match found {
            Some(at) => {
                let line = self.buffer.split_to(self.scanned + at);
                self.buffer.advance(1);
                line
            }
            None if self.ended && !self.buffer.is_empty() => self.buffer.split(),
            None => {
                self.scanned = self.buffer.len();
                return None;
            }
        };
        self.scanned = 0;
        if line.last() == Some(&b'\r') {
            line.truncate(line.len() - 1);
        }
        Some(line.freeze())
    }
}

impl Stream for Blocks<'_> {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        this.buffer.resize(this.size, 0);
        let mut room = ReadBuf::new(&mut this.buffer);
        let read = Pin::new(&mut *this.download).poll_read(cx, &mut room);
        let filled = room.filled().len();
        Poll::Ready(match ready!(read) {
            Ok(()) if filled == 0 => None,
            Ok(()) => Some(Ok(this.buffer.split_to(filled).freeze())),
            Err(error) => Some(Err(error)),
        })
    }
}

impl Stream for Lines<'_> {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(line) = self.cut() {
                return Poll::Ready(Some(Ok(line)));
            }
            if self.ended {
                return Poll::Ready(None);
            }
            if self.buffer.len() > LONGEST_LINE {
                let error =
                    io::Error::new(io::ErrorKind::InvalidData, "a line of more than a megabyte");
                return Poll::Ready(Some(Err(error)));
            }
            match ready!(Pin::new(&mut self.blocks).poll_next(cx)) {
                Some(Ok(block)) => self.buffer.extend_from_slice(&block),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => self.ended = true,
            }
        }
    }
}
