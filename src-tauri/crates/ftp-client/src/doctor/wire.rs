//! One data transfer, taken apart: at each step it is known what failed.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use ftp_net::{InflateLimits, NetError, Stream, TlsFacts, Waited, copy::GOODBYE, shutdown_orderly};
use ftp_proto::{Command, Reply, escape};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::patient::{Line, Patient};
pub(super) use super::trouble::Trouble;
use crate::{DataOptions, Error};

/// No more of a listing or a file is looked at.
pub(super) const MOST: usize = 1024 * 1024;
/// Nobody waits longer for the server to connect to us.
const ACCEPT: Duration = Duration::from_secs(10);

/// How a data connection comes about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Epsv,
    Pasv,
    Eprt,
    Port,
}

/// What is moved.
pub(super) struct Errand<'a> {
    pub(super) way: Way,
    pub(super) command: Command,
    pub(super) from: u64,
    /// What is stored; else something is fetched.
    pub(super) upload: Option<&'a [u8]>,
    /// With a whole handshake in place of a resumed session.
    pub(super) unresumed: bool,
    /// In MODE Z.
    pub(super) packed: bool,
}

impl Errand<'_> {
    pub(super) const fn fetch(way: Way, command: Command) -> Self {
        Self {
            way,
            command,
            from: 0,
            upload: None,
            unresumed: false,
            packed: false,
        }
    }
}

/// A transfer that went well.
pub(super) struct Moved {
    pub(super) bytes: Vec<u8>,
    /// There was more than is looked at.
    pub(super) cut: bool,
    pub(super) tls: Option<TlsFacts>,
    /// TLS ended without a goodbye.
    pub(super) abrupt: bool,
    /// What PASV named.
    pub(super) named: Option<SocketAddr>,
    /// Who connected to us.
    pub(super) from: Option<IpAddr>,
    pub(super) end: Reply,
}

/// How data connections are made.
struct How {
    dialer: ftp_net::Dialer,
    connect: Duration,
    idle: Duration,
    data: DataOptions,
}

enum Open {
    Tcp(TcpStream),
    Listener(TcpListener),
}

impl Patient<'_> {
    /// A transfer on the session that is there, or on a new one.
    pub(super) async fn transfer(&mut self, errand: Errand<'_>) -> Result<Moved, Trouble> {
        let how = How {
            dialer: self.config.dialer(),
            connect: self.config.timeouts.connect,
            idle: self.config.timeouts.idle,
            data: self.config.data_options.clone(),
        };
        if !errand.unresumed {
            self.with_tickets().await.map_err(Trouble::Lost)?;
        }
        let line = self.line().await.map_err(Trouble::Lost)?;
        let outcome = line.transfer(errand, &how).await;
        let spoiled = match &outcome {
            // The server still sends.
            Ok(moved) => moved.cut,
            Err(trouble) => trouble.spoils(),
        };
        if spoiled {
            self.line = None;
        }
        if let Ok(Moved {
            tls: Some(facts), ..
        }) = &outcome
        {
            self.resumes |= facts.resumed;
        }
        outcome
    }
}

