//! What happens to a session that nobody uses: it is kept alive, and brought back if it was lost all the same.

use ftp_proto::{Argument, Command};
use tokio::time::{Instant, Sleep};

use super::Driver;
use crate::{Error, KeepAlive, LogKind};

/// When the next command that keeps the session alive is due.
pub(super) struct Idle {
    policy: KeepAlive,
    /// How many were sent since somebody asked for something.
    sent: u32,
    timer: Option<std::pin::Pin<Box<Sleep>>>,
}

impl Idle {
    pub(super) fn new(policy: KeepAlive) -> Self {
        let mut idle = Self {
            policy,
            sent: 0,
            timer: None,
        };
        idle.begin();
        idle
    }

    /// Somebody asked for something just now.
    pub(super) fn begin(&mut self) {
        self.sent = 0;
        self.set();
    }

    fn set(&mut self) {
        let Some(wait) = self.policy.next(self.sent) else {
            self.timer = None;
            return;
        };
        let at = Instant::now() + wait;
        match &mut self.timer {
            Some(timer) => timer.as_mut().reset(at),
            None => self.timer = Some(Box::pin(tokio::time::sleep_until(at))),
        }
    }

    /// Returns when a command is due; never where none is.
    pub(super) async fn due(&mut self) {
        match &mut self.timer {
            Some(timer) => timer.as_mut().await,
            None => std::future::pending().await,
        }
    }
}

impl Driver {
    /// One command that changes nothing. What the server answers doesn't matter, as long as it does.
    pub(super) async fn keep_alive(&mut self, idle: &mut Idle) {
        let known = |kind: u8| Argument::try_from(&[kind][..]).ok();
        let command = match (idle.sent % 3, self.type_now.and_then(known)) {
            (1, Some(kind)) => Command::Type(kind),
            (2, _) => Command::Pwd,
            _ => Command::Noop,
        };
        // An error is the end of the connection; whoever asks next is told.
        let _ = self.control.exchange(&command).await;
        idle.sent = idle.sent.saturating_add(1);
        idle.set();
    }

    /// Before a request: the session is there, or there again. One that its owner has left stays closed.
    pub(crate) async fn ready(&mut self) -> Result<(), Error> {
        let Some(error) = self.control.dead().cloned() else {
            return Ok(());
        };
        if self.left || !self.config.reconnect.revives() {
            return Err(error);
        }
        self.control.log(
            LogKind::Info,
            format!("the session was lost ({error}); connecting again"),
        );
        // Where a listing went is of no interest any more.
        self.astray = None;
        let lost = self.config.reconnect.lost;
        let mut last = error;
        let mut number = 0;
        while let Some(wait) = lost.wait(number) {
            tokio::time::sleep(wait).await;
            match self.connect_again().await {
                Ok(()) => {
                    self.shared.revived();
                    return Ok(());
                }
                Err(error) => {
                    self.control.log(LogKind::Warning, error.to_string());
                    let again = error.is_retryable();
                    last = error;
                    if !again {
                        break;
                    }
                }
            }
            number += 1;
        }
        last.mark_fatal();
        Err(last)
    }
}
