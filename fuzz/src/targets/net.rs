//! What `ftp-net` reads: the answers of proxies and compressed files, over real connections on loopback, and addresses of proxies.

use std::{cell::RefCell, io, net::SocketAddr, time::Duration};

use flate2::{Decompress, FlushDecompress, Status};
use ftp_net::{
    DeflateProblem, Dialer, InflateLimits, NetError, Proxy, ProxyKind, ProxyLogin, ProxyProblem,
    Stream,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    runtime::Runtime,
};

use super::{Target, rough, shape};
use crate::check;

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "proxy-url",
        about: "the addresses of proxies",
        seeds: &[
            b"socks5://user:pa%40ss@host:1080",
            b"socks4://10.0.0.1",
            b"socks4a://u@[::1]:9",
            b"http://proxy.example:8080/",
        ],
        words: &[
            b"socks5h://",
            b"%",
            b"%00",
            b"@",
            b":",
            b"[",
            b"]",
            b"[fe80::1%25eth0]",
            b"65536",
            b"//",
            b"\x1b",
        ],
        run: proxy_url,
    },
    Target {
        name: "proxy",
        about: "what proxies answer; the first byte chooses the kind",
        seeds: &[
            b"\x00\x00\x5a\x00\x50\x7f\x00\x00\x01220 hello\r\n",
            b"\x01\x00\x5b\x00\x00\x00\x00\x00\x00",
            b"\x02\x05\x00\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50220 hello\r\n",
            b"\x06\x05\x02\x01\x00\x05\x00\x00\x03\x04name\x00\x50220 hello\r\n",
            b"\x06\x05\x02\x01\x01",
            b"\x02\x05\xff",
            b"\x02\x05\x00\x05\x04\x00\x04",
            b"\x03HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n220 hello\r\n",
            b"\x07HTTP/1.0 407 who?\r\n\r\n",
            b"\x03HTTP/1.1 100 go on\r\n\r\nHTTP/1.1 200 ok\n\n220 hello\r\n",
        ],
        words: &[
            b"HTTP/1.1 ",
            b"200",
            b"407",
            b"100",
            b"\r\n\r\n",
            b"\n\n",
            b"\r\n",
            b"\x05\x00",
            b"\x05\xff",
            b"\x00\x5a",
            b"\x03\xff",
            b"\x04",
        ],
        run: proxy,
    },
    Target {
        name: "inflate",
        about: "files in MODE Z; the first byte chooses the limits",
        seeds: &[
            b"\x00x\x9c\x03\x00\x00\x00\x00\x01",
            b"\x00x\x9c\xcbH\xcd\xc9\xc9W\xc8@\x90\x00:.\x06}",
            b"\x01x\x01\x01\x05\x00\xfa\xffhello\x06,\x02\x15",
            b"\x02x\x9cc`\x18\x05\xa3`\x14\x00\x00\x04\x00\x00\x01",
        ],
        words: &[
            b"x\x9c",
            b"x\x01",
            b"\x03\x00",
            b"\x00\x00\x00\xff\xff",
            b"\x63\x60",
            b"\x05\xa3\x60\x14\x8c\x82\x51\x30",
            b"\xff\xff",
        ],
        run: inflate,
    },
    Target {
        name: "deflate",
        about: "a file sent and fetched in MODE Z comes as it was; the first byte chooses the level",
        seeds: &[
            b"\x00",
            b"\x01hello hello hello",
            b"\x09\x00\x00\x00\x00\x00\x00\x00\x00",
        ],
        words: &[b"hello ", b"\x00\x00\x00\x00"],
        run: deflate,
    },
];

fn proxy_url(input: &[u8]) -> u64 {
    let Ok(text) = std::str::from_utf8(input) else {
        return 0;
    };
    match text.parse::<Proxy>() {
        Ok(proxy) => {
            let shown = proxy.to_string();
            check::printable(&shown);
            assert!(proxy.port != 0 && !proxy.host.is_empty());
            // What is shown is the same whatever the password.
            let other = proxy.clone().with_password("another");
            assert_eq!(shown, other.to_string(), "a password is shown");
            assert_eq!(
                format!("{proxy:?}"),
                format!("{other:?}"),
                "a password is shown"
            );
            shape([
                1,
                proxy.kind as u64,
                u64::from(proxy.login.is_some()),
                rough(proxy.host.len()),
            ])
        }
        Err(error) => {
            check::message(&error);
            shape(error.to_string().bytes().map(u64::from))
        }
    }
}

