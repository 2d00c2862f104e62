//! What a server tells its owner.

use std::fmt;
use std::net::SocketAddr;

use vfs::VPath;

/// Numbers sessions in the order of their connection, from 1 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// One thing that happened. Never holds a password.
#[derive(Clone, Debug)]
pub struct ServerEvent {
    /// Whose session.
    pub session: SessionId,
    /// The client's end of the control connection.
    pub peer: SocketAddr,
    /// What happened.
    pub kind: EventKind,
}

/// The kinds of [`ServerEvent`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum EventKind {
    /// A client has connected.
    SessionOpened,
    /// The control connection is encrypted now.
    Secured {
        /// `TLS 1.2` or `TLS 1.3`.
        version: &'static str,
    },
    /// A user has logged in.
    LoggedIn {
        /// The name, escaped.
        user: String,
    },
    /// A login failed. Not told apart: a name that nobody has, and a wrong password.
    LoginFailed {
        /// The name, escaped.
        user: String,
        /// What was wrong; never the password.
        reason: &'static str,
    },
    /// Something was refused: a foreign address, a connection too many.
    Denied {
        /// What, and why; never with a password.
        reason: String,
    },
    /// A transfer of a file or a listing begins.
    TransferStarted {
        /// The file or directory.
        path: VPath,
        /// Which way the bytes go.
        direction: Direction,
    },
    /// It is over. Not told of one that a fault or the hard end of the server cut off: there the session's own end says it.
    TransferEnded {
        /// The file or directory.
        path: VPath,
        /// Which way the bytes went.
        direction: Direction,
        /// Bytes that were moved.
        bytes: u64,
        /// How it ended.
        outcome: TransferOutcome,
    },
    /// The session is over.
    SessionClosed {
        /// Why.
        reason: EndReason,
    },
}

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// A file, to the client.
    Download,
    /// A file, from the client.
    Upload,
    /// A directory, to the client.
    Listing,
}

/// How a transfer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransferOutcome {
    /// All of it was moved.
    Complete,
    /// The client gave it up, or went away.
    Aborted,
    /// It failed; the text of the reply.
    Failed(String),
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndReason {
    /// The client said QUIT.
    Quit,
    /// The client closed the connection, or it broke.
    Gone,
    /// Nothing came for too long.
    Idle,
    /// The client broke a rule: a line too long, too many wrong passwords, plaintext after AUTH, another protocol.
    Refused,
    /// TLS failed on the control connection.
    Tls,
    /// The server was stopped.
    Stopped,
    /// The owner of the server ended it, or it gave way to others because it didn't log in.
    Kicked,
    /// A fault of ours: the session panicked. Others go on.
    Fault,
}
