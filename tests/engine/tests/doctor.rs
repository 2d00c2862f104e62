//! The connection doctor on sick servers: each sickness is found, and named.
#![allow(clippy::unwrap_used, unused_crate_dependencies)]

use std::time::{Duration, Instant};

use engine_tests::{
    own::{OwnServer, Store},
    scripted::{config, config_tls},
    sick::{Heard, Hears, Says, Sick, Sickness},
};
use ftp_client::{
    Client, Config, ErrorKind, Fingerprint, Timeouts, TlsMode, Trust,
    doctor::{Check, Examination, Finding, Report, Verdict, examine},
};
use support::{Authority, Kind, Peer, Script, Tls};

async fn of(config: Config, write: bool) -> Report {
    let mut examination = Examination::new(config);
    examination.write = write;
    let mut told = Vec::new();
    let report = examine(examination, |finding| told.push(finding.clone())).await;
    assert_eq!(told, report.findings);
    report
}

async fn of_sick(sickness: impl Sickness, write: bool) -> (Sick, Report) {
    let sick = Sick::with(sickness).await;
    sick.inside.put("/file.bin", &[7; 300]).await;
    sick.inside.put("/name", b"short").await;
    let mut config = sick.config();
    config.timeouts = Timeouts::all(Duration::from_secs(3));
    let report = of(config, write).await;
    // Whatever happened, nothing of ours is left, but for what the server would not let go.
    (sick, report)
}

#[track_caller]
fn finding(report: &Report, check: Check) -> &Finding {
    report
        .findings
        .iter()
        .find(|finding| finding.check == check)
        .unwrap_or_else(|| panic!("no finding of {check} in {report:#?}"))
}

/// The finding of a check has this verdict and these words; and nothing but `also` is wrong beside it.
#[track_caller]
fn found(report: &Report, check: Check, verdict: Verdict, words: &[&str], also: &[Check]) {
    let finding = finding(report, check);
    assert_eq!(finding.verdict, verdict, "{report:#?}");
    for word in words {
        assert!(finding.what.contains(word), "{word}: {finding}");
    }
    if verdict == Verdict::Problem {
        assert!(!report.is_healthy());
    }
    let others: Vec<&Finding> = report
        .findings
        .iter()
        .filter(|other| other.verdict >= Verdict::Notice)
        // There is no TLS in this.
        .filter(|other| !matches!(other.check, Check::Auth | Check::Login))
        .filter(|other| other.check != check && !also.contains(&other.check))
        .collect();
    assert!(others.is_empty(), "{others:#?}");
}

fn answer(prefix: &'static str, answer: &'static str) -> impl Sickness {
    Hears(move |command: &str, _| match command.starts_with(prefix) {
        true => Heard::Answer(answer.to_owned()),
        false => Heard::As(command.to_owned()),
    })
}

fn reply(code: &'static str, line: &'static str) -> impl Sickness {
    Says(move |_: &str, said: &str| match said.starts_with(code) {
        true => line.to_owned(),
        false => said.to_owned(),
    })
}

/// The port of a listener that is gone.
fn closed_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

#[tokio::test]
async fn a_healthy_server_is_found_healthy_and_left_as_it_was() {
    for tls in [Tls::Explicit, Tls::Implicit] {
        let server = OwnServer::start(Store::Disk, tls).await;
        server.put("/dir/file.bin", &[7; 300]).await;
        let mut examination = Examination::new(server.config());
        examination.folder = Some(engine_tests::path("dir"));
        for write in [false, true] {
            examination.write = write;
            let report = examine(examination.clone(), |_| {}).await;
            let odd: Vec<_> = report
                .findings
                .iter()
                .filter(|finding| finding.verdict >= Verdict::Notice)
                .collect();
            assert!(odd.is_empty() && report.is_healthy(), "{odd:#?}");
            assert!(report.count(Verdict::Good) >= 20, "{report:#?}");
            let resumption = finding(&report, Check::Resumption);
            assert!(resumption.what.contains("demands"), "{resumption}");
        }
        let left: Vec<_> = std::fs::read_dir(server.root().join("dir"))
            .unwrap()
            .collect();
        assert_eq!(left.len(), 1, "{left:?}");
        server.stop().await;
    }
}

