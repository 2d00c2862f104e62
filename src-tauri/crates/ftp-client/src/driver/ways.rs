//! The ways to a data connection: which is tried first, which then, and the talk that agrees on one.

use std::net::{IpAddr, SocketAddr};

use bytes::BytesMut;
use ftp_net::{Dialer, NetError, Waited};
use ftp_proto::{Argument, Command, Epsv, Reply};
use tokio::net::{TcpListener, TcpStream};

use super::{Driver, address, kind::Kind};
use crate::{DataMode, DataWay, Error, ErrorKind, LogKind, PassiveCommand, memory::Reaches};

/// What a session knows of its ways.
#[derive(Debug, Default)]
pub(super) struct State {
    /// EPSV ALL was said.
    asked_all: bool,
    /// EPSV ALL was accepted: the server takes nothing else from now on.
    only_epsv: bool,
    /// PRET was refused as unknown.
    no_pret: bool,
    /// The address that data connections must be bound to, once that was found out.
    source: Option<Option<IpAddr>>,
    /// REST was used up by a transfer, and nobody knows whether the server has forgotten it.
    pub(super) rested: bool,
}

/// The way to a data connection, before the server has said that it will use it.
pub(super) enum Way {
    Passive(TcpStream, DataWay),
    Active(TcpListener, DataWay),
}

impl Way {
    pub(super) const fn how(&self) -> DataWay {
        match self {
            Self::Passive(_, how) | Self::Active(_, how) => *how,
        }
    }
}

/// Who connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// We do.
    Passive,
    /// The server does.
    Active,
}

impl Direction {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Passive => "passive mode",
            Self::Active => "active mode",
        }
    }
}

/// Why there is no data connection.
pub(super) enum Failed {
    /// It is the way's fault: another may lead there. `out_of_step`: the server may still answer to what was asked.
    Way { error: Error, out_of_step: bool },
    /// Another way would be no better.
    Other(Error),
}

impl Failed {
    pub(super) fn way(error: Error) -> Self {
        if error.is_fatal() {
            return Self::Other(error);
        }
        Self::Way {
            error,
            out_of_step: false,
        }
    }

