//! TYPE A and MODE Z.

use std::sync::Arc;

use ftp_net::tls::{ServerTls, Versions};
use ftp_server::vfs::{LocalDisk, MemoryTree, Vfs};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::client::{Client, builder, p, start};
use crate::files::both;

#[tokio::test]
async fn text_has_its_line_ends_on_either_side() {
    both(async |mut c, tree| {
        c.store("STOR f", b"a\nb\r\nc\rd\n").await;
        c.command("TYPE A", 200).await;
        assert_eq!(c.fetch("RETR f").await, b"a\r\nb\r\nc\rd\r\n");
        c.store("STOR g", b"a\r\nb\nc\rd\r\n\r").await;
        c.store("APPE g", b"\r\ne\r\n").await;
        c.command("SIZE g", 550).await;
        c.command("REST 4", 350).await;
        assert_eq!(
            c.fetch("RETR f").await,
            b"\r\nc\rd\r\n",
            "bytes of the wire"
        );
        // RFC 3659 section 5.3: it is the transfer that is refused.
        c.command("REST 99", 350).await;
        let _data = c.data().await;
        c.command("RETR f", 150).await;
        c.expect(554).await;
        c.command("REST 4", 350).await;
        c.data().await;
        c.command("STOR f", 554).await;
        c.command("TYPE L 8", 200).await;
        assert_eq!(c.fetch("RETR g").await, b"a\nb\nc\rd\n\r\ne\n");
        assert_eq!(c.command("SIZE g", 213).await, "213 12");
        // Many pieces, cut anywhere.
        let lines = "line\n".repeat(300_000);
        c.store("STOR long", lines.as_bytes()).await;
        c.command("TYPE A N", 200).await;
        let wire = c.fetch("RETR long").await;
        assert!(wire == lines.replace('\n', "\r\n").as_bytes());
        c.store("STOR long", &wire).await;
        assert_eq!(
            tree.metadata(&p("/long")).await.unwrap().len,
            lines.len() as u64
        );
        let listing = c.fetch("NLST").await;
        assert!(!listing.windows(3).any(|w| w == b"\r\r\n"));
    })
    .await;
}

#[tokio::test]
async fn a_session_begins_with_text() {
    let (server, tree) = crate::client::plain().await;
    tree.write_file(&p("/t"), b"a\nb").await.unwrap();
    let mut c = Client::connect(server.local_addr()).await;
    c.command("USER ann", 331).await;
    c.command("PASS secret", 230).await;
    assert_eq!(c.fetch("RETR t").await, b"a\r\nb");
    assert!(
        c.command("STAT", 211)
            .await
            .contains("TYPE: A; STRU: F; MODE: S")
    );
}

#[tokio::test]
async fn types_modes_and_structures_there_are() {
    both(async |mut c, _| {
        for (line, code) in [
            ("TYPE I", 200),
            ("type a n", 200),
            ("TYPE L 8", 200),
            ("TYPE E", 504),
            ("TYPE L 36", 504),
            ("TYPE FOO", 501),
            ("TYPE", 501),
            ("MODE S", 200),
            ("MODE Z", 200),
            ("MODE B", 504),
            ("MODE C", 504),
            ("MODE X", 501),
            ("STRU F", 200),
            ("STRU R", 504),
            ("STRU P", 504),
            ("STRU X", 501),
            ("OPTS MODE Z LEVEL 9", 200),
            ("OPTS MODE Z LEVEL 10", 501),
            ("OPTS MODE Z LEVEL", 501),
            ("OPTS MODE Z ENGINE ZLIB METHOD 8", 200),
            ("OPTS MODE Z METHOD 7", 504),
            ("OPTS MODE B", 501),
            ("OPTS NOTHING", 501),
        ] {
            c.command(line, code).await;
        }
    })
    .await;
}

fn sample(size: usize) -> Vec<u8> {
    (0..size).map(|i| (i * i / 77 % 251) as u8).collect()
}

#[tokio::test]
async fn compressed_both_ways() {
    both(async |mut c, tree| {
        c.command("MODE Z", 200).await;
        c.packed = true;
        for size in [0, 1, 100_000, 3 << 20] {
            let content = sample(size);
            c.store("STOR f", &content).await;
            assert_eq!(tree.metadata(&p("/f")).await.unwrap().len, size as u64);
            assert!(c.fetch("RETR f").await == content, "{size} bytes");
        }
        c.command("REST 1000000", 350).await;
        assert!(c.fetch("RETR f").await == sample(3 << 20)[1_000_000..]);
        assert!(c.fetch_text("MLSD").await.contains("; f\r\n"));
        assert_eq!(c.fetch_text("NLST").await, "f\r\n");
        c.command("OPTS MODE Z LEVEL 0", 200).await;
        assert!(c.fetch("RETR f").await == sample(3 << 20));
        c.command("TYPE A", 200).await;
        c.store("STOR t", b"a\r\nb\r\n").await;
        assert_eq!(c.fetch("RETR t").await, b"a\r\nb\r\n");
        assert_eq!(tree.metadata(&p("/t")).await.unwrap().len, 4);
        c.command("MODE S", 200).await;
        c.packed = false;
        assert_eq!(c.fetch("RETR t").await, b"a\r\nb\r\n");
    })
    .await;
}

/// A stream of its own, so that what is wrong with it can be chosen.
async fn send_packed(c: &mut Client, bytes: &[u8]) {
    let mut data = c.data().await;
    c.command("STOR f", 150).await;
    let _ = data.write_all(bytes).await;
    let _ = data.shutdown().await;
}

