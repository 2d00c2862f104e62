//! Verbs beyond RFC 959: hashes, times and facts, room, languages.

use std::sync::Arc;

use ftp_server::vfs::{MemoryTree, Vfs};

use crate::client::{Client, builder, p, plain, start};
use crate::files::both;

const SHA256: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

#[tokio::test]
async fn hashes() {
    both(async |mut c, _| {
        c.store("STOR a b", b"abc").await;
        assert_eq!(
            c.command("HASH a b", 213).await,
            format!("213 SHA-256 0-2 {SHA256} a b")
        );
        assert_eq!(c.command("OPTS HASH", 200).await, "200 SHA-256");
        assert_eq!(c.command("OPTS HASH crc32", 200).await, "200 CRC32");
        assert_eq!(
            c.command("HASH a b", 213).await,
            "213 CRC32 0-2 352441c2 a b"
        );
        let feat = c.command("FEAT", 211).await;
        assert!(
            feat.contains("\n HASH SHA-256;SHA-512;SHA-1;MD5;CRC32*\n"),
            "{feat}"
        );
        c.command("OPTS HASH whirlpool", 504).await;
        c.command("HASH", 501).await;
        c.command("HASH none", 550).await;
        c.command("MKD d", 257).await;
        c.command("HASH d", 550).await;
        c.store("STOR empty", b"").await;
        assert_eq!(
            c.command("HASH empty", 213).await,
            "213 CRC32 0-0 00000000 empty"
        );
    })
    .await;
}

#[tokio::test]
async fn parts_of_files() {
    both(async |mut c, _| {
        c.store("STOR f", b"xxabcyy").await;
        c.command("RANG 2 4", 350).await;
        assert!(
            c.command("HASH f", 213)
                .await
                .contains(&format!(" 2-4 {SHA256} "))
        );
        assert!(
            !c.command("HASH f", 213).await.contains(SHA256),
            "it counts once"
        );
        c.command("RANG 2 4", 350).await;
        assert_eq!(c.fetch("RETR f").await, b"abc");
        assert_eq!(c.fetch("RETR f").await, b"xxabcyy");
        c.command("RANG 2 4", 350).await;
        c.command("RANG 1 0", 350).await;
        assert_eq!(c.fetch("RETR f").await, b"xxabcyy");
        c.command("RANG 5 100", 350).await;
        assert_eq!(c.fetch("RETR f").await, b"yy", "what there is of it");
        c.command("RANG 9 10", 350).await;
        c.command("HASH f", 501).await;
        c.command("RANG 2 4", 350).await;
        c.command("PWD", 257).await;
        assert_eq!(c.fetch("RETR f").await, b"xxabcyy");
        for wrong in [
            "RANG",
            "RANG 1",
            "RANG 4 2",
            "RANG a b",
            "RANG 1 2 3",
            "RANG 0 18446744073709551615",
        ] {
            c.command(wrong, 501).await;
        }
        c.command("TYPE A", 200).await;
        c.command("RANG 2 4", 504).await;
    })
    .await;
}

#[tokio::test]
async fn the_hash_verbs_of_other_servers() {
    both(async |mut c, _| {
        let upper = SHA256.to_ascii_uppercase();
        c.store("STOR a b 3", b"xxabcyy").await;
        for (form, hash) in [
            ("XSHA256 \"a b 3\" 2 5", upper.as_str()),
            ("XSHA256 a b 3 2 5", upper.as_str()),
            ("XCRC \"a b 3\" 2 5", "352441C2"),
            ("XMD5 \"a b 3\" 2 5", "900150983CD24FB0D6963F7D28E17F72"),
            (
                "XSHA1 \"a b 3\" 2 5",
                "A9993E364706816ABA3E25717850C26C9CD0D89D",
            ),
        ] {
            assert_eq!(c.command(form, 250).await, format!("250 {hash}"), "{form}");
        }
        c.store("STOR a", b"abc").await;
        assert_eq!(c.command("XSHA256 a", 250).await, format!("250 {upper}"));
        assert_eq!(
            c.command("MD5 a", 251).await,
            "251 a 900150983CD24FB0D6963F7D28E17F72"
        );
        c.command("XSHA512 a b 3", 250).await;
        c.command("XCRC \"a b 3", 501).await;
        c.command("XCRC \"a b 3\" 5 2", 501).await;
        c.command("XCRC \"a b 3\" 100", 501).await;
        c.command("XCRC none", 550).await;
        c.command("XCRC none 1 2", 550).await;
        c.command("XCRC", 501).await;
    })
    .await;
}

#[tokio::test]
async fn a_hash_is_given_up_when_the_client_wants_it() {
    let tree = MemoryTree::new(256 << 20);
    tree.write_file(&p("/big"), &vec![7; 128 << 20])
        .await
        .unwrap();
    let server = start(builder(Arc::new(tree))).await;
    let mut c = Client::login(server.local_addr()).await;
    c.send("OPTS HASH MD5\r\nHASH big\r\nNOOP\r\nABOR\r\nPWD\r\n")
        .await;
    for code in [200, 451, 200, 226, 257] {
        c.expect(code).await;
    }
    c.send("HASH big\r\nNOOP\r\nQUIT\r\nPWD\r\n").await;
    for code in [213, 200, 221] {
        c.expect(code).await;
    }
    c.closed().await;
}

