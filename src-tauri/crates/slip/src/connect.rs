//! From an address to a session.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ftp_client::ftp_proto::{Argument, Charset, EncodeError, RemotePath, Secret};
use ftp_client::{
    Client, Config, Error, Fingerprint, HostMemory, LogKind, Login, Observer, Roots, Timeouts,
    TlsMode, Trust,
};
use transfer::{ConflictRule, SiteKey};
use vault::{Folders, Site, Sites, Trusted, login_account};

use crate::arguments::Moved;
use crate::cli::{Conflicts, Options, Rule};
use crate::data;
use crate::exit::Failure;
use crate::output::{self, Output};
use crate::password;
use crate::url::{Place, Scheme, Server, Url};

/// What was learned of servers.
const MEMORY: &str = "servers.json";
/// How long a server's limit of connections is not put to the test again.
const BELIEVED: Duration = Duration::from_secs(24 * 60 * 60);

/// Makes sessions as the options say.
#[derive(Clone)]
pub(crate) struct Connections {
    options: Options,
    moved: Moved,
    pub(crate) output: Output,
    roots: Roots,
    hosts: HostMemory,
    /// Somebody may be asked for passwords.
    may_ask: bool,
}

/// A server, and everything that is needed to log in there.
pub(crate) struct Target {
    /// An address there, for reports.
    url: Url,
    config: Config,
    /// The folder of a saved site.
    base: Option<RemotePath>,
    /// Where the password goes once it was accepted.
    remember: Option<String>,
    /// The same for the proxy's password.
    remember_proxy: Option<String>,
}

/// A session, and where it started.
pub(crate) struct Session {
    pub(crate) client: Client,
    pub(crate) target: Arc<Target>,
}

impl Connections {
    pub(crate) fn new(options: Options, moved: Moved, output: Output) -> Result<Self, Failure> {
        let roots = roots(&options)?;
        Ok(Self {
            options,
            moved,
            output,
            roots,
            hosts: data::file(MEMORY)
                .map_or_else(HostMemory::default, |file| HostMemory::load(&file)),
            may_ask: true,
        })
    }

    /// The same, but nobody is asked for a password.
    pub(crate) fn without_questions(&self) -> Self {
        Self {
            may_ask: false,
            ..self.clone()
        }
    }

    /// The same with other options; what is learned of servers is shared.
    pub(crate) fn with_options(&self, options: Options) -> Result<Self, Failure> {
        let roots = roots(&options)?;
        Ok(Self {
            options,
            roots,
            ..self.clone()
        })
    }

    /// Keeps what was learned of servers for the next time.
    pub(crate) fn keep_memory(&self) {
        if !self.hosts.is_changed() {
            return;
        }
        let Some(file) = data::file(MEMORY) else {
            return;
        };
        let kept = data::make_folder_of(&file).and_then(|()| self.hosts.save(&file));
        if let Err(error) = kept {
            // It will be learned again.
            if self.output.verbose {
                self.output.message(format!("{}: {error}", file.display()));
            }
        }
    }

    /// How many connections a server was lately found to take. `None`: nobody knows, or it was so long ago that it is worth
    /// another try.
    pub(crate) fn connections_of(&self, target: &Target) -> Option<u8> {
        let config = target.config();
        let (most, at) = self.hosts.connections(&config.host, config.port)?;
        let is_fresh = at.elapsed().is_ok_and(|age| age < BELIEVED);
        (is_fresh && most > 0).then_some(most)
    }

    /// Remembers that a server takes no more of us.
    pub(crate) fn learn_connections(&self, target: &Target, most: usize) {
        let config = target.config();
        let most = u8::try_from(most).ok();
        self.hosts
            .learn_connections(&config.host, config.port, most, SystemTime::now());
    }

    /// The rule for targets that exist, which must be one that can be followed here.
    pub(crate) fn rule(&self, conflicts: Conflicts) -> Result<ConflictRule, Failure> {
        if conflicts.conflict == Rule::Ask && !can_ask(self.output) {
            return Err(Failure::usage(
                "--conflict ask: there is nobody to ask, for this is no terminal (or --json or --quiet is given)",
            ));
        }
        Ok(conflicts.conflict.into())
    }

