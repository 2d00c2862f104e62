//! Commands of one's own, with a data connection and without.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use ftp_proto::Reply;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use vfs::{VPath, Vfs, VfsError, VfsWrite};

/// A command that the server doesn't have by itself; [`ServerBuilder::command`](crate::ServerBuilder::command) gives it its verb.
#[async_trait]
pub trait CustomCommand: Send + Sync {
    /// Obeys it once. Commands of one session come one after the other; while this runs the session listens to nothing, so what
    /// takes long should come over the data connection.
    async fn run(&self, call: Call) -> CustomAnswer;

    /// Whether it works without a login. Where TLS is required, it doesn't work without that in either case.
    fn before_login(&self) -> bool {
        false
    }
}

/// One use of a command.
#[non_exhaustive]
pub struct Call {
    /// The verb in upper case.
    pub verb: String,
    /// What stood behind it, without the one blank between; empty where there was nothing.
    pub argument: Vec<u8>,
    /// The working directory.
    pub cwd: VPath,
    /// The files of the user who is logged in.
    pub files: Option<Arc<dyn Vfs>>,
    /// The client's end of the control connection.
    pub peer: SocketAddr,
    /// Whether the control connection is encrypted.
    pub encrypted: bool,
}

impl Call {
    /// The argument as text; what is no UTF-8 is replaced.
    #[must_use]
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.argument)
    }
}

/// What comes of a command.
pub enum CustomAnswer {
    /// A final reply.
    Reply(Reply),
    /// A preliminary reply (150 in place of any other), then these bytes over the data connection, then 226. An error ends it with 451.
    Send(Reply, BoxStream<'static, Result<Bytes, VfsError>>),
    /// A preliminary reply, then what comes over the data connection goes there, then 226.
    Receive(Reply, Box<dyn VfsWrite>),
}

impl CustomAnswer {
    /// A final reply of one line.
    ///
    /// # Panics
    /// Where the code is not from 100 to 699.
    #[must_use]
    pub fn reply(code: u16, text: &str) -> Self {
        Self::Reply(Reply::new(code, text))
    }

    /// Bytes over the data connection, piece by piece.
    pub fn send(pieces: impl stream::Stream<Item = Bytes> + Send + 'static) -> Self {
        Self::Send(Reply::new(150, "Here it comes."), pieces.map(Ok).boxed())
    }

    /// Whatever comes over the data connection.
    #[must_use]
    pub fn receive(into: Box<dyn VfsWrite>) -> Self {
        Self::Receive(Reply::new(150, "Ready to receive."), into)
    }
}

/// The commands of one's own, by verb.
pub(crate) type CustomCommands = BTreeMap<String, Arc<dyn CustomCommand>>;

/// True for what can be a verb: up to 16 letters and digits.
pub(crate) fn is_verb(verb: &str) -> bool {
    (1..=16).contains(&verb.len())
        && verb
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}