#[tokio::test]
async fn facts_and_times_are_set_in_every_way() {
    both(async |mut c, tree| {
        c.store("STOR a b", b"x").await;
        c.store("STOR 20200102030405 x", b"x").await;
        assert_eq!(
            c.command("MFF Modify=20200102030405;unix.MODE=640; a b", 213)
                .await,
            "213 Modify=20200102030405;UNIX.mode=0640; a b"
        );
        assert_eq!(c.command("MDTM a b", 213).await, "213 20200102030405");
        assert_eq!(tree.metadata(&p("/a b")).await.unwrap().mode, 0o640);
        for (wrong, code) in [
            ("MFF a", 501),
            ("MFF Modify=20200102030405; ", 501),
            ("MFF Modify=20200102030405 a b", 501),
            ("MFF ; a b", 501),
            ("MFF Modify=2020; a b", 501),
            ("MFF UNIX.mode=4755; a b", 501),
            ("MFF Modify=20210102030405;Create=20210102030405; a b", 504),
            ("MFF Modify=20210102030405; none", 550),
            ("MFCT 20210102030405 a b", 504),
            ("MFCT 20210102030405 none", 550),
            ("MFCT a b", 501),
        ] {
            c.command(wrong, code).await;
        }
        assert_eq!(
            c.command("MDTM a b", 213).await,
            "213 20200102030405",
            "nothing was half done"
        );
        c.command("MDTM 20210102030405 a b", 213).await;
        assert_eq!(c.command("MDTM a b", 213).await, "213 20210102030405");
        c.command("MFMT 20190102030405 20200102030405 x", 213).await;
        assert_eq!(
            c.command("MDTM 20200102030405 x", 213).await,
            "213 20190102030405",
            "a name that begins like a time"
        );
        c.command("MDTM 20200102030405 none", 550).await;
        c.command("MDTM 20209902030405 a b", 550).await;
        c.command("SITE UTIME 20220102030405 a b", 200).await;
        assert_eq!(c.command("MDTM a b", 213).await, "213 20220102030405");
        c.command("SITE UTIME 202301020304 a b", 200).await;
        assert_eq!(c.command("MDTM a b", 213).await, "213 20230102030400");
        c.command(
            "SITE UTIME a b 20240102030405 20240102030406 20240102030407 UTC",
            200,
        )
        .await;
        assert_eq!(c.command("MDTM a b", 213).await, "213 20240102030406");
        c.command(
            "SITE UTIME none 20240102030405 20240102030406 20240102030407 UTC",
            550,
        )
        .await;
        c.command("SITE UTIME a b", 501).await;
        c.command("SITE UTIME", 501).await;
        assert!(c.command("SITE HELP", 214).await.contains("UTIME"));
    })
    .await;
}

#[tokio::test]
async fn room_names_and_languages() {
    both(async |mut c, _| {
        let room = c.command("AVBL", 213).await;
        assert!(room[4..].parse::<u64>().unwrap() > 0, "{room}");
        c.command("MKD d", 257).await;
        c.command("AVBL d", 213).await;
        c.command("AVBL none", 550).await;
        c.store("STOR f", b"").await;
        c.command("AVBL f", 550).await;
        assert!(
            c.command("CSID Name=x; Version=1;", 200)
                .await
                .contains("Name=Slipway;")
        );
        c.command("CLNT x", 200).await;
        c.command("LANG", 200).await;
        c.command("LANG en-GB", 200).await;
        c.command("LANG fr", 504).await;
        c.command("HOST x", 502).await;
        c.command("ACCT x", 202).await;
        c.command("ALLO 100", 202).await;
        for old in ["XCUP", "XPWD", "XMKD x", "XCWD x", "XCUP", "XRMD x"] {
            let reply = c.reply_to(old).await;
            assert!(reply.starts_with("25"), "{old}: {reply}");
        }
        assert!(c.command("HELP", 214).await.contains(" HASH"));
        c.command("HELP stou", 214).await;
    })
    .await;
}

#[tokio::test]
async fn a_verb_that_needs_a_login_says_so_first() {
    let (server, _) = plain().await;
    let mut c = Client::connect(server.local_addr()).await;
    for verb in [
        "HASH hello",
        "HASH",
        "XCRC hello",
        "MFF",
        "MFCT",
        "AVBL",
        "RANG 1 2",
        "STOU",
        "MD5 hello",
    ] {
        c.command(verb, 530).await;
    }
    c.command("CSID", 200).await;
    c.command("LANG en", 200).await;
}

#[tokio::test]
async fn unique_names() {
    both(async |mut c, tree| {
        c.command("MKD d", 257).await;
        c.command("CWD d", 250).await;
        let mut names = Vec::new();
        for content in [&b"one"[..], b"two"] {
            let reply = c.store_reply("STOU", content).await;
            let name = reply.strip_prefix("150 FILE: ").unwrap().to_owned();
            assert_eq!(c.fetch(&format!("RETR {name}")).await, content);
            names.push(name);
        }
        assert_ne!(names[0], names[1]);
        tree.metadata(&p(&format!("/d/{}", names[0])))
            .await
            .unwrap();
        c.command("STOU", 425).await;
    })
    .await;
}
