//! The control connection: lines in, replies out.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use ftp_net::Stream;
use ftp_net::tls::{Purpose, ServerTls};
use ftp_proto::{Charset, LineDecoder, Reply};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::charset;

/// The longest command line in bytes. Longer than any path that `vfs` takes.
const LINE: usize = 8 * 1024;

/// Why no more can be said.
#[derive(Debug)]
pub(crate) enum ControlError {
    /// The client has closed the connection, or it broke, or the client takes no replies.
    Gone,
    /// A line longer than the limit.
    TooLong,
    /// The handshake failed.
    Tls,
}

impl From<io::Error> for ControlError {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

pub(crate) struct Control {
    /// None only while, or after, a handshake has failed.
    stream: Option<Stream>,
    decoder: LineDecoder,
    inbox: BytesMut,
    outbox: BytesMut,
    patience: Duration,
    charset: Charset,
}

impl Control {
    pub(crate) fn new(stream: Stream, patience: Duration, charset: Charset) -> Self {
        Self {
            stream: Some(stream),
            decoder: LineDecoder::new(LINE).without_telnet(),
            inbox: BytesMut::new(),
            outbox: BytesMut::new(),
            patience,
            charset,
        }
    }

    /// Lines and replies are in this charset from now on; inside of the server all is UTF-8.
    pub(crate) fn set_charset(&mut self, charset: Charset) {
        self.charset = charset;
    }

    pub(crate) fn charset(&self) -> Charset {
        self.charset
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        self.stream.as_ref().is_some_and(Stream::is_encrypted)
    }

    pub(crate) fn tls_version(&self) -> Option<&'static str> {
        Some(self.stream.as_ref()?.tls_facts()?.version)
    }

    /// The next line without its end. Cancel safe: what was read stays.
    pub(crate) async fn line(&mut self) -> Result<Vec<u8>, ControlError> {
        let stream = self.stream.as_mut().ok_or(ControlError::Gone)?;
        loop {
            match self.decoder.decode(&mut self.inbox) {
                Ok(Some(line)) => return Ok(line),
                Ok(None) => {}
                Err(_) => return Err(ControlError::TooLong),
            }
            self.inbox.reserve(1024);
            if read(stream, &mut self.inbox).await? == 0 {
                return Err(ControlError::Gone);
            }
        }
    }

    /// Sends a whole reply, within the time that the client has to take it.
    pub(crate) async fn send(&mut self, reply: &Reply) -> Result<(), ControlError> {
        let stream = self.stream.as_mut().ok_or(ControlError::Gone)?;
        self.outbox.clear();
        reply.encode(&mut self.outbox);
        if !self.charset.is_utf8() {
            self.outbox = charset::reply(self.charset, &self.outbox);
        }
        let write = async {
            stream.write_all(&self.outbox).await?;
            stream.flush().await
        };
        match tokio::time::timeout(self.patience, write).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(ControlError::Gone),
        }
    }

    /// Whether the client has already sent more than the line before: fatal after AUTH, since a man in the middle could have put it there.
    pub(crate) fn has_more(&mut self) -> bool {
        if !self.inbox.is_empty() {
            return true;
        }
        match &self.stream {
            Some(Stream::Plain(tcp)) => {
                let mut byte = [0; 1];
                tcp.try_read(&mut byte).is_ok_and(|n| n > 0)
            }
            _ => false,
        }
    }

    /// Puts TLS under the connection, with what `choose` gives for the name that the client has asked for. What was read before is
    /// not looked at again. The result is what was chosen, and that name.
    pub(crate) async fn secure(
        &mut self,
        choose: impl FnOnce(Option<&str>) -> ServerTls,
        tag: &[u8],
        limit: Duration,
    ) -> Result<(ServerTls, Option<String>), ControlError> {
        let Some(Stream::Plain(tcp)) = self.stream.take() else {
            return Err(ControlError::Tls);
        };
        self.inbox.clear();
        match ServerTls::accept_by_name(tcp, Purpose::Control, tag, limit, choose).await {
            Ok((stream, tls, name)) => {
                self.stream = Some(stream);
                Ok((tls, name))
            }
            Err(error) => {
                tracing::debug!(%error, "TLS failed on the control connection");
                Err(ControlError::Tls)
            }
        }
    }

    /// Says the goodbye of TLS and TCP, and lets the client read our last reply before the connection goes.
    pub(crate) async fn close(&mut self) {
        if let Some(mut stream) = self.stream.take() {
            let _ = ftp_net::shutdown_orderly(&mut stream, Duration::from_millis(500)).await;
        }
    }
}

/// Reads what is there. Cancel safe.
///
/// On TCP not by `read_buf`: tokio takes a read that gives less than it could for the last one and waits for the network, but a
/// read also ends before an urgent byte. The line end of an urgent ABOR would be seen with the next command only.
async fn read(stream: &mut Stream, inbox: &mut BytesMut) -> io::Result<usize> {
    let Stream::Plain(tcp) = stream else {
        return stream.read_buf(inbox).await;
    };
    loop {
        tcp.readable().await?;
        match tcp.try_read_buf(inbox) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            outcome => return outcome,
        }
    }
}
