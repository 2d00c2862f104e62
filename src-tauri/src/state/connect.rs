//! From a request to a session, or to a question that only the person can answer.

mod origin;

pub(crate) use origin::Origin;

use std::sync::Arc;

use ftp_client::{
    Client, Config, ErrorKind, Fingerprint, HostMemory, LogEvent, LogKind, Login, Trust,
    ftp_proto::{Charset, RemotePath},
};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use vault::{Secret, SecretErrorKind, SiteId};

use super::{Shell, Vault, log::Log, sessions::Session};
use crate::{
    address::Address,
    dto::{
        CertificateQuestion, ConnectOutcome, ConnectRequest, LogDirection, PasswordReason,
        SessionInfo, TlsMode, TrustAnswer,
    },
    error::{AppError, Result},
};

/// The user of a server that asks for none (RFC 1635).
const ANONYMOUS: &str = "anonymous";

/// Characters of a certificate's subject that are kept: more is of no use to a person.
const SUBJECT: usize = 500;

/// Where to connect, as whom and how.
pub(crate) struct Plan {
    pub(crate) title: String,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) password: Option<Secret>,
    pub(crate) tls: TlsMode,
    pub(crate) trust: Trust,
    /// A certificate was trusted by hand for this host and port before.
    pub(crate) pinned_before: bool,
    pub(crate) allow_plaintext: bool,
    /// What a saved site says of its connections; the usual for others.
    pub(crate) base: Box<Config>,
    /// The folder to begin in, if not where the login puts us.
    pub(crate) start: Option<RemotePath>,
    pub(crate) site: Option<String>,
    /// For the queue, to come back to.
    pub(crate) origin: Origin,
}

/// A plan that can be carried out, or a question.
pub(crate) enum Prepared {
    Plan(Plan),
    Question(ConnectOutcome),
}

/// Connects as the window asked.
///
/// # Errors
/// What neither connects nor can be asked about.
pub(crate) async fn connect(shell: &Arc<Shell>, request: ConnectRequest) -> Result<ConnectOutcome> {
    // From the start: the person may give up while the keyring asks to be unlocked.
    let giving_up = shell.sessions.connecting();
    let remember = request.remember_password;
    let vault = shell.vault.clone();
    // Files and keyring.
    let prepared = tokio::select! {
        biased;
        () = giving_up.cancelled() => return Err(AppError::cancelled()),
        prepared = crate::commands::blocking(move || prepare(&vault, request)) => prepared?,
    };
    let plan = match prepared {
        Prepared::Plan(plan) => plan,
        Prepared::Question(question) => return Ok(question),
    };
    let account = match &plan.site {
        Some(id) => id.clone(),
        None => vault::login_account(&plan.user, &plan.host, plan.port),
    };
    // Also one that stood in the address; an anonymous login has none.
    let password = plan.password.clone().filter(|_| remember);
    let is_site = plan.site.is_some();
    let outcome = establish(shell, plan, &giving_up).await?;
    if let (ConnectOutcome::Connected { session }, Some(password)) = (&outcome, password) {
        let vault = shell.vault.clone();
        let kept = crate::commands::blocking(move || {
            remember_password(&vault, &account, is_site, password)
        })
        .await;
        if let Err(error) = kept {
            // The session is there; that the password has to be typed again is no reason to lose it.
            let text = format!("The password could not be remembered: {}", error.message);
            shell.log.add(Some(session.id), LogDirection::Error, text);
        }
    }
    Ok(outcome)
}

/// Carries a plan out, unless it was or is given up.
///
/// # Errors
/// What can't be asked about.
pub(crate) async fn establish(
    shell: &Arc<Shell>,
    plan: Plan,
    giving_up: &CancellationToken,
) -> Result<ConnectOutcome> {
    let id = shell.sessions.next_id();
    let config = config(&shell.log, &shell.hosts, Some(id), &plan)?;
    let connected = tokio::select! {
        biased;
        () = giving_up.cancelled() => return Err(AppError::cancelled()),
        connected = Client::connect(config.clone()) => connected,
    };
    let client = match connected {
        Ok(client) => client,
        Err(error) => {
            shell
                .log
                .add(Some(id), LogDirection::Error, error.to_string());
            return question(plan, error);
        }
    };
    let facts = client.facts();
    let info = SessionInfo {
        id,
        title: plan.title,
        host: plan.host,
        port: plan.port.into(),
        user: plan.user,
        site: plan.site,
        security: facts.security.clone().into(),
        server: facts.greeting.first().cloned(),
    };
    let home = match plan.start.or_else(|| facts.home.clone()) {
        Some(home) if home.is_absolute() => home.normalized(),
        Some(relative) => RemotePath::root().join_path(&relative).normalized(),
        None => RemotePath::root(),
    };
    let session = Session::new(info, config, home, client, plan.origin);
    shell.queue.logged_in(&session);
    let session = shell.sessions.add(session);
    Ok(ConnectOutcome::Connected {
        session: session.info().await,
    })
}

