use std::sync::Arc;

use ftp_net::{
    Stream,
    tls::{ClientTls, TlsSession, TlsVersion, Versions},
};
use ftp_proto::{Argument, Command, Features, Reply};

use super::{Driver, Shared, kind::Kind};
use crate::{
    Config, Error, ErrorKind, LogKind, Login, Security, SessionFacts, TlsMode,
    control::{self, Control},
};

impl Driver {
    /// Connects as [`Driver::connect`] does, as often as the policy says.
    pub(crate) async fn connect_patiently(
        config: Config,
        shared: Arc<Shared>,
    ) -> Result<Self, Error> {
        let mut number = 0;
        loop {
            let error = match Self::connect(config.clone(), shared.clone()).await {
                Err(error) if error.is_retryable() => error,
                outcome => return outcome,
            };
            let Some(wait) = config.reconnect.begin.wait(number) else {
                return Err(error);
            };
            let note = format!("{error}; trying again in {} s", wait.as_secs_f32());
            control::log(config.observer.as_ref(), LogKind::Warning, note);
            tokio::time::sleep(wait).await;
            number += 1;
        }
    }

    /// Connects, secures and logs in.
    pub(crate) async fn connect(config: Config, shared: Arc<Shared>) -> Result<Self, Error> {
        let tls = match config.tls {
            TlsMode::Off => None,
            _ => Some(
                config
                    .client_tls()
                    .map_err(|error| Error::net(connecting(&config), error))?,
            ),
        };
        loop {
            match Self::attempt(&config, &shared, tls.as_ref()).await {
                // Nothing but TLS 1.3 there: then without resumption.
                Err(error)
                    if error.is_tls_incompatible()
                        && config.tls_options.max == TlsVersion::V13
                        && config.hosts.get(&config.host, config.port).tls12 =>
                {
                    config.hosts.learn(&config.host, config.port, |learned| {
                        learned.tls12 = false;
                        learned.tls13_only = true;
                    });
                }
                outcome => {
                    let driver = outcome?;
                    driver.publish_facts(None);
                    return Ok(driver);
                }
            }
        }
    }

    /// Connects again in place, with TLS 1.2, and goes back to where the owner was.
    pub(super) async fn downgrade(&mut self) -> Result<(), Error> {
        self.control.log(
            LogKind::Info,
            "no TLS 1.3 session ticket is left for a data connection; connecting again with TLS 1.2",
        );
        self.learn(|learned| learned.tls12 = true);
        let _ = self.control.exchange(&Command::Quit).await;
        self.control.close().await;
        // The old connection is closed: without a new one the session is over.
        let outcome = self.connect_again().await;
        outcome.map_err(|error| self.control.kill(error))
    }

    pub(super) async fn connect_again(&mut self) -> Result<(), Error> {
        let mut fresh = Box::pin(Self::connect(
            Config::clone(&self.config),
            self.shared.clone(),
        ))
        .await?;
        if let Some(cwd) = &self.cwd
            && fresh.cwd.as_ref() != Some(cwd)
        {
            fresh.cwd(Command::Cwd(cwd.clone())).await?;
        }
        // A listing that is about to begin counts on the place that it was sent to.
        if let Some(place) = self.astray.take() {
            fresh.visit(place).await?;
        }
        fresh.no_mlsd = self.no_mlsd;
        fresh.wanted_type = self.wanted_type;
        fresh.site_help = self.site_help.take();
        fresh.zone_asked = self.zone_asked;
        *self = fresh;
        Ok(())
    }

    pub(super) fn learn(&self, change: impl FnOnce(&mut crate::memory::Learned)) {
        let config = &self.config;
        config.hosts.learn(&config.host, config.port, change);
    }

    pub(super) fn learned(&self) -> crate::memory::Learned {
        self.config.hosts.get(&self.config.host, self.config.port)
    }

