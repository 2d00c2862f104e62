use std::{
    fs::File,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use ftp_net::{
    LOOK_AGAIN, NetError, Pace, Stream, Throttles, Waited,
    copy::{self, Bound, Copied, CopyOptions, GOODBYE, Progress},
    shutdown_orderly,
};
use ftp_proto::{Command, RemotePath, Reply};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep},
};

use crate::{
    Client, Error, ErrorKind, Masks, StreamOptions,
    driver::{Finished, Kept, Opened, Whole},
};

/// A file on its way to us. Read it to its end, then call [`finish`](Download::finish): only the server's
/// word makes it complete. Dropping it gives the transfer up; the session stays usable.
pub struct Download(Transfer);

/// A file on its way to the server. Write it, then call [`finish`](Upload::finish). Dropping it gives the
/// transfer up; what was sent by then may stand on the server.
pub struct Upload(Transfer);

struct Transfer {
    // Before `finished`, so that it is closed when the task hears of the end.
    stream: Lent,
    finished: Finished,
    /// Keeps the session open for as long as the transfer lives.
    client: Client,
    /// What is fetched and from where on: its size settles whether a TLS connection that ended without a goodbye
    /// was cut off.
    source: Option<(RemotePath, u64)>,
    /// What is stored and from where on: its size settles whether it has arrived where the server can't say so any more.
    target: Option<(RemotePath, u64)>,
    /// Bytes, in whichever direction.
    moved: u64,
    /// Bytes that came on the connection of an upload.
    unasked: u64,
    announced: Option<u64>,
    /// Nobody can tell how many bytes should come.
    unmeasured: bool,
    /// False after a TLS connection that ended without a goodbye.
    clean: bool,
    doing: String,
    idle: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    throttles: Throttles,
    pace: Pace,
    /// The final replies that mean success.
    expected: Masks,
    /// Until the limits are looked at again.
    pause: Option<Pin<Box<Sleep>>>,
    ended: bool,
}

/// The data connection, while it is here. An upload that is dropped with it resets it: closed in good order, half a
/// file would look like a whole one.
struct Lent {
    stream: Option<Stream>,
    upload: bool,
    /// Who closes it when the transfer is given up, if not we at once.
    kept: Option<Kept>,
}

impl Lent {
    /// Closes it as a drop does.
    fn close(&mut self) {
        *self = Self {
            stream: None,
            upload: self.upload,
            kept: self.kept.clone(),
        };
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(stream) = self.stream.take() else {
            return;
        };
        if self.upload {
            stream.reset_on_drop();
        }
        if let Some(kept) = &self.kept {
            kept.put(stream);
        }
    }
}

impl Transfer {
    async fn open(
        client: &Client,
        command: Command,
        offset: u64,
        size: Option<u64>,
        wanted_type: u8,
    ) -> Result<Self, Error> {
        let doing = command.redacted();
        let upload = matches!(command, Command::Stor(_) | Command::Appe(_));
        let source = match &command {
            // As a text it has another size.
            Command::Retr(path) if wanted_type == b'I' => Some((path.clone(), offset)),
            _ => None,
        };
        let target = match &command {
            Command::Stor(path) if wanted_type == b'I' => Some((path.clone(), offset)),
            _ => None,
        };
        let (opened, idle) = client
            .run(move |driver| {
                Box::pin(async move {
                    let idle = driver.config.timeouts.idle;
                    if upload {
                        driver.allocate(&command, offset, size).await?;
                    }
                    driver.wanted_type = wanted_type;
                    let mut opened = driver.open_named(command.clone(), offset, size, true).await;
                    if let Err(error) = &opened
                        && driver.demands_allocation(error, size)
                    {
                        driver.allocate(&command, offset, size).await?;
                        opened = driver.open_named(command, offset, size, true).await;
                    }
                    driver.wanted_type = b'I';
                    Ok((opened?, idle))
                })
            })
            .await?;
        let mut transfer = Self::new(client, opened, doing, idle, upload);
        transfer.source = source;
        transfer.target = target;
        transfer.unmeasured = wanted_type == b'A' && !upload;
        Ok(transfer)
    }

