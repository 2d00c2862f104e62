//! Taking a command and its replies through the layers.

use std::sync::Arc;

use ftp_proto::{Command, CommandError, Reply};

use super::{Asked, Layer, LayerSession, Verdict};
use crate::event::SessionId;

/// All layers, the outermost first.
#[derive(Clone, Default)]
pub(crate) struct Layers(Vec<Arc<dyn Layer>>);

/// A command on its way, kept until its last reply.
pub(crate) struct Passage {
    asked: Asked,
    /// How many layers have let it pass, or decided about it.
    seen: usize,
}

/// What became of a command.
pub(crate) enum Passed {
    Go(Result<Command, CommandError>),
    Deny(Reply),
    Close(Reply),
}

impl Layers {
    pub(crate) fn push(&mut self, layer: Arc<dyn Layer>) {
        self.0.push(layer);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Asks all, from the outermost on, until one decides.
    pub(crate) async fn before(
        &self,
        session: &LayerSession,
        mut command: Result<Command, CommandError>,
    ) -> (Passage, Passed) {
        let asked = Asked::new(&command);
        let mut now = asked.clone();
        for (at, layer) in self.0.iter().enumerate() {
            let passage = |asked| Passage {
                asked,
                seen: at + 1,
            };
            match layer.before(session, &now).await {
                Verdict::Pass => {}
                Verdict::Deny(reply) => return (passage(asked), Passed::Deny(reply)),
                Verdict::Close(reply) => return (passage(asked), Passed::Close(reply)),
                Verdict::Rewrite(other) => {
                    command = Ok(other);
                    now = Asked::new(&command);
                }
            }
        }
        let seen = self.0.len();
        (Passage { asked, seen }, Passed::Go(command))
    }

    /// Shows a reply to all that have seen the command, the outermost last.
    pub(crate) async fn after(
        &self,
        session: &LayerSession,
        passage: &Passage,
        mut reply: Reply,
    ) -> Reply {
        for layer in self.0.iter().take(passage.seen).rev() {
            let preliminary = reply.code.is_preliminary();
            let other = layer.after(session, &passage.asked, reply.clone()).await;
            // A client would wait for a final reply that never comes, or take the next one for it.
            if other.code.is_preliminary() == preliminary {
                reply = other;
            }
        }
        reply
    }

    pub(crate) fn closed(&self, session: SessionId) {
        for layer in &self.0 {
            layer.closed(session);
        }
    }
}