#[tokio::test]
async fn passive_mode_that_leads_nowhere() {
    // The address of the server's own network.
    let (_sick, report) = of_sick(
        Says(|_: &str, line: &str| match line.strip_prefix("227 ") {
            Some(_) => line.replace("127,0,0,1", "10,1,2,3"),
            None => line.to_owned(),
        }),
        false,
    )
    .await;
    found(
        &report,
        Check::Pasv,
        Verdict::Problem,
        &["10.1.2.3", "private"],
        &[],
    );
    assert!(
        finding(&report, Check::Pasv)
            .tell_admin
            .as_ref()
            .unwrap()
            .contains("MasqueradeAddress")
    );
    let (_sick, report) = of_sick(
        Says(|_: &str, line: &str| line.replace("127,0,0,1", "0,0,0,0")),
        false,
    )
    .await;
    found(
        &report,
        Check::Pasv,
        Verdict::Problem,
        &["0.0.0.0", "nobody"],
        &[],
    );
    // A port that a firewall has closed.
    let port = closed_port();
    let sick = Sick::with(Says(move |_: &str, line: &str| {
        match line.starts_with("229") {
            true => format!("229 go there (|||{port}|)"),
            false => line.to_owned(),
        }
    }))
    .await;
    sick.inside.put("/file.bin", &[7; 300]).await;
    let config = sick.config();
    let report = of(config.clone(), false).await;
    found(
        &report,
        Check::Epsv,
        Verdict::Problem,
        &[&port.to_string(), "not reached"],
        &[],
    );
    // It is known from now on: no session tries it again.
    let log = engine_tests::Log::default();
    let mut config = config;
    log.attach(&mut config);
    let client = Client::connect(config).await.unwrap();
    engine_tests::names(&client, "/").await;
    client.quit().await.unwrap();
    assert!(
        log.sent().iter().any(|line| line == "PASV"),
        "{}",
        log.all()
    );
    assert!(
        !log.sent().iter().any(|line| line.starts_with("EPSV")),
        "{}",
        log.all()
    );
}

#[tokio::test]
async fn answers_that_hold_no_address() {
    let (_sick, report) = of_sick(answer("EPSV", "500 what?"), false).await;
    found(&report, Check::Epsv, Verdict::Notice, &["500 what?"], &[]);
    let (_sick, report) = of_sick(reply("229", "229 somewhere"), false).await;
    found(
        &report,
        Check::Epsv,
        Verdict::Problem,
        &["holds no address", "229 somewhere"],
        &[],
    );
    let (_sick, report) = of_sick(reply("227", "227 (1,2,3,4,5,600)"), false).await;
    found(
        &report,
        Check::Pasv,
        Verdict::Problem,
        &["holds no address"],
        &[],
    );
    // Neither of the two: active mode is left.
    let (_sick, report) = of_sick(
        Hears(|command: &str, _| match command {
            "EPSV" | "PASV" => Heard::Answer("502 not here\u{1b}[2J".to_owned()),
            _ => Heard::As(command.to_owned()),
        }),
        false,
    )
    .await;
    found(
        &report,
        Check::Pasv,
        Verdict::Problem,
        &["502 not here\\x1b[2J"],
        &[Check::Epsv],
    );
    assert_eq!(finding(&report, Check::Mlsd).verdict, Verdict::Good);
}

#[tokio::test]
async fn active_mode_that_does_not_reach_us() {
    let (_sick, report) = of_sick(
        Hears(|command: &str, _| match command {
            _ if command.starts_with("EPRT") => Heard::Answer("200 as you say".to_owned()),
            // The server inside was never told where to.
            "LIST" | "MLSD" | "LIST -a" => Heard::As(command.to_owned()),
            _ => Heard::As(command.to_owned()),
        }),
        false,
    )
    .await;
    found(
        &report,
        Check::Active,
        Verdict::Notice,
        &["did not reach us", "Passive mode"],
        &[],
    );
    let (_sick, report) = of_sick(
        Hears(|command: &str, _| {
            match command.starts_with("EPRT") || command.starts_with("PORT") {
                true => Heard::Answer("501 never".to_owned()),
                false => Heard::As(command.to_owned()),
            }
        }),
        false,
    )
    .await;
    found(
        &report,
        Check::Active,
        Verdict::Notice,
        &["PORT", "501 never"],
        &[],
    );
}

