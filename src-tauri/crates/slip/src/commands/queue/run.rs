use std::sync::Arc;

use transfer::{Interest, Reader};

use super::{Place, failure};
use crate::batch::{self, Work};
use crate::cli;
use crate::exit::{Failure, Status};
use crate::servers::Servers;

/// Works until nothing is left.
pub(super) async fn run(how: cli::QueueRun, place: &Place<'_>) -> Result<Status, Failure> {
    let journal = place.open("run").await.map_err(failure)?;
    let servers = Arc::new(Servers::new(place.connections.clone()));
    // Whoever is to be asked for a password is asked before the work begins.
    for site in place.read(Reader::sites).await?.unwrap_or_default() {
        servers.prepare(&site).await;
    }
    let queue = place.queue(
        batch::config(how.connections, how.segments),
        servers.clone(),
        journal,
    )?;
    if let Some(limit) = how.limit {
        let mut limits = queue.limits();
        limits.total = limit.0;
        queue.set_limits(limits);
    }
    if let Some(timetable) = how.timetable {
        queue.set_timetable(timetable.0);
    }
    let mut work = Work::new(&queue, &servers, place.connections);
    work.is_kept = true;
    work.run(queue.subscribe(Interest::Everything)).await
}
