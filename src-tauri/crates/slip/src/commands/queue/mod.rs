//! `slip queue`: the queue that is kept in a journal.

mod add;
mod list;
mod run;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use transfer::{
    Journal, OpenError, Opened, Queue, QueueConfig, Reader, Transfer, TransferId, Which, Wish,
};

use crate::cli::{self, QueueCommand};
use crate::connect::Connections;
use crate::data;
use crate::exit::{Failure, Status};
use crate::output::Output;
use crate::servers::Servers;

/// The queue's file, unless another one is named.
const JOURNAL: &str = "queue.sqlite";

pub(crate) async fn run(
    queue: cli::Queue,
    connections: &Arc<Connections>,
) -> Result<Status, Failure> {
    let path = match queue.journal {
        Some(path) if path.as_os_str().is_empty() => {
            return Err(Failure::usage("--journal needs the name of a file"));
        }
        Some(path) => path,
        None => data::file(JOURNAL).ok_or_else(|| {
            Failure::Other(
                "there is no data folder for the queue: set HOME or XDG_DATA_HOME, or give --journal FILE"
                    .to_owned(),
            )
        })?,
    };
    let place = Place { path, connections };
    match queue.command {
        QueueCommand::Add(add) => add::run(*add, &place).await,
        QueueCommand::Run(how) => run::run(how, &place).await,
        QueueCommand::List(how) => list::items(&how, &place).await,
        QueueCommand::Receipts(how) => list::receipts(&how, &place).await,
        QueueCommand::Pause(items) => place.change(&items, "pause", Wish::Pause).await,
        QueueCommand::Resume(items) => place.change(&items, "resume", Wish::Resume).await,
        QueueCommand::Cancel(items) => place.change(&items, "cancel", Wish::Cancel).await,
        QueueCommand::Retry(items) => place.change(&items, "retry", Wish::Retry).await,
        QueueCommand::Clear => {
            place.wish(Wish::Clear, "clear").await?;
            Ok(Status::Done)
        }
    }
}

/// A journal, and how to reach the servers of what is in it.
struct Place<'a> {
    path: PathBuf,
    connections: &'a Arc<Connections>,
}

/// What became of a wish.
enum Granted {
    /// The queue has it; the numbers of what was added.
    Done(Vec<TransferId>),
    /// Whoever holds the journal does it in a moment.
    Left { holder: String },
}

#[derive(Serialize)]
struct LeftObject<'a> {
    left_for: &'a str,
}