    async fn open_custom(
        client: &Client,
        command: Command,
        options: StreamOptions,
        upload: bool,
    ) -> Result<Self, Error> {
        let doing = command.redacted();
        let expected = options.expected.clone();
        let (opened, idle) = client
            .run(move |driver| {
                Box::pin(async move {
                    let idle = driver.config.timeouts.idle;
                    Ok((driver.open_custom(command, &options).await?, idle))
                })
            })
            .await?;
        let mut transfer = Self::new(client, opened, doing, idle, upload);
        if !expected.is_empty() {
            transfer.expected = expected;
        }
        Ok(transfer)
    }

    fn new(client: &Client, opened: Opened, doing: String, idle: Duration, upload: bool) -> Self {
        let throttles = client.speed().with(upload, &Throttles::default());
        let Opened {
            stream,
            finished,
            announced,
        } = opened;
        Self {
            ended: stream.is_none(),
            stream: Lent {
                stream,
                upload,
                kept: finished.kept(),
            },
            finished,
            client: client.clone(),
            source: None,
            target: None,
            moved: 0,
            unasked: 0,
            announced,
            unmeasured: false,
            clean: true,
            doing,
            idle,
            timer: None,
            pace: Pace::new(throttles.clone()),
            throttles,
            expected: Masks::from("2xx"),
            pause: None,
        }
    }

    fn throttled(mut self, own: &Throttles) -> Self {
        let upload = self.stream.upload;
        self.throttles = self.client.speed().with(upload, own);
        self.pace = Pace::new(self.throttles.clone());
        self
    }

    fn copy_options(&self, progress: Progress) -> CopyOptions {
        CopyOptions {
            progress,
            throttles: self.throttles.clone(),
            ..CopyOptions::new(self.idle)
        }
    }

    /// Ready when the limits let more pass.
    fn pause(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let Some(left) = self.pace.wait(now()) {
            let pause = self
                .pause
                .get_or_insert_with(|| Box::pin(tokio::time::sleep(left.min(LOOK_AGAIN))));
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        Poll::Ready(())
    }

    /// Pending is an error once the idle limit has passed since the last byte.
    fn idle(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let idle = self.idle;
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(idle)));
        ready!(timer.as_mut().poll(cx));
        let error = NetError::Timeout {
            what: Waited::Data,
            limit: idle,
        };
        Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, error))
    }

    /// The copy loop, ended early when the server refuses half-way; then the server's word on it.
    async fn copy(
        self,
        run: impl Future<Output = Result<Copied, NetError>>,
    ) -> Result<Copied, Error> {
        self.copy_within(run, &Bound::default()).await
    }

    /// The same for a copy that may end before the server's file does: then the server has nothing to say that counts.
    async fn copy_within(
        mut self,
        run: impl Future<Output = Result<Copied, NetError>>,
        bound: &Bound,
    ) -> Result<Copied, Error> {
        let outcome = tokio::select! {
            biased;
            outcome = run => outcome,
            () = self.finished.refused() => Err(NetError::Cancelled),
        };
        match outcome {
            // Dropped, it is given up; the session stays usable.
            Ok(copied) if bound.is_reached() => Ok(copied),
            Ok(copied) => {
                // Beyond what was read by hand before.
                self.moved += copied.bytes;
                self.unasked = copied.unasked;
                self.clean = copied.clean || (self.source.is_none() && !self.unmeasured);
                self.conclude().await?;
                Ok(copied)
            }
            Err(error) => Err(self.broken(error).await),
        }
    }

    /// What to say of a transfer that broke off. The connection must be closed by now.
    async fn broken(self, error: NetError) -> Error {
        let doing = self.doing;
        match error {
            // The connection broke, or the server refused: its reply says more than our error.
            NetError::Io(_) | NetError::Tls { .. } | NetError::Cancelled => {
                match self.finished.complete().await {
                    Ok(reply) if !reply.code.is_completion() => Error::refused(doing, reply),
                    Err(later) => later,
                    Ok(_) => Error::with_source(ErrorKind::Truncated, doing, error),
                }
            }
            error @ NetError::Deflate(_) => {
                let client = self.client.clone();
                drop(self.finished);
                let spoiled = client.run(|driver| {
                    Box::pin(async move {
                        driver.spoiled();
                        Ok(())
                    })
                });
                let _ = spoiled.await;
                Error::net(doing, error)
            }
            // Ours to end: the task sees that we are gone, and clears up.
            error => Error::net(doing, error),
        }
    }

    /// The server's word, after the data connection was closed in good order.
    async fn conclude(self) -> Result<(), Error> {
        self.concluded().await.map(drop)
    }

    async fn concluded(self) -> Result<Reply, Error> {
        let moved = self.moved;
        let whole = |(path, offset): &(RemotePath, u64)| Whole {
            path: path.clone(),
            size: offset + moved,
        };
        let whole = match (&self.source, &self.target) {
            // Cut off or not is for its size to say in any case.
            (Some(source), _) if self.clean => Some(whole(source)),
            (_, Some(target)) => Some(whole(target)),
            _ => None,
        };
        let reply = self.finished.complete_as(whole).await?;
        if !self.expected.matches(reply.code) {
            return Err(Error::unexpected(self.doing, reply, self.expected));
        }
        // vsftpd lists a folder that it can't read as an empty one, and says so only here: "226 Transfer done (but
        // failed to open directory)." Taken for empty, it would make a mirror delete what is in it.
        if reply.text().contains("failed to open directory") {
            return Err(Error::with_reply(ErrorKind::Refused, self.doing, reply));
        }
        if self.unasked > 0 {
            return Err(Error::with_source(
                ErrorKind::Protocol,
                self.doing,
                format!(
                    "the server sent {} bytes on the data connection of an upload",
                    self.unasked
                ),
            ));
        }
        if self.unmeasured && !self.clean {
            return Err(Error::new(ErrorKind::Truncated, self.doing));
        }
        match self.source {
            // Somebody in between can end a TLS connection early, and the server would not know. It can't touch
            // the answer to SIZE.
            Some((path, offset)) if !self.clean => match self.client.size(&path).await {
                Ok(size) if size != offset + self.moved => {
                    Err(Error::new(ErrorKind::Truncated, self.doing))
                }
                Err(error) if error.is_fatal() => Err(error),
                _ => Ok(reply),
            },
            _ => Ok(reply),
        }
    }
}

