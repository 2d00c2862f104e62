use std::io::{BufRead as _, BufReader};

use support::{Peer, Script};

use crate::harness::{Bench, Site, keys};

const KEYS: [&str; 11] = [
    "group",
    "modified",
    "name",
    "owner",
    "permissions",
    "precision",
    "raw",
    "size",
    "target",
    "type",
    "zone_known",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_as_objects() {
    let site = Site::new().await;
    site.write("a b.txt", "hello");
    site.write("ünder/x", "");
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    let file = std::fs::File::options()
        .write(true)
        .open(site.root.join("a b.txt"))
        .unwrap();
    file.set_modified(time).unwrap();
    let run = site
        .slip(&["ls", "--json", &site.private("")])
        .await
        .expect(0);
    let mut objects = run.objects();
    objects.sort_by_key(|object| object["name"].to_string());
    assert_eq!(objects.len(), 2);
    for object in &objects {
        assert_eq!(keys(object), KEYS);
    }
    assert_eq!(objects[0]["name"], "a b.txt");
    assert_eq!(objects[0]["type"], "file");
    assert_eq!(objects[0]["size"], 5);
    assert_eq!(objects[0]["modified"], "2001-09-09T01:46:40Z");
    assert_eq!(objects[0]["precision"], "second");
    assert_eq!(objects[0]["zone_known"], true);
    assert_eq!(objects[0]["permissions"].as_str().unwrap().len(), 9);
    assert_eq!(objects[1]["name"], "ünder");
    assert_eq!(objects[1]["type"], "dir");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_a_table_and_what_is_not_there() {
    let site = Site::new().await;
    site.write("dir/file.txt", "12345");
    let run = site
        .slip(&["ls", &site.url("dir/file.txt")])
        .await
        .expect(0);
    assert_eq!(run.out.lines().count(), 1);
    assert!(
        run.out.ends_with(" file.txt\n") && run.out.contains(" 5 "),
        "{}",
        run.out
    );
    for folder in ["dir", "dir/", "/dir", "%2Fdir/"] {
        let run = site.slip(&["ls", &site.url(folder)]).await.expect(0);
        assert!(run.out.ends_with(" file.txt\n"), "{}", run.out);
    }
    for missing in ["none", "none/", "dir/none"] {
        let run = site.slip(&["ls", &site.url(missing)]).await.expect(1);
        assert!(run.out.is_empty() && run.err.contains("550"), "{}", run.err);
    }
}

fn list_peer(lines: &str) -> Script {
    Script::logged_in()
        .answering(&[("FEAT", "502 no"), ("MLSD*", "500 no")])
        .expect("LIST*")
        .say("150 here")
        .accept_data()
        .send_data(lines)
        .close_data()
        .say("226 done")
        .serve_rest()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_parser_knows_is_shown() {
    let lines = "total 3\r\n\
        lrwxrwxrwx   1 ftp ftp 4 Jan 01  2001 link -> over/there\r\n\
        !!! the disk is tired !!!\r\n\
        prw-r--r--   1 ftp ftp 0 Jan 01  2001 pipe\r\n";
    let bench = Bench::new();
    let peer = Peer::serve(list_peer(lines)).await;
    let url = format!("ftp://{}/", peer.addr());
    let objects = bench.slip(["ls", "--json", &url]).await.expect(0).objects();
    let types: Vec<_> = objects
        .iter()
        .map(|object| object["type"].as_str().unwrap())
        .collect();
    assert_eq!(types, ["link", "unparsed", "other"]);
    assert_eq!(objects[0]["target"], "over/there");
    assert_eq!(objects[0]["permissions"], "rwxrwxrwx");
    assert_eq!(objects[1]["raw"], "!!! the disk is tired !!!");
    assert!(objects[1]["name"].is_null());
    assert_eq!(keys(&objects[1]), KEYS);
    let peer = Peer::serve(list_peer(lines)).await;
    let url = format!("ftp://{}/", peer.addr());
    let run = bench.slip(["ls", &url]).await.expect(0);
    assert!(
        run.out.contains("!!! the disk is tired !!!") && run.out.contains("link -> over/there")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_that_breaks_off_is_an_error() {
    let bench = Bench::new();
    let script = Script::logged_in()
        .expect("MLSD*")
        .say("150 here")
        .accept_data()
        .send_data("type=file;size=1; a\r\n")
        .close_data()
        .say("451 the disk failed")
        .serve_rest();
    let peer = Peer::serve(script).await;
    let run = bench
        .slip(["ls", &format!("ftp://{}/", peer.addr())])
        .await
        .expect(1);
    assert!(
        run.out.contains(" a\n") && run.err.contains("the disk failed"),
        "{}",
        run.err
    );
}

/// The most memory that a process has had so far, in KiB.
#[cfg(target_os = "linux")]
fn peak(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_entries_in_little_memory() {
    let line = "type=file;size=12345;modify=20200101000000;unix.mode=0644; a-name-of-usual-length.html\r\n";
    let script = Script::logged_in()
        .within(std::time::Duration::from_secs(60))
        .expect("MLSD*")
        .say("150 here")
        .accept_data()
        .flood_data(line.repeat(100), 1000)
        .close_data()
        .say("226 done")
        .serve_rest();
    let peer = Peer::serve(script).await;
    let bench = Bench::new();
    let mut command = bench.command(["ls", "--json", &format!("ftp://{}/", peer.addr())]);
    let (count, most, status) = tokio::task::spawn_blocking(move || {
        let mut child = command.spawn().unwrap();
        let (mut count, mut most) = (0, 0);
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            assert!(line.unwrap().contains("a-name-of-usual-length.html"));
            count += 1;
            if count % 1000 == 0 {
                most = most.max(peak(child.id()).unwrap_or(0));
            }
        }
        (count, most, child.wait().unwrap())
    })
    .await
    .unwrap();
    assert_eq!((count, status.code()), (100_000, Some(0)));
    assert!((1..120 * 1024).contains(&most), "{most} KiB");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_has_enough_is_no_error() {
    let script = Script::logged_in()
        .expect("MLSD*")
        .say("150 here")
        .accept_data()
        .flood_data("type=file;size=1; some-name\r\n", 100_000)
        .close_data()
        .say("226 done")
        .serve_rest();
    let peer = Peer::serve(script).await;
    let bench = Bench::new();
    let mut command = bench.command(["ls", &format!("ftp://{}/", peer.addr())]);
    let output = tokio::task::spawn_blocking(move || {
        let mut child = command.spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        out.read_line(&mut first).unwrap();
        assert!(first.contains("some-name"));
        drop(out);
        child.wait_with_output().unwrap()
    })
    .await
    .unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}
