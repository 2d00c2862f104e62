use serde::Serialize;

use ftp_client::ftp_proto::{Name, RemotePath};

use crate::cli;
use crate::connect::{Connections, Session};
use crate::exit::{Failure, Status};
use crate::output;
use crate::url::{Place, Server, Url};

#[derive(Debug, Serialize)]
struct Moved {
    source: String,
    target: String,
    error: Option<String>,
}

/// Renames on the server. Both addresses must be of the same one.
pub(crate) async fn run(mv: &cli::Mv, connections: &Connections) -> Result<Status, Failure> {
    let (from, to) = (connections.parse(&mv.from)?, connections.parse(&mv.to)?);
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
    let outcome = rename(&session, &from, &to, name).await;
    session.close().await;
    let output = connections.output;
    if output.json {
        output.object(&Moved {
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

async fn rename(session: &Session, from: &Url, to: &Url, name: &[u8]) -> Result<(), Failure> {
    let bad = |error: &dyn std::fmt::Display| Failure::usage(error.to_string());
    let source = session
        .path(from)
        .ok_or_else(|| bad(&"the address names no file"))?;
    let target = match session.path(to) {
        Some(path) if !to.is_folder() => path,
        folder => {
            let name = Name::try_from(name).map_err(|error| bad(&error))?;
            match folder {
                Some(folder) => folder.join(&name),
                None => RemotePath::try_from(name.as_bytes()).map_err(|error| bad(&error))?,
            }
        }
    };
    session
        .client
        .rename(&source, &target)
        .await
        .map_err(|error| Failure::remote(format!("{from} -> {to}"), error))
}
