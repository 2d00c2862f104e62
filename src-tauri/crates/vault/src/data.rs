//! What a person chooses about a site's data connections.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// How a site's data connections are made, beyond who opens them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct DataSettings {
    /// Where the server opens them: the first and the last port to wait at; `None`: any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_ports: Option<(u16, u16)>,
    /// Where the server opens them: the address that it is told; `None`: this computer's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_address: Option<IpAddr>,
    /// Which commands ask the server to open a port, in this order; `None`: EPSV, then PASV.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passive_commands: Option<Vec<PassiveCommand>>,
    /// What is compressed on its way, where the server can; `None`: text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compression: Option<Compression>,
    /// Whether the address is used that the server names, where it can be reached.
    pub trust_address: bool,
    /// Whether EPSV ALL is said.
    pub epsv_all: bool,
    /// Whether the other mode is tried where the chosen one fails.
    pub fallback: bool,
}

/// A command that asks the server to open a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PassiveCommand {
    /// A port of the server's own address.
    Epsv,
    /// A port and an IPv4 address.
    Pasv,
}

/// What is compressed on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Nothing.
    Never,
    /// Listings, and files whose names say that they are text.
    Text,
    /// Everything.
    Always,
}

impl Default for DataSettings {
    fn default() -> Self {
        Self {
            active_ports: None,
            active_address: None,
            passive_commands: None,
            compression: None,
            trust_address: false,
            epsv_all: false,
            fallback: true,
        }
    }
}

impl DataSettings {
    /// Nothing was chosen.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// False for ports that are none.
    pub(crate) fn has_sound_ports(&self) -> bool {
        self.active_ports
            .is_none_or(|(first, last)| first > 0 && first <= last)
    }
}
