//! One call delivers a document: connect, log in, go to the folder, store, verify, name, leave.

mod content;
mod run;

use std::{fmt, time::Duration};

use ftp_proto::{Name, RemotePath};
use jiff::Timestamp;

pub use content::Content;

use crate::{Config, Error, ErrorKind, HashAlgorithm, Security};

/// Where a document goes, and how.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The server, and who logs in.
    pub config: Config,
    /// The folder; a relative one begins at the folder of the login, which `None` is.
    pub folder: Option<RemotePath>,
    /// The name there.
    pub name: Name,
    /// Make the folders that are missing. True by default.
    pub parents: bool,
    /// Under which name it is written.
    pub write: WriteAs,
    /// What is compared beyond the server's word.
    pub verify: Verify,
    /// The time that it is given, where the server can do that.
    pub modified: Option<Timestamp>,
    /// The permissions that it is given, where the server can do that: the lowest twelve bits.
    pub mode: Option<u32>,
    /// How often it is tried at most where the reason may pass ([`Error::is_retryable`]) and the content can be read again. 1 by default,
    /// and at least. Before a further try there is a pause of 1, 2, 4 and so on up to 30 seconds.
    pub tries: u8,
}

impl Delivery {
    /// With parents, under a temporary name first, verified by size and hash, once.
    #[must_use]
    pub const fn new(config: Config, name: Name) -> Self {
        Self {
            config,
            folder: None,
            name,
            parents: true,
            write: WriteAs::Temporary,
            verify: Verify::Hash,
            modified: None,
            mode: None,
            tries: 1,
        }
    }

    /// The same for a folder.
    #[must_use]
    pub fn into_folder(mut self, folder: RemotePath) -> Self {
        self.folder = Some(folder);
        self
    }
}

/// Under which name a document is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum WriteAs {
    /// A temporary one beside its own, which it gets when it is complete and verified: who watches the folder never sees half a document.
    /// A server that lets us do only one of the two gets it under its own name.
    #[default]
    Temporary,
    /// Its own, from the first byte.
    Final,
}

/// What is compared beyond the server's word (226).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Verify {
    /// Nothing.
    Reply,
    /// The size, where the server tells it.
    Size,
    /// The size, and a hash where the server offers one.
    #[default]
    Hash,
}

/// A document that has arrived.
#[derive(Debug, Clone)]
pub struct Delivered {
    /// Where it is.
    pub path: RemotePath,
    /// Its size in bytes.
    pub bytes: u64,
    /// The server has told the same size.
    pub size_checked: bool,
    /// The server has told the same hash, in lower-case hexadecimal.
    pub hash: Option<(HashAlgorithm, String)>,
    /// How the connection was protected.
    pub security: Security,
    /// How many tries it took.
    pub tries: u8,
    /// From the beginning to the goodbye.
    pub took: Duration,
    /// What did not go as wished and did not matter: no time could be set, the goodbye failed.
    pub notes: Vec<String>,
}

/// Why a document could not be delivered.
#[derive(Debug, Clone)]
pub struct DeliverError {
    /// What was being done.
    pub step: DeliverStep,
    /// Why it failed.
    pub error: Error,
    /// What was left on the server and could not be removed: the document or a part of it, under a temporary name or its own.
    pub left: Option<RemotePath>,
    /// How many tries it took.
    pub tries: u8,
}

/// The steps of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeliverStep {
    /// Connecting and logging in.
    Connect,
    /// Going to the folder, or making it.
    Folder,
    /// Sending the document.
    Store,
    /// Comparing what has arrived.
    Verify,
    /// Giving it its name.
    Name,
}

impl DeliverStep {
    /// One word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Folder => "folder",
            Self::Store => "store",
            Self::Verify => "verify",
            Self::Name => "name",
        }
    }
}

impl fmt::Display for DeliverStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl DeliverError {
    /// What went wrong, to match on.
    #[must_use]
    pub fn kind(&self) -> &ErrorKind {
        self.error.kind()
    }
}

impl fmt::Display for DeliverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.error)?;
        match &self.left {
            Some(left) => write!(f, " ({left} was left on the server)"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for DeliverError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.error)
    }
}

/// Delivers a document in one call: connects, logs in, goes to the folder (which is made where it is missing), stores the document under a
/// temporary name, compares its size and its hash as far as the server tells them, gives it its name, and leaves. A goodbye that fails is a
/// note and no failure.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use ftp_client::{Config, Delivery, Login, deliver, ftp_proto::{Name, RemotePath}};
///
/// let config = Config::new("ftp.example.com").with_login(Login::new("me", "secret")?);
/// let delivery = Delivery::new(config, Name::try_from("today.csv")?).into_folder(RemotePath::try_from("in/data")?);
/// let delivered = deliver(delivery, "a,b\n1,2\n").await?;
/// println!("{} bytes", delivered.bytes);
/// # Ok(()) }
/// ```
///
/// # Errors
/// [`DeliverError`] with the step that failed. A refused connection is [`ErrorKind::Connect`], an expired time limit
/// [`ErrorKind::Timeout`], a bad certificate [`ErrorKind::Certificate`], and a document that arrived damaged [`ErrorKind::Mismatch`]. What was
/// stored by then is removed where the server lets us.
pub async fn deliver(
    delivery: Delivery,
    content: impl Into<Content>,
) -> Result<Delivered, DeliverError> {
    deliver_unless(delivery, content, std::future::pending()).await
}

/// The same, given up as soon as `stop` is ready: what was stored by then is removed.
///
/// # Errors
/// As [`deliver`]; [`ErrorKind::Cancelled`] where it was given up.
pub async fn deliver_unless(
    delivery: Delivery,
    content: impl Into<Content>,
    stop: impl Future<Output = ()> + Send,
) -> Result<Delivered, DeliverError> {
    run::run(&delivery, content.into(), Box::pin(stop)).await
}
