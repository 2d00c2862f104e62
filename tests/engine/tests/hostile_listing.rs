//! Servers whose listings are traps, nonsense, or just different.
#![allow(clippy::unwrap_used, unused_crate_dependencies)]

use std::time::Duration;

use engine_tests::{
    connect, names, path,
    scripted::{client_of, config, sends},
};
use ftp_client::{
    Client, ErrorKind,
    ftp_proto::{
        Name,
        listing::{Entry, Kind, Line},
    },
};
use support::{Peer, Script};

/// A server without MLSD.
fn old() -> Script {
    Script::logged_in().answering(&[("FEAT", "211-Features:\r\n EPSV\r\n211 End")])
}

async fn listed(client: &Client) -> (Vec<Entry>, Vec<Vec<u8>>) {
    client.list(None).await.unwrap().collect().await.unwrap()
}

fn text(names: &[Entry]) -> Vec<String> {
    let name = |entry: &Entry| String::from_utf8_lossy(&entry.name).into_owned();
    names.iter().map(name).collect()
}

/// Names come as they are, and none of these can become a part of a path.
#[tokio::test]
async fn names_that_are_paths_come_through_and_are_never_used() {
    let evil: [&[u8]; 6] = [
        b"../../evil",
        b"/etc/passwd",
        b"a\0b",
        b"sub/evil",
        b"a\x0bb/..",
        b"..\x00",
    ];
    for mlsd in [true, false] {
        let mut listing = Vec::new();
        for name in evil {
            match mlsd {
                true => listing.extend_from_slice(b"type=file;size=5; "),
                false => listing.extend_from_slice(b"-rw-r--r-- 1 a b 5 Jan 1 2020 "),
            }
            listing.extend_from_slice(name);
            listing.extend_from_slice(b"\r\n");
        }
        if !mlsd {
            // As `ls -a` has it.
            listing.extend_from_slice(b"drwxr-xr-x 1 a b 5 Jan 1 2020 .\r\n");
        }
        let begin = if mlsd { Script::logged_in() } else { old() };
        let pattern = if mlsd { "MLSD*" } else { "LIST*" };
        let script = begin
            .then(sends(pattern, listing.clone()))
            .then(sends(pattern, listing))
            .serve_rest();
        let (peer, client, _) = client_of(script).await;
        let (entries, unparsed) = listed(&client).await;
        assert_eq!(entries.len() + unparsed.len(), evil.len());
        for entry in &entries {
            Name::try_from(entry.name.as_slice()).unwrap_err();
        }
        let error = client.remove_tree(&path("/d")).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Protocol, "{error}");
        client.quit().await.unwrap();
        let sent = peer.finish().await.received_lines();
        let removed = |l: &String| l.starts_with("DELE") || l.starts_with("RMD");
        assert!(!sent.iter().any(removed), "{sent:?}");
    }
}

/// A folder that contains itself has no end on the server, and one here.
#[tokio::test]
async fn a_tree_without_end_is_given_up() {
    let folder = sends("MLSD*", "type=dir; again\r\n");
    let script = Script::logged_in().repeat(1000, folder).serve_rest();
    let (peer, client, log) = client_of(script.within(Duration::from_secs(60))).await;
    let error = client.remove_tree(&path("/d")).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Protocol, "{error}");
    let looked = log.sent().iter().filter(|l| l.starts_with("MLSD")).count();
    assert!((100..200).contains(&looked), "{looked} folders");
    drop(client);
    drop(peer);
}

