//! The wish to stop.

use tokio::sync::watch;

/// How a program ends that a second signal ended: 128 and the number of SIGINT, as shells have it.
const INTERRUPTED: i32 = 130;

/// Whether somebody wants us to stop: Ctrl+C, or on Unix SIGTERM. From when this is made, the first signal is a wish; the
/// second ends the program at once, whatever it is doing. Clones see the same.
#[derive(Clone)]
pub(crate) struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Begins to listen. Where signals can't be watched, the system's own way of ending us stays in force.
    pub(crate) fn watch() -> Self {
        let (sender, receiver) = watch::channel(false);
        if let Ok(mut signals) = Signals::new() {
            tokio::spawn(async move {
                signals.next().await;
                sender.send_replace(true);
                signals.next().await;
                std::process::exit(INTERRUPTED);
            });
        }
        Self(receiver)
    }

    /// Returns once the wish has come; at once if it has come before.
    pub(crate) async fn wished(&mut self) {
        if self.0.wait_for(|wished| *wished).await.is_err() {
            // Nobody listens, so it never comes.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(windows)]
struct Signals(tokio::signal::windows::CtrlC);

#[cfg(windows)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        tokio::signal::windows::ctrl_c().map(Self)
    }

    async fn next(&mut self) {
        self.0.recv().await;
    }
}
