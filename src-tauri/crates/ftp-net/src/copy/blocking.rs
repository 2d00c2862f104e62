use std::{
    fs::File,
    io::{self, Read, Write},
    net::{Shutdown, TcpStream},
    time::{Duration, Instant},
};

use rustls::Connection;

use super::{CHUNK, Copied, GOODBYE, Progress};
use crate::{NetError, Stream, Waited, stream::Wire as AsyncWire};

/// A connection in blocking mode, for one thread.
pub(super) struct Wire {
    tcp: TcpStream,
    tls: Option<Tls>,
    idle: Duration,
}

struct Tls {
    connection: Connection,
    /// Read from the socket, not yet decrypted.
    ahead: Vec<u8>,
    taken: usize,
}

impl Wire {
    pub(super) fn new(stream: Stream, idle: Duration) -> Result<Self, NetError> {
        let (tcp, tls) = match stream {
            Stream::Plain(tcp) => (tcp, None),
            Stream::Client(tls) => {
                let (wire, connection) = tls.into_inner();
                split(wire, connection.into())
            }
            Stream::Server(tls) => {
                let (wire, connection) = tls.into_inner();
                split(wire, connection.into())
            }
        };
        let tcp = tcp.into_std()?;
        tcp.set_nonblocking(false)?;
        tcp.set_read_timeout(Some(idle))?;
        tcp.set_write_timeout(Some(idle))?;
        Ok(Self { tcp, tls, idle })
    }

    /// A second handle on the socket, for shutting it down from elsewhere.
    pub(super) fn handle(&self) -> io::Result<TcpStream> {
        self.tcp.try_clone()
    }

    pub(super) fn receive(&mut self, file: &File, progress: &Progress) -> Result<Copied, NetError> {
        let copied = match &mut self.tls {
            None => receive_plain(&mut self.tcp, file, progress, self.idle)?,
            Some(tls) => tls.receive(&mut self.tcp, file, progress, self.idle)?,
        };
        if let Some(tls) = &mut self.tls {
            tls.connection.send_close_notify();
            // The peer has sent everything and may be gone already.
            while tls.connection.wants_write() {
                if tls.connection.write_tls(&mut self.tcp).is_err() {
                    break;
                }
            }
        }
        let _ = self.tcp.shutdown(Shutdown::Write);
        Ok(copied)
    }

    pub(super) fn send(
        &mut self,
        mut file: &File,
        progress: &Progress,
    ) -> Result<Copied, NetError> {
        let mut buffer = vec![0; CHUNK];
        let mut bytes = 0;
        loop {
            let read = file.read(&mut buffer).map_err(NetError::Local)?;
            if read == 0 {
                break;
            }
            match &mut self.tls {
                None => self.tcp.write_all(&buffer[..read]),
                Some(tls) => tls.send(&mut self.tcp, &buffer[..read]),
            }
            .map_err(|error| wire_error(error, self.idle))?;
            bytes += read as u64;
            progress.add(read as u64);
        }
        let clean = self
            .goodbye()
            .map_err(|error| wire_error(error, self.idle))?;
        Ok(Copied { bytes, clean })
    }

    /// After the last byte out: close_notify and FIN, then everything that the peer still sends, for at
    /// most [`GOODBYE`]. Session tickets come this way.
    fn goodbye(&mut self) -> io::Result<bool> {
        if let Some(tls) = &mut self.tls {
            tls.connection.send_close_notify();
            tls.flush(&mut self.tcp)?;
        }
        self.tcp.shutdown(Shutdown::Write)?;
        let end = Instant::now() + GOODBYE;
        let mut clean = self.tls.is_none();
        let mut scratch = vec![0; 16 * 1024];
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(clean);
            }
            self.tcp.set_read_timeout(Some(left))?;
            let Ok(read @ 1..) = self.tcp.read(&mut scratch) else {
                return Ok(clean);
            };
            if let Some(tls) = &mut self.tls {
                let mut rest = &scratch[..read];
                while !rest.is_empty() {
                    if !matches!(tls.connection.read_tls(&mut rest), Ok(1..)) {
                        break;
                    }
                    match tls.connection.process_new_packets() {
                        Ok(state) => {
                            clean |= state.peer_has_closed();
                            let waste = state.plaintext_bytes_to_read() as u64;
                            io::copy(&mut tls.connection.reader().take(waste), &mut io::sink())?;
                        }
                        Err(_) => return Ok(clean),
                    }
                }
            }
        }
    }
}

