use std::{io, net::TcpStream};

use rustix::pipe::{self, SpliceFlags};

use super::{Copied, pacer::Pacer, target::Target};
use crate::NetError;

/// The pipe between socket and file. The kernel's default is 64 KiB, and each half-turn costs a call.
const PIPE: usize = 1024 * 1024;

/// Moves what the socket brings to the file inside the kernel. `None` where this system can't: then
/// nothing has been read, and the plain loop does it.
pub(super) fn receive(
    tcp: &TcpStream,
    file: &mut Target,
    pacer: &mut Pacer,
) -> Option<Result<Copied, NetError>> {
    let (out, inlet) = pipe::pipe_with(pipe::PipeFlags::CLOEXEC).ok()?;
    // Less is only slower.
    let _ = pipe::fcntl_setpipe_size(&inlet, PIPE);
    let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
    let mut bytes = 0;
    loop {
        if let Err(error) = pacer.wait() {
            return Some(Err(error));
        }
        let room = pacer.claim(PIPE);
        if room == 0 {
            return Some(Ok(Copied::received(bytes, true)));
        }
        let read = match pacer.read(tcp, room, |piece| {
            pipe::splice(tcp, None, &inlet, None, piece, flags).map_err(io::Error::from)
        }) {
            Ok(read) => read,
            Err(NetError::Io(error))
                if bytes == 0 && error.kind() == io::ErrorKind::InvalidInput =>
            {
                return None;
            }
            Err(error) => return Some(Err(error)),
        };
        if read == 0 {
            return Some(Ok(Copied::received(bytes, true)));
        }
        if let Err(error) = empty(&out, file, read) {
            return Some(Err(NetError::Local(error)));
        }
        bytes += read as u64;
        pacer.moved(read);
    }
}

/// The pipe's `left` bytes into the file: by splice, or through memory where the file refuses it
/// (one opened for appending does, and some file systems).
fn empty(out: &impl std::os::fd::AsFd, file: &mut Target, mut left: usize) -> io::Result<()> {
    while left > 0 {
        match pipe::splice(
            out,
            None,
            &file.file,
            file.at.as_mut(),
            left,
            SpliceFlags::MOVE,
        ) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(moved) => left -= moved,
            Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::INVAL) => {
                let mut buffer = vec![0; left];
                let mut filled = 0;
                while filled < left {
                    match rustix::io::read(out, &mut buffer[filled..]) {
                        Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                        Ok(read) => filled += read,
                        Err(rustix::io::Errno::INTR) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                file.write_all(&buffer)?;
                left = 0;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
