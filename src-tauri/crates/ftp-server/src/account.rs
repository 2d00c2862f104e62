//! Who may log in, and what each sees.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use ftp_proto::Secret;
use vfs::{ReadOnly, VPath, Vfs};

use crate::limits::AccountLimits;

/// What a login gives: a tree, and where in it the session starts.
#[derive(Clone)]
pub struct Account {
    /// The files.
    pub vfs: Arc<dyn Vfs>,
    /// The first working directory. Where it doesn't exist, the session starts at the root.
    pub home: VPath,
    /// What this user may have of the server.
    pub limits: AccountLimits,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("home", &self.home)
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

/// Decides about logins. [`Users`] is the one in memory; a database or a directory service can be another.
#[async_trait]
pub trait Accounts: Send + Sync + 'static {
    /// Asked at USER with no password (accepted: 230, everything else: 331, so that names can't be guessed), and at PASS
    /// with one.
    async fn authenticate(&self, name: &[u8], password: Option<&Secret>) -> Authentication;
}

/// One user of [`ServerBuilder::user`](crate::ServerBuilder::user).
#[derive(Clone)]
pub struct User {
    name: Vec<u8>,
    password: Option<Secret>,
    vfs: Option<Arc<dyn Vfs>>,
    home: VPath,
    read_only: bool,
    limits: AccountLimits,
}

impl User {
    /// A user without a password (logged in by USER alone), who sees the server's tree.
    pub fn new(name: impl AsRef<[u8]>) -> Self {
        Self {
            name: name.as_ref().to_vec(),
            password: None,
            vfs: None,
            home: VPath::root(),
            read_only: false,
            limits: AccountLimits::default(),
        }
    }

    /// Asks for this password.
    #[must_use]
    pub fn password(mut self, password: Secret) -> Self {
        self.password = Some(password);
        self
    }

    /// A tree of this user's own.
    #[must_use]
    pub fn vfs(mut self, vfs: Arc<dyn Vfs>) -> Self {
        self.vfs = Some(vfs);
        self
    }

    /// Where sessions of this user start.
    #[must_use]
    pub fn home(mut self, home: VPath) -> Self {
        self.home = home;
        self
    }

    /// Lets this user change nothing.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// What sessions of this user may have of the server.
    #[must_use]
    pub fn limits(mut self, limits: AccountLimits) -> Self {
        self.limits = limits;
        self
    }

    pub(crate) fn has_tree(&self) -> bool {
        self.vfs.is_some()
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("name", &self.name.escape_ascii().to_string())
            .field("password", &self.password)
            .field("read_only", &self.read_only)
            .finish_non_exhaustive()
    }
}

/// Users in memory.
#[derive(Debug, Default)]
pub struct Users {
    named: Vec<(Vec<u8>, Option<Secret>, Account)>,
    anonymous: Option<Account>,
}

impl Users {
    pub(crate) fn new(
        users: Vec<User>,
        anonymous: Option<User>,
        common: Option<&Arc<dyn Vfs>>,
    ) -> Self {
        let account = |user: User| {
            let vfs = user.vfs.as_ref().or(common)?;
            let vfs: Arc<dyn Vfs> = if user.read_only {
                Arc::new(ReadOnly(Arc::clone(vfs)))
            } else {
                Arc::clone(vfs)
            };
            let account = Account {
                vfs,
                home: user.home,
                limits: user.limits,
            };
            Some((user.name, user.password, account))
        };
        Self {
            named: users.into_iter().filter_map(account).collect(),
            anonymous: anonymous.and_then(account).map(|(_, _, account)| account),
        }
    }
}

#[async_trait]
impl Accounts for Users {
    async fn authenticate(&self, name: &[u8], password: Option<&Secret>) -> Authentication {
        let named = self.named.iter().find(|(n, _, _)| n == name);
        match (named, password) {
            (Some((_, None, account)), _) => Authentication::Accepted(account.clone()),
            (Some((_, Some(right), account)), Some(given))
                if same(right.expose(), given.expose()) =>
            {
                Authentication::Accepted(account.clone())
            }
            // Anonymous users are asked for their address by custom, and any word will do.
            (None, Some(_)) if is_anonymous(name) => match &self.anonymous {
                Some(account) => Authentication::Accepted(account.clone()),
                None => Authentication::Refused,
            },
            _ => Authentication::Refused,
        }
    }
}

fn is_anonymous(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"anonymous") || name.eq_ignore_ascii_case(b"ftp")
}

/// Compares in a time that depends on the length alone.
fn same(a: &[u8], b: &[u8]) -> bool {
    let differing = a.iter().zip(b).fold(0, |sum, (x, y)| sum | (x ^ y));
    a.len() == b.len() && differing == 0
}