impl Download {
    pub(crate) async fn open(
        client: &Client,
        command: Command,
        offset: u64,
        size: Option<u64>,
    ) -> Result<Self, Error> {
        Ok(Self(
            Transfer::open(client, command, offset, size, b'I').await?,
        ))
    }

    /// The same from the beginning with TYPE A.
    pub(crate) async fn open_text(client: &Client, command: Command) -> Result<Self, Error> {
        Ok(Self(Transfer::open(client, command, 0, None, b'A').await?))
    }

    pub(crate) async fn open_custom(
        client: &Client,
        command: Command,
        options: StreamOptions,
    ) -> Result<Self, Error> {
        let transfer = Transfer::open_custom(client, command, options, false).await?;
        Ok(Self(transfer))
    }

    /// How many bytes the server said would come, as it opened the transfer: `150 Opening … (1234 bytes).` Some tell the size of the
    /// whole file even where the transfer begins in the middle. Nothing is checked against it.
    #[must_use]
    pub const fn announced(&self) -> Option<u64> {
        self.0.announced
    }

    pub(crate) fn new(client: &Client, opened: Opened, doing: String, idle: Duration) -> Self {
        Self(Transfer::new(client, opened, doing, idle, false))
    }

    /// Puts it under limits of speed of its own, in place of those it had, besides those of the [client](Client::speed). They may change
    /// while it runs.
    #[must_use]
    pub fn throttled(self, throttles: Throttles) -> Self {
        Self(self.0.throttled(&throttles))
    }

    /// Copies what is left into `file`, from the file's present position on, by the fastest way there is, and
    /// waits for the server's word. Returns the number of bytes.
    ///
    /// Dropping the future ends the transfer at once; the session stays usable.
    ///
    /// # Errors
    /// [`ErrorKind::Local`] of the file; [`ErrorKind::Lost`], [`ErrorKind::Timeout`] or
    /// [`ErrorKind::Truncated`] of the connection; what the server says instead of 226.
    pub async fn copy_to_file(mut self, file: File, progress: Progress) -> Result<u64, Error> {
        match self.0.stream.stream.take() {
            Some(stream) => {
                let options = self.0.copy_options(progress);
                let run = copy::receive_to_file(stream, file, options);
                self.0.copy(run).await.map(|copied| copied.bytes)
            }
            None => self.0.conclude().await.map(|()| 0),
        }
    }

