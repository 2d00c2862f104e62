//! Layers that many servers want.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use ftp_proto::{Command, Reply, escape};
use tokio::time::Instant;

use super::{Asked, Layer, LayerSession, Verdict};
use crate::event::SessionId;

/// Tells each command and each reply to a log, a line each, without passwords.
pub struct CommandLog(Box<dyn Fn(&str) + Send + Sync>);

impl CommandLog {
    /// To the log of the program (`tracing`, level info).
    #[must_use]
    pub fn tracing() -> Self {
        Self::to(|line| tracing::info!("{line}"))
    }

    /// To a function. It should not wait for anything.
    pub fn to(log: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Box::new(log))
    }

    fn tell(&self, session: &LayerSession, sign: char, line: &str) {
        let user = session.user.as_deref().unwrap_or("-");
        (self.0)(&format!(
            "{} {} {user} {sign} {line}",
            session.id, session.peer
        ));
    }
}

#[async_trait]
impl Layer for CommandLog {
    async fn before(&self, session: &LayerSession, asked: &Asked) -> Verdict {
        self.tell(session, '>', asked.line());
        Verdict::Pass
    }

    async fn after(&self, session: &LayerSession, _: &Asked, reply: Reply) -> Reply {
        let text = format!("{} {}", reply.code, escape(reply.first_line(), 200));
        self.tell(session, '<', &text);
        reply
    }
}

/// Lets a session say so many commands a second: who is faster waits, and so do the commands behind.
#[derive(Debug)]
pub struct CommandRate {
    each: Duration,
    burst: u32,
    /// By when all that was said so far would have been said at the allowed pace.
    paces: Mutex<HashMap<SessionId, Instant>>,
}

impl CommandRate {
    /// `per_second` commands a second (at least one), and `burst` at once for who was silent before.
    #[must_use]
    pub fn new(per_second: u32, burst: u32) -> Self {
        Self {
            each: Duration::from_secs(1) / per_second.max(1),
            burst,
            paces: Mutex::default(),
        }
    }

    /// When this command may be obeyed.
    fn due(&self, session: SessionId, now: Instant) -> Instant {
        let mut paces = self.paces.lock().unwrap_or_else(PoisonError::into_inner);
        let pace = paces.entry(session).or_insert(now);
        let due = (*pace).max(now);
        *pace = due + self.each;
        due.checked_sub(self.each.saturating_mul(self.burst))
            .unwrap_or(now)
            .max(now)
    }
}

#[async_trait]
impl Layer for CommandRate {
    async fn before(&self, session: &LayerSession, _: &Asked) -> Verdict {
        let now = Instant::now();
        let due = self.due(session.id, now);
        if due > now {
            tokio::time::sleep_until(due).await;
        }
        Verdict::Pass
    }

    fn closed(&self, session: SessionId) {
        let mut paces = self.paces.lock().unwrap_or_else(PoisonError::into_inner);
        paces.remove(&session);
    }
}

/// Takes commands away: they are answered with 550.
#[derive(Clone, Debug)]
pub struct DenyVerbs(Vec<String>);

impl DenyVerbs {
    /// Verbs (`DELE`), or the beginnings of commands (`SITE CHMOD`), in any case.
    pub fn new<S: AsRef<str>>(verbs: impl IntoIterator<Item = S>) -> Self {
        let verbs = verbs.into_iter();
        Self(verbs.map(|v| v.as_ref().to_ascii_uppercase()).collect())
    }

    fn has(&self, asked: &Asked) -> bool {
        let line = asked.line();
        self.0.iter().any(|verb| {
            verb == asked.verb()
                || line
                    .get(..verb.len())
                    .is_some_and(|start| start.eq_ignore_ascii_case(verb))
                    && line[verb.len()..]
                        .chars()
                        .next()
                        .is_none_or(|next| next == ' ')
        })
    }
}

#[async_trait]
impl Layer for DenyVerbs {
    async fn before(&self, _: &LayerSession, asked: &Asked) -> Verdict {
        if self.has(asked) {
            return Verdict::Deny(Reply::new(550, "Not allowed here."));
        }
        Verdict::Pass
    }
}

/// Obeys another command in place of some.
pub struct RewriteCommands(Box<Rewriting>);

type Rewriting = dyn Fn(&LayerSession, &Command) -> Option<Command> + Send + Sync;

impl RewriteCommands {
    /// The function gives the other command, or `None` for those that stay. It sees none that hold a password.
    pub fn new(
        rewrite: impl Fn(&LayerSession, &Command) -> Option<Command> + Send + Sync + 'static,
    ) -> Self {
        Self(Box::new(rewrite))
    }
}

#[async_trait]
impl Layer for RewriteCommands {
    async fn before(&self, session: &LayerSession, asked: &Asked) -> Verdict {
        match asked.command().and_then(|c| (self.0)(session, c)) {
            Some(other) => Verdict::Rewrite(other),
            None => Verdict::Pass,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_lets_a_burst_pass_and_then_one_by_one() {
        let rate = CommandRate::new(10, 3);
        let (one, two) = (SessionId(1), SessionId(2));
        let now = Instant::now();
        let ms = |n| now + Duration::from_millis(n);
        for _ in 0..4 {
            assert_eq!(rate.due(one, now), now);
        }
        assert_eq!(rate.due(one, now), ms(100));
        assert_eq!(rate.due(one, now), ms(200));
        assert_eq!(rate.due(two, now), now, "each has its own");
        // Silence earns a burst again, and no more than that.
        let later = now + Duration::from_secs(60);
        for _ in 0..4 {
            assert_eq!(rate.due(one, later), later);
        }
        assert_eq!(rate.due(one, later), later + Duration::from_millis(100));
        rate.closed(one);
        rate.closed(two);
        assert!(rate.paces.lock().unwrap().is_empty());
    }

    #[test]
    fn verbs_are_denied_by_word_and_not_by_letters() {
        let deny = DenyVerbs::new(["dele", "Site Chmod"]);
        let has = |line: &str| deny.has(&Asked::new(&Command::parse(line.as_bytes())));
        assert!(has("DELE x") && has("dele x") && has("SITE CHMOD 777 x") && has("site chmod"));
        assert!(!has("SITE CHMODE x") && !has("SITE HELP") && !has("RETR dele") && !has("SITE"));
        // What is said wrongly is denied as well.
        assert!(has("DELE"));
    }
}
