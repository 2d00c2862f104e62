use ftp_server::{Server, User, vfs::MemoryTree};
use std::sync::Arc;
use support::{Peer, Script};

use crate::harness::{Bench, DECODED, PASSWORD, Site};

#[tokio::test(flavor = "multi_thread")]
async fn every_way_of_failing_has_its_code() {
    let site = Site::new().await;
    site.write("a", "x");
    let addr = site.addr();
    // A port where nobody listens.
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let wrong = format!("sha256:{}", "00".repeat(32));
    let private = site.private("a");
    let dead = format!("ftp://me:{PASSWORD}@{closed}/");
    let refused = format!("ftp://nobody:{PASSWORD}@{addr}/");
    let cases: Vec<(Vec<&str>, i32, &str)> = vec![
        (vec!["ls", &private, "--pin", &site.pin], 0, ""),
        (vec!["ls", &private], 5, "--pin sha256:"),
        (vec!["ls", &private, "--pin", &wrong], 5, "not trusted"),
        (vec!["ls", &private, "--tls", "off"], 4, "--plaintext"),
        (vec!["ls", &private, "--tls", "off", "--plaintext"], 0, ""),
        (vec!["ls", &refused, "--pin", &site.pin], 4, "530"),
        (vec!["ls", &dead], 3, "refused"),
        (vec!["get", &dead, "-d", "x"], 3, "no connection"),
        (vec!["get", &private], 5, "fingerprint"),
        (vec!["get", &refused, "--pin", &site.pin, "-r"], 4, "530"),
        (vec!["put", "/dev/null", &dead], 3, "no connection"),
        (vec!["rm", &dead], 2, "itself"),
        (vec!["ls"], 2, "Usage"),
        (vec!["ls", &private, &private], 2, "unexpected"),
        (vec!["ls", "http://example.com/"], 2, "ftp://"),
        (vec!["ls", &private, "--pin", "sha256:00"], 2, "64"),
        (vec!["ls", &private, "--ca", "/none"], 2, "--ca"),
        (vec!["get", &private, "-j", "0"], 2, "0"),
        (vec!["ls", "ftps://h/", "--tls", "off"], 2, "contradicts"),
        (vec!["ls", "site:none/"], 2, "slip sites"),
        (vec!["--help"], 0, ""),
    ];
    for (arguments, code, words) in cases {
        let run = site.bench.slip(&arguments).await;
        assert_eq!(run.code, code, "{arguments:?}: {}", run.err);
        assert!(run.err.contains(words), "{arguments:?}: {}", run.err);
        if code != 0 {
            assert!(run.out.is_empty(), "{arguments:?}: {}", run.out);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_shown_whole() {
    let site = Site::new().await;
    let run = site.bench.slip(["ls", &site.url("")]).await.expect(5);
    let pin = format!("--pin {}", site.pin);
    for words in [
        "CN=127.0.0.1",
        "names        127.0.0.1",
        "valid from   20",
        "valid until  20",
        &pin,
    ] {
        assert!(run.err.contains(words), "{words}: {}", run.err);
    }
    // What it tells to do works.
    site.bench
        .slip(["ls", &site.url(""), "--pin", &site.pin])
        .await
        .expect(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_from_the_environment() {
    let site = Site::new().await;
    let url = format!("ftp://me%40home@{}/", site.addr());
    let run = site.slip(&["ls", &url]).await.expect(4);
    assert!(run.err.contains("SLIP_PASSWORD"), "{}", run.err);
    let mut command = site.bench.command(["ls", &url, "--pin", &site.pin]);
    command.env("SLIP_PASSWORD", DECODED);
    site.bench.run(command).await.expect(0);
    // The URL's own comes first.
    let mut command = site
        .bench
        .command(["ls", &site.private(""), "--pin", &site.pin]);
    command.env("SLIP_PASSWORD", "wrong");
    site.bench.run(command).await.expect(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_protocol_is_shown_without_passwords() {
    let site = Site::new().await;
    let run = site.slip(&["-v", "ls", &site.private("")]).await.expect(0);
    for words in [
        "< 220 ",
        "> AUTH TLS",
        "> USER me@home",
        "> PASS *****",
        "> QUIT",
    ] {
        assert!(run.err.contains(words), "{words}: {}", run.err);
    }
}

/// Servers repeat what they don't like.
#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_the_server_repeats_is_masked() {
    let bench = Bench::new();
    let parrot = "530-'PASS hunter2-é' is not\r\n530 the password hunter2-é";
    let script = || {
        Script::logged_in()
            .answering(&[("PASS *", parrot)])
            .serve_rest()
    };
    for extra in ["--json", "-v", "-q"] {
        let peer = Peer::serve(script()).await;
        let url = format!("ftp://me:{PASSWORD}@{}/x", peer.addr());
        let run = bench
            .slip(["get", &url, "--plaintext", extra])
            .await
            .expect(4);
        let all = format!("{}{}", run.out, run.err);
        assert!(all.contains("the password *****"), "{all}");
    }
}

/// Also where their words are the result.
#[tokio::test(flavor = "multi_thread")]
async fn a_password_in_the_reply_to_a_raw_command_is_masked() {
    let bench = Bench::new();
    let parrot = "200-hunter2-é it was\r\n hunter2-é\r\n200 hunter2-é, yes, hunter2-é";
    for extra in [None, Some("--json")] {
        let script = Script::logged_in().answering(&[("SITE *", parrot)]);
        let peer = Peer::serve(script.serve_rest()).await;
        let url = format!("ftp://me:{PASSWORD}@{}/", peer.addr());
        let arguments = ["raw", &url, "--plaintext", "SITE ECHO"];
        // The harness looks for the password in all that is said.
        let run = bench
            .slip(arguments.into_iter().chain(extra))
            .await
            .expect(0);
        assert_eq!(run.out.matches("*****").count(), 4, "{}", run.out);
        if extra.is_none() {
            assert_eq!(run.out, "200-***** it was\n *****\n200 *****, yes, *****\n");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn explicit_tls_takes_no_less() {
    let bench = Bench::new();
    let peer = Peer::serve(Script::logged_in().serve_rest()).await;
    let run = bench
        .slip(["ls", &format!("ftpes://{}/", peer.addr())])
        .await
        .expect(3);
    assert!(run.err.contains("TLS"), "{}", run.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn saved_sites_are_addresses_too() {
    let bench = Bench::new();
    let tree = MemoryTree::new(1 << 20);
    let server = Server::builder()
        .vfs(Arc::new(tree))
        .anonymous(User::new("anonymous"))
        .bind("127.0.0.1:0")
        .await
        .unwrap();
    let port = server.local_addr().port();
    let sites = serde_json::json!({ "version": 1, "sites": [
        { "id": "one", "name": "My Site", "host": "127.0.0.1", "port": port, "remotePath": "www" },
    ]});
    std::fs::write(
        bench.dir.path().join("config/sites.json"),
        sites.to_string(),
    )
    .unwrap();
    let listed = bench.slip(["sites", "--json"]).await.expect(0).objects();
    assert_eq!(listed[0]["name"], "My Site");
    std::fs::write(bench.work().join("f"), "content").unwrap();
    bench
        .slip(["put", "f", "site:My%20Site/sub/"])
        .await
        .expect(0);
    for url in [
        "site:my site/sub/f",
        "site:one/sub/f",
        &format!("ftp://127.0.0.1:{port}/www/sub/f"),
    ] {
        let run = bench.slip(["get", url, "-o", "-"]).await.expect(0);
        assert_eq!(run.out, "content");
    }
    server.stop().await;
}
