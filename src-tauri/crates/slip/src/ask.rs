//! The question about targets that exist: one for the whole batch.

use std::io::{self, Write as _};

use ftp_client::ftp_proto::escape;
use jiff::tz::TimeZone;
use transfer::{ConflictRule, Facts, Transfer};

use crate::exit::Failure;
use crate::report::shown_target;
use crate::servers::Servers;
use crate::signals::Stop;

/// More rows are not shown: nobody reads them.
const ROWS: usize = 20;

const ANSWERS: [(char, ConflictRule, &str); 7] = [
    ('o', ConflictRule::Overwrite, "overwrite"),
    ('n', ConflictRule::IfNewer, "overwrite if newer"),
    (
        'd',
        ConflictRule::IfSizeDiffers,
        "overwrite if sizes differ",
    ),
    (
        'b',
        ConflictRule::IfNewerOrSizeDiffers,
        "overwrite if newer or sizes differ",
    ),
    ('c', ConflictRule::Resume, "continue"),
    ('r', ConflictRule::Rename, "rename"),
    ('s', ConflictRule::Skip, "skip"),
];

/// Shows what exists, and asks what to do with all of it. `None`: somebody wants to stop.
pub(crate) async fn rule(
    servers: &Servers,
    asking: &[Transfer],
    stop: &mut Stop,
) -> Result<Option<ConflictRule>, Failure> {
    let mut text = table(servers, asking);
    let answers: Vec<String> = ANSWERS
        .iter()
        .map(|(key, _, words)| format!("[{key}] {words}"))
        .collect();
    text.push_str(&format!("{}, [q] stop\n", answers.join(", ")));
    let mut err = io::stderr().lock();
    let _ = err.write_all(text.as_bytes());
    drop(err);
    loop {
        let _ = write!(io::stderr(), "All of these? ");
        let _ = io::stderr().flush();
        let line = tokio::task::spawn_blocking(|| {
            let mut line = String::new();
            io::stdin().read_line(&mut line).map(|read| (read, line))
        });
        let answer = tokio::select! {
            biased;
            () = stop.wished() => return Ok(None),
            answer = line => answer,
        };
        let (read, line) = match answer {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(Failure::Other(format!("standard input: {error}"))),
            Err(_) => return Ok(None),
        };
        let line = line.trim().to_lowercase();
        if read == 0 || line == "q" {
            return Ok(None);
        }
        let known = ANSWERS
            .iter()
            .find(|(key, _, words)| line == key.to_string() || line == *words);
        if let Some((_, rule, _)) = known {
            return Ok(Some(*rule));
        }
    }
}

fn table(servers: &Servers, asking: &[Transfer]) -> String {
    let mut text = format!(
        "{} with a target that exists:\n{:>14} {:<17} {:>14} {:<17} {}\n",
        match asking.len() {
            1 => "One file".to_owned(),
            count => format!("{count} files"),
        },
        "new size",
        "modified",
        "there",
        "modified",
        "target"
    );
    for item in asking.iter().take(ROWS) {
        let conflict = item.conflict.unwrap_or_default();
        let (new, there) = (facts(&conflict.source), facts(&conflict.target));
        let target = shown_target(servers, item);
        text.push_str(&format!(
            "{:>14} {:<17} {:>14} {:<17} {}\n",
            new.0,
            new.1,
            there.0,
            there.1,
            escape(target.as_bytes(), 500)
        ));
    }
    if asking.len() > ROWS {
        text.push_str(&format!("… and {} more\n", asking.len() - ROWS));
    }
    text
}

fn facts(facts: &Facts) -> (String, String) {
    (
        facts
            .size
            .map_or_else(|| "?".to_owned(), |size| size.to_string()),
        facts.modified.map_or_else(
            || "?".to_owned(),
            |time| {
                time.to_zoned(TimeZone::system())
                    .strftime("%Y-%m-%d %H:%M")
                    .to_string()
            },
        ),
    )
}
