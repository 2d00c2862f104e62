//! One file a command.

mod chmod;
mod cp;
mod deliver;
mod df;
mod doctor;
mod get;
mod hash;
mod ln;
mod ls;
mod mirror;
mod mkdir;
mod mv;
mod pair;
mod put;
mod queue;
mod raw;
mod rm;
mod serve;
mod sites;
mod text;
mod touch;
mod user;

use std::sync::Arc;

use ftp_client::ftp_proto::{RemotePath, Reply};
use serde::Serialize;

use crate::arguments::Moved;
use crate::cli::{Cli, Command};
use crate::connect::{Connections, Session};
use crate::exit::{Failure, Status, Tally};
use crate::output::{self, Output};
use crate::url::Url;

/// Runs the command.
pub(crate) async fn run(cli: Cli, moved: Moved, output: Output) -> Result<Status, Failure> {
    let connections = match &cli.command {
        Command::Serve(serve) => return serve::run(serve, &cli.options, &moved, output).await,
        Command::Sites(sites) => {
            let sites = sites.clone();
            return blocking(move || sites::run(&sites, output)).await;
        }
        Command::User(users) => return user::run(users, output).await,
        _ => Arc::new(Connections::new(cli.options, moved, output)?),
    };
    let outcome = match cli.command {
        Command::Ls(ls) => ls::run(&ls, &connections).await,
        Command::Get(get) => get::run(*get, &connections).await,
        Command::Put(put) => put::run(*put, &connections).await,
        Command::Deliver(deliver) => deliver::run(*deliver, &connections).await,
        Command::Doctor(doctor) => doctor::run(&doctor, &connections).await,
        Command::Mirror(mirror) => mirror::run(*mirror, &connections).await,
        Command::Queue(queue) => queue::run(queue, &connections).await,
        Command::Mkdir(mkdir) => mkdir::run(&mkdir, &connections).await,
        Command::Rm(rm) => rm::run(&rm, &connections).await,
        Command::Mv(mv) => mv::run(&mv, &connections).await,
        Command::Cp(cp) => cp::run(&cp, &connections).await,
        Command::Ln(ln) => ln::run(&ln, &connections).await,
        Command::Chmod(chmod) => chmod::run(&chmod, &connections).await,
        Command::Touch(touch) => touch::run(&touch, &connections).await,
        Command::Hash(hash) => hash::run(&hash, &connections).await,
        Command::Df(df) => df::run(&df, &connections).await,
        Command::Raw(raw) => raw::run(&raw, &connections).await,
        Command::Serve(_) | Command::User(_) | Command::Sites(_) => Ok(Status::Done),
    };
    connections.keep_memory();
    outcome
}

/// What a command has to tell of one address: further fields of its `--json` object, all `null` where it failed.
trait Told: Serialize + Default {
    /// The same for people.
    fn lines(&self, _url: &Url) -> Vec<String> {
        Vec::new()
    }
}

/// `--json` of the commands for single files.
#[derive(Debug, Serialize)]
struct Item<T> {
    url: String,
    #[serde(flatten)]
    told: T,
    error: Option<String>,
}

/// That it went well is all there is to tell.
#[derive(Debug, Default, Serialize)]
struct Done {}

impl Told for Done {}

/// Does something to each of several addresses, on one connection for each server.
async fn each<F>(connections: &Connections, texts: &[String], work: F) -> Result<Status, Failure>
where
    F: AsyncFn(&Session, &Url, &RemotePath) -> Result<(), Failure>,
{
    each_telling(
        connections,
        texts,
        false,
        async |session, url, path| match path {
            Some(path) => work(session, url, path).await.map(|()| Done {}),
            None => Err(Failure::usage(format!("{url}: this names nothing"))),
        },
    )
    .await
}

/// The same for what has something to tell. `home_too`: the folder of the login may be meant, which has no path.
async fn each_telling<F, T>(
    connections: &Connections,
    texts: &[String],
    home_too: bool,
    work: F,
) -> Result<Status, Failure>
where
    F: AsyncFn(&Session, &Url, Option<&RemotePath>) -> Result<T, Failure>,
    T: Told,
{
    let urls = texts
        .iter()
        .map(|text| connections.parse(text))
        .collect::<Result<Vec<_>, _>>()?;
    let output = connections.output;
    let mut tally = Tally::default();
    let mut session: Option<Session> = None;
    for (index, url) in urls.iter().enumerate() {
        // In the order of the command line: what comes later may need what comes first.
        let reuse = index > 0 && urls[index - 1].place == url.place;
        let outcome = if url.file_name().is_none() && !home_too {
            Err(Failure::usage(format!(
                "{url}: this is the folder of the login itself"
            )))
        } else {
            let open = match session.take() {
                Some(open) if reuse && !open.client.is_closed() => Ok(open),
                other => {
                    if let Some(other) = other {
                        other.close().await;
                    }
                    connections.open(url).await
                }
            };
            match open {
                Ok(open) => {
                    let outcome = work(&open, url, open.path(url).as_ref()).await;
                    session = Some(open);
                    outcome
                }
                Err(failure) => Err(failure),
            }
        };
        match &outcome {
            Ok(_) => tally.done(),
            Err(failure) => tally.failed(failure.status()),
        }
        if output.json {
            let error = outcome
                .as_ref()
                .err()
                .map(|failure| output::mask(&failure.reason()));
            output.object(&Item {
                url: url.to_string(),
                told: outcome.unwrap_or_default(),
                error,
            })?;
            continue;
        }
        match outcome {
            Ok(told) => {
                for line in told.lines(url) {
                    output.line(&output::mask(&line))?;
                }
            }
            Err(failure) => output.message(failure),
        }
    }
    if let Some(session) = session {
        session.close().await;
    }
    Ok(tally.status())
}

/// A reply's lines as they came, without CR LF.
fn reply_lines(reply: &Reply) -> Vec<Vec<u8>> {
    let code = reply.code.to_string().into_bytes();
    let last = reply.lines.len().saturating_sub(1);
    reply
        .lines
        .iter()
        .enumerate()
        .map(|(index, line)| match index {
            _ if index == last => [&code, &b" "[..], line].concat(),
            0 => [&code, &b"-"[..], line].concat(),
            _ => line.clone(),
        })
        .collect()
}

/// Work that blocks, on a thread for it: files, hashes of passwords, and the keyring, which speaks D-Bus and may ask a person to unlock it.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(Failure::Other(error.to_string())))
}
