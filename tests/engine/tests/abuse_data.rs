//! A hostile network against our server, by data connections and by the tree. After each attack the server answers, and nothing outside of
//! its root was read or written. The control connection alone: `abuse.rs`.
#![allow(clippy::unwrap_used, unused_crate_dependencies)]
#![cfg(unix)]

use std::{
    fs,
    io::Write as _,
    os::unix::fs::symlink,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use engine_tests::attack::{House, PATIENCE, Raw, connect};
use ftp_server::{Permission, Secret, User, vfs::VPath};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const SHORT: Duration = Duration::from_millis(500);

/// Every verb that takes a path, with room for it.
const VERBS: &[&str] = &[
    "CWD {}",
    "MKD {}",
    "RMD {}",
    "DELE {}",
    "SIZE {}",
    "MDTM {}",
    "MDTM 20200101000000 {}",
    "MLST {}",
    "STAT {}",
    "STAT -la {}",
    "SITE CHMOD 777 {}",
    "SITE UTIME 20200101000000 {}",
    "MFMT 20200101000000 {}",
    "MFCT 20200101000000 {}",
    "MFF Modify=20200101000000;UNIX.mode=0777; {}",
    "HASH {}",
    "XSHA256 {}",
    "XMD5 {}",
    "XCRC {}",
    "MD5 {}",
    "AVBL {}",
];

/// Those that need a data connection.
const TRANSFERS: &[&str] = &["RETR {}", "LIST {}", "LIST -la {}", "NLST {}", "MLSD {}"];

const WRITES: &[&str] = &["STOR {}", "APPE {}"];

#[tokio::test]
async fn case_17_out_of_the_root_by_every_verb() {
    let house = House::open().await;
    let absolute = house.outside().display().to_string();
    let mut c = house.user().await;
    let paths = [
        "../outside/secret".to_owned(),
        "/../../../../outside/secret".to_owned(),
        "sub/../../outside/secret".to_owned(),
        "./.././../outside/secret".to_owned(),
        "//..//outside//secret".to_owned(),
        format!("{absolute}/secret"),
        "link".to_owned(),
        "link/secret".to_owned(),
        "link/new".to_owned(),
        "link/folder".to_owned(),
        "link/../link/secret".to_owned(),
        "sub/../link/secret".to_owned(),
        "absolute/secret".to_owned(),
        "absolute".to_owned(),
        "file".to_owned(),
        "loop".to_owned(),
        "loop/x".to_owned(),
        "..\\outside\\secret".to_owned(),
        "..%2foutside%2fsecret".to_owned(),
        "~root/.ssh/id_rsa".to_owned(),
        "C:\\secret".to_owned(),
        "/etc/passwd".to_owned(),
        "/proc/self/environ".to_owned(),
        "link/*".to_owned(),
        "../outside/*".to_owned(),
    ];
    for path in &paths {
        // What removes or renames the link itself is no harm; here it would end the attack.
        let is_link = ["link", "absolute", "file", "loop"].contains(&path.as_str());
        for verb in VERBS {
            if is_link && (verb.starts_with("DELE") || verb.starts_with("RMD")) {
                continue;
            }
            let line = verb.replace("{}", path);
            let code = c.say(&line).await;
            assert!((200..600).contains(&code), "{line}: {code}");
            assert!(!(line.starts_with("CWD link") && code < 400), "{line}");
        }
        for verb in TRANSFERS {
            c.fetch(verb.replace("{}", path)).await;
        }
        for verb in WRITES {
            c.store(verb.replace("{}", path), b"overwritten").await;
        }
        assert_eq!(c.say("RNFR sub/inside").await, 350);
        let code = c.say(format!("RNTO {path}")).await;
        if code == 250 {
            // It went somewhere inside.
            assert_eq!(c.say(format!("RNFR {path}")).await, 350);
            assert_eq!(c.say("RNTO /sub/inside").await, 250);
        }
        if !is_link && c.say(format!("RNFR {path}")).await == 350 {
            assert!(c.say("RNTO /stolen").await >= 200);
            c.fetch("RETR /stolen").await;
            c.say("DELE /stolen").await;
            c.say("RMD /stolen").await;
        }
        if !house.root().join("sub/inside").exists() {
            fs::write(house.root().join("sub/inside"), b"inside").unwrap();
        }
    }
    house.stands().await;
}

/// Folders and links change places all the time, while every operation passes through that place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_18_a_race_with_a_link() {
    let house = House::open().await;
    let place = house.root().join("place");
    fs::create_dir_all(place.join("folder")).unwrap();
    fs::write(place.join("secret"), b"nothing").unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let racer = {
        let (stop, root) = (Arc::clone(&stop), house.root());
        std::thread::spawn(move || {
            let (place, aside, link) = (root.join("place"), root.join("aside"), root.join("swap"));
            let mut rounds = 0u64;
            while !stop.load(Ordering::Relaxed) {
                symlink("../outside", &link).unwrap();
                let _ = fs::rename(&place, &aside);
                let _ = fs::rename(&link, &place);
                let _ = fs::remove_file(&place);
                let _ = fs::remove_file(&link);
                let _ = fs::rename(&aside, &place);
                rounds += 1;
            }
            rounds
        })
    };
    let until = Instant::now() + Duration::from_secs(4);
    let mut c = house.user().await;
    let mut other = house.user().await;
    while Instant::now() < until {
        for path in ["place/secret", "place/new", "place/folder"] {
            for verb in VERBS {
                c.say(verb.replace("{}", path)).await;
                c.say("CWD /").await;
            }
            for verb in TRANSFERS {
                c.fetch(verb.replace("{}", path)).await;
            }
            for verb in WRITES {
                other.store(verb.replace("{}", path), b"overwritten").await;
            }
            if other.say("RNFR sub/inside").await == 350 {
                other.say("RNTO place/inside").await;
            }
            if other.say("RNFR place/inside").await == 350 {
                other.say("RNTO sub/inside").await;
            }
            if other.say("RNFR place/secret").await == 350 {
                other.say("RNTO sub/stolen").await;
                other.fetch("RETR sub/stolen").await;
                other.say("DELE sub/stolen").await;
            }
        }
        if c.say("CWD place").await == 250 {
            c.fetch("RETR secret").await;
            c.store("STOR new", b"x").await;
            c.say("CWD /").await;
        }
    }
    stop.store(true, Ordering::Relaxed);
    let rounds = racer.join().unwrap();
    assert!(rounds > 100, "{rounds}: there was no race");
    house.stands().await;
}

