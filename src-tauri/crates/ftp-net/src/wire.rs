use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// rustls asks the socket for 4 KiB at a time; this much is fetched instead, and handed out in pieces.
const READ_AHEAD: usize = 64 * 1024;

/// In the beginning: on a control connection there is never more, and a server has many of them.
const FIRST_READ: usize = 4 * 1024;

/// A TCP connection that reads ahead, as the layer under TLS.
#[derive(Debug)]
pub struct Wire {
    pub(crate) tcp: TcpStream,
    ahead: Vec<u8>,
    taken: usize,
    /// How much is fetched at once: more where that was there.
    fetch: usize,
    records: Boundary,
    /// Hands out no byte of a record together with one of the next: TLS may be over behind each of them.
    by_record: bool,
}

/// Where in a record (RFC 8446 section 5.1) the next byte is.
#[derive(Debug, Default)]
struct Boundary {
    header: [u8; 5],
    /// Bytes of the header that have passed.
    known: usize,
    /// Bytes of the record that are still to come behind its header.
    left: usize,
}

impl Boundary {
    /// How many bytes there are at most up to the end of a header or a record.
    fn next(&self) -> usize {
        if self.left > 0 {
            self.left
        } else {
            self.header.len() - self.known
        }
    }

    fn pass(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (now, rest) = bytes.split_at(self.next().min(bytes.len()));
            bytes = rest;
            if self.left > 0 {
                self.left -= now.len();
                continue;
            }
            self.header[self.known..self.known + now.len()].copy_from_slice(now);
            self.known += now.len();
            if let (5, [_, _, _, high, low]) = (self.known, self.header) {
                self.left = usize::from(u16::from_be_bytes([high, low]));
                self.known = 0;
            }
        }
    }
}

impl Wire {
    pub(crate) fn new(tcp: TcpStream) -> Self {
        Self {
            tcp,
            ahead: Vec::new(),
            taken: 0,
            fetch: FIRST_READ,
            records: Boundary::default(),
            by_record: false,
        }
    }

    /// From now on, what is behind a record that ends TLS stays here.
    pub(crate) const fn go_by_record(&mut self) {
        self.by_record = true;
    }

    /// The connection, and the bytes that were read from it but not yet asked for.
    pub(crate) fn into_parts(self) -> (TcpStream, Vec<u8>) {
        (self.tcp, self.ahead[self.taken..].to_vec())
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.taken == this.ahead.len() {
            this.ahead.resize(this.fetch, 0);
            this.taken = this.fetch;
            let mut fresh = ReadBuf::new(&mut this.ahead);
            let outcome = Pin::new(&mut this.tcp).poll_read(cx, &mut fresh);
            let filled = fresh.filled().len();
            this.ahead.truncate(filled);
            this.taken = 0;
            ready!(outcome)?;
            if filled == this.fetch {
                this.fetch = (this.fetch * 4).min(READ_AHEAD);
            }
        }
        let mut give = buf.remaining().min(this.ahead.len() - this.taken);
        if this.by_record {
            give = give.min(this.records.next());
        }
        let given = &this.ahead[this.taken..this.taken + give];
        buf.put_slice(given);
        this.records.pass(given);
        this.taken += give;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}
