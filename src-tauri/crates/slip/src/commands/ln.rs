use crate::cli;
use crate::connect::Connections;
use crate::exit::{Failure, Status};

/// Makes a symbolic link on the server, where it can.
pub(crate) async fn run(ln: &cli::Ln, connections: &Connections) -> Result<Status, Failure> {
    let target = ln.target.as_bytes();
    let urls = std::slice::from_ref(&ln.url);
    super::each(connections, urls, async |session, url, path| {
        let made = session.client.symlink(target, path).await;
        made.map_err(|error| Failure::remote(url.to_string(), error))
    })
    .await
}