/// A gigabyte of nothing in a megabyte.
#[tokio::test]
async fn case_19_a_bomb_in_mode_z() {
    let house = House::open().await;
    let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    let zeros = vec![0; 1 << 20];
    for _ in 0..512 {
        packer.write_all(&zeros).unwrap();
    }
    let bomb = packer.finish().unwrap();
    let mut c = house.user().await;
    assert_eq!(c.say("MODE Z").await, 200);
    let begin = Instant::now();
    let code = c.store("STOR bomb", &bomb).await;
    assert!((400..600).contains(&code), "{code}");
    let written = fs::metadata(house.root().join("bomb")).map_or(0, |facts| facts.len());
    assert!(written < 160 << 20, "{written} bytes of {}", bomb.len());
    assert!(begin.elapsed() < PATIENCE);
    // And what is none at all.
    let code = c.store("STOR broken", b"this was never packed").await;
    assert!((400..600).contains(&code), "{code}");
    assert_eq!(c.say("MODE S").await, 200);
    house.stands().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_20_downloads_that_nobody_takes() {
    let house = House::with(|builder| builder.socket_timeout(SHORT).data_wait_timeout(SHORT)).await;
    fs::write(house.root().join("big"), vec![1; 64 << 20]).unwrap();
    let mut all = Vec::new();
    for host in 1..=30 {
        let mut c = Raw::from(&format!("127.0.5.{host}"), house.addr()).await;
        c.log_in().await;
        let data = c.data().await;
        assert_eq!(c.say("RETR big").await, 150);
        all.push((c, data));
    }
    // Others are not kept from their files meanwhile.
    house.stands().await;
    for (c, _data) in &mut all {
        assert_eq!(c.code().await, 426);
        assert_eq!(c.say("NOOP").await, 200);
    }
    // Uploads that bring nothing.
    let mut c = house.user().await;
    let _data = c.data().await;
    assert_eq!(c.say("STOR slow").await, 150);
    assert_eq!(c.code().await, 426);
    house.stands().await;
}

#[tokio::test]
async fn case_21_a_data_port_of_another() {
    let house = House::open().await;
    let mut c = house.user().await;
    for verb in ["RETR hello", "NLST", "STOR sub/mine"] {
        let port = c.passive().await;
        let mut thief = connect("127.0.0.66".parse().unwrap(), port).await.unwrap();
        assert_eq!(c.say(verb).await, 150);
        let _ = thief.write_all(b"not yours").await;
        let mut got = Vec::new();
        let _ = thief.read_to_end(&mut got).await;
        assert_eq!(got, b"", "{verb}");
        let own = connect("127.0.0.1".parse().unwrap(), port).await.unwrap();
        drop(own);
        assert!((200..500).contains(&c.code().await));
    }
    assert_eq!(
        fs::read(house.root().join("sub/mine")).unwrap_or_default(),
        b""
    );
    house.stands().await;
}

#[tokio::test]
async fn case_22_ports_held_for_nothing() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let house =
        House::with(|builder| builder.data_ports(vec![port]).data_wait_timeout(4 * SHORT)).await;
    let mut hoarder = Raw::from("127.0.6.1", house.addr()).await;
    hoarder.log_in().await;
    hoarder.passive().await;
    let mut c = house.user().await;
    assert_eq!(c.say("EPSV").await, 425);
    // Asking again and again keeps it no longer from those who ask, too, than that.
    let begin = Instant::now();
    while c.say("EPSV").await != 229 {
        assert!(begin.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop((c, hoarder));
    house.stands().await;
}

#[tokio::test]
async fn case_23_paths_without_end() {
    let house = House::open().await;
    let mut c = house.user().await;
    let deep = "a/".repeat(3900);
    for verb in VERBS {
        let code = c.say(verb.replace("{}", &deep)).await;
        assert!((200..600).contains(&code), "{verb}: {code}");
    }
    for verb in TRANSFERS {
        c.fetch(verb.replace("{}", &deep)).await;
    }
    // Step by step, until it is refused.
    let mut depth = 0;
    while depth < 5000 {
        if c.say("MKD deeper").await != 257 || c.say("CWD deeper").await != 250 {
            break;
        }
        depth += 1;
    }
    assert!((10..5000).contains(&depth), "{depth}");
    assert_eq!(c.say("CWD /").await, 250);
    assert_eq!(c.say(format!("MKD {}", "n".repeat(300))).await / 100, 5);
    house.stands().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_24_huge_listings_given_up() {
    let house = House::open().await;
    let many = house.root().join("many");
    fs::create_dir(&many).unwrap();
    for number in 0..20_000 {
        fs::File::create(many.join(format!("file number {number}"))).unwrap();
    }
    let mut c = house.user().await;
    for round in 0..30 {
        let verb = ["LIST many", "MLSD many", "NLST many"][round % 3];
        let mut data = c.data().await;
        assert_eq!(c.say(verb).await, 150);
        if round % 2 == 0 {
            let _ = data.read_exact(&mut [0; 1000]).await;
            c.send("ABOR\r\n").await;
            let first = c.code().await;
            // It may have been over before.
            assert!(first == 426 || first == 226, "{first}");
            assert_eq!(c.code().await, 226);
        } else {
            drop(data);
            let code = c.code().await;
            assert!(code == 426 || code == 226, "{code}");
        }
    }
    // A reply of so many lines is bounded.
    c.send("STAT many\r\n").await;
    let reply = c.reply().await.unwrap();
    assert!(reply.len() < 1 << 20, "{} bytes", reply.len());
    // Patterns that take others hours.
    let begin = Instant::now();
    c.fetch(format!("LIST many/{}", "*e".repeat(2000))).await;
    assert!(begin.elapsed() < PATIENCE);
    house.stands().await;
}

#[tokio::test]
async fn case_25_renames_across_permissions() {
    let path = |text| VPath::new(text).unwrap();
    let house = House::with(|builder| {
        builder.user(
            User::new("guest")
                .password(Secret::try_from("guest").unwrap())
                .permission(Permission::new(path("/"), true, false))
                .permission(Permission::new(path("/sub"), true, true))
                .permission(Permission::new(path("/sub/deep"), false, false)),
        )
    })
    .await;
    fs::write(house.root().join("sub/deep/private"), b"private").unwrap();
    symlink("deep/private", house.root().join("sub/way")).unwrap();
    symlink("deep", house.root().join("sub/door")).unwrap();
    let mut c = house.raw().await;
    assert_eq!(c.say("USER guest").await, 331);
    assert_eq!(c.say("PASS guest").await, 230);
    let moves = [
        ("hello", "sub/hello"),
        ("sub/inside", "inside"),
        ("sub/deep/private", "sub/private"),
        ("sub/deep", "sub/open"),
        ("sub", "other"),
        ("sub/inside", "sub/deep/inside"),
        ("sub/inside", "sub/door/inside"),
        ("sub/door/private", "sub/private"),
        ("sub/inside", "sub/deep"),
    ];
    for (from, to) in moves {
        if c.say(format!("RNFR {from}")).await == 350 {
            let code = c.say(format!("RNTO {to}")).await;
            assert!((400..600).contains(&code), "{from} -> {to}: {code}");
        }
    }
    for file in ["sub/deep/private", "sub/door/private", "sub/way"] {
        for verb in ["RETR", "MLSD", "LIST"] {
            let got = c.fetch(format!("{verb} {file}")).await;
            assert!(
                !got.windows(7).any(|w| w == b"private") || verb != "RETR",
                "{verb} {file}"
            );
        }
        let code = c.store(format!("STOR {file}"), b"taken").await;
        assert!((400..600).contains(&code), "{file}: {code}");
        assert!(c.say(format!("HASH {file}")).await >= 400);
    }
    let kept = fs::read(house.root().join("sub/deep/private")).unwrap();
    assert_eq!(kept, b"private");
    house.stands().await;
}

#[tokio::test]
async fn case_26_beyond_the_end() {
    let house = House::open().await;
    let mut c = house.user().await;
    for offset in [13u64, 1 << 32, 1 << 62, i64::MAX as u64, u64::MAX] {
        assert_eq!(c.say(format!("REST {offset}")).await, 350);
        assert_eq!(c.fetch("RETR hello").await, b"");
        assert_eq!(c.say(format!("REST {offset}")).await, 350);
        let code = c.store("STOR sparse", b"x").await;
        assert!((400..600).contains(&code), "{offset}: {code}");
    }
    for word in [
        "-1",
        "18446744073709551616",
        "0x10",
        "1e9",
        "99999999999999999999999999",
        "1 2",
    ] {
        assert_eq!(c.say(format!("REST {word}")).await, 501, "{word}");
    }
    let written = fs::metadata(house.root().join("sparse")).map_or(0, |facts| facts.len());
    assert_eq!(written, 0);
    for range in [
        "RANG 5 2",
        "RANG 0 18446744073709551615",
        "RANG 18446744073709551615 0",
    ] {
        let code = c.say(range).await;
        assert!((200..600).contains(&code), "{range}: {code}");
        c.fetch("RETR hello").await;
    }
    house.stands().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_27_a_storm_of_abors() {
    let house = House::open().await;
    fs::write(house.root().join("big"), vec![1; 32 << 20]).unwrap();
    let mut c = house.user().await;
    for round in 0..20 {
        let data = c.data().await;
        c.send("RETR big\r\n").await;
        c.send("ABOR\r\n".repeat(1 + round)).await;
        c.send("SYST\r\n").await;
        // One final reply of the transfer, one of each ABOR, each in its place.
        let mut finals = Vec::new();
        loop {
            match c.code().await {
                150 => assert!(finals.is_empty()),
                215 => break,
                code => finals.push(code),
            }
        }
        assert_eq!(finals.len(), 2 + round, "{finals:?}");
        assert_eq!(finals[0], 426);
        assert!(finals[1..].iter().all(|code| matches!(code, 225 | 226)));
        drop(data);
    }
    house.stands().await;
}

#[tokio::test]
async fn case_28_what_is_no_file() {
    let house = House::open().await;
    let pipe = house.root().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let socket = std::os::unix::net::UnixListener::bind(house.root().join("socket")).unwrap();
    let mut c = house.user().await;
    let begin = Instant::now();
    for name in ["pipe", "socket", "loop", "sub"] {
        assert_eq!(c.fetch(format!("RETR {name}")).await, b"");
        for verb in ["STOR", "APPE"] {
            let code = c.store(format!("{verb} {name}"), b"x").await;
            assert!((400..600).contains(&code), "{verb} {name}: {code}");
        }
        assert!(c.say(format!("HASH {name}")).await >= 400, "{name}");
    }
    assert!(begin.elapsed() < PATIENCE);
    drop(socket);
    house.stands().await;
}

#[tokio::test]
async fn case_29_data_connections_by_the_thousand() {
    let house = House::open().await;
    let mut c = house.user().await;
    for _ in 0..1000 {
        c.passive().await;
    }
    // Many come to one port; one of them is taken, the others are closed.
    let port = c.passive().await;
    let mut all = Vec::new();
    for _ in 0..100 {
        if let Ok(data) = connect("127.0.0.1".parse().unwrap(), port).await {
            all.push(data);
        }
    }
    assert_eq!(c.say("RETR hello").await, 150);
    let mut served = 0;
    for mut data in all {
        let mut got = Vec::new();
        let _ = tokio::time::timeout(PATIENCE, data.read_to_end(&mut got))
            .await
            .unwrap();
        served += usize::from(!got.is_empty());
    }
    assert_eq!(served, 1);
    assert_eq!(c.code().await, 226);
    house.stands().await;
}

#[tokio::test]
async fn case_30_a_client_without_tls_at_a_port_with_tls() {
    let house = House::with(|builder| builder.implicit_tls(true).handshake_timeout(SHORT)).await;
    let mut all = Vec::new();
    for host in 1..=20 {
        all.push(
            Raw::silent(&format!("127.0.7.{host}"), house.addr())
                .await
                .unwrap(),
        );
    }
    for c in &mut all {
        c.send("USER ann\r\nPASS secret\r\n").await;
    }
    let begin = Instant::now();
    for c in &mut all {
        c.drain().await;
    }
    assert!(begin.elapsed() < PATIENCE);
    // The server of this house can't be spoken to in plain; that it runs is all there is to see.
    assert_eq!(house.server().totals().logins, 0);
    let gone = async {
        while !house.server().sessions().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.unwrap();
}
