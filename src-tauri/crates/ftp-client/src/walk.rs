//! Folders with everything in them, and what is somewhere.

use std::collections::VecDeque;

use ftp_proto::{
    Name, RemotePath,
    listing::{Entry, Kind, Line},
};
use futures_util::stream::{self, Stream};

use crate::{Client, Error, ErrorKind, Listing};

/// Deeper than this a tree is a loop, or a trap.
const DEEPEST: usize = 128;
/// So many folders may wait to be listed.
const MOST_WAITING: usize = 1_000_000;

/// By which command a folder is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ListCommand {
    /// MLSD (RFC 3659 section 7): the only one that is made for programs.
    Mlsd,
    /// LIST (RFC 959 section 4.1.3).
    List,
    /// NLST: names alone, so that folders can't be told from files.
    Nlst,
    /// STAT with a path: over the control connection, for where no data connection comes about.
    Stat,
}

/// How folders are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ListOptions {
    /// The folders in it, too, and the folders in these: breadth first, each over a data connection of its own. Links are given out
    /// and not followed.
    pub recursive: bool,
    /// This command and no other; `None`: MLSD, and LIST where the server has no MLSD.
    pub command: Option<ListCommand>,
}

/// What a walk has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// An entry and its path: the folder's as it was asked for, and the name.
    Entry(RemotePath, Entry),
    /// An entry of this folder with a name that can't become part of a path (it has a slash in it, or is empty).
    Misnamed(RemotePath, Entry),
    /// A line in the listing of this folder that no parser knew.
    Unparsed(RemotePath, Vec<u8>),
}

/// The entries of a folder, and of the folders in it, as they arrive.
pub struct Walk {
    client: Client,
    options: ListOptions,
    /// The folders to come, and how deep they are.
    waiting: VecDeque<(RemotePath, usize)>,
    current: Option<(RemotePath, usize, Listing)>,
}

impl Client {
    /// The entries of a folder, with their paths; the working directory where there is none. A file has no entries.
    ///
    /// # Errors
    /// None yet: those of the listings come from [`Walk::next`].
    pub fn walk(&self, path: Option<&RemotePath>, options: ListOptions) -> Walk {
        let top = path.cloned().unwrap_or_else(RemotePath::here);
        Walk {
            client: self.clone(),
            options,
            waiting: VecDeque::from([(top, 0)]),
            current: None,
        }
    }

    /// True where there is something of this name: a file, a folder, or something else.
    ///
    /// # Errors
    /// Those of the connection; what the server says for another reason than that it isn't there.
    pub async fn exists(&self, path: &RemotePath) -> Result<bool, Error> {
        self.kind_of(path).await.map(|kind| kind.is_some())
    }

    /// True where there is a file of this name. A link to a file counts where the server tells its size.
    ///
    /// # Errors
    /// As [`exists`](Self::exists).
    pub async fn is_file(&self, path: &RemotePath) -> Result<bool, Error> {
        match self.kind_of(path).await? {
            Some(Kind::File) => Ok(true),
            // What it leads to isn't said; folders have no size, in binary mode at least.
            Some(Kind::Link) => match self.size(path).await {
                Ok(_) => Ok(!self.is_dir(path).await?),
                Err(error) if error.reply().is_some() && !error.is_fatal() => Ok(false),
                Err(error) => Err(error),
            },
            _ => Ok(false),
        }
    }

