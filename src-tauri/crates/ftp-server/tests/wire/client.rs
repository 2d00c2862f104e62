//! A raw client, and servers to drive with it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ftp_net::tls::{Roots, ServerTls, TlsSession, Trust, Versions};
use ftp_net::{InflateLimits, NetError, Stream};
use ftp_server::vfs::{MemoryTree, VPath, Vfs};
use ftp_server::{Limits, RunningServer, Secret, Server, ServerBuilder, User};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Nothing in these tests may take longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn p(path: &str) -> VPath {
    VPath::new(path).unwrap()
}

pub(crate) fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.wrong_password_delay = Duration::ZERO;
    limits
}

/// A server over `tree` with the user `ann`, password `secret`.
pub(crate) fn builder(tree: Arc<dyn Vfs>) -> ServerBuilder {
    let ann = User::new("ann").password(Secret::try_from("secret").unwrap());
    Server::builder().vfs(tree).user(ann).limits(limits())
}

pub(crate) async fn start(builder: ServerBuilder) -> RunningServer {
    builder.bind("127.0.0.1:0").await.unwrap()
}

/// A server over a tree with `/hello` ("hello, world") and `/dir`.
pub(crate) async fn plain() -> (RunningServer, MemoryTree) {
    let tree = MemoryTree::new(64 << 20);
    tree.write_file(&p("/hello"), b"hello, world")
        .await
        .unwrap();
    tree.mkdir_all(&p("/dir")).await.unwrap();
    (start(builder(Arc::new(tree.clone()))).await, tree)
}

/// A client's side of TLS, with the server's certificate pinned.
fn session(name: &str, tls: &ServerTls, versions: Versions) -> TlsSession {
    let trust = Trust {
        roots: Roots::System,
        pins: vec![tls.fingerprint()],
        only_pins: true,
    };
    let client = ftp_net::tls::ClientTls::new(name, &trust).unwrap();
    client.session(versions)
}

pub(crate) struct Client {
    stream: Option<Stream>,
    inbox: Vec<u8>,
    session: Option<TlsSession>,
    pub(crate) private: bool,
    /// MODE Z.
    pub(crate) packed: bool,
}

impl Client {
    /// Connects and reads the greeting.
    pub(crate) async fn connect(server: SocketAddr) -> Self {
        let mut client = Self::raw(server).await;
        client.expect(220).await;
        client
    }

    /// Connects and reads nothing.
    pub(crate) async fn raw(server: SocketAddr) -> Self {
        let tcp = TcpStream::connect(server).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        Self {
            stream: Some(Stream::Plain(tcp)),
            inbox: Vec::new(),
            session: None,
            private: false,
            packed: false,
        }
    }

    /// Connects and logs in as `ann`.
    pub(crate) async fn login(server: SocketAddr) -> Self {
        let mut client = Self::connect(server).await;
        client.ann().await;
        client
    }

    pub(crate) async fn ann(&mut self) {
        self.command("USER ann", 331).await;
        self.command("PASS secret", 230).await;
        self.command("TYPE I", 200).await;
    }

    /// TLS on the control connection, with the server's certificate pinned.
    pub(crate) async fn secure(&mut self, tls: &ServerTls, versions: Versions) {
        self.secure_as("localhost", tls, versions).await;
    }

    /// The same for a server that is known by this name.
    pub(crate) async fn secure_as(&mut self, name: &str, tls: &ServerTls, versions: Versions) {
        let session = session(name, tls, versions);
        let Some(Stream::Plain(tcp)) = self.stream.take() else {
            panic!("encrypted already");
        };
        self.stream = Some(session.connect(tcp, PATIENCE).await.unwrap());
        self.session = Some(session);
    }

