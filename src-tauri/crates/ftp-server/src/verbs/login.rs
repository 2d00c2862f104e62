//! USER, PASS, ACCT, REIN, QUIT (RFC 959 section 4.1.1).

use std::sync::Arc;

use ftp_proto::{Reply, Secret, escape};
use tokio::time::Instant;
use vfs::VPath;

use super::{Answer, Outcome, done, reply};
use crate::account::{Account, Authentication};
use crate::event::{EndReason, EventKind};
use crate::session::Session;

/// A name: 230 if that is enough, and 331 for every other one, so that nobody learns which names there are.
pub(super) async fn user(session: &mut Session, name: &[u8]) -> Answer {
    session.log_out();
    let accounts = session.accounts();
    if let Authentication::Accepted(account) = accounts.authenticate(name, None).await {
        return enter(session, account, name).await;
    }
    session.state.named = Some(name.to_vec());
    done(331, "Password, please.")
}

pub(super) async fn pass(session: &mut Session, password: &Secret) -> Answer {
    if session.state.account.is_some() {
        return done(202, "Already logged in.");
    }
    let Some(name) = session.state.named.take() else {
        return Err(reply(503, "USER first."));
    };
    let shared = Arc::clone(&session.shared);
    let (limits, address) = (&shared.config.limits, session.peer.ip());
    if shared.lockout.is_locked(address, Instant::now()) {
        let reason = "an address with too many wrong passwords".to_owned();
        session.tell(EventKind::Denied { reason });
        return Ok(locked_out());
    }
    let accounts = session.accounts();
    match accounts.authenticate(&name, Some(password)).await {
        Authentication::Accepted(account) => enter(session, account, &name).await,
        Authentication::Busy => Err(failed(
            session,
            &name,
            "not now",
            "Not now, try again later.",
        )),
        Authentication::Refused => {
            session.wrong_passwords += 1;
            let refused = failed(session, &name, "wrong name or password", "Login incorrect.");
            let now = Instant::now();
            tokio::time::sleep(shared.lockout.failed(address, limits, now)).await;
            if session.wrong_passwords >= limits.wrong_passwords {
                let bye = reply(421, "Too many wrong passwords. Goodbye.");
                return Ok(Outcome::Close(Some(bye), EndReason::Refused));
            }
            if shared.lockout.is_locked(address, Instant::now()) {
                return Ok(locked_out());
            }
            Err(refused)
        }
    }
}

fn locked_out() -> Outcome {
    let text = "Too many wrong passwords from this address, try again later.";
    Outcome::Close(Some(reply(421, text)), EndReason::Refused)
}

pub(super) fn acct(session: &Session) -> Answer {
    if session.state.account.is_some() {
        done(202, "No account is needed.")
    } else {
        Err(reply(503, "USER first."))
    }
}

pub(super) fn rein(session: &mut Session) -> Answer {
    session.reset();
    if !session.named_by_tls {
        session.host = None;
    }
    done(220, "Ready for a new user.")
}

pub(super) fn quit() -> Answer {
    Ok(Outcome::Close(
        Some(reply(221, "Goodbye.")),
        EndReason::Quit,
    ))
}

async fn enter(session: &mut Session, account: Account, name: &[u8]) -> Answer {
    let patience = session.config().limits.path;
    let facts = tokio::time::timeout(patience, account.vfs.metadata(&account.home)).await;
    let home = match facts {
        Ok(Ok(facts)) if facts.is_dir() => account.home.clone(),
        _ => VPath::root(),
    };
    session.state.named = None;
    if session.logged_in(account, name).is_err() {
        let text = "Too many sessions of this user.";
        return Err(failed(session, name, "too many sessions", text));
    }
    session.state.cwd = Some(home);
    done(230, "Logged in.")
}

/// A login that failed: counted, told to the owner, and the reply.
fn failed(session: &Session, name: &[u8], reason: &'static str, text: &str) -> Reply {
    let user = escape(name, 200);
    session.shared.registry.failed_login();
    session.tell(EventKind::LoginFailed { user, reason });
    reply(530, text)
}
