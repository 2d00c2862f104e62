//! A session while a transfer runs: the transfer moves, and what the client says meanwhile is heard.

use std::sync::Arc;

use ftp_net::copy::Progress;
use ftp_proto::{Command, Reply};
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use super::transfer::{self, Failure, Lane, Transfer};
use super::{LINGERING, QUEUE_BYTES, Queued, Session};
use crate::event::{Direction, EndReason, EventKind, TransferOutcome};
use crate::verbs;

impl Session {
    /// Runs a transfer and looks at what the client says meanwhile.
    pub(super) async fn transfer(
        &mut self,
        opening: &Reply,
        transfer: Transfer,
    ) -> Result<(), EndReason> {
        if self.has_abor() {
            // The ABOR behind it has been read already: it is meant, too.
            let aborted = verbs::reply(426, "Transfer aborted.");
            let profile = self.config().profile;
            let reply = profile.last_word(self, aborted, &TransferOutcome::Aborted);
            return self.send(&reply).await;
        }
        self.send(opening).await?;
        let path = transfer.path.clone();
        let direction = transfer.body.direction();
        self.tell(EventKind::TransferStarted {
            path: path.clone(),
            direction,
        });
        let progress = Progress::default();
        self.live.transfer_started(
            path.clone(),
            direction,
            progress.clone(),
            transfer.body.total(),
        );
        let cancel = CancellationToken::new();
        let what = match direction {
            Direction::Download => "Sending a file",
            Direction::Upload => "Receiving a file",
            Direction::Listing => "Sending a listing",
        };
        let status = || format!("{what}: {} bytes so far.", progress.bytes());
        let mut end = None;
        let result = {
            let lane = Lane {
                throttles: self.throttles(direction),
                copies: Arc::clone(&self.shared.copies),
            };
            let work = transfer.run(progress.clone(), cancel.clone(), lane);
            tokio::pin!(work);
            loop {
                let open = end.is_none() && !cancel.is_cancelled();
                let room = self.has_room();
                let stop = self.live.stop.clone();
                tokio::select! {
                    biased;
                    result = &mut work => break result,
                    () = stop.cancelled(), if open => {
                        end = Some(self.stopped().0);
                        cancel.cancel();
                    }
                    line = self.control.line(), if open && room => match line {
                        Ok(line) => {
                            if let Err(reason) = self.overhear(&line, &cancel, status).await {
                                end = Some(reason);
                                cancel.cancel();
                            }
                        }
                        Err(error) => {
                            end = Some(self.lost(error).await);
                            cancel.cancel();
                        }
                    }
                }
            }
        };
        let bytes = progress.bytes();
        let stalled = matches!(result, Err(Failure::Stalled));
        let (reply, outcome) = match result {
            Ok(stream) => {
                if let Some(stream) = stream {
                    while self.lingering.try_join_next().is_some() {}
                    if self.lingering.len() < LINGERING {
                        self.lingering.spawn(transfer::linger(stream));
                    }
                }
                (
                    verbs::reply(226, "Transfer complete."),
                    TransferOutcome::Complete,
                )
            }
            Err(failure) => {
                let (code, text) = failure.reply();
                let outcome = match failure {
                    Failure::Aborted => TransferOutcome::Aborted,
                    _ => TransferOutcome::Failed(text.clone()),
                };
                (verbs::reply(code, &text), outcome)
            }
        };
        let profile = self.config().profile;
        let reply = match stalled && !profile.says_why() {
            true => None,
            false => Some(profile.last_word(self, reply, &outcome)),
        };
        self.shared.registry.transfer_ended(&self.live, &outcome);
        self.tell(EventKind::TransferEnded {
            path,
            direction,
            bytes,
            outcome,
        });
        match (end, reply) {
            (None, Some(reply)) => self.send(&reply).await,
            // Whom nothing is said to has no session any more.
            (None, None) => Err(EndReason::Gone),
            (Some(EndReason::Stopped | EndReason::Kicked), reply) => {
                let (reason, text) = self.stopped();
                if let Some(reply) = reply.filter(|_| profile.says_why()) {
                    self.send(&reply).await?;
                }
                self.farewell(text).await;
                Err(reason)
            }
            (Some(reason), _) => Err(reason),
        }
    }

    /// Does something that takes a while, as a transfer does, but without a data connection.
    pub(super) async fn work(
        &mut self,
        mut work: BoxFuture<'static, Reply>,
    ) -> Result<(), EndReason> {
        let cancel = CancellationToken::new();
        let stop = self.live.stop.clone();
        let reply = loop {
            if cancel.is_cancelled() || self.has_abor() {
                break verbs::reply(451, "Given up.");
            }
            let room = self.has_room();
            tokio::select! {
                biased;
                reply = &mut work => break reply,
                () = stop.cancelled() => {
                    let (reason, text) = self.stopped();
                    self.send(&verbs::reply(421, text)).await?;
                    return Err(reason);
                }
                line = self.control.line(), if room => match line {
                    Ok(line) => self.overhear(&line, &cancel, || "Working.".to_owned()).await?,
                    Err(error) => return Err(self.lost(error).await),
                }
            }
        };
        self.send(&reply).await
    }

    /// Whether one more command may wait. Behind QUIT nothing counts.
    fn has_room(&self) -> bool {
        let quitting = || {
            let mut waiting = self.queue.iter();
            waiting.any(|q| matches!(q.command, Ok(Command::Quit)))
        };
        self.queue.len() < self.config().limits.queued_commands
            && self.queued_bytes < QUEUE_BYTES
            && !quitting()
    }

    fn has_abor(&self) -> bool {
        let mut waiting = self.queue.iter();
        waiting.any(|q| matches!(q.command, Ok(Command::Abor)))
    }

    /// A line that came during a transfer: kept for its turn, and for ABOR and STAT also obeyed at once.
    async fn overhear(
        &mut self,
        line: &[u8],
        cancel: &CancellationToken,
        status: impl Fn() -> String,
    ) -> Result<(), EndReason> {
        let command = self.read(line);
        match &command {
            Ok(Command::Abor) => cancel.cancel(),
            // RFC 959 section 4.1.3: the status of the operation in progress. Behind other commands it waits for its turn, or
            // its reply would be taken for theirs.
            Ok(Command::Stat(None)) if self.queue.is_empty() => {
                let text = status();
                return self.send(&verbs::reply(211, &text)).await;
            }
            _ => {}
        }
        self.queued_bytes += line.len();
        self.queue.push_back(Queued {
            command,
            bytes: line.len(),
        });
        Ok(())
    }
}