impl Line {
    async fn transfer(&mut self, errand: Errand<'_>, how: &How) -> Result<Moved, Trouble> {
        let (connect, idle) = (how.connect, how.idle);
        let peer = self.peer()?;
        let (open, named) = self.open(errand.way, how, peer).await?;
        if errand.from > 0 {
            let reply = self
                .control
                .exchange(&Command::Rest(errand.from))
                .await
                .map_err(Trouble::Lost)?;
            if !reply.code.is_intermediate() && !reply.code.is_completion() {
                return Err(Trouble::NoRest(reply));
            }
        }
        self.control
            .send(&errand.command)
            .await
            .map_err(Trouble::Lost)?;
        let doing = errand.command.redacted();
        let reply = self.control.reply(&doing).await.map_err(Trouble::Lost)?;
        if reply.code.is_completion() && errand.upload.is_none() {
            // There was nothing to send.
            return Ok(Moved {
                bytes: Vec::new(),
                cut: false,
                tls: None,
                abrupt: false,
                named,
                from: None,
                end: reply,
            });
        }
        if !reply.code.is_preliminary() {
            return Err(match open {
                Open::Listener(_) if matches!(reply.code.value(), 425 | 426) => {
                    Trouble::NoCall(Some(reply))
                }
                _ => Trouble::Refused(reply),
            });
        }
        let (tcp, from) = match open {
            Open::Tcp(tcp) => (tcp, None),
            Open::Listener(listener) => match self.accept(&listener, connect.min(ACCEPT)).await {
                Ok((tcp, from)) => (tcp, Some(from)),
                Err(reply) => return Err(Trouble::NoCall(reply)),
            },
        };
        let mut stream = match self.tls.clone().filter(|_| self.protected) {
            None => Stream::Plain(tcp),
            Some(tls) => {
                let tls = if errand.unresumed {
                    tls.unresumed()
                } else {
                    tls
                };
                match tls.connect(tcp, connect).await {
                    Ok(stream) => stream,
                    Err(error) => return Err(Trouble::Tls(error, self.last_words(&doing).await)),
                }
            }
        };
        let tls = stream.tls_facts();
        if errand.packed {
            stream = stream.inflating(InflateLimits::default());
        }
        let moving = async {
            match errand.upload {
                Some(content) => put(&mut stream, content)
                    .await
                    .map(|()| (Vec::new(), false, false)),
                None => take(&mut stream).await,
            }
        };
        let moved = tokio::time::timeout(idle, moving).await;
        drop(stream);
        let (bytes, cut, abrupt) = match moved {
            Ok(Ok(moved)) => moved,
            Ok(Err(error)) => {
                return Err(Trouble::Broken(net(error), self.last_words(&doing).await));
            }
            Err(_) => {
                let error = NetError::Timeout {
                    what: Waited::Data,
                    limit: idle,
                };
                return Err(Trouble::Broken(error, None));
            }
        };
        let end = match cut {
            true => reply,
            false => self
                .control
                .final_reply(&doing)
                .await
                .map_err(Trouble::Lost)?,
        };
        if !cut && !end.code.is_completion() {
            return Err(match tls.is_some() && bytes.is_empty() {
                // vsftpd takes the handshake, and then says that it resumed nothing.
                true => Trouble::Tls(
                    NetError::Io(io::ErrorKind::ConnectionAborted.into()),
                    Some(end),
                ),
                false => Trouble::BadEnd(end),
            });
        }
        Ok(Moved {
            bytes,
            cut,
            tls,
            abrupt,
            named,
            from,
            end,
        })
    }

    pub(super) fn peer(&self) -> Result<SocketAddr, Trouble> {
        let stream = self.control.stream().map_err(Trouble::Lost)?;
        stream
            .peer_addr()
            .map_err(|error| Trouble::Lost(Error::net("the session", NetError::Io(error))))
    }

    async fn open(
        &mut self,
        way: Way,
        how: &How,
        peer: SocketAddr,
    ) -> Result<(Open, Option<SocketAddr>), Trouble> {
        let mut named = None;
        let command = match way {
            Way::Epsv => Command::Epsv(None),
            Way::Pasv => Command::Pasv,
            Way::Eprt | Way::Port => {
                return Ok((Open::Listener(self.listen(way, &how.data).await?), None));
            }
        };
        let reply = self
            .control
            .exchange(&command)
            .await
            .map_err(Trouble::Lost)?;
        if !reply.code.is_completion() {
            return Err(Trouble::NoWay(reply));
        }
        let port = match way {
            Way::Epsv => ftp_proto::parse_epsv(reply.first_line()).ok(),
            _ => ftp_proto::parse_pasv(reply.first_line())
                .ok()
                .map(|address| {
                    named = Some(SocketAddr::V4(address));
                    address.port()
                }),
        };
        let Some(port) = port else {
            return Err(Trouble::Unreadable(reply));
        };
        // To the server that we know, whatever address it names.
        let place = SocketAddr::new(peer.ip(), port);
        match how.dialer.connect_addr(place).await {
            Ok(tcp) => Ok((Open::Tcp(tcp), named)),
            Err(error) => Err(Trouble::NoConnection(named.unwrap_or(place), error)),
        }
    }

