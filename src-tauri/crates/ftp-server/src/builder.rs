//! How a server is put together.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;

use ftp_net::tls::ServerTls;
use ftp_proto::{Charset, CharsetError};
use tokio::net::{TcpListener, ToSocketAddrs};
use vfs::Vfs;

use crate::account::{Accounts, User, Users};
use crate::custom::{CustomCommand, CustomCommands, is_verb};
use crate::host::VirtualHost;
use crate::layer::{Layer, Layers};
use crate::limits::{DataSession, Limits, SpeedLimits};
use crate::ports::DataPorts;
use crate::profile::Profile;
use crate::server::{Config, RunningServer};
use crate::verbs;

/// Why a server can't start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Nobody could log in: no users, no anonymous access, no [`Accounts`].
    #[error("a server needs a user, or anonymous access")]
    NoUsers,
    /// A user has no tree, and neither has the server.
    #[error("a user without a tree of its own needs one of the server")]
    NoVfs,
    /// TLS is required or implicit, and there is no certificate.
    #[error("TLS was asked for without a certificate")]
    NoCertificate,
    /// The welcome text has a line break or another control character in it.
    #[error("the welcome text must be one line")]
    Welcome,
    /// A virtual host has no name that a client could say, or a certificate where the server has none.
    #[error("\"{0}\" can't be a virtual host")]
    Host(String),
    /// TLS is required, but the profile has no AUTH, and TLS is not implicit.
    #[error("TLS was required of a profile that has only the implicit one")]
    NoAuth,
    /// The system type has a line break or another control character in it.
    #[error("the system type must be one line")]
    SystemType,
    /// A command of one's own has a verb that is none, or that the server has already.
    #[error("\"{0}\" can't be the verb of a command of one's own")]
    Verb(String),
    /// The charset for names is none, or none that FTP can carry.
    #[error(transparent)]
    Charset(#[from] CharsetError),
    /// The address can't be listened on.
    #[error("can't listen: {0}")]
    Bind(#[from] io::Error),
}

/// Collects the options of a server; see [`Server::builder`](crate::Server::builder).
#[must_use]
#[derive(Default)]
pub struct ServerBuilder {
    vfs: Option<Arc<dyn Vfs>>,
    users: Vec<User>,
    anonymous: Option<User>,
    accounts: Option<Arc<dyn Accounts>>,
    tls: Option<ServerTls>,
    implicit: bool,
    require_tls: bool,
    data_session: DataSession,
    unclean_end: bool,
    welcome: Option<String>,
    pub(crate) limits: Limits,
    passive_address: Option<Ipv4Addr>,
    data_ports: DataPorts,
    commands: CustomCommands,
    hosts: Vec<VirtualHost>,
    speed: SpeedLimits,
    session_speed: SpeedLimits,
    allow_fxp: bool,
    charset: String,
    layers: Layers,
    profile: Profile,
    system_type: Option<String>,
}

impl ServerBuilder {
    /// The tree of every user that has none of its own.
    pub fn vfs(mut self, vfs: Arc<dyn Vfs>) -> Self {
        self.vfs = Some(vfs);
        self
    }

    /// Adds a user. Of two with one name the first counts.
    pub fn user(mut self, user: User) -> Self {
        self.users.push(user);
        self
    }

    /// Lets `anonymous` and `ftp` in with any password, as this user (whose name doesn't matter).
    pub fn anonymous(mut self, user: User) -> Self {
        self.anonymous = Some(user);
        self
    }

    /// Lets `anonymous` and `ftp` in with any password, to read the server's tree.
    pub fn anonymous_read_only(self) -> Self {
        self.anonymous(User::new("anonymous").read_only())
    }

    /// Decides about logins in place of [`user`](Self::user) and [`anonymous`](Self::anonymous).
    pub fn accounts(mut self, accounts: Arc<dyn Accounts>) -> Self {
        self.accounts = Some(accounts);
        self
    }

    /// Offers TLS with this certificate (AUTH TLS, RFC 4217).
    pub fn tls(mut self, tls: ServerTls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// TLS from the first byte on, on the control connection; data connections as PROT says, private by default.
    pub fn implicit_tls(mut self, implicit: bool) -> Self {
        self.implicit = implicit;
        self
    }

    /// Refuses logins without TLS (530) and transfers without it (521).
    pub fn require_tls(mut self, require: bool) -> Self {
        self.require_tls = require;
        self
    }

    /// What encrypted data connections must prove; [`DataSession::Any`] by default.
    pub fn data_session(mut self, data_session: DataSession) -> Self {
        self.data_session = data_session;
        self
    }

    /// Takes an encrypted upload for complete although the client closed it without the goodbye of TLS (close_notify), as some old
    /// clients do. Off by default: it could as well have been cut short.
    pub fn accept_unclean_end(mut self, accept: bool) -> Self {
        self.unclean_end = accept;
        self
    }

    /// The text of the greeting, one line.
    pub fn welcome(mut self, text: impl Into<String>) -> Self {
        self.welcome = Some(text.into());
        self
    }

    /// All bounds at once.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The address that PASV announces, for a server behind address translation.
    pub fn passive_address(mut self, address: Ipv4Addr) -> Self {
        self.passive_address = Some(address);
        self
    }

    /// Ports for passive data connections, as a range or a list; the system's choice by default. When all are taken, PASV and EPSV
    /// are answered with 425.
    pub fn data_ports(mut self, ports: impl Into<DataPorts>) -> Self {
        self.data_ports = ports.into();
        self
    }

    /// Lets data connections go to other machines than the client's, and come from them (FXP, transfers from server to server). Off by
    /// default: without it nobody can send this server against others, or take the data of others (RFC 2577). Ports below
    /// 1024 stay out of reach in either case.
    pub fn allow_fxp(mut self, allow: bool) -> Self {
        self.allow_fxp = allow;
        self
    }

    /// Names go over the wire in this charset (`windows-1251`, `sjis`, `latin1`: a label of the WHATWG's Encoding Standard) until a
    /// client says OPTS UTF8 ON; UTF-8 by default (RFC 2640). Names of the tree that it has no letters for are not shown.
    pub fn charset(mut self, label: impl Into<String>) -> Self {
        self.charset = label.into();
        self
    }

    /// A policy around the commands of all sessions, inside those that were added before. See [`Layer`].
    pub fn layer(mut self, layer: Arc<dyn Layer>) -> Self {
        self.layers.push(layer);
        self
    }

    /// Adds a command of one's own, under a verb of up to 16 letters and digits that the server doesn't have. HELP names it.
    pub fn command(mut self, verb: &str, command: Arc<dyn CustomCommand>) -> Self {
        self.commands.insert(verb.to_ascii_uppercase(), command);
        self
    }

    /// Adds a host of its own under this address, for clients that say which one they mean: by HOST (RFC 7151), or by the name in
    /// the handshake of TLS. Without either it is the server itself that answers.
    pub fn host(mut self, host: VirtualHost) -> Self {
        self.hosts.push(host);
        self
    }

    /// Limits of speed of the whole server, shared by all transfers; see
    /// [`ServerHandle::set_speed`](crate::ServerHandle::set_speed) for changing them later.
    pub fn speed(mut self, limits: SpeedLimits) -> Self {
        self.speed = limits;
        self
    }

    /// Limits of speed of each session.
    pub fn session_speed(mut self, limits: SpeedLimits) -> Self {
        self.session_speed = limits;
        self
    }

    /// Whose words the server speaks. The limits that go with a profile are its [`Profile::limits`]; they aren't set by this.
    pub fn profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// What SYST says, one line; `UNIX Type: L8` by default, which clients take for listings as `ls -l` makes them.
    pub fn system_type(mut self, text: impl Into<String>) -> Self {
        self.system_type = Some(text.into());
        self
    }

    /// Listens (port 0: the system's choice) and serves until [`RunningServer::stop`] or until the result is dropped.
    ///
    /// # Errors
    /// See [`BuildError`].
    pub async fn bind(self, address: impl ToSocketAddrs) -> Result<RunningServer, BuildError> {
        let config = self.check()?;
        let listener = TcpListener::bind(address).await?;
        Ok(RunningServer::start(config, listener)?)
    }

    fn check(self) -> Result<Config, BuildError> {
        let accounts = match self.accounts {
            Some(accounts) => accounts,
            None if self.users.is_empty() && self.anonymous.is_none() => {
                return Err(BuildError::NoUsers);
            }
            None => Arc::new(Users::new(self.users, self.anonymous, self.vfs.as_ref())?),
        };
        if self.tls.is_none() && (self.implicit || self.require_tls) {
            return Err(BuildError::NoCertificate);
        }
        let welcome = self.welcome.unwrap_or_else(|| "Slipway".to_owned());
        if welcome.chars().any(char::is_control) {
            return Err(BuildError::Welcome);
        }
        if self.profile == Profile::Aioftp && self.require_tls && !self.implicit {
            return Err(BuildError::NoAuth);
        }
        let system_type = self
            .system_type
            .unwrap_or_else(|| "UNIX Type: L8".to_owned());
        if system_type.chars().any(char::is_control) {
            return Err(BuildError::SystemType);
        }
        let mut verbs = self.commands.keys();
        if let Some(verb) = verbs.find(|verb| !is_verb(verb) || verbs::is_known(verb)) {
            return Err(BuildError::Verb(verb.clone()));
        }
        let hosts = self.hosts.into_iter();
        let hosts = hosts.map(|host| host.check(self.vfs.as_ref(), self.tls.is_some()));
        let hosts = hosts.collect::<Result<_, _>>()?;
        Ok(Config {
            hosts,
            commands: self.commands,
            speed: self.speed,
            session_speed: self.session_speed,
            allow_fxp: self.allow_fxp,
            charset: Charset::for_label(&self.charset)?,
            layers: self.layers,
            profile: self.profile,
            system_type,
            accounts,
            tls: self.tls,
            implicit: self.implicit,
            require_tls: self.require_tls,
            data_session: self.data_session,
            unclean_end: self.unclean_end,
            welcome,
            limits: self.limits.bounded(),
            passive_address: self.passive_address,
            data_ports: self.data_ports,
        })
    }
}
