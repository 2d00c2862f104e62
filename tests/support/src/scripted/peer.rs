//! A scripted server, and gates between a test and a script.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::run::Runner;
use super::{Script, ScriptError, Transcript};

/// A signal between a test and a script, given once.
#[derive(Clone, Default)]
pub struct Gate(Arc<Notify>);

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens the gate for the one who waits, or for the next one to come.
    pub fn open(&self) {
        self.0.notify_one();
    }

    /// Waits until the gate is opened.
    pub async fn passed(&self) {
        self.0.notified().await;
    }
}

/// A scripted server on a port of loopback.
#[derive(Debug)]
pub struct Peer {
    addr: SocketAddr,
    task: JoinHandle<Vec<Result<Transcript, ScriptError>>>,
}

impl Peer {
    /// Listens on port 0 and plays a script to the first connection; there is no second one.
    pub async fn serve(script: Script) -> Self {
        Self::serve_each(vec![script]).await
    }

    /// Plays the first script to the first connection, the second to the second, and so on, side by side.
    /// After the last one nothing listens any more.
    pub async fn serve_each(scripts: Vec<Script>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            let mut sessions = Vec::new();
            for script in scripts {
                match tokio::time::timeout(script.limit, listener.accept()).await {
                    Ok(Ok((stream, _))) => {
                        sessions.push(AbortOnDrop(tokio::spawn(Runner::run(script, stream))))
                    }
                    _ => break,
                }
            }
            drop(listener);
            let mut results = Vec::new();
            for session in &mut sessions {
                results.push((&mut session.0).await.unwrap());
            }
            results
        });
        Self { addr, task }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Waits for the end of the script.
    ///
    /// # Panics
    ///
    /// If the other side did not follow it, or never came: with the transcript.
    pub async fn finish(self) -> Transcript {
        let mut all = self.outcomes().await;
        assert!(!all.is_empty(), "nobody connected to the scripted peer");
        all.swap_remove(0).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Waits for the end of all scripts of [`Self::serve_each`].
    ///
    /// # Panics
    ///
    /// As [`Self::finish`].
    pub async fn finish_all(self) -> Vec<Transcript> {
        let all = self.outcomes().await;
        all.into_iter()
            .map(|outcome| outcome.unwrap_or_else(|error| panic!("{error}")))
            .collect()
    }

    /// Waits for the end of all scripts, and says for each connection that came how it ended.
    pub async fn outcomes(mut self) -> Vec<Result<Transcript, ScriptError>> {
        (&mut self.task).await.unwrap()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Debug)]
struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
