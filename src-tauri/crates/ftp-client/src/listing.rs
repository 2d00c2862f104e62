use bytes::BytesMut;
use ftp_proto::{
    Argument, Command, RemotePath,
    listing::{Entry, Line, ListingDecoder},
};
use futures_util::stream::{self, Stream};
use tokio::io::AsyncReadExt;

use crate::{
    Client, Download, Error, ErrorKind,
    driver::{Driver, Opened},
};

/// A listing that was asked for, and whether with options that the server may not know.
struct Asked {
    listing: Listing,
    with_options: bool,
}

/// How much of a listing is taken from the connection at a time.
const PIECE: usize = 64 * 1024;

/// The lines of a directory as they arrive: entries, and the lines that no parser knew.
///
/// Names are bytes as the server has them, and not yet trusted: make a
/// [`Name`](ftp_proto::Name) of one before it becomes part of a path. The entries `.` and `..` are left out.
/// Dropping a listing half-way ends the transfer; the session stays usable.
pub struct Listing {
    download: Option<Download>,
    decoder: ListingDecoder,
    buffer: BytesMut,
    ended: bool,
    /// The last byte that came.
    last: Option<u8>,
    /// For a LIST with options: whom to ask again without them if nothing at all comes.
    again: Option<(Client, Option<RemotePath>)>,
    /// True for the LIST that was asked again.
    repeated: bool,
}

impl Listing {
    pub(crate) async fn open(client: &Client, path: Option<RemotePath>) -> Result<Self, Error> {
        let mut listing = Self::ask(client, path.clone(), true).await?;
        if listing.with_options {
            listing.listing.again = Some((client.clone(), path));
        }
        Ok(listing.listing)
    }

    async fn ask(client: &Client, path: Option<RemotePath>, all: bool) -> Result<Asked, Error> {
        let opened = client
            .run(move |driver| {
                Box::pin(async move {
                    let idle = driver.config.timeouts.idle;
                    let (opened, command) = driver.open_listing(path, all).await?;
                    Ok((opened, command, idle))
                })
            })
            .await;
        let (listing, with_options) = match opened {
            Ok((opened, command, idle)) => {
                let with_options = matches!(command, Command::List(Some(_)));
                let decoder = match command {
                    Command::Mlsd(_) => ListingDecoder::mlsd_at(jiff::Timestamp::now()),
                    _ => ListingDecoder::list(jiff::Timestamp::now()),
                };
                let download = Download::new(client, opened, command.redacted(), idle);
                (Self::new(Some(download), decoder), with_options)
            }
            Err(error) if is_empty_folder(&error) => {
                (Self::new(None, ListingDecoder::mlsd()), false)
            }
            Err(error) => return Err(error),
        };
        Ok(Asked {
            listing,
            with_options,
        })
    }

    fn new(download: Option<Download>, decoder: ListingDecoder) -> Self {
        Self {
            ended: download.is_none(),
            download,
            decoder,
            buffer: BytesMut::new(),
            last: None,
            again: None,
            repeated: false,
        }
    }

    /// The next line, `None` after the last one. Dropping the future loses nothing.
    ///
    /// # Errors
    /// Those of the connection, and what the server says instead of 226: then the listing is incomplete.
    pub async fn next(&mut self) -> Result<Option<Line>, Error> {
        loop {
            match self.decoder.next_line() {
                Some(Line::Skip) => continue,
                Some(Line::Entry(entry)) if is_dot(&entry) => continue,
                Some(line) => return Ok(Some(line)),
                None => {}
            }
            if self.ended {
                // Only now: the connection was read to its end, and all of it was handed out.
                if let Some(download) = self.download.take() {
                    let cut = !download.is_clean() && self.last.is_some_and(|byte| byte != b'\n');
                    download.finish().await?;
                    if cut {
                        return Err(Error::new(ErrorKind::Truncated, "the listing"));
                    }
                }
                match self.again.take() {
                    // Not even `.` and `..`: the options may have been taken for the name of a file.
                    Some((client, path)) if self.last.is_none() && !self.repeated => {
                        match Self::ask(&client, path, false).await {
                            Ok(asked) => *self = asked.listing,
                            // It was said to be empty; that it can't be asked again changes nothing.
                            Err(error) if error.reply().is_some() && !error.is_fatal() => {
                                return Ok(None);
                            }
                            Err(error) => return Err(error),
                        }
                        self.again = Some((client, None));
                        self.repeated = true;
                        continue;
                    }
                    // Without options there was something: so they are not for this server.
                    Some((client, _)) if self.last.is_some() && self.repeated => {
                        let learn = client.run(|driver| {
                            Box::pin(async move {
                                driver.list_all_unknown();
                                Ok(())
                            })
                        });
                        learn.await?;
                    }
                    _ => {}
                }
                return Ok(None);
            }
            let Some(download) = &mut self.download else {
                return Ok(None);
            };
            self.buffer.reserve(PIECE);
            match download.read_buf(&mut self.buffer).await {
                Ok(0) => {
                    self.ended = true;
                    self.decoder.finish();
                }
                Ok(_) => {
                    self.last = self.buffer.last().copied();
                    self.decoder.feed(&self.buffer);
                    self.buffer.clear();
                }
                Err(error) => {
                    self.ended = true;
                    return Err(match self.download.take() {
                        Some(download) => download.failed(error).await,
                        None => Error::net("the listing", ftp_net::NetError::Io(error)),
                    });
                }
            }
        }
    }

