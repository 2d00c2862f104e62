//! Sessions through proxies, control and data, against real servers; and what is made of proxies that refuse.
#![allow(clippy::unwrap_used, unused_crate_dependencies)]

use std::{net::SocketAddr, time::Duration};

use engine_tests::{
    Log,
    batches::{fetch, wanted},
    config_for, connect, each_server, entries,
    files::file_with,
    path, pattern, scripted,
};
use ftp_client::{
    Client, Config, DataMode, ErrorKind, LogKind, Progress, Proxy, ProxyKind, ProxyLogin, Waited,
};
use support::{BadProxy, Kind, Options, Peer, ProxyRules, ProxyServer, RealServer, Script, Tls};
use tokio::io::AsyncReadExt;

const KINDS: [ProxyKind; 4] = [
    ProxyKind::Socks4,
    ProxyKind::Socks4a,
    ProxyKind::Socks5,
    ProxyKind::Http,
];

fn proxy(kind: ProxyKind, addr: SocketAddr) -> Proxy {
    Proxy {
        kind,
        host: addr.ip().to_string(),
        port: addr.port(),
        login: None,
    }
}

fn me() -> ProxyLogin {
    ProxyLogin {
        user: "me".to_owned(),
        password: "proxy's secret".to_owned(),
    }
}

fn rules_for_me() -> ProxyRules {
    let ProxyLogin { user, password } = me();
    ProxyRules {
        login: Some((user, password)),
        ..ProxyRules::default()
    }
}

/// Lists, and moves a file both ways in both manners.
async fn use_it(client: &Client, case: &str) {
    let content = pattern(300_000);
    let upload = client.stor(&path("/up"), 0).await.unwrap();
    upload
        .copy_from_file(file_with(&content), Progress::default())
        .await
        .unwrap_or_else(|error| panic!("{case}: {error}"));
    let mut back = Vec::new();
    let mut download = client.retr(&path("/up"), 0).await.unwrap();
    download.read_to_end(&mut back).await.unwrap();
    download.finish().await.unwrap();
    assert!(back == content, "{case}");
    let target = tempfile::tempfile().unwrap();
    let download = client.retr(&path("/up"), 1000).await.unwrap();
    let copied = download.copy_to_file(target, Progress::default()).await;
    assert_eq!(copied.unwrap(), 299_000, "{case}");
    let listed = entries(client, "/").await;
    assert!(listed.iter().any(|entry| entry.name == b"up"), "{case}");
}

#[tokio::test]
async fn real_everything_goes_through_every_kind_of_proxy() {
    for (server, tls) in each_server(|options| options) {
        for kind in KINDS {
            let case = format!("{} {tls:?} {kind:?}", server.kind().name());
            let rules = match kind {
                ProxyKind::Socks5 | ProxyKind::Http => rules_for_me(),
                _ => ProxyRules::default(),
            };
            let gate = ProxyServer::start(rules).await;
            let mut config = config_for(&server, tls);
            config.host = "localhost".to_owned();
            let mut through = proxy(kind, gate.addr());
            if matches!(kind, ProxyKind::Socks5 | ProxyKind::Http) {
                through.login = Some(me());
            }
            config.proxy = Some(through);
            let (client, log) = connect(config)
                .await
                .unwrap_or_else(|error| panic!("{case}: {error}"));
            use_it(&client, &case).await;
            client.quit().await.unwrap();

            let asked = gate.asked();
            // Control, and four data connections at least.
            assert!(asked.len() >= 5, "{case}: {asked:?}");
            let host = match kind {
                ProxyKind::Socks4 => "127.0.0.1",
                _ => "localhost",
            };
            assert!(
                asked.iter().all(|asked| asked.host == host),
                "{case}: {asked:?}"
            );
            assert_eq!(asked[0].port, server.port(), "{case}");
            let all = log.all();
            assert!(!all.contains("secret"), "{all}");
            assert!(all.contains("through"), "{all}");
            assert!(
                !log.sent()
                    .iter()
                    .any(|line| line.starts_with("PORT") || line.starts_with("EPRT")),
                "{all}"
            );
        }
    }
}

