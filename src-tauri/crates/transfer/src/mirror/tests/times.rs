//! Whether two files are the same.

use super::super::ask::time_of;
use super::super::equal::{Verdict, files};
use super::*;
use crate::HashAlgorithm;
use ftp_client::ftp_proto::Reply;
use proptest::prelude::*;

const DAY: i64 = 86_400;

fn file(modified: Option<Modified>) -> Node {
    Node {
        modified,
        ..node(On::Disk, "f", NodeKind::File)
    }
}

fn verdict(source: Modified, target: Modified, keeps_times: bool) -> Verdict {
    let options = MirrorOptions::default();
    files(
        &file(Some(source)),
        &file(Some(target)),
        &options,
        keeps_times,
    )
}

fn why(verdict: Verdict) -> Option<&'static str> {
    match verdict {
        Verdict::Same(_) => None,
        Verdict::Copy(reason) => Some(match reason.why {
            Why::Newer { .. } => "newer",
            Why::Older { .. } => "older",
            Why::TimeUnknown => "unknown",
            Why::HashDiffers(_) => "hash",
            Why::HashUnknown => "no hash",
            Why::SizeDiffers { .. } => "size",
            Why::SizeUnknown => "no size",
            other => panic!("{other:?}"),
        }),
    }
}

fn assumed(verdict: Verdict) -> Option<Assumed> {
    match verdict {
        Verdict::Same(assumed) => assumed,
        Verdict::Copy(reason) => reason.assumed,
    }
}

#[test]
fn times_of_the_same_precision() {
    for (source, target, expected) in [
        (100, 100, None),
        (101, 100, None), // The tolerance.
        (102, 100, Some("newer")),
        (100, 102, Some("older")),
        (-100, -102, Some("newer")),
    ] {
        let result = verdict(at(source), at(target), true);
        assert_eq!(why(result), expected, "{source} {target}");
        assert_eq!(assumed(result), None);
    }
    // A target that has the time of its arrival.
    assert_eq!(why(verdict(at(102), at(100), false)), Some("newer"));
    let older = verdict(at(100), at(102), false);
    assert_eq!(older, Verdict::Same(Some(Assumed::NewerOnly)));
}

#[test]
fn parts_of_a_second_are_no_difference() {
    let disk = Modified {
        timestamp: "2024-05-06T07:08:09.999999999Z".parse().unwrap(),
        precision: Precision::Milli,
        zone_known: true,
    };
    let server = at(disk.timestamp.as_second());
    let options = MirrorOptions {
        time_tolerance: Duration::ZERO,
        ..MirrorOptions::default()
    };
    for (one, other) in [(disk, server), (server, disk)] {
        let result = files(&file(Some(one)), &file(Some(other)), &options, true);
        assert_eq!(result, Verdict::Same(None));
    }
}

#[test]
fn the_coarser_precision_counts() {
    let minute = |second| stamp(second, Precision::Minute, true);
    let day = |second| stamp(second, Precision::Day, true);
    for (source, target, expected, assumption) in [
        (at(119), minute(60), None, Assumed::Minutes),
        (minute(60), at(119), None, Assumed::Minutes),
        (at(120), minute(60), Some("newer"), Assumed::Minutes),
        (at(59), minute(60), Some("older"), Assumed::Minutes),
        (at(-1), minute(-60), None, Assumed::Minutes),
        (at(DAY + 5), day(DAY), None, Assumed::Days),
        (at(2 * DAY), day(DAY), Some("newer"), Assumed::Days),
    ] {
        let result = verdict(source, target, true);
        assert_eq!(why(result), expected, "{source:?} {target:?}");
        assert_eq!(assumed(result), Some(assumption));
    }
}

#[test]
fn a_zone_that_nobody_knows() {
    let unknown = |second| stamp(second, Precision::Minute, false);
    let far = 30 * 3600;
    for (source, target, keeps, expected) in [
        // It may be the same moment, or not: better once too often.
        (at(0), unknown(0), true, Some("unknown")),
        (at(0), unknown(14 * 3600), true, Some("unknown")),
        (at(far), unknown(0), true, Some("newer")),
        (at(0), unknown(far), true, Some("older")),
        (at(0), unknown(far), false, None),
        (unknown(far), at(0), true, Some("newer")),
        // A download from there did not get that time.
        (unknown(0), at(far), true, None),
    ] {
        let result = verdict(source, target, keeps);
        assert_eq!(why(result), expected, "{source:?} {target:?}");
    }
    assert_eq!(
        assumed(verdict(at(far), unknown(0), true)),
        Some(Assumed::AnyZone)
    );
}

