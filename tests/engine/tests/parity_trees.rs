//! Files, folders and trees as the reference system has them: items 9, 30 to 38, 45 and 46 of docs/parity.md.
#![allow(clippy::unwrap_used, unused_crate_dependencies)]

use std::{collections::BTreeSet, fs, path::Path};

use engine_tests::{
    config_for, connect, each_server,
    files::{get, put},
    own::{OwnServer, Store},
    path, pattern,
    scripted::{client_of, sends},
};
use ftp_client::{
    Client, Error, ErrorKind, Found, ListCommand, ListOptions, TreeOptions, Walk,
    ftp_proto::{
        RemotePath,
        listing::{Entry, Kind, Line, ListParsers},
    },
};
use futures_util::StreamExt as _;
use support::{Script, Tls};
use tokio::io::AsyncWriteExt as _;

const RECURSIVE: ListOptions = ListOptions {
    recursive: true,
    command: None,
};

async fn own() -> (OwnServer, Client) {
    let server = OwnServer::start(Store::Memory, Tls::Off).await;
    let (client, _) = connect(server.config()).await.unwrap();
    (server, client)
}

async fn paths(walk: Walk) -> Vec<String> {
    let (entries, unparsed) = walk.collect().await.unwrap();
    assert!(unparsed.is_empty());
    entries.iter().map(|(path, _)| path.to_string()).collect()
}

fn sorted(mut paths: Vec<String>) -> Vec<String> {
    paths.sort();
    paths
}

/// Items 30 and 31.
#[tokio::test]
async fn here_and_up_and_down() {
    let (_server, client) = own().await;
    client.mkd(&path("/a \"b\" c")).await.unwrap();
    client.cwd(&path("a \"b\" c")).await.unwrap();
    assert_eq!(client.pwd().await.unwrap(), path("/a \"b\" c"));
    client.mkd(&path("d")).await.unwrap();
    client.cwd(&path("d")).await.unwrap();
    client.cdup().await.unwrap();
    assert_eq!(client.pwd().await.unwrap(), path("/a \"b\" c"));
    client.cwd(&path("..")).await.unwrap();
    assert_eq!(client.pwd().await.unwrap(), RemotePath::root());
    let error = client.cwd(&path("none")).await.unwrap_err();
    assert_eq!(error.received().unwrap().value(), 550);
}

/// Items 32, 33 and 34.
#[tokio::test]
async fn folders_come_and_go() {
    let (server, client) = own().await;
    client.mkd_parents(&path("foo/bar/baz")).await.unwrap();
    // What is there is there.
    client.mkd_parents(&path("foo/bar/baz")).await.unwrap();
    client.mkd_parents(&path("/")).await.unwrap();
    // Only the last one; the reference system's server made the others too.
    client.mkd(&path("no/parent")).await.unwrap_err();
    client.mkd(&path("foo/bar/qux")).await.unwrap();
    assert!(server.has("/foo/bar/qux").await);
    client.rmd(&path("foo/bar/qux")).await.unwrap();
    let error = client.rmd(&path("foo")).await.unwrap_err();
    assert_eq!(error.received().unwrap().value(), 550);
    put(&client, "foo/f", b"1").await.unwrap();
    client
        .rename(&path("foo/f"), &path("foo/bar/g"))
        .await
        .unwrap();
    assert!(server.has("/foo/bar/g").await && !server.has("/foo/f").await);
    client.dele(&path("foo/bar/g")).await.unwrap();
    client.dele(&path("foo/bar/g")).await.unwrap_err();
    // Whatever it is, and nothing is something else.
    put(&client, "foo/bar/h", b"1").await.unwrap();
    put(&client, "single", b"1").await.unwrap();
    assert!(!client.remove(&path("none")).await.unwrap());
    assert!(client.remove(&path("single")).await.unwrap());
    assert!(client.remove(&path("foo")).await.unwrap());
    assert!(!client.remove(&path("foo")).await.unwrap());
    assert!(paths(client.walk(None, RECURSIVE)).await.is_empty());
}

