//! The one place where errors of the domain become what the window understands: a code, a sentence,
//! the details, and whether trying again may help.

use std::{error::Error as _, io};

use ftp_client::{ErrorKind, ftp_proto::ArgumentError};
use serde::Serialize;
use specta::Type;

use crate::address::AddressError;

/// What every command answers.
pub(crate) type Result<T> = std::result::Result<T, AppError>;

/// An error on its way to the window, which has the words and the action for each code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Type)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AppError {
    pub(crate) code: ErrorCode,
    /// One English sentence.
    pub(crate) message: String,
    /// The server's own words, or what lies behind the message.
    pub(crate) detail: Option<String>,
    pub(crate) retryable: bool,
}

/// What went wrong, for machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Type)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ErrorCode {
    /// The server's name has no address.
    Resolve,
    /// No connection could be made.
    Connect,
    /// The server did not answer in time.
    Timeout,
    /// The connection broke.
    Lost,
    /// The server has too many guests.
    Busy,
    /// TLS was asked for and the server has none.
    TlsUnavailable,
    /// TLS failed.
    Tls,
    /// The certificate is not trusted.
    Certificate,
    /// A password would have gone over an unencrypted connection.
    PlaintextRefused,
    /// The server refused the login.
    LoginRefused,
    /// There is no such file or folder.
    NotFound,
    /// The server, or this computer, refused.
    Refused,
    /// The server broke the rules of FTP.
    Protocol,
    /// A value that can't be used.
    Argument,
    /// A transfer ended too early.
    Truncated,
    /// The source changed while it was transferred, or what arrived is something else.
    Changed,
    /// The disk of this computer is full.
    DiskFull,
    /// The list of transfers can't be kept.
    Journal,
    /// A file or folder of this computer.
    Local,
    /// It can't be done, by this program or by this server.
    Unsupported,
    /// It was given up by the person.
    Cancelled,
    /// The keyring can't be used.
    Keyring,
    /// There is no such site.
    SiteNotFound,
    /// The window asked for something that is not open any more.
    StaleListing,
    /// A fault of this program.
    Internal,
}

impl ErrorCode {
    /// Whether nothing else will work over this connection either.
    pub(crate) fn is_of_the_connection(self) -> bool {
        matches!(
            self,
            Self::Resolve
                | Self::Connect
                | Self::Timeout
                | Self::Lost
                | Self::Busy
                | Self::StaleListing
        )
    }
}

impl AppError {
    /// An error that trying again won't mend.
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            detail: None,
            retryable: false,
        }
    }

    /// With what lies behind it.
    pub(crate) fn with_detail(mut self, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        self.detail = (!detail.is_empty() && detail != self.message).then_some(detail);
        self
    }

    /// A value that can't be used.
    pub(crate) fn argument(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Argument, message)
    }

    /// Something that can't be done.
    pub(crate) fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Unsupported, message)
    }

    /// Given up by the person.
    pub(crate) fn cancelled() -> Self {
        Self::new(ErrorCode::Cancelled, "It was cancelled.")
    }

    /// The session is not open any more.
    pub(crate) fn no_session() -> Self {
        Self::new(ErrorCode::StaleListing, "This connection has been closed.")
    }

    /// A place that is not remembered any more.
    pub(crate) fn no_place() -> Self {
        Self::new(
            ErrorCode::StaleListing,
            "This place is not remembered any more.",
        )
    }
}

impl From<AddressError> for AppError {
    fn from(error: AddressError) -> Self {
        Self::argument(error.to_string())
    }
}

/// Errors of the local disk; errors of the network come as [`ftp_client::Error`].
impl From<io::Error> for AppError {
    fn from(error: io::Error) -> Self {
        let (code, message) = match error.kind() {
            io::ErrorKind::NotFound => (
                ErrorCode::NotFound,
                "There is no such file or folder on this computer.",
            ),
            io::ErrorKind::AlreadyExists => (
                ErrorCode::Refused,
                "There is something of this name already.",
            ),
            io::ErrorKind::PermissionDenied => {
                (ErrorCode::Refused, "This computer does not allow it.")
            }
            io::ErrorKind::NotADirectory => (ErrorCode::Local, "It is not a folder."),
            io::ErrorKind::StorageFull => {
                (ErrorCode::Local, "There is no space left on this computer.")
            }
            _ => (ErrorCode::Local, "This computer could not do it."),
        };
        Self::new(code, message).with_detail(error.to_string())
    }
}

