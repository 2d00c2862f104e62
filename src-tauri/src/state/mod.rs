//! What the program knows while it runs. Every part has a lock of its own, held for moments only and never
//! while something is awaited.

pub(crate) mod batches;
pub(crate) mod closing;
pub(crate) mod connect;
pub(crate) mod drops;
pub(crate) mod folder;
pub(crate) mod listings;
pub(crate) mod local;
pub(crate) mod log;
pub(crate) mod logins;
pub(crate) mod places;
pub(crate) mod queue;
pub(crate) mod remote;
pub(crate) mod sessions;
pub(crate) mod sharing;
pub(crate) mod watch;

use std::{path::PathBuf, sync::Arc, time::Duration};

use ftp_client::HostMemory;
use tokio::sync::OnceCell;
use vault::{Folders, SecretStore, SettingsFile, Sites, Trusted};

use crate::{
    dto::FolderChanged,
    practice::Practice,
    state::{
        closing::Closing, drops::Drops, folder::Folder, listings::Listings, log::Log,
        places::Places, queue::Queue, sessions::Sessions, sharing::Sharing, watch::Watches,
    },
};

/// How long a person who closed the window is willing to wait for slow servers.
const LEAVING: Duration = Duration::from_secs(3);

/// The journal of the window's own queue; `slip` has another.
const JOURNAL: &str = "window-queue.sqlite";

/// The certificate that this computer's servers show, `slip serve` and the window's shared folders alike: who has trusted
/// it once needn't do so again.
const CERTIFICATE: &str = "serve.pem";

/// Tells the window of a changed folder.
type Teller = Box<dyn Fn(FolderChanged) + Send + Sync>;

/// Everything that the commands share.
pub(crate) struct Shell {
    teller: Teller,
    pub(crate) vault: Vault,
    pub(crate) sessions: Sessions,
    pub(crate) places: Places,
    pub(crate) listings: Listings,
    pub(crate) watches: Watches,
    pub(crate) drops: Drops,
    pub(crate) closing: Closing,
    pub(crate) log: Arc<Log>,
    pub(crate) queue: Arc<Queue>,
    /// Folders that others can reach.
    pub(crate) sharing: Arc<Sharing>,
    /// What was learned of servers, shared by all clients.
    pub(crate) hosts: HostMemory,
    /// The practice site, once it was asked for.
    pub(crate) practice: OnceCell<Practice>,
    /// Started with `--practice`.
    pub(crate) practice_at_start: bool,
}

impl Shell {
    /// A shell that has done nothing yet, but for what the journal says was left to do. Blocks.
    ///
    /// # Panics
    /// Outside of a tokio runtime, which the queue needs.
    pub(crate) fn new(teller: Teller, vault: Vault, practice_at_start: bool) -> Self {
        let log = Arc::<Log>::default();
        let hosts = HostMemory::default();
        let queue = Arc::new(Queue::open(&vault, hosts.clone(), Arc::clone(&log)));
        let sharing = Arc::new(Sharing::new(vault.certificate.clone(), Arc::clone(&log)));
        Self {
            teller,
            vault,
            sessions: Sessions::default(),
            places: Places::new(),
            listings: Listings::default(),
            watches: Watches::default(),
            drops: Drops::default(),
            closing: Closing::default(),
            log,
            queue,
            sharing,
            hosts,
            practice: OnceCell::new(),
            practice_at_start,
        }
    }

    /// Leaves in order: what is half done is kept or tidied up, and the servers hear goodbye. In bounded time.
    pub(crate) async fn leave(&self) {
        let sessions = self.sessions.remove_all();
        let goodbyes =
            futures_util::future::join_all(sessions.iter().map(|session| session.close()));
        let all =
            futures_util::future::join3(self.queue.shutdown(), self.sharing.stop_all(), goodbyes);
        if tokio::time::timeout(LEAVING, all).await.is_err() {
            tracing::warn!(
                "a server did not answer in time; something half done may be left there"
            );
        }
    }

    /// Tells the window that a listing is out of date.
    pub(crate) fn listing_changed(&self, listing: u32) {
        (self.teller)(FolderChanged { listing });
    }

    /// Tells the window that a folder has changed, wherever it shows it.
    pub(crate) fn folder_changed(&self, folder: &Folder) {
        for listing in self.listings.showing(folder) {
            self.listing_changed(listing.id);
        }
    }

    /// The same for a change by a transfer, which a listing that is watched has seen already.
    pub(crate) fn folder_changed_by_transfer(&self, folder: &Folder) {
        for listing in self.listings.showing(folder) {
            if !listing.is_watched() {
                self.listing_changed(listing.id);
            }
        }
    }
}

/// The files of the vault and the keyring. All of them block.
#[derive(Clone)]
pub(crate) struct Vault {
    pub(crate) sites: Sites,
    pub(crate) trusted: Trusted,
    pub(crate) settings: SettingsFile,
    pub(crate) secrets: Arc<dyn SecretStore>,
    /// Where the queue's journal lies.
    pub(crate) journal: PathBuf,
    /// The certificate of shared folders, with its key.
    pub(crate) certificate: PathBuf,
}

impl Vault {
    /// The files in these folders, and a place for secrets.
    pub(crate) fn new(folders: &Folders, secrets: Arc<dyn SecretStore>) -> Self {
        Self {
            sites: Sites::new(folders),
            trusted: Trusted::new(folders),
            settings: SettingsFile::new(folders),
            secrets,
            journal: folders.data().join(JOURNAL),
            certificate: folders.data().join(CERTIFICATE),
        }
    }
}

/// The nine letters of a file's permissions, as `ls` has them.
pub(crate) fn mode_text(mode: u32) -> String {
    let triple = |shift: u32, special: bool, letter: char| {
        let bits = mode >> shift;
        let execute = match (special, bits & 1 != 0) {
            (false, false) => '-',
            (false, true) => 'x',
            (true, true) => letter,
            (true, false) => letter.to_ascii_uppercase(),
        };
        [
            if bits & 4 != 0 { 'r' } else { '-' },
            if bits & 2 != 0 { 'w' } else { '-' },
            execute,
        ]
    };
    [
        triple(6, mode & 0o4000 != 0, 's'),
        triple(3, mode & 0o2000 != 0, 's'),
        triple(0, mode & 0o1000 != 0, 't'),
    ]
    .concat()
    .into_iter()
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_as_ls_shows_them() {
        assert_eq!(mode_text(0o100_644), "rw-r--r--");
        assert_eq!(mode_text(0o755), "rwxr-xr-x");
        assert_eq!(mode_text(0o4755), "rwsr-xr-x");
        assert_eq!(mode_text(0o1777), "rwxrwxrwt");
        assert_eq!(mode_text(0o2640), "rw-r-S---");
    }
}
