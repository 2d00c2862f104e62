use std::sync::{Arc, PoisonError, atomic::Ordering};

use ftp_proto::{Command, RemotePath, Reply};
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use crate::{
    Config, Download, Error, ErrorKind, LogKind, SessionFacts, Speed, Upload,
    driver::{Driver, Job, Shared},
    names,
};

/// How many requests may wait for the connection before a handle waits too.
const QUEUE: usize = 64;

/// A handle on one FTP session. Clones share the session; the last one gone ends it with QUIT.
#[derive(Clone)]
pub struct Client {
    jobs: mpsc::Sender<Job>,
    shared: Arc<Shared>,
    speed: Speed,
}

impl Client {
    /// Connects, secures the connection as [`Config::tls`] says, logs in and reads what the server can do.
    ///
    /// # Errors
    /// Any kind; above all [`ErrorKind::Resolve`], [`ErrorKind::Connect`], [`ErrorKind::Certificate`],
    /// [`ErrorKind::PlaintextRefused`] and [`ErrorKind::LoginRefused`].
    pub async fn connect(config: Config) -> Result<Self, Error> {
        let shared = Arc::new(Shared::new());
        let speed = config.speed.clone();
        let driver = Driver::connect_patiently(config, shared.clone()).await?;
        let (jobs, queue) = mpsc::channel(QUEUE);
        tokio::spawn(driver.run(queue));
        Ok(Self {
            jobs,
            shared,
            speed,
        })
    }

    /// What is known of the session.
    ///
    /// # Panics
    /// Never: the facts are there before the handle is.
    #[must_use]
    pub fn facts(&self) -> Arc<SessionFacts> {
        self.shared.facts().expect("set when the session began")
    }

    /// The limits of speed that all transfers of this session pass through, those of [`Config::speed`]: they can be changed at any
    /// time.
    #[must_use]
    pub const fn speed(&self) -> &Speed {
        &self.speed
    }