#[tokio::test]
async fn restarts_and_sizes_that_are_wrong() {
    let (_sick, report) = of_sick(answer("REST", "350 of course"), false).await;
    found(
        &report,
        Check::Rest,
        Verdict::Problem,
        &["from its beginning"],
        &[],
    );
    let (_sick, report) = of_sick(
        Hears(|command: &str, _| match command.strip_prefix("REST ") {
            Some(_) => Heard::As("REST 7".to_owned()),
            None => Heard::As(command.to_owned()),
        }),
        false,
    )
    .await;
    found(
        &report,
        Check::Rest,
        Verdict::Problem,
        &["other bytes"],
        &[],
    );
    let (_sick, report) = of_sick(answer("REST", "502 no"), false).await;
    found(&report, Check::Rest, Verdict::Notice, &["502 no"], &[]);
    let (_sick, report) = of_sick(answer("SIZE", "213 12"), false).await;
    found(
        &report,
        Check::Size,
        Verdict::Problem,
        &["12", "300 bytes"],
        &[],
    );
    let (_sick, report) = of_sick(answer("SIZE", "213 many"), false).await;
    found(&report, Check::Size, Verdict::Problem, &["no number"], &[]);
}

/// MDTM in a zone two hours from UTC.
fn local_time() -> impl Sickness {
    Says(|command: &str, line: &str| {
        match line
            .strip_prefix("213 ")
            .filter(|_| command.starts_with("MDTM"))
        {
            Some(time) => {
                let (time, _) = ftp_client::ftp_proto::parse_time(time.as_bytes()).unwrap();
                let later = time + Duration::from_secs(7200);
                format!("213 {}", ftp_client::ftp_proto::format_time(later))
            }
            None => line.to_owned(),
        }
    })
}

#[tokio::test]
async fn times_in_the_wrong_zone() {
    let (_sick, report) = of_sick(local_time(), false).await;
    found(
        &report,
        Check::Mdtm,
        Verdict::Problem,
        &["2 h 00 min apart"],
        &[],
    );
    let (_sick, report) = of_sick(local_time(), true).await;
    found(
        &report,
        Check::Clock,
        Verdict::Problem,
        &["2 h 00 min ahead", "time zone"],
        &[Check::SetTime],
    );
    found(
        &report,
        Check::SetTime,
        Verdict::Problem,
        &["2 h 00 min apart"],
        &[Check::Clock],
    );
    let (_sick, report) = of_sick(answer("MFMT", "213 done"), true).await;
    found(
        &report,
        Check::SetTime,
        Verdict::Problem,
        &["another one"],
        &[],
    );
    let (_sick, report) = of_sick(answer("MDTM", "213 tomorrow"), false).await;
    found(&report, Check::Mdtm, Verdict::Problem, &["no time"], &[]);
}

#[tokio::test]
async fn a_server_that_hears_one_command_at_a_time() {
    let (sick, report) = of_sick(
        Hears(|command: &str, pipelined| match pipelined {
            true => Heard::Silence,
            false => Heard::As(command.to_owned()),
        }),
        false,
    )
    .await;
    found(
        &report,
        Check::Pipelining,
        Verdict::Notice,
        &["one at a time"],
        &[],
    );
    drop(sick);
    let (_sick, report) = of_sick(
        Hears(|command: &str, pipelined| match pipelined {
            true => Heard::Answer("503 one by one".to_owned()),
            false => Heard::As(command.to_owned()),
        }),
        false,
    )
    .await;
    found(
        &report,
        Check::Pipelining,
        Verdict::Notice,
        &["one at a time"],
        &[],
    );
}

