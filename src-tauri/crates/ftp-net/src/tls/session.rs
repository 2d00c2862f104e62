use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use rustls::{
    NamedGroup,
    client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue},
};
use rustls_pki_types::ServerName;

/// More tickets than this a server can't make us keep; the oldest go first.
const MOST_TICKETS: usize = 32;

/// The sessions of one control connection and its data connections.
///
/// rustls keys its own store by server name alone, so two control connections to one host would take
/// each other's tickets, and ProFTPD refuses a ticket of another control connection. The name is
/// not looked at here: everything in one store belongs to one server.
#[derive(Debug, Default)]
pub(super) struct SessionStore {
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    group: Option<NamedGroup>,
    tls12: Option<Tls12ClientSessionValue>,
    tickets: VecDeque<Tls13ClientSessionValue>,
    seen: u64,
}

impl SessionStore {
    /// TLS 1.3 tickets at hand; each serves one connection.
    pub(super) fn tickets(&self) -> usize {
        self.with(|held| held.tickets.len())
    }

    /// TLS 1.3 tickets received so far, used ones included.
    pub(super) fn tickets_seen(&self) -> u64 {
        self.with(|held| held.seen)
    }

    /// True where the next connection can resume.
    pub(super) fn can_resume(&self) -> bool {
        self.with(|held| !held.tickets.is_empty() || held.tls12.is_some())
    }

    fn with<T>(&self, act: impl FnOnce(&mut Held) -> T) -> T {
        act(&mut self.held.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ClientSessionStore for SessionStore {
    fn set_kx_hint(&self, _: ServerName<'static>, group: NamedGroup) {
        self.with(|held| held.group = Some(group));
    }

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        self.with(|held| held.group)
    }

    fn set_tls12_session(&self, _: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.with(|held| held.tls12 = Some(value));
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.with(|held| held.tls12.clone())
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        self.with(|held| held.tls12 = None);
    }

    fn insert_tls13_ticket(&self, _: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.with(|held| {
            held.seen += 1;
            if held.tickets.len() == MOST_TICKETS {
                held.tickets.pop_front();
            }
            held.tickets.push_back(value);
        });
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.with(|held| held.tickets.pop_back())
    }
}
