//! What is made of a listing as a whole: the rows L1 to L3 and L11 of docs/quirks.md, and STAT where no data connection comes about.
#![allow(clippy::unwrap_used, unused_crate_dependencies)]

use std::time::Duration;

use engine_tests::{
    Log, connect, path,
    scripted::{client_of, config, sends},
};
use ftp_client::{
    Client, ErrorKind, ListCommand,
    ftp_proto::{format_time, listing::Entry, listing::Line},
};
use jiff::{Timestamp, tz::TimeZone};
use support::{Gate, Peer, Script};

/// A server without MLSD, of no known kind.
fn old(feat: &str) -> Script {
    let feat = format!("211-Features:\r\n EPSV\r\n {feat}\r\n211 End");
    Script::logged_in().answering(&[("FEAT", &feat)])
}

async fn entries(client: &Client) -> Vec<Entry> {
    let listing = client.list(Some(&path("/d"))).await.unwrap();
    let (entries, unparsed) = listing.collect().await.unwrap();
    assert!(unparsed.is_empty(), "{unparsed:?}");
    entries
}

fn names(entries: &[Entry]) -> Vec<String> {
    let name = |entry: &Entry| String::from_utf8_lossy(&entry.name).into_owned();
    entries.iter().map(name).collect()
}

fn count(log: &Log, command: &str) -> usize {
    let of = |line: &&String| line.as_str() == command || line.starts_with(&format!("{command} "));
    log.sent().iter().filter(of).count()
}

const DOT: &str = "drwxr-xr-x 1 a b 5 Jan  1  2020 .\r\n";
const F: &str = "-rw-r--r-- 1 a b 5 Jan  1  2020 f\r\n";
const G: &str = "-rw-r--r-- 1 a b 5 Jan  1  2020 g\r\n";

/// L1: said instead of 150, or after it.
#[tokio::test]
async fn nothing_found_is_an_empty_folder() {
    for said in [
        "550 No members found.",
        "550 No data sets found.",
        "550 No files found.",
        "450 No files found",
        "550 Directory is empty",
        "450 /d: The folder is empty",
        "226 nothing to list",
    ] {
        let after = Script::new()
            .expect("LIST*")
            .say("150 looking")
            .accept_data()
            .close_data()
            .say(said)
            .serve_rest();
        for script in [
            old("SIZE").answering(&[("LIST*", said)]).serve_rest(),
            old("SIZE")
                .answering(&[("LIST", said)])
                .then(after)
                .serve_rest(),
        ] {
            let (_peer, client, log) = client_of(script).await;
            assert!(entries(&client).await.is_empty(), "{said}\n{}", log.all());
            client.noop().await.unwrap();
        }
    }
    // Others are errors, before the 150 and after it, and so are these words behind lines that did come.
    for (said, content) in [
        ("550 Permission denied", ""),
        ("451 disk", ""),
        ("550 No files found", F),
        ("550 No such directory: no files", ""),
    ] {
        let script = old("SIZE").then(
            Script::new()
                .expect("LIST*")
                .say("150 looking")
                .accept_data()
                .send_data(content)
                .close_data()
                .say(said),
        );
        let (_peer, client, _) = client_of(script.serve_rest()).await;
        let listing = client.list(Some(&path("/d"))).await.unwrap();
        listing.collect().await.unwrap_err();
        client.noop().await.unwrap();
    }
}

/// L2: ProFTPD does so.
#[tokio::test]
async fn a_reset_of_an_nlst_that_finds_nothing_is_its_end() {
    for (content, fine) in [("", true), ("f\r\n", false)] {
        let script = old("SIZE")
            .expect("NLST")
            .say("150 looking")
            .accept_data()
            .send_data(content)
            .reset_data()
            .say("226 done")
            .serve_rest();
        let (_peer, client, _) = client_of(script).await;
        let listing = client.list_by(None, Some(ListCommand::Nlst)).await.unwrap();
        assert_eq!(listing.collect().await.is_ok(), fine, "{content:?}");
        client.noop().await.unwrap();
    }
    // One that says no after it is believed.
    let script = old("SIZE")
        .expect("NLST")
        .say("150 looking")
        .accept_data()
        .reset_data()
        .say("426 it broke")
        .serve_rest();
    let (_peer, client, _) = client_of(script).await;
    let listing = client.list_by(None, Some(ListCommand::Nlst)).await.unwrap();
    let error = listing.collect().await.unwrap_err();
    assert_eq!(error.received().unwrap().value(), 426);
}

