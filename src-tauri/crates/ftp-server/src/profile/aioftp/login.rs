//! USER, PASS, PBSZ, PROT.

use ftp_proto::{Secret, escape};

use super::text::quoted;
use super::{logged_in, missing, say};
use crate::account::{Account, Authentication, LookUp};
use crate::event::EventKind;
use crate::session::Session;
use crate::verbs::{Answer, reply};

/// Tells who there is; who has no name takes every name and needs no password.
pub(super) async fn user(session: &mut Session, name: &[u8]) -> Answer {
    session.log_out();
    let accounts = session.config().accounts.clone();
    let known = accounts.look_up(name).await;
    match &known {
        LookUp::Nobody => return say(530, "no such username"),
        LookUp::Somebody(account) => {
            // This profile has no virtual hosts: a user is known by the account's name alone.
            let registry = &session.shared.registry;
            if registry.is_full(&account.name, &account.limits) {
                return say(530, &too_many(account));
            }
        }
        LookUp::Untold => {}
    }
    match accounts.authenticate(name, None).await {
        Authentication::Accepted(account) => {
            let text = match account.name.is_empty() {
                true => "anonymous login",
                false => "login without password",
            };
            enter(session, account, name, text)
        }
        Authentication::Refused | Authentication::Busy => {
            session.state.named = Some(name.to_vec());
            say(331, "password required")
        }
    }
}

/// As often as anybody likes.
pub(super) async fn pass(session: &mut Session, password: &Secret) -> Answer {
    if session.state.account.is_some() {
        return say(503, "already logged in");
    }
    let Some(name) = session.state.named.clone() else {
        return Err(missing("no user (use USER firstly)"));
    };
    let accounts = session.config().accounts.clone();
    match accounts.authenticate(&name, Some(password)).await {
        Authentication::Accepted(account) => enter(session, account, &name, "normal login"),
        Authentication::Refused | Authentication::Busy => {
            session.tell(EventKind::LoginFailed {
                user: escape(&name, 200),
                reason: "wrong password",
            });
            say(530, "wrong password")
        }
    }
}

/// Without TLS, too, and without effect.
pub(super) fn pbsz(session: &Session) -> Answer {
    logged_in(session)?;
    say(200, "")
}

pub(super) fn prot(session: &Session, level: &[u8]) -> Answer {
    logged_in(session)?;
    match level {
        b"P" => say(200, ""),
        _ => say(502, ""),
    }
}

/// The home need not exist.
fn enter(session: &mut Session, account: Account, name: &[u8], text: &str) -> Answer {
    let home = account.home.clone();
    let full = too_many(&account);
    match session.logged_in(account, name) {
        Ok(()) => {
            session.state.named = None;
            session.state.cwd = Some(home);
            say(230, text)
        }
        Err(_) => Err(reply(530, &full)),
    }
}

fn too_many(account: &Account) -> String {
    let name = match account.name.as_slice() {
        b"" => b"anonymous",
        name => name,
    };
    format!("too much connections for {}", quoted(name))
}