    /// Reads an address of the command line.
    pub(crate) fn parse(&self, text: &str) -> Result<Url, Failure> {
        let url = Url::parse(&self.moved.whole_url(text))
            .map_err(|error| Failure::Usage(error.to_string()))?;
        if let Place::Server(Server {
            password: Some(password),
            ..
        }) = &url.place
        {
            output::keep_secret(password.expose());
        }
        Ok(url)
    }

    /// Finds out how to connect; may ask for a password.
    pub(crate) async fn target(&self, url: &Url) -> Result<Arc<Target>, Failure> {
        let mut target = match &url.place {
            Place::Server(server) => self.server(url, server).await?,
            Place::Site(name) => {
                let site = find_site(name)?;
                self.site(url, &site).await?
            }
        };
        encoded(url.path_bytes(), target.config.charset)
            .map_err(|error| Failure::usage(format!("{url}: {error}")))?;
        target.remember_proxy = self.log_in_to_proxy(&mut target.config).await?;
        Ok(Arc::new(target))
    }

    /// Connects and logs in.
    pub(crate) async fn connect(&self, target: Arc<Target>) -> Result<Session, Failure> {
        let client = Client::connect(target.config.clone())
            .await
            .map_err(|error| target.failure(error))?;
        self.logged_in(&target).await;
        Ok(Session { client, target })
    }

    /// The server has accepted the password: it is kept, where that is wished.
    pub(crate) async fn logged_in(&self, target: &Target) {
        if let Some(account) = target.remember.clone() {
            password::remember(account, &target.config.login.password, self.output).await;
        }
        if let (Some(account), Some(proxy)) = (&target.remember_proxy, &target.config.proxy)
            && let Some(login) = &proxy.login
            && let Ok(secret) = Secret::try_from(login.password.as_str())
        {
            password::remember(account.clone(), &secret, self.output).await;
        }
    }

    /// The session of a command with one address.
    pub(crate) async fn open(&self, url: &Url) -> Result<Session, Failure> {
        let target = self.target(url).await?;
        self.connect(target).await
    }

    async fn server(&self, url: &Url, server: &Server) -> Result<Target, Failure> {
        let tls = match (server.scheme, self.options.tls.map(TlsMode::from)) {
            (scheme, None) => scheme.tls(),
            (Scheme::Ftp, Some(tls)) => tls,
            (scheme, Some(tls)) if tls == scheme.tls() => tls,
            (scheme, Some(_)) => {
                return Err(Failure::usage(format!(
                    "--tls contradicts the address: {} means {}; leave one of them out, or write ftp://",
                    url.root(),
                    match scheme {
                        Scheme::Ftps => "implicit TLS",
                        _ => "explicit TLS",
                    }
                )));
            }
        };
        let port = server.port.unwrap_or(tls.default_port());
        let config = Config::new(&*server.host).with_port(port).with_tls(tls);
        let mut config = self.as_asked(config)?;
        let mut remember = None;
        if let Some(user) = &server.user {
            config.login.user = user.clone();
            let account = login_account(&user.to_text(), &server.host, config.port);
            remember = self
                .log_in(
                    &mut config,
                    server.password.as_ref(),
                    vec![account],
                    &url.root(),
                )
                .await?;
        }
        Ok(Target {
            url: url.clone(),
            config,
            base: None,
            remember,
            remember_proxy: None,
        })
    }

    async fn site(&self, url: &Url, site: &Site) -> Result<Target, Failure> {
        let wrong = |what: &str, why: &dyn std::fmt::Display| {
            Failure::Other(format!("{}: the saved {what}: {why}", url.root()))
        };
        let mut asked = site.clone();
        self.options.net.replace(&mut asked);
        if self.options.charset.is_some() {
            asked.charset = None;
        }
        let config = site_config::config(&asked)
            .map_err(|error| Failure::Other(format!("{}: {error}", url.root())))?;
        let config = match self.options.tls.map(TlsMode::from) {
            None => config,
            Some(tls) => {
                let port = site.port.unwrap_or(tls.default_port());
                config.with_port(port).with_tls(tls)
            }
        };
        let mut config = self.as_asked(config)?;
        let mut remember = None;
        if !site.user.is_empty() {
            config.login.user =
                Argument::try_from(site.user.as_str()).map_err(|error| wrong("user", &error))?;
            let accounts = vec![
                site.id.as_str().to_owned(),
                login_account(&site.user, &site.host, config.port),
            ];
            remember = self
                .log_in(&mut config, None, accounts, &url.root())
                .await?;
        }
        let base = RemotePath::try_from(site.remote_path.as_str())
            .map_err(|error| wrong("folder", &error))?;
        Ok(Target {
            url: url.clone(),
            config,
            base: (!base.as_bytes().is_empty()).then_some(base),
            remember,
            remember_proxy: None,
        })
    }