/// Connections of this computer to itself.
struct Wire {
    runtime: Runtime,
    listener: TcpListener,
    address: SocketAddr,
}

impl Wire {
    fn new() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?;
        Ok(Self {
            runtime,
            listener,
            address,
        })
    }

    /// What comes of `client`, while the peer that it connects to says `bytes`, in pieces, and then no more.
    fn talk<T>(&self, bytes: &[u8], client: impl Future<Output = T>) -> T {
        let peer = async {
            let (mut peer, _) = self.listener.accept().await.expect("a connection");
            // Closed at once in the end: a port that waits for a minute can't be used a million times.
            peer.set_zero_linger().expect("a socket");
            for piece in check::pieces(bytes) {
                // Small files of tests, big buffers of sockets: a peer that has gone takes no more.
                if peer.write_all(piece).await.is_err() {
                    return;
                }
                tokio::task::yield_now().await;
            }
            let _ = peer.shutdown().await;
            let mut heard = [0; 4096];
            while peer.read(&mut heard).await.is_ok_and(|count| count > 0) {}
        };
        let both = async { tokio::join!(client, peer).0 };
        let limit = Duration::from_secs(20);
        let limited = async { tokio::time::timeout(limit, both).await };
        self.runtime.block_on(limited).expect("it comes to an end")
    }
}

fn with_wire<T>(work: impl FnOnce(&Wire) -> T) -> T {
    thread_local! {
        static WIRE: RefCell<Option<Wire>> = const { RefCell::new(None) };
    }
    WIRE.with(|slot| {
        // Taken, so that a panic leaves nothing half done behind.
        let wire = slot
            .take()
            .unwrap_or_else(|| Wire::new().expect("a socket on loopback"));
        let outcome = work(&wire);
        slot.replace(Some(wire));
        outcome
    })
}

fn proxy(input: &[u8]) -> u64 {
    let Some((choice, answer)) = input.split_first() else {
        return 0;
    };
    let kind = [
        ProxyKind::Socks4,
        ProxyKind::Socks4a,
        ProxyKind::Socks5,
        ProxyKind::Http,
    ][usize::from(choice & 3)];
    let login = (choice & 4 != 0).then(|| ProxyLogin {
        user: "user".to_owned(),
        password: if choice & 2 == 0 {
            String::new()
        } else {
            "password".to_owned()
        },
    });
    let outcome = with_wire(|wire| {
        let mut dialer = Dialer::new(Duration::from_secs(10));
        dialer.proxy = Some(Proxy {
            kind,
            host: wire.address.ip().to_string(),
            port: wire.address.port(),
            login,
        });
        wire.talk(answer, async {
            let target = SocketAddr::from(([192, 0, 2, 1], 21));
            let mut tcp = dialer.connect_addr(target).await?;
            // All that the server says after it is still there.
            let mut left = Vec::new();
            let _ = tcp.read_to_end(&mut left).await;
            Ok::<_, NetError>(left)
        })
    });
    match outcome {
        Ok(left) => {
            assert!(
                answer.ends_with(&left),
                "what is behind the answer was not left as it was"
            );
            assert!(
                left.len() < answer.len(),
                "no answer at all was taken for one"
            );
            shape([1, kind as u64, rough(left.len())])
        }
        Err(error) => {
            check::message(&error);
            assert!(!error.to_string().contains("password@"), "{error}");
            let NetError::Proxy { problem, .. } = &error else {
                panic!("not an error of the proxy: {error:?}")
            };
            let which = match problem {
                ProxyProblem::LoginNeeded(_) => 2,
                ProxyProblem::LoginRefused(_) => 3,
                ProxyProblem::Forbidden { .. } => 4,
                ProxyProblem::TargetUnreachable { .. } => 5,
                ProxyProblem::Closed(_) => 6,
                ProxyProblem::Protocol(_) => 7,
                ProxyProblem::Timeout(_) => panic!("it waited for more than there was"),
                _ => 8,
            };
            shape([
                which,
                kind as u64,
                u64::from(choice & 4),
                rough(answer.len()),
            ])
        }
    }
}