fn split(wire: AsyncWire, mut connection: Connection) -> (tokio::net::TcpStream, Option<Tls>) {
    // Room for a whole chunk in encrypted form; it is written out before the next is taken.
    connection.set_buffer_limit(Some(2 * CHUNK));
    let (tcp, ahead) = wire.into_parts();
    let tls = Tls {
        connection,
        ahead,
        taken: 0,
    };
    (tcp, Some(tls))
}

fn receive_plain(
    tcp: &mut TcpStream,
    mut file: &File,
    progress: &Progress,
    idle: Duration,
) -> Result<Copied, NetError> {
    #[cfg(target_os = "linux")]
    if let Some(outcome) = super::splice::receive(tcp, file, progress, idle) {
        return outcome;
    }
    let mut buffer = vec![0; CHUNK];
    let mut bytes = 0;
    loop {
        let read = retry(|| tcp.read(&mut buffer)).map_err(|error| wire_error(error, idle))?;
        if read == 0 {
            return Ok(Copied { bytes, clean: true });
        }
        file.write_all(&buffer[..read]).map_err(NetError::Local)?;
        bytes += read as u64;
        progress.add(read as u64);
    }
}

impl Tls {
    fn receive(
        &mut self,
        tcp: &mut TcpStream,
        mut file: &File,
        progress: &Progress,
        idle: Duration,
    ) -> Result<Copied, NetError> {
        let mut plain = vec![0; CHUNK];
        let mut filled = 0;
        let mut bytes = 0;
        let mut put = |data: &[u8]| {
            file.write_all(data).map_err(NetError::Local)?;
            bytes += data.len() as u64;
            progress.add(data.len() as u64);
            Ok::<(), NetError>(())
        };
        let clean = loop {
            // What is already decrypted goes first: rustls takes no more while it holds much.
            loop {
                if filled == plain.len() {
                    put(&plain)?;
                    filled = 0;
                }
                match self.connection.reader().read(&mut plain[filled..]) {
                    Ok(0) => {
                        put(&plain[..filled])?;
                        return Ok(Copied { bytes, clean: true });
                    }
                    Ok(read) => filled += read,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(wire_error(error, idle)),
                }
            }
            if self.taken == self.ahead.len() {
                self.ahead.resize(CHUNK, 0);
                self.taken = CHUNK;
                let read =
                    retry(|| tcp.read(&mut self.ahead)).map_err(|error| wire_error(error, idle))?;
                self.ahead.truncate(read);
                self.taken = 0;
                if read == 0 {
                    break false;
                }
            }
            let mut rest = &self.ahead[self.taken..];
            let before = rest.len();
            self.connection
                .read_tls(&mut rest)
                .map_err(|error| wire_error(error, idle))?;
            self.taken += before - rest.len();
            self.connection
                .process_new_packets()
                .map_err(|error| NetError::from_handshake(io::Error::other(error)))?;
        };
        put(&plain[..filled])?;
        Ok(Copied { bytes, clean })
    }

    fn send(&mut self, tcp: &mut TcpStream, mut data: &[u8]) -> io::Result<()> {
        while !data.is_empty() {
            let taken = self.connection.writer().write(data)?;
            data = &data[taken..];
            self.flush(tcp)?;
        }
        Ok(())
    }

    fn flush(&mut self, tcp: &mut TcpStream) -> io::Result<()> {
        while self.connection.wants_write() {
            retry(|| self.connection.write_tls(tcp))?;
        }
        Ok(())
    }
}

pub(super) fn retry<T>(mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match attempt() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}

/// A socket's own time limit shows as one of two errors, by platform.
pub(super) fn wire_error(error: io::Error, idle: Duration) -> NetError {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => NetError::Timeout {
            what: Waited::Data,
            limit: idle,
        },
        _ => NetError::Io(error),
    }
}
