use crate::cli;
use crate::connect::Connections;
use crate::exit::{Failure, Status};

/// Copies on the server, where it can.
pub(crate) async fn run(cp: &cli::Cp, connections: &Connections) -> Result<Status, Failure> {
    super::pair::run(&cp.from, &cp.to, connections, async |session, from, to| {
        session.client.copy(from, to).await
    })
    .await
}