/// What the library alone makes of it: the file, if the whole stream is good and nothing follows it.
fn plainly(zlib: &[u8], most: usize) -> Option<Vec<u8>> {
    let mut decoder = Decompress::new(true);
    let mut out = Vec::with_capacity(most + 1);
    let status = decoder
        .decompress_vec(zlib, &mut out, FlushDecompress::Finish)
        .ok()?;
    let all = decoder.total_in() == zlib.len() as u64;
    (status == Status::StreamEnd && all && out.len() <= most).then_some(out)
}

fn inflate(input: &[u8]) -> u64 {
    let Some((choice, zlib)) = input.split_first() else {
        return 0;
    };
    let limits = InflateLimits {
        announced: [None, Some(100), Some(10_000)][usize::from(choice % 3)],
        free: 1000,
        ratio: 50,
    };
    let most = limits.announced.unwrap_or(0) + limits.free.max(limits.ratio * zlib.len() as u64);
    let read = with_wire(|wire| {
        wire.talk(zlib, async {
            let tcp = TcpStream::connect(wire.address).await?;
            let mut stream = Stream::Plain(tcp).inflating(limits);
            let mut file = Vec::new();
            stream.read_to_end(&mut file).await.map(|_| file)
        })
    });
    match read {
        Ok(file) => {
            assert!(
                file.len() as u64 <= most,
                "{} bytes of {}",
                file.len(),
                zlib.len()
            );
            if zlib.is_empty() {
                assert!(file.is_empty());
            } else {
                let plain = plainly(zlib, file.len());
                assert_eq!(
                    plain.as_deref(),
                    Some(&file[..]),
                    "the library reads it otherwise"
                );
            }
            shape([1, rough(file.len()), rough(zlib.len())])
        }
        Err(error) => {
            let net = error
                .get_ref()
                .and_then(|inner| inner.downcast_ref::<NetError>());
            let Some(NetError::Deflate(problem)) = net else {
                panic!("not an error of the file: {error:?}")
            };
            check::message(problem);
            shape([
                match problem {
                    DeflateProblem::Damaged { .. } => 2,
                    DeflateProblem::Truncated { .. } => 3,
                    DeflateProblem::Trailing => 4,
                    DeflateProblem::Bomb { .. } => 5,
                    _ => 6,
                },
                rough(zlib.len()),
            ])
        }
    }
}

fn deflate(input: &[u8]) -> u64 {
    let Some((level, file)) = input.split_first() else {
        return 0;
    };
    let packed = with_wire(|wire| {
        // The other way round: what is heard is what we are after.
        let sending = async {
            let tcp = TcpStream::connect(wire.address).await?;
            let mut stream = Stream::Plain(tcp).deflating(u32::from(*level));
            for piece in check::pieces(file) {
                stream.write_all(piece).await?;
                if piece.len() % 5 == 0 {
                    stream.flush().await?;
                }
            }
            stream.shutdown().await
        };
        let hearing = async {
            let (mut peer, _) = wire.listener.accept().await?;
            let mut packed = Vec::new();
            peer.read_to_end(&mut packed).await?;
            peer.set_zero_linger()?;
            Ok::<_, io::Error>(packed)
        };
        let (sent, heard) = wire
            .runtime
            .block_on(async { tokio::join!(sending, hearing) });
        sent.and(heard).expect("loopback")
    });
    assert_eq!(
        plainly(&packed, file.len()).as_deref(),
        Some(file),
        "what was sent is another file"
    );
    shape([
        u64::from(*level % 10),
        rough(file.len()),
        rough(packed.len()),
    ])
}
