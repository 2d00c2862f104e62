//! One session: a task that owns the control connection.
//!
//! Commands are obeyed one after the other, and each has its final reply before the next is looked at. While a transfer runs
//! the lines that come are read and kept in order; of them only ABOR, STAT and QUIT are seen before their turn.

mod charset;
mod control;
mod data;
mod during;
mod pipe;
mod text;
mod transfer;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use ftp_net::tls::ServerTls;
use ftp_net::{Stream, Throttles};
use ftp_proto::listing::MlsxFacts;
use ftp_proto::{Charset, Command, CommandError, Reply, escape};
use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;
use vfs::{VPath, Vfs, VfsError, VfsErrorKind};

use crate::account::{Account, Accounts, Login};
use crate::event::{Direction, EndReason, EventKind, SessionId};
use crate::host::Host;
use crate::layer::{LayerSession, Passage, Passed};
use crate::limits::DataSession;
use crate::ports::DataPorts;
use crate::profile::{self, aioftp};
use crate::registry::{Live, TooMany, UserSeat};
use crate::server::{Config, Shared};
use crate::verbs::{self, Answer, Outcome};
use control::{Control, ControlError};
use data::DataTls;
pub(crate) use data::{DataOpener, DataSetup};
pub(crate) use transfer::{Body, Text, Transfer};

/// Bytes of commands that may wait while a transfer runs.
const QUEUE_BYTES: usize = 64 * 1024;

/// How hard MODE Z works unless the client wants otherwise: the middle of zlib's range costs twice the time of this for a tenth of the size.
const LEVEL: u32 = 3;

/// Verbs that may take longer than the tree may: they ask others than the tree.
const SLOW: &[&str] = &["USER", "PASS"];

/// How long a client that has to go may take for the last reply.
const LAST_WORD: Duration = Duration::from_secs(2);

/// Downloads whose client hasn't closed its end yet; more are closed without waiting.
const LINGERING: usize = 8;

/// Serves one connection to its end.
pub(crate) async fn run(
    shared: Arc<Shared>,
    live: Arc<Live>,
    id: SessionId,
    tcp: TcpStream,
    peer: SocketAddr,
) -> EndReason {
    prepare(&tcp);
    let Ok(local) = tcp.local_addr() else {
        return EndReason::Gone;
    };
    let config = &shared.config;
    let control = Control::new(Stream::Plain(tcp), config.limits.reply, config.charset);
    let mut session = Session {
        id,
        peer,
        local,
        control,
        deadline: Some(Instant::now() + config.limits.login),
        queue: VecDeque::new(),
        queued_bytes: 0,
        lingering: JoinSet::new(),
        wrong_passwords: 0,
        host: None,
        named_by_tls: false,
        tls: None,
        state: State::default(),
        own: aioftp::Own::default(),
        user_seat: None,
        passage: None,
        live,
        shared,
    };
    let served = AssertUnwindSafe(session.serve()).catch_unwind().await;
    let reason = match served {
        Ok(Ok(never)) => match never {},
        Ok(Err(reason)) => reason,
        Err(_) => {
            // Of a session in an unknown state only the end can be trusted; the client learns whose fault it was.
            let text = "A fault of the server. Goodbye.";
            let _ = session.control.send(&verbs::reply(421, text)).await;
            EndReason::Fault
        }
    };
    if reason != EndReason::Gone {
        session.control.close().await;
    }
    reason
}

/// One client.
pub(crate) struct Session {
    pub(crate) shared: Arc<Shared>,
    pub(crate) id: SessionId,
    /// The client's end of the control connection, IPv4 written as IPv4.
    pub(crate) peer: SocketAddr,
    /// Our end of it, as the system gives it.
    pub(crate) local: SocketAddr,
    pub(crate) control: Control,
    /// Wrong passwords so far. Not forgotten by REIN.
    pub(crate) wrong_passwords: u32,
    /// The virtual host that HOST or the handshake of TLS has named.
    pub(crate) host: Option<Arc<Host>>,
    /// It was the handshake of TLS: HOST may not say another.
    pub(crate) named_by_tls: bool,
    /// The certificate of the control connection: data connections have the same.
    tls: Option<ServerTls>,
    pub(crate) state: State,
    /// What the profile `aioftp` remembers.
    pub(crate) own: aioftp::Own,
    /// What others may know of it, and how they end it.
    pub(crate) live: Arc<Live>,
    /// Held while a user is logged in.
    user_seat: Option<UserSeat>,
    /// The command that is being obeyed, for the layers that see its replies.
    passage: Option<Passage>,
    /// When login must be over; none once it is.
    deadline: Option<Instant>,
    queue: VecDeque<Queued>,
    queued_bytes: usize,
    lingering: JoinSet<()>,
}

