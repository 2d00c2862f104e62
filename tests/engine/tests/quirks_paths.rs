//! Servers with ideas of their own about paths: the rows P1 to P9 of docs/quirks.md.
#![allow(clippy::unwrap_used, unused_crate_dependencies)]

use engine_tests::{
    connect, path,
    scripted::{client_of, config, sends},
};
use ftp_client::{
    Client, ErrorKind,
    ftp_proto::listing::{Kind, Line},
};
use support::{Peer, Script};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// A server without MLSD, of no known kind.
fn old() -> Script {
    Script::logged_in().answering(&[("FEAT", "211-Features:\r\n EPSV\r\n SIZE\r\n211 End")])
}

fn receives(command: &str) -> Script {
    Script::new()
        .expect(command)
        .say("150 go on")
        .accept_data()
        .read_data()
        .close_data()
        .say("226 done")
}

async fn fetch(client: &Client, file: &str) -> Vec<u8> {
    let mut download = client.retr(&path(file), 0).await.unwrap();
    let mut content = Vec::new();
    download.read_to_end(&mut content).await.unwrap();
    download.finish().await.unwrap();
    content
}

fn commands(log: &engine_tests::Log, verb: &str) -> Vec<String> {
    let sent = log.sent();
    let of = |line: &String| line.split(' ').next() == Some(verb);
    sent.into_iter().filter(of).collect()
}

