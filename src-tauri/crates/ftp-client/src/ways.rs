//! How data connections come about: what may be chosen, and what came of it.

use std::{fmt, net::IpAddr, ops::RangeInclusive, time::Duration};

use crate::Compression;

/// What a session may do to get a data connection, beyond who opens it ([`DataMode`](crate::DataMode)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataOptions {
    /// In active mode: the ports to wait at, where a router or firewall lets only these through; `None` is any port.
    pub active_ports: Option<RangeInclusive<u16>>,
    /// In active mode: the address that the server is told, where it sees us under another one than this computer has: that of the router.
    /// `None`: the control connection's own.
    pub active_address: Option<IpAddr>,
    /// In passive mode: the commands that are tried, in this order. An empty list is an error of every transfer.
    pub passive_commands: Vec<PassiveCommand>,
    /// Say `EPSV ALL` before the first data connection (RFC 2428 section 4), so that a router may stop rewriting addresses. From then on
    /// nothing but EPSV is used in this session. Servers that don't know it are used as ever.
    pub epsv_all: bool,
    /// Where no data connection comes about in the chosen mode, try the other one: passive after active, active after passive.
    pub fallback: bool,
    /// What is compressed on its way, where the server has MODE Z.
    pub compression: Compression,
    /// While a server has said that it is done and its last bytes are still being read here: how often it is told by NOOP that we
    /// are. `None`: never. Nothing is ever said while a server still sends or receives.
    pub tail_noop: Option<Duration>,
}

impl Default for DataOptions {
    fn default() -> Self {
        Self {
            active_ports: None,
            active_address: None,
            passive_commands: vec![PassiveCommand::Epsv, PassiveCommand::Pasv],
            epsv_all: false,
            fallback: true,
            compression: Compression::default(),
            tail_noop: Some(Duration::from_secs(60)),
        }
    }
}

/// A command that asks the server to wait for a data connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PassiveCommand {
    /// EPSV (RFC 2428 section 3): a port of the server's own address.
    Epsv,
    /// PASV (RFC 959 section 4.1.2): a port and an IPv4 address.
    Pasv,
}

/// How a data connection came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DataWay {
    /// We connected to the port that EPSV named.
    Epsv,
    /// We connected to the port that PASV named.
    Pasv,
    /// The server connected to where EPRT said.
    Eprt,
    /// The server connected to where PORT said.
    Port,
}

impl DataWay {
    /// True where the server opens the connection.
    #[must_use]
    pub const fn is_active(self) -> bool {
        matches!(self, Self::Eprt | Self::Port)
    }
}

impl fmt::Display for DataWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Epsv => "EPSV",
            Self::Pasv => "PASV",
            Self::Eprt => "EPRT",
            Self::Port => "PORT",
        })
    }
}

/// What is known of a session's data connections.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DataFacts {
    /// How the last one came about; `None` before the first one.
    pub way: Option<DataWay>,
    /// Why another mode than the chosen one is used: what went wrong with that, in words.
    pub fallback: Option<String>,
    /// Bytes of files and listings that were compressed on their way (MODE Z), as they are.
    pub packed_files: u64,
    /// The same as they went over the wire.
    pub packed_wire: u64,
}

impl DataFacts {
    /// How many bytes each byte on the wire stands for, of what was compressed; `None` where nothing was.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        (self.packed_wire > 0).then(|| self.packed_files as f64 / self.packed_wire as f64)
    }
}
