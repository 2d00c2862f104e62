#![allow(clippy::unwrap_used)]

use super::*;
use jiff::tz::TimeZone;
use proptest::prelude::*;

fn table(text: &str) -> Timetable {
    text.parse().unwrap()
}

fn at(text: &str) -> DateTime {
    text.parse().unwrap()
}

fn change(text: &str, now: &str) -> Option<String> {
    let now: Zoned = now.parse().unwrap();
    let next = table(text).next_change(&now)?;
    Some(next.to_zoned(now.time_zone().clone()).to_string())
}

// 2024-05-06 is a Monday.

#[test]
fn limits_at_times() {
    let t = table("08:00-18:00 512K, mon-fri 22:00-06:00 off, sat/sun 1M");
    for (time, limit) in [
        ("2024-05-06T07:59:59", None),
        ("2024-05-06T08:00:00", Some(Some(512 * 1024))),
        ("2024-05-06T17:59:59", Some(Some(512 * 1024))),
        ("2024-05-06T18:00:00", None),
        ("2024-05-06T22:00:00", Some(None)),
        ("2024-05-07T05:59:00", Some(None)),
        // Friday's night goes on into Saturday, Sunday's is none.
        ("2024-05-11T03:00:00", Some(None)),
        ("2024-05-11T07:00:00", Some(Some(1024 * 1024))),
        ("2024-05-12T23:00:00", Some(Some(1024 * 1024))),
        ("2024-05-13T03:00:00", None),
    ] {
        assert_eq!(t.limit_at(at(time)), limit, "{time}");
    }
    assert_eq!(table("").limit_at(at("2024-05-06T00:00:00")), None);
    assert!(table(" ").is_empty());
}

#[test]
fn the_first_that_fits_decides() {
    let t = table("fri 12:00-13:00 off, 10K");
    assert_eq!(t.limit_at(at("2024-05-10T12:30:00")), Some(None));
    assert_eq!(t.limit_at(at("2024-05-09T12:30:00")), Some(Some(10240)));
}

#[test]
fn written_as_it_is_read() {
    for (text, written) in [
        (
            "8:00-18:00 512k,Mon-Fri 22:00-6:00 OFF",
            "08:00-18:00 512K, mon-fri 22:00-06:00 off",
        ),
        ("sat,sun 10:00-24:00 1.5MiB/s", "sat/sun 10:00-24:00 1.5M"),
        ("fri-mon 100", "mon/fri-sun 100"),
        ("monday/wed 00:00-24:00 1g", "mon/wed 1G"),
        ("mon-sun 12:00-12:00 1000", "12:00-12:00 1000"),
        ("00:00-00:00 1K", "1K"),
        ("22:00-00:00 1K", "22:00-24:00 1K"),
        ("", ""),
    ] {
        assert_eq!(table(text).to_string(), written);
        assert_eq!(table(written), table(text));
    }
    let json = serde_json::to_string(&table("mon 1K")).unwrap();
    assert_eq!(json, "\"mon 1K\"");
    assert_eq!(
        serde_json::from_str::<Timetable>(&json).unwrap(),
        table("mon 1K")
    );
    assert!(serde_json::from_str::<Timetable>("\"mon\"").is_err());
}

#[test]
fn what_is_no_timetable() {
    let many = vec!["1K"; 101].join(",");
    for (text, entry) in [
        ("08:00-18:00", "08:00-18:00"),
        ("08:00 1K", "08:00 1K"),
        ("25:00-26:00 1K", "25:00-26:00 1K"),
        ("24:00-01:00 1K", "24:00-01:00 1K"),
        ("08:60-09:00 1K", "08:60-09:00 1K"),
        ("8:0-9:00 1K", "8:0-9:00 1K"),
        ("+8:00-9:00 1K", "+8:00-9:00 1K"),
        ("1K,,2K", ""),
        ("1K,", ""),
        ("mon", "mon"),
        ("mon, 1K", "1K"),
        ("mo 1K", "mo 1K"),
        ("mon tue 1K", "mon tue 1K"),
        ("10:00-12:00 mon 1K", "10:00-12:00 mon 1K"),
        ("0", "0"),
        ("1K, x", "x"),
        (many.as_str(), "1K"),
    ] {
        let error = text.parse::<Timetable>().unwrap_err();
        assert_eq!(error.entry, entry, "{text}: {error}");
    }
}

#[test]
fn rates() {
    for (text, rate) in [
        ("1", Some(1)),
        ("512K", Some(512 * 1024)),
        ("512kb/s", Some(512 * 1024)),
        ("1.5M", Some(1_572_864)),
        ("0.5k", Some(512)),
        ("2GiB", Some(2 << 30)),
        (" 3t ", Some(3 << 40)),
        ("900 ", Some(900)),
        ("18446744073709551615", Some(u64::MAX)),
        ("off", None),
        ("Unlimited", None),
    ] {
        assert_eq!(parse_rate(text), Ok(rate), "{text}");
    }
    for bad in [
        "",
        "0",
        "0.0001K",
        "-1",
        "1e3",
        "K",
        ".5K",
        "5.K",
        "1KK",
        "1.2.3",
        "5i",
        "5iB",
        "18446744073709551616",
        "99999999999T",
        "1 K",
        "\u{664}",
        "/s",
    ] {
        assert_eq!(
            parse_rate(bad),
            Err(RateError { text: bad.into() }),
            "{bad}"
        );
    }
}

