//! The bar on a terminal.

use std::collections::HashMap;
use std::time::Duration;

use ftp_client::ftp_proto::escape;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use transfer::{ItemKind, State, Transfer, TransferId};

use crate::output::Output;

/// One bar for everything that moves.
pub(crate) struct Progress {
    bar: ProgressBar,
    files: HashMap<TransferId, Counts>,
    sum: Counts,
    done: usize,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    bytes: u64,
    total: u64,
    finished: bool,
}

impl Progress {
    pub(crate) fn new(output: Output) -> Self {
        let bar = if output.shows_progress() {
            ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(10))
        } else {
            ProgressBar::hidden()
        };
        if let Ok(style) = ProgressStyle::with_template(
            "{bar:20} {bytes}/{total_bytes} {binary_bytes_per_sec} {eta} {wide_msg}",
        ) {
            bar.set_style(style);
        }
        Self {
            bar,
            files: HashMap::new(),
            sum: Counts::default(),
            done: 0,
        }
    }

    /// Takes note of how an item stands.
    pub(crate) fn update(&mut self, item: &Transfer) {
        if self.bar.is_hidden() || item.kind == ItemKind::Folder {
            return;
        }
        let new = Counts {
            bytes: item.bytes,
            total: item.total.unwrap_or(item.bytes),
            finished: !item.state.is_open(),
        };
        let old = self.files.insert(item.id, new).unwrap_or_default();
        self.sum.bytes = self.sum.bytes - old.bytes + new.bytes;
        self.sum.total = self.sum.total - old.total + new.total;
        self.done = self.done + usize::from(new.finished) - usize::from(old.finished);
        if item.state == State::Running {
            self.bar.set_message(format!(
                "{}/{} {}",
                self.done,
                self.files.len(),
                escape(item.name.as_bytes(), 60)
            ));
        }
        self.bar.set_length(self.sum.total);
        self.bar.set_position(self.sum.bytes);
    }

    /// Shows the bytes of a single stream of unknown length until the future is done.
    pub(crate) async fn watch<T>(
        self,
        moved: ftp_client::Progress,
        total: Option<u64>,
        work: impl Future<Output = T>,
    ) -> T {
        self.bar.set_length(total.unwrap_or(0));
        let mut ticks = tokio::time::interval(Duration::from_millis(100));
        tokio::pin!(work);
        let outcome = loop {
            tokio::select! {
                outcome = &mut work => break outcome,
                _ = ticks.tick() => {
                    let bytes = moved.bytes();
                    if total.is_none() {
                        self.bar.set_length(bytes);
                    }
                    self.bar.set_position(bytes);
                }
            }
        };
        self.finish();
        outcome
    }

    /// Prints something while the bar is out of the way.
    pub(crate) fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }

    /// Makes room for a question.
    pub(crate) fn hide(&self) {
        self.bar.finish_and_clear();
    }

    /// Comes back after [`hide`](Self::hide).
    pub(crate) fn show(&self) {
        self.bar.reset();
        self.bar.set_length(self.sum.total);
        self.bar.set_position(self.sum.bytes);
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
