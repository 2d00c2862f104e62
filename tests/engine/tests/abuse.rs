//! A hostile network against our server, by the control connection. After each attack the server answers, and nothing outside of its
//! root was read or written. Data connections and the tree: `abuse_data.rs`.
#![allow(clippy::unwrap_used, unused_crate_dependencies)]
#![cfg(unix)]

use std::time::{Duration, Instant};

use engine_tests::attack::{House, PATIENCE, Raw};
use ftp_server::{EndReason, EventKind, ServerBuilder};
use tokio::net::TcpListener;

const SHORT: Duration = Duration::from_millis(500);

/// No waiting for minutes.
fn hurried(builder: ServerBuilder) -> ServerBuilder {
    builder
        .login_timeout(2 * SHORT)
        .idle_timeout(2 * SHORT)
        .socket_timeout(SHORT)
        .handshake_timeout(SHORT)
        .data_wait_timeout(SHORT)
}

#[tokio::test]
async fn case_01_a_line_without_end() {
    let house = House::open().await;
    let mut c = house.raw().await;
    // It may stop reading at any time, but not read for ever.
    for _ in 0..256 {
        if !c.send(vec![b'A'; 64 * 1024]).await {
            break;
        }
    }
    let codes = c.until_closed().await;
    assert!(codes.is_empty() || codes == [500], "{codes:?}");
    house.stands().await;
}

