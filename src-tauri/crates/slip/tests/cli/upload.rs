use std::io::Write as _;
use std::process::Stdio;

use crate::harness::{Site, tree};

#[tokio::test(flavor = "multi_thread")]
async fn files_and_folders() {
    let site = Site::new().await;
    let work = site.work();
    std::fs::create_dir_all(work.join("tree/sub")).unwrap();
    std::fs::create_dir(work.join("tree/empty")).unwrap();
    for n in 0..30 {
        std::fs::write(work.join(format!("tree/sub/{n} ä#%")), vec![b'y'; n * 1000]).unwrap();
    }
    std::fs::write(work.join("a"), "a").unwrap();
    // Into a folder, which is made.
    let target = site.private("in/here/");
    let run = site
        .slip(&["put", "-r", "a", "tree", &target, "--json"])
        .await
        .expect(0);
    assert_eq!(tree(&site.root.join("in/here")), tree(&work));
    assert!(site.root.join("in/here/tree/empty").is_dir());
    let a = run
        .objects()
        .into_iter()
        .find(|object| object["source"] == "a")
        .unwrap();
    assert_eq!(
        a["target"],
        format!("ftp://me%40home@{}/in/here/a", site.addr())
    );
    assert_eq!(a["verified"], "size, time, SHA-512");
    // By name.
    site.slip(&["put", "a", &site.url("b")]).await.expect(0);
    assert_eq!(site.read("b"), b"a");
    site.slip(&["put", "-r", "tree", &site.url("copy")])
        .await
        .expect(0);
    assert_eq!(tree(&site.root.join("copy")), tree(&work.join("tree")));
    site.slip(&["put", "-r", ".", &site.url("all/")])
        .await
        .expect(0);
    assert_eq!(tree(&site.root.join("all")), tree(&work));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said() {
    let site = Site::new().await;
    std::fs::write(site.work().join("a"), "a").unwrap();
    std::fs::create_dir(site.work().join("dir")).unwrap();
    std::fs::create_dir(site.root.join("there")).unwrap();
    let run = site
        .slip(&["put", "none", "dir", "a", &site.url("")])
        .await
        .expect(1);
    assert!(
        run.err.contains("No such file") && run.err.contains("-r"),
        "{}",
        run.err
    );
    assert_eq!(site.read("a"), b"a");
    site.slip(&["put", "a", "a", &site.url("name")])
        .await
        .expect(2);
    let run = site.slip(&["put", "a", &site.url("there")]).await.expect(1);
    assert!(run.err.contains("end the address in /"), "{}", run.err);
    site.slip(&["put", "none", &site.url("")]).await.expect(1);
    site.slip(&["put", "-", &site.url("")]).await.expect(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn standard_input() {
    let site = Site::new().await;
    let content = vec![b'z'; 300_000];
    let mut command = site.bench.command([
        "put",
        "-",
        &site.private("new/z"),
        "--json",
        "--pin",
        &site.pin,
    ]);
    command.stdin(Stdio::piped());
    let sent = content.clone();
    let output = tokio::task::spawn_blocking(move || {
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(&sent).unwrap();
        child.wait_with_output().unwrap()
    })
    .await
    .unwrap();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(site.read("new/z"), content);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&report["source"], &report["bytes"]),
        (&"-".into(), &300_000.into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn options_may_stand_anywhere() {
    let site = Site::new().await;
    std::fs::create_dir(site.work().join("folder")).unwrap();
    std::fs::write(site.work().join("folder/a"), "a").unwrap();
    let url = site.url("up/");
    site.slip(&["put", "folder", "-r", &url]).await.expect(0);
    assert!(site.root.join("up/folder/a").exists());
    site.slip(&[
        "queue",
        "add",
        "folder",
        "-r",
        &site.url("other/"),
        "--priority",
        "high",
    ])
    .await
    .expect(0);
    for command in [vec!["put"], vec!["queue", "add"]] {
        let alone: Vec<&str> = command.iter().copied().chain([url.as_str()]).collect();
        let run = site.slip(&alone).await.expect(2);
        assert!(run.err.contains("it takes"), "{}", run.err);
    }
}
