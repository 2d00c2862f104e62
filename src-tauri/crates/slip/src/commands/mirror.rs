//! `slip mirror`: makes a folder like another, here or on a server.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ftp_client::Client;
use ftp_client::ftp_proto::RemotePath;
use serde::Serialize;
use transfer::mirror::{
    self, Applied, Incomplete, Left, MirrorError, MirrorOptions, MirrorPlan, Role, Side, Stage,
    TargetPath, Tree,
};
use transfer::{ConflictRule, Direction, KeepTime, Links};

use crate::batch;
use crate::cli;
use crate::connect::{Connections, Session};
use crate::exit::{Failure, Status, Tally};
use crate::output::Output;
use crate::plan::{Planned, here};
use crate::servers::Servers;
use crate::url::Url;

/// How many connections look into folders at once, at most.
const LOOKING: u8 = 4;

/// A line of the plan, or its end, with `--json`.
#[derive(Serialize)]
#[serde(tag = "plan", rename_all = "kebab-case")]
enum Line<'a> {
    Incomplete {
        path: &'a str,
        reason: &'a str,
    },
    Conflict {
        path: &'a str,
        reason: String,
    },
    Leave {
        path: &'a str,
        reason: String,
    },
    Make {
        path: String,
        reason: String,
    },
    Copy {
        path: String,
        size: Option<u64>,
        reason: String,
    },
    Delete {
        path: String,
        folder: bool,
        reason: String,
    },
    Summary {
        copy: usize,
        bytes: u64,
        make: usize,
        delete: usize,
        same: u64,
        left_out: u64,
        extra: u64,
        refused: Option<String>,
    },
}

/// Both sides, and how they are reached.
struct Sides {
    direction: Direction,
    url: Url,
    remote: RemotePath,
    local: PathBuf,
}

pub(crate) async fn run(
    mirror: cli::Mirror,
    connections: &Arc<Connections>,
) -> Result<Status, Failure> {
    let output = connections.output;
    let (direction, url, local) = ends(&mirror.source, &mirror.target)?;
    let url = connections.parse(url)?;
    let mut options = mirror.how.options(ConflictRule::Overwrite, Links::Skip)?;
    let session = connections.open(&url).await?;
    options.charset = session.charset();
    let wanted = MirrorOptions {
        compare: mirror.compare,
        delete: mirror.delete,
        max_delete: mirror.max_delete,
        filter: options.filter.clone(),
        names: (&options).into(),
        keep_times: options.keep_time != KeepTime::No,
        ..MirrorOptions::default()
    };
    let sides = Sides {
        direction,
        remote: session.path(&url).map_or_else(here, Ok)?,
        url,
        local,
    };
    let at_most = mirror.how.connections.unwrap_or(LOOKING).min(LOOKING);
    let more = more_sessions(connections, &session, at_most).await;
    let mut clients = vec![session.client.clone()];
    clients.extend(more.iter().map(|session| session.client.clone()));
    let plan = look(&sides, &clients, &wanted)
        .await
        .map_err(|error| sides.failure(error))?;
    print(&plan, output)?;
    let mut tally = Tally::default();
    if !plan.incomplete.is_empty() || !plan.conflicts.is_empty() || plan.refused.is_some() {
        tally.failed(Status::SomeFailed);
    }
    if mirror.dry_run || plan.is_empty() {
        for session in more.into_iter().chain([session]) {
            session.close().await;
        }
        return Ok(tally.status());
    }
    let site = session.target.key();
    let target = session.target.clone();
    sides
        .prepare(&plan, &session.client, &mut tally, output)
        .await?;
    let session = if plan.copy.is_empty() {
        Some(session)
    } else {
        let servers = Servers::new(connections.clone());
        for session in [session].into_iter().chain(more) {
            servers.lend(session, &sides.url);
        }
        let transfers = plan.transfers(&site, &sides.local, &sides.remote, &Arc::new(options));
        let planned = Planned {
            transfers,
            servers,
            tally: Tally::default(),
            recursive: true,
        };
        match batch::run(planned, connections, &mirror.how).await? {
            Status::Done => tally.done(),
            status => tally.failed(status),
        }
        None
    };
    if plan.delete.iter().any(|gone| !gone.first) {
        if tally.status() != Status::Done {
            output.message("nothing more is deleted, because not everything could be copied");
        } else {
            let session = match session {
                Some(session) => session,
                None => connections.connect(target).await?,
            };
            let side = sides.target(&session.client);
            let applied = mirror::apply_deletions(&plan, Stage::AfterCopying, side).await;
            tell(
                applied.map_err(|error| sides.failure(error))?,
                &mut tally,
                output,
            );
            session.close().await;
            return Ok(tally.status());
        }
    }
    if let Some(session) = session {
        session.close().await;
    }
    Ok(tally.status())
}

/// Which side is the server.
fn ends<'a>(
    source: &'a OsStr,
    target: &'a OsStr,
) -> Result<(Direction, &'a str, PathBuf), Failure> {
    let address = |text: &'a OsStr| text.to_str().filter(|text| Url::is_meant(text));
    let local = |text: &OsStr| match text.is_empty() {
        true => Err(Failure::usage("a folder's name is empty")),
        false => Ok(PathBuf::from(text)),
    };
    match (address(source), address(target)) {
        (Some(url), None) => Ok((Direction::Download, url, local(target)?)),
        (None, Some(url)) => Ok((Direction::Upload, url, local(source)?)),
        (Some(_), Some(_)) => Err(Failure::usage(
            "from one server to another: one side has to be this computer",
        )),
        (None, None) => Err(Failure::usage(
            "one side has to be an address: slip mirror URL FOLDER, or slip mirror FOLDER URL",
        )),
    }
}

