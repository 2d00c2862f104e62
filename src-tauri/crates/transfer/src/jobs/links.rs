//! Symbolic links: made as such, and loops that they make.

use std::path::{Component, Path};

use ftp_client::ftp_proto::RemotePath;

use super::decide::{local_name, os_name, rule_of, temporary_of};
use super::download::{is_refusal, no_name, parent_of};
use super::place::facts_of;
use super::{Job, Stop, blocking};
use crate::ConflictRule;
use crate::conflict::{self, Decision};
use crate::disk::{Folder, There};
use crate::error::{Error, Retry};
use crate::work::{Done, Outcome, Plan, Task};

/// What a link says, if it leads nowhere out of the batch's folder: it is relative, goes up at its beginning only (what
/// comes after a name could be a link itself), and not further than to that folder.
fn checked_target(plan: &Plan) -> Result<&[u8], Error> {
    let refuse = |why: &str| Error::LinkRefused {
        path: match plan.direction {
            crate::Direction::Download => plan.remote.to_string(),
            crate::Direction::Upload => plan.local().display().to_string(),
        },
        why: why.to_owned(),
    };
    let to = plan
        .link_to
        .as_deref()
        .ok_or_else(|| refuse("nobody says where it leads"))?;
    if to.is_empty() || to.contains(&0) {
        return Err(refuse("it leads nowhere"));
    }
    let outside = "it leads out of what is transferred";
    if to.starts_with(b"/") || (cfg!(windows) && to.iter().any(|b| matches!(b, b':' | b'\\'))) {
        return Err(refuse(outside));
    }
    let mut depth = parent_of(plan)
        .components()
        .filter(|part| matches!(part, Component::Normal(_)))
        .count();
    let mut named = false;
    for part in to.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." if named || depth == 0 => return Err(refuse(outside)),
            b".." => depth -= 1,
            _ => named = true,
        }
    }
    Ok(to)
}

impl Job<'_> {
    /// Makes a link here that the server has.
    pub(super) async fn link_here(&self, task: &Task) -> Result<Outcome, Stop> {
        let plan = task.plan.clone();
        let to = os_name(checked_target(&plan)?);
        let rule = rule_of(task);
        self.go_on(task.id)?;
        let outcome = blocking(move || {
            let folder = Folder::open(&plan.base, parent_of(&plan))?;
            let planned = local_name(&plan, 0).ok_or_else(|| no_name(&plan))?;
            let mut name = planned.clone();
            let there = folder.look(&name)?;
            if there == There::Folder {
                let error = std::io::ErrorKind::IsADirectory.into();
                return Err(Error::local("replace", &plan.local(), error));
            }
            if there != There::Nothing {
                match conflict::decide(rule, crate::Facts::default(), facts_of(there)) {
                    Decision::Skip => return Ok(Outcome::Skipped),
                    Decision::Ask => return Ok(Outcome::Ask(facts_of(there))),
                    Decision::Rename => {
                        let mut number = 2;
                        name = conflict::numbered_local(&planned, number);
                        while folder.look(&name)? != There::Nothing {
                            number += 1;
                            name = conflict::numbered_local(&planned, number);
                        }
                    }
                    Decision::Overwrite | Decision::Resume => {}
                }
            }
            make_link(&folder, &name, &to, &plan)?;
            Ok(Outcome::Done(Box::new(Done {
                renamed: (name != planned).then_some(name),
                ..Done::default()
            })))
        })
        .await?;
        Ok(outcome)
    }

    /// Makes a link on the server that is here.
    pub(super) async fn link_there(&self, task: &Task) -> Result<Outcome, Stop> {
        let plan = &task.plan;
        let to = checked_target(plan)?;
        self.go_on(task.id)?;
        let mut made = self
            .live
            .or_stopped(self.remote.make_link(&plan.remote, to))
            .await;
        if let Err(stop) = &made
            && is_refusal(stop)
        {
            // Most likely because there is something of that name.
            match rule_of(task) {
                ConflictRule::Skip => return Ok(Outcome::Skipped),
                ConflictRule::Ask => return Ok(Outcome::Ask(crate::Facts::default())),
                ConflictRule::Rename => {}
                _ => made = self.link_over(&plan.remote, to).await,
            }
        }
        match made? {
            true => Ok(Outcome::Done(Box::default())),
            false => Err(Error::LinkRefused {
                path: plan.local().display().to_string(),
                why: "the server can't make links like this".to_owned(),
            }
            .into()),
        }
    }

    /// Makes a link in place of what has its name. That goes only when it is known that links can be made here.
    async fn link_over(&self, target: &RemotePath, to: &[u8]) -> Result<bool, Stop> {
        let Some(temporary) = temporary_of(target) else {
            return Ok(false);
        };
        let made = self.remote.make_link(&temporary, to);
        if !self.live.or_stopped(made).await? {
            return Ok(false);
        }
        let pair = [(temporary.clone(), target.clone())];
        match self.remote.rename_many(&pair).await?.pop() {
            Some(Err(error)) if error.retry != Retry::Never => {
                self.clean(&temporary).await;
                Err(error.into())
            }
            Some(Err(_)) => {
                self.clean(&temporary).await;
                self.remote.delete(target).await?;
                Ok(self.remote.make_link(target, to).await?)
            }
            _ => Ok(true),
        }
    }

    /// Refuses a remote folder that leads back to one that it lies in. A server that does not say where it really is
    /// after going somewhere is believed, down to the depth that every folder ends at.
    pub(super) async fn refuse_remote_loop(&self, task: &Task) -> Result<(), Stop> {
        let path = &task.plan.remote;
        let name = path.file_name();
        let mut above = Vec::new();
        let mut at = path.parent();
        while let Some(folder) = at.filter(|_| above.len() < task.depth as usize) {
            at = folder.parent();
            above.push(folder);
        }
        // Some servers don't show links as links. Whoever comes round meets a name again.
        let looks_like_one = task.plan.link || above.iter().any(|f| f.file_name() == name);
        if !looks_like_one {
            return Ok(());
        }
        let real = |folder: RemotePath| async move {
            self.live.or_stopped(self.remote.real_path(&folder)).await
        };
        let Some(here) = real(path.clone()).await? else {
            return Ok(());
        };
        for folder in above {
            if let Some(above) = real(folder).await?
                && is_in(&above, &here)
            {
                return Err(Error::LinkLoop {
                    path: path.to_string(),
                }
                .into());
            }
        }
        Ok(())
    }
}