/// What commands change, and REIN and AUTH set back.
#[derive(Default)]
pub(crate) struct State {
    /// The name of USER, until PASS.
    pub(crate) named: Option<Vec<u8>>,
    pub(crate) account: Option<Account>,
    /// Tells the accounts when this login is over.
    login: Option<Login>,
    pub(crate) cwd: Option<VPath>,
    /// TYPE I; TYPE A otherwise, which is what a session begins with (RFC 959 section 5.1).
    pub(crate) binary: bool,
    /// MODE Z; MODE S otherwise.
    pub(crate) deflate: bool,
    /// What OPTS MODE Z LEVEL has said.
    pub(crate) level: Option<u32>,
    pub(crate) data: Option<DataSetup>,
    /// Since when `data` waits for its transfer.
    data_since: Option<Instant>,
    pub(crate) epsv_all: bool,
    pub(crate) protection_size: bool,
    pub(crate) private: bool,
    pub(crate) restart: u64,
    /// RANG: the first and the last byte of what comes next.
    pub(crate) range: Option<(u64, u64)>,
    pub(crate) rename_from: Option<VPath>,
    pub(crate) facts: MlsxFacts,
    /// What OPTS HASH has chosen.
    pub(crate) hash: verbs::Algorithm,
}

struct Queued {
    command: Result<Command, CommandError>,
    bytes: usize,
}

impl State {
    /// What waits for a transfer, which begins now.
    fn take_port(&mut self) -> Option<DataSetup> {
        self.data_since = None;
        self.data.take()
    }

    /// Nothing waits for a transfer any more.
    pub(crate) fn drop_port(&mut self) {
        drop(self.take_port());
    }
}

enum Never {}

impl Session {
    pub(crate) fn config(&self) -> &Config {
        &self.shared.config
    }

    /// Who decides about logins.
    pub(crate) fn accounts(&self) -> Arc<dyn Accounts> {
        let host = self.host.as_ref().and_then(|host| host.accounts.clone());
        host.unwrap_or_else(|| Arc::clone(&self.config().accounts))
    }

    /// Chooses a certificate by the name in the client's first words of TLS: that host's, else that of the host that HOST has named, else the
    /// server's own.
    fn certificates(&self) -> Option<impl FnOnce(Option<&str>) -> ServerTls + use<>> {
        let shared = Arc::clone(&self.shared);
        let named = self.host.as_ref().and_then(|host| host.tls.clone());
        let default = named.or_else(|| self.config().tls.clone())?;
        Some(move |name: Option<&str>| {
            let host = name.and_then(|name| shared.config.host(name.as_bytes()));
            let chosen = host.and_then(|host| host.tls.clone()).unwrap_or(default);
            // TLS 1.2 doesn't say whose session is resumed: with tickets of its own it can only be that of this connection.
            match shared.config.data_session {
                DataSession::Same => chosen.for_one_client().unwrap_or(chosen),
                DataSession::Any | DataSession::Resumed => chosen,
            }
        })
    }

    /// Sends the events of this session on their way.
    pub(crate) fn tell(&self, kind: EventKind) {
        self.shared.tell(self.id, self.peer, kind);
    }

    /// The limits of speed that a transfer of this session passes through: of the server, of this session, of the user, of
    /// this session of the user.
    pub(crate) fn throttles(&self, direction: Direction) -> Throttles {
        self.shared.registry.throttles(&self.live, direction)
    }

    /// The tree of the user.
    ///
    /// # Errors
    /// 530 before login.
    pub(crate) fn tree(&self) -> Result<Arc<dyn Vfs>, Reply> {
        match &self.state.account {
            Some(account) => Ok(Arc::clone(&account.vfs)),
            None => Err(verbs::reply(530, "Log in with USER and PASS first.")),
        }
    }

    pub(crate) fn cwd(&self) -> VPath {
        self.state.cwd.clone().unwrap_or_else(VPath::root)
    }

    /// A path of the client, seen from the working directory.
    ///
    /// # Errors
    /// 553 for control characters and for what can't be a path.
    pub(crate) fn resolve(&self, path: &[u8]) -> Result<VPath, Reply> {
        if path.iter().any(u8::is_ascii_control) {
            return Err(verbs::reply(
                553,
                "Names with control characters are not allowed.",
            ));
        }
        self.cwd()
            .join(path)
            .map_err(|error| verbs::refused(&error))
    }