/// Batches of small files have data connections of their own making.
#[tokio::test]
async fn real_batches_go_through_the_proxy_too() {
    for kind in Kind::ALL {
        let names: Vec<String> = (0..30).map(|number| format!("f{number}")).collect();
        let mut options = Options::explicit();
        options.files = names
            .iter()
            .map(|name| (name.clone(), name.clone().into_bytes()))
            .collect();
        let Some(server) = RealServer::start(kind, options) else {
            continue;
        };
        let gate = ProxyServer::start(ProxyRules::default()).await;
        let mut config = config_for(&server, Tls::Explicit);
        config.host = "localhost".to_owned();
        config.proxy = Some(proxy(ProxyKind::Socks5, gate.addr()));
        let (client, log) = connect(config).await.unwrap();
        let files = names.iter().map(|name| wanted(&format!("/{name}"), None));
        let (outcomes, ended) = fetch(&client, files.collect()).await;
        ended.unwrap();
        assert_eq!(outcomes.len(), names.len());
        for (index, outcome) in outcomes {
            let fetched = outcome.unwrap_or_else(|error| {
                panic!("{}: {error}\n{}", kind.name(), log.all());
            });
            assert_eq!(fetched.data, names[index].as_bytes());
        }
        let asked = gate.asked();
        assert!(
            asked.len() > names.len(),
            "{}: {}",
            kind.name(),
            asked.len()
        );
        assert!(asked.iter().all(|asked| asked.host == "localhost"));
    }
}

/// D9: vsftpd takes data connections from nowhere else than the control connection comes from.
#[tokio::test]
#[cfg(target_os = "linux")]
async fn real_data_connections_come_from_where_the_control_connection_does() {
    let mut options = Options::plain();
    options.files = (0..20)
        .map(|number| (format!("f{number}"), b"small".to_vec()))
        .collect();
    let Some(server) = RealServer::start(Kind::Vsftpd, options) else {
        return;
    };
    let mut config = config_for(&server, Tls::Off);
    // One that the system would not choose by itself.
    config.source = Some("127.0.0.9".parse().unwrap());
    let (client, log) = connect(config).await.unwrap();
    use_it(&client, "from 127.0.0.9").await;
    let files = (0..20).map(|number| wanted(&format!("/f{number}"), None));
    let (outcomes, ended) = fetch(&client, files.collect()).await;
    ended.unwrap();
    assert!(outcomes.values().all(Result::is_ok), "{}", log.all());
}

/// D7: the host's name is told to the proxy, EPSV is what asks for ports, and active mode is out of the question.
#[tokio::test]
async fn behind_a_proxy_epsv_is_asked_for_and_the_name_is_told() {
    for mode in [DataMode::Auto, DataMode::Passive, DataMode::Active] {
        let script = Script::logged_in()
            .answering(&[("EPRT *", "200 no")])
            .then(scripted::sends("RETR /a", "abc"))
            .serve_rest();
        let peer = Peer::serve(script).await;
        let gate = ProxyServer::start(ProxyRules::default()).await;
        let mut config = scripted::config(&peer);
        config.host = "ftp.nowhere.invalid".to_owned();
        config.data = mode;
        config.proxy = Some(proxy(ProxyKind::Socks5, gate.addr()));
        let (client, log) = connect(config).await.unwrap();
        let outcome = client.retr(&path("/a"), 0).await;
        let sent = log.sent();
        assert!(
            !sent
                .iter()
                .any(|line| line.starts_with("EPRT") || line.starts_with("PORT")),
            "{mode:?}: {sent:?}"
        );
        let mut download =
            outcome.unwrap_or_else(|error| panic!("{mode:?}: {error}\n{}", log.all()));
        let mut back = Vec::new();
        download.read_to_end(&mut back).await.unwrap();
        download.finish().await.unwrap();
        assert_eq!(back, b"abc");
        assert!(sent.iter().any(|line| line == "EPSV"), "{sent:?}");
        let asked = gate.asked();
        assert_eq!(asked.len(), 2, "{asked:?}");
        assert!(
            asked
                .iter()
                .all(|asked| asked.host == "ftp.nowhere.invalid")
        );
    }
}

/// A server whose PASV names an address of its own network: the name is what the proxy knows.
#[tokio::test]
async fn behind_a_proxy_the_address_in_pasv_means_nothing() {
    let script = Script::logged_in()
        .answering(&[("EPSV", "500 what?"), ("PASV", "227 ok ({pasv})")])
        .then(scripted::sends("RETR /a", "abc"))
        .serve_rest();
    let peer = Peer::serve(script).await;
    let gate = ProxyServer::start(ProxyRules::default()).await;
    let mut config = scripted::config(&peer);
    config.host = "ftp.nowhere.invalid".to_owned();
    config.proxy = Some(proxy(ProxyKind::Http, gate.addr()));
    let (client, _) = connect(config).await.unwrap();
    let mut download = client.retr(&path("/a"), 0).await.unwrap();
    let mut back = Vec::new();
    download.read_to_end(&mut back).await.unwrap();
    download.finish().await.unwrap();
    let asked = gate.asked();
    assert_eq!(asked[1].host, "ftp.nowhere.invalid", "{asked:?}");
}