/// The question that an error stands for, if it stands for one.
fn question(plan: Plan, error: ftp_client::Error) -> Result<ConnectOutcome> {
    match error.kind() {
        ErrorKind::Certificate(problem) => Ok(ConnectOutcome::Certificate {
            question: CertificateQuestion {
                host: plan.host,
                port: plan.port.into(),
                reason: problem.reason.to_string(),
                certificate: problem.info.clone().into(),
                pinned_before: plan.pinned_before,
            },
        }),
        ErrorKind::PlaintextRefused => Ok(ConnectOutcome::Plaintext { host: plan.host }),
        // Without a password of its own there is no other to try.
        ErrorKind::LoginRefused if plan.password.is_some() => Ok(ConnectOutcome::Password {
            user: plan.user,
            host: plan.host,
            reason: PasswordReason::Refused,
            message: error
                .reply()
                .map(|reply| format!("{} {}", reply.code, reply.text())),
        }),
        _ => Err(error.into()),
    }
}

/// How a client carries a plan out; what it says goes to the log under the session's id.
///
/// # Errors
/// If user or password can't be sent.
pub(crate) fn config(
    log: &Arc<Log>,
    hosts: &HostMemory,
    id: Option<u32>,
    plan: &Plan,
) -> Result<Config> {
    let login = match &plan.password {
        Some(password) => Login::new(&plan.user, password.expose())?,
        None => Login::anonymous(),
    };
    let log = Arc::clone(log);
    let observer = move |event: LogEvent| {
        let direction = match event.kind {
            LogKind::Sent => LogDirection::Sent,
            LogKind::Received => LogDirection::Received,
            LogKind::Info => LogDirection::Info,
            LogKind::Warning => LogDirection::Error,
        };
        log.add(id, direction, event.text);
    };
    Ok(Config {
        host: plan.host.clone(),
        port: plan.port,
        tls: plan.tls.into(),
        trust: plan.trust.clone(),
        login,
        allow_plaintext: plan.allow_plaintext,
        hosts: hosts.clone(),
        observer: Some(Arc::new(observer)),
        ..(*plan.base).clone()
    })
}

/// Finds out everything that the files and the keyring know. Blocks.
///
/// # Errors
/// If a file can't be read, or the request makes no sense.
pub(crate) fn prepare(vault: &Vault, request: ConnectRequest) -> Result<Prepared> {
    let mut remembered_for = None;
    let mut plan = match &request.site {
        Some(id) => {
            let id = SiteId::try_from(id.clone())?;
            let site = vault.sites.get(&id)?;
            if site.remember_password {
                remembered_for = Some(id.as_str().to_owned());
            }
            let mut plan = plan_of_site(site)?;
            find_proxy_password(vault, &mut plan.base);
            plan
        }
        None => plan_of_address(&request)?,
    };
    if let Some(password) = request.password {
        plan.password = Some(Secret::new(password));
    }
    plan.allow_plaintext |= request.allow_plaintext;

    let pinned = vault.trusted.find(&plan.host, plan.port)?;
    // Also when it was trusted a moment ago: the question then is about another one.
    plan.pinned_before = pinned.is_some() || request.trust.is_some();
    plan.trust.pins.extend(
        pinned
            .map(|pin| fingerprint(pin.fingerprint.as_str()))
            .transpose()?,
    );
    if let Some(answer) = request.trust {
        plan.trust.pins.push(trusted_now(vault, &plan, &answer)?);
    }

    if plan.user.is_empty() || plan.user.eq_ignore_ascii_case(ANONYMOUS) {
        plan.user = ANONYMOUS.to_owned();
        plan.password = None;
        return Ok(Prepared::Plan(plan));
    }
    if plan.password.is_some() {
        return Ok(Prepared::Plan(plan));
    }
    let is_remembered = remembered_for.is_some();
    let account =
        remembered_for.unwrap_or_else(|| vault::login_account(&plan.user, &plan.host, plan.port));
    let (reason, message) = match vault.secrets.get(&account) {
        Ok(password) => {
            plan.password = Some(password);
            return Ok(Prepared::Plan(plan));
        }
        Err(error) if is_remembered && error.kind() != SecretErrorKind::NotFound => {
            (PasswordReason::NoKeyring, Some(error.to_string()))
        }
        Err(_) => (PasswordReason::Missing, None),
    };
    Ok(Prepared::Question(ConnectOutcome::Password {
        user: plan.user,
        host: plan.host,
        reason,
        message,
    }))
}

