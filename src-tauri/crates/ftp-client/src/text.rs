//! Texts: transfers with TYPE A, whose line ends are CR LF on the way (RFC 959 section 3.1.1.1).

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use ftp_net::{NetError, Throttles, copy::Progress};
use ftp_proto::{Command, RemotePath};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};

use crate::{Client, Download, Error, ErrorKind, Upload, names};

/// So much is converted at once, in bytes.
const PIECE: usize = 16 * 1024;

/// How lines end on this side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LineEnd {
    /// LF, as on Unix.
    Lf,
    /// CR LF, as on Windows.
    CrLf,
}

impl LineEnd {
    /// That of this system.
    pub const NATIVE: Self = if cfg!(windows) { Self::CrLf } else { Self::Lf };
}

/// CR LF becomes LF; a CR before anything else stays, wherever the pieces are cut.
#[derive(Debug, Default)]
struct ToLf {
    /// A CR whose neighbour has not come yet.
    held: bool,
}

impl ToLf {
    fn convert(&mut self, input: &[u8], out: &mut Vec<u8>) {
        for &byte in input {
            if self.held && byte != b'\n' {
                out.push(b'\r');
            }
            self.held = byte == b'\r';
            if !self.held {
                out.push(byte);
            }
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.held) {
            out.push(b'\r');
        }
    }
}

/// LF becomes CR LF, unless there is a CR before it already.
#[derive(Debug, Default)]
struct ToCrLf {
    after_cr: bool,
}

impl ToCrLf {
    fn convert(&mut self, input: &[u8], out: &mut Vec<u8>) {
        for &byte in input {
            if byte == b'\n' && !self.after_cr {
                out.push(b'\r');
            }
            out.push(byte);
            self.after_cr = byte == b'\r';
        }
    }
}

#[derive(Debug)]
enum Reading {
    Lf(ToLf),
    CrLf(ToCrLf),
}

/// A text on its way to us. Read it to its end, then call [`finish`](TextDownload::finish).
pub struct TextDownload {
    inner: Download,
    reading: Reading,
    raw: Box<[u8]>,
    ready: Vec<u8>,
    /// How much of `ready` was given out.
    given: usize,
    ended: bool,
}

/// A text on its way to the server. Write it, then call [`finish`](TextUpload::finish).
pub struct TextUpload {
    inner: Upload,
    writing: ToCrLf,
    out: Vec<u8>,
    /// How much of `out` was sent.
    sent: usize,
}

impl Client {
    /// Fetches a text (TYPE A and RETR): line ends become those of `ends`. A CR that ends no line stays, and so does all else; where the
    /// server doesn't convert, LF is understood too. For files whose lines matter and whose bytes don't: its size is not that of SIZE, and there are
    /// no offsets.
    ///
    /// # Errors
    /// As [`Client::retr`]; what the server says against TYPE A.
    pub async fn retr_text(&self, path: &RemotePath, ends: LineEnd) -> Result<TextDownload, Error> {
        let command = Command::Retr(names::plain(path));
        Ok(TextDownload {
            inner: Download::open_text(self, command).await?,
            reading: match ends {
                LineEnd::Lf => Reading::Lf(ToLf::default()),
                LineEnd::CrLf => Reading::CrLf(ToCrLf::default()),
            },
            raw: vec![0; PIECE].into(),
            ready: Vec::new(),
            given: 0,
            ended: false,
        })
    }

    /// Stores a text (TYPE A and STOR): LF and CR LF both become the line end of the server's system, if it converts.
    ///
    /// # Errors
    /// As [`Client::stor`]; what the server says against TYPE A.
    pub async fn stor_text(&self, path: &RemotePath) -> Result<TextUpload, Error> {
        self.check_name(path)?;
        let command = Command::Stor(names::plain(path));
        Ok(TextUpload {
            inner: Upload::open_text(self, command).await?,
            writing: ToCrLf::default(),
            out: Vec::new(),
            sent: 0,
        })
    }
}

impl TextDownload {
    /// Puts it under limits of speed, in place of those it had.
    #[must_use]
    pub fn throttled(mut self, throttles: Throttles) -> Self {
        self.inner = self.inner.throttled(throttles);
        self
    }

    /// Copies what is left into `target` and waits for the server's word. Returns the number of bytes written, which `progress` counts.
    ///
    /// # Errors
    /// [`ErrorKind::Local`] of the target; else as [`Download::copy_to_file`].
    pub async fn copy_to(
        mut self,
        target: &mut (impl AsyncWrite + Unpin),
        progress: Progress,
    ) -> Result<u64, Error> {
        let local = |error| Error::net("writing", NetError::Local(error));
        let mut piece = vec![0; PIECE];
        let mut bytes = 0;
        loop {
            let read = match self.read(&mut piece).await {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) => return Err(self.inner.failed(error).await),
            };
            target.write_all(&piece[..read]).await.map_err(local)?;
            bytes += read as u64;
            progress.add(read as u64);
        }
        target.flush().await.map_err(local)?;
        self.finish().await?;
        Ok(bytes)
    }

    /// The server's word on the transfer.
    ///
    /// # Errors
    /// As [`Download::finish`].
    pub async fn finish(self) -> Result<(), Error> {
        if self.given < self.ready.len() {
            return Err(Error::new(
                ErrorKind::Truncated,
                "a text that was not read to its end",
            ));
        }
        self.inner.finish().await
    }

    /// Gives the transfer up by ABOR and waits until the session is clean.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn abort(self) -> Result<(), Error> {
        self.inner.abort().await
    }
}