#[tokio::test]
async fn lines_that_nobody_understands_are_kept_and_long_ones_cut() {
    let long = vec![b'x'; 100_000];
    let listing = [
        b"total 17\r\nwhat is this?\r\n\r\n-rw-r--r-- 1 a b 5 Jan 1 2020 good\n".to_vec(),
        long.clone(),
        b"\r\n-rw-r--r-- 1 a b 5 Jan 1 2020 ".to_vec(),
        vec![b'n'; 10_000],
        b"\r\n\xff\xfe\x00\x80\r\ndrwxr-xr-x 2 a b 0 Jan 1 2020 last".to_vec(),
    ]
    .concat();
    let (_peer, client, _) = client_of(old().then(sends("LIST*", listing)).serve_rest()).await;
    let (entries, unparsed) = listed(&client).await;
    let names = text(&entries);
    assert_eq!(names.len(), 3, "{names:?}");
    assert_eq!(
        (&*names[0], names[1].len(), &*names[2]),
        ("good", 10_000, "last")
    );
    assert_eq!(entries[2].kind, Kind::Dir);
    assert_eq!(unparsed[0], b"what is this?");
    let kept = unparsed
        .iter()
        .find(|line| line.starts_with(b"xxx"))
        .unwrap();
    assert!((1000..=65_536).contains(&kept.len()), "{}", kept.len());
    assert!(unparsed.len() >= 3, "{unparsed:?}");
    client.noop().await.unwrap();
}

/// What is held at a time does not grow with what the server sends.
#[tokio::test]
async fn a_line_without_end_and_a_listing_of_many_lines_pass_through() {
    let flood = Script::new()
        .expect("MLSD*")
        .say("150 here")
        .accept_data()
        .flood_data(vec![b'x'; 65_536], 512)
        .close_data()
        .say("226 done");
    let many = Script::new()
        .expect("MLSD*")
        .say("150 here")
        .accept_data()
        .flood_data("type=file;size=1; name\r\n".repeat(1000), 200)
        .close_data()
        .say("226 done");
    let script = Script::logged_in().then(flood).then(many).serve_rest();
    let (_peer, client, _) = client_of(script.within(Duration::from_secs(60))).await;
    let mut listing = client.list(None).await.unwrap();
    let mut kept = 0;
    while let Some(line) = listing.next().await.unwrap() {
        let Line::Unparsed(line) = line else {
            panic!("{line:?}")
        };
        kept += line.len();
    }
    assert!(kept <= 65_536, "{kept} bytes of one line");
    let mut listing = client.list(None).await.unwrap();
    let mut count = 0;
    while let Some(Line::Entry(_)) = listing.next().await.unwrap() {
        count += 1;
    }
    assert_eq!(count, 200_000);
    client.noop().await.unwrap();
}

#[tokio::test]
async fn a_server_without_what_it_promised_is_asked_for_less_and_less() {
    let line = "-rw-r--r-- 1 a b 5 Jan 1 2020 f\r\n";
    for refused in ["500 MLSD?", "502 not here", "504 no"] {
        let script = Script::logged_in()
            .answering(&[("MLSD*", refused), ("LIST -a", "501 no such file: -a")])
            .then(sends("LIST", line))
            .then(sends("LIST", line))
            .serve_rest();
        let peer = Peer::serve_each(vec![
            script,
            Script::logged_in()
                .answering(&[("MLSD*", refused)])
                .then(sends("LIST", line))
                .serve_rest(),
        ])
        .await;
        let config = config(&peer);
        let (client, log) = connect(config.clone()).await.unwrap();
        assert_eq!(names(&client, "/").await, ["f"], "{}", log.all());
        assert_eq!(names(&client, "/").await, ["f"], "{}", log.all());
        let sent = log.sent();
        for once in ["MLSD", "LIST -a"] {
            let count = sent.iter().filter(|l| l.starts_with(once)).count();
            assert_eq!(count, 1, "{once}: {sent:?}");
        }
        client.quit().await.unwrap();
        // Another session with the same memory doesn't try -a again.
        let (client, log) = connect(config).await.unwrap();
        assert_eq!(names(&client, "/").await, ["f"], "{}", log.all());
        assert!(!log.sent().contains(&"LIST -a".to_owned()));
    }
}

/// A server that takes `-a` for the name of a file has an empty answer, and every file for a LIST without it.
#[tokio::test]
async fn an_empty_answer_to_list_all_is_not_believed() {
    let list = |command: &str, content: &str| {
        Script::new()
            .expect(command)
            .say("150 here")
            .accept_data()
            .send_data(content)
            .close_data()
            .say("226 done")
    };
    let file = "-rw-r--r-- 1 a b 5 Jan  1  2020 f\r\n";
    let script = old()
        .then(list("LIST -a", ""))
        .then(list("LIST", file))
        .then(list("LIST", file))
        .serve_rest();
    let (_peer, client, log) = client_of(script).await;
    for _ in 0..2 {
        let (entries, _) = client.list(None).await.unwrap().collect().await.unwrap();
        assert_eq!(entries.len(), 1, "{}", log.all());
    }
    client.noop().await.unwrap();
}

