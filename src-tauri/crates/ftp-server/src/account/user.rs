//! One user, as the builder takes it.

use std::fmt;
use std::sync::Arc;

use ftp_proto::Secret;
use vfs::{Guarded, Permission, ReadOnly, Subtree, VPath, Vfs};

use super::Account;
use crate::limits::AccountLimits;

/// One user of [`ServerBuilder::user`](crate::ServerBuilder::user).
#[derive(Clone)]
pub struct User {
    /// None: every name that no other user has.
    pub(super) name: Option<Vec<u8>>,
    pub(super) password: Option<Secret>,
    vfs: Option<Arc<dyn Vfs>>,
    base: VPath,
    home: VPath,
    permissions: Vec<Permission>,
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
            base: VPath::root(),
            home: VPath::root(),
            permissions: Vec::new(),
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

    /// The directory of the tree that is this user's root. Nothing leads above it, links neither ([`Subtree`]).
    #[must_use]
    pub fn base(mut self, base: VPath) -> Self {
        self.base = base;
        self
    }

    /// Where sessions of this user start, seen from the base.
    #[must_use]
    pub fn home(mut self, home: VPath) -> Self {
        self.home = home;
        self
    }

    /// What this user may do at a path, seen from the base, and below it. The nearest permission counts ([`Guarded`]); where there is none, everything is
    /// allowed.
    #[must_use]
    pub fn permission(mut self, permission: Permission) -> Self {
        self.permissions.push(permission);
        self
    }

    /// Several permissions.
    #[must_use]
    pub fn permissions(mut self, permissions: impl IntoIterator<Item = Permission>) -> Self {
        self.permissions.extend(permissions);
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

    /// The account of this user; none without any tree.
    pub(super) fn account(&self, common: Option<&Arc<dyn Vfs>>) -> Option<Account> {
        let mut vfs = Arc::clone(self.vfs.as_ref().or(common)?);
        if !self.base.is_root() {
            vfs = Arc::new(Subtree::new(vfs, self.base.clone()));
        }
        if !self.permissions.is_empty() {
            vfs = Arc::new(Guarded::new(vfs, self.permissions.iter().cloned()));
        }
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
            .field("base", &self.base)
            .field("home", &self.home)
            .field("permissions", &self.permissions)
            .field("read_only", &self.read_only)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
