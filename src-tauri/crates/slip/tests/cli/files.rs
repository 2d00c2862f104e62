//! What is changed and asked of single files: `cp`, `ln`, `chmod`, `touch`, `hash`, `df`, and texts.

use std::fs;

use support::{Kind, Options, RealServer};

use crate::harness::{Bench, PASSWORD, Site};

const PASSWORD_IN_URL: &str = "s3cret%20pass";

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn permissions_and_times() {
    use std::os::unix::fs::PermissionsExt as _;

    let site = Site::new().await;
    site.write("a b", "content");
    site.slip(&["chmod", "640", &site.private("a%20b")])
        .await
        .expect(0);
    let mode = fs::metadata(site.root.join("a b")).unwrap().permissions();
    assert_eq!(mode.mode() & 0o777, 0o640);
    site.slip(&["chmod", "rw", &site.url("a%20b")])
        .await
        .expect(2);
    site.slip(&["chmod", "640", &site.url("none")])
        .await
        .expect(1);

    let time = |name: &str| {
        let modified = fs::metadata(site.root.join(name)).unwrap().modified();
        let since = modified.unwrap().duration_since(std::time::UNIX_EPOCH);
        since.unwrap().as_secs()
    };
    let when = ["touch", "-t", "2020-01-02T03:04:05Z"];
    let (old, new) = (site.private("a%20b"), site.private("new"));
    let touch = [&when[..], &[old.as_str(), new.as_str()]].concat();
    site.slip(&touch).await.expect(0);
    assert_eq!((time("a b"), time("new")), (1_577_934_245, 1_577_934_245));
    assert_eq!(
        (site.read("a b"), site.read("new")),
        (b"content".to_vec(), Vec::new())
    );
    site.slip(&["touch", &site.url("a%20b")]).await.expect(0);
    assert!(time("a b") > 1_577_934_245);
    let run = site
        .slip(&["touch", "-c", "--json", &site.url("none")])
        .await
        .expect(1);
    assert!(
        run.objects()[0]["error"].as_str().unwrap().contains("550"),
        "{}",
        run.out
    );
    assert!(!site.root.join("none").exists());
}