/// Whether a folder is another one, or lies in it.
fn is_in(folder: &RemotePath, outer: &RemotePath) -> bool {
    let (folder, outer) = (folder.normalized(), outer.normalized());
    let mut parts = folder.components();
    outer.components().all(|part| parts.next() == Some(part))
}

/// Refuses a local folder behind a link that leads back to one that it lies in.
pub(super) fn refuse_local_loop(plan: &Plan) -> Result<(), Error> {
    if !plan.link {
        return Ok(());
    }
    let local = plan.local();
    let real = |path: &Path| {
        std::fs::canonicalize(path).map_err(|error| Error::local("read the folder", path, error))
    };
    let here = real(&local)?;
    let levels = plan.relative.components().count();
    for above in local.ancestors().skip(1).take(levels) {
        if real(above)?.starts_with(&here) {
            return Err(Error::LinkLoop {
                path: local.display().to_string(),
            });
        }
    }
    Ok(())
}

#[cfg(unix)]
fn make_link(
    folder: &Folder,
    name: &std::ffi::OsStr,
    to: &std::ffi::OsStr,
    _plan: &Plan,
) -> Result<(), Error> {
    folder.make_link(name, to)
}

#[cfg(not(unix))]
fn make_link(
    _folder: &Folder,
    _name: &std::ffi::OsStr,
    _to: &std::ffi::OsStr,
    plan: &Plan,
) -> Result<(), Error> {
    Err(Error::LinkRefused {
        path: plan.remote.to_string(),
        why: "this system has no links like this".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{Direction, ItemKind};

    #[test]
    fn links_stay_inside() {
        let mut plan = Plan {
            direction: Direction::Download,
            kind: ItemKind::Link,
            base: Path::new("/base").into(),
            relative: "a/b/link".into(),
            remote: RemotePath::try_from("/x/a/b/link").unwrap(),
            modified: None,
            link: false,
            link_to: None,
            mode: None,
            existing: Default::default(),
        };
        for (to, fine) in [
            ("c", true),
            ("./c/d", true),
            ("../c", true),
            ("../../c", true),
            ("../..", true),
            ("../../../c", false),
            ("c/../d", false),
            ("/etc/passwd", false),
            ("", false),
            ("a\0b", false),
        ] {
            plan.link_to = Some(to.into());
            assert_eq!(checked_target(&plan).is_ok(), fine, "{to}");
        }
        plan.link_to = None;
        assert!(checked_target(&plan).is_err());
        let path = |text: &str| RemotePath::try_from(text).unwrap();
        assert!(is_in(&path("/a/b"), &path("/a")));
        assert!(is_in(&path("/a/b"), &path("/a/b/")));
        assert!(is_in(&path("/a"), &path("/")));
        assert!(!is_in(&path("/ab"), &path("/a")));
        assert!(!is_in(&path("/a"), &path("/a/b")));
    }
}