    async fn listen(&mut self, way: Way, options: &DataOptions) -> Result<TcpListener, Trouble> {
        let broken = |error| Trouble::Lost(Error::net("active mode", error));
        let own = self.control.stream().map_err(Trouble::Lost)?.local_addr();
        let ip = own.map_err(|error| broken(NetError::Io(error)))?.ip();
        let listener = ftp_net::listen_in(ip, options.active_ports.clone())
            .await
            .map_err(broken)?;
        let place = listener
            .local_addr()
            .map_err(|error| broken(NetError::Io(error)))?;
        let told = options.active_address.unwrap_or_else(|| ip.to_canonical());
        let command = match (way, SocketAddr::new(told, place.port())) {
            (Way::Port, SocketAddr::V4(place)) => Command::Port(place),
            (_, place) => Command::Eprt(place),
        };
        let reply = self
            .control
            .exchange(&command)
            .await
            .map_err(Trouble::Lost)?;
        match reply.code.is_completion() {
            true => Ok(listener),
            false => Err(Trouble::NoWay(reply)),
        }
    }

    /// The server's connection; or what it says in place of it.
    async fn accept(
        &mut self,
        listener: &TcpListener,
        limit: Duration,
    ) -> Result<(TcpStream, IpAddr), Option<Reply>> {
        let waiting = async {
            tokio::select! {
                biased;
                accepted = listener.accept() => accepted.map_err(|_| None),
                reply = self.control.next_reply("active mode") => Err(reply.ok()),
            }
        };
        match tokio::time::timeout(limit, waiting).await {
            Ok(Ok((tcp, from))) => Ok((tcp, from.ip())),
            Ok(Err(reply)) => Err(reply),
            Err(_) => Err(None),
        }
    }

    /// What the server says to a data connection that failed.
    async fn last_words(&mut self, doing: &str) -> Option<Reply> {
        let limit = Duration::from_secs(5).min(self.control.timeouts.reply);
        let waiting = tokio::time::timeout(limit, self.control.final_reply(doing));
        waiting.await.ok().and_then(Result::ok)
    }
}

fn net(error: io::Error) -> NetError {
    match error.downcast::<NetError>() {
        Ok(net) => net,
        Err(io) => NetError::Io(io),
    }
}

/// Everything that comes, up to the bound; whether there was more, and whether TLS ended without a goodbye.
async fn take(stream: &mut Stream) -> io::Result<(Vec<u8>, bool, bool)> {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) => break,
            Ok(read) => bytes.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Ok((bytes, false, true));
            }
            Err(error) => return Err(error),
        }
        if bytes.len() > MOST {
            bytes.truncate(MOST);
            return Ok((bytes, true, false));
        }
    }
    let _ = shutdown_orderly(stream, GOODBYE).await;
    Ok((bytes, false, false))
}

async fn put(stream: &mut Stream, content: &[u8]) -> io::Result<()> {
    stream.write_all(content).await?;
    shutdown_orderly(stream, GOODBYE).await.map(drop)
}

/// `1 entry`, `2 entries`.
pub(super) fn entries(count: usize) -> String {
    match count {
        1 => "1 entry".to_owned(),
        count => format!("{count} entries"),
    }
}

/// Bytes as they are quoted.
pub(super) fn quoted(bytes: &[u8]) -> String {
    format!("\"{}\"", escape(bytes, 200))
}
