//! Policies around commands: what sees each command before it is obeyed, and each reply before it is sent.

mod built_in;
mod run;

use std::fmt;
use std::net::SocketAddr;

use async_trait::async_trait;
use ftp_proto::{Command, CommandError, Reply};

pub use built_in::{CommandLog, CommandRate, DenyVerbs, RewriteCommands};
pub(crate) use run::{Layers, Passage, Passed};

use crate::event::SessionId;

/// A policy around the commands of all sessions; [`ServerBuilder::layer`](crate::ServerBuilder::layer) adds one. The first that
/// was added is the outermost: it sees a command first and its replies last.
///
/// A layer that panics ends the session it does so in, and no other.
///
/// ```
/// use async_trait::async_trait;
/// use ftp_server::{Asked, Layer, LayerSession, Reply, Verdict};
///
/// /// Nothing is deleted by those who came without encryption.
/// struct KeepFromPlain;
///
/// #[async_trait]
/// impl Layer for KeepFromPlain {
///     async fn before(&self, session: &LayerSession, asked: &Asked) -> Verdict {
///         match asked.verb() {
///             "DELE" | "RMD" if !session.encrypted => {
///                 Verdict::Deny(Reply::new(550, "Not without encryption."))
///             }
///             _ => Verdict::Pass,
///         }
///     }
/// }
/// # let _ = KeepFromPlain;
/// ```
#[async_trait]
pub trait Layer: Send + Sync {
    /// Sees a command before it is obeyed. While this waits, the session does: commands behind it are not read.
    async fn before(&self, session: &LayerSession, asked: &Asked) -> Verdict {
        let _ = (session, asked);
        Verdict::Pass
    }

    /// Sees each reply to a command before it is sent (150 and 226 of a transfer are two), with the command as the client sent
    /// it, and may give another in its place. One with another meaning for the order of replies (a preliminary one in place of a
    /// final one, or the other way round) is not taken. Layers behind one that denied the command don't see its reply.
    async fn after(&self, session: &LayerSession, asked: &Asked, reply: Reply) -> Reply {
        let _ = (session, asked);
        reply
    }

    /// A session is over; for layers that remember something of each.
    fn closed(&self, session: SessionId) {
        let _ = session;
    }
}

/// What a layer says of a command.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Verdict {
    /// Go on.
    Pass,
    /// It is not obeyed; this is the reply.
    Deny(Reply),
    /// It is not obeyed; this is the last reply of the session.
    Close(Reply),
    /// Go on with this one in its place.
    Rewrite(Command),
}

/// The session that a layer looks at.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LayerSession {
    /// Its number, as in the events.
    pub id: SessionId,
    /// The client's end of the control connection.
    pub peer: SocketAddr,
    /// The name of the user who is logged in, escaped.
    pub user: Option<String>,
    /// Whether the control connection is encrypted.
    pub encrypted: bool,
}

/// What a client asked for, without its secrets.
#[derive(Clone)]
pub struct Asked {
    line: String,
    command: Option<Command>,
    verb: String,
}

impl Asked {
    pub(crate) fn new(command: &Result<Command, CommandError>) -> Self {
        match command {
            Ok(command) => {
                let line = command.redacted();
                let verb = command.verb().to_owned();
                let secret = line[verb.len()..] == *" *****";
                Self {
                    line,
                    command: (!secret).then(|| command.clone()),
                    verb,
                }
            }
            Err(error) => Self {
                // What was no command may hold anything; of a wrong one the verb is enough.
                line: match error {
                    CommandError::Syntax { verb, .. } => format!("{verb} (not understood)"),
                    _ => "(not understood)".to_owned(),
                },
                command: None,
                verb: match error {
                    CommandError::Syntax { verb, .. } => (*verb).to_owned(),
                    _ => String::new(),
                },
            },
        }
    }

    /// The verb in upper case; empty for a line that has none.
    #[must_use]
    pub fn verb(&self) -> &str {
        &self.verb
    }

    /// The line, escaped, with `*****` in place of a password.
    #[must_use]
    pub fn line(&self) -> &str {
        &self.line
    }

    /// The command; none where it holds a password or wasn't understood.
    #[must_use]
    pub fn command(&self) -> Option<&Command> {
        self.command.as_ref()
    }
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Asked").field(&self.line).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_layer_sees_a_password() {
        for line in [
            "PASS hunter2",
            "ACCT hunter2",
            "SITE PSWD hunter2 hunter3",
            "PASS  hunter2",
            "QWERTY\0 hunter2",
            "\u{ff} hunter2",
        ] {
            let asked = Asked::new(&Command::parse(line.as_bytes()));
            let shown = format!(
                "{asked:?} {} {} {:?}",
                asked.line(),
                asked.verb(),
                asked.command()
            );
            assert!(!shown.contains("hunter"), "{shown}");
        }
        let asked = Asked::new(&Command::parse(b"retr a\x07b"));
        assert_eq!((asked.verb(), asked.line()), ("RETR", "RETR a\\x07b"));
        assert!(matches!(asked.command(), Some(Command::Retr(_))));
        let asked = Asked::new(&Command::parse(b"REST x"));
        assert_eq!((asked.verb(), asked.command()), ("REST", None));
    }
}
