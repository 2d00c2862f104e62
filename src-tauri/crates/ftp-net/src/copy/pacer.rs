use std::{
    io,
    net::TcpStream,
    time::{Duration, Instant},
};

use super::{Bound, CopyOptions, Progress, target::Target, waiter::Waiter};
use crate::{LOOK_AGAIN, NetError, Pace};

/// From this rate on a thread waits awake, in bytes a second: more than a gigabit network brings, so that it is only where
/// memory and processor are what limits, and not through a long transfer from afar.
const FAST: f64 = 150e6;

/// How long the rate is looked at before it is judged.
const WINDOW: Duration = Duration::from_millis(10);

/// What a thread that copies goes by: the peer's pace, the limits', and the wish of its owner.
pub(super) struct Pacer {
    pub(super) waiter: Waiter,
    progress: Progress,
    pace: Pace,
    bound: Bound,
    /// When the present window began, and the bytes moved in it.
    window: (Instant, u64),
}

impl Pacer {
    pub(super) fn new(waiter: Waiter, options: CopyOptions) -> Self {
        Self {
            waiter,
            progress: options.progress,
            pace: Pace::new(options.throttles),
            bound: options.bound,
            window: (Instant::now(), 0),
        }
    }

    /// How much of this may be written to the file; that much is to be written before it is asked again.
    pub(super) fn claim(&self, most: usize) -> usize {
        self.bound.claim(most)
    }

    /// Nothing more is to be written.
    pub(super) fn is_at_bound(&self) -> bool {
        self.bound.is_reached()
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
    pub(super) fn put(&mut self, mut data: &[u8], file: &mut Target) -> Result<(), NetError> {
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
        let now = Instant::now();
        self.pace.moved(now, bytes as u64);
        self.window.1 += bytes as u64;
        let passed = now.saturating_duration_since(self.window.0);
        if passed >= WINDOW {
            let rate = self.window.1 as f64 / passed.as_secs_f64();
            self.waiter.set_eager(rate >= FAST);
            self.window = (now, 0);
        }
        self.progress.add(bytes as u64);
        self.bound.add(bytes as u64);
    }
}
