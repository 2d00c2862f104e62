//! `slip doctor`: examines a server.

use ftp_client::doctor::{Examination, Finding, Verdict, examine_unless};
use serde::Serialize;

use crate::cli;
use crate::connect::Connections;
use crate::exit::{Failure, Status};
use crate::output::{self, Output};
use crate::signals::Stop;

/// A finding, with `--json`.
#[derive(Serialize)]
struct Object<'a> {
    check: &'a str,
    verdict: &'a str,
    seconds: f64,
    what: String,
    tell_admin: Option<String>,
}

/// The end, with `--json`.
#[derive(Serialize)]
struct Summary {
    check: &'static str,
    healthy: bool,
    good: usize,
    notices: usize,
    problems: usize,
    skipped: usize,
    seconds: f64,
    error: Option<String>,
}

/// Prints each finding as it comes. The exit code is 0 where nothing is a problem, 1 where something is; where there was no session it says why.
pub(crate) async fn run(
    doctor: &cli::Doctor,
    connections: &Connections,
) -> Result<Status, Failure> {
    let output = connections.output;
    let url = connections.parse(&doctor.url)?;
    let mut stop = Stop::watch();
    let target = connections.target(&url).await?;
    let examination = Examination {
        config: target.config().clone(),
        folder: url.remote(None, target.base()),
        write: doctor.write,
        limit: doctor.limit,
    };
    // Nobody who reads it is no reason to leave files behind.
    let tell = |finding: &Finding| drop(print(finding, output));
    let report = examine_unless(examination, tell, async move { stop.wished().await }).await;
    if report.failure.is_none() {
        connections.logged_in(&target).await;
    }
    let summary = Summary {
        check: "summary",
        healthy: report.is_healthy(),
        good: report.count(Verdict::Good),
        notices: report.count(Verdict::Notice),
        problems: report.count(Verdict::Problem),
        skipped: report.count(Verdict::Skipped),
        seconds: report.took.as_secs_f64(),
        error: report
            .failure
            .as_ref()
            .map(|error| output::mask(&error.to_string())),
    };
    if output.json {
        output.object(&summary)?;
    } else if !output.quiet {
        let many = |count: usize, one: &str, more: &str| {
            format!("{count} {}", if count == 1 { one } else { more })
        };
        output.line(&format!(
            "{}, {}, {} good, {} skipped, in {:.1} s",
            many(summary.problems, "problem", "problems"),
            many(summary.notices, "notice", "notices"),
            summary.good,
            summary.skipped,
            summary.seconds
        ))?;
    }
    Ok(match report.failure {
        Some(error) => {
            let failure = target.failure(error);
            if !output.json {
                output.message(&failure);
            }
            failure.status()
        }
        None if summary.healthy => Status::Done,
        None => Status::SomeFailed,
    })
}

fn print(finding: &Finding, output: Output) -> std::io::Result<()> {
    if output.json {
        return output.object(&Object {
            check: finding.check.name(),
            verdict: finding.verdict.name(),
            seconds: finding.took.as_secs_f64(),
            what: output::mask(&finding.what),
            tell_admin: finding.tell_admin.as_deref().map(output::mask),
        });
    }
    if output.quiet && finding.verdict < Verdict::Problem {
        return Ok(());
    }
    output.line(&output::mask(&finding.to_string()))
}
