//! The copy loops of MODE Z. Packing and unpacking keep a processor busy, so they have a thread of their own as the other
//! loops have; the connection is read and written there as it is everywhere else.

use std::{
    fs::File,
    io::{self, Read},
    time::Instant,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime::Handle,
    sync::oneshot,
    time::timeout,
};

use super::{CHUNK, Copied, CopyOptions, GOODBYE, Writing, target::Target};
use crate::{
    DeflateCounts, LOOK_AGAIN, NetError, Pace, Stream, Waited, deflate::BUFFER, shutdown_orderly,
};

/// What one copy goes by. Limits of speed are those of the wire; all other counts are of the file.
struct Copy {
    stream: Stream,
    counts: DeflateCounts,
    /// Bytes of the wire that the limits have been told of.
    told: u64,
    options: CopyOptions,
    pace: Pace,
}

pub(super) async fn receive(
    stream: Stream,
    target: Target,
    writing: Writing,
    options: CopyOptions,
) -> Result<Copied, NetError> {
    let (copied, _) = run(stream, options, async move |copy| {
        let outcome = copy.receive(target).await;
        // The file is closed by now.
        drop(writing);
        outcome
    })
    .await?;
    Ok(copied)
}

pub(super) async fn send(
    stream: Stream,
    file: File,
    options: CopyOptions,
) -> Result<Copied, NetError> {
    let (copied, _) = run(stream, options, async move |copy| copy.send(file).await).await?;
    Ok(copied)
}

pub(super) async fn serve(
    stream: Stream,
    file: File,
    options: CopyOptions,
) -> Result<(Copied, TcpStream), NetError> {
    let serving = async move |copy: &mut Copy| {
        let bytes = copy.send_all(file).await?;
        match timeout(copy.options.idle, copy.stream.shutdown()).await {
            Ok(Ok(())) => Ok(Copied::received(bytes, true)),
            Ok(Err(error)) => Err(NetError::from_io(error)),
            Err(_) => Err(copy.idle()),
        }
    };
    let (copied, copy) = run(stream, options, serving).await?;
    Ok((copied, copy.stream.into_tcp()))
}

/// Runs a copy on a thread of its own. Dropping the future ends it.
async fn run(
    stream: Stream,
    options: CopyOptions,
    copying: impl AsyncFnOnce(&mut Copy) -> Result<Copied, NetError> + Send + 'static,
) -> Result<(Copied, Copy), NetError> {
    let (owner, gone) = oneshot::channel::<()>();
    let runtime = Handle::current();
    let running = tokio::task::spawn_blocking(move || {
        let mut copy = Copy {
            counts: stream.deflate_counts().unwrap_or_default(),
            told: 0,
            pace: Pace::new(options.throttles.clone()),
            stream,
            options,
        };
        let outcome = runtime.block_on(async {
            tokio::select! {
                biased;
                _ = gone => Err(NetError::Cancelled),
                outcome = copying(&mut copy) => outcome,
            }
        });
        if outcome.is_err() {
            copy.stream.reset_on_drop();
        }
        (outcome, copy)
    });
    let outcome = running.await;
    drop(owner);
    match outcome {
        // The connection is closed only where our outcome is known, as in the other loops.
        Ok((outcome, copy)) => Ok((outcome?, copy)),
        Err(join) if join.is_panic() => std::panic::resume_unwind(join.into_panic()),
        Err(_) => Err(NetError::Cancelled),
    }
}

impl Copy {
    async fn receive(&mut self, mut target: Target) -> Result<Copied, NetError> {
        let mut buffer = vec![0; CHUNK];
        let mut bytes = 0;
        let clean = loop {
            self.wait().await;
            let room = self.options.bound.claim(CHUNK);
            if room == 0 {
                self.stream.reset_on_drop();
                return Ok(Copied::received(bytes, true));
            }
            let most = self.pace.piece(BUFFER);
            self.stream.set_piece(most);
            let reading = self.stream.read(&mut buffer[..room]);
            match timeout(self.options.idle, reading).await {
                Ok(Ok(0)) => break true,
                Ok(Ok(read)) => {
                    target.write_all(&buffer[..read]).map_err(NetError::Local)?;
                    bytes += read as u64;
                    self.moved(read);
                }
                Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => break false,
                Ok(Err(error)) => return Err(NetError::from_io(error)),
                Err(_) => return Err(self.idle()),
            }
        };
        // The peer has sent everything and may be gone already.
        let _ = timeout(GOODBYE, self.stream.shutdown()).await;
        Ok(Copied::received(bytes, clean))
    }

    async fn send(&mut self, file: File) -> Result<Copied, NetError> {
        let bytes = self.send_all(file).await?;
        // ProFTPD's mod_deflate answers with an empty zlib stream of its own: here bytes that nobody asked for mean nothing.
        shutdown_orderly(&mut self.stream, GOODBYE)
            .await
            .map_err(NetError::from_io)?;
        Ok(Copied::received(bytes, true))
    }

    async fn send_all(&mut self, mut file: File) -> Result<u64, NetError> {
        let mut left = self.options.most.unwrap_or(u64::MAX);
        let mut buffer = vec![0; CHUNK];
        let mut bytes = 0;
        loop {
            let room = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
            let read = match file.read(&mut buffer[..room]) {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(NetError::Local(error)),
            };
            if read == 0 {
                return Ok(bytes);
            }
            let mut rest = &buffer[..read];
            while !rest.is_empty() {
                self.wait().await;
                let piece = &rest[..self.pace.piece(rest.len())];
                match timeout(self.options.idle, self.stream.write(piece)).await {
                    Ok(Ok(sent)) => {
                        self.moved(sent);
                        rest = &rest[sent..];
                    }
                    Ok(Err(error)) => return Err(NetError::from_io(error)),
                    Err(_) => return Err(self.idle()),
                }
            }
            bytes += read as u64;
            left -= read as u64;
        }
    }

    /// Waits until the limits let more pass.
    async fn wait(&mut self) {
        while let Some(left) = self.pace.wait(Instant::now()) {
            tokio::time::sleep(left.min(LOOK_AGAIN)).await;
        }
    }

    /// Bytes of the file that have moved.
    fn moved(&mut self, bytes: usize) {
        let wire = self.counts.wire();
        self.pace.moved(Instant::now(), wire - self.told);
        self.told = wire;
        self.options.progress.add(bytes as u64);
        self.options.bound.add(bytes as u64);
    }

    const fn idle(&self) -> NetError {
        NetError::Timeout {
            what: Waited::Data,
            limit: self.options.idle,
        }
    }
}