#[tokio::test]
async fn features_that_are_not_what_they_say() {
    let (_sick, report) = of_sick(answer("FEAT", "502 no"), false).await;
    found(
        &report,
        Check::Features,
        Verdict::Notice,
        &["502 no"],
        &[Check::Utf8, Check::Mlsd],
    );
    let (_sick, report) = of_sick(
        Says(|command: &str, line: &str| match command {
            "FEAT" => line.trim_start().to_owned(),
            _ => line.to_owned(),
        }),
        false,
    )
    .await;
    found(&report, Check::Features, Verdict::Notice, &["blank"], &[]);
    // A hash that is offered and wrong; MODE Z that is offered and does not pack.
    let feat = "211-Features:\r\n XMD5\r\n MODE Z\r\n MLST type*;size*;modify*;\r\n SIZE\r\n MDTM\r\n REST STREAM\r\n UTF8\r\n211 End";
    let (_sick, report) = of_sick(
        Hears(move |command: &str, _| match command {
            "FEAT" => Heard::Answer(feat.to_owned()),
            "MODE Z" => Heard::Answer("200 packing".to_owned()),
            _ if command.starts_with("XMD5") => {
                Heard::Answer("250 d41d8cd98f00b204e9800998ecf8427e".to_owned())
            }
            _ => Heard::As(command.to_owned()),
        }),
        false,
    )
    .await;
    found(
        &report,
        Check::Hashes,
        Verdict::Problem,
        &["MD5 is wrong"],
        &[Check::Compression],
    );
    found(
        &report,
        Check::Compression,
        Verdict::Problem,
        &["MODE Z"],
        &[Check::Hashes],
    );
}

#[tokio::test]
async fn writing_that_is_refused_or_mangled() {
    let (_sick, report) = of_sick(answer("MKD", "550 Permission denied"), true).await;
    found(
        &report,
        Check::Write,
        Verdict::Problem,
        &["550 Permission denied"],
        &[],
    );
    let (sick, report) = of_sick(
        Hears(|command: &str, _| Heard::As(command.replace('é', "?").replace('日', "_"))),
        true,
    )
    .await;
    found(
        &report,
        Check::Names,
        Verdict::Problem,
        &["it is listed as", "?-ü-_本.txt"],
        &[],
    );
    assert!(!sick.inside.has("/nothing").await);
    let left: Vec<_> = std::fs::read_dir(sick.inside.root()).unwrap().collect();
    assert_eq!(left.len(), 2, "{left:?}");
    // What it does not give back is named.
    let (_sick, report) = of_sick(answer("DELE", "550 mine now"), true).await;
    found(
        &report,
        Check::Cleanup,
        Verdict::Problem,
        &["550 mine now", "RMD /slipway-doctor-", "probe.bin"],
        &[],
    );
}

#[tokio::test]
async fn a_server_that_hangs_up_is_called_again() {
    let (_sick, report) = of_sick(
        Hears(|command: &str, _| match command {
            "SITE HELP" => Heard::HangUp,
            _ => Heard::As(command.to_owned()),
        }),
        false,
    )
    .await;
    found(
        &report,
        Check::Site,
        Verdict::Problem,
        &["the session broke"],
        &[],
    );
    assert_eq!(finding(&report, Check::Rest).verdict, Verdict::Good);
    let (_sick, report) = of_sick(
        Hears(|command: &str, _| match command {
            "QUIT" => Heard::HangUp,
            _ => Heard::As(command.to_owned()),
        }),
        false,
    )
    .await;
    found(
        &report,
        Check::Goodbye,
        Verdict::Notice,
        &["without a word"],
        &[],
    );
}

