use support::{Peer, Script};

use crate::harness::{Bench, tree};

const NAMES: [&[u8]; 5] = [
    b"../../evil",
    b"/etc/passwd",
    b"a\0b",
    b"sub/evil",
    b"/../evil",
];

fn lines(make: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    NAMES
        .iter()
        .copied()
        .chain([&b"good"[..]])
        .flat_map(|name| [make(name), b"\r\n".to_vec()].concat())
        .collect()
}

/// A listing with names that are none, and one file.
fn peer(feat: &str, verb: &str, listing: Vec<u8>) -> Script {
    Script::logged_in()
        .answering(&[
            ("FEAT", feat),
            ("MLSD*", "500 no"),
            ("SIZE *", "213 4"),
            ("MDTM *", "213 20200101000000"),
        ])
        .expect(verb)
        .say("150 here")
        .accept_data()
        .send_data(listing)
        .close_data()
        .say("226 done")
        .expect("RETR *good")
        .say("150 here")
        .accept_data()
        .send_data("good")
        .close_data()
        .say("226 done")
        .serve_rest()
}

async fn get(script: Script) {
    let bench = Bench::new();
    let inner = bench.work().join("one/two");
    std::fs::create_dir_all(&inner).unwrap();
    let peer = Peer::serve(script).await;
    let url = format!("ftp://{}/", peer.addr());
    let mut command = bench.command(["get", "-r", "-j", "1", "--json", &url, "-d", "out"]);
    command.current_dir(&inner);
    let run = bench.run(command).await.expect(1);
    let mut all = tree(bench.dir.path());
    // What the program keeps for itself.
    all.retain(|(name, _)| !name.starts_with("data/"));
    assert_eq!(
        all,
        [("work/one/two/out/good".to_owned(), b"good".to_vec())]
    );
    let objects = run.objects();
    let failed: Vec<_> = objects
        .iter()
        .filter(|object| !object["error"].is_null())
        .collect();
    assert_eq!(
        (objects.len(), failed.len()),
        (NAMES.len() + 1, NAMES.len()),
        "{}",
        run.out
    );
    for object in failed {
        let error = object["error"].as_str().unwrap();
        assert!(error.contains("the server lists"), "{error}");
        assert!(!error.contains('\x1b'), "{error}");
    }
    peer.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_mlsd_lead_nowhere_out() {
    let listing = lines(|name| [b"type=file;size=4;modify=20200101000000; ", name].concat());
    get(peer(
        "211-Features:\r\n MLST type*;size*;modify*;\r\n211 End",
        "MLSD*",
        listing,
    ))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_list_lead_nowhere_out() {
    let listing = lines(|name| [b"-rw-r--r--   1 ftp ftp 4 Jan 01  2020 ", name].concat());
    get(peer("502 no", "LIST*", listing)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_leads_out_is_not_walked() {
    let bench = Bench::new();
    let script = Script::logged_in()
        .expect("MLSD*")
        .say("150 here")
        .accept_data()
        .send_data("type=dir; ../../up\r\ntype=dir; ..\r\ntype=cdir; .\r\n")
        .close_data()
        .say("226 done")
        .serve_rest();
    let peer = Peer::serve(script).await;
    let url = format!("ftp://{}/", peer.addr());
    bench
        .slip(["get", "-r", "-j", "1", &url, "-d", "out"])
        .await
        .expect(1);
    assert_eq!(tree(bench.dir.path()), []);
    peer.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_that_speak_no_ftp() {
    let bench = Bench::new();
    for greeting in [
        "SSH-2.0-OpenSSH_9.6",
        "HTTP/1.1 400 Bad Request",
        "500 go away",
        "421 full",
    ] {
        let peer = Peer::serve(Script::new().say(greeting).serve_rest()).await;
        let url = format!("ftp://{}/x", peer.addr());
        let run = bench.slip(["ls", &url, "--timeout", "5"]).await.expect(3);
        assert!(!run.err.is_empty());
    }
    // A server that says nothing at all.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ftp://{}/x", silent.local_addr().unwrap());
    let run = bench.slip(["ls", &url, "--timeout", "0.3"]).await.expect(3);
    assert!(run.err.contains("waited"), "{}", run.err);
}
