//! USER, PASS, ACCT, REIN, QUIT (RFC 959 section 4.1.1).

use ftp_proto::{Secret, escape};
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
        enter(session, account, name).await;
        return done(230, "Logged in.");
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
    let accounts = session.accounts();
    match accounts.authenticate(&name, Some(password)).await {
        Authentication::Accepted(account) => {
            enter(session, account, &name).await;
            done(230, "Logged in.")
        }
        Authentication::Busy => Err(reply(530, "Not now, try again later.")),
        Authentication::Refused => {
            session.wrong_passwords += 1;
            let reason = format!("wrong login of {}", escape(&name, 200));
            session.tell(EventKind::Denied { reason });
            let limits = &session.config().limits;
            tokio::time::sleep(limits.wrong_password_delay).await;
            if session.wrong_passwords >= limits.wrong_passwords {
                let bye = reply(421, "Too many wrong passwords. Goodbye.");
                return Ok(Outcome::Close(Some(bye), EndReason::Refused));
            }
            Err(reply(530, "Login incorrect."))
        }
    }
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

async fn enter(session: &mut Session, account: Account, name: &[u8]) {
    let home = match account.vfs.metadata(&account.home).await {
        Ok(facts) if facts.is_dir() => account.home.clone(),
        _ => VPath::root(),
    };
    session.state.named = None;
    session.state.cwd = Some(home);
    session.logged_in(account, name);
}
