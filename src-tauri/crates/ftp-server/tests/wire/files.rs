//! Files and directories, over the memory tree and the disk.

use std::sync::Arc;

use ftp_server::vfs::{LocalDisk, MemoryTree, Vfs};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::client::{Client, builder, p, plain, start};

pub(crate) async fn both(test: impl AsyncFn(Client, Arc<dyn Vfs>)) {
    let dir = tempfile::tempdir().unwrap();
    let trees: [Arc<dyn Vfs>; 2] = [
        Arc::new(MemoryTree::new(64 << 20)),
        Arc::new(LocalDisk::new(dir.path()).unwrap()),
    ];
    for tree in trees {
        let server = start(builder(Arc::clone(&tree))).await;
        test(Client::login(server.local_addr()).await, tree).await;
        server.stop().await;
    }
}

#[tokio::test]
async fn up_and_down_byte_for_byte() {
    both(async |mut c, _| {
        for size in [0, 1, 32_725, 32_746, 262_143, 262_144, 262_145, 3 << 20] {
            let content: Vec<u8> = (0..size).map(|i: usize| (i * 7 + i / 251) as u8).collect();
            c.store("STOR f", &content).await;
            assert_eq!(c.command("SIZE f", 213).await, format!("213 {size}"));
            assert!(c.fetch("RETR f").await == content, "{size} bytes");
        }
    })
    .await;
}

#[tokio::test]
async fn restart_and_append() {
    both(async |mut c, _| {
        c.store("STOR f", b"0123456789").await;
        c.command("REST 4", 350).await;
        assert_eq!(c.fetch("RETR f").await, b"456789", "EPSV may stand between");
        assert_eq!(c.fetch("RETR f").await, b"0123456789", "it counts once");
        c.command("REST 3", 350).await;
        c.store("STOR f", b"xy").await;
        assert_eq!(c.fetch("RETR f").await, b"012xy56789");
        c.store("APPE f", b"!").await;
        assert_eq!(c.fetch("RETR f").await, b"012xy56789!");
        c.command("REST 3", 350).await;
        c.command("PWD", 257).await;
        assert_eq!(
            c.fetch("RETR f").await,
            b"012xy56789!",
            "another command forgets it"
        );
        c.command("REST 12", 350).await;
        c.data().await;
        c.command("RETR f", 554).await;
        c.command("REST 11", 350).await;
        assert_eq!(c.fetch("RETR f").await, b"");
        c.command("REST -1", 501).await;
        c.command("REST 99999999999999999999999", 501).await;
    })
    .await;
}

#[tokio::test]
async fn directories_and_paths() {
    both(async |mut c, _| {
        assert!(
            c.command("MKD a \"b\"", 257)
                .await
                .starts_with("257 \"/a \"\"b\"\"\" ")
        );
        c.command("MKD a \"b\"", 550).await;
        c.command("CWD a \"b\"", 250).await;
        c.command("MKD ä", 257).await;
        c.command("CWD ä", 250).await;
        assert!(
            c.command("PWD", 257)
                .await
                .starts_with("257 \"/a \"\"b\"\"/ä\" ")
        );
        c.command("CDUP", 250).await;
        c.command("CWD ../../../..", 250).await;
        assert!(c.command("PWD", 257).await.starts_with("257 \"/\" "));
        c.command("CWD none", 550).await;
        c.command("RMD a \"b\"", 550).await;
        c.command("RMD a \"b\"/ä", 250).await;
        c.command("RMD /a \"b\"", 250).await;
        c.store("STOR f", b"").await;
        c.command("CWD f", 550).await;
        c.command("RMD f", 550).await;
        c.command("DELE f", 250).await;
        c.command("DELE f", 550).await;
    })
    .await;
}

#[tokio::test]
async fn blanks_at_either_end_belong_to_the_name() {
    both(async |mut c, tree| {
        c.store("STOR  f ", b"blank").await;
        assert_eq!(tree.metadata(&p("/ f ")).await.unwrap().len, 5);
        c.command("SIZE f", 550).await;
        assert!(c.fetch_text("MLSD").await.contains("  f \r\n"));
    })
    .await;
}

