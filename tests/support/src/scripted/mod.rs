//! A peer that follows a script: it expects lines, answers them, opens data connections, and misbehaves exactly
//! as told. It plays the server against the client ([`Peer::serve`]) or the client against the server
//! ([`Script::connect`]), and writes down everything that went over the wire.
//!
//! ```
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
//! # runtime.block_on(async {
//! use support::{Peer, Script};
//!
//! let peer = Peer::serve(Script::new().say("220 hello").expect("QUIT").say("221 bye").close()).await;
//! let client = Script::new().expect("220*").say("QUIT").expect("221*").expect_close();
//! client.connect(peer.addr()).await.unwrap();
//! let transcript = peer.finish().await;
//! assert_eq!(transcript.received_lines(), ["QUIT"]);
//! # });
//! ```

mod peer;
mod run;
mod text;
mod transcript;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, ServerConfig};
use tokio::net::TcpStream;

pub use peer::{Gate, Peer};
pub use transcript::{Event, ScriptError, Transcript};

use run::Runner;

/// How long a whole script may take before it counts as failed.
const LIMIT: Duration = Duration::from_secs(20);

/// What a peer does, step by step. Every method adds one step.
///
/// Patterns are compared with whole lines, without their line end; `*` stands for any text.
#[derive(Clone)]
pub struct Script {
    steps: Vec<Step>,
    standing: Vec<(String, String)>,
    limit: Duration,
}