/// Items 9 and 35.
#[tokio::test]
async fn listings_of_one_folder_and_of_all() {
    let (server, client) = own().await;
    for file in [
        "/foo/bar",
        "/foo/baz/baz",
        "/foo/qux/a",
        "/foo/qux/b",
        "/top",
    ] {
        server.put(file, b"1").await;
    }
    let foo = path("foo");
    let plain = ListOptions::default();
    assert_eq!(
        sorted(paths(client.walk(Some(&foo), plain)).await),
        ["foo/bar", "foo/baz", "foo/qux"]
    );
    let all = paths(client.walk(Some(&foo), RECURSIVE)).await;
    assert_eq!(
        sorted(all.clone()),
        [
            "foo/bar",
            "foo/baz",
            "foo/baz/baz",
            "foo/qux",
            "foo/qux/a",
            "foo/qux/b"
        ]
    );
    // Breadth first.
    let depth = |path: &String| path.matches('/').count();
    assert!(all.is_sorted_by_key(depth), "{all:?}");
    assert_eq!(paths(client.walk(None, RECURSIVE)).await.len(), 8);
    // A file has no entries, and what isn't there is an error.
    assert!(
        paths(client.walk(Some(&path("top")), RECURSIVE))
            .await
            .is_empty()
    );
    let error = client
        .walk(Some(&path("none")), plain)
        .collect()
        .await
        .unwrap_err();
    assert_eq!(error.received().unwrap().value(), 550);
    // Dropped in the middle, and as a stream.
    let mut walk = client.walk(None, RECURSIVE);
    walk.next().await.unwrap().unwrap();
    drop(walk);
    let found: Vec<_> = client.walk(None, RECURSIVE).into_stream().collect().await;
    assert_eq!(
        found
            .iter()
            .filter(|found| matches!(found, Ok(Found::Entry(..))))
            .count(),
        8
    );
    for command in [ListCommand::Mlsd, ListCommand::List, ListCommand::Stat] {
        let options = ListOptions {
            command: Some(command),
            ..RECURSIVE
        };
        let found = paths(client.walk(Some(&foo), options)).await;
        assert_eq!(sorted(found).len(), 6, "{command:?}");
    }
    // Names alone.
    let options = ListOptions {
        command: Some(ListCommand::Nlst),
        recursive: false,
    };
    assert_eq!(
        sorted(paths(client.walk(Some(&foo), options)).await),
        ["foo/bar", "foo/baz", "foo/qux"]
    );
}

/// Item 35: the fallback on 50x, and a command that is demanded.
#[tokio::test]
async fn mlsd_gives_way_to_list_and_a_demanded_command_to_none() {
    let listing = "drwxr-xr-x 1 a b 5 Jan  1  2020 .\r\n-rw-r--r-- 1 a b 5 Jan  1  2020 f\r\n";
    for refused in ["500 what?", "502 no", "504 no"] {
        let script = Script::logged_in().answering(&[("MLSD*", refused)]);
        let script = script
            .then(sends("LIST -a", listing))
            .then(sends("LIST -a", listing))
            .serve_rest();
        let (_peer, client, log) = client_of(script).await;
        for _ in 0..2 {
            assert_eq!(
                paths(client.walk(None, ListOptions::default())).await,
                ["f"]
            );
        }
        let mlsd = log
            .sent()
            .iter()
            .filter(|line| line.starts_with("MLSD"))
            .count();
        assert_eq!(mlsd, 1);
        let options = ListOptions {
            command: Some(ListCommand::Mlsd),
            recursive: false,
        };
        let error = client.walk(None, options).collect().await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Unsupported);
    }
    let script = Script::logged_in()
        .then(sends("LIST -a", listing))
        .serve_rest();
    let (_peer, client, log) = client_of(script).await;
    let options = ListOptions {
        command: Some(ListCommand::List),
        recursive: false,
    };
    assert_eq!(paths(client.walk(None, options)).await, ["f"]);
    assert!(!log.sent().iter().any(|line| line.starts_with("MLSD")));
}