#[test]
fn changes() {
    let text = "08:00-18:00 512K, mon-fri 22:00-06:00 off";
    for (now, next) in [
        (
            "2024-05-06T07:00:00+00:00[UTC]",
            "2024-05-06T08:00:00+00:00[UTC]",
        ),
        (
            "2024-05-06T08:00:00+00:00[UTC]",
            "2024-05-06T18:00:00+00:00[UTC]",
        ),
        (
            "2024-05-06T23:00:00+00:00[UTC]",
            "2024-05-07T06:00:00+00:00[UTC]",
        ),
        // On Sunday nothing happens at 22:00.
        (
            "2024-05-12T18:00:00+00:00[UTC]",
            "2024-05-13T08:00:00+00:00[UTC]",
        ),
    ] {
        assert_eq!(change(text, now).as_deref(), Some(next), "{now}");
    }
    let now = "2024-05-06T07:00:00+00:00[UTC]";
    assert_eq!(change("", now), None);
    assert_eq!(change("1K", now), None);
    // Two entries that say the same are no change.
    assert_eq!(change("00:00-12:00 1K, 12:00-24:00 1K", now), None);
    assert_eq!(
        change("mon 00:00-07:00 1K", now).as_deref(),
        Some("2024-05-13T00:00:00+00:00[UTC]")
    );
}

#[test]
fn clocks_that_are_changed() {
    // In Berlin 02:00 to 03:00 was left out on 2024-03-31, and came twice on 2024-10-27.
    for (text, now, next) in [
        (
            "02:30-04:00 1K",
            "2024-03-31T01:00:00+01:00[Europe/Berlin]",
            "2024-03-31T03:00:00+02:00[Europe/Berlin]",
        ),
        (
            "02:30-02:45 1K",
            "2024-03-31T01:00:00+01:00[Europe/Berlin]",
            "2024-04-01T02:30:00+02:00[Europe/Berlin]",
        ),
        (
            "01:00-02:30 1K",
            "2024-10-27T01:30:00+02:00[Europe/Berlin]",
            "2024-10-27T02:30:00+02:00[Europe/Berlin]",
        ),
        (
            "01:00-02:30 1K",
            "2024-10-27T02:30:00+02:00[Europe/Berlin]",
            "2024-10-27T02:00:00+01:00[Europe/Berlin]",
        ),
        (
            "01:00-02:30 1K",
            "2024-10-27T02:10:00+01:00[Europe/Berlin]",
            "2024-10-27T02:30:00+01:00[Europe/Berlin]",
        ),
    ] {
        assert_eq!(change(text, now).as_deref(), Some(next), "{text} {now}");
    }
}

#[test]
fn the_end_of_time() {
    let last = Timestamp::MAX.to_zoned(TimeZone::UTC);
    assert_eq!(table("08:00-09:00 1K").next_change(&last), None);
    let first = Timestamp::MIN.to_zoned(TimeZone::UTC);
    assert!(table("08:00-09:00 1K").next_change(&first).is_some());
}

fn entry() -> impl Strategy<Value = String> {
    let days = prop_oneof![
        Just(""),
        Just("mon-fri "),
        Just("sat/sun "),
        Just("thu-tue "),
        Just("wed ")
    ];
    (days, 0u16..1440, 0u16..=1440, any::<bool>(), 0u64..5).prop_map(
        |(days, from, to, whole, rate)| {
            let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
            let times = if whole {
                String::new()
            } else {
                format!("{}-{} ", clock(from), clock(to))
            };
            let rate = if rate == 0 {
                "off".to_owned()
            } else {
                format!("{rate}00")
            };
            format!("{days}{times}{rate}")
        },
    )
}

proptest! {
    #[test]
    fn nothing_is_too_strange(text in "[0-9:, kKmontuefrisa/.-]{0,40}", other: String) {
        for text in [text, other] {
            if let Ok(table) = text.parse::<Timetable>() {
                prop_assert_eq!(table.to_string().parse::<Timetable>().unwrap(), table);
            }
            let _ = parse_rate(&text);
        }
    }

    #[test]
    fn rates_come_back(rate in 1u64.., shift in 0u32..50) {
        for rate in [rate, (rate >> 30 << shift).max(1)] {
            prop_assert_eq!(parse_rate(&format_rate(Some(rate))), Ok(Some(rate)));
        }
    }

    #[test]
    fn changes_are_where_they_are_said_to_be(
        entries in proptest::collection::vec(entry(), 1..4),
        second in 1_700_000_000i64..1_740_000_000,
        zone in prop_oneof![Just("UTC"), Just("Europe/Berlin"), Just("America/New_York"), Just("Australia/Lord_Howe")],
    ) {
        let table = table(&entries.join(", "));
        prop_assert_eq!(&table, &table.to_string().parse::<Timetable>().unwrap());
        let zone = TimeZone::get(zone).unwrap();
        let now = Timestamp::from_second(second).unwrap();
        let says = |time: Timestamp| table.limit_at(zone.to_datetime(time));
        let next = table.next_change(&now.to_zoned(zone.clone()));
        // By looking every minute, for two weeks.
        let minute = |n: i64| Timestamp::from_second((second / 60 + n) * 60).unwrap();
        let seen = (1..14 * 1440).map(minute).find(|time| says(*time) != says(now));
        prop_assert_eq!(next, seen);
    }
}
