//! The lines of a folder as they arrive.

mod ending;
mod names;
mod open;
mod zone;

use std::collections::{HashSet, VecDeque};

use bytes::BytesMut;
use ftp_proto::{
    Command, RemotePath,
    listing::{Entry, Kind, Line, ListingDecoder},
};
use futures_util::{
    future::BoxFuture,
    stream::{self, Stream},
};
use tokio::io::AsyncReadExt;

use crate::{Client, Download, Error, ErrorKind, ListCommand};
use ending::{Ended, Ending};
use names::NameDecoder;
use open::{Began, Hints};

/// How much of a listing is taken from the connection at a time.
const PIECE: usize = 64 * 1024;
/// So many lines of the first listing of a server are held back until it is known what to make of them.
const MOST_HELD: usize = 10_000;
/// And so many bytes.
const MOST_HELD_BYTES: usize = 4 * 1024 * 1024;

/// The lines of a directory as they arrive: entries, and the lines that no parser knew.
///
/// Names are bytes as the server has them, and not yet trusted: make a
/// [`Name`](ftp_proto::Name) of one before it becomes part of a path. The entries `.` and `..` are left out.
/// Dropping a listing half-way ends the transfer; the session stays usable.
///
/// The first listing by LIST of a server that is not known yet is held back to its end (or to its 10 000th line): one MDTM of a
/// file in it tells in which zone the server writes its times.
pub struct Listing {
    client: Client,
    path: Option<RemotePath>,
    command: Command,
    hints: Hints,
    download: Option<Download>,
    decoder: Decoder,
    buffer: BytesMut,
    /// All bytes are here.
    read: bool,
    /// What is to be done then.
    ending: Option<BoxFuture<'static, Result<Ended, Error>>>,
    /// That was done.
    ended: bool,
    /// What came of it, to be said behind the last line.
    failure: Option<Error>,
    /// The last byte that came.
    last: Option<u8>,
    /// `.` or `..` were among the lines.
    dots: bool,
    holding: bool,
    held: VecDeque<Line>,
    held_bytes: usize,
    /// True for the LIST that was asked again without options.
    repeated: bool,
}

enum Decoder {
    Lines(Box<ListingDecoder>),
    Names(NameDecoder),
}

impl Decoder {
    fn next_line(&mut self) -> Option<Line> {
        match self {
            Self::Lines(decoder) => decoder.next_line(),
            Self::Names(decoder) => decoder.next_line(),
        }
    }

    fn feed(&mut self, bytes: &[u8]) {
        match self {
            Self::Lines(decoder) => decoder.feed(bytes),
            Self::Names(decoder) => decoder.feed(bytes),
        }
    }

    fn finish(&mut self) {
        match self {
            Self::Lines(decoder) => decoder.finish(),
            Self::Names(decoder) => decoder.finish(),
        }
    }
}

impl Listing {
    pub(crate) async fn open(
        client: &Client,
        path: Option<RemotePath>,
        by: Option<ListCommand>,
    ) -> Result<Self, Error> {
        Self::ask(client, path, by, true).await
    }

    /// With `all`, LIST asks for hidden files by `-a` where the server is not known to stumble over that.
    async fn ask(
        client: &Client,
        path: Option<RemotePath>,
        by: Option<ListCommand>,
        all: bool,
    ) -> Result<Self, Error> {
        let folder = path.clone();
        let began = client
            .run(move |driver| Box::pin(driver.begin_listing(folder, by, all)))
            .await?;
        Ok(Self::new(client, path, began))
    }

    fn new(client: &Client, path: Option<RemotePath>, began: Began) -> Self {
        let Began {
            opened,
            text,
            command,
            hints,
            idle,
            parsers,
        } = began;
        let now = jiff::Timestamp::now();
        let mut decoder = match command {
            Command::Mlsd(_) => {
                Decoder::Lines(Box::new(ListingDecoder::mlsd_at(now).with_parsers(parsers)))
            }
            Command::Nlst(_) => Decoder::Names(NameDecoder::default()),
            _ => Decoder::Lines(Box::new(ListingDecoder::list(now).with_parsers(parsers))),
        };
        let download = opened.map(|opened| Download::new(client, opened, command.redacted(), idle));
        let read = download.is_none();
        if read {
            decoder.feed(&text);
            decoder.finish();
        }
        Self {
            client: client.clone(),
            path,
            holding: hints.ask_zone || hints.doubt_all,
            hints,
            command,
            download,
            decoder,
            buffer: BytesMut::new(),
            read,
            ending: None,
            ended: false,
            failure: None,
            last: text.last().copied(),
            dots: false,
            held: VecDeque::new(),
            held_bytes: 0,
            repeated: false,
        }
    }

