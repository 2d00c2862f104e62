//! What the client says, as the queue understands it.

use std::error::Error as StdError;
use std::io;
use std::path::Path;

use ftp_client::ErrorKind;
use ftp_client::ftp_proto::{RemotePath, Reply};

use crate::error::{Error, RemoteError, Retry};

/// An error of a transfer: the local disk, or the rest of the world.
pub(super) fn transfer_error(error: ftp_client::Error) -> Error {
    if *error.kind() == ErrorKind::Local
        && let Some(source) = io_cause(&error)
    {
        // The client knows the file by its handle only; the job knows its path.
        return Error::local("read or write", Path::new(""), source);
    }
    Error::Remote(remote_error(error))
}

/// The system's own error at the root of another, copied by what it says.
fn io_cause(error: &ftp_client::Error) -> Option<io::Error> {
    let mut at = error.source();
    while let Some(cause) = at {
        if let Some(io) = cause.downcast_ref::<io::Error>() {
            return Some(match io.raw_os_error() {
                Some(code) => io::Error::from_raw_os_error(code),
                None => io::Error::new(io.kind(), io.to_string()),
            });
        }
        at = cause.source();
    }
    None
}

pub(super) fn remote_error(error: ftp_client::Error) -> RemoteError {
    let retry = match error.kind() {
        ErrorKind::Busy => Retry::Busy,
        _ if error.is_retryable() => Retry::Backoff,
        // A computer that has just lost its network says that the name is unknown.
        ErrorKind::Resolve => Retry::Backoff,
        _ => Retry::Never,
    };
    RemoteError {
        message: error.to_string(),
        retry,
        connection_lost: error.is_fatal(),
        original: Some(error),
    }
}

/// What a negative reply to one of many commands means.
pub(super) fn refused(verb: &str, path: &RemotePath, reply: &Reply) -> RemoteError {
    RemoteError {
        message: format!("{verb} {path}: {} {}", reply.code, reply.text()),
        retry: match reply.code.is_transient() {
            true => Retry::Backoff,
            false => Retry::Never,
        },
        connection_lost: false,
        original: None,
    }
}

/// The client promises one reply for each command.
pub(super) fn no_reply() -> RemoteError {
    RemoteError {
        message: "the server did not answer".to_owned(),
        retry: Retry::Backoff,
        connection_lost: true,
        original: None,
    }
}