#[tokio::test]
async fn renames() {
    both(async |mut c, _| {
        c.store("STOR a", b"a").await;
        c.command("RNTO b", 503).await;
        c.command("RNFR none", 550).await;
        c.command("RNFR a", 350).await;
        c.command("NOOP", 200).await;
        c.command("RNTO b", 503).await;
        c.command("RNFR a", 350).await;
        c.command("RNTO b", 250).await;
        assert_eq!(c.fetch("RETR b").await, b"a");
        c.command("MKD d", 257).await;
        c.command("RNFR b", 350).await;
        c.command("RNTO d/b", 250).await;
        c.command("RNFR d", 350).await;
        c.command("RNTO d/d", 553).await;
        c.command("SIZE d/b", 213).await;
    })
    .await;
}

#[tokio::test]
async fn times_modes_and_facts() {
    both(async |mut c, _| {
        c.store("STOR f", b"abc").await;
        assert_eq!(
            c.command("MFMT 20200102030405 f", 213).await,
            "213 Modify=20200102030405; f"
        );
        assert_eq!(c.command("MDTM f", 213).await, "213 20200102030405");
        c.command("SITE CHMOD 640 f", 200).await;
        c.command("SITE CHMOD 4755 f", 501).await;
        c.command("SITE CHMOD f", 501).await;
        c.command("SITE NONSENSE", 504).await;
        let reply = c.command("MLST f", 250).await;
        let fact_line = reply.lines().nth(1).unwrap();
        assert!(
            fact_line.starts_with(' ') && fact_line.ends_with(" /f"),
            "{reply}"
        );
        for fact in [
            "type=file;",
            "size=3;",
            "modify=20200102030405;",
            "UNIX.mode=0640;",
            "perm=",
        ] {
            assert!(fact_line.contains(fact), "{fact} in {reply}");
        }
        c.command("OPTS MLST size;", 200).await;
        assert!(c.command("MLST f", 250).await.contains("\n size=3; /f\n"));
        c.command("SIZE none", 550).await;
        c.command("MDTM none", 550).await;
        c.command("SIZE /", 550).await;
    })
    .await;
}

#[tokio::test]
async fn listings() {
    both(async |mut c, _| {
        assert_eq!(c.fetch_text("LIST").await, "");
        assert_eq!(c.fetch_text("NLST").await, "");
        c.store("STOR b.txt", b"12345").await;
        c.store("STOR c.log", b"").await;
        c.command("MKD d", 257).await;
        c.store("STOR d/inner.txt", b"1").await;
        let sorted = |text: String| {
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        assert_eq!(sorted(c.fetch_text("NLST").await), ["b.txt", "c.log", "d"]);
        assert_eq!(sorted(c.fetch_text("NLST *.txt").await), ["b.txt"]);
        assert_eq!(sorted(c.fetch_text("NLST d").await), ["d/inner.txt"]);
        assert_eq!(sorted(c.fetch_text("NLST d/*.txt").await), ["d/inner.txt"]);
        for line in ["LIST", "LIST -la", "LIST -a .", "LIST /"] {
            let list = sorted(c.fetch_text(line).await);
            assert_eq!(list.len(), 3, "{list:?}");
            assert!(
                list.iter()
                    .any(|l| l.starts_with("-rw") && l.contains(" 5 ") && l.ends_with(" b.txt")),
                "{list:?}"
            );
            assert!(
                list.iter()
                    .any(|l| l.starts_with("drwx") && l.ends_with(" d")),
                "{list:?}"
            );
        }
        assert!(c.fetch_text("LIST b.txt").await.ends_with(" b.txt\r\n"));
        let mlsd = sorted(c.fetch_text("MLSD").await);
        assert_eq!(
            mlsd.iter().filter(|l| l.starts_with("type=")).count(),
            mlsd.len()
        );
        assert!(
            mlsd.iter()
                .any(|l| l.contains("type=file;size=5;") && l.ends_with("; b.txt")),
            "{mlsd:?}"
        );
        assert!(
            mlsd.iter()
                .any(|l| l.contains("type=dir;") && l.ends_with("; d")),
            "{mlsd:?}"
        );
        for (line, code) in [("MLSD b.txt", 501), ("MLSD none", 550), ("LIST none", 550)] {
            c.data().await;
            c.command(line, code).await;
        }
        let stat = c.command("STAT d", 212).await;
        assert!(stat.contains("inner.txt"), "{stat}");
        c.command("STAT", 211).await;
    })
    .await;
}

#[tokio::test]
async fn a_long_listing_comes_whole() {
    let tree = MemoryTree::new(64 << 20);
    for i in 0..5000 {
        tree.write_file(&p(&format!("/many/{i:05}")), b"")
            .await
            .unwrap();
    }
    let server = start(builder(Arc::new(tree))).await;
    let mut c = Client::login(server.local_addr()).await;
    assert_eq!(c.fetch_text("MLSD many").await.lines().count(), 5000);
    assert!(
        c.command("STAT many", 212).await.len() < 600_000,
        "over the control connection it is bounded"
    );
}

#[tokio::test]
async fn active_mode() {
    let (server, _) = plain().await;
    let mut c = Client::login(server.local_addr()).await;
    for eprt in [false, true] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let line = match eprt {
            true => format!("EPRT |1|127.0.0.1|{port}|"),
            false => format!("PORT 127,0,0,1,{},{}", port >> 8, port & 255),
        };
        c.command(&line, 200).await;
        c.command("RETR hello", 150).await;
        let (mut data, _) = listener.accept().await.unwrap();
        let mut out = String::new();
        data.read_to_string(&mut out).await.unwrap();
        assert_eq!(out, "hello, world");
        c.expect(226).await;
    }
    // Only the client's own address, and no port of a system service.
    for line in [
        "PORT 127,0,0,2,100,1",
        "PORT 10,0,0,1,100,1",
        "PORT 127,0,0,1,0,25",
        "EPRT |1|192.0.2.1|5000|",
        "EPRT |2|::1|5000|",
    ] {
        c.command(line, 504).await;
    }
    c.command("RETR hello", 425).await;
}

