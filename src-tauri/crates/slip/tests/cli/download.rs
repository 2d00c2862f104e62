use crate::harness::{Site, keys, tree};

const KEYS: [&str; 8] = [
    "bytes",
    "error",
    "resumed_from",
    "seconds",
    "source",
    "state",
    "target",
    "verified",
];

#[tokio::test(flavor = "multi_thread")]
async fn files_as_they_are() {
    let site = Site::new().await;
    let big: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    for (name, content) in [
        ("empty", &b""[..]),
        ("one", b"1"),
        ("big", &big),
        (" a \u{e4}#?%.txt", b"odd"),
    ] {
        site.write(name, content);
    }
    let urls = ["empty", "one", "big", "%20a%20%C3%A4%23%3F%25.txt"].map(|name| site.private(name));
    let mut arguments = vec!["get", "--json", "-d", "deep/target"];
    arguments.extend(urls.iter().map(String::as_str));
    let run = site.slip(&arguments).await.expect(0);
    assert_eq!(tree(&site.work().join("deep/target")), tree(&site.root));
    let objects = run.objects();
    assert_eq!(objects.len(), 4);
    for object in &objects {
        assert_eq!(keys(object), KEYS);
        assert!(
            object["error"].is_null() && object["verified"] == "size, time, SHA-512",
            "{object}"
        );
    }
    let one = objects.iter().find(|object| object["bytes"] == 1).unwrap();
    assert_eq!(
        one["source"],
        format!("ftp://me%40home@{}/one", site.addr())
    );
    assert_eq!(one["target"], "deep/target/one");
    assert!(one["seconds"].is_number());
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_with_everything_in_them() {
    let site = Site::new().await;
    for n in 0..40 {
        site.write(&format!("tree/d{}/f{n}", n % 4), vec![b'x'; n * 100]);
    }
    std::fs::create_dir(site.root.join("tree/empty")).unwrap();
    let run = site
        .slip(&["get", "-r", "-j", "3", &site.private("tree"), "-q"])
        .await
        .expect(0);
    assert_eq!((run.out.as_str(), run.err.as_str()), ("", ""));
    assert_eq!(
        tree(&site.work().join("tree")),
        tree(&site.root.join("tree"))
    );
    assert!(site.work().join("tree/empty").is_dir());
    // By another name, and the login's folder as a whole.
    site.slip(&["get", "-r", &site.url("tree/"), "-o", "other"])
        .await
        .expect(0);
    assert_eq!(
        tree(&site.work().join("other")),
        tree(&site.root.join("tree"))
    );
    site.slip(&["get", "-r", &site.url(""), "-d", "all"])
        .await
        .expect(0);
    assert_eq!(tree(&site.work().join("all")), tree(&site.root));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_failure_leaves_the_others_alone() {
    let site = Site::new().await;
    site.write("a", "a");
    site.write("dir/b", "b");
    let (a, none, dir) = (site.url("a"), site.url("none"), site.url("dir"));
    let run = site
        .slip(&["get", "--json", &none, &dir, &a, &a])
        .await
        .expect(1);
    let errors: Vec<_> = run
        .objects()
        .into_iter()
        .filter_map(|object| object["error"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(errors.len(), 3, "{}", run.out);
    for words in ["550", "-r", "same target"] {
        assert!(
            errors.iter().any(|error| error.contains(words)),
            "{words}: {errors:?}"
        );
    }
    assert_eq!(tree(&site.work()), [("a".to_owned(), b"a".to_vec())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn to_standard_output_and_to_a_name() {
    let site = Site::new().await;
    site.write("a", "content");
    let run = site
        .slip(&["get", &site.private("a"), "-o", "-"])
        .await
        .expect(0);
    assert_eq!((run.out.as_str(), run.err.as_str()), ("content", ""));
    let run = site
        .slip(&["get", &site.private("a"), "-o", "-", "--json"])
        .await
        .expect(0);
    assert_eq!(run.out, "content");
    let report: serde_json::Value = serde_json::from_str(&run.err).unwrap();
    assert_eq!(keys(&report), KEYS);
    site.slip(&["get", &site.url("none"), "-o", "-"])
        .await
        .expect(1);
    site.slip(&["get", &site.url("a"), "-o", "b"])
        .await
        .expect(0);
    assert_eq!(std::fs::read(site.work().join("b")).unwrap(), b"content");
    std::fs::create_dir(site.work().join("dir")).unwrap();
    site.slip(&["get", &site.url("a"), "-o", "dir"])
        .await
        .expect(2);
    site.slip(&["get", &site.url("a"), &site.url("b"), "-o", "c"])
        .await
        .expect(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_disk_refuses_is_said() {
    let site = Site::new().await;
    site.write("a", "content");
    std::fs::write(site.work().join("file"), "").unwrap();
    let run = site
        .slip(&["get", &site.url("a"), "-d", "file/below"])
        .await
        .expect(1);
    assert!(run.err.contains("file/below"), "{}", run.err);
}
