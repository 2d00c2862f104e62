//! The thread that writes the journal. Many who want something written at the same time share one transaction.

use std::sync::{Arc, Mutex, PoisonError, Weak, mpsc};
use std::time::Duration;

use tokio::sync::oneshot;

use super::Shared;
use crate::error::Error;
use crate::journal::{Journal, JournalError, Op, Taken};
use crate::{Receipt, TransferId};

/// How long whoever can't wait otherwise is held up at most.
const LAST_WRITE: Duration = Duration::from_secs(5);

/// What the thread is asked for.
enum Ask {
    Flush(oneshot::Sender<Result<(), Error>>),
    /// The same for somebody who stands still meanwhile.
    FlushNow(mpsc::SyncSender<()>),
    Requests(oneshot::Sender<Result<Vec<Taken>, JournalError>>),
    Receipts {
        limit: u32,
        offset: u64,
        answer: oneshot::Sender<Result<Vec<Receipt>, JournalError>>,
    },
    Receipt {
        id: TransferId,
        answer: oneshot::Sender<Result<Option<Receipt>, JournalError>>,
    },
}

/// The way to the thread. When it is dropped, the thread writes what is left and closes the journal.
pub(super) struct Writer {
    asks: Mutex<Option<mpsc::Sender<Ask>>>,
    closed: Mutex<Option<oneshot::Receiver<()>>>,
    /// What the queue had still to say when it was gone.
    left: Arc<Mutex<Vec<Op>>>,
}

/// The thread, before it runs: the queue has to be there first.
pub(super) struct Starter {
    journal: Journal,
    asks: mpsc::Receiver<Ask>,
    closed: oneshot::Sender<()>,
    left: Arc<Mutex<Vec<Op>>>,
}

impl Writer {
    pub(super) fn new(journal: Journal) -> (Self, Starter) {
        let (sender, asks) = mpsc::channel();
        let (closed, closing) = oneshot::channel();
        let writer = Self {
            asks: Mutex::new(Some(sender)),
            closed: Mutex::new(Some(closing)),
            left: Arc::default(),
        };
        let starter = Starter {
            journal,
            asks,
            closed,
            left: writer.left.clone(),
        };
        (writer, starter)
    }

    pub(super) async fn flush(&self) -> Result<(), Error> {
        self.ask(Ask::Flush).await.unwrap_or_else(|| Err(gone()))
    }

    /// For those who can't wait as others do. They are held up for no longer than it takes, or [`LAST_WRITE`].
    pub(super) fn flush_now(&self) {
        let (answer, answered) = mpsc::sync_channel(1);
        let sent = match &*lock(&self.asks) {
            Some(asks) => asks.send(Ask::FlushNow(answer)).is_ok(),
            None => false,
        };
        if sent && answered.recv_timeout(LAST_WRITE).is_err() {
            tracing::warn!("the journal was not written in time");
        }
    }

    /// What is to be written at the end, after all that was before: the queue itself is gone then.
    pub(super) fn leave(&self, ops: Vec<Op>) {
        lock(&self.left).extend(ops);
    }

    /// None when it is being closed: they stay for the next program.
    pub(super) async fn requests(&self) -> Result<Vec<Taken>, Error> {
        match self.ask(Ask::Requests).await {
            Some(answer) => answer.map_err(|error| trouble(&error)),
            None => Ok(Vec::new()),
        }
    }

    pub(super) async fn receipts(&self, limit: u32, offset: u64) -> Result<Vec<Receipt>, Error> {
        self.asked(|answer| Ask::Receipts {
            limit,
            offset,
            answer,
        })
        .await
    }

    pub(super) async fn receipt(&self, id: TransferId) -> Result<Option<Receipt>, Error> {
        self.asked(|answer| Ask::Receipt { id, answer }).await
    }

    /// Writes what is left and closes the journal, so that another program can have it.
    pub(super) async fn close(&self) {
        let sender = lock(&self.asks).take();
        drop(sender);
        let closed = lock(&self.closed).take();
        if let Some(closed) = closed {
            // An error means that it is closed already.
            let _ = closed.await;
        }
    }

    async fn asked<T>(
        &self,
        make: impl FnOnce(oneshot::Sender<Result<T, JournalError>>) -> Ask,
    ) -> Result<T, Error> {
        match self.ask(make).await {
            Some(answer) => answer.map_err(|error| trouble(&error)),
            None => Err(gone()),
        }
    }