#[tokio::test]
async fn no_session_comes_about() {
    let secret = "530 PASS secret is not your password";
    for (script, kind, check) in [
        (
            Script::new().send("SSH-2.0-OpenSSH_9.2\r\n").expect_close(),
            ErrorKind::Protocol,
            Check::Greeting,
        ),
        (
            Script::new().say("421 too many").expect_close(),
            ErrorKind::Busy,
            Check::Greeting,
        ),
        (Script::new().close(), ErrorKind::Lost, Check::Greeting),
        (
            Script::logged_in()
                .expect("PASS *")
                .say(secret)
                .serve_rest(),
            ErrorKind::LoginRefused,
            Check::Login,
        ),
        (
            Script::logged_in().expect("USER *").close(),
            ErrorKind::Lost,
            Check::Login,
        ),
    ] {
        let peer = Peer::serve(script).await;
        let report = of(config(&peer), true).await;
        assert_eq!(
            report.failure.as_ref().unwrap().kind(),
            &kind,
            "{report:#?}"
        );
        let last = report.findings.last().unwrap();
        assert_eq!(
            (last.check, last.verdict),
            (check, Verdict::Problem),
            "{last}"
        );
        assert!(last.tell_admin.is_some(), "{last}");
        assert!(
            !format!("{:?}", report.findings).contains("secret"),
            "{report:#?}"
        );
    }
    let mut nobody = Config::new("127.0.0.1").with_port(closed_port());
    let report = of(nobody.clone(), false).await;
    assert_eq!(report.failure.as_ref().unwrap().kind(), &ErrorKind::Connect);
    assert!(
        finding(&report, Check::Tcp).what.contains("nobody listens"),
        "{report:#?}"
    );
    nobody.host = "no-such-name.invalid".to_owned();
    let report = of(nobody, false).await;
    assert_eq!(report.failure.as_ref().unwrap().kind(), &ErrorKind::Resolve);
    assert_eq!(finding(&report, Check::Resolve).verdict, Verdict::Problem);
}

#[tokio::test]
async fn encryption_that_is_missing_or_not_to_be_trusted() {
    // None, where it was wished: it goes on, since that was allowed.
    let sick = Sick::with(answer("AUTH", "500 never")).await;
    let report = of(sick.config().with_tls(TlsMode::Auto), false).await;
    assert_eq!(finding(&report, Check::Auth).verdict, Verdict::Problem);
    assert!(report.failure.is_none());
    // And not where it was demanded.
    let report = of(sick.config().with_tls(TlsMode::Explicit), false).await;
    assert_eq!(
        report.failure.as_ref().unwrap().kind(),
        &ErrorKind::TlsUnavailable
    );
    // A password is not sent without leave.
    let mut config = sick.config().with_tls(TlsMode::Auto);
    config.allow_plaintext = false;
    let report = of(config, false).await;
    assert_eq!(
        report.failure.as_ref().unwrap().kind(),
        &ErrorKind::PlaintextRefused
    );
    // A certificate that nobody trusts, and the same by its fingerprint.
    let server = OwnServer::start(Store::Memory, Tls::Explicit).await;
    let mut config = server.config();
    config.trust = Trust::default();
    let report = of(config.clone(), false).await;
    assert!(matches!(
        report.failure.as_ref().unwrap().kind(),
        ErrorKind::Certificate(_)
    ));
    let certificate = finding(&report, Check::Certificate);
    assert!(certificate.what.contains("sha256:"), "{certificate}");
    let Some(ErrorKind::Certificate(problem)) = report.failure.as_ref().map(|error| error.kind())
    else {
        unreachable!()
    };
    let pin: Fingerprint = problem.info.fingerprint;
    config.trust.pins.push(pin);
    let report = of(config, false).await;
    let certificate = finding(&report, Check::Certificate);
    assert_eq!(certificate.verdict, Verdict::Notice, "{certificate}");
    assert!(certificate.what.contains("fingerprint"), "{certificate}");
    // TLS from the first byte where there is none.
    let peer = Peer::serve(Script::new().say("220 plain").expect_close()).await;
    let mut config = config_tls(&peer, TlsMode::Implicit, &Authority::new());
    config.timeouts = Timeouts::all(Duration::from_secs(2));
    let report = of(config, false).await;
    assert_eq!(
        finding(&report, Check::Auth).verdict,
        Verdict::Problem,
        "{report:#?}"
    );
}

