//! A healthy server of ours behind somebody who changes what it hears and says: any sickness of the control connection can be had that way,
//! while data connections go straight.

use std::{net::SocketAddr, sync::Arc};

use ftp_client::{Config, TlsMode};
use support::Tls;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
    sync::Mutex,
};

use crate::own::{OwnServer, Store};

/// What becomes of a command.
pub enum Heard {
    /// The server gets it, perhaps in other words.
    As(String),
    /// It is answered in the server's place.
    Answer(String),
    /// Nobody answers.
    Silence,
    /// The connection is closed.
    HangUp,
}

/// What goes wrong.
pub trait Sickness: Send + Sync + 'static {
    /// What becomes of a command. `pipelined`: it came in one piece with the one before.
    fn hear(&self, command: &str, pipelined: bool) -> Heard {
        let _ = pipelined;
        Heard::As(command.to_owned())
    }

    /// What becomes of a line of a reply to a command; the greeting's command is empty.
    fn say(&self, command: &str, line: &str) -> String {
        let _ = command;
        line.to_owned()
    }
}

/// A sickness of what is heard.
pub struct Hears<F>(pub F);

impl<F: Fn(&str, bool) -> Heard + Send + Sync + 'static> Sickness for Hears<F> {
    fn hear(&self, command: &str, pipelined: bool) -> Heard {
        (self.0)(command, pipelined)
    }
}

/// A sickness of what is said.
pub struct Says<F>(pub F);

impl<F: Fn(&str, &str) -> String + Send + Sync + 'static> Sickness for Says<F> {
    fn say(&self, command: &str, line: &str) -> String {
        (self.0)(command, line)
    }
}

/// A sick server.
pub struct Sick {
    /// The healthy one inside.
    pub inside: OwnServer,
    addr: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl Sick {
    /// Without TLS, on a disk.
    pub async fn with(sickness: impl Sickness) -> Self {
        let inside = OwnServer::start(Store::Disk, Tls::Off).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let sickness: Arc<dyn Sickness> = Arc::new(sickness);
        let server = inside.addr();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let sickness = sickness.clone();
                tokio::spawn(async move {
                    let server = TcpStream::connect(server).await.unwrap();
                    between(client, server, sickness).await;
                });
            }
        });
        Self { inside, addr, task }
    }

    /// How to reach it, with leave to send the password as it is.
    pub fn config(&self) -> Config {
        self.inside
            .config()
            .with_port(self.addr.port())
            .with_tls(TlsMode::Off)
    }
}

impl Drop for Sick {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn between(client: TcpStream, server: TcpStream, sickness: Arc<dyn Sickness>) {
    let (hears, says) = client.into_split();
    let (answers, asks) = server.into_split();
    let says = Arc::new(Mutex::new(says));
    let command = Arc::new(Mutex::new(String::new()));
    let talking = talk(answers, says.clone(), command.clone(), sickness.clone());
    let hearing = hear(hears, asks, says, command, sickness);
    // Whoever ends first ends both.
    tokio::select! {
        () = talking => {}
        () = hearing => {}
    }
}

async fn talk(
    answers: OwnedReadHalf,
    says: Arc<Mutex<OwnedWriteHalf>>,
    command: Arc<Mutex<String>>,
    sickness: Arc<dyn Sickness>,
) {
    let mut lines = BufReader::new(answers).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let said = sickness.say(&command.lock().await, &line);
        let line = format!("{said}\r\n");
        if says.lock().await.write_all(line.as_bytes()).await.is_err() {
            break;
        }
    }
}

async fn hear(
    mut hears: OwnedReadHalf,
    mut asks: OwnedWriteHalf,
    says: Arc<Mutex<OwnedWriteHalf>>,
    command: Arc<Mutex<String>>,
    sickness: Arc<dyn Sickness>,
) {
    let mut held = Vec::new();
    loop {
        let mut piece = vec![0; 4096];
        let Ok(read @ 1..) = hears.read(&mut piece).await else {
            return;
        };
        held.extend_from_slice(&piece[..read]);
        let mut pipelined = false;
        while let Some(end) = held.windows(2).position(|pair| pair == b"\r\n") {
            let line: Vec<u8> = held.drain(..end + 2).collect();
            let line = String::from_utf8_lossy(&line[..end]).into_owned();
            *command.lock().await = line.clone();
            match sickness.hear(&line, pipelined) {
                Heard::As(line) => {
                    let line = format!("{line}\r\n");
                    if asks.write_all(line.as_bytes()).await.is_err() {
                        return;
                    }
                }
                Heard::Answer(answer) => {
                    let answer = format!("{answer}\r\n");
                    if says
                        .lock()
                        .await
                        .write_all(answer.as_bytes())
                        .await
                        .is_err()
                    {
                        return;
                    }
                }
                Heard::Silence => {}
                Heard::HangUp => return,
            }
            pipelined = true;
        }
    }
}