    /// As [`copy_to_file`](Self::copy_to_file), but to the place `at` (bytes from the file's beginning), whatever the
    /// file's position, and no further than `bound`, which may be lowered while it runs. When the bound is reached, the
    /// transfer is given up, and the server's word is not waited for: [`Bound::is_reached`] tells this from the end of
    /// the server's file. The session stays usable.
    ///
    /// # Errors
    /// As [`copy_to_file`](Self::copy_to_file).
    pub async fn copy_part_to_file(
        mut self,
        file: File,
        at: u64,
        bound: Bound,
        progress: Progress,
    ) -> Result<u64, Error> {
        let Some(stream) = self.0.stream.stream.take() else {
            return self.0.conclude().await.map(|()| 0);
        };
        let mut options = self.0.copy_options(progress);
        (options.at, options.bound) = (Some(at), bound.clone());
        let run = copy::receive_to_file(stream, file, options);
        self.0
            .copy_within(run, &bound)
            .await
            .map(|copied| copied.bytes)
    }

    /// Closes the data connection and waits for the server's word on the transfer. Without it a file isn't
    /// complete, however many bytes there are.
    ///
    /// # Errors
    /// [`ErrorKind::Truncated`] where it was not read to its end (then the transfer is given up), and what the server
    /// says instead of 226.
    pub async fn finish(self) -> Result<(), Error> {
        self.finish_with_reply().await.map(drop)
    }

    /// The same, and what the server said.
    ///
    /// # Errors
    /// As [`finish`](Self::finish).
    pub async fn finish_with_reply(mut self) -> Result<Reply, Error> {
        if !self.0.ended {
            return Err(Error::new(ErrorKind::Truncated, self.0.doing.clone()));
        }
        if let Some(mut stream) = self.0.stream.stream.take() {
            // The peer has closed already and may not take our goodbye any more.
            let _ = shutdown_orderly(&mut stream, GOODBYE).await;
        }
        self.0.concluded().await
    }

    /// Gives the transfer up by ABOR and waits until the session is clean.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn abort(mut self) -> Result<(), Error> {
        self.0.stream.close();
        self.0.finished.abort().await.map(drop)
    }

    /// What to say after reading it failed with `error`: the server's own reason, where it gives one.
    pub async fn failed(mut self, error: io::Error) -> Error {
        self.0.stream.close();
        let error = match error.downcast::<NetError>() {
            Ok(net) => net,
            Err(io) => NetError::Io(io),
        };
        self.0.broken(error).await
    }

    /// False where TLS ended without a goodbye, so that what came may have been cut off.
    pub(crate) const fn is_clean(&self) -> bool {
        self.0.clean
    }
}

impl Upload {
    pub(crate) async fn open(
        client: &Client,
        command: Command,
        offset: u64,
        size: Option<u64>,
    ) -> Result<Self, Error> {
        Self::of(Transfer::open(client, command, offset, size, b'I').await?)
    }

    /// The same with TYPE A.
    pub(crate) async fn open_text(client: &Client, command: Command) -> Result<Self, Error> {
        Self::of(Transfer::open(client, command, 0, None, b'A').await?)
    }

    pub(crate) async fn open_custom(
        client: &Client,
        command: Command,
        options: StreamOptions,
    ) -> Result<Self, Error> {
        Self::of(Transfer::open_custom(client, command, options, true).await?)
    }

    fn of(transfer: Transfer) -> Result<Self, Error> {
        match transfer.stream.stream {
            Some(_) => Ok(Self(transfer)),
            None => Err(Error::new(ErrorKind::Protocol, transfer.doing)),
        }
    }

    /// Puts it under limits of speed of its own, in place of those it had, besides those of the [client](Client::speed). They may change
    /// while it runs.
    #[must_use]
    pub fn throttled(self, throttles: Throttles) -> Self {
        Self(self.0.throttled(&throttles))
    }

    /// Sends `file` from its present position to its end by the fastest way there is, and waits for the
    /// server's word. Returns the number of bytes.
    ///
    /// Dropping the future ends the transfer at once; the session stays usable.
    ///
    /// # Errors
    /// As [`Download::copy_to_file`].
    pub async fn copy_from_file(mut self, file: File, progress: Progress) -> Result<u64, Error> {
        match self.0.stream.stream.take() {
            Some(stream) => {
                let options = self.0.copy_options(progress);
                let run = copy::send_from_file(stream, file, options);
                self.0.copy(run).await.map(|copied| copied.bytes)
            }
            None => self.0.conclude().await.map(|()| 0),
        }
    }