/// Item 35: one folder's failure is told, and the walk goes on; hostile names and loops get nowhere.
#[tokio::test]
async fn a_walk_goes_on_after_a_folder_that_cannot_be_listed() {
    let script = Script::logged_in()
        .then(sends("MLSD /top", "type=dir; locked\r\ntype=dir; open\r\ntype=OS.unix=slink:/; link\r\ntype=file; ../evil\r\nnonsense\r\n"))
        .expect("MLSD /top/locked")
        .say("550 permission denied")
        .then(sends("MLSD /top/open", "type=file; f\r\n"))
        .serve_rest();
    let (_peer, client, log) = client_of(script).await;
    let mut walk = client.walk(Some(&path("/top")), RECURSIVE);
    let (mut entries, mut misnamed, mut unparsed, mut failed) = (Vec::new(), 0, 0, 0);
    loop {
        match walk.next().await {
            Ok(None) => break,
            Ok(Some(Found::Entry(path, _))) => entries.push(path.to_string()),
            Ok(Some(Found::Misnamed(folder, _))) => {
                assert_eq!(folder, path("/top"));
                misnamed += 1;
            }
            Ok(Some(Found::Unparsed(_, line))) => {
                assert_eq!(line, b"nonsense");
                unparsed += 1;
            }
            Err(error) => {
                assert_eq!(*error.kind(), ErrorKind::Refused, "{error}");
                failed += 1;
            }
        }
    }
    assert_eq!(
        entries,
        ["/top/locked", "/top/open", "/top/link", "/top/open/f"],
        "{}",
        log.all()
    );
    assert_eq!((misnamed, unparsed, failed), (1, 1, 1));
    let script = Script::logged_in().repeat(1000, sends("MLSD*", "type=dir; again\r\n"));
    let (peer, client, _) = client_of(script).await;
    let error = client.walk(None, RECURSIVE).collect().await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Protocol, "{error}");
    drop((client, peer));
}

/// Item 54: parsers of one's own see lines first, or those that nobody knows.
#[tokio::test]
async fn parsers_of_ones_own_come_first_or_last() {
    // A name in hexadecimal digits, and nothing else.
    let hex = |line: &[u8], _: jiff::Timestamp| {
        let digits = std::str::from_utf8(line).ok()?.strip_prefix("hex ")?;
        let byte = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
        let name: Option<Vec<u8>> = (0..digits.len()).step_by(2).map(byte).collect();
        Some(Line::Entry(Entry::new(name?, Kind::File)))
    };
    // What every dialect understands, too.
    let greedy =
        |line: &[u8], _: jiff::Timestamp| Some(Line::Entry(Entry::new(line.to_vec(), Kind::Other)));
    let listing = "drwxr-xr-x 1 a b 5 Jan  1  2020 .\r\n-rw-r--r-- 1 a b 5 Jan  1  2020 known\r\nhex 666f6f\r\nhex zz\r\n";
    for (parsers, names, unknown) in [
        (ListParsers::new(), vec!["known"], 2),
        (ListParsers::new().last(hex), vec!["known", "foo"], 1),
        (ListParsers::new().first(hex), vec!["known", "foo"], 1),
        (
            ListParsers::new().first(hex).last(greedy),
            vec!["known", "foo", "hex zz"],
            0,
        ),
        (
            ListParsers::new().first(greedy),
            listing.lines().collect::<Vec<_>>(),
            0,
        ),
    ] {
        let script = Script::logged_in().answering(&[("MLSD*", "500 no")]);
        let peer = support::Peer::serve(script.then(sends("LIST -a", listing)).serve_rest()).await;
        let mut config = engine_tests::scripted::config(&peer);
        config.list_parsers = parsers;
        let (client, _) = connect(config).await.unwrap();
        let (entries, unparsed) = client.list(None).await.unwrap().collect().await.unwrap();
        let found: Vec<_> = entries
            .iter()
            .map(|e| String::from_utf8_lossy(&e.name))
            .collect();
        assert_eq!(found, names);
        assert_eq!(unparsed.len(), unknown, "{unparsed:?}");
    }
}