    async fn kind_of(&self, path: &RemotePath) -> Result<Option<Kind>, Error> {
        match self.stat(path).await {
            Ok(entry) => Ok(Some(entry.kind)),
            Err(error) if *error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes whatever it is: a file, or a folder with everything in it. What isn't there needs no removing. True where something
    /// was removed.
    ///
    /// # Errors
    /// What the server refuses.
    pub async fn remove(&self, path: &RemotePath) -> Result<bool, Error> {
        match self.kind_of(path).await? {
            None => return Ok(false),
            Some(Kind::Dir | Kind::CurrentDir | Kind::ParentDir) => self.remove_tree(path).await?,
            // A link goes, what it leads to stays.
            Some(_) => self.dele(path).await?,
        }
        Ok(true)
    }
}

impl Walk {
    /// What comes next, `None` at the end. Dropping the future loses nothing.
    ///
    /// # Errors
    /// Those of the folder that is being listed; where the connection is still alive, the next call goes on with the next
    /// folder.
    pub async fn next(&mut self) -> Result<Option<Found>, Error> {
        loop {
            let Some((folder, depth, listing)) = &mut self.current else {
                let Some((folder, depth)) = self.waiting.front().cloned() else {
                    return Ok(None);
                };
                let listing = open(&self.client, &folder, depth, self.options.command).await;
                self.waiting.pop_front();
                if let Some(listing) = listing? {
                    self.current = Some((folder, depth, listing));
                }
                continue;
            };
            match listing.next().await {
                Ok(Some(Line::Skip)) => {}
                Ok(Some(Line::Unparsed(line))) => {
                    return Ok(Some(Found::Unparsed(folder.clone(), line)));
                }
                Ok(Some(Line::Entry(entry))) => {
                    let Ok(name) = Name::try_from(entry.name.as_slice()) else {
                        return Ok(Some(Found::Misnamed(folder.clone(), entry)));
                    };
                    let (path, depth) = (folder.join(&name), *depth + 1);
                    if entry.kind == Kind::Dir && self.options.recursive {
                        if depth > DEEPEST || self.waiting.len() >= MOST_WAITING {
                            self.waiting.clear();
                            self.current = None;
                            return Err(Error::new(
                                ErrorKind::Protocol,
                                format!("{path}: folders in folders without an end"),
                            ));
                        }
                        self.waiting.push_back((path.clone(), depth));
                    }
                    return Ok(Some(Found::Entry(path, entry)));
                }
                Ok(None) => self.current = None,
                Err(error) => {
                    self.current = None;
                    if error.is_fatal() {
                        self.waiting.clear();
                    }
                    return Err(error);
                }
            }
        }
    }

    /// All entries at once, and the lines that no parser knew.
    ///
    /// # Errors
    /// As [`Walk::next`], and [`ErrorKind::Protocol`] for a name that can't become part of a path.
    pub async fn collect(mut self) -> Result<(Vec<(RemotePath, Entry)>, Vec<Vec<u8>>), Error> {
        let (mut entries, mut unparsed) = (Vec::new(), Vec::new());
        while let Some(found) = self.next().await? {
            match found {
                Found::Entry(path, entry) => entries.push((path, entry)),
                Found::Unparsed(_, line) => unparsed.push(line),
                Found::Misnamed(folder, entry) => {
                    let error = match Name::try_from(entry.name.as_slice()) {
                        Err(error) => error,
                        Ok(_) => continue,
                    };
                    let folder = folder.to_string();
                    return Err(Error::with_source(ErrorKind::Protocol, folder, error));
                }
            }
        }
        Ok((entries, unparsed))
    }

    /// As a stream. It goes on after the error of one folder, and ends with the connection.
    pub fn into_stream(self) -> impl Stream<Item = Result<Found, Error>> + Send {
        stream::unfold(self, |mut walk| async {
            let found = walk.next().await.transpose()?;
            Some((found, walk))
        })
    }
}

/// `None` for a file, which has no entries.
async fn open(
    client: &Client,
    folder: &RemotePath,
    depth: usize,
    by: Option<ListCommand>,
) -> Result<Option<Listing>, Error> {
    let path = (!folder.as_bytes().is_empty()).then_some(folder);
    let refused = match client.list_by(path, by).await {
        Err(error) if depth == 0 && error.reply().is_some() && !error.is_fatal() => error,
        outcome => return outcome.map(Some),
    };
    match path {
        Some(path) if client.is_file(path).await? => Ok(None),
        _ => Err(refused),
    }
}
