use crate::cli;
use crate::connect::Connections;
use crate::exit::{Failure, Status};

/// Renames on the server.
pub(crate) async fn run(mv: &cli::Mv, connections: &Connections) -> Result<Status, Failure> {
    super::pair::run(&mv.from, &mv.to, connections, async |session, from, to| {
        session.client.rename(from, to).await
    })
    .await
}
