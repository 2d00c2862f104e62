//! Where passwords come from: the URL, `$SLIP_PASSWORD`, the keyring, a prompt.

use std::io::{BufRead as _, IsTerminal as _, Read as _};

use ftp_client::ftp_proto::Secret;
use vault::{Keyring, SecretErrorKind, SecretStore as _};

use crate::exit::Failure;
use crate::output::{self, Output};

/// The variable that may hold a password.
const VARIABLE: &str = "SLIP_PASSWORD";
/// The variable that may hold a proxy's password.
const PROXY_VARIABLE: &str = "SLIP_PROXY_PASSWORD";

/// A password, and whether it came from the keyring.
pub(crate) struct Found {
    pub(crate) secret: Secret,
    pub(crate) from_keyring: bool,
}

impl Found {
    fn new(secret: Secret, from_keyring: bool) -> Self {
        output::keep_secret(secret.expose());
        Self {
            secret,
            from_keyring,
        }
    }
}

/// The first password that is to be had. `accounts` are its names in the keyring, the best one first; `place` is shown
/// to whoever is asked.
pub(crate) async fn find(
    from_url: Option<&Secret>,
    accounts: Vec<String>,
    place: &str,
    may_ask: bool,
    output: Output,
) -> Result<Found, Failure> {
    if let Some(secret) = from_url {
        return Ok(Found::new(secret.clone(), false));
    }
    if let Some(secret) = from_environment(VARIABLE)? {
        return Ok(Found::new(secret, false));
    }
    find_further(accounts, place, may_ask, output).await
}

/// The password of a proxy; its address, which has the user in it, is its account in the keyring.
pub(crate) async fn of_proxy(
    address: &str,
    may_ask: bool,
    output: Output,
) -> Result<Found, Failure> {
    if let Some(secret) = from_environment(PROXY_VARIABLE)? {
        return Ok(Found::new(secret, false));
    }
    let accounts = vec![address.to_owned()];
    find_further(accounts, &format!("the proxy {address}"), may_ask, output).await
}

async fn find_further(
    accounts: Vec<String>,
    place: &str,
    may_ask: bool,
    output: Output,
) -> Result<Found, Failure> {
    if let Some(secret) = from_keyring(accounts, output).await? {
        return Ok(Found::new(secret, true));
    }
    if !may_ask {
        return Err(Failure::NoPassword {
            place: place.to_owned(),
        });
    }
    prompt(place).await.map(|secret| Found::new(secret, false))
}

/// The password of a user of our own server: from the environment, or by asking.
pub(crate) async fn of_new_user(name: &str) -> Result<Secret, Failure> {
    match from_environment(VARIABLE)? {
        Some(secret) => Ok(secret),
        None => prompt(&format!("user {name}")).await,
    }
}

/// A new password, asked for twice, since nobody sees what is typed.
pub(crate) async fn twice(place: &str) -> Result<Secret, Failure> {
    if !std::io::stderr().is_terminal() {
        return Err(Failure::usage(
            "there is no terminal to ask for the password; --password-stdin takes it from standard input",
        ));
    }
    let first = prompt(place).await?;
    not_empty(&first)?;
    let second = prompt(&format!("{place}, once more")).await?;
    if first.expose() != second.expose() {
        return Err(Failure::usage("the two passwords differ"));
    }
    Ok(first)
}

/// The first line of standard input, without its end.
pub(crate) async fn from_first_line() -> Result<Secret, Failure> {
    let read = tokio::task::spawn_blocking(|| {
        let mut line = Vec::new();
        // Longer than any password that a command can carry.
        let mut input = std::io::stdin().lock().take(16 * 1024);
        input.read_until(b'\n', &mut line).map(|_| line)
    });
    let mut line = match read.await {
        Ok(Ok(line)) => line,
        Ok(Err(error)) => return Err(Failure::Other(format!("standard input: {error}"))),
        Err(error) => return Err(Failure::Other(error.to_string())),
    };
    while let Some(b'\n' | b'\r') = line.last() {
        line.pop();
    }
    let secret =
        Secret::try_from(line).map_err(|error| Failure::usage(format!("the password: {error}")))?;
    not_empty(&secret)?;
    output::keep_secret(secret.expose());
    Ok(secret)
}

fn not_empty(secret: &Secret) -> Result<(), Failure> {
    if secret.expose().is_empty() {
        return Err(Failure::usage(
            "the password is empty; --no-password is the way to do without",
        ));
    }
    Ok(())
}

/// Keeps a password in the keyring; tells why not, which is no reason to fail.
pub(crate) async fn remember(account: String, secret: &Secret, output: Output) {
    let Ok(text) = std::str::from_utf8(secret.expose()) else {
        output.remark("the password was not stored: the keyring takes text only");
        return;
    };
    let secret = vault::Secret::new(text);
    let stored = tokio::task::spawn_blocking(move || Keyring.set(&account, &secret)).await;
    if let Ok(Err(error)) = stored {
        output.remark(format!("the password was not stored: {error}"));
    }
}

fn from_environment(variable: &str) -> Result<Option<Secret>, Failure> {
    // Empty counts as not set, as scripts leave it.
    let Some(value) = std::env::var_os(variable).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    Secret::try_from(value.into_encoded_bytes())
        .map(Some)
        .map_err(|error| Failure::usage(format!("${variable}: {error}")))
}

async fn from_keyring(accounts: Vec<String>, output: Output) -> Result<Option<Secret>, Failure> {
    // It speaks D-Bus, and may ask a person to unlock it.
    let asked = tokio::task::spawn_blocking(move || {
        for account in accounts {
            match Keyring.get(&account) {
                Ok(secret) => return Ok(Some(secret)),
                Err(error) if error.kind() == SecretErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    });
    match asked.await {
        Ok(Ok(None)) | Err(_) => Ok(None),
        Ok(Ok(Some(secret))) => Secret::try_from(secret.expose())
            .map(Some)
            .map_err(|error| Failure::Other(format!("the password in the keyring: {error}"))),
        Ok(Err(error)) => {
            // No keyring is nothing to talk about; one that stays locked is.
            if output.verbose || error.kind() != SecretErrorKind::Unavailable {
                output.remark(error);
            }
            Ok(None)
        }
    }
}

async fn prompt(place: &str) -> Result<Secret, Failure> {
    let none = || Failure::NoPassword {
        place: place.to_owned(),
    };
    if !std::io::stderr().is_terminal() {
        return Err(none());
    }
    let question = format!("Password for {place}: ");
    let answer = tokio::task::spawn_blocking(move || rpassword::prompt_password(question)).await;
    match answer {
        Ok(Ok(text)) => Secret::try_from(text.as_str())
            .map_err(|error| Failure::usage(format!("the password: {error}"))),
        _ => Err(none()),
    }
}
