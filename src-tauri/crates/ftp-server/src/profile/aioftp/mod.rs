//! The profile `aioftp`: the commands of that server, in its words.
//!
//! What isn't taken over: commands run one after the other here also while a transfer runs, every permission that an operation needs is
//! asked for, data connections come from the client's own address only, and no link leads out of the tree.

mod data;
mod files;
mod login;
mod text;

use ftp_proto::{Argument, Command, CommandError, Reply, Secret};
use vfs::{Access, Metadata, VPath, VfsError, VfsErrorKind};

use crate::event::{EndReason, TransferOutcome};
use crate::session::{Session, Transfer};
use crate::verbs::{self, Answer, Outcome, reply};
use data::Kept;
pub(crate) use data::Slot;

/// The commands that there are; each but those in [`KEEP_RESTART`] forgets REST.
const VERBS: &[&str] = &[
    "ABOR", "APPE", "CDUP", "CWD", "DELE", "EPSV", "LIST", "MKD", "MLSD", "MLST", "PASS", "PASV",
    "PBSZ", "PROT", "PWD", "QUIT", "REST", "RETR", "RMD", "RNFR", "RNTO", "STOR", "SYST", "TYPE",
    "USER",
];

/// Transfers begin where REST said, and go on doing so.
const KEEP_RESTART: &[&str] = &["RETR", "STOR", "APPE"];

