//! One batch: the commands for several files in one write, and then what comes of them.

use std::{collections::VecDeque, time::Duration};

use bytes::BytesMut;
use ftp_net::{NetError, Pace, Throttles, Waited};
use ftp_proto::Reply;
use futures_util::FutureExt as _;
use tokio::net::TcpListener;

use super::{
    Outcomes,
    conduct::{Conducted, DOING, Watch},
    data::{Activity, Failure},
    item::{Item, Verdict},
    way::{self, Agreed, Secure, Way},
};
use crate::{
    Error, LogKind,
    driver::{Driver, depends_on_cwd, kind::Kind},
};

/// The most files of a batch.
const MOST: usize = 40;
/// The most bytes of its commands: less than the smallest usual segment, so that they arrive as one.
const BYTES: usize = 1400;
/// As long as PORT with its argument gets.
const PORT: usize = "PORT 255,255,255,255,255,255\r\n".len();
/// The most files of the first batch on a server of which nothing is known.
const CAUTIOUS: usize = 2;

/// All files of one call, and what lasts as long as the call.
pub(super) struct Run<'a, T: Item> {
    pub(super) files: &'a [T],
    pub(super) outcomes: &'a Outcomes<T::Outcome>,
    pub(super) pace: Pace,
    pub(super) watch: Watch,
    pub(super) activity: Activity,
}

/// How a batch ended.
pub(super) struct Ended<'a, T: Item> {
    /// How many of its files were begun: all of them, unless there was trouble.
    pub(super) begun: usize,
    /// How many went well.
    pub(super) done: usize,
    /// The files to be moved once more, each by itself. True where success then means that the server was confused.
    pub(super) again: Vec<(usize, bool)>,
    /// Why the connection is out of step.
    pub(super) trouble: Option<Trouble>,
    /// What has arrived, and the connection was out of step before it was done with.
    pub(super) arrived: Vec<(usize, &'a T, T::Outcome)>,
}

/// Why a connection is out of step: what is sent on it next could be answered by anything.
pub(super) enum Trouble {
    /// The server's replies are not those that were asked for.
    Odd(String),
    /// A data connection did not come about.
    Way,
    /// We can't wait for a data connection. Nothing was sent.
    NoListener,
    /// There is no TLS session left to resume.
    NoTicket,
    /// We left a transfer before its end.
    Left,
}

impl<T: Item> Ended<'_, T> {
    /// This file is the last that was begun.
    fn stop(&mut self, trouble: Trouble) {
        self.trouble = Some(trouble);
    }

    /// The replies are not those that were asked for: this file may be anything.
    #[allow(clippy::unnecessary_wraps)] // So that it can be returned.
    fn odd(&mut self, index: usize, why: &str) -> Result<(), Error> {
        self.again.push((index, false));
        self.stop(Trouble::Odd(why.to_owned()));
        Ok(())
    }
}

impl Driver {
    /// How many of these files fit into one batch.
    pub(super) fn room<T: Item>(&self, files: &[T], way: Way) -> usize {
        let most = if self.kind == Kind::Other && !self.learned().proven {
            CAUTIOUS
        } else {
            MOST
        };
        let mut bytes = BytesMut::with_capacity(BYTES);
        let mut used = 0;
        let fits = files.iter().take(most).take_while(|file| {
            bytes.clear();
            let commands = [file.before(), Some(file.command()), file.after()];
            for command in commands.into_iter().flatten() {
                command.encode(&mut bytes);
            }
            used += bytes.len() + if way == Way::Active { PORT } else { 6 };
            used <= BYTES
        });
        fits.count().max(1)
    }

