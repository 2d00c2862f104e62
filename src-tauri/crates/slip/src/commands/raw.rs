use std::io::{self, IsTerminal as _, Write as _};

use ftp_client::ftp_proto::{Reply, escape};
use serde::Serialize;

use crate::cli;
use crate::connect::{Connections, Session};
use crate::exit::{Failure, Status};
use crate::url::Url;

#[derive(Debug, Serialize)]
struct ReplyObject {
    code: u16,
    lines: Vec<String>,
}

/// Sends one command and prints the reply. A reply of 4xx or 5xx counts as failed.
pub(crate) async fn run(raw: &cli::Raw, connections: &Connections) -> Result<Status, Failure> {
    let url = connections.parse(&raw.url)?;
    let session = connections.open(&url).await?;
    let reply = send(&session, &url, &raw.command.join(" ")).await;
    session.close().await;
    let reply = reply?;
    print(connections, &reply)?;
    Ok(if reply.code.value() < 400 {
        Status::Done
    } else {
        Status::SomeFailed
    })
}

async fn send(session: &Session, url: &Url, command: &str) -> Result<Reply, Failure> {
    let failure = |error| Failure::remote(url.to_string(), error);
    if let Some(folder) = session.path(url)
        && url.file_name().is_some()
    {
        session.client.cwd(&folder).await.map_err(failure)?;
    }
    session.client.raw(command).await.map_err(failure)
}

fn print(connections: &Connections, reply: &Reply) -> Result<(), Failure> {
    if connections.output.json {
        let lines = reply
            .lines
            .iter()
            .map(|line| crate::output::mask(&String::from_utf8_lossy(line)))
            .collect();
        return Ok(connections.output.object(&ReplyObject {
            code: reply.code.value(),
            lines,
        })?);
    }
    let mut out = io::stdout().lock();
    for line in super::reply_lines(reply) {
        let line = crate::output::mask_bytes(&line);
        if out.is_terminal() {
            out.write_all(escape(&line, usize::MAX).as_bytes())?;
        } else {
            out.write_all(&line)?;
        }
        out.write_all(b"\n")?;
    }
    Ok(out.flush()?)
}
