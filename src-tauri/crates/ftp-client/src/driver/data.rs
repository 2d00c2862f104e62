//! Data connections: from the wish for one to the stream.

use std::{net::IpAddr, time::Duration};

use ftp_net::{NetError, Stream, Waited, tls::Versions};
use ftp_proto::{Argument, Command, Reply};
use tokio::net::{TcpListener, TcpStream};

use super::{
    Driver,
    kind::Kind,
    transfer::{Ending, Finished},
    ways::{Direction, Failed, Way},
};
use crate::{DataWay, Error, ErrorKind, LogKind, PassiveCommand};

/// From this many bytes on, what a cipher costs is more than what a handshake does.
const BIG: u64 = 4 * 1024 * 1024;
/// How much later than the server's last word its connection may be seen.
const LATE: Duration = Duration::from_millis(500);
/// How long a server whose connection nobody waits for any more may take to say so, before the session is given up.
const NOTICE: Duration = Duration::from_secs(1);

/// A data connection, and how to tell the task that it is done.
pub(crate) struct Opened {
    /// `None` where the server had nothing to send and opened none.
    pub(crate) stream: Option<Stream>,
    pub(crate) finished: Finished,
    /// How many bytes the server says will come.
    pub(crate) announced: Option<u64>,
}

/// What a data connection is opened for.
#[derive(Clone, Copy)]
struct Request<'a> {
    command: &'a Command,
    wish: Wish,
}

/// And how.
#[derive(Clone, Copy)]
struct Wish {
    offset: u64,
    size: Option<u64>,
    /// In MODE Z.
    packed: bool,
    /// Without resuming a TLS session.
    unresumed: bool,
}

/// What became of the wait for a server's connection.
enum Accepted {
    /// It is here; and the server's last word, where that was faster.
    Connection(TcpStream, Option<Reply>),
    /// The server is done and had nothing to send.
    Nothing(Reply),
}

impl Driver {
    /// Opens a data connection for `command`, beginning at `offset`.
    pub(crate) async fn open(&mut self, command: Command, offset: u64) -> Result<Opened, Error> {
        self.open_named(command, offset, None, false).await
    }

    /// The same for a file that is known to be of this size. It may be compressed on its way.
    pub(crate) async fn open_sized(
        &mut self,
        command: Command,
        offset: u64,
        size: Option<u64>,
    ) -> Result<Opened, Error> {
        let packed = self.wants_packing(&command, offset, size);
        self.open_for(&command, offset, size, packed).await
    }

    pub(super) async fn open_for(
        &mut self,
        command: &Command,
        offset: u64,
        size: Option<u64>,
        packed: bool,
    ) -> Result<Opened, Error> {
        let wish = Wish {
            offset,
            packed,
            size,
            unresumed: false,
        };
        match self.open_protected(command, wish).await {
            Err(error) if self.protect_late(&error).await? => {
                self.open_protected(command, wish).await
            }
            outcome => outcome,
        }
    }

    async fn open_protected(&mut self, command: &Command, wish: Wish) -> Result<Opened, Error> {
        let big = wish
            .size
            .is_some_and(|size| size.saturating_sub(wish.offset) >= BIG);
        let free = Wish {
            unresumed: true,
            ..wish
        };
        let mut refused = false;
        if big && !self.config.require_resumption && self.better_unresumed() {
            match self.try_open(command, free).await {
                Err(error) if !error.is_fatal() && looks_unresumed(&error) => refused = true,
                outcome => return outcome,
            }
        }
        if self.out_of_tickets() {
            self.downgrade().await?;
        }
        let outcome = match self.try_open(command, wish).await {
            Err(error) if self.could_downgrade() && looks_unresumed(&error) => {
                self.downgrade().await?;
                self.try_open(command, wish).await
            }
            outcome => outcome,
        };
        if refused && outcome.is_ok() {
            self.learn(|learned| learned.demands_resumption = true);
        }
        outcome
    }

    /// True where the server can resume in TLS 1.2 only and doesn't mind connections that resume nothing, as far as is
    /// known: for a big file a whole handshake of TLS 1.3 costs less than the older ciphers do. The certificate is checked to be that of the
    /// control connection all the same.
    fn better_unresumed(&mut self) -> bool {
        let Some(tls) = self.tls.as_ref().filter(|_| self.data_encrypted) else {
            return false;
        };
        if !tls.can_speak_tls13() {
            return false;
        }
        if tls.versions() == Versions::Any && tls.tickets_seen() == 0 && !tls.can_resume() {
            self.learn(|learned| learned.no_tickets = true);
        }
        let learned = self.learned();
        learned.no_tickets && !learned.demands_resumption
    }