#[tokio::test]
async fn it_ends_whatever_the_server_does() {
    // Mute from some point on, wherever that is.
    for mute in ["FEAT", "PWD", "EPSV", "LIST", "MLSD", "RETR"] {
        let sick = Sick::with(Hears(move |command: &str, _| {
            match command.starts_with(mute) {
                true => Heard::Silence,
                false => Heard::As(command.to_owned()),
            }
        }))
        .await;
        let mut config = sick.config();
        config.timeouts = Timeouts::all(Duration::from_millis(300));
        let mut examination = Examination::new(config);
        examination.write = true;
        examination.limit = Duration::from_secs(5);
        let begin = Instant::now();
        let report = examine(examination, |_| {}).await;
        assert!(
            begin.elapsed() < Duration::from_secs(20),
            "{mute} {:?}",
            begin.elapsed()
        );
        assert!(
            report.count(Verdict::Problem) + report.count(Verdict::Notice) > 0,
            "{mute} {report:#?}"
        );
    }
    // Words without an end.
    for flood in [
        "211-more\r\n".repeat(200_000),
        "150 soon\r\n".repeat(200_000),
        "a".repeat(3_000_000),
    ] {
        let flood = flood.into_bytes();
        let peer = Peer::serve_each(vec![
            Script::logged_in()
                .expect("FEAT")
                .send(flood)
                .expect_close();
            1
        ])
        .await;
        let mut config = config(&peer);
        config.timeouts = Timeouts::all(Duration::from_secs(1));
        let mut examination = Examination::new(config);
        examination.limit = Duration::from_secs(10);
        let report = examine(examination, |_| {}).await;
        assert_eq!(finding(&report, Check::Features).verdict, Verdict::Problem);
        for finding in &report.findings {
            assert!(finding.what.len() < 2000, "{}", finding.what.len());
        }
    }
    // The limit of the whole, in the middle of writing: what was made is removed.
    let sick = Sick::with(Hears(|command: &str, _| {
        match command.starts_with("SIZE") {
            true => Heard::Silence,
            false => Heard::As(command.to_owned()),
        }
    }))
    .await;
    let mut examination = Examination::new(sick.config());
    examination.write = true;
    examination.limit = Duration::from_secs(2);
    let report = examine(examination, |_| {}).await;
    assert_eq!(
        finding(&report, Check::Limit).verdict,
        Verdict::Problem,
        "{report:#?}"
    );
    assert_eq!(
        finding(&report, Check::Cleanup).verdict,
        Verdict::Good,
        "{report:#?}"
    );
    assert_eq!(std::fs::read_dir(sick.inside.root()).unwrap().count(), 0);
}

#[tokio::test]
async fn real_servers_come_out_with_what_is_known_of_them() {
    for (server, tls) in engine_tests::each_server(|options| options.file("file.bin", vec![7; 300]))
    {
        server.adopt();
        let config = engine_tests::config_for(&server, tls);
        let report = of(config, true).await;
        let name = format!("{:?} {tls:?}", server.kind());
        for finding in &report.findings {
            println!("{name}: {finding}");
        }
        // Nobody is told of tickets twice.
        let mut odd: Vec<Check> = report
            .findings
            .iter()
            .filter(|finding| finding.verdict >= Verdict::Notice)
            .map(|finding| finding.check)
            .collect();
        odd.dedup();
        // No TLS; no MLSD; TLS 1.3 tickets that run dry, or are not taken at all.
        let mut known = match tls {
            Tls::Off => vec![Check::Auth, Check::Login],
            _ => Vec::new(),
        };
        match (server.kind(), tls) {
            (Kind::Vsftpd, _) => known.extend([Check::Features, Check::Mlsd]),
            (Kind::ProFtpd | Kind::PureFtpd, Tls::Explicit | Tls::Implicit) => {
                known.push(Check::Resumption)
            }
            _ => {}
        }
        assert_eq!(odd, known, "{name}: {report:#?}");
        assert!(report.is_healthy(), "{name}");
        assert_eq!(
            std::fs::read_dir(server.root()).unwrap().count(),
            1,
            "{name}"
        );
        let expected = [
            Check::Epsv,
            Check::Pasv,
            Check::Active,
            Check::List,
            Check::Rest,
            Check::Names,
            Check::SetTime,
            Check::Clock,
            Check::Cleanup,
            Check::Pipelining,
        ];
        for check in expected {
            assert_eq!(
                finding(&report, check).verdict,
                Verdict::Good,
                "{name} {check}"
            );
        }
    }
}
