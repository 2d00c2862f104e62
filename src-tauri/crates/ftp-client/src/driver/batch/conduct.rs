//! A transfer whose data and whose replies come side by side, in whatever order.

use std::{pin::Pin, time::Duration};

use ftp_net::{NetError, Timeouts, Waited};
use ftp_proto::Reply;
use tokio::time::{Instant, Sleep};

use super::data::{Activity, Failure};
use crate::{Error, ErrorKind, control::Control};

/// What errors that are of no single file speak of.
pub(super) const DOING: &str = "moving many files";

/// How long a transfer that nobody wants any more may stand still before the connection is closed.
const UNWANTED: Duration = Duration::from_secs(1);

/// How a transfer went.
pub(super) enum Conducted<T> {
    /// The data has moved, and the server says so too.
    Done(T),
    /// The server says no.
    Refused(Reply),
    /// The server says something that can't be of this transfer.
    Odd(Reply),
    /// The server says that it is done, and never said that it would begin.
    NoData(Reply),
    /// The data did not move, and the server has said its word on it.
    Broken(Failure, Reply),
    /// The data did not move, for a reason of ours: the server knows nothing of it yet.
    GivenUp(Failure),
}

/// One clock for many transfers, set only now and then: what moves is looked at when it fires.
pub(super) struct Watch {
    sleep: Pin<Box<Sleep>>,
    pub(super) timeouts: Timeouts,
    /// When something happened for the last time, as far as it is known.
    last: Instant,
    seen: u64,
}

impl Watch {
    pub(super) fn new(timeouts: &Timeouts) -> Self {
        Self {
            sleep: Box::pin(tokio::time::sleep(timeouts.reply)),
            timeouts: *timeouts,
            last: Instant::now(),
            seen: 0,
        }
    }

    /// Returns when nothing has happened for `limit`: since `last`, and on the data connection. Dropping it loses nothing.
    async fn expired(&mut self, limit: Duration, activity: &Activity) {
        if self.sleep.deadline() > self.last + limit {
            self.sleep.as_mut().reset(self.last + limit);
        }
        loop {
            self.sleep.as_mut().await;
            let seen = activity.seen();
            if seen != self.seen {
                self.seen = seen;
                self.last = Instant::now();
            } else if self.last + limit <= Instant::now() {
                return;
            }
            self.sleep.as_mut().reset(self.last + limit);
        }
    }

    /// The next reply, 1xx included; `None` where it doesn't come in time.
    ///
    /// # Errors
    /// Those that end the connection.
    pub(super) async fn reply(
        &mut self,
        control: &mut Control,
        activity: &Activity,
    ) -> Result<Option<Reply>, Error> {
        self.last = Instant::now();
        let limit = self.timeouts.reply;
        tokio::select! {
            biased;
            reply = control.next_reply(DOING) => reply.map(Some),
            () = self.expired(limit, activity) => Ok(None),
        }
    }

    /// Moves the data and reads the replies of one transfer, until both are done. After `unwanted` is done nobody wants it any more: it may
    /// come to its end, but is not waited for long. `strict`: among others, so that the reply to the
    /// next command must not be taken for the end of this one.
    ///
    /// # Errors
    /// Those that end the connection.
    pub(super) async fn conduct<T>(
        &mut self,
        control: &mut Control,
        activity: &Activity,
        data: impl Future<Output = Result<T, Failure>>,
        unwanted: impl Future<Output = ()>,
        strict: bool,
    ) -> Result<Conducted<T>, Error> {
        tokio::pin!(data, unwanted);
        let mut left = false;
        let mut moved: Option<Result<T, Failure>> = None;
        let mut last_word: Option<Reply> = None;
        self.last = Instant::now();
        loop {
            let (limit, what) = match &moved {
                Some(_) => (self.timeouts.reply, Waited::Reply),
                None if activity.is_dialling() => (self.timeouts.connect, Waited::Connect),
                None if activity.has_begun() => (self.timeouts.idle, Waited::Data),
                None => (self.timeouts.reply, Waited::Reply),
            };
            let limit = if left { limit.min(UNWANTED) } else { limit };
            tokio::select! {
                biased;
                reply = control.next_reply(DOING), if last_word.is_none() => {
                    let reply = reply?;
                    let expected = match reply.code.value() {
                        226 | 250 | 400.. => true,
                        100..200 => !activity.has_begun(),
                        _ => false,
                    };
                    if strict && !expected {
                        return Ok(Conducted::Odd(reply));
                    }
                    if reply.code.is_preliminary() {
                        activity.begins();
                    } else if !reply.code.is_completion() {
                        return Ok(match moved {
                            Some(Err(failure)) => Conducted::Broken(failure, reply),
                            _ => Conducted::Refused(reply),
                        });
                    } else if !activity.has_begun() {
                        return Ok(Conducted::NoData(reply));
                    } else {
                        last_word = Some(reply);
                    }
                }
                outcome = &mut data, if moved.is_none() => match outcome {
                    // The server says what it thinks of a broken connection.
                    Err(failure) if !failure.is_break() && last_word.is_none() => {
                        return Ok(Conducted::GivenUp(failure));
                    }
                    outcome => moved = Some(outcome),
                },
                () = &mut unwanted, if !left => left = true,
                () = self.expired(limit, activity) => {
                    if left {
                        return Err(control.kill(Error::new(ErrorKind::Cancelled, DOING)));
                    }
                    let error = NetError::Timeout { what, limit };
                    if moved.is_some() && !strict {
                        return Err(control.kill(Error::net(DOING, error)));
                    }
                    let failure = Failure::Net(error);
                    return Ok(match last_word {
                        Some(reply) => Conducted::Broken(failure, reply),
                        None => Conducted::GivenUp(failure),
                    });
                }
            }
            self.last = Instant::now();
            match (moved, last_word) {
                (Some(Ok(done)), Some(_)) => return Ok(Conducted::Done(done)),
                (Some(Err(failure)), Some(reply)) => return Ok(Conducted::Broken(failure, reply)),
                (still, word) => (moved, last_word) = (still, word),
            }
        }
    }
}
