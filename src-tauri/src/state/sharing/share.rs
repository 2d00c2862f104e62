//! One shared folder: its server, who is there, and what was moved.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ftp_server::{
    Direction, Doing, EventKind, RunningServer, ServerEvent, ServerHandle, ServerTls, SessionId,
    SessionInfo, SpeedLimits, TransferOutcome,
};
use tokio::{
    sync::{Notify, broadcast::error::RecvError},
    task::AbortHandle,
    time::Instant,
};

use super::address;
use crate::{
    dto::{
        LogDirection, MoveDirection, MoveOutcome, Moving, Number, Reach, Share, ShareEncryption,
        ShareLimits, ShareMove, ShareRequest, ShareVisitor, ShownPassword,
    },
    state::{folder::Folder, log::Log},
};

/// Moves that are remembered; the sums know of all.
const KEPT_MOVES: usize = 50;
/// A speed is measured over at least this time.
const METER: Duration = Duration::from_millis(500);

/// A shared folder.
pub(super) struct Open {
    pub(super) id: u32,
    pub(super) path: PathBuf,
    reach: Reach,
    addresses: Vec<SocketAddr>,
    user: String,
    password: ShownPassword,
    fingerprint: String,
    encryption: ShareEncryption,
    read_only: bool,
    since: jiff::Timestamp,
    handle: ServerHandle,
    state: Mutex<State>,
}

/// What changes.
struct State {
    limits: ShareLimits,
    /// None once it was stopped.
    server: Option<RunningServer>,
    follower: Option<AbortHandle>,
    moves: VecDeque<ShareMove>,
    last_move: u32,
    download_bytes: u64,
    upload_bytes: u64,
    meter: Meter,
}

/// Bytes a second.
struct Meter {
    at: Instant,
    bytes: u64,
    rate: f64,
}

impl Open {
    /// What the server on its address shares, before anybody came.
    pub(super) fn new(
        id: u32,
        path: PathBuf,
        request: ShareRequest,
        user: String,
        tls: &ServerTls,
        server: &RunningServer,
    ) -> Self {
        Self {
            id,
            path,
            reach: request.reach,
            addresses: address::reachable(server.local_addr()),
            user,
            password: request.password,
            fingerprint: tls.fingerprint().to_string(),
            encryption: request.encryption,
            read_only: request.read_only,
            since: jiff::Timestamp::now(),
            handle: server.handle().clone(),
            state: Mutex::new(State {
                limits: request.limits,
                server: None,
                follower: None,
                moves: VecDeque::new(),
                last_move: 0,
                download_bytes: 0,
                upload_bytes: 0,
                meter: Meter {
                    at: Instant::now(),
                    bytes: 0,
                    rate: 0.0,
                },
            }),
        }
    }

    /// Keeps the server, and notes what happens there.
    pub(super) fn follow(
        self: &Arc<Self>,
        server: RunningServer,
        changed: Arc<Notify>,
        log: Arc<Log>,
    ) {
        let mut events = server.events();
        let this = Arc::downgrade(self);
        let task = tokio::spawn(async move {
            loop {
                let event = match events.recv().await {
                    Ok(event) => Some(event),
                    Err(RecvError::Lagged(_)) => None,
                    Err(RecvError::Closed) => return,
                };
                let Some(this) = this.upgrade() else { return };
                if let Some(event) = event {
                    this.note(event, &log);
                }
                changed.notify_one();
            }
        });
        let mut state = self.state();
        state.server = Some(server);
        state.follower = Some(task.abort_handle());
    }

    /// Stops listening, and tells visitors goodbye.
    pub(super) async fn stop(&self) {
        let (server, follower) = {
            let mut state = self.state();
            (state.server.take(), state.follower.take())
        };
        if let Some(server) = server {
            server.stop().await;
        }
        if let Some(follower) = follower {
            follower.abort();
        }
    }

    /// The path, for people.
    pub(super) fn label(&self) -> String {
        Folder::Local(self.path.clone()).label()
    }

