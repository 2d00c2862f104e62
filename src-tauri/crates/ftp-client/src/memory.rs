use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// What was learned of servers while this program runs. Clones share their memory.
#[derive(Debug, Clone, Default)]
pub struct HostMemory {
    hosts: Arc<Mutex<HashMap<(String, u16), Learned>>>,
}

/// What is known of one host and port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Learned {
    /// Its TLS 1.3 tickets run dry: speak TLS 1.2.
    pub(crate) tls12: bool,
    /// It has no TLS 1.2 either, so there is no point in trying again.
    pub(crate) tls13_only: bool,
    /// EPSV is refused, or leads nowhere.
    pub(crate) no_epsv: bool,
    /// `LIST -a` is taken for a file's name.
    pub(crate) no_list_all: bool,
}

impl HostMemory {
    pub(crate) fn get(&self, host: &str, port: u16) -> Learned {
        self.lock()
            .get(&(host.to_ascii_lowercase(), port))
            .copied()
            .unwrap_or_default()
    }

    pub(crate) fn learn(&self, host: &str, port: u16, change: impl FnOnce(&mut Learned)) {
        change(
            self.lock()
                .entry((host.to_ascii_lowercase(), port))
                .or_default(),
        );
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(String, u16), Learned>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
