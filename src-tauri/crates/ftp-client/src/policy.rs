//! Policies: what is done to keep a session, and to get it back.

use std::time::Duration;

/// Whether and for how long an idle session is kept from being closed by the server, which most do after some minutes without a
/// command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeepAlive {
    /// So long after the last command another one is sent that changes nothing: NOOP, and TYPE and PWD in turn, since some
    /// servers don't count NOOP. Never while a command or a transfer is under way. Zero: none is sent.
    pub every: Duration,
    /// So long after the last command that somebody asked for the session is given up to the server's own rules.
    pub at_most: Duration,
}

impl KeepAlive {
    /// None at all.
    pub const NEVER: Self = Self {
        every: Duration::ZERO,
        at_most: Duration::ZERO,
    };

    /// How long to wait before the next command, if `sent` have been sent since somebody asked for something.
    #[must_use]
    pub fn next(&self, sent: u32) -> Option<Duration> {
        let used = self.every.saturating_mul(sent.saturating_add(1));
        (!self.every.is_zero() && used <= self.at_most).then_some(self.every)
    }
}

impl Default for KeepAlive {
    /// After 45 seconds, for half an hour.
    fn default() -> Self {
        Self {
            every: Duration::from_secs(45),
            at_most: Duration::from_secs(30 * 60),
        }
    }
}

/// How often, and when, a connection is tried again. The waiting time doubles from attempt to attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// How many attempts after the first one.
    pub attempts: u32,
    /// The wait before the first of them.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
}

impl Backoff {
    /// One attempt and no more.
    pub const NEVER: Self = Self {
        attempts: 0,
        first: Duration::ZERO,
        longest: Duration::ZERO,
    };

    /// The wait before attempt `number`, the first repetition being number 0; `None` where it isn't made.
    #[must_use]
    pub fn wait(&self, number: u32) -> Option<Duration> {
        let doubled = self.first.saturating_mul(1 << number.min(30));
        (number < self.attempts).then_some(doubled.min(self.longest))
    }
}

impl Default for Backoff {
    /// Three times: after one, two and four seconds.
    fn default() -> Self {
        Self {
            attempts: 3,
            first: Duration::from_secs(1),
            longest: Duration::from_secs(60),
        }
    }
}

/// What is done about connections that fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reconnect {
    /// When the first connection fails for a reason that may pass (refused, timed out, broken off, server full).
    pub begin: Backoff,
    /// When a session was lost while nobody used it, and something is asked of it again: it is connected anew, in the same folder. A
    /// command that was under way when the connection broke is never repeated: nobody knows whether it was carried out.
    pub lost: Backoff,
}

impl Reconnect {
    /// Nothing: errors are told at once.
    pub const NEVER: Self = Self {
        begin: Backoff::NEVER,
        lost: Backoff::NEVER,
    };

    /// True where a lost session is connected anew.
    #[must_use]
    pub const fn revives(&self) -> bool {
        self.lost.attempts > 0
    }
}

impl Default for Reconnect {
    /// A first connection that fails is an error at once; a lost session is connected anew, with three attempts.
    fn default() -> Self {
        Self {
            begin: Backoff::NEVER,
            lost: Backoff {
                first: Duration::ZERO,
                ..Backoff::default()
            },
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn waits_double_up_to_the_longest() {
        let backoff = Backoff {
            attempts: 5,
            first: SECOND,
            longest: 5 * SECOND,
        };
        let waits: Vec<u64> = (0..9)
            .map_while(|number| backoff.wait(number))
            .map(|wait| wait.as_secs())
            .collect();
        assert_eq!(waits, [1, 2, 4, 5, 5]);
        assert_eq!(Backoff::NEVER.wait(0), None);
        let endless = Backoff {
            attempts: u32::MAX,
            first: SECOND,
            longest: Duration::MAX,
        };
        assert!(endless.wait(u32::MAX - 1).unwrap() > 1000 * SECOND);
    }

    #[test]
    fn keeping_alive_ends() {
        let policy = KeepAlive {
            every: 40 * SECOND,
            at_most: 100 * SECOND,
        };
        assert_eq!(policy.next(0), Some(40 * SECOND));
        assert_eq!(policy.next(1), Some(40 * SECOND));
        assert_eq!(policy.next(2), None);
        assert_eq!(KeepAlive::NEVER.next(0), None);
        assert_eq!(KeepAlive::default().next(39).map(|d| d.as_secs()), Some(45));
        assert_eq!(KeepAlive::default().next(40), None);
        assert_eq!(KeepAlive::default().next(u32::MAX), None);
    }
}
