//! Folders of this computer that others can reach: one server each, and nothing is open that nobody asked for.

mod address;
mod qr;
mod share;

pub(crate) use address::{networks, wide};

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use ftp_server::{BuildError, Secret, Server, ServerTls, SpeedLimits, User};
use tauri::ipc::Channel;
use tokio::{
    sync::{Notify, OnceCell},
    task::AbortHandle,
    time::Instant,
};
use vfs::LocalDisk;

use self::share::Open;
use super::log::Log;
use crate::{
    dto::{self, LogDirection, QrCode, Reach, ShareEncryption, ShareLimits, ShareRequest},
    error::{AppError, ErrorCode, Result},
};

/// The pause between two looks at what is shared.
const PAUSE: Duration = Duration::from_millis(100);
/// Looks without news until the next event is waited for: a session may be a moment behind its events.
const QUIET_LOOKS: u32 = 3;
/// More folders than anyone keeps an eye on.
const MOST_SHARES: usize = 32;
/// What can be guessed is no password. The window knows this length, too.
const SHORTEST_PASSWORD: usize = 8;
/// In characters.
const LONGEST_USER: usize = 64;
/// What the greeting says. Not the folder's name: everybody hears it, before any password.
const WELCOME: &str = "Slipway: a shared folder";

/// What is shared.
pub(crate) struct Sharing {
    open: Mutex<BTreeMap<u32, Arc<Open>>>,
    last: AtomicU32,
    /// Where the certificate is kept.
    certificate: PathBuf,
    tls: OnceCell<ServerTls>,
    /// What the window sees has changed.
    changed: Arc<Notify>,
    watcher: Mutex<Option<AbortHandle>>,
    log: Arc<Log>,
}

impl Sharing {
    /// Nothing is shared yet; the certificate is made when it is needed first, and kept in this file.
    pub(crate) fn new(certificate: PathBuf, log: Arc<Log>) -> Self {
        Self {
            open: Mutex::default(),
            last: AtomicU32::new(0),
            certificate,
            tls: OnceCell::new(),
            changed: Arc::default(),
            watcher: Mutex::default(),
            log,
        }
    }

    /// Shares a folder as the person decided.
    ///
    /// # Errors
    /// If something of the request can't be used, or nothing can be opened on that address and port.
    pub(crate) async fn start(&self, path: PathBuf, request: ShareRequest) -> Result<dto::Share> {
        let host = host_of(&request.reach)?;
        let user = checked_user(&request.user)?;
        let password = checked_password(&request.password.0)?;
        if self.open().len() >= MOST_SHARES {
            return Err(AppError::unsupported(format!(
                "No more than {MOST_SHARES} folders can be shared at a time."
            )));
        }
        let tls = self.tls().await?;
        let root = path.clone();
        let disk = tokio::task::spawn_blocking(move || LocalDisk::new(root))
            .await?
            .map_err(|error| not_shared(error.to_string()))?;
        let mut account = User::new(&user).password(password);
        if request.read_only {
            account = account.read_only();
        }
        let server = Server::builder()
            .vfs(Arc::new(disk))
            .user(account)
            .tls(tls.clone())
            .require_tls(request.encryption == ShareEncryption::Required)
            .welcome(WELCOME)
            .speed(speed(request.limits))
            .bind((host, request.port))
            .await
            .map_err(|error| not_bound(error, host, request.port))?;
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let open = Arc::new(Open::new(id, path, request, user, &tls, &server));
        self.log.add(
            None,
            LogDirection::Info,
            format!("{} is shared on {}", open.label(), server.local_addr()),
        );
        open.follow(server, Arc::clone(&self.changed), Arc::clone(&self.log));
        let seen = open.look(Instant::now()).0;
        self.open().insert(id, open);
        self.changed.notify_one();
        Ok(seen)
    }

    /// Stops sharing: visitors are told goodbye, and what they still move is given up. One that is not shared any more is
    /// no error.
    pub(crate) async fn stop(&self, id: u32) {
        let gone = self.open().remove(&id);
        self.changed.notify_one();
        if let Some(open) = gone {
            open.stop().await;
            let text = format!("{} is no longer shared", open.label());
            self.log.add(None, LogDirection::Info, text);
        }
    }