    /// A handshake of which nobody knows how it ends.
    pub(crate) async fn handshake(
        &mut self,
        tls: &ServerTls,
        versions: Versions,
    ) -> Result<(), NetError> {
        let Some(Stream::Plain(tcp)) = self.stream.take() else {
            panic!("encrypted already");
        };
        let mut stream = session("localhost", tls, versions)
            .connect(tcp, PATIENCE)
            .await?;
        // What the server thinks of it comes with the first reply.
        stream.write_all(b"NOOP\r\n").await?;
        match stream.read(&mut [0; 10]).await? {
            0 => Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into()),
            _ => Ok(()),
        }
    }

    /// TLS on a data connection, by somebody who has no session.
    pub(crate) async fn wrap_fresh(
        &mut self,
        tcp: TcpStream,
        tls: &ServerTls,
        versions: Versions,
    ) -> Result<Stream, NetError> {
        session("localhost", tls, versions)
            .connect(tcp, PATIENCE)
            .await
    }

    /// Explicit TLS with private data, and login.
    pub(crate) async fn login_tls(server: SocketAddr, tls: &ServerTls, versions: Versions) -> Self {
        let mut client = Self::connect(server).await;
        client.command("AUTH TLS", 234).await;
        client.secure(tls, versions).await;
        client.command("PBSZ 0", 200).await;
        client.command("PROT P", 200).await;
        client.private = true;
        client.ann().await;
        client
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let stream = self.stream.as_mut().unwrap();
        stream.write_all(bytes.as_ref()).await.unwrap();
        stream.flush().await.unwrap();
    }

    /// Sends bytes of which the last is urgent, as RFC 959 wants it of an ABOR (and ftplib does it).
    #[cfg(unix)]
    pub(crate) fn send_urgent(&self, bytes: &[u8]) {
        let tcp = self.stream.as_ref().unwrap().tcp();
        let sent = rustix::net::send(tcp, bytes, rustix::net::SendFlags::OOB).unwrap();
        assert_eq!(sent, bytes.len());
    }

    /// Sends a line, and checks the code of its reply. Gives the whole reply.
    #[track_caller]
    pub(crate) fn command<'a>(
        &'a mut self,
        line: &'a str,
        code: u16,
    ) -> impl Future<Output = String> + 'a {
        let caller = std::panic::Location::caller();
        async move {
            self.send(format!("{line}\r\n")).await;
            let reply = self.reply().await.expect("a reply");
            assert_eq!(reply[..3], code.to_string(), "{line} at {caller}: {reply}");
            reply
        }
    }

    /// Sends a line and gives whatever comes back.
    pub(crate) async fn reply_to(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n")).await;
        self.reply().await.expect("a reply")
    }

    #[track_caller]
    pub(crate) fn expect(&mut self, code: u16) -> impl Future<Output = String> {
        let caller = std::panic::Location::caller();
        async move {
            let reply = self.reply().await.expect("a reply");
            assert_eq!(reply[..3], code.to_string(), "at {caller}: {reply}");
            reply
        }
    }

    /// The next reply with all its lines, or none at the end of the connection.
    pub(crate) async fn reply(&mut self) -> Option<String> {
        let mut text = String::new();
        loop {
            let line = self.line().await?;
            let last = line.len() >= 4
                && line.as_bytes()[..3].iter().all(u8::is_ascii_digit)
                && line.as_bytes()[3] == b' ';
            text.push_str(&line);
            if last && (text.len() == line.len() || text[..3] == line[..3]) {
                return Some(text);
            }
            text.push('\n');
        }
    }

    async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.inbox.windows(2).position(|w| w == b"\r\n") {
                let line = self.inbox.drain(..end + 2).collect::<Vec<_>>();
                return Some(String::from_utf8(line[..end].to_vec()).unwrap());
            }
            let stream = self.stream.as_mut().unwrap();
            let read = tokio::time::timeout(PATIENCE, stream.read_buf(&mut self.inbox))
                .await
                .expect("an answer in time");
            if !matches!(read, Ok(1..)) {
                return None;
            }
        }
    }

    /// Waits until the server has closed the connection.
    pub(crate) async fn closed(&mut self) {
        assert_eq!(self.line().await, None, "the connection should be closed");
    }

    /// Drops the connection.
    pub(crate) fn vanish(self) {}

    pub(crate) async fn passive(&mut self) -> SocketAddr {
        let reply = self.command("EPSV", 229).await;
        let port = ftp_proto::parse_epsv(reply.as_bytes()).unwrap();
        let mut address = self.stream.as_ref().unwrap().peer_addr().unwrap();
        address.set_port(port);
        address
    }

    pub(crate) async fn data(&mut self) -> TcpStream {
        let address = self.passive().await;
        TcpStream::connect(address).await.unwrap()
    }

    /// TLS on a data connection if PROT P was said.
    pub(crate) async fn wrap(&mut self, tcp: TcpStream) -> Stream {
        match &self.session {
            Some(session) if self.private => session.connect(tcp, PATIENCE).await.unwrap(),
            _ => Stream::Plain(tcp),
        }
    }

    /// A whole transfer to us: 150, the bytes, 226.
    pub(crate) async fn fetch(&mut self, line: &str) -> Vec<u8> {
        let tcp = self.data().await;
        self.command(line, 150).await;
        let mut stream = self.wrap(tcp).await;
        if self.packed {
            stream = stream.inflating(InflateLimits::default());
        }
        let mut out = Vec::new();
        tokio::time::timeout(PATIENCE, stream.read_to_end(&mut out))
            .await
            .unwrap()
            .unwrap();
        self.expect(226).await;
        out
    }

    pub(crate) async fn fetch_text(&mut self, line: &str) -> String {
        String::from_utf8(self.fetch(line).await).unwrap()
    }

    /// A whole transfer from us.
    pub(crate) async fn store(&mut self, line: &str, content: &[u8]) {
        self.store_reply(line, content).await;
    }

    /// The same. Gives the 150.
    pub(crate) async fn store_reply(&mut self, line: &str, content: &[u8]) -> String {
        let tcp = self.data().await;
        let opening = self.command(line, 150).await;
        let mut stream = self.wrap(tcp).await;
        if self.packed {
            stream = stream.deflating(6);
        }
        stream.write_all(content).await.unwrap();
        ftp_net::shutdown_orderly(&mut stream, PATIENCE)
            .await
            .unwrap();
        self.expect(226).await;
        opening
    }
}