/// L3: fewer entries with `-a` than without.
#[tokio::test]
async fn list_all_that_hides_something_is_given_up() {
    for (all, plain, again, given) in [
        // `-a` was taken for a pattern, or for the wish for something else.
        (F, [F, G].concat(), "LIST", vec!["f", "g"]),
        ("", F.to_owned(), "LIST", vec!["f"]),
        // It is understood, by a server that leaves the dots out.
        (&[F, G].concat(), F.to_owned(), "LIST -a", vec!["f", "g"]),
        (F, F.to_owned(), "LIST -a", vec!["f"]),
    ] {
        let script = old("SIZE")
            .then(sends("LIST -a", all))
            .then(sends("LIST", plain.clone()))
            .then(sends(
                again,
                if again == "LIST" {
                    plain
                } else {
                    all.to_owned()
                },
            ))
            .serve_rest();
        let (peer, client, log) = client_of(script).await;
        for _ in 0..2 {
            assert_eq!(names(&entries(&client).await), given, "{}", log.all());
        }
        client.quit().await.unwrap();
        peer.finish().await;
    }
}

/// L3: the dots that only `-a` brings are proof enough.
#[tokio::test]
async fn list_all_that_brings_the_dots_is_believed() {
    let script = old("SIZE")
        .then(sends("LIST -a", [DOT, F].concat()))
        .then(sends("LIST -a", F))
        .serve_rest();
    let (_peer, client, log) = client_of(script).await;
    for _ in 0..2 {
        assert_eq!(names(&entries(&client).await), ["f"]);
    }
    assert_eq!(count(&log, "LIST"), 2, "{}", log.all());
    // That a second opinion isn't to be had is no failure.
    let script = old("SIZE")
        .then(sends("LIST -a", F))
        .answering(&[("LIST", "550 no")]);
    let (_peer, client, _) = client_of(script.serve_rest()).await;
    assert_eq!(names(&entries(&client).await), ["f"]);
}

fn moment(days: i64) -> Timestamp {
    let second = Timestamp::now().as_second() - days * 86_400;
    Timestamp::from_second(second / 60 * 60 + 33).unwrap()
}

/// A line as `ls` writes it on a server whose wall clock is so many minutes ahead.
fn line(name: &str, at: Timestamp, ahead: i64) -> String {
    let local = Timestamp::from_second(at.as_second() + ahead * 60).unwrap();
    let local = TimeZone::UTC.to_datetime(local);
    format!(
        "-rw-r--r-- 1 a b 5 {} {name}\r\n",
        local.strftime("%b %e %H:%M")
    )
}

fn minute(at: Timestamp) -> i64 {
    at.as_second() / 60
}

