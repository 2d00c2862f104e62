use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command};

use serde_json::Value;

use crate::harness::{Bench, DECODED, PASSWORD};

/// Starts `slip serve` and waits for its first line.
pub(crate) async fn start(mut command: Command) -> (Child, String, Box<dyn std::io::Read + Send>) {
    tokio::task::spawn_blocking(move || {
        let mut child = command.spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        (child, line, Box::new(out) as Box<dyn std::io::Read + Send>)
    })
    .await
    .unwrap()
}

#[cfg(unix)]
pub(crate) async fn stop(mut child: Child, signal: &str) -> (Option<i32>, String) {
    let kill = Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
    tokio::task::spawn_blocking(move || {
        let code = child.wait().unwrap().code();
        let mut err = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut err)
            .unwrap();
        (code, err)
    })
    .await
    .unwrap()
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_served_until_it_is_told_to_stop() {
    let bench = Bench::new();
    let root = bench.dir.path().join("served");
    std::fs::create_dir(&root).unwrap();
    let user = format!("me:{DECODED}");
    let command = bench.command([
        "serve".as_ref(),
        root.as_os_str(),
        "--port".as_ref(),
        "0".as_ref(),
        "--user".as_ref(),
        user.as_ref(),
        "--tls-self-signed".as_ref(),
        "--json".as_ref(),
    ]);
    let (child, line, _out) = start(command).await;
    let serving: Value = serde_json::from_str(&line).unwrap();
    let (port, pin) = (
        serving["port"].as_u64().unwrap(),
        serving["fingerprint"].as_str().unwrap(),
    );
    assert_eq!(serving["address"], "127.0.0.1");
    #[cfg(target_os = "linux")]
    {
        let shown = std::fs::read(format!("/proc/{}/cmdline", child.id())).unwrap();
        let shown = String::from_utf8_lossy(&shown);
        assert!(
            shown.contains("--user\0me\0") && !shown.contains("hunter2"),
            "{shown}"
        );
    }
    std::fs::write(bench.work().join("a"), "content").unwrap();
    let url = format!("ftp://me:{PASSWORD}@127.0.0.1:{port}/up/");
    bench.slip(["put", "a", &url, "--pin", pin]).await.expect(0);
    assert_eq!(std::fs::read(root.join("up/a")).unwrap(), b"content");
    bench
        .slip(["ls", &format!("ftp://127.0.0.1:{port}/"), "--pin", pin])
        .await
        .expect(4);
    let (code, err) = stop(child, "-TERM").await;
    assert_eq!(code, Some(0), "{err}");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_server_takes_nothing() {
    let bench = Bench::new();
    std::fs::write(bench.work().join("a"), "content").unwrap();
    let command = bench.command([
        "serve",
        ".",
        "--port",
        "0",
        "--anonymous",
        "--read-only",
        "--plaintext",
    ]);
    let (child, line, _out) = start(command).await;
    let url = line
        .split_whitespace()
        .find(|word| word.starts_with("ftp://"))
        .unwrap();
    let get = bench
        .slip(["get", &format!("{url}a"), "-o", "-"])
        .await
        .expect(0);
    assert_eq!(get.out, "content");
    bench.slip(["put", "a", &format!("{url}b")]).await.expect(1);
    bench.slip(["rm", &format!("{url}a")]).await.expect(1);
    assert!(bench.work().join("a").exists() && !bench.work().join("b").exists());
    let (code, err) = stop(child, "-INT").await;
    assert_eq!(code, Some(0), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_served() {
    let bench = Bench::new();
    bench.slip(["serve"]).await.expect(2);
    bench.slip(["serve", ".", "--user", "me:"]).await.expect(2);
    bench
        .slip(["serve", ".", "--user", "me:abcd", "--user", "me:efgh"])
        .await
        .expect(2);
    bench
        .slip(["serve", ".", "--plaintext", "--require-tls"])
        .await
        .expect(2);
    bench
        .slip(["serve", ".", "--anonymous", "--tls-cert", "x"])
        .await
        .expect(2);
    let run = bench.slip(["serve", "none", "--anonymous"]).await.expect(1);
    assert!(run.err.contains("none"), "{}", run.err);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let run = bench
        .slip(["serve", ".", "--anonymous", "--port", &port])
        .await
        .expect(1);
    assert!(run.err.contains(&port), "{}", run.err);
}

/// The first line as an object, and what serves.
async fn share(bench: &Bench, arguments: &[&str]) -> (Child, Value, Box<dyn std::io::Read + Send>) {
    let all = ["serve", "--json"].iter().chain(arguments);
    let (child, line, out) = start(bench.command(all)).await;
    let object = serde_json::from_str(&line).unwrap();
    (child, object, out)
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_share_has_a_password_of_its_own_and_a_certificate_that_stays() {
    let bench = Bench::new();
    std::fs::write(bench.work().join("a"), "content").unwrap();
    let mut seen = Vec::new();
    for _ in 0..2 {
        let (child, shared, _out) = share(&bench, &[".", "--port", "0"]).await;
        let text = |key: &str| shared[key].as_str().unwrap().to_owned();
        let (port, password, pin) = (&shared["port"], text("password"), text("fingerprint"));
        assert_eq!(text("user"), "share");
        assert_eq!(text("url"), format!("ftpes://share@127.0.0.1:{port}/"));
        let url = format!("ftp://share:{password}@127.0.0.1:{port}/a");
        let get = bench
            .slip(["get", &url, "-o", "-", "--pin", &pin])
            .await
            .expect(0);
        assert_eq!(get.out, "content");
        // Not with another password, and not in plain text.
        let wrong = format!("ftp://share:{password}x@127.0.0.1:{port}/a");
        bench
            .slip(["get", &wrong, "-o", "-", "--pin", &pin])
            .await
            .expect(4);
        bench
            .slip(["get", &url, "-o", "-", "--tls", "off", "--plaintext"])
            .await
            .expect(4);
        let (code, err) = stop(child, "-TERM").await;
        assert_eq!(code, Some(0), "{err}");
        assert!(!err.contains(&password), "{err}");
        assert!(err.contains("share logged in"), "{err}");
        assert!(err.contains("takes /a: done, 7 B"), "{err}");
        seen.push((password, pin));
    }
    assert_ne!(seen[0].0, seen[1].0);
    assert_eq!(seen[0].1, seen[1].1);
    // One made for this time alone is another.
    let arguments = [".", "--port", "0", "--tls-self-signed", "--implicit"];
    let (child, shared, _out) = share(&bench, &arguments).await;
    assert_ne!(shared["fingerprint"].as_str().unwrap(), seen[0].1);
    let (password, port) = (shared["password"].as_str().unwrap(), &shared["port"]);
    let url = format!("ftps://share:{password}@127.0.0.1:{port}/");
    let pin = shared["fingerprint"].as_str().unwrap();
    let list = bench.slip(["ls", &url, "--pin", pin]).await.expect(0);
    assert!(list.out.contains(" a"), "{}", list.out);
    stop(child, "-TERM").await;
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn once_ends_with_the_first_session_that_moves_a_file() {
    let bench = Bench::new();
    std::fs::write(bench.work().join("a"), "content").unwrap();
    let arguments = [".", "--port", "0", "--anonymous", "--plaintext", "--once"];
    let (mut child, shared, _out) = share(&bench, &arguments).await;
    let url = format!("ftp://127.0.0.1:{}/", shared["port"]);
    // Looking doesn't count.
    bench.slip(["ls", &url]).await.expect(0);
    assert!(child.try_wait().unwrap().is_none());
    bench
        .slip(["get", &format!("{url}a"), "-o", "-"])
        .await
        .expect(0);
    let code = tokio::task::spawn_blocking(move || child.wait().unwrap().code());
    assert_eq!(code.await.unwrap(), Some(0));
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_code_for_the_camera_and_limits() {
    let bench = Bench::new();
    let arguments = [
        "serve",
        ".",
        "--port",
        "0",
        "--bind",
        "0.0.0.0",
        "--qr",
        "--max-connections",
        "1",
        "--limit-download",
        "1M",
        "--passive-ports",
        "50000-50100",
        "--welcome",
        "hello",
    ];
    let (child, line, mut out) = start(bench.command(arguments)).await;
    assert!(
        line.contains("everybody in its networks can reach it"),
        "{line}"
    );
    assert!(line.starts_with("listening on ftpes://share@"), "{line}");
    assert!(!line.contains("0.0.0.0"), "{line}");
    let port = line.split(['/', ':']).nth(4).unwrap().to_owned();
    let greeting = |port: String| {
        move || {
            let stream = std::net::TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
            let mut line = String::new();
            BufReader::new(&stream).read_line(&mut line).unwrap();
            (stream, line)
        }
    };
    let one = tokio::task::spawn_blocking(greeting(port.clone()))
        .await
        .unwrap();
    assert_eq!(one.1, "220 hello\r\n");
    let other = tokio::task::spawn_blocking(greeting(port)).await.unwrap();
    assert!(other.1.starts_with("421 "), "{}", other.1);
    stop(child, "-TERM").await;
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("user share, password "), "{rest}");
    assert!(rest.contains("certificate sha256:"), "{rest}");
    assert!(rest.matches("\x1b[30;47m").count() > 12, "{rest}");
}

/// Writes a file and serves by it.
#[cfg(unix)]
async fn configured(bench: &Bench, text: &str) -> (Child, String) {
    let file = bench.dir.path().join("config/serve.json");
    std::fs::write(&file, text).unwrap();
    let command = bench.command(["serve".as_ref(), "--config".as_ref(), file.as_os_str()]);
    let (child, line, _out) = start(command).await;
    let object: Value = serde_json::from_str(&line).unwrap();
    (child, object["listening"].as_str().unwrap().to_owned())
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_file_says_it_all() {
    let bench = Bench::new();
    std::fs::write(bench.work().join("a"), "content").unwrap();
    let root = bench.dir.path().join("config/tree/base/home");
    std::fs::create_dir_all(&root).unwrap();
    let text = format!(
        r#"{{"root": "tree", "welcome": "hello", "idle_timeout": 100, "max_connections": 5, "read_limit": null,
            "users": [{{"login": "me", "password": "{DECODED}", "base": "/base", "home": "/home",
                        "permissions": [{{"path": "/", "write": false}}, {{"path": "/home", "read": true, "write": true}}]}},
                      {{"login": null, "base": "/other", "max_connections": 1}}]}}"#
    );
    let (child, at) = configured(&bench, &text).await;
    let mine = format!("ftp://me:{PASSWORD}@{at}");
    let put = ["put", "a", "--plaintext"];
    let to = |url: String| [put.as_slice(), &[url.as_str()]].concat().join("\n");
    for (url, code) in [
        (format!("{mine}/b"), 0),
        (format!("{mine}//home/c"), 0),
        (format!("{mine}//d"), 1),
    ] {
        let line = to(url);
        bench.slip(line.split('\n')).await.expect(code);
    }
    assert_eq!(std::fs::read(root.join("b")).unwrap(), b"content");
    assert_eq!(std::fs::read(root.join("c")).unwrap(), b"content");
    // Whoever else comes has a place of its own, which was made.
    let line = to(format!("ftp://{at}/e"));
    bench.slip(line.split('\n')).await.expect(0);
    assert!(bench.dir.path().join("config/tree/other/e").exists());
    let (code, err) = stop(child, "-TERM").await;
    assert_eq!((code, err.as_str()), (Some(0), ""));
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_tree_in_memory_on_any_port() {
    let bench = Bench::new();
    std::fs::write(bench.work().join("a"), "content").unwrap();
    let (child, at) = configured(&bench, "{}").await;
    assert!(at.starts_with("127.0.0.1:") && !at.ends_with(":0"), "{at}");
    let url = format!("ftp://{at}/up/");
    bench.slip(["put", "a", &url]).await.expect(0);
    let list = bench.slip(["ls", &url]).await.expect(0);
    assert!(list.out.contains(" a"), "{}", list.out);
    let (code, _) = stop(child, "-INT").await;
    assert_eq!(code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_in_the_file_are_named() {
    let bench = Bench::new();
    let file = bench.work().join("serve.json");
    for (text, code, named) in [
        (r#"{"wlecome": "x"}"#, 2, "wlecome"),
        (r#"{"users": []}"#, 1, "user"),
        (r#"{"users": [{"home": "relative"}]}"#, 2, "home"),
        (r#"{"users": [{"base": "relative"}]}"#, 2, "base"),
        (r#"{"users": [{"password": "a\nb"}]}"#, 2, "password"),
        (r#"{"root": "nowhere"}"#, 2, "nowhere"),
        (r#"{"welcome": "a\nb"}"#, 1, "welcome"),
        (r#"{"system_type": "a\nb"}"#, 1, "system"),
        (
            r#"{"tls": {"cert": "none.pem", "key": "none.pem"}}"#,
            2,
            "none.pem",
        ),
        (r#"{"host": "no such host."}"#, 1, "no such host"),
    ] {
        std::fs::write(&file, text).unwrap();
        let run = bench
            .slip(["serve", "--config", "serve.json"])
            .await
            .expect(code);
        assert!(run.err.contains(named), "{text}: {}", run.err);
        assert_eq!(run.out, "");
    }
    bench
        .slip(["serve", "--config", "missing.json"])
        .await
        .expect(2);
    std::fs::write(&file, "{}").unwrap();
    bench
        .slip(["serve", ".", "--profile", "aioftp"])
        .await
        .expect(2);
    for also in [".", "--anonymous", "--port=1", "--read-only"] {
        bench
            .slip(["serve", "--config", "serve.json", also])
            .await
            .expect(2);
    }
}

/// The first signal lets what runs come to its end, and lets nobody else in.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn transfers_that_run_are_finished() {
    let bench = Bench::new();
    let content = vec![7; 1_500_000];
    std::fs::write(bench.work().join("big"), &content).unwrap();
    let arguments = [
        ".",
        "--port",
        "0",
        "--anonymous",
        "--plaintext",
        "--limit-download",
        "1M",
    ];
    let (child, shared, _out) = share(&bench, &arguments).await;
    let port = u16::try_from(shared["port"].as_u64().unwrap()).unwrap();
    let (begun, beginning) = tokio::sync::oneshot::channel();
    let get = tokio::task::spawn_blocking(move || {
        let control = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        let mut lines = BufReader::new(&control);
        let mut say = |command: &str| {
            (&control)
                .write_all(format!("{command}\r\n").as_bytes())
                .unwrap();
            let mut line = String::new();
            lines.read_line(&mut line).unwrap();
            line
        };
        // The greeting comes with the reply to the first command.
        let commands = ["NOOP", "USER anonymous", "PASS x", "TYPE I", "EPSV"];
        let said = commands.map(&mut say).concat() + &say("NOOP");
        let data = said
            .split("(|||")
            .nth(1)
            .unwrap()
            .split('|')
            .next()
            .unwrap();
        let data = std::net::TcpStream::connect(("127.0.0.1", data.parse().unwrap())).unwrap();
        say("RETR big");
        let mut got = Vec::new();
        (&data).take(1000).read_to_end(&mut got).unwrap();
        begun.send(()).unwrap();
        (&data).read_to_end(&mut got).unwrap();
        let mut rest = String::new();
        lines.read_to_string(&mut rest).unwrap();
        (got, rest)
    });
    beginning.await.unwrap();
    let (code, err) = stop(child, "-TERM").await;
    let (got, rest) = get.await.unwrap();
    assert!(got == content, "{} bytes", got.len());
    let (done, bye) = (rest.find("226 "), rest.find("421 "));
    assert!(done.is_some() && done < bye, "{rest}");
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("takes /big: done"), "{err}");
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
}
