//! The queue: what the window sees of it, and what a person does with it.

use jiff::Zoned;
use tauri::ipc::Channel;
use transfer::{Place, TransferId};
use vault::SiteId;

use super::{Shared, blocking, transfer::moment};
use crate::{
    dto::{
        ConflictRule, Limits, Number, Priority, QueuePlace, QueueUpdate, Receipt, TimetableCheck,
    },
    error::{AppError, Result},
    state::queue::timetable,
};

/// Receipts that are answered at once.
const MOST_RECEIPTS: u32 = 1000;

/// Sends the queue as it is, and from then on what changes, at most ten times a second.
#[tauri::command]
#[specta::specta]
pub(crate) async fn watch_queue(shell: Shared<'_>, channel: Channel<QueueUpdate>) -> Result<()> {
    shell.queue.watch(channel);
    Ok(())
}

/// Gives transfers up, folders with everything in them.
#[tauri::command]
#[specta::specta]
pub(crate) async fn cancel_transfers(shell: Shared<'_>, ids: Vec<TransferId>) -> Result<()> {
    shell.queue.cancel(&ids);
    Ok(())
}

/// Tries failed and cancelled transfers again.
#[tauri::command]
#[specta::specta]
pub(crate) async fn retry_transfers(shell: Shared<'_>, ids: Vec<TransferId>) -> Result<()> {
    shell.queue.retry(&ids);
    Ok(())
}

/// Takes what is finished off the list.
#[tauri::command]
#[specta::specta]
pub(crate) async fn clear_finished(shell: Shared<'_>) -> Result<()> {
    shell.queue.clear_finished();
    shell
        .queue
        .forget_logins(|id| shell.sessions.get(id).is_ok());
    Ok(())
}

/// Stops transfers for now, or lets them go on; folders with everything in them.
#[tauri::command]
#[specta::specta]
pub(crate) async fn pause_transfers(
    shell: Shared<'_>,
    ids: Vec<TransferId>,
    paused: bool,
) -> Result<()> {
    shell.queue.pause(&ids, paused);
    Ok(())
}

/// Stops everything for now, or lets it go on.
#[tauri::command]
#[specta::specta]
pub(crate) async fn pause_queue(shell: Shared<'_>, paused: bool) -> Result<()> {
    shell.queue.pause_all(paused);
    Ok(())
}

/// Stops everything of a site for now, or lets it go on.
#[tauri::command]
#[specta::specta]
pub(crate) async fn pause_site(shell: Shared<'_>, site: u32, paused: bool) -> Result<()> {
    shell.queue.pause_site(site, paused)
}

/// Says which transfers go first.
#[tauri::command]
#[specta::specta]
pub(crate) async fn set_priority(
    shell: Shared<'_>,
    ids: Vec<TransferId>,
    priority: Priority,
) -> Result<()> {
    shell.queue.set_priority(&ids, priority.into());
    Ok(())
}

/// Puts transfers somewhere else in the queue.
#[tauri::command]
#[specta::specta]
pub(crate) async fn move_transfers(
    shell: Shared<'_>,
    ids: Vec<TransferId>,
    place: QueuePlace,
) -> Result<()> {
    let place = match place {
        QueuePlace::First => Place::First,
        QueuePlace::Last => Place::Last,
        QueuePlace::Before { id } => Place::Before(id),
        QueuePlace::After { id } => Place::After(id),
    };
    shell.queue.move_to(&ids, place);
    Ok(())
}

/// Says when transfers start, in milliseconds since the epoch; None: as soon as they can.
#[tauri::command]
#[specta::specta]
pub(crate) async fn start_transfers_at(
    shell: Shared<'_>,
    ids: Vec<TransferId>,
    at: Option<f64>,
) -> Result<()> {
    shell.queue.start_at(&ids, at.map(moment).transpose()?);
    Ok(())
}

/// Decides what becomes of targets that exist; of a folder, all in it that ask.
#[tauri::command]
#[specta::specta]
pub(crate) async fn answer_conflicts(
    shell: Shared<'_>,
    ids: Vec<TransferId>,
    rule: ConflictRule,
) -> Result<()> {
    shell.queue.answer(&ids, rule.into());
    Ok(())
}

/// Limits everything together, from now on and in later runs.
#[tauri::command]
#[specta::specta]
pub(crate) async fn set_limits(shell: Shared<'_>, limits: Limits) -> Result<()> {
    shell.queue.set_limits(limits.into());
    let file = shell.vault.settings.clone();
    blocking(move || file.change(|kept| kept.limits = limits.into())).await
}

/// Limits one site, from now on; if it is a saved one, also in later runs.
#[tauri::command]
#[specta::specta]
pub(crate) async fn set_site_limits(shell: Shared<'_>, site: u32, limits: Limits) -> Result<()> {
    let Some(id) = shell.queue.set_site_limits(site, limits.into())? else {
        return Ok(());
    };
    let sites = shell.vault.sites.clone();
    blocking(move || {
        let mut site = sites.get(&SiteId::try_from(id)?)?;
        site.limits = limits.into();
        sites.save(site).map(|_| ())
    })
    .await
}

/// Limits everything by the time of day, from now on and in later runs.
#[tauri::command]
#[specta::specta]
pub(crate) async fn set_timetable(shell: Shared<'_>, text: String) -> Result<()> {
    let parsed = timetable(&text)?;
    let file = shell.vault.settings.clone();
    let kept = text.clone();
    blocking(move || file.change(|settings| settings.timetable = kept)).await?;
    shell.queue.use_timetable(text, parsed);
    Ok(())
}

/// What a timetable would mean, for who writes it.
#[tauri::command]
#[specta::specta]
pub(crate) async fn check_timetable(text: String) -> Result<TimetableCheck> {
    Ok(check(&text, &Zoned::now()))
}

fn check(text: &str, now: &Zoned) -> TimetableCheck {
    match timetable(text) {
        Ok(timetable) => TimetableCheck {
            problem: None,
            now: timetable
                .as_ref()
                .and_then(|timetable| timetable.limit_at(now.datetime()))
                .flatten()
                .map(Number::from),
            next: timetable
                .and_then(|timetable| timetable.next_change(now))
                .map(Number::from_timestamp),
        },
        Err(error) => TimetableCheck {
            problem: Some(AppError::from(error).message),
            now: None,
            next: None,
        },
    }
}

/// The proof of one finished file; None if there is none.
#[tauri::command]
#[specta::specta]
pub(crate) async fn receipt(shell: Shared<'_>, id: TransferId) -> Result<Option<Receipt>> {
    shell.queue.receipt(id).await
}

/// The proofs of finished files, newest first.
#[tauri::command]
#[specta::specta]
pub(crate) async fn receipts(shell: Shared<'_>, limit: u32, offset: u32) -> Result<Vec<Receipt>> {
    shell.queue.receipts(limit.min(MOST_RECEIPTS), offset).await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_timetable_says_what_holds_now_and_when_that_changes() {
        let noon: Zoned = "2026-05-04T12:00:00[UTC]".parse().unwrap();
        let said = check("08:00-18:00 512K", &noon);
        assert!(said.problem.is_none());
        assert_eq!(said.now.map(Number::get), Some(512.0 * 1024.0));
        let six: Zoned = "2026-05-04T18:00:00[UTC]".parse().unwrap();
        assert_eq!(said.next, Some(Number::from_timestamp(six.timestamp())));
        let wrong = check("08:00-18:00 fast", &noon);
        assert!(wrong.problem.unwrap().contains("08:00-18:00 fast"));
        assert!(check(" ", &noon).now.is_none());
    }
}
