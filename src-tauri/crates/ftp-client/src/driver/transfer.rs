use std::{
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::Duration,
};

use ftp_net::{DeflateCounts, Stream, Waited};
use ftp_proto::{Command, RemotePath, Reply};
use tokio::sync::oneshot;

use super::Driver;
use crate::{Error, ErrorKind, LogKind};

/// How long a server may take to notice that we closed a data connection, before it is told by ABOR. Pure-FTPd
/// notices and says nothing.
const NOTICE: Duration = Duration::from_millis(700);

/// The owner's word that a transfer is over.
pub(crate) struct Finish {
    end: End,
    answer: oneshot::Sender<Result<Reply, Error>>,
}

/// The data connection of a transfer that was given up, for as long as the server has not heard of it. There are servers
/// that end the session when a data connection breaks, and not when they hear ABOR first.
#[derive(Clone)]
pub(crate) struct Kept(Arc<Mutex<Option<Stream>>>);

impl Kept {
    /// Keeps it open until the server has heard, or the task is gone.
    pub(crate) fn put(&self, stream: Stream) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(stream);
    }

    fn take(&self) -> Option<Stream> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// How it is over.
enum End {
    /// The data connection is closed in good order, and the reply counts. Where that never comes, the file counts.
    Complete(Option<Whole>),
    /// ABOR.
    Abort,
}

/// What stands at the server where a transfer went well: its size settles that if nobody says so.
pub(crate) struct Whole {
    pub(crate) path: RemotePath,
    /// In bytes, with what was there before the transfer.
    pub(crate) size: u64,
}

/// The owner's end of a running transfer. Dropping it means that the transfer was given up.
pub(crate) struct Finished {
    state: State,
    kept: Option<Kept>,
}

enum State {
    Already(Reply),
    Running {
        finish: oneshot::Sender<Finish>,
        /// Fires when the server has said no while data was still moving.
        refused: oneshot::Receiver<()>,
    },
}

/// The task's end of a running transfer.
pub(super) struct Running {
    doing: String,
    finish: oneshot::Receiver<Finish>,
    refused: oneshot::Sender<()>,
    kept: Option<Kept>,
    /// The server's last word, where it came before the data connection.
    early: Option<Reply>,
    /// What MODE Z saves.
    counts: Option<DeflateCounts>,
}

/// What is known of a transfer's end at its beginning.
pub(super) struct Ending {
    /// Given up, its data connection is closed after ABOR.
    pub(super) keep: bool,
    /// The server's last word, where it came before the data connection.
    pub(super) early: Option<Reply>,
    /// What MODE Z saves.
    pub(super) counts: Option<DeflateCounts>,
}

/// The two ends; with `keep`, the data connection of a transfer that is given up is closed after ABOR.
pub(super) fn pair(doing: String, end: Ending) -> (Finished, Running) {
    let Ending {
        keep,
        early,
        counts,
    } = end;
    let kept = keep.then(|| Kept(Arc::default()));
    let (finish, finish_seen) = oneshot::channel();
    let (refused, refused_seen) = oneshot::channel();
    let finished = Finished {
        state: State::Running {
            finish,
            refused: refused_seen,
        },
        kept: kept.clone(),
    };
    let running = Running {
        doing,
        finish: finish_seen,
        refused,
        kept,
        early,
        counts,
    };
    (finished, running)
}

impl Finished {
    pub(super) const fn already(reply: Reply) -> Self {
        Self {
            state: State::Already(reply),
            kept: None,
        }
    }

    /// Where the data connection goes when the transfer is given up; `None`: it is closed at once.
    pub(crate) fn kept(&self) -> Option<Kept> {
        self.kept.clone()
    }

    /// The data connection is closed: waits for the server's word on the transfer.
    pub(crate) async fn complete(self) -> Result<Reply, Error> {
        self.end(End::Complete(None)).await
    }

    /// The same for a file that has moved as a whole, as far as can be seen from here. If the control connection is lost before the server's
    /// word, another one asks for the file's size.
    pub(crate) async fn complete_as(self, whole: Option<Whole>) -> Result<Reply, Error> {
        self.end(End::Complete(whole)).await
    }

    /// Gives the transfer up by ABOR. The data connection must be closed by then.
    pub(crate) async fn abort(self) -> Result<Reply, Error> {
        self.end(End::Abort).await
    }

