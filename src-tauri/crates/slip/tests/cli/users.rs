//! `slip user`, and a server for the users of a file.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::harness::{Bench, DECODED, PASSWORD, Run};
use crate::serve::{start, stop};

/// Runs the program with this on its standard input.
async fn told(mut command: Command, input: &str) -> Run {
    let input = input.to_owned();
    tokio::task::spawn_blocking(move || {
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // It may have refused already, and be gone.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        Run::new(child.wait_with_output().unwrap())
    })
    .await
    .unwrap()
}

async fn user(bench: &Bench, arguments: &str, input: &str) -> Run {
    let arguments = ["user"].into_iter().chain(arguments.split(' '));
    told(bench.command(arguments), input).await
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn users_of_a_file_log_in_and_what_is_changed_counts_at_once() {
    let bench = Bench::new();
    let root = bench.dir.path().join("served");
    std::fs::create_dir_all(root.join("homes/me/in")).unwrap();
    std::fs::write(root.join("homes/me/mine"), "mine").unwrap();
    std::fs::write(root.join("other"), "other").unwrap();
    let password = format!("{DECODED}\n");
    let add = "add me --file users.json --password-stdin --base /homes/me --home /in --permission /=r --permission /in=rw --max-connections 9 --download-limit 100M";
    user(&bench, add, &password).await.expect(0);
    let file = bench.work().join("users.json");
    let written = std::fs::read_to_string(&file).unwrap();
    assert!(written.contains("$argon2id$") && !written.contains("hunter2"));
    let command = bench.command([
        "serve".as_ref(),
        root.as_os_str(),
        "--port".as_ref(),
        "0".as_ref(),
        "--users".as_ref(),
        file.as_os_str(),
        "--tls-self-signed".as_ref(),
        "--json".as_ref(),
    ]);
    let (child, line, _out) = start(command).await;
    let serving: Value = serde_json::from_str(&line).unwrap();
    let pin = serving["fingerprint"].as_str().unwrap().to_owned();
    let at = format!("127.0.0.1:{}", serving["port"]);
    let url = format!("ftp://me:{PASSWORD}@{at}");
    std::fs::write(bench.work().join("a"), "content").unwrap();
    let slip = async |words: &[&str]| {
        let words = [words, &["--pin", &pin]].concat();
        bench.slip(words).await
    };
    slip(&["put", "a", &format!("{url}/")]).await.expect(0);
    assert_eq!(
        std::fs::read(root.join("homes/me/in/a")).unwrap(),
        b"content"
    );
    let got = slip(&["get", &format!("{url}//mine"), "-o", "-"])
        .await
        .expect(0);
    assert_eq!(got.out, "mine");
    slip(&["put", "a", &format!("{url}//a")]).await.expect(1);
    slip(&["rm", &format!("{url}//mine")]).await.expect(1);
    slip(&["get", &format!("{url}//other"), "-o", "-"])
        .await
        .expect(1);
    // The running server sees every change.
    user(
        &bench,
        "password me --file users.json --password-stdin",
        "another\n",
    )
    .await
    .expect(0);
    slip(&["ls", &format!("{url}/")]).await.expect(4);
    let other = format!("ftp://me:another@{at}/");
    slip(&["ls", &other]).await.expect(0);
    user(&bench, "remove me --file users.json", "")
        .await
        .expect(0);
    slip(&["ls", &other]).await.expect(4);
    user(
        &bench,
        "add --everybody --file users.json --no-password --read-only",
        "",
    )
    .await
    .expect(0);
    let got = slip(&["get", &format!("ftp://anyone:any@{at}/other"), "-o", "-"])
        .await
        .expect(0);
    assert_eq!(got.out, "other");
    let (code, err) = stop(child, "-TERM").await;
    assert_eq!(code, Some(0), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_tells_everything_but_passwords() {
    let bench = Bench::new();
    let add = "add ann --file u --password-stdin --permission /secret=none --permission /in=w --upload-limit 1K --home /x";
    user(&bench, add, "a password").await.expect(0);
    user(&bench, "add bob --file u --no-password --read-only", "")
        .await
        .expect(0);
    let list = user(&bench, "list --file u --json", "").await.expect(0);
    let rows = list.objects();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0]["name"], "ann");
    assert_eq!(rows[0]["password"], true);
    assert_eq!(rows[0]["permissions"][1]["write"], true);
    assert_eq!(rows[0]["upload_limit"], 1024);
    assert_eq!(rows[1]["read_only"], true);
    assert!(!list.out.contains("argon2"));
    let list = user(&bench, "list --file u", "").await.expect(0);
    assert!(
        list.out.contains("ann") && list.out.contains("/secret=none, /in=w"),
        "{}",
        list.out
    );
    assert!(list.out.contains("no password, read-only"), "{}", list.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_users_can_not_be() {
    let bench = Bench::new();
    for (arguments, code) in [
        ("add --file u --no-password", 2),
        ("add a --file u --no-password --password-stdin", 2),
        ("add a --file u --no-password --home up", 2),
        ("add a --file u --no-password --permission /=x", 2),
        ("add a --file u --no-password --max-connections 0", 2),
        // Nobody is there to be asked.
        ("add a --file u", 2),
        ("add a --file no/such/folder/u --no-password", 1),
        ("remove a --file u", 1),
        ("list --file u", 1),
        ("password a --file u --password-stdin", 1),
    ] {
        user(&bench, arguments, "").await.expect(code);
    }
    assert!(!bench.work().join("u").exists(), "nothing was written");
    let empty = user(&bench, "add a --file u --password-stdin", "\n")
        .await
        .expect(2);
    assert!(empty.err.contains("empty"), "{}", empty.err);
    user(&bench, "add a --file u --no-password", "")
        .await
        .expect(0);
    let twice = user(&bench, "add a --file u --no-password", "")
        .await
        .expect(1);
    assert!(twice.err.contains("already"), "{}", twice.err);
    let nobody = user(&bench, "remove b --file u", "").await.expect(1);
    assert!(nobody.err.contains("no user b"), "{}", nobody.err);
    std::fs::write(
        bench.work().join("bad"),
        r#"{"version": 1, "users": [], "usrs": 1}"#,
    )
    .unwrap();
    let bad = user(&bench, "list --file bad", "").await.expect(1);
    assert!(bad.err.contains("usrs"), "{}", bad.err);
    let bad = bench.slip(["serve", ".", "--users", "bad"]).await.expect(1);
    assert!(bad.err.contains("usrs"), "{}", bad.err);
    bench
        .slip(["serve", ".", "--users", "u", "--user", "x:yyyy"])
        .await
        .expect(2);
}