/// "Nothing in it" is an error on some servers, and "not there" is on all.
#[tokio::test]
async fn an_empty_folder_is_not_a_missing_one() {
    for said in [
        "550 No files found",
        "450 No files found.",
        "550 No members found",
        "226 nothing there",
        "150 here",
    ] {
        for (begin, command) in [(Script::logged_in(), "MLSD*"), (old(), "LIST*")] {
            // With 150 there is a connection, and it brings nothing.
            let script = match said.strip_prefix("150 ") {
                Some(said) => begin
                    .expect(command)
                    .say(&format!("150 {said}"))
                    .accept_data()
                    .close_data()
                    .say("226 nothing"),
                None => begin.answering(&[(command, said)]),
            };
            let (_peer, client, log) = client_of(script.serve_rest()).await;
            let empty = client.list(None).await.unwrap().collect().await;
            let (entries, unparsed) =
                empty.unwrap_or_else(|e| panic!("{said}: {e}\n{}", log.all()));
            assert!(entries.is_empty() && unparsed.is_empty(), "{said}");
            client.noop().await.unwrap();
        }
    }
    for said in [
        "550 No such file or directory",
        "550 /d: not found",
        "550 Failed",
    ] {
        for command in ["MLSD*", "CWD *"] {
            let script = if command == "CWD *" {
                old()
            } else {
                Script::logged_in()
            };
            let (_peer, client, _) =
                client_of(script.answering(&[(command, said)]).serve_rest()).await;
            let error = client.list(Some(&path("/d"))).await.err().unwrap();
            assert_eq!(*error.kind(), ErrorKind::NotFound, "{said}: {error}");
            client.noop().await.unwrap();
        }
    }
}

/// What came before the failure is shown, and the failure too: half a listing must not pass for a whole one.
#[tokio::test]
async fn a_listing_that_breaks_off_says_so() {
    for (ending, tail) in [
        ("close", "451 my disk"),
        ("reset", "426 it broke"),
        ("reset", "226 all well"),
    ] {
        let script = Script::logged_in()
            .expect("MLSD*")
            .say("150 here")
            .accept_data()
            .send_data("type=file; one\r\ntype=file; tw");
        let script = match ending {
            "close" => script.close_data(),
            _ => script.reset_data(),
        };
        let (_peer, client, _) = client_of(script.say(tail).serve_rest()).await;
        let mut listing = client.list(None).await.unwrap();
        let error = loop {
            match listing.next().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("{ending} {tail}: it looks complete"),
                Err(error) => break error,
            }
        };
        assert!(error.is_retryable(), "{error}");
        drop(listing);
        assert_eq!(client.pwd().await.unwrap(), path("/"));
    }
}

/// Without PWD nobody knows the way back from a folder: a relative name must not be looked for in the wrong one.
#[tokio::test]
async fn a_look_elsewhere_without_a_way_back_is_not_taken_for_home() {
    let script = old()
        .answering(&[("PWD", "500 PWD?")])
        .then(sends("LIST*", "-rw-r--r-- 1 a b 5 Jan 1 2020 f\r\n"))
        .serve_rest();
    let (peer, client, _) = client_of(script).await;
    let listing = client.list(Some(&path("/d"))).await.unwrap();
    assert_eq!(listing.collect().await.unwrap().0.len(), 1);
    client.dele(&path("f")).await.unwrap_err();
    client.quit().await.unwrap();
    let sent = peer.finish().await.received_lines();
    let place = sent.iter().rposition(|l| l.starts_with("CWD"));
    let dele = sent.iter().rposition(|l| l == "DELE f");
    assert!(dele.is_none() || place.is_none(), "{sent:?}");
}