    /// Returns when the server has refused the transfer half-way; else never.
    pub(crate) async fn refused(&mut self) {
        if let State::Running { refused, .. } = &mut self.state
            && refused.await.is_ok()
        {
            return;
        }
        std::future::pending().await
    }

    async fn end(self, end: End) -> Result<Reply, Error> {
        let finish = match self.state {
            State::Already(reply) => return Ok(reply),
            State::Running { finish, .. } => finish,
        };
        let (answer, answered) = oneshot::channel();
        let lost = || Error::gone("the transfer");
        finish.send(Finish { end, answer }).map_err(|_| lost())?;
        answered.await.map_err(|_| lost())?
    }
}

/// What was left of a transfer when its owner was done.
struct Ended {
    early: Option<Result<Reply, Error>>,
    kept: Option<Stream>,
    counts: Option<DeflateCounts>,
}

/// True where the control connection ended, or fell silent, without a word on the transfer itself.
fn is_lost(error: &Error) -> bool {
    error.is_fatal()
        && matches!(
            error.kind(),
            ErrorKind::Lost | ErrorKind::Busy | ErrorKind::Timeout(Waited::Reply)
        )
}

impl Driver {
    /// Watches a transfer until its owner is done with it, and leaves the control connection clean: every reply that
    /// belongs to the transfer is read, or the connection is closed.
    pub(super) async fn supervise(&mut self, running: Running) {
        let Running {
            doing,
            mut finish,
            refused,
            kept,
            early,
            counts,
        } = running;
        let mut refused = Some(refused);
        let mut early: Option<Result<Reply, Error>> = early.map(Ok);
        let shared = self.shared.clone();
        let tail = self.config.data_options.tail_noop;
        let mut aborted = false;
        loop {
            // It waits for commands again, while its last bytes are still on their way to our owner.
            let idle = self.control.dead().is_none()
                && matches!(&early, Some(Ok(reply)) if reply.code.is_completion());
            tokio::select! {
                biased;
                word = &mut finish => {
                    let kept = kept.and_then(|kept| kept.take());
                    let end = Ended { early, kept, counts };
                    return self.conclude(word.ok(), end, &doing).await;
                }
                () = shared.abort.notified() => {
                    if shared.aborting.load(Ordering::Acquire) == 0 {
                        continue;
                    }
                    if early.is_some() {
                        // There is nothing to abort any more.
                        shared.aborted.send_modify(|count| *count += 1);
                        continue;
                    }
                    aborted = true;
                    early = Some(self.abort(true).await.and_then(|reply| {
                        Err(match reply.code.is_completion() {
                            true => Error::new(ErrorKind::Cancelled, &*doing),
                            false => Error::with_reply(ErrorKind::Cancelled, &*doing, reply),
                        })
                    }));
                    self.note_end();
                    shared.aborted.send_modify(|count| *count += 1);
                }
                reply = self.control.next_reply(&doing), if early.is_none() => {
                    match reply {
                        Ok(reply) if reply.code.is_preliminary() => {}
                        reply => early = Some(reply),
                    }
                }
                () = tokio::time::sleep(tail.unwrap_or_default()), if idle && tail.is_some() => {
                    // A server that hangs up all the same has nothing to do with the transfer any more.
                    let _ = self.control.exchange(&Command::Noop).await;
                }
            }
            let bad = match &early {
                Some(Ok(reply)) => !reply.code.is_completion(),
                // What is on its way may still arrive: routers forget connections on which nothing is said.
                Some(Err(error)) => aborted || !is_lost(error),
                None => false,
            };
            if bad && let Some(refused) = refused.take() {
                let _ = refused.send(());
            }
        }
    }

    async fn conclude(&mut self, word: Option<Finish>, ended: Ended, doing: &str) {
        let Ended {
            early,
            kept,
            counts,
        } = ended;
        let Some(Finish { end, answer }) = word else {
            match (early, kept) {
                (Some(_), _) => {}
                (None, None) => self.abandon(doing).await,
                (None, Some(stream)) => {
                    self.log_given_up(doing);
                    let _ = self.abort_before(Some(stream)).await;
                }
            }
            return;
        };
        let (complete, whole) = match end {
            End::Complete(whole) => (true, whole),
            End::Abort => (false, None),
        };
        let outcome = match early {
            Some(early) => early,
            None if complete => {
                drop(kept);
                self.control.final_reply(doing).await
            }
            None => self.abort_before(kept).await,
        };
        let outcome = match (outcome, whole) {
            (Err(error), Some(whole)) if is_lost(&error) => self.by_size(whole, error, doing).await,
            (outcome, _) => outcome,
        };
        // Some servers say 226 twice.
        self.control.may_repeat(complete && outcome.is_ok());
        if self.unresumed && matches!(&outcome, Ok(reply) if reply.code.value() == 522) {
            self.learn(|learned| learned.demands_resumption = true);
        }
        self.note_end();
        let done = complete && matches!(&outcome, Ok(reply) if reply.code.is_completion());
        match counts {
            Some(counts) if done => self.note_saving(doing, &counts),
            // What the server says of its disk or of a lost connection would be the same without.
            Some(_) if matches!(&outcome, Ok(reply) if matches!(reply.code.value(), 451 | 500..=504 | 550)) =>
            {
                self.note_refusal(doing);
            }
            _ => {}
        }
        let _ = answer.send(outcome);
    }

