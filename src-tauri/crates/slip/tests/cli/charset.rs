//! Servers whose names are not UTF-8.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use crate::harness::{Site, tree};

/// "Отчёт.txt" in Windows-1251.
const REPORT: &[u8] = b"\xce\xf2\xf7\xb8\xf2.txt";

async fn russian() -> Site {
    let site = Site::new().await;
    let folder = site.root.join(OsStr::from_bytes(b"\xef\xe0\xef\xea\xe0"));
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join(OsStr::from_bytes(REPORT)), "report").unwrap();
    site
}

fn with<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    [&["--charset", "cp1251"], arguments].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_read_and_written_in_the_servers_charset() {
    let site = russian().await;
    let folder = site.private("папка");
    let run = site.slip(&with(&["ls", "--json", &folder])).await.expect(0);
    assert_eq!(run.objects()[0]["name"], "Отчёт.txt");
    let run = site.slip(&with(&["ls", &folder])).await.expect(0);
    assert!(run.out.contains("Отчёт.txt"), "{}", run.out);

    site.slip(&with(&["get", "-r", &folder])).await.expect(0);
    let local = site.work().join("папка");
    assert_eq!(tree(&local), [("Отчёт.txt".to_owned(), b"report".to_vec())]);
    let one = site.private("папка/Отчёт.txt");
    site.slip(&with(&["get", "-o", "one", &one]))
        .await
        .expect(0);
    assert_eq!(std::fs::read(site.work().join("one")).unwrap(), b"report");

    std::fs::write(local.join("Ещё.txt"), "more").unwrap();
    let target = site.private("папка/");
    let file = local.join("Ещё.txt");
    let put = ["put", file.to_str().unwrap(), &target];
    site.slip(&with(&put)).await.expect(0);
    let remote = site
        .root
        .join(OsStr::from_bytes(b"\xef\xe0\xef\xea\xe0/\xc5\xf9\xb8.txt"));
    assert_eq!(std::fs::read(remote).unwrap(), b"more");

    let mirror = [
        "mirror",
        "--dry-run",
        "--json",
        local.to_str().unwrap(),
        &target,
    ];
    let run = site.slip(&with(&mirror)).await.expect(0);
    assert!(!run.out.contains("Отчёт"), "nothing differs: {}", run.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_charset_does_not_have_is_refused_clearly() {
    let site = russian().await;
    std::fs::write(site.work().join("日本.txt"), "no").unwrap();
    let target = site.private("папка/");
    let run = site.slip(&with(&["put", "日本.txt", &target])).await;
    let run = run.expect(1);
    assert!(run.err.contains("charset"), "{}", run.err);
    let url = site.private("日本");
    let run = site.slip(&with(&["ls", &url])).await.expect(2);
    assert!(run.err.contains("windows-1251, has no '日'"), "{}", run.err);
    let run = site
        .slip(&["--charset", "klingon", "ls", &url])
        .await
        .expect(2);
    assert!(run.err.contains("klingon"), "{}", run.err);
    assert_eq!(std::fs::read_dir(&site.root).unwrap().count(), 1);
}
