//! The verbs: a table of who may say what, the dispatch, and one file for each verb or tight family.

mod auth;
mod custom;
mod data;
mod dele;
mod dirs;
mod facts;
mod feat;
mod glob;
mod info;
mod list;
mod login;
mod params;
mod rename;
mod retr;
mod site;
mod stor;

use ftp_proto::{Command, CommandError, Reply};
use vfs::VfsError;

use crate::event::{EndReason, EventKind};
use crate::session::{Session, Transfer, refusal};

/// What a verb gives: either way a reply in the end. The error is for `?`.
pub(crate) type Answer = Result<Outcome, Reply>;

/// What follows from a command.
pub(crate) enum Outcome {
    /// A final reply.
    Reply(Reply),
    /// 150, then the transfer, then its own final reply.
    Transfer(Reply, Box<Transfer>),
    /// A positive reply, then TLS on the control connection.
    Secure(Reply),
    /// The last reply, if any, and the end.
    Close(Option<Reply>, EndReason),
}

/// Who may use a verb.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    Anybody,
    /// Anybody who is encrypted, where TLS is required.
    Encrypted,
    /// Logged-in users.
    User,
}

/// Every verb that works here, in the order of HELP.
const TABLE: &[(&str, Who)] = &[
    ("ABOR", Who::Anybody),
    ("ACCT", Who::Encrypted),
    ("ALLO", Who::User),
    ("APPE", Who::User),
    ("AUTH", Who::Anybody),
    ("CCC", Who::Anybody),
    ("CDUP", Who::User),
    ("CLNT", Who::Anybody),
    ("CWD", Who::User),
    ("DELE", Who::User),
    ("EPRT", Who::User),
    ("EPSV", Who::User),
    ("FEAT", Who::Anybody),
    ("HELP", Who::Anybody),
    ("LIST", Who::User),
    ("MDTM", Who::User),
    ("MFMT", Who::User),
    ("MKD", Who::User),
    ("MLSD", Who::User),
    ("MLST", Who::User),
    ("MODE", Who::User),
    ("NLST", Who::User),
    ("NOOP", Who::Anybody),
    ("OPTS", Who::Anybody),
    ("PASS", Who::Encrypted),
    ("PASV", Who::User),
    ("PBSZ", Who::Anybody),
    ("PORT", Who::User),
    ("PROT", Who::Anybody),
    ("PWD", Who::User),
    ("QUIT", Who::Anybody),
    ("REIN", Who::Anybody),
    ("REST", Who::User),
    ("RETR", Who::User),
    ("RMD", Who::User),
    ("RNFR", Who::User),
    ("RNTO", Who::User),
    ("SITE", Who::User),
    ("SIZE", Who::User),
    ("STAT", Who::User),
    ("STOR", Who::User),
    ("STRU", Who::User),
    ("SYST", Who::Anybody),
    ("TYPE", Who::User),
    ("USER", Who::Encrypted),
];

/// True for a verb that works here by itself.
pub(crate) fn is_known(verb: &str) -> bool {
    TABLE.iter().any(|(name, _)| *name == verb)
}

/// First words of clients that speak another protocol: nothing good can follow.
const STRANGERS: &[&str] = &[
    "GET", "POST", "PUT", "HEAD", "CONNECT", "OPTIONS", "DELETE", "PATCH", "PRI", "EHLO", "HELO",
];