    /// Stops all of it.
    pub(crate) async fn stop_all(&self) {
        let all = std::mem::take(&mut *self.open());
        self.changed.notify_one();
        futures_util::future::join_all(all.values().map(|open| open.stop())).await;
    }

    /// Under which id a folder is shared.
    pub(crate) fn id_of(&self, path: &std::path::Path) -> Option<u32> {
        let open = self.open();
        open.values()
            .find(|share| share.path == path)
            .map(|share| share.id)
    }

    /// Limits what visitors take and bring, from now on.
    ///
    /// # Errors
    /// If the folder is not shared any more.
    pub(crate) fn set_limits(&self, id: u32, limits: ShareLimits) -> Result<()> {
        let share = self.get(id)?;
        share.set_limits(limits, speed(limits));
        self.changed.notify_one();
        Ok(())
    }

    /// Ends the session of one visitor, if it is still there.
    ///
    /// # Errors
    /// If the folder is not shared any more.
    pub(crate) fn kick(&self, id: u32, visitor: u32) -> Result<()> {
        self.get(id)?.kick(visitor);
        self.changed.notify_one();
        Ok(())
    }

    /// The address as a QR code, for the camera of a telephone.
    ///
    /// # Errors
    /// If the folder is not shared any more.
    pub(crate) fn qr(&self, id: u32, with_password: bool) -> Result<QrCode> {
        let share = self.get(id)?;
        let text = share.url(with_password);
        let (size, path) = qr::draw(&text)
            .ok_or_else(|| AppError::unsupported("The address is too long for a QR code."))?;
        Ok(QrCode {
            size,
            path,
            text: (!with_password).then_some(text),
        })
    }

    /// Visitors that are taking or bringing a file at this moment.
    pub(crate) fn serving(&self) -> u32 {
        self.open().values().map(|share| share.serving()).sum()
    }

    /// Sends what is shared to the window, and again whenever something changes, at most ten times a second; the window
    /// before it gets no more.
    pub(crate) fn watch(self: &Arc<Self>, channel: Channel<Vec<dto::Share>>) {
        let this = Arc::clone(self);
        let task = tokio::spawn(async move {
            if let Err(error) = this.send_updates(&channel).await {
                tracing::debug!(%error, "the window does not take what is shared any more");
            }
        });
        let mut watcher = self.watcher.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(previous) = watcher.replace(task.abort_handle()) {
            previous.abort();
        }
    }

    async fn send_updates(&self, channel: &Channel<Vec<dto::Share>>) -> tauri::Result<()> {
        let mut sent = None;
        let mut quiet = 0;
        loop {
            let (shares, moving) = self.list(Instant::now());
            if sent.as_ref() == Some(&shares) {
                quiet += 1;
            } else {
                quiet = 0;
                channel.send(shares.clone())?;
                sent = Some(shares);
            }
            tokio::time::sleep(PAUSE).await;
            if quiet >= QUIET_LOOKS && !moving {
                self.changed.notified().await;
                quiet = 0;
            }
        }
    }

    /// All that is shared, and whether something moves.
    fn list(&self, now: Instant) -> (Vec<dto::Share>, bool) {
        let open: Vec<Arc<Open>> = self.open().values().cloned().collect();
        let mut moving = false;
        let shares = open
            .iter()
            .map(|share| {
                let (seen, moves) = share.look(now);
                moving |= moves;
                seen
            })
            .collect();
        (shares, moving)
    }

    /// The certificate of all shares.
    async fn tls(&self) -> Result<ServerTls> {
        let made = self.tls.get_or_try_init(async || {
            let file = self.certificate.clone();
            tokio::task::spawn_blocking(move || {
                if let Some(folder) = file.parent() {
                    std::fs::create_dir_all(folder)?;
                }
                ServerTls::kept(&file, &["slipway", "localhost"])
                    .map_err(|error| not_shared(error.to_string()))
            })
            .await?
        });
        made.await.cloned()
    }

    fn get(&self, id: u32) -> Result<Arc<Open>> {
        self.open().get(&id).cloned().ok_or_else(|| {
            AppError::new(
                ErrorCode::StaleListing,
                "This folder is not shared any more.",
            )
        })
    }

