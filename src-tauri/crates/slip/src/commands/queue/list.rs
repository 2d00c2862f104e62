//! What is in the queue, and what was done.

use std::collections::HashMap;

use ftp_client::ftp_proto::RemotePath;
use serde::Serialize;
use transfer::{Counts, Direction, ItemKind, Reader, Receipt, State, Transfer, TransferId};

use super::Place;
use crate::cli;
use crate::exit::{Failure, Status};
use crate::output;
use crate::report::{shown_ends, state_name};
use crate::servers::Servers;
use crate::url::Url;

#[derive(Serialize)]
struct ItemObject<'a> {
    id: TransferId,
    /// The folder that it came with.
    batch: Option<TransferId>,
    state: &'static str,
    direction: Direction,
    r#type: &'static str,
    source: String,
    target: String,
    bytes: u64,
    size: Option<u64>,
    attempts: u32,
    priority: &'a transfer::Priority,
    start_at: Option<String>,
    error: Option<String>,
}

/// Shows items: those that are to be done or have failed, and with --all everything.
pub(super) async fn items(how: &cli::QueueList, place: &Place<'_>) -> Result<Status, Failure> {
    let output = place.output();
    let found = place
        .read(|reader| Ok((reader.items()?, reader.holder())))
        .await?;
    let Some((items, holder)) = found else {
        if !output.json {
            output.remark("the queue is empty");
        }
        return Ok(Status::Done);
    };
    let servers = Servers::new(place.connections.clone());
    let mut hidden = HashMap::<State, usize>::new();
    let mut shown = 0_usize;
    for item in &items {
        if !how.all && !is_of_interest(item) {
            *hidden.entry(item.state).or_default() += 1;
            continue;
        }
        let (source, target) = shown_ends(
            &servers,
            item.direction,
            &item.site,
            &item.remote,
            &item.local,
        );
        if output.json {
            output.object(&ItemObject {
                id: item.id,
                batch: item.batch,
                state: state_name(item.state),
                direction: item.direction,
                r#type: kind_name(item.kind),
                source,
                target,
                bytes: item.bytes,
                size: item.total,
                attempts: item.attempts,
                priority: &item.priority,
                start_at: item.start_at.map(|time| time.to_string()),
                error: item
                    .error
                    .as_ref()
                    .map(|error| output::mask(&error.to_string())),
            })?;
            continue;
        }
        if shown == 0 {
            output.line("    ID  STATE      PROGRESS               SOURCE -> TARGET")?;
        }
        shown += 1;
        let mut line = format!(
            "{:>6}  {:<9}  {:<21}  {source} -> {target}",
            item.id,
            state_name(item.state),
            progress(item),
        );
        for note in notes(item) {
            line.push_str("\n                  ");
            line.push_str(&note);
        }
        output.line(&line)?;
    }
    if !output.json && !output.quiet {
        close(shown, &hidden, holder.as_deref(), place)?;
    }
    Ok(Status::Done)
}

/// What a person looks at: what was added by itself and is not finished, and of folders what runs, asks or has failed.
fn is_of_interest(item: &Transfer) -> bool {
    match item.state {
        State::Failed | State::Asking | State::Running | State::Scanning => true,
        State::Waiting | State::Paused => item.batch.is_none(),
        State::Done | State::Skipped | State::Cancelled => false,
    }
}

fn close(
    shown: usize,
    hidden: &HashMap<State, usize>,
    holder: Option<&str>,
    place: &Place<'_>,
) -> Result<(), Failure> {
    let output = place.output();
    if shown == 0 && hidden.is_empty() {
        output.remark("the queue is empty");
    }
    if !hidden.is_empty() {
        let parts: Vec<String> = [
            State::Waiting,
            State::Paused,
            State::Done,
            State::Skipped,
            State::Cancelled,
        ]
        .into_iter()
        .filter_map(|state| Some(format!("{} {}", hidden.get(&state)?, state_name(state))))
        .collect();
        output.remark(format!("not shown: {} (--all)", parts.join(", ")));
    }
    if let Some(holder) = holder {
        output.remark(format!("{holder} has it"));
    }
    Ok(())
}

fn kind_name(kind: ItemKind) -> &'static str {
    match kind {
        ItemKind::File => "file",
        ItemKind::Folder => "dir",
        ItemKind::Link => "link",
    }
}

fn progress(item: &Transfer) -> String {
    if let Some(counts) = &item.counts {
        return of_folder(counts);
    }
    match (item.total, item.bytes) {
        (Some(total), 0) => total.to_string(),
        (Some(total), bytes) if bytes < total => format!("{bytes}/{total}"),
        (Some(total), _) => total.to_string(),
        (None, 0) => "-".to_owned(),
        (None, bytes) => format!("{bytes}/?"),
    }
}

/// How many of a folder's files are finished.
fn of_folder(counts: &Counts) -> String {
    let finished = counts.done + counts.skipped + counts.failed + counts.cancelled;
    let all = finished + counts.waiting + counts.paused + counts.asking + counts.running;
    format!("{finished} of {all} files")
}

/// What there is to say beyond the line.
fn notes(item: &Transfer) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(time) = item.start_at.filter(|_| item.state.is_open()) {
        notes.push(format!(
            "not before {}",
            time.to_zoned(jiff::tz::TimeZone::system())
                .strftime("%Y-%m-%d %H:%M %Z")
        ));
    }
    if item.priority != transfer::Priority::Normal && item.state.is_open() {
        notes.push(match item.priority {
            transfer::Priority::High => "before everything else".to_owned(),
            _ => "after everything else".to_owned(),
        });
    }
    if let Some(error) = &item.error {
        notes.push(output::mask(&error.to_string()));
    }
    notes
}

/// Shows receipts, the newest first.
pub(super) async fn receipts(how: &cli::Receipts, place: &Place<'_>) -> Result<Status, Failure> {
    let output = place.output();
    let limit = u32::try_from(how.number).unwrap_or(u32::MAX);
    let found: Vec<Receipt> = place
        .read(move |reader: &Reader| reader.receipts(limit, 0))
        .await?
        .unwrap_or_default();
    if found.is_empty() && !output.json {
        output.remark("there are no receipts");
    }
    for receipt in &found {
        if output.json {
            output.object(receipt)?;
            continue;
        }
        let checks = receipt.checks.to_string();
        let checked = if checks.is_empty() {
            "not verified".to_owned()
        } else {
            format!("{checks} verified")
        };
        let resumed = match receipt.resumed_from {
            0 => String::new(),
            bytes => format!(", from byte {bytes} on"),
        };
        let (source, target) = receipt_ends(receipt);
        output.line(&format!(
            "{}  {} -> {}  {} bytes in {:.1} s{resumed}, {checked}",
            receipt
                .finished
                .to_zoned(jiff::tz::TimeZone::system())
                .strftime("%Y-%m-%d %H:%M:%S"),
            source,
            target,
            receipt.bytes,
            receipt.seconds,
        ))?;
    }
    Ok(Status::Done)
}

/// Source and target of a receipt, the remote one with its server.
fn receipt_ends(receipt: &Receipt) -> (String, String) {
    let address = |path: &str| {
        let url = Url::parse(&receipt.site).ok()?;
        let path = RemotePath::try_from(path).ok()?;
        Some(url.at(&path, None).to_string())
    };
    let with_server =
        |path: &str| address(path).unwrap_or_else(|| format!("{} {path}", receipt.site));
    match receipt.direction {
        Direction::Download => (with_server(&receipt.source), receipt.target.clone()),
        Direction::Upload => (receipt.source.clone(), with_server(&receipt.target)),
    }
}
