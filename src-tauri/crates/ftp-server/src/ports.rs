//! Where passive data connections are listened for.

use std::io;
use std::net::SocketAddr;
use std::ops::RangeInclusive;

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

use tokio::net::TcpListener;

/// Ports for passive data connections. Each belongs to one session from PASV or EPSV to the transfer, or until the session
/// has left it unused for too long ([`Limits::data_wait`](crate::Limits::data_wait)); then others get it again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum DataPorts {
    /// The system chooses a free one.
    #[default]
    Any,
    /// One of a range, for a firewall that lets these in. Chosen at random, so that the next can't be guessed from the last.
    Range(RangeInclusive<u16>),
    /// One of these, chosen at random; 0 among them stands for any. An empty list leaves no passive data connections at all.
    List(Vec<u16>),
}

impl From<RangeInclusive<u16>> for DataPorts {
    fn from(ports: RangeInclusive<u16>) -> Self {
        Self::Range(ports)
    }
}

impl From<Vec<u16>> for DataPorts {
    fn from(ports: Vec<u16>) -> Self {
        Self::List(ports)
    }
}

impl DataPorts {
    fn len(&self) -> usize {
        match self {
            Self::Any => 1,
            Self::Range(range) => range.len(),
            Self::List(list) => list.len(),
        }
    }

    fn get(&self, at: usize) -> u16 {
        match self {
            Self::Any => 0,
            Self::Range(range) => range.clone().nth(at).unwrap_or(*range.end()),
            Self::List(list) => list.get(at).copied().unwrap_or(0),
        }
    }

    /// Listens beside the control connection, whose own end is `local`.
    ///
    /// # Errors
    /// No port is free (`AddrInUse`), or the system refuses.
    pub(crate) async fn listen(&self, local: SocketAddr) -> io::Result<TcpListener> {
        let count = self.len();
        let mut last = io::Error::from(io::ErrorKind::AddrInUse);
        if count == 0 {
            return Err(last);
        }
        let start = usize::try_from(random() % count as u64).unwrap_or(0);
        for step in 0..count {
            let mut address = local;
            address.set_port(self.get((start + step) % count));
            match TcpListener::bind(address).await {
                Ok(listener) => return Ok(listener),
                Err(error) => last = error,
            }
            // A large range that is all taken must not hold up everybody.
            if step % 64 == 63 {
                tokio::task::yield_now().await;
            }
        }
        Err(last)
    }
}

/// Nothing that a client could foresee.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn home() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 2121))
    }

    /// Three ports that were free a moment ago.
    async fn free() -> Vec<u16> {
        let mut held = Vec::new();
        for _ in 0..3 {
            held.push(DataPorts::Any.listen(home()).await.unwrap());
        }
        held.iter()
            .map(|l| l.local_addr().unwrap().port())
            .collect()
    }

    #[tokio::test]
    async fn a_list_is_used_up_and_ports_come_back() {
        let ports = free().await;
        let list = DataPorts::from(ports.clone());
        let mut held = Vec::new();
        for _ in 0..3 {
            held.push(list.listen(home()).await.unwrap());
        }
        let used: HashSet<u16> = held
            .iter()
            .map(|l| l.local_addr().unwrap().port())
            .collect();
        assert_eq!(used, ports.iter().copied().collect());
        let error = list.listen(home()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        let back = held.pop().unwrap();
        let port = back.local_addr().unwrap().port();
        drop(back);
        let again = list.listen(home()).await.unwrap();
        assert_eq!(again.local_addr().unwrap().port(), port);
        drop(again);
        // Somebody else on this machine has one of them.
        let range = DataPorts::from(port..=port);
        let _other = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
        assert!(range.listen(home()).await.is_err());
    }

    #[tokio::test]
    async fn an_empty_list_has_none() {
        assert!(DataPorts::from(Vec::new()).listen(home()).await.is_err());
    }

    #[tokio::test]
    async fn the_next_port_of_a_range_is_no_function_of_the_last() {
        let range = DataPorts::from(40_000..=59_999);
        let mut steps = HashSet::new();
        let mut last = 0;
        for _ in 0..16 {
            let port = range.listen(home()).await.unwrap();
            let port = i32::from(port.local_addr().unwrap().port());
            steps.insert(port - last);
            last = port;
        }
        assert!(steps.len() > 8, "{steps:?}");
    }
}