    /// True where the connection is known to be gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.jobs.is_closed() || self.ended().is_some()
    }

    fn ended(&self) -> Option<Error> {
        self.shared
            .ended
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn gone(&self) -> Error {
        self.ended().unwrap_or_else(|| Error::gone("the session"))
    }

    /// Runs a job on the connection's task. It runs to its end even if this future is dropped; only one that
    /// has not begun by then is left out.
    pub(crate) async fn run<T, F>(&self, job: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'a> FnOnce(&'a mut Driver) -> BoxFuture<'a, Result<T, Error>> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel::<Result<T, Error>>();
        let job: Job = Box::new(move |driver| {
            Box::pin(async move {
                if answer.is_closed() {
                    return;
                }
                let outcome = match driver.ready().await {
                    Ok(()) => job(driver).await,
                    Err(error) => Err(error),
                };
                driver.note_end();
                // Gone by now: what the outcome holds is dropped, which gives a transfer up.
                let _ = answer.send(outcome);
            })
        });
        self.jobs.send(job).await.map_err(|_| self.gone())?;
        answered.await.map_err(|_| self.gone())?
    }

    pub(crate) async fn command(&self, command: Command) -> Result<Reply, Error> {
        self.run(move |driver| Box::pin(driver.command(command)))
            .await
    }

    /// The working directory (PWD, RFC 959 section 5.4).
    ///
    /// # Errors
    /// [`ErrorKind::Protocol`] where the reply holds no path; what the server refuses.
    pub async fn pwd(&self) -> Result<RemotePath, Error> {
        // A listing may have left the server elsewhere; `ask` goes home first.
        self.run(|driver| Box::pin(driver.pwd())).await
    }

    /// Changes the working directory (CWD).
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] and what else the server refuses.
    pub async fn cwd(&self, path: &RemotePath) -> Result<(), Error> {
        let command = Command::Cwd(path.clone());
        self.run(move |driver| Box::pin(driver.cwd(command))).await
    }

    /// Goes to the parent directory: CDUP, else CWD `..`, else CWD with the parent's path.
    ///
    /// # Errors
    /// What the server refuses.
    pub async fn cdup(&self) -> Result<(), Error> {
        self.run(|driver| Box::pin(driver.go_up())).await
    }

    /// Makes one directory (MKD).
    ///
    /// # Errors
    /// What the server refuses, an existing directory too.
    pub async fn mkd(&self, path: &RemotePath) -> Result<(), Error> {
        self.check_name(path)?;
        self.command(Command::Mkd(names::plain(path)))
            .await
            .map(drop)
    }

    /// Removes an empty directory (RMD).
    ///
    /// # Errors
    /// What the server refuses.
    pub async fn rmd(&self, path: &RemotePath) -> Result<(), Error> {
        self.command(Command::Rmd(names::plain(path)))
            .await
            .map(drop)
    }

    /// Tells whoever reads the protocol ([`Config::observer`]) what is done and why, between the lines of the protocol. A session that is over
    /// hears nothing.
    pub async fn remark(&self, text: impl Into<String> + Send) {
        let text = text.into();
        let _ = self
            .run(move |driver| {
                Box::pin(async move {
                    driver.control.log(LogKind::Info, text);
                    Ok(())
                })
            })
            .await;
    }

    /// Does nothing, and so keeps the connection alive (NOOP).
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn noop(&self) -> Result<(), Error> {
        self.command(Command::Noop).await.map(drop)
    }

    /// Sends a command as it is and returns the reply, whatever it says. Commands that need a data connection
    /// or change the protection are refused here: they have operations of their own.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] for a line that is no command or one of those; those of the connection.
    pub async fn raw(&self, line: &str) -> Result<Reply, Error> {
        let command = Command::raw(line)
            .map_err(|error| Error::with_source(ErrorKind::Argument, "a command", error))?;
        if matches!(
            command.verb(),
            "RETR"
                | "STOR"
                | "STOU"
                | "APPE"
                | "LIST"
                | "NLST"
                | "MLSD"
                | "PASV"
                | "EPSV"
                | "PORT"
                | "EPRT"
                | "LPRT"
                | "LPSV"
                | "AUTH"
                | "PROT"
                | "PBSZ"
                | "CCC"
                | "REIN"
                | "QUIT"
                | "ABOR"
                | "REST"
                | "USER"
                | "PASS"
                | "ACCT"
                | "MODE"
        ) {
            return Err(Error::new(
                ErrorKind::Argument,
                format!(
                    "{} is not a command to send by hand: it changes the connection itself",
                    command.verb()
                ),
            ));
        }
        self.run(move |driver| {
            Box::pin(async move {
                if matches!(command, Command::Cwd(_) | Command::Cdup) {
                    let reply = driver.ask(&command).await?;
                    if reply.code.is_completion() {
                        driver.arrived(command).await?;
                    }
                    return Ok(reply);
                }
                driver.forget_state();
                driver.ask(&command).await
            })
        })
        .await
    }

    /// Fetches a file from `offset` on (RETR, with REST before it).
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] and what else the server refuses.
    pub async fn retr(&self, path: &RemotePath, offset: u64) -> Result<Download, Error> {
        self.retr_sized(path, offset, None).await
    }

    /// The same for a file whose size is known, roughly at least: big ones may go by a faster cipher, see
    /// [`stor_sized`](Client::stor_sized).
    ///
    /// # Errors
    /// As [`retr`](Client::retr).
    pub async fn retr_sized(
        &self,
        path: &RemotePath,
        offset: u64,
        size: Option<u64>,
    ) -> Result<Download, Error> {
        Download::open(self, Command::Retr(names::plain(path)), offset, size).await
    }

    /// Stores a file, from `offset` on over what is there (STOR, with REST before it).
    ///
    /// # Errors
    /// What the server refuses.
    pub async fn stor(&self, path: &RemotePath, offset: u64) -> Result<Upload, Error> {
        self.stor_sized(path, offset, None).await
    }

    /// The same for a file whose size is known, roughly at least. Where a server can't resume sessions in TLS 1.3, the data
    /// connections of files from 4 MiB on resume nothing, unless the server demands it; the older ciphers of TLS 1.2 are slower.
    ///
    /// # Errors
    /// As [`stor`](Client::stor).
    pub async fn stor_sized(
        &self,
        path: &RemotePath,
        offset: u64,
        size: Option<u64>,
    ) -> Result<Upload, Error> {
        self.check_name(path)?;
        Upload::open(self, Command::Stor(names::plain(path)), offset, size).await
    }

    /// Appends to a file (APPE).
    ///
    /// # Errors
    /// What the server refuses.
    pub async fn appe(&self, path: &RemotePath) -> Result<Upload, Error> {
        self.check_name(path)?;
        Upload::open(self, Command::Appe(names::plain(path)), 0, None).await
    }

    /// ABOR: ends the transfer that runs in this session, whoever holds it, or asks an idle server for its 226.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn abor(&self) -> Result<(), Error> {
        self.aborting().await
    }

    /// The same without waiting for what comes of it: the transfer's owner finds out, by an error that carries the server's 426.
    pub fn abor_at_once(&self) {
        tokio::spawn(self.aborting());
    }

    /// The request is made at once; the future waits for its end.
    fn aborting(&self) -> impl Future<Output = Result<(), Error>> + Send + use<> {
        // Stored until the transfer is watched, so it can't be missed; a session without one answers the job.
        let waiting = Waiting::new(&self.shared);
        let mut aborted = self.shared.aborted.subscribe();
        self.shared.abort.notify_one();
        let client = self.clone();
        async move {
            let _waiting = waiting;
            let shared = client.shared.clone();
            let idle = client.run(move |driver| {
                Box::pin(async move {
                    // Not taken by a transfer: then take it back, and ask.
                    let pending = shared.abort.notified();
                    tokio::pin!(pending);
                    if pending.as_mut().enable() {
                        driver.abort(false).await.map(drop)
                    } else {
                        Ok(())
                    }
                })
            });
            tokio::select! {
                biased;
                // Its owner may be the one who waits here, so that isn't waited for.
                _ = aborted.changed() => client.ended().map_or(Ok(()), Err),
                outcome = idle => outcome,
            }
        }
    }

    /// Says goodbye (QUIT) and closes the connection.
    ///
    /// # Errors
    /// What the server says instead of 221; the connection is closed in any case.
    pub async fn quit(self) -> Result<(), Error> {
        // Nobody is called just to say goodbye.
        if let Some(error) = self.ended() {
            return Err(error);
        }
        self.run(|driver| Box::pin(driver.quit())).await
    }

    /// The same without waiting for the answer, which is a round trip.
    ///
    /// # Errors
    /// Those of the connection; it is closed in any case.
    pub async fn part(self) -> Result<(), Error> {
        if let Some(error) = self.ended() {
            return Err(error);
        }
        self.run(|driver| Box::pin(driver.part())).await
    }

    /// Puts TLS over a connection that was made without (AUTH TLS, RFC 4217 section 4), at any time: then PBSZ and PROT, and
    /// where the server has forgotten the user by that, as it may, the login once more. Certificates are judged by
    /// [`Config::trust`].
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where the connection is encrypted already; [`ErrorKind::TlsUnavailable`] where the server refuses;
    /// those of the handshake, which end the session.
    pub async fn upgrade_to_tls(&self) -> Result<(), Error> {
        self.run(|driver| Box::pin(driver.upgrade_to_tls())).await
    }

    /// Goes on with commands in plain (CCC, RFC 4217 section 12.3), for firewalls that must read them; data stays encrypted.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where the connection is not encrypted; what the server refuses.
    pub async fn clear_control(&self) -> Result<(), Error> {
        self.run(|driver| Box::pin(driver.clear_control())).await
    }
}

/// Counts one that waits for an ABOR, until its future is done or dropped.
struct Waiting(Arc<Shared>);

impl Waiting {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.aborting.fetch_add(1, Ordering::AcqRel);
        Self(shared.clone())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.aborting.fetch_sub(1, Ordering::AcqRel);
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}
