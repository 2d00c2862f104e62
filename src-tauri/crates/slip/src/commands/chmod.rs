use crate::cli;
use crate::connect::Connections;
use crate::exit::{Failure, Status};

/// Sets permissions.
pub(crate) async fn run(chmod: &cli::Chmod, connections: &Connections) -> Result<Status, Failure> {
    super::each(connections, &chmod.urls, async |session, url, path| {
        let set = session.client.chmod(path, chmod.mode).await;
        set.map_err(|error| Failure::remote(url.to_string(), error))
    })
    .await
}