    /// All entries at once, and the lines that no parser knew.
    ///
    /// # Errors
    /// As [`Listing::next`].
    pub async fn collect(mut self) -> Result<(Vec<Entry>, Vec<Vec<u8>>), Error> {
        let (mut entries, mut unparsed) = (Vec::new(), Vec::new());
        while let Some(line) = self.next().await? {
            match line {
                Line::Entry(entry) => entries.push(entry),
                Line::Unparsed(raw) => unparsed.push(raw),
                Line::Skip => {}
            }
        }
        Ok((entries, unparsed))
    }

    /// The lines as a stream, which ends after the first error.
    pub fn into_stream(self) -> impl Stream<Item = Result<Line, Error>> + Send {
        stream::unfold(Some(self), |listing| async {
            let mut listing = listing?;
            match listing.next().await {
                Ok(Some(line)) => Some((Ok(line), Some(listing))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        })
    }
}

impl Driver {
    /// MLSD where there is one. LIST takes its argument for an option or a pattern on many servers, so the
    /// server is sent into the folder instead; the owner's folder is restored when it matters.
    ///
    /// All of it is one request: between CWD and LIST another handle could send the server elsewhere.
    ///
    /// With `all`, hidden files are asked for by `-a` where the server is not known to stumble over it.
    async fn open_listing(
        &mut self,
        path: Option<RemotePath>,
        all: bool,
    ) -> Result<(Opened, Command), Error> {
        if self.uses_mlsd() {
            let command = Command::Mlsd(path.clone());
            match self.open_sized(command.clone(), 0, None).await {
                // No MLSD after all: LIST from now on.
                Err(error) if *error.kind() == ErrorKind::Unsupported => self.mlsd_unknown(),
                outcome => return outcome.map(|opened| (opened, command)),
            }
        }
        match path {
            None => self.return_home().await?,
            Some(path) => self.visit(path).await?,
        }
        if all && !self.list_all_refused() {
            let all = Argument::try_from("-a").map_err(Error::argument)?;
            let command = Command::List(Some(all));
            match self.open_sized(command.clone(), 0, None).await {
                Err(error)
                    if error.reply().is_some_and(|reply| {
                        reply.code.is_permanent() || reply.code.value() == 450
                    }) && !is_empty_folder(&error) =>
                {
                    self.list_all_unknown();
                }
                outcome => return outcome.map(|opened| (opened, command)),
            }
        }
        let command = Command::List(None);
        let opened = self.open_sized(command.clone(), 0, None).await?;
        Ok((opened, command))
    }
}

fn is_dot(entry: &Entry) -> bool {
    use ftp_proto::listing::Kind;
    matches!(entry.kind, Kind::CurrentDir | Kind::ParentDir)
        || matches!(entry.name.as_slice(), b"." | b"..")
}

/// Servers that have an error for "nothing in it" (450 or 550 "no files found" and the like).
fn is_empty_folder(error: &Error) -> bool {
    let Some(reply) = error.reply() else {
        return false;
    };
    if !matches!(reply.code.value(), 450 | 550) {
        return false;
    }
    let text = reply.text().to_lowercase();
    [
        "no files",
        "no members",
        "no data sets",
        "no such file or directory found matching",
        "directory is empty",
        "empty directory",
    ]
    .iter()
    .any(|words| text.contains(words))
}