    /// Ends the file and waits for the server's word on it.
    ///
    /// # Errors
    /// Those of the connection, and what the server says instead of 226.
    pub async fn finish(self) -> Result<(), Error> {
        self.finish_with_reply().await.map(drop)
    }

    /// The same, and what the server said.
    ///
    /// # Errors
    /// As [`finish`](Self::finish).
    pub async fn finish_with_reply(mut self) -> Result<Reply, Error> {
        if let Some(mut stream) = self.0.stream.stream.take() {
            // ProFTPD sends the end of a zlib stream of its own.
            let packed = stream.deflate_counts().is_some();
            let closed = shutdown_orderly(&mut stream, GOODBYE).await;
            drop(stream);
            let doing = self.0.doing.clone();
            if !packed {
                self.0.unasked = *closed.as_ref().unwrap_or(&0);
            }
            if closed.is_err() {
                // Its end may not have arrived.
                self.0.target = None;
            }
            return match (self.0.concluded().await, closed) {
                (Ok(_), Err(error)) => Err(Error::net(doing, NetError::Io(error))),
                (outcome, _) => outcome,
            };
        }
        self.0.concluded().await
    }

    /// Gives the transfer up by ABOR and waits until the session is clean.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn abort(mut self) -> Result<(), Error> {
        self.0.stream.close();
        self.0.finished.abort().await.map(drop)
    }

    /// What to say after writing to it failed with `error`: the server's own reason, where it gives one.
    pub async fn failed(mut self, error: io::Error) -> Error {
        self.0.stream.close();
        let error = match error.downcast::<NetError>() {
            Ok(net) => net,
            Err(io) => NetError::Io(io),
        };
        self.0.broken(error).await
    }
}

/// The clock that tokio's timers go by.
fn now() -> std::time::Instant {
    Instant::now().into_std()
}

impl AsyncRead for Download {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut self.0;
        if this.ended {
            return Poll::Ready(Ok(()));
        }
        ready!(this.pause(cx));
        let Some(stream) = &mut this.stream.stream else {
            return Poll::Ready(Ok(()));
        };
        let room = buf.remaining();
        let piece = this.pace.piece(room);
        let before = buf.filled().len();
        let outcome = if piece < room {
            let mut part = ReadBuf::new(buf.initialize_unfilled_to(piece));
            let outcome = Pin::new(stream).poll_read(cx, &mut part);
            let filled = part.filled().len();
            buf.advance(filled);
            outcome
        } else {
            Pin::new(stream).poll_read(cx, buf)
        };
        match outcome {
            Poll::Ready(Ok(())) => {
                this.timer = None;
                let read = (buf.filled().len() - before) as u64;
                this.pace.moved(now(), read);
                this.moved += read;
                this.ended = read == 0 && room > 0;
                Poll::Ready(Ok(()))
            }
            // TLS cut off without a goodbye: the server's reply and the size decide whether that was all.
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                this.ended = true;
                this.clean = false;
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => this.idle(cx).map(Err),
        }
    }
}

impl AsyncWrite for Upload {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut self.0;
        ready!(this.pause(cx));
        let Some(stream) = &mut this.stream.stream else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        let piece = &buf[..this.pace.piece(buf.len())];
        match Pin::new(stream).poll_write(cx, piece) {
            Poll::Ready(outcome) => {
                this.timer = None;
                if let Ok(written) = outcome {
                    this.pace.moved(now(), written as u64);
                    this.moved += written as u64;
                }
                Poll::Ready(outcome)
            }
            Poll::Pending => this.idle(cx).map(Err),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut self.0;
        let Some(stream) = &mut this.stream.stream else {
            return Poll::Ready(Ok(()));
        };
        match Pin::new(stream).poll_flush(cx) {
            Poll::Ready(outcome) => Poll::Ready(outcome),
            Poll::Pending => this.idle(cx).map(Err),
        }
    }

    /// Only flushes: the data connection ends with [`Upload::finish`], which also hears the server's word.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}
