use std::io::{BufRead as _, BufReader, Read as _};
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
    let command = bench.command(["serve", ".", "--port", "0", "--anonymous", "--read-only"]);
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
    bench.slip(["serve", "."]).await.expect(2);
    bench.slip(["serve", ".", "--user", "me:"]).await.expect(2);
    bench
        .slip(["serve", ".", "--user", "me:abcd", "--user", "me:efgh"])
        .await
        .expect(2);
    bench
        .slip(["serve", ".", "--anonymous", "--require-tls"])
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
