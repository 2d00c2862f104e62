//! The live view: who is connected, and what each does at this moment.

use std::net::SocketAddr;
use std::time::Duration;

use vfs::VPath;

use crate::event::{Direction, SessionId};
use crate::limits::SpeedLimits;

/// One session at the moment of asking.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SessionInfo {
    /// Its number, as in the events.
    pub id: SessionId,
    /// The client's end of the control connection.
    pub peer: SocketAddr,
    /// The name of the user who is logged in, escaped; none before login.
    pub user: Option<String>,
    /// How long it has been connected.
    pub connected: Duration,
    /// How long it has done nothing: since the last command or transfer was done with. Zero while it does something.
    pub idle: Duration,
    /// Whether the control connection is encrypted.
    pub encrypted: bool,
    /// What it does.
    pub doing: Doing,
    /// Bytes of files and listings that went to the client so far, those of a running transfer with them.
    pub sent: u64,
    /// Bytes of files that came from the client so far.
    pub received: u64,
    /// The limits of speed of this session alone, as far as the server sets them.
    pub speed: SpeedLimits,
}

/// What a session does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Doing {
    /// It waits for a command, or obeys a short one.
    Idle,
    /// It moves a file or a listing.
    Transfer {
        /// The file or directory, as the user sees it.
        path: VPath,
        /// Which way.
        direction: Direction,
        /// Bytes so far.
        bytes: u64,
        /// How many it will be, where that is known: downloads of files.
        total: Option<u64>,
        /// How long it has been going on.
        running: Duration,
    },
}

/// Sums since the server started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// Sessions that are open now.
    pub open: usize,
    /// Those of them that are logged in.
    pub logged_in: usize,
    /// Sessions that were let in, the open ones with them.
    pub sessions: u64,
    /// Connections that were turned away: too many, or an address that has to wait.
    pub turned_away: u64,
    /// Logins that succeeded.
    pub logins: u64,
    /// Logins that failed.
    pub failed_logins: u64,
    /// Downloads of files that were completed.
    pub downloads: u64,
    /// Uploads that were completed.
    pub uploads: u64,
    /// Bytes of files and listings that went to clients, those of running transfers with them.
    pub sent: u64,
    /// Bytes of files that came from clients, those of running transfers with them.
    pub received: u64,
}
