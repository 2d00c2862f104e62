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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::{
        io::{Read, Seek, SeekFrom, Write},
        net::TcpListener,
        time::Duration,
    };

    use super::*;
    use crate::copy::{CopyOptions, waiter};

    /// What a transfer to another machine does, on this one.
    #[test]
    fn a_part_of_a_file_goes_out() {
        let mut file = tempfile::tempfile().unwrap();
        let content: Vec<u8> = (0..3_000_000_u32).map(|i| (i % 251) as u8).collect();
        file.write_all(&content).unwrap();
        for (start, most) in [
            (0, u64::MAX),
            (1_000, 2_000_000),
            (3_000_000, u64::MAX),
            (5, 0),
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let tcp = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            tcp.set_nonblocking(true).unwrap();
            let (mut peer, _) = listener.accept().unwrap();
            let reader = std::thread::spawn(move || {
                let mut got = Vec::new();
                peer.read_to_end(&mut got).unwrap();
                got
            });
            file.seek(SeekFrom::Start(start)).unwrap();
            let options = CopyOptions::new(Duration::from_secs(20));
            let progress = options.progress.clone();
            let (waiter, _cancel) = waiter::pair(options.idle).unwrap();
            let mut pacer = Pacer::new(waiter, options);
            let sent = send(&tcp, &file, most, &mut pacer).unwrap().unwrap();
            drop(tcp);
            let got = reader.join().unwrap();
            let start = usize::try_from(start).unwrap();
            let end = usize::try_from(most).map_or(content.len(), |most| {
                content.len().min(start.saturating_add(most))
            });
            assert!(got == content[start..end], "{start} {most}");
            assert_eq!(
                (sent, progress.bytes()),
                (got.len() as u64, got.len() as u64)
            );
        }
    }
}
