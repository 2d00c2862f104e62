//! The protocol log: a bounded memory of lines, sent to the window in batches.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tauri::ipc::Channel;
use tokio::sync::Notify;

use crate::dto::{LogDirection, LogLine, Number};

/// Lines that are remembered for a window that asks late.
const KEPT: usize = 5_000;
/// A line that is longer is cut: the log is for people.
const LONGEST: usize = 4_096;
/// The pause between two batches.
const PAUSE: Duration = Duration::from_millis(100);

/// The log of all sessions.
#[derive(Default)]
pub(crate) struct Log {
    inner: Mutex<Inner>,
    changed: Notify,
}

#[derive(Default)]
struct Inner {
    /// Number of the latest line.
    last: u32,
    lines: VecDeque<LogLine>,
    watcher: Option<Channel<Vec<LogLine>>>,
    /// Number of the latest line that the watcher has.
    sent: u32,
}

impl Log {
    /// Adds a line; `session` is none for what belongs to no session.
    pub(crate) fn add(
        &self,
        session: Option<u32>,
        direction: LogDirection,
        text: impl Into<String>,
    ) {
        let mut text = text.into();
        if text.len() > LONGEST {
            let end = (0..=LONGEST).rev().find(|end| text.is_char_boundary(*end));
            text.truncate(end.unwrap_or_default());
            text.push('\u{2026}');
        }
        let at = Number::from_timestamp(jiff::Timestamp::now());
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.last += 1;
        let seq = inner.last;
        if inner.lines.len() == KEPT {
            inner.lines.pop_front();
        }
        inner.lines.push_back(LogLine {
            seq,
            session,
            at,
            direction,
            text,
        });
        drop(inner);
        self.changed.notify_one();
    }

    /// Sends every remembered line, and from then on each new one, to the window; the window before it gets no more.
    pub(crate) fn watch(&self, channel: Channel<Vec<LogLine>>) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.watcher = Some(channel);
        inner.sent = 0;
        drop(inner);
        self.changed.notify_one();
    }

    /// Sends batches for as long as the program runs.
    pub(crate) async fn run(&self) {
        loop {
            self.changed.notified().await;
            if let Some((channel, lines)) = self.batch()
                && let Err(error) = channel.send(lines)
            {
                tracing::debug!(%error, "the window did not take a batch of the log");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Everything that is remembered.
    #[cfg(test)]
    pub(crate) fn lines(&self) -> Vec<LogLine> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.lines.iter().cloned().collect()
    }

    /// What the window does not have yet.
    fn batch(&self) -> Option<(Channel<Vec<LogLine>>, Vec<LogLine>)> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let channel = inner.watcher.clone()?;
        let from = inner.lines.partition_point(|line| line.seq <= inner.sent);
        let lines: Vec<LogLine> = inner.lines.range(from..).cloned().collect();
        inner.sent = inner.last;
        (!lines.is_empty()).then_some((channel, lines))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn channel() -> Channel<Vec<LogLine>> {
        Channel::new(|_| Ok(()))
    }

    fn numbers(log: &Log) -> Vec<u32> {
        log.batch().map_or(Vec::new(), |(_, lines)| {
            lines.iter().map(|line| line.seq).collect()
        })
    }

    #[test]
    fn a_late_window_gets_what_was_said() {
        let log = Log::default();
        log.add(Some(1), LogDirection::Sent, "NOOP");
        log.add(Some(1), LogDirection::Received, "200 ok");
        assert!(log.batch().is_none(), "nobody watches");
        log.watch(channel());
        assert_eq!(numbers(&log), [1, 2]);
        assert!(numbers(&log).is_empty());
        log.add(None, LogDirection::Info, "more");
        assert_eq!(numbers(&log), [3]);
        log.watch(channel());
        assert_eq!(numbers(&log), [1, 2, 3], "a new window begins anew");
    }

    #[test]
    fn remembers_a_bounded_number_of_bounded_lines() {
        let log = Log::default();
        log.watch(channel());
        for _ in 0..KEPT + 10 {
            log.add(None, LogDirection::Info, "é".repeat(LONGEST));
        }
        let (_, lines) = log.batch().unwrap();
        assert_eq!((lines.len(), lines[0].seq), (KEPT, 11));
        assert!(lines.iter().all(|line| line.text.len() <= LONGEST + 3));
    }
}
