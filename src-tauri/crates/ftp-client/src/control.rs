use std::{
    io,
    time::{Duration, Instant, SystemTime},
};

use bytes::BytesMut;
use ftp_net::{NetError, Stream, Timeouts, Waited};
use ftp_proto::{Command, PathStyle, Reply, ReplyDecoder, ReplyError, escape};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{Error, ErrorKind, LogEvent, LogKind, Observer};

/// A server that still has no answer after this many preliminary replies (1xx) never will. Each has the whole reply limit.
const MOST_PRELIMINARY: usize = 100;

/// A reply that may be over is taken for it after this much silence.
const SILENCE: Duration = Duration::from_millis(300);
/// So long one waits where a reply has broken the rules for the first time: a line of another code in a reply of several lines is
/// more often text than the end.
const PATIENCE: Duration = Duration::from_secs(3);

/// The control connection: commands out, replies in, each in its turn.
pub(crate) struct Control {
    stream: Option<Stream>,
    decoder: ReplyDecoder,
    input: BytesMut,
    output: BytesMut,
    pub(crate) timeouts: Timeouts,
    observer: Option<Observer>,
    /// The shortest time from a command to its reply.
    round_trip: Option<Duration>,
    /// Replies of several lines end with another code here.
    lenient: bool,
    /// The last reply was the end of a transfer, which some servers say twice.
    may_repeat: bool,
    /// How the server writes paths.
    pub(crate) style: PathStyle,
    /// Why nothing more can be done with it.
    dead: Option<Error>,
}

impl Control {
    pub(crate) fn new(stream: Stream, timeouts: Timeouts, observer: Option<Observer>) -> Self {
        Self {
            stream: Some(stream),
            decoder: ReplyDecoder::new(),
            input: BytesMut::with_capacity(4096),
            output: BytesMut::new(),
            timeouts,
            observer,
            round_trip: None,
            lenient: false,
            may_repeat: false,
            style: PathStyle::default(),
            dead: None,
        }
    }

    pub(crate) fn log(&self, kind: LogKind, text: impl Into<String>) {
        log(self.observer.as_ref(), kind, text);
    }

    pub(crate) const fn dead(&self) -> Option<&Error> {
        self.dead.as_ref()
    }

    /// Closes the connection; every later use gives this error.
    pub(crate) fn kill(&mut self, error: Error) -> Error {
        self.stream = None;
        error.mark_fatal();
        self.dead.get_or_insert(error).clone()
    }

    pub(crate) fn stream(&self) -> Result<&Stream, Error> {
        self.stream.as_ref().ok_or_else(|| self.gone())
    }

    /// Takes the connection out, to put TLS over it.
    ///
    /// Bytes that arrived behind the reply to AUTH came unencrypted, possibly from somebody in between who
    /// wants them taken for encrypted ones: that ends the connection.
    pub(crate) fn take_for_tls(&mut self) -> Result<Stream, Error> {
        if !self.input.is_empty() || self.decoder.is_inside() {
            let error = Error::new(
                ErrorKind::Protocol,
                format!(
                    "AUTH: the server sent unencrypted bytes behind its reply: \"{}\"",
                    escape(&self.input, 200)
                ),
            );
            return Err(self.kill(error));
        }
        self.stream.take().ok_or_else(|| self.gone())
    }

    pub(crate) fn put_back(&mut self, stream: Stream) {
        self.stream = Some(stream);
    }

    /// The same, with bytes that came ahead of it.
    pub(crate) fn put_back_with(&mut self, stream: Stream, ahead: &[u8]) {
        self.input.extend_from_slice(ahead);
        self.stream = Some(stream);
    }

    fn gone(&self) -> Error {
        self.dead
            .clone()
            .unwrap_or_else(|| Error::gone("the control connection"))
    }

    /// Sends a command.
    pub(crate) async fn send(&mut self, command: &Command) -> Result<(), Error> {
        self.send_all(std::slice::from_ref(command)).await
    }

    /// Sends commands in one write.
    pub(crate) async fn send_all(&mut self, commands: &[Command]) -> Result<(), Error> {
        if self.observer.is_some() {
            for command in commands {
                self.log(LogKind::Sent, self.style.command(command).redacted());
            }
        }
        let doing = commands.first().map_or_else(String::new, Command::redacted);
        self.write_all(commands, &doing).await
    }

    /// Sends a command that the log shows as `shown`.
    pub(crate) async fn send_shown(&mut self, command: &Command, shown: &str) -> Result<(), Error> {
        self.log(LogKind::Sent, shown);
        self.write_all(std::slice::from_ref(command), shown).await
    }