/// Errors of the network and of servers. The detail is the server's own reply where there is one.
impl From<ftp_client::Error> for AppError {
    fn from(error: ftp_client::Error) -> Self {
        let (code, message) = of_client(error.kind());
        let detail = match error.reply() {
            Some(reply) => format!("{} {}", reply.code, reply.text()),
            None => error.to_string(),
        };
        Self {
            retryable: error.is_retryable(),
            ..Self::new(code, message).with_detail(detail)
        }
    }
}

/// The code and the sentence of each kind.
fn of_client(kind: &ErrorKind) -> (ErrorCode, &'static str) {
    match kind {
        ErrorKind::Resolve => (ErrorCode::Resolve, "There is no server of this name."),
        ErrorKind::Connect => (ErrorCode::Connect, "The server can't be reached."),
        ErrorKind::Proxy => (ErrorCode::Connect, "The proxy did not make the connection."),
        ErrorKind::Timeout(_) => (ErrorCode::Timeout, "The server did not answer in time."),
        ErrorKind::Lost => (ErrorCode::Lost, "The connection was lost."),
        ErrorKind::Busy => (
            ErrorCode::Busy,
            "The server takes no more connections for now.",
        ),
        ErrorKind::TlsUnavailable => (
            ErrorCode::TlsUnavailable,
            "The server offers no encryption.",
        ),
        ErrorKind::Tls => (
            ErrorCode::Tls,
            "The encrypted connection could not be made.",
        ),
        ErrorKind::Certificate(_) => (
            ErrorCode::Certificate,
            "The server's certificate is not trusted.",
        ),
        ErrorKind::PlaintextRefused => (
            ErrorCode::PlaintextRefused,
            "The password would have gone over an unencrypted connection.",
        ),
        ErrorKind::LoginRefused => (ErrorCode::LoginRefused, "The server refused the login."),
        ErrorKind::NotFound => (
            ErrorCode::NotFound,
            "The server has no such file or folder, or does not show it.",
        ),
        ErrorKind::Refused => (ErrorCode::Refused, "The server refused."),
        ErrorKind::Protocol => (
            ErrorCode::Protocol,
            "The server's answer could not be understood.",
        ),
        ErrorKind::Argument => (ErrorCode::Argument, "This can't be sent to a server."),
        ErrorKind::Truncated => (ErrorCode::Truncated, "The transfer ended too early."),
        ErrorKind::Mismatch => (
            ErrorCode::Truncated,
            "What has arrived is not what was sent.",
        ),
        ErrorKind::Local => (
            ErrorCode::Local,
            "This computer could not read or write the file.",
        ),
        ErrorKind::Unsupported => (ErrorCode::Unsupported, "The server can't do this."),
        ErrorKind::Cancelled => (ErrorCode::Cancelled, "It was cancelled."),
        // The client's list may grow; the tests below fail when it has.
        _ => (ErrorCode::Internal, "Something went wrong."),
    }
}

impl From<ArgumentError> for AppError {
    fn from(error: ArgumentError) -> Self {
        Self::argument("This can't be sent to a server.").with_detail(error.to_string())
    }
}