    /// Marks the TLS sessions of this connection. The ticket that carries it is encrypted, and its keys live no longer than this process.
    pub(crate) fn tag(&self) -> Vec<u8> {
        self.id.0.to_be_bytes().to_vec()
    }

    /// Takes what PASV or PORT prepared, for one transfer.
    ///
    /// # Errors
    /// 425 if there is nothing; 521 if the data would be unencrypted and mustn't be.
    pub(crate) fn opener(&mut self) -> Result<DataOpener, Reply> {
        let setup = self.state.take_port();
        let deflate = (self.state.deflate).then_some(self.state.level.unwrap_or(LEVEL));
        let config = self.config();
        let private = self.state.private;
        if config.require_tls && !private {
            return Err(verbs::reply(
                521,
                "Data must be encrypted here: PROT P first.",
            ));
        }
        let setup =
            setup.ok_or_else(|| verbs::reply(425, "Use PASV, EPSV, PORT or EPRT first."))?;
        let tls = match &self.tls {
            Some(tls) if private => Some(DataTls {
                tls: tls.clone(),
                tag: self.tag(),
                must: config.data_session,
            }),
            _ => None,
        };
        Ok(DataOpener {
            setup,
            peer: (!config.allow_fxp).then(|| self.peer.ip()),
            tls,
            deflate,
            limits: config.limits.clone(),
        })
    }

    /// The charset of names on the wire.
    pub(crate) fn charset(&self) -> Charset {
        self.control.charset()
    }

    /// OPTS UTF8 ON.
    pub(crate) fn speak_utf8(&mut self) {
        self.control.set_charset(Charset::AUTO);
    }

    /// Back to the state of a fresh connection, but for TLS.
    pub(crate) fn reset(&mut self) {
        self.log_out();
        let charset = self.config().charset;
        self.control.set_charset(charset);
        let private = self.state.private && self.config().implicit;
        self.state = State {
            private,
            protection_size: private,
            ..State::default()
        };
    }

    /// Forgets the user and what belonged to it. How data is protected and sent stays.
    pub(crate) fn log_out(&mut self) {
        if self.state.account.take().is_some() {
            // Only now: a client that never logs in gets no more time by trying again.
            self.deadline = Some(Instant::now() + self.config().limits.login);
        }
        self.state.login = None;
        self.user_seat = None;
        self.state.named = None;
        self.state.cwd = None;
        self.state.data = None;
        self.state.rename_from = None;
        self.state.restart = 0;
        self.state.range = None;
    }

    /// Login is over.
    ///
    /// # Errors
    /// This user has too many sessions already.
    pub(crate) fn logged_in(&mut self, account: Account, user: &[u8]) -> Result<(), TooMany> {
        // First of all: whoever has let the user in hears of the end in either case.
        let login = Login::new(self.accounts(), &account);
        let user = escape(user, 200);
        let mut key = account.name.clone();
        if let Some(host) = &self.host {
            // Another user than the one of that name here.
            key.push(0);
            key.extend_from_slice(host.name.as_bytes());
        }
        let (registry, limits) = (&self.shared.registry, &account.limits);
        let seat = registry.log_in(&self.live, &key, limits, user.clone())?;
        self.user_seat = Some(seat);
        self.deadline = None;
        self.state.login = Some(login);
        self.state.account = Some(account);
        self.tell(EventKind::LoggedIn { user });
        Ok(())
    }

    async fn serve(&mut self) -> Result<Never, EndReason> {
        if self.config().implicit {
            self.secure().await?;
            self.state.private = true;
            self.state.protection_size = true;
        }
        let greeting = verbs::reply(220, &self.config().welcome);
        self.send(&greeting).await?;
        loop {
            let command = self.next_command().await?;
            self.obey(command).await?;
            self.live.rest();
        }
    }

    async fn obey(&mut self, command: Result<Command, CommandError>) -> Result<(), EndReason> {
        let stop = self.live.stop.clone();
        self.passage = None;
        let answer = tokio::select! {
            biased;
            () = stop.cancelled() => {
                let (reason, text) = self.stopped();
                self.farewell(text).await;
                return Err(reason);
            }
            // On the heap: a session that waits must not hold room for all that commands need.
            answer = Box::pin(self.answer(command)) => answer,
        };
        let done = Box::pin(self.follow(answer)).await;
        self.passage = None;
        done
    }