    /// Moves `count` files from `first` on.
    ///
    /// # Errors
    /// Those that end the connection.
    pub(super) async fn batch<'a, T: Item>(
        &mut self,
        run: &mut Run<'a, T>,
        first: usize,
        count: usize,
        way: Way,
    ) -> Result<Ended<'a, T>, Error> {
        self.keep_tickets().await?;
        let mut ended = Ended {
            begun: 0,
            done: 0,
            again: Vec::new(),
            trouble: None,
            arrived: Vec::with_capacity(count),
        };
        let files = &run.files[first..first + count];
        let io = |error| Error::net(DOING, NetError::Io(error));
        let local = self.control.stream()?.local_addr().map_err(io)?.ip();
        let peer = self.control.stream()?.peer_addr().map_err(io)?.ip();
        let secure = self.data_tls().map(|session| Secure {
            session,
            free: self.needs_no_ticket(),
        });
        let waits_for_end = match self.kind {
            Kind::ProFtpd => true,
            Kind::Vsftpd => secure.is_some(),
            _ => false,
        };
        let half = T::COMES && waits_for_end && self.is_far();
        // Only where every file's size is asked for behind it.
        let confirmed = files.iter().all(|file| file.after().is_some());
        let lingers = self.kind == Kind::Vsftpd && secure.is_none() && self.is_far();
        run.activity.set_abrupt(
            cfg!(target_os = "linux")
                && !T::COMES
                && lingers
                && confirmed
                && !self.learned().dislikes_resets,
        );
        let mut listeners = VecDeque::with_capacity(count);
        let mut commands = Vec::with_capacity(4 * count);
        for file in files {
            let (ask, listener) = match self.demand(way, local).await {
                Ok(asked) => asked,
                // There may be no port left. With fewer files there may be enough.
                Err(_) if !commands.is_empty() => break,
                Err(error) => {
                    self.control.log(LogKind::Warning, error.to_string());
                    ended.stop(Trouble::NoListener);
                    return Ok(ended);
                }
            };
            listeners.push_back(listener);
            commands.extend(file.before());
            commands.push(ask);
            commands.push(file.command());
            commands.extend(file.after());
        }
        let far = commands.iter().find(|command| depends_on_cwd(command));
        if let Some(command) = far.or(commands.first()) {
            self.prepare(command).await?;
        }
        self.set_type(b'I').await?;
        self.set_packing(false, None).await?;
        self.forget_rest(files.first().map(Item::command).as_ref())
            .await?;
        self.control.send_all(&commands).await?;
        // As many as there are data connections for.
        let files = &files[..listeners.len()];
        for (offset, file) in files.iter().enumerate() {
            ended.begun += 1;
            let index = first + offset;
            if run.outcomes.is_closed() {
                // What is left of the batch is on its way and wanted by nobody: soon over, at least.
                run.pace = Pace::new(Throttles::default());
            }
            let part = Part {
                index,
                file,
                way,
                half,
                peer,
                secure: secure.as_ref(),
                listener: listeners.pop_front().flatten(),
            };
            self.one(run, part, &mut ended).await?;
            if ended.trouble.is_some() {
                break;
            }
        }
        if ended.trouble.is_none() && self.control.has_unread() {
            self.surplus(&mut ended)?;
        }
        if ended.trouble.is_none() {
            let arrived = std::mem::take(&mut ended.arrived);
            T::further(self, arrived, run.outcomes).await?;
        }
        Ok(ended)
    }

    /// A reply too many belongs to nothing that was asked.
    fn surplus<T: Item>(&mut self, ended: &mut Ended<'_, T>) -> Result<(), Error> {
        if let Some(reply) = self.control.next_reply(DOING).now_or_never() {
            ended.stop(Trouble::Odd(format!("{} too many", reply?.code)));
        }
        Ok(())
    }

    /// One file of a batch.
    async fn one<'a, T: Item>(
        &mut self,
        run: &mut Run<'a, T>,
        part: Part<'a, '_, T>,
        ended: &mut Ended<'a, T>,
    ) -> Result<(), Error> {
        let Part { index, file, .. } = part;
        let mut before = None;
        if file.before().is_some() {
            match self.fact(run, ended, index).await? {
                Some(reply) => before = Some(reply),
                None => return Ok(()),
            }
        }
        let Some(reply) = run.watch.reply(&mut self.control, &run.activity).await? else {
            return ended.odd(index, "no reply to the demand for a data connection");
        };
        let Some(agreed) = self.agreed(part.way, &reply, part.listener, part.peer) else {
            let why = format!("{} for a data connection", reply.code);
            return ended.odd(index, &why);
        };
        let nothing = matches!(agreed, Agreed::Nothing);
        run.activity.next();
        let dialer = self.dialer();
        let (activity, pace) = (&run.activity, &mut run.pace);
        let data = async {
            let stream = way::open(agreed, &dialer, part.secure, part.half, activity).await?;
            file.moves(stream, activity, pace).await
        };
        let control = &mut self.control;
        let unwanted = run.outcomes.closed();
        let conducted = run
            .watch
            .conduct(control, activity, data, unwanted, true)
            .await?;
        let verdict = match conducted {
            Conducted::Done(moved) => Ok(moved),
            Conducted::NoData(_) => T::nothing().ok_or(Verdict::Again { odd: true }),
            Conducted::Odd(reply) => {
                let why = format!("{} in the middle of a transfer", reply.code);
                return ended.odd(index, &why);
            }
            // Then it was not the reader of RFC 5961 that it seemed to be.
            Conducted::Refused(reply)
                if run.activity.is_abrupt() && matches!(reply.code.value(), 426 | 451) =>
            {
                self.learn(|learned| learned.dislikes_resets = true);
                run.activity.set_abrupt(false);
                Err(Verdict::Again { odd: false })
            }
            Conducted::Refused(reply) => Err(refused(file, reply, nothing, None)),
            Conducted::Broken(failure, reply) => Err(refused(file, reply, nothing, Some(failure))),
            Conducted::GivenUp(failure) => {
                self.given_up(run, ended, (index, file), failure);
                return Ok(());
            }
        };
        let mut after = None;
        if file.after().is_some() {
            match self.fact(run, ended, index).await? {
                Some(reply) => after = Some(reply),
                None => return Ok(()),
            }
        }
        let verdict = match verdict {
            Ok(moved) => file.judge(moved, before, after),
            Err(verdict) => verdict,
        };
        match verdict {
            Verdict::Done(outcome) => {
                ended.done += 1;
                let _ = run.outcomes.send((index, Ok(outcome)));
            }
            Verdict::Further(outcome) => {
                ended.done += 1;
                ended.arrived.push((index, file, outcome));
            }
            Verdict::Failed(error) => drop(run.outcomes.send((index, Err(error)))),
            Verdict::Again { odd } => ended.again.push((index, odd)),
        }
        Ok(())
    }

    /// The reply to MDTM or SIZE, `None` where it can't be that.
    async fn fact<T: Item>(
        &mut self,
        run: &mut Run<'_, T>,
        ended: &mut Ended<'_, T>,
        index: usize,
    ) -> Result<Option<Reply>, Error> {
        let why = match run.watch.reply(&mut self.control, &run.activity).await? {
            Some(reply)
                if reply.code.value() == 213
                    || reply.code.is_transient()
                    || reply.code.is_permanent() =>
            {
                return Ok(Some(reply));
            }
            Some(reply) => format!("{} for a fact of a file", reply.code),
            None => "no reply to the question for a fact".to_owned(),
        };
        ended.odd(index, &why)?;
        Ok(None)
    }

    /// We left a transfer, and the server does not know yet.
    fn given_up<'a, T: Item>(
        &self,
        run: &Run<'a, T>,
        ended: &mut Ended<'a, T>,
        (index, file): (usize, &T),
        failure: Failure,
    ) {
        let trouble = match &failure {
            Failure::NoTicket => Trouble::NoTicket,
            Failure::Net(NetError::Timeout {
                what: Waited::Reply,
                ..
            }) => Trouble::Odd("no reply to a transfer".to_owned()),
            failure if way::is_of_the_way(failure) => Trouble::Way,
            _ => Trouble::Left,
        };
        match failure {
            // By itself it would be the same.
            Failure::TooLong(_) | Failure::Net(NetError::Certificate(_)) => {
                let error = failure.explain(file.command().redacted());
                let _ = run.outcomes.send((index, Err(error)));
            }
            failure => {
                let error = failure.explain(file.command().redacted());
                self.control.log(LogKind::Warning, error.to_string());
                ended.again.push((index, false));
            }
        }
        ended.stop(trouble);
    }

    /// The tickets of TLS 1.3 may have run out.
    async fn keep_tickets(&mut self) -> Result<(), Error> {
        if self.out_of_tickets() {
            self.downgrade().await?;
        }
        Ok(())
    }

    /// A new connection in place of one that is out of step.
    pub(in crate::driver) async fn reconnect(&mut self) -> Result<(), Error> {
        self.control.log(
            LogKind::Info,
            "out of step with the server; connecting again",
        );
        let closing = self.control.close();
        let _ = tokio::time::timeout(Duration::from_millis(200), closing).await;
        let outcome = self.connect_again().await;
        outcome.map_err(|error| self.control.kill(error))
    }
}

/// What one file of a batch is moved with.
struct Part<'a, 's, T> {
    index: usize,
    file: &'a T,
    way: Way,
    /// Our end is said as soon as there is a connection.
    half: bool,
    peer: std::net::IpAddr,
    secure: Option<&'s Secure>,
    listener: Option<TcpListener>,
}

/// A transfer failed, with the server in step. Some refusals are of the moment, and some come from confusion.
fn refused<T: Item>(
    file: &T,
    reply: Reply,
    nothing: bool,
    failure: Option<Failure>,
) -> Verdict<T::Outcome> {
    let doing = file.command().redacted();
    if reply.code.is_completion() {
        return Verdict::Again { odd: false };
    }
    match reply.code.value() {
        425 | 426 | 450 | 500..=504 | 522 => Verdict::Again { odd: true },
        _ if nothing => Verdict::Again { odd: true },
        _ => Verdict::Failed(match failure {
            Some(failure) => failure.explain_with(doing, reply),
            None => Error::refused(doing, reply),
        }),
    }
}
