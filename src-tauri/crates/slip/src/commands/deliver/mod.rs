//! `slip deliver`: one document, or many at once.

mod batch;
mod item;
mod lines;

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use ftp_client::ftp_proto::Name;
use ftp_client::{
    Content, DeliverError, DeliverStep, Delivered, Delivery, ErrorKind, Verify, WriteAs,
    deliver_unless,
};
use jiff::Timestamp;
use serde::Serialize;

use crate::cli::{Deliver, DeliverHow};
use crate::connect::{Connections, Target};
use crate::exit::{Failure, Status};
use crate::output;
use crate::signals::Stop;
use crate::url::Url;

/// Delivers one document, or those of a batch.
pub(crate) async fn run(
    deliver: Deliver,
    connections: &Arc<Connections>,
) -> Result<Status, Failure> {
    match (&deliver.batch, &deliver.file, &deliver.url) {
        (Some(batch), None, None) => batch::run(batch, &deliver, connections).await,
        (None, Some(file), Some(url)) => one(file, url, &deliver.how, connections).await,
        _ => Err(Failure::usage(
            "it takes a document and the URL to deliver it to, or --batch",
        )),
    }
}

/// What is to be delivered.
#[derive(Clone)]
enum Source {
    Stdin,
    File(PathBuf),
    Bytes(Bytes),
}

/// A delivery as it was asked for.
#[derive(Clone)]
struct Errand {
    source: Source,
    /// What the report calls the source.
    shown: String,
    /// Its place, the name included.
    url: Url,
    /// The folder of that place.
    folder: Url,
    name: Name,
    how: DeliverHow,
    /// Given by the batch; else it is the file's.
    modified: Option<Timestamp>,
}

impl Errand {
    /// The document at an address; one that ends in a slash is the folder for it.
    fn new(
        source: Source,
        url: &Url,
        name: Option<&[u8]>,
        how: DeliverHow,
    ) -> Result<Self, String> {
        let shown = match &source {
            Source::Stdin => "-".to_owned(),
            Source::File(file) => file.display().to_string(),
            Source::Bytes(_) => "(text)".to_owned(),
        };
        let path = url.path();
        let (folder, own) = match url.is_folder() {
            true => (path, None),
            false => {
                let at = path
                    .iter()
                    .rposition(|byte| *byte == b'/')
                    .map_or(0, |at| at + 1);
                (&path[..at], Some(&path[at..]))
            }
        };
        let of_source = match &source {
            Source::File(file) => file.file_name().map(OsStr::as_encoded_bytes),
            _ => None,
        };
        let Some(name) = name.or(own).or(of_source) else {
            return Err("the document needs a name on the server: an address that doesn't end in /, or \"name\"".to_owned());
        };
        let name = Name::try_from(name).map_err(|error| error.to_string())?;
        let whole = [folder, name.as_bytes()].concat();
        let at =
            |path: Vec<u8>| Url::new(url.place.clone(), path).map_err(|error| error.to_string());
        Ok(Self {
            source,
            shown,
            folder: at(folder.to_vec())?,
            url: at(whole)?,
            name,
            how,
            modified: None,
        })
    }

    /// What the engine is told, and the document.
    async fn delivery(&self, target: &Target) -> Result<(Delivery, Content), Failure> {
        let (content, modified) = match &self.source {
            Source::Bytes(bytes) => (Content::from(bytes.clone()), None),
            Source::Stdin => (Content::from(super::put::stdin()?), None),
            Source::File(file) => {
                let path = file.clone();
                let opened = tokio::task::spawn_blocking(move || open(&path));
                let (file, modified) = opened
                    .await
                    .map_err(|error| Failure::Other(error.to_string()))?
                    .map_err(|error| Failure::Other(format!("{}: {error}", self.shown)))?;
                (Content::from(file), modified)
            }
        };
        let mut delivery = Delivery::new(target.config().clone(), self.name.clone());
        delivery.folder = self.folder.remote(None, target.base());
        delivery.parents = !self.how.no_parents;
        delivery.write = match self.how.plain_names {
            true => WriteAs::Final,
            false => WriteAs::Temporary,
        };
        delivery.verify = Verify::from(self.how.verify);
        delivery.tries = self.how.tries;
        delivery.modified = self.modified.or(modified.filter(|_| !self.how.no_times));
        delivery.mode = self.how.permissions;
        Ok((delivery, content))
    }
}

