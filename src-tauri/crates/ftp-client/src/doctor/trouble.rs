//! Where a data transfer failed, and how that is said.

use std::net::SocketAddr;

use ftp_net::NetError;
use ftp_proto::Reply;

use super::patient::said;
use crate::Error;

/// Where a transfer failed.
pub(super) enum Trouble {
    /// The session broke.
    Lost(Error),
    /// EPSV, PASV, EPRT or PORT was refused.
    NoWay(Reply),
    /// Its answer holds no address.
    Unreadable(Reply),
    /// The data connection to this place did not come about.
    NoConnection(SocketAddr, NetError),
    /// The server did not connect to us; what it said then.
    NoCall(Option<Reply>),
    /// REST was refused.
    NoRest(Reply),
    /// The command was refused.
    Refused(Reply),
    /// TLS failed on the data connection; what the server said then.
    Tls(NetError, Option<Reply>),
    /// The data connection broke; what the server said then.
    Broken(NetError, Option<Reply>),
    /// Everything was moved, and then it was no good.
    BadEnd(Reply),
}

impl Trouble {
    /// True where the session must be made anew: nobody knows what the server still has to say.
    pub(super) const fn spoils(&self) -> bool {
        !matches!(
            self,
            Self::NoWay(_)
                | Self::Unreadable(_)
                | Self::NoRest(_)
                | Self::Refused(_)
                | Self::BadEnd(_)
        )
    }

    /// What failed, in words.
    pub(super) fn words(&self) -> String {
        let then = |reply: &Option<Reply>| {
            reply.as_ref().map_or_else(String::new, |reply| {
                format!("; the server says {}", said(reply))
            })
        };
        match self {
            Self::Lost(error) => format!("the session broke: {error}"),
            Self::NoWay(reply) => format!("refused: {}", said(reply)),
            Self::Unreadable(reply) => format!("the answer holds no address: {}", said(reply)),
            Self::NoConnection(place, NetError::Timeout { limit, .. }) => {
                format!(
                    "the port that it names, {place}, gives no answer within {} s",
                    limit.as_secs_f32()
                )
            }
            Self::NoConnection(place, NetError::Connect { source, .. }) => {
                format!("the port that it names, {place}, is not reached: {source}")
            }
            Self::NoConnection(place, error) => {
                format!("the port that it names, {place}, is not reached: {error}")
            }
            Self::NoCall(reply) => {
                format!("the server's connection did not reach us{}", then(reply))
            }
            Self::NoRest(reply) => format!("REST is refused: {}", said(reply)),
            Self::Refused(reply) => format!("refused: {}", said(reply)),
            Self::Tls(error, reply) => {
                format!("TLS failed on the data connection: {error}{}", then(reply))
            }
            Self::Broken(error, reply) => {
                format!("the data connection failed: {error}{}", then(reply))
            }
            Self::BadEnd(reply) => {
                format!("all was moved, and then the server said {}", said(reply))
            }
        }
    }
}