#[tokio::test]
async fn damaged_and_exploding_uploads_are_refused() {
    both(async |mut c, tree| {
        c.command("MODE Z", 200).await;
        send_packed(&mut c, b"this is no zlib stream").await;
        c.expect(426).await;
        // A gigabyte of nothing, in a megabyte; the disk gets what is beyond suspicion, and no more.
        let mut bomb = flate2::Compress::new(flate2::Compression::best(), true);
        let mut packed = Vec::with_capacity(2 << 20);
        let zeros = vec![0; 1 << 20];
        for _ in 0..1024 {
            bomb.compress_vec(&zeros, &mut packed, flate2::FlushCompress::None)
                .unwrap();
        }
        bomb.compress_vec(&[], &mut packed, flate2::FlushCompress::Finish)
            .unwrap();
        send_packed(&mut c, &packed[..packed.len() / 2]).await;
        let reply = c.expect(552).await;
        assert!(reply.contains("attack"), "{reply}");
        let left = tree.metadata(&p("/f")).await.unwrap().len;
        assert!(left < 256 << 20, "{left}");
        // Cut off in the middle.
        let mut whole = flate2::Compress::new(flate2::Compression::fast(), true);
        let mut packed = Vec::with_capacity(1 << 20);
        whole
            .compress_vec(&sample(100_000), &mut packed, flate2::FlushCompress::Finish)
            .unwrap();
        send_packed(&mut c, &packed[..packed.len() / 2]).await;
        c.expect(426).await;
        c.command("NOOP", 200).await;
    })
    .await;
}

/// The loops that have a thread of their own.
#[tokio::test]
async fn large_files_of_a_disk() {
    let dir = tempfile::tempdir().unwrap();
    let tree = LocalDisk::new(dir.path()).unwrap();
    let tls = ServerTls::self_signed(&["localhost"]).unwrap();
    let server = start(builder(Arc::new(tree)).tls(tls.clone())).await;
    let content = sample(5 << 20);
    for secure in [None, Some(Versions::Any), Some(Versions::Tls12)] {
        let mut c = match secure {
            None => Client::login(server.local_addr()).await,
            Some(versions) => Client::login_tls(server.local_addr(), &tls, versions).await,
        };
        for packed in [false, true] {
            c.command(if packed { "MODE Z" } else { "MODE S" }, 200)
                .await;
            c.packed = packed;
            c.store("STOR f", &content).await;
            assert!(std::fs::read(dir.path().join("f")).unwrap() == content);
            assert!(c.fetch("RETR f").await == content);
            c.store("APPE f", &content[..1 << 20]).await;
            c.command("REST 5242880", 350).await;
            assert!(c.fetch("RETR f").await == content[..1 << 20]);
            c.command("REST 4194304", 350).await;
            c.store("STOR f", &content[..1 << 20]).await;
            let both = std::fs::read(dir.path().join("f")).unwrap();
            assert!(both[4 << 20..5 << 20] == content[..1 << 20] && both.len() == 6 << 20);
            c.command("RANG 1000000 3000000", 350).await;
            assert!(c.fetch("RETR f").await == content[1_000_000..=3_000_000]);
        }
    }
}

#[tokio::test]
async fn large_files_of_a_disk_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let tree = LocalDisk::new(dir.path()).unwrap();
    let server = start(builder(Arc::new(tree))).await;
    let content = sample(32 << 20);
    std::fs::write(dir.path().join("big"), &content).unwrap();
    let mut c = Client::login(server.local_addr()).await;
    let mut data = c.data().await;
    c.command("RETR big", 150).await;
    data.read_exact(&mut vec![0; 1 << 20]).await.unwrap();
    c.send("ABOR\r\n").await;
    c.expect(426).await;
    c.expect(226).await;
    assert!(
        data.read_to_end(&mut Vec::new()).await.is_err(),
        "a reset is no end of a file"
    );
    let mut data = c.data().await;
    c.command("STOR up", 150).await;
    data.write_all(&content[..8 << 20]).await.unwrap();
    while !c.command("STAT", 211).await.contains(" 8388608 bytes") {}
    c.send("ABOR\r\n").await;
    c.expect(426).await;
    c.expect(226).await;
    assert!(std::fs::read(dir.path().join("up")).unwrap() == content[..8 << 20]);
    assert_eq!(c.fetch("RETR up").await.len(), 8 << 20);
}

#[tokio::test]
async fn a_copy_that_stalls_ends() {
    let dir = tempfile::tempdir().unwrap();
    let mut short = crate::client::limits();
    short.data_idle = std::time::Duration::from_millis(100);
    let server = start(builder(Arc::new(LocalDisk::new(dir.path()).unwrap())).limits(short)).await;
    std::fs::write(dir.path().join("big"), vec![1; 64 << 20]).unwrap();
    let mut c = Client::login(server.local_addr()).await;
    let _stuck = c.data().await;
    c.command("RETR big", 150).await;
    c.expect(426).await;
    let mut stuck = c.data().await;
    c.command("STOR up", 150).await;
    stuck.write_all(&vec![1; 1 << 20]).await.unwrap();
    c.expect(426).await;
    assert_eq!(
        std::fs::metadata(dir.path().join("up")).unwrap().len(),
        1 << 20
    );
}

#[tokio::test]
async fn a_hundred_compressed_listings_of_memory() {
    let tree = MemoryTree::new(1 << 20);
    tree.write_file(&p("/f"), b"x").await.unwrap();
    let server = start(builder(Arc::new(tree))).await;
    let mut c = Client::login(server.local_addr()).await;
    c.command("MODE Z", 200).await;
    c.packed = true;
    for _ in 0..100 {
        assert_eq!(c.fetch("NLST").await, b"f\r\n");
    }
}