/// A file, and when it was changed.
fn open(path: &Path) -> std::io::Result<(File, Option<Timestamp>)> {
    let file = File::open(path)?;
    let meta = file.metadata()?;
    if meta.is_dir() {
        return Err(std::io::ErrorKind::IsADirectory.into());
    }
    let modified = meta.modified().ok().filter(|_| meta.is_file());
    Ok((
        file,
        modified.and_then(|time| Timestamp::try_from(time).ok()),
    ))
}

/// Why something was not delivered.
enum Undelivered {
    /// It never came to that.
    Before(Failure),
    By(DeliverError),
}

/// A line of the report.
#[derive(Debug, Serialize)]
struct Report {
    /// The line of the batch, from 1 on.
    line: Option<u64>,
    /// As the batch has it.
    id: Option<serde_json::Value>,
    source: Option<String>,
    target: Option<String>,
    state: &'static str,
    bytes: u64,
    seconds: f64,
    verified: Option<String>,
    tries: u8,
    notes: Vec<String>,
    step: Option<&'static str>,
    error_kind: Option<&'static str>,
    error: Option<String>,
}

impl Report {
    fn new(
        errand: Option<&Errand>,
        outcome: &Result<Delivered, Undelivered>,
        begin: Instant,
    ) -> Self {
        let mut report = Self {
            line: None,
            id: None,
            source: errand.map(|errand| errand.shown.clone()),
            target: errand.map(|errand| errand.url.to_string()),
            state: "failed",
            bytes: 0,
            seconds: begin.elapsed().as_secs_f64(),
            verified: None,
            tries: 0,
            notes: Vec::new(),
            step: None,
            error_kind: None,
            error: None,
        };
        match outcome {
            Ok(delivered) => {
                report.state = "done";
                report.bytes = delivered.bytes;
                report.tries = delivered.tries;
                report.notes = delivered
                    .notes
                    .iter()
                    .map(|note| output::mask(note))
                    .collect();
                let size = delivered.size_checked.then(|| "size".to_owned());
                let hash = delivered
                    .hash
                    .as_ref()
                    .map(|(algorithm, _)| algorithm.to_string());
                let checks: Vec<String> = size.into_iter().chain(hash).collect();
                report.verified = (!checks.is_empty()).then(|| checks.join(", "));
            }
            Err(undelivered) => {
                report.error = Some(output::mask(&undelivered.reason()));
                report.error_kind = Some(undelivered.kind());
                if let Undelivered::By(error) = undelivered {
                    report.tries = error.tries;
                    report.step = Some(error.step.name());
                    if *error.kind() == ErrorKind::Cancelled {
                        report.state = "cancelled";
                    }
                }
            }
        }
        report
    }

    /// What it says to people.
    fn text(&self) -> String {
        let line = self
            .line
            .map_or_else(String::new, |line| format!("{line}: "));
        let ends = match (&self.source, &self.target) {
            (Some(source), Some(target)) => format!("{source} -> {target}"),
            _ => "not delivered".to_owned(),
        };
        match (&self.error, self.error_kind) {
            (Some(error), kind) => {
                format!(
                    "{line}{ends}  FAILED ({}): {error}",
                    kind.unwrap_or("other")
                )
            }
            (None, _) => {
                let checked = match &self.verified {
                    Some(what) => format!(", {what} verified"),
                    None => String::new(),
                };
                format!(
                    "{line}{ends}  {} bytes in {:.1} s{checked}",
                    self.bytes, self.seconds
                )
            }
        }
    }
}

impl Undelivered {
    fn reason(&self) -> String {
        match self {
            Self::Before(failure) => failure.reason(),
            Self::By(error) => match error.kind() {
                ErrorKind::PlaintextRefused => format!("{error} (--plaintext gives leave)"),
                _ => error.to_string(),
            },
        }
    }

