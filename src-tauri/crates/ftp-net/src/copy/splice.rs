use std::{fs::File, io, net::TcpStream, time::Duration};

use rustix::pipe::{self, SpliceFlags};

use super::{
    Copied, Progress,
    blocking::{retry, wire_error},
};
use crate::NetError;

/// The pipe between socket and file. The kernel's default is 64 KiB, and each half-turn costs a call.
const PIPE: usize = 1024 * 1024;

/// Moves what the socket brings to the file inside the kernel. `None` where this file or this system can't:
/// then nothing has been read, and the plain loop does it.
pub(super) fn receive(
    tcp: &TcpStream,
    file: &File,
    progress: &Progress,
    idle: Duration,
) -> Option<Result<Copied, NetError>> {
    let (out, inlet) = pipe::pipe_with(pipe::PipeFlags::CLOEXEC).ok()?;
    // Less is only slower.
    let _ = pipe::fcntl_setpipe_size(&inlet, PIPE);
    let mut bytes = 0;
    loop {
        let read = match retry(|| {
            pipe::splice(tcp, None, &inlet, None, PIPE, SpliceFlags::MOVE).map_err(io::Error::from)
        }) {
            Ok(read) => read,
            Err(error) if bytes == 0 && error.kind() == io::ErrorKind::InvalidInput => return None,
            Err(error) => return Some(Err(wire_error(error, idle))),
        };
        if read == 0 {
            return Some(Ok(Copied { bytes, clean: true }));
        }
        if let Err(error) = empty(&out, file, read) {
            return Some(Err(NetError::Local(error)));
        }
        bytes += read as u64;
        progress.add(read as u64);
    }
}

/// The pipe's `left` bytes into the file: by splice, or through memory where the file refuses it
/// (one opened for appending does, and some file systems).
fn empty(out: &impl std::os::fd::AsFd, mut file: &File, mut left: usize) -> io::Result<()> {
    while left > 0 {
        match retry(|| {
            pipe::splice(out, None, file, None, left, SpliceFlags::MOVE).map_err(io::Error::from)
        }) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(moved) => left -= moved,
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                let mut buffer = vec![0; left];
                let mut filled = 0;
                while filled < left {
                    filled += retry(|| {
                        rustix::io::read(out, &mut buffer[filled..]).map_err(io::Error::from)
                    })?;
                }
                io::Write::write_all(&mut file, &buffer)?;
                left = 0;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