impl Place<'_> {
    fn output(&self) -> Output {
        self.connections.output
    }

    /// Takes the journal, and tells what was wrong with it.
    async fn open(&self, command: &str) -> Result<Journal, OpenError> {
        let program = format!("slip queue {command}");
        let opened = self
            .blocking(move |path| Journal::open(path, &program))
            .await?;
        let Opened { journal, recovered } = opened;
        if let Some(damage) = recovered {
            self.output().message(damage);
        }
        Ok(journal)
    }

    /// What is in the journal, whoever holds it. `None`: there is none.
    async fn read<T: Send + 'static>(
        &self,
        look: impl Fn(&Reader) -> Result<T, transfer::JournalError> + Send + Clone + 'static,
    ) -> Result<Option<T>, Failure> {
        let once = look.clone();
        let mut outcome = self
            .blocking(move |path| Journal::peek(path).map(|reader| once(&reader)))
            .await;
        let is_damaged = match &outcome {
            Ok(Err(transfer::JournalError::Damaged { .. })) => true,
            Err(OpenError::Older { .. }) => true,
            // What is wrong with it shows when it is opened in earnest.
            Err(OpenError::Database { .. }) => true,
            // There is a file, and nothing in it.
            Err(OpenError::Missing { path }) => path.exists(),
            _ => false,
        };
        if is_damaged {
            match self.open("list").await {
                Ok(journal) => drop(journal),
                // Whoever has it will find out; here is said what was found.
                Err(OpenError::Held { .. }) => {}
                Err(error) => return Err(failure(error)),
            }
            outcome = self
                .blocking(move |path| Journal::peek(path).map(|reader| look(&reader)))
                .await;
        }
        match outcome {
            Ok(found) => found
                .map(Some)
                .map_err(|error| Failure::Journal(format!("{}: {error}", self.path.display()))),
            Err(OpenError::Missing { .. }) => Ok(None),
            Err(error) => Err(failure(error)),
        }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Path) -> Result<T, OpenError> + Send + 'static,
    ) -> Result<T, OpenError> {
        let path = self.path.clone();
        let shown = path.clone();
        tokio::task::spawn_blocking(move || work(&path))
            .await
            .unwrap_or_else(|_| {
                Err(OpenError::Database {
                    path: shown,
                    why: "the thread that was to read it has died".to_owned(),
                })
            })
    }

    /// All items, of the journal.
    async fn items(&self) -> Result<Vec<Transfer>, Failure> {
        Ok(self.read(Reader::items).await?.unwrap_or_default())
    }

    /// Does something with items that must be there.
    async fn change(
        &self,
        items: &cli::Items,
        command: &str,
        wish: impl FnOnce(Which) -> Wish,
    ) -> Result<Status, Failure> {
        let which = if items.all {
            Which::All
        } else {
            let known = self.items().await?;
            if let Some(id) = items
                .ids
                .iter()
                .find(|id| known.iter().all(|item| item.id != **id))
            {
                return Err(Failure::usage(format!(
                    "there is no item {id} in the queue; `slip queue list --all` shows all"
                )));
            }
            Which::Items(items.ids.clone())
        };
        if let Granted::Left { holder } = self.wish(wish(which), command).await?
            && !self.output().json
        {
            self.output().remark(format!("left for {holder}"));
        }
        Ok(Status::Done)
    }

    /// Does it, or leaves it for whoever holds the journal.
    async fn wish(&self, wish: Wish, command: &str) -> Result<Granted, Failure> {
        match self.open(command).await {
            Ok(journal) => {
                let queue = self.queue(
                    QueueConfig {
                        workers: 0,
                        ..QueueConfig::default()
                    },
                    Arc::new(Servers::new(self.connections.clone())),
                    journal,
                )?;
                let done = grant(&queue, wish).await;
                queue.shutdown().await;
                done.map(Granted::Done)
            }
            Err(OpenError::Held { by, .. }) => {
                let request = wish.request();
                self.blocking(move |path| Journal::request(path, &request))
                    .await
                    .map_err(failure)?;
                if self.output().json {
                    self.output().object(&LeftObject { left_for: &by })?;
                }
                Ok(Granted::Left { holder: by })
            }
            Err(error) => Err(failure(error)),
        }
    }

    fn queue(
        &self,
        config: QueueConfig,
        servers: Arc<Servers>,
        journal: Journal,
    ) -> Result<Queue, Failure> {
        Queue::open(config, servers, journal)
            .map_err(|error| Failure::Journal(format!("{}: {error}", self.path.display())))
    }
}

async fn grant(queue: &Queue, wish: Wish) -> Result<Vec<TransferId>, Failure> {
    let ids = |which: Which| match which {
        Which::All => queue.list().iter().map(|item| item.id).collect(),
        Which::Items(ids) => ids,
    };
    match wish {
        Wish::Add(transfers) => {
            return queue
                .enqueue(transfers)
                .await
                .map_err(|error| Failure::Journal(error.to_string()));
        }
        Wish::Pause(which) => queue.pause(&ids(which)),
        Wish::Resume(which) => queue.unpause(&ids(which)),
        Wish::Cancel(which) => queue.cancel(&ids(which)),
        Wish::Retry(which) => queue.retry(&ids(which)),
        Wish::Clear => queue.clear_finished(),
        _ => {}
    }
    Ok(Vec::new())
}

fn failure(error: OpenError) -> Failure {
    Failure::Journal(error.to_string())
}