/// Items 36 and 37.
#[tokio::test]
async fn what_is_there_and_what_it_is() {
    for (with_mlst, tls) in [(true, Tls::Explicit), (false, Tls::Off)] {
        let server = OwnServer::start(Store::Disk, tls).await;
        server.put("/dir/f", b"12345").await;
        let (client, _) = connect(server.config()).await.unwrap();
        let (file, dir, none) = (path("/dir/f"), path("/dir"), path("/dir/none"));
        if with_mlst {
            let entry = client.stat(&file).await.unwrap();
            assert_eq!(
                (entry.kind, entry.size, &*entry.name),
                (Kind::File, Some(5), &b"f"[..])
            );
            let age =
                jiff::Timestamp::now().as_second() - entry.modified.unwrap().timestamp.as_second();
            assert!((-10..10).contains(&age), "{age} s");
        }
        assert!(client.exists(&file).await.unwrap() && client.exists(&dir).await.unwrap());
        assert!(!client.exists(&none).await.unwrap());
        assert!(client.is_file(&file).await.unwrap() && !client.is_file(&dir).await.unwrap());
        assert!(client.is_dir(&dir).await.unwrap() && !client.is_dir(&file).await.unwrap());
        assert!(!client.is_file(&none).await.unwrap() && !client.is_dir(&none).await.unwrap());
        assert!(client.is_dir(&RemotePath::root()).await.unwrap());
        assert!(client.exists(&RemotePath::root()).await.unwrap());
        let error = client.stat(&none).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::NotFound);
        assert_eq!(error.received().unwrap().value(), 550);
        assert_eq!(error.expected(), ftp_client::Masks::from("2xx"));
    }
}

/// Item 36: without MLST, refused or not there at all, the parent's listing tells.
#[tokio::test]
async fn stat_without_mlst_looks_into_the_listing() {
    let listing = "type=file;size=5; f\r\ntype=dir; d\r\n";
    for (name, kind) in [("f", Some(Kind::File)), ("d", Some(Kind::Dir)), ("g", None)] {
        for (feat, refused) in [("MLST type*;", "500 what?"), ("MLST type*;", "502 no")] {
            let feat = format!("211-Features:\r\n {feat}\r\n211 End");
            let script = Script::logged_in()
                .answering(&[("FEAT", &feat), ("MLST *", refused)])
                .then(sends("MLSD /in", listing))
                .serve_rest();
            let (_peer, client, _) = client_of(script).await;
            let found = client.stat(&path(&format!("/in/{name}"))).await;
            match kind {
                Some(kind) => assert_eq!(found.unwrap().kind, kind),
                None => {
                    let error = found.unwrap_err();
                    assert_eq!(error.received().unwrap().value(), 550);
                    assert_eq!(*error.kind(), ErrorKind::NotFound);
                }
            }
        }
    }
}

/// Item 38.
#[tokio::test]
async fn every_stream_begins_where_it_is_told() {
    for store in [Store::Memory, Store::Disk] {
        let server = OwnServer::start(store, Tls::Off).await;
        let (client, _) = connect(server.config()).await.unwrap();
        for (offset, rest) in [(0, &b"foobar"[..]), (3, b"bar"), (6, b"")] {
            server.put("/f", b"foobar").await;
            assert_eq!(get(&client, "f", offset).await.unwrap(), rest);
            let whole = get(&client, "f", 0).await.unwrap();
            assert_eq!(whole, b"foobar", "an offset counts once");
        }
        // Past the end there is nothing to be had, and it says so; aioftp's server gave an empty file.
        let error = get(&client, "f", 10).await.unwrap_err();
        assert_eq!(error.received().unwrap().value(), 554);
        for (offset, wanted) in [(0, &b"xy"[..]), (3, b"fooxyr"), (6, b"foobarxy")] {
            server.put("/f", b"foobar").await;
            let mut upload = client.stor(&path("f"), offset).await.unwrap();
            upload.write_all(b"xy").await.unwrap();
            upload.finish().await.unwrap();
            assert_eq!(server.read("/f").await, wanted, "{offset}");
        }
        server.put("/f", b"foobar").await;
        let mut upload = client.appe(&path("f")).await.unwrap();
        upload.write_all(b"xy").await.unwrap();
        upload.finish().await.unwrap();
        assert_eq!(server.read("/f").await, b"foobarxy");
    }
}

