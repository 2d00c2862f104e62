//! Who is connected, and what moves: bars on a terminal, lines elsewhere.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ftp_server::{
    Direction, Doing, EventKind, ServerEvent, ServerHandle, SessionId, SessionInfo, Totals,
    TransferOutcome,
};
use indicatif::{HumanBytes, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::Output;

/// How often the bars are drawn anew.
pub(super) const EVERY: Duration = Duration::from_millis(250);

/// The most sessions that have a line of their own on the screen.
const LINES: usize = 12;

/// What is shown of a running server.
pub(super) struct View {
    handle: ServerHandle,
    output: Output,
    screen: Option<Screen>,
}

struct Screen {
    all: MultiProgress,
    head: ProgressBar,
    lines: Mutex<HashMap<SessionId, ProgressBar>>,
}

impl View {
    pub(super) fn new(handle: ServerHandle, output: Output) -> Self {
        let screen = output.shows_progress().then(|| {
            let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(8));
            let head = all.add(line());
            Screen {
                all,
                head,
                lines: Mutex::default(),
            }
        });
        Self {
            handle,
            output,
            screen,
        }
    }

    /// Whether there is a screen to be drawn anew.
    pub(super) fn is_live(&self) -> bool {
        self.screen.is_some()
    }

    /// Draws what there is at this moment.
    pub(super) fn refresh(&self) {
        let Some(screen) = &self.screen else {
            return;
        };
        let sessions = self.handle.sessions();
        screen.head.set_message(head(&self.handle.totals()));
        let mut lines = screen.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.retain(|id, bar| {
            let stays = sessions.iter().any(|session| session.id == *id);
            if !stays {
                bar.finish_and_clear();
                screen.all.remove(bar);
            }
            stays
        });
        for session in &sessions {
            if lines.len() >= LINES && !lines.contains_key(&session.id) {
                continue;
            }
            lines
                .entry(session.id)
                .or_insert_with(|| screen.all.add(line()))
                .set_message(about(session));
        }
    }

    /// A line about what has happened.
    pub(super) fn tell(&self, event: &ServerEvent) {
        if self.output.quiet {
            return;
        }
        let Some(what) = words(&event.kind, self.output.verbose) else {
            return;
        };
        let text = format!("{} [{}] {what}", event.peer, event.session);
        self.aside(|| self.output.message(text));
    }

    /// Prints something while the bars are out of the way.
    pub(super) fn aside(&self, print: impl FnOnce()) {
        match &self.screen {
            Some(screen) => screen.all.suspend(print),
            None => print(),
        }
    }

    /// Leaves the screen.
    pub(super) fn finish(&self) {
        if let Some(screen) = &self.screen {
            let _ = screen.all.clear();
        }
    }
}

fn line() -> ProgressBar {
    let bar = ProgressBar::no_length();
    if let Ok(style) = ProgressStyle::with_template("{wide_msg}") {
        bar.set_style(style);
    }
    bar
}

fn head(totals: &Totals) -> String {
    let files = |n: u64| if n == 1 { "file" } else { "files" };
    format!(
        "{} connected; taken: {} {}, {}; brought: {} {}, {}",
        totals.open,
        totals.downloads,
        files(totals.downloads),
        HumanBytes(totals.sent),
        totals.uploads,
        files(totals.uploads),
        HumanBytes(totals.received),
    )
}

fn about(session: &SessionInfo) -> String {
    let who = session.user.as_deref().unwrap_or("(not logged in)");
    let lock = if session.encrypted {
        ""
    } else {
        " unencrypted"
    };
    let doing = match &session.doing {
        Doing::Transfer {
            path,
            direction,
            bytes,
            total,
            running,
        } => {
            let of = total.map_or_else(String::new, |total| format!(" of {}", HumanBytes(total)));
            let speed = per_second(*bytes, *running);
            format!(
                "{} {path}: {}{of}, {}/s",
                way(*direction),
                HumanBytes(*bytes),
                HumanBytes(speed)
            )
        }
        _ => format!("idle for {} s", session.idle.as_secs()),
    };
    format!("  {} {who}{lock}  {doing}", session.peer.ip())
}

/// Bytes a second over the whole time.
fn per_second(bytes: u64, time: Duration) -> u64 {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1);
    u64::try_from(u128::from(bytes) * 1000 / u128::from(millis)).unwrap_or(u64::MAX)
}

fn way(direction: Direction) -> &'static str {
    match direction {
        Direction::Download => "takes",
        Direction::Upload => "brings",
        Direction::Listing => "lists",
    }
}

/// What is worth a line: who comes and goes, files, and what was refused. With everything: listings, connections, TLS.
fn words(kind: &EventKind, everything: bool) -> Option<String> {
    Some(match kind {
        EventKind::LoggedIn { user } => format!("{user} logged in"),
        EventKind::LoginFailed { user, reason } => format!("no login of {user}: {reason}"),
        EventKind::Denied { reason } => format!("refused: {reason}"),
        EventKind::TransferEnded {
            path,
            direction: direction @ (Direction::Download | Direction::Upload),
            bytes,
            outcome,
        } => {
            let how = match outcome {
                TransferOutcome::Complete => "done".to_owned(),
                TransferOutcome::Aborted => "given up".to_owned(),
                TransferOutcome::Failed(why) => format!("failed: {why}"),
            };
            format!("{} {path}: {how}, {}", way(*direction), HumanBytes(*bytes))
        }
        _ if !everything => return None,
        EventKind::SessionOpened => "connected".to_owned(),
        EventKind::Secured { version } => format!("encrypted by {version}"),
        EventKind::TransferStarted { path, direction } => format!("{} {path}", way(*direction)),
        EventKind::TransferEnded { path, bytes, .. } => {
            format!("listed {path}: {}", HumanBytes(*bytes))
        }
        EventKind::SessionClosed { reason } => format!("gone: {reason:?}"),
        other => format!("{other:?}"),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use ftp_server::vfs::VPath;

    use super::*;

    #[test]
    fn lines_say_what_matters() {
        let ended = |direction, outcome| EventKind::TransferEnded {
            path: VPath::new("/a b").unwrap(),
            direction,
            bytes: 2048,
            outcome,
        };
        let text = words(
            &ended(Direction::Download, TransferOutcome::Complete),
            false,
        );
        assert_eq!(text.unwrap(), "takes /a b: done, 2.00 KiB");
        let text = words(&ended(Direction::Upload, TransferOutcome::Aborted), false);
        assert_eq!(text.unwrap(), "brings /a b: given up, 2.00 KiB");
        let listing = ended(Direction::Listing, TransferOutcome::Complete);
        assert!(words(&listing, false).is_none());
        assert_eq!(words(&listing, true).unwrap(), "listed /a b: 2.00 KiB");
        assert!(words(&EventKind::SessionOpened, false).is_none());
    }

    #[test]
    fn speeds_are_of_the_whole_time() {
        assert_eq!(per_second(3000, Duration::from_secs(2)), 1500);
        assert_eq!(per_second(1, Duration::ZERO), 1000);
        assert_eq!(per_second(u64::MAX, Duration::ZERO), u64::MAX);
    }
}
