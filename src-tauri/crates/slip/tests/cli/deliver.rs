//! `slip deliver`: one document, and many.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use support::{Kind, Options, Peer, RealServer, Script, Tls};

use crate::harness::{Bench, DECODED, PASSWORD, Run, Site, keys, tree};

/// Runs it with something on its standard input.
async fn fed(bench: &Bench, mut command: Command, input: impl Into<Vec<u8>>) -> Run {
    let file = bench.dir.path().join("input");
    std::fs::write(&file, input.into()).unwrap();
    command.stdin(Stdio::from(std::fs::File::open(file).unwrap()));
    bench.run(command).await
}

/// A batch on standard input; its reports by line.
async fn batch(site: &Site, lines: &[Value], more: &[&str], code: i32) -> Vec<Value> {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let fixed = ["deliver", "--batch", "-", "--json", "--pin", &site.pin];
    let command = site.bench.command(fixed.iter().chain(more));
    let run = fed(&site.bench, command, text).await.expect(code);
    by_line(&run)
}

fn by_line(run: &Run) -> Vec<Value> {
    let mut reports = run.objects();
    reports.sort_by_key(|report| report["line"].as_u64());
    reports
}

#[tokio::test(flavor = "multi_thread")]
async fn one_call_delivers_a_document() {
    let site = Site::new().await;
    std::fs::write(site.work().join("day.csv"), "a,b\n").unwrap();
    // Into a folder that is made, under the file's name.
    let url = site.private("in/new/");
    let run = site
        .slip(&["deliver", "day.csv", &url, "--json"])
        .await
        .expect(0);
    assert_eq!(site.read("in/new/day.csv"), b"a,b\n");
    let report = &run.objects()[0];
    assert_eq!(
        keys(report),
        [
            "bytes",
            "error",
            "error_kind",
            "id",
            "line",
            "notes",
            "seconds",
            "source",
            "state",
            "step",
            "target",
            "tries",
            "verified"
        ]
    );
    let target = format!("ftp://me%40home@{}/in/new/day.csv", site.addr());
    assert_eq!(report["target"], target);
    assert_eq!(
        (&report["state"], &report["bytes"]),
        (&json!("done"), &json!(4))
    );
    assert_eq!(report["verified"], "size, SHA-512");
    assert_eq!(report["notes"], json!([]));
    // Its time came along.
    let time = |path: std::path::PathBuf| std::fs::metadata(path).unwrap().modified().unwrap();
    let (here, there) = (
        time(site.work().join("day.csv")),
        time(site.root.join("in/new/day.csv")),
    );
    let apart = here
        .duration_since(there)
        .unwrap_or_else(|error| error.duration());
    assert!(apart < Duration::from_secs(1), "{apart:?}");
    // From standard input, under a name of its own, over what is there.
    for content in ["first", "second, longer"] {
        let url = site.private("in/note");
        let command = site
            .bench
            .command(["deliver", "-", &url, "--pin", &site.pin]);
        let run = fed(&site.bench, command, content).await.expect(0);
        assert!(run.out.contains("size, SHA-512 verified"), "{}", run.out);
        assert_eq!(site.read("in/note"), content.as_bytes());
    }
    // Larger than what is held in memory.
    let big = vec![b'x'; 9_000_000];
    let url = site.private("in/big");
    let mut command = site
        .bench
        .command(["deliver", "-", &url, "--pin", &site.pin]);
    command.stdin(Stdio::piped());
    let sent = big.clone();
    let output = tokio::task::spawn_blocking(move || {
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(&sent).unwrap();
        child.wait_with_output().unwrap()
    })
    .await
    .unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(site.read("in/big"), big);
    // No temporary file is left.
    let names: Vec<String> = tree(&site.root).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["in/big", "in/new/day.csv", "in/note"]);
    let run = site
        .slip(&[
            "deliver",
            "day.csv",
            &site.url("bare"),
            "--permissions",
            "640",
            "--plain-names",
            "--verify",
            "reply",
            "--no-times",
        ])
        .await
        .expect(0);
    assert!(!run.out.contains("verified"), "{}", run.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_to_fail_is_told_apart() {
    let site = Site::new().await;
    std::fs::write(site.work().join("a"), "a").unwrap();
    let fail = async |arguments: &[&str], code: i32, kind: &str, step: &str| {
        let all = ["deliver", "--json"].iter().chain(arguments);
        let run = site.bench.slip(all).await.expect(code);
        let report = run.objects().remove(0);
        assert_eq!(
            (&report["state"], &report["error_kind"]),
            (&json!("failed"), &json!(kind)),
            "{report}"
        );
        assert_eq!(report["step"], step, "{report}");
        // And for people.
        let run = site
            .bench
            .slip(["deliver"].iter().chain(arguments))
            .await
            .expect(code);
        assert!(
            run.out.is_empty() && !run.err.is_empty(),
            "{} {}",
            run.out,
            run.err
        );
        run.err
    };
    // Nobody there.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("ftp://{}/a", free.local_addr().unwrap());
    drop(free);
    let refused = fail(&["a", &nobody], 3, "connect", "connect").await;
    assert!(refused.contains("refused"), "{refused}");
    // Somebody who says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent_url = format!("ftp://{}/a", silent.local_addr().unwrap());
    let late = fail(
        &["a", &silent_url, "--timeout", "0.3"],
        7,
        "timeout",
        "connect",
    )
    .await;
    assert!(late.contains("waited 0.3 s"), "{late}");
    // A certificate that nobody trusts.
    let url = site.private("a");
    let bad = fail(&["a", &url], 5, "certificate", "connect").await;
    assert!(bad.contains("--pin sha256:"), "{bad}");
    let wrong = site.private("a").replace(PASSWORD, "wrong-one");
    let pin = ["--pin", site.pin.as_str()];
    fail(&["a", &wrong, pin[0], pin[1]], 4, "login", "connect").await;
    let deep = site.private("no/such/a");
    fail(
        &["a", &deep, "--no-parents", pin[0], pin[1]],
        1,
        "not-found",
        "folder",
    )
    .await;
    assert!(!site.root.join("no").exists());
    std::fs::create_dir_all(site.root.join("taken/inside")).unwrap();
    let taken = site.private("taken");
    fail(&["a", &taken, pin[0], pin[1]], 1, "refused", "store").await;
    assert_eq!(tree(&site.root), []);
    // Nothing to deliver, and nowhere to.
    site.slip(&["deliver", "none", &url]).await.expect(1);
    site.slip(&["deliver", ".", &url]).await.expect(1);
    site.slip(&["deliver", "-", &site.url("")]).await.expect(2);
    site.slip(&["deliver", "a"]).await.expect(2);
    site.slip(&["deliver", "a", &url, "--batch", "b"])
        .await
        .expect(2);
    site.slip(&["deliver", "--batch", "none"]).await.expect(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_delivers_what_it_can() {
    let site = Site::new().await;
    std::fs::write(site.work().join("file.bin"), [0, 159, 146, 150]).unwrap();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent_url = format!("ftp://{}/x", silent.local_addr().unwrap());
    let (host, port) = (site.addr().ip().to_string(), site.addr().port());
    let lines = [
        json!({"url": site.private("in/"), "source": "file.bin", "id": "first"}),
        json!({"url": site.private("in"), "target": "sub/name.txt", "text": "hello"}),
        json!({"url": site.private(""), "folder": "/in/deep", "name": "ü #%", "base64": "AAEC", "id": 4711}),
        json!({"host": host, "port": port, "user": "me@home", "password": DECODED, "target": "/by-host", "text": ""}),
        json!({"url": silent_url, "text": "x", "timeout": 0.3}),
        json!({"url": "ftp://127.0.0.1:1/x", "text": "x", "tls": "off"}),
        json!({"url": site.private("x"), "text": "x", "pin": format!("sha256:{}", "0".repeat(64))}),
        json!({"url": site.private("x"), "source": "none"}),
        json!({"url": site.private("x"), "text": "x", "colour": "red"}),
        json!({"url": site.private("x"), "text": "x", "options": {"tls": "sideways"}}),
        json!({"url": site.private("x/"), "text": "x"}),
        json!({"url": site.private("active"), "text": "x", "options": {"active": true, "timeout": "20"}}),
        json!({"url": site.private("passive"), "text": "x", "active": false, "name": null, "folder": "", "parents": false, "verify": "size"}),
        json!({"url": site.private("x"), "text": "x", "source": "file.bin"}),
        json!({"source": "file.bin"}),
        json!({"site": "nowhere", "text": "x", "name": "x"}),
        json!([1, 2]),
    ];
    let reports = batch(&site, &lines, &[], 1).await;
    assert_eq!(reports.len(), lines.len());
    let kinds: Vec<&str> = reports
        .iter()
        .map(|report| report["error_kind"].as_str().unwrap_or("-"))
        .collect();
    assert_eq!(
        kinds,
        [
            "-",
            "-",
            "-",
            "-",
            "timeout",
            "connect",
            "certificate",
            "local",
            "input",
            "input",
            "input",
            "-",
            "-",
            "input",
            "input",
            "input",
            "input"
        ],
        "{reports:#?}"
    );
    assert_eq!(
        (&reports[0]["id"], &reports[2]["id"]),
        (&json!("first"), &json!(4711))
    );
    for (line, words) in [
        (9, vec!["line 9", "\"colour\""]),
        (10, vec!["line 10", "sideways", "--tls"]),
        (11, vec!["line 11", "name"]),
        (14, vec!["one is enough"]),
        (15, vec!["\"url\", \"site\" or \"host\""]),
        (16, vec!["nowhere"]),
        (17, vec!["object"]),
    ] {
        let error = reports[line - 1]["error"].as_str().unwrap();
        for word in words {
            assert!(error.contains(word), "{line}: {error}");
        }
    }
    let there = tree(&site.root);
    let names: Vec<&str> = there.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "active",
            "by-host",
            "in/deep/ü #%",
            "in/file.bin",
            "in/sub/name.txt",
            "passive"
        ]
    );
    assert_eq!(site.read("in/deep/ü #%"), [0, 1, 2]);
    assert_eq!(site.read("in/file.bin"), [0, 159, 146, 150]);
    assert_eq!(site.read("by-host"), b"");
    // What went well alone is no failure.
    batch(&site, &lines[..2], &[], 0).await;
    batch(&site, &[], &[], 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_that_are_no_json_fail_by_themselves() {
    let site = Site::new().await;
    let good = json!({"url": site.private("good"), "text": "good"});
    let text = format!(
        "\u{feff}{good}\n\n{{\"url\": \"x\n{{\"a\"}}\nnull\n{}\n{good}",
        "[".repeat(200)
    );
    let file = site.work().join("batch.jsonl");
    std::fs::write(&file, [text.as_bytes(), b"\n\xff\xfe\n"].concat()).unwrap();
    let run = site
        .slip(&["deliver", "--batch", "batch.jsonl", "--json"])
        .await
        .expect(1);
    let reports = by_line(&run);
    let found: Vec<(u64, &str)> = reports
        .iter()
        .map(|report| {
            (
                report["line"].as_u64().unwrap(),
                report["state"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            (1, "done"),
            (3, "failed"),
            (4, "failed"),
            (5, "failed"),
            (6, "failed"),
            (7, "done"),
            (8, "failed")
        ]
    );
    // For people: a line each, in one place.
    let run = site
        .slip(&["deliver", "--batch", "batch.jsonl"])
        .await
        .expect(1);
    assert_eq!(run.out.lines().count(), 7, "{}", run.out);
    assert!(
        run.out
            .contains("3: not delivered  FAILED (input): line 3: no JSON"),
        "{}",
        run.out
    );
    assert!(run.err.contains("2 delivered, 5 failed"), "{}", run.err);
    let run = site
        .slip(&["deliver", "--batch", "batch.jsonl", "-q"])
        .await
        .expect(1);
    assert_eq!(
        (run.out.as_str(), run.err.lines().count()),
        ("", 5),
        "{}",
        run.err
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_come_from_where_a_line_says_and_are_never_shown() {
    let site = Site::new().await;
    let (host, port) = (site.addr().ip().to_string(), site.addr().port());
    let lines = [
        json!({"host": host, "port": port, "user": "me@home", "password_env": "CUSTOMER_7", "name": "a", "text": "a"}),
        json!({"host": host, "port": port, "user": "me@home", "password_env": "NOT_SET", "name": "b", "text": "a"}),
        json!({"url": format!("ftp://me%40home@{}/c", site.addr()), "text": "a"}),
        // Even where they stand in the wrong place.
        json!({"url": format!("ftp://me%40home:{PASSWORD}@{}:99999/", site.addr()), "text": "a"}),
        json!({"password": DECODED, "url": site.url("d"), "text": "a", "tls": DECODED}),
    ];
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let mut command = site.bench.command([
        "deliver", "--batch", "-", "--json", "--pin", &site.pin, "-v",
    ]);
    command.env("CUSTOMER_7", DECODED);
    let run = fed(&site.bench, command, text).await.expect(1);
    let kinds: Vec<Value> = by_line(&run)
        .iter()
        .map(|r| r["error_kind"].clone())
        .collect();
    assert_eq!(
        kinds,
        [
            Value::Null,
            json!("input"),
            json!("password"),
            json!("input"),
            json!("input")
        ]
    );
    assert_eq!(site.read("a"), b"a");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_at_once_and_a_server_that_takes_few() {
    let site = Site::new().await;
    let lines: Vec<Value> = (0..100)
        .map(|n| json!({"url": site.private(&format!("d{}/f{n}", n % 7)), "text": format!("{n}")}))
        .collect();
    let reports = batch(&site, &lines, &["-j", "32", "--per-server", "16"], 0).await;
    assert_eq!(reports.len(), 100);
    assert_eq!(tree(&site.root).len(), 100);
    for n in [0, 57, 99] {
        assert_eq!(
            site.read(&format!("d{}/f{n}", n % 7)),
            n.to_string().as_bytes()
        );
    }
}

/// A login, and a document that is stored under a temporary name.
fn stored(end: impl Fn(Script) -> Script) -> Script {
    let script = Script::logged_in()
        .answering(&[
            ("SIZE *", "213 1"),
            ("RNFR *", "350 and?"),
            ("RNTO *", "250 done"),
            ("DELE *", "250 gone"),
            ("HASH *", "502 no"),
            ("SITE HELP", "502 no"),
        ])
        .expect("STOR .a-*.slippart")
        .say("150 go on")
        .accept_data()
        .read_data()
        .close_data()
        .say("226 done");
    end(script)
}

async fn deliver_to(script: Script, code: i32) -> (Value, Vec<String>) {
    let bench = Bench::new();
    let peer = Peer::serve(script).await;
    let url = format!("ftp://me:secret@{}/a", peer.addr());
    let arguments = [
        "deliver",
        "-",
        &url,
        "--json",
        "--plaintext",
        "--tls",
        "off",
    ];
    let command = bench.command(arguments);
    let run = fed(&bench, command, "x").await.expect(code);
    let lines = peer.finish().await.received_lines();
    (run.objects().remove(0), lines)
}

#[tokio::test(flavor = "multi_thread")]
async fn leaving_fails_quietly() {
    for goodbye in [
        Script::new().expect("QUIT").reset(),
        Script::new().expect("QUIT").say("500 never").expect_close(),
        Script::new().expect("RNTO a").say("250 done").close(),
    ] {
        let (report, _) = deliver_to(stored(|script| script.then(goodbye.clone())), 0).await;
        assert_eq!(report["state"], "done");
        assert!(report["notes"].to_string().contains("goodbye"), "{report}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_arrives_damaged_is_taken_back() {
    let damaged = stored(|script| script.answering(&[("SIZE *", "213 7")]).serve_rest());
    let (report, lines) = deliver_to(damaged, 1).await;
    assert_eq!(
        (&report["error_kind"], &report["step"]),
        (&json!("mismatch"), &json!("verify"))
    );
    assert!(
        lines.iter().any(|line| line.starts_with("DELE .a-")),
        "{lines:?}"
    );
    assert!(
        !lines.iter().any(|line| line.starts_with("RNFR")),
        "{lines:?}"
    );
    // The size is right, and the bytes are others.
    let feat = "211-Features:\r\n SIZE\r\n HASH SHA-1;MD5*\r\n211 End";
    for (hash, code, verified) in [
        (
            "11f6ad8ec52a2984abaafd7c3b516503785c2072",
            0,
            json!("size, SHA-1"),
        ),
        ("00f6ad8ec52a2984abaafd7c3b516503785c2072", 1, Value::Null),
    ] {
        let answer = format!("213 SHA-1 0-1 {hash} .a");
        let hashed = stored(|script| {
            script
                .answering(&[("FEAT", feat), ("HASH *", &answer)])
                .serve_rest()
        });
        let hashed = Script::new().answering(&[("FEAT", feat)]).then(hashed);
        let (report, _) = deliver_to(hashed, code).await;
        assert_eq!(report["verified"], verified, "{report}");
        if code == 1 {
            assert_eq!(report["error_kind"], "mismatch", "{report}");
        }
    }
    // Half the way, and what can't be removed is named.
    let full = Script::logged_in()
        .answering(&[("DELE *", "550 Permission denied")])
        .expect("STOR .a-*")
        .say("150 go on")
        .accept_data()
        .read_data()
        .close_data()
        .say("552 the disk is full")
        .serve_rest();
    let (report, _) = deliver_to(full, 1).await;
    let error = report["error"].as_str().unwrap();
    assert!(
        error.contains("552") && error.contains("left on the server"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_let_us_do_only_a_part() {
    // It does not rename onto what is there.
    let careful = stored(|script| {
        script
            .expect("RNTO a")
            .say("550 it exists")
            .expect("DELE a")
            .say("250 gone")
            .expect("RNTO a")
            .say("250 done")
            .serve_rest()
    });
    let (report, _) = deliver_to(careful, 0).await;
    assert_eq!(
        (&report["verified"], &report["notes"]),
        (&json!("size"), &json!([]))
    );
    // It renames nothing.
    let rigid = stored(|script| {
        script
            .answering(&[("RNFR *", "550 no"), ("DELE a", "550 no")])
            .expect("STOR a")
            .say("150 go on")
            .accept_data()
            .read_data()
            .close_data()
            .say("226 done")
            .serve_rest()
    });
    let (report, lines) = deliver_to(rigid, 0).await;
    assert!(report["notes"].to_string().contains("renamed"), "{report}");
    assert!(
        lines.iter().any(|line| line.starts_with("DELE .a-")),
        "{lines:?}"
    );
    // It takes no names with a dot.
    let picky = Script::logged_in()
        .answering(&[("SIZE *", "213 1")])
        .expect("STOR .a-*")
        .say("553 not such a name")
        .expect("STOR a")
        .say("150 go on")
        .accept_data()
        .read_data()
        .close_data()
        .say("226 done")
        .serve_rest();
    let (report, _) = deliver_to(picky, 0).await;
    assert!(report["notes"].to_string().contains("553"), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_pass_is_tried_again() {
    let bench = Bench::new();
    let first = Script::new().say("421 too busy now").expect_close();
    let second = stored(Script::serve_rest);
    let peer = Peer::serve_each(vec![first, second]).await;
    let url = format!("ftp://me:secret@{}/a", peer.addr());
    let command = bench.command([
        "deliver",
        "-",
        &url,
        "--json",
        "--plaintext",
        "--tls",
        "off",
        "--tries",
        "2",
    ]);
    let run = fed(&bench, command, "x").await.expect(0);
    assert_eq!(run.objects()[0]["tries"], 2);
    peer.finish_all().await;
}

async fn real(kind: Kind, tls: Tls) {
    let mut options = Options::with_tls(tls);
    options.max_per_ip = Some(3);
    let Some(server) = RealServer::start(kind, options) else {
        return;
    };
    let bench = Bench::new();
    let scheme = match tls {
        Tls::Off => "ftp",
        Tls::Explicit => "ftpes",
        Tls::Implicit => "ftps",
    };
    let lines: String = (0..12)
        .map(|n| {
            let line = json!({
                "url": format!("{scheme}://{}@{}", server.user(), server.addr()),
                "password_env": "CUSTOMER",
                "target": format!("new/d{}/ü{n}.csv", n % 3),
                "text": format!("{n}"),
                "permissions": "640",
                "modified": "2024-02-29T12:00:00Z",
            });
            format!("{line}\n")
        })
        .collect();
    let authority = server.authority_file();
    let mut arguments = vec![
        "deliver".to_owned(),
        "--batch".into(),
        "-".into(),
        "--json".into(),
        "-j".into(),
        "12".into(),
        "--per-server".into(),
        "6".into(),
    ];
    match authority {
        Some(file) => arguments.extend(["--ca".into(), file.display().to_string()]),
        None => arguments.push("--plaintext".into()),
    }
    // Twice: over what is there.
    for _ in 0..2 {
        let mut command = bench.command(&arguments);
        command.env("CUSTOMER", server.password());
        let run = fed(&bench, command, lines.clone()).await.expect(0);
        for report in run.objects() {
            assert!(
                report["verified"].as_str().unwrap().starts_with("size"),
                "{report}"
            );
            assert_eq!(report["notes"], json!([]), "{report}");
        }
        let there = tree(&server.root().join("new"));
        assert_eq!(there.len(), 12);
        assert_eq!(server.read("new/d1/ü4.csv"), b"4");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn vsftpd_that_takes_three_connections() {
    real(Kind::Vsftpd, Tls::Explicit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn proftpd_that_takes_three_connections() {
    real(Kind::ProFtpd, Tls::Implicit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pure_ftpd_that_takes_three_connections() {
    real(Kind::PureFtpd, Tls::Off).await;
}
