use std::{
    io,
    ops::Range,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use super::records::{Records, record_len};
use crate::{NetError, TlsFacts};

/// What is read from the socket at once where the data go to memory.
const READ: usize = 64 * 1024;

/// A TLS connection on which we only receive: a download's.
#[derive(Debug)]
pub struct Receiving {
    pub(crate) tcp: TcpStream,
    pub(crate) records: Records,
    /// Read from the socket; what is before `at` is done with.
    pub(crate) buffer: Vec<u8>,
    pub(crate) at: usize,
    /// Decrypted data in the buffer that nobody has taken yet.
    pub(crate) plain: Range<usize>,
    pub(crate) facts: TlsFacts,
    sent: usize,
    goodbye: bool,
}

impl Receiving {
    pub(super) fn new(tcp: TcpStream, records: Records, ahead: Vec<u8>, facts: TlsFacts) -> Self {
        Self {
            tcp,
            records,
            buffer: ahead,
            at: 0,
            plain: 0..0,
            facts,
            sent: 0,
            goodbye: false,
        }
    }

    /// Decrypts the next record, if all of it is here.
    fn open_next(&mut self) -> Result<bool, NetError> {
        let rest = &mut self.buffer[self.at..];
        let Some(len) = record_len(rest)?.filter(|len| *len <= rest.len()) else {
            return Ok(false);
        };
        let data = self.records.open(&mut rest[..len])?;
        self.plain = self.at + data.start..self.at + data.end;
        self.at += len;
        Ok(true)
    }

    /// Sends what the records layer has to say.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.records.out.len() {
            let rest = &self.records.out[self.sent..];
            let sent = ready!(Pin::new(&mut self.tcp).poll_write(cx, rest))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += sent;
        }
        self.records.out.clear();
        self.sent = 0;
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Receiving {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if buf.remaining() == 0 || this.records.closed && this.plain.is_empty() {
                return Poll::Ready(Ok(()));
            }
            if !this.plain.is_empty() {
                let give = this.plain.len().min(buf.remaining());
                let end = this.plain.start + give;
                buf.put_slice(&this.buffer[this.plain.start..end]);
                this.plain.start = end;
                return Poll::Ready(Ok(()));
            }
            if this.open_next().map_err(io::Error::other)? {
                // An answer that can't be sent now is sent later; one that never can shows in reading.
                let _ = this.poll_send(cx)?;
                continue;
            }
            this.buffer.drain(..this.at);
            this.at = 0;
            let have = this.buffer.len();
            this.buffer.resize(have + READ, 0);
            let mut fresh = ReadBuf::new(&mut this.buffer[have..]);
            let outcome = Pin::new(&mut this.tcp).poll_read(cx, &mut fresh);
            let read = fresh.filled().len();
            this.buffer.truncate(have + read);
            ready!(outcome)?;
            if read == 0 {
                // As rustls says it: the peer has closed without a goodbye.
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }
}

/// Only for the goodbye: data can't be sent this way.
impl AsyncWrite for Receiving {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_send(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.goodbye {
            this.records.say_goodbye().map_err(io::Error::other)?;
            this.goodbye = true;
        }
        ready!(this.poll_send(cx))?;
        Pin::new(&mut this.tcp).poll_shutdown(cx)
    }
}