fn plan_of_site(site: vault::Site) -> Result<Plan> {
    let tls = TlsMode::from(site.tls);
    let mut base = Box::new(site_config::config(&site)?);
    // Names are shown as UTF-8 yet, whatever the site says.
    base.charset = Charset::AUTO;
    Ok(Plan {
        title: if site.name.is_empty() {
            site.host.clone()
        } else {
            site.name
        },
        port: site.port.unwrap_or_else(|| default_port(tls)),
        host: site.host,
        user: site.user,
        password: None,
        tls,
        trust: Trust::default(),
        pinned_before: false,
        allow_plaintext: site.allow_plaintext,
        base,
        start: match site.remote_path.as_str() {
            "" => None,
            path => Some(RemotePath::try_from(path)?),
        },
        origin: Origin::Site(site.id.clone().into()),
        site: Some(site.id.into()),
    })
}

fn plan_of_address(request: &ConnectRequest) -> Result<Plan> {
    let address = Address::parse(&request.address)?;
    let tls = address.tls.unwrap_or(request.tls);
    let typed_user = request.user.trim();
    let user = if typed_user.is_empty() {
        address.user.unwrap_or_default()
    } else {
        typed_user.to_owned()
    };
    let port = address.port.unwrap_or_else(|| default_port(tls));
    let base = Box::new(Config::new(address.host.clone()));
    Ok(Plan {
        title: address.host.clone(),
        port,
        origin: Origin::Address {
            host: address.host.clone(),
            port,
            user: user.clone(),
            tls,
        },
        host: address.host,
        user,
        password: address.password.map(Secret::new),
        tls,
        trust: Trust::default(),
        pinned_before: false,
        allow_plaintext: false,
        base,
        start: address
            .path
            .map(|path| RemotePath::try_from(path.as_slice()))
            .transpose()?,
        site: None,
    })
}

/// Asks the keyring for the password of a proxy that knows users. Without one the proxy will say so. Blocks.
fn find_proxy_password(vault: &Vault, config: &mut Config) {
    let Some(proxy) = &mut config.proxy else {
        return;
    };
    let account = proxy.to_string();
    let knows_passwords = proxy.kind.has_passwords();
    if let Some(login) = proxy.login.as_mut().filter(|_| knows_passwords)
        && let Ok(password) = vault.secrets.get(&account)
    {
        password.expose().clone_into(&mut login.password);
    }
}

/// The certificate that the person decided to trust; kept if it is to be trusted always.
fn trusted_now(vault: &Vault, plan: &Plan, answer: &TrustAnswer) -> Result<Fingerprint> {
    let trusted = fingerprint(&answer.fingerprint)?;
    if answer.always {
        let kept = vault::Fingerprint::parse(&answer.fingerprint)?;
        // The certificate's own words, which may be anything.
        let subject: String = answer
            .subject
            .chars()
            .filter(|c| !c.is_control())
            .take(SUBJECT)
            .collect();
        vault
            .trusted
            .pin(&plan.host, plan.port, kept, &subject, Timestamp::now())?;
    }
    Ok(trusted)
}

fn fingerprint(text: &str) -> Result<Fingerprint> {
    text.parse()
        .map_err(|error: ftp_client::FingerprintError| AppError::argument(error.to_string()))
}

fn default_port(tls: TlsMode) -> u16 {
    ftp_client::TlsMode::from(tls).default_port()
}

/// Puts the password of a login that succeeded into the keyring. Blocks.
fn remember_password(vault: &Vault, account: &str, is_site: bool, password: Secret) -> Result<()> {
    vault.secrets.set(account, &password)?;
    if is_site {
        let mut site = vault.sites.get(&SiteId::try_from(account.to_owned())?)?;
        if !site.remember_password {
            site.remember_password = true;
            vault.sites.save(site)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
