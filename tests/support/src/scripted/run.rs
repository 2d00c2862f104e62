//! Doing a script's steps.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::{TcpListener, TcpStream};

use super::text::{data_address, matches};
use super::wire::{Lines, Wire, gone};
use super::{Ending, Event, Script, ScriptError, Step, Transcript};

pub(super) struct Runner {
    control: Option<Lines>,
    data: Option<Wire>,
    listener: Option<TcpListener>,
    standing: Vec<(String, String)>,
    peer: SocketAddr,
    last_line: Vec<u8>,
    transcript: Transcript,
}

impl Runner {
    pub(super) async fn run(script: Script, stream: TcpStream) -> Result<Transcript, ScriptError> {
        let fault = |what: String, transcript: &Transcript| ScriptError {
            what,
            transcript: transcript.clone(),
        };
        let nothing = Transcript::default();
        let peer = stream
            .peer_addr()
            .map_err(|error| fault(error.to_string(), &nothing))?;
        let wire = Wire::new(stream).map_err(|error| fault(error.to_string(), &nothing))?;
        let mut runner = Self {
            control: Some(Lines {
                wire,
                buffer: Vec::new(),
            }),
            data: None,
            listener: None,
            standing: script.standing,
            peer,
            last_line: Vec::new(),
            transcript: nothing,
        };
        match tokio::time::timeout(script.limit, runner.steps(&script.steps)).await {
            Ok(Ok(())) => Ok(runner.transcript),
            Ok(Err(what)) => Err(fault(what, &runner.transcript)),
            Err(_) => Err(fault(
                format!("not done after {:?}", script.limit),
                &runner.transcript,
            )),
        }
    }

    async fn steps(&mut self, steps: &[Step]) -> Result<(), String> {
        for step in steps {
            if let Step::Repeat(times, inner) = step {
                for _ in 0..*times {
                    Box::pin(self.steps(inner)).await?;
                }
            } else {
                self.step(step).await?;
            }
        }
        Ok(())
    }

