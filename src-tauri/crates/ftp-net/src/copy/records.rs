use std::{
    io::{self, IoSlice, Read, Write},
    net::TcpStream,
    ops::Range,
};

use super::{CHUNK, Copied, pacer::Pacer, target::Target};
use crate::{
    NetError,
    tls::{Receiving, Records, record_len},
};

/// How many pieces are written to the file in one call; records are usually of 16 KiB.
const SLICES: usize = 64;

/// Leaves so many bytes of the pieces.
fn shorten(pieces: &mut Vec<Range<usize>>, mut left: usize) {
    pieces.retain_mut(|piece| {
        piece.end = piece.start + piece.len().min(left);
        left -= piece.len();
        piece.start < piece.end
    });
}

/// A TLS connection on which we only receive, in the hands of one thread.
pub(super) struct Inbound {
    records: Records,
    buffer: Vec<u8>,
    at: usize,
    plain: Range<usize>,
}

impl Inbound {
    pub(super) fn new(receiving: Receiving) -> (tokio::net::TcpStream, Self) {
        let Receiving {
            tcp,
            records,
            buffer,
            at,
            plain,
            ..
        } = receiving;
        let inbound = Self {
            records,
            buffer,
            at,
            plain,
        };
        (tcp, inbound)
    }

    /// Everything into the file: each record is decrypted where it was read to, and written from there.
    pub(super) fn receive(
        &mut self,
        tcp: &TcpStream,
        file: &mut Target,
        pacer: &mut Pacer,
    ) -> Result<Copied, NetError> {
        let mut bytes = 0;
        let mut pieces = Vec::with_capacity(SLICES);
        pieces.extend((!self.plain.is_empty()).then(|| self.plain.clone()));
        let mut filled = self.buffer.len();
        self.buffer.resize(filled.max(CHUNK), 0);
        let clean = loop {
            while let Some(data) = self.open_next(filled)? {
                pieces.extend((!data.is_empty()).then_some(data));
                if pieces.len() == SLICES || self.records.closed {
                    bytes += self.put(&mut pieces, file, pacer)?;
                }
                if self.records.closed {
                    break;
                }
            }
            bytes += self.put(&mut pieces, file, pacer)?;
            if self.records.closed || pacer.is_at_bound() {
                break true;
            }
            self.flush(tcp, pacer)?;
            // The beginning of a record that is not all here, to the front.
            self.buffer.copy_within(self.at..filled, 0);
            filled -= self.at;
            self.at = 0;
            let rest = &mut self.buffer[filled..];
            let room = rest.len();
            let read = pacer.read(tcp, room, |piece| (&*tcp).read(&mut rest[..piece]))?;
            if read == 0 {
                break false;
            }
            filled += read;
        };
        Ok(Copied::received(bytes, clean))
    }

    fn open_next(&mut self, filled: usize) -> Result<Option<Range<usize>>, NetError> {
        let rest = &mut self.buffer[self.at..filled];
        let Some(len) = record_len(rest)?.filter(|len| *len <= rest.len()) else {
            return Ok(None);
        };
        let data = self.records.open(&mut rest[..len])?;
        let begin = self.at;
        self.at += len;
        Ok(Some(begin + data.start..begin + data.end))
    }

    /// Writes the pieces of the buffer to the file, as the limits allow. Returns how many bytes they were.
    fn put(
        &self,
        pieces: &mut Vec<Range<usize>>,
        file: &mut Target,
        pacer: &mut Pacer,
    ) -> Result<u64, NetError> {
        let total = pacer.claim(pieces.iter().map(Range::len).sum());
        shorten(pieces, total);
        let mut left = total;
        if left > 0 && pacer.piece(left) == left {
            let mut slices: Vec<IoSlice<'_>> = pieces
                .iter()
                .map(|piece| IoSlice::new(&self.buffer[piece.clone()]))
                .collect();
            let mut slices = &mut slices[..];
            pacer.wait()?;
            while left > 0 {
                match file.write_vectored(slices) {
                    Ok(0) => return Err(NetError::Local(io::ErrorKind::WriteZero.into())),
                    Ok(written) => {
                        left -= written;
                        pacer.moved(written);
                        IoSlice::advance_slices(&mut slices, written);
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(NetError::Local(error)),
                }
            }
        } else {
            for piece in pieces.iter() {
                pacer.put(&self.buffer[piece.clone()], file)?;
            }
        }
        pieces.clear();
        Ok(total as u64)
    }

    fn flush(&mut self, tcp: &TcpStream, pacer: &Pacer) -> Result<(), NetError> {
        let mut rest = &self.records.out[..];
        while !rest.is_empty() {
            let sent = pacer.waiter.write(tcp, || (&*tcp).write(rest))?;
            rest = &rest[sent..];
        }
        self.records.out.clear();
        Ok(())
    }

    /// Says goodbye to a peer that may be gone.
    pub(super) fn say_goodbye(&mut self, tcp: &TcpStream, pacer: &Pacer) {
        if self.records.say_goodbye().is_ok() {
            let _ = self.flush(tcp, pacer);
        }
    }
}
