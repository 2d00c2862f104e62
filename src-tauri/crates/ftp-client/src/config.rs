use std::{
    fmt,
    net::IpAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use ftp_net::{
    Dialer, NetError, Proxy, Timeouts,
    tls::{ClientTls, TlsOptions, Trust},
};
use ftp_proto::{Argument, Charset, Secret, listing::ListParsers};

use crate::{DataOptions, Error, HostMemory, KeepAlive, Reconnect, Speed, constants};

/// How a connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TlsMode {
    /// TLS where the server offers it, plain where it doesn't. A password still isn't sent in plain unless
    /// [`Config::allow_plaintext`] says so.
    #[default]
    Auto,
    /// TLS by AUTH TLS on the ordinary port, or no connection (RFC 4217).
    Explicit,
    /// TLS from the first byte, usually on port 990.
    Implicit,
    /// No TLS.
    Off,
}

impl TlsMode {
    /// The port that goes with the mode: 990 for implicit TLS, 21 otherwise.
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Implicit => 990,
            Self::Auto | Self::Explicit | Self::Off => 21,
        }
    }
}

/// Who opens data connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum DataMode {
    /// We do, save that for many small files on a long way the server does, where that saves time and one transfer has
    /// shown that it reaches us.
    #[default]
    Auto,
    /// We do: EPSV, else PASV. Where that fails, the server does, unless [`DataOptions::fallback`] is off.
    Passive,
    /// The server does: EPRT, else PORT. Where that fails, we do, unless [`DataOptions::fallback`] is off.
    Active,
}

/// A user and what proves who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The user's name.
    pub user: Argument,
    /// The password.
    pub password: Secret,
    /// The account, for the few servers that ask for one (ACCT).
    pub account: Option<Secret>,
}

impl Login {
    /// A user with a password.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`](crate::ErrorKind::Argument) where either holds CR, LF or NUL.
    pub fn new(user: &str, password: &str) -> Result<Self, Error> {
        Ok(Self {
            user: Argument::try_from(user).map_err(Error::argument)?,
            password: Secret::try_from(password).map_err(Error::argument)?,
            account: None,
        })
    }

    /// The public's login, as RFC 1635 has it.
    ///
    /// # Panics
    /// Never: the two words hold nothing that is refused.
    #[must_use]
    pub fn anonymous() -> Self {
        Self::new(constants::DEFAULT_USER, constants::DEFAULT_PASSWORD).expect("plain words")
    }

    /// True where the password is no secret.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        let user = self.user.as_bytes();
        user.eq_ignore_ascii_case(b"anonymous") || user.eq_ignore_ascii_case(b"ftp")
    }
}

/// What [`Client::connect`](crate::Client::connect) needs to know.
#[derive(Clone)]
pub struct Config {
    /// Host name or address; an IPv6 address with or without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// How the connection is protected.
    pub tls: TlsMode,
    /// Whose certificates are accepted.
    pub trust: Trust,
    /// Who logs in.
    pub login: Login,
    /// How long to wait for what.
    pub timeouts: Timeouts,
    /// Who opens data connections.
    pub data: DataMode,
    /// By which commands, from which ports, and what is tried where that fails.
    pub data_options: DataOptions,
    /// Connect to the address that PASV names, unless that can't be reached from here: a private one of a server with a public
    /// address, say. False: to the control connection's, whatever PASV says, since
    /// a hostile server could otherwise point us at somebody else.
    pub trust_pasv_address: bool,
    /// Send a password over an unencrypted connection where there is no other.
    pub allow_plaintext: bool,
    /// Which versions of TLS are spoken, and the certificate that is shown to a server who asks for one.
    pub tls_options: TlsOptions,
    /// The proxy that the control connection and all data connections go through; `None`: straight. Nobody can connect to us
    /// through a proxy, so there is no active mode then.
    pub proxy: Option<Proxy>,
    /// The address of this computer that connections come from; `None`: as the system chooses.
    pub source: Option<IpAddr>,
    /// How long the control connection may be silent before the system asks whether the server is still there (TCP
    /// keep-alive), which also keeps a router from forgetting it during a long transfer; `None`: it never asks.
    pub tcp_keep_alive: Option<Duration>,
    /// How the server's names are text. With another charset than UTF-8 the server is not asked to speak UTF-8.
    pub charset: Charset,
    /// What keeps an idle session from being closed by the server.
    pub keep_alive: KeepAlive,
    /// What is done when connecting fails, and when a session was lost while nobody used it. Nothing by default: whoever
    /// holds the session decides.
    pub reconnect: Reconnect,
    /// The name that this client tells servers that have CLNT; some switch features on by it.
    pub client_name: Argument,
    /// Which of the sites of a server with several is meant (HOST, RFC 7151); it is sent before the login where given.
    pub virtual_host: Option<Argument>,
    /// The language of the server's messages (LANG, RFC 2640 section 4.1), such as `de` or `fr-CA`, where it offers languages.
    pub language: Option<Argument>,
    /// After the login, go on with commands in plain (CCC, RFC 4217 section 12.3): for firewalls that must read them. Data stays
    /// encrypted. Where the server refuses, the connection fails.
    pub clear_control: bool,
    /// Refuse data connections that don't resume the TLS session of the control connection: only the server itself can
    /// resume it, so nobody else can have taken the connection over.
    pub require_resumption: bool,
    /// Parsers of one's own for the lines of listings, before or after those that are built in.
    pub list_parsers: ListParsers,
    /// Limits of speed, for all transfers together. Clones of a configuration share them.
    pub speed: Speed,
    /// What was learned of servers; share one between all clients of a program.
    pub hosts: HostMemory,
    /// Is told every line of the protocol, passwords masked.
    pub observer: Option<Observer>,
}

