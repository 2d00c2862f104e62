use std::{
    fs::File,
    io::{self, Write},
    net::TcpStream,
    time::Instant,
};

use super::{Progress, waiter::Waiter};
use crate::{LOOK_AGAIN, NetError, Pace, Throttles};

/// What a thread that copies goes by: the peer's pace, the limits', and the wish of its owner.
pub(super) struct Pacer {
    pub(super) waiter: Waiter,
    progress: Progress,
    pace: Pace,
}

impl Pacer {
    pub(super) fn new(waiter: Waiter, progress: Progress, throttles: Throttles) -> Self {
        Self {
            waiter,
            progress,
            pace: Pace::new(throttles),
        }
    }

    /// Waits until the limits let more pass.
    pub(super) fn wait(&mut self) -> Result<(), NetError> {
        while let Some(left) = self.pace.wait(Instant::now()) {
            self.waiter.sleep(left.min(LOOK_AGAIN))?;
        }
        Ok(())
    }

    /// How much may be moved at once, see [`Pace::piece`].
    pub(super) fn piece(&mut self, most: usize) -> usize {
        self.pace.piece(most)
    }

    /// Reads a piece as soon as one comes. How large it may be is asked for at that moment: the limits may change
    /// while nothing comes.
    pub(super) fn read<T>(
        &mut self,
        tcp: &TcpStream,
        most: usize,
        mut attempt: impl FnMut(usize) -> io::Result<T>,
    ) -> Result<T, NetError> {
        let pace = &mut self.pace;
        self.waiter.read(tcp, || attempt(pace.piece(most)))
    }

    /// Writes all of it to the file, as the limits allow.
    pub(super) fn put(&mut self, mut data: &[u8], mut file: &File) -> Result<(), NetError> {
        while !data.is_empty() {
            self.wait()?;
            let (piece, rest) = data.split_at(self.piece(data.len()));
            file.write_all(piece).map_err(NetError::Local)?;
            self.moved(piece.len());
            data = rest;
        }
        Ok(())
    }

    /// Bytes of the file that have moved.
    pub(super) fn moved(&mut self, bytes: usize) {
        self.pace.moved(Instant::now(), bytes as u64);
        self.progress.add(bytes as u64);
    }
}
