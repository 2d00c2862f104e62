//! The zone that a server writes the times of its listings in.

use std::collections::VecDeque;

use ftp_proto::{
    Name, Precision,
    listing::{Entry, Kind, Line},
};
use jiff::Timestamp;

/// What a zone is rounded to, in seconds: none has a finer offset.
const STEP: i64 = 15 * 60;
/// A difference beyond this is none of zones, in seconds.
const FURTHEST: i64 = 48 * 3600;
/// Clocks that are read twice may differ by so much, in seconds, and by the seconds that a listing leaves out.
const LEEWAY: i64 = 60;

/// A file of which MDTM may tell the zone, and what the listing says of it.
pub(super) struct Candidate {
    pub(super) name: Name,
    pub(super) listed: Timestamp,
}

/// Of the plain files with a time to the minute, the latest that nobody is likely to be writing at.
pub(super) fn candidate(lines: &VecDeque<Line>) -> Option<Candidate> {
    let settled = Timestamp::now().as_second() - FURTHEST;
    lines
        .iter()
        .filter_map(|line| match line {
            Line::Entry(entry) if entry.kind == Kind::File => Some(entry),
            _ => None,
        })
        .filter_map(|entry| {
            let modified = entry.modified?;
            let tells = !modified.zone_known && modified.precision >= Precision::Minute;
            let name = Name::try_from(entry.name.as_slice()).ok()?;
            let listed = modified.timestamp;
            tells.then_some(Candidate { name, listed })
        })
        .max_by_key(|candidate| {
            let second = candidate.listed.as_second();
            (second < settled, second)
        })
}

/// How far the server's clock on the wall is ahead of UTC, in seconds: by the time that it lists of a file, and that of MDTM. `None`
/// where these can't be the same moment.
pub(super) fn offset(listed: Timestamp, exact: Timestamp) -> Option<i32> {
    let difference = listed.as_second() - exact.as_second();
    let rounded = (difference + STEP / 2).div_euclid(STEP) * STEP;
    // It lists minutes, cut off or rounded.
    let close = (difference - rounded).abs() <= LEEWAY;
    (close && rounded.abs() <= FURTHEST)
        .then(|| i32::try_from(rounded).ok())
        .flatten()
}

/// The line with the moment that is meant, where the zone is known.
pub(super) fn shifted(line: Line, offset: Option<i32>) -> Line {
    match (line, offset) {
        (Line::Entry(entry), Some(offset)) => Line::Entry(shift(entry, offset)),
        (line, _) => line,
    }
}

fn shift(mut entry: Entry, offset: i32) -> Entry {
    entry.modified = entry.modified.map(|modified| modified.in_zone(offset));
    entry
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use ftp_proto::listing::Modified;

    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn offsets_are_quarters_of_hours_and_nothing_else() {
        let exact = time("2026-03-05T10:20:33Z");
        for (listed, offset_in_minutes) in [
            ("2026-03-05T10:20:00Z", Some(0)),
            ("2026-03-05T10:21:00Z", Some(0)),
            ("2026-03-05T12:20:00Z", Some(120)),
            ("2026-03-05T05:20:00Z", Some(-300)),
            ("2026-03-05T15:50:00Z", Some(330)),
            ("2026-03-05T16:05:00Z", Some(345)),
            ("2026-03-06T00:20:00Z", Some(840)),
            ("2026-03-07T10:20:00Z", Some(48 * 60)),
            // It was written to in between, or one of the two means something else.
            ("2026-03-05T10:27:00Z", None),
            ("2026-03-05T12:14:00Z", None),
            ("2026-03-07T10:35:00Z", None),
            ("2026-05-05T10:20:00Z", None),
        ] {
            let got = offset(time(listed), exact);
            assert_eq!(
                got,
                offset_in_minutes.map(|minutes| minutes * 60),
                "{listed}"
            );
        }
        assert_eq!(offset(exact, time("0001-01-01T00:00:00Z")), None);
    }

    fn file(name: &str, at: &str, precision: Precision, zone_known: bool) -> Entry {
        let mut entry = Entry::new(name, Kind::File);
        entry.modified = Some(Modified {
            timestamp: time(at),
            precision,
            zone_known,
        });
        entry
    }

    #[test]
    fn moments_are_shifted_and_days_are_not() {
        let at = "2026-03-05T10:20:00Z";
        let moment = shift(file("a", at, Precision::Minute, false), 7200);
        let modified = moment.modified.unwrap();
        assert_eq!(modified.timestamp, time("2026-03-05T08:20:00Z"));
        assert!(modified.zone_known);
        for same in [
            file("a", at, Precision::Day, false),
            file("a", at, Precision::Second, true),
        ] {
            assert_eq!(shift(same.clone(), 7200), same);
        }
    }

    #[test]
    fn the_latest_settled_file_is_asked_for() {
        let now = Timestamp::now();
        let hours = |ago: i64| Timestamp::from_second(now.as_second() - ago * 3600).unwrap();
        let text = |ago| hours(ago).to_string();
        let mut folder = file("folder", &text(60), Precision::Minute, false);
        folder.kind = Kind::Dir;
        let lines: VecDeque<Line> = [
            file("old", &text(900), Precision::Minute, false),
            file("good", &text(100), Precision::Minute, false),
            file("hot", &text(1), Precision::Minute, false),
            file("day", &text(70), Precision::Day, false),
            file("utc", &text(70), Precision::Second, true),
            file("a/b", &text(70), Precision::Minute, false),
            folder,
        ]
        .into_iter()
        .map(Line::Entry)
        .collect();
        assert_eq!(candidate(&lines).unwrap().name.as_bytes(), b"good");
        let hot: VecDeque<Line> = lines.iter().skip(2).take(1).cloned().collect();
        assert_eq!(candidate(&hot).unwrap().name.as_bytes(), b"hot");
        assert!(candidate(&VecDeque::new()).is_none());
    }
}