#[derive(Clone)]
enum Step {
    Expect(String),
    ExpectClose,
    ServeRest,
    Say(String),
    Send(Vec<u8>),
    Dribble(Vec<u8>, usize),
    Delay(Duration),
    Signal(Gate),
    WaitFor(Gate),
    StartTls(Arc<ServerConfig>),
    StartTlsAsClient(Arc<ClientConfig>, String),
    StopTls,
    AcceptData(Option<Arc<ServerConfig>>),
    DialData(Option<(Arc<ClientConfig>, String)>),
    DialLast(String),
    SendData(Vec<u8>),
    FloodData(Vec<u8>, u64),
    ReadData(Option<usize>),
    EndData(Ending),
    End(Ending),
    Repeat(usize, Vec<Step>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ending {
    /// In order: close_notify on TLS, then FIN.
    Close,
    /// FIN without close_notify: what a truncation attack looks like.
    Cut,
    /// RST.
    Reset,
}

impl Default for Script {
    fn default() -> Self {
        Self::new()
    }
}

impl Script {
    /// A script without steps, that must be over within 20 seconds.
    pub fn new() -> Self {
        Self {
            steps: Vec::new(),
            standing: Vec::new(),
            limit: LIMIT,
        }
    }

    /// A server's greeting, and standing answers to everything that a client may say until it transfers
    /// something: login (any user and password), FEAT, SYST, PWD, TYPE, CWD, OPTS, CLNT, NOOP, QUIT, EPSV; AUTH
    /// is refused.
    pub fn logged_in() -> Self {
        Self::new().say("220 scripted peer").answering(&[
            ("AUTH *", "502 no TLS here"),
            ("USER *", "331 and the password?"),
            ("PASS *", "230 come in"),
            ("FEAT", "211-Features:\r\n EPSV\r\n MDTM\r\n SIZE\r\n REST STREAM\r\n UTF8\r\n MLST type*;size*;modify*;\r\n211 End"),
            ("SYST", "215 UNIX Type: L8"),
            ("PWD", "257 \"/\" is the current directory"),
            ("TYPE *", "200 type set"),
            ("CWD *", "250 there"),
            ("OPTS *", "200 as you wish"),
            ("CLNT *", "200 noted"),
            ("NOOP", "200 nothing done"),
            ("QUIT", "221 goodbye"),
            ("EPSV*", "229 Entering Extended Passive Mode (|||{port}|)"),
        ])
    }

    /// Sets the time that the whole script may take.
    #[must_use]
    pub fn within(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Adds standing answers: wherever a later [`Self::expect`] gets another line, and that line matches one
    /// of these patterns, the answer is said and the waiting goes on. Later ones win. The answers may hold the
    /// placeholders of [`Self::say`].
    #[must_use]
    pub fn answering(mut self, table: &[(&str, &str)]) -> Self {
        self.standing.extend(
            table
                .iter()
                .map(|(pattern, answer)| ((*pattern).into(), (*answer).into())),
        );
        self
    }

    /// Waits for a line that matches.
    #[must_use]
    pub fn expect(self, pattern: &str) -> Self {
        self.step(Step::Expect(pattern.into()))
    }

    /// Waits for the other side to close (or reset) the connection; a line is a failure.
    #[must_use]
    pub fn expect_close(self) -> Self {
        self.step(Step::ExpectClose)
    }

    /// Answers from the standing answers until the other side closes; any other command gets 500.
    #[must_use]
    pub fn serve_rest(self) -> Self {
        self.step(Step::ServeRest)
    }

    /// Says a line; CR LF is added. `{port}` becomes the port of a data listener that is opened for it on
    /// loopback, `{pasv}` the same as the six numbers of a reply to PASV.
    #[must_use]
    pub fn say(self, line: &str) -> Self {
        self.step(Step::Say(line.into()))
    }

    /// Sends bytes as they are.
    #[must_use]
    pub fn send(self, bytes: impl Into<Vec<u8>>) -> Self {
        self.step(Step::Send(bytes.into()))
    }

    /// Sends bytes in pieces of `piece` bytes, each flushed by itself.
    #[must_use]
    pub fn dribble(self, bytes: impl Into<Vec<u8>>, piece: usize) -> Self {
        self.step(Step::Dribble(bytes.into(), piece.max(1)))
    }

    /// Waits, in tokio's time: a paused clock makes it free.
    #[must_use]
    pub fn delay(self, time: Duration) -> Self {
        self.step(Step::Delay(time))
    }

    /// Opens a gate that the test waits at.
    #[must_use]
    pub fn signal(self, gate: &Gate) -> Self {
        self.step(Step::Signal(gate.clone()))
    }

    /// Waits until the test opens a gate.
    #[must_use]
    pub fn wait_for(self, gate: &Gate) -> Self {
        self.step(Step::WaitFor(gate.clone()))
    }

    /// Goes on in TLS, as the server. Bytes that the other side sent too early are a failure.
    #[must_use]
    pub fn start_tls(self, config: Arc<ServerConfig>) -> Self {
        self.step(Step::StartTls(config))
    }

    /// Goes on in TLS, as the client, expecting this name in the certificate.
    #[must_use]
    pub fn start_tls_as_client(self, config: Arc<ClientConfig>, name: &str) -> Self {
        self.step(Step::StartTlsAsClient(config, name.into()))
    }

    /// Waits for the other side to end TLS, ends it too, and goes on in plain on the same connection (CCC).
    #[must_use]
    pub fn stop_tls(self) -> Self {
        self.step(Step::StopTls)
    }

    /// Waits for a connection to the data listener that the last `{port}` or `{pasv}` opened.
    #[must_use]
    pub fn accept_data(self) -> Self {
        self.step(Step::AcceptData(None))
    }

    /// As [`Self::accept_data`], in TLS, as the server.
    #[must_use]
    pub fn accept_data_tls(self, config: Arc<ServerConfig>) -> Self {
        self.step(Step::AcceptData(Some(config)))
    }

    /// Connects to where the last received line says: `229`, `227`, EPRT or PORT.
    #[must_use]
    pub fn dial_data(self) -> Self {
        self.step(Step::DialData(None))
    }

    /// As [`Self::dial_data`], to where the last line said that begins like this, however long ago.
    #[must_use]
    pub fn dial_last(self, beginning: &str) -> Self {
        self.step(Step::DialLast(beginning.into()))
    }

    /// As [`Self::dial_data`], in TLS, as the client.
    #[must_use]
    pub fn dial_data_tls(self, config: Arc<ClientConfig>, name: &str) -> Self {
        self.step(Step::DialData(Some((config, name.into()))))
    }

    /// Sends bytes on the data connection.
    #[must_use]
    pub fn send_data(self, bytes: impl Into<Vec<u8>>) -> Self {
        self.step(Step::SendData(bytes.into()))
    }

    /// Sends the same bytes `times` over, without keeping them all in memory. That the other side stops
    /// reading and closes is no failure: it is what a bounded reader does.
    #[must_use]
    pub fn flood_data(self, bytes: impl Into<Vec<u8>>, times: u64) -> Self {
        self.step(Step::FloodData(bytes.into(), times))
    }

    /// Reads the data connection to its end, into the transcript.
    #[must_use]
    pub fn read_data(self) -> Self {
        self.step(Step::ReadData(None))
    }

    /// Reads at least this many bytes of the data connection, and no more than one read beyond them.
    #[must_use]
    pub fn read_data_at_least(self, count: usize) -> Self {
        self.step(Step::ReadData(Some(count)))
    }

    /// Closes the data connection in order: in TLS with close_notify.
    #[must_use]
    pub fn close_data(self) -> Self {
        self.step(Step::EndData(Ending::Close))
    }

    /// Closes the data connection without close_notify.
    #[must_use]
    pub fn cut_data(self) -> Self {
        self.step(Step::EndData(Ending::Cut))
    }

    /// Resets the data connection.
    #[must_use]
    pub fn reset_data(self) -> Self {
        self.step(Step::EndData(Ending::Reset))
    }

    /// Closes the control connection in order; nothing can follow but data steps.
    #[must_use]
    pub fn close(self) -> Self {
        self.step(Step::End(Ending::Close))
    }

    /// Drops the control connection without close_notify.
    #[must_use]
    pub fn cut(self) -> Self {
        self.step(Step::End(Ending::Cut))
    }

    /// Resets the control connection.
    #[must_use]
    pub fn reset(self) -> Self {
        self.step(Step::End(Ending::Reset))
    }

    /// Does the steps of another script `times` over; its standing answers are added to this one's.
    #[must_use]
    pub fn repeat(mut self, times: usize, script: Script) -> Self {
        self.standing.extend(script.standing);
        self.step(Step::Repeat(times, script.steps))
    }

    /// Does the steps of another script.
    #[must_use]
    pub fn then(self, script: Script) -> Self {
        self.repeat(1, script)
    }

    /// Plays the client's side against a server.
    ///
    /// # Errors
    ///
    /// [`ScriptError`] if the server did not do what the script expects.
    pub async fn connect(self, addr: SocketAddr) -> Result<Transcript, ScriptError> {
        match TcpStream::connect(addr).await {
            Ok(stream) => Runner::run(self, stream).await,
            Err(error) => Err(ScriptError {
                what: format!("connecting to {addr}: {error}"),
                transcript: Transcript::default(),
            }),
        }
    }

    fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}
