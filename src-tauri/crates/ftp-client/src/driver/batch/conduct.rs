//! A transfer whose data and whose replies come side by side, in whatever order.

use std::{pin::Pin, time::Duration};

use ftp_net::{NetError, Timeouts, Waited};
use ftp_proto::Reply;
use tokio::time::{Instant, Sleep};

use super::data::{Activity, Failure};
use crate::{Error, control::Control};

/// What errors that are of no single file speak of.
pub(super) const DOING: &str = "moving many files";

/// How a transfer went.
pub(super) enum Conducted<T> {
    /// The data has moved, and the server says so too.
    Done(T),
    /// The server says no.
    Refused(Reply),
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
    timeouts: Timeouts,
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

    /// Moves the data and reads the replies of one transfer, until both are done. `begun`: the 1xx was there already.
    ///
    /// # Errors
    /// Those that end the connection.
    pub(super) async fn conduct<T>(
        &mut self,
        control: &mut Control,
        activity: &Activity,
        data: impl Future<Output = Result<T, Failure>>,
        mut begun: bool,
    ) -> Result<Conducted<T>, Error> {
        tokio::pin!(data);
        let mut moved: Option<Result<T, Failure>> = None;
        let mut last_word: Option<Reply> = None;
        self.last = Instant::now();
        loop {
            let limit = match (&moved, &last_word) {
                (None, None) if begun => self.timeouts.idle,
                (None, Some(_)) => self.timeouts.idle,
                _ => self.timeouts.reply,
            };
            tokio::select! {
                biased;
                reply = control.next_reply(DOING), if last_word.is_none() => {
                    let reply = reply?;
                    if reply.code.is_preliminary() {
                        begun = true;
                    } else if !reply.code.is_completion() {
                        return Ok(match moved {
                            Some(Err(failure)) => Conducted::Broken(failure, reply),
                            _ => Conducted::Refused(reply),
                        });
                    } else if !begun {
                        return Ok(Conducted::NoData(reply));
                    } else {
                        last_word = Some(reply);
                    }
                }
                outcome = &mut data, if moved.is_none() => match outcome {
                    Err(failure) if !failure.is_break() => {
                        return Ok(match last_word {
                            Some(reply) => Conducted::Broken(failure, reply),
                            None => Conducted::GivenUp(failure),
                        });
                    }
                    outcome => moved = Some(outcome),
                },
                () = self.expired(limit, activity) => {
                    if moved.is_none() && begun {
                        let failure = Failure::Net(NetError::Timeout { what: Waited::Data, limit });
                        return Ok(match last_word {
                            Some(reply) => Conducted::Broken(failure, reply),
                            None => Conducted::GivenUp(failure),
                        });
                    }
                    return Err(control.kill(Error::net(DOING, NetError::Timeout {
                        what: Waited::Reply,
                        limit,
                    })));
                }
            }
            self.last = Instant::now();
            if moved.is_some() && last_word.is_some() {
                break;
            }
        }
        Ok(match (moved, last_word) {
            (Some(Ok(done)), _) => Conducted::Done(done),
            (Some(Err(failure)), Some(reply)) => Conducted::Broken(failure, reply),
            // The loop ends with both there.
            (Some(Err(failure)), None) => Conducted::GivenUp(failure),
            (None, _) => Conducted::GivenUp(Failure::Net(NetError::Cancelled)),
        })
    }
}
