use std::{fs::File, io, net::TcpStream};

use super::pacer::Pacer;
use crate::NetError;

/// What one call is to move at most.
const PIECE: usize = 1024 * 1024;

/// Sends the file from where it stands without bringing it into this process's memory, at most `most` bytes of it. `None` where
/// this file or this system can't: then nothing has been sent, and the plain loop does it.
pub(super) fn send(
    tcp: &TcpStream,
    file: &File,
    most: u64,
    pacer: &mut Pacer,
) -> Option<Result<u64, NetError>> {
    let mut bytes = 0;
    while bytes < most {
        if let Err(error) = pacer.wait() {
            return Some(Err(error));
        }
        let left = usize::try_from(most - bytes).unwrap_or(PIECE).min(PIECE);
        let piece = pacer.piece(left);
        let sent = pacer.waiter.write(tcp, || {
            rustix::fs::sendfile(tcp, file, None, piece).map_err(io::Error::from)
        });
        match sent {
            Ok(0) => break,
            Ok(sent) => {
                bytes += sent as u64;
                pacer.moved(sent);
            }
            Err(NetError::Io(error))
                if bytes == 0
                    && matches!(
                        error.kind(),
                        io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
                    ) =>
            {
                return None;
            }
            Err(error) => return Some(Err(error)),
        }
    }
    Some(Ok(bytes))
}