/// Our own server has no such commands: said in a line, and nothing is done.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_can_not_do_is_said() {
    let site = Site::new().await;
    site.write("a", "content");
    let elsewhere = format!("ftp://me:{PASSWORD}@127.0.0.1:9/");
    let (a, b) = (site.url("a"), site.url("b"));
    for command in [&["cp", &a, &b][..], &["ln", "a", &b]] {
        let run = site.slip(command).await.expect(1);
        assert!(
            run.err.contains("can't do this"),
            "{command:?}: {}",
            run.err
        );
    }
    site.slip(&["cp", &site.url("a"), &elsewhere])
        .await
        .expect(2);
    site.slip(&["cp", &site.url(""), &site.url("b")])
        .await
        .expect(2);
    assert!(!site.root.join("b").exists());
    // How much room there is it can tell, and no more.
    let run = site.slip(&["df", "--json", &site.url("")]).await.expect(0);
    let object = &run.objects()[0];
    assert!(
        object["available"].as_u64() > Some(0) && object["limit"].is_null(),
        "{}",
        run.out
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_by_our_own_server() {
    let site = Site::new().await;
    let local = |name: &str| fs::read(site.work().join(name)).unwrap();
    let ours = if cfg!(windows) {
        "a\r\nb\r\n"
    } else {
        "a\nb\n"
    };
    fs::write(site.work().join("up.txt"), ours).unwrap();
    fs::write(site.work().join("dos.txt"), "x\r\ny\rz\r\n").unwrap();
    site.slip(&[
        "put",
        "--ascii",
        "up.txt",
        "dos.txt",
        &site.private("texts/"),
    ])
    .await
    .expect(0);
    let both = [site.private("texts/up.txt"), site.private("texts/dos.txt")];
    let run = site
        .slip(&["get", "--ascii", "--json", &both[0], &both[1], "-d", "back"])
        .await
        .expect(0);
    assert_eq!(run.objects().len(), 2);
    assert_eq!(local("back/up.txt"), ours.as_bytes());
    // The stray CR stays; the line ends are this system's.
    let dos = if cfg!(windows) {
        "x\r\ny\rz\r\n"
    } else {
        "x\ny\rz\n"
    };
    assert_eq!(local("back/dos.txt"), dos.as_bytes());
    let run = site
        .slip(&["get", "--ascii", &both[0], "-o", "-"])
        .await
        .expect(0);
    assert_eq!(run.out, ours);
    let run = site
        .slip(&["get", "--ascii", &site.url("none"), "-o", "n"])
        .await
        .expect(1);
    assert!(run.err.contains("550"), "{}", run.err);
    let left: Vec<_> = fs::read_dir(site.work())
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert!(
        !left
            .iter()
            .any(|name| name.to_string_lossy().contains("slippart")),
        "{left:?}"
    );
    site.slip(&["get", "--ascii", "-r", &site.url("texts")])
        .await
        .expect(2);
    site.slip(&["put", "--ascii", "up.txt", "dos.txt", &site.url("one")])
        .await
        .expect(2);
}

/// ProFTPD with the modules that Debian ships for these.
#[tokio::test(flavor = "multi_thread")]
async fn real_proftpd_copies_links_and_hashes() {
    let mut options = Options::plain()
        .file("a b", "content")
        .file("plain", "12345");
    options.extra = [
        "LoadModule mod_copy.c",
        "LoadModule mod_site_misc.c",
        "LoadModule mod_digest.c",
        "DigestEngine on",
    ]
    .map(str::to_owned)
    .into();
    let Some(server) = RealServer::start(Kind::ProFtpd, options) else {
        return;
    };
    let bench = Bench::new();
    let url = |path: &str| {
        let (user, addr) = (server.user(), server.addr());
        format!("ftp://{user}:{PASSWORD_IN_URL}@{addr}/{path}")
    };
    let slip = async |arguments: &[&str], code: i32| {
        let run = bench.slip(arguments.iter().chain(&["--plaintext"])).await;
        run.expect(code)
    };
    slip(&["cp", &url("a%20b"), &url("c%20%20d")], 0).await;
    assert_eq!(server.read("c  d"), b"content");
    slip(&["mkdir", &url("sub")], 0).await;
    slip(&["cp", &url("plain"), &url("sub/")], 0).await;
    assert_eq!(server.read("sub/plain"), b"12345");
    let run = slip(&["cp", &url("none"), &url("x")], 1).await;
    assert!(run.err.contains("No such file"), "{}", run.err);

    slip(&["ln", "plain", &url("link")], 0).await;
    // The server may write the whole path into it, which is that of its own root.
    let target = fs::read_link(server.root().join("link")).unwrap();
    assert!(target.ends_with("plain"), "{target:?}");
    let run = slip(&["get", &url("link"), "-o", "-"], 0).await;
    assert_eq!(run.out, "12345");
    let run = slip(&["ln", "a b", &url("link2")], 1).await;
    assert!(run.err.contains("blanks"), "{}", run.err);

    let sha256 = "5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5";
    let run = slip(
        &[
            "hash",
            "-a",
            "sha256",
            "--json",
            &url("plain"),
            &url("none"),
        ],
        1,
    )
    .await;
    let objects = run.objects();
    assert_eq!(objects[0]["hash"], sha256);
    assert_eq!(objects[0]["algorithm"], "SHA-256");
    assert!(objects[1]["hash"].is_null() && objects[1]["error"].is_string());
    let run = slip(&["hash", "-a", "md5", &url("a%20b")], 0).await;
    assert!(
        run.out.contains("9a0364b9e99bb480dd25e1f0284c8555"),
        "{}",
        run.out
    );

    slip(&["touch", "-t", "2020-01-02T03:04:05Z", &url("a%20b")], 0).await;
    let modified = fs::metadata(server.root().join("a b"))
        .unwrap()
        .modified()
        .unwrap();
    let since = modified.duration_since(std::time::UNIX_EPOCH).unwrap();
    assert_eq!(since.as_secs(), 1_577_934_245);
}
