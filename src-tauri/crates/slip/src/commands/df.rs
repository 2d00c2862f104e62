use ftp_client::Space;
use serde::Serialize;

use super::Told;
use crate::cli;
use crate::connect::Connections;
use crate::exit::{Failure, Status};
use crate::url::Url;

/// `--json` beside `url` and `error`.
#[derive(Debug, Default, Serialize)]
struct Room {
    available: Option<u64>,
    used: Option<u64>,
    limit: Option<u64>,
    files_used: Option<u64>,
    files_limit: Option<u64>,
    report: Vec<String>,
}

impl From<Space> for Room {
    fn from(space: Space) -> Self {
        Self {
            available: space.available,
            used: space.used,
            limit: space.limit,
            files_used: space.files_used,
            files_limit: space.files_limit,
            report: space.report,
        }
    }
}

impl Told for Room {
    fn lines(&self, url: &Url) -> Vec<String> {
        let facts = [
            ("available", self.available, "bytes"),
            ("used", self.used, "bytes"),
            ("limit", self.limit, "bytes"),
            ("used", self.files_used, "files"),
            ("limit", self.files_limit, "files"),
        ];
        let facts: Vec<String> = facts
            .into_iter()
            .filter_map(|(what, number, unit)| Some(format!("{what} {} {unit}", number?)))
            .collect();
        if !facts.is_empty() {
            return vec![format!("{url}  {}", facts.join(", "))];
        }
        // No number was understood: then the server's own words.
        let own = self.report.iter().map(|line| format!("{url}  {line}"));
        own.collect()
    }
}

/// Asks how much room there is.
pub(crate) async fn run(df: &cli::Df, connections: &Connections) -> Result<Status, Failure> {
    super::each_telling(connections, &df.urls, true, async |session, url, path| {
        let space = session.client.space(path).await;
        space
            .map(Room::from)
            .map_err(|error| Failure::remote(url.to_string(), error))
    })
    .await
}