    /// The next line, `None` after the last one. Dropping the future loses nothing.
    ///
    /// # Errors
    /// Those of the connection, and what the server says instead of 226: then the listing is incomplete.
    pub async fn next(&mut self) -> Result<Option<Line>, Error> {
        loop {
            if !self.holding
                && let Some(line) = self.held.pop_front()
            {
                return Ok(Some(zone::shifted(line, self.hints.zone)));
            }
            match self.decoder.next_line() {
                Some(Line::Skip) => continue,
                Some(Line::Entry(entry)) if is_dot(&entry) => {
                    self.dots = true;
                    continue;
                }
                Some(line) if self.holding => {
                    self.hold(line);
                    continue;
                }
                Some(line) => return Ok(Some(zone::shifted(line, self.hints.zone))),
                None if self.ended && self.held.is_empty() => {
                    return self.failure.take().map_or(Ok(None), Err);
                }
                None if self.ended => {
                    self.holding = false;
                    continue;
                }
                None => {}
            }
            if self.read {
                // Only now: the connection was read to its end.
                self.end().await;
                continue;
            }
            self.read_on().await;
        }
    }

    fn hold(&mut self, line: Line) {
        self.held_bytes += match &line {
            Line::Entry(entry) => entry.raw.len() + 200,
            Line::Unparsed(raw) => raw.len() + 50,
            Line::Skip => 0,
        };
        self.held.push_back(line);
        if self.held.len() >= MOST_HELD || self.held_bytes >= MOST_HELD_BYTES {
            self.holding = false;
            // It can't be compared with anything any more.
            self.hints.doubt_all = false;
        }
    }

    async fn read_on(&mut self) {
        let Some(download) = &mut self.download else {
            self.read = true;
            return;
        };
        self.buffer.reserve(PIECE);
        match download.read_buf(&mut self.buffer).await {
            Ok(0) => {
                self.read = true;
                self.decoder.finish();
            }
            Ok(_) => {
                self.last = self.buffer.last().copied();
                self.decoder.feed(&self.buffer);
                self.buffer.clear();
            }
            Err(error) => {
                let reset = error.kind() == std::io::ErrorKind::ConnectionReset;
                let (download, nothing) = (self.download.take(), self.last.is_none());
                let names = matches!(self.command, Command::Nlst(_));
                self.read = true;
                self.decoder.finish();
                self.ending = Some(Box::pin(async move {
                    let Some(download) = download else {
                        return Ok(Ended::default());
                    };
                    let error = download.failed(error).await;
                    // ProFTPD resets the connection of an NLST that finds nothing, and says 226.
                    if reset && nothing && names && *error.kind() == ErrorKind::Truncated {
                        return Ok(Ended::default());
                    }
                    Err(error)
                }));
            }
        }
    }

    async fn end(&mut self) {
        if self.ending.is_none() {
            let ending = Ending {
                client: self.client.clone(),
                path: self.path.clone(),
                command: self.command.clone(),
                hints: self.hints,
                download: self.download.take(),
                last: self.last,
                repeated: self.repeated,
                found: self.dots || !self.held.is_empty(),
                proven: self.dots || self.shows_hidden(),
                names: (self.holding && self.hints.doubt_all && self.may_hide())
                    .then(|| self.names()),
                candidate: self.holding.then(|| zone::candidate(&self.held)).flatten(),
            };
            self.ending = Some(ending.run());
        }
        // It stays where it is until it is done, so that dropping this future loses nothing.
        let Some(ending) = &mut self.ending else {
            return;
        };
        let outcome = ending.await;
        self.ending = None;
        self.ended = true;
        let ended = match outcome {
            Ok(ended) => ended,
            // What came before is shown first.
            Err(error) => {
                self.failure = Some(error);
                return;
            }
        };
        self.hints.zone = self.hints.zone.or(ended.zone);
        if let Some(again) = ended.again {
            *self = *again;
            self.repeated = true;
        } else if let Some(lines) = ended.instead {
            self.held = lines.into();
        }
    }

    /// A listing as `ls` writes it in which nothing shows that `-a` was understood.
    fn may_hide(&self) -> bool {
        !self.dots && !self.shows_hidden() && self.entries().any(|e| e.permissions.is_some())
    }

    fn shows_hidden(&self) -> bool {
        self.entries().any(|entry| entry.name.starts_with(b"."))
    }

    fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.held.iter().filter_map(|line| match line {
            Line::Entry(entry) => Some(entry),
            _ => None,
        })
    }

    fn names(&self) -> HashSet<Vec<u8>> {
        self.entries().map(|entry| entry.name.clone()).collect()
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

fn is_dot(entry: &Entry) -> bool {
    matches!(entry.kind, Kind::CurrentDir | Kind::ParentDir)
        || matches!(entry.name.as_slice(), b"." | b"..")
}
