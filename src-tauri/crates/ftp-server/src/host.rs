//! Virtual hosts: several servers behind one address (RFC 7151).

use std::sync::Arc;

use ftp_net::tls::ServerTls;
use vfs::Vfs;

use crate::account::{Accounts, User, Users};
use crate::builder::BuildError;

/// A host of [`ServerBuilder::host`](crate::ServerBuilder::host): what it doesn't have of its own is the server's.
pub struct VirtualHost {
    name: String,
    users: Vec<User>,
    accounts: Option<Arc<dyn Accounts>>,
    vfs: Option<Arc<dyn Vfs>>,
    tls: Option<ServerTls>,
    welcome: Option<String>,
}

impl VirtualHost {
    /// A host of this name, such as `ftp.example.com`. Clients may write it in any case.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            users: Vec::new(),
            accounts: None,
            vfs: None,
            tls: None,
            welcome: None,
        }
    }

    /// Adds a user; then only this host's own users can log in here.
    #[must_use]
    pub fn user(mut self, user: User) -> Self {
        self.users.push(user);
        self
    }

    /// Decides about logins in place of [`user`](Self::user).
    #[must_use]
    pub fn accounts(mut self, accounts: Arc<dyn Accounts>) -> Self {
        self.accounts = Some(accounts);
        self
    }

    /// The tree of this host's users that have none of their own.
    #[must_use]
    pub fn vfs(mut self, vfs: Arc<dyn Vfs>) -> Self {
        self.vfs = Some(vfs);
        self
    }

    /// The certificate for clients that ask for this host in the handshake, or before it.
    #[must_use]
    pub fn tls(mut self, tls: ServerTls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// The text of the reply to HOST, one line.
    #[must_use]
    pub fn welcome(mut self, text: impl Into<String>) -> Self {
        self.welcome = Some(text.into());
        self
    }

    pub(crate) fn check(
        self,
        common: Option<&Arc<dyn Vfs>>,
        has_tls: bool,
    ) -> Result<Arc<Host>, BuildError> {
        let fits = |b: u8| {
            b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']')
        };
        if self.name.is_empty()
            || self.name.len() > 255
            || !self.name.bytes().all(fits)
            || self.tls.is_some() && !has_tls
        {
            return Err(BuildError::Host(self.name));
        }
        let welcome = self.welcome.unwrap_or_else(|| self.name.clone());
        if welcome.chars().any(char::is_control) {
            return Err(BuildError::Welcome);
        }
        let vfs = self.vfs.as_ref().or(common);
        let accounts = match self.accounts {
            Some(accounts) => Some(accounts),
            None if self.users.is_empty() => None,
            None => Some(Arc::new(Users::new(self.users, None, vfs)?) as Arc<dyn Accounts>),
        };
        Ok(Arc::new(Host {
            name: self.name,
            accounts,
            tls: self.tls,
            welcome,
        }))
    }
}

/// A virtual host, checked.
pub(crate) struct Host {
    pub(crate) name: String,
    pub(crate) accounts: Option<Arc<dyn Accounts>>,
    pub(crate) tls: Option<ServerTls>,
    pub(crate) welcome: String,
}
