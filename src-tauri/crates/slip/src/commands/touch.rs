use ftp_client::ftp_proto::RemotePath;
use ftp_client::{Client, Error, ErrorKind};
use jiff::Timestamp;

use crate::cli;
use crate::connect::Connections;
use crate::exit::{Failure, Status};

/// Sets the times of files, and makes empty ones of those that are missing.
pub(crate) async fn run(touch: &cli::Touch, connections: &Connections) -> Result<Status, Failure> {
    super::each(connections, &touch.urls, async |session, url, path| {
        let touched = one(&session.client, path, touch).await;
        touched.map_err(|error| Failure::remote(url.to_string(), error))
    })
    .await
}

async fn one(client: &Client, path: &RemotePath, touch: &cli::Touch) -> Result<(), Error> {
    let now = Timestamp::now();
    // No server keeps less than a second everywhere.
    let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
    let time = touch.time.unwrap_or(now);
    let refused = match client.mfmt(path, time).await {
        Err(error) if !error.is_fatal() && !touch.no_create => error,
        outcome => return outcome,
    };
    let missing = match refused.kind() {
        ErrorKind::NotFound => true,
        // A server that sets no times may still lack the file, which then gets the present one.
        ErrorKind::Unsupported if touch.time.is_none() => {
            matches!(client.size(path).await, Err(error) if *error.kind() == ErrorKind::NotFound)
        }
        _ => false,
    };
    // A folder is "not found" for some commands.
    if !missing || client.is_dir(path).await? {
        return Err(refused);
    }
    client.stor(path, 0).await?.finish().await?;
    match touch.time {
        Some(time) => client.mfmt(path, time).await,
        None => Ok(()),
    }
}