    /// What comes of a command, by the layers and by its verb.
    async fn answer(&mut self, command: Result<Command, CommandError>) -> Answer {
        let command = match self.pass(command).await {
            Passed::Go(command) => command,
            Passed::Deny(reply) => {
                // As far as the order of commands goes it was one.
                self.state.rename_from = None;
                self.state.restart = 0;
                self.state.range = None;
                return Err(reply);
            }
            Passed::Close(reply) => return Ok(Outcome::Close(Some(reply), EndReason::Refused)),
        };
        let command = match command {
            Ok(command) => command,
            Err(error) => return profile::not_understood(self, &error),
        };
        let listing = matches!(
            command,
            Command::List(_) | Command::Nlst(_) | Command::Mlsd(_)
        );
        let own = self.config().commands.contains_key(command.verb());
        let answer = if own || SLOW.contains(&command.verb()) {
            profile::run(self, command).await
        } else {
            let limit = self.config().limits.path;
            match tokio::time::timeout(limit, profile::run(self, command)).await {
                Ok(answer) => answer,
                Err(_) => Err(verbs::reply(451, "The files took too long to answer.")),
            }
        };
        let charset = self.charset();
        match answer {
            Ok(Outcome::Transfer(opening, mut transfer)) if listing && !charset.is_utf8() => {
                if let Body::Listing(lines) = transfer.body {
                    let coded = lines.map_ok(move |lines| charset::listing(charset, &lines));
                    transfer.body = Body::Listing(coded.boxed());
                }
                Ok(Outcome::Transfer(opening, transfer))
            }
            other => other,
        }
    }

    /// Shows a command to the layers.
    async fn pass(&mut self, command: Result<Command, CommandError>) -> Passed {
        if self.config().layers.is_empty() {
            return Passed::Go(command);
        }
        let shared = Arc::clone(&self.shared);
        let layers = &shared.config.layers;
        let (passage, passed) = layers.before(&self.for_layers(), command).await;
        self.passage = Some(passage);
        match passed {
            // A refusal is final; with anything else the client would wait for more.
            Passed::Deny(reply) if reply.code.is_preliminary() => {
                Passed::Deny(verbs::reply(550, "Not allowed here."))
            }
            other => other,
        }
    }

    fn for_layers(&self) -> LayerSession {
        LayerSession {
            id: self.id,
            peer: self.peer,
            user: self.user_seat.as_ref().map(UserSeat::shown),
            encrypted: self.control.is_encrypted(),
        }
    }

    /// Does what follows from an answer.
    async fn follow(&mut self, answer: Answer) -> Result<(), EndReason> {
        match answer.unwrap_or_else(Outcome::Reply) {
            Outcome::Reply(reply) => self.send(&reply).await,
            Outcome::Close(reply, reason) => {
                // Whoever has read the last word may come back at once, and finds room.
                if let Some(seat) = &mut self.user_seat {
                    seat.release();
                }
                self.shared.registry.leave(&self.live);
                if let Some(reply) = reply {
                    // It has no place among the others any more, so it can't take the time of one.
                    let _ = tokio::time::timeout(LAST_WORD, self.send(&reply)).await;
                }
                Err(reason)
            }
            Outcome::Secure(reply) => {
                if self.control.has_more() || !self.queue.is_empty() {
                    let reason = "plaintext after AUTH".to_owned();
                    self.tell(EventKind::Denied { reason });
                    self.send(&verbs::reply(421, "Commands after AUTH must be encrypted."))
                        .await?;
                    return Err(EndReason::Refused);
                }
                self.send(&reply).await?;
                self.secure().await
            }
            Outcome::Work(work) => self.work(work).await,
            Outcome::Transfer(opening, transfer) => self.transfer(&opening, *transfer).await,
        }
    }

    async fn secure(&mut self) -> Result<(), EndReason> {
        let choose = self.certificates().ok_or(EndReason::Tls)?;
        let (tag, limit) = (self.tag(), self.config().limits.handshake);
        let stop = self.live.stop.clone();
        let handshake = self.control.secure(choose, &tag, limit);
        let (tls, name) = tokio::select! {
            () = stop.cancelled() => return Err(self.stopped().0),
            done = handshake => done.map_err(|_| EndReason::Tls)?,
        };
        self.tls = Some(tls);
        if let Some(host) = name.and_then(|name| self.config().host(name.as_bytes())) {
            self.named_by_tls = true;
            self.host = Some(host);
        }
        self.live.encrypted();
        let version = self.control.tls_version().unwrap_or("TLS");
        self.tell(EventKind::Secured { version });
        Ok(())
    }