#[tokio::test]
async fn case_02_a_login_byte_by_byte() {
    let house = House::with(hurried).await;
    let begin = Instant::now();
    let mut c = house.raw().await;
    for byte in b"USER ann\r\nNOOP\r\nNOOP\r\nUSER ann\r\n".iter().cycle() {
        if !c.send([*byte]).await || begin.elapsed() > PATIENCE {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(begin.elapsed() < 10 * SHORT, "{:?}", begin.elapsed());
    house.stands().await;
}

#[tokio::test]
async fn case_03_bounces_off_to_others() {
    let house = House::open().await;
    let victim = TcpListener::bind("127.0.0.2:0").await.unwrap();
    let port = victim.local_addr().unwrap().port();
    let mut c = house.user().await;
    for line in [
        format!("PORT 127,0,0,2,{},{}", port >> 8, port & 0xff),
        format!("EPRT |1|127.0.0.2|{port}|"),
        format!("EPRT |2|::ffff:127.0.0.2|{port}|"),
        format!("EPRT |2|::1|{port}|"),
        format!("PORT 0,0,0,0,{},{}", port >> 8, port & 0xff),
        "PORT 255,255,255,255,4,1".to_owned(),
        "EPRT |1|224.0.0.1|5000|".to_owned(),
    ] {
        let code = c.say(&line).await;
        assert!((500..600).contains(&code), "{line}: {code}");
        assert_eq!(c.say("RETR hello").await, 425, "{line}");
    }
    let called = tokio::time::timeout(SHORT, victim.accept()).await;
    assert!(called.is_err(), "the server went to {called:?}");
    house.stands().await;
}

#[tokio::test]
async fn case_04_services_of_the_system() {
    let house = House::open().await;
    let mut c = house.user().await;
    for port in [0, 1, 22, 25, 80, 445, 1023] {
        let code = c.say(format!("EPRT |1|127.0.0.1|{port}|")).await;
        assert!((500..600).contains(&code), "{port}: {code}");
        let code = c
            .say(format!("PORT 127,0,0,1,{},{}", port >> 8, port & 0xff))
            .await;
        assert!((500..600).contains(&code), "{port}: {code}");
    }
    assert_eq!(c.say("NLST").await, 425);
    house.stands().await;
}

#[tokio::test]
async fn case_05_plain_text_behind_auth() {
    let house = House::open().await;
    for injected in [
        &b"AUTH TLS\r\nUSER ann\r\nPASS secret\r\nDELE hello\r\n"[..],
        b"AUTH TLS\r\n\x16",
        b"AUTH SSL\r\nNOOP\r\n",
    ] {
        let mut c = house.raw().await;
        c.send(injected).await;
        let codes = c.until_closed().await;
        assert!(codes.iter().all(|code| *code == 421), "{codes:?}");
    }
    house.stands().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_06_ten_thousand_connections() {
    let house = House::open().await;
    let address = house.addr();
    let mut inside = house.user().await;
    let hosts: Vec<_> = (1..=50)
        .map(|host| {
            tokio::spawn(async move {
                let own = format!("127.0.1.{host}");
                let mut held = Vec::new();
                for _ in 0..200 {
                    let Ok(mut c) = Raw::silent(&own, address).await else {
                        continue;
                    };
                    // Told that there is no room, or closed without a word.
                    if c.code().await == 220 && held.len() < 8 {
                        held.push(c);
                    }
                }
                held
            })
        })
        .collect();
    // Whoever is inside goes on working, and never are there too many.
    while hosts.iter().any(|host| !host.is_finished()) {
        assert_eq!(inside.say("NOOP").await, 200);
        assert!(house.server().sessions().len() <= 256);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut held = Vec::new();
    for host in hosts {
        held.extend(host.await.unwrap());
    }
    let totals = house.server().totals();
    assert!(
        totals.sessions + totals.turned_away >= 9_900,
        "{totals:?}, {} held",
        held.len()
    );
    // Though others hold all places that there are without a login, they are let go for those who mean it.
    tokio::time::sleep(Duration::from_secs(5)).await;
    house.stands().await;
    drop(held);
}

#[tokio::test]
async fn case_07_half_open_connections() {
    let house = House::with(|builder| {
        let time = 6 * SHORT;
        let hurried = hurried(builder).login_timeout(time).idle_timeout(2 * time);
        hurried.max_half_open(16)
    })
    .await;
    let mut inside = house.user().await;
    let mut held = Vec::new();
    for host in 1..=40 {
        if let Ok(c) = Raw::silent(&format!("127.0.2.{host}"), house.addr()).await {
            held.push(c);
        }
    }
    let mut turned_away = 0;
    for c in &mut held[16..] {
        turned_away += usize::from(c.code().await == 421);
    }
    assert_eq!(turned_away, 24);
    assert_eq!(inside.say("NOOP").await, 200);
    // They have their time for a login and no more.
    for c in &mut held[..16] {
        assert_eq!(c.until_closed().await, [220, 421]);
    }
    let gone = async {
        while house.server().sessions().len() > 1 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.unwrap();
    house.stands().await;
}

#[tokio::test]
async fn case_08_guessing_passwords() {
    let house = House::with(|builder| builder.lockout(12, Duration::from_secs(60))).await;
    let mut tries = 0;
    'guessing: for round in 0..100 {
        let mut c = Raw::silent("127.0.3.1", house.addr()).await.unwrap();
        if c.code().await != 220 {
            break;
        }
        for guess in 0..5 {
            assert_eq!(c.say("USER ann").await, 331);
            tries += 1;
            match c.say(format!("PASS guess{round}.{guess}")).await {
                530 => {}
                421 => continue 'guessing,
                other => panic!("{other}"),
            }
        }
        panic!("more than three on one connection");
    }
    assert_eq!(tries, 12);
    // Who has no such name hears the same.
    let mut c = Raw::from("127.0.3.2", house.addr()).await;
    c.send("USER ann\r\nPASS x\r\nUSER nobody\r\nPASS x\r\n")
        .await;
    let replies = [
        c.reply().await,
        c.reply().await,
        c.reply().await,
        c.reply().await,
    ];
    assert_eq!(replies[0], replies[2]);
    assert_eq!(replies[1], replies[3]);
    house.stands().await;
}

#[tokio::test]
async fn case_09_replies_that_nobody_reads() {
    let house = House::with(hurried).await;
    let mut events = house.server().events();
    let c = house.user().await;
    let flood = "HELP\r\nFEAT\r\nSTAT\r\nMLST hello\r\n".repeat(1000);
    let mut c = c;
    let begin = Instant::now();
    loop {
        let sent = tokio::time::timeout(PATIENCE, c.send(&flood)).await;
        if !sent.expect("the server gives up") {
            break;
        }
    }
    assert!(begin.elapsed() < PATIENCE, "{:?}", begin.elapsed());
    let ended = async {
        loop {
            if let EventKind::SessionClosed { reason } = events.recv().await.unwrap().kind {
                return reason;
            }
        }
    };
    let reason = tokio::time::timeout(PATIENCE, ended).await.unwrap();
    assert_eq!(reason, EndReason::Gone);
    house.stands().await;
}

#[tokio::test]
async fn case_10_a_handshake_that_is_never_finished() {
    let house = House::with(hurried).await;
    let mut all = Vec::new();
    for host in 1..=20 {
        let mut c = Raw::from(&format!("127.0.4.{host}"), house.addr()).await;
        assert_eq!(c.say("AUTH TLS").await, 234);
        // The beginning of a ClientHello, or nothing.
        if host % 2 == 0 {
            c.send(b"\x16\x03\x01\x02\x00\x01\x00").await;
        }
        all.push(c);
    }
    let begin = Instant::now();
    for c in &mut all {
        // Whatever it says (an alert of TLS), it ends.
        c.drain().await;
    }
    assert!(begin.elapsed() < 10 * SHORT, "{:?}", begin.elapsed());
    house.stands().await;
}

#[tokio::test]
async fn case_11_a_flood_of_commands() {
    let house = House::open().await;
    let mut c = house.user().await;
    const NUMBER: usize = 50_000;
    let flood = "NOOP\r\n".repeat(NUMBER);
    let (mut reader, mut writer) = c.split();
    let write = async { writer.send(&flood).await };
    let read = async {
        for _ in 0..NUMBER {
            assert_eq!(reader.code().await, 200);
        }
    };
    let (sent, ()) = tokio::join!(write, read);
    assert!(sent);
    house.stands().await;
}

#[tokio::test]
async fn case_12_names_that_are_none() {
    let house = House::open().await;
    let mut c = house.user().await;
    for byte in (0u8..=0x1f).chain([0x7f]).filter(|byte| *byte != b'\n') {
        for verb in [
            "MKD",
            "STOR",
            "RNFR",
            "CWD",
            "SIZE",
            "DELE",
            "MFMT 20200101000000",
            "SITE CHMOD 777",
        ] {
            let line = [verb.as_bytes(), b" a", &[byte], b"b"].concat();
            let code = c.say(&line).await;
            assert!(
                (400..600).contains(&code),
                "{}: {code}",
                line.escape_ascii()
            );
        }
    }
    // A return and a line end within a name would be a second command.
    c.send(b"MKD a\rDELE hello\r\nNOOP\r\n").await;
    assert!(c.code().await >= 500);
    assert_eq!(c.code().await, 200);
    assert!(c.fetch("NLST").await.windows(5).any(|w| w == b"hello"));
    let entries = std::fs::read_dir(house.root()).unwrap().count();
    assert_eq!(entries, 6, "nothing was made");
    house.stands().await;
}

#[tokio::test]
async fn case_13_a_giant_name_and_password() {
    let house = House::open().await;
    let mut events = house.server().events();
    let mut c = house.raw().await;
    assert_eq!(
        c.say([b"USER ".to_vec(), vec![0xff; 8000]].concat()).await,
        331
    );
    assert_eq!(c.say(format!("PASS {}", "p".repeat(8000))).await, 530);
    let told = async {
        loop {
            if let EventKind::LoginFailed { user, .. } = events.recv().await.unwrap().kind {
                return user;
            }
        }
    };
    let user = tokio::time::timeout(PATIENCE, told).await.unwrap();
    assert!(user.len() < 1000, "{} bytes in the log", user.len());
    for verb in [
        "ACCT", "SITE", "OPTS", "HELP", "HOST", "LANG", "CLNT", "AUTH", "MODE", "TYPE",
    ] {
        let code = c.say(format!("{verb} {}", "x".repeat(8000))).await;
        assert!((200..600).contains(&code), "{verb}: {code}");
    }
    house.stands().await;
}

#[tokio::test]
async fn case_14_other_protocols() {
    let house = House::open().await;
    for start in [
        &b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..],
        b"POST / HTTP/1.1\r\nContent-Length: 30\r\n\r\nUSER ann\r\nPASS secret\r\nDELE hello\r\n",
        b"CONNECT 127.0.0.1:22 HTTP/1.1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"EHLO x\r\nMAIL FROM:<a@b>\r\n",
        b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\n",
    ] {
        let mut c = house.raw().await;
        c.send(start).await;
        assert_eq!(
            c.until_closed().await,
            [] as [u16; 0],
            "{}",
            start.escape_ascii()
        );
    }
    house.stands().await;
}

#[tokio::test]
async fn case_15_noise() {
    let house = House::open().await;
    let mut state = 0x1234_5678_9abc_def0u64;
    for _ in 0..30 {
        let mut c = house.user().await;
        let noise: Vec<u8> = (0..20_000)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                // Lines come to an end now and then.
                if state.is_multiple_of(40) {
                    b'\n'
                } else {
                    (state >> 20) as u8
                }
            })
            .collect();
        let (mut reader, mut writer) = c.split();
        let write = async {
            writer.send(&noise).await;
            writer.send("\r\nQUIT\r\n").await;
            writer.end().await;
        };
        let read = async { reader.until_closed().await };
        let ((), codes) = tokio::join!(write, read);
        assert!(
            codes.iter().all(|code| (200..600).contains(code)),
            "{codes:?}"
        );
    }
    house.stands().await;
}

#[tokio::test]
async fn case_16_telnet_and_its_options() {
    let house = House::open().await;
    let mut c = house.user().await;
    // WILL, DO, subnegotiation, and a command in the middle: never negotiated, never obeyed as something else.
    c.send(b"\xff\xfb\x01\xff\xfd\x18NOOP\r\n\xff\xfa\x18\x00AAAA\xff\xf0NOOP\r\n")
        .await;
    for _ in 0..2 {
        let code = c.code().await;
        assert!(code == 200 || code == 500, "{code}");
    }
    assert_eq!(c.say("NOOP").await, 200);
    house.stands().await;
}
