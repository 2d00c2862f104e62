//! The way to a server: through proxies, with a certificate, by versions of TLS.

use support::{ProxyRules, ProxyServer};

use crate::harness::Site;

const SECRET: &str = "gate's-secret";

async fn gate() -> ProxyServer {
    ProxyServer::start(ProxyRules {
        login: Some(("gu est".to_owned(), SECRET.to_owned())),
        ..ProxyRules::default()
    })
    .await
}

#[tokio::test]
async fn files_come_through_the_proxy_and_its_password_from_where_it_is() {
    let site = Site::new().await;
    site.write("a.txt", "through");
    let gate = gate().await;
    let url = site.url("a.txt");
    for kind in ["socks5", "http"] {
        let before = gate.asked().len();
        // In the address, which is an argument or part of one.
        let address = format!("{kind}://gu%20est:{SECRET}@{}", gate.addr());
        let arguments = ["-v", "--proxy", &address, "get", "-o", "-", &url];
        let run = site.slip(&arguments).await.expect(0);
        assert_eq!(run.out, "through");
        assert!(!run.err.contains(SECRET), "{}", run.err);
        assert!(run.err.contains("through"), "{}", run.err);
        let address = format!("--proxy={address}");
        site.slip(&[&address, "get", "-o", "-", &url])
            .await
            .expect(0);
        // In the environment.
        let address = format!("{kind}://gu%20est@{}", gate.addr());
        let mut command =
            site.bench
                .command(["ls", "--pin", &site.pin, "--proxy", &address, &site.url("")]);
        command.env("SLIP_PROXY_PASSWORD", SECRET);
        let run = site.bench.run(command).await.expect(0);
        assert!(run.out.contains("a.txt"), "{}", run.out);
        // Control and data, each time.
        assert_eq!(gate.asked().len(), before + 6);
        // Nowhere: then nothing is asked for.
        let run = site.slip(&["--proxy", &address, "ls", &site.url("")]).await;
        let run = run.expect(4);
        assert!(run.err.contains("the proxy"), "{}", run.err);
        assert_eq!(gate.asked().len(), before + 6);
    }
}

#[tokio::test]
async fn a_proxy_that_refuses_is_named_with_its_reason() {
    let site = Site::new().await;
    let gate = gate().await;
    let url = site.url("");
    let address = format!("socks5://gu%20est:wrong-secret@{}", gate.addr());
    let run = site
        .slip(&["--proxy", &address, "ls", &url])
        .await
        .expect(3);
    assert!(
        run.err.contains("refused the user name or the password"),
        "{}",
        run.err
    );
    assert!(!run.err.contains("wrong-secret"), "{}", run.err);
    let address = format!("http://{}", gate.addr());
    let run = site
        .slip(&["--proxy", &address, "ls", &url])
        .await
        .expect(3);
    assert!(run.err.contains("407"), "{}", run.err);
    for bad in ["gate:1080", "ftp://gate", "socks5://me:hunter@gate:x"] {
        let run = site.slip(&["--proxy", bad, "ls", &url]).await.expect(2);
        assert!(run.err.contains("--proxy"), "{}", run.err);
        assert!(!run.err.contains("hunter"), "{}", run.err);
    }
}

#[tokio::test]
async fn a_saved_site_has_a_proxy_of_its_own() {
    let site = Site::new().await;
    site.write("a.txt", "through");
    let gate = ProxyServer::start(ProxyRules::default()).await;
    let addr = site.addr();
    let file = site.bench.dir.path().join("config/sites.json");
    let text = format!(
        r#"{{"version":1,"sites":[{{"id":"s","name":"mine","host":"{}","port":{},
        "network":{{"proxy":"socks5://{}","tlsMax":"1.2"}}}}]}}"#,
        addr.ip(),
        addr.port(),
        gate.addr()
    );
    std::fs::write(file, text).unwrap();
    let run = site
        .slip(&["-v", "get", "-o", "-", "site:mine/a.txt"])
        .await;
    let run = run.expect(0);
    assert_eq!(run.out, "through");
    assert!(run.err.contains("TLS 1.2"), "{}", run.err);
    assert_eq!(gate.asked().len(), 2);
    let straight = [
        "--proxy",
        "none",
        "--tls-max",
        "1.3",
        "-v",
        "ls",
        "site:mine",
    ];
    let run = site.slip(&straight).await.expect(0);
    assert!(run.err.contains("TLS 1.3"), "{}", run.err);
    assert_eq!(gate.asked().len(), 2);
}

#[tokio::test]
async fn contradictions_are_usage() {
    let site = Site::new().await;
    let url = site.url("");
    for (options, words) in [
        (
            ["--tls-min", "1.3", "--tls-max", "1.2"],
            "--tls-min is newer",
        ),
        (
            ["--key", "k.pem", "--tls-min", "1.2"],
            "--key is the key of --cert",
        ),
        (["--cert", "missing.pem", "--key", "k.pem"], "missing.pem"),
        (["--tls-min", "1.1", "--tls-max", "1.3"], "broken"),
    ] {
        let mut arguments = options.to_vec();
        arguments.extend(["ls", &url]);
        let run = site.slip(&arguments).await.expect(2);
        assert!(run.err.contains(words), "{}", run.err);
    }
}
