//! What can be asked of a running server, and changed.

use std::fmt;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::event::{ServerEvent, SessionId};
use crate::limits::SpeedLimits;
use crate::live::{SessionInfo, Totals};
use crate::server::Shared;

/// A running server for whoever looks at it or changes its limits; see
/// [`RunningServer::handle`](crate::RunningServer::handle). Cheap to clone, and harmless once the server has stopped.
#[derive(Clone)]
pub struct ServerHandle(pub(crate) Arc<Shared>);

impl ServerHandle {
    /// Who is connected, and what each does; in the order of connection.
    #[must_use]
    pub fn sessions(&self) -> Vec<SessionInfo> {
        self.0.registry.sessions()
    }

    /// Sums since the start.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.0.registry.totals()
    }

    /// What happens from now on, as a stream that ends when the server has stopped.
    #[must_use]
    pub fn event_stream(&self) -> BoxStream<'static, Result<ServerEvent, MissedEvents>> {
        let state = (self.0.events.subscribe(), self.0.over.clone());
        stream::unfold(state, async |(mut receiver, over)| {
            let event = next(&mut receiver, &over).await?;
            Some((event, (receiver, over)))
        })
        .boxed()
    }

    /// Ends one session: what it transfers is given up, and it is told 421. False where there is none of this number.
    #[must_use = "there may be no session of this number any more"]
    pub fn kick(&self, id: SessionId) -> bool {
        self.0.registry.kick(id)
    }

    /// The limits of speed of the whole server.
    #[must_use]
    pub fn speed(&self) -> SpeedLimits {
        self.0.registry.speed.limits()
    }

    /// Sets the limits of speed of the whole server, shared by all its transfers, those that run with them (within a tenth
    /// of a second).
    pub fn set_speed(&self, limits: SpeedLimits) {
        self.0.registry.speed.set(limits);
    }

    /// Sets the limits of speed of each session, of those that are open and of those to come.
    pub fn set_session_speed(&self, limits: SpeedLimits) {
        self.0.registry.set_session_speed(limits);
    }

    /// Sets the limits of speed of one session, in place of those that each session has. False where there is none of this number.
    #[must_use = "there may be no session of this number any more"]
    pub fn set_speed_of(&self, id: SessionId, limits: SpeedLimits) -> bool {
        self.0.registry.set_speed_of(id, limits)
    }

    /// Sets the limits of speed of a user: those that all its sessions share, and those of each of them. From now on they count in
    /// place of what the account says.
    pub fn set_user_speed(&self, name: impl AsRef<[u8]>, all: SpeedLimits, each: SpeedLimits) {
        self.0.registry.set_user_speed(name.as_ref(), all, each);
    }
}

/// Events came faster than they were taken; the oldest are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{events} events were missed")]
pub struct MissedEvents {
    /// How many.
    pub events: u64,
}

/// The next event; none once there can be no more.
async fn next(
    receiver: &mut broadcast::Receiver<ServerEvent>,
    over: &CancellationToken,
) -> Option<Result<ServerEvent, MissedEvents>> {
    let received = tokio::select! {
        biased;
        received = receiver.recv() => received,
        () = over.cancelled() => return None,
    };
    match received {
        Ok(event) => Some(Ok(event)),
        Err(RecvError::Lagged(events)) => Some(Err(MissedEvents { events })),
        Err(RecvError::Closed) => None,
    }
}

impl fmt::Debug for ServerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerHandle").finish_non_exhaustive()
    }
}