fn tree(root: &Path) -> BTreeSet<(String, Option<Vec<u8>>)> {
    fn into(folder: &Path, below: &str, found: &mut BTreeSet<(String, Option<Vec<u8>>)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{below}{}", entry.file_name().to_str().unwrap());
            if entry.file_type().unwrap().is_dir() {
                into(&entry.path(), &format!("{name}/"), found);
                found.insert((name, None));
            } else {
                found.insert((name, Some(fs::read(entry.path()).unwrap())));
            }
        }
    }
    let mut found = BTreeSet::new();
    into(root, "", &mut found);
    found
}

fn sample(root: &Path) {
    fs::create_dir_all(root.join("sub/deep")).unwrap();
    fs::create_dir(root.join("empty")).unwrap();
    fs::write(root.join("f"), b"content").unwrap();
    fs::write(root.join("sub/g h"), pattern(100_000)).unwrap();
    fs::write(root.join("sub/deep/nothing"), b"").unwrap();
}

/// Items 45 and 46, to every kind of destination: the reference system put a folder for `a/b` elsewhere.
#[tokio::test]
async fn trees_go_up_and_come_down_where_they_belong() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("foo");
    sample(&source);
    for (destination, write_into, lands) in [
        ("", false, "/foo"),
        ("a", false, "/a/foo"),
        ("a/b", false, "/a/b/foo"),
        ("/a/b/c", false, "/a/b/c/foo"),
        ("", true, "/"),
        ("a", true, "/a"),
        ("a/b", true, "/a/b"),
    ] {
        for block_size in [None, Some(1000)] {
            let server = OwnServer::start(Store::Disk, Tls::Explicit).await;
            let (client, log) = connect(server.config()).await.unwrap();
            let options = TreeOptions {
                write_into,
                block_size,
                ..TreeOptions::default()
            };
            let moved = client.upload(&source, &path(destination), &options).await;
            let moved = moved.unwrap_or_else(|e| panic!("{destination}: {e}\n{}", log.all()));
            assert_eq!(
                (moved.files, moved.folders, moved.bytes),
                (3, 4, 100_007),
                "{destination}"
            );
            assert_eq!(options.progress.bytes(), 100_007);
            let there = server.root().join(&lands[1..]);
            assert_eq!(tree(&there), tree(&source), "{destination} {write_into}");
            // Once more, over what is there.
            client
                .upload(&source, &path(destination), &options)
                .await
                .unwrap();
            // And down again.
            let back = dir.path().join("back");
            let from = path(lands);
            for (write_into, here) in [(false, back.join("foo")), (true, back.clone())] {
                if lands == "/" && !write_into {
                    continue;
                }
                let options = TreeOptions {
                    write_into,
                    block_size,
                    ..TreeOptions::default()
                };
                let name = from
                    .file_name()
                    .map(|name| String::from_utf8_lossy(name).into_owned());
                let here = match name {
                    Some(name) if !write_into => back.join(name),
                    _ => here,
                };
                for _ in 0..2 {
                    let moved = client.download(&from, &back, &options).await.unwrap();
                    assert_eq!((moved.files, moved.folders, moved.bytes), (3, 4, 100_007));
                    assert_eq!(tree(&here), tree(&source), "{destination} {write_into}");
                }
                fs::remove_dir_all(&back).unwrap();
            }
        }
    }
}