/// Further connections to look with. A server that takes no more of them is no failure.
async fn more_sessions(connections: &Connections, first: &Session, at_most: u8) -> Vec<Session> {
    let allowed = connections
        .connections_of(&first.target)
        .map_or(at_most, |most| most.min(at_most));
    // All of them log in at the same time.
    let open = |_| connections.connect(first.target.clone());
    let outcomes = futures_util::future::join_all((1..allowed).map(open)).await;
    outcomes.into_iter().flatten().collect()
}

/// Looks at both sides, and makes the plan.
async fn look(
    sides: &Sides,
    clients: &[Client],
    options: &MirrorOptions,
) -> Result<MirrorPlan, MirrorError> {
    let (of_remote, of_local) = match sides.direction {
        Direction::Download => (Role::Source, Role::Target),
        Direction::Upload => (Role::Target, Role::Source),
    };
    let (local, wanted) = (sides.local.clone(), options.clone());
    let here = tokio::task::spawn_blocking(move || mirror::gather_local(&local, of_local, &wanted));
    let there = mirror::gather_remote(clients, &sides.remote, of_remote, options).await;
    let mut here: Tree = here
        .await
        .map_err(|error| MirrorError::Internal(error.to_string()))??;
    let mut there = there?;
    let questions = mirror::questions(&there, &here, options);
    if !questions.is_empty() {
        mirror::ask(
            questions,
            clients,
            &sides.remote,
            &mut there,
            &sides.local,
            &mut here,
        )
        .await?;
    }
    let (source, target) = match sides.direction {
        Direction::Download => (&there, &here),
        Direction::Upload => (&here, &there),
    };
    Ok(mirror::compare(source, target, sides.direction, options))
}

impl Sides {
    fn target<'a>(&'a self, client: &'a Client) -> Side<'a> {
        match self.direction {
            Direction::Download => Side::Local(&self.local),
            Direction::Upload => Side::Remote(client, &self.remote),
        }
    }

    /// Clears the way, and makes folders.
    async fn prepare(
        &self,
        plan: &MirrorPlan,
        client: &Client,
        tally: &mut Tally,
        output: Output,
    ) -> Result<(), Failure> {
        let side = self.target(client);
        let cleared = mirror::apply_deletions(plan, Stage::BeforeCopying, side).await;
        tell(cleared.map_err(|error| self.failure(error))?, tally, output);
        let made = mirror::make_folders(plan, side).await;
        tell(made.map_err(|error| self.failure(error))?, tally, output);
        Ok(())
    }

    fn failure(&self, error: MirrorError) -> Failure {
        match error {
            MirrorError::Remote(error) => Failure::remote(self.url.to_string(), error),
            MirrorError::Filter(error) => Failure::usage(error.to_string()),
            other => Failure::Other(other.to_string()),
        }
    }
}

/// What of the plan's own steps did not work.
fn tell(applied: Applied, tally: &mut Tally, output: Output) {
    for failed in &applied.failed {
        tally.failed(Status::SomeFailed);
        output.message(failed);
    }
}

fn print(plan: &MirrorPlan, output: Output) -> Result<(), Failure> {
    if output.json {
        for line in lines(plan) {
            output.object(&line)?;
        }
        return Ok(());
    }
    // Why something was not done is said even to those who want it quiet.
    if let Some(refused) = &plan.refused {
        output.message(refused);
    }
    if output.quiet {
        for incomplete in &plan.incomplete {
            output.message(incomplete);
        }
        for Left { path, reason } in &plan.conflicts {
            output.message(format!("{path}: {reason}"));
        }
        return Ok(());
    }
    Ok(output.line(&plan.to_string())?)
}

fn lines(plan: &MirrorPlan) -> Vec<Line<'_>> {
    let path = |local: &Path, remote: &RemotePath| match plan.direction {
        Direction::Upload => String::from_utf8_lossy(remote.as_bytes()).into_owned(),
        Direction::Download => local.to_string_lossy().into_owned(),
    };
    let mut lines = Vec::new();
    lines.extend(
        plan.incomplete
            .iter()
            .map(|Incomplete { path, why }| Line::Incomplete { path, reason: why }),
    );
    lines.extend(plan.conflicts.iter().map(|left| Line::Conflict {
        path: &left.path,
        reason: left.reason.to_string(),
    }));
    lines.extend(plan.left.iter().map(|left| Line::Leave {
        path: &left.path,
        reason: left.reason.to_string(),
    }));
    if plan.make_root {
        lines.push(Line::Make {
            path: String::new(),
            reason: "not there yet".to_owned(),
        });
    }
    lines.extend(plan.make.iter().map(|step| Line::Make {
        path: path(&step.local, &step.remote),
        reason: step.reason.to_string(),
    }));
    lines.extend(plan.copy.iter().map(|step| Line::Copy {
        path: path(&step.local, &step.remote),
        size: step.size,
        reason: step.reason.to_string(),
    }));
    lines.extend(plan.delete.iter().map(|gone| Line::Delete {
        path: match &gone.path {
            TargetPath::Local(path) => path.to_string_lossy().into_owned(),
            TargetPath::Remote(path) => String::from_utf8_lossy(path.as_bytes()).into_owned(),
        },
        folder: gone.folder,
        reason: gone.reason.to_string(),
    }));
    lines.push(Line::Summary {
        copy: plan.copy.len(),
        bytes: plan.bytes(),
        make: plan.make.len() + usize::from(plan.make_root),
        delete: plan.delete.len(),
        same: plan.same,
        left_out: plan.filtered,
        extra: plan.extra,
        refused: plan.refused.as_ref().map(ToString::to_string),
    });
    lines
}
