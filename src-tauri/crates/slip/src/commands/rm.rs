use ftp_client::{Client, Error, ErrorKind, ftp_proto::RemotePath};

use crate::cli;
use crate::connect::Connections;
use crate::exit::{Failure, Status};

/// Removes files, and with -r folders.
pub(crate) async fn run(rm: &cli::Rm, connections: &Connections) -> Result<Status, Failure> {
    super::each(connections, &rm.urls, async |session, url, path| {
        let failure = |error| Failure::remote(url.to_string(), error);
        let Err(error) = session.client.dele(path).await else {
            return Ok(());
        };
        if !is_folder(&session.client, path, &error).await {
            return Err(failure(error));
        }
        if !rm.recursive {
            return Err(Failure::Other(format!(
                "{url}: this is a folder: -r removes it with everything in it"
            )));
        }
        session.client.remove_tree(path).await.map_err(failure)
    })
    .await
}

/// Asked only after DELE was refused: a link to a folder looks like one from inside, but goes by DELE, and what it leads
/// to stays.
async fn is_folder(client: &Client, path: &RemotePath, refused: &Error) -> bool {
    matches!(
        refused.kind(),
        ErrorKind::NotFound | ErrorKind::Refused | ErrorKind::Unsupported
    ) && matches!(client.is_dir(path).await, Ok(true))
}