#[test]
fn what_is_not_known() {
    let options = MirrorOptions::default();
    let result = files(&file(None), &file(Some(at(0))), &options, true);
    assert_eq!(why(result), Some("unknown"));
    let mut nameless = file(Some(at(0)));
    nameless.size = None;
    let result = files(&nameless, &file(Some(at(0))), &options, true);
    assert_eq!(result, Verdict::Same(Some(Assumed::NoSize)));
    let only_size = MirrorOptions {
        compare: "size".parse().unwrap(),
        ..options
    };
    let result = files(&nameless, &file(None), &only_size, true);
    assert_eq!(why(result), Some("no size"));
    let result = files(&file(None), &file(None), &only_size, true);
    assert_eq!(result, Verdict::Same(None));
}

#[test]
fn hashes_are_worth_more_than_times() {
    let hashed = |second, algorithm, hash: &str| Node {
        hash: Some((algorithm, hash.into())),
        ..file(Some(at(second)))
    };
    let with = |compare: &str| MirrorOptions {
        compare: compare.parse().unwrap(),
        ..MirrorOptions::default()
    };
    let (a, b) = (HashAlgorithm::Sha256, HashAlgorithm::Md5);
    let all = with("size,time,hash");
    for (source, target, options, expected) in [
        (hashed(0, a, "AB"), hashed(99, a, "ab"), &all, None),
        (hashed(0, a, "ab"), hashed(0, a, "ac"), &all, Some("hash")),
        (hashed(0, a, "ab"), hashed(99, b, "ab"), &all, Some("older")),
        (file(Some(at(9))), hashed(0, a, "ab"), &all, Some("newer")),
        (file(Some(at(0))), file(Some(at(0))), &all, None),
        (
            file(Some(at(0))),
            file(Some(at(0))),
            &with("hash"),
            Some("no hash"),
        ),
    ] {
        let result = files(&source, &target, options, true);
        assert_eq!(why(result), expected, "{source:?} {target:?}");
    }
    let result = files(&file(Some(at(0))), &file(Some(at(0))), &all, true);
    assert_eq!(assumed(result), Some(Assumed::NoHash));
}

#[test]
fn what_is_asked() {
    let mut remote = tree(
        On::Server,
        &["a 1 0", "b 1 0", "c 1 0", "d 1 0", "e/", "f 1 0", "x !"],
    );
    let local = tree(
        On::Disk,
        &["a 1 0", "b 2 0", "c 1 0", "e 1 0", "f 1 0", "x 1 0"],
    );
    for key in ["a", "b", "d", "x"] {
        let node = remote.nodes.get_mut(key.as_bytes()).unwrap();
        node.modified = Some(stamp(0, Precision::Minute, false));
    }
    remote.nodes.get_mut(b"f".as_slice()).unwrap().modified = None;
    let with = |compare: &str| MirrorOptions {
        compare: compare.parse().unwrap(),
        ..MirrorOptions::default()
    };
    let asked = |compare: &str| {
        let questions = questions(&remote, &local, &with(compare));
        (questions.times(), questions.hashes())
    };
    // `b` differs in size, `c` is exact, `d` is missing here, `e` is a folder there, `x` is left out.
    assert_eq!(asked("size,time"), (2, 0));
    assert_eq!(asked("time"), (3, 0));
    assert_eq!(asked("size"), (0, 0));
    assert_eq!(asked("size,time,hash"), (2, 3));
}

#[test]
fn answers_to_mdtm() {
    let time = |code, text: &str| time_of(&Reply::new(code, text));
    assert_eq!(
        time(213, "19700101000001").unwrap(),
        stamp(1, Precision::Second, true)
    );
    assert!(time(213, "19700101000001.5").is_some());
    for (code, text) in [
        (213, ""),
        (213, "yesterday"),
        (213, "19700101"),
        (550, "19700101000001"),
    ] {
        assert!(time(code, text).is_none(), "{code} {text}");
    }
}

fn any_stamp() -> impl Strategy<Value = Modified> {
    let precision = prop_oneof![
        Just(Precision::Day),
        Just(Precision::Minute),
        Just(Precision::Second),
        Just(Precision::Milli)
    ];
    (-200_000i64..200_000, precision, any::<bool>()).prop_map(|(s, p, z)| stamp(s, p, z))
}

proptest! {
    #[test]
    fn source_and_target_are_told_apart(source in any_stamp(), target in any_stamp()) {
        let (one, other) = (verdict(source, target, true), verdict(target, source, true));
        let mirrored = match why(one) {
            Some("newer") => Some("older"),
            Some("older") => Some("newer"),
            same => same,
        };
        // Where a source's zone is unknown, it counts only if it is newer.
        if source.zone_known && target.zone_known {
            prop_assert_eq!(mirrored, why(other));
        } else {
            prop_assert!(!(why(one) == Some("newer") && why(other) == Some("newer")));
        }
    }

    #[test]
    fn what_is_surely_newer_is_copied(source in any_stamp(), later in 0i64..100_000, zone: bool, keeps: bool) {
        // A day that the precision takes away, and the widest difference of zones.
        let target = source.timestamp.as_second() - 24 * 3600 - 28 * 3600 - later;
        let target = stamp(target, Precision::Minute, zone);
        prop_assert_eq!(why(verdict(source, target, keeps)), Some("newer"));
    }
}
