//! The running server: accepts, counts, and looks after its sessions.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ftp_net::tls::ServerTls;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, broadcast};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::account::Accounts;
use crate::builder::ServerBuilder;
use crate::custom::CustomCommands;
use crate::event::{EndReason, EventKind, ServerEvent, SessionId};
use crate::host::Host;
use crate::limits::{DataSession, Limits};
use crate::session;

/// Events that a slow receiver may lag behind before it misses the oldest.
const EVENTS: usize = 1024;

/// Files that move on threads of their own at a time.
const COPIES: usize = 256;

/// Hashes that are computed at a time.
const HASHING: usize = 4;

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
    events: broadcast::Sender<ServerEvent>,
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

impl RunningServer {
    pub(crate) fn start(config: Config, listener: TcpListener) -> io::Result<Self> {
        let local = listener.local_addr()?;
        let (events, _) = broadcast::channel(EVENTS);
        let stop = CancellationToken::new();
        let shared = Arc::new(Shared {
            config,
            events: events.clone(),
            stop: stop.clone(),
            copies: Arc::new(Semaphore::new(COPIES)),
            hashing: Arc::new(Semaphore::new(HASHING)),
            open: Mutex::new(HashMap::new()),
            last: AtomicU64::new(0),
        });
        let task = Some(tokio::spawn(accept(shared, listener)));
        Ok(Self {
            local,
            events,
            stop,
            task,
        })
    }

    /// The address that is listened on, with the port that the system chose.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// What happens from now on.
    pub fn events(&self) -> broadcast::Receiver<ServerEvent> {
        self.events.subscribe()
    }

    /// Stops listening, tells every session goodbye (421), and waits until the last is gone, at most five seconds.
    /// Transfers that still run are given up.
    pub async fn stop(mut self) {
        self.stop.cancel();
        if let Some(task) = self.task.take() {
            let _ = task.await;
        }
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(task) = &self.task {
            // The sessions are in the task's own set and end with it.
            task.abort();
        }
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
    pub(crate) data_ports: Option<RangeInclusive<u16>>,
    pub(crate) commands: CustomCommands,
    pub(crate) hosts: Vec<Arc<Host>>,
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
    pub(crate) stop: CancellationToken,
    /// Threads for the copies of files. Far fewer than the runtime has: the trees need some, too.
    pub(crate) copies: Arc<Semaphore>,
    /// Files whose hash is computed at a time: it is the processor's time.
    pub(crate) hashing: Arc<Semaphore>,
    events: broadcast::Sender<ServerEvent>,
    open: Mutex<HashMap<IpAddr, usize>>,
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

    /// A place for one more session of this address.
    fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let limits = &self.config.limits;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let total: usize = open.values().sum();
        let count = open.get(&address).copied().unwrap_or(0);
        if total >= limits.connections || count >= limits.connections_per_address {
            return None;
        }
        open.insert(address, count + 1);
        Some(Place {
            shared: Arc::clone(self),
            address,
        })
    }
}

/// A session's share of the connection limits; given back when it is dropped.
pub(crate) struct Place {
    shared: Arc<Shared>,
    address: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self
            .shared
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.address);
            }
        }
    }
}

async fn accept(shared: Arc<Shared>, listener: TcpListener) {
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => break,
            Some(_) = sessions.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((tcp, peer)) => {
                    sessions.spawn(welcome(Arc::clone(&shared), tcp, peer));
                }
                Err(error) => {
                    // Out of file handles, mostly: sessions that end will free some.
                    tracing::warn!(%error, "accepting a connection failed");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
        }
    }
    drop(listener);
    let all_gone = async { while sessions.join_next().await.is_some() {} };
    if tokio::time::timeout(STOP, all_gone).await.is_err() {
        sessions.shutdown().await;
    }
}

/// One connection, from its first moment to its last event.
async fn welcome(shared: Arc<Shared>, tcp: TcpStream, peer: SocketAddr) {
    let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
    let id = SessionId(shared.last.fetch_add(1, Ordering::Relaxed) + 1);
    let Some(place) = shared.admit(peer.ip()) else {
        let reason = "too many connections".to_owned();
        shared.tell(id, peer, EventKind::Denied { reason });
        turn_away(&shared, tcp).await;
        return;
    };
    // Says the last word even if the session panics.
    let mut farewell = Farewell {
        shared: Arc::clone(&shared),
        id,
        peer,
        reason: EndReason::Fault,
        _place: place,
    };
    shared.tell(id, peer, EventKind::SessionOpened);
    farewell.reason = session::run(shared, id, tcp, peer).await;
}

struct Farewell {
    shared: Arc<Shared>,
    id: SessionId,
    peer: SocketAddr,
    reason: EndReason,
    _place: Place,
}

impl Drop for Farewell {
    fn drop(&mut self) {
        let reason = if self.reason == EndReason::Fault && !std::thread::panicking() {
            // Not a panic: the task was aborted in the middle.
            EndReason::Stopped
        } else {
            self.reason
        };
        self.shared
            .tell(self.id, self.peer, EventKind::SessionClosed { reason });
    }
}

async fn turn_away(shared: &Shared, mut tcp: TcpStream) {
    // With implicit TLS nobody could read it, and a handshake is just what there is no room for.
    if !shared.config.implicit {
        let bye = async {
            tcp.write_all(b"421 Too many connections, try again later.\r\n")
                .await?;
            tcp.shutdown().await
        };
        let _ = tokio::time::timeout(Duration::from_secs(1), bye).await;
    }
}
