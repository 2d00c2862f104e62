//! Whose words a server speaks.
//!
//! The default profile is what the RFCs say, verb by verb in `verbs/`. Another profile has a dispatch of its own over the same sessions,
//! accounts, trees and transfers: nothing of it is in the verbs. What a session asks its profile is all here.

pub(crate) mod aioftp;

use std::time::Duration;

use ftp_proto::{Command, CommandError, Reply};

use crate::event::TransferOutcome;
use crate::limits::{FOREVER, Limits};
use crate::session::Session;
use crate::verbs::{self, Answer};

/// Whose words a server speaks, and which rules they imply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Profile {
    /// What the RFCs say.
    #[default]
    Default,
    /// The 25 commands of the Python server aioftp 0.28 with its replies to the letter, so that what was written and tested against it finds
    /// nothing changed. It tells strangers which names exist, lets them guess passwords without end and knows no AUTH: not for the open network.
    Aioftp,
}

impl Profile {
    /// The bounds that go with it: for [`Aioftp`](Self::Aioftp) none of those that the original doesn't have.
    #[must_use]
    pub fn limits(self) -> Limits {
        let limits = Limits::default();
        match self {
            Self::Default => limits,
            Self::Aioftp => Limits {
                connections: usize::MAX,
                connections_per_address: usize::MAX,
                half_open: usize::MAX,
                login: FOREVER,
                idle: FOREVER,
                reply: FOREVER,
                data_idle: FOREVER,
                path: FOREVER,
                data_wait: Duration::from_secs(1),
                ..limits
            },
        }
    }

    /// A line of the client.
    pub(crate) fn read(self, line: &[u8]) -> Result<Command, CommandError> {
        match self {
            Self::Default => Command::parse(line),
            Self::Aioftp => aioftp::read(line),
        }
    }

    /// The final reply to a transfer, in this profile's words.
    pub(crate) fn last_word(
        self,
        session: &mut Session,
        reply: Reply,
        outcome: &TransferOutcome,
    ) -> Reply {
        match self {
            Self::Default => reply,
            Self::Aioftp => aioftp::last_word(session, &reply, outcome),
        }
    }

    /// What a connection too many is told, before it is closed.
    pub(crate) fn too_many(self) -> &'static [u8] {
        match self {
            Self::Default => b"421 Too many connections, try again later.\r\n",
            Self::Aioftp => b"421 Too many connections\r\n",
        }
    }

    /// Whether a connection too many gets a TLS handshake where TLS is implicit, so that it can read why. It costs more than a connection
    /// that is closed.
    pub(crate) fn turns_away_by_tls(self) -> bool {
        match self {
            Self::Default => false,
            Self::Aioftp => true,
        }
    }

    /// Whether a client is told why its session ends, where it didn't ask for that itself. Where it isn't, a data connection that stands still
    /// is such an end.
    pub(crate) fn says_why(self) -> bool {
        match self {
            Self::Default => true,
            Self::Aioftp => false,
        }
    }
}

/// Obeys one command, in the profile's words.
pub(crate) async fn run(session: &mut Session, command: Command) -> Answer {
    match session.config().profile {
        Profile::Default => verbs::run(session, command).await,
        Profile::Aioftp => aioftp::run(session, command).await,
    }
}

/// The reply to a line that is no command, or not a right one.
pub(crate) fn not_understood(session: &mut Session, error: &CommandError) -> Answer {
    match session.config().profile {
        Profile::Default => verbs::not_understood(session, error),
        Profile::Aioftp => aioftp::not_understood(),
    }
}
