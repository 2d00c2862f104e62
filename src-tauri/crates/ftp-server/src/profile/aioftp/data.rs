//! The data connection: PASV, EPSV, REST, TYPE, ABOR.

use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV4};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ftp_net::Stream;
use ftp_net::tls::{Purpose, ServerTls};
use ftp_proto::{Reply, format_epsv, format_pasv};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use vfs::{VPath, VfsRead};

use super::text::quoted;
use super::{close, logged_in, missing, say};
use crate::event::EndReason;
use crate::ports::DataPorts;
use crate::session::{Body, DataOpener, DataSetup, Session, Transfer};
use crate::verbs::{Answer, Outcome, reply};

/// The socket of a session for its data connections. Connections are taken as they come, also before the command that they are for:
/// one waits, further ones are closed.
pub(crate) struct Kept {
    port: u16,
    slot: Arc<Slot>,
    task: JoinHandle<()>,
}

/// The connection that waits.
#[derive(Default)]
pub(crate) struct Slot {
    state: Mutex<Waiting>,
    filled: Notify,
}

#[derive(Default)]
struct Waiting {
    stream: Option<Stream>,
    /// A transfer has been given up before its connection was here: that one will not be another's.
    late: bool,
}

/// Who may connect, and how.
struct Door {
    peer: IpAddr,
    tls: Option<(ServerTls, Vec<u8>)>,
    handshake: Duration,
}