    /// True where the next data connection could resume nothing, but could in TLS 1.2: all tickets are used up, or none ever came.
    pub(super) fn out_of_tickets(&self) -> bool {
        self.could_downgrade()
    }

    async fn try_open(&mut self, command: &Command, wish: Wish) -> Result<Opened, Error> {
        let Wish {
            offset, unresumed, ..
        } = wish;
        if self.must_go_home(command) {
            self.go_home().await?;
        }
        self.set_type(self.wanted_type).await?;
        self.before_data().await?;
        self.set_packing(wish.packed, wish.size).await?;
        if offset == 0 {
            self.forget_rest(Some(command)).await?;
            if self.may_hurry(command)
                && let Some(opened) = self.open_at_once(command, unresumed).await?
            {
                return Ok(opened);
            }
        }
        let (first, second) = self.directions();
        let request = Request { command, wish };
        let last = second.is_none() && !self.more_without_epsv_all();
        let (failure, out_of_step) = match self.open_by(first, request, last).await {
            Ok(opened) => return Ok(opened),
            Err(Failed::Other(error)) => return Err(error),
            Err(Failed::Way { error, .. }) if last => return Err(error),
            Err(Failed::Way { error, out_of_step }) => (error, out_of_step),
        };
        let second = match second {
            Some(second) => {
                if out_of_step {
                    self.reconnect().await?;
                }
                second
            }
            None => {
                self.learn(|learned| learned.no_epsv = true);
                self.reconnect().await?;
                Direction::Passive
            }
        };
        let reason = format!("{}: {failure}", first.name());
        self.control.log(
            LogKind::Warning,
            format!("no data connection in {reason}; trying {}", second.name()),
        );
        match self.open_by(second, request, true).await {
            Ok(opened) => {
                self.learn_direction(second);
                if let Some(way) = self.shared.facts().and_then(|facts| facts.data.way) {
                    self.publish_way(way, Some(reason));
                }
                Ok(opened)
            }
            // The first is the one that was chosen.
            Err(Failed::Way { error, .. }) if !error.is_fatal() => Err(failure),
            Err(failed) => Err(failed.into_error()),
        }
    }

    /// One try. `last`: there is no other way after it.
    async fn open_by(
        &mut self,
        direction: Direction,
        request: Request<'_>,
        last: bool,
    ) -> Result<Opened, Failed> {
        let Request { command, wish } = request;
        // It may be another session than a moment ago.
        self.before_data().await?;
        self.set_packing(wish.packed, wish.size).await?;
        if direction == Direction::Passive && self.wants_pret() {
            self.pret(command).await?;
        }
        let way = self.agree(direction).await?;
        if wish.offset > 0 {
            let rest = Command::Rest(wish.offset);
            let reply = self.ask(&rest).await?;
            if !reply.code.is_intermediate() && !reply.code.is_completion() {
                return Err(Error::refused(rest.redacted(), reply).into());
            }
            self.rest_pending = true;
        }
        self.control.send(command).await?;
        self.go_on(way, command, wish.unresumed, last).await
    }

    /// Some servers apply the offset of a transfer to the next one too. Those that are known don't.
    pub(super) async fn forget_rest(&mut self, command: Option<&Command>) -> Result<(), Error> {
        let moves = matches!(
            command,
            Some(Command::Retr(_) | Command::Stor(_) | Command::Appe(_))
        );
        if moves && self.ways.rested {
            self.clear_rest().await?;
        }
        Ok(())
    }

    /// True where EPSV and the command that uses it may go in one write.
    fn may_hurry(&self, command: &Command) -> bool {
        let learned = self.learned();
        // Until a data connection has come about, nothing is begun at the server that changes a file.
        let safe = learned.reached
            || learned.proven
            || matches!(
                command,
                Command::Retr(_) | Command::Mlsd(_) | Command::List(_)
            );
        let passive = self.directions().0 == Direction::Passive
            && self.passive_commands().first() == Some(&PassiveCommand::Epsv);
        passive && safe && !learned.no_epsv && !self.wants_pret() && self.queues()
    }

