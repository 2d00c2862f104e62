//! The running server: accepts, counts, and looks after its sessions.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ftp_net::Stream;
use ftp_net::tls::{Purpose, ServerTls};
use ftp_proto::Charset;
use futures_util::stream::BoxStream;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, broadcast};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::account::Accounts;
use crate::builder::ServerBuilder;
use crate::custom::CustomCommands;
use crate::event::{EndReason, EventKind, ServerEvent, SessionId};
use crate::handle::{MissedEvents, ServerHandle};
use crate::host::Host;
use crate::layer::Layers;
use crate::limits::{DataSession, Limits, SpeedLimits};
use crate::live::{SessionInfo, Totals};
use crate::lockout::Lockout;
use crate::ports::DataPorts;
use crate::profile::Profile;
use crate::registry::{Full, Registry, Seat};
use crate::session;

/// Events that a slow receiver may lag behind before it misses the oldest.
const EVENTS: usize = 1024;

/// Files that move on threads of their own at a time.
const COPIES: usize = 256;

/// Hashes that are computed at a time.
const HASHING: usize = 4;

/// Connections that are turned away with a word at a time; more are closed without one.
const TURNING: usize = 64;

/// How long stopping waits for sessions to say goodbye.
const STOP: Duration = Duration::from_secs(5);

/// Where a server begins.
#[derive(Debug)]
pub struct Server;

impl Server {
    /// Collects options; [`ServerBuilder::bind`] starts it.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::default()
    }
}

/// A server that listens. Dropping it stops it as hard as it can; [`stop`](Self::stop) is the polite way.
#[derive(Debug)]
pub struct RunningServer {
    local: SocketAddr,
    handle: ServerHandle,
    task: Option<JoinHandle<()>>,
}

impl RunningServer {
    pub(crate) fn start(config: Config, listener: TcpListener) -> io::Result<Self> {
        let local = listener.local_addr()?;
        let (events, _) = broadcast::channel(EVENTS);
        let shared = Arc::new(Shared {
            registry: Arc::new(Registry::new(config.speed, config.session_speed)),
            config,
            events,
            stop: CancellationToken::new(),
            drain: CancellationToken::new(),
            over: CancellationToken::new(),
            lockout: Lockout::default(),
            turning: Semaphore::new(TURNING),
            copies: Arc::new(Semaphore::new(COPIES)),
            hashing: Arc::new(Semaphore::new(HASHING)),
            last: AtomicU64::new(0),
        });
        let task = Some(tokio::spawn(accept(Arc::clone(&shared), listener)));
        Ok(Self {
            local,
            handle: ServerHandle(shared),
            task,
        })
    }

    /// The address that is listened on, with the port that the system chose.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// What happens from now on.
    pub fn events(&self) -> broadcast::Receiver<ServerEvent> {
        self.handle.0.events.subscribe()
    }

    /// What happens from now on, as a stream that ends with the server.
    pub fn event_stream(&self) -> BoxStream<'static, Result<ServerEvent, MissedEvents>> {
        self.handle.event_stream()
    }

    /// What can be asked of the server and changed while it runs. Clones may go to other tasks; they don't keep it running.
    pub fn handle(&self) -> &ServerHandle {
        &self.handle
    }

    /// Who is connected, and what each does; in the order of connection.
    pub fn sessions(&self) -> Vec<SessionInfo> {
        self.handle.sessions()
    }

    /// Ends one session: what it transfers is given up, and it is told 421. False where there is none of this number.
    pub fn kick(&self, id: SessionId) -> bool {
        self.handle.kick(id)
    }

    /// Sums since the start.
    pub fn totals(&self) -> Totals {
        self.handle.totals()
    }

    /// Stops listening, tells every session goodbye (421), and waits until the last is gone, at most five seconds.
    /// Transfers that still run are given up.
    pub async fn stop(mut self) {
        self.handle.0.stop.cancel();
        if let Some(task) = self.task.take() {
            let _ = task.await;
        }
    }

    /// Stops listening and tells every session goodbye (421), but those that transfer something only when that is done. Whatever
    /// still runs after `patience` is given up, as [`stop`](Self::stop) does.
    pub async fn stop_gracefully(mut self, patience: Duration) {
        let shared = Arc::clone(&self.handle.0);
        shared.drain.cancel();
        let Some(mut task) = self.task.take() else {
            return;
        };
        // Put back, so that dropping this future stops the server as dropping the server does.
        let waited = tokio::time::timeout(patience, &mut task).await;
        self.task = Some(task);
        if waited.is_err() {
            self.stop().await;
        }
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        // First of all: sessions that hear of the stop before would begin to say goodbye, and be cut off in the middle of it.
        if let Some(task) = &self.task {
            // The sessions are in the task's own set and end with it.
            task.abort();
        }
        self.handle.0.stop.cancel();
    }
}

/// The options of a server, checked.
pub(crate) struct Config {
    pub(crate) accounts: Arc<dyn Accounts>,
    pub(crate) tls: Option<ServerTls>,
    pub(crate) implicit: bool,
    pub(crate) require_tls: bool,
    pub(crate) data_session: DataSession,
    pub(crate) unclean_end: bool,
    pub(crate) welcome: String,
    pub(crate) limits: Limits,
    pub(crate) passive_address: Option<Ipv4Addr>,
    pub(crate) data_ports: DataPorts,
    pub(crate) commands: CustomCommands,
    pub(crate) hosts: Vec<Arc<Host>>,
    pub(crate) speed: SpeedLimits,
    pub(crate) session_speed: SpeedLimits,
    pub(crate) allow_fxp: bool,
    /// Of names on the wire.
    pub(crate) charset: Charset,
    pub(crate) layers: Layers,
    pub(crate) profile: Profile,
    pub(crate) system_type: String,
}