    pub(super) fn into_error(self) -> Error {
        match self {
            Self::Way { error, .. } | Self::Other(error) => error,
        }
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

impl Driver {
    /// The mode that is tried first, and the one after it. A mode that was found to fail here is not the first.
    pub(super) fn directions(&self) -> (Direction, Option<Direction>) {
        let (wanted, other) = match self.config.data {
            DataMode::Active => (Direction::Active, Direction::Passive),
            DataMode::Auto | DataMode::Passive => (Direction::Passive, Direction::Active),
        };
        if self.is_only_passive() {
            return (Direction::Passive, None);
        }
        if !self.config.data_options.fallback {
            return (wanted, None);
        }
        let second = (other == Direction::Passive || self.may_be_reached()).then_some(other);
        match (self.learned().reaches, second) {
            (Reaches::Passive, Some(Direction::Passive)) => (Direction::Passive, Some(wanted)),
            (Reaches::Active, Some(Direction::Active)) => (Direction::Active, Some(wanted)),
            _ => (wanted, second),
        }
    }

    /// Remembers which mode works here.
    pub(super) fn learn_direction(&self, works: Direction) {
        let wanted = match self.config.data {
            DataMode::Active => Direction::Active,
            DataMode::Auto | DataMode::Passive => Direction::Passive,
        };
        self.learn(|learned| {
            learned.reaches = match works {
                _ if works == wanted => Reaches::Unknown,
                Direction::Passive => Reaches::Passive,
                Direction::Active => Reaches::Active,
            };
        });
    }

    /// False where a connection from the server can't find us, behind a translation of addresses.
    fn may_be_reached(&self) -> bool {
        let Ok(stream) = self.control.stream() else {
            return false;
        };
        let told = self.config.data_options.active_address;
        match (stream.local_addr(), stream.peer_addr()) {
            (Ok(_), Ok(_)) if told.is_some() => true,
            (Ok(local), Ok(peer)) => address::may_reach(local.ip(), peer.ip()),
            _ => false,
        }
    }

    /// Agrees on a data connection.
    pub(super) async fn agree(&mut self, direction: Direction) -> Result<Way, Failed> {
        match direction {
            Direction::Passive => self.passive().await,
            Direction::Active => {
                let outcome = self.active().await;
                outcome.map_err(Failed::way)
            }
        }
    }

    /// The passive commands that there is a point in trying, in their order.
    pub(super) fn passive_commands(&self) -> Vec<PassiveCommand> {
        let chosen = &self.config.data_options.passive_commands;
        let no_epsv = self.learned().no_epsv;
        let usable = |command: &PassiveCommand| match command {
            PassiveCommand::Epsv => !no_epsv || self.ways.only_epsv,
            PassiveCommand::Pasv => !self.ways.only_epsv,
        };
        let mut usable: Vec<_> = chosen.iter().copied().filter(usable).collect();
        if self.config.proxy.is_some() {
            // It needs no address, and that is what a proxy hides.
            usable.sort_by_key(|command| *command != PassiveCommand::Epsv);
        }
        if usable.is_empty() {
            // What was learned must not be the end of it.
            chosen.clone()
        } else {
            usable
        }
    }

    /// EPSV and PASV in the order that was chosen. Where one is accepted but its port can't be reached, the next is tried
    /// too: middle boxes know only the older one.
    async fn passive(&mut self) -> Result<Way, Failed> {
        let commands = self.passive_commands();
        let mut unreached = None;
        let mut last = Error::new(
            ErrorKind::Argument,
            "passive mode without any command to ask for it",
        );
        if commands.is_empty() {
            return Err(Failed::Other(last));
        }
        for (place, command) in commands.iter().enumerate() {
            let outcome = match command {
                PassiveCommand::Epsv => self.epsv().await,
                PassiveCommand::Pasv => self.pasv().await,
            };
            let error = match outcome {
                Ok(way) => {
                    if *command == PassiveCommand::Pasv && unreached.is_some() {
                        self.learn(|learned| learned.no_epsv = true);
                    }
                    return Ok(way);
                }
                Err(error) if error.is_fatal() => return Err(Failed::Other(error)),
                Err(error) => error,
            };
            // Refused, or swallowed on the way.
            let lost = matches!(
                error.kind(),
                ErrorKind::Connect | ErrorKind::Timeout(Waited::Connect)
            );
            if lost && place + 1 < commands.len() {
                self.control.log(
                    LogKind::Warning,
                    match command {
                        PassiveCommand::Epsv => {
                            "the port that EPSV named can't be reached; trying PASV"
                        }
                        PassiveCommand::Pasv => {
                            "the port that PASV named can't be reached; trying EPSV"
                        }
                    },
                );
                unreached.get_or_insert(error);
            } else {
                last = error;
            }
        }
        Err(Failed::way(unreached.unwrap_or(last)))
    }

    /// EPSV (RFC 2428 section 3).
    async fn epsv(&mut self) -> Result<Way, Error> {
        let command = Command::Epsv(None);
        let reply = self.ask(&command).await?;
        let port = ftp_proto::parse_epsv(reply.first_line());
        let problem = match port {
            Ok(port) if reply.code.is_completion() => {
                let tcp = self.dial(None, port).await?;
                return Ok(Way::Passive(tcp, DataWay::Epsv));
            }
            Ok(_) => None,
            Err(problem) => Some(problem),
        };
        self.unless_over(&command, &reply)?;
        // A 4xx may be of the moment; anything else stays as it is.
        if !reply.code.is_transient() {
            self.learn(|learned| learned.no_epsv = true);
        }
        Err(match problem {
            Some(problem) if reply.code.is_completion() => {
                Error::with_source(ErrorKind::Protocol, "EPSV", problem)
            }
            _ => Error::refused(command.redacted(), reply),
        })
    }

    async fn pasv(&mut self) -> Result<Way, Error> {
        let command = Command::Pasv;
        let reply = self.ask(&command).await?;
        self.unless_over(&command, &reply)?;
        if !reply.code.is_completion() {
            return Err(Error::refused(command.redacted(), reply));
        }
        let address = ftp_proto::parse_pasv(reply.first_line())
            .map_err(|error| Error::with_source(ErrorKind::Protocol, "PASV", error))?;
        let peer = self
            .peer_ip()
            .map_err(|error| Error::net("the data connection", error))?;
        let ip = self.believed(*address.ip(), peer);
        let tcp = self.dial(ip, address.port()).await?;
        Ok(Way::Passive(tcp, DataWay::Pasv))
    }

    /// The address that PASV names, where it is to be believed and leads anywhere from here.
    pub(super) fn believed(&self, named: std::net::Ipv4Addr, peer: IpAddr) -> Option<IpAddr> {
        if !self.config.trust_pasv_address {
            return None;
        }
        // Where we are means nothing behind a proxy.
        let through = self.config.proxy.is_some() && !named.is_unspecified();
        if through || address::is_routable(named, peer) {
            return Some(IpAddr::V4(named));
        }
        self.control.log(
            LogKind::Info,
            format!("{named}, which PASV names, can't be reached from here; using {peer}"),
        );
        None
    }

    /// Closes the connection where the server has said that it will: what it could not do now it may well do later.
    pub(super) fn unless_over(&mut self, command: &Command, reply: &Reply) -> Result<(), Error> {
        let error = Error::refused(command.redacted(), reply.clone());
        match error.kind() {
            ErrorKind::Lost => Err(self.control.kill(error)),
            _ => Ok(()),
        }
    }

    /// Connects to a data port: on the control connection's host unless another was named and trusted.
    pub(super) async fn dial(&mut self, ip: Option<IpAddr>, port: u16) -> Result<TcpStream, Error> {
        let doing = "the data connection";
        let dialer = self.dialer();
        let outcome = match ip {
            // The address that we see is the proxy's own.
            None if dialer.proxy.is_some() => dialer.connect(&self.config.host, port).await,
            ip => {
                let peer = self.peer_ip().map_err(|error| Error::net(doing, error))?;
                let address = SocketAddr::new(ip.unwrap_or(peer), port);
                dialer.connect_addr(address).await
            }
        };
        outcome.map_err(|error| Error::net(doing, error))
    }

    /// How data ports are connected to: through the proxy, or from the same address as the control connection, since servers take no
    /// other.
    pub(super) fn dialer(&mut self) -> Dialer {
        let mut dialer = Dialer {
            // They are never silent for long.
            keep_alive: None,
            ..self.config.dialer()
        };
        if dialer.proxy.is_none() {
            dialer.source = match self.ways.source {
                Some(source) => source,
                None => {
                    let source = self.bound_source();
                    self.ways.source = Some(source);
                    source
                }
            };
        }
        dialer
    }

    /// The control connection's own address, where the system would choose another for data. A socket is not bound without need: each
    /// would use up a port of this computer for a while.
    fn bound_source(&self) -> Option<IpAddr> {
        let stream = self.control.stream().ok()?;
        let local = stream.local_addr().ok()?.ip();
        let peer = stream.peer_addr().ok()?;
        (ftp_net::source_for(peer).ok()? != local).then_some(local)
    }

    /// Listens, and tells the server where: EPRT, else PORT (RFC 2428 section 2, RFC 959 section 4.1.2).
    async fn active(&mut self) -> Result<Way, Error> {
        let doing = "active mode";
        let io = |error| Error::net(doing, NetError::Io(error));
        let ip = self.control.stream()?.local_addr().map_err(io)?.ip();
        let listener = self.listen(ip).await?;
        let address = self.told(listener.local_addr().map_err(io)?);
        let mut refusal = None;
        if !(self.learned().no_eprt && address.is_ipv4()) {
            let reply = self.ask(&Command::Eprt(address)).await?;
            if reply.code.is_completion() {
                return Ok(Way::Active(listener, DataWay::Eprt));
            }
            if reply.code.is_permanent() && address.is_ipv4() {
                self.learn(|learned| learned.no_eprt = true);
            }
            refusal = Some(Error::refused("EPRT", reply));
        }
        match (address, refusal) {
            (SocketAddr::V4(address), _) => {
                self.command(Command::Port(address)).await?;
                Ok(Way::Active(listener, DataWay::Port))
            }
            (SocketAddr::V6(_), refusal) => Err(refusal.unwrap_or_else(|| Error::gone(doing))),
        }
    }

    /// A port to wait at for the server.
    pub(super) async fn listen(&self, ip: IpAddr) -> Result<TcpListener, Error> {
        ftp_net::listen_in(ip, self.config.data_options.active_ports.clone())
            .await
            .map_err(|error| Error::net("active mode: a port to listen on", error))
    }

    /// What the server is told of where we wait.
    pub(super) fn told(&self, local: SocketAddr) -> SocketAddr {
        // An IPv4 connection over an IPv6 socket: the server knows nothing of that.
        let ip = local.ip().to_canonical();
        SocketAddr::new(
            self.config.data_options.active_address.unwrap_or(ip),
            local.port(),
        )
    }

    /// What comes before the first data connection of a session: EPSV ALL, where that is wished.
    pub(super) async fn before_data(&mut self) -> Result<(), Error> {
        let options = &self.config.data_options;
        if !options.epsv_all
            || self.ways.asked_all
            || self.config.data == DataMode::Active
            || !options.passive_commands.contains(&PassiveCommand::Epsv)
            // It would shut out everything that works here.
            || self.learned().no_epsv
            || self.directions().0 == Direction::Active
        {
            return Ok(());
        }
        self.ways.asked_all = true;
        let reply = self.ask(&Command::Epsv(Some(Epsv::All))).await?;
        self.ways.only_epsv = reply.code.is_completion();
        Ok(())
    }

    /// After EPSV ALL nothing but EPSV is left, and that has failed: a session without EPSV ALL has more ways.
    pub(super) fn more_without_epsv_all(&self) -> bool {
        self.ways.only_epsv && self.config.data_options.fallback
    }

    /// True where PRET must come before PASV: servers of many machines find out by it which of them has the file.
    pub(super) fn wants_pret(&self) -> bool {
        // Pure-FTPd has it and needs it for nothing.
        self.features.has("PRET") && !self.ways.no_pret && self.kind != Kind::PureFtpd
    }

    /// PRET with the command that will follow.
    pub(super) async fn pret(&mut self, command: &Command) -> Result<(), Error> {
        let mut line = BytesMut::new();
        command.encode(&mut line);
        let line = line.strip_suffix(b"\r\n").unwrap_or(&line);
        let pret = Command::Other {
            verb: "PRET".to_owned(),
            argument: Some(Argument::try_from(line).map_err(Error::argument)?),
        };
        let reply = self.ask(&pret).await?;
        match reply.code.value() {
            200..400 => Ok(()),
            500..=504 => {
                self.ways.no_pret = true;
                Ok(())
            }
            // It speaks of the command that would have followed.
            _ => Err(Error::refused(command.redacted(), reply)),
        }
    }

    /// True where nobody can connect to us: through a proxy, or after EPSV ALL.
    pub(super) fn is_only_passive(&self) -> bool {
        self.ways.only_epsv || self.config.proxy.is_some()
    }

    /// Tells the handles how data connections come about here.
    pub(super) fn publish_way(&self, way: DataWay, fallback: Option<String>) {
        let Some(facts) = self.shared.facts() else {
            return;
        };
        // Most data connections bring no news.
        if facts.data.way == Some(way) && (fallback.is_none() || fallback == facts.data.fallback) {
            return;
        }
        let mut facts = crate::SessionFacts::clone(&facts);
        facts.data.way = Some(way);
        if fallback.is_some() {
            facts.data.fallback = fallback;
        } else if way.is_active() == (self.config.data == DataMode::Active) {
            facts.data.fallback = None;
        }
        self.shared.set_facts(facts);
    }
}