    /// One word for it.
    fn kind(&self) -> &'static str {
        match self {
            Self::Before(Failure::Usage(_)) => "input",
            Self::Before(Failure::NoPassword { .. }) => "password",
            Self::Before(_) => "local",
            Self::By(error) => match error.kind() {
                ErrorKind::Resolve => "resolve",
                ErrorKind::Connect => "connect",
                ErrorKind::Timeout(_) => "timeout",
                ErrorKind::Lost => "lost",
                ErrorKind::Busy => "busy",
                ErrorKind::TlsUnavailable => "no-tls",
                ErrorKind::Tls => "tls",
                ErrorKind::Certificate(_) => "certificate",
                ErrorKind::PlaintextRefused => "plaintext",
                ErrorKind::LoginRefused => "login",
                ErrorKind::NotFound => "not-found",
                ErrorKind::Refused => "refused",
                ErrorKind::Protocol => "protocol",
                ErrorKind::Argument => "input",
                ErrorKind::Truncated => "truncated",
                ErrorKind::Mismatch => "mismatch",
                ErrorKind::Local => "local",
                ErrorKind::Unsupported => "unsupported",
                ErrorKind::Cancelled => "cancelled",
                _ => "other",
            },
        }
    }

    fn status(&self) -> Status {
        match self {
            Self::Before(failure) => failure.status(),
            Self::By(error) => match error.kind() {
                ErrorKind::Timeout(_) => Status::Timeout,
                _ if error.step == DeliverStep::Connect => Failure::Connect {
                    place: String::new(),
                    error: error.error.clone(),
                }
                .status(),
                ErrorKind::Certificate(_) => Status::Certificate,
                _ => Status::SomeFailed,
            },
        }
    }
}

/// Finds out how to connect, and delivers.
async fn perform(
    errand: &Errand,
    connections: &Connections,
    target: &Target,
    stop: &Stop,
) -> Result<Delivered, Undelivered> {
    let (delivery, content) = errand.delivery(target).await.map_err(Undelivered::Before)?;
    let mut stop = stop.clone();
    let delivered = deliver_unless(delivery, content, async move { stop.wished().await })
        .await
        .map_err(Undelivered::By)?;
    connections.logged_in(target).await;
    Ok(delivered)
}

async fn one(
    file: &OsStr,
    url: &str,
    how: &DeliverHow,
    connections: &Connections,
) -> Result<Status, Failure> {
    let output = connections.output;
    let url = connections.parse(url)?;
    let source = match file.to_str() {
        Some("-") => Source::Stdin,
        _ => Source::File(PathBuf::from(file)),
    };
    let errand = Errand::new(source, &url, None, how.clone()).map_err(Failure::Usage)?;
    // Before anybody is asked for a password.
    if let Source::File(file) = &errand.source {
        open(file).map_err(|error| Failure::Other(format!("{}: {error}", errand.shown)))?;
    }
    let begin = Instant::now();
    let stop = Stop::watch();
    let target = connections.target(&url).await?;
    let outcome = perform(&errand, connections, &target, &stop).await;
    let report = Report::new(Some(&errand), &outcome, begin);
    match outcome {
        Ok(_) => {
            for note in &report.notes {
                output.remark(note);
            }
            if output.json {
                output.object(&report)?;
            } else if !output.quiet {
                output.line(&report.text())?;
            }
            Ok(Status::Done)
        }
        Err(undelivered) => {
            let status = undelivered.status();
            match undelivered {
                _ if output.json => output.object(&report)?,
                Undelivered::Before(failure) => output.message(failure),
                Undelivered::By(failed) => {
                    let left = failed.left.as_ref().map_or_else(String::new, |left| {
                        format!("\n{left} was left on the server")
                    });
                    let failure = Failure::Connect {
                        place: errand.url.to_string(),
                        error: failed.error,
                    };
                    output.message(format!("{failure}{left}"));
                }
            }
            Ok(status)
        }
    }
}