/// Errors of the queue: those of the network as they are, the others by where the fault lies.
impl From<transfer::Error> for AppError {
    fn from(error: transfer::Error) -> Self {
        if let Some(remote) = error.remote() {
            return remote.clone().into();
        }
        let code = match &error {
            transfer::Error::Remote(_) => ErrorCode::Lost,
            transfer::Error::Local { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                ErrorCode::NotFound
            }
            transfer::Error::Local { .. } | transfer::Error::TargetInUse { .. } => ErrorCode::Local,
            transfer::Error::DiskFull { .. } => ErrorCode::DiskFull,
            transfer::Error::HashDiffers { .. } | transfer::Error::SourceChanged => {
                ErrorCode::Changed
            }
            transfer::Error::Journal { .. } => ErrorCode::Journal,
            // Its words are all that is left of it.
            transfer::Error::Earlier { .. } => ErrorCode::Refused,
            transfer::Error::UnsafeName { .. }
            | transfer::Error::DuplicateName { .. }
            | transfer::Error::UnparsedLine { .. }
            | transfer::Error::TooDeep { .. }
            | transfer::Error::ListingTooLong { .. } => ErrorCode::Protocol,
            transfer::Error::UnsendableName { .. } => ErrorCode::Argument,
            transfer::Error::NotAFile { .. }
            | transfer::Error::LinkLoop { .. }
            | transfer::Error::LinkRefused { .. } => ErrorCode::Unsupported,
            transfer::Error::SizeDiffers { .. } => ErrorCode::Truncated,
            // The entries themselves say why.
            transfer::Error::Children { .. } => ErrorCode::Refused,
            _ => ErrorCode::Internal,
        };
        Self {
            retryable: error.retry() != transfer::Retry::Never
                || matches!(error, transfer::Error::Children { .. }),
            ..Self::new(code, sentence(&error.to_string()))
        }
    }
}

/// Why the list of transfers can't be kept.
impl From<transfer::OpenError> for AppError {
    fn from(error: transfer::OpenError) -> Self {
        Self::new(ErrorCode::Journal, sentence(&error.to_string()))
    }
}

impl From<transfer::TimetableError> for AppError {
    fn from(error: transfer::TimetableError) -> Self {
        Self::argument(sentence(&error.to_string()))
    }
}

impl From<transfer::FilterError> for AppError {
    fn from(error: transfer::FilterError) -> Self {
        Self::argument(sentence(&error.to_string()))
    }
}

impl From<vault::Error> for AppError {
    fn from(error: vault::Error) -> Self {
        let (code, message) = match &error {
            vault::Error::SiteNotFound { .. } => {
                (ErrorCode::SiteNotFound, "There is no such site.".to_owned())
            }
            vault::Error::Invalid { .. } => (ErrorCode::Argument, sentence(&error.to_string())),
            vault::Error::Random(_) => (ErrorCode::Internal, sentence(&error.to_string())),
            _ => (ErrorCode::Local, sentence(&error.to_string())),
        };
        let retryable = matches!(error, vault::Error::Busy { .. });
        Self {
            retryable,
            ..Self::new(code, message)
                .with_detail(error.source().map(ToString::to_string).unwrap_or_default())
        }
    }
}

impl From<site_config::SiteError> for AppError {
    fn from(error: site_config::SiteError) -> Self {
        Self::argument(format!("The {} of this site can't be used.", error.part))
            .with_detail(error.why)
    }
}

impl From<vault::SecretError> for AppError {
    fn from(error: vault::SecretError) -> Self {
        Self {
            retryable: error.kind() == vault::SecretErrorKind::Locked,
            ..Self::new(ErrorCode::Keyring, sentence(&error.to_string()))
        }
    }
}

impl From<vault::FingerprintError> for AppError {
    fn from(error: vault::FingerprintError) -> Self {
        Self::argument(sentence(&error.to_string()))
    }
}

/// A task that panicked: the panic itself is in the program's own log.
impl From<tokio::task::JoinError> for AppError {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::new(ErrorCode::Internal, "Slipway made a mistake.").with_detail(error.to_string())
    }
}

impl From<tauri::Error> for AppError {
    fn from(error: tauri::Error) -> Self {
        Self::new(ErrorCode::Internal, "Slipway made a mistake.").with_detail(error.to_string())
    }
}

/// The messages of the engine are written to stand behind a colon; these stand alone.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let Some(first) = chars.next() else {
        return String::new();
    };
    let mut sentence: String = first.to_uppercase().chain(chars).collect();
    if !sentence.ends_with(['.', '!', '?', '\u{2026}']) {
        sentence.push('.');
    }
    sentence
}

#[cfg(test)]
mod tests;
