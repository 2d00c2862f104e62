use std::{
    fs::File,
    io::{self, Read, Write},
    net::{Shutdown, TcpStream},
    time::Instant,
};

use rustls::Connection;

use super::{
    CHUNK, Copied, GOODBYE, pacer::Pacer, records::Inbound, target::Target, waiter::Waiter,
};
use crate::{NetError, Stream, wire::Wire as AsyncWire};

/// How much is encrypted before it is sent. rustls allocates each record, and an allocator gives memory of more than
/// 128 KiB back to the system each time, which costs more than the encryption.
const SEALED: usize = 64 * 1024;

/// A connection in the hands of one thread.
pub(super) struct Wire {
    tcp: TcpStream,
    tls: Option<Tls>,
    /// In place of `tls`, where all we do is receive.
    inbound: Option<Inbound>,
    pacer: Pacer,
}

struct Tls {
    connection: Connection,
    /// Read from the socket, not yet decrypted.
    ahead: Vec<u8>,
    taken: usize,
}

impl Wire {
    pub(super) fn new(stream: Stream, pacer: Pacer) -> Result<Self, NetError> {
        let mut inbound = None;
        let (tcp, tls) = match stream {
            Stream::Plain(tcp) => (tcp, None),
            Stream::Receiving(receiving) => {
                let (tcp, rest) = Inbound::new(*receiving);
                inbound = Some(rest);
                (tcp, None)
            }
            Stream::Client(tls) => {
                let (wire, connection) = tls.into_inner();
                split(wire, connection.into())
            }
            Stream::Server(tls) => {
                let (wire, connection) = tls.into_inner();
                split(wire, connection.into())
            }
            // These have loops of their own.
            Stream::Deflated(_) => return Err(NetError::Io(io::ErrorKind::Unsupported.into())),
        };
        Ok(Self {
            tcp: tcp.into_std()?,
            tls,
            inbound,
            pacer,
        })
    }

    /// Makes the close a reset: a peer must not take the end of a failed transfer for the end of the file.
    pub(super) fn reset_on_drop(&self) {
        crate::tcp::reset_on_drop(&self.tcp);
    }

    pub(super) fn receive(&mut self, file: &mut Target) -> Result<Copied, NetError> {
        let Self {
            tcp,
            tls,
            inbound,
            pacer,
        } = self;
        if let Some(inbound) = inbound {
            let copied = inbound.receive(tcp, file, pacer)?;
            if pacer.is_at_bound() {
                self.reset_on_drop();
                return Ok(copied);
            }
            inbound.say_goodbye(tcp, pacer);
            let _ = tcp.shutdown(Shutdown::Write);
            return Ok(copied);
        }
        let copied = match tls {
            None => receive_plain(tcp, file, pacer)?,
            Some(tls) => tls.receive(tcp, file, pacer)?,
        };
        if pacer.is_at_bound() {
            self.reset_on_drop();
            return Ok(copied);
        }
        if let Some(tls) = tls {
            tls.connection.send_close_notify();
            // The peer has sent everything and may be gone already.
            let _ = tls.flush(tcp, &pacer.waiter);
        }
        let _ = tcp.shutdown(Shutdown::Write);
        Ok(copied)
    }

    /// The connection below, in which nothing of ours is left.
    pub(super) fn into_tcp(self) -> io::Result<tokio::net::TcpStream> {
        tokio::net::TcpStream::from_std(self.tcp)
    }

    pub(super) fn send(&mut self, file: &File, most: Option<u64>) -> Result<Copied, NetError> {
        let bytes = self.send_all(file, most)?;
        let (clean, unasked) = goodbye(&self.tcp, self.tls.as_mut(), &self.pacer.waiter)?;
        Ok(Copied {
            bytes,
            clean,
            unasked,
        })
    }

    /// The same without waiting for the peer's goodbye.
    pub(super) fn serve(&mut self, file: &File, most: Option<u64>) -> Result<Copied, NetError> {
        let bytes = self.send_all(file, most)?;
        if let Some(tls) = &mut self.tls {
            tls.connection.send_close_notify();
            tls.flush(&self.tcp, &self.pacer.waiter)?;
        }
        self.tcp.shutdown(Shutdown::Write)?;
        Ok(Copied::received(bytes, true))
    }

    fn send_all(&mut self, mut file: &File, most: Option<u64>) -> Result<u64, NetError> {
        let Self {
            tcp,
            tls,
            inbound,
            pacer,
        } = self;
        if inbound.is_some() {
            return Err(NetError::Io(io::ErrorKind::Unsupported.into()));
        }
        let mut left = most.unwrap_or(u64::MAX);
        #[cfg(target_os = "linux")]
        if tls.is_none()
            && !is_near(tcp)
            && let Some(outcome) = super::sendfile::send(tcp, file, left, pacer)
        {
            return outcome;
        }
        let mut buffer = vec![0; CHUNK];
        let mut bytes = 0;
        loop {
            let room = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
            let read = match file.read(&mut buffer[..room]) {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(NetError::Local(error)),
            };
            if read == 0 {
                return Ok(bytes);
            }
            let mut rest = &buffer[..read];
            while !rest.is_empty() {
                pacer.wait()?;
                let piece = &rest[..pacer.piece(rest.len())];
                let sent = match tls {
                    None => pacer.waiter.write(tcp, || (&*tcp).write(piece))?,
                    Some(tls) => {
                        tls.send(tcp, piece, &pacer.waiter)?;
                        piece.len()
                    }
                };
                pacer.moved(sent);
                rest = &rest[sent..];
            }
            bytes += read as u64;
            left -= read as u64;
        }
    }
}