#[tokio::test]
async fn data_setup() {
    let (server, _) = plain().await;
    let mut c = Client::login(server.local_addr()).await;
    c.command("RETR hello", 425).await;
    assert!(c.command("PASV", 227).await.contains("(127,0,0,1,"));
    c.command("EPSV 1", 229).await;
    c.command("EPSV 2", 522).await;
    c.command("EPSV 7", 522).await;
    c.command("EPSV nonsense", 522).await;
    c.command("EPSV ALL", 200).await;
    for line in ["PASV", "PORT 127,0,0,1,100,1", "EPRT |1|127.0.0.1|5000|"] {
        c.command(line, 501).await;
    }
    assert_eq!(c.fetch("RETR hello").await, b"hello, world");
    c.command("TYPE A", 200).await;
    c.command("TYPE L 8", 200).await;
    c.command("TYPE E", 504).await;
    c.command("TYPE X", 501).await;
    c.command("MODE B", 504).await;
    c.command("STRU R", 504).await;
    c.command("ALLO 5", 202).await;
    c.command("SYST", 215).await;
    c.command("CLNT me", 200).await;
    c.command("OPTS UTF8 ON", 200).await;
    let feat = c.command("FEAT", 211).await;
    assert!(
        feat.contains("\n REST STREAM\n") && feat.contains("\n UTF8\n") && !feat.contains("AUTH"),
        "{feat}"
    );
    c.command("HELP", 214).await;
    c.command("HELP RETR", 214).await;
    c.command("HELP NOPE", 502).await;
    c.command("AUTH TLS", 502).await;
}

#[tokio::test]
async fn ports_of_a_range_are_used_and_run_out() {
    // Two ports that were free a moment ago.
    let (a, b) = loop {
        let first = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = first.local_addr().unwrap().port();
        if port < 65_000 && std::net::TcpListener::bind(("127.0.0.1", port + 1)).is_ok() {
            break (port, port + 1);
        }
    };
    let server = start(builder(Arc::new(MemoryTree::new(1 << 20))).data_ports(a..=b)).await;
    let mut clients = Vec::new();
    let mut ports = Vec::new();
    for _ in 0..2 {
        let mut c = Client::login(server.local_addr()).await;
        ports.push(c.passive().await.port());
        clients.push(c);
    }
    ports.sort_unstable();
    assert_eq!(ports, [a, b]);
    let mut c = Client::login(server.local_addr()).await;
    c.command("EPSV", 425).await;
    assert!(
        [a, b].contains(&clients[0].passive().await.port()),
        "its own port is free for the next"
    );
}

#[tokio::test]
async fn a_stranger_at_the_data_port_gets_nothing() {
    let (server, _) = plain().await;
    let mut c = Client::login(server.local_addr()).await;
    let address = c.passive().await;
    // Another loopback address stands for another machine.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut stranger = socket.connect(address).await.unwrap();
    c.command("RETR hello", 150).await;
    let mut out = Vec::new();
    let _ = stranger.read_to_end(&mut out).await;
    assert_eq!(out, b"");
    let mut own = tokio::net::TcpStream::connect(address).await.unwrap();
    own.read_to_end(&mut out).await.unwrap();
    assert_eq!(out, b"hello, world");
    c.expect(226).await;
    drop(own.shutdown().await);
}
