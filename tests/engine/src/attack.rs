//! A server to attack, and the attacker: bytes on sockets, from any address of this machine.
//!
//! Whatever was tried, [`House::stands`] says whether the server still answers, and whether anything outside of its root was read,
//! written, made or removed.

use std::{
    collections::BTreeMap,
    fs,
    net::{IpAddr, SocketAddr},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    time::Duration,
};

use ftp_server::{
    Limits, RunningServer, Secret, Server, ServerBuilder, ServerTls, User, vfs::LocalDisk,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpSocket, TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    time::timeout,
};

/// Nothing may take longer.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What lies outside of the root. No client may ever see it.
const SECRET: &str = "what lies outside of the root";

/// What is in `/hello`.
const HELLO: &[u8] = b"hello, world";

/// A server over a folder, and what lies around that folder.
pub struct House {
    server: RunningServer,
    dir: TempDir,
    around: BTreeMap<PathBuf, (u32, u64, i64, Vec<u8>)>,
}

impl House {
    /// With the defaults of the server, but for times that no test should wait for.
    pub async fn open() -> Self {
        Self::with(|builder| builder).await
    }

    /// With other options.
    pub async fn with(options: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        fs::create_dir_all(root.join("sub/deep")).unwrap();
        fs::create_dir_all(dir.path().join("outside/folder")).unwrap();
        fs::write(dir.path().join("outside/secret"), SECRET).unwrap();
        fs::write(root.join("hello"), HELLO).unwrap();
        fs::write(root.join("sub/inside"), b"inside").unwrap();
        symlink("../outside", root.join("link")).unwrap();
        symlink("../outside/secret", root.join("file")).unwrap();
        symlink(dir.path().join("outside"), root.join("absolute")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        let tree = LocalDisk::new(&root).unwrap();
        let mut limits = Limits::default();
        limits.wrong_password_delay = Duration::from_millis(5);
        limits.longest_password_delay = Duration::from_millis(50);
        let builder = Server::builder()
            .vfs(std::sync::Arc::new(tree))
            .user(User::new("ann").password(Secret::try_from("secret").unwrap()))
            .tls(ServerTls::self_signed(&["localhost"]).unwrap())
            .limits(limits);
        let server = options(builder).bind("127.0.0.1:0").await.unwrap();
        let around = around(dir.path());
        Self {
            server,
            dir,
            around,
        }
    }

    /// The server.
    pub fn server(&self) -> &RunningServer {
        &self.server
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.server.local_addr()
    }

    /// Its folder.
    pub fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    /// What lies beside its folder.
    pub fn outside(&self) -> PathBuf {
        self.dir.path().join("outside")
    }

    /// An attacker on this machine.
    pub async fn raw(&self) -> Raw {
        Raw::from("127.0.0.1", self.addr()).await
    }

    /// One who has a login.
    pub async fn user(&self) -> Raw {
        let mut raw = self.raw().await;
        raw.log_in().await;
        raw
    }

    /// The server still answers somebody who comes from elsewhere, moves files, and has left alone what is none of its business.
    pub async fn stands(&self) {
        let mut honest = Raw::from("127.0.0.99", self.addr()).await;
        honest.log_in().await;
        assert_eq!(honest.fetch("RETR hello").await, HELLO);
        assert_eq!(honest.store("STOR honest", b"work").await, 226);
        assert_eq!(honest.fetch("RETR honest").await, b"work");
        assert_eq!(honest.say("DELE honest").await, 250);
        assert_eq!(honest.say("QUIT").await, 221);
        let now = around(self.dir.path());
        let differing: Vec<_> = self
            .around
            .iter()
            .filter(|(path, facts)| now.get(*path) != Some(facts))
            .map(|(path, _)| path)
            .chain(now.keys().filter(|path| !self.around.contains_key(*path)))
            .collect();
        assert!(differing.is_empty(), "outside: {differing:?}");
    }
}

/// All that is beside the root: mode, length, time of change, content.
fn around(dir: &Path) -> BTreeMap<PathBuf, (u32, u64, i64, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut open = vec![dir.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path == dir.join("root") {
                continue;
            }
            let facts = fs::symlink_metadata(&path).unwrap();
            let content = if facts.is_file() {
                fs::read(&path).unwrap()
            } else {
                Vec::new()
            };
            if facts.is_dir() {
                open.push(path.clone());
            }
            let mode = facts.permissions().mode();
            found.insert(path, (mode, facts.len(), facts.mtime(), content));
        }
    }
    found
}

/// A control connection of bytes.
pub struct Raw {
    tcp: TcpStream,
    inbox: Vec<u8>,
    own: IpAddr,
}

/// One half of a [`Raw`], for reading while the other writes.
pub struct Reader<'a>(ReadHalf<'a>, &'a mut Vec<u8>);

/// The other half.
pub struct Writer<'a>(WriteHalf<'a>);

impl Reader<'_> {
    /// As [`Raw::code`].
    pub async fn code(&mut self) -> u16 {
        code(reply(&mut self.0, self.1).await)
    }

    /// As [`Raw::until_closed`].
    pub async fn until_closed(&mut self) -> Vec<u16> {
        let mut codes = Vec::new();
        loop {
            match self.code().await {
                0 => return codes,
                code => codes.push(code),
            }
        }
    }
}

impl Writer<'_> {
    /// As [`Raw::send`].
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        let write = self.0.write_all(bytes.as_ref());
        timeout(PATIENCE, write).await.unwrap().is_ok()
    }

    /// Says that nothing more will come.
    pub async fn end(&mut self) {
        let _ = self.0.shutdown().await;
    }
}

fn code(reply: Option<String>) -> u16 {
    reply.map_or(0, |reply| reply[..3].parse().unwrap())
}

