//! The task that owns the control connection.
//!
//! Requests are jobs that run here to their end, one after the other. A data transfer is two jobs with a pause:
//! the first opens it, then the data connection is in its owner's hands, and this task watches
//! the control connection until the owner says that it is done, or is gone.

mod address;
mod batch;
mod burst;
mod custom;
mod data;
mod idle;
mod kind;
mod packing;
mod paths;
mod secure;
mod session;
mod settle;
mod site;
mod times;
mod transfer;
mod ways;

use std::sync::{Arc, Mutex, PoisonError, atomic::AtomicUsize};

use ftp_net::tls::TlsSession;
use ftp_proto::{Command, Features, RemotePath, Reply};
use futures_util::{FutureExt, future::BoxFuture};
use tokio::sync::{Notify, mpsc, watch};

use crate::files::time_of;
use crate::{Config, Error, ErrorKind, LogKind, SessionFacts, control::Control};

pub(crate) use data::Opened;
pub(crate) use kind::Kind;
pub(crate) use times::TimeWay;
use transfer::Running;
pub(crate) use transfer::{Finished, Kept, Whole};

/// What the log and errors call the time between two commands.
const IDLE: &str = "the idle connection";
/// A server that says more than this without being asked is not listened to any longer.
const MOST_UNASKED: usize = 64;

/// One request of a handle.
pub(crate) type Job = Box<dyn for<'a> FnOnce(&'a mut Driver) -> BoxFuture<'a, ()> + Send>;

/// What handles and the task share.
pub(crate) struct Shared {
    facts: Mutex<Option<Arc<SessionFacts>>>,
    /// Asks for ABOR while a transfer runs.
    pub(crate) abort: Notify,
    /// How many are waiting for an ABOR; a notification that none waits for any more is void.
    pub(crate) aborting: AtomicUsize,
    /// How many times a running transfer was aborted.
    pub(crate) aborted: watch::Sender<u64>,
    /// Why the connection is gone, for whoever comes too late.
    pub(crate) ended: Mutex<Option<Error>>,
}

impl Shared {
    pub(crate) fn new() -> Self {
        Self {
            facts: Mutex::new(None),
            abort: Notify::new(),
            aborting: AtomicUsize::new(0),
            aborted: watch::Sender::new(0),
            ended: Mutex::new(None),
        }
    }

    pub(crate) fn facts(&self) -> Option<Arc<SessionFacts>> {
        self.facts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn set_facts(&self, facts: SessionFacts) {
        *self.facts.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(facts));
    }

    /// The session was connected anew.
    fn revived(&self) {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn end(&self, error: Error) {
        self.ended
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(error);
    }
}

pub(crate) struct Driver {
    pub(crate) config: Arc<Config>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) control: Control,
    tls: Option<TlsSession>,
    data_encrypted: bool,
    pub(crate) features: Features,
    /// The representation type that the server has now.
    type_now: Option<u8>,
    /// The type of the transfers that are opened: I, but for texts.
    pub(crate) wanted_type: u8,
    /// The folder that the owner is in, where it is known.
    pub(crate) cwd: Option<RemotePath>,
    /// Where the server is for the moment, because of a listing, if that is not `cwd`.
    astray: Option<RemotePath>,
    /// The server has taken a path of several parts: it knows what that is.
    whole_paths: bool,
    /// The server stands where the next command wants it, on purpose.
    placed: bool,
    /// In which zone the server lists times was asked.
    zone_asked: bool,
    /// MLSD was refused as unknown.
    no_mlsd: bool,
    /// The algorithm that HASH uses now, where we have chosen it.
    pub(crate) hash_now: Option<crate::HashAlgorithm>,
    /// REST was sent and not used up.
    rest_pending: bool,
    ways: ways::State,
    packing: packing::Packing,
    running: Option<Running>,
    /// The last data connection resumed no session on purpose.
    unresumed: bool,
    pub(crate) kind: Kind,
    /// An upload was refused for lack of ALLO.
    pub(crate) wants_allo: bool,
    /// What SITE HELP says, once it was asked.
    site_help: Option<Vec<u8>>,
    /// How many batches went wrong in this session.
    disruptions: u8,
    /// How many times we could not wait for data connections of the server's.
    active_fails: u8,
    /// The owner has said goodbye.
    left: bool,
    /// What TLS had negotiated on the control connection before it was taken off.
    before_ccc: Option<ftp_net::TlsFacts>,
}

