//! What is done from one place to another of the same server.

use ftp_client::ftp_proto::{Name, RemotePath};
use serde::Serialize;

use crate::connect::{Connections, Session};
use crate::exit::{Failure, Status};
use crate::output;
use crate::url::{Place, Server, Url};

#[derive(Debug, Serialize)]
struct Pair {
    source: String,
    target: String,
    error: Option<String>,
}

/// Does it. Both addresses must be of the same server; a target that ends in `/` is the folder for the source's name.
pub(super) async fn run<F>(
    from: &str,
    to: &str,
    connections: &Connections,
    work: F,
) -> Result<Status, Failure>
where
    F: AsyncFn(&Session, &RemotePath, &RemotePath) -> Result<(), ftp_client::Error>,
{
    let (from, to) = (connections.parse(from)?, connections.parse(to)?);
    if from.root() != to.root() {
        return Err(Failure::usage(format!(
            "{from} and {to} are not on the same server, as the same user: get and put move between servers"
        )));
    }
    let Some(name) = from.file_name() else {
        return Err(Failure::usage(format!(
            "{from}: this is the folder of the login itself"
        )));
    };
    let has_password = |url: &Url| {
        matches!(
            &url.place,
            Place::Server(Server {
                password: Some(_),
                ..
            })
        )
    };
    let session = connections
        .open(if has_password(&to) { &to } else { &from })
        .await?;
    let outcome = match places(&session, &from, &to, name) {
        Ok((source, target)) => work(&session, &source, &target)
            .await
            .map_err(|error| Failure::remote(format!("{from} -> {to}"), error)),
        Err(failure) => Err(failure),
    };
    session.close().await;
    let output = connections.output;
    if output.json {
        output.object(&Pair {
            source: from.to_string(),
            target: to.to_string(),
            error: outcome
                .as_ref()
                .err()
                .map(|failure| output::mask(&failure.reason())),
        })?;
    } else if let Err(failure) = &outcome {
        output.message(failure);
    }
    Ok(outcome
        .err()
        .map_or(Status::Done, |failure| failure.status()))
}

fn places(
    session: &Session,
    from: &Url,
    to: &Url,
    name: &[u8],
) -> Result<(RemotePath, RemotePath), Failure> {
    let bad = |error: &dyn std::fmt::Display| Failure::usage(error.to_string());
    let source = session
        .path(from)
        .ok_or_else(|| bad(&"the address names no file"))?;
    let target = match session.path(to) {
        Some(path) if !to.is_folder() => path,
        folder => {
            let name = session.encoded(name);
            let name = Name::try_from(&*name).map_err(|error| bad(&error))?;
            match folder {
                Some(folder) => folder.join(&name),
                None => RemotePath::try_from(name.as_bytes()).map_err(|error| bad(&error))?,
            }
        }
    };
    Ok((source, target))
}
