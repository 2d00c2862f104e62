//! Proxies on loopback: one that works (SOCKS 4, 4a, 5 and HTTP's CONNECT), and one that says what it is told to.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What a proxy was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// `socks4`, `socks4a`, `socks5` or `http`.
    pub kind: &'static str,
    /// Where to, as it was said: a name, or an address (IPv6 without brackets).
    pub host: String,
    /// The port there.
    pub port: u16,
    /// The user, and the password, where they were told.
    pub login: Option<(String, String)>,
}

/// How a working proxy behaves.
#[derive(Debug, Clone, Default)]
pub struct ProxyRules {
    /// The only user who may pass; SOCKS 4 looks at the name alone.
    pub login: Option<(String, String)>,
    /// Refuse everything, with this code in the proxy's own language.
    pub refuse: Option<u16>,
    /// The same, from this request on (the first is 0).
    pub refuse_from: usize,
    /// Answer byte by byte, with this pause between them.
    pub slow: Option<Duration>,
}

/// A proxy that works. Every name leads to the IPv4 loopback there; addresses lead where they say.
#[derive(Debug)]
pub struct ProxyServer {
    addr: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: JoinHandle<()>,
}

impl ProxyServer {
    /// Listens on a port of IPv4 loopback.
    pub async fn start(rules: ProxyRules) -> Self {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into(), rules).await
    }

    /// Listens on a port of IPv6 loopback.
    pub async fn start_v6(rules: ProxyRules) -> Self {
        Self::start_at((Ipv6Addr::LOCALHOST, 0).into(), rules).await
    }

    async fn start_at(addr: SocketAddr, rules: ProxyRules) -> Self {
        let listener = TcpListener::bind(addr).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = asked.clone();
        let task = tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (rules, seen) = (rules.clone(), seen.clone());
                tokio::spawn(async move {
                    tcp.set_nodelay(true)?;
                    Visitor { tcp, rules, seen }.serve().await
                });
            }
        });
        Self { addr, asked, task }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Everything that it was asked for, in order.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for ProxyServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Visitor {
    tcp: TcpStream,
    rules: ProxyRules,
    seen: Arc<Mutex<Vec<Asked>>>,
}

impl Visitor {
    async fn serve(mut self) -> io::Result<()> {
        match self.tcp.read_u8().await? {
            4 => self.socks4().await,
            5 => self.socks5().await,
            first => self.http(first).await,
        }
    }

    /// Notes a request; true where it is refused.
    fn note(&self, asked: Asked) -> bool {
        let mut seen = self.seen.lock().unwrap();
        let number = seen.len();
        seen.push(asked);
        self.rules.refuse.is_some() && number >= self.rules.refuse_from
    }

    fn refusal(&self) -> u16 {
        self.rules.refuse.unwrap_or_default()
    }