    /// EPSV and the command in one write: a round trip less. Only for what begins at the beginning: were REST refused, the
    /// command would be carried out all the same. `None` where EPSV was refused, and the server is in step.
    async fn open_at_once(
        &mut self,
        command: &Command,
        unresumed: bool,
    ) -> Result<Option<Opened>, Error> {
        let epsv = Command::Epsv(None);
        let both = [epsv.clone(), command.clone()];
        let reply = self.control.exchange_first(&both).await?;
        self.unless_over(&epsv, &reply)?;
        let port = ftp_proto::parse_epsv(reply.first_line());
        let (true, Ok(port)) = (reply.code.is_completion(), port) else {
            let reply = self.control.reply(&command.redacted()).await?;
            if reply.code.is_preliminary() || reply.code.is_completion() {
                // It does something, and nobody knows where to.
                self.demote("a transfer without a data connection");
                self.reconnect().await?;
            }
            return Ok(None);
        };
        match self.dial(None, port).await {
            Ok(tcp) => {
                let way = Way::Passive(tcp, DataWay::Epsv);
                let opened = self.go_on(way, command, unresumed, true).await;
                opened.map(Some).map_err(Failed::into_error)
            }
            Err(error) if error.is_fatal() => Err(error),
            Err(error) => {
                // The server waits for a connection that won't come. Another session finds out whether PASV helps.
                self.control.log(LogKind::Warning, error.to_string());
                self.reconnect().await?;
                Ok(None)
            }
        }
    }

    /// After the command was sent: what the server says to it, and the data connection.
    async fn go_on(
        &mut self,
        way: Way,
        command: &Command,
        unresumed: bool,
        last: bool,
    ) -> Result<Opened, Failed> {
        let doing = command.redacted();
        let how = way.how();
        let reply = self.control.reply(&doing).await?;
        if reply.code.is_completion() {
            // Done without 1xx: there was nothing to send.
            self.rest_used();
            return Ok(Opened {
                stream: None,
                finished: Finished::already(reply),
                announced: None,
            });
        }
        if !reply.code.is_preliminary() {
            drop(way);
            if self.rest_pending {
                self.clear_rest().await?;
            }
            let of_the_way = how.is_active() && self.is_unreached(&reply, unresumed);
            let error = Error::refused(doing, reply);
            return Err(if of_the_way {
                Failed::way(error)
            } else {
                Failed::Other(error)
            });
        }
        let announced = crate::files::announced_size(&reply);
        self.rest_used();
        let (tcp, early) = match way {
            Way::Passive(tcp, _) => (tcp, None),
            Way::Active(listener, _) => {
                match self.accept(listener, &doing, unresumed, last).await? {
                    Accepted::Connection(tcp, early) => (tcp, early),
                    Accepted::Nothing(reply) => {
                        return Ok(Opened {
                            stream: None,
                            finished: Finished::already(reply),
                            announced: None,
                        });
                    }
                }
            }
        };
        let inbound = matches!(command, Command::Retr(_));
        let stream = match self.secured(tcp, inbound, unresumed).await {
            Ok(stream) => stream,
            Err(error) => return Err(self.explain(error, &doing).await.into()),
        };
        self.learn(|learned| learned.reached = true);
        self.publish_way(how, None);
        // aioftp ends the session when a data connection breaks. It greets with what its owner likes; having no FEAT, which
        // everything else of its age has, is what tells it.
        let stream = self.packed(stream, command);
        let counts = stream.deflate_counts();
        let end = Ending {
            keep: self.features.is_empty(),
            early,
            counts,
        };
        let (finished, running) = super::transfer::pair(doing, end);
        self.running = Some(running);
        self.unresumed = unresumed;
        Ok(Opened {
            stream: Some(stream),
            finished,
            announced,
        })
    }

    fn rest_used(&mut self) {
        if self.rest_pending {
            self.ways.rested = matches!(self.kind, Kind::Other | Kind::OneByOne);
        }
        self.rest_pending = false;
    }

    /// True where this reply says that the server did not reach us.
    fn is_unreached(&self, reply: &Reply, unresumed: bool) -> bool {
        // ProFTPD says the same of a TLS session that is not resumed.
        let resumption = unresumed || self.data_encrypted && self.could_downgrade();
        reply.code.value() == 425 && !resumption
    }

