//! One user, as the builder takes it.

use std::fmt;
use std::sync::Arc;

use ftp_proto::Secret;
use vfs::{ReadOnly, VPath, Vfs};

use super::Account;
use crate::limits::AccountLimits;

/// One user of [`ServerBuilder::user`](crate::ServerBuilder::user).
#[derive(Clone)]
pub struct User {
    /// None: every name that no other user has.
    pub(super) name: Option<Vec<u8>>,
    pub(super) password: Option<Secret>,
    vfs: Option<Arc<dyn Vfs>>,
    home: VPath,
    read_only: bool,
    limits: AccountLimits,
}

impl User {
    /// A user without a password (logged in by USER alone), who sees the server's tree.
    pub fn new(name: impl AsRef<[u8]>) -> Self {
        Self::named(Some(name.as_ref().to_vec()))
    }

    /// A user who takes every name that no other user has. Where there are several, the first counts. All who come by it are one user: they
    /// share its limits.
    pub fn everybody() -> Self {
        Self::named(None)
    }

    fn named(name: Option<Vec<u8>>) -> Self {
        Self {
            name,
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

    /// The account of this user; none without any tree.
    pub(super) fn account(&self, common: Option<&Arc<dyn Vfs>>) -> Option<Account> {
        let mut vfs = Arc::clone(self.vfs.as_ref().or(common)?);
        if self.read_only {
            vfs = Arc::new(ReadOnly(vfs));
        }
        Some(Account {
            name: self.name.clone().unwrap_or_default(),
            vfs,
            home: self.home.clone(),
            limits: self.limits,
        })
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name.as_ref().map(|n| n.escape_ascii().to_string());
        f.debug_struct("User")
            .field("name", &name)
            .field("password", &self.password)
            .field("home", &self.home)
            .field("read_only", &self.read_only)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
