//! Who may log in, and what each sees.

mod file;
mod user;
mod users;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use ftp_proto::Secret;
use vfs::{VPath, Vfs};

use crate::limits::AccountLimits;

pub use file::{PasswordHash, StoredUser, UserList, UsersFile, UsersFileError};
pub use user::User;
pub use users::Users;

/// What a login gives: a tree, and where in it the session starts.
#[derive(Clone)]
#[non_exhaustive]
pub struct Account {
    /// Whose it is. All sessions whose accounts have the same name share the limits of the account. It may be another name than the one that
    /// was said: a user who takes every name has one account for all of them, by the name of nothing.
    pub name: Vec<u8>,
    /// The files.
    pub vfs: Arc<dyn Vfs>,
    /// The first working directory. Where it doesn't exist, the session starts at the root.
    pub home: VPath,
    /// What this user may have of the server.
    pub limits: AccountLimits,
}

impl Account {
    /// An account of this name and with this tree, whose sessions start at its root, and without limits.
    pub fn new(name: impl AsRef<[u8]>, vfs: Arc<dyn Vfs>) -> Self {
        Self {
            name: name.as_ref().to_vec(),
            vfs,
            home: VPath::root(),
            limits: AccountLimits::default(),
        }
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("name", &self.name.escape_ascii().to_string())
            .field("home", &self.home)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// The answer to a login.
#[derive(Clone, Debug)]
pub enum Authentication {
    /// Welcome.
    Accepted(Account),
    /// Not with this password, or not without one. The same for a name that nobody has.
    Refused,
    /// Right, but not now: too many sessions of this user, or the place to ask can't be reached.
    Busy,
}

/// Who has a name; see [`Accounts::look_up`].
#[derive(Clone, Debug)]
pub enum LookUp {
    /// That is nobody's business.
    Untold,
    /// Nobody has it.
    Nobody,
    /// This account, if the password is right.
    Somebody(Account),
}

/// Decides about logins. [`Users`] is the one in memory, [`UsersFile`] one in a file; a database or a directory service can be another.
///
/// ```
/// use std::sync::Arc;
/// use ftp_server::{Account, Accounts, Authentication, Secret, async_trait, vfs::Vfs};
///
/// /// Everybody whose password is the name twice.
/// struct Twice(Arc<dyn Vfs>);
///
/// #[async_trait]
/// impl Accounts for Twice {
///     async fn authenticate(&self, name: &[u8], password: Option<&Secret>) -> Authentication {
///         match password {
///             Some(password) if password.expose() == [name, name].concat() => {
///                 Authentication::Accepted(Account::new(name, Arc::clone(&self.0)))
///             }
///             _ => Authentication::Refused,
///         }
///     }
/// }
/// ```
#[async_trait]
pub trait Accounts: Send + Sync + 'static {
    /// Asked at USER with no password (accepted: 230, everything else: 331, so that names can't be guessed), and at PASS
    /// with one.
    async fn authenticate(&self, name: &[u8], password: Option<&Secret>) -> Authentication;

    /// Who has a name, asked without a password and only by [`Profile::Aioftp`](crate::Profile::Aioftp), which tells strangers. Untold
    /// by default.
    async fn look_up(&self, name: &[u8]) -> LookUp {
        let _ = name;
        LookUp::Untold
    }

    /// A session of the account of this name ([`Account::name`]) is over: by QUIT, REIN, another USER, or because its connection is
    /// gone. Told once for each login that was accepted, in a task of its own that the session doesn't wait for.
    async fn logged_out(&self, name: &[u8]) {
        let _ = name;
    }
}

/// One login that was accepted; tells of its end when it is dropped, whatever ends it.
pub(crate) struct Login {
    accounts: Arc<dyn Accounts>,
    name: Vec<u8>,
}

impl Login {
    pub(crate) fn new(accounts: Arc<dyn Accounts>, account: &Account) -> Self {
        Self {
            accounts,
            name: account.name.clone(),
        }
    }
}

impl Drop for Login {
    fn drop(&mut self) {
        // Without a runtime there is nobody left to tell, either.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let accounts = Arc::clone(&self.accounts);
            let name = std::mem::take(&mut self.name);
            runtime.spawn(async move { accounts.logged_out(&name).await });
        }
    }
}
