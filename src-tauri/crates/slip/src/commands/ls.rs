use ftp_client::ftp_proto::listing::Line;

use crate::cli;
use crate::connect::{Connections, Session};
use crate::exit::{Failure, Status};
use crate::output::ListWriter;
use crate::url::Url;

/// Lists a folder line by line as it comes in, or shows the one file that the address names.
pub(crate) async fn run(ls: &cli::Ls, connections: &Connections) -> Result<Status, Failure> {
    let url = connections.parse(&ls.url)?;
    let session = connections.open(&url).await?;
    let mut writer = ListWriter::new(connections.output.json, session.charset());
    let outcome = list(&session, &url, &mut writer).await;
    // Even after an error: what has come so far is worth seeing.
    let flushed = writer.flush();
    session.close().await;
    outcome?;
    flushed?;
    Ok(Status::Done)
}

async fn list(session: &Session, url: &Url, writer: &mut ListWriter) -> Result<(), Failure> {
    let failure = |error| Failure::remote(url.to_string(), error);
    let client = &session.client;
    let path = session.path(url);
    if let Some(path) = &path
        && !url.is_folder()
        && !client.is_dir(path).await.map_err(failure)?
    {
        let entry = client.stat(path).await.map_err(failure)?;
        return Ok(writer.entry(&entry)?);
    }
    let mut listing = client.list(path.as_ref()).await.map_err(failure)?;
    while let Some(line) = listing.next().await.map_err(failure)? {
        match line {
            Line::Entry(entry) => writer.entry(&entry)?,
            Line::Unparsed(line) => writer.unparsed(&line)?,
            Line::Skip => {}
        }
    }
    Ok(())
}