/// P1.
#[tokio::test]
async fn the_working_directory_is_found_in_every_wording() {
    for (reply, home) in [
        (r#"257 "/pub" is the current directory"#, Some("/pub")),
        (r#"257 Your place now: "/pub""#, Some("/pub")),
        (
            r#"257 foo "/baz "" test nop" """""fdfs """#,
            Some(r#"/baz " test nop"#),
        ),
        ("257 '/pub' is current", Some("/pub")),
        ("257 /my pub is current directory.", Some("/my pub")),
        (r#"257 "/pub"#, Some("/pub")),
        ("257 /pub", Some("/pub")),
        ("250 \"/pub\"", Some("/pub")),
        ("257 \"/pu\tb\u{1b}\" is there", Some("/pu\tb\u{1b}")),
        ("257 nobody knows where", None),
        ("257 \"\"", None),
        ("257", None),
        ("550 no", None),
    ] {
        let script = Script::logged_in().answering(&[("PWD", reply), ("SYST", "500 no")]);
        let (_peer, client, _) = client_of(script.serve_rest()).await;
        assert_eq!(client.facts().home, home.map(path), "{reply}");
        client.noop().await.unwrap();
    }
}

/// P2: the way back after a look elsewhere is where we must be, though nobody says so.
#[tokio::test]
async fn without_pwd_we_are_where_we_went() {
    for (went, then, back) in [
        ("/in", None, "CWD /in"),
        ("/in", Some("deeper"), "CWD /in/deeper"),
        ("/in/two", Some(".."), "CWD /in"),
    ] {
        let script = Script::logged_in().answering(&[
            ("PWD", "502 what?"),
            ("CDUP", "250 up"),
            ("SIZE f", "213 5"),
        ]);
        let (_peer, client, log) = client_of(script.serve_rest()).await;
        client.cwd(&path(went)).await.unwrap();
        match then {
            Some("..") => client.cdup().await.unwrap(),
            Some(then) => client.cwd(&path(then)).await.unwrap(),
            None => {}
        }
        assert!(client.is_dir(&path("/elsewhere")).await.unwrap());
        assert_eq!(client.size(&path("f")).await.unwrap(), 5);
        assert_eq!(commands(&log, "CWD").last().unwrap(), back, "{}", log.all());
    }
}

/// P3.
#[tokio::test]
async fn up_goes_by_whatever_the_server_has() {
    for (answers, sent) in [
        (&[("CDUP", "200 up")][..], &["CDUP"][..]),
        (
            &[("CDUP", "500 what?"), ("CWD ..", "250 up")],
            &["CDUP", "CWD .."],
        ),
        (
            &[("CDUP", "502 what?"), ("CWD ..", "550 no such name")],
            &["CDUP", "CWD ..", "CWD /a"],
        ),
    ] {
        let script = Script::logged_in()
            .answering(&[("PWD", "257 \"/a/b\"")])
            .answering(answers);
        let (_peer, client, log) = client_of(script.serve_rest()).await;
        client.cdup().await.unwrap();
        let ups: Vec<String> = log
            .sent()
            .into_iter()
            .filter(|line| line.starts_with("C") && !line.starts_with("CLNT"))
            .collect();
        assert_eq!(ups, sent);
    }
    // A refusal for another reason is one.
    let script = Script::logged_in().answering(&[("CDUP", "550 not allowed")]);
    let (_peer, client, log) = client_of(script.serve_rest()).await;
    client.cdup().await.unwrap_err();
    assert!(commands(&log, "CWD").is_empty());
}

/// P4.
#[tokio::test]
async fn os400_is_asked_for_paths_like_those_of_others() {
    let script = Script::logged_in()
        .answering(&[(
            "SYST",
            "215  OS/400 is the remote operating system. The TCP/IP version is \"V7R4M0\".",
        )])
        .expect("PWD")
        .say("257 \"QGPL\" is current library.")
        .expect("SITE NAMEFMT 1")
        .say("250  Now using naming format \"1\".")
        .expect("PWD")
        .say("257 \"/QSYS.LIB/QGPL.LIB\" is current directory.")
        .serve_rest();
    let (_peer, client, _) = client_of(script).await;
    assert_eq!(client.facts().home, Some(path("/QSYS.LIB/QGPL.LIB")));
    // Others with an odd home are left as they are.
    let script = Script::logged_in().answering(&[("PWD", "257 \"home\"")]);
    let (_peer, client, log) = client_of(script.serve_rest()).await;
    assert_eq!(client.facts().home, Some(path("home")));
    assert_eq!(commands(&log, "SYST"), ["SYST"]);
    assert!(commands(&log, "SITE").is_empty());
}

/// P5: the style is known by the first path that the server names.
#[tokio::test]
async fn paths_of_vms_and_dos_are_theirs_on_the_wire_and_ours_here() {
    let vms = [
        "\"DISK$A:[ANON]\" is current directory.",
        "CWD DISK$A:[ANON.SUB]",
        "RETR DISK$A:[ANON.SUB]F.TXT;1",
        "STOR G.TXT",
        "MKD DISK$A:[ANON.NEW]",
        "RNFR DISK$A:[ANON]OLD.TXT",
        "RNTO DISK$A:[000000]NEW.TXT",
    ];
    let dos = [
        "\"C:\\ANON\" is current directory.",
        "CWD C:\\ANON\\SUB",
        "RETR C:\\ANON\\SUB\\F.TXT;1",
        "STOR G.TXT",
        "MKD C:\\ANON\\NEW",
        "RNFR C:\\ANON\\OLD.TXT",
        "RNTO C:\\NEW.TXT",
    ];
    for (disk, [pwd, cwd, retr, stor, mkd, rnfr, rnto]) in [("DISK$A", vms), ("C:", dos)] {
        let script = old()
            .answering(&[("PWD", &format!("257 {pwd}"))])
            .expect(cwd)
            .say("250 there")
            .then(sends(
                "LIST -a",
                "-rw-r--r-- 1 a b 5 Jan  1  2020 x\r\n-rw-r--r-- 1 a b 5 Jan  1  2020 .\r\n",
            ))
            .then(sends(retr, "content"))
            .then(receives(stor))
            .expect(mkd)
            .say("257 made")
            .expect(rnfr)
            .say("350 and?")
            .expect(rnto)
            .say("250 done")
            .serve_rest();
        let (peer, client, log) = client_of(script).await;
        let home = path(&format!("/{disk}/ANON"));
        assert_eq!(client.facts().home, Some(home.clone()), "{}", log.all());
        let below = |name: &str| path(&format!("{home}/{name}"));
        let listing = client.list(Some(&below("SUB"))).await.unwrap();
        assert_eq!(listing.collect().await.unwrap().0.len(), 1);
        assert_eq!(
            fetch(&client, &below("SUB/F.TXT;1").to_string()).await,
            b"content"
        );
        let mut upload = client.stor(&path("G.TXT"), 0).await.unwrap();
        upload.write_all(b"x").await.unwrap();
        upload.finish().await.unwrap();
        client.mkd(&below("NEW")).await.unwrap();
        let top = path(&format!("/{disk}/NEW.TXT"));
        client.rename(&below("OLD.TXT"), &top).await.unwrap();
        client.quit().await.unwrap();
        peer.finish().await;
    }
}

/// P5: CWD takes one name at a time. That is found out once, and remembered for the host.
#[tokio::test]
async fn a_server_that_goes_one_folder_at_a_time_is_led_there() {
    let steps = || {
        old().answering(&[
            ("CWD /a/b", "501 one at a time"),
            ("CWD /a/gone", "501 one at a time"),
            ("CWD gone", "550 no such folder"),
        ])
    };
    let peer = Peer::serve_each(vec![steps().serve_rest(), steps().serve_rest()]).await;
    let config = config(&peer);
    let (client, log) = connect(config.clone()).await.unwrap();
    assert!(!client.is_dir(&path("/a/gone")).await.unwrap());
    assert!(client.is_dir(&path("/a/b")).await.unwrap());
    let went = commands(&log, "CWD");
    assert_eq!(
        went,
        [
            "CWD /a/gone",
            "CWD /",
            "CWD a",
            "CWD gone",
            "CWD /a/b",
            "CWD /",
            "CWD a",
            "CWD b"
        ]
    );
    client.quit().await.unwrap();
    let (client, log) = connect(config).await.unwrap();
    client.cwd(&path("/a/b")).await.unwrap();
    assert_eq!(commands(&log, "CWD"), ["CWD /", "CWD a", "CWD b"]);
    // One that has gone a whole way once is not doubted.
    let script = old().answering(&[("CWD /a/gone", "550 no such folder")]);
    let (_peer, client, log) = client_of(script.serve_rest()).await;
    assert!(client.is_dir(&path("/a/b")).await.unwrap());
    assert!(!client.is_dir(&path("/a/gone")).await.unwrap());
    assert_eq!(commands(&log, "CWD"), ["CWD /a/b", "CWD /a/gone"]);
}

/// P6: a folder that may be passed through and not entered is no hindrance, since whole paths are sent first.
#[tokio::test]
async fn a_folder_that_cannot_be_entered_can_be_passed_through() {
    let script = old()
        .answering(&[
            ("CWD *", "550 permission denied"),
            ("SIZE /a/f", "213 7"),
            ("DELE /a/f", "250 gone"),
            ("RMD /a/d", "250 gone"),
            ("RNFR /a/f", "350 and?"),
            ("RNTO /a/g", "250 done"),
            ("SITE CHMOD 644 /a/f", "200 done"),
        ])
        .then(sends("RETR /a/f", "content"))
        .serve_rest();
    let (_peer, client, log) = client_of(script).await;
    assert_eq!(fetch(&client, "/a/f").await, b"content");
    let file = path("/a/f");
    assert_eq!(client.size(&file).await.unwrap(), 7);
    client.chmod(&file, 0o644).await.unwrap();
    client.rename(&file, &path("/a/g")).await.unwrap();
    client.dele(&file).await.unwrap();
    client.rmd(&path("/a/d")).await.unwrap();
    assert!(commands(&log, "CWD").is_empty(), "{}", log.all());
}

/// P6, the other way round: a server that knows files by their bare names alone.
#[tokio::test]
async fn a_server_that_wants_bare_names_gets_them_from_their_folder() {
    let answers: &[(&str, &str)] = &[
        ("* /a/b/*", "550 what path?"),
        ("SIZE f", "213 7"),
        ("RNFR f", "350 and?"),
        ("RNTO g", "250 done"),
        ("DELE f", "250 gone"),
    ];
    let first = old()
        .answering(answers)
        .then(sends("RETR f", "content"))
        .serve_rest();
    let second = old()
        .answering(answers)
        .then(receives("STOR f"))
        .serve_rest();
    let peer = Peer::serve_each(vec![first, second]).await;
    let config = config(&peer);
    let (client, log) = connect(config.clone()).await.unwrap();
    assert_eq!(fetch(&client, "/a/b/f").await, b"content");
    let file = path("/a/b/f");
    assert_eq!(client.size(&file).await.unwrap(), 7);
    client.rename(&file, &path("/a/b/g")).await.unwrap();
    client.dele(&file).await.unwrap();
    assert_eq!(commands(&log, "RETR"), ["RETR /a/b/f", "RETR f"]);
    assert_eq!(commands(&log, "SIZE"), ["SIZE f"]);
    assert_eq!(commands(&log, "CWD").first().unwrap(), "CWD /a/b");
    client.quit().await.unwrap();
    // Another session knows it.
    let (client, log) = connect(config).await.unwrap();
    let mut upload = client.stor(&file, 0).await.unwrap();
    upload.write_all(b"x").await.unwrap();
    upload.finish().await.unwrap();
    assert_eq!(commands(&log, "STOR"), ["STOR f"]);
    client.quit().await.unwrap();
    peer.finish_all().await;
}

/// P6: where the bare name is refused too, the file is to blame, and the first answer is the one that counts.
#[tokio::test]
async fn a_file_that_is_not_there_is_looked_for_twice_and_then_no_more() {
    let script = old().answering(&[
        ("DELE *", "550 other words"),
        ("DELE /a/*", "550 first words"),
        ("SIZE *", "550 no"),
    ]);
    let (_peer, client, log) = client_of(script.serve_rest()).await;
    for file in ["/a/f", "/a/g"] {
        let error = client.dele(&path(file)).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("first words"), "{error}");
    }
    assert_eq!(commands(&log, "DELE"), ["DELE /a/f", "DELE f", "DELE /a/g"]);
    // A question is asked once.
    let (_peer, client, log) =
        client_of(old().answering(&[("SIZE *", "550 no")]).serve_rest()).await;
    client.size(&path("/a/f")).await.unwrap_err();
    assert_eq!(commands(&log, "SIZE"), ["SIZE /a/f"]);
}

/// P7.
#[tokio::test]
async fn a_folder_that_exists_is_known_by_going_there_whatever_the_words() {
    for said in [
        "550 File exists",
        "521 \"/d\" directory already exists",
        "550 Cannot create a file when that file already exists.",
        "553 Das Verzeichnis existiert bereits",
        "450 busy",
        "500 'MKD /d': exists",
    ] {
        let script = Script::logged_in().answering(&[("MKD *", said)]);
        let (_peer, client, _) = client_of(script.serve_rest()).await;
        assert!(!client.mkd_or_exists(&path("/d")).await.unwrap(), "{said}");
        client.mkd_parents(&path("/d")).await.unwrap();
    }
    for made in ["257 \"/d\" created", "250 done", "200 fine", "257"] {
        let script = Script::logged_in().answering(&[("MKD *", made)]);
        let (_peer, client, _) = client_of(script.serve_rest()).await;
        assert!(client.mkd_or_exists(&path("/d")).await.unwrap(), "{made}");
    }
    // The path has the words in it; the folder isn't there.
    let script = Script::logged_in().answering(&[
        ("MKD *", "550 /already exists: permission denied"),
        ("CWD *", "550 no"),
    ]);
    let (_peer, client, _) = client_of(script.serve_rest()).await;
    client
        .mkd_or_exists(&path("/already exists"))
        .await
        .unwrap_err();
    // All at once, then up to what is there, then down again.
    let script = Script::logged_in()
        .answering(&[("CWD *", "550 no")])
        .expect("MKD /a/b/c")
        .say("550 no parent")
        .expect("MKD /a/b")
        .say("550 no parent")
        .expect("MKD /a")
        .say("257 made")
        .expect("MKD /a/b")
        .say("257 made")
        .expect("MKD /a/b/c")
        .say("257 made")
        .serve_rest();
    let (peer, client, _) = client_of(script).await;
    client.mkd_parents(&path("/a/b/c")).await.unwrap();
    client.quit().await.unwrap();
    peer.finish().await;
}

/// P8: LIST says "link", and not what it leads to.
#[tokio::test]
async fn whether_a_link_leads_to_a_folder_is_found_out_by_going_there() {
    let listing = "lrwxrwxrwx 1 a b 4 Jan  1  2020 in -> real\r\nlrwxrwxrwx 1 a b 4 Jan  1  2020 out -> file\r\nlrwxrwxrwx 1 a b 1 Jan  1  2020 . -> .\r\n";
    let script = old()
        .answering(&[("CWD /out", "550 not a folder"), ("SIZE /out", "213 4")])
        .then(sends("LIST*", listing))
        .serve_rest();
    let (_peer, client, log) = client_of(script).await;
    let mut lines = client.list(None).await.unwrap();
    while let Some(line) = lines.next().await.unwrap() {
        let Line::Entry(entry) = line else {
            panic!("{line:?}")
        };
        assert_eq!(entry.kind, Kind::Link);
    }
    assert!(client.is_dir(&path("/in")).await.unwrap(), "{}", log.all());
    assert!(!client.is_dir(&path("/out")).await.unwrap());
    // Where we were is where we are.
    assert_eq!(client.pwd().await.unwrap(), path("/"));
}

/// P9: nothing in it, or nothing there.
#[tokio::test]
async fn an_empty_listing_of_a_missing_folder_is_an_error() {
    for (there, answer) in [(true, "250 there"), (false, "550 no such folder")] {
        for script in [
            sends("MLSD /d", ""),
            Script::new().expect("MLSD /d").say("226 nothing"),
        ] {
            let begin = Script::logged_in().answering(&[("CWD /d", answer)]);
            let (_peer, client, log) = client_of(begin.then(script).serve_rest()).await;
            let listed = client
                .list(Some(&path("/d")))
                .await
                .unwrap()
                .collect()
                .await;
            match there {
                true => assert!(listed.unwrap().0.is_empty()),
                false => assert_eq!(*listed.unwrap_err().kind(), ErrorKind::NotFound),
            }
            assert_eq!(client.pwd().await.unwrap(), path("/"), "{}", log.all());
        }
    }
}