    /// True where data connections can't resume this session any more (or never could: the tickets of TLS 1.3
    /// come with the first replies, so after the login it is known), and TLS 1.2 might help. What counts is
    /// what this session speaks; another one may have changed over already.
    pub(super) fn could_downgrade(&self) -> bool {
        self.data_encrypted
            && !self.learned().tls13_only
            && self
                .tls
                .as_ref()
                .is_some_and(|tls| tls.versions() == Versions::Any && !tls.can_resume())
    }

    async fn attempt(
        config: &Config,
        shared: &Arc<Shared>,
        tls: Option<&ClientTls>,
    ) -> Result<Self, Error> {
        let doing = connecting(config);
        control::log(config.observer.as_ref(), LogKind::Info, &*doing);
        let tcp = config
            .dialer()
            .connect(&config.host, config.port)
            .await
            .map_err(|error| Error::net(&*doing, error))?;
        let mut control =
            Control::new(Stream::Plain(tcp), config.timeouts, config.observer.clone());
        let mut secured = None;
        if let (TlsMode::Implicit, Some(tls)) = (config.tls, tls) {
            secured = Some(handshake(&mut control, tls, config).await?);
        }
        let greeting = greeting(&mut control, &doing).await?;
        if let (TlsMode::Auto | TlsMode::Explicit, Some(tls)) = (config.tls, tls) {
            // ProFTPD wants every data connection to resume the session and hands out no TLS 1.3
            // tickets on uploads, so a few uploads use up all there are.
            if greeting.text().contains("ProFTPD") {
                config.hosts.learn(&config.host, config.port, |learned| {
                    learned.tls12 = !learned.tls13_only;
                });
            }
            if !plain_lately(config) {
                // Servers that we know have had the RFC's name for it for twenty years.
                let old = Kind::of(&greeting) == Kind::Other;
                if auth(&mut control, config.tls, old).await? {
                    secured = Some(handshake(&mut control, tls, config).await?);
                } else {
                    config.hosts.has_no_tls(&config.host, config.port);
                }
            }
        }
        let mut driver = Self::over(config, shared.clone(), control, secured, &greeting);
        driver.choose_host().await?;
        driver.log_in(&config.login).await?;
        driver.settle(greeting).await?;
        Ok(driver)
    }

    /// A session over a connection that has been greeted and, where that is wished, secured. Nobody has logged in yet.
    fn over(
        config: &Config,
        shared: Arc<Shared>,
        control: Control,
        tls: Option<TlsSession>,
        greeting: &Reply,
    ) -> Self {
        Self {
            config: Arc::new(config.clone()),
            shared,
            control,
            tls,
            data_encrypted: false,
            features: Features::default(),
            type_now: None,
            wanted_type: b'I',
            cwd: None,
            astray: None,
            no_mlsd: false,
            whole_paths: false,
            placed: false,
            zone_asked: false,
            hash_now: None,
            rest_pending: false,
            ways: super::ways::State::default(),
            packing: super::packing::Packing::default(),
            running: None,
            unresumed: false,
            kind: Kind::of(greeting),
            site_help: None,
            wants_allo: false,
            disruptions: 0,
            active_fails: 0,
            left: false,
            before_ccc: None,
        }
    }

    /// Logs in over a connection that somebody else has made, and gives it back.
    pub(crate) async fn log_in_over(
        config: &Config,
        control: Control,
        tls: Option<TlsSession>,
        greeting: &Reply,
    ) -> Result<(Control, Option<TlsSession>), Error> {
        let shared = Arc::new(Shared::new());
        let mut driver = Self::over(config, shared, control, tls, greeting);
        driver.choose_host().await?;
        driver.log_in(&config.login).await?;
        Ok((driver.control, driver.tls))
    }