    /// Finds the password. The account to remember it under, if that is wished and not done.
    async fn log_in(
        &self,
        config: &mut Config,
        from_url: Option<&Secret>,
        accounts: Vec<String>,
        place: &str,
    ) -> Result<Option<String>, Failure> {
        if config.login.is_anonymous() && from_url.is_none() {
            // Anybody's user: there is nothing to ask for.
            return Ok(None);
        }
        let first = accounts.first().cloned();
        let found = password::find(from_url, accounts, place, self.may_ask, self.output).await?;
        config.login.password = found.secret;
        Ok(first.filter(|_| self.options.remember && !found.from_keyring))
    }

    /// Finds the password of a proxy that knows users. The account to remember it under, if that is wished and not done.
    async fn log_in_to_proxy(&self, config: &mut Config) -> Result<Option<String>, Failure> {
        let Some(proxy) = &mut config.proxy else {
            return Ok(None);
        };
        let account = proxy.to_string();
        let has_passwords = proxy.kind.has_passwords();
        let Some(login) = proxy.login.as_mut().filter(|_| has_passwords) else {
            return Ok(None);
        };
        if !login.password.is_empty() {
            output::keep_secret(login.password.as_bytes());
            return Ok(None);
        }
        let found = password::of_proxy(&account, self.may_ask, self.output).await?;
        login.password = String::from_utf8_lossy(found.secret.expose()).into_owned();
        Ok((self.options.remember && !found.from_keyring).then_some(account))
    }

    /// Adds what the options say, and what was learned.
    fn as_asked(&self, mut config: Config) -> Result<Config, Failure> {
        config.login = Login::anonymous();
        config.trust = Trust {
            roots: self.roots.clone(),
            pins: self.options.pin.clone(),
            // Who names a certificate means that one.
            only_pins: !self.options.pin.is_empty(),
        };
        if config.trust.pins.is_empty() && config.tls != TlsMode::Off {
            let pin = trusted(&config.host, config.port)?;
            config.trust.pins.extend(pin);
        }
        if let Some(limit) = self.options.timeout {
            config.timeouts = Timeouts::all(limit);
        }
        self.options.net.apply(&mut config, &self.moved)?;
        self.options.data.apply(&mut config);
        config.allow_plaintext |= self.options.plaintext;
        config.charset = self.options.charset.unwrap_or(config.charset);
        config.virtual_host = self.options.virtual_host.clone();
        config.language = self.options.lang.clone();
        config.require_resumption = self.options.require_resumption;
        config.clear_control = self.options.clear_control;
        config.reconnect.begin.attempts = self.options.retry;
        config.reconnect.begin.first = Duration::from_secs(1);
        config.reconnect.begin.longest = Duration::from_secs(60);
        config.hosts = self.hosts.clone();
        if self.output.verbose {
            config.observer = Some(observer());
        }
        Ok(config)
    }
}

impl Target {
    /// The server's address, without a path.
    pub(crate) fn place(&self) -> String {
        self.url.root()
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// The folder of a saved site, below the folder of the login.
    pub(crate) fn base(&self) -> Option<&RemotePath> {
        self.base.as_ref()
    }

    /// The queue's name of the server.
    pub(crate) fn key(&self) -> SiteKey {
        SiteKey::new(&self.place())
    }

    /// Why there is no session.
    pub(crate) fn failure(&self, error: Error) -> Failure {
        Failure::Connect {
            place: self.place(),
            error,
        }
    }
}

impl Session {
    /// The folder of the login.
    pub(crate) fn home(&self) -> Option<RemotePath> {
        self.client.facts().home.clone()
    }