/// Items 45 and 46, one file.
#[tokio::test]
async fn files_go_up_and_come_down_under_their_own_name_or_another() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("foo");
    fs::write(&source, b"content").unwrap();
    let (server, client) = own().await;
    for (destination, write_into, lands) in [
        ("", false, "/foo"),
        ("a/b", false, "/a/b/foo"),
        ("bar", true, "/bar"),
        ("c/d/bar", true, "/c/d/bar"),
    ] {
        let options = TreeOptions {
            write_into,
            ..TreeOptions::default()
        };
        let moved = client
            .upload(&source, &path(destination), &options)
            .await
            .unwrap();
        assert_eq!((moved.files, moved.folders, moved.bytes), (1, 0, 7));
        assert_eq!(server.read(lands).await, b"content");
        let back = dir.path().join("x/y");
        client
            .download(&path(lands), &back, &options)
            .await
            .unwrap();
        let here = match write_into {
            true => back.clone(),
            false => back.join("foo"),
        };
        assert_eq!(fs::read(here).unwrap(), b"content");
        fs::remove_dir_all(dir.path().join("x")).unwrap();
    }
    let options = TreeOptions::default();
    let error = client
        .upload(&dir.path().join("none"), &path(""), &options)
        .await
        .unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Local);
    let error = client
        .download(&path("none"), dir.path(), &options)
        .await
        .unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::NotFound);
    assert!(!dir.path().join("none").exists());
}

/// Item 46: types other than file and folder are left out, and no server writes where it wasn't asked to.
#[tokio::test]
async fn a_hostile_tree_writes_nowhere_else() {
    for (evil, kind) in [
        ("../evil", "file"),
        ("/etc/evil", "file"),
        ("..", "file"),
        ("a\\..\\evil", "file"),
        ("../evil", "dir"),
    ] {
        let script = Script::logged_in()
            .answering(&[("MLST *", "250-here\r\n type=dir; /d\r\n250 end")])
            .then(sends(
                "MLSD /d",
                format!("type={kind}; {evil}\r\ntype=file; good\r\n"),
            ))
            .serve_rest();
        let (_peer, client, log) = client_of(script).await;
        let dir = tempfile::tempdir().unwrap();
        let here = dir.path().join("here");
        let error = client
            .download(&path("/d"), &here, &TreeOptions::write_into())
            .await;
        // `..` is the folder above, as every listing has it; the file after it isn't to be had here.
        assert!(error.is_err(), "{evil}\n{}", log.all());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "{evil}");
    }
    let script = Script::logged_in()
        .answering(&[("MLST *", "250-here\r\n type=dir; /d\r\n250 end")])
        .then(sends("MLSD /d", "type=OS.unix=slink:/etc; link\r\ntype=OS.unix=chr-1/3; null\r\ntype=file;size=1; f\r\n"))
        .then(sends("RETR /d/f", "1"))
        .serve_rest();
    let (_peer, client, _) = client_of(script).await;
    let dir = tempfile::tempdir().unwrap();
    let moved = client
        .download(&path("/d"), dir.path(), &TreeOptions::write_into())
        .await
        .unwrap();
    assert_eq!(moved.files, 1);
    assert_eq!(moved.skipped, ["/d/link", "/d/null"]);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

/// The same with servers that others have written.
#[tokio::test]
async fn trees_and_walks_on_real_servers() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("foo");
    sample(&source);
    for (server, tls) in each_server(|options| options) {
        let (client, log) = connect(config_for(&server, tls)).await.unwrap();
        let round = async {
            client
                .upload(&source, &path("x/y"), &TreeOptions::default())
                .await?;
            let (entries, _) = client.walk(Some(&path("x")), RECURSIVE).collect().await?;
            assert_eq!(entries.len(), 8, "{entries:?}\n{}", log.all());
            let back = dir.path().join("back");
            client
                .download(&path("x/y/foo"), &back, &TreeOptions::write_into())
                .await?;
            assert_eq!(tree(&back), tree(&source));
            fs::remove_dir_all(&back).unwrap();
            assert!(client.is_file(&path("x/y/foo/f")).await?);
            assert!(client.exists(&path("x/y/foo/sub")).await?);
            assert!(!client.exists(&path("x/none")).await?);
            assert!(
                client
                    .walk(Some(&path("x/y/foo/f")), RECURSIVE)
                    .collect()
                    .await?
                    .0
                    .is_empty()
            );
            assert!(client.remove(&path("x")).await?);
            assert!(!client.remove(&path("x")).await?);
            Ok::<_, Error>(())
        };
        round
            .await
            .unwrap_or_else(|e| panic!("{server:?} {tls:?}: {e}\n{}", log.all()));
    }
}
