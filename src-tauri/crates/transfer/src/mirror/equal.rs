//! Whether two files are the same.

use std::time::Duration;

use ftp_client::ftp_proto::Precision;
use ftp_client::ftp_proto::listing::Modified;
use jiff::Timestamp;

use super::reason::{Assumed, Reason, Why};
use super::tree::Node;
use super::{Compare, MirrorOptions};

/// No two zones are further apart (UTC-12 and UTC+14, and an hour because of summer).
const WIDEST: i64 = 27 * 3600;

/// What comparing two files has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Same(Option<Assumed>),
    Copy(Reason),
}

/// Compares two files. `keeps_times`: the target's files can be given the times of their source.
pub(super) fn files(
    source: &Node,
    target: &Node,
    options: &MirrorOptions,
    keeps_times: bool,
) -> Verdict {
    let Compare { size, time, hash } = options.compare;
    let mut assumed = None;
    if size {
        match (source.size, target.size) {
            (Some(source), Some(target)) if source != target => {
                return Verdict::Copy(Why::SizeDiffers { source, target }.into());
            }
            (Some(_), Some(_)) => {}
            _ if !time && !hash => return Verdict::Copy(Why::SizeUnknown.into()),
            _ => assumed = Some(Assumed::NoSize),
        }
    }
    if hash {
        match (&source.hash, &target.hash) {
            (Some((by, one)), Some((other_by, other))) if by == other_by => {
                return match one.eq_ignore_ascii_case(other) {
                    true => Verdict::Same(assumed),
                    false => Verdict::Copy(Why::HashDiffers(*by).into()),
                };
            }
            _ if !time => return Verdict::Copy(Why::HashUnknown.into()),
            _ => assumed = Some(Assumed::NoHash),
        }
    }
    if !time {
        return Verdict::Same(assumed);
    }
    match times(
        source.modified,
        target.modified,
        options.time_tolerance,
        keeps_times,
    ) {
        Verdict::Same(more) => Verdict::Same(more.or(assumed)),
        Verdict::Copy(reason) => Verdict::Copy(Reason {
            assumed: reason.assumed.or(assumed),
            ..reason
        }),
    }
}

fn times(
    source: Option<Modified>,
    target: Option<Modified>,
    tolerance: Duration,
    keeps_times: bool,
) -> Verdict {
    let (Some(source), Some(target)) = (source, target) else {
        return Verdict::Copy(Why::TimeUnknown.into());
    };
    let precision = source.precision.min(target.precision);
    let difference = units(source.timestamp, precision) - units(target.timestamp, precision);
    let zone_known = source.zone_known && target.zone_known;
    let slack = match zone_known {
        true => milliseconds(tolerance),
        false => milliseconds(tolerance).saturating_add(WIDEST * 1000),
    };
    let newer = Why::Newer {
        source: source.timestamp,
        target: target.timestamp,
    };
    let older = Why::Older {
        source: source.timestamp,
        target: target.timestamp,
    };
    let assumed = match precision {
        _ if !zone_known => Some(Assumed::AnyZone),
        Precision::Day => Some(Assumed::Days),
        Precision::Minute => Some(Assumed::Minutes),
        Precision::Second | Precision::Milli => None,
    };
    // A file whose time was not known exactly when it was copied did not get it.
    let keeps_times = keeps_times && source.zone_known;
    if difference > slack {
        let why = newer;
        Verdict::Copy(Reason { why, assumed })
    } else if difference < -slack {
        match keeps_times {
            true => Verdict::Copy(Reason {
                why: older,
                assumed,
            }),
            false => Verdict::Same(Some(Assumed::NewerOnly)),
        }
    } else if zone_known {
        Verdict::Same(assumed)
    } else {
        Verdict::Copy(Why::TimeUnknown.into())
    }
}

/// Milliseconds, without what lies below the precision, and never below the second, which is all that many can keep.
fn units(time: Timestamp, precision: Precision) -> i64 {
    let unit = match precision {
        Precision::Day => 86_400,
        Precision::Minute => 60,
        Precision::Second | Precision::Milli => 1,
    };
    // Towards the past on both sides of 1970.
    let seconds = time.as_millisecond().div_euclid(1000);
    seconds.div_euclid(unit) * unit * 1000
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 2)
}