    async fn ask<T>(&self, make: impl FnOnce(oneshot::Sender<T>) -> Ask) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        let sent = match &*lock(&self.asks) {
            Some(asks) => asks.send(make(answer)).is_ok(),
            None => false,
        };
        if !sent {
            return None;
        }
        answered.await.ok()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn gone() -> Error {
    Error::Journal {
        why: "it is closed".to_owned(),
    }
}

fn trouble(error: &JournalError) -> Error {
    Error::Journal {
        why: error.to_string(),
    }
}

impl Starter {
    pub(super) fn start(self, shared: Weak<Shared>) -> std::io::Result<()> {
        let Self {
            journal,
            asks,
            closed,
            left,
        } = self;
        std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || {
                run(journal, &asks, &shared, &left);
                // Only now is the lock free for others.
                let _ = closed.send(());
            })
            .map(drop)
    }
}

fn run(
    mut journal: Journal,
    asks: &mpsc::Receiver<Ask>,
    shared: &Weak<Shared>,
    left: &Mutex<Vec<Op>>,
) {
    // What could not be written yet, oldest first.
    let mut backlog: Vec<Op> = Vec::new();
    while let Ok(first) = asks.recv() {
        let (mut flushes, mut waiting) = (Vec::new(), Vec::new());
        for ask in std::iter::once(first).chain(asks.try_iter()) {
            match ask {
                Ask::Flush(answer) => flushes.push(answer),
                Ask::FlushNow(answer) => waiting.push(answer),
                Ask::Requests(answer) => {
                    let _ = answer.send(journal.take_requests());
                }
                Ask::Receipts {
                    limit,
                    offset,
                    answer,
                } => {
                    let _ = answer.send(journal.receipts(limit, offset));
                }
                Ask::Receipt { id, answer } => {
                    let _ = answer.send(journal.receipt(id));
                }
            }
        }
        if flushes.is_empty() && waiting.is_empty() {
            continue;
        }
        let outcome = write(&mut journal, &mut backlog, shared);
        for answer in flushes {
            let _ = answer.send(outcome.clone());
        }
        for answer in waiting {
            let _ = answer.send(());
        }
    }
    backlog.append(&mut lock(left));
    if let Err(error) = write(&mut journal, &mut backlog, shared) {
        tracing::error!(%error, "the end of the journal was not written");
    }
}

fn write(journal: &mut Journal, backlog: &mut Vec<Op>, shared: &Weak<Shared>) -> Result<(), Error> {
    if let Some(shared) = shared.upgrade() {
        backlog.append(&mut shared.lock().machine.take_ops());
    }
    if backlog.is_empty() {
        clear_trouble(shared);
        return Ok(());
    }
    loop {
        let error = match journal.write(backlog) {
            Ok(()) => {
                backlog.clear();
                clear_trouble(shared);
                return Ok(());
            }
            Err(error) => error,
        };
        // One that can never be kept must not keep the others out.
        if let JournalError::Refused { id, .. } = error
            && remove_refused(backlog, id)
        {
            tracing::error!(%error, "an item is not kept in the journal");
            continue;
        }
        if let Some(shared) = shared.upgrade() {
            let why = error.to_string();
            let damaged = matches!(error, JournalError::Damaged { .. });
            // Told once: who is woken by it writes again at once, and would be told again.
            if !damaged && shared.knows_trouble(&why) {
                return Err(trouble(&error));
            }
            shared.change(|state, now| {
                match damaged {
                    true => state.machine.journal_damaged(why),
                    false => state.machine.journal_trouble(Some(why)),
                }
                state.write_again = Some(now.time + super::drive::WRITE_AGAIN);
            });
        }
        return Err(trouble(&error));
    }
}

/// Everything is written that there was.
fn clear_trouble(shared: &Weak<Shared>) {
    if let Some(shared) = shared.upgrade() {
        shared.lock().machine.journal_trouble(None);
    }
}

fn remove_refused(backlog: &mut Vec<Op>, refused: u32) -> bool {
    let before = backlog.len();
    backlog.retain(|op| match op {
        Op::Put(row) => row.id != refused,
        Op::Receipt(receipt) => receipt.id != refused,
        Op::Site { .. } | Op::Options { .. } | Op::Setting { .. } => refused != 0,
        Op::Remove(_) | Op::Handled { .. } => true,
    });
    backlog.len() < before
}