    /// The path of an address there; `None` is the folder of the login.
    pub(crate) fn path(&self, url: &Url) -> Option<RemotePath> {
        let path = url.remote(self.home().as_ref(), self.target.base.as_ref())?;
        // What can't be encoded was refused before there was a session.
        RemotePath::try_from(self.encoded(path.as_bytes()))
            .ok()
            .or(Some(path))
    }

    /// How names are text there.
    pub(crate) fn charset(&self) -> Charset {
        self.target.config.charset
    }

    /// The bytes of an address as the server has them.
    pub(crate) fn encoded(&self, bytes: &[u8]) -> Vec<u8> {
        encoded(bytes, self.charset()).unwrap_or_else(|_| bytes.to_vec())
    }

    /// Says goodbye; nobody cares what the server answers.
    pub(crate) async fn close(self) {
        let _ = self.client.quit().await;
    }
}

/// Whose certificates are trusted.
fn roots(options: &Options) -> Result<Roots, Failure> {
    match &options.ca {
        None => Ok(Roots::System),
        Some(file) => {
            Roots::from_pem_file(file).map_err(|error| Failure::usage(format!("--ca: {error}")))
        }
    }
}

/// The bytes of an address in the server's charset. Text becomes that charset's; bytes that are none were written as `%E9`, and
/// are the server's already.
fn encoded(bytes: &[u8], charset: Charset) -> Result<Vec<u8>, EncodeError> {
    match std::str::from_utf8(bytes) {
        Ok(text) => charset.encode(text).map(std::borrow::Cow::into_owned),
        Err(_) => Ok(bytes.to_vec()),
    }
}

/// Whether there is a person to be asked.
pub(crate) fn can_ask(output: Output) -> bool {
    use std::io::IsTerminal as _;
    !output.json
        && !output.quiet
        && std::io::stdin().is_terminal()
        && std::io::stderr().is_terminal()
}

/// The saved site of this name, or with this id.
fn find_site(name: &str) -> Result<Site, Failure> {
    let sites = saved_sites()?;
    let exact = |site: &&Site| site.id.as_str() == name || label(site) == name;
    let similar = |site: &&Site| label(site).to_lowercase() == name.to_lowercase();
    let found: Vec<&Site> = match sites.iter().filter(exact).collect::<Vec<_>>() {
        found if found.is_empty() => sites.iter().filter(similar).collect(),
        found => found,
    };
    match found.as_slice() {
        [site] => Ok((*site).clone()),
        [] => Err(Failure::usage(format!(
            "site:{name}: no saved site has this name; `slip sites` lists them"
        ))),
        _ => Err(Failure::usage(format!(
            "site:{name}: several saved sites have this name; use an id, which `slip sites --json` shows"
        ))),
    }
}

/// What people call a site.
pub(crate) fn label(site: &Site) -> &str {
    if site.name.is_empty() {
        &site.host
    } else {
        &site.name
    }
}

pub(crate) fn saved_sites() -> Result<Vec<Site>, Failure> {
    let folders = Folders::from_env().map_err(|error| Failure::Other(error.to_string()))?;
    Sites::new(&folders)
        .list()
        .map_err(|error| Failure::Other(error.to_string()))
}

/// The certificate that was trusted for this server in the window.
fn trusted(host: &str, port: u16) -> Result<Option<Fingerprint>, Failure> {
    let Ok(folders) = Folders::from_env() else {
        return Ok(None);
    };
    let known = Trusted::new(&folders)
        .find(host, port)
        .map_err(|error| Failure::Other(error.to_string()))?;
    known
        .map(|known| known.fingerprint.as_str().parse())
        .transpose()
        .map_err(|error: ftp_client::FingerprintError| Failure::Other(error.to_string()))
}

fn observer() -> Observer {
    Arc::new(|event| {
        use std::io::Write as _;
        let mark = match event.kind {
            LogKind::Sent => '>',
            LogKind::Received => '<',
            LogKind::Info => '*',
            LogKind::Warning => '!',
        };
        let text = output::mask(&event.text);
        let mut err = std::io::stderr().lock();
        for line in text.lines() {
            let _ = writeln!(err, "{mark} {line}");
        }
    })
}