impl Kept {
    fn new(listener: TcpListener, port: u16, door: Door) -> Self {
        let slot = Arc::new(Slot::default());
        let task = tokio::spawn(admit(listener, door, Arc::clone(&slot)));
        Self { port, slot, task }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Slot {
    /// The connection that waits, or the next one, if it comes in time. Where this isn't waited for to the end, the next one is closed.
    pub(crate) async fn take(&self, patience: Duration) -> Option<Stream> {
        let expectation = Expectation(self);
        let coming = async {
            loop {
                let filled = self.filled.notified();
                if let Some(stream) = self.lock().stream.take() {
                    return stream;
                }
                filled.await;
            }
        };
        let taken = tokio::time::timeout(patience, coming).await.ok();
        // Who comes after the patience may be of use to the next transfer.
        std::mem::forget(expectation);
        taken
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_taken(&self) -> bool {
        self.lock().stream.is_some()
    }

    fn put(&self, stream: Stream) {
        let mut waiting = self.lock();
        if std::mem::take(&mut waiting.late) || waiting.stream.is_some() {
            return;
        }
        waiting.stream = Some(stream);
        self.filled.notify_one();
    }

    /// Whatever has come, or should have, belongs to the PASV or EPSV before.
    fn renew(&self) {
        *self.lock() = Waiting::default();
    }
}

/// A connection that a transfer waits for; dropped when the transfer is given up.
struct Expectation<'a>(&'a Slot);

impl Drop for Expectation<'_> {
    fn drop(&mut self) {
        let mut waiting = self.0.lock();
        waiting.late = waiting.stream.take().is_none();
    }
}

async fn admit(listener: TcpListener, door: Door, slot: Arc<Slot>) {
    loop {
        let Ok((tcp, from)) = listener.accept().await else {
            // Out of file handles, mostly.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        if from.ip().to_canonical() != door.peer {
            tracing::warn!(%from, "a stranger at the data port");
            continue;
        }
        if slot.is_taken() {
            continue;
        }
        if let Some(stream) = door.secure(tcp).await {
            slot.put(stream);
        }
    }
}

impl Door {
    async fn secure(&self, tcp: TcpStream) -> Option<Stream> {
        let _ = tcp.set_nodelay(true);
        let Some((tls, tag)) = &self.tls else {
            return Some(Stream::Plain(tcp));
        };
        // Whether it will be an upload isn't known yet; without tickets it may be one.
        let accepted = tls.accept(tcp, Purpose::Upload, tag, self.handshake).await;
        match accepted {
            Ok(stream) => Some(stream),
            Err(error) => {
                tracing::debug!(%error, "TLS failed on the data connection");
                None
            }
        }
    }
}

pub(super) async fn pasv(session: &mut Session) -> Answer {
    logged_in(session)?;
    let (port, how) = match open(session).await {
        Ok(opened) => opened,
        Err(bye) => return Ok(bye),
    };
    let IpAddr::V4(own) = session.local.ip().to_canonical() else {
        return close(503, "this server started in ipv6 mode", EndReason::Refused);
    };
    let shown = session.config().passive_address.unwrap_or(own);
    let address = format_pasv(SocketAddrV4::new(shown, port));
    renew(session);
    say(227, &format!("listen socket {how} ({address})"))
}

pub(super) async fn epsv(session: &mut Session, rest: &[u8]) -> Answer {
    logged_in(session)?;
    if !rest.is_empty() {
        let text = "custom protocols support not implemented";
        return close(522, text, EndReason::Refused);
    }
    let (port, how) = match open(session).await {
        Ok(opened) => opened,
        Err(bye) => return Ok(bye),
    };
    renew(session);
    say(229, &format!("listen socket {how} {}", format_epsv(port)))
}

/// The session's socket, new or as it was, and which of both.
async fn open(session: &mut Session) -> Result<(u16, &'static str), Outcome> {
    if let Some(kept) = &session.own.passive {
        return Ok((kept.port, "already exists"));
    }
    let config = session.config();
    let private = session.state.private;
    let door = Door {
        peer: session.peer.ip(),
        tls: config
            .tls
            .clone()
            .filter(|_| private)
            .map(|tls| (tls, session.tag())),
        handshake: config.limits.handshake,
    };
    let listener = first_free(&config.data_ports, session.local).await;
    let bound = listener.and_then(|listener| Ok((listener.local_addr()?.port(), listener)));
    match bound {
        Ok((port, listener)) => {
            session.own.passive = Some(Kept::new(listener, port, door));
            Ok((port, "created"))
        }
        Err(error) => {
            tracing::warn!(%error, "no data port");
            let bye = Some(reply(421, "no free ports"));
            Err(Outcome::Close(bye, EndReason::Refused))
        }
    }
}

/// The lowest port of a list that is free.
async fn first_free(ports: &DataPorts, local: SocketAddr) -> io::Result<TcpListener> {
    let DataPorts::List(list) = ports else {
        return ports.listen(local).await;
    };
    let mut list = list.clone();
    list.sort_unstable();
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for port in list {
        match DataPorts::List(vec![port]).listen(local).await {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The connection that waited belongs to the PASV or EPSV before.
fn renew(session: &Session) {
    if let Some(kept) = &session.own.passive {
        kept.slot.renew();
    }
}

/// Whether there has been a PASV or an EPSV.
pub(super) fn listening(session: &Session) -> Result<(), Reply> {
    match session.own.passive {
        Some(_) => Ok(()),
        None => Err(no_socket()),
    }
}

fn no_socket() -> Reply {
    missing("no listen socket created (use PASV firstly)")
}

/// Where the next transfer gets its connection.
pub(super) fn setup(session: &Session) -> Option<DataSetup> {
    let kept = session.own.passive.as_ref()?;
    Some(DataSetup::Kept(Arc::clone(&kept.slot)))
}

pub(super) fn download(reader: Box<dyn VfsRead>) -> Body {
    Body::Download(reader, None)
}

/// A transfer over the connection that waits or comes.
pub(super) fn transfer(session: &Session, path: VPath, body: Body) -> Result<Transfer, Reply> {
    let setup = setup(session).ok_or_else(no_socket)?;
    Ok(Transfer {
        path,
        body,
        opener: DataOpener {
            setup,
            peer: Some(session.peer.ip()),
            // The socket has seen to that.
            tls: None,
            limits: session.config().limits.clone(),
            deflate: None,
        },
        unclean_end: session.config().unclean_end,
        text: None,
    })
}

/// Needs no login. Any other command but a transfer forgets it.
pub(super) fn rest(session: &mut Session, rest: &[u8]) -> Answer {
    let digits = !rest.is_empty() && rest.iter().all(u8::is_ascii_digit);
    let text = String::from_utf8_lossy(rest);
    match text.parse() {
        Ok(offset) if digits => {
            session.state.restart = offset;
            say(350, &format!("restarting at {text}"))
        }
        _ => say(
            501,
            &format!("syntax error, can't restart at {}", quoted(rest)),
        ),
    }
}

/// No line end is ever changed.
pub(super) fn type_code(session: &Session, rest: &[u8]) -> Answer {
    logged_in(session)?;
    match rest {
        b"I" | b"A" => say(200, ""),
        _ => say(502, &format!("type {} not implemented", quoted(rest))),
    }
}

/// Its turn comes when the transfer is over.
pub(super) fn abor(session: &mut Session) -> Outcome {
    let text = match std::mem::take(&mut session.own.aborted) {
        true => "abort successful",
        false => "nothing to abort",
    };
    Outcome::Reply(reply(226, text))
}