    /// Waits for the server's connection, and hears what it says in the meantime: one that can't reach us may say so long before our
    /// patience ends.
    async fn accept(
        &mut self,
        listener: TcpListener,
        doing: &str,
        unresumed: bool,
        last: bool,
    ) -> Result<Accepted, Failed> {
        let peer = self.peer_ip().map_err(|error| Error::net(doing, error))?;
        let limit = self.config.timeouts.connect;
        let patience = tokio::time::sleep(limit);
        tokio::pin!(patience);
        let mut early = None;
        loop {
            tokio::select! {
                biased;
                outcome = accept_from(&listener, peer) => match outcome {
                    Ok(tcp) => return Ok(Accepted::Connection(tcp, early)),
                    Err(error) => return Err(self.explain(error, doing).await.into()),
                },
                reply = self.control.next_reply(doing), if early.is_none() => {
                    let reply = reply?;
                    if reply.code.is_completion() {
                        // All of it may be here already, in a connection that is about to be seen.
                        patience.as_mut().reset(tokio::time::Instant::now() + LATE);
                        early = Some(reply);
                    } else if !reply.code.is_preliminary() {
                        let of_the_way = self.is_unreached(&reply, unresumed);
                        let error = Error::refused(doing, reply);
                        return Err(if of_the_way { Failed::way(error) } else { Failed::Other(error) });
                    }
                }
                () = &mut patience => break,
            }
        }
        drop(listener);
        // Done, and never came: there was nothing to send.
        if let Some(reply) = early {
            return Ok(Accepted::Nothing(reply));
        }
        let timeout = NetError::Timeout {
            what: Waited::Accept,
            limit,
        };
        if last {
            return Err(Failed::way(self.explain(timeout, doing).await));
        }
        // The port is closed now: a server that still tries sees that soon.
        let noticed = tokio::time::timeout(NOTICE, self.control.next_reply(doing)).await;
        if let Ok(Err(error)) = noticed {
            return Err(error.into());
        }
        let out_of_step = !matches!(noticed, Ok(Ok(reply)) if !reply.code.is_preliminary());
        Err(Failed::Way {
            error: Error::net(doing, timeout),
            out_of_step,
        })
    }

    /// A data connection failed after 1xx: the server's final reply usually says why, and must be read in any
    /// case, or it would be taken for the answer to the next command.
    async fn explain(&mut self, failure: NetError, doing: &str) -> Error {
        let failure = Error::net(doing, failure);
        match self.control.final_reply(doing).await {
            // A certificate is a person's decision, whatever the server thinks of our hanging up.
            _ if matches!(failure.kind(), ErrorKind::Certificate(_)) => failure,
            Ok(reply) if reply.code.is_transient() || reply.code.is_permanent() => {
                Error::refused(doing, reply)
            }
            _ => failure,
        }
    }

    /// TLS over a data connection, where data is protected.
    async fn secured(
        &mut self,
        tcp: TcpStream,
        inbound: bool,
        unresumed: bool,
    ) -> Result<Stream, NetError> {
        let limit = self.config.timeouts.connect;
        let Some(tls) = self.tls.clone().filter(|_| self.data_encrypted) else {
            return Ok(Stream::Plain(tcp));
        };
        let tls = if unresumed { tls.unresumed() } else { tls };
        let stream = if inbound {
            tls.download(tcp, limit).await?
        } else {
            tls.connect(tcp, limit).await?
        };
        let resumed = stream.tls_facts().is_some_and(|facts| facts.resumed);
        self.publish_facts(Some(resumed));
        Ok(stream)
    }

    pub(super) fn peer_ip(&self) -> Result<IpAddr, NetError> {
        let stream = self
            .control
            .stream()
            .map_err(|_| NetError::Io(std::io::ErrorKind::NotConnected.into()))?;
        Ok(stream.peer_addr()?.ip())
    }

    /// A server that refuses to move data in plain over a protected session, because it was never asked to protect them: PBSZ
    /// and PROT (RFC 4217 section 9). True where it protects them now.
    async fn protect_late(&mut self, error: &Error) -> Result<bool, Error> {
        let demands = error
            .reply()
            .is_some_and(|reply| matches!(reply.code.value(), 521 | 522));
        if !demands || error.is_fatal() || self.data_encrypted || self.tls.is_none() {
            return Ok(false);
        }
        let argument = |text: &str| Argument::try_from(text).map_err(Error::argument);
        let zero = Command::Pbsz(argument("0")?);
        self.control.exchange(&zero).await?;
        let private = Command::Prot(argument("P")?);
        let reply = self.control.exchange(&private).await?;
        self.data_encrypted = reply.code.is_completion();
        if self.data_encrypted {
            self.control.log(
                LogKind::Info,
                "the server wants data encrypted; from now on they are",
            );
            self.publish_facts(None);
        }
        Ok(self.data_encrypted)
    }
}

/// True where a data connection failed the way servers fail those that don't resume.
fn looks_unresumed(error: &Error) -> bool {
    *error.kind() == ErrorKind::Tls
        || error
            .reply()
            .is_some_and(|reply| matches!(reply.code.value(), 522 | 425 | 426 | 450))
}

/// The first connection that comes from the server itself; others are turned away.
pub(super) async fn accept_from(
    listener: &TcpListener,
    peer: IpAddr,
) -> Result<TcpStream, NetError> {
    loop {
        let (tcp, from) = listener.accept().await?;
        if from.ip().to_canonical() == peer.to_canonical() {
            tcp.set_nodelay(true)?;
            return Ok(tcp);
        }
    }
}