impl Config {
    /// Anonymous, TLS where there is some, system trust, port 21.
    ///
    /// # Panics
    /// Never: the words that it sets hold nothing that is refused.
    #[must_use]
    pub fn new(host: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            port: TlsMode::Auto.default_port(),
            tls: TlsMode::Auto,
            trust: Trust::default(),
            login: Login::anonymous(),
            timeouts: Timeouts::default(),
            data: DataMode::Auto,
            data_options: DataOptions::default(),
            trust_pasv_address: false,
            allow_plaintext: false,
            tls_options: TlsOptions::default(),
            proxy: None,
            source: None,
            tcp_keep_alive: Some(Duration::from_secs(60)),
            charset: Charset::AUTO,
            keep_alive: KeepAlive::default(),
            reconnect: Reconnect::NEVER,
            client_name: Argument::try_from("Slipway").expect("a plain word"),
            virtual_host: None,
            language: None,
            clear_control: false,
            require_resumption: false,
            list_parsers: ListParsers::new(),
            speed: Speed::default(),
            hosts: HostMemory::default(),
            observer: None,
        }
    }

    /// How connections of this session are made.
    pub(crate) fn dialer(&self) -> Dialer {
        Dialer {
            proxy: self.proxy.clone(),
            source: self.source,
            keep_alive: self.tcp_keep_alive,
            limit: self.timeouts.connect,
        }
    }

    /// The TLS of this session.
    pub(crate) fn client_tls(&self) -> Result<ClientTls, NetError> {
        ClientTls::with_options(&self.host, &self.trust, &self.tls_options)
    }

    /// The same with another login.
    #[must_use]
    pub fn with_login(mut self, login: Login) -> Self {
        self.login = login;
        self
    }

    /// The same with another port.
    #[must_use]
    pub const fn with_port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The same with another protection.
    #[must_use]
    pub const fn with_tls(mut self, tls: TlsMode) -> Self {
        self.tls = tls;
        self
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("tls", &self.tls)
            .field("login", &self.login)
            .field("data", &self.data)
            .field("proxy", &self.proxy)
            .finish_non_exhaustive()
    }
}

/// Who is told what goes over the control connection. It is called on the connection's task and must not
/// block.
pub type Observer = Arc<dyn Fn(LogEvent) + Send + Sync>;

/// One line of the protocol log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEvent {
    /// When it happened.
    pub at: SystemTime,
    /// Who said it.
    pub kind: LogKind,
    /// What was said: passwords masked, bytes that are no text escaped.
    pub text: String,
}

/// Who said a line of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogKind {
    /// We, to the server.
    Sent,
    /// The server.
    Received,
    /// The client, of what it does.
    Info,
    /// The client, of what went wrong.
    Warning,
}