/// The next reply with all its lines, or none at the end of the connection.
async fn reply(from: &mut (impl AsyncRead + Unpin), inbox: &mut Vec<u8>) -> Option<String> {
    let mut text = String::new();
    loop {
        let line = line(from, inbox).await?;
        let last = line.as_bytes().get(3) == Some(&b' ')
            && line.as_bytes()[..3].iter().all(u8::is_ascii_digit);
        text.push_str(&line);
        text.push('\n');
        if last && text[..3] == line[..3] {
            return Some(text);
        }
    }
}

async fn line(from: &mut (impl AsyncRead + Unpin), inbox: &mut Vec<u8>) -> Option<String> {
    let mut looked = 0;
    loop {
        let end = inbox[looked..].windows(2).position(|w| w == b"\r\n");
        if let Some(end) = end {
            let end = looked + end;
            let line: Vec<u8> = inbox.drain(..end + 2).collect();
            check(&line);
            return Some(String::from_utf8_lossy(&line[..end]).into_owned());
        }
        looked = inbox.len().saturating_sub(1);
        let read = timeout(PATIENCE, from.read_buf(inbox));
        if !matches!(read.await.expect("an answer in time"), Ok(1..)) {
            return None;
        }
    }
}

impl Raw {
    /// Connects from an address of this machine and reads nothing.
    pub async fn silent(own: &str, server: SocketAddr) -> std::io::Result<Self> {
        let own: IpAddr = own.parse().unwrap();
        Ok(Self {
            tcp: connect(own, server).await?,
            inbox: Vec::new(),
            own,
        })
    }

    /// Connects and reads the greeting.
    pub async fn from(own: &str, server: SocketAddr) -> Self {
        let mut raw = Self::silent(own, server).await.unwrap();
        assert_eq!(raw.code().await, 220);
        raw
    }

    /// Logs in as the user there is.
    pub async fn log_in(&mut self) {
        assert_eq!(self.say("USER ann").await, 331);
        assert_eq!(self.say("PASS secret").await, 230);
        assert_eq!(self.say("TYPE I").await, 200);
    }

    /// Sends bytes. That the server has closed the connection is no fault of this side.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        let write = self.tcp.write_all(bytes.as_ref());
        timeout(PATIENCE, write).await.unwrap().is_ok()
    }

    /// Sends a line; the code of its reply, 0 where there is none.
    pub async fn say(&mut self, line: impl AsRef<[u8]>) -> u16 {
        let line = [line.as_ref(), b"\r\n"].concat();
        self.send(line).await;
        self.code().await
    }

    /// The code of the next reply, 0 at the end.
    pub async fn code(&mut self) -> u16 {
        code(self.reply().await)
    }

    /// The next reply with all its lines, or none at the end of the connection.
    pub async fn reply(&mut self) -> Option<String> {
        reply(&mut self.tcp, &mut self.inbox).await
    }

    /// The connection, for speaking something else on it.
    pub fn into_tcp(self) -> TcpStream {
        self.tcp
    }

    /// For reading and writing at the same time.
    pub fn split(&mut self) -> (Reader<'_>, Writer<'_>) {
        let (reader, writer) = self.tcp.split();
        (Reader(reader, &mut self.inbox), Writer(writer))
    }

    /// Reads bytes, whatever they are, until the server closes the connection.
    pub async fn drain(&mut self) {
        let mut scratch = [0; 4096];
        let drain = async { while matches!(self.tcp.read(&mut scratch).await, Ok(1..)) {} };
        timeout(PATIENCE, drain).await.expect("an end in time");
    }

    /// Reads until the server closes the connection; the codes that came before.
    pub async fn until_closed(&mut self) -> Vec<u16> {
        let mut codes = Vec::new();
        loop {
            match self.code().await {
                0 => return codes,
                code => codes.push(code),
            }
        }
    }

    /// A passive data port.
    pub async fn passive(&mut self) -> SocketAddr {
        self.send("EPSV\r\n").await;
        let reply = self.reply().await.expect("a reply");
        let port = ftp_client::ftp_proto::parse_epsv(reply.trim_end().as_bytes()).expect("a port");
        let mut address = self.tcp.peer_addr().unwrap();
        address.set_port(port);
        address
    }

    /// A data connection, before the transfer command.
    pub async fn data(&mut self) -> TcpStream {
        let address = self.passive().await;
        connect(self.own, address).await.unwrap()
    }

    /// What a transfer brings; empty where it is refused.
    pub async fn fetch(&mut self, line: impl AsRef<[u8]>) -> Vec<u8> {
        let mut data = self.data().await;
        let mut out = Vec::new();
        if self.say(line).await == 150 {
            let _ = timeout(PATIENCE, data.read_to_end(&mut out)).await.unwrap();
            self.code().await;
        }
        check(&out);
        out
    }

    /// Sends a file; the code of the last reply.
    pub async fn store(&mut self, line: impl AsRef<[u8]>, content: &[u8]) -> u16 {
        let mut data = self.data().await;
        match self.say(line).await {
            150 => {
                let _ = timeout(PATIENCE, data.write_all(content)).await.unwrap();
                drop(data);
                self.code().await
            }
            refused => refused,
        }
    }
}

/// Nothing of this may come from outside of the root.
fn check(bytes: &[u8]) {
    let found = bytes.windows(SECRET.len()).any(|w| w == SECRET.as_bytes());
    assert!(!found, "the server gave away what lies outside of its root");
}

/// Connects from this address.
pub async fn connect(own: IpAddr, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(own, 0))?;
    let tcp = timeout(PATIENCE, socket.connect(to)).await.unwrap()?;
    tcp.set_nodelay(true)?;
    Ok(tcp)
}