/// Runs one command.
pub(crate) async fn run(session: &mut Session, command: Command) -> Answer {
    let verb = command.verb().to_ascii_uppercase();
    allowed(session, &verb)?;
    // RFC 959: RNTO follows RNFR at once. RFC 3659 section 5: so does the transfer after REST, but for the preparation of the
    // data connection and questions about the file, which clients put in between.
    if verb != "RNTO" {
        session.state.rename_from = None;
    }
    if !KEEPS_RESTART.contains(&verb.as_str()) {
        session.state.restart = 0;
    }
    match command {
        Command::User(name) => login::user(session, name.as_bytes()).await,
        Command::Pass(password) => login::pass(session, &password).await,
        Command::Acct(_) => login::acct(session),
        Command::Rein => login::rein(session),
        Command::Quit => login::quit(),
        Command::Auth(mechanism) => auth::auth(session, mechanism.as_bytes()),
        Command::Pbsz(_) => auth::pbsz(session),
        Command::Prot(level) => auth::prot(session, level.as_bytes()),
        Command::Ccc => auth::ccc(),
        Command::Feat => feat::feat(session),
        Command::Opts(option) => feat::opts(session, option.as_bytes()),
        Command::Syst => info::syst(),
        Command::Help(about) => info::help(session, about.as_ref().map(|a| a.as_bytes())),
        Command::Noop => info::noop(),
        Command::Abor => info::abor(),
        Command::Allo(_) => info::allo(),
        Command::Clnt(_) => info::clnt(),
        Command::Stat(None) => info::stat(session),
        Command::Stat(Some(path)) => list::stat(session, path.as_bytes()).await,
        Command::Pwd => dirs::pwd(session),
        Command::Cwd(path) => dirs::cwd(session, path.as_bytes()).await,
        Command::Cdup => dirs::cwd(session, b"..").await,
        Command::Mkd(path) => dirs::mkd(session, path.as_bytes()).await,
        Command::Rmd(path) => dirs::rmd(session, path.as_bytes()).await,
        Command::Type(code) => params::type_code(session, code.as_bytes()),
        Command::Mode(mode) => params::mode(mode.as_bytes()),
        Command::Stru(structure) => params::stru(structure.as_bytes()),
        Command::Pasv => data::pasv(session).await,
        Command::Epsv(wish) => data::epsv(session, wish).await,
        Command::Port(address) => data::active(session, address.into()),
        Command::Eprt(address) => data::active(session, address),
        Command::Mlsd(path) => list::mlsd(session, path.as_ref().map(|p| p.as_bytes())).await,
        Command::Mlst(path) => list::mlst(session, path.as_ref().map(|p| p.as_bytes())).await,
        Command::List(path) => list::list(session, path.as_ref().map(|p| p.as_bytes())).await,
        Command::Nlst(path) => list::nlst(session, path.as_ref().map(|p| p.as_bytes())).await,
        Command::Rest(offset) => retr::rest(session, offset),
        Command::Retr(path) => retr::retr(session, path.as_bytes()).await,
        Command::Stor(path) => stor::stor(session, path.as_bytes()).await,
        Command::Appe(path) => stor::appe(session, path.as_bytes()).await,
        Command::Dele(path) => dele::dele(session, path.as_bytes()).await,
        Command::Rnfr(path) => rename::rnfr(session, path.as_bytes()).await,
        Command::Rnto(path) => rename::rnto(session, path.as_bytes()).await,
        Command::Size(path) => facts::size(session, path.as_bytes()).await,
        Command::Mdtm(path) => facts::mdtm(session, path.as_bytes()).await,
        Command::Mfmt(time, path) => facts::mfmt(session, time, path.as_bytes()).await,
        Command::Site(what) => site::site(session, what.as_bytes()).await,
        Command::Other { verb, .. } if is_stranger(session, &verb) => Ok(refuse_stranger(session)),
        Command::Other { verb, argument } => custom::custom(session, verb, argument).await,
        _ => Err(reply(502, "Not implemented.")),
    }
}

/// Commands that may stand between REST and its transfer.
const KEEPS_RESTART: &[&str] = &[
    "REST", "RETR", "STOR", "PASV", "EPSV", "PORT", "EPRT", "TYPE", "MODE", "STRU", "PBSZ", "PROT",
    "SIZE", "MDTM", "NOOP", "ALLO",
];

/// The reply to a line that is no command, or not a right one.
pub(crate) fn not_understood(session: &mut Session, error: &CommandError) -> Answer {
    session.state.rename_from = None;
    session.state.restart = 0;
    match error {
        CommandError::NoVerb { line } if is_stranger(session, line) => Ok(refuse_stranger(session)),
        // RFC 2428 section 3: the reply names the protocols that would do.
        CommandError::Syntax { verb: "EPSV", .. } => {
            allowed(session, "EPSV")?;
            Err(reply(522, "Network protocol not supported, use (1,2)."))
        }
        CommandError::Syntax { verb, wants, .. } => {
            allowed(session, verb)?;
            Err(reply(501, &format!("{verb} takes {wants}.")))
        }
        _ => Err(reply(500, "Not understood.")),
    }
}

/// Whether a first word (or an escaped line without one) is the beginning of HTTP, SMTP, SSH or a TLS handshake.
fn is_stranger(session: &Session, start: &str) -> bool {
    session.state.account.is_none()
        && (STRANGERS.contains(&start)
            || start.starts_with("SSH-")
            || start.starts_with("\\x16\\x03"))
}

fn refuse_stranger(session: &Session) -> Outcome {
    let reason = "another protocol".to_owned();
    session.tell(EventKind::Denied { reason });
    Outcome::Close(None, EndReason::Refused)
}

/// Whether the verb exists, and may be used now.
fn allowed(session: &Session, verb: &str) -> Result<(), Reply> {
    let Some((_, who)) = TABLE.iter().find(|(name, _)| *name == verb) else {
        return Ok(());
    };
    if *who != Who::Anybody && session.config().require_tls && !session.control.is_encrypted() {
        return Err(reply(530, "This server wants TLS: AUTH TLS first."));
    }
    if *who == Who::User && session.state.account.is_none() {
        return Err(reply(530, "Log in with USER and PASS first."));
    }
    Ok(())
}

/// A reply of one line. The text must be ours or checked: it goes out as it is.
pub(crate) fn reply(code: u16, text: &str) -> Reply {
    Reply::new(code, text)
}

/// The reply to an error of the tree.
pub(crate) fn refused(error: &VfsError) -> Reply {
    refusal(error)
}

fn done(code: u16, text: &str) -> Answer {
    Ok(Outcome::Reply(reply(code, text)))
}