/// L11.
#[tokio::test]
async fn one_mdtm_tells_the_zone_of_a_server_for_good() {
    for ahead in [0, 120, -300, 345, 840] {
        let (first, second) = (moment(10), moment(20));
        let listing = [
            DOT.to_owned(),
            line("first", first, ahead),
            line("second", second, ahead),
            "-rw-r--r-- 1 a b 5 Jan  1  2020 old\r\n".to_owned(),
        ]
        .concat();
        let exact = format!("213 {}", format_time(first));
        let script = |asked: bool| {
            let script = old("MDTM").then(sends("LIST -a", listing.clone()));
            let script = match asked {
                true => script.expect("MDTM /d/first").say(&exact),
                false => script,
            };
            script.then(sends("LIST -a", listing.clone())).serve_rest()
        };
        let peer = Peer::serve_each(vec![script(true), script(false)]).await;
        let config = config(&peer);
        for session in 0..2 {
            let (client, log) = connect(config.clone()).await.unwrap();
            for _ in 0..2 {
                let all = entries(&client).await;
                assert_eq!(names(&all), ["first", "second", "old"]);
                for (entry, at) in all.iter().zip([first, second]) {
                    let modified = entry.modified.unwrap();
                    assert!(modified.zone_known, "{}", log.all());
                    assert_eq!(
                        minute(modified.timestamp),
                        minute(at),
                        "{ahead}\n{}",
                        log.all()
                    );
                }
                // A day is no moment.
                assert!(!all[2].modified.unwrap().zone_known);
            }
            assert_eq!(count(&log, "MDTM"), usize::from(session == 0));
            client.quit().await.unwrap();
        }
        peer.finish_all().await;
    }
}

/// L11: what can't be a zone is none, and nobody is asked twice in a session.
#[tokio::test]
async fn an_mdtm_that_means_something_else_tells_nothing() {
    let at = moment(10);
    let later = |minutes: i64| {
        let second = at.as_second() + minutes * 60;
        format!(
            "213 {}",
            format_time(Timestamp::from_second(second).unwrap())
        )
    };
    for answer in [
        "213 00010101000000".to_owned(),
        "213 19700101000000".to_owned(),
        // Written to in between.
        later(7),
        later(51 * 60),
        "213 soon".to_owned(),
        "550 no such file".to_owned(),
        "500 MDTM?".to_owned(),
    ] {
        let listing = [DOT.to_owned(), line("f", at, 120)].concat();
        let script = old("MDTM")
            .then(sends("LIST -a", listing.clone()))
            .expect("MDTM /d/f")
            .say(&answer)
            .then(sends("LIST -a", listing))
            .serve_rest();
        let (peer, client, log) = client_of(script).await;
        for _ in 0..2 {
            let modified = entries(&client).await[0].modified.unwrap();
            assert!(!modified.zone_known, "{answer}");
            assert_eq!(
                minute(modified.timestamp),
                minute(at) + 120,
                "{}",
                log.all()
            );
        }
        client.quit().await.unwrap();
        peer.finish().await;
    }
    // Nothing to ask about, or nobody to ask.
    for (feat, listing) in [
        ("SIZE", line("f", at, 0)),
        ("MDTM", "-rw-r--r-- 1 a b 5 Jan  1  2020 f\r\n".to_owned()),
        ("MDTM", line("f", at, 0).replace("-rw", "drw")),
    ] {
        let script = old(feat).then(sends("LIST -a", [DOT.to_owned(), listing].concat()));
        let (_peer, client, log) = client_of(script.serve_rest()).await;
        assert_eq!(entries(&client).await.len(), 1);
        assert_eq!(count(&log, "MDTM"), 0);
    }
}

/// L11: a long listing isn't kept from anybody until its end.
#[tokio::test]
async fn a_long_first_listing_is_not_held_back() {
    let gate = Gate::new();
    let many: String = (0..11_000)
        .map(|n| line(&n.to_string(), moment(10), 0))
        .collect();
    let script = old("MDTM").then(
        Script::new()
            .expect("LIST -a")
            .say("150 here")
            .accept_data()
            .send_data(many)
            .wait_for(&gate)
            .send_data(line("last", moment(10), 0))
            .close_data()
            .say("226 done"),
    );
    let (_peer, client, log) = client_of(script.serve_rest().within(Duration::from_secs(60))).await;
    let mut listing = client.list(None).await.unwrap();
    for n in 0..11_000 {
        let Some(Line::Entry(entry)) = listing.next().await.unwrap() else {
            panic!("{n}")
        };
        assert_eq!(entry.name, n.to_string().as_bytes());
    }
    gate.open();
    let Some(Line::Entry(entry)) = listing.next().await.unwrap() else {
        panic!()
    };
    assert_eq!(entry.name, b"last");
    assert_eq!(listing.next().await.unwrap(), None);
    assert_eq!(count(&log, "MDTM"), 0);
}

