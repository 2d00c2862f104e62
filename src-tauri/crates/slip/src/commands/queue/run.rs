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
    let before = place.read(Reader::overview).await?.unwrap_or_default();
    for site in before.sites {
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
    // The queue has begun: what has failed since then is told.
    work.ended_before = before.ended;
    work.run(queue.subscribe(Interest::Everything)).await
}