impl Config {
    /// The virtual host of that name.
    pub(crate) fn host(&self, name: &[u8]) -> Option<Arc<Host>> {
        let name = name.strip_suffix(b".").unwrap_or(name);
        let mut hosts = self.hosts.iter();
        let found = hosts.find(|host| host.name.as_bytes().eq_ignore_ascii_case(name));
        found.map(Arc::clone)
    }
}

/// What all sessions share.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) registry: Arc<Registry>,
    /// Everything ends.
    pub(crate) stop: CancellationToken,
    /// Sessions end when they have nothing to transfer.
    pub(crate) drain: CancellationToken,
    /// Nothing will happen any more.
    pub(crate) over: CancellationToken,
    pub(crate) lockout: Lockout,
    /// Room for connections that are told that there is none.
    turning: Semaphore,
    /// Threads for the copies of files. Far fewer than the runtime has: the trees need some, too.
    pub(crate) copies: Arc<Semaphore>,
    /// Files whose hash is computed at a time: it is the processor's time.
    pub(crate) hashing: Arc<Semaphore>,
    pub(crate) events: broadcast::Sender<ServerEvent>,
    last: AtomicU64,
}

impl Shared {
    pub(crate) fn tell(&self, session: SessionId, peer: SocketAddr, kind: EventKind) {
        // Nobody listening is no error.
        let _ = self.events.send(ServerEvent {
            session,
            peer,
            kind,
        });
    }
}

async fn accept(shared: Arc<Shared>, listener: TcpListener) {
    let _over = shared.over.clone().drop_guard();
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => break,
            () = shared.drain.cancelled() => break,
            Some(_) = sessions.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((tcp, peer)) => {
                    sessions.spawn(welcome(Arc::clone(&shared), tcp, peer));
                }
                Err(error) => {
                    // Out of file handles, mostly: sessions that end will free some.
                    tracing::warn!(%error, "accepting a connection failed");
                    tokio::select! {
                        () = shared.stop.cancelled() => {}
                        () = tokio::time::sleep(Duration::from_millis(50)) => {}
                    }
                }
            },
        }
    }
    drop(listener);
    let all_gone = async |sessions: &mut JoinSet<()>| while sessions.join_next().await.is_some() {};
    tokio::select! {
        () = shared.stop.cancelled() => {}
        () = all_gone(&mut sessions) => return,
    }
    let all_gone = all_gone(&mut sessions);
    if tokio::time::timeout(STOP, all_gone).await.is_err() {
        sessions.shutdown().await;
    }
}

/// One connection, from its first moment to its last event.
async fn welcome(shared: Arc<Shared>, tcp: TcpStream, peer: SocketAddr) {
    let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
    let id = SessionId(shared.last.fetch_add(1, Ordering::Relaxed) + 1);
    if shared.lockout.is_locked(peer.ip(), Instant::now()) {
        let reason = "an address with too many wrong passwords".to_owned();
        shared.tell(id, peer, EventKind::Denied { reason });
        shared.registry.turned_away();
        turn_away(&shared, tcp, LOCKED_OUT).await;
        return;
    }
    let stop = shared.stop.child_token();
    let admitted = shared
        .registry
        .admit(id, peer, &shared.config.limits, stop, Instant::now());
    let seat = match admitted {
        Ok(seat) => seat,
        Err(full) => {
            let reason = match full {
                Full::Server => "too many connections",
                Full::Address => "too many connections from this address",
                Full::HalfOpen => "too many connections without a login",
            };
            let reason = reason.to_owned();
            shared.tell(id, peer, EventKind::Denied { reason });
            turn_away(&shared, tcp, shared.config.profile.too_many()).await;
            return;
        }
    };
    let live = Arc::clone(&seat.live);
    // Says the last word even if the session panics.
    let mut farewell = Farewell {
        shared: Arc::clone(&shared),
        id,
        peer,
        reason: None,
        _seat: seat,
    };
    shared.tell(id, peer, EventKind::SessionOpened);
    farewell.reason = Some(session::run(shared, live, id, tcp, peer).await);
}

struct Farewell {
    shared: Arc<Shared>,
    id: SessionId,
    peer: SocketAddr,
    reason: Option<EndReason>,
    _seat: Seat,
}

impl Drop for Farewell {
    fn drop(&mut self) {
        let reason = self.reason.unwrap_or(if std::thread::panicking() {
            EndReason::Fault
        } else {
            // The task was aborted in the middle.
            EndReason::Stopped
        });
        // A second panic on the way out would be the end of the program.
        let layers = AssertUnwindSafe(|| self.shared.config.layers.closed(self.id));
        let _ = std::panic::catch_unwind(layers);
        self.shared
            .tell(self.id, self.peer, EventKind::SessionClosed { reason });
    }
}

pub(crate) const LOCKED_OUT: &[u8] =
    b"421 Too many wrong passwords from this address, try again later.\r\n";

async fn turn_away(shared: &Shared, tcp: TcpStream, last_words: &[u8]) {
    let Ok(_room) = shared.turning.try_acquire() else {
        return;
    };
    let config = &shared.config;
    let bye = async {
        let mut stream = match (&config.tls, config.implicit) {
            (Some(tls), true) if config.profile.turns_away_by_tls() => {
                let limit = Duration::from_secs(1);
                tls.accept(tcp, Purpose::Control, b"", limit).await.ok()?
            }
            // Nobody could read it, and a handshake is just what there is no room for.
            (_, true) => return None,
            (_, false) => Stream::Plain(tcp),
        };
        stream.write_all(last_words).await.ok()?;
        stream.shutdown().await.ok()
    };
    let _ = tokio::time::timeout(Duration::from_secs(2), bye).await;
}