    /// A URL of the first address.
    pub(super) fn url(&self, with_password: bool) -> String {
        let at = self
            .addresses
            .first()
            .copied()
            .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 21)));
        address::url(
            self.encryption == ShareEncryption::Required,
            &self.user,
            with_password.then_some(self.password.0.as_str()),
            at,
        )
    }

    pub(super) fn set_limits(&self, limits: ShareLimits, speed: SpeedLimits) {
        self.state().limits = limits;
        self.handle.set_speed(speed);
    }

    /// Ends the session of a visitor; one that is gone already is fine.
    pub(super) fn kick(&self, visitor: u32) {
        if !self.handle.kick(SessionId(visitor.into())) {
            tracing::debug!(visitor, "this visitor is gone already");
        }
    }

    /// What there is to see, and whether something moves.
    pub(super) fn look(&self, now: Instant) -> (Share, bool) {
        let sessions = self.handle.sessions();
        let totals = self.handle.totals();
        let moving = sessions
            .iter()
            .any(|session| matches!(session.doing, Doing::Transfer { .. }));
        let mut state = self.state();
        let rate = state
            .meter
            .read(totals.sent.saturating_add(totals.received), moving, now);
        let folder = Folder::Local(self.path.clone());
        let share = Share {
            id: self.id,
            name: folder.last_label(),
            path: folder.label(),
            reach: self.reach.clone(),
            addresses: self.addresses.iter().map(ToString::to_string).collect(),
            user: self.user.clone(),
            password: self.password.clone(),
            fingerprint: self.fingerprint.clone(),
            encryption: self.encryption,
            read_only: self.read_only,
            limits: state.limits,
            since: Number::from_timestamp(self.since),
            visitors: sessions.iter().map(visitor).collect(),
            moves: state.moves.iter().cloned().collect(),
            downloads: totals.downloads.into(),
            download_bytes: state.download_bytes.into(),
            uploads: totals.uploads.into(),
            upload_bytes: state.upload_bytes.into(),
            refused: totals
                .failed_logins
                .saturating_add(totals.turned_away)
                .into(),
            bytes_per_second: Number::try_from(rate).unwrap_or_default(),
        };
        (share, moving)
    }

    /// Visitors that are taking or bringing a file at this moment.
    pub(super) fn serving(&self) -> u32 {
        let sessions = self.handle.sessions();
        let busy = sessions.iter().filter(|session| match &session.doing {
            Doing::Transfer { direction, .. } => *direction != Direction::Listing,
            _ => false,
        });
        u32::try_from(busy.count()).unwrap_or(u32::MAX)
    }

    /// Remembers what was moved, and writes to the log who came and what happened.
    fn note(&self, event: ServerEvent, log: &Log) {
        let peer = event.peer.ip();
        let text = match event.kind {
            EventKind::LoggedIn { user } => format!("{user} has connected from {peer}"),
            EventKind::LoginFailed { user, reason } => {
                format!("the login of {user} from {peer} was refused: {reason}")
            }
            EventKind::Denied { reason } => format!("refused to {peer}: {reason}"),
            EventKind::TransferEnded {
                path,
                direction,
                bytes,
                outcome,
            } => {
                let direction = MoveDirection::from(direction);
                if direction == MoveDirection::Listing {
                    return;
                }
                let path = path.to_string();
                let text = match direction {
                    MoveDirection::Upload => format!("{path} was uploaded from {peer}"),
                    _ => format!("{path} was downloaded to {peer}"),
                };
                let text = match &outcome {
                    TransferOutcome::Complete => format!("{text}, {bytes} bytes"),
                    TransferOutcome::Aborted => format!("{text}, but given up at {bytes} bytes"),
                    TransferOutcome::Failed(why) => format!("{text}, but failed: {why}"),
                };
                self.moved(peer.to_string(), path, direction, bytes, outcome);
                text
            }
            _ => return,
        };
        let folder = Folder::Local(self.path.clone()).last_label();
        log.add(None, LogDirection::Info, format!("{folder}: {text}"));
    }

    fn moved(
        &self,
        peer: String,
        path: String,
        direction: MoveDirection,
        bytes: u64,
        outcome: TransferOutcome,
    ) {
        let (outcome, why) = match outcome {
            TransferOutcome::Complete => (MoveOutcome::Complete, None),
            TransferOutcome::Aborted => (MoveOutcome::Aborted, None),
            TransferOutcome::Failed(why) => (MoveOutcome::Failed, Some(why)),
        };
        let mut state = self.state();
        if outcome == MoveOutcome::Complete {
            let sum = match direction {
                MoveDirection::Upload => &mut state.upload_bytes,
                _ => &mut state.download_bytes,
            };
            *sum = sum.saturating_add(bytes);
        }
        state.last_move += 1;
        let seq = state.last_move;
        state.moves.push_front(ShareMove {
            seq,
            at: Number::from_timestamp(jiff::Timestamp::now()),
            peer,
            direction,
            path,
            bytes: bytes.into(),
            outcome,
            why,
        });
        state.moves.truncate(KEPT_MOVES);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn visitor(session: &SessionInfo) -> ShareVisitor {
    let moving = match &session.doing {
        Doing::Transfer {
            path,
            direction,
            bytes,
            total,
            ..
        } => Some(Moving {
            direction: (*direction).into(),
            path: path.to_string(),
            bytes: (*bytes).into(),
            total: total.map(Number::from),
        }),
        _ => None,
    };
    ShareVisitor {
        id: u32::try_from(session.id.0).unwrap_or(u32::MAX),
        peer: session.peer.ip().to_string(),
        user: session.user.clone(),
        encrypted: session.encrypted,
        moving,
    }
}

impl Meter {
    /// Bytes a second, from all that went by so far.
    fn read(&mut self, bytes: u64, moving: bool, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.at);
        if !moving {
            *self = Self {
                at: now,
                bytes,
                rate: 0.0,
            };
        } else if passed >= METER {
            let rate = bytes.saturating_sub(self.bytes) as f64 / passed.as_secs_f64();
            *self = Self {
                at: now,
                bytes,
                rate: rate.round(),
            };
        }
        self.rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_meter_reads_what_went_by() {
        let start = Instant::now();
        let mut meter = Meter {
            at: start,
            bytes: 0,
            rate: 0.0,
        };
        assert_eq!(meter.read(500, true, start + METER / 2), 0.0, "too early");
        assert_eq!(meter.read(1000, true, start + METER), 2000.0);
        assert_eq!(
            meter.read(9000, true, start + METER + METER / 2),
            2000.0,
            "as before"
        );
        assert_eq!(meter.read(9000, false, start + METER * 2), 0.0, "at rest");
        assert_eq!(
            meter.read(9500, true, start + METER * 3),
            1000.0,
            "what went before does not count"
        );
    }
}
