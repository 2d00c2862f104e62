//! Which name a file gets, and whether it is transferred at all.

use std::ffi::OsString;

use ftp_client::ftp_proto::{Name, RemotePath};

use super::{Job, OrUnknown, Stop};
use crate::conflict::{self, Decision};
use crate::error::Error;
use crate::partial;
use crate::work::{Existing, Identity, Plan, Task};
use crate::{ConflictRule, Facts};

/// No folder has so many files of one name.
pub(super) const MOST_NUMBERS: u32 = 10_000;

/// The rule that holds for an item.
pub(super) fn rule_of(task: &Task) -> ConflictRule {
    task.answer.unwrap_or(task.options.conflict)
}

/// What the rule makes of a target that is there.
pub(super) fn decide(rule: ConflictRule, source: Facts, target: Facts) -> Decision {
    match conflict::decide(rule, source, target) {
        // There is no place to go on from.
        Decision::Resume if target.size.is_none() => Decision::Overwrite,
        decision => decision,
    }
}

/// Whether the rule compares times.
pub(super) fn compares_times(rule: ConflictRule) -> bool {
    matches!(
        rule,
        ConflictRule::IfNewer | ConflictRule::IfNewerOrSizeDiffers
    )
}

/// Whether it is the same source still, so that what was begun of it can be continued. Times are compared to the second,
/// which is what FTP carries.
pub(super) fn is_same_source(begun: &Identity, now: Facts) -> bool {
    let seconds = |time: Option<jiff::Timestamp>| time.map(|t| t.as_second());
    let times = seconds(begun.modified).zip(seconds(now.modified));
    begun.size.is_some() && begun.size == now.size && times.is_none_or(|(a, b)| a == b)
}

/// The last part of the local target, with a number if it has one.
pub(super) fn local_name(plan: &Plan, number: u32) -> Option<OsString> {
    let local = match plan.relative.as_os_str().is_empty() {
        true => plan.base.file_name()?,
        false => plan.relative.file_name()?,
    };
    Some(match number {
        0 => local.to_owned(),
        number => conflict::numbered_local(local, number),
    })
}

/// The remote target, with a number if it has one.
pub(super) fn remote_name(target: &RemotePath, number: u32) -> Option<RemotePath> {
    match number {
        0 => Some(target.clone()),
        number => sibling(target, &conflict::numbered(target.file_name()?, number)),
    }
}

/// Under which name a remote file is incomplete.
pub(super) fn temporary_of(target: &RemotePath) -> Option<RemotePath> {
    sibling(target, &partial::temporary_bytes(target.file_name()?))
}

fn sibling(path: &RemotePath, name: &[u8]) -> Option<RemotePath> {
    match path.parent() {
        Some(parent) => Some(parent.join(&Name::try_from(name).ok()?)),
        None => RemotePath::try_from(name).ok(),
    }
}

/// A local name from what was noted of it.
pub(super) fn os_name(name: &[u8]) -> OsString {
    #[cfg(unix)]
    return std::os::unix::ffi::OsStringExt::from_vec(name.to_vec());
    #[cfg(not(unix))]
    return String::from_utf8_lossy(name).into_owned().into();
}

impl Job<'_> {
    /// The first numbered name beside a remote target that is free.
    pub(super) async fn free_remote_name(&self, target: &RemotePath) -> Result<u32, Stop> {
        const AT_ONCE: u32 = 8;
        let mut first = 2;
        while first < MOST_NUMBERS {
            let names: Vec<RemotePath> = (first..first + AT_ONCE)
                .filter_map(|number| remote_name(target, number))
                .collect();
            let found = self.live.or_stopped(self.remote.existing(&names)).await?;
            let free = found.iter().position(|f| *f == Existing::Missing);
            if let Some(free) = free {
                return Ok(first + free as u32);
            }
            // Nobody can tell: then the number is as good as any.
            if found.iter().all(|f| *f == Existing::Unknown) {
                return Ok(first);
            }
            first += AT_ONCE;
        }
        Err(Stop::Error(Error::Internal(format!(
            "there is no free number for {target}"
        ))))
    }

    /// What the source of a download is now, as far as the server tells; what is known already is not asked for unless
    /// it has to be `fresh`.
    pub(super) async fn remote_facts(&self, task: &Task, fresh: bool) -> Result<Facts, Error> {
        let path = &task.plan.remote;
        let size = match task.size.filter(|_| !fresh) {
            Some(size) => Some(size),
            None => self.remote.size(path).await.or_unknown()?,
        };
        let modified = match task.plan.modified.filter(|_| !fresh) {
            Some(time) => Some(time),
            None => self.remote.modified(path).await.or_unknown()?,
        };
        Ok(Facts {
            // SIZE 0 says nothing where a listing has said more: servers say that of what they can't measure.
            size: size.filter(|&size| size > 0).or(task.size).or(size),
            modified: modified.or(task.plan.modified),
        })
    }
}
