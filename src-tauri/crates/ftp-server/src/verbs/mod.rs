//! The verbs: a table of who may say what, the dispatch, and one file for each verb or tight family.

mod auth;
mod custom;
mod data;
mod dele;
mod dirs;
mod facts;
mod feat;
mod glob;
mod hash;
mod host;
mod info;
mod list;
mod login;
mod params;
mod rename;
mod retr;
mod site;
mod stor;

use ftp_proto::{Argument, Command, CommandError, Reply};
use futures_util::future::BoxFuture;
use vfs::VfsError;

pub(crate) use hash::Algorithm;

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
    /// Something that takes a while; the client is listened to meanwhile. ABOR drops it.
    Work(BoxFuture<'static, Reply>),
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
    ("AVBL", Who::User),
    ("CCC", Who::Anybody),
    ("CDUP", Who::User),
    ("CLNT", Who::Anybody),
    ("CSID", Who::Anybody),
    ("CWD", Who::User),
    ("DELE", Who::User),
    ("EPRT", Who::User),
    ("EPSV", Who::User),
    ("FEAT", Who::Anybody),
    ("HASH", Who::User),
    ("HELP", Who::Anybody),
    ("HOST", Who::Anybody),
    ("LANG", Who::Anybody),
    ("LIST", Who::User),
    ("MD5", Who::User),
    ("MDTM", Who::User),
    ("MFCT", Who::User),
    ("MFF", Who::User),
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
    ("RANG", Who::User),
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
    ("STOU", Who::User),
    ("STRU", Who::User),
    ("SYST", Who::Anybody),
    ("TYPE", Who::User),
    ("USER", Who::Encrypted),
    ("XCRC", Who::User),
    ("XCUP", Who::User),
    ("XCWD", Who::User),
    ("XMD5", Who::User),
    ("XMKD", Who::User),
    ("XPWD", Who::User),
    ("XRMD", Who::User),
    ("XSHA", Who::User),
    ("XSHA1", Who::User),
    ("XSHA256", Who::User),
    ("XSHA512", Who::User),
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
        session.state.range = None;
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
        Command::Syst => info::syst(session),
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
        Command::Mode(mode) => params::mode(session, mode.as_bytes()),
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
        Command::Stou => stor::stou(session).await,
        Command::Appe(path) => stor::appe(session, path.as_bytes()).await,
        Command::Dele(path) => dele::dele(session, path.as_bytes()).await,
        Command::Rnfr(path) => rename::rnfr(session, path.as_bytes()).await,
        Command::Rnto(path) => rename::rnto(session, path.as_bytes()).await,
        Command::Size(path) => facts::size(session, path.as_bytes()).await,
        Command::Mdtm(path) => facts::mdtm(session, path.as_bytes()).await,
        Command::Mfmt(time, path) => facts::mfmt(session, time, path.as_bytes()).await,
        Command::Site(what) => site::site(session, what.as_bytes()).await,
        Command::Other { verb, .. } if is_stranger(session, &verb) => Ok(refuse_stranger(session)),
        Command::Host(name) => host::host(session, name.as_bytes()),
        Command::Other { verb, argument } => other(session, verb, argument).await,
        _ => Err(reply(502, "Not implemented.")),
    }
}

/// The verbs that have no type of their own, and those of the server's owner.
async fn other(session: &mut Session, verb: String, argument: Option<Argument>) -> Answer {
    let given = argument.as_ref().map_or(&b""[..], |a| a.as_bytes());
    let wanted = |wants: &str| match given {
        b"" => Err(reply(501, &format!("{verb} takes {wants}."))),
        given => Ok(given),
    };
    if let Some(algorithm) = hash::Algorithm::of_verb(&verb) {
        return hash::kin(session, &verb, algorithm, wanted("a path")?).await;
    }
    match verb.as_str() {
        "HASH" => hash::hash(session, wanted("a path")?).await,
        "RANG" => retr::rang(session, given),
        "MFF" => facts::mff(session, wanted("facts and a path")?).await,
        "MFCT" => facts::mfct(session, wanted("a time and a path")?).await,
        "AVBL" => facts::avbl(session, given).await,
        "LANG" => info::lang(given),
        "CSID" => info::csid(),
        _ => custom::custom(session, verb, argument).await,
    }
}

/// Runs a command of one's own.
pub(crate) async fn own(session: &mut Session, verb: String, argument: Option<Argument>) -> Answer {
    custom::custom(session, verb, argument).await
}

/// Commands that may stand between REST and its transfer.
const KEEPS_RESTART: &[&str] = &[
    "REST", "RANG", "RETR", "STOR", "HASH", "PASV", "EPSV", "PORT", "EPRT", "TYPE", "MODE", "STRU",
    "PBSZ", "PROT", "SIZE", "MDTM", "NOOP", "ALLO",
];

/// The reply to a line that is no command, or not a right one.
pub(crate) fn not_understood(session: &mut Session, error: &CommandError) -> Answer {
    session.state.rename_from = None;
    session.state.restart = 0;
    session.state.range = None;
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