    /// USER, PASS and ACCT, as far as the server asks for them (RFC 959 section 6, RFC 1123 section 4.1.2).
    pub(super) async fn log_in(&mut self, login: &Login) -> Result<(), Error> {
        let harmless = login.is_anonymous() || login.password.is_empty();
        if self.tls.is_none() && !harmless && !self.config.allow_plaintext {
            let _ = self.control.exchange(&Command::Quit).await;
            return Err(Error::new(
                ErrorKind::PlaintextRefused,
                connecting(&self.config),
            ));
        }
        let (mut command, mut reply) = self.introduce(login).await?;
        // Each step is asked for at most once, so that a server can't make us go round.
        for _ in 0..3 {
            let code = reply.code;
            if code.is_completion() {
                return Ok(());
            }
            command = match (code.value(), &command) {
                (331, Command::User(_)) => Command::Pass(login.password.clone()),
                (332, Command::User(_) | Command::Pass(_)) => match &login.account {
                    Some(account) => Command::Acct(account.clone()),
                    None => {
                        return Err(Error::with_reply(
                            ErrorKind::LoginRefused,
                            "ACCT: the server wants an account, and none is given",
                            reply,
                        ));
                    }
                },
                // Other 33x after USER: servers with one-time passwords put the challenge there.
                (330..=339, Command::User(_)) => Command::Pass(login.password.clone()),
                _ if code.is_intermediate() => {
                    return Err(Error::with_reply(
                        ErrorKind::LoginRefused,
                        format!("{}: the server wants something unknown", command.verb()),
                        reply,
                    ));
                }
                _ => {
                    let doing = format!("{}{}", command.redacted(), blanks_hint(login));
                    let error = Error::refused(doing.clone(), reply);
                    // Every refusal at this point is one of the login.
                    return Err(match error.kind() {
                        ErrorKind::Refused | ErrorKind::NotFound | ErrorKind::Unsupported => {
                            match error.reply() {
                                Some(reply) => {
                                    Error::with_reply(ErrorKind::LoginRefused, doing, reply.clone())
                                }
                                None => error,
                            }
                        }
                        _ => error,
                    });
                }
            };
            reply = self.control.exchange(&command).await?;
        }
        Err(Error::new(
            ErrorKind::Protocol,
            "login: the server asks in circles",
        ))
    }

    /// USER; and PASS in the same write where the server is known to read them one by one. Returns the last command that
    /// counts, and its reply.
    async fn introduce(&mut self, login: &Login) -> Result<(Command, Reply), Error> {
        let user = Command::User(login.user.clone());
        if login.password.is_empty() || !self.takes_password_early() {
            let reply = self.control.exchange(&user).await?;
            return Ok((user, reply));
        }
        let both = [user, Command::Pass(login.password.clone())];
        let reply = self.control.exchange_first(&both).await?;
        let second = self.control.final_reply(&both[1].redacted()).await;
        let [user, pass] = both;
        match reply.code.value() {
            330..=339 if reply.code.value() != 332 => Ok((pass, second?)),
            // What came to PASS was said of the name already, or the server has hung up.
            _ => Ok((user, reply)),
        }
    }

    pub(super) async fn set_type(&mut self, wanted: u8) -> Result<(), Error> {
        if self.type_now == Some(wanted) {
            return Ok(());
        }
        let argument = Argument::try_from(&[wanted][..]).map_err(Error::argument)?;
        self.command(Command::Type(argument)).await?;
        self.type_now = Some(wanted);
        Ok(())
    }

    /// After a raw command anything may be different.
    pub(crate) fn forget_state(&mut self) {
        self.type_now = None;
        self.hash_now = None;
    }

    /// Tells the handles what is known of the session.
    pub(super) fn publish_facts(&self, resumes: Option<bool>) {
        let Some(facts) = self.shared.facts() else {
            return;
        };
        // Most data connections bring no news.
        if let Security::Tls { resumes: known, .. } = &facts.security
            && known.is_some()
            && *known == resumes
        {
            return;
        }
        let mut facts = SessionFacts::clone(&facts);
        facts.security = self.security(resumes);
        self.shared.set_facts(facts);
    }