/// What has come of a listing that is held back is shown before its failure.
#[tokio::test]
async fn a_first_listing_that_breaks_off_shows_what_it_has() {
    let script = old("MDTM").then(
        Script::new()
            .expect("LIST -a")
            .say("150 here")
            .accept_data()
            .send_data([F, G].concat())
            .close_data()
            .say("451 my disk"),
    );
    let (_peer, client, _) = client_of(script.serve_rest()).await;
    let mut listing = client.list(None).await.unwrap();
    for name in [b"f", b"g"] {
        let Some(Line::Entry(entry)) = listing.next().await.unwrap() else {
            panic!()
        };
        assert_eq!(entry.name, name);
    }
    let error = listing.next().await.unwrap_err();
    assert_eq!(error.received().unwrap().value(), 451);
    assert_eq!(listing.next().await.unwrap(), None);
}

/// A listing whose reading was given up in the middle, again and again, comes whole.
#[tokio::test]
async fn dropping_the_next_line_loses_nothing() {
    let (at, gate) = (moment(10), Gate::new());
    let script = old("MDTM")
        .then(sends(
            "LIST -a",
            [DOT.to_owned(), line("f", at, 60)].concat(),
        ))
        .expect("MDTM /d/f")
        .wait_for(&gate)
        .say(&format!("213 {}", format_time(at)))
        .serve_rest();
    let (_peer, client, _) = client_of(script).await;
    let mut listing = client.list(Some(&path("/d"))).await.unwrap();
    for _ in 0..20 {
        let early = tokio::time::timeout(Duration::from_millis(5), listing.next()).await;
        assert!(early.is_err(), "{early:?}");
    }
    gate.open();
    let Some(Line::Entry(entry)) = listing.next().await.unwrap() else {
        panic!()
    };
    assert_eq!(minute(entry.modified.unwrap().timestamp), minute(at));
    assert_eq!(listing.next().await.unwrap(), None);
}

/// Where no data connection comes about, STAT lists over the control connection.
#[tokio::test]
async fn stat_lists_where_no_data_connection_comes_about() {
    let plain = format!("213-Status of /d:\r\n total 3\r\n {DOT} {F} {G}213 End");
    let coded = format!("212-/d\r\n212-{F}212-{G}212 End");
    for text in [plain, coded] {
        let script = old("SIZE").answering(&[
            ("LIST*", "425 can't"),
            ("MLSD*", "425 can't"),
            ("EPSV", "425 can't"),
            ("PASV", "425 can't"),
            ("EPRT *", "425 can't"),
            ("PORT *", "425 can't"),
            ("STAT /d", &text),
        ]);
        let (_peer, client, log) = client_of(script.clone().serve_rest()).await;
        assert_eq!(names(&entries(&client).await), ["f", "g"], "{}", log.all());
        // On demand, without trying anything else.
        let (_peer, client, log) = client_of(script.serve_rest()).await;
        let listing = client
            .list_by(Some(&path("/d")), Some(ListCommand::Stat))
            .await;
        let (found, _) = listing.unwrap().collect().await.unwrap();
        assert_eq!(names(&found), ["f", "g"]);
        assert_eq!(count(&log, "EPSV"), 0);
    }
    // Where STAT says nothing of use, the reason is the data connection.
    let script = old("SIZE").answering(&[
        ("EPSV", "425 can't"),
        ("PASV", "425 can't"),
        ("EPRT *", "425 can't"),
        ("PORT *", "425 can't"),
        ("STAT *", "211 all is well"),
    ]);
    let (_peer, client, _) = client_of(script.serve_rest()).await;
    let error = client.list(None).await.err().unwrap();
    assert_ne!(*error.kind(), ErrorKind::Unsupported, "{error}");
}