    fn open(&self) -> MutexGuard<'_, BTreeMap<u32, Arc<Open>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The address to listen on.
///
/// # Errors
/// For a network's address that is none: all addresses at once are asked for by that name alone.
fn host_of(reach: &Reach) -> Result<IpAddr> {
    match reach {
        Reach::ThisComputer => Ok(Ipv4Addr::LOCALHOST.into()),
        Reach::Everywhere => Ok(Ipv4Addr::UNSPECIFIED.into()),
        Reach::Network { address } => address
            .parse()
            .ok()
            .filter(|ip: &IpAddr| !ip.is_unspecified() && !ip.is_loopback() && !ip.is_multicast())
            .ok_or_else(|| AppError::argument("This is no address of this computer.")),
    }
}

fn checked_user(text: &str) -> Result<String> {
    let user = text.trim();
    if user.is_empty() || user.chars().count() > LONGEST_USER || user.chars().any(char::is_control)
    {
        return Err(AppError::argument(format!(
            "A user is a name of up to {LONGEST_USER} characters."
        )));
    }
    Ok(user.to_owned())
}

fn checked_password(text: &str) -> Result<Secret> {
    if text.chars().count() < SHORTEST_PASSWORD {
        return Err(AppError::argument(format!(
            "The password must have at least {SHORTEST_PASSWORD} characters."
        )));
    }
    if text.chars().any(char::is_control) {
        return Err(AppError::argument("The password must be one line."));
    }
    Ok(Secret::try_from(text)?)
}

fn speed(limits: ShareLimits) -> SpeedLimits {
    let rate = |limit: Option<dto::Rate>| limit.and_then(|rate| rate.get().try_into().ok());
    SpeedLimits {
        download: rate(limits.download),
        upload: rate(limits.upload),
    }
}

fn not_shared(detail: String) -> AppError {
    AppError::new(ErrorCode::Local, "The folder can't be shared.").with_detail(detail)
}

fn not_bound(error: BuildError, host: IpAddr, port: u16) -> AppError {
    let message = match &error {
        BuildError::Bind(error) => match error.kind() {
            io::ErrorKind::AddrInUse => format!("Another program uses port {port} already."),
            io::ErrorKind::PermissionDenied => {
                format!("This computer does not allow port {port}; most above 1024 are allowed.")
            }
            io::ErrorKind::AddrNotAvailable => {
                format!("This computer does not have the address {host} any more.")
            }
            _ => return not_shared(error.to_string()),
        },
        _ => return not_shared(error.to_string()),
    };
    AppError::new(ErrorCode::Local, message)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn all_addresses_are_never_opened_in_passing() {
        let network = |address: &str| {
            host_of(&Reach::Network {
                address: address.to_owned(),
            })
        };
        assert_eq!(
            network("192.168.1.5").unwrap(),
            IpAddr::from([192, 168, 1, 5])
        );
        for bad in ["0.0.0.0", "::", "127.0.0.1", "224.0.0.1", "host", "", "*"] {
            assert_eq!(
                network(bad).unwrap_err().code,
                ErrorCode::Argument,
                "{bad:?}"
            );
        }
        assert!(host_of(&Reach::ThisComputer).unwrap().is_loopback());
        assert!(host_of(&Reach::Everywhere).unwrap().is_unspecified());
    }

    #[test]
    fn a_user_and_a_password_are_one_line_and_not_too_short() {
        assert_eq!(checked_user(" ann ").unwrap(), "ann");
        for bad in ["", "  ", "a\nb", "a\0", &"x".repeat(65)] {
            assert!(checked_user(bad).is_err(), "{bad:?}");
        }
        assert!(checked_password("12345678").is_ok());
        for bad in ["", "1234567", "1234567\r\n8", "12345\u{0}6789"] {
            assert!(checked_password(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_port_that_is_taken_is_named() {
        let error = |kind: io::ErrorKind| {
            not_bound(
                BuildError::Bind(kind.into()),
                Ipv4Addr::LOCALHOST.into(),
                2121,
            )
        };
        assert!(error(io::ErrorKind::AddrInUse).message.contains("2121"));
        assert!(
            error(io::ErrorKind::PermissionDenied)
                .message
                .contains("2121")
        );
        assert!(
            error(io::ErrorKind::AddrNotAvailable)
                .message
                .contains("127.0.0.1")
        );
        assert!(error(io::ErrorKind::Other).detail.is_some());
    }
}
