//! Folders of this computer that others can reach.

use std::fmt;

use serde::{Deserialize, Serialize};
use specta::{Type, Types, datatype::DataType};

use super::{Number, Rate};

/// A password that the window shows, and nothing else does.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct ShownPassword(pub(crate) String);

impl fmt::Debug for ShownPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("*****")
    }
}

impl Type for ShownPassword {
    fn definition(types: &mut Types) -> DataType {
        String::definition(types)
    }
}

/// Who can reach a shared folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub(crate) enum Reach {
    /// Programs on this computer.
    ThisComputer,
    /// Whoever reaches this address of this computer.
    Network { address: String },
    /// All addresses of this computer.
    Everywhere,
}

/// What TLS is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) enum ShareEncryption {
    /// Nothing goes in the clear.
    Required,
    /// A program that knows no TLS gets in, too.
    Offered,
}

/// Bytes a second for all visitors together; None: no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, Type)]
pub(crate) struct ShareLimits {
    /// What they take.
    pub(crate) download: Option<Rate>,
    /// What they bring.
    pub(crate) upload: Option<Rate>,
}

/// What a person decides on before a folder is shared. Nothing is open yet.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ShareDraft {
    /// The folder.
    pub(crate) place: u32,
    pub(crate) name: String,
    pub(crate) path: String,
    /// It is shared already, under this id.
    pub(crate) shared: Option<u32>,
    pub(crate) user: String,
    pub(crate) password: ShownPassword,
    pub(crate) networks: Vec<Network>,
    pub(crate) wide: Option<Wide>,
}

/// An address of this computer in a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Network {
    pub(crate) address: String,
    /// The system's name for the way there.
    pub(crate) interface: String,
}

/// So much is in a folder that it is worth a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Wide {
    /// The person's home folder is in it, or is it.
    Home,
    /// Everything is in it.
    Root,
}

/// What the person decided on.
#[derive(Clone, Debug, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ShareRequest {
    pub(crate) place: u32,
    pub(crate) reach: Reach,
    /// 0: any that is free.
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) password: ShownPassword,
    pub(crate) read_only: bool,
    pub(crate) encryption: ShareEncryption,
    pub(crate) limits: ShareLimits,
}

/// A folder that others can reach now.
#[derive(Clone, Debug, PartialEq, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Share {
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) reach: Reach,
    /// Host and port as programs want them.
    pub(crate) addresses: Vec<String>,
    pub(crate) user: String,
    pub(crate) password: ShownPassword,
    /// Of the certificate: `sha256:` and 64 hex digits.
    pub(crate) fingerprint: String,
    pub(crate) encryption: ShareEncryption,
    pub(crate) read_only: bool,
    pub(crate) limits: ShareLimits,
    /// Milliseconds since the epoch.
    pub(crate) since: Number,
    pub(crate) visitors: Vec<ShareVisitor>,
    /// The latest first.
    pub(crate) moves: Vec<ShareMove>,
    pub(crate) downloads: Number,
    pub(crate) download_bytes: Number,
    pub(crate) uploads: Number,
    pub(crate) upload_bytes: Number,
    /// Wrong passwords, and whoever was turned away.
    pub(crate) refused: Number,
    pub(crate) bytes_per_second: Number,
}

/// Somebody who is connected.
#[derive(Clone, Debug, PartialEq, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ShareVisitor {
    pub(crate) id: u32,
    /// An IP address.
    pub(crate) peer: String,
    /// None before the login.
    pub(crate) user: Option<String>,
    pub(crate) encrypted: bool,
    pub(crate) moving: Option<Moving>,
}

/// What goes over the wire at this moment.
#[derive(Clone, Debug, PartialEq, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Moving {
    pub(crate) direction: MoveDirection,
    pub(crate) path: String,
    pub(crate) bytes: Number,
    pub(crate) total: Option<Number>,
}

/// Which way, as the visitor calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) enum MoveDirection {
    Download,
    Upload,
    Listing,
}

impl From<ftp_server::Direction> for MoveDirection {
    fn from(direction: ftp_server::Direction) -> Self {
        match direction {
            ftp_server::Direction::Download => Self::Download,
            ftp_server::Direction::Upload => Self::Upload,
            ftp_server::Direction::Listing => Self::Listing,
        }
    }
}

/// A file that was taken or brought.
#[derive(Clone, Debug, PartialEq, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ShareMove {
    /// Counts up by one.
    pub(crate) seq: u32,
    /// Milliseconds since the epoch.
    pub(crate) at: Number,
    pub(crate) peer: String,
    pub(crate) direction: MoveDirection,
    pub(crate) path: String,
    pub(crate) bytes: Number,
    pub(crate) outcome: MoveOutcome,
    /// Why it failed.
    pub(crate) why: Option<String>,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) enum MoveOutcome {
    Complete,
    Aborted,
    Failed,
}

/// A QR code: dark squares in a field of `size` to a side, as one path of SVG.
#[derive(Clone, Debug, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) struct QrCode {
    pub(crate) size: u32,
    pub(crate) path: String,
    /// What it says; None where it holds the password.
    pub(crate) text: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_password() {
        let request = ShareRequest {
            place: 1,
            reach: Reach::ThisComputer,
            port: 0,
            user: "guest".into(),
            password: ShownPassword("hunter22".into()),
            read_only: true,
            encryption: ShareEncryption::Required,
            limits: ShareLimits::default(),
        };
        assert!(!format!("{request:?}").contains("hunter22"));
    }
}