    fn security(&self, resumes: Option<bool>) -> Security {
        let Some(session) = &self.tls else {
            return Security::Plain;
        };
        let negotiated = self
            .control
            .stream()
            .ok()
            .and_then(ftp_net::Stream::tls_facts);
        let commands_encrypted = negotiated.is_some();
        match (
            negotiated.or_else(|| self.before_ccc.clone()),
            session.certificate(),
        ) {
            (Some(facts), Some(certificate)) => Security::Tls {
                version: facts.version,
                cipher: facts.cipher,
                certificate: Box::new(certificate.clone()),
                chain: session.chain().to_vec(),
                pinned: session.by_pin(),
                resumes,
                data_encrypted: self.data_encrypted,
                commands_encrypted,
            },
            _ => Security::Plain,
        }
    }
}

/// A blank at an end of a name or password is hard to see, and seldom meant.
fn blanks_hint(login: &Login) -> &'static str {
    let edged = |text: &[u8]| text.trim_ascii().len() != text.len();
    if edged(login.user.as_bytes()) {
        " (the user name begins or ends with a blank)"
    } else if edged(login.password.expose()) {
        " (the password begins or ends with a blank)"
    } else {
        ""
    }
}

fn connecting(config: &Config) -> String {
    let through = config.proxy.as_ref();
    let through = through.map_or_else(String::new, |proxy| format!(" through {proxy}"));
    format!("connecting to {}:{}{through}", config.host, config.port)
}

/// 220, or 120 and then 220 (RFC 959 section 5.4). A 230 means that no login is needed; it is asked for all the
/// same, since encryption comes first.
async fn greeting(control: &mut Control, doing: &str) -> Result<Reply, Error> {
    let reply = control.final_reply(doing).await?;
    if reply.code.is_completion() {
        return Ok(reply);
    }
    Err(Error::with_reply(ErrorKind::Busy, doing, reply))
}

/// True where this program was told a moment ago that the server has no TLS, and may go on without: the further connections
/// of a transfer don't ask again, which would cost each of them a round trip. It is soon asked again, and never where TLS is
/// demanded: somebody in between could have said it.
fn plain_lately(config: &Config) -> bool {
    config.tls == TlsMode::Auto
        && config.allow_plaintext
        && config.hosts.had_no_tls(&config.host, config.port)
}

/// AUTH TLS, else (if `old`) AUTH SSL; false where the server has neither and the mode allows to go on without.
pub(super) async fn auth(control: &mut Control, mode: TlsMode, old: bool) -> Result<bool, Error> {
    let mut last = None;
    let mechanisms: &[&str] = if old { &["TLS", "SSL"] } else { &["TLS"] };
    for &mechanism in mechanisms {
        let argument = Argument::try_from(mechanism).map_err(Error::argument)?;
        let reply = control.exchange(&Command::Auth(argument)).await?;
        if reply.code.is_completion() || reply.code.is_intermediate() {
            return Ok(true);
        }
        last = Some(reply);
    }
    match (mode, last) {
        (TlsMode::Explicit, Some(reply)) => Err(Error::with_reply(
            ErrorKind::TlsUnavailable,
            "AUTH TLS",
            reply,
        )),
        _ => Ok(false),
    }
}

pub(super) async fn handshake(
    control: &mut Control,
    tls: &ClientTls,
    config: &Config,
) -> Result<TlsSession, Error> {
    let versions = if config.hosts.get(&config.host, config.port).tls12 {
        Versions::Tls12
    } else {
        Versions::Any
    };
    let mut session = tls.session(versions);
    if config.require_resumption {
        session.demand_resumption();
    }
    let tcp = match control.take_for_tls()? {
        Stream::Plain(tcp) => tcp,
        other => {
            control.put_back(other);
            return Err(Error::new(ErrorKind::Protocol, "TLS over TLS"));
        }
    };
    let stream = session
        .connect(tcp, config.timeouts.connect)
        .await
        .map_err(|error| Error::net(connecting(config), error))?;
    if let Some(facts) = stream.tls_facts() {
        control.log(
            LogKind::Info,
            format!("{}, {}", facts.version, facts.cipher),
        );
    }
    control.put_back(stream);
    Ok(session)
}