/// The error of connecting through a proxy, in a few seconds.
async fn refused(through: Proxy) -> ftp_client::Error {
    let mut config = Config::new("127.0.0.1").with_port(9);
    config.proxy = Some(through);
    config.timeouts = ftp_client::Timeouts::all(Duration::from_millis(500));
    let log = Log::default();
    log.attach(&mut config);
    let connecting = Client::connect(config);
    let error = tokio::time::timeout(Duration::from_secs(5), connecting)
        .await
        .expect("it comes to an end")
        .expect_err("it can't go well");
    assert!(!log.all().contains("secret"), "{}", log.all());
    assert!(!error.to_string().contains("secret"), "{error}");
    assert!(!format!("{error:?}").contains("secret"));
    assert!(log.lines(LogKind::Sent).is_empty());
    error
}

#[tokio::test]
async fn each_refusal_of_a_proxy_is_an_error_of_its_own() {
    let with = |kind, addr, login| Proxy {
        login,
        ..proxy(kind, addr)
    };
    let picky = ProxyServer::start(rules_for_me()).await;
    for kind in [ProxyKind::Socks5, ProxyKind::Http] {
        let error = refused(with(kind, picky.addr(), None)).await;
        assert_eq!(*error.kind(), ErrorKind::Proxy, "{error}");
        assert!(error.to_string().contains("wants a user name"), "{error}");
        let wrong = ProxyLogin {
            user: "you".to_owned(),
            ..me()
        };
        let error = refused(with(kind, picky.addr(), Some(wrong))).await;
        assert_eq!(*error.kind(), ErrorKind::Proxy, "{error}");
        assert!(
            error.to_string().contains("refused the user name"),
            "{error}"
        );
        assert!(!error.is_retryable());
    }
    for (kind, code, expected) in [
        (ProxyKind::Socks5, 2, ErrorKind::Proxy),
        (ProxyKind::Http, 403, ErrorKind::Proxy),
        (ProxyKind::Socks5, 5, ErrorKind::Connect),
        (ProxyKind::Http, 502, ErrorKind::Connect),
        (ProxyKind::Socks4, 91, ErrorKind::Connect),
        (ProxyKind::Socks4a, 91, ErrorKind::Connect),
    ] {
        let gate = ProxyServer::start(ProxyRules {
            refuse: Some(code),
            ..ProxyRules::default()
        })
        .await;
        let error = refused(with(kind, gate.addr(), None)).await;
        assert_eq!(*error.kind(), expected, "{error}");
        assert_eq!(error.is_retryable(), expected == ErrorKind::Connect);
        let text = error.to_string();
        assert!(text.contains(&code.to_string()), "{text}");
        let named = format!("{}://{}", kind.scheme(), gate.addr());
        assert!(text.contains(&named), "{text}");
    }
    let silent = BadProxy::start(Vec::new(), false).await;
    let error = refused(proxy(ProxyKind::Socks5, silent.addr())).await;
    assert_eq!(
        *error.kind(),
        ErrorKind::Timeout(Waited::Connect),
        "{error}"
    );
    let closing = BadProxy::start(Vec::new(), true).await;
    let error = refused(proxy(ProxyKind::Http, closing.addr())).await;
    assert_eq!(*error.kind(), ErrorKind::Lost, "{error}");
    let mail = BadProxy::start(vec![(1, b"220 mail\x1b[2J\r\n".to_vec())], false).await;
    let error = refused(proxy(ProxyKind::Http, mail.addr())).await;
    assert_eq!(*error.kind(), ErrorKind::Proxy, "{error}");
    assert!(error.to_string().contains(r"220 mail\x1b[2J"), "{error}");
}

/// Many HTTP proxies let only the control connection pass: the error says that it is the proxy's rule.
#[tokio::test]
async fn a_proxy_that_lets_no_data_connection_pass_is_named() {
    let script = Script::logged_in()
        .answering(&[
            ("PASV", "227 ok ({pasv})"),
            ("RETR *", "425 nobody came"),
            ("ABOR", "226 ok"),
        ])
        .serve_rest();
    let peer = Peer::serve_each(vec![script.clone(), script]).await;
    let gate = ProxyServer::start(ProxyRules {
        refuse: Some(403),
        refuse_from: 1,
        ..ProxyRules::default()
    })
    .await;
    let mut config = scripted::config(&peer);
    config.proxy = Some(proxy(ProxyKind::Http, gate.addr()));
    let (client, log) = connect(config).await.unwrap();
    let error = match client.retr(&path("/a"), 0).await {
        Ok(_) => panic!("it can't go well"),
        Err(error) => error,
    };
    assert_eq!(*error.kind(), ErrorKind::Proxy, "{error}\n{}", log.all());
    assert!(error.to_string().contains("403"), "{error}");
}
