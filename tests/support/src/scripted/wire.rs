//! A connection that can turn into TLS and can end in every way that connections end.

use std::io;
use std::sync::Arc;

use rustls::{ClientConfig, ServerConfig};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use super::Ending;

/// A line longer than this is not a line.
const LONGEST_LINE: usize = 4 << 20;

pub(super) enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Wire {
    /// Without Nagle's delay: what is sent in two writes arrives as such.
    pub(super) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self::Plain(stream))
    }

    pub(super) async fn accept_tls(self, config: Arc<ServerConfig>) -> io::Result<Self> {
        let stream = TlsAcceptor::from(config).accept(self.plain()?).await?;
        Ok(Self::Tls(Box::new(TlsStream::Server(stream))))
    }

    pub(super) async fn connect_tls(
        self,
        config: Arc<ClientConfig>,
        name: &str,
    ) -> io::Result<Self> {
        let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        let stream = TlsConnector::from(config)
            .connect(name, self.plain()?)
            .await?;
        Ok(Self::Tls(Box::new(TlsStream::Client(stream))))
    }

    /// Waits for the other side's goodbye of TLS, says its own, and goes on in plain.
    pub(super) async fn stop_tls(self) -> io::Result<Self> {
        let Self::Tls(mut stream) = self else {
            return Err(io::Error::other("there is no TLS to stop"));
        };
        if stream.read(&mut [0; 1]).await? != 0 {
            return Err(io::Error::other("more came in TLS"));
        }
        match &mut *stream {
            TlsStream::Server(stream) => stream.get_mut().1.send_close_notify(),
            TlsStream::Client(stream) => stream.get_mut().1.send_close_notify(),
        }
        stream.flush().await?;
        Ok(Self::Plain(match *stream {
            TlsStream::Server(stream) => stream.into_inner().0,
            TlsStream::Client(stream) => stream.into_inner().0,
        }))
    }

    fn plain(self) -> io::Result<TcpStream> {
        match self {
            Self::Plain(stream) => Ok(stream),
            Self::Tls(_) => Err(io::Error::other("TLS within TLS")),
        }
    }

    pub(super) async fn read(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read_buf(buffer).await,
            Self::Tls(stream) => stream.read_buf(buffer).await,
        }
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.write_all(bytes).await,
            Self::Tls(stream) => {
                stream.write_all(bytes).await?;
                stream.flush().await
            }
        }
    }

    pub(super) async fn end(self, ending: Ending) -> io::Result<()> {
        match (self, ending) {
            (Self::Plain(mut stream), Ending::Close) => stream.shutdown().await,
            (Self::Tls(mut stream), Ending::Close) => stream.shutdown().await,
            // Dropping a TLS stream says nothing to the other side but FIN.
            (_, Ending::Cut) => Ok(()),
            (Self::Plain(stream), Ending::Reset) => stream.set_zero_linger(),
            (Self::Tls(stream), Ending::Reset) => stream.get_ref().0.set_zero_linger(),
        }
    }
}

/// A control connection: a wire and what was read from it beyond the last line.
pub(super) struct Lines {
    pub(super) wire: Wire,
    pub(super) buffer: Vec<u8>,
}

impl Lines {
    /// The next line without its end; `None` when the other side has closed or reset the connection.
    pub(super) async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut searched = 0;
        loop {
            if let Some(end) = self.buffer[searched..]
                .iter()
                .position(|&byte| byte == b'\n')
            {
                let mut line: Vec<u8> = self.buffer.drain(..=searched + end).collect();
                line.pop();
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return Ok(Some(line));
            }
            searched = self.buffer.len();
            if searched > LONGEST_LINE {
                return Err(io::Error::other("a line without end"));
            }
            match self.wire.read(&mut self.buffer).await {
                Ok(0) => break,
                Ok(_) => {}
                // A client that just leaves resets the connection, or leaves without close_notify.
                Err(error) if gone(&error) => break,
                Err(error) => return Err(error),
            }
        }
        if self.buffer.is_empty() {
            Ok(None)
        } else {
            Err(io::Error::other("the connection ended within a line"))
        }
    }
}

/// Whether an error only says that the other side is not there any more.
pub(super) fn gone(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(
        error.kind(),
        BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof
    )
}
