use std::{
    cell::Cell,
    io::{self, PipeReader, PipeWriter},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::{NetError, Waited};

/// How long an eager thread looks for the peer's next step before it sleeps. To sleep and be woken takes about as long,
/// and the peer pays for the waking too.
const LOOK: Duration = Duration::from_micros(30);

/// Waits for a socket on behalf of a thread, no longer than the idle limit, and no longer than its owner lives.
pub(super) struct Waiter {
    idle: Duration,
    gone: Arc<AtomicBool>,
    /// Becomes readable when the owner is gone.
    signal: PipeReader,
    eager: Cell<bool>,
}

/// The owner's end: dropping it ends the thread.
pub(super) struct Cancel {
    gone: Arc<AtomicBool>,
    _signal: PipeWriter,
}

impl Drop for Cancel {
    fn drop(&mut self) {
        // The writer's end is closed right after this, and wakes the thread.
        self.gone.store(true, Ordering::Relaxed);
    }
}

pub(super) fn pair(idle: Duration) -> io::Result<(Waiter, Cancel)> {
    let (signal, writer) = io::pipe()?;
    let gone = Arc::new(AtomicBool::new(false));
    let waiter = Waiter {
        idle,
        gone: gone.clone(),
        signal,
        eager: Cell::new(false),
    };
    let cancel = Cancel {
        gone,
        _signal: writer,
    };
    Ok((waiter, cancel))
}

impl Waiter {
    /// An error once the owner is gone.
    pub(super) fn check(&self) -> Result<(), NetError> {
        if self.gone.load(Ordering::Relaxed) {
            return Err(NetError::Cancelled);
        }
        Ok(())
    }

    /// Whether the peer is so fast that a wait is over sooner than a thread has fallen asleep.
    pub(super) fn set_eager(&self, eager: bool) {
        self.eager.set(eager);
    }

    /// Waits, unless the owner goes meanwhile.
    pub(super) fn sleep(&self, time: Duration) -> Result<(), NetError> {
        let timeout = Timespec::try_from(time).ok();
        let mut watched = [PollFd::new(&self.signal, PollFlags::empty())];
        match poll(&mut watched, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => self.check(),
            Err(error) => Err(NetError::Io(error.into())),
        }
    }

    /// Reads with `attempt` as often as it takes until something comes.
    pub(super) fn read<T>(
        &self,
        tcp: &TcpStream,
        attempt: impl FnMut() -> io::Result<T>,
    ) -> Result<T, NetError> {
        self.run(tcp, PollFlags::IN, self.idle, attempt)
    }

    /// The same with another limit than the idle one.
    pub(super) fn read_within<T>(
        &self,
        tcp: &TcpStream,
        limit: Duration,
        attempt: impl FnMut() -> io::Result<T>,
    ) -> Result<T, NetError> {
        self.run(tcp, PollFlags::IN, limit, attempt)
    }

    /// Writes with `attempt` as often as it takes until something goes out.
    pub(super) fn write<T>(
        &self,
        tcp: &TcpStream,
        attempt: impl FnMut() -> io::Result<T>,
    ) -> Result<T, NetError> {
        self.run(tcp, PollFlags::OUT, self.idle, attempt)
    }

    fn run<T>(
        &self,
        tcp: &TcpStream,
        what: PollFlags,
        limit: Duration,
        mut attempt: impl FnMut() -> io::Result<T>,
    ) -> Result<T, NetError> {
        loop {
            self.check()?;
            match attempt() {
                Ok(done) => return Ok(done),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.wait(tcp, what, limit)?;
                }
                Err(error) => return Err(NetError::Io(error)),
            }
        }
    }

    fn wait(&self, tcp: &TcpStream, what: PollFlags, limit: Duration) -> Result<(), NetError> {
        let timeout = Timespec::try_from(limit).ok();
        let mut watched = [
            PollFd::new(tcp, what),
            // A closed writer shows as HUP, whatever is asked for.
            PollFd::new(&self.signal, PollFlags::empty()),
        ];
        // Room to write comes in large pieces, for which sleeping is no loss.
        if self.eager.get() && what == PollFlags::IN {
            let until = Instant::now() + LOOK;
            while Instant::now() < until {
                if matches!(poll(&mut watched, Some(&Timespec::default())), Ok(1..)) {
                    return self.check();
                }
            }
        }
        match poll(&mut watched, timeout.as_ref()) {
            Ok(0) => Err(NetError::Timeout {
                what: Waited::Data,
                limit,
            }),
            Ok(_) => self.check(),
            Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(NetError::Io(error.into())),
        }
    }
}