/// After the last byte out: close_notify and FIN, then everything that the peer still sends, for at most
/// [`GOODBYE`]. Session tickets come this way.
fn goodbye(
    tcp: &TcpStream,
    mut tls: Option<&mut Tls>,
    waiter: &Waiter,
) -> Result<(bool, u64), NetError> {
    if let Some(tls) = &mut tls {
        tls.connection.send_close_notify();
        tls.flush(tcp, waiter)?;
    }
    tcp.shutdown(Shutdown::Write)?;
    let end = Instant::now() + GOODBYE;
    let mut clean = tls.is_none();
    let mut unasked = 0;
    let mut scratch = vec![0; 16 * 1024];
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let read = match waiter.read_within(tcp, left, || (&*tcp).read(&mut scratch)) {
            Ok(read @ 1..) => read,
            Err(NetError::Cancelled) => return Err(NetError::Cancelled),
            Ok(0) | Err(_) => return Ok((clean, unasked)),
        };
        let Some(tls) = &mut tls else {
            unasked += read as u64;
            continue;
        };
        let mut rest = &scratch[..read];
        while !rest.is_empty() && matches!(tls.connection.read_tls(&mut rest), Ok(1..)) {
            let Ok(state) = tls.connection.process_new_packets() else {
                return Ok((clean, unasked));
            };
            clean |= state.peer_has_closed();
            let waste = state.plaintext_bytes_to_read() as u64;
            unasked += waste;
            io::copy(&mut tls.connection.reader().take(waste), &mut io::sink())?;
        }
    }
}

/// Whether the peer is on this machine. There sendfile spares us a copy, and costs the peer more than that: it takes the
/// file page by page (curl, on loopback: 0.7 s of its processor for a GiB in place of 0.4 s; ours falls from 0.35 s to 0.15 s).
#[cfg(target_os = "linux")]
fn is_near(tcp: &TcpStream) -> bool {
    match (tcp.peer_addr(), tcp.local_addr()) {
        (Ok(peer), Ok(own)) => peer.ip().to_canonical().is_loopback() || peer.ip() == own.ip(),
        _ => false,
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
    tcp: &TcpStream,
    file: &mut Target,
    pacer: &mut Pacer,
) -> Result<Copied, NetError> {
    #[cfg(target_os = "linux")]
    if let Some(outcome) = super::splice::receive(tcp, file, pacer) {
        return outcome;
    }
    let mut buffer = vec![0; CHUNK];
    let mut bytes = 0;
    loop {
        pacer.wait()?;
        let room = pacer.claim(CHUNK);
        if room == 0 {
            return Ok(Copied::received(bytes, true));
        }
        let read = pacer.read(tcp, room, |piece| (&*tcp).read(&mut buffer[..piece]))?;
        if read == 0 {
            return Ok(Copied::received(bytes, true));
        }
        file.write_all(&buffer[..read]).map_err(NetError::Local)?;
        bytes += read as u64;
        pacer.moved(read);
    }
}

impl Tls {
    fn receive(
        &mut self,
        tcp: &TcpStream,
        file: &mut Target,
        pacer: &mut Pacer,
    ) -> Result<Copied, NetError> {
        let mut plain = vec![0; CHUNK];
        let mut filled = 0;
        let mut bytes = 0;
        let mut put = |data: &[u8], pacer: &mut Pacer| {
            let room = pacer.claim(data.len());
            bytes += room as u64;
            pacer.put(&data[..room], file)
        };
        let clean = 'copy: loop {
            if pacer.is_at_bound() {
                filled = 0;
                break true;
            }
            // What is already decrypted goes first: rustls takes no more while it holds much.
            loop {
                if filled == plain.len() {
                    put(&plain, pacer)?;
                    filled = 0;
                }
                match self.connection.reader().read(&mut plain[filled..]) {
                    Ok(0) => break 'copy true,
                    Ok(read) => filled += read,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(NetError::Io(error)),
                }
            }
            if self.taken == self.ahead.len() {
                self.ahead.resize(CHUNK, 0);
                self.taken = CHUNK;
                let limited = pacer.piece(CHUNK) < CHUNK;
                if limited {
                    // The file gets at once what there is, and the socket holds the rest back.
                    put(&plain[..filled], pacer)?;
                    filled = 0;
                }
                let read =
                    pacer.read(tcp, CHUNK, |piece| (&*tcp).read(&mut self.ahead[..piece]))?;
                self.ahead.truncate(read);
                self.taken = 0;
                if read == 0 {
                    break false;
                }
            }
            let mut rest = &self.ahead[self.taken..];
            let before = rest.len();
            self.connection.read_tls(&mut rest)?;
            self.taken += before - rest.len();
            self.connection
                .process_new_packets()
                .map_err(|error| NetError::from_handshake(io::Error::other(error)))?;
        };
        put(&plain[..filled], pacer)?;
        Ok(Copied::received(bytes, clean))
    }

    fn send(&mut self, tcp: &TcpStream, mut data: &[u8], waiter: &Waiter) -> Result<(), NetError> {
        while !data.is_empty() {
            let piece = &data[..data.len().min(SEALED)];
            let taken = self.connection.writer().write(piece)?;
            data = &data[taken..];
            self.flush(tcp, waiter)?;
        }
        Ok(())
    }

    fn flush(&mut self, tcp: &TcpStream, waiter: &Waiter) -> Result<(), NetError> {
        while self.connection.wants_write() {
            waiter.write(tcp, || self.connection.write_tls(&mut &*tcp))?;
        }
        Ok(())
    }
}