    /// The connection was lost before the server's word on a file that has moved: another one asks for its size. That of the
    /// right size is whole.
    async fn by_size(&mut self, whole: Whole, lost: Error, doing: &str) -> Result<Reply, Error> {
        if self.cwd.is_none() && !whole.path.is_absolute() {
            // Nobody knows where that is.
            return Err(lost);
        }
        self.control.log(
            LogKind::Warning,
            format!("{lost}; connecting again to ask what became of the file"),
        );
        if let Err(error) = self.connect_again().await {
            self.control.log(LogKind::Warning, error.to_string());
            return Err(lost);
        }
        let reply = self.ask(&Command::Size(whole.path)).await?;
        match crate::files::size_of(&reply) {
            Some(size) if size == whole.size => {
                self.control.log(
                    LogKind::Info,
                    format!("{doing}: all {size} bytes are there"),
                );
                Ok(reply)
            }
            Some(size) => Err(Error::with_source(
                ErrorKind::Truncated,
                doing,
                format!("{size} bytes are there, and not {}", whole.size),
            )),
            None => Err(Error::with_source(lost.kind().clone(), doing, lost)),
        }
    }

    /// The owner is gone and the data connection with it. Most servers notice and say so; the others get ABOR.
    pub(super) async fn abandon(&mut self, doing: &str) {
        self.log_given_up(doing);
        let noticed = tokio::time::timeout(NOTICE, async {
            loop {
                match self.control.next_reply(doing).await {
                    Ok(reply) if reply.code.is_preliminary() => {}
                    outcome => return outcome,
                }
            }
        });
        if noticed.await.is_err() {
            // Whatever comes of it, the connection is clean or closed afterwards.
            let _ = self.abort(true).await;
        }
    }

    fn log_given_up(&self, doing: &str) {
        self.control
            .log(LogKind::Info, format!("{doing} was given up"));
    }

    /// ABOR for a transfer, and then its data connection is closed: at the first reply, or when there is none. A server may
    /// be too busy with its data to hear us.
    async fn abort_before(&mut self, kept: Option<Stream>) -> Result<Reply, Error> {
        self.control.send(&Command::Abor).await?;
        let mut first = None;
        if let Some(stream) = kept {
            if let Ok(reply) = tokio::time::timeout(NOTICE, self.control.next_reply("ABOR")).await {
                first = Some(reply?);
            }
            drop(stream);
        }
        let first = match first {
            Some(reply) => reply,
            None => self.control.reply("ABOR").await?,
        };
        self.abort_replies(first).await
    }

    /// ABOR, and all replies that it causes (RFC 959 section 5.4): while a transfer runs these are the
    /// transfer's own and ABOR's, but servers are known to leave one of them out. A PWD behind it, sent when the
    /// first reply is here, marks the end: 257 can be nobody else's.
    pub(crate) async fn abort(&mut self, transfer: bool) -> Result<Reply, Error> {
        self.control.send(&Command::Abor).await?;
        let first = self.control.reply("ABOR").await?;
        if !transfer {
            return Ok(first);
        }
        self.abort_replies(first).await
    }

    async fn abort_replies(&mut self, first: Reply) -> Result<Reply, Error> {
        self.control.send(&Command::Pwd).await?;
        let mut last = first.clone();
        for _ in 0..4 {
            let reply = self.control.reply("ABOR").await?;
            if reply.code.value() == 257 {
                // The transfer's own.
                return Ok(first);
            }
            last = reply;
        }
        Err(self.control.kill(Error::with_reply(
            ErrorKind::Protocol,
            "ABOR: the server's replies don't end",
            last,
        )))
    }
}
