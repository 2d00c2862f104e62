use std::net::{IpAddr, SocketAddr};

use ftp_net::{NetError, Stream, Waited, tls::Versions};
use ftp_proto::{Command, Reply};
use tokio::net::{TcpListener, TcpStream};

use super::{Driver, transfer::Finished};
use crate::{DataMode, Error, ErrorKind, LogKind};

/// From this many bytes on, what a cipher costs is more than what a handshake does.
const BIG: u64 = 4 * 1024 * 1024;

/// A data connection, and how to tell the task that it is done.
pub(crate) struct Opened {
    /// `None` where the server had nothing to send and opened none.
    pub(crate) stream: Option<Stream>,
    pub(crate) finished: Finished,
}

/// The way to a data connection, before the server has said that it will use it.
enum Way {
    Passive(TcpStream),
    Active(TcpListener),
}

impl Driver {
    /// Opens a data connection for `command`, beginning at `offset`.
    pub(crate) async fn open(&mut self, command: Command, offset: u64) -> Result<Opened, Error> {
        self.open_sized(command, offset, None).await
    }

    /// The same for a file that is known to be of this size.
    pub(crate) async fn open_sized(
        &mut self,
        command: Command,
        offset: u64,
        size: Option<u64>,
    ) -> Result<Opened, Error> {
        let big = size.is_some_and(|size| size.saturating_sub(offset) >= BIG);
        let mut refused = false;
        if big && !self.config.require_resumption && self.better_unresumed() {
            match self.try_open(&command, offset, true).await {
                Err(error) if !error.is_fatal() && looks_unresumed(&error) => refused = true,
                outcome => return outcome,
            }
        }
        if self.out_of_tickets() {
            self.downgrade().await?;
        }
        let outcome = match self.try_open(&command, offset, false).await {
            Err(error) if self.could_downgrade() && looks_unresumed(&error) => {
                self.downgrade().await?;
                self.try_open(&command, offset, false).await
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

    async fn try_open(
        &mut self,
        command: &Command,
        offset: u64,
        unresumed: bool,
    ) -> Result<Opened, Error> {
        if self.astray.is_some() && super::depends_on_cwd(command) {
            self.go_home().await?;
        }
        self.set_type(b'I').await?;
        if offset == 0
            && self.may_hurry(command)
            && let Some(opened) = self.open_at_once(command, unresumed).await?
        {
            return Ok(opened);
        }
        let way = match self.config.data {
            DataMode::Auto | DataMode::Passive => Way::Passive(self.passive().await?),
            DataMode::Active => Way::Active(self.active().await?),
        };
        if offset > 0 {
            let rest = Command::Rest(offset);
            let reply = self.ask(&rest).await?;
            if !reply.code.is_intermediate() && !reply.code.is_completion() {
                return Err(Error::refused(rest.redacted(), reply));
            }
            self.rest_pending = true;
        }
        self.control.send(command).await?;
        self.go_on(way, command, unresumed).await
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
        let passive = matches!(self.config.data, DataMode::Auto | DataMode::Passive);
        passive && safe && !learned.no_epsv && self.queues()
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
            Ok(tcp) => self
                .go_on(Way::Passive(tcp), command, unresumed)
                .await
                .map(Some),
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
    ) -> Result<Opened, Error> {
        let doing = command.redacted();
        let reply = self.control.reply(&doing).await?;
        if reply.code.is_completion() {
            // Done without 1xx: there was nothing to send.
            self.rest_pending = false;
            return Ok(Opened {
                stream: None,
                finished: Finished::already(reply),
            });
        }
        if !reply.code.is_preliminary() {
            drop(way);
            if self.rest_pending {
                self.clear_rest().await?;
            }
            return Err(Error::refused(doing, reply));
        }
        self.rest_pending = false;
        let inbound = matches!(command, Command::Retr(_));
        let stream = match self.data_stream(way, inbound, unresumed).await {
            Ok(stream) => stream,
            Err(error) => return Err(self.explain(error, &doing).await),
        };
        self.learn(|learned| learned.reached = true);
        // aioftp ends the session when a data connection breaks. It greets with what its owner likes; having no FEAT, which
        // everything else of its age has, is what tells it.
        let (finished, running) = super::transfer::pair(doing, self.features.is_empty());
        self.running = Some(running);
        self.unresumed = unresumed;
        Ok(Opened {
            stream: Some(stream),
            finished,
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

    async fn data_stream(
        &mut self,
        way: Way,
        inbound: bool,
        unresumed: bool,
    ) -> Result<Stream, NetError> {
        let limit = self.config.timeouts.connect;
        let tcp = match way {
            Way::Passive(tcp) => tcp,
            Way::Active(listener) => {
                let peer = self.peer_ip()?;
                tokio::time::timeout(limit, accept_from(&listener, peer))
                    .await
                    .map_err(|_| NetError::Timeout {
                        what: Waited::Accept,
                        limit,
                    })??
            }
        };
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

    fn peer_ip(&self) -> Result<IpAddr, NetError> {
        let stream = self
            .control
            .stream()
            .map_err(|_| NetError::Io(std::io::ErrorKind::NotConnected.into()))?;
        Ok(stream.peer_addr()?.ip())
    }

    /// EPSV, else PASV (RFC 2428 section 3). Where EPSV is accepted but its port can't be reached, PASV is tried
    /// too: middle boxes know only the older one.
    async fn passive(&mut self) -> Result<TcpStream, Error> {
        if !self.learned().no_epsv {
            let command = Command::Epsv(None);
            let reply = self.ask(&command).await?;
            let port = ftp_proto::parse_epsv(reply.first_line());
            if let (true, Ok(port)) = (reply.code.is_completion(), port) {
                match self.dial(None, port).await {
                    Ok(tcp) => return Ok(tcp),
                    // Refused, or swallowed on the way.
                    Err(error)
                        if matches!(
                            error.kind(),
                            ErrorKind::Connect | ErrorKind::Timeout(Waited::Connect)
                        ) =>
                    {
                        self.control.log(
                            LogKind::Warning,
                            "the port that EPSV named can't be reached; trying PASV",
                        );
                        match self.pasv().await {
                            Ok(tcp) => {
                                self.learn(|learned| learned.no_epsv = true);
                                return Ok(tcp);
                            }
                            Err(later) if later.is_fatal() => return Err(later),
                            Err(_) => return Err(error),
                        }
                    }
                    Err(error) => return Err(error),
                }
            }
            self.unless_over(&command, &reply)?;
            // A 4xx may be of the moment; anything else stays as it is.
            if !reply.code.is_transient() {
                self.learn(|learned| learned.no_epsv = true);
            }
        }
        self.pasv().await
    }

    async fn pasv(&mut self) -> Result<TcpStream, Error> {
        let command = Command::Pasv;
        let reply = self.ask(&command).await?;
        self.unless_over(&command, &reply)?;
        if !reply.code.is_completion() {
            return Err(Error::refused(command.redacted(), reply));
        }
        let address = ftp_proto::parse_pasv(reply.first_line())
            .map_err(|error| Error::with_source(ErrorKind::Protocol, "PASV", error))?;
        let trusted = self.config.trust_pasv_address && !address.ip().is_unspecified();
        let ip = trusted.then(|| IpAddr::V4(*address.ip()));
        self.dial(ip, address.port()).await
    }

    /// Closes the connection where the server has said that it will: what it could not do now it may well do later.
    fn unless_over(&mut self, command: &Command, reply: &Reply) -> Result<(), Error> {
        let error = Error::refused(command.redacted(), reply.clone());
        match error.kind() {
            ErrorKind::Lost => Err(self.control.kill(error)),
            _ => Ok(()),
        }
    }

    /// Connects to a data port: on the control connection's host unless another was named and trusted.
    async fn dial(&mut self, ip: Option<IpAddr>, port: u16) -> Result<TcpStream, Error> {
        let peer = self
            .peer_ip()
            .map_err(|error| Error::net("the data connection", error))?;
        let address = SocketAddr::new(ip.unwrap_or(peer), port);
        ftp_net::connect_addr(address, self.config.timeouts.connect)
            .await
            .map_err(|error| Error::net("the data connection", error))
    }

    /// Listens, and tells the server where: EPRT, else PORT (RFC 2428 section 2, RFC 959 section 4.1.2).
    async fn active(&mut self) -> Result<TcpListener, Error> {
        let doing = "active mode";
        let ip = self
            .control
            .stream()?
            .local_addr()
            .map_err(|error| Error::net(doing, NetError::Io(error)))?
            .ip();
        let listener = ftp_net::listen(ip)
            .await
            .map_err(|error| Error::net(doing, error))?;
        let address = listener
            .local_addr()
            .map_err(|error| Error::net(doing, NetError::Io(error)))?;
        let reply = self.ask(&Command::Eprt(address)).await?;
        match (reply.code.is_completion(), address) {
            (true, _) => {}
            (false, SocketAddr::V4(address)) if reply.code.is_permanent() => {
                self.command(Command::Port(address)).await?;
            }
            (false, _) => return Err(Error::refused("EPRT", reply)),
        }
        Ok(listener)
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
        if from.ip() == peer {
            tcp.set_nodelay(true)?;
            return Ok(tcp);
        }
    }
}
