//! What is said to proxies, and what is made of what they say.
#![allow(clippy::unwrap_used, unused_crate_dependencies)]

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::{Duration, Instant},
};

use ftp_net::{Dialer, NetError, Proxy, ProxyKind, ProxyLogin, ProxyProblem};
use support::{BadProxy, ProxyRules, ProxyServer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
};

const LIMIT: Duration = Duration::from_secs(10);
const KINDS: [ProxyKind; 4] = [
    ProxyKind::Socks4,
    ProxyKind::Socks4a,
    ProxyKind::Socks5,
    ProxyKind::Http,
];

fn proxy(kind: ProxyKind, addr: SocketAddr, login: Option<(&str, &str)>) -> Proxy {
    Proxy {
        kind,
        host: addr.ip().to_string(),
        port: addr.port(),
        login: login.map(|(user, password)| ProxyLogin {
            user: user.to_owned(),
            password: password.to_owned(),
        }),
    }
}

fn dialer(proxy: Proxy) -> Dialer {
    Dialer {
        proxy: Some(proxy),
        ..Dialer::new(LIMIT)
    }
}

/// A server that greets at once, as FTP servers do.
async fn greeter(addr: impl Into<SocketAddr>) -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind(addr.into()).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            tokio::spawn(async move {
                tcp.write_all(b"220 hello\r\n").await?;
                let mut line = [0; 6];
                tcp.read_exact(&mut line).await?;
                tcp.write_all(&line).await
            });
        }
    });
    (port, task)
}

async fn greeting(dialer: &Dialer, host: &str, port: u16) -> Result<(), NetError> {
    let mut tcp = dialer.connect(host, port).await?;
    let mut greeting = [0; 11];
    tcp.read_exact(&mut greeting).await.unwrap();
    assert_eq!(&greeting, b"220 hello\r\n");
    tcp.write_all(b"NOOP\r\n").await.unwrap();
    let mut echo = [0; 6];
    tcp.read_exact(&mut echo).await.unwrap();
    assert_eq!(&echo, b"NOOP\r\n");
    Ok(())
}

