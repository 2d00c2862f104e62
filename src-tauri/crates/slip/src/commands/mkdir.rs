use crate::cli;
use crate::connect::Connections;
use crate::exit::{Failure, Status};

/// Makes folders, in the order of the command line.
pub(crate) async fn run(mkdir: &cli::Mkdir, connections: &Connections) -> Result<Status, Failure> {
    super::each(connections, &mkdir.urls, async |session, url, path| {
        let made = if mkdir.parents {
            session.client.mkd_parents(path).await
        } else {
            session.client.mkd(path).await
        };
        made.map_err(|error| Failure::remote(url.to_string(), error))
    })
    .await
}