    /// The next command in order, waited for no longer than it may take.
    async fn next_command(&mut self) -> Result<Result<Command, CommandError>, EndReason> {
        let (stop, drain) = (self.live.stop.clone(), self.shared.drain.clone());
        if let Some(queued) = self.queue.pop_front()
            && !stop.is_cancelled()
            && !drain.is_cancelled()
        {
            self.queued_bytes -= queued.bytes;
            return Ok(queued.command);
        }
        let idle = Instant::now() + self.config().limits.idle;
        let deadline = self.deadline.map_or(idle, |login| login.min(idle));
        let line = loop {
            let port_expires = self.port_expires();
            let expired = async {
                match port_expires {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            let stopping = async {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = drain.cancelled() => {}
                }
            };
            tokio::select! {
                biased;
                () = stopping => {
                    let (reason, text) = self.stopped();
                    self.farewell(text).await;
                    return Err(reason);
                }
                // Before the next line: a client that always has one ready gets no more time for its login.
                () = tokio::time::sleep_until(deadline) => {
                    let text = "Nothing came for too long. Goodbye.";
                    self.farewell(text).await;
                    return Err(EndReason::Idle);
                }
                line = self.control.line() => break line,
                () = expired => self.state.drop_port(),
            }
        };
        match line {
            Ok(line) => Ok(self.read(&line)),
            Err(error) => Err(self.lost(error).await),
        }
    }

    /// Tells the client why its session ends, if this server does such things.
    async fn farewell(&mut self, text: &str) {
        if self.config().profile.says_why() {
            let _ = self.control.send(&verbs::reply(421, text)).await;
        }
    }

    /// When a port that waits for a transfer goes back to the others. Only where ports are few.
    fn port_expires(&mut self) -> Option<Instant> {
        let passive = matches!(self.state.data, Some(DataSetup::Passive(_)));
        if !passive || self.config().data_ports == DataPorts::Any {
            self.state.data_since = None;
            return None;
        }
        let wait = self.config().limits.data_wait;
        let since = *self.state.data_since.get_or_insert_with(Instant::now);
        Some(since + wait)
    }

    /// Why the session was told to end, and what the client is told.
    fn stopped(&self) -> (EndReason, &'static str) {
        if self.live.was_kicked() {
            (EndReason::Kicked, "The server has ended this session.")
        } else {
            (EndReason::Stopped, "The server is stopping.")
        }
    }

    fn read(&self, line: &[u8]) -> Result<Command, CommandError> {
        let (charset, profile) = (self.charset(), self.config().profile);
        let command = match charset.is_utf8() {
            true => profile.read(line),
            false => charset::line(charset, line).and_then(|line| profile.read(&line)),
        };
        if let Ok(command) = &command {
            tracing::debug!(session = %self.id, "{}", command.redacted());
        }
        command
    }

    async fn lost(&mut self, error: ControlError) -> EndReason {
        if let ControlError::TooLong = error {
            let _ = self
                .control
                .send(&verbs::reply(500, "The line is too long."))
                .await;
            return EndReason::Refused;
        }
        EndReason::Gone
    }

    async fn send(&mut self, reply: &Reply) -> Result<(), EndReason> {
        let changed = match &self.passage {
            None => None,
            Some(passage) => {
                let (layers, session) = (&self.shared.config.layers, self.for_layers());
                Some(layers.after(&session, passage, reply.clone()).await)
            }
        };
        let reply = changed.as_ref().unwrap_or(reply);
        tracing::debug!(session = %self.id, "{} {}", reply.code, escape(reply.first_line(), 200));
        // Whoever is told to go while a reply waits to be read keeps its place for a moment only.
        let stop = self.live.stop.clone();
        let hurried = async {
            stop.cancelled().await;
            tokio::time::sleep(LAST_WORD).await;
        };
        tokio::select! {
            biased;
            sent = self.control.send(reply) => sent.map_err(|_| EndReason::Gone),
            () = hurried => Err(EndReason::Gone),
        }
    }
}

/// Replies must not wait for more to send, and the urgent byte of an old ABOR must stay in its place in the stream.
fn prepare(tcp: &TcpStream) {
    let _ = tcp.set_nodelay(true);
    #[cfg(unix)]
    let _ = rustix::net::sockopt::set_socket_oobinline(tcp, true);
}

/// A reply for an error of the tree, with nothing of the host in it.
pub(crate) fn refusal(error: &VfsError) -> Reply {
    let code = match error.kind() {
        VfsErrorKind::Full => 452,
        VfsErrorKind::NameInvalid => 553,
        VfsErrorKind::Range => 554,
        VfsErrorKind::Unsupported => 504,
        VfsErrorKind::Io => 451,
        _ => 550,
    };
    let mut text = error.kind().text().to_owned();
    text[..1].make_ascii_uppercase();
    text.push('.');
    Reply::new(code, text)
}