    async fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.rules.slow {
            None => self.tcp.write_all(bytes).await,
            Some(pause) => {
                for byte in bytes {
                    self.tcp.write_all(&[*byte]).await?;
                    tokio::time::sleep(pause).await;
                }
                Ok(())
            }
        }
    }

    async fn until_nul(&mut self) -> io::Result<String> {
        let mut text = Vec::new();
        loop {
            match self.tcp.read_u8().await? {
                0 => return Ok(String::from_utf8_lossy(&text).into_owned()),
                byte => text.push(byte),
            }
        }
    }

    async fn text(&mut self, len: u8) -> io::Result<String> {
        let mut text = vec![0; len.into()];
        self.tcp.read_exact(&mut text).await?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    async fn socks4(mut self) -> io::Result<()> {
        assert_eq!(self.tcp.read_u8().await?, 1, "CONNECT");
        let port = self.tcp.read_u16().await?;
        let ip = Ipv4Addr::from(self.tcp.read_u32().await?);
        let user = self.until_nul().await?;
        let is_name = ip.octets()[..3] == [0; 3] && ip.octets()[3] != 0;
        let (kind, host) = if is_name {
            ("socks4a", self.until_nul().await?)
        } else {
            ("socks4", ip.to_string())
        };
        let wrong = self
            .rules
            .login
            .as_ref()
            .is_some_and(|login| login.0 != user);
        let login = (!user.is_empty()).then(|| (user, String::new()));
        let refused = self.note(Asked {
            kind,
            host: host.clone(),
            port,
            login,
        });
        let code = match (wrong, refused) {
            (true, _) => 93,
            (_, true) => self.refusal() as u8,
            _ => 90,
        };
        if code != 90 {
            return self.say(&[0, code, 0, 0, 0, 0, 0, 0]).await;
        }
        let Ok(on) = connect(&host, port).await else {
            return self.say(&[0, 91, 0, 0, 0, 0, 0, 0]).await;
        };
        self.say(&[0, 90, 0, 0, 0, 0, 0, 0]).await?;
        self.pass(on).await
    }

    async fn socks5(mut self) -> io::Result<()> {
        let count = self.tcp.read_u8().await?;
        let methods = self.text(count).await?.into_bytes();
        let wanted = if self.rules.login.is_some() { 2 } else { 0 };
        if !methods.contains(&wanted) {
            return self.say(&[5, 0xff]).await;
        }
        self.say(&[5, wanted]).await?;
        let mut login = None;
        if wanted == 2 {
            assert_eq!(self.tcp.read_u8().await?, 1, "RFC 1929");
            let len = self.tcp.read_u8().await?;
            let user = self.text(len).await?;
            let len = self.tcp.read_u8().await?;
            login = Some((user, self.text(len).await?));
            if login != self.rules.login {
                return self.say(&[1, 1]).await;
            }
            self.say(&[1, 0]).await?;
        }
        let mut head = [0; 4];
        self.tcp.read_exact(&mut head).await?;
        assert_eq!(head[..3], [5, 1, 0]);
        let host = match head[3] {
            1 => Ipv4Addr::from(self.tcp.read_u32().await?).to_string(),
            4 => Ipv6Addr::from(self.tcp.read_u128().await?).to_string(),
            _ => {
                let len = self.tcp.read_u8().await?;
                self.text(len).await?
            }
        };
        let port = self.tcp.read_u16().await?;
        let refused = self.note(Asked {
            kind: "socks5",
            host: host.clone(),
            port,
            login,
        });
        if refused {
            let code = self.refusal() as u8;
            return self.say(&[5, code, 0, 1, 0, 0, 0, 0, 0, 0]).await;
        }
        let Ok(on) = connect(&host, port).await else {
            return self.say(&[5, 5, 0, 1, 0, 0, 0, 0, 0, 0]).await;
        };
        // Its own end as a name, as some proxies tell it: a client has to read over it.
        self.say(b"\x05\x00\x00\x03\x05proxy\x12\x34").await?;
        self.pass(on).await
    }

    async fn http(mut self, first: u8) -> io::Result<()> {
        let mut head = vec![first];
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.tcp.read_u8().await?);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let target = head.split(' ').nth(1).unwrap_or_default();
        let (host, port) = target.rsplit_once(':').unwrap_or((target, "0"));
        let host = host.trim_matches(['[', ']']).to_owned();
        let port: u16 = port.parse().unwrap_or_default();
        let token = head
            .lines()
            .find_map(|line| line.strip_prefix("Proxy-Authorization: Basic "));
        let login = token.and_then(decode_login);
        let wrong = self.rules.login.is_some() && self.rules.login != login;
        let refused = self.note(Asked {
            kind: "http",
            host: host.clone(),
            port,
            login,
        });
        let code = match (wrong, refused) {
            (true, _) => Some(407),
            (_, true) => Some(self.refusal()),
            _ => None,
        };
        let on = match code {
            Some(code) => Err(code),
            None => connect(&host, port).await.map_err(|_| 502),
        };
        match on {
            Ok(on) => {
                self.say(b"HTTP/1.1 200 Connection established\r\nVia: a test\r\n\r\n")
                    .await?;
                self.pass(on).await
            }
            Err(code) => {
                let text = format!("HTTP/1.1 {code} No\r\nContent-Length: 2\r\n\r\nno");
                self.say(text.as_bytes()).await
            }
        }
    }

    async fn pass(mut self, mut on: TcpStream) -> io::Result<()> {
        on.set_nodelay(true)?;
        tokio::io::copy_bidirectional(&mut self.tcp, &mut on)
            .await
            .map(drop)
    }
}

async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    match host.parse() {
        Ok(ip) => TcpStream::connect(SocketAddr::new(ip, port)).await,
        Err(_) => TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await,
    }
}

/// `user:password` from base64 (RFC 4648 section 4).
fn decode_login(token: &str) -> Option<(String, String)> {
    let mut bits = 0_u32;
    let mut count = 0;
    let mut bytes = Vec::new();
    for byte in token.trim().bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => break,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    let text = String::from_utf8(bytes).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

/// What somebody says who is no proxy, or a bad one: to each connection, in turn, so many bytes are read and then these
/// sent; then it waits for the other side to close, or (`closes`) closes itself.
#[derive(Debug)]
pub struct BadProxy {
    addr: SocketAddr,
    task: JoinHandle<()>,
}

impl BadProxy {
    /// Listens on a port of loopback.
    pub async fn start(steps: Vec<(usize, Vec<u8>)>, closes: bool) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            while let Ok((mut tcp, _)) = listener.accept().await {
                let steps = steps.clone();
                tokio::spawn(async move {
                    for (count, answer) in steps {
                        let mut request = vec![0; count];
                        tcp.read_exact(&mut request).await?;
                        tcp.write_all(&answer).await?;
                    }
                    if closes {
                        tcp.shutdown().await?;
                    }
                    tokio::io::copy(&mut tcp, &mut tokio::io::sink()).await
                });
            }
        });
        Self { addr, task }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

impl Drop for BadProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}
