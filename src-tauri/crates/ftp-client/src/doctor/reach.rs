//! From the name to the login.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use ftp_net::{NetError, Stream, tls::TlsSession};
use ftp_proto::Reply;

use super::{
    Check,
    patient::{Line, Patient, said},
};
use crate::{Error, ErrorKind, TlsMode, control::Control, driver::Driver};

/// No more addresses of one name are looked at.
const MOST_ADDRESSES: usize = 8;
/// What takes longer than this makes people wait.
const SLOW: Duration = Duration::from_secs(5);
const SLOW_LOOKUPS: &str = "The server lets its clients wait. Often it looks up their names (reverse DNS, ident) and should not: \
    vsftpd reverse_lookup_enable=NO, ProFTPD UseReverseDNS off and IdentLookups off, Pure-FTPd -H.";

impl Patient<'_> {
    /// Up to a session that somebody has logged in to. An error: there is none.
    pub(super) async fn reach(&mut self) -> Result<(), Error> {
        let addresses = self.resolve().await?;
        let begin = Instant::now();
        let mut control = self.dial(addresses).await?;
        if let Some(round) = self.address {
            control.log(crate::LogKind::Info, format!("examining {round}"));
        }
        let mut tls = None;
        if self.config.tls == TlsMode::Implicit {
            tls = Some(self.shake_hands(&mut control, Check::Auth).await?);
        }
        let greeting = self.greeting(&mut control, begin).await?;
        if matches!(self.config.tls, TlsMode::Auto | TlsMode::Explicit) {
            tls = self.auth(&mut control).await?;
        } else if self.config.tls == TlsMode::Off {
            self.notice(
                Check::Auth,
                Instant::now(),
                "TLS was not wished: password and files can be read on the way",
                None,
            );
        }
        if let Some(tls) = &tls {
            self.look_at_certificate(tls);
        }
        self.log_in(control, tls, &greeting).await
    }

    async fn resolve(&mut self) -> Result<Vec<SocketAddr>, Error> {
        let begin = Instant::now();
        let (host, port) = (self.config.host.clone(), self.config.port);
        if let Some(proxy) = self.config.proxy.clone() {
            self.skip(
                Check::Resolve,
                format!("everything goes through the proxy {proxy}"),
            );
            return Ok(Vec::new());
        }
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(ip) = bare.parse::<IpAddr>() {
            self.skip(Check::Resolve, format!("{ip} is an address, and no name"));
            return Ok(vec![SocketAddr::new(ip, port)]);
        }
        let doing = format!("connecting to {host}:{port}");
        let found = ftp_net::resolve(&host, port, self.config.timeouts.connect)
            .await
            .map_err(|error| Error::net(&*doing, error));
        let mut addresses = match found {
            Ok(addresses) if !addresses.is_empty() => addresses,
            found => {
                let error = found
                    .err()
                    .unwrap_or_else(|| Error::new(ErrorKind::Resolve, &*doing));
                self.problem(
                    Check::Resolve,
                    begin,
                    format!("the name has no address: {error}"),
                    Some("The name needs an A or AAAA record in DNS; perhaps it is written in another way."),
                );
                return Err(error);
            }
        };
        addresses.dedup();
        let all: Vec<String> = addresses
            .iter()
            .map(|address| address.ip().to_string())
            .collect();
        let sixes = addresses.iter().filter(|address| address.is_ipv6()).count();
        let what = format!(
            "{host} is {} ({} IPv4, {sixes} IPv6)",
            all.join(", "),
            addresses.len() - sixes
        );
        if begin.elapsed() > SLOW {
            self.notice(
                Check::Resolve,
                begin,
                format!("{what}, which took long to find out"),
                Some("The name servers of the domain are slow to answer."),
            );
        } else {
            self.good(Check::Resolve, begin, what);
        }
        addresses.truncate(MOST_ADDRESSES);
        Ok(addresses)
    }

    /// A connection to each address; the first one is kept.
    async fn dial(&mut self, addresses: Vec<SocketAddr>) -> Result<Control, Error> {
        let (host, port) = (self.config.host.clone(), self.config.port);
        let dialer = self.config.dialer();
        let doing = format!("connecting to {host}:{port}");
        if addresses.is_empty() {
            let begin = Instant::now();
            return match dialer.connect(&host, port).await {
                Ok(tcp) => {
                    self.good(
                        Check::Tcp,
                        begin,
                        format!("{host}:{port} is reached through the proxy"),
                    );
                    Ok(self.control(Stream::Plain(tcp)))
                }
                Err(error) => {
                    let error = Error::net(doing, error);
                    self.problem(Check::Tcp, begin, format!("{error}"), None);
                    Err(error)
                }
            };
        }
        let mut kept: Option<Control> = None;
        let mut outcomes = Vec::new();
        for address in addresses {
            let begin = Instant::now();
            match dialer.connect_addr(address).await {
                Ok(tcp) => {
                    outcomes.push((address, begin, Ok(begin.elapsed())));
                    if kept.is_none() {
                        self.address = Some(address);
                        kept = Some(self.control(Stream::Plain(tcp)));
                    }
                }
                Err(error) => outcomes.push((address, begin, Err(error))),
            }
        }
        let mut last = None;
        for (address, begin, outcome) in outcomes {
            match outcome {
                Ok(took) => self.good(
                    Check::Tcp,
                    begin,
                    format!(
                        "{address} answers after {:.0} ms",
                        took.as_secs_f64() * 1000.0
                    ),
                ),
                Err(error) => {
                    let (what, tell) = unreachable_words(address, &error);
                    match tell {
                        Some(tell) => self.problem(Check::Tcp, begin, what, Some(tell)),
                        None => self.notice(Check::Tcp, begin, what, None),
                    }
                    last = Some(error);
                }
            }
        }
        match (kept, last) {
            (Some(control), _) => Ok(control),
            (None, Some(error)) => Err(Error::net(doing, error)),
            (None, None) => Err(Error::new(ErrorKind::Connect, doing)),
        }
    }

    fn control(&self, stream: Stream) -> Control {
        Control::new(stream, self.config.timeouts, self.config.observer.clone())
    }

    /// A further connection, to where the first one went.
    pub(super) async fn connect(&mut self) -> Result<(Control, Option<SocketAddr>), Error> {
        let (host, port) = (&self.config.host, self.config.port);
        let dialer = self.config.dialer();
        let tcp = match self.address {
            Some(address) => dialer.connect_addr(address).await,
            None => dialer.connect(host, port).await,
        };
        let tcp = tcp.map_err(|error| Error::net(format!("connecting to {host}:{port}"), error))?;
        Ok((self.control(Stream::Plain(tcp)), self.address))
    }

    /// Greeting and TLS of a further connection.
    pub(super) async fn quietly_secured(
        &mut self,
        control: &mut Control,
    ) -> Result<(Reply, Option<TlsSession>), Error> {
        let mut tls = None;
        if self.config.tls == TlsMode::Implicit {
            tls = Some(self.hands(control).await?);
        }
        let greeting = control.final_reply("the greeting").await?;
        if !greeting.code.is_completion() {
            return Err(Error::with_reply(ErrorKind::Busy, "the greeting", greeting));
        }
        if matches!(self.config.tls, TlsMode::Auto | TlsMode::Explicit)
            && self.auth_verb(control).await?.is_ok()
        {
            tls = Some(self.hands(control).await?);
        }
        Ok((greeting, tls))
    }

    async fn greeting(&mut self, control: &mut Control, begin: Instant) -> Result<Reply, Error> {
        let greeting = match control.final_reply("the greeting").await {
            Ok(greeting) => greeting,
            Err(error) => {
                let (what, tell) = match error.kind() {
                    ErrorKind::Busy => (
                        format!("the server is full: {error}"),
                        Some("The server allows too few connections, in all or from one address."),
                    ),
                    ErrorKind::Timeout(_) => (
                        format!("the server takes the connection and says nothing: {error}"),
                        Some(
                            "If this port expects TLS from the first byte, use ftps:// (implicit TLS); else the server is overloaded, or looks up names before it greets.",
                        ),
                    ),
                    ErrorKind::Lost => (
                        format!("the server hangs up at once: {error}"),
                        Some(
                            "The server, or a filter before it, turns this address away (hosts.deny, fail2ban, a limit of connections).",
                        ),
                    ),
                    _ => (
                        format!("this is no FTP server: {error}"),
                        Some("Another service listens on this port."),
                    ),
                };
                self.problem(Check::Greeting, begin, what, tell);
                return Err(error);
            }
        };
        let quoted = said(&greeting);
        if !greeting.code.is_completion() {
            let error = Error::with_reply(ErrorKind::Busy, "the greeting", greeting);
            self.problem(
                Check::Greeting,
                begin,
                format!("the server turns us away: {quoted}"),
                Some("It says that it is not ready for anybody, or not for us."),
            );
            return Err(error);
        }
        match greeting.code.value() {
            _ if begin.elapsed() > SLOW => {
                self.notice(
                    Check::Greeting,
                    begin,
                    format!("{quoted} came late"),
                    Some(SLOW_LOOKUPS),
                );
            }
            220 => self.good(Check::Greeting, begin, quoted),
            _ => self.notice(
                Check::Greeting,
                begin,
                format!("{quoted}, and not 220"),
                Some("A server greets with 220 (RFC 959 section 5.4)."),
            ),
        }
        Ok(greeting)
    }

    async fn log_in(
        &mut self,
        control: Control,
        tls: Option<TlsSession>,
        greeting: &Reply,
    ) -> Result<(), Error> {
        let begin = Instant::now();
        let user = self.config.login.user.to_text().into_owned();
        let plain = tls.is_none() && !self.config.login.is_anonymous();
        match Driver::log_in_over(&self.careful, control, tls, greeting).await {
            Ok((control, tls)) => {
                self.line = Some(Line {
                    control,
                    tls,
                    protected: false,
                });
                if begin.elapsed() > SLOW {
                    self.notice(
                        Check::Login,
                        begin,
                        format!("{user} may come in, after a long wait"),
                        Some(SLOW_LOOKUPS),
                    );
                } else if plain {
                    self.notice(
                        Check::Login,
                        begin,
                        format!("{user} may come in, and the password went over the wire as it is"),
                        Some("Offer TLS (AUTH TLS, RFC 4217), so that passwords can't be read on the way."),
                    );
                } else {
                    self.good(Check::Login, begin, format!("{user} may come in"));
                }
                Ok(())
            }
            Err(error) => {
                let tell = match error.kind() {
                    ErrorKind::PlaintextRefused => None,
                    ErrorKind::LoginRefused => Some(
                        "The user or the password is wrong, the user is locked, or has no folder (the server's log says which).",
                    ),
                    ErrorKind::Busy => {
                        Some("The server allows too few connections, in all or for this user.")
                    }
                    _ => Some(
                        "The server breaks off in the middle of the login; its log may say why.",
                    ),
                };
                self.problem(Check::Login, begin, format!("{error}"), tell);
                Err(error)
            }
        }
    }
}

/// What to say of an address that can't be reached. Nothing for the administrator: it is this computer.
fn unreachable_words(address: SocketAddr, error: &NetError) -> (String, Option<&'static str>) {
    match error {
        NetError::Connect { source, .. } => match source.kind() {
            io::ErrorKind::ConnectionRefused => (
                format!("{address} refuses connections: nobody listens there"),
                Some(
                    "The server does not listen on this address and port, or a firewall answers for it; or take the address out of DNS.",
                ),
            ),
            io::ErrorKind::NetworkUnreachable if address.is_ipv6() => (
                format!("{address} is not reached: this computer has no way to IPv6"),
                None,
            ),
            _ => (
                format!("{address} is not reached: {source}"),
                Some(
                    "There is no way to this address; check its network, or take the address out of DNS.",
                ),
            ),
        },
        NetError::Timeout { limit, .. } => (
            format!("{address} gives no answer within {} s", limit.as_secs_f32()),
            Some(
                "A firewall swallows connections to this address and port, or there is no such computer; or take the address out of DNS.",
            ),
        ),
        other => (format!("{address}: {other}"), None),
    }
}
