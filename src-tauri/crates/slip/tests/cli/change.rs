use crate::harness::{PASSWORD, Site, tree};

#[tokio::test(flavor = "multi_thread")]
async fn folders_come_and_go() {
    let site = Site::new().await;
    site.slip(&["mkdir", &site.private("a"), &site.private("a/b")])
        .await
        .expect(0);
    assert!(site.root.join("a/b").is_dir());
    site.slip(&["mkdir", &site.url("x/y/z")]).await.expect(1);
    site.slip(&["mkdir", "-p", &site.url("x/y/z"), &site.url("a")])
        .await
        .expect(0);
    assert!(site.root.join("x/y/z").is_dir());
    site.write("x/y/f", "f");
    let run = site.slip(&["rm", &site.url("x")]).await.expect(1);
    assert!(
        run.err.contains("-r") && site.root.join("x/y/f").exists(),
        "{}",
        run.err
    );
    site.slip(&["rm", &site.url("x/y/f")]).await.expect(0);
    site.write("x/y/g", "g");
    site.slip(&["rm", "-r", &site.url("x/")]).await.expect(0);
    assert!(!site.root.join("x").exists() && site.root.join("a").exists());
    for nothing in ["", "/", "%2F"] {
        site.slip(&["rm", "-r", &site.url(nothing)]).await.expect(2);
    }
    assert!(site.root.join("a").exists());
    let run = site
        .slip(&["rm", "--json", &site.private("none"), &site.private("a/b/")])
        .await
        .expect(1);
    let objects = run.objects();
    assert!(
        objects[0]["error"].as_str().unwrap().contains("550"),
        "{}",
        run.out
    );
    assert_eq!(
        objects[1]["url"],
        format!("ftp://me%40home@{}/a/b/", site.addr())
    );
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_link_goes_and_what_it_leads_to_stays() {
    let site = Site::new().await;
    site.write("kept/file", "precious");
    std::os::unix::fs::symlink("kept", site.root.join("link")).unwrap();
    site.slip(&["rm", "-r", &site.url("link")]).await.expect(0);
    assert!(!site.root.join("link").exists());
    assert_eq!(site.read("kept/file"), b"precious");
}

#[tokio::test(flavor = "multi_thread")]
async fn moves() {
    let site = Site::new().await;
    site.write("a", "a");
    std::fs::create_dir(site.root.join("dir")).unwrap();
    site.slip(&["mv", &site.private("a"), &site.private("b")])
        .await
        .expect(0);
    site.slip(&["mv", &site.url("b"), &site.url("dir/")])
        .await
        .expect(0);
    assert_eq!(tree(&site.root), [("dir/b".to_owned(), b"a".to_vec())]);
    site.slip(&["mv", &site.url("none"), &site.url("c")])
        .await
        .expect(1);
    let elsewhere = format!("ftp://me:{PASSWORD}@127.0.0.1:9/");
    site.slip(&["mv", &site.private("a"), &elsewhere])
        .await
        .expect(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn raw_commands() {
    let site = Site::new().await;
    site.write("dir/a", "12345");
    let run = site
        .slip(&["raw", &site.private("dir/"), "SIZE", "a"])
        .await
        .expect(0);
    assert_eq!(run.out, "213 5\n");
    let run = site.slip(&["raw", &site.url(""), "FEAT"]).await.expect(0);
    assert!(
        run.out.starts_with("211-") && run.out.ends_with("211 End\n"),
        "{}",
        run.out
    );
    let run = site
        .slip(&["raw", &site.url(""), "SIZE none", "--json"])
        .await
        .expect(1);
    assert_eq!(run.objects()[0]["code"], 550);
    site.slip(&["raw", &site.url(""), "RETR a"]).await.expect(2);
    site.slip(&["raw", &site.url(""), "NOOP\r\nDELE dir/a"])
        .await
        .expect(2);
    assert!(site.root.join("dir/a").exists());
}
