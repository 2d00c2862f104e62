//! Why an item failed.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Whether and how a failure is worth another try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// It would fail again.
    Never,
    /// After a pause.
    Backoff,
    /// The server has too many connections: with fewer of ours.
    Busy,
}

/// Why an item failed. Cheap to clone. `Display` is one sentence for people; names from servers are escaped in it.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server, or the way to it.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// The local disk refused.
    #[error("could not {action} {}: {source}", path.display())]
    Local {
        /// What was tried: "read", "create".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: Arc<io::Error>,
    },
    /// The local disk is full, or the user's share of it.
    #[error("the local disk is full, so {} can't be written", path.display())]
    DiskFull {
        /// What was to be written.
        path: PathBuf,
    },
    /// Another program is downloading to the same target at this moment: the temporary file is locked.
    #[error("another Slipway is downloading to {}", path.display())]
    TargetInUse {
        /// The target.
        path: PathBuf,
    },
    /// A listing that is longer than one folder's can sensibly be: 5 million lines, or names of 1 GiB in all.
    #[error(
        "the server's listing does not end: it has more than {entries} lines with {bytes} bytes of names"
    )]
    ListingTooLong {
        /// Lines that were taken.
        entries: usize,
        /// The length of their names.
        bytes: u64,
    },
    /// A name in the server's listing that is no plain file name. It is never used as a path.
    #[error("the server lists \"{name}\", which can't be used as a file name: {why}")]
    UnsafeName {
        /// The name, escaped.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// The server listed the same name twice.
    #[error("the server lists \"{name}\" twice")]
    DuplicateName {
        /// The name, escaped.
        name: String,
    },
    /// A line of a listing that could not be understood, so that what it stands for could not be transferred.
    #[error("a line of the server's listing was not understood: \"{line}\"")]
    UnparsedLine {
        /// The line, escaped and cut.
        line: String,
    },
    /// A local name that FTP can't carry (CR, LF), or that is not text where it has to be.
    #[error("the name \"{name}\" can't be sent to a server: {why}")]
    UnsendableName {
        /// The name, escaped.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// Something that is neither file nor folder, or a link to a folder (which is not followed).
    #[error("{path} is {what}, which is not transferred")]
    NotAFile {
        /// Where it is.
        path: String,
        /// What it is: "a device, pipe or socket", "a link to a folder".
        what: &'static str,
    },
    /// After the transfer the sizes differ: the connection broke unnoticed, or the file changed meanwhile.
    #[error("{received} bytes were transferred, but the source has {expected}")]
    SizeDiffers {
        /// Bytes that the source has, or the target for an upload.
        expected: u64,
        /// Bytes that were moved.
        received: u64,
    },
    /// Folders are nested deeper than is sensible; most likely a loop.
    #[error("folders are nested more than {limit} deep")]
    TooDeep {
        /// How deep folders are followed.
        limit: u32,
    },
    /// A folder of which not everything could be transferred; its children say why.
    #[error("{failed} of {of} failed")]
    Children {
        /// Direct children that failed.
        failed: usize,
        /// All direct children.
        of: usize,
    },
    /// Source and target have different hashes after the transfer.
    #[error("after the transfer the {algorithm} of source and target differ")]
    HashDiffers {
        /// By which they were compared.
        algorithm: crate::HashAlgorithm,
    },
    /// The source was changed while it was being transferred.
    #[error("the source has changed while it was transferred")]
    SourceChanged,
    /// A link that leads back to a folder that it lies in.
    #[error("{path} is a link that leads back to a folder above it")]
    LinkLoop {
        /// The link.
        path: String,
    },
    /// A link that can't be made at the target: it leads outside of what is transferred, or the server has no command for it.
    #[error("the link {path} can't be made: {why}")]
    LinkRefused {
        /// The link.
        path: String,
        /// Why.
        why: String,
    },
    /// The journal of the queue can't be written, so nothing that depends on it is done.
    #[error("the journal of the queue can't be written: {why}")]
    Journal {
        /// Why, for people.
        why: String,
    },
    /// What an earlier run of the program has noted of a failure.
    #[error("{message}")]
    Earlier {
        /// Its words.
        message: String,
        /// Whether it is worth another try.
        retry: Retry,
    },
    /// A bug: a task of the queue ended without an answer.
    #[error("internal error: {0}")]
    Internal(String),
}

/// What the server or the network did, with the original for those who want to know more.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct RemoteError {
    pub(crate) message: String,
    pub(crate) retry: Retry,
    /// The connection can't be used again.
    pub(crate) connection_lost: bool,
    #[source]
    pub(crate) original: Option<ftp_client::Error>,
}

impl RemoteError {
    /// The client's error.
    pub fn original(&self) -> Option<&ftp_client::Error> {
        self.original.as_ref()
    }
}

impl Error {
    /// Whether, and how, the queue tries again by itself.
    pub fn retry(&self) -> Retry {
        match self {
            Error::Remote(error) => error.retry,
            Error::SizeDiffers { .. } | Error::HashDiffers { .. } | Error::SourceChanged => {
                Retry::Backoff
            }
            Error::Earlier { retry, .. } => *retry,
            _ => Retry::Never,
        }
    }

    /// The client's error, if it was the server or the network.
    pub fn remote(&self) -> Option<&ftp_client::Error> {
        match self {
            Error::Remote(error) => error.original(),
            _ => None,
        }
    }

    pub(crate) fn connection_lost(&self) -> bool {
        matches!(self, Error::Remote(error) if error.connection_lost)
    }

    /// Names the file of an error that did not know it.
    pub(crate) fn about(mut self, file: &Path) -> Self {
        if let Error::Local { path, .. } | Error::DiskFull { path } = &mut self
            && path.as_os_str().is_empty()
        {
            *path = file.to_owned();
        }
        self
    }

    pub(crate) fn local(action: &'static str, path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::DiskFull {
                path: path.to_owned(),
            },
            _ => Error::Local {
                action,
                path: path.to_owned(),
                source: Arc::new(source),
            },
        }
    }
}
