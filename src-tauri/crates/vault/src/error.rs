//! What can go wrong with the files of the vault.

use std::io;
use std::path::PathBuf;

/// The result of an operation on one of the files.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong with a file, or with a value that was to be written to it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The system refused to read or write.
    #[error("could not {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb phrase: "read", "write to".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The file is not what it should be. It is left alone.
    #[error("{} is damaged at line {line}, column {column}: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Line of the fault, from 1.
        line: usize,
        /// Column of the fault, from 1.
        column: usize,
        /// What was found and what was expected.
        why: String,
    },
    /// The file was written by a newer version of this program. It is left alone.
    #[error("{} was written by a newer version (format {found}, this one knows up to {known})", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version in the file.
        found: u64,
        /// The newest version that this program knows.
        known: u64,
    },
    /// The file is larger than such a file can sensibly be. It is left alone.
    #[error("{} is too large ({size} bytes, at most {limit} are read)", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// Another process held the lock for too long.
    #[error("another program is writing in {}", path.display())]
    Busy {
        /// The lock file.
        path: PathBuf,
    },
    /// A value can't be stored.
    #[error("{field} {problem}")]
    Invalid {
        /// The field.
        field: Field,
        /// Why not.
        problem: Problem,
    },
    /// There is no site of this id.
    #[error("there is no site with the id {id}")]
    SiteNotFound {
        /// The id that was asked for.
        id: String,
    },
    /// The operating system gave no random bytes for a new id.
    #[error("the system gave no random numbers: {0}")]
    Random(String),
}

/// A field of a site or a trusted certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum Field {
    Id,
    Name,
    Host,
    Port,
    User,
    RemotePath,
    LocalPath,
    Connections,
    Charset,
    Timeout,
    Proxy,
    Certificate,
    Key,
    TlsVersions,
    ActivePorts,
    Subject,
    Folder,
    Notes,
    Bookmark,
}

impl std::fmt::Display for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Field::Id => "the id",
            Field::Name => "the name",
            Field::Host => "the host",
            Field::Port => "the port",
            Field::User => "the user name",
            Field::RemotePath => "the remote folder",
            Field::LocalPath => "the local folder",
            Field::Connections => "the number of connections",
            Field::Charset => "the charset",
            Field::Timeout => "the timeout",
            Field::Proxy => "the proxy",
            Field::Certificate => "the certificate to show",
            Field::Key => "the certificate's key",
            Field::TlsVersions => "the range of TLS versions",
            Field::ActivePorts => "the ports for active mode",
            Field::Subject => "the certificate's subject",
            Field::Folder => "the folder in the list",
            Field::Notes => "the note",
            Field::Bookmark => "a bookmark",
        })
    }
}

/// Why a value was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// It has to say something.
    Empty,
    /// It has a control character (CR, LF and NUL among them) at this byte offset.
    ControlCharacter(usize),
    /// It has a character, at this byte offset, that such a value can't have.
    ForbiddenCharacter(usize),
    /// It is longer than this many bytes.
    TooLong(usize),
    /// Zero is no port.
    Zero,
    /// It is not between these two numbers, which are allowed themselves.
    OutOfRange(u32, u32),
    /// It holds a password, and is written to a file.
    Secret,
    /// It leaves nothing.
    NoneLeft,
    /// There are more than this many.
    TooMany(usize),
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Problem::Empty => f.write_str("is empty"),
            Problem::ControlCharacter(at) => write!(f, "has a control character at byte {at}"),
            Problem::ForbiddenCharacter(at) => {
                write!(f, "has a character at byte {at} that it can't have")
            }
            Problem::TooLong(limit) => write!(f, "is longer than {limit} bytes"),
            Problem::Zero => f.write_str("can't be 0"),
            Problem::OutOfRange(low, high) => write!(f, "must be from {low} to {high}"),
            Problem::Secret => f.write_str("has a password in it, which belongs in the keyring"),
            Problem::NoneLeft => f.write_str("is empty"),
            Problem::TooMany(limit) => write!(f, "has more than {limit} parts"),
        }
    }
}

/// No text of a site is longer; a path of the local system is at most this long on Linux.
const TEXT_LIMIT: usize = 4096;

/// Checks a text that may be empty: no control characters (they would end a command), bounded length.
pub(crate) fn check_text(field: Field, text: &str) -> Result<()> {
    if text.len() > TEXT_LIMIT {
        return Err(Error::Invalid {
            field,
            problem: Problem::TooLong(TEXT_LIMIT),
        });
    }
    match text.char_indices().find(|(_, c)| c.is_control()) {
        Some((at, _)) => Err(Error::Invalid {
            field,
            problem: Problem::ControlCharacter(at),
        }),
        None => Ok(()),
    }
}

/// Checks a host name or address: as a text, not empty, and with nothing that belongs to another part of a URL.
pub(crate) fn check_host(host: &str) -> Result<()> {
    check_text(Field::Host, host)?;
    let problem = if host.is_empty() {
        Problem::Empty
    } else if let Some((at, _)) = host
        .char_indices()
        .find(|(_, c)| c.is_whitespace() || matches!(c, '/' | '\\' | '@' | '?' | '#'))
    {
        Problem::ForbiddenCharacter(at)
    } else {
        return Ok(());
    };
    Err(Error::Invalid {
        field: Field::Host,
        problem,
    })
}

pub(crate) fn check_port(port: u16) -> Result<()> {
    if port == 0 {
        return Err(Error::Invalid {
            field: Field::Port,
            problem: Problem::Zero,
        });
    }
    Ok(())
}