fn problem(error: NetError) -> ProxyProblem {
    match error {
        NetError::Proxy { problem, proxy } => {
            assert_eq!(proxy.login, None, "errors carry no login");
            problem
        }
        error => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn every_kind_passes_everything_and_not_a_byte_of_the_greeting_is_lost() {
    let (port, _server) = greeter((Ipv4Addr::LOCALHOST, 0)).await;
    for slow in [None, Some(Duration::from_millis(1))] {
        for kind in KINDS {
            let rules = ProxyRules {
                slow,
                ..ProxyRules::default()
            };
            let server = ProxyServer::start(rules).await;
            let dialer = dialer(proxy(kind, server.addr(), None));
            greeting(&dialer, "127.0.0.1", port).await.unwrap();
            greeting(&dialer, "localhost", port).await.unwrap();
            let asked: Vec<_> = server
                .asked()
                .into_iter()
                .map(|asked| (asked.kind, asked.host, asked.port, asked.login))
                .collect();
            let (first, second) = match kind {
                ProxyKind::Socks4 => ("socks4", ("socks4", "127.0.0.1")),
                // An address needs no resolving.
                ProxyKind::Socks4a => ("socks4", ("socks4a", "localhost")),
                ProxyKind::Socks5 => ("socks5", ("socks5", "localhost")),
                ProxyKind::Http => ("http", ("http", "localhost")),
            };
            assert_eq!(
                asked,
                [
                    (first, "127.0.0.1".to_owned(), port, None),
                    (second.0, second.1.to_owned(), port, None)
                ]
            );
            // An address by itself, as data connections have it.
            let address = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port);
            dialer.connect_addr(address).await.unwrap();
            dialer.dial(address).await.unwrap();
            assert_eq!(server.asked().len(), 4);
        }
    }
}

#[tokio::test]
async fn names_are_resolved_by_the_proxy_where_it_can() {
    let (port, _server) = greeter((Ipv4Addr::LOCALHOST, 0)).await;
    for kind in KINDS {
        let server = ProxyServer::start(ProxyRules::default()).await;
        let dialer = dialer(proxy(kind, server.addr(), None));
        let outcome = greeting(&dialer, "ftp.nowhere.invalid", port).await;
        if kind == ProxyKind::Socks4 {
            assert!(matches!(outcome, Err(NetError::Resolve { .. })));
            assert!(server.asked().is_empty());
        } else {
            outcome.unwrap();
            assert_eq!(server.asked()[0].host, "ftp.nowhere.invalid");
        }
    }
}

#[tokio::test]
async fn ipv6_on_either_side_of_the_proxy() {
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await.is_err() {
        eprintln!("no IPv6 on this machine");
        return;
    }
    let (port, _server) = greeter((Ipv6Addr::LOCALHOST, 0)).await;
    for kind in KINDS {
        let server = ProxyServer::start_v6(ProxyRules::default()).await;
        let dialer = dialer(proxy(kind, server.addr(), None));
        for host in ["::1", "[::1]"] {
            let outcome = greeting(&dialer, host, port).await;
            if matches!(kind, ProxyKind::Socks4 | ProxyKind::Socks4a) {
                let problem = problem(outcome.unwrap_err());
                assert!(matches!(problem, ProxyProblem::Unable(_)), "{problem}");
                assert!(
                    problem.to_string().contains("IPv4") || problem.to_string().contains("IPv6")
                );
            } else {
                outcome.unwrap();
                assert_eq!(server.asked().last().unwrap().host, "::1");
            }
        }
    }
}

#[tokio::test]
async fn users_pass_by_their_password() {
    let (port, _server) = greeter((Ipv4Addr::LOCALHOST, 0)).await;
    let secret = "p\u{e4}ss:w\u{f6}rd with blanks";
    for kind in [ProxyKind::Socks5, ProxyKind::Http] {
        let login = Some(("m e".to_owned(), secret.to_owned()));
        let server = ProxyServer::start(ProxyRules {
            login: login.clone(),
            ..ProxyRules::default()
        })
        .await;
        let with = |login| dialer(proxy(kind, server.addr(), login));
        greeting(&with(Some(("m e", secret))), "localhost", port)
            .await
            .unwrap();
        assert_eq!(server.asked()[0].login, login);

        let wrong = greeting(&with(Some(("m e", "wrong"))), "localhost", port).await;
        let shown = format!("{wrong:?}");
        let refused = problem(wrong.unwrap_err());
        assert!(
            matches!(refused, ProxyProblem::LoginRefused(_)),
            "{refused}"
        );
        assert!(!shown.contains("wrong"), "{shown}");

        let nobody = problem(greeting(&with(None), "localhost", port).await.unwrap_err());
        assert!(matches!(nobody, ProxyProblem::LoginNeeded(_)), "{nobody}");
    }
    // SOCKS 4 has users without passwords.
    let server = ProxyServer::start(ProxyRules {
        login: Some(("me".to_owned(), String::new())),
        ..ProxyRules::default()
    })
    .await;
    for kind in [ProxyKind::Socks4, ProxyKind::Socks4a] {
        let with = |user, password| dialer(proxy(kind, server.addr(), Some((user, password))));
        greeting(&with("me", ""), "localhost", port).await.unwrap();
        let refused = problem(
            greeting(&with("you", ""), "localhost", port)
                .await
                .unwrap_err(),
        );
        assert!(
            matches!(refused, ProxyProblem::LoginRefused(_)),
            "{refused}"
        );
        let unable = problem(
            greeting(&with("me", "x"), "localhost", port)
                .await
                .unwrap_err(),
        );
        assert!(matches!(unable, ProxyProblem::Unable(_)), "{unable}");
    }
    // A proxy that asks nobody is told nothing of the password over SOCKS 5.
    let server = ProxyServer::start(ProxyRules::default()).await;
    let login = Some(("me", "secret"));
    let dialer = dialer(proxy(ProxyKind::Socks5, server.addr(), login));
    greeting(&dialer, "localhost", port).await.unwrap();
    assert_eq!(server.asked()[0].login, None);
}

#[tokio::test]
async fn every_refusal_says_what_it_means() {
    use ProxyKind::{Http, Socks4, Socks5};
    let unreachable = [
        (Socks4, 91, "rejected or failed"),
        (Socks5, 1, "general failure"),
        (Socks5, 3, "network unreachable"),
        (Socks5, 4, "host unreachable"),
        (Socks5, 5, "connection refused"),
        (Socks5, 6, "it took too long"),
        (Http, 502, "502 No"),
        (Http, 503, "503 No"),
        (Http, 504, "504 No"),
    ];
    let forbidden = [
        (Socks5, 2, "not allowed by its rules"),
        (Socks5, 7, "it knows no CONNECT"),
        (Socks5, 8, "this kind of address"),
        (Http, 403, "HTTP/1.1 403 No"),
        (Http, 405, "405 No"),
    ];
    let login = [(Socks4, 92, "identd"), (Socks4, 93, "another user")];
    let all = unreachable
        .map(|case| (case, "unreachable"))
        .into_iter()
        .chain(forbidden.map(|case| (case, "forbidden")))
        .chain(login.map(|case| (case, "login")));
    for ((kind, code, words), class) in all {
        let server = ProxyServer::start(ProxyRules {
            refuse: Some(code),
            ..ProxyRules::default()
        })
        .await;
        let dialer = dialer(proxy(kind, server.addr(), None));
        let error = dialer.connect("127.0.0.1", 2121).await.unwrap_err();
        let named = format!("through the proxy {}://{}", kind.scheme(), server.addr());
        assert_eq!(error.to_string(), named);
        let problem = problem(error);
        let text = problem.to_string();
        assert!(text.contains(words), "{kind:?} {code}: {text}");
        let as_expected = match problem {
            ProxyProblem::TargetUnreachable { target, .. } => {
                class == "unreachable" && target == "127.0.0.1:2121"
            }
            ProxyProblem::Forbidden { target, .. } => {
                class == "forbidden" && target == "127.0.0.1:2121"
            }
            ProxyProblem::LoginRefused(_) => class == "login",
            _ => false,
        };
        assert!(as_expected, "{kind:?} {code}: {text}");
    }
}

/// The problem of a connection through somebody who answers like this; it must come quickly.
async fn with_bad(kind: ProxyKind, steps: Vec<(usize, Vec<u8>)>, closes: bool) -> ProxyProblem {
    let server = BadProxy::start(steps, closes).await;
    let dialer = dialer(proxy(kind, server.addr(), Some(("me", ""))));
    let begin = Instant::now();
    let error = dialer.connect("127.0.0.1", 21).await.unwrap_err();
    assert!(begin.elapsed() < Duration::from_secs(5), "{error:?}");
    problem(error)
}

#[tokio::test]
async fn who_is_no_proxy_is_found_out_at_once() {
    // An FTP server, an HTTP server and a mail server in place of what was expected.
    let ftp = b"220 ProFTPD Server ready\x1b[31m.\r\n".to_vec();
    let http = b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec();
    for kind in KINDS {
        let problem = with_bad(kind, vec![(1, ftp.clone())], false).await;
        let ProxyProblem::Protocol(said) = problem else {
            panic!("{kind:?}: {problem:?}");
        };
        assert!(!said.0.contains('\x1b'), "{said}");
        if kind == ProxyKind::Http {
            assert!(said.0.contains("220 ProFTPD"), "{said}");
        } else {
            let problem = with_bad(kind, vec![(1, http.clone())], false).await;
            assert!(matches!(problem, ProxyProblem::Protocol(_)), "{problem:?}");
        }
    }
}

#[tokio::test]
async fn hostile_answers_are_errors_and_bounded() {
    use ProxyKind::{Http, Socks4, Socks5};
    let protocol = [
        // Methods that nobody offered; an unknown version; a login without being asked.
        (Socks5, vec![(4, vec![5, 1])]),
        (Socks5, vec![(4, vec![5, 9])]),
        (Socks5, vec![(4, vec![4, 0])]),
        (Socks5, vec![(4, vec![5, 2]), (5, vec![9, 0])]),
        // Codes that don't exist; kinds of addresses that don't exist.
        (Socks5, vec![(4, vec![5, 0]), (10, vec![5, 9, 0, 1])]),
        (Socks5, vec![(4, vec![5, 0]), (10, vec![5, 255, 0, 1])]),
        (Socks5, vec![(4, vec![5, 0]), (10, vec![5, 0, 0, 2])]),
        (Socks5, vec![(4, vec![5, 0]), (10, vec![4, 0, 0, 1])]),
        (Socks4, vec![(11, vec![0, 0])]),
        (Socks4, vec![(11, vec![0, 94])]),
        (Socks4, vec![(11, vec![5, 90])]),
        (Http, vec![(20, b"HTTP/1.1 abc\r\n\r\n".to_vec())]),
        (Http, vec![(20, b"HTTP/2 200 OK\r\n\r\n".to_vec())]),
        (Http, vec![(20, b"HTTP/1.1\r\n\r\n".to_vec())]),
        (Http, vec![(20, vec![0; 100])]),
        // Headers without end, in lines or in one; interim answers without end.
        (
            Http,
            vec![(
                20,
                [b"HTTP/1.1 200 OK\r\n".to_vec(), b"X: y\r\n".repeat(10_000)].concat(),
            )],
        ),
        (
            Http,
            vec![(
                20,
                [b"HTTP/1.1 200 ".to_vec(), vec![b'x'; 100_000]].concat(),
            )],
        ),
        (
            Http,
            vec![(20, b"HTTP/1.1 100 Continue\r\n\r\n".repeat(100))],
        ),
    ];
    for (kind, steps) in protocol {
        let shown = format!("{steps:?}").chars().take(80).collect::<String>();
        let problem = with_bad(kind, steps, false).await;
        let ProxyProblem::Protocol(said) = &problem else {
            panic!("{kind:?} {shown}: {problem:?}");
        };
        assert!(said.0.len() <= 800, "{}", said.0.len());
    }
    // One that closes in the middle of each of its answers.
    for (kind, steps) in [
        (Socks5, vec![]),
        (Socks5, vec![(4, vec![5])]),
        (Socks5, vec![(4, vec![5, 0]), (10, vec![5])]),
        (Socks5, vec![(4, vec![5, 0]), (10, vec![5, 0, 0])]),
        (
            Socks5,
            vec![(4, vec![5, 0]), (10, vec![5, 0, 0, 1, 127, 0])],
        ),
        (
            Socks5,
            vec![(4, vec![5, 0]), (10, vec![5, 0, 0, 3, 255, b'a'])],
        ),
        (Socks4, vec![(11, vec![])]),
        (Socks4, vec![(11, vec![0, 90, 0])]),
        (Http, vec![(20, b"HTTP/1.1 200 OK\r\n".to_vec())]),
        (Http, vec![(20, vec![])]),
    ] {
        let problem = with_bad(kind, steps.clone(), true).await;
        assert!(
            matches!(problem, ProxyProblem::Closed(_)),
            "{kind:?} {steps:?}: {problem:?}"
        );
    }
    // Refusals that end early count as refusals; answers in pieces and with bare line feeds are answers.
    let problem = with_bad(Socks5, vec![(4, vec![5, 0]), (10, vec![5, 2])], true).await;
    assert!(
        matches!(problem, ProxyProblem::Forbidden { .. }),
        "{problem:?}"
    );
}

#[tokio::test]
async fn an_answer_in_unusual_form_is_one() {
    let answer = b"HTTP/1.0 200\nX: y\n\n220 hello\r\n".to_vec();
    let interim =
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n220 hello\r\n";
    for answer in [answer, interim.to_vec()] {
        let server = BadProxy::start(vec![(20, answer)], false).await;
        let dialer = dialer(proxy(ProxyKind::Http, server.addr(), None));
        let mut tcp = dialer.connect("127.0.0.1", 21).await.unwrap();
        let mut greeting = [0; 11];
        tcp.read_exact(&mut greeting).await.unwrap();
        assert_eq!(&greeting, b"220 hello\r\n");
    }
}

#[tokio::test]
async fn a_silent_or_missing_proxy_is_its_own_error() {
    for kind in KINDS {
        let server = BadProxy::start(vec![], false).await;
        let dialer = Dialer {
            limit: Duration::from_millis(100),
            ..dialer(proxy(kind, server.addr(), None))
        };
        let problem = problem(dialer.connect("127.0.0.1", 21).await.unwrap_err());
        assert!(matches!(problem, ProxyProblem::Timeout(_)), "{problem:?}");
    }
    let gone = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let addr = gone.local_addr().unwrap();
    drop(gone);
    let dialer = dialer(proxy(ProxyKind::Socks5, addr, None));
    let unreachable = problem(dialer.connect("127.0.0.1", 21).await.unwrap_err());
    let ProxyProblem::Unreachable(error) = unreachable else {
        panic!("{unreachable:?}");
    };
    assert!(matches!(*error, NetError::Connect { address, .. } if address == addr));
}

#[tokio::test]
async fn what_a_proxy_can_t_be_told_is_refused_here() {
    let server = ProxyServer::start(ProxyRules::default()).await;
    let long = "x".repeat(256);
    let hosts = ["a b", "a\r\nX: y", "", "a\0b", "a\x7f"];
    for kind in [ProxyKind::Socks4a, ProxyKind::Socks5, ProxyKind::Http] {
        let dialer = dialer(proxy(kind, server.addr(), None));
        for host in hosts {
            let problem = problem(dialer.connect(host, 21).await.unwrap_err());
            assert!(
                matches!(problem, ProxyProblem::Unable(_)),
                "{host:?}: {problem:?}"
            );
        }
    }
    for (kind, user, password) in [
        (ProxyKind::Socks5, "me", &*long),
        (ProxyKind::Socks5, &*long, "x"),
        (ProxyKind::Socks4, "a\0b", ""),
        (ProxyKind::Http, "a:b", "x"),
    ] {
        let dialer = dialer(proxy(kind, server.addr(), Some((user, password))));
        let problem = problem(dialer.connect("127.0.0.1", 21).await.unwrap_err());
        assert!(matches!(problem, ProxyProblem::Unable(_)), "{problem:?}");
    }
    assert!(server.asked().is_empty(), "{:?}", server.asked());
}

/// Whatever comes, it ends at once, in an error or in a connection.
#[tokio::test]
async fn any_answer_comes_to_an_end() {
    let mut state = 0x2545_f491_u32;
    let mut chance = move |below: u32| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state % below
    };
    type Steps = &'static [(usize, &'static [u8])];
    let good: [(ProxyKind, Steps); 4] = [
        (ProxyKind::Socks4, &[(11, &[0, 90, 0, 21, 127, 0, 0, 1])]),
        (ProxyKind::Socks4a, &[(11, &[0, 90, 0, 21, 127, 0, 0, 1])]),
        (
            ProxyKind::Socks5,
            &[(4, &[5, 0]), (10, &[5, 0, 0, 1, 127, 0, 0, 1, 0, 21])],
        ),
        (
            ProxyKind::Http,
            &[(20, b"HTTP/1.1 200 OK\r\nVia: x\r\n\r\n")],
        ),
    ];
    let mut connected = 0;
    for round in 0..100 {
        for (kind, steps) in good {
            let steps: Vec<(usize, Vec<u8>)> = steps
                .iter()
                .map(|(count, answer)| {
                    let mut answer = answer.to_vec();
                    for _ in 0..chance(3) {
                        let at = chance(answer.len() as u32) as usize;
                        match chance(3) {
                            0 => answer[at] = chance(256) as u8,
                            1 => answer.insert(at, chance(256) as u8),
                            _ => answer.truncate(at + 1),
                        }
                    }
                    (*count, answer)
                })
                .collect();
            let shown = format!("{kind:?} {round}: {steps:?}");
            let server = BadProxy::start(steps, true).await;
            let dialer = Dialer {
                // Half an answer is waited for no longer.
                limit: Duration::from_millis(50),
                ..dialer(proxy(kind, server.addr(), Some(("me", ""))))
            };
            let ended =
                tokio::time::timeout(Duration::from_secs(5), dialer.connect("127.0.0.1", 21));
            match ended.await.unwrap_or_else(|_| panic!("{shown}: no end")) {
                Ok(_) => connected += 1,
                Err(error) => drop(problem(error)),
            }
        }
    }
    assert!(connected > 20, "{connected}");
}
