//! The queue that outlives the program.

use std::io::Read as _;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::{Bench, Run, Site, keys, tree};

/// The queue's items by their states, as `list --all --json` has them.
fn states(run: &Run) -> Vec<(String, String)> {
    run.objects()
        .iter()
        .filter(|item| item["type"] != "dir")
        .map(|item| {
            let text = |key: &str| item[key].as_str().unwrap_or_default().to_owned();
            (text("source"), text("state"))
        })
        .collect()
}

#[cfg(unix)]
fn send(signal: &str, child: &Child) {
    let kill = Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
}

/// `slip queue run` in the background, as soon as it holds the journal.
async fn running(site: &Site, arguments: &[&str]) -> Child {
    let mut all = vec!["queue", "run", "--pin", &site.pin];
    all.extend(arguments);
    let mut child = site.bench.command(all).spawn().unwrap();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(20) {
        let run = site.slip(&["queue", "list"]).await.expect(0);
        if run.err.contains("slip queue run") {
            return child;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let _ = child.kill();
    let _ = child.wait();
    panic!("it does not begin");
}

async fn ended(child: Child) -> (Option<i32>, String, String) {
    let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap())
        .await
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_added_is_done_by_the_next_run() {
    let site = Site::new().await;
    for n in 0..25 {
        site.write(&format!("tree/d{}/f{n}", n % 3), vec![b'x'; n * 400]);
    }
    site.write("one", "content");
    std::fs::create_dir_all(site.work().join("up/sub")).unwrap();
    std::fs::write(site.work().join("up/sub/a"), "a").unwrap();
    std::fs::write(site.work().join("b"), "b").unwrap();
    let run = site
        .slip(&[
            "queue",
            "add",
            "-r",
            &site.url("tree"),
            &site.url("one"),
            "down",
            "--json",
        ])
        .await
        .expect(0);
    let added = run.objects();
    assert_eq!(added.len(), 2);
    assert_eq!(keys(&added[0]), ["id", "source", "target"]);
    assert_eq!(added[1]["source"], site.url("one"));
    let target = site.work().join("down/one");
    assert_eq!(added[1]["target"], target.to_str().unwrap());
    site.slip(&["queue", "add", "-r", "up", "b", &site.url("in/")])
        .await
        .expect(0);
    assert!(!site.work().join("down").exists(), "nothing moves yet");

    let run = site.slip(&["queue", "list", "--json"]).await.expect(0);
    let items = run.objects();
    assert_eq!(items.len(), 4);
    assert!(
        items.iter().all(|item| item["state"] == "waiting"),
        "{}",
        run.out
    );
    assert_eq!(items[0]["type"], "dir");

    let run = site.slip(&["queue", "run", "--json"]).await.expect(0);
    assert_eq!(run.objects().len(), 28, "{}", run.out);
    assert_eq!(
        tree(&site.work().join("down/tree")),
        tree(&site.root.join("tree"))
    );
    assert_eq!(site.read("in/up/sub/a"), b"a");
    assert_eq!(site.read("in/b"), b"b");

    // Nothing is left, nothing is done again, and there is a proof of each.
    let run = site.slip(&["queue", "run", "--json"]).await.expect(0);
    assert_eq!(run.out, "");
    let run = site.slip(&["queue", "list", "--json"]).await.expect(0);
    assert_eq!(run.out, "");
    let run = site
        .slip(&["queue", "receipts", "--json", "-n", "100"])
        .await
        .expect(0);
    let receipts = run.objects();
    assert_eq!(receipts.len(), 28);
    assert!(
        receipts
            .iter()
            .all(|receipt| receipt["checks"]["size"] == true),
        "{}",
        run.out
    );
    let run = site.slip(&["queue", "receipts", "-n", "2"]).await.expect(0);
    assert_eq!(run.out.lines().count(), 2);
    assert!(run.out.contains("size"), "{}", run.out);

    site.slip(&["queue", "clear"]).await.expect(0);
    let run = site
        .slip(&["queue", "list", "--all", "--json"])
        .await
        .expect(0);
    assert_eq!(run.out, "");
    let run = site
        .slip(&["queue", "receipts", "--json", "-n", "100"])
        .await
        .expect(0);
    let receipts = run.objects();
    assert_eq!(receipts.len(), 28, "receipts stay");
    // Theirs are no other's numbers from now on.
    let run = site
        .slip(&["queue", "add", "--json", &site.url("one"), "again"])
        .await
        .expect(0);
    let new = run.objects()[0]["id"].as_u64().unwrap();
    let old = receipts.iter().map(|receipt| receipt["id"].as_u64());
    assert!(old.max().unwrap().unwrap() < new, "{}", run.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn items_are_paused_cancelled_and_tried_again() {
    let site = Site::new().await;
    for name in ["a", "b", "c"] {
        site.write(name, name);
    }
    let none = site.url("none");
    let urls = [site.url("a"), site.url("b"), site.url("c"), none.clone()];
    let run = site
        .slip(&[
            "queue", "add", &urls[0], &urls[1], &urls[2], &urls[3], "down", "--json",
        ])
        .await
        .expect(0);
    let ids: Vec<String> = run
        .objects()
        .iter()
        .map(|item| item["id"].to_string())
        .collect();
    site.slip(&["queue", "pause", &ids[0]]).await.expect(0);
    site.slip(&["queue", "cancel", &ids[1]]).await.expect(0);
    let run = site.slip(&["queue", "run", "--json"]).await.expect(1);
    let errors: Vec<Value> = run
        .objects()
        .into_iter()
        .filter(|report| report["state"] == "failed")
        .collect();
    assert_eq!(errors.len(), 1, "{}", run.out);
    assert_eq!(
        tree(&site.work().join("down")),
        [("c".to_owned(), b"c".to_vec())]
    );
    let run = site
        .slip(&["queue", "list", "--all", "--json"])
        .await
        .expect(0);
    let expected = ["paused", "cancelled", "done", "failed"];
    let found: Vec<String> = states(&run).into_iter().map(|(_, state)| state).collect();
    assert_eq!(found, expected);
    let run = site.slip(&["queue", "list"]).await.expect(0);
    assert!(
        run.out.contains("paused") && run.out.contains("550"),
        "{}",
        run.out
    );

    site.write("none", "there now");
    site.slip(&["queue", "resume", &ids[0]]).await.expect(0);
    site.slip(&["queue", "retry", "--all"]).await.expect(0);
    site.slip(&["queue", "run"]).await.expect(0);
    let names: Vec<String> = tree(&site.work().join("down"))
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["a", "b", "c", "none"]);

    let run = site.slip(&["queue", "pause", "4711"]).await.expect(2);
    assert!(run.err.contains("4711"), "{}", run.err);
    site.slip(&["queue", "pause"]).await.expect(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn priorities_and_times() {
    let site = Site::new().await;
    for name in ["low", "normal", "high", "later"] {
        site.write(name, name);
    }
    for name in ["low", "normal", "high"] {
        site.slip(&["queue", "add", "--priority", name, &site.url(name), "down/"])
            .await
            .expect(0);
    }
    site.slip(&["queue", "add", "--at", "+1s", &site.url("later"), "down/"])
        .await
        .expect(0);
    let run = site.slip(&["queue", "list"]).await.expect(0);
    assert!(run.out.contains("not before"), "{}", run.out);
    site.slip(&["queue", "run", "-j", "1"]).await.expect(0);
    let run = site.slip(&["queue", "receipts", "--json"]).await.expect(0);
    let order: Vec<String> = run
        .objects()
        .iter()
        .rev()
        .map(|receipt| receipt["bytes"].to_string())
        .collect();
    assert_eq!(order, ["4", "6", "3", "5"]);
    for bad in [
        ["--at", "soon"],
        ["--priority", "urgent"],
        ["--limit", "fast"],
    ] {
        site.slip(&["queue", "add", bad[0], bad[1], &site.url("low"), "down/"])
            .await
            .expect(2);
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn one_process_works_and_the_others_leave_notes() {
    let site = Site::new().await;
    site.write("big", vec![7; 3_000_000]);
    site.write("small", "small");
    site.write("unwanted", vec![8; 3_000_000]);
    site.slip(&[
        "queue",
        "add",
        &site.url("big"),
        &site.url("unwanted"),
        "down/",
    ])
    .await
    .expect(0);
    let child = running(&site, &["--limit", "600K", "--json"]).await;

    let run = site.slip(&["queue", "run"]).await.expect(6);
    assert!(
        run.err.contains("slip queue run") && run.err.contains(&child.id().to_string()),
        "{}",
        run.err
    );
    let run = site
        .slip(&["queue", "add", &site.url("small"), "down/"])
        .await
        .expect(0);
    assert!(run.err.contains("left for slip queue run"), "{}", run.err);
    let run = site
        .slip(&["queue", "cancel", "2", "--json"])
        .await
        .expect(0);
    assert_eq!(keys(&run.objects()[0]), ["left_for"]);
    let (code, out, err) = ended(child).await;
    let reports: Vec<Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let state_of = |name: &str| {
        let report = reports
            .iter()
            .find(|report| report["source"].as_str().unwrap().ends_with(name));
        report.unwrap_or_else(|| panic!("{name}: {out}\n{err}"))["state"].clone()
    };
    assert_eq!(code, Some(1), "one was cancelled: {out}\n{err}");
    assert_eq!(state_of("/big"), "done");
    assert_eq!(state_of("/small"), "done");
    assert_eq!(state_of("/unwanted"), "cancelled");
    let names: Vec<String> = tree(&site.work().join("down"))
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["big", "small"]);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_run_goes_on_where_it_was() {
    let site = Site::new().await;
    let big: Vec<u8> = (0..4_000_000_u32).map(|n| (n / 7 % 251) as u8).collect();
    site.write("big", &big);
    std::fs::write(site.work().join("up"), &big).unwrap();
    for (signal, sources) in [
        ("-INT", [site.url("big"), "down".to_owned()]),
        ("-TERM", ["up".to_owned(), site.url("in")]),
    ] {
        site.slip(&["queue", "add", &sources[0], &sources[1]])
            .await
            .expect(0);
        let mut child = site
            .bench
            .command(["queue", "run", "--limit", "2M", "--pin", &site.pin])
            .spawn()
            .unwrap();
        let begun = Instant::now();
        // Some of it is there.
        loop {
            assert!(begun.elapsed() < Duration::from_secs(20));
            let part = match signal {
                "-INT" => site.work().join(".down.slippart"),
                _ => site.root.join(".in.slippart"),
            };
            if std::fs::metadata(part).is_ok_and(|metadata| metadata.len() > 1_000_000) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        send(signal, &child);
        let mut err = String::new();
        let mut pipe = child.stderr.take().unwrap();
        pipe.read_to_string(&mut err).unwrap();
        let status = child.wait().unwrap();
        assert_eq!(status.code(), Some(1), "{err}");
        assert!(err.contains("stays in the queue"), "{err}");
        let run = site.slip(&["queue", "list", "--json"]).await.expect(0);
        assert_eq!(run.objects()[0]["state"], "waiting", "{}", run.out);
        let run = site
            .slip(&["queue", "run", "--limit", "off", "--json"])
            .await
            .expect(0);
        let report = &run.objects()[0];
        assert!(
            report["resumed_from"].as_u64().unwrap() > 900_000,
            "{report}"
        );
        assert!(
            report["verified"].as_str().unwrap().contains("size"),
            "{report}"
        );
    }
    assert_eq!(std::fs::read(site.work().join("down")).unwrap(), big);
    assert_eq!(site.read("in"), big);
}

#[tokio::test(flavor = "multi_thread")]
async fn journals_that_can_not_be_used() {
    let site = Site::new().await;
    site.write("a", "a");
    let bench: &Bench = &site.bench;
    let journal = bench.dir.path().join("other.sqlite");
    let name = journal.to_str().unwrap().to_owned();
    // There is none: nothing to show, nothing to do.
    let run = site
        .slip(&["queue", "list", "--journal", &name])
        .await
        .expect(0);
    assert!(run.err.contains("empty"), "{}", run.err);
    assert!(!journal.exists());
    site.slip(&["queue", "add", "--journal", &name, &site.url("a"), "down/"])
        .await
        .expect(0);
    // By the environment, too.
    let mut command = bench.command(["queue", "list", "--json"]);
    command.env("SLIPWAY_JOURNAL", &journal);
    assert_eq!(bench.run(command).await.expect(0).objects().len(), 1);

    // Damage is said, and what can be read is kept.
    let mut bytes = std::fs::read(&journal).unwrap();
    bytes[..16].copy_from_slice(b"something else\0\0");
    std::fs::write(&journal, &bytes).unwrap();
    let run = site.slip(&["queue", "run", "--journal", &name]).await;
    assert!(run.err.contains("damaged"), "{} {}", run.code, run.err);
    assert!(bench.dir.path().join("other.sqlite.damaged-1").exists());

    // Also where it is only looked at, and where what is missing is nothing that one looks at first.
    let sound = std::fs::read(&journal).unwrap();
    let mut cut = sound.clone();
    cut.truncate(sound.len() - 700);
    let mut spoilt = sound.clone();
    spoilt[4096..8192].fill(0);
    let bad = [Vec::new(), cut, spoilt, b"no journal".to_vec()];
    for (number, content) in bad.into_iter().enumerate() {
        for command in ["list", "run"] {
            // A list shows what can be read, and here that is all.
            if (number, command) == (1, "list") {
                continue;
            }
            let _ = std::fs::remove_file(bench.dir.path().join("other.sqlite-wal"));
            std::fs::write(&journal, &content).unwrap();
            let run = site
                .slip(&["queue", command, "--journal", &name])
                .await
                .expect(0);
            assert!(run.err.contains("damaged"), "{number} {}", run.err);
            assert!(!run.err.contains('\x1b'), "{}", run.err);
            assert!(!run.err.contains("inbox"), "{}", run.err);
        }
    }

    // A newer one is left alone.
    let newer = bench.dir.path().join("newer.sqlite");
    let newer_name = newer.to_str().unwrap().to_owned();
    site.slip(&[
        "queue",
        "add",
        "--journal",
        &newer_name,
        &site.url("a"),
        "down/",
    ])
    .await
    .expect(0);
    let mut bytes = std::fs::read(&newer).unwrap();
    // The version that SQLite keeps for its users: four bytes at 60 (sqlite.org/fileformat2.html, section 1.3).
    bytes[60..64].copy_from_slice(&99_u32.to_be_bytes());
    std::fs::write(&newer, &bytes).unwrap();
    for command in ["run", "list", "receipts", "clear"] {
        let run = site
            .slip(&["queue", command, "--journal", &newer_name])
            .await
            .expect(6);
        assert!(
            run.err.contains("newer") && run.err.contains("99"),
            "{}",
            run.err
        );
    }
    assert_eq!(std::fs::read(&newer).unwrap(), bytes);

    // Not ours.
    let text = bench.dir.path().join("folder");
    std::fs::create_dir(&text).unwrap();
    site.slip(&["queue", "run", "--journal", text.to_str().unwrap()])
        .await
        .expect(6);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_said() {
    let site = Site::new().await;
    site.write("a", "a");
    std::fs::write(site.work().join("b"), "b").unwrap();
    let (a, there) = (site.url("a"), site.url("there/"));
    for (arguments, words) in [
        (&[a.as_str(), &there][..], "one side"),
        (&["b", "c"], "one side"),
        (&[a.as_str(), "b", "down/"], "one side"),
        (&["-", &there], "standard input"),
        (&["-j", "3", &a, "down/"], "queue run"),
        (&["--segments", "1", &a, "down/"], "queue run"),
    ] {
        let all: Vec<&str> = ["queue", "add"]
            .into_iter()
            .chain(arguments.iter().copied())
            .collect();
        let run = site.slip(&all).await.expect(2);
        assert!(run.err.contains(words), "{words}: {}", run.err);
    }
    let run = site.slip(&["queue", "add", "none", &there]).await.expect(1);
    assert!(run.err.contains("No such file"), "{}", run.err);
    site.slip(&["queue", "list", "--json"]).await.expect(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_stay_out_of_the_journal() {
    let site = Site::new().await;
    site.write("a", "content");
    site.slip(&["queue", "add", &site.private("a"), "down/"])
        .await
        .expect(0);
    for file in std::fs::read_dir(site.bench.dir.path().join("data")).unwrap() {
        let content = std::fs::read(file.unwrap().path()).unwrap();
        for secret in [crate::harness::PASSWORD, crate::harness::DECODED] {
            let secret = secret.as_bytes();
            assert!(!content.windows(secret.len()).any(|window| window == secret));
        }
    }
    // Without one there is nothing to be done, and that is said; with one there is.
    let run = site.slip(&["queue", "run"]).await.expect(4);
    assert!(run.err.contains("SLIP_PASSWORD"), "{}", run.err);
    site.slip(&["queue", "retry", "--all"]).await.expect(0);
    let mut command = site.bench.command(["queue", "run", "--pin", &site.pin]);
    command.env("SLIP_PASSWORD", crate::harness::DECODED);
    site.bench.run(command).await.expect(0);
    assert_eq!(
        tree(&site.work().join("down")),
        [("a".to_owned(), b"content".to_vec())]
    );
}