    async fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Expect(pattern) => self.expect(pattern).await,
            Step::ExpectClose => match self.line().await? {
                None => Ok(()),
                Some(line) => Err(format!("expected the end, got {}", line.escape_ascii())),
            },
            Step::ServeRest => {
                while let Some(line) = self.line().await? {
                    let answer = self
                        .standing_answer(&line)
                        .unwrap_or_else(|| "500 not in the script".into());
                    // The other side may close without waiting for its answer.
                    if let Err(why) = self.say(&answer).await {
                        self.note(&why);
                        break;
                    }
                }
                Ok(())
            }
            Step::Say(line) => self.say(line).await,
            Step::Send(bytes) => self.send(bytes).await,
            Step::Dribble(bytes, piece) => {
                for part in bytes.chunks(*piece) {
                    self.send(part).await?;
                    tokio::task::yield_now().await;
                }
                Ok(())
            }
            Step::Delay(time) => {
                tokio::time::sleep(*time).await;
                Ok(())
            }
            Step::Signal(gate) => {
                gate.open();
                Ok(())
            }
            Step::WaitFor(gate) => {
                gate.passed().await;
                Ok(())
            }
            Step::StartTls(_) | Step::StartTlsAsClient(..) | Step::StopTls => {
                self.start_tls(step).await
            }
            Step::AcceptData(_) | Step::DialData(_) => self.open_data(step).await,
            Step::DialLast(beginning) => {
                let lines = self.transcript.events.iter().rev();
                let said = lines.filter_map(|event| match event {
                    Event::Received(line) if line.starts_with(beginning.as_bytes()) => Some(line),
                    _ => None,
                });
                let Some(line) = said.take(1).next() else {
                    return Err(format!("no line began with {beginning:?}"));
                };
                self.last_line = line.clone();
                self.open_data(&Step::DialData(None)).await
            }
            Step::SendData(bytes) => self.send_data(bytes, 1, false).await,
            Step::FloodData(bytes, times) => self.send_data(bytes, *times, true).await,
            Step::ReadData(at_least) => self.read_data(*at_least).await,
            Step::EndData(ending) => {
                self.note(&format!("{ending:?} of the data connection"));
                let wire = self.data.take().ok_or("no data connection to end")?;
                ended(wire.end(*ending).await)
            }
            Step::End(ending) => {
                self.note(&format!("{ending:?} of the control connection"));
                let lines = self
                    .control
                    .take()
                    .ok_or("the control connection has ended already")?;
                let mut wire = lines.wire;
                if *ending == Ending::Close {
                    // Bytes that nobody read would turn the close into a reset.
                    let mut rest = lines.buffer;
                    if let Wire::Plain(stream) = &mut wire {
                        while stream.try_read_buf(&mut rest).is_ok_and(|count| count > 0) {}
                    }
                }
                ended(wire.end(*ending).await)
            }
            Step::Repeat(..) => unreachable!("steps() does the repeating"),
        }
    }

    async fn expect(&mut self, pattern: &str) -> Result<(), String> {
        loop {
            let Some(line) = self.line().await? else {
                return Err(format!(
                    "expected {pattern:?}, got the end of the connection"
                ));
            };
            if matches(pattern.as_bytes(), &line) {
                return Ok(());
            }
            match self.standing_answer(&line) {
                Some(answer) => self.say(&answer).await?,
                None => return Err(format!("expected {pattern:?}, got {}", line.escape_ascii())),
            }
        }
    }

    fn standing_answer(&self, line: &[u8]) -> Option<String> {
        let mut newest_first = self.standing.iter().rev();
        newest_first
            .find(|(pattern, _)| matches(pattern.as_bytes(), line))
            .map(|(_, answer)| answer.clone())
    }

    async fn line(&mut self) -> Result<Option<Vec<u8>>, String> {
        let control = self
            .control
            .as_mut()
            .ok_or("the control connection has ended")?;
        let line = control
            .next()
            .await
            .map_err(|error| format!("reading: {error}"))?;
        match &line {
            Some(line) => {
                self.last_line.clone_from(line);
                self.transcript.events.push(Event::Received(line.clone()));
            }
            None => self.note("the other side closed the control connection"),
        }
        Ok(line)
    }

    async fn say(&mut self, line: &str) -> Result<(), String> {
        let mut line = line.to_owned();
        if line.contains("{port}") || line.contains("{pasv}") {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
                .await
                .map_err(|error| error.to_string())?;
            let port = listener
                .local_addr()
                .map_err(|error| error.to_string())?
                .port();
            self.listener = Some(listener);
            let six = format!("127,0,0,1,{},{}", port >> 8, port & 0xff);
            line = line
                .replace("{port}", &port.to_string())
                .replace("{pasv}", &six);
        }
        line.push_str("\r\n");
        self.send(line.as_bytes()).await
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), String> {
        let control = self
            .control
            .as_mut()
            .ok_or("the control connection has ended")?;
        self.transcript.events.push(Event::Sent(bytes.to_vec()));
        control
            .wire
            .write(bytes)
            .await
            .map_err(|error| format!("sending: {error}"))
    }

    async fn start_tls(&mut self, step: &Step) -> Result<(), String> {
        let lines = self
            .control
            .take()
            .ok_or("the control connection has ended")?;
        if !lines.buffer.is_empty() {
            return Err(format!(
                "plain bytes before TLS: {}",
                lines.buffer.escape_ascii()
            ));
        }
        let wire = match step {
            Step::StartTls(config) => lines.wire.accept_tls(config.clone()).await,
            Step::StartTlsAsClient(config, name) => {
                lines.wire.connect_tls(config.clone(), name).await
            }
            Step::StopTls => lines.wire.stop_tls().await,
            _ => unreachable!("only the TLS steps come here"),
        };
        let wire = wire.map_err(|error| format!("TLS: {error}"))?;
        self.note(match step {
            Step::StopTls => "TLS ended",
            _ => "TLS began",
        });
        self.control = Some(Lines {
            wire,
            buffer: Vec::new(),
        });
        Ok(())
    }

    async fn open_data(&mut self, step: &Step) -> Result<(), String> {
        let trouble = |error: io::Error| format!("data connection: {error}");
        self.data = Some(match step {
            Step::AcceptData(tls) => {
                let listener = self
                    .listener
                    .take()
                    .ok_or("no {port} or {pasv} was said before")?;
                let (stream, _) = listener.accept().await.map_err(trouble)?;
                let wire = Wire::new(stream).map_err(trouble)?;
                match tls {
                    Some(config) => wire.accept_tls(config.clone()).await.map_err(trouble)?,
                    None => wire,
                }
            }
            Step::DialData(tls) => {
                let addr = data_address(&self.last_line, self.peer.ip()).ok_or_else(|| {
                    format!("no data address in {}", self.last_line.escape_ascii())
                })?;
                let wire =
                    Wire::new(TcpStream::connect(addr).await.map_err(trouble)?).map_err(trouble)?;
                match tls {
                    Some((config, name)) => wire
                        .connect_tls(config.clone(), name)
                        .await
                        .map_err(trouble)?,
                    None => wire,
                }
            }
            _ => unreachable!("only the two data steps come here"),
        });
        self.note("data connection open");
        Ok(())
    }

    async fn send_data(
        &mut self,
        bytes: &[u8],
        times: u64,
        may_be_cut: bool,
    ) -> Result<(), String> {
        let wire = self.data.as_mut().ok_or("no data connection to send on")?;
        let mut sent = 0;
        for _ in 0..times {
            match wire.write(bytes).await {
                Ok(()) => sent += bytes.len() as u64,
                Err(error) if may_be_cut && gone(&error) => break,
                Err(error) => return Err(format!("sending data: {error}")),
            }
        }
        self.transcript.events.push(Event::DataSent(sent));
        Ok(())
    }

    async fn read_data(&mut self, at_least: Option<usize>) -> Result<(), String> {
        let wire = self
            .data
            .as_mut()
            .ok_or("no data connection to read from")?;
        let mut bytes = Vec::new();
        while at_least.is_none_or(|count| bytes.len() < count) {
            match wire.read(&mut bytes).await {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => {
                    return Err(format!("reading data after {} bytes: {error}", bytes.len()));
                }
            }
        }
        let enough = at_least.is_none_or(|count| bytes.len() >= count);
        let got = bytes.len();
        self.transcript.events.push(Event::DataReceived(bytes));
        if enough {
            Ok(())
        } else {
            Err(format!("the data ended after {got} bytes"))
        }
    }

    fn note(&mut self, text: &str) {
        self.transcript.events.push(Event::Note(text.into()));
    }
}

/// An orderly end that finds nobody there is still an end.
fn ended(result: io::Result<()>) -> Result<(), String> {
    match result {
        Err(error) if !gone(&error) && error.kind() != io::ErrorKind::NotConnected => {
            Err(format!("closing: {error}"))
        }
        _ => Ok(()),
    }
}