impl Driver {
    /// Serves jobs until every handle is gone.
    pub(crate) async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut unasked = 0;
        let mut idle = idle::Idle::new(self.config.keep_alive);
        loop {
            if let Some(running) = self.running.take() {
                self.supervise(running).await;
                self.note_end();
                idle.begin();
                continue;
            }
            let alive = self.control.dead().is_none();
            tokio::select! {
                biased;
                job = jobs.recv() => match job {
                    Some(job) => {
                        // What is here already can't be the answer to what is asked now.
                        while self.control.dead().is_none()
                            && let Some(reply) = self.control.next_reply(IDLE).now_or_never()
                        {
                            self.nobody_asked(reply, &mut unasked);
                        }
                        unasked = 0;
                        job(&mut self).await;
                        idle.begin();
                    }
                    None => break,
                },
                // Nothing was asked: a 421 ends the connection, anything else is of no command.
                reply = self.control.next_reply(IDLE), if alive => {
                    self.nobody_asked(reply, &mut unasked);
                }
                () = idle.due(), if alive => self.keep_alive(&mut idle).await,
            }
            self.note_end();
        }
        if self.control.dead().is_none() {
            let goodbye = self.control.exchange(&Command::Quit);
            let _ = tokio::time::timeout(std::time::Duration::from_secs(2), goodbye).await;
            self.control.close().await;
        }
    }

    fn nobody_asked(&mut self, reply: Result<Reply, Error>, unasked: &mut usize) {
        let reply = match reply {
            Ok(reply) => reply,
            // Whatever it was, there is nothing more to wait for.
            Err(error) => {
                self.control.kill(error);
                return;
            }
        };
        let warning = format!("nobody asked for this reply: {}", reply.code);
        self.control.log(LogKind::Warning, warning);
        *unasked += 1;
        if *unasked > MOST_UNASKED {
            self.control
                .kill(Error::with_reply(ErrorKind::Protocol, IDLE, reply));
        }
    }

    /// Tells the handles when the connection is gone. Before an answer is given, so that whoever gets an error finds the
    /// connection closed.
    pub(crate) fn note_end(&self) {
        if let Some(error) = self.control.dead() {
            self.shared.end(error.clone());
        }
    }

    /// A command, and its reply if it is a positive one.
    pub(crate) async fn command(&mut self, command: Command) -> Result<Reply, Error> {
        let reply = self.ask(&command).await?;
        if reply.code.is_completion() {
            if let Command::Rmd(gone) = &command
                && let Err(error) = self.leave(gone).await
            {
                // The folder is gone, which is what was asked for.
                if self.control.dead().is_some() {
                    return Err(error);
                }
                self.control.log(LogKind::Warning, error.to_string());
            }
            Ok(reply)
        } else {
            Err(Error::refused(command.redacted(), reply))
        }
    }

    /// A command, and its reply whatever it is.
    pub(crate) async fn ask(&mut self, command: &Command) -> Result<Reply, Error> {
        if let Some((folder, bare)) = self.bare_form(command) {
            return self.ask_from(folder, &bare).await;
        }
        self.prepare(command).await?;
        let reply = self.control.exchange(command).await?;
        self.after_asking(command, reply).await
    }

    /// Leaves the server in the state that a command counts on.
    pub(crate) async fn prepare(&mut self, command: &Command) -> Result<(), Error> {
        if self.must_go_home(command) {
            self.go_home().await?;
        }
        if self.rest_pending && !matches!(command, Command::Rest(_)) {
            self.clear_rest().await?;
        }
        if matches!(command, Command::Size(_)) {
            self.measure_bytes().await?;
        }
        Ok(())
    }

    /// What SIZE says depends on the type, and some servers say nothing while it is A (RFC 3659 section 4).
    async fn measure_bytes(&mut self) -> Result<(), Error> {
        if self.type_now != Some(b'I') {
            let image = ftp_proto::Argument::try_from("I").map_err(Error::argument)?;
            let reply = self.control.exchange(&Command::Type(image)).await?;
            self.type_now = reply.code.is_completion().then_some(b'I');
        }
        Ok(())
    }

    /// A folder is gone: Pure-FTPd ends the session at the next listing of one that still stands in it.
    async fn leave(&mut self, gone: &RemotePath) -> Result<(), Error> {
        let gone = gone.normalized();
        let inside = |place: &Option<RemotePath>| {
            place.as_ref().is_some_and(|place| {
                let place = place.normalized();
                let mut parts = place.components();
                place.is_absolute() == gone.is_absolute()
                    && gone.components().all(|part| parts.next() == Some(part))
            })
        };
        if self.astray.is_some() && inside(&self.astray) && !inside(&self.cwd) {
            return self.go_home().await;
        }
        if inside(&self.cwd)
            && let Some(parent) = gone.parent()
        {
            self.cwd = None;
            Box::pin(self.cwd(Command::Cwd(parent))).await?;
        }
        Ok(())
    }

    async fn go_home(&mut self) -> Result<(), Error> {
        let Some(home) = self.cwd.clone() else {
            // The server never told where it was, so the place that a relative name belongs to is lost.
            return Err(Error::new(
                ErrorKind::Unsupported,
                "the way back to the working directory, which the server does not name",
            ));
        };
        Box::pin(self.change_to(&home)).await?;
        self.astray = None;
        Ok(())
    }

    fn must_go_home(&self, command: &Command) -> bool {
        self.astray.is_some() && !self.placed && depends_on_cwd(command)
    }

    /// Some servers keep an offset that no transfer used, and apply it to the next one.
    async fn clear_rest(&mut self) -> Result<(), Error> {
        self.rest_pending = false;
        self.ways.rested = false;
        self.control.exchange(&Command::Rest(0)).await.map(drop)
    }

    pub(crate) async fn quit(&mut self) -> Result<(), Error> {
        let outcome = self.control.exchange(&Command::Quit).await;
        self.hang_up().await;
        match outcome {
            Ok(reply) if reply.code.is_completion() => Ok(()),
            Ok(reply) => Err(Error::refused("QUIT", reply)),
            Err(error) => Err(error),
        }
    }

    /// Says goodbye and does not wait for the answer.
    pub(crate) async fn part(&mut self) -> Result<(), Error> {
        let outcome = self.control.send(&Command::Quit).await;
        self.hang_up().await;
        outcome
    }

    async fn hang_up(&mut self) {
        self.left = true;
        self.control.close().await;
        self.control.kill(Error::new(ErrorKind::Lost, "QUIT"));
    }

    pub(crate) async fn cwd(&mut self, command: Command) -> Result<(), Error> {
        match &command {
            Command::Cwd(path) => {
                if !path.is_absolute() {
                    self.return_home().await?;
                }
                self.change_to(path).await?;
            }
            // CDUP starts where the owner is, not where a listing went.
            _ => drop(self.command(command.clone()).await?),
        }
        self.arrived(command).await
    }

    /// The owner is somewhere else now, by this command.
    pub(crate) async fn arrived(&mut self, command: Command) -> Result<(), Error> {
        self.astray = None;
        let before = self.cwd.take();
        self.cwd = match self.pwd().await {
            Ok(path) => Some(path),
            Err(error) if self.control.dead().is_some() => return Err(error),
            // Where it should be, then.
            Err(_) => match (command, before) {
                (Command::Cwd(path), _) if path.is_absolute() => Some(path),
                (Command::Cwd(path), Some(before)) => Some(before.join_path(&path).normalized()),
                (Command::Cdup, Some(before)) => Some(before.parent().unwrap_or(before)),
                _ => None,
            },
        };
        Ok(())
    }

    pub(crate) async fn pwd(&mut self) -> Result<RemotePath, Error> {
        let reply = self.command(Command::Pwd).await?;
        self.path_in(&reply)
    }

    pub(crate) fn uses_mlsd(&self) -> bool {
        !self.no_mlsd && (self.features.has("MLST") || self.features.is_empty())
    }

    pub(crate) const fn mlsd_unknown(&mut self) {
        self.no_mlsd = true;
    }

    pub(crate) fn list_all_refused(&self) -> bool {
        self.learned().no_list_all
    }

    pub(crate) fn list_all_unknown(&self) {
        self.learn(|learned| (learned.no_list_all, learned.list_all) = (true, false));
    }

    pub(crate) fn list_all_known(&self) {
        self.learn(|learned| learned.list_all = true);
    }

    pub(crate) fn doubts_list_all(&self) -> bool {
        let learned = self.learned();
        !learned.list_all && !learned.no_list_all && !self.is_well_known()
    }

    /// True where the habits of the server's kind were looked into.
    pub(crate) fn is_well_known(&self) -> bool {
        !matches!(self.kind, kind::Kind::Other | kind::Kind::OneByOne)
    }

    /// How far the clock that its listings go by is ahead of UTC, in seconds.
    pub(crate) fn zone(&self) -> Option<i32> {
        self.learned().zone
    }

    pub(crate) fn wants_zone(&self) -> bool {
        let may_have_mdtm = self.features.is_empty() || self.features.has("MDTM");
        !self.zone_asked && may_have_mdtm && self.zone().is_none()
    }

    /// True the first time in a session.
    pub(crate) fn asks_zone(&mut self) -> bool {
        let wants = self.wants_zone();
        self.zone_asked = true;
        wants
    }

    pub(crate) fn learn_zone(&self, offset: i32) {
        self.learn(|learned| learned.zone = Some(offset));
    }

    /// Goes to a folder to list it, without the owner noticing.
    pub(crate) async fn visit(&mut self, path: RemotePath) -> Result<(), Error> {
        if !path.is_absolute() {
            self.return_home().await?;
        }
        self.change_to(&path).await?;
        self.astray = Some(path);
        Ok(())
    }

    pub(crate) async fn return_home(&mut self) -> Result<(), Error> {
        if self.astray.is_some() {
            self.go_home().await?;
        }
        Ok(())
    }
}

/// True where the command means something else in another folder.
fn depends_on_cwd(command: &Command) -> bool {
    let relative = |path: &RemotePath| !path.is_absolute();
    match command {
        Command::Cwd(path)
        | Command::Retr(path)
        | Command::Stor(path)
        | Command::Appe(path)
        | Command::Rnfr(path)
        | Command::Rnto(path)
        | Command::Dele(path)
        | Command::Rmd(path)
        | Command::Mkd(path)
        | Command::Size(path)
        | Command::Mdtm(path)
        | Command::Mfmt(_, path) => relative(path),
        Command::Mlst(path) | Command::Mlsd(path) => path.as_ref().is_none_or(relative),
        // It was sent to the folder on purpose.
        Command::List(_)
        | Command::Nlst(_)
        | Command::Type(_)
        | Command::Noop
        | Command::Quit
        | Command::Abor
        | Command::Rest(_)
        | Command::Epsv(_)
        | Command::Pasv
        | Command::Port(_)
        | Command::Eprt(_)
        | Command::Feat
        | Command::Opts(_)
        | Command::Pbsz(_)
        | Command::Prot(_)
        | Command::Syst => false,
        _ => true,
    }
}