    async fn write_all(&mut self, commands: &[Command], doing: &str) -> Result<(), Error> {
        self.output.clear();
        for command in commands {
            self.style.command(command).encode(&mut self.output);
        }
        let limit = self.timeouts.reply;
        let Some(stream) = &mut self.stream else {
            return Err(self.gone());
        };
        let sending = async {
            stream.write_all(&self.output).await?;
            stream.flush().await
        };
        let outcome = match tokio::time::timeout(limit, sending).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(NetError::Io(error)),
            Err(_) => Err(NetError::Timeout {
                what: Waited::Reply,
                limit,
            }),
        };
        // The bytes of a password don't stay in memory longer than they must.
        self.output.iter_mut().for_each(|byte| *byte = 0);
        outcome.map_err(|error| self.kill(Error::net(doing, error)))
    }

    /// True where something has come that nobody has read yet.
    pub(crate) fn has_unread(&self) -> bool {
        !self.input.is_empty() || self.decoder.is_inside()
    }

    /// The shortest time from a command to its reply so far.
    pub(crate) const fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// The next reply, 1xx included, within the reply limit.
    pub(crate) async fn reply(&mut self, doing: &str) -> Result<Reply, Error> {
        let limit = self.timeouts.reply;
        self.reply_within(doing, limit).await
    }

    pub(crate) async fn reply_within(
        &mut self,
        doing: &str,
        limit: Duration,
    ) -> Result<Reply, Error> {
        match tokio::time::timeout(limit, self.next_reply(doing)).await {
            Ok(reply) => reply,
            Err(_) => Err(self.kill(Error::net(
                doing,
                NetError::Timeout {
                    what: Waited::Reply,
                    limit,
                },
            ))),
        }
    }

    /// The next reply, however long it takes. Dropping the future loses nothing.
    pub(crate) async fn next_reply(&mut self, doing: &str) -> Result<Reply, Error> {
        loop {
            match self.decoder.decode(&mut self.input) {
                Ok(Some(reply)) => return self.received(doing, reply),
                Ok(None) => {}
                Err(error) => return Err(self.broken(doing, error)),
            }
            let inside = self.decoder.is_inside();
            let over = self.decoder.may_be_over(&self.input);
            let patience = if inside && !self.lenient {
                PATIENCE
            } else {
                SILENCE
            };
            let Some(stream) = &mut self.stream else {
                return Err(self.gone());
            };
            let read = stream.read_buf(&mut self.input);
            let read = if over {
                tokio::time::timeout(patience, read).await
            } else {
                Ok(read.await)
            };
            match read {
                Ok(Ok(1..)) => {}
                Ok(Ok(0)) => return Err(self.kill(Error::new(ErrorKind::Lost, doing))),
                // A server that closes TLS without a goodbye: for a connection of replies that is the end, no more.
                Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Err(self.kill(Error::new(ErrorKind::Lost, doing)));
                }
                Ok(Err(error)) => return Err(self.kill(Error::net(doing, NetError::Io(error)))),
                Err(_) => match self.decoder.give_in(&mut self.input) {
                    Ok(Some(reply)) => {
                        if inside && !self.lenient {
                            self.lenient = true;
                            self.log(
                                LogKind::Warning,
                                "the server's reply of several lines ended against the rules",
                            );
                        }
                        return self.received(doing, reply);
                    }
                    Ok(None) => {}
                    Err(error) => return Err(self.broken(doing, error)),
                },
            }
        }
    }

    fn received(&mut self, doing: &str, reply: Reply) -> Result<Reply, Error> {
        if self.observer.is_some() {
            self.log(LogKind::Received, reply.to_string());
        }
        // 421 may come at any moment and says that the connection ends (RFC 959 section 5.4).
        if reply.code.value() == 421 {
            return Err(self.kill(Error::refused(doing, reply)));
        }
        Ok(reply)
    }

    /// What came was no reply: nothing after it can be told apart any more.
    fn broken(&mut self, doing: &str, error: ReplyError) -> Error {
        self.kill(Error::with_source(ErrorKind::Protocol, doing, error))
    }

    /// A command and its final reply; preliminary ones are passed over.
    pub(crate) async fn exchange(&mut self, command: &Command) -> Result<Reply, Error> {
        self.exchange_first(std::slice::from_ref(command)).await
    }

    /// Sends commands in one write, and reads the final reply to the first. Those to the others have still to be read.
    pub(crate) async fn exchange_first(&mut self, commands: &[Command]) -> Result<Reply, Error> {
        let begin = Instant::now();
        self.send_all(commands).await?;
        let doing = commands.first().map_or_else(String::new, Command::redacted);
        let mut reply = self.final_reply(&doing).await?;
        let repeated = std::mem::take(&mut self.may_repeat)
            && reply.code.value() == 226
            && commands.first().is_some_and(is_never_226);
        if repeated {
            self.log(LogKind::Warning, "the end of the transfer was said twice");
            reply = self.final_reply(&doing).await?;
        }
        let time = begin.elapsed();
        self.round_trip = Some(self.round_trip.map_or(time, |least| least.min(time)));
        Ok(reply)
    }

    /// Whether a transfer has just ended: then another 226 is of that one.
    pub(crate) const fn may_repeat(&mut self, may: bool) {
        self.may_repeat = may;
    }

    /// The next reply that isn't a preliminary one.
    pub(crate) async fn final_reply(&mut self, doing: &str) -> Result<Reply, Error> {
        let mut reply = self.reply(doing).await?;
        for _ in 0..MOST_PRELIMINARY {
            if !reply.code.is_preliminary() {
                return Ok(reply);
            }
            reply = self.reply(doing).await?;
        }
        Err(self.kill(Error::with_reply(ErrorKind::Protocol, doing, reply)))
    }

    /// Says goodbye to the TLS layer, best effort.
    pub(crate) async fn close(&mut self) {
        if let Some(mut stream) = self.stream.take() {
            let _ = tokio::time::timeout(Duration::from_secs(1), stream.shutdown()).await;
        }
    }
}

/// True for commands that no server answers with 226.
const fn is_never_226(command: &Command) -> bool {
    matches!(
        command,
        Command::Epsv(_)
            | Command::Pasv
            | Command::Eprt(_)
            | Command::Port(_)
            | Command::Pwd
            | Command::Size(_)
            | Command::Mdtm(_)
            | Command::Mlst(_)
            | Command::Rest(_)
            | Command::Rnfr(_)
    )
}

pub(crate) fn log(observer: Option<&Observer>, kind: LogKind, text: impl Into<String>) {
    if let Some(observer) = observer {
        observer(LogEvent {
            at: SystemTime::now(),
            kind,
            text: text.into(),
        });
    }
}
