//! Folders that are made like others.

use serde_json::Value;

use crate::harness::{Run, Site, tree};

fn summary(run: &Run) -> Value {
    let objects = run.objects();
    objects
        .into_iter()
        .find(|object| object["plan"] == "summary")
        .unwrap_or_else(|| panic!("no summary: {}\n{}", run.out, run.err))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_comes_down_and_goes_up() {
    let site = Site::new().await;
    for n in 0..30 {
        site.write(&format!("tree/d{}/f{n} ä", n % 4), vec![b'x'; n * 300]);
    }
    std::fs::create_dir(site.root.join("tree/empty")).unwrap();
    let run = site
        .slip(&["mirror", &site.url("tree"), "copy", "--dry-run"])
        .await
        .expect(0);
    assert!(run.out.contains("30 to copy"), "{}", run.out);
    assert!(!site.work().join("copy").exists());
    site.slip(&["mirror", &site.url("tree"), "copy"])
        .await
        .expect(0);
    assert_eq!(
        tree(&site.work().join("copy")),
        tree(&site.root.join("tree"))
    );
    assert!(site.work().join("copy/empty").is_dir());
    // The second time there is nothing to do.
    let run = site
        .slip(&["mirror", &site.url("tree"), "copy", "--json"])
        .await
        .expect(0);
    assert_eq!(summary(&run)["copy"], 0, "{}", run.out);
    assert_eq!(summary(&run)["same"], 30);
    // And up, under another name.
    site.slip(&["mirror", "copy", &site.url("other/place")])
        .await
        .expect(0);
    assert_eq!(
        tree(&site.root.join("other/place")),
        tree(&site.root.join("tree"))
    );
    let run = site
        .slip(&["mirror", "copy", &site.url("other/place"), "--json"])
        .await
        .expect(0);
    assert_eq!(summary(&run)["copy"], 0, "{}", run.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_differs_is_copied_and_only_what_may_be_is_deleted() {
    let site = Site::new().await;
    for name in ["a", "b", "sub/c"] {
        site.write(&format!("tree/{name}"), name);
    }
    let url = site.url("tree");
    site.slip(&["mirror", &url, "copy"]).await.expect(0);
    let copy = site.work().join("copy");
    std::fs::write(copy.join("a"), "changed here").unwrap();
    std::fs::create_dir(copy.join("extra")).unwrap();
    std::fs::write(copy.join("extra/x"), "x").unwrap();
    std::fs::write(copy.join("keep.log"), "log").unwrap();
    let run = site
        .slip(&["mirror", &url, "copy", "--json", "-n"])
        .await
        .expect(0);
    assert_eq!(summary(&run)["copy"], 1, "{}", run.out);
    assert_eq!(summary(&run)["delete"], 0);
    assert_eq!(summary(&run)["extra"], 3);
    // Too many.
    let arguments = ["mirror", &url, "copy", "--delete", "--max-delete", "1"];
    let run = site.slip(&arguments).await.expect(1);
    assert!(run.err.contains("nothing is deleted"), "{}", run.err);
    assert_eq!(std::fs::read(copy.join("a")).unwrap(), b"a");
    assert!(copy.join("extra/x").exists());
    let arguments = ["mirror", &url, "copy", "--delete", "--exclude", "*.log"];
    site.slip(&arguments).await.expect(0);
    let names: Vec<String> = tree(&copy).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["a", "b", "keep.log", "sub/c"]);
    assert!(!copy.join("extra").exists());
    // The same on the server.
    let run = site
        .slip(&["mirror", "copy", &url, "--delete", "-q"])
        .await
        .expect(0);
    assert_eq!((run.out.as_str(), run.err.as_str()), ("", ""));
    assert_eq!(tree(&site.root.join("tree")), tree(&copy));
    std::fs::remove_file(copy.join("keep.log")).unwrap();
    site.slip(&["mirror", "copy", &url, "--delete"])
        .await
        .expect(0);
    assert_eq!(tree(&site.root.join("tree")), tree(&copy));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_mirrored() {
    let site = Site::new().await;
    site.write("a", "a");
    let (none, root) = (site.url("none"), site.url(""));
    for (arguments, code, words) in [
        (&["x", "y"][..], 2, "one side"),
        (&[root.as_str(), &none], 2, "one side"),
        (&[none.as_str(), "copy"], 1, "none"),
        (&["none", &root], 1, "none"),
        (&[root.as_str(), "copy", "--compare", "smell"], 2, "smell"),
        (&[root.as_str(), "copy", "--max-delete", "3"], 2, "--delete"),
        (&[root.as_str(), "copy", "--exclude", "a["], 2, "a["),
    ] {
        let all: Vec<&str> = ["mirror"]
            .into_iter()
            .chain(arguments.iter().copied())
            .collect();
        let run = site.slip(&all).await.expect(code);
        assert!(run.err.contains(words), "{words}: {}", run.err);
    }
    // A source that is empty deletes nothing unless that is said.
    std::fs::create_dir(site.work().join("empty")).unwrap();
    let run = site
        .slip(&["mirror", "empty", &root, "--delete"])
        .await
        .expect(1);
    assert!(run.err.contains("nothing is deleted"), "{}", run.err);
    assert_eq!(site.read("a"), b"a");
}

#[tokio::test(flavor = "multi_thread")]
async fn links_are_left_alone_and_no_option_says_otherwise() {
    let site = Site::new().await;
    site.write("tree/a", "a");
    let run = site
        .slip(&["mirror", "--links", "copy", &site.url("tree"), "copy"])
        .await
        .expect(2);
    assert!(run.err.contains("--links"), "{}", run.err);
    let run = site.slip(&["mirror", "--help"]).await.expect(0);
    assert!(!run.out.contains("--links"), "{}", run.out);
    assert!(run.out.contains("Links and special files are left alone"));
    for command in ["get", "put"] {
        let run = site.slip(&[command, "--help"]).await.expect(0);
        assert!(run.out.contains("--links"), "{}", run.out);
    }
}
