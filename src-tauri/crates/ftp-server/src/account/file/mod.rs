//! Users of a file: `slip user` writes it, people may.

mod hash;
mod list;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use ftp_proto::Secret;
use tokio::sync::Semaphore;
use vfs::Vfs;

use super::{Account, Accounts, Authentication};

pub use hash::PasswordHash;
pub use list::{StoredUser, UserList};

/// Passwords checked at a time, at most: each takes 19 MiB and a core.
const MOST_CHECKS: usize = 4;

/// How long a login waits for its turn. Then it is told to come again.
const TURN: Duration = Duration::from_secs(10);

/// What is wrong with a file of users.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UsersFileError {
    /// The system doesn't let it be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is longer than 16 MiB.
    #[error("the file of users is too long")]
    TooLong,
    /// It isn't JSON, a key is missing, or one is unknown; which one is said.
    #[error("the file of users is malformed: {0}")]
    Malformed(String),
    /// It was written for another version of this program.
    #[error("the file of users has version {0}; version 1 is known here")]
    Version(u64),
    /// Something is wrong with one user.
    #[error("user {user}: {what}")]
    User {
        /// The name, control characters and odd bytes escaped.
        user: String,
        /// What is wrong.
        what: String,
    },
    /// A password can't be hashed, or there is no randomness.
    #[error("can't hash: {0}")]
    Hashing(String),
}

impl UsersFileError {
    fn io(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        Self::Io { path, source }
    }
}

/// The users of a file, with hashed passwords.
///
/// The file is JSON; see docs/slip.md. It is looked at for each login and read again when it has changed. One that has become unreadable or wrong counts
/// as unchanged, and a warning says so: nobody is locked out by half an edit. A name that nobody has takes as long as a wrong password.
///
/// Passwords are checked on threads of their own, at most as many at a time as there are processors, and never more than four.
#[derive(Clone)]
pub struct UsersFile {
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    tree: Arc<dyn Vfs>,
    known: Mutex<Known>,
    checks: Arc<Semaphore>,
}

/// What was read, and of which file.
struct Known {
    stamp: Option<Stamp>,
    users: Arc<Loaded>,
}

#[derive(Default)]
struct Loaded {
    named: Vec<(Vec<u8>, Option<PasswordHash>, Account)>,
    everybody: Option<(Option<PasswordHash>, Account)>,
    /// Checked for names that nobody has.
    nobodys: Option<PasswordHash>,
}

/// Tells one state of a file from the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    len: u64,
    /// Device, inode and time of change: a file that was replaced, or written twice within the clock's grain, is another one.
    system: (u64, u64, i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> io::Result<Self> {
        let facts = std::fs::metadata(path)?;
        #[cfg(unix)]
        let system = {
            use std::os::unix::fs::MetadataExt as _;
            (facts.dev(), facts.ino(), facts.ctime(), facts.ctime_nsec())
        };
        #[cfg(not(unix))]
        let system = (0, 0, 0, 0);
        Ok(Self {
            modified: facts.modified().ok(),
            len: facts.len(),
            system,
        })
    }
}

impl UsersFile {
    /// Reads the file. Its users see `tree`, or the part of it that their base is. Blocks.
    ///
    /// # Errors
    /// As [`UserList::read`].
    pub fn open(path: impl Into<PathBuf>, tree: Arc<dyn Vfs>) -> Result<Self, UsersFileError> {
        let path = path.into();
        // Before it is read: what changes meanwhile is read again.
        let stamp = Stamp::of(&path).ok();
        let users = Arc::new(Loaded::new(&UserList::read(&path)?, &tree)?);
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            shared: Arc::new(Shared {
                path,
                tree,
                known: Mutex::new(Known { stamp, users }),
                checks: Arc::new(Semaphore::new(processors.min(MOST_CHECKS))),
            }),
        })
    }

    /// The users as the file has them now.
    async fn now(&self) -> Arc<Loaded> {
        let shared = Arc::clone(&self.shared);
        let read = tokio::task::spawn_blocking(move || shared.refresh()).await;
        read.unwrap_or_default()
    }
}

impl Shared {
    fn refresh(&self) -> Arc<Loaded> {
        // Held while the file is read: several logins at once read it once.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = Stamp::of(&self.path);
        let unchanged = stamp.as_ref().ok() == known.stamp.as_ref();
        if unchanged {
            return Arc::clone(&known.users);
        }
        known.stamp = stamp.ok();
        let read = UserList::read(&self.path).and_then(|list| Loaded::new(&list, &self.tree));
        match read {
            Ok(users) => {
                tracing::info!(path = %self.path.display(), "users read again");
                known.users = Arc::new(users);
            }
            Err(error) => {
                tracing::warn!(%error, "the users of before stay");
            }
        }
        Arc::clone(&known.users)
    }
}

impl Loaded {
    fn new(list: &UserList, tree: &Arc<dyn Vfs>) -> Result<Self, UsersFileError> {
        let mut all = Self::default();
        for user in list.users() {
            let Some(account) = user.to_user().account(Some(tree)) else {
                continue;
            };
            let password = user.password.clone();
            if all.nobodys.is_none() {
                all.nobodys = password.as_ref().map(PasswordHash::like);
            }
            match &user.name {
                Some(name) => all
                    .named
                    .push((name.clone().into_bytes(), password, account)),
                None => all.everybody = Some((password, account)),
            }
        }
        Ok(all)
    }

    fn find(&self, name: &[u8]) -> Option<(Option<&PasswordHash>, &Account)> {
        let named = self.named.iter().find(|(n, _, _)| n == name);
        match (named, &self.everybody) {
            (Some((_, hash, account)), _) | (None, Some((hash, account))) => {
                Some((hash.as_ref(), account))
            }
            (None, None) => None,
        }
    }
}

#[async_trait]
impl Accounts for UsersFile {
    async fn authenticate(&self, name: &[u8], password: Option<&Secret>) -> Authentication {
        let users = self.now().await;
        let found = users.find(name);
        if let Some((None, account)) = found {
            return Authentication::Accepted(account.clone());
        }
        let Some(password) = password.cloned() else {
            return Authentication::Refused;
        };
        let hash = match found {
            Some((hash, _)) => hash,
            None => users.nobodys.as_ref(),
        };
        let Some(hash) = hash.cloned() else {
            return Authentication::Refused;
        };
        let turn = Arc::clone(&self.shared.checks).acquire_owned();
        let Ok(Ok(turn)) = tokio::time::timeout(TURN, turn).await else {
            return Authentication::Busy;
        };
        let check = move || {
            let right = hash.is_of(&password);
            // Only now: a client that has gone away meanwhile makes no room for another check.
            drop(turn);
            right
        };
        let right = tokio::task::spawn_blocking(check).await;
        match (right, found) {
            (Ok(true), Some((_, account))) => Authentication::Accepted(account.clone()),
            (Ok(_), _) => Authentication::Refused,
            (Err(_), _) => Authentication::Busy,
        }
    }
}

impl fmt::Debug for UsersFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UsersFile")
            .field("path", &self.shared.path)
            .finish_non_exhaustive()
    }
}