impl AsyncRead for TextDownload {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        while this.given == this.ready.len() && !this.ended {
            let mut raw = ReadBuf::new(&mut this.raw);
            ready!(Pin::new(&mut this.inner).poll_read(cx, &mut raw))?;
            let input = raw.filled();
            this.ended = input.is_empty();
            this.ready.clear();
            this.given = 0;
            match &mut this.reading {
                Reading::Lf(to_lf) => {
                    to_lf.convert(input, &mut this.ready);
                    if this.ended {
                        to_lf.end(&mut this.ready);
                    }
                }
                Reading::CrLf(to_crlf) => to_crlf.convert(input, &mut this.ready),
            }
        }
        let left = &this.ready[this.given..];
        let now = left.len().min(buf.remaining());
        buf.put_slice(&left[..now]);
        this.given += now;
        Poll::Ready(Ok(()))
    }
}

impl TextUpload {
    /// Puts it under limits of speed, in place of those it had.
    #[must_use]
    pub fn throttled(mut self, throttles: Throttles) -> Self {
        self.inner = self.inner.throttled(throttles);
        self
    }

    /// Sends `source` to its end and waits for the server's word. Returns the number of bytes read, which `progress` counts.
    ///
    /// # Errors
    /// [`ErrorKind::Local`] of the source; else as [`Upload::copy_from_file`].
    pub async fn copy_from(
        mut self,
        source: &mut (impl AsyncRead + Unpin),
        progress: Progress,
    ) -> Result<u64, Error> {
        let mut piece = vec![0; PIECE];
        let mut bytes = 0;
        loop {
            let read = source
                .read(&mut piece)
                .await
                .map_err(|error| Error::net("reading", NetError::Local(error)))?;
            if read == 0 {
                break;
            }
            if let Err(error) = self.write_all(&piece[..read]).await {
                return Err(self.inner.failed(error).await);
            }
            bytes += read as u64;
            progress.add(read as u64);
        }
        self.finish().await?;
        Ok(bytes)
    }

    /// Ends the text and waits for the server's word on it.
    ///
    /// # Errors
    /// As [`Upload::finish`].
    pub async fn finish(mut self) -> Result<(), Error> {
        if let Err(error) = self.flush().await {
            return Err(self.inner.failed(error).await);
        }
        self.inner.finish().await
    }

    /// Gives the transfer up by ABOR and waits until the session is clean.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn abort(self) -> Result<(), Error> {
        self.inner.abort().await
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.out.len() {
            let written = ready!(Pin::new(&mut self.inner).poll_write(cx, &self.out[self.sent..]))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += written;
        }
        self.out.clear();
        self.sent = 0;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for TextUpload {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        // What was taken before goes first; so no more than a piece is ever held.
        ready!(this.poll_drain(cx))?;
        let piece = &buf[..buf.len().min(PIECE)];
        this.writing.convert(piece, &mut this.out);
        Poll::Ready(Ok(piece.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    /// Only flushes: the text ends with [`TextUpload::finish`], which also hears the server's word.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn to_lf(pieces: &[&[u8]]) -> Vec<u8> {
        let (mut state, mut out) = (ToLf::default(), Vec::new());
        for piece in pieces {
            state.convert(piece, &mut out);
        }
        state.end(&mut out);
        out
    }

    fn to_crlf(pieces: &[&[u8]]) -> Vec<u8> {
        let (mut state, mut out) = (ToCrLf::default(), Vec::new());
        for piece in pieces {
            state.convert(piece, &mut out);
        }
        out
    }

    #[test]
    fn stray_carriage_returns_stay() {
        for (wire, local) in [
            (&b"a\r\nb\r\n"[..], &b"a\nb\n"[..]),
            (b"a\nb", b"a\nb"),
            (b"a\rb\r\n", b"a\rb\n"),
            (b"a\r\r\n\r", b"a\r\n\r"),
            (b"\r\r\r", b"\r\r\r"),
            (b"\r\n", b"\n"),
            (b"a\r\0b", b"a\r\0b"),
            (b"", b""),
        ] {
            assert_eq!(to_lf(&[wire]), local, "{wire:?}");
        }
        for (local, wire) in [
            (&b"a\nb\n"[..], &b"a\r\nb\r\n"[..]),
            (b"a\r\nb", b"a\r\nb"),
            (b"\r\rb\n\n", b"\r\rb\r\n\r\n"),
        ] {
            assert_eq!(to_crlf(&[local]), wire, "{local:?}");
        }
    }

    proptest! {
        #[test]
        fn cuts_make_no_difference(text in "[ab\r\n]{0,40}", at in 0_usize..40, then in 0_usize..40) {
            let text = text.as_bytes();
            let (at, then) = (at.min(text.len()), then.min(text.len()));
            let (first, second) = (at.min(then), at.max(then));
            let pieces = [&text[..first], &text[first..second], &text[second..]];
            prop_assert_eq!(to_lf(&pieces), to_lf(&[text]));
            prop_assert_eq!(to_crlf(&pieces), to_crlf(&[text]));
        }

        #[test]
        fn a_text_comes_back(text in "[ab\n]{0,40}") {
            prop_assert_eq!(to_lf(&[&to_crlf(&[text.as_bytes()])]), text.into_bytes());
        }
    }
}
