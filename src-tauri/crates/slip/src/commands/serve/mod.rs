//! `slip serve`: a folder for others, or whatever a file describes.

mod address;
mod configured;
mod file;
mod live;
mod people;
mod qr;

use std::collections::HashSet;
use std::time::Duration;

use ftp_server::{
    Direction, Doing, EventKind, RunningServer, ServerEvent, SessionId, TransferOutcome,
};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::arguments::Moved;
use crate::cli;
use crate::exit::{Failure, Status};
use crate::output::Output;
use crate::signals::Stop;
use live::View;

/// How long transfers that run may go on after the first Ctrl+C. The second one ends everything at once.
const PATIENCE: Duration = Duration::from_secs(3600);

/// A server that listens, and how it is looked after.
struct Site {
    server: RunningServer,
    /// Ends after the first session that has moved a file.
    once: bool,
    /// For a program: nothing but the line that was promised, and no waiting at the end.
    quiet: bool,
}

/// Serves until it is told to stop.
pub(crate) async fn run(
    serve: &cli::Serve,
    options: &cli::Options,
    moved: &Moved,
    output: Output,
) -> Result<Status, Failure> {
    if serve.profile != cli::Profile::Default && serve.config.is_none() {
        return Err(Failure::usage("--profile goes with --config"));
    }
    raise_handles();
    // Before anybody can know that it listens, and wish for its end.
    let mut stop = Stop::watch();
    let site = match &serve.config {
        Some(file) => configured::open(file, serve.profile, output).await?,
        None => people::open(serve, options, moved, output).await?,
    };
    let quiet = Output {
        quiet: output.quiet || site.quiet,
        ..output
    };
    let view = View::new(site.server.handle().clone(), quiet);
    let mut events = site.server.events();
    until_the_end(&site, &view, &mut events, &mut stop).await;
    if site.quiet {
        view.finish();
        site.server.stop().await;
        return Ok(Status::Done);
    }
    let sessions = site.server.sessions();
    let moving = sessions
        .iter()
        .filter(|session| matches!(session.doing, Doing::Transfer { .. }))
        .count();
    if moving > 0 {
        view.aside(|| {
            quiet.remark(format!(
                "transfers that still run: {moving}. Ctrl+C again ends them now"
            ));
        });
    }
    let stopping = site.server.stop_gracefully(PATIENCE);
    tokio::pin!(stopping);
    let mut ticks = tokio::time::interval(live::EVERY);
    loop {
        tokio::select! {
            () = &mut stopping => break,
            _ = ticks.tick(), if view.is_live() => view.refresh(),
            Ok(event) = events.recv() => view.tell(&event),
        }
    }
    // What happened last is still on its way.
    while let Ok(event) = events.try_recv() {
        view.tell(&event);
    }
    view.finish();
    quiet.remark("stopped");
    Ok(Status::Done)
}

/// Takes as many file handles as the system lets us: a session that moves a file needs three, and the usual bound of 1024 is for programs
/// that look at each of them.
#[cfg(unix)]
fn raise_handles() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    /// Enough for any number of sessions that a small server has.
    const MOST: u64 = 65_536;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.map_or(MOST, |hard| hard.min(MOST));
    if current.is_some_and(|soft| soft < wanted) {
        // Without it the server refuses sessions a little earlier.
        let _ = setrlimit(
            Resource::Nofile,
            Rlimit {
                current: Some(wanted),
                maximum,
            },
        );
    }
}

#[cfg(not(unix))]
fn raise_handles() {}

/// Shows what happens until somebody wants it to end, or the one session that was meant is over.
async fn until_the_end(
    site: &Site,
    view: &View,
    events: &mut Receiver<ServerEvent>,
    stop: &mut Stop,
) {
    let mut once = Once::default();
    let mut ticks = tokio::time::interval(live::EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.wished() => break,
            _ = ticks.tick(), if view.is_live() => view.refresh(),
            event = events.recv() => match event {
                Ok(event) => {
                    view.tell(&event);
                    if once.is_the_end(&event) && site.once {
                        break;
                    }
                }
                Err(RecvError::Lagged(_)) => {
                    // The end may have been among what was missed.
                    let totals = site.server.totals();
                    let moved = totals.downloads + totals.uploads > 0;
                    if site.once && moved && totals.logged_in == 0 {
                        break;
                    }
                }
                Err(RecvError::Closed) => break,
            },
        }
    }
}

/// The sessions that have moved a file completely.
#[derive(Default)]
struct Once(HashSet<SessionId>);

impl Once {
    /// True for the end of such a session.
    fn is_the_end(&mut self, event: &ServerEvent) -> bool {
        match &event.kind {
            EventKind::TransferEnded {
                direction: Direction::Download | Direction::Upload,
                outcome: TransferOutcome::Complete,
                ..
            } => {
                self.0.insert(event.session);
                false
            }
            EventKind::SessionClosed { .. } => self.0.remove(&event.session),
            _ => false,
        }
    }
}