/// What a session of this profile remembers beside the common state.
#[derive(Default)]
pub(crate) struct Own {
    /// The socket of PASV and EPSV: one for the whole session.
    passive: Option<Kept>,
    /// What the running transfer says when it is done.
    done: Option<(u16, &'static str)>,
    /// The last transfer was given up, and the ABOR that did it hasn't had its turn yet.
    aborted: bool,
}

/// A line as that server takes it apart: blanks at its end don't count, the first one inside ends the verb.
pub(super) fn read(line: &[u8]) -> Result<Command, CommandError> {
    let line = line.trim_ascii_end();
    let at = line.iter().position(|byte| *byte == b' ');
    let (verb, rest) = match at {
        Some(at) => (&line[..at], &line[at + 1..]),
        None => (line, &b""[..]),
    };
    let verb = String::from_utf8_lossy(verb).to_uppercase();
    Ok(match verb.as_str() {
        // The session must know these two while a transfer runs.
        "ABOR" => Command::Abor,
        "QUIT" => Command::Quit,
        // Nobody may read it.
        "PASS" => Command::Pass(Secret::try_from(rest)?),
        _ => Command::Other {
            verb,
            argument: match rest {
                b"" => None,
                rest => Some(Argument::try_from(rest)?),
            },
        },
    })
}

/// NUL in a path is all that can't be an argument, and no file has such a name.
pub(super) fn not_understood() -> Answer {
    Err(broken())
}

/// Obeys one command.
pub(super) async fn run(session: &mut Session, command: Command) -> Answer {
    let (verb, rest) = match command {
        Command::Abor => ("ABOR".to_owned(), Vec::new()),
        Command::Quit => ("QUIT".to_owned(), Vec::new()),
        Command::Pass(password) => {
            session.state.restart = 0;
            return login::pass(session, &password).await;
        }
        Command::Other { verb, argument } => {
            let rest = argument.map_or_else(Vec::new, |a| a.as_bytes().to_vec());
            (verb, rest)
        }
        _ => return Err(broken()),
    };
    if VERBS.contains(&verb.as_str()) && !KEEP_RESTART.contains(&verb.as_str()) {
        session.state.restart = 0;
    }
    match verb.as_str() {
        "ABOR" => Ok(data::abor(session)),
        "APPE" => files::stor(session, &rest, true).await,
        "CDUP" => files::cdup(session).await,
        "CWD" => files::cwd(session, &rest).await,
        "DELE" => files::dele(session, &rest).await,
        "EPSV" => data::epsv(session, &rest).await,
        "LIST" => files::list(session, &rest, files::Shape::List).await,
        "MKD" => files::mkd(session, &rest).await,
        "MLSD" => files::list(session, &rest, files::Shape::Mlsd).await,
        "MLST" => files::mlst(session, &rest).await,
        "PASV" => data::pasv(session).await,
        "PBSZ" => login::pbsz(session),
        "PROT" => login::prot(session, &rest),
        "PWD" => files::pwd(session),
        "QUIT" => close(221, "bye", EndReason::Quit),
        "REST" => data::rest(session, &rest),
        "RETR" => files::retr(session, &rest).await,
        "RMD" => files::rmd(session, &rest).await,
        "RNFR" => files::rnfr(session, &rest).await,
        "RNTO" => files::rnto(session, &rest).await,
        "STOR" => files::stor(session, &rest, false).await,
        "SYST" => say(215, &session.config().system_type),
        "TYPE" => data::type_code(session, &rest),
        "USER" => login::user(session, &rest).await,
        other if session.config().commands.contains_key(other) => {
            session.state.data = data::setup(session);
            let argument = Argument::try_from(rest).ok();
            verbs::own(session, verb, argument.filter(|a| !a.as_bytes().is_empty())).await
        }
        other => {
            let shown = text::quoted(other.to_lowercase().as_bytes());
            say(502, &format!("{shown} not implemented"))
        }
    }
}

/// The final reply to a transfer.
pub(super) fn last_word(session: &mut Session, own: &Reply, outcome: &TransferOutcome) -> Reply {
    let done = session.own.done.take();
    match (outcome, own.code.value()) {
        (TransferOutcome::Complete, _) => {
            let (code, text) = done.unwrap_or((226, "data transfer done"));
            reply(code, text)
        }
        (TransferOutcome::Failed(_), 425) => reply(425, "Can't open data connection"),
        // Broken by the client, whose ABOR may still be on its way.
        (TransferOutcome::Aborted, _) | (TransferOutcome::Failed(_), 426) => {
            session.own.aborted = true;
            reply(426, "transfer aborted")
        }
        (TransferOutcome::Failed(_), _) => broken(),
    }
}

/// A reply of one line; the text may be nothing.
fn say(code: u16, text: &str) -> Answer {
    Ok(Outcome::Reply(reply(code, text)))
}

fn close(code: u16, text: &str, reason: EndReason) -> Answer {
    Ok(Outcome::Close(Some(reply(code, text)), reason))
}

/// Something failed in the tree.
fn broken() -> Reply {
    reply(451, "file system error")
}

/// What has to be done before.
fn missing(what: &str) -> Reply {
    reply(503, &format!("bad sequence of commands ({what})"))
}

fn logged_in(session: &Session) -> Result<(), Reply> {
    match session.state.account {
        Some(_) => Ok(()),
        None => Err(missing("not logged in")),
    }
}

/// A refusal in these words; only a path without all permissions has words of its own, all else is the file system's fault.
fn refused(session: &Session, path: &VPath, error: &VfsError) -> Reply {
    let may = session.tree().map_or(Access::ALL, |tree| tree.may(path));
    match error.kind() {
        VfsErrorKind::Denied if may != Access::ALL => reply(550, "permission denied"),
        _ => broken(),
    }
}

/// Whether anything may be changed there, made or removed.
fn writable(session: &Session, path: &VPath) -> Result<(), Reply> {
    match session.tree()?.may(path).write {
        true => Ok(()),
        false => Err(reply(550, "permission denied")),
    }
}

/// A path of the client. One that can't be a path is nowhere.
fn resolve(session: &Session, rest: &[u8]) -> Result<VPath, Reply> {
    session.resolve(rest).map_err(|_| broken())
}

/// What is at a path; none where there is nothing.
async fn found(session: &Session, path: &VPath) -> Result<Option<Metadata>, Reply> {
    match session.tree()?.metadata(path).await {
        Ok(facts) => Ok(Some(facts)),
        Err(error) => match error.kind() {
            VfsErrorKind::NotFound | VfsErrorKind::NotDir | VfsErrorKind::NameInvalid => Ok(None),
            _ => Err(refused(session, path, &error)),
        },
    }
}

async fn existing(session: &Session, path: &VPath) -> Result<Metadata, Reply> {
    let facts = found(session, path).await?;
    facts.ok_or_else(|| reply(550, "path does not exists"))
}

async fn vacant(session: &Session, path: &VPath) -> Result<(), Reply> {
    if !session.tree()?.may(path).read {
        // Whatever is there will be in the way.
        return Ok(());
    }
    match found(session, path).await? {
        None => Ok(()),
        Some(_) => Err(reply(550, "path already exists")),
    }
}

async fn directory(session: &Session, path: &VPath) -> Result<(), Reply> {
    match existing(session, path).await?.is_dir() {
        true => Ok(()),
        false => Err(reply(550, "path is not a directory")),
    }
}

async fn file(session: &Session, path: &VPath) -> Result<(), Reply> {
    match existing(session, path).await?.is_file() {
        true => Ok(()),
        false => Err(reply(550, "path is not a file")),
    }
}

/// A transfer that begins now, and what it says in the end.
fn begin(
    session: &mut Session,
    opening: &str,
    done: (u16, &'static str),
    transfer: Transfer,
) -> Answer {
    session.own.done = Some(done);
    session.own.aborted = false;
    Ok(Outcome::Transfer(reply(150, opening), Box::new(transfer)))
}
